/* mem.c -- checked memory. */
#include "micon/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Thread_local int64_t allocations;

int64_t mem_allocations(void)
{
    return allocations;
}

static void *need(void *p, size_t size)
{
    allocations++;
    if (p) return p;
    fprintf(stderr, "micon: out of memory (%zu bytes)\n", size);
    abort();
}

void *xmalloc(size_t size)
{
    return need(malloc(size ? size : 1), size);
}

void *xcalloc(size_t n, size_t size)
{
    return need(calloc(n ? n : 1, size ? size : 1), n * size);
}

void *xrealloc(void *p, size_t size)
{
    return need(realloc(p, size ? size : 1), size);
}

char *xstrndup(const char *s, size_t n)
{
    char *c = xmalloc(n + 1);
    memcpy(c, s, n);
    c[n] = '\0';
    return c;
}

char *xstrdup(const char *s)
{
    return xstrndup(s, strlen(s));
}

char *xasprintf(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0) abort();
    char *s = xmalloc((size_t)n + 1);
    va_start(ap, fmt);
    vsnprintf(s, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return s;
}

bool mul_size(size_t a, size_t b, size_t *out)
{
    return !__builtin_mul_overflow(a, b, out);
}

status mem_alloc(void *out, size_t n, size_t size, const char *what)
{
    enum { ALIGN = 64 };
    size_t bytes;
    void *p = NULL;
    if (!mul_size(n, size, &bytes) || bytes > SIZE_MAX - ALIGN)
        return fail(E_NOMEM, "%s: %zu x %zu bytes is more than can be addressed", what, n, size);
    allocations++;
    size_t rounded = (bytes + ALIGN) / ALIGN * ALIGN; /* never zero */
    if (posix_memalign(&p, ALIGN, rounded) != 0) return fail(E_NOMEM, "%s: no memory for %zu bytes", what, bytes);
    memset(p, 0, bytes);
    memcpy(out, &p, sizeof p);
    return OK;
}

status mem_grow(void *block, size_t *cap, size_t want, size_t size, const char *what)
{
    if (want <= *cap) return OK;
    size_t n = *cap ? *cap : 16, bytes;
    while (n < want)
        if (!mul_size(n, 2, &n)) return fail(E_NOMEM, "%s: too many", what);
    if (!mul_size(n, size, &bytes)) return fail(E_NOMEM, "%s: %zu x %zu bytes is more than can be addressed", what, n, size);
    allocations++;
    void *old, *p;
    memcpy(&old, block, sizeof old);
    if (!(p = realloc(old, bytes))) return fail(E_NOMEM, "%s: no memory for %zu bytes", what, bytes);
    memcpy(block, &p, sizeof p);
    *cap = n;
    return OK;
}
