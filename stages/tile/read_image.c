/* read_image.c -- one file of a site: its bytes, its values, its note. A bad image is noted and does not fail the plate; lack of memory
 * does. */
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

/* Ask for images from this item on, as many as may be on their way: where they are behind URLs, they come while others are decoded. */
static status ask_ahead(plate_work *w, int64_t item)
{
    status st = OK;
    text path = {0}, before = {0};
    int64_t end = (w->first + w->n) * w->n_files;
    if (w->asked < item) w->asked = item;
    for (; w->asked < end && remote_has_room(w->net); w->asked++) {
        int64_t row = w->plate.first + w->asked / w->n_files;
        int file = (int)(w->asked % w->n_files);
        bool same = file > 0 && index_page(w->ix, row, 0) >= 0 &&
                    strcmp(index_path(w->ix, row, file, &path), index_path(w->ix, row, file - 1, &before)) == 0;
        if (!same) TRY(remote_ask(w->net, index_path(w->ix, row, file, &path)));
    }
done:
    text_free(&path);
    text_free(&before);
    return st;
}

status read_image(plate_work *w, int64_t item, const char *path, image_file *file, bool have, image *im, bool *good)
{
    image_note *note = &w->note[item];
    *note = (image_note){.size = -1, .same_as = -1};
    *good = false;
    status st = *path ? OK : fail(E_FORMAT, im ? "no file is named for this channel" : "no label image is named for this site");
    if (st == OK) st = ask_ahead(w, item);
    if (st == OK && !have) {
        st = remote_read(w->net, file, path);
        if (st == E_IO && path_exists(path)) st = image_file_read(file, path); /* a busy network file system may fail once */
        if (st != OK) note_unreadable(note, path, st);
    }
    if (st == OK) {
        note->digest = file->digest;
        note->size = (int64_t)file->size;
        note->mtime_ns = file->mtime_ns;
        image_part part = index_image_part(w->ix, w->plate.first + item / w->n_files, (int)(item % w->n_files), w->cfg);
        if (im) st = image_decode_part(im, file, &part, w->cfg->tile.input_scale);
    }
    if (st == E_NOMEM || st == E_INTERNAL) return st;
    if (st != OK) return note_bad(w, item, st, path);
    *good = true;
    if (!im) return OK;
    note->width_px = im->width_px;
    note->height_px = im->height_px;
    note->kind = im->kind;
    note->all_zero = im->all_zero;
    note->inverted = im->inverted;
    note->orientation = im->orientation;
    note->high = im->high;
    memcpy(note->called, im->called, sizeof note->called);
    note->clipped = (double)im->n_clipped / ((double)im->width_px * im->height_px);
    note->saturated = (double)im->n_saturated / ((double)im->width_px * im->height_px);
    return OK;
}
