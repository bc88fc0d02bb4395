/* parquet_decode.c -- the encodings of a page's values, each able to go on where it stopped, so that a page is never unpacked as a whole;
 * only the two encodings of strings by their differences are, in memory that their own bytes bound. */
#include "parquet_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BUILT = 1 << 28, MAX_BLOCK = 1 << 16, MAX_MINIS = 512, MAX_STRINGS = 1 << 24, STEP = 256 };

/* Up to 8 bytes at p as a little-endian number; zeros stand for what is not there. */
static inline uint64_t load(const uint8_t *p, const uint8_t *end)
{
    uint64_t v = 0;
    if (end - p >= 8) {
        memcpy(&v, p, 8);
        return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? v : __builtin_bswap64(v);
    }
    for (int i = 0; p + i < end; i++) v |= (uint64_t)p[i] << (8 * i);
    return v;
}

/* `width` bits (0 to 64) from bit `at` on, the low ones first. */
static inline uint64_t bits_at(const uint8_t *p, const uint8_t *end, uint64_t at, unsigned width)
{
    const uint8_t *from = p + at / 8;
    unsigned shift = (unsigned)(at & 7);
    if (width == 0) return 0;
    uint64_t v = load(from, end) >> shift;
    if (shift + width > 64) v |= load(from + 8, end) << (64 - shift);
    return width == 64 ? v : v & (((uint64_t)1 << width) - 1);
}

/* ---- runs and bit-packed groups ---- */

static bool hybrid_run(parquet_hybrid *h)
{
    thrift t = {h->p, h->end, false};
    uint64_t head = thrift_varint(&t), n = head >> 1;
    size_t left = (size_t)(t.end - t.p);
    if (t.bad || n == 0 || n > UINT32_MAX / 8) return false;
    h->p = t.p;
    if (head & 1) { /* groups of eight; the last may be cut off behind the values that count */
        uint64_t bytes = n * h->width;
        h->packed = h->p;
        h->bit = 0;
        h->left = (uint32_t)(n * 8);
        if (bytes > left) {
            h->left = h->width ? (uint32_t)((uint64_t)left * 8 / h->width) : h->left;
            bytes = left;
        }
        h->p += bytes;
        return h->left > 0;
    }
    size_t size = (h->width + 7) / 8;
    if (size > left) return false;
    h->value = (uint32_t)(load(h->p, h->p + size));
    if (h->width < 32 && h->value >> h->width) return false; /* levels are counted by adding them up: none may be more than 1 */
    h->packed = NULL;
    h->left = (uint32_t)n;
    h->p += size;
    return true;
}

static void unpack32(const parquet_hybrid *h, uint32_t *out, size_t n)
{
    uint64_t at = h->bit, mask = h->width == 32 ? UINT32_MAX : ((uint64_t)1 << h->width) - 1;
    size_t i = 0;
    for (; i < n && h->packed + at / 8 + 8 <= h->p; i++, at += h->width) {
        uint64_t v;
        memcpy(&v, h->packed + at / 8, 8);
        if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) v = __builtin_bswap64(v);
        out[i] = (uint32_t)(v >> (at & 7) & mask);
    }
    for (; i < n; i++, at += h->width) out[i] = (uint32_t)bits_at(h->packed, h->p, at, h->width);
}

bool parquet_hybrid_next(parquet_hybrid *h, uint32_t *out, size_t n)
{
    while (n > 0) {
        if (h->left == 0 && !hybrid_run(h)) return false;
        size_t k = h->left < n ? h->left : n;
        if (h->packed) {
            unpack32(h, out, k);
            h->bit += (uint64_t)k * h->width;
        } else {
            for (size_t i = 0; i < k; i++) out[i] = h->value;
        }
        h->left -= (uint32_t)k;
        out += k;
        n -= k;
    }
    return true;
}

/* ---- differences of integers ---- */

static uint64_t unzigzag(uint64_t v)
{
    return v >> 1 ^ (0 - (v & 1));
}

bool parquet_delta_init(parquet_delta *d, const uint8_t *p, const uint8_t *end)
{
    thrift t = {p, end, false};
    *d = (parquet_delta){.end = end};
    d->block = thrift_varint(&t);
    d->minis = thrift_varint(&t);
    d->total = thrift_varint(&t);
    d->last = unzigzag(thrift_varint(&t));
    d->p = t.p;
    if (t.bad || d->block == 0 || d->block > MAX_BLOCK || d->minis == 0 || d->minis > MAX_MINIS || d->block % d->minis != 0) return false;
    d->mini = d->minis;
    return d->block / d->minis % 8 == 0;
}

/* The next part of a block, with a head before the first of them. */
static bool delta_mini(parquet_delta *d)
{
    if (d->mini == d->minis) {
        thrift t = {d->p, d->end, false};
        d->min_delta = unzigzag(thrift_varint(&t));
        if (t.bad || (uint64_t)(t.end - t.p) < d->minis) return false;
        d->widths = t.p;
        d->p = t.p + d->minis;
        d->mini = 0;
    }
    uint64_t bytes = d->block / d->minis * d->widths[d->mini] / 8, left = (uint64_t)(d->end - d->p);
    if (d->widths[d->mini] > 64) return false;
    d->packed = d->p;
    d->p += bytes < left ? bytes : left; /* some writers cut the last part off behind its last value */
    d->in_mini = 0;
    return true;
}

bool parquet_delta_next(parquet_delta *d, uint64_t *out, size_t n)
{
    uint64_t per = d->block / d->minis;
    if (n > d->total - d->given) return false;
    for (size_t i = 0; i < n; i++) {
        if (d->given++ > 0) {
            if (!d->packed || d->in_mini == per) {
                if (d->packed) d->mini++;
                if (!delta_mini(d)) return false;
            }
            unsigned width = d->widths[d->mini];
            uint64_t at = d->in_mini++ * width;
            if (at + width > (uint64_t)(d->p - d->packed) * 8) return false;
            d->last += d->min_delta + bits_at(d->packed, d->p, at, width);
        }
        out[i] = d->last;
    }
    return true;
}

/* ---- strings by their differences ---- */

/* Lengths from a stream of differences, to span[].n; *p is moved behind them. As many as the page has values. */
static bool read_lengths(parquet_decoder *d, const uint8_t **p, uint64_t n_values, uint32_t **length, size_t *cap, size_t *n)
{
    parquet_delta delta;
    uint64_t v[STEP];
    if (!parquet_delta_init(&delta, *p, d->end) || delta.total > n_values || delta.total > MAX_STRINGS) return false;
    for (*n = 0; *n < delta.total;) {
        size_t k = delta.total - *n < STEP ? (size_t)(delta.total - *n) : STEP;
        if (!parquet_delta_next(&delta, v, k) || mem_grow(length, cap, *n + k, sizeof **length, "lengths of strings") != OK) return false;
        for (size_t i = 0; i < k; i++) {
            if (v[i] > PARQUET_MAX_PAGE) return false;
            (*length)[(*n)++] = (uint32_t)v[i];
        }
    }
    *p = delta.p;
    return true;
}

static bool spans_fit(parquet_decoder *d, size_t n)
{
    d->n_span = n;
    d->span_at = 0;
    return mem_grow(&d->span, &d->span_cap, n + 1, sizeof *d->span, "strings of a page") == OK;
}

static const char *begin_lengths(parquet_decoder *d, uint64_t n_values)
{
    uint32_t *length = NULL;
    size_t cap = 0, n = 0;
    const char *why = "the lengths of its strings are damaged";
    if (!read_lengths(d, &d->p, n_values, &length, &cap, &n) || !spans_fit(d, n)) goto done;
    for (size_t i = 0; i < n; i++) {
        if (length[i] > (size_t)(d->end - d->p)) goto done;
        d->span[i] = (parquet_span){d->p, length[i]};
        d->p += length[i];
    }
    why = NULL;
done:
    free(length);
    return why;
}

/* Each string is the first prefix[i] bytes of the one before, and a rest of its own. */
static bool build(parquet_decoder *d, const uint32_t *prefix, const uint32_t *rest, size_t n)
{
    size_t total = 0, at = 0;
    for (size_t i = 0; i < n; i++)
        if ((total += (size_t)prefix[i] + rest[i]) > MAX_BUILT) return false;
    if (mem_grow(&d->built, &d->built_cap, total + 1, 1, "strings of a page") != OK || !spans_fit(d, n)) return false;
    for (size_t i = 0; i < n; i++) {
        uint8_t *to = d->built + at;
        if (prefix[i] > (i ? d->span[i - 1].n : 0) || rest[i] > (size_t)(d->end - d->p)) return false;
        if (prefix[i]) memcpy(to, d->span[i - 1].bytes, prefix[i]);
        memcpy(to + prefix[i], d->p, rest[i]);
        d->p += rest[i];
        d->span[i] = (parquet_span){to, prefix[i] + rest[i]};
        at += d->span[i].n;
    }
    return true;
}

static const char *begin_bytes(parquet_decoder *d, uint64_t n_values)
{
    uint32_t *prefix = NULL, *rest = NULL;
    size_t cap[2] = {0}, n[2] = {0};
    bool good = read_lengths(d, &d->p, n_values, &prefix, &cap[0], &n[0]) && read_lengths(d, &d->p, n_values, &rest, &cap[1], &n[1]) &&
                n[0] == n[1] && build(d, prefix, rest, n[0]);
    free(prefix);
    free(rest);
    return good ? NULL : "the prefixes of its strings are damaged";
}

/* ---- a page ---- */

static const char *begin_hybrid(parquet_decoder *d, unsigned width)
{
    if (width > 32) return "its indices have more than 32 bits";
    d->hybrid = (parquet_hybrid){.p = d->p, .end = d->end, .width = width};
    return NULL;
}

const char *parquet_decode_begin(parquet_decoder *d, const uint8_t *p, size_t n, uint64_t n_values)
{
    d->p = p;
    d->end = p + n;
    d->bit = 0;
    bool is_int = d->type == TYPE_I32 || d->type == TYPE_I64, is_bytes = d->type == TYPE_BYTES || d->type == TYPE_FIXED;
    switch (d->encoding) {
    case ENC_PLAIN: return NULL;
    case ENC_PLAIN_DICTIONARY:
    case ENC_RLE_DICTIONARY:
        if (n == 0) return begin_hybrid(d, 0); /* a page of nothing but missing values */
        d->p++;
        return begin_hybrid(d, p[0]);
    case ENC_RLE:
        if (d->type != TYPE_BOOL) break;
        if (n < 4 || load(p, p + 4) > n - 4) return "its runs are damaged";
        d->end = p + 4 + load(p, p + 4);
        d->p += 4;
        return begin_hybrid(d, 1);
    case ENC_DELTA_BINARY:
        if (!is_int) break;
        return parquet_delta_init(&d->delta, d->p, d->end) ? NULL : "its differences are damaged";
    case ENC_DELTA_LENGTH:
        if (d->type != TYPE_BYTES) break;
        return begin_lengths(d, n_values);
    case ENC_DELTA_BYTES:
        if (!is_bytes) break;
        return begin_bytes(d, n_values);
    case ENC_SPLIT:
        if (d->type == TYPE_BYTES || d->type == TYPE_BOOL || d->type == TYPE_I96 || n % (size_t)d->width != 0) break;
        d->n_split = n / (size_t)d->width;
        d->split_at = 0;
        return NULL;
    default: break;
    }
    return "it has an encoding that is not read, or not for its type";
}

static const char *const early = "it ends before its last value";

static const char *plain(parquet_decoder *d, void *out, size_t n)
{
    size_t width = (size_t)d->width, left = (size_t)(d->end - d->p);
    if (d->type == TYPE_BOOL) {
        uint8_t *to = out;
        if (n > left * 8 - d->bit) return early;
        for (size_t i = 0; i < n; i++, d->bit++) to[i] = d->p[d->bit / 8] >> (d->bit & 7) & 1;
    } else if (d->type == TYPE_BYTES) {
        parquet_span *to = out;
        for (size_t i = 0; i < n; i++) {
            left = (size_t)(d->end - d->p);
            if (left < 4 || load(d->p, d->p + 4) > left - 4) return early;
            to[i] = (parquet_span){d->p + 4, (uint32_t)load(d->p, d->p + 4)};
            d->p += 4 + to[i].n;
        }
    } else {
        if (n > left / width) return early;
        memcpy(out, d->p, n * width);
        d->p += n * width;
    }
    return NULL;
}

static const char *indexed(parquet_decoder *d, void *out, size_t n)
{
    uint32_t index[STEP];
    size_t width = (size_t)d->width;
    for (size_t at = 0; at < n; at += STEP) {
        size_t k = n - at < STEP ? n - at : STEP;
        uint8_t *to = (uint8_t *)out + at * width;
        uint32_t most = 0;
        if (!parquet_hybrid_next(&d->hybrid, index, k)) return early;
        for (size_t i = 0; i < k; i++) most = index[i] > most ? index[i] : most;
        if (most >= d->n_dictionary) return "an index is beyond its dictionary";
        if (width == 4)
            for (size_t i = 0; i < k; i++) memcpy(to + i * 4, (const uint8_t *)d->dictionary + index[i] * (size_t)4, 4);
        else
            for (size_t i = 0; i < k; i++) memcpy(to + i * width, (const uint8_t *)d->dictionary + index[i] * width, width);
    }
    return NULL;
}

static const char *differences(parquet_decoder *d, uint8_t *out, size_t n)
{
    uint64_t v[STEP];
    for (size_t at = 0; at < n; at += STEP) {
        size_t k = n - at < STEP ? n - at : STEP;
        if (!parquet_delta_next(&d->delta, v, k)) return early;
        for (size_t i = 0; i < k; i++)
            if (d->type == TYPE_I64) {
                memcpy(out + (at + i) * 8, &v[i], 8);
            } else {
                uint32_t low = (uint32_t)v[i];
                memcpy(out + (at + i) * 4, &low, 4);
            }
    }
    return NULL;
}

static const char *runs(parquet_decoder *d, uint8_t *out, size_t n)
{
    uint32_t v[STEP];
    for (size_t at = 0; at < n; at += STEP) {
        size_t k = n - at < STEP ? n - at : STEP;
        if (!parquet_hybrid_next(&d->hybrid, v, k)) return early;
        for (size_t i = 0; i < k; i++) out[at + i] = (uint8_t)v[i];
    }
    return NULL;
}

static const char *spans(parquet_decoder *d, void *out, size_t n)
{
    if (n > d->n_span - d->span_at) return early;
    const parquet_span *from = d->span + d->span_at;
    d->span_at += n;
    if (d->type == TYPE_BYTES) {
        memcpy(out, from, n * sizeof *from);
        return NULL;
    }
    for (size_t i = 0; i < n; i++) {
        if (from[i].n != (uint32_t)d->width) return "a value has another length than its column";
        memcpy((uint8_t *)out + i * (size_t)d->width, from[i].bytes, (size_t)d->width);
    }
    return NULL;
}

static const char *split(parquet_decoder *d, uint8_t *out, size_t n)
{
    if (n > d->n_split - d->split_at) return early;
    size_t width = (size_t)d->width;
    for (size_t b = 0; b < width; b++) {
        const uint8_t *from = d->p + b * d->n_split + d->split_at;
        for (size_t i = 0; i < n; i++) out[i * width + b] = from[i];
    }
    d->split_at += n;
    return NULL;
}

const char *parquet_decode(parquet_decoder *d, void *out, size_t n)
{
    if (n == 0) return NULL;
    switch (d->encoding) {
    case ENC_PLAIN: return plain(d, out, n);
    case ENC_RLE: return runs(d, out, n);
    case ENC_DELTA_BINARY: return differences(d, out, n);
    case ENC_DELTA_LENGTH:
    case ENC_DELTA_BYTES: return spans(d, out, n);
    case ENC_SPLIT: return split(d, out, n);
    default: return indexed(d, out, n);
    }
}

void parquet_decoder_free(parquet_decoder *d)
{
    free(d->span);
    free(d->built);
    d->span = NULL;
    d->built = NULL;
}
