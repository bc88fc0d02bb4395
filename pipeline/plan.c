/* plan.c -- reads what is on disk and makes the list of steps. Image files are only looked at with --images. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/url.h"
#include "micon/formats/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* work/status/<stage>/<name>.inputs: digest,size,mtime_ns,path. An unreadable line ends the list. */
static void read_inputs(step *s, const char *path)
{
    csv *c = NULL;
    char **f, *end;
    bool more = true;
    size_t cap = 0;
    status st = path_exists(path) ? csv_open(&c, path) : E_IO;
    if (st == OK && csv_n_cols(c) == 4)
        while ((st = csv_next(c, &f, &more)) == OK && more) {
            recorded_input in = {.digest = strtoull(f[0], &end, 16)};
            if (*end || !num_i64(f[1], &in.size) || !num_i64(f[2], &in.mtime_ns)) break;
            if (mem_grow(&s->input, &cap, s->n_inputs + 1, sizeof *s->input, "inputs") != OK) break;
            in.path = xstrdup(f[3]);
            s->input[s->n_inputs++] = in;
        }
    if (st != OK) msg_clear();
    csv_close(&c);
}

/* The first input whose size or time differs from the recorded one. An output of ours that changed is found by its content digest. */
static void compare_inputs(step *s)
{
    char shown[160];
    for (size_t i = 0; i < s->n_inputs && !s->input_changed; i++) {
        int64_t size = -1, mtime_ns = 0;
        const recorded_input *in = &s->input[i];
        if (url_is_remote(in->path)) continue;
        if (path_exists(in->path) && path_stat(in->path, &size, &mtime_ns) != OK) msg_clear();
        if (size == in->size && (size < 0 || mtime_ns == in->mtime_ns)) continue;
        text_show(shown, sizeof shown, path_base(in->path));
        s->input_changed = xasprintf("%s %s", shown, size < 0 ? "is gone" : in->size < 0 ? "is there now" : "was changed");
    }
}

static void look_at_disk(step *s, const call *c)
{
    char *record = output_record_path(&c->cfg, stage_table[s->stage].name, s->name);
    s->built = driver_has_program(c, stage_table[s->stage].name);
    s->exists = path_exists(s->output);
    if (s->exists && (s->has_record = output_record_read(&s->record, record))) {
        s->of_the_file = output_record_is_of(&s->record, s->output);
        char *inputs = step_file(&c->cfg, s, "inputs");
        if (!stage_table[s->stage].reads_images || c->a.images) {
            read_inputs(s, inputs);
            compare_inputs(s);
        }
        free(inputs);
    }
    step_status_read(&s->last, &c->cfg, s);
    free(record);
}

static status add_step(plan *p, const call *c, int stage, long plate, bool chosen)
{
    status st = OK;
    TRY(mem_grow(&p->step, &p->cap, p->n + 1, sizeof *p->step, "steps"));
    step *s = &p->step[p->n++];
    *s = (step){.stage = stage, .plate = plate, .chosen = chosen};
    s->name = stage_record(&c->cfg, stage, plate >= 0 ? p->screen.plate[plate].name : NULL);
    s->output = stage_output(&c->cfg, stage, plate >= 0 ? p->screen.plate[plate].name : NULL);
    look_at_disk(s, c);
done:
    return st;
}

/* Estimated bytes of the tables as text. Gzip makes a CSV a third of its size or more; a value takes 4 bytes in h5ad and about 8 as text.
 * Unreadable tables count 0: micon check reports them. */
static double text_of_tables(const config *c)
{
    double bytes = 0;
    names file = {0};
    for (size_t i = 0; i < c->evaluate.profiles.n; i++)
        if (path_glob(&file, c->dir, c->evaluate.profiles.item[i]) != OK) msg_clear();
    for (size_t i = 0; i < file.n; i++) {
        int64_t size = 0, mtime_ns;
        if (path_stat(file.item[i], &size, &mtime_ns) != OK) msg_clear();
        bytes += (double)size * (text_ends(file.item[i], ".gz") ? 3 : text_ends(file.item[i], ".csv") ? 1 : 2);
    }
    names_free(&file);
    return bytes;
}

status plan_make(plan *p, const call *c)
{
    status st = OK;
    unsigned stages;
    bool *plates = NULL;
    *p = (plan){.ranks = c->a.ranks > 0 ? c->a.ranks : process_cores(), .force = c->a.force};
    p->memory = mem_available();
    p->shared = memory_budget_shared(p->ranks);
    TRY(stages_chosen(&c->a.stages, &stages));
    if (!c->cfg.evaluate.profiles.n) TRY(screen_load(&p->screen, &c->cfg));
    plates = xcalloc(p->screen.n + 1, sizeof *plates);
    TRY(screen_choose(&p->screen, &c->a.plates, plates));
    for (int i = 0; i < n_stages; i++) {
        bool chosen = stages >> i & 1;
        if (!stage_wanted(&c->cfg, i)) continue;
        if (!stage_table[i].per_plate) TRY(add_step(p, c, i, -1, chosen && !c->a.plates.n));
        for (size_t k = 0; stage_table[i].per_plate && k < p->screen.n; k++) TRY(add_step(p, c, i, (long)k, chosen && plates[k]));
    }
    rates_read(&p->rates, &c->cfg);
    p->tables = text_of_tables(&c->cfg);
    step_states_read(p, &c->cfg);
    p->alone = true; /* first the state of each by itself, then what is to be done */
    plan_decide(p, &c->cfg);
    step_states_judge(p, &c->cfg);
    p->alone = false;
    plan_decide(p, &c->cfg);
    plan_estimate(p, &c->cfg);
done:
    free(plates);
    return st;
}

void plan_free(plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        step *s = &p->step[i];
        for (size_t k = 0; k < s->n_inputs; k++) free(s->input[k].path);
        free(s->input);
        free(s->name);
        free(s->output);
        free(s->why);
        free(s->input_changed);
        output_record_free(&s->record);
        step_status_free(&s->last);
    }
    free(p->step);
    submissions_free(&p->jobs);
    queue_free(&p->queue);
    text_free(&p->holder);
    screen_free(&p->screen);
    *p = (plan){0};
}
