/* image_jpeg.c -- grayscale JPEG of 8 bits through libjpeg. What the library would only warn of (missing or damaged data, which it makes
 * up) is an error here. */
#include "image_impl.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h before it */

typedef struct {
    struct jpeg_error_mgr errors; /* first: the library hands out pointers to it */
    struct jpeg_progress_mgr progress;
    jmp_buf back;
    struct jpeg_decompress_struct in;
    char why[JMSG_LENGTH_MAX];
} decoder;

static void on_error(j_common_ptr in)
{
    decoder *d = in->client_data;
    in->err->format_message(in, d->why);
    longjmp(d->back, 1);
}

static void on_message(j_common_ptr in, int level)
{
    if (level < 0) on_error(in); /* a warning: data are damaged */
}

/* A progressive file may ask for any number of passes over the image. */
static void on_progress(j_common_ptr in)
{
    enum { MOST_SCANS = 200 };
    decoder *d = in->client_data;
    if (d->in.input_scan_number <= MOST_SCANS) return;
    snprintf(d->why, sizeof d->why, "more than %d scans", MOST_SCANS);
    longjmp(d->back, 1);
}

/* These three alone call what may jump. False: d->why. */
static bool read_header(decoder *d, const image_file *f)
{
    if (setjmp(d->back)) return false;
    jpeg_create_decompress(&d->in);
    d->in.client_data = d;
    jpeg_mem_src(&d->in, f->bytes, (unsigned long)f->size);
    jpeg_read_header(&d->in, TRUE);
    return true;
}

static bool start(decoder *d)
{
    if (setjmp(d->back)) return false;
    d->progress.progress_monitor = on_progress;
    d->in.progress = &d->progress;
    d->in.dct_method = JDCT_ISLOW; /* the same values on every processor */
    jpeg_start_decompress(&d->in);
    return true;
}

static bool read_row(decoder *d, uint8_t *row, bool last)
{
    if (setjmp(d->back)) return false;
    if (jpeg_read_scanlines(&d->in, &row, 1) != 1) return false;
    if (last) jpeg_finish_decompress(&d->in);
    return true;
}

static status damaged(const decoder *d, const char *path)
{
    return fail(E_FORMAT, "%s: is truncated or damaged, or a JPEG that is not read: %s", path, d->why);
}

static status decode(image_sink *k, decoder *d)
{
    status st = OK;
    const char *path = k->f->path;
    uint8_t *row;
    if (!read_header(d, k->f)) TRY(damaged(d, path));
    uint32_t width = d->in.image_width, height = d->in.image_height;
    TRY(image_size_check(path, width, height));
    if (d->in.num_components != 1) TRY(fail(E_FORMAT, "%s: is colour; grayscale is expected", path));
    if (d->in.arith_code) TRY(fail(E_FORMAT, "%s: is a JPEG with arithmetic coding, which is not read", path));
    if ((uint64_t)width * height > (uint64_t)k->f->size * 1024 + 64) /* a block of 64 pixels takes a bit at least */
        TRY(fail(E_FORMAT, "%s: is truncated or damaged: claims %u x %u pixels, its %zu bytes cannot hold them", path, width, height,
                 k->f->size));
    image_sink_open(k, width, height, IMAGE_U8, 0);
    TRY(image_sink_memory(k));
    TRY(image_sink_raw(k, width, &row));
    if (!start(d)) TRY(damaged(d, path));
    for (uint32_t y = 0; y < height; y++) {
        if (!read_row(d, row, y + 1 == height)) TRY(damaged(d, path));
        TRY(image_sink_put(k, 0, y, row, width));
    }
done:
    return st;
}

status image_jpeg_decode(image_sink *k)
{
    decoder d = {.why = "no reason given"};
    d.in.err = jpeg_std_error(&d.errors);
    d.in.client_data = &d;
    d.errors.error_exit = on_error;
    d.errors.emit_message = on_message;
    status st = decode(k, &d);
    jpeg_destroy_decompress(&d.in);
    return st;
}
