/* rejects.h -- files of a plate's sites that could not be used: collected by every rank, told and stored by rank 0 (uns/rejects).
 * Collective where the name ends in _all. An *item* is one file of a site: site * files + file. */
#ifndef MICON_STAGE_REJECTS_H
#define MICON_STAGE_REJECTS_H
#include "micon/index/index.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

#include <mpi.h>

/* The columns of such a frame. */
enum { REJECT_ITEM, REJECT_CODE, REJECT_TEXT };
status rejects_add(frame *bad, int64_t item, const char *code, const char *says) MUST_USE;

/* A message that begins with the name of the file as it was opened, without it: what is stored does not depend on where a program was
 * started. */
const char *rejects_without_path(const char *message, const char *path);

/* Rank 0 gets everyone's rows behind its own. */
status rejects_gather_all(MPI_Comm comm, frame *bad) MUST_USE;

/* Of whom the rows are. */
typedef struct {
    const screen_index *ix;
    int64_t first_row; /* of the plate in the index */
    int files;         /* of a site: the index's channels, or the first of them */
    const char *label; /* "S1/B1/P1" */
    const char *dir;   /* names below it are stored relative to it */
} rejects_of;

/* Rank 0: sorts by item, and warns of the first ones and of how many more there are. what: "images". */
status rejects_say(frame *bad, const rejects_of *of, const char *what) MUST_USE;
/* Rank 0: uns/rejects. */
status rejects_put(store *out, const frame *bad, const rejects_of *of) MUST_USE;

#endif
