/* site_names.c -- what files and the plate's status files are called in messages and records. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <string.h>

rejects_of plate_rejects_of(const plate_work *w)
{
    return (rejects_of){.ix = w->ix, .first_row = w->plate.first, .files = w->n_files, .label = w->label, .dir = w->cfg->dir};
}

char *plate_record_name(const char *path)
{
    const char *base = path_base(path);
    return xstrndup(base, strlen(base) - strlen(".h5"));
}
