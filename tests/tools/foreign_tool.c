/* foreign_tool.c -- h5ad files as other programs write them, damage to them, and their reading through the guarded worker.
 *   foreign_tool make FILE ROWS COLS [gzip|lzf|plain]   written with HDF5's oldest layout (no checksums), as h5py does: variable-length
 *                                                       texts, categoricals, X in chunks; lzf: chunks of that filter, which HDF5 lacks
 *   foreign_tool read FILE                              obs, the names of X's columns and the digest of X, through foreign.h; the seconds
 *   foreign_tool direct FILE                            X with HDF5 in this process, for the comparison of times
 *   foreign_tool harm FILE SEED OUT                     OUT is FILE with damage number SEED
 *   foreign_tool campaign FILE FIRST COUNT OUT [SECONDS]  damages FIRST .. FIRST + COUNT - 1, each read through foreign.h; the tally.
 *                                                       SECONDS: ends when they are over. OUT is the damaged file's name */
#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/rng.h"
#include "micon/store/foreign.h"
#include "micon/store/store.h"

#include <hdf5.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- make ---- */

static void need(bool yes, const char *what)
{
    if (yes) return;
    fprintf(stderr, "foreign_tool: %s failed\n", what);
    exit(1);
}

static void text_attr(hid_t object, const char *name, const char *value)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate(H5S_SCALAR);
    need(H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0, "H5Tset_size");
    hid_t attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    need(attr >= 0 && H5Awrite(attr, type, &value) >= 0, "H5Awrite");
    H5Aclose(attr);
    H5Sclose(space);
    H5Tclose(type);
}

static void texts(hid_t group, const char *name, const char *const *value, hsize_t n)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &n, NULL);
    need(H5Tset_size(type, H5T_VARIABLE) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0, "H5Tset_size");
    hid_t dset = H5Dcreate2(group, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    need(dset >= 0 && H5Dwrite(dset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, value) >= 0, "H5Dwrite");
    text_attr(dset, "encoding-type", "string-array");
    text_attr(dset, "encoding-version", "0.2.0");
    H5Dclose(dset);
    H5Sclose(space);
    H5Tclose(type);
}

static void columns(hid_t group, const char *const *name, hsize_t n)
{
    hid_t type = H5Tcopy(H5T_C_S1), space = H5Screate_simple(1, &n, NULL);
    need(H5Tset_size(type, H5T_VARIABLE) >= 0, "H5Tset_size");
    hid_t attr = H5Acreate2(group, "column-order", type, space, H5P_DEFAULT, H5P_DEFAULT);
    need(attr >= 0 && (n == 0 || H5Awrite(attr, type, name) >= 0), "H5Awrite");
    H5Aclose(attr);
    H5Sclose(space);
    H5Tclose(type);
    text_attr(group, "_index", "_index");
    text_attr(group, "encoding-type", "dataframe");
    text_attr(group, "encoding-version", "0.2.0");
}

static hid_t group_in(hid_t file, const char *name)
{
    hid_t g = H5Gcreate2(file, name, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    need(g >= 0, "H5Gcreate2");
    return g;
}

/* value[code[i]] */
static void categorical(hid_t obs, const char *name, const char *const *value, hsize_t n_values, const int8_t *code, hsize_t n)
{
    hid_t g = group_in(obs, name), space = H5Screate_simple(1, &n, NULL);
    text_attr(g, "encoding-type", "categorical");
    text_attr(g, "encoding-version", "0.2.0");
    texts(g, "categories", value, n_values);
    hid_t dset = H5Dcreate2(g, "codes", H5T_STD_I8LE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
    need(dset >= 0 && H5Dwrite(dset, H5T_NATIVE_INT8, H5S_ALL, H5S_ALL, H5P_DEFAULT, code) >= 0, "H5Dwrite");
    H5Dclose(dset);
    H5Sclose(space);
    H5Gclose(g);
}

static char **numbered(const char *form, int64_t n)
{
    char **s = xcalloc((size_t)n + 1, sizeof *s);
    for (int64_t i = 0; i < n; i++) s[i] = xasprintf("%s%lld", form, (long long)i);
    return s;
}

static void make_obs(hid_t file, int64_t n)
{
    static const char *const order[] = {"Metadata_Plate", "Metadata_Well", "Metadata_Compound"}, *const plate[] = {"P1", "P2"};
    int8_t *plates = xcalloc((size_t)n + 1, 1), *compounds = xcalloc((size_t)n + 1, 1);
    char **name = numbered("c", 12), **index = numbered("cell ", n), **well = xcalloc((size_t)n + 1, sizeof *well);
    hid_t obs = group_in(file, "obs");
    for (int64_t i = 0; i < n; i++) {
        int64_t place = i / 2 % 384;
        plates[i] = (int8_t)(i % 2);
        compounds[i] = (int8_t)(place % 12);
        well[i] = xasprintf("%c%02d", (char)('A' + place / 24), (int)(place % 24) + 1);
    }
    columns(obs, order, 3);
    texts(obs, "_index", (const char *const *)index, (hsize_t)n);
    texts(obs, "Metadata_Well", (const char *const *)well, (hsize_t)n);
    categorical(obs, "Metadata_Plate", plate, 2, plates, (hsize_t)n);
    categorical(obs, "Metadata_Compound", (const char *const *)name, 12, compounds, (hsize_t)n);
    H5Gclose(obs);
}

static void make_x(hid_t file, int64_t n, int64_t d, const char *how)
{
    hsize_t dims[2] = {(hsize_t)n, (hsize_t)d}, chunk[2] = {dims[0] < 64 ? dims[0] : 64, dims[1] < 64 ? dims[1] : 64};
    hid_t space = H5Screate_simple(2, dims, NULL), plist = H5Pcreate(H5P_DATASET_CREATE);
    if (strcmp(how, "plain") != 0) need(H5Pset_chunk(plist, 2, chunk) >= 0, "H5Pset_chunk");
    if (strcmp(how, "gzip") == 0) need(H5Pset_deflate(plist, 4) >= 0, "H5Pset_deflate");
    if (strcmp(how, "lzf") == 0) need(H5Pset_filter(plist, 32000, H5Z_FLAG_OPTIONAL, 0, NULL) >= 0, "H5Pset_filter");
    hid_t dset = H5Dcreate2(file, "X", H5T_IEEE_F32LE, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    need(dset >= 0, "H5Dcreate2");
    float *x = xmalloc((size_t)(n * d) * sizeof *x + 1);
    rng r = rng_at(1, 1, 0, 0);
    for (int64_t i = 0; i < n * d; i++) x[i] = (float)rng_uniform(&r) + (float)(i / d / 2 % 12);
    if (strcmp(how, "lzf") == 0) /* as bytes that only that filter could unpack */
        for (hsize_t i = 0; i < dims[0]; i += chunk[0])
            for (hsize_t j = 0; j < dims[1]; j += chunk[1])
                need(H5Dwrite_chunk(dset, H5P_DEFAULT, 0, (hsize_t[]){i, j}, 100, x) >= 0, "H5Dwrite_chunk");
    else
        need(H5Dwrite(dset, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, x) >= 0, "H5Dwrite");
    text_attr(dset, "encoding-type", "array");
    text_attr(dset, "encoding-version", "0.2.0");
    H5Dclose(dset);
    H5Pclose(plist);
    H5Sclose(space);
    free(x);
}

static void make(const char *path, int64_t n, int64_t d, const char *how)
{
    hid_t file = H5Fcreate(path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
    need(file >= 0, "H5Fcreate");
    text_attr(file, "encoding-type", "anndata");
    text_attr(file, "encoding-version", "0.1.0");
    make_obs(file, n);
    hid_t var = group_in(file, "var");
    columns(var, NULL, 0);
    char **name = numbered("Cells_f", d);
    texts(var, "_index", (const char *const *)name, (hsize_t)d);
    H5Gclose(var);
    make_x(file, n, d, how);
    need(H5Fclose(file) >= 0, "H5Fclose");
}

/* ---- read ---- */

static status read_all(foreign_reader *r, const char *path, uint64_t *digest, int64_t *n, int64_t *d)
{
    status st = OK;
    foreign_file *f = NULL;
    float *x = NULL;
    int64_t *row = NULL;
    TRY(foreign_open(&f, r, path));
    *n = foreign_n(f);
    *d = foreign_d(f);
    TRY(mem_alloc(&row, (size_t)*n, sizeof *row, "rows"));
    TRY(mem_alloc(&x, (size_t)(*n * *d), sizeof *x, "X"));
    for (int64_t i = 0; i < *n; i++) row[i] = i;
    TRY(foreign_rows(f, row, *n, x));
    *digest = digest_mix(digest_bytes(x, (size_t)(*n * *d) * sizeof *x), frame_digest(foreign_obs(f)));
    for (int64_t j = 0; j < *d; j++) *digest = digest_mix(*digest, digest_text(foreign_name(f, j)));
done:
    foreign_close(&f);
    free(x);
    free(row);
    return st;
}

static status read_one(foreign_reader *r, const char *path)
{
    uint64_t digest = 0;
    int64_t n = 0, d = 0;
    char hex[DIGEST_TEXT];
    double from = now_s();
    status st = read_all(r, path, &digest, &n, &d);
    if (st == OK) printf("%lld x %lld %s\n", (long long)n, (long long)d, digest_show(digest, hex));
    fprintf(stderr, "%.3f s\n", now_s() - from);
    return st;
}

static status direct(const char *path)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0}, var = {0};
    float *x = NULL;
    int n_dims;
    int64_t dims[4];
    double from = now_s();
    TRY(store_open(&f, path, NULL, 0));
    TRY(store_dims(f, "X", &n_dims, dims));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(store_read_frame(f, "var", &var));
    TRY(mem_alloc(&x, (size_t)(dims[0] * dims[1]), sizeof *x, "X"));
    TRY(store_read_rows(f, "X", STORE_F32, 0, dims[0], x));
    uint64_t digest = digest_mix(digest_bytes(x, (size_t)(dims[0] * dims[1]) * sizeof *x), frame_digest(&obs));
    fprintf(stderr, "%.3f s (%d)\n", now_s() - from, digest != 0);
done:
    store_close(&f);
    frame_free(&obs);
    frame_free(&var);
    free(x);
    return st;
}

/* ---- damage ---- */

/* Half are one wrong byte, the others a few, a run of one value, or a file that was cut short. */
static void harm(unsigned char *data, size_t *size, uint64_t seed)
{
    rng r = rng_at((uint32_t)seed, 77, 0, seed);
    uint64_t kind = rng_below(&r, 20), at = rng_below(&r, *size);
    if (kind < 13) {
        for (uint64_t k = kind < 10 ? 1 : 2 + rng_below(&r, 7); k > 0; k--, at = rng_below(&r, *size))
            data[at] = (unsigned char)(data[at] ^ (1 + rng_below(&r, 255)));
    } else if (kind < 17) {
        int value = rng_below(&r, 2) ? 0xff : 0;
        for (uint64_t k = 1 + rng_below(&r, 16); k > 0 && at < *size; k--, at++) data[at] = (unsigned char)value;
    } else {
        *size = (size_t)at;
    }
}

static status harmed(const char *data, size_t size, uint64_t seed, const char *out)
{
    char *copy = xmalloc(size + 1);
    memcpy(copy, data, size);
    size_t n = size;
    harm((unsigned char *)copy, &n, seed);
    FILE *f = fopen(out, "wb");
    status st = f && fwrite(copy, 1, n, f) == n ? OK : fail(E_IO, "%s cannot be written", out);
    if (f && fclose(f) != 0) st = fail(E_IO, "%s cannot be written", out);
    free(copy);
    return st;
}

typedef struct {
    int64_t n, same, other, refused, killed, slow, unnamed;
    double longest;
} tally;

static void campaign_show(const tally *t, const foreign_reader *r)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    printf(
        "%lld damaged files: %lld read as before, %lld read with other values, %lld refused by a message, %lld of these after the death of "
        "%lld workers (%lld of time); longest %.1f s; this process held at most %ld MB; messages without the file's name: %lld\n",
        (long long)t->n, (long long)t->same, (long long)t->other, (long long)t->refused, (long long)t->killed, (long long)foreign_deaths(r),
        (long long)t->slow, t->longest, u.ru_maxrss / 1024, (long long)t->unnamed);
}

static status campaign(foreign_reader *r, const char *path, int64_t first, int64_t count, const char *out, double seconds)
{
    status st = OK;
    char *data = NULL;
    size_t size;
    uint64_t good = 0, digest = 0;
    int64_t n, d;
    tally t = {0};
    double begin = now_s();
    TRY(path_read(path, &data, &size, (size_t)1 << 30));
    TRY(read_all(r, path, &good, &n, &d));
    for (int64_t seed = first; seed < first + count && (seconds <= 0 || now_s() - begin < seconds); seed++, t.n++) {
        TRY(harmed(data, size, (uint64_t)seed, out));
        int64_t deaths = foreign_deaths(r);
        double from = now_s();
        status got = read_all(r, out, &digest, &n, &d);
        if (now_s() - from > t.longest) t.longest = now_s() - from;
        t.same += got == OK && digest == good;
        t.other += got == OK && digest != good;
        t.refused += got != OK;
        t.killed += foreign_deaths(r) > deaths;
        t.slow += strstr(msg_get(), "CPU time") != NULL;
        if (foreign_deaths(r) > deaths) fprintf(stderr, "damage %lld: %s\n", (long long)seed, msg_get());
        t.unnamed += got != OK && !strstr(msg_get(), path_base(out));
        msg_clear();
    }
    campaign_show(&t, r);
done:
    free(data);
    return st;
}

static int64_t number(const char *s)
{
    int64_t v = 0;
    need(num_i64(s, &v), s);
    return v;
}

static status run(foreign_reader *r, int argc, char **argv)
{
    status st = OK;
    char *data = NULL;
    size_t size;
    if (strcmp(argv[1], "read") == 0) return read_one(r, argv[2]);
    if (strcmp(argv[1], "direct") == 0) return direct(argv[2]);
    if (strcmp(argv[1], "make") == 0 && argc >= 5) {
        make(argv[2], number(argv[3]), number(argv[4]), argc > 5 ? argv[5] : "gzip");
    } else if (strcmp(argv[1], "harm") == 0 && argc == 5) {
        TRY(path_read(argv[2], &data, &size, (size_t)1 << 30));
        TRY(harmed(data, size, (uint64_t)number(argv[3]), argv[4]));
    } else if (strcmp(argv[1], "campaign") == 0 && argc >= 6) {
        TRY(campaign(r, argv[2], number(argv[3]), number(argv[4]), argv[5], argc > 6 ? (double)number(argv[6]) : 0));
    } else {
        st = fail(E_USAGE, "see the head of foreign_tool.c");
    }
done:
    free(data);
    return st;
}

int main(int argc, char **argv)
{
    foreign_reader *r = NULL;
    if (argc < 3) return 2;
    status st = foreign_start(&r);
    if (st == OK) st = run(r, argc, argv);
    if (st != OK) log_error("foreign_tool", msg_get());
    foreign_stop(&r);
    return status_exit(st);
}
