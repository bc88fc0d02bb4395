/* check_remote.c -- for micon check --remote: the sizes of all files behind URLs, many at a time. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/url.h"

#include <stdlib.h>
#include <string.h>

/* Files of a plate in the order in which they are asked for: of each channel the images, row by row, then its illumination functions, of
 * which the rows mostly name the same. */
typedef struct {
    const screen_index *ix;
    index_plate p;
    int64_t n; /* images, and functions where these are asked for */
    text path, before;
} plate_files;

static bool is_image(const plate_files *l, int64_t i)
{
    return i < l->p.n * index_n_channels(l->ix);
}

/* File i, or NULL: it is here, it is none, or it is the one before. *row: of the site that names it. */
static const char *file_at(plate_files *l, int64_t i, int64_t *row)
{
    const int64_t per = l->p.n, images = per * index_n_channels(l->ix);
    const bool picture = i < images;
    const int channel = (int)((picture ? i : i - images) / per);
    *row = l->p.first + i % per;
    const char *path = picture ? index_path(l->ix, *row, channel, &l->path) : index_illumination(l->ix, *row, channel, &l->path);
    if (!url_is_remote(path)) return NULL;
    if (picture || i % per == 0) return path;
    return strcmp(path, index_illumination(l->ix, *row - 1, channel, &l->before)) == 0 ? NULL : path;
}

/* why[i]: what is wrong with file i, or NULL; the caller frees them. */
static status ask_plate(plate_files *l, remote *net, char **why)
{
    status st = OK;
    int64_t asked = 0, row, size;
    for (int64_t i = 0; i < l->n; i++) {
        for (; asked < l->n && remote_has_room(net); asked++) {
            const char *ahead = file_at(l, asked, &row);
            if (ahead) TRY(remote_ask_size(net, ahead));
        }
        const char *path = file_at(l, i, &row);
        if (!path) continue;
        status got = remote_size(net, path, &size);
        if (got == OK && size == 0) got = fail(E_FORMAT, "%s: is empty", path);
        if (got == E_NOMEM || got == E_INTERNAL) return got;
        if (got != OK) why[i] = xstrdup(msg_get());
        msg_clear();
    }
done:
    return st;
}

/* As index_check_files judges files that are here. */
static void report(plate_files *l, char *const *why, double max_bad, findings *out)
{
    text where = {0};
    int64_t row, sites = 0;
    uint8_t *seen = xcalloc((size_t)l->p.n, 1);
    for (int64_t i = 0; i < l->n; i++)
        if (why[i]) seen[i % l->p.n] = 1;
    for (int64_t s = 0; s < l->p.n; s++) sites += seen[s];
    finding_level level = (double)sites > max_bad * (double)l->p.n ? FINDING_ERROR : FINDING_WARNING;
    for (int64_t i = 0; i < l->n; i++) {
        const char *what = is_image(l, i) ? "remote image files that cannot be had" : "remote illumination files that cannot be had";
        if (!why[i]) continue;
        row = l->p.first + i % l->p.n;
        findings_add(out, level, what, "%s: %s", findings_full(out, level, what) ? "" : index_where(l->ix, row, &where), why[i]);
    }
    free(seen);
    text_free(&where);
}

static status check_plate(plate_files *l, remote *net, double max_bad, findings *f)
{
    status st = OK;
    char **why = NULL;
    TRY(mem_alloc(&why, (size_t)l->n, sizeof *why, "files to ask for"));
    TRY(ask_plate(l, net, why));
    report(l, why, max_bad, f);
done:
    for (int64_t i = 0; why && i < l->n; i++) free(why[i]);
    free(why);
    text_free(&l->path);
    text_free(&l->before);
    return st;
}

status check_remote(const config *c, const screen_index *ix, remote *net, findings *f)
{
    status st = OK;
    bool functions = c->tile.illumination == ILLUMINATION_FILE && index_has_illumination(ix);
    for (int64_t i = 0; i < index_n_plates(ix); i++) {
        plate_files l = {.ix = ix, .p = index_plate_at(ix, i)};
        if (!index_n_remote(ix, l.p.first, l.p.n, functions)) continue;
        l.n = l.p.n * index_n_channels(ix) * (functions ? 2 : 1);
        TRY(check_plate(&l, net, c->tile.max_bad, f));
    }
done:
    return st;
}
