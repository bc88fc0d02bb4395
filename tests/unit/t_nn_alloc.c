/* t_nn_alloc.c -- run: limit=60 nosan : what a step of a net asks malloc for, counted for the whole process (this file's malloc stands in
 * the place of the C library's): our own code nothing, libraries no block of a page or more, and what they take they give back. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/nn/heads.h"
#include "micon/nn/optimizer.h"
#include "micon/nn/resnet.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);

enum { LARGE = 4096 };
static atomic_long taken, given, large;

static void count(size_t size)
{
    atomic_fetch_add(&taken, 1);
    if (size >= LARGE) atomic_fetch_add(&large, 1);
}

void *malloc(size_t size)
{
    count(size);
    return __libc_malloc(size);
}

void *calloc(size_t n, size_t size)
{
    count(n * size);
    return __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    count(size);
    if (p) atomic_fetch_add(&given, 1);
    return __libc_realloc(p, size);
}

void *memalign(size_t align, size_t size)
{
    count(size);
    return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
    return memalign(align, size);
}

int posix_memalign(void **out, size_t align, size_t size)
{
    *out = memalign(align, size);
    return *out ? 0 : ENOMEM;
}

void free(void *p)
{
    if (p) atomic_fetch_add(&given, 1);
    __libc_free(p);
}

enum { N = 20, SIZE = 64, OUT = 8 };

/* The bytes of the net. The choices are kept from net to net: measured anew, another primitive may want another scratch. */
static int64_t try_net(nn_type type, int64_t memory, conv_choices *choices, const char *what)
{
    status st = OK;
    dnn *d = NULL;
    resnet *net = NULL;
    nn_params p = {0};
    float *x = NULL, *y = NULL;
    long t0 = 0, g0 = 0, l0 = 0;
    int64_t own = 0, bytes = 0;
    resnet_config c = {.depth = 18, .n = N, .size = SIZE, .out = OUT, .type = type, .training = true, .memory = memory};
    TRY(dnn_create(&d));
    TRY(resnet_register(&p, "encoder.", c.depth, OUT, FREEZE_NONE));
    TRY(params_allocate(&p, true));
    resnet_init(&p, "encoder.", 1);
    TRY(resnet_create(&net, d, &c, &p, "encoder.", choices));
    bytes = resnet_bytes(net);
    ok((resnet_recomputed(net) > 0) == (memory > 0), "blocks are computed twice where memory is short");
    TRY(mem_alloc(&x, N * SIZE * SIZE, sizeof *x, "test"));
    TRY(mem_alloc(&y, N * OUT, sizeof *y, "test"));
    for (int i = 0; i < N * SIZE * SIZE; i++) x[i] = (float)(i * 7919 % 1000) * 1e-3f;
    for (int step = 1; step <= 4; step++) {
        if (step == 2) t0 = atomic_load(&taken), g0 = atomic_load(&given), l0 = atomic_load(&large), own = mem_allocations();
        resnet_weights_changed(net);
        params_clear_grad(&p, 0);
        TRY(resnet_forward(net, x, y));
        TRY(resnet_backward(net, y));
        adamw_step(&p, params_all(&p), step, 1e-3, 0.01, clip_scale(sqrt(grad_squares(&p, params_all(&p))), 1));
    }
    long took = atomic_load(&taken) - t0, gave = atomic_load(&given) - g0, big = atomic_load(&large) - l0;
    printf("# %s: three steps: %ld blocks taken, %ld given back, %ld of a page or more\n", what, took, gave, big);
    ok(mem_allocations() == own, "our own code asks for nothing in a step");
    ok(big == 0, "nobody asks for a block of a page or more");
    ok(took == gave, "what is taken is given back");
done:
    ok(st == OK, st == OK ? what : msg_get());
    msg_clear();
    resnet_destroy(&net);
    dnn_destroy(&d);
    params_free(&p);
    free(x);
    free(y);
    return bytes;
}

int main(void)
{
    long before = atomic_load(&taken);
    free(xmalloc(10));
    ok(atomic_load(&taken) == before + 1 && mem_allocations() == 1, "the counters count");
    kernels_set_threads(1);
    conv_choices choices = {0};
    int64_t bytes = try_net(NN_F32, 0, &choices, "fp32");
    try_net(NN_F32, bytes - 1, &choices, "fp32, blocks computed twice");
    try_net(NN_BF16, 0, &choices, "bf16");
    conv_choices_free(&choices);
    return tap_done();
}
