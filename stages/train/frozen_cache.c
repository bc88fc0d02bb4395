/* frozen_cache.c -- outputs of the frozen first layers under train.augment none, where a tile always gives the same. They are computed once
 * for as many tiles as fit train.cache_memory, shared by the ranks of a node, and at every step for the others; by the same network in
 * the same passes, so that the memory changes no bit. */
#include "train.h"

#include "micon/base/clock.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct frozen_cache {
    const model *m;
    const dataset *d;
    resnet *net;
    size_t bytes;  /* a tile's outputs */
    int64_t *slot; /* [tiles of the screen]: among the kept ones, or -1 */
    int64_t n_kept;
    char *kept; /* [n_kept] of `bytes`, shared by the ranks of a node */
    MPI_Win window;
    float *pictures, *work;
    char *out; /* of a pass */
};

size_t frozen_cache_bytes(const frozen_cache *f)
{
    return f->bytes;
}

const void *frozen_cache_find(const frozen_cache *f, int64_t tile)
{
    return f->slot[tile] < 0 ? NULL : f->kept + (size_t)f->slot[tile] * f->bytes;
}

status frozen_cache_compute(frozen_cache *f, const uint8_t *const *at, int64_t n, char *out)
{
    status st = OK;
    const model *m = f->m;
    size_t pixels = m->channels.n * (size_t)m->size_px * (size_t)m->size_px;
    const augmenter plain = model_augmenter(m, AUGMENT_NONE, 0);
    for (int64_t first = 0; first < n; first += PASS_TILES) {
        int64_t k = n - first < PASS_TILES ? n - first : PASS_TILES;
        for (int64_t i = 0; i < k; i++) augment_tile(&plain, at[first + i], 0, 0, f->pictures + (size_t)i * pixels, f->work);
        TRY(resnet_forward_front(f->net, f->pictures, f->out));
        memcpy(out + (size_t)first * f->bytes, f->out, (size_t)k * f->bytes);
    }
done:
    return st;
}

/* ---- what is kept ---- */

/* Rank 0 of a node: how many of n tiles fit. */
static status how_many(const frozen_cache *f, const stage *g, int64_t n, int64_t *kept)
{
    char a[40], b[40];
    int64_t budget = g->cfg.train.cache_memory;
    double room = tile_cache_memory_left(f->d) * comm_size(f->d->node), shared = memory_budget_shared(comm_size(f->d->node));
    double want = fmin((double)n * (double)f->bytes, memory_budget_cache(budget, room, shared));
    if (want > 0.9 * room)
        return fail(E_USAGE, "train.cache_memory: %s exceed the free memory of this node (%s): lower it, or set auto",
                    num_show_bytes(a, sizeof a, want), num_show_bytes(b, sizeof b, room));
    if (want > shared)
        return fail(
            E_USAGE,
            "train.cache_memory: %s do not fit /dev/shm (%s), which the ranks of a node share: enlarge it, or lower train.cache_memory",
            num_show_bytes(a, sizeof a, want), num_show_bytes(b, sizeof b, shared));
    *kept = (int64_t)(want / (double)f->bytes);
    return OK;
}

/* Control tiles come first: they are used more often. */
static status give_slots_all(frozen_cache *f, stage *g, const char *wanted)
{
    status st = OK;
    const dataset *d = f->d;
    int64_t n = 0, controls = 0, kept = 0;
    TRY_ALL(g->comm, mem_alloc(&f->slot, (size_t)d->n, sizeof *f->slot, "tiles"));
    for (int64_t i = 0; i < d->n; i++) {
        f->slot[i] = -1;
        n += wanted[i] != 0;
        controls += wanted[i] && d->train[i].compound == 0;
    }
    TRY_ALL(g->comm, comm_rank(d->node) == 0 ? how_many(f, g, n, &kept) : OK);
    MPI_Bcast(&kept, 1, MPI_INT64_T, 0, d->node);
    int64_t left[2] = {controls < kept ? controls : kept, kept - (controls < kept ? controls : kept)};
    for (int64_t i = 0; i < d->n; i++)
        if (wanted[i] && left[d->train[i].compound != 0]-- > 0) f->slot[i] = f->n_kept++;
done:
    return st;
}

/* This rank's share of the kept tiles, in the order of the files. */
static status fill_share(frozen_cache *f)
{
    status st = OK;
    const dataset *d = f->d;
    int64_t first, n, got, listed = 0, *mine = NULL;
    double wait_s = 0;
    tile_loader *in = NULL;
    partition(f->n_kept, comm_size(d->node), comm_rank(d->node), &first, &n);
    TRY(mem_alloc(&mine, (size_t)n, sizeof *mine, "tiles"));
    for (int64_t i = 0; i < d->n; i++)
        if (f->slot[i] >= first && f->slot[i] < first + n) mine[listed++] = i;
    TRY(tile_loader_start_tiles(&in, d, mine, n));
    for (int64_t k = 0; k < n; k += got) {
        void *note;
        const int64_t *tile;
        const uint8_t *const *at;
        TRY(tile_loader_next(in, &note, &tile, &at, &got, &wait_s));
        TRY(frozen_cache_compute(f, at, got, f->kept + (size_t)f->slot[tile[0]] * f->bytes)); /* slots follow the order of the tiles */
    }
done:
    tile_loader_stop(&in);
    free(mine);
    return st;
}

static status keep_all(frozen_cache *f, stage *g)
{
    status st = OK;
    MPI_Comm node = f->d->node;
    MPI_Aint size;
    int unit;
    void *base;
    double from = clock_s();
    if (f->n_kept > 0) {
        MPI_Win_allocate_shared(comm_rank(node) == 0 ? (MPI_Aint)((size_t)f->n_kept * f->bytes) : 0, 1, MPI_INFO_NULL, node, &base,
                                &f->window);
        MPI_Win_shared_query(f->window, 0, &size, &unit, &base);
        f->kept = base;
    }
    TRY_ALL(g->comm, f->n_kept > 0 ? fill_share(f) : OK);
    if (f->n_kept > 0) MPI_Win_fence(0, f->window);
    MPI_Barrier(node);
    log_info("frozen layers: outputs of %lld tiles cached (%.1f GB) in %.1f s; the others are computed at every step", (long long)f->n_kept,
             (double)f->n_kept * (double)f->bytes / 1e9, clock_s() - from);
done:
    return st;
}

status frozen_cache_create_all(frozen_cache **out, stage *g, const model *m, const dataset *d, net_kit *kit, const char *wanted)
{
    status st = OK;
    frozen_cache *f = xcalloc(1, sizeof *f);
    char *folder = shared_nets_folder(&g->cfg);
    *out = f;
    *f = (frozen_cache){.m = m, .d = d, .window = MPI_WIN_NULL};
    size_t pixels = m->channels.n * (size_t)m->size_px * (size_t)m->size_px;
    const resnet_config c = {.part = RESNET_FRONT,
                             .depth = m->depth,
                             .n = PASS_TILES * (int)m->channels.n,
                             .size = m->size_px,
                             .out = model_out(m),
                             .type = kit->type,
                             .freeze = g->cfg.train.freeze};
    TRY(shared_nets_create_all(g->comm, &f->net, kit->dn, &c, (nn_params *)&m->params, &kit->choices,
                               folder)); /* a net that does not train leaves them alone */
    f->bytes = m->channels.n * resnet_split(f->net);
    TRY_ALL(g->comm, mem_alloc(&f->pictures, PASS_TILES * pixels, sizeof *f->pictures, "pictures"));
    TRY_ALL(g->comm, mem_alloc(&f->work, pixels, sizeof *f->work, "pictures"));
    TRY_ALL(g->comm, mem_alloc(&f->out, PASS_TILES, f->bytes, "outputs of the frozen layers"));
    TRY(give_slots_all(f, g, wanted));
    TRY(keep_all(f, g));
done:
    free(folder);
    return st;
}

void frozen_cache_free_all(frozen_cache **pf)
{
    frozen_cache *f = *pf;
    if (!f) return;
    *pf = NULL;
    if (f->window != MPI_WIN_NULL) MPI_Win_free(&f->window);
    resnet_destroy(&f->net);
    free(f->slot);
    free(f->pictures);
    free(f->work);
    free(f->out);
    free(f);
}
