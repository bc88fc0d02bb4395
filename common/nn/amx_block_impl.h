/* amx_block_impl.h -- the loops over tiles, included twice by amx_loops.c, with
 *   AMX_REAL 1: on the CPU's tile operations; 0: on emulated ones (amx_tile_impl.h)
 *   NAME(f)  f with the unit's suffix
 *   LOOP     attributes of an inner loop       DRIVE  of a function that calls tile operations
 *   STREAM(to, h)  16 bf16 stored past the caches */
#include "amx_tile_impl.h"

LOOP static void NAME(epilogue_rows)(amx_epilogue *e, int n)
{
    const vf zero = {0};
    int end = e->rows - e->next < n ? e->rows : e->next + n;
    for (int r = e->next; r < end; r++)
        for (int i = 0; i < e->width; i += 16) {
            char *to = e->out + r * e->out_stride + 2 * i;
            vf v = LDF(e->c + AMX_BLOCK * r + i);
            if (e->bias) v += LDF(e->bias + i);
            if (e->add) v += LDH(to);
            if (e->relu) v = SELECT(v < zero, zero, v); /* NaN stays NaN */
            vh h = ROUND_H(v);
            if (e->stream)
                STREAM(to, h);
            else
                *(vh_at *)to = h;
            if (!e->sum) continue;
            v = (vf)(__builtin_convertvector(h, vu) << 16);
            STF(e->part[0] + i, LDF(e->part[0] + i) + v);
            STF(e->part[1] + i, LDF(e->part[1] + i) + v * v);
        }
    e->next = end;
}

static void NAME(finish)(amx_epilogue *e)
{
    if (e->rows == 0) return;
    NAME(epilogue_rows)(e, e->rows);
    for (int i = 0; i < e->width && e->sum; i++) {
        e->sum[i] += (double)e->part[0][i];
        e->square[i] += (double)e->part[1][i];
        e->part[0][i] = e->part[1][i] = 0;
    }
    e->rows = e->next = 0;
}

/* Two by two tiles of results; each step loads four factors for four products. Between them goes a share of the rows of `before`: the
 * unit multiplies meanwhile. */
DRIVE static inline __attribute__((always_inline)) void NAME(block_of)(amx_tiles *t, const amx_walk *w, float *c, bool load,
                                                                       amx_epilogue *before, const bool two_a, const bool two_b)
{
    (void)t;
    char *c0 = (char *)c, *c1 = c0 + w->c_right, *c2 = c0 + w->c_below, *c3 = c2 + w->c_right;
    const int steps = w->n_runs * w->count, share = before && steps > 0 ? (before->rows + steps - 1) / steps : 0;
    if (load) {
        TILE_LOAD(t, 0, c0, w->c_stride);
        if (two_b) TILE_LOAD(t, 1, c1, w->c_stride);
        if (two_a) TILE_LOAD(t, 2, c2, w->c_stride);
        if (two_a && two_b) TILE_LOAD(t, 3, c3, w->c_stride);
    } else {
        TILE_ZERO(t, 0);
        if (two_b) TILE_ZERO(t, 1);
        if (two_a) TILE_ZERO(t, 2);
        if (two_a && two_b) TILE_ZERO(t, 3);
    }
    for (int r = 0; r < w->n_runs; r++) {
        const char *a = w->run[r].a, *b = w->run[r].b;
        for (int i = 0; i < w->count; i++, a += w->a_step, b += w->b_step) {
            TILE_LOAD(t, 4, a, w->a_stride);
            TILE_LOAD(t, 6, b, 64);
            TILE_DOT(t, 0, 4, 6);
            if (two_b) {
                TILE_LOAD(t, 7, b + w->b_second, 64);
                TILE_DOT(t, 1, 4, 7);
            }
            if (two_a) {
                TILE_LOAD(t, 5, a + w->a_second, w->a_stride);
                TILE_DOT(t, 2, 5, 6);
                if (two_b) TILE_DOT(t, 3, 5, 7);
            }
            if (share > 0) NAME(epilogue_rows)(before, share);
        }
    }
    if (before) NAME(finish)(before);
    TILE_STORE(t, 0, c0, w->c_stride);
    if (two_b) TILE_STORE(t, 1, c1, w->c_stride);
    if (two_a) TILE_STORE(t, 2, c2, w->c_stride);
    if (two_a && two_b) TILE_STORE(t, 3, c3, w->c_stride);
}

DRIVE static void NAME(block)(amx_tiles *t, const amx_walk *w, float *c, bool load, amx_epilogue *before)
{
    if (w->two_a && w->two_b)
        NAME(block_of)(t, w, c, load, before, true, true);
    else if (w->two_a)
        NAME(block_of)(t, w, c, load, before, true, false);
    else if (w->two_b)
        NAME(block_of)(t, w, c, load, before, false, true);
    else
        NAME(block_of)(t, w, c, load, before, false, false);
}

DRIVE static void NAME(configure)(amx_tiles *t, int upper, int lower, int pair)
{
    shape(&t->config, upper, lower, pair);
    TILE_CONFIGURE(t);
}

DRIVE static void NAME(release)(amx_tiles *t)
{
    (void)t;
    TILE_RELEASE(t);
    _mm_sfence(); /* what was streamed is there for other threads */
}

/* Rows 2 p and 2 p + 1 become row p, of pairs. */
LOOP static void NAME(pair_rows)(const char *from, ptrdiff_t stride, int n, char *tile)
{
    for (int p = 0; p < 16; p++) {
        vu v = {0};
        if (2 * p < n) v = __builtin_convertvector(*(const vh_at *)(from + 2 * p * stride), vu);
        if (2 * p + 1 < n) v |= __builtin_convertvector(*(const vh_at *)(from + (2 * p + 1) * stride), vu) << 16;
        *(vu_at *)(tile + 64 * p) = v;
    }
}

/* A round of the transposition below: squares of s x s pairs change places, in each two rows that are s apart. The numbers say what stays;
 * what goes is s further on. */
#define EXCHANGE(s, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15)                                                  \
    _Pragma("GCC unroll 16") for (int p = 0; p < 16; p++)                                                                                  \
    {                                                                                                                                      \
        if (p & (s)) continue;                                                                                                             \
        vu a = row[p], b = row[p + (s)];                                                                                                   \
        row[p] = __builtin_shufflevector(a, b, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9, n10, n11, n12, n13, n14, n15);                      \
        row[p + (s)] = __builtin_shufflevector(a, b, n0 + (s), n1 + (s), n2 + (s), n3 + (s), n4 + (s), n5 + (s), n6 + (s), n7 + (s),       \
                                               n8 + (s), n9 + (s), n10 + (s), n11 + (s), n12 + (s), n13 + (s), n14 + (s), n15 + (s));      \
    }

/* The same, and then the 16 x 16 pairs are transposed: in four rounds, of which round s exchanges the squares of s x s pairs beside the
 * diagonal. */
LOOP static void NAME(turn_rows)(const char *from, ptrdiff_t stride, int n, char *tile)
{
    vu row[16];
    for (int p = 0; p < 16; p++) {
        row[p] = (vu){0};
        if (2 * p < n) row[p] = __builtin_convertvector(*(const vh_at *)(from + 2 * p * stride), vu);
        if (2 * p + 1 < n) row[p] |= __builtin_convertvector(*(const vh_at *)(from + (2 * p + 1) * stride), vu) << 16;
    }
    EXCHANGE(1, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30);
    EXCHANGE(2, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29);
    EXCHANGE(4, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27);
    EXCHANGE(8, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
    for (int p = 0; p < 16; p++) *(vu_at *)(tile + 64 * p) = row[p];
}

static const amx_loops NAME(loops) = {"amx",       true,         NAME(configure), NAME(release),
                                      NAME(block), NAME(finish), NAME(pair_rows), NAME(turn_rows)};
#undef EXCHANGE
#undef NAME
#undef LOOP
#undef DRIVE
#undef STREAM
#undef AMX_REAL
#undef TILE_CONFIGURE
#undef TILE_RELEASE
#undef TILE_ZERO
#undef TILE_LOAD
#undef TILE_STORE
#undef TILE_DOT
