/* main.c -- micon-tile: every TIFF of a plate once, to tiles that fit a network (docs/method.md 2), one HDF5 file a plate. */
#include "preview.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/stage/plates.h"

#include <stdlib.h>

#define P(field) offsetof(preview_options, field)
static const opt tile_own_options[] = {
    {NULL, "preview", OPT_TEXT, P(file), "", 0, 0, NULL, 0, "write a contact sheet of the one plate's wells to this PNG file"},
    {NULL, "channel", OPT_LIST, P(channels), "", 0, 0, NULL, 0,
     "drawn there: NAME, or NAME=COLOUR with RRGGBB or a word; may be repeated; default: the first three as blue, green, red"},
    {NULL, "outlines", OPT_FLAG, P(outlines), "", 0, 0, NULL, 0, "draw outlines of cells there, found as section 'cells' says"},
    {NULL, "pixel", OPT_REAL, P(pixel_um), "0", 0, 1000, NULL, 0,
     "micrometres that a pixel of the images is wide, for the scale there; 0: the scale is in pixels"},
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

static status write_preview(const run *r, int64_t p, const screen_index *labelled)
{
    char *label = plates_label(r->ix, p), *path = plates_file(r->g, r->ix, WORK_TILES, p);
    status st = preview_write(&(preview_plate){&r->g->cfg, labelled ? labelled : r->ix, r->net, p, label, path}, r->g->options);
    free(label);
    free(path);
    return st;
}

static status run_all(stage *g)
{
    status st = OK;
    const preview_options *own = g->options;
    screen_index *labelled = NULL; /* of the preview */
    run r = {.g = g};
    int64_t *chosen = NULL, n = 0;
    char *folder = config_work(&g->cfg, WORK_TILES);
    TRY(plates_index_all(g, &r.ix));
    if (g->cfg.tile.crop == CROP_CELLS) {
        TRY(site_cells_index_all(g, r.ix, &r.all));
        TRY_ALL(g->comm, site_cells_open(&r.cells, &g->cfg, g->cfg.tile.mask == MASK_CELL));
    }
    TRY(plates_chosen_all(g, r.ix, &chosen, &n));
    if (!*own->file && (own->channels.n || own->outlines || own->pixel_um > 0))
        TRY(fail(E_USAGE, "--channel, --outlines and --pixel say how --preview is drawn: add --preview FILE.png"));
    if (*own->file && n != 1) TRY(fail(E_USAGE, "--preview shows one plate, but %lld are chosen: select one with --plate", (long long)n));
    if (g->rank == 0) path_sweep_parts(folder, NULL);
    r.net = remote_open_for(&g->cfg, g->verify);
    r.made = xcalloc((size_t)index_n_plates(r.ix), sizeof *r.made);
    TRY(plates_each_all(g, chosen, n, one_plate_all, &r));
    TRY_ALL(g->comm, g->rank == 0 ? channel_swap_check(r.ix, &g->cfg, r.made) : OK);
    if (own->outlines) TRY(site_cells_index_all(g, r.ix, &labelled));
    if (*own->file) TRY_ALL(g->comm, g->rank == 0 ? write_preview(&r, chosen[0], labelled) : OK);
done:
    free(r.made);
    remote_close(&r.net);
    site_cells_close(&r.cells);
    index_free(&r.ix);
    index_free(&r.all);
    index_free(&labelled);
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
        .options_size = sizeof(preview_options),
        .run_all = run_all,
    };
    return stage_main(argc, argv, &def);
}
