/* run.c -- micon run and rerun: the steps of the plan through mpirun, stage by stage, several plates at once within the cores. */
#include "run_impl.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <unistd.h>

/* The stages whose missing outputs the step needs: "featurize, tile". */
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

/* After a stage over plates: are enough of them complete for the next stages? */
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
            log_warn("%s: %zu of %zu plates failed, more than slurm.max_bad_plates allows: stages that need all plates are not started",
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
    st = fail(E_FAILED, "%zu step%s could not start: the output of %s is missing; make it first: micon run %s", blocked,
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
        if (any) log_warn("to run only these again: %s", text_str(&again));
    }
    text_free(&again);
    if (r->stopped && r->anew)
        return fail(E_AGAIN, "stopped on request; to resume with what is missing or out of date: micon run %s", r->c->again);
    if (r->stopped) return fail(E_AGAIN, "stopped on request; to resume: micon run %s", r->c->again);
    if (failed)
        return fail(E_FAILED, "%zu step%s failed%s", failed, failed == 1 ? "" : "s",
                    blocked ? "; steps that depend on them were not run" : "");
    if (blocked) return could_not_start(r, blocked);
    log_info("done");
    return OK;
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
    if (!can && p->n) return fail(E_FAILED, "none of the chosen steps can run here: %s", absent_reason(c, p));
    plan_warn_left_out(p);
    if (!todo) {
        log_info("nothing to do: all outputs that can be made here are up to date");
        return OK;
    }
    r.item = xcalloc(p->n, sizeof *r.item);
    for (size_t i = 0; i < p->n; i++) r.item[i].run.p.pid = -1;
    TRY(mpirun_find(&r.mpirun));
    if (c->a.dry_run) {
        run_print_commands(&r);
        goto done;
    }
    TRY(plan_check_possible(p, &c->cfg));
    TRY(submissions_none_active(c, &q));
    TRY(lock_take(&lock, c));
    launch_sweep();
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

status command_run(call *c)
{
    status st = OK;
    plan p = {0};
    if (!c->a.dry_run) c->a.images = true; /* their files will be read anyway: see which changed */
    TRY(plan_make(&p, c));
    TRY(run_plan(c, &p, c->a.force));
done:
    plan_free(&p);
    return st;
}

/* Name the stages after those that ran. */
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
    if (stale) log_info("these stages may now be out of date: %s; update them with micon run %s", text_str(&t), c->again);
    text_free(&t);
}

/* A work folder made by jobs is updated by jobs: a login node is no place to compute. Inside a job, mpirun is used. */
static bool goes_by_jobs(const plan *p)
{
    char *sbatch = NULL;
    bool jobs = p->jobs.n && !getenv("SLURM_JOB_ID") && process_find("sbatch", &sbatch) == OK;
    msg_clear();
    free(sbatch);
    if (jobs) log_info("this work folder was made by SLURM jobs: submitting (micon run --force computes here)");
    return jobs;
}

status command_rerun(call *c)
{
    status st = OK;
    plan p = {0};
    if (!c->a.failed && !c->a.stages.n && !c->a.plates.n) TRY(fail(E_USAGE, "rerun needs --stage, --plate or --failed"));
    c->a.force = !c->a.failed;
    c->a.images = true;
    TRY(plan_make(&p, c));
    for (size_t i = 0; i < p.n && c->a.failed; i++) p.step[i].chosen = p.step[i].chosen && p.step[i].is == IS_FAILED;
    if (goes_by_jobs(&p))
        TRY(submit_again(c, &p));
    else
        TRY(run_plan(c, &p, !c->a.failed));
    if (!c->a.dry_run) say_stale(c, &p);
done:
    plan_free(&p);
    return st;
}
