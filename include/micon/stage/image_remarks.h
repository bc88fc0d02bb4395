/* image_remarks.h -- images that were read, but not as their neighbours may be: inverted ones, those with an orientation tag, those whose
 * channel the file calls by another name. A remark an image, and a line for each kind of the plate's. Local. */
#ifndef MICON_STAGE_IMAGE_REMARKS_H
#define MICON_STAGE_IMAGE_REMARKS_H
#include "micon/base/text.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"

/* Plain bytes, sent as they are; ranks may add them up as 64-bit integers where all but one have zeros. */
typedef struct {
    int32_t inverted, orientation; /* of image.h; orientation 0: the image was not read */
    char called[24];               /* of image.h */
} image_remark;
void image_remark_of(image_remark *out, const image *im);

/* The remark of a channel of a site, or NULL where the site is not used. */
typedef const image_remark *image_remark_at(const void *ctx, int64_t site, int channel);

/* Adds at most three lines to `warnings`: how many images, and the first. Site 0 is first_row of the index. */
void image_remarks_say(image_remark_at *at, const void *ctx, const screen_index *ix, int64_t first_row, int64_t n_sites,
                       const names *channels, names *warnings);

#endif
