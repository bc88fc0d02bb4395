/* spool.c -- the resampled squares of this rank's sites: in memory up to a limit, the rest in an unlinked file, which disappears with the
 * process. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

status spool_open(spool *s, int64_t n_sites, size_t values, int64_t budget, const char *folder)
{
    status st = OK;
    *s = (spool){.n_sites = n_sites, .values = values, .fd = -1};
    int64_t record = (int64_t)(values * sizeof(uint16_t));
    s->n_kept = budget / record < n_sites ? budget / record : n_sites;
    s->kept = xcalloc((size_t)s->n_kept, sizeof *s->kept);
    TRY(mem_alloc(&s->work, values, sizeof *s->work, "a site's squares"));
    if (s->n_kept == n_sites) return OK;
    TRY(path_make_dirs(folder));
    char *name = path_join(folder, ".micon-spool-XXXXXX");
    s->fd = mkstemp(name);
    int error = errno;
    if (s->fd >= 0) unlink(name);
    free(name);
    if (s->fd < 0)
        TRY(fail(E_IO, "%s: no file for squares beyond tile.memory: %s; tile.scratch names another folder", folder, strerror(error)));
done:
    if (st != OK) spool_close(s);
    return st;
}

void spool_close(spool *s)
{
    for (int64_t i = 0; s->kept && i < s->n_kept; i++) free(s->kept[i]);
    free(s->kept);
    free(s->work);
    if (s->fd >= 0) close(s->fd);
    *s = (spool){.fd = -1};
}

status spool_new(spool *s, int64_t site, uint16_t **squares)
{
    if (site >= s->n_kept) {
        *squares = s->work;
        return OK;
    }
    status st = s->kept[site] ? OK : mem_alloc(&s->kept[site], s->values, sizeof **squares, "squares in memory (tile.memory)");
    *squares = s->kept[site];
    return st;
}

/* All of a record, or an error. */
static status transfer(spool *s, int64_t site, bool out)
{
    size_t size = s->values * sizeof *s->work;
    off_t start = (off_t)(site - s->n_kept) * (off_t)size;
    for (size_t at = 0; at < size;) {
        char *p = (char *)s->work + at;
        ssize_t n = out ? pwrite(s->fd, p, size - at, start + (off_t)at) : pread(s->fd, p, size - at, start + (off_t)at);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0)
            return fail(E_IO, "squares beyond tile.memory could not be %s scratch: %s; tile.scratch names another folder",
                        out ? "written to" : "read from", n < 0 ? strerror(errno) : "ended early");
        at += (size_t)n;
    }
    return OK;
}

status spool_get(spool *s, int64_t site, uint16_t **squares)
{
    *squares = site < s->n_kept ? s->kept[site] : s->work;
    return site < s->n_kept ? OK : transfer(s, site, false);
}

status spool_keep(spool *s, int64_t site)
{
    return site < s->n_kept ? OK : transfer(s, site, true);
}
