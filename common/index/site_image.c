/* site_image.c -- a channel of a site as one image (site_image.h). */
#include "micon/index/site_image.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>

void site_image_free(site_image *s)
{
    text_free(&s->path);
    free(s->plane);
    *s = (site_image){0};
}

/* What a later check of the inputs will find of a file that could not be used as it is: absent, or other bytes than an image's. Of one that
 * could not be read nothing is noted, so that a later run that can read it computes the plate again. */
static void look_at(const char *path, status why, image_seen *seen)
{
    char message[1000];
    msg_take(message, sizeof message);
    *seen = (image_seen){.size = -1};
    if (why == E_IO || path_stat(path, &seen->size, &seen->mtime_ns) != OK) seen->size = -1;
    if (seen->size < 0 || digest_file(path, &seen->digest) != OK) seen->digest = 0;
    msg_set(message);
}

static status read_bytes(remote *net, const char *path, image_file *f, image_seen *seen)
{
    status st = net ? remote_read(net, f, path) : image_file_read(f, path);
    if (st == E_IO && path_exists(path)) st = image_file_read(f, path);
    if (st != OK) {
        look_at(path, st, seen);
        return st;
    }
    *seen = (image_seen){f->digest, (int64_t)f->size, f->mtime_ns};
    return OK;
}

/* By tile.pages and the page that a table names; files that are planes are no stacks. */
static image_part part_of(const screen_index *ix, const config *c, int channel, int named_page)
{
    _Static_assert((int)Z_NONE == (int)IMAGE_Z_NONE && (int)Z_MAX == (int)IMAGE_Z_MAX && (int)Z_MEAN == (int)IMAGE_Z_MEAN &&
                       (int)Z_MIDDLE == (int)IMAGE_Z_MIDDLE,
                   "tile.z as the reader of images has it");
    bool pages = c->tile.pages == PAGES_CHANNELS;
    return (image_part){.page = named_page >= 0 ? named_page : IMAGE_ONLY_PAGE,
                        .channel = pages && named_page < 0 ? channel : -1,
                        .channels = c->screen.channels.item,
                        .n_channels = (int)c->screen.channels.n,
                        .z = index_planes_are_files(ix) ? IMAGE_Z_NONE : c->tile.z};
}

static status read_planes(site_image *s, const screen_index *ix, const config *c, int channel, int64_t first, int64_t n, image_file *f,
                          image *im)
{
    status st = OK;
    image_planes_begin(im);
    TRY(image_planes_add(im, c->tile.z, text_str(&s->path)));
    for (int64_t k = 0; k < n; k++) {
        image_part part = part_of(ix, c, channel, index_plane_page(ix, first + k));
        TRY(read_bytes(s->net, index_plane_path(ix, first + k, &s->path), f, &s->plane[k]));
        TRY(image_decode_part(im, f, &part, c->tile.input_scale));
        TRY(image_planes_add(im, c->tile.z, text_str(&s->path)));
    }
    TRY(image_planes_end(im, c->tile.z));
done:
    return st;
}

/* After a failure: the planes that were not reached. */
static void look_at_rest(site_image *s, const screen_index *ix, int64_t first, int64_t n, image_file *f)
{
    text path = {0};
    char message[1000];
    msg_take(message, sizeof message);
    for (int64_t k = 0; k < n; k++)
        if (s->plane[k].size == -2 && read_bytes(s->net, index_plane_path(ix, first + k, &path), f, &s->plane[k]) != OK) msg_clear();
    msg_set(message);
    text_free(&path);
}

/* Is the channel a page, without further planes, of the file of the channel before? */
static bool same_file(const screen_index *ix, int64_t row, int channel)
{
    text path = {0}, before = {0};
    int64_t first;
    bool same = channel > 0 && index_page(ix, row, channel) >= 0 && index_planes(ix, row, channel, &first) == 0 &&
                strcmp(index_path(ix, row, channel, &path), index_path(ix, row, channel - 1, &before)) == 0;
    text_free(&path);
    text_free(&before);
    return same;
}

image_file *site_image_file(const screen_index *ix, int64_t row, int channel, image_file *file)
{
    while (same_file(ix, row, channel)) channel--;
    return &file[channel];
}

status site_image_ask(site_image *s, const screen_index *ix, int64_t row, int channel)
{
    status st = OK;
    int64_t first, n = index_planes(ix, row, channel, &first);
    if (same_file(ix, row, channel)) return OK;
    TRY(remote_ask(s->net, index_path(ix, row, channel, &s->path)));
    for (int64_t k = 0; k < n; k++) TRY(remote_ask(s->net, index_plane_path(ix, first + k, &s->path)));
done:
    return st;
}

status site_image_read(site_image *s, const screen_index *ix, const config *c, int64_t row, int channel, image_file *f, image *im,
                       image_seen *seen)
{
    status st = OK;
    int64_t first, n = index_planes(ix, row, channel, &first);
    *seen = (image_seen){.size = -1};
    TRY(mem_grow(&s->plane, &s->planes_cap, (size_t)n, sizeof *s->plane, "planes"));
    for (int64_t k = 0; k < n; k++) s->plane[k] = (image_seen){.size = -2};
    if (!*index_path(ix, row, channel, &s->path)) TRY(fail(E_FORMAT, "no file is named for this channel"));
    if (f->size > 0 && same_file(ix, row, channel) && strcmp(f->path, text_str(&s->path)) == 0)
        *seen = (image_seen){f->digest, (int64_t)f->size, f->mtime_ns};
    else
        TRY(read_bytes(s->net, text_str(&s->path), f, seen));
    image_part part = part_of(ix, c, channel, index_page_named(ix, row, channel) ? index_page(ix, row, channel) : -1);
    TRY(image_decode_part(im, f, &part, c->tile.input_scale));
    if (n > 0) TRY(read_planes(s, ix, c, channel, first, n, f, im));
done:
    if (st != OK && st != E_NOMEM) look_at_rest(s, ix, first, n, f);
    return st;
}

status site_image_bytes(site_image *s, const screen_index *ix, int64_t row, int channel, image_file *f, image_seen *seen)
{
    int64_t first;
    *seen = (image_seen){.size = -1};
    if (!*index_path(ix, row, channel, &s->path)) return fail(E_FORMAT, "no label image is named for this site");
    if (index_planes(ix, row, channel, &first) > 0)
        return fail(E_FORMAT, "the rows of this site's planes name several label images; one is expected");
    return read_bytes(s->net, text_str(&s->path), f, seen);
}
