/* normal_scores.c -- normal scores of ranks, by groups. */
#include "micon/profile/normal_scores.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 256 };

/* Bisection on erfc, as exact as it is: every score is computed once a group size, so speed does not matter. */
double normal_quantile(double p)
{
    double low = -40, high = 40;
    if (p > 0.5) return -normal_quantile(1 - p);
    for (int i = 0; i < 100 && low < high; i++) {
        double middle = low + (high - low) / 2;
        if (middle <= low || middle >= high) break;
        if (erfc(-middle / sqrt(2)) / 2 < p)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Unsigned keys that ascend as floats do; -0 is 0. */
static uint32_t key_of(float v)
{
    uint32_t u;
    v += 0.0f;
    memcpy(&u, &v, sizeof u);
    return u & 0x80000000u ? ~u : u | 0x80000000u;
}

/* Sorts items (key << 32 | row) by key, stably; room [m] is scratch. The result is in items. */
static void sort_keys(uint64_t *items, uint64_t *room, int64_t m)
{
    for (int shift = 32; shift < 64; shift += 8) {
        int64_t start[DIGITS + 1] = {0};
        for (int64_t i = 0; i < m; i++) start[(items[i] >> shift & (DIGITS - 1)) + 1]++;
        for (int k = 0; k < DIGITS; k++) start[k + 1] += start[k];
        for (int64_t i = 0; i < m; i++) room[start[items[i] >> shift & (DIGITS - 1)]++] = items[i];
        uint64_t *swap = items;
        items = room, room = swap;
    }
}

/* Scores of the ranks 1, 1.5, 2, .. m: score [2 m - 1]. */
static void fill_scores(double *score, int64_t m)
{
    int64_t n = 2 * m - 1;
    for (int64_t t = 0; t < (n + 1) / 2; t++) {
        double p = (1 + (double)t / 2 - 0.375) / ((double)m + 0.25);
        score[t] = 2 * t + 1 == n ? 0 : normal_quantile(p);
        score[n - 1 - t] = -score[t];
    }
}

typedef struct {
    uint64_t *item, *room;
    double *score; /* of the group's size */
    float *value, *at;
    int64_t scored;
} ranks;

/* One feature, whose column x and y point at, of one group's rows. Leaves the sorted values and their scores in r. */
static void rank_column(ranks *r, const float *x, int64_t d, const int32_t *row, int64_t m, float *y)
{
    for (int64_t i = 0; i < m; i++) r->item[i] = (uint64_t)key_of(x[row[i] * d]) << 32 | (uint32_t)i; /* x is read before y is written */
    sort_keys(r->item, r->room, m);
    for (int64_t i = 0; i < m;) {
        int64_t end = i + 1;
        while (end < m && r->item[end] >> 32 == r->item[i] >> 32) end++;
        float z = (float)r->score[i + end - 1]; /* the mean of the ranks i + 1 .. end */
        float v = x[row[r->item[i] & 0xffffffffu] * d];
        for (; i < end; i++) {
            int32_t to = row[r->item[i] & 0xffffffffu];
            r->value[i] = v, r->at[i] = z;
            y[to * d] = z;
        }
    }
}

static float place_between(const ranks *r, int64_t m, float v)
{
    int64_t low = 0, high = m; /* the first value above v */
    while (low < high) {
        int64_t middle = (low + high) / 2;
        if (r->value[middle] > v)
            high = middle;
        else
            low = middle + 1;
    }
    if (low == 0) return r->at[0];
    if (low == m || r->value[low - 1] == v) return r->at[low - 1];
    double share = ((double)v - r->value[low - 1]) / ((double)r->value[low] - r->value[low - 1]);
    return (float)(r->at[low - 1] + share * ((double)r->at[low] - r->at[low - 1]));
}

/* Rows by group: order [start[g] .. start[g+1]). */
static status sort_rows(const int32_t *group, int64_t n, int32_t n_group, int64_t **start, int32_t **order)
{
    status st = OK;
    TRY(mem_alloc(start, (size_t)n_group + 2, sizeof **start, "groups"));
    TRY(mem_alloc(order, (size_t)n, sizeof **order, "groups"));
    for (int64_t i = 0; i < n; i++)
        if (group[i] >= 0) (*start)[group[i] + 2]++;
    for (int32_t g = 0; g < n_group; g++) (*start)[g + 2] += (*start)[g + 1];
    for (int64_t i = 0; i < n; i++)
        if (group[i] >= 0) (*order)[(*start)[group[i] + 1]++] = (int32_t)i;
done:
    return st;
}

status normal_scores(const float *x, int64_t n, int64_t d, const int32_t *group, int32_t n_group, const scored_others *others, float *y)
{
    status st = OK;
    int64_t *start = NULL, *other_start = NULL, most = 1;
    int32_t *order = NULL, *other_order = NULL;
    ranks r = {.scored = 0};
    TRY(sort_rows(group, n, n_group, &start, &order));
    if (others) TRY(sort_rows(others->group, others->n, n_group, &other_start, &other_order));
    for (int32_t g = 0; g < n_group; g++) most = start[g + 1] - start[g] > most ? start[g + 1] - start[g] : most;
    TRY(mem_alloc(&r.item, (size_t)most, sizeof *r.item, "ranks"));
    TRY(mem_alloc(&r.room, (size_t)most, sizeof *r.room, "ranks"));
    TRY(mem_alloc(&r.score, 2 * (size_t)most, sizeof *r.score, "ranks"));
    TRY(mem_alloc(&r.value, (size_t)most, sizeof *r.value, "ranks"));
    TRY(mem_alloc(&r.at, (size_t)most, sizeof *r.at, "ranks"));
    if (others) memset(others->y, 0, (size_t)(others->n * d) * sizeof *others->y);
    for (int32_t g = 0; g < n_group; g++) {
        int64_t m = start[g + 1] - start[g];
        if (m == 0) continue;
        if (m != r.scored) fill_scores(r.score, r.scored = m);
        for (int64_t j = 0; j < d; j++) {
            rank_column(&r, x + j, d, order + start[g], m, y + j);
            for (int64_t i = others ? other_start[g] : 0; others && i < other_start[g + 1]; i++) {
                int64_t at = other_order[i] * d + j;
                others->y[at] = place_between(&r, m, others->x[at]);
            }
        }
    }
done:
    free(start);
    free(order);
    free(other_start);
    free(other_order);
    free(r.item);
    free(r.room);
    free(r.score);
    free(r.value);
    free(r.at);
    return st;
}
