/* tap_mpi.h -- tap.h for tests under mpirun: every rank calls ok_all, rank 0 prints, and names the first rank that failed. */
#ifndef TAP_MPI_H
#define TAP_MPI_H
#include "tap.h"

#include <mpi.h>

static inline int tap_ok_all(int cond, const char *what, const char *file, int line)
{
    struct {
        int bad, rank;
    } mine = {!cond, 0}, worst;
    MPI_Comm_rank(MPI_COMM_WORLD, &mine.rank);
    MPI_Allreduce(&mine, &worst, 1, MPI_2INT, MPI_MAXLOC, MPI_COMM_WORLD); /* ties: the lowest rank */
    tap_n++;
    tap_bad += worst.bad;
    if (mine.rank == 0) {
        printf("%sok %d - %s\n", worst.bad ? "not " : "", tap_n, what);
        if (worst.bad) printf("#   at %s:%d, rank %d first\n", file, line, worst.rank);
        fflush(stdout);
    }
    return !worst.bad;
}
#define ok_all(cond, what) tap_ok_all(!!(cond), (what), __FILE__, __LINE__)

/* The test's folder, tap_dir of rank 0, on every rank. */
static inline const char *tap_dir_all(void)
{
    static char dir[512];
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) snprintf(dir, sizeof dir, "%s", tap_dir());
    MPI_Bcast(dir, sizeof dir, MPI_CHAR, 0, MPI_COMM_WORLD);
    return dir;
}

static inline int tap_done_all(void)
{
    int rank;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    if (rank == 0) printf("1..%d\n# %d passed, %d failed\n", tap_n, tap_n - tap_bad, tap_bad);
    return tap_bad != 0 || tap_n == 0;
}
#endif
