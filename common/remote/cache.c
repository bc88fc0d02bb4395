/* cache.c -- objects that were fetched, kept in a folder: FOLDER/XX/DIGEST, named by a digest of the URL. A file is the object's bytes, its
 * URL, and a foot with digests of both; it is written under another name and renamed, and compared with its foot when it is read. What is
 * there is not asked for again: objects of a URL do not change (--verify fetches all). Several processes, also of several hosts, may share
 * the folder. */
#include "remote_impl.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    uint64_t size, url_size, mtime_ns;
    uint64_t of_bytes, of_rest; /* digests: of the object; of the URL and the numbers before this one */
    char magic[8];
} foot;
static const char magic[8] = {'M', 'I', 'C', 'O', 'N', 'U', 'R', '1'};

struct cache {
    char *folder;
    int64_t most_bytes, written; /* the second: since the folder was looked through */
    int64_t bytes;               /* that it then held */
    bool failed;                 /* writing: said once */
};

static uint64_t digest_of_rest(const foot *f, const char *url)
{
    return digest_mix(digest_bytes(url, (size_t)f->url_size), digest_bytes(f, offsetof(foot, of_rest)));
}

static char *file_of(const cache *c, const char *url, char folder[], size_t size)
{
    char name[DIGEST_TEXT];
    digest_show(digest_text(url), name);
    snprintf(folder, size, "%s/%.2s", c->folder, name);
    return xasprintf("%s/%s", folder, name);
}

/* ---- room ---- */

typedef struct {
    char *path;
    int64_t size, used_ns;
} kept;

static int by_use(const void *a, const void *b)
{
    const kept *x = a, *y = b;
    return x->used_ns < y->used_ns ? -1 : x->used_ns > y->used_ns;
}

/* All files of the folder; names of two hexadecimal digits only, so that nothing else is ever touched. */
static size_t list_kept(const cache *c, kept **out, int64_t *bytes)
{
    kept *k = NULL;
    size_t n = 0, cap = 0;
    char folder[4096];
    *bytes = 0;
    for (int i = 0; i < 256; i++) {
        snprintf(folder, sizeof folder, "%s/%02x", c->folder, (unsigned)i);
        path_sweep_parts(folder, NULL);
        DIR *d = opendir(folder);
        for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
            kept one = {0};
            if (strlen(e->d_name) != DIGEST_TEXT - 1 || strspn(e->d_name, "0123456789abcdef") != DIGEST_TEXT - 1) continue;
            one.path = path_join(folder, e->d_name);
            if (path_stat(one.path, &one.size, &one.used_ns) != OK || mem_grow(&k, &cap, n + 1, sizeof *k, "kept files") != OK) {
                msg_clear();
                free(one.path);
                continue;
            }
            *bytes += one.size;
            k[n++] = one;
        }
        if (d) closedir(d);
    }
    *out = k;
    return n;
}

/* Removes the least recently used files until a tenth of the room is free. */
static void make_room(cache *c, int64_t need)
{
    kept *k;
    int64_t bytes;
    size_t n = list_kept(c, &k, &bytes);
    if (n) qsort(k, n, sizeof *k, by_use);
    bool full = bytes + need > c->most_bytes;
    for (size_t i = 0; i < n; i++) {
        if (full && bytes + need > c->most_bytes - c->most_bytes / 10 && unlink(k[i].path) == 0) bytes -= k[i].size;
        free(k[i].path);
    }
    free(k);
    c->bytes = bytes;
    c->written = 0;
}

cache *cache_open(const char *folder, int64_t most_bytes)
{
    if (!*folder) return NULL;
    cache *c = xcalloc(1, sizeof *c);
    *c = (cache){.folder = xstrdup(folder), .most_bytes = most_bytes};
    make_room(c, 0);
    return c;
}

void cache_close(cache **pc)
{
    if (!*pc) return;
    free((*pc)->folder);
    free(*pc);
    *pc = NULL;
}

/* ---- one object ---- */

static bool is_right(const object *o, const uint8_t *data, size_t n, foot *f)
{
    size_t url = strlen(o->path);
    if (n < sizeof *f) return false;
    memcpy(f, data + n - sizeof *f, sizeof *f);
    if (memcmp(f->magic, magic, sizeof magic) != 0 || f->url_size != url || n < sizeof *f + url || f->size != n - sizeof *f - url)
        return false;
    const char *of = (const char *)data + f->size;
    return memcmp(of, o->path, url) == 0 && f->of_rest == digest_of_rest(f, of) && f->of_bytes == digest_bytes(data, (size_t)f->size);
}

bool cache_get(cache *c, object *o)
{
    char folder[4096], *path = file_of(c, o->path, folder, sizeof folder), *data = NULL;
    size_t n = 0;
    foot f;
    bool there = path_exists(path) && path_read(path, &data, &n, (size_t)IMAGE_MAX_FILE + sizeof f + 65536) == OK;
    msg_clear();
    bool good = there && is_right(o, (const uint8_t *)data, n, &f);
    if (good) {
        free(o->bytes);
        o->bytes = (uint8_t *)data;
        o->cap = n;
        o->n = (size_t)f.size;
        o->mtime_ns = (int64_t)f.mtime_ns;
        utimensat(AT_FDCWD, path, NULL, 0); /* used now */
    } else {
        free(data);
        if (there) unlink(path); /* damaged, or of another URL */
    }
    free(path);
    return good;
}

static bool write_all(int fd, const void *data, size_t n)
{
    for (const char *p = data; n > 0;) {
        ssize_t done = write(fd, p, n);
        if (done < 0 && errno == EINTR) continue;
        if (done <= 0) return false;
        p += done;
        n -= (size_t)done;
    }
    return true;
}

/* Not synced: what a power cut leaves of it is not right, and is fetched again. */
static bool write_object(const object *o, const char *path)
{
    foot f = {.size = o->n, .url_size = strlen(o->path), .mtime_ns = (uint64_t)o->mtime_ns, .of_bytes = digest_bytes(o->bytes, o->n)};
    memcpy(f.magic, magic, sizeof magic);
    f.of_rest = digest_of_rest(&f, o->path);
    char *part = path_part(path);
    int fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    bool good = fd >= 0 && write_all(fd, o->bytes, o->n) && write_all(fd, o->path, (size_t)f.url_size) && write_all(fd, &f, sizeof f);
    good = (fd < 0 || close(fd) == 0) && good && rename(part, path) == 0;
    int why = errno;
    if (!good && fd >= 0) unlink(part);
    free(part);
    errno = why;
    return good;
}

void cache_put(cache *c, const object *o)
{
    int64_t need = (int64_t)(o->n + strlen(o->path) + sizeof(foot));
    char folder[4096], *path = file_of(c, o->path, folder, sizeof folder);
    if (need > c->most_bytes / 2) goto done;
    /* Others may write there too: what the folder holds is looked at again now and then. */
    if (c->bytes + c->written + need > c->most_bytes || c->written > c->most_bytes / 16) make_room(c, need);
    status st = path_make_dirs(folder);
    if (st == OK && !write_object(o, path)) st = fail(E_IO, "%s: %s", path, strerror(errno));
    if (st != OK) {
        if (!c->failed) log_any("warning: tile.fetch.cache: %s; what is fetched is not kept", msg_get());
        c->failed = true;
        msg_clear();
    } else {
        c->written += need;
    }
done:
    free(path);
}
