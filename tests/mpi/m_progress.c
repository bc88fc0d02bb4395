/* m_progress.c -- counts of all ranks, the bar, the status file. run: n=1,2,3 */
#include "../tap_mpi.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/mpi/progress.h"

#include <jansson.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static int rank, size;
static char *work;

static char *file_of(const char *name)
{
    return xasprintf("%s/status/tile/%s.json", work, name);
}

static json_t *status_of(const char *name)
{
    char *path = file_of(name);
    json_t *o = json_load_file(path, 0, NULL);
    free(path);
    return o;
}

static bool is(const json_t *o, const char *key, const char *want)
{
    const char *s = json_string_value(json_object_get(o, key));
    if (s && strcmp(s, want) == 0) return true;
    printf("# %s: '%s', not '%s'\n", key, s ? s : "(none)", want);
    return false;
}

static int64_t number(const json_t *o, const char *key)
{
    return json_integer_value(json_object_get(o, key));
}

static void nap(double s)
{
    struct timespec t = {(time_t)s, (long)((s - (double)(time_t)s) * 1e9)};
    nanosleep(&t, NULL);
}

/* Ranks count unevenly for longer than the file's second. */
static void counting(void)
{
    char *file = file_of("s__b__p \303\274");
    progress_info info = {file, "tile", "s__b__p \303\274", "sites", 30 * size};
    progress *p = progress_start_all(MPI_COMM_WORLD, &info);
    json_t *o = rank == 0 ? status_of(info.name) : NULL;
    ok_all(rank != 0 || (is(o, "state", "running") && number(o, "done") == 0 && number(o, "total") == 30 * size && is(o, "message", "")),
           "the file is there at once");
    json_decref(o);
    bool never_ahead = true;
    int64_t seen = 0;
    progress_say(p, "reading");
    for (int i = 1; i <= 28 + rank; i++) {
        progress_add(p, 1);
        nap(0.05);
        if (rank != 0 || i % 5) continue;
        o = status_of(info.name);
        never_ahead = never_ahead && o && number(o, "done") >= seen && number(o, "done") <= 30 * size;
        seen = number(o, "done");
        json_decref(o);
    }
    ok_all(never_ahead, "the file is whole at any time, its count only grows");
    ok_all(rank != 0 || seen > 0, "and it moved on the way");
    progress_end_all(&p, OK);
    o = rank == 0 ? status_of(info.name) : NULL;
    int64_t all = 28 * size + size * (size - 1) / 2;
    ok_all(rank != 0 || number(o, "done") == all, "the last count is exact");
    ok_all(rank != 0 || (is(o, "state", "done") && is(o, "name", info.name) && is(o, "unit", "sites") && is(o, "stage", "tile")),
           "what it was");
    ok_all(rank != 0 || (number(o, "pid") == getpid() && number(o, "ranks") == size && number(o, "exit") == 0), "who did it");
    ok_all(rank != 0 || (json_real_value(json_object_get(o, "seconds")) > 1 && json_real_value(json_object_get(o, "rate")) > 1),
           "how fast");
    ok_all(rank != 0 || (json_is_null(json_object_get(o, "left_s")) && json_is_string(json_object_get(o, "end"))), "and when it ended");
    ok_all(rank != 0 || (is(o, "job", "77") && is(o, "task", "3")), "under which job");
    json_decref(o);
    free(file);
}

static void endings(void)
{
    char *file = file_of("x");
    progress_info info = {file, "tile", "x", "steps", 0};
    progress *p = progress_start_all(MPI_COMM_WORLD, &info);
    progress_add(p, 5);
    progress_end_all(&p, agree_all(MPI_COMM_WORLD, rank == size - 1 ? fail(E_FORMAT, "a.tif: not \"a\" TIFF") : OK));
    json_t *o = rank == 0 ? status_of("x") : NULL;
    const char *says = rank == 0 ? json_string_value(json_object_get(o, "message")) : NULL;
    ok_all(rank != 0 || (is(o, "state", "failed") && number(o, "exit") == 1 && says && strstr(says, "a.tif: not \"a\" TIFF")),
           "a failure has its text");
    ok_all(rank != 0 || number(o, "done") == 5 * size, "and its count");
    json_decref(o);
    msg_clear();
    p = progress_start_all(MPI_COMM_WORLD, &info);
    o = rank == 0 ? status_of("x") : NULL;
    ok_all(rank != 0 || is(o, "state", "running"), "begun again, it runs again");
    json_decref(o);
    MPI_Barrier(MPI_COMM_WORLD);
    progress_end_all(&p, E_AGAIN);
    o = rank == 0 ? status_of("x") : NULL;
    ok_all(rank != 0 || (is(o, "state", "stopped") && number(o, "exit") == 75), "stopped on request");
    json_decref(o);
    progress_add(NULL, 1);
    progress_say(NULL, "x");
    progress_end_all(&p, OK);
    ok_all(p == NULL, "none is fine everywhere");
    free(file);
}

static void unwritable(void)
{
    progress_info none = {NULL, "tile", "y", "sites", 3}, bad = {"/proc/nowhere/status/tile/y.json", "tile", "y", "sites", 3};
    progress *p = progress_start_all(MPI_COMM_WORLD, &none);
    progress_add(p, 3);
    progress_end_all(&p, OK);
    p = progress_start_all(MPI_COMM_WORLD, &bad);
    progress_add(p, 3);
    progress_end_all(&p, OK);
    ok_all(!*msg_get(), "no folder for the file: a warning, no failure");
}

/* What a person sees, caught from stderr. */
static char *caught(const char *how, int64_t total)
{
    char *path = xasprintf("%s/seen.%d", work, rank), *seen = NULL;
    size_t n;
    progress_info info = {NULL, "tile", "P1", "sites", total};
    setenv("MICON_PROGRESS", how, 1);
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    if (!freopen(path, "w", stderr)) return NULL;
    progress *p = progress_start_all(MPI_COMM_WORLD, &info);
    for (int i = 0; i < 10; i++) {
        progress_add(p, 1);
        nap(0.05);
    }
    progress_end_all(&p, OK);
    fflush(stderr);
    dup2(kept, STDERR_FILENO);
    close(kept);
    if (path_read(path, &seen, &n, 1 << 20) != OK) seen = NULL;
    free(path);
    return seen;
}

static void looks(void)
{
    char want[60], *bar = caught("bar", 10 * size), *lines = caught("lines", 10 * size), *off = caught("off", 10 * size),
                   *unknown = caught("bar", 0);
    snprintf(want, sizeof want, "of %d sites, ", 10 * size);
    ok_all(rank ? bar && !*bar : bar && strstr(bar, "\r\033[K") && strstr(bar, "P1 [#") && strstr(bar, want) && strstr(bar, " left"),
           "a bar, from rank 0 alone");
    snprintf(want, sizeof want, "[m_progress] P1: %d sites in ", 10 * size);
    ok_all(rank ? lines && !*lines : lines && strstr(lines, want) && !strchr(lines, '\r'), "lines");
    ok_all(off && !*off, "nothing");
    ok_all(rank ? unknown && !*unknown : unknown && strstr(unknown, " sites, ") && !strstr(unknown, " of ") && !strstr(unknown, "left"),
           "no promise where the total is not known");
    free(bar);
    free(lines);
    free(off);
    free(unknown);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    rank = comm_rank(MPI_COMM_WORLD);
    size = comm_size(MPI_COMM_WORLD);
    log_init("m_progress", rank == 0, false);
    setenv("SLURM_JOB_ID", "78", 1);
    setenv("SLURM_ARRAY_JOB_ID", "77", 1);
    setenv("SLURM_ARRAY_TASK_ID", "3", 1);
    work = xasprintf("%s/work", tap_dir_all());
    status st = rank == 0 ? path_make_dirs(work) : OK;
    ok_all(st == OK, "a folder");
    counting();
    endings();
    unwritable();
    looks();
    int rc = tap_done_all();
    free(work);
    MPI_Finalize();
    return rc;
}
