/* pattern_images.c -- pattern_images SCREEN SIDE: draws over the images of a screen of micon-simulate of one site a well. Each factor of a
 * well (truth/wells.csv) becomes the strength of one grating: so strong that a network of first weights sees it, and the rest can be tested
 * in seconds. Channel k has the factors k, k + 5, k + 10, as gratings of different width and direction and random phase, and noise. */
#include "micon/base/rng.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum { CHANNELS = 5, FACTORS = 12, KEYS = 6, GRATINGS = 3, MAX_SIDE = 512 };
static const char *const CHANNEL[CHANNELS] = {"DNA", "ER", "RNA", "AGP", "Mito"};
static const double CYCLES_X[GRATINGS] = {0, 5, 9}, CYCLES_Y[GRATINGS] = {3, 0, 9}; /* across the image */

static void draw(uint16_t *px, int side, const double *factor, int channel, rng *r)
{
    double phase[GRATINGS], strength[GRATINGS] = {0};
    for (int g = 0; g < GRATINGS; g++) {
        int j = channel + CHANNELS * g;
        phase[g] = 2 * acos(-1) * rng_uniform(r);
        if (j < FACTORS) strength[g] = 1500 * exp(0.5 * fmax(-4, fmin(4, factor[j])));
    }
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double v = 25000 + 500 * rng_uniform(r);
            for (int g = 0; g < GRATINGS; g++) v += strength[g] * sin(phase[g] + 2 * acos(-1) * (CYCLES_X[g] * x + CYCLES_Y[g] * y) / side);
            px[y * side + x] = (uint16_t)fmax(0, fmin(65535, v));
        }
}

static int write_image(const char *path, const uint16_t *px, int side)
{
    TIFF *t = TIFFOpen(path, "w");
    if (!t) return 1;
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)side);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)side);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 16);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, (uint32_t)side);
    size_t bytes = (size_t)side * (size_t)side * 2;
    int bad = TIFFWriteEncodedStrip(t, 0, (void *)px, (tmsize_t)bytes) != (tmsize_t)bytes;
    TIFFClose(t);
    return bad;
}

int main(int argc, char **argv)
{
    static uint16_t px[MAX_SIDE * MAX_SIDE];
    char line[1024], path[1024], *key[KEYS + FACTORS];
    if (argc != 3) return 2;
    int side = atoi(argv[2]), at = 0;
    snprintf(path, sizeof path, "%s/truth/wells.csv", argv[1]);
    FILE *f = fopen(path, "r");
    if (!f || side < 1 || side > MAX_SIDE || !fgets(line, sizeof line, f))
        return fprintf(stderr, "pattern_images: %s, side %d\n", path, side), 1;
    for (; fgets(line, sizeof line, f); at++) {
        int n = 0;
        double factor[FACTORS];
        for (char *p = strtok(line, ",\n"); p && n < KEYS + FACTORS; p = strtok(NULL, ",\n")) key[n++] = p;
        if (n != KEYS + FACTORS) return fprintf(stderr, "pattern_images: row %d of %s\n", at, path), 1;
        for (int j = 0; j < FACTORS; j++) factor[j] = atof(key[KEYS + j]);
        for (int c = 0; c < CHANNELS; c++) {
            rng r = rng_at(1, STREAM_SIMULATE, (uint32_t)at, (uint64_t)c);
            draw(px, side, factor, c, &r);
            snprintf(path, sizeof path, "%s/images/%s__%s__%s/Images/%s_s1_%s.tif", argv[1], key[0], key[1], key[2], key[3], CHANNEL[c]);
            if (write_image(path, px, side)) return fprintf(stderr, "pattern_images: %s\n", path), 1;
        }
    }
    return fclose(f) != 0;
}
