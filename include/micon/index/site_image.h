/* site_image.h -- a channel of a site as one image, for every program that reads images: which files and pages it is, its planes projected.
 * Local. */
#ifndef MICON_INDEX_SITE_IMAGE_H
#define MICON_INDEX_SITE_IMAGE_H
#include "micon/config/config.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"
#include "micon/remote/remote.h"

/* A file as it was when it was read; size -1: it could not be, digest 0 then. */
typedef struct {
    uint64_t digest;
    int64_t size, mtime_ns;
} image_seen;

/* What reading needs besides; {0} is valid and empty. */
typedef struct {
    remote *net; /* borrowed: reads the files; NULL: those that are here */
    text path;   /* of the file read last: the bad one after a failure */
    image_seen *plane;
    size_t planes_cap;
} site_image;
void site_image_free(site_image *s);

/* Where all images of a row are kept: which of file [channels] is the channel's; pages of one file share one. */
image_file *site_image_file(const screen_index *ix, int64_t row, int channel, image_file *file);

/* Ask ahead for the files that one of these will read, channel after channel. */
status site_image_ask(site_image *s, const screen_index *ix, int64_t row, int channel) MUST_USE;

/* Reads the channel's file, and those of its further planes, one after another into f, and decodes and projects them into im. Where f
 * holds the channel before, which is a page of the same file, that file is not read again. seen: the first file; s->plane: the further
 * ones, in their order. Each is given also where it fails, as a later look at the files would find them. E_IO is tried twice where the file
 * is there: a busy network file system may fail once. */
status site_image_read(site_image *s, const screen_index *ix, const config *c, int64_t row, int channel, image_file *f, image *im,
                       image_seen *seen) MUST_USE;

/* Only the bytes of the channel's file, as of a label image, of which there must not be several. */
status site_image_bytes(site_image *s, const screen_index *ix, int64_t row, int channel, image_file *f, image_seen *seen) MUST_USE;

#endif
