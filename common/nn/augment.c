/* augment.c -- normalization and augmentation of tiles. */
#include "micon/nn/augment.h"

#include "micon/base/rng.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* One of the eight symmetries of the square: bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps them. */
static void turn(const float *in, int size, uint32_t which, float *out)
{
    size_t n = (size_t)size;
    for (size_t y = 0; y < n; y++)
        for (size_t x = 0; x < n; x++) {
            size_t sy = which & 2 ? n - 1 - y : y, sx = which & 1 ? n - 1 - x : x;
            out[y * n + x] = which & 4 ? in[sx * n + sy] : in[sy * n + sx];
        }
}

/* Bilinear, pixel centres at halves, the edge repeated. */
static void crop(const float *in, int size, double top, double left, double side, float *out)
{
    double step = side / size;
    size_t n = (size_t)size;
    for (int y = 0; y < size; y++) {
        double fy = fmin(fmax(top + (y + 0.5) * step - 0.5, 0), size - 1);
        size_t y0 = (size_t)fy, y1 = y0 + 1 < n ? y0 + 1 : y0;
        double b = fy - (double)y0;
        for (int x = 0; x < size; x++) {
            double fx = fmin(fmax(left + (x + 0.5) * step - 0.5, 0), size - 1);
            size_t x0 = (size_t)fx, x1 = x0 + 1 < n ? x0 + 1 : x0;
            double a = fx - (double)x0;
            double above = in[y0 * n + x0] * (1 - a) + in[y0 * n + x1] * a, below = in[y1 * n + x0] * (1 - a) + in[y1 * n + x1] * a;
            out[(size_t)y * n + (size_t)x] = (float)(above * (1 - b) + below * b);
        }
    }
}

static double between(rng *r, double low, double high)
{
    return low + (high - low) * rng_uniform(r);
}

static void colour(float *v, size_t n, rng *r)
{
    double contrast = between(r, 0.8, 1.25), bright = between(r, -0.2, 0.2), noise = between(r, 0, 0.05), mean = 0;
    for (size_t i = 0; i < n; i++) mean += v[i];
    mean /= (double)n;
    for (size_t i = 0; i < n; i++) v[i] = (float)((v[i] - mean) * contrast + mean + bright + noise * rng_normal(r));
}

void augment_tile(const augmenter *a, const uint8_t *tile, uint32_t step, uint64_t row, float *out, float *work)
{
    const int channels = a->channels, size = a->size;
    const augment_kind kind = a->kind;
    size_t n = (size_t)size * (size_t)size;
    rng r = rng_at(a->seed, STREAM_AUGMENT, step, row);
    uint32_t which = kind == AUGMENT_NONE ? 0 : rng_u32(&r) & 7;
    double side = size, top = 0, left = 0;
    if (kind == AUGMENT_FULL) {
        side = size * sqrt(between(&r, 0.6, 1));
        top = between(&r, 0, size - side);
        left = between(&r, 0, size - side);
    }
    for (int c = 0; c < channels; c++, tile += n, out += n) {
        float value[256];
        for (int v = 0; v < 256; v++) value[v] = (float)((v / 255.0 - a->mean[c]) / a->sd[c]);
        for (size_t i = 0; i < n; i++) out[i] = value[tile[i]];
        if (kind == AUGMENT_FULL) {
            crop(out, size, top, left, side, work);
            colour(work, n, &r);
            turn(work, size, which, out);
        } else if (which) {
            memcpy(work, out, n * sizeof *out);
            turn(work, size, which, out);
        }
    }
}
