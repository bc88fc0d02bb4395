/* smooth.c -- Gaussian smoothing, and a background made of blocks' lower quartiles. */
#include "find_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_REACH = 200 };

static int mirrored(int i, int n)
{
    while (i < 0 || i >= n) i = i < 0 ? -i - 1 : 2 * n - i - 1;
    return i;
}

HOT static void add_scaled(float *out, const float *in, float weight, int n)
{
    for (int i = 0; i < n; i++) out[i] += weight * in[i];
}

/* row [n] with `reach` mirrored values on both sides, in `wide` [n + 2 reach]. */
static void widen(const float *row, float *wide, int n, int reach)
{
    for (int i = 0; i < reach; i++) {
        wide[i] = row[mirrored(i - reach, n)];
        wide[reach + n + i] = row[mirrored(n + i, n)];
    }
    memcpy(wide + reach, row, (size_t)n * sizeof *row);
}

void smooth_gaussian(const float *in, float *out, float *work, int w, int h, double sigma)
{
    float weight[MAX_REACH + 1], wide[FIND_MAX_SIDE + 2 * MAX_REACH];
    int reach = (int)(4 * sigma + 0.5) < MAX_REACH ? (int)(4 * sigma + 0.5) : MAX_REACH;
    double total = 0;
    size_t n = (size_t)w * (size_t)h;
    if (sigma <= 0) {
        if (out != in) memcpy(out, in, n * sizeof *out);
        return;
    }
    for (int k = -reach; k <= reach; k++) total += exp(-0.5 * k * k / (sigma * sigma));
    for (int k = 0; k <= reach; k++) weight[k] = (float)(exp(-0.5 * k * k / (sigma * sigma)) / total);
    memset(work, 0, n * sizeof *work);
    for (int y = 0; y < h; y++)
        for (int k = -reach; k <= reach; k++)
            add_scaled(work + (size_t)y * (size_t)w, in + (size_t)mirrored(y + k, h) * (size_t)w, weight[abs(k)], w);
    memset(out, 0, n * sizeof *out);
    for (int y = 0; y < h; y++) {
        widen(work + (size_t)y * (size_t)w, wide, w, reach);
        for (int k = -reach; k <= reach; k++) add_scaled(out + (size_t)y * (size_t)w, wide + reach + k, weight[abs(k)], w);
    }
}

/* ---- background ---- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

float block_value(const float *block, int rows, int columns, int block_px, int y, int x)
{
    double at_y = (y + 0.5) / block_px - 0.5, at_x = (x + 0.5) / block_px - 0.5;
    at_y = at_y < 0 ? 0 : at_y > rows - 1 ? rows - 1 : at_y;
    at_x = at_x < 0 ? 0 : at_x > columns - 1 ? columns - 1 : at_x;
    int r0 = (int)at_y, c0 = (int)at_x, r1 = r0 + 1 < rows ? r0 + 1 : r0, c1 = c0 + 1 < columns ? c0 + 1 : c0;
    double fy = at_y - r0, fx = at_x - c0;
    return (float)((1 - fy) * ((1 - fx) * block[r0 * columns + c0] + fx * block[r0 * columns + c1]) +
                   fy * ((1 - fx) * block[r1 * columns + c0] + fx * block[r1 * columns + c1]));
}

/* The lower quartile of a block; of a large one, of every k-th pixel. */
static float lower_quartile(finder *f, const float *image, int top, int left, int bottom, int right)
{
    enum { MOST = 4096 };
    int64_t area = (int64_t)(bottom - top) * (right - left), every = area / MOST + 1;
    size_t n = 0;
    for (int64_t i = 0; i < area; i += every)
        f->work[n++] = image[(top + i / (right - left)) * (int64_t)f->width + left + i % (right - left)];
    qsort(f->work, n, sizeof *f->work, by_value);
    return f->work[n / 4];
}

status smooth_subtract_background(finder *f, float *image, int block_px)
{
    status st = OK;
    int rows = (f->height + block_px - 1) / block_px, columns = (f->width + block_px - 1) / block_px;
    TRY(mem_grow(&f->block, &f->block_cap, (size_t)rows * (size_t)columns, sizeof *f->block, "backgrounds of blocks"));
    for (int r = 0; r < rows; r++)
        for (int c = 0; c < columns; c++) {
            int bottom = (r + 1) * block_px < f->height ? (r + 1) * block_px : f->height;
            int right = (c + 1) * block_px < f->width ? (c + 1) * block_px : f->width;
            f->block[r * columns + c] = lower_quartile(f, image, r * block_px, c * block_px, bottom, right);
        }
    for (int y = 0; y < f->height; y++)
        for (int x = 0; x < f->width; x++) {
            float *p = image + (int64_t)y * f->width + x, z = *p - block_value(f->block, rows, columns, block_px, y, x);
            *p = z > 0 ? z : 0;
        }
done:
    return st;
}
