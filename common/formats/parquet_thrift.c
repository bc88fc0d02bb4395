/* parquet_thrift.c -- the compact protocol of thrift, as far as Parquet's structures use it. After the first error everything reads as zero
 * and every struct and list ends, so that callers look at `bad` once. */
#include "parquet_impl.h"

enum { MAX_DEPTH = 24 };

static uint8_t byte(thrift *t)
{
    if (t->bad || t->p >= t->end) return t->bad = true, 0;
    return *t->p++;
}

uint64_t thrift_varint(thrift *t)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        uint8_t b = byte(t);
        v |= (uint64_t)(b & 127) << shift;
        if (!(b & 128)) return v;
    }
    t->bad = true;
    return 0;
}

static int64_t zigzag(thrift *t)
{
    uint64_t v = thrift_varint(t);
    return (int64_t)(v >> 1 ^ (0 - (v & 1)));
}

bool thrift_field(thrift *t, int *id, int *type)
{
    uint8_t b = byte(t);
    if (t->bad || b == 0) return false;
    *type = b & 15;
    int64_t next = b >> 4 ? *id + (b >> 4) : zigzag(t);
    if (next < 0 || next > INT16_MAX) t->bad = true;
    *id = (int)next;
    return !t->bad;
}

int64_t thrift_int(thrift *t, int type)
{
    if (type == THRIFT_I8) return (int8_t)byte(t);
    if (type < THRIFT_I16 || type > THRIFT_I64) t->bad = true;
    return t->bad ? 0 : zigzag(t);
}

const uint8_t *thrift_binary(thrift *t, int type, size_t *n)
{
    if (type != THRIFT_BINARY) t->bad = true;
    uint64_t size = thrift_varint(t);
    const uint8_t *p = t->p;
    if (t->bad || size > (uint64_t)(t->end - t->p)) {
        t->bad = true;
        *n = 0;
        return p;
    }
    t->p += size;
    *n = (size_t)size;
    return p;
}

size_t thrift_list(thrift *t, int type, int *element)
{
    if (type != THRIFT_LIST) t->bad = true;
    uint8_t b = byte(t);
    uint64_t n = b >> 4 == 15 ? thrift_varint(t) : b >> 4;
    *element = b & 15;
    if (n > (uint64_t)(t->end - t->p)) t->bad = true; /* an element has one byte at least */
    return t->bad ? 0 : (size_t)n;
}

bool thrift_struct(thrift *t, int type)
{
    if (type != THRIFT_STRUCT) t->bad = true;
    return !t->bad;
}

static void skip_bytes(thrift *t, uint64_t n)
{
    if (n > (uint64_t)(t->end - t->p))
        t->bad = true;
    else
        t->p += n;
}

static void skip(thrift *t, int type, int depth, bool in_list)
{
    int id = 0, element;
    if (depth > MAX_DEPTH) t->bad = true;
    if (t->bad) return;
    switch (type) {
    case THRIFT_TRUE:
    case THRIFT_FALSE:
        if (in_list) skip_bytes(t, 1); /* as a field the type is the value */
        break;
    case THRIFT_I8: skip_bytes(t, 1); break;
    case THRIFT_I16:
    case THRIFT_I32:
    case THRIFT_I64: thrift_varint(t); break;
    case THRIFT_DOUBLE: skip_bytes(t, 8); break;
    case THRIFT_BINARY: skip_bytes(t, thrift_varint(t)); break;
    case THRIFT_LIST:
    case THRIFT_LIST + 1: /* a set */
        for (size_t n = thrift_list(t, THRIFT_LIST, &element); n-- > 0 && !t->bad;) skip(t, element, depth + 1, true);
        break;
    case THRIFT_STRUCT:
        while (thrift_field(t, &id, &element)) skip(t, element, depth + 1, false);
        break;
    default: t->bad = true; /* maps are in no structure of Parquet's */
    }
}

void thrift_skip(thrift *t, int type)
{
    skip(t, type, 0, false);
}
