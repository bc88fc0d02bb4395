/* claims.h -- the figures that show reproducible compounds, and whether each still holds when well positions are taken into account. */
#ifndef CLAIMS_H
#define CLAIMS_H
#include "evaluate.h"

typedef enum { CLAIM_FAILS, CLAIM_HOLDS, CLAIM_OPEN } claim_state; /* OPEN: cannot be decided */

/* A figure; the same with other positions only; the same of untreated positions. NULL: not computed. */
typedef struct {
    const result *all, *other, *control;
    claim_state other_clear;   /* with other positions only: its interval lies above chance */
    claim_state control_clear; /* its interval lies above that of untreated positions, both as shares of the way from chance to 1 */
    claim_state holds;         /* other_clear where at least half of the queries have a replicate at another position, else control_clear */
} claim;
enum { MOST_CLAIMS = 10 };
size_t claims_of(const results *r, claim out[MOST_CLAIMS]);

void claims_show_json(const results *r, text *out); /* a list */
void claims_log(const results *r);

#endif
