/* shared_split.c -- the split of the wells: made by rank 0, sent to the others. */
#include "micon/stage/shared_split.h"

#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/mpi/comm.h"
#include "micon/stage/provenance.h"

#include <stdlib.h>

static status make(const stage *g, const screen_index *ix, screen_split *out, text *notes)
{
    status st = OK;
    findings found = {0};
    char *path = config_work(&g->cfg, WORK_SPLIT), *work = config_work(&g->cfg, "");
    TRY(path_make_dirs(work));
    TRY(split_sync(out, ix, &g->cfg.split, g->cfg.dir, path, &found));
    TRY(provenance_split(g));
    findings_show(&found, notes);
done:
    findings_free(&found);
    free(path);
    free(work);
    return st;
}

status shared_split_all(stage *g, const screen_index *ix, screen_split *out, text *notes)
{
    status st = OK;
    TRY_ALL(g->comm, g->rank == 0 ? make(g, ix, out, notes) : OK);
    char *rows = (char *)out->of_row;
    size_t n = (size_t)out->n_rows;
    TRY(comm_bcast_all(g->comm, 0, &rows, &n));
    TRY_ALL(g->comm, g->rank == 0 ? OK : split_of_rows(out, ix, (uint8_t *)rows, (int64_t)n));
done:
    return st;
}
