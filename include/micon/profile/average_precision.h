/* average_precision.h -- average precision, its null distribution, p-values and their correction (docs/method.md 8). Local. Similarities
 * are exact dot products of unit rows (profile/linear_algebra.h); among equals positives come first, so an AP does not depend on blocks or
 * ranks. Work is split by labels (activity), by ranges of queries (other AP) and of groups (p-values). */
#ifndef MICON_PROFILE_AVERAGE_PRECISION_H
#define MICON_PROFILE_AVERAGE_PRECISION_H
#include "micon/base/status.h"
#include "micon/profile/crossfit.h"
#include "micon/profile/profile_rows.h"

#include <stdbool.h>
#include <stdint.h>

/* The mean over m positives of precision at their rank; rank ascending, from 1. */
double ap_of_ranks(const int32_t *rank, int64_t m);

/* Of similarities of positives and negatives, both reordered. NaN for no positives. */
double ap_of_similarities(double *positive, int64_t m, double *negative, int64_t n);

/* The mean AP of all rankings of m positives among total: ((total - m) / (total - 1) H + total (m - 1) / (total - 1)) / total, H the sum of
 * 1 / k for k up to total. NaN for m = 0. */
double ap_chance(int32_t m, int32_t total);

/* The share of the way from chance to 1: (ap - chance) / (1 - chance); 0 is chance, below it negative. NaN where chance is 1: without
 * negatives. */
double ap_normalized(double ap, double chance);

/* Which controls each row is compared with: those of its plate; with fewer than min_controls its batch's, then its source's, then all. */
typedef struct {
    int32_t n_set;
    int64_t *start;  /* [n_set+1] into row */
    int32_t *row;    /* control rows */
    int32_t *level;  /* [n_set] 0 plate, 1 batch, 2 source, 3 all */
    int32_t *set_of; /* [n] for every row */
    /* The caller's: a control and what it is ranked against are compared in these rows, sphered without it; NULL: in those given. */
    const crossfit *cross;
} ap_controls;
/* Codes [n] from 0; batch, source may be NULL. E_FAILED without any control. */
status ap_controls_init(ap_controls *c, const uint8_t *control, const int32_t *plate, const int32_t *batch, const int32_t *source,
                        int64_t n, int min_controls) MUST_USE;
void ap_controls_free(ap_controls *c);

/* Of each query: its average precision, its number of positives, and of positives and negatives together. */
typedef struct {
    double *ap;
    int32_t *n_positive, *n_total;
} ap_scores;
void ap_scores_free(ap_scores *s);

/* chance[i]: ap_chance of the i-th of n queries. */
status ap_chances(const ap_scores *scores, int64_t n, double *chance) MUST_USE;

/* Activity of the used rows with a label: positives are the other used rows of the label, negatives the query's controls, which are not
 * used rows. Unit rows. out [n]; a row that is no query has NaN, 0, 0; one without positives NaN, 0, its negatives.
 * place [n]: `other` gets the same without those at the query's position; NULL: not wanted.
 * Part `part` of `parts` has all queries of its labels; those of other parts are 0, 0, 0, so that the parts add up. */
typedef struct {
    const ap_scores *out;
    const int32_t *place;
    const ap_scores *other;
} ap_activity_scores;
status ap_activity(const profile_rows *r, const ap_controls *controls, const ap_activity_scores *scores, int part, int parts) MUST_USE;

/* The targets of row i: code[start[i] .. start[i+1]). */
typedef struct {
    const int64_t *start;
    const int32_t *code;
} ap_targets;

/* Consistency: positives share a target with the query, negatives none; rows without targets are left out. place [n]: those at the query's
 * position are left out; -1: at no single one; NULL: nobody is. */
status ap_consistency(const profile_rows *r, const ap_targets *targets, const int32_t *place, row_range queries,
                      const ap_scores *out) MUST_USE;

/* Which pairs of rows are positive and which negative: the codes of both are equal in `same` and different in each of `diff`. */
typedef struct {
    const int32_t *pos_same, *neg_same; /* [n] from 0, below n, of the used rows */
    const int32_t *pos_diff, *neg_diff; /* [n_pos_diff][n], [n_neg_diff][n] */
    int n_pos_diff, n_neg_diff;
} ap_pair_rule;

/* Of the used rows with ask[i] among `queries`, by pairs with the other used rows; a pair that is of both kinds counts as both. Unit rows.
 * out [queries.n]; a row that is no query has NaN, 0, 0. */
status ap_pairs(const profile_rows *r, const ap_pair_rule *rule, const uint8_t *ask, row_range queries, const ap_scores *out) MUST_USE;

/* null[size]: the AP of m positives placed at random among total, the same for a seed wherever it is computed. */
void ap_null(int32_t m, int32_t total, uint32_t seed, int64_t size, double *null);

/* The same in ascending order; where there are at most 100,000 rankings, the quantiles (s + 0.5) / size of all of them. */
void ap_null_quantiles(int32_t m, int32_t total, uint32_t seed, int64_t size, double *null);

typedef struct {
    int64_t size; /* draws */
    uint32_t seed;
    bool as_0_1; /* the p-values of release 0.1: only what is above counts, and null arrays are averaged in the order of their draws */
} ap_null_options;

enum { AP_NULL_QUANTILES = 3 }; /* 0.05, 0.5, 0.95 */

/* Of each group: the mean AP over its queries (NaN: no query), its p-value; where they are not NULL also the number of queries, and
 * quantiles of its null [AP_NULL_QUANTILES] (NaN: no query, or as_0_1). */
typedef struct {
    double *mean_ap, *p;
    int64_t *n_query;
    double *null_quantile;
} ap_groups;

/* For the groups of the range: p = (1 + #null >= mean) / (1 + size). The group's null is the element-wise mean over its queries' arrays,
 * each in ascending order, so that queries of one group rise and fall together as those of replicates do; where all rankings of m among
 * total can be listed, an array holds the exact quantiles. group [n] and the scores are over all queries; group < 0 or NaN AP: left out.
 * out [groups.n]. */
status ap_pvalues(const ap_scores *scores, const int32_t *group, int64_t n, row_range groups, const ap_null_options *null,
                  const ap_groups *out) MUST_USE;

/* Benjamini-Hochberg: q[i] for p[i]; NaN stays NaN and does not count. */
void ap_adjust(const double *p, int64_t n, double *q);

#endif
