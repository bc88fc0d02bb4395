/* run: limit=120
 * t_cells_find.c -- nuclei and cells of drawn images whose truth is known; odd images; propagation and distances against plain loops. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/cells/find.h"

#include <stdlib.h>

static const find_options usual = {.nuclei = {.smooth_px = 1, .correction = 0.9},
                                   .cells = {.smooth_px = 1.5, .log = true, .correction = 1},
                                   .least_px = 8,
                                   .most_px = 200,
                                   .split_px = 10,
                                   .grow_px = 10,
                                   .regularization = 0.05};

typedef struct {
    int w, h, n;
    int32_t *truth; /* [h, w] */
    uint16_t *px;
} drawing;

static drawing drawing_new(int w, int h)
{
    size_t n = (size_t)w * (size_t)h;
    return (drawing){.w = w, .h = h, .truth = xcalloc(n, sizeof(int32_t)), .px = xcalloc(n, sizeof(uint16_t))};
}

static void drawing_free(drawing *d)
{
    free(d->truth);
    free(d->px);
}

/* An ellipse where nothing is yet; those that touch share a border. */
static void add_ellipse(drawing *d, double cy, double cx, double a, double b, double turn)
{
    d->n++;
    for (int y = 0; y < d->h; y++)
        for (int x = 0; x < d->w; x++) {
            double dy = y - cy, dx = x - cx, u = (dx * cos(turn) + dy * sin(turn)) / a, v = (dy * cos(turn) - dx * sin(turn)) / b;
            if (u * u + v * v <= 1 && d->truth[y * d->w + x] == 0) d->truth[y * d->w + x] = d->n;
        }
}

/* Bright objects on a dim ground that rises by `slope` over the width, with noise. */
static void paint(drawing *d, double bright, double slope, uint32_t seed)
{
    rng r = rng_at(seed, STREAM_SIMULATE, 0, 0);
    for (int i = 0; i < d->w * d->h; i++) {
        double v = 1000 + slope * (i % d->w) / d->w + (d->truth[i] ? bright : 0) + 250 * rng_normal(&r);
        d->px[i] = (uint16_t)(v < 0 ? 0 : v > 65535 ? 65535 : v);
    }
}

/* Ellipses of about 24 pixels on a grid whose steps decide whether they touch. */
static void scatter(drawing *d, int step, double wander, uint32_t seed)
{
    rng r = rng_at(seed, STREAM_SIMULATE, 1, 0);
    for (int y = step / 2; y < d->h - step / 4; y += step)
        for (int x = step / 2; x < d->w - step / 4; x += step)
            add_ellipse(d, y + wander * (2 * rng_uniform(&r) - 1), x + wander * (2 * rng_uniform(&r) - 1), 11 + 3 * rng_uniform(&r),
                        9 + 2 * rng_uniform(&r), 3.14 * rng_uniform(&r));
}

/* F1 of objects that overlap a true one with an intersection over union of at least 0.7. */
static double f1(const drawing *d, const objects *o)
{
    int64_t *area = xcalloc((size_t)d->n + 1, sizeof *area), *shared = xcalloc(((size_t)d->n + 1) * ((size_t)o->n + 1), sizeof *shared);
    int found = 0;
    for (int i = 0; i < d->w * d->h; i++) {
        area[d->truth[i]]++;
        shared[(size_t)d->truth[i] * ((size_t)o->n + 1) + (size_t)o->label[i]]++;
    }
    for (int t = 1; t <= d->n; t++)
        for (int32_t k = 0; k < o->n; k++) {
            double both = (double)shared[(size_t)t * ((size_t)o->n + 1) + (size_t)k + 1];
            if (both / ((double)area[t] + (double)objects_area(o, k) - both) >= 0.7) found++;
        }
    double f = 2.0 * found / (d->n + o->n);
    printf("# %d true, %d found, %d match: F1 %.3f\n", d->n, o->n, found, f);
    free(area);
    free(shared);
    return f;
}

static double score(finder *f, const drawing *d, const find_options *o)
{
    objects nuclei = {0};
    find_report r;
    if (find_nuclei(f, o, d->px, d->w, d->h, 65535, &nuclei, &r) != OK) return printf("# %s\n", msg_get()), 0;
    double s = f1(d, &nuclei);
    objects_free(&nuclei);
    return s;
}

static void test_sparse(finder *f)
{
    drawing d = drawing_new(640, 480);
    scatter(&d, 60, 10, 3);
    paint(&d, 9000, 0, 4);
    find_options o = usual;
    ok(score(f, &d, &o) >= 0.95, "sparse nuclei: F1 at least 0.95");
    o.nuclei.method = FIND_CROSS_ENTROPY;
    ok(score(f, &d, &o) >= 0.95, "by the minimum cross-entropy");
    o.nuclei.method = FIND_OTSU3;
    ok(score(f, &d, &o) >= 0.95, "by Otsu's threshold for three classes");
    o = usual;
    o.nuclei.log = true;
    ok(score(f, &d, &o) >= 0.95, "among logarithms");
    o = usual;
    o.split = FIND_SPLIT_INTENSITY;
    ok(score(f, &d, &o) >= 0.95, "split by brightness");
    o.split = FIND_SPLIT_NONE;
    ok(score(f, &d, &o) >= 0.95, "not split");
    paint(&d, 4000, 12000, 5);
    o = usual;
    double flat = score(f, &d, &o);
    o.nuclei.background_px = 80;
    ok(score(f, &d, &o) >= 0.95 && flat < 0.8, "on an uneven ground: the background of blocks is needed, and is enough");
    o = usual;
    o.nuclei.local_px = 120;
    ok(score(f, &d, &o) > flat, "thresholds of blocks help too");
    drawing_free(&d);
}

static void test_crowded(finder *f)
{
    drawing d = drawing_new(500, 500);
    scatter(&d, 24, 3, 8);
    paint(&d, 9000, 0, 9);
    ok(score(f, &d, &usual) >= 0.85, "crowded nuclei that touch: F1 at least 0.85");
    drawing_free(&d);
}

static void test_odd(finder *f)
{
    objects nuclei = {0}, cells = {0};
    find_report r;
    find_options o = usual;
    drawing d = drawing_new(90, 40);
    for (int v = 0; v <= 65535; v += 65535) {
        for (int i = 0; i < d.w * d.h; i++) d.px[i] = (uint16_t)v;
        ok(find_nuclei(f, &o, d.px, d.w, d.h, 65535, &nuclei, &r) == OK && nuclei.n == 0 && r.foreground == 0,
           v ? "a saturated image: nothing is found" : "an image of zeros: nothing is found");
        ok(find_cells(f, &o, d.px, 65535, &nuclei, &cells, &r) == OK && cells.n == 0, "and no cells");
    }
    drawing_free(&d);
    d = drawing_new(300, 200);
    add_ellipse(&d, 100, 150, 130, 90, 0);
    paint(&d, 20000, 0, 2);
    ok(find_nuclei(f, &o, d.px, d.w, d.h, 65535, &nuclei, &r) == OK && nuclei.n == 0, "one giant object is no nucleus");
    o.most_px = 400;
    o.split = FIND_SPLIT_NONE;
    ok(find_nuclei(f, &o, d.px, d.w, d.h, 65535, &nuclei, &r) == OK && nuclei.n == 1 && !nuclei.border[0], "unless it may be");
    ok(find_nuclei(f, &o, d.px, 1, 1, 65535, &nuclei, &r) == OK && nuclei.n == 0, "an image of one pixel");
    ok(find_nuclei(f, &o, d.px, FIND_MAX_SIDE + 1, 1, 65535, &nuclei, &r) == E_FORMAT, "an image that is too wide is refused");
    msg_clear();
    drawing_free(&d);
    d = drawing_new(1600, 1600);
    for (int i = 0; i < d.w * d.h; i++) {
        int y = i / d.w % 16 - 8, x = i % d.w % 16 - 8;
        d.px[i] = y * y + x * x <= 25 ? 20000 : 1000;
    }
    o = usual;
    ok(find_nuclei(f, &o, d.px, d.w, d.h, 65535, &nuclei, &r) == OK && nuclei.n == 10000, "10,000 nuclei");
    int64_t before = mem_allocations();
    ok(find_nuclei(f, &o, d.px, d.w, d.h, 65535, &nuclei, &r) == OK && mem_allocations() == before,
       "and a second such image asks for no memory");
    int32_t first = nuclei.label[nuclei.pixel[0]], last = nuclei.label[nuclei.pixel[nuclei.first[nuclei.n] - 1]];
    ok(first == 1 && last == 10000, "numbered from the top left on");
    for (int grow = 0; grow < N_FIND_GROWS; grow++) {
        o.grow = (find_grow)grow;
        o.grow_px = 2;
        ok(find_cells(f, &o, d.px, 65535, &nuclei, &cells, &r) == OK && cells.n == 10000, "their cells");
        before = mem_allocations();
        ok(find_cells(f, &o, d.px, 65535, &nuclei, &cells, &r) == OK && mem_allocations() == before,
           grow == FIND_GROW_DISTANCE ? "a rim around each: no memory the second time" : "propagation: no memory the second time");
    }
    drawing_free(&d);
    objects_free(&nuclei);
    objects_free(&cells);
}

/* ---- cells ---- */

static double difference(const uint16_t *px, int w, int h, int y0, int x0, int y1, int x1)
{
    double sum = 0;
    for (int dy = -1; dy <= 1; dy++)
        for (int dx = -1; dx <= 1; dx++) {
            int ya = y0 + dy < 0 ? 0 : y0 + dy >= h ? h - 1 : y0 + dy, xa = x0 + dx < 0 ? 0 : x0 + dx >= w ? w - 1 : x0 + dx;
            int yb = y1 + dy < 0 ? 0 : y1 + dy >= h ? h - 1 : y1 + dy, xb = x1 + dx < 0 ? 0 : x1 + dx >= w ? w - 1 : x1 + dx;
            sum += fabs(px[ya * w + xa] - (double)px[yb * w + xb]) / 65535;
        }
    return sum;
}

/* The cheapest ways by repeated relaxation over the whole image. */
static void relax(const uint16_t *px, int w, int h, const objects *nuclei, const objects *cells, double reg, double *cost)
{
    for (int i = 0; i < w * h; i++) cost[i] = nuclei->label[i] ? 0 : INFINITY;
    for (bool changed = true; changed;) {
        changed = false;
        for (int i = 0; i < w * h; i++)
            for (int dy = -1; dy <= 1; dy++)
                for (int dx = -1; dx <= 1; dx++) {
                    int y = i / w, x = i % w, j = (y + dy) * w + x + dx;
                    if ((!dy && !dx) || y + dy < 0 || x + dx < 0 || y + dy >= h || x + dx >= w || !cells->label[i] || !cells->label[j])
                        continue;
                    double d = difference(px, w, h, y, x, y + dy, x + dx), c = cost[i] + sqrt(d * d + (abs(dy) + abs(dx)) * reg * reg);
                    if (c < cost[j] - 1e-9) {
                        cost[j] = c;
                        changed = true;
                    }
                }
    }
}

static void test_propagation(finder *f)
{
    drawing d = drawing_new(70, 55);
    objects nuclei = {0}, cells = {0};
    find_report r;
    find_options o = usual;
    double *cost = xcalloc((size_t)d.w * (size_t)d.h, sizeof *cost), *other = xcalloc((size_t)d.w * (size_t)d.h, sizeof *other);
    int bad = 0, outside = 0;
    scatter(&d, 26, 3, 12);
    paint(&d, 9000, 3000, 13);
    if (find_nuclei(f, &o, d.px, d.w, d.h, 65535, &nuclei, &r) != OK) exit(1);
    paint(&d, 3000, 9000, 14);
    if (find_cells(f, &o, d.px, 65535, &nuclei, &cells, &r) != OK) exit(1);
    ok(nuclei.n > 2 && cells.n == nuclei.n, "as many cells as nuclei");
    relax(d.px, d.w, d.h, &nuclei, &cells, 0.05, cost);
    for (int32_t l = 1; l <= nuclei.n; l++) { /* from each nucleus alone: none is cheaper than the cell's own */
        objects one = nuclei;
        one.label = xcalloc((size_t)d.w * (size_t)d.h, sizeof *one.label);
        for (int i = 0; i < d.w * d.h; i++) one.label[i] = nuclei.label[i] == l ? l : 0;
        relax(d.px, d.w, d.h, &one, &cells, 0.05, other);
        for (int i = 0; i < d.w * d.h; i++) bad += cells.label[i] == l && other[i] > cost[i] + 1e-5;
        free(one.label);
    }
    for (int i = 0; i < d.w * d.h; i++) outside += nuclei.label[i] && nuclei.label[i] != cells.label[i];
    ok(bad == 0, "propagation: each pixel goes to the nucleus with the cheapest way to it");
    ok(outside == 0, "each nucleus lies in its cell");
    o.grow = FIND_GROW_DISTANCE;
    o.grow_px = 7;
    if (find_cells(f, &o, d.px, 65535, &nuclei, &cells, &r) != OK) exit(1);
    bad = 0;
    for (int i = 0; i < d.w * d.h; i++) {
        int best = 1 << 30, mine = 1 << 30;
        for (int j = 0; j < d.w * d.h; j++) {
            int dy = i / d.w - j / d.w, dx = i % d.w - j % d.w, d2 = dy * dy + dx * dx;
            if (nuclei.label[j] && d2 < best) best = d2;
            if (nuclei.label[j] && nuclei.label[j] == cells.label[i] && d2 < mine) mine = d2;
        }
        bad += best <= 49 ? mine != best : cells.label[i] != 0;
    }
    ok(bad == 0, "distance only: the nearest nucleus, as far as 7 pixels");
    free(cost);
    free(other);
    objects_free(&nuclei);
    objects_free(&cells);
    drawing_free(&d);
}

/* ---- label images ---- */

static void test_labels(void)
{
    enum { W = 9, H = 4 };
    static const int32_t nuclei_px[W * H] = {7, 7, 0, 0, 9, 9, 9, 0, 0, 7, 7, 0, 0, 9, 9, 9, 0, 2147483647, [27] = 4, [28] = 4};
    static const int32_t cells_px[W * H] = {5, 5, 5, 0, 3, 3, 0, 0, 0, 5, 5, 5, 0, 3, 3, 0, 0, 8, [27] = 5};
    objects nuclei = {0}, cells = {0}, rest = {0};
    int32_t *number = NULL, scratch[10];
    size_t cap = 0;
    ok(objects_from_labels(&nuclei, nuclei_px, W, H, &number, &cap) == OK && nuclei.n == 4, "labels become 1..n");
    ok(number[0] == 4 && number[1] == 7 && number[2] == 9 && number[3] == 2147483647, "in rising order, and their own numbers are kept");
    ok(objects_area(&nuclei, 1) == 4 && nuclei.border[1] == 1 && nuclei.box[4 * 2 + 1] == 4, "areas, boxes, those at the edge");
    ok(objects_from_labels(&cells, cells_px, W, H, &number, &cap) == OK && cells.n == 3, "cells");
    ok(objects_pair(&nuclei, &cells, scratch) == OK && nuclei.n == 3, "nuclei get the numbers of their cells");
    ok(objects_area(&nuclei, 1) == 4 && objects_area(&nuclei, 0) == 4 && objects_area(&nuclei, 2) == 1,
       "the one with the most pixels in the cell, and what of it lies in the cell");
    ok(objects_subtract(&rest, &cells, &nuclei) == OK && rest.n == 3 && objects_area(&rest, 0) == 0 && objects_area(&rest, 1) == 3,
       "cytoplasm: the cell without its nucleus, which may be nothing");
    ok(objects_filter(&cells, (const uint8_t[]){0, 1, 1}) == OK && cells.n == 2 && cells.label[0] == 1 && cells.label[17] == 2 &&
           cells.label[4] == 0,
       "a subset is numbered anew");
    free(number);
    objects_free(&nuclei);
    objects_free(&cells);
    objects_free(&rest);
}

int main(void)
{
    finder *f = NULL;
    if (finder_create(&f) != OK) return 1;
    test_sparse(f);
    test_crowded(f);
    test_odd(f);
    test_propagation(f);
    test_labels();
    finder_free(&f);
    return tap_done();
}
