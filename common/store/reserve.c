/* reserve.c -- disk space for a file being written: checked, reserved, or written once with zeros where it cannot be reserved. Rank 0. */
#define _GNU_SOURCE /* fallocate */
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

status store_space_check(const store *s, int64_t bytes)
{
    int64_t there = 0;
    char need[32], have[32], *dir = path_dir(s->final_name);
    status st = path_free_bytes(dir, &there);
    if (st == OK && bytes > there)
        st = fail(E_IO, "%s: needs about %s, but %s has only %s left", s->final_name, num_show_bytes(need, sizeof need, (double)bytes), dir,
                  num_show_bytes(have, sizeof have, (double)there));
    free(dir);
    return st;
}

status store_reserve(store *s, int64_t more)
{
    char need[32];
    int rc, why = 0;
    if (__builtin_add_overflow(s->reserved, more, &s->reserved)) return fail(E_IO, "%s: larger than a file can be", s->final_name);
    int fd = open(s->part, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return fail(E_IO, "%s: %s", s->part, strerror(errno));
    do rc = fallocate(fd, 0, 0, s->reserved);
    while (rc != 0 && errno == EINTR);
    if (rc) why = errno;
    close(fd);
    if (why == EOPNOTSUPP || why == ENOSYS) {
        s->unreserved = true;
        return store_space_check(s, more);
    }
    if (why == 0) return OK;
    return fail(E_IO, "%s: cannot reserve %s: %s", s->final_name, num_show_bytes(need, sizeof need, (double)s->reserved), strerror(why));
}

/* Where the file system cannot reserve: write every byte of the closed file once, holes as zeros, and sync. */
status store_fill_holes(const store *s)
{
    enum { BLOCK = 1 << 20 };
    status st = OK;
    char *block = xmalloc(BLOCK);
    int64_t at = 0;
    int fd = open(s->part, O_RDWR | O_CLOEXEC);
    if (fd < 0) TRY(fail(E_IO, "%s: %s", s->part, strerror(errno)));
    for (;;) {
        ssize_t n = pread(fd, block, BLOCK, at), done = 0;
        if (n <= 0) {
            if (n < 0) TRY(fail(E_IO, "%s: %s", s->part, strerror(errno)));
            break;
        }
        while (done < n) {
            ssize_t m = pwrite(fd, block + done, (size_t)(n - done), at + done);
            if (m < 0 && errno != EINTR) TRY(fail(E_IO, "%s: cannot reserve its room: %s", s->final_name, strerror(errno)));
            if (m > 0) done += m;
        }
        at += n;
    }
    if (fsync(fd) != 0 && errno != EINVAL) TRY(fail(E_IO, "%s: cannot reserve its room: %s", s->final_name, strerror(errno)));
done:
    if (fd >= 0) close(fd);
    free(block);
    return st;
}
