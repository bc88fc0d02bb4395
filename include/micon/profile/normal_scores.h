/* normal_scores.h -- each value replaced by the normal score of its rank in a group of rows, so that values far out and the shape of a
 * feature's distribution on a plate no longer count (docs/method.md 7). Local. x has only finite values. */
#ifndef MICON_PROFILE_NORMAL_SCORES_H
#define MICON_PROFILE_NORMAL_SCORES_H
#include "micon/base/status.h"

#include <stdint.h>

/* Rows that the ranks are not made from, but which are placed among those that they are. */
typedef struct {
    const float *x; /* [n,d] */
    const int32_t *group;
    int64_t n;
    float *y; /* [n,d] */
} scored_others;

/* y [n,d]: of each feature, the normal score of the row's rank among the m rows of its group (codes below n_group): Phi^-1((r - 3/8) / (m +
 * 1/4)) (Blom 1958), equal values at their mean rank. Others (may be NULL; a group < 0 gives 0): between the scores of the two values
 * around theirs, linear; beyond the last, its score. x and y may be the same. */
status normal_scores(const float *x, int64_t n, int64_t d, const int32_t *group, int32_t n_group, const scored_others *others,
                     float *y) MUST_USE;

/* Phi^-1 for 0 < p < 1. */
double normal_quantile(double p);

#endif
