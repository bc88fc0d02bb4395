/* inference.c -- tiles to representations: the network, scaling to length 1, the projection head. */
#include "embed.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/stage/shared_nets.h"

#include <stdlib.h>
#include <string.h>

enum { PASS_PICTURES = 80 };

status inference_create_all(inference *e, stage *g, const model *m, nn_type type, int tiles_per_site)
{
    status st = OK;
    conv_choices choices = {0};
    int channels = (int)m->channels.n;
    e->m = m;
    e->type = type;
    e->sites = PASS_PICTURES / (channels * tiles_per_site);
    if (e->sites < 1) e->sites = 1;
    e->n_tiles = e->sites * tiles_per_site;
    const resnet_config c = {
        .depth = m->depth, .n = e->n_tiles * channels, .size = m->size_px, .out = model_out(m), .type = type, .training = false};
    char *folder = shared_nets_folder(&g->cfg);
    nn_params *p = (nn_params *)&m->params; /* a network that does not train does not change them */
    size_t tile = (size_t)channels * (size_t)m->size_px * (size_t)m->size_px;
    TRY_ALL(g->comm, dnn_create(&e->d));
    TRY(shared_nets_create_all(g->comm, &e->net, e->d, &c, p, &choices, folder));
    TRY_ALL(g->comm, mem_alloc(&e->pictures, (size_t)e->n_tiles * tile, sizeof *e->pictures, "pictures"));
    TRY_ALL(g->comm, mem_alloc(&e->inside, (size_t)e->n_tiles * (size_t)m->dim, sizeof *e->inside, "projection"));
    e->norm = xcalloc((size_t)e->n_tiles, sizeof *e->norm);
    e->levels = xcalloc((size_t)channels, sizeof *e->levels);
    model_levels(m, e->levels);
done:
    conv_choices_free(&choices);
    free(folder);
    return st;
}

void inference_free(inference *e)
{
    resnet_destroy(&e->net);
    dnn_destroy(&e->d);
    free(e->pictures);
    free(e->inside);
    free(e->norm);
    free(e->levels);
    *e = (inference){0};
}

/* Bytes to network values, [n_tiles, channels, size, size]; zeros beyond n tiles. */
static void fill_pictures(inference *e, const uint8_t *tiles, int n)
{
    int channels = (int)e->m->channels.n;
    int64_t plane = (int64_t)e->m->size_px * e->m->size_px, planes = (int64_t)n * channels;
    for (int64_t p = 0; p < planes; p++) {
        const float *level = e->levels[p % channels];
        const uint8_t *from = tiles + p * plane;
        float *to = e->pictures + p * plane;
        for (int64_t i = 0; i < plane; i++) to[i] = level[from[i]];
    }
    memset(e->pictures + planes * plane, 0, (size_t)(((int64_t)e->n_tiles * channels - planes) * plane) * sizeof *e->pictures);
}

status inference_run(inference *e, const uint8_t *tiles, int n, float *h, float *u)
{
    status st = OK;
    const model *m = e->m;
    size_t d = (size_t)m->dim, p = (size_t)m->projection;
    float *all_h = NULL, *all_u = NULL;
    TRY(mem_alloc(&all_h, (size_t)e->n_tiles * d, sizeof *all_h, "representations"));
    TRY(mem_alloc(&all_u, (size_t)e->n_tiles * p, sizeof *all_u, "projections"));
    fill_pictures(e, tiles, n);
    /* A tile's channels are consecutive pictures, so that the rows of its pictures are one row of h. */
    TRY(resnet_forward(e->net, e->pictures, all_h));
    l2_forward(e->n_tiles, m->dim, all_h, all_h, e->norm);
    memcpy(h, all_h, (size_t)n * d * sizeof *h);
    if (u) {
        mlp_forward(&m->params, &m->projector, e->n_tiles, all_h, e->inside, all_u);
        l2_forward(e->n_tiles, m->projection, all_u, all_u, e->norm);
        memcpy(u, all_u, (size_t)n * p * sizeof *u);
    }
done:
    free(all_h);
    free(all_u);
    return st;
}
