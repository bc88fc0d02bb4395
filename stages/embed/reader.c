/* reader.c -- one thread reads the next pass of tiles while the present one is computed. While a reader is open nobody else in the
 * process calls HDF5 (store.h). */
#include "embed.h"

#include "micon/clock.h"
#include "micon/mem.h"

#include <pthread.h>
#include <stdlib.h>

struct reader {
    store_file *file;
    int64_t n_tiles, first, n; /* tiles in the file; passes */
    int pass;
    uint8_t *block[2];
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t change;
    int64_t read, taken; /* passes that are ready so far; passes that the caller has let go */
    int64_t given;       /* passes handed out */
    bool stop;
    status st;
    char message[1000];
};

static int tiles_of(const reader *r, int64_t pass)
{
    int64_t at = pass * r->pass, left = r->n_tiles - at;
    return (int)(left < r->pass ? left : r->pass);
}

static void *read_ahead(void *arg)
{
    reader *r = arg;
    for (int64_t k = 0; k < r->n; k++) {
        pthread_mutex_lock(&r->lock);
        while (!r->stop && k - r->taken >= 2) pthread_cond_wait(&r->change, &r->lock);
        bool stop = r->stop;
        pthread_mutex_unlock(&r->lock);
        if (stop) break;
        status st = store_read_rows(r->file, "tiles", STORE_U8, (r->first + k) * r->pass, tiles_of(r, r->first + k), r->block[k % 2]);
        pthread_mutex_lock(&r->lock);
        r->read = k + 1;
        r->st = st;
        if (st != OK) msg_take(r->message, sizeof r->message);
        pthread_cond_broadcast(&r->change);
        pthread_mutex_unlock(&r->lock);
        if (st != OK) break;
    }
    return NULL;
}

status reader_start(reader **out, const char *path, int64_t n_tiles, size_t tile_bytes, int pass, int64_t first, int64_t n)
{
    status st = OK;
    reader *r = xcalloc(1, sizeof *r);
    *r = (reader){.n_tiles = n_tiles, .first = first, .n = n, .pass = pass};
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->change, NULL);
    *out = r;
    TRY(store_open(&r->file, path, "tiles", TILE_FORMAT));
    for (int i = 0; i < 2; i++) TRY(mem_alloc(&r->block[i], (size_t)pass, tile_bytes, "tiles"));
    if (pthread_create(&r->thread, NULL, read_ahead, r) != 0) TRY(fail(E_NOMEM, "%s: no thread to read with", path));
    r->started = true;
done:
    if (st != OK) reader_stop(out);
    return st;
}

status reader_next(reader *r, const uint8_t **tiles, int *n, double *wait_s)
{
    double from = clock_s();
    pthread_mutex_lock(&r->lock);
    r->taken = r->given; /* what was handed out before is done with */
    int64_t k = r->given;
    pthread_cond_broadcast(&r->change);
    while (r->read <= k) pthread_cond_wait(&r->change, &r->lock);
    r->given = k + 1;
    bool bad = r->st != OK && r->read == k + 1;
    pthread_mutex_unlock(&r->lock);
    *wait_s += clock_s() - from;
    if (bad) {
        msg_set(r->message);
        return r->st;
    }
    *tiles = r->block[k % 2];
    *n = tiles_of(r, r->first + k);
    return OK;
}

void reader_stop(reader **pr)
{
    reader *r = *pr;
    if (!r) return;
    *pr = NULL;
    if (r->started) {
        pthread_mutex_lock(&r->lock);
        r->stop = true;
        pthread_cond_broadcast(&r->change);
        pthread_mutex_unlock(&r->lock);
        pthread_join(r->thread, NULL);
    }
    store_close(&r->file);
    free(r->block[0]);
    free(r->block[1]);
    pthread_mutex_destroy(&r->lock);
    pthread_cond_destroy(&r->change);
    free(r);
}
