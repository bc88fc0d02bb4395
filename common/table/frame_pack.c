/* frame_pack.c -- a frame as bytes and back. Every number is 8 bytes of the machine's order (the ranks of a run share it); reading
 * trusts nothing. Layout: mark, rows, columns; per column: name, type, and for text the words, then the values. */
#include "micon/table/frame.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

#define MARK 0x31454d4152464d00u /* "\0MFRAME1" */

/* ---- out: twice, first to count ---- */
typedef struct {
    uint8_t *p; /* NULL: count only */
    size_t n;
} sink;

static void put(sink *s, const void *data, size_t size)
{
    if (s->p && size) memcpy(s->p + s->n, data, size);
    s->n += size;
}

static void put_u64(sink *s, uint64_t v)
{
    put(s, &v, sizeof v);
}

static void put_all(sink *s, const frame *f)
{
    put_u64(s, MARK);
    put_u64(s, (uint64_t)f->n_rows);
    put_u64(s, (uint64_t)f->n_cols);
    for (int i = 0; i < f->n_cols; i++) {
        const frame_column *c = &f->col[i];
        put_u64(s, (uint64_t)c->type);
        put_u64(s, strlen(c->name) + 1);
        put(s, c->name, strlen(c->name) + 1);
        put_u64(s, c->word.n);
        put_u64(s, c->word.size);
        put(s, c->word.block, c->word.size);
        put(s, c->v.any, (size_t)f->n_rows * frame_type_size(c->type));
    }
}

status frame_pack(const frame *f, uint8_t **data, size_t *size)
{
    status st = OK;
    sink s = {0};
    uint8_t *p = NULL;
    put_all(&s, f);
    TRY(mem_alloc(&p, s.n, 1, "a table to send"));
    s = (sink){p, 0};
    put_all(&s, f);
    *data = p;
    *size = s.n;
done:
    return st;
}

/* ---- in ---- */
typedef struct {
    const uint8_t *p;
    size_t left;
} source;

static status wrong(void)
{
    return fail(E_FORMAT, "not a packed table");
}

/* NULL where there are fewer. */
static const void *get(source *s, size_t size)
{
    const uint8_t *at = s->p;
    if (size > s->left) return NULL;
    s->p += size;
    s->left -= size;
    return at;
}

static status get_u64(source *s, uint64_t *v)
{
    const void *at = get(s, sizeof *v);
    if (!at) return wrong();
    memcpy(v, at, sizeof *v);
    return OK;
}

/* A block of texts, each with its end. */
static status get_words(source *s, frame_column *c)
{
    status st = OK;
    uint64_t n = 0, size = 0;
    TRY(get_u64(s, &n));
    TRY(get_u64(s, &size));
    const char *p = get(s, size);
    if (!p) TRY(wrong());
    const char *end = p + size;
    if (size && end[-1]) TRY(wrong());
    for (; p < end; p += strlen(p) + 1) {
        uint32_t id;
        TRY(intern_add(&c->word, p, &id));
        if (!*p || id != c->word.n - 1) TRY(wrong()); /* empty, or twice */
        if (c->word.n > n) TRY(wrong());
    }
    if (c->word.n != n) TRY(wrong());
done:
    return st;
}

static status get_column(source *s, frame *f)
{
    status st = OK;
    uint64_t type = 0, len = 0;
    const char *name;
    const void *values;
    int col;
    TRY(get_u64(s, &type));
    TRY(get_u64(s, &len));
    if (!(name = get(s, len))) TRY(wrong());
    if (type > FRAME_BOOL || len < 1 || strnlen(name, len) != len - 1) TRY(wrong());
    size_t bytes;
    if (!mul_size((size_t)f->n_rows, frame_type_size((frame_type)type), &bytes) || bytes > s->left)
        TRY(wrong()); /* before memory is taken */
    TRY(frame_add_col(f, name, (frame_type)type, &col));
    frame_column *c = &f->col[col];
    TRY(get_words(s, c));
    if (!(values = get(s, bytes))) TRY(wrong());
    if (bytes) memcpy(c->v.any, values, bytes);
    for (int64_t i = 0; i < f->n_rows; i++) {
        if (c->type <= FRAME_CATEGORY && (c->v.code[i] < -1 || (c->v.code[i] >= 0 && (size_t)c->v.code[i] >= c->word.n))) TRY(wrong());
        if (c->type == FRAME_BOOL && c->v.yes[i] > 1) TRY(wrong());
    }
done:
    return st;
}

status frame_unpack(frame *out, const void *data, size_t size)
{
    status st = OK;
    source s = {data, size};
    uint64_t mark = 0, rows = 0, cols = 0;
    TRY(get_u64(&s, &mark));
    TRY(get_u64(&s, &rows));
    TRY(get_u64(&s, &cols));
    if (mark != MARK || rows > INT64_MAX / 16 || cols > 1 << 20 || (cols == 0 && rows > INT32_MAX)) TRY(wrong());
    out->n_rows = (int64_t)rows;
    for (uint64_t i = 0; i < cols; i++) TRY(get_column(&s, out));
    if (s.left) TRY(wrong());
done:
    if (st != OK) frame_free(out);
    return st;
}
