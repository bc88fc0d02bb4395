/* path.c -- file names and the file system. */
#include "micon/base/path.h"

#include "micon/base/identity.h"
#include "micon/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
    if (!*dir || *name == '/') return xstrdup(name);
    bool slash = dir[strlen(dir) - 1] == '/';
    return xasprintf(slash ? "%s%s" : "%s/%s", dir, name);
}

char *path_dir(const char *path)
{
    const char *slash = strrchr(path, '/');
    if (!slash) return xstrdup(".");
    return xstrndup(path, slash == path ? 1 : (size_t)(slash - path));
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

bool path_exists(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0;
}

bool path_is_dir(const char *path)
{
    struct stat sb;
    return stat(path, &sb) == 0 && S_ISDIR(sb.st_mode);
}

status path_stat(const char *path, int64_t *size, int64_t *mtime_ns)
{
    struct stat sb;
    if (stat(path, &sb) != 0) return fail(E_IO, "%s: %s", path, strerror(errno));
    *size = sb.st_size;
    *mtime_ns = (int64_t)sb.st_mtim.tv_sec * 1000000000 + sb.st_mtim.tv_nsec;
    return OK;
}

status path_make_dirs(const char *path)
{
    char *p = xstrdup(path);
    status st = OK;
    for (char *c = p + 1; st == OK; c++) {
        if (*c != '/' && *c) continue;
        char kept = *c;
        *c = '\0';
        if (mkdir(p, 0777) != 0) {
            int why = errno; /* the look at what is there changes errno */
            if (!path_is_dir(p)) st = fail(E_IO, "%s: cannot create this folder: %s", p, strerror(why));
        }
        *c = kept;
        if (!kept) break;
    }
    free(p);
    return st;
}

status path_free_bytes(const char *dir, int64_t *bytes)
{
    struct statvfs v;
    if (statvfs(dir, &v) != 0) return fail(E_IO, "%s: %s", dir, strerror(errno));
    *bytes = (int64_t)v.f_bavail * (int64_t)v.f_frsize;
    return OK;
}

/* dir itself may hold what a glob would take for its own. */
static char *glob_pattern(const char *dir, const char *pattern)
{
    text t = {0};
    for (const char *s = *pattern == '/' ? "" : dir; *s; s++) {
        if (strchr("*?[]{}~\\,", *s)) text_add(&t, "\\");
        text_addn(&t, s, 1);
    }
    if (t.n && t.s[t.n - 1] != '/') text_add(&t, "/");
    text_add(&t, pattern);
    return t.s;
}

status path_glob(names *out, const char *dir, const char *pattern)
{
    status st = OK;
    glob_t g = {0};
    if (strcmp(dir, ".") == 0) dir = "";
    char *plain = path_join(dir, pattern), *escaped = glob_pattern(dir, pattern);
    if (path_exists(plain)) {
        names_add(out, plain);
        goto done;
    }
    int rc = glob(escaped, GLOB_ERR | GLOB_BRACE, NULL, &g);
    if (rc != 0 && rc != GLOB_NOMATCH) TRY(fail(E_IO, "%s: cannot check this path: %s", plain, strerror(errno)));
    for (size_t i = 0; rc == 0 && i < g.gl_pathc; i++) names_add(out, g.gl_pathv[i]);
done:
    globfree(&g);
    free(plain);
    free(escaped);
    return st;
}

status path_open_regular(const char *path, int *fd)
{
    struct stat sb = {0};
    char shown[4096];
    text_show(shown, sizeof shown, path);
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* opening a named pipe must not wait for its writer */
    if (*fd >= 0 && fstat(*fd, &sb) == 0 && S_ISREG(sb.st_mode)) return OK;
    int why = errno;
    bool opened = *fd >= 0 && sb.st_mode;
    if (*fd >= 0) close(*fd);
    *fd = -1;
    if (!opened) return fail(E_IO, "%s: %s", shown, strerror(why));
    return fail(E_FORMAT, "%s: is a %s, not a file", shown,
                S_ISDIR(sb.st_mode)    ? "folder"
                : S_ISFIFO(sb.st_mode) ? "named pipe"
                                       : "device or socket");
}

status path_read(const char *path, char **data, size_t *size, size_t max_size)
{
    status st = OK;
    char *buf = NULL;
    size_t n = 0, cap = 0;
    int fd;
    TRY(path_open_regular(path, &fd));
    for (;;) {
        TRY(mem_grow(&buf, &cap, n + 65536 + 1, 1, path));
        ssize_t got = read(fd, buf + n, 65536);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) TRY(fail(E_IO, "%s: reading failed: %s", path, strerror(errno)));
        n += (size_t)got;
        if (n > max_size) TRY(fail(E_FORMAT, "%s: more than %zu bytes", path, max_size));
        if (got == 0) break;
    }
    buf[n] = '\0';
    *data = buf;
    *size = n;
    buf = NULL;
done:
    if (fd >= 0) close(fd);
    free(buf);
    return st;
}

static status sync_path(const char *path)
{
    int fd = open(path, O_RDONLY);
    if (fd < 0) return fail(E_IO, "%s: %s", path, strerror(errno));
    int bad = fsync(fd) != 0 && errno != EINVAL && errno != EROFS; /* some file systems cannot sync a folder */
    int why = errno;
    close(fd);
    return bad ? fail(E_IO, "%s: fsync: %s", path, strerror(why)) : OK;
}

status path_publish(const char *part, const char *final_name)
{
    status st = OK;
    char *dir = path_dir(final_name);
    TRY(sync_path(part));
    if (rename(part, final_name) != 0) TRY(fail(E_IO, "%s: cannot rename to %s: %s", part, final_name, strerror(errno)));
    TRY(sync_path(dir));
done:
    free(dir);
    return st;
}

status path_write(const char *path, const void *data, size_t size)
{
    status st = OK;
    char *part = path_part(path);
    FILE *f = fopen(part, "wbx");
    if (!f) TRY(fail(E_IO, "%s: %s", part, strerror(errno)));
    bool good = fwrite(data, 1, size, f) == size;
    good = fclose(f) == 0 && good;
    if (!good) TRY(fail(E_IO, "%s: writing failed: %s", part, strerror(errno)));
    TRY(path_publish(part, path));
done:
    if (st != OK) unlink(part);
    free(part);
    return st;
}

char *path_part(const char *final_name)
{
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT");
    const identity *me = identity_mine();
    if (job) return xasprintf("%s.part.%s.%s-%ld-%s", final_name, job, restart ? restart : "0", (long)getpid(), me->token);
    return xasprintf("%s.part.%s-%ld-%.8s-%s", final_name, me->host, (long)getpid(), *me->space ? me->space : "unknown0", me->token);
}

/* Is the writer named by the suffix of a part file certainly gone, as far as this process can know? HOST-PID-SPACE-TOKEN; versions before
 * 0.2 wrote HOST-PID. One of this host's name whose process numbers are of another boot or container is taken for gone when its file was
 * not written to for a day. */
static bool part_is_dead(const char *suffix, int64_t untouched_s)
{
    enum { DAY_S = 86400 };
    const identity *me = identity_mine();
    size_t n = strlen(me->host);
    if (strncmp(suffix, me->host, n) != 0 || suffix[n] != '-') return false;
    const char *digits = suffix + n + 1;
    size_t n_digits = strspn(digits, "0123456789");
    if (n_digits == 0 || n_digits > 18 || (digits[n_digits] && digits[n_digits] != '-')) return false;
    const char *space = digits[n_digits] ? digits + n_digits + 1 : NULL;
    if (space && (!*me->space || strncmp(space, me->space, 8) != 0)) return untouched_s > DAY_S;
    return identity_is_dead(strtol(digits, NULL, 10), NULL);
}

/* <job>.<restart>-<pid>-<token>, or an earlier version's <job>.<restart>[-<pid>], of a SLURM job that is not among `jobs`? */
static bool part_is_of_ended_job(const char *suffix, const names *jobs)
{
    size_t n = strspn(suffix, "0123456789");
    if (!jobs || n == 0 || suffix[n] != '.') return false;
    const char *end = suffix + n + 1 + strspn(suffix + n + 1, "0123456789");
    if (*end == '-' && end[1]) end += 1 + strspn(end + 1, "0123456789abcdef-");
    if (*end) return false;
    char *job = xstrndup(suffix, n);
    bool ended = names_find(jobs, job) < 0;
    free(job);
    return ended;
}

/* What stands behind ".part." of a name, NULL: nothing. Open MPI keeps files of its own beside one that is written together:
 * NAME.data.RANK, NAME.metadata.RANK (io/ompio, sharedfp/individual); they have the same writer. */
static char *part_writer(const char *name)
{
    const char *part = strstr(name, ".part.");
    if (!part) return NULL;
    char *writer = xstrdup(part + 6), *dot = strrchr(writer, '.');
    if (!dot || !dot[1] || dot[1 + strspn(dot + 1, "0123456789")]) return writer;
    size_t n = (size_t)(dot - writer);
    if (n > 5 && memcmp(dot - 5, ".data", 5) == 0) dot[-5] = '\0';
    if (n > 9 && memcmp(dot - 9, ".metadata", 9) == 0) dot[-9] = '\0';
    return writer;
}

int path_sweep_parts(const char *dir, const names *jobs)
{
    int removed = 0;
    DIR *d = opendir(dir);
    if (!d) return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char *writer = part_writer(e->d_name);
        if (!writer) continue;
        struct stat sb;
        char *p = path_join(dir, e->d_name);
        if (lstat(p, &sb) == 0 && S_ISREG(sb.st_mode) && sb.st_uid == geteuid() &&
            (part_is_dead(writer, (int64_t)(time(NULL) - sb.st_mtime)) || part_is_of_ended_job(writer, jobs)) && unlink(p) == 0)
            removed++;
        free(p);
        free(writer);
    }
    closedir(d);
    return removed;
}

int path_sweep_parts_of(const char *final_name)
{
    int removed = 0;
    char *dir = path_dir(final_name), *start = xasprintf("%s.part.", path_base(final_name));
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        if (strncmp(e->d_name, start, strlen(start)) != 0) continue;
        char *p = path_join(dir, e->d_name);
        if (unlink(p) == 0) removed++;
        free(p);
    }
    if (d) closedir(d);
    free(dir);
    free(start);
    return removed;
}
