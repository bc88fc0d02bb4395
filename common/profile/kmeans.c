/* kmeans.c -- Lloyd's rounds on blocks of products; k-means++ (Arthur and Vassilvitskii 2007) chooses the start. */
#include "micon/kmeans.h"

#include "micon/mem.h"
#include "micon/num.h"
#include "micon/rng.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 512 };

typedef struct {
    const float *x;
    int64_t n, d;
    int k;
    double *center, *far; /* [k,d]; squared distance of each row to its centre */
    float *center_f, *block;
    double *half; /* [k] half the squared length of a centre */
    int64_t *size;
    int32_t *label;
} work;

static double square_distance(const float *x, const double *c, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += (x[j] - c[j]) * (x[j] - c[j]);
    return sum;
}

static void put_center(work *w, int c, int64_t row)
{
    for (int64_t j = 0; j < w->d; j++) w->center[c * w->d + j] = w->x[row * w->d + j];
}

/* Each further centre is a row chosen with probability proportional to its squared distance to the nearest centre so far. */
static void choose_start(work *w, rng *r)
{
    put_center(w, 0, (int64_t)rng_below(r, (uint64_t)w->n));
    for (int64_t i = 0; i < w->n; i++) w->far[i] = DBL_MAX;
    for (int c = 1; c < w->k; c++) {
        double total = 0;
        for (int64_t i = 0; i < w->n; i++) {
            double s = square_distance(w->x + i * w->d, w->center + (c - 1) * w->d, w->d);
            if (s < w->far[i]) w->far[i] = s;
            total += w->far[i];
        }
        double at = rng_uniform(r) * total;
        int64_t pick = 0;
        for (int64_t i = 0; i < w->n; i++) {
            if (w->far[i] > 0) pick = i; /* never a row that is a centre already, unless all are */
            at -= w->far[i];
            if (at < 0 && w->far[i] > 0) break;
        }
        put_center(w, c, pick);
    }
}

/* New labels; the number that changed. Nearest = largest x.c - |c|^2/2; ties to the lower cluster. */
static int64_t assign(work *w)
{
    int64_t changed = 0;
    for (int64_t i = 0; i < w->k * w->d; i++) w->center_f[i] = (float)w->center[i];
    for (int c = 0; c < w->k; c++) {
        double sum = 0;
        for (int64_t j = 0; j < w->d; j++) sum += (double)w->center_f[c * w->d + j] * w->center_f[c * w->d + j];
        w->half[c] = sum / 2;
    }
    for (int64_t at = 0; at < w->n; at += ROWS) {
        int64_t m = w->n - at < ROWS ? w->n - at : ROWS;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, w->k, (int)w->d, 1, w->x + at * w->d, (int)w->d, w->center_f,
                    (int)w->d, 0, w->block, w->k);
        for (int64_t i = 0; i < m; i++) {
            int best = 0;
            for (int c = 1; c < w->k; c++)
                if (w->block[i * w->k + c] - w->half[c] > w->block[i * w->k + best] - w->half[best]) best = c;
            changed += w->label[at + i] != best;
            w->label[at + i] = best;
        }
    }
    return changed;
}

/* An empty cluster takes the row farthest from its centre, from a cluster that keeps another. */
static void fill_empty(work *w)
{
    for (int c = 0; c < w->k; c++) {
        if (w->size[c] > 0) continue;
        int64_t far = -1;
        for (int64_t i = 0; i < w->n; i++)
            if (w->size[w->label[i]] > 1 && (far < 0 || w->far[i] > w->far[far])) far = i;
        if (far < 0) return;
        w->size[w->label[far]]--;
        w->label[far] = c;
        w->size[c] = 1;
        w->far[far] = 0;
    }
}

static void move_centers(work *w)
{
    memset(w->size, 0, (size_t)w->k * sizeof *w->size);
    for (int64_t i = 0; i < w->n; i++) {
        w->size[w->label[i]]++;
        w->far[i] = square_distance(w->x + i * w->d, w->center + w->label[i] * w->d, w->d);
    }
    fill_empty(w);
    memset(w->center, 0, (size_t)(w->k * w->d) * sizeof *w->center);
    for (int64_t i = 0; i < w->n; i++)
        for (int64_t j = 0; j < w->d; j++) w->center[w->label[i] * w->d + j] += w->x[i * w->d + j];
    for (int c = 0; c < w->k; c++)
        for (int64_t j = 0; j < w->d && w->size[c] > 0; j++) w->center[c * w->d + j] /= (double)w->size[c];
}

static double total_distance(const work *w)
{
    double sum = 0;
    for (int64_t i = 0; i < w->n; i++) sum += square_distance(w->x + i * w->d, w->center + w->label[i] * w->d, w->d);
    return sum;
}

static status work_alloc(work *w)
{
    status st = OK;
    size_t k = (size_t)w->k, d = (size_t)w->d, n = (size_t)w->n;
    TRY(mem_alloc(&w->center, k, d * sizeof(double), "cluster centres"));
    TRY(mem_alloc(&w->center_f, k, d * sizeof(float), "cluster centres"));
    TRY(mem_alloc(&w->half, k, sizeof(double), "cluster centres"));
    TRY(mem_alloc(&w->size, k, sizeof(int64_t), "cluster centres"));
    TRY(mem_alloc(&w->block, ROWS, k * sizeof(float), "a block of distances"));
    TRY(mem_alloc(&w->far, n, sizeof(double), "distances"));
    TRY(mem_alloc(&w->label, n, sizeof(int32_t), "cluster labels"));
done:
    return st;
}

status kmeans_fit(const float *x, int64_t n, int64_t d, int k, uint32_t seed, int starts, int max_rounds, double *center, int32_t *label,
                  double *inertia)
{
    status st = OK;
    int unused;
    double best = INFINITY;
    work w = {.x = x, .n = n, .d = d, .k = k};
    TRY(int_from_i64(d, &unused));
    if (k < 1 || k > n) TRY(fail(E_FAILED, "k-means: %d clusters of %lld rows", k, (long long)n));
    TRY(work_alloc(&w));
    for (int start = 0; start < starts; start++) {
        rng r = rng_at(seed, STREAM_KMEANS, (uint32_t)start, 0);
        choose_start(&w, &r);
        memset(w.label, -1, (size_t)n * sizeof *w.label);
        for (int round = 0; round < max_rounds && assign(&w) > 0; round++) move_centers(&w);
        double sum = total_distance(&w);
        if (!(sum < best)) continue;
        best = sum;
        memcpy(label, w.label, (size_t)n * sizeof *label);
        if (center) memcpy(center, w.center, (size_t)(k * d) * sizeof *center);
    }
    if (inertia) *inertia = best;
done:
    free(w.center);
    free(w.center_f);
    free(w.half);
    free(w.size);
    free(w.block);
    free(w.far);
    free(w.label);
    return st;
}
