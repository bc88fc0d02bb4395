/* bootstrap.h -- 95 % intervals by drawing compounds with replacement; paired for the difference of two methods. Local. A statistic is
 * given by two numbers a compound: the ratio of their sums (hits over queries), or the mean of their quotients over compounds. Compounds
 * with den 0 have no part in a draw's statistic. The draws depend on (seed, number of compounds) alone, so several statistics of the same
 * compounds are drawn alike. Intervals: the 2.5th and 97.5th percentile, linear between values. */
#ifndef MICON_PROFILE_BOOTSTRAP_H
#define MICON_PROFILE_BOOTSTRAP_H
#include "micon/base/status.h"

#include <stdint.h>

typedef enum { BOOTSTRAP_RATIO, BOOTSTRAP_MEAN } bootstrap_kind;

typedef struct {
    double value, low, high; /* NaN where no compound has a part */
} interval;

status bootstrap_interval(bootstrap_kind kind, const double *num, const double *den, int64_t n, int64_t draws, uint32_t seed,
                          interval *out) MUST_USE;

/* Of value(a) - value(b), the same compounds drawn for both: entry i is the same compound in all four arrays. */
status bootstrap_difference(bootstrap_kind kind, const double *num_a, const double *den_a, const double *num_b, const double *den_b,
                            int64_t n, int64_t draws, uint32_t seed, interval *out) MUST_USE;

#endif
