/* input_digests.c -- the files an output was made from. */
#include "micon/provenance/input_digests.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/url.h"
#include "micon/formats/csv.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

status input_digests_add(input_digests *in, const char *path)
{
    status st = mem_grow(&in->item, &in->cap, in->n + 1, sizeof *in->item, "inputs");
    if (st != OK) return st;
    input *i = &in->item[in->n++];
    *i = (input){.path = xstrdup(path), .size = -1};
    if (url_is_remote(path)) return OK;
    if (path_stat(path, &i->size, &i->mtime_ns) != OK) {
        msg_clear(); /* a missing input is recorded as missing; the step that needs it reports it */
        i->size = -1;
        i->known = true;
    }
    return OK;
}

void input_digests_free(input_digests *in)
{
    for (size_t i = 0; i < in->n; i++) free(in->item[i].path);
    free(in->item);
    *in = (input_digests){0};
}

uint64_t input_digests_digest(const input_digests *in)
{
    uint64_t d = 0;
    for (size_t i = 0; i < in->n; i++) d = digest_mix(d, in->item[i].digest);
    return d;
}

/* ---- the file of digests: absolute paths, so that it is valid in any working folder. Older versions wrote paths as given. ---- */
typedef struct {
    char *key;
    input *in;
} known_as;

/* The last folder and its resolved path: most paths are in the same folder as the one before. */
typedef struct {
    char *dir, *real;
} folder;

static char *resolved(folder *last, const char *path)
{
    if (url_is_remote(path)) return xstrdup(path);
    char *dir = path_dir(path);
    if (!last->dir || strcmp(dir, last->dir) != 0) {
        free(last->dir);
        free(last->real);
        last->real = realpath(dir, NULL);
        last->dir = xstrdup(dir);
    }
    free(dir);
    return last->real ? path_join(last->real, path_base(path)) : xstrdup(path);
}

static void folder_free(folder *f)
{
    free(f->dir);
    free(f->real);
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const known_as *)a)->key, ((const known_as *)b)->key);
}

static void recall_row(known_as *sorted, size_t n, char *path, int64_t size, int64_t mtime_ns, uint64_t digest)
{
    known_as key = {.key = path}, *hit = n ? bsearch(&key, sorted, n, sizeof *sorted, by_key) : NULL;
    if (!hit) return;
    while (hit > sorted && strcmp(hit[-1].key, path) == 0) hit--;
    for (; hit < sorted + n && strcmp(hit->key, path) == 0; hit++) {
        bool remote = url_is_remote(path);
        if (size < 0 || (!remote && (hit->in->size != size || hit->in->mtime_ns != mtime_ns))) continue;
        hit->in->size = size;
        hit->in->mtime_ns = mtime_ns;
        hit->in->digest = digest;
        hit->in->known = true;
    }
}

/* Each input as it was given and with its folder resolved, sorted; caller frees. */
static known_as *all_names(const input_digests *in)
{
    known_as *all = xcalloc(2 * in->n, sizeof *all);
    folder last = {0};
    for (size_t i = 0; i < in->n; i++) {
        all[2 * i] = (known_as){.key = xstrdup(in->item[i].path), .in = &in->item[i]};
        all[2 * i + 1] = (known_as){.key = resolved(&last, in->item[i].path), .in = &in->item[i]};
    }
    folder_free(&last);
    if (in->n) qsort(all, 2 * in->n, sizeof *all, by_key);
    return all;
}

/* The last line is that of a file without a name. */
static const digest_end end_line = {"check,0,0,", "\n"};

status input_digests_check(const char *memory_file, uint64_t *digest)
{
    status st = OK;
    char *data = NULL;
    size_t size;
    *digest = 0;
    TRY(path_read(memory_file, &data, &size, SIZE_MAX / 2));
    TRY(fail_within(digest_end_check(data, size, &end_line, digest), "%s", memory_file));
done:
    free(data);
    return st;
}

void input_digests_recall(input_digests *in, const char *memory_file)
{
    csv *c = NULL;
    char **f;
    bool more = true;
    folder last = {0};
    size_t n = 2 * in->n;
    known_as *sorted = all_names(in);
    uint64_t own;
    status st = path_exists(memory_file) ? input_digests_check(memory_file, &own) : E_IO;
    if (st == OK) st = csv_open(&c, memory_file);
    if (st == OK && csv_n_cols(c) == 4)
        while ((st = csv_next(c, &f, &more)) == OK && more) {
            int64_t size, mtime_ns;
            char *end;
            uint64_t d = strtoull(f[0], &end, 16);
            if (*end || !num_i64(f[1], &size) || !num_i64(f[2], &mtime_ns)) break;
            char *path = *f[3] == '/' ? resolved(&last, f[3]) : xstrdup(f[3]);
            recall_row(sorted, n, path, size, mtime_ns, d);
            free(path);
        }
    if (st != OK) msg_clear(); /* what cannot be recalled is read again */
    csv_close(&c);
    folder_free(&last);
    for (size_t i = 0; i < n; i++) free(sorted[i].key);
    free(sorted);
}

status input_digests_remember(const input_digests *in, const char *memory_file)
{
    status st = OK;
    text t = {0};
    char d[DIGEST_TEXT], *dir = path_dir(memory_file), *here = getcwd(NULL, 0);
    text_add(&t, "digest,size,mtime_ns,path\n");
    for (size_t i = 0; i < in->n; i++) {
        const input *p = &in->item[i];
        text_addf(&t, "%s,%lld,%lld,", digest_show(p->digest, d), (long long)p->size, (long long)p->mtime_ns);
        char *path = here ? path_join(here, p->path) : xstrdup(p->path); /* not resolved: its last folders are known by their names */
        csv_quote(&t, path);
        free(path);
        text_add(&t, "\n");
    }
    digest_end_add(&t, &end_line);
    TRY(path_make_dirs(dir));
    TRY(path_write(memory_file, text_str(&t), t.n));
done:
    free(dir);
    free(here);
    text_free(&t);
    return st;
}
