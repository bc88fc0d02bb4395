/* prefetch.c -- one thread prepares blocks while the caller works on earlier ones. */
#include "micon/base/prefetch.h"

#include "micon/base/clock.h"
#include "micon/base/mem.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct prefetch {
    prefetch_fill fill;
    void *ctx;
    int64_t first, n;
    int n_blocks;
    char *blocks;
    size_t stride; /* bytes between blocks */
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t change;
    int64_t made, given, taken; /* number of blocks: ready; handed out; released by the caller */
    bool stop;
    status st;
    char message[4096];
};

static void *block_of(const prefetch *a, int64_t i)
{
    return a->blocks + (size_t)(i % a->n_blocks) * a->stride;
}

static void *run_ahead(void *arg)
{
    prefetch *a = arg;
    for (int64_t i = 0; i < a->n; i++) {
        pthread_mutex_lock(&a->lock);
        while (!a->stop && i - a->taken >= a->n_blocks) pthread_cond_wait(&a->change, &a->lock);
        bool stop = a->stop;
        pthread_mutex_unlock(&a->lock);
        if (stop) break;
        status st = a->fill(a->ctx, a->first + i, block_of(a, i));
        pthread_mutex_lock(&a->lock);
        a->made = i + 1;
        a->st = st;
        if (st != OK) msg_take(a->message, sizeof a->message);
        pthread_cond_broadcast(&a->change);
        pthread_mutex_unlock(&a->lock);
        if (st != OK) break;
    }
    return NULL;
}

status prefetch_start(prefetch **out, int n_blocks, size_t block_bytes, int64_t first, int64_t n, prefetch_fill fill, void *ctx)
{
    status st = OK;
    prefetch *a = xcalloc(1, sizeof *a);
    *a = (prefetch){.fill = fill, .ctx = ctx, .first = first, .n = n, .n_blocks = n_blocks, .stride = (block_bytes + 63) / 64 * 64};
    pthread_mutex_init(&a->lock, NULL);
    pthread_cond_init(&a->change, NULL);
    *out = a;
    TRY(mem_alloc(&a->blocks, (size_t)n_blocks, a->stride, "reading ahead"));
    if (pthread_create(&a->thread, NULL, run_ahead, a) != 0) TRY(fail(E_NOMEM, "cannot start the prefetch thread"));
    a->started = true;
done:
    if (st != OK) prefetch_stop(out);
    return st;
}

status prefetch_next(prefetch *a, void **block, double *wait_s)
{
    double from = clock_s();
    pthread_mutex_lock(&a->lock);
    a->taken = a->given; /* the caller has finished with the previous block */
    int64_t i = a->given;
    pthread_cond_broadcast(&a->change);
    while (a->made <= i && a->st == OK) pthread_cond_wait(&a->change, &a->lock);
    a->given = i + 1;
    bool bad = a->st != OK && a->made <= i + 1;
    pthread_mutex_unlock(&a->lock);
    *wait_s += clock_s() - from;
    if (bad) {
        msg_set(a->message);
        return a->st;
    }
    *block = block_of(a, i);
    return OK;
}

void prefetch_stop(prefetch **pa)
{
    prefetch *a = *pa;
    if (!a) return;
    *pa = NULL;
    if (a->started) {
        pthread_mutex_lock(&a->lock);
        a->stop = true;
        pthread_cond_broadcast(&a->change);
        pthread_mutex_unlock(&a->lock);
        pthread_join(a->thread, NULL);
    }
    free(a->blocks);
    pthread_mutex_destroy(&a->lock);
    pthread_cond_destroy(&a->change);
    free(a);
}
