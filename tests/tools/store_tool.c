/* store_tool.c -- the store from the command line, for the shell tests.
 *   store_tool write FILE ROWS WIDTH [LIMIT]   under mpirun: an AnnData file of known contents; LIMIT: no file may grow beyond it
 *   store_tool read FILE                       serial, without MPI: everything in it, as text
 *   store_tool verify FILE                     its digest
 *   store_tool leak FILE ROWS WIDTH            write, and lose 64 bytes on the last rank
 * Exit status as a stage's; the message goes to stderr as a stage's does. */
#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

static status make_obs(frame *f, int64_t n)
{
    static const char *const compound[] = {"DMSO", "caf\303\251ine", "", "\316\261-tocopherol", "JCP2022_033924"};
    status st = OK;
    int plate, name, site, focus, flag, dose;
    TRY(frame_add_col(f, "Metadata_Plate", FRAME_TEXT, &plate));
    TRY(frame_add_col(f, "Metadata_Compound", FRAME_CATEGORY, &name));
    TRY(frame_add_col(f, "Metadata_Site", FRAME_I64, &site));
    TRY(frame_add_col(f, "QC_Focus_DNA", FRAME_F32, &focus));
    TRY(frame_add_col(f, "Metadata_Dose/uM", FRAME_F64, &dose));
    TRY(frame_add_col(f, "QC_Flag", FRAME_BOOL, &flag));
    TRY(frame_add_rows(f, n));
    for (int64_t i = 0; i < n; i++) {
        TRY(frame_set_text(f, i, plate, i % 2 ? "00123" : "Pl\303\244tte 7"));
        TRY(frame_set_text(f, i, name, compound[i % 5]));
        f->col[site].v.i64[i] = i + 1;
        frame_set_real(f, i, focus, (double)i / 3);
        if (i % 4) frame_set_real(f, i, dose, 0.1 * (double)i);
        f->col[flag].v.yes[i] = i % 3 == 0;
    }
done:
    return st;
}

static status make_var(frame *f, int64_t n)
{
    status st = OK;
    int index;
    char name[32];
    TRY(frame_add_col(f, "_index", FRAME_TEXT, &index));
    TRY(frame_add_rows(f, n));
    for (int64_t i = 0; i < n; i++) {
        snprintf(name, sizeof name, "micon_%lld", (long long)i);
        TRY(frame_set_text(f, i, index, name));
    }
done:
    return st;
}

static void put_small(store *s, const frame *obs, const frame *var)
{
    names channels = {0};
    int32_t grid[6] = {1, -2, 3, -4, 5, -6};
    int64_t dims[2] = {2, 3};
    frame empty = {0};
    names_split(&channels, "DNA,ER,RNA,AGP,M\303\274to", ',');
    store_put_frame(s, "obs", obs);
    store_put_frame(s, "var", var);
    store_put_frame(s, "uns/rejects", &empty);
    store_put_texts(s, "uns/channels", &channels);
    store_put_text(s, "uns/micon/config", "tile: {size: 224}\n# \303\251\n");
    store_put_int(s, "uns/micon/seed", 9007199254740993);
    store_put_real(s, "uns/low", 0.05);
    store_put_values(s, "uns/grid", STORE_I32, 2, dims, grid);
    names_free(&channels);
}

enum { CHUNK = 4, CHUNKS = 8 };

static status make_array_all(store *s, const char *path, int64_t n_rows, int64_t width)
{
    int64_t dims[2] = {n_rows, width};
    return store_array_all(s, path, STORE_F32, 2, dims, CHUNK);
}

/* Rows in blocks of a few chunks, every rank the same number of calls. */
static status write_array_all(store *s, const char *path, int64_t n_rows, int64_t width, float scale)
{
    status st = OK;
    float *block = NULL;
    int64_t first, n, at = 0, n_chunks = (n_rows + CHUNK - 1) / CHUNK;
    partition(n_chunks, comm_size(MPI_COMM_WORLD), comm_rank(MPI_COMM_WORLD), &first, &n);
    int64_t begin = first * CHUNK, end = (first + n) * CHUNK < n_rows ? (first + n) * CHUNK : n_rows;
    int64_t calls = comm_max_i64_all(MPI_COMM_WORLD, (n + CHUNKS - 1) / CHUNKS);
    TRY_ALL(MPI_COMM_WORLD, mem_alloc(&block, (size_t)(CHUNK * CHUNKS * width), sizeof *block, "block"));
    for (int64_t k = 0; k < calls; k++) {
        int64_t m = n == 0 || begin + at >= end ? 0 : end - begin - at < CHUNK * CHUNKS ? end - begin - at : CHUNK * CHUNKS;
        for (int64_t i = 0; i < m * width; i++) block[i] = scale * (float)((begin + at) * width + i);
        TRY(store_write_rows_all(s, path, m ? begin + at : 0, m, m ? block : NULL));
        at += m;
    }
done:
    free(block);
    return st;
}

static status write_all(const char *path, int64_t rows, int64_t width)
{
    status st = OK;
    store *s = NULL;
    frame obs = {0}, var = {0};
    store_info info = {.kind = "profiles", .format = 1, .bytes = 2 * rows * width * 4, .anndata = true};
    char *dir = path_dir(path);
    if (comm_rank(MPI_COMM_WORLD) == 0) path_sweep_parts(dir, NULL);
    TRY_ALL(MPI_COMM_WORLD, make_obs(&obs, rows));
    TRY_ALL(MPI_COMM_WORLD, make_var(&var, width));
    TRY(store_create_all(&s, MPI_COMM_WORLD, path, &info));
    TRY(make_array_all(s, "X", rows, width));
    TRY(make_array_all(s, "layers/raw", rows, width));
    TRY(make_array_all(s, "obsm/X_umap", rows, 2));
    TRY(write_array_all(s, "X", rows, width, 1.0F));
    TRY(write_array_all(s, "layers/raw", rows, width, 0.5F));
    TRY(write_array_all(s, "obsm/X_umap", rows, 2, 0.25F));
    put_small(s, &obs, &var);
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    frame_free(&obs);
    frame_free(&var);
    free(dir);
    return st;
}

static status write_limited_all(const char *path, char **arg, int n_args)
{
    int64_t rows, width, limit = 0;
    if (n_args < 2 || !num_i64(arg[0], &rows) || !num_i64(arg[1], &width)) return fail(E_USAGE, "write FILE ROWS WIDTH [LIMIT]");
    if (n_args > 2 && !num_i64(arg[2], &limit)) return fail(E_USAGE, "LIMIT is not a number");
    struct rlimit r = {(rlim_t)limit, (rlim_t)limit};
    if (limit && setrlimit(RLIMIT_FSIZE, &r) != 0) return fail(E_FAILED, "setrlimit");
    return write_all(path, rows, width);
}

static status show_array(const store_file *f, const char *path)
{
    int n_dims;
    int64_t dims[4], n = 1;
    double *v = NULL;
    status st = store_dims(f, path, &n_dims, dims);
    for (int d = 1; st == OK && d < n_dims; d++) n *= dims[d];
    if (st != OK || n_dims == 0 || n > 1 << 20) return st;
    st = mem_alloc(&v, (size_t)n, sizeof *v, path);
    for (int64_t i = 0; st == OK && i < dims[0] && i < 4; i++) {
        st = store_read_rows(f, path, STORE_F64, i, 1, v);
        if (st == OK) printf("%s[%lld] %g\n", path, (long long)i, n ? v[n - 1] : 0.0);
    }
    free(v);
    return st;
}

/* What a reader of ours does with a file of anyone's. Failures in one object are shown, and the next is tried. */
static void show(const store_file *f, const char *path, int depth)
{
    names list = {0}, texts = {0};
    frame table = {0};
    char *line = NULL;
    int64_t i;
    status st = store_list(f, path, &list);
    if (st != OK) {
        msg_clear();
        if ((st = store_read_int(f, path, &i)) == OK)
            printf("%s = %lld\n", path, (long long)i);
        else if (msg_clear(), (st = store_read_text(f, path, &line)) == OK)
            printf("%s = '%s'\n", path, line);
        else if (msg_clear(), (st = store_read_texts(f, path, &texts)) == OK)
            printf("%s: %zu texts\n", path, texts.n);
        else if (msg_clear(), (st = show_array(f, path)) != OK)
            printf("! %s\n", msg_get());
    } else if (*path && store_read_frame(f, path, &table) == OK) {
        text out = {0};
        frame_show_csv(&table, &out);
        printf("%s:\n%s", path, text_str(&out));
        text_free(&out);
    } else {
        msg_clear();
        for (size_t k = 0; depth < 8 && k < list.n; k++) {
            char *child = *path ? xasprintf("%s/%s", path, list.item[k]) : xstrdup(list.item[k]);
            show(f, child, depth + 1);
            free(child);
        }
    }
    msg_clear();
    names_free(&list);
    names_free(&texts);
    frame_free(&table);
    free(line);
}

static status serial(const char *what, const char *path)
{
    status st = OK;
    store_file *f = NULL;
    uint64_t digest;
    char hex[DIGEST_TEXT];
    if (strcmp(what, "verify") == 0) {
        TRY(store_verify(path, &digest));
        printf("%s\n", digest_show(digest, hex));
    } else {
        TRY(store_open(&f, path, NULL, 0));
        printf("kind '%s'\n", store_kind(f));
        show(f, "", 0);
    }
done:
    store_close(&f);
    if (st != OK) log_error("store_tool", msg_get());
    return st;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    if (strcmp(argv[1], "read") == 0 || strcmp(argv[1], "verify") == 0) return status_exit(serial(argv[1], argv[2]));
    MPI_Init(&argc, &argv);
    int rank = comm_rank(MPI_COMM_WORLD);
    fault_init(rank);
    log_init("store_tool", rank == 0, false);
    status st = write_limited_all(argv[2], argv + 3, argc - 3);
    if (st != OK && rank == 0) log_error("store_tool", msg_get());
    if (strcmp(argv[1], "leak") == 0 && rank == comm_size(MPI_COMM_WORLD) - 1) {
        char *volatile lost = xmalloc(64);
        lost[0] = 'x';
        lost = NULL;
    }
    MPI_Finalize();
    return status_exit(st);
}
