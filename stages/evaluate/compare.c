/* compare.c -- methods side by side: the figures of several runs, and how the others differ from the first with paired bootstrap intervals
 * over the compounds that both have. Runs called NAME@1, NAME@2 ... are one method NAME: its figures are means over its runs, and intervals
 * are over compounds and runs. From each run's by_compound.csv; rank 0. */
#include "evaluate.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/provenance/written_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One run's table: (figure, compound) -> numerator and denominator. */
typedef struct {
    const char *name;
    intern_table key; /* "uncorrected,nsb,all,1,ratio<TAB>compound" */
    double *num, *den;
    double *of_num, *of_den; /* [compounds]: of one figure; den 0 where the run lacks it */
    double *in_num, *in_den; /* of the compounds that both methods have */
} run_table;

typedef struct {
    char *name;
    run_table *run; /* [n_runs] */
    int64_t n_runs;
} method;

typedef struct {
    method *m; /* [n]; the others are compared with the first */
    size_t n;
    intern_table figures, compounds;
} comparison;

static void comparison_free(comparison *c)
{
    for (size_t i = 0; i < c->n; i++) {
        for (int64_t k = 0; k < c->m[i].n_runs; k++) {
            run_table *r = &c->m[i].run[k];
            intern_free(&r->key);
            free(r->num);
            free(r->den);
            free(r->of_num);
            free(r->of_den);
            free(r->in_num);
            free(r->in_den);
        }
        free(c->m[i].name);
        free(c->m[i].run);
    }
    free(c->m);
    intern_free(&c->figures);
    intern_free(&c->compounds);
}

/* The method that the run belongs to: NAME of NAME@NUMBER, else the whole name. Caller frees. */
static char *method_name(const char *run)
{
    const char *at = strrchr(run, '@');
    bool numbered = at && at > run && at[1] && strspn(at + 1, "0123456789") == strlen(at + 1);
    return xasprintf("%.*s", (int)(numbered ? (size_t)(at - run) : strlen(run)), run);
}

/* A new entry for the run in its method; the first run of a method creates it. */
static run_table *place_of(comparison *c, const char *run)
{
    char *name = method_name(run);
    size_t i = 0;
    while (i < c->n && strcmp(c->m[i].name, name) != 0) i++;
    if (i == c->n) {
        c->m = xrealloc(c->m, (c->n + 1) * sizeof *c->m);
        c->m[c->n++] = (method){.name = name};
    } else
        free(name);
    method *m = &c->m[i];
    m->run = xrealloc(m->run, (size_t)(m->n_runs + 1) * sizeof *m->run);
    m->run[m->n_runs] = (run_table){.name = run};
    return &m->run[m->n_runs++];
}

static void key_of(text *t, const char *figure, const char *compound)
{
    text_clear(t);
    text_addf(t, "%s\t%s", figure, compound);
}

/* Figures and compounds of all runs are collected in the order of the first run that has them. */
static status run_read(run_table *m, const config *cfg, intern_table *figures, intern_table *compounds)
{
    static const char *const column[] = {"profiles", "metric", "setting", "k", "kind", "compound", "numerator", "denominator"};
    status st = OK;
    table *t = NULL;
    text figure = {0}, key = {0};
    int col[8];
    uint64_t digest;
    const char *name = m->name;
    char *run = text_encode_name(name), *below = xasprintf(WORK_REPORTS "/%s/" REPORT_BY_COMPOUND, run), *path = config_work(cfg, below);
    if (!path_exists(path)) TRY(fail(E_FAILED, "%s does not exist: run micon-evaluate with train.run set to %s first", path, name));
    TRY(written_files_check(path, &digest));
    TRY(table_read(&t, path));
    if (table_col(t, column[5]) < 0 && table_col(t, "treatment") >= 0)
        TRY(fail(E_FAILED, "%s is by treatment, as older versions wrote it: run micon-evaluate --force with train.run set to %s", path,
                 name));
    for (int k = 0; k < 8; k++) TRY(table_need(t, column[k], &col[k]));
    TRY(mem_alloc(&m->num, (size_t)table_n_rows(t), sizeof *m->num, "figures"));
    TRY(mem_alloc(&m->den, (size_t)table_n_rows(t), sizeof *m->den, "figures"));
    for (int64_t i = 0; i < table_n_rows(t); i++) {
        uint32_t id;
        const char *compound = csv_text(table_cell(t, i, col[5]));
        text_clear(&figure);
        for (int k = 0; k < 5; k++) text_addf(&figure, "%s%s", k ? "," : "", table_cell(t, i, col[k]));
        TRY(intern_add(figures, text_str(&figure), &id));
        TRY(intern_add(compounds, compound, &id));
        key_of(&key, text_str(&figure), compound);
        TRY(intern_add(&m->key, text_str(&key), &id));
        if (id != (uint32_t)i || !num_f64(table_cell(t, i, col[6]), &m->num[i]) || !num_f64(table_cell(t, i, col[7]), &m->den[i]))
            TRY(fail(E_FORMAT, "%s:%lld: a figure twice, or no numbers", path, (long long)table_line(t, i)));
    }
done:
    table_free(&t);
    text_free(&figure);
    text_free(&key);
    free(run);
    free(below);
    free(path);
    return st;
}

/* Set of_num and of_den of all runs of a method to one figure. Returns how many compounds have it. */
static int64_t take(method *m, const char *figure, const intern_table *compounds)
{
    text key = {0};
    int64_t n = 0;
    for (size_t i = 0; i < compounds->n; i++) {
        bool any = false;
        key_of(&key, figure, intern_at(compounds, i));
        for (int64_t k = 0; k < m->n_runs; k++) {
            run_table *r = &m->run[k];
            int64_t at = intern_find(&r->key, text_str(&key));
            r->of_num[i] = at < 0 ? 0 : r->num[at], r->of_den[i] = at < 0 ? 0 : r->den[at];
            any |= r->of_den[i] > 0;
        }
        n += any;
    }
    text_free(&key);
    return n;
}

static bool has(const method *m, size_t compound)
{
    for (int64_t k = 0; k < m->n_runs; k++)
        if (m->run[k].of_den[compound] > 0) return true;
    return false;
}

/* Set in_num and in_den to the compounds that both methods have. Returns their number. */
static int64_t take_common(method *a, method *b, size_t n_compounds)
{
    int64_t common = 0;
    for (size_t i = 0; i < n_compounds; i++) {
        if (!has(a, i) || !has(b, i)) continue;
        for (int half = 0; half < 2; half++)
            for (int64_t k = 0; k < (half ? b : a)->n_runs; k++) {
                run_table *r = &(half ? b : a)->run[k];
                r->in_num[common] = r->of_num[i], r->in_den[common] = r->of_den[i];
            }
        common++;
    }
    return common;
}

/* The argument of bootstrap_runs; caller frees. */
static bootstrap_run *figures_of(const method *m, bool common)
{
    bootstrap_run *out = xmalloc((size_t)m->n_runs * sizeof *out);
    for (int64_t k = 0; k < m->n_runs; k++)
        out[k] = common ? (bootstrap_run){m->run[k].in_num, m->run[k].in_den} : (bootstrap_run){m->run[k].of_num, m->run[k].of_den};
    return out;
}

static void show_interval(text *out, const interval *v, const char *sep, const char *missing)
{
    const double real[] = {v->value, v->low, v->high};
    for (int k = 0; k < 3; k++) {
        if (k) text_add(out, sep);
        text_add_number(out, real[k], missing);
    }
}

static status difference(method *m, method *first, bootstrap_kind kind, size_t n_compounds, const evaluate_options *o, interval *diff,
                         int64_t *common)
{
    *common = take_common(m, first, n_compounds);
    bootstrap_run *a = figures_of(m, true), *b = figures_of(first, true);
    status st = bootstrap_runs(kind, a, m->n_runs, b, first->n_runs, *common, o->bootstrap, (uint32_t)o->seed, diff);
    free(a);
    free(b);
    return st;
}

/* One figure of all methods, to both tables. */
static status add_figure(comparison *c, const char *figure, const evaluate_options *o, text *rows, text *json)
{
    status st = OK;
    names part = {0};
    bootstrap_run *all = NULL;
    names_split(&part, figure, ',');
    bootstrap_kind kind = strcmp(part.item[4], "mean") == 0 ? BOOTSTRAP_MEAN : BOOTSTRAP_RATIO;
    if (json->n > 1) text_add(json, ",\n");
    text_addf(json, "{\"profiles\":\"%s\",\"metric\":\"%s\",\"setting\":\"%s\",\"k\":%s,\"runs\":[", part.item[0], part.item[1],
              part.item[2], part.item[3]);
    for (size_t i = 0; i < c->n; i++) {
        method *m = &c->m[i];
        interval v, diff = {NAN, NAN, NAN};
        int64_t n = take(m, figure, &c->compounds), common = n;
        FREE(all);
        all = figures_of(m, false);
        TRY(bootstrap_runs(kind, all, m->n_runs, NULL, 0, (int64_t)c->compounds.n, o->bootstrap, (uint32_t)o->seed, &v));
        if (i > 0) TRY(difference(m, &c->m[0], kind, c->compounds.n, o, &diff, &common));
        text_addf(rows, "%s,%s,%s,%s,", part.item[0], part.item[1], part.item[2], part.item[3]);
        csv_quote_text(rows, m->name);
        text_add(rows, ",");
        show_interval(rows, &v, ",", "");
        text_add(rows, ",");
        show_interval(rows, &diff, ",", "");
        text_addf(rows, ",%lld,%lld,%lld\n", (long long)n, (long long)common, (long long)m->n_runs);
        text_add(json, i ? ",{\"v\":[" : "{\"v\":[");
        show_interval(json, &v, ",", "null");
        text_add(json, "],\"d\":[");
        show_interval(json, &diff, ",", "null");
        text_addf(json, "],\"n\":%lld,\"common\":%lld}", (long long)n, (long long)common);
    }
    text_add(json, "]}");
done:
    free(all);
    names_free(&part);
    return st;
}

static status write_page(const char *path, const char *screen, const comparison *c, const text *figures)
{
    text data = {0}, page = {0};
    text_add(&data, "{\"screen\":");
    text_add_json(&data, screen);
    text_add(&data, ",\"runs\":[");
    for (size_t i = 0; i < c->n; i++) {
        if (i) text_add(&data, ",");
        text_add_json(&data, c->m[i].name);
    }
    text_add(&data, "],\"seeds\":[");
    for (size_t i = 0; i < c->n; i++) text_addf(&data, "%s%lld", i ? "," : "", (long long)c->m[i].n_runs);
    text_add(&data, "],\n\"about\":");
    metric_table_json(&data, "");
    text_addf(&data, ",\n\"figures\":%s}", text_str(figures));
    report_page(&page, text_str(&data), (const char *const[]){compare_js, NULL});
    status st = path_write(path, text_str(&page), page.n);
    text_free(&data);
    text_free(&page);
    return st;
}

/* The arrays that take and take_common fill. */
static status make_room(comparison *c)
{
    status st = OK;
    for (size_t i = 0; i < c->n; i++)
        for (int64_t k = 0; k < c->m[i].n_runs; k++) {
            run_table *r = &c->m[i].run[k];
            double **room[] = {&r->of_num, &r->of_den, &r->in_num, &r->in_den};
            for (int j = 0; j < 4; j++) TRY(mem_alloc(room[j], c->compounds.n, sizeof **room[j], "figures"));
        }
done:
    return st;
}

/* work/reports/compare/A__B: of the methods; with several runs also how many, so that other runs do not overwrite it. Caller frees. */
static char *folder_of(const comparison *c, const config *cfg)
{
    text t = {0};
    for (size_t i = 0; i < c->n; i++) {
        const method *m = &c->m[i];
        char *name = text_encode_name(m->n_runs > 1 ? m->name : m->run[0].name);
        text_addf(&t, "%s%s", i ? "__" : "reports/compare/", name);
        if (m->n_runs > 1) text_addf(&t, "@%lld_runs", (long long)m->n_runs);
        free(name);
    }
    char *folder = config_work(cfg, text_str(&t));
    text_free(&t);
    return folder;
}

status compare_runs(const stage *g, const names *runs)
{
    status st = OK;
    comparison c = {0};
    text rows = {0}, json = {0};
    char *folder = NULL, *table_path = NULL, *page_path = NULL;
    if (runs->n < 2) TRY(fail(E_USAGE, "--compare which runs? micon-evaluate screen.yaml --compare RUN RUN..."));
    for (size_t i = 0; i < runs->n; i++) {
        if (names_find(runs, runs->item[i]) != (long)i) TRY(fail(E_USAGE, "--compare: run '%s' is named twice", runs->item[i]));
        TRY(run_read(place_of(&c, runs->item[i]), &g->cfg, &c.figures, &c.compounds));
    }
    TRY(make_room(&c));
    text_add(&rows, "profiles,metric,setting,k,run,value,low,high,difference,difference_low,difference_high,compounds,common,runs\n");
    text_add(&json, "[");
    for (size_t f = 0; f < c.figures.n; f++) TRY(add_figure(&c, intern_at(&c.figures, f), &g->cfg.evaluate, &rows, &json));
    text_add(&json, "]");
    folder = folder_of(&c, &g->cfg);
    table_path = path_join(folder, "compare.csv");
    page_path = path_join(folder, "compare.html");
    TRY(path_make_dirs(folder));
    TRY(path_write(table_path, text_str(&rows), rows.n));
    TRY(write_page(page_path, g->cfg.screen.name, &c, &json));
    log_info("%s", page_path);
done:
    comparison_free(&c);
    text_free(&rows);
    text_free(&json);
    free(folder);
    free(table_path);
    free(page_path);
    return st;
}
