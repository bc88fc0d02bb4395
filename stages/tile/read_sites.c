/* read_sites.c -- the first pass: every TIFF of this rank's sites is read once, resampled and measured. A bad image is noted and does not
 * fail the plate; lack of memory or scratch space does. */
#include "tile.h"

#include "micon/base/digest.h"
#include "micon/base/path.h"

#include <string.h>

void reader_free(reader *r)
{
    image_file_free(&r->file);
    image_free(&r->im);
    tiling_plan_free(&r->plan);
    text_free(&r->path);
}

static status note_bad(plate_work *w, int64_t item, status why, const char *path)
{
    char message[1000];
    msg_take(message, sizeof message);
    w->note[item].bad = (int32_t)why;
    return rejects_add(&w->bad, item, status_name(why), rejects_without_path(message, path));
}

/* What a later check of the inputs will find of a file that could not be used as it is: absent, or other bytes than an image's. Of one that
 * could not be read nothing is noted, so that a later run that can read it computes the plate again. */
static void note_unreadable(image_note *note, const char *path, status why)
{
    char message[1000];
    msg_take(message, sizeof message);
    if (why == E_IO || path_stat(path, &note->size, &note->mtime_ns) != OK) note->size = -1;
    if (note->size < 0 || digest_file(path, &note->digest) != OK) note->digest = 0;
    msg_set(message);
}

/* One image into its square. Fails only for what ends the stage. */
static status read_image(plate_work *w, reader *r, int64_t item, const char *path, int page, bool same_file, uint16_t *square)
{
    image_note *note = &w->note[item];
    status st = *path ? OK : fail(E_FORMAT, "no file is named for this channel");
    if (st == OK && !same_file) {
        st = image_file_read(&r->file, path);
        if (st == E_IO && path_exists(path)) st = image_file_read(&r->file, path); /* a busy network file system may fail once */
        if (st != OK) note_unreadable(note, path, st);
    }
    if (st == OK) {
        note->digest = r->file.digest;
        note->size = (int64_t)r->file.size;
        note->mtime_ns = r->file.mtime_ns;
        st = image_decode(&r->im, &r->file, page, w->cfg->tile.input_scale);
    }
    if (st == OK) st = tiling_plan_for(&r->plan, r->im.width_px, r->im.height_px, w->mosaic_px);
    if (st == E_NOMEM || st == E_INTERNAL) return st;
    if (st != OK) return note_bad(w, item, st, path);
    tiling_resample(&r->plan, r->im.px, square);
    note->width_px = r->im.width_px;
    note->height_px = r->im.height_px;
    note->kind = r->im.kind;
    note->all_zero = r->im.all_zero;
    note->saturated = (double)r->im.n_saturated / ((double)r->im.width_px * r->im.height_px);
    return OK;
}

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
    int64_t first_item = site * w->n_channels, row = w->plate.first + site;
    size_t n = (size_t)w->mosaic_px * (size_t)w->mosaic_px;
    for (int c = 0; c < w->n_channels; c++) {
        int64_t item = first_item + c;
        uint16_t *square = squares + (size_t)c * n;
        const char *path = index_path(w->ix, row, c, &r->path);
        int page = index_page(w->ix, row, c);
        /* The file of the channel before is still in memory, if it could be read. */
        bool same_file = page >= 0 && c > 0 && r->file.size > 0 && strcmp(path, r->file.path) == 0;
        w->note[item] = (image_note){.size = -1, .same_as = -1};
        TRY(read_image(w, r, item, path, page >= 0 ? page : IMAGE_ONLY_PAGE, same_file, square));
        if (w->note[item].bad) continue;
        if (!w->note[item].all_zero) w->note[item].same_as = same_square(w, first_item, squares, c);
        for (int t = 0; t < w->tiles_per_site; t++)
            tiling_measure(square, w->mosaic_px, w->size_px, t,
                           &w->quality[((site - w->first) * w->tiles_per_site + t) * w->n_channels + c]);
    }
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
        TRY(read_site(w, r, w->first + i, squares));
        TRY(spool_keep(&w->squares, i));
        progress_add(w->shown, 1);
    }
done:
    return st;
}
