/* clock.h -- seconds on a clock that only goes forward. Local. */
#ifndef MICON_BASE_CLOCK_H
#define MICON_BASE_CLOCK_H

double clock_s(void);

#endif
