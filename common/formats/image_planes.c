/* image_planes.c -- the planes of a stack as one image (image.h): which of them, their maximum or mean. */
#include "image_impl.h"

#include "micon/base/mem.h"
#include "micon/base/text.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_PLANES = 65536 }; /* sums fit in 32 bits */
/* Pixels of all planes: a small file may refer to the same bytes again and again. */
static const uint64_t MOST_PX = (uint64_t)IMAGE_MAX_PX * 16;

status image_plane_chosen(int64_t z, int64_t n, const char *path, int64_t *plane)
{
    *plane = z == IMAGE_Z_MIDDLE ? (n - 1) / 2 : z - 1;
    if (*plane < n) return OK;
    return fail(E_FORMAT, "%s: tile.z asks for plane %lld of %lld", path, (long long)z, (long long)n);
}

static image_planes planes_of(const image *im, image_planes memory)
{
    return (image_planes){.value = memory.value,
                          .cap = memory.cap,
                          .width_px = im->width_px,
                          .height_px = im->height_px,
                          .orientation = im->orientation,
                          .kind = im->kind};
}

void image_planes_begin(image *im)
{
    im->planes.n = 0;
}

status image_planes_add(image *im, int64_t z, const char *path)
{
    image_planes *p = &im->planes;
    size_t n = (size_t)im->width_px * (size_t)im->height_px;
    if (p->n == 0) {
        *p = planes_of(im, *p);
        status st = image_reserve(&p->value, &p->cap, n * sizeof *p->value, path);
        if (st != OK) return st;
        memset(p->value, 0, n * sizeof *p->value);
    }
    if (p->n++ == MOST_PLANES) return fail(E_FORMAT, "%s: is plane %d; at most %d are projected", path, p->n, MOST_PLANES);
    if (im->width_px != p->width_px || im->height_px != p->height_px || im->kind != p->kind)
        return fail(E_FORMAT, "%s: plane %d is %d x %d pixels of %s, the first %d x %d of %s", path, p->n, im->width_px, im->height_px,
                    image_kind_name(im->kind), p->width_px, p->height_px, image_kind_name(p->kind));
    for (size_t i = 0; i < n && z == IMAGE_Z_MEAN; i++) p->value[i] += im->px[i];
    for (size_t i = 0; i < n && z != IMAGE_Z_MEAN; i++) p->value[i] = im->px[i] > p->value[i] ? im->px[i] : p->value[i];
    p->inverted = p->inverted || im->inverted;
    if (im->high > p->high) p->high = im->high;
    if (im->n_saturated > p->n_saturated) p->n_saturated = im->n_saturated;
    if (im->n_clipped > p->n_clipped) p->n_clipped = im->n_clipped;
    return OK;
}

status image_planes_end(image *im, int64_t z)
{
    image_planes *p = &im->planes;
    uint32_t n = (uint32_t)p->n, any = 0, half = n / 2;
    size_t pixels = (size_t)p->width_px * (size_t)p->height_px;
    if (n == 0) return fail(E_INTERNAL, "no plane was added");
    p->n = 0;
    status st = image_reserve(&im->block, &im->block_cap, pixels * sizeof *im->block, "the projection of a stack");
    if (st != OK) return st;
    for (size_t i = 0; i < pixels; i++) {
        im->block[i] = (uint16_t)(z == IMAGE_Z_MEAN ? (p->value[i] + half) / n : p->value[i]);
        any |= im->block[i];
    }
    im->px = im->block;
    im->width_px = p->width_px;
    im->height_px = p->height_px;
    im->kind = p->kind;
    im->all_zero = any == 0;
    im->inverted = p->inverted;
    im->orientation = p->orientation;
    im->high = p->high;
    im->n_saturated = p->n_saturated;
    im->n_clipped = p->n_clipped;
    return OK;
}

static status decode_one(image *im, const image_file *f, const image_stack *s, int64_t plane, double scale)
{
    return image_decode_plane(im, f, s->behind ? 0 : s->page[plane], s->behind ? s->page[plane] : 0, scale);
}

status image_decode_part(image *im, const image_file *f, const image_part *part, double scale)
{
    status st = OK;
    image_stack s = {0};
    int64_t plane;
    if (part->page >= 0) return image_decode(im, f, part->page, scale);
    if (!image_is_tiff(f) || (part->channel < 0 && part->z == IMAGE_Z_NONE)) {
        if (part->z > 0) TRY(image_plane_chosen(part->z, 1, f->path, &plane));
        return image_decode(im, f, part->channel >= 0 ? part->channel : IMAGE_ONLY_PAGE, scale);
    }
    im->px = NULL;
    TRY(image_tiff_stack(f, part, &s));
    if (part->z == IMAGE_Z_NONE || part->z == IMAGE_Z_MIDDLE || part->z > 0) {
        TRY(image_plane_chosen(part->z == IMAGE_Z_NONE ? 1 : part->z, s.n, f->path, &plane));
        TRY(decode_one(im, f, &s, plane, scale));
    } else {
        image_planes_begin(im);
        for (int i = 0; i < s.n; i++) {
            TRY(decode_one(im, f, &s, i, scale));
            if ((uint64_t)s.n * (uint64_t)im->width_px * (uint64_t)im->height_px > MOST_PX)
                TRY(fail(E_FORMAT, "%s: has %d planes of %d x %d pixels, more than is projected", f->path, s.n, im->width_px,
                         im->height_px));
            TRY(image_planes_add(im, part->z, f->path));
        }
        TRY(image_planes_end(im, part->z));
    }
    memcpy(im->called, s.called, sizeof im->called);
done:
    if (st != OK) im->px = NULL;
    free(s.page);
    return st;
}
