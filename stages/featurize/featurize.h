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
#include "micon/store/foreign.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

typedef struct {
    char *nearest; /* SMILES, "" for none */
    int64_t k;
} featurize_args;

/* ---- compound_tables.c ---- */
typedef struct {
    const char *id, *smiles, *key; /* cells of the table; borrowed */
    int table;
    int64_t line;
} compound_row;
typedef struct {
    table **item;
    int n;
    compound_row *row; /* of all tables, in order */
    int64_t n_rows;
} compound_tables;
/* Read all tables, on every rank. Local. Sets the digest of each of `in` (one per table) from the bytes that are parsed. */
status compound_tables_read(compound_tables *out, input_digests *in) MUST_USE;
void compound_tables_free(compound_tables *t);
/* Path of the table that holds the row. */
const char *compound_row_path(const compound_tables *t, const compound_row *r);
/* Position of the column of compound identifiers among n column names, or -1. */
int identifier_column(const char *const *name, int n);
extern const char identifier_columns[]; /* the accepted names, for messages */

/* ---- results.c: Open Babel's result for each row ---- */
typedef struct {
    compound_state state;
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
/* Each rank computes its share of the rows; afterwards every rank has the results of all rows. */
status results_make_all(results *out, stage *s, worker *w, progress *p, const compound_tables *t) MUST_USE;
void results_free(results *r);

/* ---- what is written to compounds.h5: fingerprints or outside vectors ---- */
typedef struct {
    int64_t n, d;
    store_type type; /* STORE_U8 or STORE_F32 */
    /* Rows [first, first+n) of X. Local; may be called with n = 0. */
    status (*fill)(void *ctx, int64_t first, int64_t n, void *out);
    void *ctx;
    /* On rank 0 only: */
    names columns;     /* names of X's columns */
    frame obs;         /* Metadata_Compound first, sorted by it */
    frame identifiers; /* Metadata_Compound, Key, Row: every identifier that has a row in X, sorted */
    frame rejects, changed, differences, missing;
    names text_name, text_value; /* further texts below uns */
    names count_name;
    int64_t count[16];
} features;
void features_free(features *f);
void features_set_count(features *f, const char *name, int64_t value);
int64_t features_count(const features *f, const char *name);

/* ---- output_tables.c: the tables of compounds.h5, on rank 0 ---- */
status output_tables_make(features *f, const compound_tables *t, const results *r, const merged *m) MUST_USE;
/* Append a row. file NULL (output_add_missing: id NULL) adds only the columns: an empty table has its columns too. */
status output_add_reject(frame *f, const char *file, int64_t line, const char *id, const char *smiles, const char *code,
                         const char *reason) MUST_USE;
status output_add_missing(frame *f, const char *id, const char *why) MUST_USE;
status output_add_identifier(frame *f, const char *id, const char *key, int64_t at) MUST_USE;

/* ---- vector_file.c: vectors from a file ---- */
typedef struct vector_file vector_file;
/* Local, on every rank. One pass over the file finds its rows, their order and what is wrong with them. Sets the digest of `in`. */
status vector_file_open(vector_file **out, foreign_reader *r, input *in) MUST_USE;
/* Set *f to the contents of the file, with its tables where `tables` is set. f refers to v, which must stay open. */
status vector_file_features(vector_file *v, features *f, bool tables) MUST_USE;
void vector_file_close(vector_file **v); /* NULL-safe, sets NULL */

/* ---- coverage.c: the compounds that the screen needs, on rank 0 ---- */
typedef struct {
    names treated, control; /* identifiers in the wells, sorted; control: also those of screen.control */
    uint64_t rows;          /* digest of all rows of the index, for provenance_record; 0 without an index */
} screen_coverage;
status coverage_read(screen_coverage *out, const config *c) MUST_USE;
void coverage_free(screen_coverage *n);
/* Is there a vector for the control and for every treated compound? Fills f->missing; fails as featurize.on_missing says. */
status coverage_check(const screen_coverage *n, features *f, const config *c) MUST_USE;

/* ---- structures.c: WORK_STRUCTURES, on rank 0 ---- */
status structures_write(const screen_coverage *coverage, const features *f, worker *w, const char *path, double limit_s) MUST_USE;

/* ---- write.c ---- */
/* p counts the rows of X where it is not NULL. */
status features_write_all(stage *s, features *f, progress *p, const char *path, const char *made_from, uint64_t inputs_sum) MUST_USE;

/* ---- nearest.c ---- */
status nearest_all(stage *s, worker *w, const char *path) MUST_USE;

#endif
