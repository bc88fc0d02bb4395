/* plan_decide.c -- decides what has to be done from what is on disk. Opens no files. */
#include "driver.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>

const char *step_label(const plan *p, const step *s)
{
    return s->plate >= 0 ? p->screen.plate[s->plate].label : "whole screen";
}

bool step_wants_run(const step *s)
{
    return s->chosen && (s->state == STEP_RUN || s->state == STEP_CHECK);
}

const step *plan_find(const plan *p, int stage, long plate)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->step[i].stage == stage && (plate < 0 || p->step[i].plate < 0 || p->step[i].plate == plate)) return &p->step[i];
    return NULL;
}

static void decided(step *s, step_state state, const char *why)
{
    s->state = state;
    s->why = xstrdup(why);
}

/* The name of an output relative to the work folder: "tiles/P.h5". */
static bool same_output(const char *a, const char *b)
{
    const char *x = path_base(a), *y = path_base(b);
    if (strcmp(x, y) != 0) return false;
    while (x > a && y > b && x[-1] == y[-1] && (x[-1] != '/' || strchr(x, '/') == NULL)) x--, y--;
    return x == a || y == b || (x[-1] == '/' && y[-1] == '/');
}

static const recorded_input *find_recorded_input(const step *s, const char *path)
{
    for (size_t i = 0; i < s->n_inputs; i++)
        if (same_output(s->input[i].path, path)) return &s->input[i];
    return NULL;
}

/* Does an earlier step decide about this one? */
static bool decide_by_needs(plan *p, step *s, const config *c)
{
    unsigned needs = stage_needs(c, s->stage);
    const step *before = NULL;
    for (size_t i = 0; i < p->n; i++) {
        const step *u = &p->step[i];
        if (!(needs >> u->stage & 1) || (u->plate >= 0 && s->plate >= 0 && u->plate != s->plate)) continue;
        if (!before || u->state >= before->state) before = u;
    }
    if (!before || before->state == STEP_CURRENT) return false;
    const char *name = stage_table[before->stage].name;
    char *why = before->state == STEP_ABSENT ? xasprintf("needs %s, which cannot run here", name)
                : before->state == STEP_RUN  ? xasprintf("after %s", name)
                                             : xasprintf("after checking %s", name);
    /* A missing output must be made in any case. */
    decided(s, before->state == STEP_CHECK && !s->exists ? STEP_RUN : before->state,
            before->state == STEP_CHECK && !s->exists ? "not made yet" : why);
    free(why);
    return true;
}

/* Were the outputs of earlier stages that it was made from replaced? */
static bool decide_by_inputs(plan *p, step *s, const config *c)
{
    unsigned needs = stage_needs(c, s->stage);
    for (size_t i = 0; i < p->n; i++) {
        const step *u = &p->step[i];
        if (!(needs >> u->stage & 1) || (u->plate >= 0 && s->plate >= 0 && u->plate != s->plate)) continue;
        const recorded_input *then = find_recorded_input(s, u->output);
        char name[160], *why = NULL;
        text_show(name, sizeof name, path_base(u->output));
        if (then && u->of_the_file && u->record.content && /* else the record is of another file */
            then->digest != u->record.content)
            why = xasprintf("%s has changed", name);
        else if (!then && s->plate < 0 && u->plate >= 0 && u->exists && s->n_inputs) /* a whole-screen step records every plate it used */
            why = xasprintf("%s is there now", name);
        if (!why) continue;
        decided(s, STEP_RUN, why);
        free(why);
        return true;
    }
    return false;
}

/* The recorded "index rows" line: the digest of the plate's rows, or for a step over the screen that of all plates' in order. */
static bool rows_differ(const plan *p, const step *s)
{
    char *then = output_record_line(&s->record, "index rows"), now[DIGEST_TEXT];
    bool differs = then != NULL;
    for (int of = 0; of < 2 && differs; of++) {
        uint64_t d = 0;
        for (size_t i = 0; s->plate < 0 && i < p->screen.n; i++) d = digest_mix(d, p->screen.plate[i].rows[of]);
        digest_show(s->plate < 0 ? d : p->screen.plate[s->plate].rows[of], now);
        differs = strcmp(then, now) != 0;
    }
    free(then);
    return differs;
}

static void decide_by_record(plan *p, step *s, const config *c)
{
    text why = {0};
    if (output_record_config_differs(&s->record, c, &why))
        decided(s, STEP_RUN, text_str(&why));
    else if (rows_differ(p, s))
        decided(s, STEP_RUN, "its rows of the tables have changed");
    else if (strcmp(s->record.version, MICON_VERSION) != 0)
        decided(s, STEP_CHECK, "made by another version");
    else if (s->input_changed)
        decided(s, STEP_CHECK, s->input_changed);
    else if (!decide_by_inputs(p, s, c)) /* after a failure the stage itself decides whether the output of an earlier try is current */
        decided(s, s->last.state == STATUS_FAILED ? STEP_CHECK : STEP_CURRENT,
                s->last.state == STATUS_FAILED ? "the last try failed; see micon status" : "up to date");
    text_free(&why);
}

static void decide(plan *p, step *s, const config *c)
{
    if (!s->built) {
        char *why = xasprintf("program micon-%s is not built", stage_table[s->stage].name);
        decided(s, STEP_ABSENT, why);
        free(why);
    } else if (p->force && s->chosen && !p->alone) {
        decided(s, STEP_RUN, "--force");
    } else if (!p->alone && decide_by_needs(p, s, c)) {
        return;
    } else if (!s->exists) {
        decided(s, STEP_RUN, s->last.state == STATUS_FAILED ? "failed before; see micon status" : "not made yet");
    } else if (!s->has_record) {
        decided(s, STEP_CHECK, "no record of what it was made from");
    } else if (!s->of_the_file) {
        decided(s, STEP_CHECK, "the file differs from its record");
    } else {
        decide_by_record(p, s, c);
    }
}

/* Steps are in the order of the stages, so what a step needs is decided before it. */
void plan_decide(plan *p, const config *c)
{
    for (size_t i = 0; i < p->n; i++) {
        FREE(p->step[i].why);
        decide(p, &p->step[i], c);
    }
}
