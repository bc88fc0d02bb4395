/* image_write.c -- a grayscale TIFF as a microscope would write it: one page, strips of about 64 KiB. Encoded in memory, then written at
 * once: the same pixels give the same bytes, and a full disk is noticed. */
#include "micon/formats/image.h"

#include "micon/base/mem.h"
#include "tiff_impl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { STRIP_BYTES = 1 << 16 };

static bool set_tags(TIFF *tif, int width_px, int height_px, int rows, const image_format *format)
{
    static const int codes[] = {COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_ADOBE_DEFLATE};
    return TIFFSetField(tif, TIFFTAG_IMAGEWIDTH, (uint32_t)width_px) && TIFFSetField(tif, TIFFTAG_IMAGELENGTH, (uint32_t)height_px) &&
           TIFFSetField(tif, TIFFTAG_BITSPERSAMPLE, format->bits) && TIFFSetField(tif, TIFFTAG_SAMPLESPERPIXEL, 1) &&
           TIFFSetField(tif, TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT) && TIFFSetField(tif, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) &&
           TIFFSetField(tif, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG) &&
           TIFFSetField(tif, TIFFTAG_COMPRESSION, codes[format->compression]) && TIFFSetField(tif, TIFFTAG_ROWSPERSTRIP, (uint32_t)rows);
}

/* libtiff may swap bytes inside the buffer it is given: each strip goes through `strip`. */
static status write_strips(TIFF *tif, const char *path, const uint16_t *px, int width_px, int height_px, int rows, int bits, uint8_t *strip)
{
    for (int y = 0; y < height_px; y += rows) {
        size_t n = (size_t)(height_px - y < rows ? height_px - y : rows) * (size_t)width_px;
        const uint16_t *from = px + (size_t)y * (size_t)width_px;
        unsigned high = 0;
        if (bits == 16) memcpy(strip, from, n * 2);
        for (size_t i = 0; bits == 8 && i < n; i++) {
            strip[i] = (uint8_t)from[i];
            high |= from[i];
        }
        if (high > 255) return fail(E_INTERNAL, "%s: a value above 255 for an 8-bit image", path);
        tmsize_t bytes = (tmsize_t)n * bits / 8;
        if (TIFFWriteEncodedStrip(tif, (uint32_t)(y / rows), strip, bytes) != bytes) return fail(E_IO, "%s: %s", path, tiff_why());
    }
    return OK;
}

static status write_bytes(const char *path, const tiff_memory *m)
{
    FILE *f = fopen(path, "wb");
    if (!f) return fail(E_IO, "%s: %s", path, strerror(errno));
    bool good = fwrite(m->bytes, 1, m->size, f) == m->size;
    int error = errno;
    if (fclose(f) != 0) {
        if (good) error = errno;
        good = false;
    }
    if (good) return OK;
    unlink(path);
    return fail(E_IO, "%s: writing failed: %s", path, strerror(error));
}

status image_write_tiff(const char *path, const uint16_t *px, int width_px, int height_px, const image_format *format)
{
    status st = OK;
    tiff_memory m = {0};
    TIFF *tif = NULL;
    uint8_t *strip = NULL;
    if (width_px < 1 || height_px < 1 || width_px > IMAGE_MAX_SIDE || height_px > IMAGE_MAX_SIDE ||
        (format->bits != 8 && format->bits != 16))
        return fail(E_INTERNAL, "%s: an image of %d x %d with %d bits cannot be written", path, width_px, height_px, format->bits);
    size_t row_bytes = (size_t)width_px * (size_t)format->bits / 8;
    int rows = STRIP_BYTES / row_bytes > 1 ? (int)(STRIP_BYTES / row_bytes) : 1;
    if (rows > height_px) rows = height_px;
    TRY(mem_alloc(&strip, (size_t)rows, row_bytes, path));
    if (!(tif = tiff_open_write(&m, format->big_endian))) TRY(fail(E_IO, "%s: %s", path, tiff_why()));
    if (!set_tags(tif, width_px, height_px, rows, format)) TRY(fail(E_IO, "%s: %s", path, tiff_why()));
    TRY(write_strips(tif, path, px, width_px, height_px, rows, format->bits, strip));
    if (!TIFFFlush(tif)) TRY(fail(E_IO, "%s: %s", path, tiff_why()));
    TIFFClose(tif);
    tif = NULL;
    if (tiff_why()[0]) TRY(fail(E_IO, "%s: %s", path, tiff_why()));
    TRY(write_bytes(path, &m));
done:
    if (tif) TIFFClose(tif);
    free(strip);
    free(m.bytes);
    return st;
}
