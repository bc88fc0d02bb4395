/* validate.c -- how well the representation retrieves compounds it was not shown in this batch: NSB top-1 on the means of h over the
 * wells of the validation batches, with the weights as they are and the running statistics. */
#include "train.h"

#include "micon/comm.h"
#include "micon/mem.h"
#include "micon/retrieval.h"

#include <stdlib.h>
#include <string.h>

enum { PASS_TILES = 16 };

/* Sums of h over the wells of the validation set. */
typedef struct {
    int64_t n_wells;
    int32_t *well_of_tile;  /* [n tiles]: 0..n_wells-1, or -1 */
    int32_t *label, *batch; /* [n_wells] */
    double *sum;            /* [n_wells, dim] */
    int64_t *count;         /* [n_wells] */
} wells;

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

/* This rank's share of the tiles, in passes. */
static status embed_share(wells *w, const stage *g, const model *m, const dataset *d, resnet *net)
{
    status st = OK;
    size_t pixels = m->channels.n * (size_t)m->size_px * (size_t)m->size_px, dim = (size_t)m->dim;
    float *pictures = NULL, *h = NULL, *norm = xcalloc(PASS_TILES, sizeof *norm), *work = NULL;
    int64_t tile[PASS_TILES], seen = 0;
    int n = 0;
    TRY(mem_alloc(&pictures, PASS_TILES * pixels, sizeof *pictures, "validation"));
    TRY(mem_alloc(&work, (size_t)m->size_px * (size_t)m->size_px, sizeof *work, "validation"));
    TRY(mem_alloc(&h, PASS_TILES * dim, sizeof *h, "validation"));
    for (int64_t i = 0; i <= d->n; i++) {
        if (i < d->n && (w->well_of_tile[i] < 0 || seen++ % g->size != g->rank)) continue;
        if (i < d->n) {
            augment_tile(data_tile(d, i), (int)m->channels.n, m->size_px, m->mean, m->sd, AUGMENT_NONE, 0, 0, 0,
                         pictures + (size_t)n * pixels, work);
            tile[n++] = i;
        }
        if (n == 0 || (n < PASS_TILES && i < d->n)) continue;
        TRY(resnet_forward(net, pictures, h));
        l2_forward(n, m->dim, h, h, norm);
        for (int k = 0; k < n; k++) {
            int32_t at = w->well_of_tile[tile[k]];
            for (size_t c = 0; c < dim; c++) w->sum[(size_t)at * dim + c] += h[(size_t)k * dim + c];
            w->count[at]++;
        }
        n = 0;
    }
done:
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
    TRY(retrieval_topk(q, 0, n, q, n, dim, &set, 1, 1, row, NULL));
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

status validate_all(stage *g, const model *m, const dataset *d, dnn *dn, conv_choices *choices, nn_type type, validation *out)
{
    status st = OK;
    wells w = {0};
    resnet *net = NULL;
    const resnet_config c = {
        .depth = m->depth, .n = PASS_TILES * (int)m->channels.n, .size = m->size_px, .out = model_out(m), .type = type};
    char *folder = config_work(&g->cfg, NETS_FOLDER);
    *out = (validation){0};
    TRY_ALL(g->comm, list_wells(&w, d, m->dim));
    TRY(nets_create_all(g->comm, &net, dn, &c, (nn_params *)&m->params, choices, folder));
    TRY_ALL(g->comm, embed_share(&w, g, m, d, net));
    MPI_Allreduce(MPI_IN_PLACE, w.sum, (int)(w.n_wells * m->dim), MPI_DOUBLE, MPI_SUM, g->comm);
    comm_sum_i64_all(g->comm, w.count, (size_t)w.n_wells);
    TRY_ALL(g->comm, g->rank == 0 && w.n_wells > 0 ? score(&w, m->dim, out) : OK);
    MPI_Bcast(out, (int)sizeof *out, MPI_BYTE, 0, g->comm);
done:
    resnet_destroy(&net);
    free(folder);
    free_wells(&w);
    return st;
}
