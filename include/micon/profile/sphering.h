/* sphering.h -- sphering on the controls, and principal components (docs/method.md 7). Local.
 *
 * y = (x - mean) W, where the controls come out with unit variance in all directions they span; with a ridge, with less. Without ridge
 * learned from a singular value decomposition of the centred controls, never from their covariance: the cut-off at 2.2e-16 of the
 * largest singular value has no meaning after squaring. With one, small singular values do not matter and the faster way is taken.
 * The parameters live in a struct, to be stored and applied to other data. */
#ifndef MICON_PROFILE_SPHERING_H
#define MICON_PROFILE_SPHERING_H
#include "micon/base/status.h"

#include <stdint.h>

typedef enum { SPHERE_NONE, SPHERE_ZCA, SPHERE_PCA, SPHERE_ZCA_COR, SPHERE_PCA_COR } sphering_kind;

enum { SPHERE_MIN_ROWS = 8 }; /* with fewer controls the caller does without, and says so */

typedef struct {
    sphering_kind kind;
    int64_t d, k;     /* k columns come out: d for ZCA, the rank for PCA */
    int64_t rank;     /* r of docs/method.md 7 */
    int64_t n_fit;    /* rows learned from */
    double largest;   /* the largest singular value */
    double smallest;  /* S_r */
    double shrinkage; /* s of Ledoit and Wolf where it was computed, else NaN */
    double *mean;     /* [d] */
    double *w;        /* [d,k]; for -cor the division by the controls' sd is part of it */
} sphering_params;

/* Learn from the rows of x [n,d] with use[i] = 1 (NULL: all). ridge: to each eigenvalue of their covariance is added that multiple of the
 * mean eigenvalue, so that directions of which few controls say little are not blown up; 0: none; SPHERE_LEDOIT_WOLF: each eigenvalue l
 * becomes (1 - s) l + s m, m their mean, with the shrinkage s that Ledoit and Wolf (2004) compute from the rows. E_FAILED with fewer than
 * two rows, or where they do not vary. */
#define SPHERE_LEDOIT_WOLF (-1.0)
status sphering_fit(sphering_params *p, sphering_kind kind, double ridge, const float *x, int64_t n, int64_t d,
                    const uint8_t *use) MUST_USE;

/* y [n,k] for the rows [first, first+n); x points at row `first` of the whole. */
status sphering_apply(const sphering_params *p, const float *x, int64_t first, int64_t n, float *y) MUST_USE;

/* The first k principal components of the used rows, as a projection without scaling: y = (x - mean) V_k. k is cut to min(n, d).
 * Apply with sphering_apply; kind is SPHERE_NONE. Learned from the covariance in double: leading components need no more. */
status sphering_fit_components(sphering_params *p, const float *x, int64_t n, int64_t d, const uint8_t *use, int64_t k) MUST_USE;

void sphering_free(sphering_params *p);

#endif
