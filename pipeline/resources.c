/* resources.c -- what a stage's job requests from SLURM: its own section, then -n and --nodes, then the general section, then a default. */
#include "driver.h"

#include <string.h>

/* Numbers that stand for words in a stage's section. */
enum { AS_GENERAL = -1, STAGE_AUTO = -2, AUTO = -1 };

static int64_t number(int64_t of_stage, int64_t general)
{
    return of_stage == AS_GENERAL ? general : of_stage == STAGE_AUTO ? AUTO : of_stage;
}

static char *words(char *of_stage, char *general)
{
    return *of_stage ? of_stage : general;
}

slurm_resources resources_of(const call *c, int stage)
{
    enum { RANKS = 4, TRAIN_RANKS = 2 };
    const slurm_resources *all = &c->cfg.slurm.all;
    const slurm_resources *own = (const void *)((const char *)&c->cfg + stage_table[stage].resources);
    bool trains = stage_table[stage].trains;
    slurm_resources r = {.partition = words(own->partition, all->partition),
                         .account = words(own->account, all->account),
                         .qos = words(own->qos, all->qos),
                         .constraint = words(own->constraint, all->constraint),
                         .extra = words(own->extra, all->extra),
                         .time_min = number(own->time_min, all->time_min),
                         .mem = number(own->mem, all->mem),
                         .nodes = number(own->nodes, trains && c->a.nodes > 0 ? c->a.nodes : all->nodes),
                         .ntasks_per_node = number(own->ntasks_per_node, c->a.ranks > 0 ? c->a.ranks : all->ntasks_per_node),
                         .cpus_per_task = number(own->cpus_per_task, all->cpus_per_task)};
    if (r.nodes == AUTO) r.nodes = 1;
    if (r.cpus_per_task == AUTO) r.cpus_per_task = 1;
    if (r.ntasks_per_node == AUTO) r.ntasks_per_node = trains ? TRAIN_RANKS : RANKS;
    return r;
}

/* Gates only read files: one process, a quarter of an hour; partition and account of the general section. */
slurm_resources resources_of_gate(const call *c)
{
    enum { MINUTES = 15, BYTES = 1 << 30 };
    slurm_resources r = c->cfg.slurm.all;
    r.time_min = MINUTES;
    r.mem = BYTES;
    r.nodes = r.ntasks_per_node = r.cpus_per_task = 1;
    return r;
}
