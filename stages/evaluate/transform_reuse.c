/* transform_reuse.c -- apply another store's transformation to these wells, and collect the parameters of our own. */
#include "evaluate.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* The parameters of the profiles just computed: everything but the two lists of names is borrowed. */
void transform_params_from(transform_params *p, const wells *w, const transformed *c, const evaluate_options *o)
{
    *p = (transform_params){.borrows = true,
                            .features = w->var,
                            .normalize = o->normalize,
                            .normalize_on = o->normalize_on,
                            .normalize_by = o->normalize_by,
                            .min_controls = o->min_controls,
                            .reshape = o->reshape,
                            .sphere = c->sphere,
                            .components = c->components,
                            .harmony = c->final == c->pca,
                            .model = w->model,
                            .representation = w->representation};
    if (c->has_normal) p->normal = c->normal;
    for (int64_t j = 0; j < c->d_norm; j++) names_add(&p->var, w->var.item[c->kept[j]]);
    for (int64_t g = 0; g < p->normal.n_group; g++) names_add(&p->group, intern_at(&w->group_name, (size_t)g));
}

void transform_adopt(const transform_params *p, evaluate_options *o)
{
    o->normalize = p->normalize;
    o->normalize_on = p->normalize_on;
    o->min_controls = p->min_controls;
    o->reshape = p->reshape;
    o->sphere = (int)p->sphere.kind;
    o->select = SELECT_NONE; /* the store's features are selected ones */
    free(o->normalize_by);
    o->normalize_by = xstrdup(p->normalize_by);
}

static bool same_names(const names *a, const names *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = strcmp(a->item[i], b->item[i]) == 0;
    return same;
}

/* at[j]: the wells' number of the store's feature j. */
static status find_features(const transform_params *p, const wells *w, const char *path, int32_t *at)
{
    status st = OK;
    intern_table have = {0};
    uint32_t id;
    size_t missing = 0, first = 0;
    char shown[100];
    for (size_t j = 0; j < w->var.n; j++) TRY(intern_add(&have, w->var.item[j], &id));
    for (size_t j = 0; j < p->var.n; j++) {
        at[j] = (int32_t)intern_find(&have, p->var.item[j]);
        if (at[j] < 0 && missing++ == 0) first = j;
    }
    if (missing)
        st = fail(E_FAILED, "%s: these wells lack %zu of its %zu features, the first is '%s': it is of other profiles", path, missing,
                  p->var.n, text_show(shown, sizeof shown, p->var.item[first]));
done:
    intern_free(&have);
    return st;
}

static status pick(const transform_params *p, wells *w, const char *path)
{
    status st = OK;
    int32_t *at = NULL;
    float *x = NULL;
    double *exact = NULL;
    int64_t m = (int64_t)p->var.n;
    names left = {0};
    TRY(mem_alloc(&at, (size_t)m, sizeof *at, "features"));
    TRY(find_features(p, w, path, at));
    TRY(mem_alloc(&x, (size_t)(w->n * m), sizeof *x, "wells"));
    if (w->exact) TRY(mem_alloc(&exact, (size_t)(w->n * m), sizeof *exact, "wells"));
    for (int64_t i = 0; i < w->n; i++)
        for (int64_t j = 0; j < m; j++) {
            x[i * m + j] = w->x[i * w->d + at[j]];
            if (exact) exact[i * m + j] = w->exact[i * w->d + at[j]];
        }
    for (int64_t j = 0; j < m; j++) names_add(&left, p->var.item[j]);
    free(w->x);
    free(w->exact);
    names_free(&w->var);
    w->x = x, x = NULL;
    w->exact = exact, exact = NULL;
    w->var = left;
    w->d = m;
done:
    free(at);
    free(x);
    free(exact);
    return st;
}

status transform_fit_features(const transform_params *p, wells *w, bool table, const char *path)
{
    if (!table && *w->model && *p->model && strcmp(w->model, p->model) != 0)
        return fail(E_FAILED,
                    "%s holds profiles of another model (%s) than these embeddings (%s): embed them with that model (embed.model), or "
                    "transform with a store of this one",
                    path, p->model, w->model);
    if (!table && strcmp(w->representation, p->representation) != 0 && strcmp(p->representation, "table") != 0)
        return fail(E_FAILED, "%s holds the %s representation, these are %s: set embed.representation to %s", path, p->representation,
                    w->representation, p->representation);
    if (same_names(&w->var, &p->features)) return OK;
    if (!table)
        return fail(E_FAILED, "%s was made from profiles of length %zu, these are of length %lld: it is of another model", path,
                    p->features.n, (long long)w->d);
    return pick(p, w, path);
}

void transform_keep(const transform_params *p, const wells *w, uint8_t *keep, int64_t *n_kept)
{
    size_t next = 0;
    for (int64_t j = 0; j < w->d; j++) {
        keep[j] = next < p->var.n && strcmp(w->var.item[j], p->var.item[next]) == 0;
        next += keep[j];
    }
    *n_kept = (int64_t)next;
}

/* For normalize_by: none: the store's centers and scales, for the features that these wells have. */
status transform_normal(const transform_params *p, const wells *w, normalize_params *out)
{
    status st = OK;
    const normalize_params *n = &p->normal;
    size_t from = 0;
    *out = (normalize_params){.kind = n->kind, .n_group = 1, .d = w->d};
    TRY(mem_alloc(&out->center, (size_t)w->d, sizeof *out->center, "normalization parameters"));
    TRY(mem_alloc(&out->scale, (size_t)w->d, sizeof *out->scale, "normalization parameters"));
    TRY(mem_alloc(&out->keep, (size_t)w->d, sizeof *out->keep, "normalization parameters"));
    TRY(mem_alloc(&out->n_zero, (size_t)w->d, sizeof *out->n_zero, "normalization parameters"));
    TRY(mem_alloc(&out->level, 1, sizeof *out->level, "normalization parameters"));
    TRY(mem_alloc(&out->n_learn, 1, sizeof *out->n_learn, "normalization parameters"));
    for (int64_t j = 0; j < w->d; j++, from++) { /* both lists are in the same order */
        while (from < p->features.n && strcmp(p->features.item[from], w->var.item[j]) != 0) from++;
        if (from == p->features.n) TRY(fail(E_INTERNAL, "feature '%s' is not among the store's", w->var.item[j]));
        out->center[j] = n->center[from], out->scale[j] = n->scale[from];
    }
    out->level[0] = n->level[0], out->n_learn[0] = n->n_learn[0];
done:
    return st;
}
