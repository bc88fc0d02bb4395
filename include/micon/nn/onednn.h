/* onednn.h -- the face of oneDNN: convolutions and matrix products as compiled operations. Local. common/nn/onednn.c is the only file that
 * knows oneDNN. An operation is created once for one shape; running it allocates nothing of ours: scratch memory and packed
 * weights are the caller's. An operation is run by one thread at a time; inside, OpenMP's threads share the work. */
#ifndef MICON_NN_ONEDNN_H
#define MICON_NN_ONEDNN_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/nn/kernels.h"

typedef enum { CONV_FORWARD, CONV_BACK_DATA, CONV_BACK_WEIGHTS } conv_direction;

/* x is [n, ci, h, w], weights [co, ci, k, k], y [n, co, ho, wo]. ci is a multiple of 16, or 1 (then x has one plane and no layout);
 * co is a multiple of 16. bias, relu and sum (y += ..., before the ReLU) are for CONV_FORWARD only. */
typedef struct {
    conv_direction direction;
    nn_type type;
    nn_layout layout;
    int n, ci, co, h, w, k, stride, pad;
    bool bias, relu, sum;
    int n_most; /* number of pictures by which its implementation is chosen (nn/conv_autotune.h); 0: n */
} conv_spec;

static inline int conv_out(int size, int k, int stride, int pad)
{
    return (size + 2 * pad - k) / stride + 1;
}

/* out [m, n] = op(a) x b, row-major; a is [m, k], or [k, m] when a_turned; b is [k, n], packed beforehand unless b_plain (then of the
 * same type as a). accumulate: out += ... */
typedef struct {
    nn_type type, out_type;
    int64_t m, k, n;
    bool a_turned, b_plain, bias, relu, accumulate;
} matmul_spec;

typedef struct dnn dnn;
status dnn_create(dnn **out) MUST_USE;
void dnn_destroy(dnn **d); /* NULL-safe; after every operation made with it */

bool dnn_bf16(void);                /* it computes in bf16, by AMX or AVX-512: then bf16 is the faster precision of a network */
nn_layout dnn_layout(nn_type type); /* the layout its convolutions like best here */
const char *dnn_version(void);      /* "2.6.3" */

typedef struct dnn_op dnn_op;

/* The implementations of this convolution here, the one expected to be fastest first: "direct/jit:avx512_core", "winograd/...". Reference
 * loops are listed only if there are no others. */
status dnn_conv_list(dnn *d, const conv_spec *s, names *out) MUST_USE;
status dnn_conv_create(dnn_op **out, dnn *d, const conv_spec *s, const char *how) MUST_USE; /* how: one of the list */
status dnn_matmul_create(dnn_op **out, dnn *d, const matmul_spec *s) MUST_USE;
void dnn_op_destroy(dnn_op **op); /* NULL-safe, sets NULL */

size_t dnn_op_packed_bytes(const dnn_op *op);           /* of packed weights; 0 for CONV_BACK_WEIGHTS and b_plain */
bool dnn_op_packs_as(const dnn_op *a, const dnn_op *b); /* can b compute with the weights that a packed? */
size_t dnn_op_scratch_bytes(const dnn_op *op);

/* Weights [co, ci, k, k] (or b [k, n]) in fp32 -> the operation's own order and type. */
status dnn_op_pack(dnn_op *op, const float *plain, void *packed, void *scratch) MUST_USE;

/* CONV_FORWARD x, packed -> y; CONV_BACK_DATA dy, packed -> dx; CONV_BACK_WEIGHTS x, dy -> weight gradient [co, ci, k, k] fp32;
 * product a, b -> out. bias: fp32 or NULL. */
status dnn_op_run(dnn_op *op, const void *a, const void *b, const float *bias, void *out, void *scratch) MUST_USE;

#endif
