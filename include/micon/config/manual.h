/* manual.h -- what a program says of itself, from its option tables: the text of --help, a page for man(1), and the table of words that
 * shell completion is made from (jobs/install/completion.sh). Local. */
#ifndef MICON_CONFIG_MANUAL_H
#define MICON_CONFIG_MANUAL_H
#include "micon/config/opt.h"

/* Flags that the build calls; --help does not list them. */
#define MANUAL_PAGE_FLAG "help-man"
#define MANUAL_WORDS_FLAG "help-words"
#define MANUAL_KEYS_FLAG "help-keys"

typedef struct {
    const char *program;     /* "micon-tile", "micon plan" */
    const char *summary;     /* one or two lines */
    const char *before;      /* of the program, in the usage: "[mpirun -n N] "; NULL: nothing */
    const char *arguments;   /* after it: "screen.yaml " */
    const opt *options;      /* NULL: none */
    const char *const *keys; /* sections of the configuration or single keys ("tile.size"), each with the words that introduce it or NULL;
                                ends with NULL; NULL: none */
    const char *notes;       /* further paragraphs, one line of text each; NULL: none */
    const char *exit;        /* "0 done, 1 failed" */
} manual;

void manual_text(const manual *m, text *out); /* --help */
void manual_page(const manual *m, text *out); /* man(7), complete */
void manual_part(const manual *m, text *out); /* man(7), a section of a page that holds several */
void manual_head(const char *name, int section, const char *summary, text *out);
void manual_prose(const char *s, text *out);             /* running text of a page, escaped; lines may be broken anywhere */
void manual_keys(const char *section_or_key, text *out); /* man(7), the keys of a section of the configuration, or one */

/* "PROGRAM <tab> --option <tab> TYPE <tab> words of a choice <tab> help" lines. */
void manual_words(const manual *m, text *out);
void manual_key_words(text *out); /* the same of all keys, PROGRAM "key" */

#endif
