/* umap.c -- fuzzy neighbour graph, then a layout by stochastic gradient descent with fixed random numbers: each draw is keyed by epoch and
 * edge, edges are visited in order. */
#include "micon/profile/umap.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/neighbours.h"
#include "micon/profile/sphering.h"

#include <math.h>
#include <stdlib.h>

/* a and b of 1 / (1 + a x^2b), fitted to min_dist 0.1 and spread 1. */
static const double A = 1.576943460405378, B = 0.8950608781227859;
enum { NEGATIVES = 5, STEPS = 64 };

umap_options umap_defaults(void)
{
    return (umap_options){.neighbours = 15, .epochs = 0, .seed = 1};
}

typedef struct {
    int32_t from, to;
    double weight;
} edge;

/* The width for which the weights exp(-(dist - nearest) / width) add up to log2(k + 1). */
static double find_width(const double *dist, int k, double nearest, double mean_dist)
{
    double low = 0, high = INFINITY, mid = 1, want = log2(k + 1.0);
    for (int step = 0; step < STEPS; step++) {
        double sum = 0;
        for (int j = 0; j < k; j++) sum += dist[j] > nearest ? exp(-(dist[j] - nearest) / mid) : 1;
        if (fabs(sum - want) < 1e-5) break;
        if (sum > want) {
            high = mid;
            mid = (low + high) / 2;
        } else {
            low = mid;
            mid = isinf(high) ? mid * 2 : (low + high) / 2;
        }
    }
    return fmax(mid, 1e-3 * mean_dist);
}

/* Weights of the directed edges of each row; returns their number. */
static int64_t directed_edges(const int32_t *neighbour, const double *dist, int64_t n, int k, edge *e)
{
    double all = 0;
    int64_t m = 0, counted = 0;
    for (int64_t i = 0; i < n * k; i++)
        if (neighbour[i] >= 0) all += dist[i], counted++;
    for (int64_t i = 0; i < n; i++) {
        const double *row = dist + i * k;
        double nearest = 0, sum = 0;
        int has = 0;
        while (has < k && neighbour[i * k + has] >= 0) sum += row[has++];
        for (int j = has; j-- > 0;)
            if (row[j] > 0) nearest = row[j];
        if (has == 0) continue;
        /* the means count the row itself, at distance 0 */
        double width = find_width(row, has, nearest, nearest > 0 ? sum / (has + 1) : all / (double)(counted + n));
        for (int j = 0; j < has; j++) {
            double over = row[j] - nearest;
            double w = over <= 0 || width == 0 ? 1 : exp(-over / width);
            e[m++] = (edge){(int32_t)i, neighbour[i * k + j], w};
        }
    }
    return m;
}

static int edge_cmp(const void *a, const void *b)
{
    const edge *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* Both directions of an edge get p + q - p q of their weights; sorted, each direction once. */
static int64_t symmetric_edges(edge *e, int64_t m)
{
    int64_t out = 0;
    for (int64_t i = 0; i < m; i++) e[m + i] = (edge){e[i].to, e[i].from, -e[i].weight}; /* negative: seen from the other end */
    qsort(e, (size_t)(2 * m), sizeof *e, edge_cmp);
    for (int64_t i = 0, end; i < 2 * m; i = end) {
        double p = 0, q = 0;
        for (end = i; end < 2 * m && edge_cmp(&e[i], &e[end]) == 0; end++) {
            if (e[end].weight >= 0)
                p = e[end].weight;
            else
                q = -e[end].weight;
        }
        e[out++] = (edge){e[i].from, e[i].to, p + q - p * q};
    }
    return out;
}

/* Rows without edges would stay where they are: fine. Weak edges would never be visited: dropped. */
static int64_t strong_edges(edge *e, int64_t m, int epochs, double *every)
{
    double top = 0;
    int64_t out = 0;
    for (int64_t i = 0; i < m; i++) top = fmax(top, e[i].weight);
    for (int64_t i = 0; i < m; i++)
        if (e[i].weight * epochs >= top) {
            e[out] = e[i];
            every[out++] = top / e[i].weight;
        }
    return out;
}

static double clip4(double v)
{
    return v > 4 ? 4 : v < -4 ? -4 : v;
}

/* s^B: the forces need no more digits than float has, and most of the time goes here. */
static double bent(double s)
{
    return (double)powf((float)s, (float)B);
}

/* Draw the two ends together. */
static void attract(double *a, double *b, double rate)
{
    double dx = a[0] - b[0], dy = a[1] - b[1], s = dx * dx + dy * dy;
    if (s <= 0) return;
    double p = bent(s), g = -2 * A * B * p / s / (A * p + 1);
    double gx = clip4(g * dx) * rate, gy = clip4(g * dy) * rate;
    a[0] += gx, a[1] += gy;
    b[0] -= gx, b[1] -= gy;
}

/* Push a away from b. */
static void repel(double *a, const double *b, double rate)
{
    double dx = a[0] - b[0], dy = a[1] - b[1], s = dx * dx + dy * dy;
    if (s <= 0) return;
    double g = 2 * B / ((0.001 + s) * (A * bent(s) + 1));
    a[0] += clip4(g * dx) * rate;
    a[1] += clip4(g * dy) * rate;
}

/* every[i]: epochs between visits of edge i; each visit also pushes away NEGATIVES random rows. */
static void descend(const edge *e, const double *every, double *next, int64_t m, int64_t n, int epochs, uint32_t seed, double *y)
{
    for (int64_t i = 0; i < m; i++) next[i] = every[i];
    for (int epoch = 1; epoch <= epochs; epoch++) {
        double rate = 1 - (double)(epoch - 1) / epochs;
        for (int64_t i = 0; i < m; i++) {
            if (next[i] > epoch) continue;
            double *a = y + 2 * e[i].from;
            rng r = rng_at(seed, STREAM_UMAP, (uint32_t)epoch, (uint64_t)i);
            next[i] += every[i];
            attract(a, y + 2 * e[i].to, rate);
            for (int k = 0; k < NEGATIVES; k++) {
                int64_t other = (int64_t)(((uint64_t)rng_u32(&r) * (uint64_t)n) >> 32);
                if (other != e[i].from) repel(a, y + 2 * other, rate);
            }
        }
    }
}

/* First coordinates: centred, at most 10 in size, with a little noise so that equal rows can part. */
static void place_start(const float *start, int64_t n, uint32_t seed, double *y)
{
    double mean[2] = {0}, top = 0;
    for (int64_t i = 0; i < 2 * n; i++) mean[i % 2] += start[i] / (double)n;
    for (int64_t i = 0; i < 2 * n; i++) top = fmax(top, fabs(start[i] - mean[i % 2]));
    for (int64_t i = 0; i < n; i++) {
        rng r = rng_at(seed, STREAM_UMAP, 0, (uint64_t)i);
        for (int c = 0; c < 2; c++) y[2 * i + c] = (start[2 * i + c] - mean[c]) * (top > 0 ? 10 / top : 0) + 1e-4 * rng_normal(&r);
    }
}

status umap_layout(const int32_t *neighbour, const double *dist, int64_t n, int k, const float *start, const umap_options *o, float *y)
{
    status st = OK;
    edge *e = NULL;
    double *every = NULL, *next = NULL, *at = NULL;
    int epochs = o->epochs > 0 ? o->epochs : n <= 10000 ? 500 : 200;
    TRY(mem_alloc(&e, 2 * (size_t)n, (size_t)k * sizeof *e, "a neighbour graph"));
    TRY(mem_alloc(&at, 2 * (size_t)n, sizeof *at, "coordinates"));
    int64_t m = symmetric_edges(e, directed_edges(neighbour, dist, n, k, e));
    TRY(mem_alloc(&every, (size_t)m, sizeof *every, "a neighbour graph"));
    TRY(mem_alloc(&next, (size_t)m, sizeof *next, "a neighbour graph"));
    m = strong_edges(e, m, epochs, every);
    place_start(start, n, o->seed, at);
    descend(e, every, next, m, n, epochs, o->seed, at);
    for (int64_t i = 0; i < 2 * n; i++) y[i] = (float)at[i];
done:
    free(e);
    free(every);
    free(next);
    free(at);
    return st;
}

status umap_fit(const float *x, int64_t n, int64_t d, const umap_options *o, float *y)
{
    status st = OK;
    int k = o->neighbours - 1;
    sphering_params pc = {0};
    int32_t *neighbour = NULL;
    double *dist = NULL;
    float *start = NULL, *scores = NULL;
    for (int64_t i = 0; i < 2 * n; i++) y[i] = 0;
    if (n < 2) return OK;
    TRY(mem_alloc(&neighbour, (size_t)n, (size_t)k * sizeof *neighbour, "neighbours"));
    TRY(mem_alloc(&dist, (size_t)n, (size_t)k * sizeof *dist, "neighbours"));
    TRY(mem_alloc(&start, (size_t)n, 2 * sizeof *start, "coordinates"));
    TRY(mem_alloc(&scores, (size_t)n, 2 * sizeof *scores, "coordinates"));
    TRY(neighbours_euclid(x, n, d, 0, n, k, neighbour, dist));
    TRY(sphering_fit_components(&pc, x, n, d, NULL, 2));
    TRY(sphering_apply(&pc, x, 0, n, scores));
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < pc.k; c++) start[2 * i + c] = scores[i * pc.k + c];
    TRY(umap_layout(neighbour, dist, n, k, start, o, y));
done:
    sphering_free(&pc);
    free(neighbour);
    free(dist);
    free(start);
    free(scores);
    return st;
}
