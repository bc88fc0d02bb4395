/* im2col_impl.h -- convolution as a matrix product over gathered pixels; used by conv_autotune.c only. NHWC. */
#ifndef MICON_NN_IM2COL_IMPL_H
#define MICON_NN_IM2COL_IMPL_H
#include "micon/nn/onednn.h"

typedef struct gather_op gather_op;
bool gather_can(const conv_spec *s);
status gather_create(gather_op **out, dnn *d, const conv_spec *s) MUST_USE;
void gather_destroy(gather_op **op);
size_t gather_packed_bytes(const gather_op *op);
size_t gather_scratch_bytes(const gather_op *op);
status gather_pack(gather_op *op, const float *oihw, void *packed, void *scratch) MUST_USE;
status gather_run(gather_op *op, const void *a, const void *b, const float *bias, void *out, void *scratch) MUST_USE;

#endif
