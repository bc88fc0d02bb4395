/* linear_algebra.h -- the few matrix operations that the metrics share. Local.
 * Matrices are row-major float. An "exact" dot product is the sum, in double and in index order, of the products: the product of two
 * floats fits a double, so its value does not depend on the instruction set, on blocks or on ranks. */
#ifndef MICON_PROFILE_LINEAR_ALGEBRA_H
#define MICON_PROFILE_LINEAR_ALGEBRA_H
#include "micon/base/status.h"

#include <stdint.h>

/* out [n,d] = the rows of x divided by their Euclidean length; a row of zeros stays one. x and out may be the same. */
void linear_unit_rows(const float *x, int64_t n, int64_t d, float *out);

/* Each row minus its own mean, then as above: the product of two such rows is Pearson's correlation. */
void linear_pearson_rows(const float *x, int64_t n, int64_t d, float *out);

double linear_dot(const float *a, const float *b, int64_t d); /* exact */

/* out[i] = exact a . x[row[i]], i < n. */
void linear_dot_rows(const float *a, const float *x, int64_t d, const int32_t *row, int64_t n, double *out);

/* Rows of x laid out for exact products of one vector with all of them. Free with linear_panels_free; {0} is valid and empty. */
typedef struct {
    float *block; /* [ceil(n / LINEAR_PANEL)][d][LINEAR_PANEL], zero padded */
    int64_t n, d;
} linear_panels;
enum { LINEAR_PANEL = 32 };
status linear_panels_init(linear_panels *p, const float *x, int64_t d, const int32_t *row, int64_t n) MUST_USE;
/* out: n rounded up to a multiple of LINEAR_PANEL doubles; the first n are the exact products in the order of `row`. */
void linear_panels_dot(const linear_panels *p, const float *a, double *out);
void linear_panels_free(linear_panels *p);

/* y [n,k] = (x - mean) w for the rows [first, first+n) of x; x points at row `first`. mean [d] or NULL; w [d,k] double.
 * Computed in blocks cut at multiples of a fixed number of rows of the whole, so that a row's bytes do not depend on the range. */
status linear_project(const float *x, int64_t first, int64_t n, int64_t d, const double *mean, const double *w, int64_t k,
                      float *y) MUST_USE;
/* The same of the rows row[first], ..., row[first+n-1] of x, in float; blocks are cut at multiples of that number of places in `row`. */
status linear_project_rows(const float *x, const int32_t *row, int64_t first, int64_t n, int64_t d, const double *mean, const double *w,
                           int64_t k, float *y) MUST_USE;

/* The mean and the median of n numbers (the mean of the middle two for an even count); the median reorders v. NaN for n = 0. */
double linear_mean(const double *v, int64_t n);
double linear_median(double *v, int64_t n);
/* The value of 0-based rank k in ascending order; reorders v. */
double linear_nth(double *v, int64_t n, int64_t k);
/* As numpy's percentile, linear between neighbours; share in [0, 1]; reorders v. */
double linear_quantile(double *v, int64_t n, double share);

#endif
