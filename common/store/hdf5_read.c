/* hdf5_read.c -- shapes, values and members read from HDF5. File contents are taken as hostile: sizes are capped before memory is asked
 * for. */
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK_BYTES = 4 << 20 };

/* A value that does not fit a whole-number type is an error instead of being truncated. */
static H5T_conv_ret_t no_overflow(H5T_conv_except_t kind, hid_t from, hid_t to, void *src, void *dst, void *unused)
{
    (void)from, (void)to, (void)src, (void)dst, (void)unused;
    return kind == H5T_CONV_EXCEPT_PRECISION ? H5T_CONV_UNHANDLED : H5T_CONV_ABORT;
}

hid_t h5_no_overflow(void)
{
    hid_t p = H5Pcreate(H5P_DATASET_XFER);
    if (p >= 0 && H5Pset_type_conv_cb(p, no_overflow, NULL) < 0) {
        H5Pclose(p);
        return -1;
    }
    return p;
}

static status enum_shape(hid_t type, value *v)
{
    status st = OK;
    int8_t n = 0;
    hid_t want = h5_bool_type();
    if (want < 0) TRY(h5_fail(E_INTERNAL, "boolean type"));
    if (H5Tget_nmembers(type) != 2 || H5Tenum_valueof(want, "TRUE", &n) < 0 || H5Tequal(type, want) <= 0)
        TRY(h5_fail(E_FORMAT, "an enumeration that is not the boolean one"));
    v->type = VAL_BOOL;
done:
    if (want >= 0) H5Tclose(want);
    return st;
}

/* Types that we do not write are read as the smallest of ours that holds them. */
static status number_shape(hid_t type, H5T_class_t class, value *v)
{
    size_t size = H5Tget_size(type);
    if (class == H5T_FLOAT) {
        if (size != 2 && size != 4 && size != 8) return fail(E_FORMAT, "real numbers of %zu bytes are not read", size);
        v->type = size == 8 ? VAL_F64 : VAL_F32;
        return OK;
    }
    bool sign = H5Tget_sign(type) != H5T_SGN_NONE;
    if (size != 1 && size != 2 && size != 4 && size != 8) return fail(E_FORMAT, "whole numbers of %zu bytes are not read", size);
    if (!sign)
        v->type = size == 1 ? VAL_U8 : VAL_I64;
    else
        v->type = size == 1 ? VAL_I8 : size == 2 ? VAL_I16 : size == 4 ? VAL_I32 : VAL_I64;
    return OK;
}

status h5_space_shape(hid_t space, value *v)
{
    H5S_class_t class = H5Sget_simple_extent_type(space);
    hsize_t dims[H5S_MAX_RANK];
    if (class == H5S_SCALAR) {
        v->n_dims = 0;
        return OK;
    }
    if (class == H5S_NULL) { /* h5py's "Empty" */
        v->n_dims = 1;
        v->dims[0] = 0;
        return OK;
    }
    if (class != H5S_SIMPLE) return h5_fail(E_FORMAT, "has no dimensions");
    int n = H5Sget_simple_extent_dims(space, dims, NULL);
    if (n < 1) return h5_fail(E_FORMAT, "cannot tell its dimensions");
    if (n > STORE_MAX_DIMS) return fail(E_FORMAT, "has %d dimensions; at most %d are read", n, STORE_MAX_DIMS);
    v->n_dims = n;
    for (int d = 0; d < n; d++) {
        if (dims[d] > INT64_MAX) return fail(E_FORMAT, "a dimension is beyond 2^63");
        v->dims[d] = (int64_t)dims[d];
    }
    return OK;
}

status h5_shape(hid_t object, bool is_attr, value *v)
{
    status st = OK;
    hid_t type = is_attr ? H5Aget_type(object) : H5Dget_type(object);
    hid_t space = is_attr ? H5Aget_space(object) : H5Dget_space(object);
    *v = (value){0};
    if (type < 0 || space < 0) TRY(h5_fail(E_FORMAT, "cannot tell its type"));
    H5T_class_t class = H5Tget_class(type);
    if (class == H5T_STRING) {
        v->type = VAL_TEXT;
        v->width = H5Tis_variable_str(type) ? 0 : H5Tget_size(type) + 1;
    } else if (class == H5T_ENUM) {
        TRY(enum_shape(type, v));
    } else if (class == H5T_INTEGER || class == H5T_FLOAT) {
        TRY(number_shape(type, class, v));
    } else {
        TRY(fail(E_FORMAT, "a type that is not used here"));
    }
    TRY(h5_space_shape(space, v));
    size_t bytes;
    TRY(value_bytes(v, &bytes, "array"));
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}

status h5_check_stored(hid_t dset)
{
    enum { FEW = 1 << 20, MOST_PACKED = 1100 }; /* deflate packs 1,032 to 1 at best */
    status st = OK;
    hid_t plist = H5Dget_create_plist(dset), type = H5Dget_type(dset), space = H5Dget_space(dset);
    if (plist < 0 || type < 0 || space < 0) TRY(h5_fail(E_FORMAT, "cannot be examined"));
    hssize_t n = H5Sget_simple_extent_npoints(space);
    size_t bytes, packed = H5Pget_layout(plist) == H5D_CHUNKED && H5Pget_nfilters(plist) != 0 ? MOST_PACKED : 1;
    if (n < 0 || !mul_size((size_t)n, H5Tget_size(type), &bytes)) TRY(fail(E_FORMAT, "larger than can be addressed"));
    if (bytes > FEW && bytes / packed > (size_t)H5Dget_storage_size(dset))
        TRY(fail(E_FORMAT, "claims %zu bytes of values that are not in the file", bytes));
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    if (plist >= 0) H5Pclose(plist);
    return st;
}

/* The first filter of a dataset that this library does not have, by the name that users know; false: it has all. */
static bool filter_missing(hid_t dset, char *shown, size_t size, int *number)
{
    static const struct {
        H5Z_filter_t id;
        const char *name;
    } known[] = {{H5Z_FILTER_SZIP, "szip"}, {307, "bzip2"}, {32000, "lzf"},  {32001, "blosc"}, {32004, "lz4"},
                 {32008, "bitshuffle"},     {32013, "zfp"}, {32015, "zstd"}, {32026, "blosc2"}};
    hid_t plist = H5Dget_create_plist(dset);
    int n = plist < 0 ? 0 : H5Pget_nfilters(plist);
    bool missing = false;
    for (int i = 0; i < n && !missing; i++) {
        unsigned flags, config;
        size_t n_values = 0;
        char in_file[80] = "";
        const char *name = in_file;
        H5Z_filter_t id = H5Pget_filter2(plist, (unsigned)i, &flags, &n_values, NULL, sizeof in_file, in_file, &config);
        if (id < 0 || H5Zfilter_avail(id) > 0) continue;
        for (size_t k = 0; k < sizeof known / sizeof *known; k++)
            if (known[k].id == id) name = known[k].name;
        in_file[sizeof in_file - 1] = '\0';
        text_show(shown, size, *name ? name : "unknown");
        *number = (int)id;
        missing = true;
    }
    if (plist >= 0) H5Pclose(plist);
    H5Eclear2(H5E_DEFAULT);
    return missing;
}

/* The error of a failed H5Dread; a missing filter is the more helpful reason. */
static status read_failed(hid_t dset, const char *what)
{
    char name[100];
    int number;
    status st = h5_fail(E_FORMAT, "%s", what);
    if (!filter_missing(dset, name, sizeof name, &number)) return st;
    msg_clear();
    return fail(E_FORMAT,
                "is compressed with the filter '%s' (number %d), which this HDF5 library does not have: write the file again with gzip "
                "or without compression (h5repack -f GZIP=4, compression='gzip' in Python)",
                name, number);
}

/* The memory type that goes with a shape; texts take the file's character set (HDF5 does not convert between them). */
static hid_t memory_type(hid_t object, bool is_attr, const value *v)
{
    if (v->type != VAL_TEXT) return h5_type(v);
    hid_t file_type = is_attr ? H5Aget_type(object) : H5Dget_type(object);
    if (file_type < 0) return -1;
    H5T_cset_t cset = H5Tget_cset(file_type);
    H5Tclose(file_type);
    return h5_text_type(v->width ? v->width : H5T_VARIABLE, cset, H5T_STR_NULLTERM);
}

/* Texts of variable length become texts of one width. */
static status read_variable(hid_t object, bool is_attr, hid_t type, value *v)
{
    status st = OK;
    int64_t n = 1;
    size_t width = 1, bytes;
    char **each = NULL;
    hid_t space = h5_space(v);
    bool filled = false;
    for (int d = 0; d < v->n_dims; d++)
        if (__builtin_mul_overflow(n, v->dims[d], &n)) TRY(fail(E_FORMAT, "larger than can be addressed"));
    if (space < 0) TRY(h5_fail(E_INTERNAL, "dimensions"));
    if ((uint64_t)n > STORE_MAX_SMALL / sizeof *each) TRY(fail(E_FORMAT, "claims %lld texts", (long long)n));
    TRY(mem_alloc(&each, (size_t)n, sizeof *each, "texts"));
    if (n && (is_attr ? H5Aread(object, type, each) : H5Dread(object, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, each)) < 0)
        TRY(is_attr ? h5_fail(E_FORMAT, "cannot be read") : read_failed(object, "cannot be read"));
    filled = true;
    for (int64_t i = 0; i < n; i++) {
        size_t len = each[i] ? strlen(each[i]) + 1 : 1;
        if (len > width) width = len;
    }
    v->width = width;
    TRY(value_bytes(v, &bytes, "texts"));
    if (bytes > STORE_MAX_SMALL) TRY(fail(E_FORMAT, "claims %zu bytes of text", bytes));
    TRY(mem_alloc(&v->data, (size_t)n, width, "texts"));
    for (int64_t i = 0; i < n; i++)
        if (each[i]) memcpy((char *)v->data + (size_t)i * width, each[i], strlen(each[i]));
done:
    if (filled && n) H5Dvlen_reclaim(type, space, H5P_DEFAULT, each);
    if (space >= 0) H5Sclose(space);
    free(each);
    return st;
}

status h5_read(hid_t object, bool is_attr, value *v)
{
    status st = OK;
    size_t bytes;
    hid_t type = -1, transfer = h5_no_overflow();
    TRY(h5_shape(object, is_attr, v));
    if (!is_attr) TRY(h5_check_stored(object));
    type = memory_type(object, is_attr, v);
    if (type < 0 || transfer < 0) TRY(h5_fail(E_FORMAT, "cannot tell its type"));
    if (v->type == VAL_TEXT && v->width == 0) {
        TRY(read_variable(object, is_attr, type, v));
        goto done;
    }
    TRY(value_bytes(v, &bytes, "value"));
    if (bytes > STORE_MAX_SMALL) TRY(fail(E_FORMAT, "claims %zu bytes", bytes));
    TRY(mem_alloc(&v->data, bytes, 1, "value"));
    if (bytes && (is_attr ? H5Aread(object, type, v->data) : H5Dread(object, type, H5S_ALL, H5S_ALL, transfer, v->data)) < 0)
        TRY(is_attr ? h5_fail(E_FORMAT, "cannot be read") : read_failed(object, "cannot be read"));
done:
    if (transfer >= 0) H5Pclose(transfer);
    if (type >= 0) H5Tclose(type);
    if (st != OK) value_free(v);
    return st;
}

status h5_read_attr(hid_t object, const char *name, value *v)
{
    status st = OK;
    hid_t attr = -1;
    if (!h5_has_attr(object, name)) TRY(fail(E_FORMAT, "has no attribute '%s'", name));
    attr = H5Aopen(object, name, H5P_DEFAULT);
    if (attr < 0) TRY(h5_fail(E_FORMAT, "attribute '%s' cannot be opened", name));
    TRY(fail_within(h5_read(attr, true, v), "attribute '%s'", name));
done:
    if (attr >= 0) H5Aclose(attr);
    return st;
}

status h5_read_text_attr(hid_t object, const char *name, char **out)
{
    status st = OK;
    value v = {0};
    *out = NULL;
    TRY(h5_read_attr(object, name, &v));
    if (v.type != VAL_TEXT || value_rows(&v) != 1) TRY(fail(E_FORMAT, "attribute '%s' is not a text", name));
    *out = xstrdup(value_text_at(&v, 0));
done:
    value_free(&v);
    return st;
}

status h5_read_rows(hid_t dset, const value *shape, hid_t type, hid_t transfer, int64_t first, int64_t n, void *out)
{
    status st = OK;
    hsize_t start[STORE_MAX_DIMS] = {0}, count[STORE_MAX_DIMS] = {1};
    hid_t file_space = -1, memory_space = -1;
    char what[80];
    if (n == 0) return OK;
    for (int d = 0; d < shape->n_dims; d++) count[d] = (hsize_t)shape->dims[d];
    if (shape->n_dims) {
        start[0] = (hsize_t)first;
        count[0] = (hsize_t)n;
    }
    file_space = H5Dget_space(dset);
    memory_space = shape->n_dims ? H5Screate_simple(shape->n_dims, count, NULL) : H5Screate(H5S_SCALAR);
    if (file_space < 0 || memory_space < 0) TRY(h5_fail(E_FORMAT, "cannot select rows"));
    if (shape->n_dims && H5Sselect_hyperslab(file_space, H5S_SELECT_SET, start, NULL, count, NULL) < 0)
        TRY(h5_fail(E_FORMAT, "cannot select rows"));
    if (H5Dread(dset, type, memory_space, file_space, transfer, out) < 0) {
        snprintf(what, sizeof what, "rows from %lld cannot be read", (long long)first);
        TRY(read_failed(dset, what));
    }
done:
    if (memory_space >= 0) H5Sclose(memory_space);
    if (file_space >= 0) H5Sclose(file_space);
    return st;
}

/* Texts of variable length have no rows of one width: they are read whole (none of our files has them). */
static status variable_digest(hid_t dset, int64_t first, int64_t n, uint64_t *out)
{
    value v = {0};
    status st = h5_read(dset, false, &v);
    if (st == OK && v.n_dims <= 1)
        *out = texts_digest(value_text_at(&v, first), v.width, first, n);
    else if (st == OK)
        st = fail(E_FORMAT, "texts in more than one dimension");
    value_free(&v);
    return st;
}

status h5_rows_digest(hid_t dset, const value *shape, int64_t first, int64_t n, uint64_t *out)
{
    status st = OK;
    size_t row_bytes;
    unsigned char *block = NULL;
    hid_t type = -1;
    *out = 0;
    if (n == 0) goto done;
    if (shape->type == VAL_TEXT && shape->width == 0) {
        st = variable_digest(dset, first, n, out);
        goto done;
    }
    if (shape->type == VAL_TEXT && shape->n_dims > 1) TRY(fail(E_FORMAT, "texts in more than one dimension"));
    TRY(value_row_bytes(shape, &row_bytes, "array"));
    int64_t rows = row_bytes == 0 ? n : row_bytes >= BLOCK_BYTES ? 1 : BLOCK_BYTES / (int64_t)row_bytes;
    if (rows > n) rows = n;
    TRY(mem_alloc(&block, (size_t)rows, row_bytes, "a block of rows"));
    type = memory_type(dset, false, shape);
    if (type < 0) TRY(h5_fail(E_FORMAT, "cannot tell its type"));
    for (int64_t at = first; at < first + n; at += rows) {
        int64_t m = first + n - at < rows ? first + n - at : rows;
        if (row_bytes) TRY(h5_read_rows(dset, shape, type, H5P_DEFAULT, at, m, block));
        *out += shape->type == VAL_TEXT ? texts_digest((char *)block, row_bytes, at, m) : rows_digest(block, row_bytes, at, m);
    }
done:
    if (type >= 0) H5Tclose(type);
    free(block);
    return st;
}

static herr_t add_name(hid_t group, const char *name, const H5L_info_t *info, void *out)
{
    (void)group;
    (void)info;
    names_add(out, name);
    return ((names *)out)->n > STORE_MAX_OBJECTS ? -1 : 0;
}

status h5_members(hid_t group, names *out)
{
    hsize_t at = 0;
    if (H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &at, add_name, out) < 0) return h5_fail(E_FORMAT, "its members cannot be listed");
    return OK;
}

/* Types of foreign files that we do not write are read as the nearest of ours: for rows only the class matters. */
status h5_rows_shape(hid_t dset, value *shape, bool *is_real)
{
    status st = OK;
    hid_t type = H5Dget_type(dset), space = H5Dget_space(dset);
    H5T_class_t class = type < 0 ? H5T_NO_CLASS : H5Tget_class(type);
    if (type < 0 || space < 0) TRY(h5_fail(E_FORMAT, "cannot tell its type"));
    if (class != H5T_INTEGER && class != H5T_FLOAT && class != H5T_ENUM) TRY(fail(E_FORMAT, "does not hold numbers"));
    *is_real = class == H5T_FLOAT;
    *shape = (value){.type = VAL_F64};
    TRY(h5_space_shape(space, shape));
done:
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}
