#define _GNU_SOURCE /* sched_setaffinity */
/* m_comm.c -- agreement, deadlines, partition, gathering, work handed out.   run: n=1,2,3,4 */
#include "../tap_mpi.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/work_queue.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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

/* A call that ends in time goes on, one that does not ends its process. */
static void deadlines(int rank)
{
    int how = 0;
    comm_deadline *d = comm_deadline_start("in time", 60);
    comm_deadline_end(&d);
    pid_t child = rank == 0 ? fork() : -1;
    if (child == 0) {
        comm_deadline_start("a call that does not end", 1);
        nanosleep(&(struct timespec){5, 0}, NULL);
        _exit(7);
    }
    ok_all(rank != 0 || (waitpid(child, &how, 0) == child && WIFEXITED(how) && WEXITSTATUS(how) == 1),
           "the deadline of a call that does not end");
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

enum { MOST_RANKS = 8 };
typedef struct {
    uint64_t rank[MOST_RANKS][COMM_CPU_WORDS];
} node;

static void allow(node *n, int rank, int from, int end)
{
    for (int c = from; c < end; c++) n->rank[rank][c / 64] |= (uint64_t)1 << (c % 64);
}

/* n ranks, each with the CPUs from first + rank * step, so many of them. */
static int threads_of(int n, int first, int step, int count)
{
    node at = {{{0}}};
    for (int r = 0; r < n; r++) allow(&at, r, first + r * step, first + r * step + count);
    return comm_threads_of(at.rank[0], n);
}

static void threads(int size)
{
    node n = {{{0}}};
    ok_all(threads_of(1, 0, 0, 64) == 64, "threads: one rank has the node");
    ok_all(threads_of(1, 8100, 0, 3) == 3, "threads: CPUs of high numbers");
    ok_all(threads_of(8, 0, 0, 64) == 8, "threads: a whole node, unbound");
    ok_all(threads_of(7, 0, 0, 14) == 2, "threads: fourteen sevenths are two");
    ok_all(threads_of(8, 0, 1, 1) == 1 && threads_of(4, 3, 2, 2) == 2, "threads: bound to their own");
    ok_all(threads_of(4, 16, 0, 8) == 2, "threads: a part of a node: eight of 64 CPUs for four ranks");
    ok_all(threads_of(8, 60, 0, 3) == 1, "threads: more ranks than CPUs");
    for (int r = 0; r < 4; r++) allow(&n, r, r / 2 * 32, r / 2 * 32 + 32);
    ok_all(comm_threads_of(n.rank[0], 4) == 16, "threads: two sockets of 32, two ranks on each");
    n = (node){{{0}}};
    allow(&n, 0, 0, 8);
    for (int r = 1; r < 3; r++) allow(&n, r, 0, 4);
    ok_all(comm_threads_of(n.rank[0], 3) == 1, "threads: four CPUs for three, whatever else one of them has");
    n = (node){{{0}}};
    allow(&n, 0, 0, 8);
    ok_all(comm_threads_of(n.rank[0], 2) == 1, "threads: a rank whose CPUs are not known");

    cpu_set_t whole, one;
    size_t cpu = 0;
    unsetenv("OMP_NUM_THREADS");
    memset(&whole, -1, sizeof whole); /* the kernel leaves those that there are */
    bool set = sched_setaffinity(0, sizeof whole, &whole) == 0 && sched_getaffinity(0, sizeof whole, &whole) == 0;
    int cpus = set ? CPU_COUNT(&whole) : 0;
    ok_all(comm_threads_all(MPI_COMM_WORLD) == (cpus < size ? 1 : cpus / size), "threads: all ranks share all there are");
    CPU_ZERO(&one);
    while (cpu < CPU_SETSIZE - 1 && !CPU_ISSET(cpu, &whole)) cpu++;
    CPU_SET(cpu, &one);
    set = set && sched_setaffinity(0, sizeof one, &one) == 0;
    ok_all(set && comm_threads_all(MPI_COMM_WORLD) == 1, "threads: of one CPU");
    setenv("OMP_NUM_THREADS", "5", 1);
    ok_all(comm_threads_all(MPI_COMM_WORLD) == 5, "threads: as OMP_NUM_THREADS says");
    unsetenv("OMP_NUM_THREADS");
}

/* Shares of nodes cover all items once, in proportion to their ranks. */
static void shares(void)
{
    static const int one[] = {0, 0, 0, 0}, two[] = {0, 0, 0, 3}, mixed[] = {0, 1, 0, 1, 4};
    int64_t first, end, last;
    work_queue_share(one, 4, 2, 10, &first, &end);
    ok_all(first == 0 && end == 10, "work: one node has all");
    work_queue_share(two, 4, 1, 12, &first, &end);
    work_queue_share(two, 4, 3, 12, &last, &end);
    ok_all(first == 0 && last == 9 && end == 12, "work: three ranks on a node have three quarters");
    int wrong = 0;
    for (int64_t n = 0; n < 30; n++) {
        int64_t at = 0;
        for (int r = 0; r < 5; r++) {
            if (mixed[r] != r) continue;
            work_queue_share(mixed, 5, r, n, &first, &end);
            wrong += first != at || end < first;
            at = end;
        }
        wrong += at != n;
    }
    ok_all(wrong == 0, "work: ranks of two nodes in turn");
}

static void queue(int rank, int size)
{
    enum { N = 300, STOP_AT = 5 };
    int64_t taken[N] = {0}, mine = 0, last = -1, item, falls = 0;
    work_queue *q = NULL;
    ok_all(work_queue_open_all(&q, MPI_COMM_WORLD, N) == OK, "work: handed out");
    while (work_queue_next(q, &item)) {
        if (rank == 0) nanosleep(&(struct timespec){0, 20000000}, NULL); /* slow */
        falls += item <= last;
        last = item;
        taken[item]++;
        mine++;
    }
    work_queue_close_all(&q);
    comm_sum_i64_all(MPI_COMM_WORLD, taken, N);
    int wrong = 0;
    for (int i = 0; i < N; i++) wrong += taken[i] != 1;
    ok_all(wrong == 0 && falls == 0, "work: each item once, to each rank in rising order");
    ok_all(size == 1 || rank > 0 || mine < N / size, "work: a slow rank gets less");
    ok_all(work_queue_open_all(&q, MPI_COMM_WORLD, N) == OK, "work: once more");
    for (mine = 0; work_queue_next(q, &item); mine++) {
        if (item >= STOP_AT) work_queue_stop(q);
        if (rank > 0) nanosleep(&(struct timespec){0, 1000000}, NULL);
    }
    work_queue_close_all(&q);
    comm_sum_i64_all(MPI_COMM_WORLD, &mine, 1);
    ok_all(mine > STOP_AT && mine <= STOP_AT + 2 * size, "work: a rank that stops ends it for all");
    ok_all(work_queue_open_all(&q, MPI_COMM_WORLD, 0) == OK && !work_queue_next(q, &item), "work: none");
    work_queue_close_all(&q);
}

/* Sums of many counts, several under way: exact where sums are, and the same bytes on every rank. */
static void sums(int rank, int size)
{
    enum { LONGEST = 70001, SUMS = 6 };
    static const size_t n[SUMS] = {1, 2, 3, 1000, 65536, LONGEST};
    MPI_Comm by_node = comm_by_node_all(MPI_COMM_WORLD);
    MPI_Request done[SUMS];
    float *v = xcalloc((size_t)SUMS * LONGEST, sizeof *v);
    int wrong = 0;
    for (size_t k = 0; k < SUMS; k++)
        for (size_t i = 0; i < n[k]; i++) v[k * LONGEST + i] = (float)(rank + 1 + (int)(i % 7));
    for (size_t k = 0; k < SUMS; k++) comm_sum_start_all(by_node, v + k * LONGEST, n[k], &done[k]);
    MPI_Waitall(SUMS, done, MPI_STATUSES_IGNORE);
    for (size_t k = 0; k < SUMS; k++)
        for (size_t i = 0; i < n[k]; i++) wrong += v[k * LONGEST + i] != (float)(size * (size + 1) / 2 + size * (int)(i % 7));
    ok_all(wrong == 0, "sums behind other work");
    for (size_t i = 0; i < LONGEST; i++) v[i] = 1 / (float)(rank + 2 + (int)i);
    comm_sum_start_all(by_node, v, LONGEST, done);
    MPI_Wait(done, MPI_STATUS_IGNORE);
    ok_all(agree_same_all(MPI_COMM_WORLD, digest_bytes(v, LONGEST * sizeof *v), "the sum") == OK, "rounded alike on every rank");
    ok_all(comm_rank(by_node) == rank, "the order of one node's ranks is kept");
    MPI_Comm_free(&by_node);
    free(v);
}

int main(int argc, char **argv)
{
    comm_before_init();
    MPI_Init(&argc, &argv);
    int rank = comm_rank(MPI_COMM_WORLD), size = comm_size(MPI_COMM_WORLD);
    agreement(rank, size);
    deadlines(rank);
    parts(rank, size);
    gathering(rank, size);
    threads(size);
    shares();
    queue(rank, size);
    sums(rank, size);
    int bad = tap_done_all();
    MPI_Finalize();
    return bad;
}
