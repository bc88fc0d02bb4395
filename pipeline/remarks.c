/* remarks.c -- what to know before a plan is run: more ranks than cores, more memory or disk than there is; and what cannot work at all.
 * Estimates may be wrong by a factor: memory stops a run only where that could not explain it. */
#include "driver.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static double largest_memory(const plan *p, int stage)
{
    double most = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->step[i].stage == stage && step_wants_run(&p->step[i]) && (double)p->step[i].mem > most) most = (double)p->step[i].mem;
    return most;
}

static void add(names *out, char *remark)
{
    names_add(out, remark);
    free(remark);
}

static void remark_disk(const plan *p, const config *c, names *out)
{
    char need[32], have[32], *work = config_work(c, "");
    double bytes = 0;
    int64_t left = 0;
    for (size_t i = 0; i < p->n; i++)
        if (step_wants_run(&p->step[i])) bytes += (double)p->step[i].bytes;
    if (path_free_bytes(path_exists(work) ? work : c->dir, &left) != OK)
        msg_clear();
    else if (bytes > (double)left)
        add(out, xasprintf("the outputs take about %s of disk, and %s are free in %s", num_show_bytes(need, sizeof need, bytes),
                           num_show_bytes(have, sizeof have, (double)left), work));
    free(work);
}

void plan_remarks(const plan *p, const config *c, bool here, names *out)
{
    char need[32], have[32];
    int64_t cores = process_cores();
    bool any = false;
    for (int stage = 0; stage < n_stages; stage++) {
        double memory = largest_memory(p, stage);
        any |= memory > 0;
        if (memory > p->memory)
            add(out, xasprintf("%s takes about %s of memory, and %s are free %s%s", stage_table[stage].name,
                               num_show_bytes(need, sizeof need, memory), num_show_bytes(have, sizeof have, p->memory),
                               here ? "here" : "on a node",
                               stage_table[stage].trains ? "; train.memory bounds it, as do a smaller train.batch and fewer ranks" : ""));
    }
    if (here && any && p->ranks > cores)
        add(out, xasprintf("%lld ranks share %lld core%s: more ranks than cores make it slower", (long long)p->ranks, (long long)cores,
                           cores == 1 ? "" : "s"));
    if (here) remark_disk(p, c, out);
}

/* An mpirun keeps about four files open for each of its ranks. One that cannot open them does not end. */
static status check_open_files(const plan *p)
{
    enum { OF_MPIRUN = 64, OF_RANK = 4 };
    rlim_t need = OF_MPIRUN + OF_RANK * (rlim_t)p->ranks;
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0 || r.rlim_cur >= need) return OK;
    r.rlim_cur = r.rlim_max < need ? r.rlim_max : need;
    if (r.rlim_cur >= need && setrlimit(RLIMIT_NOFILE, &r) == 0) return OK;
    return fail(E_FAILED, "%lld ranks need %lld open files a process, and %lld are allowed: raise ulimit -n, or take fewer ranks (-n)",
                (long long)p->ranks, (long long)need, (long long)r.rlim_max);
}

static status check_memory(const plan *p)
{
    enum { CERTAINLY = 8 };
    char need[32], have[32];
    double all = (double)sysconf(_SC_PHYS_PAGES) * (double)sysconf(_SC_PAGESIZE);
    for (int stage = 0; stage < n_stages; stage++) {
        double memory = largest_memory(p, stage);
        if (memory > CERTAINLY * all)
            return fail(E_FAILED, "%s takes about %s of memory, and this machine has %s: it would be killed; nothing was started%s",
                        stage_table[stage].name, num_show_bytes(need, sizeof need, memory), num_show_bytes(have, sizeof have, all),
                        stage_table[stage].trains ? ". train.memory bounds it, as do a smaller train.batch and fewer ranks" : "");
    }
    return OK;
}

status plan_check_possible(const plan *p, const config *c)
{
    status st = OK;
    names remarks = {0};
    TRY(check_open_files(p));
    TRY(check_memory(p));
    plan_remarks(p, c, true, &remarks);
    for (size_t i = 0; i < remarks.n; i++) log_warn("%s", remarks.item[i]);
done:
    names_free(&remarks);
    return st;
}
