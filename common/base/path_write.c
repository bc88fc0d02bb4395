/* path_write.c -- writes files under a temporary name and renames them when complete; removes what dead writers left. */
#include "micon/base/path.h"

#include "micon/base/digest.h"
#include "micon/base/identity.h"
#include "micon/base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

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
    bool made = f != NULL; /* what is there already is another writer's */
    if (!f) TRY(fail(E_IO, "%s: %s", part, strerror(errno)));
    bool good = fwrite(data, 1, size, f) == size;
    good = fclose(f) == 0 && good;
    if (!good) TRY(fail(E_IO, "%s: writing failed: %s", part, strerror(errno)));
    TRY(path_publish(part, path));
done:
    if (st != OK && made) unlink(part);
    free(part);
    return st;
}

/* A name that would get longer than a file system takes is cut, and told from others by a digest. */
char *path_part(const char *final_name)
{
    enum { NAME_LIMIT = 255, OF_MPI = 24 }; /* Open MPI's own files beside it have a longer name */
    const char *job = getenv("SLURM_JOB_ID"), *restart = getenv("SLURM_RESTART_COUNT"), *base = path_base(final_name);
    const identity *me = identity_mine();
    char *writer, *part, digest[DIGEST_TEXT];
    if (job)
        writer = xasprintf("%s.%s-%ld-%s", job, restart ? restart : "0", (long)getpid(), me->token);
    else
        writer = xasprintf("%s-%ld-%.8s-%s", me->host, (long)getpid(), *me->space ? me->space : "unknown0", me->token);
    size_t taken = OF_MPI + strlen(".part.") + strlen(writer), n = strlen(base), before = (size_t)(base - final_name);
    if (taken + 64 > NAME_LIMIT || n + taken <= NAME_LIMIT)
        part = xasprintf("%s.part.%s", final_name, writer);
    else
        part = xasprintf("%.*s~%.8s.part.%s", (int)(before + NAME_LIMIT - taken - 9), final_name, digest_show(digest_text(base), digest),
                         writer);
    free(writer);
    return part;
}

/* Has the writer named in the suffix of a part file ended, as far as this process can know? HOST-PID-SPACE-TOKEN; versions before 0.2
 * wrote HOST-PID. A writer with this host's name but from another boot or container counts as ended when its file was not written for a
 * day. */
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

/* The text after ".part." in a name, or NULL. Open MPI keeps files of its own beside one that is written together:
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

bool path_part_is_live(const char *name)
{
    char *writer = part_writer(name), space[IDENTITY_TEXT] = "";
    const identity *me = identity_mine();
    size_t n = strlen(me->host);
    long pid = 0;
    bool here = writer && strncmp(writer, me->host, n) == 0 && sscanf(writer + n, "-%ld-%16[0-9a-f]", &pid, space) == 2;
    bool live = here && *me->space && strncmp(space, me->space, 8) == 0 && !identity_is_dead(pid, NULL);
    free(writer);
    return live;
}

/* Of the files whose names begin with `start`. */
static int sweep_dead(const char *dir, const char *start, const names *jobs)
{
    int removed = 0;
    DIR *d = opendir(dir);
    if (!d) return 0;
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        char *writer = strncmp(e->d_name, start, strlen(start)) == 0 ? part_writer(e->d_name) : NULL;
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

int path_sweep_parts(const char *dir, const names *jobs)
{
    return sweep_dead(dir, "", jobs);
}

int path_sweep_dead_parts_of(const char *final_name)
{
    char *dir = path_dir(final_name), *start = xasprintf("%s.part.", path_base(final_name));
    int removed = sweep_dead(dir, start, NULL);
    free(dir);
    free(start);
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
