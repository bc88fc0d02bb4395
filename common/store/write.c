/* write.c -- the writing half of the store: create, arrays, row blocks. Small things are write_small.c, the end is commit.c.
 *
 * Rank 0 lays the file out with the serial driver: groups, arrays, the index of their chunks. Only then all ranks open it together, and
 * only to write rows: nothing of HDF5's own is left to be written by a collective call. (Seen with a full disk when it was: ranks that
 * wait for each other in H5Fclose for ever. The serial driver reports its failures, to rank 0 alone.)
 * Between two agreements every rank makes the same HDF5 calls; a rank that failed enters them with an empty selection. */
#define _GNU_SOURCE /* fallocate */
#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Bytes a rank hands to MPI in one call: counts there are int, and OMPIO's own limits are lower still. */
enum { PIECE_BYTES = 256 << 20 };

/* What HDF5 needs for an empty file, with a wide margin. */
enum { HEAD_BYTES = 65536 };

/* How long a rank waits until its host shows the file that rank 0 made. */
enum { STORE_SHOWN_WITHIN_S = 30 };

/* A collective HDF5 call that failed anywhere: the file must not be closed any more (close_all). */
static status store_io_all(store *s, status mine)
{
    if (mine != OK && s->made) unlink(s->part); /* whatever becomes of the others, it will not be finished */
    status st = agree_after_library_all(s->comm, mine);
    if (st != OK) s->broken = true;
    return st;
}

/* ---- create ---- */

/* Rank 0: the part file, empty, made by us and nobody else, with the permissions of the umask. */
static status part_make(store *s, int64_t bytes)
{
    status st = OK;
    char *dir = path_dir(s->final_name);
    TRY(path_make_dirs(dir));
    if (path_is_dir(s->final_name)) TRY(fail(E_IO, "%s: is a folder", s->final_name));
    TRY(store_space_check(s, bytes));
    s->part = path_part(s->final_name);
    int fd = open(s->part, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0666);
    if (fd < 0) TRY(fail(E_IO, "%s: cannot be made: %s", s->part, strerror(errno)));
    s->made = true;
    close(fd);
done:
    free(dir);
    return st;
}

/* Rank 0: the empty HDF5 file, opened by rank 0 alone. */
static status serial_create(store *s, int64_t bytes)
{
    status st = OK;
    hid_t fcpl = -1, fapl = -1;
    TRY(part_make(s, bytes));
    TRY(h5_start());
    fcpl = h5_plist(H5P_FILE_CREATE);
    fapl = h5_access();
    if (fcpl < 0 || fapl < 0) TRY(h5_fail(E_INTERNAL, "%s: cannot prepare", s->final_name));
    s->serial = H5Fcreate(s->part, H5F_ACC_TRUNC, fcpl, fapl);
    if (s->serial < 0) TRY(h5_fail(E_IO, "%s: cannot be made", s->part));
    TRY(store_reserve(s, HEAD_BYTES));
done:
    if (fcpl >= 0) H5Pclose(fcpl);
    if (fapl >= 0) H5Pclose(fapl);
    return st;
}

static void root_put(store *s)
{
    node *root = nodes_add(&s->put, "", true);
    node_encoding(root, s->anndata ? "anndata" : "dict", "0.1.0");
    node_attr(root, "micon-kind", value_text(s->kind));
    node_attr(root, "micon-format", value_int(s->format));
    node_attr(root, BLOCKS_ATTR, value_bool(true));
}

status store_create_all(store **out, MPI_Comm comm, const char *final_name, const store_info *info)
{
    status st = OK;
    size_t n = 0;
    store *s = xcalloc(1, sizeof *s);
    s->comm = comm;
    s->rank = comm_rank(comm);
    s->final_name = xstrdup(final_name);
    s->kind = xstrdup(info->kind);
    s->format = info->format;
    s->anndata = info->anndata;
    s->serial = s->file = s->transfer = -1;
    *out = NULL;
    signal(SIGXFSZ, SIG_IGN);
    TRY_ALL(comm, fault("before making a part file"));
    TRY_ALL(comm, s->rank == 0 ? serial_create(s, info->bytes) : h5_start());
    if (s->rank == 0) n = strlen(s->part);
    TRY(comm_bcast_all(comm, 0, &s->part, &n));
    TRY_ALL(comm, fault("after making a part file"));
    if (s->rank == 0) root_put(s);
    *out = s;
    s = NULL;
done:
    store_abandon_all(&s);
    return st;
}

/* ---- arrays ---- */

static array *array_find(store *s, const char *path)
{
    for (size_t i = 0; i < s->n_arrays; i++)
        if (strcmp(s->arrays[i].path, path) == 0) return &s->arrays[i];
    return NULL;
}

static status array_check(store *s, array *a, store_type type, int n_dims, const int64_t *dims)
{
    status st = OK;
    size_t all, chunk;
    if (s->file >= 0) TRY(fail(E_INTERNAL, "'%s': comes after the first rows were written", a->path));
    if (array_find(s, a->path)) TRY(fail(E_INTERNAL, "'%s': is there already", a->path));
    if (n_dims < 1 || n_dims > STORE_MAX_DIMS) TRY(fail(E_INTERNAL, "'%s': %d dimensions", a->path, n_dims));
    a->v = (value){.type = value_type_of(type), .n_dims = n_dims};
    for (int d = 0; d < n_dims; d++) a->v.dims[d] = dims[d];
    TRY(value_bytes(&a->v, &all, a->path));
    TRY(value_row_bytes(&a->v, &a->row_bytes, a->path));
    if (a->row_bytes == 0 || a->chunk_rows < 1) TRY(fail(E_INTERNAL, "'%s': empty rows or chunks", a->path));
    if (dims[0] > 0 && a->chunk_rows > dims[0]) a->chunk_rows = dims[0];
    if (!mul_size(a->row_bytes, (size_t)a->chunk_rows, &chunk) || chunk >= (size_t)UINT32_MAX)
        TRY(fail(E_INTERNAL, "'%s': chunks of 4 GiB and more cannot be stored", a->path));
    if (s->rank == 0) TRY(store_claim(s, a->path));
done:
    return fail_within(st, "%s", s->final_name);
}

static uint64_t array_key(const array *a)
{
    uint64_t d = digest_text(a->path);
    d = digest_mix(d, (uint64_t)a->v.type);
    for (int i = 0; i < a->v.n_dims; i++) d = digest_mix(d, (uint64_t)a->v.dims[i]);
    return digest_mix(d, (uint64_t)a->chunk_rows);
}

/* Rank 0: the groups on the way. */
static status groups_make(store *s, const char *path)
{
    status st = OK;
    char prefix[STORE_MAX_PATH];
    for (const char *c = strchr(path, '/'); c && st == OK; c = strchr(c + 1, '/')) {
        hid_t group = -1;
        memcpy(prefix, path, (size_t)(c - path));
        prefix[c - path] = '\0';
        st = h5_open_or_make_group(s->serial, prefix, &group);
        if (group >= 0 && H5Gclose(group) < 0 && st == OK) st = h5_fail(E_IO, "group '%s' cannot be closed", prefix);
    }
    return st;
}

/* Rank 0: the array with the index of its chunks. No fill values: every row is written, which the commit checks. */
static status dataset_make(store *s, const array *a)
{
    status st = OK;
    hsize_t chunk[STORE_MAX_DIMS];
    hid_t dset = -1, type = h5_type(&a->v), space = h5_space(&a->v), plist = h5_plist(H5P_DATASET_CREATE);
    for (int d = 0; d < a->v.n_dims; d++) chunk[d] = (hsize_t)(d ? a->v.dims[d] : a->chunk_rows);
    if (type < 0 || space < 0 || plist < 0 || H5Pset_alloc_time(plist, H5D_ALLOC_TIME_EARLY) < 0 ||
        H5Pset_fill_time(plist, H5D_FILL_TIME_NEVER) < 0 || (a->v.dims[0] && H5Pset_chunk(plist, a->v.n_dims, chunk) < 0))
        TRY(h5_fail(E_INTERNAL, "'%s' cannot be described", a->path));
    dset = H5Dcreate2(s->serial, a->path, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (dset < 0) TRY(h5_fail(E_IO, "'%s' cannot be made", a->path));
done:
    if (dset >= 0 && H5Dclose(dset) < 0 && st == OK) st = h5_fail(E_IO, "'%s' cannot be closed", a->path);
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}

/* Reserve room for its values and, roughly, the index of its chunks. */
static status array_reserve(store *s, const array *a)
{
    int64_t chunks = a->v.dims[0] / a->chunk_rows + 1, bytes = a->v.dims[0] * (int64_t)a->row_bytes, index;
    if (__builtin_mul_overflow(chunks, (int64_t)256, &index) || __builtin_add_overflow(bytes, index + 65536, &bytes))
        return fail(E_IO, "%s: '%s' is larger than a file can be", s->final_name, a->path);
    return store_reserve(s, bytes);
}

/* Rank 0. */
static status array_make(store *s, const array *a)
{
    status st = array_reserve(s, a); /* before HDF5 lays out an array that does not fit */
    if (st != OK) return st;
    st = groups_make(s, a->path);
    if (st == OK) st = dataset_make(s, a);
    if (st != OK) {
        s->broken = true;
        return fail_within(st, "%s", s->final_name);
    }
    node *o = nodes_add(&s->put, a->path, false);
    o->is_big = true;
    o->v = a->v;
    node_encoding(o, "array", "0.2.0");
    return OK;
}

status store_array_all(store *s, const char *path, store_type type, int n_dims, const int64_t *dims, int64_t chunk_rows)
{
    status st = OK;
    array a = {.path = xstrdup(path), .dset = -1, .chunk_rows = chunk_rows};
    TRY_ALL(s->comm, fault("before making an array"));
    TRY_ALL(s->comm, array_check(s, &a, type, n_dims, dims));
    TRY(agree_same_all(s->comm, array_key(&a), path));
    TRY_ALL(s->comm, s->rank == 0 ? array_make(s, &a) : OK);
    TRY_ALL(s->comm, fault("after making an array"));
    if (s->n_arrays == s->cap_arrays) {
        s->cap_arrays += 8;
        s->arrays = xrealloc(s->arrays, s->cap_arrays * sizeof *s->arrays);
    }
    s->arrays[s->n_arrays++] = a;
    a.path = NULL;
done:
    free(a.path);
    return st;
}

/* ---- from rank 0 to all ---- */

status store_serial_close(store *s)
{
    status st = OK;
    hid_t file = s->serial;
    s->serial = -1;
    if (file >= 0 && !s->broken && H5Fclose(file) < 0) {
        s->broken = true;
        TRY(h5_fail(E_IO, "%s: cannot be closed", s->final_name));
    }
    if (s->unreserved && s->n_arrays) TRY(store_fill_holes(s));
done:
    return st;
}

/* A rank that cannot open the file would leave the others waiting inside the collective open for ever. So each rank first opens it with
 * open(), as often as the library will (descriptors may run out), and all agree. A network file system may show a new file late. */
static status open_plainly(const store *s)
{
    enum { DESCRIPTORS = 8, PAUSE_MS = 50 };
    int fd[DESCRIPTORS], n = 0, why = 0;
    for (int waited_ms = 0; n < DESCRIPTORS; waited_ms += PAUSE_MS) {
        fd[n] = open(s->part, O_RDWR | O_CLOEXEC);
        if (fd[n] >= 0) {
            n++;
            continue;
        }
        why = errno;
        if ((why != ENOENT && why != ESTALE) || waited_ms >= STORE_SHOWN_WITHIN_S * 1000) break;
        nanosleep(&(struct timespec){0, PAUSE_MS * 1000000L}, NULL);
    }
    bool all = n == DESCRIPTORS;
    while (n > 0) close(fd[--n]);
    if (all) return OK;
    if (why == ENOENT || why == ESTALE)
        return fail(
            E_IO,
            "%s: rank 0 made it, but this rank's host does not show it after %d s (is the folder on a file system that all nodes share?)",
            s->part, STORE_SHOWN_WITHIN_S);
    return fail(E_IO, "%s: cannot be opened: %s%s", s->part, strerror(why), why == EMFILE ? " (raise `ulimit -n`)" : "");
}

/* Enters the calls whatever went wrong before them. */
static status open_together(store *s)
{
    status st = OK;
    hid_t fapl = h5_access();
    s->transfer = H5Pcreate(H5P_DATASET_XFER);
    if (fapl < 0 || H5Pset_fapl_mpio(fapl, s->comm, MPI_INFO_NULL) < 0 || s->transfer < 0 ||
        H5Pset_dxpl_mpio(s->transfer, H5FD_MPIO_COLLECTIVE) < 0)
        comm_abort("cannot prepare opening a file on all ranks");
    s->file = H5Fopen(s->part, H5F_ACC_RDWR, fapl);
    if (s->file < 0) st = h5_fail(E_IO, "%s: cannot be opened on all ranks", s->part);
    for (size_t i = 0; i < s->n_arrays; i++) {
        s->arrays[i].dset = H5Dopen2(s->file, s->arrays[i].path, H5P_DEFAULT);
        if (s->arrays[i].dset < 0 && st == OK) st = h5_fail(E_IO, "%s: '%s' cannot be opened", s->part, s->arrays[i].path);
    }
    H5Pclose(fapl);
    return st;
}

static status open_all(store *s)
{
    status st = OK;
    if (s->file >= 0) return OK;
    TRY_ALL(s->comm, s->rank == 0 ? store_serial_close(s) : OK);
    TRY_ALL(s->comm, fault("before opening together"));
    TRY_ALL(s->comm, open_plainly(s));
    TRY(store_io_all(s, open_together(s)));
    TRY_ALL(s->comm, fault("after opening together"));
done:
    return st;
}

/* ---- rows ---- */

static status rows_check(store *s, const char *path, int64_t first, int64_t n, const void *rows, array **out)
{
    array *a = array_find(s, path);
    long long from = first, more = n;
    if (!a) return fail(E_INTERNAL, "%s: '%s' was not made with store_array_all", s->final_name, path);
    if (n < 0 || (n && (!rows || first < 0 || first > a->v.dims[0] - n)))
        return fail(E_INTERNAL, "%s: '%s': cannot write %lld rows from row %lld on of %lld", s->final_name, path, more, from,
                    (long long)a->v.dims[0]);
    if (n && (first % a->chunk_rows || ((first + n) % a->chunk_rows && first + n != a->v.dims[0])))
        return fail(E_INTERNAL, "%s: '%s': rows %lld to %lld do not lie on chunk borders", s->final_name, path, from, from + more);
    *out = a;
    return OK;
}

/* One collective write; n may be 0. */
static status write_piece(store *s, array *a, int64_t first, int64_t n, const void *rows)
{
    status st = OK;
    hsize_t start[STORE_MAX_DIMS] = {(hsize_t)first}, count[STORE_MAX_DIMS] = {(hsize_t)n};
    char none = 0;
    hid_t type = h5_type(&a->v), space = H5Dget_space(a->dset), memory = -1;
    for (int d = 1; d < a->v.n_dims; d++) count[d] = (hsize_t)a->v.dims[d];
    if (space >= 0 && n) {
        memory = H5Screate_simple(a->v.n_dims, count, NULL);
        if (H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) < 0) st = h5_fail(E_INTERNAL, "selecting rows");
    } else if (space >= 0) {
        if (H5Sselect_none(space) < 0) st = h5_fail(E_INTERNAL, "selecting no rows");
    }
    if (type < 0 || space < 0 || (n && memory < 0)) st = h5_fail(E_INTERNAL, "selecting rows");
    bool able = n && st == OK;
    if (!able && space >= 0 && H5Sselect_none(space) < 0) comm_abort("cannot enter a collective write");
    herr_t rc = H5Dwrite(a->dset, type, able ? memory : space, space, s->transfer, able ? rows : &none);
    if (rc < 0 && st == OK) st = h5_fail(E_IO, "'%s': writing rows failed (is the disk full, or failing?)", a->path);
    if (memory >= 0) H5Sclose(memory);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return fail_within(st, "%s", s->final_name);
}

static status span_add(array *a, int64_t first, int64_t n)
{
    if (n == 0) return OK;
    if (a->n_spans && a->span[2 * a->n_spans - 2] + a->span[2 * a->n_spans - 1] == first) {
        a->span[2 * a->n_spans - 1] += n;
        return OK;
    }
    size_t cap = 2 * a->cap_spans;
    status st = mem_grow(&a->span, &cap, 2 * a->n_spans + 2, sizeof *a->span, "row ranges");
    if (st != OK) return st;
    a->cap_spans = cap / 2;
    a->span[2 * a->n_spans] = first;
    a->span[2 * a->n_spans + 1] = n;
    a->n_spans++;
    return OK;
}

status store_write_rows_all(store *s, const char *path, int64_t first, int64_t n, const void *rows)
{
    status st = OK, mine = OK;
    array *a = NULL;
    TRY_ALL(s->comm, rows_check(s, path, first, n, rows, &a));
    TRY(open_all(s));
    TRY_ALL(s->comm, fault("before writing rows"));
    a->rows += rows_digest(rows, a->row_bytes, first, n);
    int64_t chunk = (int64_t)a->row_bytes * a->chunk_rows, piece = a->chunk_rows * (PIECE_BYTES > chunk ? PIECE_BYTES / chunk : 1);
    int64_t calls = comm_max_i64_all(s->comm, (n + piece - 1) / piece);
    for (int64_t k = 0; k < calls; k++) {
        int64_t at = k * piece < n ? k * piece : n, m = n - at < piece ? n - at : piece;
        status now = write_piece(s, a, first + at, mine == OK ? m : 0, (const char *)rows + at * (int64_t)a->row_bytes);
        if (mine == OK) mine = now;
    }
    TRY(store_io_all(s, mine));
    TRY_ALL(s->comm, fault("after writing rows"));
    TRY_ALL(s->comm, span_add(a, first, n));
done:
    return st;
}
