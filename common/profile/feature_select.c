/* feature_select.c -- which columns of a feature table are fit for use. */
#include "micon/profile/feature_select.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *select_reason_name(int32_t reason)
{
    static const char *const name[SELECT_N_REASONS] = {"kept",     "all_nan",  "nan_share",   "constant", "absurd",
                                                       "mad_zero", "variance", "correlation", "outlier"};
    return reason >= 0 && reason < SELECT_N_REASONS ? name[reason] : "unknown";
}

/* The numbers of column j, in row order; returns how many. */
static int64_t column(const float *x, int64_t n, int64_t d, int64_t j, double *v)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        if (isfinite(x[i * d + j])) v[m++] = x[i * d + j];
    return m;
}

static select_reason judge(double *v, int64_t m)
{
    if (m == 0) return SELECT_ALL_NAN;
    double low = v[0], high = v[0];
    for (int64_t i = 1; i < m; i++) low = fmin(low, v[i]), high = fmax(high, v[i]);
    if (fmax(fabs(low), fabs(high)) > 1e15) return SELECT_ABSURD;
    if (low == high) return SELECT_CONSTANT;
    double median = linear_median(v, m);
    for (int64_t i = 0; i < m; i++) v[i] = fabs(v[i] - median);
    return linear_median(v, m) <= 1e-9 * fmax(1, fabs(median)) ? SELECT_MAD_ZERO : SELECT_KEEP;
}

status select_clean(const float *x, int64_t n, int64_t d, int32_t *why)
{
    double *v = NULL;
    status st = mem_alloc(&v, (size_t)n, sizeof *v, "a column");
    for (int64_t j = 0; j < d && st == OK; j++) why[j] = (int32_t)judge(v, column(x, n, d, j, v));
    free(v);
    return st;
}

void select_nan_share(const float *x, int64_t n, int64_t d, double cutoff, int32_t *why)
{
    for (int64_t j = 0; j < d; j++) {
        int64_t bad = 0;
        if (why[j] != SELECT_KEEP) continue;
        for (int64_t i = 0; i < n; i++) bad += !isfinite(x[i * d + j]);
        if ((double)bad > cutoff * (double)n) why[j] = SELECT_NAN_SHARE;
    }
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

status select_variance(const float *x, int64_t n, int64_t d, double freq_cut, double unique_cut, int32_t *why)
{
    double *v = NULL;
    status st = mem_alloc(&v, (size_t)n, sizeof *v, "a column");
    for (int64_t j = 0; j < d && st == OK; j++) {
        if (why[j] != SELECT_KEEP) continue;
        int64_t m = column(x, n, d, j, v), distinct = 0, first = 0, second = 0;
        qsort(v, (size_t)m, sizeof *v, ascending);
        for (int64_t i = 0, end; i < m; i = end, distinct++) {
            for (end = i; end < m && v[end] == v[i];) end++;
            if (end - i > first)
                second = first, first = end - i;
            else if (end - i > second)
                second = end - i;
        }
        if (m == 0 || (double)second < freq_cut * (double)first || (double)distinct < unique_cut * (double)n) why[j] = SELECT_VARIANCE;
    }
    free(v);
    return st;
}

/* The kept columns, standardized so that a product of two is their correlation, as rows of z [m,n]. */
static void standard_columns(const float *x, int64_t n, int64_t d, const int32_t *at, int64_t m, double *z)
{
    for (int64_t c = 0; c < m; c++) {
        double *row = z + c * n, sum = 0, square = 0;
        int64_t good = 0;
        for (int64_t i = 0; i < n; i++) {
            row[i] = x[i * d + at[c]];
            if (isfinite(row[i])) sum += row[i], good++;
        }
        double mean = good ? sum / (double)good : 0;
        for (int64_t i = 0; i < n; i++) {
            row[i] = isfinite(row[i]) ? row[i] - mean : 0;
            square += row[i] * row[i];
        }
        double scale = square > 0 ? 1 / sqrt(square) : 0;
        for (int64_t i = 0; i < n; i++) row[i] *= scale;
    }
}

status select_correlation(const float *x, int64_t n, int64_t d, double cutoff, int32_t *why)
{
    status st = OK;
    int32_t *at = NULL;
    double *z = NULL, *r = NULL, *total = NULL;
    int64_t m = 0;
    int ni, mi;
    TRY(mem_alloc(&at, (size_t)d, sizeof *at, "columns"));
    for (int64_t j = 0; j < d; j++)
        if (why[j] == SELECT_KEEP) at[m++] = (int32_t)j;
    TRY(int_from_i64(n, &ni));
    TRY(int_from_i64(m, &mi));
    TRY(mem_alloc(&z, (size_t)m, (size_t)n * sizeof *z, "standardized columns"));
    TRY(mem_alloc(&r, (size_t)m, (size_t)m * sizeof *r, "correlations of columns"));
    TRY(mem_alloc(&total, (size_t)m, sizeof *total, "correlations of columns"));
    standard_columns(x, n, d, at, m, z);
    if (m > 0) cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasTrans, mi, mi, ni, 1, z, ni, z, ni, 0, r, mi);
    for (int64_t a = 0; a < m; a++)
        for (int64_t b = 0; b < m; b++) total[a] += fabs(r[a * m + b]);
    for (int64_t a = 0; a < m; a++)
        for (int64_t b = a + 1; b < m; b++)
            if (r[a * m + b] > cutoff) why[at[total[a] > total[b] ? a : b]] = SELECT_CORRELATION;
done:
    free(at);
    free(z);
    free(r);
    free(total);
    return st;
}

void select_outliers(const float *x, int64_t n, int64_t d, double cutoff, int32_t *why)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            if (why[j] == SELECT_KEEP && isfinite(x[i * d + j]) && fabs((double)x[i * d + j]) > cutoff) why[j] = SELECT_OUTLIER;
}

int64_t select_apply(const float *x, int64_t n, int64_t d, const int32_t *why, float *y)
{
    int64_t m = 0;
    for (int64_t j = 0; j < d; j++) m += why[j] == SELECT_KEEP;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            if (why[j] == SELECT_KEEP) *y++ = x[i * d + j];
    return m;
}
