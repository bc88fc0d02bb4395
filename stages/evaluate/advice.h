/* advice.h -- what correction did to each figure, and whether to use it, in words made from the numbers (docs/method.md 8). Rank 0. */
#ifndef ADVICE_H
#define ADVICE_H
#include "evaluate.h"

/* The corrected figure less the uncorrected one, with its interval over the same compounds; for metrics where lower is better, turned
 * round. better: 1, -1; 0: the interval holds 0, or there is none. */
typedef struct {
    const result *before, *after;
    interval gain;
    int better;
    bool main; /* the advice is made from it */
} correction_effect;
enum { MOST_EFFECTS = 8 };
/* corrected: mAP of held-out controls. Is its bias, against that without correction, above 0.02 and its interval above chance? */
bool advice_biased(double bias, const result *corrected);

typedef enum { ADVICE_USE, ADVICE_EITHER, ADVICE_MIXED, ADVICE_AGAINST } advice_verdict;

typedef struct {
    correction_effect effect[MOST_EFFECTS];
    size_t n;
    const result *controls[2]; /* mAP of held-out controls without and with correction; NULL: not known */
    double bias;               /* their difference; NaN */
    advice_verdict verdict;
    text sentence; /* "" where there is one form of the profiles */
} advice;
void advice_free(advice *a);
status advice_make(advice *a, const results *r, const wells *w, const evaluate_options *o) MUST_USE;
void advice_json(const advice *a, text *out); /* ,"correction":{..}, null where nothing was corrected; appended */

/* "ranks within plates, sphering ZCA with ridge 1", or "none"; appended. */
void correction_name(const evaluate_options *o, text *out);

#endif
