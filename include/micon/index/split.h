/* split.h -- which wells a model is trained on, and on which it is evaluated: a pure function of the index and the options, written
 * to work/split.csv. Local.
 *
 * A well's set is the first of these that is true:
 *     empty            it holds nothing
 *     unseen_compound  its compound is held out (never a control's)
 *     unseen_source    its source is
 *     test, valid      its (source, batch) is
 *     train
 * Batches: of each source that is not held out, Philox(seed, STREAM_SPLIT, 0, XXH3 of the source) shuffles the sorted names of its
 * batches; the first test_batches are test, the next valid_batches valid. A source that would keep no training batch is all train, and
 * is listed. Compounds: Philox(seed, STREAM_SPLIT, 1, 0) shuffles the sorted identifiers of the treated wells. */
#ifndef MICON_INDEX_SPLIT_H
#define MICON_INDEX_SPLIT_H
#include "micon/base/status.h"
#include "micon/config/config.h"
#include "micon/index/findings.h"
#include "micon/index/index.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum { SET_TRAIN, SET_VALID, SET_TEST, SET_UNSEEN_SOURCE, SET_UNSEEN_COMPOUND, SET_EMPTY, SET_COUNT } split_set;
const char *split_set_name(split_set s); /* "train", "valid", "test", "unseen_source", "unseen_compound", "empty" */

typedef struct {
    uint8_t *of_row; /* split_set of each row of the index */
    int64_t n_rows;
    int64_t n_wells[SET_COUNT];
    names unseen_compounds; /* sorted; only those of the screen */
} screen_split;

/* *out is {0} before; screen_split_free in any case. dir: what a file of identifiers is relative to. notes: sources without held-out
 * batches, identifiers that the screen does not have. Options that cannot be met (no such source, more compounds than there are,
 * nothing left to train on): E_USAGE. */
status split_make(screen_split *out, const screen_index *ix, const split_options *o, const char *dir, findings *notes) MUST_USE;
void screen_split_free(screen_split *s);

/* CSV: Source, Batch, Plate, Well, set. */
status split_write(const screen_split *s, const screen_index *ix, const char *path) MUST_USE;
/* Every well of the index once, no other, known sets: else E_FORMAT. *out is {0} before. */
status split_read(screen_split *out, const screen_index *ix, const char *path) MUST_USE;
/* The same from of_row [n_rows of the index], malloc'ed, which becomes out's, also where it fails. */
status split_of_rows(screen_split *out, const screen_index *ix, uint8_t *of_row, int64_t n) MUST_USE;
/* For the first stage that needs it: make it, and write it where the file is missing or says something else (which is a log line). */
status split_sync(screen_split *out, const screen_index *ix, const split_options *o, const char *dir, const char *path,
                  findings *notes) MUST_USE;

/* Over wells and their sets: what a model records as its input. */
uint64_t split_digest(const screen_split *s, const screen_index *ix);

#endif
