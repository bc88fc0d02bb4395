/* launch.c -- one mpirun: a folder of its own for Open MPI's session files, and whether the program in it ever started.
 *
 * All mpirun of a user on a node keep their files in one folder below TMPDIR: it is made when missing, and any of them that finds it empty
 * removes it. One that ends may remove it under one that has just begun, which then fails in session_dir.c before it starts a program. So
 * each launch gets a folder of its own. There the stage program leaves a mark once MPI runs (common/stage/stage.c); a launch that failed
 * without that mark is tried again, whatever the reason. */
#define _GNU_SOURCE /* nftw */
#include "driver.h"

#include "micon/base/identity.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <dirent.h>
#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PREFIX "micon-launch-"
enum { MAX_OPEN = 8 };

static const char *base_folder(void)
{
    const char *dir = getenv("TMPDIR");
    return dir && *dir ? dir : "/tmp";
}

static int remove_one(const char *path, const struct stat *sb, int what, struct FTW *at)
{
    (void)sb;
    (void)what;
    (void)at;
    remove(path);
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, MAX_OPEN, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void add_setting(names *env, const char *name, const char *value)
{
    char *setting = xasprintf("%s=%s", name, value);
    names_add(env, setting);
    free(setting);
}

static status start(launch *l, char *const *argv, const char *log)
{
    status st = OK;
    const identity *me = identity_mine();
    names env = {0};
    char *started = NULL;
    l->folder = xasprintf("%s/" PREFIX "%ld-%.8s-XXXXXX", base_folder(), (long)getpid(), me->space);
    if (!mkdtemp(l->folder)) {
        st = fail(E_IO, "%s: cannot make this folder: %s", l->folder, strerror(errno));
        FREE(l->folder);
        return st;
    }
    started = path_join(l->folder, "started");
    for (size_t i = 0; mpi_settings[i]; i++) names_add(&env, mpi_settings[i]);
    const char *const own[] = {"OMPI_MCA_orte_tmpdir_base", "PRTE_MCA_prte_tmpdir_base"}; /* Open MPI 4, and 5 */
    for (size_t i = 0; i < 2; i++) add_setting(&env, own[i], l->folder);
    add_setting(&env, STARTED_VARIABLE, started);
    char **list = xcalloc(env.n + 1, sizeof *list);
    memcpy(list, env.item, env.n * sizeof *list);
    st = process_start(&l->p, argv, list, log);
    free(list);
    names_free(&env);
    free(started);
    return st;
}

status launch_start(launch *l, char *const *argv, const char *log)
{
    *l = (launch){.p = {.pid = -1}};
    status st = start(l, argv, log);
    if (st != OK) launch_end(l);
    return st;
}

bool launch_failed_before_start(const launch *l)
{
    char *started = path_join(l->folder, "started");
    bool failed = l->p.exit != 0 && l->p.exit != status_exit(E_USAGE) && l->p.exit != status_exit(E_AGAIN) && !path_exists(started);
    free(started);
    return failed;
}

void launch_end(launch *l)
{
    if (l->folder) remove_tree(l->folder);
    FREE(l->folder);
}

void launch_sweep(void)
{
    const identity *me = identity_mine();
    DIR *d = opendir(base_folder());
    for (struct dirent *e; d && (e = readdir(d)) != NULL;) {
        char *end;
        if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) != 0) continue;
        long pid = strtol(e->d_name + strlen(PREFIX), &end, 10);
        if (*end != '-' || !*me->space || strncmp(end + 1, me->space, 8) != 0 || !identity_is_dead(pid, NULL)) continue;
        char *path = path_join(base_folder(), e->d_name);
        remove_tree(path); /* fails for another user's, as it should */
        free(path);
    }
    if (d) closedir(d);
}
