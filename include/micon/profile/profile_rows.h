/* profile_rows.h -- a table of profiles as the metrics take it, and a range of its rows. Plain views: nothing is owned. */
#ifndef MICON_PROFILE_PROFILE_ROWS_H
#define MICON_PROFILE_PROFILE_ROWS_H
#include <stdint.h>

typedef struct {
    const float *x; /* [n,d] */
    int64_t n, d;
    const int32_t *label; /* [n] codes from 0; -1: no label; NULL where a function needs none */
    const uint8_t *use;   /* [n] 1: the row takes part; NULL: all rows do */
} profile_rows;

/* The rows (or labels) [first, first + n). */
typedef struct {
    int64_t first, n;
} row_range;

#endif
