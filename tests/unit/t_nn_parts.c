/* t_nn_parts.c -- run: limit=120 nosan : a net compiled as a frozen front and a back, against the whole one: the same bits, forward and
 * backward; a front's outputs do not depend on what else is in the pass. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/nn/resnet.h"

#include <stdlib.h>

enum { N = 10, SIZE = 48, OUT = 7, PIXELS = SIZE * SIZE };

typedef struct {
    dnn *d;
    nn_params p;
    conv_choices choices;
    float *x, *dy, *y[2], *grad, *state;
    resnet *whole, *front, *back;
    char *between;
} nets;

static status make(nets *t, int depth, int freeze, nn_type type)
{
    status st = OK;
    resnet_config c = {.depth = depth, .n = N, .size = SIZE, .out = OUT, .type = type, .training = true, .freeze = freeze};
    TRY(dnn_create(&t->d));
    TRY(resnet_register(&t->p, "encoder.", depth, OUT, freeze));
    TRY(params_allocate(&t->p, true));
    resnet_init(&t->p, "encoder.", 3);
    rng r = rng_at(4, STREAM_SAMPLE, 0, 0);
    for (size_t i = 0; i < t->p.n_state; i++) t->p.state[i] += (float)(0.3 * rng_uniform(&r)); /* a frozen net's statistics say something */
    TRY(resnet_create(&t->whole, t->d, &c, &t->p, "encoder.", &t->choices));
    c.part = RESNET_BACK;
    TRY(resnet_create(&t->back, t->d, &c, &t->p, "encoder.", &t->choices));
    c.part = RESNET_FRONT, c.training = false;
    TRY(resnet_create(&t->front, t->d, &c, &t->p, "encoder.", &t->choices));
    TRY(mem_alloc(&t->x, N * PIXELS, sizeof *t->x, "test"));
    TRY(mem_alloc(&t->dy, N * OUT, sizeof *t->dy, "test"));
    for (int i = 0; i < 2; i++) TRY(mem_alloc(&t->y[i], N * OUT, sizeof *t->y[i], "test"));
    TRY(mem_alloc(&t->grad, t->p.n_trained, sizeof *t->grad, "test"));
    TRY(mem_alloc(&t->state, t->p.n_state, sizeof *t->state, "test"));
    TRY(mem_alloc(&t->between, N, resnet_split(t->front), "test"));
    for (size_t i = 0; i < N * PIXELS; i++) t->x[i] = (float)(2 * rng_uniform(&r) - 1);
    for (size_t i = 0; i < N * OUT; i++) t->dy[i] = (float)(2 * rng_uniform(&r) - 1);
done:
    return st;
}

static void free_nets(nets *t)
{
    void *all[] = {t->x, t->dy, t->y[0], t->y[1], t->grad, t->state, t->between};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
    resnet_destroy(&t->whole);
    resnet_destroy(&t->front);
    resnet_destroy(&t->back);
    params_free(&t->p);
    conv_choices_free(&t->choices);
    dnn_destroy(&t->d);
}

/* The statistics of frozen layers, those of others left out. */
static bool frozen_state_same(const nets *t, const float *before, int freeze)
{
    static const char *const begins[] = {"encoder.bn1", "encoder.layer1", "encoder.layer2", "encoder.layer3", "encoder.layer4"};
    for (size_t i = 0; i < t->p.n; i++) {
        const nn_param *q = &t->p.item[i];
        if (q->trained || !strstr(q->name, "running_")) continue;
        for (int k = 0; k < freeze; k++)
            if (strncmp(q->name, begins[k], strlen(begins[k])) == 0 &&
                memcmp(params_value(&t->p, i), before + q->at, q->count * sizeof(float)) != 0)
                return false;
    }
    return true;
}

static status compare(nets *t, int freeze, const char *name)
{
    status st = OK;
    char what[120];
    size_t state = t->p.n_state * sizeof(float), grad = t->p.n_trained * sizeof(float), one = resnet_split(t->front);
    memcpy(t->state, t->p.state, state);
    TRY(resnet_forward(t->whole, t->x, t->y[0]));
    memset(t->p.grad, 0, grad);
    TRY(resnet_backward(t->whole, t->dy));
    memcpy(t->grad, t->p.grad, grad);
    snprintf(what, sizeof what, "%s: frozen statistics stay", name);
    ok(frozen_state_same(t, t->state, freeze), what);
    memcpy(t->p.state, t->state, state);
    memset(t->p.grad, 0, grad);
    TRY(resnet_forward_front(t->front, t->x, t->between));
    TRY(resnet_forward_back(t->back, t->between, t->y[1]));
    TRY(resnet_backward(t->back, t->dy));
    snprintf(what, sizeof what, "%s: front and back give the features of the whole net", name);
    ok(memcmp(t->y[0], t->y[1], N * OUT * sizeof(float)) == 0, what);
    snprintf(what, sizeof what, "%s: and its gradients", name);
    ok(memcmp(t->grad, t->p.grad, grad) == 0, what);
    /* Another order, and other company. */
    char *again;
    float *x;
    int bad = 0;
    TRY(mem_alloc(&again, N, one, "test"));
    TRY(mem_alloc(&x, N * PIXELS, sizeof *x, "test"));
    for (size_t i = 0; i < N; i++) memcpy(x + i * PIXELS, t->x + (i < 5 ? (i * 3 + 1) % N : 0) * PIXELS, PIXELS * sizeof *x);
    TRY(resnet_forward_front(t->front, x, again));
    for (size_t i = 0; i < 5; i++) bad += memcmp(again + i * one, t->between + (i * 3 + 1) % N * one, one) != 0;
    snprintf(what, sizeof what, "%s: a picture's outputs are its own", name);
    ok(bad == 0, what);
    free(again);
    free(x);
done:
    return st;
}

static void try_one(int depth, int freeze, nn_type type, const char *name)
{
    nets t = {0};
    status st = make(&t, depth, freeze, type);
    if (st == OK) st = compare(&t, freeze, name);
    if (st == OK) ok(resnet_split(t.front) == resnet_split_bytes(depth, SIZE, freeze, type), "its outputs are as large as foretold");
    ok(st == OK, st == OK ? name : msg_get());
    msg_clear();
    free_nets(&t);
}

int main(void)
{
    try_one(18, FREEZE_STEM, NN_F32, "resnet18, stem");
    try_one(18, FREEZE_LAYER2, NN_F32, "resnet18, layer2");
    try_one(18, FREEZE_ALL, NN_F32, "resnet18, all");
    try_one(18, FREEZE_LAYER3, NN_BF16, "resnet18, layer3, bf16");
    try_one(50, FREEZE_LAYER1, NN_F32, "resnet50, layer1");
    return tap_done();
}
