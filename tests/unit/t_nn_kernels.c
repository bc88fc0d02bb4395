/* t_nn_kernels.c -- run: limit=120 : batch norm, ReLU, skip, pooling, conversions against plain loops in double, in both layouts and
 * types; the backward formulas of the plain loops against central differences. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/nn/kernels.h"

#include <omp.h>
#include <stdlib.h>

static size_t place(const nn_shape *s, int n, int c, int y, int x)
{
    size_t plane = (size_t)s->h * (size_t)s->w, at = (size_t)y * (size_t)s->w + (size_t)x;
    if (s->layout == NN_NHWC) return ((size_t)n * plane + at) * (size_t)s->c + (size_t)c;
    return (((size_t)n * (size_t)(s->c / 16) + (size_t)(c / 16)) * plane + at) * 16 + (size_t)(c % 16);
}

typedef struct {
    nn_shape s;
    void *data;
    double *v; /* as stored (rounded), in NCHW order */
} tensor;

static double get(const tensor *t, size_t at)
{
    float f;
    if (t->s.type == NN_F32) return ((float *)t->data)[at];
    uint32_t u = (uint32_t)((uint16_t *)t->data)[at] << 16;
    memcpy(&f, &u, 4);
    return f;
}

static void refresh(tensor *t)
{
    size_t i = 0;
    for (int n = 0; n < t->s.n; n++)
        for (int c = 0; c < t->s.c; c++)
            for (int y = 0; y < t->s.h; y++)
                for (int x = 0; x < t->s.w; x++) t->v[i++] = get(t, place(&t->s, n, c, y, x));
}

static tensor tensor_new(nn_shape s, uint32_t tag)
{
    size_t n = nn_shape_count(&s);
    tensor t = {s, xmalloc(n * 4 + 64), xmalloc(n * 8 + 64)};
    float *f = xmalloc(n * 4 + 64);
    rng r = rng_at(21, STREAM_SAMPLE, tag, 0);
    for (size_t i = 0; i < n; i++) f[i] = (float)rng_normal(&r);
    if (s.type == NN_F32)
        memcpy(t.data, f, n * 4);
    else
        kernels_to_bf16(f, t.data, n);
    free(f);
    refresh(&t);
    return t;
}

static void tensor_free(tensor *t)
{
    free(t->data);
    free(t->v);
}

/* Largest error of a tensor against numbers in NCHW order, relative to the largest of them. */
static double error_of(tensor *t, const double *want)
{
    double worst = 0, most = 1e-30;
    refresh(t);
    for (size_t i = 0; i < nn_shape_count(&t->s); i++) {
        if (!(fabs(t->v[i] - want[i]) <= worst)) worst = fabs(t->v[i] - want[i]);
        if (fabs(want[i]) > most) most = fabs(want[i]);
    }
    return worst / most;
}

static double error_sums(const double *got, const double *want, int n)
{
    double worst = 0, most = 1e-30;
    for (int i = 0; i < n; i++) {
        if (!(fabs(got[i] - want[i]) <= worst)) worst = fabs(got[i] - want[i]);
        if (fabs(want[i]) > most) most = fabs(want[i]);
    }
    return worst / most;
}

typedef struct {
    double mean, scale, shift;
} plain_norm;

static void random_norm(int c, uint32_t tag, float *buf, nn_norm *n, float *k, const float **ks)
{
    rng r = rng_at(22, STREAM_SAMPLE, tag, 0);
    for (int i = 0; i < 3 * c; i++) buf[i] = (float)(0.3 * rng_normal(&r) + (i >= c && i < 2 * c ? 1 : 0));
    *n = (nn_norm){buf, buf + c, buf + 2 * c};
    for (int i = 0; i < 3 * c; i++) k[i] = (float)rng_normal(&r);
    for (int i = 0; i < 3; i++) ks[i] = k + i * c;
}

static plain_norm at_channel(const nn_norm *n, int c)
{
    return (plain_norm){n->mean[c], n->scale[c], n->shift[c]};
}

static double apply(plain_norm p, double x)
{
    return (x - p.mean) * p.scale + p.shift;
}

enum { MAX_C = 128 };

static void test_norm(nn_shape s)
{
    char what[160];
    snprintf(what, sizeof what, "%s %s %dx%dx%dx%d", s.type == NN_F32 ? "fp32" : "bf16", s.layout == NN_NHWC ? "nhwc" : "c16", s.n, s.c,
             s.h, s.w);
    double tol = s.type == NN_F32 ? 2e-6 : 8e-3, sum[MAX_C], dot[MAX_C], dot2[MAX_C], want[3][MAX_C];
    size_t count = nn_shape_count(&s), plane = (size_t)s.h * (size_t)s.w;
    tensor x = tensor_new(s, 1), id = tensor_new(s, 2), y = tensor_new(s, 3), a = tensor_new(s, 4), b = tensor_new(s, 5),
           x2 = tensor_new(s, 6);
    double *w = xmalloc(count * 8 + 8);
    float n1[3 * MAX_C], n2[3 * MAX_C], k[3 * MAX_C], k2[3 * MAX_C];
    const float *ks[3], *ks2[3];
    nn_norm norm, other;
    void *work = xmalloc(kernels_work_bytes(s.c));
    int bad = 0;
    random_norm(s.c, 1, n1, &norm, k, ks);
    random_norm(s.c, 2, n2, &other, k2, ks2);

    memset(want, 0, sizeof want);
    for (size_t i = 0; i < count; i++) want[0][i / plane % (size_t)s.c] += x.v[i], want[1][i / plane % (size_t)s.c] += x.v[i] * x.v[i];
    kernels_stats(&s, x.data, sum, dot, work);
    bad += error_sums(sum, want[0], s.c) > 2e-6 || error_sums(dot, want[1], s.c) > 2e-6;

    for (int mode = 0; mode < 4; mode++) { /* plain; ReLU; + identity; + normed identity */
        for (size_t i = 0; i < count; i++) {
            int c = (int)(i / plane % (size_t)s.c);
            w[i] = apply(at_channel(&norm, c), x.v[i]) + (mode == 2 ? id.v[i] : mode == 3 ? apply(at_channel(&other, c), id.v[i]) : 0);
            if (mode > 0 && w[i] < 0) w[i] = 0;
        }
        kernels_norm(&s, x.data, &norm, mode >= 2 ? id.data : NULL, mode == 3 ? &other : NULL, mode > 0, y.data);
        bad += error_of(&y, w) > tol;
    }
    refresh(&y);

    memset(want, 0, sizeof want);
    for (size_t i = 0; i < count; i++) {
        int c = (int)(i / plane % (size_t)s.c);
        w[i] = y.v[i] > 0 ? a.v[i] + b.v[i] : 0;
        if (s.type == NN_BF16) { /* the sums are of what is stored */
            float f = (float)w[i];
            uint32_t u;
            memcpy(&u, &f, 4);
            u = (u + 0x7fff + (u >> 16 & 1)) & 0xffff0000;
            memcpy(&f, &u, 4);
            w[i] = f;
        }
        want[0][c] += w[i], want[1][c] += w[i] * (x.v[i] - norm.mean[c]), want[2][c] += w[i] * (x2.v[i] - other.mean[c]);
    }
    kernels_end_reduce(&s, a.data, b.data, y.data, x.data, norm.mean, x2.data, other.mean, sum, dot, dot2, work);
    bad += error_of(&a, w) > 1e-6 || error_sums(sum, want[0], s.c) > 1e-5 || error_sums(dot, want[1], s.c) > 1e-5 ||
           error_sums(dot2, want[2], s.c) > 1e-5;

    memset(want, 0, sizeof want);
    refresh(&a);
    for (size_t i = 0; i < count; i++) {
        int c = (int)(i / plane % (size_t)s.c);
        double g = apply(at_channel(&norm, c), x.v[i]) > 0 ? b.v[i] : 0;
        want[0][c] += g, want[1][c] += g * (x.v[i] - norm.mean[c]);
        w[i] = k[c] * g + k[s.c + c] * (x.v[i] - norm.mean[c]) + k[2 * s.c + c];
    }
    kernels_inner_reduce(&s, b.data, x.data, &norm, sum, dot, work);
    bad += error_sums(sum, want[0], s.c) > 1e-5 || error_sums(dot, want[1], s.c) > 1e-5;
    kernels_norm_backward(&s, b.data, x.data, &norm, true, ks);
    bad += error_of(&x, w) > tol;

    float *mean = xmalloc((size_t)(s.n * s.c) * 4);
    double worst = 0;
    kernels_average(&s, id.data, mean);
    for (int i = 0; i < s.n * s.c; i++) {
        double m = 0;
        for (size_t p = 0; p < plane; p++) m += id.v[(size_t)i * plane + p] / (double)plane;
        worst = fmax(worst, fabs(m - mean[i]));
    }
    bad += !(worst < 1e-6);
    kernels_average_backward(&s, mean, y.data);
    for (size_t i = 0; i < count; i++) w[i] = mean[i / plane] / (double)plane;
    bad += error_of(&y, w) > tol;
    ok(bad == 0, what);
    tensor_free(&x), tensor_free(&id), tensor_free(&y), tensor_free(&a), tensor_free(&b), tensor_free(&x2);
    free(w), free(work), free(mean);
}

static int pooled(int n)
{
    return (n - 1) / 2 + 1;
}

/* y and the winner's pixel (-1: none) of relu(norm) + max-pool, in NCHW. */
static void plain_pool(const nn_shape *s, const double *x, const nn_norm *norm, double *y, long *winner)
{
    int oh = pooled(s->h), ow = pooled(s->w);
    size_t i = 0;
    for (int nc = 0; nc < s->n * s->c; nc++)
        for (int oy = 0; oy < oh; oy++)
            for (int ox = 0; ox < ow; ox++, i++) {
                y[i] = 0, winner[i] = -1;
                for (int t = 0; t < 9; t++) {
                    int iy = 2 * oy + t / 3 - 1, ix = 2 * ox + t % 3 - 1;
                    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) continue;
                    long at = ((long)nc * s->h + iy) * s->w + ix;
                    double v = apply(at_channel(norm, nc % s->c), x[at]);
                    if (v > y[i]) y[i] = v, winner[i] = at;
                }
            }
}

static void test_stem(nn_shape s)
{
    char what[160];
    snprintf(what, sizeof what, "stem %s %s %dx%dx%dx%d", s.type == NN_F32 ? "fp32" : "bf16", s.layout == NN_NHWC ? "nhwc" : "c16", s.n,
             s.c, s.h, s.w);
    nn_shape p = s;
    p.h = pooled(s.h), p.w = pooled(s.w);
    size_t n = nn_shape_count(&s), m = nn_shape_count(&p), plane = (size_t)s.h * (size_t)s.w;
    double tol = s.type == NN_F32 ? 2e-6 : 8e-3, sum[MAX_C], dot[MAX_C], want[2][MAX_C];
    tensor x = tensor_new(s, 1), y = tensor_new(p, 2), a = tensor_new(p, 3), b = tensor_new(p, 4);
    double *w = xmalloc(n * 8), *wy = xmalloc(m * 8), *g = xcalloc(n, 8);
    long *winner = xmalloc(m * sizeof *winner);
    uint8_t *which = xmalloc(m + 64);
    float n1[3 * MAX_C], k[3 * MAX_C];
    const float *ks[3];
    nn_norm norm;
    void *work = xmalloc(kernels_work_bytes(s.c));
    int bad = 0;
    random_norm(s.c, 3, n1, &norm, k, ks);
    plain_pool(&s, x.v, &norm, wy, winner);
    kernels_stem_pool(&s, x.data, &norm, y.data, NULL);
    bad += error_of(&y, wy) > tol;
    kernels_stem_pool(&s, x.data, &norm, y.data, which);
    bad += error_of(&y, wy) > tol;
    memset(want, 0, sizeof want);
    for (size_t i = 0; i < m; i++)
        if (winner[i] >= 0) g[winner[i]] += a.v[i] + b.v[i];
    for (size_t i = 0; i < n; i++) {
        int c = (int)(i / plane % (size_t)s.c);
        want[0][c] += g[i], want[1][c] += g[i] * (x.v[i] - norm.mean[c]);
        w[i] = k[c] * g[i] + k[s.c + c] * (x.v[i] - norm.mean[c]) + k[2 * s.c + c];
    }
    kernels_stem_reduce(&s, a.data, b.data, which, x.data, norm.mean, sum, dot, work);
    bad += error_sums(sum, want[0], s.c) > 1e-5 || error_sums(dot, want[1], s.c) > 1e-5;
    kernels_stem_backward(&s, a.data, b.data, which, x.data, norm.mean, ks);
    bad += error_of(&x, w) > tol;
    ok(bad == 0, what);
    tensor_free(&x), tensor_free(&y), tensor_free(&a), tensor_free(&b);
    free(w), free(wy), free(g), free(winner), free(which), free(work);
}

/* Batch norm over m values, ReLU: d(sum of y g)/dx by central differences against the factors the network uses. */
static void test_formula(void)
{
    enum { M = 63 };
    double x[M], g[M], worst = 0, gamma = 1.3, beta = -0.1, f[2];
    rng r = rng_at(23, STREAM_SAMPLE, 0, 0);
    for (int i = 0; i < M; i++) x[i] = 2 * rng_normal(&r) + 1, g[i] = rng_normal(&r);
    double mean = 0, var = 0, sum = 0, dot = 0, inv;
    for (int i = 0; i < M; i++) mean += x[i] / M;
    for (int i = 0; i < M; i++) var += (x[i] - mean) * (x[i] - mean) / M;
    inv = 1 / sqrt(var + 1e-5);
    for (int i = 0; i < M; i++)
        if ((x[i] - mean) * inv * gamma + beta > 0) sum += g[i], dot += g[i] * (x[i] - mean);
    double k0 = gamma * inv, k1 = -k0 * inv * inv * dot / M, k2 = -k0 * sum / M;
    for (int i = 0; i < M; i++) {
        for (int s = 0; s < 2; s++) {
            double keep = x[i], m = 0, v = 0;
            x[i] += s ? 1e-6 : -1e-6;
            f[s] = 0;
            for (int j = 0; j < M; j++) m += x[j] / M;
            for (int j = 0; j < M; j++) v += (x[j] - m) * (x[j] - m) / M;
            for (int j = 0; j < M; j++) f[s] += g[j] * fmax(0, (x[j] - m) / sqrt(v + 1e-5) * gamma + beta);
            x[i] = keep;
        }
        double dz = (x[i] - mean) * inv * gamma + beta > 0 ? g[i] : 0;
        worst = fmax(worst, fabs((f[1] - f[0]) / 2e-6 - (k0 * dz + k1 * (x[i] - mean) + k2)));
    }
    ok(worst < 1e-7, "the gradient of batch norm and ReLU agrees with central differences");
}

static void test_nan(void)
{
    nn_shape s = {NN_F32, NN_NHWC, 1, 16, 1, 1};
    float x[16], y[16], zero[16] = {0}, one[16];
    for (int i = 0; i < 16; i++) x[i] = i == 3 ? NAN : -1, one[i] = 1;
    nn_norm n = {zero, one, zero};
    kernels_norm(&s, x, &n, NULL, NULL, true, y);
    ok(isnan(y[3]) && y[0] == 0, "NaN passes a ReLU: divergence is seen");
    float f[] = {1.00390625f, 1.01171875f, -1.00390625f, INFINITY, NAN, 3e38f}; /* halves between bf16 numbers go to the even one */
    uint16_t h[6];
    kernels_to_bf16(f, h, 6);
    ok(h[0] == 0x3f80 && h[1] == 0x3f82 && h[2] == 0xbf80 && h[3] == 0x7f80 && (h[4] & 0x7fff) > 0x7f80 && h[5] == 0x7f62,
       "rounding to bf16");
}

/* This program again, in an environment in which OpenMP gives fewer threads than it is asked for. */
static void test_fewer_threads(void)
{
    nn_shape s = {NN_F32, NN_NHWC, 64, 16, 2, 2};
    float x[64 * 16 * 4];
    double sum[16], square[16];
    size_t room = kernels_work_bytes(16);
    unsigned char *work = xmalloc(room);
    for (size_t i = 0; i < sizeof x / sizeof *x; i++) x[i] = 1;
    kernels_set_threads(4);
    memset(work, 0x41, room); /* what a thread that was not there leaves */
    kernels_stats(&s, x, sum, square, work);
    ok(sum[0] == 256 && square[15] == 256, "sums with fewer threads than were asked for");
    free(work);
}

static int again(const char *program, const char *setting)
{
    char line[4200];
    snprintf(line, sizeof line, "%s '%s' fewer >/dev/null", setting, program);
    return system(line);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        test_fewer_threads();
        return tap_done();
    }
    ok(again(argv[0], "OMP_THREAD_LIMIT=2") == 0, "OMP_THREAD_LIMIT=2: sums are right");
    ok(again(argv[0], "OMP_DYNAMIC=true") == 0, "OMP_DYNAMIC=true: sums are right");
    static const int size[][4] = {{1, 16, 1, 1}, {7, 16, 1, 1}, {1, 64, 7, 7}, {3, 128, 3, 3}, {2, 16, 63, 65}, {65, 64, 2, 2}};
    test_formula();
    test_nan();
    for (int threads = 1; threads <= 2; threads++) {
        kernels_set_threads(threads);
        for (size_t i = 0; i < sizeof size / sizeof *size; i++)
            for (int type = 0; type < 2; type++)
                for (int layout = 0; layout < 2; layout++) {
                    nn_shape s = {(nn_type)type, (nn_layout)layout, size[i][0], size[i][1], size[i][2], size[i][3]};
                    test_norm(s);
                    test_stem(s);
                }
    }
    return tap_done();
}
