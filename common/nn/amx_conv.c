/* amx_conv.c -- convolutions on the AMX unit: creation, packing, and the directions whose result is a picture.
 * A row of a tile is one picture at one pixel: 32 pictures x 32 channels of one result pixel are a block of 2 x 2 tiles, and a step of
 * the sum multiplies 32 channels of the same pictures at one source pixel by a 32 x 32 piece of the weights of one tap. Nothing is
 * gathered: the rows of a tile lie a picture apart. Forward and backward data differ in which source pixels a result pixel has, and in
 * what a weight's rows and columns are. Taps outside of the picture, or between the pixels that a stride leaves, are not there at all.
 * Few pictures leave most rows of the tiles empty: other ways are then faster (conv_autotune.c measures them). */
#include "amx_op_impl.h"

#include "vector16_impl.h"

#include "micon/base/mem.h"

#include <omp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool amx_conv_can(const conv_spec *s)
{
    bool stem = s->ci == 1 && s->k == STEM_K && s->stride == 2 && s->pad == 3 && s->direction != CONV_BACK_DATA;
    bool inner = s->ci % 16 == 0 && (s->k == 3 || s->k == 1) && (s->stride == 1 || s->stride == 2) && s->pad == s->k / 2;
    const amx_loops *l = amx_loops_here();
    return l && (l->all_kernels || s->k == 3) && s->type == NN_BF16 && s->layout == NN_NHWC && s->co % 16 == 0 && (stem || inner);
}

const char *amx_conv_unit(void)
{
    const amx_loops *l = amx_loops_here();
    return l ? l->name : NULL;
}

bool amx_conv_streams(const conv_spec *s)
{
    return amx_loops_here()->all_kernels && s->direction != CONV_BACK_WEIGHTS;
}

/* Of a core; 2 MiB, as CPUs with AMX have, where the system does not know. No result depends on it. */
static size_t l2_bytes(void)
{
    long known = sysconf(_SC_LEVEL2_CACHE_SIZE);
    return known > 0 ? (size_t)known : (size_t)1 << 21;
}

static amx_grid grid(int c, int h, int w)
{
    return (amx_grid){h, w, c, (ptrdiff_t)2 * c, (ptrdiff_t)2 * c * h * w};
}

/* How much of the weights, and how many rows of the source, half of L2 holds at a time each. */
static void pass_plan(amx_conv *op)
{
    bool back = op->s.direction == CONV_BACK_DATA;
    op->from = back ? op->y : op->x;
    op->to = back ? op->x : op->y;
    op->pair = op->from.c % AMX_PAIR == 0 ? AMX_PAIR : AMX_PAIR / 2;
    op->chunks = op->from.c / op->pair;
    op->tile = op->pair / 2 * 64;
    op->block = 2 * op->tile * op->taps * op->chunks;
    op->co_blocks = amx_blocks(op->to.c);
    ptrdiff_t row = op->from.pixel * op->from.w * AMX_BLOCK, half = (ptrdiff_t)op->l2_bytes / 2;
    op->blocks_most = half / op->block < 1 ? 1 : (int)(half / op->block);
    op->rows_most = half / row < 1 ? 1 : (int)(half / row);
}

status amx_conv_create(amx_conv **out, const conv_spec *s, bool stream)
{
    status st = OK;
    amx_conv *op = xcalloc(1, sizeof *op);
    *op = (amx_conv){.s = *s,
                     .loops = amx_loops_here(),
                     .stream = stream,
                     .stem = s->ci == 1,
                     .taps = s->k * s->k,
                     .threads = kernels_threads(),
                     .l2_bytes = l2_bytes()};
    op->x = grid(s->ci, s->h, s->w);
    op->y = grid(s->co, conv_out(s->h, s->k, s->stride, s->pad), conv_out(s->w, s->k, s->stride, s->pad));
    op->co_blocks = amx_blocks(s->co);
    if (op->stem)
        amx_stem_plan(op);
    else if (s->direction == CONV_BACK_WEIGHTS)
        amx_weights_plan(op);
    else
        pass_plan(op);
    if (s->direction == CONV_FORWARD && !s->bias)
        TRY(mem_alloc(&op->sums, 2 * (size_t)s->co * (size_t)(op->threads + 1), sizeof *op->sums, "sums of a convolution"));
done:
    if (st != OK) amx_conv_destroy(&op);
    *out = op;
    return st;
}

void amx_conv_destroy(amx_conv **op)
{
    if (!*op) return;
    free((*op)->sums);
    FREE(*op);
}

size_t amx_conv_packed_bytes(const amx_conv *op)
{
    if (op->s.direction == CONV_BACK_WEIGHTS) return 0;
    return (size_t)(op->block * op->co_blocks);
}

size_t amx_conv_scratch_bytes(const amx_conv *op)
{
    return op->turned_bytes + op->paired_bytes + op->sum_bytes;
}

const double *amx_conv_sums(const amx_conv *op)
{
    return op->sums;
}

CLONES static void round_row(const float *v, uint16_t *out, size_t n)
{
    for (size_t i = 0; i < n; i++) out[i] = bf16_of(v[i]);
}

/* [32 result channels][tap][chunk of source channels][1 or 2 tiles of 16 result channels][pair of source channels][result channel][2].
 * A chunk's weights lie in rows of one channel each: of a result channel, or on the way back of a source channel. */
static void pack_block(const amx_conv *op, const float *oihw, int block, char *packed)
{
    enum { ROW = AMX_BLOCK * MAX_TAPS };
    uint16_t row[AMX_BLOCK][ROW];
    const bool back = op->s.direction == CONV_BACK_DATA;
    const int first = block * AMX_BLOCK, n = amx_least(AMX_BLOCK, op->to.c - first), tiles = n / 16, taps = op->taps;
    const ptrdiff_t next = back ? ROW : taps, across = back ? taps : ROW, tap_bytes = op->chunks * tiles * op->tile;
    for (int chunk = 0; chunk < op->chunks; chunk++) {
        for (int r = 0; r < (back ? op->pair : n); r++) {
            const ptrdiff_t co = back ? chunk * op->pair + r : first + r, ci = back ? first : chunk * op->pair;
            round_row(oihw + (co * op->s.ci + ci) * taps, row[r], (size_t)(taps * (back ? n : op->pair)));
        }
        for (int t = 0; t < taps; t++) /* tap by tap: those of one weight lie a power of two apart, in one set of the cache */
            for (int p = 0; p < op->pair / 2; p++)
                for (int j = 0; j < n; j++) {
                    const uint16_t *w = row[0] + 2 * p * next + j * across + t;
                    uint32_t two = w[0] | (uint32_t)w[next] << 16;
                    memcpy(packed + t * tap_bytes + (chunk * tiles + j / 16) * op->tile + 64 * p + 4 * (j % 16), &two, sizeof two);
                }
    }
}

void amx_conv_pack(const amx_conv *op, const float *oihw, void *packed)
{
    if (op->stem) {
        amx_stem_pack(op, oihw, packed);
        return;
    }
#pragma omp parallel for schedule(static)
    for (int b = 0; b < op->co_blocks; b++) pack_block(op, oihw, b, (char *)packed + b * op->block);
}

/* Which source pixels the result pixel (y, x) has: n of them, and the runs of `walk` that belong to them, from picture n0 on. */
static int taps_of(const amx_conv *op, int y, int x, const char *source, const char *packed, int tiles, amx_run *run)
{
    const conv_spec *s = &op->s;
    int n = 0;
    for (int ky = 0; ky < s->k; ky++)
        for (int kx = 0; kx < s->k; kx++) {
            int fy = y * s->stride + ky - s->pad, fx = x * s->stride + kx - s->pad;
            if (s->direction == CONV_BACK_DATA) {
                fy = y + s->pad - ky, fx = x + s->pad - kx;
                if (fy % s->stride != 0 || fx % s->stride != 0) continue;
                fy /= s->stride, fx /= s->stride;
            }
            if (fy < 0 || fx < 0 || fy >= op->from.h || fx >= op->from.w) continue;
            run[n++] =
                (amx_run){source + (fy * op->from.w + fx) * op->from.pixel, packed + (ky * s->k + kx) * op->chunks * tiles * op->tile};
        }
    return n;
}

/* Pictures from n0, result row y, result channels of the blocks [b0, b1). */
static void pass_row(const amx_conv *op, amx_worker *w, const amx_pass *p, int n0, int y, int b0, int b1)
{
    amx_run run[MAX_TAPS];
    const int rows = amx_least(AMX_BLOCK, op->s.n - n0);
    amx_walk walk = {.run = run,
                     .count = op->chunks,
                     .a_step = 2 * op->pair,
                     .a_stride = op->from.picture,
                     .a_second = AMX_ROWS * op->from.picture,
                     .b_second = op->tile,
                     .two_a = rows > AMX_ROWS};
    if (rows != w->rows) {
        int upper = amx_least(rows, AMX_ROWS);
        op->loops->configure(&w->tiles, upper, rows - upper, op->pair);
        w->rows = rows;
    }
    for (int x = 0; x < op->to.w; x++)
        for (int b = b0; b < b1; b++) {
            const int first = b * AMX_BLOCK, width = amx_least(AMX_BLOCK, op->to.c - first);
            walk.two_b = width > 16;
            walk.b_step = width / 16 * op->tile;
            walk.n_runs = taps_of(op, y, x, p->source + n0 * op->from.picture, p->packed + b * op->block, width / 16, run);
            amx_block_to(op, w, p, &walk, p->result + n0 * op->to.picture + (y * op->to.w + x) * op->to.pixel, op->to.picture, rows, first);
        }
}

/* The share of thread t: a range of result rows of blocks of pictures. As many rows at a time as L2 holds the source of, for as many result
 * channels at a time as it holds the weights of. */
static void pass_thread(const amx_conv *op, const amx_pass *p, int t, int threads)
{
    amx_worker w = {.rows = -1};
    long first, end, blocks = (op->s.n + AMX_BLOCK - 1) / AMX_BLOCK;
    amx_share(blocks * op->to.h, threads, t, &first, &end);
    for (long from = first; from < end; from += op->rows_most) {
        long to = end - from < op->rows_most ? end : from + op->rows_most;
        for (int b = 0; b < op->co_blocks; b += op->blocks_most)
            for (long r = from; r < to; r++)
                pass_row(op, &w, p, (int)(r / op->to.h) * AMX_BLOCK, (int)(r % op->to.h), b, amx_least(op->co_blocks, b + op->blocks_most));
    }
    op->loops->finish(&w.e);
    if (w.rows > 0) op->loops->release(&w.tiles);
}

/* Each thread's sums, added in order. */
static void sums_add(amx_conv *op, int threads)
{
    size_t n = 2 * (size_t)op->s.co;
    memset(op->sums, 0, n * sizeof *op->sums);
    for (int t = 0; t < threads; t++)
        for (size_t i = 0; i < n; i++) op->sums[i] += op->sums[(size_t)(t + 1) * n + i];
}

static double *sums_of_thread(const amx_conv *op, int t)
{
    size_t n = 2 * (size_t)op->s.co;
    if (!op->sums) return NULL;
    return memset(op->sums + (size_t)(t + 1) * n, 0, n * sizeof *op->sums);
}

void amx_conv_run(amx_conv *op, const void *a, const void *b, const float *bias, void *out, void *scratch)
{
    if (op->s.direction == CONV_BACK_WEIGHTS) {
        (op->stem ? amx_stem_weights : amx_weights_run)(op, a, b, out, scratch);
        return;
    }
    int used = 1;
#pragma omp parallel num_threads(op->threads)
    {
        int t = omp_get_thread_num(), threads = omp_get_num_threads();
        amx_pass p = {a, b, bias, out, sums_of_thread(op, t)};
        if (t == 0) used = threads;
        if (op->stem)
            amx_stem_thread(op, &p, t, threads, scratch);
        else
            pass_thread(op, &p, t, threads);
    }
    if (op->sums) sums_add(op, used);
}
