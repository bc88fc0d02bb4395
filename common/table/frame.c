/* frame.c -- a table in memory: columns of typed arrays, text interned by column. Sorting and bytes: frame_sort.c, frame_pack.c. */
#include "micon/table/frame.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/formats/csv.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t frame_type_size(frame_type t)
{
    static const size_t bytes[] = {4, 4, 8, 4, 8, 1};
    return bytes[t];
}

static bool is_text(frame_type t)
{
    return t == FRAME_TEXT || t == FRAME_CATEGORY;
}

static void column_free(frame_column *c)
{
    free(c->name);
    free(c->v.any);
    intern_free(&c->word);
}

void frame_free(frame *f)
{
    for (int i = 0; i < f->n_cols; i++) column_free(&f->col[i]);
    free(f->col);
    *f = (frame){0};
}

void frame_drop_col(frame *f, const char *name)
{
    int at = frame_col(f, name);
    if (at < 0) return;
    column_free(&f->col[at]);
    memmove(f->col + at, f->col + at + 1, (size_t)(--f->n_cols - at) * sizeof *f->col);
}

/* Rows [first, last) of a column become "", 0, NaN, no. There is room for them. */
static void fill_missing(frame_column *c, int64_t first, int64_t last)
{
    for (int64_t i = first; i < last; i++) switch (c->type) {
        case FRAME_TEXT:
        case FRAME_CATEGORY: c->v.code[i] = -1; break;
        case FRAME_I64: c->v.i64[i] = 0; break;
        case FRAME_F32: c->v.f32[i] = NAN; break;
        case FRAME_F64: c->v.f64[i] = NAN; break;
        case FRAME_BOOL: c->v.yes[i] = 0; break;
        }
}

static status column_room(frame_column *c, int64_t rows)
{
    return mem_grow(&c->v.any, &c->cap, (size_t)rows + 1, frame_type_size(c->type), c->name);
}

status frame_add_col(frame *f, const char *name, frame_type type, int *col)
{
    status st = OK;
    frame_column c = {.name = xstrdup(name), .type = type};
    char shown[100];
    text_show(shown, sizeof shown, name);
    if (!*name) TRY(fail(E_FORMAT, "a column without a name"));
    if (frame_col(f, name) >= 0) TRY(fail(E_FORMAT, "duplicate column '%s'", shown));
    TRY(column_room(&c, f->n_rows));
    fill_missing(&c, 0, f->n_rows);
    TRY(mem_grow(&f->col, &f->cols_cap, (size_t)f->n_cols + 1, sizeof *f->col, "columns"));
    f->col[f->n_cols] = c;
    c = (frame_column){0};
    *col = f->n_cols++;
done:
    column_free(&c);
    return st;
}

status frame_add_rows(frame *f, int64_t n)
{
    status st = OK;
    for (int i = 0; i < f->n_cols; i++) TRY(column_room(&f->col[i], f->n_rows + n));
    for (int i = 0; i < f->n_cols; i++) fill_missing(&f->col[i], f->n_rows, f->n_rows + n);
    f->n_rows += n;
done:
    return st;
}

int frame_col(const frame *f, const char *name)
{
    for (int i = 0; i < f->n_cols; i++)
        if (strcmp(f->col[i].name, name) == 0) return i;
    return -1;
}

const char *frame_text(const frame *f, int64_t row, int col)
{
    const frame_column *c = &f->col[col];
    return c->v.code[row] < 0 ? "" : intern_at(&c->word, (size_t)c->v.code[row]);
}

status frame_set_text(frame *f, int64_t row, int col, const char *s)
{
    status st = OK;
    frame_column *c = &f->col[col];
    uint32_t id = 0;
    if (*s) {
        TRY(intern_add(&c->word, s, &id));
        if (id > INT32_MAX) TRY(fail(E_FAILED, "column '%s' has more than 2147483647 different texts", c->name));
    }
    c->v.code[row] = *s ? (int32_t)id : -1;
done:
    return st;
}

double frame_real(const frame *f, int64_t row, int col)
{
    const frame_column *c = &f->col[col];
    return c->type == FRAME_F32 ? (double)c->v.f32[row] : c->v.f64[row];
}

void frame_set_real(frame *f, int64_t row, int col, double v)
{
    frame_column *c = &f->col[col];
    if (c->type == FRAME_F32)
        c->v.f32[row] = (float)v;
    else
        c->v.f64[row] = v;
}

/* ---- as text ---- */

static void show_real(double v, bool single, text *out)
{
    char digits[40];
    if (isnan(v)) return;
    for (int precision = single ? 6 : 15; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, v);
        double back = strtod(digits, NULL);
        if (single ? (float)back == (float)v : back == v) break;
    }
    text_add(out, digits);
}

void frame_show(const frame *f, int64_t row, int col, text *out)
{
    const frame_column *c = &f->col[col];
    switch (c->type) {
    case FRAME_TEXT:
    case FRAME_CATEGORY: text_add(out, frame_text(f, row, col)); break;
    case FRAME_I64: text_addf(out, "%lld", (long long)c->v.i64[row]); break;
    case FRAME_F32: show_real((double)c->v.f32[row], true, out); break;
    case FRAME_F64: show_real(c->v.f64[row], false, out); break;
    case FRAME_BOOL: text_add(out, c->v.yes[row] ? "True" : "False"); break;
    }
}

void frame_show_csv(const frame *f, text *out)
{
    text cell = {0};
    for (int i = 0; i < f->n_cols; i++) {
        if (i) text_add(out, ",");
        csv_quote_text(out, f->col[i].name);
    }
    text_add(out, "\n");
    for (int64_t row = 0; row < f->n_rows; row++) {
        for (int i = 0; i < f->n_cols; i++) {
            text_clear(&cell);
            frame_show(f, row, i, &cell);
            if (i) text_add(out, ",");
            if (is_text(f->col[i].type))
                csv_quote_text(out, text_str(&cell));
            else
                text_add(out, text_str(&cell));
        }
        text_add(out, "\n");
    }
    text_free(&cell);
}

/* ---- rows from other frames ---- */

/* Rows row[0..n) of `from` (all in order where row is NULL) into `to` from its row `first` on; there is room, types are equal. */
static status copy_rows(frame_column *to, int64_t first, const frame_column *from, const int64_t *row, int64_t n)
{
    status st = OK;
    int32_t *code = NULL; /* in `to`, of each word of `from`; -2: not yet known */
    size_t w = frame_type_size(to->type);
    if (!is_text(to->type)) {
        for (int64_t i = 0; i < n; i++)
            memcpy((char *)to->v.any + (size_t)(first + i) * w, (char *)from->v.any + (size_t)(row ? row[i] : i) * w, w);
        goto done;
    }
    TRY(mem_alloc(&code, from->word.n, sizeof *code, from->name));
    for (size_t i = 0; i < from->word.n; i++) code[i] = -2;
    for (int64_t i = 0; i < n; i++) {
        int32_t k = from->v.code[row ? row[i] : i];
        if (k >= 0 && code[k] == -2) {
            uint32_t id;
            TRY(intern_add(&to->word, intern_at(&from->word, (size_t)k), &id));
            code[k] = (int32_t)id;
        }
        to->v.code[first + i] = k < 0 ? -1 : code[k];
    }
done:
    free(code);
    return st;
}

status frame_append(frame *f, const frame *more)
{
    status st = OK;
    int64_t first = f->n_rows;
    for (int i = 0; i < more->n_cols; i++) {
        const frame_column *from = &more->col[i];
        int at = frame_col(f, from->name);
        if (at < 0) TRY(frame_add_col(f, from->name, from->type, &at));
        if (f->col[at].type != from->type) TRY(fail(E_FORMAT, "column '%s' is of two types", from->name));
    }
    TRY(frame_add_rows(f, more->n_rows));
    for (int i = 0; i < more->n_cols; i++)
        TRY(copy_rows(&f->col[frame_col(f, more->col[i].name)], first, &more->col[i], NULL, more->n_rows));
done:
    return st;
}

status frame_take(frame *out, const frame *f, const int64_t *row, int64_t n)
{
    status st = OK;
    int at;
    for (int i = 0; i < f->n_cols; i++) TRY(frame_add_col(out, f->col[i].name, f->col[i].type, &at));
    TRY(frame_add_rows(out, n));
    for (int i = 0; i < f->n_cols; i++) TRY(copy_rows(&out->col[i], 0, &f->col[i], row, n));
done:
    if (st != OK) frame_free(out);
    return st;
}

uint64_t frame_digest(const frame *f)
{
    uint64_t d = digest_mix(0, (uint64_t)f->n_rows);
    for (int i = 0; i < f->n_cols; i++) {
        const frame_column *c = &f->col[i];
        d = digest_mix(digest_mix(d, digest_text(c->name)), (uint64_t)c->type);
        if (is_text(c->type))
            for (int64_t r = 0; r < f->n_rows; r++) d = digest_mix(d, digest_text(frame_text(f, r, i)));
        else
            d = digest_mix(d, digest_bytes(c->v.any, (size_t)f->n_rows * frame_type_size(c->type)));
    }
    return d;
}
