/* replicates.c -- percent replicating. */
#include "micon/profile/replicates.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Rows by label: start [n_label+1] into row. */
typedef struct {
    int64_t *start;
    int32_t *row, *filled; /* filled [n_filled]: labels with wells */
    int32_t n_filled;
} by_label;

static status sort_rows(by_label *b, const int32_t *label, int64_t n, int32_t n_label)
{
    status st = OK;
    TRY(mem_alloc(&b->start, (size_t)n_label + 2, sizeof *b->start, "wells by compound"));
    TRY(mem_alloc(&b->row, (size_t)n, sizeof *b->row, "wells by compound"));
    TRY(mem_alloc(&b->filled, (size_t)n_label, sizeof *b->filled, "wells by compound"));
    for (int64_t i = 0; i < n; i++)
        if (label[i] >= 0) b->start[label[i] + 2]++;
    for (int32_t c = 0; c < n_label; c++) {
        if (b->start[c + 2] > 0) b->filled[b->n_filled++] = c;
        b->start[c + 2] += b->start[c + 1];
    }
    for (int64_t i = 0; i < n; i++)
        if (label[i] >= 0) b->row[b->start[label[i] + 1]++] = (int32_t)i;
done:
    return st;
}

static void by_label_free(by_label *b)
{
    free(b->start);
    free(b->row);
    free(b->filled);
}

/* The median correlation over the pairs of m rows; pair holds m (m-1) / 2 numbers. */
static double median_of_pairs(const float *x, int64_t d, const int32_t *row, int64_t m, double *pair)
{
    int64_t n = 0;
    for (int64_t i = 0; i + 1 < m; i++, n += m - i) linear_dot_rows(x + row[i] * d, x, d, row + i + 1, m - i - 1, pair + n);
    return linear_median(pair, m * (m - 1) / 2);
}

status replicate_scores(const profile_rows *r, int32_t n_label, row_range labels, double *score)
{
    status st = OK;
    by_label b = {0};
    double *pair = NULL;
    int64_t most = 0;
    TRY(sort_rows(&b, r->label, r->n, n_label));
    for (int64_t c = labels.first; c < labels.first + labels.n; c++)
        if (b.start[c + 1] - b.start[c] > most) most = b.start[c + 1] - b.start[c];
    TRY(mem_alloc(&pair, (size_t)most, ((size_t)most + 1) / 2 * sizeof *pair, "correlations of a compound's wells"));
    for (int64_t c = labels.first; c < labels.first + labels.n; c++) {
        int64_t m = b.start[c + 1] - b.start[c];
        score[c - labels.first] = m < 2 ? NAN : median_of_pairs(r->x, r->d, b.row + b.start[c], m, pair);
    }
done:
    by_label_free(&b);
    free(pair);
    return st;
}

/* Null set number `at`: distinct labels by a partial shuffle, one well of each. */
static void draw_set(const by_label *b, int32_t *order, int set, uint32_t seed, int64_t at, int32_t *row)
{
    rng r = rng_at(seed, STREAM_REPLICATE, (uint32_t)set, (uint64_t)at);
    for (int32_t i = 0; i < b->n_filled; i++) order[i] = b->filled[i];
    for (int i = 0; i < set; i++) {
        int32_t j = i + (int32_t)rng_below(&r, (uint64_t)(b->n_filled - i)), c = order[j];
        order[j] = order[i];
        order[i] = c;
        row[i] = b->row[b->start[c] + (int64_t)rng_below(&r, (uint64_t)(b->start[c + 1] - b->start[c]))];
    }
}

status replicate_null(const profile_rows *r, int32_t n_label, int set, uint32_t seed, row_range draws, double *null)
{
    status st = OK;
    by_label b = {0};
    int32_t *order = NULL, row[REPLICATE_MAX_SET];
    double pair[REPLICATE_MAX_SET * (REPLICATE_MAX_SET - 1) / 2];
    if (set < 2 || set > REPLICATE_MAX_SET) return fail(E_INTERNAL, "percent replicating: null sets of %d wells", set);
    TRY(sort_rows(&b, r->label, r->n, n_label));
    if (b.n_filled < set)
        TRY(fail(E_FAILED, "percent replicating: null sets of %d wells need as many compounds, there are %d", set, b.n_filled));
    TRY(mem_alloc(&order, (size_t)n_label, sizeof *order, "compounds"));
    for (int64_t i = 0; i < draws.n; i++) {
        draw_set(&b, order, set, seed, draws.first + i, row);
        null[i] = median_of_pairs(r->x, r->d, row, set, pair);
    }
done:
    by_label_free(&b);
    free(order);
    return st;
}

int replicate_set(int64_t count, int64_t filled)
{
    int64_t set = count < REPLICATE_MAX_SET ? count : REPLICATE_MAX_SET;
    if (set > filled) set = filled;
    return set < 2 ? 0 : (int)set;
}
