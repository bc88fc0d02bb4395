/* metrics_average_precision.c -- mean average precision (docs/method.md 8): activity against controls, consistency of mechanisms. */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/average_precision.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* mAP, p and q [n_label] by label from each query's AP. compound [n_label]: of the labels. The value is the mean over labels, its interval
 * over compounds. */
static status add_meanap_all(const evaluation_set *e, metric_id metric, metric_id share, const double *ap, const int32_t *n_positive,
                             const int32_t *n_total, const int32_t *label, int64_t n, int32_t n_label, const int32_t *compound,
                             double **map, double **p, double **q)
{
    status st = OK;
    int64_t first, mine;
    int32_t n_compound = e->w->n_compound;
    double *m = NULL, *pv = NULL, *num = NULL, *den = NULL;
    result one = evaluation_result(e, metric);
    partition(n_label, e->size, e->rank, &first, &mine);
    double **all[] = {map, p, q}, **sums[] = {&num, &den};
    for (int k = 0; k < 3; k++) TRY_ALL(e->comm, mem_alloc(all[k], (size_t)n_label, sizeof **all[k], "compounds"));
    for (int k = 0; k < 2; k++) TRY_ALL(e->comm, mem_alloc(sums[k], (size_t)n_compound, sizeof **sums[k], "compounds"));
    TRY_ALL(e->comm, mem_alloc(&m, (size_t)mine, sizeof *m, "compounds"));
    TRY_ALL(e->comm, mem_alloc(&pv, (size_t)mine, sizeof *pv, "compounds"));
    TRY_ALL(e->comm, mine > 0 ? ap_pvalues(ap, n_positive, n_total, label, n, (int32_t)first, (int32_t)mine, e->o->null_size,
                                           (uint32_t)e->o->seed, m, pv, NULL)
                              : OK);
    TRY(evaluation_gather_all(e, m, mine, sizeof *m, n_label, *map));
    TRY(evaluation_gather_all(e, pv, mine, sizeof *pv, n_label, *p));
    ap_adjust(*p, n_label, *q);
    one.n = one.left_out = 0;
    for (int32_t l = 0; l < n_label; l++) {
        if (isnan((*map)[l])) {
            one.left_out++;
            continue;
        }
        num[compound[l]] += (*map)[l];
        den[compound[l]] += 1;
        one.n++;
    }
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den));
    memset(num, 0, (size_t)n_compound * sizeof *num);
    for (int32_t l = 0; l < n_label; l++) num[compound[l]] += (*q)[l] < 0.05; /* no q, no share */
    one.metric = share;
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den));
done:
    free(m);
    free(pv);
    free(num);
    free(den);
    return st;
}

status activity_metrics_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    const wells *w = e->w;
    ap_controls c = {0};
    int64_t first, n, controls = 0;
    double *ap = NULL, *all_ap = NULL;
    int32_t *pos = NULL, *total = NULL, *all_pos = NULL, *all_total = NULL;
    for (int64_t i = 0; i < w->n; i++) controls += w->control[i];
    if (controls == 0) {
        if (e->rank == 0) names_add(e->notes, "no activity (mAP against controls): the profiles hold no controls");
        return OK;
    }
    partition(w->n, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, ap_controls_init(&c, w->control, w->plate, w->batch, w->source, w->n, (int)e->o->min_controls));
    TRY_ALL(e->comm, mem_alloc(&ap, (size_t)n, sizeof *ap, "average precisions"));
    TRY_ALL(e->comm, mem_alloc(&pos, (size_t)n, sizeof *pos, "average precisions"));
    TRY_ALL(e->comm, mem_alloc(&total, (size_t)n, sizeof *total, "average precisions"));
    TRY_ALL(e->comm, mem_alloc(&all_ap, (size_t)w->n, sizeof *all_ap, "average precisions"));
    TRY_ALL(e->comm, mem_alloc(&all_pos, (size_t)w->n, sizeof *all_pos, "average precisions"));
    TRY_ALL(e->comm, mem_alloc(&all_total, (size_t)w->n, sizeof *all_total, "average precisions"));
    TRY_ALL(e->comm, n > 0 ? ap_activity(x, w->n, e->d, w->label, w->evaluated, &c, first, n, ap, pos, total) : OK);
    TRY(evaluation_gather_all(e, ap, n, sizeof *ap, w->n, all_ap));
    TRY(evaluation_gather_all(e, pos, n, sizeof *pos, w->n, all_pos));
    TRY(evaluation_gather_all(e, total, n, sizeof *total, w->n, all_total));
    TRY(add_meanap_all(e, METRIC_MAP_ACTIVITY, METRIC_ACTIVE_SHARE, all_ap, all_pos, all_total, w->label, w->n, w->n_label,
                       w->label_compound, &e->r->activity[e->which], &e->r->activity_p[e->which], &e->r->activity_q[e->which]));
done:
    ap_controls_free(&c);
    free(ap);
    free(pos);
    free(total);
    free(all_ap);
    free(all_pos);
    free(all_total);
    return st;
}

/* Mechanisms of compounds, as w->target_start and w->target are those of labels: a compound's are its first label's that has any. */
static status compound_targets(const wells *w, int64_t **start, int32_t **target)
{
    status st = OK;
    int32_t *from = NULL;
    int64_t n = 0;
    TRY(mem_alloc(start, (size_t)w->n_compound + 1, sizeof **start, "mechanisms"));
    TRY(mem_alloc(target, (size_t)w->target_start[w->n_label], sizeof **target, "mechanisms"));
    TRY(mem_alloc(&from, (size_t)w->n_compound, sizeof *from, "mechanisms"));
    for (int32_t l = w->n_label - 1; l >= 0; l--)
        if (w->target_start[l] < w->target_start[l + 1]) from[w->label_compound[l]] = l + 1;
    for (int32_t c = 0; c < w->n_compound; c++) {
        (*start)[c] = n;
        for (int64_t k = from[c] ? w->target_start[from[c] - 1] : 0; from[c] && k < w->target_start[from[c]]; k++)
            (*target)[n++] = w->target[k];
    }
    (*start)[w->n_compound] = n;
done:
    free(from);
    return st;
}

/* Those with judged wells that are active in one of their treatments at least; all, where activity is not known. */
static void mark_active(const evaluation_set *e, const int64_t *count, uint8_t *use)
{
    const double *q = e->r->activity_q[e->which];
    for (int32_t l = 0; l < e->w->n_label; l++)
        if (!q || q[l] < 0.05) use[e->w->label_compound[l]] = 1;
    for (int32_t c = 0; c < e->w->n_compound; c++) use[c] = use[c] && count[c] > 0;
}

/* Of every label what its compound has. */
static status spread(const wells *w, const double *by_compound, double **by_label)
{
    status st = OK;
    TRY(mem_alloc(by_label, (size_t)w->n_label, sizeof **by_label, "treatments"));
    for (int32_t l = 0; l < w->n_label; l++) (*by_label)[l] = by_compound[w->label_compound[l]];
done:
    return st;
}

/* On median consensus profiles of the active compounds, over all their doses: two doses of one would share its mechanism by
 * construction. */
status consistency_metrics_all(const evaluation_set *e, const float *raw_x)
{
    status st = OK;
    const wells *w = e->w;
    int32_t n_all = w->n_compound, *pos = NULL, *total = NULL, *self = NULL, *all_pos = NULL, *all_total = NULL, *target = NULL;
    float *y = NULL;
    int64_t *count = NULL, *start = NULL, first, n;
    uint8_t *use = NULL;
    double *ap = NULL, *all_ap = NULL, *map = NULL, *p = NULL, *q = NULL;
    double **real[] = {&ap, &all_ap};
    int32_t **whole[] = {&pos, &total, &self, &all_pos, &all_total};
    if (w->n_target == 0) return OK;
    partition(n_all, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&y, (size_t)(n_all * e->d), sizeof *y, "consensus"));
    TRY_ALL(e->comm, mem_alloc(&count, (size_t)n_all, sizeof *count, "consensus"));
    TRY_ALL(e->comm, mem_alloc(&use, (size_t)n_all, 1, "consensus"));
    for (int k = 0; k < 2; k++) TRY_ALL(e->comm, mem_alloc(real[k], (size_t)n_all, sizeof **real[k], "compounds"));
    for (int k = 0; k < 5; k++) TRY_ALL(e->comm, mem_alloc(whole[k], (size_t)n_all, sizeof **whole[k], "compounds"));
    TRY_ALL(e->comm, compound_targets(w, &start, &target));
    TRY_ALL(e->comm, consensus_median(raw_x, w->n, e->d, w->compound, w->evaluated, n_all, y, count));
    linear_unit_rows(y, n_all, e->d, y);
    for (int32_t c = 0; c < n_all; c++) self[c] = c;
    mark_active(e, count, use);
    TRY_ALL(e->comm, n > 0 ? ap_consistency(y, n_all, e->d, start, target, use, first, n, ap, pos, total) : OK);
    TRY(evaluation_gather_all(e, ap, n, sizeof *ap, n_all, all_ap));
    TRY(evaluation_gather_all(e, pos, n, sizeof *pos, n_all, all_pos));
    TRY(evaluation_gather_all(e, total, n, sizeof *total, n_all, all_total));
    TRY(add_meanap_all(e, METRIC_MAP_CONSISTENCY, METRIC_CONSISTENT_SHARE, all_ap, all_pos, all_total, self, n_all, n_all, self, &map, &p,
                       &q));
    TRY_ALL(e->comm, spread(w, map, &e->r->consistency[e->which]));
    TRY_ALL(e->comm, spread(w, p, &e->r->consistency_p[e->which]));
    TRY_ALL(e->comm, spread(w, q, &e->r->consistency_q[e->which]));
done:
    free(y);
    free(count);
    free(start);
    free(target);
    free(use);
    free(map);
    free(p);
    free(q);
    for (int k = 0; k < 2; k++) free(*real[k]);
    for (int k = 0; k < 5; k++) free(*whole[k]);
    return st;
}
