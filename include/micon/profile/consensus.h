/* consensus.h -- one profile a treatment: the median over its wells, feature by feature. Local. */
#ifndef MICON_PROFILE_CONSENSUS_H
#define MICON_PROFILE_CONSENSUS_H
#include "micon/base/status.h"

#include <stdint.h>

/* y [n_label,d]: medians over the rows of x [n,d] with use[i] = 1 (NULL: all) and that label; count [n_label] of its rows. A label without
 * rows: zeros. Labels below 0 are left out. */
status consensus_median(const float *x, int64_t n, int64_t d, const int32_t *label, const uint8_t *use, int32_t n_label, float *y,
                        int64_t *count) MUST_USE;

/* y [n_label,d]: means instead, in double, rows in order: sites to wells. */
status consensus_mean(const float *x, int64_t n, int64_t d, const int32_t *label, const uint8_t *use, int32_t n_label, float *y,
                      int64_t *count) MUST_USE;

#endif
