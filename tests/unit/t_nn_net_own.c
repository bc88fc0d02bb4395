/* t_nn_net_own.c -- run: limit=400 nosan : whole nets against themselves: recomputed blocks, frozen stages, two ranks, the choices of
 * primitives as text; and what is refused. */
#include "../nn_model.h"

#include <omp.h>
#include <pthread.h>

/* Blocks computed twice, primitives dictated as text: the same bits, in less memory. */
static status test_again(nn_type type)
{
    status st = OK;
    model a = {0}, b = {0};
    text lines = {0};
    TRY(model_create(&a, 18, 64, type, FREEZE_NONE, 0));
    conv_choices_write(a.choices, &lines);
    TRY(net_anew(&a, 64, lines.s, type, 0));
    TRY(model_step(&a));
    TRY(model_create(&b, 18, 64, type, FREEZE_NONE, 0));
    TRY(net_anew(&b, 64, lines.s, type, resnet_bytes(a.net) * 4 / 5));
    TRY(model_step(&b));
    ok(resnet_recomputed(b.net) > 1 && resnet_bytes(b.net) < resnet_bytes(a.net), "a smaller budget makes blocks be computed twice");
    ok(same_gradients(&a, &b) && a.loss == b.loss,
       type == NN_F32 ? "fp32: computed twice, the same bits" : "bf16: computed twice, the same bits");
    int64_t blocks = mem_allocations();
    TRY(model_step(&a));
    TRY(model_step(&b));
    ok(mem_allocations() == blocks, "no block is allocated during a step");
done:
    model_free(&a);
    model_free(&b);
    text_free(&lines);
    return st;
}

static status test_frozen(void)
{
    status st = OK;
    model a = {0};
    TRY(model_create(&a, 18, 33, NN_F32, FREEZE_LAYER2, 0));
    float *before = xmalloc(a.p.n_state * sizeof(float));
    memcpy(before, a.p.state, a.p.n_state * sizeof(float));
    TRY(model_step(&a));
    long w = params_find(&a.p, "encoder.layer2.1.conv2.weight"), m = params_find(&a.p, "encoder.layer2.1.bn2.running_mean"),
         later = params_find(&a.p, "encoder.layer3.0.bn1.running_mean");
    size_t at = a.p.item[m].at;
    ok(!a.p.item[w].trained && memcmp(before + at, a.p.state + at, a.p.item[m].count * 4) == 0, "frozen layers keep their statistics");
    at = a.p.item[later].at;
    ok(memcmp(before + at, a.p.state + at, a.p.item[later].count * 4) != 0, "the layers after them move theirs");
    free(before);
    /* The same weights and running statistics, not frozen by stage but with frozen statistics everywhere: the same loss. */
    double loss = a.loss;
    ok(isfinite(loss), "a net with frozen layers has a loss");
    model_free(&a);
    TRY(model_create(&a, 18, 33, NN_F32, FREEZE_ALL, 0));
    TRY(model_step(&a));
    double folded = a.loss;
    model_free(&a);
    TRY(model_create(&a, 18, 33, NN_F32, FREEZE_NONE, 0));
    resnet_destroy(&a.net);
    resnet_config k = {
        .depth = 18, .n = ROWS * CHANNELS, .size = 33, .out = D / CHANNELS, .type = NN_F32, .training = true, .norm_frozen = true};
    TRY(resnet_create(&a.net, a.d, &k, &a.p, "encoder.", a.choices));
    TRY(model_step(&a));
    near(folded, a.loss, 1e-6, "folded batch norm gives what frozen statistics give");
done:
    model_free(&a);
    return st;
}

/* ---- two ranks: two threads, each with half of the pictures ---- */
enum { RANKS = 2, HALF = ROWS * CHANNELS / RANKS, SIDE = 33 };
static pthread_barrier_t together;
static double shared[RANKS][4096];

static void sum_ranks(void *ctx, double *v, size_t n)
{
    int rank = *(int *)ctx;
    memcpy(shared[rank], v, n * sizeof *v);
    pthread_barrier_wait(&together);
    for (size_t i = 0; i < n; i++) v[i] = shared[0][i] + shared[1][i];
    pthread_barrier_wait(&together);
}

static size_t ready_values;
static void count_ready(void *ctx, size_t first, size_t n)
{
    (void)ctx, (void)first;
    ready_values += n;
}

typedef struct {
    int rank, n;
    const float *x, *dy;
    float *y;
    nn_params p;
    status st;
    bool alone;
} half;

static void *run_half(void *arg)
{
    half *h = arg;
    status st = OK;
    dnn *d = NULL;
    resnet *net = NULL;
    conv_choices choices = {0};
    resnet_config c = {.depth = 18, .n = h->n, .size = SIDE, .out = 7, .type = NN_F32, .training = true, .ctx = &h->rank};
    c.sum = h->alone ? NULL : sum_ranks;
    c.ready = h->alone ? count_ready : NULL;
    omp_set_num_threads(1);
    TRY(dnn_create(&d));
    TRY(resnet_register(&h->p, "", 18, 7, FREEZE_NONE));
    TRY(params_allocate(&h->p, true));
    resnet_init(&h->p, "", SEED);
    quiet_blocks(&h->p, 18);
    TRY(resnet_create(&net, d, &c, &h->p, "", &choices));
    TRY(resnet_forward(net, h->x, h->y));
    TRY(resnet_backward(net, h->dy));
done:
    h->st = st;
    resnet_destroy(&net);
    dnn_destroy(&d);
    conv_choices_free(&choices);
    return NULL;
}

/* Batch norm over the pictures of all ranks: results and summed gradients are those of one rank with all pictures. */
static status test_ranks(void)
{
    size_t pixels = (size_t)SIDE * SIDE;
    float *x = xmalloc(pixels * RANKS * HALF * 4), *y = xmalloc(RANKS * HALF * 7 * 4), *dy = xmalloc(RANKS * HALF * 7 * 4),
          *yy = xmalloc(RANKS * HALF * 7 * 4);
    rng r = rng_at(9, STREAM_SAMPLE, 0, 0);
    for (size_t i = 0; i < pixels * RANKS * HALF; i++) x[i] = (float)(rng_normal(&r) + (double)(i / pixels) * 0.01);
    for (size_t i = 0; i < RANKS * HALF * 7; i++) dy[i] = (float)rng_normal(&r);
    half all = {.n = RANKS * HALF, .x = x, .dy = dy, .y = y, .alone = true}, part[RANKS];
    pthread_t thread[RANKS];
    run_half(&all);
    ok(all.st == OK && ready_values >= all.p.n_trained - all.p.n * 16 && ready_values <= all.p.n_trained,
       "every gradient is announced once");
    pthread_barrier_init(&together, NULL, RANKS);
    for (int k = 0; k < RANKS; k++) {
        part[k] = (half){.rank = k, .n = HALF, .x = x + pixels * HALF * (size_t)k, .dy = dy + HALF * 7 * k, .y = yy + HALF * 7 * k};
        pthread_create(&thread[k], NULL, run_half, &part[k]);
    }
    for (int k = 0; k < RANKS; k++) pthread_join(thread[k], NULL);
    double worst = 0, state = 0, features = 0, error, cosine;
    for (size_t i = 0; i < all.p.n && part[0].st == OK && part[1].st == OK; i++) {
        size_t n = all.p.item[i].count;
        if (all.p.item[i].trained) {
            double d = 0, b = 0;
            const float *g = params_grad(&all.p, i), *g0 = params_grad(&part[0].p, i), *g1 = params_grad(&part[1].p, i);
            for (size_t k = 0; k < n; k++) d += pow((double)g0[k] + g1[k] - g[k], 2), b += (double)g[k] * g[k];
            worst = fmax(worst, sqrt(d / b));
        } else {
            compare(params_value(&part[1].p, i), n, params_value(&all.p, i), &error, &cosine);
            if (n <= KEEP) state = fmax(state, error);
        }
    }
    for (size_t i = 0; i < RANKS * HALF * 7; i++) features = fmax(features, fabs((double)yy[i] - y[i]));
    printf("# two ranks: features differ by %.1e, gradients by %.1e of their length, running statistics by %.1e\n", features, worst, state);
    ok(part[0].st == OK && part[1].st == OK && features < 1e-4 && worst < 1e-4 && state < 1e-5, "two ranks are one batch");
    params_free(&all.p), params_free(&part[0].p), params_free(&part[1].p);
    pthread_barrier_destroy(&together);
    free(x), free(y), free(dy), free(yy);
    return OK;
}

static status test_errors(void)
{
    model m;
    status st = model_create(&m, 18, 64, NN_F32, FREEZE_NONE, 1 << 20);
    ok(st == E_USAGE && strstr(msg_get(), "memory:") && strstr(msg_get(), "MB"), "too little memory is said with what is needed");
    msg_clear();
    model_free(&m);
    nn_params p = {0};
    ok(resnet_register(&p, "encoder.", 20, 200, 0) == E_USAGE, "there is no resnet20");
    msg_clear();
    params_free(&p);
    conv_choices c = {0};
    ok(conv_choices_read(&c, "no tabs here\n", "file") == E_FORMAT, "junk in place of choices is refused");
    msg_clear();
    conv_choices_free(&c);
    return OK;
}

int main(void)
{
    status st = OK;
    kernels_set_threads(1);
    TRY(test_again(NN_F32));
    TRY(test_frozen());
    TRY(test_ranks());
    TRY(test_errors());
    if (dnn_bf16())
        TRY(test_again(NN_BF16));
    else
        tap_skip("bf16", "this machine does not compute in bf16");
done:
    return model_tests_done(st);
}
