/* step_status.c -- what a step says of itself: its status files under work/status, and why it failed. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <errno.h>
#include <jansson.h>
#include <signal.h>
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

/* Is the writer gone? Known for certain on this host only; a SLURM job is looked up in the queue by the caller. */
static bool is_gone(const json_t *o)
{
    if (json_is_string(json_object_get(o, "job"))) return false;
    char host[256] = "", *there = text_of(o, "host");
    long pid = (long)number_of(o, "pid", 0);
    gethostname(host, sizeof host - 1);
    bool gone = strcmp(host, there) == 0 && pid > 0 && kill((pid_t)pid, 0) != 0 && errno == ESRCH;
    free(there);
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

static void read_failure(step_status *out, const config *c, const step *s)
{
    char *path = step_file(c, s, "failed"), *why = NULL;
    size_t n;
    if (path_exists(path) && step_file_is_newer(path, s->output)) {
        if (path_read(path, &why, &n, 1 << 16) != OK) msg_clear();
        out->state = STATUS_FAILED;
        free(out->message);
        out->message = why ? why : xstrdup("");
    }
    free(path);
}

static long owner_of(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 ? (long)sb.st_uid : -1;
}

void step_status_killed(step_status *s)
{
    s->state = STATUS_FAILED;
    free(s->message);
    s->message = xstrdup("ended without reporting a status (killed?)");
}

void step_status_read(step_status *out, const config *c, const step *s)
{
    char *path = step_file(c, s, "json"), *log = step_file(c, s, "log");
    json_t *o = path_exists(path) ? json_load_file(path, 0, NULL) : NULL;
    *out = (step_status){.state = state_of(o), .message = text_of(o, "message"), .unit = text_of(o, "unit")};
    out->done = number_of(o, "done", 0);
    out->total = number_of(o, "total", 0);
    out->rate = number_of(o, "rate", 0);
    out->left = number_of(o, "left_s", -1);
    out->seconds = number_of(o, "seconds", 0);
    out->job = job_of(o);
    out->uid = o ? owner_of(path) : -1;
    if (out->state == STATUS_RUNNING && is_gone(o)) step_status_killed(out);
    if (out->state != STATUS_RUNNING) read_failure(out, c, s);
    if (path_exists(log))
        out->log = log;
    else
        free(log);
    json_decref(o);
    free(path);
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
