/* kernels.h -- the operations between convolutions: batch norm, ReLU, residual sums, pooling, conversions. Local.
 * Activations are fp32 or bf16, in one of two layouts, of a channel count that is a multiple of 16:
 *   NN_NHWC  [n, h, w, c]             NN_C16  [n, c/16, h, w, 16]
 * Sums over pixels are doubles; with the same number of threads the same bits. Threads: OpenMP's. Nothing is allocated: `work` is
 * the caller's, kernels_work_bytes() large. A NULL among the optional inputs leaves that term out. */
#ifndef MICON_NN_KERNELS_H
#define MICON_NN_KERNELS_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { NN_F32, NN_BF16 } nn_type;
typedef enum { NN_NHWC, NN_C16 } nn_layout;

typedef struct {
    nn_type type;
    nn_layout layout;
    int n, c, h, w;
} nn_shape;

static inline size_t nn_type_size(nn_type t)
{
    return t == NN_F32 ? 4 : 2;
}
static inline size_t nn_shape_count(const nn_shape *s)
{
    return (size_t)s->n * (size_t)s->c * (size_t)s->h * (size_t)s->w;
}
static inline size_t nn_shape_bytes(const nn_shape *s)
{
    return nn_shape_count(s) * nn_type_size(s->type);
}

int kernels_threads(void);                   /* OpenMP's, for the calling thread */
void kernels_set_threads(int n);             /* for OpenMP (ours, oneDNN's) in the calling thread, and for OpenBLAS */
size_t kernels_work_bytes(int max_channels); /* for the sums below, whatever the number of threads */

void kernels_to_bf16(const float *x, uint16_t *y, size_t n); /* nearest, ties to even */
void kernels_from_bf16(const uint16_t *x, float *y, size_t n);

/* sum[c] and square[c] of x over pictures and pixels. */
void kernels_stats(const nn_shape *s, const void *x, double *sum, double *square, void *work);

/* Batch norm of a channel: (x - mean) * scale + shift. In this form the sign of a value near zero is right to the last bit. */
typedef struct {
    const float *mean, *scale, *shift;
} nn_norm;

/* y = act(norm(x) + identity), where identity is `id`, or id_norm(id), or nothing (NULL). y may be x. */
void kernels_norm(const nn_shape *s, const void *x, const nn_norm *norm, const void *id, const nn_norm *id_norm, bool relu, void *y);

/* End of a block, backward: dz = (a + b) where y > 0, else 0, written to a. sum = sum of dz; dot = sum of dz (x - mean[c]); with
 * x2 also dot2 = sum of dz (x2 - mean2[c]). */
void kernels_end_reduce(const nn_shape *s, void *a, const void *b, const void *y, const void *x, const float *mean, const void *x2,
                        const float *mean2, double *sum, double *dot, double *dot2, void *work);

/* Inside a block: dz = dy where norm(x) > 0, not written. */
void kernels_inner_reduce(const nn_shape *s, const void *dy, const void *x, const nn_norm *norm, double *sum, double *dot, void *work);

/* x := k[0][c] dz + k[1][c] (x - mean[c]) + k[2][c], in place; dz is dy itself, or if `masked` as inner_reduce has it. */
void kernels_norm_backward(const nn_shape *s, const void *dy, void *x, const nn_norm *norm, bool masked, const float *const k[3]);

/* The stem: y = max-pool 3x3, stride 2, padding 1 of relu(norm(x)); s is x's shape; which[] (of y's count, may be NULL)
 * keeps the winner's place in its window, 0..8, or 15 where nothing is above zero. */
void kernels_stem_pool(const nn_shape *s, const void *x, const nn_norm *norm, void *y, uint8_t *which);
/* Backward of it: the gradient at y is a + b. Sums as inner_reduce; then x := the gradient at x, in place. */
void kernels_stem_reduce(const nn_shape *s, const void *a, const void *b, const uint8_t *which, const void *x, const float *mean,
                         double *sum, double *dot, void *work);
void kernels_stem_backward(const nn_shape *s, const void *a, const void *b, const uint8_t *which, void *x, const float *mean,
                           const float *const k[3]);

/* y is [n, c] fp32, the mean over pixels; and backward: dx = dy / pixels everywhere. */
void kernels_average(const nn_shape *s, const void *x, float *y);
void kernels_average_backward(const nn_shape *s, const float *dy, void *dx);

#endif
