/* store_impl.h -- shared by the files of common/store: a value in memory, an object of a file (group or array) with its attributes, their
 * digests, and safe ways into HDF5. Nothing outside common/store/ includes this. */
#ifndef MICON_STORE_STORE_IMPL_H
#define MICON_STORE_STORE_IMPL_H
#include "micon/store/store.h"

#include <hdf5.h>
#include <mpi.h>

enum { STORE_MAX_DIMS = 4, STORE_MAX_PATH = 4096, STORE_MAX_OBJECTS = 1000000 };

/* Small things are read whole; a file that claims more than this for one of them is refused. */
#define STORE_MAX_SMALL ((size_t)4 << 30)

typedef enum { VAL_U8, VAL_I8, VAL_I16, VAL_I32, VAL_I64, VAL_F32, VAL_F64, VAL_BOOL, VAL_TEXT } value_type;

/* dims[0] rows; a scalar has n_dims 0. Texts are `width` bytes each, padded with NULs, the last byte always NUL. */
typedef struct {
    value_type type;
    int n_dims;
    int64_t dims[STORE_MAX_DIMS];
    size_t width;
    void *data; /* owned; NULL for a big array, whose rows are elsewhere */
} value;

typedef struct {
    char *name;
    value v;
} attribute;

/* An object of the file. A big array's `rows` is the digest of its rows; small things' is taken from the data. */
typedef struct {
    char *path; /* "" is the root */
    bool is_group, is_big;
    value v;
    attribute *attr;
    size_t n_attrs, cap_attrs;
    uint64_t rows;
} node;

typedef struct {
    node *item;
    size_t n, cap;
} nodes;

/* ---- file_objects.c: values, nodes, digests; no HDF5 calls ---- */
size_t value_size(const value *v);                                                /* bytes of one element */
int64_t value_rows(const value *v);                                               /* 1 for a scalar */
status value_row_bytes(const value *v, size_t *bytes, const char *what) MUST_USE; /* E_FORMAT on overflow or negative dims */
status value_bytes(const value *v, size_t *bytes, const char *what) MUST_USE;     /* of the whole */
uint64_t rows_digest(const void *rows, size_t row_bytes, int64_t first, int64_t n);
uint64_t texts_digest(const char *texts, size_t width, int64_t first, int64_t n);
uint64_t value_digest(const value *v); /* of the rows */
void value_free(value *v);
value value_text(const char *s);                                                         /* a scalar text */
status value_texts(value *out, char *const *item, int64_t n, const char *what) MUST_USE; /* 1-D */
value value_int(int64_t i);
value value_bool(bool b);
value value_real(double d);
const char *value_text_at(const value *v, int64_t i); /* borrowed; VAL_TEXT */
int64_t value_whole_at(const value *v, int64_t i);    /* of a whole-number type */
value_type value_type_of(store_type t);

node *nodes_find(const nodes *l, const char *path);
node *nodes_add(nodes *l, const char *path, bool is_group); /* borrowed until the next add */
void nodes_sort(nodes *l);
void nodes_free(nodes *l);
void node_attr(node *o, const char *name, value v); /* takes v */
void node_encoding(node *o, const char *type, const char *version);
uint64_t node_digest(node *o); /* sorts its attributes */
/* A path that can be stored: components not empty, not "." or "..", no control characters. */
status store_path_check(const char *path) MUST_USE;

/* ---- hdf5.c, hdf5_read.c: HDF5, with its error stack turned into one message ---- */
status h5_start(void) MUST_USE;
/* fail() with the innermost text of HDF5's stack after it. */
status h5_fail(status code, const char *fmt, ...) PRINTF_LIKE(2, 3);
hid_t h5_type(const value *v); /* file type (little-endian); < 0 on failure. H5Tclose it. */
hid_t h5_bool_type(void);
hid_t h5_text_type(size_t width, H5T_cset_t cset, H5T_str_t pad);
hid_t h5_space(const value *v);
hid_t h5_plist(hid_t kind); /* without times */
hid_t h5_access(void);      /* how our files are opened */
/* Write one object with its attributes; groups and big arrays may exist already. */
status h5_write_node(hid_t file, const node *o) MUST_USE;
/* The root has the path "". */
status h5_open_or_make_group(hid_t file, const char *path, hid_t *group) MUST_USE;
status h5_write_attr(hid_t object, const char *name, const value *v) MUST_USE;
/* Open by a path of hard links only. *object is a group or a dataset; want: H5I_GROUP, H5I_DATASET or H5I_BADID for either. */
status h5_open(hid_t file, const char *path, H5I_type_t want, hid_t *object) MUST_USE;
/* From now on h5_open copies the path of what it opens there, truncated to size: for the message about a crash. */
void h5_note_to(char *room, size_t size);
bool h5_has(hid_t file, const char *path);
/* Type and shape of a dataset or attribute; a type we do not have is E_FORMAT. */
status h5_shape(hid_t object, bool is_attr, value *v) MUST_USE;
status h5_space_shape(hid_t space, value *v) MUST_USE; /* dimensions only */
/* Shape of a dataset of numbers of any type; is_real: of a floating one. The type of the shape is VAL_F64. */
status h5_rows_shape(hid_t dset, value *shape, bool *is_real) MUST_USE;
/* A dataset that claims far more values than the file holds would be read as zeros, perhaps without end: E_FORMAT. */
status h5_check_stored(hid_t dset) MUST_USE;
/* The whole value (shape and data); sizes are capped. v is {0} before. */
status h5_read(hid_t object, bool is_attr, value *v) MUST_USE;
status h5_read_attr(hid_t object, const char *name, value *v) MUST_USE; /* missing: E_FORMAT */
status h5_members(hid_t group, names *out) MUST_USE;                    /* names in a group, sorted */
bool h5_has_attr(hid_t object, const char *name);
status h5_read_text_attr(hid_t object, const char *name, char **out) MUST_USE;
/* A transfer list under which a value that does not fit a whole-number type is a failure. */
hid_t h5_no_overflow(void);
/* Rows of an open dataset into `out`, as `type` (a memory type). */
status h5_read_rows(hid_t dset, const value *shape, hid_t type, hid_t transfer, int64_t first, int64_t n, void *out) MUST_USE;
/* Digest of rows [first, first+n) of a dataset, in blocks. */
status h5_rows_digest(hid_t dset, const value *shape, int64_t first, int64_t n, uint64_t *out) MUST_USE;
status h5_open_serial(const char *path, bool write, hid_t *file) MUST_USE;

/* ---- blocks.c: the digests of a file's blocks ---- */
#define BLOCKS_ATTR "micon-blocks" /* at the root: the file ends in block digests */
enum { H5_OWN_MESSAGE = '\1' };    /* begins a text on HDF5's stack that is ours */
/* Append them to the closed part file; every rank reads its share of it. Collective. */
status blocks_append_all(const store *s) MUST_USE;
/* Property list for opening finished files: each block that is read is compared with its digest, where the file has them. H5Pclose it. */
hid_t blocks_access(void);
/* Does a file that was opened by blocks_access, and was written with block digests, still have them? A file that another program rewrote
 * ends where its HDF5 part does; any other end is E_FORMAT. */
status blocks_look(hid_t file, bool *there) MUST_USE;
/* Checks all bytes of a file and its length; a file without block digests is OK. */
status blocks_verify(const char *path) MUST_USE;

/* ---- content_digest.c ---- */
/* Every object of a file of ours, sorted, with its attributes and shape; `rows` holds the digest sums over this rank's part of
 * each object's rows (rank of size): added over the ranks they are the whole. Local. */
status content_read(hid_t file, int rank, int size, nodes *seen) MUST_USE;
uint64_t nodes_digest(nodes *l); /* the content digest; sorts */
/* Compare the content of an open file of ours with the recorded digest. Reads all of it. */
status content_check(const store_file *f) MUST_USE;

/* ---- a store being written: write.c, reserve.c, write_small.c, write_frame.c, commit.c ---- */
typedef struct {
    char *path;
    value v; /* type and shape only */
    int64_t chunk_rows;
    size_t row_bytes;
    hid_t dset;
    uint64_t rows; /* digest sum of the rows that this rank wrote */
    int64_t *span; /* row ranges that it wrote: pairs first, n; neighbours are joined */
    size_t n_spans, cap_spans;
} array;

struct store {
    MPI_Comm comm;
    int rank, format;
    bool anndata;
    bool made;   /* the part file is there; rank 0 */
    bool broken; /* an HDF5 call failed: the file cannot be trusted to close */
    char *final_name, *kind;
    char *part;       /* its name until it is published */
    hid_t serial;     /* rank 0 lays the file out; < 0 when closed */
    hid_t file;       /* open on all ranks, for rows; < 0 when closed */
    hid_t transfer;   /* collective */
    int64_t reserved; /* bytes asked of the file system; rank 0 */
    bool unreserved;  /* the file system cannot do that; rank 0 */
    array *arrays;
    size_t n_arrays, cap_arrays;
    nodes put;     /* all objects of the file; rank 0 */
    status put_st; /* the first failure of a put, with its text */
    char put_msg[1024];
};

/* Is there that much room on the disk? Rank 0. */
status store_space_check(const store *s, int64_t bytes) MUST_USE;
/* Where the file system cannot reserve: every byte of the closed file is written once. Rank 0. */
status store_fill_holes(const store *s) MUST_USE;
/* Reserve `more` bytes for the part file on top of those reserved before. Rank 0. */
status store_reserve(store *s, int64_t more) MUST_USE;
/* End the layout; by then every byte has its room on the disk. Rank 0. */
status store_serial_close(store *s) MUST_USE;
/* Make the groups on the way to `path` among the nodes; the object itself must be new. Rank 0. */
status store_claim(store *s, const char *path) MUST_USE;

bool store_may_put(const store *s);         /* rank 0, and no put has failed */
void store_put_failed(store *s, status st); /* keeps the first failure for the commit */

/* ---- a file being read: read.c, read_values.c, read_frame.c ---- */
enum { OPEN_ARRAYS = 8 };
typedef struct {
    char *path;
    hid_t dset;
    value shape;
} opened;

struct store_file {
    char *path, *kind;
    hid_t file;
    uint64_t digest;
    bool blocks_gone;         /* it was written with block digests that are gone: its bytes are not checked yet */
    opened kept[OPEN_ARRAYS]; /* arrays read from recently: the next row costs no look-up */
    int next;                 /* the one to be replaced next */
};

/* A complete file of ours of any kind and format. */
status store_open_ours(store_file **out, const char *path) MUST_USE;
/* A whole small array. Messages lack the file name. */
status store_read_value(const store_file *f, const char *path, value *v) MUST_USE;
/* The same; a categorical is expanded to the values of its codes. *missing (caller frees; NULL where none is) marks missing values. v is
 * {0} before. */
status store_read_column(const store_file *f, const char *path, value *v, bool **missing, bool *is_category) MUST_USE;

#endif
