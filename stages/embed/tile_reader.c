/* tile_reader.c -- one thread reads the next pass of tiles while the current one is computed. While a reader is open, nobody else in the
 * process may call HDF5 (store.h). */
#include "embed.h"

#include "micon/base/mem.h"
#include "micon/base/prefetch.h"

#include <stdlib.h>

struct tile_reader {
    store_file *file;
    prefetch *a;
    int64_t n_tiles, next; /* tiles in the file; the next pass */
    int pass;
};

static int tiles_of(const tile_reader *r, int64_t pass)
{
    int64_t at = pass * r->pass, left = r->n_tiles - at;
    return (int)(left < r->pass ? left : r->pass);
}

static status read_pass(void *ctx, int64_t k, void *block)
{
    const tile_reader *r = ctx;
    return store_read_rows(r->file, TILES_DATA, STORE_U8, k * r->pass, tiles_of(r, k), block);
}

status tile_reader_start(tile_reader **out, const char *path, int64_t n_tiles, size_t tile_bytes, int pass, int64_t first, int64_t n)
{
    status st = OK;
    tile_reader *r = xcalloc(1, sizeof *r);
    *r = (tile_reader){.n_tiles = n_tiles, .next = first, .pass = pass};
    *out = r;
    TRY(store_open(&r->file, path, TILES_KIND, TILES_FORMAT));
    TRY(fail_within(prefetch_start(&r->a, 2, (size_t)pass * tile_bytes, first, n, read_pass, r), "%s", path));
done:
    if (st != OK) tile_reader_stop(out);
    return st;
}

status tile_reader_next(tile_reader *r, const uint8_t **tiles, int *n, double *wait_s)
{
    status st = OK;
    void *block;
    TRY(prefetch_next(r->a, &block, wait_s));
    *tiles = block;
    *n = tiles_of(r, r->next++);
done:
    return st;
}

void tile_reader_stop(tile_reader **pr)
{
    tile_reader *r = *pr;
    if (!r) return;
    *pr = NULL;
    prefetch_stop(&r->a);
    store_close(&r->file);
    free(r);
}
