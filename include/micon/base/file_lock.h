/* file_lock.h -- one holder at a time of something that processes of several hosts may want: a file that says who holds it, made by
 * link(2), which is atomic on network file systems too. Local.
 *
 * When a lock is stale. Under one kernel its lock on the file tells, which ends with the holder, whatever container that lived in; where
 * the file system has no such locks, the process number tells within one PID namespace; a machine that booted since has no holder any more.
 * Any other holder (of another host, mostly) cannot be judged: a lock that beats (its holder touches it every few seconds) is stale when it
 * was not touched for FILE_LOCK_STALE_S by the file system's own clock; one that does not beat stays until a person removes it, and the
 * message says which file that is. */
#ifndef MICON_BASE_FILE_LOCK_H
#define MICON_BASE_FILE_LOCK_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>

enum { FILE_LOCK_BEAT_S = 5, FILE_LOCK_STALE_S = 600 };

typedef struct file_lock file_lock;

typedef struct {
    const char *what; /* what the holder does, for the others' messages: "micon run screen.yaml" */
    const char *busy; /* how the error begins where somebody else holds it: "another run is active in this work folder" */
    double wait_s;    /* how long to wait for that one */
    bool beats;
} file_lock_info;

/* E_FAILED: who holds it, since when, what to do. */
status file_lock_take(file_lock **out, const char *path, const file_lock_info *info) MUST_USE;
bool file_lock_held(const file_lock *l); /* is it still ours? A process that slept for long may have lost it. */
void file_lock_release(file_lock **l);   /* NULL-safe, sets NULL; leaves another one's lock alone */
/* Does anyone hold it, as far as this host can tell? Who: appended. */
bool file_lock_holder(const char *path, text *who);

#endif
