/* stage.h -- the frame of a stage's main: command line, configuration, MPI, one error message, exit status.
 *
 *     int main(int argc, char **argv)
 *     {
 *         static const stage_def def = {.name = "tile", .summary = "...", .sections = "screen tile", .run_all = tile_run_all};
 *         return stage_main(argc, argv, &def);
 *     }
 *
 * --help and --version answer without MPI. What is wrong with the command line or the configuration is said once, by rank 0, and
 * is exit 2. run_all is collective: it returns the same status on every rank (comm.h). */
#ifndef MICON_STAGE_STAGE_H
#define MICON_STAGE_STAGE_H
#include "micon/config/config.h"
#include "micon/config/opt.h"

#include <mpi.h>

typedef struct stage stage;

typedef struct {
    const char *name;    /* "tile": the program is micon-tile */
    const char *summary; /* what it does, one or two lines */
    const char
        *sections;      /* of the configuration that --help explains, then single keys: "screen embed train.run"; NULL: the program reads no
                             configuration */
    unsigned affects;   /* the keys that decide what its output holds (config.h): recorded, and compared later */
    const opt *options; /* its own command line options, over a struct of options_size bytes; NULL: none */
    size_t options_size;
    const char *again;     /* when it ends with 75 (run it again to go on), for --help; NULL: never */
    const char *arguments; /* what may follow screen.yaml on the command line, for --help; NULL: nothing may */
    status (*run_all)(stage *s);
    status (*before_mpi)(stage *s); /* work before MPI_Init (a helper process); NULL: none. Options are parsed, nothing else is there */
    void (*after_mpi)(stage *s);    /* its end; called in any case where before_mpi was */
} stage_def;

struct stage {
    const stage_def *def;
    MPI_Comm comm;
    int rank, size;
    config cfg;      /* zero where def->sections is NULL */
    void *options;   /* the program's own, filled */
    names arguments; /* after screen.yaml */
    names plates;    /* --plate, as given */
    bool force, quiet, verify;
    void *keep; /* the program's own, for before_mpi */
};

int stage_main(int argc, char **argv, const stage_def *def);

#endif
