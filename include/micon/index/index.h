/* index.h -- the screen's tables joined into one: a row per site, with all its metadata and the path of every channel. Local.
 *
 * Read from: LoadData CSVs (FileName_Orig<channel> + PathName_Orig<channel>, or URL_ with file:; "Orig" may be left out), jump_download
 * tables (<channel>_path), DeepProfiler's index.csv (a column per channel), nf-core sheets (a row per image: channel, path); joined with
 * plate, well and compound tables where they are given. Columns of the image table win over the well's, the plate's, the compound's.
 * Source, Batch, Plate, Well, Site: Metadata_X, X or x; Site also Metadata_FOV, Metadata_Fov, FOV; the compound: Metadata_JCP2022,
 * Metadata_Compound, Metadata_broad_sample, with or without Metadata_. No Source anywhere: S1; no Batch: `batch`, or the name of the
 * table's folder; no Site: 1.
 *
 * Rows are sorted by Source, Batch, Plate, Well (by bytes) and Site (as numbers where all of the plate's sites are). Text is interned in
 * one pool; all of it is one block of bytes without pointers, which is cached in a file and mapped. Paths are kept relative to `dir`, so
 * that neither block nor digests depend on where a program was started. */
#ifndef MICON_INDEX_INDEX_H
#define MICON_INDEX_INDEX_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/config/config.h"
#include "micon/index/findings.h"
#include "micon/table/frame.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct screen_index screen_index; /* `index` is a function of <strings.h> */

/* All borrowed. Table names: relative to dir, globs allowed; NULL lists are empty ones. */
typedef struct {
    const char *dir;
    const names *images, *plate, *well, *compound;
    const names *channels, *control, *treatment;
    const char *batch;                 /* where no table gives one; NULL or "": the name of the table's folder */
    const char *paths_from, *paths_to; /* image paths that begin with the first begin with the second instead; NULL or "": as written */
    int64_t z;                         /* tile.z where planes are projected: rows of a site that differ in Z are planes of it; 0: not */
    bool pages; /* one file holds all channels: page = the channel's place in `channels`, or what Frame_<channel> says */
} index_options;

/* The compound of a row of a compound table: its identifier or, where that is empty or NA (as broad_sample is for DMSO), its pert_iname.
 * Borrowed. */
#define INDEX_COMPOUND_NAME "pert_iname"
const char *index_compound_id(const char *identifier, const char *name);

/* Can compounds' vectors be made: from featurize.vectors, or from a table of screen.compound with one of these columns? A table that cannot
 * be read counts as one; its reader reports the error. */
extern const char *const index_smiles_columns[]; /* ends with NULL */
bool index_has_structures(const config *c);

index_options index_options_of(const config *c); /* borrows from c */
char *index_cache_name(const config *c);         /* WORK.index, beside the work folder. Caller frees. */

/* ---- making one ---- */

/* Join the tables. Trouble in the tables (also one that cannot be read) is not a failure but a finding: index_findings; rows that cannot be
 * used are left out. Fails for want of memory only. */
status index_build(screen_index **out, const index_options *o) MUST_USE;

/* The cached index if it is up to date (same options; tables of the same size and time, or the same bytes). Otherwise it is built and, if
 * it has no errors, cached. cache NULL: none. A cache that is cut off, damaged or of another version is built again; one that cannot be
 * written is a log line. Under MPI: by rank 0 (plates_index_all). */
status index_open(screen_index **out, const index_options *o, const char *cache) MUST_USE;
void index_free(screen_index **ix); /* NULL-safe, sets NULL */

status index_save(const screen_index *ix, const char *path) MUST_USE;
/* Map a saved index; E_FORMAT where the file is no index. Does not check whether it is up to date. dir: as in index_options. */
status index_load(screen_index **out, const char *path, const char *dir) MUST_USE;
/* The block itself, to send to other ranks, and an index over a copy of it. */
const void *index_bytes(const screen_index *ix, size_t *size);
uint64_t index_content(const screen_index *ix); /* digest of the block */
status index_from_bytes(screen_index **out, const void *data, size_t size, const char *dir) MUST_USE;

/* ---- findings ---- */
const findings *index_findings(const screen_index *ix); /* of the tables; borrowed */

/* Look for the files of plates [first, first+n): images and, if asked for, illumination functions, but not for those behind URLs. A
 * folder is listed once for all of its files. A plate with more than the share max_bad of its sites incomplete is an error, fewer are a
 * warning. */
void index_check_files(const screen_index *ix, int64_t first, int64_t n, bool illumination, double max_bad, findings *out);

/* ---- rows ---- */
int64_t index_n_rows(const screen_index *ix);

/* The first columns; the further Metadata_ columns follow. */
enum { INDEX_SOURCE, INDEX_BATCH, INDEX_PLATE, INDEX_WELL, INDEX_SITE, INDEX_COMPOUND, INDEX_PERT_TYPE, INDEX_FIXED_COLS };
int index_n_cols(const screen_index *ix);
const char *index_col_name(const screen_index *ix, int col); /* "Metadata_Source" */
int index_col(const screen_index *ix, const char *name);     /* position, or -1 */
const char *index_cell(const screen_index *ix, int64_t row, int col);
void index_site_name(const screen_index *ix, int64_t row, char *out, size_t size); /* "A01 site 1" */
/* Rows [first, first+n) as a frame of FRAME_CATEGORY columns; out is {0} before. */
status index_frame(const screen_index *ix, int64_t first, int64_t n, frame *out) MUST_USE;

/* What a well holds: WELL_CONTROL: its compound is in `control`, or control_type or, where that is missing, pert_type is negcon;
 * WELL_EMPTY: its compound is missing, INDEX_NO_COMPOUND or "empty", or pert_type is empty. */
#define INDEX_NO_COMPOUND "JCP2022_999999" /* JUMP's identifier of wells without a compound */
typedef enum { WELL_TREATED, WELL_CONTROL, WELL_EMPTY } well_kind;
typedef enum { KIND_BY_CONTROL_LIST, KIND_BY_CONTROL_TYPE, KIND_BY_PERT_TYPE, KIND_BY_COMPOUND } kind_reason; /* what decided it */
well_kind index_kind_of(const names *control, const char *compound, const char *pert_type, const char *control_type, kind_reason *by);
well_kind index_kind(const screen_index *ix, int64_t row);

/* Classes: 0 the control, 1.. the treated ones by the bytes of their compound, then of the treatment columns; empty wells: -1. */
int index_n_classes(const screen_index *ix); /* with the control, whether any well holds it or not */
int index_class(const screen_index *ix, int64_t row);
const char *index_class_name(const screen_index *ix, int k); /* "JCP2022_000001", or with treatments "JCP2022_000001|10|24" */

/* Images. Paths are put into `out` (cleared before) as this program can open them, and returned; "" where the site has none. */
int index_n_channels(const screen_index *ix);
const char *index_channel(const screen_index *ix, int channel);
const char *index_path(const screen_index *ix, int64_t row, int channel, text *out);
int index_page(const screen_index *ix, int64_t row, int channel);        /* -1: the file has one page */
bool index_page_named(const screen_index *ix, int64_t row, int channel); /* by a column Frame_<channel>, not by the channels' order */
bool index_planes_are_files(const screen_index *ix); /* tile.z, and some site has several rows: then no file is a stack itself */
/* Then: files of further planes of the channel, behind index_path's in the order of Z: how many, and the position *first, from which
 * they follow each other; those of a row follow each other too, those of the next row behind them. */
int64_t index_planes(const screen_index *ix, int64_t row, int channel, int64_t *first);
int64_t index_planes_of_rows(const screen_index *ix, int64_t row, int64_t n, int64_t *first); /* of all channels of rows [row, row+n) */
const char *index_plane_path(const screen_index *ix, int64_t plane, text *out);
int index_plane_page(const screen_index *ix, int64_t plane); /* the page that the table names, or -1 */
bool index_has_illumination(const screen_index *ix);
const char *index_illumination(const screen_index *ix, int64_t row, int channel, text *out);
/* How many files that rows [first, first+n) name are behind URLs (base/url.h); with `illumination` also functions. */
int64_t index_n_remote(const screen_index *ix, int64_t first, int64_t n, bool illumination);
const char *index_where(const screen_index *ix, int64_t row, text *out); /* "file:line" that names the site; out is cleared before */

/* ---- plates, in order; their rows are contiguous, and within a plate those of a well ---- */
typedef struct {
    const char *source, *batch, *plate;
    int64_t first, n; /* rows */
} index_plate;
int64_t index_n_plates(const screen_index *ix);
index_plate index_plate_at(const screen_index *ix, int64_t p);
/* "PLATE" or "SOURCE/BATCH/PLATE". Unknown (the nearest is named) or ambiguous (all are named): E_USAGE. */
status index_find_plate(const screen_index *ix, const char *name, int64_t *p) MUST_USE;
int64_t index_well_end(const screen_index *ix, int64_t row); /* first row behind the well of `row` */

/* Digest of a plate's rows. INDEX_OF_IMAGES: keys, paths, pages, channel names: what tiles are made from. INDEX_OF_ALL: all metadata too.
 * It does not depend on other plates, tables and folders. */
enum { INDEX_OF_IMAGES, INDEX_OF_ALL };
uint64_t index_plate_digest(const screen_index *ix, int64_t p, int of);

#endif
