/* step_state.c -- the state of a step now: done, running, queued, stopped, failed, to do, or not possible here. It follows from its record
 * and output (as plan_decide judges each step by itself), its last try (step_status.c), the lock of the work folder and the queue. status,
 * plan, run, rerun and submit all use it. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <stdlib.h>
#include <string.h>

const char *const step_kind_words[N_STEP_KINDS] = {"done", "running", "queued", "stopped", "failed", "to do", "not here"};

bool step_is_active(const step *s)
{
    return s->is == IS_RUNNING || s->is == IS_QUEUED;
}

/* Ask SLURM for the reason of the first few only: each query takes a moment. */
static void say_ended(step_status *s, const char *what, const char *job, const char *unknown)
{
    enum { ASKED_AT_MOST = 20 };
    static int asked;
    char *word = asked++ < ASKED_AT_MOST ? slurm_end_of(job) : NULL;
    char *why = word ? xasprintf("%s (%s)", what, word) : xasprintf("%s%s", what, unknown);
    step_status_failed(s, why);
    free(word);
    free(why);
}

/* A step that reports a SLURM job which is not in the queue was killed, unless it ended, or another job began, since we asked. */
static void doubt(step *s, const queue *q, const config *c)
{
    step_status now;
    if (s->last.state != STATUS_RUNNING || !s->last.job || !queue_lacks(q, s->last.job, s->last.uid)) return;
    step_status_read(&now, c, s);
    if (now.state == STATUS_RUNNING && now.job && strcmp(now.job, s->last.job) == 0)
        say_ended(&now, "ended without reporting a status", now.job, " (killed?)");
    step_status_free(&s->last);
    s->last = now;
}

/* Has any step of that task reported from the job? */
static bool task_reported(const plan *p, int stage, const char *steps, const char *job)
{
    names list = {0};
    bool any = false;
    names_split(&list, steps, ',');
    for (size_t i = 0; i < p->n && !any; i++)
        any = p->step[i].stage == stage && p->step[i].last.job && strcmp(p->step[i].last.job, job) == 0 &&
              names_find(&list, p->step[i].name) >= 0;
    names_free(&list);
    return any;
}

/* A job of ours that began (its log exists) and is over without any report of its program: the launch failed. */
static void find_silent_job(plan *p, step *s, const config *c)
{
    for (size_t k = 0; k < p->jobs.n; k++) {
        const submitted *j = &p->jobs.item[k];
        long task = j->stage == s->stage && !j->gate ? submitted_task(j, s->name) : -1;
        if (task < 0 || !queue_lacks(&p->queue, j->job, j->uid) || submitted_is_active(j, &p->queue)) continue;
        char *id = stage_table[s->stage].per_plate ? xasprintf("%s_%ld", j->job, task) : xstrdup(j->job);
        char *log = step_job_log(c, s->stage, id), *made = step_file(c, s, "made");
        if (path_exists(log) && step_file_is_newer(log, made) && !task_reported(p, s->stage, j->tasks.item[task], id)) {
            char *why = xasprintf("job %s ended before the program reported anything", id);
            say_ended(&s->last, why, id, "");
            free(why);
            free(s->last.log);
            s->last.log = xstrdup(log);
        }
        free(id);
        free(log);
        free(made);
    }
}

/* The queue is read if there are submissions or a step reports a job; without an answer there is a warning. */
void step_states_read(plan *p, const config *c)
{
    long *owners = xcalloc(p->n + 1, sizeof *owners);
    size_t n = 0;
    submissions_read(&p->jobs, c);
    lock_holder(c, &p->holder);
    for (size_t i = 0; i < p->n; i++)
        if (p->step[i].last.state == STATUS_RUNNING && p->step[i].last.job) owners[n++] = p->step[i].last.uid;
    if ((p->jobs.n || n) && queue_read(&p->queue, &p->jobs, owners, n) != OK) {
        log_warn("cannot query the SLURM queue: %s", msg_get());
        msg_clear();
    }
    for (size_t i = 0; i < p->n; i++) doubt(&p->step[i], &p->queue, c);
    for (size_t i = 0; i < p->n && p->queue.answered; i++) find_silent_job(p, &p->step[i], c);
    free(owners);
}

/* Started by the active run without a report so far: of its files only the log is younger than the lock. */
static bool is_starting(const plan *p, const step *s, const config *c)
{
    static const char *const ends[] = {"json", "failed", "stopped", "made"};
    if (!p->holder.n) return false;
    char *lock = config_work(c, STATUS_LOCK), *log = step_file(c, s, "log");
    bool starting = path_exists(log) && step_file_is_newer(log, lock);
    for (size_t k = 0; k < sizeof ends / sizeof *ends && starting; k++) {
        char *end = step_file(c, s, ends[k]);
        starting = !path_exists(end) || !step_file_is_newer(end, lock);
        free(end);
    }
    free(lock);
    free(log);
    return starting;
}

/* Steps of a task run one after the other: the first that has not reported from this job is running, unless another one is. */
static bool is_next_in_task(const plan *p, const step *s, const char *steps, const char *job)
{
    names list = {0};
    bool next = true;
    names_split(&list, steps, ',');
    long mine = names_find(&list, s->name);
    for (size_t i = 0; i < p->n && next; i++) {
        const step *o = &p->step[i];
        long at = o->stage == s->stage && o != s ? names_find(&list, o->name) : -1;
        if (at < 0) continue;
        bool reported = o->last.job && strcmp(o->last.job, job) == 0;
        next = reported ? o->last.state != STATUS_RUNNING : at > mine;
    }
    names_free(&list);
    return next;
}

/* The state by the queue; false if the step is in no job, or has ended in it. */
static bool by_queue(const plan *p, const step *s, step_kind *is)
{
    for (size_t k = 0; k < p->jobs.n; k++) {
        const submitted *j = &p->jobs.item[k];
        long task = j->stage == s->stage && !j->gate ? submitted_task(j, s->name) : -1;
        const queued *q = task < 0 ? NULL : queue_find(&p->queue, j->job, task);
        if (!q && task >= 0) q = queue_find(&p->queue, j->job, -1);
        if (!q) continue;
        bool of_it = s->last.job && strcmp(s->last.job, q->job) == 0;
        if (strcmp(q->state, "PENDING") == 0)
            *is = IS_QUEUED;
        else if (of_it && s->last.state != STATUS_RUNNING)
            return false;
        else
            *is = of_it || is_next_in_task(p, s, j->tasks.item[task], q->job) ? IS_RUNNING : IS_QUEUED;
        return true;
    }
    return false;
}

static step_kind judge(const plan *p, const step *s, const config *c)
{
    step_kind is;
    if (by_queue(p, s, &is)) return is;
    if (s->last.state == STATUS_RUNNING || is_starting(p, s, c)) return IS_RUNNING;
    if (s->last.state == STATUS_FAILED) return IS_FAILED; /* the last try counts, whatever an earlier one left */
    if (s->state == STEP_CURRENT || (s->state == STEP_CHECK && s->exists)) return IS_DONE;
    if (s->state == STEP_ABSENT) return IS_NOT_HERE;
    return s->last.state == STATUS_STOPPED ? IS_STOPPED : IS_TODO;
}

void step_states_judge(plan *p, const config *c)
{
    for (size_t i = 0; i < p->n; i++) p->step[i].is = judge(p, &p->step[i], c);
}
