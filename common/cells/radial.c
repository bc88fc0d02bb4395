/* radial.c -- RadialDistribution: the stain in rings between the innermost pixel and the edge, its variation over eight wedges, and
 * Zernikes of the values. The distance from the innermost pixel runs within the object, steps of 1 and, across corners, of the root
 * of 2. */
#include "measure_impl.h"

#include "micon/base/mem.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { UNREACHED = 255, WEDGES = 8 };

void radial_names(const char *compartment, const char *channel, names *out)
{
    static const char *const name[] = {"FracAtD", "MeanFrac", "RadialCV"}, *const part[] = {"Magnitude", "Phase"};
    char s[300];
    for (int f = 0; f < 3; f++)
        for (int r = 1; r <= N_RINGS; r++) {
            snprintf(s, sizeof s, "%s_RadialDistribution_%s_%s_%dof%d", compartment, name[f], channel, r, N_RINGS);
            names_add(out, s);
        }
    for (int f = 0; f < 2; f++)
        for (int k = 0; k < N_ZERNIKE; k++) {
            int n, m;
            zernike_index(k, &n, &m);
            snprintf(s, sizeof s, "%s_RadialDistribution_Zernike%s_%s_%d_%d", compartment, part[f], channel, n, m);
            names_add(out, s);
        }
}

void rings_free(rings *r)
{
    free(r->ring);
    free(r->wedge);
    free(r->distance);
    *r = (rings){0};
}

static status rings_reserve(rings *r, size_t n, size_t box)
{
    status st = OK;
    if (n > r->n_cap) {
        size_t cap = n > 2 * r->n_cap ? n : 2 * r->n_cap;
        r->n_cap = 0;
        FREE(r->ring);
        FREE(r->wedge);
        TRY(mem_alloc(&r->ring, cap, 1, "an object's rings"));
        TRY(mem_alloc(&r->wedge, cap, 1, "an object's rings"));
        r->n_cap = cap;
    }
    TRY(mem_grow(&r->distance, &r->box_cap, box, sizeof *r->distance, "an object's distances"));
done:
    return st;
}

/* Does a step from `from` shorten the way to *to? */
static inline bool shorten(double *to, double from, double step)
{
    bool shorter = from + step < *to;
    if (shorter) *to = from + step;
    return shorter;
}

/* One sweep over the object's pixels, forth (sign 1) or back; does anything change? Pixels outside keep an infinite distance. */
static bool sweep(const object_view *v, double *d, int sign)
{
    bool changed = false;
    double across = sqrt(2.0);
    int s = v->stride * sign;
    for (int k = 0; k < v->n; k++) {
        double *p = d + v->at[sign > 0 ? k : v->n - 1 - k];
        changed |= shorten(p, p[-sign], 1) | shorten(p, p[-s], 1) | shorten(p, p[-s - 1], across) | shorten(p, p[-s + 1], across);
    }
    return changed;
}

static void distances_from(const object_view *v, int centre, double *d)
{
    int64_t box = (int64_t)v->stride * (v->height + 2);
    for (int64_t i = 0; i < box; i++) d[i] = INFINITY;
    d[v->at[centre]] = 0;
    sweep(v, d, 1);
    bool changed = true;
    for (int sign = -1; changed; sign = -sign) changed = sweep(v, d, sign);
}

status rings_of(rings *r, const object_view *v)
{
    status st = OK;
    int centre = 0;
    TRY(rings_reserve(r, (size_t)v->n, (size_t)v->stride * (size_t)(v->height + 2)));
    for (int i = 1; i < v->n; i++)
        if (v->d2[i] > v->d2[centre]) centre = i;
    distances_from(v, centre, r->distance);
    for (int i = 0; i < v->n; i++) {
        double d = r->distance[v->at[i]], edge = sqrt((double)v->d2[i]);
        int dy = v->y[i] - v->y[centre], dx = v->x[i] - v->x[centre];
        r->wedge[i] = (uint8_t)((dy > 0) + 2 * (dx > 0) + 4 * (abs(dy) > abs(dx)));
        r->ring[i] = isinf(d) ? UNREACHED : (uint8_t)(d / (d + edge + 0.001) * N_RINGS);
    }
done:
    return st;
}

/* Spread of the wedges' means over their mean; wedges without pixels do not count. */
static double wedge_variation(const int64_t sum[WEDGES], const int64_t n[WEDGES])
{
    double mean[WEDGES], total = 0, spread = 0;
    int k = 0;
    for (int w = 0; w < WEDGES; w++) {
        if (n[w] == 0) continue;
        mean[k] = (double)sum[w] / (double)n[w];
        total += mean[k++];
    }
    if (k == 0) return 0;
    for (int w = 0; w < k; w++) spread += (mean[w] - total / k) * (mean[w] - total / k);
    return sqrt(spread / k) / (total / k);
}

float *radial_values(const object_view *v, const rings *r, const zernike_sums *z, int channel, double unit, float *out)
{
    int64_t sum[N_RINGS][WEDGES] = {{0}}, n[N_RINGS][WEDGES] = {{0}}, all_sum = 0, all_n = 0;
    const uint16_t *value = v->value[channel];
    for (int i = 0; i < v->n; i++) {
        if (r->ring[i] >= N_RINGS) continue;
        sum[r->ring[i]][r->wedge[i]] += value[i];
        n[r->ring[i]][r->wedge[i]]++;
    }
    double ring_sum[N_RINGS] = {0}, ring_n[N_RINGS] = {0};
    for (int b = 0; b < N_RINGS; b++)
        for (int w = 0; w < WEDGES; w++) {
            ring_sum[b] += (double)sum[b][w];
            ring_n[b] += (double)n[b][w];
            all_sum += sum[b][w];
            all_n += n[b][w];
        }
    for (int b = 0; b < N_RINGS; b++) *out++ = (float)(ring_sum[b] / (double)all_sum);
    for (int b = 0; b < N_RINGS; b++) *out++ = (float)(ring_sum[b] / (double)all_sum / (ring_n[b] / (double)all_n + DBL_EPSILON));
    for (int b = 0; b < N_RINGS; b++) *out++ = (float)wedge_variation(sum[b], n[b]);
    const double *re = z->re + (size_t)(1 + channel) * N_ZERNIKE, *im = z->im + (size_t)(1 + channel) * N_ZERNIKE;
    for (int k = 0; k < N_ZERNIKE; k++) *out++ = (float)(sqrt(re[k] * re[k] + im[k] * im[k]) / unit / v->n);
    for (int k = 0; k < N_ZERNIKE; k++) *out++ = (float)atan2(re[k], im[k]);
    return out;
}
