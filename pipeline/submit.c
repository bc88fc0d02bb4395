/* submit.c -- micon submit: the steps of the plan as SLURM jobs. Arguments go through files (jobs/env.sh reads them), so that no name
 * of a table meets a shell. A gate job after each array decides by slurm.max_bad_plates: afterok on an array would hold a night back for
 * one bad plate, and is never fulfilled again once a task was requeued. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TASK_S = 1800, MAX_TASKS = 1000, GATE_MIN = 15, SIGNAL_S = 300 };

typedef struct {
    call *c;
    plan *plan;
    queue queue;
    submissions old, now; /* now: still active ones and the new */
    char *home;           /* folder of jobs/ */
    char *screen, *logs;  /* screen.yaml and work/status/slurm, absolute: jobs start in `home` */
    char *sbatch, *partition, *account;
    text release[MAX_STAGES];    /* ":12:13": what the steps behind a stage wait for */
    int64_t jobs, made, node_mb; /* node_mb: of the largest node there, 0: not known */
} submitter;

/* ---- site and places ---- */

/* KEY='value' of site.env, as make writes it. "" if there is none. */
static char *site_value(const char *home, const char *key)
{
    char *path = path_join(home, "site.env"), *data = NULL, *value = NULL;
    size_t size = 0, n = strlen(key);
    if (path_exists(path) && path_read(path, &data, &size, 1 << 20) != OK) msg_clear();
    for (const char *p = data; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        if (strncmp(p, key, n) != 0 || p[n] != '=') continue;
        p += n + 1 + (p[n + 1] == '\'');
        free(value);
        value = xstrndup(p, strcspn(p, "'\n"));
    }
    free(data);
    free(path);
    return value ? value : xstrdup("");
}

/* The folder that holds jobs/: MICON_HOME, or above build/<variant>/bin. */
static status find_home(submitter *s)
{
    const char *given = getenv("MICON_HOME");
    char *up = path_join(s->c->bin, "../../.."), *home = realpath(given && *given ? given : up, NULL);
    char *env = home ? path_join(home, "jobs/env.sh") : NULL;
    status st = env && path_exists(env) ? OK : fail(E_FAILED, "the folder with jobs/env.sh is not above %s: set MICON_HOME", s->c->bin);
    s->home = home;
    free(up);
    free(env);
    return st;
}

/* The folder is resolved, the file is not: relative names of the configuration are relative to where its name stands. */
static status find_paths(submitter *s)
{
    char *dir = realpath(s->c->cfg.dir, NULL), *work;
    if (!dir) return fail(E_IO, "%s: %s", s->c->cfg.dir, strerror(errno));
    s->screen = path_join(dir, path_base(s->c->path));
    work = path_join(dir, s->c->cfg.screen.work);
    s->logs = path_join(work, "status/slurm");
    free(work);
    free(dir);
    return OK;
}

static const char *either(const char *of_config, const char *of_site)
{
    return *of_config ? of_config : of_site;
}

/* ---- what a job asks for ---- */
static int64_t minutes(const submitter *s, double seconds)
{
    if (s->c->cfg.slurm.time_min > 0) return s->c->cfg.slurm.time_min;
    return 10 + (int64_t)ceil(seconds * 2 / 60);
}

static int64_t megabytes(const submitter *s, int64_t bytes)
{
    if (s->c->cfg.slurm.mem > 0) return (s->c->cfg.slurm.mem + (1 << 20) - 1) >> 20;
    int64_t mb = 512 + (int64_t)ceil((double)bytes * 1.5 / 1048576);
    return s->node_mb > 0 && mb > s->node_mb ? s->node_mb : mb; /* more would be refused */
}

typedef struct {
    names argv;
} line;

static void add(line *l, const char *option, const char *value)
{
    char *word = xasprintf("%s%s", option, value);
    names_add(&l->argv, word);
    free(word);
}

static void add_n(line *l, const char *option, int64_t n, const char *unit)
{
    char *word = xasprintf("%s%lld%s", option, (long long)n, unit);
    names_add(&l->argv, word);
    free(word);
}

/* sbatch replaces %A and such in the name of the log; a per cent sign of the folder itself is written twice. */
static void add_log(const submitter *s, line *l, const char *name)
{
    text t = {0};
    for (const char *p = s->logs; *p; p++) {
        if (*p == '%') text_add(&t, "%");
        text_addn(&t, p, 1);
    }
    text_addf(&t, "/%s.log", name);
    add(l, "--output=", text_str(&t));
    text_free(&t);
}

static void add_common(const submitter *s, line *l, const char *job, int64_t time_min, int64_t mem_mb)
{
    const slurm_options *o = &s->c->cfg.slurm;
    names extra = {0};
    names_add(&l->argv, "sbatch");
    names_add(&l->argv, "--parsable");
    add(l, "--job-name=micon-", job);
    add(l, "--chdir=", s->home);
    names_add(&l->argv, "--open-mode=append");
    add_n(l, "--time=", time_min, "");
    add_n(l, "--mem=", mem_mb, "M");
    if (*either(o->partition, s->partition)) add(l, "--partition=", either(o->partition, s->partition));
    if (*either(o->account, s->account)) add(l, "--account=", either(o->account, s->account));
    names_split(&extra, o->extra, ' ');
    for (size_t i = 0; i < extra.n; i++)
        if (*extra.item[i]) names_add(&l->argv, extra.item[i]);
    names_free(&extra);
}

static void add_after(line *l, const char *how, const text *jobs)
{
    if (!jobs->n) return;
    add(l, how, text_str(jobs));
    names_add(&l->argv, "--kill-on-invalid-dep=yes");
}

/* job: "stage.sh tile" */
static void add_script(const submitter *s, line *l, const char *job, const char *args)
{
    names words = {0};
    names_split(&words, job, ' ');
    char *path = xasprintf("%s/jobs/%s", s->home, words.item[0]);
    names_add(&l->argv, path);
    for (size_t i = 1; i < words.n; i++) names_add(&l->argv, words.item[i]);
    names_add(&l->argv, "--args");
    names_add(&l->argv, args);
    names_free(&words);
    free(path);
}

/* ---- sbatch ---- */
static void print_line(const line *l)
{
    text t = {0};
    for (size_t i = 0; i < l->argv.n; i++) {
        if (i) text_add(&t, " ");
        driver_quote(&t, l->argv.item[i]);
    }
    puts(text_str(&t));
    text_free(&t);
}

/* "123" or "123;cluster" */
static status read_job(const char *output, char **job)
{
    char shown[300];
    const char *p = output;
    for (const char *q = output; *q; q++) /* sites print warnings before it: the last line counts */
        if (*q == '\n' && q[1]) p = q + 1;
    size_t n = strspn(p, "0123456789");
    if (n == 0 || (p[n] && p[n] != ';' && p[n] != '\n'))
        return fail(E_FAILED, "sbatch gave no job number but: %s", text_show(shown, sizeof shown, output));
    *job = xstrndup(p, n);
    return OK;
}

static status send(submitter *s, const line *l, char **job)
{
    status st = OK;
    char *output = NULL, shown[600];
    int exit_status = 0;
    *job = NULL;
    s->jobs++;
    if (s->c->a.dry_run) {
        print_line(l);
        *job = xasprintf("JOB%lld", (long long)s->jobs);
        return OK;
    }
    char **argv = xcalloc(l->argv.n + 1, sizeof *argv);
    for (size_t i = 0; i < l->argv.n; i++) argv[i] = l->argv.item[i];
    argv[0] = s->sbatch;
    TRY(process_capture(argv, &output, &exit_status));
    if (exit_status) TRY(fail(E_FAILED, "sbatch refused (exit %d): %s", exit_status, text_show(shown, sizeof shown, output)));
    TRY(read_job(output, job));
done:
    free(argv);
    free(output);
    return st;
}

/* ---- argument files ---- */
static status write_args(const submitter *s, const char *dir, const char *file, const names *own)
{
    text t = {0};
    char *path = path_join(dir, file);
    for (size_t i = 0; i < own->n; i++) text_addn(&t, own->item[i], strlen(own->item[i]) + 1);
    status st = s->c->a.dry_run ? OK : path_write(path, t.s, t.n);
    free(path);
    text_free(&t);
    return st;
}

/* A folder of its own: work/status/slurm/<job>-<n>. */
static status args_folder(const submitter *s, const char *job, char **out)
{
    status st = s->c->a.dry_run ? OK : path_make_dirs(s->logs);
    for (int n = 1; st == OK; n++) {
        *out = xasprintf("%s/%s-%d", s->logs, job, n);
        if (!path_exists(*out)) break;
        free(*out);
        *out = NULL;
    }
    if (st == OK && !s->c->a.dry_run) st = path_make_dirs(*out);
    return st;
}

static void step_args(const submitter *s, const step *p, names *out)
{
    names_add(out, s->screen);
    for (size_t i = 1; i < s->c->plain.n; i++) names_add(out, s->c->plain.item[i]);
    if (p->plate >= 0) {
        names_add(out, "--plate");
        names_add(out, step_label(s->plan, p));
    }
    if (s->c->a.force) names_add(out, "--force");
}

static status write_step(const submitter *s, const char *dir, size_t task, size_t k, const step *p)
{
    names args = {0};
    char file[64];
    snprintf(file, sizeof file, "%zu.%zu", task, k);
    step_args(s, p, &args);
    status st = write_args(s, dir, file, &args);
    names_free(&args);
    return st;
}

/* ---- stages ---- */
static bool is_queued(const submitter *s, const step *p)
{
    for (size_t i = 0; i < s->old.n; i++)
        if (s->old.item[i].stage == p->stage && !s->old.item[i].gate && submitted_covers(&s->old.item[i], &s->queue, p->name)) return true;
    return false;
}

/* Does a gate in the queue wait for it? One of an older record does not say for what: for all. */
static bool has_gate(const submitter *s, const step *p)
{
    for (size_t i = 0; i < s->old.n; i++) {
        const submitted *o = &s->old.item[i];
        if (o->stage == p->stage && o->gate && submitted_is_active(o, &s->queue) && (!o->tasks.n || submitted_names(o, p->name)))
            return true;
    }
    return false;
}

static void wait_for(submitter *s, int stage, text *out)
{
    unsigned needs = stage_needs(&s->c->cfg, stage);
    for (int u = 0; u < n_stages; u++)
        if (needs >> u & 1) text_add(out, text_str(&s->release[u]));
}

static status record(submitter *s)
{
    return s->c->a.dry_run ? OK : submissions_write(&s->now, &s->c->cfg);
}

static bool needed_later(const submitter *s, int stage)
{
    for (size_t i = 0; i < s->plan->n; i++)
        if (step_wants_run(&s->plan->step[i]) && stage_needs(&s->c->cfg, s->plan->step[i].stage) >> stage & 1) return true;
    return false;
}

/* Is it of this run? Names of steps hold the run, but those of the table and of tiles, which runs share. A gate of an older record has
 * none: it counts. */
static bool is_of_this_run(const submitter *s, const submitted *o)
{
    if (!o->tasks.n) return true;
    for (size_t i = 0; i < s->plan->n; i++)
        if (s->plan->step[i].stage == o->stage && submitted_names(o, s->plan->step[i].name)) return true;
    return false;
}

/* waited: the steps that the arrays make. */
static status submit_gate(submitter *s, int stage, const text *arrays, const names *waited)
{
    status st = OK;
    line l = {{0}};
    names args = {0};
    char *dir = NULL, *job = NULL, name[64];
    snprintf(name, sizeof name, "gate-%s", stage_table[stage].name);
    TRY(args_folder(s, name, &dir));
    names_add(&args, s->screen);
    for (size_t i = 1; i < s->c->plain.n; i++) names_add(&args, s->c->plain.item[i]);
    names_add(&args, "--stage");
    names_add(&args, stage_table[stage].name);
    for (size_t i = 0; i < s->c->a.plates.n; i++) { /* it judges what was submitted, not the screen */
        names_add(&args, "--plate");
        names_add(&args, s->c->a.plates.item[i]);
    }
    TRY(write_args(s, dir, "0.0", &args));
    add_common(s, &l, name, GATE_MIN, 1024);
    names_add(&l.argv, "--nodes=1");
    names_add(&l.argv, "--ntasks=1");
    char log[80];
    snprintf(log, sizeof log, "%s-%%j", name);
    add_log(s, &l, log);
    add_after(&l, "--dependency=afterany", arrays);
    add_script(s, &l, "gate.sh", dir);
    TRY(send(s, &l, &job));
    text_clear(&s->release[stage]);
    text_addf(&s->release[stage], ":%s", job);
    submissions_add(&s->now, stage, true, job, (long)geteuid(), waited);
    TRY(record(s));
    if (!s->c->a.dry_run) log_info("%s: job %s decides whether enough plates stand", name, job);
done:
    names_free(&l.argv);
    names_free(&args);
    free(dir);
    free(job);
    return st;
}

/* Write the arguments of every task; tasks: the step names of each, for the record. */
static status write_tasks(submitter *s, const char *dir, const step **todo, size_t n, size_t per_task, names *tasks)
{
    status st = OK;
    text steps = {0};
    for (size_t i = 0; i < n; i++) {
        TRY(write_step(s, dir, i / per_task, i % per_task, todo[i]));
        text_addf(&steps, "%s%s", steps.n ? "," : "", todo[i]->name);
        if ((i + 1) % per_task && i + 1 < n) continue;
        names_add(tasks, text_str(&steps));
        text_clear(&steps);
    }
done:
    text_free(&steps);
    return st;
}

static size_t plates_per_task(const submitter *s, const step **todo, size_t n)
{
    double longest = 1;
    size_t most = (n + MAX_TASKS - 1) / MAX_TASKS, packed = 1;
    for (size_t i = 0; i < n; i++) longest = fmax(longest, todo[i]->seconds);
    if (s->c->cfg.slurm.plates_per_task > 0)
        packed = (size_t)s->c->cfg.slurm.plates_per_task;
    else if (longest < TASK_S)
        packed = (size_t)(TASK_S / longest);
    return packed > n ? n : packed < most ? most : packed;
}

static void add_shape(const submitter *s, line *l, int stage, size_t tasks, double seconds)
{
    const slurm_options *o = &s->c->cfg.slurm;
    const char *name = stage_table[stage].name;
    char array[64], log[64];
    bool is_array = stage_table[stage].per_plate;
    snprintf(log, sizeof log, is_array ? "%s-%%A_%%a" : "%s-%%j", name);
    if (stage_table[stage].trains) {
        int64_t limit_s = minutes(s, seconds) * 60;
        add_n(l, "--nodes=", o->train_nodes, "");
        add_n(l, "--ntasks-per-node=", o->train_ntasks_per_node, "");
        add_n(l, "--signal=B:USR1@", limit_s / 4 < SIGNAL_S ? limit_s / 4 : SIGNAL_S, "");
        names_add(&l->argv, "--requeue");
    } else {
        names_add(&l->argv, "--nodes=1");
        add_n(l, "--ntasks=", s->plan->ranks, "");
    }
    if (is_array) {
        snprintf(array, sizeof array, o->throttle ? "0-%zu%%%lld" : "0-%zu", tasks - 1, (long long)o->throttle);
        add(l, "--array=", array);
    }
    add_log(s, l, log);
}

static status submit_steps(submitter *s, int stage, const step **todo, size_t n, text *arrays)
{
    status st = OK;
    line l = {{0}};
    names tasks = {0};
    text after = {0};
    char *dir = NULL, *job = NULL;
    double longest = 0;
    int64_t mem = 0;
    size_t packed = plates_per_task(s, todo, n);
    const slurm_options *o = &s->c->cfg.slurm;
    double ranks = stage_table[stage].trains ? (double)(o->train_nodes * o->train_ntasks_per_node) : (double)s->plan->ranks;
    for (size_t i = 0; i < n; i++) {
        longest = fmax(longest, todo[i]->seconds * (double)s->plan->ranks / ranks);
        if (todo[i]->mem > mem) mem = todo[i]->mem;
    }
    TRY(args_folder(s, stage_table[stage].name, &dir));
    TRY(write_tasks(s, dir, todo, n, packed, &tasks));
    add_common(s, &l, stage_table[stage].name, minutes(s, longest * (double)packed), megabytes(s, mem));
    add_shape(s, &l, stage, tasks.n, longest);
    wait_for(s, stage, &after);
    add_after(&l, "--dependency=afterok", &after);
    add_script(s, &l, stage_table[stage].job, dir);
    TRY(send(s, &l, &job));
    text_addf(arrays, ":%s", job);
    submissions_add(&s->now, stage, false, job, (long)geteuid(), &tasks);
    TRY(record(s));
    if (!s->c->a.dry_run)
        log_info("%s: job %s, %zu task%s, %zu step%s", stage_table[stage].name, job, tasks.n, tasks.n == 1 ? "" : "s", n,
                 n == 1 ? "" : "s");
done:
    names_free(&l.argv);
    names_free(&tasks);
    text_free(&after);
    free(dir);
    free(job);
    return st;
}

static status submit_stage(submitter *s, int stage)
{
    status st = OK;
    size_t n = 0, queued_already = 0;
    text jobs = {0};
    names waited = {0};
    bool any_gate = false, gate = true; /* gate: does one wait for each step that is in the queue? */
    const step **todo = xcalloc(s->plan->n + 1, sizeof *todo);
    for (size_t i = 0; i < s->old.n; i++) { /* of an earlier submit of this run: what comes now waits for it too */
        const submitted *o = &s->old.item[i];
        if (o->stage != stage || !submitted_is_active(o, &s->queue) || !is_of_this_run(s, o)) continue;
        text_addf(o->gate ? &s->release[stage] : &jobs, ":%s", o->job);
        any_gate |= o->gate;
    }
    for (size_t i = 0; i < s->plan->n; i++) {
        const step *p = &s->plan->step[i];
        if (p->stage != stage || !step_wants_run(p)) continue;
        names_add(&waited, p->name);
        if (is_queued(s, p)) {
            queued_already++;
            gate = gate && has_gate(s, p);
        } else {
            todo[n++] = p;
        }
    }
    if (queued_already)
        log_info("%s: %zu step%s already in the queue", stage_table[stage].name, queued_already, queued_already == 1 ? " is" : "s are");
    if (n) TRY(submit_steps(s, stage, todo, n, &jobs));
    s->made += (int64_t)n;
    if (!stage_table[stage].per_plate)
        text_add(&s->release[stage], text_str(&jobs));
    else if (jobs.n && needed_later(s, stage) && (n || !any_gate || !gate))
        TRY(submit_gate(s, stage, &jobs, &waited));
done:
    free(todo);
    names_free(&waited);
    text_free(&jobs);
    return st;
}

static status prepare(submitter *s)
{
    status st = OK;
    TRY(find_home(s));
    s->partition = site_value(s->home, "SLURM_PARTITION");
    s->account = site_value(s->home, "SLURM_ACCOUNT");
    TRY(find_paths(s));
    submissions_read(&s->old, &s->c->cfg);
    if (s->c->a.dry_run && !s->old.n) goto done; /* no queue is needed to print */
    TRY(fail_within(process_find("sbatch", &s->sbatch), "micon submit wants SLURM ('micon run' does the same here)"));
    TRY(queue_read(&s->queue, &s->old, NULL, 0));
    if (!s->c->a.dry_run) clean_leftovers(&s->c->cfg, &s->queue);
    for (size_t i = 0; i < s->old.n; i++) {
        const submitted *o = &s->old.item[i];
        if (submitted_is_active(o, &s->queue)) submissions_add(&s->now, o->stage, o->gate, o->job, o->uid, &o->tasks);
    }
done:
    return st;
}

/* Training keeps in memory what a node has room for: that is a node of SLURM's, not the one where this is typed. */
static void size_to_nodes(submitter *s)
{
    const slurm_options *o = &s->c->cfg.slurm;
    s->node_mb = slurm_node_mb(either(o->partition, s->partition));
    s->plan->train_ranks = o->train_ntasks_per_node;
    if (s->node_mb > 0) {
        s->plan->memory = (double)s->node_mb * 1048576;
        s->plan->shared = s->plan->train_ranks == 1 ? s->plan->memory : 0.95 * 0.5 * s->plan->memory; /* Linux gives /dev/shm half */
    }
    plan_estimate(s->plan, &s->c->cfg);
}

static void submitter_free(submitter *s)
{
    queue_free(&s->queue);
    submissions_free(&s->old);
    submissions_free(&s->now);
    free(s->home);
    free(s->screen);
    free(s->logs);
    free(s->sbatch);
    free(s->partition);
    free(s->account);
    for (int i = 0; i < n_stages; i++) text_free(&s->release[i]);
}

status command_submit(call *c)
{
    enum { RANKS = 4 };
    status st = OK;
    plan p = {0};
    work_lock lock = {NULL};
    submitter s = {.c = c, .plan = &p};
    if (c->a.ranks < 0) c->a.ranks = RANKS;
    if (!c->a.dry_run) TRY(lock_take(&lock, c));
    TRY(plan_make(&p, c));
    TRY(prepare(&s));
    size_to_nodes(&s);
    for (int stage = 0; stage < n_stages; stage++) {
        for (size_t i = 0; i < p.n; i++)
            if (p.step[i].stage == stage && p.step[i].chosen && p.step[i].state == STEP_ABSENT) {
                log_warn("%s is left out: %s", stage_table[stage].name, p.step[i].why);
                break;
            }
        if (stage_wanted(&c->cfg, stage)) TRY(submit_stage(&s, stage));
    }
    if (!s.made) log_info("nothing to submit: everything is up to date or in the queue");
done:
    lock_release(&lock);
    submitter_free(&s);
    plan_free(&p);
    return st;
}

/* ---- the gate ---- */
status command_gate(call *c)
{
    status st = OK;
    plan p = {0};
    size_t bad = 0, all = 0;
    if (c->a.stages.n != 1) TRY(fail(E_USAGE, "gate wants one --stage"));
    c->a.ranks = 1;
    TRY(plan_make(&p, c));
    p.alone = true; /* a plate without tiles does not make what was made without it worthless */
    plan_decide(&p, &c->cfg);
    for (size_t i = 0; i < p.n; i++) {
        const step *s = &p.step[i];
        if (!s->chosen) continue;
        all++;
        if (s->state == STEP_CURRENT) continue;
        bad++;
        printf("%s: %s does not stand: %s\n", stage_table[s->stage].name, step_label(&p, s), s->why);
    }
    printf("%zu of %zu stand\n", all - bad, all);
    if ((double)bad > c->cfg.slurm.max_bad_plates * (double)all)
        TRY(fail(E_FAILED, "%zu of %zu failed, more than slurm.max_bad_plates allows: what comes next is held back", bad, all));
done:
    plan_free(&p);
    return st;
}
