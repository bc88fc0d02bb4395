/* kmeans.h -- k-means with k-means++ starts, the best of several. Local. A function of the data and the seed alone. */
#ifndef MICON_PROFILE_KMEANS_H
#define MICON_PROFILE_KMEANS_H
#include "micon/base/status.h"
#include "micon/profile/profile_rows.h"

#include <stdbool.h>
#include <stdint.h>

enum { KMEANS_MOST_STARTS = 16 };

typedef struct {
    int k;
    uint32_t seed;
    int first, starts; /* the starts [first, first + starts): ranks may share them and take the best of theirs */
    int max_rounds;    /* of a start, which ends earlier when no label changes */
    bool greedy;       /* further first centres are the best of 2 + log(k) draws, as in scikit-learn */
} kmeans_options;

/* center [k,d] or NULL; label [n]; *inertia: the sum of squared distances, or NULL. Needs 1 <= k <= n. The best start wins, the earlier of
 * equals. An empty cluster takes the row farthest from its centre. */
status kmeans_fit(const profile_rows *r, const kmeans_options *o, double *center, int32_t *label, double *inertia) MUST_USE;

#endif
