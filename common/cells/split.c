/* split.c -- touching nuclei taken apart: a middle is a pixel that no pixel of its part within the least distance is higher than; from the
 * middles a flood from high to low (watershed) gives each pixel of the part to one. Queues by level, so that no heap is needed. */
#include "find_impl.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool tops_its_neighbours(const finder *f, const float *height, int y, int x)
{
    const int32_t *part = f->parts.label;
    int64_t i = (int64_t)y * f->width + x;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int yy = y + dy, xx = x + dx;
            if (yy < 0 || xx < 0 || yy >= f->height || xx >= f->width) continue;
            int64_t j = (int64_t)yy * f->width + xx;
            if (part[j] == part[i] && height[j] > height[i]) return false;
        }
    return true;
}

/* No pixel of its part within `apart` is higher, and none that is as high was taken as a middle before. */
static bool is_middle(const finder *f, const float *height, const int32_t *label, double apart, int y, int x)
{
    const int32_t *part = f->parts.label;
    int64_t i = (int64_t)y * f->width + x;
    int reach = (int)apart;
    for (int yy = y - reach < 0 ? 0 : y - reach; yy <= y + reach && yy < f->height; yy++)
        for (int xx = x - reach < 0 ? 0 : x - reach; xx <= x + reach && xx < f->width; xx++) {
            int64_t j = (int64_t)yy * f->width + xx;
            if (part[j] != part[i] || (yy - y) * (yy - y) + (xx - x) * (xx - x) > apart * apart) continue;
            if (height[j] > height[i] || label[j] != 0) return false;
        }
    return true;
}

static void push(finder *f, int level, int32_t px)
{
    f->next[px] = -1;
    if (f->head[level] < 0)
        f->head[level] = px;
    else
        f->next[f->tail[level]] = px;
    f->tail[level] = px;
}

static int level_of(float height, float highest)
{
    double share = highest > 0 ? (double)height / (double)highest : 0;
    return (int)((1 - (share < 0 ? 0 : share > 1 ? 1 : share)) * (FIND_LEVELS - 1));
}

static void flood(finder *f, const float *height, float highest, int32_t *label)
{
    int w = f->width;
    for (int level = 0; level < FIND_LEVELS; level++)
        while (f->head[level] >= 0) {
            int32_t i = f->head[level],
                    beside[4] = {i >= w ? i - w : -1, i % w ? i - 1 : -1, (i + 1) % w ? i + 1 : -1, i + w < w * f->height ? i + w : -1};
            f->head[level] = f->next[i];
            for (int k = 0; k < 4; k++) {
                int32_t j = beside[k];
                if (j < 0 || label[j] != 0 || f->parts.label[j] != f->parts.label[i]) continue;
                int at = level_of(height[j], highest);
                label[j] = label[i];
                push(f, at > level ? at : level, j);
            }
        }
}

status split_objects(finder *f, const float *height, double apart_px, objects *out)
{
    status st = OK;
    float highest = 0;
    int64_t n_px = (int64_t)f->width * f->height;
    TRY(objects_reserve(out, f->width, f->height));
    memset(out->label, 0, (size_t)n_px * sizeof *out->label);
    for (int l = 0; l < FIND_LEVELS; l++) f->head[l] = -1;
    for (int64_t i = 0; i < n_px; i++)
        if (f->parts.label[i] && height[i] > highest) highest = height[i];
    for (int64_t i = 0; i < n_px; i++) {
        int y = (int)(i / f->width), x = (int)(i % f->width);
        if (!f->parts.label[i] || !tops_its_neighbours(f, height, y, x) || !is_middle(f, height, out->label, apart_px, y, x)) continue;
        out->label[i] = ++out->n;
        push(f, level_of(height[i], highest), (int32_t)i);
    }
    flood(f, height, highest, out->label);
    TRY(objects_index(out));
done:
    return st;
}
