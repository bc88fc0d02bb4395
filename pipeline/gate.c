/* gate.c -- micon gate: are enough plates of a stage complete for the next one? Called by job scripts. */
#include "driver.h"

#include <stdio.h>

status command_gate(call *c)
{
    status st = OK;
    plan p = {0};
    size_t bad = 0, all = 0;
    if (c->a.stages.n != 1) TRY(fail(E_USAGE, "gate needs exactly one --stage"));
    c->a.ranks = 1;
    TRY(plan_make(&p, c));
    p.alone = true; /* judge each output by its own record: a missing plate does not invalidate the others */
    plan_decide(&p, &c->cfg);
    for (size_t i = 0; i < p.n; i++) {
        const step *s = &p.step[i];
        if (!s->chosen) continue;
        all++;
        if (s->state == STEP_CURRENT) continue;
        bad++;
        printf("%s: %s is not complete: %s\n", stage_table[s->stage].name, step_label(&p, s), s->why);
    }
    printf("%zu of %zu plates complete\n", all - bad, all);
    if ((double)bad > c->cfg.slurm.max_bad_plates * (double)all)
        TRY(fail(E_FAILED, "%zu of %zu plates are not complete, more than slurm.max_bad_plates allows: dependent jobs are cancelled", bad,
                 all));
done:
    plan_free(&p);
    return st;
}
