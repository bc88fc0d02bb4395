/* m_comm.c -- agreement, partition, gathering.   run: n=1,2,3,4 */
#include "../tap_mpi.h"
#include "micon/comm.h"

#include <stdlib.h>

static void agreement(int rank, int size)
{
    MPI_Comm w = MPI_COMM_WORLD;
    ok_all(agree_all(w, OK) == OK, "all well");
    int bad = size - 1;
    status st = rank == bad ? fail(E_FORMAT, "a.csv:%d: bad well", 12) : OK;
    ok_all(agree_all(w, st) == E_FORMAT, "one rank's failure is everybody's");
    char want[64];
    snprintf(want, sizeof want, size == 1 ? "a.csv:12: bad well" : "rank %d: a.csv:12: bad well", bad);
    ok_all(strcmp(msg_get(), want) == 0, "with its message, on every rank");
    ok_all(agree_all(w, E_FORMAT) == E_FORMAT && strcmp(msg_get(), want) == 0, "agreeing again does not name a rank twice");
    msg_clear();
    ok_all(agree_same_all(w, 42, "x") == OK, "equal values");
    ok_all(agree_same_all(w, (uint64_t)rank, "x") == (size > 1 ? E_USAGE : OK), "unequal values");
    msg_clear();
}

static void parts(int rank, int size)
{
    int wrong = 0;
    for (int64_t n = 0; n < 50; n++)
        for (int s = 1; s < 9; s++) {
            int64_t at = 0, first, k;
            for (int r = 0; r < s; r++, at += k) {
                partition(n, s, r, &first, &k);
                wrong += first != at || k < n / s || k > n / s + 1;
            }
            wrong += at != n;
        }
    ok_all(wrong == 0, "a partition covers every row once");
    int64_t first, k;
    partition((int64_t)1 << 40, size, rank, &first, &k);
    ok_all(k >= ((int64_t)1 << 40) / size, "in 64 bits");
}

static void gathering(int rank, int size)
{
    MPI_Comm w = MPI_COMM_WORLD;
    char mine[8], *all = NULL, *data = NULL, want[64] = "";
    size_t n = 0, size_b = 0, len = 0;
    memset(mine, 'a' + rank, sizeof mine);
    for (int r = 0; r < size; r++)
        for (int i = 0; i < r; i++) want[len++] = (char)('a' + r);
    ok_all(comm_gather_all(w, -1, mine, (size_t)rank, &all, &n) == OK && n == strlen(want) && strcmp(all, want) == 0,
           "gather on all ranks");
    free(all);
    int root = size - 1;
    ok_all(comm_gather_all(w, root, mine, (size_t)rank, &all, &n) == OK && (rank == root ? strcmp(all, want) == 0 : !all && n == 0),
           "gather on one");
    free(all);
    if (rank == 0) data = strdup("hello"), size_b = 5;
    ok_all(comm_bcast_all(w, 0, &data, &size_b) == OK && size_b == 5 && strcmp(data, "hello") == 0, "broadcast");
    free(data);
    int64_t v[3] = {rank, 1, (int64_t)1 << 40};
    comm_sum_i64_all(w, v, 3);
    ok_all(v[0] == size * (size - 1) / 2 && v[1] == size && v[2] == (int64_t)size << 40, "sums");
    ok_all(comm_max_i64_all(w, rank) == size - 1, "largest");
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank = comm_rank(MPI_COMM_WORLD), size = comm_size(MPI_COMM_WORLD);
    agreement(rank, size);
    parts(rank, size);
    gathering(rank, size);
    int bad = tap_done_all();
    MPI_Finalize();
    return bad;
}
