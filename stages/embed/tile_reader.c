/* tile_reader.c -- one thread reads the next pass of tiles while the present one is computed. While a reader is open nobody else in the
 * process calls HDF5 (store.h). */
#include "embed.h"

#include "micon/base/mem.h"
#include "micon/base/prefetch.h"

#include <stdlib.h>

struct reader {
    store_file *file;
    prefetch *a;
    int64_t n_tiles, next; /* tiles in the file; the pass that comes next */
    int pass;
};

static int tiles_of(const reader *r, int64_t pass)
{
    int64_t at = pass * r->pass, left = r->n_tiles - at;
    return (int)(left < r->pass ? left : r->pass);
}

static status read_pass(void *ctx, int64_t k, void *block)
{
    const reader *r = ctx;
    return store_read_rows(r->file, TILES_DATA, STORE_U8, k * r->pass, tiles_of(r, k), block);
}

status reader_start(reader **out, const char *path, int64_t n_tiles, size_t tile_bytes, int pass, int64_t first, int64_t n)
{
    status st = OK;
    reader *r = xcalloc(1, sizeof *r);
    *r = (reader){.n_tiles = n_tiles, .next = first, .pass = pass};
    *out = r;
    TRY(store_open(&r->file, path, TILES_KIND, TILES_FORMAT));
    TRY(fail_within(prefetch_start(&r->a, 2, (size_t)pass * tile_bytes, first, n, read_pass, r), "%s", path));
done:
    if (st != OK) reader_stop(out);
    return st;
}

status reader_next(reader *r, const uint8_t **tiles, int *n, double *wait_s)
{
    status st = OK;
    void *block;
    TRY(prefetch_next(r->a, &block, wait_s));
    *tiles = block;
    *n = tiles_of(r, r->next++);
done:
    return st;
}

void reader_stop(reader **pr)
{
    reader *r = *pr;
    if (!r) return;
    *pr = NULL;
    prefetch_stop(&r->a);
    store_close(&r->file);
    free(r);
}
