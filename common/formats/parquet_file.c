/* parquet_file.c -- opening a Parquet file (parquet.h): its bytes, its columns and rows. Files are read with pread, never mapped: one that
 * is cut off while it is read is an error, no signal. */
#include "parquet_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FOOTER = 1 << 29 };

status parquet_bytes_at(const parquet *p, int64_t at, void *to, size_t n)
{
    if (at < 0 || at > p->size || n > (size_t)(p->size - at)) return fail(E_FORMAT, "%s: it is cut off", p->shown);
    if (p->fd < 0) {
        memcpy(to, p->mem + at, n);
        return OK;
    }
    for (size_t done = 0; done < n;) {
        ssize_t got = pread(p->fd, (uint8_t *)to + done, n - done, (off_t)(at + (int64_t)done));
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail(E_IO, "%s: reading failed: %s", p->shown, strerror(errno));
        if (got == 0) return fail(E_FORMAT, "%s: became shorter while it was read", p->shown);
        done += (size_t)got;
    }
    return OK;
}

bool parquet_is(const void *bytes, size_t n)
{
    return n >= 4 && (memcmp(bytes, "PAR1", 4) == 0 || memcmp(bytes, "PARE", 4) == 0);
}

status parquet_is_file(const char *path, bool *yes)
{
    char head[4];
    int fd = -1;
    status st = path_open_regular(path, &fd);
    *yes = st == OK && pread(fd, head, sizeof head, 0) == sizeof head && parquet_is(head, sizeof head);
    if (fd >= 0) close(fd);
    return st;
}

static status read_footer(parquet *p)
{
    status st = OK;
    uint8_t tail[8], head[4], *footer = NULL;
    if (p->size < 12) TRY(fail(E_FORMAT, "%s: is too short to be a Parquet file", p->shown));
    TRY(parquet_bytes_at(p, 0, head, 4));
    TRY(parquet_bytes_at(p, p->size - 8, tail, 8));
    if (memcmp(tail + 4, "PARE", 4) == 0) TRY(fail(E_FORMAT, "%s: is encrypted, which is not read", p->shown));
    if (memcmp(head, "PAR1", 4) != 0) TRY(fail(E_FORMAT, "%s: is not a Parquet file", p->shown));
    if (memcmp(tail + 4, "PAR1", 4) != 0)
        TRY(fail(E_FORMAT, "%s: begins as a Parquet file, but does not end as one: it is cut off", p->shown));
    int64_t n = (int64_t)((uint32_t)tail[0] | (uint32_t)tail[1] << 8 | (uint32_t)tail[2] << 16 | (uint32_t)tail[3] << 24);
    if (n > p->size - 12 || n > MAX_FOOTER) TRY(fail(E_FORMAT, "%s: the footer of this Parquet file is damaged", p->shown));
    TRY(mem_alloc(&footer, (size_t)n + 1, 1, p->shown));
    TRY(parquet_bytes_at(p, p->size - 8 - n, footer, (size_t)n));
    TRY(parquet_parse_footer(p, footer, (size_t)n));
done:
    free(footer);
    return st;
}

static status open_file(parquet *p)
{
    struct stat sb;
    status st = path_open_regular(p->path, &p->fd);
    if (st == OK && fstat(p->fd, &sb) != 0) st = fail(E_IO, "%s: %s", p->shown, strerror(errno));
    if (st == OK) p->size = sb.st_size;
    return st;
}

static status open_any(parquet **out, const char *path, const void *data, size_t size)
{
    status st = OK;
    parquet *p = xcalloc(1, sizeof *p);
    p->path = xstrdup(path);
    p->fd = -1;
    p->mem = data;
    p->size = (int64_t)size;
    text_show(p->shown, sizeof p->shown, path);
    if (!data) TRY(open_file(p));
    TRY(read_footer(p));
    *out = p;
    p = NULL;
done:
    parquet_close(&p);
    return st;
}

status parquet_open(parquet **out, const char *path)
{
    return open_any(out, path, NULL, 0);
}

status parquet_open_memory(parquet **out, const char *name, const void *data, size_t size)
{
    return open_any(out, name, data, size);
}

void parquet_close(parquet **q)
{
    parquet *p = *q;
    if (!p) return;
    if (p->fd >= 0) close(p->fd);
    for (int i = 0; i < p->n_cols; i++) free(p->col[i].name);
    free(p->col);
    free(p->group_rows);
    free(p->chunk);
    free(p->path);
    free(p);
    *q = NULL;
}

int parquet_n_cols(const parquet *p)
{
    return p->n_cols;
}

const char *parquet_col_name(const parquet *p, int col)
{
    return p->col[col].name;
}

int64_t parquet_n_rows(const parquet *p)
{
    return p->n_rows;
}

bool parquet_col_is_number(const parquet *p, int col)
{
    const parquet_col *c = &p->col[col];
    switch (c->as) {
    case AS_PLAIN: return c->type != TYPE_BOOL && c->type != TYPE_I96;
    case AS_DECIMAL:
    case AS_UNSIGNED:
    case AS_HALF: return true;
    default: return false;
    }
}
