/* comm.h -- agreement over ranks, partition, and the few collective patterns the stages share. Collective where the name ends in
 * _all: every rank of `comm` calls it and gets the same status.
 *
 * The one rule: a local status never decides control flow across a collective call; agree first.
 *     TRY_ALL(comm, image_read(&img, path));     local work: agree before the next collective
 *     TRY(store_create_all(&out, comm, ...));    _all: already agreed
 * Root-only work: rank 0 works with no collective inside, then TRY_ALL(comm, st_of_root), then the data is broadcast. */
#ifndef MICON_MPI_COMM_H
#define MICON_MPI_COMM_H
#include "micon/base/status.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

/* Before MPI_Init: what Open MPI is asked for. What the user set in the environment wins. */
void comm_before_init(void);

int comm_rank(MPI_Comm comm);
int comm_size(MPI_Comm comm);

/* The worst status of all ranks (ties: the lowest rank), with its message, on every rank: "rank 2: plate7.csv:12: bad well".
 * With one rank the message is left as it is. */
status agree_all(MPI_Comm comm, status mine) MUST_USE;
#define TRY_ALL(comm, local) TRY(agree_all((comm), (local)))

/* The same after a collective call of a library. A rank for which that failed has left the call early, and the others may wait in it for
 * ever: where they do not come to agree within COMM_PATIENCE_S, the failed rank ends the job, with its message. */
enum { COMM_PATIENCE_S = 30 };
status agree_after_library_all(MPI_Comm comm, status mine) MUST_USE;

/* For a collective call of a library in which a failed rank may wait for the others and they for it: unless comm_deadline_end comes within
 * `seconds`, this process says `what` and ends, and with it the job. Local. */
typedef struct comm_deadline comm_deadline;
comm_deadline *comm_deadline_start(const char *what, double seconds);
void comm_deadline_end(comm_deadline **d); /* sets NULL */

/* Every rank must have the same value: E_USAGE with "what differs between rank 0 and rank k" otherwise. */
status agree_same_all(MPI_Comm comm, uint64_t value, const char *what) MUST_USE;

/* Rows [*first, *first + *n) of n_total for a rank: contiguous, sizes differ by at most one, 64-bit. */
void partition(int64_t n_total, int size, int rank, int64_t *first, int64_t *n);

/* Broadcast bytes of any size from root; *data (malloc'ed, '\0' after its end) and *size are set on the others. */
status comm_bcast_all(MPI_Comm comm, int root, char **data, size_t *size) MUST_USE;

/* Every rank's bytes, in rank order, on every rank (root < 0) or on root only; sizes may differ. *all is malloc'ed ('\0' after
 * its end); on the ranks that do not get it NULL and *n_all 0. */
status comm_gather_all(MPI_Comm comm, int root, const void *mine, size_t n, char **all, size_t *n_all) MUST_USE;

/* Exact sums of integers, in place, any count (in pieces that MPI can count). */
void comm_sum_i64_all(MPI_Comm comm, int64_t *v, size_t n);
int64_t comm_max_i64_all(MPI_Comm comm, int64_t v);

/* The same ranks in the order of their nodes (of a node: of its lowest rank), and in their own order on each. The caller frees it. */
MPI_Comm comm_by_node_all(MPI_Comm comm);

/* Begins the sum of v [n] over the ranks, in place, behind other work: v is MPI's until `done` is complete. by_node: of comm_by_node_all.
 * With comm_before_init Open MPI exchanges halves of v with the neighbour, quarters with the one two ranks away, and so on, and then back:
 * where a node has 2^k ranks it sums within the node first, and each node sends and receives less than 2 n values over its link.
 * The same on all ranks; the order of the sums depends on the number of ranks and on their order. */
void comm_sum_start_all(MPI_Comm by_node, float *v, size_t n, MPI_Request *done);

/* Threads for each rank so that those of a node share its CPUs: OMP_NUM_THREADS where it is set, else by the CPUs that each may use
 * (comm_threads_of). The same on every rank of a node. */
int comm_threads_all(MPI_Comm comm);

/* sets [n_ranks][COMM_CPU_WORDS], bit c % 64 of word c / 64: the rank may use CPU c. A rank's share is the sum over its CPUs of 1 / the
 * ranks that may use it; the least share, in whole threads, at least 1. Local. */
enum { COMM_CPU_WORDS = 128 };
int comm_threads_of(const uint64_t *sets, int n_ranks);

/* Last resort: a broken invariant, or a library that failed inside a collective and cannot be trusted to close. */
void comm_abort(const char *why) __attribute__((noreturn));

#endif
