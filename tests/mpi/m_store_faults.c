/* m_store_faults.c -- every fault point of a writer, on every rank: one agreed failure that names the rank, nothing left behind, and the
 * next try succeeds. A rank that cannot open the part file is such a failure too, and one that sees it late is none.
 * run: debug n=1,2,3 limit=120 */
#include "../tap_mpi.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>

static int rank, size;
static int refusals, refused_why; /* how many opens of a part file fail on this rank, and why */

/* In place of libc's, for the program and its libraries. */
int open(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    int mode = flags & O_CREAT ? va_arg(ap, int) : 0;
    va_end(ap);
    if (refusals > 0 && strstr(path, ".part.") && (flags & O_ACCMODE) == O_RDWR) {
        refusals--;
        errno = refused_why;
        return -1;
    }
    return openat(AT_FDCWD, path, flags, mode);
}

static status write_all(const char *path)
{
    status st = OK;
    store *s = NULL;
    store_info info = {.kind = "tiles", .format = 1, .bytes = 4096};
    int64_t dims[3] = {2 * size, 4, 4};
    uint8_t rows[2 * 16];
    memset(rows, rank + 1, sizeof rows);
    TRY(store_create_all(&s, MPI_COMM_WORLD, path, &info));
    TRY(store_array_all(s, "tiles", STORE_U8, 3, dims, 1));
    TRY(store_array_all(s, "uns/more", STORE_U8, 3, dims, 2));
    TRY(store_write_rows_all(s, "tiles", 2 * rank, 2, rows));
    TRY(store_write_rows_all(s, "uns/more", 2 * rank, 2, rows));
    store_put_int(s, "uns/seed", 7);
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    return st;
}

static long left(const char *path)
{
    names list = {0};
    char *pattern = xasprintf("%s*", path);
    status st = path_glob(&list, "", pattern);
    long n = st == OK ? (long)list.n : -1;
    names_free(&list);
    free(pattern);
    return n;
}

/* Fail point n of rank `at`; true when there is no such point and the file was written. */
static bool one_fault(const char *path, int n, int at)
{
    char spec[40], who[40], what[80];
    snprintf(spec, sizeof spec, "%d:%d", n, at);
    if (size > 1)
        snprintf(who, sizeof who, "rank %d: injected fault %d", at, n);
    else
        snprintf(who, sizeof who, "injected fault %d", n);
    snprintf(what, sizeof what, "fault %d on rank %d is agreed and names it", n, at);
    setenv("MICON_FAULT", spec, 1);
    fault_init(rank);
    status st = write_all(path);
    if (st == OK) return true;
    int good = st == E_FAILED && strncmp(msg_get(), who, strlen(who)) == 0;
    if (!good) printf("# status %s: %s\n", status_name(st), msg_get());
    msg_clear();
    ok_all(good, what);
    MPI_Barrier(MPI_COMM_WORLD);
    ok_all(left(path) == 0, "  and nothing is left");
    MPI_Barrier(MPI_COMM_WORLD);
    return false;
}

/* One rank cannot open the part file, or not at once. */
static void refused(const char *path, int at)
{
    char who[40];
    snprintf(who, sizeof who, "rank %d: ", at);
    refused_why = EMFILE;
    refusals = rank == at ? 1000000 : 0;
    status st = write_all(path);
    int good = st == E_IO && strncmp(msg_get(), who, strlen(who)) == 0 && strstr(msg_get(), "raise `ulimit -n`");
    if (!good) printf("# status %s: %s\n", status_name(st), msg_get());
    msg_clear();
    ok_all(good, "a rank without free descriptors is agreed on and named");
    MPI_Barrier(MPI_COMM_WORLD);
    ok_all(left(path) == 0, "  and nothing is left");
    refused_why = ENOENT;
    refusals = rank == at ? 5 : 0;
    st = write_all(path);
    ok_all(st == OK && refusals == 0, "a rank that is shown the file late waits for it");
    msg_clear();
    MPI_Barrier(MPI_COMM_WORLD);
    if (rank == 0) remove(path);
    MPI_Barrier(MPI_COMM_WORLD);
}

int main(int argc, char **argv)
{
    enum { MOST = 60 };
    MPI_Init(&argc, &argv);
    rank = comm_rank(MPI_COMM_WORLD);
    size = comm_size(MPI_COMM_WORLD);
    log_init("m_store_faults", rank == 0, false);
    char *path = path_join(tap_dir_all(), "faults.h5");
    uint64_t digest = 0;
    for (int at = 0; at < size; at++) {
        int n = 1;
        while (n < MOST && !one_fault(path, n, at)) n++;
        ok_all(n > 10 && n < MOST, "there were fault points, and an end of them");
        ok_all(left(path) == 1 && store_verify(path, &digest) == OK, "the run without a fault succeeds");
        MPI_Barrier(MPI_COMM_WORLD);
        if (rank == 0) remove(path);
        MPI_Barrier(MPI_COMM_WORLD);
    }
    unsetenv("MICON_FAULT");
    fault_init(rank);
    for (int at = 1; at < size; at++) refused(path, at);
    char *part = path_part(path);
    FILE *f = rank == 0 ? fopen(part, "w") : NULL;
    if (f) fclose(f);
    MPI_Barrier(MPI_COMM_WORLD);
    ok_all(write_all(path) == E_IO && strstr(msg_get(), "cannot be made: File exists"), "a part file that is there is not written to");
    msg_clear();
    MPI_Barrier(MPI_COMM_WORLD);
    ok_all(rank != 0 || remove(part) == 0, "  and stays");
    free(part);
    int rc = tap_done_all();
    free(path);
    MPI_Finalize();
    return rc;
}
