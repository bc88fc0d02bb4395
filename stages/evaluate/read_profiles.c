/* read_profiles.c -- outside profile tables as wells: rows of one well averaged, unusable features dropped. Rank 0, local. */
#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/profile/feature_select.h"
#include "micon/stage/provenance.h"
#include "profile_tables.h"
#include "recognize_wells.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- which files ---- */

static status list_files(const config *c, names *out)
{
    status st = OK;
    for (size_t i = 0; i < c->evaluate.profiles.n; i++) {
        char *pattern = config_path(c, c->evaluate.profiles.item[i]);
        size_t before = out->n;
        st = path_glob(out, c->dir, c->evaluate.profiles.item[i]);
        if (st == OK && out->n == before) st = fail(E_FAILED, "evaluate.profiles: no file matches %s", pattern);
        free(pattern);
        if (st != OK) break;
    }
    return st;
}

status profiles_inputs(const stage *g, const char *run, origin *o)
{
    status st = OK;
    names file = {0};
    char *split = config_work(&g->cfg, WORK_SPLIT), *memory = provenance_inputs_file(g, run);
    TRY(list_files(&g->cfg, &file));
    if (path_exists(split)) names_add(&file, split);
    for (size_t i = 0; i < file.n; i++) TRY(input_digests_add(&o->in, file.item[i]));
    if (!g->verify) input_digests_recall(&o->in, memory);
    for (size_t i = 0; i < o->in.n; i++) {
        if (o->in.item[i].known) continue;
        TRY(digest_file(o->in.item[i].path, &o->in.item[i].digest));
        o->in.item[i].known = true;
    }
    provenance_config(g, &o->made_from);
done:
    names_free(&file);
    free(split);
    free(memory);
    return st;
}

/* ---- rows to wells ---- */

/* Another row of a well must have its compound, and be of the same file unless evaluate.duplicate_wells allows others. */
static status check_same_well(const profile_table *t, int64_t row, int64_t first, int compound, const char *place, const config *cfg)
{
    if (strcmp(frame_text(&t->obs, row, compound), frame_text(&t->obs, first, compound)) != 0)
        return fail(E_FORMAT, "evaluate.profiles: well %s has two compounds", place);
    if (t->file[row] != t->file[first] && cfg->evaluate.duplicate_wells == DUPLICATES_FAIL && cfg->evaluate.recipe != RECIPE_0_1)
        return fail(E_FORMAT,
                    "evaluate.profiles: well %s is in two tables (number %d and %d); leave one out, tell their plates or batches apart, or "
                    "average them with evaluate.duplicate_wells: mean",
                    place, t->file[first] + 1, t->file[row] + 1);
    return OK;
}

/* Sort the rows; average those of one well. */
static status to_wells(profile_table *t, wells *w, const config *cfg)
{
    static const frame_key key[] = {
        {"Metadata_Source", false}, {"Metadata_Batch", false}, {"Metadata_Plate", false}, {"Metadata_Well", false}};
    status st = OK;
    int64_t *order = NULL, *first = NULL, *end = NULL, n = 0, d = (int64_t)t->var.n;
    int col[4], compound = frame_col(&t->obs, "Metadata_Compound"), sites;
    text here = {0}, before = {0};
    double *sum = NULL;
    bool single = cfg->evaluate.recipe == RECIPE_0_1;
    for (int k = 0; k < 4; k++) col[k] = frame_col(&t->obs, key[k].col);
    TRY(frame_order(&t->obs, key, 4, &order));
    TRY(mem_alloc(&first, t->n, sizeof *first, "wells"));
    TRY(mem_alloc(&end, t->n, sizeof *end, "wells"));
    for (int64_t i = 0; i < (int64_t)t->n; i++) {
        recognize_place(&t->obs, order[i], col, &here);
        if (n > 0 && strcmp(text_str(&here), text_str(&before)) == 0) {
            TRY(check_same_well(t, order[i], first[n - 1], compound, text_str(&here), cfg));
        } else {
            first[n++] = order[i];
            text_clear(&before);
            text_add(&before, text_str(&here));
        }
        end[n - 1] = i + 1;
    }
    TRY(frame_take(&w->obs, &t->obs, first, n));
    TRY(frame_add_col(&w->obs, "QC_Sites", FRAME_I64, &sites));
    if (n < (int64_t)t->n) frame_drop_col(&w->obs, "Metadata_Site");
    sites = frame_col(&w->obs, "QC_Sites");
    TRY(mem_alloc(&w->x, (size_t)(n * d), sizeof *w->x, "wells"));
    TRY(mem_alloc(&w->exact, (size_t)(n * d), sizeof *w->exact, "wells"));
    sum = xcalloc((size_t)d + 1, sizeof *sum);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = i ? end[i - 1] : 0;
        memset(sum, 0, (size_t)d * sizeof *sum);
        for (int64_t k = from; k < end[i]; k++)
            for (int64_t j = 0; j < d; j++) sum[j] += single ? (double)(float)t->x[order[k] * d + j] : t->x[order[k] * d + j];
        for (int64_t j = 0; j < d; j++) {
            double v = sum[j] / (double)(end[i] - from);
            w->x[i * d + j] = (float)v;
            w->exact[i * d + j] = single ? (double)(float)v : v;
        }
        w->obs.col[sites].v.i64[i] = end[i] - from;
    }
    w->n = n, w->d = d;
done:
    free(order);
    free(first);
    free(end);
    free(sum);
    text_free(&here);
    text_free(&before);
    return st;
}

/* Features that cannot be used, with the reason, to w->cleaned. */
static status clean(wells *w, const names *features, const config *cfg, names *notes)
{
    status st = OK;
    int32_t *why = NULL;
    int64_t count[SELECT_N_REASONS] = {0}, kept;
    int feature, reason;
    TRY(mem_alloc(&why, (size_t)w->d, sizeof *why, "features"));
    TRY(select_clean(w->x, w->n, w->d, why));
    if (cfg->evaluate.recipe != RECIPE_0_1) /* normalization drops what does not vary; without it features are used as they are */
        for (int64_t j = 0; j < w->d; j++)
            if (why[j] == SELECT_CONSTANT || why[j] == SELECT_MAD_ZERO) why[j] = SELECT_KEEP;
    TRY(frame_add_col(&w->cleaned, "feature", FRAME_TEXT, &feature));
    TRY(frame_add_col(&w->cleaned, "reason", FRAME_TEXT, &reason));
    for (int64_t j = 0; j < w->d; j++) {
        count[why[j]]++;
        if (why[j] == SELECT_KEEP) {
            names_add(&w->var, features->item[j]);
            continue;
        }
        TRY(frame_add_rows(&w->cleaned, 1));
        TRY(frame_set_text(&w->cleaned, w->cleaned.n_rows - 1, feature, features->item[j]));
        TRY(frame_set_text(&w->cleaned, w->cleaned.n_rows - 1, reason, select_reason_name(why[j])));
    }
    for (int r = 1; r < SELECT_N_REASONS; r++) {
        if (!count[r]) continue;
        char *note = xasprintf("cleaning: %lld features were dropped: %s (listed in the store's uns/dropped)", (long long)count[r],
                               select_reason_name(r));
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
    }
    if (count[SELECT_KEEP] == 0) TRY(fail(E_FAILED, "no feature can be used: each has wells without a value, or is the same in all"));
    kept = select_apply(w->x, w->n, w->d, why, w->x);
    for (int64_t i = 0, k = 0; w->exact && i < w->n * w->d; i++)
        if (why[i % w->d] == SELECT_KEEP) w->exact[k++] = w->exact[i];
    w->d = kept;
done:
    free(why);
    return st;
}

status profiles_clean(const stage *g, wells *w, const names *features, names *notes)
{
    if (!*g->cfg.evaluate.transform_with) return clean(w, features, &g->cfg, notes);
    for (size_t j = 0; j < features->n; j++) names_add(&w->var, features->item[j]); /* that store names those that are needed */
    return OK;
}

/* Note the columns that are not used. */
static void note_dropped(const profile_table *t, names *notes)
{
    if (!t->dropped.n) return;
    char *note = xasprintf("%zu columns are neither metadata nor features and were left out ('%s'%s; evaluate.image_features: yes uses "
                           "those that begin with Image_)",
                           t->dropped.n, t->dropped.item[0], t->dropped.n > 1 ? ", .." : "");
    names_add(notes, note);
    log_info("%s", note);
    free(note);
}

status profiles_read(const stage *g, wells *w, names *notes)
{
    status st = OK;
    names file = {0};
    profile_table t = {0};
    TRY(list_files(&g->cfg, &file));
    TRY(profile_tables_read(&t, g->keep, &file, &g->cfg));
    note_dropped(&t, notes);
    TRY(recognize_wells(&t.obs, &g->cfg, notes));
    w->own_set = frame_col(&t.obs, "Metadata_Set") >= 0;
    TRY(recognize_split(&t.obs, &g->cfg, notes));
    TRY(to_wells(&t, w, &g->cfg));
    TRY(profiles_clean(g, w, &t.var, notes));
done:
    names_free(&file);
    profile_table_free(&t);
    return st;
}
