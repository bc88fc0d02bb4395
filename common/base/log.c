/* log.c -- one place that writes to stderr, so that a progress bar and messages never tear each other. */
#include "micon/base/log.h"

#include "micon/base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *who = "micon";
static bool may_speak = true, is_quiet = false;
static bool bar_shown = false;

void log_init(const char *name, bool speak, bool quiet)
{
    who = name;
    may_speak = speak;
    is_quiet = quiet;
}

bool log_quiet(void)
{
    return is_quiet;
}

static void wipe_bar(void)
{
    if (bar_shown) fputs("\r\033[K", stderr);
    bar_shown = false;
}

static void say(const char *level, const char *fmt, va_list ap)
{
    char line[4200];
    int n = snprintf(line, sizeof line, "[%s] %s", who, level);
    if (n < 0 || (size_t)n >= sizeof line) return;
    vsnprintf(line + n, sizeof line - (size_t)n, fmt, ap);
    text_disarm(line); /* names of files and of tables come from anyone */
    wipe_bar();
    fprintf(stderr, "%s\n", line); /* one write per line, so that lines of several ranks do not mix */
}

void log_info(const char *fmt, ...)
{
    if (!may_speak || is_quiet) return;
    va_list ap;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void log_warn(const char *fmt, ...)
{
    if (!may_speak) return;
    va_list ap;
    va_start(ap, fmt);
    say("warning: ", fmt, ap);
    va_end(ap);
}

void log_any(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    say("", fmt, ap);
    va_end(ap);
}

void log_error(const char *program, const char *message)
{
    char line[4200];
    snprintf(line, sizeof line, "%s", message);
    text_disarm(line);
    wipe_bar();
    fprintf(stderr, "%s: error: %s\n", program, line);
}

void log_bar(const char *line)
{
    wipe_bar();
    if (!line) return;
    fputs(line, stderr);
    fflush(stderr);
    bar_shown = true;
}
