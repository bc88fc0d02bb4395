/* neighbours.h -- exact nearest neighbours of rows among themselves, the row itself left out. Local; split by ranges of rows.
 * Ties go to the lower row; the outcome does not depend on the range. */
#ifndef MICON_PROFILE_NEIGHBOURS_H
#define MICON_PROFILE_NEIGHBOURS_H
#include "micon/base/status.h"

#include <stdint.h>

/* By Euclidean distance: row and dist [n_range,k], nearest first, for the rows [first, first+n_range) of x [n,d].
 * row -1 and dist infinite where n - 1 < k. */
status neighbours_euclid(const float *x, int64_t n, int64_t d, int64_t first, int64_t n_range, int k, int32_t *row, double *dist) MUST_USE;

/* How far the k neighbours in y [n,dy] were neighbours in x [n,d] already (Venna and Kaski 2001), 1 at best; k < n / 2.
 * n^2 d operations: for samples. */
status neighbours_trustworthiness(const float *x, int64_t d, const float *y, int64_t dy, int64_t n, int k, double *out) MUST_USE;

#endif
