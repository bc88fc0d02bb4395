/* preview.h -- a picture of a whole plate from its finished tiles (preview.c), with outlines of cells (preview_cells.c). Rank 0. */
#ifndef PREVIEW_H
#define PREVIEW_H
#include "tile.h"

typedef struct {
    char *file;     /* PNG */
    names channels; /* NAME or NAME=COLOUR; none: the first three, as blue, green, red */
    bool outlines;
    double pixel_um; /* side of a pixel of the images; 0: not known */
} preview_options;

typedef struct {
    const config *cfg;
    const screen_index *ix; /* channels, then label images */
    remote *net;
    int64_t number; /* of the plate in the index */
    const char *label, *tile_file;
} preview_plate;

status preview_write(const preview_plate *plate, const preview_options *o) MUST_USE;

/* ---- preview_cells.c: what a tile shows of its site's images, and the cells there ---- */
enum { PREVIEW_CELL = 1, PREVIEW_NUCLEUS };
extern const uint32_t preview_line_colour[3]; /* by the values of `lines` */

typedef struct {
    double units; /* along the side of a tile */
    const char *unit;
} preview_scale;

typedef struct {
    const preview_plate *plate;
    site_cells found;
    site_image source;
    image_file *file; /* [n_files] */
    image *im;        /* [n_channels] */
    const uint16_t **px;
    double *unit;
    int n_files, n_channels;
} preview_cells; /* {0} is valid and empty */

/* Opens the first site's image for the scale; where that cannot be read, units are pixels of a tile, unless micrometres are asked for. */
status preview_cells_open(preview_cells *c, const preview_plate *plate, const preview_options *o, preview_scale *scale) MUST_USE;
void preview_cells_close(preview_cells *c);
/* Outlines of the cells in the tile that is row `shown` of obs: lines [side_px, side_px]. */
status preview_cells_lines(preview_cells *c, const frame *obs, int64_t shown, int side_px, uint8_t *lines) MUST_USE;

#endif
