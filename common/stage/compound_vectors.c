/* compound_vectors.c -- compounds.h5 as training and embedding use it. */
#include "micon/stage/compound_vectors.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/mpi/comm.h"
#include "micon/store/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COL_ID, COL_KEY, COL_ROW }; /* of `identifiers`, as micon-featurize writes them */

status compound_vectors_read(vectors *v, const char *path)
{
    status st = OK;
    store_file *f = NULL;
    int n_dims;
    int64_t dims[4];
    TRY(store_open(&f, path, COMPOUNDS_KIND, COMPOUNDS_FORMAT));
    TRY(store_dims(f, "X", &n_dims, dims));
    TRY(store_read_frame(f, "obs", &v->obs));
    TRY(store_read_frame(f, COMPOUNDS_IDENTIFIERS, &v->identifiers));
    v->digest = store_digest(f);
    if (n_dims != 2 || v->obs.n_rows != dims[0] || frame_col(&v->obs, "Metadata_Compound") < 0 ||
        frame_col(&v->identifiers, "Metadata_Compound") != COL_ID || frame_col(&v->identifiers, "Key") != COL_KEY ||
        frame_col(&v->identifiers, "Row") != COL_ROW)
        TRY(fail(E_FORMAT, "%s: its tables do not fit together; make it again with micon-featurize --force", path));
    v->n = dims[0];
    v->d = dims[1];
    size_t count;
    if (!mul_size((size_t)v->n, (size_t)v->d, &count)) TRY(fail(E_FORMAT, "%s: X is too large", path));
    TRY(mem_alloc(&v->x, count, sizeof *v->x, "compound vectors"));
    TRY(store_read_rows(f, "X", STORE_F32, 0, v->n, v->x));
    for (size_t i = 0; i < count; i++)
        if (!isfinite(v->x[i])) TRY(fail(E_FORMAT, "%s: the vector of row %zu is not finite", path, i / (size_t)v->d));
    for (int64_t i = 0; i < v->identifiers.n_rows; i++) {
        int64_t row = v->identifiers.col[COL_ROW].v.i64[i];
        if (row < 0 || row >= v->n) TRY(fail(E_FORMAT, "%s: identifier %lld has no row", path, (long long)i));
    }
done:
    store_close(&f);
    return st;
}

static status share_frame_all(MPI_Comm comm, frame *f)
{
    status st = OK;
    bool root = comm_rank(comm) == 0;
    uint8_t *packed = NULL;
    char *bytes = NULL;
    size_t n = 0;
    TRY_ALL(comm, root ? frame_pack(f, &packed, &n) : OK);
    bytes = (char *)packed;
    TRY(comm_bcast_all(comm, 0, &bytes, &n));
    TRY_ALL(comm, root ? OK : frame_unpack(f, bytes, n));
done:
    free(root ? (char *)packed : bytes);
    return st;
}

status compound_vectors_read_all(MPI_Comm comm, vectors *v, const char *path, bool *there)
{
    status st = OK;
    bool root = comm_rank(comm) == 0;
    char *x = NULL;
    int exists = root && path_exists(path);
    MPI_Bcast(&exists, 1, MPI_INT, 0, comm);
    *there = exists;
    if (!exists) goto done;
    TRY_ALL(comm, root ? compound_vectors_read(v, path) : OK);
    uint64_t head[] = {(uint64_t)v->n, (uint64_t)v->d, v->digest};
    MPI_Bcast(head, 3, MPI_UINT64_T, 0, comm);
    v->n = (int64_t)head[0];
    v->d = (int64_t)head[1];
    v->digest = head[2];
    TRY(share_frame_all(comm, &v->obs));
    TRY(share_frame_all(comm, &v->identifiers));
    x = (char *)v->x;
    size_t bytes = (size_t)v->n * (size_t)v->d * sizeof *v->x;
    TRY(comm_bcast_all(comm, 0, &x, &bytes));
    v->x = (float *)(void *)x;
done:
    return st;
}

void compound_vectors_free(vectors *v)
{
    free(v->x);
    frame_free(&v->obs);
    frame_free(&v->identifiers);
    *v = (vectors){0};
}

int64_t compound_vectors_find(const vectors *v, const char *identifier)
{
    int64_t low = 0, high = v->identifiers.n_rows;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        int c = strcmp(frame_text(&v->identifiers, mid, COL_ID), identifier);
        if (c == 0) return v->identifiers.col[COL_ROW].v.i64[mid];
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

const char *compound_vectors_key(const vectors *v, int64_t row)
{
    return frame_text(&v->obs, row, frame_col(&v->obs, "Metadata_Compound"));
}
