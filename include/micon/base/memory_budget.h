/* memory_budget.h -- how much of a node's memory training takes for what its ranks share: asked by the stage that takes it, and by the plan
 * that tells of it before. Bytes. Local. */
#ifndef MICON_BASE_MEMORY_BUDGET_H
#define MICON_BASE_MEMORY_BUDGET_H
#include <stdint.h>

/* The most that windows of this many ranks of a node may still have; INFINITY for one rank, whose memory is its own. */
double memory_budget_shared(int64_t ranks);
/* train.tiles_memory and train.cache_memory; given < 0: auto. room: that the node has left; shared: see above. */
double memory_budget_tiles(int64_t given, double room, double shared);
double memory_budget_cache(int64_t given, double room, double shared);

#endif
