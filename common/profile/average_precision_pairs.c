/* average_precision_pairs.c -- average precision of chosen pairs of rows (docs/method.md 8): only rows that agree in a query's codes are
 * looked at, so that pairs within plates cost no more than plates. */
#include "micon/profile/average_precision.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>

/* Used rows by their code: row[start[c] .. start[c+1]), ascending. */
typedef struct {
    int64_t *start;
    int32_t *row;
    int32_t n;
} by_code;

static status by_code_init(by_code *b, const int32_t *code, const uint8_t *use, int64_t n)
{
    status st = OK;
    for (int64_t i = 0; i < n; i++)
        if (code[i] >= b->n) b->n = code[i] + 1;
    TRY(mem_alloc(&b->start, (size_t)b->n + 2, sizeof *b->start, "pairs"));
    TRY(mem_alloc(&b->row, (size_t)n, sizeof *b->row, "pairs"));
    for (int64_t i = 0; i < n; i++)
        if (!use || use[i]) b->start[code[i] + 2]++;
    for (int32_t c = 0; c < b->n; c++) b->start[c + 2] += b->start[c + 1];
    for (int64_t i = 0; i < n; i++)
        if (!use || use[i]) b->row[b->start[code[i] + 1]++] = (int32_t)i;
done:
    return st;
}

static void by_code_free(by_code *b)
{
    free(b->start);
    free(b->row);
}

static bool differ(const int32_t *code, int n_code, int64_t n, int64_t a, int64_t b)
{
    for (int k = 0; k < n_code; k++)
        if (code[k * n + a] == code[k * n + b]) return false;
    return true;
}

typedef struct {
    const profile_rows *r;
    const ap_pair_rule *rule;
    by_code pos, neg;
    double *positive, *negative, *sim; /* scratch [n], sim with a panel more */
} pair_work;

static void pair_query(pair_work *w, int64_t q, const linear_panels *group, const int32_t *row, const ap_scores *out, int64_t at)
{
    const profile_rows *r = w->r;
    const ap_pair_rule *rule = w->rule;
    int32_t mine = rule->pos_same[q];
    const int32_t *same = w->pos.row + w->pos.start[mine];
    int64_t n_same = w->pos.start[mine + 1] - w->pos.start[mine], np = 0, nn = 0;
    const float *x = r->x + q * r->d;
    linear_dot_rows(x, r->x, r->d, same, n_same, w->sim);
    for (int64_t j = 0; j < n_same; j++)
        if (same[j] != q && differ(rule->pos_diff, rule->n_pos_diff, r->n, q, same[j])) w->positive[np++] = w->sim[j];
    if (np > 0) linear_panels_dot(group, x, w->sim);
    for (int64_t j = 0; j < group->n; j++) {
        if (row[j] == q || !differ(rule->neg_diff, rule->n_neg_diff, r->n, q, row[j])) continue;
        if (np > 0) w->negative[nn] = w->sim[j];
        nn++;
    }
    out->n_positive[at] = (int32_t)np, out->n_total[at] = (int32_t)(np + nn);
    if (np > 0) out->ap[at] = ap_of_similarities(w->positive, np, w->negative, nn);
}

status ap_pairs(const profile_rows *r, const ap_pair_rule *rule, const uint8_t *ask, row_range queries, const ap_scores *out)
{
    status st = OK;
    linear_panels group = {0};
    pair_work w = {.r = r, .rule = rule};
    for (int64_t i = 0; i < queries.n; i++) out->ap[i] = NAN, out->n_positive[i] = out->n_total[i] = 0;
    TRY(by_code_init(&w.pos, rule->pos_same, r->use, r->n));
    TRY(by_code_init(&w.neg, rule->neg_same, r->use, r->n));
    double **scratch[] = {&w.positive, &w.negative, &w.sim};
    for (int k = 0; k < 3; k++) TRY(mem_alloc(scratch[k], (size_t)r->n + LINEAR_PANEL, sizeof **scratch[k], "similarities"));
    for (int32_t c = 0; c < w.neg.n; c++) {
        const int32_t *row = w.neg.row + w.neg.start[c];
        int64_t n = w.neg.start[c + 1] - w.neg.start[c];
        bool made = false;
        for (int64_t i = 0; i < n; i++) {
            int64_t q = row[i], at = q - queries.first;
            if (!ask[q] || at < 0 || at >= queries.n) continue;
            if (!made) TRY(linear_panels_init(&group, r->x, r->d, row, n));
            made = true;
            pair_query(&w, q, &group, row, out, at);
        }
        linear_panels_free(&group);
    }
done:
    linear_panels_free(&group);
    by_code_free(&w.pos);
    by_code_free(&w.neg);
    free(w.positive);
    free(w.negative);
    free(w.sim);
    return st;
}
