/* text.c -- growing text, lists of names, comparing and writing names. */
#include "micon/base/text.h"

#include "micon/base/mem.h"

#include <ctype.h>
#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void text_room(text *t, size_t more)
{
    if (t->n + more + 1 <= t->cap) return;
    t->cap = (t->n + more + 1) * 2;
    t->s = xrealloc(t->s, t->cap);
}

void text_addn(text *t, const char *s, size_t n)
{
    text_room(t, n);
    memcpy(t->s + t->n, s, n);
    t->n += n;
    t->s[t->n] = '\0';
}

void text_add(text *t, const char *s)
{
    text_addn(t, s, strlen(s));
}

void text_addf(text *t, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) return;
    text_room(t, (size_t)n);
    va_start(ap, fmt);
    vsnprintf(t->s + t->n, (size_t)n + 1, fmt, ap);
    va_end(ap);
    t->n += (size_t)n;
}

void text_clear(text *t)
{
    t->n = 0;
    if (t->s) t->s[0] = '\0';
}

const char *text_str(const text *t)
{
    return t->s ? t->s : "";
}

void text_free(text *t)
{
    free(t->s);
    *t = (text){0};
}

void names_addn(names *l, const char *s, size_t n)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? 2 * l->cap : 8;
        l->item = xrealloc(l->item, l->cap * sizeof *l->item);
    }
    l->item[l->n++] = xstrndup(s, n);
}

void names_add(names *l, const char *s)
{
    names_addn(l, s, strlen(s));
}

long names_find(const names *l, const char *s)
{
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->item[i], s) == 0) return (long)i;
    return -1;
}

void names_free(names *l)
{
    for (size_t i = 0; i < l->n; i++) free(l->item[i]);
    free(l->item);
    *l = (names){0};
}

void names_split(names *l, const char *s, char sep)
{
    for (;;) {
        const char *end = strchr(s, sep), *b = s, *e = end ? end : s + strlen(s);
        while (b < e && isspace((unsigned char)*b)) b++;
        while (e > b && isspace((unsigned char)e[-1])) e--;
        names_addn(l, b, (size_t)(e - b));
        if (!end) return;
        s = end + 1;
    }
}

/* Edits (insert, delete, replace, swap of neighbours) between short words; longer ones are cut. */
static int edits(const char *a, const char *b)
{
    enum { MAX = 48 };
    int na = (int)strnlen(a, MAX), nb = (int)strnlen(b, MAX), d[MAX + 1][MAX + 1];
    for (int i = 0; i <= na; i++) d[i][0] = i;
    for (int j = 0; j <= nb; j++) d[0][j] = j;
    for (int i = 1; i <= na; i++)
        for (int j = 1; j <= nb; j++) {
            int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (d[i - 1][j] + 1 < best) best = d[i - 1][j] + 1;
            if (d[i][j - 1] + 1 < best) best = d[i][j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best) best = d[i - 2][j - 2] + 1;
            d[i][j] = best;
        }
    return d[na][nb];
}

const char *names_nearest(const char *word, const char *const *known, size_t n)
{
    const char *best = NULL;
    int least = 1 + (int)strlen(word) / 3; /* beyond this it is another word */
    for (size_t i = 0; i < n; i++) {
        int e = edits(word, known[i]);
        if (e < least || (e == least && !best)) least = e, best = known[i];
    }
    return best;
}

int text_natural_cmp(const char *a, const char *b)
{
    const char *a0 = a, *b0 = b;
    while (*a && *b) {
        if (isdigit((unsigned char)*a) && isdigit((unsigned char)*b)) {
            while (*a == '0') a++;
            while (*b == '0') b++;
            size_t na = strspn(a, "0123456789"), nb = strspn(b, "0123456789");
            if (na != nb) return na < nb ? -1 : 1;
            int c = memcmp(a, b, na);
            if (c) return c;
            a += na, b += nb;
        } else {
            if (*a != *b) return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
            a++, b++;
        }
    }
    if (*a || *b) return *a ? 1 : -1;
    return strcmp(a0, b0); /* "01" and "1" differ, but only in the end */
}

char *text_encode_name(const char *s)
{
    text t = {0};
    bool dots = s[0] == '.' && (s[1] == '\0' || (s[1] == '.' && s[2] == '\0'));
    for (size_t i = 0; s[i]; i++) {
        unsigned char c = (unsigned char)s[i];
        bool edge = c == '_' && (i == 0 || s[i + 1] == '\0' || s[i - 1] == '_' || s[i + 1] == '_');
        bool plain = isascii(c) && (isalnum(c) || c == '.' || c == '+' || c == '-' || c == '@' || c == '_');
        if (!plain || edge || dots)
            text_addf(&t, "%%%02X", c);
        else
            text_addn(&t, s + i, 1);
    }
    if (!t.s) text_add(&t, "");
    return t.s;
}

static int hex_digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

char *text_decode_name(const char *s)
{
    text t = {0};
    text_add(&t, "");
    for (size_t i = 0; s[i]; i++) {
        char c = s[i];
        if (c == '%') {
            int hi = hex_digit(s[i + 1]), lo = hi < 0 ? -1 : hex_digit(s[i + 2]);
            if (lo < 0 || hi * 16 + lo == 0) return text_free(&t), NULL;
            c = (char)(hi * 16 + lo);
            i += 2;
        }
        text_addn(&t, &c, 1);
    }
    char *again = text_encode_name(t.s);
    bool same = strcmp(again, s) == 0;
    free(again);
    if (!same) text_free(&t);
    return t.s;
}

bool text_well_place(const char *s, int *row, int *column)
{
    int r = 0, c = 0, letters = 0, digits = 0;
    for (; isalpha((unsigned char)*s) && letters < 3; s++, letters++) r = r * 26 + toupper((unsigned char)*s) - 'A' + 1;
    for (; isdigit((unsigned char)*s) && digits < 3; s++, digits++) c = c * 10 + *s - '0';
    if (*s || letters < 1 || digits < 1 || r < 1 || r > 32 || c < 1 || c > 48) return false;
    *row = r - 1;
    *column = c - 1;
    return true;
}

bool text_well(const char *s, char out[8])
{
    int r, c;
    if (!text_well_place(s, &r, &c)) return false;
    if (r < 26)
        snprintf(out, 8, "%c%02d", 'A' + r, c + 1);
    else
        snprintf(out, 8, "A%c%02d", 'A' + (r - 26), c + 1);
    return true;
}

/* Length of the valid UTF-8 sequence at s (1..4), or 0. Surrogates and overlong forms are refused. */
static int utf8_length(const unsigned char *s)
{
    if (s[0] < 0x80) return 1;
    int n = s[0] >= 0xC2 && s[0] < 0xE0 ? 2 : (s[0] & 0xF0) == 0xE0 ? 3 : s[0] >= 0xF0 && s[0] < 0xF5 ? 4 : 0;
    for (int i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80) return 0;
    if (n == 3 && ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] >= 0xA0))) return 0;
    if (n == 4 && ((s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] >= 0x90))) return 0;
    return n;
}

bool text_ends(const char *s, const char *end)
{
    size_t n = strlen(s), m = strlen(end);
    return n >= m && strcmp(s + n - m, end) == 0;
}

/* What a terminal would obey instead of showing it: control characters of both sets (C1 as UTF-8 too), marks that turn the direction of
 * writing, line and paragraph separators, the byte order mark; and bytes that are no UTF-8. */
static bool is_odd(const unsigned char *s, int len)
{
    if (len == 1) return s[0] < 0x20 || s[0] == 0x7F;
    if (len == 2) return (s[0] == 0xC2 && s[1] < 0xA0) || (s[0] == 0xD8 && s[1] == 0x9C);
    if (len == 3 && s[0] == 0xE2 && s[1] == 0x80) return s[2] == 0x8E || s[2] == 0x8F || (s[2] >= 0xA8 && s[2] <= 0xAE);
    if (len == 3 && s[0] == 0xE2 && s[1] == 0x81) return s[2] >= 0xA6 && s[2] <= 0xA9;
    return len == 0 || (len == 3 && memcmp(s, "\xEF\xBB\xBF", 3) == 0);
}

/* Of a character of one to three bytes. */
static unsigned code_point(const unsigned char *s, int len)
{
    if (len == 1) return s[0];
    if (len == 2) return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
}

void text_disarm(char *s)
{
    char *to = s;
    while (*s) {
        int len = utf8_length((const unsigned char *)s);
        size_t take = len ? (size_t)len : 1;
        if (*s != '\n' && *s != '\t' && is_odd((const unsigned char *)s, len))
            *to++ = '?';
        else
            memmove(to, s, take), to += take;
        s += take;
    }
    *to = '\0';
}

char *text_show(char *buf, size_t size, const char *s)
{
    size_t n = 0;
    while (*s) {
        int len = utf8_length((const unsigned char *)s);
        bool odd = is_odd((const unsigned char *)s, len);
        size_t take = len ? (size_t)len : 1;
        if (n + take + 4 >= size) {
            if (size >= 4) memcpy(buf + n, "...", 3), n += 3;
            break;
        }
        if (odd)
            buf[n++] = '?';
        else
            memcpy(buf + n, s, take), n += take;
        s += take;
    }
    if (size) buf[n] = '\0';
    return buf;
}

void text_add_json(text *t, const char *s)
{
    text_add(t, "\"");
    while (*s) {
        int len = utf8_length((const unsigned char *)s);
        unsigned char c = (unsigned char)*s;
        if (len == 0)
            text_add(t, "\xEF\xBF\xBD"), len = 1;
        else if (c == '"' || c == '\\')
            text_addf(t, "\\%c", c);
        else if (is_odd((const unsigned char *)s, len))
            text_addf(t, "\\u%04x", code_point((const unsigned char *)s, len));
        else
            text_addn(t, s, (size_t)len);
        s += len;
    }
    text_add(t, "\"");
}

void text_add_number(text *t, double v, const char *missing)
{
    if (isfinite(v))
        text_addf(t, "%.9g", v);
    else
        text_add(t, missing);
}
