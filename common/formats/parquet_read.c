/* parquet_read.c -- cursors over the columns of a Parquet file (parquet.h): a column's pages one after another, unpacked into the cursor's
 * memory, their values decoded in batches. */
#include "parquet_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

enum { FIRST_HEADER = 512, MAX_HEADER = 1 << 24, BATCH = 2048, MAX_PAGE_VALUES = 1 << 28 };
enum { PAGE_DATA = 0, PAGE_INDEX = 1, PAGE_DICTIONARY = 2, PAGE_DATA_V2 = 3 };

typedef struct {
    int kind, encoding, level_encoding;
    int64_t unpacked, packed, n_values;
    int64_t def_bytes, rep_bytes; /* version 2 */
    int64_t crc;                  /* of the bytes as they are in the file; -1: none */
    bool compressed;
} page_header;

struct parquet_cursor {
    const parquet *file;
    const parquet_col *col;
    int col_at, group;
    int64_t rows_left; /* in this group, beyond the page at hand */
    int64_t at, end;   /* bytes of the chunk that are still to be read */
    int64_t page_left; /* rows of the page at hand */
    int codec;
    uint8_t *raw, *page, *dictionary_page; /* as read; unpacked */
    size_t raw_cap, page_cap, dictionary_page_cap;
    parquet_span *string; /* of a dictionary */
    size_t string_cap, value_cap;
    parquet_decoder decoder;
    parquet_hybrid levels;
    bool has_levels;
    uint8_t *value;          /* BATCH of them, in their places */
    uint32_t present[BATCH]; /* of the batch at hand; not filled in where all are */
    bool all_present;
    int batch_n, batch_at; /* for reading row by row */
};

/* ---- pages ---- */

static status bad(const parquet_cursor *c, const char *what)
{
    char name[100];
    return fail(E_FORMAT, "%s: column '%s', row group %d: %s", c->file->shown, text_show(name, sizeof name, c->col->name), c->group + 1,
                what);
}

static void parse_part(thrift *t, page_header *h, int part)
{
    int id = 0, type;
    while (thrift_field(t, &id, &type)) {
        if (id == 1)
            h->n_values = thrift_int(t, type);
        else if (id == 2 && part != 8)
            h->encoding = (int)thrift_int(t, type);
        else if (id == 3 && part == 5)
            h->level_encoding = (int)thrift_int(t, type);
        else if (id == 4 && part == 8)
            h->encoding = (int)thrift_int(t, type);
        else if (id == 5 && part == 8)
            h->def_bytes = thrift_int(t, type);
        else if (id == 6 && part == 8)
            h->rep_bytes = thrift_int(t, type);
        else if (id == 7 && part == 8)
            h->compressed = type == THRIFT_TRUE;
        else
            thrift_skip(t, type);
    }
}

static bool parse_header(thrift *t, page_header *h)
{
    int id = 0, type;
    *h = (page_header){.kind = -1, .unpacked = -1, .packed = -1, .n_values = -1, .level_encoding = ENC_RLE, .crc = -1, .compressed = true};
    while (thrift_field(t, &id, &type)) {
        if (id == 1)
            h->kind = (int)thrift_int(t, type);
        else if (id == 2)
            h->unpacked = thrift_int(t, type);
        else if (id == 3)
            h->packed = thrift_int(t, type);
        else if (id == 4)
            h->crc = (uint32_t)thrift_int(t, type);
        else if ((id == 5 || id == 7 || id == 8) && thrift_struct(t, type))
            parse_part(t, h, id);
        else
            thrift_skip(t, type);
    }
    return !t->bad;
}

/* The header of the next page; c->at is moved behind it. Its size is nowhere stated: more is read until it parses. */
static status read_header(parquet_cursor *c, page_header *h)
{
    status st = OK;
    int64_t left = c->end - c->at;
    for (int64_t n = FIRST_HEADER;; n *= 8) {
        if (n > left) n = left;
        TRY(mem_grow(&c->raw, &c->raw_cap, (size_t)n + 1, 1, "a page of Parquet"));
        TRY(parquet_bytes_at(c->file, c->at, c->raw, (size_t)n));
        thrift t = {c->raw, c->raw + n, false};
        if (parse_header(&t, h)) {
            c->at += t.p - c->raw;
            break;
        }
        if (n == left || n > MAX_HEADER) TRY(bad(c, "the head of a page is damaged"));
    }
    if (h->packed < 0 || h->packed > c->end - c->at || h->packed > PARQUET_MAX_PAGE || h->unpacked < 0 || h->unpacked > PARQUET_MAX_PAGE)
        TRY(bad(c, "a page has an impossible size"));
done:
    return st;
}

/* The `packed` bytes at c->at, unpacked into *block; the first `as_is` of them are not compressed. */
static status read_body(parquet_cursor *c, const page_header *h, size_t as_is, uint8_t **block, size_t *cap)
{
    status st = OK;
    int codec = h->compressed ? c->codec : CODEC_NONE;
    size_t n = (size_t)h->packed, unpacked = (size_t)h->unpacked;
    if (as_is > n || as_is > unpacked || unpacked - as_is > parquet_unpacked_most(codec, n - as_is))
        TRY(bad(c, "a page has an impossible size"));
    TRY(mem_grow(block, cap, unpacked + 1, 1, "a page of Parquet"));
    uint8_t *in = *block;
    if (codec == CODEC_NONE) {
        if (n != unpacked) TRY(bad(c, "a page has an impossible size"));
    } else {
        TRY(mem_grow(&c->raw, &c->raw_cap, n + 1, 1, "a page of Parquet"));
        in = c->raw;
    }
    TRY(parquet_bytes_at(c->file, c->at, in, n));
    if (h->crc >= 0 && crc32(0, in, (uInt)n) != (uLong)h->crc) TRY(bad(c, "the checksum of a page does not match: the file is damaged"));
    if (codec != CODEC_NONE) {
        memcpy(*block, in, as_is);
        const char *why = unpacked > as_is ? parquet_unpack(codec, in + as_is, n - as_is, *block + as_is, unpacked - as_is) : NULL;
        if (why) TRY(bad(c, why));
    }
    c->at += h->packed;
done:
    return st;
}

static status take_dictionary(parquet_cursor *c, const page_header *h)
{
    status st = OK;
    if (c->decoder.dictionary) TRY(bad(c, "it has two dictionaries"));
    TRY(read_body(c, h, 0, &c->dictionary_page, &c->dictionary_page_cap));
    int64_t least = c->col->type == TYPE_BYTES ? 4 : c->col->width; /* bytes of a value */
    if (h->n_values < 0 || h->n_values > h->unpacked / least || (h->encoding != ENC_PLAIN && h->encoding != ENC_PLAIN_DICTIONARY) ||
        c->col->type == TYPE_BOOL)
        TRY(bad(c, "its dictionary is damaged"));
    if (c->col->type == TYPE_BYTES) {
        TRY(mem_grow(&c->string, &c->string_cap, (size_t)h->n_values + 1, sizeof *c->string, "a dictionary of Parquet"));
        parquet_decoder d = {.encoding = ENC_PLAIN, .type = TYPE_BYTES, .width = c->col->width};
        const char *why = parquet_decode_begin(&d, c->dictionary_page, (size_t)h->unpacked, (uint64_t)h->n_values);
        if (!why) why = parquet_decode(&d, c->string, (size_t)h->n_values);
        if (why) TRY(bad(c, "its dictionary is damaged"));
        c->decoder.dictionary = c->string;
    } else {
        c->decoder.dictionary = c->dictionary_page; /* the values as they lie there */
    }
    c->decoder.n_dictionary = (uint32_t)h->n_values;
done:
    return st;
}

/* The levels before the values of a page of version 1: a size of four bytes, then runs. */
static status take_levels(parquet_cursor *c, const page_header *h, const uint8_t **p, const uint8_t *end)
{
    if (h->level_encoding != ENC_RLE) return bad(c, "its definition levels have an encoding that is not read");
    if (end - *p < 4) return bad(c, "its definition levels are damaged");
    uint32_t n = (uint32_t)(*p)[0] | (uint32_t)(*p)[1] << 8 | (uint32_t)(*p)[2] << 16 | (uint32_t)(*p)[3] << 24;
    *p += 4;
    if (n > (size_t)(end - *p)) return bad(c, "its definition levels are damaged");
    c->levels = (parquet_hybrid){.p = *p, .end = *p + n, .width = 1};
    *p += n;
    return OK;
}

static status take_data(parquet_cursor *c, const page_header *h)
{
    status st = OK;
    bool second = h->kind == PAGE_DATA_V2;
    if (h->n_values < 0 || h->n_values > c->rows_left || h->n_values > MAX_PAGE_VALUES) TRY(bad(c, "a page has more values than rows"));
    if (second && (h->rep_bytes != 0 || h->def_bytes < 0 || h->def_bytes > h->unpacked)) TRY(bad(c, "the levels of a page are damaged"));
    TRY(read_body(c, h, second ? (size_t)h->def_bytes : 0, &c->page, &c->page_cap));
    const uint8_t *p = c->page, *end = p + h->unpacked;
    c->has_levels = c->col->optional;
    if (second) {
        c->levels = (parquet_hybrid){.p = p, .end = p + h->def_bytes, .width = 1};
        p += h->def_bytes;
    } else if (c->has_levels) {
        TRY(take_levels(c, h, &p, end));
    }
    c->decoder.encoding = h->encoding;
    bool indices = h->encoding == ENC_PLAIN_DICTIONARY || h->encoding == ENC_RLE_DICTIONARY;
    if (indices && !c->decoder.dictionary) TRY(bad(c, "it has indices, but no dictionary"));
    const char *why = parquet_decode_begin(&c->decoder, p, (size_t)(end - p), (uint64_t)h->n_values);
    if (why) TRY(bad(c, why));
    c->page_left = h->n_values;
    c->rows_left -= h->n_values;
done:
    return st;
}

static status next_group(parquet_cursor *c)
{
    const parquet *f = c->file;
    c->group++;
    if (c->group >= f->n_groups) return fail(E_INTERNAL, "%s: read past its last row", f->shown);
    const parquet_chunk *k = &f->chunk[(size_t)c->group * (size_t)f->n_cols + (size_t)c->col_at];
    c->rows_left = f->group_rows[c->group];
    c->at = k->at;
    c->end = k->at + k->size;
    c->codec = k->codec;
    c->decoder.dictionary = NULL;
    c->decoder.n_dictionary = 0;
    if (c->codec < CODEC_NONE || c->codec > CODEC_LZ4_RAW || c->codec == CODEC_LZO || c->codec == CODEC_BROTLI) {
        char what[100];
        snprintf(what, sizeof what, "its compression is %s, which is not read", parquet_codec_name(c->codec));
        return bad(c, what);
    }
    return OK;
}

/* Until there is a page with rows. */
static status need_page(parquet_cursor *c)
{
    status st = OK;
    page_header h;
    while (c->page_left == 0) {
        if (c->rows_left == 0) {
            TRY(next_group(c));
            continue;
        }
        if (c->at >= c->end) TRY(bad(c, "it ends before its last row"));
        TRY(read_header(c, &h));
        if (h.kind == PAGE_DICTIONARY)
            TRY(take_dictionary(c, &h));
        else if (h.kind == PAGE_DATA || h.kind == PAGE_DATA_V2)
            TRY(take_data(c, &h));
        else
            c->at += h.packed; /* an index of pages: not needed */
    }
done:
    return st;
}

/* Which of the next n rows have a value; *k of them. */
static status read_levels(parquet_cursor *c, int n, size_t *k)
{
    *k = (size_t)n;
    c->all_present = true;
    if (!c->has_levels) return OK;
    if (c->levels.left >= (uint32_t)n && !c->levels.packed && c->levels.value == 1) { /* a run of values: the usual case */
        c->levels.left -= (uint32_t)n;
        return OK;
    }
    if (!parquet_hybrid_next(&c->levels, c->present, (size_t)n)) return bad(c, "its definition levels are damaged");
    *k = 0;
    for (int i = 0; i < n; i++) *k += c->present[i];
    c->all_present = *k == (size_t)n;
    return OK;
}

static bool is_present(const parquet_cursor *c, int i)
{
    return c->all_present || c->present[i];
}

/* Up to `most` (at most BATCH) rows of the page at hand, to `value`, each in its place. */
static status decode_batch(parquet_cursor *c, int most, uint8_t *value, int *n)
{
    status st = OK;
    size_t width = (size_t)c->col->width, k;
    TRY(need_page(c));
    *n = c->page_left < most ? (int)c->page_left : most;
    TRY(read_levels(c, *n, &k));
    const char *why = parquet_decode(&c->decoder, value, k);
    if (why) TRY(bad(c, why));
    if (!c->all_present)
        for (size_t i = (size_t)*n; i-- > 0;)
            if (c->present[i] && --k != i) memcpy(value + i * width, value + k * width, width);
    c->page_left -= *n;
done:
    return st;
}

/* ---- cursors ---- */

status parquet_cursor_open(parquet_cursor **out, const parquet *p, int col)
{
    status st = OK;
    const parquet_col *k = &p->col[col];
    char name[100];
    parquet_cursor *c = *out;
    if (k->nested)
        TRY(fail(E_FORMAT, "%s: column '%s' is nested or a list; columns with one value a row are read", p->shown,
                 text_show(name, sizeof name, k->name)));
    if (!c) c = *out = xcalloc(1, sizeof *c);
    c->file = p;
    c->col = k;
    c->col_at = col;
    c->group = -1;
    c->rows_left = c->page_left = c->at = c->end = 0;
    c->batch_n = c->batch_at = 0;
    c->decoder.type = k->type;
    c->decoder.width = k->width;
    TRY(mem_grow(&c->value, &c->value_cap, (size_t)BATCH * (size_t)k->width, 1, p->shown));
done:
    return st;
}

void parquet_cursor_close(parquet_cursor **q)
{
    parquet_cursor *c = *q;
    if (!c) return;
    parquet_decoder_free(&c->decoder);
    free(c->raw);
    free(c->page);
    free(c->dictionary_page);
    free(c->string);
    free(c->value);
    free(c);
    *q = NULL;
}

static double number(const parquet_col *col, const uint8_t *v)
{
    int32_t i;
    int64_t l;
    double d;
    float f;
    uint16_t half;
    if (col->as == AS_DECIMAL) return parquet_decimal(col, v);
    switch (col->type) {
    case TYPE_F32: return memcpy(&f, v, sizeof f), (double)f;
    case TYPE_F64: return memcpy(&d, v, sizeof d), d;
    case TYPE_I32: return memcpy(&i, v, sizeof i), col->as == AS_UNSIGNED ? (double)(uint32_t)i : (double)i;
    case TYPE_I64: return memcpy(&l, v, sizeof l), col->as == AS_UNSIGNED ? (double)(uint64_t)l : (double)l;
    default: return memcpy(&half, v, sizeof half), (double)num_half(half);
    }
}

status parquet_read_f32(parquet_cursor *c, int64_t n, float *out, size_t stride)
{
    status st = OK;
    if (!parquet_col_is_number(c->file, c->col_at)) TRY(bad(c, "it does not hold numbers"));
    bool in_place = c->col->type == TYPE_F32 && stride == 1;
    for (int k; n > 0; n -= k, out += (size_t)k * stride) {
        TRY(decode_batch(c, n < BATCH ? (int)n : BATCH, in_place ? (uint8_t *)out : c->value, &k));
        if (in_place && c->all_present) continue;
        for (int i = 0; i < k; i++)
            if (!is_present(c, i))
                out[(size_t)i * stride] = NAN;
            else if (!in_place)
                out[(size_t)i * stride] = (float)number(c->col, c->value + (size_t)i * (size_t)c->col->width);
    }
done:
    return st;
}

status parquet_read_rows_f32(const parquet *p, const int *cols, int n_cols, float *out, size_t stride)
{
    enum { LINE = 16 }; /* floats of a cache line: rows are written a line at a time */
    status st = OK;
    parquet_cursor *c[LINE] = {0};
    float *block = xmalloc((size_t)LINE * BATCH * sizeof *block);
    for (int first = 0; first < n_cols; first += LINE) {
        int n = n_cols - first < LINE ? n_cols - first : LINE;
        for (int j = 0; j < n; j++) TRY(parquet_cursor_open(&c[j], p, cols[first + j]));
        for (int64_t row = 0; row < p->n_rows; row += BATCH) {
            int64_t rows = p->n_rows - row < BATCH ? p->n_rows - row : BATCH;
            for (int j = 0; j < n; j++) TRY(parquet_read_f32(c[j], rows, block + (size_t)j * BATCH, 1));
            for (int64_t i = 0; i < rows; i++)
                for (int j = 0; j < n; j++) out[(size_t)(row + i) * stride + (size_t)(first + j)] = block[(size_t)j * BATCH + (size_t)i];
        }
    }
done:
    for (int j = 0; j < LINE; j++) parquet_cursor_close(&c[j]);
    free(block);
    return st;
}

status parquet_read_text(parquet_cursor *c, text *out)
{
    status st = OK;
    if (c->batch_at == c->batch_n) {
        c->batch_at = c->batch_n = 0;
        TRY(decode_batch(c, BATCH, c->value, &c->batch_n));
    }
    if (is_present(c, c->batch_at)) parquet_value_text(c->col, c->value + (size_t)c->batch_at * (size_t)c->col->width, out);
    c->batch_at++;
done:
    return st;
}
