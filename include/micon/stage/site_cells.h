/* site_cells.h -- the cells of a site as the configuration's section `cells` asks for: found in its images, or taken from label images
 * (docs/method.md 11.1). Local, but where the name ends in _all. */
#ifndef MICON_STAGE_SITE_CELLS_H
#define MICON_STAGE_SITE_CELLS_H
#include "micon/cells/find.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"
#include "micon/stage/stage.h"

/* Label images are files of a site like its channels: an index with their names behind the channels' (NULL: the configuration names none).
 * `own` is the screen's index. */
status site_cells_index_all(stage *g, const screen_index *own, screen_index **with_labels) MUST_USE;

typedef struct {
    bool grow;   /* cells are wanted, not only their numbers and nuclei */
    int n_files; /* of a site: the channels, then label images */
    int n_channels, nuclei_channel, cell_channel;
    int nuclei_file, cells_file; /* label images among the files; -1: none */
    find_options find;
    finder *finder;
    image_labels labels;
    objects nuclei, cells; /* of the site found last; cell i has nucleus i; cells: where `grow`, or from label images */
    find_report nuclei_report, cells_report;
    int32_t *number; /* what label images call the cells */
    size_t number_cap;
    int32_t *scratch;
    size_t scratch_cap;
} site_cells;

/* Fails with E_USAGE where the configuration asks for what the screen does not have. */
status site_cells_open(site_cells *s, const config *cfg, bool grow) MUST_USE;
void site_cells_close(site_cells *s);

/* px [n_channels] of [height_px, width_px]; unit [n_channels]: the largest value of their samples (255, 65535). file [n_files]: the label
 * images have been read. *bad_file: the file that a failure is about. */
status site_cells_find(site_cells *s, const uint16_t *const *px, const double *unit, int width_px, int height_px, const image_file *file,
                       int *bad_file) MUST_USE;

double site_cells_unit(image_kind kind);                      /* the largest value of such samples */
int32_t site_cells_count(const site_cells *s);                /* of the site found last */
int32_t site_cells_number(const site_cells *s, int32_t cell); /* its number in the image, or in its label image; from 1 */

#endif
