/* shared_params.c -- weights, moments and gradients in memory that the ranks of a node share: one copy of the first two, which each rank
 * updates a share of, and every rank's gradient, which the others read. */
#include "train.h"

#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

enum { LINE = 16, COPIES = 3 }; /* values of a cache line; weights and two moments */

/* Windows of MPI lie in /dev/shm; the first rank of a node says whether they fit there. */
static bool fits_all(MPI_Comm node, size_t values)
{
    int ranks = comm_size(node), fits = (double)values * sizeof(float) * (COPIES + ranks) < memory_budget_shared(ranks);
    MPI_Bcast(&fits, 1, MPI_INT, 0, node);
    return fits;
}

static float *segment(MPI_Win window, int rank)
{
    MPI_Aint size;
    int unit;
    void *base;
    MPI_Win_shared_query(window, rank, &size, &unit, &base);
    return base;
}

/* *to becomes *from's place; *from is the present one. */
static void move_values(float **from, float *to, size_t n, bool copy)
{
    if (copy) memcpy(to, *from, n * sizeof **from);
    free(*from);
    *from = to;
}

/* The first rank's segment: its gradient, then what all share. */
static void move_all(shared_params *s, nn_params *p)
{
    size_t n = p->n_trained;
    int rank = comm_rank(s->node), ranks = comm_size(s->node);
    MPI_Aint mine = (MPI_Aint)(n * sizeof(float) * (rank == 0 ? 1 + COPIES : 1));
    void *base;
    MPI_Win_allocate_shared(mine, sizeof(float), MPI_INFO_NULL, s->node, &base, &s->window);
    s->grad = xcalloc((size_t)ranks, sizeof *s->grad);
    for (int r = 0; r < ranks; r++) s->grad[r] = segment(s->window, r);
    MPI_Win_fence(0, s->window);
    move_values(&p->grad, s->grad[rank], n, true);
    move_values(&p->value, s->grad[0] + n, n, rank == 0);
    move_values(&p->moment1, s->grad[0] + 2 * n, n, rank == 0);
    move_values(&p->moment2, s->grad[0] + 3 * n, n, rank == 0);
    MPI_Win_fence(0, s->window);
}

void shared_params_create_all(shared_params *s, MPI_Comm comm, nn_params *p)
{
    *s = (shared_params){.window = MPI_WIN_NULL, .mine = params_all(p)};
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, comm_rank(comm), MPI_INFO_NULL, &s->node);
    int ranks = comm_size(s->node), rank = comm_rank(s->node);
    s->whole = ranks == comm_size(comm);
    if (ranks == 1 || p->n_trained == 0 || !fits_all(s->node, p->n_trained)) return;
    int64_t first, n;
    partition((int64_t)(p->n_trained / LINE), ranks, rank, &first, &n); /* tensors begin on lines */
    s->mine = (nn_range){(size_t)first * LINE, (size_t)n * LINE};
    move_all(s, p);
}

void shared_params_free_all(shared_params *s, nn_params *p)
{
    if (s->window != MPI_WIN_NULL) {
        MPI_Win_free(&s->window);
        p->value = p->grad = p->moment1 = p->moment2 = NULL;
    }
    if (s->node != MPI_COMM_NULL) MPI_Comm_free(&s->node);
    free(s->grad);
}

bool shared_params_sum(const shared_params *s)
{
    return s->window != MPI_WIN_NULL && s->whole;
}

void shared_params_wait_all(const shared_params *s)
{
    if (s->window != MPI_WIN_NULL) MPI_Win_fence(0, s->window);
}
