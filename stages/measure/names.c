/* names.c -- what a plate's files and sites are called. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/stage/plates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *plate_output(const plate_work *w, bool cells)
{
    char *run = text_encode_name(w->cfg->train.run), *folder = xasprintf(WORK_FEATURES "/%s", run);
    char *path = plates_file(w->g, w->ix, folder, w->number);
    if (cells) {
        char *other = xasprintf("%.*s.cells.h5", (int)(strlen(path) - strlen(".h5")), path);
        free(path);
        path = other;
    }
    free(run);
    free(folder);
    return path;
}

void plate_name_site(const plate_work *w, int64_t site, char *out, size_t size)
{
    int64_t row = w->plate.first + site;
    snprintf(out, size, "%s site %s", index_cell(w->ix, row, INDEX_WELL), index_cell(w->ix, row, INDEX_SITE));
}
