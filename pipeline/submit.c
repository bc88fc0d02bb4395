/* submit.c -- micon submit: the steps of the plan as SLURM jobs. A gate job after each array decides by slurm.max_bad_plates: afterok on an
 * array would stop everything for one bad plate, and can never be satisfied once a task was requeued. */
#include "sbatch.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { TASK_S = 1800, MAX_TASKS = 1000, SIGNAL_S = 300 };

typedef struct {
    call *c;
    plan *plan;
    sbatch_site site;
    queue queue;
    submissions old, now;     /* now: those still active and the new ones */
    text release[MAX_STAGES]; /* ":12:13": jobs that steps after this stage wait for */
    int64_t made;
    size_t most_tasks; /* of a per-plate stage, so that SLURM accepts all jobs */
} submitter;

static void step_args(const submitter *s, const step *p, names *out)
{
    names_add(out, s->site.screen);
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
    status st = sbatch_write_args(&s->site, dir, file, &args);
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

/* Does a gate in the queue wait for it? A gate of an older record does not name its steps: it waits for all. */
static bool has_gate(const submitter *s, const step *p)
{
    for (size_t i = 0; i < s->old.n; i++) {
        const submitted *o = &s->old.item[i];
        if (o->stage == p->stage && o->gate && submitted_is_active(o, &s->queue) && (!o->tasks.n || submitted_task(o, p->name) >= 0))
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

/* Is it of this run? Step names contain the run, except those of compounds and tiles, which runs share. A gate of an older record has none:
 * it counts. */
static bool is_of_this_run(const submitter *s, const submitted *o)
{
    if (!o->tasks.n) return true;
    for (size_t i = 0; i < s->plan->n; i++)
        if (s->plan->step[i].stage == o->stage && submitted_task(o, s->plan->step[i].name) >= 0) return true;
    return false;
}

/* waited: the steps that the arrays make. */
static status submit_gate(submitter *s, int stage, const text *arrays, const names *waited)
{
    status st = OK;
    sbatch_line l = {{0}};
    names args = {0};
    char *dir = NULL, *job = NULL, name[64];
    slurm_resources r = sbatch_resources(&s->site, -1);
    snprintf(name, sizeof name, "gate-%s", stage_table[stage].name);
    TRY(sbatch_args_folder(&s->site, name, &dir));
    names_add(&args, s->site.screen);
    for (size_t i = 1; i < s->c->plain.n; i++) names_add(&args, s->c->plain.item[i]);
    names_add(&args, "--stage");
    names_add(&args, stage_table[stage].name);
    for (size_t i = 0; i < s->c->a.plates.n; i++) { /* it judges the submitted plates, not the whole screen */
        names_add(&args, "--plate");
        names_add(&args, s->c->a.plates.item[i]);
    }
    TRY(sbatch_write_args(&s->site, dir, "0.0", &args));
    sbatch_begin(&s->site, &l, name, &r, r.time_min, sbatch_megabytes(&s->site, &r, 0));
    char log[80];
    snprintf(log, sizeof log, "%s-%%j", name);
    sbatch_add_log(&s->site, &l, log);
    sbatch_add_after(&l, "--dependency=afterany", arrays);
    sbatch_add_script(&s->site, &l, "gate.sh", dir);
    TRY(sbatch_send(&s->site, &l, &job));
    text_clear(&s->release[stage]);
    text_addf(&s->release[stage], ":%s", job);
    submissions_add(&s->now, stage, true, job, (long)geteuid(), waited);
    TRY(record(s));
    if (!s->c->a.dry_run) log_info("%s: job %s decides whether enough plates are complete", name, job);
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
    size_t most = (n + s->most_tasks - 1) / s->most_tasks, packed = 1;
    for (size_t i = 0; i < n; i++) longest = fmax(longest, todo[i]->seconds);
    if (s->c->cfg.slurm.plates_per_task > 0)
        packed = (size_t)s->c->cfg.slurm.plates_per_task;
    else if (longest < TASK_S)
        packed = (size_t)(TASK_S / longest);
    return packed < most ? most : packed > n ? n : packed;
}

/* tasks: of this array; arrays: number of arrays of the stage. */
static void add_shape(const submitter *s, sbatch_line *l, int stage, size_t tasks, size_t arrays, int64_t limit_min)
{
    const char *name = stage_table[stage].name;
    char array[64], log[64];
    bool is_array = stage_table[stage].per_plate;
    snprintf(log, sizeof log, is_array ? "%s-%%A_%%a" : "%s-%%j", name);
    if (stage_table[stage].trains) {
        int64_t limit_s = limit_min * 60;
        sbatch_add_n(l, "--signal=B:USR1@", limit_s / 4 < SIGNAL_S ? limit_s / 4 : SIGNAL_S, "");
        names_add(&l->argv, "--requeue");
    }
    if (is_array) {
        long long at_a_time = s->c->cfg.slurm.throttle / (long long)arrays;
        snprintf(array, sizeof array, s->c->cfg.slurm.throttle ? "0-%zu%%%lld" : "0-%zu", tasks - 1, at_a_time ? at_a_time : 1);
        sbatch_add(l, "--array=", array);
    }
    sbatch_add_log(&s->site, l, log);
}

/* One job, or one of the stage's `arrays`; packed: steps of a task. */
static status submit_job(submitter *s, int stage, const step **todo, size_t n, size_t packed, size_t arrays, text *jobs)
{
    status st = OK;
    sbatch_line l = {{0}};
    names tasks = {0};
    text after = {0};
    char *dir = NULL, *job = NULL;
    double longest = 0;
    int64_t mem = 0;
    slurm_resources r = sbatch_resources(&s->site, stage);
    for (size_t i = 0; i < n; i++) {
        longest = fmax(longest, todo[i]->seconds);
        if (todo[i]->mem > mem) mem = todo[i]->mem;
    }
    TRY(sbatch_args_folder(&s->site, stage_table[stage].name, &dir));
    TRY(write_tasks(s, dir, todo, n, packed, &tasks));
    TRY(sbatch_write_launcher(&s->site, dir));
    int64_t minutes = sbatch_minutes(&s->site, &r, longest * (double)packed);
    sbatch_begin(&s->site, &l, stage_table[stage].name, &r, minutes, sbatch_megabytes(&s->site, &r, mem));
    add_shape(s, &l, stage, tasks.n, arrays, minutes);
    wait_for(s, stage, &after);
    sbatch_add_after(&l, "--dependency=afterok", &after);
    sbatch_add_script(&s->site, &l, stage_table[stage].job, dir);
    TRY(sbatch_send(&s->site, &l, &job));
    text_addf(jobs, ":%s", job);
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

/* An array has at most MaxArraySize tasks: more of them need several arrays. */
static status submit_steps(submitter *s, int stage, const step **todo, size_t n, text *jobs)
{
    status st = OK;
    size_t packed = stage_table[stage].per_plate ? plates_per_task(s, todo, n) : n, tasks = (n + packed - 1) / packed;
    size_t of_array = s->site.cluster.max_array > 0 ? (size_t)s->site.cluster.max_array : tasks, arrays = (tasks + of_array - 1) / of_array;
    for (size_t first = 0; first < n; first += of_array * packed) {
        size_t here = n - first < of_array * packed ? n - first : of_array * packed;
        TRY(submit_job(s, stage, todo + first, here, packed, arrays, jobs));
    }
done:
    return st;
}

static status submit_stage(submitter *s, int stage)
{
    status st = OK;
    size_t n = 0, queued_already = 0;
    text jobs = {0};
    names waited = {0};
    bool any_gate = false, gate = true; /* does a gate wait for each queued step? */
    const step **todo = xcalloc(s->plan->n + 1, sizeof *todo);
    for (size_t i = 0; i < s->old.n; i++) { /* of an earlier submit of this run: new jobs wait for it too */
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
    TRY(sbatch_site_find(&s->site, s->c));
    submissions_read(&s->old, &s->c->cfg);
    if (s->c->a.dry_run && !s->old.n) goto done; /* no queue is needed to print */
    TRY(fail_within(process_find("sbatch", &s->site.program), "micon submit needs SLURM ('micon run' does the same on this machine)"));
    TRY(queue_read(&s->queue, &s->old, NULL, 0));
    if (!s->c->a.dry_run) clean_leftovers(&s->c->cfg, &s->queue);
    for (size_t i = 0; i < s->old.n; i++) {
        const submitted *o = &s->old.item[i];
        if (submitted_is_active(o, &s->queue)) submissions_add(&s->now, o->stage, o->gate, o->job, o->uid, &o->tasks);
    }
done:
    return st;
}

/* Training keeps in memory what fits on a node: a compute node, not the one where this is typed. */
static void size_to_nodes(submitter *s)
{
    for (int stage = 0; stage < n_stages; stage++) {
        slurm_resources r = sbatch_resources(&s->site, stage);
        s->plan->shape[stage].nodes = r.nodes;
        s->plan->shape[stage].ranks = r.ntasks_per_node;
        s->plan->shape[stage].threads = r.cpus_per_task;
        if (!stage_table[stage].trains) continue;
        int64_t mb = cluster_node_mb(&s->site.cluster, r.partition);
        s->plan->shared = memory_budget_shared(r.ntasks_per_node);
        if (mb > 0) {
            s->plan->memory = (double)mb * 1048576;
            s->plan->shared = r.ntasks_per_node == 1 ? s->plan->memory : 0.95 * 0.5 * s->plan->memory; /* Linux gives /dev/shm half */
        }
    }
    plan_estimate(s->plan, &s->c->cfg);
}

/* The steps of a stage that a new job would make. */
static size_t count_new(const submitter *s, int stage)
{
    size_t n = 0;
    for (size_t i = 0; i < s->plan->n; i++)
        n += s->plan->step[i].stage == stage && step_wants_run(&s->plan->step[i]) && !is_queued(s, &s->plan->step[i]);
    return n;
}

/* Each task of an array counts as a job for SLURM's limits. What is left of the limit after single jobs, gates and queued jobs is shared by
 * the per-plate stages. */
static status share_jobs(submitter *s)
{
    const cluster *k = &s->site.cluster;
    int64_t room = k->max_jobs, single = 0, arrays = 0;
    const char *of = "MaxJobCount";
    if (k->max_submit > 0 && (!room || k->max_submit < room)) room = k->max_submit, of = "MaxSubmitJobs";
    s->most_tasks = MAX_TASKS;
    for (int stage = 0; stage < n_stages; stage++) {
        if (!stage_wanted(&s->c->cfg, stage) || !count_new(s, stage)) continue;
        single++; /* itself, or its gate */
        arrays += stage_table[stage].per_plate;
        single -= stage_table[stage].per_plate && !needed_later(s, stage);
    }
    if (!room || !(single + arrays)) return OK;
    int64_t left = room - (int64_t)s->queue.n - single;
    if (left < arrays)
        return fail(E_FAILED,
                    "SLURM takes %lld jobs at a time (%s), %zu are in the queue, and this needs at least %lld: wait for some, or "
                    "submit fewer stages (--stage)",
                    (long long)room, of, s->queue.n, (long long)(single + arrays));
    if (arrays && left / arrays < MAX_TASKS) s->most_tasks = (size_t)(left / arrays);
    return OK;
}

/* A program that does not start here will not start in a job either, unless the job loads modules first. */
static status check_program(const submitter *s, int stage, names *warnings)
{
    status st = program_starts(s->c, stage);
    if (st == OK) return OK;
    if (!*s->site.modules)
        return fail_within(st, "nothing was submitted: load the modules that it was built with, and name them in MODULES");
    char *warning = xasprintf("%s; jobs load: %s", msg_get(), s->site.modules);
    names_add(warnings, warning);
    msg_clear();
    free(warning);
    return OK;
}

/* Report everything that is certain to fail before anything is queued. */
static status check_cluster(submitter *s)
{
    status st = OK;
    names warnings = {0};
    for (int stage = 0; stage < n_stages; stage++) {
        slurm_resources r = sbatch_resources(&s->site, stage);
        if (!stage_wanted(&s->c->cfg, stage) || !count_new(s, stage)) continue;
        TRY(cluster_check(&s->site.cluster, stage_table[stage].name, &r, &warnings));
        TRY(check_program(s, stage, &warnings));
        if (!s->c->a.dry_run) cluster_read_account(&s->site.cluster, r.account, r.qos);
    }
    TRY(share_jobs(s));
done:
    for (size_t i = 0; i < warnings.n && st == OK; i++) log_warn("%s", warnings.item[i]);
    names_free(&warnings);
    return st;
}

static void submitter_free(submitter *s)
{
    queue_free(&s->queue);
    submissions_free(&s->old);
    submissions_free(&s->now);
    sbatch_site_free(&s->site);
    for (int i = 0; i < n_stages; i++) text_free(&s->release[i]);
}

static bool knows_nodes(const submitter *s)
{
    for (int stage = 0; stage < n_stages; stage++)
        if (stage_table[stage].trains) return cluster_node_mb(&s->site.cluster, sbatch_resources(&s->site, stage).partition) > 0;
    return false;
}

/* Under the lock. */
static status submit_plan(call *c, plan *p)
{
    status st = OK;
    submitter s = {.c = c, .plan = p};
    names remarks = {0};
    TRY(prepare(&s));
    cluster_read(&s.site.cluster);
    size_to_nodes(&s);
    TRY(check_cluster(&s));
    plan_warn_left_out(p);
    if (knows_nodes(&s)) plan_remarks(p, &c->cfg, false, &remarks);
    for (size_t i = 0; i < remarks.n; i++) log_warn("%s", remarks.item[i]);
    for (int stage = 0; stage < n_stages; stage++) {
        if (stage_wanted(&c->cfg, stage)) TRY(submit_stage(&s, stage));
    }
    if (!s.made) log_info("nothing to submit: everything is up to date or in the queue");
done:
    names_free(&remarks);
    submitter_free(&s);
    return st;
}

status submit_again(call *c, plan *p)
{
    status st = OK;
    work_lock lock = {NULL};
    if (!c->a.dry_run) TRY(lock_take(&lock, c));
    TRY(submit_plan(c, p));
done:
    lock_release(&lock);
    return st;
}

status command_submit(call *c)
{
    status st = OK;
    plan p = {0};
    work_lock lock = {NULL};
    if (!c->a.dry_run) TRY(lock_take(&lock, c));
    TRY(plan_make(&p, c));
    TRY(submit_plan(c, &p));
done:
    lock_release(&lock);
    plan_free(&p);
    return st;
}
