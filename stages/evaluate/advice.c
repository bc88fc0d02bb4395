/* advice.c -- the paired effect of correction on each figure, and the paragraph made from it. */
#include "advice.h"

#include <math.h>

static const struct {
    metric_id metric;
    int k;
    bool main;
} judged[] = {{METRIC_NSB, 1, true},
              {METRIC_NSS, 1, true},
              {METRIC_NSP, 1, true},
              {METRIC_MAP_ACTIVITY, 0, true},
              {METRIC_MAP_CONSISTENCY, 0, true},
              {METRIC_KNN_MECHANISM, 5, false},
              {METRIC_KNN_SOURCE, 5, false},
              {METRIC_KNN_PLATE, 5, false}};
_Static_assert(sizeof judged / sizeof *judged == MOST_EFFECTS, "a place for each");

static const double most_bias = 0.02;

bool advice_biased(double bias, const result *corrected)
{
    return bias > most_bias && corrected->v.low > corrected->chance;
}

void advice_free(advice *a)
{
    text_free(&a->sentence);
}

/* Of one source, or one plate, every neighbour names it: that is neither good nor bad. */
static bool can_be_told(const results *r, const wells *w, metric_id metric)
{
    if (metric == METRIC_MAP_ACTIVITY) return !r->fitted;
    return metric == METRIC_KNN_SOURCE ? w->n_source > 1 : metric == METRIC_KNN_PLATE ? w->n_plate > 1 : true;
}

static status add_effects(advice *a, const results *r, const wells *w)
{
    status st = OK;
    for (size_t i = 0; i < MOST_EFFECTS; i++) {
        correction_effect e = {.before = results_find(r, profiles_form[0], judged[i].metric, ALL_WELLS, judged[i].k),
                               .after = results_find(r, profiles_form[1], judged[i].metric, ALL_WELLS, judged[i].k),
                               .main = judged[i].main};
        if (!e.before || !e.after || !e.before->num || !e.after->num || !can_be_told(r, w, judged[i].metric)) continue;
        bool lower = metric_table[judged[i].metric].properties & LOWER;
        const result *from = lower ? e.after : e.before, *to = lower ? e.before : e.after;
        TRY(bootstrap_difference(BOOTSTRAP_RATIO, to->num, to->den, from->num, from->den, w->n_compound, r->draws, r->seed, &e.gain));
        e.better = e.gain.low > 0 ? 1 : e.gain.high < 0 ? -1 : 0;
        if (!isnan(e.gain.value)) a->effect[a->n++] = e;
    }
done:
    return st;
}

void correction_name(const evaluate_options *o, text *out)
{
    static const char *const by[] = {[HARMONY_SOURCE] = "source", [HARMONY_BATCH] = "batch", [HARMONY_PLATE] = "plate"};
    static const char *const sphere[] = {
        [SPHERING_ZCA] = "ZCA", [SPHERING_PCA] = "PCA", [SPHERING_ZCA_COR] = "ZCA-cor", [SPHERING_PCA_COR] = "PCA-cor"};
    bool ranks = o->reshape != RESHAPE_NONE, sphered = o->sphere != SPHERING_NONE, harmony = o->batch_correction == CORRECTION_HARMONY;
    if (ranks) text_addf(out, "ranks within %s", o->reshape == RESHAPE_RANK_PLATE ? "plates" : "batches");
    if (sphered && o->ridge == RIDGE_LEDOIT_WOLF)
        text_addf(out, "%ssphering %s with the shrinkage of Ledoit and Wolf", ranks ? ", " : "", sphere[o->sphere]);
    else if (sphered)
        text_addf(out, "%ssphering %s with ridge %g", ranks ? ", " : "", sphere[o->sphere], o->ridge);
    if (harmony) text_addf(out, "%sHarmony by %s", ranks || sphered ? ", " : "", by[o->harmony_by]);
    if (!ranks && !sphered && !harmony) text_add(out, "none");
}

static void say_effect(const correction_effect *e, text *out)
{
    const metric_info *m = &metric_table[e->after->metric];
    text_addf(out, "%s%s: %.3f without, %.3f with correction, ", m->label, m->properties & BY_K ? ", top 1" : "", e->before->v.value,
              e->after->v.value);
    if (isnan(e->gain.low))
        text_add(out, "too few compounds for an interval");
    else if (e->better == 0)
        text_addf(out, "no difference beyond noise (%+.3f, %+.3f to %+.3f)", e->gain.value, e->gain.low, e->gain.high);
    else
        text_addf(out, "%s (%+.3f, %+.3f to %+.3f)", e->better > 0 ? "better" : "worse", e->gain.value, e->gain.low, e->gain.high);
}

static void say_bias(const advice *a, text *out)
{
    if (isnan(a->bias)) {
        text_add(out, " Its bias on held-out controls is not known.");
        return;
    }
    text_addf(out, " Held-out controls, which should be at chance (%.3f): mAP %.3f without, %.3f with; bias %+.3f, ",
              a->controls[1]->chance, a->controls[0]->v.value, a->controls[1]->v.value, a->bias);
    if (advice_biased(a->bias, a->controls[1]))
        text_addf(out, "more than the %g that is tolerable.", most_bias);
    else
        text_add(out, "tolerable or within noise.");
}

static void judge(advice *a, const results *r)
{
    static const char *const what[] = {[ADVICE_USE] = "Use the corrected profiles.",
                                       [ADVICE_EITHER] =
                                           "Either form of the profiles will do; those without correction are the simpler ones.",
                                       [ADVICE_MIXED] = "It helps some figures and harms others: decide by the one that matters to you.",
                                       [ADVICE_AGAINST] = "Do not use it: take the profiles without correction."};
    int better = 0, worse = 0;
    for (size_t i = 0; i < a->n; i++)
        if (a->effect[i].main) better += a->effect[i].better > 0, worse += a->effect[i].better < 0;
    bool biased = r->fitted || (a->controls[1] && advice_biased(a->bias, a->controls[1]));
    a->verdict = biased || (worse && !better) ? ADVICE_AGAINST : worse ? ADVICE_MIXED : better ? ADVICE_USE : ADVICE_EITHER;
    if (r->fitted) text_add(&a->sentence, " Activity was measured against controls that fitted the correction, and comes out too high.");
    text_addf(&a->sentence, " %s", what[a->verdict]);
}

status advice_make(advice *a, const results *r, const wells *w, const evaluate_options *o)
{
    status st = OK;
    int said = 0;
    *a = (advice){.bias = NAN};
    TRY(add_effects(a, r, w));
    if (a->n == 0) goto done;
    for (int form = 0; form < 2; form++) a->controls[form] = results_find(r, profiles_form[form], METRIC_MAP_CONTROLS, ALL_WELLS, 0);
    if (a->controls[0] && a->controls[1]) a->bias = a->controls[1]->v.value - a->controls[0]->v.value;
    text_add(&a->sentence, "Correction (");
    correction_name(o, &a->sentence);
    text_add(&a->sentence, "): ");
    for (size_t i = 0; i < a->n; i++) {
        if (!a->effect[i].main) continue;
        if (said++) text_add(&a->sentence, "; ");
        say_effect(&a->effect[i], &a->sentence);
    }
    text_add(&a->sentence, said ? "." : "no figure of reproducibility can be compared.");
    say_bias(a, &a->sentence);
    judge(a, r);
done:
    return st;
}

void advice_json(const advice *a, text *out)
{
    static const char *const word[] = {
        [ADVICE_USE] = "use", [ADVICE_EITHER] = "either", [ADVICE_MIXED] = "mixed", [ADVICE_AGAINST] = "against"};
    text_add(out, ",\n\"correction\":");
    if (a->n == 0) {
        text_add(out, "null");
        return;
    }
    text_addf(out, "{\"verdict\":\"%s\",\"sentence\":", word[a->verdict]);
    text_add_json(out, text_str(&a->sentence));
    text_add(out, ",\"bias\":");
    text_add_number(out, a->bias, "null");
    text_add(out, ",\"effects\":[");
    for (size_t i = 0; i < a->n; i++) {
        const correction_effect *e = &a->effect[i];
        text_addf(out, "%s\n{\"metric\":\"%s\",\"k\":", i ? "," : "", metric_table[e->after->metric].name);
        text_addf(out, e->after->k > 0 ? "%d" : "null", e->after->k);
        const struct {
            const char *name;
            double v;
        } real[] = {{"before", e->before->v.value},
                    {"after", e->after->v.value},
                    {"gain", e->gain.value},
                    {"low", e->gain.low},
                    {"high", e->gain.high}};
        for (size_t k = 0; k < sizeof real / sizeof *real; k++) {
            text_addf(out, ",\"%s\":", real[k].name);
            text_add_number(out, real[k].v, "null");
        }
        text_addf(out, ",\"better\":%d}", e->better);
    }
    text_add(out, "]}");
}
