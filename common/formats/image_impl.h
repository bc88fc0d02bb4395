/* image_impl.h -- between image.c, image_sink.c and the formats: where the samples of a page go. Local. */
#ifndef MICON_FORMATS_IMAGE_IMPL_H
#define MICON_FORMATS_IMAGE_IMPL_H
#include "micon/formats/image.h"

/* The page that is decoded, to values (im) or to labels; the other is NULL. A format calls image_size_check, image_sink_open,
 * image_sink_memory, then image_sink_put until each pixel has its sample. */
typedef struct {
    const image_file *f;
    image *im;
    image_labels *labels;
    double scale;
    uint32_t width, height;
    image_kind kind;
    int64_t top;  /* of integers: the value that counts as saturated */
    uint32_t any; /* of values: all bits that were set */
    int plane;    /* of TIFF: which of the planes that follow the first one's bytes (ImageJ), from 0 */
} image_sink;

size_t image_kind_bytes(image_kind k);
status image_size_check(const char *path, uint32_t width, uint32_t height) MUST_USE;
/* top 0: the largest value of the kind. */
void image_sink_open(image_sink *k, uint32_t width, uint32_t height, image_kind kind, int64_t top);
status image_sink_memory(image_sink *k) MUST_USE;                           /* for the values or labels */
status image_sink_raw(image_sink *k, size_t bytes, uint8_t **raw) MUST_USE; /* for samples: borrowed until the next call */
/* n samples of a row, of the kind's size, in this machine's byte order. */
status image_sink_put(image_sink *k, uint32_t x, uint32_t y, const uint8_t *samples, size_t n) MUST_USE;
/* Values that are where they belong already (in im->block, or in the file's bytes): counted only. IMAGE_U16. */
void image_sink_scan(image_sink *k, const uint16_t *px, size_t n);

/* Room for n aligned bytes; the old contents are lost. */
status image_reserve(void *block, size_t *cap, size_t n, const char *what) MUST_USE;

/* The formats: k->f begins with the format's signature. */
status image_tiff_decode(image_sink *k, int page) MUST_USE;
status image_png_decode(image_sink *k) MUST_USE;
status image_jpeg_decode(image_sink *k) MUST_USE;
status image_jp2_decode(image_sink *k) MUST_USE; /* JP2, or a codestream alone */

/* Where the planes of a channel are: pages of the file or, with `behind`, the first page's bytes and those behind them. */
typedef struct {
    int *page; /* [n] */
    int n;
    bool behind;
    char called[24]; /* as in image.h */
} image_stack;
/* image_pages.c: all planes of the part, z ignored; part->page is IMAGE_ONLY_PAGE. */
status image_tiff_stack(const image_file *f, const image_part *part, image_stack *out) MUST_USE;

bool image_is_tiff(const image_file *f);
/* image_decode, of a plane behind the page's bytes. */
status image_decode_plane(image *im, const image_file *f, int page, int plane, double scale) MUST_USE;

#endif
