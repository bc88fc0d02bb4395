/* content_digest.c -- the content digest of a file: combines the digests of every object, its attributes and its rows. */
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "store_impl.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

static herr_t add_attr_name(hid_t object, const char *name, const H5A_info_t *info, void *out)
{
    (void)object;
    (void)info;
    names_add(out, name);
    return 0;
}

/* Its attributes, without the two that concern the digest itself. */
static status read_attrs(hid_t object, node *o)
{
    status st = OK;
    names list = {0};
    hsize_t at = 0;
    if (H5Aiterate2(object, H5_INDEX_NAME, H5_ITER_INC, &at, add_attr_name, &list) < 0)
        TRY(h5_fail(E_FORMAT, "its attributes cannot be listed"));
    for (size_t i = 0; i < list.n; i++) {
        value v = {0};
        if (!*o->path && (strcmp(list.item[i], "micon-digest") == 0 || strcmp(list.item[i], "micon-complete") == 0)) continue;
        TRY(h5_read_attr(object, list.item[i], &v));
        node_attr(o, list.item[i], v);
    }
done:
    names_free(&list);
    return st;
}

static status read_values(hid_t dset, node *o, int rank, int size)
{
    int64_t first, n;
    status st = h5_shape(dset, false, &o->v);
    if (st == OK) st = h5_check_stored(dset);
    if (st != OK) return st;
    partition(value_rows(&o->v), size, rank, &first, &n);
    return h5_rows_digest(dset, &o->v, first, n, &o->rows);
}

static status read_object(hid_t file, const char *path, int rank, int size, int depth, nodes *seen);

static status read_members(hid_t file, hid_t group, const char *path, int rank, int size, int depth, nodes *seen)
{
    status st = OK;
    names list = {0};
    TRY(h5_members(group, &list));
    for (size_t i = 0; st == OK && i < list.n; i++) {
        char *child = *path ? xasprintf("%s/%s", path, list.item[i]) : xstrdup(list.item[i]);
        st = read_object(file, child, rank, size, depth + 1, seen);
        free(child);
    }
done:
    names_free(&list);
    return st;
}

static status read_object(hid_t file, const char *path, int rank, int size, int depth, nodes *seen)
{
    status st = OK;
    hid_t object = -1;
    if (depth > MAX_DEPTH || seen->n >= STORE_MAX_OBJECTS)
        TRY(fail(E_FORMAT, "more than %d objects, or groups %d deep", STORE_MAX_OBJECTS, MAX_DEPTH));
    TRY(h5_open(file, path, H5I_BADID, &object));
    bool is_group = H5Iget_type(object) == H5I_GROUP;
    node *o = nodes_add(seen, path, is_group);
    st = read_attrs(object, o);
    if (st == OK && !is_group) st = read_values(object, o, rank, size);
    TRY(fail_within(st, "'%s'", path));
    if (is_group) TRY(read_members(file, object, path, rank, size, depth, seen));
done:
    if (object >= 0) H5Oclose(object);
    return st;
}

status content_read(hid_t file, int rank, int size, nodes *seen)
{
    status st = read_object(file, "", rank, size, 0, seen);
    nodes_sort(seen);
    return st;
}

status content_check(const store_file *f)
{
    status st = OK;
    nodes seen = {0};
    char is[DIGEST_TEXT], was[DIGEST_TEXT];
    TRY(content_read(f->file, 0, 1, &seen));
    uint64_t digest = nodes_digest(&seen);
    if (digest != f->digest)
        TRY(fail(E_FORMAT, "its content has the digest %s, %s was recorded: the file was changed or damaged", digest_show(digest, is),
                 digest_show(f->digest, was)));
done:
    nodes_free(&seen);
    return fail_within(st, "%s", f->path);
}
