/* read_sites.c -- the first pass: every TIFF of this rank's sites is read once, resampled and measured. A bad image is noted and does not
 * fail the plate; lack of memory or scratch space does. */
#include "tile.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>

void reader_open(reader *r, const plate_work *w)
{
    size_t channels = (size_t)w->n_channels;
    r->n = w->cells ? w->n_files : 1;
    r->file = xcalloc((size_t)r->n, sizeof *r->file);
    r->im = xcalloc((size_t)r->n, sizeof *r->im);
    r->px = xcalloc(channels, sizeof *r->px);
    r->unit = xcalloc(channels, sizeof *r->unit);
}

void reader_free(reader *r)
{
    for (int f = 0; f < r->n; f++) {
        image_file_free(&r->file[f]);
        image_free(&r->im[f]);
    }
    free(r->file);
    free(r->im);
    free(r->px);
    free(r->unit);
    free(r->pick);
    tiling_plan_free(&r->plan);
    text_free(&r->path);
}

status note_bad(plate_work *w, int64_t item, status why, const char *path)
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

status read_image(plate_work *w, int64_t item, const char *path, int page, image_file *file, bool have, image *im, bool *good)
{
    image_note *note = &w->note[item];
    *note = (image_note){.size = -1, .same_as = -1};
    *good = false;
    status st = *path ? OK : fail(E_FORMAT, im ? "no file is named for this channel" : "no label image is named for this site");
    if (st == OK && !have) {
        st = image_file_read(file, path);
        if (st == E_IO && path_exists(path)) st = image_file_read(file, path); /* a busy network file system may fail once */
        if (st != OK) note_unreadable(note, path, st);
    }
    if (st == OK) {
        note->digest = file->digest;
        note->size = (int64_t)file->size;
        note->mtime_ns = file->mtime_ns;
        if (im) st = image_decode(im, file, page, w->cfg->tile.input_scale);
    }
    if (st == E_NOMEM || st == E_INTERNAL) return st;
    if (st != OK) return note_bad(w, item, st, path);
    *good = true;
    if (!im) return OK;
    note->width_px = im->width_px;
    note->height_px = im->height_px;
    note->kind = im->kind;
    note->all_zero = im->all_zero;
    note->saturated = (double)im->n_saturated / ((double)im->width_px * im->height_px);
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
    int64_t first_item = site * w->n_files, row = w->plate.first + site;
    image_file *file = r->file;
    image *im = r->im;
    bool good;
    size_t n = (size_t)w->mosaic_px * (size_t)w->mosaic_px;
    for (int c = 0; c < w->n_channels; c++) {
        int64_t item = first_item + c;
        uint16_t *square = squares + (size_t)c * n;
        const char *path = index_path(w->ix, row, c, &r->path);
        int page = index_page(w->ix, row, c);
        /* The file of the channel before is still in memory, if it could be read. */
        bool have = page >= 0 && c > 0 && file->size > 0 && strcmp(path, file->path) == 0;
        TRY(read_image(w, item, path, page >= 0 ? page : IMAGE_ONLY_PAGE, file, have, im, &good));
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
