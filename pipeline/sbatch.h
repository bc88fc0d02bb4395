/* sbatch.h -- submitting a job: the site's settings, an sbatch line, the files with its arguments. With --dry-run lines are printed, and
 * nothing is written or sent. */
#ifndef SBATCH_H
#define SBATCH_H
#include "cluster.h"
#include "driver.h"

typedef struct {
    const call *c;
    char *home;                /* folder of jobs/ */
    char *screen, *logs;       /* screen.yaml and work/status/slurm, absolute: jobs start in `home` */
    char *program;             /* sbatch; NULL until it is needed */
    char *partition, *account; /* of site.env */
    char *modules;             /* that jobs load first; "": none */
    int64_t jobs;              /* sent so far */
    cluster cluster;           /* as SLURM describes itself */
} sbatch_site;
status sbatch_site_find(sbatch_site *s, const call *c) MUST_USE; /* s is {0} before */
void sbatch_site_free(sbatch_site *s);
/* What a stage's job requests (-1: a gate), with the site's values where the configuration has none. */
slurm_resources sbatch_resources(const sbatch_site *s, int stage);

/* Automatic values stay below what the partition allows: more would be refused. */
int64_t sbatch_minutes(const sbatch_site *s, const slurm_resources *r, double seconds);
int64_t sbatch_megabytes(const sbatch_site *s, const slurm_resources *r, int64_t bytes);

typedef struct {
    names argv; /* {0} before, names_free after */
} sbatch_line;
void sbatch_begin(const sbatch_site *s, sbatch_line *l, const char *job, const slurm_resources *r, int64_t time_min, int64_t mem_mb);
void sbatch_add(sbatch_line *l, const char *option, const char *value); /* one word of both */
void sbatch_add_n(sbatch_line *l, const char *option, int64_t n, const char *unit);
void sbatch_add_log(const sbatch_site *s, sbatch_line *l, const char *name);
void sbatch_add_after(sbatch_line *l, const char *how, const text *jobs);                        /* jobs: ":12:13", may be empty */
void sbatch_add_script(const sbatch_site *s, sbatch_line *l, const char *job, const char *args); /* job: "stage.sh tile"; the last word */
status sbatch_send(sbatch_site *s, const sbatch_line *l, char **job) MUST_USE;                   /* job: its number; caller frees */

/* A folder of its own for a job's arguments, work/status/slurm/JOB-N; and a file there. */
status sbatch_args_folder(const sbatch_site *s, const char *job, char **out) MUST_USE;
status sbatch_write_launcher(const sbatch_site *s, const char *dir) MUST_USE; /* slurm.launcher, where it is not auto */
status sbatch_write_args(const sbatch_site *s, const char *dir, const char *file, const names *args) MUST_USE;

#endif
