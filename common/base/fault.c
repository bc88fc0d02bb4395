/* fault.c -- counts fault points and fails, or kills, at the chosen one. Empty in a release build. */
#include "micon/base/fault.h"

#ifdef MICON_FAULTS
#include "micon/base/num.h"
#include "micon/base/text.h"

#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static long passed, chosen;
static bool by_kill;

void fault_init(int rank)
{
    const char *spec = getenv("MICON_FAULT");
    passed = chosen = 0;
    by_kill = false;
    if (!spec) return;
    if (strncmp(spec, "kill:", 5) == 0) by_kill = true, spec += 5;
    names part = {0};
    int64_t n, r;
    names_split(&part, spec, ':');
    if (part.n == 2 && num_i64(part.item[0], &n) && num_i64(part.item[1], &r) && r == rank) chosen = (long)n;
    names_free(&part);
}

long fault_passed(void)
{
    return passed;
}

status fault(const char *what)
{
    if (++passed != chosen) return OK;
    if (by_kill) kill(getpid(), SIGKILL);
    return fail(E_FAILED, "injected fault %ld (%s)", passed, what);
}
#else
typedef int fault_unused; /* a translation unit must not be empty */
#endif
