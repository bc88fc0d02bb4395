/* progress.h -- how far an item of work is: a bar on a terminal, a line every 10 s elsewhere, and always work/status/<stage>/<name>.json
 * for `micon status`.
 *
 * Every rank counts its own units with progress_add. The counts go to rank 0 in small non-blocking messages, at most twice a second, so no
 * rank waits. Rank 0 updates the display when it calls progress_add itself (n = 0 will do); what it shows may be half a second behind,
 * never ahead.
 *
 * The JSON is rewritten at most once a second, by rename (a reader never sees half of it): stage, name, state (running, done, failed,
 * stopped), done, total, unit, rate (a second), left_s, seconds, message, host, pid (rank 0's), ranks, job, task (SLURM), start, end
 * (UTC), exit. left_s, end and exit are null while they are not known. That it cannot be written (a full disk) is a warning, not a failure.
 *
 * MICON_PROGRESS=bar|lines|off overrides what is shown: under mpirun a program cannot see that the user has a terminal. */
#ifndef MICON_MPI_PROGRESS_H
#define MICON_MPI_PROGRESS_H
#include "micon/base/status.h"

#include <mpi.h>
#include <stdint.h>

typedef struct progress progress;

typedef struct {
    const char *file;  /* the JSON file, config_status_file(.., "json"); NULL: none */
    const char *stage; /* "tile" */
    const char *name;  /* of the item, as in file names: "SOURCE__BATCH__PLATE"; after "RUN/" where a run has its own */
    const char *unit;  /* "sites" */
    int64_t total;     /* units over all ranks; 0: not known */
} progress_info;

/* Collective: makes a communicator of its own. Cannot fail. */
progress *progress_start_all(MPI_Comm comm, const progress_info *info);

/* n more units are done. Local, cheap (a look at the clock); NULL-safe. From the thread that may call MPI. */
void progress_add(progress *p, int64_t n);

/* What it is doing ("reading", "writing"): shown with the counts. Rank 0's counts; local; NULL-safe. */
void progress_say(progress *p, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Collective, NULL-safe, sets NULL. st decides the state: OK done, E_AGAIN stopped, else failed with the kept message. */
void progress_end_all(progress **p, status st);

#endif
