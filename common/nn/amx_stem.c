/* amx_stem.c -- the first layer on the AMX unit: 7 x 7, stride 2, padding 3, one channel. Here a row of a tile is a result pixel; a
 * step sums over pixels of the kernel's window.
 * Forward: the pixels of eight input rows are laid out pair by pair, pairs[p][slot][2] with p = x / 2 + 2 and slot = (y + 3) % 8, so
 * that the window of a result pixel is 128 bytes in one piece, and that of the next begins 32 bytes on: rows of a tile overlap. The
 * next result row needs two new input rows, which take the places of the two oldest; in which slot the first kernel row lies then
 * depends on the result row (four phases), and the weights are packed for each. The eighth slot, and the pixel to the left of the
 * window, meet weights of zero.
 * Backward weights: a step sums over 32 result pixels of a row. The pixels that one tap meets are every second one of an input row, so
 * that rows are split by parity, split[y + 3][parity][x / 2 + 2]: 14 rows of them, from the same column on, are 14 taps; four columns
 * make all 49 (kx = 2 column + parity - 1; the first of 7 x 8 is left out). */
#include "amx_op_impl.h"

#include "vector16_impl.h"

#include <omp.h>
#include <string.h>

enum {
    PHASES = 4,
    SLOTS = 8,
    WINDOW_STEPS = 2, /* 64 pixels: 4 pairs x 8 slots */
    PAIR_BYTES = SLOTS * 4,
    SPLIT_ROWS = 2 * STEM_K, /* of a left tile */
    COLUMNS = 4,
    STRIP = 16, /* result rows */
    STRIP_ROWS = 2 * STRIP + STEM_K - 2,
    CELL = 2 * AMX_TILE_BYTES
};

static int steps_of_row(const amx_conv *op)
{
    return (op->y.w + AMX_PAIR - 1) / AMX_PAIR;
}

void amx_stem_plan(amx_conv *op)
{
    op->pair = AMX_PAIR;
    op->tile = AMX_TILE_BYTES;
    op->block = (ptrdiff_t)PHASES * WINDOW_STEPS * CELL;
    if (op->s.direction == CONV_FORWARD) {
        op->window = (ptrdiff_t)PAIR_BYTES * ((op->y.w + AMX_ROWS - 1) / AMX_ROWS * AMX_ROWS + 4);
        op->turned_bytes = (size_t)op->window * (size_t)op->threads;
        return;
    }
    op->window = 64 * (steps_of_row(op) + 1);
    op->turned_bytes = (size_t)op->window * 2 * STRIP_ROWS;
    op->paired_bytes = (size_t)CELL * (size_t)op->co_blocks * STRIP * (size_t)steps_of_row(op);
    op->sum_bytes = (size_t)(COLUMNS / 2 * op->co_blocks) * BLOCK_FLOATS * sizeof(float);
}

/* [32 result channels][phase][step][1 or 2 tiles][pair of pixels][result channel][2]: pair k of a step is slot k % 8 of pair of columns
 * k / 8. */
void amx_stem_pack(const amx_conv *op, const float *oihw, char *packed)
{
    memset(packed, 0, (size_t)(op->block * op->co_blocks));
    for (int o = 0; o < op->s.co; o++) {
        const int tiles = amx_least(2, (op->s.co - o / AMX_BLOCK * AMX_BLOCK) / 16);
        uint16_t w[STEM_K * STEM_K];
        for (int k = 0; k < STEM_K * STEM_K; k++) w[k] = bf16_of(oihw[o * STEM_K * STEM_K + k]);
        for (int phase = 0; phase < PHASES; phase++)
            for (int k = 0; k < 4 * SLOTS; k++)
                for (int parity = 0; parity < 2; parity++) {
                    int ky = (k % SLOTS - 2 * phase + SLOTS) % SLOTS, kx = 2 * (k / SLOTS) + parity - 1;
                    char *to =
                        packed + o / AMX_BLOCK * op->block + ((phase * WINDOW_STEPS + k / 16) * tiles + o % AMX_BLOCK / 16) * op->tile;
                    if (ky < STEM_K && kx >= 0) memcpy(to + 64 * (k % 16) + 4 * (o % 16) + 2 * parity, w + ky * STEM_K + kx, sizeof *w);
                }
    }
}

/* Row y of the picture into its slot of `pairs`; zeros where there is none. */
static void pairs_fill(const amx_conv *op, const char *picture, int y, char *pairs)
{
    const int n = (int)(op->window / PAIR_BYTES), w = op->x.w;
    const char *row = picture + (ptrdiff_t)y * w * 2;
    char *to = pairs + (y + 3) % SLOTS * 4;
    const bool there = y >= 0 && y < op->x.h;
    for (int p = 0; p < n; p++, to += PAIR_BYTES) {
        int x = 2 * (p - 2);
        if (there && x >= 0 && x + 1 < w)
            memcpy(to, row + 2 * x, 4);
        else {
            memset(to, 0, 4);
            if (there && x >= 0 && x < w) memcpy(to, row + 2 * x, 2);
        }
    }
}

static void stem_row(const amx_conv *op, amx_worker *w, const amx_pass *p, long row, const char *pairs)
{
    const int phase = (int)(row % op->y.h) % PHASES;
    amx_run run;
    amx_walk walk = {.run = &run,
                     .n_runs = 1,
                     .count = WINDOW_STEPS,
                     .a_step = 64,
                     .a_stride = PAIR_BYTES,
                     .a_second = AMX_ROWS * PAIR_BYTES,
                     .b_second = op->tile};
    for (int x = 0; x < op->y.w; x += AMX_BLOCK)
        for (int b = 0; b < op->co_blocks; b++) {
            const int first = b * AMX_BLOCK, width = amx_least(AMX_BLOCK, op->s.co - first), rows = amx_least(AMX_BLOCK, op->y.w - x);
            walk.two_a = rows > AMX_ROWS;
            walk.two_b = width > 16;
            walk.b_step = width / 16 * op->tile;
            run = (amx_run){pairs + x * PAIR_BYTES, p->packed + b * op->block + phase * WINDOW_STEPS * walk.b_step};
            amx_block_to(op, w, p, &walk, p->result + (row * op->y.w + x) * op->y.pixel, op->y.pixel, rows, first);
        }
}

void amx_stem_thread(const amx_conv *op, const amx_pass *p, int t, int threads, char *scratch)
{
    amx_worker w = {0};
    char *pairs = scratch + t * op->window;
    long first, end;
    amx_share((long)op->s.n * op->y.h, threads, t, &first, &end);
    op->loops->configure(&w.tiles, AMX_ROWS, AMX_ROWS, AMX_PAIR);
    for (long row = first; row < end; row++) {
        const int y = (int)(row % op->y.h), known = row == first || y == 0 ? 0 : STEM_K - 2;
        const char *picture = p->source + row / op->y.h * op->x.picture;
        if (known == 0) memset(pairs, 0, (size_t)op->window);
        for (int ky = known; ky < STEM_K; ky++) pairs_fill(op, picture, 2 * y - 3 + ky, pairs);
        stem_row(op, &w, p, row, pairs);
    }
    op->loops->finish(&w.e);
    op->loops->release(&w.tiles);
}

/* ---- backward weights ---- */
typedef struct {
    const amx_conv *op;
    const char *x, *dy;   /* of the picture */
    char *split, *paired; /* paired: [32 of co][result row][step][2 tiles] */
    float *sums;          /* [two columns][32 of co][32 x 32] */
    int y0, y1;           /* result rows */
    bool first;
} stem_strip;

/* Input row y by parity, from column x = -4 on; zeros where there is none. */
static void split_row(const amx_conv *op, const char *picture, int y, char *to)
{
    const char *row = picture + (ptrdiff_t)y * op->x.w * 2;
    memset(to, 0, 2 * (size_t)op->window);
    if (y < 0 || y >= op->x.h) return;
    for (int x = 0; x < op->x.w && x / 2 + 2 < op->window / 2; x++) memcpy(to + x % 2 * op->window + 2 * (x / 2 + 2), row + 2 * x, 2);
}

static char *stem_paired_at(const stem_strip *s, int block, int row, int step)
{
    return s->paired + (((ptrdiff_t)block * STRIP + row) * steps_of_row(s->op) + step) * CELL;
}

static void stem_prepare(const stem_strip *s, int t, int threads)
{
    const amx_conv *op = s->op;
    long first, end;
    amx_share(2 * (s->y1 - s->y0) + STEM_K - 2, threads, t, &first, &end);
    for (long r = first; r < end; r++) split_row(op, s->x, 2 * s->y0 - 3 + (int)r, s->split + 2 * r * op->window);
    amx_share((long)(s->y1 - s->y0) * steps_of_row(op), threads, t, &first, &end);
    for (long i = first; i < end; i++) {
        int row = (int)i / steps_of_row(op), step = (int)i % steps_of_row(op), x = step * AMX_PAIR;
        const char *from = s->dy + ((s->y0 + row) * op->y.w + x) * op->y.pixel;
        for (int c = 0; c < op->s.co; c += 16)
            op->loops->pair_rows(from + 2 * c, op->y.pixel, op->y.w - x,
                                 stem_paired_at(s, c / AMX_BLOCK, row, step) + c % AMX_BLOCK / 16 * AMX_TILE_BYTES);
    }
}

static void stem_add_blocks(const stem_strip *s, amx_worker *w, int t, int threads)
{
    const amx_conv *op = s->op;
    long first, end;
    amx_run run[STRIP];
    amx_walk walk = {.run = run,
                     .n_runs = s->y1 - s->y0,
                     .count = steps_of_row(op),
                     .a_step = 64,
                     .b_step = CELL,
                     .a_stride = op->window,
                     .a_second = 2,
                     .b_second = AMX_TILE_BYTES,
                     .two_a = true,
                     .c_stride = 64,
                     .c_right = AMX_TILE_BYTES,
                     .c_below = 2 * AMX_TILE_BYTES};
    amx_share((long)COLUMNS / 2 * op->co_blocks, threads, t, &first, &end);
    for (long i = first; i < end; i++) {
        int column = 2 * (int)(i / op->co_blocks), block = (int)(i % op->co_blocks);
        walk.two_b = op->s.co - block * AMX_BLOCK > 16;
        for (int r = 0; r < walk.n_runs; r++)
            run[r] = (amx_run){s->split + 4 * r * op->window + 2 * column, stem_paired_at(s, block, r, 0)};
        op->loops->block(&w->tiles, &walk, s->sums + i * BLOCK_FLOATS, !s->first, NULL);
    }
}

static void stem_plain(const amx_conv *op, const float *sums, float *dw)
{
    for (int o = 0; o < op->s.co; o++)
        for (int k = 0; k < STEM_K * STEM_K; k++) {
            int ky = k / STEM_K, kx = k % STEM_K, column = (kx + 1) / 2, parity = (kx + 1) % 2;
            const float *block = sums + (column / 2 * op->co_blocks + o / AMX_BLOCK) * BLOCK_FLOATS;
            dw[o * STEM_K * STEM_K + k] = block[(column % 2 * 2 + o % AMX_BLOCK / 16) * 256 + (2 * ky + parity) * 16 + o % 16];
        }
}

static void stem_weights_thread(stem_strip s, const char *x, const char *dy, int t, int threads)
{
    const amx_conv *op = s.op;
    amx_worker w = {0};
    op->loops->configure(&w.tiles, SPLIT_ROWS, SPLIT_ROWS, AMX_PAIR);
    for (int n = 0; n < op->s.n; n++) {
        s.x = x + n * op->x.picture;
        s.dy = dy + n * op->y.picture;
        for (s.y0 = 0; s.y0 < op->y.h; s.y0 = s.y1) {
            s.y1 = amx_least(op->y.h, s.y0 + STRIP);
            s.first = n == 0 && s.y0 == 0;
            stem_prepare(&s, t, threads);
#pragma omp barrier
            stem_add_blocks(&s, &w, t, threads);
#pragma omp barrier
        }
    }
    op->loops->release(&w.tiles);
}

void amx_stem_weights(const amx_conv *op, const char *x, const char *dy, float *dw, char *scratch)
{
    stem_strip s = {.op = op, .split = scratch, .paired = scratch + op->turned_bytes};
    s.sums = (float *)(void *)(s.paired + op->paired_bytes);
#pragma omp parallel num_threads(op->threads)
    stem_weights_thread(s, x, dy, omp_get_thread_num(), omp_get_num_threads());
    stem_plain(op, s.sums, dw);
}
