/* site_names.c -- what sites, files and the plate's status files are called in messages and records. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <string.h>

void site_name(const plate_work *w, int64_t site, char *out, size_t size)
{
    int64_t row = w->plate.first + site;
    snprintf(out, size, "%s site %s", index_cell(w->ix, row, INDEX_WELL), index_cell(w->ix, row, INDEX_SITE));
}

const char *recorded_file_name(const plate_work *w, const char *path)
{
    size_t n = strlen(w->cfg->dir);
    if (n > 0 && strncmp(path, w->cfg->dir, n) == 0 && path[n] == '/') return path + n + 1;
    return path;
}

char *plate_record_name(const char *path)
{
    const char *base = path_base(path);
    return xstrndup(base, strlen(base) - strlen(".h5"));
}
