/* evaluation_set.h -- what the files of metrics share: the wells of E, and how results are begun and gathered. */
#ifndef EVALUATION_SET_H
#define EVALUATION_SET_H
#include "evaluate.h"

enum { N_GRAPH = 15, N_LISI = 89 };

/* The wells of E, close together: candidates and queries of all searches. */
typedef struct {
    MPI_Comm comm;
    int rank, size;
    const wells *w;
    const evaluate_options *o;
    results *r;
    names *notes;
    int which;
    const char *profiles; /* "uncorrected", "corrected" */
    int64_t n, d;
    float *x; /* [n,d] unit rows */
    int32_t *row, *source, *batch, *plate, *label, *compound;
    uint8_t *set;
    retrieval_hit *near; /* [n][N_LISI] nearest others, whoever they are; from retrieval_metrics_all */
} evaluation_set;

/* A result without figures yet. */
result evaluation_result(const evaluation_set *e, const char *metric, const char *setting, int k);

/* Every rank's rows of an array, in rank order, on all ranks. */
status evaluation_gather_all(const evaluation_set *e, const void *mine, int64_t n_mine, size_t row_bytes, int64_t n, void *out) MUST_USE;

/* metrics_batch.c: how batches mix and compounds stay apart; replicates. x: as metrics_all's. */
status batch_metrics_all(const evaluation_set *e, const float *x) MUST_USE;

#endif
