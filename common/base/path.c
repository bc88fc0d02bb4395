/* path.c -- file names and the file system. */
#include "micon/base/path.h"

#include "micon/base/mem.h"
#include "micon/base/url.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

char *path_join(const char *dir, const char *name)
{
    if (!*dir || *name == '/' || url_is_remote(name)) return xstrdup(name);
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
            int why = errno; /* the check below changes errno */
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

/* dir itself may contain glob characters. */
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
