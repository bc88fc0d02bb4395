/* progress.c -- counts from all ranks to rank 0, and from there to the terminal and to the status file. */
#include "micon/mpi/progress.h"

#include "micon/base/clock.h"
#include "micon/base/identity.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum { SHOW_OFF, SHOW_LINES, SHOW_BAR };
enum { MARKS = 30, TAG_COUNT = 1, TAG_LAST = 2 };
#define SEND_S 0.5
#define FILE_S 1.0
#define BAR_S 0.2
#define LINE_S 10.0

typedef struct {
    double at;
    int64_t done;
} mark;

struct progress {
    MPI_Comm comm;
    int rank, size, show;
    char *stage, *name, *unit, *file;
    int64_t total, mine;
    double start, sent, filed, shown, marked;
    char start_text[32], message[300];
    bool warned;
    /* ranks but 0: the count on its way */
    MPI_Request request;
    int64_t on_way, n_sent;
    /* rank 0 */
    int64_t *of_rank, *n_got;
    mark recent[MARKS]; /* one per second, for the recent rate */
    int n_marks;
};

static void utc(char out[32])
{
    struct tm tm;
    time_t t = time(NULL);
    gmtime_r(&t, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static int what_to_show(void)
{
    const char *asked = getenv("MICON_PROGRESS");
    if (log_quiet() || (asked && strcmp(asked, "off") == 0)) return SHOW_OFF;
    if (asked && strcmp(asked, "bar") == 0) return SHOW_BAR;
    if (asked && strcmp(asked, "lines") == 0) return SHOW_LINES;
    return isatty(STDERR_FILENO) ? SHOW_BAR : SHOW_LINES;
}

/* ---- numbers ---- */

static int64_t done_of_all(const progress *p)
{
    int64_t sum = 0;
    for (int r = 0; r < p->size; r++) sum += p->of_rank[r];
    return sum;
}

/* Units a second over the last half minute; 0 while there is nothing to tell from. */
static double rate_of(const progress *p, double t, int64_t done)
{
    const mark *oldest = &p->recent[p->n_marks < MARKS ? 0 : p->n_marks % MARKS];
    double span = t - oldest->at;
    return p->n_marks && span > 0.05 && done > oldest->done ? (double)(done - oldest->done) / span : 0;
}

static void take_mark(progress *p, double t, int64_t done)
{
    if (p->n_marks && t - p->marked < 1) return;
    p->recent[p->n_marks++ % MARKS] = (mark){t, done};
    if (p->n_marks == 2 * MARKS) p->n_marks = MARKS;
    p->marked = t;
}

static double left_of(const progress *p, double rate, int64_t done)
{
    return p->total > 0 && rate > 0 ? (double)(p->total > done ? p->total - done : 0) / rate : -1;
}

/* ---- showing ---- */

static void describe(const progress *p, int64_t done, double rate, text *out)
{
    char left[32];
    double left_s = left_of(p, rate, done);
    if (p->total > 0)
        text_addf(out, "%lld of %lld %s", (long long)done, (long long)p->total, p->unit);
    else
        text_addf(out, "%lld %s", (long long)done, p->unit);
    if (rate > 0) text_addf(out, ", %.3g a second", rate);
    if (left_s >= 0) text_addf(out, ", %s left", num_show_time(left, sizeof left, left_s));
    if (*p->message) text_addf(out, ", %s", p->message);
}

static int columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 20 ? w.ws_col : 80;
}

/* "[#####.....] 120 of 345 sites, 12.3 a second, 3 min left", never wider than the terminal. */
static void show_bar(const progress *p, const text *what)
{
    enum { CELLS = 20 };
    char line[500];
    int width = columns() - 1, full = p->total > 0 ? (int)(CELLS * done_of_all(p) / p->total) : 0;
    if (full > CELLS) full = CELLS;
    int n = snprintf(line, sizeof line, "%s [%.*s%.*s] %s", p->name, full, "####################", CELLS - full, "....................",
                     text_str(what));
    if (n > width && width < (int)sizeof line) {
        while (width > 0 && ((unsigned char)line[width] & 0xC0) == 0x80) width--; /* not within a character */
        line[width] = '\0';
    }
    log_bar(line);
}

static void show(progress *p, double t, int64_t done, double rate)
{
    text what = {0};
    if (p->show == SHOW_OFF || t - p->shown < (p->show == SHOW_BAR ? BAR_S : LINE_S)) return;
    p->shown = t;
    describe(p, done, rate, &what);
    if (p->show == SHOW_BAR)
        show_bar(p, &what);
    else
        log_info("%s: %s", p->name, text_str(&what));
    text_free(&what);
}

/* ---- the status file ---- */

static void add_text(text *out, const char *key, const char *value)
{
    text_addf(out, "  \"%s\": ", key);
    if (value)
        text_add_json(out, value);
    else
        text_add(out, "null");
    text_add(out, ",\n");
}

static void add_number(text *out, const char *key, double value, int digits)
{
    if (value < 0 || !isfinite(value))
        text_addf(out, "  \"%s\": null,\n", key);
    else
        text_addf(out, "  \"%s\": %.*f,\n", key, digits, value);
}

static void make_json(const progress *p, double t, int64_t done, double rate, const char *state, const char *message, status end, text *out)
{
    char birth[64], end_text[32];
    bool over = strcmp(state, "running") != 0;
    const char *array = getenv("SLURM_ARRAY_JOB_ID"), *job = array ? array : getenv("SLURM_JOB_ID");
    identity_birth((long)getpid(), birth, sizeof birth);
    utc(end_text);
    text_add(out, "{\n");
    add_text(out, "stage", p->stage);
    add_text(out, "name", p->name);
    add_text(out, "state", state);
    text_addf(out, "  \"done\": %lld,\n  \"total\": %lld,\n", (long long)done, (long long)p->total);
    add_text(out, "unit", p->unit);
    add_number(out, "rate", rate, 3);
    add_number(out, "left_s", over ? -1 : left_of(p, rate, done), 1);
    add_number(out, "seconds", t - p->start, 3);
    add_text(out, "message", message);
    add_text(out, "host", identity_mine()->host);
    add_text(out, "space", identity_mine()->space);
    add_text(out, "birth", birth);
    text_addf(out, "  \"pid\": %ld,\n  \"ranks\": %d,\n", (long)getpid(), p->size);
    add_text(out, "job", job);
    add_text(out, "task", getenv("SLURM_ARRAY_TASK_ID"));
    add_text(out, "start", p->start_text);
    add_text(out, "end", over ? end_text : NULL);
    if (over)
        text_addf(out, "  \"exit\": %d\n}\n", status_exit(end));
    else
        text_add(out, "  \"exit\": null\n}\n");
}

/* Written to a temporary name and renamed. No fsync: after a crash the status is obsolete anyway. */
static void write_file(progress *p, const text *json)
{
    char *part = path_part(p->file);
    FILE *f = fopen(part, "wb");
    bool good = f && fwrite(json->s, 1, json->n, f) == json->n;
    if (f) good = fclose(f) == 0 && good;
    good = good && rename(part, p->file) == 0;
    if (!good) {
        unlink(part);
        if (!p->warned) log_warn("%s: cannot be written; `micon status` will not know of this", p->file);
        p->warned = true;
    }
    free(part);
}

static void file_state(progress *p, double t, int64_t done, double rate, const char *state, const char *message, status end)
{
    text json = {0};
    if (!p->file) return;
    make_json(p, t, done, rate, state, message, end, &json);
    write_file(p, &json);
    p->filed = t;
    text_free(&json);
}

/* ---- counts on their way ---- */

static void take_count(progress *p, int from)
{
    MPI_Recv(&p->of_rank[from], 1, MPI_INT64_T, from, TAG_COUNT, p->comm, MPI_STATUS_IGNORE);
    p->n_got[from]++;
}

static void receive(progress *p)
{
    int there;
    MPI_Status s;
    for (;;) {
        MPI_Iprobe(MPI_ANY_SOURCE, TAG_COUNT, p->comm, &there, &s);
        if (!there) return;
        take_count(p, s.MPI_SOURCE);
    }
}

/* Each rank has at most one message in flight. */
static void send_count(progress *p, double t)
{
    int free_now = 1;
    if (t - p->sent < SEND_S) return;
    if (p->request != MPI_REQUEST_NULL) MPI_Test(&p->request, &free_now, MPI_STATUS_IGNORE);
    if (!free_now) return;
    p->on_way = p->mine;
    MPI_Isend(&p->on_way, 1, MPI_INT64_T, 0, TAG_COUNT, p->comm, &p->request);
    p->n_sent++;
    p->sent = t;
}

static void update(progress *p, double t)
{
    if (t - p->shown < BAR_S && t - p->filed < FILE_S && t - p->marked < 1) return;
    p->of_rank[0] = p->mine;
    receive(p);
    int64_t done = done_of_all(p);
    double rate = rate_of(p, t, done);
    take_mark(p, t, done);
    show(p, t, done, rate);
    if (t - p->filed >= FILE_S) file_state(p, t, done, rate, "running", p->message, OK);
}

/* ---- what others call ---- */

/* The path of the JSON file, its folder made; NULL: none is written. */
static char *prepare_file(const char *path)
{
    if (!path) return NULL;
    char *file = xstrdup(path), *dir = path_dir(path);
    if (path_make_dirs(dir) != OK) {
        log_warn("%s; `micon status` will not know of this", msg_get());
        msg_clear();
        FREE(file);
    }
    free(dir);
    return file;
}

progress *progress_start_all(MPI_Comm comm, const progress_info *info)
{
    progress *p = xcalloc(1, sizeof *p);
    MPI_Comm_dup(comm, &p->comm);
    p->rank = comm_rank(comm);
    p->size = comm_size(comm);
    p->request = MPI_REQUEST_NULL;
    p->stage = xstrdup(info->stage);
    p->name = xstrdup(info->name);
    p->unit = xstrdup(info->unit);
    p->total = info->total;
    p->start = p->sent = p->shown = clock_s();
    utc(p->start_text);
    if (p->rank != 0) return p;
    p->of_rank = xcalloc((size_t)p->size, sizeof *p->of_rank);
    p->n_got = xcalloc((size_t)p->size, sizeof *p->n_got);
    p->show = what_to_show();
    p->file = prepare_file(info->file);
    take_mark(p, p->start, 0);
    file_state(p, p->start, 0, 0, "running", "", OK);
    return p;
}

void progress_add(progress *p, int64_t n)
{
    if (!p) return;
    p->mine += n;
    if (p->rank == 0)
        update(p, clock_s());
    else
        send_count(p, clock_s());
}

void progress_say(progress *p, const char *fmt, ...)
{
    if (!p || p->rank != 0) return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(p->message, sizeof p->message, fmt, ap);
    va_end(ap);
    update(p, clock_s());
}

/* Receive all messages in flight before the communicator is freed; the final counts are exact. */
static void gather_last(progress *p)
{
    int64_t last[2] = {p->mine, p->n_sent};
    if (p->rank != 0) {
        MPI_Send(last, 2, MPI_INT64_T, 0, TAG_LAST, p->comm);
        if (p->request != MPI_REQUEST_NULL) MPI_Wait(&p->request, MPI_STATUS_IGNORE);
        return;
    }
    for (int r = 1; r < p->size; r++) {
        MPI_Recv(last, 2, MPI_INT64_T, r, TAG_LAST, p->comm, MPI_STATUS_IGNORE);
        while (p->n_got[r] < last[1]) take_count(p, r);
        p->of_rank[r] = last[0];
    }
    p->of_rank[0] = p->mine;
}

static void say_end(progress *p, status st)
{
    const char *state = st == OK ? "done" : st == E_AGAIN ? "stopped" : "failed";
    double t = clock_s(), seconds = t - p->start;
    int64_t done = done_of_all(p);
    char took[32];
    log_bar(NULL);
    if (st == OK && p->show != SHOW_OFF)
        log_info("%s: %lld %s in %s", p->name, (long long)done, p->unit, num_show_time(took, sizeof took, seconds));
    file_state(p, t, done, seconds > 0 ? (double)done / seconds : 0, state, st == OK ? p->message : msg_get(), st);
}

void progress_end_all(progress **pp, status st)
{
    progress *p = *pp;
    if (!p) return;
    gather_last(p);
    if (p->rank == 0) say_end(p, st);
    MPI_Comm_free(&p->comm);
    free(p->of_rank);
    free(p->n_got);
    free(p->stage);
    free(p->name);
    free(p->unit);
    free(p->file);
    FREE(*pp);
}
