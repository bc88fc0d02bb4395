/* write.c -- writes compounds.h5: all ranks write X in slabs of bounded size, rank 0 writes the rest. */
#include "featurize.h"

#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHUNK_ROWS = 64 };
#define SLAB_BYTES ((int64_t)64 << 20)

static void put_tables(store *s, const features *f)
{
    store_put_index(s, "var", &f->columns);
    store_put_frame(s, "obs", &f->obs);
    store_put_frame(s, COMPOUNDS_IDENTIFIERS, &f->identifiers);
    store_put_frame(s, "uns/rejects", &f->rejects);
    store_put_frame(s, "uns/changed", &f->changed);
    store_put_frame(s, "uns/inchikey_differences", &f->differences);
    store_put_frame(s, "uns/missing", &f->missing);
    char path[96];
    for (size_t i = 0; i < f->text_name.n; i++) {
        snprintf(path, sizeof path, "uns/%s", f->text_name.item[i]);
        store_put_text(s, path, f->text_value.item[i]);
    }
    for (size_t i = 0; i < f->count_name.n; i++) {
        snprintf(path, sizeof path, "uns/counts/%s", f->count_name.item[i]);
        store_put_int(s, path, f->count[i]);
    }
}

/* Write this rank's rows of X in whole chunks, one slab at a time; every rank makes the same number of calls. */
static status write_rows_all(stage *s, features *f, progress *p, store *out)
{
    status st = OK;
    int64_t first, n, n_chunks = (f->n + CHUNK_ROWS - 1) / CHUNK_ROWS;
    partition(n_chunks, s->size, s->rank, &first, &n);
    first *= CHUNK_ROWS;
    int64_t end = first + n * CHUNK_ROWS;
    if (end > f->n) end = f->n;
    if (first > end) first = end;
    int64_t row_bytes = f->d * (int64_t)store_type_size(f->type), slab = SLAB_BYTES / (row_bytes * CHUNK_ROWS) * CHUNK_ROWS;
    if (slab < CHUNK_ROWS) slab = CHUNK_ROWS;
    int64_t rounds = comm_max_i64_all(s->comm, (end - first + slab - 1) / slab), most = end - first < slab ? end - first : slab;
    uint8_t *block = NULL;
    TRY_ALL(s->comm, mem_alloc(&block, (size_t)most, (size_t)row_bytes, "rows to be written"));
    for (int64_t k = 0; k < rounds; k++) {
        int64_t at = first + k * slab, m = end - at < slab ? end - at : slab;
        if (m <= 0) at = first, m = 0;
        status local = fault("fill rows");
        if (local == OK) local = f->fill(f->ctx, at, m, block);
        TRY_ALL(s->comm, local);
        TRY(store_write_rows_all(out, "X", at, m, m ? block : NULL));
        progress_add(p, m);
    }
done:
    free(block);
    return st;
}

status features_write_all(stage *s, features *f, progress *p, const char *path, const char *made_from, uint64_t inputs_sum)
{
    status st = OK;
    store *out = NULL;
    int64_t dims[2] = {f->n, f->d}, row_bytes = f->d * (int64_t)store_type_size(f->type);
    store_info info = {.kind = COMPOUNDS_KIND, .format = COMPOUNDS_FORMAT, .bytes = f->n * (row_bytes + 1024) + (1 << 20), .anndata = true};
    TRY(store_create_all(&out, s->comm, path, &info));
    TRY(store_array_all(out, "X", f->type, 2, dims, CHUNK_ROWS));
    TRY(write_rows_all(s, f, p, out));
    if (s->rank == 0) {
        put_tables(out, f);
        provenance_put(out, s, made_from, inputs_sum);
    }
    TRY(store_commit_all(&out));
done:
    store_abandon_all(&out);
    return st;
}
