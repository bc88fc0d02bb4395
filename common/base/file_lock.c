/* file_lock.c -- locks that work over hosts. The file holds a line each: host, process, its start, user, since when, what it does, and the
 * time to the nanosecond. */
#include "micon/base/file_lock.h"

#include "micon/base/clock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct file_lock {
    char *path, *entry; /* is what stands at `path` still ours? Not told by the inode: its number may be given out again */
    bool beats, stop;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
};

typedef struct {
    names field;
} holder;
enum { F_HOST, F_PID, F_START, F_USER, F_SINCE, F_COMMAND, N_FIELDS };

/* When process `pid` began, in clock ticks since boot, "" if it has ended: tells a process from a later one of the same number. False: it
 * cannot be seen. */
static bool process_birth(long pid, char *out, size_t size)
{
    char path[64], *data = NULL;
    size_t n = 0;
    *out = '\0';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (path_read(path, &data, &n, 1 << 16) != OK) {
        msg_clear();
        return false;
    }
    const char *p = strrchr(data, ')');
    if (p && p[1] == ' ' && p[2] != 'Z') { /* what has ended and was not waited for is gone */
        for (int i = 0; i < 20 && p; i++) p = strchr(p + 1, ' ');
        if (p) snprintf(out, size, "%.*s", (int)strcspn(p + 1, " "), p + 1);
    }
    free(data);
    return true;
}

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
    if (h->field.n >= N_FIELDS) return true;
    names_free(&h->field);
    return false;
}

static bool is_of_this_host(const holder *h)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    return strcmp(h->field.item[F_HOST], host) == 0;
}

static bool is_dead(const holder *h)
{
    char birth[64];
    int64_t pid;
    if (!is_of_this_host(h) || !num_i64(h->field.item[F_PID], &pid)) return false;
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return true;
    /* Where /proc hides other people's processes, nothing is known but that one of this number runs. */
    return process_birth((long)pid, birth, sizeof birth) && strcmp(birth, h->field.item[F_START]) != 0;
}

/* Of another host, and not touched for long. `mine` was just written: its time is the file system's now. */
static bool is_silent(const char *path, const char *mine, const holder *h)
{
    int64_t size, then, now;
    if (is_of_this_host(h)) return false;
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

static char *our_entry(const char *what)
{
    char host[256] = "", birth[64], since[64] = "", shown[400];
    struct passwd *pw = getpwuid(geteuid());
    time_t now = time(NULL);
    struct timespec ns;
    struct tm tm;
    gethostname(host, sizeof host - 1);
    process_birth((long)getpid(), birth, sizeof birth);
    if (localtime_r(&now, &tm)) strftime(since, sizeof since, "%Y-%m-%d %H:%M", &tm);
    text_show(shown, sizeof shown, what);
    clock_gettime(CLOCK_REALTIME, &ns); /* no two entries are the same */
    return xasprintf("%s\n%ld\n%s\n%s\n%s\n%s\n%lld.%09ld\n", host, (long)getpid(), birth, pw ? pw->pw_name : "?", since, shown,
                     (long long)ns.tv_sec, ns.tv_nsec);
}

/* Move a stale lock away, and only that one: another process may have done so a moment ago. */
static void take_away(const char *path, const holder *stale)
{
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    char *aside = xasprintf("%s.gone-%s-%ld", path, host, (long)getpid());
    holder now;
    if (rename(path, aside) == 0) {
        if (read_holder(aside, &now)) {
            bool same = strcmp(now.field.item[F_HOST], stale->field.item[F_HOST]) == 0 &&
                        strcmp(now.field.item[F_PID], stale->field.item[F_PID]) == 0 &&
                        strcmp(now.field.item[F_START], stale->field.item[F_START]) == 0;
            if (!same && link(aside, path) != 0) log_warn("%s: %s", path, strerror(errno));
            names_free(&now.field);
        }
        unlink(aside);
    }
    free(aside);
}

static status refuse(const char *path, const holder *h, const file_lock_info *info)
{
    text who = {0};
    describe(h, &who);
    status st = fail(E_FAILED, "%s: %s. If that is over, remove %s", info->busy, text_str(&who), path);
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

/* A link that the server made can be reported as failed (its answer got lost): the number of links has the last word. */
static bool try_link(const char *mine, const char *path, int *why)
{
    struct stat sb;
    *why = link(mine, path) == 0 ? 0 : errno;
    return *why == 0 || (stat(mine, &sb) == 0 && sb.st_nlink == 2);
}

/* One look: *got, or whether to look again. */
static status look(const char *path, const char *mine, const file_lock_info *info, double since, bool *got, bool *told)
{
    status st = OK;
    int why;
    holder h;
    *got = try_link(mine, path, &why);
    if (*got) return OK;
    if (why != EEXIST) return fail(E_IO, "%s: %s", path, strerror(why));
    if (!read_holder(path, &h)) { /* gone since, or no lock of ours */
        if (path_exists(path) && clock_s() - since > 2)
            return fail(E_FAILED, "%s cannot be read; if no run is active here, remove it", path);
    } else {
        bool dead = is_dead(&h);
        if (dead || (info->beats && is_silent(path, mine, &h))) {
            log_info(dead ? "process %s on this host ended without unlocking: going on in its place"
                          : "process %s gave no sign for ten minutes: going on in its place",
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

static file_lock *taken(const char *path, const char *entry, bool beats)
{
    file_lock *l = xcalloc(1, sizeof *l);
    l->path = xstrdup(path);
    l->entry = xstrdup(entry);
    pthread_mutex_init(&l->mutex, NULL);
    pthread_cond_init(&l->wake, NULL);
    l->beats = beats && pthread_create(&l->thread, NULL, beat, l) == 0;
    return l;
}

status file_lock_take(file_lock **out, const char *path, const file_lock_info *info)
{
    status st = OK;
    char host[256] = "", *entry = our_entry(info->what);
    gethostname(host, sizeof host - 1);
    char *mine = xasprintf("%s.%s-%ld", path, host, (long)getpid());
    bool got = false, told = false;
    double since = clock_s();
    *out = NULL;
    unlink(mine); /* of an earlier process with our number */
    TRY(path_write(mine, entry, strlen(entry)));
    while (!got) {
        TRY(look(path, mine, info, since, &got, &told));
        if (got) break;
        nanosleep(&(struct timespec){0, 50000000 + (long)getpid() % 50 * 1000000}, NULL);
        if (utimensat(AT_FDCWD, mine, NULL, 0) != 0) TRY(fail(E_IO, "%s: %s", mine, strerror(errno)));
    }
    *out = taken(path, entry, info->beats);
done:
    unlink(mine);
    free(mine);
    free(entry);
    return st;
}

bool file_lock_held(const file_lock *l)
{
    char now[4096]; /* no message is kept or lost here: it is asked on the way out of failures too */
    int fd = open(l->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return false;
    ssize_t n = read(fd, now, sizeof now);
    close(fd);
    return n == (ssize_t)strlen(l->entry) && memcmp(now, l->entry, (size_t)n) == 0;
}

void file_lock_release(file_lock **lp)
{
    file_lock *l = *lp;
    if (!l) return;
    if (l->beats) {
        pthread_mutex_lock(&l->mutex);
        l->stop = true;
        pthread_cond_signal(&l->wake);
        pthread_mutex_unlock(&l->mutex);
        pthread_join(l->thread, NULL);
    }
    if (file_lock_held(l)) unlink(l->path);
    pthread_cond_destroy(&l->wake);
    pthread_mutex_destroy(&l->mutex);
    free(l->path);
    free(l->entry);
    FREE(*lp);
}

bool file_lock_holder(const char *path, text *who)
{
    holder h;
    bool active = path_exists(path) && read_holder(path, &h);
    if (active) {
        active = !is_dead(&h);
        if (active) describe(&h, who);
        names_free(&h.field);
    }
    return active;
}
