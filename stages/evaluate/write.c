/* write.c -- the profile store and the consensus store: AnnData files with all that is needed to transform other wells alike. */
#include "evaluate.h"

#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/consensus.h"
#include "micon/profile/feature_select.h"
#include "micon/stage/provenance.h"
#include "micon/store/store.h"

#include <stdlib.h>
#include <string.h>

static status put_var(store *s, const wells *w, const transformed *c)
{
    status st = OK;
    frame dropped = {0};
    names index = {0};
    int feature, reason;
    uint8_t *kept = NULL;
    TRY(mem_alloc(&kept, (size_t)w->d, 1, "features"));
    for (int64_t j = 0; j < c->d_norm; j++) {
        names_add(&index, w->var.item[c->kept[j]]);
        kept[c->kept[j]] = 1;
    }
    store_put_index(s, "var", &index);
    TRY(frame_add_col(&dropped, "feature", FRAME_TEXT, &feature));
    TRY(frame_add_col(&dropped, "reason", FRAME_TEXT, &reason));
    for (int64_t j = 0; j < w->d; j++) {
        if (kept[j]) continue;
        TRY(frame_add_rows(&dropped, 1));
        TRY(frame_set_text(&dropped, dropped.n_rows - 1, feature, w->var.item[j]));
        TRY(frame_set_text(&dropped, dropped.n_rows - 1, reason,
                           c->carried            ? "not kept by the store that it was transformed with"
                           : c->why && c->why[j] ? select_reason_name(c->why[j])
                                                 : "does not vary within groups"));
    }
    if (w->cleaned.n_rows > 0) TRY(frame_append(&dropped, &w->cleaned));
    store_put_frame(s, "uns/dropped", &dropped);
done:
    names_free(&index);
    frame_free(&dropped);
    free(kept);
    return st;
}

/* norm and raw are [n,d_norm]; corrected may be NULL. */
typedef struct {
    const frame *obs;
    int64_t n;
    const float *norm, *raw, *corrected, *pca, *umap;
} matrices;

static status put_small(store *s, const stage *g, const wells *w, const transformed *c, const matrices *m, const char *made_from,
                        uint64_t sum)
{
    status st = OK;
    transform_params p;
    transform_params_from(&p, w, c, &g->cfg.evaluate);
    store_put_frame(s, "obs", m->obs);
    TRY(put_var(s, w, c));
    transform_params_put(s, &p);
    provenance_put(s, g, made_from, sum);
done:
    transform_params_free(&p);
    return st;
}

/* Rank 0 writes all rows; the others take part with none. */
static status write_all(stage *g, const char *path, const wells *w, const transformed *c, const matrices *m, const char *made_from,
                        uint64_t sum)
{
    enum { CHUNK = 256 };
    status st = OK;
    store *s = NULL;
    int64_t head[4] = {m->n, c->d_norm, c->d_final, c->d_pca};
    int parts = (m->raw != NULL) | (m->corrected != NULL) << 1 | (m->pca != NULL) << 2 | (m->umap != NULL) << 3;
    MPI_Bcast(head, 4, MPI_INT64_T, 0, g->comm);
    MPI_Bcast(&parts, 1, MPI_INT, 0, g->comm);
    int64_t mine = g->rank == 0 ? head[0] : 0;
    const store_info info = {.kind = PROFILES_KIND,
                             .format = PROFILES_FORMAT,
                             .bytes =
                                 head[0] * (2 * head[1] + head[2] + head[3] + 300) * 4 + (w->n_group + 2 * w->d) * w->d * 16 + (1 << 20),
                             .anndata = true};
    const struct {
        const char *name;
        int64_t d;
        const float *x;
        bool there;
    } array[] = {{"X", head[1], m->norm, true},
                 {"layers/raw", head[1], m->raw, parts & 1},
                 {"obsm/X_corrected", head[2], m->corrected, parts & 2},
                 {"obsm/X_pca", head[3], m->pca, parts & 4},
                 {"obsm/X_umap", 2, m->umap, parts & 8}};
    TRY(store_create_all(&s, g->comm, path, &info));
    for (int k = 0; k < 5; k++)
        if (array[k].there) TRY(store_array_all(s, array[k].name, STORE_F32, 2, (int64_t[]){head[0], array[k].d}, CHUNK));
    for (int k = 0; k < 5; k++)
        if (array[k].there) TRY(store_write_rows_all(s, array[k].name, 0, mine, mine ? array[k].x : NULL));
    TRY_ALL(g->comm, g->rank == 0 ? put_small(s, g, w, c, m, made_from, sum) : OK);
    TRY_ALL(g->comm, fault("before commit"));
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    return st;
}

/* The raw values of the features that are kept. */
static status raw_of_kept(const wells *w, const transformed *c, float **out)
{
    status st = OK;
    TRY(mem_alloc(out, (size_t)(w->n * c->d_norm), sizeof **out, "raw profiles"));
    for (int64_t i = 0; i < w->n; i++)
        for (int64_t j = 0; j < c->d_norm; j++) (*out)[i * c->d_norm + j] = w->x[i * w->d + c->kept[j]];
done:
    return st;
}

status write_profiles_all(stage *g, const char *path, const wells *w, const transformed *c, const char *made_from, uint64_t sum)
{
    status st = OK;
    float *raw = NULL;
    TRY_ALL(g->comm, g->rank == 0 ? raw_of_kept(w, c, &raw) : OK);
    const matrices m = {&w->obs, w->n, c->norm, raw, c->corrected ? c->final : NULL, c->pca, c->umap};
    TRY(write_all(g, path, w, c, &m, made_from, sum));
done:
    free(raw);
    return st;
}

/* A row per treatment, with the columns of metadata in which the wells of every treatment agree. */
static status consensus_frame(const wells *w, const int64_t *count, frame *out)
{
    status st = OK;
    int64_t *first = NULL;
    uint8_t *differs = NULL;
    text a = {0}, b = {0};
    int col;
    TRY(mem_alloc(&first, (size_t)w->n_label, sizeof *first, "treatments"));
    TRY(mem_alloc(&differs, (size_t)w->obs.n_cols, 1, "columns"));
    for (int32_t l = 0; l < w->n_label; l++) first[l] = -1;
    for (int64_t i = 0; i < w->n; i++) {
        int32_t l = w->label[i];
        if (l < 0) continue;
        if (first[l] < 0) first[l] = i;
        for (int c = 0; c < w->obs.n_cols && first[l] != i; c++) {
            if (differs[c]) continue;
            text_clear(&a);
            text_clear(&b);
            frame_show(&w->obs, i, c, &a);
            frame_show(&w->obs, first[l], c, &b);
            differs[c] = strcmp(text_str(&a), text_str(&b)) != 0;
        }
    }
    TRY(frame_take(out, &w->obs, first, w->n_label));
    for (int c = w->obs.n_cols - 1; c >= 0; c--)
        if (differs[c] || strncmp(w->obs.col[c].name, "QC_", 3) == 0 || strcmp(w->obs.col[c].name, "Metadata_Set") == 0)
            frame_drop_col(out, w->obs.col[c].name);
    TRY(frame_add_col(out, "Metadata_n_wells", FRAME_I64, &col));
    memcpy(out->col[col].v.i64, count, (size_t)w->n_label * sizeof *count);
done:
    free(first);
    free(differs);
    text_free(&a);
    text_free(&b);
    return st;
}

static status make_consensus(const wells *w, const transformed *c, frame *obs, float **norm, float **corrected)
{
    status st = OK;
    int64_t *count = NULL;
    TRY(mem_alloc(&count, (size_t)w->n_label, sizeof *count, "treatments"));
    TRY(mem_alloc(norm, (size_t)(w->n_label * c->d_norm), sizeof **norm, "consensus"));
    TRY(consensus_median(&(profile_rows){.x = c->norm, .n = w->n, .d = c->d_norm, .label = w->label}, w->n_label, *norm, count));
    if (c->corrected) {
        TRY(mem_alloc(corrected, (size_t)(w->n_label * c->d_final), sizeof **corrected, "consensus"));
        TRY(consensus_median(&(profile_rows){.x = c->final, .n = w->n, .d = c->d_final, .label = w->label}, w->n_label, *corrected, count));
    }
    TRY(consensus_frame(w, count, obs));
done:
    free(count);
    return st;
}

status write_consensus_all(stage *g, const char *path, const wells *w, const transformed *c, const char *made_from, uint64_t sum)
{
    status st = OK;
    frame obs = {0};
    float *norm = NULL, *corrected = NULL;
    TRY_ALL(g->comm, g->rank == 0 ? make_consensus(w, c, &obs, &norm, &corrected) : OK);
    const matrices m = {&obs, w->n_label, norm, NULL, corrected, NULL, NULL};
    TRY(write_all(g, path, w, c, &m, made_from, sum));
done:
    frame_free(&obs);
    free(norm);
    free(corrected);
    return st;
}
