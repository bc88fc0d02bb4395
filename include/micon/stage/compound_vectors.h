/* compound_vectors.h -- compounds.h5 as training and embedding use it: a vector for every identifier. Local, but for _all. */
#ifndef MICON_STAGE_COMPOUND_VECTORS_H
#define MICON_STAGE_COMPOUND_VECTORS_H
#include "micon/base/status.h"
#include "micon/table/frame.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int64_t n, d;
    float *x;          /* [n, d] */
    frame obs;         /* a row per compound; Metadata_Compound is its key */
    frame identifiers; /* Metadata_Compound, Key, Row: every identifier of the tables that has a vector, sorted */
    uint64_t digest;   /* of the file's contents */
} vectors;

status compound_vectors_read(vectors *out, const char *path) MUST_USE; /* out is {0} before */
/* Rank 0 reads it and sends it to the others. there, the same on every rank: false where there is no such file. */
status compound_vectors_read_all(MPI_Comm comm, vectors *out, const char *path, bool *there) MUST_USE;
void compound_vectors_free(vectors *v);
int64_t compound_vectors_find(const vectors *v, const char *identifier); /* row of x, or -1 */
const char *compound_vectors_key(const vectors *v, int64_t row);         /* the compound's key in all later stages; borrowed */

#endif
