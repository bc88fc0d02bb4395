/* granularity.c -- Granularity: how much of a channel disappears when bright spots of growing size are removed. CellProfiler's defaults:
 * the image at a quarter of its size, the background (an opening with a disk of radius 10 at a quarter of that) subtracted, sixteen times
 * an erosion by a cross and a reconstruction under the image; the loss of an object's mean between two steps, in per cent of its own mean.
 *
 * An object's mean over the enlarged reconstruction is a weighted sum of the small image's pixels: the weights are gathered once an
 * object. */
#include "measure_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SHRINK = 4, RADIUS = 10 };

struct granularity {
    int width, height; /* of the small image */
    int back_width, back_height;
    double *base, *eroded, *next, *back, *back2; /* small images */
    double *step[N_GRANULARITY];                 /* reconstructions */
    int32_t *queue;
    double *weight; /* of one object over the small image's box */
    size_t cap, weight_cap;
};

void granularity_names(const char *compartment, const char *channel, names *out)
{
    char s[300];
    for (int i = 1; i <= N_GRANULARITY; i++) {
        snprintf(s, sizeof s, "%s_Granularity_%d_%s", compartment, i, channel);
        names_add(out, s);
    }
}

status granularity_create(granularity **g)
{
    *g = xcalloc(1, sizeof **g);
    return OK;
}

static void free_images(granularity *g)
{
    FREE(g->base);
    FREE(g->eroded);
    FREE(g->next);
    FREE(g->back);
    FREE(g->back2);
    FREE(g->queue);
    for (int i = 0; i < N_GRANULARITY; i++) FREE(g->step[i]);
    g->cap = 0;
}

void granularity_free(granularity **g)
{
    if (!*g) return;
    free_images(*g);
    free((*g)->weight);
    FREE(*g);
}

static status reserve(granularity *g)
{
    status st = OK;
    size_t n = (size_t)g->width * (size_t)g->height;
    if (n <= g->cap) return OK;
    free_images(g);
    TRY(mem_alloc(&g->base, n, sizeof *g->base, "a small image"));
    TRY(mem_alloc(&g->eroded, n, sizeof *g->eroded, "a small image"));
    TRY(mem_alloc(&g->next, n, sizeof *g->next, "a small image"));
    TRY(mem_alloc(&g->back, n, sizeof *g->back, "a small image"));
    TRY(mem_alloc(&g->back2, n, sizeof *g->back2, "a small image"));
    TRY(mem_alloc(&g->queue, 2 * n + 1, sizeof *g->queue, "a small image"));
    for (int i = 0; i < N_GRANULARITY; i++) TRY(mem_alloc(&g->step[i], n, sizeof **g->step, "a small image"));
    g->cap = n;
done:
    return st;
}

/* ---- background ---- */

/* Least (sign 1) or greatest (-1) over a disk; beyond the image is not looked at. */
static void disk_extreme(const double *in, double *out, int w, int h, int sign)
{
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double best = in[y * w + x];
            for (int dy = -RADIUS; dy <= RADIUS; dy++) {
                int yy = y + dy, reach = (int)sqrt((double)(RADIUS * RADIUS - dy * dy));
                if (yy < 0 || yy >= h) continue;
                int from = x - reach < 0 ? 0 : x - reach, to = x + reach >= w ? w - 1 : x + reach;
                for (int xx = from; xx <= to; xx++) {
                    double z = in[yy * w + xx];
                    if (sign > 0 ? z < best : z > best) best = z;
                }
            }
            out[y * w + x] = best;
        }
}

/* Between the four pixels around (y, x); beyond the last pixel 0, as scipy has it. */
static double between(const double *px, int w, int h, double y, double x)
{
    if (y < 0 || x < 0 || y > h - 1 || x > w - 1) return 0;
    int y0 = (int)y, x0 = (int)x, y1 = y0 + 1 < h ? y0 + 1 : y0, x1 = x0 + 1 < w ? x0 + 1 : x0;
    double fy = y - y0, fx = x - x0;
    return (1 - fy) * ((1 - fx) * px[y0 * w + x0] + fx * px[y0 * w + x1]) + fy * ((1 - fx) * px[y1 * w + x0] + fx * px[y1 * w + x1]);
}

static void subtract_background(granularity *g)
{
    int w = g->width, h = g->height;
    double back_w = w / (double)SHRINK, back_h = h / (double)SHRINK;
    g->back_width = (w + SHRINK - 1) / SHRINK;
    g->back_height = (h + SHRINK - 1) / SHRINK;
    for (int y = 0; y < g->back_height; y++)
        for (int x = 0; x < g->back_width; x++) g->back[y * g->back_width + x] = g->base[y * SHRINK * w + x * SHRINK];
    disk_extreme(g->back, g->back2, g->back_width, g->back_height, 1);
    disk_extreme(g->back2, g->back, g->back_width, g->back_height, -1);
    double step_y = (back_h - 1) / (h - 1), step_x = (back_w - 1) / (w - 1);
    for (int y = 0; y < h; y++)
        for (int x = 0; x < w; x++) {
            double z = g->base[y * w + x] - between(g->back, g->back_width, g->back_height, y * step_y, x * step_x);
            g->base[y * w + x] = z < 0 ? 0 : z;
        }
}

/* ---- erosion by a cross, and reconstruction ---- */

HOT static void erode_row(const double *above, const double *row, const double *below, double *out, int w)
{
    for (int x = 0; x < w; x++) {
        double a = above[x] < below[x] ? above[x] : below[x];
        out[x] = a < row[x] ? a : row[x];
    }
    for (int x = 1; x < w; x++) out[x] = row[x - 1] < out[x] ? row[x - 1] : out[x];
    for (int x = 0; x < w - 1; x++) out[x] = row[x + 1] < out[x] ? row[x + 1] : out[x];
}

static void erode(const double *in, double *out, int w, int h)
{
    for (int y = 0; y < h; y++) {
        const double *row = in + (int64_t)y * w;
        erode_row(y > 0 ? row - w : row, row, y < h - 1 ? row + w : row, out + (int64_t)y * w, w);
    }
}

static inline double raised(double own, double by, double limit)
{
    double z = by > own ? by : own;
    return z < limit ? z : limit;
}

HOT static void take_over(double *row, const double *before, const double *limit, int w)
{
    for (int x = 0; x < w; x++) {
        double z = before[x] > row[x] ? before[x] : row[x];
        row[x] = z < limit[x] ? z : limit[x];
    }
}

/* Is there something to hand on from pixel i to neighbour j? */
static inline bool hands_on(const double *out, const double *limit, int64_t i, int64_t j)
{
    return out[j] < out[i] && out[j] < limit[j];
}

/* A row takes over what the row before it has to hand on, and then its own pixels' from left to right (step 1) or back. */
static void sweep_row(double *row, const double *before, const double *limit, int w, int step)
{
    int x = step > 0 ? 0 : w - 1;
    if (before) take_over(row, before, limit, w);
    double last = row[x];
    for (int k = 1; k < w; k++) {
        x += step;
        last = row[x] = raised(row[x], last, limit[x]);
    }
}

/* Dilations of the marker `out` under `limit` until nothing changes: one sweep forth, one back, then a queue of what is left (Vincent,
 * 1993). */
static void reconstruct(double *out, const double *limit, int w, int h, int32_t *queue, size_t queue_cap)
{
    int64_t n = (int64_t)w * h;
    size_t head = 0, tail = 0;
    for (int y = 0; y < h; y++) sweep_row(out + (int64_t)y * w, y > 0 ? out + (int64_t)(y - 1) * w : NULL, limit + (int64_t)y * w, w, 1);
    for (int y = h - 1; y >= 0; y--) {
        int64_t row = (int64_t)y * w;
        sweep_row(out + row, y < h - 1 ? out + row + w : NULL, limit + row, w, -1);
        for (int x = 0; x < w; x++) {
            int64_t i = row + x;
            bool below = y < h - 1 && hands_on(out, limit, i, i + w), right = x < w - 1 && hands_on(out, limit, i, i + 1);
            if (!below && !right) continue;
            queue[tail] = (int32_t)i;
            tail = (tail + 1) % queue_cap;
        }
    }
    while (head != tail) {
        int32_t i = queue[head], x = i % w;
        int64_t next[4] = {i >= w ? i - w : -1, i + (int64_t)w < n ? i + (int64_t)w : -1, x > 0 ? i - 1 : -1, x < w - 1 ? i + 1 : -1};
        head = head + 1 == queue_cap ? 0 : head + 1;
        for (int k = 0; k < 4; k++) {
            int64_t j = next[k];
            if (j < 0 || !hands_on(out, limit, i, j)) continue;
            out[j] = out[i] < limit[j] ? out[i] : limit[j];
            queue[tail] = (int32_t)j;
            tail = tail + 1 == queue_cap ? 0 : tail + 1;
        }
    }
}

status granularity_image(granularity *g, const uint16_t *px, int width_px, int height_px, double unit)
{
    status st = OK;
    g->width = width_px / SHRINK;
    g->height = height_px / SHRINK;
    if (g->width < 2 || g->height < 2) return OK;
    TRY(reserve(g));
    for (int y = 0; y < g->height; y++)
        for (int x = 0; x < g->width; x++) g->base[y * g->width + x] = px[(int64_t)y * SHRINK * width_px + x * SHRINK] / unit;
    subtract_background(g);
    size_t n = (size_t)g->width * (size_t)g->height;
    memcpy(g->eroded, g->base, n * sizeof *g->base);
    for (int i = 0; i < N_GRANULARITY; i++) {
        erode(g->eroded, g->next, g->width, g->height);
        double *t = g->eroded;
        g->eroded = g->next;
        g->next = t;
        memcpy(g->step[i], g->eroded, n * sizeof *g->base);
        reconstruct(g->step[i], g->base, g->width, g->height, g->queue, 2 * n + 1);
    }
done:
    return st;
}

/* ---- means of objects ---- */

typedef struct {
    int top, left, height, width; /* of the small image, what an object's pixels lie between */
} small_box;

/* What each pixel of the small image counts in the object's sum. */
static status gather_weights(granularity *g, const objects *o, int32_t i, small_box *b)
{
    status st = OK;
    const int32_t *box = o->box + 4 * (size_t)i;
    double step_y = (double)(g->height - 1) / (o->height_px - 1), step_x = (double)(g->width - 1) / (o->width_px - 1);
    b->top = (int)(box[0] * step_y);
    b->left = (int)(box[1] * step_x);
    b->height = (int)((box[2] - 1) * step_y) + 2 - b->top;
    b->width = (int)((box[3] - 1) * step_x) + 2 - b->left;
    size_t n = (size_t)b->height * (size_t)b->width;
    TRY(mem_grow(&g->weight, &g->weight_cap, n, sizeof *g->weight, "an object's weights"));
    memset(g->weight, 0, n * sizeof *g->weight);
    int row = box[0], row_end = (row + 1) * o->width_px; /* pixels come row by row */
    for (int64_t k = o->first[i]; k < o->first[i + 1]; k++) {
        for (; o->pixel[k] >= row_end; row_end += o->width_px) row++;
        double y = row * step_y, x = (o->pixel[k] - row_end + o->width_px) * step_x;
        if (y > g->height - 1 || x > g->width - 1) continue; /* by rounding: counts as 0, as in scipy */
        int y0 = (int)y, x0 = (int)x;
        double fy = y - y0, fx = x - x0, *w = g->weight + (int64_t)(y0 - b->top) * b->width + x0 - b->left;
        w[0] += (1 - fy) * (1 - fx);
        w[1] += (1 - fy) * fx;
        w[b->width] += fy * (1 - fx);
        w[b->width + 1] += fy * fx;
    }
done:
    return st;
}

/* Rows and columns of the box beyond the image have weight 0. */
static double weighted_sum(const granularity *g, const double *image, const small_box *b)
{
    int rows = b->top + b->height <= g->height ? b->height : g->height - b->top;
    int cols = b->left + b->width <= g->width ? b->width : g->width - b->left;
    double sum = 0;
    for (int y = 0; y < rows; y++) {
        const double *px = image + (int64_t)(b->top + y) * g->width + b->left, *w = g->weight + (int64_t)y * b->width;
        for (int x = 0; x < cols; x++) sum += px[x] * w[x];
    }
    return sum;
}

status granularity_values(granularity *g, const objects *o, const uint16_t *px, double unit, float *out, size_t stride)
{
    status st = OK;
    small_box b;
    for (int32_t i = 0; i < o->n; i++, out += stride) {
        int64_t area = objects_area(o, i), sum = 0;
        bool none = area == 0 || g->width < 2 || g->height < 2;
        for (int s = 0; none && s < N_GRANULARITY; s++) out[s] = NAN;
        if (none) continue;
        TRY(gather_weights(g, o, i, &b));
        for (int64_t k = o->first[i]; k < o->first[i + 1]; k++) sum += px[o->pixel[k]];
        double mean = (double)sum / unit / (double)area, start = fmax(mean, DBL_EPSILON);
        for (int s = 0; s < N_GRANULARITY; s++) {
            double next = weighted_sum(g, g->step[s], &b) / (double)area;
            out[s] = (float)((mean - next) * 100 / start);
            mean = next;
        }
    }
done:
    return st;
}
