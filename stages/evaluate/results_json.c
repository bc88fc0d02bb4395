/* results_json.c -- metrics.json. */
#include "claims.h"

#include <string.h>

static void show_metric(const result *m, text *out)
{
    text_addf(out, "{\"profiles\":\"%s\",\"metric\":\"%s\",\"setting\":\"%s\",\"k\":", m->profiles, metric_table[m->metric].name,
              m->setting);
    results_add_count(out, m->k > 0 ? m->k : -1, "null");
    const struct {
        const char *name;
        double v;
    } real[] = {{"value", m->v.value}, {"low", m->v.low}, {"high", m->v.high}, {"chance", m->chance}};
    for (size_t i = 0; i < sizeof real / sizeof *real; i++) {
        text_addf(out, ",\"%s\":", real[i].name);
        text_add_number(out, real[i].v, "null");
    }
    text_add(out, ",\"n\":");
    results_add_count(out, m->n, "null");
    text_add(out, ",\"left_out\":");
    results_add_count(out, m->left_out, "null");
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
