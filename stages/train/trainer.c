/* trainer.c -- one step: the rows of this rank's items (batch.c) through the network, the losses over the rows of all ranks
 * (method_losses.c), and the backward pass. */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct trainer {
    stage *g;
    model *m;
    step_batch in;
    resnet *net;
    shared_params memory;
    allreduce *allreduce;
    losses *losses;
    size_t heads_first;       /* trained values from here on belong to heads */
    float *h, *h_norm, *dh;   /* [rows, dim], [rows], [rows, dim] */
    size_t *shared, n_shared; /* norm: local: tensors whose mean over the ranks is taken */
    float *shared_values;     /* their values */
};

/* ---- making one ---- */

static status alloc_buffers(trainer *t)
{
    status st = OK;
    size_t rows = (size_t)t->in.rows, dim = (size_t)t->m->dim;
    TRY(mem_alloc(&t->h, rows * dim, sizeof *t->h, "a training step"));
    TRY(mem_alloc(&t->h_norm, rows, sizeof *t->h_norm, "a training step"));
    TRY(mem_alloc(&t->dh, rows * dim, sizeof *t->dh, "a training step"));
done:
    return st;
}

static status make_net_all(trainer *t, net_kit *kit)
{
    const train_options *o = &t->g->cfg.train;
    int64_t memory = o->memory;
    if (memory < 0) { /* auto: what the node has, the same on all ranks; recomputing changes no bit */
        memory = (int64_t)(0.8 * tile_cache_memory_left(t->in.d));
        MPI_Allreduce(MPI_IN_PLACE, &memory, 1, MPI_INT64_T, MPI_MIN, t->g->comm);
    }
    resnet_config c = {.part = t->in.two_parts ? RESNET_BACK : RESNET_WHOLE,
                       .depth = t->m->depth,
                       .n = (int)t->in.rows * (int)t->m->channels.n,
                       .size = t->m->size_px,
                       .out = model_out(t->m),
                       .type = kit->type,
                       .training = true,
                       .freeze = o->freeze,
                       .norm_frozen = o->norm == NORM_FROZEN,
                       .memory = memory,
                       .sum = o->norm == NORM_SYNC ? allreduce_norm : NULL,
                       .ready = allreduce_ready,
                       .ctx = t->allreduce};
    char *folder = shared_nets_folder(&t->g->cfg);
    status st = shared_nets_create_all(t->g->comm, &t->net, kit->dn, &c, &t->m->params, &kit->choices, folder);
    free(folder);
    return st;
}

/* Running statistics of a layer that is trained. The rest of p->state is frozen and must stay bitwise equal on all ranks. */
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

status trainer_create_all(trainer **out, stage *g, model *m, dataset *d, pair_sampler *it, const vectors *v, net_kit *kit, int64_t first)
{
    status st = OK;
    trainer *t = xcalloc(1, sizeof *t);
    *out = t;
    *t = (trainer){.g = g, .m = m, .memory = {.window = MPI_WIN_NULL, .node = MPI_COMM_NULL}};
    TRY(batch_create_all(&t->in, g, m, d, it, kit, first));
    t->heads_first = m->params.n_trained;
    for (size_t i = m->params.n; i-- > 0;)
        if (m->params.item[i].trained && strncmp(m->params.item[i].name, MODEL_PREFIX, strlen(MODEL_PREFIX)) != 0)
            t->heads_first = m->params.item[i].at;
    TRY_ALL(g->comm, alloc_buffers(t));
    TRY_ALL(g->comm, list_shared(t));
    shared_params_create_all(&t->memory, g->comm, &m->params);
    t->allreduce = allreduce_create_all(g->comm, &m->params, &t->memory);
    TRY_ALL(g->comm, losses_create(&t->losses, g, m, &t->in, v, t->allreduce));
    TRY(make_net_all(t, kit));
done:
    return st;
}

void trainer_destroy(trainer **pt)
{
    trainer *t = *pt;
    if (!t) return;
    *pt = NULL;
    batch_free(&t->in);
    resnet_destroy(&t->net);
    allreduce_destroy(&t->allreduce);
    losses_destroy(&t->losses);
    shared_params_free_all(&t->memory, &t->m->params);
    free(t->h);
    free(t->h_norm);
    free(t->dh);
    free(t->shared);
    free(t->shared_values);
    free(t);
}

double trainer_norm_all(trainer *t)
{
    const shared_params *s = &t->memory;
    double squares = grad_squares(&t->m->params, s->mine), norm;
    if (s->window != MPI_WIN_NULL) MPI_Allreduce(MPI_IN_PLACE, &squares, 1, MPI_DOUBLE, MPI_SUM, s->node);
    norm = sqrt(squares);
    MPI_Bcast(&norm, 1, MPI_DOUBLE, 0, t->g->comm); /* nodes with other numbers of ranks add in another order */
    return norm;
}

void trainer_update_all(trainer *t, int64_t step, double lr, double scale)
{
    adamw_step(&t->m->params, t->memory.mine, step, lr, t->g->cfg.train.weight_decay, scale);
    shared_params_wait_all(&t->memory);
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

/* ---- a step ---- */

status trainer_loss_all(trainer *t, const sampler_item *pair, const float *h, double *loss)
{
    status st = OK;
    step_result r = {0};
    batch_label(&t->in, pair);
    memcpy(t->h, h, (size_t)(t->in.rows * t->m->dim) * sizeof *h);
    st = losses_all(t->losses, t->h, t->dh, true, &r);
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
    params_clear_grad((nn_params *)&m->params, t->heads_first);
    TRY_ALL(comm, batch_next(&t->in, step, &r->wait_s));
    for (int64_t i = 0; i < t->in.n_global; i++) r->fell_back += t->in.pair[i].fell_back;
    TRY_ALL(comm, batch_forward(&t->in, t->net, t->h)); /* a row's channels are consecutive pictures */
    l2_forward((int)t->in.rows, m->dim, t->h, t->h, t->h_norm);
    TRY(losses_all(t->losses, t->h, t->dh, false, r));
    allreduce_ready(t->allreduce, t->heads_first, m->params.n_trained - t->heads_first);
    l2_backward((int)t->in.rows, m->dim, t->h, t->h_norm, t->dh, t->dh);
    TRY_ALL(comm, resnet_backward(t->net, t->dh));
    allreduce_finish_all(t->allreduce);
    r->comm_s += allreduce_seconds(t->allreduce);
    double flight = allreduce_flight_seconds(t->allreduce), total = clock_s() - from;
    r->hidden_s = flight > allreduce_finish_seconds(t->allreduce) ? flight - allreduce_finish_seconds(t->allreduce) : 0;
    r->bytes += allreduce_bytes(t->allreduce);
    r->compute_s = total - r->wait_s - r->comm_s;
done:
    return st;
}
