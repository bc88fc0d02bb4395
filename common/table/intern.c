/* intern.c -- interned text: an open hash table over one block of strings. */
#include "micon/table/intern.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* The slot that holds s, or the free one where it belongs. */
static size_t seek(const intern_table *w, const char *s, size_t n)
{
    size_t i = (size_t)XXH3_64bits(s, n) & (w->n_slots - 1);
    for (; w->slot[i]; i = (i + 1) & (w->n_slots - 1))
        if (strcmp(w->block + w->start[w->slot[i] - 1], s) == 0) break;
    return i;
}

static status widen(intern_table *w)
{
    status st = OK;
    size_t n_slots = w->n_slots ? w->n_slots * 2 : 64;
    uint32_t *old = w->slot, *slot = NULL;
    TRY(mem_alloc(&slot, n_slots, sizeof *slot, "a table of names"));
    w->slot = slot;
    w->n_slots = n_slots;
    for (size_t i = 0; i < w->n; i++) {
        const char *s = w->block + w->start[i];
        w->slot[seek(w, s, strlen(s))] = (uint32_t)i + 1;
    }
    free(old);
done:
    return st;
}

status intern_add(intern_table *w, const char *s, uint32_t *id)
{
    status st = OK;
    size_t n = strlen(s);
    TRY(mem_grow(&w->block, &w->cap, w->size + n + 1, 1, "names"));
    if ((w->n + 1) * 2 > w->n_slots) TRY(widen(w));
    size_t i = seek(w, s, n);
    if (!w->slot[i]) {
        if (w->n >= UINT32_MAX - 1) TRY(fail(E_FAILED, "more than 4294967294 different names"));
        TRY(mem_grow(&w->start, &w->starts_cap, w->n + 1, sizeof *w->start, "names"));
        memcpy(w->block + w->size, s, n + 1);
        w->start[w->n] = w->size;
        w->size += n + 1;
        w->slot[i] = (uint32_t)++w->n;
    }
    *id = w->slot[i] - 1;
done:
    return st;
}

int64_t intern_find(const intern_table *w, const char *s)
{
    if (!w->n) return -1;
    return (int64_t)w->slot[seek(w, s, strlen(s))] - 1;
}

const char *intern_at(const intern_table *w, size_t id)
{
    return w->block + w->start[id];
}

void intern_free(intern_table *w)
{
    free(w->block);
    free(w->start);
    free(w->slot);
    *w = (intern_table){0};
}
