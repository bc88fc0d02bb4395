/* sphering.c -- the four spherings from singular values and right vectors, and plain principal components. */
#include "micon/profile/sphering.h"

#include "lapack_impl.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double EPS = 1e-6, UNIT = 2.2e-16, SMALL = 1e-6;

/* The used rows, centred and (cor) divided by their sd, as a column-major [n,d] matrix; sd [d] is 1 where cor is not asked for. */
static status centred_columns(const sphering_params *p, const float *x, int64_t n, const uint8_t *use, bool cor, double *a, double *sd)
{
    enum { ROWS = 16 };
    int64_t d = p->d, m = p->n_fit;
    for (int64_t j = 0; j < d; j++) p->mean[j] = 0;
    for (int64_t i = 0, at = 0; i < n;) { /* several rows at once: their numbers share a column's cache lines */
        int64_t row[ROWS], k = 0;
        for (; i < n && k < ROWS; i++)
            if (!use || use[i]) row[k++] = i;
        for (int64_t j = 0; j < d; j++)
            for (int64_t t = 0; t < k; t++) {
                double v = x[row[t] * d + j];
                if (!isfinite(v))
                    return fail(E_FAILED, "sphering: row %lld, column %lld is NaN or infinite", (long long)row[t], (long long)j);
                a[j * m + at + t] = v;
                p->mean[j] += v;
            }
        at += k;
    }
    for (int64_t j = 0; j < d; j++) {
        double *col = a + j * m, sum = 0;
        p->mean[j] /= (double)m;
        for (int64_t i = 0; i < m; i++) {
            col[i] -= p->mean[j];
            sum += col[i] * col[i];
        }
        sd[j] = 1;
        if (!cor) continue;
        sd[j] = sqrt(sum / (double)m);
        if (sd[j] <= 1e-12 * fmax(1, fabs(p->mean[j]))) sd[j] = 1; /* constant: it has no scale, and stays near 0 */
        for (int64_t i = 0; i < m; i++) col[i] /= sd[j];
    }
    return OK;
}

/* a [n,d] column-major with n > d becomes its triangular factor [d,d]: same singular values and right vectors, far smaller. */
static status reduce_to_triangle(double *a, int n, int d, double *r)
{
    status st = OK;
    double *tau = NULL, *work = NULL, best;
    int info, ask = -1, lwork;
    TRY(mem_alloc(&tau, (size_t)d, sizeof *tau, "sphering"));
    dgeqrf_(&n, &d, a, &n, tau, &best, &ask, &info);
    lwork = (int)best;
    TRY(mem_alloc(&work, (size_t)lwork, sizeof *work, "sphering"));
    dgeqrf_(&n, &d, a, &n, tau, work, &lwork, &info);
    if (info != 0) TRY(fail(E_INTERNAL, "sphering: dgeqrf: %d", info));
    for (int64_t j = 0; j < d; j++)
        for (int64_t i = 0; i < d; i++) r[j * d + i] = i <= j ? a[j * n + i] : 0;
done:
    free(tau);
    free(work);
    return st;
}

/* s [q] and vt [q,d] row-major (that is, v's columns as rows), q = min(m, d), of the column-major a [m,d], which is destroyed. */
static status decompose(double *a, int m, int d, double *s, double *v_rows)
{
    status st = OK;
    int q = m < d ? m : d, info, ask = -1, lwork;
    double *u = NULL, *vt = NULL, *work = NULL, best;
    int *iwork = NULL;
    TRY(mem_alloc(&u, (size_t)m, (size_t)q * sizeof *u, "sphering"));
    TRY(mem_alloc(&vt, (size_t)q, (size_t)d * sizeof *vt, "sphering"));
    TRY(mem_alloc(&iwork, 8 * (size_t)q, sizeof *iwork, "sphering"));
    dgesdd_("S", &m, &d, a, &m, s, u, &m, vt, &q, &best, &ask, iwork, &info);
    lwork = (int)best;
    TRY(mem_alloc(&work, (size_t)lwork, sizeof *work, "sphering"));
    dgesdd_("S", &m, &d, a, &m, s, u, &m, vt, &q, work, &lwork, iwork, &info);
    if (info != 0) TRY(fail(E_FAILED, "sphering: the singular value decomposition failed (dgesdd: %d)", info));
    for (int64_t i = 0; i < q; i++)
        for (int64_t j = 0; j < d; j++) v_rows[i * d + j] = vt[j * q + i];
done:
    free(u);
    free(vt);
    free(iwork);
    free(work);
    return st;
}

/* Eigenvalues [n], ascending, and eigenvectors (columns) of the column-major symmetric a [n,n], whose lower triangle is read. */
static status eigen(double *a, int n, double *values)
{
    status st = OK;
    double *work = NULL, best;
    int *iwork = NULL, info, ask = -1, lwork, liwork;
    dsyevd_("V", "L", &n, a, &n, values, &best, &ask, &liwork, &ask, &info);
    lwork = (int)best;
    TRY(mem_alloc(&work, (size_t)lwork, sizeof *work, "sphering"));
    TRY(mem_alloc(&iwork, (size_t)liwork, sizeof *iwork, "sphering"));
    dsyevd_("V", "L", &n, a, &n, values, work, &lwork, iwork, &liwork, &info);
    if (info != 0) TRY(fail(E_FAILED, "sphering: the eigenvalue problem failed (dsyevd: %d)", info));
done:
    free(work);
    free(iwork);
    return st;
}

/* Eigenvalues ascend; singular values descend. */
static void to_singular(double *s, int n)
{
    for (int i = 0; i < n / 2; i++) {
        double swap = s[i];
        s[i] = s[n - 1 - i], s[n - 1 - i] = swap;
    }
    for (int i = 0; i < n; i++) s[i] = sqrt(fmax(0, s[i]));
}

/* The same from the eigenvalues of a' a, several times faster; not good, with a left as it is, where squaring would cost too many digits:
 * where the smallest eigenvalue is below 1e-7 of the largest (a relative error of about 1e-8 in the smallest singular value), unless any
 * will do. m > d. */
static status decompose_square(const double *a, int m, int d, bool any, double *s, double *v_rows, bool *good)
{
    status st = OK;
    double *square = NULL;
    TRY(mem_alloc(&square, (size_t)d, (size_t)d * sizeof *square, "sphering"));
    cblas_dsyrk(CblasColMajor, CblasLower, CblasTrans, d, m, 1, a, m, 0, square, d);
    TRY(eigen(square, d, s));
    *good = any || s[0] > 1e-7 * s[d - 1];
    if (!*good) goto done;
    for (int64_t i = 0; i < d; i++) memcpy(v_rows + i * d, square + (d - 1 - i) * d, (size_t)d * sizeof *v_rows);
    to_singular(s, d);
done:
    free(square);
    return st;
}

/* The same from a a', for few rows, where small singular values do not matter: those below SMALL of the largest have a vector of zeros.
 * m <= d. */
static status decompose_gram(const double *a, int m, int d, double *s, double *v_rows)
{
    status st = OK;
    double *square = NULL;
    TRY(mem_alloc(&square, (size_t)m, (size_t)m * sizeof *square, "sphering"));
    cblas_dsyrk(CblasColMajor, CblasLower, CblasNoTrans, m, d, 1, a, m, 0, square, m);
    TRY(eigen(square, m, s));
    to_singular(s, m);
    /* v_i = a' u_i / s_i: rows of v are the columns of a product, the eigenvectors in descending order */
    cblas_dgemm(CblasColMajor, CblasTrans, CblasNoTrans, d, m, m, 1, a, m, square, m, 0, v_rows, d);
    for (int64_t i = 0; i < m / 2; i++)
        for (int64_t j = 0; j < d; j++) {
            double swap = v_rows[i * d + j];
            v_rows[i * d + j] = v_rows[(m - 1 - i) * d + j], v_rows[(m - 1 - i) * d + j] = swap;
        }
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < d; j++) v_rows[i * d + j] = s[i] > SMALL * s[0] ? v_rows[i * d + j] / s[i] : 0;
done:
    free(square);
    return st;
}

/* The sum of the fourth powers of the rows' lengths; a column-major [m,d]. */
static double sum_lengths4(const double *a, int64_t m, int64_t d)
{
    double sum = 0;
    for (int64_t i = 0; i < m; i++) {
        double square = 0;
        for (int64_t j = 0; j < d; j++) square += a[j * m + i] * a[j * m + i];
        sum += square * square;
    }
    return sum;
}

/* The shrinkage of Ledoit and Wolf from singular values s [n] of the m centred rows and the sum of their lengths' fourth powers: the
 * expected squared error of the covariance over its squared distance from a multiple of the identity, both over d. */
static double ledoit_wolf(double m, double d, const double *s, int64_t n, double lengths4)
{
    double sum = 0, sum2 = 0;
    for (int64_t i = 0; i < n; i++) sum += s[i] * s[i], sum2 += pow(s[i], 4);
    double far = sum2 / (m * m * d) - pow(sum / (m * d), 2), error = (lengths4 / m - sum2 / (m * m)) / (m * d);
    return far > 0 ? fmin(1, fmax(0, error / far)) : 1;
}

/* A vector and its opposite are both right; the one whose largest entry is positive is taken (the first of equals). */
static void fix_sign(double *v, int64_t d)
{
    int64_t top = 0;
    for (int64_t j = 1; j < d; j++)
        if (fabs(v[j]) > fabs(v[top])) top = j;
    if (v[top] < 0)
        for (int64_t j = 0; j < d; j++) v[j] = -v[j];
}

/* gain [rank]: what the directions are multiplied by (docs/method.md 7). Returns the gain of those that the rows do not span; without ridge
 * or shrinkage that is the last one. */
static double find_gains(const sphering_params *p, double ridge, const double *s, double *gain)
{
    double m = (double)p->n_fit, sum = 0;
    bool shrunk = !isnan(p->shrinkage);
    if (ridge == 0 || p->shrinkage == 0) {
        for (int64_t i = 0; i < p->rank; i++) gain[i] = sqrt(m - 1) / (s[i] + EPS);
        return gain[p->rank - 1];
    }
    for (int64_t i = 0; i < p->rank; i++) sum += s[i] * s[i];
    double keep = shrunk ? 1 - p->shrinkage : 1, add = (shrunk ? p->shrinkage : ridge) * sum / (m - 1) / (double)p->d;
    for (int64_t i = 0; i < p->rank; i++) gain[i] = 1 / sqrt(keep * s[i] * s[i] / (m - 1) + add);
    return 1 / sqrt(add);
}

/* W of docs/method.md 7 from v [q,d], the gains and the gain of the remaining directions; v is destroyed. */
static void build_w(sphering_params *p, bool zca, const double *gain, double rest, double *v, double *scaled, const double *sd)
{
    int64_t d = p->d, r = p->rank;
    if (!zca) {
        for (int64_t i = 0; i < r; i++) {
            fix_sign(v + i * d, d);
            for (int64_t j = 0; j < d; j++) p->w[j * r + i] = v[i * d + j] * gain[i] / sd[j];
        }
        return;
    }
    /* V diag(g) V' + rest (I - V V') = rest I + V diag(g - rest) V' */
    for (int64_t i = 0; i < r; i++)
        for (int64_t j = 0; j < d; j++) scaled[i * d + j] = v[i * d + j] * (gain[i] - rest);
    cblas_dgemm(CblasRowMajor, CblasTrans, CblasNoTrans, (int)d, (int)d, (int)r, 1, v, (int)d, scaled, (int)d, 0, p->w, (int)d);
    for (int64_t j = 0; j < d; j++) {
        p->w[j * d + j] += rest;
        for (int64_t k = 0; k < d; k++) p->w[j * d + k] /= sd[j];
    }
}

static int64_t count_used(const uint8_t *use, int64_t n)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++) m += !use || use[i];
    return m;
}

static status start(sphering_params *p, sphering_kind kind, const uint8_t *use, int64_t n, int64_t d, int *mi, int *di)
{
    status st = OK;
    *p = (sphering_params){.kind = kind, .d = d, .n_fit = count_used(use, n), .shrinkage = NAN};
    TRY(int_from_i64(p->n_fit, mi));
    TRY(int_from_i64(d, di));
    if (p->n_fit < 2) TRY(fail(E_FAILED, "sphering: %lld rows to learn from, it takes two", (long long)p->n_fit));
    TRY(mem_alloc(&p->mean, (size_t)d, sizeof *p->mean, "sphering"));
done:
    return st;
}

/* s and v of the column-major a [mi,di], which is freed, by the way that suits its shape and the accuracy needed. */
static status decompose_best(double **a, int mi, int di, bool ridged, double *s, double *v)
{
    status st = OK;
    double *r = NULL;
    bool finished = false;
    if (ridged && mi <= di) {
        TRY(decompose_gram(*a, mi, di, s, v));
        finished = true;
    } else if (mi > di) {
        TRY(decompose_square(*a, mi, di, ridged, s, v, &finished));
    }
    if (finished) goto done;
    if (mi > di) {
        TRY(mem_alloc(&r, (size_t)di, (size_t)di * sizeof *r, "sphering"));
        TRY(reduce_to_triangle(*a, mi, di, r));
        FREE(*a);
        TRY(decompose(r, di, di, s, v));
    } else {
        TRY(decompose(*a, mi, di, s, v));
    }
done:
    free(r);
    return st;
}

status sphering_fit(sphering_params *p, sphering_kind kind, double ridge, const float *x, int64_t n, int64_t d, const uint8_t *use)
{
    status st = OK;
    bool zca = kind == SPHERE_ZCA || kind == SPHERE_ZCA_COR, cor = kind == SPHERE_ZCA_COR || kind == SPHERE_PCA_COR;
    double *a = NULL, *s = NULL, *v = NULL, *sd = NULL, *scaled = NULL, *gain = NULL;
    int mi, di;
    TRY(start(p, kind, use, n, d, &mi, &di));
    size_t q = (size_t)(mi < di ? mi : di), width = (size_t)d * sizeof(double);
    TRY(mem_alloc(&a, (size_t)mi, width, "controls for sphering"));
    TRY(mem_alloc(&sd, 1, width, "sphering"));
    TRY(mem_alloc(&s, q, sizeof *s, "sphering"));
    TRY(mem_alloc(&gain, q, sizeof *gain, "sphering"));
    TRY(mem_alloc(&v, q, width, "sphering"));
    TRY(centred_columns(p, x, n, use, cor, a, sd));
    double lengths4 = ridge == SPHERE_LEDOIT_WOLF ? sum_lengths4(a, mi, di) : 0;
    TRY(decompose_best(&a, mi, di, ridge != 0, s, v));
    double least = ridge != 0 ? SMALL * s[0] : fmax((double)mi, (double)di) * UNIT * s[0];
    while (p->rank < (int64_t)q && s[p->rank] > least) p->rank++;
    if (p->rank == 0) TRY(fail(E_FAILED, "sphering: the %d rows to learn from are all alike", mi));
    p->largest = s[0], p->smallest = s[p->rank - 1];
    if (ridge == SPHERE_LEDOIT_WOLF) p->shrinkage = ledoit_wolf(mi, di, s, p->rank, lengths4);
    double rest = find_gains(p, ridge, s, gain);
    p->k = zca ? d : p->rank;
    TRY(mem_alloc(&p->w, (size_t)p->k, width, "sphering"));
    if (zca) TRY(mem_alloc(&scaled, q, width, "sphering"));
    build_w(p, zca, gain, rest, v, scaled, sd);
done:
    free(a);
    free(s);
    free(gain);
    free(v);
    free(sd);
    free(scaled);
    if (st != OK) sphering_free(p);
    return st;
}

status sphering_apply(const sphering_params *p, const float *x, int64_t first, int64_t n, float *y)
{
    return linear_project(x, first, n, p->d, p->mean, p->w, p->k, y);
}

/* The mean of the used rows, to p->mean. */
static void centre(sphering_params *p, const float *x, int64_t n, const uint8_t *use)
{
    int64_t d = p->d;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d && (!use || use[i]); j++) p->mean[j] += x[i * d + j];
    for (int64_t j = 0; j < d; j++) p->mean[j] /= (double)p->n_fit;
}

/* Up to `most` rows from row *at on, less the mean; returns how many, *at: the row after them. */
static int64_t next_rows(const sphering_params *p, const float *x, int64_t n, const uint8_t *use, int64_t most, int64_t *at, double *block)
{
    int64_t d = p->d, rows = 0;
    for (; *at < n && rows < most; ++*at) {
        if (use && !use[*at]) continue;
        for (int64_t j = 0; j < d; j++) block[rows * d + j] = x[*at * d + j] - p->mean[j];
        rows++;
    }
    return rows;
}

/* The k largest eigenvalues, ascending, of a symmetric matrix of which the upper triangle is given, and their vectors, the rows of z.
 * Destroys the matrix. */
static status largest_eigen(double *a, int64_t n, int64_t k, double *values, double *z)
{
    status st = OK;
    double *work = NULL, none = 0, best;
    int *support = NULL, *iwork = NULL, ni, ki, low, found, info, ask = -1, lwork, liwork;
    TRY(int_from_i64(n, &ni));
    TRY(int_from_i64(k, &ki));
    TRY(mem_alloc(&support, 2 * (size_t)n, sizeof *support, "principal components"));
    low = ni - ki + 1;
    /* the upper triangle of a row-major matrix is the lower one of a column-major one */
    dsyevr_("V", "I", "L", &ni, a, &ni, &none, &none, &low, &ni, &none, &found, values, z, &ni, support, &best, &ask, &liwork, &ask, &info);
    lwork = (int)best;
    TRY(mem_alloc(&work, (size_t)lwork, sizeof *work, "principal components"));
    TRY(mem_alloc(&iwork, (size_t)liwork, sizeof *iwork, "principal components"));
    dsyevr_("V", "I", "L", &ni, a, &ni, &none, &none, &low, &ni, &none, &found, values, z, &ni, support, work, &lwork, iwork, &liwork,
            &info);
    if (info != 0 || found != ki) TRY(fail(E_FAILED, "principal components: the eigenvalue problem failed (dsyevr: %d)", info));
done:
    free(work);
    free(support);
    free(iwork);
    return st;
}

/* From the products of features. values [d], z [k,d] as largest_eigen gives them. */
static status components_of_features(sphering_params *p, const float *x, int64_t n, const uint8_t *use, double *values, double *z)
{
    enum { ROWS = 512 };
    status st = OK;
    int64_t d = p->d, at = 0, rows;
    double *cov = NULL, *block = NULL;
    TRY(mem_alloc(&cov, (size_t)d, (size_t)d * sizeof *cov, "a covariance matrix"));
    TRY(mem_alloc(&block, ROWS, (size_t)d * sizeof *block, "a block of profiles"));
    while ((rows = next_rows(p, x, n, use, ROWS, &at, block)) > 0)
        cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, (int)d, (int)rows, 1, block, (int)d, 1, cov, (int)d);
    TRY(largest_eigen(cov, d, p->k, values, z));
done:
    free(cov);
    free(block);
    return st;
}

/* The same from the products of rows, where there are fewer rows than features: B'B has the eigenvectors B'u of BB'. *enough: false where
 * one of the k values is zero within rounding, so that its vector cannot be computed this way. */
static status components_of_rows(sphering_params *p, const float *x, int64_t n, const uint8_t *use, double *values, double *z, bool *enough)
{
    status st = OK;
    int64_t d = p->d, m = p->n_fit, k = p->k, at = 0;
    double *rows = NULL, *products = NULL, *u = NULL;
    TRY(mem_alloc(&rows, (size_t)m, (size_t)d * sizeof *rows, "centred profiles"));
    TRY(mem_alloc(&products, (size_t)m, (size_t)m * sizeof *products, "products of profiles"));
    TRY(mem_alloc(&u, (size_t)k, (size_t)m * sizeof *u, "principal components"));
    next_rows(p, x, n, use, m, &at, rows);
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, (int)m, (int)d, 1, rows, (int)d, 0, products, (int)m);
    TRY(largest_eigen(products, m, k, values, u));
    *enough = values[0] > 1e-10 * values[k - 1];
    if (!*enough) goto done;
    for (int64_t c = 0; c < k; c++) cblas_dscal((int)m, 1 / sqrt(values[c]), u + c * m, 1);
    cblas_dgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)k, (int)d, (int)m, 1, u, (int)m, rows, (int)d, 0, z, (int)d);
done:
    free(rows);
    free(products);
    free(u);
    return st;
}

status sphering_fit_components(sphering_params *p, const float *x, int64_t n, int64_t d, const uint8_t *use, int64_t k)
{
    status st = OK;
    double *z = NULL, *values = NULL;
    bool done_by_rows = false;
    int mi, di;
    TRY(start(p, SPHERE_NONE, use, n, d, &mi, &di));
    p->k = k < d ? k : d;
    if (p->n_fit < p->k) p->k = p->n_fit;
    TRY(mem_alloc(&z, (size_t)p->k, (size_t)d * sizeof *z, "principal components"));
    TRY(mem_alloc(&values, (size_t)d, sizeof *values, "principal components"));
    TRY(mem_alloc(&p->w, (size_t)p->k, (size_t)d * sizeof *p->w, "principal components"));
    centre(p, x, n, use);
    if (p->n_fit < d && p->k < p->n_fit) TRY(components_of_rows(p, x, n, use, values, z, &done_by_rows));
    if (!done_by_rows) TRY(components_of_features(p, x, n, use, values, z));
    for (int64_t c = 0; c < p->k; c++) { /* values ascend: the last is the first component */
        double *v = z + (p->k - 1 - c) * d;
        fix_sign(v, d);
        for (int64_t j = 0; j < d; j++) p->w[j * p->k + c] = v[j];
    }
    p->rank = p->k;
    p->largest = sqrt(fmax(0, values[p->k - 1])), p->smallest = sqrt(fmax(0, values[0]));
done:
    free(z);
    free(values);
    if (st != OK) sphering_free(p);
    return st;
}

void sphering_free(sphering_params *p)
{
    FREE(p->mean);
    FREE(p->w);
    *p = (sphering_params){0};
}
