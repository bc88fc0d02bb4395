/* output.c -- the last pass. All ranks write the stretched tiles; rank 0 adds obs with the quality of every tile, the limits of the
 * stretch, the illumination functions, the rejects, and the record of what the file was made from. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/stage/provenance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- obs ---- */

/* What rank 0 needs of all ranks' tiles. */
typedef struct {
    tiling_quality *quality; /* [all sites, tiles_per_site, n_channels] */
    cell_place *place;       /* [all sites, tiles_per_site]; NULL: tile.crop: square */
} tile_notes;

static status gather_notes_all(plate_work *w, tile_notes *all)
{
    status st = OK;
    char *bytes = NULL;
    size_t n = 0, tiles = (size_t)(w->n * w->tiles_per_site);
    TRY(comm_gather_all(w->comm, 0, w->quality, tiles * (size_t)w->n_channels * sizeof *w->quality, &bytes, &n));
    all->quality = (tiling_quality *)(void *)bytes;
    if (!w->cells) goto done;
    TRY(comm_gather_all(w->comm, 0, w->place, tiles * sizeof *w->place, &bytes, &n));
    all->place = (cell_place *)(void *)bytes;
done:
    return st;
}

/* Of tiles of cells: which cell, and where its window's middle is in the image. */
static status add_places(const plate_work *w, frame *obs, const cell_place *all, int tile)
{
    status st = OK;
    int x, y;
    int64_t i = 0;
    TRY(frame_add_col(obs, TILES_CELL_X, FRAME_I64, &x));
    TRY(frame_add_col(obs, TILES_CELL_Y, FRAME_I64, &y));
    for (int64_t s = 0; s < w->plate.n; s++)
        for (int t = 0; t < w->site[s].n_tiles; t++, i++) {
            const cell_place *p = &all[s * w->tiles_per_site + t];
            obs->col[tile].v.i64[i] = p->number;
            obs->col[x].v.i64[i] = p->x;
            obs->col[y].v.i64[i] = p->y;
        }
done:
    return st;
}

/* Rows of obs: the sites' rows of the index, once for every tile. */
static status obs_rows(const plate_work *w, frame *obs, const cell_place *place)
{
    status st = OK;
    frame sites = {0};
    int64_t *row = NULL, n = 0;
    TRY(index_frame(w->ix, w->plate.first, w->plate.n, &sites));
    TRY(mem_alloc(&row, (size_t)w->n_tiles, sizeof *row, "rows of obs"));
    for (int64_t s = 0; s < w->plate.n; s++)
        for (int t = 0; t < w->site[s].n_tiles; t++) row[n++] = s;
    TRY(frame_take(obs, &sites, row, n));
    int col;
    TRY(frame_add_col(obs, "Tile", FRAME_I64, &col));
    for (int64_t i = 0; i < n; i++) obs->col[col].v.i64[i] = i % w->tiles_per_site;
    if (place) TRY(add_places(w, obs, place, col));
done:
    frame_free(&sites);
    free(row);
    return st;
}

typedef enum { FOCUS, SATURATED, ZEROS, MEAN, SD, N_MEASURES } measure;
static const char *const measure_names[] = {"Focus", "Saturated", "Zeros", "Mean", "SD"};

static double measured(const plate_work *w, const tiling_quality *q, measure m, int64_t site, int channel)
{
    switch (m) {
    case FOCUS: return q->focus;
    case SATURATED: return w->note[site * w->n_files + channel].saturated;
    case ZEROS: return q->zeros;
    case MEAN: return q->mean;
    default: return q->sd;
    }
}

/* Add a column of quality and compute its median. */
static status add_measure(const plate_work *w, frame *obs, const tiling_quality *all, measure m, int channel, double *median)
{
    status st = OK;
    char name[300];
    int col;
    int64_t i = 0;
    double *sorted = NULL;
    snprintf(name, sizeof name, "QC_%s_%s", measure_names[m], w->cfg->screen.channels.item[channel]);
    TRY(frame_add_col(obs, name, FRAME_F64, &col));
    TRY(mem_alloc(&sorted, (size_t)obs->n_rows, sizeof *sorted, "quality"));
    for (int64_t s = 0; s < w->plate.n; s++)
        for (int t = 0; t < w->site[s].n_tiles; t++, i++)
            obs->col[col].v.f64[i] = sorted[i] = measured(w, &all[(s * w->tiles_per_site + t) * w->n_channels + channel], m, s, channel);
    *median = tiling_median(sorted, (size_t)obs->n_rows);
done:
    free(sorted);
    return st;
}

static status add_flags(const plate_work *w, frame *obs, const tiling_quality *all, const double *median_focus, const double *median_sd)
{
    status st = OK;
    const tile_options *o = &w->cfg->tile;
    const tiling_limits limits = {o->qc_saturated, o->qc_focus, o->qc_sd};
    int col;
    int64_t i = 0;
    TRY(frame_add_col(obs, "QC_Flag", FRAME_I64, &col));
    for (int64_t s = 0; s < w->plate.n; s++)
        for (int t = 0; t < w->site[s].n_tiles; t++, i++)
            for (int c = 0; c < w->n_channels; c++) {
                const image_note *note = &w->note[s * w->n_files + c];
                obs->col[col].v.i64[i] |= tiling_flags(&all[(s * w->tiles_per_site + t) * w->n_channels + c], note->all_zero,
                                                       note->saturated, median_focus[c], median_sd[c], &limits);
            }
done:
    return st;
}

static status put_obs(const plate_work *w, store *out, const tile_notes *notes)
{
    status st = OK;
    frame obs = {0};
    size_t n = (size_t)w->n_channels;
    double *medians = xcalloc(n * N_MEASURES, sizeof *medians); /* [N_MEASURES, n_channels] */
    const tiling_quality *all = notes->quality;
    TRY(obs_rows(w, &obs, notes->place));
    for (int m = 0; m < N_MEASURES; m++)
        for (int c = 0; c < w->n_channels; c++) TRY(add_measure(w, &obs, all, (measure)m, c, &medians[(size_t)m * n + (size_t)c]));
    TRY(add_flags(w, &obs, all, medians + FOCUS * n, medians + SD * n));
    store_put_frame(out, "obs", &obs);
done:
    frame_free(&obs);
    free(medians);
    return st;
}

/* ---- uns ---- */

static void put_illumination(const plate_work *w, store *out)
{
    int64_t dims[] = {w->n_channels, w->rows, w->columns};
    size_t n = (size_t)w->rows * (size_t)w->columns;
    if (!w->illumination) return;
    double *all = xmalloc(n * (size_t)w->n_channels * sizeof *all);
    for (int c = 0; c < w->n_channels; c++) memcpy(all + (size_t)c * n, w->illumination[c], n * sizeof *all);
    store_put_values(out, "uns/illumination", STORE_F64, 3, dims, all);
    free(all);
}

static status put_uns(const plate_work *w, store *out)
{
    status st = OK;
    text made_from = {0};
    uint64_t sum;
    int64_t dims[] = {w->n_channels}, *ends = xcalloc(2 * (size_t)w->n_channels, sizeof *ends);
    for (int c = 0; c < w->n_channels; c++) {
        ends[c] = w->low[c];
        ends[w->n_channels + c] = w->high[c];
    }
    store_put_texts(out, TILES_CHANNELS, &w->cfg->screen.channels);
    store_put_values(out, "uns/low", STORE_I64, 1, dims, ends);
    store_put_values(out, "uns/high", STORE_I64, 1, dims, ends + w->n_channels);
    put_illumination(w, out);
    const rejects_of of = plate_rejects_of(w);
    TRY(rejects_put(out, &w->bad, &of));
    if (w->cells) TRY(cell_tiles_put_sites(w, out));
    store_put_texts(out, "uns/warnings", &w->warnings);
    up_to_date_made_from(w, &made_from);
    TRY(up_to_date_inputs_sum(w, &sum));
    provenance_put(out, w->g, text_str(&made_from), sum);
done:
    text_free(&made_from);
    free(ends);
    return st;
}

/* ---- tiles ---- */

/* One channel of a tile of a record. */
static void cut_plane(const plate_work *w, uint16_t *record, int t, int c, const uint8_t *table, uint8_t *out)
{
    size_t square = (size_t)w->mosaic_px * (size_t)w->mosaic_px, tile = (size_t)w->size_px * (size_t)w->size_px;
    if (!w->cells) {
        tiling_cut(record + (size_t)c * square, w->mosaic_px, w->size_px, t, table, out);
        return;
    }
    tiling_cut(cell_tiles_plane(w, record, t, c), w->size_px, w->size_px, 0, table, out);
    const uint16_t *mask = cell_tiles_mask(w, record, t);
    for (size_t i = 0; mask && i < tile; i++)
        if (!mask[i]) out[i] = 0;
}

/* The tiles of this rank's next sites from *site on, as many as surely fit into `most`; *n of them. */
static status fill_tiles(plate_work *w, uint8_t *const *tables, int64_t most, int64_t *site, int64_t *n, uint8_t *out)
{
    status st = OK;
    size_t tile = (size_t)w->size_px * (size_t)w->size_px;
    for (*n = 0; *site < w->n && *n + w->tiles_per_site <= most; ++*site) {
        uint16_t *record;
        int tiles = w->site[w->first + *site].n_tiles;
        if (tiles == 0) continue;
        TRY(fault("tiles"));
        TRY(spool_get(&w->squares, *site, &record));
        for (int t = 0; t < tiles; t++)
            for (int c = 0; c < w->n_channels; c++, out += tile) cut_plane(w, record, t, c, tables[c], out);
        *n += tiles;
    }
done:
    return st;
}

/* Tiles, and sites that have some, among sites [from, to). */
static int64_t tiles_among(const plate_work *w, int64_t from, int64_t to)
{
    int64_t n = 0;
    for (int64_t s = from; s < to; s++) n += w->site[s].n_tiles;
    return n;
}
static int64_t sites_among(const plate_work *w, int64_t from, int64_t to)
{
    int64_t n = 0;
    for (int64_t s = from; s < to; s++) n += w->site[s].n_tiles > 0;
    return n;
}

static status write_tiles_all(plate_work *w, store *out)
{
    enum { BLOCK = 16 << 20 };
    status st = OK;
    size_t site_bytes = (size_t)w->tiles_per_site * (size_t)w->n_channels * (size_t)w->size_px * (size_t)w->size_px;
    int64_t sites = (int64_t)(BLOCK / site_bytes > 0 ? BLOCK / site_bytes : 1), most = sites * w->tiles_per_site;
    int64_t at = tiles_among(w, 0, w->first), site = 0, n = 0;
    int64_t calls = comm_max_i64_all(w->comm, (sites_among(w, w->first, w->first + w->n) + sites - 1) / sites);
    uint8_t *block = NULL, **tables = xcalloc((size_t)w->n_channels, sizeof *tables);
    for (int c = 0; c < w->n_channels; c++) {
        tables[c] = xmalloc(TILING_VALUES);
        tiling_stretch_table(w->low[c], w->high[c], tables[c]);
    }
    TRY_ALL(w->comm, mem_alloc(&block, (size_t)sites, site_bytes, "tiles to be written"));
    for (int64_t call = 0; call < calls; call++) {
        TRY_ALL(w->comm, fill_tiles(w, tables, most, &site, &n, block));
        TRY(store_write_rows_all(out, TILES_DATA, at, n, n > 0 ? block : NULL));
        at += n;
    }
done:
    for (int c = 0; c < w->n_channels; c++) free(tables[c]);
    free(tables);
    free(block);
    return st;
}

status output_all(plate_work *w, const char *path)
{
    status st = OK;
    store *out = NULL;
    tile_notes notes = {0};
    int64_t dims[] = {w->n_tiles, w->n_channels, w->size_px, w->size_px};
    const store_info info = {.kind = TILES_KIND,
                             .format = TILES_FORMAT,
                             .bytes = dims[0] * dims[1] * dims[2] * dims[3] + (dims[0] * 100 * (dims[1] + 10)),
                             .anndata = false};
    TRY(gather_notes_all(w, &notes));
    TRY(store_create_all(&out, w->comm, path, &info));
    TRY(store_array_all(out, TILES_DATA, STORE_U8, 4, dims, 1));
    TRY(write_tiles_all(w, out));
    TRY_ALL(w->comm, w->rank == 0 ? put_obs(w, out, &notes) : OK);
    TRY_ALL(w->comm, w->rank == 0 ? put_uns(w, out) : OK);
    TRY_ALL(w->comm, fault("before commit"));
    TRY(store_commit_all(&out));
done:
    store_abandon_all(&out);
    free(notes.quality);
    free(notes.place);
    return st;
}
