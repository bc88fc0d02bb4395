/* lzw_rate.c -- how fast image_decode reads LZW files from memory, and how fast libtiff alone does, in turns; the files are the arguments.
 * image_decode's time has the directory and the look at all values in it, libtiff's only the strips. Of each file the best round counts.
 * Ends with 1 where their values differ. */
#include "micon/base/clock.h"
#include "micon/formats/image.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

enum { ROUNDS = 25 };

static double ours(const image_file *file, image *im)
{
    double t = clock_s();
    if (image_decode(im, file, 0, 1) != OK) exit(1);
    return clock_s() - t;
}

static double theirs(TIFF *tif, uint8_t *px)
{
    double t = clock_s();
    for (uint32_t s = 0, at = 0; s < TIFFNumberOfStrips(tif); s++) {
        tmsize_t got = TIFFReadEncodedStrip(tif, s, px + at, TIFFStripSize(tif));
        if (got < 0) exit(1);
        at += (uint32_t)got;
    }
    return clock_s() - t;
}

int main(int argc, char **argv)
{
    int n = argc - 1;
    image_file *files = calloc((size_t)n + 1, sizeof *files);
    TIFF **tif = calloc((size_t)n + 1, sizeof *tif);
    image im = {0};
    size_t most = 0;
    double total[2] = {0};
    TIFFSetWarningHandler(NULL);
    if (!files || !tif || n < 1) return 1;
    for (int i = 0; i < n; i++) {
        if (image_file_read(&files[i], argv[i + 1]) != OK || !(tif[i] = TIFFOpen(argv[i + 1], "rC"))) return 1;
        size_t size = (size_t)TIFFStripSize(tif[i]) * TIFFNumberOfStrips(tif[i]);
        if (size > most) most = size;
    }
    uint8_t *px = malloc(most + 1);
    if (!px) return 1;
    for (int i = 0; i < n; i++) {
        double best[2] = {1e9, 1e9};
        for (int r = 0; r < ROUNDS; r++) {
            double a = ours(&files[i], &im), b = theirs(tif[i], px);
            if (a < best[0]) best[0] = a;
            if (b < best[1]) best[1] = b;
        }
        if (im.kind == IMAGE_U16 && memcmp(px, im.px, (size_t)im.width_px * (size_t)im.height_px * 2) != 0) return 1;
        total[0] += best[0], total[1] += best[1];
    }
    printf("ours_ms %.3f libtiff_ms %.3f ratio %.3f\n", total[0] * 1e3 / n, total[1] * 1e3 / n, total[1] / total[0]);
    for (int i = 0; i < n; i++) TIFFClose(tif[i]), image_file_free(&files[i]);
    image_free(&im);
    free(px);
    free(files);
    free(tif);
    return 0;
}
