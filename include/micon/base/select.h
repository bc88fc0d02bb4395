/* select.h -- order statistics of numbers without sorting them all. Local. */
#ifndef MICON_BASE_SELECT_H
#define MICON_BASE_SELECT_H
#include <stdint.h>

/* The k-th smallest (from 0) of v [n], n >= 1, none of them NaN; v is put in another order. */
float select_nth(float *v, int64_t n, int64_t k);

/* The middle one, or the mean of the middle two; NaN where n is 0. v is put in another order. */
float select_median(float *v, int64_t n);

#endif
