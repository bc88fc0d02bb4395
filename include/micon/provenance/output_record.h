/* output_record.h -- records what an output was made from: work/status/<stage>/<name>.made, a small JSON file written
 * by the stage when its output is published, read by the driver, which links no HDF5. Local.
 *
 * The output holds the same facts and is authoritative: where the record is missing, damaged or of another file, the stage program
 * examines the output. */
#ifndef MICON_PROVENANCE_OUTPUT_RECORD_H
#define MICON_PROVENANCE_OUTPUT_RECORD_H
#include "micon/base/status.h"
#include "micon/config/config.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    char *program, *version; /* "micon-tile"; MICON_VERSION */
    char *output;            /* base name of the file */
    int64_t size, mtime_ns;  /* of the output, when published */
    uint64_t content;        /* its content digest: what others record as their input; 0: it has none */
    char *made_from;         /* "section.key: value" lines of config_show, then what else decides the contents, a line each */
    uint64_t inputs;         /* digest over the inputs' digests */
} output_record;

/* .../status/<stage>/<name>.made; caller frees. */
char *output_record_path(const config *c, const char *stage, const char *name);

/* Record the finished file `output` (stats it; makes the folder). */
status output_record_write(const char *path, const char *program, const char *output, const char *made_from, uint64_t inputs,
                           uint64_t content) MUST_USE;

/* False where there is no record, or none that can be read; *out is then {0}. No message is kept. */
bool output_record_read(output_record *out, const char *path);
void output_record_free(output_record *m);
/* The record's file against the digest at its end; *digest is 0 where it has none. */
status output_record_check(const char *path, uint64_t *digest) MUST_USE;

/* Does the record belong to the file as it is now: same size and time? */
bool output_record_is_of(const output_record *m, const char *output);

/* Two made_from texts, and the digest of one: a key that was renamed between versions makes no difference (config_comparable). */
bool output_record_same(const char *made_from, const char *other);
uint64_t output_record_digest(const char *made_from);

/* The first recorded "section.key: value" line that the configuration of today gives otherwise: true, with "tile.size was 224, is
 * 256" in why. Lines that are no configuration are passed over. */
bool output_record_config_differs(const output_record *m, const config *c, text *why);

/* The value of another line ("index rows: <value>"), or NULL; caller frees. output_record_value: of such lines wherever they are from. */
char *output_record_line(const output_record *m, const char *key);
char *output_record_value(const char *lines, const char *key);

#endif
