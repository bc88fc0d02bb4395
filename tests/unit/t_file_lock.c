#define _GNU_SOURCE /* unshare */
/* t_file_lock.c -- locks over processes and hosts: one holder, what is stale, the beat. run: limit=60 */
#include "../tap.h"
#include "micon/base/file_lock.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char path[4096];

static file_lock *take(double wait_s, bool beats, status *st)
{
    file_lock *l = NULL;
    const file_lock_info info = {.what = "testing", .busy = "it is taken", .wait_s = wait_s, .beats = beats};
    *st = file_lock_take(&l, path, &info);
    return l;
}

static void set_time(long seconds_ago)
{
    const struct timespec then[2] = {{time(NULL) - seconds_ago, 0}, {time(NULL) - seconds_ago, 0}};
    utimensat(AT_FDCWD, path, then, 0);
}

static void write_entry(const char *host, pid_t pid, const char *birth)
{
    text t = {0};
    text_addf(&t, "%s\n%ld\n%s\nsomeone\n2026-01-01 00:00\ntesting\n", host, (long)pid, birth);
    ok(path_write(path, text_str(&t), t.n) == OK, "an entry is written");
    text_free(&t);
}

static void test_one_holder(void)
{
    status st;
    text who = {0};
    file_lock *l = take(0, false, &st), *second;
    ok(st == OK && file_lock_held(l), "taken");
    ok(file_lock_holder(path, &who) && strstr(text_str(&who), "testing"), "who holds it");
    second = take(0, false, &st);
    ok(st == E_FAILED && !second && strstr(msg_get(), "it is taken: ") && strstr(msg_get(), "If it has ended, remove "),
       "refused, with who");
    msg_clear();
    unlink(path);
    ok(!file_lock_held(l), "a lock that was removed is not held");
    second = take(0, false, &st);
    ok(st == OK, "somebody else may take it then");
    file_lock_release(&l);
    ok(!l && file_lock_held(second), "which the first one leaves alone");
    file_lock_release(&second);
    ok(!path_exists(path), "released");
    text_clear(&who);
    ok(!file_lock_holder(path, &who), "nobody holds it");
    text_free(&who);
}

/* Children add one to a number in a file, many times, each reading and writing it back: no addition may get lost. */
static void test_many(const char *dir)
{
    enum { CHILDREN = 4, TIMES = 10 };
    char *file = path_join(dir, "number"), *data = NULL;
    size_t n;
    int bad = 0, how;
    ok(path_write(file, "0", 1) == OK, "a number");
    for (int c = 0; c < CHILDREN; c++) {
        if (fork() != 0) continue;
        for (int i = 0; i < TIMES; i++) {
            status st;
            char digits[16];
            file_lock *l = take(60, i % 2, &st);
            if (st != OK || path_read(file, &data, &n, 16) != OK) _exit(1);
            snprintf(digits, sizeof digits, "%d", atoi(data) + 1);
            nanosleep(&(struct timespec){0, 1000000}, NULL);
            if (path_write(file, digits, strlen(digits)) != OK) _exit(1);
            free(data);
            file_lock_release(&l);
        }
        _exit(0);
    }
    while (wait(&how) > 0) bad += how != 0;
    ok(bad == 0, "every child had its turns");
    ok(path_read(file, &data, &n, 16) == OK && atoi(data) == CHILDREN * TIMES, "no addition was lost");
    free(data);
    free(file);
}

static void test_stale(void)
{
    status st;
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    write_entry(host, getpid(), "1"); /* our number, but a process that began at another time */
    file_lock *l = take(0, false, &st);
    ok(st == OK, "of a dead process of this host: taken over");
    file_lock_release(&l);
    write_entry("elsewhere", getpid(), "1");
    set_time(10 * FILE_LOCK_STALE_S);
    l = take(0, false, &st);
    ok(st == E_FAILED, "of another host, and silent, where locks do not beat: refused");
    msg_clear();
    set_time(FILE_LOCK_STALE_S - 60);
    l = take(0, true, &st);
    ok(st == E_FAILED, "where they do, not silent for long enough: refused");
    msg_clear();
    set_time(FILE_LOCK_STALE_S + 60);
    l = take(0, true, &st);
    ok(st == OK, "silent for long: taken over");
    set_time(FILE_LOCK_STALE_S);
    for (int i = 0; i < 10 * (FILE_LOCK_BEAT_S + 3); i++) {
        int64_t size, mtime;
        nanosleep(&(struct timespec){0, 100000000}, NULL);
        if (path_stat(path, &size, &mtime) == OK && mtime / 1000000000 > time(NULL) - FILE_LOCK_STALE_S / 2) break;
    }
    int64_t size, mtime;
    ok(path_stat(path, &size, &mtime) == OK && mtime / 1000000000 > time(NULL) - FILE_LOCK_STALE_S / 2, "the holder touches it");
    file_lock_release(&l);
    ok(path_write(path, "", 0) == OK, "an empty lock");
    l = take(0, true, &st);
    ok(st == E_FAILED && strstr(msg_get(), "cannot be read"), "is nobody's: refused, a person has to look");
    msg_clear();
    unlink(path);
}

/* Who takes the lock removes what others left of taking it, once they have ended. */
static void test_left(void)
{
    status st;
    char host[256] = "", dead[600], live[600];
    gethostname(host, sizeof host - 1);
    pid_t gone = fork();
    if (gone == 0) _exit(0);
    ok(gone > 0 && waitpid(gone, NULL, 0) == gone, "a process has ended");
    snprintf(dead, sizeof dead, "%s.part.%s-%ld", path, host, (long)gone);
    snprintf(live, sizeof live, "%s.part.%s-%ld", path, host, (long)getppid());
    ok(path_write(dead, "", 0) == OK && path_write(live, "", 0) == OK, "it left its own file, another process has one");
    file_lock *l = take(0, false, &st);
    ok(st == OK && !path_exists(dead) && path_exists(live), "the next holder removes that of the one that has ended");
    file_lock_release(&l);
    unlink(live);
}

enum { TAKEN, REFUSED, NOT_HIDDEN };

/* What a process that sees nothing in /proc makes of the lock. */
static int take_unseeing(void)
{
    status st;
    int how = NOT_HIDDEN;
    pid_t child = fork();
    if (child == 0) {
        if ((unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) ||
            mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 || mount("none", "/proc", "tmpfs", 0, NULL) != 0 ||
            path_exists("/proc/1"))
            _exit(NOT_HIDDEN);
        file_lock *l = take(0, false, &st);
        file_lock_release(&l);
        _exit(st == OK ? TAKEN : REFUSED);
    }
    if (child < 0 || waitpid(child, &how, 0) != child || !WIFEXITED(how)) return -1;
    return WEXITSTATUS(how);
}

/* Where /proc hides processes, a number that runs may be the holder's; one that does not run is nobody's. */
static void test_hidden(void)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    write_entry(host, getpid(), "1");
    int how = take_unseeing();
    if (how == NOT_HIDDEN) {
        tap_skip("processes that /proc hides", "no mounts of our own are allowed");
        unlink(path);
        return;
    }
    ok(how == REFUSED && path_exists(path), "of a process that runs but is hidden: refused");
    pid_t gone = fork();
    if (gone == 0) _exit(0);
    ok(gone > 0 && waitpid(gone, NULL, 0) == gone, "a process has ended");
    write_entry(host, gone, "1");
    ok(take_unseeing() == TAKEN, "of one that has ended: taken over");
    unlink(path);
}

/* A holder in a PID namespace of its own, as in a container with the host's name: the same number may live here or not, the lock is
 * alive. */
static void test_container(void)
{
    status st;
    int told[2], end[2], how;
    char c;
    ok(pipe(told) == 0 && pipe(end) == 0, "pipes");
    pid_t child = fork();
    if (child == 0) {
        close(end[1]);
        if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) _exit(NOT_HIDDEN);
        pid_t inner = fork(); /* number 1 there */
        if (inner == 0) {
            file_lock *l = take(0, false, &st);
            if (write(told[1], l ? "y" : "n", 1) != 1 || read(end[0], &c, 1) < 0) _exit(1);
            _exit(0); /* without releasing: killed, in effect */
        }
        close(told[1]);
        _exit(waitpid(inner, &how, 0) == inner && how == 0 ? 0 : 1);
    }
    close(told[1]), close(end[0]);
    if (read(told[0], &c, 1) != 1) {
        tap_skip("a holder in another PID namespace", "no namespaces of our own are allowed");
    } else {
        ok(c == 'y', "a lock is taken in another PID namespace");
        file_lock *l = take(0, true, &st);
        ok(st == E_FAILED && !l, "and respected here, though its process number means nothing here");
        msg_clear();
        close(end[1]), end[1] = -1;
        ok(waitpid(child, &how, 0) == child && how == 0 && path_exists(path), "its holder dies and leaves the file");
        child = -1;
        l = take(0, false, &st);
        ok(st == OK, "which is then taken over at once");
        file_lock_release(&l);
    }
    if (end[1] >= 0) close(end[1]);
    if (child > 0) waitpid(child, NULL, 0);
    close(told[0]);
    unlink(path);
}

/* What is no file of ours in the lock's place is said, and holds nobody up. */
static void test_strange(void)
{
    status st;
    text who = {0};
    ok(symlink("nowhere", path) == 0, "a dangling link in the lock's place");
    file_lock *l = take(0, true, &st);
    ok(st == E_FAILED && !l && strstr(msg_get(), "cannot be read"), "is said, not tried for ever");
    msg_clear();
    unlink(path);
    ok(mkfifo(path, 0600) == 0 && !file_lock_holder(path, &who), "nobody holds a named pipe, and asking does not wait");
    l = take(0, true, &st);
    ok(st == E_FAILED && !l && strstr(msg_get(), "cannot be read"), "taking it is refused");
    msg_clear();
    unlink(path);
    text_free(&who);
}

int main(void)
{
    const char *dir = tap_dir();
    snprintf(path, sizeof path, "%s/lock", dir);
    test_one_holder();
    test_many(dir);
    test_stale();
    test_left();
    test_hidden();
    test_container();
    test_strange();
    return tap_done();
}
