/* log.h -- lines for people, on stderr: "[tile] warning: text". Local.
 * Only rank 0 speaks, unless a line is worth having from any rank (log_any). A running progress bar is wiped first. */
#ifndef MICON_BASE_LOG_H
#define MICON_BASE_LOG_H
#include "micon/base/status.h"

#include <stdbool.h>

/* name: borrowed, "tile"; speak: this process prints log_info and log_warn; quiet: only warnings. */
void log_init(const char *name, bool speak, bool quiet);
bool log_quiet(void);

void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_any(const char *fmt, ...) PRINTF_LIKE(1, 2);

/* "micon-tile: error: text" once; the caller decides which rank calls it. */
void log_error(const char *program, const char *text);

/* The progress bar's line, kept at the bottom of a terminal; NULL wipes it. */
void log_bar(const char *line);

#endif
