/* preview_cells.c -- outlines of cells for the picture of a plate: the cells of a site are found in its images, as the configuration's
 * section `cells` asks, and drawn at the thumbnail's resolution. */
#include "preview.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const uint32_t preview_line_colour[3] = {0, 0xffff00, 0xff0066};

/* ---- which part of an image a tile is ---- */

static double window_px(const config *c)
{
    double side = floor((double)c->tile.size / c->tile.scale + 0.5);
    return side > 1 ? side : 1;
}

static int grid_of(const config *c) /* tiles along a side of the square */
{
    return (int)lround(sqrt((double)c->tile.tiles_per_site));
}

/* Side of the square of an image that becomes a tile. */
static double tile_side(const config *c, int width_px, int height_px)
{
    if (c->tile.crop == CROP_CELLS) return window_px(c);
    return (double)(width_px < height_px ? width_px : height_px) / grid_of(c);
}

static void tile_corner(const config *c, const frame *obs, int64_t shown, int width_px, int height_px, double *x, double *y)
{
    double side = tile_side(c, width_px, height_px);
    int at_x = frame_col(obs, "Cell_X"), at_y = frame_col(obs, "Cell_Y"), tile = frame_col(obs, "Tile");
    if (c->tile.crop == CROP_CELLS && at_x >= 0 && at_y >= 0) {
        int half = (int)side / 2;
        *x = (double)(obs->col[at_x].v.i64[shown] - half);
        *y = (double)(obs->col[at_y].v.i64[shown] - half);
        return;
    }
    int64_t number = tile >= 0 ? obs->col[tile].v.i64[shown] : 0;
    int square = width_px < height_px ? width_px : height_px;
    *x = (width_px - square) / 2 + side * (double)(number % grid_of(c));
    *y = (height_px - square) / 2 + side * (double)(number / grid_of(c));
}

/* ---- images ---- */

static status read_channel(preview_cells *c, int64_t row, int channel)
{
    image_seen seen;
    const preview_plate *p = c->plate;
    image *im = &c->im[channel];
    status st = site_image_read(&c->source, p->ix, p->cfg, row, channel, site_image_file(p->ix, row, channel, c->file), im, &seen);
    if (st != OK) return st;
    c->px[channel] = im->px;
    c->unit[channel] = site_cells_unit(im->kind);
    return OK;
}

void preview_cells_close(preview_cells *c)
{
    for (int f = 0; f < c->n_files; f++) image_file_free(&c->file[f]);
    for (int k = 0; k < c->n_channels; k++) image_free(&c->im[k]);
    free(c->file);
    free(c->im);
    free(c->px);
    free(c->unit);
    site_image_free(&c->source);
    site_cells_close(&c->found);
    *c = (preview_cells){0};
}

status preview_cells_open(preview_cells *c, const preview_plate *plate, const preview_options *o, preview_scale *scale)
{
    status st = OK;
    const config *cfg = plate->cfg;
    double side = 0;
    *c = (preview_cells){.plate = plate};
    if (o->outlines) TRY(site_cells_open(&c->found, cfg, true));
    c->n_channels = (int)cfg->screen.channels.n;
    c->n_files = o->outlines ? c->found.n_files : c->n_channels;
    c->file = xcalloc((size_t)c->n_files, sizeof *c->file);
    c->im = xcalloc((size_t)c->n_channels, sizeof *c->im);
    c->px = xcalloc((size_t)c->n_channels, sizeof *c->px);
    c->unit = xcalloc((size_t)c->n_channels, sizeof *c->unit);
    c->source.net = plate->net;
    status read = read_channel(c, index_plate_at(plate->ix, plate->number).first, 0);
    if (read == OK)
        side = tile_side(cfg, c->im->width_px, c->im->height_px);
    else if (o->pixel_um > 0 || read == E_NOMEM)
        TRY(read);
    else
        msg_clear();
    *scale = side <= 0         ? (preview_scale){(double)cfg->tile.size, "pixels of a tile"}
             : o->pixel_um > 0 ? (preview_scale){side * o->pixel_um, "um"}
                               : (preview_scale){side, "pixels of an image"};
done:
    return st;
}

/* ---- lines ---- */

static int64_t row_of(const preview_plate *p, const char *well, const char *site)
{
    index_plate at = index_plate_at(p->ix, p->number);
    for (int64_t row = at.first; row < at.first + at.n; row++)
        if (strcmp(index_cell(p->ix, row, INDEX_WELL), well) == 0 && strcmp(index_cell(p->ix, row, INDEX_SITE), site) == 0) return row;
    return -1;
}

typedef struct {
    double x, y, step; /* corner, and pixels of the image a pixel of the thumbnail */
} window;

static int32_t label_at(const objects *o, const window *w, int i, int j)
{
    int x = (int)floor(w->x + (i + 0.5) * w->step), y = (int)floor(w->y + (j + 0.5) * w->step);
    return x < 0 || y < 0 || x >= o->width_px || y >= o->height_px ? 0 : o->label[(int64_t)y * o->width_px + x];
}

static void add_lines(const objects *o, const window *w, int side_px, uint8_t value, uint8_t *lines)
{
    for (int j = 0; j < side_px; j++)
        for (int i = 0; i < side_px; i++) {
            int32_t l = label_at(o, w, i, j);
            if (l != 0 && (label_at(o, w, i - 1, j) != l || label_at(o, w, i + 1, j) != l || label_at(o, w, i, j - 1) != l ||
                           label_at(o, w, i, j + 1) != l))
                lines[j * side_px + i] = value;
        }
}

status preview_cells_lines(preview_cells *c, const frame *obs, int64_t shown, int side_px, uint8_t *lines)
{
    status st = OK;
    const preview_plate *p = c->plate;
    const char *well = frame_text(obs, shown, frame_col(obs, "Metadata_Well")),
               *site = frame_text(obs, shown, frame_col(obs, "Metadata_Site"));
    int bad_file;
    int64_t row = row_of(p, well, site);
    window w;
    if (row < 0) TRY(fail(E_FAILED, "well %s site %s: the tables have no such images any more", well, site));
    TRY(read_channel(c, row, 0)); /* says how large the site's images are */
    for (int k = 1; k < c->n_channels; k++)
        if (k == c->found.nuclei_channel || k == c->found.cell_channel) TRY(read_channel(c, row, k));
    for (int f = c->n_channels; f < c->n_files; f++) {
        image_seen seen;
        TRY(site_image_bytes(&c->source, p->ix, row, f, &c->file[f], &seen));
    }
    int width = c->im->width_px, height = c->im->height_px;
    TRY(site_cells_find(&c->found, c->px, c->unit, width, height, c->file, &bad_file));
    w.step = tile_side(p->cfg, width, height) / side_px;
    tile_corner(p->cfg, obs, shown, width, height, &w.x, &w.y);
    memset(lines, 0, (size_t)side_px * (size_t)side_px);
    add_lines(&c->found.cells, &w, side_px, PREVIEW_CELL, lines);
    add_lines(&c->found.nuclei, &w, side_px, PREVIEW_NUCLEUS, lines);
done:
    return st;
}
