/* t_image.c -- the TIFF reader and writer: every kind that is read, every kind that is refused, real files. */
#include "../image_files.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"

#include <stdlib.h>
#include <unistd.h>

/* A file made through libtiff, for what our writer does not write. */
typedef struct {
    uint16_t bits, format, samples, photometric, compression;
    uint32_t tile, rows;
    const char *mode;
} make;

static void set_tags(TIFF *t, const make *m)
{
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)W);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)H);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, m->bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, m->samples ? m->samples : 1);
    TIFFSetField(t, TIFFTAG_SAMPLEFORMAT, m->format ? m->format : SAMPLEFORMAT_UINT);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, m->photometric ? m->photometric : PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
    TIFFSetField(t, TIFFTAG_COMPRESSION, m->compression ? m->compression : COMPRESSION_NONE);
    if (m->tile)
        TIFFSetField(t, TIFFTAG_TILEWIDTH, m->tile), TIFFSetField(t, TIFFTAG_TILELENGTH, m->tile);
    else
        TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, m->rows ? m->rows : 5);
}

/* data: W*H samples (of one page) of the size that m states. */
static void write_page(TIFF *t, const make *m, const void *data)
{
    size_t size = m->bits / 8u * (m->samples ? m->samples : 1), row = W * size;
    const uint8_t *d = data;
    set_tags(t, m);
    for (uint32_t y = 0; !m->tile && y < H; y++) {
        uint8_t line[W * 24];
        memcpy(line, d + y * row, row);
        TIFFWriteScanline(t, line, y, 0);
    }
    for (uint32_t y = 0; m->tile && y < H; y += m->tile)
        for (uint32_t x = 0; x < W; x += m->tile) {
            uint8_t *cell = xcalloc((size_t)m->tile * m->tile, size);
            for (uint32_t r = 0; r < m->tile && y + r < H; r++)
                memcpy(cell + (size_t)r * m->tile * size, d + (y + r) * row + x * size, (x + m->tile <= W ? m->tile : W - x) * size);
            TIFFWriteTile(t, cell, x, y, 0, 0);
            free(cell);
        }
    TIFFWriteDirectory(t);
}

static const char *write_one(const make *m, const void *data)
{
    const char *path = in_dir("made.tif");
    TIFF *t = TIFFOpen(path, m->mode ? m->mode : "w");
    write_page(t, m, data);
    TIFFClose(t);
    return path;
}

static void test_writer_round_trip(void)
{
    static const char *const names3[] = {"none", "lzw", "deflate"};
    for (int bits = 8; bits <= 16; bits += 8)
        for (int c = 0; c < 3; c++)
            for (int e = 0; e < 2; e++) {
                image_format f = {bits, (image_compression)c, e};
                char what[80];
                uint16_t px[N];
                for (int i = 0; i < N; i++) px[i] = want[i] & (bits == 8 ? 255 : 65535);
                status st = image_write_tiff(in_dir("w.tif"), px, W, H, &f);
                snprintf(what, sizeof what, "%d bits, %s, %s endian: written and read back", bits, names3[c], e ? "big" : "little");
                ok(st == OK && read_path(in_dir("w.tif"), IMAGE_ONLY_PAGE, 1) == OK && !memcmp(im.px, px, sizeof px) &&
                       im.kind == (bits == 8 ? IMAGE_U8 : IMAGE_U16),
                   what);
            }
    image_format f = {16, IMAGE_NONE, false};
    ok(image_write_tiff(tap_absent("a.tif"), want, W, H, &f) == E_IO, "writing where there is no folder fails");
    msg_clear();
    f.bits = 8;
    ok(image_write_tiff(in_dir("w8.tif"), want, W, H, &f) == E_INTERNAL && !path_exists(in_dir("w8.tif")),
       "a value above 255 in 8 bits is refused, no file");
    msg_clear();
    image_format d = {16, IMAGE_NONE, false};
    char *bytes;
    size_t size;
    ok(image_write_tiff(in_dir("w.tif"), want, W, H, &d) == OK && path_read(in_dir("w.tif"), &bytes, &size, 1 << 20) == OK &&
           image_file_read(&file, in_dir("w.tif")) == OK && file.digest == digest_bytes(bytes, size) && file.size == size,
       "the digest is that of the file's bytes");
    free(bytes);
}

static void test_kinds(void)
{
    int32_t i32[N];
    uint32_t u32[N];
    float f32[N];
    double f64[N];
    int16_t i16[N];
    for (int i = 0; i < N; i++) {
        i32[i] = want[i] * 3;
        u32[i] = want[i] * 3u;
        f32[i] = want[i] / 65535.0f;
        f64[i] = want[i] * 0.25;
        i16[i] = (int16_t)(want[i] / 2);
    }
    static const char *const modes[] = {"wl", "wb", "w8"};
    for (int k = 0; k < 3; k++)
        for (uint32_t tile = 0; tile <= 16; tile += 16) {
            char what[80];
            snprintf(what, sizeof what, "mode %s, tile %u", modes[k], tile);
            ok(is_want(write_one(&(make){.bits = 16, .tile = tile, .mode = modes[k]}, want), 1), what);
            ok(is_want(write_one(&(make){.bits = 16, .tile = tile, .mode = modes[k], .compression = COMPRESSION_ADOBE_DEFLATE}, want), 1),
               what);
            ok(is_want(write_one(&(make){.bits = 16, .tile = tile, .mode = modes[k], .compression = COMPRESSION_LZW}, want), 1), what);
            ok(is_want(write_one(&(make){.bits = 32, .tile = tile, .mode = modes[k]}, u32), 1 / 3.0), "uint32, scaled");
            ok(is_want(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_INT, .tile = tile, .mode = modes[k]}, i32), 1 / 3.0),
               "int32, scaled");
            ok(is_want(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_IEEEFP, .tile = tile, .mode = modes[k]}, f32), 65535),
               "float32, scaled");
            ok(is_want(write_one(&(make){.bits = 64, .format = SAMPLEFORMAT_IEEEFP, .tile = tile, .mode = modes[k]}, f64), 4),
               "float64, scaled");
            ok(read_path(write_one(&(make){.bits = 16, .format = SAMPLEFORMAT_INT, .tile = tile, .mode = modes[k]}, i16), IMAGE_ONLY_PAGE,
                         9) == OK &&
                   im.px[7] == i16[7] && im.px[N - 1] == i16[N - 1] && im.kind == IMAGE_I16,
               "int16 as it is, whatever the scale");
        }
    ok(is_want(write_one(&(make){.bits = 16, .rows = H, .compression = COMPRESSION_PACKBITS}, want), 1), "PackBits, one strip");
    ok(is_want(write_one(&(make){.bits = 16, .tile = 64}, want), 1), "a tile larger than the image");
}

static void test_values(void)
{
    float f[N] = {0.5f, 0.4999f, -3.0f, 70000.0f, 65534.6f, 1e30f};
    ok(read_path(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_IEEEFP}, f), IMAGE_ONLY_PAGE, 1) == OK, "floats read");
    ok(im.px[0] == 1 && im.px[1] == 0 && im.px[2] == 0 && im.px[3] == 65535 && im.px[4] == 65535 && im.px[5] == 65535,
       "floats: floor(v + 0.5), clipped at both ends");
    ok(im.n_saturated == 3, "floats: the clipped ones count as saturated");
    f[9] = NAN;
    refused(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_IEEEFP}, f), IMAGE_ONLY_PAGE, "holds NaN or infinity", "NaN refused");
    f[9] = -INFINITY;
    refused(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_IEEEFP, .tile = 16}, f), IMAGE_ONLY_PAGE, "holds NaN or infinity",
            "infinity refused");
    int32_t i[N] = {-5, INT32_MAX, 3};
    ok(read_path(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_INT}, i), IMAGE_ONLY_PAGE, 1) == OK && im.px[0] == 0 &&
           im.px[1] == 65535 && im.px[2] == 3 && im.n_saturated == 1,
       "int32: negative is 0, the type's maximum is saturated");
    uint16_t px[N] = {0};
    image_format u16 = {16, IMAGE_NONE, false}, u8 = {8, IMAGE_LZW, false};
    ok(image_write_tiff(in_dir("z.tif"), px, W, H, &u16) == OK && read_path(in_dir("z.tif"), IMAGE_ONLY_PAGE, 1) == OK && im.all_zero &&
           im.n_saturated == 0,
       "an all-zero image is seen");
    px[N - 1] = 65535;
    px[3] = 65534;
    ok(image_write_tiff(in_dir("z.tif"), px, W, H, &u16) == OK && read_path(in_dir("z.tif"), IMAGE_ONLY_PAGE, 1) == OK && !im.all_zero &&
           im.n_saturated == 1,
       "one pixel at 65535 is saturated, 65534 is not");
    px[N - 1] = 255;
    px[3] = 254;
    ok(image_write_tiff(in_dir("z.tif"), px, W, H, &u8) == OK && read_path(in_dir("z.tif"), IMAGE_ONLY_PAGE, 1) == OK &&
           im.n_saturated == 1,
       "8 bits: 255 is saturated");
}

static void test_pages(void)
{
    static uint8_t rgb[N * 12];
    const char *path = in_dir("pages.tif");
    TIFF *t = TIFFOpen(path, "w");
    uint16_t px[N];
    for (int k = 0; k < 3; k++) {
        for (int i = 0; i < N; i++) px[i] = (uint16_t)(want[i] ^ k);
        write_page(t, &(make){.bits = 16}, px);
    }
    TIFFClose(t);
    for (int k = 0; k < 3; k++) ok(read_path(path, k, 1) == OK && im.px[5] == (want[5] ^ k), "page k");
    t = TIFFOpen(path, "a");
    write_page(t, &(make){.bits = 16, .samples = 3, .photometric = PHOTOMETRIC_RGB}, rgb);
    TIFFClose(t);
    refused(path, 3, "pages.tif: page 4 is RGB", "a page is named");
    t = TIFFOpen(path, "w");
    for (int k = 0; k < 4; k++) write_page(t, &(make){.bits = 16}, px);
    TIFFClose(t);
    refused(path, 4, "has no page 5", "a page that is not there");
    refused(path, IMAGE_ONLY_PAGE, "more than one page", "several pages where one is expected");
    t = TIFFOpen(path, "w");
    write_page(t, &(make){.bits = 16}, want);
    TIFFSetField(t, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    write_page(t, &(make){.bits = 16}, px);
    TIFFClose(t);
    ok(is_want(path, 1), "a thumbnail beside the page is no second page");
}

/* 8-bit samples that are numbers in a palette: read where the palette is a ramp of greys. */
static void test_palettes(void)
{
    static const struct {
        const char *what;
        int step, from; /* map[i] = from + i * step */
        bool read;
        uint16_t value; /* of sample 100 */
    } c[] = {{"a ramp of 16 bits", 257, 0, true, 100},
             {"a ramp by 256", 256, 0, true, 100},
             {"a ramp of 8 bits in 16", 1, 0, true, 100},
             {"half a ramp", 128, 0, true, 50},
             {"a ramp that does not begin at 0", 128, 25600, true, 150},
             {"a ramp from light to dark", -257, 65535, false, 0},
             {"one grey", 0, 500, false, 0}};
    uint8_t px[N];
    uint16_t map[256], red[256];
    for (int i = 0; i < N; i++) px[i] = (uint8_t)i;
    for (size_t k = 0; k < sizeof c / sizeof *c; k++)
        for (int colour = 0; colour < 2; colour++) {
            for (int i = 0; i < 256; i++) red[i] = map[i] = (uint16_t)(c[k].from + i * c[k].step);
            if (colour) red[200] ^= 1;
            TIFF *t = TIFFOpen(in_dir("palette.tif"), "w");
            set_tags(t, &(make){.bits = 8, .photometric = PHOTOMETRIC_PALETTE, .compression = k % 2 ? COMPRESSION_LZW : COMPRESSION_NONE});
            TIFFSetField(t, TIFFTAG_COLORMAP, red, map, map);
            for (uint32_t y = 0; y < H; y++) TIFFWriteScanline(t, px + y * W, y, 0);
            TIFFClose(t);
            if (c[k].read && !colour)
                ok(read_path(in_dir("palette.tif"), IMAGE_ONLY_PAGE, 1) == OK && im.px[100] == c[k].value && im.kind == IMAGE_U8,
                   c[k].what);
            else
                refused(in_dir("palette.tif"), IMAGE_ONLY_PAGE, "is palette colour", colour ? "one entry is a colour" : c[k].what);
        }
}

/* Rows of `bits` bits a sample, from the highest bit on: (x * 7 + y * 3) modulo 2^bits. */
static const char *write_packed(uint16_t bits, uint32_t tile, uint16_t compression, bool white)
{
    static const char name[] = "packed.tif";
    uint32_t columns = tile ? tile : W, top = (1u << bits) - 1;
    size_t row = ((size_t)columns * bits + 7) / 8, n_cells = 0;
    uint8_t *cell = xcalloc(row, tile ? tile : H);
    TIFF *t = TIFFOpen(in_dir(name), "w");
    set_tags(t, &(make){.bits = bits, .tile = tile, .rows = H, .compression = compression});
    if (white) TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    for (uint32_t y0 = 0; y0 < H; y0 += tile ? tile : H)
        for (uint32_t x0 = 0; x0 < W; x0 += columns, n_cells++) {
            memset(cell, 0, row * (tile ? tile : H));
            for (uint32_t y = y0; y < H && y < y0 + (tile ? tile : H); y++)
                for (uint32_t x = x0; x < W && x < x0 + columns; x++)
                    for (uint32_t b = 0, v = (x * 7 + y * 3) & top; b < bits; b++) {
                        size_t at = (size_t)(x - x0) * bits + b;
                        if (v >> (bits - 1 - b) & 1) cell[(y - y0) * row + at / 8] |= (uint8_t)(128 >> at % 8);
                    }
            if (tile)
                TIFFWriteEncodedTile(t, (uint32_t)n_cells, cell, (tmsize_t)(row * tile));
            else
                TIFFWriteEncodedStrip(t, 0, cell, (tmsize_t)(row * H));
        }
    TIFFClose(t);
    free(cell);
    return in_dir(name);
}

static void test_packed(void)
{
    static const uint16_t sizes[] = {2, 3, 4, 6, 9, 10, 12, 14, 15, 8};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++)
        for (uint32_t tile = 0; tile <= 16; tile += 16)
            for (int white = 0; white < 2; white++) {
                uint32_t top = (1u << sizes[k]) - 1;
                char what[80];
                int n_full = 0, n_wrong = 0;
                uint16_t compression = k % 2 ? COMPRESSION_ADOBE_DEFLATE : COMPRESSION_NONE;
                status st = read_path(write_packed(sizes[k], tile, compression, white), IMAGE_ONLY_PAGE, 1);
                for (uint32_t i = 0; st == OK && i < N; i++) {
                    uint32_t v = (i % W * 7 + i / W * 3) & top;
                    if (white) v = top - v;
                    n_wrong += im.px[i] != v;
                    n_full += v == top;
                }
                snprintf(what, sizeof what, "%d bits, tile %u%s", sizes[k], tile, white ? ", MinIsWhite" : "");
                ok(st == OK && n_wrong == 0 && im.n_saturated == n_full && im.inverted == (white == 1) &&
                       im.kind == (sizes[k] <= 8 ? IMAGE_U8 : IMAGE_U16),
                   what);
            }
}

static const char *write_white(const make *m, const void *data)
{
    const char *path = write_one(m, data);
    TIFF *t = TIFFOpen(path, "r+");
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISWHITE);
    TIFFRewriteDirectory(t);
    TIFFClose(t);
    return path;
}

static void test_scaled(void)
{
    static const struct {
        uint16_t bits;
        double value;
    } half[] = {{0x3c00, 1}, {0x3800, 0.5}, {0x0001, 5.9604644775390625e-08}, {0x7bff, 65504}, {0xbc00, 0}, {0x3555, 0.333251953125}};
    uint16_t px[N] = {0}, want16[N], white[N];
    for (int i = 0; i < N; i++) px[i] = half[i % 6].bits, want16[i] = (uint16_t)fmin(floor(half[i % 6].value * 60000 + 0.5), 65535);
    ok(read_path(write_one(&(make){.bits = 16, .format = SAMPLEFORMAT_IEEEFP}, px), IMAGE_ONLY_PAGE, 60000) == OK &&
           memcmp(im.px, want16, sizeof want16) == 0 && im.kind == IMAGE_F16 && im.high == 65504,
       "half floats");
    px[5] = 0x7e00;
    refused(write_one(&(make){.bits = 16, .format = SAMPLEFORMAT_IEEEFP, .tile = 16}, px), IMAGE_ONLY_PAGE, "holds NaN", "a half NaN");
    float f[N];
    for (int i = 0; i < N; i++) f[i] = (float)i / N;
    ok(read_path(write_one(&(make){.bits = 32, .format = SAMPLEFORMAT_IEEEFP}, f), IMAGE_ONLY_PAGE, 1) == OK && im.n_clipped == 0 &&
           fabs(im.high - (double)(N - 1) / N) < 1e-6,
       "floats of 0..1: their largest is known");
    ok(read_path(in_dir("made.tif"), IMAGE_ONLY_PAGE, 2 * 65535.0) == OK && im.n_clipped == N / 2, "how many were clipped is known");
    ok(read_path(write_one(&(make){.bits = 16}, want), IMAGE_ONLY_PAGE, 1) == OK && im.high == 0 && im.n_clipped == 0,
       "16 bits are not scaled");
    for (int i = 0; i < N; i++) white[i] = (uint16_t)(65535 - want[i]);
    ok(is_want(write_white(&(make){.bits = 16}, white), 1) && im.inverted, "MinIsWhite of 16 bits");
    if (TIFFIsCODECConfigured(COMPRESSION_ZSTD))
        ok(is_want(write_one(&(make){.bits = 16, .compression = COMPRESSION_ZSTD}, want), 1), "zstd");
    else
        tap_skip("zstd", "this libtiff has no zstd");
    TIFF *t = TIFFOpen(write_one(&(make){.bits = 16}, want), "r+");
    TIFFSetField(t, TIFFTAG_ORIENTATION, ORIENTATION_BOTRIGHT);
    TIFFRewriteDirectory(t);
    TIFFClose(t);
    ok(is_want(in_dir("made.tif"), 1) && im.orientation == ORIENTATION_BOTRIGHT && !im.inverted, "an orientation is told");
}

/* Labels are numbers: neither inverted nor mapped. */
static void test_label_numbers(void)
{
    image_labels l = {0};
    uint8_t px[N];
    uint16_t map[3][256];
    for (int i = 0; i < N; i++) px[i] = (uint8_t)(i % 251);
    for (int i = 0; i < 256; i++) map[0][i] = (uint16_t)(i * 128), map[1][i] = map[0][i], map[2][i] = (uint16_t)(i == 3 ? 9 : map[0][i]);
    for (int k = 0; k < 3; k++) { /* MinIsWhite, a ramp, colours */
        int n_wrong = 0;
        TIFF *t = TIFFOpen(in_dir("labels.tif"), "w");
        set_tags(t, &(make){.bits = 8});
        TIFFSetField(t, TIFFTAG_PHOTOMETRIC, k ? PHOTOMETRIC_PALETTE : PHOTOMETRIC_MINISWHITE);
        if (k) TIFFSetField(t, TIFFTAG_COLORMAP, map[0], map[1], map[k]);
        for (uint32_t y = 0; y < H; y++) TIFFWriteScanline(t, px + y * W, y, 0);
        TIFFClose(t);
        status st = image_file_read(&file, in_dir("labels.tif"));
        if (st == OK) st = image_decode_labels(&l, &file, IMAGE_ONLY_PAGE);
        for (int i = 0; st == OK && i < N; i++) n_wrong += l.label[i] != px[i];
        ok(st == OK && n_wrong == 0 && l.width_px == W && l.height_px == H, "labels are numbers of a palette, or not inverted");
    }
    image_labels_free(&l);
}

static void test_refused(void)
{
    static uint8_t rgb[N * 12];
    refused(write_one(&(make){.bits = 16, .samples = 3, .photometric = PHOTOMETRIC_RGB}, rgb), IMAGE_ONLY_PAGE, "is RGB", "RGB");
    refused(write_one(&(make){.bits = 16, .samples = 2}, rgb), IMAGE_ONLY_PAGE, "has 2 samples a pixel", "two samples");
    refused(write_one(&(make){.bits = 24}, rgb), IMAGE_ONLY_PAGE, "24-bit unsigned integer samples", "24 bits");
    refused(write_one(&(make){.bits = 16, .format = SAMPLEFORMAT_COMPLEXINT}, rgb), IMAGE_ONLY_PAGE, "16-bit complex integer samples",
            "complex numbers");
    refused(write_white(&(make){.bits = 16, .format = SAMPLEFORMAT_INT}, rgb), IMAGE_ONLY_PAGE, "MinIsWhite", "MinIsWhite with signs");
    refused(write_white(&(make){.bits = 32}, rgb), IMAGE_ONLY_PAGE, "is inverted (MinIsWhite) with 32-bit", "MinIsWhite of 32 bits");
    refused(write_packed(1, 0, COMPRESSION_NONE, false), IMAGE_ONLY_PAGE, "is black and white", "1 bit");
    refused(write_one(&(make){.bits = 8, .compression = COMPRESSION_LZMA}, rgb), IMAGE_ONLY_PAGE, "compression 34925 (LZMA) is not read",
            "a compression is named");
    TIFF *t;
    uint16_t map[256] = {1, 2, 3};
    t = TIFFOpen(in_dir("palette.tif"), "w");
    set_tags(t, &(make){.bits = 8, .photometric = PHOTOMETRIC_PALETTE});
    TIFFSetField(t, TIFFTAG_COLORMAP, map, map, map);
    for (uint32_t y = 0; y < H; y++) TIFFWriteScanline(t, rgb, y, 0);
    TIFFClose(t);
    refused(in_dir("palette.tif"), IMAGE_ONLY_PAGE, "is palette colour", "palette");
    refused(in_dir("none.tif"), IMAGE_ONLY_PAGE, "No such file", "a missing file");
    refused(dir, IMAGE_ONLY_PAGE, "is a folder, not a file", "a folder");
    ok(path_write(in_dir("empty.tif"), "", 0) == OK, "an empty file");
    refused(in_dir("empty.tif"), IMAGE_ONLY_PAGE, "is empty", "an empty file is refused");
    ok(path_write(in_dir("text.tif"), "Well,Site\nA01,1\n", 16) == OK, "a text file");
    refused(in_dir("text.tif"), IMAGE_ONLY_PAGE, "is not a TIFF file", "a text file is refused");
    ok(path_write(in_dir("short.tif"), "II*\0\10\0\0\0", 8) == OK, "a file that ends after its header");
    refused(in_dir("short.tif"), IMAGE_ONLY_PAGE, "is truncated or damaged", "a file that ends after its header is refused");
}

/* tests/ref/real_images.txt: path, width, height, sum, weighted sum, from Pillow. */
static void test_real(void)
{
    const char *data = tap_shared("");
    FILE *list = fopen("tests/ref/real_images.txt", "r");
    if (!list || !path_is_dir(data)) {
        tap_skip("real images", list ? data : "not run from the project's folder");
        if (list) fclose(list);
        return;
    }
    char name[512], path[5000];
    int w, h, files = 0, bad = 0, tags = 0;
    unsigned long long sum, weighted;
    while (fscanf(list, "%511s %d %d %llu %llu", name, &w, &h, &sum, &weighted) == 5) {
        uint64_t s = 0, ws = 0;
        uint16_t low = 65535, high = 0;
        double tag_low, tag_high;
        snprintf(path, sizeof path, "%s/%s", data, name);
        if (read_path(path, IMAGE_ONLY_PAGE, 1) != OK || im.width_px != w || im.height_px != h) {
            printf("#   %s: %s\n", name, msg_get());
            msg_clear();
            bad++;
            continue;
        }
        for (size_t i = 0; i < (size_t)w * (size_t)h; i++) {
            s += im.px[i];
            ws += i % 65521 * im.px[i];
            if (im.px[i] < low) low = im.px[i];
            if (im.px[i] > high) high = im.px[i];
        }
        TIFF *t = TIFFOpen(path, "r");
        if (t && TIFFGetField(t, TIFFTAG_SMINSAMPLEVALUE, &tag_low) && TIFFGetField(t, TIFFTAG_SMAXSAMPLEVALUE, &tag_high)) {
            tags++; /* the microscope's own */
            bad += tag_low != low || tag_high != high;
        }
        if (t) TIFFClose(t);
        bad += s != sum || ws != weighted;
        files++;
    }
    fclose(list);
    printf("# %d real images, %d of them with the microscope's minimum and maximum\n", files, tags);
    ok(files == 49 && bad == 0, "the real images read as Pillow reads them");
    ok(tags == 26, "cpjump1: minimum and maximum are what the microscope wrote");
}

int main(void)
{
    image_tests_begin();
    test_writer_round_trip();
    test_kinds();
    test_values();
    test_pages();
    test_palettes();
    test_packed();
    test_scaled();
    test_label_numbers();
    test_refused();
    test_real();
    return image_tests_done();
}
