/* results.c -- what was measured, as metrics.json and CSV tables. A value has the same digits in all of them. */
#include "claims.h"

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
    double **by[] = {r->activity,        r->activity_p,         r->activity_q, r->consistency, r->consistency_p, r->consistency_q,
                     r->activity_normal, r->consistency_normal, r->pairs,      r->pairs_p,     r->pairs_q,       r->pairs_normal};
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

static void count_add(text *out, int64_t n, const char *missing)
{
    if (n < 0)
        text_add(out, missing);
    else
        text_addf(out, "%lld", (long long)n);
}

static void show_metric(const result *m, text *out)
{
    text_addf(out, "{\"profiles\":\"%s\",\"metric\":\"%s\",\"setting\":\"%s\",\"k\":", m->profiles, metric_table[m->metric].name,
              m->setting);
    count_add(out, m->k > 0 ? m->k : -1, "null");
    const struct {
        const char *name;
        double v;
    } real[] = {{"value", m->v.value}, {"low", m->v.low}, {"high", m->v.high}, {"chance", m->chance}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        text_addf(out, ",\"%s\":", real[i].name);
        text_add_number(out, real[i].v, "null");
    }
    text_add(out, ",\"n\":");
    count_add(out, m->n, "null");
    text_add(out, ",\"left_out\":");
    count_add(out, m->left_out, "null");
    text_add(out, "}");
}

static void show_config(const stage *g, text *out)
{
    text c = {0};
    names line = {0};
    config_show(&g->cfg, AFFECTS_PROFILES, &c);
    names_split(&line, text_str(&c), '\n');
    text_add(out, "{");
    bool first = true;
    for (size_t i = 0; i < line.n; i++) {
        char *colon = strstr(line.item[i], ": ");
        if (!colon) continue;
        *colon = '\0';
        if (!first) text_add(out, ",");
        first = false;
        text_add_json(out, line.item[i]);
        text_add(out, ":");
        text_add_json(out, colon + 2);
    }
    text_add(out, "}");
    text_free(&c);
    names_free(&line);
}

void results_show_json(const results *r, const stage *g, const wells *w, const names *notes, text *out)
{
    int64_t controls = 0, treated = 0, evaluated = 0;
    for (int64_t i = 0; i < w->n; i++) controls += w->control[i], treated += w->label[i] >= 0, evaluated += w->evaluated[i];
    text_addf(out, "{\"format\":%d,\"screen\":", METRICS_FORMAT);
    text_add_json(out, g->cfg.screen.name);
    text_add(out, ",\"run\":");
    text_add_json(out, g->cfg.train.run);
    text_addf(out,
              ",\n\"counts\":{\"wells\":%lld,\"controls\":%lld,\"treated\":%lld,\"judged\":%lld,\"features\":%lld,\"sources\":%d,"
              "\"batches\":%d,\"plates\":%d,\"treatments\":%d,\"mechanisms\":%d,\"predicted\":%lld}",
              (long long)w->n, (long long)controls, (long long)treated, (long long)evaluated, (long long)w->d, w->n_source, w->n_batch,
              w->n_plate, w->n_label, w->n_target, (long long)w->n_cf);
    text_add(out, ",\n\"mechanism_column\":");
    text_add_json(out, w->target_column ? w->target_column : "");
    text_add(out, ",\n\"configuration\":");
    show_config(g, out);
    text_add(out, ",\n\"notes\":[");
    for (size_t i = 0; i < notes->n; i++) {
        if (i) text_add(out, ",");
        text_add_json(out, notes->item[i]);
    }
    text_add(out, "],\n\"claims\":");
    claims_show_json(r, out);
    text_add(out, text_str(&r->told));
    text_add(out, ",\n\"metrics\":[\n");
    for (size_t i = 0; i < r->n; i++) {
        show_metric(&r->item[i], out);
        text_add(out, i + 1 < r->n ? ",\n" : "\n");
    }
    text_add(out, "]}\n");
}

void results_show_csv(const results *r, text *out)
{
    text_add(out, "profiles,metric,setting,k,value,low,high,chance,n,left_out\n");
    for (size_t i = 0; i < r->n; i++) {
        const result *m = &r->item[i];
        text_addf(out, "%s,%s,%s,", m->profiles, metric_table[m->metric].name, m->setting);
        count_add(out, m->k > 0 ? m->k : -1, "");
        const double v[] = {m->v.value, m->v.low, m->v.high, m->chance};
        for (int k = 0; k < 4; k++) {
            text_add(out, ",");
            text_add_number(out, v[k], "");
        }
        text_add(out, ",");
        count_add(out, m->n, "");
        text_add(out, ",");
        count_add(out, m->left_out, "");
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
