/* plan.c -- what is on disk, as steps; the table. Image files are never touched unless asked (--images). */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* work/status/<stage>/<name>.inputs: digest,size,mtime_ns,path. What cannot be read is not known. */
static void read_inputs(step *s, const char *path)
{
    csv *c = NULL;
    char **f, *end;
    bool more = true;
    size_t cap = 0;
    status st = path_exists(path) ? csv_open(&c, path) : E_IO;
    if (st == OK && csv_n_cols(c) == 4)
        while ((st = csv_next(c, &f, &more)) == OK && more) {
            input_seen in = {.digest = strtoull(f[0], &end, 16)};
            if (*end || !num_i64(f[1], &in.size) || !num_i64(f[2], &in.mtime_ns)) break;
            if (mem_grow(&s->input, &cap, s->n_inputs + 1, sizeof *s->input, "inputs") != OK) break;
            in.path = xstrdup(f[3]);
            s->input[s->n_inputs++] = in;
        }
    if (st != OK) msg_clear();
    csv_close(&c);
}

/* The first input whose size or time is not the recorded one. An output of ours that changed is found by its content digest. */
static void compare_inputs(step *s)
{
    char shown[160];
    for (size_t i = 0; i < s->n_inputs && !s->input_changed; i++) {
        int64_t size = -1, mtime_ns = 0;
        const input_seen *in = &s->input[i];
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
        char *below = xasprintf("status/%s/%s.inputs", stage_table[s->stage].name, s->name), *inputs = config_work(&c->cfg, below);
        if (!stage_table[s->stage].reads_images || c->a.images) {
            read_inputs(s, inputs);
            compare_inputs(s);
        }
        free(below);
        free(inputs);
    }
    if (!s->exists) {
        step_status last;
        step_status_read(&last, &c->cfg, s);
        s->failed = last.state == SEEN_FAILED;
        step_status_free(&last);
    }
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

/* A CSV compressed by gzip has a third of its text or more; of a value an h5ad file has 4 bytes, a text about 8. What cannot be looked at
 * counts nothing: micon check names it. */
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
    }
    free(p->step);
    screen_free(&p->screen);
    *p = (plan){0};
}

/* ---- the table ---- */
static void add_row(text *out, const char *stage, const char *what, const char *which, const char *cost[3], const char *why)
{
    text_addf(out, "%-10s %-10s %-22s %11s %9s %9s%s%s\n", stage, what, which, cost[0], cost[1], cost[2], *why ? "  " : "", why);
}

/* Steps of one stage with the same verdict are one row. */
static void add_group(const plan *p, size_t first, bool *shown, text *out)
{
    static const char *const verdict[] = {"up to date", "check", "run", "left out"};
    const step *s = &p->step[first];
    double seconds = 0, bytes = 0, mem = 0;
    size_t n = 0;
    char which[400], time[32], memory[32], size[32];
    for (size_t i = first; i < p->n; i++) {
        const step *o = &p->step[i];
        if (shown[i] || !o->chosen || o->stage != s->stage || o->state != s->state || strcmp(o->why, s->why) != 0) continue;
        shown[i] = true;
        n++;
        seconds += o->here_s;
        bytes += (double)o->bytes;
        if ((double)o->mem > mem) mem = (double)o->mem;
    }
    if (s->plate < 0 || n == 1)
        text_show(which, sizeof which, step_label(p, s));
    else
        snprintf(which, sizeof which, "%zu plates", n);
    bool costs = s->state == STEP_RUN || s->state == STEP_CHECK;
    num_show_time(time, sizeof time, seconds);
    num_show_bytes(memory, sizeof memory, mem);
    num_show_bytes(size, sizeof size, bytes);
    add_row(out, stage_table[s->stage].name, verdict[s->state], which,
            costs ? (const char *[3]){time, memory, size} : (const char *[3]){"-", "-", "-"}, s->state == STEP_CURRENT ? "" : s->why);
}

/* Stages one after the other; plates of a stage side by side on `lanes` nodes (0: here). */
static double time_on(const plan *p, int64_t lanes)
{
    double total = 0;
    for (int stage = 0; stage < n_stages; stage++) {
        double sum = 0, longest = 0;
        for (size_t i = 0; i < p->n; i++) {
            const step *s = &p->step[i];
            if (s->stage != stage || !step_wants_run(s)) continue;
            sum += lanes ? s->seconds : s->here_s;
            if (s->seconds > longest) longest = s->seconds;
        }
        if (lanes) sum = sum / (double)lanes > longest ? sum / (double)lanes : longest;
        total += sum;
    }
    return total;
}

void plan_print(const plan *p, const config *c, int64_t nodes, text *out)
{
    bool *shown = xcalloc(p->n + 1, sizeof *shown);
    size_t todo = 0;
    int64_t sites = 0;
    char name[200], t[32];
    for (size_t i = 0; i < p->screen.n; i++) sites += p->screen.plate[i].sites;
    text_addf(out, "screen '%s': %zu plate%s, %lld sites\n\n", text_show(name, sizeof name, c->screen.name), p->screen.n,
              p->screen.n == 1 ? "" : "s", (long long)sites);
    add_row(out, "STAGE", "DO", "WHAT", (const char *[3]){"TIME", "MEMORY", "OUTPUT"}, "WHY");
    for (size_t i = 0; i < p->n; i++) {
        if (p->step[i].chosen && !shown[i]) add_group(p, i, shown, out);
        todo += step_wants_run(&p->step[i]);
    }
    double seconds = time_on(p, nodes);
    if (!todo)
        text_add(out, "\nNothing to do: everything that can be made here is up to date.\n");
    else
        text_addf(out, "\n%zu step%s to do, about %s on %lld %s.\n", todo, todo == 1 ? "" : "s", num_show_time(t, sizeof t, seconds),
                  (long long)(nodes ? nodes : p->ranks),
                  nodes           ? (nodes == 1 ? "node" : "nodes")
                  : p->ranks == 1 ? "core"
                                  : "cores");
    if (todo && !p->rates.measured)
        text_add(out, "The rates are built in; --calibrate measures this machine with a few sites of the screen.\n");
    if (todo && nodes) {
        time_t end = time(NULL) + (time_t)seconds;
        struct tm tm;
        char when[64] = "";
        if (localtime_r(&end, &tm)) strftime(when, sizeof when, "%a %d %b %H:%M", &tm);
        text_addf(out, "Submitted now, and with no wait in the queue, it would be done at %s.\n", when);
    }
    free(shown);
}

status command_plan(call *c)
{
    status st = OK;
    plan p = {0};
    text t = {0};
    if (c->a.calibrate) TRY(rates_calibrate(c));
    TRY(plan_make(&p, c));
    plan_print(&p, &c->cfg, c->a.nodes, &t);
    fputs(text_str(&t), stdout);
done:
    text_free(&t);
    plan_free(&p);
    return st;
}
