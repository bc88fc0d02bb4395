/* build_impl.h -- shared by the files that make an index: growing columns of interned text. Private to common/index/. */
#ifndef INDEX_BUILD_H
#define INDEX_BUILD_H
#include "micon/formats/csv.h"
#include "micon/index/index.h"
#include "micon/table/intern.h"

/* ---- grid.c: columns of numbers of interned texts, all of the same length. 0 is "". ---- */
typedef struct {
    char *name;
    uint32_t *v;
} grid_col;
typedef struct {
    grid_col *col;
    size_t n_cols, cols_cap;
    size_t n, cap; /* rows */
} grid;
status grid_add_col(grid *g, const char *name, size_t *col) MUST_USE; /* new, "" for the rows there are */
long grid_find(const grid *g, const char *name);                      /* -1: none */
status grid_add_row(grid *g) MUST_USE;
void grid_free(grid *g);

/* ---- table_files.c ---- */
enum { TABLE_IMAGES, TABLE_PLATE, TABLE_WELL, TABLE_COMPOUND, TABLE_MAP }; /* TABLE_MAP: a plate map that a barcode table names */
typedef struct {
    char *path, *opened; /* relative to dir or absolute; as this program opens it */
    int role;
    int64_t size, mtime_ns;
    uint64_t digest;
    bool has_z;   /* an image table with a column of planes */
    bool no_site; /* an image table without a column of sites: each row is site 1 */
} table_file;
typedef struct {
    table_file *item;
    size_t n, cap;
} table_files;
void table_files_free(table_files *t);
/* Every table of the options, globs expanded, with size and time; what cannot be found goes to `found`. */
status table_files_list(table_files *out, const index_options *o, findings *found) MUST_USE;
/* The file of a plate map: NAME, or NAME with .txt, .tsv, .csv or .parquet (also .gz), in platemap/ beside the table that names it, or
 * beside it itself. NULL: there is none. Caller frees. */
char *table_of_plate_map(const char *barcodes, const char *name);
/* Does the path end in no name of a folder ("", ".", "..")? Then table_folder_name asks the file system for the name of the folder that a
 * table lies in. */
bool table_folder_is_nameless(const char *dir);
char *table_folder_name(const char *table_name);       /* caller frees */
uint64_t index_options_digest(const index_options *o); /* of all that the options say */

/* Columns of `rows`, then five a channel, then the metadata of the image tables. */
enum { R_TABLE, R_LINE, R_SOURCE, R_BATCH, R_PLATE, R_WELL, R_SITE, R_Z, R_COMPOUND, R_PLATE_ROW, R_FIXED };
enum { CH_FOLDER, CH_FILE, CH_ILLUM_FOLDER, CH_ILLUM_FILE, CH_PAGE, CH_COLS }; /* CH_PAGE: page + 1, 0 for a file of one page */
enum { P_SOURCE, P_BATCH, P_PLATE, P_TABLE, P_LINE, P_FIXED };                 /* of `plates`; then metadata */
enum { W_COMPOUND, W_TABLE, W_LINE, W_FIXED };                                 /* of `wells`: table and line that named the compound */
enum { C_ID, C_TABLE, C_LINE, C_FIXED };                                       /* of `compounds` */

typedef struct {
    uint32_t source, batch, plate;
    int64_t first, n; /* in the sorted order */
} plate_span;

struct plane_file {
    uint32_t folder, file, page;
};

typedef struct {
    const index_options *o;
    findings *found;
    intern_table pool; /* all text; "" is 0 */
    table_files table;
    int n_ch;
    grid rows;
    grid plates;     /* rows of the plate tables whose plate has images */
    grid wells;      /* a row per well with images */
    grid compounds;  /* a row per compound of the screen */
    uint32_t *order; /* rows, sorted, without duplicates */
    size_t n_order;
    uint32_t *well_of;            /* [n_order] row of `wells` */
    uint32_t *compound_of;        /* [wells.n] row of `compounds` + 1, 0: none */
    uint32_t *member;             /* with o->z: rows of the sites, those of a site in the order of Z, */
    size_t n_members, *member_of; /* [n_order + 1] and where a site's begin */
    struct plane_file *plane;     /* planes.c: further planes of a channel, in the order of sites and channels, */
    size_t n_planes, planes_cap;
    uint32_t *plane_of; /* [n_order, n_ch] + 1: and where a channel's begin; NULL: none */
    plate_span *span;
    size_t n_spans, spans_cap;
    bool illumination;
} index_builder;

static inline size_t channel_col(int channel, int what)
{
    return (size_t)R_FIXED + (size_t)channel * CH_COLS + (size_t)what;
}
static inline size_t rows_fixed(const index_builder *b)
{
    return channel_col(b->n_ch, 0);
}
/* ---- builder.c ---- */
status builder_init(index_builder *b) MUST_USE; /* the fixed columns; o, found and n_ch are set before */
void builder_free(index_builder *b);
const char *builder_text(const index_builder *b, uint32_t id);
status builder_intern(index_builder *b, const char *s, uint32_t *id) MUST_USE;
/* What stopped the reading of a plate, well or compound table becomes a finding; anything but memory is then OK. */
status builder_report(index_builder *b, status st) MUST_USE;

/* ---- column_names.c ---- */
/* The first of these names that is a column of the table, or -1. */
int csv_col_any(const csv *c, const char *const *names_list);
extern const char *const source_names[],
    *const batch_names[], *const plate_names[], *const well_names[], *const site_names[], *const z_names[], *const compound_names[];
/* Is it a name of a key column? Key columns are not kept as metadata. */
bool is_key_name(const char *name);
bool is_missing(const char *cell); /* empty, NA or nan */
/* The columns of a table that are kept as metadata, and their columns of a grid. */
typedef enum {
    KEEP_METADATA,           /* those that begin with Metadata_ */
    KEEP_METADATA_COMPOUNDS, /* of compound tables: also SMILES, InChIKey, ... */
    KEEP_ALL                 /* of layouts: all, with Metadata_ before names that lack it */
} keep_which;
typedef struct {
    int *from;
    size_t *to, n;
} kept_columns;
/* Adds the columns that the grid lacks; key columns and column `skip` are not kept. *k is {0} before; kept_columns_free in any case. */
status kept_columns_map(kept_columns *k, grid *g, const csv *c, keep_which which, int skip) MUST_USE;
void kept_columns_free(kept_columns *k);

/* pycytominer's barcode_platemap: which plate has which map. */
extern const char *const barcode_names[], *const map_names[];
bool is_barcode_table(const csv *c);
/* A layout without plates: a column of wells (well_position), or a grid: a column of letters, then one for each of the columns 1, 2, 3.. */
bool is_plate_map(const csv *c);
bool is_plate_grid(const csv *c);

/* ---- well_keys.c: the wells that have images, by the keys that a table may give ---- */
typedef struct {
    bool made;
    intern_table plate, well;
    uint32_t *first, *next; /* wells of a key, + 1: several where the table's key has fewer parts than ours */
    size_t first_cap;
} well_keys;
/* The one of `sets` for tables that have these columns; built when it is first needed. A key that a table does not have is 0. */
status well_keys_of(index_builder *b, well_keys sets[4], bool source, bool batch, well_keys **out) MUST_USE;
bool well_keys_have_plate(const well_keys *k, uint32_t source, uint32_t batch, uint32_t plate);
uint32_t well_keys_find(const well_keys *k, uint32_t source, uint32_t batch, uint32_t plate, uint32_t well); /* + 1; 0: none */
void well_keys_free(well_keys *k);
/* The well w holds this compound; if it already holds another one, that is a finding. */
void well_take_compound(index_builder *b, size_t w, uint32_t compound, uint32_t tab, uint32_t line, const char *well);

/* ---- plate_maps.c: layouts joined to the wells of their plates; `seen`: wells that are in one ---- */
status join_barcodes(index_builder *b, size_t tab, well_keys sets[4], bool *seen) MUST_USE;
status join_plate_map(index_builder *b, size_t tab, well_keys sets[4], bool *seen) MUST_USE; /* of one plate, or of all */

/* ---- image_path.c ---- */
/* screen.paths: if `path` is below `from`, put it below `to` and return true. Where `from` is a Windows path, backslashes after it become
 * slashes. */
bool image_path_move(text *path, const char *from, const char *to);
/* "file:///a%20b" -> "/a b" in place; false where it is not a file of this machine. */
bool image_path_local(text *path);

/* ---- the steps, each in a file of its own ---- */
status read_images(index_builder *b, size_t table) MUST_USE; /* read_images.c: all rows of one image table */
status read_plate_tables(index_builder *b) MUST_USE;         /* join_plates.c */
status join_plates(index_builder *b) MUST_USE;               /* source and batch of every row */
status sort_rows(index_builder *b) MUST_USE;                 /* sort.c: order, spans, duplicates */
status choose_planes(index_builder *b) MUST_USE;             /* planes.c: which file, or files, a channel of a site is */
status join_wells(index_builder *b) MUST_USE;                /* join_wells.c: the wells, and their compounds */
status join_compounds(index_builder *b) MUST_USE;

/* The joined rows in their order: what goes into the block. */
typedef struct {
    uint32_t *col_name; /* [n_cols] */
    size_t n_cols;
    uint32_t *cell; /* [n_cols, n_order] */
    uint8_t *kind;
    int32_t *class_of;
    uint32_t *class_name; /* [n_classes] */
    size_t n_classes;
} joined_rows;
void joined_rows_free(joined_rows *j);
status join_columns(index_builder *b, joined_rows *j) MUST_USE; /* join_columns.c: columns and kinds */
status number_classes(index_builder *b, joined_rows *j) MUST_USE;
void check_joined_rows(index_builder *b, const joined_rows *j); /* check_rows.c: plates without controls and other findings */
status index_serialize(index_builder *b, joined_rows *j, screen_index **out) MUST_USE; /* serialize.c */

#endif
