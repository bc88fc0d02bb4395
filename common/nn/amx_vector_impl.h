/* amx_vector_impl.h -- blocks of products on AVX-512's bf16 dot products instead of tiles, for amx_loops.c: the same operands in the same
 * places. Eight rows by two vectors of results stay in registers over all steps of a block. */
#define VECTOR __attribute__((target("arch=x86-64-v4,avx512bf16"), optimize("O3", "no-trapping-math")))
enum { VECTOR_ROWS = 8 };

/* `rows` rows (8 or fewer) of one left tile, `from` bytes from where the walk's left tiles begin. */
VECTOR static inline __attribute__((always_inline)) void vector_rows(const amx_walk *w, ptrdiff_t from, int rows, int pairs, char *c,
                                                                     bool load, const bool two_b)
{
    __m512 sum[VECTOR_ROWS][2];
    ptrdiff_t at[VECTOR_ROWS];
#pragma GCC unroll 8
    for (int r = 0; r < VECTOR_ROWS; r++) {
        const int real = r < rows ? r : rows - 1; /* a row that is not there repeats the last, and is not stored */
        const char *old = c + real * w->c_stride;
        at[r] = from + real * w->a_stride;
        sum[r][0] = load ? _mm512_loadu_ps(old) : _mm512_setzero_ps();
        sum[r][1] = load && two_b ? _mm512_loadu_ps(old + w->c_right) : _mm512_setzero_ps();
    }
    for (int k = 0; k < w->n_runs; k++) {
        const char *a = w->run[k].a, *b = w->run[k].b;
        for (int i = 0; i < w->count; i++, a += w->a_step, b += w->b_step)
            for (int p = 0; p < pairs; p++) {
                const __m512bh b0 = (__m512bh)_mm512_loadu_si512(b + 64 * p);
                const __m512bh b1 = two_b ? (__m512bh)_mm512_loadu_si512(b + w->b_second + 64 * p) : b0;
#pragma GCC unroll 8
                for (int r = 0; r < VECTOR_ROWS; r++) {
                    int pair;
                    memcpy(&pair, a + at[r] + 4 * p, sizeof pair);
                    const __m512bh left = (__m512bh)_mm512_set1_epi32(pair);
                    sum[r][0] = _mm512_dpbf16_ps(sum[r][0], left, b0);
                    if (two_b) sum[r][1] = _mm512_dpbf16_ps(sum[r][1], left, b1);
                }
            }
    }
#pragma GCC unroll 8
    for (int r = 0; r < VECTOR_ROWS; r++) {
        if (r >= rows) continue;
        _mm512_storeu_ps(c + r * w->c_stride, sum[r][0]);
        if (two_b) _mm512_storeu_ps(c + r * w->c_stride + w->c_right, sum[r][1]);
    }
}

VECTOR static void vector_block(amx_tiles *t, const amx_walk *w, float *c, bool load, amx_epilogue *before)
{
    const int pairs = t->config.rows[6];
    if (before) finish_cpu(before);
    for (int tile = 0; tile < 1 + w->two_a; tile++)
        for (int r = 0; r < t->config.rows[4 + tile]; r += VECTOR_ROWS) {
            const int left = t->config.rows[4 + tile] - r, rows = left < VECTOR_ROWS ? left : VECTOR_ROWS;
            const ptrdiff_t from = tile * w->a_second + r * w->a_stride;
            char *to = (char *)c + tile * w->c_below + r * w->c_stride;
            if (w->two_b)
                vector_rows(w, from, rows, pairs, to, load, true);
            else
                vector_rows(w, from, rows, pairs, to, load, false);
        }
}

static void vector_configure(amx_tiles *t, int upper, int lower, int pair)
{
    shape(&t->config, upper, lower, pair);
}

static void vector_release(amx_tiles *t)
{
    (void)t;
    _mm_sfence();
}

static const amx_loops loops_vector = {"avx512_bf16", false,      vector_configure, vector_release,
                                       vector_block,  finish_cpu, pair_rows_cpu,    turn_rows_cpu};
