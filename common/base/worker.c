/* worker.c -- rank <-> worker over one SOCK_SEQPACKET pair, which keeps records whole: a worker that dies while writing leaves no
 * half record, and records not yet read wait for the next worker. The keeper holds the worker's end, so that it stays open between
 * two workers; it writes to it only while there is no worker. A page shared by the two says which request is being worked on. */
#define _GNU_SOURCE
#include "micon/base/worker.h"
#include "micon/base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature) /* clang */
#if __has_feature(address_sanitizer) && !defined(__SANITIZE_ADDRESS__)
#define __SANITIZE_ADDRESS__ 1
#endif
#endif

enum { WINDOW = 32, TRIES = 2, CLOCK_FACTOR = 10 };
enum { DIED_OF_TIME = 1, DIED, NO_FORK }; /* what the keeper reports */

/* Before every record, both ways. */
typedef struct {
    uint64_t id;   /* of the request; 0 in the keeper's words: none was being worked on */
    double limit;  /* of a request only */
    int32_t death; /* 0: an ordinary answer */
    int32_t unused;
} head;

typedef struct {
    head h;
    char data[WORKER_MAX_BYTES];
} record;

typedef struct {
    uint64_t id;
    int64_t i;
    int tries;
    size_t size;
    char *data; /* kept for the second try */
} flight;

struct worker {
    int fd;
    pid_t keeper;
    uint64_t last_id;
    int64_t deaths;
    int n; /* under way, in flight[0..n-1] */
    flight flight[WINDOW];
    record in, out;
};

/* ---- in the two processes ---- */
typedef struct {
    int fd;
    worker_fn fn;
    void *arg;
    volatile uint64_t *current;
} post;

static void limit_time(double seconds)
{
    struct itimerval cpu = {0}, clock = {0};
    cpu.it_value.tv_sec = (time_t)seconds;
    cpu.it_value.tv_usec = (suseconds_t)((seconds - (double)cpu.it_value.tv_sec) * 1e6);
    if (seconds > 0 && cpu.it_value.tv_sec == 0 && cpu.it_value.tv_usec == 0) cpu.it_value.tv_usec = 1;
    clock.it_value.tv_sec = (time_t)(seconds * CLOCK_FACTOR) + (seconds > 0);
    (void)setitimer(ITIMER_PROF, &cpu, NULL);
    (void)setitimer(ITIMER_REAL, &clock, NULL);
}

static void limit_resource(int what, rlim_t want)
{
    struct rlimit r;
    if (getrlimit((__rlimit_resource_t)what, &r) != 0) return;
    r.rlim_cur = r.rlim_max != RLIM_INFINITY && r.rlim_max < want ? r.rlim_max : want;
    (void)setrlimit((__rlimit_resource_t)what, &r);
}

/* Ends with its parent: the signal comes when the parent dies, and if it was dead before we asked, getppid says so. */
static void follow_parent(pid_t parent)
{
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(0);
}

static void set_signals(void)
{
    /* A signal from a scheduler or a user reaches the whole process group. The rank decides what to do; this process ends with it. */
    static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGPIPE};
    static const int usual[] = {SIGPROF, SIGALRM, SIGCHLD, SIGABRT};
    sigset_t none;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) (void)signal(ignored[i], SIG_IGN);
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++) (void)signal(usual[i], SIG_DFL);
    sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void drop_stdio(void)
{
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    if (fd < 0) return;
    (void)dup2(fd, 0);
    (void)dup2(fd, 1);
#ifndef __SANITIZE_ADDRESS__ /* whose reports are wanted */
    (void)dup2(fd, 2);
#endif
    if (fd > 2) (void)close(fd);
}

static __attribute__((noreturn)) void be_worker(const post *p)
{
    record *in = malloc(sizeof *in), *out = malloc(sizeof *out);
    if (!in || !out) _exit(1);
    for (;;) {
        /* Note the id before taking the record: if the worker dies in between, the record stays in the queue and its id is known. */
        ssize_t n = recv(p->fd, &in->h, sizeof in->h, MSG_PEEK);
        if (n < 0 && errno == EINTR) continue;
        if (n != (ssize_t)sizeof in->h) _exit(0); /* the rank closed its end */
        *p->current = in->h.id;
        do n = recv(p->fd, in, sizeof *in, 0);
        while (n < 0 && errno == EINTR);
        if (n < (ssize_t)sizeof in->h) _exit(0);
        out->h = (head){.id = in->h.id};
        limit_time(in->h.limit);
        size_t size = p->fn(p->arg, in->data, (size_t)n - sizeof in->h, out->data);
        limit_time(0);
        if (size > sizeof out->data) abort();
        do n = send(p->fd, out, sizeof out->h + size, MSG_NOSIGNAL);
        while (n < 0 && errno == EINTR);
        if (n < 0) _exit(0);
        *p->current = 0;
    }
}

static __attribute__((noreturn)) void be_keeper(const post *p, pid_t parent)
{
    follow_parent(parent);
    set_signals();
    drop_stdio();
    for (;;) {
        pid_t me = getpid(), child = fork();
        if (child == 0) {
            follow_parent(me);
            limit_resource(RLIMIT_CORE, 0);
            limit_resource(RLIMIT_STACK, (rlim_t)64 << 20);
#ifndef __SANITIZE_ADDRESS__
            limit_resource(RLIMIT_DATA, (rlim_t)WORKER_MAX_MEMORY);
#endif
            be_worker(p);
        }
        int how = 0;
        head h = {0};
        if (child < 0) {
            h.death = NO_FORK;
        } else {
            while (waitpid(child, &how, 0) < 0 && errno == EINTR) {
            }
            if (WIFEXITED(how) && WEXITSTATUS(how) == 0 && *p->current == 0) _exit(0);
            h.death = WIFSIGNALED(how) && WTERMSIG(how) == SIGPROF ? DIED_OF_TIME : DIED;
            h.id = *p->current;
            *p->current = 0;
        }
        while (send(p->fd, &h, sizeof h, MSG_NOSIGNAL) < 0)
            if (errno != EINTR) _exit(0);
        if (h.death == NO_FORK) _exit(1);
    }
}

status worker_start(worker **out, worker_fn fn, void *arg)
{
    int fd[2];
    *out = NULL;
    void *page = mmap(NULL, sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) return fail(E_IO, "worker: no shared memory: %s", strerror(errno));
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) != 0) {
        status st = fail(E_IO, "worker: no socket pair: %s", strerror(errno));
        (void)munmap(page, sizeof(uint64_t));
        return st;
    }
    pid_t parent = getpid(), keeper = fork();
    if (keeper == 0) {
        (void)close(fd[0]);
        be_keeper(&(post){.fd = fd[1], .fn = fn, .arg = arg, .current = page}, parent);
    }
    int why = errno;
    (void)munmap(page, sizeof(uint64_t));
    (void)close(fd[1]);
    if (keeper < 0) {
        (void)close(fd[0]);
        return fail(E_IO, "worker: cannot start a process: %s", strerror(why));
    }
    worker *w = xcalloc(1, sizeof *w);
    w->fd = fd[0];
    w->keeper = keeper;
    *out = w;
    return OK;
}

/* ---- in the rank ---- */
static status gone(void)
{
    return fail(E_IO, "the process that watches the worker is gone (killed?): run again");
}

/* *sent is false if the queue is full and `wait` is false. */
static status send_request(worker *w, const flight *f, double limit, bool wait, bool *sent)
{
    w->out.h = (head){.id = f->id, .limit = limit};
    memcpy(w->out.data, f->data, f->size);
    for (;;) {
        ssize_t n = send(w->fd, &w->out, sizeof w->out.h + f->size, MSG_NOSIGNAL | (wait ? 0 : MSG_DONTWAIT));
        *sent = n >= 0;
        if (n >= 0 || errno == EAGAIN || errno == EWOULDBLOCK) return OK;
        if (errno != EINTR) return gone();
    }
}

static void retire(worker *w, int slot)
{
    FREE(w->flight[slot].data);
    w->flight[slot] = w->flight[--w->n];
    w->flight[w->n] = (flight){0};
}

static int find(const worker *w, uint64_t id)
{
    for (int k = 0; k < w->n; k++)
        if (w->flight[k].id == id) return k;
    return -1;
}

/* Receive one record: an answer, or a report that the worker died. */
static status take_one(worker *w, const worker_job *job)
{
    ssize_t n;
    do n = recv(w->fd, &w->in, sizeof w->in, 0);
    while (n < 0 && errno == EINTR);
    if (n < (ssize_t)sizeof w->in.h) return gone();
    const head *h = &w->in.h;
    if (h->death == NO_FORK) return fail(E_IO, "cannot start a new worker process");
    w->deaths += h->death != 0;
    int slot = h->id ? find(w, h->id) : -1;
    if (slot < 0) return OK; /* died idle, or between its answer and the next request */
    flight *f = &w->flight[slot];
    if (h->death == 0) {
        job->answer(job->ctx, f->i, WORKER_DONE, w->in.data, (size_t)n - sizeof *h);
    } else if (h->death == DIED_OF_TIME) {
        job->answer(job->ctx, f->i, WORKER_TIMEOUT, NULL, 0);
    } else if (f->tries < TRIES) {
        bool sent;
        f->tries++;
        return send_request(w, f, job->limit_s, true, &sent);
    } else {
        job->answer(job->ctx, f->i, WORKER_CRASHED, NULL, 0);
    }
    retire(w, slot);
    return OK;
}

status worker_run(worker *w, const worker_job *job)
{
    status st = OK;
    int64_t next = 0;
    flight waiting = {0}; /* asked for, not yet sent */
    for (;;) {
        while (w->n < WINDOW && (waiting.data || next < job->n)) {
            if (!waiting.data) {
                size_t size = 0;
                const void *data = job->request(job->ctx, next, &size);
                if (size > WORKER_MAX_BYTES) st = fail(E_INTERNAL, "worker: a request of %zu bytes", size);
                if (st != OK) goto done;
                if (data) {
                    waiting = (flight){.id = ++w->last_id, .i = next, .tries = 1, .size = size, .data = xmalloc(size)};
                    memcpy(waiting.data, data, size);
                }
                next++;
                if (!data) continue;
            }
            bool sent;
            TRY(send_request(w, &waiting, job->limit_s, w->n == 0, &sent));
            if (!sent) break;
            w->flight[w->n++] = waiting;
            waiting = (flight){0};
        }
        if (w->n == 0) break;
        TRY(take_one(w, job));
    }
done:
    free(waiting.data);
    return st;
}

int64_t worker_deaths(const worker *w)
{
    return w->deaths;
}

pid_t worker_keeper(const worker *w)
{
    return w->keeper;
}

void worker_stop(worker **pw)
{
    worker *w = *pw;
    if (!w) return;
    if (w->n > 0) (void)kill(w->keeper, SIGKILL); /* after a failure: its worker goes with it */
    while (w->n > 0) retire(w, w->n - 1);
    (void)close(w->fd);
    while (waitpid(w->keeper, NULL, 0) < 0 && errno == EINTR) {
    }
    FREE(*pw);
}
