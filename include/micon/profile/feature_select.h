/* feature_select.h -- which columns of a feature table are fit for use: cleaning of outside tables, and pycytominer's rules. Local.
 *
 * Each rule looks only at columns whose why[j] is SELECT_KEEP and marks those that it drops with its own code, so that the record says of
 * every column what dropped it. NaN and infinite cells are left out of all statistics. */
#ifndef MICON_PROFILE_FEATURE_SELECT_H
#define MICON_PROFILE_FEATURE_SELECT_H
#include "micon/base/status.h"

#include <stdint.h>

typedef enum {
    SELECT_KEEP,
    SELECT_ALL_NAN,     /* no number at all */
    SELECT_NAN_SHARE,   /* more cells without a number than allowed */
    SELECT_CONSTANT,    /* one value throughout */
    SELECT_ABSURD,      /* a value beyond 1e15 in size: no measurement */
    SELECT_MAD_ZERO,    /* the median absolute deviation is 0 (1e-9 of the median): mostly one value */
    SELECT_VARIANCE,    /* pycytominer's variance_threshold */
    SELECT_CORRELATION, /* pycytominer's correlation_threshold */
    SELECT_OUTLIER,     /* pycytominer's drop_outliers */
    SELECT_N_REASONS
} select_reason;

const char *select_reason_name(int32_t reason); /* "all_nan", "variance", .. */

/* All-NaN, absurd, constant, MAD zero, in this order; why [d] is overwritten. */
status select_clean(const float *x, int64_t n, int64_t d, int32_t *why) MUST_USE;

/* Columns with a share of cells without a number above `cutoff` (pycytominer: 0.05). */
void select_nan_share(const float *x, int64_t n, int64_t d, double cutoff, int32_t *why);

/* How often the second commonest value occurs against the commonest is below freq_cut (0.05), or distinct values / rows below unique_cut
 * (0.01). (Newer releases of pycytominer call this frequency_threshold.) */
status select_variance(const float *x, int64_t n, int64_t d, double freq_cut, double unique_cut, int32_t *why) MUST_USE;

/* Of each pair with a Pearson correlation above `cutoff` (0.9; not below its negative, as in pycytominer) the column with the larger sum
 * of |correlation| with all kept columns goes (equal: the later one). A cell without a number counts as its column's mean. */
status select_correlation(const float *x, int64_t n, int64_t d, double cutoff, int32_t *why) MUST_USE;

/* Columns with a value above `cutoff` (500) in size; meant for normalized profiles. */
void select_outliers(const float *x, int64_t n, int64_t d, double cutoff, int32_t *why);

/* y [n,m] = the kept columns of x, m = how many; y may be x. Returns m. */
int64_t select_apply(const float *x, int64_t n, int64_t d, const int32_t *why, float *y);

#endif
