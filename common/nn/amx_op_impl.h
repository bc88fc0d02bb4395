/* amx_op_impl.h -- the inside of a convolution on the AMX unit, shared by amx_conv.c (creation, and the directions whose result is a
 * picture), amx_weights.c (weight gradients) and amx_stem.c. */
#ifndef MICON_NN_AMX_OP_IMPL_H
#define MICON_NN_AMX_OP_IMPL_H
#include "amx_conv_impl.h"
#include "amx_loops_impl.h"

enum { MAX_TAPS = 9, BLOCK_FLOATS = AMX_BLOCK * AMX_BLOCK, STEM_K = 7 };

typedef struct {
    int h, w, c;
    ptrdiff_t pixel, picture; /* bytes */
} amx_grid;

struct amx_conv {
    conv_spec s;
    const amx_loops *loops;
    bool stem, stream;
    size_t l2_bytes; /* of a core */
    amx_grid x, y;   /* of the convolution's input and output */
    int taps, co_blocks, threads;
    double *sums; /* [2, co], and then of each thread */
    /* Forward and backward data: from one grid to the other. */
    amx_grid from, to;
    int pair, chunks;           /* channels of `from` that a step sums over; steps a tap */
    ptrdiff_t tile, block;      /* bytes of packed weights: a tile; 32 result channels */
    int blocks_most, rows_most; /* of the weights, and of result rows, that L2 is to hold at a time */
    /* Weight gradients: a strip is `groups` times 32 pictures, of each of them `strip` rows of the output. */
    int groups, strip;
    int every, in_h, in_w, step, ring; /* see amx_weights.c */
    int ci_blocks;
    ptrdiff_t window; /* the stem, bytes: of a thread's row of windows, or of an input row by parity (amx_stem.c) */
    size_t turned_bytes, paired_bytes, sum_bytes; /* of the scratch memory */
};

/* What a thread works with. */
typedef struct {
    amx_tiles tiles;
    _Alignas(64) float c[2][BLOCK_FLOATS];
    amx_epilogue e;
    int at, rows; /* block of `c` to be used next; rows that the tiles are configured for */
} amx_worker;

/* One run of the directions whose result is a picture, as a thread sees it. */
typedef struct {
    const char *source, *packed;
    const float *bias;
    char *result;
    double *sums; /* [2, channels] of this thread; NULL: not wanted */
} amx_pass;

static inline int amx_least(int a, int b)
{
    return a < b ? a : b;
}

static inline int amx_blocks(int channels)
{
    return (channels + AMX_BLOCK - 1) / AMX_BLOCK;
}

/* The n things are shared evenly: those of thread t are [*first, *end). */
static inline void amx_share(long n, int threads, int t, long *first, long *end)
{
    *first = n * t / threads;
    *end = n * (t + 1) / threads;
}

/* The walk's block into the worker's next buffer; it then goes to `out`, from result channel `first` on, while the next block is
 * computed. */
static inline void amx_block_to(const amx_conv *op, amx_worker *w, const amx_pass *p, amx_walk *walk, char *out, ptrdiff_t out_stride,
                                int rows, int first)
{
    const int channels = op->s.direction == CONV_BACK_DATA ? op->s.ci : op->s.co;
    float *c = w->c[w->at];
    walk->c_stride = 4 * AMX_BLOCK, walk->c_right = 4 * AMX_BLOCK / 2, walk->c_below = 4 * BLOCK_FLOATS / 2;
    op->loops->block(&w->tiles, walk, c, false, &w->e);
    w->at = 1 - w->at;
    w->e = (amx_epilogue){.c = c,
                          .out = out + 2 * first,
                          .out_stride = out_stride,
                          .rows = rows,
                          .width = amx_least(AMX_BLOCK, channels - first),
                          .bias = op->s.bias ? p->bias + first : NULL,
                          .add = op->s.sum,
                          .relu = op->s.relu,
                          .stream = op->stream,
                          .sum = p->sums ? p->sums + first : NULL,
                          .square = p->sums ? p->sums + channels + first : NULL};
}

void amx_weights_plan(amx_conv *op);
void amx_weights_run(const amx_conv *op, const char *x, const char *dy, float *dw, char *scratch);

void amx_stem_plan(amx_conv *op);
void amx_stem_pack(const amx_conv *op, const float *oihw, char *packed);
void amx_stem_thread(const amx_conv *op, const amx_pass *p, int t, int threads, char *scratch);
void amx_stem_weights(const amx_conv *op, const char *x, const char *dy, float *dw, char *scratch);

#endif
