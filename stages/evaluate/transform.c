/* transform.c -- raw wells to normalized, sphered and corrected profiles (docs/method.md 7). On one process: the steps are fitted on all
 * wells together. */
#include "evaluate.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/profile/feature_select.h"
#include "micon/profile/harmony.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/normal_scores.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The configuration's values are cast to the profile room's, which does not know the configuration. */
_Static_assert((int)SCALE_MAD == (int)NORMALIZE_MAD && (int)SCALE_STANDARDIZE == (int)NORMALIZE_STANDARDIZE, "evaluate.normalize");
_Static_assert((int)SPHERING_NONE == (int)SPHERE_NONE && (int)SPHERING_ZCA == (int)SPHERE_ZCA && (int)SPHERING_PCA == (int)SPHERE_PCA &&
                   (int)SPHERING_ZCA_COR == (int)SPHERE_ZCA_COR && (int)SPHERING_PCA_COR == (int)SPHERE_PCA_COR,
               "evaluate.sphere");

void transformed_free(transformed *c)
{
    if (c->final != c->norm && c->final != c->sphered && c->final != c->pca) free(c->final);
    if (c->cross.base != c->norm) free(c->cross.base);
    control_folds_free(&c->cross);
    if (c->cf_final != c->cf_norm) free(c->cf_final);
    free(c->norm);
    free(c->sphered);
    free(c->pca);
    free(c->umap);
    free(c->cf_norm);
    free(c->kept);
    free(c->why);
    normalize_free(&c->normal);
    sphering_free(&c->sphere);
    sphering_free(&c->components);
}

static void note(names *notes, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void note(names *notes, const char *fmt, ...)
{
    char line[600];
    va_list ap;
    if (!notes) return;
    va_start(ap, fmt);
    vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    names_add(notes, line);
    log_warn("%s", line);
}

/* " (most in 'A', 'B')": the groups in which half of the features or more do not vary, the first few of them by name. */
static const char *flat_groups(const transformed *c, const wells *w, char *buf, size_t size)
{
    enum { SHOWN = 3 };
    const normalize_params *p = &c->normal;
    int64_t found = 0;
    size_t at = 0;
    buf[0] = 0;
    for (int64_t g = 0; g < p->n_group; g++) {
        if (2 * normalize_flat(p, g) < p->d || ++found > SHOWN || at >= size) continue;
        at += (size_t)snprintf(buf + at, size - at, "%s'%s'", found > 1 ? ", " : " (most in ", intern_at(&w->group_name, (size_t)g));
    }
    if (found > SHOWN && at < size) at += (size_t)snprintf(buf + at, size - at, " and %lld more", (long long)(found - SHOWN));
    if (found > 0 && at < size) snprintf(buf + at, size - at, ")");
    return buf;
}

/* Notes groups that were fitted on other wells than their own controls, and features that were dropped. */
static void tell_normal(const transformed *c, const wells *w, names *notes)
{
    static const char *const level[] = {"its own controls", "the controls of its batch", "the controls of its source", "all of its wells"};
    const normalize_params *p = &c->normal;
    char where[400];
    int64_t zero = 0;
    for (int64_t g = 0; g < p->n_group; g++)
        if (p->level[g] != NORMALIZE_ON_CONTROLS)
            note(notes, "normalization: '%s' has too few controls: fitted on %s (%lld wells)", intern_at(&w->group_name, (size_t)g),
                 level[p->level[g]], (long long)p->n_learn[g]);
    if (p->d_kept < p->d && !c->carried)
        note(notes, "normalization: %lld of %lld features were dropped: they do not vary in over 10 %% of the groups%s",
             (long long)(p->d - p->d_kept), (long long)p->d, flat_groups(c, w, where, sizeof where));
    for (int64_t j = 0; j < p->d; j++) zero += p->keep[j] && p->n_zero[j] > 0;
    if (zero)
        note(notes, "normalization: %lld features are 0 in the few groups where they do not vary%s", (long long)zero,
             flat_groups(c, w, where, sizeof where));
}

/* With another store's transformation: each group is fitted on its own wells, unless the store has one group of all wells; the features are
 * the store's. */
static status learn(transformed *c, const wells *w, const evaluate_options *o, const normalize_rows *rows, const transform_params *like,
                    names *notes)
{
    status st = OK;
    char where[400];
    if (like && transform_params_one_group(like)) {
        TRY(transform_normal(like, w, &c->normal));
    } else {
        TRY(normalize_fit(&c->normal, (normalize_kind)o->normalize, &(normalize_table){w->x, w->exact, w->n, w->d}, rows));
        if (c->normal.d_kept == 0)
            TRY(fail(E_FAILED,
                     "normalization: none of %lld features varies in 90 %% of the groups%s; leave those out, group by something larger "
                     "(evaluate.normalize_by), or normalize on all wells (evaluate.normalize_on)",
                     (long long)w->d, flat_groups(c, w, where, sizeof where)));
        if (!like) goto done;
    }
    transform_keep(like, w, c->normal.keep, &c->normal.d_kept);
done:
    if (st == OK && !(like && transform_params_one_group(like))) tell_normal(c, w, notes);
    return st;
}

static status normalize(transformed *c, const wells *w, const evaluate_options *o, const transform_params *like, names *notes)
{
    status st = OK;
    int64_t bad = 0, cf_bad = 0, d = w->d;
    uint8_t *keep = NULL;
    const normalize_rows rows = {.group = w->group,
                                 .batch = w->batch,
                                 .source = w->source,
                                 .control = o->normalize_on == ON_CONTROL ? w->control : NULL,
                                 .n_group = w->n_group,
                                 .min_controls = (int)o->min_controls};
    if (o->normalize != SCALE_NONE) {
        c->has_normal = true;
        TRY(learn(c, w, o, &rows, like, notes));
        c->d_norm = c->normal.d_kept;
    } else {
        c->d_norm = like ? (int64_t)like->var.n : d;
    }
    TRY(mem_alloc(&c->norm, (size_t)(w->n * c->d_norm), sizeof *c->norm, "normalized profiles"));
    TRY(mem_alloc(&c->cf_norm, (size_t)(w->n_cf * c->d_norm), sizeof *c->cf_norm, "predicted profiles"));
    TRY(mem_alloc(&c->kept, (size_t)c->d_norm, sizeof *c->kept, "features"));
    if (c->has_normal) {
        normalize_apply(&c->normal, &(normalize_table){w->x, w->exact, w->n, w->d}, w->group, c->norm, &bad);
        normalize_apply(&c->normal, &(normalize_table){w->cf_x, NULL, w->n_cf, w->d}, w->cf_group, c->cf_norm, &cf_bad);
        normalize_kept(&c->normal, c->kept);
    } else {
        TRY(mem_alloc(&keep, (size_t)d, 1, "features"));
        memset(keep, 1, (size_t)d);
        if (like) transform_keep(like, w, keep, &c->d_norm);
        for (int64_t j = 0, k = 0; j < d; j++)
            if (keep[j]) c->kept[k++] = (int32_t)j;
        for (int64_t i = 0; i < w->n * c->d_norm; i++) {
            float v = w->x[i / c->d_norm * d + c->kept[i % c->d_norm]];
            c->norm[i] = isfinite(v) ? v : (bad++, 0.0f);
        }
        for (int64_t i = 0; i < w->n_cf * c->d_norm; i++) c->cf_norm[i] = w->cf_x[i / c->d_norm * d + c->kept[i % c->d_norm]];
    }
    if (bad) note(notes, "normalization: %lld cells are empty, NaN or infinite and count as the group's centre", (long long)bad);
done:
    free(keep);
    return st;
}

/* pycytominer's feature selection with its defaults, on the normalized profiles; cells without a number are counted in the raw ones. */
static status choose_features(transformed *c, const wells *w, const evaluate_options *o, names *notes)
{
    enum { REASONS = SELECT_N_REASONS };
    status st = OK;
    int64_t count[REASONS] = {0}, kept = 0, m = 0;
    int32_t *raw = NULL;
    if (o->select == SELECT_NONE) goto done;
    TRY(mem_alloc(&c->why, (size_t)w->d, sizeof *c->why, "features"));
    TRY(mem_alloc(&raw, (size_t)w->d, sizeof *raw, "features"));
    select_nan_share(w->x, w->n, w->d, 0.05, raw);
    for (int64_t j = 0; j < c->d_norm; j++) c->why[j] = raw[c->kept[j]];
    TRY(select_variance(c->norm, w->n, c->d_norm, 0.05, 0.01, c->why));
    TRY(select_correlation(c->norm, w->n, c->d_norm, 0.9, c->why));
    select_outliers(c->norm, w->n, c->d_norm, 500, c->why);
    for (int64_t j = 0; j < c->d_norm; j++) count[c->why[j]]++, kept += c->why[j] == SELECT_KEEP;
    if (kept == 0) TRY(fail(E_FAILED, "evaluate.select: no feature is left; set it to none"));
    for (int r = 1; r < REASONS; r++)
        if (count[r]) note(notes, "selection: %lld features were dropped: %s", (long long)count[r], select_reason_name(r));
    select_apply(c->norm, w->n, c->d_norm, c->why, c->norm);
    select_apply(c->cf_norm, w->n_cf, c->d_norm, c->why, c->cf_norm);
    memset(raw, 0, (size_t)w->d * sizeof *raw);
    for (int64_t j = 0; j < c->d_norm; j++) { /* from here on, why is indexed by the table's features */
        raw[c->kept[j]] = c->why[j];
        if (c->why[j] == SELECT_KEEP) c->kept[m++] = c->kept[j];
    }
    memcpy(c->why, raw, (size_t)w->d * sizeof *raw);
    c->d_norm = kept;
done:
    free(raw);
    return st;
}

/* Ranks among few wells are coarse, and depend on which wells these are (docs/evaluation.md, Corrections). */
void transform_settle(evaluate_options *o, const wells *w, names *notes)
{
    enum { LEAST = 24 };
    double *size = xcalloc((size_t)w->n_plate, sizeof *size), typical;
    if (o->reshape != RESHAPE_AUTO) goto done;
    for (int64_t i = 0; i < w->n; i++) size[w->plate[i]]++;
    typical = linear_median(size, w->n_plate);
    o->reshape = typical >= LEAST ? RESHAPE_RANK_PLATE : RESHAPE_NONE;
    if (o->reshape == RESHAPE_NONE)
        note(notes, "no ranks within plates: half of the plates hold %.0f wells or fewer; for ranks set evaluate.reshape: rank_plate",
             typical);
done:
    free(size);
}

/* Ranks need all wells of a group: they are computed from these wells even with another store's transformation. */
static status score_profiles(transformed *c, const wells *w, const evaluate_options *o)
{
    status st = OK;
    bool plate = o->reshape == RESHAPE_RANK_PLATE;
    float *y = NULL, *cf = NULL;
    c->final = c->norm, c->d_final = c->d_sphere = c->d_norm, c->cf_final = c->cf_norm;
    if (o->reshape == RESHAPE_NONE) goto done;
    TRY(mem_alloc(&y, (size_t)(w->n * c->d_norm), sizeof *y, "profiles"));
    TRY(mem_alloc(&cf, (size_t)(w->n_cf * c->d_norm), sizeof *cf, "predicted profiles"));
    const scored_others others = {.x = c->cf_norm, .group = plate ? w->cf_plate : w->cf_batch, .n = w->n_cf, .y = cf};
    TRY(normal_scores(c->norm, w->n, c->d_norm, plate ? w->plate : w->batch, plate ? w->n_plate : w->n_batch, w->n_cf > 0 ? &others : NULL,
                      y));
    c->final = y, c->cf_final = cf, c->corrected = true;
    y = cf = NULL;
done:
    free(y);
    free(cf);
    return st;
}

static status sphere_profiles(transformed *c, const wells *w, const evaluate_options *o, transform_params *like, names *notes)
{
    status st = OK;
    int64_t controls = 0;
    double ridge = o->ridge == RIDGE_LEDOIT_WOLF ? SPHERE_LEDOIT_WOLF : o->ridge;
    float *x = c->final, *cf = c->cf_final, *y = NULL, *cf_y = NULL;
    for (int64_t i = 0; i < w->n; i++) controls += w->control[i];
    if (o->sphere == SPHERE_NONE) goto done;
    if (!like && controls < SPHERE_MIN_ROWS) {
        note(notes, "no sphering: %lld controls are too few, at least %d are needed", (long long)controls, SPHERE_MIN_ROWS);
        goto done;
    }
    if (like)
        c->sphere = like->sphere, like->sphere = (sphering_params){0};
    else
        TRY(sphering_fit(&c->sphere, (sphering_kind)o->sphere, ridge, x, w->n, c->d_norm, w->control));
    TRY(mem_alloc(&y, (size_t)(w->n * c->sphere.k), sizeof *y, "sphered profiles"));
    TRY(mem_alloc(&cf_y, (size_t)(w->n_cf * c->sphere.k), sizeof *cf_y, "predicted profiles"));
    TRY(sphering_apply(&c->sphere, x, 0, w->n, y));
    TRY(sphering_apply(&c->sphere, cf, 0, w->n_cf, cf_y));
    if (!like && o->recipe != RECIPE_0_1 && o->batch_correction == CORRECTION_NONE)
        TRY(control_folds_find(w, &c->sphere, ridge, x, &c->cross, notes));
    if (x != c->norm && x != c->cross.base) free(x);
    if (cf != c->cf_norm) free(cf);
    c->final = y, c->cf_final = cf_y, y = cf_y = NULL;
    c->d_final = c->d_sphere = c->sphere.k;
    c->has_sphere = c->corrected = true;
    if (!like && o->ridge == 0 && c->sphere.rank < c->d_norm)
        note(notes, "sphering: %lld controls span %lld of %lld directions; the others are scaled as the weakest of them",
             (long long)controls, (long long)c->sphere.rank, (long long)c->d_norm);
    if (!like && o->ridge == RIDGE_LEDOIT_WOLF)
        note(notes, "sphering: the covariance of %lld controls was shrunk by %.3f (Ledoit and Wolf)", (long long)controls,
             c->sphere.shrinkage);
done:
    free(y);
    free(cf_y);
    return st;
}

static status harmonize_profiles(transformed *c, const wells *w, const evaluate_options *o, names *notes)
{
    status st = OK;
    float *y = NULL;
    harmony_result done_as;
    harmony_options h = harmony_defaults();
    const int32_t *code = o->harmony_by == HARMONY_SOURCE ? w->source : o->harmony_by == HARMONY_BATCH ? w->batch : w->plate;
    int32_t n_code = o->harmony_by == HARMONY_SOURCE ? w->n_source : o->harmony_by == HARMONY_BATCH ? w->n_batch : w->n_plate;
    h.seed = (uint32_t)o->seed;
    if (o->recipe == RECIPE_0_1) h.starts = 10, h.greedy = false;
    if (o->batch_correction != CORRECTION_HARMONY) goto done;
    if (n_code < 2) {
        note(notes, "no Harmony: there is only one %s",
             o->harmony_by == HARMONY_SOURCE  ? "source"
             : o->harmony_by == HARMONY_BATCH ? "batch"
                                              : "plate");
        goto done;
    }
    TRY(mem_alloc(&y, (size_t)(w->n * c->d_pca), sizeof *y, "corrected profiles"));
    TRY(harmony_correct(c->pca, w->n, c->d_pca, code, n_code, &h, y, &done_as));
    if (w->n_cf > 0) note(notes, "predicted profiles have no corrected figures: Harmony cannot correct single profiles");
    if (!done_as.converged) note(notes, "Harmony had not converged after %d rounds", done_as.rounds);
    free(c->pca);
    c->pca = y, y = NULL;
    if (c->final != c->norm) c->sphered = c->final;
    c->final = c->pca, c->d_final = c->d_pca, c->corrected = true;
done:
    free(y);
    return st;
}

static status components(transformed *c, const wells *w, transform_params *like)
{
    status st = OK;
    int64_t k = c->d_final < N_COMPONENTS ? c->d_final : N_COMPONENTS;
    if (like)
        c->components = like->components, like->components = (sphering_params){0};
    else
        TRY(sphering_fit_components(&c->components, c->final, w->n, c->d_final, NULL, k));
    c->d_pca = c->components.k;
    TRY(mem_alloc(&c->pca, (size_t)(w->n * c->d_pca), sizeof *c->pca, "principal components"));
    TRY(sphering_apply(&c->components, c->final, 0, w->n, c->pca));
done:
    return st;
}

status transform_correct(transformed *c, const wells *w, const evaluate_options *o, transform_params *like, names *notes)
{
    status st = OK;
    c->carried = like != NULL;
    TRY(normalize(c, w, o, like, notes));
    TRY(choose_features(c, w, o, notes));
    TRY(score_profiles(c, w, o));
    TRY(sphere_profiles(c, w, o, like, notes));
    TRY(components(c, w, like));
    TRY(harmonize_profiles(c, w, o, notes));
done:
    return st;
}
