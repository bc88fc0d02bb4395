/* tile.h -- what the files of micon-tile share.
 *
 * A plate goes through four passes over its sites, which are dealt to the ranks in contiguous blocks:
 *   read     every TIFF once: decode, resample to a square R, measure; R stays with its rank (spool), notes go to everyone
 *   sum      illumination: plate only: the sum of R
 *   correct  R becomes v, and is counted
 *   write    v is stretched, cut into tiles, and written
 * Between them all ranks know which sites are good, and agree. An *item* is one image: site * n_channels + channel. */
#ifndef TILE_H
#define TILE_H
#include "micon/base/fault.h"
#include "micon/config/config.h"
#include "micon/config/file_formats.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/stage/rejects.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"
#include "micon/tiling/tiling.h"

/* ---- spool.c: R of this rank's sites ---- */
typedef struct {
    int64_t n_sites, n_kept; /* the first n_kept in memory, */
    size_t values;           /* of a site: channels * T * T */
    uint16_t **kept;
    uint16_t *work; /* one record, for the others, */
    int fd;         /* which are in an unlinked file */
} spool;
status spool_open(spool *s, int64_t n_sites, size_t values, int64_t budget_bytes, const char *folder) MUST_USE;
void spool_close(spool *s);                                            /* {.fd = -1} is valid and empty */
status spool_new(spool *s, int64_t site, uint16_t **squares) MUST_USE; /* room for a site's squares; then spool_keep */
status spool_get(spool *s, int64_t site, uint16_t **squares) MUST_USE; /* borrowed until the next call */
status spool_keep(spool *s, int64_t site) MUST_USE;                    /* what spool_new or spool_get gave was changed */

/* ---- of one image; plain bytes, sent as they are ---- */
typedef struct {
    uint64_t digest;
    int64_t size, mtime_ns; /* size -1: could not be read */
    double saturated;       /* share */
    int32_t width_px, height_px, kind;
    int32_t bad; /* a status; OK: it has a square */
    int32_t all_zero;
    int32_t same_as; /* an earlier channel of the site with the same square, or -1 */
} image_note;

typedef struct plate_work {
    const stage *g;
    MPI_Comm comm;
    int rank, size;
    const config *cfg;
    const screen_index *ix;
    int64_t number;    /* of the plate in the index */
    index_plate plate; /* its sites are rows plate.first + site */
    char label[300];   /* "S1/B1/P1", for messages */
    int n_channels, size_px, mosaic_px, tiles_per_site;
    int64_t first, n;        /* this rank's sites */
    image_note *note;        /* [all sites, n_channels]: of this rank's sites, after reject_all of all */
    uint8_t *site_bad;       /* [all sites] */
    int64_t n_good;          /* sites that have tiles */
    frame bad;               /* of stage/rejects.h: this rank's; on rank 0 in the end all */
    tiling_quality *quality; /* [this rank's sites, tiles_per_site, n_channels] */
    spool squares;
    image_note *function_note; /* [n_channels] of the .npy files: digest, size, mtime_ns */
    double **illumination;     /* [n_channels] of [T, T]; NULL: none */
    int *low, *high;           /* [n_channels] */
    names warnings;            /* rank 0: what uns/warnings says */
    progress *shown;           /* sites read */
} plate_work;

/* ---- read_sites.c ---- */
typedef struct {
    image_file file;
    image im;
    tiling_plan plan;
    text path;
} reader;
void reader_free(reader *r);
status read_sites(plate_work *w, reader *r) MUST_USE;

/* ---- site_filter.c: collective; every rank comes to the same end from the same notes ---- */
status reject_all(plate_work *w) MUST_USE;

/* ---- illumination.c: illumination, histograms, stretch ---- */
status illumination_all(plate_work *w) MUST_USE;

/* ---- output.c: the tile file ---- */
status output_all(plate_work *w, const char *path) MUST_USE;

/* ---- up_to_date.c: is the finished file up to date? ---- */
/* *fresh: the file at `path` was made with this configuration, from these rows of the index and these bytes. With `verify` all inputs
 * are read again. */
status up_to_date_check_all(plate_work *w, const char *path, bool verify, bool *fresh) MUST_USE;

/* After reject_all, for provenance_put: what decides the content besides the inputs' bytes, and one digest over theirs. */
void up_to_date_made_from(const plate_work *w, text *out);
status up_to_date_inputs_sum(const plate_work *w, uint64_t *sum) MUST_USE;
/* Rank 0, after the commit: size, time and digest of every input. */
status up_to_date_remember(const plate_work *w, const char *path) MUST_USE;

/* ---- plate.c ---- */
/* Make the plate's tile file, unless it is up to date. */
status plate_run_all(stage *s, const screen_index *ix, int64_t number, bool *made) MUST_USE;

/* ---- site_names.c ---- */
void site_name(const plate_work *w, int64_t site, char *out, size_t size); /* "A01 site 1" */
rejects_of plate_rejects_of(const plate_work *w);
/* NAME of work/tiles/NAME.h5, which its status files carry too; caller frees. */
char *plate_record_name(const char *path);

/* ---- preview.c, channel_swap.c: rank 0, from finished files ---- */
status preview_write(const char *tile_file, const char *label, const char *png) MUST_USE;
/* Warns of channels that look exchanged on the plates that were made now; made [all plates of the index]. */
status channel_swap_check(const screen_index *ix, const config *cfg, const bool *made) MUST_USE;

#endif
