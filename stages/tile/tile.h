/* tile.h -- what the files of micon-tile share.
 *
 * A plate goes through four passes over its sites, which are dealt to the ranks in contiguous blocks:
 *   read     every TIFF once: decode, resample to a square R, measure; R stays with its rank (spool), notes go to everyone
 *   sum      illumination: plate only: the sum of R
 *   correct  R becomes v, and is counted
 *   write    v is stretched, cut into tiles, and written
 * Between them all ranks know which sites are good, and agree. An *item* is one file of a site: site * n_files + file, the channels first,
 * then label images.
 *
 * With tile.crop: cells a tile is a window around a cell instead of a part of the square: windows are cut while the site's images are
 * in memory, and a site has as many tiles as it has cells for them (cell_tiles.c). What a rank keeps of a site, its *record*, is the
 * squares of its channels, or its tiles. */
#ifndef TILE_H
#define TILE_H
#include "micon/base/fault.h"
#include "micon/config/config.h"
#include "micon/config/file_formats.h"
#include "micon/formats/image.h"
#include "micon/index/index.h"
#include "micon/index/site_image.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"
#include "micon/remote/remote.h"
#include "micon/stage/image_remarks.h"
#include "micon/stage/rejects.h"
#include "micon/stage/site_cells.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"
#include "micon/tiling/tiling.h"

/* ---- spool.c: the records of this rank's sites ---- */
typedef struct {
    int64_t n_sites, n_kept; /* the first n_kept in memory, */
    size_t values;           /* of a record */
    uint16_t **kept;
    uint16_t *work; /* one record, for the others, */
    int fd;         /* which are in an unlinked file */
} spool;
status spool_open(spool *s, int64_t n_sites, size_t values, int64_t budget_bytes, const char *folder) MUST_USE;
void spool_close(spool *s);                                            /* {.fd = -1} is valid and empty */
status spool_new(spool *s, int64_t site, uint16_t **squares) MUST_USE; /* room for a site's squares; then spool_keep */
status spool_get(spool *s, int64_t site, uint16_t **squares) MUST_USE; /* borrowed until the next call */
status spool_keep(spool *s, int64_t site) MUST_USE;                    /* what spool_new or spool_get gave was changed */

/* ---- of one file, of one site; plain bytes, sent as they are ---- */
typedef struct {
    uint64_t digest;
    int64_t size, mtime_ns; /* size -1: could not be read */
    double saturated;       /* share */
    double high, clipped;   /* samples that are scaled: the largest before it; share of pixels at 65535 after it */
    int32_t width_px, height_px, kind;
    image_remark remark;
    int32_t bad; /* a status; OK: it has a square */
    int32_t all_zero;
    int32_t same_as; /* an earlier channel of the site with the same square, or -1 */
} image_note;

typedef struct {
    int32_t n_tiles;
    int32_t n_cells, n_inside; /* tile.crop: cells: found; with their window inside the image */
    int32_t full;              /* more than half of its pixels are nuclei */
} site_note;

/* The cell of a tile. */
typedef struct {
    int32_t number, x, y; /* number in its image, or label image; middle of the window there */
} cell_place;

typedef struct plate_work {
    const stage *g;
    MPI_Comm comm;
    int rank, size;
    const config *cfg;
    const screen_index *ix;  /* its channels: those of the screen, then label images */
    const screen_index *own; /* without label images: the driver knows the digest of its rows; may be ix */
    site_cells *cells;       /* NULL: tile.crop: square */
    remote *net;             /* reads all images */
    int64_t asked;           /* items of this rank's sites that `net` was asked for, from the plate's first site on */
    int64_t number;          /* of the plate in the index */
    index_plate plate;       /* its sites are rows plate.first + site */
    char label[300];         /* "S1/B1/P1", for messages */
    int n_channels, n_files, size_px, mosaic_px, tiles_per_site; /* the last: at most, with tile.crop: cells */
    int64_t first, n;                                            /* this rank's sites */
    image_seen *plane_seen;                                      /* [n_planes] further planes' files, as note, in the order of the index */
    int64_t first_plane, n_planes;                               /* of the plate in the index */
    image_note *note;                                            /* [all sites, n_files]: of this rank's sites, after reject_all of all */
    site_note *site;                                             /* [all sites]: the same; a bad one has no tiles */
    uint8_t *site_bad;                                           /* [all sites] */
    cell_place *place;                                           /* [this rank's sites, tiles_per_site] NULL: tile.crop: square */
    int64_t n_good, n_tiles;                                     /* sites that could be used; tiles of the plate */
    int width_px, height_px;                                     /* after reject_all: of the plate's images */
    frame bad;                                                   /* of stage/rejects.h: this rank's; on rank 0 in the end all */
    tiling_quality *quality;                                     /* [this rank's sites, tiles_per_site, n_channels] */
    spool squares;
    image_note *function_note; /* [n_channels] of the .npy files: digest, size, mtime_ns */
    double **illumination;     /* [n_channels] of [rows, columns]; NULL: none */
    int columns, rows;         /* T; of cells' tiles TILING_FIELD, or a function's own */
    int *low, *high;           /* [n_channels] */
    names warnings;            /* rank 0: what uns/warnings says */
    progress *shown;           /* sites read */
} plate_work;

/* ---- read_image.c ---- */
typedef struct {
    int n;            /* 1, or of cells' tiles n_files: */
    image_file *file; /* [n]; the first is of all channels */
    image *im;        /* [n] */
    tiling_plan plan;
    site_image source;
    text path;
    const uint16_t **px; /* [n_channels] of a site's images */
    double *unit;        /* [n_channels] */
    int64_t *pick;       /* cells that may have a tile */
    size_t pick_cap;
} reader;
void reader_open(reader *r, const plate_work *w);
void reader_free(reader *r);
/* A channel's image, or (im NULL) a label image's bytes, and its note. *good: it can be
 * used; otherwise that is noted. Fails only for what ends the stage. */
status read_image(plate_work *w, reader *r, int64_t item, image_file *file, image *im, bool *good) MUST_USE;
/* The further planes of n sites: their number, and the place of the first in plane_seen. */
int64_t planes_of_sites(const plate_work *w, int64_t first_site, int64_t n, int64_t *first);
status note_bad(plate_work *w, int64_t item, status why, const char *path) MUST_USE;

/* ---- read_sites.c ---- */
status read_sites(plate_work *w, reader *r) MUST_USE;

/* ---- cell_tiles.c: tile.crop: cells ---- */
size_t cell_tiles_values(const plate_work *w); /* of a record */
/* Of a record: channel `c` of tile `t`; the tile's mask, 1 where it is the cell (tile.mask: cell); the channel's field. */
uint16_t *cell_tiles_plane(const plate_work *w, uint16_t *record, int t, int c);
uint16_t *cell_tiles_mask(const plate_work *w, uint16_t *record, int t);
uint16_t *cell_tiles_field(const plate_work *w, uint16_t *record, int c);
tiling_window cell_tiles_window(const plate_work *w, const cell_place *p);
/* All images of a site, its cells, and tiles of those that are drawn. */
status cell_tiles_read(plate_work *w, reader *r, int64_t site, uint16_t *record) MUST_USE;
/* After reject_all: what is odd; a plate without any tile is a failure. */
status cell_tiles_check_all(plate_work *w) MUST_USE;
/* Rank 0: uns/sites. */
status cell_tiles_put_sites(const plate_work *w, store *out) MUST_USE;

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
status plate_run_all(stage *s, const screen_index *ix, const screen_index *own, site_cells *cells, remote *net, int64_t number,
                     bool *made) MUST_USE;

/* ---- site_names.c ---- */
rejects_of plate_rejects_of(const plate_work *w);
/* NAME of work/tiles/NAME.h5, which its status files carry too; caller frees. */
char *plate_record_name(const char *path);

/* ---- channel_swap.c: rank 0, from finished files ---- */
/* Warns of channels that look exchanged on the plates that were made now; made [all plates of the index]. */
status channel_swap_check(const screen_index *ix, const config *cfg, const bool *made) MUST_USE;

#endif
