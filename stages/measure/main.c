/* main.c -- micon-measure: cells found on every site, CellProfiler's features of them (docs/method.md 11), one HDF5 file a plate with a
 * row a site, and on request one with a row per cell. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/stage/plates.h"

#include <stdlib.h>

typedef struct {
    char *preview;
} measure_arguments;

static const opt own_options[] = {
    {NULL, "preview", OPT_TEXT, offsetof(measure_arguments, preview), "", 0, 0, NULL, 0,
     "only draw the outlines of nuclei and cells on some sites of the one plate into this PNG file, to choose `cells:` by"},
    {.name = NULL},
};

typedef struct {
    stage *g;
    screen_index *ix;  /* the screen's */
    screen_index *all; /* with label images; NULL: there are none */
    site_reader site;
} run;

static screen_index *index_of(const run *r)
{
    return r->all ? r->all : r->ix;
}

static status one_plate_all(void *ctx, int64_t p)
{
    run *r = ctx;
    return plate_run_all(r->g, &r->site, index_of(r), r->ix, p);
}

static status draw_preview(run *r, int64_t p, const char *png)
{
    plate_work w = {
        .g = r->g, .cfg = &r->g->cfg, .ix = index_of(r), .own = r->ix, .number = p, .plate = index_plate_at(r->ix, p), .site = &r->site};
    return preview_write(&w, png);
}

static status run_all(stage *g)
{
    status st = OK;
    const measure_arguments *own = g->options;
    run r = {.g = g};
    int64_t *chosen = NULL, n = 0;
    char *run_name = text_encode_name(g->cfg.train.run), *below = xasprintf(WORK_FEATURES "/%s", run_name),
         *folder = config_work(&g->cfg, below);
    TRY(plates_index_all(g, &r.ix));
    TRY(site_cells_index_all(g, r.ix, &r.all));
    TRY(plates_chosen_all(g, r.ix, &chosen, &n));
    TRY_ALL(g->comm, site_open(&r.site, &g->cfg, index_of(&r), g->verify));
    if (*own->preview) {
        if (n != 1) TRY(fail(E_USAGE, "--preview shows one plate, and there are %lld: choose with --plate", (long long)n));
        TRY_ALL(g->comm, g->rank == 0 ? draw_preview(&r, chosen[0], own->preview) : OK);
        goto done;
    }
    if (g->rank == 0) path_sweep_parts(folder, NULL);
    TRY(plates_each_all(g, chosen, n, one_plate_all, &r));
done:
    site_close(&r.site);
    index_free(&r.ix);
    index_free(&r.all);
    free(chosen);
    free(run_name);
    free(below);
    free(folder);
    return st;
}

int main(int argc, char **argv)
{
    static const stage_def def = {
        .name = "measure",
        .summary = "find the cells of a screen's images and measure CellProfiler's features of them, one HDF5 file a plate",
        .sections = "screen cells measure tile.fetch tile.pages tile.z tile.input_scale tile.max_bad train.run",
        .affects = AFFECTS_FEATURES,
        .options = own_options,
        .options_size = sizeof(measure_arguments),
        .run_all = run_all,
    };
    return stage_main(argc, argv, &def);
}
