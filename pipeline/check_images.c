/* check_images.c -- for micon check: opens one image of each plate and channel, so that a fault of all images is known before a plate is
 * tiled. */
#include "driver.h"

#include "micon/base/path.h"
#include "micon/base/url.h"
#include "micon/formats/image.h"
#include "micon/index/site_image.h"

#include <stdlib.h>

typedef struct {
    image_file file;
    image im;
    site_image source;
    text path, where;
} opened;

/* The first existing image of a channel; missing ones are found by index_check_files. -1: none. */
static int64_t first_row(const screen_index *ix, const index_plate *p, int channel, opened *o)
{
    enum { TRIES = 8 };
    int tried = 0;
    for (int64_t row = p->first; row < p->first + p->n && tried < TRIES; row++) {
        const char *path = index_path(ix, row, channel, &o->path);
        if (!*path) continue;
        tried++;
        if (url_is_remote(path) ? o->source.net != NULL : path_exists(path) && !path_is_dir(path)) return row;
    }
    return -1;
}

static void check_plate(const config *c, const screen_index *ix, const index_plate *p, opened *o, findings *f)
{
    int width = 0, height = 0;
    for (int k = 0; k < index_n_channels(ix); k++) {
        int64_t row = first_row(ix, p, k, o);
        if (row < 0) continue;
        image_seen seen;
        status st = site_image_read(&o->source, ix, c, row, k, &o->file, &o->im, &seen);
        if (st != OK) {
            findings_add(f, FINDING_ERROR, "images that cannot be read", "%s: channel %s: %s", index_where(ix, row, &o->where),
                         index_channel(ix, k), msg_get());
            msg_clear();
            continue;
        }
        if (width && (o->im.width_px != width || o->im.height_px != height))
            findings_add(f, FINDING_ERROR, "plates whose images differ in size",
                         "%s: channel %s: %s is %d x %d pixels, that of channel %s %d x %d", index_where(ix, row, &o->where),
                         index_channel(ix, k), text_str(&o->path), o->im.width_px, o->im.height_px, index_channel(ix, 0), width, height);
        if (!width) width = o->im.width_px, height = o->im.height_px;
    }
}

void check_images(const config *c, const screen_index *ix, remote *net, findings *f)
{
    opened o = {.source.net = net};
    for (int64_t i = 0; i < index_n_plates(ix); i++) {
        index_plate p = index_plate_at(ix, i);
        check_plate(c, ix, &p, &o, f);
    }
    image_file_free(&o.file);
    image_free(&o.im);
    site_image_free(&o.source);
    text_free(&o.path);
    text_free(&o.where);
}
