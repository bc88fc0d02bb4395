/* add.c -- a run's finished profiles into a store that several screens share. One process, under a lock that works over hosts: what is
 * there and what is new are merged in the order of their places into a file written aside, which is verified and takes the store's name.
 * The bytes do not depend on the order in which runs were added. */
#include "store_commands.h"

#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/file_lock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/permissions.h"
#include "micon/stage/provenance.h"
#include "micon/stage/transform_params.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const matrix[] = {"X", "layers/raw", "obsm/X_corrected", "obsm/X_pca"};
enum { N_MATRICES = sizeof matrix / sizeof *matrix, BLOCK_ROWS = 256 };

typedef struct {
    const char *path;
    store_file *f;
    transform_params p;
    frame obs;
} side;

static void side_close(side *s)
{
    store_close(&s->f);
    transform_params_free(&s->p);
    frame_free(&s->obs);
}

/* A file that is merged was read whole and found right: damage must not get a new digest. */
static status side_open(side *s, const char *path)
{
    status st = OK;
    uint64_t digest;
    s->path = path;
    TRY(store_verify(path, &digest));
    TRY(store_open(&s->f, path, PROFILES_KIND, PROFILES_FORMAT));
    TRY(transform_params_read(&s->p, s->f, path));
    transform_params_narrow(&s->p);
    TRY(store_read_frame(s->f, "obs", &s->obs));
done:
    return st;
}

static status set_column(frame *f, const char *name, const char *value)
{
    status st = OK;
    int col;
    frame_drop_col(f, name);
    TRY(frame_add_col(f, name, FRAME_CATEGORY, &col));
    for (int64_t i = 0; i < f->n_rows; i++) TRY(frame_set_text(f, i, col, value));
done:
    return st;
}

/* ---- do they go together? ---- */

static status compare_transforms(const side *here, const side *new)
{
    static const char advice[] = "evaluate the new ones with --transform-with that store";
    const transform_params *a = &here->p, *b = &new->p;
    if (strcmp(a->model, b->model) != 0 || strcmp(a->representation, b->representation) != 0)
        return fail(E_FAILED, "%s has %s profiles of model %s, %s has %s profiles of model %s: a store holds profiles of one model",
                    here->path, a->representation, *a->model ? a->model : "(not known)", new->path, b->representation,
                    *b->model ? b->model : "(not known)");
    if (transform_params_features_digest(a) != transform_params_features_digest(b))
        return fail(E_FAILED, "%s has %zu features of %zu, %s %zu of %zu, and they are not the same: %s", here->path, a->var.n,
                    a->features.n, new->path, b->var.n, b->features.n, advice);
    if (transform_params_normal_digest(a) != transform_params_normal_digest(b))
        return fail(E_FAILED, "the profiles of %s and %s were normalized differently: %s", here->path, new->path, advice);
    if (transform_params_sphere_digest(a) != transform_params_sphere_digest(b))
        return fail(E_FAILED, "the sphering or the components of %s and %s were fitted on different wells: %s", here->path, new->path,
                    advice);
    return OK;
}

static status place_columns(const side *s, int col[4])
{
    static const char *const name[] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"};
    for (int k = 0; k < 4; k++) {
        col[k] = frame_col(&s->obs, name[k]);
        if (col[k] < 0 || s->obs.col[col[k]].type > FRAME_CATEGORY) return fail(E_FORMAT, "%s: obs has no %s of texts", s->path, name[k]);
    }
    return OK;
}

static void show_place(const frame *f, int64_t i, const int col[4], const char *sep, text *t)
{
    text_clear(t);
    for (int k = 0; k < 4; k++) text_addf(t, "%s%s", k ? sep : "", frame_text(f, i, col[k]));
}

/* Wells that the store already has are refused; the first few are named. */
static status refuse_duplicates(const side *here, const side *new)
{
    enum { NAMED = 5 };
    status st = OK;
    intern_table known = {0};
    text place = {0}, list = {0};
    int a[4], b[4];
    int64_t n = 0;
    uint32_t id;
    TRY(place_columns(here, a));
    TRY(place_columns(new, b));
    for (int64_t i = 0; i < here->obs.n_rows; i++) {
        show_place(&here->obs, i, a, "\x1f", &place);
        TRY(intern_add(&known, text_str(&place), &id));
    }
    for (int64_t i = 0; i < new->obs.n_rows; i++) {
        show_place(&new->obs, i, b, "\x1f", &place);
        if (intern_find(&known, text_str(&place)) < 0) continue;
        show_place(&new->obs, i, b, "/", &place);
        if (n++ < NAMED) text_addf(&list, "%s%s", list.n ? ", " : "", text_str(&place));
    }
    if (n)
        st = fail(E_FAILED, "%s has %lld of the %lld wells already: %s%s; nothing was added", here->path, (long long)n,
                  (long long)new->obs.n_rows, text_str(&list), n > NAMED ? ", ..." : "");
done:
    intern_free(&known);
    text_free(&place);
    text_free(&list);
    return st;
}

static status compare_matrices(const side *here, const side *new)
{
    for (int k = 0; k < N_MATRICES; k++)
        if (store_has(here->f, matrix[k]) != store_has(new->f, matrix[k]))
            return fail(E_FORMAT, "only one of %s and %s has %s", here->path, new->path, matrix[k]);
    return OK;
}

/* ---- merging ---- */

/* Rows of the new file: where from. Below n_here: of the store as it is; from there on, of the run. */
typedef struct {
    const side *here, *new; /* here->f NULL: there is no store yet */
    int64_t n, n_here, *order;
    frame obs, appended;
} merged;

static void merged_free(merged *m)
{
    free(m->order);
    frame_free(&m->obs);
    frame_free(&m->appended);
}

/* Columns in an order that does not depend on who brought them. */
static int by_column(const void *a, const void *b)
{
    static const char *const first[] = {"Metadata_Source", "Metadata_Batch",    "Metadata_Plate",
                                        "Metadata_Well",   "Metadata_Compound", "Metadata_pert_type"};
    const char *x = ((const frame_column *)a)->name, *y = ((const frame_column *)b)->name;
    for (size_t k = 0; k < sizeof first / sizeof *first; k++) {
        int is_x = strcmp(x, first[k]) == 0, is_y = strcmp(y, first[k]) == 0;
        if (is_x || is_y) return is_y - is_x;
    }
    return strcmp(x, y);
}

static status merge_obs(merged *m)
{
    static const frame_key key[] = {
        {"Metadata_Source", false}, {"Metadata_Batch", false}, {"Metadata_Plate", false}, {"Metadata_Well", false}};
    status st = OK;
    frame all = {0};
    if (m->here->f) TRY(frame_append(&all, &m->here->obs));
    TRY(fail_within(frame_append(&all, &m->new->obs), "%s", m->new->path));
    m->n = all.n_rows;
    m->n_here = m->here->f ? m->here->obs.n_rows : 0;
    TRY(frame_order(&all, key, 4, &m->order));
    TRY(frame_take(&m->obs, &all, m->order, m->n));
    qsort(m->obs.col, (size_t)m->obs.n_cols, sizeof *m->obs.col, by_column);
done:
    frame_free(&all);
    return st;
}

/* What was added: a row per run. */
static status merge_record(merged *m, const stage *g)
{
    static const char *const name[] = {"digest", "screen", "run", "made_from"};
    static const frame_key key[] = {{"digest", false}};
    status st = OK;
    frame one = {0};
    char d[DIGEST_TEXT], *made_from = NULL;
    int col;
    if (m->here->f) TRY(store_read_frame(m->here->f, "uns/appended", &m->appended));
    TRY(store_read_text(m->new->f, MADE_FROM, &made_from));
    const char *value[] = {digest_show(store_digest(m->new->f), d), g->cfg.screen.name, g->cfg.train.run, made_from};
    for (int k = 0; k < 4; k++) TRY(frame_add_col(&one, name[k], FRAME_TEXT, &col));
    TRY(frame_add_col(&one, "wells", FRAME_I64, &col));
    TRY(frame_add_rows(&one, 1));
    for (int k = 0; k < 4; k++) TRY(frame_set_text(&one, 0, k, value[k]));
    one.col[col].v.i64[0] = m->new->obs.n_rows;
    TRY(frame_append(&m->appended, &one));
    TRY(frame_sort(&m->appended, key, 1));
done:
    free(made_from);
    frame_free(&one);
    return st;
}

/* Rows [first, first + n) of the merged matrix, runs of neighbours at a time. */
static status read_merged(const merged *m, const char *what, int64_t first, int64_t n, int64_t d, float *out)
{
    status st = OK;
    for (int64_t i = 0, end; i < n; i = end) {
        const int64_t *o = m->order + first;
        bool of_new = o[i] >= m->n_here;
        for (end = i + 1; end < n && o[end] == o[end - 1] + 1 && (o[end] >= m->n_here) == of_new;) end++;
        TRY(store_read_rows(of_new ? m->new->f : m->here->f, what, STORE_F32, o[i] - (of_new ? m->n_here : 0), end - i, out + i * d));
    }
done:
    return st;
}

static status write_matrix(store *s, const merged *m, const char *what, int64_t d)
{
    status st = OK;
    float *block = NULL;
    TRY(mem_alloc(&block, BLOCK_ROWS, (size_t)d * sizeof *block, "profiles"));
    for (int64_t i = 0; i < m->n; i += BLOCK_ROWS) {
        int64_t rows = m->n - i < BLOCK_ROWS ? m->n - i : BLOCK_ROWS;
        TRY(read_merged(m, what, i, rows, d, block));
        TRY(store_write_rows_all(s, what, i, rows, block));
    }
done:
    free(block);
    return st;
}

static void put_small(store *s, const merged *m)
{
    store_put_frame(s, "obs", &m->obs);
    store_put_index(s, "var", &m->new->p.var);
    transform_params_put(s, &m->new->p);
    store_put_frame(s, "uns/appended", &m->appended);
    store_put_text(s, MADE_BY_PROGRAM, "micon-store");
    store_put_text(s, MADE_BY_VERSION, MICON_VERSION);
}

static status matrix_width(const side *s, const char *what, int64_t *d)
{
    int n_dims;
    int64_t dims[4];
    status st = store_dims(s->f, what, &n_dims, dims);
    if (st == OK && (n_dims != 2 || dims[0] != s->obs.n_rows))
        st = fail(E_FORMAT, "%s: obs and %s differ in their number of rows", s->path, what);
    *d = dims[1];
    return st;
}

/* By this process alone, whatever the number of ranks. */
static status write_merged(const merged *m, const char *target, const file_lock *lock)
{
    status st = OK;
    store *s = NULL;
    int64_t d[N_MATRICES] = {0}, width = 0, other = 0;
    for (int k = 0; k < N_MATRICES; k++) {
        if (!store_has(m->new->f, matrix[k])) continue;
        TRY(matrix_width(m->new, matrix[k], &d[k]));
        if (m->here->f) TRY(matrix_width(m->here, matrix[k], &other));
        if (m->here->f && other != d[k]) TRY(fail(E_FORMAT, "%s: %s is not as wide as in %s", m->here->path, matrix[k], m->new->path));
        width += d[k];
    }
    const transform_params *p = &m->new->p;
    const store_info info = {.kind = PROFILES_KIND,
                             .format = PROFILES_FORMAT,
                             .bytes = m->n * (width + 100) * 4 + p->sphere.d * p->sphere.k * 8 + p->components.d * p->components.k * 8 +
                                      (1 << 20),
                             .anndata = true};
    TRY(store_create_all(&s, MPI_COMM_SELF, target, &info));
    for (int k = 0; k < N_MATRICES; k++)
        if (d[k]) TRY(store_array_all(s, matrix[k], STORE_F32, 2, (int64_t[]){m->n, d[k]}, BLOCK_ROWS));
    for (int k = 0; k < N_MATRICES; k++)
        if (d[k]) TRY(write_matrix(s, m, matrix[k], d[k]));
    put_small(s, m);
    TRY(fault("before the shared store's commit"));
    if (!file_lock_held(lock))
        TRY(fail(E_FAILED, "%s: its lock was taken by another process while this one slept; nothing was added", target));
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    return st;
}

/* The new file is ours; who may read and write it stays as it was, or is as screen.group says. */
static void keep_mode(const char *target, const struct stat *was, const char *group)
{
    struct stat is;
    if (!was) {
        permissions_give_file(target, group);
        return;
    }
    if (stat(target, &is) != 0) return;
    if (is.st_gid != was->st_gid && chown(target, (uid_t)-1, was->st_gid) != 0)
        log_warn("%s: its group cannot be kept: %s", target, strerror(errno));
    if ((is.st_mode & 0777) != (was->st_mode & 0775) && chmod(target, was->st_mode & 0775) != 0)
        log_warn("%s: its mode cannot be kept: %s", target, strerror(errno));
}

static status add(const stage *g, const char *profiles, const char *target, const file_lock *lock)
{
    status st = OK;
    side here = {.path = target}, new = {0};
    merged m = {.here = &here, .new = &new};
    struct stat was;
    bool is_there = stat(target, &was) == 0;
    if (!is_there && errno != ENOENT) TRY(fail(E_IO, "%s: %s", target, strerror(errno)));
    path_sweep_parts_of(target);
    TRY(side_open(&new, profiles));
    if (new.p.harmony)
        TRY(fail(
            E_FAILED,
            "%s was corrected by Harmony: its profiles are comparable only among themselves; evaluate with evaluate.batch_correction: none",
            profiles));
    TRY(set_column(&new.obs, "Metadata_Screen", g->cfg.screen.name));
    TRY(set_column(&new.obs, "Metadata_Run", g->cfg.train.run));
    if (is_there) {
        TRY(side_open(&here, target));
        if (!store_has(here.f, "uns/appended"))
            TRY(fail(E_FAILED, "%s is the store of one run, not one that runs were added to: name another file", target));
        TRY(compare_transforms(&here, &new));
        TRY(compare_matrices(&here, &new));
        TRY(refuse_duplicates(&here, &new));
    }
    TRY(merge_obs(&m));
    TRY(merge_record(&m, g));
    TRY(write_merged(&m, target, lock));
    keep_mode(target, is_there ? &was : NULL, g->cfg.screen.group);
    log_info("%s: %lld wells added, %lld in all", target, (long long)new.obs.n_rows, (long long)m.n);
done:
    merged_free(&m);
    side_close(&here);
    side_close(&new);
    return st;
}

/* The finished profiles must be those that the configuration names today; how they were transformed is compared with the store. */
static status check_configuration(const stage *g, const char *profiles)
{
    static const char later[] = "evaluate.transform_with:";
    status st = OK;
    store_file *f = NULL;
    text recorded = {0}, now = {0}, today = {0};
    names line = {0}, made = {0};
    char *made_from = NULL, shown[200];
    TRY(store_open(&f, profiles, PROFILES_KIND, PROFILES_FORMAT));
    TRY(store_read_text(f, MADE_FROM, &made_from));
    provenance_config(g, &now);
    config_comparable(text_str(&now), &today);
    config_comparable(made_from, &recorded);
    names_split(&line, text_str(&today), '\n');
    names_split(&made, text_str(&recorded), '\n');
    for (size_t i = 0; i < line.n; i++)
        if (*line.item[i] && strncmp(line.item[i], later, sizeof later - 1) != 0 && names_find(&made, line.item[i]) < 0)
            TRY(fail(E_FAILED, "%s was made with another configuration than today's '%s': run micon-evaluate first", profiles,
                     text_show(shown, sizeof shown, line.item[i])));
done:
    store_close(&f);
    text_free(&recorded);
    text_free(&now);
    text_free(&today);
    names_free(&line);
    names_free(&made);
    free(made_from);
    return st;
}

status add_profiles(const stage *g, const char *target, double wait_s)
{
    status st = OK;
    file_lock *lock = NULL;
    char *profiles = profiles_path(&g->cfg, false), *path = xasprintf("%s.lock", target), *dir = path_dir(target), shown[300];
    char *what = xasprintf("adding %s", text_show(shown, sizeof shown, profiles)), *busy = xasprintf("%s is being added to by", target);
    const file_lock_info info = {.what = what, .busy = busy, .wait_s = wait_s, .beats = true};
    if (!path_exists(profiles)) TRY(fail(E_FAILED, "%s does not exist: run micon-evaluate first", profiles));
    TRY(check_configuration(g, profiles));
    TRY(path_make_dirs(dir));
    TRY(file_lock_take(&lock, path, &info));
    TRY(fault("with the shared store's lock"));
    TRY(add(g, profiles, target, lock));
done:
    file_lock_release(&lock);
    free(profiles);
    free(path);
    free(dir);
    free(what);
    free(busy);
    return st;
}
