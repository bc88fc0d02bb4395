/* correlation.c -- Correlation of two channels within an object: Pearson's, overlap, K, Manders', rank weighted (RWC). The last four look
 * at pixels at or above 15 % of the object's maximum in a channel, as CellProfiler does. */
#include "measure_impl.h"

#include <math.h>
#include <stdio.h>

void correlation_names(const char *compartment, const char *a, const char *b, names *out)
{
    static const char *const one[] = {"Correlation", "Overlap"}, *const two[] = {"K", "Manders", "RWC"};
    char s[300];
    for (int i = 0; i < 2; i++) {
        snprintf(s, sizeof s, "%s_Correlation_%s_%s_%s", compartment, one[i], a, b);
        names_add(out, s);
    }
    for (int i = 0; i < 3; i++) {
        snprintf(s, sizeof s, "%s_Correlation_%s_%s_%s", compartment, two[i], a, b);
        names_add(out, s);
        snprintf(s, sizeof s, "%s_Correlation_%s_%s_%s", compartment, two[i], b, a);
        names_add(out, s);
    }
}

/* The least whole value that is at or above 15 % of the greatest, by the same division and comparison of reals. */
static int threshold(const uint16_t *value, int n, double unit)
{
    int most = 0;
    for (int i = 0; i < n; i++)
        if (value[i] > most) most = value[i];
    double limit = 15 / 100.0 * (most / unit);
    int t = (int)(0.15 * most);
    if (t > 0) t--;
    while (t / unit < limit) t++;
    return t;
}

typedef struct {
    uint64_t a, b, aa, bb, ab;       /* sums over all pixels */
    uint64_t above_a, above_b;       /* sums of a where a is above its threshold; of b likewise */
    uint64_t n_both, both_a, both_b; /* where both are */
    uint64_t both_aa, both_bb, both_ab;
    uint64_t ranked_a, ranked_b; /* the same weighted by R - |difference of ranks| */
} sums;

static void add_all(sums *s, const uint16_t *a, const uint16_t *b, int n)
{
    for (int i = 0; i < n; i++) {
        uint64_t x = a[i], y = b[i];
        s->a += x;
        s->b += y;
        s->aa += x * x;
        s->bb += y * y;
        s->ab += x * y;
    }
}

static void add_above(sums *s, const uint16_t *a, const uint16_t *b, const uint16_t *rank_a, const uint16_t *rank_b, int n, int ta, int tb,
                      int ranks)
{
    for (int i = 0; i < n; i++) {
        uint64_t x = a[i], y = b[i];
        bool in_a = a[i] >= ta, in_b = b[i] >= tb;
        if (in_a) s->above_a += x;
        if (in_b) s->above_b += y;
        if (!in_a || !in_b) continue;
        int apart = rank_a[i] > rank_b[i] ? rank_a[i] - rank_b[i] : rank_b[i] - rank_a[i];
        uint64_t weight = (uint64_t)(ranks - apart);
        s->n_both++;
        s->both_a += x;
        s->both_b += y;
        s->both_aa += x * x;
        s->both_bb += y * y;
        s->both_ab += x * y;
        s->ranked_a += x * weight;
        s->ranked_b += y * weight;
    }
}

__extension__ typedef __int128 wide;

static double pearson(const sums *s, int64_t n)
{
    wide aa = (wide)n * (wide)s->aa - (wide)s->a * (wide)s->a, bb = (wide)n * (wide)s->bb - (wide)s->b * (wide)s->b;
    wide ab = (wide)n * (wide)s->ab - (wide)s->a * (wide)s->b;
    return aa > 0 && bb > 0 ? (double)ab / (sqrt((double)aa) * sqrt((double)bb)) : NAN;
}

float *correlation_values(const object_view *v, const value_order *o, int a, int b, double unit_a, double unit_b, float *out)
{
    const uint16_t *va = v->value[a], *vb = v->value[b];
    int ranks = o->n_ranks[a] > o->n_ranks[b] ? o->n_ranks[a] : o->n_ranks[b];
    sums s = {0};
    add_all(&s, va, vb, v->n);
    add_above(&s, va, vb, o->rank[a], o->rank[b], v->n, threshold(va, v->n, unit_a), threshold(vb, v->n, unit_b), ranks);
    *out++ = (float)pearson(&s, v->n);
    double scale = unit_a == unit_b ? 1 : unit_a / unit_b; /* K divides a product of both by a square of one */
    double values[7] = {0, 0, 0, 0, 0, 0, 0};
    if (s.n_both > 0) {
        values[0] = (double)s.both_ab / sqrt((double)s.both_aa * (double)s.both_bb);
        values[1] = (double)s.both_ab / (double)s.both_aa * scale;
        values[2] = (double)s.both_ab / (double)s.both_bb / scale;
        values[3] = (double)s.both_a / (double)s.above_a;
        values[4] = (double)s.both_b / (double)s.above_b;
        values[5] = (double)s.ranked_a / ranks / (double)s.above_a;
        values[6] = (double)s.ranked_b / ranks / (double)s.above_b;
    }
    for (int i = 0; i < 7; i++) *out++ = (float)values[i];
    return out;
}
