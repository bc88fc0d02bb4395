/* image_png.c -- grayscale PNG through libpng: 8 and 16 bits as they are, 2 and 4 bits unpacked; no gamma, no scaling. */
#include "image_impl.h"

#include "micon/base/mem.h"

#include <png.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const image_file *f;
    size_t at;
    png_structp png;
    png_infop info;
    uint8_t **row; /* [height] into the sink's memory */
    char why[200];
} decoder;

static void on_error(png_structp png, png_const_charp text)
{
    decoder *d = png_get_error_ptr(png);
    snprintf(d->why, sizeof d->why, "%s", text);
    longjmp(png_jmpbuf(png), 1);
}

static void on_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void on_read(png_structp png, png_bytep out, size_t n)
{
    decoder *d = png_get_io_ptr(png);
    if (n > d->f->size - d->at) png_error(png, "the file ends too early");
    memcpy(out, d->f->bytes + d->at, n);
    d->at += n;
}

/* These two alone call what may jump. False: d->why. */
static bool read_header(decoder *d)
{
    enum { MOST_CHUNK = 1 << 23 };
    if (setjmp(png_jmpbuf(d->png))) return false;
    png_set_user_limits(d->png, IMAGE_MAX_SIDE, IMAGE_MAX_SIDE);
    png_set_chunk_malloc_max(d->png, MOST_CHUNK);
    png_set_read_fn(d->png, d, on_read);
    png_read_info(d->png, d->info);
    png_set_packing(d->png);
    if (png_get_bit_depth(d->png, d->info) == 16) png_set_swap(d->png); /* this machine is little-endian, as all are that we support */
    png_set_interlace_handling(d->png);
    png_read_update_info(d->png, d->info);
    return true;
}

static bool read_rows(decoder *d)
{
    if (setjmp(png_jmpbuf(d->png))) return false;
    png_read_image(d->png, d->row);
    png_read_end(d->png, NULL);
    return true;
}

static status damaged(const decoder *d)
{
    return fail(E_FORMAT, "%s: is truncated or damaged: %s", d->f->path, d->why);
}

static status check_kind(const decoder *d, int bits)
{
    int colour = png_get_color_type(d->png, d->info);
    const char *path = d->f->path;
    if (colour == PNG_COLOR_TYPE_PALETTE) return fail(E_FORMAT, "%s: is palette colour; grayscale is expected", path);
    if (colour & PNG_COLOR_MASK_COLOR) return fail(E_FORMAT, "%s: is RGB; grayscale is expected", path);
    if (colour & PNG_COLOR_MASK_ALPHA) return fail(E_FORMAT, "%s: has 2 samples a pixel (transparency); one is expected", path);
    if (bits == 1) return fail(E_FORMAT, "%s: is black and white (1 bit a pixel); grayscale is expected", path);
    return OK;
}

static status decode(image_sink *k, decoder *d)
{
    status st = OK;
    uint8_t *raw;
    if (!read_header(d)) TRY(damaged(d));
    uint32_t width = png_get_image_width(d->png, d->info), height = png_get_image_height(d->png, d->info);
    int bits = d->f->bytes[24]; /* of IHDR: before unpacking */
    size_t row_bytes = png_get_rowbytes(d->png, d->info);
    TRY(image_size_check(d->f->path, width, height));
    TRY(check_kind(d, bits));
    if ((uint64_t)width * height / 8 * (unsigned)bits > (uint64_t)d->f->size * 1100) /* deflate cannot do more */
        TRY(fail(E_FORMAT, "%s: is truncated or damaged: claims %u x %u pixels, its %zu bytes cannot hold them", d->f->path, width, height,
                 d->f->size));
    image_sink_open(k, width, height, bits == 16 ? IMAGE_U16 : IMAGE_U8, (1 << bits) - 1);
    TRY(image_sink_memory(k));
    TRY(image_sink_raw(k, row_bytes * height, &raw));
    TRY(mem_alloc(&d->row, height, sizeof *d->row, d->f->path));
    for (uint32_t y = 0; y < height; y++) d->row[y] = raw + y * row_bytes;
    if (!read_rows(d)) TRY(damaged(d));
    for (uint32_t y = 0; y < height; y++) TRY(image_sink_put(k, 0, y, d->row[y], width));
done:
    return st;
}

status image_png_decode(image_sink *k)
{
    decoder d = {.f = k->f};
    d.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &d, on_error, on_warning);
    d.info = d.png ? png_create_info_struct(d.png) : NULL;
    status st = d.info ? decode(k, &d) : fail(E_NOMEM, "%s: no memory for its decoder", k->f->path);
    png_destroy_read_struct(&d.png, &d.info, NULL);
    free(d.row);
    return st;
}
