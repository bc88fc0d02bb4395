/* identity.c -- identifies this process, and tells whether another one is still alive. */
#define _GNU_SOURCE /* getrandom */
#include "micon/base/identity.h"

#include "micon/base/digest.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

/* Read a small system file. False: it cannot be read, or is empty. */
static bool read_small(const char *path, char *data, size_t size)
{
    FILE *f = fopen(path, "re");
    size_t n = f ? fread(data, 1, size - 1, f) : 0;
    if (f) fclose(f);
    data[n] = '\0';
    return n > 0;
}

static void digest_of_file(const char *path, char out[IDENTITY_TEXT])
{
    char data[256];
    if (read_small(path, data, sizeof data)) digest_show(digest_text(data), out);
}

static void name_token(char out[IDENTITY_TOKEN])
{
    uint32_t r = 0;
    struct timespec now;
    if (getrandom(&r, sizeof r, 0) != (ssize_t)sizeof r) { /* an old kernel: the time and the process differ */
        clock_gettime(CLOCK_REALTIME, &now);
        r = (uint32_t)digest_mix((uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20, (uint64_t)getpid());
    }
    snprintf(out, IDENTITY_TOKEN, "%08x", r);
}

const identity *identity_mine(void)
{
    static identity me;
    static pid_t of;
    if (of == getpid()) return &me;
    if (of == 0) {
        char space[256];
        ssize_t n = readlink("/proc/self/ns/pid", space, sizeof space - 1);
        gethostname(me.host, sizeof me.host - 1);
        digest_of_file("/etc/machine-id", me.machine);
        digest_of_file("/proc/sys/kernel/random/boot_id", me.boot);
        if (n > 0 && *me.boot) {
            space[n] = '\0';
            digest_show(digest_mix(digest_text(me.boot), digest_text(space)), me.space);
        }
    }
    name_token(me.token);
    of = getpid();
    return &me;
}

bool identity_birth(long pid, char *out, size_t size)
{
    char path[64], data[4096];
    *out = '\0';
    snprintf(path, sizeof path, "/proc/%ld/stat", pid);
    if (!read_small(path, data, sizeof data)) return false;
    const char *p = strrchr(data, ')');
    if (p && p[1] == ' ' && p[2] != 'Z') { /* a zombie has ended */
        for (int i = 0; i < 20 && p; i++) p = strchr(p + 1, ' ');
        if (p) snprintf(out, size, "%.*s", (int)strcspn(p + 1, " "), p + 1);
    }
    return true;
}

bool identity_is_dead(long pid, const char *birth)
{
    char now[64];
    if (kill((pid_t)pid, 0) != 0 && errno == ESRCH) return true;
    /* Where /proc hides other users' processes, we only know that a process with this number runs. */
    return identity_birth(pid, now, sizeof now) && (birth ? strcmp(now, birth) != 0 : !*now);
}
