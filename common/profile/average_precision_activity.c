/* average_precision_activity.c -- average precision of replicates against controls, in given rows or cross-fitted (profile/crossfit.h). */
#include "micon/profile/average_precision.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/simd_clones.h"
#include "micon/profile/linear_algebra.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Similarities come from float products, whole blocks at a time. An AP needs, for each positive, only how many negatives are above it;
 * where a negative lies within MARGIN of a positive both are multiplied again exactly, so the outcome is that of exact products
 * throughout. */

static const float MARGIN = 1e-5f;
enum { QUERIES = 256, CHUNK_FLOATS = 1 << 24 }; /* queries multiplied at once; similarities to controls held at once: 64 MiB */

/* The used rows in the order of their labels; work on them is by their places in this order. */
typedef struct {
    const int32_t *label;
    int32_t *member;    /* [m] rows */
    int64_t m, longest; /* longest: rows of a label */
    int64_t first, end; /* those of this part: all rows of its labels */
} by_label;

/* Those at the query's position are left out where place is not NULL; of several questions only the last one has a place: it hides its
 * controls. */
typedef struct {
    const int32_t *place;
    const ap_scores *out;
} question;

typedef struct {
    const float *x;
    int64_t d;
    const int32_t *at; /* where a row is in x; NULL: rows are where they are */
    const ap_controls *controls;
    const by_label *list;
    const question *ask;
    int n_ask;
    int64_t first, n; /* the queries are at list->member [first, first + n) */
    int64_t stride;   /* of negative */
    float *negative;  /* [n][stride] similarities of each query to its controls */
    float *positive;  /* [queries of a label][members] */
    float *rows[2];   /* gathered queries and members */
    int32_t *above;   /* negatives above each positive */
    /* Cross-fitted: of each question the negatives above each positive of each query so far, of the query at place i of the part from
     * kept_at[i] on; else NULL. */
    int32_t **kept;
    int64_t *kept_at;
} activity;

static const float *row_of(const activity *a, int32_t row)
{
    return a->x + (a->at ? a->at[row] : row) * a->d;
}

static void gather(const activity *a, const int32_t *row, int64_t n, float *out)
{
    for (int64_t i = 0; i < n; i++) memcpy(out + i * a->d, row_of(a, row[i]), (size_t)a->d * sizeof *out);
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
    const float *q = row_of(a, query);
    double exact = linear_dot(q, row_of(a, other), a->d);
    int32_t above = 0;
    for (int64_t j = 0; j < n; j++)
        if (negative[j] >= p - MARGIN && !(negative[j] > p + MARGIN)) above += linear_dot(q, row_of(a, row[j]), a->d) > exact;
    return above;
}

static int i32_cmp(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* above [k] is reordered. */
static double ap_of_above(int32_t *above, int64_t k)
{
    double sum = 0;
    qsort(above, (size_t)k, sizeof *above, i32_cmp);
    for (int64_t j = 0; j < k; j++) sum += (double)(j + 1) / (double)(j + 1 + above[j]);
    return k > 0 ? sum / (double)k : NAN;
}

/* The similarities of a query: to the members of its label, itself at `self`, and to its controls. */
typedef struct {
    int32_t row;
    int64_t place, self, m, n; /* its place in the list */
    const int32_t *member, *control;
    const float *positive;
    float *negative;
} query;

/* Controls at the query's position come after everybody and are not counted; returns how many they are. */
static int64_t leave_out(const query *q, const int32_t *place)
{
    int64_t out = 0;
    for (int64_t j = 0; j < q->n && place; j++)
        if (place[q->control[j]] == place[q->row]) q->negative[j] = -INFINITY, out++;
    return out;
}

/* The AP of one query, or its counts with these controls. */
static void answer(activity *a, const query *q, int number)
{
    const int32_t *place = a->ask[number].place;
    const ap_scores *out = a->ask[number].out;
    int64_t left_out = leave_out(q, place), k = 0;
    int32_t near = 0;
    for (int64_t j = 0; j < q->m; j++) {
        if (j == q->self || (place && place[q->member[j]] == place[q->row])) continue;
        a->above[k] = count_above(q->negative, q->n, q->positive[j], &near);
        if (near > 0) a->above[k] += count_near(a, q->row, q->member[j], q->negative, q->control, q->n, q->positive[j]);
        k++;
    }
    out->n_positive[q->row] = (int32_t)k, out->n_total[q->row] += (int32_t)(q->n - left_out);
    if (!a->kept) {
        out->ap[q->row] = ap_of_above(a->above, k);
        out->n_total[q->row] += (int32_t)k;
        return;
    }
    int32_t *kept = a->kept[number] + a->kept_at[q->place - a->list->first];
    for (int64_t j = 0; j < k; j++) kept[j] += a->above[j];
}

/* The queries among the members [i, end) of a label. */
static void answer_label(activity *a, int64_t i, int64_t end)
{
    const ap_controls *c = a->controls;
    const int32_t *member = a->list->member;
    int64_t m = end - i, from = i > a->first ? i : a->first, to = end < a->first + a->n ? end : a->first + a->n;
    gather(a, member + i, m, a->rows[1]);
    for (int64_t q = from; q < to; q += QUERIES) {
        int64_t n = to - q < QUERIES ? to - q : QUERIES;
        products(a, a->rows[1] + (q - i) * a->d, n, m, a->positive, m);
        for (int64_t j = 0; j < n; j++) {
            int32_t row = member[q + j], set = c->set_of[row];
            const query one = {.row = row,
                               .place = q + j,
                               .self = q + j - i,
                               .m = m,
                               .n = c->start[set + 1] - c->start[set],
                               .member = member + i,
                               .control = c->row + c->start[set],
                               .positive = a->positive + j * m,
                               .negative = a->negative + (q + j - a->first) * a->stride};
            for (int k = 0; k < a->n_ask; k++) answer(a, &one, k);
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

/* Similarities of the queries to their controls, set by set; work [n]. */
static void find_negatives(activity *a, coded *work)
{
    const ap_controls *c = a->controls;
    for (int64_t i = 0; i < a->n; i++) work[i] = (coded){c->set_of[a->list->member[a->first + i]], (int32_t)i};
    qsort(work, (size_t)a->n, sizeof *work, coded_cmp);
    for (int64_t i = 0; i < a->n;) {
        int32_t set = work[i].code, row[QUERIES], to[QUERIES];
        int64_t len = c->start[set + 1] - c->start[set];
        gather(a, c->row + c->start[set], len, a->rows[1]);
        while (i < a->n && work[i].code == set) {
            int n = 0;
            for (; i < a->n && n < QUERIES && work[i].code == set; i++)
                to[n] = work[i].row, row[n++] = a->list->member[a->first + work[i].row];
            gather(a, row, n, a->rows[0]);
            products(a, a->rows[0], n, len, a->positive, len);
            for (int j = 0; j < n; j++) memcpy(a->negative + to[j] * a->stride, a->positive + j * len, (size_t)len * sizeof(float));
        }
    }
}

static int64_t label_end(const by_label *l, int64_t i)
{
    int64_t end = i;
    while (end < l->m && l->label[l->member[end]] == l->label[l->member[i]]) end++;
    return end;
}

/* All queries of the part, `step` at a time; work [step]. */
static void answer_all(activity *a, int64_t step, coded *work)
{
    const by_label *l = a->list;
    for (a->first = l->first; a->first < l->end; a->first += a->n) {
        a->n = l->end - a->first < step ? l->end - a->first : step;
        find_negatives(a, work);
        for (int64_t i = l->first, end; i < a->first + a->n; i = end) {
            end = label_end(l, i);
            if (end > a->first) answer_label(a, i, end);
        }
    }
}

/* Parts hold about as many rows each, all of a label in one. */
static status by_label_init(by_label *l, const profile_rows *r, int part, int parts)
{
    status st = OK;
    coded *work = NULL;
    *l = (by_label){.label = r->label};
    TRY(mem_alloc(&work, (size_t)r->n, sizeof *work, "wells by compound"));
    TRY(mem_alloc(&l->member, (size_t)r->n, sizeof *l->member, "wells by compound"));
    for (int64_t i = 0; i < r->n; i++)
        if ((!r->use || r->use[i]) && r->label[i] >= 0) work[l->m++] = (coded){r->label[i], (int32_t)i};
    qsort(work, (size_t)l->m, sizeof *work, coded_cmp);
    for (int64_t i = 0; i < l->m; i++) l->member[i] = work[i].row;
    l->first = l->end = l->m;
    for (int64_t i = 0, end; i < l->m; i = end) {
        end = label_end(l, i);
        if (end - i > l->longest) l->longest = end - i;
        if (i * parts >= l->m * part && l->first == l->m) l->first = i;
        if (i * parts >= l->m * (part + 1) && l->end == l->m) l->end = i;
    }
done:
    free(work);
    return st;
}

/* ---- cross-fitted ---- */

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
static status keep_counts(activity *a)
{
    status st = OK;
    const by_label *l = a->list;
    int64_t n = 0;
    TRY(mem_alloc(&a->kept, (size_t)a->n_ask, sizeof *a->kept, "ranks"));
    TRY(mem_alloc(&a->kept_at, (size_t)(l->end - l->first), sizeof *a->kept_at, "ranks"));
    for (int64_t i = l->first, end; i < l->end; i = end) {
        end = label_end(l, i);
        for (int64_t j = i; j < end; j++) a->kept_at[j - l->first] = n, n += end - i - 1;
    }
    for (int k = 0; k < a->n_ask; k++) TRY(mem_alloc(&a->kept[k], (size_t)n, sizeof *a->kept[k], "ranks"));
done:
    return st;
}

/* The rows that a fold needs, sphered without it: those of the part's labels, then the fold's controls; at [n]: where they are. Both are
 * numbered as without parts: the last bits of a product may depend on that (linear_project). */
typedef struct {
    float *y;
    int32_t *at, *control; /* control: rows [n_control] */
    int64_t n_control;
} sphered_rows;

static void sphered_rows_free(sphered_rows *s)
{
    free(s->y);
    free(s->at);
    free(s->control);
}

static status sphered_rows_init(sphered_rows *s, const ap_controls *c, const by_label *l)
{
    status st = OK;
    const crossfit *cross = c->cross;
    int64_t n_fold[2] = {0}, width = cross->d;
    TRY(mem_alloc(&s->at, (size_t)cross->n, sizeof *s->at, "sphered profiles"));
    TRY(mem_alloc(&s->control, (size_t)cross->n, sizeof *s->control, "controls"));
    for (int64_t i = 0; i < c->start[c->n_set]; i++) s->at[c->row[i]] = 1;
    for (int32_t f = 0; f < cross->n_fold; f++) {
        n_fold[0] = 0;
        for (int64_t i = 0; i < cross->n; i++) n_fold[0] += s->at[i] && cross->fold[i] == f;
        n_fold[1] = n_fold[0] > n_fold[1] ? n_fold[0] : n_fold[1];
        width = cross->fit[f].k > width ? cross->fit[f].k : width;
    }
    TRY(mem_alloc(&s->y, (size_t)(l->end - l->first + n_fold[1]), (size_t)width * sizeof *s->y, "sphered profiles"));
done:
    return st;
}

/* sphered_rows_init's marks are gone after the first fold: the controls are taken from the sets of the fold. */
static status sphere_rows(sphered_rows *s, const crossfit *c, int32_t f, const ap_controls *of_fold, const by_label *l)
{
    status st = OK;
    int64_t n = l->end - l->first;
    memset(s->at, -1, (size_t)c->n * sizeof *s->at);
    for (int64_t i = 0; i < of_fold->start[of_fold->n_set]; i++) s->at[of_fold->row[i]] = 0;
    s->n_control = 0;
    for (int64_t i = 0; i < c->n; i++)
        if (s->at[i] == 0) s->at[i] = (int32_t)(n + s->n_control), s->control[s->n_control++] = (int32_t)i;
    for (int64_t i = 0; i < n; i++) s->at[l->member[l->first + i]] = (int32_t)i;
    TRY(crossfit_rows(c, f, l->member, l->first, n, s->y));
    TRY(crossfit_rows(c, f, s->control, 0, s->n_control, s->y + n * c->fit[f].k));
done:
    return st;
}

/* Fold by fold: how many of its controls are above each positive in the profiles sphered without it. The counts add up to the ranks. */
static status answer_crossed(activity *a, int64_t step, coded *work)
{
    status st = OK;
    const ap_controls *controls = a->controls;
    const crossfit *c = controls->cross;
    const by_label *l = a->list;
    ap_controls part = {0};
    sphered_rows s = {0};
    TRY(keep_counts(a));
    TRY(sphered_rows_init(&s, controls, l));
    a->controls = &part, a->x = s.y, a->at = s.at;
    for (int32_t f = 0; f < c->n_fold; f++) {
        free(part.start);
        free(part.row);
        TRY(fold_controls(controls, f, &part));
        TRY(sphere_rows(&s, c, f, &part, l));
        a->d = c->fit[f].k;
        answer_all(a, step, work);
    }
    for (int k = 0; k < a->n_ask; k++)
        for (int64_t i = l->first; i < l->end; i++) {
            const ap_scores *out = a->ask[k].out;
            int32_t row = l->member[i], n = out->n_positive[row];
            out->ap[row] = ap_of_above(a->kept[k] + a->kept_at[i - l->first], n);
            out->n_total[row] += n;
        }
done:
    free(part.start);
    free(part.row);
    sphered_rows_free(&s);
    for (int k = 0; k < a->n_ask && a->kept; k++) free(a->kept[k]);
    free(a->kept);
    free(a->kept_at);
    return st;
}

/* Rows that are no query have NaN, those of other parts 0. */
static void clear_scores(const ap_scores *out, const profile_rows *r)
{
    for (int64_t i = 0; i < r->n; i++) {
        bool asks = r->label[i] >= 0 && (!r->use || r->use[i]);
        out->ap[i] = asks ? 0 : NAN, out->n_positive[i] = out->n_total[i] = 0;
    }
}

status ap_activity(const profile_rows *r, const ap_controls *controls, const ap_activity_scores *scores, int part, int parts)
{
    status st = OK;
    const question ask[2] = {{NULL, scores->out}, {scores->place, scores->other}};
    const int n_ask = scores->place ? 2 : 1;
    int64_t d = r->d, set = 1, step;
    int unused;
    by_label l = {0};
    coded *work = NULL;
    activity a = {.x = r->x, .d = d, .controls = controls, .list = &l, .ask = ask, .n_ask = n_ask};
    for (int32_t f = 0; controls->cross && f < controls->cross->n_fold; f++)
        d = controls->cross->fit[f].k > d ? controls->cross->fit[f].k : d;
    TRY(int_from_i64(d, &unused));
    TRY(int_from_i64(r->n, &unused));
    for (int k = 0; k < n_ask; k++) clear_scores(ask[k].out, r);
    TRY(by_label_init(&l, r, part, parts));
    if (l.first == l.end) goto done;
    for (int32_t s = 0; s < controls->n_set; s++)
        if (controls->start[s + 1] - controls->start[s] > set) set = controls->start[s + 1] - controls->start[s];
    step = CHUNK_FLOATS / set < QUERIES ? QUERIES : CHUNK_FLOATS / set;
    if (step > l.end - l.first) step = l.end - l.first;
    a.stride = set;
    int64_t longest = set > l.longest ? set : l.longest;
    TRY(mem_alloc(&work, (size_t)step, sizeof *work, "wells by control set"));
    TRY(mem_alloc(&a.negative, (size_t)step, (size_t)set * sizeof(float), "similarities to controls"));
    TRY(mem_alloc(&a.positive, QUERIES, (size_t)longest * sizeof(float), "similarities"));
    TRY(mem_alloc(&a.rows[0], QUERIES, (size_t)d * sizeof(float), "gathered profiles"));
    TRY(mem_alloc(&a.rows[1], (size_t)longest, (size_t)d * sizeof(float), "gathered profiles"));
    TRY(mem_alloc(&a.above, (size_t)l.longest, sizeof(int32_t), "ranks"));
    if (controls->cross)
        TRY(answer_crossed(&a, step, work));
    else
        answer_all(&a, step, work);
done:
    free(a.negative);
    free(a.positive);
    free(a.rows[0]);
    free(a.rows[1]);
    free(a.above);
    free(l.member);
    free(work);
    return st;
}
