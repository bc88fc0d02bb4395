/* read.c -- the reading half of the store: local, read-only, serial. Every message begins with the file's name. */
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "store_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- open, close ---- */

void store_close(store_file **f)
{
    store_file *t = *f;
    if (!t) return;
    for (int i = 0; i < OPEN_ARRAYS; i++) {
        if (t->kept[i].path) H5Dclose(t->kept[i].dset);
        free(t->kept[i].path);
    }
    if (t->file >= 0) H5Fclose(t->file);
    H5Eclear2(H5E_DEFAULT);
    free(t->kind);
    free(t->path);
    FREE(*f);
}

static status digest_parse(const char *hex, uint64_t *out)
{
    char *end;
    if (strlen(hex) != DIGEST_TEXT - 1 || strspn(hex, "0123456789abcdef") != DIGEST_TEXT - 1)
        return fail(E_FORMAT, "attribute 'micon-digest' is not a digest");
    *out = strtoull(hex, &end, 16);
    return OK;
}

/* Our marks at the root: kind, format, digest, complete. */
static status read_marks(store_file *f, hid_t root, const char *kind, int64_t *format)
{
    status st = OK;
    value v = {0};
    char *hex = NULL;
    if (!h5_has_attr(root, "micon-kind")) {
        if (kind) TRY(fail(E_FORMAT, "is not a file of MICON's"));
        goto done;
    }
    TRY(h5_read_text_attr(root, "micon-kind", &f->kind));
    TRY(h5_read_attr(root, "micon-format", &v));
    if (v.type != VAL_I64 || v.n_dims != 0) TRY(fail(E_FORMAT, "attribute 'micon-format' is not a whole number"));
    *format = *(int64_t *)v.data;
    if (!h5_has_attr(root, "micon-complete") || !h5_has_attr(root, "micon-digest"))
        TRY(fail(E_FORMAT, "is incomplete: its writing was never finished; make it again"));
    if (kind && h5_has_attr(root, BLOCKS_ATTR)) {
        bool there;
        TRY(blocks_look(f->file, &there));
        f->blocks_gone = !there;
    }
    TRY(h5_read_text_attr(root, "micon-digest", &hex));
    TRY(digest_parse(hex, &f->digest));
done:
    value_free(&v);
    free(hex);
    return st;
}

static status open_any(store_file **out, const char *path, const char *kind, int64_t *format)
{
    status st = OK;
    hid_t root = -1;
    store_file *f = xcalloc(1, sizeof *f);
    f->path = xstrdup(path);
    *out = NULL;
    *format = 0;
    st = h5_open_serial(path, false, &f->file);
    if (st != OK) goto done;
    root = H5Gopen2(f->file, "/", H5P_DEFAULT);
    if (root < 0) TRY(h5_fail(E_FORMAT, "%s: its root cannot be opened", path));
    TRY(fail_within(read_marks(f, root, kind, format), "%s", path));
    if (!f->kind) f->kind = xstrdup("");
    *out = f;
    f = NULL;
done:
    if (root >= 0) H5Gclose(root);
    store_close(&f);
    return st;
}

status store_open_ours(store_file **out, const char *path)
{
    int64_t format;
    return open_any(out, path, "", &format);
}

status store_open(store_file **out, const char *path, const char *kind, int format)
{
    int64_t is = 0;
    char shown[100];
    status st = open_any(out, path, kind, &is);
    if (st != OK || !kind) return st;
    if (strcmp((*out)->kind, kind) != 0)
        st = fail(E_FORMAT, "%s: holds %s, not %s", path, text_show(shown, sizeof shown, (*out)->kind), kind);
    else if (is > format || is < 1)
        st = fail(E_FORMAT, "%s: has format %lld of %s, this program knows up to %d: made by a newer version?", path, (long long)is, kind,
                  format);
    if (st == OK && (*out)->blocks_gone)
        st = content_check(*out); /* rewritten by another program such as h5repack: check the whole content once */
    if (st != OK) store_close(out);
    return st;
}

const char *store_kind(const store_file *f)
{
    return f->kind;
}

uint64_t store_digest(const store_file *f)
{
    return f->digest;
}

bool store_has(const store_file *f, const char *path)
{
    return h5_has(f->file, path);
}

status store_list(const store_file *f, const char *group, names *out)
{
    status st = OK;
    hid_t object = -1;
    TRY(h5_open(f->file, group, H5I_GROUP, &object));
    TRY(h5_members(object, out));
done:
    if (object >= 0) H5Oclose(object);
    return fail_within(st, "%s", f->path);
}

/* ---- big arrays ---- */

/* The size of the chunk cache for an array; 0: HDF5's default. HDF5 keeps 1 MB of unpacked chunks. For wide compressed tables of others
 * that is too little: reading row by row would unpack all chunks of a row for each row. This much holds the chunks of a row. */
static size_t cache_wanted(const store_file *f, hid_t dset, const value *shape)
{
    enum { USUAL = 1 << 20, MOST = 1 << 26, MOST_FOREIGN = 1 << 29 }; /* foreign files are read in a worker with limited memory */
    hsize_t chunk[H5S_MAX_RANK];
    hid_t plist = H5Dget_create_plist(dset), type = H5Dget_type(dset);
    double bytes = 0;
    if (plist >= 0 && type >= 0 && H5Pget_layout(plist) == H5D_CHUNKED && H5Pget_nfilters(plist) > 0 &&
        H5Pget_chunk(plist, H5S_MAX_RANK, chunk) == shape->n_dims) {
        bytes = (double)H5Tget_size(type) * (double)chunk[0];
        for (int d = 1; d < shape->n_dims; d++) bytes *= ceil((double)shape->dims[d] / (double)chunk[d]) * (double)chunk[d];
    }
    if (type >= 0) H5Tclose(type);
    if (plist >= 0) H5Pclose(plist);
    return bytes > USUAL && bytes <= (*f->kind ? MOST : MOST_FOREIGN) ? (size_t)bytes : 0;
}

/* The same array again, with a cache of that size. */
static status array_reopen(hid_t file, const char *path, size_t bytes, hid_t *dset)
{
    enum { SLOTS = 12421 }; /* a prime, more than a hundred times the chunks of a row in most files */
    hid_t access = H5Pcreate(H5P_DATASET_ACCESS), again = -1;
    H5Dclose(*dset); /* close first: an array opened a second time shares the cache of the first */
    if (access >= 0 && H5Pset_chunk_cache(access, SLOTS, bytes, 1) >= 0) again = H5Dopen2(file, path, access);
    if (access >= 0) H5Pclose(access);
    *dset = again;
    return again < 0 ? h5_fail(E_FORMAT, "'%s' cannot be opened again", path) : OK;
}

static status array_open(const store_file *cf, const char *path, opened **out)
{
    store_file *f = (store_file *)(uintptr_t)cf; /* the cache of open arrays is not part of the file's value */
    status st = OK;
    hid_t dset = -1;
    bool is_real = false;
    value shape;
    for (int i = 0; i < OPEN_ARRAYS; i++)
        if (f->kept[i].path && strcmp(f->kept[i].path, path) == 0) {
            *out = &f->kept[i];
            return OK;
        }
    TRY(h5_open(f->file, path, H5I_DATASET, &dset));
    TRY(fail_within(h5_rows_shape(dset, &shape, &is_real), "'%s'", path));
    size_t cache = cache_wanted(f, dset, &shape);
    if (cache) TRY(array_reopen(f->file, path, cache, &dset));
    shape.type = is_real ? VAL_F64 : VAL_I64;
    opened *o = &f->kept[f->next];
    f->next = (f->next + 1) % OPEN_ARRAYS;
    if (o->path) H5Dclose(o->dset);
    free(o->path);
    *o = (opened){xstrdup(path), dset, shape};
    *out = o;
    dset = -1;
done:
    if (dset >= 0) H5Dclose(dset);
    return fail_within(st, "%s", f->path);
}

status store_dims(const store_file *f, const char *path, int *n_dims, int64_t dims[4])
{
    status st = OK;
    hid_t dset = -1, space = -1;
    value shape = {0};
    TRY(h5_open(f->file, path, H5I_DATASET, &dset));
    space = H5Dget_space(dset);
    if (space < 0) TRY(h5_fail(E_FORMAT, "'%s': cannot tell its dimensions", path));
    TRY(fail_within(h5_space_shape(space, &shape), "'%s'", path));
    *n_dims = shape.n_dims;
    for (int d = 0; d < 4; d++) dims[d] = d < shape.n_dims ? shape.dims[d] : 0;
done:
    if (space >= 0) H5Sclose(space);
    if (dset >= 0) H5Dclose(dset);
    return fail_within(st, "%s", f->path);
}

static hid_t native_type(store_type t)
{
    switch (t) {
    case STORE_U8: return H5T_NATIVE_UINT8;
    case STORE_I32: return H5T_NATIVE_INT32;
    case STORE_I64: return H5T_NATIVE_INT64;
    case STORE_F32: return H5T_NATIVE_FLOAT;
    case STORE_F64: return H5T_NATIVE_DOUBLE;
    }
    return -1;
}

status store_read_rows(const store_file *f, const char *path, store_type as, int64_t first, int64_t n, void *out)
{
    status st = OK;
    opened *o = NULL;
    hid_t transfer = -1;
    bool whole = as == STORE_U8 || as == STORE_I32 || as == STORE_I64;
    st = array_open(f, path, &o);
    if (st != OK) return st;
    if (o->shape.n_dims == 0) TRY(fail(E_FORMAT, "'%s' is a single value, not an array", path));
    if (first < 0 || n < 0 || first > o->shape.dims[0] - n)
        TRY(fail(E_FORMAT, "'%s' has %lld rows; %lld from row %lld on were asked for", path, (long long)o->shape.dims[0], (long long)n,
                 (long long)first));
    if (whole && o->shape.type == VAL_F64) TRY(fail(E_FORMAT, "'%s' holds real numbers where whole ones are needed", path));
    transfer = whole ? h5_no_overflow() : H5Pcreate(H5P_DATASET_XFER);
    if (transfer < 0) TRY(h5_fail(E_INTERNAL, "'%s': cannot prepare reading", path));
    TRY(fail_within(h5_read_rows(o->dset, &o->shape, native_type(as), transfer, first, n, out), "'%s'", path));
done:
    if (transfer >= 0) H5Pclose(transfer);
    return fail_within(st, "%s", f->path);
}
