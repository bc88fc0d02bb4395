/* texture.c -- Haralick's thirteen features of an object's co-occurrence matrices, as mahotas computes them for CellProfiler: 256 levels
 * of the sample type's whole range, pairs at a distance in four directions, level 0 left out.
 *
 * A matrix is counted from the object's lowest level to its highest, its upper triangle; the four directions of a distance are counted
 * together. It is symmetric, so that both marginals are one, and HXY1 = HXY2 = 2 HX; entropies come from a table of c log2 c over
 * counts. */
#include "measure_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEVELS = 256, N_HARALICK = 13, N_DIRECTIONS = 4, N_LOG = 8192, N_LANES = 8 };
/* Cells between two matrices: the same cell of all four must not have the same place in a page, or each would wait for the others. */
enum { GAP = 272, MOST_CELLS = LEVELS * LEVELS + GAP };

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
    TRY(mem_alloc(&t->count, (size_t)N_DIRECTIONS * MOST_CELLS, sizeof *t->count, "co-occurrences"));
    TRY(mem_alloc(&t->c_log_c, N_LOG, sizeof *t->c_log_c, "logarithms"));
    for (int i = 1; i < N_LOG; i++) t->c_log_c[i] = i * log2(i);
done:
    return st;
}

void texture_free(texture_work *t)
{
    free(t->level);
    free(t->at);
    free(t->count);
    free(t->c_log_c);
    *t = (texture_work){0};
}

static inline double c_log_c(const texture_work *t, int32_t c)
{
    return c < N_LOG ? t->c_log_c[c] : (double)c * log2((double)c);
}

/* ---- levels: 0 is none; the others are numbered from 1, the object's lowest that is not 0 ---- */

status texture_object(texture_work *t, const object_view *v, int margin)
{
    status st = OK;
    t->stride = v->width + 2 * margin;
    size_t size = (size_t)t->stride * ((size_t)v->height + 2 * (size_t)margin);
    TRY(mem_grow(&t->level, &t->level_cap, size, 1, "an object's levels"));
    TRY(mem_grow(&t->at, &t->at_cap, (size_t)v->n, sizeof *t->at, "an object's levels"));
    memset(t->level, 0, size);
    for (int i = 0; i < v->n; i++) t->at[i] = (v->y[i] + margin) * t->stride + v->x[i] + margin;
done:
    return st;
}

typedef struct {
    int lowest, n; /* n levels, of which some may not occur */
    uint8_t seen[LEVELS];
} level_range;

static void fill_levels(texture_work *t, const object_view *v, int channel, double unit, level_range *r)
{
    const uint16_t *value = v->value[channel];
    bool wide_samples = unit > 255;
    *r = (level_range){.lowest = LEVELS};
    int highest = 0;
    for (int i = 0; i < v->n; i++) {
        int l = wide_samples ? (value[i] + 128) / 257 : value[i] < 255 ? value[i] : 255; /* v / 65535 * 255, rounded; no half occurs */
        t->level[t->at[i]] = (uint8_t)l;
        r->seen[l] = 1;
    }
    for (int l = LEVELS - 1; l > 0; l--) {
        if (!r->seen[l]) continue;
        r->lowest = l;
        if (highest == 0) highest = l;
    }
    if (highest == 0) return;
    r->n = highest - r->lowest + 1;
    for (int i = 0; i < v->n; i++) {
        uint8_t *l = t->level + t->at[i];
        *l = (uint8_t)(*l ? *l - r->lowest + 1 : 0);
    }
}

static inline int cells_of(int row)
{
    return row * row + GAP;
}

/* Pairs of levels in all directions: count [directions][cells_of(row)], of which row^2 are used, row the lower level. Row 0 holds those
 * that have no level. */
HOT static void count_pairs(const uint8_t *level, const int32_t *at, int n_px, int row, const int *offset, int32_t *count)
{
    int apart = cells_of(row);
    for (int i = 0; i < n_px; i++) {
        const uint8_t *l = level + at[i];
        int a = l[0];
        for (int d = 0; d < N_DIRECTIONS; d++) {
            int b = l[offset[d]], low = a < b ? a : b, high = a < b ? b : a;
            count[d * apart + low * row + high]++;
        }
    }
}

/* ---- features of one matrix ---- */

typedef struct {
    int32_t one[LEVELS + 1];  /* marginal by numbered level, */
    int32_t apart[LEVELS];    /* by difference of levels, */
    int32_t both[2 * LEVELS]; /* and by the sum of their numbers; the last two in pairs, the first in counts of the symmetric matrix */
    int64_t squares;          /* of the counts of the symmetric matrix */
    double entropy;           /* sum of c log2 c over them */
} marginals;

/* c [n]: a row of the triangle; one, apart, both begin where its first column belongs. */
HOT static int32_t add_row(const int32_t *restrict c, int n, int32_t *restrict one, int32_t *restrict apart, int32_t *restrict both,
                           int64_t *squares)
{
    int32_t sum = 0;
    int64_t square = 0;
    for (int j = 0; j < n; j++) {
        one[j] += c[j];
        apart[j] += c[j];
        both[j] += c[j];
        sum += c[j];
        square += (int64_t)c[j] * c[j];
    }
    *squares += square;
    return sum;
}

/* Sum of c log2 c in N_LANES parts: the order is written down, so that it does not depend on how wide a processor's vectors are. */
HOT static void add_logarithms(const int32_t *restrict c, int n, const double *restrict table, double *restrict lane)
{
    int j = 0;
    for (; j + N_LANES <= n; j += N_LANES)
        for (int k = 0; k < N_LANES; k++) lane[k] += table[c[j + k] < N_LOG ? c[j + k] : 0];
    for (int k = 0; j < n; j++, k++) lane[k] += table[c[j] < N_LOG ? c[j] : 0];
}

/* count is 0 afterwards. */
static void gather(const texture_work *t, const level_range *r, int32_t *count, marginals *m)
{
    int row = r->n + 1;
    double lane[N_LANES] = {0}, diagonal = 0, beyond_table = 0;
    int64_t squares = 0, square_diagonal = 0;
    memset(m->one, 0, ((size_t)r->n + 1) * sizeof *m->one);
    memset(m->apart, 0, (size_t)r->n * sizeof *m->apart);
    memset(m->both, 0, (2 * (size_t)r->n + 1) * sizeof *m->both);
    memset(count, 0, (size_t)row * sizeof *count);
    for (int i = 1; i <= r->n; i++) {
        if (!r->seen[r->lowest + i - 1]) continue;
        int32_t *c = count + i * row + i;
        int n = r->n - i + 1;
        int32_t sum = add_row(c, n, m->one + i, m->apart, m->both + 2 * (size_t)i, &squares); /* adds to one[i] too */
        m->one[i] += sum;
        add_logarithms(c + 1, n - 1, t->c_log_c, lane);
        for (int j = 1; m->one[i] >= N_LOG && j < n; j++)
            if (c[j] >= N_LOG) beyond_table += c_log_c(t, c[j]);
        diagonal += c_log_c(t, 2 * c[0]);
        square_diagonal += (int64_t)c[0] * c[0];
        memset(c, 0, (size_t)n * sizeof *c);
    }
    m->squares = 2 * squares + 2 * square_diagonal;
    m->entropy = beyond_table;
    for (int k = 0; k < N_LANES; k++) m->entropy += lane[k];
    m->entropy = 2 * m->entropy + diagonal;
}

static void haralick(const texture_work *t, const level_range *r, const marginals *m, int64_t pairs, float *out)
{
    double all = 2 * (double)pairs, log_all = log2(all), sum = 0, square = 0, h_one = 0, contrast = 0, idm = 0, h_apart = 0, apart2 = 0;
    double both = 0, both2 = 0, h_both = 0;
    int top = r->lowest + r->n - 1; /* matrices of mahotas end at the object's highest level */
    for (int i = 1; i <= r->n; i++) {
        double k = r->lowest + i - 1, c = m->one[i];
        sum += k * c;
        square += k * k * c;
        h_one += c_log_c(t, m->one[i]);
    }
    for (int d = 0; d < r->n; d++) {
        double c = 2.0 * m->apart[d], d2 = (double)d * d;
        contrast += d2 * c;
        idm += c / (1 + d2);
        apart2 += c * c;
        h_apart += c_log_c(t, 2 * m->apart[d]);
    }
    for (int i = 2; i <= 2 * r->n; i++) {
        double c = 2.0 * m->both[i], s = 2.0 * (r->lowest - 1) + i;
        both += s * c;
        both2 += s * s * c;
        h_both += c_log_c(t, 2 * m->both[i]);
    }
    double spread = square * all - sum * sum, variance = spread / all / all;
    bool one_level = spread <= 0; /* its entropies are 0, not what rounding leaves of them */
    double hx = one_level ? 0 : log_all - h_one / all, h = one_level ? 0 : log_all - m->entropy / all, size = top + 1, share = 1 / size;
    double products = (both2 - contrast) / 4; /* 4 a b = (a + b)^2 - (a - b)^2 */
    double covariance = (products * all - sum * sum) / all / all;
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

void texture_values(texture_work *t, const object_view *v, int channel, double unit, const int *scale, int n_scales, float **out)
{
    static const int step[N_DIRECTIONS][2] = {{0, 1}, {1, 1}, {1, 0}, {1, -1}};
    level_range r;
    marginals m;
    fill_levels(t, v, channel, unit, &r);
    for (int k = 0; k < n_scales; k++) {
        bool empty = false;
        int offset[N_DIRECTIONS];
        for (int d = 0; d < N_DIRECTIONS; d++) offset[d] = scale[k] * (step[d][0] * t->stride + step[d][1]);
        count_pairs(t->level, t->at, v->n, r.n + 1, offset, t->count);
        for (int d = 0; d < N_DIRECTIONS; d++, *out += N_HARALICK) {
            int64_t pairs = 0;
            gather(t, &r, t->count + (int64_t)d * cells_of(r.n + 1), &m);
            for (int i = 1; i <= r.n; i++) pairs += m.one[i];
            if (pairs == 0)
                empty = true;
            else
                haralick(t, &r, &m, pairs / 2, *out);
        }
        /* A direction without pairs leaves all of the scale undefined. */
        for (int i = 1; empty && i <= N_DIRECTIONS * N_HARALICK; i++) (*out)[-i] = NAN;
    }
}
