/* found.c -- the results of a search for neighbours, and the metrics they give. */
#include "found.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { K = FOUND_K };

void found_free(found *f)
{
    free(f->hit);
    free(f->matches);
    free(f->rank);
    free(f->possible);
    free(f->match);
}

status found_alloc(found *f, int64_t n)
{
    status st = OK;
    TRY(mem_alloc(&f->hit, (size_t)n * K, sizeof *f->hit, "neighbours"));
    TRY(mem_alloc(&f->matches, (size_t)n * K, 1, "neighbours"));
    TRY(mem_alloc(&f->rank, (size_t)n, sizeof *f->rank, "ranks"));
    TRY(mem_alloc(&f->possible, (size_t)n, sizeof *f->possible, "candidates"));
    TRY(mem_alloc(&f->match, (size_t)n, sizeof *f->match, "candidates"));
done:
    return st;
}

/* The queries that count: those with ask[i] = 1. */
typedef struct {
    int64_t n, *possible, *match;
    int32_t *rank, *compound;
    uint8_t *matches; /* [n,K] */
} queries;

static void queries_free(queries *q)
{
    free(q->possible);
    free(q->match);
    free(q->rank);
    free(q->compound);
    free(q->matches);
}

/* compound [n]: of all of them; ask NULL: all count. */
static status queries_take(queries *q, const found *f, int64_t n, const uint8_t *ask, const int32_t *compound)
{
    status st = OK;
    TRY(mem_alloc(&q->rank, (size_t)n, sizeof *q->rank, "queries"));
    TRY(mem_alloc(&q->compound, (size_t)n, sizeof *q->compound, "queries"));
    TRY(mem_alloc(&q->possible, (size_t)n, sizeof *q->possible, "queries"));
    TRY(mem_alloc(&q->match, (size_t)n, sizeof *q->match, "queries"));
    TRY(mem_alloc(&q->matches, (size_t)n * K, 1, "queries"));
    for (int64_t i = 0; i < n; i++) {
        int64_t m = q->n;
        if (ask && !ask[i]) continue;
        q->rank[m] = f->rank[i], q->compound[m] = compound[i], q->possible[m] = f->possible[i], q->match[m] = f->match[i];
        memcpy(q->matches + m * K, f->matches + i * K, K);
        q->n++;
    }
done:
    return st;
}

status found_add_metrics(const evaluation_set *e, found_metrics add, metric_setting setting, const found *f, int64_t n, const uint8_t *ask,
                         const int32_t *compound)
{
    status st = OK;
    int32_t n_compound = e->w->n_compound;
    double *hit = NULL, *asked = NULL;
    queries q = {0};
    retrieval_score s;
    TRY(queries_take(&q, f, n, ask, compound));
    TRY(mem_alloc(&hit, (size_t)n_compound, sizeof *hit, "compounds"));
    TRY(mem_alloc(&asked, (size_t)n_compound, sizeof *asked, "compounds"));
    retrieval_summarize(q.rank, q.possible, q.match, q.compound, q.n, n_compound, K, &s);
    for (int k = 1; k <= K; k++) {
        result one = evaluation_result_in(e, add.hits, setting);
        one.k = k;
        one.n = s.n_queries, one.left_out = s.n_impossible, one.chance = s.chance[k - 1];
        retrieval_by_label(q.rank, q.match, q.compound, q.n, n_compound, k, hit, asked);
        TRY(results_ratio(e->r, one, hit, asked, n_compound));
        one.metric = add.by_compound, one.n = s.n_classes;
        if (!(metric_table[add.by_compound].properties & CHANCE)) one.chance = NAN;
        TRY(results_ratio(e->r, one, hit, asked, n_compound));
        if (add.precision == N_METRICS || e->o->recipe == RECIPE_0_1) continue;
        for (int32_t c = 0; c < n_compound; c++) hit[c] = 0;
        for (int64_t i = 0; i < q.n; i++)
            if (q.match[i] > 0) hit[q.compound[i]] += (double)q.matches[i * K + k - 1] / k;
        one.metric = add.precision, one.n = s.n_queries, one.chance = retrieval_precision_chance(q.possible, q.match, q.n, k);
        TRY(results_ratio(e->r, one, hit, asked, n_compound));
    }
done:
    queries_free(&q);
    free(hit);
    free(asked);
    return st;
}
