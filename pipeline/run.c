/* run.c -- micon run and rerun: the steps of the plan through mpirun, stage by stage, several plates at once within the cores. */
#include "driver.h"

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

enum { POLL_MS = 50, LINE_S = 5, PATIENCE_S = 30 };

typedef enum { NOT_STARTED, RUNNING, DONE, FAILED, STOPPED, BLOCKED } outcome;

typedef struct {
    process p;
    outcome how;
    char *log, *reason;
} work_item; /* one a step of the plan */

typedef struct {
    call *c;
    plan *plan;
    work_item *item;
    bool anew;    /* --force to the stage programs */
    bool stopped; /* on request */
    names mpirun;
    double told, asked; /* when the last line was printed; when we passed a stop on */
    int passed_on;
} runner;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void pause_ms(long ms)
{
    struct timespec t = {0, ms * 1000000L};
    nanosleep(&t, NULL);
}

/* ---- one step ---- */
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

/* Several mpirun side by side: no binding (each would bind to the first core), no talk of its own about a failed rank. */
char *const mpi_settings[] = {(char *)"OMPI_MCA_hwloc_base_binding_policy=none",
                              (char *)"OMPI_MCA_rmaps_base_oversubscribe=1",
                              (char *)"OMPI_MCA_orte_execute_quiet=1",
                              (char *)"OPENBLAS_NUM_THREADS=1",
                              (char *)"OMP_NUM_THREADS=1",
                              NULL};

char *process_reason(const char *log, int exit_status)
{
    char *data = NULL, *error = NULL, *last = NULL, shown[400];
    size_t n = 0;
    if (path_exists(log) && path_read(log, &data, &n, 64 << 20) != OK) msg_clear();
    for (char *line = data; line && *line;) {
        char *end = line + strcspn(line, "\n"), *next = *end ? end + 1 : end;
        *end = '\0';
        if (strstr(line, ": error: ")) error = line;
        if (*line) last = line;
        line = next;
    }
    char *why = error ? xstrdup(text_show(shown, sizeof shown, error))
                : exit_status > 128
                    ? xasprintf("killed by signal %d%s%s", exit_status - 128, last ? "; last words: " : "",
                                last ? text_show(shown, sizeof shown, last) : "")
                    : xasprintf("exit %d%s%s", exit_status, last ? ": " : "", last ? text_show(shown, sizeof shown, last) : "");
    free(data);
    return why;
}

/* work/status/<stage>/<name>.failed: why, for `micon status` and `micon rerun --failed`; a stage that could not even start says nothing
 * of itself. */
static void note_failure(const work_item *w)
{
    char *path = xasprintf("%.*s.failed", (int)(strlen(w->log) - strlen(".log")), w->log);
    if (w->how != FAILED) {
        unlink(path);
    } else if (path_write(path, w->reason, strlen(w->reason)) != OK) {
        log_warn("%s", msg_get());
        msg_clear();
    }
    free(path);
}

static status start_step(runner *r, size_t i, int64_t ranks)
{
    step *s = &r->plan->step[i];
    work_item *w = &r->item[i];
    char *below = xasprintf("status/%s/%s.log", stage_table[s->stage].name, s->name), **argv = command_of(r, s, ranks);
    w->log = config_work(&r->c->cfg, below);
    char *dir = path_dir(w->log);
    status st = path_make_dirs(dir);
    if (st == OK) {
        unlink(w->log);
        st = process_start(&w->p, argv, mpi_settings, w->log);
    }
    w->how = st == OK ? RUNNING : FAILED;
    free_argv(argv);
    free(dir);
    free(below);
    return st;
}

static void end_step(runner *r, size_t i)
{
    work_item *w = &r->item[i];
    const step *s = &r->plan->step[i];
    if (w->p.exit == 0) {
        w->how = DONE;
    } else if (w->p.exit == status_exit(E_AGAIN) || r->passed_on) {
        w->how = STOPPED;
    } else {
        w->how = FAILED;
        w->reason = process_reason(w->log, w->p.exit);
        log_warn("%s: %s failed: %s", stage_table[s->stage].name, step_label(r->plan, s), w->reason);
    }
    note_failure(w);
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

/* What the running steps say of themselves: in `say` if there is one alone; the sum of their shares done is returned. */
static double listen(const runner *r, int stage, text *say)
{
    double share = 0;
    for (size_t i = 0; i < r->plan->n; i++) {
        step_status s;
        if (r->plan->step[i].stage != stage || r->item[i].how != RUNNING) continue;
        step_status_read(&s, &r->c->cfg, &r->plan->step[i]);
        if (s.state == SEEN_RUNNING && s.total > 0) {
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
    double now = now_s(), spent = now - started;
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
        stage_table[stage].trains ? " when training has finished its step and saved itself (asked once more, it is killed)" : "";
    if (r->anew)
        log_info("stopping%s; what is finished stays. The same command begins again; micon run %s goes on, with what is not there or out "
                 "of date",
                 saves, r->c->again);
    else
        log_info("stopping%s; what is finished stays, the same command goes on from there", saves);
}

/* A stop was asked for: pass it on; when asked again, or after a while, kill the ranks; then mpirun as well. Training looks up only between
 * steps, which may take minutes, and is lost back to its last checkpoint if it is killed: nobody but who asked does that. */
static void pass_stop_on(runner *r, int stage)
{
    int asked = stop_asked();
    bool patient = stage_table[stage].trains && r->passed_on < 2;
    bool late = r->passed_on && !patient && now_s() - r->asked > PATIENCE_S;
    if (asked <= r->passed_on && !late) return;
    if (!r->passed_on) say_stopping(r, stage);
    for (size_t i = 0; i < r->plan->n; i++) {
        const process *p = &r->item[i].p;
        if (r->item[i].how != RUNNING) continue;
        if (r->passed_on == 0)
            process_signal(p, stage_table[r->plan->step[i].stage].stop_signal);
        else if (r->passed_on == 1)
            process_kill_ranks(p);
        else
            process_signal(p, SIGKILL);
    }
    r->asked = now_s();
    r->passed_on++;
    r->stopped = true;
}

/* Is what the step reads there? */
static bool can_start(const runner *r, size_t i)
{
    const step *s = &r->plan->step[i];
    unsigned needs = stage_needs(&r->c->cfg, s->stage);
    for (size_t k = 0; k < r->plan->n; k++) {
        const step *u = &r->plan->step[k];
        if (!(needs >> u->stage & 1) || (u->plate >= 0 && u->plate != s->plate)) continue; /* of all plates: the gate has decided */
        if (r->item[k].how == FAILED || r->item[k].how == BLOCKED || (!step_wants_run(u) && !path_exists(u->output))) return false;
    }
    return true;
}

/* The stages whose outputs the step reads and that are not there: "featurize, tile". */
static void missing_for(const runner *r, const step *s, text *out)
{
    unsigned needs = stage_needs(&r->c->cfg, s->stage), named = 0;
    for (size_t k = 0; k < r->plan->n; k++) {
        const step *u = &r->plan->step[k];
        if (!(needs >> u->stage & 1) || (u->plate >= 0 && s->plate >= 0 && u->plate != s->plate)) continue;
        if (named >> u->stage & 1 || path_exists(u->output)) continue;
        named |= 1u << u->stage;
        text_addf(out, "%s%s", out->n ? ", " : "", stage_table[u->stage].name);
    }
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

static status run_stage(runner *r, int stage)
{
    status st = OK;
    size_t next = 0;
    tally t = count(r, stage);
    int64_t lanes = lanes_of(r, stage, t.wanted), ranks = r->plan->ranks / lanes;
    double started = now_s();
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
            if (r->item[i].how == RUNNING && process_ended(&r->item[i].p, false)) end_step(r, i);
        t = count(r, stage);
        if (t.running) {
            tell(r, stage, started, false);
            pause_ms(POLL_MS);
        }
    } while (t.running || (next < r->plan->n && !r->stopped && st == OK));
    tell(r, stage, started, true);
    return st;
}

/* After a stage over plates: do enough of them stand for what comes? */
static bool gate_opens(const runner *r, int stage)
{
    size_t bad = 0, failed = 0, all = 0;
    for (size_t i = 0; i < r->plan->n; i++) {
        if (r->plan->step[i].stage != stage) continue;
        all++;
        failed += r->item[i].how == FAILED;
        bad += r->item[i].how == FAILED || r->item[i].how == BLOCKED;
    }
    if (!stage_table[stage].per_plate) return bad == 0;
    if (bad && (double)bad > r->c->cfg.slurm.max_bad_plates * (double)all) {
        if (failed)
            log_warn("%s: %zu of %zu plates failed, more than slurm.max_bad_plates allows: what needs all plates is not started",
                     stage_table[stage].name, bad, all);
        return false;
    }
    return true;
}

/* ---- the end ---- */
static void command_again(const runner *r, int stage, text *t)
{
    size_t named = 0, bad = 0;
    for (size_t i = 0; i < r->plan->n; i++) bad += r->plan->step[i].stage == stage && r->item[i].how == FAILED;
    text_addf(t, "micon run %s --stage %s", r->c->again, stage_table[stage].name);
    for (size_t i = 0; i < r->plan->n && bad <= 20 && stage_table[stage].per_plate; i++) {
        if (r->plan->step[i].stage != stage || r->item[i].how != FAILED) continue;
        text_add(t, " --plate ");
        driver_quote(t, step_label(r->plan, &r->plan->step[i]));
        named++;
    }
}

static status could_not_start(const runner *r, size_t blocked)
{
    text stages = {0};
    status st = OK;
    for (size_t i = 0; i < r->plan->n && !stages.n; i++)
        if (r->item[i].how == BLOCKED) missing_for(r, &r->plan->step[i], &stages);
    st = fail(E_FAILED, "%zu step%s could not start: what %s makes is not there; micon run %s makes that first", blocked,
              blocked == 1 ? "" : "s", stages.n ? text_str(&stages) : "a stage before", r->c->again);
    text_free(&stages);
    return st;
}

static status summary(runner *r)
{
    size_t failed = 0, blocked = 0;
    text again = {0};
    for (int stage = 0; stage < n_stages; stage++) {
        bool any = false;
        for (size_t i = 0; i < r->plan->n; i++) {
            const step *s = &r->plan->step[i];
            if (s->stage != stage) continue;
            blocked += r->item[i].how == BLOCKED;
            if (r->item[i].how != FAILED) continue;
            log_warn("failed: %s %s: %s (log: %s)", stage_table[stage].name, step_label(r->plan, s),
                     r->item[i].reason ? r->item[i].reason : "was not started", r->item[i].log ? r->item[i].log : "none");
            any = true;
            failed++;
        }
        text_clear(&again);
        command_again(r, stage, &again);
        if (any) log_warn("to do just that again: %s", text_str(&again));
    }
    text_free(&again);
    if (r->stopped && r->anew)
        return fail(E_AGAIN, "stopped on request; to go on with what is not there or out of date: micon run %s", r->c->again);
    if (r->stopped) return fail(E_AGAIN, "stopped on request; to go on: micon run %s", r->c->again);
    if (failed)
        return fail(E_FAILED, "%zu step%s failed%s", failed, failed == 1 ? "" : "s", blocked ? "; what depends on them was not done" : "");
    if (blocked) return could_not_start(r, blocked);
    log_info("done");
    return OK;
}

static void say_left_out(const plan *p)
{
    for (int stage = 0; stage < n_stages; stage++)
        for (size_t i = 0; i < p->n; i++)
            if (p->step[i].stage == stage && p->step[i].chosen && p->step[i].state == STEP_ABSENT) {
                log_warn("%s is left out: %s", stage_table[stage].name, p->step[i].why);
                break;
            }
}

static const char *absent_reason(const call *c, const plan *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->step[i].chosen && p->step[i].state == STEP_ABSENT) return p->step[i].why;
    return c->a.failed ? "no step has failed" : "no step was chosen";
}

static status run_steps(runner *r)
{
    status st = OK;
    bool open = true;
    for (int stage = 0; stage < n_stages && st == OK && !r->stopped; stage++) {
        if (!open && !stage_table[stage].per_plate)
            for (size_t i = 0; i < r->plan->n; i++)
                if (r->plan->step[i].stage == stage && step_wants_run(&r->plan->step[i]) && stage_needs(&r->c->cfg, stage))
                    r->item[i].how = BLOCKED;
        st = run_stage(r, stage);
        open = gate_opens(r, stage) && open;
    }
    status end = summary(r);
    return st != OK ? st : end;
}

static void dry_run(const runner *r)
{
    for (size_t i = 0; i < r->plan->n; i++) {
        if (!step_wants_run(&r->plan->step[i])) continue;
        char **argv = command_of(r, &r->plan->step[i], r->plan->ranks);
        show_command(argv);
        free_argv(argv);
    }
}

status mpirun_find(names *out)
{
    const char *given = getenv("MPIRUN");
    char *path = NULL;
    names words = {0};
    names_split(&words, given && *given ? given : "mpirun", ' ');
    for (size_t i = 0; i < words.n; i++)
        if (*words.item[i]) names_add(out, words.item[i]);
    names_free(&words);
    status st = out->n ? process_find(out->item[0], &path) : fail(E_USAGE, "MPIRUN is empty");
    free(path);
    /* hwloc looks for displays, which takes seconds where localhost has no name, and complains where there is no /sys */
    setenv("HWLOC_COMPONENTS", "-gl", 0);
    setenv("HWLOC_HIDE_ERRORS", "2", 0);
    if (geteuid() == 0) { /* in a container there is often nobody else; Open MPI wants to hear it twice */
        setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
        setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    }
    return fail_within(st, "the stages run through mpirun (load an MPI module, or set MPIRUN)");
}

static status run_plan(call *c, plan *p, bool anew)
{
    status st = OK;
    work_lock lock = {NULL};
    queue q = {0};
    runner r = {.c = c, .plan = p, .anew = anew};
    size_t todo = 0, can = 0;
    for (size_t i = 0; i < p->n; i++) {
        todo += step_wants_run(&p->step[i]);
        can += p->step[i].chosen && p->step[i].state != STEP_ABSENT;
    }
    if (!can && p->n) return fail(E_FAILED, "nothing that was asked for can run here: %s", absent_reason(c, p));
    say_left_out(p);
    if (!todo) {
        log_info("nothing to do: everything that can be made here is up to date");
        return OK;
    }
    r.item = xcalloc(p->n, sizeof *r.item);
    for (size_t i = 0; i < p->n; i++) r.item[i].p.pid = -1;
    TRY(mpirun_find(&r.mpirun));
    if (c->a.dry_run) {
        dry_run(&r);
        goto done;
    }
    TRY(submissions_none_active(c, &q));
    TRY(lock_take(&lock, c));
    clean_leftovers(&c->cfg, &q);
    stop_catch();
    TRY(run_steps(&r));
done:
    if (lock.held) process_end_all();
    lock_release(&lock);
    queue_free(&q);
    for (size_t i = 0; r.item && i < p->n; i++) {
        free(r.item[i].log);
        free(r.item[i].reason);
    }
    free(r.item);
    names_free(&r.mpirun);
    return st;
}

/* Up to date, images and all: an earlier failure is history. */
static void forget_failures(const call *c, const plan *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const step *s = &p->step[i];
        if (s->state != STEP_CURRENT) continue;
        char *below = xasprintf("status/%s/%s.failed", stage_table[s->stage].name, s->name), *path = config_work(&c->cfg, below);
        unlink(path);
        free(below);
        free(path);
    }
}

status command_run(call *c)
{
    status st = OK;
    plan p = {0};
    if (!c->a.dry_run) c->a.images = true; /* they are about to be read: see which changed */
    TRY(plan_make(&p, c));
    if (!c->a.dry_run) forget_failures(c, &p);
    TRY(run_plan(c, &p, c->a.force));
done:
    plan_free(&p);
    return st;
}

/* Stages behind those chosen, for "becomes stale". */
static void say_stale(const call *c, const plan *p)
{
    unsigned redone = 0, stale = 0;
    text t = {0};
    for (size_t i = 0; i < p->n; i++)
        if (step_wants_run(&p->step[i])) redone |= 1u << p->step[i].stage;
    for (int s = 0; s < n_stages; s++)
        if (stage_wanted(&c->cfg, s) && !(redone >> s & 1) && stage_needs(&c->cfg, s) & (redone | stale)) {
            stale |= 1u << s;
            text_addf(&t, "%s%s", t.n ? ", " : "", stage_table[s].name);
        }
    if (stale) log_info("out of date where the contents change: %s; micon run %s makes them anew", text_str(&t), c->again);
    text_free(&t);
}

status command_rerun(call *c)
{
    status st = OK;
    plan p = {0};
    if (!c->a.failed && !c->a.stages.n && !c->a.plates.n) TRY(fail(E_USAGE, "rerun what? --stage, --plate or --failed"));
    c->a.force = !c->a.failed;
    c->a.images = true;
    TRY(plan_make(&p, c));
    if (c->a.failed) status_keep_failed(&p, c);
    TRY(run_plan(c, &p, !c->a.failed));
    if (!c->a.dry_run) say_stale(c, &p);
done:
    plan_free(&p);
    return st;
}
