#!/usr/bin/env bash
# store_disk.sh -- a full disk, a file size limit, writes that get lost: exit 1, no final file, no hang, no wrong file. run: long limit=240
. "$(dirname "$0")/../tap.sh"
tool=$ROOT/build/release/tests/tools/store_tool
cd "$T" || exit 1

# limited RANKS command... : mpirun, ended after 30 s (a hang is exit 124)
limited() { local n=$1; shift; timeout 30 "$MPIRUN" --oversubscribe -n "$n" "$@"; }
# writer "what" WANTED-TEXT command... : fails with 1 in time, says so once, and leaves nothing in ./disk
writer() {
    local what=$1 text=$2 rc; shift 2
    "$@" >"$T/out" 2>"$T/err" </dev/null; rc=$?
    same "$what: exit 1, nothing left" "$rc $(find disk -type f | wc -l)" "1 0"
    [ -z "$text" ] || has "  and said" "$T/err" "$text"
}

# ---- a limit on the size of files ----
mkdir disk
for limit in 4096 500000 1000000 1150000; do
    writer "no file may grow beyond $limit" "cannot reserve" limited 2 "$tool" write disk/f.h5ad 2000 64 $limit
done
ok "a limit that suffices" mpi 2 "$tool" write disk/f.h5ad 2000 64 2000000
rm -f disk/*

# ---- what the system can be made to do ----
cat >shim.c <<'C'
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>
/* SHIM=unable: fallocate is not supported. liar: it claims to have reserved, and the disk to be huge.
 * lost:N : the N-th write of 1,000 bytes and more to a part file is claimed and not done, on rank 1. */
static const char *mode(void) { const char *m = getenv("SHIM"); return m ? m : ""; }
int fallocate(int fd, int how, off_t at, off_t n)
{
    static int (*real)(int, int, off_t, off_t);
    if (!real) real = (int (*)(int, int, off_t, off_t))dlsym(RTLD_NEXT, "fallocate");
    if (!strcmp(mode(), "liar")) return 0;
    if (!strcmp(mode(), "unable")) { errno = EOPNOTSUPP; return -1; }
    return real(fd, how, at, n);
}
int statvfs(const char *path, struct statvfs *v)
{
    static int (*real)(const char *, struct statvfs *);
    if (!real) real = (int (*)(const char *, struct statvfs *))dlsym(RTLD_NEXT, "statvfs");
    int rc = real(path, v);
    if (rc == 0 && (!strcmp(mode(), "liar") || !strcmp(mode(), "unable"))) v->f_bavail = (fsblkcnt_t)1 << 30;
    return rc;
}
static int lost(int fd, size_t n)
{
    static int seen;
    char link[64], name[4096];
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (strncmp(mode(), "lost:", 5) || n < 1000 || !rank || strcmp(rank, "1")) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(link, name, sizeof name - 1);
    if (got < 0) return 0;
    name[got] = 0;
    return strstr(name, ".part.") && ++seen == atoi(mode() + 5);
}
ssize_t pwrite(int fd, const void *b, size_t n, off_t at)
{
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (!real) real = (ssize_t (*)(int, const void *, size_t, off_t))dlsym(RTLD_NEXT, "pwrite");
    return lost(fd, n) ? (ssize_t)n : real(fd, b, n, at);
}
ssize_t pwrite64(int fd, const void *b, size_t n, off_t at) { return pwrite(fd, b, n, at); }
static size_t total(const struct iovec *v, int k) { size_t n = 0; for (int i = 0; i < k; i++) n += v[i].iov_len; return n; }
ssize_t pwritev(int fd, const struct iovec *v, int k, off_t at)
{
    static ssize_t (*real)(int, const struct iovec *, int, off_t);
    if (!real) real = (ssize_t (*)(int, const struct iovec *, int, off_t))dlsym(RTLD_NEXT, "pwritev");
    return lost(fd, total(v, k)) ? (ssize_t)total(v, k) : real(fd, v, k, at);
}
ssize_t writev(int fd, const struct iovec *v, int k)
{
    static ssize_t (*real)(int, const struct iovec *, int);
    if (!real) real = (ssize_t (*)(int, const struct iovec *, int))dlsym(RTLD_NEXT, "writev");
    return lost(fd, total(v, k)) ? (ssize_t)total(v, k) : real(fd, v, k);
}
/* unopened: rank 1 cannot open a part file for writing. late: it sees the file only the fourth time. */
static int refused(const char *path, int how)
{
    static int times;
    const char *rank = getenv("OMPI_COMM_WORLD_RANK");
    if (!rank || strcmp(rank, "1") || !strstr(path, ".part.") || (how & O_ACCMODE) != O_RDWR) return 0;
    if (!strcmp(mode(), "unopened")) return EMFILE;
    return !strcmp(mode(), "late") && times++ < 3 ? ENOENT : 0;
}
static int opened(const char *name, const char *path, int how, mode_t as)
{
    int (*real)(const char *, int, ...) = (int (*)(const char *, int, ...))dlsym(RTLD_NEXT, name);
    int why = refused(path, how);
    if (why) { errno = why; return -1; }
    return real(path, how, as);
}
#define MODE_OF(how) va_list a; va_start(a, how); mode_t as = how & O_CREAT ? va_arg(a, mode_t) : 0; va_end(a)
int open(const char *path, int how, ...)
{
    MODE_OF(how);
    return opened("open", path, how, as);
}
int open64(const char *path, int how, ...)
{
    MODE_OF(how);
    return opened("open64", path, how, as);
}
C
if ! "${CC:-gcc}" -shared -fPIC -o shim.so shim.c -ldl 2>"$T/cc"; then
    skip "writes that get lost, disks that lie" "no C compiler here"
    tap_done
fi
shim() { local how=$1 n=$2; shift 2; limited "$n" -x LD_PRELOAD="$T/shim.so" -x SHIM="$how" "$@"; }
for n in 1 2 4; do
    writer "write $n of rank 1 gets lost" "reads back otherwise than it was written" shim lost:$n 2 "$tool" write disk/f.h5ad 2000 64
done
writer "a rank that cannot open the file" "Too many open files" shim unopened 2 "$tool" write disk/f.h5ad 2000 64
ok "a file that one node sees late" shim late 2 "$tool" write disk/f.h5ad 2000 64
rm -f disk/*
ok "a file system that cannot reserve" shim unable 2 "$tool" write disk/f.h5ad 2000 64
mpi 1 "$tool" write g.h5ad 2000 64
ok "gets the same bytes" cmp disk/f.h5ad g.h5ad
rm -f disk/*

# ---- a small disk ----
if ! unshare -m true 2>/dev/null || ! unshare -m mount -t tmpfs -o size=64k none disk 2>/dev/null; then
    skip "a full disk" "mounting a tmpfs is not allowed here"
    tap_done
fi
small() { # K SHIM RANKS : in a mount namespace of its own; prints exit status and what was left
    unshare -m bash -c 'mount -t tmpfs -o size='"$1"'k none disk || exit 99
        . "$0/tests/mpi.env"
        timeout 60 "$MPIRUN" --oversubscribe -n '"$3"' -x LD_PRELOAD="$1" -x SHIM='"$2"' "$2" write disk/f.h5ad 2000 64 \
            >out 2>err </dev/null; rc=$?
        echo "$rc $(find disk -type f | wc -l)"' "$ROOT" "$T/shim.so" "$tool"
}
need=$(($(stat -c %s g.h5ad) / 1024))
for k in 40 256 $need; do
    same "a disk of $k KiB" "$(small $k none 2)" "1 0"
    has "  said plainly" err "f.h5ad: "
done
same "a disk of 4 MiB suffices" "$(small 4096 none 2)" "0 1"
same "$((need * 9 / 10)) KiB that cannot be reserved" "$(small $((need * 9 / 10)) unable 2)" "1 0"
# The disk runs full in every phase: laying out, rows, small things. A rank that fails alone waits 30 s for the others.
for part in 4 10 55 90 94 96 98 99; do
    k=$((need * part / 100))
    same "$k KiB ($part %) that were promised and are not there" "$(small $k liar 2)" "1 0"
done
for part in 55 95 98; do k=$((need * part / 100)); same "$k KiB so, 3 ranks" "$(small $k liar 3)" "1 0"; done
tap_done
