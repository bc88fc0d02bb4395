/* t_store_wide.c -- a wide compressed table of somebody else, read row by row: HDF5 must keep the chunks of a row, or it unpacks all of
 * them again for every row. */
#include "../../common/store/store_impl.h"
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/store/store.h"

#include <stdlib.h>

enum { ROWS = 300, WIDTH = 3000, CHUNK = 64 };

static double value_at(int r, int c)
{
    return r * 0.5 - c % 7;
}

/* X [ROWS, width] of doubles, in chunks, compressed or not. */
static bool write_table(const char *path, hsize_t width, bool packed)
{
    hsize_t dims[2] = {ROWS, width}, chunk[2] = {CHUNK, CHUNK};
    double *x = xmalloc(ROWS * width * sizeof *x);
    for (int r = 0; r < ROWS; r++)
        for (int c = 0; c < (int)width; c++) x[(size_t)r * (size_t)width + (size_t)c] = value_at(r, c);
    hid_t f = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT), s = H5Screate_simple(2, dims, NULL);
    hid_t p = H5Pcreate(H5P_DATASET_CREATE);
    bool good = H5Pset_chunk(p, 2, chunk) >= 0 && (!packed || H5Pset_deflate(p, 1) >= 0);
    hid_t d = H5Dcreate2(f, "X", H5T_IEEE_F64LE, s, H5P_DEFAULT, p, H5P_DEFAULT);
    good = good && H5Dwrite(d, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0;
    good = H5Dclose(d) >= 0 && H5Pclose(p) >= 0 && H5Sclose(s) >= 0 && H5Fclose(f) >= 0 && good;
    free(x);
    return good;
}

/* Bytes of unpacked chunks that are kept while X is read. */
static size_t kept(const store_file *f)
{
    size_t slots, bytes = 0;
    double w0;
    hid_t access = H5Dget_access_plist(f->kept[0].dset);
    if (H5Pget_chunk_cache(access, &slots, &bytes, &w0) < 0) bytes = 0;
    H5Pclose(access);
    return bytes;
}

static status try_table(const char *path, int width, bool packed, size_t *bytes)
{
    status st = OK;
    store_file *f = NULL;
    float *row = xmalloc((size_t)width * sizeof *row);
    bool same = true;
    ok(write_table(path, (hsize_t)width, packed), "a table is written");
    TRY(store_open(&f, path, NULL, 0));
    for (int r = 0; r < ROWS; r += 50) {
        TRY(store_read_rows(f, "X", STORE_F32, r, 1, row));
        for (int c = 0; c < width; c++) same = same && row[c] == (float)value_at(r, c);
    }
    ok(same, "its rows are read");
    *bytes = kept(f);
done:
    store_close(&f);
    free(row);
    return st;
}

int main(void)
{
    status st = OK;
    size_t wide, narrow, plain, row_of_chunks = (size_t)((WIDTH + CHUNK - 1) / CHUNK) * CHUNK * CHUNK * sizeof(double);
    char path[600];
    snprintf(path, sizeof path, "%s/x.h5", tap_dir());
    TRY(try_table(path, WIDTH, true, &wide));
    ok(wide == row_of_chunks, "of a wide compressed table the chunks of a row are kept");
    TRY(try_table(path, CHUNK, true, &narrow));
    TRY(try_table(path, WIDTH, false, &plain));
    ok(narrow < row_of_chunks && plain == narrow, "of others no more than usual");
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}
