/* plan_estimate.c -- time, memory and disk: the stages' costs (stage_table.c), scaled by this machine's rates, which `micon plan
 * --calibrate` measures (plan_calibrate.c). */
#include "driver.h"

#include <math.h>

void plan_estimate(plan *p, const config *c)
{
    double wanted[MAX_STAGES] = {0};
    for (size_t i = 0; i < p->n; i++) wanted[p->step[i].stage] += step_wants_run(&p->step[i]);
    for (size_t i = 0; i < p->n; i++) {
        step *s = &p->step[i];
        stage_cost cost;
        int64_t nodes = p->shape[s->stage].nodes, ranks = nodes ? nodes * p->shape[s->stage].ranks : p->ranks;
        double cores = (double)(nodes && stage_table[s->stage].threads ? ranks * p->shape[s->stage].threads : ranks);
        p->node_ranks = nodes ? p->shape[s->stage].ranks : p->ranks;
        stage_table[s->stage].estimate(p, c, s->plate >= 0 ? &p->screen.plate[s->plate] : NULL, &cost);
        double lanes = fmax(1, fmin(wanted[s->stage], (double)p->ranks)); /* programs that start at the same time */
        double core_s = cost.core_s * p->rates.factor[s->stage], start_s = p->rates.start_s[s->stage];
        s->mem = (int64_t)cost.mem;
        s->bytes = (int64_t)cost.bytes;
        s->reads = cost.reads;
        s->seconds = start_s + core_s / cores;
        s->here_s = start_s / lanes + core_s / (double)p->ranks;
    }
}
