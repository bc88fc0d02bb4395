/* amx_reference.h -- convolutions by naive loops in double, on bf16 numbers, for the tests of the AMX kernels; and one run of a kernel,
 * with everything around its operands made poisonous. */
#ifndef AMX_REFERENCE_H
#define AMX_REFERENCE_H
#include "../common/nn/amx_conv_impl.h"
#include "../common/nn/amx_loops_impl.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/nn/kernels.h"
#include "tap.h"

#include <stdlib.h>

typedef struct {
    conv_spec s;
    size_t nx, nw, ny, bytes;
    uint16_t *x, *y; /* NHWC; y: the output, or the gradient at it */
    float *w, *bias; /* weights [co, ci, k, k] */
    void *result;    /* of the last run: bf16 as x or y are, or fp32 as w is */
    double sums[2][2048];
} amx_case;

static void amx_numbers(uint16_t *out, float *exact, size_t n, uint32_t tag, double scale)
{
    rng r = rng_at(17, STREAM_SAMPLE, tag, 0);
    for (size_t i = 0; i < n; i++) {
        float v = (float)(scale * rng_normal(&r));
        uint16_t h;
        kernels_to_bf16(&v, &h, 1);
        if (out) out[i] = h;
        if (exact) kernels_from_bf16(&h, exact + i, 1);
    }
}

static amx_case amx_case_create(conv_direction direction, int n, int ci, int co, int h, int w, int k, int stride)
{
    amx_case c = {.s = {.direction = direction,
                        .type = NN_BF16,
                        .layout = NN_NHWC,
                        .n = n,
                        .ci = ci,
                        .co = co,
                        .h = h,
                        .w = w,
                        .k = k,
                        .stride = stride,
                        .pad = k / 2}};
    size_t ho = (size_t)conv_out(h, k, stride, k / 2), wo = (size_t)conv_out(w, k, stride, k / 2);
    c.nx = (size_t)n * (size_t)ci * (size_t)h * (size_t)w;
    c.ny = (size_t)n * (size_t)co * ho * wo;
    c.nw = (size_t)co * (size_t)ci * (size_t)k * (size_t)k;
    c.x = xmalloc(c.nx * 2), c.y = xmalloc(c.ny * 2), c.w = xmalloc(c.nw * 4), c.bias = xmalloc((size_t)co * 4);
    amx_numbers(c.x, NULL, c.nx, 1, 1);
    amx_numbers(c.y, NULL, c.ny, 2, 1);
    amx_numbers(NULL, c.w, c.nw, 3, 1 / sqrt((double)ci * k * k));
    amx_numbers(NULL, c.bias, (size_t)co, 4, 1);
    c.bytes = direction == CONV_BACK_WEIGHTS ? c.nw * 4 : direction == CONV_FORWARD ? c.ny * 2 : c.nx * 2;
    c.result = xmalloc(c.bytes);
    return c;
}

static void amx_case_free(amx_case *c)
{
    free(c->x), free(c->y), free(c->w), free(c->bias), free(c->result);
}

/* Scratch memory is NaN beforehand, and so is the result, unless it is added to. */
static status amx_case_run(amx_case *c, bool stream)
{
    status st = OK;
    amx_conv *op = NULL;
    void *packed = NULL, *scratch = NULL, *out = NULL;
    TRY(amx_conv_create(&op, &c->s, stream));
    TRY(mem_alloc(&packed, amx_conv_packed_bytes(op), 1, "test"));
    TRY(mem_alloc(&scratch, amx_conv_scratch_bytes(op), 1, "test"));
    TRY(mem_alloc(&out, c->bytes, 1, "test")); /* aligned as the product's are */
    memset(packed, 0xff, amx_conv_packed_bytes(op));
    memset(scratch, 0xff, amx_conv_scratch_bytes(op));
    memset(out, 0xff, c->bytes);
    if (c->s.sum) memcpy(out, c->y, c->bytes);
    if (c->s.direction != CONV_BACK_WEIGHTS) amx_conv_pack(op, c->w, packed);
    int64_t blocks = mem_allocations();
    amx_conv_run(op, c->s.direction == CONV_BACK_DATA ? c->y : c->x, c->s.direction == CONV_BACK_WEIGHTS ? c->y : packed, c->bias, out,
                 scratch);
    if (mem_allocations() != blocks) ok(0, "a run allocates nothing");
    memcpy(c->result, out, c->bytes);
    const double *sums = amx_conv_sums(op);
    for (int i = 0; i < 2 * c->s.co && sums; i++) c->sums[i / c->s.co][i % c->s.co] = sums[i];
done:
    amx_conv_destroy(&op);
    free(packed), free(scratch), free(out);
    return st;
}

static double *amx_doubles(const uint16_t *h, size_t n)
{
    double *d = xmalloc(n * sizeof *d);
    for (size_t i = 0; i < n; i++) {
        float f;
        kernels_from_bf16(h + i, &f, 1);
        d[i] = f;
    }
    return d;
}

/* All (result pixel, tap) pairs: y [co] with x [ci] by w [tap, ci, co]. */
__attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), optimize("O3"))) static void
amx_naive_pixel(const conv_spec *s, double *x, double *w, double *y)
{
    const int ci = s->ci, co = s->co;
    for (int i = 0; i < ci; i++) {
        double *v = w + (size_t)i * (size_t)co, sum = 0;
        if (s->direction == CONV_FORWARD)
            for (int o = 0; o < co; o++) y[o] += x[i] * v[o];
        else if (s->direction == CONV_BACK_WEIGHTS)
            for (int o = 0; o < co; o++) v[o] += x[i] * y[o];
        else {
            for (int o = 0; o < co; o++) sum += y[o] * v[o];
            x[i] += sum;
        }
    }
}

static void amx_naive(const conv_spec *s, double *x, double *w, double *y)
{
    int ho = conv_out(s->h, s->k, s->stride, s->pad), wo = conv_out(s->w, s->k, s->stride, s->pad);
    for (int n = 0; n < s->n; n++)
        for (int oy = 0; oy < ho; oy++)
            for (int ox = 0; ox < wo; ox++)
                for (int t = 0; t < s->k * s->k; t++) {
                    int iy = oy * s->stride + t / s->k - s->pad, ix = ox * s->stride + t % s->k - s->pad;
                    if (iy < 0 || iy >= s->h || ix < 0 || ix >= s->w) continue;
                    amx_naive_pixel(s, x + (((ptrdiff_t)n * s->h + iy) * s->w + ix) * s->ci, w + (ptrdiff_t)t * s->ci * s->co,
                                    y + (((ptrdiff_t)n * ho + oy) * wo + ox) * s->co);
                }
}

/* What the case's result should be, in the order of it. */
static double *amx_expected(const amx_case *c)
{
    const conv_spec *s = &c->s;
    const size_t taps = (size_t)s->k * (size_t)s->k, ci = (size_t)s->ci, co = (size_t)s->co;
    double *x = amx_doubles(c->x, c->nx), *y = amx_doubles(c->y, c->ny), *w = xcalloc(c->nw, sizeof *w),
           *turned = xcalloc(c->nw, sizeof *w);
    for (size_t o = 0; o < co && s->direction != CONV_BACK_WEIGHTS; o++)
        for (size_t i = 0; i < ci; i++)
            for (size_t t = 0; t < taps; t++) w[(t * ci + i) * co + o] = (double)c->w[(o * ci + i) * taps + t];
    if (s->direction == CONV_FORWARD && !s->sum) memset(y, 0, c->ny * sizeof *y);
    if (s->direction == CONV_BACK_DATA) memset(x, 0, c->nx * sizeof *x);
    amx_naive(s, x, w, y);
    for (size_t i = 0; i < c->ny && s->direction == CONV_FORWARD; i++) {
        if (s->bias) y[i] += (double)c->bias[i % co];
        if (s->relu && y[i] < 0) y[i] = 0;
    }
    for (size_t o = 0; o < co; o++)
        for (size_t i = 0; i < ci; i++)
            for (size_t t = 0; t < taps; t++) turned[(o * ci + i) * taps + t] = w[(t * ci + i) * co + o];
    double *result = s->direction == CONV_FORWARD ? y : s->direction == CONV_BACK_DATA ? x : turned, *all[] = {x, y, w, turned};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] != result) free(all[i]);
    return result;
}

/* Length of the difference, relative to the reference's. */
static double amx_error(const amx_case *c)
{
    double *want = amx_expected(c), d = 0, b = 0;
    size_t n = c->s.direction == CONV_BACK_WEIGHTS ? c->nw : c->bytes / 2;
    double *got = c->s.direction == CONV_BACK_WEIGHTS ? xmalloc(n * sizeof *got) : amx_doubles(c->result, n);
    for (size_t i = 0; i < n; i++) {
        if (c->s.direction == CONV_BACK_WEIGHTS) got[i] = (double)((float *)c->result)[i];
        d += (got[i] - want[i]) * (got[i] - want[i]), b += want[i] * want[i];
    }
    free(got), free(want);
    return b > 0 ? sqrt(d / b) : sqrt(d);
}

/* Bounds of the error: bf16 results are rounded once; sums of weight gradients are fp32. */
static bool amx_case_good(const amx_case *c)
{
    static const char *const name[] = {"forward", "back data", "back weights"};
    double error = amx_error(c), most = c->s.direction == CONV_BACK_WEIGHTS ? 1e-5 : 4e-3;
    bool good = error <= most;
    if (!good)
        printf("#   %s n%d %d->%d %dx%d k%d s%d%s%s%s: error %.2e, allowed %.0e\n", name[c->s.direction], c->s.n, c->s.ci, c->s.co, c->s.h,
               c->s.w, c->s.k, c->s.stride, c->s.bias ? " bias" : "", c->s.sum ? " sum" : "", c->s.relu ? " relu" : "", error, most);
    return good;
}

#endif
