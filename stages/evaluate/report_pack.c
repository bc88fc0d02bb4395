/* report_pack.c -- columns of numbers and codes in the page's data. */
#include "report_data.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MISSING = 65535 };

void pack_bytes(text *t, const void *bytes, size_t n)
{
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const uint8_t *b = bytes;
    char four[4 * 256];
    size_t at = 0;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        for (int k = 0; k < 4; k++) four[at++] = i + (size_t)k > n ? '=' : digit[v >> (18 - 6 * k) & 63];
        if (at == sizeof four || i + 3 >= n) {
            text_addn(t, four, at);
            at = 0;
        }
    }
}

/* Whole numbers of `size` bytes, the lowest byte first, as the page's typed arrays read them. */
static status add_whole(text *t, const uint32_t *v, int64_t n, size_t size)
{
    uint8_t *b = NULL;
    status st = mem_alloc(&b, (size_t)n * size, 1, "the report");
    if (st != OK) return st;
    for (int64_t i = 0; i < n; i++)
        for (size_t k = 0; k < size; k++) b[(size_t)i * size + k] = (uint8_t)(v[i] >> (8 * k));
    text_addf(t, "\"u%zu\":\"", 8 * size);
    pack_bytes(t, b, (size_t)n * size);
    text_add(t, "\"");
    free(b);
    return OK;
}

status pack_reals(text *t, const double *v, int64_t n)
{
    status st = OK;
    double lo = INFINITY, hi = -INFINITY;
    uint32_t *code = NULL;
    TRY(mem_alloc(&code, (size_t)n, sizeof *code, "the report"));
    for (int64_t i = 0; i < n; i++)
        if (isfinite(v[i])) lo = fmin(lo, v[i]), hi = fmax(hi, v[i]);
    if (lo > hi) lo = hi = 0;
    for (int64_t i = 0; i < n; i++)
        code[i] = !isfinite(v[i]) ? MISSING : hi > lo ? (uint32_t)lround((v[i] - lo) / (hi - lo) * (MISSING - 1)) : 0;
    text_add(t, "{\"lo\":");
    text_add_number(t, lo, "0");
    text_add(t, ",\"hi\":");
    text_add_number(t, hi, "0");
    text_add(t, ",");
    TRY(add_whole(t, code, n, 2));
    text_add(t, "}");
done:
    free(code);
    return st;
}

status pack_codes(text *t, const int32_t *code, int64_t n, int64_t n_names)
{
    status st = OK;
    size_t size = n_names < 255 ? 1 : n_names < MISSING ? 2 : 4;
    uint32_t *v = NULL, any = 0;
    TRY(mem_alloc(&v, (size_t)n, sizeof *v, "the report"));
    for (int64_t i = 0; i < n; i++) any |= v[i] = (uint32_t)code[i]; /* -1 becomes the type's largest number */
    text_add(t, "{");
    if (any)
        TRY(add_whole(t, v, n, size));
    else
        text_add(t, "\"u8\":\"\"");
    text_add(t, "}");
done:
    free(v);
    return st;
}
