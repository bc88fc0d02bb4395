/* t_lzw.c -- the LZW decoder of our own: that it takes what encoders write (falling back to libtiff would hide it), and refuses the rest.
 * The same bytes as libtiff for whatever it accepts is fuzz_lzw's. */
#include "../../common/formats/lzw_impl.h"
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/formats/image.h"

#include <stdlib.h>
#include <tiffio.h>

static char dir[512];

/* The strip of a file that libtiff wrote; caller frees. */
static uint8_t *encode(const uint8_t *px, size_t n, size_t *size)
{
    char path[600];
    snprintf(path, sizeof path, "%s/lzw.tif", dir);
    TIFF *t = TIFFOpen(path, "w");
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)n);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, 1);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 8);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 1);
    TIFFSetField(t, TIFFTAG_COMPRESSION, COMPRESSION_LZW);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFWriteEncodedStrip(t, 0, (void *)(uintptr_t)px, (tmsize_t)n);
    TIFFClose(t);
    t = TIFFOpen(path, "r");
    *size = TIFFGetStrileByteCount(t, 0);
    uint8_t *bytes = xmalloc(*size + 1);
    TIFFReadRawStrip(t, 0, bytes, (tmsize_t)*size);
    TIFFClose(t);
    return bytes;
}

static void round_trip(const char *what, const uint8_t *px, size_t n)
{
    size_t size, short_ones = 0;
    uint8_t *code = encode(px, n, &size), *got = xmalloc(n + 8);
    memset(got, 0xA5, n + 8);
    ok(lzw_decode(code, size, got, n) && memcmp(got, px, n) == 0 && got[n] == 0xA5 && got[n + 7] == 0xA5, what);
    for (size_t part = 1; part < n; part += n / 50 + 1) short_ones += !lzw_decode(code, size, got, part) || memcmp(got, px, part) != 0;
    ok(short_ones == 0, "as many bytes of it as are wanted");
    for (size_t cut = 0; cut + 3 < size; cut += size / 50 + 1) short_ones += lzw_decode(code, cut, got, n);
    ok(short_ones == 0, "cut off: refused");
    free(code);
    free(got);
}

static void test_round_trips(void)
{
    enum { N = 200000 };
    uint8_t *px = xmalloc(N);
    rng r = rng_at(7, 1, 0, 0);
    memset(px, 0, N);
    round_trip("a flat image", px, N);
    for (size_t i = 0; i < N; i++) px[i] = (uint8_t)rng_below(&r, 256);
    round_trip("noise", px, N);
    for (size_t i = 0; i < N; i++) px[i] = (uint8_t)(i % 2 ? 3 : rng_below(&r, 40));
    round_trip("16-bit values with a high byte that stays", px, N);
    for (size_t i = 0; i < N; i++) px[i] = (uint8_t)(i / 7 % 251);
    round_trip("runs of seven", px, N);
    for (size_t i = 0; i < N; i++) px[i] = (uint8_t)(i % (1 + i / 5000));
    round_trip("patterns that repeat at every distance", px, N);
    for (size_t i = 0; i < N; i++) px[i] = (uint8_t)(i % 1000 < 900 ? 0 : rng_below(&r, 256));
    round_trip("long runs with noise between them", px, N);
    round_trip("one byte", px, 1);
    round_trip("sixty-three bytes", px + 880, 63);
    free(px);
}

typedef struct {
    uint8_t bytes[16384];
    size_t n_bits;
} stream;

static void put(stream *s, unsigned code, unsigned width)
{
    for (unsigned b = width; b-- > 0; s->n_bits++)
        if (code >> b & 1) s->bytes[s->n_bits / 8] |= (uint8_t)(128 >> s->n_bits % 8);
}

static bool decodes(const stream *s, size_t n, const char *want)
{
    uint8_t out[64] = {0};
    return lzw_decode(s->bytes, (s->n_bits + 7) / 8, out, n) && memcmp(out, want, n) == 0;
}

static void test_refused(void)
{
    stream s = {0};
    put(&s, 256, 9), put(&s, 'a', 9), put(&s, 258, 9), put(&s, 256, 9), put(&s, 256, 9), put(&s, 'b', 9), put(&s, 257, 9);
    ok(decodes(&s, 4, "aaab"), "the code that is being defined; clear codes one after another");
    ok(!decodes(&s, 5, "aaab"), "an end code before the last byte");
    s = (stream){0};
    put(&s, 256, 9), put(&s, 'a', 9), put(&s, 259, 9), put(&s, 'b', 9);
    ok(!decodes(&s, 4, ""), "a code that is not defined yet");
    s = (stream){0};
    put(&s, 256, 9), put(&s, 258, 9), put(&s, 'b', 9);
    ok(!decodes(&s, 2, ""), "a string right after a clear code");
    s = (stream){0};
    put(&s, 'a', 9), put(&s, 'b', 9), put(&s, 257, 9);
    ok(!decodes(&s, 2, ""), "no clear code at the start");
    s = (stream){0};
    put(&s, 256, 9), put(&s, 257, 9), put(&s, 'b', 9);
    ok(!decodes(&s, 1, ""), "nothing but an end code");
    uint8_t out[8000];
    s = (stream){0};
    put(&s, 256, 9);
    for (unsigned i = 0, width = 9; i < 5000; i++) {
        unsigned next = 257 + i; /* before this code's own entry */
        if (next == 511 || next == 1023 || next == 2047) width++;
        put(&s, 'x' + i % 3, width);
    }
    ok(lzw_decode(s.bytes, sizeof s.bytes, out, 3000), "literals with a table that gets large");
    ok(!lzw_decode(s.bytes, sizeof s.bytes, out, 5000), "a table that is never cleared");
    ok(!lzw_decode(s.bytes, sizeof s.bytes, out, 0), "nothing wanted");
}

static void test_predictor(void)
{
    uint8_t a[6] = {1, 2, 255, 7, 1, 1};
    uint16_t b[6] = {1, 2, 65535, 7, 1, 1};
    lzw_undo_predictor8(a, 2, 3);
    lzw_undo_predictor16(b, 2, 3);
    ok(a[0] == 1 && a[1] == 3 && a[2] == 2 && a[3] == 7 && a[4] == 8 && a[5] == 9, "differences of 8 bits, modulo 256, row by row");
    ok(b[0] == 1 && b[1] == 3 && b[2] == 2 && b[3] == 7 && b[4] == 8 && b[5] == 9, "differences of 16 bits, modulo 65536, row by row");
}

int main(void)
{
    snprintf(dir, sizeof dir, "%s", tap_dir());
    test_round_trips();
    test_refused();
    test_predictor();
    return tap_done();
}
