/* read_frame.c -- AnnData dataframes as tables. */
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static status set_texts(frame *out, int col, const value *v, const bool *missing)
{
    for (int64_t i = 0; i < out->n_rows; i++) {
        status st = frame_set_text(out, i, col, missing && missing[i] ? "" : value_text_at(v, i));
        if (st != OK) return st;
    }
    return OK;
}

static double real_at(const value *v, int64_t i)
{
    if (v->type == VAL_F32) return (double)((const float *)v->data)[i];
    if (v->type == VAL_F64) return ((const double *)v->data)[i];
    return (double)value_whole_at(v, i);
}

/* The column's type: missing whole numbers make reals (NaN), missing booleans text. */
static frame_type column_type(const value *v, bool has_missing, bool is_category)
{
    if (v->type == VAL_TEXT) return is_category ? FRAME_CATEGORY : FRAME_TEXT;
    if (v->type == VAL_BOOL) return has_missing ? FRAME_CATEGORY : FRAME_BOOL;
    if (v->type == VAL_F32) return FRAME_F32;
    return v->type == VAL_F64 || has_missing ? FRAME_F64 : FRAME_I64;
}

static status fill_column(frame *out, int col, const value *v, const bool *missing)
{
    status st = OK;
    frame_column *c = &out->col[col];
    for (int64_t i = 0; st == OK && v->type != VAL_TEXT && i < out->n_rows; i++) {
        bool none = missing && missing[i];
        if (c->type == FRAME_BOOL)
            c->v.yes[i] = value_whole_at(v, i) != 0;
        else if (c->type == FRAME_I64)
            c->v.i64[i] = value_whole_at(v, i);
        else if (c->type == FRAME_CATEGORY)
            st = frame_set_text(out, i, col, none ? "" : value_whole_at(v, i) ? "True" : "False");
        else if (!none)
            frame_set_real(out, i, col, real_at(v, i));
    }
    return st == OK && v->type == VAL_TEXT ? set_texts(out, col, v, missing) : st;
}

static status add_column(frame *out, const char *name, const value *v, const bool *missing, bool is_category)
{
    status st = OK;
    int col;
    if (v->n_dims != 1 || v->dims[0] != out->n_rows)
        TRY(fail(E_FORMAT, "column '%s' has %lld values where the index has %lld", name, (long long)value_rows(v), (long long)out->n_rows));
    TRY(frame_add_col(out, name, column_type(v, missing != NULL, is_category), &col));
    TRY(fill_column(out, col, v, missing));
done:
    return st;
}

static status read_column_into(const store_file *f, const char *path, const char *name, frame *out)
{
    status st = OK;
    value v = {0};
    bool *missing = NULL, is_category = false;
    char *p = xasprintf("%s/%s", path, name);
    TRY(store_read_column(f, p, &v, &missing, &is_category));
    TRY(add_column(out, name, &v, missing, is_category));
done:
    value_free(&v);
    free(missing);
    free(p);
    return st;
}

/* The index sets the number of rows. It becomes a column "_index" only if it is not 0, 1, 2, ... */
static status read_index(const store_file *f, const char *path, const char *name, frame *out)
{
    status st = OK;
    value v = {0};
    bool *missing = NULL, is_category, counts = true;
    int col;
    char *p = xasprintf("%s/%s", path, name), digits[24];
    TRY(store_read_column(f, p, &v, &missing, &is_category));
    if (v.n_dims != 1) TRY(fail(E_FORMAT, "its index is not a list"));
    TRY(frame_add_rows(out, v.dims[0]));
    for (int64_t i = 0; counts && i < v.dims[0]; i++) {
        snprintf(digits, sizeof digits, "%lld", (long long)i);
        counts = v.type == VAL_TEXT ? strcmp(value_text_at(&v, i), digits) == 0
                                    : v.type != VAL_F32 && v.type != VAL_F64 && value_whole_at(&v, i) == i;
    }
    if (counts) goto done;
    TRY(frame_add_col(out, "_index", FRAME_TEXT, &col));
    if (v.type == VAL_TEXT) TRY(set_texts(out, col, &v, missing));
    for (int64_t i = 0; v.type != VAL_TEXT && i < v.dims[0]; i++) {
        snprintf(digits, sizeof digits, "%.17g", real_at(&v, i));
        TRY(frame_set_text(out, i, col, digits));
    }
done:
    value_free(&v);
    free(missing);
    free(p);
    return st;
}

status store_read_frame(const store_file *f, const char *path, frame *out)
{
    status st = OK;
    hid_t group = -1;
    value order = {0};
    char *index = NULL;
    TRY(h5_open(f->file, path, H5I_GROUP, &group));
    TRY(h5_read_text_attr(group, "_index", &index));
    TRY(h5_read_attr(group, "column-order", &order));
    if (order.n_dims != 1 || (order.type != VAL_TEXT && order.dims[0]))
        TRY(fail(E_FORMAT, "attribute 'column-order' is not a list of texts"));
    TRY(read_index(f, path, index, out));
    for (int64_t i = 0; i < order.dims[0]; i++)
        if (strcmp(value_text_at(&order, i), index) != 0) TRY(read_column_into(f, path, value_text_at(&order, i), out));
done:
    if (group >= 0) H5Oclose(group);
    value_free(&order);
    free(index);
    if (st == OK) return OK;
    frame_free(out);
    return fail_within(st, "%s: '%s'", f->path, path);
}
