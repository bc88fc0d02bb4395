/* tiling.c -- docs/method.md 2 as pure computations (tiling.h).
 *
 * Area averaging is separable. A target row is first summed over its source rows (32 bits: at most span * 65535, and span <= 65535), then
 * its target pixels are sums over columns: all source pixels inside count `unit`, the two at the ends what overlaps, so that running
 * sums give each target pixel in a few steps whatever the reduction. */
#include "micon/tiling/tiling.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"
#include "micon/formats/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- plan ---- */

static int common_divisor(int a, int b)
{
    while (b) {
        int r = a % b;
        a = b;
        b = r;
    }
    return a;
}

static void plan_shrinking(tiling_plan *p)
{
    int q = common_divisor(p->side_px, p->mosaic_px);
    p->unit = p->mosaic_px / q;
    p->span = p->side_px / q;
    for (int t = 0; t < p->mosaic_px; t++) {
        int64_t begin = (int64_t)t * p->span, end = begin + p->span; /* in units; a source pixel s is [s, s + 1) * unit */
        int first = (int)(begin / p->unit), last = (int)((end - 1) / p->unit);
        int64_t first_end = (int64_t)(first + 1) * p->unit;
        p->first[t] = first;
        p->last[t] = last;
        p->first_weight[t] = (uint32_t)((first_end < end ? first_end : end) - begin);
        p->last_weight[t] = last > first ? (uint32_t)(end - (int64_t)last * p->unit) : 0;
    }
}

static void plan_growing(tiling_plan *p)
{
    for (int t = 0; t < p->mosaic_px; t++) {
        double at = (t + 0.5) * p->side_px / p->mosaic_px - 0.5;
        if (at < 0) at = 0;
        if (at > p->side_px - 1) at = p->side_px - 1;
        p->first[t] = (int)at;
        p->last[t] = p->first[t] + 1 < p->side_px ? p->first[t] + 1 : p->first[t];
        p->fraction[t] = at - p->first[t];
    }
}

status tiling_plan_for(tiling_plan *p, int width_px, int height_px, int mosaic_px)
{
    status st = OK;
    if (p->width_px == width_px && p->height_px == height_px && p->mosaic_px == mosaic_px) return OK;
    tiling_plan_free(p);
    if (width_px < 1 || height_px < 1 || mosaic_px < 1 || width_px > IMAGE_MAX_SIDE || height_px > IMAGE_MAX_SIDE ||
        mosaic_px > IMAGE_MAX_SIDE)
        return fail(E_INTERNAL, "no resampling from %d x %d to %d", width_px, height_px, mosaic_px);
    size_t n = (size_t)mosaic_px;
    p->side_px = width_px < height_px ? width_px : height_px;
    p->left_px = (width_px - p->side_px) / 2;
    p->top_px = (height_px - p->side_px) / 2;
    p->mosaic_px = mosaic_px;
    TRY(mem_alloc(&p->first, n, sizeof *p->first, "resampling"));
    TRY(mem_alloc(&p->last, n, sizeof *p->last, "resampling"));
    TRY(mem_alloc(&p->first_weight, n, sizeof *p->first_weight, "resampling"));
    TRY(mem_alloc(&p->last_weight, n, sizeof *p->last_weight, "resampling"));
    TRY(mem_alloc(&p->fraction, n, sizeof *p->fraction, "resampling"));
    TRY(mem_alloc(&p->row, (size_t)p->side_px, sizeof *p->row, "resampling"));
    TRY(mem_alloc(&p->prefix, (size_t)p->side_px + 1, sizeof *p->prefix, "resampling"));
    TRY(mem_alloc(&p->lines, 2 * n, sizeof *p->lines, "resampling"));
    if (p->side_px >= mosaic_px)
        plan_shrinking(p);
    else
        plan_growing(p);
    p->width_px = width_px; /* last: a plan that failed is for no size */
    p->height_px = height_px;
done:
    if (st != OK) tiling_plan_free(p);
    return st;
}

void tiling_plan_free(tiling_plan *p)
{
    free(p->first);
    free(p->last);
    free(p->first_weight);
    free(p->last_weight);
    free(p->fraction);
    free(p->row);
    free(p->prefix);
    free(p->lines);
    *p = (tiling_plan){0};
}

/* ---- shrinking ---- */

HOT static void row_set(uint32_t *restrict row, const uint16_t *restrict px, size_t n, uint32_t weight)
{
    for (size_t i = 0; i < n; i++) row[i] = weight * px[i];
}

HOT static void row_add(uint32_t *restrict row, const uint16_t *restrict px, size_t n, uint32_t weight)
{
    for (size_t i = 0; i < n; i++) row[i] += weight * px[i];
}

/* floor((2 sum + A) / (2 A)). Both are whole numbers below 2^53 and the quotient below 2^17, so the nearest double of a quotient below
 * a whole number stays below it: truncating gives the floor. */
HOT static void round_row(const uint64_t *restrict sum, uint16_t *restrict out, size_t n, uint64_t area)
{
    double twice = (double)(2 * area);
    for (size_t i = 0; i < n; i++) out[i] = (uint16_t)(int32_t)((double)(int64_t)(2 * sum[i] + area) / twice);
}

static void shrink(tiling_plan *p, const uint16_t *px, uint16_t *out)
{
    size_t side = (size_t)p->side_px, n = (size_t)p->mosaic_px, stride = (size_t)p->width_px;
    const uint16_t *square = px + (size_t)p->top_px * stride + (size_t)p->left_px;
    uint64_t unit = (uint64_t)p->unit, area = (uint64_t)p->span * (uint64_t)p->span;
    uint64_t *sums = (uint64_t *)p->lines; /* same size as a double; unused while shrinking */
    for (size_t t = 0; t < n; t++, out += n) {
        const uint16_t *src = square + (size_t)p->first[t] * stride;
        row_set(p->row, src, side, p->first_weight[t]);
        for (int y = p->first[t] + 1; y < p->last[t]; y++) row_add(p->row, src += stride, side, (uint32_t)p->unit);
        if (p->last_weight[t]) row_add(p->row, src + stride, side, p->last_weight[t]);
        uint64_t run = 0;
        p->prefix[0] = 0;
        for (size_t x = 0; x < side; x++) p->prefix[x + 1] = run += p->row[x];
        for (size_t x = 0; x < n; x++) {
            size_t a = (size_t)p->first[x], b = (size_t)p->last[x];
            uint64_t inside = b > a ? p->prefix[b] - p->prefix[a + 1] : 0;
            sums[x] = unit * inside + (uint64_t)p->first_weight[x] * p->row[a] + (uint64_t)p->last_weight[x] * p->row[b];
        }
        round_row(sums, out, n, area);
    }
}

/* ---- growing: x, then y ---- */

static double between(double a, double b, double fraction)
{
    return (1 - fraction) * a + fraction * b;
}

static void grow_line(const tiling_plan *p, const uint16_t *px, const double *real, int y, double *line)
{
    size_t at = (size_t)(p->top_px + y) * (size_t)p->width_px + (size_t)p->left_px;
    for (int t = 0; t < p->mosaic_px; t++) {
        size_t a = at + (size_t)p->first[t], b = at + (size_t)p->last[t];
        line[t] = px ? between(px[a], px[b], p->fraction[t]) : between(real[a], real[b], p->fraction[t]);
    }
}

/* Exactly one of px, real, and of out, out_real, is not NULL. */
static void grow(tiling_plan *p, const uint16_t *px, const double *real, uint16_t *out, double *out_real)
{
    int have[2] = {-1, -1}; /* which source rows the two lines hold */
    size_t n = (size_t)p->mosaic_px;
    for (size_t t = 0; t < n; t++) {
        int rows[2] = {p->first[t], p->last[t]};
        double *line[2];
        for (int k = 0; k < 2; k++) {
            int slot = rows[k] % 2;
            line[k] = p->lines + (size_t)slot * n;
            if (have[slot] != rows[k]) grow_line(p, px, real, rows[k], line[k]);
            have[slot] = rows[k];
        }
        for (size_t x = 0; x < n; x++) {
            double v = between(line[0][x], line[1][x], p->fraction[t]);
            if (out)
                out[t * n + x] = (uint16_t)floor(v + 0.5);
            else
                out_real[t * n + x] = v;
        }
    }
}

void tiling_resample(tiling_plan *p, const uint16_t *px, uint16_t *out)
{
    if (p->side_px >= p->mosaic_px)
        shrink(p, px, out);
    else
        grow(p, px, NULL, out, NULL);
}

static double weight_of(const tiling_plan *p, int t, int s)
{
    return s == p->first[t] ? p->first_weight[t] : s == p->last[t] ? p->last_weight[t] : (double)p->unit;
}

void tiling_resample_real(tiling_plan *p, const double *px, double *out)
{
    if (p->side_px < p->mosaic_px) {
        grow(p, NULL, px, NULL, out);
        return;
    }
    double area = (double)p->span * p->span;
    for (int ty = 0; ty < p->mosaic_px; ty++)
        for (int tx = 0; tx < p->mosaic_px; tx++) {
            double sum = 0;
            for (int y = p->first[ty]; y <= p->last[ty]; y++) {
                const double *row = px + (size_t)(p->top_px + y) * (size_t)p->width_px + (size_t)p->left_px;
                for (int x = p->first[tx]; x <= p->last[tx]; x++) sum += weight_of(p, ty, y) * weight_of(p, tx, x) * row[x];
            }
            out[(size_t)ty * (size_t)p->mosaic_px + (size_t)tx] = sum / area;
        }
}

/* ---- illumination ---- */

HOT void tiling_add(int64_t *sum, const uint16_t *r, size_t n)
{
    for (size_t i = 0; i < n; i++) sum[i] += r[i];
}

/* The pixel at i of n, mirrored at the edges with the edge pixel repeated. */
static int mirrored(int i, int n)
{
    while (i < 0 || i >= n) i = i < 0 ? -1 - i : 2 * n - 1 - i;
    return i;
}

HOT static void add_scaled(double *restrict out, const double *restrict in, size_t n, double weight)
{
    for (size_t i = 0; i < n; i++) out[i] += weight * in[i];
}

/* The kernel over [-reach, reach] down the rows, then along the columns, as scipy's gaussian_filter goes. a holds the result, b is for
 * work, line [side + 2 reach]. */
static void smooth(double *a, double *b, double *line, int side, const double *kernel, int reach)
{
    size_t n = (size_t)side;
    memset(b, 0, n * n * sizeof *b);
    for (int y = 0; y < side; y++)
        for (int k = -reach; k <= reach; k++) add_scaled(b + (size_t)y * n, a + (size_t)mirrored(y + k, side) * n, n, kernel[k + reach]);
    memset(a, 0, n * n * sizeof *a);
    for (size_t y = 0; y < n; y++) {
        for (int x = -reach; x < side + reach; x++) line[x + reach] = b[y * n + (size_t)mirrored(x, side)];
        for (int k = -reach; k <= reach; k++) add_scaled(a + y * n, line + k + reach, n, kernel[k + reach]);
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

status tiling_illumination(const int64_t *sum, int64_t n, int mosaic_px, double *out)
{
    status st = OK;
    size_t side = (size_t)mosaic_px, total = side * side;
    double sigma = 0.05 * mosaic_px, *kernel = NULL, *line = NULL, *other = NULL, weights = 0, low = 0;
    int reach = (int)floor(4 * sigma + 0.5);
    TRY(mem_alloc(&kernel, 2 * (size_t)reach + 1, sizeof *kernel, "illumination kernel"));
    TRY(mem_alloc(&line, side + 2 * (size_t)reach, sizeof *line, "illumination"));
    TRY(mem_alloc(&other, total, sizeof *other, "illumination"));
    for (int k = -reach; k <= reach; k++) weights += kernel[k + reach] = exp(-(double)k * k / (2 * sigma * sigma));
    for (int k = -reach; k <= reach; k++) kernel[k + reach] /= weights;
    for (size_t i = 0; i < total; i++) out[i] = n > 0 ? (double)sum[i] / (double)n : 0;
    smooth(out, other, line, mosaic_px, kernel, reach);
    memcpy(other, out, total * sizeof *other);
    qsort(other, total, sizeof *other, by_value);
    low = other[(total + 49) / 50 - 1]; /* number ceil(0.02 T^2), counted from 1 */
    for (size_t i = 0; i < total; i++) {
        out[i] = low > 0 ? out[i] / low : 1;
        if (out[i] < 1) out[i] = 1;
    }
done:
    free(kernel);
    free(line);
    free(other);
    return st;
}

HOT void tiling_correct(uint16_t *v, const double *illumination, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double x = v[i] / illumination[i] + 0.5; /* >= 0.5: truncating is the floor */
        v[i] = (uint16_t)(int32_t)(x < UINT16_MAX ? x : UINT16_MAX);
    }
}

/* ---- tiles of cells ---- */

void tiling_resample_window(tiling_plan *p, const uint16_t *px, int stride_px, const tiling_window *win, uint16_t *out)
{
    tiling_plan at = *p; /* working memory is shared, the place is not */
    at.width_px = stride_px;
    at.left_px = win->left_px;
    at.top_px = win->top_px;
    tiling_resample(&at, px, out);
}

void tiling_mask_window(const int32_t *labels, int32_t label, int stride_px, const tiling_window *win, int size_px, uint16_t *out)
{
    for (int y = 0; y < size_px; y++) {
        int64_t row = win->top_px + (2 * y + 1) * (int64_t)win->side_px / (2 * size_px);
        for (int x = 0; x < size_px; x++) {
            int64_t column = win->left_px + (2 * x + 1) * (int64_t)win->side_px / (2 * size_px);
            *out++ = labels[row * stride_px + column] == label;
        }
    }
}

/* Block i of n pixels begins at floor(i n / TILING_FIELD); of a small image blocks share pixels. */
static void block_of(int i, int n, int *first, int *end)
{
    *first = (int)((int64_t)i * n / TILING_FIELD);
    *end = (int)((int64_t)(i + 1) * n / TILING_FIELD);
    if (*end == *first) ++*end;
}

void tiling_field(const uint16_t *px, int width_px, int height_px, uint16_t *out)
{
    for (int by = 0; by < TILING_FIELD; by++) {
        int top, bottom;
        block_of(by, height_px, &top, &bottom);
        for (int bx = 0; bx < TILING_FIELD; bx++) {
            int left, right;
            uint64_t sum = 0;
            block_of(bx, width_px, &left, &right);
            for (int y = top; y < bottom; y++)
                for (int x = left; x < right; x++) sum += px[(size_t)y * (size_t)width_px + (size_t)x];
            uint64_t n = (uint64_t)(right - left) * (uint64_t)(bottom - top);
            *out++ = (uint16_t)((2 * sum + n) / (2 * n));
        }
    }
}

/* Where target pixel t of a window lies among n values that span an image of image_px pixels; exact where both have the same steps. */
static double place_in(int t, int from_px, int side_px, int size_px, int n, int image_px, int *first)
{
    double at = (from_px + (t + 0.5) * side_px / size_px) * n / image_px - 0.5;
    if (at < 0) at = 0;
    if (at > n - 1) at = n - 1;
    *first = (int)at;
    return at - *first;
}

void tiling_field_at(const double *field, int columns, int rows, int width_px, int height_px, const tiling_window *win, int size_px,
                     double *out)
{
    int first[TILING_TILE_MAX];
    double fraction[TILING_TILE_MAX];
    for (int x = 0; x < size_px; x++) fraction[x] = place_in(x, win->left_px, win->side_px, size_px, columns, width_px, &first[x]);
    for (int y = 0; y < size_px; y++) {
        int row;
        double down = place_in(y, win->top_px, win->side_px, size_px, rows, height_px, &row);
        const double *a = field + (size_t)row * (size_t)columns, *b = row + 1 < rows ? a + columns : a;
        for (int x = 0; x < size_px; x++) {
            int l = first[x], r = l + 1 < columns ? l + 1 : l;
            *out++ = between(between(a[l], a[r], fraction[x]), between(b[l], b[r], fraction[x]), down);
        }
    }
}

/* ---- stretch ---- */

void tiling_count(int64_t histogram[TILING_VALUES], const uint16_t *v, size_t n)
{
    for (size_t i = 0; i < n; i++) histogram[v[i]]++;
}

int tiling_percentile(const int64_t histogram[TILING_VALUES], double percent)
{
    int64_t total = 0, rank, below = 0;
    for (int v = 0; v < TILING_VALUES; v++) total += histogram[v];
    rank = (int64_t)ceil(percent * (double)total / 100);
    if (rank < 1) rank = 1;
    if (rank > total) rank = total;
    for (int v = 0; v < TILING_VALUES; v++)
        if ((below += histogram[v]) >= rank && total > 0) return v;
    return 0;
}

void tiling_stretch_table(int lo, int hi, uint8_t table[TILING_VALUES])
{
    for (int value = 0; value < TILING_VALUES; value++) {
        int64_t v = value < lo ? lo : value > hi ? hi : value, range = hi - lo;
        table[value] = (uint8_t)(range > 0 ? (510 * (v - lo) + range) / (2 * range) : 0);
    }
}

static const uint16_t *tile_at(const uint16_t *mosaic, int mosaic_px, int size_px, int tile)
{
    int across = mosaic_px / size_px;
    return mosaic + (size_t)(tile / across) * (size_t)size_px * (size_t)mosaic_px + (size_t)(tile % across) * (size_t)size_px;
}

void tiling_cut(const uint16_t *v, int mosaic_px, int size_px, int tile, const uint8_t table[TILING_VALUES], uint8_t *out)
{
    const uint16_t *row = tile_at(v, mosaic_px, size_px, tile);
    for (int y = 0; y < size_px; y++, row += mosaic_px, out += size_px)
        for (int x = 0; x < size_px; x++) out[x] = table[row[x]];
}

/* ---- quality ---- */

/* A row is at most 65,535 pixels: its sum of values fits in 32 bits. */
HOT static void measure_row(const uint16_t *row, size_t n, uint64_t *sum, uint64_t *squares, uint64_t *zeros)
{
    uint32_t s = 0, z = 0;
    uint64_t ss = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t v = row[i];
        s += v;
        ss += (uint64_t)(v * v);
        z += v == 0;
    }
    *sum += s;
    *squares += ss;
    *zeros += z;
}

HOT static void focus_row(const uint16_t *row, ptrdiff_t stride, size_t n, int64_t *sum, int64_t *squares)
{
    int64_t s = 0, ss = 0;
    for (size_t i = 1; i + 1 < n; i++) {
        const uint16_t *c = row + i;
        int32_t d = c[-stride] + c[stride] + c[-1] + c[1] - 4 * c[0];
        s += d;
        ss += (int64_t)d * d;
    }
    *sum += s;
    *squares += ss;
}

__extension__ typedef __int128 wide;

/* Population variance of n whole numbers from their exact sums. */
static double variance(int64_t n, wide sum, wide squares)
{
    return n > 0 ? (double)(n * squares - sum * sum) / ((double)n * (double)n) : 0;
}

void tiling_measure(const uint16_t *r, int mosaic_px, int size_px, int tile, tiling_quality *out)
{
    const uint16_t *row = tile_at(r, mosaic_px, size_px, tile);
    size_t n = (size_t)size_px;
    uint64_t sum = 0, squares = 0, zeros = 0;
    int64_t focus = 0, focus_squares = 0, total = (int64_t)size_px * size_px,
            inner = size_px > 2 ? (int64_t)(size_px - 2) * (size_px - 2) : 0;
    for (int y = 0; y < size_px; y++, row += mosaic_px) {
        measure_row(row, n, &sum, &squares, &zeros);
        if (y > 0 && y < size_px - 1) focus_row(row, mosaic_px, n, &focus, &focus_squares);
    }
    out->mean = (double)sum / (double)total;
    out->sd = sqrt(variance(total, (wide)sum, (wide)squares));
    out->zeros = (double)zeros / (double)total;
    out->focus = sum > 0 ? variance(inner, focus, focus_squares) / out->mean : 0;
}

int tiling_flags(const tiling_quality *q, bool all_zero, double saturated, double median_focus, double median_sd,
                 const tiling_limits *limits)
{
    return (all_zero ? TILING_FLAG_ZERO : 0) | (saturated > limits->saturated ? TILING_FLAG_SATURATED : 0) |
           (q->focus < limits->focus * median_focus ? TILING_FLAG_FOCUS : 0) | (q->sd < limits->sd * median_sd ? TILING_FLAG_SD : 0);
}

double tiling_median(double *v, size_t n)
{
    if (n == 0) return 0;
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}
