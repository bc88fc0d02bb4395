/* tile_cache.c -- where the tiles are: a node keeps one copy in memory that its ranks share, of all tiles where they fit train.tiles_memory
 * and else of as many as do; the others are read each time they are needed, ahead of the computation (tile_loader.c).
 *
 * The set of tiles in memory is fixed. An epoch uses every treated tile about equally often, in a new order, so no replacement rule would
 * have more hits; control tiles are fewer, are used more often, and come first. */
#include "train.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"
#include "micon/base/num.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_TILES = 64, OPEN_FILES = 64 };

size_t dataset_tile_bytes(const dataset *d)
{
    return (size_t)d->channels * (size_t)d->size_px * (size_t)d->size_px;
}

bool tile_cache_is_partial(const dataset *d)
{
    return d->n_kept < d->n_wanted;
}

const uint8_t *tile_cache_find(const dataset *d, int64_t tile)
{
    return d->place[tile].slot < 0 ? NULL : d->tiles + (size_t)d->place[tile].slot * dataset_tile_bytes(d);
}

/* ---- reading ---- */

struct tile_files {
    const dataset *d;
    store_file **file;        /* [n_plates] */
    int32_t open[OPEN_FILES]; /* open plates; once all slots are used, the oldest is at `next` */
    int n, next;
};

tile_files *tile_files_create(const dataset *d)
{
    tile_files *f = xcalloc(1, sizeof *f);
    f->d = d;
    f->file = xcalloc((size_t)d->n_plates, sizeof(store_file *));
    return f;
}

void tile_files_destroy(tile_files **pf)
{
    tile_files *f = *pf;
    if (!f) return;
    *pf = NULL;
    for (int i = 0; i < f->n; i++) store_close(&f->file[f->open[i]]);
    free(f->file);
    free(f);
}

static status open_plate(tile_files *f, int32_t p)
{
    if (f->file[p]) return OK;
    status st = store_open(&f->file[p], f->d->paths.item[p], TILES_KIND, TILES_FORMAT);
    if (st != OK) return st;
    if (f->n < OPEN_FILES) {
        f->open[f->n++] = p;
        return OK;
    }
    store_close(&f->file[f->open[f->next]]);
    f->open[f->next] = p;
    f->next = (f->next + 1) % OPEN_FILES;
    return OK;
}

/* HDF5 returns zeros where an open file was truncated, and a plate may be tiled again meanwhile. */
static status check_tiles(const dataset *d, int64_t tile, int64_t n, const uint8_t *bytes)
{
    size_t size = dataset_tile_bytes(d);
    for (int64_t i = 0; d->digest && i < n; i++)
        if ((int64_t)digest_bytes(bytes + (size_t)i * size, size) != d->digest[tile + i])
            return fail(E_FORMAT, "%s: tile %lld has changed since training began: is the file damaged, or was it rewritten?",
                        d->paths.item[d->place[tile].file], (long long)d->place[tile + i].row);
    return OK;
}

status tile_files_read(tile_files *f, int64_t tile, int64_t n, uint8_t *out)
{
    status st = OK;
    const tile_place *at = &f->d->place[tile];
    TRY(open_plate(f, at->file));
    TRY(store_read_rows(f->file[at->file], TILES_DATA, STORE_U8, at->row, n, out));
    TRY(check_tiles(f->d, tile, n, out));
done:
    return st;
}

/* The tiles that are kept, [first, last) of the slots: runs of neighbouring rows of a file are read at once. */
static status read_kept(dataset *d, int64_t first, int64_t last)
{
    status st = OK;
    tile_files *f = tile_files_create(d);
    for (int64_t i = 0; i < d->n;) {
        const tile_place *at = &d->place[i];
        int64_t n = 1;
        if (at->slot < first || at->slot >= last) {
            i++;
            continue;
        }
        while (n < BLOCK_TILES && i + n < d->n && at[n].file == at->file && at[n].slot == at->slot + n && at->slot + n < last) n++;
        TRY(tile_files_read(f, i, n, d->tiles + (size_t)at->slot * dataset_tile_bytes(d)));
        i += n;
    }
done:
    tile_files_destroy(&f);
    return st;
}

/* ---- how many are kept ---- */

double tile_cache_memory_left(const dataset *d)
{
    return mem_available() / comm_size(d->node);
}

/* Rank 0 of a node: how many of the wanted tiles are kept. ahead: tiles that a rank reads ahead where they are not all kept. */
static status how_many(const dataset *d, int64_t budget, int64_t ahead, int64_t *kept)
{
    char a[40], b[40];
    double tile = (double)dataset_tile_bytes(d), all = (double)d->n_wanted * tile, room = mem_available();
    double shared = memory_budget_shared(comm_size(d->node)), have = memory_budget_tiles(budget, room, shared), window = fmin(all, have);
    double reading = (double)ahead * comm_size(d->node) * tile;
    *kept = d->n_wanted;
    if (window > 0.9 * room)
        return fail(E_USAGE, "train.tiles_memory: %s for training tiles exceed the free memory of this node (%s): lower it, or set auto",
                    num_show_bytes(a, sizeof a, window), num_show_bytes(b, sizeof b, room));
    if (all <= have && all <= shared) return OK;
    if (all > have) window -= reading;
    if (window < 0)
        return fail(E_USAGE,
                    "train.tiles_memory: %s cannot hold the tiles of the next steps (%s on this node): use more memory, a smaller "
                    "train.batch or tile.size, or more nodes",
                    num_show_bytes(a, sizeof a, have), num_show_bytes(b, sizeof b, reading));
    if (window > shared)
        return fail(E_USAGE,
                    "%s of training tiles do not fit /dev/shm (%s), which the ranks of a node share: enlarge it, lower "
                    "train.tiles_memory, or use one rank per node with more threads",
                    num_show_bytes(a, sizeof a, window), num_show_bytes(b, sizeof b, shared));
    *kept = (int64_t)(window / tile);
    return OK;
}

enum { KIND_CONTROL, KIND_TREATED, KIND_VALID, KINDS };

static int kind_of(const dataset *d, int64_t i)
{
    return d->train[i].compound == 0 ? KIND_CONTROL : d->train[i].compound > 0 ? KIND_TREATED : KIND_VALID;
}

/* Slots in the order of the tiles, for `kept` of them: those of the first kinds before the others. */
static void give_slots(dataset *d, int64_t kept)
{
    int64_t left[KINDS] = {0}, slot = 0;
    for (int64_t i = 0; i < d->n; i++)
        if (dataset_wanted(d, i)) left[kind_of(d, i)]++;
    for (int k = 0; k < KINDS; k++) {
        if (left[k] > kept) left[k] = kept;
        kept -= left[k];
    }
    for (int64_t i = 0; i < d->n; i++)
        if (dataset_wanted(d, i) && left[kind_of(d, i)]-- > 0) d->place[i].slot = slot++;
    d->n_kept = slot;
}

static status share_window_all(dataset *d, stage *g)
{
    status st = OK;
    size_t bytes = (size_t)d->n_kept * dataset_tile_bytes(d);
    int64_t first, n;
    int unit;
    MPI_Aint size;
    void *base;
    if (d->n_kept > 0) {
        MPI_Win_allocate_shared(comm_rank(d->node) == 0 ? (MPI_Aint)bytes : 0, 1, MPI_INFO_NULL, d->node, &base, &d->window);
        MPI_Win_shared_query(d->window, 0, &size, &unit, &base);
        d->tiles = base;
    }
    partition(d->n_kept, comm_size(d->node), comm_rank(d->node), &first, &n);
    TRY_ALL(g->comm, read_kept(d, first, first + n));
    if (d->n_kept > 0) MPI_Win_fence(0, d->window);
    MPI_Barrier(d->node);
done:
    return st;
}

/* ---- one pass over every tile ---- */

static void add_pixels(const dataset *d, const uint8_t *v, int64_t *sum)
{
    size_t plane = (size_t)d->size_px * (size_t)d->size_px;
    for (size_t c = 0; c < (size_t)d->channels; c++, v += plane) {
        int64_t s = 0, q = 0;
        for (size_t k = 0; k < plane; k++) s += v[k], q += (int64_t)v[k] * v[k];
        sum[2 * c] += s;
        sum[2 * c + 1] += q;
    }
}

/* Sums over the training tiles of [first, last) of this rank, and digests of those that some node will read again. */
static status scan_tiles(const dataset *d, int64_t first, int64_t last, int64_t *sum, int64_t *digest)
{
    status st = OK;
    size_t size = dataset_tile_bytes(d);
    tile_files *f = tile_files_create(d);
    uint8_t *block = NULL;
    TRY(mem_alloc(&block, BLOCK_TILES, size, "tiles"));
    for (int64_t i = first; i < last;) {
        int64_t n = 1;
        const uint8_t *v = tile_cache_find(d, i);
        if (!dataset_wanted(d, i)) {
            i++;
            continue;
        }
        if (!v) {
            while (n < BLOCK_TILES && i + n < last && dataset_wanted(d, i + n) && !tile_cache_find(d, i + n) &&
                   d->place[i + n].file == d->place[i].file && d->place[i + n].row == d->place[i].row + n)
                n++;
            TRY(tile_files_read(f, i, n, block));
            v = block;
        }
        for (int64_t k = 0; k < n; k++, v += size) {
            if (d->train[i + k].compound >= 0) add_pixels(d, v, sum);
            if (digest) digest[i + k] = (int64_t)digest_bytes(v, size);
        }
        i += n;
    }
done:
    tile_files_destroy(&f);
    free(block);
    return st;
}

/* docs/method.md 2.6: over all pixels of the training tiles; sums of integers, so the same on any number of ranks. */
static status normalization_all(dataset *d, stage *g)
{
    status st = OK;
    size_t plane = (size_t)d->size_px * (size_t)d->size_px, channels = (size_t)d->channels;
    int64_t first, n, *sum = xcalloc(2 * channels, sizeof *sum), *digest = NULL;
    bool again = comm_max_i64_all(g->comm, tile_cache_is_partial(d)) > 0;
    if (again) TRY_ALL(g->comm, mem_alloc(&digest, (size_t)d->n, sizeof *digest, "digests of tiles"));
    partition(d->n, g->size, g->rank, &first, &n);
    TRY_ALL(g->comm, scan_tiles(d, first, first + n, sum, digest));
    comm_sum_i64_all(g->comm, sum, 2 * channels);
    if (again) comm_sum_i64_all(g->comm, digest, (size_t)d->n); /* each is from one rank */
    d->digest = digest;
    digest = NULL;
    d->mean = xcalloc(channels, sizeof *d->mean);
    d->sd = xcalloc(channels, sizeof *d->sd);
    double pixels = (double)d->n_train * (double)plane;
    for (size_t c = 0; c < channels && st == OK; c++) {
        double mean = (double)sum[2 * c] / pixels, var = (double)sum[2 * c + 1] / pixels - mean * mean;
        d->mean[c] = mean / 255;
        d->sd[c] = sqrt(var > 0 ? var : 0) / 255;
        if (d->sd[c] <= 0)
            st = fail(E_FAILED, "channel %s has the same value in every pixel of the training tiles", g->cfg.screen.channels.item[c]);
    }
    TRY_ALL(g->comm, st);
done:
    free(sum);
    free(digest);
    return st;
}

status tile_cache_load_all(dataset *d, stage *g, int64_t ahead)
{
    status st = OK;
    int64_t kept = 0;
    MPI_Comm_split_type(g->comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &d->node);
    TRY_ALL(g->comm, comm_rank(d->node) == 0 ? how_many(d, g->cfg.train.tiles_memory, ahead, &kept) : OK);
    MPI_Bcast(&kept, 1, MPI_INT64_T, 0, d->node);
    give_slots(d, kept);
    TRY(share_window_all(d, g));
    TRY(normalization_all(d, g));
    double gb = (double)dataset_tile_bytes(d) / 1e9;
    log_info("%lld training tiles, %lld validation tiles, %.1f GB in memory", (long long)d->n_train, (long long)d->n_valid,
             (double)d->n_kept * gb);
    if (tile_cache_is_partial(d))
        log_info("%lld tiles (%.1f GB) beyond train.tiles_memory are read ahead of the computation", (long long)(d->n_wanted - d->n_kept),
                 (double)(d->n_wanted - d->n_kept) * gb);
done:
    return st;
}
