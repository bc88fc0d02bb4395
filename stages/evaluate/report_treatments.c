/* report_treatments.c -- a row per treatment in the page's data: its figures, similarity of its wells across batches and sources, nearest
 * treatments, predicted profile. Computed on the profiles that the store delivers (corrected, where they are). */
#include "report_data.h"

#include "micon/base/mem.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_NEAREST = 5 };

static void add_reals(text *t, const char *name, const double *v, int64_t n, int digits)
{
    text_addf(t, "\"%s\":[", name);
    for (int64_t i = 0; i < n; i++) {
        if (i) text_add(t, ",");
        if (isfinite(v[i]))
            text_addf(t, "%.*g", digits, v[i]);
        else
            text_add(t, "null");
    }
    text_add(t, "]");
}

/* The figures of compounds.csv, for each form of the profiles. */
static void add_figures(text *t, const wells *w, const results *r)
{
    treatment_figure figure[N_TREATMENT_FIGURES];
    bool first = true;
    text_add(t, "\"figures\":{");
    for (int which = 0; which < 2; which++) {
        int n = results_treatment_figures(r, which, figure), shown = 0;
        for (int k = 0; k < n; k++) {
            if (!figure[k].v) continue;
            text_addf(t, shown++ ? ",\n" : first ? "\"%s\":{" : "},\n\"%s\":{", profiles_form[which]);
            first = false;
            add_reals(t, figure[k].name, figure[k].v, w->n_label, 9);
        }
    }
    text_add(t, first ? "}" : "}}");
}

/* "null": of each form of the profiles, quantiles of the mAP's null by treatment: {form: [low, middle, high]}. */
static status add_null(text *t, const wells *w, const results *r)
{
    status st = OK;
    double *v = NULL;
    bool first = true;
    TRY(mem_alloc(&v, (size_t)w->n_label, sizeof *v, "treatments"));
    text_add(t, "\"null\":{");
    for (int which = 0; which < 2; which++) {
        if (!r->activity_null[which]) continue;
        text_addf(t, first ? "\"%s\":[" : ",\"%s\":[", profiles_form[which]);
        first = false;
        for (int k = 0; k < AP_NULL_QUANTILES; k++) {
            for (int32_t l = 0; l < w->n_label; l++) v[l] = r->activity_null[which][l * AP_NULL_QUANTILES + k];
            if (k) text_add(t, ",");
            TRY(pack_reals(t, v, w->n_label));
        }
        text_add(t, "]");
    }
    text_add(t, "}");
done:
    free(v);
    return st;
}

/* ---- how alike wells of different groups are ---- */

typedef struct {
    int32_t label, group;
    int64_t row;
} placed;

static int by_label_and_group(const void *a, const void *b)
{
    const placed *x = a, *y = b;
    if (x->label != y->label) return x->label < y->label ? -1 : 1;
    if (x->group != y->group) return x->group < y->group ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

static double square(double *v, int64_t d)
{
    double sum = 0;
    for (int64_t j = 0; j < d; j++) sum += v[j] * v[j], v[j] = 0;
    return sum;
}

/* out [n_label]: the mean cosine over pairs of a treatment's wells in two groups; NaN without such a pair. The sum over all pairs is the
 * squared length of the sum of unit rows; that of each group is subtracted. */
static status across(const wells *w, const transformed *c, const int32_t *group, double *out)
{
    status st = OK;
    int64_t d = c->d_final, m = 0;
    placed *p = NULL;
    double *all = NULL, *own = NULL;
    float *unit = NULL;
    TRY(mem_alloc(&p, (size_t)w->n, sizeof *p, "wells"));
    TRY(mem_alloc(&all, (size_t)d, sizeof *all, "a profile"));
    TRY(mem_alloc(&own, (size_t)d, sizeof *own, "a profile"));
    TRY(mem_alloc(&unit, (size_t)d, sizeof *unit, "a profile"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->evaluated[i]) p[m++] = (placed){w->label[i], group[i], i};
    qsort(p, (size_t)m, sizeof *p, by_label_and_group);
    for (int32_t l = 0; l < w->n_label; l++) out[l] = NAN;
    double within = 0, pairs = 0, n_all = 0, n_own = 0;
    for (int64_t i = 0; i < m; i++) {
        linear_unit_rows(c->final + p[i].row * d, 1, d, unit);
        for (int64_t j = 0; j < d; j++) all[j] += unit[j], own[j] += unit[j];
        n_all++, n_own++;
        bool last = i + 1 == m || p[i + 1].label != p[i].label;
        if (!last && p[i + 1].group == p[i].group) continue;
        within += square(own, d), pairs += n_own * n_own, n_own = 0;
        if (!last) continue;
        double whole = square(all, d);
        if (n_all * n_all > pairs) out[p[i].label] = (whole - within) / (n_all * n_all - pairs);
        within = pairs = n_all = 0;
    }
done:
    free(p);
    free(all);
    free(own);
    free(unit);
    return st;
}

/* ---- nearest treatments, predicted profiles: by the cosine of consensus profiles ---- */

typedef struct {
    float *y; /* [n_label,d] medians over the evaluated wells, unit length */
    uint8_t *has;
    int32_t *self; /* 0, 1, .. */
} consensus;

static void consensus_free(consensus *s)
{
    free(s->y);
    free(s->has);
    free(s->self);
}

static status consensus_make(consensus *s, const wells *w, const transformed *c)
{
    status st = OK;
    int64_t *count = NULL;
    TRY(mem_alloc(&s->y, (size_t)(w->n_label * c->d_final), sizeof *s->y, "consensus"));
    TRY(mem_alloc(&s->has, (size_t)w->n_label, 1, "consensus"));
    TRY(mem_alloc(&s->self, (size_t)w->n_label, sizeof *s->self, "consensus"));
    TRY(mem_alloc(&count, (size_t)w->n_label, sizeof *count, "consensus"));
    const profile_rows rows = {.x = c->final, .n = w->n, .d = c->d_final, .label = w->label, .use = w->evaluated};
    TRY(consensus_median(&rows, w->n_label, s->y, count));
    linear_unit_rows(s->y, w->n_label, c->d_final, s->y);
    for (int32_t l = 0; l < w->n_label; l++) s->has[l] = count[l] > 0, s->self[l] = l;
done:
    free(count);
    return st;
}

static status add_nearest(text *t, const wells *w, const transformed *c, const consensus *s)
{
    status st = OK;
    int32_t *row = NULL;
    double *sim = NULL;
    const retrieval_setting others = {.query_mask = s->has, .candidate_mask = s->has, .query_group = s->self, .candidate_group = s->self};
    const profile_rows rows = {.x = s->y, .n = w->n_label, .d = c->d_final};
    TRY(mem_alloc(&row, (size_t)w->n_label * N_NEAREST, sizeof *row, "neighbours"));
    TRY(mem_alloc(&sim, (size_t)w->n_label * N_NEAREST, sizeof *sim, "neighbours"));
    TRY(retrieval_topk(&rows, (row_range){0, w->n_label}, &rows, &(retrieval_search){.set = &others, .n_set = 1, .k = N_NEAREST}, row,
                       sim));
    text_add(t, "\"nearest\":[");
    for (int32_t l = 0; l < w->n_label; l++) {
        text_add(t, l ? ",[" : "[");
        for (int k = 0; k < N_NEAREST && row[l * N_NEAREST + k] >= 0; k++)
            text_addf(t, "%s%d,%.3g", k ? "," : "", row[l * N_NEAREST + k], sim[l * N_NEAREST + k]);
        text_add(t, "]");
    }
    text_add(t, "]");
done:
    free(row);
    free(sim);
    return st;
}

/* ",pairs": of the most active treatments with a prediction the observed and the predicted profile, both of unit length; of long profiles
 * the first features. predicted [.., d], of class[label]; place: 0 without a prediction. */
static status add_pairs(text *t, const wells *w, const results *r, const consensus *s, int64_t d, const float *predicted,
                        const int64_t *place, const int32_t *class)
{
    enum { TREATMENTS_MOST = 200, FEATURES_MOST = 256 };
    status st = OK;
    int64_t shown = d < FEATURES_MOST ? d : FEATURES_MOST;
    int32_t *label = NULL;
    double *v = NULL;
    TRY(results_most_active(r, w->n_label, &label));
    TRY(mem_alloc(&v, (size_t)shown, sizeof *v, "a profile"));
    text_addf(t, ",\n\"pairs\":{\"n\":%lld", (long long)shown);
    for (int32_t k = 0, n = 0; k < w->n_label && n < TREATMENTS_MOST; k++) {
        int32_t l = label[k];
        if (!s->has[l] || place[class[l]] <= 0) continue;
        const float *profile[] = {s->y + l * d, predicted + class[l] * d};
        text_addf(t, ",\n\"%d\":[", l);
        for (int i = 0; i < 2; i++) {
            for (int64_t j = 0; j < shown; j++) v[j] = profile[i][j];
            if (i) text_add(t, ",");
            TRY(pack_reals(t, v, shown));
        }
        text_add(t, "]");
        n++;
    }
    text_add(t, "}");
done:
    free(label);
    free(v);
    return st;
}

/* "predicted": for each treatment [cosine, place]: the cosine of its consensus with the predicted profile (the mean over plates) of its
 * compound or, of a model with doses, of itself, and the place of the nearest treatment that was meant among all; null without a
 * prediction. Nothing where predictions are not in the space of the final profiles. */
static status add_predicted(text *t, const wells *w, const transformed *c, const results *r, const consensus *s)
{
    status st = OK;
    bool by_label = w->cf_by_label;
    int64_t d = c->d_final, *count = NULL, *place = NULL;
    int32_t n = by_label ? w->n_label : w->n_compound;
    float *mean = NULL;
    uint8_t *asks = NULL;
    int32_t *self = NULL;
    if (w->n_cf == 0 || !c->cf_final || c->d_sphere != d || c->final == c->pca) return OK;
    TRY(mem_alloc(&mean, (size_t)(n * d), sizeof *mean, "predicted profiles"));
    TRY(mem_alloc(&count, (size_t)n, sizeof *count, "predicted profiles"));
    TRY(mem_alloc(&place, (size_t)n, sizeof *place, "predicted profiles"));
    TRY(mem_alloc(&asks, (size_t)n, 1, "predicted profiles"));
    TRY(mem_alloc(&self, (size_t)n, sizeof *self, "predicted profiles"));
    const profile_rows predicted = {.x = c->cf_final, .n = w->n_cf, .d = d, .label = by_label ? w->cf_label : w->cf_compound};
    TRY(consensus_mean(&predicted, n, mean, count));
    linear_unit_rows(mean, n, d, mean);
    for (int32_t k = 0; k < n; k++) self[k] = k, asks[k] = count[k] > 0;
    const int32_t *class = by_label ? self : w->label_compound;
    const profile_rows asked = {.x = mean, .n = n, .d = d, .label = self};
    const profile_rows found = {.x = s->y, .n = w->n_label, .d = d, .label = class};
    const retrieval_setting all = {.query_mask = asks, .candidate_mask = s->has};
    TRY(retrieval_match_rank(&asked, (row_range){0, n}, &found, &all, place));
    text_add(t, ",\n\"predicted\":[");
    for (int32_t l = 0; l < w->n_label; l++) {
        int32_t k = class[l];
        if (l) text_add(t, ",");
        if (s->has[l] && place[k] > 0)
            text_addf(t, "[%.3g,%lld]", linear_dot(mean + k * d, s->y + l * d, d), (long long)place[k]);
        else
            text_add(t, "null");
    }
    text_add(t, "]");
    TRY(add_pairs(t, w, r, s, d, mean, place, class));
done:
    free(mean);
    free(count);
    free(place);
    free(asks);
    free(self);
    return st;
}

status report_treatments(text *t, const wells *w, const transformed *c, const results *r)
{
    status st = OK;
    consensus s = {0};
    double *v = NULL;
    const int32_t *group[] = {w->batch, w->source};
    static const char *const name[] = {"batches", "sources"};
    TRY(mem_alloc(&v, (size_t)w->n_label, sizeof *v, "treatments"));
    text_add(t, "\"treatments\":{\"names\":[");
    for (int32_t l = 0; l < w->n_label; l++) {
        if (l) text_add(t, ",");
        text_add_json(t, intern_at(&w->label_name, (size_t)l));
    }
    text_add(t, "],\n\"compound\":");
    TRY(pack_codes(t, w->label_compound, w->n_label, w->n_compound));
    text_add(t, ",\n");
    add_figures(t, w, r);
    text_add(t, ",\n");
    TRY(add_null(t, w, r));
    for (int k = 0; k < 2; k++) {
        text_add(t, ",\n");
        TRY(across(w, c, group[k], v));
        add_reals(t, name[k], v, w->n_label, 3);
    }
    TRY(consensus_make(&s, w, c));
    text_add(t, ",\n");
    TRY(add_nearest(t, w, c, &s));
    TRY(add_predicted(t, w, c, r, &s));
    TRY(report_agreement(t, w, c));
    text_add(t, "}");
done:
    consensus_free(&s);
    free(v);
    return st;
}
