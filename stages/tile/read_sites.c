/* read_sites.c -- the first pass: every TIFF of this rank's sites is read once, resampled and measured. */
#include "tile.h"

#include <string.h>

/* An earlier channel with the very same square, or -1. */
static int32_t same_square(const plate_work *w, int64_t first_item, const uint16_t *squares, int channel)
{
    size_t n = (size_t)w->mosaic_px * (size_t)w->mosaic_px;
    const image_note *note = &w->note[first_item];
    for (int c = 0; c < channel; c++)
        if (!note[c].bad && !note[c].all_zero && memcmp(squares + (size_t)c * n, squares + (size_t)channel * n, n * sizeof *squares) == 0)
            return c;
    return -1;
}

static status read_site(plate_work *w, reader *r, int64_t site, uint16_t *squares)
{
    status st = OK;
    int64_t first_item = site * w->n_files;
    image *im = r->im;
    bool good;
    size_t n = (size_t)w->mosaic_px * (size_t)w->mosaic_px;
    for (int c = 0; c < w->n_channels; c++) {
        int64_t item = first_item + c;
        uint16_t *square = squares + (size_t)c * n;
        TRY(read_image(w, r, item, r->file, im, &good));
        if (!good) continue;
        TRY(tiling_plan_for(&r->plan, im->width_px, im->height_px, w->mosaic_px));
        tiling_resample(&r->plan, im->px, square);
        if (!w->note[item].all_zero) w->note[item].same_as = same_square(w, first_item, squares, c);
        for (int t = 0; t < w->tiles_per_site; t++)
            tiling_measure(square, w->mosaic_px, w->size_px, t,
                           &w->quality[((site - w->first) * w->tiles_per_site + t) * w->n_channels + c]);
    }
    w->site[site].n_tiles = w->tiles_per_site;
done:
    return st;
}

status read_sites(plate_work *w, reader *r)
{
    status st = OK;
    for (int64_t i = 0; i < w->n; i++) {
        uint16_t *squares;
        TRY(fault("squares"));
        TRY(spool_new(&w->squares, i, &squares));
        TRY(w->cells ? cell_tiles_read(w, r, w->first + i, squares) : read_site(w, r, w->first + i, squares));
        TRY(spool_keep(&w->squares, i));
        progress_add(w->shown, 1);
    }
done:
    return st;
}
