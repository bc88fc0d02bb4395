/* transform_params.c -- what a store keeps of how its profiles were made, so that other wells can be transformed alike: the features that
 * are left, how groups are normalized, the sphering, the components. Rank 0 puts it into a store; every rank may read it. */
#include "evaluate.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>

static const char *const scale_name[] = {"mad", "standardize", "none"}, *const on_name[] = {"control", "all"};

void transform_params_free(transform_params *p)
{
    if (!p->borrows) {
        names_free(&p->features);
        normalize_free(&p->normal);
        sphering_free(&p->sphere);
        sphering_free(&p->components);
        free(p->normalize_by);
        free(p->model);
        free(p->representation);
    }
    names_free(&p->var);
    names_free(&p->group);
    *p = (transform_params){0};
}

/* The own parameters of profiles just made: everything but the two lists of names is borrowed. */
void transform_params_from(transform_params *p, const wells *w, const transformed *c, const evaluate_options *o)
{
    *p = (transform_params){.borrows = true,
                            .features = w->var,
                            .normalize = o->normalize,
                            .normalize_on = o->normalize_on,
                            .normalize_by = o->normalize_by,
                            .min_controls = o->min_controls,
                            .sphere = c->sphere,
                            .components = c->components,
                            .harmony = c->final == c->pca,
                            .model = w->model,
                            .representation = w->representation};
    if (c->has_normal) p->normal = c->normal;
    for (int64_t j = 0; j < c->d_norm; j++) names_add(&p->var, w->var.item[c->kept[j]]);
    for (int64_t g = 0; g < p->normal.n_group; g++) names_add(&p->group, intern_at(&w->group_name, (size_t)g));
}

/* ---- into a store ---- */

static void put_reals(store *s, const char *folder, const char *name, int n_dims, int64_t n, int64_t d, const double *v)
{
    char *path = xasprintf("uns/%s/%s", folder, name);
    store_put_values(s, path, STORE_F64, n_dims, (int64_t[]){n, d}, v);
    free(path);
}

static void put_groups(store *s, const transform_params *p)
{
    const normalize_params *n = &p->normal;
    store_put_texts(s, "uns/normalize/group", &p->group);
    put_reals(s, "normalize", "center", 2, n->n_group, n->d, n->center);
    put_reals(s, "normalize", "scale", 2, n->n_group, n->d, n->scale);
    store_put_values(s, "uns/normalize/keep", STORE_U8, 1, (int64_t[]){n->d}, n->keep);
    store_put_values(s, "uns/normalize/learned_on", STORE_I32, 1, (int64_t[]){n->n_group}, n->level);
    store_put_values(s, "uns/normalize/n_learned", STORE_I64, 1, (int64_t[]){n->n_group}, n->n_learn);
}

void transform_params_put(store *s, const transform_params *p)
{
    store_put_texts(s, "uns/features", &p->features);
    store_put_text(s, "uns/normalize/kind", scale_name[p->normalize]);
    store_put_text(s, "uns/normalize/by", p->normalize_by);
    store_put_text(s, "uns/normalize/on", on_name[p->normalize_on]);
    store_put_int(s, "uns/normalize/min_controls", p->min_controls);
    if (p->normal.n_group > 0) put_groups(s, p);
    if (p->sphere.k > 0) {
        store_put_int(s, "uns/sphere/kind", (int64_t)p->sphere.kind);
        store_put_int(s, "uns/sphere/rank", p->sphere.rank);
        store_put_int(s, "uns/sphere/n_controls", p->sphere.n_fit);
        put_reals(s, "sphere", "mean", 1, p->sphere.d, 0, p->sphere.mean);
        put_reals(s, "sphere", "w", 2, p->sphere.d, p->sphere.k, p->sphere.w);
    }
    put_reals(s, "pca", "mean", 1, p->components.d, 0, p->components.mean);
    put_reals(s, "pca", "w", 2, p->components.d, p->components.k, p->components.w);
    store_put_text(s, "uns/corrected", p->harmony ? "harmony" : p->sphere.k > 0 ? "sphere" : "none");
    store_put_text(s, "uns/model/digest", p->model);
    store_put_text(s, "uns/model/representation", p->representation);
}

/* ---- out of a store ---- */

/* An array of whole or real numbers of the dimensions that it must have; d < 0: any, and returned. */
static status read_array(const store_file *f, const char *path, store_type as, int n_dims, int64_t n, int64_t *d, void **out)
{
    status st = OK;
    int is_dims;
    int64_t dims[4], rows = 1;
    TRY(store_dims(f, path, &is_dims, dims));
    if (n_dims == 2 && *d < 0) *d = dims[1];
    if (is_dims != n_dims || dims[0] != n || (n_dims == 2 && dims[1] != *d))
        TRY(fail(E_FORMAT, "'%s' does not fit the features that the file has", path));
    if (n_dims == 2) rows = *d;
    TRY(mem_alloc(out, (size_t)n, (size_t)rows * store_type_size(as), path));
    TRY(store_read_rows(f, path, as, 0, n, *out));
done:
    return st;
}
#define READ(path, as, n_dims, n, d, out)                                                                                                  \
    do {                                                                                                                                   \
        void *block = NULL;                                                                                                                \
        st = read_array(f, path, as, n_dims, n, d, &block);                                                                                \
        (out) = block;                                                                                                                     \
        if (st != OK) goto done;                                                                                                           \
    } while (0)

static status read_word(const store_file *f, const char *path, const char *const *known, int n, int *out)
{
    char *word = NULL, shown[60];
    status st = store_read_text(f, path, &word);
    *out = -1;
    for (int i = 0; st == OK && i < n; i++)
        if (strcmp(word, known[i]) == 0) *out = i;
    if (st == OK && *out < 0)
        st = fail(E_FORMAT, "'%s' is '%s', which this version does not know", path, text_show(shown, sizeof shown, word));
    free(word);
    return st;
}

static status read_sphere(const store_file *f, const char *folder, int64_t d, sphering_params *s)
{
    status st = OK;
    char *mean = xasprintf("uns/%s/mean", folder), *w = xasprintf("uns/%s/w", folder);
    s->d = d, s->k = -1;
    READ(mean, STORE_F64, 1, d, NULL, s->mean);
    READ(w, STORE_F64, 2, d, &s->k, s->w);
    if (s->k < 1) TRY(fail(E_FORMAT, "'%s' is empty", w));
done:
    if (s->k < 0) s->k = 0;
    free(mean);
    free(w);
    return st;
}

static status read_groups(const store_file *f, transform_params *p)
{
    status st = OK;
    normalize_params *n = &p->normal;
    int64_t d = (int64_t)p->features.n;
    TRY(store_read_texts(f, "uns/normalize/group", &p->group));
    *n = (normalize_params){.kind = (normalize_kind)p->normalize, .n_group = (int64_t)p->group.n, .d = d};
    READ("uns/normalize/center", STORE_F64, 2, n->n_group, &d, n->center);
    READ("uns/normalize/scale", STORE_F64, 2, n->n_group, &d, n->scale);
    READ("uns/normalize/keep", STORE_U8, 1, d, NULL, n->keep);
    READ("uns/normalize/learned_on", STORE_I32, 1, n->n_group, NULL, n->level);
    READ("uns/normalize/n_learned", STORE_I64, 1, n->n_group, NULL, n->n_learn);
    TRY(mem_alloc(&n->n_zero, (size_t)d, sizeof *n->n_zero, "normalization parameters"));
done:
    return st;
}

static status read_var(const store_file *f, transform_params *p)
{
    status st = OK;
    frame var = {0};
    size_t at = 0;
    TRY(store_read_texts(f, "uns/features", &p->features));
    TRY(store_read_frame(f, "var", &var));
    int col = frame_col(&var, "_index");
    if (col < 0 || var.n_rows == 0) TRY(fail(E_FORMAT, "'var' has no names of features"));
    for (int64_t j = 0; j < var.n_rows; j++, at++) {
        const char *name = frame_text(&var, j, col);
        while (at < p->features.n && strcmp(p->features.item[at], name) != 0) at++;
        if (at == p->features.n) TRY(fail(E_FORMAT, "'var' names '%s', which is not at its place in 'uns/features'", name));
        names_add(&p->var, name);
    }
done:
    frame_free(&var);
    return st;
}

static status read_all(const store_file *f, transform_params *p)
{
    static const char *const corrected[] = {"none", "sphere", "harmony"};
    status st = OK;
    int how;
    int64_t kind;
    if (!store_has(f, "uns/normalize/kind") || !store_has(f, "uns/model/digest"))
        TRY(fail(E_FORMAT, "an earlier version made it, which kept less than is needed here: make it anew with micon-evaluate --force"));
    TRY(read_var(f, p));
    TRY(read_word(f, "uns/normalize/kind", scale_name, 3, &p->normalize));
    TRY(read_word(f, "uns/normalize/on", on_name, 2, &p->normalize_on));
    TRY(read_word(f, "uns/corrected", corrected, 3, &how));
    TRY(store_read_text(f, "uns/normalize/by", &p->normalize_by));
    TRY(store_read_int(f, "uns/normalize/min_controls", &p->min_controls));
    TRY(store_read_text(f, "uns/model/digest", &p->model));
    TRY(store_read_text(f, "uns/model/representation", &p->representation));
    p->harmony = how == 2;
    if (store_has(f, "uns/normalize/group")) TRY(read_groups(f, p));
    if (store_has(f, "uns/sphere")) {
        TRY(read_sphere(f, "sphere", (int64_t)p->var.n, &p->sphere));
        TRY(store_read_int(f, "uns/sphere/kind", &kind));
        TRY(store_read_int(f, "uns/sphere/rank", &p->sphere.rank));
        TRY(store_read_int(f, "uns/sphere/n_controls", &p->sphere.n_fit));
        if (kind <= SPHERE_NONE || kind > SPHERE_PCA_COR) TRY(fail(E_FORMAT, "'uns/sphere/kind' is none that this version knows"));
        p->sphere.kind = (sphering_kind)kind;
    }
    TRY(read_sphere(f, "pca", p->sphere.k > 0 ? p->sphere.k : (int64_t)p->var.n, &p->components));
    if (transform_params_one_group(p) && p->normal.n_group != 1) TRY(fail(E_FORMAT, "'uns/normalize' has not the one group that it needs"));
done:
    return st;
}

status transform_params_read(transform_params *p, const store_file *f, const char *path)
{
    status st = read_all(f, p);
    if (st != OK && strncmp(msg_get(), path, strlen(path)) != 0) st = fail_within(st, "%s", path);
    return st;
}

bool transform_params_one_group(const transform_params *p)
{
    return p->normalize != SCALE_NONE && strcmp(p->normalize_by, "none") == 0;
}

/* Tables of others name their features: those that are left are all that is needed, whatever else a table had. */
void transform_params_narrow(transform_params *p)
{
    normalize_params *n = &p->normal;
    int64_t k = 0;
    if (!transform_params_one_group(p)) {
        normalize_free(n);
        names_free(&p->group);
    }
    if (strcmp(p->representation, "table") != 0) return;
    for (size_t j = 0; j < p->features.n; j++) { /* var is in the order of features */
        if ((size_t)k == p->var.n || strcmp(p->features.item[j], p->var.item[k]) != 0) continue;
        if (n->n_group) n->center[k] = n->center[j], n->scale[k] = n->scale[j], n->keep[k] = 1;
        k++;
    }
    if (n->n_group) n->d = n->d_kept = k;
    names_free(&p->features);
    for (size_t j = 0; j < p->var.n; j++) names_add(&p->features, p->var.item[j]);
}

static uint64_t mix_names(uint64_t d, const names *l)
{
    d = digest_mix(d, l->n);
    for (size_t i = 0; i < l->n; i++) d = digest_mix(d, digest_text(l->item[i]));
    return d;
}

static uint64_t mix_sphere(uint64_t d, const sphering_params *s)
{
    d = digest_mix(d, (uint64_t)s->k);
    if (s->k == 0) return d;
    d = digest_mix(d, digest_bytes(s->mean, (size_t)s->d * sizeof *s->mean));
    return digest_mix(d, digest_bytes(s->w, (size_t)(s->d * s->k) * sizeof *s->w));
}

uint64_t transform_params_normal_digest(const transform_params *p)
{
    const normalize_params *n = &p->normal;
    uint64_t d = digest_mix(digest_text(scale_name[p->normalize]), digest_text(p->normalize == SCALE_NONE ? "" : p->normalize_by));
    if (p->normalize == SCALE_NONE) return d;
    d = digest_mix(digest_mix(d, digest_text(on_name[p->normalize_on])), (uint64_t)p->min_controls);
    if (!transform_params_one_group(p)) return d;
    d = digest_mix(d, digest_bytes(n->center, (size_t)n->d * sizeof *n->center));
    return digest_mix(d, digest_bytes(n->scale, (size_t)n->d * sizeof *n->scale));
}

uint64_t transform_params_features_digest(const transform_params *p)
{
    return mix_names(mix_names(0, &p->features), &p->var);
}

uint64_t transform_params_sphere_digest(const transform_params *p)
{
    return mix_sphere(mix_sphere(0, &p->sphere), &p->components);
}

uint64_t transform_params_digest(const transform_params *p)
{
    uint64_t d = digest_mix(transform_params_features_digest(p), transform_params_normal_digest(p));
    d = digest_mix(digest_mix(d, transform_params_sphere_digest(p)), (uint64_t)p->harmony);
    return digest_mix(digest_mix(d, digest_text(p->model)), digest_text(p->representation));
}

/* ---- to other wells ---- */

void transform_params_adopt(const transform_params *p, evaluate_options *o)
{
    o->normalize = p->normalize;
    o->normalize_on = p->normalize_on;
    o->min_controls = p->min_controls;
    o->sphere = (int)p->sphere.kind;
    o->select = SELECT_NONE; /* what was selected then is among the features that are left */
    free(o->normalize_by);
    o->normalize_by = xstrdup(p->normalize_by);
}

static bool same_names(const names *a, const names *b)
{
    bool same = a->n == b->n;
    for (size_t i = 0; same && i < a->n; i++) same = strcmp(a->item[i], b->item[i]) == 0;
    return same;
}

/* at[j]: where the wells have the j-th feature that is left. */
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
    int64_t m = (int64_t)p->var.n;
    names left = {0};
    TRY(mem_alloc(&at, (size_t)m, sizeof *at, "features"));
    TRY(find_features(p, w, path, at));
    TRY(mem_alloc(&x, (size_t)(w->n * m), sizeof *x, "wells"));
    for (int64_t i = 0; i < w->n; i++)
        for (int64_t j = 0; j < m; j++) x[i * m + j] = w->x[i * w->d + at[j]];
    for (int64_t j = 0; j < m; j++) names_add(&left, p->var.item[j]);
    free(w->x);
    names_free(&w->var);
    w->x = x, x = NULL;
    w->var = left;
    w->d = m;
done:
    free(at);
    free(x);
    return st;
}

status transform_params_fit(const transform_params *p, wells *w, bool table, const char *path)
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

void transform_params_keep(const transform_params *p, const wells *w, uint8_t *keep, int64_t *n_kept)
{
    size_t next = 0;
    for (int64_t j = 0; j < w->d; j++) {
        keep[j] = next < p->var.n && strcmp(w->var.item[j], p->var.item[next]) == 0;
        next += keep[j];
    }
    *n_kept = (int64_t)next;
}

/* For normalize_by: none. The numbers of the features that these wells have. */
status transform_params_normal(const transform_params *p, const wells *w, normalize_params *out)
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
