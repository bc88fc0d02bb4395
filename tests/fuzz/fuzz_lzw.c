/* fuzz_lzw.c -- any bytes as an LZW stream: what our decoder accepts, libtiff must decode to the same. The first two bytes say how much is
 * wanted. */
#include "../../common/formats/lzw_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct {
    uint8_t *bytes;
    size_t size, at;
} memory;

static tmsize_t memory_read(thandle_t h, void *buf, tmsize_t n)
{
    memory *m = h;
    size_t left = m->at < m->size ? m->size - m->at : 0, take = (size_t)n < left ? (size_t)n : left;
    memcpy(buf, m->bytes + (take ? m->at : 0), take);
    m->at += take;
    return (tmsize_t)take;
}

static tmsize_t memory_write(thandle_t h, void *buf, tmsize_t n)
{
    (void)h, (void)buf, (void)n;
    return -1;
}

static toff_t memory_seek(thandle_t h, toff_t off, int whence)
{
    memory *m = h;
    m->at = (size_t)off + (whence == SEEK_SET ? 0 : whence == SEEK_CUR ? m->at : m->size);
    return m->at;
}

static int memory_close(thandle_t h)
{
    (void)h;
    return 0;
}

static toff_t memory_size(thandle_t h)
{
    return ((memory *)h)->size;
}

static void put_tag(uint8_t *p, uint16_t tag, uint32_t value)
{
    uint16_t type = 4;
    uint32_t one = 1;
    memcpy(p, &tag, 2), memcpy(p + 2, &type, 2), memcpy(p + 4, &one, 4), memcpy(p + 8, &value, 4);
}

/* A little-endian TIFF of one row and one strip around the stream. */
static int decode_with_libtiff(const uint8_t *src, size_t n_src, uint8_t *out, size_t n_out)
{
    enum { TAGS = 8, HEAD = 8 + 2 + TAGS * 12 + 4 };
    static const uint16_t tag[TAGS] = {256, 257, 258, 259, 262, 273, 278, 279};
    const uint32_t value[TAGS] = {(uint32_t)n_out, 1, 8, 5, 1, HEAD, 1, (uint32_t)n_src};
    memory m = {.size = HEAD + n_src};
    if (!(m.bytes = calloc(1, m.size))) return 0;
    memcpy(m.bytes, "II*\0\10\0\0\0\10\0", 10);
    for (int i = 0; i < TAGS; i++) put_tag(m.bytes + 10 + 12 * i, tag[i], value[i]);
    memcpy(m.bytes + HEAD, src, n_src);
    TIFFSetErrorHandler(NULL);
    TIFFSetWarningHandler(NULL);
    TIFF *t = TIFFClientOpen("", "rmC", &m, memory_read, memory_write, memory_seek, memory_close, memory_size, NULL, NULL);
    int good = t && TIFFReadEncodedStrip(t, 0, out, (tmsize_t)n_out) == (tmsize_t)n_out;
    if (t) TIFFClose(t);
    free(m.bytes);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 3 || size > 1 << 20) return 0;
    size_t n_out = (size_t)data[0] << 8 | data[1];
    if (n_out == 0) return 0;
    uint8_t *src = malloc(size - 2), *a = malloc(n_out), *b = malloc(n_out);
    if (!src || !a || !b) abort();
    memcpy(src, data + 2, size - 2); /* exactly as large: a read past the end is seen */
    if (lzw_decode(src, size - 2, a, n_out) && (!decode_with_libtiff(src, size - 2, b, n_out) || memcmp(a, b, n_out) != 0)) abort();
    free(src), free(a), free(b);
    return 0;
}
