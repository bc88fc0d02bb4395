/* umap.c -- fuzzy neighbour graph, then a layout by stochastic gradient descent with fixed random numbers: each draw is keyed by epoch and
 * edge. In an epoch every row moves by its own edges, in order, among the others as the epoch before left them: which process moves a row
 * does not matter. */
#include "micon/profile/umap.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/neighbours.h"
#include "micon/profile/sphering.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* a and b of 1 / (1 + a x^2b), fitted to min_dist 0.1 and spread 1. */
static const double A = 1.576943460405378, B = 0.8950608781227859;
enum { NEGATIVES = 5, STEPS = 64 };

umap_options umap_defaults(void)
{
    return (umap_options){.neighbours = 15, .epochs = 0, .seed = 1};
}

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
static int64_t directed_edges(const umap_neighbours *g, umap_edge *e)
{
    const int32_t *neighbour = g->row;
    const double *dist = g->dist;
    const int64_t n = g->n;
    const int k = g->k;
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
            e[m++] = (umap_edge){(int32_t)i, neighbour[i * k + j], w};
        }
    }
    return m;
}

static int edge_cmp(const void *a, const void *b)
{
    const umap_edge *x = a, *y = b;
    if (x->from != y->from) return x->from < y->from ? -1 : 1;
    return x->to < y->to ? -1 : x->to > y->to;
}

/* Both directions of an edge get p + q - p q of their weights; sorted, each direction once. */
static int64_t symmetric_edges(umap_edge *e, int64_t m)
{
    int64_t out = 0;
    for (int64_t i = 0; i < m; i++) e[m + i] = (umap_edge){e[i].to, e[i].from, -e[i].weight}; /* negative: seen from the other end */
    qsort(e, (size_t)(2 * m), sizeof *e, edge_cmp);
    for (int64_t i = 0, end; i < 2 * m; i = end) {
        double p = 0, q = 0;
        for (end = i; end < 2 * m && edge_cmp(&e[i], &e[end]) == 0; end++) {
            if (e[end].weight >= 0)
                p = e[end].weight;
            else
                q = -e[end].weight;
        }
        e[out++] = (umap_edge){e[i].from, e[i].to, p + q - p * q};
    }
    return out;
}

/* Rows without edges would stay where they are: fine. Weak edges would never be visited: dropped. */
static int64_t strong_edges(umap_edge *e, int64_t m, int epochs, double *every)
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

static float clip4(float v)
{
    return v > 4 ? 4 : v < -4 ? -4 : v;
}

/* The two forces over distance, as functions of the squared distance: straight lines between 256 points of each power of two, which err by
 * less than 1e-5. A point's number is the upper bits of its float. */
enum { LOW_BITS = 15, POINTS = 1 << (31 - LOW_BITS) };
struct umap_forces {
    float attract[POINTS + 1], repel[POINTS + 1];
};

static void find_forces(struct umap_forces *f)
{
    for (uint32_t i = 1; i < POINTS; i++) {
        uint32_t bits = i << LOW_BITS;
        float at;
        memcpy(&at, &bits, sizeof at);
        if (!isfinite(at)) break; /* farther than any two rows */
        double s = at, bent = A * pow(s, B) + 1;
        f->attract[i] = (float)(-2 * A * B * pow(s, B - 1) / bent);
        f->repel[i] = (float)(2 * B / ((0.001 + s) * bent));
    }
    f->attract[0] = f->attract[1], f->repel[0] = f->repel[1];
}

/* Moves a towards b, or away from it. */
static void pull(float *a, const float *b, const float *force, float rate)
{
    float dx = a[0] - b[0], dy = a[1] - b[1], s = dx * dx + dy * dy;
    uint32_t bits;
    memcpy(&bits, &s, sizeof bits);
    const float *at = force + (bits >> LOW_BITS);
    float part = (float)(bits & ((1u << LOW_BITS) - 1)) / (1 << LOW_BITS), g = at[0] + part * (at[1] - at[0]);
    a[0] += clip4(g * dx) * rate;
    a[1] += clip4(g * dy) * rate;
}

void umap_move(umap_state *u, int epoch)
{
    float rate = (float)(1 - (double)(epoch - 1) / u->epochs);
    for (int64_t i = u->first; i < u->end; i++) {
        const umap_edge *e = &u->edge[i];
        float *a = u->moved + 2 * e->from;
        if (u->next[i] > epoch) continue;
        rng r = rng_at(u->seed, STREAM_UMAP, (uint32_t)epoch, (uint64_t)i);
        u->next[i] += u->every[i];
        /* once as this edge's first end, once as the second one of its reverse */
        for (int k = 0; k < 2; k++) pull(a, u->y + 2 * e->to, u->forces->attract, rate);
        for (int k = 0; k < NEGATIVES; k++) {
            int64_t other = (int64_t)(((uint64_t)rng_u32(&r) * (uint64_t)u->n) >> 32);
            if (other != e->from) pull(a, u->y + 2 * other, u->forces->repel, rate);
        }
    }
    memcpy(u->y + 2 * u->own.first, u->moved + 2 * u->own.first, 2 * (size_t)u->own.n * sizeof *u->y);
}

/* First coordinates: centred, at most 10 in size, with a little noise so that equal rows can part. */
static void place_start(const float *start, int64_t n, uint32_t seed, float *y)
{
    double mean[2] = {0}, top = 0;
    for (int64_t i = 0; i < 2 * n; i++) mean[i % 2] += start[i] / (double)n;
    for (int64_t i = 0; i < 2 * n; i++) top = fmax(top, fabs(start[i] - mean[i % 2]));
    for (int64_t i = 0; i < n; i++) {
        rng r = rng_at(seed, STREAM_UMAP, 0, (uint64_t)i);
        for (int c = 0; c < 2; c++) y[2 * i + c] = (float)((start[2 * i + c] - mean[c]) * (top > 0 ? 10 / top : 0) + 1e-4 * rng_normal(&r));
    }
}

status umap_begin(umap_state *u, const umap_neighbours *g, const float *start, const umap_options *o, row_range own)
{
    status st = OK;
    size_t n = (size_t)g->n;
    *u = (umap_state){.n = g->n, .own = own, .seed = o->seed, .epochs = o->epochs > 0 ? o->epochs : g->n <= 10000 ? 500 : 200};
    TRY(mem_alloc(&u->edge, 2 * n, (size_t)g->k * sizeof *u->edge, "a neighbour graph"));
    TRY(mem_alloc(&u->y, 2 * n, sizeof *u->y, "coordinates"));
    TRY(mem_alloc(&u->moved, 2 * n, sizeof *u->moved, "coordinates"));
    TRY(mem_alloc(&u->forces, 1, sizeof *u->forces, "forces"));
    int64_t m = symmetric_edges(u->edge, directed_edges(g, u->edge));
    TRY(mem_alloc(&u->every, (size_t)m, sizeof *u->every, "a neighbour graph"));
    TRY(mem_alloc(&u->next, (size_t)m, sizeof *u->next, "a neighbour graph"));
    m = strong_edges(u->edge, m, u->epochs, u->every);
    memcpy(u->next, u->every, (size_t)m * sizeof *u->next);
    while (u->first < m && u->edge[u->first].from < own.first) u->first++;
    for (u->end = u->first; u->end < m && u->edge[u->end].from < own.first + own.n;) u->end++;
    place_start(start, g->n, o->seed, u->y);
    memcpy(u->moved, u->y, 2 * n * sizeof *u->y);
    find_forces(u->forces);
done:
    return st;
}

void umap_free(umap_state *u)
{
    free(u->edge);
    free(u->every);
    free(u->next);
    free(u->y);
    free(u->moved);
    free(u->forces);
    *u = (umap_state){0};
}

status umap_first_places(const float *x, int64_t n, int64_t d, float *start)
{
    status st = OK;
    sphering_params pc = {0};
    float *scores = NULL;
    memset(start, 0, 2 * (size_t)n * sizeof *start);
    TRY(mem_alloc(&scores, (size_t)n, 2 * sizeof *scores, "coordinates"));
    TRY(sphering_fit_components(&pc, x, n, d, NULL, 2));
    TRY(sphering_apply(&pc, x, 0, n, scores));
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < pc.k; c++) start[2 * i + c] = scores[i * pc.k + c];
done:
    sphering_free(&pc);
    free(scores);
    return st;
}

status umap_fit(const float *x, int64_t n, int64_t d, const umap_options *o, float *y)
{
    status st = OK;
    umap_neighbours g = {.n = n, .k = o->neighbours - 1};
    umap_state u = {0};
    float *start = NULL;
    for (int64_t i = 0; i < 2 * n; i++) y[i] = 0;
    if (n < 2) return OK;
    TRY(mem_alloc(&g.row, (size_t)n, (size_t)g.k * sizeof *g.row, "neighbours"));
    TRY(mem_alloc(&g.dist, (size_t)n, (size_t)g.k * sizeof *g.dist, "neighbours"));
    TRY(mem_alloc(&start, (size_t)n, 2 * sizeof *start, "coordinates"));
    TRY(neighbours_euclid(x, n, d, 0, n, g.k, g.row, g.dist));
    TRY(umap_first_places(x, n, d, start));
    TRY(umap_begin(&u, &g, start, o, (row_range){0, n}));
    for (int epoch = 1; epoch <= u.epochs; epoch++) umap_move(&u, epoch);
    memcpy(y, u.y, 2 * (size_t)n * sizeof *y);
done:
    umap_free(&u);
    free(g.row);
    free(g.dist);
    free(start);
    return st;
}
