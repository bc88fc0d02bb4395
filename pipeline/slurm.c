/* slurm.c -- the queue, and the jobs that we submitted. sacct may tell why a job ended, but is never needed: many sites have no accounting
 * database. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <jansson.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Lines "123_4|PENDING|Dependency|127"; the last is the number that a task of an array has as a job of its own. */
static void read_rows(queue *q, const char *output)
{
    names lines = {0};
    size_t cap = 0;
    names_split(&lines, output, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        names f = {0};
        names_split(&f, lines.item[i], '|');
        if (f.n >= 3 && *f.item[0]) {
            if (mem_grow(&q->item, &cap, q->n + 1, sizeof *q->item, "queue") != OK) msg_clear();
            if (q->n < cap)
                q->item[q->n++] = (queued){.job = xstrdup(f.item[0]), .state = xstrdup(f.item[1]), .reason = xstrdup(f.item[2])};
            if (f.n > 3) names_add(&q->numbers, f.item[3]);
        }
        names_free(&f);
    }
    names_free(&lines);
}

static status ask(queue *q, const char *users)
{
    status st = OK;
    char *program = NULL, *output = NULL, *user = xasprintf("--user=%s", users), shown[300];
    int exit_status = 0;
    TRY(process_find("squeue", &program));
    char *argv[] = {program, (char *)"--noheader", (char *)"--array", user, (char *)"--format=%i|%T|%r|%A", NULL};
    TRY(process_capture(argv, &output, &exit_status));
    if (exit_status)
        TRY(fail(E_FAILED, "SLURM does not answer here; micon run works without it (squeue, exit %d: %s)", exit_status,
                 text_show(shown, sizeof shown, process_last_line(output))));
    read_rows(q, output);
    q->answered = true;
done:
    free(program);
    free(output);
    free(user);
    return st;
}

/* Only known users: squeue refuses the whole list for one it does not know. */
static void add_user(names *users, long uid)
{
    char word[32];
    if (uid < 0 || (uid != (long)geteuid() && !getpwuid((uid_t)uid))) return;
    snprintf(word, sizeof word, "%ld", uid);
    if (names_find(users, word) < 0) names_add(users, word);
}

status queue_read(queue *q, const submissions *s, const long *also, size_t n_also)
{
    text list = {0};
    *q = (queue){0};
    add_user(&q->users, (long)geteuid());
    for (size_t i = 0; i < s->n; i++) add_user(&q->users, s->item[i].uid);
    for (size_t i = 0; i < n_also; i++) add_user(&q->users, also[i]);
    for (size_t i = 0; i < q->users.n; i++) text_addf(&list, "%s%s", i ? "," : "", q->users.item[i]);
    status st = ask(q, text_str(&list));
    text_free(&list);
    return st;
}

bool queue_lacks(const queue *q, const char *job, long uid)
{
    char word[32];
    snprintf(word, sizeof word, "%ld", uid);
    return q->answered && names_find(&q->users, word) >= 0 && !queue_find(q, job, -1);
}

void queue_free(queue *q)
{
    for (size_t i = 0; i < q->n; i++) {
        free(q->item[i].job);
        free(q->item[i].state);
        free(q->item[i].reason);
    }
    free(q->item);
    names_free(&q->numbers);
    names_free(&q->users);
    *q = (queue){0};
}

const queued *queue_find(const queue *q, const char *job, long task)
{
    char *id = task < 0 ? xstrdup(job) : xasprintf("%s_%ld", job, task);
    const queued *hit = NULL;
    for (size_t i = 0; i < q->n && !hit; i++)
        if (strcmp(q->item[i].job, id) == 0) hit = &q->item[i];
    free(id);
    return hit;
}

/* ---- work/status/slurm.json ---- */
void submissions_add(submissions *s, int stage, bool gate, const char *job, long uid, const names *tasks)
{
    if (mem_grow(&s->item, &s->cap, s->n + 1, sizeof *s->item, "submissions") != OK) return; /* a few; the message is kept */
    submitted *n = &s->item[s->n++];
    *n = (submitted){.stage = stage, .gate = gate, .job = xstrdup(job), .uid = uid};
    for (size_t i = 0; tasks && i < tasks->n; i++) names_add(&n->tasks, tasks->item[i]);
}

void submissions_free(submissions *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->item[i].job);
        names_free(&s->item[i].tasks);
    }
    free(s->item);
    *s = (submissions){0};
}

static void read_job(submissions *s, const json_t *j)
{
    const char *stage = json_string_value(json_object_get(j, "stage")), *job = json_string_value(json_object_get(j, "job"));
    const json_t *list = json_object_get(j, "tasks");
    int at = stage ? stage_find(stage) : -1;
    const json_t *uid = json_object_get(j, "uid"); /* older records have none: they are our own */
    names tasks = {0};
    if (at < 0 || !job) return;
    for (size_t k = 0; k < json_array_size(list); k++) {
        const char *steps = json_string_value(json_array_get(list, k));
        names_add(&tasks, steps ? steps : "");
    }
    submissions_add(s, at, json_is_true(json_object_get(j, "gate")), job, uid ? (long)json_integer_value(uid) : (long)geteuid(), &tasks);
    names_free(&tasks);
}

void submissions_read(submissions *s, const config *c)
{
    char *path = config_work(c, STATUS_SUBMISSIONS);
    json_t *o = driver_json(path), *jobs = json_object_get(o, "jobs");
    *s = (submissions){0};
    for (size_t i = 0; i < json_array_size(jobs); i++) read_job(s, json_array_get(jobs, i));
    json_decref(o);
    free(path);
}

status submissions_write(const submissions *s, const config *c)
{
    text t = {0};
    char *path = config_work(c, STATUS_SUBMISSIONS);
    text_addf(&t, "{\"format\": %d, \"jobs\": [", SUBMISSIONS_FORMAT);
    for (size_t i = 0; i < s->n; i++) {
        const submitted *j = &s->item[i];
        text_addf(&t, "%s\n  {\"stage\": \"%s\", \"gate\": %s, \"job\": ", i ? "," : "", stage_table[j->stage].name,
                  j->gate ? "true" : "false");
        text_add_json(&t, j->job);
        text_addf(&t, ", \"uid\": %ld, \"tasks\": [", j->uid);
        for (size_t k = 0; k < j->tasks.n; k++) {
            if (k) text_add(&t, ", ");
            text_add_json(&t, j->tasks.item[k]);
        }
        text_add(&t, "]}");
    }
    text_add(&t, "\n]}\n");
    status st = path_write(path, text_str(&t), t.n);
    text_free(&t);
    free(path);
    return st;
}

char *slurm_end_of(const char *job)
{
    char *program = NULL, *output = NULL, *of = xasprintf("--jobs=%s", job), *word = NULL;
    int exit_status = 1;
    if (process_find("sacct", &program) == OK) {
        char *argv[] = {program, (char *)"--noheader", (char *)"--allocations", (char *)"--parsable2", of, (char *)"--format=State", NULL};
        if (process_capture(argv, &output, &exit_status) == OK && exit_status == 0) {
            size_t n = strspn(output, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"); /* "CANCELLED by 12" */
            if (n && strncmp(output, "COMPLETED", n) != 0) word = xstrndup(output, n);
        }
    }
    msg_clear();
    free(program);
    free(output);
    free(of);
    return word;
}

bool submitted_is_active(const submitted *s, const queue *q)
{
    size_t n = strlen(s->job);
    for (size_t i = 0; i < q->n; i++)
        if (strncmp(q->item[i].job, s->job, n) == 0 && (q->item[i].job[n] == '\0' || q->item[i].job[n] == '_')) return true;
    return false;
}

long submitted_task(const submitted *s, const char *step_name)
{
    long at = -1;
    for (size_t k = 0; k < s->tasks.n && at < 0; k++) {
        names steps = {0};
        names_split(&steps, s->tasks.item[k], ',');
        if (names_find(&steps, step_name) >= 0) at = (long)k;
        names_free(&steps);
    }
    return at;
}

bool submitted_covers(const submitted *s, const queue *q, const char *step_name)
{
    long task = submitted_task(s, step_name);
    return task >= 0 && (queue_find(q, s->job, task) || queue_find(q, s->job, -1));
}

status submissions_none_active(const call *c, queue *q)
{
    status st = OK;
    submissions s = {0};
    text jobs = {0};
    *q = (queue){0};
    submissions_read(&s, &c->cfg);
    if (!s.n) return OK;
    if (queue_read(q, &s, NULL, 0) != OK) {
        log_warn("jobs were submitted for this work folder, and the SLURM queue cannot be queried for them: %s", msg_get());
        msg_clear();
    }
    for (size_t i = 0; i < s.n; i++)
        if (submitted_is_active(&s.item[i], q)) text_addf(&jobs, " %s", s.item[i].job);
    if (jobs.n) st = fail(E_FAILED, "SLURM jobs are using this work folder; wait for them, or: scancel%s", text_str(&jobs));
    text_free(&jobs);
    submissions_free(&s);
    return st;
}
