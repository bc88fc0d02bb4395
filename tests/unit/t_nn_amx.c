/* t_nn_amx.c -- run: limit=240 : the AMX kernels on emulated tiles, and on AVX-512: the tile product bit by bit, then all directions
 * against naive loops: odd sizes, remainders of pictures and channels, what is done to a result on its way out, threads.
 * t_nn_amx_long.c has more sizes. */
#include "../amx_reference.h"

#include <omp.h>

/* ---- the product of tiles ---- */

/* As Intel's manual defines TDPBF16PS, one result. */
static float flushed(float v)
{
    return fabsf(v) < 0x1p-126f ? copysignf(0, v) : v;
}

static float value(uint16_t h)
{
    float v;
    kernels_from_bf16(&h, &v, 1);
    return flushed(v);
}

static float one_result(float c, const uint16_t *a, const uint16_t *b, int column)
{
    float sum[2] = {0, 0};
    for (int k = 0; k < AMX_PAIR; k++)
        sum[k % 2] = flushed((float)((double)value(a[k]) * (double)value(b[k / 2 * 32 + 2 * column + k % 2]) + (double)sum[k % 2]));
    return flushed(flushed(c) + flushed(sum[0] + sum[1]));
}

/* kind 0: ordinary numbers; 1: some denormals among them, which count as zeros; 2: products just above the denormals, whose differences
 * are some. */
static void fill(uint16_t *v, size_t n, int kind, uint32_t tag)
{
    amx_numbers(v, NULL, n, tag, 1);
    for (size_t i = 0; i < n && kind == 1; i += 3) v[i] = (uint16_t)(0x0013 + (i % 2 << 15));
    for (size_t i = 0; i < n && kind == 2; i++) v[i] = (uint16_t)((v[i] & 0x807f) | 64 << 7);
}

static void test_product(void)
{
    const amx_loops *l = amx_loops_here();
    static amx_tiles t;
    static float c[2][AMX_ROWS][16];
    static uint16_t a[AMX_ROWS * 32], b[16 * 32];
    amx_run run = {(char *)a, (char *)b};
    amx_walk walk = {.run = &run, .n_runs = 1, .count = 1, .a_stride = 64, .c_stride = 64};
    for (int kind = 0; kind < 3; kind++) {
        fill(a, sizeof a / 2, kind, 31);
        fill(b, sizeof b / 2, kind, 32);
        amx_numbers(NULL, c[0][0], sizeof c[0] / 4, 33, kind == 2 ? 0x1p-125 : 1);
        memcpy(c[1], c[0], sizeof c[0]);
        l->configure(&t, AMX_ROWS, 0, AMX_PAIR);
        l->block(&t, &walk, c[0][0], true, NULL);
        l->release(&t);
        int bad = 0;
        for (int r = 0; r < AMX_ROWS; r++)
            for (int i = 0; i < 16; i++) {
                float want = one_result(c[1][r][i], a + r * 32, b, i);
                bad += memcmp(&want, &c[0][r][i], sizeof want) != 0;
            }
        ok(bad == 0, kind == 0   ? "a tile product has the bits that the manual defines"
                     : kind == 1 ? "denormals are zeros"
                                 : "results that would be denormals are zeros");
    }
}

/* ---- convolutions ---- */
static int cases_run, cases_bad;

/* On one thread and on two the same bytes; by streaming the same; sums of the result as it is stored. */
static status one_case(conv_direction direction, const int *q, bool bias, bool sum, bool threads)
{
    status st = OK;
    amx_case c = amx_case_create(direction, q[0], q[1], q[2], q[3], q[4], q[5], q[6]);
    c.s.bias = c.s.relu = bias, c.s.sum = sum;
    void *first = xmalloc(c.bytes);
    omp_set_num_threads(1);
    TRY(amx_case_run(&c, false));
    bool good = amx_case_good(&c);
    memcpy(first, c.result, c.bytes);
    if (direction == CONV_FORWARD && !bias) {
        double *v = amx_doubles(c.result, c.ny);
        for (size_t i = 0; i < c.ny; i++) c.sums[0][i % (size_t)c.s.co] -= v[i], c.sums[1][i % (size_t)c.s.co] -= v[i] * v[i];
        double rows = (double)(c.ny / (size_t)c.s.co);
        for (int o = 0; o < c.s.co; o++) good = good && fabs(c.sums[0][o]) < 1e-5 * rows && fabs(c.sums[1][o]) < 1e-5 * rows;
        free(v);
    }
    if (direction != CONV_BACK_WEIGHTS) {
        TRY(amx_case_run(&c, true));
        good = good && memcmp(first, c.result, c.bytes) == 0;
    }
    omp_set_num_threads(2);
    if (threads) TRY(amx_case_run(&c, false));
    good = good && memcmp(first, c.result, c.bytes) == 0;
    cases_run++;
    if (!good) {
        cases_bad++;
        printf("#   direction %d n%d %d->%d %dx%d k%d s%d bias %d sum %d\n", (int)direction, q[0], q[1], q[2], q[3], q[4], q[5], q[6], bias,
               sum);
    }
done:
    free(first);
    amx_case_free(&c);
    return st;
}

static status test_convolutions(const char *what)
{
    status st = OK;
    cases_run = cases_bad = 0;
    /* pictures, channels in, out, height, width, kernel, stride */
    static const int shape[][7] = {
        {1, 16, 16, 1, 1, 3, 1},  {5, 32, 48, 3, 3, 3, 1},   {33, 48, 32, 7, 5, 3, 1},  {32, 64, 64, 3, 3, 3, 2},
        {31, 16, 80, 7, 6, 3, 2}, {17, 32, 32, 1, 1, 3, 2},  {33, 64, 16, 5, 4, 1, 1},  {5, 48, 64, 7, 7, 1, 2},
        {65, 32, 32, 2, 3, 1, 2}, {2, 32, 32, 15, 17, 3, 1}, {1, 1, 64, 33, 31, 7, 2},  {3, 1, 48, 17, 70, 7, 2},
        {2, 1, 16, 7, 1, 7, 2},   {2, 1, 32, 64, 64, 7, 2},  {40, 128, 96, 3, 3, 3, 1}, {2, 96, 32, 24, 56, 3, 1}};
    for (size_t i = 0; i < sizeof shape / sizeof *shape; i++)
        for (int direction = 0; direction < 3; direction++) {
            if (direction == CONV_BACK_DATA && shape[i][1] == 1) continue;
            TRY(one_case((conv_direction)direction, shape[i], false, false, i % 3 == 1));
            if (direction == CONV_FORWARD) TRY(one_case(CONV_FORWARD, shape[i], true, i % 2 == 0, i % 3 == 1));
        }
    printf("# %d cases\n", cases_run);
    ok(cases_run > 50 && cases_bad == 0, what);
done:
    return st;
}

/* What it cannot do is left to other ways, and so is everything where there is no unit. */
static void test_limits(void)
{
    conv_spec good = {.type = NN_BF16, .layout = NN_NHWC, .n = 2, .ci = 32, .co = 32, .h = 5, .w = 5, .k = 3, .stride = 1, .pad = 1},
              s = good;
    ok(amx_conv_can(&s), "a 3 x 3 convolution");
    s.type = NN_F32;
    ok(!amx_conv_can(&s), "not in fp32");
    s = good, s.ci = 24;
    ok(!amx_conv_can(&s), "not with 24 channels");
    s = good, s.stride = 3;
    ok(!amx_conv_can(&s), "not with a stride of 3");
    s = good, s.pad = 0;
    ok(!amx_conv_can(&s), "not without padding");
    amx_use(AMX_NONE);
    ok(!amx_conv_can(&good), "nothing without a unit");
    amx_use(AMX_EMULATED);
}

int main(void)
{
    status st = OK;
    amx_use(AMX_EMULATED);
    test_product();
    test_limits();
    TRY(test_convolutions("on tiles, every direction agrees with naive loops, and with itself on two threads"));
    amx_use(AMX_VECTOR);
    if (__builtin_cpu_supports("avx512bf16"))
        TRY(test_convolutions("on AVX-512, every direction agrees with naive loops, and with itself on two threads"));
    else
        tap_skip("on AVX-512", "this CPU has no AVX512_BF16");
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}
