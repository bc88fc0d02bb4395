/* step_status.c -- reads a step's status files under work/status, and why it failed. */
#include "driver.h"

#include "micon/base/identity.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *step_file(const config *c, const step *s, const char *end)
{
    return config_status_file(c, stage_table[s->stage].name, s->name, end);
}

static char *text_of(const json_t *o, const char *key)
{
    const char *s = json_string_value(json_object_get(o, key));
    return xstrdup(s ? s : "");
}

static double number_of(const json_t *o, const char *key, double without)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : without;
}

/* "12_3" or "12"; NULL: it ran outside SLURM. */
static char *job_of(const json_t *o)
{
    const char *job = json_string_value(json_object_get(o, "job")), *task = json_string_value(json_object_get(o, "task"));
    return !job ? NULL : task ? xasprintf("%s_%s", job, task) : xstrdup(job);
}

/* Is the writer dead? Certain where process numbers can be compared (base/identity.h), and for files of versions before 0.2 on the host of
 * that name; a SLURM job is looked up in the queue by the caller. */
static bool is_gone(const json_t *o)
{
    if (json_is_string(json_object_get(o, "job"))) return false;
    const identity *me = identity_mine();
    char *host = text_of(o, "host"), *space = text_of(o, "space"), *birth = text_of(o, "birth");
    long pid = (long)number_of(o, "pid", 0);
    bool here = *space && *me->space ? strcmp(space, me->space) == 0 : strcmp(host, me->host) == 0;
    bool gone = here && pid > 0 && identity_is_dead(pid, *birth ? birth : NULL);
    free(host);
    free(space);
    free(birth);
    return gone;
}

static step_status_state state_of(const json_t *o)
{
    static const struct {
        const char *word;
        step_status_state state;
    } words[] = {{"running", STATUS_RUNNING}, {"done", STATUS_DONE}, {"failed", STATUS_FAILED}, {"stopped", STATUS_STOPPED}};
    const char *s = json_string_value(json_object_get(o, "state"));
    for (size_t i = 0; s && i < sizeof words / sizeof *words; i++)
        if (strcmp(s, words[i].word) == 0) return words[i].state;
    return STATUS_NONE;
}

bool step_file_is_newer(const char *a, const char *b)
{
    int64_t size, of_a = 0, of_b = 0;
    if (!path_exists(b)) return true;
    if (path_stat(a, &size, &of_a) != OK || path_stat(b, &size, &of_b) != OK) msg_clear();
    return of_a > of_b;
}

static long owner_of(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 ? (long)sb.st_uid : -1;
}

void step_status_failed(step_status *s, const char *why)
{
    s->state = STATUS_FAILED;
    free(s->message);
    s->message = xstrdup(why);
}

/* The driver's own marks (.failed, .stopped), the record of a success (.made) and the program's file (.json): the youngest counts. The
 * driver writes marks because a program that it had to kill cannot. */
static void read_end(step_status *out, const config *c, const step *s, const char *json)
{
    static const struct {
        const char *end;
        step_status_state state;
    } ends[] = {{"made", STATUS_DONE}, {"stopped", STATUS_STOPPED}, {"failed", STATUS_FAILED}};
    char *youngest = xstrdup(json), *why = NULL;
    size_t n;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char *path = step_file(c, s, ends[i].end);
        if (path_exists(path) && step_file_is_newer(path, youngest)) {
            char *t = youngest;
            youngest = path;
            path = t;
            if (out->state != ends[i].state && ends[i].state != STATUS_DONE) FREE(out->message);
            out->state = ends[i].state;
            if (out->state != STATUS_DONE) FREE(out->job); /* the mark is of a local run */
            if (out->state == STATUS_FAILED) FREE(out->message);
            if (out->state == STATUS_FAILED && path_read(youngest, &why, &n, 1 << 16) != OK) msg_clear();
        }
        free(path);
    }
    if (!out->message) out->message = out->state == STATUS_FAILED && why ? xstrdup(why) : xstrdup("");
    free(why);
    free(youngest);
}

char *step_job_log(const config *c, int stage, const char *job)
{
    char *below = xasprintf(STATUS_JOBS "/%s-%s.log", stage_table[stage].name, job), *path = config_work(c, below);
    free(below);
    return path;
}

/* The log of the last try: of its job, or of the driver unless that is older than the status file. */
static char *find_log(const step_status *out, const config *c, const step *s, const char *json)
{
    int64_t size, of_log = 0, of_json = 0;
    char *log = out->job ? step_job_log(c, s->stage, out->job) : step_file(c, s, "log");
    bool there = path_exists(log);
    if (there && !out->job && path_exists(json)) {
        if (path_stat(log, &size, &of_log) != OK || path_stat(json, &size, &of_json) != OK) msg_clear();
        there = of_log >= of_json - (int64_t)((out->seconds + 2) * 1e9);
    }
    if (!there) FREE(log);
    return log;
}

void step_status_read(step_status *out, const config *c, const step *s)
{
    char *path = step_file(c, s, "json");
    json_t *o = driver_json(path);
    *out = (step_status){.state = state_of(o), .message = text_of(o, "message"), .unit = text_of(o, "unit")};
    out->done = number_of(o, "done", 0);
    out->total = number_of(o, "total", 0);
    out->rate = number_of(o, "rate", 0);
    out->left = number_of(o, "left_s", -1);
    out->seconds = number_of(o, "seconds", 0);
    out->job = job_of(o);
    out->uid = o ? owner_of(path) : -1;
    if (out->state == STATUS_RUNNING && is_gone(o)) step_status_failed(out, "ended without reporting a status (killed?)");
    read_end(out, c, s, path);
    out->log = find_log(out, c, s, path);
    json_decref(o);
    free(path);
}

bool step_status_is_live(const char *path, text *who)
{
    json_t *o = driver_json(path);
    char *job = job_of(o), *stage = text_of(o, "stage"), *host = text_of(o, "host"), shown[300];
    bool live = state_of(o) == STATUS_RUNNING && !is_gone(o);
    if (live && job) {
        queue q;
        submissions none = {0};
        long owner = owner_of(path);
        if (queue_read(&q, &none, &owner, 1) != OK) msg_clear();
        live = q.answered && !queue_lacks(&q, job, owner);
        queue_free(&q);
    }
    if (live && job) text_addf(who, "micon-%s (job %s)", stage, job);
    if (live && !job) text_addf(who, "micon-%s (process %.0f on %s)", stage, number_of(o, "pid", 0), text_show(shown, sizeof shown, host));
    free(job);
    free(stage);
    free(host);
    json_decref(o);
    return live;
}

void step_status_free(step_status *s)
{
    free(s->message);
    free(s->unit);
    free(s->log);
    free(s->job);
    *s = (step_status){0};
}

void step_status_show(const step_status *e, text *out)
{
    char left[32];
    if (e->total > 0) text_addf(out, "%.0f of %.0f %s", e->done, e->total, e->unit);
    if (e->rate > 0) text_addf(out, ", %.3g a second", e->rate);
    if (e->left >= 0) text_addf(out, ", %s left", num_show_time(left, sizeof left, e->left));
}

char *step_failure_reason(const char *log, int exit_status)
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
                    ? xasprintf("killed by signal %d%s%s", exit_status - 128, last ? "; last line: " : "",
                                last ? text_show(shown, sizeof shown, last) : "")
                    : xasprintf("exit %d%s%s", exit_status, last ? ": " : "", last ? text_show(shown, sizeof shown, last) : "");
    free(data);
    return why;
}
