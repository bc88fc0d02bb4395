/* normalize.h -- put plates on one scale: robust MAD or mean and sd, per group, learned on its controls (docs/method.md 7). Local.
 *
 * The parameters live in a struct, so that they can be stored and applied to another plate or screen. NaN and infinite
 * cells take no part in the fit and become 0, the group's own centre; how many there were is returned. */
#ifndef MICON_PROFILE_NORMALIZE_H
#define MICON_PROFILE_NORMALIZE_H
#include "micon/base/status.h"

#include <stdint.h>

typedef enum { NORMALIZE_MAD, NORMALIZE_STANDARDIZE } normalize_kind;

/* On which wells a group's parameters were learned. */
typedef enum { NORMALIZE_ON_CONTROLS, NORMALIZE_ON_BATCH, NORMALIZE_ON_SOURCE, NORMALIZE_ON_ALL } normalize_level;

typedef struct {
    normalize_kind kind;
    int64_t n_group, d;
    double *center;   /* [n_group,d] median or mean */
    double *scale;    /* [n_group,d] the divisor: 1.4826 MAD + 1e-18, or sd; 0 where the group's feature does not vary */
    uint8_t *keep;    /* [d] 0: dropped everywhere, it does not vary in over 10 % of the groups */
    int64_t *n_zero;  /* [d] groups in which the feature does not vary */
    int32_t *level;   /* [n_group] normalize_level */
    int64_t *n_learn; /* [n_group] wells learned on */
    int64_t d_kept;
} normalize_params;

/* What is known of the rows. Codes count from 0 and must be below their number; group is what is normalized by. */
typedef struct {
    const int32_t *group;   /* [n] below n_group */
    const int32_t *batch;   /* [n] may be NULL: no such fallback */
    const int32_t *source;  /* [n] may be NULL */
    const uint8_t *control; /* [n] 1: learn on this row; NULL: on all rows (normalize_on: all) */
    int64_t n_group;
    int min_controls; /* a group with fewer learns on the controls of its batches, then its sources, then on all its rows */
} normalize_rows;

/* Features [n,d]; exact takes the place of x where it is not NULL. */
typedef struct {
    const float *x;
    const double *exact;
    int64_t n, d;
} normalize_table;

/* Learn from the table. E_FAILED where a group has no rows. That nothing is left after dropping (d_kept 0) is for the caller to say. */
status normalize_fit(normalize_params *p, normalize_kind kind, const normalize_table *t, const normalize_rows *rows) MUST_USE;

/* How many features do not vary in the group. */
int64_t normalize_flat(const normalize_params *p, int64_t group);

/* y [n, d_kept] = the kept features of the table, normalized; group: as at the fit. y may not overlap x. */
void normalize_apply(const normalize_params *p, const normalize_table *t, const int32_t *group, float *y, int64_t *n_not_finite);

/* Cells, over all features, for which division by a spread of 0 gives no number (the median itself, or NaN cells) or infinity: as others
 * write them. */
void normalize_count_undefined(const normalize_params *p, const normalize_table *t, const int32_t *group, int64_t *n_nan, int64_t *n_inf);

/* kept [d_kept]: the columns of x that are left, in order. */
void normalize_kept(const normalize_params *p, int32_t *kept);

void normalize_free(normalize_params *p);

#endif
