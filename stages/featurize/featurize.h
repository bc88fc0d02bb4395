/* featurize.h -- the parts of micon-featurize. Collective where the name ends in _all. */
#ifndef FEATURIZE_H
#define FEATURIZE_H
#include "micon/base/text.h"
#include "micon/compound/merge.h"
#include "micon/compound/worker.h"
#include "micon/config/file_formats.h"
#include "micon/formats/csv.h"
#include "micon/mpi/progress.h"
#include "micon/provenance/input_digests.h"
#include "micon/stage/compound_vectors.h"
#include "micon/stage/provenance.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

typedef struct {
    char *nearest; /* SMILES, "" for none */
    int64_t k;
} featurize_args;

/* ---- rows.c: the compound tables ---- */
typedef struct {
    const char *id, *smiles, *key; /* as the table has them; borrowed */
    int table;
    int64_t line;
} compound_row;
typedef struct {
    table **item;
    int n;
    compound_row *row; /* of all tables, in order */
    int64_t n_rows;
} compound_tables;
/* Every rank reads them all. Local. The digests of `in` (one a table) are set from the bytes that are parsed. */
status tables_read(compound_tables *out, input_digests *in) MUST_USE;
void tables_free(compound_tables *t);
/* The file that a row is in, and its name without folders. */
const char *tables_path(const compound_tables *t, const compound_row *r);
/* Position of the column with the compounds' identifiers, by any of its names, among n; -1. */
int identifier_column(const char *const *name, int n);
extern const char identifier_columns[]; /* the names, for messages */

/* ---- results.c: what Open Babel says of each row ---- */
typedef struct {
    compound_state state; /* COMPOUND_EMPTY and an empty identifier: see id of the row */
    unsigned changes;
    int32_t n_heavy, charge;
    double weight;
    const char *reason, *key, *formula, *smiles; /* borrowed from the block */
    const uint8_t *fingerprint;
} result;
typedef struct {
    char *block;
    result *of; /* [n_rows] */
} results;
/* Rows are shared out over the ranks, the results of all of them are on every rank. */
status results_make_all(results *out, stage *s, worker *w, progress *p, const compound_tables *t) MUST_USE;
void results_free(results *r);

/* ---- what is to be written, whatever it was made from ---- */
typedef struct {
    int64_t n, d;
    store_type type; /* STORE_U8 or STORE_F32 */
    /* Rows [first, first+n) of X. Local; may be called with n = 0. */
    status (*fill)(void *ctx, int64_t first, int64_t n, void *out);
    void *ctx;
    /* On rank 0 only: */
    names columns;     /* names of X's columns */
    frame obs;         /* Metadata_Compound first, sorted by it */
    frame identifiers; /* Metadata_Compound, Key, Row: every identifier that has a row of X, sorted */
    frame rejects, changed, differences, missing;
    names text_name, text_value; /* further texts of uns */
    names count_name;
    int64_t count[16];
} features;
void features_free(features *f);
void features_count(features *f, const char *name, int64_t value);
int64_t features_get(const features *f, const char *name);

/* ---- output_tables.c: the frames of fingerprints, on rank 0 ---- */
status lists_make(features *f, const compound_tables *t, const results *r, const merged *m) MUST_USE;
/* A row more; file NULL, or id NULL in missing_add: only the columns, so that an empty list has them. */
status rejects_add(frame *f, const char *file, int64_t line, const char *id, const char *smiles, const char *code,
                   const char *reason) MUST_USE;
status missing_add(frame *f, const char *id, const char *why) MUST_USE;
status identifier_add(frame *f, const char *id, const char *key, int64_t at) MUST_USE;

/* ---- vectors.c: any outside vectors ---- */
typedef struct vector_file vector_file;
/* Local, on every rank: one pass over the file, that finds its rows, what is wrong with them and their order. The digest of `in` is set. */
status vector_file_open(vector_file **out, input *in) MUST_USE;
/* What is to be written; the lists only where wanted. v stays in use by f. */
status vector_file_features(vector_file *v, features *f, bool lists) MUST_USE;
void vector_file_close(vector_file **v); /* NULL-safe, sets NULL */

/* ---- coverage.c: what the screen needs, on rank 0 ---- */
typedef struct {
    names treated, control; /* identifiers of the wells, sorted; control with those of screen.control */
    uint64_t rows;          /* digest of the index, as provenance_record wants it; 0 without an index */
} screen_needs;
status needs_read(screen_needs *out, const config *c) MUST_USE;
void needs_free(screen_needs *n);
/* Is there a vector for the control and for every treated compound? Fills f->missing; fails as featurize.on_missing says. */
status needs_check(const screen_needs *n, features *f, const config *c) MUST_USE;

/* ---- write.c ---- */
/* p counts the rows of X where it is not NULL. */
status features_write_all(stage *s, features *f, progress *p, const char *path, const char *made_from, uint64_t inputs_sum) MUST_USE;

/* ---- nearest.c ---- */
status nearest_all(stage *s, worker *w, const char *path) MUST_USE;

#endif
