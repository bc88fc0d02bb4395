/* foreign.h -- AnnData files (h5ad) that others wrote, read by a process beside this one. Local.
 *
 * The HDF5 library crashes, loops or takes all memory on damaged files. So the file is opened in a worker (base/worker.h), never in
 * the rank: the rank takes over tables and blocks of rows through shared memory and checks each before it uses it. What the library does
 * on a damaged file becomes an error message with the names of the file and of the object.
 *
 *     foreign_start(&r);                    before MPI_Init
 *     foreign_open(&f, r, path);            obs, var and the size of X; several files may be open, one after the other is quick
 *     foreign_rows(f, row, n, out);         any rows of X
 *     foreign_close(&f);
 *     foreign_stop(&r);
 *
 * Limits of one request: 10 s of CPU time and 1 s more for each 10 MB of the file; 1 GiB of memory and 4 bytes more for each byte of the
 * file, at most WORKER_MAX_MEMORY. */
#ifndef MICON_STORE_FOREIGN_H
#define MICON_STORE_FOREIGN_H
#include "micon/base/status.h"
#include "micon/table/frame.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct foreign_reader foreign_reader;
typedef struct foreign_file foreign_file;

status foreign_start(foreign_reader **out) MUST_USE; /* E_IO where the system gives no process or memory */
void foreign_stop(foreign_reader **r);               /* NULL-safe, sets NULL */
int64_t foreign_deaths(const foreign_reader *r);     /* of workers so far; for tests */

/* X must be a dense matrix of numbers with a row for each row of obs. The reader must outlive the file. */
status foreign_open(foreign_file **out, foreign_reader *r, const char *path) MUST_USE;
int64_t foreign_n(const foreign_file *f);             /* rows of X */
int64_t foreign_d(const foreign_file *f);             /* columns of X */
const frame *foreign_obs(const foreign_file *f);      /* borrowed; a column "_index" where the index says more than 0, 1, 2, ... */
const char *foreign_name(foreign_file *f, int64_t j); /* of column j of X: from var, or its number; borrowed until the next call */
/* out: [n][d] */
status foreign_rows(foreign_file *f, const int64_t *row, int64_t n, float *out) MUST_USE;
void foreign_close(foreign_file **f); /* NULL-safe, sets NULL */

/* store_verify in the worker: for files of unknown origin. */
status foreign_verify(foreign_reader *r, const char *path, uint64_t *digest) MUST_USE;

#endif
