/* report_heat.c -- similarity of replicates, for the heat map: the most active treatments among each other. */
#include "report_data.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>

enum { HEAT_MOST = 40 };

typedef struct {
    int32_t label, target;
} treatment;

static int by_target(const void *a, const void *b)
{
    const treatment *x = a, *y = b;
    if (x->target != y->target) return x->target < y->target ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

/* The treatments with the largest mAP, those of a mechanism together. Returns how many. */
static status choose(const wells *w, const results *r, treatment **out, int *n)
{
    status st = OK;
    int64_t *wells_of = NULL;
    int32_t *label = NULL;
    TRY(mem_alloc(&wells_of, (size_t)w->n_label, sizeof *wells_of, "treatments"));
    TRY(mem_alloc(out, (size_t)w->n_label, sizeof **out, "treatments"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->evaluated[i]) wells_of[w->label[i]]++;
    TRY(results_most_active(r, w->n_label, &label));
    *n = 0;
    for (int32_t k = 0; k < w->n_label && *n < HEAT_MOST; k++) {
        int32_t l = label[k];
        bool has = w->target_start[l] < w->target_start[l + 1];
        if (wells_of[l] >= 2) (*out)[(*n)++] = (treatment){l, has ? w->target[w->target_start[l]] : w->n_target};
    }
    qsort(*out, (size_t)*n, sizeof **out, by_target);
done:
    free(wells_of);
    free(label);
    return st;
}

/* The mean cosine between wells of two treatments is the product of their sums of unit rows, over the number of pairs. */
status report_heat(text *t, const wells *w, const transformed *c, const results *r)
{
    status st = OK;
    treatment *chosen = NULL;
    int n = 0, *at = NULL;
    int64_t d = c->d_final, *count = NULL;
    double *sum = NULL;
    float *unit = NULL;
    TRY(choose(w, r, &chosen, &n));
    TRY(mem_alloc(&at, (size_t)w->n_label, sizeof *at, "treatments"));
    TRY(mem_alloc(&count, (size_t)n, sizeof *count, "treatments"));
    TRY(mem_alloc(&sum, (size_t)(n * d), sizeof *sum, "treatments"));
    TRY(mem_alloc(&unit, (size_t)d, sizeof *unit, "a profile"));
    for (int32_t l = 0; l < w->n_label; l++) at[l] = -1;
    for (int k = 0; k < n; k++) at[chosen[k].label] = k;
    for (int64_t i = 0; i < w->n; i++) {
        int k = w->evaluated[i] ? at[w->label[i]] : -1;
        if (k < 0) continue;
        linear_unit_rows(c->final + i * d, 1, d, unit);
        for (int64_t j = 0; j < d; j++) sum[k * d + j] += unit[j];
        count[k]++;
    }
    text_add(t, "\"heat\":{\"treatment\":[");
    for (int k = 0; k < n; k++) text_addf(t, "%s%d", k ? "," : "", chosen[k].label);
    text_add(t, "],\"v\":[");
    for (int a = 0; a < n; a++) {
        text_add(t, a ? ",[" : "[");
        for (int b = 0; b < n; b++) {
            double dot = 0, na = (double)count[a], nb = (double)count[b];
            for (int64_t j = 0; j < d; j++) dot += sum[a * d + j] * sum[b * d + j];
            if (b) text_add(t, ",");
            double mean = a == b ? (dot - na) / (na * (na - 1)) : dot / (na * nb);
            if (isfinite(mean))
                text_addf(t, "%.4g", mean);
            else
                text_add(t, "null");
        }
        text_add(t, "]");
    }
    text_add(t, "]}");
done:
    free(chosen);
    free(at);
    free(count);
    free(sum);
    free(unit);
    return st;
}
