/* results.c -- what was measured, and as CSV tables. A value has the same digits in all of them and in metrics.json. */
#include "evaluate.h"

#include "micon/base/mem.h"
#include "micon/formats/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void results_free(results *r)
{
    for (size_t i = 0; i < r->n; i++) {
        free(r->item[i].num);
        free(r->item[i].den);
    }
    free(r->item);
    text_free(&r->told);
    double **by[] = {r->activity,      r->activity_p,      r->activity_q,         r->consistency, r->consistency_p,
                     r->consistency_q, r->activity_normal, r->consistency_normal, r->pairs,       r->pairs_p,
                     r->pairs_q,       r->pairs_normal,    r->activity_null};
    for (size_t k = 0; k < sizeof by / sizeof *by; k++)
        for (int i = 0; i < 2; i++) free(by[k][i]);
    for (int i = 0; i < 2; i++) ap_scores_free(&r->by_well[i]), ap_scores_free(&r->pairs_by_well[i]);
}

const char *const profiles_form[2] = {"uncorrected", "corrected"};

const result *results_find(const results *r, const char *profiles, metric_id metric, metric_setting setting, int k)
{
    for (size_t i = 0; i < r->n; i++) {
        const result *m = &r->item[i];
        if (m->metric == metric && m->k == k && strcmp(m->profiles, profiles) == 0 && strcmp(m->setting, metric_setting_name(setting)) == 0)
            return m;
    }
    return NULL;
}

static status add(results *r, const result *one)
{
    status st = mem_grow(&r->item, &r->cap, r->n + 1, sizeof *r->item, "results");
    if (st == OK) r->item[r->n++] = *one;
    return st;
}

static bootstrap_kind kind_of(const result *m)
{
    return metric_table[m->metric].estimate == MEAN_OF_RATIOS ? BOOTSTRAP_MEAN : BOOTSTRAP_RATIO;
}

status results_ratio(results *r, result like, const double *num, const double *den, int64_t n_compound)
{
    status st = OK;
    size_t n = (size_t)n_compound;
    unsigned is = metric_table[like.metric].properties;
    if (!r->active || (like.n == 0 && !r->as_0_1)) return OK;
    like.num = like.den = NULL;
    TRY(bootstrap_interval(kind_of(&like), num, den, n_compound, r->draws, r->seed, &like.v));
    if (r->as_0_1 && isnan(like.v.low)) like.v.low = like.v.high = like.v.value;       /* of a single compound */
    bool compounds = strcmp(like.setting, metric_setting_name(POSITION_CONTROL)) != 0; /* else num and den are by position */
    if (compounds && is & COMPARED && (!(is & BY_K) || like.k == 1 || like.k == 5 || like.k == 10)) {
        TRY(mem_alloc(&like.num, n, sizeof *like.num, "results"));
        TRY(mem_alloc(&like.den, n, sizeof *like.den, "results"));
        memcpy(like.num, num, n * sizeof *num);
        memcpy(like.den, den, n * sizeof *den);
    }
    TRY(add(r, &like));
    return OK;
done:
    free(like.num);
    free(like.den);
    return st;
}

status results_value(results *r, result like, double value)
{
    like.num = like.den = NULL;
    like.v = (interval){value, NAN, NAN};
    return r->active && (like.n != 0 || r->as_0_1) ? add(r, &like) : OK;
}

typedef struct {
    double map;
    int32_t label;
} by_activity;

static int activity_cmp(const void *a, const void *b)
{
    const by_activity *x = a, *y = b;
    if (x->map != y->map) return x->map > y->map ? -1 : 1;
    return (x->label > y->label) - (x->label < y->label);
}

status results_most_active(const results *r, int32_t n_label, int32_t **label)
{
    status st = OK;
    const double *map = r->activity[1] ? r->activity[1] : r->activity[0];
    by_activity *by = NULL;
    TRY(mem_alloc(&by, (size_t)n_label, sizeof *by, "treatments"));
    TRY(mem_alloc(label, (size_t)n_label, sizeof **label, "treatments"));
    for (int32_t l = 0; l < n_label; l++) by[l] = (by_activity){map && !isnan(map[l]) ? map[l] : -1, l};
    qsort(by, (size_t)n_label, sizeof *by, activity_cmp);
    for (int32_t k = 0; k < n_label; k++) (*label)[k] = by[k].label;
done:
    free(by);
    return st;
}

void results_add_count(text *out, int64_t n, const char *missing)
{
    if (n < 0)
        text_add(out, missing);
    else
        text_addf(out, "%lld", (long long)n);
}

void results_show_csv(const results *r, text *out)
{
    text_add(out, "profiles,metric,setting,k,value,low,high,chance,n,left_out\n");
    for (size_t i = 0; i < r->n; i++) {
        const result *m = &r->item[i];
        text_addf(out, "%s,%s,%s,", m->profiles, metric_table[m->metric].name, m->setting);
        results_add_count(out, m->k > 0 ? m->k : -1, "");
        const double v[] = {m->v.value, m->v.low, m->v.high, m->chance};
        for (int k = 0; k < 4; k++) {
            text_add(out, ",");
            text_add_number(out, v[k], "");
        }
        text_add(out, ",");
        results_add_count(out, m->n, "");
        text_add(out, ",");
        results_add_count(out, m->left_out, "");
        text_add(out, "\n");
    }
}

int results_treatment_figures(const results *r, int which, treatment_figure out[N_TREATMENT_FIGURES])
{
    enum { NEWER = 2 }; /* at the end: not with recipe 0.1 */
    const treatment_figure all[] = {{"activity_map", r->activity[which]},
                                    {"activity_p", r->activity_p[which]},
                                    {"activity_q", r->activity_q[which]},
                                    {"consistency_map", r->consistency[which]},
                                    {"consistency_p", r->consistency_p[which]},
                                    {"consistency_q", r->consistency_q[which]},
                                    {"activity_normalized", r->activity_normal[which]},
                                    {"consistency_normalized", r->consistency_normal[which]}};
    _Static_assert(sizeof all / sizeof *all == N_TREATMENT_FIGURES, "a figure per row");
    memcpy(out, all, sizeof all);
    return r->as_0_1 ? N_TREATMENT_FIGURES - NEWER : N_TREATMENT_FIGURES;
}

void results_show_compounds(const results *r, const wells *w, text *out)
{
    treatment_figure figure[N_TREATMENT_FIGURES];
    for (int which = 0; which < 2; which++) {
        bool any = false;
        int n = results_treatment_figures(r, which, figure);
        for (int k = 0; which == 0 && k < n; k++) text_addf(out, "%s%s", k ? "," : "profiles,treatment,", figure[k].name);
        if (which == 0) text_add(out, "\n");
        for (int k = 0; k < n; k++) any |= figure[k].v != NULL;
        for (int32_t l = 0; l < w->n_label && any; l++) {
            text_addf(out, "%s,", profiles_form[which]);
            csv_quote_text(out, intern_at(&w->label_name, (size_t)l));
            for (int k = 0; k < n; k++) {
                text_add(out, ",");
                text_add_number(out, figure[k].v ? figure[k].v[l] : NAN, "");
            }
            text_add(out, "\n");
        }
    }
}

void results_show_by_compound(const results *r, const wells *w, text *out)
{
    text_add(out, "profiles,metric,setting,k,kind,compound,numerator,denominator\n");
    for (size_t i = 0; i < r->n; i++) {
        const result *m = &r->item[i];
        if (!m->num) continue;
        for (int32_t c = 0; c < w->n_compound; c++) {
            if (m->den[c] == 0) continue;
            text_addf(out, "%s,%s,%s,%d,%s,", m->profiles, metric_table[m->metric].name, m->setting, m->k,
                      kind_of(m) == BOOTSTRAP_RATIO ? "ratio" : "mean");
            csv_quote_text(out, intern_at(&w->compound_name, (size_t)c));
            text_add(out, ",");
            text_add_number(out, m->num[c], "");
            text_add(out, ",");
            text_add_number(out, m->den[c], "");
            text_add(out, "\n");
        }
    }
}
