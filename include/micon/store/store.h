/* store.h -- our HDF5 files: written by all ranks, verified, published under their final name only when right; and read back.
 * common/store/ is the only room that knows HDF5; only one thread of a process may call them.
 *
 * Writing (collective where the name ends in _all):
 *   create   opens NAME.part.* after a look at the free space (E_IO when `bytes` will not fit)
 *   arrays   big ones, chunked, uncompressed; rank 0 lays them out and their room on the disk is reserved; then all ranks write row
 *            blocks together, and a digest of every row is taken before it is written
 *   put      small things, handed over on rank 0 (other ranks' calls are accepted and ignored), kept in memory until commit
 *   commit   closes the collective part; rank 0 adds the small things, the content digest and the `complete` mark with the serial
 *            driver; all ranks read rows back and compare digests (collective HDF5 over OMPIO reports success on a full disk
 *            while values read back wrong: this is not optional); fsync, rename.
 * The bytes depend on the contents only: not on ranks, times or hosts. The final file follows the umask.
 *
 * AnnData encoding is written as it is expected by anndata.read_h5ad (docs/file-formats.md): a "frame" is a dataframe group, a text a
 * scalar string, groups on the way to a path are made as `dict`.
 *
 * Content digest: a function of what the file says, not of how it is laid out (chunks, filters, byte order, widths of strings).
 *   value   = sum over its rows i (modulo 2^64) of mix(i, XXH3 of the row's little-endian bytes; of a text: its bytes and a NUL);
 *             a scalar is one row
 *   object  = mix of path, kind or type, dimensions, value, and its attributes by name (type, dimensions, value)
 *   content = mix over the objects in the order of their paths, from the root on, without the attributes micon-digest and
 *             micon-complete
 * so that it can be taken over any split of the rows and needs no memory; store_verify takes it anew from the file. */
#ifndef MICON_STORE_STORE_H
#define MICON_STORE_STORE_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/table/frame.h"

#include <mpi.h>
#include <stdbool.h>
#include <stdint.h>

typedef enum { STORE_U8, STORE_I32, STORE_I64, STORE_F32, STORE_F64 } store_type;
size_t store_type_size(store_type t);

/* ---- writing ---- */
typedef struct store store;

typedef struct {
    const char *kind; /* "tiles", "compounds", "embeddings", "profiles": recorded, and asked for by readers */
    int format;       /* version of that kind's layout, from 1 */
    int64_t bytes;    /* about how large it will be, for the look at the free space */
    bool anndata;     /* the root is an AnnData (obs, var, X, ...): nothing else may stand there */
} store_info;

/* Makes the folder where it is missing. From here on SIGXFSZ is ignored in this process: a file size limit is an error like
 * any other. */
status store_create_all(store **out, MPI_Comm comm, const char *final_name, const store_info *info) MUST_USE;

/* A big array at `path` ("tiles", "X", "obsm/projected"): n_dims 1..4, dims[0] rows (0 is fine), chunks of chunk_rows rows, each
 * below 4 GiB. All arrays come before the first write. Arguments are compared over the ranks. */
status store_array_all(store *s, const char *path, store_type type, int n_dims, const int64_t *dims, int64_t chunk_rows) MUST_USE;

/* Write rows [first, first+n) of it; n may be 0 on some ranks (rows NULL then); ranks' ranges never overlap and begin on chunk
 * borders. Every rank makes the same number of calls. Any size: it is split as MPI needs it. Rows never written are an error of
 * the commit. */
status store_write_rows_all(store *s, const char *path, int64_t first, int64_t n, const void *rows) MUST_USE;

/* Small things; rank 0's count. Local; data is copied. They return nothing, so that rank 0 cannot leave the others alone in the
 * middle of a stage: what went wrong (a path twice, a name that cannot be stored) is kept and returned by commit.
 * A frame's FRAME_TEXT columns become string arrays, FRAME_CATEGORY ones categoricals ("" is missing). Its text column "_index", where
 * it has one, becomes AnnData's index (the names of `var`); otherwise the index is "0", "1", ... Reading gives a column "_index" only
 * where the index says more than that. */
void store_put_frame(store *s, const char *path, const frame *f);      /* "obs", "var", "uns/rejects" */
void store_put_index(store *s, const char *path, const names *index);  /* a frame of nothing else: "var" */
void store_put_text(store *s, const char *path, const char *value);    /* "uns/micon/config" */
void store_put_texts(store *s, const char *path, const names *values); /* 1-D string array */
void store_put_int(store *s, const char *path, int64_t value);
void store_put_real(store *s, const char *path, double value);
void store_put_values(store *s, const char *path, store_type type, int n_dims, const int64_t *dims, const void *data);

/* *s is NULL afterwards, whatever came. After a failure nothing of it is left, not the part file either. */
status store_commit_all(store **s) MUST_USE;
void store_abandon_all(store **s); /* NULL-safe; removes the part file; every rank reaches it, no-op after commit */

/* ---- reading: local, read-only, serial driver; every rank may open the same file; works without MPI_Init ---- */
typedef struct store_file store_file;

/* kind NULL: any AnnData file of anyone's (strings of any kind, categoricals, nothing of ours expected). Otherwise a file that is
 * incomplete, of another kind, or of a newer format than `format` is refused (E_FORMAT). */
status store_open(store_file **out, const char *path, const char *kind, int format) MUST_USE;
void store_close(store_file **f);            /* NULL-safe, sets NULL */
const char *store_kind(const store_file *f); /* borrowed; "" for a file that is not ours */
bool store_has(const store_file *f, const char *path);
/* Of an array; a scalar has n_dims 0. */
status store_dims(const store_file *f, const char *path, int *n_dims, int64_t dims[4]) MUST_USE;
/* Rows [first, first+n) as another type where every value fits: integers from integers, reals from anything. The opened array is
 * kept: calls for single rows are cheap. */
status store_read_rows(const store_file *f, const char *path, store_type as, int64_t first, int64_t n, void *out) MUST_USE;
/* out is {0} before. Missing values of others: "" in text, NaN in numbers. */
status store_read_frame(const store_file *f, const char *path, frame *out) MUST_USE;
status store_read_text(const store_file *f, const char *path, char **out) MUST_USE;  /* caller frees */
status store_read_texts(const store_file *f, const char *path, names *out) MUST_USE; /* string array, or a categorical of them */
status store_read_int(const store_file *f, const char *path, int64_t *out) MUST_USE;
status store_read_real(const store_file *f, const char *path, double *out) MUST_USE;
/* Names of the members of a group ("uns", ""), sorted. */
status store_list(const store_file *f, const char *group, names *out) MUST_USE;
/* The content digest recorded in the file: what another file records as its input. 0 for a file that is not ours. */
uint64_t store_digest(const store_file *f);

/* Compute the content digest anew from every byte of content and compare: months later, `micon verify`. Local. */
status store_verify(const char *path, uint64_t *digest) MUST_USE;

#endif
