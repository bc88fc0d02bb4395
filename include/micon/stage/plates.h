/* plates.h -- what every stage over plates does the same way: the index on all ranks, the plates that --plate chose, one bad plate not
 * stopping the others. Collective where the name ends in _all. */
#ifndef MICON_STAGE_PLATES_H
#define MICON_STAGE_PLATES_H
#include "micon/index/index.h"
#include "micon/stage/stage.h"

/* Rank 0 first, which joins the tables where that is needed; the others have the same index, and look at no table. Trouble in the tables is
 * listed; errors among it fail. */
status plates_index_all(stage *g, screen_index **ix) MUST_USE;

/* The plates of --plate, or all; *chosen: caller frees. */
status plates_chosen_all(const stage *g, const screen_index *ix, int64_t **chosen, int64_t *n) MUST_USE;

/* Call one_all for each chosen plate. A plate that is bad (E_FAILED, E_FORMAT) does not stop the others; a full disk, no memory, or a
 * wrong call does. With failures: E_FAILED, how many, and the first one's message. */
status plates_each_all(stage *g, const int64_t *chosen, int64_t n, status (*one_all)(void *ctx, int64_t plate), void *ctx) MUST_USE;

/* --verify: every byte of the chosen plates' tiles and of compounds.h5 (NULL: not of them), this rank's share. What is not there is left to
 * who wants it. */
status plates_verify(const stage *g, const screen_index *ix, const int64_t *chosen, int64_t n, const char *compounds) MUST_USE;

/* Rank 0, before a plate is read: are its files there (index_check_files)? Trouble is listed; messages begin with the label. Local. */
status plates_look_for_files(const screen_index *ix, int64_t p, bool illumination, double max_bad, const char *label) MUST_USE;

/* work/<folder>/<source>__<batch>__<plate>.h5 of plate p, and "source/batch/plate" for messages; caller frees. */
char *plates_file(const stage *g, const screen_index *ix, const char *folder, int64_t p);
char *plates_label(const screen_index *ix, int64_t p);

#endif
