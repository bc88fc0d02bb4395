/* claims.c -- figures of reproducibility beside those with other positions only and those of untreated positions. */
#include "claims.h"

#include "micon/base/log.h"

#include <math.h>

static const struct {
    metric_id metric;
    int k;
} claimed[] = {{METRIC_NSB, 1}, {METRIC_NSS, 1}, {METRIC_NSP, 1}, {METRIC_MAP_ACTIVITY, 0}, {METRIC_PERCENT_REPLICATING, 0}};
enum { N_CLAIMED = sizeof claimed / sizeof *claimed };

/* 0 at chance, 1 at best. */
static double beyond_chance(const result *m, double v)
{
    return (v - m->chance) / (1 - m->chance);
}

static claim_state state_of(double low, double bar)
{
    return isnan(low) || isnan(bar) ? CLAIM_OPEN : low > bar ? CLAIM_HOLDS : CLAIM_FAILS;
}

size_t claims_of(const results *r, claim out[MOST_CLAIMS])
{
    size_t n = 0;
    for (int p = 0; p < 2; p++)
        for (int i = 0; i < N_CLAIMED; i++) {
            claim c = {.all = results_find(r, profiles_form[p], claimed[i].metric, ALL_WELLS, claimed[i].k),
                       .other = results_find(r, profiles_form[p], claimed[i].metric, OTHER_POSITIONS, claimed[i].k),
                       .control = results_find(r, profiles_form[p], claimed[i].metric, POSITION_CONTROL, claimed[i].k),
                       .other_clear = CLAIM_OPEN,
                       .control_clear = CLAIM_OPEN};
            if (!c.all) continue;
            if (c.other) c.other_clear = state_of(c.other->v.low, c.other->chance);
            if (c.control) c.control_clear = state_of(beyond_chance(c.all, c.all->v.low), beyond_chance(c.control, c.control->v.high));
            c.holds = c.other && 2 * c.other->n >= c.all->n ? c.other_clear : c.control_clear;
            out[n++] = c;
        }
    return n;
}

static const char *const json_word[] = {[CLAIM_FAILS] = "false", [CLAIM_HOLDS] = "true", [CLAIM_OPEN] = "null"};

static void add_figure(const char *name, const result *m, claim_state clear, text *out)
{
    text_addf(out, ",\"%s\":", name);
    if (!m) {
        text_add(out, "null");
        return;
    }
    const double v[] = {m->v.value, m->v.low, m->v.high, m->chance};
    static const char *const field[] = {"value", "low", "high", "chance"};
    text_add(out, "{");
    for (int i = 0; i < 4; i++) {
        text_addf(out, "\"%s\":", field[i]);
        text_add_number(out, v[i], "null");
        text_add(out, ",");
    }
    text_addf(out, "\"n\":%lld,\"clear\":%s}", (long long)m->n, json_word[clear]);
}

void claims_show_json(const results *r, text *out)
{
    claim c[MOST_CLAIMS];
    size_t n = claims_of(r, c);
    text_add(out, "[");
    for (size_t i = 0; i < n; i++) {
        const result *m = c[i].all;
        text_addf(out, "%s\n{\"profiles\":\"%s\",\"metric\":\"%s\",\"k\":", i ? "," : "", m->profiles, metric_table[m->metric].name);
        text_addf(out, m->k > 0 ? "%d" : "null", m->k);
        add_figure("all", m, state_of(m->v.low, m->chance), out);
        add_figure("other_positions", c[i].other, c[i].other_clear, out);
        add_figure("position_control", c[i].control, c[i].control_clear, out);
        text_addf(out, ",\"holds\":%s}", json_word[c[i].holds]);
    }
    text_add(out, "]");
}

void claims_log(const results *r)
{
    static const char *const word[] = {[CLAIM_FAILS] = "does not hold", [CLAIM_HOLDS] = "holds", [CLAIM_OPEN] = "cannot be told"};
    claim c[MOST_CLAIMS];
    size_t n = claims_of(r, c);
    for (size_t i = 0; i < n; i++) {
        text line = {0};
        const result *m = c[i].all;
        text_addf(&line, "%s, %s: %.3f (chance %.3f)", metric_table[m->metric].label, m->profiles, m->v.value, m->chance);
        if (c[i].other) text_addf(&line, "; other positions %.3f (n %lld)", c[i].other->v.value, (long long)c[i].other->n);
        if (c[i].control) text_addf(&line, "; untreated positions %.3f (chance %.3f)", c[i].control->v.value, c[i].control->chance);
        log_info("%s: %s", text_str(&line), word[c[i].holds]);
        text_free(&line);
    }
}
