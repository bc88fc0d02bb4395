/* report_agreement.c -- do sources agree about a treatment? For each of them the cosine of the mean of its wells there and of its wells in
 * all other sources; of batches where there is one source. What is so by chance is told by controls posed as treatments, as many in each
 * source. */
#include "report_data.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>

enum { GROUPS_MOST = 64 };

/* Rows of wells by a code: those of code k are row[first[k]] to row[first[k + 1] - 1]. */
typedef struct {
    int64_t *first, *row;
} rows_by;

/* Sums of unit rows: by group, and of all. */
typedef struct {
    double *of, *all; /* [n_group,d], [d] */
    int64_t *n;       /* [n_group] wells */
} sums;

typedef struct {
    const int32_t *group; /* [wells] */
    int32_t n_group;
    int64_t d;
    rows_by treated, controls; /* evaluated wells by treatment; controls by group */
    sums own, posed;
    float *unit; /* [d] */
} agreement;

static void agreement_free(agreement *a)
{
    sums *s[] = {&a->own, &a->posed};
    rows_by *by[] = {&a->treated, &a->controls};
    for (int k = 0; k < 2; k++) {
        free(s[k]->of);
        free(s[k]->all);
        free(s[k]->n);
        free(by[k]->first);
        free(by[k]->row);
    }
    free(a->unit);
}

static status sort_rows(rows_by *by, const uint8_t *use, const int32_t *code, int32_t n_code, int64_t n)
{
    status st = OK;
    TRY(mem_alloc(&by->first, (size_t)n_code + 2, sizeof *by->first, "wells"));
    TRY(mem_alloc(&by->row, (size_t)n, sizeof *by->row, "wells"));
    for (int64_t i = 0; i < n; i++)
        if (use[i]) by->first[code[i] + 2]++;
    for (int32_t k = 0; k < n_code; k++) by->first[k + 2] += by->first[k + 1];
    for (int64_t i = 0; i < n; i++)
        if (use[i]) by->row[by->first[code[i] + 1]++] = i;
done:
    return st;
}

static status agreement_init(agreement *a, const wells *w, const transformed *c)
{
    status st = OK;
    sums *s[] = {&a->own, &a->posed};
    a->d = c->d_final;
    a->group = w->n_source > 1 ? w->source : w->batch;
    a->n_group = w->n_source > 1 ? w->n_source : w->n_batch;
    for (int k = 0; k < 2; k++) {
        TRY(mem_alloc(&s[k]->of, (size_t)(a->n_group * a->d), sizeof *s[k]->of, "sources"));
        TRY(mem_alloc(&s[k]->all, (size_t)a->d, sizeof *s[k]->all, "sources"));
        TRY(mem_alloc(&s[k]->n, (size_t)a->n_group, sizeof *s[k]->n, "sources"));
    }
    TRY(mem_alloc(&a->unit, (size_t)a->d, sizeof *a->unit, "a profile"));
    TRY(sort_rows(&a->treated, w->evaluated, w->label, w->n_label, w->n));
    TRY(sort_rows(&a->controls, w->control, a->group, a->n_group, w->n));
done:
    return st;
}

static void clear(const agreement *a, sums *s)
{
    for (int64_t j = 0; j < a->d; j++) s->all[j] = 0;
    for (int64_t j = 0; j < a->n_group * a->d; j++) s->of[j] = 0;
    for (int32_t g = 0; g < a->n_group; g++) s->n[g] = 0;
}

static void add_well(const agreement *a, const transformed *c, int64_t row, sums *s)
{
    double *of = s->of + a->group[row] * a->d;
    linear_unit_rows(c->final + row * a->d, 1, a->d, a->unit);
    for (int64_t j = 0; j < a->d; j++) s->all[j] += a->unit[j], of[j] += a->unit[j];
    s->n[a->group[row]]++;
}

/* As many controls of each group as the treatment has wells there, or all; the next treatment takes those that follow. */
static void pose(agreement *a, const transformed *c, int64_t *next)
{
    clear(a, &a->posed);
    for (int32_t g = 0; g < a->n_group; g++) {
        int64_t first = a->controls.first[g], there = a->controls.first[g + 1] - first;
        for (int64_t k = 0; k < a->own.n[g] && k < there; k++) add_well(a, c, a->controls.row[first + next[g]++ % there], &a->posed);
    }
}

/* The cosine of the wells in group g and those elsewhere; NaN where there are none. */
static double cosine(const agreement *a, const sums *s, int32_t g)
{
    double dot = 0, xx = 0, yy = 0;
    int64_t elsewhere = 0;
    for (int32_t k = 0; k < a->n_group; k++) elsewhere += k == g ? 0 : s->n[k];
    for (int64_t j = 0; j < a->d; j++) {
        double u = s->of[g * a->d + j], v = s->all[j] - u;
        dot += u * v, xx += u * u, yy += v * v;
    }
    return s->n[g] > 0 && elsewhere > 0 && xx > 0 && yy > 0 ? dot / sqrt(xx * yy) : NAN;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* own, posed [n_label, n_group]; n_posed: those of `posed` that are numbers, which are its first. */
static status measure(agreement *a, const wells *w, const transformed *c, double *own, double *posed, int64_t *n_posed)
{
    status st = OK;
    int64_t *next = NULL;
    TRY(mem_alloc(&next, (size_t)a->n_group, sizeof *next, "sources"));
    for (int32_t l = 0; l < w->n_label; l++) {
        clear(a, &a->own);
        for (int64_t i = a->treated.first[l]; i < a->treated.first[l + 1]; i++) add_well(a, c, a->treated.row[i], &a->own);
        pose(a, c, next);
        for (int32_t g = 0; g < a->n_group; g++) {
            double v = cosine(a, &a->posed, g);
            own[l * a->n_group + g] = cosine(a, &a->own, g);
            if (!isnan(v)) posed[(*n_posed)++] = v;
        }
    }
done:
    free(next);
    return st;
}

static void add_names(text *t, const agreement *a, const wells *w)
{
    int col = frame_col(&w->obs, w->n_source > 1 ? "Metadata_Source" : "Metadata_Batch");
    int32_t next = 0; /* codes count from 0 in the order of the rows */
    for (int64_t i = 0; i < w->n && next < a->n_group; i++) {
        if (a->group[i] != next) continue;
        if (next++) text_add(t, ",");
        text_add_json(t, frame_text(&w->obs, i, col));
    }
}

status report_agreement(text *t, const wells *w, const transformed *c)
{
    status st = OK;
    agreement a = {0};
    double *own = NULL, *posed = NULL;
    int64_t n_posed = 0;
    int32_t n = w->n_source > 1 ? w->n_source : w->n_batch;
    if (n < 2 || n > GROUPS_MOST) return OK;
    TRY(agreement_init(&a, w, c));
    TRY(mem_alloc(&own, (size_t)w->n_label * (size_t)n, sizeof *own, "treatments"));
    TRY(mem_alloc(&posed, (size_t)w->n_label * (size_t)n, sizeof *posed, "treatments"));
    TRY(measure(&a, w, c, own, posed, &n_posed));
    qsort(posed, (size_t)n_posed, sizeof *posed, ascending);
    text_addf(t, ",\n\"agreement\":{\"by\":\"%s\",\"names\":[", w->n_source > 1 ? "source" : "batch");
    add_names(t, &a, w);
    text_add(t, "],\"limit\":");
    text_add_number(t, n_posed ? posed[(int64_t)(0.95 * (double)(n_posed - 1) + 0.5)] : NAN, "null");
    text_add(t, ",\"v\":");
    TRY(pack_reals(t, own, (int64_t)w->n_label * n));
    text_add(t, "}");
done:
    agreement_free(&a);
    free(own);
    free(posed);
    return st;
}
