/* status.c -- micon status: the status files under work/status, the outputs on disk, the jobs in the queue. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    call *c;
    plan plan;
    size_t failed;
    bool active, by_hand;
} report;

static status look(report *r)
{
    status st = OK;
    TRY(plan_make(&r->plan, r->c));
    r->plan.alone = true;
    plan_decide(&r->plan, &r->c->cfg);
    r->active = r->plan.holder.n > 0;
    for (size_t i = 0; i < r->plan.n; i++) {
        r->active |= step_is_active(&r->plan.step[i]);
        r->by_hand |= r->plan.step[i].is == IS_RUNNING;
        r->failed += r->plan.step[i].is == IS_FAILED;
    }
done:
    return st;
}

static void show_detail(const report *r, size_t i, text *out)
{
    const step *s = &r->plan.step[i];
    const step_status *e = &s->last;
    char shown[300];
    text_addf(out, "  %s %s %s: ", step_kind_words[s->is], stage_table[s->stage].name, step_label(&r->plan, s));
    if (s->is == IS_RUNNING && e->state != STATUS_RUNNING)
        text_add(out, "started, no progress reported yet");
    else if (s->is == IS_RUNNING)
        step_status_show(e, out);
    if (*e->message && (s->is != IS_RUNNING || e->state == STATUS_RUNNING))
        text_addf(out, "%s%s", s->is == IS_RUNNING && e->total > 0 ? "; " : "", text_show(shown, sizeof shown, e->message));
    if (s->is == IS_FAILED && e->log) text_addf(out, " (log: %s)", e->log);
    text_add(out, "\n");
}

static void show(const report *r, text *out)
{
    char name[200];
    text who = {0};
    size_t jobs = 0;
    for (size_t k = 0; k < r->plan.jobs.n; k++) jobs += submitted_is_active(&r->plan.jobs.item[k], &r->plan.queue);
    if (r->plan.holder.n) text_add(&who, text_str(&r->plan.holder));
    if (jobs) text_addf(&who, "%s%zu job%s of SLURM queued or running", who.n ? "; " : "", jobs, jobs == 1 ? "" : "s");
    if (!who.n) text_add(&who, r->by_hand ? "no run is active here, but a stage is running" : "no run is active here");
    text_addf(out, "screen '%s': %s\n\n%-10s", text_show(name, sizeof name, r->c->cfg.screen.name), text_str(&who), "STAGE");
    text_free(&who);
    for (int k = 0; k < N_STEP_KINDS; k++) text_addf(out, " %9s", step_kind_words[k]);
    text_add(out, "\n");
    size_t absent = 0;
    for (int stage = 0; stage < n_stages; stage++) {
        size_t n[N_STEP_KINDS] = {0}, all = 0;
        for (size_t i = 0; i < r->plan.n; i++)
            if (r->plan.step[i].stage == stage) n[r->plan.step[i].is]++, all++;
        if (!all) continue;
        absent += n[IS_NOT_HERE];
        text_addf(out, "%-10s", stage_table[stage].name);
        for (int k = 0; k < N_STEP_KINDS; k++) text_addf(out, " %9zu", n[k]);
        text_add(out, "\n");
    }
    if (absent) text_add(out, "\nnot here: these steps cannot run on this machine; micon plan says why\n");
    size_t detailed = 0;
    for (size_t i = 0; i < r->plan.n; i++) {
        step_kind is = r->plan.step[i].is;
        if (is != IS_RUNNING && is != IS_FAILED && is != IS_STOPPED) continue;
        if (!detailed++) text_add(out, "\n");
        if (detailed <= 40) show_detail(r, i, out);
    }
    if (detailed > 40) text_addf(out, "  ... and %zu more (--json lists all)\n", detailed - 40);
    for (size_t k = 0; k < r->plan.jobs.n; k++) {
        const submitted *j = &r->plan.jobs.item[k];
        if (submitted_is_active(j, &r->plan.queue))
            text_addf(out, "  job %s: %s%s\n", j->job, j->gate ? "gate of " : "", stage_table[j->stage].name);
    }
}

static void show_json(const report *r, text *out)
{
    text_add(out, "{\"screen\": ");
    text_add_json(out, r->c->cfg.screen.name);
    text_addf(out, ", \"active\": %s, \"run\": ", r->active ? "true" : "false");
    text_add_json(out, text_str(&r->plan.holder));
    text_addf(out, ", \"failed\": %zu, \"steps\": [", r->failed);
    for (size_t i = 0; i < r->plan.n; i++) {
        const step *s = &r->plan.step[i];
        const step_status *e = &s->last;
        text_addf(out, "%s\n  {\"stage\": \"%s\", \"plate\": ", i ? "," : "", stage_table[s->stage].name);
        if (s->plate >= 0)
            text_add_json(out, step_label(&r->plan, s));
        else
            text_add(out, "null");
        text_addf(out, ", \"state\": \"%s\", \"why\": ", step_kind_words[s->is]);
        text_add_json(out, s->why);
        text_addf(out, ", \"done\": %.0f, \"total\": %.0f, \"message\": ", e->done, e->total);
        text_add_json(out, e->message);
        text_add(out, ", \"output\": ");
        text_add_json(out, s->output);
        text_add(out, ", \"log\": ");
        if (e->log)
            text_add_json(out, e->log);
        else
            text_add(out, "null");
        text_add(out, "}");
    }
    text_add(out, "\n]}\n");
}

status command_status(call *c)
{
    status st = OK;
    bool again = true;
    size_t failed = 0;
    stop_catch();
    while (again) {
        report r = {.c = c};
        text t = {0};
        st = look(&r);
        if (st == OK) {
            if (c->a.json)
                show_json(&r, &t);
            else
                show(&r, &t);
            if (c->a.watch && isatty(STDOUT_FILENO)) fputs("\033[H\033[2J", stdout);
            fputs(text_str(&t), stdout);
            fflush(stdout);
            if (*c->a.html) st = status_page_write(c->a.html, c->cfg.screen.name, &r.plan, c->a.watch && r.active ? c->a.interval : 0);
        }
        again = st == OK && c->a.watch && r.active && !stop_asked();
        text_free(&t);
        failed = r.failed;
        plan_free(&r.plan);
        if (again) sleep((unsigned)c->a.interval); /* a signal ends it */
        again = again && !stop_asked();
    }
    if (st == OK && failed)
        st = fail(E_FAILED, "%zu step%s failed; to run %s again: micon rerun %s --failed", failed, failed == 1 ? "" : "s",
                  failed == 1 ? "it" : "them", c->again);
    return st;
}
