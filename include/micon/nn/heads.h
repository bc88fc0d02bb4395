/* heads.h -- the small layers around the encoder, fp32, row-major. Local, but for the sums of the auxiliary head.
 * Gradients of weights are added to what is there: clear them before a step (params_clear_grad). */
#ifndef MICON_NN_HEADS_H
#define MICON_NN_HEADS_H
#include "micon/nn/params.h"

/* Linear(in -> hidden), ReLU, Linear(hidden -> out): tensors NAME.0.weight, NAME.0.bias, NAME.2.weight, NAME.2.bias. */
typedef struct {
    size_t w0, b0, w2, b2;
    int in, hidden, out;
} mlp;
mlp mlp_register(nn_params *p, const char *name, int in, int hidden, int out);
void mlp_init(nn_params *p, const mlp *m, uint32_t seed); /* uniform +-1/sqrt(in) */
/* x [n, in] -> inside [n, hidden] (after the ReLU; kept for the backward pass) -> y [n, out]. */
void mlp_forward(const nn_params *p, const mlp *m, int n, const float *x, float *inside, float *y);
/* dy -> gradients of the weights, and dx unless NULL; d_inside [n, hidden] is a buffer. */
void mlp_backward(const nn_params *p, const mlp *m, int n, const float *x, const float *inside, const float *dy, float *d_inside,
                  float *dx);

/* Rows to length 1 (a row of zeros stays); norm [n] is kept for the backward pass. y may be x. */
void l2_forward(int n, int d, const float *x, float *y, float *norm);
void l2_backward(int n, int d, const float *y, const float *norm, const float *dy, float *dx); /* dx may be dy */

/* BatchNorm over the rows, ReLU, Linear(d -> classes), cross-entropy: tensors NAME.0.*, NAME.2.*. */
typedef struct {
    size_t gamma, beta, mean, var, w, b;
    int d, classes;
} aux_head;
aux_head aux_register(nn_params *p, const char *name, int d, int classes);
void aux_init(nn_params *p, const aux_head *a, uint32_t seed);
size_t aux_work_bytes(const aux_head *a, int n);
/* The rows of this rank. Labels are 0..classes-1. */
typedef struct {
    int n;
    const float *x;       /* [n, d] */
    const int32_t *label; /* [n] */
} aux_rows;
/* Adds v over the ranks of a batch, in place; sum NULL: this rank has the whole batch. */
typedef struct {
    void (*sum)(void *ctx, double *v, size_t n);
    void *ctx;
} rank_sum;
/* Loss over the rows of all ranks: *loss is the global one. dx [n, d] and weight gradients are this rank's share. The
 * running statistics move. */
void aux_loss(const nn_params *p, const aux_head *a, const aux_rows *r, const rank_sum *ranks, double *loss, float *dx, void *work);
/* The sum of the cross-entropy over the rows, computed with the running statistics; nothing changes. */
double aux_eval(const nn_params *p, const aux_head *a, const aux_rows *r, void *work);

/* Gradients of the trained values from `first` on become zero: heads add to what is there, resnet_backward does not. */
void params_clear_grad(nn_params *p, size_t first);

#endif
