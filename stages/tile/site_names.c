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

rejects_of plate_rejects_of(const plate_work *w)
{
    return (rejects_of){.ix = w->ix, .first_row = w->plate.first, .files = w->n_files, .label = w->label, .dir = w->cfg->dir};
}

char *plate_record_name(const char *path)
{
    const char *base = path_base(path);
    return xstrndup(base, strlen(base) - strlen(".h5"));
}
