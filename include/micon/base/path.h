/* path.h -- file names and the file system. Local. Returned strings belong to the caller (free). */
#ifndef MICON_BASE_PATH_H
#define MICON_BASE_PATH_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stdint.h>

char *path_join(const char *dir, const char *name); /* name alone where it is absolute, a URL (url.h), or dir is "" */
char *path_dir(const char *path);                   /* "." for a bare name */
const char *path_base(const char *path);            /* borrowed, what follows the last '/' */
bool path_exists(const char *path);
bool path_is_dir(const char *path);
status path_stat(const char *path, int64_t *size, int64_t *mtime_ns) MUST_USE;
status path_make_dirs(const char *path) MUST_USE; /* like mkdir -p, umask as it is */
status path_free_bytes(const char *dir, int64_t *bytes) MUST_USE;
/* Files below dir ("" or ".": here; a pattern may be absolute) that match, sorted; none: out stays empty, OK. A file of just that name is
 * meant by it, whatever a pattern would make of it, and dir is taken as it is. */
status path_glob(names *out, const char *dir, const char *pattern) MUST_USE;

/* Open for reading a regular file, or a link to one; E_FORMAT says what else it is. A named pipe or a device never blocks the caller. */
status path_open_regular(const char *path, int *fd) MUST_USE;
status path_read(const char *path, char **data, size_t *size, size_t max_size) MUST_USE; /* whole file, '\0' added */

/* Write a small file so that it is either the old one or complete: aside, fsync, rename, fsync of the folder. */
status path_write(const char *path, const void *data, size_t size) MUST_USE;

/* fsync a finished file, give it its final name, fsync the folder. */
status path_publish(const char *part, const char *final_name) MUST_USE;

/* Name for writing aside: NAME.part.<host>-<pid>-<place>-<token>, in SLURM NAME.part.<job>.<restart>-<pid>-<token>. place: of the boot and
 * the PID namespace; token: random, of this process (base/identity.h). So no two processes ever write the same one; open it exclusively
 * ("wbx"). */
char *path_part(const char *final_name);

/* Remove NAME.part.* whose writer is gone: this host's dead processes, and, where `jobs` holds the numbers of all SLURM jobs of ours that
 * are queued or running, the jobs that are not among them. jobs NULL: nothing is known of SLURM. Other people's files stay. Returns the
 * count. Call it while holding the work lock. */
int path_sweep_parts(const char *dir, const names *jobs);
/* Is NAME.part.* being written by a process that runs here, as far as process numbers tell? */
bool path_part_is_live(const char *name);
/* The same for the parts of one file. */
int path_sweep_dead_parts_of(const char *final_name);
/* Remove all that is left of the writing of this one file. Call it while holding that file's lock. */
int path_sweep_parts_of(const char *final_name);

#endif
