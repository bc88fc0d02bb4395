/* optimizer.c -- AdamW and learning rates. Tensors are cut into fixed pieces, so that threads change nothing in the result. */
#include "micon/nn/optimizer.h"

#include "vector16_impl.h"

#include <math.h>

enum { PIECE = 1 << 14, LANES = 16 };

/* Squares are exact in double, so only the order of the additions matters: it is that of 16 sums, on every CPU. */
CLONES static double square_sum(const float *v, size_t n)
{
    double sum[LANES] = {0}, s = 0;
    size_t i = 0;
    for (; i + LANES <= n; i += LANES)
        for (size_t k = 0; k < LANES; k++) sum[k] += (double)v[i + k] * v[i + k];
    for (size_t k = 0; i < n; i++, k++) sum[k] += (double)v[i] * v[i];
    for (size_t k = 0; k < LANES; k++) s += sum[k];
    return s;
}

/* The part of a tensor that lies in the range; n 0: none. */
static nn_range overlap(const nn_param *t, nn_range r)
{
    size_t first = t->at > r.first ? t->at : r.first, end = t->at + t->count < r.first + r.n ? t->at + t->count : r.first + r.n;
    return (nn_range){first, t->trained && end > first ? end - first : 0};
}

double grad_squares(const nn_params *p, nn_range r)
{
    double s = 0;
    for (size_t i = 0; i < p->n; i++) {
        nn_range part = overlap(&p->item[i], r);
        if (part.n > 0) s += square_sum(p->grad + part.first, part.n);
    }
    return s;
}

static size_t pieces_of(nn_range r)
{
    return (r.n + PIECE - 1) / PIECE;
}

static nn_range piece_of(nn_range r, size_t k)
{
    size_t at = k * PIECE;
    return (nn_range){r.first + at, r.n - at < PIECE ? r.n - at : PIECE};
}

CLONES static void sum_piece(float *const *grad, int n, nn_range r, float *out)
{
    for (size_t i = r.first; i < r.first + r.n; i++) {
        float s = grad[0][i];
        for (int k = 1; k < n; k++) s += grad[k][i];
        out[i] = s;
    }
}

void grad_sum(nn_params *p, nn_range r, float *const *grad, int n)
{
    long pieces = (long)pieces_of(r);
#pragma omp parallel for schedule(static) if (pieces > 8)
    for (long k = 0; k < pieces; k++) sum_piece(grad, n, piece_of(r, (size_t)k), p->grad);
}

CLONES static void adamw_piece(float *restrict w, const float *restrict g, float *restrict m, float *restrict v, size_t n, float scale,
                               float lr1, float decay, float inv2)
{
    for (size_t i = 0; i < n; i++) {
        float d = g[i] * scale;
        m[i] = 0.9f * m[i] + 0.1f * d;
        v[i] = 0.999f * v[i] + 0.001f * (d * d);
        w[i] = w[i] * decay - lr1 * m[i] / (sqrtf(v[i]) * inv2 + 1e-8f);
    }
}

void adamw_step(nn_params *p, nn_range r, int64_t step, double lr, double weight_decay, double scale)
{
    double b1 = 1 - pow(0.9, (double)step), b2 = 1 - pow(0.999, (double)step);
    float lr1 = (float)(lr / b1), inv2 = (float)(1 / sqrt(b2));
    for (size_t i = 0; i < p->n; i++) {
        const nn_param *t = &p->item[i];
        const nn_range part = overlap(t, r);
        float decay = t->n_dims >= 2 ? (float)(1 - lr * weight_decay) : 1.0f;
        long pieces = (long)pieces_of(part);
#pragma omp parallel for schedule(static) if (pieces > 8)
        for (long k = 0; k < pieces; k++) {
            nn_range one = piece_of(part, (size_t)k);
            size_t x = one.first;
            adamw_piece(p->value + x, p->grad + x, p->moment1 + x, p->moment2 + x, one.n, (float)scale, lr1, decay, inv2);
        }
    }
}

double clip_scale(double norm, double clip)
{
    if (clip <= 0) return 1;
    double s = clip / (norm + 1e-6);
    return s < 1 ? s : 1;
}

double lr_cosine(double lr, int64_t step, int64_t steps, int64_t warmup)
{
    if (step < warmup) return lr * (double)(step + 1) / (double)warmup;
    if (steps <= warmup || step >= steps) return 0;
    return lr * 0.5 * (1 + cos(3.141592653589793 * (double)(step - warmup) / (double)(steps - warmup)));
}

double lr_plateau_next(lr_plateau *s, double lr, double loss, int64_t patience)
{
    if (s->seen++ == 0) {
        s->smooth = s->best = loss;
        s->factor = 1;
    }
    s->smooth = 0.99 * s->smooth + 0.01 * loss;
    if (s->smooth < s->best) {
        s->best = s->smooth;
        s->since = 0;
    } else if (++s->since >= patience) {
        s->factor *= 0.9;
        s->since = 0;
    }
    double next = lr * s->factor;
    return next > 1e-6 ? next : 1e-6;
}
