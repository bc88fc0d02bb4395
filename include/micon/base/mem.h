/* mem.h -- checked memory. Local.
 * Small things (below 1 MiB) use the x* calls, which end the process when memory is gone; data-sized blocks use mem_alloc,
 * which fails with a status that says how much was wanted and for what. Free both with free(). */
#ifndef MICON_BASE_MEM_H
#define MICON_BASE_MEM_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *xmalloc(size_t size);
void *xcalloc(size_t n, size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);
char *xstrndup(const char *s, size_t n);
char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* *out = n * size zeroed bytes, aligned to 64; `what` names it in the message ("pixels of a.tif"). n = 0 gives a valid block. */
status mem_alloc(void *out, size_t n, size_t size, const char *what) MUST_USE;

/* Make room for `want` elements, at least doubling: mem_grow(&v->item, &v->cap, v->n + 1, sizeof *v->item, "rows"). */
status mem_grow(void *block, size_t *cap, size_t want, size_t size, const char *what) MUST_USE;

/* Blocks that this thread has asked these functions for so far (and of libraries' own calls none): stands still where nothing may be
 * allocated. */
int64_t mem_allocations(void);

/* Bytes that this machine can still give without swapping, the page cache counted as free; no more than the control group (a SLURM job's,
 * a container's) leaves. */
double mem_available(void);

/* *out = a * b; false on overflow. */
bool mul_size(size_t a, size_t b, size_t *out) MUST_USE;

/* Free what *p points to and set it NULL. */
#define FREE(p)                                                                                                                            \
    do {                                                                                                                                   \
        free(p);                                                                                                                           \
        (p) = NULL;                                                                                                                        \
    } while (0)

#endif
