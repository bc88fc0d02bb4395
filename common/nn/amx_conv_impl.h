/* amx_conv_impl.h -- convolutions on the AMX unit, or on AVX-512 (3 x 3 only): bf16, NHWC; kernels 3 x 3 and 1 x 1, stride 1 and 2, of
 * any channels that are multiples of 16, all three directions; and the stem, 7 x 7 with stride 2 on one channel, forward and backward
 * weights. Used by conv_autotune.c only. The forward and backward-data results are the same on any number of threads, and so are weight
 * gradients; the sums of amx_conv_sums depend on it. */
#ifndef MICON_NN_AMX_CONV_IMPL_H
#define MICON_NN_AMX_CONV_IMPL_H
#include "micon/base/status.h"
#include "micon/nn/onednn.h"

typedef struct amx_conv amx_conv;
bool amx_conv_can(const conv_spec *s); /* and there is a unit (amx_loops_impl.h) */
const char *amx_conv_unit(void);       /* "amx", or "avx512_bf16" on a CPU without; NULL: no unit */
bool amx_conv_streams(const conv_spec *s);
/* stream: results are stored past the caches, which pays where they are larger than those; where amx_conv_streams. */
status amx_conv_create(amx_conv **out, const conv_spec *s, bool stream) MUST_USE;
void amx_conv_destroy(amx_conv **op);
size_t amx_conv_packed_bytes(const amx_conv *op);
size_t amx_conv_scratch_bytes(const amx_conv *op);
void amx_conv_pack(const amx_conv *op, const float *oihw, void *packed);
void amx_conv_run(amx_conv *op, const void *a, const void *b, const float *bias, void *out, void *scratch);

/* Of the last run of a forward convolution without bias: sums of each channel of the result, and of its squares, as they are stored.
 * NULL: none. */
const double *amx_conv_sums(const amx_conv *op); /* [2, co] */

#endif
