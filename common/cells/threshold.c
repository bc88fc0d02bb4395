/* threshold.c -- foreground of an image: Otsu's threshold for two or three classes, or the minimum cross-entropy (Li and Lee), from a
 * histogram of values or of their logarithms, for the image or for blocks of it. */
#include "find_impl.h"

#include "micon/base/mem.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BINS = 512 };
#define LEAST_VALUE (1.0 / 65536) /* of the logarithm's argument */
/* A block's threshold stays within these shares of the image's, as CellProfiler's adaptive thresholds do. */
#define LOCAL_LOW 0.7
#define LOCAL_HIGH 1.5

typedef struct {
    double count[BINS + 1], sum[BINS + 1]; /* running: of the bins before */
    double low, width;                     /* of the first bin; of a bin */
} histogram;

typedef struct {
    int top, left, bottom, right, stride;
} window;

static inline double scaled(double v, bool log_scale)
{
    return log_scale ? log2(v > LEAST_VALUE ? v : LEAST_VALUE) : v;
}

/* False: all values are one. */
static bool fill(histogram *h, const float *image, const window *w, bool log_scale)
{
    double low = INFINITY, high = -INFINITY, count[BINS] = {0};
    for (int y = w->top; y < w->bottom; y++)
        for (int x = w->left; x < w->right; x++) {
            double v = image[(int64_t)y * w->stride + x];
            if (v < low) low = v;
            if (v > high) high = v;
        }
    low = scaled(low, log_scale);
    high = scaled(high, log_scale);
    if (!(high > low)) return false;
    h->low = low;
    h->width = (high - low) / BINS;
    for (int y = w->top; y < w->bottom; y++)
        for (int x = w->left; x < w->right; x++) {
            int b = (int)((scaled((double)image[(int64_t)y * w->stride + x], log_scale) - low) / h->width);
            count[b < BINS ? b : BINS - 1]++;
        }
    h->count[0] = h->sum[0] = 0;
    for (int b = 0; b < BINS; b++) {
        h->count[b + 1] = h->count[b] + count[b];
        h->sum[b + 1] = h->sum[b] + count[b] * (low + (b + 0.5) * h->width);
    }
    return true;
}

/* What a class of bins [from, to) adds to the variance between classes. */
static inline double between(const histogram *h, int from, int to)
{
    double n = h->count[to] - h->count[from], s = h->sum[to] - h->sum[from];
    return n > 0 ? s * s / n : 0;
}

static int otsu_two(const histogram *h)
{
    int best = 1;
    double most = -1;
    for (int t = 1; t < BINS; t++) {
        double v = between(h, 0, t) + between(h, t, BINS);
        if (v > most) {
            most = v;
            best = t;
        }
    }
    return best;
}

static int otsu_three(const histogram *h, bool middle_is_foreground)
{
    int best[2] = {1, 2};
    double most = -1;
    for (int a = 1; a < BINS - 1; a++) {
        double first = between(h, 0, a);
        for (int b = a + 1; b < BINS; b++) {
            double v = first + between(h, a, b) + between(h, b, BINS);
            if (v > most) {
                most = v;
                best[0] = a;
                best[1] = b;
            }
        }
    }
    return best[middle_is_foreground ? 0 : 1];
}

/* Values are taken from the least on, so that both means are positive: t becomes (b - a) / (ln b - ln a) until it stays. */
static int cross_entropy(const histogram *h)
{
    double total = h->sum[BINS] - h->low * h->count[BINS], mean = total / h->count[BINS];
    int t = (int)(mean / h->width);
    for (int step = 0; step < 1000; step++) {
        t = t < 1 ? 1 : t > BINS - 1 ? BINS - 1 : t;
        double below = (h->sum[t] - h->low * h->count[t]) / fmax(h->count[t], 1);
        double n = h->count[BINS] - h->count[t], above = (total - (h->sum[t] - h->low * h->count[t])) / fmax(n, 1);
        if (!(below > 0) || !(above > below)) break;
        int next = (int)((above - below) / (log(above) - log(below)) / h->width + 0.5);
        if (next == t) break;
        t = next;
    }
    return t < 1 ? 1 : t > BINS - 1 ? BINS - 1 : t;
}

/* NaN where all values are one. */
static double threshold_of(const find_foreground *o, bool middle_is_foreground, const float *image, const window *w)
{
    histogram h;
    if (!fill(&h, image, w, o->log)) return NAN;
    int t = o->method == FIND_OTSU ? otsu_two(&h) : o->method == FIND_OTSU3 ? otsu_three(&h, middle_is_foreground) : cross_entropy(&h);
    double v = h.low + t * h.width;
    return (o->log ? exp2(v) : v) * o->correction;
}

static status local_thresholds(finder *f, const find_foreground *o, bool middle, const float *image, double global, int rows, int columns)
{
    status st = mem_grow(&f->block, &f->block_cap, (size_t)rows * (size_t)columns, sizeof *f->block, "thresholds of blocks");
    for (int r = 0; st == OK && r < rows; r++)
        for (int c = 0; c < columns; c++) {
            window w = {.top = r * o->local_px, .left = c * o->local_px, .stride = f->width};
            w.bottom = w.top + o->local_px < f->height ? w.top + o->local_px : f->height;
            w.right = w.left + o->local_px < f->width ? w.left + o->local_px : f->width;
            double t = threshold_of(o, middle, image, &w);
            if (isnan(t)) t = global;
            f->block[r * columns + c] = (float)fmin(fmax(t, LOCAL_LOW * global), LOCAL_HIGH * global);
        }
    return st;
}

status threshold_mask(finder *f, const find_foreground *o, bool middle, const float *image, uint8_t *mask, find_report *r)
{
    status st = OK;
    window all = {0, 0, f->height, f->width, f->width};
    int64_t n = (int64_t)f->width * f->height, inside = 0;
    double global = threshold_of(o, middle, image, &all);
    r->threshold = isnan(global) ? 0 : global;
    if (isnan(global)) {
        memset(mask, 0, (size_t)n);
    } else if (o->local_px > 0) {
        int rows = (f->height + o->local_px - 1) / o->local_px, columns = (f->width + o->local_px - 1) / o->local_px;
        TRY(local_thresholds(f, o, middle, image, global, rows, columns));
        for (int y = 0; y < f->height; y++)
            for (int x = 0; x < f->width; x++) {
                int64_t i = (int64_t)y * f->width + x;
                mask[i] = image[i] > block_value(f->block, rows, columns, o->local_px, y, x);
            }
    } else {
        float t = (float)global;
        for (int64_t i = 0; i < n; i++) mask[i] = image[i] > t;
    }
    for (int64_t i = 0; i < n; i++) inside += mask[i];
    r->foreground = (double)inside / (double)n;
done:
    return st;
}
