/* optimizer.h -- AdamW, clipping, learning rates. Local. */
#ifndef MICON_NN_OPTIMIZER_H
#define MICON_NN_OPTIMIZER_H
#include "micon/nn/params.h"

/* The gradient's squares summed over a range, in double. */
double grad_squares(const nn_params *p, nn_range r);

/* p->grad of the range becomes the sum of n gradients, added in their order; p->grad is one of them. */
void grad_sum(nn_params *p, nn_range r, float *const *grad, int n);

/* AdamW on a range, betas 0.9 and 0.999, eps 1e-8; gradients are multiplied by `scale` first; decay is decoupled and for tensors of two
 * or more dimensions only. step counts from 1. Each value has the same bits in any range. */
void adamw_step(nn_params *p, nn_range r, int64_t step, double lr, double weight_decay, double scale);

/* min(1, clip / (norm + 1e-6)); 1 if clip <= 0. */
double clip_scale(double norm, double clip);

/* Linear warm-up over `warmup` steps, then cosine to 0 at `steps`. step counts from 0. */
double lr_cosine(double lr, int64_t step, int64_t steps, int64_t warmup);

/* lr x 0.9 after `patience` steps without a better smoothed loss (exponential mean 0.99), not below 1e-6. {0} is a valid start. */
typedef struct {
    double smooth, best, factor;
    int64_t seen, since;
} lr_plateau;
double lr_plateau_next(lr_plateau *s, double lr, double loss, int64_t patience);

#endif
