/* average_precision.c -- average precision of replicates against controls, and of mechanisms against each other. */
#include "micon/profile/average_precision.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/simd_clones.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
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

/* ---- activity ----
 * Similarities come from float products, whole blocks at a time. An AP needs, for each positive, only how many negatives are above it;
 * where a negative lies within MARGIN of a positive both are multiplied again exactly, so the outcome is that of exact products
 * throughout. */

static const float MARGIN = 1e-5f;
enum { CHUNK_FLOATS = 1 << 24 }; /* similarities to controls held at once: 64 MiB */

typedef struct {
    const float *x;
    int64_t d, first, n; /* the queries are rows [first, first+n) */
    const ap_controls *controls;
    const int32_t *place; /* or NULL */
    int64_t stride;       /* of negative */
    float *negative;      /* [n][stride] similarities of each query to its controls */
    float *positive;      /* [queries of a label][members] */
    float *rows[2];       /* gathered queries and members */
    int32_t *above;       /* negatives above each positive */
    double *ap;           /* [n] and so on: of the queries */
    int32_t *n_positive, *n_total;
    /* Cross-fitted: the negatives above each positive of each query so far, of query i of the whole range from kept_at[i]; else NULL. */
    int32_t *kept;
    const int64_t *kept_at;
} activity;

static void gather(const activity *a, const int32_t *row, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) memcpy(out + i * a->d, a->x + row[i] * a->d, (size_t)a->d * sizeof *out);
}

/* Of gathered queries with the rows gathered in rows[1]. */
static void products(const activity *a, const float *q, int64_t nq, int64_t nc, float *out, int64_t stride)
{
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)nq, (int)nc, (int)a->d, 1, q, (int)a->d, a->rows[1], (int)a->d, 0, out,
                (int)stride);
}

/* Negatives above p for sure, and whether any is too near to tell. */
HOT static int32_t count_above(const float *negative, int64_t n, float p, int32_t *n_near)
{
    int32_t above = 0, reach = 0;
    for (int64_t j = 0; j < n; j++) {
        above += negative[j] > p + MARGIN;
        reach += negative[j] >= p - MARGIN;
    }
    *n_near = reach - above;
    return above;
}

/* The near ones, exactly. */
static int32_t count_near(const activity *a, int32_t query, int32_t other, const float *negative, const int32_t *row, int64_t n, float p)
{
    const float *q = a->x + query * a->d;
    double exact = linear_dot(q, a->x + other * a->d, a->d);
    int32_t above = 0;
    for (int64_t j = 0; j < n; j++)
        if (negative[j] >= p - MARGIN && !(negative[j] > p + MARGIN)) above += linear_dot(q, a->x + row[j] * a->d, a->d) > exact;
    return above;
}

static int i32_cmp(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* Controls at the query's position come after everybody and are not counted; returns how many they are. */
static int64_t leave_out(const activity *a, int32_t query, const int32_t *control, int64_t n, float *negative)
{
    int64_t out = 0;
    for (int64_t j = 0; j < n && a->place; j++)
        if (a->place[control[j]] == a->place[query]) negative[j] = -INFINITY, out++;
    return out;
}

/* above [k] is reordered. */
static double ap_of_above(int32_t *above, int64_t k)
{
    double sum = 0;
    qsort(above, (size_t)k, sizeof *above, i32_cmp);
    for (int64_t j = 0; j < k; j++) sum += (double)(j + 1) / (double)(j + 1 + above[j]);
    return k > 0 ? sum / (double)k : NAN;
}

/* The AP of one query: positive [m] are its similarities to the label's members, itself (at `self`) among them. */
static void activity_query(activity *a, int32_t query, const int32_t *member, int64_t m, int64_t self, const float *positive)
{
    int64_t at = query - a->first;
    int32_t set = a->controls->set_of[query], near = 0;
    const int32_t *control = a->controls->row + a->controls->start[set];
    int64_t n = a->controls->start[set + 1] - a->controls->start[set], k = 0;
    float *negative = a->negative + at * a->stride;
    int64_t left_out = leave_out(a, query, control, n, negative);
    for (int64_t j = 0; j < m; j++) {
        if (j == self || (a->place && a->place[member[j]] == a->place[query])) continue;
        a->above[k] = count_above(negative, n, positive[j], &near);
        if (near > 0) a->above[k] += count_near(a, query, member[j], negative, control, n, positive[j]);
        k++;
    }
    a->n_positive[at] = (int32_t)k, a->n_total[at] += (int32_t)(n - left_out);
    if (!a->kept) {
        a->ap[at] = ap_of_above(a->above, k);
        a->n_total[at] += (int32_t)k;
    }
    for (int64_t j = 0; j < k && a->kept; j++) a->kept[a->kept_at[at] + j] += a->above[j];
}

enum { QUERIES = 256 }; /* multiplied at once */

/* All queries of the range among the members of one label. */
static void activity_label(activity *a, const int32_t *member, int64_t m)
{
    int32_t row[QUERIES], self[QUERIES];
    bool gathered = false;
    for (int64_t i = 0; i < m;) {
        int n = 0;
        for (; i < m && n < QUERIES; i++)
            if (member[i] >= a->first && member[i] < a->first + a->n) self[n] = (int32_t)i, row[n++] = member[i];
        if (n == 0) continue;
        if (!gathered) gather(a, member, m, a->rows[1]);
        gathered = true;
        if (n < m) gather(a, row, n, a->rows[0]);
        products(a, a->rows[n == m], n, m, a->positive, m); /* all members ask: they are gathered */
        for (int j = 0; j < n; j++) activity_query(a, row[j], member, m, self[j], a->positive + j * m);
    }
}

/* Similarities of the queries among the used rows to their controls, set by set; sorted: the used rows in the order of their sets. */
static void activity_negatives(activity *a, const int32_t *sorted, int64_t m)
{
    const ap_controls *c = a->controls;
    for (int64_t i = 0; i < m;) {
        int32_t set = c->set_of[sorted[i]], row[QUERIES];
        int64_t len = c->start[set + 1] - c->start[set];
        gather(a, c->row + c->start[set], len, a->rows[1]);
        while (i < m && c->set_of[sorted[i]] == set) {
            int n = 0;
            for (; i < m && n < QUERIES && c->set_of[sorted[i]] == set; i++) row[n++] = sorted[i];
            gather(a, row, n, a->rows[0]);
            products(a, a->rows[0], n, len, a->positive, len);
            for (int j = 0; j < n; j++)
                memcpy(a->negative + (row[j] - a->first) * a->stride, a->positive + j * len, (size_t)len * sizeof(float));
        }
    }
}

typedef struct {
    int32_t code, row;
} coded;

static int coded_cmp(const void *a, const void *b)
{
    const coded *x = a, *y = b;
    if (x->code != y->code) return x->code < y->code ? -1 : 1;
    return x->row < y->row ? -1 : x->row > y->row;
}

/* The used rows of [first, first+n) in the order of their codes. */
static int64_t sort_rows(const int32_t *code, const int32_t *label, const uint8_t *use, int64_t first, int64_t n, coded *work, int32_t *row)
{
    int64_t m = 0;
    for (int64_t i = first; i < first + n; i++)
        if ((!use || use[i]) && label[i] >= 0) work[m++] = (coded){code[i], (int32_t)i};
    qsort(work, (size_t)m, sizeof *work, coded_cmp);
    for (int64_t i = 0; i < m; i++) row[i] = work[i].row;
    return m;
}

/* The most controls of a set, the most rows of a label (of the m sorted ones). */
static void longest_lists(const ap_controls *c, const int32_t *row, const int32_t *label, int64_t m, int64_t *set, int64_t *members)
{
    *set = *members = 1;
    for (int32_t s = 0; s < c->n_set; s++)
        if (c->start[s + 1] - c->start[s] > *set) *set = c->start[s + 1] - c->start[s];
    for (int64_t i = 0, end; i < m; i = end) {
        for (end = i; end < m && label[row[end]] == label[row[i]];) end++;
        if (end - i > *members) *members = end - i;
    }
}

/* What all passes over the queries share. */
typedef struct {
    const profile_rows *rows;
    row_range queries;
    const ap_scores *out;
    coded *work;
    int32_t *member, *query; /* used rows by label [m]; queries of a chunk by set */
    int64_t m, step;         /* step: queries of a chunk */
    int64_t *kept_at;
} activity_lists;

/* All queries, a chunk at a time. */
static void activity_pass(activity *a, const activity_lists *l)
{
    const int32_t *label = l->rows->label;
    for (int64_t at = 0; at < l->queries.n; at += l->step) {
        a->first = l->queries.first + at, a->n = l->queries.n - at < l->step ? l->queries.n - at : l->step;
        a->ap = l->out->ap + at, a->n_positive = l->out->n_positive + at, a->n_total = l->out->n_total + at;
        if (a->kept) a->kept_at = l->kept_at + at;
        activity_negatives(a, l->query, sort_rows(a->controls->set_of, label, l->rows->use, a->first, a->n, l->work, l->query));
        for (int64_t i = 0, end; i < l->m; i = end) {
            for (end = i; end < l->m && label[l->member[end]] == label[l->member[i]];) end++;
            activity_label(a, l->member + i, end - i);
        }
    }
}

/* The sets with the controls of one fold only; level and set_of stay those of c. */
static status fold_controls(const ap_controls *c, int32_t f, ap_controls *out)
{
    status st = OK;
    int64_t n = 0;
    *out = (ap_controls){.n_set = c->n_set, .level = c->level, .set_of = c->set_of};
    TRY(mem_alloc(&out->start, (size_t)c->n_set + 1, sizeof *out->start, "controls"));
    TRY(mem_alloc(&out->row, (size_t)c->start[c->n_set], sizeof *out->row, "controls"));
    for (int32_t s = 0; s < c->n_set; s++) {
        for (int64_t i = c->start[s]; i < c->start[s + 1]; i++)
            if (c->cross->fold[c->row[i]] == f) out->row[n++] = c->row[i];
        out->start[s + 1] = n;
    }
done:
    return st;
}

/* Room for the counts of each query: members of its label but itself. */
static status activity_keep(activity *a, activity_lists *l)
{
    status st = OK;
    int64_t first = l->queries.first, n = l->queries.n;
    TRY(mem_alloc(&l->kept_at, (size_t)n + 1, sizeof *l->kept_at, "ranks"));
    for (int64_t i = 0, end; i < l->m; i = end) {
        for (end = i; end < l->m && l->rows->label[l->member[end]] == l->rows->label[l->member[i]];) end++;
        for (int64_t j = i; j < end; j++)
            if (l->member[j] >= first && l->member[j] < first + n) l->kept_at[l->member[j] - first + 1] = end - i - 1;
    }
    for (int64_t i = 0; i < n; i++) l->kept_at[i + 1] += l->kept_at[i];
    TRY(mem_alloc(&a->kept, (size_t)l->kept_at[n], sizeof *a->kept, "ranks"));
done:
    return st;
}

/* Fold by fold: how many of its controls are above each positive in the profiles sphered without it. The counts add up to the ranks. */
static status activity_crossed(activity *a, const ap_controls *controls, activity_lists *l)
{
    status st = OK;
    const crossfit *c = controls->cross;
    const ap_scores *out = l->out;
    ap_controls part = {0};
    float *y = NULL;
    TRY(activity_keep(a, l));
    TRY(mem_alloc(&y, (size_t)c->n, (size_t)a->d * sizeof *y, "sphered profiles"));
    a->x = y, a->controls = &part;
    for (int32_t f = 0; f < c->n_fold; f++) {
        free(part.start);
        free(part.row);
        TRY(fold_controls(controls, f, &part));
        TRY(crossfit_rows(c, f, y));
        a->d = c->fit[f].k;
        activity_pass(a, l);
    }
    for (int64_t i = 0; i < l->queries.n; i++) {
        out->ap[i] = ap_of_above(a->kept + l->kept_at[i], out->n_positive[i]);
        out->n_total[i] += out->n_positive[i];
    }
done:
    free(part.start);
    free(part.row);
    free(y);
    return st;
}

status ap_activity(const profile_rows *r, const ap_controls *controls, const int32_t *place, row_range queries, const ap_scores *out)
{
    status st = OK;
    int64_t n = r->n, d = r->d, set, members;
    int unused;
    activity_lists l = {.rows = r, .queries = queries, .out = out};
    for (int32_t f = 0; controls->cross && f < controls->cross->n_fold; f++)
        d = controls->cross->fit[f].k > d ? controls->cross->fit[f].k : d;
    activity a = {.x = r->x, .d = d, .controls = controls, .place = place};
    TRY(int_from_i64(d, &unused));
    TRY(int_from_i64(n, &unused));
    TRY(mem_alloc(&l.work, (size_t)n, sizeof *l.work, "wells by compound"));
    TRY(mem_alloc(&l.member, (size_t)n, sizeof *l.member, "wells by compound"));
    TRY(mem_alloc(&l.query, (size_t)queries.n, sizeof *l.query, "wells by control set"));
    l.m = sort_rows(r->label, r->label, r->use, 0, n, l.work, l.member);
    longest_lists(controls, l.member, r->label, l.m, &set, &members);
    l.step = CHUNK_FLOATS / set < QUERIES ? QUERIES : CHUNK_FLOATS / set;
    if (l.step > queries.n) l.step = queries.n;
    a.stride = set;
    int64_t longest = set > members ? set : members;
    TRY(mem_alloc(&a.negative, (size_t)l.step, (size_t)set * sizeof(float), "similarities to controls"));
    TRY(mem_alloc(&a.positive, QUERIES, (size_t)longest * sizeof(float), "similarities"));
    TRY(mem_alloc(&a.rows[0], QUERIES, (size_t)d * sizeof(float), "gathered profiles"));
    TRY(mem_alloc(&a.rows[1], (size_t)longest, (size_t)d * sizeof(float), "gathered profiles"));
    TRY(mem_alloc(&a.above, (size_t)members, sizeof(int32_t), "ranks"));
    for (int64_t i = 0; i < queries.n; i++) out->ap[i] = NAN, out->n_positive[i] = out->n_total[i] = 0;
    if (controls->cross)
        TRY(activity_crossed(&a, controls, &l));
    else
        activity_pass(&a, &l);
done:
    free(a.negative);
    free(a.positive);
    free(a.rows[0]);
    free(a.rows[1]);
    free(a.above);
    free(a.kept);
    free(l.kept_at);
    free(l.work);
    free(l.member);
    free(l.query);
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
