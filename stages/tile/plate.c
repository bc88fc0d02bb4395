/* plate.c -- one plate from its rows in the index to its tile file. */
#include "tile.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/stage/plates.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void plate_free(plate_work *w)
{
    free(w->note);
    free(w->plane_seen);
    free(w->site);
    free(w->site_bad);
    free(w->place);
    free(w->quality);
    free(w->low);
    free(w->high);
    free(w->function_note);
    for (int c = 0; w->illumination && c < w->n_channels; c++) free(w->illumination[c]);
    free(w->illumination);
    frame_free(&w->bad);
    names_free(&w->warnings);
    spool_close(&w->squares);
}

/* The folder of squares that are not kept in memory. "$NAME" is the job's, known only where the job runs. */
static status scratch_folder(const config *c, char **folder)
{
    const char *given = c->tile.scratch, *of_job = *given == '$' ? getenv(given + 1) : NULL;
    if (*given == '$' && (!of_job || !*of_job))
        return fail(E_USAGE, "tile.scratch: %s is not set where this program runs; name a folder, or leave it empty", given);
    *folder = of_job ? xstrdup(of_job) : *given ? config_path(c, given) : config_work(c, WORK_TILES);
    return OK;
}

static status plate_prepare(plate_work *w)
{
    status st = OK;
    size_t channels = (size_t)w->n_channels, square = (size_t)w->mosaic_px * (size_t)w->mosaic_px;
    char *scratch = NULL;
    TRY(scratch_folder(w->cfg, &scratch));
    TRY(mem_alloc(&w->note, (size_t)w->plate.n * (size_t)w->n_files, sizeof *w->note, "notes of images"));
    TRY(mem_alloc(&w->plane_seen, (size_t)w->n_planes, sizeof *w->plane_seen, "notes of planes"));
    TRY(mem_alloc(&w->site, (size_t)w->plate.n, sizeof *w->site, "notes of sites"));
    TRY(mem_alloc(&w->site_bad, (size_t)w->plate.n, 1, "notes of sites"));
    if (w->cells) TRY(mem_alloc(&w->place, (size_t)w->n * (size_t)w->tiles_per_site, sizeof *w->place, "places of cells"));
    TRY(mem_alloc(&w->quality, (size_t)w->n * (size_t)w->tiles_per_site * channels, sizeof *w->quality, "quality"));
    w->low = xcalloc(channels, sizeof *w->low);
    w->high = xcalloc(channels, sizeof *w->high);
    w->function_note = xcalloc(channels, sizeof *w->function_note);
    TRY(spool_open(&w->squares, w->n, w->cells ? cell_tiles_values(w) : channels * square, w->cfg->tile.memory / w->size, scratch));
done:
    free(scratch);
    return st;
}

static status plate_make_all(plate_work *w, const char *path)
{
    status st = OK;
    reader r = {0};
    reader_open(&r, w);
    TRY_ALL(w->comm, w->rank == 0 ? plates_look_for_files(w->ix, w->number, w->cfg->tile.illumination == ILLUMINATION_FILE,
                                                          w->cfg->tile.max_bad, w->label)
                                  : OK);
    TRY_ALL(w->comm, plate_prepare(w));
    progress_say(w->shown, "reading");
    TRY_ALL(w->comm, read_sites(w, &r));
    TRY(reject_all(w));
    if (w->cells) TRY(cell_tiles_check_all(w));
    progress_say(w->shown, "correcting");
    TRY(illumination_all(w));
    progress_say(w->shown, "writing");
    TRY(output_all(w, path));
    if (w->rank == 0) {
        for (size_t i = 0; i < w->warnings.n; i++) log_warn("%s: %s", w->label, w->warnings.item[i]);
        /* If this cannot be written, the next run reads the inputs again. */
        if (up_to_date_remember(w, path) != OK) {
            log_warn("%s", msg_get());
            msg_clear();
        }
    }
done:
    reader_free(&r);
    return st;
}

/* The same, with work/status/tile/NAME.json and a bar. */
static status plate_make_shown_all(plate_work *w, const char *path)
{
    char *name = plate_record_name(path), *file = config_status_file(w->cfg, "tile", name, "json");
    const progress_info info = {.file = file, .stage = "tile", .name = name, .unit = "sites", .total = w->plate.n};
    w->shown = progress_start_all(w->comm, &info);
    status st = plate_make_all(w, path);
    progress_end_all(&w->shown, st);
    free(file);
    free(name);
    return st;
}

status plate_run_all(stage *s, const screen_index *ix, const screen_index *own, site_cells *cells, remote *net, int64_t number, bool *made)
{
    status st = OK;
    const tile_options *o = &s->cfg.tile;
    plate_work w = {.g = s,
                    .comm = s->comm,
                    .rank = s->rank,
                    .size = s->size,
                    .cfg = &s->cfg,
                    .ix = ix,
                    .own = own,
                    .cells = cells,
                    .net = net,
                    .number = number};
    bool fresh = false;
    w.squares.fd = -1;
    w.plate = index_plate_at(ix, number);
    w.n_planes = index_planes_of_rows(ix, w.plate.first, w.plate.n, &w.first_plane);
    w.n_channels = index_n_channels(own);
    w.n_files = cells ? cells->n_files : w.n_channels;
    w.size_px = (int)o->size;
    w.tiles_per_site = (int)o->tiles_per_site;
    w.mosaic_px = (int)lround(sqrt((double)o->tiles_per_site)) * w.size_px;
    snprintf(w.label, sizeof w.label, "%s/%s/%s", w.plate.source, w.plate.batch, w.plate.plate);
    partition(w.plate.n, w.size, w.rank, &w.first, &w.n);
    char *path = config_plate_file(&s->cfg, WORK_TILES, w.plate.source, w.plate.batch, w.plate.plate);
    TRY(agree_same_all(s->comm, index_plate_digest(ix, number, INDEX_OF_ALL), "rows of the index"));
    if (!s->force) TRY(up_to_date_check_all(&w, path, s->verify, &fresh));
    *made = !fresh;
    if (fresh) {
        log_info("%s: up to date", w.label);
    } else {
        TRY(plate_make_shown_all(&w, path));
        log_info("%s: %lld of %lld sites, %lld tiles", w.label, (long long)w.n_good, (long long)w.plate.n, (long long)w.n_tiles);
    }
done:
    plate_free(&w);
    free(path);
    return st;
}
