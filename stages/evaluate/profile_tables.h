/* profile_tables.h -- tables of profiles as other programs write them: CSV(.gz) or Parquet, or h5ad. Local. */
#ifndef PROFILE_TABLES_H
#define PROFILE_TABLES_H
#include "micon/config/config.h"
#include "micon/store/foreign.h"
#include "micon/table/frame.h"

typedef struct {
    frame obs; /* metadata, as text; every column begins with Metadata_ */
    names var; /* of the features, as in the first file */
    double *x; /* [n, var.n]; NaN where a cell is not a finite number. From Parquet and h5ad: rounded to floats */
    size_t n, cap;
    int32_t *file; /* [n] the row's file, by number */
    size_t file_cap;
    names dropped; /* columns of the first file that are neither metadata nor features */
} profile_table;

/* The rows of all files, in order. Metadata: columns that begin with Metadata_, that the configuration names, or whose first cell is text;
 * where the table has CellProfiler's names, only those are features. The features must be those of the first file, in any order; with
 * evaluate.features: intersection, those that all files have are used. r reads h5ad. */
status profile_tables_read(profile_table *t, foreign_reader *r, const names *file, const config *cfg) MUST_USE;
void profile_table_free(profile_table *t);

#endif
