/* kmeans.h -- k-means with k-means++ starts, the best of several. Local. A function of the data and the seed alone. */
#ifndef MICON_PROFILE_KMEANS_H
#define MICON_PROFILE_KMEANS_H
#include "micon/base/status.h"

#include <stdint.h>

enum { KMEANS_MOST_STARTS = 16 };

/* x [n,d]; center [k,d] or NULL; label [n]; *inertia: the sum of squared distances, or NULL. Needs 1 <= k <= n.
 * The best of the starts [first, first + starts), the earlier of equals: ranks may share the starts and take the best of theirs.
 * A start ends when no label changes, or after max_rounds. A cluster left empty takes the row farthest from its centre. */
status kmeans_fit(const float *x, int64_t n, int64_t d, int k, uint32_t seed, int first, int starts, int max_rounds, double *center,
                  int32_t *label, double *inertia) MUST_USE;

#endif
