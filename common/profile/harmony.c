/* harmony.c -- Harmony, in double.
 * Rows are put in batch order first, so that all sums over a batch are products of neighbouring rows. The correction of a cluster is a
 * ridge regression on an intercept and the batch indicators; with one covariate its matrix is an arrow and is solved by hand: with S_b the
 * cluster's weight in batch b and t_b the weighted sum of its rows, the intercept is sum_b t_b l / (S_b + l) / sum_b S_b l / (S_b + l), and
 * batch b's effect is (t_b - S_b intercept) / (S_b + l). */
#include "micon/profile/harmony.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/rng.h"
#include "micon/profile/kmeans.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 3 };

typedef struct {
    harmony_options o;
    int64_t n, d;
    int k, n_batch;
    int64_t *order, *place;  /* row of x at each place; place of each row */
    int64_t *first;          /* [n_batch+1] places of a batch */
    int32_t *batch;          /* by place */
    double *z, *unit;        /* [n,d] original; corrected, length 1 */
    double *r, *dist;        /* [n,k] weights; 2 (1 - cos) to the centres */
    double *center, *effect; /* [k,d]; [k,d] of one batch */
    double *o_kb, *e_kb;     /* [k,n_batch] observed and expected weight */
    double *share, *factor;  /* [n_batch]; [k,n_batch] */
    double *sum, *intercept; /* [n_batch][k,d]; [k,d] */
    int64_t *shuffled;
    double *objective;
    int n_objective;
    uint32_t shuffles;
} state;

harmony_options harmony_defaults(void)
{
    return (harmony_options){.theta = 2,
                             .sigma = 0.1,
                             .lambda = 1,
                             .block = 0.05,
                             .max_rounds = 10,
                             .max_cluster_rounds = 20,
                             .epsilon_cluster = 1e-5,
                             .epsilon = 1e-4,
                             .seed = 1};
}

static void unit_rows(double *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += x[i * d + j] * x[i * d + j];
        double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int64_t j = 0; j < d; j++) x[i * d + j] *= scale;
    }
}

static void update_dist(state *s)
{
    int64_t nk = s->n * s->k;
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)s->n, s->k, (int)s->d, -2, s->unit, (int)s->d, s->center, (int)s->d, 0,
                s->dist, s->k);
    for (int64_t i = 0; i < nk; i++) s->dist[i] += 2;
}

/* exp(-dist / sigma), scaled so that the nearest centre has 1. */
static void kernel(const state *s, int64_t place, double *out)
{
    const double *dist = s->dist + place * s->k;
    double least = dist[0];
    for (int c = 1; c < s->k; c++) least = fmin(least, dist[c]);
    for (int c = 0; c < s->k; c++) out[c] = exp((least - dist[c]) / s->o.sigma);
}

static void share_out(double *r, int k)
{
    double sum = 0;
    for (int c = 0; c < k; c++) sum += r[c];
    for (int c = 0; c < k; c++) r[c] /= sum;
}

/* Add a row's weights to the observed and expected counts (sign 1), or take them out (-1). */
static void count_row(state *s, int64_t place, double sign)
{
    const double *r = s->r + place * s->k;
    for (int c = 0; c < s->k; c++) {
        s->o_kb[c * s->n_batch + s->batch[place]] += sign * r[c];
        for (int b = 0; b < s->n_batch; b++) s->e_kb[c * s->n_batch + b] += sign * r[c] * s->share[b];
    }
}

static void add_objective(state *s)
{
    double sum = 0, entropy = 0, cross = 0;
    for (int64_t i = 0; i < s->n * s->k; i++) {
        sum += s->r[i] * s->dist[i];
        if (s->r[i] > 0) entropy += s->r[i] * log(s->r[i]);
    }
    for (int i = 0; i < s->k * s->n_batch; i++) cross += s->o_kb[i] * log((s->o_kb[i] + 1) / (s->e_kb[i] + 1));
    s->objective[s->n_objective++] = sum + s->o.sigma * (entropy + s->o.theta * cross);
}

/* One block of rows: out of the counts, new weights that favour clusters poor in the row's batch, back into the counts. */
static void update_block(state *s, const int64_t *row, int64_t m)
{
    for (int64_t i = 0; i < m; i++) count_row(s, s->place[row[i]], -1);
    for (int i = 0; i < s->k * s->n_batch; i++) s->factor[i] = pow((s->e_kb[i] + 1) / (s->o_kb[i] + 1), s->o.theta);
    for (int64_t i = 0; i < m; i++) {
        int64_t at = s->place[row[i]];
        double *r = s->r + at * s->k;
        kernel(s, at, r);
        for (int c = 0; c < s->k; c++) r[c] *= s->factor[c * s->n_batch + s->batch[at]];
        share_out(r, s->k);
    }
    for (int64_t i = 0; i < m; i++) count_row(s, s->place[row[i]], 1);
}

static void update_weights(state *s)
{
    int64_t blocks = (int64_t)ceil(1 / s->o.block), at = 0;
    rng g = rng_at(s->o.seed, STREAM_HARMONY, s->shuffles++, 0);
    for (int64_t i = 0; i < s->n; i++) s->shuffled[i] = i;
    rng_shuffle(&g, s->shuffled, s->n);
    for (int64_t b = 0; b < blocks; b++) { /* the first n mod blocks have one row more */
        int64_t m = s->n / blocks + (b < s->n % blocks);
        update_block(s, s->shuffled + at, m);
        at += m;
    }
}

/* Rounds of clustering until the mean objective of three rounds converges. */
static void cluster(state *s)
{
    for (int round = 0; round < s->o.max_cluster_rounds; round++) {
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s->k, (int)s->d, (int)s->n, 1, s->r, s->k, s->unit, (int)s->d, 0, s->center,
                    (int)s->d);
        unit_rows(s->center, s->k, s->d);
        update_dist(s);
        update_weights(s);
        add_objective(s);
        if (round <= WINDOW) continue;
        const double *v = s->objective + s->n_objective;
        double before = v[-2] + v[-3] + v[-4], now = v[-1] + v[-2] + v[-3];
        if (fabs(before - now) / fabs(before) < s->o.epsilon_cluster) break;
    }
}

/* The corrected rows go to s->unit, not yet scaled to length 1. */
static void correct(state *s)
{
    int64_t kd = s->k * s->d;
    double l = s->o.lambda, *weight = s->factor; /* free between clusterings: here S_b of each cluster */
    memset(s->intercept, 0, (size_t)kd * sizeof(double));
    memset(weight, 0, (size_t)(s->k * s->n_batch) * sizeof(double));
    for (int64_t i = 0; i < s->n; i++)
        for (int c = 0; c < s->k; c++) weight[c * s->n_batch + s->batch[i]] += s->r[i * s->k + c];
    for (int b = 0; b < s->n_batch; b++) {
        int64_t at = s->first[b], m = s->first[b + 1] - at;
        double *t = s->sum + b * kd;
        cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s->k, (int)s->d, (int)m, 1, s->r + at * s->k, s->k, s->z + at * s->d,
                    (int)s->d, 0, t, (int)s->d);
        for (int64_t i = 0; i < kd; i++) s->intercept[i] += t[i] * l / (weight[i / s->d * s->n_batch + b] + l);
    }
    for (int c = 0; c < s->k; c++) {
        double total = 0;
        for (int b = 0; b < s->n_batch; b++) total += weight[c * s->n_batch + b] * l / (weight[c * s->n_batch + b] + l);
        for (int64_t j = 0; j < s->d; j++) s->intercept[c * s->d + j] /= total > 0 ? total : 1;
    }
    memcpy(s->unit, s->z, (size_t)(s->n * s->d) * sizeof(double));
    for (int b = 0; b < s->n_batch; b++) {
        int64_t at = s->first[b], m = s->first[b + 1] - at;
        for (int64_t i = 0; i < kd; i++) {
            double w = weight[i / s->d * s->n_batch + b];
            s->effect[i] = (s->sum[b * kd + i] - w * s->intercept[i]) / (w + l);
        }
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)s->d, s->k, -1, s->r + at * s->k, s->k, s->effect, (int)s->d, 1,
                    s->unit + at * s->d, (int)s->d);
    }
}

static status state_alloc(state *s)
{
    status st = OK;
    size_t n = (size_t)s->n, d = (size_t)s->d, k = (size_t)s->k, b = (size_t)s->n_batch, real = sizeof(double);
    size_t rounds = (size_t)s->o.max_rounds * (size_t)s->o.max_cluster_rounds + 2;
    TRY(mem_alloc(&s->order, n, sizeof(int64_t), "Harmony"));
    TRY(mem_alloc(&s->place, n, sizeof(int64_t), "Harmony"));
    TRY(mem_alloc(&s->shuffled, n, sizeof(int64_t), "Harmony"));
    TRY(mem_alloc(&s->batch, n, sizeof(int32_t), "Harmony"));
    TRY(mem_alloc(&s->first, b + 2, sizeof(int64_t), "Harmony"));
    TRY(mem_alloc(&s->z, n, d * real, "Harmony's profiles"));
    TRY(mem_alloc(&s->unit, n, d * real, "Harmony's profiles"));
    TRY(mem_alloc(&s->r, n, k * real, "Harmony's weights"));
    TRY(mem_alloc(&s->dist, n, k * real, "Harmony's weights"));
    TRY(mem_alloc(&s->center, k, d * real, "Harmony"));
    TRY(mem_alloc(&s->effect, k, d * real, "Harmony"));
    TRY(mem_alloc(&s->intercept, k, d * real, "Harmony"));
    TRY(mem_alloc(&s->sum, b * k, d * real, "Harmony"));
    TRY(mem_alloc(&s->o_kb, k, b * real, "Harmony"));
    TRY(mem_alloc(&s->e_kb, k, b * real, "Harmony"));
    TRY(mem_alloc(&s->factor, k, b * real, "Harmony"));
    TRY(mem_alloc(&s->share, b, real, "Harmony"));
    TRY(mem_alloc(&s->objective, rounds, real, "Harmony"));
done:
    return st;
}

static void state_free(state *s)
{
    void *const all[] = {s->order,  s->place,  s->shuffled,  s->batch, s->first, s->z,    s->unit,   s->r,     s->dist,
                         s->center, s->effect, s->intercept, s->sum,   s->o_kb,  s->e_kb, s->factor, s->share, s->objective};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Rows in batch order, and their unit rows. */
static status load(state *s, const float *x, const int32_t *batch)
{
    for (int64_t i = 0; i < s->n; i++) s->first[batch[i] + 2]++;
    for (int b = 0; b < s->n_batch; b++) {
        if (s->first[b + 2] == 0) return fail(E_INTERNAL, "Harmony: batch %d has no rows", b);
        s->share[b] = (double)s->first[b + 2] / (double)s->n;
        s->first[b + 2] += s->first[b + 1];
    }
    for (int64_t i = 0; i < s->n; i++) {
        int64_t at = s->first[batch[i] + 1]++;
        s->order[at] = i, s->place[i] = at, s->batch[at] = batch[i];
        for (int64_t j = 0; j < s->d; j++) s->z[at * s->d + j] = s->unit[at * s->d + j] = x[i * s->d + j];
    }
    unit_rows(s->unit, s->n, s->d);
    return OK;
}

/* The first centres, weights and counts. */
static status begin(state *s)
{
    status st = OK;
    float *rows = NULL;
    int32_t *label = NULL;
    if (s->o.start) {
        memcpy(s->center, s->o.start, (size_t)(s->k * s->d) * sizeof(double));
    } else {
        TRY(mem_alloc(&rows, (size_t)s->n, (size_t)s->d * sizeof *rows, "Harmony's profiles"));
        TRY(mem_alloc(&label, (size_t)s->n, sizeof *label, "Harmony"));
        for (int64_t i = 0; i < s->n; i++) /* in the rows' own order: the start does not depend on how batches are numbered */
            for (int64_t j = 0; j < s->d; j++) rows[i * s->d + j] = (float)s->unit[s->place[i] * s->d + j];
        TRY(kmeans_fit(&(profile_rows){.x = rows, .n = s->n, .d = s->d},
                       &(kmeans_options){.k = s->k, .seed = s->o.seed, .first = 0, .starts = 10, .max_rounds = 25}, s->center, label,
                       NULL));
    }
    unit_rows(s->center, s->k, s->d);
    update_dist(s);
    for (int64_t i = 0; i < s->n; i++) {
        kernel(s, i, s->r + i * s->k);
        share_out(s->r + i * s->k, s->k);
        count_row(s, i, 1);
    }
    add_objective(s);
done:
    free(rows);
    free(label);
    return st;
}

static int cluster_count(const harmony_options *o, int64_t n)
{
    double k = rint((double)n / 30);
    if (o->clusters > 0) return o->clusters;
    return k < 1 ? 1 : k > 100 ? 100 : (int)k;
}

status harmony_correct(const float *x, int64_t n, int64_t d, const int32_t *batch, int32_t n_batch, const harmony_options *o, float *y,
                       harmony_result *result)
{
    status st = OK;
    int unused;
    state s = {.o = *o, .n = n, .d = d, .k = cluster_count(o, n), .n_batch = n_batch};
    *result = (harmony_result){.clusters = s.k};
    if (n_batch < 2) {
        memmove(y, x, (size_t)(n * d) * sizeof *y);
        return OK;
    }
    TRY(int_from_i64(n, &unused));
    TRY(int_from_i64(d, &unused));
    TRY(state_alloc(&s));
    TRY(load(&s, x, batch));
    TRY(begin(&s));
    double before = s.objective[0];
    while (result->rounds < s.o.max_rounds && !result->converged) {
        cluster(&s);
        correct(&s);
        result->rounds++;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < d; j++) y[s.order[i] * d + j] = (float)s.unit[i * d + j];
        unit_rows(s.unit, n, d);
        double now = s.objective[s.n_objective - 1];
        result->converged = (before - now) / fabs(before) < s.o.epsilon;
        before = now;
    }
done:
    state_free(&s);
    return st;
}
