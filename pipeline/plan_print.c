/* plan_print.c -- micon plan: the plan as a table. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void add_row(text *out, const char *stage, const char *what, const char *which, const char *cost[3], const char *why)
{
    text_addf(out, "%-10s %-10s %-22s %11s %9s %9s%s%s\n", stage, what, which, cost[0], cost[1], cost[2], *why ? "  " : "", why);
}

/* Steps of one stage with the same verdict are one row. */
static void add_group(const plan *p, size_t first, bool *shown, text *out)
{
    static const char *const verdict[] = {"up to date", "check", "run", "not here"};
    const step *s = &p->step[first];
    double seconds = 0, bytes = 0, mem = 0;
    size_t n = 0;
    char which[400], time[32], memory[32], size[32];
    for (size_t i = first; i < p->n; i++) {
        const step *o = &p->step[i];
        if (shown[i] || !o->chosen || o->stage != s->stage || o->state != s->state || strcmp(o->why, s->why) != 0) continue;
        shown[i] = true;
        n++;
        seconds += o->here_s;
        bytes += (double)o->bytes;
        if ((double)o->mem > mem) mem = (double)o->mem;
    }
    if (s->plate < 0 || n == 1)
        text_show(which, sizeof which, step_label(p, s));
    else
        snprintf(which, sizeof which, "%zu plates", n);
    bool costs = s->state == STEP_RUN || s->state == STEP_CHECK;
    num_show_time(time, sizeof time, seconds);
    num_show_bytes(memory, sizeof memory, mem);
    num_show_bytes(size, sizeof size, bytes);
    add_row(out, stage_table[s->stage].name, verdict[s->state], which,
            costs ? (const char *[3]){time, memory, size} : (const char *[3]){"-", "-", "-"}, s->state == STEP_CURRENT ? "" : s->why);
}

/* Stages one after the other. */
static double time_here(const plan *p)
{
    double total = 0;
    for (size_t i = 0; i < p->n; i++)
        if (step_wants_run(&p->step[i])) total += p->step[i].here_s;
    return total;
}

void plan_print(const plan *p, const config *c, const scale_cluster *k, text *out)
{
    bool *shown = xcalloc(p->n + 1, sizeof *shown);
    names remarks = {0};
    size_t todo = 0, active = 0, current = 0, absent = 0;
    int64_t sites = 0, nodes = k ? k->nodes : 0;
    char name[200], t[32];
    for (size_t i = 0; i < p->screen.n; i++) sites += p->screen.plate[i].sites;
    text_addf(out, "screen '%s': %zu plate%s, %lld sites\n\n", text_show(name, sizeof name, c->screen.name), p->screen.n,
              p->screen.n == 1 ? "" : "s", (long long)sites);
    add_row(out, "STAGE", "ACTION", "WHAT", (const char *[3]){"TIME", "MEMORY", "DISK"}, "WHY");
    for (size_t i = 0; i < p->n; i++) {
        if (p->step[i].chosen && !shown[i]) add_group(p, i, shown, out);
        todo += step_wants_run(&p->step[i]);
        current += p->step[i].chosen && p->step[i].state == STEP_CURRENT;
        absent += p->step[i].chosen && p->step[i].state == STEP_ABSENT;
    }
    double seconds = todo && k ? scale_print(p, c, k, out) : time_here(p);
    if (!todo && !current && absent)
        text_add(out, "\nNothing can run here: see WHY.\n");
    else if (!todo)
        text_addf(out, "\nNothing to do: all outputs that can be made here are up to date%s.\n",
                  k ? "; with --force --nodes estimates all of it" : "");
    else
        text_addf(out, "\n%zu step%s to do, about %s on %lld %s.\n", todo, todo == 1 ? "" : "s", num_show_time(t, sizeof t, seconds),
                  (long long)(nodes ? nodes : p->ranks),
                  nodes           ? (nodes == 1 ? "node" : "nodes")
                  : p->ranks == 1 ? "core"
                                  : "cores");
    if (todo && !p->rates.measured) text_add(out, "Times are from built-in rates; micon plan --calibrate measures this machine.\n");
    for (size_t i = 0; i < p->n; i++) active += step_is_active(&p->step[i]);
    plan_remarks(p, c, true, &remarks);
    for (size_t i = 0; i < remarks.n; i++) text_addf(out, "Note: %s.\n", remarks.item[i]);
    names_free(&remarks);
    if (active) text_addf(out, "%zu step%s running or queued now: see micon status.\n", active, active == 1 ? " is" : "s are");
    if (todo && nodes) {
        time_t end = time(NULL) + (time_t)seconds;
        struct tm tm;
        char when[64] = "";
        if (localtime_r(&end, &tm)) strftime(when, sizeof when, "%a %d %b %H:%M", &tm);
        text_addf(out, "If it is submitted now and does not wait in the queue, it finishes at %s.\n", when);
    }
    free(shown);
}

void plan_warn_left_out(const plan *p)
{
    for (int stage = 0; stage < n_stages; stage++)
        for (size_t i = 0; i < p->n; i++)
            if (p->step[i].stage == stage && p->step[i].chosen && p->step[i].state == STEP_ABSENT) {
                log_warn("%s is left out: %s", stage_table[stage].name, p->step[i].why);
                break;
            }
}

/* Training has few ranks per node, as with `micon submit`. */
static scale_cluster cluster_of(const call *c, const plan *p)
{
    enum { USUAL = 2 };
    const slurm_options *all = &c->cfg.slurm;
    int64_t own = all->train.ntasks_per_node, ranks = own > 0 ? own : all->all.ntasks_per_node > 0 ? all->all.ntasks_per_node : USUAL;
    network_rates network;
    network_read(&network, &c->cfg);
    return (scale_cluster){.nodes = c->a.nodes,
                           .ranks = p->ranks,
                           .train_ranks = ranks < p->ranks ? ranks : p->ranks,
                           .link_gbit = c->a.link,
                           .storage = (double)c->a.storage,
                           .network = network};
}

status command_plan(call *c)
{
    status st = OK;
    plan p = {0};
    text t = {0};
    if (c->a.network && !c->a.calibrate) TRY(fail(E_USAGE, "--network goes with --calibrate"));
    if (c->a.calibrate) TRY(c->a.network ? network_calibrate(c) : rates_calibrate(c));
    TRY(plan_make(&p, c));
    const scale_cluster cluster = cluster_of(c, &p);
    plan_print(&p, &c->cfg, c->a.nodes > 0 ? &cluster : NULL, &t);
    fputs(text_str(&t), stdout);
done:
    text_free(&t);
    plan_free(&p);
    return st;
}
