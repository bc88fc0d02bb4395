/* t_worker.c -- the worker process: answers in spite of crashes, hangs, kills; nothing of it is left afterwards.
 * run: limit=60 */
#define _GNU_SOURCE
#include "../tap.h"
#include "micon/base/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { N = 200 };

/* What the worker does with a request: its first letter says. `seen` is shared with the worker. */
static volatile int *seen;

static size_t obey(void *arg, const void *request, size_t size, void *answer)
{
    const char *s = request;
    (void)arg;
    switch (size ? s[0] : 0) {
    case 'c':
        signal(SIGSEGV, SIG_DFL); /* not the sanitizer's slow report: it would look like a hang */
        raise(SIGSEGV);
        break;
    case 'x': _exit(3);
    case 'e': _exit(0);
    case 'a': abort();
    case 'f': /* the first time only */
        if ((*seen)++ == 0) raise(SIGKILL);
        break;
    case 'h':
        for (volatile unsigned k = 0;; k++) {
        }
    case 's':
        for (;;) pause();
    case 'b': memset(answer, 'B', WORKER_MAX_BYTES); return WORKER_MAX_BYTES;
    case 'm': { /* all the memory there is */
        for (int k = 0; k < 64; k++) {
            char *volatile p = malloc((size_t)256 << 20);
            if (!p) abort();
            p[0] = 'm';
        }
        break;
    }
    case 'p': {
        pid_t ids[2] = {getpid(), getppid()};
        memcpy(answer, ids, sizeof ids);
        return sizeof ids;
    }
    default: break;
    }
    memcpy(answer, request, size);
    return size;
}

typedef struct {
    const char **text;
    int64_t n;
    int answers[N];
    worker_end how[N];
    size_t size[N];
    char got[N][16];
    char big_first, big_last;
    pid_t kill_at_5;
} run;

static const void *request(void *ctx, int64_t i, size_t *size)
{
    run *r = ctx;
    if (i == 5 && r->kill_at_5) kill(r->kill_at_5, SIGKILL);
    *size = r->text[i] ? strlen(r->text[i]) : 0;
    return r->text[i];
}

static void answer(void *ctx, int64_t i, worker_end how, const void *data, size_t size)
{
    run *r = ctx;
    r->answers[i]++;
    r->how[i] = how;
    r->size[i] = size;
    if (data) memcpy(r->got[i], data, size < 16 ? size : 16);
    if (size == WORKER_MAX_BYTES) r->big_first = *(const char *)data, r->big_last = ((const char *)data)[size - 1];
}

static status go(worker *w, run *r, const char **text, int64_t n, double limit)
{
    *r = (run){.text = text, .n = n, .kill_at_5 = r->kill_at_5};
    return worker_run(w, &(worker_job){.n = n, .request = request, .answer = answer, .ctx = r, .limit_s = limit});
}

static void check(const run *r, const char *what)
{
    int bad = 0;
    for (int64_t i = 0; i < r->n; i++) {
        const char *t = r->text[i];
        worker_end want = !t ? WORKER_DONE : strchr("cxea", t[0]) && t[0] ? WORKER_CRASHED : t[0] == 'h' ? WORKER_TIMEOUT : WORKER_DONE;
        int good = r->answers[i] == (t != NULL) && r->how[i] == want;
        if (good && t && want == WORKER_DONE && t[0] != 'b') good = r->size[i] == strlen(t) && memcmp(r->got[i], t, strlen(t)) == 0;
        if (!good) printf("#   request %d '%s': %d answers, %d\n", (int)i, t ? t : "(none)", r->answers[i], (int)r->how[i]);
        bad += !good;
    }
    ok(bad == 0, what);
}

static void wait_gone(pid_t pid, const char *what)
{
    for (int k = 0; k < 500 && kill(pid, 0) == 0; k++) nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    /* A zombie of a process that nobody in this container waits for has no command line left. */
    char name[64], one;
    snprintf(name, sizeof name, "/proc/%d/cmdline", (int)pid);
    FILE *f = fopen(name, "r");
    ok(!f || fread(&one, 1, 1, f) == 0, what);
    if (f) fclose(f);
}

static void answers(void)
{
    static run r;
    static char many[N][8];
    const char *text[N];
    worker *w = NULL;
    ok(worker_start(&w, obey, NULL) == OK, "a worker starts");
    for (int i = 0; i < N; i++) {
        snprintf(many[i], sizeof many[i], "r%d", i);
        text[i] = i % 7 == 3 ? NULL : many[i];
    }
    ok(go(w, &r, text, N, 5) == OK, "a run");
    check(&r, "every request has its answer, those without a request have none");
    ok(worker_deaths(w) == 0, "nobody died");
    ok(go(w, &r, text, 0, 5) == OK, "a run of nothing");
    ok(go(w, &r, (const char *[]){"b", "b", "b", "b", "b", "b", "b", "b", "b", "b"}, 10, 5) == OK && r.big_first == 'B' &&
           r.big_last == 'B',
       "large answers");
    check(&r, "all of them");
    ok(go(w, &r, (const char *[]){"r", "", "r"}, 3, 5) == OK, "an empty request");
    check(&r, "has an empty answer");
    text[0] = "c", text[20] = "x", text[21] = "a", text[22] = "f", text[60] = "h", text[61] = "e", text[62] = "h", text[N - 1] = "c";
    *seen = 0;
    ok(go(w, &r, text, N, 0.4) == OK, "a run with deaths");
    check(&r, "crashes and hangs reject their request, a death that does not happen again rejects none, the others are untouched");
    ok(worker_deaths(w) == 2 * 5 + 1 + 2, "two tries for a crash, one for a hang");
    ok(go(w, &r, text + 1, 10, 5) == OK, "the worker works afterwards");
    check(&r, "with the right answers");
    ok(go(w, &r, (const char *[]){"r1", "s", "r2"}, 3, 0.5) == OK && r.how[1] == WORKER_CRASHED,
       "a sleeping worker is found by its wall time");
#ifndef __SANITIZE_ADDRESS__
    ok(go(w, &r, (const char *[]){"r1", "m", "r2"}, 3, 20) == OK && r.how[1] == WORKER_CRASHED && r.how[2] == WORKER_DONE,
       "a worker that takes all memory is stopped");
#endif
    worker_stop(&w);
    ok(!w && waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD, "no zombie");
    worker_stop(&w);
}

static void killed(void)
{
    static run r;
    worker *w = NULL;
    const char *text[N];
    for (int i = 0; i < N; i++) text[i] = "r";
    ok(worker_start(&w, obey, NULL) == OK, "a worker starts");
    ok(go(w, &r, (const char *[]){"p"}, 1, 5) == OK && r.size[0] == 2 * sizeof(pid_t), "it says who it is");
    pid_t ids[2];
    memcpy(ids, r.got[0], sizeof ids);
    ok(ids[1] == worker_keeper(w) && ids[0] != getpid(), "a child of the keeper");
    r.kill_at_5 = ids[0];
    ok(go(w, &r, text, N, 5) == OK, "the worker is killed in the middle of a run");
    check(&r, "every request has its answer");
    ok(worker_deaths(w) == 1, "one death");
    ok(go(w, &r, (const char *[]){"p"}, 1, 5) == OK, "another one works now");
    memcpy(ids, r.got[0], sizeof ids);
    r.kill_at_5 = ids[1];
    text[N - 1] = "s"; /* so that the run cannot have ended before */
    ok(go(w, &r, text, N, 5) == E_IO && strstr(msg_get(), "gone"), "the keeper is killed: an error, no hang");
    msg_clear();
    worker_stop(&w);
    wait_gone(ids[0], "the worker went with its keeper");
}

/* A process with a worker is killed: keeper and worker must go too, even out of a long computation. */
static void orphans(void)
{
    int fd[2];
    if (!ok(pipe(fd) == 0, "a pipe")) return;
    pid_t child = fork();
    if (child == 0) {
        static run r;
        worker *w = NULL;
        if (worker_start(&w, obey, NULL) != OK || go(w, &r, (const char *[]){"p"}, 1, 5) != OK) _exit(1);
        if (write(fd[1], r.got[0], 2 * sizeof(pid_t)) < 0) _exit(1);
        _exit(go(w, &r, (const char *[]){"h"}, 1, 50) == OK);
    }
    pid_t ids[2] = {0};
    ok(child > 0 && read(fd[0], ids, sizeof ids) == sizeof ids, "a process with a worker");
    nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    if (ids[0] > 0) wait_gone(ids[0], "its worker is gone");
    if (ids[1] > 0) wait_gone(ids[1], "its keeper is gone");
    close(fd[0]);
    close(fd[1]);
}

int main(void)
{
    seen = mmap(NULL, sizeof *seen, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!ok(seen != MAP_FAILED, "shared memory")) return tap_done();
    answers();
    killed();
    orphans();
    return tap_done();
}
