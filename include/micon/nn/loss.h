/* loss.h -- the contrastive losses over the rows of all ranks, with exact gradients for the rows of one. Local: the caller gathers.
 * Every rank has all rows, and is in charge of rows [first, first + n_mine). Two steps: `_rows` gives for each own row the logarithm of
 * its sum of exponentials and the rank's share of the loss; the caller gathers the logarithms of all rows and adds the shares;
 * `_grad` then gives the gradient of the global loss at the own rows. Alone: first = 0, n_mine = n, nothing to gather. */
#ifndef MICON_NN_LOSS_H
#define MICON_NN_LOSS_H
#include "micon/base/status.h"

#include <stddef.h>
#include <stdint.h>

/* Supervised contrastive loss (docs/method.md 5). u [n, d], label [n]; dots [n_mine, n] and positives [n] (how many rows share a
 * row's label) are kept between the two. Anchors without a positive are
 * left out of the mean; without any anchor the loss is 0. */
status supcon_rows(const float *u, const int32_t *label, int64_t n, int64_t d, double t, int64_t first, int64_t n_mine, float *dots,
                   int64_t *positives, double *log_sum, double *loss) MUST_USE;
/* log_sum [n]: of all rows. du [n_mine, d] is overwritten. dots is used up. weight: factor of this loss in the total. */
status supcon_grad(const float *u, const int32_t *label, int64_t n, int64_t d, double t, int64_t first, int64_t n_mine, float *dots,
                   const int64_t *positives, const double *log_sum, double weight, float *du) MUST_USE;

/* Symmetric cross-entropy over a [n, d] and b [n, d], row i belonging to row i. dots [2, n_mine, n], log_sum [2, n_mine] (rows of a
 * against all of b, rows of b against all of a). */
status clip_rows(const float *a, const float *b, int64_t n, int64_t d, double t, int64_t first, int64_t n_mine, float *dots,
                 double *log_sum, double *loss) MUST_USE;
/* log_sum_a [n], log_sum_b [n] of all rows; da, db [n_mine, d] are overwritten. */
status clip_grad(const float *a, const float *b, int64_t n, int64_t d, double t, int64_t first, int64_t n_mine, float *dots,
                 const double *log_sum_a, const double *log_sum_b, double weight, float *da, float *db) MUST_USE;

#endif
