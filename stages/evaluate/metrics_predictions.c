/* metrics_predictions.c -- retrieval with predicted profiles (docs/method.md 8). */
#include "found.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <stdlib.h>
#include <string.h>

enum { K = FOUND_K };

/* Search the wells of E for the queries q [n_q,d] under a rule; equal labels make a hit. */
static status search_all(const evaluation_set *e, const float *q, int64_t n_q, const retrieval_setting *rule, const int32_t *query_label,
                         const int32_t *label, found *out)
{
    status st = OK;
    int64_t first, n;
    int32_t *hit = NULL;
    partition(n_q, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&hit, (size_t)n * K, sizeof *hit, "neighbours"));
    TRY_ALL(e->comm, found_alloc(out, n_q));
    TRY_ALL(e->comm, n > 0 ? retrieval_topk(&(profile_rows){.x = q, .d = e->d}, (row_range){first, n},
                                            &(profile_rows){.x = e->x, .n = e->n, .d = e->d},
                                            &(retrieval_search){.set = rule, .n_set = 1, .k = K}, hit, NULL)
                           : OK);
    TRY(evaluation_gather_all(e, hit, n, K * sizeof *hit, n_q, out->hit));
    TRY_ALL(e->comm, retrieval_counts(rule, query_label, 0, n_q, label, e->n, out->possible, out->match));
    retrieval_first_match(out->hit, n_q, K, query_label, label, out->rank);
    retrieval_matches(out->hit, n_q, K, query_label, label, out->matches);
done:
    free(hit);
    return st;
}

/* Predicted profiles as queries: each seeks the wells of one class. */
typedef struct {
    int64_t n;
    float *x;          /* [n, e->d] */
    int32_t *class;    /* [n] of those that candidates have */
    int32_t *compound; /* [n] */
    int32_t *batch;    /* [n] whose wells are no candidates; NULL: all are */
    const int32_t *of; /* [e->n] classes of the candidates: compounds or, of a model with doses, treatments */
    int32_t n_class;
} predictions;

static void predictions_free(predictions *p)
{
    free(p->x);
    free(p->class);
    free(p->compound);
    free(p->batch);
}

static status predictions_alloc(predictions *p, const evaluation_set *e, int64_t n, bool by_batch)
{
    status st = OK;
    bool by_label = e->w->cf_by_label;
    p->of = by_label ? e->label : e->compound;
    p->n_class = by_label ? e->w->n_label : e->w->n_compound;
    TRY(mem_alloc(&p->x, (size_t)(n * e->d), sizeof *p->x, "predicted profiles"));
    TRY(mem_alloc(&p->class, (size_t)n, sizeof *p->class, "predicted profiles"));
    TRY(mem_alloc(&p->compound, (size_t)n, sizeof *p->compound, "predicted profiles"));
    if (by_batch) TRY(mem_alloc(&p->batch, (size_t)n, sizeof *p->batch, "predicted profiles"));
done:
    return st;
}

/* Median rank of the first hit, over queries with a possible match. */
static status add_median_rank_all(const evaluation_set *e, metric_id metric, const predictions *p, const retrieval_setting *rule)
{
    status st = OK;
    int64_t first, mine, *rank = NULL, *all = NULL, m = 0;
    double *v = NULL;
    result one = evaluation_result(e, metric);
    partition(p->n, e->size, e->rank, &first, &mine);
    TRY_ALL(e->comm, mem_alloc(&rank, (size_t)mine, sizeof *rank, "ranks"));
    TRY_ALL(e->comm, mem_alloc(&all, (size_t)p->n, sizeof *all, "ranks"));
    TRY_ALL(e->comm, mem_alloc(&v, (size_t)p->n, sizeof *v, "ranks"));
    TRY_ALL(e->comm, mine > 0 ? retrieval_match_rank(&(profile_rows){.x = p->x, .d = e->d, .label = p->class}, (row_range){first, mine},
                                                     &(profile_rows){.x = e->x, .n = e->n, .d = e->d, .label = p->of}, rule, rank)
                              : OK);
    TRY(evaluation_gather_all(e, rank, mine, sizeof *rank, p->n, all));
    for (int64_t i = 0; i < p->n; i++)
        if (all[i] > 0) v[m++] = (double)all[i];
    one.n = m, one.left_out = p->n - m;
    TRY_ALL(e->comm, results_value(e->r, one, linear_median(v, m)));
done:
    free(rank);
    free(all);
    free(v);
    return st;
}

/* others [n_batch + 1]: of how many sought classes there are wells outside a batch, last: any wells. sought [n_class]. */
static status count_sought(const evaluation_set *e, const predictions *p, const uint8_t *sought, int64_t *others)
{
    status st = OK;
    int64_t n_batch = e->w->n_batch, *of = NULL; /* of [class][batch], last: all of them */
    TRY(mem_alloc(&of, (size_t)(p->n_class * (n_batch + 1)), sizeof *of, "predicted profiles"));
    for (int64_t i = 0; i < e->n; i++) of[p->of[i] * (n_batch + 1) + e->batch[i]]++, of[p->of[i] * (n_batch + 1) + n_batch]++;
    for (int64_t b = 0; b <= n_batch; b++) others[b] = 0;
    for (int32_t c = 0; c < p->n_class; c++) {
        const int64_t *in = of + c * (n_batch + 1);
        for (int64_t b = 0; b <= n_batch && sought[c]; b++) others[b] += in[n_batch] > (b < n_batch ? in[b] : 0);
    }
done:
    free(of);
    return st;
}

/* What the queries find of each other's classes: of those that another query seeks, the share with a well among the first k, for queries
 * that can find their own. */
static status add_shuffled(const evaluation_set *e, metric_id metric, const found *f, const predictions *p)
{
    status st = OK;
    int32_t n_compound = e->w->n_compound;
    double *num = NULL, *den = NULL;
    uint8_t *sought = NULL;
    int64_t *others = NULL;
    result one = evaluation_result(e, metric);
    TRY(mem_alloc(&num, (size_t)n_compound, sizeof *num, "compounds"));
    TRY(mem_alloc(&den, (size_t)n_compound, sizeof *den, "compounds"));
    TRY(mem_alloc(&sought, (size_t)p->n_class, 1, "compounds"));
    TRY(mem_alloc(&others, (size_t)e->w->n_batch + 1, sizeof *others, "batches"));
    for (int64_t i = 0; i < p->n; i++) sought[p->class[i]] = 1;
    TRY(count_sought(e, p, sought, others));
    for (one.k = 1; one.k <= K; one.k++) {
        one.n = one.left_out = 0;
        for (int32_t c = 0; c < n_compound; c++) num[c] = den[c] = 0;
        for (int64_t i = 0; i < p->n; i++) {
            int64_t there = others[p->batch ? p->batch[i] : e->w->n_batch] - 1;
            if (f->match[i] == 0 || there == 0) {
                one.left_out++;
                continue;
            }
            num[p->compound[i]] += (double)retrieval_others(f->hit + i * K, one.k, sought, p->class[i], p -> of) / (double)there;
            den[p->compound[i]] += 1, one.n++;
        }
        TRY(results_ratio(e->r, one, num, den, n_compound));
    }
done:
    free(num);
    free(den);
    free(sought);
    free(others);
    return st;
}

/* Rows of p become of length 1. */
static status ask_predictions_all(const evaluation_set *e, const metric_id metric[4], predictions *p)
{
    status st = OK;
    found f = {0};
    const retrieval_setting rule = {.query_group = p->batch, .candidate_group = p->batch ? e->batch : NULL};
    linear_unit_rows(p->x, p->n, e->d, p->x);
    TRY(search_all(e, p->x, p->n, &rule, p->class, p->of, &f));
    TRY_ALL(e->comm, found_add_metrics(e, (found_metrics){metric[0], metric[1], N_METRICS}, UNSEEN_COMPOUNDS, &f, p->n, NULL, p->compound));
    if (e->o->recipe != RECIPE_0_1) TRY_ALL(e->comm, add_shuffled(e, metric[2], &f, p));
    TRY(add_median_rank_all(e, metric[3], p, &rule));
done:
    found_free(&f);
    return st;
}

/* The predictions of plates with wells of E, for classes that have wells somewhere. */
static status take_predictions(const evaluation_set *e, const float *cf, predictions *p)
{
    status st = OK;
    const wells *w = e->w;
    const int32_t *class = w->cf_by_label ? w->cf_label : w->cf_compound;
    uint8_t *plate_in = NULL;
    TRY(predictions_alloc(p, e, w->n_cf, true));
    TRY(mem_alloc(&plate_in, (size_t)w->n_plate, 1, "plates"));
    for (int64_t i = 0; i < e->n; i++) plate_in[e->plate[i]] = 1;
    for (int64_t i = 0; i < w->n_cf; i++) {
        if (w->cf_plate[i] < 0 || !plate_in[w->cf_plate[i]] || class[i] < 0) continue;
        p->class[p->n] = class[i], p->compound[p->n] = w->cf_compound[i], p->batch[p->n] = w->cf_batch[i];
        memcpy(p->x + p->n++ * e->d, cf + i * e->d, (size_t)e->d * sizeof *p->x);
    }
done:
    free(plate_in);
    return st;
}

/* One of each class: the mean over its plates. */
static status average_predictions(const evaluation_set *e, const predictions *all, predictions *p)
{
    status st = OK;
    int64_t *count = NULL;
    TRY(predictions_alloc(p, e, all->n_class, false));
    TRY(mem_alloc(&count, (size_t)all->n_class, sizeof *count, "predicted profiles"));
    TRY(consensus_mean(&(profile_rows){.x = all->x, .n = all->n, .d = e->d, .label = all->class}, all->n_class, p->x, count));
    for (int32_t c = 0; c < all->n_class; c++) {
        if (count[c] == 0) continue;
        memmove(p->x + p->n * e->d, p->x + c * e->d, (size_t)e->d * sizeof *p->x);
        p->compound[p->n] = e->w->cf_by_label ? e->w->label_compound[c] : c;
        p->class[p->n++] = c;
    }
done:
    free(count);
    return st;
}

status prediction_metrics_all(const evaluation_set *e, const float *cf)
{
    static const metric_id single[] = {METRIC_COUNTERFACTUAL, METRIC_COUNTERFACTUAL_BY_COMPOUND, METRIC_COUNTERFACTUAL_SHUFFLED,
                                       METRIC_COUNTERFACTUAL_MEDIAN_RANK};
    static const metric_id averaged[] = {METRIC_COUNTERFACTUAL_MEAN, METRIC_COUNTERFACTUAL_MEAN_BY_COMPOUND,
                                         METRIC_COUNTERFACTUAL_MEAN_SHUFFLED, METRIC_COUNTERFACTUAL_MEAN_MEDIAN_RANK};
    status st = OK;
    predictions all = {0}, mean = {0};
    if (!cf || e->w->n_cf == 0) return OK;
    TRY_ALL(e->comm, take_predictions(e, cf, &all));
    if (all.n == 0) goto done;
    TRY_ALL(e->comm, average_predictions(e, &all, &mean));
    TRY(ask_predictions_all(e, single, &all));
    TRY(ask_predictions_all(e, averaged, &mean));
done:
    predictions_free(&all);
    predictions_free(&mean);
    return st;
}
