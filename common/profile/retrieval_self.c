/* retrieval_self.c -- all rows of a table ask each other. The rows are cut into blocks; the product of two blocks is made once and serves
 * the queries of both: the row of a similarity asks in one direction, its column in the other. Pairs of blocks are shared out so that each
 * block meets every other once. */
#include "micon/profile/retrieval.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "shortlist_impl.h"
#include "similarity_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = SIMILARITY_QUERIES, BLOCK = SIMILARITY_CANDIDATES, CHUNK = SHORTLIST_CHUNK, MOST_ROOM = 512, TOO_MANY = 600 };

typedef struct {
    const float *x;
    int64_t n, d, blocks;
    const retrieval_question *question;
    int n_question;
    similarity *products;
    float *out, *bar;  /* [QUERIES][BLOCK]; [n] */
    shortlists *list;  /* [n_question], of all n rows */
    int64_t n_through; /* candidates that passed the sieve */
} among;

static void offer(among *a, int q, int64_t query, int64_t row, float sim)
{
    const retrieval_setting *rule = &a->question[q].rule;
    if ((rule->query_mask && !rule->query_mask[query]) || !shortlists_may(rule, query, row)) return;
    a->n_through++;
    shortlists_add(&a->list[q], query, (int32_t)row, sim);
}

/* Similarities of row i with the rows [at, at + width): i asks, and, where `both`, so do they. */
static void sift(among *a, int q, int64_t i, const float *s, int64_t at, int64_t width, bool both)
{
    const float *need = a->list[q].need;
    for (int64_t j = 0; j < width; j += CHUNK) {
        bool whole = j + CHUNK <= width; /* past the last row there are no columns to compare with */
        int any = shortlists_any(s + j, need[i], both && whole ? need + at + j : NULL);
        int64_t end = whole ? j + CHUNK : width;
        for (int64_t t = j; t < end && any & 1; t++)
            if (s[t] >= need[i]) offer(a, q, i, at + t, s[t]);
        for (int64_t t = j; t < end && both && (any & 2 || !whole); t++)
            if (s[t] >= need[at + t]) offer(a, q, at + t, i, s[t]);
    }
}

static status meet(among *a, int64_t one, int64_t other)
{
    status st = OK;
    int64_t at = other * BLOCK, width = a->n - at < BLOCK ? a->n - at : BLOCK;
    for (int64_t first = one * BLOCK; first < (one + 1) * BLOCK && first < a->n; first += QUERIES) {
        int64_t nq = a->n - first < QUERIES ? a->n - first : QUERIES;
        TRY(similarity_block(a->products, a->x + first * a->d, nq, true, at, a->out));
        for (int64_t i = 0; i < nq; i++)
            for (int q = 0; q < a->n_question; q++) sift(a, q, first + i, a->out + i * BLOCK, at, width, one != other);
    }
done:
    return st;
}

/* Block `one` meets itself and the next half of the circle of blocks; the opposite one, where there is one, is met from one side only. */
static int64_t meetings_of(const among *a, int64_t one)
{
    return a->blocks / 2 + (a->blocks % 2 == 1 || one < a->blocks / 2);
}

static status meet_all(among *a, int part, int parts, bool *too_many)
{
    status st = OK;
    int64_t total = 0, at = 0;
    a->n_through = 0;
    *too_many = false;
    for (int q = 0; q < a->n_question; q++) shortlists_clear(&a->list[q], similarity_margin(a->products));
    for (int64_t b = 0; b < a->blocks; b++) total += meetings_of(a, b);
    int64_t first = total * part / parts, end = total * (part + 1) / parts;
    for (int64_t b = 0; b < a->blocks; b++)
        for (int64_t step = 0; step < meetings_of(a, b); step++, at++) {
            if (at < first || at >= end || *too_many) continue;
            TRY(meet(a, b, (b + step) % a->blocks));
            *too_many = similarity_is_coarse(a->products) && a->n_through > TOO_MANY * a->n * a->n_question;
        }
done:
    return st;
}

static status search_part(among *a, retrieval_way way, shortlist_known *known, int part, int parts)
{
    status st = OK;
    int unused, most_k = 1;
    bool too_many;
    for (int i = 0; i < a->n_question; i++) most_k = a->question[i].k > most_k ? a->question[i].k : most_k;
    TRY(int_from_i64(a->n, &unused));
    TRY(int_from_i64(a->d, &unused));
    TRY(similarity_create(&a->products, way, a->x, a->n, a->x, a->n, a->d, most_k));
    TRY(mem_alloc(&a->out, QUERIES, BLOCK * sizeof *a->out, "a block of similarities"));
    TRY(mem_alloc(&known->sim, (size_t)a->n, sizeof *known->sim, "similarities"));
    TRY(mem_alloc(&known->query, (size_t)a->n, sizeof *known->query, "similarities"));
    TRY(mem_alloc(&a->bar, (size_t)a->n, sizeof *a->bar, "similarities"));
    for (int64_t i = 0; i < a->n; i++) known->query[i] = -1;
    for (int q = 0; q < a->n_question; q++) {
        int room = 3 * a->question[q].k + 34; /* float products leave hardly more than k */
        TRY(shortlists_init(&a->list[q], a->n, a->question[q].k, room < MOST_ROOM ? room : MOST_ROOM, a->x, a->x, a->d));
        a->list[q].known = known;
    }
    TRY(meet_all(a, part, parts, &too_many));
    if (too_many) { /* bf16 cannot tell these rows apart */
        similarity_refine(a->products);
        TRY(meet_all(a, part, parts, &too_many));
    }
done:
    return st;
}

status retrieval_among(retrieval_way way, const profile_rows *rows, retrieval_question *question, int n_question, int part, int parts,
                       const retrieval_peers *peers)
{
    int64_t n = rows->n;
    shortlist_known known = {NULL, NULL};
    among a = {.x = rows->x, .n = n, .d = rows->d, .blocks = (n + BLOCK - 1) / BLOCK, .question = question, .n_question = n_question};
    a.list = xcalloc((size_t)n_question, sizeof *a.list);
    status st = search_part(&a, way, &known, part, parts);
    if (peers) st = peers->agree(peers->with, st);
    if (st != OK) goto done;
    for (int q = 0; peers && q < n_question; q++) {
        shortlists_get_bars(&a.list[q], a.bar);
        peers->raise(peers->with, a.bar, n);
        shortlists_set_bars(&a.list[q], a.bar);
    }
    for (int64_t i = 0; i < n; i++)
        for (int q = 0; q < n_question; q++) shortlists_finish(&a.list[q], i, question[q].hit + i * question[q].k);
done:
    similarity_destroy(&a.products);
    free(a.out);
    free(a.bar);
    free(known.sim);
    free(known.query);
    for (int q = 0; q < n_question; q++) shortlists_free(&a.list[q]);
    free(a.list);
    return st;
}

static bool comes_before(const retrieval_hit *a, const retrieval_hit *b)
{
    if (a->row < 0 || b->row < 0) return b->row < 0;
    return a->sim != b->sim ? a->sim > b->sim : a->row < b->row;
}

void retrieval_merge(retrieval_hit *mine, const retrieval_hit *other, int k)
{
    retrieval_hit out[SHORTLIST_MOST_K] = {0};
    for (int i = 0, a = 0, b = 0; i < k; i++) out[i] = comes_before(&mine[a], &other[b]) ? mine[a++] : other[b++];
    memcpy(mine, out, (size_t)k * sizeof *out);
}
