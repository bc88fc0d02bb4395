/* hdf5.c -- HDF5 calls with every return code checked, and the library's error stack turned into one message. File contents are taken as
 * hostile: links are followed only inside the file, sizes are capped before memory is asked for. */
#include "micon/base/path.h"
#include "store_impl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

status h5_start(void)
{
    /* Files are published by rename and never changed: locks add nothing, and fail on many cluster file systems. */
    setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0);
    if (H5open() < 0) return fail(E_INTERNAL, "HDF5 does not start");
    return H5Eset_auto2(H5E_DEFAULT, NULL, NULL) < 0 ? fail(E_INTERNAL, "HDF5: cannot silence its error printing") : OK;
}

static herr_t keep_innermost(unsigned n, const H5E_error2_t *e, void *out)
{
    if (n == 0) snprintf(out, 600, "%s", e->desc ? e->desc : "");
    return 0;
}

status h5_fail(status code, const char *fmt, ...)
{
    char what[1000], why[600] = "", shown[600];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep_innermost, why);
    H5Eclear2(H5E_DEFAULT);
    if (*why == H5_OWN_MESSAGE) return fail(code, "%s: %s", what, why + 1);
    char *plain = strstr(why, "error message = '"); /* the system's text, inside a longer one */
    if (plain) {
        plain += strlen("error message = '");
        plain[strcspn(plain, "'")] = '\0';
        return fail(code, "%s: %s", what, plain);
    }
    return fail(code, "%s%s%s", what, *why ? ": HDF5 says: " : "", text_show(shown, sizeof shown, why));
}

/* ---- types, spaces, property lists ---- */

hid_t h5_bool_type(void)
{
    hid_t t = H5Tenum_create(H5T_STD_I8LE);
    int8_t no = 0, yes = 1;
    if (t >= 0 && (H5Tenum_insert(t, "FALSE", &no) < 0 || H5Tenum_insert(t, "TRUE", &yes) < 0)) {
        H5Tclose(t);
        return -1;
    }
    return t;
}

hid_t h5_text_type(size_t width, H5T_cset_t cset, H5T_str_t pad)
{
    hid_t t = H5Tcopy(H5T_C_S1);
    if (t >= 0 && (H5Tset_size(t, width) < 0 || H5Tset_cset(t, cset) < 0 || H5Tset_strpad(t, pad) < 0)) {
        H5Tclose(t);
        return -1;
    }
    return t;
}

hid_t h5_type(const value *v)
{
    switch (v->type) {
    case VAL_U8: return H5Tcopy(H5T_STD_U8LE);
    case VAL_I8: return H5Tcopy(H5T_STD_I8LE);
    case VAL_I16: return H5Tcopy(H5T_STD_I16LE);
    case VAL_I32: return H5Tcopy(H5T_STD_I32LE);
    case VAL_I64: return H5Tcopy(H5T_STD_I64LE);
    case VAL_F32: return H5Tcopy(H5T_IEEE_F32LE);
    case VAL_F64: return H5Tcopy(H5T_IEEE_F64LE);
    case VAL_BOOL: return h5_bool_type();
    case VAL_TEXT: return h5_text_type(v->width, H5T_CSET_UTF8, H5T_STR_NULLPAD);
    }
    return -1;
}

hid_t h5_space(const value *v)
{
    hsize_t dims[STORE_MAX_DIMS];
    if (v->n_dims == 0) return H5Screate(H5S_SCALAR);
    for (int d = 0; d < v->n_dims; d++) dims[d] = (hsize_t)v->dims[d];
    return H5Screate_simple(v->n_dims, dims, NULL);
}

hid_t h5_plist(hid_t kind)
{
    hid_t p = H5Pcreate(kind);
    if (p >= 0 && H5Pset_obj_track_times(p, 0) < 0) {
        H5Pclose(p);
        return -1;
    }
    return p;
}

/* The layout of HDF5 1.10: headers and indexes carry checksums, so that damage there is a message and not a crash of the library. */
hid_t h5_access(void)
{
    hid_t p = H5Pcreate(H5P_FILE_ACCESS);
    if (p >= 0 && (H5Pset_libver_bounds(p, H5F_LIBVER_V110, H5F_LIBVER_V110) < 0 || H5Pset_fclose_degree(p, H5F_CLOSE_STRONG) < 0)) {
        H5Pclose(p);
        return -1;
    }
    return p;
}

/* ---- opening objects ---- */

/* Every step is a hard link: nothing outside the file is read through it. */
static status check_links(hid_t file, const char *path)
{
    char prefix[STORE_MAX_PATH];
    if (strlen(path) >= sizeof prefix) return fail(E_FORMAT, "the name of an object is longer than %d bytes", STORE_MAX_PATH - 1);
    for (size_t n = 0; path[n];) {
        H5L_info_t info;
        n += strcspn(path + n, "/");
        memcpy(prefix, path, n);
        prefix[n] = '\0';
        htri_t there = H5Lexists(file, prefix, H5P_DEFAULT);
        if (there < 0) return h5_fail(E_FORMAT, "'%s' cannot be looked up", prefix);
        if (there == 0) return fail(E_FORMAT, "there is no '%s'", prefix);
        if (H5Lget_info(file, prefix, &info, H5P_DEFAULT) < 0) return h5_fail(E_FORMAT, "'%s' cannot be looked up", prefix);
        if (info.type != H5L_TYPE_HARD) return fail(E_FORMAT, "'%s' is a link to somewhere else: not followed", prefix);
        n += path[n] == '/';
    }
    return OK;
}

/* Values of a dataset must lie in this file. */
static status check_dataset(hid_t dset, const char *path)
{
    status st = OK;
    hid_t plist = H5Dget_create_plist(dset);
    if (plist < 0) TRY(h5_fail(E_FORMAT, "'%s' cannot be examined", path));
    H5D_layout_t layout = H5Pget_layout(plist);
    if (layout < 0) TRY(h5_fail(E_FORMAT, "'%s' cannot be examined", path));
    if (layout == H5D_VIRTUAL || (layout == H5D_CONTIGUOUS && H5Pget_external_count(plist) != 0))
        TRY(fail(E_FORMAT, "'%s' has its values in other files: not followed", path));
done:
    if (plist >= 0) H5Pclose(plist);
    return st;
}

static char *note_room; /* NULL: not wanted */
static size_t note_size;

void h5_note_to(char *room, size_t size)
{
    note_room = room;
    note_size = size;
}

status h5_open(hid_t file, const char *path, H5I_type_t want, hid_t *object)
{
    status st = OK;
    *object = -1;
    if (note_room) snprintf(note_room, note_size, "%s", path);
    TRY(check_links(file, path));
    *object = H5Oopen(file, *path ? path : "/", H5P_DEFAULT);
    if (*object < 0) TRY(h5_fail(E_FORMAT, "'%s' cannot be opened", path));
    H5I_type_t is = H5Iget_type(*object);
    if (is != H5I_GROUP && is != H5I_DATASET) TRY(fail(E_FORMAT, "'%s' is neither an array nor a group", path));
    if (want != H5I_BADID && is != want)
        TRY(fail(E_FORMAT, "'%s' is %s, not %s", path, is == H5I_GROUP ? "a group" : "an array",
                 want == H5I_GROUP ? "a group" : "an array"));
    if (is == H5I_DATASET) TRY(check_dataset(*object, path));
done:
    if (st != OK && *object >= 0) {
        H5Oclose(*object);
        *object = -1;
    }
    return st;
}

bool h5_has(hid_t file, const char *path)
{
    char kept[1024];
    msg_take(kept, sizeof kept); /* its own failures leave no trace */
    bool there = check_links(file, path) == OK;
    H5Eclear2(H5E_DEFAULT);
    msg_clear();
    if (*kept) msg_set(kept);
    return there;
}

bool h5_has_attr(hid_t object, const char *name)
{
    htri_t there = H5Aexists(object, name);
    H5Eclear2(H5E_DEFAULT);
    return there > 0;
}

/* ---- writing ---- */

status h5_write_attr(hid_t object, const char *name, const value *v)
{
    status st = OK;
    hid_t type = h5_type(v), space = h5_space(v), attr = -1;
    if (type < 0 || space < 0) TRY(h5_fail(E_IO, "attribute '%s'", name));
    attr = H5Acreate2(object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    if (attr < 0) TRY(h5_fail(E_IO, "attribute '%s' cannot be made", name));
    if (value_rows(v) && H5Awrite(attr, type, v->data) < 0) TRY(h5_fail(E_IO, "attribute '%s' cannot be written", name));
done:
    if (attr >= 0 && H5Aclose(attr) < 0 && st == OK) st = h5_fail(E_IO, "attribute '%s' cannot be closed", name);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}

static status write_dataset(hid_t file, const node *o, hid_t *dset)
{
    status st = OK;
    hid_t type = h5_type(&o->v), space = h5_space(&o->v), plist = h5_plist(H5P_DATASET_CREATE);
    size_t bytes;
    TRY(value_bytes(&o->v, &bytes, o->path));
    if (type < 0 || space < 0 || plist < 0) TRY(h5_fail(E_IO, "'%s' cannot be described", o->path));
    *dset = H5Dcreate2(file, o->path, type, space, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (*dset < 0) TRY(h5_fail(E_IO, "'%s' cannot be made", o->path));
    if (bytes && H5Dwrite(*dset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, o->v.data) < 0) TRY(h5_fail(E_IO, "'%s' cannot be written", o->path));
done:
    if (plist >= 0) H5Pclose(plist);
    if (space >= 0) H5Sclose(space);
    if (type >= 0) H5Tclose(type);
    return st;
}

status h5_open_or_make_group(hid_t file, const char *path, hid_t *group)
{
    status st = OK;
    hid_t plist = -1;
    htri_t there = *path ? H5Lexists(file, path, H5P_DEFAULT) : 1;
    if (there < 0) TRY(h5_fail(E_IO, "'%s' cannot be looked up", path));
    plist = h5_plist(H5P_GROUP_CREATE);
    if (plist < 0) TRY(h5_fail(E_IO, "'%s' cannot be described", path));
    *group = there ? H5Gopen2(file, *path ? path : "/", H5P_DEFAULT) : H5Gcreate2(file, path, H5P_DEFAULT, plist, H5P_DEFAULT);
    if (*group < 0) TRY(h5_fail(E_IO, "group '%s' cannot be %s", path, there ? "opened" : "made"));
done:
    if (plist >= 0) H5Pclose(plist);
    return st;
}

status h5_write_node(hid_t file, const node *o)
{
    status st = OK;
    hid_t object = -1;
    if (o->is_group)
        TRY(h5_open_or_make_group(file, o->path, &object));
    else if (o->is_big)
        TRY(h5_open(file, o->path, H5I_DATASET, &object));
    else
        TRY(write_dataset(file, o, &object));
    for (size_t i = 0; i < o->n_attrs; i++) TRY(fail_within(h5_write_attr(object, o->attr[i].name, &o->attr[i].v), "'%s'", o->path));
done:
    if (object >= 0 && H5Oclose(object) < 0 && st == OK) st = h5_fail(E_IO, "'%s' cannot be closed", o->path);
    return st;
}
