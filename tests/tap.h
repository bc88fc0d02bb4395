/* tap.h -- the whole test harness: TAP lines, a summary, an honest exit status. A test that ran nothing has failed. */
#ifndef TAP_H
#define TAP_H
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int tap_n, tap_bad;

/* Evaluates to the condition, so that a test can stop early: if (!ok(...)) return; */
static inline int tap_ok(int cond, const char *what, const char *file, int line)
{
    printf("%sok %d - %s\n", cond ? "" : "not ", ++tap_n, what);
    if (!cond) {
        tap_bad++;
        printf("#   at %s:%d\n", file, line);
    }
    fflush(stdout);
    return cond;
}
#define ok(cond, what) tap_ok(!!(cond), (what), __FILE__, __LINE__)

/* |got - want| <= atol + rtol |want|; NaN never passes. */
static inline int tap_near(double got, double want, double rtol, double atol, const char *what, const char *file, int line)
{
    int good = fabs(got - want) <= atol + rtol * fabs(want);
    if (!good) printf("#   got %.17g want %.17g\n", got, want);
    return tap_ok(good, what, file, line);
}
#define near(got, want, rtol, what) tap_near((got), (want), (rtol), 0.0, (what), __FILE__, __LINE__)

static inline int tap_same(const char *got, const char *want, const char *what, const char *file, int line)
{
    int good = got && want && strcmp(got, want) == 0;
    if (!good) printf("#   got  '%s'\n#   want '%s'\n", got ? got : "(null)", want ? want : "(null)");
    return tap_ok(good, what, file, line);
}
#define same(got, want, what) tap_same((got), (want), (what), __FILE__, __LINE__)

static inline void tap_skip(const char *what, const char *why)
{
    printf("ok %d - %s # SKIP %s\n", ++tap_n, what, why);
}

/* The test's own folder: $T of run.sh, or a fresh one below /tmp. A test reads and writes nothing outside it. For a single process. */
static inline const char *tap_dir(void)
{
    static char made[] = "/tmp/micon-test.XXXXXX";
    static const char *dir;
    if (!dir) dir = getenv("T");
    if (!dir) dir = mkdtemp(made);
    if (!dir) {
        perror("tap_dir");
        exit(1);
    }
    return dir;
}

/* A path in a folder that does not exist, below the test's own; valid until the next call. */
static inline const char *tap_absent(const char *name)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/absent/%s", tap_dir(), name);
    return path;
}

/* A file of the shared data, SHARED_DATA or else ../shared/data, as an absolute path; tests that lack one are skipped. Valid for the next
 * seven calls. */
static inline const char *tap_shared(const char *name)
{
    static char path[8][4400];
    static int next;
    const char *given = getenv("SHARED_DATA");
    char *data = realpath(given ? given : "../shared/data", NULL), *out = path[next++ % 8];
    snprintf(out, sizeof path[0], "%s/%s", data ? data : "no shared data", name);
    free(data);
    return out;
}

static inline int tap_done(void)
{
    printf("1..%d\n# %d passed, %d failed\n", tap_n, tap_n - tap_bad, tap_bad);
    return tap_bad != 0 || tap_n == 0;
}
#endif
