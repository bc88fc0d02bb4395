/* read_profiles.c -- profiles of others (profile_tables.h), cleaned and brought into the form of our
 * own wells. Rank 0 reads. Several rows of one well (sites) are averaged. */
#include "evaluate.h"
#include "profile_tables.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/profile/feature_select.h"
#include "micon/stage/provenance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* ---- metadata ---- */

/* The column `name` must be there: taken from one of others' names for it, else filled with `otherwise` (NULL: an error). */
static status fill_column(frame *f, const char *name, const char *const *others, const char *otherwise, names *notes)
{
    status st = OK;
    int col = frame_col(f, name), from = -1;
    if (col >= 0) return OK;
    for (int i = 0; others[i] && from < 0; i++) from = frame_col(f, others[i]);
    if (from < 0 && !otherwise) return fail(E_FORMAT, "evaluate.profiles: the tables have no column %s", name);
    TRY(frame_add_col(f, name, FRAME_CATEGORY, &col));
    for (int64_t i = 0; i < f->n_rows; i++) TRY(frame_set_text(f, i, col, from >= 0 ? frame_text(f, i, from) : otherwise));
    if (from < 0) {
        char *note = xasprintf("the tables have no column %s: it is '%s' throughout", name, otherwise);
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
    }
done:
    return st;
}

static status derive_pert_type(frame *f, const config *cfg)
{
    status st = OK;
    int compound = frame_col(f, "Metadata_Compound"), type = frame_col(f, "Metadata_pert_type"),
        control = frame_col(f, "Metadata_control_type"), col;
    TRY(frame_add_col(f, "Metadata_kind", FRAME_CATEGORY, &col));
    for (int64_t i = 0; i < f->n_rows; i++) {
        const char *c = frame_text(f, i, compound), *t = type >= 0 ? frame_text(f, i, type) : "",
                   *k = control >= 0 ? frame_text(f, i, control) : "";
        bool is_control =
            names_find(&cfg->screen.control, c) >= 0 || strcmp(t, "negcon") == 0 || strcmp(t, "control") == 0 || strcmp(k, "negcon") == 0;
        bool empty = !is_control && (!*c || strcmp(c, "JCP2022_999999") == 0 || strcmp(t, "empty") == 0);
        TRY(frame_set_text(f, i, col, is_control ? "negcon" : empty ? "empty" : "trt"));
    }
    frame_drop_col(f, "Metadata_pert_type");
    col = frame_col(f, "Metadata_kind");
    free(f->col[col].name);
    f->col[col].name = xstrdup("Metadata_pert_type");
done:
    return st;
}

static status fill_metadata(frame *f, const config *cfg, names *notes)
{
    static const char *const source[] = {"Metadata_source", NULL}, *const batch[] = {"Metadata_batch", NULL},
                             *const plate[] = {"Metadata_Assay_Plate_Barcode", "Metadata_plate", "Metadata_barcode", NULL},
                             *const well[] = {"Metadata_well", "Metadata_well_position", NULL},
                             *const compound[] = {"Metadata_JCP2022", "Metadata_broad_sample", "Metadata_compound", "Metadata_pert_iname",
                                                  NULL};
    status st = OK;
    TRY(fill_column(f, "Metadata_Source", source, "S1", notes));
    TRY(fill_column(f, "Metadata_Batch", batch, "B1", notes));
    TRY(fill_column(f, "Metadata_Plate", plate, NULL, notes));
    TRY(fill_column(f, "Metadata_Well", well, NULL, notes));
    TRY(fill_column(f, "Metadata_Compound", compound, NULL, notes));
    for (int k = 0; k < 4; k++) { /* one of several tables may lack a column */
        static const char *const key[] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"};
        int col = frame_col(f, key[k]);
        for (int64_t i = 0; i < f->n_rows; i++)
            if (!*frame_text(f, i, col))
                TRY(fail(E_FORMAT, "evaluate.profiles: row %lld of the tables together has no %s", (long long)i + 1, key[k]));
    }
    TRY(derive_pert_type(f, cfg));
done:
    return st;
}

static void place_of(const frame *f, int64_t i, const int col[4], text *t)
{
    char well[8];
    text_clear(t);
    for (int k = 0; k < 4; k++) {
        const char *s = frame_text(f, i, col[k]);
        text_addf(t, "%s|", k == 3 && text_well(s, well) ? well : s);
    }
}

/* The screen's split, where there is one and it knows all of the wells. */
static status join_split(frame *f, const config *cfg, names *notes)
{
    static const char *const key[] = {"Source", "Batch", "Plate", "Well"};
    status st = OK;
    table *t = NULL;
    intern_table known = {0};
    text place = {0};
    int64_t *at = NULL, missing = 0;
    int from[5], col[4], set;
    char *path = config_work(cfg, WORK_SPLIT), well[8];
    if (frame_col(f, "Metadata_Set") >= 0 || !path_exists(path)) goto done;
    TRY(table_read(&t, path));
    for (int k = 0; k < 4; k++) {
        char *name = xasprintf("Metadata_%s", key[k]);
        col[k] = frame_col(f, name);
        free(name);
        TRY(table_need(t, key[k], &from[k]));
    }
    TRY(table_need(t, "set", &from[4]));
    for (int64_t i = 0; i < table_n_rows(t); i++) {
        uint32_t id;
        text_clear(&place);
        for (int k = 0; k < 4; k++) {
            const char *s = table_cell(t, i, from[k]);
            text_addf(&place, "%s|", k == 3 && text_well(s, well) ? well : s);
        }
        TRY(intern_add(&known, text_str(&place), &id));
    }
    TRY(mem_alloc(&at, (size_t)f->n_rows, sizeof *at, "wells"));
    for (int64_t i = 0; i < f->n_rows; i++) {
        place_of(f, i, col, &place);
        at[i] = intern_find(&known, text_str(&place));
        missing += at[i] < 0;
    }
    if (missing) {
        char *note =
            xasprintf("%s does not know %lld of the wells: it is not used, all treated wells are judged", path, (long long)missing);
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
        goto done;
    }
    TRY(frame_add_col(f, "Metadata_Set", FRAME_CATEGORY, &set));
    for (int64_t i = 0; i < f->n_rows; i++) TRY(frame_set_text(f, i, set, table_cell(t, at[i], from[4])));
done:
    table_free(&t);
    intern_free(&known);
    text_free(&place);
    free(at);
    free(path);
    return st;
}

/* ---- rows to wells ---- */

/* Sorted; rows of one place averaged. A well whose rows name different compounds is an error. */
static status to_wells(profile_table *t, wells *w)
{
    static const frame_key key[] = {
        {"Metadata_Source", false}, {"Metadata_Batch", false}, {"Metadata_Plate", false}, {"Metadata_Well", false}};
    status st = OK;
    int64_t *order = NULL, *first = NULL, *end = NULL, n = 0, d = (int64_t)t->var.n;
    int col[4], compound = frame_col(&t->obs, "Metadata_Compound"), sites;
    text here = {0}, before = {0};
    double *sum = NULL;
    for (int k = 0; k < 4; k++) col[k] = frame_col(&t->obs, key[k].col);
    TRY(frame_order(&t->obs, key, 4, &order));
    TRY(mem_alloc(&first, t->n, sizeof *first, "wells"));
    TRY(mem_alloc(&end, t->n, sizeof *end, "wells"));
    for (int64_t i = 0; i < (int64_t)t->n; i++) {
        place_of(&t->obs, order[i], col, &here);
        if (n > 0 && strcmp(text_str(&here), text_str(&before)) == 0) {
            if (strcmp(frame_text(&t->obs, order[i], compound), frame_text(&t->obs, first[n - 1], compound)) != 0)
                TRY(fail(E_FORMAT, "evaluate.profiles: well %s has two compounds", text_str(&here)));
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
    sum = xcalloc((size_t)d + 1, sizeof *sum);
    for (int64_t i = 0; i < n; i++) {
        int64_t from = i ? end[i - 1] : 0;
        memset(sum, 0, (size_t)d * sizeof *sum);
        for (int64_t k = from; k < end[i]; k++)
            for (int64_t j = 0; j < d; j++) sum[j] += t->x[order[k] * d + j];
        for (int64_t j = 0; j < d; j++) w->x[i * d + j] = (float)(sum[j] / (double)(end[i] - from));
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
static status clean(wells *w, const names *features, names *notes)
{
    status st = OK;
    int32_t *why = NULL;
    int64_t count[SELECT_N_REASONS] = {0}, kept;
    int feature, reason;
    TRY(mem_alloc(&why, (size_t)w->d, sizeof *why, "features"));
    TRY(select_clean(w->x, w->n, w->d, why));
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
    w->d = kept;
done:
    free(why);
    return st;
}

status profiles_clean(const stage *g, wells *w, const names *features, names *notes)
{
    if (!*g->cfg.evaluate.transform_with) return clean(w, features, notes);
    for (size_t j = 0; j < features->n; j++) names_add(&w->var, features->item[j]); /* which are needed, that store says */
    return OK;
}

status profiles_read(const stage *g, wells *w, names *notes)
{
    status st = OK;
    names file = {0};
    profile_table t = {0};
    TRY(list_files(&g->cfg, &file));
    for (size_t i = 0; i < file.n; i++) TRY(profile_table_read(&t, g->keep, file.item[i]));
    if (t.n == 0) TRY(fail(E_FAILED, "evaluate.profiles: the tables have no rows"));
    TRY(fill_metadata(&t.obs, &g->cfg, notes));
    TRY(join_split(&t.obs, &g->cfg, notes));
    TRY(to_wells(&t, w));
    TRY(profiles_clean(g, w, &t.var, notes));
done:
    names_free(&file);
    profile_table_free(&t);
    return st;
}
