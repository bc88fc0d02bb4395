/* status.c -- the kept message of a failure, one per thread. */
#include "micon/base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MSG_SIZE = 4096 };
static _Thread_local char kept[MSG_SIZE];

status fail(status code, const char *fmt, ...)
{
    if (kept[0]) return code;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(kept, sizeof kept, fmt, ap);
    va_end(ap);
    return code;
}

status fail_within(status st, const char *fmt, ...)
{
    if (st == OK) return st;
    char inner[MSG_SIZE];
    memcpy(inner, kept, sizeof inner);
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(kept, sizeof kept, fmt, ap);
    va_end(ap);
    if (n >= 0 && (size_t)n < sizeof kept) snprintf(kept + n, sizeof kept - (size_t)n, ": %s", inner);
    return st;
}

const char *msg_get(void)
{
    return kept;
}

void msg_clear(void)
{
    kept[0] = '\0';
}

void msg_set(const char *text)
{
    snprintf(kept, sizeof kept, "%s", text);
}

void msg_take(char *buf, size_t size)
{
    if (size) snprintf(buf, size, "%s", kept);
    msg_clear();
}

int status_exit(status st)
{
    return st == OK ? 0 : st == E_USAGE ? 2 : st == E_AGAIN ? 75 : 1;
}

const char *status_name(status st)
{
    switch (st) {
    case OK: return "ok";
    case E_FAILED: return "failed";
    case E_IO: return "io";
    case E_FORMAT: return "format";
    case E_NOMEM: return "no memory";
    case E_INTERNAL: return "internal";
    case E_AGAIN: return "again";
    case E_USAGE: return "usage";
    }
    return "unknown";
}
