/* bootstrap.h -- 95 % intervals by drawing compounds with replacement; paired for the difference of two methods. Local. A statistic is
 * given by two numbers a compound: the ratio of their sums (hits over queries), or the mean of their quotients over compounds. Compounds
 * with den 0 have no part in a draw's statistic. The draws depend on (seed, number of compounds) alone, so several statistics of the same
 * compounds are drawn alike. Intervals: the 2.5th and 97.5th percentile, linear between values; NaN where fewer than two
 * compounds have a part: how compounds differ cannot be seen in one. */
#ifndef MICON_PROFILE_BOOTSTRAP_H
#define MICON_PROFILE_BOOTSTRAP_H
#include "micon/base/status.h"

#include <stdint.h>

typedef enum { BOOTSTRAP_RATIO, BOOTSTRAP_MEAN } bootstrap_kind;

typedef struct {
    double value, low, high; /* NaN where no compound has a part, low and high also where one has */
} interval;

/* num and den of one run of a method (a seed), by compound. */
typedef struct {
    const double *num, *den;
} bootstrap_run;

status bootstrap_interval(bootstrap_kind kind, const double *num, const double *den, int64_t n, int64_t draws, uint32_t seed,
                          interval *out) MUST_USE;

/* Of value(a) - value(b), the same compounds drawn for both: entry i is the same compound in all four arrays. */
status bootstrap_difference(bootstrap_kind kind, const double *num_a, const double *den_a, const double *num_b, const double *den_b,
                            int64_t n, int64_t draws, uint32_t seed, interval *out) MUST_USE;

/* The mean over the n_a runs of a, less that over the n_b runs of b (0: of a alone). A draw takes compounds, the same for all runs, and
 * runs of each method: the interval is that of another screen of such compounds and other seeds. With one run each as above, to the bit. */
status bootstrap_runs(bootstrap_kind kind, const bootstrap_run *a, int64_t n_a, const bootstrap_run *b, int64_t n_b, int64_t n,
                      int64_t draws, uint32_t seed, interval *out) MUST_USE;

#endif
