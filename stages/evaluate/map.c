/* map.c -- the map of the wells for the report, by UMAP; ranks share the search for neighbours and the moves of the rows. */
#include "evaluate.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"
#include "micon/profile/neighbours.h"
#include "micon/profile/umap.h"

#include <stdlib.h>

/* Gives all ranks each other's rows: those of partition(n). */
static void share_rows_all(MPI_Comm comm, void *rows, int64_t n, size_t row_bytes)
{
    int size = comm_size(comm), *count = xcalloc(2 * (size_t)size, sizeof *count), *at = count + size;
    MPI_Datatype row;
    for (int r = 0; r < size; r++) {
        int64_t first, mine;
        partition(n, size, r, &first, &mine);
        count[r] = (int)mine, at[r] = (int)first;
    }
    MPI_Type_contiguous((int)row_bytes, MPI_BYTE, &row);
    MPI_Type_commit(&row);
    MPI_Allgatherv(MPI_IN_PLACE, 0, row, rows, count, at, row, comm);
    MPI_Type_free(&row);
    free(count);
}

/* The neighbours of all n rows of x [n,d]. */
static status find_neighbours_all(MPI_Comm comm, const float *x, int64_t d, row_range own, umap_neighbours *g)
{
    status st = OK;
    const size_t n = (size_t)g->n, k = (size_t)g->k;
    TRY_ALL(comm, mem_alloc(&g->row, n, k * sizeof *g->row, "neighbours"));
    TRY_ALL(comm, mem_alloc(&g->dist, n, k * sizeof *g->dist, "neighbours"));
    TRY_ALL(comm,
            own.n > 0 ? neighbours_euclid(x, g->n, d, own.first, own.n, g->k, g->row + own.first * g->k, g->dist + own.first * g->k) : OK);
    share_rows_all(comm, g->row, g->n, k * sizeof *g->row);
    share_rows_all(comm, g->dist, g->n, k * sizeof *g->dist);
done:
    return st;
}

status map_wells_all(MPI_Comm comm, transformed *c, int64_t n, uint32_t seed)
{
    status st = OK;
    umap_options o = umap_defaults();
    umap_neighbours g = {.n = n, .k = o.neighbours - 1};
    umap_state u = {0};
    row_range own;
    float *start = NULL, *x = c->pca;
    int64_t d = c->d_pca;
    int unused;
    o.seed = seed;
    TRY_ALL(comm, int_from_i64(n, &unused));
    TRY_ALL(comm, comm_rank(comm) == 0 ? mem_alloc(&c->umap, (size_t)n, 2 * sizeof *c->umap, "UMAP") : OK);
    if (n < 2) goto done;
    TRY(wells_share_matrix_all(comm, &x, n, &d));
    partition(n, comm_size(comm), comm_rank(comm), &own.first, &own.n);
    TRY(find_neighbours_all(comm, x, d, own, &g));
    TRY_ALL(comm, mem_alloc(&start, (size_t)n, 2 * sizeof *start, "coordinates"));
    TRY_ALL(comm, umap_first_places(x, n, d, start));
    TRY_ALL(comm, umap_begin(&u, &g, start, &o, own));
    for (int epoch = 1; epoch <= u.epochs; epoch++) {
        umap_move(&u, epoch);
        share_rows_all(comm, u.y, n, 2 * sizeof *u.y);
    }
    for (int64_t i = 0; c->umap && i < 2 * n; i++) c->umap[i] = u.y[i];
done:
    if (x != c->pca) free(x);
    umap_free(&u);
    free(g.row);
    free(g.dist);
    free(start);
    return st;
}
