/* metric_table.c -- the table of metrics as an array, and as JSON for the pages. */
#include "metric_table.h"

#define METRIC_ROW(id, ...) [METRIC_##id] = {__VA_ARGS__},
const metric_info metric_table[N_METRICS] = {METRIC_TABLE(METRIC_ROW)};

static const struct {
    const char *name, *label;
} settings[N_SETTINGS] = {[ALL_WELLS] = {"all", "All evaluated wells"},
                          [SEEN_SOURCES] = {"seen_sources", "Seen sources (held-out batches)"},
                          [UNSEEN_SOURCE] = {"unseen_source", "Unseen source"},
                          [UNSEEN_COMPOUNDS] = {"unseen_compounds", "Unseen compounds"},
                          [OTHER_POSITIONS] = {"other_positions", "Other well positions only"},
                          [POSITION_MATCHED] = {"position_matched", "Against untreated wells and null sets at as many positions"},
                          [POSITION_CONTROL] = {"position_control", "Untreated positions as if they were treatments"}};

const char *metric_setting_name(metric_setting s)
{
    return settings[s].name;
}

static void add_field(text *out, const char *name, const char *value)
{
    text_addf(out, "\"%s\":", name);
    text_add_json(out, value);
    text_add(out, ",");
}

void metric_table_json(text *out, const char *pairs)
{
    static const char *const section[] = {
        [IN_RETRIEVAL] = "retrieval", [IN_PREDICTED] = "predicted", [IN_ACTIVITY] = "activity", [IN_BATCHES] = "batches", [NOT_SHOWN] = ""};
    text_add(out, "{\"settings\":{");
    for (int s = 0; s < N_SETTINGS; s++) {
        text_addf(out, "%s\"%s\":", s ? "," : "", settings[s].name);
        text_add_json(out, settings[s].label);
    }
    if (*pairs) text_addf(out, ",\"%s\":\"Pairs of wells by columns: %s\"", pairs, pairs);
    text_add(out, "},\n\"metrics\":[");
    for (int i = 0; i < N_METRICS; i++) {
        const metric_info *m = &metric_table[i];
        text_add(out, i ? ",\n{" : "\n{");
        add_field(out, "name", m->name);
        add_field(out, "label", m->label);
        add_field(out, "help", m->help);
        add_field(out, "section", section[m->section]);
        add_field(out, "setting", m->setting < N_SETTINGS ? settings[m->setting].name : m->setting == CHOSEN_PAIRS ? pairs : "");
        text_addf(out, "\"by_k\":%s,\"k\":%d,\"chance\":%s,\"lower_is_better\":%s}", m->properties & BY_K ? "true" : "false",
                  m->properties & VOTE_OF_5 ? 5 : 0, m->properties & CHANCE ? "true" : "false", m->properties & LOWER ? "true" : "false");
    }
    text_add(out, "\n]}");
}
