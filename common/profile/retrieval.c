/* retrieval.c -- sifting blocks of similarities for the k best of each query, exactly.
 *
 * Per query and setting a short list is kept of every candidate seen so far that can still be among the k best: its approximate similarity is
 * not more than a margin below the k-th best one. A product is off by less than half of that, so nobody who belongs is lost.
 * At the end (or when the list gets long) the list is multiplied again in double and cut to the k best; the k best of what was seen are all
 * that later steps need, so this cannot change the outcome. */
#include "micon/retrieval.h"

#include "micon/hot.h"
#include "micon/linear.h"
#include "micon/mem.h"
#include "micon/num.h"
#include "similarity.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = SIMILARITY_QUERIES, CANDIDATES = SIMILARITY_CANDIDATES, CHUNK = 64, LIST = 512, TOO_MANY = 600 };
static const float MARGIN = 1e-5f; /* of float products */

typedef struct {
    int32_t row;
    float sim;
} item;

typedef struct {
    item list[LIST];
    int n, full; /* at `full` entries it is tidied */
    float need;  /* float similarity below which a candidate cannot matter */
} shortlist;

/* Is any of the 64 similarities at least `need`? NaN never is. */
HOT static int any_at_least(const float *s, float need)
{
    typedef float f16 __attribute__((vector_size(64)));
    typedef int i16 __attribute__((vector_size(64)));
    f16 v[CHUNK / 16], t = need - (f16){0};
    i16 hit = {0};
    memcpy(v, s, sizeof v);
    for (int i = 0; i < CHUNK / 16; i++) hit |= v[i] >= t;
    int any = 0;
    for (int i = 0; i < 16; i++) any |= hit[i];
    return any;
}

typedef struct {
    double sim;
    int32_t row;
} exact;

static int exact_cmp(const void *a, const void *b)
{
    const exact *x = a, *y = b;
    if (x->sim != y->sim) return x->sim > y->sim ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* Multiply the list again in double, sort it; returns its length. */
static int settle(const shortlist *l, const float *q, const float *c, int64_t d, exact *out)
{
    int32_t row[LIST];
    double sim[LIST];
    for (int i = 0; i < l->n; i++) row[i] = l->list[i].row;
    linear_dot_rows(q, c, d, row, l->n, sim);
    for (int i = 0; i < l->n; i++) out[i] = (exact){sim[i], row[i]};
    qsort(out, (size_t)l->n, sizeof *out, exact_cmp);
    return l->n;
}

static int sim_cmp(const void *a, const void *b)
{
    float x = ((const item *)a)->sim, y = ((const item *)b)->sim;
    return x > y ? -1 : x < y;
}

/* The list is full: drop what fell below the margin of the k-th best float; if too many stay, settle them and keep k. */
static void tidy(shortlist *l, int k, float margin, const float *q, const float *c, int64_t d)
{
    qsort(l->list, (size_t)l->n, sizeof *l->list, sim_cmp);
    if (l->n >= k) {
        l->need = l->list[k - 1].sim - margin;
        while (l->n > k && l->list[l->n - 1].sim < l->need) l->n--;
    }
    l->full = l->n < k ? 2 * k : 2 * l->n; /* the sooner the bar rises, the fewer pass; each sort is paid by as many that came */
    if (l->n <= LIST / 2) return;
    exact e[LIST] = {{0, 0}};
    settle(l, q, c, d, e);
    for (int i = 0; i < k; i++) l->list[i] = (item){e[i].row, (float)e[i].sim};
    l->n = k, l->full = LIST; /* the margin cannot tell these apart: sort and multiply them in bulk */
    l->need = (float)e[k - 1].sim - margin;
}

/* What stays the same for all queries of a call. */
typedef struct {
    const float *c;
    int64_t n_candidate, d;
    const retrieval_setting *set;
    int n_set, k;
    similarity *products;
    float *block;      /* [QUERIES][CANDIDATES] */
    shortlist *list;   /* [n_set][QUERIES] */
    int64_t n_through; /* candidates that passed the sieve in this block of queries */
} search;

/* Candidates [at, at+width) of one query. */
static void sift(search *h, shortlist *l, const retrieval_setting *set, int64_t query, const float *s, int64_t at, int64_t width,
                 const float *q)
{
    int32_t group = set->query_group ? set->query_group[query] : 0;
    const int32_t *groups = set->query_group ? set->candidate_group : NULL;
    float margin = similarity_margin(h->products);
    int k = h->k;
    for (int64_t j = 0; j < width; j += CHUNK) {
        if (!any_at_least(s + j, l->need)) continue;
        int64_t end = j + CHUNK < width ? j + CHUNK : width;
        for (int64_t i = j; i < end; i++) {
            if (!(s[i] >= l->need)) continue;
            int64_t row = at + i;
            if ((set->candidate && !set->candidate[row]) || (groups && groups[row] == group)) continue;
            l->list[l->n++] = (item){(int32_t)row, s[i]};
            h->n_through++;
            if (l->n == l->full) tidy(l, k, margin, q, h->c, h->d);
        }
    }
}

/* All candidates for a block of queries, from an empty list. Stops early, with *too_many, where bf16 lets so many through that float is faster. */
static status search_block(search *h, const float *q, int64_t first, int64_t nq, bool *too_many)
{
    status st = OK;
    h->n_through = 0;
    *too_many = false;
    for (int64_t i = 0; i < h->n_set * QUERIES; i++) h->list[i].n = 0, h->list[i].full = 2 * h->k, h->list[i].need = -INFINITY;
    for (int64_t at = 0; at < h->n_candidate && !*too_many; at += CANDIDATES) {
        int64_t nc = h->n_candidate - at < CANDIDATES ? h->n_candidate - at : CANDIDATES;
        TRY(similarity_block(h->products, q, nq, at == 0, at, h->block));
        for (int64_t i = 0; i < nq; i++)
            for (int s = 0; s < h->n_set; s++)
                if (!h->set[s].query || h->set[s].query[first + i])
                    sift(h, &h->list[s * QUERIES + i], &h->set[s], first + i, h->block + i * CANDIDATES, at, nc, q + i * h->d);
        *too_many = similarity_is_coarse(h->products) && h->n_through > TOO_MANY * nq * h->n_set;
    }
done:
    return st;
}

/* The block's outcome for setting number `set`: row and sim [n][k]. */
static void report(search *h, int set, int64_t n, const float *q, int32_t *row, double *sim)
{
    exact e[LIST] = {{0, 0}};
    int k = h->k;
    for (int64_t i = 0; i < n; i++) {
        shortlist *l = &h->list[set * QUERIES + i];
        tidy(l, k, similarity_margin(h->products), q + i * h->d, h->c, h->d); /* fewer to multiply again */
        int m = settle(l, q + i * h->d, h->c, h->d, e);
        for (int j = 0; j < k; j++) {
            row[i * k + j] = j < m ? e[j].row : -1;
            if (sim) sim[i * k + j] = j < m ? e[j].sim : NAN;
        }
    }
}

static status check_sizes(int64_t n_candidate, int64_t d, int k)
{
    int unused;
    if (k < 1 || k > LIST / 4) return fail(E_INTERNAL, "neighbours: k is %d, not from 1 to %d", k, LIST / 4);
    status st = int_from_i64(n_candidate, &unused);
    return st == OK ? int_from_i64(d, &unused) : st;
}

status retrieval_topk_by(retrieval_way way, const float *q, int64_t first, int64_t n, const float *c, int64_t n_candidate, int64_t d,
                         const retrieval_setting *set, int n_set, int k, int32_t *row, double *sim)
{
    status st = OK;
    search h = {.c = c, .n_candidate = n_candidate, .d = d, .set = set, .n_set = n_set, .k = k};
    TRY(check_sizes(n_candidate, d, k));
    TRY(similarity_create(&h.products, way, q + first * d, n, c, n_candidate, d));
    TRY(mem_alloc(&h.block, QUERIES, CANDIDATES * sizeof *h.block, "a block of similarities"));
    TRY(mem_alloc(&h.list, (size_t)n_set * QUERIES, sizeof *h.list, "short lists of neighbours"));
    for (int64_t b = 0; b < n; b += QUERIES) {
        int64_t nq = n - b < QUERIES ? n - b : QUERIES;
        const float *qb = q + (first + b) * d;
        bool too_many;
        TRY(search_block(&h, qb, first + b, nq, &too_many));
        if (too_many) {
            similarity_refine(h.products);
            TRY(search_block(&h, qb, first + b, nq, &too_many));
        }
        for (int s = 0; s < n_set; s++) report(&h, s, nq, qb, row + (s * n + b) * k, sim ? sim + (s * n + b) * k : NULL);
    }
done:
    similarity_destroy(&h.products);
    free(h.block);
    free(h.list);
    return st;
}

status retrieval_topk(const float *q, int64_t first, int64_t n, const float *c, int64_t n_candidate, int64_t d,
                      const retrieval_setting *set, int n_set, int k, int32_t *row, double *sim)
{
    return retrieval_topk_by(RETRIEVAL_AUTO, q, first, n, c, n_candidate, d, set, n_set, k, row, sim);
}

/* One query's sought place: the best match is found first, then everybody before it is counted. */
typedef struct {
    double best; /* exact similarity of the best match */
    int32_t row; /* its row, -1: none */
    int64_t before;
} place;

/* Pass 1: the best match, by the same float-then-exact rule. */
static void seek_match(place *p, const retrieval_setting *set, int64_t query, int32_t label, const int32_t *labels, const float *s,
                       int64_t at, int64_t width, const float *q, const float *c, int64_t d)
{
    for (int64_t i = 0; i < width; i++) {
        int64_t row = at + i;
        if (labels[row] != label || (p->row >= 0 && s[i] < p->best - MARGIN)) continue;
        if ((set->candidate && !set->candidate[row]) || (set->query_group && set->candidate_group[row] == set->query_group[query]))
            continue;
        double sim = linear_dot(q, c + row * d, d);
        if (p->row < 0 || sim > p->best) p->best = sim, p->row = (int32_t)row;
    }
}

/* Pass 2: who comes before it. */
static void count_before(place *p, const retrieval_setting *set, int64_t query, const float *s, int64_t at, int64_t width, const float *q,
                         const float *c, int64_t d)
{
    for (int64_t i = 0; i < width; i++) {
        int64_t row = at + i;
        if (!(s[i] >= p->best - MARGIN) || row == p->row) continue;
        if ((set->candidate && !set->candidate[row]) || (set->query_group && set->candidate_group[row] == set->query_group[query]))
            continue;
        double sim = s[i] > p->best + MARGIN ? (double)s[i] : linear_dot(q, c + row * d, d);
        p->before += sim > p->best || (sim == p->best && row < p->row);
    }
}

status retrieval_match_rank(const float *q, int64_t first, int64_t n, const float *c, int64_t n_candidate, int64_t d,
                            const retrieval_setting *set, const int32_t *query_label, const int32_t *candidate_label, int64_t *rank)
{
    status st = OK;
    float *block = NULL;
    similarity *products = NULL;
    place p[QUERIES];
    TRY(check_sizes(n_candidate, d, 1));
    TRY(similarity_create(&products, RETRIEVAL_FLOAT, q + first * d, n, c, n_candidate, d));
    TRY(mem_alloc(&block, QUERIES, CANDIDATES * sizeof *block, "a block of similarities"));
    for (int64_t b = 0; b < n; b += QUERIES) {
        int64_t nq = n - b < QUERIES ? n - b : QUERIES;
        const float *qb = q + (first + b) * d;
        for (int64_t i = 0; i < nq; i++) p[i] = (place){.row = -1};
        for (int pass = 1; pass <= 2; pass++)
            for (int64_t at = 0; at < n_candidate; at += CANDIDATES) {
                int64_t nc = n_candidate - at < CANDIDATES ? n_candidate - at : CANDIDATES;
                TRY(similarity_block(products, qb, nq, at == 0, at, block));
                for (int64_t i = 0; i < nq; i++) {
                    int64_t query = first + b + i;
                    const float *s = block + i * CANDIDATES;
                    if ((set->query && !set->query[query]) || query_label[query] < 0) continue;
                    if (pass == 1)
                        seek_match(&p[i], set, query, query_label[query], candidate_label, s, at, nc, qb + i * d, c, d);
                    else if (p[i].row >= 0)
                        count_before(&p[i], set, query, s, at, nc, qb + i * d, c, d);
                }
            }
        for (int64_t i = 0; i < nq; i++) rank[b + i] = set->query && !set->query[first + b + i] ? -1 : p[i].row < 0 ? 0 : p[i].before + 1;
    }
done:
    similarity_destroy(&products);
    free(block);
    return st;
}
