/* opt.h -- one table gives an option its parsing, default, range and help; the same for the command line and for the YAML file.
 * Local. A table ends with an entry whose name is NULL. */
#ifndef MICON_CONFIG_OPT_H
#define MICON_CONFIG_OPT_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum {
    OPT_FLAG,  /* bool; on the command line without a value                      */
    OPT_YES,   /* bool: yes, no                                                  */
    OPT_TEXT,  /* char *, owned, never NULL                                      */
    OPT_LIST,  /* names: one or several texts; may be repeated                   */
    OPT_INT,   /* int64_t in [min, max]                                          */
    OPT_REAL,  /* double in [min, max]                                           */
    OPT_BYTES, /* int64_t in [min, max]: 4GiB                                    */
    OPT_CHOICE /* int: position in `words`                                       */
} opt_type;

typedef struct {
    const char *section; /* of the YAML file; NULL on a command line */
    const char *name;
    opt_type type;
    size_t offset;     /* of the value in the options' struct */
    const char *def;   /* as a user would write it; for OPT_LIST separated by commas */
    double min, max;   /* OPT_INT, OPT_REAL, OPT_BYTES */
    const char *words; /* OPT_CHOICE: "none|plate|file". For numbers: words that may stand instead, giving -1, -2, .. */
    unsigned affects;  /* configuration: AFFECTS_*, the outputs that it changes (config.h); command line: 0 */
    const char *help;  /* NULL: not listed */
} opt;

status opt_defaults(const opt *table, void *base) MUST_USE; /* base zeroed before; fails only on a table of ours that is wrong */
void opt_free(const opt *table, void *base);

/* Set one value from text. where: "screen.yaml:12", put before the message; NULL: the command line. A list is appended to; opt_clear
 * first. */
status opt_set(const opt *o, void *base, const char *value, const char *where) MUST_USE;
void opt_clear(const opt *o, void *base);

const opt *opt_find(const opt *table, const char *section, const char *name); /* NULL if unknown; section NULL: any */

/* The value as it would be written, appended. */
void opt_show(const opt *o, const void *base, text *out);

/* Is it of this section, or the one key "section.key"? NULL: any. */
bool opt_is_of(const opt *o, const char *section_or_key);

/* The name under which help lists it: "--size", "size", and "tile.size" where it was asked for as one key. */
char *opt_title(char *buf, size_t size, const opt *o, const char *section_or_key);

/* "  --size N   text [256; 32..4096]" lines, or "  size: ..." for a section. */
void opt_help(const opt *table, const char *section_or_key, text *out);

void opt_show_range(const opt *o, text *out); /* " [default; range or choices]"; nothing for a flag */

/* Parse argv against a table ("--name value", "--name=value", flags; "-n" for a one-letter name). What is not an option goes to
 * `rest`; after "--" everything does. Unknown options are E_USAGE with the nearest known one. */
status opt_args(const opt *table, void *base, int argc, char **argv, names *rest) MUST_USE;

#endif
