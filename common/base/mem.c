/* mem.c -- checked memory. */
#include "micon/base/mem.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* The number after `key` at the beginning of a line; -1: there is none. */
static double number_after(const char *path, const char *key)
{
    char line[256];
    double v = -1;
    FILE *f = fopen(path, "r");
    while (f && v < 0 && fgets(line, sizeof line, f))
        if (strncmp(line, key, strlen(key)) == 0 && strspn(line + strlen(key), " \t0123456789") > 0) v = strtod(line + strlen(key), NULL);
    if (f) fclose(f);
    return v;
}

/* File names in the two versions of control groups: limit, use, reclaimable cache, and where the groups are. */
static const struct {
    const char *limit, *use, *cache, *root;
} group_kind[] = {{"memory.max", "memory.current", "inactive_file ", "/sys/fs/cgroup"},
                  {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ", "/sys/fs/cgroup/memory"}};

/* Free memory according to the control groups from `below` up to the root; `least` where they set no limit. */
static double group_leaves(int kind, const char *below, double least)
{
    char dir[4200], path[4300];
    size_t top = strlen(group_kind[kind].root);
    snprintf(dir, sizeof dir, "%s%s", group_kind[kind].root, strcmp(below, "/") == 0 ? "" : below);
    for (;;) {
        snprintf(path, sizeof path, "%s/%s", dir, group_kind[kind].limit);
        double most = number_after(path, "");
        snprintf(path, sizeof path, "%s/%s", dir, group_kind[kind].use);
        double used = number_after(path, "");
        snprintf(path, sizeof path, "%s/memory.stat", dir);
        double cache = number_after(path, group_kind[kind].cache), left = most - used + (cache > 0 ? cache : 0);
        if (most >= 0 && used >= 0 && left < least) least = left > 0 ? left : 0;
        char *slash = strrchr(dir, '/');
        if (strlen(dir) <= top || !slash) return least;
        *slash = '\0';
    }
}

double mem_available(void)
{
    char line[4000];
    double kb = number_after("/proc/meminfo", "MemAvailable:");
    double have = kb >= 0 ? kb * 1024 : (double)sysconf(_SC_AVPHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    FILE *f = fopen("/proc/self/cgroup", "r");
    while (f && fgets(line, sizeof line, f)) {
        const char *v1 = strstr(line, ":memory:");
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, "0::", 3) == 0) have = group_leaves(0, line + 3, have);
        if (v1) have = group_leaves(1, v1 + strlen(":memory:"), have);
    }
    if (f) fclose(f);
    return have;
}
