/* transform_params.c -- the transformation of profiles in a store: written and read, narrowed for a shared store, compared by digests. */
#include "micon/stage/transform_params.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/config/config.h"
#include "micon/table/frame.h"

#include <stdlib.h>
#include <string.h>

static const char *const scale_name[] = {"mad", "standardize", "none"}, *const on_name[] = {"control", "all"},
                         *const reshape_name[] = {"none", "rank_plate", "rank_batch"};
/* The last step after normalization; with ranks under other names, so that older programs, which do not know ranks, refuse the store. */
static const char *const corrected_name[] = {"none", "sphere", "harmony", "ranks", "ranks+sphere", "ranks+harmony"};
enum { N_STEPS = 3, STEP_NONE = 0, STEP_SPHERE, STEP_HARMONY };

char *profiles_path(const config *c, bool consensus)
{
    char *run = text_encode_name(c->train.run), *below = xasprintf(WORK_PROFILES "/%s%s.h5ad", run, consensus ? ".consensus" : ""),
         *path = config_work(c, below);
    free(run);
    free(below);
    return path;
}

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
    int step = p->harmony ? STEP_HARMONY : p->sphere.k > 0 ? STEP_SPHERE : STEP_NONE;
    store_put_text(s, "uns/corrected", corrected_name[step + (p->reshape != RESHAPE_NONE ? N_STEPS : 0)]);
    if (p->reshape != RESHAPE_NONE) store_put_text(s, "uns/reshape", reshape_name[p->reshape]);
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
    status st = OK;
    int how;
    int64_t kind;
    if (!store_has(f, "uns/normalize/kind") || !store_has(f, "uns/model/digest"))
        TRY(fail(E_FORMAT, "an earlier version wrote it without the parameters needed here: write it again with micon-evaluate --force"));
    TRY(read_var(f, p));
    TRY(read_word(f, "uns/normalize/kind", scale_name, 3, &p->normalize));
    TRY(read_word(f, "uns/normalize/on", on_name, 2, &p->normalize_on));
    TRY(read_word(f, "uns/corrected", corrected_name, 2 * N_STEPS, &how));
    if (how >= N_STEPS) TRY(read_word(f, "uns/reshape", reshape_name, RESHAPE_AUTO, &p->reshape));
    TRY(store_read_text(f, "uns/normalize/by", &p->normalize_by));
    TRY(store_read_int(f, "uns/normalize/min_controls", &p->min_controls));
    TRY(store_read_text(f, "uns/model/digest", &p->model));
    TRY(store_read_text(f, "uns/model/representation", &p->representation));
    p->harmony = how % N_STEPS == STEP_HARMONY;
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
    uint64_t d = mix_sphere(mix_sphere(0, &p->sphere), &p->components);
    return p->reshape == RESHAPE_NONE ? d : digest_mix(d, digest_text(reshape_name[p->reshape]));
}

uint64_t transform_params_digest(const transform_params *p)
{
    uint64_t d = digest_mix(transform_params_features_digest(p), transform_params_normal_digest(p));
    d = digest_mix(digest_mix(d, transform_params_sphere_digest(p)), (uint64_t)p->harmony);
    return digest_mix(digest_mix(d, digest_text(p->model)), digest_text(p->representation));
}
