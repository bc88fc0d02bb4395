/* t_image_formats.c -- images that are no TIFF: PNG, JPEG and JPEG 2000 as their own libraries write them; what is refused; damage. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/image.h"

#include <openjpeg.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h> /* needs stdio.h before it */

enum { W = 61, H = 37, N = W * H };
static uint16_t want[N];
static image_file file;
static image im;
static char path[700];

static const char *in_dir(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", tap_dir(), name);
    return path;
}

/* Soft structure that fits `bits`. */
static void draw(int bits)
{
    uint32_t top = (1u << bits) - 1;
    for (uint32_t i = 0; i < N; i++) want[i] = (uint16_t)((i % W * 5 + i / W * 3) * (top + 1) / 512 & top);
    want[3] = (uint16_t)top;
}

static bool reads(void)
{
    status st = image_file_read(&file, path);
    if (st == OK) st = image_decode(&im, &file, IMAGE_ONLY_PAGE, 1);
    if (st != OK) printf("#   %s\n", msg_get());
    msg_clear();
    return st == OK && im.width_px == W && im.height_px == H;
}

static bool is_want(int bits)
{
    int n_full = 0;
    for (int i = 0; i < N; i++) n_full += want[i] == (1 << bits) - 1;
    return reads() && memcmp(im.px, want, sizeof want) == 0 && im.kind == (bits > 8 ? IMAGE_U16 : IMAGE_U8) && im.n_saturated == n_full;
}

static void refused(int page, const char *says, const char *what)
{
    status st = image_file_read(&file, path);
    if (st == OK) st = image_decode(&im, &file, page, 1);
    bool good = st == E_FORMAT && strstr(msg_get(), says) && strstr(msg_get(), path) && !im.px;
    if (!good) printf("#   status %d, message '%s', wanted '%s'\n", (int)st, msg_get(), says);
    ok(good, what);
    msg_clear();
}

/* Cut anywhere, a file is refused or, where only what follows the pixels went, read right. Then with single bytes changed: no crash. */
static void damage(const char *what)
{
    int n_wrong = 0, n_refused = 0;
    char *bytes;
    size_t size;
    uint16_t *whole = xmalloc(sizeof want);
    if (!ok(reads() && path_read(path, &bytes, &size, 1 << 20) == OK, what)) return;
    memcpy(whole, im.px, sizeof want);
    image_file cut = {.path = xstrdup("cut"), .bytes = (uint8_t *)bytes};
    for (cut.size = 1; cut.size < size; cut.size += 5) {
        if (image_decode(&im, &cut, IMAGE_ONLY_PAGE, 1) == OK && memcmp(im.px, whole, sizeof want) != 0) n_wrong++;
        msg_clear();
    }
    cut.size = size;
    for (size_t i = 0; i < size; i += 3) {
        char was = bytes[i];
        bytes[i] = (char)(was ^ 0x55);
        n_refused += image_decode(&im, &cut, IMAGE_ONLY_PAGE, 1) != OK;
        bytes[i] = was;
        msg_clear();
    }
    printf("# %s: %d of %zu changed bytes refused\n", what, n_refused, (size + 2) / 3);
    ok(n_wrong == 0, "cut anywhere it is refused, or right");
    image_file_free(&cut);
    free(whole);
}

/* ---- PNG ---- */

static void write_png(int bits, int colour, int interlace)
{
    FILE *f = fopen(in_dir("a.png"), "wb");
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    int samples = colour == PNG_COLOR_TYPE_GRAY || colour == PNG_COLOR_TYPE_PALETTE ? 1 : colour == PNG_COLOR_TYPE_RGB ? 3 : 2;
    png_color map[256] = {{1, 2, 3}};
    uint8_t **row = xcalloc(H, sizeof *row);
    png_init_io(png, f);
    png_set_IHDR(png, info, W, H, bits, colour, interlace, PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_gAMA(png, info, 0.45); /* must not change the values */
    if (colour == PNG_COLOR_TYPE_PALETTE) png_set_PLTE(png, info, map, 256);
    png_write_info(png, info);
    if (bits == 16) png_set_swap(png);
    if (bits < 8) png_set_packing(png);
    for (int y = 0; y < H; y++) {
        row[y] = xcalloc((size_t)W * (size_t)samples, 2);
        for (int x = 0; x < W * samples && bits == 16; x++) memcpy(row[y] + 2 * x, &want[(y * W + x) % N], 2);
        for (int x = 0; x < W * samples && bits < 16; x++) row[y][x] = (uint8_t)want[(y * W + x) % N];
    }
    png_write_image(png, row);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    fclose(f);
    for (int y = 0; y < H; y++) free(row[y]);
    free(row);
}

static void test_png(void)
{
    for (int bits = 2; bits <= 16; bits *= 2)
        for (int interlace = 0; interlace < 2; interlace++) {
            draw(bits);
            write_png(bits, PNG_COLOR_TYPE_GRAY, interlace);
            ok(is_want(bits), interlace ? "PNG, interlaced" : "PNG");
        }
    damage("PNG");
    refused(1, "has no page 2: a PNG file holds one image", "a second page of a PNG");
    image_labels l = {0};
    int n_wrong = 0;
    ok(image_decode_labels(&l, &file, IMAGE_ONLY_PAGE) == OK && l.width_px == W, "labels from a PNG");
    for (int i = 0; i < N && l.label; i++) n_wrong += l.label[i] != want[i];
    ok(n_wrong == 0, "labels from a PNG are its values");
    image_labels_free(&l);
    draw(8);
    write_png(1, PNG_COLOR_TYPE_GRAY, 0);
    refused(IMAGE_ONLY_PAGE, "is black and white", "a PNG of 1 bit");
    write_png(8, PNG_COLOR_TYPE_RGB, 0);
    refused(IMAGE_ONLY_PAGE, "is RGB", "a PNG in colour");
    write_png(8, PNG_COLOR_TYPE_GRAY_ALPHA, 0);
    refused(IMAGE_ONLY_PAGE, "has 2 samples a pixel", "a PNG with transparency");
    write_png(8, PNG_COLOR_TYPE_PALETTE, 0);
    refused(IMAGE_ONLY_PAGE, "is palette colour", "a PNG with a palette");
    /* 2^31 - 1 columns: refused before memory is taken. The checksum of IHDR is right. */
    static const char huge[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff\x7f\xff\xff\xff\x08\0\0\0\0\x60\x3c\x4f\x54\0\0\0\0IDAT";
    ok(path_write(in_dir("huge.png"), huge, sizeof huge - 1) == OK, "a PNG of 2^31 columns");
    refused(IMAGE_ONLY_PAGE, "huge.png: ", "a PNG of 2^31 columns is refused");
}

/* ---- JPEG ---- */

static void write_jpeg(int components, bool progressive)
{
    struct jpeg_compress_struct out;
    struct jpeg_error_mgr errors;
    FILE *f = fopen(in_dir("a.jpg"), "wb");
    uint8_t line[W * 3];
    JSAMPROW row = line;
    out.err = jpeg_std_error(&errors);
    jpeg_create_compress(&out);
    jpeg_stdio_dest(&out, f);
    out.image_width = W;
    out.image_height = H;
    out.input_components = components;
    out.in_color_space = components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&out);
    jpeg_set_quality(&out, 98, TRUE);
    if (progressive) jpeg_simple_progression(&out);
    jpeg_start_compress(&out, TRUE);
    for (int y = 0; y < H; y++) {
        for (int x = 0; x < W * components; x++) line[x] = (uint8_t)want[y * W + x / components];
        jpeg_write_scanlines(&out, &row, 1);
    }
    jpeg_finish_compress(&out);
    jpeg_destroy_compress(&out);
    fclose(f);
}

static void test_jpeg(void)
{
    for (int i = 0; i < N; i++) want[i] = (uint16_t)(40 + i % W * 2 + i / W);
    for (int progressive = 0; progressive < 2; progressive++) {
        int most = 0;
        write_jpeg(1, progressive);
        ok(reads() && im.kind == IMAGE_U8, progressive ? "JPEG, progressive" : "JPEG");
        for (int i = 0; i < N && im.px; i++) most = abs(im.px[i] - want[i]) > most ? abs(im.px[i] - want[i]) : most;
        ok(most <= 3, "its values are those that were written, as far as JPEG keeps them");
        damage("JPEG");
    }
    refused(1, "has no page 2: a JPEG file", "a second page of a JPEG");
    write_jpeg(3, false);
    refused(IMAGE_ONLY_PAGE, "is colour", "a JPEG in colour");
}

/* ---- JPEG 2000 ---- */

static bool write_jp2(int bits, int components, OPJ_CODEC_FORMAT format)
{
    opj_image_cmptparm_t of[3];
    opj_cparameters_t how;
    memset(of, 0, sizeof of);
    for (int c = 0; c < components; c++) {
        of[c].dx = of[c].dy = 1;
        of[c].w = W;
        of[c].h = H;
        of[c].prec = (OPJ_UINT32)bits;
    }
    opj_image_t *out = opj_image_create((OPJ_UINT32)components, of, components == 1 ? OPJ_CLRSPC_GRAY : OPJ_CLRSPC_SRGB);
    out->x1 = W;
    out->y1 = H;
    for (int c = 0; c < components; c++)
        for (int i = 0; i < N; i++) out->comps[c].data[i] = want[i];
    opj_set_default_encoder_parameters(&how);
    how.tcp_numlayers = 1;
    how.cp_disto_alloc = 1;
    how.numresolution = 3;
    opj_codec_t *codec = opj_create_compress(format);
    bool good = opj_setup_encoder(codec, &how, out);
    opj_stream_t *stream = opj_stream_create_default_file_stream(in_dir(format == OPJ_CODEC_JP2 ? "a.jp2" : "a.j2k"), OPJ_FALSE);
    good = good && opj_start_compress(codec, out, stream) && opj_encode(codec, stream) && opj_end_compress(codec, stream);
    opj_stream_destroy(stream);
    opj_destroy_codec(codec);
    opj_image_destroy(out);
    return good;
}

static void test_jp2(void)
{
    static const int bits[] = {4, 8, 12, 16};
    for (int k = 0; k < 4; k++) {
        draw(bits[k]);
        ok(write_jp2(bits[k], 1, OPJ_CODEC_JP2) && is_want(bits[k]), "JPEG 2000, without loss");
        ok(write_jp2(bits[k], 1, OPJ_CODEC_J2K) && is_want(bits[k]), "JPEG 2000, a codestream alone");
    }
    damage("JPEG 2000, a codestream");
    ok(write_jp2(16, 1, OPJ_CODEC_JP2), "JP2");
    damage("JPEG 2000");
    refused(1, "has no page 2: a JPEG 2000 file", "a second page of a JP2");
    ok(write_jp2(8, 3, OPJ_CODEC_JP2), "JPEG 2000 in colour");
    refused(IMAGE_ONLY_PAGE, "has 3 samples a pixel", "JPEG 2000 in colour is refused");
    char *bytes;
    size_t size;
    static const struct {
        int at; /* of SIZ's numbers */
        const char *value, *says;
    } c[] = {
        {0, "\x7f\xff\xff\xff", "claims 2147483647"}, {0, "\0\0\xff\xff", "tiles"}, {4, "\0\0\0\1", "tiles"}, {4, "\0\0\0\0", "no pixels"}};
    for (size_t k = 0; k < sizeof c / sizeof *c; k++) {
        if (!ok(write_jp2(16, 1, OPJ_CODEC_J2K) && path_read(path, &bytes, &size, 1 << 20) == OK, "a hostile codestream")) continue;
        memcpy(bytes + 8 + 4 * c[k].at, c[k].value, 4);
        if (k == 1) memcpy(bytes + 12, c[k].value, 4), memcpy(bytes + 24, "\0\0\0\1\0\0\0\1", 8);
        ok(path_write(path, bytes, size) == OK, "a hostile codestream");
        refused(IMAGE_ONLY_PAGE, k == 1 ? "claims 65535 x 65535" : c[k].says, "a hostile codestream is refused");
        free(bytes);
    }
}

int main(void)
{
    test_png();
    test_jpeg();
    test_jp2();
    ok(path_write(in_dir("a.png"), "GIF89a??", 8) == OK, "a GIF");
    refused(IMAGE_ONLY_PAGE, "is not a TIFF file, nor PNG, JPEG or JPEG 2000", "a GIF is refused");
    image_file_free(&file);
    image_free(&im);
    return tap_done();
}
