/* im2col_impl.h -- convolution as a matrix product over gathered pixels; used by conv_autotune.c only. NHWC. */
#ifndef MICON_NN_IM2COL_IMPL_H
#define MICON_NN_IM2COL_IMPL_H
#include "micon/nn/onednn.h"

typedef struct im2col_op im2col_op;
bool im2col_can(const conv_spec *s);
status im2col_create(im2col_op **out, dnn *d, const conv_spec *s) MUST_USE;
void im2col_destroy(im2col_op **op);
size_t im2col_packed_bytes(const im2col_op *op);
size_t im2col_scratch_bytes(const im2col_op *op);
status im2col_pack(im2col_op *op, const float *oihw, void *packed, void *scratch) MUST_USE;
status im2col_run(im2col_op *op, const void *a, const void *b, const float *bias, void *out, void *scratch) MUST_USE;

#endif
