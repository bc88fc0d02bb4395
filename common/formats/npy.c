/* npy.c -- reading .npy (npy.h). The header is a Python dictionary as text; only what numpy itself writes is understood:
 * {'descr': '<f8', 'fortran_order': False, 'shape': (520, 696), } */
#include "micon/formats/npy.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAGIC = 6, HEADER_MAX = 65536 };

typedef struct {
    char order;
    size_t real_bytes;
    int64_t rows, columns;
    size_t data_at;
} header;

/* After "'key':" and blanks; NULL if the key is not there. */
static const char *after_key(const char *text, const char *key)
{
    const char *p = strstr(text, key);
    if (!p) return NULL;
    p += strlen(key);
    while (*p == ' ') p++;
    return p;
}

static bool read_count(const char **p, int64_t *out)
{
    char digits[16];
    size_t n = 0;
    while (**p == ' ') (*p)++;
    while (**p >= '0' && **p <= '9' && n < sizeof digits - 1) digits[n++] = *(*p)++;
    digits[n] = '\0';
    return n > 0 && num_i64(digits, out);
}

static bool read_shape(const char *p, int64_t *rows, int64_t *columns)
{
    if (!p || *p++ != '(' || !read_count(&p, rows) || *p++ != ',' || !read_count(&p, columns)) return false;
    while (*p == ' ' || *p == ',') p++;
    return *p == ')';
}

/* The header's text, '\0' added; NULL where the file is no .npy. */
static char *header_text(const image_file *f, size_t *data_at)
{
    size_t length_bytes, length = 0;
    if (f->size < 12 || memcmp(f->bytes, "\x93NUMPY", MAGIC) != 0 || f->bytes[6] < 1 || f->bytes[6] > 3) return NULL;
    length_bytes = f->bytes[6] == 1 ? 2 : 4;
    for (size_t i = length_bytes; i-- > 0;) length = length << 8 | f->bytes[8 + i];
    if (length > HEADER_MAX || length > f->size - 8 - length_bytes) return NULL;
    *data_at = 8 + length_bytes + length;
    return xstrndup((const char *)f->bytes + 8 + length_bytes, length);
}

static status read_header(const image_file *f, header *h)
{
    status st = OK;
    char *line = header_text(f, &h->data_at);
    if (!line) TRY(fail(E_FORMAT, "%s: is not a .npy file", f->path));
    const char *type = after_key(line, "'descr':"), *fortran = after_key(line, "'fortran_order':"), *shape = after_key(line, "'shape':");
    bool real = type && type[0] == '\'' && (type[1] == '<' || type[1] == '>') && type[2] == 'f' && (type[3] == '4' || type[3] == '8') &&
                type[4] == '\'';
    if (!real) TRY(fail(E_FORMAT, "%s: holds no float32 or float64 values", f->path));
    h->order = type[1];
    h->real_bytes = (size_t)(type[3] - '0');
    if (!fortran || strncmp(fortran, "False", 5) != 0)
        TRY(fail(E_FORMAT, "%s: is stored by columns (fortran_order); save it with numpy.ascontiguousarray", f->path));
    if (!read_shape(shape, &h->rows, &h->columns)) TRY(fail(E_FORMAT, "%s: is not two-dimensional", f->path));
    if (h->rows < 1 || h->columns < 1 || h->rows > IMAGE_MAX_SIDE || h->columns > IMAGE_MAX_SIDE || h->rows * h->columns > IMAGE_MAX_PX)
        TRY(fail(E_FORMAT, "%s: claims %lld x %lld values, more than is read", f->path, (long long)h->columns, (long long)h->rows));
    if (f->size - h->data_at != (size_t)h->rows * (size_t)h->columns * h->real_bytes)
        TRY(fail(E_FORMAT, "%s: is truncated or damaged: %zu bytes for %lld x %lld values", f->path, f->size - h->data_at,
                 (long long)h->columns, (long long)h->rows));
done:
    free(line);
    return st;
}

static double real_at(const uint8_t *p, const header *h)
{
    uint64_t bits = 0;
    for (size_t i = 0; i < h->real_bytes; i++) bits |= (uint64_t)p[h->order == '<' ? i : h->real_bytes - 1 - i] << (8 * i);
    if (h->real_bytes == 8) {
        double d;
        memcpy(&d, &bits, sizeof d);
        return d;
    }
    uint32_t low = (uint32_t)bits;
    float s;
    memcpy(&s, &low, sizeof s);
    return (double)s;
}

status npy_decode(const image_file *f, double **values, int *width_px, int *height_px)
{
    status st = OK;
    header h;
    *values = NULL;
    TRY(read_header(f, &h));
    size_t n = (size_t)h.rows * (size_t)h.columns;
    TRY(mem_alloc(values, n, sizeof **values, f->path));
    for (size_t i = 0; i < n; i++) {
        double v = real_at(f->bytes + h.data_at + i * h.real_bytes, &h);
        if (!isfinite(v) || v <= 0)
            TRY(fail(E_FORMAT, "%s: value %zu of row %zu is not a positive number", f->path, i % (size_t)h.columns + 1,
                     i / (size_t)h.columns + 1));
        (*values)[i] = v;
    }
    *width_px = (int)h.columns;
    *height_px = (int)h.rows;
done:
    if (st != OK) FREE(*values);
    return st;
}
