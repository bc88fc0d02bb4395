/* parquet_text.c -- one value of a Parquet column as text. */
#include "parquet_impl.h"

#include "micon/base/num.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The shortest decimal that reads back the same. */
static void real_text(double v, bool single, text *out)
{
    char s[40];
    if (isnan(v)) {
        text_add(out, "nan");
        return;
    }
    if (isinf(v)) {
        text_add(out, v < 0 ? "-inf" : "inf");
        return;
    }
    for (int digits = single ? 6 : 15; digits <= 17; digits++) {
        snprintf(s, sizeof s, "%.*g", digits, v);
        double back = strtod(s, NULL);
        if (single ? (float)back == (float)v : back == v) break;
    }
    text_add(out, s);
}

/* A big-endian two's complement number of n bytes into decimal digits, without sign, lowest first. Caller has room for 3 digits a byte. */
static size_t digits_of(const uint8_t *bytes, size_t n, bool *negative, char *digit)
{
    uint8_t magnitude[64];
    size_t n_digits = 0;
    *negative = n > 0 && bytes[0] & 128;
    unsigned carry = *negative;
    for (size_t i = n; i-- > 0;) {
        unsigned b = (*negative ? (uint8_t)~bytes[i] : bytes[i]) + carry;
        magnitude[i] = (uint8_t)b;
        carry = b >> 8;
    }
    for (size_t first = 0; first < n;) {
        unsigned rest = 0;
        for (size_t i = first; i < n; i++) {
            unsigned v = rest << 8 | magnitude[i];
            magnitude[i] = (uint8_t)(v / 10);
            rest = v % 10;
        }
        digit[n_digits++] = (char)('0' + rest);
        while (first < n && magnitude[first] == 0) first++;
    }
    return n_digits;
}

/* The unscaled number of a decimal as big-endian bytes; 0: too long to be one. */
static size_t decimal_bytes(const parquet_col *c, const void *value, uint8_t out[64])
{
    size_t n = c->type == TYPE_I32 ? 4 : 8;
    if (c->type == TYPE_BYTES || c->type == TYPE_FIXED) {
        const uint8_t *from = value;
        parquet_span s;
        n = (size_t)c->width;
        if (c->type == TYPE_BYTES) {
            memcpy(&s, value, sizeof s);
            from = s.bytes;
            n = s.n;
        }
        if (n > 64) return 0;
        if (n) memcpy(out, from, n);
        return n;
    }
    int64_t v = 0;
    int32_t v32;
    if (n == 4)
        memcpy(&v32, value, 4), v = v32;
    else
        memcpy(&v, value, 8);
    for (size_t i = 0; i < n; i++) out[i] = (uint8_t)((uint64_t)v >> (8 * (n - 1 - i)));
    return n;
}

static void decimal_text(const parquet_col *c, const void *value, text *out)
{
    uint8_t bytes[64];
    char digit[64 * 3], one[2] = {0};
    bool negative;
    size_t n = decimal_bytes(c, value, bytes), n_digits = digits_of(bytes, n, &negative, digit), scale = (size_t)c->scale;
    if (n == 0) return;
    if (negative) text_add(out, "-");
    if (n_digits <= scale) text_add(out, "0");
    for (size_t i = n_digits > scale ? n_digits : scale; i-- > 0;) {
        if (i + 1 == scale) text_add(out, ".");
        one[0] = i < n_digits ? digit[i] : '0';
        text_add(out, one);
    }
}

double parquet_decimal(const parquet_col *c, const void *value)
{
    text t = {0};
    decimal_text(c, value, &t);
    double v = t.n ? strtod(t.s, NULL) : NAN;
    text_free(&t);
    return v;
}

/* Days since 1970-01-01 as a date of the Gregorian calendar, for all of int64 that a timestamp can reach (eras of 400 years). */
static void date_text(int64_t days, text *out)
{
    int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
    int64_t day = z - era * 146097, year_in_era = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t day_of_year = day - (365 * year_in_era + year_in_era / 4 - year_in_era / 100), shifted = (5 * day_of_year + 2) / 153;
    int64_t month = shifted < 10 ? shifted + 3 : shifted - 9, year = year_in_era + era * 400 + (month <= 2);
    text_addf(out, "%04" PRId64 "-%02d-%02d", year, (int)month, (int)(day_of_year - (153 * shifted + 2) / 5 + 1));
}

/* A time of the day in units of 10^-digits seconds; zeros at the end of the fraction are left out. */
static void time_text(int64_t v, int digits, text *out)
{
    int64_t unit = digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000, s = v / unit, part = v % unit;
    text_addf(out, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
    if (part == 0) return;
    char fraction[16];
    int n = snprintf(fraction, sizeof fraction, ".%0*" PRId64, digits, part);
    while (fraction[n - 1] == '0') fraction[--n] = '\0';
    text_add(out, fraction);
}

static void stamp_text(int64_t v, int digits, bool utc, text *out)
{
    int64_t unit = digits == 3 ? 1000 : digits == 6 ? 1000000 : 1000000000, day = unit * 86400, days = v / day, rest = v % day;
    if (rest < 0) {
        rest += day;
        days--;
    }
    date_text(days, out);
    text_add(out, " ");
    time_text(rest, digits, out);
    if (utc) text_add(out, "+00:00");
}

static void integer_text(const parquet_col *c, int64_t v, text *out)
{
    int64_t day = (c->scale == 3 ? 1000 : c->scale == 6 ? 1000000 : 1000000000) * (int64_t)86400;
    switch (c->as) {
    case AS_DATE: date_text(v, out); break;
    case AS_TIME: v >= 0 && v < day ? time_text(v, c->scale, out) : text_addf(out, "%" PRId64, v); break;
    case AS_TIMESTAMP: stamp_text(v, c->scale, c->utc, out); break;
    case AS_UNSIGNED: text_addf(out, "%" PRIu64, c->type == TYPE_I32 ? (uint64_t)(uint32_t)v : (uint64_t)v); break;
    default: text_addf(out, "%" PRId64, v);
    }
}

/* INT96: nanoseconds of the day, then the Julian day. */
static void julian_text(const uint8_t *v, text *out)
{
    int64_t nanos;
    int32_t day;
    memcpy(&nanos, v, 8);
    memcpy(&day, v + 8, 4);
    date_text((int64_t)day - 2440588, out);
    text_add(out, " ");
    if (nanos < 0 || nanos >= 86400 * (int64_t)1000000000)
        text_addf(out, "%" PRId64, nanos);
    else
        time_text(nanos, 9, out);
}

void parquet_value_text(const parquet_col *c, const void *value, text *out)
{
    int32_t i;
    int64_t l;
    float f;
    double d;
    uint16_t half;
    parquet_span s;
    if (c->as == AS_DECIMAL) {
        decimal_text(c, value, out);
        return;
    }
    switch (c->type) {
    case TYPE_BOOL: text_add(out, *(const uint8_t *)value ? "true" : "false"); break;
    case TYPE_I32: memcpy(&i, value, sizeof i), integer_text(c, i, out); break;
    case TYPE_I64: memcpy(&l, value, sizeof l), integer_text(c, l, out); break;
    case TYPE_I96: julian_text(value, out); break;
    case TYPE_F32: memcpy(&f, value, sizeof f), real_text((double)f, true, out); break;
    case TYPE_F64: memcpy(&d, value, sizeof d), real_text(d, false, out); break;
    case TYPE_BYTES: memcpy(&s, value, sizeof s), text_addn(out, (const char *)s.bytes, s.n); break;
    case TYPE_FIXED:
        if (c->as == AS_HALF)
            memcpy(&half, value, sizeof half), real_text((double)num_half(half), true, out);
        else
            text_addn(out, value, (size_t)c->width);
        break;
    }
}
