/* counterfactual.h -- profiles that a model predicts for compounds from their vectors and doses (docs/method.md 6). Local; a row
 * depends on its own compound and on the controls only, not on which others are asked for. */
#ifndef MICON_NN_COUNTERFACTUAL_H
#define MICON_NN_COUNTERFACTUAL_H
#include "micon/nn/model.h"

/* Compounds: rows of x [.., bits of the model], those that `row` lists, or the first ones where it is NULL. */
typedef struct {
    const float *x;
    const int64_t *row;
    const double *dose; /* log10, of each that is asked for; used where the model has doses */
} compound_rows;

/* With a generator: controls [n_controls, dim] of a plate -> n compounds' x [n, dim] and projected [n, projection]. */
status counterfactual_predict(const model *m, const float *controls, int64_t n_controls, const compound_rows *c, int64_t n, float *x,
                              float *projected) MUST_USE;
/* A clip model: z(m(p)) -> x [n, dim]. */
status counterfactual_embed_compounds(const model *m, const compound_rows *c, int64_t n, float *x) MUST_USE;

#endif
