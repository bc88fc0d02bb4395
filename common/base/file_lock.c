/* file_lock.c -- lock files that work across hosts. The file has one line for each of: host, process, its start, user, start of the lock,
 * command, the time in nanoseconds, machine, boot, PID namespace, and whether the holder also has the kernel's lock on the file. */
#define _GNU_SOURCE /* F_OFD_SETLK */
#include "micon/base/file_lock.h"

#include "micon/base/clock.h"
#include "micon/base/identity.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct file_lock {
    char *path, *entry; /* entry: what we wrote. It tells whether the file at `path` is still ours; an inode number may be reused */
    int fd;             /* open as long as we hold the kernel's lock */
    bool beats, stop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

typedef struct {
    names field;
} holder;
/* Versions before 0.2 wrote only the first six of these; missing ones are "". */
enum { F_HOST, F_PID, F_START, F_USER, F_SINCE, F_COMMAND, N_FIELDS, F_TIME = N_FIELDS, F_MACHINE, F_BOOT, F_SPACE, F_KERNEL, N_KNOWN };

static bool read_holder(const char *path, holder *h)
{
    char *data = NULL;
    size_t n = 0;
    *h = (holder){{0}};
    if (path_read(path, &data, &n, 1 << 16) != OK) {
        msg_clear();
        return false;
    }
    names_split(&h->field, data, '\n');
    free(data);
    if (h->field.n >= N_FIELDS) {
        while (h->field.n < N_KNOWN) names_add(&h->field, "");
        return true;
    }
    names_free(&h->field);
    return false;
}

static bool is(const holder *h, int field, const char *mine)
{
    return *mine && strcmp(h->field.item[field], mine) == 0;
}

/* Does a process hold the kernel's lock on the file? That lock ends with its holder, in whichever container it ran. Returns false where
 * the file system has no such locks. */
static bool kernel_says(const char *path, bool *held)
{
    struct flock l = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    bool told = fcntl(fd, F_OFD_GETLK, &l) == 0;
    close(fd);
    *held = l.l_type != F_UNLCK;
    return told;
}

/* Did this machine boot after the lock was written? */
static bool is_of_an_earlier_boot(const char *path, const holder *h, const identity *me)
{
    struct timespec now, up;
    int64_t size, then;
    if (!is(h, F_HOST, me->host) || !is(h, F_MACHINE, me->machine) || clock_gettime(CLOCK_REALTIME, &now) != 0 ||
        clock_gettime(CLOCK_BOOTTIME, &up) != 0)
        return false;
    if (path_stat(path, &size, &then) == OK) return then / 1000000000 < (int64_t)(now.tv_sec - up.tv_sec) - 1;
    msg_clear();
    return false;
}

typedef enum { ALIVE, DEAD, UNKNOWN } life;

/* What this process can find out about a holder. Under one kernel, the kernel's lock decides. Process numbers can be compared within one
 * PID namespace. For any other holder only the heartbeat tells. */
static life judge(const char *path, const holder *h)
{
    const identity *me = identity_mine();
    bool held, old = !*h->field.item[F_BOOT];
    if (is(h, F_BOOT, me->boot) && is(h, F_KERNEL, "locked") && kernel_says(path, &held)) return held ? ALIVE : DEAD;
    if (old ? is(h, F_HOST, me->host) : is(h, F_SPACE, me->space)) {
        int64_t pid;
        if (!num_i64(h->field.item[F_PID], &pid)) return UNKNOWN;
        return identity_is_dead((long)pid, h->field.item[F_START]) ? DEAD : ALIVE;
    }
    return !old && !is(h, F_BOOT, me->boot) && is_of_an_earlier_boot(path, h, me) ? DEAD : UNKNOWN;
}

/* Was the lock not touched for long? `mine` was just written, so its time is the file system's current time. */
static bool is_silent(const char *path, const char *mine)
{
    int64_t size, then, now;
    if (path_stat(path, &size, &then) == OK && path_stat(mine, &size, &now) == OK)
        return now - then > FILE_LOCK_STALE_S * (int64_t)1000000000;
    msg_clear();
    return false;
}

static void describe(const holder *h, text *out)
{
    char user[64], host[128], command[400];
    text_addf(out, "%s on %s (process %s) since %s: %s", text_show(user, sizeof user, h->field.item[F_USER]),
              text_show(host, sizeof host, h->field.item[F_HOST]), h->field.item[F_PID], h->field.item[F_SINCE],
              text_show(command, sizeof command, h->field.item[F_COMMAND]));
}

static char *our_entry(const char *what, bool locked)
{
    char birth[64], since[64] = "", shown[400];
    const identity *me = identity_mine();
    struct passwd *pw = getpwuid(geteuid());
    time_t now = time(NULL);
    struct timespec ns;
    struct tm tm;
    identity_birth((long)getpid(), birth, sizeof birth);
    if (localtime_r(&now, &tm)) strftime(since, sizeof since, "%Y-%m-%d %H:%M", &tm);
    text_show(shown, sizeof shown, what);
    clock_gettime(CLOCK_REALTIME, &ns); /* makes every entry unique */
    return xasprintf("%s\n%ld\n%s\n%s\n%s\n%s\n%lld.%09ld\n%s\n%s\n%s\n%s\n", me->host, (long)getpid(), birth, pw ? pw->pw_name : "?",
                     since, shown, (long long)ns.tv_sec, ns.tv_nsec, me->machine, me->boot, me->space, locked ? "locked" : "");
}

/* Write our entry to a file of its own, and take the kernel's lock on it where the file system has such locks. */
static status write_mine(file_lock *l, const char *mine, const char *what)
{
    struct flock k = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    l->fd = open(mine, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (l->fd < 0) return fail(E_IO, "%s: %s", mine, strerror(errno));
    l->entry = our_entry(what, fcntl(l->fd, F_OFD_SETLK, &k) == 0);
    size_t n = strlen(l->entry);
    if (write(l->fd, l->entry, n) != (ssize_t)n || (fsync(l->fd) != 0 && errno != EINVAL))
        return fail(E_IO, "%s: %s", mine, strerror(errno));
    return OK;
}

/* Remove a stale lock, but only that one: another process may have removed it a moment ago and taken the lock. */
static void take_away(const char *path, const holder *stale)
{
    char *own = path_part(path), *aside = xasprintf("%s.gone", own);
    holder now;
    if (rename(path, aside) == 0) {
        if (read_holder(aside, &now)) {
            bool same = true;
            for (int i = 0; i < N_KNOWN; i++) same = same && strcmp(now.field.item[i], stale->field.item[i]) == 0;
            if (!same && link(aside, path) != 0) log_warn("%s: %s", path, strerror(errno));
            names_free(&now.field);
        }
        unlink(aside);
    }
    free(aside);
    free(own);
}

static status refuse(const char *path, const holder *h, const file_lock_info *info)
{
    text who = {0};
    describe(h, &who);
    status st = fail(E_FAILED, "%s: %s. If it has ended, remove %s", info->busy, text_str(&who), path);
    text_free(&who);
    return st;
}

static void say_waiting(const holder *h, const file_lock_info *info)
{
    text who = {0};
    describe(h, &who);
    log_info("%s: %s. Waiting for it", info->busy, text_str(&who));
    text_free(&who);
}

/* A network file system may report a link as failed although it was made (the reply got lost): the number of links decides. */
static bool try_link(const char *mine, const char *path, int *why)
{
    struct stat sb;
    *why = link(mine, path) == 0 ? 0 : errno;
    return *why == 0 || (stat(mine, &sb) == 0 && sb.st_nlink == 2);
}

/* One attempt. *got: we hold the lock; otherwise the caller tries again. */
static status look(const char *path, const char *mine, const file_lock_info *info, double since, bool *got, bool *told)
{
    status st = OK;
    int why;
    holder h;
    *got = try_link(mine, path, &why);
    if (*got) return OK;
    if (why != EEXIST) return fail(E_IO, "%s: %s", path, strerror(why));
    if (!read_holder(path, &h)) { /* removed meanwhile, or not a lock file of ours */
        struct stat sb;
        if (lstat(path, &sb) == 0 && clock_s() - since > 2)
            return fail(E_FAILED, "%s cannot be read; if no run is active here, remove it", path);
    } else {
        life l = judge(path, &h);
        if (l == DEAD || (l == UNKNOWN && info->beats && is_silent(path, mine))) {
            log_info(l == DEAD ? "removed the stale lock of dead process %s"
                               : "removed the lock of process %s, which gave no sign for ten minutes",
                     h.field.item[F_PID]);
            take_away(path, &h);
        } else if (clock_s() - since >= info->wait_s) {
            st = refuse(path, &h, info);
        } else if (!*told) {
            say_waiting(&h, info);
            *told = true;
        }
        names_free(&h.field);
    }
    return st;
}

static void *beat(void *arg)
{
    file_lock *l = arg;
    pthread_mutex_lock(&l->mutex);
    while (!l->stop) {
        struct timespec until;
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_sec += FILE_LOCK_BEAT_S;
        pthread_cond_timedwait(&l->wake, &l->mutex, &until);
        if (!l->stop && file_lock_held(l)) utimensat(AT_FDCWD, l->path, NULL, 0);
    }
    pthread_mutex_unlock(&l->mutex);
    return NULL;
}

static void lock_free(file_lock **lp)
{
    file_lock *l = *lp;
    if (l->fd >= 0) close(l->fd);
    free(l->path);
    free(l->entry);
    FREE(*lp);
}

static void start_beat(file_lock *l)
{
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->beats = pthread_create(&l->thread, NULL, beat, l) == 0;
    if (l->beats) return;
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->mutex);
}

static void stop_beat(file_lock *l)
{
    pthread_mutex_lock(&l->mutex);
    l->stop = true;
    pthread_cond_signal(&l->wake);
    pthread_mutex_unlock(&l->mutex);
    pthread_join(l->thread, NULL);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->mutex);
}

status file_lock_take(file_lock **out, const char *path, const file_lock_info *info)
{
    status st = OK;
    char *mine = path_part(path);
    bool got = false, told = false;
    double since = clock_s();
    file_lock *l = xcalloc(1, sizeof *l);
    *out = NULL;
    l->path = xstrdup(path);
    TRY(write_mine(l, mine, info->what));
    while (!got) {
        TRY(look(path, mine, info, since, &got, &told));
        if (got) break;
        nanosleep(&(struct timespec){0, 50000000 + (long)getpid() % 50 * 1000000}, NULL);
        if (utimensat(AT_FDCWD, mine, NULL, 0) != 0) TRY(fail(E_IO, "%s: %s", mine, strerror(errno)));
    }
    path_sweep_dead_parts_of(path);
    if (info->beats) start_beat(l);
    *out = l;
    l = NULL;
done:
    unlink(mine);
    free(mine);
    if (l) lock_free(&l);
    return st;
}

bool file_lock_held(const file_lock *l)
{
    char now[4096]; /* no fail() here: called during the handling of other failures */
    int fd = open(l->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return false;
    ssize_t n = read(fd, now, sizeof now);
    close(fd);
    return n == (ssize_t)strlen(l->entry) && memcmp(now, l->entry, (size_t)n) == 0;
}

void file_lock_release(file_lock **lp)
{
    file_lock *l = *lp;
    if (!l) return;
    if (l->beats) stop_beat(l);
    if (file_lock_held(l)) unlink(l->path);
    lock_free(lp);
}

bool file_lock_holder(const char *path, text *who)
{
    holder h;
    bool active = path_exists(path) && read_holder(path, &h);
    if (active) {
        active = judge(path, &h) != DEAD;
        if (active) describe(&h, who);
        names_free(&h.field);
    }
    return active;
}
