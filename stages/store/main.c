/* main.c -- micon-store: work on finished files. verify takes files; add and export take a configuration, whose finished profiles they
 * use. */
#include "store_commands.h"

#include "micon/base/log.h"
#include "micon/mpi/comm.h"
#include "micon/stage/foreign_helper.h"

#include <stddef.h>
#include <string.h>

typedef struct {
    int64_t wait;
} add_args;

typedef struct {
    int format;
} export_args;

static const char add_usage[] = "micon-store add screen.yaml STORE", export_usage[] = "micon-store export screen.yaml FOLDER",
                  verify_usage[] = "micon-store verify FILE...";

/* The one argument after screen.yaml. */
static status one_argument(const stage *s, const char *usage, const char **argument)
{
    char shown[200];
    if (s->plates.n) return fail(E_USAGE, "--plate: profiles are those of the whole screen; leave it out");
    if (s->arguments.n < 1) return fail(E_USAGE, "missing argument; usage: %s", usage);
    if (s->arguments.n > 1)
        return fail(E_USAGE, "'%s' is one argument too many; usage: %s", text_show(shown, sizeof shown, s->arguments.item[1]), usage);
    *argument = s->arguments.item[0];
    return OK;
}

static status add_all(stage *s)
{
    status st = OK;
    const char *store = NULL;
    const add_args *a = s->options;
    TRY(one_argument(s, add_usage, &store));
    TRY_ALL(s->comm, s->rank == 0 ? add_profiles(s, store, (double)a->wait) : OK);
done:
    return st;
}

static status export_all(stage *s)
{
    status st = OK;
    const char *folder = NULL;
    const export_args *a = s->options;
    TRY(one_argument(s, export_usage, &folder));
    TRY_ALL(s->comm, s->rank == 0 ? export_tables(&s->cfg, folder, (export_format)a->format) : OK);
done:
    return st;
}

/* Without a configuration: verify, or no command that there is. */
static status run_all(stage *s)
{
    static const char *const known[] = {"verify", "add", "export"};
    char shown[100];
    if (!s->arguments.n) return fail(E_USAGE, "missing command; usage: %s, %s, or %s", verify_usage, add_usage, export_usage);
    const char *what = s->arguments.item[0], *near = names_nearest(what, known, 3);
    const names files = {.item = s->arguments.item + 1, .n = s->arguments.n - 1};
    if (strcmp(what, "verify") == 0) return files.n ? verify_all(s, &files) : fail(E_USAGE, "missing files; usage: %s", verify_usage);
    text_show(shown, sizeof shown, what);
    return fail(E_USAGE, "'%s' is not a command of micon-store%s%s; --help lists them", shown, near ? "; did you mean " : "",
                near ? near : "");
}

static const opt add_options[] = {
    {NULL, "wait", OPT_INT, offsetof(add_args, wait), "600", 0, 1e6, NULL, 0,
     "seconds to wait while another process adds to that store. STORE.lock names it; the lock of a dead process is removed at once on the "
     "same "
     "host, and after ten minutes without a sign of life from another host"},
    {.name = NULL},
};
static const stage_def add_def = {
    .name = "store add",
    .summary =
        "add the finished profiles of train.run to STORE, which screens share; it is created where there is none. The first run's features "
        "and "
        "transformation become the store's: evaluate later runs with evaluate.transform_with: STORE. Wells that it has, other features, "
        "another model or normalization are refused",
    .sections = "screen train.run",
    .affects = AFFECTS_PROFILES,
    .options = add_options,
    .options_size = sizeof(add_args),
    .arguments = "STORE",
    .run_all = add_all,
};
static const opt export_options[] = {
    {NULL, "format", OPT_CHOICE, offsetof(export_args, format), "csv", 0, 0, "csv|parquet", 0, "CSV in gzip, or Parquet"},
    {.name = NULL},
};
static const stage_def export_def = {
    .name = "store export",
    .summary = "write the finished profiles of train.run as tables in pycytominer's form: FOLDER/RUN.{raw,normalized,corrected}.csv.gz and "
               "FOLDER/RUN.consensus.{normalized,corrected}.csv.gz, or .parquet; nothing is computed",
    .sections = "screen train.run",
    .options = export_options,
    .options_size = sizeof(export_args),
    .arguments = "FOLDER",
    .run_all = export_all,
};
static const stage_def verify_def = {
    .name = "store",
    .summary = "work on finished files. verify reads every byte again and compares with the digest in the file, or recorded of it; add and "
               "export have a --help "
               "of their own",
    .arguments = "verify FILE... | add screen.yaml STORE | export screen.yaml FOLDER",
    .run_all = run_all,
    .before_mpi = foreign_helper_start,
    .after_mpi = foreign_helper_stop,
};

int main(int argc, char **argv)
{
    const char *command = argc > 1 ? argv[1] : "";
    const stage_def *def = strcmp(command, "add") == 0 ? &add_def : strcmp(command, "export") == 0 ? &export_def : &verify_def;
    if (def == &verify_def) return stage_main(argc, argv, def);
    argv[1] = argv[0];
    return stage_main(argc - 1, argv + 1, def);
}
