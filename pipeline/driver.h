/* driver.h -- what the files of the driver share. The driver is an ordinary program: no MPI, no HDF5; what touches HDF5 is done by
 * stage programs that it starts. Nothing of a table or a configuration ever passes through a shell: programs are started with
 * argument vectors, and job scripts read theirs from files, NUL-separated. */
#ifndef MICON_DRIVER_H
#define MICON_DRIVER_H
#include "micon/base/file_lock.h"
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/config/config.h"
#include "micon/index/index.h"
#include "micon/provenance/output_record.h"
#include "micon/remote/remote.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* ---- the command line (main.c) ---- */
typedef struct {
    names stages, plates, sets, channels, rest;
    char *out, *pattern;             /* of index */
    bool planes;                     /* of index */
    char *picture, *compound, *html; /* picture: -o of gallery and preview */
    names wells;                     /* of gallery */
    int64_t ranks, nodes, interval, wait, storage;
    double link;  /* negative: as measured, or assumed */
    double pixel; /* of preview */
    int format;   /* of export: position in csv|parquet */
    bool calibrate, network, dry_run, force, failed, images, json, outlines, remote, watch, yes, quiet, help, version;
} arguments;

struct plan;

typedef struct {
    const char *name;
    char *path; /* of screen.yaml; NULL for a command that reads none */
    arguments a;
    config cfg;
    char *bin;         /* folder of the stage programs */
    names plain;       /* arguments passed on to a stage program: screen.yaml and --set */
    const char *again; /* "micon run screen.yaml --set ..", quoted for a shell: shown to people, never executed */
} call;

/* ---- the stage programs (programs.c) ---- */
char *driver_program(const call *c, const char *name); /* path of micon-NAME in the bin folder; caller frees */
bool driver_has_program(const call *c, const char *name);
void driver_quote(text *t, const char *word); /* quoted for a shell */
status mpirun_find(names *words) MUST_USE;    /* MPIRUN, or mpirun: its words */
/* Does the program of a stage start on this machine? E_FAILED: what the system says (a missing library). */
status program_starts(const call *c, int stage) MUST_USE;
/* What the stage programs are built with and run on, appended, each line once. E_FAILED: one of them does not start. */
status programs_describe(const call *c, text *out) MUST_USE;
extern char *const mpi_settings[]; /* of the environment: several mpirun side by side */

/* ---- the commands, each in the file of its name ---- */
status command_index(call *c); /* make_index.c */
status command_check(call *c);
/* check_wells.c, check_images.c: parts of it */
void check_say_wells(const config *c, const screen_index *ix); /* how controls and treatments were recognized, with counts */
void check_structures(const config *c, const screen_index *ix, findings *f);
void check_method(const config *c, findings *f);
/* One image of each plate and channel is opened; those behind URLs only where `net` is given. */
void check_images(const config *c, const screen_index *ix, remote *net, findings *f);
/* check_remote.c: all files behind URLs are asked for their sizes. */
status check_remote(const config *c, const screen_index *ix, remote *net, findings *f) MUST_USE;
status command_plan(call *c);
status command_run(call *c);
status command_rerun(call *c);
status command_submit(call *c);
status submit_again(call *c, struct plan *p) MUST_USE; /* the chosen steps of a plan that is made (submit.c) */
status command_gate(call *c);
status command_status(call *c);
status command_clean(call *c);
/* These hand over to a stage program (forward.c). */
status command_verify(call *c);
status command_compare(call *c);
status command_gallery(call *c);
status command_preview(call *c);
status command_predict(call *c);
status command_export(call *c);
status command_store(call *c);

/* ---- the stages (stage_table.c) ---- */
/* The rows of the table in the order of the flow: the only place that knows a stage by name. */
enum { MAX_STAGES = 16 };
struct screen_plate;

typedef struct {
    double core_s;     /* of one core at the built-in rates */
    double mem, bytes; /* of memory, all ranks; of output */
    double reads;      /* bytes of images or tiles */
} stage_cost;

typedef struct {
    const char *name;                /* its program is micon-NAME, its status files are in work/status/NAME */
    const char *needs;               /* the stages before it whose outputs it reads: "featurize tile" */
    const char *output;              /* below work: the file that means done. {run} and {plate}, here and below, stand for encoded names. */
    const char *record;              /* of its status files: work/status/NAME/RECORD.json, .made, .log ... (step.name) */
    const char *clean;               /* files and folders that `micon clean` looks through for its outputs, */
    const char *ends;                /* and how their names end */
    const char *folders;             /* where it writes files aside before it renames them; "." is work */
    const char *job;                 /* the script below jobs/ that runs it on SLURM, and the first words of its arguments */
    int stop_signal;                 /* asks it to stop with everything saved */
    bool per_plate;                  /* a step per plate; else one for the screen */
    bool reads_images;               /* its image files are compared only with --images */
    bool reads_profiles;             /* runs where evaluate.profiles gives a table instead of images */
    bool threads;                    /* its ranks compute on the threads that SLURM gives them (cpus_per_task) */
    bool trains;                     /* logs its steps, stops between two of them, which takes long */
    size_t resources;                /* its section of slurm: offset in config */
    bool (*wanted)(const config *c); /* is it part of this configuration's flow? NULL: yes */
    /* plate: NULL for a stage over the screen. */
    void (*estimate)(const struct plan *p, const config *c, const struct screen_plate *plate, stage_cost *cost);
} stage_info;
extern const stage_info stage_table[];
extern const int n_stages;

int stage_find(const char *name);                                          /* position in the table, or -1 */
bool stage_wanted(const config *c, int stage);                             /* is it part of this screen's flow? */
unsigned stage_needs(const config *c, int stage);                          /* bits of those wanted whose outputs it reads */
char *stage_path(const char *pattern, const char *run, const char *plate); /* {run} and {plate} replaced; caller frees */
char *stage_output(const config *c, int stage, const char *plate_name);    /* the file whose existence means done */
char *stage_record(const config *c, int stage, const char *plate_name);    /* of its status files: see step.name */
void stage_names(text *out);                                               /* "featurize, tile, ..." */
status stages_chosen(const names *given, unsigned *bits) MUST_USE;         /* --stage A,B; none given: all */
double estimate_train_s(const config *c);                                  /* of one core, at the built-in rate */

/* ---- the screen (screen.c) ---- */
typedef struct screen_plate {
    char *source, *batch, *plate;
    char *label; /* SOURCE/BATCH/PLATE, as --plate takes it */
    char *name;  /* in file names: SOURCE__BATCH__PLATE, encoded */
    int64_t sites, images;
    uint64_t rows[2]; /* digests of its rows of the index: of what tiles are made from, of all */
} screen_plate;
typedef struct {
    screen_plate *plate;
    size_t n;
    int64_t compounds;
} screen;
struct screen_index;
status screen_index_open(struct screen_index **ix, const config *c) MUST_USE; /* the cached one where it is right */
status screen_load(screen *s, const config *c) MUST_USE;
void screen_free(screen *s);
/* Mark the plates that --plate names (none given: all); chosen: s->n flags. E_USAGE for unknown or ambiguous ones. */
status screen_choose(const screen *s, const names *given, bool *chosen) MUST_USE;

void clean_own_folder(const char *path); /* remove a folder that only we write into; links are not followed (leftovers.c) */

/* ---- the plan (plan.c gathers what is on disk; plan_decide.c and plan_estimate.c are pure; plan_print.c) ---- */
typedef enum { STEP_CURRENT, STEP_CHECK, STEP_RUN, STEP_ABSENT } step_state;

typedef struct {
    char *path;
    int64_t size, mtime_ns;
    uint64_t digest;
} recorded_input;

/* The last try of a step, as far as its status files tell (step_status.c). */
typedef enum { STATUS_NONE, STATUS_RUNNING, STATUS_STOPPED, STATUS_FAILED, STATUS_DONE } step_status_state;
typedef struct {
    step_status_state state;
    char *message;                  /* the last, or why it failed; "" */
    char *unit;                     /* "sites" */
    double done, total, rate, left; /* rate a second; left in seconds, negative: not known */
    double seconds;                 /* duration, where it is done */
    char *log;                      /* NULL: none known */
    char *job;                      /* as squeue shows it, "12" or "12_3"; NULL: not a SLURM job */
    long uid;                       /* owner of the status file; -1: not known */
} step_status;

/* The state of a step now, from its record, its output, its last try, the lock and the queue (step_state.c), for all commands. */
typedef enum { IS_DONE, IS_RUNNING, IS_QUEUED, IS_STOPPED, IS_FAILED, IS_TODO, IS_NOT_HERE, N_STEP_KINDS } step_kind;
extern const char *const step_kind_words[N_STEP_KINDS];

/* The queue of SLURM, and what we put there (slurm.c). */
typedef struct {
    char *job; /* "123" or "123_4" */
    char *state, *reason;
} queued;
typedef struct {
    queued *item;
    size_t n;
    names numbers; /* of the jobs, each task of an array by its own */
    names users;   /* whose jobs were asked for: their uids */
    bool answered; /* squeue answered; the list is complete */
} queue;
typedef struct {
    int stage;
    bool gate;
    char *job;   /* number */
    long uid;    /* who submitted it: a work folder may be shared by a group */
    names tasks; /* of an array: the step names of each task, separated by ','; of a gate: the steps it waits for; otherwise the one */
} submitted;
typedef struct {
    submitted *item;
    size_t n, cap;
} submissions;

typedef struct {
    int stage;
    long plate; /* plate of the screen, or -1 */
    char *name; /* of its status files: PLATE; RUN/PLATE of embeddings; RUN */
    char *output;
    bool chosen; /* by --stage and --plate; others only matter for what depends on them */

    /* what is on disk */
    bool built, exists, has_record, of_the_file;
    step_status last; /* try to make it */
    output_record record;
    recorded_input *input; /* as recorded */
    size_t n_inputs;
    char *input_changed; /* the first recorded input whose size or time has changed, or NULL */

    /* decided */
    step_state state; /* what is to be done */
    char *why;
    step_kind is;
    double seconds;     /* estimate on the plan's ranks, alone */
    double here_s;      /* its share of the time here, with others beside it */
    int64_t mem, bytes; /* estimate: of memory, all ranks; of output */
    double reads;       /* estimate: bytes of images or tiles */
} step;

/* This machine's speed relative to the built-in rates (rates.c: work/status/rates.json). */
typedef struct {
    double factor[MAX_STAGES];  /* on the time of a core; 1: not measured */
    double start_s[MAX_STAGES]; /* of a step */
    bool measured;
} rates;
void rates_read(rates *r, const config *c);
status rates_write(const rates *r, const bool measured[MAX_STAGES], const config *c) MUST_USE;
status rates_calibrate(call *c) MUST_USE; /* plan_calibrate.c */

/* Sums between two ranks, within a node and between nodes: a round's start, its time a byte (0: not measured), and the share of the
 * messages' time that does not hide behind the backward pass (rates.c: work/status/network.json). */
typedef struct {
    double local_hop_s, local_byte_s, net_hop_s, net_byte_s, local_exposed, net_exposed;
} network_rates;
void network_read(network_rates *n, const config *c);
status network_calibrate(call *c) MUST_USE; /* plan_calibrate.c */

typedef struct plan {
    screen screen;
    rates rates;
    step *step;
    size_t n, cap;
    int64_t ranks;
    struct {
        int64_t nodes, ranks, threads; /* ranks on a node; threads of a rank */
    } shape[MAX_STAGES];               /* the shape of a stage's jobs; nodes 0: `ranks` of one thread on one node */
    int64_t node_ranks;                /* for the cost functions: ranks on a node of the stage being estimated */
    double tables;                     /* bytes of text of the outside tables (evaluate.profiles) */
    double memory, shared;             /* for a step here: free memory; the part of it that shared windows may use (base/memory_budget.h) */
    submissions jobs;                  /* recorded for this work folder */
    queue queue;                       /* read if there are jobs, or if a step reports that it runs as a job */
    text holder;                       /* holder of the work folder's lock; "" nobody */
    bool force;
    bool alone; /* plan_decide judges each step by its own output and record only, not by what other steps will do */
} plan;

status plan_make(plan *p, const call *c) MUST_USE;
void plan_free(plan *p);
void plan_decide(plan *p, const config *c);       /* pure: fills state and why of every step */
void plan_estimate(plan *p, const config *c);     /* pure: fills seconds, mem, bytes */
void step_states_read(plan *p, const config *c);  /* queue and lock; a step that reports a job which is over has failed */
void step_states_judge(plan *p, const config *c); /* after plan_decide of a plan that is `alone`: the state of each step now */
bool step_is_active(const step *s);               /* running or queued */

/* ---- on many nodes (plan_scale.c) ---- */
typedef struct {
    int64_t nodes, ranks;      /* of a node: one a core */
    int64_t train_ranks;       /* of training, whose threads share the cores */
    double link_gbit, storage; /* of a node; negative: as measured; bytes that the shared file system reads in a second, for all nodes */
    network_rates network;
} scale_cluster;

/* A step of training: the gradient is summed in messages while the backward pass goes on, batch norm's sums are waited for. */
typedef struct {
    int64_t nodes, ranks;         /* of a node */
    double forward_s, backward_s; /* of the rank with the most items */
    int64_t messages, norms;      /* of the gradient; sums of batch norm, as many in each direction */
    double message_bytes, local_hop_s, local_byte_s, net_hop_s, net_byte_s;
    double exposed; /* the share of the messages' time that does not hide behind the backward pass */
} scale_step;
/* core_s: a step's on one core. */
void scale_step_of(scale_step *s, const config *c, double core_s, const scale_cluster *k);
double scale_step_s(const scale_step *s);
double scale_norm_s(const scale_step *s); /* of a step */

typedef struct {
    double seconds, efficiency; /* of all cores */
    const char *limit;
} scale_row;
bool scale_stage(const plan *p, const config *c, int stage, const scale_cluster *k, scale_row *row); /* false: nothing to do */
double scale_print(const plan *p, const config *c, const scale_cluster *k, text *out);               /* a row per stage; all seconds */

/* k: NULL for this machine. */
void plan_print(const plan *p, const config *c, const scale_cluster *k, text *out);
/* Remarks on what exceeds this machine, or (here: false) a node, by the plan's estimates (remarks.c). */
void plan_remarks(const plan *p, const config *c, bool here, names *out);
status plan_check_possible(const plan *p, const config *c) MUST_USE; /* prints the remarks; an error for what cannot work */
void plan_warn_left_out(const plan *p);                              /* the chosen steps that cannot run here */
const char *step_label(const plan *p, const step *s);                /* the plate's label, or the name */
bool step_wants_run(const step *s);                                  /* chosen, and to be run or checked */
const step *plan_find(const plan *p, int stage, long plate);

/* ---- processes (process.c) ---- */
typedef struct {
    pid_t pid;
    int exit; /* as a shell gives it: 128 + signal */
} process;
/* Start argv (a NULL-terminated vector) in a process group of its own that ends when we are killed. stdout and stderr go to the file `log`
 * (appended), or stay ours where it is NULL. env: "NAME=value" entries on top of ours; may be NULL. */
status process_start(process *p, char *const *argv, char *const *env, const char *log) MUST_USE;
status process_capture(char *const *argv, char **output, int *exit_status) MUST_USE; /* stdout and stderr, at most 16 MiB */
const char *process_last_line(char *output); /* usually the error message; cuts trailing newlines off */
bool process_ended(process *p, bool wait_for_it);
void process_signal(const process *p, int sig);
void process_kill_ranks(const process *p); /* the ranks of an mpirun, which then cleans up and ends; itself if it has none */
void process_end_all(void);                /* kills all remaining descendants: after the last step has ended */
status process_find(const char *program, char **path) MUST_USE; /* on PATH; E_FAILED "PROGRAM is not installed" */

/* ---- one mpirun (launch.c) ---- */
typedef struct {
    process p;
    char *folder; /* of this launch alone */
} launch;
/* Start argv, an mpirun of a stage program, as process_start does. launch_end in any case where this was OK. */
status launch_start(launch *l, char *const *argv, const char *log) MUST_USE;
bool launch_failed_before_start(const launch *l); /* it failed before the stage program ran: worth another try */
void launch_end(launch *l);                       /* removes its folder */
void launch_sweep(void);                          /* removes folders that launches of killed drivers left */

int64_t process_cores(void); /* that this process may use */

/* Count the signals that ask us to stop. */
void stop_catch(void);
int stop_asked(void);

/* ---- the lock of a work folder (lock.c) ---- */
typedef struct {
    file_lock *held;
} work_lock;
status lock_take(work_lock *l, const call *c) MUST_USE; /* E_FAILED: who holds it, since when, what to do */
void lock_release(work_lock *l);
bool lock_holder(const config *c, text *who); /* is a run active here? who: appended */

/* ---- status files of the steps (step_status.c) ---- */
void step_status_read(step_status *out, const config *c, const step *s); /* missing or unreadable files count as no try */
void step_status_free(step_status *s);
/* Does the status file at `path` belong to a program that runs, as far as can be told here and by SLURM? who: appended. */
bool step_status_is_live(const char *path, text *who);
void step_status_show(const step_status *s, text *out); /* "120 of 345 sites, 12.3 a second, 3 min left" */
void step_status_failed(step_status *s, const char *why);
struct json_t *driver_json(const char *path); /* of a regular file; NULL: there is none, or it cannot be read. json_decref frees it */
char *step_file(const config *c, const step *s, const char *end); /* work/status/STAGE/NAME.END; caller frees */
char *step_job_log(const config *c, int stage, const char *job);  /* of a SLURM job, "12" or "12_3"; caller frees */
bool step_file_is_newer(const char *a, const char *b);            /* than b, or b does not exist */
/* The reason of a failure from its log: the last line with an error, else the last line. Caller frees. */
char *step_failure_reason(const char *log, int exit_status);
/* The state of all steps as an HTML page (status_page.c). refresh_s: refresh interval; 0: none. */
status status_page_write(const char *file, const char *title, const plan *p, int64_t refresh_s) MUST_USE;

/* ---- SLURM (slurm.c) ---- */
slurm_resources resources_of(const call *c, int stage); /* of the stage's jobs (resources.c); texts are the configuration's */
slurm_resources resources_of_gate(const call *c);
void queue_free(queue *q);
const queued *queue_find(const queue *q, const char *job, long task);

/* As squeue shows them: our jobs, those of who submitted these, and of the users `also`. */
status queue_read(queue *q, const submissions *s, const long *also, size_t n_also) MUST_USE;
bool queue_lacks(const queue *q, const char *job, long uid); /* that user's jobs were read, and it is not among them: it is over */
void submissions_read(submissions *s, const config *c);      /* work/status/slurm.json; none: empty */
status submissions_write(const submissions *s, const config *c) MUST_USE;
status submissions_none_active(const call *c, queue *q) MUST_USE; /* E_FAILED while jobs of ours are queued or running; q: what was seen */
void clean_leftovers(const config *c, const queue *q); /* under the lock: removes half-written files of dead runs (leftovers.c) */
/* How a job ended, in SLURM's word ("OUT_OF_MEMORY"), where there is an accounting database; else NULL. Caller frees. */
char *slurm_end_of(const char *job);
bool submitted_is_active(const submitted *s, const queue *q);
long submitted_task(const submitted *s, const char *step_name);                   /* the task that makes it, -1: none */
bool submitted_covers(const submitted *s, const queue *q, const char *step_name); /* does an active job still have to make that step? */
void submissions_free(submissions *s);
void submissions_add(submissions *s, int stage, bool gate, const char *job, long uid, const names *tasks);

#endif
