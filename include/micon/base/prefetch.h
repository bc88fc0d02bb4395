/* prefetch.h -- one thread prepares blocks while the caller works on earlier ones: reading ahead of the computation. Local.
 * The thread runs `fill` for first, first + 1, ... and waits when all blocks are full. Whatever fill uses is its own while the thread
 * lives: where it reads HDF5, nobody else in the process may (store.h). */
#ifndef MICON_BASE_PREFETCH_H
#define MICON_BASE_PREFETCH_H
#include "micon/base/status.h"

#include <stddef.h>
#include <stdint.h>

typedef struct prefetch prefetch;
typedef status (*prefetch_fill)(void *ctx, int64_t k, void *block);

/* n numbers from `first` on; n_blocks (2 or more) of block_bytes each, aligned to 64: one is the caller's, the others are ahead. */
status prefetch_start(prefetch **out, int n_blocks, size_t block_bytes, int64_t first, int64_t n, prefetch_fill fill, void *ctx) MUST_USE;
/* The next block, borrowed until the next call; wait_s: seconds that the caller waited, added to. A failure of fill comes out here, with
 * its message, at the number it belongs to. No more than n calls. */
status prefetch_next(prefetch *a, void **block, double *wait_s) MUST_USE;
void prefetch_stop(prefetch **a); /* NULL-safe, sets NULL; waits for the fill that is running and joins the thread */

#endif
