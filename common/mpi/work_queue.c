/* work_queue.c -- items handed out one at a time: a counter that the ranks of a node share in memory. */
#include "micon/mpi/work_queue.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdatomic.h>
#include <stdlib.h>

struct work_queue {
    MPI_Comm node;
    MPI_Win window;
    _Atomic int64_t *next; /* in the window */
    int64_t end;
};

/* The lines between shares are those of `partition`, so that shares differ as little as possible from n / n_ranks a rank. */
void work_queue_share(const int *node_of, int n_ranks, int rank, int64_t n, int64_t *first, int64_t *end)
{
    int before = 0, here = 0;
    int64_t count;
    for (int r = 0; r < n_ranks; r++) {
        before += node_of[r] < node_of[rank];
        here += node_of[r] == node_of[rank];
    }
    partition(n, n_ranks, before, first, &count);
    partition(n, n_ranks, before + here - 1, end, &count);
    *end += count;
}

status work_queue_open_all(work_queue **out, MPI_Comm comm, int64_t n)
{
    status st = OK;
    int size = comm_size(comm), rank = comm_rank(comm), leader = rank, unit;
    int *node_of = NULL;
    int64_t first;
    MPI_Aint bytes;
    void *base;
    *out = NULL;
    TRY_ALL(comm, mem_alloc(&node_of, (size_t)size, sizeof *node_of, "nodes of ranks"));
    work_queue *q = xcalloc(1, sizeof *q);
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, rank, MPI_INFO_NULL, &q->node);
    MPI_Bcast(&leader, 1, MPI_INT, 0, q->node);
    MPI_Allgather(&leader, 1, MPI_INT, node_of, 1, MPI_INT, comm);
    work_queue_share(node_of, size, rank, n, &first, &q->end);
    MPI_Win_allocate_shared(rank == leader ? (MPI_Aint)sizeof *q->next : 0, 1, MPI_INFO_NULL, q->node, &base, &q->window);
    MPI_Win_shared_query(q->window, 0, &bytes, &unit, &base);
    q->next = base;
    if (rank == leader) atomic_init(q->next, first);
    MPI_Barrier(q->node);
    *out = q;
done:
    free(node_of);
    return st;
}

bool work_queue_next(work_queue *q, int64_t *item)
{
    *item = atomic_fetch_add(q->next, 1);
    return *item < q->end;
}

void work_queue_stop(work_queue *q)
{
    atomic_store(q->next, q->end);
}

void work_queue_close_all(work_queue **qp)
{
    work_queue *q = *qp;
    if (!q) return;
    MPI_Win_free(&q->window);
    MPI_Comm_free(&q->node);
    FREE(*qp);
}
