/* t_tiling.c -- docs/method.md 2's formulas against slow, plain versions of them. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/tiling/tiling.h"

#include <stdlib.h>

__extension__ typedef __int128 wide;

static uint16_t *noise(size_t n, uint32_t seed)
{
    rng r = rng_at(seed, STREAM_SIMULATE, 0, 0);
    uint16_t *px = xmalloc(n * sizeof *px);
    for (size_t i = 0; i < n; i++) px[i] = rng_u32(&r) % 5 == 0 ? 65535 : (uint16_t)rng_u32(&r);
    return px;
}

static int64_t overlap(int64_t a0, int64_t a1, int64_t b0, int64_t b1)
{
    int64_t lo = a0 > b0 ? a0 : b0, hi = a1 < b1 ? a1 : b1;
    return hi > lo ? hi - lo : 0;
}

/* Every source pixel against every target pixel, as docs/method.md 2.1 is written; units are 1/(L T), so that q does not matter. */
static uint16_t naive_shrink(const uint16_t *px, int w, int h, int target, int tx, int ty)
{
    int side = w < h ? w : h, left = (w - side) / 2, top = (h - side) / 2;
    wide sum = 0, area = (wide)side * side;
    for (int y = 0; y < side; y++) {
        int64_t wy = overlap((int64_t)y * target, (int64_t)(y + 1) * target, (int64_t)ty * side, (int64_t)(ty + 1) * side);
        for (int x = 0; wy && x < side; x++)
            sum += (wide)wy * overlap((int64_t)x * target, (int64_t)(x + 1) * target, (int64_t)tx * side, (int64_t)(tx + 1) * side) *
                   px[(top + y) * w + left + x];
    }
    return (uint16_t)((2 * sum + area) / (2 * area));
}

static double at_place(double t, int side, int target)
{
    double p = (t + 0.5) * side / target - 0.5;
    return p < 0 ? 0 : p > side - 1 ? side - 1 : p;
}

static uint16_t naive_grow(const uint16_t *px, int w, int h, int target, int tx, int ty)
{
    int side = w < h ? w : h, left = (w - side) / 2, top = (h - side) / 2;
    double px_x = at_place(tx, side, target), px_y = at_place(ty, side, target), row[2];
    int x = (int)floor(px_x), y = (int)floor(px_y), x2 = x + 1 < side ? x + 1 : x, y2 = y + 1 < side ? y + 1 : y;
    double fx = px_x - x, fy = px_y - y;
    for (int k = 0; k < 2; k++) {
        const uint16_t *line = px + (top + (k ? y2 : y)) * w + left;
        row[k] = (1 - fx) * line[x] + fx * line[x2];
    }
    return (uint16_t)floor((1 - fy) * row[0] + fy * row[1] + 0.5);
}

static void test_resample(int w, int h, int target)
{
    static tiling_plan p; /* used for one size after another, as a stage does */
    size_t n = (size_t)w * (size_t)h, m = (size_t)target * (size_t)target;
    uint16_t *px = noise(n, (uint32_t)(w * 7 + h + target)), *out = xmalloc(m * sizeof *out);
    char what[100];
    int bad = 0, side = w < h ? w : h, step = m * (size_t)side * (size_t)side > 1000000000 ? 13 : 1;
    if (tiling_plan_for(&p, w, h, target) != OK) exit(1);
    tiling_resample(&p, px, out);
    for (int i = 0; i < target * target; i += step) {
        int x = i % target, y = i / target;
        bad += out[i] != (side >= target ? naive_shrink(px, w, h, target, x, y) : naive_grow(px, w, h, target, x, y));
    }
    snprintf(what, sizeof what, "%d x %d -> %d equals the plain loop", w, h, target);
    ok(bad == 0, what);

    for (int c = 0; c < 3; c++) {
        uint16_t value = c == 0 ? 0 : c == 1 ? 777 : 65535;
        for (size_t i = 0; i < n; i++) px[i] = value;
        tiling_resample(&p, px, out);
        for (size_t i = 0; i < m; i++) bad += out[i] != value;
    }
    snprintf(what, sizeof what, "%d x %d -> %d: a constant image stays constant", w, h, target);
    ok(bad == 0, what);

    double *real = xmalloc(n * sizeof *real), *result = xmalloc(m * sizeof *result);
    for (size_t i = 0; i < n; i++) real[i] = (px[i] = (uint16_t)(i * 31 % 60013));
    tiling_resample(&p, px, out);
    tiling_resample_real(&p, real, result);
    for (size_t i = 0; i < m; i++) bad += fabs(result[i] - out[i]) > 0.5 + 1e-9;
    snprintf(what, sizeof what, "%d x %d -> %d: in double the same within rounding", w, h, target);
    ok(bad == 0, what);
    free(px);
    free(out);
    free(real);
    free(result);
    if (target == 224 && side == 1080) tiling_plan_free(&p);
}

/* Fine stripes: averaging gives grey, taking single pixels would give coarse false stripes. */
static void test_moire(void)
{
    enum { L = 1080, T = 224 };
    tiling_plan p = {0};
    uint16_t *px = xmalloc(sizeof *px * L * L), *out = xmalloc(sizeof *out * T * T);
    double worst = 0, slow = 0;
    for (int i = 0; i < L * L; i++) px[i] = i % 2 ? 1000 : 0;
    if (tiling_plan_for(&p, L, L, T) != OK) exit(1);
    tiling_resample(&p, px, out);
    for (int x = 0; x < T; x++) {
        if (fabs(out[x] - 500.0) > worst) worst = fabs(out[x] - 500.0);
        slow += out[x];
    }
    ok(worst <= 1000 / (2.0 * L / T) + 1, "moire: stripes of one pixel become grey within half a pixel's share");
    near(slow / T, 500, 0.001, "moire: the mean is kept");
    tiling_plan_free(&p);
    free(px);
    free(out);
}

/* The two-dimensional sum with mirrored edges, straight from docs/method.md 2.2. */
static void test_illumination(int side)
{
    size_t n = (size_t)side * (size_t)side;
    int64_t *sum = xcalloc(n, sizeof *sum);
    double *got = xmalloc(n * sizeof *got), *want = xmalloc(n * sizeof *want), *sorted = xmalloc(n * sizeof *sorted), s = 0.05 * side;
    int reach = (int)floor(4 * s + 0.5), bad = 0;
    uint16_t *px = noise(n, 5);
    for (int k = 0; k < 3; k++) tiling_add(sum, px, n);
    for (size_t i = 0; i < n; i++) bad += sum[i] != 3 * px[i];
    ok(bad == 0, "sums of mosaics are exact");
    if (tiling_illumination(sum, 3, side, got) != OK) exit(1);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            double total = 0, weights = 0;
            for (int j = -reach; j <= reach; j++)
                for (int i = -reach; i <= reach; i++) {
                    int yy = y + j, xx = x + i;
                    while (yy < 0 || yy >= side) yy = yy < 0 ? -yy - 1 : 2 * side - yy - 1;
                    while (xx < 0 || xx >= side) xx = xx < 0 ? -xx - 1 : 2 * side - xx - 1;
                    double k = exp(-(double)(i * i + j * j) / (2 * s * s));
                    total += k * px[yy * side + xx];
                    weights += k;
                }
            want[y * side + x] = sorted[y * side + x] = total / weights;
        }
    for (size_t i = 0; i < n; i++) /* plain selection sort of the lowest values needed */
        for (size_t j = i + 1; i < n / 40 + 2 && j < n; j++)
            if (sorted[j] < sorted[i]) {
                double t = sorted[i];
                sorted[i] = sorted[j];
                sorted[j] = t;
            }
    double low = sorted[(size_t)ceil(0.02 * (double)n) - 1];
    for (size_t i = 0; i < n; i++) {
        double w = want[i] / low < 1 ? 1 : want[i] / low;
        bad += fabs(got[i] - w) > 1e-12 * w;
    }
    ok(bad == 0, "illumination equals the plain two-dimensional sum");
    for (size_t i = 0; i < n; i++) sum[i] = 5000;
    if (tiling_illumination(sum, 10, side, got) != OK) exit(1);
    for (size_t i = 0; i < n; i++) bad += fabs(got[i] - 1) > 1e-12;
    memset(sum, 0, n * sizeof *sum);
    if (tiling_illumination(sum, 10, side, got) != OK) exit(1);
    for (size_t i = 0; i < n; i++) bad += got[i] != 1;
    if (tiling_illumination(sum, 0, side, got) != OK) exit(1);
    for (size_t i = 0; i < n; i++) bad += got[i] != 1;
    ok(bad == 0, "an even plate, a black one and no plate have illumination 1");
    free(sum);
    free(got);
    free(want);
    free(sorted);
    free(px);
}

static void test_correct(void)
{
    uint16_t v[20] = {0, 1, 2, 3, 100, 65535, 65535, 5};
    const double by[20] = {1, 2, 4, 7, 1.5, 1, 0.5, 10, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const uint16_t want[8] = {0, 1, 1, 0, 67, 65535, 65535, 1}; /* floor(R / i + 0.5): 1/2 -> 1, 2/4 -> 1, 3/7 -> 0, 5/10 -> 1 */
    tiling_correct(v, by, 20);
    ok(memcmp(v, want, sizeof want) == 0, "correction rounds half up and is clipped");
}

static void test_stretch(void)
{
    static int64_t h[TILING_VALUES];
    static uint8_t table[TILING_VALUES];
    uint16_t v[1000];
    int bad = 0;
    ok(tiling_percentile(h, 50) == 0, "nothing counted: 0");
    for (int i = 0; i < 1000; i++) v[i] = (uint16_t)(3 * i + 10);
    tiling_count(h, v, 1000);
    ok(tiling_percentile(h, 0) == 10 && tiling_percentile(h, 0.05) == 10 && tiling_percentile(h, 0.1) == 10, "the lowest value");
    ok(tiling_percentile(h, 0.11) == 13 && tiling_percentile(h, 50) == 3 * 499 + 10, "ascending value number ceil(p total / 100)");
    ok(tiling_percentile(h, 99.95) == 3 * 999 + 10 && tiling_percentile(h, 100) == 3 * 999 + 10, "the highest value");
    tiling_stretch_table(100, 200, table);
    for (int i = 0; i < TILING_VALUES; i++) {
        double x = i < 100 ? 0 : i > 200 ? 255 : floor(255.0 * (i - 100) / 100 + 0.5);
        bad += table[i] != x;
    }
    ok(bad == 0, "the stretch rounds half up between the ends and clips outside");
    tiling_stretch_table(0, 65535, table);
    ok(table[0] == 0 && table[65535] == 255 && table[128] == 0 && table[129] == 1, "the widest stretch");
    tiling_stretch_table(7, 7, table);
    for (int i = 0; i < TILING_VALUES; i++) bad += table[i] != 0;
    ok(bad == 0, "no range: zeros");
    uint16_t mosaic[36];
    uint8_t tile[4];
    for (int i = 0; i < 36; i++) mosaic[i] = (uint16_t)i;
    tiling_stretch_table(0, 255, table);
    tiling_cut(mosaic, 6, 2, 5, table, tile); /* row 1, column 2 */
    ok(tile[0] == 16 && tile[1] == 17 && tile[2] == 22 && tile[3] == 23, "tile = row * g + column");
}

static void test_measure(int size, int g, int tile)
{
    int side = size * g, x0 = tile % g * size, y0 = tile / g * size;
    uint16_t *r = noise((size_t)side * (size_t)side, 3);
    double sum = 0, zeros = 0, var = 0, lap = 0, lap_var = 0, inner = (double)(size - 2) * (size - 2), all = (double)size * size;
    tiling_quality q;
    r[y0 * side + x0] = 0;
#define AT(x, y) ((double)r[(y0 + (y)) * side + x0 + (x)])
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) sum += AT(x, y), zeros += AT(x, y) == 0;
#define LAP(x, y) (AT(x, y - 1) + AT(x, y + 1) + AT(x - 1, y) + AT(x + 1, y) - 4 * AT(x, y))
    for (int y = 1; y < size - 1; y++)
        for (int x = 1; x < size - 1; x++) lap += LAP(x, y) / inner;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            var += pow(AT(x, y) - sum / all, 2) / all;
            if (x > 0 && y > 0 && x < size - 1 && y < size - 1) lap_var += pow(LAP(x, y) - lap, 2) / inner;
        }
    tiling_measure(r, side, size, tile, &q);
    near(q.mean, sum / all, 1e-13, "mean");
    near(q.sd, sqrt(var), 1e-12, "population sd");
    near(q.zeros, zeros / all, 0, "share of zeros");
    near(q.focus, lap_var / (sum / all), 1e-12, "focus: variance of the Laplacian over the mean");
    for (int i = 0; i < side * side; i++) r[i] = 65535;
    tiling_measure(r, side, size, tile, &q);
    ok(q.mean == 65535 && q.sd == 0 && q.focus == 0 && q.zeros == 0, "all at the maximum: exact");
    memset(r, 0, (size_t)side * (size_t)side * sizeof *r);
    tiling_measure(r, side, size, tile, &q);
    ok(q.mean == 0 && q.sd == 0 && q.focus == 0 && q.zeros == 1, "all zero: focus 0");
    free(r);
}

static void test_flags(void)
{
    const tiling_limits l = {0.01, 0.2, 0.2};
    const tiling_quality good = {100, 10, 0, 5}, blurred = {100, 10, 0, 0.9}, flat = {100, 1.9, 0, 5};
    ok(tiling_flags(&good, false, 0.01, 5, 10, &l) == 0, "a good tile, at the very limit of saturation");
    ok(tiling_flags(&good, true, 0, 5, 10, &l) == TILING_FLAG_ZERO, "all zero is 1");
    ok(tiling_flags(&good, false, 0.0101, 5, 10, &l) == TILING_FLAG_SATURATED, "saturated is 2");
    ok(tiling_flags(&blurred, false, 0, 5, 10, &l) == TILING_FLAG_FOCUS, "out of focus is 4");
    ok(tiling_flags(&flat, false, 0, 5, 10, &l) == TILING_FLAG_SD, "flat is 8");
    double odd[] = {3, 1, 2}, even[] = {4, 1, 3, 2};
    ok(tiling_median(odd, 3) == 2 && tiling_median(even, 4) == 2.5 && tiling_median(odd, 0) == 0, "medians");
}

/* A window equals the image of these pixels alone; masks and fields equal plain loops. */
static void test_window(int w, int h, int left, int top, int side, int size)
{
    tiling_plan p = {0};
    tiling_window win = {left, top, side};
    size_t n = (size_t)side * (size_t)side, m = (size_t)size * (size_t)size;
    uint16_t *px = noise((size_t)w * (size_t)h, 9), *part = xmalloc(n * sizeof *part), *got = xmalloc(m * sizeof *got),
             *want = xmalloc(m * sizeof *want);
    int32_t *labels = xmalloc((size_t)w * (size_t)h * sizeof *labels);
    int bad = 0;
    if (tiling_plan_for(&p, side, side, size) != OK) exit(1);
    for (int y = 0; y < side; y++) memcpy(part + y * side, px + (top + y) * w + left, (size_t)side * sizeof *part);
    tiling_resample(&p, part, want);
    tiling_resample_window(&p, px, w, &win, got);
    ok(memcmp(got, want, m * sizeof *got) == 0, "a window is resampled as an image of its own");
    for (int i = 0; i < w * h; i++) labels[i] = px[i] % 3;
    tiling_mask_window(labels, 2, w, &win, size, got);
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            int sy = top + (int)floor((y + 0.5) * side / size), sx = left + (int)floor((x + 0.5) * side / size);
            bad += got[y * size + x] != (labels[sy * w + sx] == 2);
        }
    ok(bad == 0, "its mask is the label of the pixel under each middle");
    free(px);
    free(part);
    free(got);
    free(want);
    free(labels);
    tiling_plan_free(&p);
}

static void test_field(int w, int h)
{
    uint16_t *px = noise((size_t)w * (size_t)h, 11), *field = xmalloc(TILING_FIELD * TILING_FIELD * sizeof *field);
    int bad = 0;
    tiling_field(px, w, h, field);
    for (int b = 0; b < TILING_FIELD * TILING_FIELD; b += 37) {
        int by = b / TILING_FIELD, bx = b % TILING_FIELD, y0 = by * h / TILING_FIELD, x0 = bx * w / TILING_FIELD;
        int y1 = (by + 1) * h / TILING_FIELD, x1 = (bx + 1) * w / TILING_FIELD;
        double sum = 0, n = 0;
        for (int y = y0; y < (y1 > y0 ? y1 : y0 + 1); y++)
            for (int x = x0; x < (x1 > x0 ? x1 : x0 + 1); x++, n++) sum += px[y * w + x];
        bad += field[b] != (uint16_t)floor(sum / n + 0.5);
    }
    ok(bad == 0, "a field holds the means of blocks");
    free(px);
    free(field);
}

/* A plane is met exactly between the middles, a function with the image's own pixels at each of them. */
static void test_field_at(void)
{
    enum { SIZE = 20, W = 60, H = 40 };
    const tiling_window win = {13, 7, 30}, same = {5, 9, SIZE};
    double plane[6 * 4], own[W * H], out[SIZE * SIZE];
    int bad = 0;
    for (int y = 0; y < 4; y++)
        for (int x = 0; x < 6; x++) plane[y * 6 + x] = 1 + 10 * (x + 0.5) + 1000 * (y + 0.5); /* of blocks of 10 pixels */
    tiling_field_at(plane, 6, 4, W, H, &win, SIZE, out);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) {
            double px = 13 + (x + 0.5) * 1.5, py = 7 + (y + 0.5) * 1.5; /* in pixels of the image */
            if (py > 35) py = 35;                                       /* beyond the last middle */
            bad += fabs(out[y * SIZE + x] - (1 + px + 100 * py)) > 1e-9;
        }
    ok(bad == 0, "a function is interpolated between its middles, and continues beyond the last");
    for (int i = 0; i < W * H; i++) own[i] = 1 + (i * 7919) % 101;
    tiling_field_at(own, W, H, W, H, &same, SIZE, out);
    for (int y = 0; y < SIZE; y++)
        for (int x = 0; x < SIZE; x++) bad += out[y * SIZE + x] != own[(9 + y) * W + 5 + x];
    ok(bad == 0, "one with the image's pixels is taken as it is");
}

int main(void)
{
    static const int sizes[][3] = {{1, 1, 1},  {7, 7, 7},       {63, 65, 32},    {65, 63, 63},    {65, 65, 64},
                                   {7, 9, 3},  {224, 224, 224}, {225, 300, 224}, {696, 520, 224}, {130, 90, 90},
                                   {1, 1, 32}, {7, 5, 32},      {63, 63, 65},    {100, 140, 224}, {1080, 1080, 224}};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) test_resample(sizes[i][0], sizes[i][1], sizes[i][2]);
    test_moire();
    test_illumination(17);
    test_illumination(32);
    test_correct();
    test_stretch();
    test_measure(3, 1, 0);
    test_measure(65, 2, 3);
    test_measure(32, 3, 5);
    test_flags();
    test_window(70, 50, 3, 9, 32, 32);
    test_window(70, 50, 25, 4, 45, 32);
    test_window(70, 50, 0, 30, 20, 33);
    test_field(300, 131);
    test_field(64, 200);
    test_field_at();
    return tap_done();
}
