/* replicates_impl.h -- what the two kinds of null sets share: rows in the order of a code, correlations of pairs, medians over them. */
#ifndef PROFILE_REPLICATES_H
#define PROFILE_REPLICATES_H
#include "micon/base/status.h"

#include <stdint.h>

/* Rows by code: start [n_code+1] into row; {0} is valid and empty. */
typedef struct {
    int64_t *start;
    int32_t *row, *filled; /* filled [n_filled]: codes with rows */
    int32_t n_filled;
} rows_by_code;
status rows_by_code_init(rows_by_code *b, const int32_t *code, int64_t n, int32_t n_code) MUST_USE; /* code < 0: left out */
void rows_by_code_free(rows_by_code *b);

/* pair [m (m-1) / 2]: correlations of the pairs of a null set's m rows: (0,1), (0,2), ... Those not yet in `known` are added to it. known
 * NULL: all are computed; room [m,d]. */
void replicate_set_pairs(const float *x, int64_t d, double *known, double *room, const int32_t *row, int m, double *pair);

/* The median over the pairs of m rows, in the order above; reorders pair. place [rows of x]: pairs of one position are left out; NULL: none
 * is. NaN without a pair. */
double replicate_median(double *pair, const int32_t *row, int64_t m, const int32_t *place);

#endif
