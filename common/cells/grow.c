/* grow.c -- cells from nuclei. Propagation (Jones and others, 2005): a pixel goes to the nucleus from which the cheapest way leads to it,
 * where a step costs the root of (difference of the 3 x 3 neighbourhoods)^2 + (1 or, across a corner, 2) * regularization^2, within the
 * foreground. Or distance only: to the nearest nucleus, as far as grow_px.
 *
 * Ways are made longer in the order of their cost by a ring of buckets no wider than the cheapest step, so that what is in a bucket is
 * final when its turn comes. */
#include "find_impl.h"

#include "measure_impl.h"
#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Offsets to the four neighbours after a pixel; the other four are their opposites. */
static const int step_y[4] = {0, 1, 1, 1}, step_x[4] = {1, 1, 0, -1};

static status reserve_steps(finder *f)
{
    status st = OK;
    size_t n = (size_t)f->width * (size_t)f->height;
    if (n <= f->step_cap) return OK;
    f->step_cap = 0;
    for (int k = 0; k < 4; k++) FREE(f->step[k]);
    FREE(f->cost);
    for (int k = 0; k < 4; k++) TRY(mem_alloc(&f->step[k], n, sizeof **f->step, "costs of steps"));
    TRY(mem_alloc(&f->cost, n, sizeof *f->cost, "costs of ways"));
    f->step_cap = n;
done:
    return st;
}

HOT static void row_differences(const float *a, const float *b, float *out, int n)
{
    for (int i = 0; i < n; i++) out[i] = fabsf(a[i] - b[i]);
}

HOT static void sum_three(const float *a, const float *b, const float *c, float *out, int n)
{
    for (int i = 0; i < n; i++) out[i] = a[i] + b[i] + c[i];
}

HOT static void step_costs(const float *box, float *out, int n, float square)
{
    for (int i = 0; i < n; i++) out[i] = sqrtf(box[i] * box[i] + square);
}

static int clamped(int i, int n)
{
    return i < 0 ? 0 : i >= n ? n - 1 : i;
}

/* |image at p - image at p + step|, with p and p + step both held inside the image, for p in rows -1..h and columns -1..w: those are the
 * terms of the neighbourhoods. They are summed over 3 x 3 in two passes. */
static void difference_line(const finder *f, int k, int y, float *line)
{
    int w = f->width, h = f->height;
    const float *a = f->image + (int64_t)clamped(y, h) * w, *b = f->image + (int64_t)clamped(y + step_y[k], h) * w;
    int from = step_x[k] < 0 ? 1 : 0, to = step_x[k] > 0 ? w - 1 : w; /* columns where p + step is inside */
    row_differences(a + from, b + from + step_x[k], line + 1 + from, to - from);
    for (int x = -1; x <= w; x++)
        if (x < from || x >= to) line[1 + x] = fabsf(a[clamped(x, w)] - b[clamped(x + step_x[k], w)]);
}

static void fill_steps(finder *f, double regularization)
{
    float lines[3][FIND_MAX_SIDE + 2], sums[FIND_MAX_SIDE + 2], box[FIND_MAX_SIDE];
    int w = f->width, h = f->height;
    for (int k = 0; k < 4; k++) {
        int apart = abs(step_y[k]) + abs(step_x[k]);
        difference_line(f, k, -1, lines[0]);
        difference_line(f, k, 0, lines[1]);
        for (int y = 0; y < h; y++) {
            difference_line(f, k, y + 1, lines[(y + 2) % 3]);
            sum_three(lines[0], lines[1], lines[2], sums, w + 2);
            sum_three(sums, sums + 1, sums + 2, box, w);
            step_costs(box, f->step[k] + (int64_t)y * w, w, (float)(apart * regularization * regularization));
        }
    }
}

/* ---- the ring of buckets ---- */

typedef struct {
    int n;        /* buckets in the ring */
    double width; /* of a bucket */
    int64_t left; /* pixels in it */
} ring;

static int bucket_of(const ring *r, double cost)
{
    return (int)((int64_t)(cost / r->width) % r->n);
}

/* Lists in both directions: next[] and, in plane[], the one before. */
static void put(finder *f, const ring *r, int32_t px, double cost)
{
    int b = bucket_of(r, cost);
    f->next[px] = f->head[b];
    f->plane[px] = -1;
    if (f->head[b] >= 0) f->plane[f->head[b]] = px;
    f->head[b] = px;
}

static void take_out(finder *f, const ring *r, int32_t px, double cost)
{
    if (f->plane[px] >= 0)
        f->next[f->plane[px]] = f->next[px];
    else
        f->head[bucket_of(r, cost)] = f->next[px];
    if (f->next[px] >= 0) f->plane[f->next[px]] = f->plane[px];
}

static void widen_from(finder *f, ring *r, int32_t i, const uint8_t *mask, int32_t *label)
{
    int w = f->width, y = i / w, x = i % w;
    for (int k = 0; k < 8; k++) {
        int s = k % 4, sign = k < 4 ? 1 : -1, yy = y + sign * step_y[s], xx = x + sign * step_x[s];
        if (yy < 0 || xx < 0 || yy >= f->height || xx >= w) continue;
        int32_t j = yy * w + xx;
        if (!mask[j]) continue;
        double cost = f->cost[i] + (double)f->step[s][k < 4 ? i : j];
        if (cost >= f->cost[j]) continue;
        if (isfinite(f->cost[j]))
            take_out(f, r, j, f->cost[j]);
        else
            r->left++;
        f->cost[j] = cost;
        label[j] = label[i];
        put(f, r, j, cost);
    }
}

static void propagate(finder *f, double regularization, const uint8_t *mask, int32_t *label)
{
    int64_t n = (int64_t)f->width * f->height, turn = 0;
    double dearest = 9 + 2 * regularization; /* nine differences of at most 1 */
    ring r = {.width = regularization * 0.999};
    r.n = (int)(dearest / r.width) + 3; /* below FIND_LEVELS, since regularization is at least 0.001 */
    for (int b = 0; b < r.n; b++) f->head[b] = -1;
    for (int64_t i = n - 1; i >= 0; i--) {
        f->cost[i] = label[i] ? 0 : INFINITY;
        if (!label[i]) continue;
        put(f, &r, (int32_t)i, 0);
        r.left++;
    }
    for (; r.left > 0; turn++) {
        int b = (int)(turn % r.n);
        while (f->head[b] >= 0) {
            int32_t i = f->head[b];
            take_out(f, &r, i, f->cost[i]);
            r.left--;
            widen_from(f, &r, i, mask, label);
        }
    }
}

/* ---- distance only ---- */

static void nearest_nuclei(finder *f, const objects *nuclei, int reach, int32_t *label)
{
    int w = f->width, h = f->height;
    for (int64_t i = 0; i < (int64_t)w * h; i++) f->mask[i] = nuclei->label[i] == 0;
    edt_nearest(f->mask, w, h, f->plane, f->scratch, f->line);
    for (int64_t i = 0; i < (int64_t)w * h; i++) {
        int32_t from = f->scratch[i];
        label[i] = f->plane[i] <= reach * reach && from >= 0 ? nuclei->label[from] : 0;
    }
}

/* Background enclosed by one cell alone becomes the cell's. */
static status fill_cells(finder *f, objects *cells)
{
    status st = OK;
    int w = f->width, h = f->height;
    int64_t n = (int64_t)w * h;
    for (int64_t i = 0; i < n; i++) f->mask[i] = cells->label[i] == 0;
    TRY(objects_from_mask(&f->parts, f->mask, w, h, f->scratch));
    for (int32_t p = 0; p < f->parts.n; p++) {
        int32_t around = 0;
        bool one = !f->parts.border[p];
        for (int64_t k = f->parts.first[p]; one && k < f->parts.first[p + 1]; k++) {
            int32_t i = f->parts.pixel[k], beside[4] = {i - w, i - 1, i + 1, i + w};
            for (int d = 0; d < 4; d++) {
                int32_t l = cells->label[beside[d]];
                if (l != 0 && around != 0 && l != around) one = false;
                if (l != 0) around = l;
            }
        }
        for (int64_t k = f->parts.first[p]; one && k < f->parts.first[p + 1]; k++) cells->label[f->parts.pixel[k]] = around;
    }
done:
    return st;
}

status find_cells(finder *f, const find_options *o, const uint16_t *px, double unit, const objects *nuclei, objects *cells, find_report *r)
{
    status st = OK;
    int w = nuclei->width_px, h = nuclei->height_px;
    size_t n = (size_t)w * (size_t)h;
    *r = (find_report){0};
    TRY(finder_reserve(f, w, h));
    TRY(objects_reserve(cells, w, h));
    if (o->grow == FIND_GROW_DISTANCE) {
        nearest_nuclei(f, nuclei, o->grow_px, cells->label);
    } else {
        TRY(reserve_steps(f));
        for (size_t i = 0; i < n; i++) f->image[i] = (float)(px[i] / unit);
        if (o->cells.background_px > 0) TRY(smooth_subtract_background(f, f->image, o->cells.background_px));
        smooth_gaussian(f->image, f->smooth, f->work, w, h, o->cells.smooth_px);
        TRY(threshold_mask(f, &o->cells, true, f->smooth, f->mask, r));
        fill_steps(f, o->regularization);
        memcpy(cells->label, nuclei->label, n * sizeof *cells->label);
        for (size_t i = 0; i < n; i++) f->mask[i] |= nuclei->label[i] != 0;
        propagate(f, o->regularization, f->mask, cells->label);
    }
    cells->n = nuclei->n;
    if (o->grow == FIND_GROW_PROPAGATION) TRY(fill_cells(f, cells));
    TRY(objects_index(cells));
done:
    return st;
}
