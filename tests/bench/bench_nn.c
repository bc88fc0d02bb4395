/* bench_nn.c -- passes of the encoder: bench_nn train|infer DEPTH PICTURES SIZE fp32|bf16 THREADS [STEPS [MEMORY_MB]]
 * Prints the table per layer to stderr and one line "seconds S processor P conv C other O alone A bytes B" to stdout:
 * S and P of the best step, the others means; A: the same convolutions at the rate each has alone. */
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/rng.h"
#include "micon/nn/resnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Processor time of the process over its threads: on a busy machine the steadier figure, exact with one thread. */
static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int number(const char *s)
{
    int64_t v;
    return num_i64(s, &v) && v > 0 && v < 1 << 20 ? (int)v : 0;
}

static status run(const resnet_config *c, int steps)
{
    status st = OK;
    dnn *d = NULL;
    resnet *net = NULL;
    nn_params p = {0};
    conv_choices choices = {0};
    text table = {0};
    float *x = NULL, *y = NULL;
    size_t n_x = (size_t)c->n * (size_t)c->size * (size_t)c->size, n_y = (size_t)c->n * (size_t)c->out;
    double best = 1e30, best_cpu = 1e30;
    TRY(mem_alloc(&x, n_x, sizeof *x, "pictures"));
    TRY(mem_alloc(&y, n_y, sizeof *y, "features"));
    rng r = rng_at(1, STREAM_INIT, 1000, 0);
    for (size_t i = 0; i < n_x; i++) x[i] = (float)(2 * rng_uniform(&r) - 1);
    TRY(dnn_create(&d));
    TRY(resnet_register(&p, "encoder.", c->depth, c->out, FREEZE_NONE));
    TRY(params_allocate(&p, c->training));
    resnet_init(&p, "encoder.", 1);
    double t0 = now_s();
    TRY(resnet_create(&net, d, c, &p, "encoder.", &choices));
    fprintf(stderr, "created in %.1f s, %d choices measured, %.0f MB, %d blocks computed twice\n", now_s() - t0, choices.measured,
            (double)resnet_bytes(net) * 1e-6, resnet_recomputed(net));
    for (int i = 0; i <= steps; i++) {
        if (i == 1) resnet_profile_reset(net);
        t0 = now_s();
        double c0 = cpu_s();
        if (c->training) resnet_weights_changed(net);
        TRY(resnet_forward(net, x, y));
        for (size_t k = 0; k < n_y; k++) y[k] *= 1e-3f;
        if (c->training) TRY(resnet_backward(net, y));
        double took = now_s() - t0;
        double used = cpu_s() - c0;
        if (i > 0 && took < best) best = took;
        if (i > 0 && used < best_cpu) best_cpu = used;
    }
    resnet_profile(net, 0, &table);
    fputs(text_str(&table), stderr);
    printf("seconds %.4f processor %.4f conv %.4f other %.4f alone %.4f bytes %lld\n", best, best_cpu, resnet_seconds_conv(net) / steps,
           resnet_seconds_other(net) / steps, resnet_seconds_alone(net) / steps, (long long)resnet_bytes(net));
done:
    resnet_destroy(&net);
    dnn_destroy(&d);
    params_free(&p);
    conv_choices_free(&choices);
    text_free(&table);
    free(x);
    free(y);
    return st;
}

int main(int argc, char **argv)
{
    if (argc < 7) {
        fprintf(stderr, "usage: bench_nn train|infer DEPTH PICTURES SIZE fp32|bf16 THREADS [STEPS [MEMORY_MB]]\n");
        return 2;
    }
    resnet_config c = {.depth = number(argv[2]), .n = number(argv[3]), .size = number(argv[4]), .out = 200};
    c.training = strcmp(argv[1], "train") == 0;
    c.type = strcmp(argv[5], "bf16") == 0 ? NN_BF16 : NN_F32;
    if (argc > 8) c.memory = (int64_t)number(argv[8]) << 20;
    kernels_set_threads(number(argv[6]) ? number(argv[6]) : 1);
    status st = run(&c, argc > 7 && number(argv[7]) ? number(argv[7]) : 3);
    if (st != OK) log_error("bench_nn", msg_get());
    return status_exit(st);
}
