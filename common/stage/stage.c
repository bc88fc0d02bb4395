/* stage.c -- the frame of a stage's main. */
#include "micon/stage/stage.h"

#include "micon/base/about.h"
#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/permissions.h"
#include "micon/config/file_formats.h"
#include "micon/config/manual.h"
#include "micon/mpi/comm.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    names plates, sets;
    bool force, quiet, verify, help, version, verbose, manual_page, manual_words;
} common_args;

enum { MAX_TABLE = 64, ALIGN = 16 };

static const struct {
    bool any; /* also for a program that reads no configuration */
    opt o;
} common_options[] = {
    {false,
     {NULL, "plate", OPT_LIST, offsetof(common_args, plates), "", 0, 0, NULL, 0,
      "only this plate: PLATE or SOURCE/BATCH/PLATE; may be repeated"}},
    {false, {NULL, "set", OPT_LIST, offsetof(common_args, sets), "", 0, 0, NULL, 0, "override a key: section.key=value; may be repeated"}},
    {true, {NULL, "force", OPT_FLAG, offsetof(common_args, force), "", 0, 0, NULL, 0, "recompute even what is up to date"}},
    {false,
     {NULL, "verify", OPT_FLAG, offsetof(common_args, verify), "", 0, 0, NULL, 0,
      "read all inputs again, even if size and time are unchanged"}},
    {true, {NULL, "quiet", OPT_FLAG, offsetof(common_args, quiet), "", 0, 0, NULL, 0, "print only warnings and errors"}},
    {true, {NULL, "help", OPT_FLAG, offsetof(common_args, help), "", 0, 0, NULL, 0, "print this text"}},
    {true, {NULL, "version", OPT_FLAG, offsetof(common_args, version), "", 0, 0, NULL, 0, "print the version"}},
    {true,
     {NULL, "verbose", OPT_FLAG, offsetof(common_args, verbose), "", 0, 0, NULL, 0,
      "with --version: also the libraries, MPI and the processor"}},
    {true, {NULL, MANUAL_PAGE_FLAG, OPT_FLAG, offsetof(common_args, manual_page), "", 0, 0, NULL, 0, NULL}},
    {true, {NULL, MANUAL_WORDS_FLAG, OPT_FLAG, offsetof(common_args, manual_words), "", 0, 0, NULL, 0, NULL}},
};

/* The program's own options, then the common ones, over one block: [common_args, padded][the program's struct]. */
static size_t merge_options(const stage_def *def, opt table[MAX_TABLE])
{
    size_t n = 0, own_at = (sizeof(common_args) + ALIGN - 1) / ALIGN * ALIGN;
    for (const opt *o = def->options; o && o->name && n + 16 < MAX_TABLE; o++) {
        table[n] = *o;
        table[n++].offset += own_at;
    }
    for (size_t i = 0; i < sizeof common_options / sizeof *common_options; i++)
        if (def->sections || common_options[i].any) table[n++] = common_options[i].o;
    table[n] = (opt){.name = NULL};
    return own_at;
}

static int print(text *t)
{
    fputs(text_str(t), stdout);
    text_free(t);
    return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}

/* The sections, each with those inside it: "screen.paths" after "screen". */
static void list_sections(const char *list, names *out)
{
    names outer = {0};
    names_split(&outer, list, ' ');
    for (size_t i = 0; i < outer.n; i++) {
        size_t n = strlen(outer.item[i]);
        names_add(out, outer.item[i]);
        for (const opt *o = config_options; o->name; o++)
            if (strncmp(o->section, outer.item[i], n) == 0 && o->section[n] == '.' && names_find(out, o->section) < 0)
                names_add(out, o->section);
    }
    names_free(&outer);
}

static bool is_section(const char *name)
{
    for (const opt *o = config_options; o->name; o++)
        if (strcmp(o->section, name) == 0) return true;
    return false;
}

/* The same facts as --help, as a page or as words of completion. */
static int print_help(const stage_def *def, const opt *table, void (*render)(const manual *m, text *out))
{
    enum { MAX_KEYS = 16 };
    text t = {0}, program = {0}, arguments = {0}, status_words = {0}, titles[MAX_KEYS] = {{0}};
    names sections = {0};
    const char *keys[2 * MAX_KEYS + 1] = {NULL};
    text_addf(&program, "micon-%s", def->name);
    text_addf(&arguments, "%s%s%s", def->sections ? "screen.yaml " : "", def->arguments ? def->arguments : "", def->arguments ? " " : "");
    text_addf(&status_words, "0 done, 1 failed, 2 wrong usage or configuration%s%s", def->again ? ", 75 " : "",
              def->again ? def->again : "");
    if (def->sections) list_sections(def->sections, &sections);
    for (size_t i = 0; i < sections.n && i < MAX_KEYS; i++) {
        bool key = !is_section(sections.item[i]), first = i == 0 || is_section(sections.item[i - 1]);
        if (!key) text_addf(&titles[i], "Section '%s' of the configuration", sections.item[i]);
        if (key && first) text_add(&titles[i], "Of other sections");
        keys[2 * i] = sections.item[i];
        keys[2 * i + 1] = titles[i].n ? text_str(&titles[i]) : NULL;
    }
    manual m = {.program = text_str(&program),
                .summary = def->summary,
                .before = "[mpirun -n N] ",
                .arguments = text_str(&arguments),
                .options = table,
                .keys = keys,
                .exit = text_str(&status_words)};
    render(&m, &t);
    for (size_t i = 0; i < MAX_KEYS; i++) text_free(&titles[i]);
    text_free(&program);
    text_free(&arguments);
    text_free(&status_words);
    names_free(&sections);
    return print(&t);
}

static int print_version(const char *program, bool verbose)
{
    char running[MPI_MAX_LIBRARY_VERSION_STRING];
    int n;
    text t = {0};
    text_addf(&t, "%s %s\n", program, MICON_VERSION);
    if (verbose) {
        about_build(&t);
        MPI_Get_library_version(running, &n); /* also before MPI_Init */
        running[strcspn(running, "\n")] = '\0';
        text_addf(&t, "MPI: %s\n", running);
        about_machine(&t);
        about_libraries(&t);
    }
    return print(&t);
}

/* Rank 0 reads, all parse the same bytes. */
static status read_config_all(stage *s, const char *path, const names *sets)
{
    enum { MAX_FILE = 16 << 20 };
    status st = OK;
    char *yaml = NULL;
    size_t size = 0;
    if (s->rank == 0 && path_read(path, &yaml, &size, MAX_FILE) != OK) st = E_USAGE;
    TRY_ALL(s->comm, st);
    TRY(comm_bcast_all(s->comm, 0, &yaml, &size));
    TRY_ALL(s->comm, config_parse(&s->cfg, path, yaml, size, sets));
    config_log_older_keys(&s->cfg);
done:
    free(yaml);
    return st;
}

/* Ranks that were started differently would disagree later, in worse places. */
static status agree_options_all(stage *s, const opt *table, const void *block)
{
    text t = {0};
    for (const opt *o = table; o->name; o++) {
        opt_show(o, block, &t);
        text_add(&t, "\n");
    }
    if (s->def->sections) config_show(&s->cfg, ~0u, &t);
    uint64_t d = digest_text(text_str(&t));
    text_free(&t);
    return agree_same_all(s->comm, d, "options or configuration");
}

static status check_arguments(const stage_def *def, const names *rest)
{
    size_t least = def->sections ? 1 : 0;
    char shown[200];
    if (rest->n < least) return fail(E_USAGE, "missing screen.yaml; usage: micon-%s screen.yaml (see --help)", def->name);
    if (rest->n > least && !def->arguments)
        return fail(E_USAGE, "unexpected argument '%s'; see --help", text_show(shown, sizeof shown, rest->item[least]));
    return OK;
}

static status run_all(stage *s, const opt *table, void *block, const names *rest, status parsed)
{
    status st = OK;
    common_args *args = block;
    TRY_ALL(s->comm, parsed);
    if (s->def->sections) {
        TRY(read_config_all(s, rest->item[0], &args->sets));
        TRY_ALL(s->comm, permissions_start(s->cfg.screen.group));
    }
    TRY(agree_options_all(s, table, block));
    for (size_t i = s->def->sections ? 1 : 0; i < rest->n; i++) names_add(&s->arguments, rest->item[i]);
    TRY(s->def->run_all(s));
done:
    return st;
}

/* A launcher of another MPI than ours starts N programs of which each takes itself for the only rank: they would all write the same files.
 * What launchers leave in the environment gives them away. */
static status check_launcher(int size)
{
    static const char *const counts[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    const char *said = NULL;
    char running[MPI_MAX_LIBRARY_VERSION_STRING];
    int n;
    for (size_t i = 0; i < sizeof counts / sizeof *counts && !said; i++) said = getenv(counts[i]);
    if (size > 1 || !said || strtol(said, NULL, 10) <= 1) return OK;
    MPI_Get_library_version(running, &n);
    running[strcspn(running, ",\n")] = '\0';
    return fail(E_FAILED,
                "%s programs were started, and this one is alone: they were started by another MPI than they run with (%s). Load "
                "that MPI, set MPIRUN to its mpirun, or slurm.launcher",
                said, running);
}

/* Whoever started mpirun may want to know that it started us: one that fails before is worth another try. */
static void mark_started(void)
{
    const char *path = getenv(STARTED_VARIABLE);
    int fd = path && *path ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd >= 0) close(fd);
}

int stage_main(int argc, char **argv, const stage_def *def)
{
    opt table[MAX_TABLE];
    size_t own_at = merge_options(def, table);
    char *block = xcalloc(1, own_at + def->options_size + ALIGN), program[80];
    common_args *args = (common_args *)(void *)block;
    names rest = {0};
    stage s = {.def = def, .options = block + own_at};
    snprintf(program, sizeof program, "micon-%s", def->name);

    status st = opt_defaults(table, block);
    if (st == OK) st = opt_args(table, block, argc, argv, &rest);
    if (st == OK && args->help) return print_help(def, table, manual_text);
    if (st == OK && args->manual_page) return print_help(def, table, manual_page);
    if (st == OK && args->manual_words) return print_help(def, table, manual_words);
    if (st == OK && args->version) return print_version(program, args->verbose);
    if (st == OK && args->verbose) st = fail(E_USAGE, "--verbose goes with --version");
    if (st == OK) st = check_arguments(def, &rest);
    s.plates = args->plates; /* borrowed from the block */
    s.force = args->force;
    s.quiet = args->quiet;
    s.verify = args->verify;
    bool before = st == OK && def->before_mpi;
    if (before) st = def->before_mpi(&s);

    umask(umask(0) | S_IWOTH); /* nothing is made that everyone may write */
    int given;
    comm_before_init();
    MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &given);
    s.comm = MPI_COMM_WORLD;
    s.rank = comm_rank(s.comm);
    s.size = comm_size(s.comm);
    log_init(def->name, s.rank == 0, args->quiet);
    if (s.rank == 0) mark_started();
    fault_init(s.rank);
    if (st == OK) st = check_launcher(s.size);
    st = run_all(&s, table, block, &rest, st);
    status flushed = fflush(stdout) == 0 && !ferror(stdout) ? OK : fail(E_IO, "standard output cannot be written");
    if (st == OK) st = agree_all(s.comm, flushed);
    log_bar(NULL);
    if (st != OK && st != E_AGAIN && s.rank == 0) log_error(program, msg_get());
    if (before && def->after_mpi) def->after_mpi(&s);
    MPI_Finalize();
    config_free(&s.cfg);
    names_free(&s.arguments);
    names_free(&rest);
    opt_free(table, block);
    free(block);
    return status_exit(st);
}
