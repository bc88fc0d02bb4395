/* umap.h -- two coordinates for a picture, by UMAP (McInnes, Healy, Melville 2018). Local, one process; the same bytes for a seed however
 * often and wherever it runs on one kind of machine. */
#ifndef MICON_PROFILE_UMAP_H
#define MICON_PROFILE_UMAP_H
#include "micon/base/status.h"

#include <stdint.h>

typedef struct {
    int neighbours; /* 15, the row itself among them */
    int epochs;     /* 0: 500 up to 10,000 rows, else 200 */
    uint32_t seed;
} umap_options;

umap_options umap_defaults(void);

/* y [n,2] from the neighbours of each row as neighbours.h gives them (row, dist [n,k], k = neighbours - 1) and first coordinates start
 * [n,2] (the first two principal components). n < 2 gives zeros. min_dist is 0.1, spread 1. */
status umap_layout(const int32_t *neighbour, const double *dist, int64_t n, int k, const float *start, const umap_options *o,
                   float *y) MUST_USE;

/* All of it by Euclidean distance from x [n,d]. */
status umap_fit(const float *x, int64_t n, int64_t d, const umap_options *o, float *y) MUST_USE;

#endif
