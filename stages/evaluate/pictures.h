/* pictures.h -- pictures of wells, drawn from the tiles: for the report's cards and for micon gallery. Local.
 *
 * Tiles of a plate have one stretch per channel, fitted over all of its wells: brightness can be compared between a treated well and the
 * controls of its plate. Square roots brighten them: most of a cell is dark. */
#ifndef PICTURES_H
#define PICTURES_H
#include "micon/base/text.h"
#include "micon/config/config.h"
#include "micon/formats/png.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

/* The tile file of one plate. {0} is valid and empty. */
typedef struct {
    store_file *file;
    frame obs;
    names channels;
    int n_channels, side_px;
    uint8_t *tile; /* [n_channels, side_px, side_px] of the well last asked for, brightened */
} plate_tiles;
/* Closes the open plate, if any, and opens this one. E_FAILED where the plate has no tile file. */
status plate_tiles_open(plate_tiles *p, const config *cfg, const char *source, const char *batch, const char *plate) MUST_USE;
void plate_tiles_close(plate_tiles *p);
/* Into p->tile the well's first tile without a flag, else its first; *found: it has one. */
status plate_tiles_well(plate_tiles *p, const char *well, bool *found) MUST_USE;

/* The composite, or one channel in grey (channel >= 0), at x, y. */
void picture_tile(picture *out, const plate_tiles *p, int channel, int x, int y);

/* ---- which wells ---- */
/* Of the wells row[n] of x [.,d]: the `nearest` ones nearest their median profile by cosine, nearest first, then the farthest, where there
 * are more. out: nearest + 1; returns how many through n_out. Ties go to the first. */
status pictures_choose(const float *x, int64_t d, const int64_t *row, int64_t n, int nearest, int64_t *out, int *n_out) MUST_USE;

#endif
