/* trainer.c -- one step: the rows of this rank's items (batch.c) through the network, the losses over the rows of all ranks, and the way
 * back. */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/nn/loss.h"

#include <stdlib.h>
#include <string.h>

/* Everything about the generator: rows of one view, [n] items of this rank. */
typedef struct {
    float *vec, *m_inside, *mp;    /* [n, B], [n, B], [n, D]: compounds and their head */
    float *in, *inside, *out;      /* [n, 2D], [n, 2D], [n, D]: generator */
    float *proj_inside, *u, *norm; /* [n, D], [n, P], [n]: projected */
    float *rows, *all_rows;        /* [2n, P], [2N, P]: treated and generated */
    float *d_rows, *d_out, *d_inside, *d_in, *d_mp;
} generated;

struct trainer {
    stage *g;
    model *m;
    const vectors *v;
    double t; /* temperature */
    step_batch in;
    int *counts, *offsets; /* [ranks]: for gathering, filled per use */
    resnet *net;
    allreduce *allreduce;
    size_t heads_first; /* trained values from here on belong to heads */
    float *h, *h_norm, *dh, *inside, *u, *u_norm, *du, *d_inside, *all_u, *dots, *tmp;
    double *log_sum, *all_log;
    int64_t *positives;                     /* [all_rows] */
    float *b, *b_norm, *db, *all_a, *all_b; /* clip */
    void *aux_work;
    size_t *shared, n_shared; /* norm: local: tensors whose mean over the ranks is taken */
    float *shared_values;     /* room for them */
    generated q;
    bool eval_only;  /* the loss alone: weights and running statistics stay as they are */
    double gather_s; /* of this step */
    int64_t gather_bytes;
};

/* ---- making one ---- */

static status floats(float **out, int64_t n, int64_t d)
{
    return mem_alloc(out, (size_t)n * (size_t)d, sizeof **out, "a training step");
}

static status alloc_generated(trainer *t)
{
    status st = OK;
    generated *q = &t->q;
    int64_t n = t->in.n, d = t->m->dim, p = t->m->projection, b = t->m->bits;
    TRY(floats(&q->vec, n, b));
    TRY(floats(&q->m_inside, n, b));
    TRY(floats(&q->mp, n, d));
    TRY(floats(&q->d_mp, n, d));
    if (t->in.method != METHOD_MICON) goto done;
    TRY(floats(&q->in, n, 2 * d));
    TRY(floats(&q->inside, n, 2 * d));
    TRY(floats(&q->out, n, d));
    TRY(floats(&q->proj_inside, n, d));
    TRY(floats(&q->u, n, p));
    TRY(floats(&q->norm, n, 1));
    TRY(floats(&q->rows, 2 * n, p));
    TRY(floats(&q->all_rows, 2 * t->in.n_global, p));
    TRY(floats(&q->d_rows, 2 * n, p));
    TRY(floats(&q->d_out, n, d));
    TRY(floats(&q->d_inside, n, 2 * d > b ? 2 * d : b));
    TRY(floats(&q->d_in, n, 2 * d));
done:
    return st;
}

static status alloc_clip(trainer *t)
{
    status st = OK;
    int64_t d = t->m->dim;
    TRY(floats(&t->b, t->in.n, d));
    TRY(floats(&t->b_norm, t->in.n, 1));
    TRY(floats(&t->db, t->in.n, d));
    TRY(floats(&t->all_a, t->in.n_global, d));
    TRY(floats(&t->all_b, t->in.n_global, d));
    TRY(floats(&t->q.d_inside, t->in.n, t->m->bits));
done:
    return st;
}

static status alloc_buffers(trainer *t)
{
    status st = OK;
    const model *m = t->m;
    int64_t widest = m->dim > m->projection ? m->dim : m->projection;
    TRY(floats(&t->h, t->in.rows, m->dim));
    TRY(floats(&t->h_norm, t->in.rows, 1));
    TRY(floats(&t->dh, t->in.rows, m->dim));
    TRY(floats(&t->inside, t->in.rows, m->dim));
    TRY(floats(&t->u, t->in.rows, m->projection));
    TRY(floats(&t->u_norm, t->in.rows, 1));
    TRY(floats(&t->du, t->in.rows, m->projection));
    TRY(floats(&t->d_inside, t->in.rows, m->dim));
    TRY(floats(&t->tmp, t->in.rows, widest));
    TRY(floats(&t->all_u, t->in.all_rows, m->projection));
    TRY(floats(&t->dots, 2 * t->in.rows, t->in.all_rows));
    TRY(mem_alloc(&t->log_sum, 2 * (size_t)t->in.rows, sizeof *t->log_sum, "losses"));
    TRY(mem_alloc(&t->all_log, 2 * (size_t)t->in.all_rows, sizeof *t->all_log, "losses"));
    TRY(mem_alloc(&t->positives, (size_t)t->in.all_rows, sizeof *t->positives, "losses"));
    if (m->bits) TRY(alloc_generated(t));
    if (t->in.method == METHOD_CLIP) TRY(alloc_clip(t));
    if (m->aux_classes) TRY(mem_alloc(&t->aux_work, aux_work_bytes(&m->aux, (int)t->in.rows), 1, "the auxiliary head"));
done:
    return st;
}

static status make_net_all(trainer *t, dnn *dn, conv_choices *choices, nn_type type)
{
    const train_options *o = &t->g->cfg.train;
    int64_t memory = o->memory;
    if (memory < 0) { /* auto: what the node has, the same for all; recomputing changes no bit */
        memory = (int64_t)(0.8 * tile_cache_memory_left(t->in.d));
        MPI_Allreduce(MPI_IN_PLACE, &memory, 1, MPI_INT64_T, MPI_MIN, t->g->comm);
    }
    resnet_config c = {.part = t->in.two_parts ? RESNET_BACK : RESNET_WHOLE,
                       .depth = t->m->depth,
                       .n = (int)t->in.rows * (int)t->m->channels.n,
                       .size = t->m->size_px,
                       .out = model_out(t->m),
                       .type = type,
                       .training = true,
                       .freeze = o->freeze,
                       .norm_frozen = o->norm == NORM_FROZEN,
                       .memory = memory,
                       .sum = o->norm == NORM_SYNC ? allreduce_norm : NULL,
                       .ready = allreduce_ready,
                       .ctx = t->allreduce};
    char *folder = config_work(&t->g->cfg, NETS_FOLDER);
    status st = shared_nets_create_all(t->g->comm, &t->net, dn, &c, &t->m->params, choices, folder);
    free(folder);
    return st;
}

/* Running statistics of a layer that is trained. The rest of p->state is frozen: the same everywhere, and to stay so to the bit. */
static bool moves(const nn_params *p, const nn_param *t)
{
    const char *dot = strrchr(t->name, '.');
    if (t->trained || !dot || (strcmp(dot, ".running_mean") != 0 && strcmp(dot, ".running_var") != 0)) return false;
    char *weight = xasprintf("%.*s.weight", (int)(dot - t->name), t->name);
    long at = params_find(p, weight);
    free(weight);
    return at >= 0 && p->item[at].trained;
}

static status list_shared(trainer *t)
{
    status st = OK;
    const nn_params *p = &t->m->params;
    size_t values = 0;
    if (t->g->size == 1 || t->g->cfg.train.norm != NORM_LOCAL) goto done;
    TRY(mem_alloc(&t->shared, p->n, sizeof *t->shared, "running statistics"));
    for (size_t i = 0; i < p->n; i++) {
        if (!moves(p, &p->item[i])) continue;
        t->shared[t->n_shared++] = i;
        values += p->item[i].count;
    }
    TRY(mem_alloc(&t->shared_values, values, sizeof *t->shared_values, "running statistics"));
done:
    return st;
}

status trainer_create_all(trainer **out, stage *g, model *m, dataset *d, pair_sampler *it, const vectors *v, dnn *dn, conv_choices *choices,
                          nn_type type, int64_t first)
{
    status st = OK;
    const train_options *o = &g->cfg.train;
    trainer *t = xcalloc(1, sizeof *t);
    *out = t;
    *t = (trainer){.g = g, .m = m, .v = v};
    t->t = o->temperature > 0 ? o->temperature : o->method == METHOD_CLIP ? 0.07 : 1.0;
    TRY(batch_create_all(&t->in, g, m, d, it, dn, choices, type, first));
    t->counts = xcalloc((size_t)g->size, sizeof *t->counts);
    t->offsets = xcalloc((size_t)g->size, sizeof *t->offsets);
    t->heads_first = m->params.n_trained;
    for (size_t i = m->params.n; i-- > 0;)
        if (m->params.item[i].trained && strncmp(m->params.item[i].name, MODEL_PREFIX, strlen(MODEL_PREFIX)) != 0)
            t->heads_first = m->params.item[i].at;
    TRY_ALL(g->comm, alloc_buffers(t));
    TRY_ALL(g->comm, list_shared(t));
    TRY(allreduce_create_all(&t->allreduce, g->comm, &m->params, o->gradient_dtype));
    TRY(make_net_all(t, dn, choices, type));
done:
    return st;
}

void trainer_destroy(trainer **pt)
{
    trainer *t = *pt;
    if (!t) return;
    *pt = NULL;
    generated *q = &t->q;
    float *all[] = {t->h,     t->h_norm,   t->dh,       t->inside, t->u,      t->u_norm,   t->du,          t->d_inside,
                    t->all_u, t->dots,     t->tmp,      t->b,      t->b_norm, t->db,       t->all_a,       t->all_b,
                    q->vec,   q->m_inside, q->mp,       q->in,     q->inside, q->out,      q->proj_inside, q->u,
                    q->norm,  q->rows,     q->all_rows, q->d_rows, q->d_out,  q->d_inside, q->d_in,        q->d_mp};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    batch_free(&t->in);
    resnet_destroy(&t->net);
    allreduce_destroy(&t->allreduce);
    free(t->counts);
    free(t->offsets);
    free(t->log_sum);
    free(t->all_log);
    free(t->positives);
    free(t->aux_work);
    free(t->shared);
    free(t->shared_values);
    free(t);
}

void trainer_changed(trainer *t)
{
    resnet_weights_changed(t->net);
}

void trainer_share_statistics_all(trainer *t)
{
    const nn_params *p = &t->m->params;
    float *v = t->shared_values;
    size_t n = 0;
    for (size_t k = 0; k < t->n_shared; k++) {
        const nn_param *one = &p->item[t->shared[k]];
        for (size_t i = 0; i < one->count; i++) v[n++] = p->state[one->at + i] / (float)t->g->size;
    }
    if (n > 0) MPI_Allreduce(MPI_IN_PLACE, v, (int)n, MPI_FLOAT, MPI_SUM, t->g->comm);
    for (size_t k = 0; k < t->n_shared; k++) {
        const nn_param *one = &p->item[t->shared[k]];
        memcpy(p->state + one->at, v, one->count * sizeof *v);
        v += one->count;
    }
}

const resnet *trainer_net(const trainer *t)
{
    return t->net;
}

/* ---- its input ---- */

step_batch *trainer_batch(trainer *t)
{
    return &t->in;
}

/* ---- gathering ---- */

/* `per_item` rows of d values for each item of every rank. */
static void gather(trainer *t, const void *mine, int64_t per_item, int64_t d, MPI_Datatype type, void *all)
{
    int64_t at = 0;
    for (int r = 0; r < t->g->size; r++) {
        int64_t first, n;
        partition(t->in.n_global, t->g->size, r, &first, &n);
        t->counts[r] = (int)(n * per_item * d);
        t->offsets[r] = (int)at;
        at += t->counts[r];
    }
    double from = clock_s();
    MPI_Allgatherv(mine, t->counts[t->g->rank], type, all, t->counts, t->offsets, type, t->g->comm);
    if (t->g->size > 1) {
        t->gather_s += clock_s() - from;
        t->gather_bytes += (int64_t)t->counts[t->g->rank] * (type == MPI_DOUBLE ? 8 : 4);
    }
}

/* The contrastive loss of `rows` ([per_item n, d] of this rank) times weight: its value is added to *loss, its gradient put to d_rows. */
static status contrast(trainer *t, const float *rows, float *all_rows, const int32_t *label, int64_t per_item, double weight, double *loss,
                       float *d_rows)
{
    status st = OK;
    int64_t p = t->m->projection, n = per_item * t->in.n_global, mine = per_item * t->in.n, first = per_item * t->in.first;
    double share = 0;
    gather(t, rows, per_item, p, MPI_FLOAT, all_rows);
    TRY_ALL(t->g->comm, supcon_rows(all_rows, label, n, p, t->t, first, mine, t->dots, t->positives, t->log_sum, &share));
    gather(t, t->log_sum, per_item, 1, MPI_DOUBLE, t->all_log);
    MPI_Allreduce(MPI_IN_PLACE, &share, 1, MPI_DOUBLE, MPI_SUM, t->g->comm);
    *loss += weight * share;
    TRY_ALL(t->g->comm, supcon_grad(all_rows, label, n, p, t->t, first, mine, t->dots, t->positives, t->all_log, weight, d_rows));
done:
    return st;
}

/* ---- the terms ---- */

static void add_to(float *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

/* paclr, micon and simclr: the projected pictures. */
static status contrast_pictures(trainer *t, step_result *r)
{
    status st = OK;
    const model *m = t->m;
    int rows = (int)t->in.rows;
    mlp_forward(&m->params, &m->projector, rows, t->h, t->inside, t->u);
    l2_forward(rows, m->projection, t->u, t->u, t->u_norm);
    TRY(contrast(t, t->u, t->all_u, t->in.label, t->in.slots, 1.0, &r->contrast, t->du));
    l2_backward(rows, m->projection, t->u, t->u_norm, t->du, t->du);
    mlp_backward(&m->params, &m->projector, rows, t->h, t->inside, t->du, t->d_inside, t->tmp);
    add_to(t->dh, t->tmp, t->in.rows * m->dim);
done:
    return st;
}

static void compound_vectors(trainer *t)
{
    generated *q = &t->q;
    size_t b = (size_t)t->m->bits;
    for (int64_t i = 0; i < t->in.n; i++) {
        int64_t row = t->in.d->vector_row[t->in.pair[t->in.first + i].compound];
        memcpy(q->vec + (size_t)i * b, t->v->x + row * t->v->d, b * sizeof *q->vec);
    }
    mlp_forward(&t->m->params, &t->m->compound, (int)t->in.n, q->vec, q->m_inside, q->mp);
    memset(q->d_mp, 0, (size_t)(t->in.n * t->m->dim) * sizeof *q->d_mp);
}

/* Generator on [h_control, m(p)] of one view, projected. */
static void generate(trainer *t, const float *h_control)
{
    generated *q = &t->q;
    const model *m = t->m;
    size_t d = (size_t)m->dim;
    for (size_t i = 0; i < (size_t)t->in.n; i++) {
        memcpy(q->in + 2 * i * d, h_control + i * d, d * sizeof *q->in);
        memcpy(q->in + (2 * i + 1) * d, q->mp + i * d, d * sizeof *q->in);
    }
    mlp_forward(&m->params, &m->generator, (int)t->in.n, q->in, q->inside, q->out);
    mlp_forward(&m->params, &m->projector, (int)t->in.n, q->out, q->proj_inside, q->u);
    l2_forward((int)t->in.n, m->projection, q->u, q->u, q->norm);
}

/* micon's second term for one view: L([treated ; generated]); h is a constant there unless `detach` is no. */
static status contrast_generated(trainer *t, int view, step_result *r)
{
    status st = OK;
    generated *q = &t->q;
    const model *m = t->m;
    const train_options *o = &t->g->cfg.train;
    int n = (int)t->in.n;
    int64_t d = m->dim, p = m->projection, treated = 2 * view * t->in.n, control = (2 * view + 1) * t->in.n;
    generate(t, t->h + control * d);
    memcpy(q->rows, t->u + treated * p, (size_t)(t->in.n * p) * sizeof *q->rows);
    memcpy(q->rows + t->in.n * p, q->u, (size_t)(t->in.n * p) * sizeof *q->rows);
    TRY(contrast(t, q->rows, q->all_rows, t->in.two_label, 2, o->lambda / 2, &r->generated, q->d_rows));

    l2_backward(n, m->projection, t->u + treated * p, t->u_norm + treated, q->d_rows, q->d_rows);
    mlp_backward(&m->params, &m->projector, n, t->h + treated * d, t->inside + treated * d, q->d_rows, t->d_inside,
                 o->detach ? NULL : t->tmp);
    if (!o->detach) add_to(t->dh + treated * d, t->tmp, t->in.n * d);

    float *du = q->d_rows + t->in.n * p;
    l2_backward(n, m->projection, q->u, q->norm, du, du);
    mlp_backward(&m->params, &m->projector, n, q->out, q->proj_inside, du, t->d_inside, q->d_out);
    mlp_backward(&m->params, &m->generator, n, q->in, q->inside, q->d_out, q->d_inside, q->d_in);
    for (int64_t i = 0; i < t->in.n; i++) {
        add_to(q->d_mp + i * d, q->d_in + (2 * i + 1) * d, d);
        if (!o->detach) add_to(t->dh + (control + i) * d, q->d_in + 2 * i * d, d);
    }
done:
    return st;
}

/* clip: h against z(m(p)), each pair its own class, for both views. */
static status contrast_pairs(trainer *t, step_result *r)
{
    status st = OK;
    generated *q = &t->q;
    const model *m = t->m;
    MPI_Comm comm = t->g->comm;
    int64_t d = m->dim, n = t->in.n_global;
    compound_vectors(t);
    l2_forward((int)t->in.n, m->dim, q->mp, t->b, t->b_norm);
    gather(t, t->b, 1, d, MPI_FLOAT, t->all_b);
    for (int view = 0; view < 2; view++) {
        double share = 0;
        float *h = t->h + view * t->in.n * d, *dh = t->dh + view * t->in.n * d;
        gather(t, h, 1, d, MPI_FLOAT, t->all_a);
        TRY_ALL(comm, clip_rows(t->all_a, t->all_b, n, d, t->t, t->in.first, t->in.n, t->dots, t->log_sum, &share));
        gather(t, t->log_sum, 1, 1, MPI_DOUBLE, t->all_log);
        gather(t, t->log_sum + t->in.n, 1, 1, MPI_DOUBLE, t->all_log + n);
        MPI_Allreduce(MPI_IN_PLACE, &share, 1, MPI_DOUBLE, MPI_SUM, comm);
        r->contrast += share / 2;
        TRY_ALL(comm,
                clip_grad(t->all_a, t->all_b, n, d, t->t, t->in.first, t->in.n, t->dots, t->all_log, t->all_log + n, 0.5, t->tmp, t->db));
        add_to(dh, t->tmp, t->in.n * d);
        add_to(q->d_mp, t->db, t->in.n * d);
    }
    l2_backward((int)t->in.n, m->dim, t->b, t->b_norm, q->d_mp, q->d_mp);
    mlp_backward(&m->params, &m->compound, (int)t->in.n, q->vec, q->m_inside, q->d_mp, q->d_inside, NULL);
done:
    return st;
}

static status all_terms(trainer *t, step_result *r)
{
    status st = OK;
    const model *m = t->m;
    if (t->in.method == METHOD_CLIP) {
        TRY(contrast_pairs(t, r));
    } else {
        TRY(contrast_pictures(t, r));
        if (t->in.method == METHOD_MICON) {
            compound_vectors(t);
            for (int view = 0; view < 2; view++) TRY(contrast_generated(t, view, r));
            mlp_backward(&m->params, &m->compound, (int)t->in.n, t->q.vec, t->q.m_inside, t->q.d_mp, t->q.d_inside, NULL);
        }
    }
    if (m->aux_classes && t->eval_only) {
        r->aux = aux_eval(&m->params, &m->aux, (int)t->in.rows, t->h, t->in.label + t->in.slots * t->in.first, t->aux_work);
        r->aux *= t->g->cfg.train.aux_weight / (double)t->in.all_rows;
        MPI_Allreduce(MPI_IN_PLACE, &r->aux, 1, MPI_DOUBLE, MPI_SUM, t->g->comm);
    } else if (m->aux_classes) {
        const int32_t *mine = t->in.label + t->in.slots * t->in.first;
        aux_loss(&m->params, &m->aux, (int)t->in.rows, t->h, mine, t->g->cfg.train.aux_weight, allreduce_norm, t->allreduce, &r->aux,
                 t->tmp, t->aux_work);
        add_to(t->dh, t->tmp, t->in.rows * m->dim);
    }
    r->loss = r->contrast + r->generated + r->aux;
done:
    return st;
}

status trainer_loss_all(trainer *t, const sampler_item *pair, const float *h, double *loss)
{
    status st = OK;
    step_result r = {0};
    batch_label(&t->in, pair);
    memcpy(t->h, h, (size_t)(t->in.rows * t->m->dim) * sizeof *h);
    memset(t->dh, 0, (size_t)(t->in.rows * t->m->dim) * sizeof *t->dh);
    t->eval_only = true;
    st = all_terms(t, &r);
    t->eval_only = false;
    *loss = r.loss;
    return st;
}

status trainer_gradients_all(trainer *t, int64_t step, step_result *r)
{
    status st = OK;
    const model *m = t->m;
    MPI_Comm comm = t->g->comm;
    double from = clock_s();
    *r = (step_result){0};
    TRY_ALL(comm, fault("a step"));
    allreduce_begin(t->allreduce);
    t->gather_s = 0, t->gather_bytes = 0;
    params_clear_grad((nn_params *)&m->params);
    TRY_ALL(comm, batch_next(&t->in, step, &r->wait_s));
    for (int64_t i = 0; i < t->in.n_global; i++) r->fell_back += t->in.pair[i].fell_back;
    TRY_ALL(comm, batch_forward(&t->in, t->net, t->h)); /* a row's channels are consecutive pictures */
    l2_forward((int)t->in.rows, m->dim, t->h, t->h, t->h_norm);
    memset(t->dh, 0, (size_t)(t->in.rows * m->dim) * sizeof *t->dh);
    TRY(all_terms(t, r));
    allreduce_ready(t->allreduce, t->heads_first, m->params.n_trained - t->heads_first);
    l2_backward((int)t->in.rows, m->dim, t->h, t->h_norm, t->dh, t->dh);
    TRY_ALL(comm, resnet_backward(t->net, t->dh));
    allreduce_finish_all(t->allreduce);
    r->comm_s = allreduce_seconds(t->allreduce) + t->gather_s;
    double flight = allreduce_flight_seconds(t->allreduce), total = clock_s() - from;
    r->hidden_s = flight > allreduce_finish_seconds(t->allreduce) ? flight - allreduce_finish_seconds(t->allreduce) : 0;
    r->bytes = allreduce_bytes(t->allreduce) + t->gather_bytes;
    r->compute_s = total - r->wait_s - r->comm_s;
done:
    return st;
}
