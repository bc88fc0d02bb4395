/* parquet_write.c -- writing Parquet (parquet.h): a row group at a time, one page a column chunk, the footer at the end. */
#include "parquet_impl.h"

#include "micon/base/mem.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

/* Numbers of the format that only the writer needs. */
enum { LEVEL = 1, VERSION = 1, CONVERTED_UTF8 = 0, OPTIONAL = 1, PAGE_DATA = 0, PAGE_DICTIONARY = 2, MISSING = -1 };
enum { TOGETHER = 16 }; /* float columns: values of a row in one line of the cache */

typedef struct {
    int64_t at, dictionary_at, packed, unpacked, n_values; /* dictionary_at 0: none */
} written_chunk;

struct parquet_writer {
    FILE *file;
    char *path;
    int64_t at; /* bytes written */
    int n_cols, n_text;
    char **name;
    written_chunk *chunk; /* [n_groups, n_cols] */
    int64_t *group_rows;
    size_t n_groups, group_cap, chunk_cap;
    ZSTD_CCtx *zstd;
    text page, head; /* of the page at hand */
    uint8_t *packed;
    size_t packed_cap;
    /* the text column at hand */
    text cells;
    int64_t *start; /* of each row's cell, or MISSING */
    const char **sorted;
    float *columns; /* float columns that were taken together */
    size_t columns_cap;
};

/* ---- thrift's compact protocol ---- */

static void put_varint(text *t, uint64_t v)
{
    char b[10];
    size_t n = 0;
    for (; v > 127; v >>= 7) b[n++] = (char)((v & 127) | 128);
    b[n++] = (char)v;
    text_addn(t, b, n);
}

static void put_byte(text *t, int b)
{
    char c = (char)b;
    text_addn(t, &c, 1);
}

/* The head of a field: *last is the one before in this struct. */
static void put_field(text *t, int *last, int id, int type)
{
    put_byte(t, (id - *last) << 4 | type); /* ids of a struct are never further apart than 15 here */
    *last = id;
}

static void put_int(text *t, int *last, int id, int type, int64_t v)
{
    put_field(t, last, id, type);
    put_varint(t, (uint64_t)v << 1 ^ (0 - (uint64_t)(v < 0)));
}

static void put_string(text *t, const char *s)
{
    put_varint(t, strlen(s));
    text_add(t, s);
}

static void put_list(text *t, int *last, int id, int element, size_t n)
{
    put_field(t, last, id, THRIFT_LIST);
    put_byte(t, (n < 15 ? (int)n : 15) << 4 | element);
    if (n >= 15) put_varint(t, n);
}

/* ---- pages ---- */

static status put_bytes(parquet_writer *w, const void *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, w->file) != n) return fail(E_IO, "%s cannot be written: %s", w->path, strerror(errno));
    w->at += (int64_t)n;
    return OK;
}

static void put_u32(text *t, uint32_t v)
{
    char b[4] = {(char)v, (char)(v >> 8), (char)(v >> 16), (char)(v >> 24)};
    text_addn(t, b, 4);
}

/* w->page, compressed, behind its head. */
static status put_page(parquet_writer *w, int kind, int encoding, int64_t n_values, written_chunk *k)
{
    status st = OK;
    int last = 0, inner = 0;
    TRY(mem_grow(&w->packed, &w->packed_cap, ZSTD_compressBound(w->page.n), 1, "a page of Parquet"));
    size_t n = ZSTD_compressCCtx(w->zstd, w->packed, w->packed_cap, w->page.s, w->page.n, LEVEL);
    if (ZSTD_isError(n)) TRY(fail(E_NOMEM, "%s: zstd: %s", w->path, ZSTD_getErrorName(n)));
    if (w->page.n > PARQUET_MAX_PAGE) TRY(fail(E_FAILED, "%s: a column has more than 1 GiB in %lld rows", w->path, (long long)n_values));
    text_clear(&w->head);
    put_int(&w->head, &last, 1, THRIFT_I32, kind);
    put_int(&w->head, &last, 2, THRIFT_I32, (int64_t)w->page.n);
    put_int(&w->head, &last, 3, THRIFT_I32, (int64_t)n);
    put_int(&w->head, &last, 4, THRIFT_I32, (int32_t)crc32(0, w->packed, (uInt)n));
    put_field(&w->head, &last, kind == PAGE_DATA ? 5 : 7, THRIFT_STRUCT);
    put_int(&w->head, &inner, 1, THRIFT_I32, n_values);
    put_int(&w->head, &inner, 2, THRIFT_I32, encoding);
    if (kind == PAGE_DATA) {
        put_int(&w->head, &inner, 3, THRIFT_I32, ENC_RLE); /* definition levels; there are no repetition levels */
        put_int(&w->head, &inner, 4, THRIFT_I32, ENC_RLE);
    }
    put_byte(&w->head, 0);
    put_byte(&w->head, 0);
    k->packed += (int64_t)(w->head.n + n);
    k->unpacked += (int64_t)(w->head.n + w->page.n);
    TRY(put_bytes(w, w->head.s, w->head.n));
    TRY(put_bytes(w, w->packed, n));
done:
    return st;
}

/* Numbers of `width` bits: one run where all are the same, else bit-packed in groups of eight. */
typedef struct {
    text *to;
    unsigned width, n_bits;
    uint64_t bits;
} packer;

static packer pack_begin(text *to, int64_t n, unsigned width)
{
    put_varint(to, (uint64_t)(n + 7) / 8 << 1 | 1);
    return (packer){.to = to, .width = width};
}

static void pack(packer *p, uint32_t v)
{
    p->bits |= (uint64_t)v << p->n_bits;
    for (p->n_bits += p->width; p->n_bits >= 8; p->n_bits -= 8, p->bits >>= 8) put_byte(p->to, (int)(p->bits & 255));
}

static void pack_end(packer *p, int64_t n)
{
    for (; n % 8 != 0; n++) pack(p, 0);
}

/* Definition levels: one bit a row, 1 where there is a value. present(user, row). */
static void put_levels(text *to, int64_t n, int64_t n_present, bool (*present)(const void *user, int64_t row), const void *user)
{
    size_t at = to->n;
    put_u32(to, 0); /* their size, once known */
    if (n_present == n || n_present == 0) {
        put_varint(to, (uint64_t)n << 1);
        put_byte(to, n_present > 0);
    } else {
        packer p = pack_begin(to, n, 1);
        for (int64_t i = 0; i < n; i++) pack(&p, present(user, i));
        pack_end(&p, n);
    }
    uint32_t size = (uint32_t)(to->n - at - 4);
    for (int b = 0; b < 4; b++) to->s[at + (size_t)b] = (char)(size >> (8 * b));
}

/* ---- columns ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool cell_present(const void *user, int64_t row)
{
    return ((const parquet_writer *)user)->start[row] != MISSING;
}

/* The distinct cells in order, to w->sorted; how many. */
static size_t sort_cells(parquet_writer *w, int64_t n_rows)
{
    size_t n = 0, distinct = 0;
    for (int64_t i = 0; i < n_rows; i++)
        if (w->start[i] != MISSING) w->sorted[n++] = w->cells.s + w->start[i];
    qsort(w->sorted, n, sizeof *w->sorted, by_text);
    for (size_t i = 0; i < n; i++)
        if (distinct == 0 || strcmp(w->sorted[distinct - 1], w->sorted[i]) != 0) w->sorted[distinct++] = w->sorted[i];
    return distinct;
}

/* w->cells and w->start hold the column's rows. */
static status put_text_column(parquet_writer *w, int64_t n_rows, written_chunk *k)
{
    status st = OK;
    int64_t n_present = 0;
    unsigned width = 1;
    size_t n = sort_cells(w, n_rows);
    for (int64_t i = 0; i < n_rows; i++) n_present += w->start[i] != MISSING;
    while (width < 32 && n > (size_t)1 << width) width++;
    text_clear(&w->page);
    for (size_t i = 0; i < n; i++) {
        put_u32(&w->page, (uint32_t)strlen(w->sorted[i]));
        text_add(&w->page, w->sorted[i]);
    }
    k->dictionary_at = w->at;
    TRY(put_page(w, PAGE_DICTIONARY, ENC_PLAIN, (int64_t)n, k));
    text_clear(&w->page);
    put_levels(&w->page, n_rows, n_present, cell_present, w);
    put_byte(&w->page, (int)width);
    packer p = pack_begin(&w->page, n_present, width);
    for (int64_t i = 0; i < n_rows; i++) {
        if (w->start[i] == MISSING) continue;
        const char *cell = w->cells.s + w->start[i];
        const char **found = bsearch(&cell, w->sorted, n, sizeof *w->sorted, by_text);
        pack(&p, (uint32_t)(found - w->sorted));
    }
    pack_end(&p, n_present);
    k->at = w->at;
    TRY(put_page(w, PAGE_DATA, ENC_RLE_DICTIONARY, n_rows, k));
done:
    return st;
}

/* n columns of the rows, one behind another into w->columns: read one by one, each value would cost a line of the cache. */
static status take_columns(parquet_writer *w, int64_t n_rows, const float *x, size_t stride, int n)
{
    status st = mem_grow(&w->columns, &w->columns_cap, (size_t)n * (size_t)n_rows, sizeof *w->columns, w->path);
    for (int64_t i = 0; st == OK && i < n_rows; i++)
        for (int k = 0; k < n; k++) w->columns[k * n_rows + i] = x[(size_t)i * stride + (size_t)k];
    return st;
}

static bool float_present(const void *user, int64_t row)
{
    return isfinite(((const float *)user)[row]);
}

static status put_float_column(parquet_writer *w, int64_t n_rows, const float *x, written_chunk *k)
{
    int64_t n_present = 0;
    float block[1024];
    size_t n = 0;
    for (int64_t i = 0; i < n_rows; i++) n_present += float_present(x, i);
    text_clear(&w->page);
    put_levels(&w->page, n_rows, n_present, float_present, x);
    for (int64_t i = 0; i < n_rows; i++) {
        if (float_present(x, i)) block[n++] = x[i];
        if (n < sizeof block / sizeof *block && i + 1 < n_rows) continue;
        text_addn(&w->page, (const char *)block, n * sizeof *block);
        n = 0;
    }
    k->at = w->at;
    return put_page(w, PAGE_DATA, ENC_PLAIN, n_rows, k);
}

/* ---- the file ---- */

status parquet_create(parquet_writer **out, const char *path, const char *const *text_name, int n_text, const char *const *float_name,
                      int n_floats)
{
    status st = OK;
    parquet_writer *w = xcalloc(1, sizeof *w);
    w->path = xstrdup(path);
    w->n_cols = n_text + n_floats;
    w->n_text = n_text;
    TRY(mem_alloc(&w->name, (size_t)w->n_cols, sizeof *w->name, "names of columns"));
    for (int i = 0; i < w->n_cols; i++) w->name[i] = xstrdup(i < n_text ? text_name[i] : float_name[i - n_text]);
    TRY(mem_alloc(&w->start, PARQUET_GROUP_ROWS, sizeof *w->start, path));
    TRY(mem_alloc(&w->sorted, PARQUET_GROUP_ROWS, sizeof *w->sorted, path));
    if (!(w->zstd = ZSTD_createCCtx())) TRY(fail(E_NOMEM, "%s: no memory for zstd", path));
    if (!(w->file = fopen(path, "wbx"))) TRY(fail(E_IO, "%s cannot be written: %s", path, strerror(errno)));
    TRY(put_bytes(w, "PAR1", 4));
    *out = w;
    w = NULL;
done:
    parquet_abandon(&w);
    return st;
}

status parquet_write_group(parquet_writer *w, int64_t n_rows, const char *(*cell)(void *user, int64_t row, int col), void *user,
                           const float *x, size_t stride)
{
    status st = OK;
    if (n_rows < 1 || n_rows > PARQUET_GROUP_ROWS) TRY(fail(E_INTERNAL, "%s: a row group of %lld rows", w->path, (long long)n_rows));
    size_t n = w->n_groups, cols = (size_t)w->n_cols;
    TRY(mem_grow(&w->group_rows, &w->group_cap, n + 1, sizeof *w->group_rows, w->path));
    TRY(mem_grow(&w->chunk, &w->chunk_cap, (n + 1) * cols, sizeof *w->chunk, w->path));
    for (int c = 0; c < w->n_cols; c++) {
        written_chunk *k = &w->chunk[n * cols + (size_t)c];
        *k = (written_chunk){.n_values = n_rows};
        text_clear(&w->cells);
        for (int64_t i = 0; i < n_rows && c < w->n_text; i++) {
            const char *s = cell(user, i, c);
            w->start[i] = s ? (int64_t)w->cells.n : MISSING;
            if (s) text_addn(&w->cells, s, strlen(s) + 1);
        }
        int f = c - w->n_text;
        if (f >= 0 && f % TOGETHER == 0) TRY(take_columns(w, n_rows, x + f, stride, w->n_cols - c < TOGETHER ? w->n_cols - c : TOGETHER));
        TRY(f < 0 ? put_text_column(w, n_rows, k) : put_float_column(w, n_rows, w->columns + f % TOGETHER * n_rows, k));
    }
    w->group_rows[w->n_groups++] = n_rows;
done:
    return st;
}

static void put_schema(parquet_writer *w, text *t, int *last)
{
    put_list(t, last, 2, THRIFT_STRUCT, (size_t)w->n_cols + 1);
    int in = 0;
    put_field(t, &in, 4, THRIFT_BINARY), put_string(t, "schema");
    put_int(t, &in, 5, THRIFT_I32, w->n_cols);
    put_byte(t, 0);
    for (int c = 0; c < w->n_cols; c++) {
        bool is_text = c < w->n_text;
        in = 0;
        put_int(t, &in, 1, THRIFT_I32, is_text ? TYPE_BYTES : TYPE_F32);
        put_int(t, &in, 3, THRIFT_I32, OPTIONAL);
        put_field(t, &in, 4, THRIFT_BINARY), put_string(t, w->name[c]);
        if (is_text) {
            put_int(t, &in, 6, THRIFT_I32, CONVERTED_UTF8);
            put_field(t, &in, 10, THRIFT_STRUCT);
            put_byte(t, 1 << 4 | THRIFT_STRUCT), put_byte(t, 0), put_byte(t, 0); /* {STRING: {}} */
        }
        put_byte(t, 0);
    }
}

static void put_chunk(parquet_writer *w, text *t, int c, const written_chunk *k)
{
    int in = 0, meta = 0;
    bool is_text = c < w->n_text;
    int64_t first = k->dictionary_at ? k->dictionary_at : k->at;
    put_int(t, &in, 2, THRIFT_I64, first);
    put_field(t, &in, 3, THRIFT_STRUCT);
    put_int(t, &meta, 1, THRIFT_I32, is_text ? TYPE_BYTES : TYPE_F32);
    put_list(t, &meta, 2, THRIFT_I32, is_text ? 3 : 2);
    put_varint(t, ENC_PLAIN << 1), put_varint(t, ENC_RLE << 1);
    if (is_text) put_varint(t, ENC_RLE_DICTIONARY << 1);
    put_list(t, &meta, 3, THRIFT_BINARY, 1), put_string(t, w->name[c]);
    put_int(t, &meta, 4, THRIFT_I32, CODEC_ZSTD);
    put_int(t, &meta, 5, THRIFT_I64, k->n_values);
    put_int(t, &meta, 6, THRIFT_I64, k->unpacked);
    put_int(t, &meta, 7, THRIFT_I64, k->packed);
    put_int(t, &meta, 9, THRIFT_I64, k->at);
    if (k->dictionary_at) put_int(t, &meta, 11, THRIFT_I64, k->dictionary_at);
    put_byte(t, 0);
    put_byte(t, 0);
}

static void put_groups(parquet_writer *w, text *t, int *last)
{
    put_list(t, last, 4, THRIFT_STRUCT, w->n_groups);
    for (size_t g = 0; g < w->n_groups; g++) {
        int in = 0;
        int64_t unpacked = 0;
        put_list(t, &in, 1, THRIFT_STRUCT, (size_t)w->n_cols);
        for (int c = 0; c < w->n_cols; c++) {
            const written_chunk *k = &w->chunk[g * (size_t)w->n_cols + (size_t)c];
            put_chunk(w, t, c, k);
            unpacked += k->unpacked;
        }
        put_int(t, &in, 2, THRIFT_I64, unpacked);
        put_int(t, &in, 3, THRIFT_I64, w->group_rows[g]);
        put_byte(t, 0);
    }
}

status parquet_finish(parquet_writer **q)
{
    status st = OK;
    parquet_writer *w = *q;
    int last = 0;
    int64_t n_rows = 0;
    text t = {0};
    for (size_t g = 0; g < w->n_groups; g++) n_rows += w->group_rows[g];
    put_int(&t, &last, 1, THRIFT_I32, VERSION);
    put_schema(w, &t, &last);
    put_int(&t, &last, 3, THRIFT_I64, n_rows);
    put_groups(w, &t, &last);
    put_field(&t, &last, 6, THRIFT_BINARY), put_string(&t, "MICON in C version " MICON_VERSION);
    put_byte(&t, 0);
    put_u32(&t, (uint32_t)t.n);
    text_add(&t, "PAR1");
    TRY(put_bytes(w, t.s, t.n));
    int closed = fclose(w->file);
    w->file = NULL;
    if (closed != 0) TRY(fail(E_IO, "%s cannot be written: %s", w->path, strerror(errno)));
done:
    text_free(&t);
    parquet_abandon(q);
    return st;
}

void parquet_abandon(parquet_writer **q)
{
    parquet_writer *w = *q;
    if (!w) return;
    if (w->file) fclose(w->file);
    for (int i = 0; w->name && i < w->n_cols; i++) free(w->name[i]);
    ZSTD_freeCCtx(w->zstd);
    text_free(&w->page);
    text_free(&w->head);
    text_free(&w->cells);
    free(w->name);
    free(w->chunk);
    free(w->group_rows);
    free(w->packed);
    free(w->start);
    free(w->sorted);
    free(w->columns);
    free(w->path);
    free(w);
    *q = NULL;
}
