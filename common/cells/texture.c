/* texture.c -- Haralick's thirteen features of an object's co-occurrence matrices, as mahotas computes them for CellProfiler: 256 levels
 * of the sample type's whole range, pairs at a distance in four directions, level 0 left out.
 *
 * A matrix is counted over the levels that occur only, its upper triangle, with a list of the cells that were touched. It is symmetric, so
 * that both marginals are one, and HXY1 = HXY2 = 2 HX; entropies come from a table of c log2 c over counts. */
#include "measure_impl.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 256, N_HARALICK = 13, N_DIRECTIONS = 4, N_LOG = 8192 };

void texture_names(const char *compartment, const char *channel, const int *scale, int n_scales, names *out)
{
    static const char *const feature[N_HARALICK] = {
        "AngularSecondMoment", "Contrast",    "Correlation", "Variance", "InverseDifferenceMoment",
        "SumAverage",          "SumVariance", "SumEntropy",  "Entropy",  "DifferenceVariance",
        "DifferenceEntropy",   "InfoMeas1",   "InfoMeas2"};
    char s[300];
    for (int k = 0; k < n_scales; k++)
        for (int d = 0; d < N_DIRECTIONS; d++)
            for (int f = 0; f < N_HARALICK; f++) {
                snprintf(s, sizeof s, "%s_Texture_%s_%s_%d_%02d_%d", compartment, feature[f], channel, scale[k], d, LEVELS);
                names_add(out, s);
            }
}

status texture_create(texture_work *t)
{
    status st = OK;
    *t = (texture_work){0};
    TRY(mem_alloc(&t->count, (size_t)LEVELS * LEVELS, sizeof *t->count, "co-occurrences"));
    TRY(mem_alloc(&t->touched, (size_t)LEVELS * LEVELS + 1, sizeof *t->touched, "co-occurrences"));
    TRY(mem_alloc(&t->c_log_c, N_LOG, sizeof *t->c_log_c, "logarithms"));
    for (int i = 1; i < N_LOG; i++) t->c_log_c[i] = i * log2(i);
done:
    return st;
}

void texture_free(texture_work *t)
{
    free(t->level);
    free(t->count);
    free(t->touched);
    free(t->c_log_c);
    *t = (texture_work){0};
}

static inline double c_log_c(const texture_work *t, int64_t c)
{
    return c < N_LOG ? t->c_log_c[c] : (double)c * log2((double)c);
}

/* ---- levels: 0 is none; those that occur are numbered 1.. in rising order, value[] says which they were ---- */

typedef struct {
    int n, stride; /* n levels from 1 */
    int value[LEVELS + 1];
} level_map;

static status fill_levels(texture_work *t, const object_view *v, int channel, double unit, int margin, level_map *map)
{
    status st = OK;
    uint8_t seen[LEVELS] = {0}, number[LEVELS] = {0};
    const uint16_t *value = v->value[channel];
    bool wide_samples = unit > 255;
    map->stride = v->width + 2 * margin;
    size_t size = (size_t)map->stride * ((size_t)v->height + 2 * (size_t)margin);
    TRY(mem_grow(&t->level, &t->level_cap, size, 1, "an object's levels"));
    memset(t->level, 0, size);
    for (int i = 0; i < v->n; i++) {
        int l = wide_samples ? (value[i] + 128) / 257 : value[i] < 255 ? value[i] : 255; /* v / 65535 * 255, rounded; no half occurs */
        t->level[(int64_t)(v->y[i] + margin) * map->stride + v->x[i] + margin] = (uint8_t)l;
        seen[l] = 1;
    }
    map->n = 0;
    for (int l = 1; l < LEVELS; l++) {
        if (!seen[l]) continue;
        number[l] = (uint8_t)++map->n;
        map->value[map->n] = l;
    }
    for (int i = 0; i < v->n; i++) {
        uint8_t *l = t->level + (int64_t)(v->y[i] + margin) * map->stride + v->x[i] + margin;
        *l = number[*l];
    }
done:
    return st;
}

/* Pairs of levels `offset` apart; *n_touched cells of count [n + 1, n + 1], row the lower level. */
static int64_t count_pairs(texture_work *t, const object_view *v, const level_map *map, int margin, int offset, int *n_touched)
{
    int row = map->n + 1, touched = 0;
    int64_t pairs = 0;
    for (int i = 0; i < v->n; i++) {
        const uint8_t *l = t->level + (int64_t)(v->y[i] + margin) * map->stride + v->x[i] + margin;
        int a = l[0], b = l[offset];
        if (a == 0 || b == 0) continue;
        int low = a < b ? a : b, high = a < b ? b : a, cell = low * row + high;
        t->touched[touched] = cell;
        touched += t->count[cell]++ == 0;
        pairs++;
    }
    *n_touched = touched;
    return pairs;
}

/* ---- features of one matrix ---- */

typedef struct {
    int64_t one[LEVELS + 1];   /* marginal by numbered level, */
    int64_t apart[LEVELS];     /* by difference of levels, */
    int64_t both[2 * LEVELS];  /* and by their sum; in counts of the symmetric matrix */
    int64_t squares, products; /* sums of squared counts, and of level * level * count */
    double entropy;            /* sum of c log2 c */
} marginals;

static void gather(texture_work *t, const level_map *map, int n_touched, marginals *m)
{
    int row = map->n + 1;
    memset(m, 0, sizeof *m);
    for (int k = 0; k < n_touched; k++) {
        int cell = t->touched[k], i = cell / row, j = cell % row, a = map->value[i], b = map->value[j];
        int64_t c = t->count[cell];
        t->count[cell] = 0;
        m->one[i] += c;
        m->one[j] += c;
        m->apart[b - a] += 2 * c;
        m->both[a + b] += 2 * c;
        m->products += 2 * c * a * b;
        m->squares += i == j ? 4 * c * c : 2 * c * c;
        m->entropy += i == j ? c_log_c(t, 2 * c) : 2 * c_log_c(t, c);
    }
}

static void haralick(const texture_work *t, const level_map *map, const marginals *m, int64_t total, float *out)
{
    double all = (double)total, log_all = log2(all), sum = 0, square = 0, h_one = 0, contrast = 0, idm = 0, h_apart = 0, apart2 = 0;
    double both = 0, both2 = 0, h_both = 0;
    int top = map->value[map->n]; /* matrices of mahotas end at the object's highest level */
    for (int i = 1; i <= map->n; i++) {
        double k = map->value[i], c = (double)m->one[i];
        sum += k * c;
        square += k * k * c;
        h_one += c_log_c(t, m->one[i]);
    }
    for (int d = 0; d <= top; d++) {
        double c = (double)m->apart[d], d2 = (double)d * d;
        contrast += d2 * c;
        idm += c / (1 + d2);
        apart2 += c * c;
        h_apart += c_log_c(t, m->apart[d]);
    }
    for (int s = 2; s <= 2 * top; s++) {
        double c = (double)m->both[s];
        both += s * c;
        both2 += (double)s * s * c;
        h_both += c_log_c(t, m->both[s]);
    }
    double spread = square * all - sum * sum, variance = spread / all / all;
    bool one_level = spread <= 0; /* its entropies are 0, not what rounding leaves of them */
    double hx = one_level ? 0 : log_all - h_one / all, h = one_level ? 0 : log_all - m->entropy / all, size = top + 1, share = 1 / size;
    double covariance = ((double)m->products * all - sum * sum) / all / all;
    const double values[N_HARALICK] = {(double)m->squares / all / all,
                                       contrast / all,
                                       one_level ? 1 : covariance / variance,
                                       variance,
                                       idm / all,
                                       both / all,
                                       both2 / all - both / all * (both / all),
                                       log_all - h_both / all,
                                       h,
                                       apart2 / all / all / size - share * share,
                                       log_all - h_apart / all,
                                       hx == 0 ? h - 2 * hx : (h - 2 * hx) / hx,
                                       sqrt(fmax(0, 1 - exp(-2 * (2 * hx - h))))};
    for (int f = 0; f < N_HARALICK; f++) out[f] = (float)values[f];
}

status texture_values(texture_work *t, const object_view *v, int channel, double unit, const int *scale, int n_scales, float **out)
{
    static const int step[N_DIRECTIONS][2] = {{0, 1}, {1, 1}, {1, 0}, {1, -1}};
    status st = OK;
    level_map map;
    marginals m;
    int margin = 0;
    for (int k = 0; k < n_scales; k++)
        if (scale[k] > margin) margin = scale[k];
    TRY(fill_levels(t, v, channel, unit, margin, &map));
    for (int k = 0; k < n_scales; k++) {
        bool empty = false;
        for (int d = 0; d < N_DIRECTIONS; d++) {
            int touched, offset = scale[k] * (step[d][0] * map.stride + step[d][1]);
            int64_t pairs = count_pairs(t, v, &map, margin, offset, &touched);
            gather(t, &map, touched, &m);
            if (pairs == 0)
                empty = true;
            else
                haralick(t, &map, &m, 2 * pairs, *out + d * N_HARALICK);
        }
        /* A direction without pairs leaves all of the scale undefined. */
        for (int i = 0; empty && i < N_DIRECTIONS * N_HARALICK; i++) (*out)[i] = NAN;
        *out += N_DIRECTIONS * N_HARALICK;
    }
done:
    return st;
}
