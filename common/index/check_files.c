/* check_files.c -- which image files exist. A folder is listed once for all the files that should be in it: a screen has millions, and
 * asking for each costs a round trip on a cluster's file system. Where only a few files of a folder are wanted, each is asked for. */
#include "block_impl.h"

#include "micon/base/mem.h"
#include "micon/base/url.h"
#include "micon/table/intern.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { LIST_FROM = 32 }; /* files of a folder from which on it is listed */

typedef struct {
    uint32_t folder, file;
    int64_t row;
    int channel;   /* n_ch and above: illumination */
    int64_t plane; /* -1: the channel's first or only file; else of index_plane_path */
} wanted;

static int by_folder(const void *a, const void *b)
{
    const wanted *x = a, *y = b;
    if (x->folder != y->folder) return x->folder < y->folder ? -1 : 1;
    if (x->file != y->file) return x->file < y->file ? -1 : 1;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    return x->channel < y->channel ? -1 : x->channel > y->channel;
}

/* The files of one plate that some site names and that can be looked for here. */
static status list_wanted(const screen_index *ix, const index_plate *p, bool illumination, wanted **out, size_t *n)
{
    status st = OK;
    wanted *v = NULL;
    const size_t rows = ix->head->n_rows, n_ch = ix->head->n_ch;
    *n = 0;
    int64_t plane, n_planes = index_planes_of_rows(ix, p->first, p->n, &plane);
    TRY(mem_alloc(&v, (size_t)p->n * n_ch * 2 + (size_t)n_planes, sizeof *v, "files to look for"));
    for (int s = S_IMAGES; s <= (illumination && index_has_illumination(ix) ? S_ILLUM : S_IMAGES); s++)
        for (size_t k = 0; k < n_ch; k++) {
            const uint32_t *id = (const uint32_t *)block_part(ix, s) + k * 2 * rows;
            for (int64_t row = p->first; row < p->first + p->n; row++)
                if (*block_word(ix, id[rows + (size_t)row]) && !url_is_remote(block_word(ix, id[row])))
                    v[(*n)++] = (wanted){id[row], id[rows + (size_t)row], row, (int)(s == S_IMAGES ? k : n_ch + k), -1};
        }
    for (int64_t row = p->first; row < p->first + p->n; row++)
        for (int k = 0; k < (int)n_ch; k++)
            for (int64_t left = index_planes(ix, row, k, &plane); left > 0; left--, plane++) {
                const uint32_t *id = (const uint32_t *)block_part(ix, S_PLANES) + 3 * plane;
                if (!url_is_remote(block_word(ix, id[0]))) v[(*n)++] = (wanted){id[0], id[1], row, k, plane};
            }
    qsort(v, *n, sizeof *v, by_folder);
    *out = v;
done:
    return st;
}

static char *folder_path(const screen_index *ix, uint32_t folder)
{
    const char *name = block_word(ix, folder);
    if (*name == '/' || !*ix->dir) return xstrdup(*name ? name : ".");
    return xasprintf("%s/%s", ix->dir, name);
}

/* After a failed call: does the file or folder not exist, or can none of that name? Otherwise it could not be checked. */
static bool is_absent(void)
{
    return errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
}

static status list_folder(const char *path, intern_table *there)
{
    status st = OK;
    DIR *d = opendir(path);
    uint32_t id;
    if (!d) return is_absent() ? OK : fail(E_IO, "%s: cannot open this folder: %s", path, strerror(errno));
    errno = 0;
    for (struct dirent *e; (e = readdir(d)) != NULL; errno = 0)
        if (e->d_type != DT_DIR) TRY(intern_add(there, e->d_name, &id));
    if (errno) TRY(fail(E_IO, "%s: cannot read this folder: %s", path, strerror(errno)));
done:
    closedir(d);
    return st;
}

/* missing[i] of n files of one folder. */
static status look_in_folder(const screen_index *ix, const wanted *v, size_t n, bool *missing)
{
    status st = OK;
    intern_table there = {0};
    char *folder = folder_path(ix, v[0].folder);
    struct stat sb;
    if (n >= LIST_FROM) TRY(list_folder(folder, &there));
    for (size_t i = 0; i < n; i++) {
        const char *file = block_word(ix, v[i].file);
        missing[i] = n >= LIST_FROM && intern_find(&there, file) < 0;
        if (n >= LIST_FROM) continue;
        char *path = xasprintf("%s/%s", folder, file);
        bool found = stat(path, &sb) == 0;
        if (!found && !is_absent()) st = fail(E_IO, "%s: cannot check this path: %s", path, strerror(errno));
        missing[i] = !found || S_ISDIR(sb.st_mode);
        free(path);
        TRY(st);
    }
done:
    intern_free(&there);
    free(folder);
    return st;
}

typedef struct {
    int64_t row;
    int channel;
    int64_t plane;
} gap;

static int by_row(const void *a, const void *b)
{
    const gap *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    if (x->channel != y->channel) return x->channel < y->channel ? -1 : 1;
    return x->plane < y->plane ? -1 : x->plane > y->plane;
}

/* For a plate without any of its files: if its folder is not on this machine, say from which part of the path on, and propose
 * screen.paths. */
static void propose_paths(const char *path, findings *out)
{
    struct stat sb;
    char *upto = xstrdup(path);
    size_t n = 0;
    for (const char *end = path; *end == '/'; end = strchr(end + 1, '/') ? strchr(end + 1, '/') : "") {
        n = strcspn(end + 1, "/") + (size_t)(end + 1 - path);
        snprintf(upto, n + 1, "%s", path);
        if (stat(upto, &sb) != 0) break;
    }
    if (n && path[n] && is_absent()) /* else the folder is there, and only the file is not */
        findings_add(out, FINDING_WARNING, "plates whose folder is not on this machine",
                     "%s; there is no %s: where these images are below another folder here, set screen.paths: {from: '%s', to: FOLDER}",
                     path, upto, upto);
    free(upto);
}

/* A plate's missing files, in the order of its rows. */
static void report(const screen_index *ix, gap *g, size_t n, const index_plate *p, bool all, double max_bad, findings *out)
{
    text where = {0}, path = {0};
    int64_t sites = 0;
    const int n_ch = (int)ix->head->n_ch;
    qsort(g, n, sizeof *g, by_row);
    for (size_t i = 0; i < n; i++) sites += i == 0 || g[i].row != g[i - 1].row;
    finding_level level = (double)sites > max_bad * (double)p->n ? FINDING_ERROR : FINDING_WARNING;
    for (size_t i = 0; i < n; i++) {
        bool image = g[i].channel < n_ch;
        const char *what = image ? "image files that are missing" : "illumination files that are missing";
        if (findings_full(out, level, what)) { /* millions, where a whole screen is missing */
            findings_add(out, level, what, "%s", "");
            continue;
        }
        findings_add(out, level, what, "%s: %s", index_where(ix, g[i].row, &where),
                     g[i].plane >= 0 ? index_plane_path(ix, g[i].plane, &path)
                     : image         ? index_path(ix, g[i].row, g[i].channel, &path)
                                     : index_illumination(ix, g[i].row, g[i].channel - n_ch, &path));
    }
    if (all && g[0].plane < 0) propose_paths(index_path(ix, g[0].row, g[0].channel, &path), out);
    text_free(&where);
    text_free(&path);
}

static status check_plate(const screen_index *ix, int64_t plate, bool illumination, double max_bad, findings *out)
{
    status st = OK;
    index_plate p = index_plate_at(ix, plate);
    wanted *v = NULL;
    bool *missing = NULL;
    gap *g = NULL;
    size_t n = 0, gaps = 0;
    TRY(list_wanted(ix, &p, illumination, &v, &n));
    TRY(mem_alloc(&missing, n, sizeof *missing, "files to look for"));
    TRY(mem_alloc(&g, n, sizeof *g, "files to look for"));
    for (size_t first = 0, end; first < n; first = end) {
        for (end = first + 1; end < n && v[end].folder == v[first].folder;) end++;
        TRY(look_in_folder(ix, v + first, end - first, missing + first));
    }
    for (size_t i = 0; i < n; i++)
        if (missing[i]) g[gaps++] = (gap){v[i].row, v[i].channel, v[i].plane};
    if (gaps) report(ix, g, gaps, &p, gaps == n && *block_word(ix, v[0].folder) == '/', max_bad, out);
done:
    free(v);
    free(missing);
    free(g);
    return st;
}

void index_check_files(const screen_index *ix, int64_t first, int64_t n, bool illumination, double max_bad, findings *out)
{
    for (int64_t p = first; p < first + n; p++)
        if (check_plate(ix, p, illumination, max_bad, out) != OK) {
            findings_add(out, FINDING_ERROR, "plates whose files could not be checked", "%s", msg_get());
            msg_clear();
        }
}
