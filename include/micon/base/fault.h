/* fault.h -- fault points for tests. In builds with -DMICON_FAULTS, MICON_FAULT=N:RANK makes the N-th fault point that this
 * rank passes fail (counting from 1), MICON_FAULT=kill:N:RANK ends the process there by SIGKILL; in a release build they are nothing.
 * Place one before a local call that can fail and after a collective one: TRY(fault("read tile")). */
#ifndef MICON_BASE_FAULT_H
#define MICON_BASE_FAULT_H
#include "micon/base/status.h"

#ifdef MICON_FAULTS
status fault(const char *what) MUST_USE;
void fault_init(int rank);
long fault_passed(void); /* points passed so far */
#else
static inline status fault(const char *what)
{
    (void)what;
    return OK;
}
static inline void fault_init(int rank)
{
    (void)rank;
}
#endif

#endif
