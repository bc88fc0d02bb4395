/* counterfactual.c -- the profile that the generator predicts for a compound from a plate's controls (docs/method.md 6): z(mean over the
 * control tiles of G([h, m(p)])). G's last layer is linear, so the mean is taken after its ReLU; and the first layer's product splits into
 * one with h, done once per control, and one with m(p), done once per compound. A clip model has no generator, but its compounds share the
 * space of its images: their profile is z(m(p)), the same on every plate. */
#include "micon/nn/counterfactual.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <cblas.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64 }; /* compounds per product: fixed, so that a row does not depend on how many there are */

/* y [n, rows] = x [n, cols] w[:, from : from + cols]^T for w [rows, stride]. */
static void product(int n, int rows, int cols, const float *x, const float *w, int stride, int from, float *y)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, rows, cols, 1, x, cols, w + from, stride, 0, y, rows);
}

/* r [2D] = mean over controls of relu(a_i + b); sums in double, in order. */
static void mean_hidden(const float *a, int64_t n, const float *b, int64_t width, double *sum, float *r)
{
    memset(sum, 0, (size_t)width * sizeof *sum);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < width; k++) {
            float v = a[i * width + k] + b[k];
            sum[k] += v > 0 ? v : 0;
        }
    for (int64_t k = 0; k < width; k++) r[k] = (float)(sum[k] / (double)n);
}

typedef struct {
    float *in, *m_inside, *mp, *b, *r, *g, *g_inside, *u, *norm;
    double *sum;
} buffers;

static status buffers_alloc(buffers *w, const model *m)
{
    status st = OK;
    size_t d = (size_t)m->dim;
    TRY(mem_alloc(&w->in, BLOCK * (size_t)m->compound.in, sizeof(float), "compound vectors"));
    TRY(mem_alloc(&w->m_inside, BLOCK * (size_t)m->bits, sizeof(float), "compound head"));
    TRY(mem_alloc(&w->mp, BLOCK * d, sizeof(float), "compound head"));
    TRY(mem_alloc(&w->b, BLOCK * 2 * d, sizeof(float), "generator"));
    TRY(mem_alloc(&w->r, BLOCK * 2 * d, sizeof(float), "generator"));
    TRY(mem_alloc(&w->g, BLOCK * d, sizeof(float), "generator"));
    TRY(mem_alloc(&w->g_inside, BLOCK * d, sizeof(float), "projection"));
    TRY(mem_alloc(&w->u, BLOCK * (size_t)m->projection, sizeof(float), "projection"));
    TRY(mem_alloc(&w->norm, BLOCK, sizeof(float), "norms"));
    TRY(mem_alloc(&w->sum, 2 * d, sizeof(double), "generator"));
done:
    return st;
}

static void buffers_free(buffers *w)
{
    free(w->in);
    free(w->m_inside);
    free(w->mp);
    free(w->b);
    free(w->r);
    free(w->g);
    free(w->g_inside);
    free(w->u);
    free(w->norm);
    free(w->sum);
}

/* One block of compounds: w->in is filled, rows beyond n with zeros. */
static void predict_block(const model *m, buffers *w, const float *a, int64_t n_controls, int64_t n, float *x, float *projected)
{
    const nn_params *p = &m->params;
    int d = m->dim, wide = 2 * d;
    const float *w0 = params_value(p, m->generator.w0), *b0 = params_value(p, m->generator.b0);
    const float *w2 = params_value(p, m->generator.w2), *b2 = params_value(p, m->generator.b2);
    mlp_forward(p, &m->compound, BLOCK, w->in, w->m_inside, w->mp);
    product(BLOCK, wide, d, w->mp, w0, wide, d, w->b);
    for (int64_t i = 0; i < n; i++) {
        float *b = w->b + i * wide;
        for (int k = 0; k < wide; k++) b[k] += b0[k];
        mean_hidden(a, n_controls, b, wide, w->sum, w->r + i * wide);
    }
    product(BLOCK, d, wide, w->r, w2, wide, 0, w->g);
    for (int i = 0; i < BLOCK; i++)
        for (int k = 0; k < d; k++) w->g[(size_t)i * (size_t)d + (size_t)k] += b2[k];
    mlp_forward(p, &m->projector, BLOCK, w->g, w->g_inside, w->u);
    l2_forward(BLOCK, d, w->g, w->g, w->norm);
    l2_forward(BLOCK, m->projection, w->u, w->u, w->norm);
    memcpy(x, w->g, (size_t)n * (size_t)d * sizeof *x);
    memcpy(projected, w->u, (size_t)n * (size_t)m->projection * sizeof *projected);
}

/* The vectors (and doses) of k compounds from `first` on into w->in, and zeros behind them. */
static void fill_vectors(const model *m, const compound_rows *c, buffers *w, int64_t first, int64_t k)
{
    size_t bits = (size_t)m->bits, wide = (size_t)m->compound.in;
    memset(w->in, 0, BLOCK * wide * sizeof *w->in);
    for (int64_t i = 0; i < k; i++) {
        size_t row = (size_t)(c->row ? c->row[first + i] : first + i);
        memcpy(w->in + (size_t)i * wide, c->x + row * bits, bits * sizeof *w->in);
        if (m->has_dose) w->in[(size_t)i * wide + bits] = model_dose(m, c->dose[first + i]);
    }
}

status counterfactual_embed_compounds(const model *m, const compound_rows *c, int64_t n, float *x)
{
    status st = OK;
    buffers w = {0};
    TRY(buffers_alloc(&w, m));
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t k = n - at < BLOCK ? n - at : BLOCK;
        fill_vectors(m, c, &w, at, k);
        mlp_forward(&m->params, &m->compound, BLOCK, w.in, w.m_inside, w.mp);
        l2_forward(BLOCK, m->dim, w.mp, w.mp, w.norm);
        memcpy(x + at * m->dim, w.mp, (size_t)(k * m->dim) * sizeof *x);
    }
done:
    buffers_free(&w);
    return st;
}

status counterfactual_predict(const model *m, const float *controls, int64_t n_controls, const compound_rows *c, int64_t n, float *x,
                              float *projected)
{
    status st = OK;
    float *a = NULL;
    buffers w = {0};
    size_t wide = 2 * (size_t)m->dim;
    int rows;
    TRY(buffers_alloc(&w, m));
    TRY(mem_alloc(&a, (size_t)n_controls * wide, sizeof *a, "generator over controls"));
    TRY(int_from_i64(n_controls, &rows));
    product(rows, (int)wide, m->dim, controls, params_value(&m->params, m->generator.w0), (int)wide, 0, a);
    for (int64_t at = 0; at < n; at += BLOCK) {
        int64_t k = n - at < BLOCK ? n - at : BLOCK;
        fill_vectors(m, c, &w, at, k);
        predict_block(m, &w, a, n_controls, k, x + at * m->dim, projected + at * m->projection);
    }
done:
    buffers_free(&w);
    free(a);
    return st;
}
