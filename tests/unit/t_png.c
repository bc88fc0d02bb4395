/* t_png.c -- .npy illumination functions and PNG pictures. */
#include "../tap.h"
#include "micon/base/path.h"
#include "micon/formats/npy.h"
#include "micon/formats/png.h"

#include <stdlib.h>
#include <zlib.h>

static image_file f = {.path = (char *)(uintptr_t) "i.npy"};
static uint8_t bytes[4096];

/* A .npy of this header (padded as numpy does) and n bytes of data. */
static void npy(const char *header, const void *data, size_t n)
{
    size_t length = (10 + strlen(header) + 1 + 63) / 64 * 64 - 10;
    memcpy(bytes, "\x93NUMPY\1\0", 8);
    bytes[8] = (uint8_t)length;
    bytes[9] = (uint8_t)(length >> 8);
    memset(bytes + 10, ' ', length);
    memcpy(bytes + 10, header, strlen(header));
    bytes[10 + length - 1] = '\n';
    if (n) memcpy(bytes + 10 + length, data, n);
    f.bytes = bytes;
    f.size = 10 + length + n;
}

static void refused(const char *says, const char *what)
{
    double *v = NULL;
    int w, h;
    bool good = npy_decode(&f, &v, &w, &h) == E_FORMAT && strstr(msg_get(), says) && !v;
    if (!good) printf("#   '%s', wanted '%s'\n", msg_get(), says);
    ok(good, what);
    msg_clear();
    free(v);
}

static void test_npy(void)
{
    double d[6] = {1, 2.5, 3, 4, 5, 1e3}, *v = NULL;
    float s[6] = {1, 2.5f, 3, 4, 5, 1e3f};
    uint8_t swapped[48];
    int w = 0, h = 0;
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", d, sizeof d);
    ok(npy_decode(&f, &v, &w, &h) == OK && w == 3 && h == 2 && memcmp(v, d, sizeof d) == 0, "float64");
    free(v);
    npy("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", s, sizeof s);
    ok(npy_decode(&f, &v, &w, &h) == OK && w == 2 && h == 3 && memcmp(v, d, sizeof d) == 0, "float32");
    free(v);
    for (size_t i = 0; i < 48; i++) swapped[i] = ((const uint8_t *)d)[i / 8 * 8 + 7 - i % 8];
    npy("{'descr': '>f8', 'fortran_order': False, 'shape': (2, 3), }", swapped, sizeof swapped);
    ok(npy_decode(&f, &v, &w, &h) == OK && memcmp(v, d, sizeof d) == 0, "big endian");
    free(v);
    npy("{'descr': '<f8', 'fortran_order': True, 'shape': (2, 3), }", d, sizeof d);
    refused("by columns", "fortran order");
    npy("{'descr': '<i8', 'fortran_order': False, 'shape': (2, 3), }", d, sizeof d);
    refused("no float32 or float64", "integers");
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (6,), }", d, sizeof d);
    refused("not two-dimensional", "one dimension");
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2, 3), }", d, sizeof d);
    refused("not two-dimensional", "three dimensions");
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 4), }", d, sizeof d);
    refused("truncated or damaged", "too few values");
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 2), }", d, sizeof d);
    refused("truncated or damaged", "too many values");
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999, 99999999999), }", d, sizeof d);
    refused("more than is read", "absurd shape");
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-2, 3), }", d, sizeof d);
    refused("not two-dimensional", "negative shape");
    npy("{}", d, sizeof d);
    refused("no float32", "an empty dictionary");
    for (int k = 0; k < 3; k++) {
        double bad[6] = {1, 1, 1, 1, 1, 1};
        bad[4] = k == 0 ? 0 : k == 1 ? -1 : NAN;
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", bad, sizeof bad);
        refused("value 2 of row 2 is not a positive number", "zero, negative, NaN");
    }
    npy("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", d, sizeof d);
    size_t whole = f.size;
    int passed = 0;
    for (f.size = 0; f.size < whole; f.size++) {
        passed += npy_decode(&f, &v, &w, &h) == OK;
        msg_clear();
    }
    ok(passed == 0, "cut anywhere: refused");
    memcpy(bytes, "PK\3\4 a zip ..", 14);
    f.size = 100;
    refused("is not a .npy file", "another format");
}

static uint32_t u32_at(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* Reads our own PNG back: one IDAT, filter 1, and every checksum. */
static void test_png(void)
{
    enum { W = 61, H = 23 };
    char path[600], *data = NULL;
    size_t size = 0;
    picture p;
    snprintf(path, sizeof path, "%s/p.png", tap_dir());
    ok(picture_create(&p, W, H) == OK, "a picture");
    picture_box(&p, -5, -5, 10, 10, 0xff8001);
    picture_box(&p, W - 2, H - 2, 100, 100, 0x0000ff);
    picture_text(&p, 8, 2, 2, 0xffffff, "A1~");
    ok(p.rgb[0] == 255 && p.rgb[1] == 128 && p.rgb[2] == 1 && p.rgb[3 * 5] == 0, "a box is cut at the edge");
    int white = 0;
    for (int i = 0; i < W * H; i++) white += p.rgb[3 * i] == 255 && p.rgb[3 * i + 1] == 255;
    ok(white == 4 * (16 + 10 + 20), "text: the pixels of A, 1 and the box of an unknown character, doubled");
    ok(png_write(path, &p) == OK && path_read(path, &data, &size, 1 << 20) == OK, "written");
    const uint8_t *b = (const uint8_t *)data;
    bool good =
        size > 60 && memcmp(b, "\x89PNG\r\n\x1a\n", 8) == 0 && u32_at(b + 16) == W && u32_at(b + 20) == H && b[24] == 8 && b[25] == 2;
    ok(good, "signature and header");
    uint8_t raw[(W * 3 + 1) * H];
    uLongf n = sizeof raw;
    int bad = 0;
    for (size_t at = 8; good && at + 12 <= size; at += 12 + u32_at(b + at)) {
        size_t length = u32_at(b + at);
        bad += crc32(0, b + at + 4, (uInt)length + 4) != u32_at(b + at + 8 + length);
        if (memcmp(b + at + 4, "IDAT", 4) == 0) bad += uncompress(raw, &n, b + at + 8, length) != Z_OK || n != sizeof raw;
    }
    for (int y = 0; y < H; y++)
        for (int i = 0; i < W * 3; i++) {
            uint8_t *v = raw + y * (W * 3 + 1) + 1 + i;
            if (i >= 3) *v = (uint8_t)(*v + v[-3]);
            bad += *v != p.rgb[y * W * 3 + i];
        }
    ok(good && bad == 0, "checksums right, pixels back");
    free(data);
    picture_free(&p);
    ok(picture_create(&p, 0, 5) != OK && picture_create(&p, 1 << 21, 5) != OK, "impossible sizes are refused");
    msg_clear();
}

int main(void)
{
    test_npy();
    test_png();
    return tap_done();
}
