/* neighbours.c -- nearest rows, by the sieve of retrieval.c.
 * Nearest by Euclidean distance is largest q.c - |c|^2 / 2: a product of [q, 1, 1] with [c, high, low], the last two being that half
 * square, split so that it is held to 48 bits. Rows are moved to their mean and scaled to length 1 at most, where the sieve's margin
 * holds. */
#include "micon/profile/neighbours.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/retrieval.h"

#include <math.h>
#include <stdlib.h>

static double distance(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += ((double)a[j] - b[j]) * ((double)a[j] - b[j]);
    return sqrt(sum);
}

/* The centred, scaled rows; scale: 1 / the longest. */
static status scale_rows(const float *x, int64_t n, int64_t d, float *c, int64_t width)
{
    double *mean = NULL, longest = 0;
    status st = mem_alloc(&mean, (size_t)d, sizeof *mean, "a mean");
    if (st != OK) return st;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) mean[j] += x[i * d + j];
    for (int64_t j = 0; j < d; j++) mean[j] /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) sum += (x[i * d + j] - mean[j]) * (x[i * d + j] - mean[j]);
        longest = sum > longest ? sum : longest;
    }
    double scale = longest > 0 ? 1 / sqrt(longest) : 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) c[i * width + j] = (float)((x[i * d + j] - mean[j]) * scale);
    free(mean);
    return OK;
}

typedef struct {
    double dist;
    int32_t row;
} near_one;

static int nearer(const void *a, const void *b)
{
    const near_one *x = a, *y = b;
    if (x->dist != y->dist) return x->dist < y->dist ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Distances of the found rows, and their order by them. */
static void measure(const float *x, int64_t d, int64_t i, int k, int32_t *row, double *dist)
{
    near_one one[128] = {{0, 0}};
    for (int j = 0; j < k; j++) one[j] = (near_one){row[j] < 0 ? INFINITY : distance(x + i * d, x + row[j] * d, d), row[j]};
    qsort(one, (size_t)k, sizeof *one, nearer);
    for (int j = 0; j < k; j++) row[j] = one[j].row, dist[j] = one[j].dist;
}

static status own_numbers(int64_t n, int32_t **own)
{
    status st = mem_alloc(own, (size_t)n, sizeof **own, "row numbers");
    for (int64_t i = 0; st == OK && i < n; i++) (*own)[i] = (int32_t)i;
    return st;
}

status neighbours_euclid(const float *x, int64_t n, int64_t d, int64_t first, int64_t n_range, int k, int32_t *row, double *dist)
{
    status st = OK;
    int64_t width = d + 2;
    float *q = NULL, *c = NULL;
    int32_t *own = NULL;
    TRY(own_numbers(n, &own));
    TRY(mem_alloc(&c, (size_t)n, (size_t)width * sizeof *c, "rows for neighbours"));
    TRY(mem_alloc(&q, (size_t)n_range, (size_t)width * sizeof *q, "rows for neighbours"));
    TRY(scale_rows(x, n, d, c, width));
    for (int64_t i = 0; i < n; i++) {
        float *to = c + i * width;
        double half = -0.5 * linear_dot(to, to, d);
        to[d] = (float)half, to[d + 1] = (float)(half - (float)half);
    }
    for (int64_t i = 0; i < n_range; i++) {
        for (int64_t j = 0; j < d; j++) q[i * width + j] = c[(first + i) * width + j];
        q[i * width + d] = q[i * width + d + 1] = 1;
    }
    retrieval_setting set = {.query_group = own + first, .candidate_group = own};
    TRY(retrieval_topk(&(profile_rows){.x = q, .d = width}, (row_range){0, n_range}, &(profile_rows){.x = c, .n = n, .d = width},
                       &(retrieval_search){.set = &set, .n_set = 1, .k = k}, row, NULL));
    for (int64_t i = 0; i < n_range; i++) measure(x, d, first + i, k, row + i * k, dist + i * k);
done:
    free(own);
    free(c);
    free(q);
    return st;
}

static bool is_nearer(const double *dist, int64_t a, int64_t b)
{
    if (dist[a] != dist[b]) return dist[a] < dist[b];
    return a < b;
}

status neighbours_trustworthiness(const float *x, int64_t d, const float *y, int64_t dy, int64_t n, int k, double *out)
{
    status st = OK;
    double *dist = NULL, *near = NULL, penalty = 0;
    int32_t *row = NULL;
    if (2 * k >= n) TRY(fail(E_FAILED, "trustworthiness: %d neighbours of %lld rows", k, (long long)n));
    TRY(mem_alloc(&row, (size_t)n, (size_t)k * sizeof *row, "neighbours"));
    TRY(mem_alloc(&near, (size_t)n, (size_t)k * sizeof *near, "neighbours"));
    TRY(mem_alloc(&dist, (size_t)n, sizeof *dist, "distances"));
    TRY(neighbours_euclid(y, n, dy, 0, n, k, row, near));
    for (int64_t i = 0; i < n; i++) {
        for (int64_t j = 0; j < n; j++) dist[j] = distance(x + i * d, x + j * d, d);
        for (int a = 0; a < k; a++) {
            int32_t r = row[i * k + a];
            int64_t rank = 1;
            for (int64_t j = 0; j < n; j++) rank += j != i && is_nearer(dist, j, r);
            if (rank > k) penalty += (double)(rank - k);
        }
    }
    *out = 1 - penalty * 2 / ((double)n * k * (2.0 * (double)n - 3.0 * k - 1));
done:
    free(row);
    free(near);
    free(dist);
    return st;
}
