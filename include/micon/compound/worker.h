/* worker.h -- SMILES of strangers, read by Open Babel in a worker process (worker.h). Local.
 *
 * What Open Babel crashes on is COMPOUND_CRASHED, what takes it too long COMPOUND_TIMEOUT; every other answer is compound_read's. */
#ifndef MICON_COMPOUND_WORKER_H
#define MICON_COMPOUND_WORKER_H
#include "micon/base/worker.h"
#include "micon/compound/compound.h"

/* Before MPI_Init. Open Babel's plugins are loaded before the fork, so that a new worker is there at once; whether they are complete is
 * for compound_init to say, when they are needed. */
status compound_worker_start(worker **out) MUST_USE;

typedef struct {
    int64_t n;
    const char *(*smiles)(void *ctx, int64_t i);           /* asked for once, in order; borrowed until the next call */
    void (*take)(void *ctx, int64_t i, const compound *c); /* once for every i, in no particular order; borrowed during the call */
    void *ctx;
    compound_kind kind;
    int bits;
    double limit_s; /* a row, CPU time of the worker */
} compound_job;

status compound_worker_run(worker *w, const compound_job *job) MUST_USE;

/* Structures, by compound_draw: of canonical SMILES. take: JSON, or "" of what cannot be drawn, in no particular order. */
typedef struct {
    int64_t n;
    const char *(*smiles)(void *ctx, int64_t i);
    void (*take)(void *ctx, int64_t i, const char *drawing, size_t size); /* borrowed during the call; no 0 at its end */
    void *ctx;
    double limit_s;
} compound_drawings;
status compound_worker_draw(worker *w, const compound_drawings *job) MUST_USE;

#endif
