/* retrieval.c -- blocks of similarities, sifted for the k best of each query, exactly (shortlist_impl.h). */
#include "micon/profile/retrieval.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/profile/linear_algebra.h"
#include "shortlist_impl.h"
#include "similarity_impl.h"

#include <math.h>
#include <stdlib.h>

enum { QUERIES = SIMILARITY_QUERIES, CANDIDATES = SIMILARITY_CANDIDATES, CHUNK = SHORTLIST_CHUNK, ROOM = 512, TOO_MANY = 600 };
static const float MARGIN = 1e-5f; /* of float products */

/* What stays the same for all queries of a call. */
typedef struct {
    const float *q;
    int64_t n_candidate, d;
    const retrieval_setting *set;
    int n_set;
    similarity *products;
    float *block;      /* [QUERIES][CANDIDATES] */
    shortlists *list;  /* [n_set], of QUERIES each */
    int64_t n_through; /* candidates that passed the sieve in this block of queries */
} search;

/* Candidates [at, at+width) of one query; i: its place in the block. */
static void sift(search *h, shortlists *l, const retrieval_setting *set, int64_t query, int64_t i, const float *s, int64_t at,
                 int64_t width)
{
    for (int64_t j = 0; j < width; j += CHUNK) {
        if (!shortlists_any(s + j, l->need[i], NULL)) continue;
        int64_t end = j + CHUNK < width ? j + CHUNK : width;
        for (int64_t t = j; t < end; t++) {
            if (!(s[t] >= l->need[i]) || !shortlists_may(set, query, at + t)) continue;
            h->n_through++;
            shortlists_add(l, i, (int32_t)(at + t), s[t]);
        }
    }
}

/* All candidates for the nq queries from `first` on, from empty lists. Stops early, with *too_many, where bf16 lets so many through that
 * float is faster. */
static status search_block(search *h, int64_t first, int64_t nq, bool *too_many)
{
    status st = OK;
    const float *q = h->q + first * h->d;
    h->n_through = 0;
    *too_many = false;
    for (int s = 0; s < h->n_set; s++) {
        h->list[s].q = q;
        shortlists_clear(&h->list[s], similarity_margin(h->products));
    }
    for (int64_t at = 0; at < h->n_candidate && !*too_many; at += CANDIDATES) {
        int64_t nc = h->n_candidate - at < CANDIDATES ? h->n_candidate - at : CANDIDATES;
        TRY(similarity_block(h->products, q, nq, at == 0, at, h->block));
        for (int64_t i = 0; i < nq; i++)
            for (int s = 0; s < h->n_set; s++)
                if (!h->set[s].query_mask || h->set[s].query_mask[first + i])
                    sift(h, &h->list[s], &h->set[s], first + i, i, h->block + i * CANDIDATES, at, nc);
        *too_many = similarity_is_coarse(h->products) && h->n_through > TOO_MANY * nq * h->n_set;
    }
done:
    return st;
}

/* The block's outcome for setting number `set`: row and sim [n][k]. */
static void report(search *h, int set, int64_t n, int k, int32_t *row, double *sim)
{
    retrieval_hit hit[SHORTLIST_MOST_K];
    for (int64_t i = 0; i < n; i++) {
        shortlists_finish(&h->list[set], i, hit);
        for (int j = 0; j < k; j++) {
            row[i * k + j] = (int32_t)hit[j].row;
            if (sim) sim[i * k + j] = hit[j].sim;
        }
    }
}

static status check_sizes(int64_t n_candidate, int64_t d)
{
    int unused;
    status st = int_from_i64(n_candidate, &unused);
    return st == OK ? int_from_i64(d, &unused) : st;
}

status retrieval_topk(const profile_rows *query, row_range range, const profile_rows *candidate, const retrieval_search *what, int32_t *row,
                      double *sim)
{
    status st = OK;
    int64_t n = range.n, d = candidate->d;
    int k = what->k;
    search h = {.q = query->x, .n_candidate = candidate->n, .d = d, .set = what->set, .n_set = what->n_set};
    h.list = xcalloc((size_t)h.n_set, sizeof *h.list);
    TRY(check_sizes(candidate->n, d));
    TRY(similarity_create(&h.products, what->way, query->x + range.first * d, n, candidate->x, candidate->n, d, k));
    TRY(mem_alloc(&h.block, QUERIES, CANDIDATES * sizeof *h.block, "a block of similarities"));
    for (int s = 0; s < h.n_set; s++) TRY(shortlists_init(&h.list[s], QUERIES, k, ROOM, query->x, candidate->x, d));
    for (int64_t b = 0; b < n; b += QUERIES) {
        int64_t nq = n - b < QUERIES ? n - b : QUERIES;
        bool too_many;
        TRY(search_block(&h, range.first + b, nq, &too_many));
        if (too_many) {
            similarity_refine(h.products);
            TRY(search_block(&h, range.first + b, nq, &too_many));
        }
        for (int s = 0; s < h.n_set; s++) report(&h, s, nq, k, row + (s * n + b) * k, sim ? sim + (s * n + b) * k : NULL);
    }
done:
    similarity_destroy(&h.products);
    free(h.block);
    for (int s = 0; s < h.n_set; s++) shortlists_free(&h.list[s]);
    free(h.list);
    return st;
}

/* One query's sought place: the best match is found first, then everybody before it is counted. */
typedef struct {
    double best; /* exact similarity of the best match */
    int32_t row; /* its row, -1: none */
    int64_t before;
} place;

/* A block of similarities of one query: s [width] to the candidates [at, at + width). */
typedef struct {
    const profile_rows *candidate;
    const retrieval_setting *set;
    int64_t query, at, width;
    int32_t label;
    const float *s, *q;
} strip;

/* Pass 1: the best match, by the same float-then-exact rule. */
static void seek_match(place *p, const strip *t)
{
    for (int64_t i = 0; i < t->width; i++) {
        int64_t row = t->at + i;
        if (t->candidate->label[row] != t->label || (p->row >= 0 && t->s[i] < p->best - MARGIN)) continue;
        if (!shortlists_may(t->set, t->query, row)) continue;
        double sim = linear_dot(t->q, t->candidate->x + row * t->candidate->d, t->candidate->d);
        if (p->row < 0 || sim > p->best) p->best = sim, p->row = (int32_t)row;
    }
}

/* Pass 2: who comes before it. */
static void count_before(place *p, const strip *t)
{
    for (int64_t i = 0; i < t->width; i++) {
        int64_t row = t->at + i;
        if (!(t->s[i] >= p->best - MARGIN) || row == p->row || !shortlists_may(t->set, t->query, row)) continue;
        double sim =
            t->s[i] > p->best + MARGIN ? (double)t->s[i] : linear_dot(t->q, t->candidate->x + row * t->candidate->d, t->candidate->d);
        p->before += sim > p->best || (sim == p->best && row < p->row);
    }
}

status retrieval_match_rank(const profile_rows *query, row_range range, const profile_rows *candidate, const retrieval_setting *set,
                            int64_t *rank)
{
    status st = OK;
    float *block = NULL;
    similarity *products = NULL;
    int64_t d = candidate->d;
    place p[QUERIES];
    TRY(check_sizes(candidate->n, d));
    TRY(similarity_create(&products, RETRIEVAL_FLOAT, query->x + range.first * d, range.n, candidate->x, candidate->n, d, 1));
    TRY(mem_alloc(&block, QUERIES, CANDIDATES * sizeof *block, "a block of similarities"));
    for (int64_t b = 0; b < range.n; b += QUERIES) {
        int64_t nq = range.n - b < QUERIES ? range.n - b : QUERIES, first = range.first + b;
        const float *qb = query->x + first * d;
        for (int64_t i = 0; i < nq; i++) p[i] = (place){.row = -1};
        for (int pass = 1; pass <= 2; pass++)
            for (int64_t at = 0; at < candidate->n; at += CANDIDATES) {
                int64_t nc = candidate->n - at < CANDIDATES ? candidate->n - at : CANDIDATES;
                TRY(similarity_block(products, qb, nq, at == 0, at, block));
                for (int64_t i = 0; i < nq; i++) {
                    const strip t = {candidate, set, first + i, at, nc, query->label[first + i], block + i * CANDIDATES, qb + i * d};
                    if ((set->query_mask && !set->query_mask[t.query]) || t.label < 0) continue;
                    if (pass == 1)
                        seek_match(&p[i], &t);
                    else if (p[i].row >= 0)
                        count_before(&p[i], &t);
                }
            }
        for (int64_t i = 0; i < nq; i++)
            rank[b + i] = set->query_mask && !set->query_mask[first + i] ? -1 : p[i].row < 0 ? 0 : p[i].before + 1;
    }
done:
    similarity_destroy(&products);
    free(block);
    return st;
}
