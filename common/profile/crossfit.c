/* crossfit.c -- one sphering for each fold of controls, fitted on the others. */
#include "micon/profile/crossfit.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <stdlib.h>

bool crossfit_enough(const uint8_t *use, const int32_t *fold, int64_t n, int32_t n_fold)
{
    for (int32_t f = 0; f < n_fold; f++) {
        int64_t left = 0;
        for (int64_t i = 0; i < n; i++) left += use[i] && fold[i] != f;
        if (left < SPHERE_MIN_ROWS) return false;
    }
    return true;
}

status crossfit_folds(const crossfit *c, const uint8_t *use, sphering_params *fit)
{
    status st = OK;
    uint8_t *others = NULL;
    TRY(mem_alloc(&others, (size_t)c->n, 1, "controls"));
    for (int32_t f = 0; f < c->n_fold; f++) {
        for (int64_t i = 0; i < c->n; i++) others[i] = use[i] && c->fold[i] != f;
        TRY(sphering_fit(&fit[f], c->kind, c->ridge, c->base, c->n, c->d, others));
    }
done:
    free(others);
    return st;
}

status crossfit_rows(const crossfit *c, int32_t f, float *y)
{
    status st = sphering_apply(&c->fit[f], c->base, 0, c->n, y);
    if (st == OK) linear_unit_rows(y, c->n, c->fit[f].k, y);
    return st;
}
