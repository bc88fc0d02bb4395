/* read_image.c -- one file of a site: its bytes, its values, its note. A bad image is noted and does not fail the plate; lack of memory
 * does. */
#include "tile.h"

#include "micon/base/mem.h"

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
    r->source.net = w->net;
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
    site_image_free(&r->source);
    text_free(&r->path);
}

status note_bad(plate_work *w, int64_t item, status why, const char *path)
{
    char message[1000];
    msg_take(message, sizeof message);
    w->note[item].bad = (int32_t)why;
    return rejects_add(&w->bad, item, status_name(why), rejects_without_path(message, path));
}

int64_t planes_of_sites(const plate_work *w, int64_t first_site, int64_t n, int64_t *first)
{
    int64_t n_planes = index_planes_of_rows(w->ix, w->plate.first + first_site, n, first);
    *first -= w->first_plane;
    return n_planes;
}

/* Ask for images from this item on, as many as may be on their way: where they are behind URLs, they come while others are decoded. */
static status ask_ahead(plate_work *w, reader *r, int64_t item)
{
    status st = OK;
    int64_t end = (w->first + w->n) * w->n_files;
    if (w->asked < item) w->asked = item;
    for (; w->asked < end && remote_has_room(w->net); w->asked++) {
        TRY(site_image_ask(&r->source, w->ix, w->plate.first + w->asked / w->n_files, (int)(w->asked % w->n_files)));
    }
done:
    return st;
}

status read_image(plate_work *w, reader *r, int64_t item, image_file *file, image *im, bool *good)
{
    image_note *note = &w->note[item];
    image_seen seen;
    int64_t row = w->plate.first + item / w->n_files, plane;
    int channel = (int)(item % w->n_files);
    *note = (image_note){.same_as = -1};
    *good = false;
    status st = ask_ahead(w, r, item);
    if (st != OK) return st;
    st = im ? site_image_read(&r->source, w->ix, w->cfg, row, channel, file, im, &seen)
            : site_image_bytes(&r->source, w->ix, row, channel, file, &seen);
    note->digest = seen.digest;
    note->size = seen.size;
    note->mtime_ns = seen.mtime_ns;
    int64_t n = im ? index_planes(w->ix, row, channel, &plane) : 0;
    for (int64_t k = 0; k < n && st != E_NOMEM; k++) w->plane_seen[plane - w->first_plane + k] = r->source.plane[k];
    if (st == E_NOMEM || st == E_INTERNAL) return st;
    if (st != OK) return note_bad(w, item, st, index_path(w->ix, row, channel, &r->path));
    *good = true;
    if (!im) return OK;
    note->width_px = im->width_px;
    note->height_px = im->height_px;
    note->kind = im->kind;
    note->all_zero = im->all_zero;
    image_remark_of(&note->remark, im);
    note->high = im->high;
    note->clipped = (double)im->n_clipped / ((double)im->width_px * im->height_px);
    note->saturated = (double)im->n_saturated / ((double)im->width_px * im->height_px);
    return OK;
}
