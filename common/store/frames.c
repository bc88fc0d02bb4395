/* frames.c -- tables (obs, var, rejects) as AnnData dataframes, and back. */
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- reading a column ---- */

static int64_t whole_at(const value *v, int64_t i)
{
    switch (v->type) {
    case VAL_U8: return ((const uint8_t *)v->data)[i];
    case VAL_I8:
    case VAL_BOOL: return ((const int8_t *)v->data)[i];
    case VAL_I16: return ((const int16_t *)v->data)[i];
    case VAL_I32: return ((const int32_t *)v->data)[i];
    case VAL_I64: return ((const int64_t *)v->data)[i];
    case VAL_F32:
    case VAL_F64:
    case VAL_TEXT: break;
    }
    return 0;
}

/* Categories by codes; -1 is a missing value, anything else outside is damage. */
static status expand(const value *cat, const value *codes, const char *path, value *v, bool **missing)
{
    status st = OK;
    size_t size = value_size(cat), bytes;
    int64_t n = codes->dims[0];
    value out = {.type = cat->type, .width = cat->width, .n_dims = 1, .dims = {n}};
    TRY(value_bytes(&out, &bytes, path));
    if (bytes > STORE_MAX_SMALL) TRY(fail(E_FORMAT, "'%s' claims %zu bytes", path, bytes));
    TRY(mem_alloc(&out.data, (size_t)n, size, path));
    for (int64_t i = 0; i < n; i++) {
        int64_t code = whole_at(codes, i);
        if (code < -1 || code >= cat->dims[0]) TRY(fail(E_FORMAT, "'%s': code %lld has no category", path, (long long)code));
        if (code >= 0) {
            memcpy((char *)out.data + (size_t)i * size, (const char *)cat->data + (size_t)code * size, size);
        } else {
            if (!*missing) TRY(mem_alloc(missing, (size_t)n, sizeof **missing, path));
            (*missing)[i] = true;
        }
    }
    *v = out;
    out.data = NULL;
done:
    value_free(&out);
    return st;
}

static status read_categorical(const store_file *f, const char *path, value *v, bool **missing)
{
    status st = OK;
    value cat = {0}, codes = {0};
    char *categories_path = xasprintf("%s/categories", path), *codes_path = xasprintf("%s/codes", path);
    TRY(store_read_value(f, categories_path, &cat));
    TRY(store_read_value(f, codes_path, &codes));
    if (cat.n_dims != 1 || codes.n_dims != 1 || codes.type == VAL_F32 || codes.type == VAL_F64 || codes.type == VAL_TEXT)
        TRY(fail(E_FORMAT, "'%s': its categories or codes are not lists of the right kind", path));
    TRY(expand(&cat, &codes, path, v, missing));
done:
    value_free(&cat);
    value_free(&codes);
    free(categories_path);
    free(codes_path);
    return st;
}

/* What newer AnnData calls nullable: values, and a mask that is yes where one is missing. */
static status read_masked(const store_file *f, const char *path, value *v, bool **missing)
{
    status st = OK;
    value mask = {0};
    char *values = xasprintf("%s/values", path), *masks = xasprintf("%s/mask", path);
    TRY(store_read_value(f, values, v));
    TRY(store_read_value(f, masks, &mask));
    if (mask.type != VAL_BOOL || mask.n_dims != 1 || v->n_dims != 1 || mask.dims[0] != v->dims[0])
        TRY(fail(E_FORMAT, "'%s': its mask does not fit its values", path));
    for (int64_t i = 0; i < mask.dims[0]; i++) {
        if (!((const int8_t *)mask.data)[i]) continue;
        if (!*missing) TRY(mem_alloc(missing, (size_t)mask.dims[0], sizeof **missing, path));
        (*missing)[i] = true;
    }
done:
    value_free(&mask);
    free(values);
    free(masks);
    return st;
}

status store_read_column(const store_file *f, const char *path, value *v, bool **missing, bool *is_category)
{
    status st = OK;
    hid_t object = -1;
    char *encoding = NULL;
    *missing = NULL;
    *is_category = false;
    TRY(h5_open(f->file, path, H5I_BADID, &object));
    if (H5Iget_type(object) == H5I_DATASET) {
        TRY(fail_within(h5_read(object, false, v), "'%s'", path));
        goto done;
    }
    TRY(fail_within(h5_read_text_attr(object, "encoding-type", &encoding), "'%s'", path));
    *is_category = strcmp(encoding, "categorical") == 0;
    if (*is_category)
        TRY(read_categorical(f, path, v, missing));
    else if (strncmp(encoding, "nullable-", 9) == 0)
        TRY(read_masked(f, path, v, missing));
    else
        TRY(fail(E_FORMAT, "'%s' is a group of encoding '%s', not a column", path, encoding));
done:
    if (object >= 0) H5Oclose(object);
    free(encoding);
    if (st == OK) return OK;
    FREE(*missing);
    value_free(v);
    return st;
}

/* ---- writing a frame ---- */

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

/* The texts that rows have, in the order of their bytes, and each row's place among them: nothing depends on the frame's codes. */
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

status store_add_frame(store *s, const char *path, const frame *f)
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

/* ---- reading a frame ---- */

static status set_texts(frame *out, int col, const value *v, const bool *missing)
{
    for (int64_t i = 0; i < out->n_rows; i++) {
        status st = frame_set_text(out, i, col, missing && missing[i] ? "" : value_text_at(v, i));
        if (st != OK) return st;
    }
    return OK;
}

static double real_at(const value *v, int64_t i)
{
    if (v->type == VAL_F32) return (double)((const float *)v->data)[i];
    if (v->type == VAL_F64) return ((const double *)v->data)[i];
    return (double)whole_at(v, i);
}

/* Which type of column holds this: missing whole numbers make reals (NaN), missing booleans text. */
static frame_type column_type(const value *v, bool has_missing, bool is_category)
{
    if (v->type == VAL_TEXT) return is_category ? FRAME_CATEGORY : FRAME_TEXT;
    if (v->type == VAL_BOOL) return has_missing ? FRAME_CATEGORY : FRAME_BOOL;
    if (v->type == VAL_F32) return FRAME_F32;
    return v->type == VAL_F64 || has_missing ? FRAME_F64 : FRAME_I64;
}

static status fill_column(frame *out, int col, const value *v, const bool *missing)
{
    status st = OK;
    frame_column *c = &out->col[col];
    for (int64_t i = 0; st == OK && v->type != VAL_TEXT && i < out->n_rows; i++) {
        bool none = missing && missing[i];
        if (c->type == FRAME_BOOL)
            c->v.yes[i] = whole_at(v, i) != 0;
        else if (c->type == FRAME_I64)
            c->v.i64[i] = whole_at(v, i);
        else if (c->type == FRAME_CATEGORY)
            st = frame_set_text(out, i, col, none ? "" : whole_at(v, i) ? "True" : "False");
        else if (!none)
            frame_set_real(out, i, col, real_at(v, i));
    }
    return st == OK && v->type == VAL_TEXT ? set_texts(out, col, v, missing) : st;
}

static status add_column(frame *out, const char *name, const value *v, const bool *missing, bool is_category)
{
    status st = OK;
    int col;
    if (v->n_dims != 1 || v->dims[0] != out->n_rows)
        TRY(fail(E_FORMAT, "column '%s' has %lld values where the index has %lld", name, (long long)value_rows(v), (long long)out->n_rows));
    TRY(frame_add_col(out, name, column_type(v, missing != NULL, is_category), &col));
    TRY(fill_column(out, col, v, missing));
done:
    return st;
}

static status read_column_into(const store_file *f, const char *path, const char *name, frame *out)
{
    status st = OK;
    value v = {0};
    bool *missing = NULL, is_category = false;
    char *p = xasprintf("%s/%s", path, name);
    TRY(store_read_column(f, p, &v, &missing, &is_category));
    TRY(add_column(out, name, &v, missing, is_category));
done:
    value_free(&v);
    free(missing);
    free(p);
    return st;
}

/* The index sets the number of rows; it is a column "_index" only where it says more than 0, 1, 2, ... */
static status read_index(const store_file *f, const char *path, const char *name, frame *out)
{
    status st = OK;
    value v = {0};
    bool *missing = NULL, is_category, counts = true;
    int col;
    char *p = xasprintf("%s/%s", path, name), digits[24];
    TRY(store_read_column(f, p, &v, &missing, &is_category));
    if (v.n_dims != 1) TRY(fail(E_FORMAT, "its index is not a list"));
    TRY(frame_add_rows(out, v.dims[0]));
    for (int64_t i = 0; counts && i < v.dims[0]; i++) {
        snprintf(digits, sizeof digits, "%lld", (long long)i);
        counts =
            v.type == VAL_TEXT ? strcmp(value_text_at(&v, i), digits) == 0 : v.type != VAL_F32 && v.type != VAL_F64 && whole_at(&v, i) == i;
    }
    if (counts) goto done;
    TRY(frame_add_col(out, "_index", FRAME_TEXT, &col));
    if (v.type == VAL_TEXT) TRY(set_texts(out, col, &v, missing));
    for (int64_t i = 0; v.type != VAL_TEXT && i < v.dims[0]; i++) {
        snprintf(digits, sizeof digits, "%.17g", real_at(&v, i));
        TRY(frame_set_text(out, i, col, digits));
    }
done:
    value_free(&v);
    free(missing);
    free(p);
    return st;
}

status store_read_frame(const store_file *f, const char *path, frame *out)
{
    status st = OK;
    hid_t group = -1;
    value order = {0};
    char *index = NULL;
    TRY(h5_open(f->file, path, H5I_GROUP, &group));
    TRY(h5_read_text_attr(group, "_index", &index));
    TRY(h5_read_attr(group, "column-order", &order));
    if (order.n_dims != 1 || (order.type != VAL_TEXT && order.dims[0]))
        TRY(fail(E_FORMAT, "attribute 'column-order' is not a list of texts"));
    TRY(read_index(f, path, index, out));
    for (int64_t i = 0; i < order.dims[0]; i++)
        if (strcmp(value_text_at(&order, i), index) != 0) TRY(read_column_into(f, path, value_text_at(&order, i), out));
done:
    if (group >= 0) H5Oclose(group);
    value_free(&order);
    free(index);
    if (st == OK) return OK;
    frame_free(out);
    return fail_within(st, "%s: '%s'", f->path, path);
}
