/* average_precision_null.c -- random ranks, p-values of groups, and their correction for many tests. */
#include "micon/profile/average_precision.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* 0..n-1 without bias, from 32 bits: a multiplication, and a rare second draw. */
static uint32_t below(rng *r, uint32_t n)
{
    uint64_t v = (uint64_t)rng_u32(r) * n;
    if ((uint32_t)v < n) {
        uint32_t reject = (0u - n) % n;
        while ((uint32_t)v < reject) v = (uint64_t)rng_u32(r) * n;
    }
    return (uint32_t)(v >> 32);
}

/* A uniform choice of k of total places (Floyd), as bits. */
static void choose(rng *r, uint64_t *bit, int32_t k, int32_t total)
{
    memset(bit, 0, ((size_t)total + 63) / 64 * sizeof *bit);
    for (int32_t j = total - k; j < total; j++) {
        uint32_t t = below(r, (uint32_t)j + 1);
        if (bit[t / 64] >> (t % 64) & 1) t = (uint32_t)j;
        bit[t / 64] |= (uint64_t)1 << (t % 64);
    }
}

void ap_null(int32_t m, int32_t total, uint32_t seed, int64_t size, double *null)
{
    bool few = m <= total / 2; /* choose the positives' places, or the others' */
    size_t words = ((size_t)total + 63) / 64;
    uint64_t *bit = xmalloc(words * sizeof *bit);
    int32_t *rank = xmalloc((size_t)m * sizeof *rank + 1);
    for (int64_t s = 0; s < size; s++) {
        rng r = rng_at(seed, STREAM_NULL, (uint32_t)m, (uint64_t)(uint32_t)total << 32 | (uint64_t)s);
        choose(&r, bit, few ? m : total - m, total);
        int32_t n = 0;
        for (size_t w = 0; w < words; w++) {
            uint64_t v = few ? bit[w] : ~bit[w];
            if (w == words - 1 && total % 64) v &= ((uint64_t)1 << (total % 64)) - 1;
            for (; v; v &= v - 1) rank[n++] = (int32_t)(w * 64) + __builtin_ctzll(v) + 1;
        }
        null[s] = ap_of_ranks(rank, m);
    }
    free(bit);
    free(rank);
}

static double chance_of(int32_t m, int32_t total, double harmonic)
{
    if (m < 1 || total < m) return NAN;
    if (total == 1) return 1;
    return ((double)(total - m) * harmonic + (double)total * (m - 1)) / ((double)(total - 1) * total);
}

double ap_chance(int32_t m, int32_t total)
{
    double harmonic = 0;
    for (int32_t k = 1; k <= total; k++) harmonic += 1.0 / k;
    return chance_of(m, total, harmonic);
}

double ap_normalized(double ap, double chance)
{
    return chance < 1 ? (ap - chance) / (1 - chance) : NAN;
}

status ap_chances(const ap_scores *scores, int64_t n, double *chance)
{
    double *harmonic = NULL;
    int32_t most = 0;
    for (int64_t i = 0; i < n; i++)
        if (scores->n_total[i] > most) most = scores->n_total[i];
    status st = mem_alloc(&harmonic, (size_t)most + 1, sizeof *harmonic, "harmonic numbers");
    if (st != OK) return st;
    for (int32_t k = 1; k <= most; k++) harmonic[k] = harmonic[k - 1] + 1.0 / k;
    for (int64_t i = 0; i < n; i++) chance[i] = chance_of(scores->n_positive[i], scores->n_total[i], harmonic[scores->n_total[i]]);
    free(harmonic);
    return OK;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* C(total, m), or a number above `most`. */
static int64_t count_rankings(int32_t m, int32_t total, int64_t most)
{
    int64_t n = 1;
    for (int32_t i = 1; i <= m && n <= most; i++) n = n * (total - m + i) / i;
    return n;
}

/* The APs of all n rankings of m positives among total, in any order. */
static void list_rankings(int32_t m, int32_t total, double *ap, int32_t *rank)
{
    for (int32_t i = 0; i < m; i++) rank[i] = i + 1;
    for (int64_t n = 0;; n++) {
        int32_t at = m - 1;
        ap[n] = ap_of_ranks(rank, m);
        while (at >= 0 && rank[at] == total - m + at + 1) at--;
        if (at < 0) return;
        rank[at]++;
        for (int32_t i = at + 1; i < m; i++) rank[i] = rank[i - 1] + 1;
    }
}

void ap_null_quantiles(int32_t m, int32_t total, uint32_t seed, int64_t size, double *null)
{
    enum { MOST = 100000 };
    int64_t n = m > 0 ? count_rankings(m, total, MOST) : MOST + 1;
    if (n > MOST) {
        ap_null(m, total, seed, size, null);
        qsort(null, (size_t)size, sizeof *null, ascending);
        return;
    }
    double *all = xmalloc((size_t)n * sizeof *all);
    int32_t *rank = xmalloc((size_t)m * sizeof *rank);
    list_rankings(m, total, all, rank);
    qsort(all, (size_t)n, sizeof *all, ascending);
    for (int64_t s = 0; s < size; s++) null[s] = all[(int64_t)(((double)s + 0.5) / (double)size * (double)n)];
    free(all);
    free(rank);
}

/* A query as the p-values see it. */
typedef struct {
    int32_t group, m, total;
    int64_t at;
} query;

static int by_group(const void *a, const void *b)
{
    const query *x = a, *y = b;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    if (x->m != y->m) return x->m < y->m ? -1 : 1;
    if (x->total != y->total) return x->total < y->total ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

/* Groups in the order of their first query's (m, total): groups that share arrays follow each other. */
typedef struct {
    int64_t first, n;
    int32_t m, total;
} span;

static int by_sizes(const void *a, const void *b)
{
    const span *x = a, *y = b;
    if (x->m != y->m) return x->m < y->m ? -1 : 1;
    if (x->total != y->total) return x->total < y->total ? -1 : 1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Null arrays made lately; the oldest makes room. Only speed depends on it. */
enum { KEEP = 1024 };
typedef struct {
    int32_t m[KEEP], total[KEEP];
    double *null[KEEP];
    int n, next;
    int64_t size;
    uint32_t seed;
    bool as_0_1;
} cache;

static status cache_get(cache *c, int32_t m, int32_t total, const double **null)
{
    for (int i = 0; i < c->n; i++)
        if (c->m[i] == m && c->total[i] == total) {
            *null = c->null[i];
            return OK;
        }
    int at = c->next;
    c->next = (c->next + 1) % KEEP;
    if (at >= c->n) {
        status st = mem_alloc(&c->null[at], (size_t)c->size, sizeof(double), "a null distribution");
        if (st != OK) return st;
        c->n = at + 1;
    }
    c->m[at] = m, c->total[at] = total;
    if (c->as_0_1)
        ap_null(m, total, c->seed, c->size, c->null[at]);
    else
        ap_null_quantiles(m, total, c->seed, c->size, c->null[at]);
    *null = c->null[at];
    return OK;
}

static status group_pvalue(cache *c, const query *q, int64_t n, const double *ap, double *sum, double *mean_ap, double *p)
{
    double observed = 0;
    memset(sum, 0, (size_t)c->size * sizeof *sum);
    for (int64_t i = 0, end; i < n; i = end) { /* queries with one array count it together */
        const double *null = NULL;
        for (end = i; end < n && q[end].m == q[i].m && q[end].total == q[i].total; end++) observed += ap[q[end].at];
        status st = cache_get(c, q[i].m, q[i].total, &null);
        if (st != OK) return st;
        for (int64_t s = 0; s < c->size; s++) sum[s] += (double)(end - i) * null[s];
    }
    /* sums are compared: dividing both by n would change nothing but the last bits */
    int64_t above = 0;
    double least = observed * (1 - 1e-12); /* equal but for the order of addition */
    for (int64_t s = 0; s < c->size; s++) above += c->as_0_1 ? sum[s] > observed : sum[s] >= least;
    *mean_ap = observed / (double)n;
    *p = (double)(1 + above) / (double)(1 + c->size);
    return OK;
}

/* Of the sums over n queries, which ascend; those of release 0.1 do not. */
static void quantiles_of(const double *sum, const ap_null_options *null, int64_t n, double *quantile)
{
    static const double share[AP_NULL_QUANTILES] = {0.05, 0.5, 0.95};
    for (int k = 0; k < AP_NULL_QUANTILES; k++)
        quantile[k] = n == 0 || null->as_0_1 ? NAN : sum[(int64_t)(share[k] * (double)(null->size - 1) + 0.5)] / (double)n;
}

status ap_pvalues(const ap_scores *scores, const int32_t *group, int64_t n, row_range groups, const ap_null_options *null,
                  const ap_groups *out)
{
    status st = OK;
    query *q = NULL;
    span *spans = NULL;
    double *sum = NULL;
    int64_t m = 0, n_span = 0;
    cache c = {.size = null->size, .seed = null->seed, .as_0_1 = null->as_0_1};
    TRY(mem_alloc(&q, (size_t)n, sizeof *q, "queries"));
    TRY(mem_alloc(&spans, (size_t)groups.n, sizeof *spans, "groups"));
    TRY(mem_alloc(&sum, (size_t)null->size, sizeof *sum, "a null distribution"));
    for (int64_t g = 0; g < groups.n; g++) {
        out->mean_ap[g] = out->p[g] = NAN;
        if (out->n_query) out->n_query[g] = 0;
        if (out->null_quantile) quantiles_of(NULL, null, 0, out->null_quantile + AP_NULL_QUANTILES * g);
    }
    for (int64_t i = 0; i < n; i++)
        if (group[i] >= groups.first && group[i] < groups.first + groups.n && scores->n_positive[i] > 0 && !isnan(scores->ap[i]))
            q[m++] = (query){group[i], scores->n_positive[i], scores->n_total[i], i};
    qsort(q, (size_t)m, sizeof *q, by_group);
    for (int64_t i = 0, end; i < m; i = end) {
        for (end = i; end < m && q[end].group == q[i].group;) end++;
        spans[n_span++] = (span){i, end - i, q[i].m, q[i].total};
    }
    qsort(spans, (size_t)n_span, sizeof *spans, by_sizes);
    for (int64_t s = 0; s < n_span; s++) {
        int64_t g = q[spans[s].first].group - groups.first;
        TRY(group_pvalue(&c, q + spans[s].first, spans[s].n, scores->ap, sum, &out->mean_ap[g], &out->p[g]));
        if (out->n_query) out->n_query[g] = spans[s].n;
        if (out->null_quantile) quantiles_of(sum, null, spans[s].n, out->null_quantile + AP_NULL_QUANTILES * g);
    }
done:
    for (int i = 0; i < KEEP; i++) free(c.null[i]);
    free(q);
    free(spans);
    free(sum);
    return st;
}

typedef struct {
    double p;
    int64_t at;
} ranked;

static int by_p(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    if (x->p != y->p) return x->p < y->p ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

void ap_adjust(const double *p, int64_t n, double *q)
{
    ranked *r = xcalloc((size_t)n + 1, sizeof *r);
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) {
        q[i] = NAN;
        if (!isnan(p[i])) r[m++] = (ranked){p[i], i};
    }
    qsort(r, (size_t)m, sizeof *r, by_p);
    double least = 1;
    for (int64_t i = m; i-- > 0;) {
        least = fmin(least, r[i].p * (double)m / (double)(i + 1));
        q[r[i].at] = least;
    }
    free(r);
}
