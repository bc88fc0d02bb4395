/* well_keys.c -- the wells that have images, by the keys that a table may give: one set for each choice of key columns. */
#include "build_impl.h"

#include "micon/base/mem.h"

#include <stdio.h>
#include <stdlib.h>

static char *key_text(char buf[64], uint32_t source, uint32_t batch, uint32_t plate, uint32_t well)
{
    snprintf(buf, 64, "%x %x %x %x", source, batch, plate, well);
    return buf;
}

static status make_keys(const index_builder *b, well_keys *k, bool source, bool batch)
{
    status st = OK;
    char buf[64];
    uint32_t id;
    size_t last = SIZE_MAX;
    TRY(mem_alloc(&k->next, b->wells.n, sizeof *k->next, "wells"));
    for (size_t p = 0; p < b->n_spans; p++) {
        const plate_span *s = &b->span[p];
        uint32_t src = source ? s->source : 0, bat = batch ? s->batch : 0;
        TRY(intern_add(&k->plate, key_text(buf, src, bat, s->plate, 0), &id));
        for (int64_t i = s->first; i < s->first + s->n; i++) {
            uint32_t w = b->well_of[i];
            if (w == last) continue;
            last = w;
            size_t known = k->well.n;
            TRY(intern_add(&k->well, key_text(buf, src, bat, s->plate, b->rows.col[R_WELL].v[b->order[i]]), &id));
            TRY(mem_grow(&k->first, &k->first_cap, k->well.n, sizeof *k->first, "wells"));
            if (id == known) k->first[id] = 0;
            k->next[w] = k->first[id];
            k->first[id] = w + 1;
        }
    }
    k->made = true;
done:
    return st;
}

status well_keys_of(index_builder *b, well_keys sets[4], bool source, bool batch, well_keys **out)
{
    *out = &sets[source + 2 * batch];
    return (*out)->made ? OK : make_keys(b, *out, source, batch);
}

bool well_keys_have_plate(const well_keys *k, uint32_t source, uint32_t batch, uint32_t plate)
{
    char buf[64];
    return intern_find(&k->plate, key_text(buf, source, batch, plate, 0)) >= 0;
}

uint32_t well_keys_find(const well_keys *k, uint32_t source, uint32_t batch, uint32_t plate, uint32_t well)
{
    char buf[64];
    int64_t key = intern_find(&k->well, key_text(buf, source, batch, plate, well));
    return key < 0 ? 0 : k->first[key];
}

void well_keys_free(well_keys *k)
{
    intern_free(&k->plate);
    intern_free(&k->well);
    free(k->first);
    free(k->next);
}

/* Two tables, or two sites, name different compounds for one well. */
static void two_compounds(index_builder *b, size_t w, uint32_t compound, const char *tab, unsigned line, const char *well)
{
    const grid_col *c = b->wells.col;
    findings_add(b->found, FINDING_ERROR, "wells with two compounds", "%s:%u: well %s holds '%s', but '%s' in %s:%u", tab, line, well,
                 builder_text(b, compound), builder_text(b, c[W_COMPOUND].v[w]), b->table.item[c[W_TABLE].v[w]].opened, c[W_LINE].v[w]);
}

void well_take_compound(index_builder *b, size_t w, uint32_t compound, uint32_t tab, uint32_t line, const char *well)
{
    grid_col *c = b->wells.col;
    if (!compound || c[W_COMPOUND].v[w] == compound) return;
    if (c[W_COMPOUND].v[w]) {
        two_compounds(b, w, compound, b->table.item[tab].opened, line, well);
        return;
    }
    c[W_COMPOUND].v[w] = compound;
    c[W_TABLE].v[w] = tab;
    c[W_LINE].v[w] = line;
}
