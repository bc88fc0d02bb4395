/* run_impl.h -- shared by run.c (a whole run and its summary) and run_stage.c (the processes of a stage). */
#ifndef RUN_IMPL_H
#define RUN_IMPL_H
#include "driver.h"

typedef enum { NOT_STARTED, RUNNING, DONE, FAILED, STOPPED, BLOCKED } outcome;

typedef struct {
    launch run;
    int tries; /* launches so far */
    int64_t ranks;
    outcome how;
    char *log, *reason;
} work_item; /* one per step of the plan */

typedef struct {
    call *c;
    plan *plan;
    work_item *item;
    bool anew;    /* --force to the stage programs */
    bool stopped; /* on request */
    names mpirun;
    double told, asked; /* times of the last line printed, and of the last stop signal sent */
    int passed_on;
} runner;

status run_stage(runner *r, int stage) MUST_USE; /* its steps, several at a time; failed ones are in r->item */
void run_print_commands(const runner *r);        /* --dry-run */

#endif
