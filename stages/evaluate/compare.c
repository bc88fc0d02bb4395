/* compare.c -- methods side by side: the figures of several runs, and how the others differ from the first with paired bootstrap intervals
 * over the compounds that both have. From each run's by_compound.csv; rank 0. */
#include "evaluate.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* One run's table: (figure, compound) -> numerator and denominator. */
typedef struct {
    const char *name;
    intern_table key; /* "uncorrected,nsb,all,1,ratio<TAB>compound" */
    double *num, *den;
} method;

static void method_free(method *m)
{
    intern_free(&m->key);
    free(m->num);
    free(m->den);
}

static void key_of(text *t, const char *figure, const char *compound)
{
    text_clear(t);
    text_addf(t, "%s\t%s", figure, compound);
}

/* Figures and compounds of all runs are collected in the order of the first run that has them. */
static status method_read(method *m, const config *cfg, const char *name, intern_table *figures, intern_table *compounds)
{
    static const char *const column[] = {"profiles", "metric", "setting", "k", "kind", "compound", "numerator", "denominator"};
    status st = OK;
    table *t = NULL;
    text figure = {0}, key = {0};
    int col[8];
    char *run = text_encode_name(name), *below = xasprintf(WORK_REPORTS "/%s/by_compound.csv", run), *path = config_work(cfg, below);
    m->name = name;
    if (!path_exists(path)) TRY(fail(E_FAILED, "%s does not exist: run micon-evaluate with train.run set to %s first", path, name));
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

/* num, den [compounds] of a figure; den 0 where the run lacks it. Returns how many it has. */
static int64_t take(const method *m, const char *figure, const intern_table *compounds, double *num, double *den)
{
    text key = {0};
    int64_t n = 0;
    for (size_t i = 0; i < compounds->n; i++) {
        key_of(&key, figure, intern_at(compounds, i));
        int64_t at = intern_find(&m->key, text_str(&key));
        num[i] = at < 0 ? 0 : m->num[at], den[i] = at < 0 ? 0 : m->den[at];
        n += den[i] > 0;
    }
    text_free(&key);
    return n;
}

static void show_interval(text *out, const interval *v, const char *sep, const char *missing)
{
    const double real[] = {v->value, v->low, v->high};
    for (int k = 0; k < 3; k++) {
        if (k) text_add(out, sep);
        number_add(out, real[k], missing);
    }
}

/* One figure of all runs, to both tables. room: 4 arrays of compounds, twice. */
static status add_figure(const method *m, size_t n, const char *figure, const intern_table *compounds, const evaluate_options *o,
                         double *room[4], text *rows, text *json)
{
    status st = OK;
    names part = {0};
    int64_t n_all = (int64_t)compounds->n;
    names_split(&part, figure, ',');
    bootstrap_kind kind = strcmp(part.item[4], "mean") == 0 ? BOOTSTRAP_MEAN : BOOTSTRAP_RATIO;
    if (json->n > 1) text_add(json, ",\n");
    text_addf(json, "{\"profiles\":\"%s\",\"metric\":\"%s\",\"setting\":\"%s\",\"k\":%s,\"runs\":[", part.item[0], part.item[1],
              part.item[2], part.item[3]);
    for (size_t i = 0; i < n; i++) {
        interval v, diff = {NAN, NAN, NAN};
        int64_t common = 0, has = take(&m[i], figure, compounds, room[0], room[1]);
        TRY(bootstrap_interval(kind, room[0], room[1], n_all, o->bootstrap, (uint32_t)o->seed, &v));
        take(&m[0], figure, compounds, room[2], room[3]);
        for (int64_t t = 0; t < n_all; t++) { /* compounds that both have, close together */
            if (room[1][t] <= 0 || room[3][t] <= 0) continue;
            for (int k = 0; k < 4; k++) room[k][common] = room[k][t];
            common++;
        }
        if (i > 0) TRY(bootstrap_difference(kind, room[0], room[1], room[2], room[3], common, o->bootstrap, (uint32_t)o->seed, &diff));
        text_addf(rows, "%s,%s,%s,%s,", part.item[0], part.item[1], part.item[2], part.item[3]);
        csv_quote_text(rows, m[i].name);
        text_add(rows, ",");
        show_interval(rows, &v, ",", "");
        text_add(rows, ",");
        show_interval(rows, &diff, ",", "");
        text_addf(rows, ",%lld,%lld\n", (long long)has, (long long)common);
        text_add(json, i ? ",{\"v\":[" : "{\"v\":[");
        show_interval(json, &v, ",", "null");
        text_add(json, "],\"d\":[");
        show_interval(json, &diff, ",", "null");
        text_addf(json, "],\"n\":%lld,\"common\":%lld}", (long long)has, (long long)common);
    }
    text_add(json, "]}");
done:
    names_free(&part);
    return st;
}

static status write_page(const char *path, const char *screen, const names *runs, const text *figures)
{
    text data = {0}, page = {0};
    text_add(&data, "{\"screen\":");
    text_add_json(&data, screen);
    text_add(&data, ",\"runs\":[");
    for (size_t i = 0; i < runs->n; i++) {
        if (i) text_add(&data, ",");
        text_add_json(&data, runs->item[i]);
    }
    text_add(&data, "],\n\"about\":");
    metric_table_json(&data);
    text_addf(&data, ",\n\"figures\":%s}", text_str(figures));
    report_page(&page, text_str(&data), (const char *const[]){compare_js, NULL});
    status st = path_write(path, text_str(&page), page.n);
    text_free(&data);
    text_free(&page);
    return st;
}

status compare_runs(const stage *g, const names *runs)
{
    status st = OK;
    intern_table figures = {0}, compounds = {0};
    text rows = {0}, json = {0}, folder_name = {0};
    double *room[4] = {NULL};
    method *m = xcalloc(runs->n + 1, sizeof *m);
    char *folder = NULL, *table_path = NULL, *page_path = NULL;
    if (runs->n < 2) TRY(fail(E_USAGE, "--compare which runs? micon-evaluate screen.yaml --compare RUN RUN..."));
    for (size_t i = 0; i < runs->n; i++) {
        if (names_find(runs, runs->item[i]) != (long)i) TRY(fail(E_USAGE, "--compare: run '%s' is named twice", runs->item[i]));
        char *name = text_encode_name(runs->item[i]);
        text_addf(&folder_name, "%s%s", i ? "__" : "reports/compare/", name);
        free(name);
    }
    for (size_t i = 0; i < runs->n; i++) TRY(method_read(&m[i], &g->cfg, runs->item[i], &figures, &compounds));
    for (int k = 0; k < 4; k++) TRY(mem_alloc(&room[k], compounds.n, sizeof *room[k], "figures"));
    text_add(&rows, "profiles,metric,setting,k,run,value,low,high,difference,difference_low,difference_high,compounds,common\n");
    text_add(&json, "[");
    for (size_t f = 0; f < figures.n; f++)
        TRY(add_figure(m, runs->n, intern_at(&figures, f), &compounds, &g->cfg.evaluate, room, &rows, &json));
    text_add(&json, "]");
    folder = config_work(&g->cfg, text_str(&folder_name));
    table_path = path_join(folder, "compare.csv");
    page_path = path_join(folder, "compare.html");
    TRY(path_make_dirs(folder));
    TRY(path_write(table_path, text_str(&rows), rows.n));
    TRY(write_page(page_path, g->cfg.screen.name, runs, &json));
    log_info("%s", page_path);
done:
    for (size_t i = 0; i < runs->n; i++) method_free(&m[i]);
    free(m);
    for (int k = 0; k < 4; k++) free(room[k]);
    intern_free(&figures);
    intern_free(&compounds);
    text_free(&rows);
    text_free(&json);
    text_free(&folder_name);
    free(folder);
    free(table_path);
    free(page_path);
    return st;
}
