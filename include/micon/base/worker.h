/* worker.h -- a process beside this one, for library code that may crash, hang or eat memory. Local.
 *
 *     worker_start(&w, fn, arg);     before MPI_Init: it forks, and a process with MPI in it must not
 *     ...
 *     worker_run(w, &job);           any number of times: requests go over, answers come back, several under way
 *     worker_stop(&w);
 *
 * Two processes are made: a keeper, that only waits, and the worker, that calls fn. When the worker dies the keeper (which never saw MPI)
 * forks the next one from the state that worker_start found, and says which request it was. A request whose worker died is tried once more
 * in the next one, so that a stray kill is nobody's fault; the second time it is WORKER_CRASHED. Time is the worker's CPU time, so that a
 * busy or suspended machine changes no result; ten times as much on the clock counts as a crash. A worker may hold WORKER_MAX_MEMORY bytes
 * (not limited under AddressSanitizer) and has a stack of 64 MiB where the system allows it, whatever `ulimit -s` says. It has no stdin,
 * stdout or stderr. Both processes end with this one, whatever way it ends. Of several workers the one that was started last is stopped
 * first: it holds copies of the others' sockets. Answers do not depend on how requests are spread or on deaths in between, as long as fn's
 * do not. */
#ifndef MICON_BASE_WORKER_H
#define MICON_BASE_WORKER_H
#include "micon/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { WORKER_MAX_BYTES = 32 << 10 }; /* of a request, and of an answer */
#define WORKER_MAX_MEMORY ((int64_t)4 << 30)

typedef struct worker worker;

/* In the worker: writes the answer (at most WORKER_MAX_BYTES) and returns its size. */
typedef size_t (*worker_fn)(void *arg, const void *request, size_t size, void *answer);

typedef enum { WORKER_DONE, WORKER_CRASHED, WORKER_TIMEOUT } worker_end;

typedef struct {
    int64_t n;                                                  /* requests 0..n-1 */
    const void *(*request)(void *ctx, int64_t i, size_t *size); /* asked for once, in order; borrowed until the next call.
                                                                           NULL: this one needs no worker, and gets no answer */
    void (*answer)(void *ctx, int64_t i, worker_end how, const void *data, size_t size); /* in no particular order; data NULL
                                                                           unless WORKER_DONE; borrowed during the call */
    void *ctx;
    double limit_s; /* a request, CPU time; > 0 */
} worker_job;

/* E_IO where the system gives no process. */
status worker_start(worker **out, worker_fn fn, void *arg) MUST_USE;

/* Returns when every request has its answer. E_IO: the keeper is gone or cannot fork; answers are missing then. */
status worker_run(worker *w, const worker_job *job) MUST_USE;

int64_t worker_deaths(const worker *w); /* so far */
pid_t worker_keeper(const worker *w);   /* for tests */
void worker_stop(worker **w);           /* NULL-safe, sets NULL; waits for the end of both */

#endif
