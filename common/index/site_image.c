/* site_image.c -- what of its file a channel of a site is (site_image.h). */
#include "micon/index/site_image.h"

image_part index_image_part(const screen_index *ix, int64_t row, int channel, const config *c)
{
    _Static_assert((int)Z_NONE == (int)IMAGE_Z_NONE && (int)Z_MAX == (int)IMAGE_Z_MAX && (int)Z_MEAN == (int)IMAGE_Z_MEAN &&
                       (int)Z_MIDDLE == (int)IMAGE_Z_MIDDLE,
                   "tile.z as the reader of images has it");
    int page = index_page(ix, row, channel);
    bool named = page >= 0 && index_page_named(ix, row, channel);
    return (image_part){.page = named ? page : IMAGE_ONLY_PAGE,
                        .channel = page >= 0 && !named ? page : -1,
                        .channels = c->screen.channels.item,
                        .n_channels = (int)c->screen.channels.n,
                        .z = c->tile.z};
}
