/* metrics_pairs.c -- mean average precision of pairs that the configuration chooses by columns (evaluate.pairs; docs/method.md 8). */
#include "evaluation_set.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/formats/csv.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- codes, rank 0 ---- */

enum { POS_SAME, NEG_SAME, FIRST_DIFF }; /* rows of wells.pair_code */

/* Append the columns of a list to col. key: the option, for the message. */
static status find_columns(const frame *f, const names *list, const char *key, int *col, int *n)
{
    status st = OK;
    for (size_t i = 0; i < list->n; i++) TRY(wells_find_column(f, list->item[i], key, &col[(*n)++]));
done:
    return st;
}

/* Wells that take part: evaluated ones and controls with a value in all of the columns. */
static status mark_use(const wells *w, const int *col, int n_col, uint8_t **use, names *notes)
{
    status st = OK;
    text t = {0};
    int64_t without = 0;
    TRY(mem_alloc(use, (size_t)w->n, 1, "pairs"));
    for (int64_t i = 0; i < w->n; i++) {
        bool known = true;
        if (!w->evaluated[i] && !w->control[i]) continue;
        for (int k = 0; k < n_col && known; k++) {
            text_clear(&t);
            frame_show(&w->obs, i, col[k], &t);
            known = t.n > 0;
        }
        (*use)[i] = known;
        without += !known;
    }
    if (without > 0) {
        char *note = xasprintf("pairs by columns: %lld evaluated or untreated wells have no value in one of the columns and are left out",
                               (long long)without);
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
    }
done:
    text_free(&t);
    return st;
}

/* A row of codes of the texts in `col`; all rows that take part have one where there is no column. */
static status add_codes(wells *w, int at, const int *col, int n_col, const uint8_t *use, intern_table *known, int32_t *n_codes)
{
    status st = OK;
    int32_t *code = NULL;
    TRY(wells_code_rows(&w->obs, col, n_col, use, known, &code, n_codes));
    memcpy(w->pair_code + at * w->n, code, (size_t)w->n * sizeof *code);
done:
    free(code);
    return st;
}

status pairs_label(wells *w, const pair_options *o, names *notes)
{
    status st = OK;
    const names *list[] = {&o->pos_sameby, &o->neg_sameby, &o->pos_diffby, &o->neg_diffby};
    static const char *const key[] = {"evaluate.pairs.pos_sameby", "evaluate.pairs.neg_sameby", "evaluate.pairs.pos_diffby",
                                      "evaluate.pairs.neg_diffby"};
    size_t total = 1;
    int *col = NULL, n_col = 0;
    uint8_t *use = NULL;
    intern_table other = {0};
    int32_t unused;
    if (o->pos_sameby.n == 0) return OK;
    for (metric_setting s = 0; s < N_SETTINGS; s++)
        if (strcmp(metric_setting_name(s), o->name) == 0)
            return fail(E_USAGE, "evaluate.pairs.name: '%s' is the name of another setting; choose one", o->name);
    for (int k = 0; k < 4; k++) total += list[k]->n;
    col = xcalloc(total, sizeof *col);
    for (int k = 0; k < 4; k++) TRY(find_columns(&w->obs, list[k], key[k], col, &n_col));
    TRY(mark_use(w, col, n_col, &use, notes));
    int n_pos = (int)o->pos_sameby.n, n_neg = (int)o->neg_sameby.n;
    w->n_pair_code = FIRST_DIFF + n_col - n_pos - n_neg;
    TRY(mem_alloc(&w->pair_code, (size_t)w->n_pair_code, (size_t)w->n * sizeof *w->pair_code, "pairs"));
    TRY(add_codes(w, POS_SAME, col, n_pos, use, &w->pair_name, &w->n_pair_group));
    TRY(add_codes(w, NEG_SAME, col + n_pos, n_neg, use, &other, &unused));
    for (int k = FIRST_DIFF; k < w->n_pair_code; k++) {
        intern_free(&other);
        TRY(add_codes(w, k, col + n_pos + n_neg + k - FIRST_DIFF, 1, use, &other, &unused));
    }
done:
    free(col);
    free(use);
    intern_free(&other);
    return st;
}

/* ---- the metrics ---- */

/* Scores of the evaluated wells that take part. */
static status pair_scores_all(const evaluation_set *e, const float *x, ap_scores *all)
{
    status st = OK;
    const wells *w = e->w;
    const pair_options *o = &e->o->pairs;
    row_range own;
    ap_scores mine = {0};
    uint8_t *use = NULL, *ask = NULL;
    float *unit = NULL;
    const int32_t *diff = w->pair_code + FIRST_DIFF * w->n;
    const ap_pair_rule rule = {.pos_same = w->pair_code + POS_SAME * w->n,
                               .neg_same = w->pair_code + NEG_SAME * w->n,
                               .pos_diff = diff,
                               .n_pos_diff = (int)o->pos_diffby.n,
                               .neg_diff = diff + (int64_t)o->pos_diffby.n * w->n,
                               .n_neg_diff = (int)o->neg_diffby.n};
    partition(w->n, e->size, e->rank, &own.first, &own.n);
    TRY_ALL(e->comm, mem_alloc(&use, (size_t)w->n, 1, "pairs"));
    TRY_ALL(e->comm, mem_alloc(&ask, (size_t)w->n, 1, "pairs"));
    for (int64_t i = 0; i < w->n; i++) use[i] = rule.pos_same[i] >= 0, ask[i] = use[i] && w->evaluated[i];
    TRY_ALL(e->comm, mean_precision_scores(&mine, own.n));
    TRY_ALL(e->comm, mean_precision_scores(all, w->n));
    TRY_ALL(e->comm, mem_alloc(&unit, (size_t)(w->n * e->d), sizeof *unit, "profiles"));
    linear_unit_rows(x, w->n, e->d, unit);
    const profile_rows rows = {.x = unit, .n = w->n, .d = e->d, .use = use};
    TRY_ALL(e->comm, own.n > 0 ? ap_pairs(&rows, &rule, ask, own, &mine) : OK);
    TRY(mean_precision_gather_all(e, &mine, own.n, w->n, all));
done:
    ap_scores_free(&mine);
    free(use);
    free(ask);
    free(unit);
    return st;
}

/* Groups of pos_sameby take the place of compounds: means are over them, and intervals draw them. */
status pair_metrics_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    wells groups = *e->w;
    evaluation_set s = *e;
    int32_t *self = NULL;
    if (groups.n_pair_code == 0) return OK;
    groups.n_compound = groups.n_pair_group;
    s.w = &groups, s.setting = e->o->pairs.name;
    mean_precision a = {.metric = METRIC_MAP_PAIRS,
                        .normalized = METRIC_MAP_PAIRS_NORMALIZED,
                        .share = METRIC_PAIRS_SHARE,
                        .group = groups.pair_code + POS_SAME * groups.n,
                        .n = groups.n,
                        .n_group = groups.n_pair_group,
                        .map = &e->r->pairs[e->which],
                        .p = &e->r->pairs_p[e->which],
                        .q = &e->r->pairs_q[e->which],
                        .normal = &e->r->pairs_normal[e->which],
                        .setting = ALL_WELLS};
    TRY_ALL(e->comm, mem_alloc(&self, (size_t)a.n_group, sizeof *self, "pairs"));
    for (int32_t g = 0; g < a.n_group; g++) self[g] = g;
    a.compound = self;
    TRY(pair_scores_all(e, x, &a.queries));
    TRY(mean_precision_add_all(&s, &a));
    e->r->pairs_by_well[e->which] = a.queries, a.queries = (ap_scores){0};
done:
    ap_scores_free(&a.queries);
    free(self);
    return st;
}

/* ---- pairs.csv ---- */

void pairs_show_csv(const results *r, const wells *w, text *out)
{
    text_add(out, "profiles,group,map,p,q,normalized\n");
    for (int which = 0; which < 2; which++) {
        if (!r->pairs[which]) continue;
        for (int32_t g = 0; g < w->n_pair_group; g++) {
            const double v[] = {r->pairs[which][g], r->pairs_p[which][g], r->pairs_q[which][g], r->pairs_normal[which][g]};
            if (isnan(v[0])) continue;
            text_addf(out, "%s,", profiles_form[which]);
            csv_quote_text(out, intern_at(&w->pair_name, (size_t)g));
            for (int k = 0; k < 4; k++) {
                text_add(out, ",");
                text_add_number(out, v[k], "");
            }
            text_add(out, "\n");
        }
    }
}
