/* corrections.h -- evaluate.batch_correction: auto. A table of corrections is tried on wells that are not evaluated, and one is used
 * (docs/method.md 7). */
#ifndef CORRECTIONS_H
#define CORRECTIONS_H
#include "evaluate.h"

/* Every correction that is tried, the simpler before the less simple. TRIED(reshape, sphere, ridge, batch_correction) */
#define CORRECTION_TABLE(TRIED)                                                                                                            \
    TRIED(RESHAPE_NONE, SPHERING_NONE, 1, CORRECTION_NONE)                                                                                 \
    TRIED(RESHAPE_RANK_PLATE, SPHERING_NONE, 1, CORRECTION_NONE)                                                                           \
    TRIED(RESHAPE_NONE, SPHERING_ZCA, 1, CORRECTION_NONE)                                                                                  \
    TRIED(RESHAPE_RANK_PLATE, SPHERING_ZCA, 1, CORRECTION_NONE)                                                                            \
    TRIED(RESHAPE_NONE, SPHERING_NONE, 1, CORRECTION_HARMONY)                                                                              \
    TRIED(RESHAPE_RANK_PLATE, SPHERING_NONE, 1, CORRECTION_HARMONY)
#define COUNT_TRIED(...) +1
enum { N_TRIALS = 0 CORRECTION_TABLE(COUNT_TRIED) };

enum { TRIAL_FIGURES = 4 }; /* it is judged by: retrieval in other batches, sources, plates (k = 1); activity */

/* What a correction gave on the trial's wells. Rank 0. */
typedef struct {
    evaluate_options how; /* borrows */
    results measured;
    const result *figure[TRIAL_FIGURES]; /* of measured; NULL: there is nothing to compute it from */
    double bias;                         /* mAP of held-out controls, less that without correction; NaN: not known */
    bool biased;                         /* too much of it, beyond noise */
    bool made;                           /* it applies: Harmony needs two groups */
    bool allowed;                        /* no figure is below that without correction, beyond its interval; the bias is tolerable */
} trial;

typedef struct {
    trial item[N_TRIALS];
    int chosen;                /* on every rank */
    int64_t treated, controls; /* wells that they were tried on */
    bool lent;                 /* no wells were used for training: a third of the compounds is not evaluated but used here */
    text sentence;
} trials;
void trials_free(trials *t);

/* Chooses, and sets the four options of o on all ranks. w: rank 0's, labelled and not yet shared; without enough training wells a third of
 * its compounds is taken out of w->evaluated. */
status corrections_choose_all(MPI_Comm comm, wells *w, evaluate_options *o, trials *t, names *notes) MUST_USE;

void trials_json(const trials *t, text *out); /* ,"corrections_tried":[..], null without trials; appended */

/* ---- corrections_wells.c; rank 0, local ---- */
/* use [w->n] 1: wells that corrections are tried on. Those lent are taken out of w->evaluated. */
status trial_rows(wells *w, const evaluate_options *o, uint8_t *use, bool *lent) MUST_USE;
/* Those rows as if there were no others: all treated ones are evaluated. */
status trial_wells(const wells *w, const uint8_t *use, wells *out) MUST_USE;

#endif
