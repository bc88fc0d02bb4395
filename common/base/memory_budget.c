/* memory_budget.c -- shares of a node's memory. */
#include "micon/base/memory_budget.h"

#include "micon/base/path.h"
#include "micon/base/status.h"

#include <math.h>

/* MPI keeps shared windows in /dev/shm; if that is too small, a rank is killed at its first write. */
double memory_budget_shared(int64_t ranks)
{
    int64_t shm = 0;
    if (ranks == 1) return INFINITY;
    if (path_free_bytes("/dev/shm", &shm) != OK) {
        msg_clear();
        return INFINITY;
    }
    return 0.95 * (double)shm;
}

double memory_budget_tiles(int64_t given, double room, double shared)
{
    return given < 0 ? fmin(0.6 * room, shared) : (double)given;
}

double memory_budget_cache(int64_t given, double room, double shared)
{
    return given < 0 ? fmin(0.5 * room, shared) : (double)given;
}
