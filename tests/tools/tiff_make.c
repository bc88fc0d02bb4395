/* tiff_make.c -- images for shell tests: what cells might look like, or what goes wrong.
 * tiff_make FILE WIDTH HEIGHT SEED [KIND]: KIND is u16 (the default), lzw, deflate, u8, be, zero, rgb, u24, white (MinIsWhite), turned
 * (orientation 3), unit (floats of 0..1), huge (claims 2^31 columns), strips (claims 2^28 strips), nan, pages (5 pages, page k with
 * SEED + k), grid (labels: squares of 6 pixels, 8 apart), label_big, label_negative, label_half (32-bit values that are no labels). */
#include "micon/base/rng.h"
#include "micon/formats/image.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

/* Soft blobs on a background, with noise: some structure, different for each seed. */
static uint16_t *draw(int w, int h, uint32_t seed)
{
    enum { BLOBS = 12 };
    rng r = rng_at(seed, STREAM_SIMULATE, 0, 0);
    double x[BLOBS], y[BLOBS], s[BLOBS], a[BLOBS];
    uint16_t *px = malloc((size_t)w * (size_t)h * sizeof *px);
    if (!px) exit(1);
    for (int b = 0; b < BLOBS; b++)
        x[b] = rng_uniform(&r) * w, y[b] = rng_uniform(&r) * h, s[b] = w * (0.01 + 0.05 * rng_uniform(&r)), a[b] = 2000 * rng_uniform(&r);
    for (int j = 0; j < h; j++)
        for (int i = 0; i < w; i++) {
            double v = 300 + rng_u32(&r) % 64;
            for (int b = 0; b < BLOBS; b++) {
                double d = ((i - x[b]) * (i - x[b]) + (j - y[b]) * (j - y[b])) / (2 * s[b] * s[b]);
                if (d < 8) v += a[b] * exp(-d);
            }
            px[j * w + i] = (uint16_t)v;
        }
    return px;
}

static void tags(TIFF *t, int w, int h, int bits, int samples, int format)
{
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)w);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)h);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, samples);
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, format);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, samples == 3 ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 16);
}

/* Pages of the same kind; a row of 16 bytes a pixel is enough for all of them. */
static void with_libtiff(const char *path, int w, int h, uint32_t seed, const char *kind)
{
    bool rgb = !strcmp(kind, "rgb"), nan = !strcmp(kind, "nan"), u24 = !strcmp(kind, "u24"), unit = !strcmp(kind, "unit");
    TIFF *t = TIFFOpen(path, "w");
    uint8_t *row = calloc((size_t)w, 16);
    if (!t || !row) exit(1);
    for (uint32_t page = 0; page < (strcmp(kind, "pages") ? 1 : 5); page++) {
        uint16_t *px = draw(w, h, seed + page);
        tags(t, w, h, rgb ? 8 : nan || unit ? 32 : u24 ? 24 : 16, rgb ? 3 : 1, nan || unit ? SAMPLEFORMAT_IEEEFP : SAMPLEFORMAT_UINT);
        if (!strcmp(kind, "white")) TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
        if (!strcmp(kind, "turned")) TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_BOTRIGHT);
        for (int y = 0; y < h; y++) {
            float f = NAN;
            for (int x = 0; x < w && unit; x++) f = (float)px[y * w + x] / 65535, memcpy(row + 4 * x, &f, sizeof f);
            if (nan)
                memcpy(row, &f, sizeof f);
            else if (!rgb && !u24 && !unit)
                memcpy(row, px + y * w, (size_t)w * 2);
            TIFFWriteScanline(t, row, (uint32_t)y, 0);
        }
        TIFFWriteDirectory(t);
        free(px);
    }
    TIFFClose(t);
    free(row);
}

/* One 32-bit value throughout: what is no label. */
static void with_label(const char *path, int w, int h, const char *kind)
{
    uint32_t big = 1u << 31;
    int32_t negative = -3;
    float half = 1.5f;
    bool is_big = !strcmp(kind, "label_big"), is_negative = !strcmp(kind, "label_negative");
    TIFF *t = TIFFOpen(path, "w");
    uint8_t *row = calloc((size_t)w, 4);
    if (!t || !row) exit(1);
    for (int x = 0; x < w; x++) memcpy(row + 4 * x, is_big ? (void *)&big : is_negative ? (void *)&negative : (void *)&half, 4);
    tags(t, w, h, 32, 1, is_big ? SAMPLEFORMAT_UINT : is_negative ? SAMPLEFORMAT_INT : SAMPLEFORMAT_IEEEFP);
    for (int y = 0; y < h; y++) TIFFWriteScanline(t, row, (uint32_t)y, 0);
    TIFFClose(t);
    free(row);
}

/* Change a tag's value in a classic little-endian file. */
static void patch(const char *path, uint16_t tag, uint32_t count, uint32_t value)
{
    FILE *f = fopen(path, "r+b");
    uint32_t at;
    uint16_t n, found;
    const uint16_t type = TIFF_LONG;
    if (!f || fseek(f, 4, SEEK_SET) != 0 || fread(&at, 4, 1, f) != 1 || fseek(f, at, SEEK_SET) != 0 || fread(&n, 2, 1, f) != 1) exit(1);
    for (at += 2; n-- > 0; at += 12) {
        if (fseek(f, at, SEEK_SET) != 0 || fread(&found, 2, 1, f) != 1) exit(1);
        if (found != tag) continue;
        if (fseek(f, at + 2, SEEK_SET) != 0) exit(1);
        fwrite(&type, 2, 1, f);
        fwrite(&count, 4, 1, f);
        fwrite(&value, 4, 1, f);
    }
    fclose(f);
}

/* Of a picture whose objects all lie in the middle. */
static bool is_middle(int i, int width, int height)
{
    int x = i % width, y = i / width;
    return 3 * x > width && 3 * x < 2 * width && 3 * y > height && 3 * y < 2 * height;
}

int main(int argc, char **argv)
{
    if (argc < 5) return fprintf(stderr, "usage: tiff_make FILE WIDTH HEIGHT SEED [KIND]\n"), 2;
    const char *kind = argc > 5 ? argv[5] : "u16";
    int w = atoi(argv[2]), h = atoi(argv[3]);
    uint32_t seed = (uint32_t)atoi(argv[4]);
    image_format format = {16, IMAGE_NONE, false};
    static const char *const others[] = {"rgb", "nan", "u24", "pages", "white", "turned", "unit"};
    for (size_t k = 0; k < sizeof others / sizeof *others; k++)
        if (!strcmp(kind, others[k])) return with_libtiff(argv[1], w, h, seed, kind), 0;
    if (!strncmp(kind, "label_", 6)) {
        with_label(argv[1], w, h, kind);
        return 0;
    }
    uint16_t *px = draw(w, h, seed);
    if (!strcmp(kind, "lzw")) format.compression = IMAGE_LZW;
    if (!strcmp(kind, "deflate")) format.compression = IMAGE_DEFLATE;
    if (!strcmp(kind, "be")) format.big_endian = true;
    if (!strcmp(kind, "u8")) format.bits = 8;
    for (int i = 0; i < w * h; i++) {
        if (!strcmp(kind, "zero")) px[i] = 0;
        if (!strcmp(kind, "grid")) px[i] = (uint16_t)(i % w % 8 < 6 && i / w % 8 < 6 ? i / w / 8 * (w / 8) + i % w / 8 + 1 : 0);
        if (!strcmp(kind, "middle") && !is_middle(i, w, h)) px[i] = 30;
        if (format.bits == 8) px[i] = px[i] / 16 < 255 ? px[i] / 16 : 255;
    }
    if (image_write_tiff(argv[1], px, w, h, &format) != OK) return fprintf(stderr, "%s\n", msg_get()), 1;
    if (!strcmp(kind, "huge")) patch(argv[1], TIFFTAG_IMAGEWIDTH, 1, 1u << 31);
    if (!strcmp(kind, "strips")) patch(argv[1], TIFFTAG_STRIPOFFSETS, 1u << 28, 8);
    free(px);
    return 0;
}
