/* sbatch.c -- a job's sbatch line and the files with its arguments. Arguments go through files (jobs/env.sh reads them), so that no name of
 * a table meets a shell. */
#include "sbatch.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the site and its paths ---- */

/* KEY='value' of site.env, as make writes it. "" if there is none. */
static char *site_value(const char *home, const char *key)
{
    char *path = path_join(home, "site.env"), *data = NULL, *value = NULL;
    size_t size = 0, n = strlen(key);
    if (path_exists(path) && path_read(path, &data, &size, 1 << 20) != OK) msg_clear();
    for (const char *p = data; p && *p; p += strcspn(p, "\n"), p += *p == '\n') {
        if (strncmp(p, key, n) != 0 || p[n] != '=') continue;
        p += n + 1 + (p[n + 1] == '\'');
        free(value);
        value = xstrndup(p, strcspn(p, "'\n"));
    }
    free(data);
    free(path);
    return value ? value : xstrdup("");
}

/* The folder that holds jobs/: MICON_HOME; above build/<variant>/bin; share/micon beside an installed bin. */
static status find_home(sbatch_site *s)
{
    static const char *const from_bin[] = {"../../..", "../share/micon"};
    const char *given = getenv("MICON_HOME");
    for (size_t i = 0; i < 2 && !s->home; i++) {
        char *place = given && *given ? xstrdup(given) : path_join(s->c->bin, from_bin[i]), *home = realpath(place, NULL);
        char *env = home ? path_join(home, "jobs/env.sh") : NULL;
        if (env && path_exists(env))
            s->home = home;
        else
            free(home);
        free(place);
        free(env);
    }
    return s->home ? OK : fail(E_FAILED, "jobs/env.sh is not above %s: set MICON_HOME to the folder that holds jobs/", s->c->bin);
}

/* Resolve the folder but not the file: relative names in the configuration are relative to the folder of the name given. */
static status find_paths(sbatch_site *s)
{
    char *dir = realpath(s->c->cfg.dir, NULL), *work;
    if (!dir) return fail(E_IO, "%s: %s", s->c->cfg.dir, strerror(errno));
    s->screen = path_join(dir, path_base(s->c->path));
    work = path_join(dir, s->c->cfg.screen.work);
    s->logs = path_join(work, STATUS_JOBS);
    free(work);
    free(dir);
    return OK;
}

slurm_resources sbatch_resources(const sbatch_site *s, int stage)
{
    slurm_resources r = stage < 0 ? resources_of_gate(s->c) : resources_of(s->c, stage);
    if (!*r.partition) r.partition = s->partition;
    if (!*r.account) r.account = s->account;
    return r;
}

status sbatch_site_find(sbatch_site *s, const call *c)
{
    s->c = c;
    status st = find_home(s);
    if (st != OK) return st;
    s->partition = site_value(s->home, "SLURM_PARTITION");
    s->account = site_value(s->home, "SLURM_ACCOUNT");
    s->modules = site_value(s->home, "MODULES");
    return find_paths(s);
}

void sbatch_site_free(sbatch_site *s)
{
    free(s->home);
    free(s->screen);
    free(s->logs);
    free(s->program);
    free(s->partition);
    free(s->account);
    free(s->modules);
    cluster_free(&s->cluster);
}

/* ---- what a job asks for ---- */
int64_t sbatch_minutes(const sbatch_site *s, const slurm_resources *r, double seconds)
{
    if (r->time_min > 0) return r->time_min;
    int64_t minutes = 10 + (int64_t)ceil(seconds * 2 / 60), limit = cluster_limit_min(&s->cluster, r->partition);
    return limit > 0 && minutes > limit ? limit : minutes;
}

int64_t sbatch_megabytes(const sbatch_site *s, const slurm_resources *r, int64_t bytes)
{
    if (r->mem > 0) return (r->mem + (1 << 20) - 1) >> 20;
    int64_t mb = 512 + (int64_t)ceil((double)bytes * 1.5 / 1048576), node = cluster_node_mb(&s->cluster, r->partition);
    return node > 0 && mb > node ? node : mb;
}

void sbatch_add(sbatch_line *l, const char *option, const char *value)
{
    char *word = xasprintf("%s%s", option, value);
    names_add(&l->argv, word);
    free(word);
}

void sbatch_add_n(sbatch_line *l, const char *option, int64_t n, const char *unit)
{
    char *word = xasprintf("%s%lld%s", option, (long long)n, unit);
    names_add(&l->argv, word);
    free(word);
}

/* sbatch replaces %A and similar in the log's name; a per cent sign of the folder is doubled. */
void sbatch_add_log(const sbatch_site *s, sbatch_line *l, const char *name)
{
    text t = {0};
    for (const char *p = s->logs; *p; p++) {
        if (*p == '%') text_add(&t, "%");
        text_addn(&t, p, 1);
    }
    text_addf(&t, "/%s.log", name);
    sbatch_add(l, "--output=", text_str(&t));
    text_free(&t);
}

static void add_text(sbatch_line *l, const char *option, const char *value)
{
    if (*value) sbatch_add(l, option, value);
}

void sbatch_begin(const sbatch_site *s, sbatch_line *l, const char *job, const slurm_resources *r, int64_t time_min, int64_t mem_mb)
{
    names extra = {0};
    names_add(&l->argv, "sbatch");
    names_add(&l->argv, "--parsable");
    sbatch_add(l, "--job-name=micon-", job);
    sbatch_add(l, "--chdir=", s->home);
    names_add(&l->argv, "--open-mode=append");
    sbatch_add_n(l, "--time=", time_min, "");
    sbatch_add_n(l, "--mem=", mem_mb, "M");
    add_text(l, "--partition=", r->partition);
    add_text(l, "--account=", r->account);
    add_text(l, "--qos=", r->qos);
    add_text(l, "--constraint=", r->constraint);
    sbatch_add_n(l, "--nodes=", r->nodes, "");
    sbatch_add_n(l, "--ntasks-per-node=", r->ntasks_per_node, "");
    if (r->cpus_per_task > 1) sbatch_add_n(l, "--cpus-per-task=", r->cpus_per_task, "");
    names_split(&extra, r->extra, ' ');
    for (size_t i = 0; i < extra.n; i++)
        if (*extra.item[i]) names_add(&l->argv, extra.item[i]);
    names_free(&extra);
}

void sbatch_add_after(sbatch_line *l, const char *how, const text *jobs)
{
    if (!jobs->n) return;
    sbatch_add(l, how, text_str(jobs));
    names_add(&l->argv, "--kill-on-invalid-dep=yes");
}

/* job: "stage.sh tile" */
void sbatch_add_script(const sbatch_site *s, sbatch_line *l, const char *job, const char *args)
{
    names words = {0};
    names_split(&words, job, ' ');
    char *path = xasprintf("%s/jobs/%s", s->home, words.item[0]);
    names_add(&l->argv, path);
    for (size_t i = 1; i < words.n; i++) names_add(&l->argv, words.item[i]);
    names_add(&l->argv, "--args");
    names_add(&l->argv, args);
    names_free(&words);
    free(path);
}

/* ---- sbatch itself ---- */
static void print_line(const sbatch_line *l)
{
    text t = {0};
    for (size_t i = 0; i < l->argv.n; i++) {
        if (i) text_add(&t, " ");
        driver_quote(&t, l->argv.item[i]);
    }
    puts(text_str(&t));
    text_free(&t);
}

/* "123" or "123;cluster" */
static status read_job(const char *output, char **job)
{
    char shown[300];
    const char *p = output;
    for (const char *q = output; *q; q++) /* sites print warnings before it: the last line counts */
        if (*q == '\n' && q[1]) p = q + 1;
    size_t n = strspn(p, "0123456789");
    if (n == 0 || (p[n] && p[n] != ';' && p[n] != '\n'))
        return fail(E_FAILED, "sbatch did not print a job number: %s", text_show(shown, sizeof shown, output));
    *job = xstrndup(p, n);
    return OK;
}

status sbatch_send(sbatch_site *s, const sbatch_line *l, char **job)
{
    status st = OK;
    char *output = NULL, shown[600];
    int exit_status = 0;
    *job = NULL;
    s->jobs++;
    if (s->c->a.dry_run) {
        print_line(l);
        *job = xasprintf("JOB%lld", (long long)s->jobs);
        return OK;
    }
    char **argv = xcalloc(l->argv.n + 1, sizeof *argv);
    for (size_t i = 0; i < l->argv.n; i++) argv[i] = l->argv.item[i];
    argv[0] = s->program;
    TRY(process_capture(argv, &output, &exit_status));
    if (exit_status) TRY(fail(E_FAILED, "sbatch refused (exit %d): %s", exit_status, text_show(shown, sizeof shown, output)));
    TRY(read_job(output, job));
done:
    free(argv);
    free(output);
    return st;
}

/* ---- argument files ---- */
status sbatch_write_args(const sbatch_site *s, const char *dir, const char *file, const names *own)
{
    text t = {0};
    char *path = path_join(dir, file);
    for (size_t i = 0; i < own->n; i++) text_addn(&t, own->item[i], strlen(own->item[i]) + 1);
    status st = s->c->a.dry_run ? OK : path_write(path, t.s, t.n);
    free(path);
    text_free(&t);
    return st;
}

status sbatch_write_launcher(const sbatch_site *s, const char *dir)
{
    text word = {0};
    char *path = path_join(dir, "launcher");
    opt_show(opt_find(config_options, "slurm", "launcher"), &s->c->cfg, &word);
    status st = s->c->a.dry_run || s->c->cfg.slurm.launcher == LAUNCHER_AUTO ? OK : path_write(path, word.s, word.n);
    free(path);
    text_free(&word);
    return st;
}

/* A folder of its own: work/status/slurm/<job>-<n>. */
status sbatch_args_folder(const sbatch_site *s, const char *job, char **out)
{
    status st = s->c->a.dry_run ? OK : path_make_dirs(s->logs);
    for (int n = 1; st == OK; n++) {
        *out = xasprintf("%s/%s-%d", s->logs, job, n);
        if (!path_exists(*out)) break;
        free(*out);
        *out = NULL;
    }
    if (st == OK && !s->c->a.dry_run) st = path_make_dirs(*out);
    return st;
}
