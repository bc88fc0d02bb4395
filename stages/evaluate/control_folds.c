/* control_folds.c -- folds of controls, and spherings without each of them, for cross-fitted activity (profile/crossfit.h). */
#include "evaluate.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *name;
    uint32_t id;
} place;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const place *)a)->name, ((const place *)b)->name);
}

/* rank [n]: for each control the rank of its position's name among the positions of all controls. *n_place: how many positions. */
static status rank_places(const wells *w, int32_t *rank, int32_t *n_place)
{
    status st = OK;
    intern_table known = {0};
    place *sorted = NULL;
    int32_t *rank_of = NULL;
    int col = frame_col(&w->obs, "Metadata_Well");
    char at[8];
    *n_place = 0;
    for (int64_t i = 0; i < w->n && col >= 0; i++) {
        uint32_t id;
        if (!w->control[i]) continue;
        const char *name = frame_text(&w->obs, i, col);
        TRY(intern_add(&known, text_well(name, at) ? at : name, &id));
        rank[i] = (int32_t)id;
    }
    TRY(mem_alloc(&sorted, known.n, sizeof *sorted, "positions"));
    TRY(mem_alloc(&rank_of, known.n, sizeof *rank_of, "positions"));
    for (size_t k = 0; k < known.n; k++) sorted[k] = (place){intern_at(&known, k), (uint32_t)k};
    qsort(sorted, known.n, sizeof *sorted, by_name);
    for (size_t k = 0; k < known.n; k++) rank_of[sorted[k].id] = (int32_t)k;
    for (int64_t i = 0; i < w->n && col >= 0; i++)
        if (w->control[i]) rank[i] = rank_of[rank[i]];
    *n_place = (int32_t)known.n;
done:
    intern_free(&known);
    free(sorted);
    free(rank_of);
    return st;
}

/* fold [n]: positions of controls are dealt to the folds in turn, so that one position's wells share a fold; with a single position plates
 * are dealt. n_fold 0: too few controls would remain without a fold. */
static status find_folds(const wells *w, int32_t *fold, int32_t *n_fold)
{
    status st = OK;
    int32_t n;
    TRY(rank_places(w, fold, &n));
    if (n < 2) {
        n = w->n_plate;
        memcpy(fold, w->plate, (size_t)w->n * sizeof *fold);
    }
    *n_fold = n < CROSS_FOLDS ? n : CROSS_FOLDS;
    for (int64_t i = 0; i < w->n; i++) fold[i] %= *n_fold;
    if (!crossfit_enough(w->control, fold, w->n, *n_fold)) *n_fold = 0;
done:
    return st;
}

static crossfit control_folds_view(const wells *w, const control_folds *c)
{
    return (crossfit){
        .base = c->base, .n = w->n, .d = c->d, .fold = c->fold, .n_fold = c->n_fold, .kind = c->kind, .ridge = c->ridge, .fit = c->fit};
}

status control_folds_find(const wells *w, const sphering_params *all, double ridge, float *x, control_folds *out, names *notes)
{
    status st = OK;
    TRY(mem_alloc(&out->fold, (size_t)w->n, sizeof *out->fold, "folds of controls"));
    TRY(find_folds(w, out->fold, &out->n_fold));
    if (out->n_fold == 0) {
        if (notes)
            names_add(notes, "activity after sphering is too high: there are too few controls to fit the sphering without a part of them");
        goto done;
    }
    out->base = x, out->d = all->d, out->kind = all->kind, out->ridge = ridge;
done:
    return st;
}

status control_folds_fit_all(MPI_Comm comm, const crossfit *c, const uint8_t *control, sphering_params *fit)
{
    status st = OK, mine = OK;
    int rank = comm_rank(comm), size = comm_size(comm);
    for (int32_t f = rank; f < c->n_fold && mine == OK; f += size) mine = crossfit_fold(c, control, f, &fit[f]);
    TRY_ALL(comm, mine);
    for (int32_t f = 0; f < c->n_fold; f++) {
        const size_t width = (size_t)c->d * sizeof(double);
        fit[f].d = c->d;
        MPI_Bcast(&fit[f].k, 1, MPI_INT64_T, f % size, comm);
        TRY(share_block_all(comm, f % size, &fit[f].mean, width));
        TRY(share_block_all(comm, f % size, &fit[f].w, width * (size_t)fit[f].k));
    }
done:
    return st;
}

status control_folds_share_all(MPI_Comm comm, const wells *w, control_folds *c, crossfit *as)
{
    status st = OK;
    int64_t head[3] = {c->n_fold, c->d, c->kind};
    MPI_Bcast(head, 3, MPI_INT64_T, 0, comm);
    MPI_Bcast(&c->ridge, 1, MPI_DOUBLE, 0, comm);
    c->n_fold = (int32_t)head[0], c->d = head[1], c->kind = (sphering_kind)head[2];
    if (c->n_fold == 0) goto done;
    TRY(share_block_all(comm, 0, &c->base, (size_t)(w->n * c->d) * sizeof *c->base));
    TRY(share_block_all(comm, 0, &c->fold, (size_t)w->n * sizeof *c->fold));
    const crossfit view = control_folds_view(w, c);
    TRY(control_folds_fit_all(comm, &view, w->control, c->fit));
done:
    *as = control_folds_view(w, c);
    return st;
}

void control_folds_free(control_folds *c)
{
    FREE(c->fold);
    for (int f = 0; f < CROSS_FOLDS; f++) sphering_free(&c->fit[f]);
}
