/* heads.c -- the small layers around the encoder. Products by OpenBLAS, sums over rows in double. */
#include "micon/nn/heads.h"

#include "micon/base/mem.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static size_t add(nn_params *p, const char *name, const char *part, int rows, int columns, bool trained)
{
    char *full = xasprintf("%s.%s", name, part);
    int64_t dim[2] = {rows, columns};
    size_t i = params_add(p, full, columns ? 2 : 1, dim, trained);
    free(full);
    return i;
}

mlp mlp_register(nn_params *p, const char *name, int in, int hidden, int out)
{
    mlp m = {.in = in, .hidden = hidden, .out = out};
    m.w0 = add(p, name, "0.weight", hidden, in, true);
    m.b0 = add(p, name, "0.bias", hidden, 0, true);
    m.w2 = add(p, name, "2.weight", out, hidden, true);
    m.b2 = add(p, name, "2.bias", out, 0, true);
    return m;
}

void mlp_init(nn_params *p, const mlp *m, uint32_t seed)
{
    params_fill_uniform(p, m->w0, seed, 1 / sqrt(m->in));
    params_fill_uniform(p, m->b0, seed, 1 / sqrt(m->in));
    params_fill_uniform(p, m->w2, seed, 1 / sqrt(m->hidden));
    params_fill_uniform(p, m->b2, seed, 1 / sqrt(m->hidden));
}

/* y [n, out] = x [n, in] w^T + b. */
static void linear(const nn_params *p, size_t w, size_t b, int n, int in, int out, const float *x, float *y)
{
    for (int i = 0; i < n; i++) memcpy(y + (size_t)i * (size_t)out, params_value(p, b), (size_t)out * sizeof *y);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, out, in, 1, x, in, params_value(p, w), in, 1, y, out);
}

static void linear_backward(const nn_params *p, size_t w, size_t b, int n, int in, int out, const float *x, const float *dy, float *dx)
{
    float *db = params_grad(p, b);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, n, 1, dy, out, x, in, 1, params_grad(p, w), in);
    for (int k = 0; k < out; k++) {
        double s = 0;
        for (int i = 0; i < n; i++) s += dy[(size_t)i * (size_t)out + (size_t)k];
        db[k] += (float)s;
    }
    if (dx) cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, in, out, 1, dy, out, params_value(p, w), in, 0, dx, in);
}

void mlp_forward(const nn_params *p, const mlp *m, int n, const float *x, float *inside, float *y)
{
    linear(p, m->w0, m->b0, n, m->in, m->hidden, x, inside);
    for (size_t i = 0; i < (size_t)n * (size_t)m->hidden; i++)
        if (inside[i] < 0) inside[i] = 0;
    linear(p, m->w2, m->b2, n, m->hidden, m->out, inside, y);
}

void mlp_backward(const nn_params *p, const mlp *m, int n, const float *x, const float *inside, const float *dy, float *d_inside, float *dx)
{
    linear_backward(p, m->w2, m->b2, n, m->hidden, m->out, inside, dy, d_inside);
    for (size_t i = 0; i < (size_t)n * (size_t)m->hidden; i++)
        if (!(inside[i] > 0)) d_inside[i] = 0;
    linear_backward(p, m->w0, m->b0, n, m->in, m->hidden, x, d_inside, dx);
}

void l2_forward(int n, int d, const float *x, float *y, float *norm)
{
    for (int i = 0; i < n; i++, x += d, y += d) {
        double s = 0;
        for (int k = 0; k < d; k++) s += (double)x[k] * x[k];
        double len = sqrt(s);
        if (len < 1e-12) len = 1e-12; /* as PyTorch's normalize; !(s > 0) stays zero, NaN stays NaN */
        norm[i] = (float)len;
        for (int k = 0; k < d; k++) y[k] = (float)(x[k] / len);
    }
}

void l2_backward(int n, int d, const float *y, const float *norm, const float *dy, float *dx)
{
    for (int i = 0; i < n; i++, y += d, dy += d, dx += d) {
        double s = 0;
        for (int k = 0; k < d; k++) s += (double)y[k] * dy[k];
        for (int k = 0; k < d; k++) dx[k] = (float)((dy[k] - s * y[k]) / norm[i]);
    }
}

void params_clear_grad(nn_params *p, size_t first)
{
    memset(p->grad + first, 0, (p->n_trained - first) * sizeof *p->grad);
}

/* ---- auxiliary head ---- */
aux_head aux_register(nn_params *p, const char *name, int d, int classes)
{
    aux_head a = {.d = d, .classes = classes};
    a.gamma = add(p, name, "0.weight", d, 0, true);
    a.beta = add(p, name, "0.bias", d, 0, true);
    a.mean = add(p, name, "0.running_mean", d, 0, false);
    a.var = add(p, name, "0.running_var", d, 0, false);
    a.w = add(p, name, "2.weight", classes, d, true);
    a.b = add(p, name, "2.bias", classes, 0, true);
    return a;
}

void aux_init(nn_params *p, const aux_head *a, uint32_t seed)
{
    params_fill(p, a->gamma, 1);
    params_fill(p, a->beta, 0);
    params_fill(p, a->mean, 0);
    params_fill(p, a->var, 1);
    params_fill_uniform(p, a->w, seed, 1 / sqrt(a->d));
    params_fill_uniform(p, a->b, seed, 1 / sqrt(a->d));
}

size_t aux_work_bytes(const aux_head *a, int n)
{
    return ((size_t)n * (size_t)(2 * a->d + a->classes)) * sizeof(float) + (4 * (size_t)a->d + 2) * sizeof(double);
}

/* Rows of logits -> this rank's share of the summed loss; logits become their gradient times n_global. */
static double softmax_rows(int n, int classes, const int32_t *label, float *logit)
{
    double loss = 0;
    for (int i = 0; i < n; i++, logit += classes) {
        double most = logit[0], sum = 0;
        for (int k = 1; k < classes; k++) most = logit[k] > most ? logit[k] : most;
        for (int k = 0; k < classes; k++) sum += exp(logit[k] - most);
        loss += log(sum) + most - logit[label[i]];
        for (int k = 0; k < classes; k++) logit[k] = (float)(exp(logit[k] - most) / sum - (k == label[i]));
    }
    return loss;
}

void aux_loss(const nn_params *p, const aux_head *a, const aux_rows *r, const rank_sum *ranks, double *loss, float *dx, void *work)
{
    int n = r->n;
    const float *x = r->x;
    size_t d = (size_t)a->d;
    double *s = work, *q = s + d, *total = s + 2 * d, *mean = s + 2 * d + 2, *inv = mean + d;
    float *act = (float *)(void *)(inv + d), *d_act = act + (size_t)n * d, *logit = d_act + (size_t)n * d;
    const float *g = params_value(p, a->gamma), *b = params_value(p, a->beta);
    float *dg = params_grad(p, a->gamma), *db = params_grad(p, a->beta), *rm = params_value(p, a->mean), *rv = params_value(p, a->var);
    memset(s, 0, (2 * d + 2) * sizeof *s);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            double v = x[(size_t)i * d + k];
            s[k] += v;
            q[k] += v * v;
        }
    total[0] = n;
    if (ranks->sum) ranks->sum(ranks->ctx, s, 2 * d + 1);
    double rows = total[0];
    for (size_t k = 0; k < d; k++) {
        mean[k] = s[k] / rows;
        double var = q[k] / rows - mean[k] * mean[k];
        if (var < 0) var = 0;
        inv[k] = 1 / sqrt(var + 1e-5);
        rm[k] = (float)(0.9 * rm[k] + 0.1 * mean[k]);
        rv[k] = (float)(0.9 * rv[k] + 0.1 * var * (rows > 1 ? rows / (rows - 1) : 1));
    }
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            double v = (x[(size_t)i * d + k] - mean[k]) * inv[k] * g[k] + b[k];
            act[(size_t)i * d + k] = v < 0 ? 0 : (float)v;
        }
    linear(p, a->w, a->b, n, a->d, a->classes, act, logit);
    double mine = softmax_rows(n, a->classes, r->label, logit) / rows;
    for (size_t i = 0; i < (size_t)n * (size_t)a->classes; i++) logit[i] = (float)(logit[i] / rows);
    linear_backward(p, a->w, a->b, n, a->d, a->classes, act, logit, d_act);
    memset(s, 0, (2 * d + 2) * sizeof *s);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            size_t at = (size_t)i * d + k;
            if (act[at] <= 0) d_act[at] = 0;
            s[k] += d_act[at];
            q[k] += d_act[at] * ((x[at] - mean[k]) * inv[k]);
        }
    for (size_t k = 0; k < d; k++) {
        dg[k] += (float)q[k];
        db[k] += (float)s[k];
    }
    total[0] = mine;
    if (ranks->sum) ranks->sum(ranks->ctx, s, 2 * d + 1);
    *loss = total[0];
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            size_t at = (size_t)i * d + k;
            dx[at] = (float)(g[k] * inv[k] * (d_act[at] - s[k] / rows - (x[at] - mean[k]) * inv[k] * q[k] / rows));
        }
}

double aux_eval(const nn_params *p, const aux_head *a, const aux_rows *r, void *work)
{
    int n = r->n;
    const float *x = r->x;
    size_t d = (size_t)a->d;
    float *act = work, *logit = act + (size_t)n * d;
    const float *g = params_value(p, a->gamma), *b = params_value(p, a->beta), *mean = params_value(p, a->mean),
                *var = params_value(p, a->var);
    for (int i = 0; i < n; i++)
        for (size_t k = 0; k < d; k++) {
            double v = (x[(size_t)i * d + k] - mean[k]) / sqrt(var[k] + 1e-5) * g[k] + b[k];
            act[(size_t)i * d + k] = v < 0 ? 0 : (float)v;
        }
    linear(p, a->w, a->b, n, a->d, a->classes, act, logit);
    return softmax_rows(n, a->classes, r->label, logit);
}
