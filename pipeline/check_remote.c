/* check_remote.c -- for micon check --remote: the sizes of all files behind URLs, many at a time. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/url.h"

#include <stdlib.h>
#include <string.h>

/* Files of a plate in the order in which they are asked for: of each channel the images, row by row; then, where they are asked for, its
 * illumination functions, of which the rows mostly name the same; then files of further planes. */
typedef struct {
    const screen_index *ix;
    index_plate p;
    int64_t n, n_images, n_functions;
    int64_t first_plane; /* of those that are left: n - n_images - n_functions */
    text path, before;
} plate_files;

static void list_plate(plate_files *l, bool functions)
{
    l->n_images = l->p.n * index_n_channels(l->ix);
    l->n_functions = functions ? l->n_images : 0;
    l->n = l->n_images + l->n_functions + index_planes_of_rows(l->ix, l->p.first, l->p.n, &l->first_plane);
}

static bool is_plane(const plate_files *l, int64_t i)
{
    return i >= l->n_images + l->n_functions;
}

/* The row whose site names file i. */
static int64_t row_of(const plate_files *l, int64_t i)
{
    int64_t low = l->p.first, high = l->p.first + l->p.n - 1, first, plane = i - l->n_images - l->n_functions + l->first_plane;
    if (!is_plane(l, i)) return l->p.first + i % l->p.n;
    while (low < high) { /* the first whose planes end behind it */
        int64_t middle = low + (high - low) / 2;
        int64_t n = index_planes_of_rows(l->ix, middle, 1, &first);
        if (first + n > plane)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* File i, or NULL: it is here, it is none, or it was asked for: as the file of the channel before, as the function of the row before. */
static const char *file_at(plate_files *l, int64_t i)
{
    const char *path, *before = "";
    if (is_plane(l, i)) {
        path = index_plane_path(l->ix, i - l->n_images - l->n_functions + l->first_plane, &l->path);
        return url_is_remote(path) ? path : NULL;
    }
    bool function = i >= l->n_images;
    int channel = (int)((function ? i - l->n_images : i) / l->p.n);
    int64_t row = row_of(l, i);
    path = function ? index_illumination(l->ix, row, channel, &l->path) : index_path(l->ix, row, channel, &l->path);
    if (function && row > l->p.first) before = index_illumination(l->ix, row - 1, channel, &l->before);
    if (!function && channel > 0) before = index_path(l->ix, row, channel - 1, &l->before);
    return url_is_remote(path) && strcmp(path, before) != 0 ? path : NULL;
}

/* why[i]: what is wrong with file i, or NULL; the caller frees them. */
static status ask_plate(plate_files *l, remote *net, char **why)
{
    status st = OK;
    int64_t asked = 0, size;
    for (int64_t i = 0; i < l->n; i++) {
        for (; asked < l->n && remote_has_room(net); asked++) {
            const char *ahead = file_at(l, asked);
            if (ahead) TRY(remote_ask_size(net, ahead));
        }
        const char *path = file_at(l, i);
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
    int64_t sites = 0;
    uint8_t *seen = xcalloc((size_t)l->p.n, 1);
    for (int64_t i = 0; i < l->n; i++)
        if (why[i]) seen[row_of(l, i) - l->p.first] = 1;
    for (int64_t s = 0; s < l->p.n; s++) sites += seen[s];
    finding_level level = (double)sites > max_bad * (double)l->p.n ? FINDING_ERROR : FINDING_WARNING;
    for (int64_t i = 0; i < l->n; i++) {
        const char *what =
            i >= l->n_images && !is_plane(l, i) ? "remote illumination files that cannot be had" : "remote image files that cannot be had";
        if (!why[i]) continue;
        findings_add(out, level, what, "%s: %s", findings_full(out, level, what) ? "" : index_where(l->ix, row_of(l, i), &where), why[i]);
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
        list_plate(&l, functions);
        TRY(check_plate(&l, net, c->tile.max_bad, f));
    }
done:
    return st;
}
