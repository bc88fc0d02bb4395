/* amx_weights.c -- weight gradients on the AMX unit: for each tap, dw[ci, co] = sum over pictures and pixels of x[ci] dy[co].
 * A step sums over 32 pictures at one pixel. Its left tile holds channels of x in its rows, so that x must be transposed, picture pairs
 * by picture pairs; its right tile is pairs of rows of dy. Both are prepared once for a strip (some rows of the output, or several
 * times 32 whole pictures, as L2 holds), and used by all taps and all blocks of 32 x 32 channels. Input rows that the next strip needs
 * too stay where they are, in a ring of rows. The sums of a block stay in fp32 between strips. All threads prepare a strip, then each
 * computes its blocks: the sums are added in the same order on any number of threads.
 * A 1 x 1 kernel with a stride needs every second pixel of x only (`every`): it is a kernel with stride 1 (`step`) on a picture of
 * these (in_h x in_w). */
#include "amx_op_impl.h"

#include <omp.h>
#include <string.h>

enum { MAX_RUNS = 256, CELL = 2 * AMX_TILE_BYTES }; /* cell: 32 channels of 32 pictures at a pixel */

static size_t turned_bytes(const amx_conv *op, int ring)
{
    return (size_t)CELL * (size_t)op->ci_blocks * (size_t)ring * (size_t)op->in_w;
}

static size_t paired_bytes(const amx_conv *op, int rows)
{
    return (size_t)CELL * (size_t)op->co_blocks * (size_t)rows * (size_t)op->y.w;
}

static int ring_of(const amx_conv *op, int rows)
{
    return amx_least((rows - 1) * op->step + op->s.k, op->in_h);
}

void amx_weights_plan(amx_conv *op)
{
    const size_t budget = op->l2_bytes / 4 * 3;
    op->every = op->s.k < op->s.stride ? op->s.stride : 1;
    op->step = op->s.stride / op->every;
    op->in_h = (op->x.h + op->every - 1) / op->every;
    op->in_w = (op->x.w + op->every - 1) / op->every;
    op->ci_blocks = amx_blocks(op->s.ci);
    op->strip = 1, op->groups = 1;
    while (op->strip < amx_least(op->y.h, MAX_RUNS) &&
           turned_bytes(op, ring_of(op, op->strip + 1)) + paired_bytes(op, op->strip + 1) <= budget)
        op->strip++;
    op->ring = ring_of(op, op->strip);
    if (op->strip == op->y.h) {
        size_t one = turned_bytes(op, op->ring) + paired_bytes(op, op->strip), fit = budget / one;
        int most = amx_least(amx_blocks(op->s.n), MAX_RUNS / op->strip);
        op->groups = fit < 1 ? 1 : fit > (size_t)most ? most : (int)fit;
    }
    op->turned_bytes = turned_bytes(op, op->ring) * (size_t)op->groups;
    op->paired_bytes = paired_bytes(op, op->strip) * (size_t)op->groups;
    op->sum_bytes = (size_t)op->ci_blocks * (size_t)op->co_blocks * (size_t)op->taps * BLOCK_FLOATS * sizeof(float);
}

typedef struct {
    const amx_conv *op;
    const char *x, *dy;
    char *turned, *paired; /* [group][32 channels][row][pixel][2 tiles] */
    float *sums;           /* [32 of ci][32 of co][tap][32 x 32] */
    int g0, groups;        /* the strip: of 32 pictures each */
    int y0, y1;            /* rows of the output */
    int in0, in1;          /* rows of the input that are new */
} strip;

static char *turned_at(const strip *s, int group, int block, int y, int x)
{
    const amx_conv *op = s->op;
    ptrdiff_t row = ((ptrdiff_t)group * op->ci_blocks + block) * op->ring + y % op->ring;
    return s->turned + (row * op->in_w + x) * CELL;
}

static char *paired_at(const strip *s, int group, int block, int y, int x)
{
    const amx_conv *op = s->op;
    ptrdiff_t row = ((ptrdiff_t)group * op->co_blocks + block) * op->strip + y;
    return s->paired + (row * op->y.w + x) * CELL;
}

/* Thread t's share of the strip's pixels, of x and of dy. */
static void prepare(const strip *s, int t, int threads)
{
    const amx_conv *op = s->op;
    long first, end, rows = s->in1 - s->in0;
    amx_share(s->groups * rows * op->in_w, threads, t, &first, &end);
    for (long i = first; i < end; i++) {
        int x = (int)(i % op->in_w), y = s->in0 + (int)(i / op->in_w % rows), g = (int)(i / op->in_w / rows), n0 = (s->g0 + g) * AMX_BLOCK;
        const char *from = s->x + n0 * op->x.picture + (y * op->x.w + x) * op->every * op->x.pixel;
        for (int c = 0; c < op->s.ci; c += 16)
            op->loops->turn_rows(from + 2 * c, op->x.picture, op->s.n - n0,
                                 turned_at(s, g, c / AMX_BLOCK, y, x) + c % AMX_BLOCK / 16 * AMX_TILE_BYTES);
    }
    rows = s->y1 - s->y0;
    amx_share(s->groups * rows * op->y.w, threads, t, &first, &end);
    for (long i = first; i < end; i++) {
        int x = (int)(i % op->y.w), y = (int)(i / op->y.w % rows), g = (int)(i / op->y.w / rows), n0 = (s->g0 + g) * AMX_BLOCK;
        const char *from = s->dy + n0 * op->y.picture + ((s->y0 + y) * op->y.w + x) * op->y.pixel;
        for (int c = 0; c < op->s.co; c += 16)
            op->loops->pair_rows(from + 2 * c, op->y.picture, op->s.n - n0,
                                 paired_at(s, g, c / AMX_BLOCK, y, x) + c % AMX_BLOCK / 16 * AMX_TILE_BYTES);
    }
}

/* The first i with i * step + shift >= least, not below zero. */
static int first_from(int least, int step, int shift)
{
    int d = least - shift;
    return d <= 0 ? 0 : (d + step - 1) / step;
}

/* What the strip adds to the gradient of one tap between 32 input and 32 output channels. */
static void add_block(const strip *s, amx_worker *w, int ci_block, int co_block, int tap, float *sums)
{
    const amx_conv *op = s->op;
    amx_run run[MAX_RUNS];
    int dy = tap / op->s.k - op->s.pad, dx = tap % op->s.k - op->s.pad;
    int x0 = first_from(0, op->step, dx), x1 = amx_least(op->y.w, first_from(op->in_w, op->step, dx));
    amx_walk walk = {.run = run,
                     .count = x1 > x0 ? x1 - x0 : 0,
                     .a_step = op->step * CELL,
                     .b_step = CELL,
                     .a_stride = 64,
                     .a_second = AMX_TILE_BYTES,
                     .b_second = AMX_TILE_BYTES,
                     .two_a = op->s.ci - ci_block * AMX_BLOCK > 16,
                     .two_b = op->s.co - co_block * AMX_BLOCK > 16,
                     .c_stride = 64,
                     .c_right = AMX_TILE_BYTES,
                     .c_below = 2 * AMX_TILE_BYTES};
    for (int g = 0; g < s->groups && walk.count > 0; g++)
        for (int y = s->y0; y < s->y1; y++) {
            int in = y * op->step + dy;
            if (in < 0 || in >= op->in_h) continue;
            run[walk.n_runs++] = (amx_run){turned_at(s, g, ci_block, in, x0 * op->step + dx), paired_at(s, g, co_block, y - s->y0, x0)};
        }
    op->loops->block(&w->tiles, &walk, sums, s->g0 > 0 || s->y0 > 0, NULL);
}

static void add_blocks(const strip *s, amx_worker *w, int t, int threads)
{
    const amx_conv *op = s->op;
    long first, end;
    amx_share((long)op->ci_blocks * op->co_blocks * op->taps, threads, t, &first, &end);
    for (long i = first; i < end; i++) {
        int tap = (int)(i % op->taps), co = (int)(i / op->taps % op->co_blocks), ci = (int)(i / op->taps / op->co_blocks);
        add_block(s, w, ci, co, tap, s->sums + i * BLOCK_FLOATS);
    }
}

/* Blocks of sums -> [co, ci, k, k]. */
static void plain(const strip *s, float *dw, int t, int threads)
{
    const amx_conv *op = s->op;
    long first, end;
    amx_share((long)op->ci_blocks * op->co_blocks, threads, t, &first, &end);
    for (long i = first; i < end; i++) {
        int ci0 = (int)(i / op->co_blocks) * AMX_BLOCK, co0 = (int)(i % op->co_blocks) * AMX_BLOCK;
        int n_ci = amx_least(AMX_BLOCK, op->s.ci - ci0), n_co = amx_least(AMX_BLOCK, op->s.co - co0);
        const float *block = s->sums + i * op->taps * BLOCK_FLOATS;
        for (int o = 0; o < n_co; o++) {
            float *to = dw + ((ptrdiff_t)(co0 + o) * op->s.ci + ci0) * op->taps;
            for (int c = 0; c < n_ci; c++) {
                const float *from = block + (c / 16 * 2 + o / 16) * 256 + c % 16 * 16 + o % 16;
                for (int tap = 0; tap < op->taps; tap++) *to++ = from[tap * BLOCK_FLOATS];
            }
        }
    }
}

static void thread_run(strip s, float *dw, int t, int threads)
{
    const amx_conv *op = s.op;
    amx_worker w = {0};
    const int all = amx_blocks(op->s.n);
    op->loops->configure(&w.tiles, AMX_ROWS, AMX_ROWS, AMX_PAIR);
    for (s.g0 = 0; s.g0 < all; s.g0 += op->groups) {
        s.groups = amx_least(op->groups, all - s.g0);
        s.in1 = 0;
        for (s.y0 = 0; s.y0 < op->y.h; s.y0 = s.y1) {
            s.y1 = amx_least(op->y.h, s.y0 + op->strip);
            int top = s.y0 * op->step - op->s.pad, bottom = (s.y1 - 1) * op->step - op->s.pad + op->s.k;
            s.in0 = top > s.in1 ? top : s.in1;
            s.in1 = amx_least(op->in_h, bottom);
            prepare(&s, t, threads);
#pragma omp barrier
            add_blocks(&s, &w, t, threads);
#pragma omp barrier
        }
    }
    op->loops->release(&w.tiles);
    plain(&s, dw, t, threads);
}

void amx_weights_run(const amx_conv *op, const char *x, const char *dy, float *dw, char *scratch)
{
    strip s = {.op = op, .x = x, .dy = dy, .turned = scratch, .paired = scratch + op->turned_bytes};
    s.sums = (float *)(void *)(s.paired + op->paired_bytes);
#pragma omp parallel num_threads(op->threads)
    thread_run(s, dw, omp_get_thread_num(), omp_get_num_threads());
}
