/* store_commands.h -- the commands of micon-store. Each runs on rank 0 alone where it does not say so. */
#ifndef STORE_COMMANDS_H
#define STORE_COMMANDS_H
#include "micon/stage/stage.h"

/* export.c: the finished stores of train.run as DIR/RUN.{raw,normalized,corrected}.csv.gz (or .parquet) and
 * DIR/RUN.consensus.{normalized,corrected}.csv.gz. Local. */
typedef enum { EXPORT_CSV, EXPORT_PARQUET } export_format; /* in the order of the option's words */
status export_tables(const config *c, const char *dir, export_format format) MUST_USE;

/* add.c: a run's finished profiles into a store that screens share. Local. */
status add_profiles(const stage *g, const char *target, double wait_s) MUST_USE;

/* verify.c: read every byte of the files again, shared by ranks, and compare with the digests they hold. */
status verify_all(stage *s, const names *files) MUST_USE;

#endif
