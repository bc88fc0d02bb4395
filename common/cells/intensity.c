/* intensity.c -- Intensity and Location of one channel, and values in rising order with their ranks. Sums are whole numbers; a value
 * becomes CellProfiler's by a division by the sample type's largest at the end. Quartiles, median and MAD as in CellProfiler: the value
 * at place n q of the rising values, between neighbours in proportion. */
#include "measure_impl.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__extension__ typedef __int128 wide;

static const char *const intensity_features[] = {"Intensity_IntegratedIntensity",    "Intensity_IntegratedIntensityEdge",
                                                 "Intensity_LowerQuartileIntensity", "Intensity_MADIntensity",
                                                 "Intensity_MassDisplacement",       "Intensity_MaxIntensity",
                                                 "Intensity_MaxIntensityEdge",       "Intensity_MeanIntensity",
                                                 "Intensity_MeanIntensityEdge",      "Intensity_MedianIntensity",
                                                 "Intensity_MinIntensity",           "Intensity_MinIntensityEdge",
                                                 "Intensity_StdIntensity",           "Intensity_StdIntensityEdge",
                                                 "Intensity_UpperQuartileIntensity", "Location_CenterMassIntensity_X",
                                                 "Location_CenterMassIntensity_Y",   "Location_MaxIntensity_X",
                                                 "Location_MaxIntensity_Y"};

void intensity_names(const char *compartment, const char *channel, names *out)
{
    char s[300];
    for (size_t i = 0; i < sizeof intensity_features / sizeof *intensity_features; i++) {
        snprintf(s, sizeof s, "%s_%s_%s", compartment, intensity_features[i], channel);
        names_add(out, s);
    }
}

/* ---- order ---- */

status order_create(value_order *o, int n_channels)
{
    *o = (value_order){.n_channels = n_channels};
    o->rank = xcalloc((size_t)n_channels, sizeof *o->rank);
    o->n_ranks = xcalloc((size_t)n_channels, sizeof *o->n_ranks);
    return mem_alloc(&o->rank_of, 65536, sizeof *o->rank_of, "ranks of values");
}

void order_free(value_order *o)
{
    for (int c = 0; o->rank && c < o->n_channels; c++) free(o->rank[c]);
    free(o->rank);
    free(o->n_ranks);
    free(o->rank_of);
    free(o->sorted);
    free(o->scratch);
    *o = (value_order){0};
}

status order_reserve(value_order *o, size_t n)
{
    status st = OK;
    if (n <= o->cap) return OK;
    size_t cap = n > 2 * o->cap ? n : 2 * o->cap;
    o->cap = 0;
    FREE(o->sorted);
    FREE(o->scratch);
    TRY(mem_alloc(&o->sorted, cap, sizeof *o->sorted, "an object's values"));
    TRY(mem_alloc(&o->scratch, cap, sizeof *o->scratch, "an object's values"));
    for (int c = 0; c < o->n_channels; c++) {
        FREE(o->rank[c]);
        TRY(mem_alloc(&o->rank[c], cap, sizeof **o->rank, "an object's ranks"));
    }
    o->cap = cap;
done:
    return st;
}

/* Two passes of a counting sort over the lower and the upper byte. */
static void sort_values(const uint16_t *value, int n, uint16_t *scratch, uint16_t *sorted)
{
    int low[256] = {0}, high[256] = {0}, at_low = 0, at_high = 0;
    for (int i = 0; i < n; i++) {
        low[value[i] & 255]++;
        high[value[i] >> 8]++;
    }
    for (int b = 0; b < 256; b++) {
        int l = low[b], h = high[b];
        low[b] = at_low;
        high[b] = at_high;
        at_low += l;
        at_high += h;
    }
    for (int i = 0; i < n; i++) scratch[low[value[i] & 255]++] = value[i];
    for (int i = 0; i < n; i++) sorted[high[scratch[i] >> 8]++] = scratch[i];
}

void order_channel(value_order *o, const object_view *v, int channel)
{
    const uint16_t *value = v->value[channel];
    int rank = 0;
    sort_values(value, v->n, o->scratch, o->sorted);
    o->rank_of[o->sorted[0]] = 0;
    for (int i = 1; i < v->n; i++)
        if (o->sorted[i] != o->sorted[i - 1]) o->rank_of[o->sorted[i]] = (uint16_t)++rank;
    for (int i = 0; i < v->n; i++) o->rank[channel][i] = o->rank_of[value[i]];
    o->n_ranks[channel] = rank + 1;
}

/* The value at place n * fraction of the sorted ones. */
static double quantile(const uint16_t *sorted, int n, double fraction)
{
    double place = n * fraction;
    int low = (int)place < n - 1 ? (int)place : n - 1, high = low + 1 < n ? low + 1 : n - 1;
    double f = place - low;
    return sorted[low] * (1 - f) + sorted[high] * f;
}

/* The same at one half of the distances from the median, which two runs of the sorted values give in rising order. */
static double median_deviation(const uint16_t *sorted, int n, double median)
{
    double place = n * 0.5, found[2] = {0, 0};
    int want = (int)place < n - 1 ? (int)place : n - 1, right = 0, k = 0;
    int step = n;
    while (step > 0) { /* the first value not below the median */
        int half = step / 2;
        if (sorted[right + half] < median) {
            right += half + 1;
            step -= half + 1;
        } else {
            step = half;
        }
    }
    int left = right - 1;
    for (; k <= want + 1 && k < n; k++) {
        double below = left >= 0 ? median - sorted[left] : INFINITY, above = right < n ? sorted[right] - median : INFINITY;
        double d = below < above ? below : above;
        if (below < above)
            left--;
        else
            right++;
        if (k == want) found[0] = found[1] = d;
        if (k == want + 1) found[1] = d;
    }
    double f = place - want;
    return found[0] * (1 - f) + found[1] * f;
}

/* ---- values ---- */

typedef struct {
    int64_t n, sum;
    wide squares;
    int low, high;
} tally;

static void tally_add(tally *t, int value)
{
    if (t->n == 0 || value < t->low) t->low = value;
    if (t->n == 0 || value > t->high) t->high = value;
    t->n++;
    t->sum += value;
    t->squares += (int64_t)value * value;
}

static double tally_sd(const tally *t)
{
    wide spread = (wide)t->n * t->squares - (wide)t->sum * t->sum;
    return sqrt((double)spread) / (double)t->n;
}

float *intensity_values(const object_view *v, value_order *o, int channel, double unit, float *out)
{
    const uint16_t *value = v->value[channel];
    tally all = {0}, edge = {0};
    int64_t y = 0, x = 0, mass_y = 0, mass_x = 0;
    int brightest = 0;
    for (int i = 0; i < v->n; i++) {
        tally_add(&all, value[i]);
        if (v->edge[i]) tally_add(&edge, value[i]);
        if (value[i] > value[brightest]) brightest = i;
        y += v->y[i];
        x += v->x[i];
        mass_y += (int64_t)value[i] * v->y[i];
        mass_x += (int64_t)value[i] * v->x[i];
    }
    double n = (double)all.n, median = quantile(o->sorted, v->n, 0.5);
    double my = all.sum ? (double)mass_y / (double)all.sum : NAN, mx = all.sum ? (double)mass_x / (double)all.sum : NAN;
    double dy = my - (double)y / n, dx = mx - (double)x / n;
    double edge_mean = edge.n ? (double)edge.sum / (double)edge.n : 0, edge_sd = edge.n ? tally_sd(&edge) : 0;
    const double values[] = {(double)all.sum / unit,
                             (double)edge.sum / unit,
                             quantile(o->sorted, v->n, 0.25) / unit,
                             median_deviation(o->sorted, v->n, median) / unit,
                             sqrt(dy * dy + dx * dx),
                             all.high / unit,
                             edge.high / unit,
                             (double)all.sum / n / unit,
                             edge_mean / unit,
                             median / unit,
                             all.low / unit,
                             edge.low / unit,
                             tally_sd(&all) / unit,
                             edge_sd / unit,
                             quantile(o->sorted, v->n, 0.75) / unit,
                             mx + v->left,
                             my + v->top,
                             v->x[brightest] + v->left,
                             v->y[brightest] + v->top};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) *out++ = (float)values[i];
    return out;
}
