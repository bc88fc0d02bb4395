/* amx_loops_impl.h -- the unit that the convolutions of amx_*.c are made of: tiles, and the loops over them. One set of loops runs on
 * the AMX unit of the CPU; a second one, of the same source (amx_block_impl.h), on tile operations written in C: it is for tests, and
 * runs on any x86-64; a third (amx_vector_impl.h) on AVX-512's dot products of bf16, for CPUs that have these and no AMX.
 * What the emulation promises: the tiles' shapes are checked as the CPU checks them (the process ends where the CPU would raise #UD),
 * bytes beyond a tile's rows and columns are not touched, and a product has the bits that Intel's manual defines for TDPBF16PS: for
 * each result two sums in fp32, of the even and of the odd members of the pairs, both from zero and rounded to nearest even after each
 * term, then their sum, then that is added to the result; denormals are zeros. One case differs: a product of two bf16 that is a
 * denormal itself is dropped before it is added, where the CPU's fused operation adds it. */
#ifndef MICON_NN_AMX_LOOPS_IMPL_H
#define MICON_NN_AMX_LOOPS_IMPL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    AMX_ROWS = 16, /* of a tile, at most; columns: 64 bytes */
    AMX_TILE_BYTES = 1024,
    AMX_BLOCK = 32, /* rows and columns of a block of results: 2 x 2 tiles */
    AMX_PAIR = 32   /* bf16 in a row of a tile: what one product sums over */
};

/* The CPU's tile configuration, as LDTILECFG reads it. */
typedef struct {
    uint8_t palette, start_row, reserved[14];
    uint16_t row_bytes[16];
    uint8_t rows[16];
} amx_config;

/* Of one thread. Tiles 0 to 3 are results (0 1 above 2 3), 4 and 5 the two upper and lower left factors, 6 and 7 the right ones. */
typedef struct {
    _Alignas(64) amx_config config;
    bool configured;
    _Alignas(64) unsigned char tile[8][AMX_ROWS][64]; /* emulated registers */
} amx_tiles;

/* The steps of a block: runs of `count` steps each; a step multiplies one pair of left tiles by one pair of right ones. */
typedef struct {
    const char *a, *b; /* where a run begins */
} amx_run;

typedef struct {
    const amx_run *run;
    int n_runs, count;
    ptrdiff_t a_step, b_step;     /* bytes from one step to the next */
    ptrdiff_t a_stride;           /* between the rows of a left tile; those of right tiles are 64 bytes apart */
    ptrdiff_t a_second, b_second; /* from the first tile to the second */
    bool two_a, two_b;
    ptrdiff_t c_stride, c_right, c_below; /* of the block's result, in bytes: rows; tiles 1 and 2 */
} amx_walk;

/* What becomes of a finished block of `rows` x `width` floats, in rows of AMX_BLOCK: bf16 at out, row by row. */
typedef struct {
    const float *c;
    char *out;
    ptrdiff_t out_stride;
    int rows, width, next; /* next: the first row that is not done yet */
    const float *bias;     /* [width], or NULL */
    bool add, relu;        /* add: to what is at `out` */
    bool stream;           /* stored past the caches */
    double *sum, *square;  /* [width], of the values as they are stored, added to; or NULL */
    _Alignas(64) float part[2][AMX_BLOCK];
} amx_epilogue;

typedef struct {
    const char *name; /* of the way, as conv_autotune has it */
    bool all_kernels; /* false: 3 x 3 only; on AVX-512, oneDNN was faster with all 1 x 1 and 7 x 7 that were measured */
    /* The upper and the lower left tile of so many rows (lower 0: it is not used) and `pair` bf16 (16 or 32); products are sums over
     * `pair`. */
    void (*configure)(amx_tiles *t, int upper, int lower, int pair);
    void (*release)(amx_tiles *t);
    /* c = (load ? c : 0) + the walk's products. `before`, an earlier block's epilogue, is done meanwhile; may be NULL. */
    void (*block)(amx_tiles *t, const amx_walk *w, float *c, bool load, amx_epilogue *before);
    void (*finish)(amx_epilogue *e); /* the rows that are left, and the sums */
    /* 32 rows of 16 bf16 (zeros from row n on), `stride` bytes apart -> a right tile, or turned: a left one of 16 rows. */
    void (*pair_rows)(const char *from, ptrdiff_t stride, int n, char *tile);
    void (*turn_rows)(const char *from, ptrdiff_t stride, int n, char *tile);
} amx_loops;

/* Which unit the process uses. By default AMX, if the CPU has it and the system lets the process use it; else AVX-512's bf16, else
 * none. Tests choose. */
typedef enum { AMX_DEFAULT, AMX_NONE, AMX_CPU, AMX_VECTOR, AMX_EMULATED } amx_unit;
void amx_use(amx_unit unit);           /* what the CPU lacks ends the process when it is used */
amx_unit amx_unit_here(void);          /* by default: AMX_CPU, AMX_VECTOR or AMX_NONE */
const amx_loops *amx_loops_here(void); /* NULL: none */

#endif
