/* tiff_decode.c -- only decodes the files named on stdin with libtiff, in the plainest way: what bench_tile.sh measures micon-tile against.
 * Prints seconds, and a sum so that nothing can be left out. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <time.h>

int main(void)
{
    char path[4096];
    struct timespec a, b;
    uint64_t sum = 0;
    uint8_t *px = NULL;
    size_t cap = 0;
    TIFFSetWarningHandler(NULL);
    clock_gettime(CLOCK_MONOTONIC, &a);
    while (fgets(path, sizeof path, stdin)) {
        path[strcspn(path, "\n")] = '\0';
        TIFF *t = TIFFOpen(path, "r");
        if (!t) return 1;
        size_t strip = (size_t)TIFFStripSize(t), n = TIFFNumberOfStrips(t), at = 0;
        if (strip * n > cap && !(px = realloc(px, cap = strip * n))) return 1;
        for (uint32_t s = 0; s < n; s++) {
            tmsize_t got = TIFFReadEncodedStrip(t, s, px + at, (tmsize_t)strip);
            if (got < 0) return 1;
            at += (size_t)got;
        }
        sum += px[at / 2];
        TIFFClose(t);
    }
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.6f %llu\n", (double)(b.tv_sec - a.tv_sec) + 1e-9 * (double)(b.tv_nsec - a.tv_nsec), (unsigned long long)sum);
    free(px);
    return 0;
}
