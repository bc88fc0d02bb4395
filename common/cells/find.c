/* find.c -- nuclei: smooth, threshold, fill, split, and keep those of a nucleus's size. */
#include "micon/cells/find.h"

#include "find_impl.h"
#include "measure_impl.h"
#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

status finder_create(finder **out)
{
    status st = OK;
    *out = xcalloc(1, sizeof **out);
    TRY(mem_alloc(&(*out)->head, FIND_LEVELS, sizeof(int32_t), "queues"));
    TRY(mem_alloc(&(*out)->tail, FIND_LEVELS, sizeof(int32_t), "queues"));
done:
    if (st != OK) finder_free(out);
    return st;
}

static void free_planes(finder *f)
{
    FREE(f->image);
    FREE(f->smooth);
    FREE(f->work);
    FREE(f->mask);
    FREE(f->scratch);
    FREE(f->plane);
    FREE(f->next);
    f->cap = 0;
}

void finder_free(finder **f)
{
    if (!*f) return;
    free_planes(*f);
    free((*f)->head);
    free((*f)->tail);
    free((*f)->line);
    free((*f)->block);
    free((*f)->keep);
    free((*f)->cost);
    for (int k = 0; k < 4; k++) free((*f)->step[k]);
    objects_free(&(*f)->parts);
    FREE(*f);
}

status finder_reserve(finder *f, int width_px, int height_px)
{
    status st = OK;
    size_t n = (size_t)width_px * (size_t)height_px, side = (size_t)(width_px > height_px ? width_px : height_px) + 4;
    if (width_px > FIND_MAX_SIDE || height_px > FIND_MAX_SIDE)
        return fail(E_FORMAT, "an image of %d x %d pixels; cells are sought in at most %d along a side", width_px, height_px,
                    FIND_MAX_SIDE);
    f->width = width_px;
    f->height = height_px;
    TRY(mem_grow(&f->line, &f->line_cap, 4 * side, sizeof *f->line, "lines of an image"));
    if (n <= f->cap) return OK;
    free_planes(f);
    TRY(mem_alloc(&f->image, n, sizeof *f->image, "an image of real values"));
    TRY(mem_alloc(&f->smooth, n, sizeof *f->smooth, "an image of real values"));
    TRY(mem_alloc(&f->work, n, sizeof *f->work, "an image of real values"));
    TRY(mem_alloc(&f->mask, n, 1, "a mask"));
    TRY(mem_alloc(&f->scratch, n + 1, sizeof *f->scratch, "pixels' numbers"));
    TRY(mem_alloc(&f->plane, n + 1, sizeof *f->plane, "pixels' numbers"));
    TRY(mem_alloc(&f->next, n, sizeof *f->next, "pixels' queues"));
    f->cap = n;
done:
    return st;
}

/* Background that no way of 4-neighbours joins to the image's edge becomes foreground. */
status fill_holes(finder *f, uint8_t *mask)
{
    status st = OK;
    int64_t n = (int64_t)f->width * f->height;
    for (int64_t i = 0; i < n; i++) mask[i] = !mask[i];
    TRY(objects_from_mask(&f->parts, mask, f->width, f->height, f->scratch));
    for (int64_t i = 0; i < n; i++) {
        int32_t l = f->parts.label[i];
        mask[i] = l == 0 || !f->parts.border[l - 1];
    }
done:
    return st;
}

static void to_real(const uint16_t *px, float *out, size_t n, double unit)
{
    float by = (float)(1 / unit);
    for (size_t i = 0; i < n; i++) out[i] = (float)px[i] * by;
}

/* What the middles of nuclei are highest in: the smoothed distance to the background, or the smoothed values. */
static void heights_for_split(finder *f, const find_options *o)
{
    int w = f->width, h = f->height;
    double sigma = o->split_px / 4;
    if (o->split == FIND_SPLIT_INTENSITY) {
        smooth_gaussian(f->image, f->smooth, f->work, w, h, sigma);
        return;
    }
    edt_squared(f->mask, w, h, w, f->plane, f->line);
    for (int64_t i = 0; i < (int64_t)w * h; i++) f->smooth[i] = sqrtf((float)f->plane[i]);
    smooth_gaussian(f->smooth, f->smooth, f->work, w, h, sigma);
}

static status keep_sizes(finder *f, const find_options *o, objects *nuclei)
{
    status st = OK;
    TRY(mem_grow(&f->keep, &f->keep_cap, (size_t)nuclei->n + 1, 1, "nuclei"));
    for (int32_t i = 0; i < nuclei->n; i++) {
        double diameter = sqrt(4 * (double)objects_area(nuclei, i) / M_PI);
        f->keep[i] = diameter >= o->least_px && diameter <= o->most_px;
    }
    TRY(objects_filter(nuclei, f->keep));
done:
    return st;
}

status find_nuclei(finder *f, const find_options *o, const uint16_t *px, int width_px, int height_px, double unit, objects *nuclei,
                   find_report *r)
{
    status st = OK;
    TRY(finder_reserve(f, width_px, height_px));
    to_real(px, f->image, (size_t)width_px * (size_t)height_px, unit);
    if (o->nuclei.background_px > 0) TRY(smooth_subtract_background(f, f->image, o->nuclei.background_px));
    smooth_gaussian(f->image, f->smooth, f->work, width_px, height_px, o->nuclei.smooth_px);
    TRY(threshold_mask(f, &o->nuclei, false, f->smooth, f->mask, r));
    TRY(fill_holes(f, f->mask));
    if (o->split == FIND_SPLIT_NONE) {
        TRY(objects_from_mask(nuclei, f->mask, width_px, height_px, f->scratch));
    } else {
        TRY(objects_from_mask(&f->parts, f->mask, width_px, height_px, f->scratch));
        heights_for_split(f, o);
        TRY(split_objects(f, f->smooth, o->split_px, nuclei));
    }
    TRY(keep_sizes(f, o, nuclei));
done:
    return st;
}
