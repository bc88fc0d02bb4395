/* process.c -- programs started by argument vector, never through a shell. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t stops;

static void on_stop(int sig)
{
    (void)sig;
    stops++;
}

void stop_catch(void)
{
    static const int asks[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction a = {.sa_handler = on_stop}, old;
    sigemptyset(&a.sa_mask);
    for (size_t i = 0; i < sizeof asks / sizeof *asks; i++)
        if (sigaction(asks[i], NULL, &old) != 0 || old.sa_handler != SIG_IGN) sigaction(asks[i], &a, NULL); /* nohup: not SIGHUP */
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* ranks whose mpirun is gone become our children: process_end_all */
}

int stop_asked(void)
{
    return (int)stops;
}

int64_t process_cores(void)
{
    cpu_set_t set;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    if (sched_getaffinity(0, sizeof set, &set) == 0) n = CPU_COUNT(&set);
    return n > 0 ? n : 1;
}

const char *process_last_line(char *output)
{
    size_t n = strlen(output);
    while (n && output[n - 1] == '\n') output[--n] = '\0';
    const char *line = strrchr(output, '\n');
    return line ? line + 1 : output;
}

status process_find(const char *program, char **path)
{
    status st = E_FAILED;
    names dirs = {0};
    *path = NULL;
    if (strchr(program, '/')) {
        if (access(program, X_OK) == 0) *path = xstrdup(program);
    } else {
        const char *all = getenv("PATH");
        names_split(&dirs, all ? all : "/usr/bin:/bin", ':');
        for (size_t i = 0; i < dirs.n && !*path; i++) {
            char *p = path_join(dirs.item[i], program);
            if (*dirs.item[i] && access(p, X_OK) == 0 && !path_is_dir(p))
                *path = p;
            else
                free(p);
        }
    }
    st = *path ? OK : fail(E_FAILED, "%s is not installed here, or not on PATH", program);
    names_free(&dirs);
    return st;
}

/* In the child: what goes wrong before exec is told through the pipe. */
static void become(char *const *argv, char *const *env, int out, int err_pipe, pid_t parent)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) _exit(127);
    int null = open("/dev/null", O_RDONLY);
    if (null >= 0) dup2(null, 0);
    if (out >= 0) {
        dup2(out, 1);
        dup2(out, 2);
    }
    for (; env && *env; env++) putenv(*env);
    for (int s = 1; s < 32; s++)
        if (s != SIGKILL && s != SIGSTOP && s != SIGHUP) signal(s, SIG_DFL); /* SIGHUP: our handler ends here, nohup's word stays */
    execvp(argv[0], argv);
    int why = errno;
    if (write(err_pipe, &why, sizeof why) < 0) _exit(126);
    _exit(127);
}

static status start(process *p, char *const *argv, char *const *env, int out)
{
    int told[2], why = 0;
    *p = (process){.pid = -1};
    if (pipe(told) != 0) return fail(E_IO, "pipe: %s", strerror(errno));
    fcntl(told[0], F_SETFD, FD_CLOEXEC);
    fcntl(told[1], F_SETFD, FD_CLOEXEC);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) become(argv, env, out, told[1], parent);
    int fork_errno = errno;
    close(told[1]);
    if (pid < 0) {
        close(told[0]);
        return fail(E_IO, "cannot start %s: %s", argv[0], strerror(fork_errno));
    }
    ssize_t got;
    while ((got = read(told[0], &why, sizeof why)) < 0 && errno == EINTR) continue;
    close(told[0]);
    if (got > 0) {
        waitpid(pid, NULL, 0);
        return fail(E_FAILED, "cannot start %s: %s", argv[0], strerror(why));
    }
    p->pid = pid;
    return OK;
}

status process_start(process *p, char *const *argv, char *const *env, const char *log)
{
    int fd = -1;
    if (log && (fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666)) < 0) return fail(E_IO, "%s: %s", log, strerror(errno));
    status st = start(p, argv, env, fd);
    if (fd >= 0) close(fd);
    return st;
}

bool process_ended(process *p, bool wait_for_it)
{
    int how;
    pid_t got;
    if (p->pid <= 0) return true;
    do got = waitpid(p->pid, &how, wait_for_it ? 0 : WNOHANG);
    while (got < 0 && errno == EINTR && !wait_for_it);
    if (got == 0 || (got < 0 && errno == EINTR)) return false;
    p->exit = got < 0 ? 127 : WIFSIGNALED(how) ? 128 + WTERMSIG(how) : WEXITSTATUS(how);
    p->pid = -1;
    return true;
}

void process_signal(const process *p, int sig)
{
    if (p->pid > 0) kill(sig == SIGKILL ? -p->pid : p->pid, sig);
}

/* Kill the children of a process; how many there were. */
static int kill_children(pid_t pid)
{
    char path[64];
    int child, n = 0;
    snprintf(path, sizeof path, "/proc/%ld/task/%ld/children", (long)pid, (long)pid);
    FILE *f = fopen(path, "r");
    if (!f) return 0;
    while (fscanf(f, "%d", &child) == 1) n += kill(child, SIGKILL) == 0;
    fclose(f);
    return n;
}

void process_kill_ranks(const process *p)
{
    if (p->pid > 0 && kill_children(p->pid) == 0) process_signal(p, SIGKILL);
}

void process_end_all(void)
{
    enum { LOOKS = 100 };
    for (int i = 0; i < LOOKS; i++) {
        kill_children(getpid());
        pid_t got;
        while ((got = waitpid(-1, NULL, WNOHANG)) > 0) continue;
        if (got < 0) return;
        struct timespec pause = {0, 20000000L};
        nanosleep(&pause, NULL);
    }
}

status process_capture(char *const *argv, char **output, int *exit_status)
{
    enum { MAX_OUTPUT = 16 << 20 };
    status st = OK;
    process p = {.pid = -1};
    text t = {0};
    char buf[8192];
    int fd[2] = {-1, -1};
    ssize_t got;
    *output = NULL;
    if (pipe(fd) != 0) TRY(fail(E_IO, "pipe: %s", strerror(errno)));
    fcntl(fd[0], F_SETFD, FD_CLOEXEC);
    fcntl(fd[1], F_SETFD, FD_CLOEXEC);
    TRY(start(&p, argv, NULL, fd[1]));
    close(fd[1]);
    fd[1] = -1;
    while ((got = read(fd[0], buf, sizeof buf)) != 0) {
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) break;
        if (t.n < MAX_OUTPUT) text_addn(&t, buf, (size_t)got);
    }
    while (!process_ended(&p, true)) continue;
    *exit_status = p.exit;
    *output = xstrdup(text_str(&t));
done:
    if (fd[0] >= 0) close(fd[0]);
    if (fd[1] >= 0) close(fd[1]);
    text_free(&t);
    return st;
}
