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

/* What a mean average precision is computed from and where it goes. */
typedef struct {
    metric_id metric, share; /* the mean, and the share with q < 0.05 */
    ap_scores queries;       /* of all ranks */
    const int32_t *group;    /* [n] of the queries: their label or compound */
    int64_t n;
    int32_t n_group;
    const int32_t *compound; /* [n_group] */
    double **map, **p, **q;  /* [n_group], allocated here */
} mean_precision;

/* The mean's value is over groups, its interval over compounds. */
static status add_mean_precision_all(const evaluation_set *e, const mean_precision *a)
{
    status st = OK;
    row_range mine;
    int32_t n_compound = e->w->n_compound;
    double *m = NULL, *pv = NULL, *num = NULL, *den = NULL;
    result one = evaluation_result(e, a->metric);
    const ap_null_options null = {.size = e->o->null_size, .seed = (uint32_t)e->o->seed, .as_0_1 = e->o->recipe == RECIPE_0_1};
    partition(a->n_group, e->size, e->rank, &mine.first, &mine.n);
    double **all[] = {a->map, a->p, a->q}, **sums[] = {&num, &den};
    for (int k = 0; k < 3; k++) TRY_ALL(e->comm, mem_alloc(all[k], (size_t)a->n_group, sizeof **all[k], "compounds"));
    for (int k = 0; k < 2; k++) TRY_ALL(e->comm, mem_alloc(sums[k], (size_t)n_compound, sizeof **sums[k], "compounds"));
    TRY_ALL(e->comm, mem_alloc(&m, (size_t)mine.n, sizeof *m, "compounds"));
    TRY_ALL(e->comm, mem_alloc(&pv, (size_t)mine.n, sizeof *pv, "compounds"));
    TRY_ALL(e->comm, mine.n > 0 ? ap_pvalues(&a->queries, a->group, a->n, mine, &null, &(ap_groups){.mean_ap = m, .p = pv}) : OK);
    TRY(evaluation_gather_all(e, m, mine.n, sizeof *m, a->n_group, *a->map));
    TRY(evaluation_gather_all(e, pv, mine.n, sizeof *pv, a->n_group, *a->p));
    ap_adjust(*a->p, a->n_group, *a->q);
    one.n = one.left_out = 0;
    for (int32_t l = 0; l < a->n_group; l++) {
        if (isnan((*a->map)[l])) {
            one.left_out++;
            continue;
        }
        num[a->compound[l]] += (*a->map)[l];
        den[a->compound[l]] += 1;
        one.n++;
    }
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den));
    memset(num, 0, (size_t)n_compound * sizeof *num);
    for (int32_t l = 0; l < a->n_group; l++) num[a->compound[l]] += (*a->q)[l] < 0.05; /* no q, no share */
    one.metric = a->share;
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den));
done:
    free(m);
    free(pv);
    free(num);
    free(den);
    return st;
}

static status scores_alloc(ap_scores *s, int64_t n)
{
    status st = OK;
    TRY(mem_alloc(&s->ap, (size_t)n, sizeof *s->ap, "average precisions"));
    TRY(mem_alloc(&s->n_positive, (size_t)n, sizeof *s->n_positive, "average precisions"));
    TRY(mem_alloc(&s->n_total, (size_t)n, sizeof *s->n_total, "average precisions"));
done:
    return st;
}

static void scores_free(ap_scores *s)
{
    free(s->ap);
    free(s->n_positive);
    free(s->n_total);
}

/* The scores of every rank's queries, in rank order, on all ranks. */
static status gather_scores_all(const evaluation_set *e, const ap_scores *mine, int64_t n_mine, int64_t n, const ap_scores *all)
{
    status st = OK;
    TRY(evaluation_gather_all(e, mine->ap, n_mine, sizeof *mine->ap, n, all->ap));
    TRY(evaluation_gather_all(e, mine->n_positive, n_mine, sizeof *mine->n_positive, n, all->n_positive));
    TRY(evaluation_gather_all(e, mine->n_total, n_mine, sizeof *mine->n_total, n, all->n_total));
done:
    return st;
}

status activity_metrics_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    const wells *w = e->w;
    ap_controls c = {0};
    row_range own;
    int64_t controls = 0;
    int level = e->o->negatives; /* a level left out is passed over */
    ap_scores mine = {0};
    mean_precision a = {.metric = METRIC_MAP_ACTIVITY,
                        .share = METRIC_ACTIVE_SHARE,
                        .group = w->label,
                        .n = w->n,
                        .n_group = w->n_label,
                        .compound = w->label_compound,
                        .map = &e->r->activity[e->which],
                        .p = &e->r->activity_p[e->which],
                        .q = &e->r->activity_q[e->which]};
    for (int64_t i = 0; i < w->n; i++) controls += w->control[i];
    if (controls == 0) {
        if (e->rank == 0) names_add(e->notes, "no activity (mAP against controls): the profiles hold no controls");
        return OK;
    }
    partition(w->n, e->size, e->rank, &own.first, &own.n);
    TRY_ALL(e->comm,
            ap_controls_init(&c, w->control, level == NEGATIVES_PLATE ? w->plate : NULL, level <= NEGATIVES_BATCH ? w->batch : NULL,
                             level <= NEGATIVES_SOURCE ? w->source : NULL, w->n, (int)e->o->min_controls));
    TRY_ALL(e->comm, scores_alloc(&mine, own.n));
    TRY_ALL(e->comm, scores_alloc(&a.queries, w->n));
    const profile_rows rows = {.x = x, .n = w->n, .d = e->d, .label = w->label, .use = w->evaluated};
    TRY_ALL(e->comm, own.n > 0 ? ap_activity(&rows, &c, own, &mine) : OK);
    TRY(gather_scores_all(e, &mine, own.n, w->n, &a.queries));
    TRY(add_mean_precision_all(e, &a));
done:
    ap_controls_free(&c);
    scores_free(&mine);
    scores_free(&a.queries);
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

/* Compounds with evaluated wells, active in one of their treatments at least; all of them where activity is not known. */
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
    int32_t n_all = w->n_compound, *self = NULL, *target = NULL;
    float *y = NULL;
    int64_t *count = NULL, *start = NULL;
    row_range own;
    uint8_t *use = NULL;
    double *map = NULL, *p = NULL, *q = NULL;
    ap_scores mine = {0};
    mean_precision a = {
        .metric = METRIC_MAP_CONSISTENCY, .share = METRIC_CONSISTENT_SHARE, .n = n_all, .n_group = n_all, .map = &map, .p = &p, .q = &q};
    if (w->n_target == 0) return OK;
    partition(n_all, e->size, e->rank, &own.first, &own.n);
    TRY_ALL(e->comm, mem_alloc(&y, (size_t)(n_all * e->d), sizeof *y, "consensus"));
    TRY_ALL(e->comm, mem_alloc(&count, (size_t)n_all, sizeof *count, "consensus"));
    TRY_ALL(e->comm, mem_alloc(&use, (size_t)n_all, 1, "consensus"));
    TRY_ALL(e->comm, mem_alloc(&self, (size_t)n_all, sizeof *self, "compounds"));
    TRY_ALL(e->comm, scores_alloc(&mine, own.n));
    TRY_ALL(e->comm, scores_alloc(&a.queries, n_all));
    TRY_ALL(e->comm, compound_targets(w, &start, &target));
    const profile_rows treated = {.x = raw_x, .n = w->n, .d = e->d, .label = w->compound, .use = w->evaluated};
    TRY_ALL(e->comm, consensus_median(&treated, n_all, y, count));
    linear_unit_rows(y, n_all, e->d, y);
    for (int32_t c = 0; c < n_all; c++) self[c] = c;
    mark_active(e, count, use);
    const profile_rows compounds = {.x = y, .n = n_all, .d = e->d, .use = use};
    TRY_ALL(e->comm, own.n > 0 ? ap_consistency(&compounds, &(ap_targets){start, target}, own, &mine) : OK);
    TRY(gather_scores_all(e, &mine, own.n, n_all, &a.queries));
    a.group = a.compound = self;
    TRY(add_mean_precision_all(e, &a));
    TRY_ALL(e->comm, spread(w, map, &e->r->consistency[e->which]));
    TRY_ALL(e->comm, spread(w, p, &e->r->consistency_p[e->which]));
    TRY_ALL(e->comm, spread(w, q, &e->r->consistency_q[e->which]));
done:
    free(y);
    free(count);
    free(start);
    free(target);
    free(use);
    free(self);
    free(map);
    free(p);
    free(q);
    scores_free(&mine);
    scores_free(&a.queries);
    return st;
}
