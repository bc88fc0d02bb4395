/* tile_loader.c -- the tiles of one pass after another: pointers into memory where all tiles are there; otherwise one thread lists and
 * reads those of the next passes while the current one is computed. */
#include "train.h"

#include "micon/base/mem.h"
#include "micon/base/prefetch.h"

#include <stdlib.h>
#include <string.h>

/* A pass as the thread leaves it: this, the note, then the arrays it points at. */
typedef struct {
    int64_t n;
    int64_t *tile, *order;
    const uint8_t **at;
    uint8_t *bytes;
} pass_block;

struct tile_loader {
    const dataset *d;
    int64_t most;
    size_t note_bytes;
    int64_t next; /* pass */
    tile_loader_list list;
    void *ctx;
    const int64_t *tile; /* [n]: of tile_loader_start_tiles */
    int64_t n;
    void *own; /* the single block used where nothing is read ahead */
    tile_files *files;
    prefetch *a;
};

static size_t rounded(size_t n)
{
    return (n + 63) / 64 * 64;
}

static size_t block_bytes(const tile_loader *f, bool reads)
{
    size_t most = (size_t)f->most;
    return rounded(sizeof(pass_block)) + rounded(f->note_bytes) + 3 * rounded(most * 8) + (reads ? most * dataset_tile_bytes(f->d) : 0);
}

static pass_block *lay_out(const tile_loader *f, void *block, void **note)
{
    pass_block *b = block;
    char *at = (char *)block + rounded(sizeof *b);
    size_t list = rounded((size_t)f->most * 8);
    *note = at;
    at += rounded(f->note_bytes);
    b->tile = (int64_t *)(void *)at;
    b->order = (int64_t *)(void *)(at + list);
    b->at = (const uint8_t **)(void *)(at + 2 * list);
    b->bytes = (uint8_t *)at + 3 * list;
    return b;
}

static int by_number(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* Tiles are numbered in the order of files and rows: read in that order, each once, neighbours together. */
static status read_missing(const tile_loader *f, pass_block *b)
{
    status st = OK;
    const dataset *d = f->d;
    size_t size = dataset_tile_bytes(d);
    int64_t n = 0, kept = 0;
    for (int64_t i = 0; i < b->n; i++)
        if (!(b->at[i] = tile_cache_find(d, b->tile[i]))) b->order[n++] = b->tile[i];
    qsort(b->order, (size_t)n, sizeof *b->order, by_number);
    for (int64_t i = 0; i < n; i++)
        if (kept == 0 || b->order[kept - 1] != b->order[i]) b->order[kept++] = b->order[i];
    for (int64_t i = 0, row; i < kept; i += row) {
        for (row = 1;
             i + row < kept && b->order[i + row] == b->order[i] + row && d->place[b->order[i + row]].file == d->place[b->order[i]].file;)
            row++;
        TRY(tile_files_read(f->files, b->order[i], row, b->bytes + (size_t)i * size));
    }
    for (int64_t i = 0; i < b->n; i++) {
        if (b->at[i]) continue;
        const int64_t *found = bsearch(&b->tile[i], b->order, (size_t)kept, sizeof *b->order, by_number);
        b->at[i] = b->bytes + (size_t)(found - b->order) * size;
    }
done:
    return st;
}

static status fill_pass(void *ctx, int64_t k, void *block)
{
    const tile_loader *f = ctx;
    void *note;
    pass_block *b = lay_out(f, block, &note);
    b->n = f->list(f->ctx, k, note, b->tile);
    return read_missing(f, b);
}

static int64_t list_pass(void *ctx, int64_t k, void *note, int64_t *tile)
{
    const tile_loader *f = ctx;
    int64_t first = k * PASS_TILES, n = f->n - first < PASS_TILES ? f->n - first : PASS_TILES;
    (void)note;
    memcpy(tile, f->tile + first, (size_t)n * sizeof *tile);
    return n;
}

/* Passes [f->next, f->next + n). */
static status start(tile_loader **out, tile_loader *f, int64_t n)
{
    status st = OK;
    const dataset *d = f->d;
    int64_t first = f->next;
    *out = f;
    if (tile_cache_is_partial(d)) {
        f->files = tile_files_create(d);
        TRY(prefetch_start(&f->a, TILE_LOADER_PASSES, block_bytes(f, true), first, n, fill_pass, f));
    } else
        TRY(mem_alloc(&f->own, block_bytes(f, false), 1, "a pass"));
done:
    if (st != OK) tile_loader_stop(out);
    return st;
}

status tile_loader_start(tile_loader **out, const dataset *d, int64_t most, size_t note_bytes, int64_t first, int64_t n,
                         tile_loader_list list, void *ctx)
{
    tile_loader *f = xcalloc(1, sizeof *f);
    *f = (tile_loader){.d = d, .most = most, .note_bytes = note_bytes, .next = first, .list = list, .ctx = ctx};
    return start(out, f, n);
}

status tile_loader_start_tiles(tile_loader **out, const dataset *d, const int64_t *tile, int64_t n)
{
    tile_loader *f = xcalloc(1, sizeof *f);
    *f = (tile_loader){.d = d, .most = PASS_TILES, .list = list_pass, .ctx = f, .tile = tile, .n = n};
    return start(out, f, (n + PASS_TILES - 1) / PASS_TILES);
}

status tile_loader_next(tile_loader *f, void **note, const int64_t **tile, const uint8_t *const **at, int64_t *n, double *wait_s)
{
    status st = OK;
    void *block = f->own;
    if (f->a)
        TRY(prefetch_next(f->a, &block, wait_s));
    else
        TRY(fill_pass(f, f->next, block));
    f->next++;
    pass_block *b = lay_out(f, block, note);
    *tile = b->tile;
    *at = b->at;
    *n = b->n;
done:
    return st;
}

void tile_loader_stop(tile_loader **pf)
{
    tile_loader *f = *pf;
    if (!f) return;
    *pf = NULL;
    prefetch_stop(&f->a);
    tile_files_destroy(&f->files);
    free(f->own);
    free(f);
}
