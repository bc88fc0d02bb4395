/* profile_tables.h -- tables of profiles as other programs write them: CSV(.gz) or Parquet with Metadata_ columns, or h5ad. Local. */
#ifndef PROFILE_TABLES_H
#define PROFILE_TABLES_H
#include "micon/store/foreign.h"
#include "micon/table/frame.h"

typedef struct {
    frame obs; /* the Metadata_ columns, as text */
    names var; /* of the features, as in the first file */
    float *x;  /* [n, var.n]; what is no finite number is NaN */
    size_t n, cap;
} profile_table;

/* The rows of a file behind those that t ({0} before the first) has. The features must be those of the first file, in any order; h5ad in
 * the same one. r reads h5ad. Where the table has names of CellProfiler's, only those are features. */
status profile_table_read(profile_table *t, foreign_reader *r, const char *path) MUST_USE;
void profile_table_free(profile_table *t);

#endif
