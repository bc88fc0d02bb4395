/* loss.h -- the contrastive losses over the rows of all ranks, with exact gradients for the rows of one. Local: the caller gathers.
 * Two steps: `_rows` gives for each own row the logarithm of
 * its sum of exponentials and the rank's share of the loss; the caller gathers the logarithms of all rows and adds the shares;
 * `_grad` then gives the gradient of the global loss at the own rows. Alone: first = 0, n_mine = n, nothing to gather. */
#ifndef MICON_NN_LOSS_H
#define MICON_NN_LOSS_H
#include "micon/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* The rows of all ranks; a rank computes rows [first, first + n_mine). */
typedef struct {
    const float *u;       /* [n, d] */
    const float *v;       /* [n, d]: the other side's, of clip; else NULL */
    const int32_t *label; /* [n]: of supcon; else NULL */
    int64_t n, d;
    double t; /* temperature */
    int64_t first, n_mine;
} loss_rows;

/* Supervised contrastive loss (docs/method.md 5). dots [n_mine, n] and positives [n] (how many other rows share a row's label) are kept
 * between the two. Anchors without a positive are left out of the mean; without any anchor the loss is 0. */
status supcon_rows(const loss_rows *r, float *dots, int64_t *positives, double *log_sum, double *loss) MUST_USE;
/* log_sum [n]: of all rows. du [n_mine, d] is overwritten. dots is used up. weight: factor of this loss in the total. */
status supcon_grad(const loss_rows *r, float *dots, const int64_t *positives, const double *log_sum, double weight, float *du) MUST_USE;

/* Symmetric cross-entropy over u and v, row i belonging to row i. dots [2, n_mine, n], log_sum [2, n_mine] (rows of u against all of v,
 * rows of v against all of u). */
status clip_rows(const loss_rows *r, float *dots, double *log_sum, double *loss) MUST_USE;
/* log_sum_u [n], log_sum_v [n] of all rows; du, dv [n_mine, d] are overwritten. */
status clip_grad(const loss_rows *r, float *dots, const double *log_sum_u, const double *log_sum_v, double weight, float *du,
                 float *dv) MUST_USE;

#endif
