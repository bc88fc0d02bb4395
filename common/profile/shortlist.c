/* shortlist.c -- lists of near candidates: grown, tidied, settled. */
#include "shortlist_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROOM = 512 };

status shortlists_init(shortlists *l, int64_t n, int k, int room, const float *q, const float *c, int64_t d)
{
    status st = OK;
    *l = (shortlists){.n = n, .d = d, .k = k, .cap = room, .q = q, .c = c};
    if (k < 1 || k > SHORTLIST_MOST_K || room < 2 * k || room > MOST_ROOM)
        TRY(fail(E_INTERNAL, "neighbours: k is %d, not from 1 to %d", k, SHORTLIST_MOST_K));
    TRY(mem_alloc(&l->need, (size_t)n, sizeof *l->need, "short lists of neighbours"));
    TRY(mem_alloc(&l->count, (size_t)n, sizeof *l->count, "short lists of neighbours"));
    TRY(mem_alloc(&l->full, (size_t)n, sizeof *l->full, "short lists of neighbours"));
    TRY(mem_alloc(&l->item, (size_t)n, (size_t)room * sizeof *l->item, "short lists of neighbours"));
done:
    return st;
}

void shortlists_free(shortlists *l)
{
    FREE(l->need);
    FREE(l->item);
    FREE(l->count);
    FREE(l->full);
}

void shortlists_clear(shortlists *l, float margin)
{
    l->margin = margin;
    for (int64_t i = 0; i < l->n; i++) l->count[i] = 0, l->full[i] = 2 * l->k, l->need[i] = -INFINITY;
}

static int by_similarity(const void *a, const void *b)
{
    const retrieval_hit *x = a, *y = b;
    if (x->sim != y->sim) return x->sim > y->sim ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Multiply list i again in double, sort it. */
static void multiply(const shortlists *l, int64_t i, retrieval_hit *out)
{
    int32_t row[MOST_ROOM] = {0};
    double sim[MOST_ROOM];
    shortlist_known *known = l->known;
    int n = l->count[i], m = 0, at = 0;
    for (int j = 0; j < n; j++) {
        int32_t r = l->item[i * l->cap + j].row;
        if (known && known->query[r] == i)
            out[at++] = (retrieval_hit){known->sim[r], r};
        else
            row[m++] = r;
    }
    linear_dot_rows(l->q + i * l->d, l->c, l->d, row, m, sim);
    for (int j = 0; j < m; j++) {
        out[at++] = (retrieval_hit){sim[j], row[j]};   // cppcheck-suppress uninitvar ; the line before filled it
        if (known) known->query[row[j]] = i, known->sim[row[j]] = sim[j];
    }
    qsort(out, (size_t)n, sizeof *out, by_similarity);   // cppcheck-suppress uninitvar ; n entries are filled: at is n
}

static int by_approximation(const void *a, const void *b)
{
    float x = ((const shortlist_item *)a)->sim, y = ((const shortlist_item *)b)->sim;
    return x > y ? -1 : x < y;
}

/* Drop what fell below the margin of the k-th best; if too many stay, multiply them and keep k. */
static void tidy(shortlists *l, int64_t i)
{
    int n = l->count[i], k = l->k;
    shortlist_item *item = l->item + i * l->cap;
    qsort(item, (size_t)n, sizeof *item, by_approximation);
    if (n >= k) l->need[i] = fmaxf(l->need[i], item[k - 1].sim - l->margin);
    while (n > 0 && item[n - 1].sim < l->need[i]) n--;
    l->count[i] = n;
    l->full[i] = n < k ? 2 * k : 2 * n; /* the sooner the bar rises, the fewer pass; each sort is paid by as many that came */
    if (l->full[i] <= l->cap) return;
    retrieval_hit hit[MOST_ROOM];
    multiply(l, i, hit);
    for (int j = 0; j < k; j++) item[j] = (shortlist_item){(int32_t)hit[j].row, (float)hit[j].sim};
    l->count[i] = k, l->full[i] = l->cap; /* the margin cannot tell these apart: sort and multiply them in bulk */
    l->need[i] = (float)hit[k - 1].sim - l->margin;
}

void shortlists_add(shortlists *l, int64_t i, int32_t row, float sim)
{
    l->item[i * l->cap + l->count[i]++] = (shortlist_item){row, sim};
    if (l->count[i] == l->full[i]) tidy(l, i);
}

void shortlists_get_bars(const shortlists *l, float *bar)
{
    for (int64_t i = 0; i < l->n; i++) bar[i] = l->need[i] + l->margin / 2;
}

void shortlists_set_bars(shortlists *l, const float *bar)
{
    for (int64_t i = 0; i < l->n; i++) l->need[i] = fmaxf(l->need[i], bar[i] - l->margin / 2);
}

void shortlists_finish(shortlists *l, int64_t i, retrieval_hit *out)
{
    retrieval_hit hit[MOST_ROOM];
    tidy(l, i); /* fewer to multiply again */
    multiply(l, i, hit);
    for (int j = 0; j < l->k; j++) out[j] = j < l->count[i] ? hit[j] : (retrieval_hit){NAN, -1};
}

HOT int shortlists_any(const float *s, float need, const float *columns)
{
    typedef float f16 __attribute__((vector_size(64)));
    typedef int i16 __attribute__((vector_size(64)));
    f16 v[SHORTLIST_CHUNK / 16], w[SHORTLIST_CHUNK / 16], t = need - (f16){0};
    i16 hit = {0}, column = {0};
    memcpy(v, s, sizeof v);
    for (int i = 0; i < SHORTLIST_CHUNK / 16; i++) hit |= v[i] >= t;
    if (columns) {
        memcpy(w, columns, sizeof w);
        for (int i = 0; i < SHORTLIST_CHUNK / 16; i++) column |= v[i] >= w[i];
    }
    int any = 0, any_column = 0;
    for (int i = 0; i < 16; i++) any |= hit[i], any_column |= column[i];
    return (any ? 1 : 0) | (any_column ? 2 : 0);
}
