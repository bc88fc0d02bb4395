/* png.c -- pictures and their PNG form (png.h). The font is our own: 5 x 7 bits a character, a byte a row, the left pixel highest. */
#include "micon/formats/png.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char glyph_names[] = " 0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-_.:,/()=+%*#";
static const uint8_t glyphs[][7] = {
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00}, {0x0e, 0x11, 0x13, 0x15, 0x19, 0x11, 0x0e}, {0x04, 0x0c, 0x04, 0x04, 0x04, 0x04, 0x0e},
    {0x0e, 0x11, 0x01, 0x06, 0x08, 0x10, 0x1f}, {0x0e, 0x11, 0x01, 0x06, 0x01, 0x11, 0x0e}, {0x02, 0x06, 0x0a, 0x12, 0x1f, 0x02, 0x02},
    {0x1f, 0x10, 0x1e, 0x01, 0x01, 0x11, 0x0e}, {0x06, 0x08, 0x10, 0x1e, 0x11, 0x11, 0x0e}, {0x1f, 0x01, 0x02, 0x02, 0x04, 0x04, 0x04},
    {0x0e, 0x11, 0x11, 0x0e, 0x11, 0x11, 0x0e}, {0x0e, 0x11, 0x11, 0x0f, 0x01, 0x02, 0x0c}, {0x04, 0x0a, 0x11, 0x11, 0x1f, 0x11, 0x11},
    {0x1e, 0x11, 0x11, 0x1e, 0x11, 0x11, 0x1e}, {0x0e, 0x11, 0x10, 0x10, 0x10, 0x11, 0x0e}, {0x1e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1e},
    {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x1f}, {0x1f, 0x10, 0x10, 0x1e, 0x10, 0x10, 0x10}, {0x0e, 0x11, 0x10, 0x17, 0x11, 0x11, 0x0f},
    {0x11, 0x11, 0x11, 0x1f, 0x11, 0x11, 0x11}, {0x0e, 0x04, 0x04, 0x04, 0x04, 0x04, 0x0e}, {0x07, 0x02, 0x02, 0x02, 0x02, 0x12, 0x0c},
    {0x11, 0x12, 0x14, 0x18, 0x14, 0x12, 0x11}, {0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x1f}, {0x11, 0x1b, 0x15, 0x15, 0x11, 0x11, 0x11},
    {0x11, 0x19, 0x19, 0x15, 0x13, 0x13, 0x11}, {0x0e, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}, {0x1e, 0x11, 0x11, 0x1e, 0x10, 0x10, 0x10},
    {0x0e, 0x11, 0x11, 0x11, 0x15, 0x12, 0x0d}, {0x1e, 0x11, 0x11, 0x1e, 0x14, 0x12, 0x11}, {0x0f, 0x10, 0x10, 0x0e, 0x01, 0x01, 0x1e},
    {0x1f, 0x04, 0x04, 0x04, 0x04, 0x04, 0x04}, {0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x0e}, {0x11, 0x11, 0x11, 0x0a, 0x0a, 0x0a, 0x04},
    {0x11, 0x11, 0x11, 0x15, 0x15, 0x1b, 0x11}, {0x11, 0x11, 0x0a, 0x04, 0x0a, 0x11, 0x11}, {0x11, 0x11, 0x0a, 0x04, 0x04, 0x04, 0x04},
    {0x1f, 0x01, 0x02, 0x04, 0x08, 0x10, 0x1f}, {0x00, 0x00, 0x00, 0x0e, 0x00, 0x00, 0x00}, {0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x1f},
    {0x00, 0x00, 0x00, 0x00, 0x00, 0x0c, 0x0c}, {0x00, 0x0c, 0x0c, 0x00, 0x0c, 0x0c, 0x00}, {0x00, 0x00, 0x00, 0x00, 0x0c, 0x04, 0x08},
    {0x01, 0x02, 0x02, 0x04, 0x08, 0x08, 0x10}, {0x02, 0x04, 0x08, 0x08, 0x08, 0x04, 0x02}, {0x08, 0x04, 0x02, 0x02, 0x02, 0x04, 0x08},
    {0x00, 0x00, 0x1f, 0x00, 0x1f, 0x00, 0x00}, {0x00, 0x04, 0x04, 0x1f, 0x04, 0x04, 0x00}, {0x19, 0x1a, 0x02, 0x04, 0x08, 0x0b, 0x13},
    {0x00, 0x15, 0x0e, 0x1f, 0x0e, 0x15, 0x00}, {0x0a, 0x0a, 0x1f, 0x0a, 0x1f, 0x0a, 0x0a},
};
static const uint8_t glyph_unknown[7] = {0x1f, 0x11, 0x11, 0x11, 0x11, 0x11, 0x1f};

status picture_create(picture *p, int width_px, int height_px)
{
    enum { SIDE_MAX = 1 << 20 };
    *p = (picture){0};
    if (width_px < 1 || height_px < 1 || width_px > SIDE_MAX || height_px > SIDE_MAX)
        return fail(E_FAILED, "a picture of %d x %d pixels cannot be made", width_px, height_px);
    status st = mem_alloc(&p->rgb, (size_t)width_px * (size_t)height_px, 3, "picture");
    if (st != OK) return st;
    p->width_px = width_px;
    p->height_px = height_px;
    return OK;
}

void picture_free(picture *p)
{
    free(p->rgb);
    *p = (picture){0};
}

void picture_box(picture *p, int x, int y, int width_px, int height_px, uint32_t colour)
{
    int x1 = x + width_px < p->width_px ? x + width_px : p->width_px, y1 = y + height_px < p->height_px ? y + height_px : p->height_px;
    for (int j = y > 0 ? y : 0; j < y1; j++)
        for (int i = x > 0 ? x : 0; i < x1; i++) {
            uint8_t *px = p->rgb + 3 * ((size_t)j * (size_t)p->width_px + (size_t)i);
            px[0] = (uint8_t)(colour >> 16);
            px[1] = (uint8_t)(colour >> 8);
            px[2] = (uint8_t)colour;
        }
}

void picture_text(picture *p, int x, int y, int scale, uint32_t colour, const char *s)
{
    for (; *s; s++, x += PNG_GLYPH_WIDTH * scale) {
        const char *at = strchr(glyph_names, toupper((unsigned char)*s));
        const uint8_t *rows = at ? glyphs[at - glyph_names] : glyph_unknown;
        for (int j = 0; j < 7; j++)
            for (int i = 0; i < 5; i++)
                if (rows[j] >> (4 - i) & 1) picture_box(p, x + i * scale, y + j * scale, scale, scale, colour);
    }
}

/* More than three: colours whose sum is near white, for values before the square root that brightens up to three, since a sum of many
 * square roots would be white everywhere. */
uint32_t picture_channel_colour(int k, int n)
{
    static const uint32_t few[] = {0x0000ff, 0x00ff00, 0xff0000}, many[] = {0x2850ff, 0x00a848, 0xa08400, 0xe04000, 0xb828c0, 0x00a0a8};
    return n <= 3 ? few[k % 3] : many[k % 6];
}

/* ---- PNG: signature, then chunks of length, name, data, checksum ---- */

static void put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++) at[i] = (uint8_t)(v >> (24 - 8 * i));
}

static const char signature[] = "\x89PNG\r\n\x1a\n";
enum { SIGNATURE = 8 };

static void put_chunk(text *out, const char *name, const uint8_t *data, size_t n)
{
    uint8_t word[4];
    put_u32(word, (uint32_t)n);
    text_addn(out, (const char *)word, 4);
    size_t checked = out->n;
    text_addn(out, name, 4);
    if (n) text_addn(out, (const char *)data, n);
    put_u32(word, (uint32_t)crc32_z(0, (const Bytef *)out->s + checked, n + 4));
    text_addn(out, (const char *)word, 4);
}

/* What is written: samples [height_px, width_px, bands]. */
typedef struct {
    int width_px, height_px, bands;
    const uint8_t *samples;
} image_samples;

/* Every row begins with the number of its filter; filter 1 stores the difference to the pixel on the left. */
static void filter_rows(const image_samples *p, uint8_t *raw)
{
    size_t bands = (size_t)p->bands, row = (size_t)p->width_px * bands;
    for (int y = 0; y < p->height_px; y++, raw += row + 1) {
        const uint8_t *src = p->samples + (size_t)y * row;
        raw[0] = 1;
        for (size_t i = 0; i < row; i++) raw[1 + i] = (uint8_t)(src[i] - (i < bands ? 0 : src[i - bands]));
    }
}

/* what: for messages. */
static status encode(text *out, const image_samples *p, const char *what)
{
    status st = OK;
    uint8_t *raw = NULL, *packed = NULL, head[13] = {0};
    size_t n = ((size_t)p->width_px * (size_t)p->bands + 1) * (size_t)p->height_px;
    uLongf packed_n = compressBound(n);
    if (packed_n > INT32_MAX) TRY(fail(E_FAILED, "%s: %d x %d pixels are too many for a PNG", what, p->width_px, p->height_px));
    TRY(mem_alloc(&raw, n, 1, what));
    TRY(mem_alloc(&packed, packed_n, 1, what));
    filter_rows(p, raw);
    if (compress2(packed, &packed_n, raw, n, 6) != Z_OK) TRY(fail(E_INTERNAL, "%s: deflate failed", what));
    put_u32(head, (uint32_t)p->width_px);
    put_u32(head + 4, (uint32_t)p->height_px);
    head[8] = 8;                     /* bits a sample */
    head[9] = p->bands == 3 ? 2 : 0; /* RGB, or grey */
    text_addn(out, signature, SIGNATURE);
    put_chunk(out, "IHDR", head, sizeof head);
    put_chunk(out, "IDAT", packed, packed_n);
    put_chunk(out, "IEND", NULL, 0);
done:
    free(raw);
    free(packed);
    return st;
}

status png_grey(text *out, int width_px, int height_px, const uint8_t *grey)
{
    return encode(out, &(image_samples){width_px, height_px, 1, grey}, "a picture");
}

status png_write(const char *path, const picture *p)
{
    status st = OK;
    text out = {0};
    TRY(encode(&out, &(image_samples){p->width_px, p->height_px, 3, p->rgb}, path));
    TRY(path_write(path, out.s, out.n));
done:
    text_free(&out);
    return st;
}

static uint32_t get_u32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

status png_check(const char *path, uint32_t *checksum)
{
    enum { FILE_MOST = 1 << 30, CHUNK = 12 };
    static const char last[] = "IEND";
    status st = OK;
    char *data = NULL;
    size_t size, at = SIGNATURE;
    bool ended = false;
    TRY(path_read(path, &data, &size, FILE_MOST));
    const unsigned char *b = (const unsigned char *)data;
    if (size < SIGNATURE || memcmp(b, signature, SIGNATURE) != 0) TRY(fail(E_FORMAT, "%s: is no PNG file, or damaged", path));
    while (!ended && size - at >= CHUNK) {
        size_t n = get_u32(b + at);
        if (n > size - at - CHUNK || crc32(0, b + at + 4, (uInt)(n + 4)) != get_u32(b + at + 8 + n)) break;
        *checksum = get_u32(b + at + 8 + n);
        ended = memcmp(b + at + 4, last, 4) == 0;
        at += n + CHUNK;
    }
    if (!ended || at != size) TRY(fail(E_FORMAT, "%s: bytes from %zu on are not those that were written", path, at));
done:
    free(data);
    return st;
}
