/* inputs.c -- the files an output was made from. */
#include "micon/inputs.h"

#include "micon/csv.h"
#include "micon/digest.h"
#include "micon/mem.h"
#include "micon/num.h"
#include "micon/path.h"

#include <stdlib.h>
#include <string.h>

status inputs_add(inputs *in, const char *path)
{
    status st = mem_grow(&in->item, &in->cap, in->n + 1, sizeof *in->item, "inputs");
    if (st != OK) return st;
    input *i = &in->item[in->n++];
    *i = (input){.path = xstrdup(path)};
    if (path_stat(path, &i->size, &i->mtime_ns) != OK) {
        msg_clear(); /* a missing input is a fact to record; who needs it will say so */
        i->size = -1;
        i->known = true;
    }
    return OK;
}

void inputs_free(inputs *in)
{
    for (size_t i = 0; i < in->n; i++) free(in->item[i].path);
    free(in->item);
    *in = (inputs){0};
}

uint64_t inputs_digest(const inputs *in)
{
    uint64_t d = 0;
    for (size_t i = 0; i < in->n; i++) d = digest_mix(d, in->item[i].digest);
    return d;
}

static int by_path(const void *a, const void *b)
{
    return strcmp((*(input *const *)a)->path, (*(input *const *)b)->path);
}

static void recall_row(input **sorted, size_t n, const char *path, int64_t size, int64_t mtime_ns, uint64_t digest)
{
    input key = {.path = (char *)path}, *k = &key, **hit = n ? bsearch(&k, sorted, n, sizeof *sorted, by_path) : NULL;
    if (!hit) return;
    while (hit > sorted && strcmp(hit[-1]->path, path) == 0) hit--;
    for (; hit < sorted + n && strcmp((*hit)->path, path) == 0; hit++) {
        if ((*hit)->size != size || (*hit)->mtime_ns != mtime_ns || size < 0) continue;
        (*hit)->digest = digest;
        (*hit)->known = true;
    }
}

void inputs_recall(inputs *in, const char *memory_file)
{
    csv *c = NULL;
    char **f;
    bool more = true;
    input **sorted = xcalloc(in->n, sizeof *sorted);
    for (size_t i = 0; i < in->n; i++) sorted[i] = &in->item[i];
    if (in->n) qsort(sorted, in->n, sizeof *sorted, by_path);
    status st = path_exists(memory_file) ? csv_open(&c, memory_file) : E_IO;
    if (st == OK && csv_n_cols(c) == 4)
        while ((st = csv_next(c, &f, &more)) == OK && more) {
            int64_t size, mtime_ns;
            char *end;
            uint64_t d = strtoull(f[0], &end, 16);
            if (*end || !num_i64(f[1], &size) || !num_i64(f[2], &mtime_ns)) break;
            recall_row(sorted, in->n, f[3], size, mtime_ns, d);
        }
    if (st != OK) msg_clear(); /* what cannot be recalled is read again */
    csv_close(&c);
    free(sorted);
}

status inputs_remember(const inputs *in, const char *memory_file)
{
    status st = OK;
    text t = {0};
    char d[DIGEST_TEXT], *dir = path_dir(memory_file);
    text_add(&t, "digest,size,mtime_ns,path\n");
    for (size_t i = 0; i < in->n; i++) {
        const input *p = &in->item[i];
        text_addf(&t, "%s,%lld,%lld,", digest_show(p->digest, d), (long long)p->size, (long long)p->mtime_ns);
        csv_quote(&t, p->path);
        text_add(&t, "\n");
    }
    TRY(path_make_dirs(dir));
    TRY(path_write(memory_file, text_str(&t), t.n));
done:
    free(dir);
    text_free(&t);
    return st;
}
