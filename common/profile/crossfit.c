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

status crossfit_fold(const crossfit *c, const uint8_t *use, int32_t f, sphering_params *fit)
{
    status st = OK;
    uint8_t *others = NULL;
    TRY(mem_alloc(&others, (size_t)c->n, 1, "controls"));
    for (int64_t i = 0; i < c->n; i++) others[i] = use[i] && c->fold[i] != f;
    TRY(sphering_fit(fit, c->kind, c->ridge, c->base, c->n, c->d, others));
done:
    free(others);
    return st;
}

status crossfit_rows(const crossfit *c, int32_t f, const int32_t *row, int64_t first, int64_t n, float *y)
{
    const sphering_params *p = &c->fit[f];
    status st = linear_project_rows(c->base, row, first, n, c->d, p->mean, p->w, p->k, y);
    if (st == OK) linear_unit_rows(y, n, p->k, y);
    return st;
}
