/* kmeans.c -- Lloyd's rounds on blocks of products; k-means++ (Arthur and Vassilvitskii 2007) chooses the start, greedily or not. */
#include "micon/profile/kmeans.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/rng.h"
#include "micon/base/simd_clones.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 512, TOGETHER = 4, LANES = 16 };
typedef float lanes __attribute__((vector_size(4 * KMEANS_MOST_STARTS)));

typedef struct {
    const float *x;
    int64_t n, d;
    int k, trials;        /* trials: candidates for each further centre */
    int lanes;            /* candidates of all starts that are chosen together */
    double *center, *far; /* [k,d]; [lanes,n]: squared distance of each row to its nearest centre so far */
    double *square;       /* [n] squared lengths of the rows */
    int32_t *row;         /* [starts,k] the rows that the starts take as first centres */
    lanes *panel;         /* [d] the newest centres, one in each lane */
    float *last;          /* [TOGETHER,d] */
    float *center_f;      /* [k,d] those that moved, close together */
    float *block, *score; /* [ROWS,k]; [n,k] x.c of every row and centre */
    double *half;         /* [k] half the squared length of a centre */
    uint8_t *moved;       /* [k] the centre is another one than at the last assignment */
    int64_t *size;
    int32_t *label, *column; /* column [k]: of center_f */
} work;

static double square_distance(const float *x, const double *c, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += (x[j] - c[j]) * (x[j] - c[j]);
    return sum;
}

/* A row chosen with probability proportional to far [n]. */
static int32_t choose_row(const double *far, int64_t n, rng *r)
{
    double total = 0;
    int64_t pick = 0;
    for (int64_t i = 0; i < n; i++) total += far[i];
    double at = rng_uniform(r) * total;
    for (int64_t i = 0; i < n; i++) {
        if (far[i] > 0) pick = i; /* never a row that is a centre already, unless all are */
        at -= far[i];
        if (at < 0 && far[i] > 0) break;
    }
    return (int32_t)pick;
}

/* Products of TOGETHER rows of x with the newest centres, one in each lane; panel [d]. The sums of a lane do not depend on the other
 * lanes. */
HOT static void multiply_newest(const float *x, int64_t d, const lanes *panel, lanes out[TOGETHER])
{
    lanes a = {0}, b = a, c = a, e = a;
    for (int64_t j = 0; j < d; j++) {
        a += x[j] * panel[j];
        b += x[d + j] * panel[j];
        c += x[2 * d + j] * panel[j];
        e += x[3 * d + j] * panel[j];
    }
    out[0] = a, out[1] = b, out[2] = c, out[3] = e;
}

/* The distances of all rows to the newest centres of all lanes, where they are nearer than those before. */
static void shrink_distances(work *w, const int32_t *newest)
{
    for (int s = 0; s < w->lanes; s++)
        for (int64_t j = 0; j < w->d; j++) ((float *)&w->panel[j])[s] = w->x[newest[s] * w->d + j];
    for (int64_t i = 0; i < w->n; i += TOGETHER) {
        int64_t m = w->n - i < TOGETHER ? w->n - i : TOGETHER;
        const float *x = w->x + i * w->d;
        lanes dot[TOGETHER];
        if (m < TOGETHER) x = memcpy(w->last, x, (size_t)(m * w->d) * sizeof *x); /* with rows of zeros after it */
        multiply_newest(x, w->d, w->panel, dot);
        for (int64_t t = 0; t < m; t++)
            for (int s = 0; s < w->lanes; s++) {
                double lengths = w->square[i + t] + w->square[newest[s]], far = lengths - 2.0 * (double)dot[t][s];
                if (far < 1e-6 * lengths) far = 0; /* the same row, to the rounding of floats */
                w->far[s * w->n + i + t] = fmin(w->far[s * w->n + i + t], far);
            }
    }
}

/* Each further centre is a row chosen with probability proportional to its squared distance to the nearest centre so far. All starts go
 * over the rows together. */
static void choose_starts(work *w, uint32_t seed, int first)
{
    int32_t newest[KMEANS_MOST_STARTS];
    rng r[KMEANS_MOST_STARTS];
    for (int s = 0; s < w->lanes; s++) {
        r[s] = rng_at(seed, STREAM_KMEANS, (uint32_t)(first + s), 0);
        newest[s] = w->row[s * w->k] = (int32_t)rng_below(&r[s], (uint64_t)w->n);
    }
    for (int64_t i = 0; i < w->lanes * w->n; i++) w->far[i] = DBL_MAX;
    for (int c = 1; c < w->k; c++) {
        shrink_distances(w, newest);
        for (int s = 0; s < w->lanes; s++) newest[s] = w->row[s * w->k + c] = choose_row(w->far + s * w->n, w->n, &r[s]);
    }
}

/* Of the distances far [trials,n] all become those with the least sum; returns which. */
static int keep_best(const work *w, double *far)
{
    double least = INFINITY;
    int best = 0;
    for (int t = 0; t < w->trials; t++) {
        double sum = 0;
        for (int64_t i = 0; i < w->n; i++) sum += far[t * w->n + i];
        if (sum < least) least = sum, best = t;
    }
    for (int t = 0; t < w->trials; t++)
        if (t != best) memcpy(far + t * w->n, far + best * w->n, (size_t)w->n * sizeof *far);
    return best;
}

/* The same for `starts` of them from number `start` on (`first` and the number decide a start's draws), where each further centre is the
 * best of w->trials such rows: the one that leaves the least sum of distances. Each start has as many lanes. */
static void choose_greedily(work *w, uint32_t seed, int start, int starts, int first)
{
    int32_t newest[KMEANS_MOST_STARTS], *row = w->row + start * w->k;
    rng r[KMEANS_MOST_STARTS];
    int trials = w->trials;
    w->lanes = starts * trials;
    for (int s = 0; s < starts; s++) {
        r[s] = rng_at(seed, STREAM_KMEANS, (uint32_t)(first + start + s), 0);
        row[s * w->k] = (int32_t)rng_below(&r[s], (uint64_t)w->n);
        for (int t = 0; t < trials; t++) newest[s * trials + t] = row[s * w->k];
    }
    for (int64_t i = 0; i < w->lanes * w->n; i++) w->far[i] = DBL_MAX;
    shrink_distances(w, newest);
    for (int c = 1; c < w->k; c++) {
        for (int l = 0; l < w->lanes; l++) newest[l] = choose_row(w->far + l * w->n, w->n, &r[l / trials]);
        shrink_distances(w, newest);
        for (int s = 0; s < starts; s++) row[s * w->k + c] = newest[s * trials + keep_best(w, w->far + s * trials * w->n)];
    }
}

/* The first centres of start number s; all labels are unknown. */
static void begin(work *w, int s)
{
    for (int c = 0; c < w->k; c++)
        for (int64_t j = 0; j < w->d; j++) w->center[c * w->d + j] = w->x[w->row[s * w->k + c] * w->d + j];
    memset(w->label, -1, (size_t)w->n * sizeof *w->label);
    memset(w->moved, 1, (size_t)w->k);
}

/* Products of all rows with the centres that moved; the others' still stand. */
static void multiply(work *w)
{
    int m = 0;
    for (int c = 0; c < w->k; c++) {
        if (!w->moved[c]) continue;
        double sum = 0;
        for (int64_t j = 0; j < w->d; j++) {
            float v = (float)w->center[c * w->d + j];
            w->center_f[m * w->d + j] = v;
            sum += (double)v * v;
        }
        w->half[c] = sum / 2;
        w->column[m++] = c;
    }
    for (int64_t at = 0; at < w->n && m > 0; at += ROWS) {
        int64_t rows = w->n - at < ROWS ? w->n - at : ROWS;
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)rows, m, (int)w->d, 1, w->x + at * w->d, (int)w->d, w->center_f,
                    (int)w->d, 0, w->block, m);
        for (int64_t i = 0; i < rows; i++)
            for (int c = 0; c < m; c++) w->score[(at + i) * w->k + w->column[c]] = w->block[i * m + c];
    }
}

/* The place of the largest score - half, the first of equals. */
HOT static int nearest(const float *score, const double *half, int k)
{
    double lane[LANES], most = -INFINITY;
    int whole = k / LANES * LANES;
    for (int t = 0; t < LANES; t++) lane[t] = -INFINITY;
    for (int c = 0; c < whole; c += LANES)
        for (int t = 0; t < LANES; t++) lane[t] = score[c + t] - half[c + t] > lane[t] ? score[c + t] - half[c + t] : lane[t];
    for (int t = 0; t < LANES; t++) most = fmax(most, lane[t]);
    for (int c = whole; c < k; c++) most = fmax(most, score[c] - half[c]);
    for (int c = 0; c < k; c++)
        if (score[c] - half[c] >= most) return c;
    return 0;
}

/* New labels; the number that changed. Nearest = largest x.c - |c|^2/2; ties to the lower cluster. */
static int64_t assign(work *w)
{
    int64_t changed = 0;
    multiply(w);
    memset(w->moved, 0, (size_t)w->k);
    for (int64_t i = 0; i < w->n; i++) {
        int best = nearest(w->score + i * w->k, w->half, w->k);
        if (w->label[i] == best) continue;
        if (w->label[i] >= 0) w->moved[w->label[i]] = 1;
        w->moved[best] = 1;
        w->label[i] = best;
        changed++;
    }
    return changed;
}

/* An empty cluster takes the row farthest from its centre, from a cluster that keeps another. */
static void fill_empty(work *w)
{
    bool measured = false;
    for (int c = 0; c < w->k; c++) {
        if (w->size[c] > 0) continue;
        for (int64_t i = 0; i < w->n && !measured; i++) w->far[i] = square_distance(w->x + i * w->d, w->center + w->label[i] * w->d, w->d);
        measured = true;
        int64_t far = -1;
        for (int64_t i = 0; i < w->n; i++)
            if (w->size[w->label[i]] > 1 && (far < 0 || w->far[i] > w->far[far])) far = i;
        if (far < 0) return;
        w->moved[w->label[far]] = w->moved[c] = 1;
        w->size[w->label[far]]--;
        w->label[far] = c;
        w->size[c] = 1;
        w->far[far] = 0;
    }
}

static void move_centers(work *w)
{
    memset(w->size, 0, (size_t)w->k * sizeof *w->size);
    for (int64_t i = 0; i < w->n; i++) w->size[w->label[i]]++;
    fill_empty(w);
    for (int c = 0; c < w->k; c++)
        if (w->moved[c]) memset(w->center + c * w->d, 0, (size_t)w->d * sizeof *w->center);
    for (int64_t i = 0; i < w->n; i++)
        for (int64_t j = 0; j < w->d && w->moved[w->label[i]]; j++) w->center[w->label[i] * w->d + j] += w->x[i * w->d + j];
    for (int c = 0; c < w->k; c++)
        for (int64_t j = 0; j < w->d && w->size[c] > 0 && w->moved[c]; j++) w->center[c * w->d + j] /= (double)w->size[c];
}

static double total_distance(const work *w)
{
    double sum = 0;
    for (int64_t i = 0; i < w->n; i++) sum += square_distance(w->x + i * w->d, w->center + w->label[i] * w->d, w->d);
    return sum;
}

static status work_alloc(work *w, size_t starts)
{
    status st = OK;
    size_t k = (size_t)w->k, d = (size_t)w->d, n = (size_t)w->n;
    TRY(mem_alloc(&w->center, k, d * sizeof(double), "cluster centres"));
    TRY(mem_alloc(&w->panel, d, sizeof(lanes), "cluster centres"));
    TRY(mem_alloc(&w->last, TOGETHER, d * sizeof(float), "cluster centres"));
    TRY(mem_alloc(&w->center_f, k, d * sizeof(float), "cluster centres"));
    TRY(mem_alloc(&w->half, k, sizeof(double), "cluster centres"));
    TRY(mem_alloc(&w->moved, k, 1, "cluster centres"));
    TRY(mem_alloc(&w->column, k, sizeof(int32_t), "cluster centres"));
    TRY(mem_alloc(&w->size, k, sizeof(int64_t), "cluster centres"));
    TRY(mem_alloc(&w->row, starts, k * sizeof(int32_t), "cluster centres"));
    TRY(mem_alloc(&w->block, ROWS, k * sizeof(float), "a block of distances"));
    TRY(mem_alloc(&w->score, n, k * sizeof(float), "distances to cluster centres"));
    TRY(mem_alloc(&w->square, n, sizeof(double), "distances"));
    TRY(mem_alloc(&w->far, (size_t)w->lanes, n * sizeof(double), "distances"));
    TRY(mem_alloc(&w->label, n, sizeof(int32_t), "cluster labels"));
done:
    return st;
}

status kmeans_fit(const profile_rows *r, const kmeans_options *o, double *center, int32_t *label, double *inertia)
{
    status st = OK;
    int unused, k = o->k;
    int64_t n = r->n, d = r->d;
    double best = INFINITY;
    int trials = !o->greedy ? 1 : k < 1 ? 2 : 2 + (int)log(k), together;
    if (trials > KMEANS_MOST_STARTS) trials = KMEANS_MOST_STARTS;
    together = KMEANS_MOST_STARTS / trials < o->starts ? KMEANS_MOST_STARTS / trials : o->starts;
    work w = {.x = r->x, .n = n, .d = d, .k = k, .trials = trials, .lanes = together * trials};
    TRY(int_from_i64(n, &unused));
    TRY(int_from_i64(d, &unused));
    if (k < 1 || k > n) TRY(fail(E_FAILED, "k-means: %d clusters of %lld rows", k, (long long)n));
    if (o->starts < 1 || o->starts > KMEANS_MOST_STARTS) TRY(fail(E_INTERNAL, "k-means: %d starts", o->starts));
    TRY(work_alloc(&w, (size_t)o->starts));
    for (int64_t i = 0; i < n; i++) w.square[i] = linear_dot(w.x + i * d, w.x + i * d, d);
    if (!o->greedy) choose_starts(&w, o->seed, o->first);
    for (int start = 0; o->greedy && start < o->starts; start += together)
        choose_greedily(&w, o->seed, start, o->starts - start < together ? o->starts - start : together, o->first);
    for (int start = 0; start < o->starts; start++) {
        begin(&w, start);
        for (int round = 0; round < o->max_rounds && assign(&w) > 0; round++) move_centers(&w);
        double sum = total_distance(&w);
        if (!(sum < best)) continue;
        best = sum;
        memcpy(label, w.label, (size_t)n * sizeof *label);
        if (center) memcpy(center, w.center, (size_t)(k * d) * sizeof *center);
    }
    if (inertia) *inertia = best;
done:
    free(w.center);
    free(w.panel);
    free(w.last);
    free(w.center_f);
    free(w.half);
    free(w.moved);
    free(w.column);
    free(w.size);
    free(w.row);
    free(w.block);
    free(w.score);
    free(w.square);
    free(w.far);
    free(w.label);
    return st;
}
