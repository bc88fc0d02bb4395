/* written_files.h -- digests of those files of a stage that hold none of their own: tables, JSON, the report. Local.
 * Kept in work/status/<stage>/<name>.files, by their places in the work folder, so that they are found again from the name of the file. */
#ifndef MICON_PROVENANCE_WRITTEN_FILES_H
#define MICON_PROVENANCE_WRITTEN_FILES_H
#include "micon/base/text.h"
#include "micon/config/config.h"

#include <stdbool.h>
#include <stdint.h>

/* Before the first of them is written: what is there is not called damaged meanwhile. */
void written_files_forget(const config *c, const char *stage, const char *name);
/* When they are complete. below: "split.csv", "reports/RUN/metrics.json"; one that does not exist is passed over. */
status written_files_record(const config *c, const char *stage, const char *name, const names *below) MUST_USE;

/* Compare a file with the digest that any stage recorded of it; the work folder is the nearest one above it. E_FORMAT: changed or damaged
 * since. *digest is 0 where none is recorded. */
status written_files_check(const char *path, uint64_t *digest) MUST_USE;

/* A list itself, against the digest at its end. *digest is 0 where it has none. */
status written_files_check_list(const char *path, uint64_t *digest) MUST_USE;

#endif
