/* run_stage.c -- runs the steps of a stage through mpirun, several plates at once within the cores; passes a stop request on. */
#include "run_impl.h"

#include "micon/base/clock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { POLL_MS = 50, LINE_S = 5, PATIENCE_S = 30, MAX_TRIES = 3 };

static void pause_ms(long ms)
{
    struct timespec t = {0, ms * 1000000L};
    nanosleep(&t, NULL);
}

static char **command_of(const runner *r, const step *s, int64_t ranks)
{
    const call *c = r->c;
    size_t n = 0;
    char **argv = xcalloc(r->mpirun.n + c->plain.n + 8, sizeof *argv);
    for (size_t i = 0; i < r->mpirun.n; i++) argv[n++] = xstrdup(r->mpirun.item[i]);
    argv[n++] = xstrdup("-n");
    argv[n++] = xasprintf("%lld", (long long)ranks);
    argv[n++] = driver_program(c, stage_table[s->stage].name);
    for (size_t i = 0; i < c->plain.n; i++) argv[n++] = xstrdup(c->plain.item[i]);
    if (s->plate >= 0) {
        argv[n++] = xstrdup("--plate");
        argv[n++] = xstrdup(step_label(r->plan, s));
    }
    if (r->anew) argv[n++] = xstrdup("--force");
    return argv;
}

static void free_argv(char **argv)
{
    for (char **a = argv; *a; a++) free(*a);
    free(argv);
}

static void show_command(char *const *argv)
{
    text t = {0};
    for (char *const *a = argv; *a; a++) {
        if (a != argv) text_add(&t, " ");
        driver_quote(&t, *a);
    }
    puts(text_str(&t));
    text_free(&t);
}

/* work/status/<stage>/<name>.failed or .stopped: why, for step_status_read; a program that was killed or could not even start says nothing
 * of itself. */
static void note_end(const config *c, const step *s, const work_item *w)
{
    static const char *const ends[] = {"failed", "stopped"};
    for (int i = 0; i < 2; i++) {
        char *path = step_file(c, s, ends[i]);
        const char *why = i == 0 ? w->reason : "on request";
        if (w->how != (i == 0 ? FAILED : STOPPED)) {
            unlink(path);
        } else if (path_write(path, why, strlen(why)) != OK) {
            log_warn("%s", msg_get());
            msg_clear();
        }
        free(path);
    }
}

static status start_step(runner *r, size_t i, int64_t ranks)
{
    step *s = &r->plan->step[i];
    work_item *w = &r->item[i];
    char **argv = command_of(r, s, ranks);
    free(w->log);
    w->log = step_file(&r->c->cfg, s, "log");
    char *dir = path_dir(w->log);
    status st = path_make_dirs(dir);
    if (st == OK) {
        unlink(w->log);
        st = launch_start(&w->run, argv, w->log);
    }
    w->tries++;
    w->ranks = ranks;
    w->how = st == OK ? RUNNING : FAILED;
    free_argv(argv);
    free(dir);
    return st;
}

/* An mpirun that failed before the stage program ran tells nothing about the plate: it is started again, MAX_TRIES times in all. */
static bool try_again(runner *r, size_t i)
{
    work_item *w = &r->item[i];
    const step *s = &r->plan->step[i];
    bool again = w->tries < MAX_TRIES && !r->stopped && launch_failed_before_start(&w->run);
    int64_t ranks = w->ranks;
    launch_end(&w->run);
    if (!again) return false;
    char *why = step_failure_reason(w->log, w->run.p.exit);
    log_warn("%s: %s: mpirun failed before the program started: %s; trying again", stage_table[s->stage].name, step_label(r->plan, s), why);
    free(why);
    pause_ms(500L * w->tries);
    if (start_step(r, i, ranks) == OK) return true;
    w->how = RUNNING; /* the caller ends it with the exit status of the previous try */
    log_warn("%s", msg_get());
    msg_clear();
    return false;
}

static void end_step(runner *r, size_t i)
{
    work_item *w = &r->item[i];
    const step *s = &r->plan->step[i];
    if (try_again(r, i)) return;
    int ended = w->run.p.exit;
    if (ended == 0) {
        w->how = DONE;
    } else if (ended == status_exit(E_AGAIN) || r->passed_on) {
        w->how = STOPPED;
    } else {
        w->how = FAILED;
        w->reason = step_failure_reason(w->log, ended);
        log_warn("%s: %s failed: %s", stage_table[s->stage].name, step_label(r->plan, s), w->reason);
    }
    note_end(&r->c->cfg, s, w);
}

/* ---- a stage ---- */
typedef struct {
    size_t wanted, running, done, failed, stopped, blocked;
} tally;

static tally count(const runner *r, int stage)
{
    tally t = {0};
    for (size_t i = 0; i < r->plan->n; i++) {
        const step *s = &r->plan->step[i];
        if (s->stage != stage || !step_wants_run(s)) continue;
        t.wanted++;
        t.running += r->item[i].how == RUNNING;
        t.done += r->item[i].how == DONE;
        t.failed += r->item[i].how == FAILED;
        t.stopped += r->item[i].how == STOPPED;
        t.blocked += r->item[i].how == BLOCKED;
    }
    return t;
}

/* Progress of the running steps: the sum of their shares done; for a single one its text in `say`. */
static double listen(const runner *r, int stage, text *say)
{
    double share = 0;
    for (size_t i = 0; i < r->plan->n; i++) {
        step_status s;
        if (r->plan->step[i].stage != stage || r->item[i].how != RUNNING) continue;
        step_status_read(&s, &r->c->cfg, &r->plan->step[i]);
        if (s.state == STATUS_RUNNING && s.total > 0) {
            share += s.done / s.total;
            if (!stage_table[stage].per_plate) step_status_show(&s, say);
        }
        step_status_free(&s);
    }
    return share;
}

static void tell(runner *r, int stage, double started, bool last)
{
    tally t = count(r, stage);
    double now = clock_s(), spent = now - started;
    text line = {0}, say = {0};
    char took[32], left[32];
    bool bar = isatty(STDERR_FILENO) && !last;
    if (log_quiet() || (!last && now - r->told < (bar ? 0.5 : LINE_S))) return;
    r->told = now;
    double share = (double)t.done + listen(r, stage, &say);
    text_addf(&line, "%s: ", stage_table[stage].name);
    if (stage_table[stage].per_plate) text_addf(&line, "%zu of %zu plates done, ", t.done, t.wanted);
    if (t.failed) text_addf(&line, "%zu failed, ", t.failed);
    if (t.stopped) text_addf(&line, "%zu stopped, ", t.stopped);
    if (t.blocked) text_addf(&line, "%zu not started, ", t.blocked);
    if (last)
        text_addf(&line, "%s%s", stage_table[stage].per_plate || !t.done ? "" : "done, ", num_show_time(took, sizeof took, spent));
    else if (share > 0.01 && stage_table[stage].per_plate)
        text_addf(&line, "%.1f an hour, %s left", share / spent * 3600,
                  num_show_time(left, sizeof left, spent / share * ((double)(t.wanted - t.failed - t.blocked) - share)));
    else
        text_addf(&line, "%s%srunning for %s", text_str(&say), say.n ? ", " : "", num_show_time(took, sizeof took, spent));
    if (bar)
        log_bar(text_str(&line));
    else
        log_info("%s", text_str(&line));
    text_free(&say);
    text_free(&line);
}

static void say_stopping(const runner *r, int stage)
{
    const char *saves =
        stage_table[stage].trains ? " after training has finished its step and saved a checkpoint (a second request kills it)" : "";
    if (r->anew)
        log_info(
            "stopping%s; finished outputs are kept. The same command starts over; micon run %s resumes with what is missing or out of date",
            saves, r->c->again);
    else
        log_info("stopping%s; finished outputs are kept, and the same command resumes from there", saves);
}

/* Pass a stop request on; when asked again, or after a while, kill the ranks; then mpirun too. Training checks for it only between steps,
 * which may take minutes, and a killed training is lost back to its last checkpoint: only a second request kills it. */
static void pass_stop_on(runner *r, int stage)
{
    int asked = stop_asked();
    bool patient = stage_table[stage].trains && r->passed_on < 2;
    bool late = r->passed_on && !patient && clock_s() - r->asked > PATIENCE_S;
    if (asked <= r->passed_on && !late) return;
    if (!r->passed_on) say_stopping(r, stage);
    for (size_t i = 0; i < r->plan->n; i++) {
        const process *p = &r->item[i].run.p;
        if (r->item[i].how != RUNNING) continue;
        if (r->passed_on == 0)
            process_signal(p, stage_table[r->plan->step[i].stage].stop_signal);
        else if (r->passed_on == 1)
            process_kill_ranks(p);
        else
            process_signal(p, SIGKILL);
    }
    r->asked = clock_s();
    r->passed_on++;
    r->stopped = true;
}

/* Do the inputs of the step exist? */
static bool can_start(const runner *r, size_t i)
{
    const step *s = &r->plan->step[i];
    unsigned needs = stage_needs(&r->c->cfg, s->stage);
    for (size_t k = 0; k < r->plan->n; k++) {
        const step *u = &r->plan->step[k];
        if (!(needs >> u->stage & 1) || (u->plate >= 0 && u->plate != s->plate)) continue; /* for all plates the gate has decided */
        if (r->item[k].how == FAILED || r->item[k].how == BLOCKED || (!step_wants_run(u) && !path_exists(u->output))) return false;
    }
    return true;
}

/* Plates at a time: as many as cores, fewer where their memory would not fit. */
static int64_t lanes_of(const runner *r, int stage, size_t wanted)
{
    int64_t lanes = r->plan->ranks, free_bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE), each = 1;
    if (lanes > (int64_t)wanted) lanes = (int64_t)wanted;
    for (size_t i = 0; i < r->plan->n; i++)
        if (r->plan->step[i].stage == stage && r->plan->step[i].mem > each) each = r->plan->step[i].mem;
    if (lanes > free_bytes * 8 / 10 / each) lanes = free_bytes * 8 / 10 / each;
    return lanes < 1 ? 1 : lanes;
}

status run_stage(runner *r, int stage)
{
    status st = OK;
    size_t next = 0;
    tally t = count(r, stage);
    int64_t lanes = lanes_of(r, stage, t.wanted), ranks = r->plan->ranks / lanes;
    double started = clock_s();
    if (!t.wanted) return OK;
    log_info("%s: %zu %s, %lld at a time, %lld rank%s each", stage_table[stage].name, t.wanted, t.wanted == 1 ? "step" : "steps",
             (long long)lanes, (long long)ranks, ranks == 1 ? "" : "s");
    r->told = started;
    do {
        for (; next < r->plan->n && (int64_t)t.running < lanes && !r->stopped && st == OK; next++) {
            const step *s = &r->plan->step[next];
            if (s->stage != stage || !step_wants_run(s) || r->item[next].how != NOT_STARTED) continue;
            if (!can_start(r, next))
                r->item[next].how = BLOCKED;
            else
                st = start_step(r, next, ranks);
            t = count(r, stage);
        }
        pass_stop_on(r, stage);
        for (size_t i = 0; i < r->plan->n; i++)
            if (r->item[i].how == RUNNING && process_ended(&r->item[i].run.p, false)) end_step(r, i);
        t = count(r, stage);
        if (t.running) {
            tell(r, stage, started, false);
            pause_ms(POLL_MS);
        }
    } while (t.running || (next < r->plan->n && !r->stopped && st == OK));
    tell(r, stage, started, true);
    return st;
}

void run_print_commands(const runner *r)
{
    for (size_t i = 0; i < r->plan->n; i++) {
        if (!step_wants_run(&r->plan->step[i])) continue;
        char **argv = command_of(r, &r->plan->step[i], r->plan->ranks);
        show_command(argv);
        free_argv(argv);
    }
}
