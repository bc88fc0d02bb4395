/* metrics_replicates.c -- percent replicating (docs/method.md 8): treatments whose wells correlate more than random sets of wells. */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/replicates.h"

#include <math.h>
#include <stdlib.h>

/* bar [n_label]: the 95th percentile of the null sets, of wells of different compounds, for a label with that many wells; NaN where there
 * is none. */
static status replicate_bars_all(const evaluation_set *e, const float *p, const int64_t *count, int64_t filled, double *bar)
{
    status st = OK;
    int32_t n_label = e->w->n_label, n_compound = e->w->n_compound;
    int64_t first, n, size = e->o->null_size;
    double by_set[REPLICATE_MAX_SET + 1], *null = NULL, *all = NULL, *known = NULL;
    partition(size, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&null, (size_t)n, sizeof *null, "null sets"));
    TRY_ALL(e->comm, mem_alloc(&all, (size_t)size, sizeof *all, "null sets"));
    TRY_ALL(e->comm, replicate_known(e->n, &known));
    for (int set = 0; set <= REPLICATE_MAX_SET; set++) by_set[set] = NAN;
    for (int32_t l = 0; l < n_label; l++) {
        int set = replicate_set(count[l], filled);
        bar[l] = NAN;
        if (set < 2) continue;
        if (isnan(by_set[set])) {
            TRY_ALL(e->comm, n > 0 ? replicate_null(&(profile_rows){.x = p, .n = e->n, .d = e->d, .label = e->compound}, known, n_compound,
                                                    set, (uint32_t)e->o->seed, (row_range){first, n}, null)
                                   : OK);
            TRY(evaluation_gather_all(e, null, n, sizeof *null, size, all));
            by_set[set] = linear_quantile(all, size, 0.95);
        }
        bar[l] = by_set[set];
    }
done:
    free(null);
    free(all);
    free(known);
    return st;
}

status replicate_metrics_all(const evaluation_set *e, const float *raw_x)
{
    status st = OK;
    int32_t n_label = e->w->n_label, filled = 0;
    int64_t first, n, *count = NULL;
    float *p = NULL;
    double *mine = NULL, *score = NULL, *bar = NULL, *num = NULL, *den = NULL;
    double **by[] = {&mine, &score, &bar, &num, &den};
    result one = evaluation_result(e, METRIC_PERCENT_REPLICATING);
    partition(n_label, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&p, (size_t)(e->n * e->d), sizeof *p, "profiles"));
    for (int64_t i = 0; i < e->n; i++) linear_pearson_rows(raw_x + e->row[i] * e->d, 1, e->d, p + i * e->d);
    for (int k = 0; k < 5; k++)
        TRY_ALL(e->comm,
                mem_alloc(by[k], (size_t)n_label, sizeof **by[k], "compounds")); /* num and den are by compound: fewer than labels */
    TRY_ALL(e->comm, mem_alloc(&count, (size_t)n_label, sizeof *count, "compounds"));
    TRY_ALL(e->comm, evaluation_count_present(e, e->compound, e->w->n_compound, &filled));
    for (int64_t i = 0; i < e->n; i++) count[e->label[i]]++;
    TRY_ALL(e->comm, n > 0 ? replicate_scores(&(profile_rows){.x = p, .n = e->n, .d = e->d, .label = e->label}, NULL, n_label,
                                              (row_range){first, n}, mine)
                           : OK);
    TRY(evaluation_gather_all(e, mine, n, sizeof *mine, n_label, score));
    TRY(replicate_bars_all(e, p, count, filled, bar));
    one.n = one.left_out = 0;
    for (int32_t l = 0; l < n_label; l++) {
        if (isnan(score[l]) || isnan(bar[l])) {
            one.left_out++;
            continue;
        }
        num[e->w->label_compound[l]] += score[l] > bar[l];
        den[e->w->label_compound[l]] += 1;
        one.n++;
    }
    if (e->o->recipe != RECIPE_0_1) one.chance = 0.05; /* above the 95th percentile */
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den, e->w->n_compound));
done:
    free(p);
    free(count);
    for (int k = 0; k < 5; k++) free(*by[k]);
    return st;
}
