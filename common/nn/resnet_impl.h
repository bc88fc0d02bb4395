/* resnet_impl.h -- the inside of a compiled ResNet, shared by resnet_plan.c (creation) and resnet_run.c (passes). */
#ifndef MICON_NN_RESNET_IMPL_H
#define MICON_NN_RESNET_IMPL_H
#include "micon/nn/resnet.h"

enum { MAX_BLOCKS = 64, MAX_UNITS = 4, IN_PLACE_BUFFERS = 4, TIME_FORWARD = 0, TIME_DATA, TIME_WEIGHTS, TIME_KINDS };

/* A convolution and its batch norm. */
typedef struct {
    conv_spec spec;
    size_t weight, gamma, beta, mean_at, var_at; /* tensors */
    conv_op *op[TIME_KINDS];
    void *packed[2]; /* weights for forward, back data */
    nn_shape y_shape;
    void *c, *y; /* convolution's result; after batch norm and ReLU */
    float *scale, *shift, *mean, *inv, *k[3], *bias;
    double seconds[TIME_KINDS], rest_s; /* of the convolution; of batch norm, ReLU and sums */
    int passes[TIME_KINDS];
    const char *name; /* borrowed from the weight's */
} unit;

typedef struct {
    unit u[MAX_UNITS]; /* 2 or 3, then the downsampling one if has_ds */
    int n_units;
    bool has_ds, frozen, again; /* again: computed a second time in the backward pass */
    void *x, *y;
    nn_shape x_shape, y_shape;
    size_t first, count; /* its range of the trained values */
} block;

struct resnet {
    resnet_config c;
    dnn *d;
    nn_params *p;
    char *prefix;
    unit stem; /* of a back: shapes only */
    bool has_stem, stem_frozen, stem_again;
    nn_shape pool_shape;
    uint8_t *which;
    void *pool_y;
    block b[MAX_BLOCKS];
    int n_blocks, first_trained; /* first block with a backward pass; n_blocks: none */
    size_t between;              /* bytes per picture, see resnet_split */
    void *input;
    void *ring[IN_PLACE_BUFFERS]; /* activations of frozen parts */
    void *g[3];                   /* gradients of the backward pass */
    float *pooled, *d_pooled;
    void *scratch, *work;
    float *fold;
    double *sums;
    size_t fc_w, fc_b;
    int width;
    bool dirty;
    char *arena;
    int64_t arena_bytes;
    double conv_s, other_s, pack_s, mark; /* other: all but convolution, packing of weights included; mark: see rest() */
    int passes;                           /* of the whole net */
};

static inline unit *block_ds(block *b)
{
    return b->has_ds ? &b->u[b->n_units] : NULL;
}

#endif
