/* io_shim.c -- a library for LD_PRELOAD that makes one call on files fail: the k-th of its kind, on one rank, on paths that hold a word.
 *   IO_SHIM=OP:K:MODE:WORD   OP: open read write fsync rename close; MODE: eio, enospc, short (half of the bytes are read or written), all
 *                            (this call and every later one of its kind fail with EIO)
 *   IO_SHIM_RANK=N           of which rank            IO_SHIM_MARK=FILE   made when it struck
 *   IO_SHIM=log:FOLDER       nothing fails: a line "OP PATH" for each call on a file, in FOLDER/RANK
 * Calls that libc makes inside itself (of fwrite, say) do not pass here; those of the stdio functions named below do. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

enum { MAX_FD = 4096 };
typedef enum { IS_OPEN, IS_READ, IS_WRITE, IS_FSYNC, IS_RENAME, IS_CLOSE, N_OPS } op;
typedef enum { PASS, FAIL, SHORT } verdict;

static struct {
    int ready; /* 0: not looked at; 1: strikes or lists; -1: neither */
    op what;
    int why, brief, all;
    long left;
    char word[200];
    int log; /* a descriptor; 0: calls are not listed */
} plan;
static char *watched[MAX_FD]; /* its path; NULL: of no matching path, or closed */
static const char *const op_names[N_OPS] = {"open", "read", "write", "fsync", "rename", "close"};

static int open_plainly(const char *path, int flags)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, "open");
    return real(path, flags | O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
}

static void start_log(const char *folder, const char *rank)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, rank);
    plan.log = open_plainly(path, O_APPEND);
    plan.ready = plan.log > 0 ? 1 : -1;
}

static void read_plan(void)
{
    char name[16], mode[16];
    const char *given = getenv("IO_SHIM"), *rank = getenv("OMPI_COMM_WORLD_RANK"), *wanted = getenv("IO_SHIM_RANK");
    plan.ready = -1;
    if (!given || !rank || (wanted && strcmp(rank, wanted) != 0)) return;
    if (strncmp(given, "log:", 4) == 0) {
        start_log(given + 4, rank);
        return;
    }
    if (sscanf(given, "%15[^:]:%ld:%15[^:]:%199s", name, &plan.left, mode, plan.word) != 4) return;
    for (int i = 0; i < N_OPS; i++)
        if (strcmp(op_names[i], name) == 0) plan.what = (op)i, plan.ready = 1;
    plan.why = strcmp(mode, "enospc") == 0 ? ENOSPC : EIO;
    plan.brief = strcmp(mode, "short") == 0;
    plan.all = strcmp(mode, "all") == 0;
}

static void list_call(op what, const char *path)
{
    char line[8300];
    int n = snprintf(line, sizeof line, "%s %s\n", op_names[what], path);
    ssize_t (*real)(int, const void *, size_t) = (ssize_t(*)(int, const void *, size_t))dlsym(RTLD_NEXT, "write");
    if (n > 0 && n < (int)sizeof line) (void)!real(plan.log, line, (size_t)n);
}

/* path: NULL where the call is on no file that is meant. */
static verdict judge(op what, const char *path)
{
    if (!plan.ready) read_plan();
    if (plan.ready < 0 || !path) return PASS;
    if (plan.log) list_call(what, path);
    if (plan.log || what != plan.what) return PASS;
    long left = --plan.left;
    if (left > 0 || (left < 0 && !plan.all)) return PASS;
    const char *mark = getenv("IO_SHIM_MARK");
    int fd = mark ? open_plainly(mark, 0) : -1;
    int (*real_close)(int) = (int (*)(int))dlsym(RTLD_NEXT, "close");
    if (fd >= 0) real_close(fd);
    errno = plan.why;
    return plan.brief && (what == IS_READ || what == IS_WRITE) ? SHORT : FAIL;
}

/* The path if it holds the word, else NULL. */
static const char *named(const char *path)
{
    if (!plan.ready) read_plan();
    return plan.ready > 0 && path && strstr(path, plan.word) ? path : NULL;
}

static const char *is_watched(int fd)
{
    return fd >= 0 && fd < MAX_FD ? watched[fd] : NULL;
}

static int opened(int fd, const char *path)
{
    if (fd < 0 || fd >= MAX_FD) return fd;
    free(watched[fd]);
    watched[fd] = named(path) ? strdup(path) : NULL;
    return fd;
}

/* What the descriptor was of, until it is closed: the caller frees it. */
static char *closing(int fd)
{
    if (fd < 0 || fd >= MAX_FD) return NULL;
    char *path = watched[fd];
    watched[fd] = NULL;
    return path;
}

#define REAL(type, name, ...) type (*real)(__VA_ARGS__) = (type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, name)

#define OPEN(name)                                                                                                                         \
    int name(const char *path, int flags, ...)                                                                                             \
    {                                                                                                                                      \
        va_list ap;                                                                                                                        \
        va_start(ap, flags);                                                                                                               \
        int mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(ap, int) : 0;                                                                    \
        va_end(ap);                                                                                                                        \
        int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, #name);                                    \
        if (judge(IS_OPEN, named(path)) == FAIL) return -1;                                                                                \
        return opened(real(path, flags, mode), path);                                                                                      \
    }
OPEN(open)
OPEN(open64)

#define FOPEN(name)                                                                                                                        \
    FILE *name(const char *path, const char *mode)                                                                                         \
    {                                                                                                                                      \
        REAL(FILE *, #name, const char *, const char *);                                                                                   \
        if (judge(IS_OPEN, named(path)) == FAIL) return NULL;                                                                              \
        FILE *f = real(path, mode);                                                                                                        \
        if (f) opened(fileno(f), path);                                                                                                    \
        return f;                                                                                                                          \
    }
FOPEN(fopen)
FOPEN(fopen64)

#define PLAIN(name, op, data)                                                                                                              \
    ssize_t name(int fd, data buf, size_t n)                                                                                               \
    {                                                                                                                                      \
        REAL(ssize_t, #name, int, data, size_t);                                                                                           \
        verdict v = judge(op, is_watched(fd));                                                                                             \
        return v == FAIL ? -1 : real(fd, buf, v == SHORT ? n / 2 : n);                                                                     \
    }
PLAIN(read, IS_READ, void *)
PLAIN(write, IS_WRITE, const void *)

#define PLACED(name, op, data, offset)                                                                                                     \
    ssize_t name(int fd, data buf, size_t n, offset at)                                                                                    \
    {                                                                                                                                      \
        REAL(ssize_t, #name, int, data, size_t, offset);                                                                                   \
        verdict v = judge(op, is_watched(fd));                                                                                             \
        return v == FAIL ? -1 : real(fd, buf, v == SHORT ? n / 2 : n, at);                                                                 \
    }
PLACED(pread, IS_READ, void *, off_t)
PLACED(pread64, IS_READ, void *, off64_t)
PLACED(pwrite, IS_WRITE, const void *, off_t)
PLACED(pwrite64, IS_WRITE, const void *, off64_t)

/* A short one moves the first block alone. */
#define VECTOR(name, op)                                                                                                                   \
    ssize_t name(int fd, const struct iovec *v, int n)                                                                                     \
    {                                                                                                                                      \
        REAL(ssize_t, #name, int, const struct iovec *, int);                                                                              \
        verdict d = judge(op, is_watched(fd));                                                                                             \
        return d == FAIL ? -1 : real(fd, v, d == SHORT && n > 1 ? 1 : n);                                                                  \
    }
VECTOR(readv, IS_READ)
VECTOR(writev, IS_WRITE)

#define PLACED_VECTOR(name, op, offset)                                                                                                    \
    ssize_t name(int fd, const struct iovec *v, int n, offset at)                                                                          \
    {                                                                                                                                      \
        REAL(ssize_t, #name, int, const struct iovec *, int, offset);                                                                      \
        verdict d = judge(op, is_watched(fd));                                                                                             \
        return d == FAIL ? -1 : real(fd, v, d == SHORT && n > 1 ? 1 : n, at);                                                              \
    }
PLACED_VECTOR(preadv, IS_READ, off_t)
PLACED_VECTOR(preadv64, IS_READ, off64_t)
PLACED_VECTOR(pwritev, IS_WRITE, off_t)
PLACED_VECTOR(pwritev64, IS_WRITE, off64_t)

size_t fwrite(const void *buf, size_t size, size_t n, FILE *f)
{
    REAL(size_t, "fwrite", const void *, size_t, size_t, FILE *);
    verdict v = judge(IS_WRITE, is_watched(fileno(f)));
    return v == FAIL ? 0 : real(buf, size, v == SHORT ? n / 2 : n, f);
}

size_t fread(void *buf, size_t size, size_t n, FILE *f)
{
    REAL(size_t, "fread", void *, size_t, size_t, FILE *);
    verdict v = judge(IS_READ, is_watched(fileno(f)));
    return v == FAIL ? 0 : real(buf, size, v == SHORT ? n / 2 : n, f);
}

int fsync(int fd)
{
    REAL(int, "fsync", int);
    return judge(IS_FSYNC, is_watched(fd)) == FAIL ? -1 : real(fd);
}

int rename(const char *from, const char *to)
{
    char both[8200];
    REAL(int, "rename", const char *, const char *);
    snprintf(both, sizeof both, "%s %s", from, to);
    return judge(IS_RENAME, named(both)) == FAIL ? -1 : real(from, to);
}

int close(int fd)
{
    REAL(int, "close", int);
    char *path = closing(fd);
    int result = real(fd); /* it is closed in any case, as the kernel does it */
    verdict v = judge(IS_CLOSE, path);
    free(path);
    return v == FAIL ? -1 : result;
}

int fclose(FILE *f)
{
    REAL(int, "fclose", FILE *);
    char *path = closing(fileno(f));
    int result = real(f);
    verdict v = judge(IS_CLOSE, path);
    free(path);
    return v == FAIL ? EOF : result;
}
