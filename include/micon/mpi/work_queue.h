/* work_queue.h -- items 0 .. n - 1 handed out one at a time to whichever rank is ready, for work of which nobody knows beforehand how long
 * an item takes. The ranks of a node share a counter in memory, which none of them has to serve while it works; between nodes the items
 * are divided beforehand, in proportion to their ranks. Which rank gets which item differs from run to run: results must not depend on
 * it. */
#ifndef MICON_MPI_WORK_QUEUE_H
#define MICON_MPI_WORK_QUEUE_H
#include "micon/base/status.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct work_queue work_queue;

status work_queue_open_all(work_queue **out, MPI_Comm comm, int64_t n) MUST_USE;
/* Local. The next item for this rank, greater than those it had; false: there are none left. */
bool work_queue_next(work_queue *q, int64_t *item);
/* Local. Nothing more is handed out on this rank's node: it failed, and the others need not do its work first. */
void work_queue_stop(work_queue *q);
void work_queue_close_all(work_queue **q); /* NULL-safe, sets NULL */

/* Items [*first, *end) of n for the node of `rank`. node_of[rank] is the lowest rank of each rank's node. Local. */
void work_queue_share(const int *node_of, int n_ranks, int rank, int64_t n, int64_t *first, int64_t *end);

#endif
