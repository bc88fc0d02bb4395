/* read_values.c -- whole small arrays of a file: columns of dataframes, texts, single numbers. */
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdlib.h>
#include <string.h>

status store_read_value(const store_file *f, const char *path, value *v)
{
    status st = OK;
    hid_t object = -1;
    TRY(h5_open(f->file, path, H5I_DATASET, &object));
    TRY(fail_within(h5_read(object, false, v), "'%s'", path));
done:
    if (object >= 0) H5Oclose(object);
    return st;
}

/* ---- a column of a dataframe ---- */

/* Categories by codes; -1 is a missing value, anything else outside is damage. */
static status expand(const value *cat, const value *codes, const char *path, value *v, bool **missing)
{
    status st = OK;
    size_t size = value_size(cat), bytes;
    int64_t n = codes->dims[0];
    value out = {.type = cat->type, .width = cat->width, .n_dims = 1, .dims = {n}};
    TRY(value_bytes(&out, &bytes, path));
    if (bytes > STORE_MAX_SMALL) TRY(fail(E_FORMAT, "'%s' claims %zu bytes", path, bytes));
    TRY(mem_alloc(&out.data, (size_t)n, size, path));
    for (int64_t i = 0; i < n; i++) {
        int64_t code = value_whole_at(codes, i);
        if (code < -1 || code >= cat->dims[0]) TRY(fail(E_FORMAT, "'%s': code %lld has no category", path, (long long)code));
        if (code >= 0) {
            memcpy((char *)out.data + (size_t)i * size, (const char *)cat->data + (size_t)code * size, size);
        } else {
            if (!*missing) TRY(mem_alloc(missing, (size_t)n, sizeof **missing, path));
            (*missing)[i] = true;
        }
    }
    *v = out;
    out.data = NULL;
done:
    value_free(&out);
    return st;
}

static status read_categorical(const store_file *f, const char *path, value *v, bool **missing)
{
    status st = OK;
    value cat = {0}, codes = {0};
    char *categories_path = xasprintf("%s/categories", path), *codes_path = xasprintf("%s/codes", path);
    TRY(store_read_value(f, categories_path, &cat));
    TRY(store_read_value(f, codes_path, &codes));
    if (cat.n_dims != 1 || codes.n_dims != 1 || codes.type == VAL_F32 || codes.type == VAL_F64 || codes.type == VAL_TEXT)
        TRY(fail(E_FORMAT, "'%s': its categories or codes are not lists of the right kind", path));
    TRY(expand(&cat, &codes, path, v, missing));
done:
    value_free(&cat);
    value_free(&codes);
    free(categories_path);
    free(codes_path);
    return st;
}

/* What newer AnnData calls nullable: values, and a mask that is yes where one is missing. */
static status read_masked(const store_file *f, const char *path, value *v, bool **missing)
{
    status st = OK;
    value mask = {0};
    char *values = xasprintf("%s/values", path), *masks = xasprintf("%s/mask", path);
    TRY(store_read_value(f, values, v));
    TRY(store_read_value(f, masks, &mask));
    if (mask.type != VAL_BOOL || mask.n_dims != 1 || v->n_dims != 1 || mask.dims[0] != v->dims[0])
        TRY(fail(E_FORMAT, "'%s': its mask does not fit its values", path));
    for (int64_t i = 0; i < mask.dims[0]; i++) {
        if (!((const int8_t *)mask.data)[i]) continue;
        if (!*missing) TRY(mem_alloc(missing, (size_t)mask.dims[0], sizeof **missing, path));
        (*missing)[i] = true;
    }
done:
    value_free(&mask);
    free(values);
    free(masks);
    return st;
}

status store_read_column(const store_file *f, const char *path, value *v, bool **missing, bool *is_category)
{
    status st = OK;
    hid_t object = -1;
    char *encoding = NULL;
    *missing = NULL;
    *is_category = false;
    TRY(h5_open(f->file, path, H5I_BADID, &object));
    if (H5Iget_type(object) == H5I_DATASET) {
        TRY(fail_within(h5_read(object, false, v), "'%s'", path));
        goto done;
    }
    TRY(fail_within(h5_read_text_attr(object, "encoding-type", &encoding), "'%s'", path));
    *is_category = strcmp(encoding, "categorical") == 0;
    if (*is_category)
        TRY(read_categorical(f, path, v, missing));
    else if (strncmp(encoding, "nullable-", 9) == 0)
        TRY(read_masked(f, path, v, missing));
    else
        TRY(fail(E_FORMAT, "'%s' is a group of encoding '%s', not a column", path, encoding));
done:
    if (object >= 0) H5Oclose(object);
    free(encoding);
    if (st == OK) return OK;
    FREE(*missing);
    value_free(v);
    return st;
}

/* ---- texts and numbers ---- */

status store_read_text(const store_file *f, const char *path, char **out)
{
    status st = OK;
    value v = {0};
    *out = NULL;
    TRY(store_read_value(f, path, &v));
    if (v.type != VAL_TEXT || value_rows(&v) != 1 || v.n_dims > 1) TRY(fail(E_FORMAT, "'%s' is not one text", path));
    *out = xstrdup(value_text_at(&v, 0));
done:
    value_free(&v);
    return fail_within(st, "%s", f->path);
}

status store_read_texts(const store_file *f, const char *path, names *out)
{
    status st = OK;
    value v = {0};
    bool *missing = NULL, is_category;
    TRY(store_read_column(f, path, &v, &missing, &is_category));
    if (v.type != VAL_TEXT || v.n_dims != 1) TRY(fail(E_FORMAT, "'%s' is not a list of texts", path));
    for (int64_t i = 0; i < v.dims[0]; i++) names_add(out, value_text_at(&v, i));
done:
    free(missing);
    value_free(&v);
    return fail_within(st, "%s", f->path);
}

/* One number, of any numeric type, as `type`. */
static status read_number(const store_file *f, const char *path, hid_t type, bool whole, void *out)
{
    status st = OK;
    hid_t dset = -1, transfer = -1;
    value shape;
    bool is_real;
    TRY(h5_open(f->file, path, H5I_DATASET, &dset));
    TRY(fail_within(h5_rows_shape(dset, &shape, &is_real), "'%s'", path));
    if (value_rows(&shape) != 1 || shape.n_dims > 1) TRY(fail(E_FORMAT, "'%s' is not one number", path));
    if (whole && is_real) TRY(fail(E_FORMAT, "'%s' is a real number where a whole one is needed", path));
    transfer = whole ? h5_no_overflow() : H5Pcreate(H5P_DATASET_XFER);
    if (transfer < 0) TRY(h5_fail(E_INTERNAL, "'%s': cannot prepare reading", path));
    if (H5Dread(dset, type, H5S_ALL, H5S_ALL, transfer, out) < 0) TRY(h5_fail(E_FORMAT, "'%s' cannot be read", path));
done:
    if (transfer >= 0) H5Pclose(transfer);
    if (dset >= 0) H5Dclose(dset);
    return fail_within(st, "%s", f->path);
}

status store_read_int(const store_file *f, const char *path, int64_t *out)
{
    return read_number(f, path, H5T_NATIVE_INT64, true, out);
}

status store_read_real(const store_file *f, const char *path, double *out)
{
    return read_number(f, path, H5T_NATIVE_DOUBLE, false, out);
}
