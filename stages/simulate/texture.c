/* texture.c -- random fields for the drawing: Philox words in bulk, a repeating square of smooth noise, smooth noise over a
 * picture. Relies on rng.h's Philox alone, so a field is the same on any rank and any machine. */
#include "draw.h"
#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LANES = 64, NOISE_SEED = 20250411 };

/* LANES counters at once: ctr = (step, position, draw0 + lane). The arithmetic is philox4x32's, laid out for vectors. */
DRAW_HOT static void philox_lanes(uint32_t step, uint64_t position, uint32_t draw0, uint32_t seed, uint32_t stream, uint32_t out[4][LANES])
{
    uint32_t *restrict c0 = out[0], *restrict c1 = out[1], *restrict c2 = out[2], *restrict c3 = out[3];
    uint32_t k0 = seed, k1 = stream;
    for (int i = 0; i < LANES; i++) {
        c0[i] = step;
        c1[i] = (uint32_t)position;
        c2[i] = (uint32_t)(position >> 32);
        c3[i] = draw0 + (uint32_t)i;
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < LANES; i++) {
            uint64_t a = (uint64_t)0xD2511F53u * c0[i], b = (uint64_t)0xCD9E8D57u * c2[i];
            uint32_t n0 = (uint32_t)(b >> 32) ^ c1[i] ^ k0, n2 = (uint32_t)(a >> 32) ^ c3[i] ^ k1;
            c1[i] = (uint32_t)b;
            c3[i] = (uint32_t)a;
            c0[i] = n0;
            c2[i] = n2;
        }
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}

void noise_words(uint32_t *out, int64_t n, uint32_t seed, uint32_t stream, uint32_t step, uint64_t position)
{
    uint32_t lane[4][LANES];
    for (int64_t at = 0; at < n; at += 4 * LANES) {
        philox_lanes(step, position, (uint32_t)(at / 4), seed, stream, lane);
        int64_t left = n - at < 4 * LANES ? n - at : 4 * LANES;
        for (int64_t i = 0; i < left; i++) out[at + i] = lane[i % 4][i / 4];
    }
}

/* The sum of a word's four bytes, centred: sd of a uniform byte is sqrt((256^2 - 1) / 12) = 73.9. Near enough to normal for a
 * camera's noise and for what is smoothed afterwards. */
DRAW_HOT static void words_to_normal(float *restrict out, const uint32_t *restrict w, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        int sum = (int)(w[i] & 255u) + (int)(w[i] >> 8 & 255u) + (int)(w[i] >> 16 & 255u) + (int)(w[i] >> 24);
        out[i] = (float)(sum - 510) * (1.0f / 147.80f);
    }
}

void noise_normal(float *out, int64_t n, uint32_t seed, uint32_t stream, uint32_t step, uint64_t position)
{
    uint32_t lane[4][LANES];
    for (int64_t at = 0; at < n; at += 4 * LANES) {
        float part[4][LANES];
        philox_lanes(step, position, (uint32_t)(at / 4), seed, stream, lane);
        for (int k = 0; k < 4; k++) words_to_normal(part[k], lane[k], LANES);
        int64_t left = n - at < 4 * LANES ? n - at : 4 * LANES;
        for (int64_t i = 0; i < left; i++) out[at + i] = part[i % 4][i / 4];
    }
}

/* One pass of a Gaussian over rows or columns of the repeating square. */
static void smooth_wrapped(const float *in, float *out, int along, double sd)
{
    double kernel[64] = {0}, sum = 0;
    int reach = (int)(3 * sd + 0.5), mask = TEXTURE_SIDE - 1;
    for (int k = -reach; k <= reach; k++) sum += kernel[k + reach] = exp(-k * k / (2 * sd * sd));
    for (int y = 0; y < TEXTURE_SIDE; y++) {
        for (int x = 0; x < TEXTURE_SIDE; x++) {
            double v = 0;
            for (int k = -reach; k <= reach; k++)
                v +=
                    kernel[k + reach] * (double)(along ? in[((y + k) & mask) * TEXTURE_SIDE + x] : in[y * TEXTURE_SIDE + ((x + k) & mask)]);
            out[y * TEXTURE_SIDE + x] = (float)(v / sum);
        }
    }
}

const float *texture_square(void)
{
    static float square[TEXTURE_SIDE * TEXTURE_SIDE];
    static int made;
    if (made) return square;
    const int n = TEXTURE_SIDE * TEXTURE_SIDE;
    float *other = xmalloc(sizeof square);
    noise_normal(square, n, NOISE_SEED, STREAM_SIMULATE, 0, 0);
    smooth_wrapped(square, other, 0, TEXTURE_GRAIN / 2.0);
    smooth_wrapped(other, square, 1, TEXTURE_GRAIN / 2.0);
    free(other);
    double mean = 0, var = 0;
    for (int i = 0; i < n; i++) mean += (double)square[i] / n;
    for (int i = 0; i < n; i++) var += ((double)square[i] - mean) * ((double)square[i] - mean) / n;
    for (int i = 0; i < n; i++) square[i] = (float)(((double)square[i] - mean) / sqrt(var));
    made = 1;
    return square;
}

/* Cubic B-spline weights of the four grid points around a place. */
static void spline(float t, float w[4])
{
    float s = 1 - t;
    w[0] = s * s * s / 6;
    w[1] = (4 - 6 * t * t + 3 * t * t * t) / 6;
    w[2] = (4 - 6 * s * s + 3 * s * s * s) / 6;
    w[3] = t * t * t / 6;
}

void texture_field(float *out, int width, int height, double grain, rng *r)
{
    if (grain < 1) grain = 1;
    int gw = (int)(width / grain) + 5, gh = (int)(height / grain) + 5;
    float *grid = xmalloc(sizeof(float) * (size_t)gw * (size_t)gh), *row = xmalloc(sizeof(float) * (size_t)gw);
    /* 2.1: what the spline's averaging takes from the spread of the grid's numbers. */
    for (int i = 0; i < gw * gh; i++) grid[i] = (float)(2.1 * rng_normal(r));
    for (int y = 0; y < height; y++) {
        float w[4];
        int gy = (int)(y / grain);
        spline((float)(y / grain - gy), w);
        const float *g = grid + (size_t)gy * (size_t)gw;
        for (int x = 0; x < gw; x++) row[x] = w[0] * g[x] + w[1] * g[x + gw] + w[2] * g[x + 2 * gw] + w[3] * g[x + 3 * gw];
        for (int x = 0; x < width; x++) {
            int gx = (int)(x / grain);
            spline((float)(x / grain - gx), w);
            out[(size_t)y * (size_t)width + (size_t)x] = w[0] * row[gx] + w[1] * row[gx + 1] + w[2] * row[gx + 2] + w[3] * row[gx + 3];
        }
    }
    free(grid);
    free(row);
}
