/* main.c -- micon: the driver's command line. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/manual.h"
#include "micon/config/opt.h"
#include "micon/index/index.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    CHECK = 1,
    PLAN = 2,
    RUN = 4,
    RERUN = 8,
    SUBMIT = 16,
    GATE = 32,
    STATUS = 64,
    CLEAN = 128,
    VERIFY = 256,
    COMPARE = 512,
    EXPORT = 1024,
    STORE = 2048,
    INDEX = 4096,
    GALLERY = 8192,
    PREDICT = 16384,
    PREVIEW = 32768,
    STEPS = PLAN | RUN | RERUN | SUBMIT,
    PROFILES = COMPARE | EXPORT | STORE | GALLERY | PREDICT | PREVIEW, /* these start a stage program; names follow screen.yaml */
    ALL = ~0
};

typedef struct {
    const char *name, *arguments, *summary;
    unsigned bit;
    status (*run)(call *c);
} command;

static const command commands[] = {
    {"index", "FOLDER...", "write the index table of images that a microscope exported", INDEX, command_index},
    {"check", "screen.yaml", "check tables and configuration, and that every image file exists", CHECK, command_check},
    {"plan", "screen.yaml", "show what would run and why, with time, memory and disk space", PLAN, command_plan},
    {"run", "screen.yaml", "on this machine, run what is not up to date, stage by stage", RUN, command_run},
    {"submit", "screen.yaml", "run the stages as SLURM jobs: an array per stage over plates", SUBMIT, command_submit},
    {"status", "screen.yaml", "show what is running, done and failed", STATUS, command_status},
    {"rerun", "screen.yaml", "run a stage, a plate or the failed steps again", RERUN, command_rerun},
    {"compare", "screen.yaml RUN RUN...", "compare finished runs: a table and a figure, with intervals of the paired differences", COMPARE,
     command_compare},
    {"gallery", "screen.yaml", "draw wells of a compound beside controls of their plates, as one PNG", GALLERY, command_gallery},
    {"preview", "screen.yaml", "draw a whole plate, a tile of each well, as one PNG", PREVIEW, command_preview},
    {"predict", "screen.yaml SMILES_FILE", "predict profiles for structures that no well holds, and find the treatments nearest to them",
     PREDICT, command_predict},
    {"export", "screen.yaml FOLDER", "write a run's finished profiles as CSV or Parquet tables, in pycytominer's layout", EXPORT,
     command_export},
    {"store", "add screen.yaml STORE", "add a run's finished profiles to a store that several screens share", STORE, command_store},
    {"verify", "FILE...", "check files against the checksums stored in them", VERIFY, command_verify},
    {"clean", "screen.yaml", "remove outputs, after asking; never inputs", CLEAN, command_clean},
    {"gate", "screen.yaml", "for job scripts: exit 1 unless enough plates of a stage are complete (slurm.max_bad_plates)", GATE,
     command_gate},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

#define A(field) offsetof(arguments, field)
static const struct {
    unsigned commands; /* that take it */
    opt o;
} all_options[] = {
    {STEPS | CLEAN,
     {NULL, "stage", OPT_LIST, A(stages), "", 0, 0, NULL, 0, "only this stage; may be repeated; default: all (micon --help lists them)"}},
    {GATE, {NULL, "stage", OPT_LIST, A(stages), "", 0, 0, NULL, 0, "the stage to look at (required, one)"}},
    {STEPS | GATE,
     {NULL, "plate", OPT_LIST, A(plates), "", 0, 0, NULL, 0,
      "only this plate: PLATE or SOURCE/BATCH/PLATE; may be repeated; default: all"}},
    {PLAN | RUN | RERUN,
     {NULL, "n", OPT_INT, A(ranks), "auto", 1, 1e6, "auto", 0, "MPI ranks in total over concurrent steps (auto: cores)"}},
    {SUBMIT,
     {NULL, "n", OPT_INT, A(ranks), "auto", 1, 1e6, "auto", 0,
      "MPI ranks on a node, where slurm.STAGE.ntasks_per_node does not say (auto: slurm.ntasks_per_node)"}},
    {SUBMIT,
     {NULL, "nodes", OPT_INT, A(nodes), "0", 0, 1e5, NULL, 0, "nodes for training, where slurm.train.nodes does not say; 0: slurm.nodes"}},
    {INDEX, {NULL, "out", OPT_TEXT, A(out), "load_data.csv", 0, 0, NULL, 0, "the table; a file that exists is not replaced"}},
    {INDEX,
     {NULL, "pattern", OPT_TEXT, A(pattern), "", 0, 0, NULL, 0,
      "how files are named, such as {plate}/{well}_s{site}_{channel}.tif; also {row} {col} {z} {time} {guid} {*}. Without it: Operetta, "
      "Opera Phenix, Yokogawa CV7000 and CV8000, ImageXpress, ScanR"}},
    {INDEX,
     {NULL, "planes", OPT_FLAG, A(planes), "", 0, 0, NULL, 0,
      "a row for each plane of a z stack, with a column Metadata_Z, for tile.z. Without it: the middle plane"}},
    {INDEX, {NULL, "channel", OPT_LIST, A(channels), "", 0, 0, NULL, 0, "OLD=NEW: another name for a channel, Ch1=DNA; may be repeated"}},
    {STEPS | CHECK | GATE | STATUS | CLEAN | PROFILES,
     {NULL, "set", OPT_LIST, A(sets), "", 0, 0, NULL, 0, "override a key: section.key=value; may be repeated"}},
    {PLAN | RUN | SUBMIT, {NULL, "force", OPT_FLAG, A(force), "", 0, 0, NULL, 0, "recompute even what is up to date"}},
    {RERUN, {NULL, "failed", OPT_FLAG, A(failed), "", 0, 0, NULL, 0, "only steps that failed"}},
    {STEPS, {NULL, "images", OPT_FLAG, A(images), "", 0, 0, NULL, 0, "also look for changed images (size and time)"}},
    {PLAN,
     {NULL, "nodes", OPT_INT, A(nodes), "0", 0, 1e5, NULL, 0,
      "estimate each stage and the finish time on N nodes like this one, with -n ranks on each; 0: on this machine"}},
    {PLAN,
     {NULL, "link", OPT_REAL, A(link), "auto", 0.01, 1e5, "auto", 0,
      "with --nodes: Gbit/s of a node's network link (auto: as --network measured it, else 10)"}},
    {PLAN,
     {NULL, "storage", OPT_BYTES, A(storage), "1GB", 1e3, 1e15, NULL, 0,
      "with --nodes: what the shared file system reads in a second, for all nodes together"}},
    {PLAN,
     {NULL, "calibrate", OPT_FLAG, A(calibrate), "", 0, 0, NULL, 0,
      "first measure this machine on a few sites of the screen; the result is kept in work/status/rates.json"}},
    {PLAN,
     {NULL, "network", OPT_FLAG, A(network), "", 0, 0, NULL, 0,
      "with --calibrate: measure sums between ranks instead, inside a job between its nodes; kept in work/status/network.json"}},
    {RUN | RERUN | SUBMIT | CLEAN, {NULL, "dry-run", OPT_FLAG, A(dry_run), "", 0, 0, NULL, 0, "print what would be done and exit"}},
    {CHECK,
     {NULL, "remote", OPT_FLAG, A(remote), "", 0, 0, NULL, 0,
      "also ask for the sizes of all images behind URLs, many at a time, and open one of each plate and channel"}},
    {STATUS, {NULL, "json", OPT_FLAG, A(json), "", 0, 0, NULL, 0, "machine-readable output"}},
    {STATUS,
     {NULL, "html", OPT_TEXT, A(html), "", 0, 0, NULL, 0,
      "also write a page, plates by stages, to this file; with --watch again at each refresh, and the page refreshes itself"}},
    {STATUS, {NULL, "watch", OPT_FLAG, A(watch), "", 0, 0, NULL, 0, "refresh until nothing is running"}},
    {STATUS, {NULL, "interval", OPT_INT, A(interval), "5", 1, 3600, NULL, 0, "refresh interval in seconds"}},
    {STORE, {NULL, "wait", OPT_INT, A(wait), "600", 0, 1e6, NULL, 0, "seconds to wait while another process writes to STORE"}},
    {PREVIEW, {NULL, "plate", OPT_LIST, A(plates), "", 0, 0, NULL, 0, "PLATE or SOURCE/BATCH/PLATE (required, one)"}},
    {PREVIEW,
     {NULL, "channel", OPT_LIST, A(channels), "", 0, 0, NULL, 0,
      "NAME, or NAME=COLOUR with RRGGBB or a word; may be repeated; default: the first three as blue, green, red"}},
    {PREVIEW, {NULL, "outlines", OPT_FLAG, A(outlines), "", 0, 0, NULL, 0, "draw outlines of cells, found as section 'cells' says"}},
    {PREVIEW,
     {NULL, "pixel", OPT_REAL, A(pixel), "0", 0, 1000, NULL, 0,
      "micrometres that a pixel of the images is wide, for the scale; 0: the scale is in pixels"}},
    {GALLERY | PREVIEW, {NULL, "o", OPT_TEXT, A(picture), "", 0, 0, NULL, 0, "the PNG file (required)"}},
    {GALLERY,
     {NULL, "compound", OPT_TEXT, A(compound), "", 0, 0, NULL, 0,
      "its identifier or name: three typical wells and the farthest one, by the run's profiles"}},
    {GALLERY, {NULL, "well", OPT_LIST, A(wells), "", 0, 0, NULL, 0, "PLATE/WELL or SOURCE/BATCH/PLATE/WELL; may be repeated"}},
    {EXPORT, {NULL, "format", OPT_CHOICE, A(format), "csv", 0, 0, "csv|parquet", 0, "CSV in gzip, or Parquet"}},
    {CLEAN, {NULL, "yes", OPT_FLAG, A(yes), "", 0, 0, NULL, 0, "do not ask"}},
    {RUN | RERUN | SUBMIT | PROFILES, {NULL, "quiet", OPT_FLAG, A(quiet), "", 0, 0, NULL, 0, "print only warnings and errors"}},
    {(unsigned)ALL, {NULL, "help", OPT_FLAG, A(help), "", 0, 0, NULL, 0, "print this text"}},
    {(unsigned)ALL, {NULL, "version", OPT_FLAG, A(version), "", 0, 0, NULL, 0, "print the version"}},
};
enum { N_OPTIONS = sizeof all_options / sizeof *all_options };

static void table_of(const command *cmd, opt table[N_OPTIONS + 1])
{
    size_t n = 0;
    for (size_t i = 0; i < N_OPTIONS; i++)
        if (!cmd || all_options[i].commands & cmd->bit) table[n++] = all_options[i].o;
    table[n] = (opt){.name = NULL};
}

static const char purpose[] = "from the images of a Cell Painting screen to profiles and a report, on this machine or on SLURM";
static const char exit_stopped[] = "75 stopped on request (the next run resumes)";

static void help_all(text *t)
{
    text_addf(t, "micon -- %s\n\nUsage: micon COMMAND screen.yaml [options]\n\nCommands:\n", purpose);
    for (size_t i = 0; i < N_COMMANDS; i++) text_addf(t, "  %-9s %s\n", commands[i].name, commands[i].summary);
    text_add(t, "\nmicon COMMAND --help describes a command; micon-STAGE --help describes a stage and its sections of the configuration.\n"
                "Stages: ");
    stage_names(t);
    text_add(t, ".\nmicon --version --verbose says what the programs are built with and run on.\n");
    text_addf(t, "\nExit status: 0 done, 1 failed, 2 wrong usage or configuration, %s.\n", exit_stopped);
}

static const char *notes_of(const command *cmd)
{
    switch (cmd->bit) {
    case VERIFY: return "All arguments are passed to micon-store; see micon-store --help.";
    case STORE:
        return "STORE is created if it does not exist. It belongs to one model and one transformation: evaluate later\n"
               "screens with evaluate.transform_with: STORE. Wells that it already holds are refused.";
    case EXPORT: return "The run is the configuration's train.run; --set train.run=RUN selects another.";
    default: return NULL;
    }
}

/* "Section 'slurm.tile', and slurm.featurize, .train alike, for one stage": the stages with a section of their own. */
static void sections_of_slurm(text *t)
{
    const char *between = ", and slurm.";
    text_add(t, "Section 'slurm.tile'");
    for (int i = 0; i < n_stages; i++) {
        if (stage_table[i].resources == offsetof(config, slurm.all) || strcmp(stage_table[i].name, "tile") == 0) continue;
        text_addf(t, "%s%s", between, stage_table[i].name);
        between = ", .";
    }
    text_add(t, " alike, for one stage");
}

/* A command as --help, as a part of micon.1 or as words of completion. */
static void help_command(const command *cmd, void (*render)(const manual *m, text *out), text *t)
{
    text sections = {0};
    sections_of_slurm(&sections);
    const char *const of_submit[] = {"slurm", "Section 'slurm' of the configuration", "slurm.tile", text_str(&sections), NULL};
    opt table[N_OPTIONS + 1];
    char program[32], words[64], ends[160];
    table_of(cmd, table);
    snprintf(program, sizeof program, "micon %s", cmd->name);
    snprintf(words, sizeof words, "%s%s", cmd->arguments, cmd->bit == VERIFY ? "" : " ");
    snprintf(ends, sizeof ends, "0 done, 1 %s, 2 wrong usage or configuration, %s",
             cmd->bit == STATUS ? "failed, or a step has failed" : "failed", exit_stopped);
    manual m = {.program = program,
                .summary = cmd->summary,
                .arguments = words,
                .options = cmd->bit == VERIFY ? NULL : table,
                .keys = cmd->bit == SUBMIT ? of_submit : NULL,
                .notes = notes_of(cmd),
                .exit = ends};
    render(&m, t);
    text_free(&sections);
}

/* micon.1: all commands. */
static void page_of_commands(text *t)
{
    manual_head("micon", 1, purpose, t);
    text_add(t, ".SH SYNOPSIS\n\\fBmicon\\fR \\fICOMMAND\\fR screen.yaml [options]\n.SH DESCRIPTION\nThe driver starts the stages: ");
    stage_names(t);
    text_add(t, ".\nEach is an MPI program with a page of its own, \\fBmicon\\-\\fISTAGE\\fR(1). They share one configuration, "
                "\\fBscreen.yaml\\fR(5).\n.SH COMMANDS\n");
    for (size_t i = 0; i < N_COMMANDS; i++) help_command(&commands[i], manual_part, t);
    text_add(t, ".SH SEE ALSO\n\\fBscreen.yaml\\fR(5)\n");
}

/* screen.yaml.5: all keys, by section. */
static void page_of_keys(text *t)
{
    const char *section = "";
    manual_head("screen.yaml", 5, "the configuration of a screen for micon", t);
    text_add(t, ".SH DESCRIPTION\nA YAML file of sections, each a list of \"key: value\" lines. Every key has a default.\n");
    for (const opt *o = config_options; o->name; o++) {
        if (strcmp(o->section, section) == 0) continue;
        section = o->section;
        text_addf(t, ".SS %s\n", section);
        manual_keys(section, t);
    }
    text_add(t, ".SH SEE ALSO\n\\fBmicon\\fR(1)\n");
}

static void words_of_commands(text *t)
{
    for (size_t i = 0; i < N_COMMANDS; i++) text_addf(t, "micon\t%s\tcommand\t\t%s\n", commands[i].name, commands[i].summary);
    for (int i = 0; i < n_stages; i++) text_addf(t, "stage\t%s\tstage\t\t\n", stage_table[i].name);
    for (size_t i = 0; i < N_COMMANDS; i++) help_command(&commands[i], manual_words, t);
    manual_key_words(t);
}

static int print(text *t)
{
    fputs(text_str(t), stdout);
    text_free(t);
    return fflush(stdout) == 0 ? 0 : 1;
}

/* The stage programs are in the folder of this program; MICON_BIN names another folder. */
static char *find_bin(void)
{
    char self[4096];
    const char *given = getenv("MICON_BIN");
    if (given && *given) return xstrdup(given);
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0) return xstrdup(".");
    self[n] = '\0';
    return path_dir(self);
}

static status prepare(call *c, const command *cmd)
{
    status st = OK;
    char shown[200];
    text again = {0};
    if (cmd->bit == INDEX) return c->a.rest.n ? OK : fail(E_USAGE, "missing folder; usage: micon index FOLDER... (see --help)");
    if (c->a.rest.n < 1) return fail(E_USAGE, "missing screen.yaml; usage: micon %s %s (see --help)", cmd->name, cmd->arguments);
    if (!(cmd->bit & PROFILES) && c->a.rest.n > 1)
        return fail(E_USAGE, "unexpected argument '%s'; see --help", text_show(shown, sizeof shown, c->a.rest.item[1]));
    c->path = c->a.rest.item[0];
    if (path_is_dir(c->path))
        return fail(E_USAGE, "%s is a folder; the configuration is a file in it: %s/screen.yaml?", text_show(shown, sizeof shown, c->path),
                    shown);
    TRY(config_read(&c->cfg, c->path, &c->a.sets));
    config_log_older_keys(&c->cfg);
    c->cfg.no_structures = !index_has_structures(&c->cfg);
    names_add(&c->plain, c->path);
    driver_quote(&again, c->path);
    for (size_t i = 0; i < c->a.sets.n; i++) {
        names_add(&c->plain, "--set");
        names_add(&c->plain, c->a.sets.item[i]);
        text_add(&again, " --set ");
        driver_quote(&again, c->a.sets.item[i]);
    }
    c->again = xstrdup(text_str(&again));
done:
    text_free(&again);
    return st;
}

/* micon store has one subcommand so far. */
static status take_add(names *rest)
{
    char shown[100];
    if (rest->n < 1) return fail(E_USAGE, "missing subcommand; usage: micon store add screen.yaml STORE");
    if (strcmp(rest->item[0], "add") != 0)
        return fail(E_USAGE, "unknown subcommand '%s'; usage: micon store add screen.yaml STORE",
                    text_show(shown, sizeof shown, rest->item[0]));
    free(rest->item[0]);
    memmove(rest->item, rest->item + 1, --rest->n * sizeof *rest->item);
    return OK;
}

static bool asks_help(const char *word)
{
    return strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0;
}

static int execute(const command *cmd, int argc, char **argv)
{
    status st = OK;
    opt table[N_OPTIONS + 1];
    text help = {0};
    call c = {.name = cmd->name, .bin = find_bin()};
    table_of(cmd, table);
    if (cmd->bit == VERIFY) {
        if (argc > 1 && asks_help(argv[1])) {
            help_command(cmd, manual_text, &help);
            free(c.bin);
            return print(&help);
        }
        for (int i = 1; i < argc; i++) names_add(&c.a.rest, argv[i]);
        TRY(cmd->run(&c));
        goto done;
    }
    TRY(opt_defaults(table, &c.a));
    TRY(opt_args(table, &c.a, argc, argv, &c.a.rest));
    if (c.a.help) {
        help_command(cmd, manual_text, &help);
        fputs(text_str(&help), stdout);
    } else if (c.a.version) {
        printf("micon %s\n", MICON_VERSION);
    } else {
        log_init("micon", true, c.a.quiet);
        if (cmd->bit == STORE) TRY(take_add(&c.a.rest));
        TRY(prepare(&c, cmd));
        TRY(cmd->run(&c));
    }
    if (fflush(stdout) != 0) TRY(fail(E_IO, "standard output cannot be written"));
done:
    log_bar(NULL);
    fflush(stdout); /* findings come before the error, also where both go to one file */
    if (st == E_AGAIN)
        log_info("%s", msg_get());
    else if (st != OK && *msg_get())
        log_error("micon", msg_get());
    text_free(&help);
    config_free(&c.cfg);
    opt_free(table, &c.a);
    names_free(&c.a.rest);
    names_free(&c.plain);
    free((char *)c.again);
    free(c.bin);
    return status_exit(st);
}

/* For the build: manual pages and words of completion. */
static int print_manual(const char *flag, bool *known)
{
    static const struct {
        const char *flag;
        void (*render)(text *t);
    } what[] = {
        {"--" MANUAL_PAGE_FLAG, page_of_commands}, {"--" MANUAL_KEYS_FLAG, page_of_keys}, {"--" MANUAL_WORDS_FLAG, words_of_commands}};
    text t = {0};
    for (size_t i = 0; i < sizeof what / sizeof *what; i++) {
        if (strcmp(flag, what[i].flag) != 0) continue;
        *known = true;
        what[i].render(&t);
        return print(&t);
    }
    *known = false;
    return 2;
}

/* micon --version [--verbose] */
static int print_version(bool verbose)
{
    call c = {.bin = find_bin()};
    text t = {0};
    text_addf(&t, "micon %s\n", MICON_VERSION);
    status st = verbose ? programs_describe(&c, &t) : OK;
    if (st != OK) log_error("micon", msg_get());
    free(c.bin);
    int printed = print(&t);
    return st != OK ? status_exit(st) : printed;
}

int main(int argc, char **argv)
{
    umask(umask(0) | S_IWOTH); /* no file of this process or its children is writable for everyone */
    text t = {0};
    const char *known[N_COMMANDS];
    char shown[100];
    if (argc < 2 || asks_help(argv[1]) || strcmp(argv[1], "help") == 0) {
        help_all(&t);
        if (argc >= 2) return print(&t);
        fputs(text_str(&t), stderr);
        text_free(&t);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) return print_version(argc > 2 && strcmp(argv[2], "--verbose") == 0);
    bool asked;
    int printed = print_manual(argv[1], &asked);
    if (asked) return printed;
    for (size_t i = 0; i < N_COMMANDS; i++) {
        known[i] = commands[i].name;
        if (strcmp(argv[1], commands[i].name) == 0) return execute(&commands[i], argc - 1, argv + 1);
    }
    const char *near = names_nearest(argv[1], known, N_COMMANDS);
    text_show(shown, sizeof shown, argv[1]);
    if (near)
        fprintf(stderr, "micon: error: unknown command '%s'; did you mean %s?\n", shown, near);
    else
        fprintf(stderr, "micon: error: unknown command '%s'; micon --help lists them\n", shown);
    return 2;
}
