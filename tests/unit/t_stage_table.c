/* t_stage_table.c -- what the driver relies on in its table of stages, row by row; the names made of its patterns. */
#include "../../pipeline/driver.h"
#include "../tap.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

static bool has(const char *whole, const char *part)
{
    return strstr(whole, part) != NULL;
}

/* Each word of `list` is a stage before `stage`. */
static bool all_before(const char *list, int stage)
{
    names words = {0};
    bool good = true;
    if (*list) names_split(&words, list, ' ');
    for (size_t i = 0; i < words.n; i++) {
        int at = stage_find(words.item[i]);
        good = good && at >= 0 && at < stage;
    }
    names_free(&words);
    return good;
}

static void test_rows(void)
{
    ok(n_stages > 0 && n_stages <= MAX_STAGES, "as many stages as there is room for");
    for (int i = 0; i < n_stages; i++) {
        const stage_info *s = &stage_table[i];
        printf("# %s\n", s->name);
        ok(stage_find(s->name) == i, "its name is its own");
        ok(all_before(s->needs, i), "what it needs comes before it");
        ok(has(s->output, "{plate}") == s->per_plate && has(s->record, "{plate}") == s->per_plate,
           "outputs and records of plates hold the plate's name, others not");
        ok(has(s->output, "{run}") == has(s->record, "{run}"), "runs that have an output each have a record each");
        ok(s->clean && *s->clean && s->ends && s->ends[0] == '.' && s->folders && *s->folders, "what it writes can be found again");
        ok(s->stop_signal == SIGTERM || s->stop_signal == SIGUSR1, "a signal that asks it to stop");
        ok(s->estimate && s->job && *s->job, "its costs and its job script");
    }
    ok(stage_find("nothing") < 0, "no other stage");
}

static void test_needs(void)
{
    static const char yaml[] = "screen: {name: x, index: x.csv}\n", profiles[] = "evaluate.profiles=x.csv";
    config c = {0}, outside = {0}, given = {0};
    names sets = {0}, model = {0};
    names_add(&sets, profiles);
    names_add(&model, "embed.model=m.safetensors");
    ok(config_parse(&c, "x.yaml", yaml, strlen(yaml), NULL) == OK, "a configuration");
    ok(config_parse(&outside, "x.yaml", yaml, strlen(yaml), &sets) == OK, "one with an outside table");
    ok(config_parse(&given, "x.yaml", yaml, strlen(yaml), &model) == OK, "one with a model");
    int featurize = stage_find("featurize"), tile = stage_find("tile"), train = stage_find("train"), embed = stage_find("embed"),
        evaluate = stage_find("evaluate");
    ok(stage_needs(&c, embed) == (1u << featurize | 1u << tile | 1u << train), "embed needs three stages");
    ok(stage_needs(&given, embed) == (1u << featurize | 1u << tile), "with a model no training");
    ok(!stage_wanted(&given, train) && stage_wanted(&c, train), "which is then left out");
    c.no_structures = given.no_structures = true;
    ok(stage_wanted(&c, featurize) && !stage_wanted(&given, featurize), "no structures: micon needs them, a given model does not");
    c.train.method = METHOD_SIMCLR;
    ok(!stage_wanted(&c, featurize) && stage_needs(&c, embed) == (1u << tile | 1u << train), "simclr does not either");
    c.no_structures = given.no_structures = false;
    given.train.method = c.train.method = METHOD_PRETRAINED;
    ok(estimate_train_s(&c) <= 1, "pretrained: nothing is trained");
    ok(!stage_wanted(&given, train) && stage_wanted(&c, train), "pretrained: micon-train writes the model, unless one is given");
    ok(stage_wanted(&outside, evaluate) && !stage_wanted(&outside, embed) && stage_needs(&outside, evaluate) == 0,
       "an outside table needs nothing");
    char *out = stage_output(&c, embed, "S__B__P"), *record = stage_record(&c, embed, "S__B__P"), *path = stage_path("a/{run}.b{", "r", "");
    ok(strcmp(out, "work/embeddings/micon/S__B__P.h5") == 0, "an output");
    ok(strcmp(record, "micon/S__B__P") == 0, "a record");
    ok(strcmp(path, "a/r.b{") == 0, "a brace that is no placeholder stays");
    free(out);
    free(record);
    free(path);
    names_free(&sets);
    names_free(&model);
    config_free(&c);
    config_free(&outside);
    config_free(&given);
}

int main(void)
{
    test_rows();
    test_needs();
    return tap_done();
}
