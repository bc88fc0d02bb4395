/* shared_split.h -- the split of the wells, for stages that need it. */
#ifndef MICON_STAGE_SHARED_SPLIT_H
#define MICON_STAGE_SHARED_SPLIT_H
#include "micon/index/split.h"
#include "micon/stage/stage.h"

/* Rank 0 makes it, and its file where that is missing or another (split_sync); the others get it from there: nobody else reads the file.
 * notes: what split_sync notes, on rank 0. out is {0} before. */
status shared_split_all(stage *g, const screen_index *ix, screen_split *out, text *notes) MUST_USE;

#endif
