/* replicates.c -- percent replicating. */
#include "micon/profile/replicates.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"
#include "replicates_impl.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

status rows_by_code_init(rows_by_code *b, const int32_t *code, int64_t n, int32_t n_code)
{
    status st = OK;
    TRY(mem_alloc(&b->start, (size_t)n_code + 2, sizeof *b->start, "wells by compound"));
    TRY(mem_alloc(&b->row, (size_t)n, sizeof *b->row, "wells by compound"));
    TRY(mem_alloc(&b->filled, (size_t)n_code, sizeof *b->filled, "wells by compound"));
    for (int64_t i = 0; i < n; i++)
        if (code[i] >= 0) b->start[code[i] + 2]++;
    for (int32_t c = 0; c < n_code; c++) {
        if (b->start[c + 2] > 0) b->filled[b->n_filled++] = c;
        b->start[c + 2] += b->start[c + 1];
    }
    for (int64_t i = 0; i < n; i++)
        if (code[i] >= 0) b->row[b->start[code[i] + 1]++] = (int32_t)i;
done:
    return st;
}

void rows_by_code_free(rows_by_code *b)
{
    FREE(b->start);
    FREE(b->row);
    FREE(b->filled);
    b->n_filled = 0;
}

status replicate_known(int64_t n, double **known)
{
    enum { MOST = 4096 };
    size_t pairs = (size_t)(n * (n - 1) / 2);
    *known = NULL;
    if (n > MOST) return OK;
    status st = mem_alloc(known, pairs, sizeof **known, "correlations of wells");
    for (size_t i = 0; st == OK && i < pairs; i++) (*known)[i] = NAN;
    return st;
}

static double *known_pair(double *known, int64_t a, int64_t b)
{
    return known + (a > b ? a * (a - 1) / 2 + b : b * (b - 1) / 2 + a);
}

/* All pairs of a set by one product; room [m,d]. */
static void multiply_set(const float *x, int64_t d, const int32_t *row, int m, double *room, double *pair)
{
    double product[REPLICATE_MAX_SET * REPLICATE_MAX_SET];
    for (int i = 0; i < m; i++)
        for (int64_t j = 0; j < d; j++) room[i * d + j] = x[row[i] * d + j];
    cblas_dsyrk(CblasRowMajor, CblasUpper, CblasNoTrans, m, (int)d, 1, room, (int)d, 0, product, m);
    for (int i = 0; i + 1 < m; i++)
        for (int j = i + 1; j < m; j++) *pair++ = product[i * m + j];
}

void replicate_set_pairs(const float *x, int64_t d, double *known, double *room, const int32_t *row, int m, double *pair)
{
    int32_t want[REPLICATE_MAX_SET];
    double got[REPLICATE_MAX_SET];
    if (!known) {
        multiply_set(x, d, row, m, room, pair);
        return;
    }
    for (int i = 0; i + 1 < m; pair += m - i - 1, i++) {
        int n = 0;
        for (int j = i + 1; j < m; j++)
            if (isnan(*known_pair(known, row[i], row[j]))) want[n++] = row[j];
        linear_dot_rows(x + row[i] * d, x, d, want, n, got);
        for (int k = 0; k < n; k++) *known_pair(known, row[i], want[k]) = got[k];
        for (int j = i + 1; j < m; j++) pair[j - i - 1] = *known_pair(known, row[i], row[j]);
    }
}

double replicate_median(double *pair, const int32_t *row, int64_t m, const int32_t *place)
{
    int64_t n = 0, at = 0;
    for (int64_t i = 0; i + 1 < m; i++)
        for (int64_t j = i + 1; j < m; j++, at++)
            if (!place || place[row[j]] != place[row[i]]) pair[n++] = pair[at];
    return linear_median(pair, n);
}

status replicate_scores(const profile_rows *r, const int32_t *place, int32_t n_label, row_range labels, double *score)
{
    status st = OK;
    rows_by_code b = {0};
    double *pair = NULL;
    int64_t most = 0;
    TRY(rows_by_code_init(&b, r->label, r->n, n_label));
    for (int64_t c = labels.first; c < labels.first + labels.n; c++)
        if (b.start[c + 1] - b.start[c] > most) most = b.start[c + 1] - b.start[c];
    TRY(mem_alloc(&pair, (size_t)most, ((size_t)most + 1) / 2 * sizeof *pair, "correlations of a compound's wells"));
    for (int64_t c = labels.first; c < labels.first + labels.n; c++) {
        int64_t m = b.start[c + 1] - b.start[c], at = 0;
        const int32_t *row = b.row + b.start[c];
        for (int64_t i = 0; i + 1 < m; at += m - ++i) linear_dot_rows(r->x + row[i] * r->d, r->x, r->d, row + i + 1, m - i - 1, pair + at);
        score[c - labels.first] = replicate_median(pair, row, m, place);
    }
done:
    rows_by_code_free(&b);
    free(pair);
    return st;
}

/* Null set number `at`: distinct labels by a partial shuffle, one well of each. */
static void draw_set(const rows_by_code *b, int32_t *order, int set, uint32_t seed, int64_t at, int32_t *row)
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

status replicate_null(const profile_rows *r, double *known, int32_t n_label, int set, uint32_t seed, row_range draws, double *null)
{
    status st = OK;
    rows_by_code b = {0};
    int32_t *order = NULL, row[REPLICATE_MAX_SET];
    double *room = NULL;
    double pair[REPLICATE_MAX_SET * (REPLICATE_MAX_SET - 1) / 2];
    if (set < 2 || set > REPLICATE_MAX_SET) return fail(E_INTERNAL, "percent replicating: null sets of %d wells", set);
    TRY(rows_by_code_init(&b, r->label, r->n, n_label));
    if (b.n_filled < set)
        TRY(fail(E_FAILED, "percent replicating: null sets of %d wells need as many compounds, there are %d", set, b.n_filled));
    TRY(mem_alloc(&order, (size_t)n_label, sizeof *order, "compounds"));
    TRY(mem_alloc(&room, (size_t)set, (size_t)r->d * sizeof *room, "null sets"));
    for (int64_t i = 0; i < draws.n; i++) {
        draw_set(&b, order, set, seed, draws.first + i, row);
        replicate_set_pairs(r->x, r->d, known, room, row, set, pair);
        null[i] = replicate_median(pair, row, set, NULL);
    }
done:
    rows_by_code_free(&b);
    free(order);
    free(room);
    return st;
}

int replicate_set(int64_t count, int64_t filled)
{
    int64_t set = count < REPLICATE_MAX_SET ? count : REPLICATE_MAX_SET;
    if (set > filled) set = filled;
    return set < 2 ? 0 : (int)set;
}
