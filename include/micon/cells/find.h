/* find.h -- nuclei found in one channel, cells grown from them in another (docs/method.md 11.1). Local, serial, the same on any machine.
 * A finder keeps the working memory of an image: it grows to the largest met, and nothing is allocated per object. */
#ifndef MICON_CELLS_FIND_H
#define MICON_CELLS_FIND_H
#include "micon/cells/objects.h"

typedef enum { FIND_OTSU, FIND_OTSU3, FIND_CROSS_ENTROPY, N_FIND_THRESHOLDS } find_threshold;
typedef enum { FIND_SPLIT_DISTANCE, FIND_SPLIT_INTENSITY, FIND_SPLIT_NONE, N_FIND_SPLITS } find_split;
typedef enum { FIND_GROW_PROPAGATION, FIND_GROW_DISTANCE, N_FIND_GROWS } find_grow;

/* How foreground is told from background in one channel. */
typedef struct {
    double smooth_px;  /* sigma of a Gaussian before the threshold; 0: none */
    int background_px; /* side of the blocks whose lower quartile is the background that is subtracted; 0: none */
    find_threshold method;
    bool log;          /* thresholds are sought among logarithms */
    int local_px;      /* side of the blocks that have a threshold each, between which it is interpolated; 0: one for the image */
    double correction; /* the threshold is multiplied by this */
} find_foreground;

typedef struct {
    find_foreground nuclei, cells;
    double least_px, most_px; /* diameters of a disk of a nucleus's area */
    find_split split;
    double split_px; /* least distance of two nuclei's middles */
    find_grow grow;
    int grow_px;           /* FIND_GROW_DISTANCE: as far as this from the nucleus */
    double regularization; /* FIND_GROW_PROPAGATION: what a step of a pixel costs, as a difference of values (of 0..1); at least 0.001 */
} find_options;

/* What was found, for messages and tables. */
typedef struct {
    double threshold;  /* the image's, of 0..1 */
    double foreground; /* share of its pixels */
} find_report;

typedef struct finder finder;
status finder_create(finder **f) MUST_USE;
void finder_free(finder **f); /* NULL-safe, sets NULL */

enum { FIND_MAX_SIDE = 16384 }; /* of an image */

/* px [height_px, width_px]; unit: the largest value of its samples (255, 65535). nuclei: indexed, numbered from the top left on. */
status find_nuclei(finder *f, const find_options *o, const uint16_t *px, int width_px, int height_px, double unit, objects *nuclei,
                   find_report *r) MUST_USE;
/* The cell of nucleus i is i; every nucleus lies in its cell. */
status find_cells(finder *f, const find_options *o, const uint16_t *px, double unit, const objects *nuclei, objects *cells,
                  find_report *r) MUST_USE;

#endif
