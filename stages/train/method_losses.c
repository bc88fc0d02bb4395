/* method_losses.c -- the training objectives: from the representations of this rank's rows to the loss over the rows of all ranks, and its
 * gradient at them. A new one is a function here and a row in the table below; what it needs of items and heads is a row of nn/method.h. */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/nn/loss.h"

#include <stdlib.h>
#include <string.h>

/* Everything about the generator: rows of one view, [n] items of this rank. */
typedef struct {
    float *vec, *m_inside, *mp;    /* [n, B or B + 1], [n, B], [n, D]: compounds (and doses), their head */
    float *in, *inside, *out;      /* [n, 2D], [n, 2D], [n, D]: generator */
    float *proj_inside, *u, *norm; /* [n, D], [n, P], [n]: projected */
    float *rows, *all_rows;        /* [2n, P], [2N, P]: treated and generated */
    float *d_rows, *d_out, *d_inside, *d_in, *d_mp;
} generated;

struct losses {
    stage *g;
    const model *m;
    const vectors *v;
    const step_batch *in;
    allreduce *allreduce; /* for batch norm in the auxiliary head */
    double t;             /* temperature */
    const float *h;       /* [rows, dim]: the present call's, of length 1 */
    float *dh;            /* gradient at h */
    step_result *r;
    int *counts, *offsets; /* [ranks]: for gathering, filled per use */
    float *inside, *u, *u_norm, *du, *d_inside, *all_u, *dots, *tmp;
    double *log_sum, *all_log;
    int64_t *positives;                     /* [all_rows] */
    float *b, *b_norm, *db, *all_a, *all_b; /* clip */
    void *aux_work;
    generated q;
};

static status floats(float **out, int64_t n, int64_t d)
{
    return mem_alloc(out, (size_t)n * (size_t)d, sizeof **out, "a training step");
}

/* m(p) of this rank's items. */
static status alloc_compounds(losses *l)
{
    status st = OK;
    generated *q = &l->q;
    int64_t n = l->in->n, d = l->m->dim;
    TRY(floats(&q->vec, n, l->m->compound.in));
    TRY(floats(&q->m_inside, n, l->m->bits));
    TRY(floats(&q->mp, n, d));
    TRY(floats(&q->d_mp, n, d));
done:
    return st;
}

static status alloc_micon(losses *l)
{
    status st = OK;
    generated *q = &l->q;
    int64_t n = l->in->n, d = l->m->dim, p = l->m->projection, b = l->m->bits;
    TRY(alloc_compounds(l));
    TRY(floats(&q->in, n, 2 * d));
    TRY(floats(&q->inside, n, 2 * d));
    TRY(floats(&q->out, n, d));
    TRY(floats(&q->proj_inside, n, d));
    TRY(floats(&q->u, n, p));
    TRY(floats(&q->norm, n, 1));
    TRY(floats(&q->rows, 2 * n, p));
    TRY(floats(&q->all_rows, 2 * l->in->n_global, p));
    TRY(floats(&q->d_rows, 2 * n, p));
    TRY(floats(&q->d_out, n, d));
    TRY(floats(&q->d_inside, n, 2 * d > b ? 2 * d : b));
    TRY(floats(&q->d_in, n, 2 * d));
done:
    return st;
}

static status alloc_clip(losses *l)
{
    status st = OK;
    int64_t d = l->m->dim;
    TRY(alloc_compounds(l));
    TRY(floats(&l->b, l->in->n, d));
    TRY(floats(&l->b_norm, l->in->n, 1));
    TRY(floats(&l->db, l->in->n, d));
    TRY(floats(&l->all_a, l->in->n_global, d));
    TRY(floats(&l->all_b, l->in->n_global, d));
    TRY(floats(&l->q.d_inside, l->in->n, l->m->bits));
done:
    return st;
}

/* ---- gathering ---- */

/* `per_item` rows of d values for each item of every rank. */
static void gather(losses *l, const void *mine, int64_t per_item, int64_t d, MPI_Datatype type, void *all)
{
    int64_t at = 0;
    for (int r = 0; r < l->g->size; r++) {
        int64_t first, n;
        partition(l->in->n_global, l->g->size, r, &first, &n);
        l->counts[r] = (int)(n * per_item * d);
        l->offsets[r] = (int)at;
        at += l->counts[r];
    }
    double from = clock_s();
    MPI_Allgatherv(mine, l->counts[l->g->rank], type, all, l->counts, l->offsets, type, l->g->comm);
    if (l->g->size > 1) {
        l->r->comm_s += clock_s() - from;
        l->r->bytes += (int64_t)l->counts[l->g->rank] * (type == MPI_DOUBLE ? 8 : 4);
    }
}

/* The contrastive loss of `rows` ([per_item n, d] of this rank) times weight: its value is added to *loss, its gradient put to d_rows. */
static status contrast(losses *l, const float *rows, float *all_rows, const int32_t *label, int64_t per_item, double weight, double *loss,
                       float *d_rows)
{
    status st = OK;
    MPI_Comm comm = l->g->comm;
    const loss_rows all = {.u = all_rows,
                           .label = label,
                           .n = per_item * l->in->n_global,
                           .d = l->m->projection,
                           .t = l->t,
                           .first = per_item * l->in->first,
                           .n_mine = per_item * l->in->n};
    double share = 0;
    gather(l, rows, per_item, all.d, MPI_FLOAT, all_rows);
    TRY_ALL(comm, supcon_rows(&all, l->dots, l->positives, l->log_sum, &share));
    gather(l, l->log_sum, per_item, 1, MPI_DOUBLE, l->all_log);
    MPI_Allreduce(MPI_IN_PLACE, &share, 1, MPI_DOUBLE, MPI_SUM, comm);
    *loss += weight * share;
    TRY_ALL(comm, supcon_grad(&all, l->dots, l->positives, l->all_log, weight, d_rows));
done:
    return st;
}

/* ---- the terms ---- */

static void add_to(float *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

/* paclr, micon and simclr: the projected pictures. */
static status contrast_pictures_all(losses *l)
{
    status st = OK;
    const model *m = l->m;
    int rows = (int)l->in->rows;
    mlp_forward(&m->params, &m->projector, rows, l->h, l->inside, l->u);
    l2_forward(rows, m->projection, l->u, l->u, l->u_norm);
    TRY(contrast(l, l->u, l->all_u, l->in->label, l->in->slots, 1.0, &l->r->contrast, l->du));
    l2_backward(rows, m->projection, l->u, l->u_norm, l->du, l->du);
    mlp_backward(&m->params, &m->projector, rows, l->h, l->inside, l->du, l->d_inside, l->tmp);
    add_to(l->dh, l->tmp, l->in->rows * m->dim);
done:
    return st;
}

static void compound_vectors(losses *l)
{
    generated *q = &l->q;
    size_t b = (size_t)l->m->bits, wide = (size_t)l->m->compound.in;
    const dataset *d = l->in->d;
    for (int64_t i = 0; i < l->in->n; i++) {
        int32_t class = l->in->pair[l->in->first + i].compound;
        memcpy(q->vec + (size_t)i * wide, l->v->x + d->vector_row[class] * l->v->d, b * sizeof *q->vec);
        if (l->m->has_dose) q->vec[(size_t)i * wide + b] = model_dose(l->m, d->dose[class]);
    }
    mlp_forward(&l->m->params, &l->m->compound, (int)l->in->n, q->vec, q->m_inside, q->mp);
    memset(q->d_mp, 0, (size_t)(l->in->n * l->m->dim) * sizeof *q->d_mp);
}

/* Generator on [h_control, m(p)] of one view, projected. */
static void generate(losses *l, const float *h_control)
{
    generated *q = &l->q;
    const model *m = l->m;
    size_t d = (size_t)m->dim;
    for (size_t i = 0; i < (size_t)l->in->n; i++) {
        memcpy(q->in + 2 * i * d, h_control + i * d, d * sizeof *q->in);
        memcpy(q->in + (2 * i + 1) * d, q->mp + i * d, d * sizeof *q->in);
    }
    mlp_forward(&m->params, &m->generator, (int)l->in->n, q->in, q->inside, q->out);
    mlp_forward(&m->params, &m->projector, (int)l->in->n, q->out, q->proj_inside, q->u);
    l2_forward((int)l->in->n, m->projection, q->u, q->u, q->norm);
}

/* micon's second term for one view: L([treated ; generated]); h is a constant there unless `detach` is no. */
static status contrast_generated(losses *l, int view)
{
    status st = OK;
    generated *q = &l->q;
    const model *m = l->m;
    const train_options *o = &l->g->cfg.train;
    int n = (int)l->in->n;
    int64_t d = m->dim, p = m->projection, treated = 2 * view * l->in->n, control = (2 * view + 1) * l->in->n;
    generate(l, l->h + control * d);
    memcpy(q->rows, l->u + treated * p, (size_t)(l->in->n * p) * sizeof *q->rows);
    memcpy(q->rows + l->in->n * p, q->u, (size_t)(l->in->n * p) * sizeof *q->rows);
    TRY(contrast(l, q->rows, q->all_rows, l->in->two_label, 2, o->lambda / 2, &l->r->generated, q->d_rows));

    l2_backward(n, m->projection, l->u + treated * p, l->u_norm + treated, q->d_rows, q->d_rows);
    mlp_backward(&m->params, &m->projector, n, l->h + treated * d, l->inside + treated * d, q->d_rows, l->d_inside,
                 o->detach ? NULL : l->tmp);
    if (!o->detach) add_to(l->dh + treated * d, l->tmp, l->in->n * d);

    float *du = q->d_rows + l->in->n * p;
    l2_backward(n, m->projection, q->u, q->norm, du, du);
    mlp_backward(&m->params, &m->projector, n, q->out, q->proj_inside, du, l->d_inside, q->d_out);
    mlp_backward(&m->params, &m->generator, n, q->in, q->inside, q->d_out, q->d_inside, q->d_in);
    for (int64_t i = 0; i < l->in->n; i++) {
        add_to(q->d_mp + i * d, q->d_in + (2 * i + 1) * d, d);
        if (!o->detach) add_to(l->dh + (control + i) * d, q->d_in + 2 * i * d, d);
    }
done:
    return st;
}

static status micon_all(losses *l)
{
    status st = OK;
    const model *m = l->m;
    TRY(contrast_pictures_all(l));
    compound_vectors(l);
    for (int view = 0; view < 2; view++) TRY(contrast_generated(l, view));
    mlp_backward(&m->params, &m->compound, (int)l->in->n, l->q.vec, l->q.m_inside, l->q.d_mp, l->q.d_inside, NULL);
done:
    return st;
}

/* clip: h against z(m(p)), each pair its own class, for both views. */
static status clip_all(losses *l)
{
    status st = OK;
    generated *q = &l->q;
    const model *m = l->m;
    MPI_Comm comm = l->g->comm;
    int64_t d = m->dim, n = l->in->n_global;
    const loss_rows all = {.u = l->all_a, .v = l->all_b, .n = n, .d = d, .t = l->t, .first = l->in->first, .n_mine = l->in->n};
    compound_vectors(l);
    l2_forward((int)l->in->n, m->dim, q->mp, l->b, l->b_norm);
    gather(l, l->b, 1, d, MPI_FLOAT, l->all_b);
    for (int view = 0; view < 2; view++) {
        double share = 0;
        gather(l, l->h + view * l->in->n * d, 1, d, MPI_FLOAT, l->all_a);
        TRY_ALL(comm, clip_rows(&all, l->dots, l->log_sum, &share));
        gather(l, l->log_sum, 1, 1, MPI_DOUBLE, l->all_log);
        gather(l, l->log_sum + l->in->n, 1, 1, MPI_DOUBLE, l->all_log + n);
        MPI_Allreduce(MPI_IN_PLACE, &share, 1, MPI_DOUBLE, MPI_SUM, comm);
        l->r->contrast += share / 2;
        TRY_ALL(comm, clip_grad(&all, l->dots, l->all_log, l->all_log + n, 0.5, l->tmp, l->db));
        add_to(l->dh + view * l->in->n * d, l->tmp, l->in->n * d);
        add_to(q->d_mp, l->db, l->in->n * d);
    }
    l2_backward((int)l->in->n, m->dim, l->b, l->b_norm, q->d_mp, q->d_mp);
    mlp_backward(&m->params, &m->compound, (int)l->in->n, q->vec, q->m_inside, q->d_mp, q->d_inside, NULL);
done:
    return st;
}

/* ---- the table ---- */

typedef struct {
    status (*alloc)(losses *l);   /* buffers of its own; NULL: none */
    status (*add_all)(losses *l); /* its terms: values to l->r, gradients added to l->dh and to the heads' */
} loss_functions;

static const loss_functions functions[] = {
    [METHOD_MICON] = {alloc_micon, micon_all},
    [METHOD_PACLR] = {NULL, contrast_pictures_all},
    [METHOD_SIMCLR] = {NULL, contrast_pictures_all},
    [METHOD_CLIP] = {alloc_clip, clip_all},
    [METHOD_PRETRAINED] = {NULL, NULL},
    [METHOD_CLASSICAL] = {NULL, NULL},
};
_Static_assert(sizeof functions / sizeof *functions == N_METHODS, "a row for each name of METHODS");

static status alloc_buffers(losses *l)
{
    status st = OK;
    const model *m = l->m;
    const loss_functions *own = &functions[l->g->cfg.train.method];
    int64_t widest = m->dim > m->projection ? m->dim : m->projection;
    TRY(floats(&l->inside, l->in->rows, m->dim));
    TRY(floats(&l->u, l->in->rows, m->projection));
    TRY(floats(&l->u_norm, l->in->rows, 1));
    TRY(floats(&l->du, l->in->rows, m->projection));
    TRY(floats(&l->d_inside, l->in->rows, m->dim));
    TRY(floats(&l->tmp, l->in->rows, widest));
    TRY(floats(&l->all_u, l->in->all_rows, m->projection));
    TRY(floats(&l->dots, 2 * l->in->rows, l->in->all_rows));
    TRY(mem_alloc(&l->log_sum, 2 * (size_t)l->in->rows, sizeof *l->log_sum, "losses"));
    TRY(mem_alloc(&l->all_log, 2 * (size_t)l->in->all_rows, sizeof *l->all_log, "losses"));
    TRY(mem_alloc(&l->positives, (size_t)l->in->all_rows, sizeof *l->positives, "losses"));
    if (own->alloc) TRY(own->alloc(l));
    if (m->aux_classes) TRY(mem_alloc(&l->aux_work, aux_work_bytes(&m->aux, (int)l->in->rows), 1, "the auxiliary head"));
done:
    return st;
}

status losses_create(losses **out, stage *g, const model *m, const step_batch *in, const vectors *v, allreduce *sums)
{
    losses *l = xcalloc(1, sizeof *l);
    *out = l;
    *l = (losses){.g = g, .m = m, .v = v, .in = in, .allreduce = sums, .t = method_temperature(&g->cfg.train)};
    l->counts = xcalloc((size_t)g->size, sizeof *l->counts);
    l->offsets = xcalloc((size_t)g->size, sizeof *l->offsets);
    return alloc_buffers(l);
}

void losses_destroy(losses **pl)
{
    losses *l = *pl;
    if (!l) return;
    *pl = NULL;
    generated *q = &l->q;
    float *all[] = {l->inside, l->u,     l->u_norm, l->du,       l->d_inside, l->all_u, l->dots,     l->tmp,    l->b,   l->b_norm,
                    l->db,     l->all_a, l->all_b,  q->vec,      q->m_inside, q->mp,    q->in,       q->inside, q->out, q->proj_inside,
                    q->u,      q->norm,  q->rows,   q->all_rows, q->d_rows,   q->d_out, q->d_inside, q->d_in,   q->d_mp};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    free(l->counts);
    free(l->offsets);
    free(l->log_sum);
    free(l->all_log);
    free(l->positives);
    free(l->aux_work);
    free(l);
}

/* ---- the auxiliary classifier, which goes with any of them ---- */

static void add_aux_all(losses *l, bool eval_only)
{
    const model *m = l->m;
    const aux_rows rows = {.n = (int)l->in->rows, .x = l->h, .label = l->in->label + l->in->slots * l->in->first};
    if (eval_only) {
        l->r->aux = aux_eval(&m->params, &m->aux, &rows, l->aux_work);
        l->r->aux /= (double)l->in->all_rows;
        MPI_Allreduce(MPI_IN_PLACE, &l->r->aux, 1, MPI_DOUBLE, MPI_SUM, l->g->comm);
    } else {
        const rank_sum ranks = {allreduce_norm, l->allreduce};
        aux_loss(&m->params, &m->aux, &rows, &ranks, &l->r->aux, l->tmp, l->aux_work);
        add_to(l->dh, l->tmp, l->in->rows * m->dim);
    }
}

status losses_all(losses *l, const float *h, float *dh, bool eval_only, step_result *r)
{
    status st = OK;
    l->h = h, l->dh = dh, l->r = r;
    memset(dh, 0, (size_t)(l->in->rows * l->m->dim) * sizeof *dh);
    TRY(functions[l->g->cfg.train.method].add_all(l));
    if (l->m->aux_classes) add_aux_all(l, eval_only);
    r->loss = r->contrast + r->generated + r->aux;
done:
    return st;
}
