/* t_nn_conv_autotune.c -- run: limit=400 nosan : every implementation of every direction of convolution against naive loops in double; the
 * loops themselves against central differences. Odd sizes; one and two threads. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/nn/conv_autotune.h"

#include <omp.h>
#include <stdlib.h>

/* ---- the oracle: NCHW, double ---- */
typedef struct {
    int n, ci, co, h, w, k, stride, pad, ho, wo;
} geometry;

/* One pass over all (output, input, weight) triples. direction: what is summed up. */
static void naive(const geometry *g, conv_direction direction, double *x, double *w, double *y)
{
    for (int n = 0; n < g->n; n++)
        for (int o = 0; o < g->co; o++)
            for (int oy = 0; oy < g->ho; oy++)
                for (int ox = 0; ox < g->wo; ox++) {
                    double *yo = y + ((size_t)(n * g->co + o) * (size_t)g->ho + (size_t)oy) * (size_t)g->wo + ox, sum = 0;
                    for (int c = 0; c < g->ci; c++)
                        for (int ky = 0; ky < g->k; ky++)
                            for (int kx = 0; kx < g->k; kx++) {
                                int iy = oy * g->stride + ky - g->pad, ix = ox * g->stride + kx - g->pad;
                                if (iy < 0 || iy >= g->h || ix < 0 || ix >= g->w) continue;
                                double *xi = x + ((size_t)(n * g->ci + c) * (size_t)g->h + (size_t)iy) * (size_t)g->w + ix;
                                double *wi = w + ((size_t)(o * g->ci + c) * (size_t)g->k + (size_t)ky) * (size_t)g->k + kx;
                                if (direction == CONV_FORWARD)
                                    sum += *xi * *wi;
                                else if (direction == CONV_BACK_DATA)
                                    *xi += *yo * *wi;
                                else
                                    *wi += *xi * *yo;
                            }
                    if (direction == CONV_FORWARD) *yo = sum;
                }
}

static double *numbers(size_t n, uint32_t tag)
{
    double *v = xmalloc((n + 1) * sizeof *v);
    rng r = rng_at(11, STREAM_SAMPLE, tag, 0);
    for (size_t i = 0; i < n; i++) v[i] = rng_normal(&r);
    return v;
}

/* d(sum of y * dy) / dv by central differences, at some places, against the naive backward passes. */
static void test_oracle(void)
{
    geometry g = {2, 3, 2, 7, 5, 3, 2, 1, 4, 3};
    size_t nx = 2 * 3 * 7 * 5, nw = 2 * 3 * 9, ny = 2 * 2 * 4 * 3;
    double *x = numbers(nx, 1), *w = numbers(nw, 2), *dy = numbers(ny, 3), *y = numbers(ny, 4), *dx = xcalloc(nx, 8), *dw = xcalloc(nw, 8);
    naive(&g, CONV_BACK_DATA, dx, w, dy);
    naive(&g, CONV_BACK_WEIGHTS, x, dw, dy);
    double worst = 0;
    for (int kind = 0; kind < 2; kind++)
        for (size_t i = 0; i < (kind ? nw : nx); i++) {
            double *v = (kind ? w : x) + i, keep = *v, f[2] = {0, 0};
            for (int s = 0; s < 2; s++) {
                *v = keep + (s ? 1e-5 : -1e-5);
                naive(&g, CONV_FORWARD, x, w, y);
                for (size_t k = 0; k < ny; k++) f[s] += y[k] * dy[k];
            }
            *v = keep;
            double error = fabs((f[1] - f[0]) / 2e-5 - (kind ? dw[i] : dx[i]));
            if (error > worst) worst = error;
        }
    ok(worst < 1e-8, "the naive loops agree with central differences");
    free(x), free(w), free(dy), free(y), free(dx), free(dw);
}

/* ---- activations in the product's layouts ---- */
static size_t place(nn_layout l, int c_all, int h, int w, int n, int c, int y, int x)
{
    size_t plane = (size_t)h * (size_t)w, at = (size_t)y * (size_t)w + (size_t)x;
    if (c_all == 1) return (size_t)n * plane + at;
    if (l == NN_NHWC) return ((size_t)n * plane + at) * (size_t)c_all + (size_t)c;
    return (((size_t)n * (size_t)(c_all / 16) + (size_t)(c / 16)) * plane + at) * 16 + (size_t)(c % 16);
}

static void *to_layout(const double *v, nn_type t, nn_layout l, int n, int c, int h, int w)
{
    size_t count = (size_t)n * (size_t)c * (size_t)h * (size_t)w, i = 0;
    float *f = xmalloc(count * 4 + 64);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < c; b++)
            for (int y = 0; y < h; y++)
                for (int x = 0; x < w; x++) f[place(l, c, h, w, a, b, y, x)] = (float)v[i++];
    if (t == NN_F32) return f;
    uint16_t *s = xmalloc(count * 2 + 64);
    kernels_to_bf16(f, s, count);
    free(f);
    return s;
}

static double *from_layout(const void *v, nn_type t, nn_layout l, int n, int c, int h, int w)
{
    size_t count = (size_t)n * (size_t)c * (size_t)h * (size_t)w, i = 0;
    float *f = xmalloc(count * 4 + 64);
    double *d = xmalloc(count * 8 + 64);
    if (t == NN_F32)
        memcpy(f, v, count * 4);
    else
        kernels_from_bf16(v, f, count);
    for (int a = 0; a < n; a++)
        for (int b = 0; b < c; b++)
            for (int y = 0; y < h; y++)
                for (int x = 0; x < w; x++) d[i++] = f[place(l, c, h, w, a, b, y, x)];
    free(f);
    return d;
}

static void compare(const double *got, const double *want, size_t n, double *error, double *cosine)
{
    double d = 0, a = 0, b = 0, ab = 0;
    for (size_t i = 0; i < n; i++)
        d += (got[i] - want[i]) * (got[i] - want[i]), a += got[i] * got[i], b += want[i] * want[i], ab += got[i] * want[i];
    *error = sqrt(d) / (sqrt(b) + 1e-300);
    *cosine = ab / (sqrt(a) * sqrt(b) + 1e-300);
}

static int ways_run;

static status one_way(dnn *d, const conv_spec *s, const char *how, const double *x, const double *w, const double *y)
{
    status st = OK;
    geometry g = {s->n,
                  s->ci,
                  s->co,
                  s->h,
                  s->w,
                  s->k,
                  s->stride,
                  s->pad,
                  conv_out(s->h, s->k, s->stride, s->pad),
                  conv_out(s->w, s->k, s->stride, s->pad)};
    size_t nx = (size_t)s->n * (size_t)s->ci * (size_t)s->h * (size_t)s->w,
           nw = (size_t)s->co * (size_t)s->ci * (size_t)s->k * (size_t)s->k,
           ny = (size_t)s->n * (size_t)s->co * (size_t)g.ho * (size_t)g.wo;
    conv_op *op = NULL;
    void *packed = NULL, *scratch = NULL;
    double *want = xcalloc(nx + nw + ny, 8), *got = NULL, error, cosine;
    void *xl = to_layout(x, s->type, s->layout, s->n, s->ci, s->h, s->w), *yl = to_layout(y, s->type, s->layout, s->n, s->co, g.ho, g.wo);
    float *wf = xmalloc(nw * 4), *bias = xcalloc((size_t)s->co, 4);
    for (size_t i = 0; i < nw; i++) wf[i] = (float)w[i];
    for (int o = 0; o < s->co; o++) bias[o] = (float)(0.1 * o - 1);
    TRY(conv_create(&op, d, s, how));
    TRY(mem_alloc(&packed, conv_packed_bytes(op), 1, "test"));
    TRY(mem_alloc(&scratch, conv_scratch_bytes(op), 1, "test"));
    memset(scratch, 0xff, conv_scratch_bytes(op)); /* NaN: nothing may be taken from there */
    if (s->direction != CONV_BACK_WEIGHTS) TRY(conv_pack(op, wf, packed, scratch));
    memset(scratch, 0xff, conv_scratch_bytes(op));
    size_t n = s->direction == CONV_FORWARD ? ny : s->direction == CONV_BACK_DATA ? nx : nw;
    if (s->direction == CONV_FORWARD) {
        naive(&g, s->direction, (double *)(uintptr_t)x, (double *)(uintptr_t)w, want);
        for (size_t i = 0; i < ny && s->bias; i++) {
            want[i] += bias[i / ((size_t)g.ho * (size_t)g.wo) % (size_t)s->co] + (s->sum ? y[i] : 0);
            if (s->relu && want[i] < 0) want[i] = 0;
        }
        if (!s->sum) memset(yl, 0xff, ny * nn_type_size(s->type));
        TRY(conv_run(op, xl, packed, bias, yl, scratch));
        got = from_layout(yl, s->type, s->layout, s->n, s->co, g.ho, g.wo);
    } else if (s->direction == CONV_BACK_DATA) {
        naive(&g, s->direction, want, (double *)(uintptr_t)w, (double *)(uintptr_t)y);
        memset(xl, 0xff, nx * nn_type_size(s->type));
        TRY(conv_run(op, yl, packed, NULL, xl, scratch));
        got = from_layout(xl, s->type, s->layout, s->n, s->ci, s->h, s->w);
    } else {
        naive(&g, s->direction, (double *)(uintptr_t)x, want, (double *)(uintptr_t)y);
        memset(wf, 0xff, nw * 4);
        TRY(conv_run(op, xl, yl, NULL, wf, scratch));
        got = xmalloc(nw * 8);
        for (size_t i = 0; i < nw; i++) got[i] = wf[i];
    }
    compare(got, want, n, &error, &cosine);
    bool good = s->type == NN_F32 ? error <= 1e-4 : cosine >= 0.999;
    ways_run++;
    if (!good) {
        printf("#   %s direction %d %s %d->%d %dx%d k%d s%d n%d: error %.2e cosine %.5f\n", how, (int)s->direction,
               s->type == NN_F32 ? "fp32" : "bf16", s->ci, s->co, s->h, s->w, s->k, s->stride, s->n, error, cosine);
        ok(0, "an implementation of a convolution");
    }
done:
    conv_destroy(&op);
    free(packed), free(scratch), free(want), free(got), free(xl), free(yl), free(wf), free(bias);
    return st;
}

static status one_shape(dnn *d, const int *q, nn_type type, nn_layout layout, int post)
{
    status st = OK;
    conv_spec s = {.type = type,
                   .layout = layout,
                   .n = q[0],
                   .ci = q[1],
                   .co = q[2],
                   .h = q[3],
                   .w = q[4],
                   .k = q[5],
                   .stride = q[6],
                   .pad = q[5] / 2};
    size_t ny = (size_t)s.n * (size_t)s.co * (size_t)conv_out(s.h, s.k, s.stride, s.pad) * (size_t)conv_out(s.w, s.k, s.stride, s.pad);
    double *x = numbers((size_t)s.n * (size_t)s.ci * (size_t)s.h * (size_t)s.w, 21), *w = numbers((size_t)(s.co * s.ci * s.k * s.k), 22),
           *y = numbers(ny, 23);
    names list = {0};
    for (int direction = 0; direction < (post ? 1 : 3); direction++) {
        s.direction = (conv_direction)direction;
        if (direction == CONV_BACK_DATA && s.ci == 1) continue;
        if (post) s.bias = s.relu = true, s.sum = post == 2;
        names_free(&list);
        TRY(conv_list(d, &s, &list));
        ok(list.n > 0, "there is an implementation");
        for (size_t i = 0; i < list.n; i++) TRY(one_way(d, &s, list.item[i], x, w, y));
    }
done:
    names_free(&list);
    free(x), free(w), free(y);
    return st;
}

int main(void)
{
    /* pictures, channels in, out, height, width, kernel, stride */
    static const int shape[][7] = {{1, 1, 64, 33, 33, 7, 2}, {3, 1, 64, 32, 32, 7, 2}, {7, 64, 64, 7, 7, 3, 1},   {1, 64, 64, 1, 1, 3, 1},
                                   {2, 64, 128, 9, 9, 3, 2}, {3, 64, 128, 8, 8, 3, 2}, {5, 64, 128, 7, 7, 1, 2},  {2, 64, 128, 8, 8, 1, 2},
                                   {3, 128, 64, 5, 5, 1, 1}, {65, 64, 64, 3, 3, 3, 1}, {1, 16, 32, 63, 65, 3, 1}, {2, 64, 64, 1, 1, 3, 2},
                                   {5, 64, 64, 33, 31, 3, 1}};
    status st = OK;
    dnn *d = NULL;
    test_oracle();
    TRY(dnn_create(&d));
    for (int threads = 1; threads <= 2; threads++) {
        omp_set_num_threads(threads);
        for (size_t i = 0; i < sizeof shape / sizeof *shape; i++) {
            TRY(one_shape(d, shape[i], NN_F32, dnn_layout(NN_F32), 0));
            TRY(one_shape(d, shape[i], NN_F32, NN_NHWC, 0));
            if (dnn_bf16()) TRY(one_shape(d, shape[i], NN_BF16, dnn_layout(NN_BF16), 0));
            for (int post = 1; post <= 2 && shape[i][1] > 1; post++) {
                TRY(one_shape(d, shape[i], NN_F32, dnn_layout(NN_F32), post));
                if (dnn_bf16()) TRY(one_shape(d, shape[i], NN_BF16, dnn_layout(NN_BF16), post));
            }
        }
    }
    printf("# %d ways run\n", ways_run);
done:
    dnn_destroy(&d);
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK && ways_run > 100, "the test ran to its end");
    return tap_done();
}
