/* output.c -- the table of predictions (CSV, and obs of the HDF5 file) and the profiles. Ranks write their rows, rank 0 the tables. */
#include "predict.h"

#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"
#include "micon/stage/provenance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a rank finds of a structure. */
typedef struct {
    double by_plate, by_batch, similarity[NEAREST];
    int32_t treatment[NEAREST]; /* -1: there are fewer */
} place_found;

/* Nearest first; of equal ones the first in order. */
static void find_nearest(const known_treatments *k, const float *x, int64_t d, place_found *f)
{
    for (int r = 0; r < NEAREST; r++) f->treatment[r] = -1, f->similarity[r] = NAN;
    for (int64_t i = 0; i < k->n; i++) {
        double s = linear_dot(x, k->x + i * d, d);
        int at = NEAREST;
        while (at > 0 && (f->treatment[at - 1] < 0 || s > f->similarity[at - 1])) at--;
        if (at == NEAREST) continue;
        memmove(f->treatment + at + 1, f->treatment + at, (size_t)(NEAREST - 1 - at) * sizeof *f->treatment);
        memmove(f->similarity + at + 1, f->similarity + at, (size_t)(NEAREST - 1 - at) * sizeof *f->similarity);
        f->treatment[at] = (int32_t)i, f->similarity[at] = s;
    }
}

static status gather_found_all(const source *from, const prediction_output *o, const predicted *p, place_found **out)
{
    status st = OK;
    place_found *mine = NULL;
    char *all = NULL;
    size_t size = 0;
    TRY_ALL(from->g->comm, mem_alloc(&mine, (size_t)p->n, sizeof *mine, "predictions"));
    for (int64_t i = 0; i < p->n; i++) {
        mine[i].by_plate = p->by_plate[i], mine[i].by_batch = p->by_batch[i];
        find_nearest(o->known, p->normalized + i * from->m.projection, from->m.projection, &mine[i]);
    }
    TRY(comm_gather_all(from->g->comm, 0, mine, (size_t)p->n * sizeof *mine, &all, &size));
    *out = (place_found *)(void *)all;
done:
    free(mine);
    return st;
}

/* ---- the table, on rank 0 ---- */

/* Four decimals are more than the figures are worth. */
static double rounded(double v)
{
    return isfinite(v) ? floor(v * 1e4 + 0.5) / 1e4 : NAN;
}

/* Rows of the screen's compounds by what they are: InChIKey, else canonical SMILES. -1: not one that has wells. */
typedef struct {
    intern_table identity;
    int64_t *row;
    uint8_t *has_wells;
} screen_compounds;

static status list_screen(const source *from, const known_treatments *k, screen_compounds *s)
{
    status st = OK;
    const frame *obs = &from->v.obs;
    int key = frame_col(obs, "InChIKey"), smiles = frame_col(obs, "SMILES");
    TRY(mem_alloc(&s->row, (size_t)from->v.n, sizeof *s->row, "compounds"));
    TRY(mem_alloc(&s->has_wells, (size_t)from->v.n, 1, "compounds"));
    for (int64_t i = 0; i < k->n; i++) {
        int64_t row = compound_vectors_find(&from->v, k->compound[i]);
        if (row >= 0) s->has_wells[row] = 1;
    }
    for (int64_t i = 0; i < from->v.n && key >= 0 && smiles >= 0; i++) {
        uint32_t id;
        const char *name = frame_text(obs, i, key);
        TRY(intern_add(&s->identity, *name ? name : frame_text(obs, i, smiles), &id));
        s->row[id] = i;
    }
done:
    return st;
}

static const char *name_in_screen(const source *from, const screen_compounds *s, const frame *t, int64_t i)
{
    const char *key = frame_text(t, i, frame_col(t, "InChIKey"));
    int64_t id = intern_find(&s->identity, *key ? key : frame_text(t, i, frame_col(t, "Canonical_SMILES")));
    return id >= 0 && s->has_wells[s->row[id]] ? compound_vectors_key(&from->v, s->row[id]) : "";
}

static status add_columns(frame *t)
{
    static const char *const text_cols[] = {"In_Screen", "Nearest_Training"}, *const real_cols[] = {"Tanimoto", "Agreement_Plates",
                                                                                                    "Agreement_Batches"};
    status st = OK;
    int col;
    char name[40];
    for (int i = 0; i < 2; i++) TRY(frame_add_col(t, text_cols[i], FRAME_TEXT, &col));
    for (int i = 0; i < 3; i++) TRY(frame_add_col(t, real_cols[i], FRAME_F64, &col));
    for (int r = 1; r <= NEAREST; r++) {
        snprintf(name, sizeof name, "Nearest_%d", r);
        TRY(frame_add_col(t, name, FRAME_TEXT, &col));
        snprintf(name, sizeof name, "Similarity_%d", r);
        TRY(frame_add_col(t, name, FRAME_F64, &col));
    }
    TRY(frame_add_col(t, "Trust", FRAME_TEXT, &col));
done:
    return st;
}

static status fill_row(const source *from, const prediction_output *o, const screen_compounds *s, const place_found *f, frame *t, int64_t i)
{
    status st = OK;
    text words = {0};
    double like;
    int col = frame_col(t, "In_Screen");
    int64_t near = training_compounds_nearest(o->training, o->s->fingerprint + i * (o->training->bits / 8), &like);
    TRY(frame_set_text(t, i, col++, name_in_screen(from, s, t, i)));
    TRY(frame_set_text(t, i, col++, near < 0 ? "" : o->training->key[near]));
    frame_set_real(t, i, col++, rounded(like));
    frame_set_real(t, i, col++, rounded(f->by_plate));
    frame_set_real(t, i, col++, rounded(f->by_batch));
    for (int r = 0; r < NEAREST; r++) {
        int32_t k = f->treatment[r];
        TRY(frame_set_text(t, i, col++, k < 0 ? "" : index_class_name(from->ix, o->known->class[k])));
        frame_set_real(t, i, col++, rounded(f->similarity[r]));
    }
    trust_words(o->trust, trust_bin(o->trust, like), &words);
    TRY(frame_set_text(t, i, col, text_str(&words)));
done:
    text_free(&words);
    return st;
}

static status make_table(const source *from, const prediction_output *o, const place_found *f, const char *file, frame *t)
{
    status st = OK;
    screen_compounds s = {0};
    int64_t *row = NULL, n = o->s->rows.n_rows, known = 0;
    TRY(list_screen(from, o->known, &s));
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "predictions"));
    for (int64_t i = 0; i < n; i++) row[i] = i;
    TRY(frame_take(t, &o->s->rows, row, n));
    TRY(add_columns(t));
    for (int64_t i = 0; i < n; i++) {
        TRY(fill_row(from, o, &s, &f[i], t, i));
        const char *name = frame_text(t, i, frame_col(t, "In_Screen"));
        if (*name && known++ < SHOWN)
            log_info("%s:%lld: this is %s, which has wells in the screen", file, (long long)t->col[0].v.i64[i], name);
    }
    if (known > SHOWN) log_info("... and %lld more that have wells in the screen (In_Screen)", (long long)known - SHOWN);
done:
    intern_free(&s.identity);
    free(s.row);
    free(s.has_wells);
    free(row);
    return st;
}

static status put_small(const source *from, const prediction_output *o, const frame *t, store *out)
{
    status st = OK;
    names var = {0};
    text words = {0};
    char label[40];
    for (int i = 0; i < from->m.dim; i++) {
        snprintf(label, sizeof label, "micon_%d", i);
        names_add(&var, label);
    }
    store_put_index(out, "var", &var);
    store_put_frame(out, "obs", t);
    store_put_frame(out, "uns/rejects", &o->s->rejects);
    trust_words(o->trust, trust_bin(o->trust, NAN), &words);
    store_put_text(out, "uns/trust", text_str(&words));
    provenance_put(out, from->g, o->made_from, o->inputs);
    TRY(fault("before commit"));
done:
    names_free(&var);
    text_free(&words);
    return st;
}

static status write_store_all(const source *from, const prediction_output *o, const predicted *p, int64_t first, int64_t n, const frame *t)
{
    status st = OK;
    store *out = NULL;
    MPI_Comm comm = from->g->comm;
    int64_t d = from->m.dim, q = from->m.projection;
    const store_info info = {
        .kind = PREDICTIONS_KIND, .format = PREDICTIONS_FORMAT, .bytes = n * (d + 2 * q) * 4 + n * 1000 + (1 << 20), .anndata = true};
    const float *rows[] = {p->x, p->projected, p->normalized};
    static const char *const name[] = {"X", EMBEDDINGS_PROJECTED, "obsm/normalized"};
    TRY(store_create_all(&out, comm, o->h5, &info));
    for (int k = 0; k < 3; k++) TRY(store_array_all(out, name[k], STORE_F32, 2, (int64_t[]){n, k ? q : d}, CHUNK));
    for (int k = 0; k < 3; k++) TRY(store_write_rows_all(out, name[k], first, p->n, p->n > 0 ? rows[k] : NULL));
    TRY_ALL(comm, from->g->rank == 0 ? put_small(from, o, t, out) : OK);
    TRY(store_commit_all(&out));
done:
    store_abandon_all(&out);
    return st;
}

static status write_csv(const char *path, const frame *t)
{
    text csv = {0};
    frame_show_csv(t, &csv);
    status st = path_write(path, text_str(&csv), csv.n);
    text_free(&csv);
    return st;
}

status output_write_all(const source *from, const prediction_output *o, const predicted *p, int64_t first, int64_t n)
{
    status st = OK;
    place_found *f = NULL;
    frame t = {0};
    MPI_Comm comm = from->g->comm;
    bool root = from->g->rank == 0;
    TRY(gather_found_all(from, o, p, &f));
    TRY_ALL(comm, root ? make_table(from, o, f, from->g->arguments.item[0], &t) : OK);
    TRY(write_store_all(from, o, p, first, n, &t));
    TRY_ALL(comm, root ? write_csv(o->csv, &t) : OK);
done:
    free(f);
    frame_free(&t);
    return st;
}
