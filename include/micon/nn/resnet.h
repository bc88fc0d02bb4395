/* resnet.h -- ResNet 18, 34, 50, 101 for one-channel pictures, compiled for a fixed number of pictures of a fixed size. Local, but for
 * the callbacks. Weights live in nn_params (fp32); several nets (one that trains, one that embeds) can share them.
 *
 * A training net keeps what its backward pass needs in one arena; blocks that do not fit `memory` are computed again in the backward
 * pass, with the batch statistics of the forward pass: the same bits. Frozen stages, and a net that does not train, run with folded
 * batch norm. Nothing is allocated between resnet_create and resnet_destroy (oneDNN's own small change apart). */
#ifndef MICON_NN_RESNET_H
#define MICON_NN_RESNET_H
#include "micon/config/config.h" /* FREEZE_* */
#include "micon/nn/conv_autotune.h"
#include "micon/nn/params.h"

/* A net whose first stages are frozen can be compiled as two: the front (they, with folded batch norm) computes for each picture the input
 * of the back (all that follows). Its output for a picture does not depend on the others of the pass. */
typedef enum { RESNET_WHOLE, RESNET_FRONT, RESNET_BACK } resnet_part;

typedef struct {
    resnet_part part; /* front and back: freeze is not FREEZE_NONE */
    int depth;        /* 18, 34, 50, 101 */
    int n, size, out; /* pictures per pass; pixels per side (32 or more); outputs per picture (0: the pooled features) */
    int n_most;       /* number of pictures by which its convolutions are chosen: the largest of any rank; 0: n */
    nn_type type;
    bool training;
    int freeze;
    bool norm_frozen; /* batch norm by the running statistics, which stay */
    int64_t memory;   /* bytes for activations; 0: as many as are wanted */
    /* Sum v over the ranks of one batch, in place; NULL: the pictures of this net are the batch. Called in the same order everywhere. */
    void (*sum)(void *ctx, double *v, size_t n);
    /* The gradient of values [first, first + n) of the trained array is complete; NULL: no callback. */
    void (*ready)(void *ctx, size_t first, size_t n);
    void *ctx;
} resnet_config;

typedef struct resnet resnet;

/* Adds the encoder's tensors under torchvision's names after `prefix` ("encoder."). E_USAGE for an unknown depth. */
status resnet_register(nn_params *p, const char *prefix, int depth, int out, int freeze) MUST_USE;
void resnet_init(nn_params *p, const char *prefix, uint32_t seed); /* as torchvision does; running statistics 0 and 1 */
int resnet_width(int depth);                                       /* of the pooled features: 512 or 2048 */

/* p: registered and allocated, borrowed. choices: used and added to. E_USAGE with the bytes that are needed if `memory` is too little. */
status resnet_create(resnet **out, dnn *d, const resnet_config *c, nn_params *p, const char *prefix, conv_choices *choices) MUST_USE;
void resnet_destroy(resnet **net); /* NULL-safe, sets NULL */

void resnet_weights_changed(resnet *net); /* call after every change of the weights: they are packed again at the next forward pass */

/* pictures [n, size, size] -> features [n, out] (or [n, width] if out is 0). Borrowed only during the call. A training net moves the
 * running statistics. */
status resnet_forward(resnet *net, const float *pictures, float *features) MUST_USE;

/* Of a front: pictures -> [n] outputs of resnet_split bytes each. Of a back: those -> features. */
status resnet_forward_front(resnet *net, const float *pictures, void *between) MUST_USE;
status resnet_forward_back(resnet *net, const void *between, float *features) MUST_USE;
size_t resnet_split(const resnet *net);                                   /* bytes per picture between front and back; 0 for a whole net */
size_t resnet_split_bytes(int depth, int size, int freeze, nn_type type); /* the same without a network: freeze is not FREEZE_NONE */

/* Gradient at the features of the last forward -> gradients of all trained tensors, overwritten. */
status resnet_backward(resnet *net, const float *d_features) MUST_USE;

int64_t resnet_bytes(const resnet *net);  /* the arena */
int resnet_recomputed(const resnet *net); /* blocks computed twice (the stem counts as one) */

/* A table per layer: forward, back data, back weights: ms, GFLOP/s, share of the rate that the same convolution has alone; batch norm and
 * ReLU; share of the step. Below it, the time outside convolutions. Means over all passes since the last resnet_profile_reset, by
 * conv_clock. step_s: of a whole step; 0: shares are of the encoder's own time. */
void resnet_profile(const resnet *net, double step_s, text *out);
void resnet_profile_reset(resnet *net);
double resnet_seconds_conv(const resnet *net);  /* spent in convolutions since then, */
double resnet_seconds_other(const resnet *net); /* in all else, */
double resnet_seconds_alone(const resnet *net); /* the convolutions' time at the rates measured in isolation */

#endif
