/* num.c -- strict numbers. strtod and strtoll accept too much (spaces, hex, "inf", trailing text): look at the text first. */
#include "micon/base/num.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool num_i64(const char *s, int64_t *out)
{
    const char *p = s + (*s == '-' || *s == '+');
    if (!isdigit((unsigned char)*p)) return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno || *end) return false;
    *out = v;
    return true;
}

bool num_f64(const char *s, double *out)
{
    const char *p = s + (*s == '-' || *s == '+');
    if (!isdigit((unsigned char)p[0]) && !(p[0] == '.' && isdigit((unsigned char)p[1]))) return false;
    if (p[0] == '0' && (p[1] == 'x' || p[1] == 'X')) return false;
    char *end;
    errno = 0;
    double v = strtod(s, &end);
    if (*end || !isfinite(v)) return false; /* underflow to a denormal or zero is a number */
    *out = v;
    return true;
}

bool num_yes(const char *s, bool *out)
{
    static const char *const yes[] = {"yes", "true", "on"}, *const no[] = {"no", "false", "off"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(s, yes[i]) == 0) return *out = true, true;
        if (strcmp(s, no[i]) == 0) return *out = false, true;
    }
    return false;
}

bool num_bytes(const char *s, int64_t *out)
{
    static const struct {
        const char *unit;
        double bytes;
    } units[] = {{"", 1},     {"KiB", 1024.0}, {"MiB", 1048576.0}, {"GiB", 1073741824.0}, {"TiB", 1099511627776.0},
                 {"KB", 1e3}, {"MB", 1e6},     {"GB", 1e9},        {"TB", 1e12}};
    char number[32];
    size_t n = strspn(s, "0123456789.");
    if (n == 0 || n >= sizeof number) return false;
    memcpy(number, s, n);
    number[n] = '\0';
    double v;
    if (!num_f64(number, &v)) return false;
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcmp(s + n, units[i].unit) == 0) {
            v *= units[i].bytes;
            if (v > 9e18) return false;
            *out = (int64_t)v;
            return true;
        }
    return false;
}

float num_half(uint16_t bits)
{
    int exponent = bits >> 10 & 31;
    float fraction = (float)(bits & 1023) / 1024.0f, v;
    if (exponent == 31)
        v = bits & 1023 ? NAN : INFINITY;
    else
        v = exponent ? ldexpf(1 + fraction, exponent - 15) : ldexpf(fraction, -14);
    return bits >> 15 ? -v : v;
}

status int_from_i64(int64_t v, int *out)
{
    if (v < INT32_MIN || v > INT32_MAX) return fail(E_INTERNAL, "a count of %lld does not fit an int", (long long)v);
    *out = (int)v;
    return OK;
}

char *num_show_bytes(char *buf, size_t size, double bytes)
{
    static const char *const unit[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    int i = 0;
    while (bytes >= 1000 && i < 5) bytes /= 1000, i++;
    snprintf(buf, size, i == 0 ? "%.0f %s" : "%.1f %s", bytes, unit[i]);
    return buf;
}

char *num_show_time(char *buf, size_t size, double seconds)
{
    if (!(seconds >= 0))
        snprintf(buf, size, "?");
    else if (seconds < 10)
        snprintf(buf, size, "%.1f s", seconds);
    else if (seconds < 120)
        snprintf(buf, size, "%.0f s", seconds);
    else if (seconds < 7200)
        snprintf(buf, size, "%.0f min", seconds / 60);
    else
        snprintf(buf, size, "%.0f h %02.0f min", floor(seconds / 3600), floor(fmod(seconds, 3600) / 60));
    return buf;
}
