/* cluster.c -- SLURM's partitions, nodes and limits, and whether a job can run there. */
#include "cluster.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The output of a program of SLURM; NULL where it is not there or fails. Caller frees. */
static char *answer(const char *program, char *const *words)
{
    char *path = NULL, *output = NULL, *argv[12] = {NULL};
    int exit_status = 1;
    if (process_find(program, &path) == OK) {
        argv[0] = path;
        for (size_t i = 0; words[i] && i + 2 < sizeof argv / sizeof *argv; i++) argv[i + 1] = words[i];
        if (process_capture(argv, &output, &exit_status) != OK || exit_status) FREE(output);
    }
    msg_clear();
    free(path);
    return output;
}

/* "30:00", "2:00:00", "1-00:00:00", "infinite": in minutes, 0 without limit. */
static int64_t minutes_of(const char *s)
{
    long long days = 0, part[3] = {0};
    int n = 0;
    const char *dash = strchr(s, '-');
    char *end;
    if (dash) days = strtoll(s, NULL, 10), s = dash + 1;
    for (; n < 3; s = end + 1) {
        part[n++] = strtoll(s, &end, 10);
        if (*end != ':') break;
    }
    return n == 3 ? days * 1440 + part[0] * 60 + part[1] : days * 1440 + part[0];
}

/* Lines "cpu*|64000|32|1-00:00:00|up|4|idle|avx512,hdr"; the default partition with a star, "64000+" where nodes differ. */
static void add_group(cluster *k, size_t *cap, const names *f)
{
    const char *name = f->item[0];
    size_t n = strlen(name);
    if (!n || mem_grow(&k->group, cap, k->n + 1, sizeof *k->group, "nodes of SLURM") != OK) {
        msg_clear();
        return;
    }
    const char *const word[8] = {name,
                                 f->n > 1 ? f->item[1] : "",
                                 f->n > 2 ? f->item[2] : "",
                                 f->n > 3 ? f->item[3] : "",
                                 f->n > 4 ? f->item[4] : "up",
                                 f->n > 5 ? f->item[5] : "",
                                 f->n > 6 ? f->item[6] : "idle",
                                 f->n > 7 ? f->item[7] : ""};
    bool is_default = name[n - 1] == '*';
    int64_t mb = strtoll(word[1], NULL, 10);
    k->group[k->n++] = (node_group){.partition = xstrndup(name, n - is_default),
                                    .is_default = is_default,
                                    .mem_mb = mb > 0 && mb < INT64_MAX >> 20 ? mb : 0,
                                    .cpus = strtoll(word[2], NULL, 10),
                                    .limit_min = minutes_of(word[3]),
                                    .up = strcmp(word[4], "up") == 0,
                                    .nodes = strtoll(word[5], NULL, 10),
                                    .state = xstrdup(word[6]),
                                    .features = xstrdup(word[7])};
}

/* "MaxArraySize            = 1001" */
static int64_t config_value(const char *output, const char *key)
{
    const char *p = strstr(output, key);
    p = p ? strchr(p, '=') : NULL;
    return p ? strtoll(p + 1, NULL, 10) : 0;
}

void cluster_read(cluster *k)
{
    char *const of_nodes[] = {(char *)"--noheader", (char *)"--all", (char *)"--exact", /* --all: hidden partitions too */
                              (char *)"--format=%P|%m|%c|%l|%a|%D|%T|%f", NULL};
    char *const of_config[] = {(char *)"show", (char *)"config", NULL};
    char *nodes = answer("sinfo", of_nodes), *limits = answer("scontrol", of_config);
    names lines = {0};
    size_t cap = 0;
    *k = (cluster){0};
    if (nodes) names_split(&lines, nodes, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        names f = {0};
        names_split(&f, lines.item[i], '|');
        if (f.n > 1) add_group(k, &cap, &f);
        names_free(&f);
    }
    if (limits) {
        k->max_array = config_value(limits, "MaxArraySize");
        k->max_jobs = config_value(limits, "MaxJobCount");
    }
    names_free(&lines);
    free(nodes);
    free(limits);
}

/* The smallest number after "NAME|" in lines; name "": of all lines. 0: none. */
static int64_t smallest(const char *output, const char *name)
{
    names lines = {0};
    int64_t least = 0;
    names_split(&lines, output, '\n');
    for (size_t i = 0; i < lines.n; i++) {
        const char *bar = strchr(lines.item[i], '|');
        size_t n = bar ? (size_t)(bar - lines.item[i]) : 0;
        if (!bar || (*name && (strlen(name) != n || strncmp(lines.item[i], name, n) != 0))) continue;
        int64_t here = strtoll(bar + 1, NULL, 10);
        if (here > 0 && (!least || here < least)) least = here;
    }
    names_free(&lines);
    return least;
}

void cluster_read_account(cluster *k, const char *account, const char *qos)
{
    const struct passwd *me = getpwuid(geteuid());
    char *user = xasprintf("user=%s", me ? me->pw_name : "");
    char *const of_user[] = {(char *)"--noheader",
                             (char *)"--parsable2",
                             (char *)"show",
                             (char *)"associations",
                             (char *)"where",
                             user,
                             (char *)"format=account,maxsubmitjobs",
                             NULL};
    char *const of_qos[] = {
        (char *)"--noheader", (char *)"--parsable2", (char *)"show", (char *)"qos", (char *)"format=name,maxsubmitjobsperuser", NULL};
    char *mine = answer("sacctmgr", of_user), *theirs = *qos ? answer("sacctmgr", of_qos) : NULL;
    int64_t found[2] = {mine ? smallest(mine, account) : 0, theirs ? smallest(theirs, qos) : 0};
    for (int i = 0; i < 2; i++)
        if (found[i] && (!k->max_submit || found[i] < k->max_submit)) k->max_submit = found[i];
    free(mine);
    free(theirs);
    free(user);
}

void cluster_free(cluster *k)
{
    for (size_t i = 0; i < k->n; i++) {
        free(k->group[i].partition);
        free(k->group[i].state);
        free(k->group[i].features);
    }
    free(k->group);
    *k = (cluster){0};
}

/* ---- what a partition has ---- */
/* partition: one or several, "cpu,big", as sbatch takes them; "": the default one. */
static bool is_of(const node_group *g, const char *partition)
{
    if (!*partition) return g->is_default;
    names list = {0};
    names_split(&list, partition, ',');
    bool is = names_find(&list, g->partition) >= 0;
    names_free(&list);
    return is;
}

int64_t cluster_node_mb(const cluster *k, const char *partition)
{
    int64_t most = 0;
    for (size_t i = 0; i < k->n; i++)
        if (is_of(&k->group[i], partition) && k->group[i].mem_mb > most) most = k->group[i].mem_mb;
    return most;
}

int64_t cluster_limit_min(const cluster *k, const char *partition)
{
    int64_t most = 0;
    for (size_t i = 0; i < k->n; i++) {
        if (!is_of(&k->group[i], partition)) continue;
        if (!k->group[i].limit_min) return 0;
        if (k->group[i].limit_min > most) most = k->group[i].limit_min;
    }
    return most;
}

/* ---- can a job run there? ---- */
static bool takes_jobs(const node_group *g)
{
    static const char *const not_now[] = {"down", "drain", "fail", "maint", "inval", "unknown", "powered_down", "reboot"};
    for (size_t i = 0; i < sizeof not_now / sizeof *not_now; i++)
        if (strncmp(g->state, not_now[i], strlen(not_now[i])) == 0) return false;
    return true;
}

typedef struct {
    int64_t groups, nodes, open, cpus; /* of the partition: groups; nodes; those that take jobs now; CPUs of the largest */
    bool up, has_features;
} reach;

/* A constraint of one word is compared with the nodes' features; expressions are left to SLURM. */
static reach reach_of(const cluster *k, const slurm_resources *r)
{
    reach c = {0};
    bool one_word = *r->constraint && !strpbrk(r->constraint, "&|[]()*, ");
    c.has_features = !one_word;
    for (size_t i = 0; i < k->n; i++) {
        const node_group *g = &k->group[i];
        names features = {0};
        if (!is_of(g, r->partition)) continue;
        c.groups++;
        c.up |= g->up;
        c.nodes += g->nodes;
        if (takes_jobs(g)) c.open += g->nodes > 0 ? g->nodes : 1;
        if (g->cpus > c.cpus) c.cpus = g->cpus;
        names_split(&features, g->features, ',');
        c.has_features |= one_word && names_find(&features, r->constraint) >= 0;
        names_free(&features);
    }
    return c;
}

static void list_partitions(const cluster *k, text *out)
{
    names seen = {0};
    for (size_t i = 0; i < k->n; i++) {
        if (names_find(&seen, k->group[i].partition) >= 0) continue;
        names_add(&seen, k->group[i].partition);
        text_addf(out, "%s%s", seen.n > 1 ? ", " : "", k->group[i].partition);
    }
    names_free(&seen);
}

static status no_such_partition(const cluster *k, const char *stage, const char *partition)
{
    text have = {0};
    char shown[100];
    list_partitions(k, &have);
    status st = *partition
                    ? fail(E_FAILED, "%s: this cluster has no partition '%s'; it has: %s (slurm.partition, slurm.%s.partition)", stage,
                           text_show(shown, sizeof shown, partition), text_str(&have), stage)
                    : fail(E_FAILED, "%s: this cluster has no default partition: name one of %s (slurm.partition)", stage, text_str(&have));
    text_free(&have);
    return st;
}

static status check_size(const cluster *k, const char *stage, const slurm_resources *r, const reach *c)
{
    int64_t mb = cluster_node_mb(k, r->partition), limit = cluster_limit_min(k, r->partition), cpus = r->ntasks_per_node * r->cpus_per_task;
    char asked[32], have[32];
    if (r->mem > 0 && mb > 0 && r->mem > mb << 20)
        return fail(E_FAILED, "%s: slurm.mem is %s, and the largest node of the partition has %s", stage,
                    num_show_bytes(asked, sizeof asked, (double)r->mem), num_show_bytes(have, sizeof have, (double)mb * 1048576));
    if (r->time_min > 0 && limit > 0 && r->time_min > limit && !*r->qos) /* a qos may allow more */
        return fail(E_FAILED, "%s: slurm.time is %lld minutes, and the partition allows %lld", stage, (long long)r->time_min,
                    (long long)limit);
    if (c->cpus > 0 && cpus > c->cpus)
        return fail(E_FAILED,
                    "%s: %lld ranks of %lld CPUs on a node, and the largest node of the partition has %lld CPUs: fewer "
                    "ntasks_per_node (-n) or cpus_per_task",
                    stage, (long long)r->ntasks_per_node, (long long)r->cpus_per_task, (long long)c->cpus);
    if (c->nodes > 0 && r->nodes > c->nodes)
        return fail(E_FAILED, "%s: %lld nodes asked for, and the partition has %lld", stage, (long long)r->nodes, (long long)c->nodes);
    return OK;
}

/* Says of a feature that some nodes of the partition have, by a name that sites give it, and with which networks are faster. Nothing is
 * chosen for the user: other nodes may be free sooner. */
static char *faster_nodes(const cluster *k, const char *stage, const slurm_resources *r)
{
    static const char *const names_of[] = {"amx", "amx_bf16", "amx-bf16", "spr", "sapphirerapids", "emr", "gnr"};
    if (*r->constraint || (strcmp(stage, "train") != 0 && strcmp(stage, "embed") != 0)) return NULL;
    for (size_t f = 0; f < sizeof names_of / sizeof *names_of; f++) {
        int64_t with = 0, all = 0;
        for (size_t i = 0; i < k->n; i++) {
            names features = {0};
            if (!is_of(&k->group[i], r->partition)) continue;
            names_split(&features, k->group[i].features, ',');
            all += k->group[i].nodes;
            if (names_find(&features, names_of[f]) >= 0) with += k->group[i].nodes;
            names_free(&features);
        }
        if (with > 0 && with < all)
            return xasprintf("%s: %lld of the partition's %lld nodes have the feature '%s', on which networks are faster: "
                             "slurm.%s.constraint: %s would ask for them",
                             stage, (long long)with, (long long)all, names_of[f], stage, names_of[f]);
    }
    return NULL;
}

status cluster_check(const cluster *k, const char *stage, const slurm_resources *r, names *warnings)
{
    if (!k->n) return OK;
    reach c = reach_of(k, r);
    char *warning = NULL, shown[100];
    if (!c.groups) return no_such_partition(k, stage, r->partition);
    if (!c.has_features)
        return fail(E_FAILED, "%s: no node of the partition has the feature '%s' (slurm.constraint)", stage,
                    text_show(shown, sizeof shown, r->constraint));
    status st = check_size(k, stage, r, &c);
    if (!c.up)
        warning = xasprintf("%s: the partition is down: jobs wait until it is up", stage);
    else if (c.open < r->nodes)
        warning =
            xasprintf("%s: %lld of the partition's nodes take jobs now (the others are down or drained), and a job needs %lld: it waits",
                      stage, (long long)c.open, (long long)r->nodes);
    char *faster = faster_nodes(k, stage, r);
    if (faster && names_find(warnings, faster) < 0) names_add(warnings, faster);
    if (warning && names_find(warnings, warning) < 0) names_add(warnings, warning);
    free(faster);
    free(warning);
    return st;
}
