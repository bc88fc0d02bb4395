/* image_sink.c -- samples to values or labels (image_impl.h). */
#include "image_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/simd_clones.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    size_t bytes;
    int64_t top; /* of integers: the largest value */
} kinds[] = {
    [IMAGE_U8] = {"uint8", 1, UINT8_MAX},  [IMAGE_I8] = {"int8", 1, INT8_MAX},      [IMAGE_U16] = {"uint16", 2, UINT16_MAX},
    [IMAGE_I16] = {"int16", 2, INT16_MAX}, [IMAGE_U32] = {"uint32", 4, UINT32_MAX}, [IMAGE_I32] = {"int32", 4, INT32_MAX},
    [IMAGE_F16] = {"float16", 2, 0},       [IMAGE_F32] = {"float32", 4, 0},         [IMAGE_F64] = {"float64", 8, 0},
};

const char *image_kind_name(image_kind k)
{
    return kinds[k].name;
}

size_t image_kind_bytes(image_kind k)
{
    return kinds[k].bytes;
}

bool image_kind_scaled(image_kind k)
{
    return k >= IMAGE_U32;
}

status image_reserve(void *block, size_t *cap, size_t n, const char *what)
{
    void *old, *p = NULL;
    if (n <= *cap) return OK;
    memcpy(&old, block, sizeof old);
    free(old);
    memcpy(block, &p, sizeof p);
    *cap = 0;
    status st = mem_alloc(block, n, 1, what);
    if (st == OK) *cap = n;
    return st;
}

/* ---- samples to values ---- */

/* Copies the samples (dst != src) or only examines them (dst == src). */
HOT static void scan_u16(const uint16_t *src, uint16_t *dst, size_t n, uint16_t top, int64_t *saturated, uint32_t *any)
{
    uint32_t bits = 0, count = 0; /* n <= IMAGE_MAX_PX: the count fits */
    if (dst != src) memcpy(dst, src, n * sizeof *dst);
    for (size_t i = 0; i < n; i++) {
        bits |= src[i];
        count += src[i] == top;
    }
    *saturated += count;
    *any |= bits;
}

static uint16_t value_of(double v, double scale)
{
    double x = floor(v * scale + 0.5);
    return x <= 0 ? 0 : x >= UINT16_MAX ? UINT16_MAX : (uint16_t)x;
}

#define EACH(type, value, is_full)                                                                                                         \
    do {                                                                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                                                                   \
            type s;                                                                                                                        \
            memcpy(&s, src + i * sizeof s, sizeof s);                                                                                      \
            uint16_t v = (uint16_t)(value);                                                                                                \
            dst[i] = v;                                                                                                                    \
            bits |= v;                                                                                                                     \
            count += (is_full);                                                                                                            \
        }                                                                                                                                  \
    } while (0)

/* The same for samples that are scaled: `real` is the sample as a number. */
#define EACH_SCALED(type, real, is_full) EACH(type, scaled((real), k->scale, &high, &finite), (clipped += v == UINT16_MAX, is_full))

static inline uint16_t scaled(double number, double scale, double *high, bool *finite)
{
    if (!isfinite(number)) return (uint16_t)(*finite = false);
    if (number > *high) *high = number;
    return value_of(number, scale);
}

/* False: a sample is NaN or infinite. */
static bool convert(image_sink *k, const uint8_t *src, size_t n, uint16_t *dst)
{
    uint32_t bits = 0;
    int64_t count = 0, clipped = 0, top = k->top;
    double high = k->im->high;
    bool finite = true;
    switch (k->kind) {
    case IMAGE_U8: EACH(uint8_t, s, s == top); break;
    case IMAGE_I8: EACH(int8_t, s < 0 ? 0 : s, s == top); break;
    case IMAGE_U16: EACH(uint16_t, s, s == top); break;
    case IMAGE_I16: EACH(int16_t, s < 0 ? 0 : s, s == top); break;
    case IMAGE_U32: EACH_SCALED(uint32_t, s, s == top); break;
    case IMAGE_I32: EACH_SCALED(int32_t, s, s == top); break;
    case IMAGE_F16: EACH_SCALED(uint16_t, (double)num_half(s), v == UINT16_MAX); break;
    case IMAGE_F32: EACH_SCALED(float, (double)s, v == UINT16_MAX); break;
    case IMAGE_F64: EACH_SCALED(double, s, v == UINT16_MAX); break;
    }
    k->im->n_saturated += count;
    k->im->n_clipped += clipped;
    k->im->high = high;
    k->any |= bits;
    return finite;
}

/* ---- label images ---- */

#define SAMPLE(name, type)                                                                                                                 \
    static type sample_##name(const uint8_t *s)                                                                                            \
    {                                                                                                                                      \
        type v;                                                                                                                            \
        memcpy(&v, s, sizeof v);                                                                                                           \
        return v;                                                                                                                          \
    }
SAMPLE(u16, uint16_t)
SAMPLE(u32, uint32_t)
SAMPLE(f32, float)
SAMPLE(f64, double)

/* Samples to labels; fails on the first sample that is not a label. */
static status convert_labels(const image_sink *k, const uint8_t *src, size_t n, int32_t *dst)
{
    const char *path = k->f->path;
    size_t bytes = kinds[k->kind].bytes;
    bool is_float = k->kind >= IMAGE_F16;
    for (size_t i = 0; i < n; i++) {
        double v = 0;
        const uint8_t *s = src + i * bytes;
        switch (k->kind) {
        case IMAGE_U8: v = *s; break;
        case IMAGE_I8: v = (int8_t)*s; break;
        case IMAGE_U16: v = sample_u16(s); break;
        case IMAGE_I16: v = (int16_t)sample_u16(s); break;
        case IMAGE_U32: v = sample_u32(s); break;
        case IMAGE_I32: v = (int32_t)sample_u32(s); break;
        case IMAGE_F16: v = (double)num_half(sample_u16(s)); break;
        case IMAGE_F32: v = (double)sample_f32(s); break;
        case IMAGE_F64: v = sample_f64(s); break;
        }
        if (is_float && !(v == floor(v) && isfinite(v))) return fail(E_FORMAT, "%s: holds the label %g; labels are whole numbers", path, v);
        if (v < 0) return fail(E_FORMAT, "%s: holds the label %.0f; labels are 0 (background) or positive", path, v);
        if (v > INT32_MAX) return fail(E_FORMAT, "%s: holds the label %.0f; the largest that is read is %d", path, v, INT32_MAX);
        dst[i] = (int32_t)v;
    }
    return OK;
}

/* ---- where samples go ---- */

status image_size_check(const char *path, uint32_t width, uint32_t height)
{
    if (width == 0 || height == 0) return fail(E_FORMAT, "%s: has no pixels", path);
    if (width > IMAGE_MAX_SIDE || height > IMAGE_MAX_SIDE || (uint64_t)width * height > IMAGE_MAX_PX)
        return fail(E_FORMAT, "%s: claims %u x %u pixels; the limits are %d a side and %d in all", path, width, height, IMAGE_MAX_SIDE,
                    IMAGE_MAX_PX);
    return OK;
}

status image_sink_raw(image_sink *k, size_t bytes, uint8_t **raw)
{
    uint8_t **block = k->im ? &k->im->raw : &k->labels->raw;
    status st = image_reserve(block, k->im ? &k->im->raw_cap : &k->labels->raw_cap, bytes, k->f->path);
    *raw = *block;
    return st;
}

void image_sink_open(image_sink *k, uint32_t width, uint32_t height, image_kind kind, int64_t top)
{
    k->kind = kind;
    k->top = top ? top : kinds[kind].top;
    k->width = width;
    k->height = height;
    if (!k->im) return;
    k->im->kind = kind;
    k->im->n_saturated = k->im->n_clipped = 0;
    k->im->high = 0;
}

status image_sink_memory(image_sink *k)
{
    size_t n = (size_t)k->width * k->height;
    if (k->labels) return image_reserve(&k->labels->label, &k->labels->label_cap, n * sizeof *k->labels->label, k->f->path);
    status st = image_reserve(&k->im->block, &k->im->block_cap, n * sizeof *k->im->block, k->f->path);
    k->im->px = k->im->block;
    return st;
}

status image_sink_put(image_sink *k, uint32_t x, uint32_t y, const uint8_t *samples, size_t n)
{
    size_t at = (size_t)y * k->width + x;
    if (k->labels) return convert_labels(k, samples, n, k->labels->label + at);
    if (!convert(k, samples, n, k->im->block + at)) return fail(E_FORMAT, "%s: holds NaN or infinity", k->f->path);
    return OK;
}

void image_sink_scan(image_sink *k, const uint16_t *px, size_t n)
{
    uint16_t *same = (uint16_t *)(uintptr_t)px; /* looked at only */
    scan_u16(px, same, n, (uint16_t)k->top, &k->im->n_saturated, &k->any);
}
