/* retrieval.h -- nearest neighbours by cosine under "not the same batch / source / compound", and what is counted from them
 * (docs/method.md 8). Local.
 *
 * The similarity matrix never exists whole: blocks of it are made by a matrix product (float, or bf16 where the machine has it) and sifted
 * at once. What lies within 1e-5 of the k-th (bf16: within twice what its rounding can do) is multiplied again exactly
 * (profile/linear_algebra.h), ties go to the lower row: neither blocks nor ranks can change a neighbour. Work is split by ranges of
 * queries: arrays of results have one entry (or k) per query of the range. A row number is a candidate's row. */
#ifndef MICON_PROFILE_RETRIEVAL_H
#define MICON_PROFILE_RETRIEVAL_H
#include "micon/base/status.h"
#include "micon/profile/profile_rows.h"

#include <stdint.h>

/* Who asks, who may answer. Arrays are over all queries, or all candidates. */
typedef struct {
    const uint8_t *query_mask;      /* 1: asks; NULL: all do */
    const uint8_t *candidate_mask;  /* 1: may be found; NULL: all may */
    const int32_t *query_group;     /* a candidate with the query's code is left out: its batch, source, compound, or its own row number; */
    const int32_t *candidate_group; /* both NULL: nobody is left out */
    const int32_t *query_place;     /* a second such code: the well's position. A candidate that has either code in common is left out */
    const int32_t *candidate_place;
} retrieval_setting;

/* How the approximate products are made; the outcome is the same. AUTO: bf16 on machines that multiply it in hardware (where it lets too
 * much through, float after all), else float. */
typedef enum { RETRIEVAL_AUTO, RETRIEVAL_FLOAT, RETRIEVAL_BF16 } retrieval_way;

typedef struct {
    retrieval_way way;
    const retrieval_setting *set;
    int n_set, k;
} retrieval_search;

/* The k best candidates of the queries of the range, for several settings in one pass over the product. Rows of length 1 (or 0: similarity
 * 0); both tables may be the same. row [n_set][range.n][k]: best first, -1 where there are no more (or the row is no query); sim alike
 * (exact), may be NULL. */
status retrieval_topk(const profile_rows *query, row_range range, const profile_rows *candidate, const retrieval_search *search,
                      int32_t *row, double *sim) MUST_USE;

/* ---- all rows of a table among each other: half the products, each used from both its ends ---- */
typedef struct {
    double sim; /* exact; NaN with row -1 */
    int64_t row;
} retrieval_hit;

/* A rule (query and candidate are the same rows, and so are its arrays) and its answers. */
typedef struct {
    retrieval_setting rule;
    int k;
    retrieval_hit *hit; /* [n][k], the caller's */
} retrieval_question;

/* How parts that run side by side tell each other what they have found, so that none multiplies again what another knows better. Both are
 * called by every part, also by one that failed: agree with its status, which becomes that of all; then raise once a question: bar [n]
 * becomes the highest of all parts. */
typedef struct {
    status (*agree)(void *with, status mine);
    void (*raise)(void *with, float *bar, int64_t n);
    void *with;
} retrieval_peers;

/* x [n,d], unit rows. The k best for every row among the candidates that part `part` of `parts` of the work saw, less those that are
 * certainly not among the k best of all parts: merging all parts gives what retrieval_topk finds. peers NULL: this part is by itself. */
status retrieval_among(retrieval_way way, const profile_rows *rows, retrieval_question *question, int n_question, int part, int parts,
                       const retrieval_peers *peers) MUST_USE;

/* mine [k] becomes the k best of both lists, which have no row in common. */
void retrieval_merge(retrieval_hit *mine, const retrieval_hit *other, int k);

/* How many candidates each query of the range has, and how many of them have its label; -1 (both) where it does not ask.
 * Labels: codes; a negative one matches nothing. */
status retrieval_counts(const retrieval_setting *set, const int32_t *query_label, int64_t first, int64_t n, const int32_t *candidate_label,
                        int64_t n_candidate, int64_t *n_possible, int64_t *n_match) MUST_USE;

/* rank[i] = place (from 1) of the first of row [n,k] with the query's label, 0 if none; query_label: of the range. */
void retrieval_first_match(const int32_t *row, int64_t n, int k, const int32_t *query_label, const int32_t *candidate_label, int32_t *rank);

/* matches [n,k]: of the first 1..k of row [n,k], how many have the query's label; k at most 255. */
void retrieval_matches(const int32_t *row, int64_t n, int k, const int32_t *query_label, const int32_t *candidate_label, uint8_t *matches);

/* Place, from 1, of the best candidate with the query's label among all of its candidates; 0 where there is none, -1 for a row that is no
 * query. */
status retrieval_match_rank(const profile_rows *query, row_range range, const profile_rows *candidate, const retrieval_setting *set,
                            int64_t *rank) MUST_USE;

/* 1 - C(n-m,k) / C(n,k): what a random order would hit. */
double retrieval_chance(int64_t n_possible, int64_t n_match, int k);

/* The mean over queries with a possible match of the share of k that a random order would give: min(k, n) m / (n k). NaN without such. */
double retrieval_precision_chance(const int64_t *n_possible, const int64_t *n_match, int64_t n, int k);

enum { RETRIEVAL_MAX_K = 10 };
typedef struct {
    int64_t n_queries;    /* with a possible match */
    int64_t n_impossible; /* asked, but no candidate has the label */
    int64_t n_classes;    /* labels among n_queries */
    int k;
    double hits[RETRIEVAL_MAX_K];     /* [k-1]: share of queries with a match among the first k; NaN without queries */
    double by_class[RETRIEVAL_MAX_K]; /* the mean over labels of that share */
    double chance[RETRIEVAL_MAX_K];   /* over queries */
} retrieval_score;

/* From the gathered results of all queries: rank as retrieval_first_match, counts as retrieval_counts; k <= RETRIEVAL_MAX_K. */
void retrieval_summarize(const int32_t *rank, const int64_t *n_possible, const int64_t *n_match, const int32_t *label, int64_t n,
                         int32_t n_label, int k, retrieval_score *out);

/* For the bootstrap over labels: hit[label], asked[label] at k. */
void retrieval_by_label(const int32_t *rank, const int64_t *n_match, const int32_t *label, int64_t n, int32_t n_label, int k, double *hit,
                        double *asked);

/* The commonest label among row [n,k]; ties go to the label of the nearest. Rows of -1 and negative labels do not vote; -1: nobody did. */
void retrieval_vote(const int32_t *row, int64_t n, int k, const int32_t *candidate_label, int32_t *label);

/* Share of the n with vote == label among those with a vote and a label; *n_used may be NULL. NaN where there is none. */
double retrieval_accuracy(const int32_t *vote, const int32_t *label, int64_t n, int64_t *n_used);

/* How many different labels with sought[label] = 1, other than `own`, the first k of a query's hits have; label: of the candidates. */
int retrieval_others(const int32_t *hit, int k, const uint8_t *sought, int32_t own, const int32_t *label);

#endif
