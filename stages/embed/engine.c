/* engine.c -- tiles to representations: the inference net, the length 1, the projection head. */
#include "embed.h"

#include "micon/comm.h"
#include "micon/log.h"
#include "micon/mem.h"
#include "micon/path.h"

#include <stdlib.h>
#include <string.h>

enum { PICTURES_A_PASS = 80, MAX_CHOICES = 1 << 20 };

/* Rank 0: the kept choices; a file that is damaged is measured anew. */
static void recall_choices(conv_choices *c, const char *file)
{
    char *lines = NULL;
    size_t size = 0;
    if (path_exists(file) && path_read(file, &lines, &size, MAX_CHOICES) == OK && conv_choices_read(c, lines, file) != OK) {
        log_warn("%s; measuring anew", msg_get());
        conv_choices_free(c);
        *c = (conv_choices){0};
    }
    msg_clear();
    free(lines);
}

static status keep_choices(const conv_choices *c, const char *file)
{
    status st = OK;
    text t = {0};
    char *dir = path_dir(file);
    if (c->measured > 0) {
        conv_choices_write(c, &t);
        TRY(path_make_dirs(dir));
        TRY(path_write(file, text_str(&t), t.n));
        log_info("measured %d convolutions; what was the fastest is kept in %s", c->measured, file);
    }
done:
    free(dir);
    text_free(&t);
    return st;
}

/* Rank 0's choices to all. */
static status share_choices_all(stage *g, conv_choices *c)
{
    status st = OK;
    text t = {0};
    char *lines = NULL;
    size_t size = 0;
    if (g->rank == 0) {
        conv_choices_write(c, &t);
        lines = t.s;
        size = t.n;
    }
    TRY(comm_bcast_all(g->comm, 0, &lines, &size));
    if (g->rank != 0) {
        st = conv_choices_read(c, lines, "choices of rank 0");
        free(lines);
    }
    TRY_ALL(g->comm, st);
done:
    text_free(&t);
    return st;
}

status engine_create_all(engine *e, stage *g, const model *m, nn_type type, int tiles_per_site, const char *choices_file)
{
    status st = OK;
    conv_choices choices = {0};
    int channels = (int)m->channels.n, sites = PICTURES_A_PASS / (channels * tiles_per_site);
    e->m = m;
    e->type = type;
    e->n_tiles = (sites > 0 ? sites : 1) * tiles_per_site; /* whole sites */
    const resnet_config c = {
        .depth = m->depth, .n = e->n_tiles * channels, .size = m->size_px, .out = model_out(m), .type = type, .training = false};
    nn_params *p = (nn_params *)&m->params; /* a net that does not train leaves them alone */
    size_t tile = (size_t)channels * (size_t)m->size_px * (size_t)m->size_px;
    TRY_ALL(g->comm, dnn_create(&e->d));
    if (g->rank == 0) {
        recall_choices(&choices, choices_file);
        st = resnet_create(&e->net, e->d, &c, p, MODEL_PREFIX, &choices);
        if (st == OK) st = keep_choices(&choices, choices_file);
    }
    TRY_ALL(g->comm, st);
    TRY(share_choices_all(g, &choices));
    TRY_ALL(g->comm, g->rank != 0 ? resnet_create(&e->net, e->d, &c, p, MODEL_PREFIX, &choices) : OK);
    TRY_ALL(g->comm, mem_alloc(&e->pictures, (size_t)e->n_tiles * tile, sizeof *e->pictures, "pictures"));
    TRY_ALL(g->comm, mem_alloc(&e->inside, (size_t)e->n_tiles * (size_t)m->dim, sizeof *e->inside, "projection"));
    e->norm = xcalloc((size_t)e->n_tiles, sizeof *e->norm);
    e->levels = xcalloc((size_t)channels, sizeof *e->levels);
    model_levels(m, e->levels);
done:
    conv_choices_free(&choices);
    return st;
}

void engine_free(engine *e)
{
    resnet_destroy(&e->net);
    dnn_destroy(&e->d);
    free(e->pictures);
    free(e->inside);
    free(e->norm);
    free(e->levels);
    *e = (engine){0};
}

/* Bytes to network values, [n_tiles, channels, size, size]; what is beyond n tiles is zeros. */
static void fill_pictures(engine *e, const uint8_t *tiles, int n)
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

status engine_run(engine *e, const uint8_t *tiles, int n, float *h, float *u)
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
