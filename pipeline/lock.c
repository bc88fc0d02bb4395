/* lock.c -- one run at a time in a work folder, over hosts too: a file made by link(2), which is atomic on network file systems. */
#include "driver.h"

#include "micon/log.h"
#include "micon/mem.h"
#include "micon/num.h"
#include "micon/path.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

typedef struct {
    names field; /* host, pid, start of the process, user, since, command */
} holder;
enum { F_HOST, F_PID, F_START, F_USER, F_SINCE, F_COMMAND, N_FIELDS };

/* When process `pid` began, in clock ticks since boot, "" if it is gone: tells a process from a later one of the same number. */
static void process_birth(long pid, char *out, size_t size)
{
    char path[64], *data = NULL;
    size_t n = 0;
    *out = '\0';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (path_read(path, &data, &n, 1 << 16) != OK) {
        msg_clear();
        return;
    }
    const char *p = strrchr(data, ')');
    if (p && p[1] == ' ' && p[2] != 'Z') { /* what has ended and was not waited for is gone */
        for (int i = 0; i < 20 && p; i++) p = strchr(p + 1, ' ');
        if (p) snprintf(out, size, "%.*s", (int)strcspn(p + 1, " "), p + 1);
    }
    free(data);
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

static bool is_dead(const holder *h)
{
    char host[256] = "", birth[64];
    int64_t pid;
    gethostname(host, sizeof host - 1);
    if (strcmp(h->field.item[F_HOST], host) != 0 || !num_i64(h->field.item[F_PID], &pid)) return false;
    process_birth((long)pid, birth, sizeof birth);
    return strcmp(birth, h->field.item[F_START]) != 0;
}

static void describe(const holder *h, text *out)
{
    char user[64], host[128], command[400];
    text_addf(out, "%s on %s (process %s) since %s: %s", text_show(user, sizeof user, h->field.item[F_USER]),
              text_show(host, sizeof host, h->field.item[F_HOST]), h->field.item[F_PID], h->field.item[F_SINCE],
              text_show(command, sizeof command, h->field.item[F_COMMAND]));
}

static char *our_entry(const call *c)
{
    char host[256] = "", birth[64], since[64] = "", shown[400];
    struct passwd *pw = getpwuid(geteuid());
    time_t now = time(NULL);
    struct tm tm;
    gethostname(host, sizeof host - 1);
    process_birth((long)getpid(), birth, sizeof birth);
    if (localtime_r(&now, &tm)) strftime(since, sizeof since, "%Y-%m-%d %H:%M", &tm);
    text_show(shown, sizeof shown, c->again);
    return xasprintf("%s\n%ld\n%s\n%s\n%s\nmicon %s %s\n", host, (long)getpid(), birth, pw ? pw->pw_name : "?", since, c->name, shown);
}

/* screen.group: the work folder and what is made in it belong to that group, which may write. */
static status share(const config *c, const char *work)
{
    if (!*c->screen.group) return OK;
    struct group *g = getgrnam(c->screen.group);
    struct stat sb;
    if (!g) return fail(E_USAGE, "%s: screen.group: there is no group '%s' here", c->path, c->screen.group);
    umask(umask(0) & ~(mode_t)S_IRWXG);
    if (stat(work, &sb) != 0) return fail(E_IO, "%s: %s", work, strerror(errno));
    if (sb.st_uid != geteuid() || (sb.st_gid == g->gr_gid && sb.st_mode & S_ISGID)) return OK; /* done, or another one's to do */
    if (chown(work, (uid_t)-1, g->gr_gid) != 0 || chmod(work, (sb.st_mode & 07777) | S_IRWXG | S_ISGID) != 0)
        return fail(E_IO, "%s: cannot be given to the group '%s': %s", work, c->screen.group, strerror(errno));
    return OK;
}

/* Move a dead run's lock away, and only that one: another run may have done so a moment ago. */
static void take_away(const char *path, const holder *dead)
{
    char *aside = xasprintf("%s.gone-%ld", path, (long)getpid());
    holder now;
    if (rename(path, aside) == 0) {
        if (read_holder(aside, &now)) {
            bool same = strcmp(now.field.item[F_PID], dead->field.item[F_PID]) == 0 &&
                        strcmp(now.field.item[F_START], dead->field.item[F_START]) == 0;
            if (!same && link(aside, path) != 0) log_warn("%s: %s", path, strerror(errno));
            names_free(&now.field);
        }
        unlink(aside);
    }
    free(aside);
}

static status refuse(const char *path, const holder *h)
{
    text who = {0};
    describe(h, &who);
    status st = fail(E_FAILED, "another run is active in this work folder: %s. If that is over, remove %s", text_str(&who), path);
    text_free(&who);
    return st;
}

status lock_take(work_lock *l, const call *c)
{
    status st = OK;
    char *work = config_work(&c->cfg, ""), *dir = config_work(&c->cfg, "status"), *entry = NULL, *mine = NULL;
    bool got = false;
    l->path = NULL;
    TRY(fail_within(path_make_dirs(work), "screen.work"));
    TRY(share(&c->cfg, work));
    TRY(path_make_dirs(dir));
    char *path = path_join(dir, "lock");
    entry = our_entry(c);
    mine = xasprintf("%s.%ld", path, (long)getpid());
    st = fail_within(path_write(mine, entry, strlen(entry)), "the work folder cannot be written");
    for (int tries = 0; st == OK && !got && tries < 3; tries++) {
        holder h;
        got = link(mine, path) == 0;
        if (!got && errno != EEXIST) st = fail(E_IO, "%s: %s", path, strerror(errno));
        if (got || st != OK || !read_holder(path, &h)) continue;
        if (is_dead(&h)) {
            log_info("a run of process %s on this host ended without unlocking: going on in its place", h.field.item[F_PID]);
            take_away(path, &h);
        } else {
            st = refuse(path, &h);
        }
        names_free(&h.field);
    }
    if (st == OK && !got) st = fail(E_FAILED, "%s cannot be read; if no run is active here, remove it", path);
    unlink(mine);
    if (got)
        l->path = path;
    else
        free(path);
done:
    free(mine);
    free(entry);
    free(work);
    free(dir);
    return st;
}

void lock_release(work_lock *l)
{
    if (l->path) unlink(l->path);
    FREE(l->path);
}

bool lock_holder(const config *c, text *who)
{
    char *path = config_work(c, "status/lock");
    holder h;
    bool active = path_exists(path) && read_holder(path, &h);
    if (active) {
        active = !is_dead(&h);
        if (active) describe(&h, who);
        names_free(&h.field);
    }
    free(path);
    return active;
}
