/* average_precision.c -- average precision, sets of controls, average precision of mechanisms against each other. */
#include "micon/profile/average_precision.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

double ap_of_ranks(const int32_t *rank, int64_t m)
{
    double sum = 0;
    for (int64_t i = 0; i < m; i++) sum += (double)(i + 1) / rank[i];
    return m > 0 ? sum / (double)m : NAN;
}

void ap_scores_free(ap_scores *s)
{
    FREE(s->ap);
    FREE(s->n_positive);
    FREE(s->n_total);
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

double ap_of_similarities(double *positive, int64_t m, double *negative, int64_t n)
{
    double sum = 0;
    int64_t before = 0;
    qsort(positive, (size_t)m, sizeof *positive, descending);
    qsort(negative, (size_t)n, sizeof *negative, descending);
    for (int64_t i = 0; i < m; i++) {
        while (before < n && negative[before] > positive[i]) before++;
        sum += (double)(i + 1) / (double)(i + 1 + before);
    }
    return m > 0 ? sum / (double)m : NAN;
}

/* ---- controls ---- */

typedef struct {
    const uint8_t *control;
    const int32_t *code[4]; /* plate, batch, source, all (NULL) */
    int64_t n, top[4];      /* top: number of codes of a level */
    int64_t *count[4];      /* [level][code] controls */
    int32_t *set[4];        /* [level][code] set number, -1: none yet */
} chooser;

static int32_t code_at(const chooser *h, int level, int64_t row)
{
    return h->code[level] ? h->code[level][row] : 0;
}

static status chooser_init(chooser *h)
{
    status st = OK;
    for (int level = 0; level < 4; level++) {
        h->top[level] = 1;
        for (int64_t i = 0; i < h->n; i++)
            if (code_at(h, level, i) >= h->top[level]) h->top[level] = code_at(h, level, i) + 1;
        TRY(mem_alloc(&h->count[level], (size_t)h->top[level], sizeof(int64_t), "controls"));
        TRY(mem_alloc(&h->set[level], (size_t)h->top[level], sizeof(int32_t), "controls"));
        memset(h->set[level], -1, (size_t)h->top[level] * sizeof(int32_t));
        for (int64_t i = 0; i < h->n; i++) h->count[level][code_at(h, level, i)] += h->control[i] != 0;
    }
done:
    return st;
}

status ap_controls_init(ap_controls *c, const uint8_t *control, const int32_t *plate, const int32_t *batch, const int32_t *source,
                        int64_t n, int min_controls)
{
    status st = OK;
    chooser h = {.control = control, .code = {plate, batch, source, NULL}, .n = n};
    int32_t *code = NULL;
    int64_t n_row = 0, cap;
    *c = (ap_controls){0};
    TRY(chooser_init(&h));
    if (h.count[3][0] == 0) TRY(fail(E_FAILED, "mean average precision: the screen has no controls to compare with"));
    cap = h.top[0] + h.top[1] + h.top[2] + 1;
    TRY(mem_alloc(&c->start, (size_t)cap + 1, sizeof *c->start, "controls"));
    TRY(mem_alloc(&c->level, (size_t)cap, sizeof *c->level, "controls"));
    TRY(mem_alloc(&code, (size_t)cap, sizeof *code, "controls"));
    TRY(mem_alloc(&c->set_of, (size_t)n, sizeof *c->set_of, "controls"));
    for (int64_t i = 0; i < n; i++) {
        int level = 0;
        while (level < 3 && (!h.code[level] || h.count[level][code_at(&h, level, i)] < min_controls)) level++;
        int32_t at = code_at(&h, level, i), *set = &h.set[level][at];
        if (*set < 0) {
            *set = c->n_set++;
            c->level[*set] = level, code[*set] = at;
            n_row += h.count[level][at];
        }
        c->set_of[i] = *set;
    }
    TRY(mem_alloc(&c->row, (size_t)n_row, sizeof *c->row, "controls"));
    for (int32_t s = 0; s < c->n_set; s++) c->start[s + 1] = c->start[s] + h.count[c->level[s]][code[s]];
    for (int64_t i = 0; i < n; i++)
        for (int level = 0; level < 4 && control[i]; level++) {
            int32_t s = h.set[level][code_at(&h, level, i)];
            if (s >= 0) c->row[c->start[s]++] = (int32_t)i;
        }
    memmove(c->start + 1, c->start, (size_t)c->n_set * sizeof *c->start);
    c->start[0] = 0;
done:
    for (int level = 0; level < 4; level++) {
        free(h.count[level]);
        free(h.set[level]);
    }
    free(code);
    if (st != OK) ap_controls_free(c);
    return st;
}

void ap_controls_free(ap_controls *c)
{
    FREE(c->start);
    FREE(c->row);
    FREE(c->level);
    FREE(c->set_of);
    *c = (ap_controls){0};
}

/* ---- consistency ---- */

static bool share_any(const int32_t *a, int64_t na, const int32_t *b, int64_t nb)
{
    for (int64_t i = 0; i < na; i++)
        for (int64_t j = 0; j < nb; j++)
            if (a[i] == b[j]) return true;
    return false;
}

status ap_consistency(const profile_rows *r, const ap_targets *targets, const int32_t *place, row_range queries, const ap_scores *out)
{
    status st = OK;
    const int64_t *start = targets->start;
    const int32_t *target = targets->code;
    linear_panels all = {0};
    int32_t *row = NULL;
    double *sim = NULL, *positive = NULL, *negative = NULL;
    int64_t m = 0;
    TRY(mem_alloc(&row, (size_t)r->n, sizeof *row, "compounds"));
    for (int64_t i = 0; i < r->n; i++)
        if ((!r->use || r->use[i]) && start[i + 1] > start[i]) row[m++] = (int32_t)i;
    TRY(linear_panels_init(&all, r->x, r->d, row, m));
    TRY(mem_alloc(&sim, (size_t)m + LINEAR_PANEL, sizeof *sim, "similarities"));
    TRY(mem_alloc(&positive, (size_t)m, sizeof *positive, "similarities"));
    TRY(mem_alloc(&negative, (size_t)m, sizeof *negative, "similarities"));
    for (int64_t i = 0; i < queries.n; i++) {
        int64_t q = queries.first + i, np = 0, nn = 0;
        const int32_t *own = target + start[q];
        out->ap[i] = NAN, out->n_positive[i] = out->n_total[i] = 0;
        if ((r->use && !r->use[q]) || start[q + 1] == start[q]) continue;
        linear_panels_dot(&all, r->x + q * r->d, sim);
        for (int64_t j = 0; j < m; j++) {
            if (row[j] == q || (place && place[q] >= 0 && place[row[j]] == place[q])) continue;
            if (share_any(own, start[q + 1] - start[q], target + start[row[j]], start[row[j] + 1] - start[row[j]]))
                positive[np++] = sim[j];
            else
                negative[nn++] = sim[j];
        }
        out->ap[i] = ap_of_similarities(positive, np, negative, nn);
        out->n_positive[i] = (int32_t)np, out->n_total[i] = (int32_t)(np + nn);
    }
done:
    linear_panels_free(&all);
    free(row);
    free(sim);
    free(positive);
    free(negative);
    return st;
}
