/* status.c -- micon status: what the stages wrote of themselves under work/status, what is on disk, what is in the queue. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* It says that it runs as a SLURM job, and is not in the queue: it was killed, unless it ended, or another began, since we asked. */
static void doubt(step_status *e, const queue *q, const config *c, const step *s)
{
    if (e->state != STATUS_RUNNING || !e->job || !queue_lacks(q, e->job, e->uid)) return;
    step_status now;
    step_status_read(&now, c, s);
    if (now.state == STATUS_RUNNING && now.job && strcmp(now.job, e->job) == 0) step_status_killed(&now);
    step_status_free(e);
    *e = now;
}

/* The queue is asked where there are submissions or a step says that it runs as a job; that SLURM is silent is said. */
static step_status *read_all_statuses(const plan *p, const config *c, const submissions *jobs, queue *q)
{
    step_status *last = xcalloc(p->n + 1, sizeof *last);
    long *owners = xcalloc(p->n + 1, sizeof *owners);
    size_t n = 0;
    *q = (queue){0};
    for (size_t i = 0; i < p->n; i++) {
        step_status_read(&last[i], c, &p->step[i]);
        if (last[i].state == STATUS_RUNNING && last[i].job) owners[n++] = last[i].uid;
    }
    if ((jobs->n || n) && queue_read(q, jobs, owners, n) != OK) {
        log_warn("cannot query the SLURM queue: %s", msg_get());
        msg_clear();
    }
    for (size_t i = 0; i < p->n; i++) doubt(&last[i], q, c, &p->step[i]);
    free(owners);
    return last;
}

void status_keep_failed(plan *p, const call *c)
{
    submissions jobs = {0};
    queue q;
    submissions_read(&jobs, &c->cfg);
    step_status *last = read_all_statuses(p, &c->cfg, &jobs, &q);
    for (size_t i = 0; i < p->n; i++) {
        p->step[i].chosen = p->step[i].chosen && last[i].state == STATUS_FAILED && p->step[i].state != STEP_CURRENT;
        step_status_free(&last[i]);
    }
    free(last);
    queue_free(&q);
    submissions_free(&jobs);
}

/* ---- all of them ---- */
typedef enum { IS_DONE, IS_RUNNING, IS_QUEUED, IS_STOPPED, IS_FAILED, IS_TODO, IS_LEFT_OUT, N_KINDS } kind;
static const char *const kind_words[N_KINDS] = {"done", "running", "queued", "stopped", "failed", "to do", "left out"};

typedef struct {
    call *c;
    plan plan;
    step_status *last;
    kind *kind;
    queue queue;
    submissions jobs;
    text holder;
    bool active;
} report;

/* Started by the run that is active, and silent so far: of what it writes only the log is younger than the lock. */
static bool is_starting(const report *r, size_t i)
{
    static const char *const ends[] = {"json", "failed", "made"};
    const config *c = &r->c->cfg;
    const step *s = &r->plan.step[i];
    char *lock = config_work(c, "status/lock"), *log = step_file(c, s, "log");
    bool starting = r->holder.n && path_exists(log) && step_file_is_newer(log, lock);
    for (size_t k = 0; k < sizeof ends / sizeof *ends && starting; k++) {
        char *end = step_file(c, s, ends[k]);
        starting = !path_exists(end) || !step_file_is_newer(end, lock);
        free(end);
    }
    free(lock);
    free(log);
    return starting;
}

static kind kind_of(const report *r, size_t i)
{
    const step *s = &r->plan.step[i];
    const step_status *e = &r->last[i];
    const queued *q = NULL;
    for (size_t k = 0; k < r->jobs.n && !q; k++) {
        const submitted *j = &r->jobs.item[k];
        if (j->stage != s->stage || j->gate || !submitted_covers(j, &r->queue, s->name)) continue;
        for (size_t t = 0; t < j->tasks.n; t++) {
            names steps = {0};
            names_split(&steps, j->tasks.item[t], ',');
            if (names_find(&steps, s->name) >= 0 && !(q = queue_find(&r->queue, j->job, (long)t))) q = queue_find(&r->queue, j->job, -1);
            names_free(&steps);
        }
    }
    bool done = s->state == STEP_CURRENT || (s->state == STEP_CHECK && s->exists);
    if (q && strcmp(q->state, "PENDING") == 0) return IS_QUEUED;
    if (q && !done) return e->state == STATUS_RUNNING || e->state == STATUS_NONE ? IS_RUNNING : IS_QUEUED;
    if (e->state == STATUS_RUNNING) return IS_RUNNING;
    if (is_starting(r, i)) return IS_RUNNING;
    if (e->state == STATUS_FAILED) return IS_FAILED; /* the last try, whatever an earlier one left */
    if (done) return IS_DONE;
    if (s->state == STEP_ABSENT) return IS_LEFT_OUT;
    return e->state == STATUS_STOPPED ? IS_STOPPED : IS_TODO;
}

static status look(report *r)
{
    status st = OK;
    TRY(plan_make(&r->plan, r->c));
    r->plan.alone = true;
    plan_decide(&r->plan, &r->c->cfg);
    submissions_read(&r->jobs, &r->c->cfg);
    r->active = lock_holder(&r->c->cfg, &r->holder);
    r->last = read_all_statuses(&r->plan, &r->c->cfg, &r->jobs, &r->queue);
    r->kind = xcalloc(r->plan.n + 1, sizeof *r->kind);
    for (size_t i = 0; i < r->plan.n; i++) {
        r->kind[i] = kind_of(r, i);
        r->active |= r->kind[i] == IS_RUNNING || r->kind[i] == IS_QUEUED;
    }
done:
    return st;
}

static void report_free(report *r)
{
    for (size_t i = 0; r->last && i < r->plan.n; i++) step_status_free(&r->last[i]);
    free(r->last);
    free(r->kind);
    queue_free(&r->queue);
    submissions_free(&r->jobs);
    text_free(&r->holder);
    plan_free(&r->plan);
}

static void show_detail(const report *r, size_t i, text *out)
{
    const step *s = &r->plan.step[i];
    const step_status *e = &r->last[i];
    char shown[300];
    text_addf(out, "  %s %s %s: ", kind_words[r->kind[i]], stage_table[s->stage].name, step_label(&r->plan, s));
    if (r->kind[i] == IS_RUNNING && e->state != STATUS_RUNNING)
        text_add(out, "started, no progress reported yet");
    else if (r->kind[i] == IS_RUNNING)
        step_status_show(e, out);
    if (*e->message && (r->kind[i] != IS_RUNNING || e->state == STATUS_RUNNING))
        text_addf(out, "%s%s", r->kind[i] == IS_RUNNING && e->total > 0 ? "; " : "", text_show(shown, sizeof shown, e->message));
    if (r->kind[i] == IS_FAILED && e->log) text_addf(out, " (log: %s)", e->log);
    text_add(out, "\n");
}

static void show(const report *r, text *out)
{
    char name[200];
    text_addf(out, "screen '%s': %s\n\n%-10s", text_show(name, sizeof name, r->c->cfg.screen.name),
              r->holder.n ? text_str(&r->holder) : "no run is active here", "STAGE");
    for (int k = 0; k < N_KINDS; k++) text_addf(out, " %9s", kind_words[k]);
    text_add(out, "\n");
    for (int stage = 0; stage < n_stages; stage++) {
        size_t n[N_KINDS] = {0}, all = 0;
        for (size_t i = 0; i < r->plan.n; i++)
            if (r->plan.step[i].stage == stage) n[r->kind[i]]++, all++;
        if (!all) continue;
        text_addf(out, "%-10s", stage_table[stage].name);
        for (int k = 0; k < N_KINDS; k++) text_addf(out, " %9zu", n[k]);
        text_add(out, "\n");
    }
    size_t detailed = 0;
    for (size_t i = 0; i < r->plan.n; i++) {
        if (r->kind[i] != IS_RUNNING && r->kind[i] != IS_FAILED && r->kind[i] != IS_STOPPED) continue;
        if (!detailed++) text_add(out, "\n");
        if (detailed <= 40) show_detail(r, i, out);
    }
    if (detailed > 40) text_addf(out, "  ... and %zu more (--json lists all)\n", detailed - 40);
    for (size_t k = 0; k < r->jobs.n; k++) {
        const submitted *j = &r->jobs.item[k];
        if (submitted_is_active(j, &r->queue))
            text_addf(out, "  job %s: %s%s\n", j->job, j->gate ? "gate of " : "", stage_table[j->stage].name);
    }
}

static void show_json(const report *r, text *out)
{
    text_add(out, "{\"screen\": ");
    text_add_json(out, r->c->cfg.screen.name);
    text_addf(out, ", \"active\": %s, \"run\": ", r->active ? "true" : "false");
    text_add_json(out, text_str(&r->holder));
    text_add(out, ", \"steps\": [");
    for (size_t i = 0; i < r->plan.n; i++) {
        const step *s = &r->plan.step[i];
        const step_status *e = &r->last[i];
        text_addf(out, "%s\n  {\"stage\": \"%s\", \"plate\": ", i ? "," : "", stage_table[s->stage].name);
        if (s->plate >= 0)
            text_add_json(out, step_label(&r->plan, s));
        else
            text_add(out, "null");
        text_addf(out, ", \"state\": \"%s\", \"why\": ", kind_words[r->kind[i]]);
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
        }
        again = st == OK && c->a.watch && r.active && !stop_asked();
        text_free(&t);
        report_free(&r);
        if (again) sleep((unsigned)c->a.interval); /* a signal ends it */
        again = again && !stop_asked();
    }
    return st;
}
