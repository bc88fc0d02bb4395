/* main.c -- micon-tile: every TIFF of a plate once, to tiles that fit a network (docs/method.md 2), one HDF5 file a plate. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/stage/plates.h"

#include <stdlib.h>

typedef struct {
    char *preview;
} tile_arguments;

static const opt tile_own_options[] = {
    {NULL, "preview", OPT_TEXT, offsetof(tile_arguments, preview), "", 0, 0, NULL, 0,
     "write a contact sheet of the one plate's wells to this PNG file, its first three channels as blue, green, red"},
    {.name = NULL},
};

typedef struct {
    stage *g;
    screen_index *ix;
    screen_index *all; /* with label images; NULL: there are none */
    site_cells cells;
    remote *net;
    bool *made; /* [all plates]: a file was written */
} run;

static status one_plate_all(void *ctx, int64_t p)
{
    run *r = ctx;
    return plate_run_all(r->g, r->all ? r->all : r->ix, r->ix, r->g->cfg.tile.crop == CROP_CELLS ? &r->cells : NULL, r->net, p,
                         &r->made[p]);
}

static status write_preview(const run *r, int64_t p, const char *png)
{
    char *label = plates_label(r->ix, p), *path = plates_file(r->g, r->ix, WORK_TILES, p);
    status st = preview_write(path, label, png);
    free(label);
    free(path);
    return st;
}

static status run_all(stage *g)
{
    status st = OK;
    const tile_arguments *own = g->options;
    run r = {.g = g};
    int64_t *chosen = NULL, n = 0;
    char *folder = config_work(&g->cfg, WORK_TILES);
    TRY(plates_index_all(g, &r.ix));
    if (g->cfg.tile.crop == CROP_CELLS) {
        TRY(site_cells_index_all(g, r.ix, &r.all));
        TRY_ALL(g->comm, site_cells_open(&r.cells, &g->cfg, g->cfg.tile.mask == MASK_CELL));
    }
    TRY(plates_chosen_all(g, r.ix, &chosen, &n));
    if (*own->preview && n != 1)
        TRY(fail(E_USAGE, "--preview shows one plate, but %lld are chosen: select one with --plate", (long long)n));
    if (g->rank == 0) path_sweep_parts(folder, NULL);
    r.net = remote_open_for(&g->cfg, g->verify);
    r.made = xcalloc((size_t)index_n_plates(r.ix), sizeof *r.made);
    TRY(plates_each_all(g, chosen, n, one_plate_all, &r));
    TRY_ALL(g->comm, g->rank == 0 ? channel_swap_check(r.ix, &g->cfg, r.made) : OK);
    if (*own->preview) TRY_ALL(g->comm, g->rank == 0 ? write_preview(&r, chosen[0], own->preview) : OK);
done:
    free(r.made);
    remote_close(&r.net);
    site_cells_close(&r.cells);
    index_free(&r.ix);
    index_free(&r.all);
    free(chosen);
    free(folder);
    return st;
}

int main(int argc, char **argv)
{
    static const stage_def def = {
        .name = "tile",
        .summary = "resample, correct and cut the images of a screen's plates into tiles, one HDF5 file per plate",
        .sections = "screen tile cells",
        .affects = AFFECTS_TILES,
        .options = tile_own_options,
        .options_size = sizeof(tile_arguments),
        .run_all = run_all,
    };
    return stage_main(argc, argv, &def);
}
