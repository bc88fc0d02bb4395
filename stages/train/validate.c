/* validate.c -- retrieval of compounds across validation batches: NSB top-1 on the means of h over the
 * wells of the validation batches, and the run's own loss of items made of their tiles; with the weights as they are, the running
 * statistics and no augmentation. Each tile goes through the network once. */
#include "train.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/retrieval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_STEPS = 4 };

/* Sums of h over the wells of the validation set. */
typedef struct {
    int64_t n_wells;
    int32_t *well_of_tile;  /* [n tiles]: 0..n_wells-1, or -1 */
    int32_t *label, *batch; /* [n_wells] */
    double *sum;            /* [n_wells, dim] */
    int64_t *count;         /* [n_wells] */
} wells;

bool validation_has_query(const dataset *d)
{
    bool found = false;
    int32_t *batch = xmalloc((size_t)d->n_classes * sizeof *batch); /* the first one of a compound */
    for (int c = 0; c < d->n_classes; c++) batch[c] = -1;
    for (int64_t i = 0; i < d->n && !found; i++) {
        const sampler_tile *t = &d->valid[i];
        if (t->compound <= 0) continue;
        found = batch[t->compound] >= 0 && batch[t->compound] != t->batch;
        batch[t->compound] = t->batch;
    }
    free(batch);
    return found;
}

static status list_wells(wells *w, const dataset *d, int dim)
{
    status st = OK;
    int32_t last = -1;
    TRY(mem_alloc(&w->well_of_tile, (size_t)d->n, sizeof *w->well_of_tile, "validation"));
    TRY(mem_alloc(&w->label, (size_t)d->n, sizeof *w->label, "validation"));
    TRY(mem_alloc(&w->batch, (size_t)d->n, sizeof *w->batch, "validation"));
    for (int64_t i = 0; i < d->n; i++) {
        w->well_of_tile[i] = -1;
        if (d->valid[i].compound <= 0) continue; /* controls are never queries or candidates */
        if (w->n_wells == 0 || d->valid[i].well != last) {
            last = d->valid[i].well;
            w->label[w->n_wells] = d->valid[i].compound;
            w->batch[w->n_wells++] = d->valid[i].batch;
        }
        w->well_of_tile[i] = (int32_t)(w->n_wells - 1);
    }
    TRY(mem_alloc(&w->sum, (size_t)w->n_wells * (size_t)dim, sizeof *w->sum, "validation"));
    TRY(mem_alloc(&w->count, (size_t)w->n_wells, sizeof *w->count, "validation"));
done:
    return st;
}

static void free_wells(wells *w)
{
    free(w->well_of_tile);
    free(w->label);
    free(w->batch);
    free(w->sum);
    free(w->count);
}

/* Items of the validation loss: steps of one batch each, the same every time. */
typedef struct {
    int64_t n_steps;
    sampler_item *pair;     /* [n_steps, n_global] */
    int64_t *row;           /* [n_steps, all_rows]: tiles of the rows of all ranks */
    int64_t *tile, n_tiles; /* the distinct tiles among them, sorted */
    float *h;               /* [n_tiles, dim] */
} loss_items;

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static status list_items(loss_items *l, const step_batch *in, pair_sampler *it, int dim)
{
    status st = OK;
    int64_t have = pair_sampler_epoch(it, in->method->items);
    l->n_steps = have / in->n_global < MOST_STEPS ? have / in->n_global : MOST_STEPS;
    int64_t rows = l->n_steps * in->all_rows;
    TRY(mem_alloc(&l->pair, (size_t)(l->n_steps * in->n_global), sizeof *l->pair, "validation"));
    TRY(mem_alloc(&l->row, (size_t)rows, sizeof *l->row, "validation"));
    TRY(mem_alloc(&l->tile, (size_t)rows, sizeof *l->tile, "validation"));
    for (int64_t k = 0; k < l->n_steps; k++) {
        int64_t at = k * in->all_rows;
        batch_items(in, it, k, l->pair + k * in->n_global);
        for (int r = 0; r < in->g->size; r++) {
            int64_t first, n;
            partition(in->n_global, in->g->size, r, &first, &n);
            batch_rows(in, l->pair + k * in->n_global, r, l->row + at);
            at += in->slots * n;
        }
    }
    memcpy(l->tile, l->row, (size_t)rows * sizeof *l->tile);
    qsort(l->tile, (size_t)rows, sizeof *l->tile, by_number);
    for (int64_t i = 0; i < rows; i++)
        if (i == 0 || l->tile[i] != l->tile[i - 1]) l->tile[l->n_tiles++] = l->tile[i];
    TRY(mem_alloc(&l->h, (size_t)l->n_tiles * (size_t)dim, sizeof *l->h, "validation"));
done:
    return st;
}

static float *row_of(const loss_items *l, int64_t tile, int dim)
{
    const int64_t *at = l->n_tiles ? bsearch(&tile, l->tile, (size_t)l->n_tiles, sizeof *l->tile, by_number) : NULL;
    return at ? l->h + (at - l->tile) * dim : NULL;
}

static void free_items(loss_items *l)
{
    free(l->pair);
    free(l->row);
    free(l->tile);
    free(l->h);
}

static status items_loss_all(const loss_items *l, trainer *t, int dim, double *loss)
{
    status st = OK;
    const step_batch *in = trainer_batch(t);
    float *mine = NULL;
    double sum = 0;
    TRY_ALL(in->g->comm, mem_alloc(&mine, (size_t)(in->rows * dim), sizeof *mine, "validation"));
    for (int64_t k = 0; k < l->n_steps; k++) {
        double one;
        const int64_t *row = l->row + k * in->all_rows + in->slots * in->first;
        for (int64_t i = 0; i < in->rows; i++) memcpy(mine + i * dim, row_of(l, row[i], dim), (size_t)dim * sizeof *mine);
        TRY(trainer_loss_all(t, l->pair + k * in->n_global, mine, &one));
        sum += one;
    }
    *loss = sum / (double)l->n_steps;
done:
    free(mine);
    return st;
}

/* This rank's share of the tiles: every size-th of those needed. */
static status embed_share(wells *w, const loss_items *l, const stage *g, const model *m, const dataset *d, resnet *net)
{
    status st = OK;
    size_t pixels = m->channels.n * (size_t)m->size_px * (size_t)m->size_px, dim = (size_t)m->dim;
    const augmenter plain = model_augmenter(m, AUGMENT_NONE, 0);
    float *pictures = NULL, *h = NULL, *norm = xcalloc(PASS_TILES, sizeof *norm), *work = NULL;
    int64_t n, seen = 0, n_mine = 0, *mine = NULL;
    double wait_s = 0;
    tile_loader *f = NULL;
    TRY(mem_alloc(&pictures, PASS_TILES * pixels, sizeof *pictures, "validation"));
    TRY(mem_alloc(&work, (size_t)m->size_px * (size_t)m->size_px, sizeof *work, "validation"));
    TRY(mem_alloc(&h, PASS_TILES * dim, sizeof *h, "validation"));
    TRY(mem_alloc(&mine, (size_t)d->n, sizeof *mine, "validation"));
    for (int64_t i = 0; i < d->n; i++)
        if ((w->well_of_tile[i] >= 0 || row_of(l, i, 1)) && seen++ % g->size == g->rank) mine[n_mine++] = i;
    TRY(tile_loader_start_tiles(&f, d, mine, n_mine));
    for (int64_t first = 0; first < n_mine; first += n) {
        void *note;
        const int64_t *tile;
        const uint8_t *const *at;
        TRY(tile_loader_next(f, &note, &tile, &at, &n, &wait_s));
        for (int64_t k = 0; k < n; k++) augment_tile(&plain, at[k], 0, 0, pictures + (size_t)k * pixels, work);
        TRY(resnet_forward(net, pictures, h));
        l2_forward((int)n, m->dim, h, h, norm);
        for (int64_t k = 0; k < n; k++) {
            const float *one = h + (size_t)k * dim;
            int32_t well = w->well_of_tile[tile[k]];
            float *row = row_of(l, tile[k], m->dim);
            if (row) memcpy(row, one, dim * sizeof *row);
            if (well < 0) continue;
            for (size_t c = 0; c < dim; c++) w->sum[(size_t)well * dim + c] += one[c];
            w->count[well]++;
        }
    }
done:
    tile_loader_stop(&f);
    free(mine);
    free(pictures);
    free(h);
    free(norm);
    free(work);
    return st;
}

static status score(const wells *w, int dim, validation *out)
{
    status st = OK;
    float *q = NULL, *norm = xcalloc((size_t)w->n_wells, sizeof *norm);
    int32_t *row = NULL, *rank = NULL, n_label = 0;
    int64_t *possible = NULL, *match = NULL, n = w->n_wells;
    retrieval_score s;
    const retrieval_setting set = {.query_group = w->batch, .candidate_group = w->batch};
    TRY(mem_alloc(&q, (size_t)n * (size_t)dim, sizeof *q, "validation"));
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "validation"));
    TRY(mem_alloc(&rank, (size_t)n, sizeof *rank, "validation"));
    TRY(mem_alloc(&possible, (size_t)n, sizeof *possible, "validation"));
    TRY(mem_alloc(&match, (size_t)n, sizeof *match, "validation"));
    for (int64_t i = 0; i < n; i++) {
        for (int c = 0; c < dim; c++) q[i * dim + c] = (float)(w->sum[i * dim + c] / (double)(w->count[i] > 0 ? w->count[i] : 1));
        if (w->label[i] >= n_label) n_label = w->label[i] + 1;
    }
    l2_forward((int)n, dim, q, q, norm);
    TRY(retrieval_topk(&(profile_rows){.x = q, .d = dim}, (row_range){0, n}, &(profile_rows){.x = q, .n = n, .d = dim},
                       &(retrieval_search){.set = &set, .n_set = 1, .k = 1}, row, NULL));
    TRY(retrieval_counts(&set, w->label, 0, n, w->label, n, possible, match));
    retrieval_first_match(row, n, 1, w->label, w->label, rank);
    retrieval_summarize(rank, possible, match, w->label, n, n_label, 1, &s);
    *out = (validation){.top1 = s.hits[0], .chance = s.chance[0], .queries = s.n_queries};
done:
    free(q);
    free(norm);
    free(row);
    free(rank);
    free(possible);
    free(match);
    return st;
}

status validate_all(trainer *t, pair_sampler *it, net_kit *kit, validation *out)
{
    status st = OK;
    const step_batch *in = trainer_batch(t);
    stage *g = in->g;
    const model *m = in->m;
    wells w = {0};
    loss_items l = {0};
    resnet *net = NULL;
    const resnet_config c = {
        .depth = m->depth, .n = PASS_TILES * (int)m->channels.n, .size = m->size_px, .out = model_out(m), .type = kit->type};
    char *folder = shared_nets_folder(&g->cfg);
    *out = (validation){.top1 = NAN, .chance = NAN};
    double loss = NAN;
    TRY_ALL(g->comm, list_wells(&w, in->d, m->dim));
    TRY_ALL(g->comm, it ? list_items(&l, in, it, m->dim) : OK);
    TRY(shared_nets_create_all(g->comm, &net, kit->dn, &c, (nn_params *)&m->params, &kit->choices, folder));
    TRY_ALL(g->comm, embed_share(&w, &l, g, m, in->d, net));
    MPI_Allreduce(MPI_IN_PLACE, w.sum, (int)(w.n_wells * m->dim), MPI_DOUBLE, MPI_SUM, g->comm);
    comm_sum_i64_all(g->comm, w.count, (size_t)w.n_wells);
    if (l.n_steps > 0) {
        MPI_Allreduce(MPI_IN_PLACE, l.h, (int)(l.n_tiles * m->dim), MPI_FLOAT, MPI_SUM, g->comm); /* each row is of one rank */
        TRY(items_loss_all(&l, t, m->dim, &loss));
    }
    TRY_ALL(g->comm, g->rank == 0 && w.n_wells > 0 ? score(&w, m->dim, out) : OK);
    MPI_Bcast(out, (int)sizeof *out, MPI_BYTE, 0, g->comm);
    out->loss = loss;
done:
    resnet_destroy(&net);
    free(folder);
    free_wells(&w);
    free_items(&l);
    return st;
}
