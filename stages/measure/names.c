/* names.c -- what a plate's files are called. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/stage/plates.h"

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
