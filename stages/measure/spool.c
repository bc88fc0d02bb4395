/* spool.c -- rows in a file that has no name, so that whatever happens to the process nothing of it is left. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

status row_spool_open(row_spool *s, size_t row_bytes, const char *folder)
{
    status st = path_make_dirs(folder);
    char *name = path_join(folder, ".micon-rows-XXXXXX");
    *s = (row_spool){.fd = -1, .row_bytes = row_bytes};
    if (st == OK && (s->fd = mkstemp(name)) < 0) st = fail(E_IO, "%s: no file for rows of features: %s", folder, strerror(errno));
    if (s->fd >= 0) unlink(name);
    free(name);
    return st;
}

void row_spool_close(row_spool *s)
{
    if (s->fd >= 0) close(s->fd);
    *s = (row_spool){.fd = -1};
}

status row_spool_add(row_spool *s, const void *rows, int64_t n)
{
    const char *from = rows;
    size_t size = (size_t)n * s->row_bytes;
    off_t start = (off_t)s->n * (off_t)s->row_bytes;
    for (size_t at = 0; at < size;) {
        ssize_t put = pwrite(s->fd, from + at, size - at, start + (off_t)at);
        if (put < 0 && errno == EINTR) continue;
        if (put <= 0) return fail(E_IO, "rows of features could not be kept beside the output: %s", put < 0 ? strerror(errno) : "no space");
        at += (size_t)put;
    }
    s->n += n;
    return OK;
}

status row_spool_get(const row_spool *s, int64_t first, int64_t n, void *rows)
{
    char *to = rows;
    size_t size = (size_t)n * s->row_bytes;
    off_t start = (off_t)first * (off_t)s->row_bytes;
    for (size_t at = 0; at < size;) {
        ssize_t got = pread(s->fd, to + at, size - at, start + (off_t)at);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return fail(E_IO, "rows of features could not be read back: %s", got < 0 ? strerror(errno) : "they ended early");
        at += (size_t)got;
    }
    return OK;
}
