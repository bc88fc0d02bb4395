/* checkpoint.c -- what a run needs to resume: weights, moments, progress, and the autotuned choices of convolutions.
 * Items and augmentations are functions of the step and need no state. The file is published by rename, and holds a digest of all its
 * values: a damaged one is reported, and the one before it is used. */
#include "train.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/nn/weights.h"
#include "micon/provenance/output_record.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { KEEP = 2 };

static void add(names *key, names *value, const char *k, double v)
{
    char digits[40];
    snprintf(digits, sizeof digits, "%.17g", v);
    names_add(key, k);
    names_add(value, digits);
}

status weights_finite(const nn_params *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const float *v = params_value(p, i);
        for (size_t k = 0; k < p->item[i].count; k++)
            if (!isfinite(v[k]))
                return fail(
                    E_FAILED,
                    "tensor %s is not finite: training diverged. Checkpoints up to the last good one are kept; try a lower train.lr, "
                    "a longer train.warmup, or train.precision fp32",
                    p->item[i].name);
    }
    return OK;
}

static status files_of(const char *folder, names *out)
{
    if (!path_is_dir(folder)) return OK;
    return path_glob(out, folder, "step-*.safetensors"); /* sorted: the names hold the step with leading zeros */
}

/* The made_from text of a file, to be freed; NULL: the file cannot be read; "": it has none. */
static char *made_from_of(const char *path)
{
    safetensors f = {0};
    bool readable = path_exists(path) && safetensors_read(&f, path) == OK;
    const char *was = readable ? safetensors_meta(&f, "micon.made_from") : NULL;
    char *copy = readable ? xstrdup(was ? was : "") : NULL;
    msg_clear();
    safetensors_free(&f);
    return copy;
}

bool checkpoint_is_of(const char *path, const char *made_from)
{
    char *was = made_from_of(path);
    bool same = was && output_record_same(was, made_from);
    free(was);
    return same;
}

char *checkpoint_newest(const char *folder)
{
    names files = {0};
    char *newest = NULL;
    if (files_of(folder, &files) != OK) msg_clear();
    if (files.n > 0) newest = xstrdup(files.item[files.n - 1]);
    names_free(&files);
    return newest;
}

/* ---- checkpoints of other configurations: moved aside, never removed ---- */

/* FOLDER/other-DIGEST: the digest of their made_from text */
static char *other_folder(const char *folder, const char *made_from)
{
    char d[DIGEST_TEXT], *name = xasprintf("other-%.8s", digest_show(output_record_digest(made_from), d)), *path = path_join(folder, name);
    free(name);
    return path;
}

static status move_into(const char *dir, const char *path)
{
    status st = OK;
    char *to = path_join(dir, path_base(path));
    TRY(path_make_dirs(dir));
    if (rename(path, to) != 0) TRY(fail(E_IO, "cannot move %s to %s: %s", path, to, strerror(errno)));
done:
    free(to);
    return st;
}

/* n_ours: the number of checkpoints of this configuration. An unreadable one stays too, and is reported when it is loaded. */
static status move_others_aside(const char *folder, const char *made_from, int64_t *n_ours)
{
    status st = OK;
    names files = {0}, said = {0};
    char *was = NULL, *dir = NULL;
    *n_ours = 0;
    TRY(files_of(folder, &files));
    for (size_t i = 0; i < files.n; i++) {
        free(was);
        if (!(was = made_from_of(files.item[i]))) continue;
        if (output_record_same(was, made_from)) {
            ++*n_ours;
            continue;
        }
        free(dir);
        dir = other_folder(folder, was);
        TRY(move_into(dir, files.item[i]));
        if (names_find(&said, dir) >= 0) continue;
        names_add(&said, dir);
        log_warn("checkpoints of another configuration moved to %s; they are resumed when you switch back", dir);
    }
done:
    names_free(&files);
    names_free(&said);
    free(was);
    free(dir);
    return st;
}

static status move_own_back(const char *folder, const char *made_from)
{
    status st = OK;
    names files = {0};
    char *dir = other_folder(folder, made_from);
    TRY(files_of(dir, &files));
    for (size_t i = 0; i < files.n; i++) TRY(move_into(folder, files.item[i]));
    if (files.n > 0) log_info("checkpoints of this configuration moved back from %s", dir);
    if (files.n > 0) rmdir(dir);
done:
    names_free(&files);
    free(dir);
    return st;
}

static void clear(const char *folder)
{
    names files = {0};
    if (files_of(folder, &files) != OK) msg_clear();
    for (size_t i = 0; i < files.n; i++) unlink(files.item[i]);
    names_free(&files);
}

status checkpoint_clear(const char *folder, const char *made_from)
{
    int64_t n;
    char *dir = other_folder(folder, made_from);
    status st = move_others_aside(folder, made_from, &n);
    if (st == OK) {
        clear(folder);
        clear(dir);
        rmdir(dir);
    }
    free(dir);
    return st;
}

/* ---- written and read ---- */

status checkpoint_write(const char *folder, const model *m, const progress_state *s, const conv_choices *c)
{
    status st = OK;
    names key = {0}, value = {0}, files = {0};
    text choices = {0};
    char name[64];
    snprintf(name, sizeof name, "step-%010lld.safetensors", (long long)s->step);
    char *path = path_join(folder, name);
    model_meta(m, &key, &value);
    add(&key, &value, "micon.step", (double)s->step);
    add(&key, &value, "micon.plateau.smooth", s->plateau.smooth);
    add(&key, &value, "micon.plateau.best", s->plateau.best);
    add(&key, &value, "micon.plateau.factor", s->plateau.factor);
    add(&key, &value, "micon.plateau.seen", (double)s->plateau.seen);
    add(&key, &value, "micon.plateau.since", (double)s->plateau.since);
    add(&key, &value, "micon.last_loss", s->last_loss);
    add(&key, &value, "micon.best", s->best);
    add(&key, &value, "micon.since_best", (double)s->since_best);
    conv_choices_write(c, &choices);
    names_add(&key, "micon.choices");
    names_add(&value, text_str(&choices));
    TRY(weights_finite(&m->params));
    TRY(path_make_dirs(folder));
    TRY(weights_save(path, &m->params, s->step, true, &key, &value));
    TRY(files_of(folder, &files));
    for (size_t i = 0; i + KEEP < files.n; i++) unlink(files.item[i]);
done:
    names_free(&key);
    names_free(&value);
    names_free(&files);
    text_free(&choices);
    free(path);
    return st;
}

static status get(const safetensors *f, const char *k, double *out)
{
    const char *v = safetensors_meta(f, k);
    if (!v || !num_f64(v, out)) return fail(E_FORMAT, "%s: no '%s' in its metadata", f->where, k);
    return OK;
}

static status load(const char *path, model *m, progress_state *s, conv_choices *c)
{
    status st = OK;
    safetensors f = {0};
    double step, seen, since, since_best;
    TRY(safetensors_read(&f, path));
    TRY(get(&f, "micon.step", &step));
    TRY(get(&f, "micon.plateau.smooth", &s->plateau.smooth));
    TRY(get(&f, "micon.plateau.best", &s->plateau.best));
    TRY(get(&f, "micon.plateau.factor", &s->plateau.factor));
    TRY(get(&f, "micon.plateau.seen", &seen));
    TRY(get(&f, "micon.plateau.since", &since));
    TRY(get(&f, "micon.last_loss", &s->last_loss));
    TRY(get(&f, "micon.best", &s->best));
    TRY(get(&f, "micon.since_best", &since_best));
    TRY(weights_load(&m->params, &f, true));
    const char *choices = safetensors_meta(&f, "micon.choices");
    TRY(conv_choices_read(c, choices ? choices : "", path));
    s->step = (int64_t)step;
    s->plateau.seen = (int64_t)seen;
    s->plateau.since = (int64_t)since;
    s->since_best = (int64_t)since_best;
done:
    safetensors_free(&f);
    return st;
}

/* Rank 0: loads the newest usable one; if there is none, s stays at step 0. A damaged one is removed; one that gave an I/O error stays. */
static status newest(const char *folder, model *m, progress_state *s, conv_choices *c)
{
    status st = OK;
    names files = {0};
    int64_t n_ours;
    const progress_state none = *s;
    TRY(move_others_aside(folder, text_str(&m->made_from), &n_ours));
    if (n_ours == 0) TRY(move_own_back(folder, text_str(&m->made_from)));
    TRY(files_of(folder, &files));
    for (size_t i = files.n; i-- > 0 && s->step == 0;) {
        conv_choices_free(c);
        *c = (conv_choices){0};
        status loaded = load(files.item[i], m, s, c);
        if (loaded == OK) continue;
        log_warn("%s; using the checkpoint before it", msg_get());
        msg_clear();
        *s = none;
        if (loaded != E_IO) unlink(files.item[i]);
    }
done:
    names_free(&files);
    return st;
}

/* Broadcasts any number of values, in pieces that fit MPI's int counts. */
static void share(MPI_Comm comm, float *v, size_t n)
{
    enum { PIECE = 1 << 26 };
    for (size_t at = 0; at < n; at += PIECE) MPI_Bcast(v + at, (int)(n - at < PIECE ? n - at : PIECE), MPI_FLOAT, 0, comm);
}

status checkpoint_read_all(stage *g, const char *folder, model *m, progress_state *s, conv_choices *c)
{
    status st = OK;
    nn_params *p = &m->params;
    if (g->rank == 0) {
        /* A damaged file may have overwritten half of the values: keep a copy. */
        size_t n = p->n_trained * sizeof(float), k = p->n_state * sizeof(float);
        float *value = xmalloc(n), *state = xmalloc(k);
        memcpy(value, p->value, n);
        if (k) memcpy(state, p->state, k);
        st = newest(folder, m, s, c);
        if (s->step == 0) {
            memcpy(p->value, value, n);
            if (k) memcpy(p->state, state, k);
            memset(p->moment1, 0, n);
            memset(p->moment2, 0, n);
        }
        free(value);
        free(state);
    }
    TRY_ALL(g->comm, st);
    MPI_Bcast(s, (int)sizeof *s, MPI_BYTE, 0, g->comm);
    share(g->comm, p->value, p->n_trained);
    share(g->comm, p->state, p->n_state);
    share(g->comm, p->moment1, p->n_trained);
    share(g->comm, p->moment2, p->n_trained);
done:
    return st;
}
