/* nn_model.h -- a small model for tests of whole nets: a resnet of five channels, l2, a projector, the contrastive loss. */
#ifndef TEST_NN_MODEL_H
#define TEST_NN_MODEL_H
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/nn/heads.h"
#include "micon/nn/loss.h"
#include "micon/nn/resnet.h"
#include "tap.h"

#include <stdlib.h>

enum { ITEMS = 16, ROWS = 4 * ITEMS, CHANNELS = 5, D = 1000, P = 512, KEEP = 512, SEED = 1 };

typedef struct {
    nn_params p;
    dnn *d;
    resnet *net;
    mlp projector;
    conv_choices own, *choices; /* choices: &measured, &by_rule, or &own */
    int32_t label[ROWS];
    float *x, *features, *h, *norm_h, *inside, *g, *u, *norm_u, *dots, *d_u, *d_inside, *d_h;
    double log_sum[ROWS], loss;
    int64_t positives[ROWS];
} model;

/* For all models, so that no convolution is chosen twice. Measured for the network that is trained by default, elsewhere by rule: the same
 * shapes take half the time. */
static conv_choices measured, by_rule = {.by_rule = true};

static inline void pictures(model *m, int size)
{
    size_t area = (size_t)size * (size_t)size;
    for (int r = 0; r < ROWS; r++) {
        int item = r % ITEMS;
        m->label[r] = r / ITEMS % 2 == 0 ? 1 + item % 6 : 0;
        for (int c = 0; c < CHANNELS; c++) {
            rng a = rng_at(2, STREAM_SAMPLE, (uint32_t)m->label[r], (uint64_t)c), b = rng_at(3, STREAM_SAMPLE, (uint32_t)r, (uint64_t)c);
            double fy = rng_uniform(&a), fx = rng_uniform(&a), phase = rng_uniform(&a);
            float *x = m->x + (size_t)(r * CHANNELS + c) * area;
            for (int i = 0; i < size; i++)
                for (int j = 0; j < size; j++) *x++ = (float)(sin(fy * i + fx * j + 6 * phase) + 0.5 * rng_normal(&b));
        }
    }
}

/* The last batch norm of each block at 0.2, so that the blocks' sums stay tame. */
static inline void quiet_blocks(nn_params *p, int depth)
{
    for (size_t i = 0; i < p->n; i++)
        if (strstr(p->item[i].name, "layer") && strstr(p->item[i].name, depth >= 50 ? ".bn3.weight" : ".bn2.weight"))
            params_fill(p, i, 0.2f);
}

static inline status model_create(model *m, int depth, int size, nn_type type, int freeze, int64_t memory)
{
    status st = OK;
    resnet_config c = {.depth = depth, .n = ROWS * CHANNELS, .size = size, .out = D / CHANNELS, .type = type, .training = true};
    c.freeze = freeze, c.memory = memory;
    *m = (model){.choices = depth == 18 && size == 96 ? &measured : &by_rule};
    TRY(dnn_create(&m->d));
    TRY(resnet_register(&m->p, "encoder.", depth, c.out, freeze));
    m->projector = mlp_register(&m->p, "projector", D, D, P);
    TRY(params_allocate(&m->p, true));
    resnet_init(&m->p, "encoder.", SEED);
    mlp_init(&m->p, &m->projector, SEED);
    quiet_blocks(&m->p, depth);
    TRY(resnet_create(&m->net, m->d, &c, &m->p, "encoder.", m->choices));
    size_t pixels = (size_t)c.n * (size_t)size * (size_t)size;
    float **part[] = {&m->x, &m->features, &m->h,    &m->norm_h, &m->inside,   &m->g,
                      &m->u, &m->norm_u,   &m->dots, &m->d_u,    &m->d_inside, &m->d_h};
    size_t count[] = {pixels, ROWS * D, ROWS * D, ROWS, ROWS * D, ROWS * P, ROWS * P, ROWS, ROWS * ROWS, ROWS * P, ROWS * D, ROWS * D};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) TRY(mem_alloc(part[i], count[i], sizeof(float), "test"));
    pictures(m, size);
done:
    return st;
}

static inline void model_free(model *m)
{
    resnet_destroy(&m->net);
    dnn_destroy(&m->d);
    params_free(&m->p);
    conv_choices_free(&m->own);
    float *part[] = {m->x, m->features, m->h, m->norm_h, m->inside, m->g, m->u, m->norm_u, m->dots, m->d_u, m->d_inside, m->d_h};
    for (size_t i = 0; i < sizeof part / sizeof *part; i++) free(part[i]);
}

static inline status model_step(model *m)
{
    status st = OK;
    const double t = 0.1;
    params_clear_grad(&m->p, 0);
    TRY(resnet_forward(m->net, m->x, m->features));
    l2_forward(ROWS, D, m->features, m->h, m->norm_h);
    mlp_forward(&m->p, &m->projector, ROWS, m->h, m->inside, m->g);
    l2_forward(ROWS, P, m->g, m->u, m->norm_u);
    const loss_rows rows = {.u = m->u, .label = m->label, .n = ROWS, .d = P, .t = t, .n_mine = ROWS};
    TRY(supcon_rows(&rows, m->dots, m->positives, m->log_sum, &m->loss));
    TRY(supcon_grad(&rows, m->dots, m->positives, m->log_sum, 1, m->d_u));
    l2_backward(ROWS, P, m->u, m->norm_u, m->d_u, m->d_u);
    mlp_backward(&m->p, &m->projector, ROWS, m->h, m->inside, m->d_u, m->d_inside, m->d_h);
    l2_backward(ROWS, D, m->h, m->norm_h, m->d_h, m->d_h);
    TRY(resnet_backward(m->net, m->d_h));
done:
    return st;
}

/* Error of the kept values of a tensor, relative to the reference's length, and the cosine. */
static inline void compare(const float *got, size_t count, const float *want, double *error, double *cosine)
{
    size_t k = count < KEEP ? count : KEEP;
    double d = 0, a = 0, b = 0, ab = 0;
    for (size_t j = 0; j < k; j++) {
        double g = got[j * count / k], w = want[j];
        d += (g - w) * (g - w), a += g * g, b += w * w, ab += g * w;
    }
    *error = sqrt(d) / (sqrt(b) + 1e-300);
    *cosine = ab / (sqrt(a) * sqrt(b) + 1e-300);
}

static inline bool same_gradients(const model *a, const model *b)
{
    return memcmp(a->p.grad, b->p.grad, a->p.n_trained * sizeof(float)) == 0;
}

/* The model's net anew, by primitives read from text. */
static inline status net_anew(model *m, int size, const char *lines, nn_type type, int64_t memory)
{
    status st = OK;
    resnet_config c = {
        .depth = 18, .n = ROWS * CHANNELS, .size = size, .out = D / CHANNELS, .type = type, .training = true, .memory = memory};
    resnet_destroy(&m->net);
    TRY(conv_choices_read(&m->own, lines, "lines"));
    m->choices = &m->own;
    TRY(resnet_create(&m->net, m->d, &c, &m->p, "encoder.", m->choices));
    ok(m->own.measured == 0, "choices read from text are not measured again");
done:
    return st;
}

static inline int model_tests_done(status st)
{
    conv_choices_free(&measured);
    conv_choices_free(&by_rule);
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}

#endif
