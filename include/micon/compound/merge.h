/* merge.h -- rows of compound tables become compounds (docs/method.md 3). Local, and a function of the rows alone.
 *
 *   - One identifier in several rows: the first one that could be read says what it is. Later rows that say the same are repeats;
 *     those that say something else are conflicts, to be rejected.
 *   - Rows of the same identity (the full InChIKey, else the canonical SMILES) are one compound. Its key is the smallest of their
 *     identifiers, by bytes, and the row that gave this identifier speaks for it.
 *   - Compounds are sorted by key, by bytes. */
#ifndef MICON_COMPOUND_MERGE_H
#define MICON_COMPOUND_MERGE_H
#include "micon/base/status.h"

#include <stdint.h>

typedef struct {
    const char *id;       /* borrowed; never empty */
    const char *identity; /* borrowed; NULL for a row that was rejected */
} merge_row;

enum { MERGE_REJECTED = -1, MERGE_CONFLICT = -2 }; /* instead of a compound */

typedef struct {
    int64_t n_rows, n_compounds;
    int64_t *row;      /* [n_compounds] the row that speaks for it */
    int64_t *compound; /* [n_rows] its compound, or MERGE_... */
    int64_t *first;    /* [n_rows] the row that says what the identifier is; its own number for that row, and for rejected ones */
    int64_t n_ids;     /* distinct identifiers that have a compound */
    int64_t n_repeats, n_conflicts;
} merged;

status compound_merge(merged *out, const merge_row *row, int64_t n) MUST_USE;
void merged_free(merged *m); /* {0} is valid and empty */

#endif
