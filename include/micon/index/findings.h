/* findings.h -- all that is wrong with the inputs: kinds of trouble, each with a count and its first examples. Local. {0} is valid and
 * empty; findings_free gives the memory back. */
#ifndef MICON_INDEX_FINDINGS_H
#define MICON_INDEX_FINDINGS_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { FINDING_WARNING, FINDING_ERROR } finding_level;
enum { FINDING_EXAMPLES = 5 }; /* kept of each kind; further ones are counted only */

typedef struct {
    finding_level level;
    char *what; /* "duplicate sites" */
    int64_t count;
    names example; /* each begins with "file:line: " where there is one */
} finding;

typedef struct {
    finding *item;
    size_t n, cap;
} findings;

/* One more of its kind; kinds are told apart by level and `what`. Control characters in the example are replaced. */
void findings_add(findings *f, finding_level level, const char *what, const char *fmt, ...) PRINTF_LIKE(4, 5);
void findings_add_n(findings *f, finding_level level, const char *what, int64_t count, const char *fmt, ...) PRINTF_LIKE(5, 6);
/* Does this kind have all its examples? Then further ones are only counted: they need no text. */
bool findings_full(const findings *f, finding_level level, const char *what);
void findings_merge(findings *to, const findings *from); /* counts add up */
int64_t findings_count(const findings *f, finding_level level);
void findings_free(findings *f);

/* For people, errors first, appended:
 *     error: duplicate sites: 12
 *         load_data.csv:14: A01 site 1 of S1/B1/P1 is already in load_data.csv:2
 *         ... and 11 more */
void findings_show(const findings *f, text *out);
/* E_FAILED with the first error (and how many there are) where there are errors, else OK. */
status findings_verdict(const findings *f) MUST_USE;

/* As bytes and back, for caches and other ranks; unpack adds to `out`. Bytes that are no findings: E_FORMAT. */
void findings_pack(const findings *f, text *out);
status findings_unpack(findings *out, const void *data, size_t size) MUST_USE;

#endif
