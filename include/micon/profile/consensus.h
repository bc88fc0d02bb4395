/* consensus.h -- one profile a treatment: the median over its wells, feature by feature. Local. */
#ifndef MICON_PROFILE_CONSENSUS_H
#define MICON_PROFILE_CONSENSUS_H
#include "micon/base/status.h"
#include "micon/profile/profile_rows.h"

#include <stdint.h>

/* y [n_label,d]: medians over the used rows of that label; count [n_label] of its rows. A label without
 * rows: zeros. Labels below 0 are left out. */
status consensus_median(const profile_rows *r, int32_t n_label, float *y, int64_t *count) MUST_USE;

/* y [n_label,d]: means instead, in double, rows in order: sites to wells. */
status consensus_mean(const profile_rows *r, int32_t n_label, float *y, int64_t *count) MUST_USE;

#endif
