#define _GNU_SOURCE /* sched_getaffinity */
/* comm.c -- agreement over ranks. MPI calls keep MPI_ERRORS_ARE_FATAL: their failure ends the job, so they are not checked here. */
#include "micon/mpi/comm.h"

#include "micon/base/clock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 1 << 28 }; /* bytes or elements a call: counts are int */

void comm_before_init(void)
{
    /* Open MPI 4.1's other components for a shared file pointer, which nothing here uses, break at long paths: one with a buffer overflow
     * beyond some 240 characters, one where the file's name with a suffix of its own is no name any more. */
    setenv("OMPI_MCA_sharedfp", "individual", 0);
    /* Non-blocking sums: reduce-scatter by halves, then allgather (3). What Open MPI takes by itself for sums in place, a binomial tree,
     * took 1.7 to 2.6 times as long for messages of 4 MB on 2, 7 and 8 ranks (docs/cluster.md). */
    setenv("OMPI_MCA_coll_libnbc_iallreduce_algorithm", "3", 0);
}

int comm_rank(MPI_Comm comm)
{
    int rank;
    MPI_Comm_rank(comm, &rank);
    return rank;
}

int comm_size(MPI_Comm comm)
{
    int size;
    MPI_Comm_size(comm, &size);
    return size;
}

status agree_all(MPI_Comm comm, status mine)
{
    struct {
        int st, rank;
    } in = {(int)mine, comm_rank(comm)}, worst;
    if (comm_size(comm) == 1) return mine;
    MPI_Allreduce(&in, &worst, 1, MPI_2INT, MPI_MAXLOC, comm);
    if (worst.st == OK) return OK;
    char message[4200] = "";
    /* No rank is named for usage errors, which all ranks share, nor where an earlier agreement has named it. */
    bool plain = mine == E_USAGE || strncmp(msg_get(), "rank ", 5) == 0;
    if (in.rank == worst.rank && plain)
        snprintf(message, sizeof message, "%s", msg_get());
    else if (in.rank == worst.rank)
        snprintf(message, sizeof message, "rank %d: %s", in.rank, msg_get());
    MPI_Bcast(message, (int)sizeof message, MPI_CHAR, worst.rank, comm);
    msg_set(message);
    return (status)worst.st;
}

status agree_after_library_all(MPI_Comm comm, status mine)
{
    MPI_Request request;
    int done = 0, worst, own = mine;
    double since = clock_s();
    if (comm_size(comm) == 1) return mine;
    MPI_Iallreduce(&own, &worst, 1, MPI_INT, MPI_MAX, comm, &request);
    if (mine == OK) MPI_Wait(&request, MPI_STATUS_IGNORE);
    while (mine != OK && !done) {
        MPI_Test(&request, &done, MPI_STATUS_IGNORE);
        if (!done && clock_s() - since > COMM_PATIENCE_S) comm_abort(msg_get());
        if (!done) nanosleep(&(struct timespec){0, 1000000L}, NULL);
    }
    return agree_all(comm, mine);
}

struct comm_deadline {
    const char *what;
    int rank;
    bool started, over;
    struct timespec until;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

static void *watch(void *arg)
{
    comm_deadline *d = arg;
    int rc = 0;
    pthread_mutex_lock(&d->mutex);
    while (!d->over && rc == 0) rc = pthread_cond_timedwait(&d->wake, &d->mutex, &d->until);
    if (!d->over) {
        log_any("rank %d: %s; ending the job", d->rank, d->what);
        _exit(1);
    }
    pthread_mutex_unlock(&d->mutex);
    return NULL;
}

comm_deadline *comm_deadline_start(const char *what, double seconds)
{
    comm_deadline *d = xcalloc(1, sizeof *d);
    pthread_condattr_t attr;
    d->what = what;
    d->rank = comm_rank(MPI_COMM_WORLD);
    clock_gettime(CLOCK_MONOTONIC, &d->until); /* the time of day may jump */
    d->until.tv_sec += (time_t)seconds;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_mutex_init(&d->mutex, NULL);
    pthread_cond_init(&d->wake, &attr);
    pthread_condattr_destroy(&attr);
    d->started = pthread_create(&d->thread, NULL, watch, d) == 0;
    return d;
}

void comm_deadline_end(comm_deadline **dp)
{
    comm_deadline *d = *dp;
    pthread_mutex_lock(&d->mutex);
    d->over = true;
    pthread_cond_signal(&d->wake);
    pthread_mutex_unlock(&d->mutex);
    if (d->started) pthread_join(d->thread, NULL);
    pthread_cond_destroy(&d->wake);
    pthread_mutex_destroy(&d->mutex);
    FREE(*dp);
}

status agree_same_all(MPI_Comm comm, uint64_t value, const char *what)
{
    uint64_t root = value;
    MPI_Bcast(&root, 1, MPI_UINT64_T, 0, comm);
    return agree_all(comm, root == value ? OK : fail(E_USAGE, "rank %d: %s: not the same as on rank 0", comm_rank(comm), what));
}

void partition(int64_t n_total, int size, int rank, int64_t *first, int64_t *n)
{
    int64_t share = n_total / size, more = n_total % size;
    *first = share * rank + (rank < more ? rank : more);
    *n = share + (rank < more);
}

status comm_bcast_all(MPI_Comm comm, int root, char **data, size_t *size)
{
    status st = OK;
    uint64_t n = *size;
    bool is_root = comm_rank(comm) == root;
    MPI_Bcast(&n, 1, MPI_UINT64_T, root, comm);
    if (!is_root) *data = NULL;
    TRY_ALL(comm, is_root ? OK : mem_alloc(data, n + 1, 1, "broadcast"));
    for (uint64_t at = 0; at < n; at += PIECE) MPI_Bcast(*data + at, (int)(n - at < PIECE ? n - at : PIECE), MPI_BYTE, root, comm);
    *size = n;
done:
    return st;
}

status comm_gather_all(MPI_Comm comm, int root, const void *mine, size_t n, char **all, size_t *n_all)
{
    status st = OK;
    int size = comm_size(comm), rank = comm_rank(comm);
    uint64_t my_n = n, *counts = xcalloc((size_t)size, sizeof *counts), total = 0;
    bool gets = root < 0 || rank == root;
    *all = NULL;
    *n_all = 0;
    MPI_Allgather(&my_n, 1, MPI_UINT64_T, counts, 1, MPI_UINT64_T, comm);
    for (int r = 0; r < size; r++) total += counts[r];
    TRY_ALL(comm, gets ? mem_alloc(all, total + 1, 1, "gathered data") : OK);
    if (root < 0) { /* one broadcast per rank: simple, and works for any size */
        uint64_t at = 0;
        for (int r = 0; r < size; at += counts[r], r++) {
            if (r == rank && n) memcpy(*all + at, mine, n);
            for (uint64_t b = 0; b < counts[r]; b += PIECE)
                MPI_Bcast(*all + at + b, (int)(counts[r] - b < PIECE ? counts[r] - b : PIECE), MPI_BYTE, r, comm);
        }
    } else if (rank == root) {
        uint64_t at = 0;
        for (int r = 0; r < size; at += counts[r], r++) {
            if (r == rank && n) memcpy(*all + at, mine, n);
            for (uint64_t b = 0; r != rank && b < counts[r]; b += PIECE)
                MPI_Recv(*all + at + b, (int)(counts[r] - b < PIECE ? counts[r] - b : PIECE), MPI_BYTE, r, 7, comm, MPI_STATUS_IGNORE);
        }
    } else {
        for (uint64_t b = 0; b < n; b += PIECE)
            MPI_Send((const char *)mine + b, (int)(n - b < PIECE ? n - b : PIECE), MPI_BYTE, root, 7, comm);
    }
    if (gets) *n_all = total;
done:
    free(counts);
    return st;
}

void comm_sum_i64_all(MPI_Comm comm, int64_t *v, size_t n)
{
    for (size_t at = 0; at < n; at += PIECE / 8)
        MPI_Allreduce(MPI_IN_PLACE, v + at, (int)(n - at < PIECE / 8 ? n - at : PIECE / 8), MPI_INT64_T, MPI_SUM, comm);
}

int64_t comm_max_i64_all(MPI_Comm comm, int64_t v)
{
    int64_t most;
    MPI_Allreduce(&v, &most, 1, MPI_INT64_T, MPI_MAX, comm);
    return most;
}

MPI_Comm comm_by_node_all(MPI_Comm comm)
{
    MPI_Comm node, ordered;
    int first = comm_rank(comm);
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, first, MPI_INFO_NULL, &node);
    MPI_Bcast(&first, 1, MPI_INT, 0, node);
    MPI_Comm_free(&node);
    MPI_Comm_split(comm, 0, first, &ordered); /* ranks of equal keys keep their order */
    return ordered;
}

void comm_sum_start_all(MPI_Comm by_node, float *v, size_t n, MPI_Request *done)
{
    MPI_Iallreduce(MPI_IN_PLACE, v, (int)n, MPI_FLOAT, MPI_SUM, by_node, done);
}

static bool has_cpu(const uint64_t *set, int64_t cpu)
{
    return set[cpu / 64] >> (cpu % 64) & 1;
}

int comm_threads_of(const uint64_t *sets, int n_ranks)
{
    int64_t least = 0;
    for (int r = 0; r < n_ranks; r++) {
        double share = 0;
        for (int64_t cpu = 0; cpu < COMM_CPU_WORDS * 64; cpu++) {
            int seen = 0;
            if (!has_cpu(sets + r * COMM_CPU_WORDS, cpu)) continue;
            for (int other = 0; other < n_ranks; other++) seen += has_cpu(sets + other * COMM_CPU_WORDS, cpu);
            share += 1.0 / seen;
        }
        int64_t whole = (int64_t)(share + 1e-6); /* rounding: 14 * (1/7) must give 2 */
        if (r == 0 || whole < least) least = whole;
    }
    return least > 0 ? (int)least : 1;
}

int comm_threads_all(MPI_Comm comm)
{
    MPI_Comm node;
    int64_t given;
    const char *wish = getenv("OMP_NUM_THREADS");
    MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &node);
    int ranks = comm_size(node);
    uint64_t mine[COMM_CPU_WORDS] = {0}, *all = xcalloc((size_t)ranks, sizeof mine);
    if (sched_getaffinity(0, sizeof mine, (cpu_set_t *)(void *)mine) != 0) memset(mine, 0, sizeof mine);
    MPI_Allgather(mine, COMM_CPU_WORDS, MPI_UINT64_T, all, COMM_CPU_WORDS, MPI_UINT64_T, node);
    int threads = comm_threads_of(all, ranks);
    MPI_Comm_free(&node);
    free(all);
    return wish && num_i64(wish, &given) && given >= 1 && given <= 1024 ? (int)given : threads;
}

void comm_abort(const char *why)
{
    if (strncmp(why, "rank ", 5) == 0)
        log_any("%s; ending the job", why); /* agreed: it says whose failure it is */
    else
        log_any("rank %d: %s; ending the job", comm_rank(MPI_COMM_WORLD), why);
    MPI_Abort(MPI_COMM_WORLD, 1);
    abort();
}
