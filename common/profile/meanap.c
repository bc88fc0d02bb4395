/* meanap.c -- average precision of replicates against controls, and of mechanisms against each other. */
#include "micon/meanap.h"

#include "micon/linear.h"
#include "micon/mem.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

double meanap_average_precision(const int32_t *rank, int64_t m)
{
    double sum = 0;
    for (int64_t i = 0; i < m; i++) sum += (double)(i + 1) / rank[i];
    return m > 0 ? sum / (double)m : NAN;
}

static int descending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x > y ? -1 : x < y;
}

double meanap_of_similarities(double *positive, int64_t m, double *negative, int64_t n)
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

status meanap_controls_init(meanap_controls *c, const uint8_t *control, const int32_t *plate, const int32_t *batch, const int32_t *source,
                            int64_t n, int min_controls)
{
    status st = OK;
    chooser h = {.control = control, .code = {plate, batch, source, NULL}, .n = n};
    int32_t *code = NULL;
    int64_t n_row = 0, cap;
    *c = (meanap_controls){0};
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
    if (st != OK) meanap_controls_free(c);
    return st;
}

void meanap_controls_free(meanap_controls *c)
{
    FREE(c->start);
    FREE(c->row);
    FREE(c->level);
    FREE(c->set_of);
    *c = (meanap_controls){0};
}

/* ---- activity ---- */

typedef struct {
    const float *x;
    int64_t d, first;
    const meanap_controls *controls;
    linear_panels *negatives; /* one per control set */
    double *positive, *negative;
    double *ap;
    int32_t *n_positive, *n_total;
} activity;

/* All queries of the range among the members of one label. */
static status activity_label(activity *a, const int32_t *member, int64_t m, int64_t n_range)
{
    linear_panels others = {0};
    int64_t asked = 0;
    for (int64_t i = 0; i < m; i++) asked += member[i] >= a->first && member[i] < a->first + n_range;
    if (asked == 0) return OK;
    status st = linear_panels_init(&others, a->x, a->d, member, m);
    for (int64_t i = 0; i < m && st == OK; i++) {
        int64_t at = member[i] - a->first;
        if (at < 0 || at >= n_range) continue;
        const float *q = a->x + member[i] * a->d;
        const linear_panels *n = &a->negatives[a->controls->set_of[member[i]]];
        linear_panels_dot(n, q, a->negative);
        a->n_total[at] = (int32_t)(m - 1 + n->n);
        a->n_positive[at] = (int32_t)(m - 1);
        if (m < 2) continue;
        linear_panels_dot(&others, q, a->positive);
        a->positive[i] = a->positive[m - 1]; /* without itself */
        a->ap[at] = meanap_of_similarities(a->positive, m - 1, a->negative, n->n);
    }
    linear_panels_free(&others);
    return st;
}

typedef struct {
    int32_t label, row;
} member;

static int member_cmp(const void *a, const void *b)
{
    const member *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

status meanap_activity(const float *x, int64_t n, int64_t d, const int32_t *label, const uint8_t *use, const meanap_controls *controls,
                       int64_t first, int64_t n_range, double *ap, int32_t *n_positive, int32_t *n_total)
{
    status st = OK;
    member *sorted = NULL;
    int32_t *row = NULL;
    int64_t m = 0, longest = 0;
    activity a = {.x = x, .d = d, .first = first, .controls = controls, .ap = ap, .n_positive = n_positive, .n_total = n_total};
    TRY(mem_alloc(&sorted, (size_t)n, sizeof *sorted, "wells by compound"));
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "wells by compound"));
    TRY(mem_alloc(&a.positive, (size_t)n + LINEAR_PANEL, sizeof(double), "similarities"));
    TRY(mem_alloc(&a.negatives, (size_t)controls->n_set, sizeof *a.negatives, "controls"));
    for (int32_t s = 0; s < controls->n_set; s++) {
        int64_t len = controls->start[s + 1] - controls->start[s];
        longest = len > longest ? len : longest;
        TRY(linear_panels_init(&a.negatives[s], x, d, controls->row + controls->start[s], len));
    }
    TRY(mem_alloc(&a.negative, (size_t)longest + LINEAR_PANEL, sizeof(double), "similarities"));
    for (int64_t i = 0; i < n_range; i++) ap[i] = NAN, n_positive[i] = n_total[i] = 0;
    for (int64_t i = 0; i < n; i++)
        if ((!use || use[i]) && label[i] >= 0) sorted[m++] = (member){label[i], (int32_t)i};
    qsort(sorted, (size_t)m, sizeof *sorted, member_cmp);
    for (int64_t i = 0; i < m; i++) row[i] = sorted[i].row;
    for (int64_t i = 0, end; i < m; i = end) {
        for (end = i; end < m && sorted[end].label == sorted[i].label;) end++;
        TRY(activity_label(&a, row + i, end - i, n_range));
    }
done:
    for (int32_t s = 0; a.negatives && s < controls->n_set; s++) linear_panels_free(&a.negatives[s]);
    free(a.negatives);
    free(a.positive);
    free(a.negative);
    free(sorted);
    free(row);
    return st;
}

/* ---- consistency ---- */

static bool share_any(const int32_t *a, int64_t na, const int32_t *b, int64_t nb)
{
    for (int64_t i = 0; i < na; i++)
        for (int64_t j = 0; j < nb; j++)
            if (a[i] == b[j]) return true;
    return false;
}

status meanap_consistency(const float *x, int64_t n, int64_t d, const int64_t *start, const int32_t *target, const uint8_t *use,
                          int64_t first, int64_t n_range, double *ap, int32_t *n_positive, int32_t *n_total)
{
    status st = OK;
    linear_panels all = {0};
    int32_t *row = NULL;
    double *sim = NULL, *positive = NULL, *negative = NULL;
    int64_t m = 0;
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "compounds"));
    for (int64_t i = 0; i < n; i++)
        if ((!use || use[i]) && start[i + 1] > start[i]) row[m++] = (int32_t)i;
    TRY(linear_panels_init(&all, x, d, row, m));
    TRY(mem_alloc(&sim, (size_t)m + LINEAR_PANEL, sizeof *sim, "similarities"));
    TRY(mem_alloc(&positive, (size_t)m, sizeof *positive, "similarities"));
    TRY(mem_alloc(&negative, (size_t)m, sizeof *negative, "similarities"));
    for (int64_t i = 0; i < n_range; i++) {
        int64_t q = first + i, np = 0, nn = 0;
        const int32_t *own = target + start[q];
        ap[i] = NAN, n_positive[i] = n_total[i] = 0;
        if ((use && !use[q]) || start[q + 1] == start[q]) continue;
        linear_panels_dot(&all, x + q * d, sim);
        for (int64_t j = 0; j < m; j++) {
            if (row[j] == q) continue;
            if (share_any(own, start[q + 1] - start[q], target + start[row[j]], start[row[j] + 1] - start[row[j]]))
                positive[np++] = sim[j];
            else
                negative[nn++] = sim[j];
        }
        ap[i] = meanap_of_similarities(positive, np, negative, nn);
        n_positive[i] = (int32_t)np, n_total[i] = (int32_t)(np + nn);
    }
done:
    linear_panels_free(&all);
    free(row);
    free(sim);
    free(positive);
    free(negative);
    return st;
}
