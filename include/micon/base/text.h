/* text.h -- growing text, lists of names, and how names are compared and written. Local. */
#ifndef MICON_BASE_TEXT_H
#define MICON_BASE_TEXT_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>

/* Growing text. {0} is valid and empty; s is always terminated once anything was added. Free with text_free. */
typedef struct {
    char *s;
    size_t n, cap;
} text;
void text_add(text *t, const char *s);
void text_addn(text *t, const char *s, size_t n);
void text_addf(text *t, const char *fmt, ...) PRINTF_LIKE(2, 3);
void text_clear(text *t);            /* empty, memory kept */
const char *text_str(const text *t); /* never NULL */
void text_free(text *t);

/* A list of owned names. {0} is valid and empty. */
typedef struct {
    char **item;
    size_t n, cap;
} names;
void names_add(names *l, const char *s);
void names_addn(names *l, const char *s, size_t n);
long names_find(const names *l, const char *s); /* position, or -1 */
void names_free(names *l);
void names_split(names *l, const char *s, char sep); /* adds the parts of s, spaces at their ends dropped, empty parts too */

/* The entry of `known` (n of them) nearest to `word` by edits, or NULL if none is near enough to be meant. */
const char *names_nearest(const char *word, const char *const *known, size_t n);

/* "P2" before "P10": runs of digits compare as numbers, the rest as bytes; equal only if the bytes are. */
int text_natural_cmp(const char *a, const char *b);

/* For file names: bytes outside [A-Za-z0-9.+@-], and '_' next to '_' (or at an end), become %XX; so SOURCE__BATCH__PLATE can be
 * taken apart again, and nothing of a table can leave its folder ("." and ".." are encoded too). Caller frees. */
char *text_encode_name(const char *s);
char *text_decode_name(const char *s); /* the other way; NULL where s was not made by text_encode_name. Caller frees. */

bool text_ends(const char *s, const char *end); /* does s end so? */

/* "a1", "A1", "A01" -> "A01"; 1,536-well plates run to AF48. False if it is no well. out: at least 5 bytes. */
bool text_well(const char *s, char out[8]);
bool text_well_place(const char *well, int *row, int *column); /* from 0 */

/* For messages: what a terminal would obey (control characters, C1 too; marks of writing direction; invalid UTF-8) becomes '?', and what
 * does not fit into `size` "..."; other UTF-8 is kept. buf is returned. */
char *text_show(char *buf, size_t size, const char *s);
/* The same in place, but for ends of lines and tabs: for whole messages on their way to the terminal. */
void text_disarm(char *s);

/* JSON string with quotes, appended; what text_show replaces is written as \uXXXX, invalid UTF-8 becomes U+FFFD. */
void text_add_json(text *t, const char *s);
/* Nine digits; `missing` where v is not finite. */
void text_add_number(text *t, double v, const char *missing);

#endif
