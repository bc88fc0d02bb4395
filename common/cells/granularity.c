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
    int stride;        /* small images have a rim of one pixel, INFINITY: the erosion needs no edges */
    int back_width, back_height;
    double *base, *eroded, *next, *back, *back2; /* small images; (0, 0) is at 1 + stride. The last two have no rim. */
    double *step[N_GRANULARITY];                 /* reconstructions */
    component_tree tree;
    int32_t *column; /* [columns of the image] of the small image, at its left (-1: beyond the last), */
    double *share;   /* and how far from it towards the next */
    double *weight;  /* of one object over the small image's box */
    size_t cap, column_cap, share_cap, weight_cap;
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
    for (int i = 0; i < N_GRANULARITY; i++) FREE(g->step[i]);
    component_tree_free(&g->tree);
    g->cap = 0;
}

void granularity_free(granularity **g)
{
    if (!*g) return;
    free_images(*g);
    free((*g)->column);
    free((*g)->share);
    free((*g)->weight);
    FREE(*g);
}

static size_t plane_size(const granularity *g)
{
    return (size_t)g->stride * ((size_t)g->height + 2);
}

static status place_columns(granularity *g, int width_px)
{
    status st = OK;
    double step = (double)(g->width - 1) / (width_px - 1);
    TRY(mem_grow(&g->column, &g->column_cap, (size_t)width_px, sizeof *g->column, "columns of an image"));
    TRY(mem_grow(&g->share, &g->share_cap, (size_t)width_px, sizeof *g->share, "columns of an image"));
    for (int x = 0; x < width_px; x++) {
        g->column[x] = x * step > g->width - 1 ? -1 : (int)(x * step);
        g->share[x] = x * step - g->column[x];
    }
done:
    return st;
}

static status reserve(granularity *g)
{
    status st = OK;
    size_t n = plane_size(g);
    if (n > g->cap) {
        free_images(g);
        TRY(mem_alloc(&g->base, n, sizeof *g->base, "a small image"));
        TRY(mem_alloc(&g->eroded, n, sizeof *g->eroded, "a small image"));
        TRY(mem_alloc(&g->next, n, sizeof *g->next, "a small image"));
        TRY(mem_alloc(&g->back, n, sizeof *g->back, "a small image"));
        TRY(mem_alloc(&g->back2, n, sizeof *g->back2, "a small image"));
        for (int i = 0; i < N_GRANULARITY; i++) TRY(mem_alloc(&g->step[i], n, sizeof **g->step, "a small image"));
        TRY(component_tree_reserve(&g->tree, n));
        g->cap = n;
    }
    for (size_t i = 0; i < n; i++) g->base[i] = g->next[i] = INFINITY;
done:
    return st;
}

/* A row of a small image behind its rim. */
static inline double *row_of(const granularity *g, double *plane, int y)
{
    return plane + (int64_t)(y + 1) * g->stride + 1;
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
        for (int x = 0; x < g->back_width; x++) g->back[y * g->back_width + x] = row_of(g, g->base, y * SHRINK)[x * SHRINK];
    disk_extreme(g->back, g->back2, g->back_width, g->back_height, 1);
    disk_extreme(g->back2, g->back, g->back_width, g->back_height, -1);
    double step_y = (back_h - 1) / (h - 1), step_x = (back_w - 1) / (w - 1);
    for (int y = 0; y < h; y++) {
        double *row = row_of(g, g->base, y);
        for (int x = 0; x < w; x++) {
            double z = row[x] - between(g->back, g->back_width, g->back_height, y * step_y, x * step_x);
            row[x] = z < 0 ? 0 : z;
        }
    }
}

HOT static void erode_row(const double *row, double *restrict out, int w, int stride)
{
    for (int x = 0; x < w; x++) {
        double a = row[x - stride] < row[x + stride] ? row[x - stride] : row[x + stride];
        double b = row[x - 1] < row[x + 1] ? row[x - 1] : row[x + 1];
        a = a < b ? a : b;
        out[x] = a < row[x] ? a : row[x];
    }
}

status granularity_image(granularity *g, const uint16_t *px, int width_px, int height_px, double unit)
{
    status st = OK;
    g->width = width_px / SHRINK;
    g->height = height_px / SHRINK;
    g->stride = g->width + 2;
    if (g->width < 2 || g->height < 2) return OK;
    TRY(reserve(g));
    TRY(place_columns(g, width_px));
    for (int y = 0; y < g->height; y++)
        for (int x = 0; x < g->width; x++) row_of(g, g->base, y)[x] = px[(int64_t)y * SHRINK * width_px + x * SHRINK] / unit;
    subtract_background(g);
    component_tree_build(&g->tree, g->base, g->width, g->height);
    memcpy(g->eroded, g->base, plane_size(g) * sizeof *g->base);
    for (int i = 0; i < N_GRANULARITY; i++) {
        for (int y = 0; y < g->height; y++) erode_row(row_of(g, g->eroded, y), row_of(g, g->next, y), g->width, g->stride);
        double *t = g->eroded;
        g->eroded = g->next;
        g->next = t;
        component_tree_reconstruct(&g->tree, g->eroded, g->step[i]);
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
    const int32_t *p = o->pixel + o->first[i], *end = o->pixel + o->first[i + 1];
    while (p < end) { /* pixels come row by row */
        int row = *p / o->width_px, row_start = row * o->width_px, y0 = (int)(row * step_y);
        double fy = row * step_y - y0;
        bool beyond = row * step_y > g->height - 1; /* by rounding: counts as 0, as in scipy */
        for (; p < end && *p < row_start + o->width_px; p++) {
            int x = *p - row_start, x0 = g->column[x];
            if (beyond || x0 < 0) continue;
            double fx = g->share[x], *w = g->weight + (int64_t)(y0 - b->top) * b->width + x0 - b->left;
            w[0] += (1 - fy) * (1 - fx);
            w[1] += (1 - fy) * fx;
            w[b->width] += fy * (1 - fx);
            w[b->width + 1] += fy * fx;
        }
    }
done:
    return st;
}

/* Weighted sums of all reconstructions. Rows and columns of the box beyond the image have weight 0. */
static void weighted_sums(const granularity *g, const small_box *b, double sum[N_GRANULARITY])
{
    int rows = b->top + b->height <= g->height ? b->height : g->height - b->top;
    int cols = b->left + b->width <= g->width ? b->width : g->width - b->left;
    for (int s = 0; s < N_GRANULARITY; s++) sum[s] = 0;
    for (int y = 0; y < rows; y++) {
        const double *w = g->weight + (int64_t)y * b->width;
        for (int s = 0; s < N_GRANULARITY; s++) {
            const double *px = row_of(g, g->step[s], b->top + y) + b->left;
            double part = sum[s];
            for (int x = 0; x < cols; x++) part += px[x] * w[x];
            sum[s] = part;
        }
    }
}

status granularity_values(granularity *g, const objects *o, int32_t i, const uint16_t *px, double unit, float *out)
{
    status st = OK;
    small_box b;
    int64_t area = objects_area(o, i), sum = 0;
    double sums[N_GRANULARITY];
    bool none = area == 0 || g->width < 2 || g->height < 2;
    for (int s = 0; s < N_GRANULARITY; s++) out[s] = NAN;
    if (none) return OK;
    TRY(gather_weights(g, o, i, &b));
    weighted_sums(g, &b, sums);
    for (int64_t k = o->first[i]; k < o->first[i + 1]; k++) sum += px[o->pixel[k]];
    double mean = (double)sum / unit / (double)area, start = fmax(mean, DBL_EPSILON);
    for (int s = 0; s < N_GRANULARITY; s++) {
        double next = sums[s] / (double)area;
        out[s] = (float)((mean - next) * 100 / start);
        mean = next;
    }
done:
    return st;
}
