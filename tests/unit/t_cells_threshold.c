/* run: limit=60
 * t_cells_threshold.c -- thresholds of docs/method.md 11.1 against searches by their definition over all bins: two classes, three (of which
 * nuclei take the upper limit, cells the lower one), the minimum cross-entropy; of values and of logarithms, of the image and of blocks. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/cells/find.h"

#include <stdlib.h>

enum { W = 150, H = 90, BINS = 512 };

static uint16_t px[W * H];
static double value[W * H]; /* as finders have them */

/* Ground, and two kinds of squares; all grow brighter to the right by `slope`. */
static void draw(uint32_t seed, double slope)
{
    rng r = rng_at(seed, STREAM_SIMULATE, 0, 0);
    for (int i = 0; i < W * H; i++) {
        int y = i / W, x = i % W, square = y % 20 < 9 && x % 20 < 9 ? 1 + (x / 20 + y / 20) % 2 : 0;
        double v = (double[]){3000, 11000, 30000}[square] * exp(0.22 * rng_normal(&r)) * (1 + slope * x / W);
        px[i] = (uint16_t)fmin(v, 65535);
        value[i] = (double)((float)px[i] * (float)(1 / 65535.0));
    }
}

/* ---- one histogram, and its classes ---- */

typedef struct {
    double n[BINS], middle[BINS], low, width;
} bins;

static double scaled(double v, bool log)
{
    return log ? log2(fmax(v, 1.0 / 65536)) : v;
}

static void count(bins *b, int top, int left, int bottom, int right, bool log)
{
    double high = -INFINITY;
    *b = (bins){.low = INFINITY};
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            b->low = fmin(b->low, scaled(value[y * W + x], log));
            high = fmax(high, scaled(value[y * W + x], log));
        }
    b->width = (high - b->low) / BINS;
    for (int k = 0; k < BINS; k++) b->middle[k] = b->low + (k + 0.5) * b->width;
    for (int y = top; y < bottom; y++)
        for (int x = left; x < right; x++) {
            int k = (int)((scaled(value[y * W + x], log) - b->low) / b->width);
            b->n[k < BINS ? k : BINS - 1]++;
        }
}

/* Of the bins [from, to): the sum of squares within, by the plain definition. */
static double within(const bins *b, int from, int to)
{
    double n = 0, sum = 0, squares = 0;
    for (int k = from; k < to; k++) {
        n += b->n[k];
        sum += b->n[k] * b->middle[k];
    }
    for (int k = from; k < to; k++) squares += b->n[k] * (b->middle[k] - sum / n) * (b->middle[k] - sum / n);
    return n > 0 ? squares : 0;
}

static int two_classes(const bins *b)
{
    int best = 1;
    for (int t = 2; t < BINS; t++)
        if (within(b, 0, t) + within(b, t, BINS) < within(b, 0, best) + within(b, best, BINS)) best = t;
    return best;
}

static int three_classes(const bins *b, bool upper)
{
    static double middle[BINS + 1][BINS + 1];
    double least = INFINITY;
    int best[2] = {1, 2};
    for (int s = 1; s < BINS; s++)
        for (int t = s + 1; t < BINS; t++) middle[s][t] = within(b, s, t);
    for (int s = 1; s < BINS - 1; s++) {
        double below = within(b, 0, s);
        for (int t = s + 1; t < BINS; t++) {
            if (s == 1) middle[0][t] = within(b, t, BINS);
            double all = below + middle[s][t] + middle[0][t];
            if (all >= least) continue;
            least = all;
            best[0] = s;
            best[1] = t;
        }
    }
    return best[upper];
}

/* Cross-entropy between the image and its two means, of values from the least on, but for what all t share. */
static double cross_entropy(const bins *b, int t)
{
    double n[2] = {0}, sum[2] = {0};
    for (int k = 0; k < BINS; k++) {
        n[k >= t] += b->n[k];
        sum[k >= t] += b->n[k] * (b->middle[k] - b->low);
    }
    return n[0] > 0 && n[1] > 0 ? -sum[0] * log(sum[0] / n[0]) - sum[1] * log(sum[1] / n[1]) : INFINITY;
}

static int least_cross_entropy(const bins *b)
{
    int best = 1;
    for (int t = 2; t < BINS; t++)
        if (cross_entropy(b, t) < cross_entropy(b, best)) best = t;
    return best;
}

static int limit_of(const bins *b, find_threshold method, bool cells)
{
    return method == FIND_OTSU ? two_classes(b) : method == FIND_OTSU3 ? three_classes(b, !cells) : least_cross_entropy(b);
}

/* ---- what a finder reports ---- */

static find_options options(find_threshold method, bool log)
{
    const find_foreground one = {.method = method, .log = log, .correction = 1};
    return (find_options){.nuclei = one, .cells = one, .most_px = 200, .split = FIND_SPLIT_NONE, .grow_px = 1, .regularization = 0.05};
}

static void test_image(finder *f, find_threshold method, bool log, bool cells)
{
    static const char *const name[] = {"Otsu, two classes", "Otsu, three classes", "minimum cross-entropy"};
    objects nuclei = {0}, found = {0};
    find_report r, s;
    find_options o = options(method, log);
    bins b;
    char line[200];
    draw(7, 0);
    count(&b, 0, 0, H, W, log);
    int t = limit_of(&b, method, cells);
    if (find_nuclei(f, &o, px, W, H, 65535, &nuclei, &r) != OK || find_cells(f, &o, px, 65535, &nuclei, &found, &s) != OK) exit(1);
    double got = cells ? s.threshold : r.threshold, at = (scaled(got, log) - b.low) / b.width;
    printf("# by definition bin %d, found %.3f\n", t, at);
    snprintf(line, sizeof line, "%s%s, %s", name[method], log ? " of logarithms" : "", cells ? "cells" : "nuclei");
    /* The iteration stops where a bin is its own successor: beside the least. */
    ok(fabs(at - t) <= (method == FIND_CROSS_ENTROPY ? 3 : 1e-6), line);
    if (cells) goto done;
    o.nuclei.correction = 1.3;
    if (find_nuclei(f, &o, px, W, H, 65535, &nuclei, &s) != OK) exit(1);
    ok(fabs(s.threshold - 1.3 * got) < 1e-12, "times the correction");
done:
    objects_free(&nuclei);
    objects_free(&found);
}

static void test_blocks(finder *f, find_threshold method, bool log)
{
    enum { SIDE = 40, ROWS = 3, COLUMNS = 4 };
    objects nuclei = {0};
    find_report r;
    find_options o = options(method, log);
    bins b;
    double block[ROWS][COLUMNS], global;
    int inside = 0, limited = 0;
    draw(9, 4);
    count(&b, 0, 0, H, W, log);
    global = b.low + limit_of(&b, method, false) * b.width;
    if (log) global = exp2(global);
    for (int k = 0; k < ROWS * COLUMNS; k++) {
        int top = k / COLUMNS * SIDE, left = k % COLUMNS * SIDE;
        count(&b, top, left, top + SIDE < H ? top + SIDE : H, left + SIDE < W ? left + SIDE : W, log);
        double t = b.low + limit_of(&b, method, false) * b.width;
        if (log) t = exp2(t);
        block[k / COLUMNS][k % COLUMNS] = fmin(fmax(t, 0.7 * global), 1.5 * global);
        limited += t < 0.7 * global || t > 1.5 * global;
    }
    for (int i = 0; i < W * H; i++) {
        double y = fmin(fmax((i / W + 0.5) / SIDE - 0.5, 0), ROWS - 1), x = fmin(fmax((i % W + 0.5) / SIDE - 0.5, 0), COLUMNS - 1);
        int r0 = (int)y < ROWS - 1 ? (int)y : ROWS - 2, c0 = (int)x < COLUMNS - 1 ? (int)x : COLUMNS - 2;
        double u = y - r0, v = x - c0, above = block[r0][c0] + v * (block[r0][c0 + 1] - block[r0][c0]),
               below = block[r0 + 1][c0] + v * (block[r0 + 1][c0 + 1] - block[r0 + 1][c0]);
        inside += value[i] > above + u * (below - above);
    }
    o.nuclei.local_px = SIDE;
    if (find_nuclei(f, &o, px, W, H, 65535, &nuclei, &r) != OK) exit(1);
    printf("# %d of 12 blocks are limited; foreground by definition %d, found %.2f\n", limited, inside, r.foreground * W * H);
    ok(fabs(r.foreground * W * H - inside) < 1.5 && limited > 0, "thresholds of blocks, kept near the image's, between their middles");
    o.nuclei.local_px = 0;
    if (find_nuclei(f, &o, px, W, H, 65535, &nuclei, &r) != OK) exit(1);
    ok(log || fabs(r.foreground * W * H - inside) > 50, "are others than the image's");
    objects_free(&nuclei);
}

int main(void)
{
    finder *f = NULL;
    if (finder_create(&f) != OK) return 1;
    for (int method = 0; method < N_FIND_THRESHOLDS; method++)
        for (int log = 0; log < 2; log++)
            for (int cells = 0; cells < 2; cells++) test_image(f, (find_threshold)method, log, cells);
    test_blocks(f, FIND_OTSU, false);
    test_blocks(f, FIND_OTSU, true);
    finder_free(&f);
    return tap_done();
}
