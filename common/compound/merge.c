/* merge.c -- two sorts: by identifier, then by identity. */
#include "micon/compound/merge.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const merge_row *r;
    int64_t i;
} entry;

static int by_place(const entry *x, const entry *y)
{
    return x->i < y->i ? -1 : x->i > y->i;
}

static int by_id(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int c = strcmp(x->r->id, y->r->id);
    return c ? c : by_place(x, y);
}

static int by_identity(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    int c = strcmp(x->r->identity, y->r->identity);
    return c ? c : by_id(a, b);
}

/* What each identifier is; *e keeps only the rows that say it. */
static int64_t settle_ids(merged *m, entry *e, int64_t n)
{
    int64_t kept = 0;
    for (int64_t k = 0; k < n; k++) {
        const entry *said = kept ? &e[kept - 1] : NULL;
        if (!said || strcmp(said->r->id, e[k].r->id) != 0) {
            e[kept++] = e[k];
            continue;
        }
        m->first[e[k].i] = said->i;
        if (strcmp(said->r->identity, e[k].r->identity) == 0) {
            m->n_repeats++;
        } else {
            m->compound[e[k].i] = MERGE_CONFLICT;
            m->n_conflicts++;
        }
    }
    return kept;
}

/* Every entry's row gets the row that speaks for its compound, in m->compound until the compounds are numbered; *e keeps the speakers. */
static int64_t settle_identities(merged *m, entry *e, int64_t n)
{
    int64_t kept = 0;
    for (int64_t k = 0; k < n; k++) {
        if (kept == 0 || strcmp(e[kept - 1].r->identity, e[k].r->identity) != 0) e[kept++] = e[k];
        m->compound[e[k].i] = e[kept - 1].i;
    }
    return kept;
}

status compound_merge(merged *out, const merge_row *row, int64_t n)
{
    status st = OK;
    entry *e = NULL;
    int64_t *place = NULL, n_read = 0;
    *out = (merged){.n_rows = n};
    TRY(mem_alloc(&out->row, (size_t)n, sizeof *out->row, "compounds"));
    TRY(mem_alloc(&out->compound, (size_t)n, sizeof *out->compound, "compounds of rows"));
    TRY(mem_alloc(&out->first, (size_t)n, sizeof *out->first, "rows of identifiers"));
    TRY(mem_alloc(&place, (size_t)n, sizeof *place, "places of compounds"));
    TRY(mem_alloc(&e, (size_t)n, sizeof *e, "rows to be merged"));
    for (int64_t i = 0; i < n; i++) {
        out->first[i] = i;
        out->compound[i] = MERGE_REJECTED;
        if (row[i].identity) e[n_read++] = (entry){&row[i], i};
    }
    qsort(e, (size_t)n_read, sizeof *e, by_id);
    out->n_ids = settle_ids(out, e, n_read);
    qsort(e, (size_t)out->n_ids, sizeof *e, by_identity);
    out->n_compounds = settle_identities(out, e, out->n_ids);
    qsort(e, (size_t)out->n_compounds, sizeof *e, by_id);
    for (int64_t k = 0; k < out->n_compounds; k++) {
        out->row[k] = e[k].i;
        place[e[k].i] = k;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!row[i].identity || out->compound[i] == MERGE_CONFLICT || out->first[i] != i) continue;
        out->compound[i] = place[out->compound[i]];
    }
    for (int64_t i = 0; i < n; i++) /* repeats */
        if (out->first[i] != i && out->compound[i] != MERGE_CONFLICT) out->compound[i] = out->compound[out->first[i]];
done:
    free(e);
    free(place);
    if (st != OK) merged_free(out);
    return st;
}

void merged_free(merged *m)
{
    free(m->row);
    free(m->compound);
    free(m->first);
    *m = (merged){0};
}
