/* cell_tiles.c -- tile.crop: cells (docs/method.md 2.7). While a site's images are in memory its cells are found, some of them drawn, and
 * windows around these cut at the resolution of the image; illumination and stretch come later, as for squares. */
#include "tile.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- records: [tiles_per_site, n_channels, size, size], masks [tiles_per_site, size, size], fields [n_channels, 128, 128] ---- */

static size_t tile_values(const plate_work *w)
{
    return (size_t)w->size_px * (size_t)w->size_px;
}

static bool has_masks(const plate_work *w)
{
    return w->cfg->tile.mask == MASK_CELL;
}

static bool has_fields(const plate_work *w)
{
    return w->cfg->tile.illumination == ILLUMINATION_PLATE;
}

static size_t planes(const plate_work *w)
{
    return (size_t)w->tiles_per_site * ((size_t)w->n_channels + has_masks(w)) * tile_values(w);
}

size_t cell_tiles_values(const plate_work *w)
{
    return planes(w) + (has_fields(w) ? (size_t)w->n_channels * TILING_FIELD * TILING_FIELD : 0);
}

uint16_t *cell_tiles_plane(const plate_work *w, uint16_t *record, int t, int c)
{
    return record + ((size_t)t * (size_t)w->n_channels + (size_t)c) * tile_values(w);
}

uint16_t *cell_tiles_mask(const plate_work *w, uint16_t *record, int t)
{
    return has_masks(w) ? record + ((size_t)w->tiles_per_site * (size_t)w->n_channels + (size_t)t) * tile_values(w) : NULL;
}

uint16_t *cell_tiles_field(const plate_work *w, uint16_t *record, int c)
{
    return record + planes(w) + (size_t)c * TILING_FIELD * TILING_FIELD;
}

/* ---- windows ---- */

static int window_side(const plate_work *w)
{
    int side = (int)floor(w->size_px / w->cfg->tile.scale + 0.5);
    return side > 0 ? side : 1;
}

tiling_window cell_tiles_window(const plate_work *w, const cell_place *p)
{
    int side = window_side(w);
    return (tiling_window){.left_px = p->x - side / 2, .top_px = p->y - side / 2, .side_px = side};
}

/* The middle of an object: means of its pixels' coordinates, rounded. */
static void middle_of(const objects *o, int32_t i, cell_place *p)
{
    int64_t n = objects_area(o, i), x = 0, y = 0;
    for (int64_t k = o->first[i]; k < o->first[i + 1]; k++) {
        x += o->pixel[k] % o->width_px;
        y += o->pixel[k] / o->width_px;
    }
    p->x = (int32_t)((2 * x + n) / (2 * n));
    p->y = (int32_t)((2 * y + n) / (2 * n));
}

/* A window lies around the cell's nucleus, or around the cell where a label image gives it none. */
static cell_place place_of(const site_cells *s, int32_t i)
{
    cell_place p = {.number = site_cells_number(s, i), .x = -1, .y = -1};
    if (objects_area(&s->nuclei, i) > 0)
        middle_of(&s->nuclei, i, &p);
    else if (s->cells_file >= 0 && objects_area(&s->cells, i) > 0)
        middle_of(&s->cells, i, &p);
    return p;
}

static bool is_inside(const plate_work *w, const cell_place *p, int width_px, int height_px)
{
    tiling_window v = cell_tiles_window(w, p);
    return p->x >= 0 && v.left_px >= 0 && v.top_px >= 0 && v.left_px + v.side_px <= width_px && v.top_px + v.side_px <= height_px;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

/* Draws from the n cells in `pick`, and leaves those drawn at its beginning, in order. The draw depends on the site's name only, so that
 * other sites and plates do not matter. */
static int draw(const plate_work *w, int64_t site, int64_t *pick, int64_t n)
{
    text name = {0};
    int most = w->tiles_per_site;
    for (int k = INDEX_SOURCE; k <= INDEX_SITE; k++) text_addf(&name, "%s\n", index_cell(w->ix, w->plate.first + site, k));
    rng r = rng_at(0, STREAM_CELLS, 0, digest_text(text_str(&name)));
    text_free(&name);
    rng_shuffle(&r, pick, n);
    if (n < most) most = (int)n;
    if (most > 0) qsort(pick, (size_t)most, sizeof *pick, by_number);
    return most;
}

/* ---- a site ---- */

/* Bad images are noted; *good: there are none. */
static status read_files(plate_work *w, reader *r, int64_t site, bool *good)
{
    status st = OK;
    int64_t first = site * w->n_files, row = w->plate.first + site;
    bool each;
    *good = true;
    for (int f = 0; f < w->n_files; f++) {
        image *im = f < w->n_channels ? &r->im[f] : NULL;
        image_file *file = im ? site_image_file(w->ix, w->plate.first + site, f, r->file) : &r->file[f];
        TRY(read_image(w, r, first + f, file, im, &each));
        if (each && im && w->note[first].bad == OK && (im->width_px != r->im->width_px || im->height_px != r->im->height_px)) {
            status bad = fail(E_FORMAT, "is %d x %d pixels; the site's first channel is %d x %d", im->width_px, im->height_px,
                              r->im->width_px, r->im->height_px);
            TRY(note_bad(w, first + f, bad, index_path(w->ix, row, f, &r->path)));
            each = false;
        }
        *good = *good && each;
        if (!each || !im) continue;
        r->px[f] = im->px;
        r->unit[f] = site_cells_unit(im->kind);
        for (int c = 0; c < f && !im->all_zero && w->note[first + f].same_as < 0; c++)
            if (*good && memcmp(r->px[c], im->px, (size_t)im->width_px * (size_t)im->height_px * sizeof *im->px) == 0)
                w->note[first + f].same_as = c;
    }
done:
    return st;
}

/* The tiles of the cells that were drawn, and their quality. */
static status cut_tiles(plate_work *w, reader *r, int64_t site, uint16_t *record)
{
    status st = OK;
    const cell_place *place = &w->place[(site - w->first) * w->tiles_per_site];
    int side = window_side(w);
    TRY(tiling_plan_for(&r->plan, side, side, w->size_px));
    for (int t = 0; t < w->site[site].n_tiles; t++) {
        tiling_window win = cell_tiles_window(w, &place[t]);
        for (int c = 0; c < w->n_channels; c++) {
            uint16_t *plane = cell_tiles_plane(w, record, t, c);
            tiling_resample_window(&r->plan, r->px[c], r->im->width_px, &win, plane);
            tiling_measure(plane, w->size_px, w->size_px, 0, &w->quality[((site - w->first) * w->tiles_per_site + t) * w->n_channels + c]);
        }
        if (has_masks(w))
            tiling_mask_window(w->cells->cells.label, (int32_t)r->pick[t] + 1, r->im->width_px, &win, w->size_px,
                               cell_tiles_mask(w, record, t));
    }
done:
    return st;
}

status cell_tiles_read(plate_work *w, reader *r, int64_t site, uint16_t *record)
{
    status st = OK;
    site_note *note = &w->site[site];
    bool good;
    int bad_file = 0, width, height;
    TRY(read_files(w, r, site, &good));
    if (!good) goto done;
    width = r->im->width_px;
    height = r->im->height_px;
    status found = site_cells_find(w->cells, r->px, r->unit, width, height, r->file, &bad_file);
    if (found == E_NOMEM || found == E_INTERNAL || found == E_USAGE) return found;
    if (found != OK) return note_bad(w, site * w->n_files + bad_file, found, index_path(w->ix, w->plate.first + site, bad_file, &r->path));
    note->n_cells = site_cells_count(w->cells);
    note->full = w->cells->nuclei_report.foreground > 0.5;
    TRY(mem_grow(&r->pick, &r->pick_cap, (size_t)note->n_cells + 1, sizeof *r->pick, "cells"));
    for (int32_t i = 0; i < note->n_cells; i++) {
        cell_place p = place_of(w->cells, i);
        if (is_inside(w, &p, width, height)) r->pick[note->n_inside++] = i;
    }
    note->n_tiles = draw(w, site, r->pick, note->n_inside);
    for (int t = 0; t < note->n_tiles; t++) w->place[(site - w->first) * w->tiles_per_site + t] = place_of(w->cells, (int32_t)r->pick[t]);
    if (note->n_tiles > 0) TRY(cut_tiles(w, r, site, record));
    for (int c = 0; c < w->n_channels && has_fields(w); c++) tiling_field(r->px[c], width, height, cell_tiles_field(w, record, c));
done:
    return st;
}

/* ---- the plate ---- */

static const char *advice(const plate_work *w, bool full)
{
    if (full)
        return "look at micon-measure --preview: cells.correction above 1 finds less, cells.background and cells.local follow an uneven "
               "background";
    return w->cells->nuclei_file >= 0
               ? "their label images hold none"
               : "look at micon-measure --preview: cells.correction below 1 finds more, cells.least and cells.most bound a nucleus's size";
}

static void warn_sites(plate_work *w, int64_t n, int64_t first, const char *what, const char *then)
{
    char name[200];
    if (n == 0) return;
    index_site_name(w->ix, w->plate.first + first, name, sizeof name);
    char *line = xasprintf("%lld of %lld sites %s, the first: %s; %s", (long long)n, (long long)w->n_good, what, name, then);
    names_add(&w->warnings, line);
    free(line);
}

typedef struct {
    int64_t cells, inside, empty, outside, full, few;
    int64_t first_empty, first_outside, first_full;
} tally;

static tally count_sites(const plate_work *w)
{
    tally t = {0};
    for (int64_t s = 0; s < w->plate.n; s++) {
        const site_note *n = &w->site[s];
        if (w->site_bad[s]) continue;
        t.cells += n->n_cells;
        t.inside += n->n_inside;
        t.few += n->n_tiles > 0 && n->n_tiles < w->tiles_per_site;
        if (n->n_cells == 0 && t.empty++ == 0) t.first_empty = s;
        if (n->n_cells > 0 && n->n_inside == 0 && t.outside++ == 0) t.first_outside = s;
        if (n->full && t.full++ == 0) t.first_full = s;
    }
    return t;
}

status cell_tiles_check_all(plate_work *w)
{
    status st = OK;
    tally t = count_sites(w);
    int side = window_side(w);
    if (t.cells == 0) TRY(fail(E_FAILED, "%s: no cells on any of its %lld sites; %s", w->label, (long long)w->n_good, advice(w, false)));
    if (t.inside == 0)
        TRY(fail(E_FAILED, "%s: none of its %lld cells has its window of %d x %d pixels inside the image of %d x %d: tile.size, tile.scale",
                 w->label, (long long)t.cells, side, side, w->width_px, w->height_px));
    if (w->rank == 0) {
        warn_sites(w, t.empty, t.first_empty, "have no cells, and no tiles", advice(w, false));
        warn_sites(w, t.outside, t.first_outside, "have no tiles: the windows of all their cells cross the image's edge",
                   "tile.size smaller, or tile.scale larger, makes windows smaller");
        warn_sites(w, 10 * t.full > w->n_good ? t.full : 0, t.first_full, "are more than half nuclei", advice(w, true));
        log_info("%s: %lld cells, %lld of them with their window inside the image; %lld sites have fewer than tile.tiles_per_site",
                 w->label, (long long)t.cells, (long long)t.inside, (long long)t.few);
    }
done:
    return st;
}

status cell_tiles_put_sites(const plate_work *w, store *out)
{
    static const char *const counts[] = {"Cells", "Inside", "Tiles"};
    status st = OK;
    frame sites = {0};
    int well, name, col[3];
    int64_t at = 0;
    TRY(frame_add_col(&sites, "Metadata_Well", FRAME_TEXT, &well));
    TRY(frame_add_col(&sites, "Metadata_Site", FRAME_TEXT, &name));
    for (int k = 0; k < 3; k++) TRY(frame_add_col(&sites, counts[k], FRAME_I64, &col[k]));
    TRY(frame_add_rows(&sites, w->n_good));
    for (int64_t s = 0; s < w->plate.n; s++) {
        const site_note *n = &w->site[s];
        const int32_t value[] = {n->n_cells, n->n_inside, n->n_tiles};
        if (w->site_bad[s]) continue;
        TRY(frame_set_text(&sites, at, well, index_cell(w->ix, w->plate.first + s, INDEX_WELL)));
        TRY(frame_set_text(&sites, at, name, index_cell(w->ix, w->plate.first + s, INDEX_SITE)));
        for (int k = 0; k < 3; k++) sites.col[col[k]].v.i64[at] = value[k];
        at++;
    }
    store_put_frame(out, "uns/sites", &sites);
done:
    frame_free(&sites);
    return st;
}
