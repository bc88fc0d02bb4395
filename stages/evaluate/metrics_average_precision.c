/* metrics_average_precision.c -- mean average precision (docs/method.md 8): activity against controls, consistency of mechanisms. */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"
#include "micon/profile/average_precision.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Per group, means over its queries of the AP of a random order and of the normalized AP (docs/method.md 8); chance [n_group]. */
static status group_chances(const mean_precision *a, double *chance)
{
    status st = OK;
    double *of = NULL, *normal = *a->normal;
    int64_t *n = NULL, *n_normal = NULL;
    TRY(mem_alloc(&of, (size_t)a->n, sizeof *of, "average precisions"));
    TRY(mem_alloc(&n, (size_t)a->n_group, sizeof *n, "compounds"));
    TRY(mem_alloc(&n_normal, (size_t)a->n_group, sizeof *n_normal, "compounds"));
    TRY(ap_chances(&a->queries, a->n, of));
    for (int32_t g = 0; g < a->n_group; g++) chance[g] = normal[g] = 0;
    for (int64_t i = 0; i < a->n; i++) {
        int32_t g = a->group[i];
        if (g < 0 || isnan(a->queries.ap[i])) continue;
        chance[g] += of[i], n[g]++;
        double v = ap_normalized(a->queries.ap[i], of[i]);
        if (!isnan(v)) normal[g] += v, n_normal[g]++;
    }
    for (int32_t g = 0; g < a->n_group; g++) chance[g] /= (double)n[g], normal[g] /= (double)n_normal[g];
done:
    free(of);
    free(n);
    free(n_normal);
    return st;
}

/* The mean of the groups' normalized mAP, for which a random order scores 0; num, den [n_compound] are scratch. */
static status add_normalized(const evaluation_set *e, const mean_precision *a, double *num, double *den)
{
    int32_t n_compound = e->w->n_compound;
    result one = evaluation_result_in(e, a->normalized, a->setting);
    one.n = one.left_out = 0, one.chance = 0;
    for (int32_t c = 0; c < n_compound; c++) num[c] = den[c] = 0;
    for (int32_t g = 0; g < a->n_group; g++) {
        if (isnan((*a->normal)[g])) {
            one.left_out++;
            continue;
        }
        num[a->compound[g]] += (*a->normal)[g];
        den[a->compound[g]] += 1;
        one.n++;
    }
    return results_ratio(e->r, one, num, den, n_compound);
}

/* The mean over groups with its interval over compounds, and the share of groups that are significant. */
static status add_means(const evaluation_set *e, const mean_precision *a)
{
    status st = OK;
    int32_t n_compound = e->w->n_compound;
    double *num = NULL, *den = NULL, *chance = NULL, by_chance = 0;
    result one = evaluation_result_in(e, a->metric, a->setting);
    TRY(mem_alloc(&num, (size_t)n_compound, sizeof *num, "compounds"));
    TRY(mem_alloc(&den, (size_t)n_compound, sizeof *den, "compounds"));
    TRY(mem_alloc(&chance, (size_t)a->n_group, sizeof *chance, "compounds"));
    TRY(group_chances(a, chance));
    one.n = one.left_out = 0;
    for (int32_t l = 0; l < a->n_group; l++) {
        if (isnan((*a->map)[l])) {
            one.left_out++;
            continue;
        }
        num[a->compound[l]] += (*a->map)[l];
        den[a->compound[l]] += 1;
        by_chance += chance[l];
        one.n++;
    }
    if (e->o->recipe != RECIPE_0_1) one.chance = by_chance / (double)one.n;
    TRY(results_ratio(e->r, one, num, den, n_compound));
    memset(num, 0, (size_t)n_compound * sizeof *num);
    for (int32_t l = 0; l < a->n_group; l++) num[a->compound[l]] += (*a->q)[l] < 0.05; /* NaN is not below 0.05 */
    one.metric = a->share, one.chance = NAN;
    TRY(results_ratio(e->r, one, num, den, n_compound));
    if (e->o->recipe != RECIPE_0_1) TRY(add_normalized(e, a, num, den));
done:
    free(num);
    free(den);
    free(chance);
    return st;
}

status mean_precision_add_all(const evaluation_set *e, const mean_precision *a)
{
    status st = OK;
    row_range mine;
    double *m = NULL, *pv = NULL, *quantile = NULL;
    const size_t of_null = AP_NULL_QUANTILES * sizeof *quantile;
    const ap_null_options null = {.size = e->o->null_size, .seed = (uint32_t)e->o->seed, .as_0_1 = e->o->recipe == RECIPE_0_1};
    partition(a->n_group, e->size, e->rank, &mine.first, &mine.n);
    double **all[] = {a->map, a->p, a->q, a->normal};
    for (int k = 0; k < 4; k++) TRY_ALL(e->comm, mem_alloc(all[k], (size_t)a->n_group, sizeof **all[k], "compounds"));
    TRY_ALL(e->comm, mem_alloc(&m, (size_t)mine.n, sizeof *m, "compounds"));
    TRY_ALL(e->comm, mem_alloc(&pv, (size_t)mine.n, sizeof *pv, "compounds"));
    if (a->null) TRY_ALL(e->comm, mem_alloc(a->null, (size_t)a->n_group, of_null, "compounds"));
    if (a->null) TRY_ALL(e->comm, mem_alloc(&quantile, (size_t)mine.n, of_null, "compounds"));
    const ap_groups out = {.mean_ap = m, .p = pv, .null_quantile = quantile};
    TRY_ALL(e->comm, mine.n > 0 ? ap_pvalues(&a->queries, a->group, a->n, mine, &null, &out) : OK);
    TRY(evaluation_gather_all(e, m, mine.n, sizeof *m, a->n_group, *a->map));
    TRY(evaluation_gather_all(e, pv, mine.n, sizeof *pv, a->n_group, *a->p));
    if (a->null) TRY(evaluation_gather_all(e, quantile, mine.n, of_null, a->n_group, *a->null));
    ap_adjust(*a->p, a->n_group, *a->q);
    TRY_ALL(e->comm, add_means(e, a));
done:
    free(m);
    free(pv);
    free(quantile);
    return st;
}

status mean_precision_scores(ap_scores *s, int64_t n)
{
    status st = OK;
    TRY(mem_alloc(&s->ap, (size_t)n, sizeof *s->ap, "average precisions"));
    TRY(mem_alloc(&s->n_positive, (size_t)n, sizeof *s->n_positive, "average precisions"));
    TRY(mem_alloc(&s->n_total, (size_t)n, sizeof *s->n_total, "average precisions"));
done:
    return st;
}

status mean_precision_gather_all(const evaluation_set *e, const ap_scores *mine, int64_t n_mine, int64_t n, const ap_scores *all)
{
    status st = OK;
    TRY(evaluation_gather_all(e, mine->ap, n_mine, sizeof *mine->ap, n, all->ap));
    TRY(evaluation_gather_all(e, mine->n_positive, n_mine, sizeof *mine->n_positive, n, all->n_positive));
    TRY(evaluation_gather_all(e, mine->n_total, n_mine, sizeof *mine->n_total, n, all->n_total));
done:
    return st;
}

/* Each query was scored by one rank; with the others it is 0 (NaN: with all). */
static status add_ranks_all(const evaluation_set *e, const ap_scores *s, int64_t n)
{
    status st = OK;
    int count;
    TRY_ALL(e->comm, int_from_i64(n, &count));
    MPI_Allreduce(MPI_IN_PLACE, s->ap, count, MPI_DOUBLE, MPI_SUM, e->comm);
    MPI_Allreduce(MPI_IN_PLACE, s->n_positive, count, MPI_INT32_T, MPI_SUM, e->comm);
    MPI_Allreduce(MPI_IN_PLACE, s->n_total, count, MPI_INT32_T, MPI_SUM, e->comm);
done:
    return st;
}

status activity_scores_all(const evaluation_set *e, const wells *w, const float *x, ap_scores *all, ap_scores *other)
{
    status st = OK;
    ap_controls c = {0};
    float *unit = NULL;
    int level = e->o->negatives; /* controls are looked for from this level upwards */
    TRY_ALL(e->comm,
            ap_controls_init(&c, w->control, level == NEGATIVES_PLATE ? w->plate : NULL, level <= NEGATIVES_BATCH ? w->batch : NULL,
                             level <= NEGATIVES_SOURCE ? w->source : NULL, w->n, (int)e->o->min_controls));
    c.cross = e->cross;
    TRY_ALL(e->comm, mean_precision_scores(all, w->n));
    if (other) TRY_ALL(e->comm, mean_precision_scores(other, w->n));
    if (!c.cross) {
        TRY_ALL(e->comm, mem_alloc(&unit, (size_t)(w->n * e->d), sizeof *unit, "profiles"));
        linear_unit_rows(x, w->n, e->d, unit);
    }
    const profile_rows rows = {.x = unit, .n = w->n, .d = e->d, .label = w->label, .use = w->evaluated};
    const ap_activity_scores scores = {.out = all, .place = other ? w->position : NULL, .other = other};
    TRY_ALL(e->comm, ap_activity(&rows, &c, &scores, e->rank, e->size));
    TRY(add_ranks_all(e, all, w->n));
    if (other) TRY(add_ranks_all(e, other, w->n));
done:
    ap_controls_free(&c);
    free(unit);
    return st;
}

status activity_by_label_all(const evaluation_set *e, const wells *w, const float *x, double **map)
{
    status st = OK;
    ap_scores s = {0};
    int64_t *n = NULL;
    TRY(activity_scores_all(e, w, x, &s, NULL));
    TRY_ALL(e->comm, mem_alloc(map, (size_t)w->n_label, sizeof **map, "treatments"));
    TRY_ALL(e->comm, mem_alloc(&n, (size_t)w->n_label, sizeof *n, "treatments"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->label[i] >= 0 && !isnan(s.ap[i])) (*map)[w->label[i]] += s.ap[i], n[w->label[i]]++;
    for (int32_t l = 0; l < w->n_label; l++) (*map)[l] /= (double)n[l];
done:
    ap_scores_free(&s);
    free(n);
    return st;
}

/* Activity, all of it or with other positions only; takes the scores. */
static status add_activity_all(const evaluation_set *e, ap_scores *scores, metric_setting setting)
{
    status st = OK;
    const wells *w = e->w;
    bool kept = setting == ALL_WELLS && !e->setting; /* shown in compounds.csv */
    double *map = NULL, *p = NULL, *q = NULL, *normal = NULL;
    mean_precision a = {.queries = *scores,
                        .metric = METRIC_MAP_ACTIVITY,
                        .normalized = METRIC_MAP_ACTIVITY_NORMALIZED,
                        .share = METRIC_ACTIVE_SHARE,
                        .group = w->label,
                        .n = w->n,
                        .n_group = w->n_label,
                        .compound = w->label_compound,
                        .map = kept ? &e->r->activity[e->which] : &map,
                        .p = kept ? &e->r->activity_p[e->which] : &p,
                        .q = kept ? &e->r->activity_q[e->which] : &q,
                        .normal = kept ? &e->r->activity_normal[e->which] : &normal,
                        .null = kept ? &e->r->activity_null[e->which] : NULL,
                        .setting = setting};
    *scores = (ap_scores){0};
    TRY(mean_precision_add_all(e, &a));
    if (kept) e->r->by_well[e->which] = a.queries, a.queries = (ap_scores){0};
done:
    ap_scores_free(&a.queries);
    free(map);
    free(p);
    free(q);
    free(normal);
    return st;
}

status activity_metrics_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    int64_t controls = 0;
    ap_scores all = {0}, other = {0};
    for (int64_t i = 0; i < e->w->n; i++) controls += e->w->control[i];
    if (controls == 0) {
        if (e->rank == 0) names_add(e->notes, "no activity (mAP against controls): the profiles hold no controls");
        return OK;
    }
    TRY(activity_scores_all(e, e->w, x, &all, e->by_position ? &other : NULL));
    TRY(add_activity_all(e, &all, ALL_WELLS));
    if (e->by_position) TRY(add_activity_all(e, &other, OTHER_POSITIONS));
done:
    ap_scores_free(&all);
    ap_scores_free(&other);
    return st;
}

/* Mechanisms of compounds, in the form of w->target_start and w->target: those of the compound's first label that has any. */
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

/* Copy each compound's value to its labels. */
static status spread(const wells *w, const double *by_compound, double **by_label)
{
    status st = OK;
    TRY(mem_alloc(by_label, (size_t)w->n_label, sizeof **by_label, "treatments"));
    for (int32_t l = 0; l < w->n_label; l++) (*by_label)[l] = by_compound[w->label_compound[l]];
done:
    return st;
}

/* place [n_compound]: the one position of a compound's evaluated wells; -1 where they are at several. */
static void single_places(const evaluation_set *e, int32_t *place)
{
    enum { NOT_SEEN = -2, SEVERAL = -1 };
    for (int32_t c = 0; c < e->w->n_compound; c++) place[c] = NOT_SEEN;
    for (int64_t i = 0; i < e->n; i++) {
        int32_t *p = &place[e->compound[i]];
        *p = *p == NOT_SEEN || *p == e->position[i] ? e->position[i] : SEVERAL;
    }
}

/* Shared by both consistencies: median consensus profiles of the active compounds, over all their doses (two doses of one would share its
 * mechanism by construction), and their mechanisms. */
typedef struct {
    float *y;
    int64_t *count, *start;
    int32_t *target, *self, *place;
    uint8_t *use;
} consensus_set;

static status consensus_set_init(const evaluation_set *e, const float *raw_x, consensus_set *s)
{
    status st = OK;
    const wells *w = e->w;
    int32_t n = w->n_compound;
    TRY(mem_alloc(&s->y, (size_t)(n * e->d), sizeof *s->y, "consensus"));
    TRY(mem_alloc(&s->count, (size_t)n, sizeof *s->count, "consensus"));
    TRY(mem_alloc(&s->use, (size_t)n, 1, "consensus"));
    TRY(mem_alloc(&s->self, (size_t)n, sizeof *s->self, "compounds"));
    TRY(mem_alloc(&s->place, (size_t)n, sizeof *s->place, "compounds"));
    TRY(compound_targets(w, &s->start, &s->target));
    const profile_rows treated = {.x = raw_x, .n = w->n, .d = e->d, .label = w->compound, .use = w->evaluated};
    TRY(consensus_median(&treated, n, s->y, s->count));
    linear_unit_rows(s->y, n, e->d, s->y);
    for (int32_t c = 0; c < n; c++) s->self[c] = c;
    mark_active(e, s->count, s->use);
    single_places(e, s->place);
done:
    return st;
}

static void consensus_set_free(consensus_set *s)
{
    free(s->y);
    free(s->count);
    free(s->start);
    free(s->target);
    free(s->self);
    free(s->place);
    free(s->use);
}

static status add_consistency_all(const evaluation_set *e, const consensus_set *s, metric_setting setting)
{
    status st = OK;
    const wells *w = e->w;
    int32_t n = w->n_compound;
    row_range own;
    double *map = NULL, *p = NULL, *q = NULL, *normal = NULL;
    ap_scores mine = {0};
    mean_precision a = {.metric = METRIC_MAP_CONSISTENCY,
                        .normalized = METRIC_MAP_CONSISTENCY_NORMALIZED,
                        .share = METRIC_CONSISTENT_SHARE,
                        .n = n,
                        .n_group = n,
                        .group = s->self,
                        .compound = s->self,
                        .map = &map,
                        .p = &p,
                        .q = &q,
                        .normal = &normal,
                        .setting = setting};
    const profile_rows compounds = {.x = s->y, .n = n, .d = e->d, .use = s->use};
    const ap_targets targets = {s->start, s->target};
    partition(n, e->size, e->rank, &own.first, &own.n);
    TRY_ALL(e->comm, mean_precision_scores(&mine, own.n));
    TRY_ALL(e->comm, mean_precision_scores(&a.queries, n));
    TRY_ALL(e->comm, own.n > 0 ? ap_consistency(&compounds, &targets, setting == OTHER_POSITIONS ? s->place : NULL, own, &mine) : OK);
    TRY(mean_precision_gather_all(e, &mine, own.n, n, &a.queries));
    TRY(mean_precision_add_all(e, &a));
    if (setting != ALL_WELLS) goto done;
    TRY_ALL(e->comm, spread(w, map, &e->r->consistency[e->which]));
    TRY_ALL(e->comm, spread(w, p, &e->r->consistency_p[e->which]));
    TRY_ALL(e->comm, spread(w, q, &e->r->consistency_q[e->which]));
    TRY_ALL(e->comm, spread(w, normal, &e->r->consistency_normal[e->which]));
done:
    free(map);
    free(p);
    free(q);
    free(normal);
    ap_scores_free(&mine);
    ap_scores_free(&a.queries);
    return st;
}

status consistency_metrics_all(const evaluation_set *e, const float *raw_x)
{
    status st = OK;
    consensus_set s = {0};
    if (e->w->n_target == 0) return OK;
    TRY_ALL(e->comm, consensus_set_init(e, raw_x, &s));
    TRY(add_consistency_all(e, &s, ALL_WELLS));
    if (e->by_position) TRY(add_consistency_all(e, &s, OTHER_POSITIONS));
done:
    consensus_set_free(&s);
    return st;
}
