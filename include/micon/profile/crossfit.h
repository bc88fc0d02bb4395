/* crossfit.h -- activity against controls that had no part in the sphering (docs/method.md 7). Local.
 *
 * Controls come out shorter of a sphering that they fitted than wells that did not, so against them every well looks active. A control of
 * fold f is therefore only compared in profiles sphered by the other folds, and so are the wells that it is ranked against. */
#ifndef MICON_PROFILE_CROSSFIT_H
#define MICON_PROFILE_CROSSFIT_H
#include "micon/profile/sphering.h"

#include <stdbool.h>

typedef struct {
    const float *base; /* [n,d] rows before sphering */
    int64_t n, d;
    const int32_t *fold; /* [n] of the controls */
    int32_t n_fold;
    sphering_kind kind;
    double ridge;
    const sphering_params *fit; /* [n_fold] without the controls of the fold */
} crossfit;

/* Are SPHERE_MIN_ROWS of the n used rows left, whichever fold is left out? */
bool crossfit_enough(const uint8_t *use, const int32_t *fold, int64_t n, int32_t n_fold);

/* sphering_fit on the used rows of all folds but f. c->fit is not used. */
status crossfit_fold(const crossfit *c, const uint8_t *use, int32_t f, sphering_params *fit) MUST_USE;

/* y [n, fit[f].k], unit rows: the rows row[first], ..., row[first+n-1] by the fit of fold f. */
status crossfit_rows(const crossfit *c, int32_t f, const int32_t *row, int64_t first, int64_t n, float *y) MUST_USE;

#endif
