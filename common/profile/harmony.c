/* harmony.c -- Harmony, in float, with counts and sums over rows' weights in double.
 * Rows are put in batch order first, so that all sums over a batch are products of neighbouring rows. The correction of a cluster is a
 * ridge regression on an intercept and the batch indicators; with one covariate its matrix is an arrow and is solved by hand: with S_b the
 * cluster's weight in batch b and t_b the weighted sum of its rows, the intercept is sum_b t_b l / (S_b + l) / sum_b S_b l / (S_b + l), and
 * batch b's effect is (t_b - S_b intercept) / (S_b + l). */
#include "micon/profile/harmony.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/rng.h"
#include "micon/base/simd_clones.h"
#include "micon/profile/kmeans.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WINDOW = 3, LANES = 16 };

typedef struct {
    harmony_options o;
    int64_t n, d;
    int k, n_batch;
    int64_t *order, *place; /* row of x at each place; place of each row */
    int64_t *first;         /* [n_batch+1] places of a batch */
    int32_t *batch;         /* by place */
    float *z, *unit;        /* [n,d] original; corrected, length 1 */
    float *r, *dist;        /* [n,k] weights; 2 (1 - cos) to the centres */
    float *center, *effect; /* [k,d]; [k,d] of one batch */
    double *o_bk, *e_bk;    /* [n_batch,k] observed and expected weight */
    double *share;          /* [n_batch] */
    float *factor;          /* [n_batch,k] what clusters poor in a batch are favoured by */
    float *log_factor;      /* [n_batch,k] */
    double *mass;           /* [k] of the rows that are counted */
    float *sum, *intercept; /* [n_batch][k,d]; [k,d] */
    int64_t *shuffled;
    double potential; /* the rows' part of the objective, of the weights made last */
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
                             .starts = 1,
                             .greedy = true,
                             .max_rounds = 10,
                             .max_cluster_rounds = 20,
                             .epsilon_cluster = 1e-5,
                             .epsilon = 1e-4,
                             .seed = 1};
}

static void unit_rows(float *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += (double)x[i * d + j] * x[i * d + j];
        double scale = sum > 0 ? 1 / sqrt(sum) : 0;
        for (int64_t j = 0; j < d; j++) x[i * d + j] = (float)(x[i * d + j] * scale);
    }
}

static void update_dist(state *s)
{
    int64_t nk = s->n * s->k;
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)s->n, s->k, (int)s->d, -2, s->unit, (int)s->d, s->center, (int)s->d, 0,
                s->dist, s->k);
    for (int64_t i = 0; i < nk; i++) s->dist[i] += 2;
}

/* e^x for x <= 0, 0 below -87: 2^n times a polynomial of degree 6 on |r| <= log(2) / 2, off by 2e-7. In loops it becomes vector code, which
 * calls of expf do not. */
static inline float exp_negative(float x)
{
    static const float ROUND = 0x1.8p23f, LOG2_E = 1.44269504f, LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
    union {
        float v;
        int32_t bits;
    } t, p;
    float y = x < -87 ? -87 : x;
    t.v = y * LOG2_E + ROUND;
    float n = t.v - ROUND, r = (y - n * LN2_HIGH) - n * LN2_LOW;
    p.v = 1.0f / 720;
    p.v = p.v * r + 1.0f / 120;
    p.v = p.v * r + 1.0f / 24;
    p.v = p.v * r + 1.0f / 6;
    p.v = p.v * r + 0.5f;
    p.v = p.v * r + 1;
    p.v = p.v * r + 1;
    p.bits += (int32_t)((uint32_t)t.bits << 23);
    return x < -87 ? 0 : p.v;
}

static double fold_lanes(const float lane[LANES])
{
    double sum = 0;
    for (int t = 0; t < LANES; t++) sum += lane[t];
    return sum;
}

/* r [k] = factor exp(-dist / sigma) scaled to the sum 1. Returns the row's part of the objective, r . dist + sigma r . log(r), by way of
 * log(r) = (least - dist) / sigma + log(factor) - log(sum). */
HOT static double weigh(const float *dist, const float *factor, const float *log_factor, int k, float sigma, float *r)
{
    float least[LANES], sum[LANES] = {0}, logs[LANES] = {0}, low = INFINITY;
    int whole = k / LANES * LANES;
    for (int t = 0; t < LANES; t++) least[t] = INFINITY;
    for (int c = 0; c < whole; c += LANES)
        for (int t = 0; t < LANES; t++) least[t] = dist[c + t] < least[t] ? dist[c + t] : least[t];
    for (int t = 0; t < LANES; t++) low = fminf(low, least[t]);
    for (int c = whole; c < k; c++) low = fminf(low, dist[c]);
    float per = 1 / sigma;
    for (int c = 0; c < k; c++) r[c] = exp_negative((low - dist[c]) * per) * factor[c];
    for (int c = 0; c < whole; c += LANES)
        for (int t = 0; t < LANES; t++) sum[t] += r[c + t], logs[t] += r[c + t] * log_factor[c + t];
    for (int c = whole; c < k; c++) sum[c - whole] += r[c], logs[c - whole] += r[c] * log_factor[c];
    double total = fold_lanes(sum);
    float scale = (float)(1 / total);
    for (int c = 0; c < k; c++) r[c] *= scale;
    return low - sigma * log(total) + sigma * fold_lanes(logs) / total;
}

HOT static void add_weights(const float *r, int k, double sign, double *observed, double *mass)
{
    for (int c = 0; c < k; c++) {
        observed[c] += sign * r[c];
        mass[c] += sign * r[c];
    }
}

/* Add the weights of rows to the observed and expected counts (sign 1), or take them out (-1). */
static void count_rows(state *s, const int64_t *row, int64_t m, double sign)
{
    memset(s->mass, 0, (size_t)s->k * sizeof *s->mass);
    for (int64_t i = 0; i < m; i++) {
        int64_t at = s->place[row[i]];
        add_weights(s->r + at * s->k, s->k, sign, s->o_bk + s->batch[at] * s->k, s->mass);
    }
    for (int b = 0; b < s->n_batch; b++)
        for (int c = 0; c < s->k; c++) s->e_bk[b * s->k + c] += s->mass[c] * s->share[b];
}

static void add_objective(state *s)
{
    double cross = 0;
    for (int i = 0; i < s->k * s->n_batch; i++) cross += s->o_bk[i] * log((s->o_bk[i] + 1) / (s->e_bk[i] + 1));
    s->objective[s->n_objective++] = s->potential + s->o.sigma * s->o.theta * cross;
}

/* New weights of rows, by the factors. */
static void weigh_rows(state *s, const int64_t *row, int64_t m)
{
    for (int64_t i = 0; i < m; i++) {
        int64_t at = s->place[row[i]], b = s->batch[at];
        s->potential +=
            weigh(s->dist + at * s->k, s->factor + b * s->k, s->log_factor + b * s->k, s->k, (float)s->o.sigma, s->r + at * s->k);
    }
}

/* One block of rows: out of the counts, new weights that favour clusters poor in the row's batch, back into the counts. */
static void update_block(state *s, const int64_t *row, int64_t m)
{
    count_rows(s, row, m, -1);
    for (int i = 0; i < s->k * s->n_batch; i++) {
        double v = s->o.theta * log((s->e_bk[i] + 1) / (s->o_bk[i] + 1));
        s->log_factor[i] = (float)v, s->factor[i] = (float)exp(v);
    }
    weigh_rows(s, row, m);
    count_rows(s, row, m, 1);
}

static void update_weights(state *s)
{
    int64_t blocks = (int64_t)ceil(1 / s->o.block), at = 0;
    rng g = rng_at(s->o.seed, STREAM_HARMONY, s->shuffles++, 0);
    for (int64_t i = 0; i < s->n; i++) s->shuffled[i] = i;
    s->potential = 0;
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
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s->k, (int)s->d, (int)s->n, 1, s->r, s->k, s->unit, (int)s->d, 0, s->center,
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
    double l = s->o.lambda;
    const double *weight = s->o_bk; /* S_b of each cluster */
    memset(s->intercept, 0, (size_t)kd * sizeof *s->intercept);
    for (int b = 0; b < s->n_batch; b++) {
        int64_t at = s->first[b], m = s->first[b + 1] - at;
        float *t = s->sum + b * kd;
        cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, s->k, (int)s->d, (int)m, 1, s->r + at * s->k, s->k, s->z + at * s->d,
                    (int)s->d, 0, t, (int)s->d);
        for (int64_t i = 0; i < kd; i++) s->intercept[i] += (float)(t[i] * l / (weight[b * s->k + i / s->d] + l));
    }
    for (int c = 0; c < s->k; c++) {
        double total = 0;
        for (int b = 0; b < s->n_batch; b++) total += weight[b * s->k + c] * l / (weight[b * s->k + c] + l);
        for (int64_t j = 0; j < s->d; j++) s->intercept[c * s->d + j] /= total > 0 ? (float)total : 1;
    }
    memcpy(s->unit, s->z, (size_t)(s->n * s->d) * sizeof *s->unit);
    for (int b = 0; b < s->n_batch; b++) {
        int64_t at = s->first[b], m = s->first[b + 1] - at;
        for (int64_t i = 0; i < kd; i++) {
            double w = weight[b * s->k + i / s->d];
            s->effect[i] = (float)((s->sum[b * kd + i] - w * s->intercept[i]) / (w + l));
        }
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)s->d, s->k, -1, s->r + at * s->k, s->k, s->effect, (int)s->d, 1,
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
    TRY(mem_alloc(&s->z, n, d * sizeof(float), "Harmony's profiles"));
    TRY(mem_alloc(&s->unit, n, d * sizeof(float), "Harmony's profiles"));
    TRY(mem_alloc(&s->r, n, k * sizeof(float), "Harmony's weights"));
    TRY(mem_alloc(&s->dist, n, k * sizeof(float), "Harmony's weights"));
    TRY(mem_alloc(&s->center, k, d * sizeof(float), "Harmony"));
    TRY(mem_alloc(&s->effect, k, d * sizeof(float), "Harmony"));
    TRY(mem_alloc(&s->intercept, k, d * sizeof(float), "Harmony"));
    TRY(mem_alloc(&s->sum, b * k, d * sizeof(float), "Harmony"));
    TRY(mem_alloc(&s->o_bk, k, b * real, "Harmony"));
    TRY(mem_alloc(&s->e_bk, k, b * real, "Harmony"));
    TRY(mem_alloc(&s->factor, k, b * sizeof(float), "Harmony"));
    TRY(mem_alloc(&s->log_factor, k, b * sizeof(float), "Harmony"));
    TRY(mem_alloc(&s->mass, k, real, "Harmony"));
    TRY(mem_alloc(&s->share, b, real, "Harmony"));
    TRY(mem_alloc(&s->objective, rounds, real, "Harmony"));
done:
    return st;
}

static void state_free(state *s)
{
    void *const all[] = {s->order, s->place,  s->shuffled,   s->batch,  s->first,     s->z,        s->unit,
                         s->r,     s->dist,   s->center,     s->effect, s->intercept, s->sum,      s->o_bk,
                         s->e_bk,  s->factor, s->log_factor, s->mass,   s->share,     s->objective};
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
    double *center = NULL;
    int32_t *label = NULL;
    TRY(mem_alloc(&center, (size_t)s->k, (size_t)s->d * sizeof *center, "Harmony"));
    if (s->o.start) {
        memcpy(center, s->o.start, (size_t)(s->k * s->d) * sizeof *center);
    } else {
        TRY(mem_alloc(&rows, (size_t)s->n, (size_t)s->d * sizeof *rows, "Harmony's profiles"));
        TRY(mem_alloc(&label, (size_t)s->n, sizeof *label, "Harmony"));
        for (int64_t i = 0; i < s->n; i++) /* in the rows' own order: the start does not depend on how batches are numbered */
            for (int64_t j = 0; j < s->d; j++) rows[i * s->d + j] = s->unit[s->place[i] * s->d + j];
        TRY(kmeans_fit(&(profile_rows){.x = rows, .n = s->n, .d = s->d},
                       &(kmeans_options){.k = s->k, .seed = s->o.seed, .starts = s->o.starts, .max_rounds = 25, .greedy = s->o.greedy},
                       center, label, NULL));
    }
    for (int64_t i = 0; i < s->k * s->d; i++) s->center[i] = (float)center[i];
    unit_rows(s->center, s->k, s->d);
    update_dist(s);
    for (int i = 0; i < s->k * s->n_batch; i++) s->factor[i] = 1; /* log_factor is 0 yet */
    weigh_rows(s, s->order, s->n);
    count_rows(s, s->order, s->n, 1);
    add_objective(s);
done:
    free(rows);
    free(center);
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
            for (int64_t j = 0; j < d; j++) y[s.order[i] * d + j] = s.unit[i * d + j];
        unit_rows(s.unit, n, d);
        double now = s.objective[s.n_objective - 1];
        result->converged = (before - now) / fabs(before) < s.o.epsilon;
        before = now;
    }
done:
    state_free(&s);
    return st;
}
