/* write_frame.c -- store_put_frame: tables (obs, var, rejects) as AnnData dataframes. */
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ATTR_BYTES = 60000 }; /* HDF5 keeps an attribute in an object header, below 64 KiB */

static status child_add(store *s, const char *path, const char *name, value *v, const char *encoding)
{
    char *p = xasprintf("%s/%s", path, name);
    status st = store_claim(s, p);
    if (st == OK) {
        node *o = nodes_add(&s->put, p, false);
        o->v = *v;
        o->rows = value_digest(v);
        v->data = NULL;
        node_encoding(o, encoding, "0.2.0");
    }
    value_free(v);
    free(p);
    return st;
}

/* A text column as texts of one width. */
static status column_texts(const frame *f, int col, value *v)
{
    status st = OK;
    size_t bytes;
    const char *name = f->col[col].name;
    *v = (value){.type = VAL_TEXT, .n_dims = 1, .dims = {f->n_rows}, .width = 1};
    for (int64_t i = 0; i < f->n_rows; i++) {
        size_t width = strlen(frame_text(f, i, col)) + 1;
        if (width > v->width) v->width = width;
    }
    TRY(value_bytes(v, &bytes, name));
    if (bytes > STORE_MAX_SMALL)
        TRY(fail(E_FAILED, "column '%s': %lld texts of up to %zu bytes are too much", name, (long long)f->n_rows, v->width - 1));
    TRY(mem_alloc(&v->data, (size_t)f->n_rows, v->width, name));
    for (int64_t i = 0; i < f->n_rows; i++) {
        const char *s = frame_text(f, i, col);
        memcpy((char *)v->data + (size_t)i * v->width, s, strlen(s));
    }
done:
    return st;
}

static status column_numbers(const frame *f, int col, value *v)
{
    static const value_type as[] = {[FRAME_I64] = VAL_I64, [FRAME_F32] = VAL_F32, [FRAME_F64] = VAL_F64, [FRAME_BOOL] = VAL_BOOL};
    const frame_column *c = &f->col[col];
    *v = (value){.type = as[c->type], .n_dims = 1, .dims = {f->n_rows}};
    status st = mem_alloc(&v->data, (size_t)f->n_rows, value_size(v), c->name);
    if (st == OK && f->n_rows) memcpy(v->data, c->v.any, (size_t)f->n_rows * value_size(v));
    return st;
}

/* The texts that rows have, sorted by bytes, and each row's place among them: independent of the frame's codes. */
static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static status categories(const frame *f, int col, value *cat, int64_t *place)
{
    status st = OK;
    const frame_column *c = &f->col[col];
    size_t n = 0;
    char **used = NULL;
    bool *is_used = NULL;
    TRY(mem_alloc(&is_used, c->word.n, sizeof *is_used, c->name));
    TRY(mem_alloc(&used, c->word.n, sizeof *used, c->name));
    for (int64_t i = 0; i < f->n_rows; i++)
        if (c->v.code[i] >= 0) is_used[c->v.code[i]] = true;
    for (size_t w = 0; w < c->word.n; w++)
        if (is_used[w] && *intern_at(&c->word, w)) used[n++] = (char *)(uintptr_t)intern_at(&c->word, w);
    if (n) qsort(used, n, sizeof *used, by_text);
    for (size_t w = 0; w < c->word.n; w++) {
        const char *s = intern_at(&c->word, w);
        char **at = n ? bsearch(&s, used, n, sizeof *used, by_text) : NULL;
        place[w] = at ? at - used : -1;
    }
    TRY(value_texts(cat, used, (int64_t)n, c->name));
done:
    free(used);
    free(is_used);
    return st;
}

/* Codes take the smallest integers that hold them, as pandas has it. */
static status codes_value(const frame_column *c, int64_t n_rows, const int64_t *place, int64_t n_cats, value *v)
{
    *v = (value){.type = n_cats < 128 ? VAL_I8 : n_cats < 32768 ? VAL_I16 : VAL_I32, .n_dims = 1, .dims = {n_rows}};
    status st = mem_alloc(&v->data, (size_t)n_rows, value_size(v), c->name);
    for (int64_t i = 0; st == OK && i < n_rows; i++) {
        int64_t code = c->v.code[i] < 0 ? -1 : place[c->v.code[i]];
        if (v->type == VAL_I8)
            ((int8_t *)v->data)[i] = (int8_t)code;
        else if (v->type == VAL_I16)
            ((int16_t *)v->data)[i] = (int16_t)code;
        else
            ((int32_t *)v->data)[i] = (int32_t)code;
    }
    return st;
}

static status put_category(store *s, const char *path, const frame *f, int col)
{
    status st = OK;
    int64_t *place = NULL;
    value cat = {0}, codes = {0};
    char *p = xasprintf("%s/%s", path, f->col[col].name);
    TRY(mem_alloc(&place, f->col[col].word.n, sizeof *place, f->col[col].name));
    TRY(categories(f, col, &cat, place));
    TRY(codes_value(&f->col[col], f->n_rows, place, cat.dims[0], &codes));
    TRY(store_claim(s, p));
    node *o = nodes_add(&s->put, p, true);
    node_encoding(o, "categorical", "0.2.0");
    node_attr(o, "ordered", value_bool(false));
    TRY(child_add(s, p, "codes", &codes, "array"));
    TRY(child_add(s, p, "categories", &cat, "string-array"));
done:
    value_free(&cat);
    value_free(&codes);
    free(place);
    free(p);
    return st;
}

static status put_column(store *s, const char *path, const frame *f, int col)
{
    status st = OK;
    value v = {0};
    bool is_text = f->col[col].type == FRAME_TEXT;
    if (f->col[col].type == FRAME_CATEGORY && strcmp(f->col[col].name, "_index") != 0) return put_category(s, path, f, col);
    is_text = is_text || f->col[col].type == FRAME_CATEGORY;
    TRY(is_text ? column_texts(f, col, &v) : column_numbers(f, col, &v));
    TRY(child_add(s, path, f->col[col].name, &v, is_text ? "string-array" : "array"));
done:
    value_free(&v);
    return st;
}

/* AnnData wants an index of texts: "0", "1", ... unless the frame brings one. */
static status put_count(store *s, const char *path, int64_t n)
{
    status st = OK;
    char digits[24];
    value v = {.type = VAL_TEXT, .n_dims = 1, .dims = {n}};
    v.width = (size_t)snprintf(digits, sizeof digits, "%lld", (long long)(n ? n - 1 : 0)) + 1;
    TRY(mem_alloc(&v.data, (size_t)n, v.width, "index"));
    for (int64_t i = 0; i < n; i++) snprintf((char *)v.data + (size_t)i * v.width, v.width, "%lld", (long long)i);
    TRY(child_add(s, path, "_index", &v, "string-array"));
done:
    value_free(&v);
    return st;
}

static status put_head(store *s, const char *path, const frame *f)
{
    status st = OK;
    names order = {0};
    value v = {0};
    TRY(store_claim(s, path));
    for (int c = 0; c < f->n_cols; c++)
        if (strcmp(f->col[c].name, "_index") != 0) names_add(&order, f->col[c].name);
    TRY(value_texts(&v, order.item, (int64_t)order.n, "column-order"));
    if (order.n * v.width > MAX_ATTR_BYTES)
        TRY(fail(E_FAILED, "the names of %zu columns are more than HDF5 can keep in one place", order.n));
    node *o = nodes_add(&s->put, path, true);
    node_encoding(o, "dataframe", "0.2.0");
    node_attr(o, "_index", value_text("_index"));
    node_attr(o, "column-order", v);
    v.data = NULL;
done:
    value_free(&v);
    names_free(&order);
    return st;
}

static status add_frame(store *s, const char *path, const frame *f)
{
    status st = OK;
    int index = frame_col(f, "_index");
    TRY(put_head(s, path, f));
    if (index < 0)
        TRY(put_count(s, path, f->n_rows));
    else if (f->col[index].type > FRAME_CATEGORY)
        TRY(fail(E_INTERNAL, "the column '_index' is not text"));
    for (int c = 0; c < f->n_cols; c++) TRY(put_column(s, path, f, c));
done:
    return fail_within(st, "'%s'", path);
}

void store_put_frame(store *s, const char *path, const frame *f)
{
    if (store_may_put(s)) store_put_failed(s, add_frame(s, path, f));
}

void store_put_index(store *s, const char *path, const names *index)
{
    status st = OK;
    frame f = {0};
    int col;
    if (!store_may_put(s)) return;
    TRY(frame_add_col(&f, "_index", FRAME_TEXT, &col));
    TRY(frame_add_rows(&f, (int64_t)index->n));
    for (size_t i = 0; i < index->n; i++) TRY(frame_set_text(&f, (int64_t)i, col, index->item[i]));
    store_put_frame(s, path, &f);
done:
    store_put_failed(s, st);
    frame_free(&f);
}
