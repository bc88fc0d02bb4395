/* linear_algebra.c -- exact dot products, projections in fixed blocks, order statistics. */
#include "micon/profile/linear_algebra.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/simd_clones.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

HOT static void unit_row(const float *x, int64_t d, double mean, float *out)
{
    enum { SUMS = 8 }; /* one sum alone waits for its own additions */
    double part[SUMS] = {0}, sum = 0;
    int64_t j = 0;
    for (; j + SUMS <= d; j += SUMS)
        for (int i = 0; i < SUMS; i++) part[i] += (x[j + i] - mean) * (x[j + i] - mean);
    for (; j < d; j++) part[j % SUMS] += (x[j] - mean) * (x[j] - mean);
    for (int i = 0; i < SUMS; i++) sum += part[i];
    double scale = sum > 0 ? 1 / sqrt(sum) : 0;
    for (j = 0; j < d; j++) out[j] = (float)((x[j] - mean) * scale);
}

void linear_unit_rows(const float *x, int64_t n, int64_t d, float *out)
{
    for (int64_t i = 0; i < n; i++) unit_row(x + i * d, d, 0, out + i * d);
}

void linear_pearson_rows(const float *x, int64_t n, int64_t d, float *out)
{
    for (int64_t i = 0; i < n; i++) {
        const float *row = x + i * d;
        double sum = 0, low = row[0], high = row[0];
        for (int64_t j = 0; j < d; j++) {
            sum += row[j];
            low = row[j] < low ? row[j] : low;
            high = row[j] > high ? row[j] : high;
        }
        if (low < high)
            unit_row(row, d, sum / (double)d, out + i * d);
        else /* a constant row correlates with nothing; its rounding noise must not */
            memset(out + i * d, 0, (size_t)d * sizeof *out);
    }
}

double linear_dot(const float *a, const float *b, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += (double)a[j] * b[j];
    return sum;
}

/* Four floats to double at a time: that is one instruction where wider ones come apart. */
typedef double d4 __attribute__((vector_size(32)));
typedef float f4 __attribute__((vector_size(16)));

#define TAKE_FOUR(to, p)                                                                                                                   \
    do {                                                                                                                                   \
        f4 four;                                                                                                                           \
        memcpy(&four, (p), sizeof four);                                                                                                   \
        (to) = __builtin_convertvector(four, d4);                                                                                          \
    } while (0)

/* Four entries of four rows at once, turned so that a vector holds one entry of each row: each row's sum is still in index order. */
#define FOUR_ROWS(sum, r, j, v)                                                                                                            \
    do {                                                                                                                                   \
        d4 p, q, s, t;                                                                                                                     \
        TAKE_FOUR(p, (r)[0] + (j));                                                                                                        \
        TAKE_FOUR(q, (r)[1] + (j));                                                                                                        \
        TAKE_FOUR(s, (r)[2] + (j));                                                                                                        \
        TAKE_FOUR(t, (r)[3] + (j));                                                                                                        \
        d4 pq = __builtin_shufflevector(p, q, 0, 4, 2, 6), qp = __builtin_shufflevector(p, q, 1, 5, 3, 7);                                 \
        d4 st = __builtin_shufflevector(s, t, 0, 4, 2, 6), ts = __builtin_shufflevector(s, t, 1, 5, 3, 7);                                 \
        (sum) += (v)[0] * __builtin_shufflevector(pq, st, 0, 1, 4, 5);                                                                     \
        (sum) += (v)[1] * __builtin_shufflevector(qp, ts, 0, 1, 4, 5);                                                                     \
        (sum) += (v)[2] * __builtin_shufflevector(pq, st, 2, 3, 6, 7);                                                                     \
        (sum) += (v)[3] * __builtin_shufflevector(qp, ts, 2, 3, 6, 7);                                                                     \
    } while (0)

enum { SUMS = 16 };

HOT static void dot_sums(const float *a, const float *const r[SUMS], int64_t d, double out[SUMS])
{
    d4 s0 = {0}, s1 = s0, s2 = s0, s3 = s0;
    int64_t j = 0;
    for (; j + 4 <= d; j += 4) {
        d4 v;
        TAKE_FOUR(v, a + j);
        FOUR_ROWS(s0, r, j, v);
        FOUR_ROWS(s1, r + 4, j, v);
        FOUR_ROWS(s2, r + 8, j, v);
        FOUR_ROWS(s3, r + 12, j, v);
    }
    memcpy(out, &s0, sizeof s0);
    memcpy(out + 4, &s1, sizeof s1);
    memcpy(out + 8, &s2, sizeof s2);
    memcpy(out + 12, &s3, sizeof s3);
    for (; j < d; j++)
        for (int t = 0; t < SUMS; t++) out[t] += (double)a[j] * r[t][j];
}

void linear_dot_rows(const float *a, const float *x, int64_t d, const int32_t *row, int64_t n, double *out)
{
    for (int64_t i = 0; i < n; i += SUMS) {
        const float *r[SUMS];
        double s[SUMS];
        int64_t m = n - i < SUMS ? n - i : SUMS;
        for (int64_t t = 0; t < SUMS; t++) r[t] = x + row[t < m ? i + t : i] * d; /* past the end the first once more */
        dot_sums(a, r, d, s);
        memcpy(out + i, s, (size_t)m * sizeof *s);
    }
}

status linear_panels_init(linear_panels *p, const float *x, int64_t d, const int32_t *row, int64_t n)
{
    int64_t blocks = (n + LINEAR_PANEL - 1) / LINEAR_PANEL;
    status st = mem_alloc(&p->block, (size_t)(blocks * LINEAR_PANEL), (size_t)d * sizeof(float), "rows laid out for products");
    if (st != OK) return st;
    p->n = n, p->d = d;
    for (int64_t i = 0; i < n; i++) {
        const float *from = x + row[i] * d;
        float *to = p->block + (i / LINEAR_PANEL) * d * LINEAR_PANEL + i % LINEAR_PANEL;
        for (int64_t j = 0; j < d; j++) to[j * LINEAR_PANEL] = from[j];
    }
    return OK;
}

#define ADD(sum, at)                                                                                                                       \
    do {                                                                                                                                   \
        d4 v;                                                                                                                              \
        TAKE_FOUR(v, p + (at));                                                                                                            \
        (sum) += b * v;                                                                                                                    \
    } while (0)

HOT static void panel_dot(const float *block, const float *a, int64_t d, double *out)
{
    d4 s[LINEAR_PANEL / 4] = {{0}}, s0 = s[0], s1 = s[0], s2 = s[0], s3 = s[0], s4 = s[0], s5 = s[0], s6 = s[0], s7 = s[0];
    const float *p = block;
    for (int64_t j = 0; j < d; j++, p += LINEAR_PANEL) {
        double b = a[j];
        ADD(s0, 0);
        ADD(s1, 4);
        ADD(s2, 8);
        ADD(s3, 12);
        ADD(s4, 16);
        ADD(s5, 20);
        ADD(s6, 24);
        ADD(s7, 28);
    }
    s[0] = s0, s[1] = s1, s[2] = s2, s[3] = s3, s[4] = s4, s[5] = s5, s[6] = s6, s[7] = s7;
    memcpy(out, s, sizeof s);
}

void linear_panels_dot(const linear_panels *p, const float *a, double *out)
{
    for (int64_t i = 0; i < p->n; i += LINEAR_PANEL) panel_dot(p->block + i * p->d, a, p->d, out + i);
}

void linear_panels_free(linear_panels *p)
{
    FREE(p->block);
    p->n = 0;
}

/* A matrix product's last bits depend on where a row lies in the block and on the block's shape: both are kept the same whatever the
 * range, with zeros for the rows of a block that are not asked for. */
status linear_project(const float *x, int64_t first, int64_t n, int64_t d, const double *mean, const double *w, int64_t k, float *y)
{
    enum { ROWS = 256 };
    status st = OK;
    double *in = NULL, *out = NULL;
    int di, ki;
    TRY(int_from_i64(d, &di));
    TRY(int_from_i64(k, &ki));
    TRY(mem_alloc(&in, ROWS, (size_t)d * sizeof *in, "a block of profiles"));
    TRY(mem_alloc(&out, ROWS, (size_t)k * sizeof *out, "a block of profiles"));
    for (int64_t at = first / ROWS * ROWS; at < first + n; at += ROWS) {
        int64_t from = at < first ? first : at, to = at + ROWS < first + n ? at + ROWS : first + n;
        if (to - from < ROWS) memset(in, 0, (size_t)(ROWS * d) * sizeof *in);
        for (int64_t i = from; i < to; i++)
            for (int64_t j = 0; j < d; j++) in[(i - at) * d + j] = x[(i - first) * d + j] - (mean ? mean[j] : 0);
        cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ROWS, ki, di, 1, in, di, w, ki, 0, out, ki);
        for (int64_t i = from; i < to; i++)
            for (int64_t j = 0; j < k; j++) y[(i - first) * k + j] = (float)out[(i - at) * k + j];
    }
done:
    free(in);
    free(out);
    return st;
}

status linear_project_rows(const float *x, const int32_t *row, int64_t first, int64_t n, int64_t d, const double *mean, const double *w,
                           int64_t k, float *y)
{
    enum { ROWS = 256 };
    status st = OK;
    float *in = NULL, *out = NULL, *by = NULL;
    int di, ki;
    TRY(int_from_i64(d, &di));
    TRY(int_from_i64(k, &ki));
    TRY(mem_alloc(&in, ROWS, (size_t)d * sizeof *in, "a block of profiles"));
    TRY(mem_alloc(&out, ROWS, (size_t)k * sizeof *out, "a block of profiles"));
    TRY(mem_alloc(&by, (size_t)d, (size_t)k * sizeof *by, "a sphering"));
    for (int64_t j = 0; j < d * k; j++) by[j] = (float)w[j];
    for (int64_t at = first / ROWS * ROWS; at < first + n; at += ROWS) {
        int64_t from = at < first ? first : at, to = at + ROWS < first + n ? at + ROWS : first + n;
        if (to - from < ROWS) memset(in, 0, (size_t)(ROWS * d) * sizeof *in);
        for (int64_t i = from; i < to; i++)
            for (int64_t j = 0; j < d; j++) in[(i - at) * d + j] = (float)(x[row[i] * d + j] - mean[j]);
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, ROWS, ki, di, 1, in, di, by, ki, 0, out, ki);
        memcpy(y + (from - first) * k, out + (from - at) * k, (size_t)((to - from) * k) * sizeof *y);
    }
done:
    free(in);
    free(out);
    free(by);
    return st;
}

double linear_mean(const double *v, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++) sum += v[i];
    return n > 0 ? sum / (double)n : NAN;
}

static void swap(double *a, double *b)
{
    double t = *a;
    *a = *b;
    *b = t;
}

/* Quickselect, middle of three as the pivot, three-way partition: equal values do not slow it down. */
double linear_nth(double *v, int64_t n, int64_t k)
{
    int64_t low = 0, high = n - 1;
    while (low < high) {
        double a = v[low], b = v[low + (high - low) / 2], c = v[high];
        double pivot = a < b ? (b < c ? b : (a < c ? c : a)) : (a < c ? a : (b < c ? c : b));
        int64_t less = low, i = low, more = high;
        while (i <= more) {
            if (v[i] < pivot)
                swap(&v[i++], &v[less++]);
            else if (v[i] > pivot)
                swap(&v[i], &v[more--]);
            else
                i++;
        }
        if (k < less)
            high = less - 1;
        else if (k > more)
            low = more + 1;
        else
            return pivot;
    }
    return v[k];
}

double linear_median(double *v, int64_t n)
{
    if (n == 0) return NAN;
    double high = linear_nth(v, n, n / 2);
    if (n % 2) return high;
    double low = v[0]; /* the largest of the lower half, which nth left in front */
    for (int64_t i = 1; i < n / 2; i++) low = v[i] > low ? v[i] : low;
    return (low + high) / 2;
}

double linear_quantile(double *v, int64_t n, double share)
{
    if (n == 0) return NAN;
    double at = share * (double)(n - 1);
    int64_t k = (int64_t)floor(at);
    double low = linear_nth(v, n, k), high = low;
    if (k + 1 < n) high = linear_nth(v + k + 1, n - k - 1, 0);
    return low + (high - low) * (at - (double)k);
}
