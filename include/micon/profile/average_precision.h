/* average_precision.h -- average precision, its null distribution, p-values and their correction (docs/method.md 8). Local. Similarities
 * are exact dot products of unit rows (profile/linear_algebra.h); among equals positives come first, so an AP does not depend on blocks or
 * ranks. Work is split by ranges of queries (AP) and of groups (p-values). */
#ifndef MICON_PROFILE_AVERAGE_PRECISION_H
#define MICON_PROFILE_AVERAGE_PRECISION_H
#include "micon/base/status.h"

#include <stdint.h>

/* The mean over m positives of precision at their rank; rank ascending, from 1. */
double ap_of_ranks(const int32_t *rank, int64_t m);

/* Of similarities of positives and negatives, both reordered. NaN for no positives. */
double ap_of_similarities(double *positive, int64_t m, double *negative, int64_t n);

/* Which controls each row is compared with: those of its plate; with fewer than min_controls its batch's, then its source's, then all. */
typedef struct {
    int32_t n_set;
    int64_t *start;  /* [n_set+1] into row */
    int32_t *row;    /* control rows */
    int32_t *level;  /* [n_set] 0 plate, 1 batch, 2 source, 3 all */
    int32_t *set_of; /* [n] for every row */
} ap_controls;
/* Codes [n] from 0; batch, source may be NULL. E_FAILED without any control. */
status ap_controls_init(ap_controls *c, const uint8_t *control, const int32_t *plate, const int32_t *batch, const int32_t *source,
                        int64_t n, int min_controls) MUST_USE;
void ap_controls_free(ap_controls *c);

/* Activity: for the rows [first, first+n_range) with use[i] = 1 and label >= 0, positives are the other used rows of the label, negatives
 * its controls. x [n,d] unit rows. ap, n_positive, n_total [n_range]; a row that does not ask has NaN, 0, 0; one without positives NaN, 0,
 * its negatives. */
status ap_activity(const float *x, int64_t n, int64_t d, const int32_t *label, const uint8_t *use, const ap_controls *controls,
                   int64_t first, int64_t n_range, double *ap, int32_t *n_positive, int32_t *n_total) MUST_USE;

/* Consistency: each used row has a set of targets target[start[i] .. start[i+1]); positives share any with the query, negatives none;
 * rows without targets are left out. */
status ap_consistency(const float *x, int64_t n, int64_t d, const int64_t *start, const int32_t *target, const uint8_t *use, int64_t first,
                      int64_t n_range, double *ap, int32_t *n_positive, int32_t *n_total) MUST_USE;

/* null[size]: the AP of m positives placed at random among total, the same for a seed wherever it is computed. */
void ap_null(int32_t m, int32_t total, uint32_t seed, int64_t size, double *null);

/* For the groups [first, first+n_range) below n_group: mean AP over the group's queries (NaN: none), and p = (1 + #null > mean) / (1 +
 * size) where the group's null is the element-wise mean over its queries' arrays. Arrays [n] over all queries; group < 0 or NaN AP: left
 * out. n_query may be NULL. */
status ap_pvalues(const double *ap, const int32_t *n_positive, const int32_t *n_total, const int32_t *group, int64_t n, int32_t first,
                  int32_t n_range, int64_t null_size, uint32_t seed, double *mean_ap, double *p, int64_t *n_query) MUST_USE;

/* Benjamini-Hochberg: q[i] for p[i]; NaN stays NaN and does not count. */
void ap_adjust(const double *p, int64_t n, double *q);

#endif
