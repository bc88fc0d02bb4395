/* measure_stage.h -- what the files of micon-measure share.
 *
 * A plate's sites are handed out one at a time to the rank that is ready: crowded sites take several times as long as sparse ones. A rank
 * reads a site, finds its cells (or reads their label images), measures them, and keeps the site's medians and deviations, and where
 * measure.cells asks for it the cells' rows, in a file without a name (spool.c), in the order of sites, until all ranks know how many rows
 * there are; then all write together, each the runs of rows that are its own. An *item* is one file of a site: site * n_files + file, the
 * channels first, then label images. */
#ifndef MEASURE_STAGE_H
#define MEASURE_STAGE_H
#include "micon/base/fault.h"
#include "micon/cells/measure.h"
#include "micon/config/config.h"
#include "micon/config/file_formats.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"
#include "micon/index/site_image.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/mpi/work_queue.h"
#include "micon/remote/remote.h"
#include "micon/stage/image_remarks.h"
#include "micon/stage/site_cells.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

/* ---- site.c: one site from its files to its cells' features; local ---- */
typedef struct {
    const config *cfg;
    const screen_index *ix; /* its channels: those of the screen, then label images */
    int n_channels, n_files;
    remote *net; /* reads all images */
    site_cells found;
    double **illumination; /* [n_channels] of the plate, [height, width]; NULL: none */
    int illumination_width, illumination_height;
    image_file *file;     /* [n_files] */
    image *im;            /* [n_channels] */
    uint16_t **corrected; /* [n_channels] */
    size_t *corrected_cap;
    measure *measure;
    objects cytoplasm;
    const uint16_t **px; /* [n_channels] of the site that was read */
    double *unit;        /* [n_channels] */
    int width_px, height_px;
    float *features; /* [cells, features] */
    size_t features_cap;
    site_image source;
    image_seen *seen;       /* [n_files] of the site's files; size -2: not reached */
    image_seen *plane_seen; /* of the files of its further planes, in the order of the index */
    size_t planes_cap;
    text path;
} site_reader;
status site_open(site_reader *s, const config *cfg, const screen_index *ix, bool fresh) MUST_USE; /* fresh: of remote.h */
void site_close(site_reader *s);
/* The plate's illumination functions, where measure.illumination asks for them. row: any of the plate's. */
status site_illumination(site_reader *s, int64_t row) MUST_USE;
/* Where they are behind URLs: a site that will be read after those asked for before. */
status site_ask(site_reader *s, int64_t row) MUST_USE;
/* Files, then cells. *bad_file: the file that a failure is about. */
status site_read(site_reader *s, int64_t row, int *bad_file) MUST_USE;
status site_find(site_reader *s, int *bad_file) MUST_USE;
status site_measure(site_reader *s) MUST_USE;
bool site_counts(const site_reader *s, int32_t cell); /* measure.border: does the cell count? */
/* Where the nuclei come from a label image: how often a pixel of theirs is brighter, in the channel of nuclei, than one outside. 1: always;
 * 0.5: the labels have nothing to do with the image. 1 where there is nothing to compare. */
double site_labels_fit(const site_reader *s);

/* ---- spool.c: rows kept outside memory, in a file without a name ---- */
typedef struct {
    int fd;
    size_t row_bytes;
    int64_t n;
} row_spool;
status row_spool_open(row_spool *s, size_t row_bytes, const char *folder) MUST_USE;
void row_spool_close(row_spool *s); /* {.fd = -1} is valid and empty */
status row_spool_add(row_spool *s, const void *rows, int64_t n) MUST_USE;
status row_spool_get(const row_spool *s, int64_t first, int64_t n, void *rows) MUST_USE;

/* ---- of one site; plain bytes, sent as they are ---- */
typedef struct {
    int32_t bad, n_cells, n_border; /* bad: a status; n_cells: those that count */
    int32_t by;                     /* 1 + the rank that measured it */
    float nucleus_px, cell_px;      /* medians of the diameters of disks of their areas */
    double nuclei_threshold, nuclei_foreground, cells_threshold, cells_foreground;
    double labels_fit; /* site_labels_fit */
} site_note;

typedef struct plate_work {
    stage *g;
    MPI_Comm comm;
    const config *cfg;
    const screen_index *ix;
    const screen_index *own; /* the screen's index, without label images: the driver knows the digest of its rows; may be ix */
    int64_t number;
    index_plate plate;
    char label[300];
    work_queue *queue;    /* sites that no rank has begun */
    site_reader *site;    /* kept from plate to plate */
    size_t n_values;      /* of a site: count, medians, deviations */
    image_remark *remark; /* [all sites, n_channels]: as note */
    site_note *note;      /* [all sites]: of this rank's, the others 0; after gathering, of all */
    int64_t *seen;        /* [all inputs, 3] size, time and digest of each file as it was read: this rank's, then all; see inputs.c */
    frame bad;            /* this rank's; on rank 0 in the end all */
    row_spool sites, cells;
    names warnings; /* rank 0 */
    progress *shown;
    int64_t n_good, n_cells; /* sites; rows of cells */
} plate_work;

/* ---- plate.c ---- */
status plate_run_all(stage *g, site_reader *site, const screen_index *ix, const screen_index *own, int64_t number) MUST_USE;

/* ---- names.c ---- */
char *plate_output(const plate_work *w, bool cells); /* features/RUN/PLATE.h5, PLATE.cells.h5; caller frees */

/* ---- inputs.c: is the finished file what these inputs would give? ---- */
status inputs_open(plate_work *w) MUST_USE;
void inputs_saw(plate_work *w, int64_t site); /* note the bytes that w->site read; the kept message stays */
status inputs_gather_all(plate_work *w) MUST_USE;
status inputs_current_all(plate_work *w, bool verify, bool *current) MUST_USE;
void inputs_made_from(const plate_work *w, text *out);
status inputs_sum(const plate_work *w, uint64_t *sum) MUST_USE;
status inputs_remember(const plate_work *w) MUST_USE; /* rank 0, after the commit */

/* ---- summary.c: a site's cells to one row ---- */
void summary_names(const names *features, names *out);
/* values [n, d] of the n cells that count -> out [1 + 2 d]: their number, medians, median absolute deviations. work: [n]. */
void summary_of(const float *values, int64_t n, size_t d, float *work, float *out);

/* ---- output.c ---- */
status output_all(plate_work *w) MUST_USE;

/* ---- counts.c: rank 0: counts and sizes a well, and what is odd about them ---- */
status counts_wells(const plate_work *w, frame *out) MUST_USE;
void counts_warn(plate_work *w);

/* ---- preview.c: rank 0: outlines on the images of some sites of a plate ---- */
status preview_write(const plate_work *w, const char *png) MUST_USE;

#endif
