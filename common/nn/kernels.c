/* kernels.c -- batch norm, ReLU, residual sums and pooling on blocked activations. The loops are in kernels_impl.h; here are the
 * element types, the split into segments, and the threads. Work is cut by pictures, each thread sums for itself, and the threads'
 * sums are added in order: the result depends on the number of threads only. */
#include "micon/nn/kernels.h"

#include "vector16_impl.h"

#include <cblas.h>
#include <omp.h>
#include <string.h>

enum { FLUSH = 64, MAX_THREADS = 256 };

#define NORM(x, n, c) (((x)-LDF((n).mean + (c))) * LDF((n).scale + (c)) + LDF((n).shift + (c)))

#define T float
#define LD LDF
#define ST STF
#define NAME(f) f##_f32
#include "kernels_impl.h"
#define T uint16_t
#define LD LDH
#define ST STH
#define NAME(f) f##_bf16
#include "kernels_impl.h"

int kernels_threads(void)
{
    int n = omp_get_max_threads();
    return n < MAX_THREADS ? n : MAX_THREADS;
}

/* The sums below rely on the number of threads they request: OpenMP must not give fewer (OMP_DYNAMIC, OMP_THREAD_LIMIT). */
void kernels_set_threads(int n)
{
    int most = omp_get_thread_limit();
    if (n > most) n = most;
    omp_set_dynamic(0);
    omp_set_num_threads(n);
    openblas_set_num_threads(n);
}

/* Three sums a thread, each thread's on cache lines of its own. */
size_t kernels_work_bytes(int max_channels)
{
    return (size_t)MAX_THREADS * 3 * (size_t)max_channels * sizeof(double);
}

CLONES static void seg_to_bf16(const float *x, uint16_t *y, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) STH(y + i, LDF(x + i));
    for (; i < n; i++) y[i] = bf16_of(x[i]);
}

CLONES static void seg_from_bf16(const uint16_t *x, float *y, size_t n)
{
    size_t i = 0;
    for (; i + 16 <= n; i += 16) STF(y + i, LDH(x + i));
    for (; i < n; i++) {
        uint32_t u = (uint32_t)x[i] << 16;
        memcpy(y + i, &u, 4);
    }
}

enum { CONVERT_PIECE = 1 << 16 };

void kernels_to_bf16(const float *x, uint16_t *y, size_t n)
{
    long pieces = (long)((n + CONVERT_PIECE - 1) / CONVERT_PIECE);
#pragma omp parallel for schedule(static) if (pieces > 1)
    for (long i = 0; i < pieces; i++) {
        size_t at = (size_t)i * CONVERT_PIECE;
        seg_to_bf16(x + at, y + at, n - at < CONVERT_PIECE ? n - at : CONVERT_PIECE);
    }
}

void kernels_from_bf16(const uint16_t *x, float *y, size_t n)
{
    long pieces = (long)((n + CONVERT_PIECE - 1) / CONVERT_PIECE);
#pragma omp parallel for schedule(static) if (pieces > 1)
    for (long i = 0; i < pieces; i++) {
        size_t at = (size_t)i * CONVERT_PIECE;
        seg_from_bf16(x + at, y + at, n - at < CONVERT_PIECE ? n - at : CONVERT_PIECE);
    }
}

/* How a shape falls into segments: segment i is `width` channels from `channel0`, `rows` pixels of one picture. */
typedef struct {
    long n;
    size_t rows, width;
    int per_picture;
} segments;

static segments segments_of(const nn_shape *s)
{
    bool blocked = s->layout == NN_C16;
    int per = blocked ? s->c / 16 : 1;
    return (segments){(long)s->n * per, (size_t)s->h * (size_t)s->w, (size_t)(blocked ? 16 : s->c), per};
}

static size_t segment_channel(const segments *g, long i)
{
    return (size_t)(i % g->per_picture) * g->width;
}

/* Add the threads' sums, in the order of the threads. */
static void im2col_sums(const double *work, int threads, int channels, int n_sums, double *const out[])
{
    for (int k = 0; k < n_sums; k++) {
        if (!out[k]) continue;
        memset(out[k], 0, (size_t)channels * sizeof(double));
        for (int t = 0; t < threads; t++)
            for (int c = 0; c < channels; c++) out[k][c] += work[((size_t)t * 3 + (size_t)k) * (size_t)channels + (size_t)c];
    }
}

static double *thread_sums(void *work, int channels)
{
    double *mine = (double *)work + (size_t)omp_get_thread_num() * 3 * (size_t)channels;
    memset(mine, 0, 3 * (size_t)channels * sizeof(double));
    return mine;
}

/* Pointer to element `at` of an array of the shape's type; NULL stays NULL. */
static const void *at_in(const nn_shape *s, const void *p, size_t at)
{
    return p ? (const char *)p + at * nn_type_size(s->type) : NULL;
}
static void *at_out(const nn_shape *s, void *p, size_t at)
{
    return (char *)p + at * nn_type_size(s->type);
}
#define BY_TYPE(s, f, ...) ((s)->type == NN_F32 ? f##_f32(__VA_ARGS__) : f##_bf16(__VA_ARGS__))

void kernels_stats(const nn_shape *s, const void *x, double *sum, double *square, void *work)
{
    segments g = segments_of(s);
    int threads = kernels_threads();
#pragma omp parallel num_threads(threads)
    {
        double *mine = thread_sums(work, s->c);
#pragma omp for schedule(static)
        for (long i = 0; i < g.n; i++) {
            size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
            BY_TYPE(s, seg_stats, at_in(s, x, at), g.rows, g.width, g.width, mine + c, mine + s->c + c);
        }
    }
    im2col_sums(work, threads, s->c, 2, (double *const[]){sum, square});
}

static nn_norm norm_at(const nn_norm *n, size_t c)
{
    return (nn_norm){n->mean + c, n->scale + c, n->shift + c};
}

void kernels_norm(const nn_shape *s, const void *x, const nn_norm *norm, const void *id, const nn_norm *id_norm, bool relu, void *y)
{
    segments g = segments_of(s);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < g.n; i++) {
        size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
        nn_norm other = norm_at(id_norm ? id_norm : norm, c);
        BY_TYPE(s, seg_norm, at_in(s, x, at), g.rows, g.width, norm_at(norm, c), at_in(s, id, at), id_norm ? &other : NULL, relu,
                at_out(s, y, at));
    }
}

void kernels_end_reduce(const nn_shape *s, void *a, const void *b, const void *y, const void *x, const float *mean, const void *x2,
                        const float *mean2, double *sum, double *dot, double *dot2, void *work)
{
    segments g = segments_of(s);
    int threads = kernels_threads();
#pragma omp parallel num_threads(threads)
    {
        double *mine = thread_sums(work, s->c);
#pragma omp for schedule(static)
        for (long i = 0; i < g.n; i++) {
            size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
            BY_TYPE(s, seg_end_reduce, at_out(s, a, at), at_in(s, b, at), at_in(s, y, at), at_in(s, x, at), mean + c, at_in(s, x2, at),
                    x2 ? mean2 + c : NULL, g.rows, g.width, mine + c, mine + s->c + c, mine + 2 * s->c + c);
        }
    }
    im2col_sums(work, threads, s->c, 3, (double *const[]){sum, dot, x2 ? dot2 : NULL});
}

void kernels_inner_reduce(const nn_shape *s, const void *dy, const void *x, const nn_norm *norm, double *sum, double *dot, void *work)
{
    segments g = segments_of(s);
    int threads = kernels_threads();
#pragma omp parallel num_threads(threads)
    {
        double *mine = thread_sums(work, s->c);
#pragma omp for schedule(static)
        for (long i = 0; i < g.n; i++) {
            size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
            BY_TYPE(s, seg_inner_reduce, at_in(s, dy, at), at_in(s, x, at), norm_at(norm, c), g.rows, g.width, mine + c, mine + s->c + c);
        }
    }
    im2col_sums(work, threads, s->c, 2, (double *const[]){sum, dot});
}

void kernels_norm_backward(const nn_shape *s, const void *dy, void *x, const nn_norm *norm, bool masked, const float *const k[3])
{
    segments g = segments_of(s);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < g.n; i++) {
        size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
        const float *const kc[3] = {k[0] + c, k[1] + c, k[2] + c};
        BY_TYPE(s, seg_norm_backward, at_in(s, dy, at), at_out(s, x, at), norm_at(norm, c), masked, kc, g.rows, g.width);
    }
}

/* Pooled size of 3x3, stride 2, padding 1. */
static int pooled(int n)
{
    return (n - 1) / 2 + 1;
}

void kernels_stem_pool(const nn_shape *s, const void *x, const nn_norm *norm, void *y, uint8_t *which)
{
    segments g = segments_of(s);
    int oh = pooled(s->h), ow = pooled(s->w);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < g.n; i++) {
        size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
        for (int r = 0; r < oh; r++) {
            size_t to = ((size_t)i * (size_t)oh + (size_t)r) * (size_t)ow * g.width;
            BY_TYPE(s, row_pool, at_in(s, x, at), s->h, s->w, r, ow, g.width, norm_at(norm, c), at_out(s, y, to),
                    which ? which + to : NULL);
        }
    }
}

void kernels_stem_reduce(const nn_shape *s, const void *a, const void *b, const uint8_t *which, const void *x, const float *mean,
                         double *sum, double *dot, void *work)
{
    segments g = segments_of(s);
    int oh = pooled(s->h), ow = pooled(s->w), threads = kernels_threads();
#pragma omp parallel num_threads(threads)
    {
        double *mine = thread_sums(work, s->c);
#pragma omp for schedule(static)
        for (long i = 0; i < g.n; i++) {
            size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width;
            for (int r = 0; r < oh; r++) {
                size_t from = ((size_t)i * (size_t)oh + (size_t)r) * (size_t)ow * g.width;
                BY_TYPE(s, row_stem_reduce, at_in(s, a, from), at_in(s, b, from), which + from, at_in(s, x, at), s->h, s->w, r, ow, g.width,
                        mean + c, mine + c, mine + s->c + c);
            }
        }
    }
    im2col_sums(work, threads, s->c, 2, (double *const[]){sum, dot});
}

void kernels_stem_backward(const nn_shape *s, const void *a, const void *b, const uint8_t *which, void *x, const float *mean,
                           const float *const k[3])
{
    segments g = segments_of(s);
    int oh = pooled(s->h), ow = pooled(s->w);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < g.n; i++) {
        size_t c = segment_channel(&g, i), at = (size_t)i * g.rows * g.width, from = (size_t)i * (size_t)oh * (size_t)ow * g.width;
        const float *const kc[3] = {k[0] + c, k[1] + c, k[2] + c};
        for (int r = 0; r < oh; r++)
            BY_TYPE(s, rows_stem_backward, at_in(s, a, from), at_in(s, b, from), which + from, at_out(s, x, at), r, s->h, s->w, oh, ow,
                    g.width, mean + c, kc);
    }
}

void kernels_average(const nn_shape *s, const void *x, float *y)
{
    segments g = segments_of(s);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < g.n; i++)
        BY_TYPE(s, seg_average, at_in(s, x, (size_t)i * g.rows * g.width), g.rows, g.width, y + (size_t)i * g.width);
}

void kernels_average_backward(const nn_shape *s, const float *dy, void *dx)
{
    segments g = segments_of(s);
#pragma omp parallel for schedule(static)
    for (long i = 0; i < g.n; i++)
        BY_TYPE(s, seg_spread, dy + (size_t)i * g.width, g.rows, g.width, at_out(s, dx, (size_t)i * g.rows * g.width));
}
