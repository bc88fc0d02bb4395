/* write_small.c -- store_put_*: small objects, kept in memory on rank 0 until the commit writes them. The commit also returns the first
 * error of a put. */
#include "micon/base/mem.h"
#include "store_impl.h"

#include <stdlib.h>
#include <string.h>

static const char *const anndata_root[] = {"X", "layers", "obs", "obsm", "obsp", "uns", "var", "varm", "varp", "raw"};

static status root_check(const store *s, const char *path)
{
    size_t n = strcspn(path, "/");
    if (!s->anndata) return OK;
    for (size_t i = 0; i < sizeof anndata_root / sizeof *anndata_root; i++)
        if (strlen(anndata_root[i]) == n && strncmp(anndata_root[i], path, n) == 0) return OK;
    return fail(E_INTERNAL, "'%s': an AnnData file has no such member; put it under uns/", path);
}

status store_claim(store *s, const char *path)
{
    status st = OK;
    char *prefix = xstrdup(path);
    TRY(store_path_check(path));
    TRY(root_check(s, path));
    for (char *c = strchr(prefix, '/'); c; c = strchr(c + 1, '/')) {
        *c = '\0';
        node *parent = nodes_find(&s->put, prefix);
        if (parent && !parent->is_group) TRY(fail(E_FAILED, "'%s': '%s' is an array, nothing can stand below it", path, prefix));
        if (!parent) node_encoding(nodes_add(&s->put, prefix, true), "dict", "0.1.0");
        *c = '/';
    }
    if (nodes_find(&s->put, path)) TRY(fail(E_FAILED, "'%s': is there already", path));
done:
    free(prefix);
    return st;
}

bool store_may_put(const store *s)
{
    return s->rank == 0 && s->put_st == OK;
}

void store_put_failed(store *s, status st)
{
    if (st == OK) return;
    s->put_st = fail_within(st, "%s", s->final_name);
    msg_take(s->put_msg, sizeof s->put_msg);
}

/* Takes v. */
static void put_value(store *s, const char *path, value v, const char *encoding)
{
    status st = store_claim(s, path);
    if (st == OK) {
        node *o = nodes_add(&s->put, path, false);
        o->v = v;
        o->rows = value_digest(&v);
        node_encoding(o, encoding, "0.2.0");
    } else {
        value_free(&v);
    }
    store_put_failed(s, st);
}

void store_put_text(store *s, const char *path, const char *what)
{
    if (store_may_put(s)) put_value(s, path, value_text(what), "string");
}

void store_put_int(store *s, const char *path, int64_t i)
{
    if (store_may_put(s)) put_value(s, path, value_int(i), "numeric-scalar");
}

void store_put_real(store *s, const char *path, double d)
{
    if (store_may_put(s)) put_value(s, path, value_real(d), "numeric-scalar");
}

void store_put_texts(store *s, const char *path, const names *values)
{
    value v = {0};
    if (!store_may_put(s)) return;
    status st = value_texts(&v, values->item, (int64_t)values->n, path);
    if (st == OK)
        put_value(s, path, v, "string-array");
    else
        store_put_failed(s, st);
}

void store_put_values(store *s, const char *path, store_type type, int n_dims, const int64_t *dims, const void *data)
{
    status st = OK;
    size_t bytes;
    value v = {.type = value_type_of(type), .n_dims = n_dims};
    if (!store_may_put(s)) return;
    if (n_dims < 1 || n_dims > STORE_MAX_DIMS) TRY(fail(E_INTERNAL, "'%s': %d dimensions", path, n_dims));
    for (int d = 0; d < n_dims; d++) v.dims[d] = dims[d];
    TRY(value_bytes(&v, &bytes, path));
    TRY(mem_alloc(&v.data, bytes, 1, path));
    if (bytes) memcpy(v.data, data, bytes);
    put_value(s, path, v, "array");
    return;
done:
    store_put_failed(s, st);
}
