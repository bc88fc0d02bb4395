/* safetensors.c -- 8 bytes of header length, a JSON header, the data. The header is parsed by jansson, which refuses duplicate keys;
 * then every tensor's shape must match its bytes, and the tensors must cover the data without holes or overlaps. */
#include "micon/formats/safetensors.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_HEADER = 100 << 20 };

/* How the header of a file of ours begins: the digest of the file, written first so that its place is known. It is taken of the header with
 * zeros in that place, then of each tensor's bytes. A file that another program wrote again begins otherwise, and has none. */
#define DIGEST_KEY "micon.digest"
static const char head_start[] = "{\"__metadata__\":{\"" DIGEST_KEY "\":\"";
enum { DIGEST_AT = sizeof head_start - 1, DIGEST_CHARS = DIGEST_TEXT - 1 };
static const size_t max_file = (size_t)64 << 30;

static const struct {
    const char *name;
    size_t size;
} type_info[] = {{"F64", 8}, {"F32", 4}, {"F16", 2}, {"BF16", 2}, {"I64", 8}, {"I32", 4}, {"I16", 2}, {"I8", 1}, {"U8", 1}, {"BOOL", 1}};

const char *safe_type_name(safe_type t)
{
    return type_info[t].name;
}

size_t safe_type_size(safe_type t)
{
    return type_info[t].size;
}

char *safe_show_shape(const safe_tensor *t, char *buf, size_t size)
{
    size_t at = (size_t)snprintf(buf, size, "[");
    for (int i = 0; i < t->n_dims && at < size; i++)
        at += (size_t)snprintf(buf + at, size - at, "%s%lld", i ? ", " : "", (long long)t->dim[i]);
    if (at < size) snprintf(buf + at, size - at, "]");
    return buf;
}

/* Names come from the file: make them printable. */
static status bad(const char *where, const char *name, const char *what)
{
    char shown[128];
    return fail(E_FORMAT, "%s: tensor '%s': %s", where, text_show(shown, sizeof shown, name), what);
}

/* A whole number from 0 to the largest size; false if it is anything else. */
static bool whole(const json_t *v, size_t *out)
{
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (size_t)json_integer_value(v);
    return true;
}

static status read_shape(safe_tensor *t, const json_t *shape, const char *where)
{
    if (!json_is_array(shape)) return bad(where, t->name, "'shape' is missing or no list");
    if (json_array_size(shape) > SAFE_MAX_DIMS) return bad(where, t->name, "it has more than 8 dimensions");
    t->n_dims = (int)json_array_size(shape);
    t->count = 1;
    for (int i = 0; i < t->n_dims; i++) {
        size_t d;
        if (!whole(json_array_get(shape, (size_t)i), &d))
            return bad(where, t->name, "'shape' holds something that is not a whole number from 0");
        t->dim[i] = (int64_t)d;
        if (!mul_size(t->count, d, &t->count)) return bad(where, t->name, "its shape is larger than can be addressed");
    }
    if (!mul_size(t->count, type_info[t->type].size, &t->bytes)) return bad(where, t->name, "its shape is larger than can be addressed");
    return OK;
}

static status read_entry(safe_tensor *t, const json_t *entry, const char *data, size_t data_size, const char *where)
{
    status st = OK;
    size_t begin, end;
    if (!json_is_object(entry)) return bad(where, t->name, "its entry is not an object");
    if (json_object_size(entry) != 3) return bad(where, t->name, "its entry must hold dtype, shape and data_offsets, and nothing else");
    const char *type = json_string_value(json_object_get(entry, "dtype"));
    if (!type) return bad(where, t->name, "'dtype' is missing or no text");
    size_t k = 0;
    while (k < sizeof type_info / sizeof *type_info && strcmp(type, type_info[k].name) != 0) k++;
    if (k == sizeof type_info / sizeof *type_info)
        return bad(where, t->name, "its dtype is none of F64 F32 F16 BF16 I64 I32 I16 I8 U8 BOOL");
    t->type = (safe_type)k;
    TRY(read_shape(t, json_object_get(entry, "shape"), where));
    const json_t *at = json_object_get(entry, "data_offsets");
    if (!json_is_array(at) || json_array_size(at) != 2 || !whole(json_array_get(at, 0), &begin) || !whole(json_array_get(at, 1), &end))
        return bad(where, t->name, "'data_offsets' is not a pair of whole numbers");
    if (begin > end || end > data_size) return bad(where, t->name, "its data lies outside the file");
    if (end - begin != t->bytes) return bad(where, t->name, "its shape and its number of bytes disagree");
    t->data = data + begin;
done:
    return st;
}

static int by_place(const void *a, const void *b)
{
    const safe_tensor *x = a, *y = b;
    const char *p = x->data, *q = y->data;
    if (p != q) return p < q ? -1 : 1;
    if (x->bytes != y->bytes) return x->bytes < y->bytes ? -1 : 1; /* empty tensors first */
    return strcmp(x->name, y->name);
}

static status check_cover(const safetensors *s, const char *data, size_t data_size)
{
    const char *end = data;
    for (size_t i = 0; i < s->n; i++) {
        const char *begin = s->item[i].data;
        if (begin < end) return bad(s->where, s->item[i].name, "its data overlaps another tensor's");
        if (begin > end) return bad(s->where, s->item[i].name, "there is a hole in the data before it");
        end = begin + s->item[i].bytes;
    }
    if (end != data + data_size)
        return fail(E_FORMAT, "%s: %zu bytes at its end belong to no tensor", s->where, (size_t)(data + data_size - end));
    return OK;
}

static status read_meta(safetensors *s, const json_t *meta)
{
    const char *key;
    json_t *v;
    if (!json_is_object(meta)) return fail(E_FORMAT, "%s: __metadata__ is not an object", s->where);
    json_object_foreach((json_t *)(uintptr_t)meta, key, v)
    {
        if (!json_is_string(v)) return fail(E_FORMAT, "%s: __metadata__ holds something that is not text", s->where);
        if (strcmp(key, DIGEST_KEY) == 0) continue; /* the file's own, no fact of its contents */
        names_add(&s->meta_key, key);
        names_add(&s->meta_value, json_string_value(v));
    }
    return OK;
}

static uint64_t file_digest(const char *zeroed_head, size_t head_size, const safe_tensor *item, size_t n)
{
    uint64_t d = digest_bytes(zeroed_head, head_size);
    for (size_t i = 0; i < n; i++) d = digest_mix(d, digest_bytes(item[i].data, item[i].bytes));
    return d;
}

/* Compare the file with the digest in it, where it has one. */
static status check_digest(safetensors *s, const char *head, size_t head_size)
{
    char shown[DIGEST_TEXT], *zeroed;
    if (head_size < DIGEST_AT + DIGEST_CHARS || memcmp(head, head_start, DIGEST_AT) != 0) return OK;
    zeroed = xmalloc(head_size);
    memcpy(zeroed, head, head_size);
    memset(zeroed + DIGEST_AT, '0', DIGEST_CHARS);
    s->digest = file_digest(zeroed, head_size, s->item, s->n);
    bool same = memcmp(digest_show(s->digest, shown), head + DIGEST_AT, DIGEST_CHARS) == 0;
    free(zeroed);
    return same ? OK : fail(E_FORMAT, "%s: is not as it was written: the file was changed or damaged", s->where);
}

/* What torch.save writes: a zip archive, or in older versions the pickle itself. */
static bool is_pickle(const uint8_t *b, size_t size)
{
    return memcmp(b, "PK\3\4", 4) == 0 || (b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 && (size < 9 || b[8] != '{'));
}

status safetensors_parse(safetensors *out, const void *bytes, size_t size, const char *where)
{
    status st = OK;
    json_t *head = NULL;
    json_error_t error;
    const unsigned char *b = bytes;
    const char *key;
    json_t *entry;
    uint64_t header = 0;
    safetensors_free(out);
    out->where = xstrdup(where);
    if (size < 8) {
        st = fail(E_FORMAT, "%s: not a safetensors file (%zu bytes)", where, size);
        goto done;
    }
    if (is_pickle(b, size)) {
        st = fail(E_FORMAT,
                  "%s: a file of PyTorch (a pickle), which is not read because it may run code; convert it: python3 -c \""
                  "import torch; from safetensors.torch import save_file; "
                  "save_file(torch.load('%s', map_location='cpu', weights_only=True), 'weights.safetensors')\"",
                  where, where);
        goto done;
    }
    for (int i = 0; i < 8; i++) header |= (uint64_t)b[i] << (8 * i);
    if (header > size - 8 || header > MAX_HEADER) {
        st = fail(E_FORMAT, "%s: its header is said to be %llu bytes, the file has %zu", where, (unsigned long long)header, size);
        goto done;
    }
    if (header < 2 || b[8] != '{') {
        st = fail(E_FORMAT, "%s: not a safetensors file: no header", where);
        goto done;
    }
    head = json_loadb((const char *)b + 8, (size_t)header, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(head)) {
        char shown[160];
        st = fail(E_FORMAT, "%s: its header is not JSON: %s", where, text_show(shown, sizeof shown, head ? "no object" : error.text));
        goto done;
    }
    const char *data = (const char *)b + 8 + header;
    size_t data_size = size - 8 - (size_t)header;
    TRY(mem_alloc(&out->item, json_object_size(head), sizeof *out->item, "tensors"));
    json_object_foreach(head, key, entry)
    {
        if (strcmp(key, "__metadata__") == 0) {
            TRY(read_meta(out, entry));
            continue;
        }
        safe_tensor *t = &out->item[out->n++];
        t->name = xstrdup(key);
        TRY(read_entry(t, entry, data, data_size, where));
    }
    if (out->n) qsort(out->item, out->n, sizeof *out->item, by_place);
    TRY(check_cover(out, data, data_size));
    TRY(check_digest(out, (const char *)b + 8, (size_t)header));
done:
    json_decref(head);
    if (st != OK) safetensors_free(out);
    return st;
}

status safetensors_read(safetensors *out, const char *path)
{
    status st = OK;
    char *bytes = NULL;
    size_t size;
    TRY(path_read(path, &bytes, &size, max_file));
    TRY(safetensors_parse(out, bytes, size, path));
    out->owned = bytes;
    bytes = NULL;
done:
    free(bytes);
    return st;
}

void safetensors_free(safetensors *s)
{
    for (size_t i = 0; i < s->n; i++) free(s->item[i].name);
    free(s->item);
    free(s->where);
    free(s->owned);
    names_free(&s->meta_key);
    names_free(&s->meta_value);
    *s = (safetensors){0};
}

const safe_tensor *safetensors_find(const safetensors *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->item[i].name, name) == 0) return &s->item[i];
    return NULL;
}

const char *safetensors_meta(const safetensors *s, const char *key)
{
    long i = names_find(&s->meta_key, key);
    return i < 0 ? NULL : s->meta_value.item[i];
}

/* ---- values ---- */
static double half_value(uint16_t h)
{
    int e = h >> 10 & 31, m = h & 1023;
    double v = e == 0 ? ldexp(m, -24) : e == 31 ? (m ? NAN : INFINITY) : ldexp(1024 + m, e - 25);
    return h >> 15 ? -v : v;
}

static double float_value(const safe_tensor *t, size_t i)
{
    const char *p = (const char *)t->data + i * type_info[t->type].size;
    double d;
    float f;
    uint16_t h;
    uint32_t u;
    switch (t->type) {
    case SAFE_F64: memcpy(&d, p, 8); return d;
    case SAFE_F32: memcpy(&f, p, 4); return f;
    case SAFE_F16: memcpy(&h, p, 2); return half_value(h);
    default: memcpy(&h, p, 2), u = (uint32_t)h << 16, memcpy(&f, &u, 4); return f;
    }
}

status safetensors_get_f64(const safetensors *s, const safe_tensor *t, bool finite, double *out)
{
    if (t->type > SAFE_BF16) return bad(s->where, t->name, "it holds integers; floating-point values are expected");
    for (size_t i = 0; i < t->count; i++) {
        out[i] = float_value(t, i);
        if (finite && !isfinite(out[i])) return bad(s->where, t->name, "it holds a value that is not finite");
    }
    return OK;
}

status safetensors_get_f32(const safetensors *s, const safe_tensor *t, bool finite, float *out)
{
    if (t->type > SAFE_BF16) return bad(s->where, t->name, "it holds integers; floating-point values are expected");
    for (size_t i = 0; i < t->count; i++) {
        out[i] = (float)float_value(t, i);
        if (finite && !isfinite(out[i])) return bad(s->where, t->name, "it holds a value that is not finite");
    }
    return OK;
}

static int64_t whole_value(const safe_tensor *t, size_t i)
{
    const char *p = (const char *)t->data + i * type_info[t->type].size;
    int64_t q;
    int32_t l;
    int16_t h;
    switch (t->type) {
    case SAFE_I64: memcpy(&q, p, 8); return q;
    case SAFE_I32: memcpy(&l, p, 4); return l;
    case SAFE_I16: memcpy(&h, p, 2); return h;
    case SAFE_I8: return (signed char)*p;
    default: return (unsigned char)*p;
    }
}

status safetensors_get_i64(const safetensors *s, const safe_tensor *t, int64_t *out)
{
    if (t->type <= SAFE_BF16) return bad(s->where, t->name, "it holds floating-point values; integers are expected");
    for (size_t i = 0; i < t->count; i++) out[i] = whole_value(t, i);
    return OK;
}

/* ---- writing ---- */
static status measure(safe_tensor *item, size_t n, const char *path)
{
    for (size_t i = 0; i < n; i++) {
        safe_tensor *t = &item[i];
        t->count = 1;
        for (int k = 0; k < t->n_dims; k++)
            if (!mul_size(t->count, (size_t)t->dim[k], &t->count)) return bad(path, t->name, "its shape is larger than can be addressed");
        if (!mul_size(t->count, type_info[t->type].size, &t->bytes)) return bad(path, t->name, "its shape is larger than can be addressed");
    }
    return OK;
}

static void write_header(text *h, const safe_tensor *item, size_t n, const names *key, const names *value)
{
    size_t at = 0;
    char digest[DIGEST_TEXT];
    text_addf(h, "%s%0*d\"", head_start, DIGEST_CHARS, 0);
    for (size_t i = 0; key && i < key->n; i++) {
        text_add(h, ",");
        text_add_json(h, key->item[i]);
        text_add(h, ":");
        text_add_json(h, value->item[i]);
    }
    text_add(h, "}");
    for (size_t i = 0; i < n; i++) {
        char shape[256];
        text_add(h, ",");
        text_add_json(h, item[i].name);
        text_addf(h, ":{\"dtype\":\"%s\",\"shape\":%s,\"data_offsets\":[%zu,%zu]}", type_info[item[i].type].name,
                  safe_show_shape(&item[i], shape, sizeof shape), at, at + item[i].bytes);
        at += item[i].bytes;
    }
    text_add(h, "}");
    while (h->n % 8) text_add(h, " ");
    memcpy(h->s + DIGEST_AT, digest_show(file_digest(h->s, h->n, item, n), digest), DIGEST_CHARS);
}

status safetensors_write(const char *path, safe_tensor *item, size_t n, const names *meta_key, const names *meta_value)
{
    status st = OK;
    text head = {0};
    char *part = path_part(path);
    FILE *f = NULL;
    unsigned char length[8];
    TRY(measure(item, n, path));
    write_header(&head, item, n, meta_key, meta_value);
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)head.n >> (8 * i));
    f = fopen(part, "wbx");
    bool good = f && fwrite(length, 1, 8, f) == 8 && fwrite(head.s, 1, head.n, f) == head.n;
    for (size_t i = 0; i < n && good; i++) good = item[i].bytes == 0 || fwrite(item[i].data, 1, item[i].bytes, f) == item[i].bytes;
    int error = errno;
    if (f && fclose(f) != 0 && good) good = false, error = errno;
    f = NULL;
    if (!good) {
        st = fail(E_IO, "%s: cannot be written: %s", path, strerror(error));
        goto done;
    }
    TRY(path_publish(part, path));
done:
    if (st != OK) remove(part);
    text_free(&head);
    free(part);
    return st;
}
