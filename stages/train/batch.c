/* batch.c -- what a step's network is given: the items of the step, their tiles, pictures made of them; or, where the first layers are
 * frozen and the augmentation is none, the outputs of those layers (frozen_cache.c).
 *
 * An item has `slots` pictures (times channels): treated and control of view 1, treated and control of view 2; simclr two copies of
 * a tile; clip the two treated ones. A rank's rows are [slot][item]; the rows of all ranks are concatenated in rank order. */
#include "train.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_SLOTS = 4 };

int64_t batch_tiles(const stage *g)
{
    const train_options *o = &g->cfg.train;
    return method_slots(&method_table[o->method]) * ((o->batch + g->size - 1) / g->size);
}

/* ---- items ---- */

void batch_items(const step_batch *in, pair_sampler *it, int64_t k, sampler_item *pair)
{
    for (int64_t i = 0; i < in->n_global; i++) {
        int64_t number = k * in->n_global + i;
        if (in->method->items == ITEMS_TILES) {
            int64_t one = pair_sampler_simclr(it, number);
            pair[i] = (sampler_item){.treated = {one, one}, .compound = (int32_t)i}; /* every tile its own label */
        } else {
            pair[i] = in->method->items == ITEMS_COMPOUNDS ? pair_sampler_clip(it, number)
                                                           : pair_sampler_item(it, number, (sampler_positives)in->positives);
        }
    }
}

void batch_rows(const step_batch *in, const sampler_item *pair, int rank, int64_t *tile)
{
    int64_t first, n;
    partition(in->n_global, in->g->size, rank, &first, &n);
    for (int s = 0; s < in->slots; s++)
        for (int64_t i = 0; i < n; i++) {
            const sampler_item *p = &pair[first + i];
            int view = in->slots == 4 ? s / 2 : s;
            *tile++ = in->slots == 4 && s % 2 == 1 ? p->control[view] : p->treated[view];
        }
}

void batch_label(step_batch *in, const sampler_item *pair)
{
    int32_t *label = in->label, *two = in->two_label;
    in->pair = pair;
    for (int r = 0; r < in->g->size; r++) {
        int64_t first, n;
        partition(in->n_global, in->g->size, r, &first, &n);
        for (int s = 0; s < in->slots; s++)
            for (int64_t i = 0; i < n; i++) *label++ = in->slots == 4 && s % 2 == 1 ? 0 : pair[first + i].compound;
        for (int s = 0; s < 2; s++)
            for (int64_t i = 0; i < n; i++) *two++ = pair[first + i].compound;
    }
}

/* Stored with a step's tiles: all its items, and the tile of each row of this rank. */
static int64_t *note_rows(const step_batch *in, void *note)
{
    return (int64_t *)(void *)((char *)note + (size_t)in->n_global * sizeof(sampler_item));
}

/* Items of step k, and the tiles whose pixels it needs. Where tiles are read ahead, the reading thread calls this: it uses in->it, which
 * nobody else does, and constants. */
static int64_t list_step(void *ctx, int64_t k, void *note, int64_t *tile)
{
    const step_batch *in = ctx;
    int64_t *row = note_rows(in, note), n = 0;
    batch_items(in, in->it, k, note);
    batch_rows(in, note, in->g->rank, row);
    for (int64_t i = 0; i < in->rows; i++) {
        int64_t seen = 0;
        if (in->frozen && frozen_cache_find(in->frozen, row[i])) continue;
        while (in->frozen && seen < n && tile[seen] != row[i]) seen++; /* the frozen layers run once per tile */
        if (!in->frozen || seen == n) tile[n++] = row[i];
    }
    return n;
}

/* ---- pictures, or outputs of the frozen layers ---- */

static void fill_pictures(step_batch *in, int64_t step, const uint8_t *const *at)
{
    const model *m = in->m;
    size_t pixels = m->channels.n * (size_t)m->size_px * (size_t)m->size_px;
    for (int s = 0; s < in->slots; s++)
        for (int64_t i = 0; i < in->n; i++)
            augment_tile(&in->augment, at[s * in->n + i], (uint32_t)step, (uint64_t)((in->first + i) * MAX_SLOTS + s),
                         in->pictures + (size_t)(s * in->n + i) * pixels, in->work);
}

static status fill_between(step_batch *in, void *note, const int64_t *tile, const uint8_t *const *at, int64_t n)
{
    status st = OK;
    const int64_t *row = note_rows(in, note);
    size_t size = frozen_cache_bytes(in->frozen);
    TRY(frozen_cache_compute(in->frozen, at, n, in->fresh));
    for (int64_t i = 0; i < in->rows; i++) {
        const void *from = frozen_cache_find(in->frozen, row[i]);
        int64_t k = 0;
        while (!from && tile[k] != row[i]) k++;
        memcpy(in->between + (size_t)i * size, from ? from : in->fresh + (size_t)k * size, size);
    }
done:
    return st;
}

status batch_next(step_batch *in, int64_t step, double *wait_s)
{
    status st = OK;
    void *note;
    const int64_t *tile;
    const uint8_t *const *at;
    int64_t n;
    TRY(tile_loader_next(in->loader, &note, &tile, &at, &n, wait_s));
    batch_label(in, note);
    if (in->frozen)
        TRY(fill_between(in, note, tile, at, n));
    else
        fill_pictures(in, step, at);
done:
    return st;
}

status batch_forward(step_batch *in, resnet *net, float *features)
{
    return in->frozen ? resnet_forward_back(net, in->between, features) : resnet_forward(net, in->pictures, features);
}

void batch_pause(step_batch *in)
{
    if (tile_cache_is_partial(in->d)) tile_loader_stop(&in->loader);
}

status batch_resume(step_batch *in, int64_t step)
{
    if (in->loader) return OK;
    size_t note = (size_t)in->n_global * sizeof(sampler_item) + (size_t)in->rows * sizeof(int64_t);
    return tile_loader_start(&in->loader, in->d, in->rows, note, step, in->g->cfg.train.steps - step, list_step, in);
}

/* ---- making one ---- */

/* Training tiles that the steps from `first` on need: listed where the steps are few, else all. */
static status mark_tiles(const step_batch *in, int64_t first, char *wanted)
{
    status st = OK;
    int64_t steps = in->g->cfg.train.steps - first;
    sampler_item *pair = NULL;
    int64_t *tile = NULL;
    if (steps * in->n_global > 2 * in->d->n_train) {
        for (int64_t i = 0; i < in->d->n; i++) wanted[i] = in->d->train[i].compound >= 0;
        goto done;
    }
    TRY(mem_alloc(&pair, (size_t)in->n_global, sizeof *pair, "items"));
    TRY(mem_alloc(&tile, (size_t)in->all_rows, sizeof *tile, "items"));
    for (int64_t k = first; k < first + steps; k++) {
        batch_items(in, in->it, k, pair);
        for (int r = 0; r < in->g->size; r++) {
            batch_rows(in, pair, r, tile);
            int64_t from, n;
            partition(in->n_global, in->g->size, r, &from, &n);
            for (int64_t i = 0; i < in->slots * n; i++) wanted[tile[i]] = 1;
        }
    }
done:
    free(pair);
    free(tile);
    return st;
}

static status make_frozen_cache_all(step_batch *in, net_kit *kit, int64_t first)
{
    status st = OK;
    MPI_Comm comm = in->g->comm;
    char *wanted = NULL;
    TRY_ALL(comm, mem_alloc(&wanted, (size_t)in->d->n, 1, "tiles"));
    TRY_ALL(comm, mark_tiles(in, first, wanted));
    TRY(frozen_cache_create_all(&in->frozen, in->g, in->m, in->d, kit, wanted));
    size_t size = frozen_cache_bytes(in->frozen);
    TRY_ALL(comm, mem_alloc(&in->between, (size_t)in->rows, size, "outputs of the frozen layers"));
    TRY_ALL(comm, mem_alloc(&in->fresh, (size_t)in->rows, size, "outputs of the frozen layers"));
done:
    free(wanted);
    return st;
}

static status alloc_buffers(step_batch *in)
{
    status st = OK;
    const model *m = in->m;
    size_t pixels = m->channels.n * (size_t)m->size_px * (size_t)m->size_px;
    TRY(mem_alloc(&in->label, (size_t)in->all_rows, sizeof *in->label, "labels"));
    TRY(mem_alloc(&in->two_label, 2 * (size_t)in->n_global, sizeof *in->two_label, "labels"));
    if (in->two_parts) goto done;
    TRY(mem_alloc(&in->pictures, (size_t)in->rows * pixels, sizeof *in->pictures, "pictures"));
    TRY(mem_alloc(&in->work, pixels, sizeof *in->work, "pictures"));
done:
    return st;
}

status batch_create_all(step_batch *in, stage *g, const model *m, const dataset *d, pair_sampler *it, net_kit *kit, int64_t first)
{
    status st = OK;
    const train_options *o = &g->cfg.train;
    *in = (step_batch){.g = g, .m = m, .d = d, .it = it, .method = &method_table[o->method], .positives = o->positives};
    in->slots = method_slots(in->method);
    in->augment = model_augmenter(m, method_augment(o), (uint32_t)o->seed);
    in->two_parts = o->freeze != FREEZE_NONE && in->augment.kind == AUGMENT_NONE;
    in->n_global = o->batch;
    int64_t most = pair_sampler_epoch(it, in->method->items);
    if (in->method->items == ITEMS_COMPOUNDS && most < in->n_global) { /* one item per compound */
        in->n_global = most;
        log_info("%s: a step has %lld items, one per compound", method_name(o->method), (long long)in->n_global);
    }
    partition(in->n_global, g->size, g->rank, &in->first, &in->n);
    in->rows = in->slots * in->n;
    in->all_rows = in->slots * in->n_global;
    TRY_ALL(g->comm, alloc_buffers(in));
    if (in->two_parts) TRY(make_frozen_cache_all(in, kit, first));
    TRY_ALL(g->comm, batch_resume(in, first));
done:
    return st;
}

void batch_free(step_batch *in)
{
    tile_loader_stop(&in->loader);
    frozen_cache_free_all(&in->frozen);
    free(in->label);
    free(in->two_label);
    free(in->pictures);
    free(in->work);
    free(in->between);
    free(in->fresh);
}
