/* site_image.h -- a channel of a site as one image: which part of its file it is, for every program that reads images. Local. */
#ifndef MICON_INDEX_SITE_IMAGE_H
#define MICON_INDEX_SITE_IMAGE_H
#include "micon/config/config.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"

/* By tile.pages, tile.z and the page that a table names. Borrows the names of the channels from c. */
image_part index_image_part(const screen_index *ix, int64_t row, int channel, const config *c);

#endif
