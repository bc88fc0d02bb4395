/* file_objects.c -- groups, arrays and values of a file in memory, and their digests (the rule is in store.h). No HDF5. */
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdlib.h>
#include <string.h>

static const size_t type_size[] = {1, 1, 2, 4, 8, 4, 8, 1, 0};
static const char *const type_name[] = {"u8", "i8", "i16", "i32", "i64", "f32", "f64", "bool", "text"};

size_t store_type_size(store_type t)
{
    return type_size[value_type_of(t)];
}

value_type value_type_of(store_type t)
{
    static const value_type as[] = {VAL_U8, VAL_I32, VAL_I64, VAL_F32, VAL_F64};
    return as[t];
}

size_t value_size(const value *v)
{
    return v->type == VAL_TEXT ? v->width : type_size[v->type];
}

int64_t value_rows(const value *v)
{
    return v->n_dims ? v->dims[0] : 1;
}

status value_row_bytes(const value *v, size_t *bytes, const char *what)
{
    size_t n = value_size(v);
    for (int d = 0; d < v->n_dims; d++) {
        if (v->dims[d] < 0) return fail(E_FORMAT, "%s: negative size", what);
        if (d && !mul_size(n, (size_t)v->dims[d], &n)) return fail(E_FORMAT, "%s: larger than can be addressed", what);
    }
    *bytes = n;
    return OK;
}

status value_bytes(const value *v, size_t *bytes, const char *what)
{
    status st = value_row_bytes(v, bytes, what);
    if (st != OK) return st;
    if (!mul_size(*bytes, (size_t)value_rows(v), bytes) || *bytes > INT64_MAX)
        return fail(E_FORMAT, "%s: larger than can be addressed", what);
    return OK;
}

uint64_t rows_digest(const void *rows, size_t row_bytes, int64_t first, int64_t n)
{
    uint64_t sum = 0;
    const unsigned char *at = rows;
    for (int64_t i = 0; i < n; i++, at += row_bytes) sum += digest_mix((uint64_t)(first + i), digest_bytes(at, row_bytes));
    return sum;
}

uint64_t texts_digest(const char *texts, size_t width, int64_t first, int64_t n)
{
    uint64_t sum = 0;
    for (int64_t i = 0; i < n; i++, texts += width) sum += digest_mix((uint64_t)(first + i), digest_text(texts));
    return sum;
}

uint64_t value_digest(const value *v)
{
    size_t row = value_size(v);
    if (v->type == VAL_TEXT) return texts_digest(v->data, v->width, 0, value_rows(v));
    for (int d = 1; d < v->n_dims; d++) row *= (size_t)v->dims[d];
    return rows_digest(v->data, row, 0, value_rows(v));
}

void value_free(value *v)
{
    FREE(v->data);
}

static value scalar(value_type type, const void *data, size_t size)
{
    value v = {.type = type, .data = xmalloc(size)};
    memcpy(v.data, data, size);
    return v;
}

value value_int(int64_t i)
{
    return scalar(VAL_I64, &i, sizeof i);
}

value value_real(double d)
{
    return scalar(VAL_F64, &d, sizeof d);
}

value value_bool(bool b)
{
    int8_t byte = b;
    return scalar(VAL_BOOL, &byte, sizeof byte);
}

value value_text(const char *s)
{
    value v = scalar(VAL_TEXT, s, strlen(s) + 1);
    v.width = strlen(s) + 1;
    return v;
}

status value_texts(value *out, char *const *item, int64_t n, const char *what)
{
    status st = OK;
    value v = {.type = VAL_TEXT, .n_dims = 1, .dims = {n}, .width = 1};
    for (int64_t i = 0; i < n; i++) {
        size_t width = strlen(item[i]) + 1;
        if (width > v.width) v.width = width;
    }
    TRY(mem_alloc(&v.data, (size_t)n, v.width, what));
    for (int64_t i = 0; i < n; i++) memcpy((char *)v.data + (size_t)i * v.width, item[i], strlen(item[i]));
    *out = v;
done:
    return st;
}

const char *value_text_at(const value *v, int64_t i)
{
    return (const char *)v->data + (size_t)i * v->width;
}

int64_t value_whole_at(const value *v, int64_t i)
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

node *nodes_find(const nodes *l, const char *path)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->item[i].path, path) == 0) return &l->item[i];
    return NULL;
}

node *nodes_add(nodes *l, const char *path, bool is_group)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 32;
        l->item = xrealloc(l->item, l->cap * sizeof *l->item);
    }
    node *o = &l->item[l->n++];
    *o = (node){.path = xstrdup(path), .is_group = is_group};
    return o;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(((const node *)a)->path, ((const node *)b)->path);
}

void nodes_sort(nodes *l)
{
    if (l->n) qsort(l->item, l->n, sizeof *l->item, by_path);
}

void nodes_free(nodes *l)
{
    for (size_t i = 0; i < l->n; i++) {
        node *o = &l->item[i];
        for (size_t k = 0; k < o->n_attrs; k++) {
            free(o->attr[k].name);
            value_free(&o->attr[k].v);
        }
        free(o->attr);
        free(o->path);
        value_free(&o->v);
    }
    FREE(l->item);
    l->n = l->cap = 0;
}

void node_attr(node *o, const char *name, value v)
{
    if (o->n_attrs == o->cap_attrs) {
        o->cap_attrs += 4;
        o->attr = xrealloc(o->attr, o->cap_attrs * sizeof *o->attr);
    }
    o->attr[o->n_attrs++] = (attribute){xstrdup(name), v};
}

void node_encoding(node *o, const char *type, const char *version)
{
    node_attr(o, "encoding-type", value_text(type));
    node_attr(o, "encoding-version", value_text(version));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const attribute *)a)->name, ((const attribute *)b)->name);
}

static uint64_t shape_mix(uint64_t d, const value *v)
{
    d = digest_mix(d, digest_text(type_name[v->type]));
    d = digest_mix(d, (uint64_t)v->n_dims);
    for (int i = 0; i < v->n_dims; i++) d = digest_mix(d, (uint64_t)v->dims[i]);
    return d;
}

uint64_t node_digest(node *o)
{
    uint64_t d = digest_text(o->path);
    if (o->is_group)
        d = digest_mix(d, digest_text("group"));
    else
        d = digest_mix(shape_mix(d, &o->v), o->rows);
    if (o->n_attrs) qsort(o->attr, o->n_attrs, sizeof *o->attr, by_name);
    for (size_t i = 0; i < o->n_attrs; i++) {
        d = digest_mix(d, digest_text(o->attr[i].name));
        d = digest_mix(shape_mix(d, &o->attr[i].v), value_digest(&o->attr[i].v));
    }
    return d;
}

uint64_t nodes_digest(nodes *l)
{
    uint64_t d = 0;
    nodes_sort(l);
    for (size_t i = 0; i < l->n; i++) d = digest_mix(d, node_digest(&l->item[i]));
    return d;
}

status store_path_check(const char *path)
{
    char shown[200];
    size_t n = strlen(path);
    bool good = n > 0 && n < STORE_MAX_PATH;
    for (const char *c = path; good && *c;) {
        size_t part = strcspn(c, "/");
        good = part > 0 && !(part == 1 && c[0] == '.') && !(part == 2 && c[0] == '.' && c[1] == '.');
        for (size_t i = 0; good && i < part; i++) good = (unsigned char)c[i] >= 32 && c[i] != 127;
        c += part;
        if (*c == '/') good = good && *++c != '\0';
    }
    return good ? OK : fail(E_FAILED, "'%s': this name cannot be stored in an HDF5 file", text_show(shown, sizeof shown, path));
}
