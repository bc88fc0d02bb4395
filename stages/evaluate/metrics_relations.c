/* metrics_relations.c -- known relations among the extreme similarities of compounds (evaluate.relations; docs/method.md 8). */
#include "evaluation_set.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/formats/csv.h"
#include "micon/mpi/comm.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the table ---- */

static int by_compounds(const void *a, const void *b)
{
    const int32_t *x = a, *y = b;
    return x[0] != y[0] ? (x[0] < y[0] ? -1 : 1) : x[1] < y[1] ? -1 : x[1] > y[1];
}

/* Each once, the lower compound first. */
static void sort_unique(wells *w)
{
    int64_t n = 0;
    if (w->n_relation == 0) return;
    qsort(w->relation, (size_t)w->n_relation, sizeof *w->relation, by_compounds);
    for (int64_t i = 1; i < w->n_relation; i++)
        if (by_compounds(w->relation[i], w->relation[n]) != 0) memmove(w->relation[++n], w->relation[i], sizeof *w->relation);
    w->n_relation = n + 1;
}

status relations_read(wells *w, const config *cfg, names *notes)
{
    status st = OK;
    csv *c = NULL;
    char *path = NULL;
    char **field, *note = NULL;
    bool more;
    size_t cap = 0;
    int64_t n = 0, alone = 0;
    uint8_t *judged = NULL;
    if (!*cfg->evaluate.relations) return OK;
    path = config_path(cfg, cfg->evaluate.relations);
    TRY(csv_open(&c, path));
    if (csv_n_cols(c) < 2) TRY(fail(E_FORMAT, "evaluate.relations: %s: a relation is two treatments, in the first two columns", path));
    TRY(mem_alloc(&judged, (size_t)w->n_compound, 1, "compounds"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->evaluated[i]) judged[w->compound[i]] = 1;
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        int32_t a = (int32_t)intern_find(&w->compound_name, csv_text(field[0]));
        int32_t b = (int32_t)intern_find(&w->compound_name, csv_text(field[1]));
        n++;
        if (a < 0 || b < 0 || !judged[a] || !judged[b]) {
            w->n_relation_unknown++;
        } else if (a == b) {
            alone++;
        } else {
            TRY(mem_grow(&w->relation, &cap, (size_t)w->n_relation + 1, sizeof *w->relation, "relations"));
            w->relation[w->n_relation][0] = a < b ? a : b, w->relation[w->n_relation++][1] = a < b ? b : a;
        }
    }
    sort_unique(w);
    note = xasprintf("known relations: %lld of %lld rows name two evaluated treatments: %lld relations",
                     (long long)(n - alone - w->n_relation_unknown), (long long)n, (long long)w->n_relation);
    names_add(notes, note);
    if (w->n_relation > 0)
        log_info("%s", note);
    else
        log_warn("%s; the first two columns must hold the same names as the treatments", note);
done:
    csv_close(&c);
    free(path);
    free(judged);
    free(note);
    return st;
}

/* ---- the metric ---- */

/* Cosines of all pairs of the n rows, or of MOST drawn ones where there are more. */
static status all_cosines(const float *y, const int32_t *row, int64_t n, int64_t d, uint32_t seed, double **sim, int64_t *n_sim)
{
    enum { MOST = 2000000 };
    status st = OK;
    int64_t pairs = n * (n - 1) / 2;
    bool draw = pairs > MOST;
    *n_sim = 0;
    TRY(mem_alloc(sim, (size_t)(draw ? MOST : pairs), sizeof **sim, "similarities"));
    for (int64_t i = 0; i < n && !draw; i++)
        for (int64_t j = i + 1; j < n; j++) (*sim)[(*n_sim)++] = linear_dot(y + row[i] * d, y + row[j] * d, d);
    rng r = rng_at(seed, STREAM_RELATIONS, 0, (uint64_t)n);
    while (draw && *n_sim < MOST) {
        int64_t i = (int64_t)rng_below(&r, (uint64_t)n), j = (int64_t)rng_below(&r, (uint64_t)n);
        if (i != j) (*sim)[(*n_sim)++] = linear_dot(y + row[i] * d, y + row[j] * d, d);
    }
done:
    return st;
}

/* Rank 0: the others hold no relations. */
static status add_relations(const evaluation_set *e, const float *x)
{
    enum { PERCENT = 5 };
    status st = OK;
    const wells *w = e->w;
    int32_t n = w->n_compound, *row = NULL;
    int64_t *count = NULL, m = 0, n_sim = 0;
    float *y = NULL;
    double *sim = NULL, *num = NULL, *den = NULL;
    result one = evaluation_result(e, METRIC_RELATION_RECALL);
    TRY(mem_alloc(&y, (size_t)(n * e->d), sizeof *y, "consensus"));
    TRY(mem_alloc(&count, (size_t)n, sizeof *count, "consensus"));
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "compounds"));
    TRY(mem_alloc(&num, (size_t)n, sizeof *num, "compounds"));
    TRY(mem_alloc(&den, (size_t)n, sizeof *den, "compounds"));
    const profile_rows treated = {.x = x, .n = w->n, .d = e->d, .label = w->compound, .use = w->evaluated};
    TRY(consensus_median(&treated, n, y, count));
    linear_unit_rows(y, n, e->d, y);
    for (int32_t c = 0; c < n; c++)
        if (count[c] > 0) row[m++] = c;
    TRY(all_cosines(y, row, m, e->d, (uint32_t)e->o->seed, &sim, &n_sim));
    double low = linear_quantile(sim, n_sim, PERCENT / 100.0), high = linear_quantile(sim, n_sim, 1 - PERCENT / 100.0);
    for (int64_t i = 0; i < w->n_relation; i++) {
        double v = linear_dot(y + w->relation[i][0] * e->d, y + w->relation[i][1] * e->d, e->d);
        num[w->relation[i][0]] += v <= low || v >= high;
        den[w->relation[i][0]] += 1;
    }
    one.n = w->n_relation, one.left_out = w->n_relation_unknown, one.chance = 2 * PERCENT / 100.0;
    TRY(results_ratio(e->r, one, num, den, n));
done:
    free(y);
    free(count);
    free(row);
    free(sim);
    free(num);
    free(den);
    return st;
}

status relation_metrics_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    TRY_ALL(e->comm, e->w->n_relation > 0 ? add_relations(e, x) : OK);
done:
    return st;
}
