/* umap.h -- two coordinates for a picture, by UMAP (McInnes, Healy, Melville 2018). Local; the same bytes for a seed however often, on
 * however many processes and wherever it runs on one kind of machine. */
#ifndef MICON_PROFILE_UMAP_H
#define MICON_PROFILE_UMAP_H
#include "micon/base/status.h"
#include "micon/profile/profile_rows.h"

#include <stdint.h>

typedef struct {
    int neighbours; /* 15, the row itself among them */
    int epochs;     /* 0: 500 up to 10,000 rows, else 200 */
    uint32_t seed;
} umap_options;

umap_options umap_defaults(void);

/* The neighbours of each row as neighbours.h gives them: row, dist [n,k]; k is neighbours - 1. */
typedef struct {
    int64_t n;
    int k;
    int32_t *row;
    double *dist;
} umap_neighbours;

typedef struct {
    int32_t from, to;
    double weight;
} umap_edge;

typedef struct {
    float *y; /* [n,2] the coordinates; the caller gives all processes each other's rows after every epoch */
    int64_t n;
    int epochs;
    row_range own; /* the rows that this process moves */
    /* private */
    uint32_t seed;
    int64_t first, end; /* the edges of these rows */
    umap_edge *edge;
    double *every, *next; /* epochs between visits of an edge; the next one */
    float *moved;         /* [n,2] the own rows within an epoch */
    struct umap_forces *forces;
} umap_state;

/* First coordinates of the rows of x [n,d]: start [n,2], their first two principal components. */
status umap_first_places(const float *x, int64_t n, int64_t d, float *start) MUST_USE;

/* min_dist is 0.1, spread 1. n is 2 at least. */
status umap_begin(umap_state *u, const umap_neighbours *neighbours, const float *start, const umap_options *o, row_range own) MUST_USE;
void umap_move(umap_state *u, int epoch); /* 1 .. u->epochs, one after the other */
void umap_free(umap_state *u);

/* All of it by Euclidean distance from x [n,d], on this process; y [n,2]. n < 2 gives zeros. */
status umap_fit(const float *x, int64_t n, int64_t d, const umap_options *o, float *y) MUST_USE;

#endif
