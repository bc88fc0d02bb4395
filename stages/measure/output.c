/* output.c -- the finished files in AnnData's layout: all ranks write the rows from their spools, rank 0 writes everything else. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/stage/provenance.h"
#include "micon/stage/rejects.h"

#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 8 << 20 };

/* ---- rows ---- */

/* Rows of a site: its own one, or one a cell. */
static int64_t rows_of(const plate_work *w, int64_t site, bool cells)
{
    const site_note *s = &w->note[site];
    return s->bad ? 0 : cells ? s->n_cells + s->n_border : 1;
}

/* Rows of a spool and where they belong in X: a rank's sites that follow each other make one run, at most as long as a call writes. */
typedef struct {
    int64_t at, n;
} row_run;

/* out has room for as many runs as there are: NULL only counts them. */
static int64_t runs_of(const plate_work *w, bool cells, int64_t most, row_run *out)
{
    int64_t at = 0, n_runs = 0;
    row_run run = {0, 0};
    for (int64_t site = 0; site <= w->plate.n; site++) {
        bool mine = site < w->plate.n && w->note[site].by == 1 + w->g->rank;
        int64_t n = site < w->plate.n ? rows_of(w, site, cells) : 0;
        if (mine && run.n == 0) run.at = at;
        if (mine) run.n += n;
        bool ends = site == w->plate.n || (!mine && n > 0);
        while (run.n > most || (ends && run.n > 0)) {
            int64_t now = run.n < most ? run.n : most;
            if (out) out[n_runs] = (row_run){run.at, now};
            n_runs++;
            run = (row_run){run.at + now, run.n - now};
        }
        at += n;
    }
    return n_runs;
}

/* This rank's rows of a spool, without their first `skip` values, into X. */
static status write_rows_all(plate_work *w, store *out, const row_spool *s, size_t d, size_t skip, bool cells)
{
    status st = OK;
    int64_t most = BLOCK_BYTES / (int64_t)s->row_bytes > 0 ? BLOCK_BYTES / (int64_t)s->row_bytes : 1;
    int64_t n_runs = runs_of(w, cells, most, NULL), calls = comm_max_i64_all(w->comm, n_runs), from = 0;
    row_run *runs = NULL;
    float *rows = NULL;
    TRY_ALL(w->comm, mem_alloc(&rows, (size_t)most, s->row_bytes, "rows of features"));
    TRY_ALL(w->comm, mem_alloc(&runs, (size_t)calls, sizeof *runs, "runs of rows"));
    runs_of(w, cells, most, runs);
    for (int64_t call = 0; call < calls; call++) {
        int64_t n = runs[call].n; /* 0 where this rank has no more */
        status local = row_spool_get(s, from, n, rows);
        for (int64_t i = 0; skip && i < n; i++) memmove(rows + (size_t)i * d, rows + (size_t)i * (d + skip) + skip, d * sizeof *rows);
        if (local == OK) local = fault("rows");
        TRY_ALL(w->comm, local);
        TRY(store_write_rows_all(out, "X", runs[call].at, n, n > 0 ? rows : NULL));
        from += n;
    }
done:
    free(rows);
    free(runs);
    return st;
}

static status put_made_from(const plate_work *w, store *out)
{
    status st = OK;
    text made_from = {0};
    uint64_t sum;
    inputs_made_from(w, &made_from);
    TRY(inputs_sum(w, &sum));
    provenance_put(out, w->g, text_str(&made_from), sum);
done:
    text_free(&made_from);
    return st;
}

/* ---- a row per site ---- */

static status put_site_obs(const plate_work *w, store *out)
{
    static const char *const real[] = {"QC_NucleusPx",        "QC_CellPx",         "QC_NucleiThreshold",
                                       "QC_NucleiForeground", "QC_CellsThreshold", "QC_CellsForeground"};
    status st = OK;
    frame all = {0}, obs = {0};
    int64_t *row = NULL, n = 0;
    int cells, border, col[6];
    TRY(index_frame(w->ix, w->plate.first, w->plate.n, &all));
    TRY(mem_alloc(&row, (size_t)w->n_good, sizeof *row, "rows of obs"));
    for (int64_t i = 0; i < w->plate.n; i++)
        if (!w->note[i].bad) row[n++] = i;
    TRY(frame_take(&obs, &all, row, n));
    TRY(frame_add_col(&obs, "QC_Cells", FRAME_I64, &cells));
    TRY(frame_add_col(&obs, "QC_Border", FRAME_I64, &border));
    for (int k = 0; k < 6; k++) TRY(frame_add_col(&obs, real[k], FRAME_F64, &col[k]));
    for (int64_t i = 0; i < n; i++) {
        const site_note *s = &w->note[row[i]];
        const double v[] = {(double)s->nucleus_px, (double)s->cell_px, s->nuclei_threshold,
                            s->nuclei_foreground,  s->cells_threshold, s->cells_foreground};
        obs.col[cells].v.i64[i] = s->n_cells;
        obs.col[border].v.i64[i] = s->n_border;
        for (int k = 0; k < 6; k++) frame_set_real(&obs, i, col[k], v[k]);
    }
    store_put_frame(out, "obs", &obs);
done:
    frame_free(&all);
    frame_free(&obs);
    free(row);
    return st;
}

static status put_sites(const plate_work *w, store *out)
{
    status st = OK;
    names features = {0};
    frame wells = {0};
    const rejects_of of = {w->ix, w->plate.first, w->site->n_files, w->label, w->cfg->dir};
    summary_names(measure_features(w->site->measure), &features);
    TRY(put_site_obs(w, out));
    store_put_index(out, "var", &features);
    TRY(counts_wells(w, &wells));
    store_put_frame(out, "uns/wells", &wells);
    store_put_texts(out, TILES_CHANNELS, &w->cfg->screen.channels);
    store_put_texts(out, "uns/warnings", &w->warnings);
    TRY(rejects_put(out, &w->bad, &of));
    TRY(put_made_from(w, out));
done:
    names_free(&features);
    frame_free(&wells);
    return st;
}

static status sites_all(plate_work *w)
{
    status st = OK;
    store *out = NULL;
    char *path = plate_output(w, false);
    int64_t d = (int64_t)w->n_values;
    const store_info info = {
        .kind = FEATURES_KIND, .format = FEATURES_FORMAT, .bytes = w->n_good * (4 * d + 1000) + (1 << 20), .anndata = true};
    TRY(store_create_all(&out, w->comm, path, &info));
    TRY(store_array_all(out, "X", STORE_F32, 2, (int64_t[]){w->n_good, d}, 1));
    TRY(write_rows_all(w, out, &w->sites, w->n_values, 0, false));
    TRY_ALL(w->comm, w->g->rank == 0 ? put_sites(w, out) : OK);
    TRY_ALL(w->comm, fault("before commit"));
    TRY(store_commit_all(&out));
done:
    store_abandon_all(&out);
    free(path);
    return st;
}

/* ---- a row per cell ---- */

/* 8 bytes a cell, in the order of ranks, to the order of sites. */
static status in_order(const plate_work *w, const char *by_rank, char *out)
{
    status st = OK;
    size_t *next = NULL; /* of each rank: where its next site begins in by_rank */
    TRY(mem_alloc(&next, (size_t)w->g->size + 1, sizeof *next, "ranks"));
    for (int64_t i = 0; i < w->plate.n; i++) next[w->note[i].by] += 8 * (size_t)rows_of(w, i, true);
    for (int r = 1; r <= w->g->size; r++) next[r] += next[r - 1]; /* their ends, */
    for (int r = w->g->size; r > 0; r--) next[r] = next[r - 1];   /* their beginnings */
    for (int64_t i = 0; i < w->plate.n; i++) {
        size_t n = 8 * (size_t)rows_of(w, i, true);
        memcpy(out, by_rank + next[w->note[i].by], n);
        next[w->note[i].by] += n;
        out += n;
    }
done:
    free(next);
    return st;
}

/* Numbers of the cells in their images and whether they count, of all ranks, on rank 0, in the order of sites. */
static status gather_cells_all(plate_work *w, char **all)
{
    status st = OK;
    float *row = NULL, *mine = NULL;
    char *by_rank = NULL;
    size_t n = 0;
    TRY_ALL(w->comm, mem_alloc(&mine, 2 * (size_t)w->cells.n, sizeof *mine, "cells"));
    TRY_ALL(w->comm, mem_alloc(&row, w->cells.row_bytes, 1, "a cell"));
    for (int64_t i = 0; st == OK && i < w->cells.n; i++) {
        st = row_spool_get(&w->cells, i, 1, row);
        memcpy(mine + 2 * i, row, 2 * sizeof *mine);
    }
    TRY_ALL(w->comm, st);
    TRY(comm_gather_all(w->comm, 0, mine, 2 * (size_t)w->cells.n * sizeof *mine, &by_rank, &n));
    if (w->g->rank == 0) st = mem_alloc(all, n, 1, "cells");
    TRY_ALL(w->comm, st == OK && w->g->rank == 0 ? in_order(w, by_rank, *all) : st);
done:
    free(by_rank);
    free(row);
    free(mine);
    return st;
}

static status put_cell_obs(const plate_work *w, store *out, const char *cells)
{
    status st = OK;
    frame all = {0}, obs = {0};
    int64_t *row = NULL, n = 0;
    int number, counts;
    TRY(index_frame(w->ix, w->plate.first, w->plate.n, &all));
    TRY(mem_alloc(&row, (size_t)w->n_cells, sizeof *row, "rows of obs"));
    for (int64_t i = 0; i < w->plate.n; i++)
        for (int64_t k = rows_of(w, i, true); k > 0; k--) row[n++] = i;
    TRY(frame_take(&obs, &all, row, n));
    TRY(frame_add_col(&obs, "ObjectNumber", FRAME_I64, &number));
    TRY(frame_add_col(&obs, "Counts", FRAME_BOOL, &counts));
    for (int64_t i = 0; i < n; i++) {
        int32_t label;
        float yes;
        memcpy(&label, cells + 8 * i, sizeof label);
        memcpy(&yes, cells + 8 * i + 4, sizeof yes);
        obs.col[number].v.i64[i] = label;
        obs.col[counts].v.yes[i] = yes > 0;
    }
    store_put_frame(out, "obs", &obs);
    store_put_index(out, "var", measure_features(w->site->measure));
    TRY(put_made_from(w, out));
done:
    frame_free(&all);
    frame_free(&obs);
    free(row);
    return st;
}

static status cells_all(plate_work *w)
{
    status st = OK;
    store *out = NULL;
    char *path = plate_output(w, true), *cells = NULL;
    size_t d = measure_features(w->site->measure)->n;
    const store_info info = {
        .kind = CELLS_KIND, .format = CELLS_FORMAT, .bytes = w->n_cells * (4 * (int64_t)d + 200) + (1 << 20), .anndata = true};
    TRY(gather_cells_all(w, &cells));
    TRY(store_create_all(&out, w->comm, path, &info));
    TRY(store_array_all(out, "X", STORE_F32, 2, (int64_t[]){w->n_cells, (int64_t)d}, 1));
    TRY(write_rows_all(w, out, &w->cells, d, 2, true));
    TRY_ALL(w->comm, w->g->rank == 0 ? put_cell_obs(w, out, cells) : OK);
    TRY(store_commit_all(&out));
done:
    store_abandon_all(&out);
    free(path);
    free(cells);
    return st;
}

status output_all(plate_work *w)
{
    status st = OK;
    if (w->cfg->measure.cells) TRY(cells_all(w)); /* first: who finds the sites' file finds both */
    TRY(sites_all(w));
done:
    return st;
}
