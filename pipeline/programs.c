/* programs.c -- the stage programs: where they are, and the mpirun that starts them. */
#include "driver.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *driver_program(const call *c, const char *name)
{
    char *program = xasprintf("micon-%s", name), *path = path_join(c->bin, program);
    free(program);
    return path;
}

bool driver_has_program(const call *c, const char *name)
{
    char *p = driver_program(c, name);
    bool has = access(p, X_OK) == 0;
    free(p);
    return has;
}

void driver_quote(text *t, const char *word)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./-";
    if (*word && word[strspn(word, plain)] == '\0') {
        text_add(t, word);
        return;
    }
    text_add(t, "'");
    for (const char *p = word; *p; p++) {
        if (*p == '\'')
            text_add(t, "'\\''");
        else
            text_addn(t, p, 1);
    }
    text_add(t, "'");
}

/* Settings for several mpirun at once: no binding (each would bind to the first core), no text of its own about a failed rank. */
char *const mpi_settings[] = {(char *)"OMPI_MCA_hwloc_base_binding_policy=none",
                              (char *)"OMPI_MCA_rmaps_base_oversubscribe=1",
                              (char *)"OMPI_MCA_orte_execute_quiet=1",
                              (char *)"OPENBLAS_NUM_THREADS=1",
                              (char *)"OMP_NUM_THREADS=1",
                              NULL};

status mpirun_find(names *out)
{
    const char *given = getenv("MPIRUN");
    char *path = NULL;
    names words = {0};
    names_split(&words, given && *given ? given : "mpirun", ' ');
    for (size_t i = 0; i < words.n; i++)
        if (*words.item[i]) names_add(out, words.item[i]);
    names_free(&words);
    status st = out->n ? process_find(out->item[0], &path) : fail(E_USAGE, "MPIRUN is empty");
    free(path);
    /* hwloc searches for displays, which takes seconds where localhost does not resolve, and complains where there is no /sys */
    setenv("HWLOC_COMPONENTS", "-gl", 0);
    setenv("HWLOC_HIDE_ERRORS", "2", 0);
    if (geteuid() == 0) { /* containers often have no other user; Open MPI wants both */
        setenv("OMPI_ALLOW_RUN_AS_ROOT", "1", 1);
        setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", 1);
    }
    return fail_within(st, "the stages run through mpirun (load an MPI module, or set MPIRUN)");
}

/* Lines of `output` that `lines` lacks, except the first, which names the program. */
static void add_lines(names *lines, const char *output)
{
    names here = {0};
    names_split(&here, output, '\n');
    for (size_t i = 1; i < here.n; i++)
        if (*here.item[i] && names_find(lines, here.item[i]) < 0) names_add(lines, here.item[i]);
    names_free(&here);
}

/* PROGRAM --version [--verbose]; output: what it printed, caller frees. */
static status ask_version(const call *c, int stage, const char *verbose, char **output)
{
    status st = OK;
    char *program = driver_program(c, stage_table[stage].name), shown[400];
    char *argv[] = {program, (char *)"--version", (char *)verbose, NULL};
    int exit_status = 0;
    TRY(process_capture(argv, output, &exit_status));
    if (exit_status)
        TRY(fail(E_FAILED, "micon-%s does not start (exit %d): %s", stage_table[stage].name, exit_status,
                 text_show(shown, sizeof shown, process_last_line(*output))));
done:
    free(program);
    return st;
}

status program_starts(const call *c, int stage)
{
    char *output = NULL;
    status st = ask_version(c, stage, NULL, &output);
    free(output);
    return st;
}

status programs_describe(const call *c, text *out)
{
    status st = OK;
    names lines = {0};
    char *output = NULL;
    text_addf(out, "programs: %s\n", c->bin);
    for (int i = 0; i < n_stages; i++) {
        if (!driver_has_program(c, stage_table[i].name)) continue;
        TRY(ask_version(c, i, "--verbose", &output));
        add_lines(&lines, output);
        FREE(output);
    }
done:
    for (size_t i = 0; i < lines.n; i++) text_addf(out, "%s\n", lines.item[i]);
    names_free(&lines);
    free(output);
    return st;
}
