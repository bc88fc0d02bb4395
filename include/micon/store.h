/* store.h -- our HDF5 files: written by all ranks, verified, published under their final name only when right; and read back.
 * common/par/store*.c are the only files that know HDF5; only one thread of a process may call them.
 *
 * Writing (collective where the name ends in _all):
 *   create   opens NAME.part.* after a look at the free space (fails with E_IO when `bytes` will not fit)
 *   arrays   big ones, chunked, uncompressed, written by all ranks in row blocks; a digest is taken of every chunk row before it is written
 *   put      small things, handed over on rank 0 (other ranks' calls are accepted and ignored), kept in memory until commit
 *   commit   closes the collective part; rank 0 adds the small things, the content digest and the `complete` mark with the serial
 *            driver; all ranks read their rows back and compare digests (collective HDF5 over OMPIO reports success on a full disk
 *            while values read back wrong: this is not optional); fsync, rename.
 * The bytes depend on the contents only: not on ranks, times or hosts.
 *
 * AnnData encoding is written as it is expected by anndata.read_h5ad (INTEROP.md): a "frame" is a dataframe group, a text a scalar
 * string, groups on the way to a path are made as `dict`. */
#ifndef MICON_STORE_H
#define MICON_STORE_H
#include "micon/frame.h"
#include "micon/status.h"
#include "micon/text.h"

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
    bool anndata;     /* the root is an AnnData (obs, var, X, ...) */
} store_info;

status store_create_all(store **out, MPI_Comm comm, const char *final_name, const store_info *info) MUST_USE;

/* A big array at `path` ("tiles", "X", "obsm/projected"), dims[0] rows, chunks of chunk_rows rows. */
status store_array_all(store *s, const char *path, store_type type, int n_dims, const int64_t *dims, int64_t chunk_rows) MUST_USE;

/* Write rows [first, first+n) of it; n may be 0 on some ranks; ranks' ranges never overlap and begin on chunk borders. Every rank
 * makes the same number of calls. */
status store_write_rows_all(store *s, const char *path, int64_t first, int64_t n, const void *rows) MUST_USE;

/* Small things; rank 0's count. Data is copied. */
status store_put_frame(store *s, const char *path, const frame *f) MUST_USE;      /* "obs", "var", "uns/rejects" */
status store_put_text(store *s, const char *path, const char *value) MUST_USE;    /* "uns/micon/config" */
status store_put_texts(store *s, const char *path, const names *values) MUST_USE; /* 1-D string array */
status store_put_int(store *s, const char *path, int64_t value) MUST_USE;
status store_put_real(store *s, const char *path, double value) MUST_USE;
status store_put_values(store *s, const char *path, store_type type, int n_dims, const int64_t *dims, const void *data) MUST_USE;

status store_commit_all(store **s) MUST_USE; /* *s is NULL afterwards, whatever came */
void store_abandon_all(store **s);           /* NULL-safe; removes the part file; every rank reaches it, no-op after commit */

/* ---- reading: local, read-only, serial driver; every rank may open the same file ---- */
typedef struct store_file store_file;

/* kind NULL: any AnnData file of anyone's (strings of any kind, categoricals, nothing of ours expected). Otherwise a file that is
 * incomplete, of another kind, or of a newer format than `format` is refused. */
status store_open(store_file **out, const char *path, const char *kind, int format) MUST_USE;
void store_close(store_file **f); /* NULL-safe, sets NULL */
bool store_has(const store_file *f, const char *path);
status store_dims(const store_file *f, const char *path, int *n_dims, int64_t dims[4]) MUST_USE;
status store_read_rows(const store_file *f, const char *path, store_type as, int64_t first, int64_t n, void *out) MUST_USE;
status store_read_frame(const store_file *f, const char *path, frame *out) MUST_USE; /* out is {0} before */
status store_read_text(const store_file *f, const char *path, char **out) MUST_USE;  /* caller frees */
status store_read_texts(const store_file *f, const char *path, names *out) MUST_USE;
status store_read_int(const store_file *f, const char *path, int64_t *out) MUST_USE;
status store_read_real(const store_file *f, const char *path, double *out) MUST_USE;
/* Names of the members of a group ("uns", ""), sorted. */
status store_list(const store_file *f, const char *group, names *out) MUST_USE;
/* The content digest recorded in the file: what another file records as its input. */
uint64_t store_digest(const store_file *f);

/* Compute the content digest anew from every byte of content and compare: months later, `micon verify`. Local. */
status store_verify(const char *path, uint64_t *digest) MUST_USE;

#endif
