/* loss.c -- supervised contrastive loss and symmetric cross-entropy. Dot products by OpenBLAS in fp32, exponentials and sums in
 * double. The gradient at an own row i needs, besides its own softmax, the softmax of every other row at column i; as the dot products
 * are symmetric, the other rows' logarithms are enough. */
#include "micon/nn/loss.h"

#include "micon/base/num.h"

#include <cblas.h>
#include <math.h>
#include <stdbool.h>

/* out [m, n] = a [m, d] b [n, d]^T. */
static status dot_rows(const float *a, const float *b, int64_t m, int64_t n, int64_t d, float *out)
{
    status st = OK;
    int im, in, id;
    TRY(int_from_i64(m, &im));
    TRY(int_from_i64(n, &in));
    TRY(int_from_i64(d, &id));
    if (m > 0 && n > 0) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, im, in, id, 1, a, id, b, id, 0, out, in);
done:
    return st;
}

/* out [m, d] = c [m, n] b [n, d]. */
static status mix_rows(const float *c, const float *b, int64_t m, int64_t n, int64_t d, float *out)
{
    status st = OK;
    int im, in, id;
    TRY(int_from_i64(m, &im));
    TRY(int_from_i64(n, &in));
    TRY(int_from_i64(d, &id));
    if (m > 0) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, im, id, in, 1, c, in, b, id, 0, out, id);
done:
    return st;
}

/* log sum exp(row / t) over all but column `skip` (-1: over all). */
static double log_sum_row(const float *row, int64_t n, int64_t skip, double t)
{
    double most = -INFINITY, sum = 0;
    for (int64_t j = 0; j < n; j++) {
        if (isnan(row[j])) return NAN;
        if (j != skip && row[j] / t > most) most = row[j] / t;
    }
    if (isinf(most)) return most;
    for (int64_t j = 0; j < n; j++)
        if (j != skip) sum += exp(row[j] / t - most);
    return log(sum) + most;
}

/* positives[i] = the other rows with i's label. */
static void count_positives(const int32_t *label, int64_t n, int64_t *positives)
{
    for (int64_t i = 0; i < n; i++) {
        int32_t same = 0;
        for (int64_t j = 0; j < n; j++) same += label[j] == label[i];
        positives[i] = same - 1;
    }
}

/* Rows that have any. */
static int64_t count_anchors(const int64_t *positives, int64_t n)
{
    int64_t anchors = 0;
    for (int64_t i = 0; i < n; i++) anchors += positives[i] > 0;
    return anchors;
}

status supcon_rows(const loss_rows *r, float *dots, int64_t *positives, double *log_sum, double *loss)
{
    status st = OK;
    int64_t n = r->n;
    *loss = 0;
    count_positives(r->label, n, positives);
    int64_t anchors = count_anchors(positives, n);
    TRY(dot_rows(r->u + r->first * r->d, r->u, r->n_mine, n, r->d, dots));
    for (int64_t i = 0; i < r->n_mine; i++) {
        const float *row = dots + i * n;
        int64_t me = r->first + i;
        double sum = 0;
        log_sum[i] = log_sum_row(row, n, me, r->t);
        if (positives[me] == 0) continue;
        for (int64_t j = 0; j < n; j++)
            if (j != me && r->label[j] == r->label[me]) sum += row[j] / r->t;
        *loss += (log_sum[i] - sum / (double)positives[me]) / (double)anchors;
    }
done:
    return st;
}

status supcon_grad(const loss_rows *r, float *dots, const int64_t *positives, const double *log_sum, double weight, float *du)
{
    int64_t n = r->n, anchors = count_anchors(positives, n);
    double share = anchors ? weight / ((double)anchors * r->t) : 0;
    for (int64_t i = 0; i < r->n_mine; i++) {
        float *row = dots + i * n;
        int64_t me = r->first + i;
        for (int64_t j = 0; j < n; j++) {
            double c = 0, s = row[j] / r->t;
            bool same = r->label[j] == r->label[me];
            if (positives[me] && j != me) c += exp(s - log_sum[me]) - (same ? 1 / (double)positives[me] : 0);
            if (positives[j] && j != me) c += exp(s - log_sum[j]) - (same ? 1 / (double)positives[j] : 0);
            row[j] = (float)(c * share);
        }
    }
    return mix_rows(dots, r->u, r->n_mine, n, r->d, du);
}

status clip_rows(const loss_rows *r, float *dots, double *log_sum, double *loss)
{
    status st = OK;
    int64_t n = r->n, mine = r->n_mine;
    float *back = dots + mine * n;
    *loss = 0;
    TRY(dot_rows(r->u + r->first * r->d, r->v, mine, n, r->d, dots));
    TRY(dot_rows(r->v + r->first * r->d, r->u, mine, n, r->d, back));
    for (int64_t i = 0; i < mine; i++) {
        log_sum[i] = log_sum_row(dots + i * n, n, -1, r->t);
        log_sum[mine + i] = log_sum_row(back + i * n, n, -1, r->t);
        *loss += (log_sum[i] + log_sum[mine + i] - 2 * dots[i * n + r->first + i] / r->t) / (2 * (double)n);
    }
done:
    return st;
}

/* Factors of the other side's rows: own softmax, and the softmax of the other side's rows at this one, less the pair itself. */
static void clip_factors(const loss_rows *r, float *dots, const double *own, const double *other, double share)
{
    int64_t n = r->n, first = r->first;
    for (int64_t i = 0; i < r->n_mine; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = dots[i * n + j] / r->t;
            dots[i * n + j] = (float)(share * (exp(s - own[first + i]) + exp(s - other[j]) - (j == first + i ? 2 : 0)));
        }
}

status clip_grad(const loss_rows *r, float *dots, const double *log_sum_u, const double *log_sum_v, double weight, float *du, float *dv)
{
    status st = OK;
    double share = weight / (2 * (double)r->n * r->t);
    float *back = dots + r->n_mine * r->n;
    clip_factors(r, dots, log_sum_u, log_sum_v, share);
    clip_factors(r, back, log_sum_v, log_sum_u, share);
    TRY(mix_rows(dots, r->v, r->n_mine, r->n, r->d, du));
    TRY(mix_rows(back, r->u, r->n_mine, r->n, r->d, dv));
done:
    return st;
}
