/* optics.c -- from a drawn field to a camera's counts: bleed between stains, point spread, light from out of focus, uneven
 * illumination, gain and offset, shot and read noise, the end of the scale. All separable or per pixel. */
#include "draw.h"
#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sum of taps along x, the row's ends repeated. */
DRAW_HOT static void blur_row(float *restrict out, const float *restrict padded, int n, const float *restrict kernel, int reach)
{
    for (int x = 0; x < n; x++) out[x] = kernel[0] * padded[x + reach];
    for (int k = 1; k <= reach; k++) {
        float w = kernel[k];
        for (int x = 0; x < n; x++) out[x] += w * (padded[x + reach - k] + padded[x + reach + k]);
    }
}

DRAW_HOT static void add_row(float *restrict out, const float *restrict a, const float *restrict b, int n, float w)
{
    for (int x = 0; x < n; x++) out[x] += w * (a[x] + b[x]);
}

/* Gaussian of sd pixels, in place; edges repeated. tmp: a picture. */
static void blur(float *a, float *tmp, int width, int height, double sd)
{
    float kernel[64];
    int reach = (int)fmin(3 * sd + 0.999, 63);
    double sum = 0;
    if (sd < 0.2) return;
    for (int k = 0; k <= reach; k++) sum += (k ? 2 : 1) * exp(-k * k / (2 * sd * sd));
    for (int k = 0; k <= reach; k++) kernel[k] = (float)(exp(-k * k / (2 * sd * sd)) / sum);
    float *padded = xmalloc(sizeof(float) * (size_t)(width + 2 * reach));
    size_t w = (size_t)width;
    for (int y = 0; y < height; y++) {
        float *row = a + (size_t)y * w;
        for (int k = 0; k < reach; k++) padded[k] = row[0], padded[width + reach + k] = row[width - 1];
        memcpy(padded + reach, row, w * sizeof(float));
        blur_row(tmp + (size_t)y * w, padded, width, kernel, reach);
    }
    for (int y = 0; y < height; y++) {
        float *row = a + (size_t)y * w;
        for (size_t x = 0; x < w; x++) row[x] = kernel[0] * tmp[(size_t)y * w + x];
        for (int k = 1; k <= reach; k++) {
            int up = y - k < 0 ? 0 : y - k, down = y + k >= height ? height - 1 : y + k;
            add_row(row, tmp + (size_t)up * w, tmp + (size_t)down * w, width, kernel[k]);
        }
    }
    free(padded);
}

/* out = a averaged over blocks of `by` pixels (the last ones smaller). */
static void shrink(float *out, const float *a, int width, int height, int by)
{
    int ow = (width + by - 1) / by, oh = (height + by - 1) / by;
    for (int y = 0; y < oh; y++) {
        for (int x = 0; x < ow; x++) {
            double sum = 0;
            int x1 = (x + 1) * by < width ? (x + 1) * by : width, y1 = (y + 1) * by < height ? (y + 1) * by : height;
            for (int v = y * by; v < y1; v++)
                for (int u = x * by; u < x1; u++) sum += (double)a[(size_t)v * (size_t)width + (size_t)u];
            out[(size_t)y * (size_t)ow + (size_t)x] = (float)(sum / ((double)(x1 - x * by) * (y1 - y * by)));
        }
    }
}

/* a = (1 - share) a + share * (a spread over far um): done on a small copy, linear in between. small, tmp: pictures. */
static void glow_add(float *a, float *small, float *tmp, int width, int height, double far_px, double share)
{
    int by = (int)fmax(1, far_px / 2.5), ow = (width + by - 1) / by, oh = (height + by - 1) / by;
    shrink(small, a, width, height, by);
    blur(small, tmp, ow, oh, far_px / by);
    for (int y = 0; y < height; y++) {
        double v = fmax(0, fmin((y + 0.5) / by - 0.5, oh - 1));
        int v0 = (int)v, v1 = v0 + 1 < oh ? v0 + 1 : v0;
        float dv = (float)(v - v0);
        float *row = a + (size_t)y * (size_t)width;
        const float *up = small + (size_t)v0 * (size_t)ow, *down = small + (size_t)v1 * (size_t)ow;
        for (int x = 0; x < width; x++) {
            float u = ((float)x + 0.5f) / (float)by - 0.5f;
            u = u < 0 ? 0 : u > (float)(ow - 1) ? (float)(ow - 1) : u;
            int u0 = (int)u, u1 = u0 + 1 < ow ? u0 + 1 : u0;
            float du = u - (float)u0, t = up[u0] * (1 - du) + up[u1] * du, b = down[u0] * (1 - du) + down[u1] * du;
            row[x] = (1 - (float)share) * row[x] + (float)share * (t * (1 - dv) + b * dv);
        }
    }
}

typedef struct {
    float gain, offset, electrons, read2, top;
    float cx, cy, shade, tilt, per_x, per_y;
} response;

DRAW_HOT static void expose_row(uint16_t *restrict out, const float *restrict light, const float *restrict haze,
                                const float *restrict noise, int n, float y, response q)
{
    for (int x = 0; x < n; x++) {
        float u = ((float)x * q.per_x - q.cx), v = y * q.per_y - q.cy, lit = 1 - q.shade * (u * u + v * v) + q.tilt * u;
        float counts = (light[x] + haze[x]) * lit * q.gain, sd = root(counts * q.electrons + q.read2);
        float value = counts + q.offset + sd * noise[x] + 0.5f;
        value = value < 0 ? 0 : value > q.top ? q.top : value;
        out[x] = (uint16_t)(int)value;
    }
}

void optics_expose(picture *p, const optics *o, double focus, const double gain[CHANNELS], uint32_t seed, uint32_t stream,
                   uint64_t position, uint16_t *const out[CHANNELS])
{
    int w = p->width, h = p->height;
    size_t n = (size_t)w * (size_t)h;
    float *tmp = p->work, *small = tmp + n, *haze = small + n, *noise = haze + n;
    double spread = focus * sqrt(o->blur_um * o->blur_um / (p->um * p->um) + o->blur_px * o->blur_px);
    for (int c = CHANNELS - 1; c > 0; c--)
        for (size_t i = 0; i < n; i++) p->channel[c][i] += (float)o->bleed[c] * p->channel[c - 1][i];
    rng r = rng_at(seed, stream, CHANNELS, position);
    texture_field(haze, w, h, fmax(18 / p->um, 4), &r);
    for (size_t i = 0; i < n; i++) haze[i] = 1 + 0.16f * haze[i];
    for (int c = 0; c < CHANNELS; c++) {
        float *a = p->channel[c];
        blur(a, tmp, w, h, spread);
        glow_add(a, small, tmp, w, h, 11 / p->um, o->glow);
        noise_normal(noise, (int64_t)n, seed, stream, (uint32_t)c, position);
        response q = {
            .gain = (float)(o->gain[c] * gain[c]), .offset = (float)o->offset[c] - 0.0f, .top = (float)((1u << o->bits) - 1) + 0.499f};
        q.electrons = (float)(o->electrons > 0 ? 1 / o->electrons : 0);
        q.read2 = (float)(o->read_noise * o->read_noise);
        q.cx = (float)(0.5 + o->shade_x), q.cy = (float)(0.5 + o->shade_y), q.per_x = 1 / (float)w, q.per_y = 1 / (float)h;
        q.shade = (float)(2 * o->shade), q.tilt = (float)o->tilt[c];
        for (size_t i = 0; i < n; i++) tmp[i] = haze[i] * (float)o->haze[c];
        for (int y = 0; y < h; y++) {
            size_t at = (size_t)y * (size_t)w;
            expose_row(out[c] + at, a + at, tmp + at, noise + at, w, (float)y, q);
        }
    }
}
