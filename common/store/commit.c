/* commit.c -- finishes a written file: closes it, rank 0 completes it, all ranks read it back, and it is published; or removes it. */
#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "store_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- every row exactly once ---- */

static int by_first(const void *a, const void *b)
{
    int64_t x = ((const int64_t *)a)[0], y = ((const int64_t *)b)[0];
    return x < y ? -1 : x > y;
}

static status spans_check(const store *s, const array *a, int64_t *span, size_t n)
{
    int64_t next = 0;
    qsort(span, n, 2 * sizeof *span, by_first);
    for (size_t i = 0; i < n; i++) {
        if (span[2 * i] != next)
            return fail(E_INTERNAL, "%s: '%s': row %lld was %s", s->final_name, a->path,
                        (long long)(span[2 * i] < next ? span[2 * i] : next), span[2 * i] < next ? "written twice" : "never written");
        next += span[2 * i + 1];
    }
    if (next != a->v.dims[0]) return fail(E_INTERNAL, "%s: '%s': row %lld was never written", s->final_name, a->path, (long long)next);
    return OK;
}

static status cover_check_all(const store *s, const array *a)
{
    status st = OK;
    char *all = NULL;
    size_t bytes;
    TRY(comm_gather_all(s->comm, 0, a->span, a->n_spans * 2 * sizeof *a->span, &all, &bytes));
    /* malloc'ed by comm_gather_all: aligned for any type */
    TRY_ALL(s->comm, s->rank == 0 ? spans_check(s, a, (int64_t *)(void *)all, bytes / (2 * sizeof(int64_t))) : OK);
done:
    free(all);
    return st;
}

/* ---- closing ---- */

/* HDF5 failed and must not close the file: on a full disk, ranks were seen to wait for each other in H5Fclose for ever, and handles left
 * open crashed the process at its end. So the job is aborted (comm_abort); the other ranks wait for that. */
static void give_up(const store *s)
{
    if (s->rank == 0) {
        if (s->part) unlink(s->part);
        comm_abort(msg_get());
    }
    MPI_Barrier(s->comm);
    comm_abort("the store's first rank did not end the job");
}

enum { CLOSE_S = 300 };

/* All ranks together. Afterwards the file is closed, or the job is at its end. */
static void close_all(store *s)
{
    status mine = s->broken ? fail(E_IO, "%s: HDF5 failed", s->final_name) : OK;
    for (size_t i = 0; i < s->n_arrays && mine == OK; i++) {
        if (s->arrays[i].dset >= 0 && H5Dclose(s->arrays[i].dset) < 0) mine = h5_fail(E_IO, "%s: cannot be closed", s->final_name);
        s->arrays[i].dset = -1;
    }
    if (agree_all(s->comm, mine) != OK) give_up(s);
    /* Flush before closing: a rank that fails to flush returns; one that fails in H5Fclose does not. */
    if (s->file >= 0 && H5Fflush(s->file, H5F_SCOPE_LOCAL) < 0) mine = h5_fail(E_IO, "%s: cannot be written", s->final_name);
    if (mine != OK && s->made) unlink(s->part); /* this file will not be finished */
    if (agree_after_library_all(s->comm, mine) != OK) give_up(s);
    if (s->transfer >= 0) H5Pclose(s->transfer);
    /* H5Fclose writes the file's head once more, and MPI-IO closes files of its own: a rank that fails there waits for ever, as do the
     * others. Everything else is written by now, so closing is quick. */
    comm_deadline *limit =
        s->file >= 0 ? comm_deadline_start("closing a file on all ranks does not end (is the disk full, or failing?)", CLOSE_S) : NULL;
    if (s->file >= 0 && H5Fclose(s->file) < 0) mine = h5_fail(E_IO, "%s: cannot be closed", s->final_name);
    if (limit) comm_deadline_end(&limit);
    s->transfer = s->file = -1;
    if (s->serial >= 0 && H5Fclose(s->serial) < 0) mine = h5_fail(E_IO, "%s: cannot be closed", s->final_name);
    s->serial = -1;
    if (agree_all(s->comm, mine) != OK) give_up(s);
}

static void store_free(store **s)
{
    store *t = *s;
    for (size_t i = 0; i < t->n_arrays; i++) {
        free(t->arrays[i].path);
        free(t->arrays[i].span);
    }
    free(t->arrays);
    nodes_free(&t->put);
    free(t->final_name);
    free(t->kind);
    free(t->part);
    FREE(*s);
}

void store_abandon_all(store **s)
{
    if (!*s) return;
    close_all(*s);
    if ((*s)->made) unlink((*s)->part);
    store_free(s);
}

/* ---- rank 0: the small things ---- */

static int64_t small_bytes(const nodes *l)
{
    int64_t sum = 65536;
    for (size_t i = 0; i < l->n; i++) {
        size_t bytes = 0;
        if (!l->item[i].is_group && !l->item[i].is_big && value_bytes(&l->item[i].v, &bytes, "") != OK) msg_clear();
        sum += (int64_t)bytes + 4096;
        for (size_t k = 0; k < l->item[i].n_attrs; k++)
            if (value_bytes(&l->item[i].attr[k].v, &bytes, "") == OK) sum += 2 * (int64_t)bytes;
    }
    return sum;
}

static status root_attrs(hid_t file, uint64_t digest)
{
    status st = OK;
    char shown[DIGEST_TEXT];
    value v = value_text(digest_show(digest, shown)), yes = value_bool(true);
    hid_t root = H5Gopen2(file, "/", H5P_DEFAULT);
    if (root < 0) TRY(h5_fail(E_IO, "the root cannot be opened"));
    TRY(h5_write_attr(root, "micon-digest", &v));
    TRY(h5_write_attr(root, "micon-complete", &yes));
done:
    if (root >= 0 && H5Gclose(root) < 0 && st == OK) st = h5_fail(E_IO, "the root cannot be closed");
    value_free(&v);
    value_free(&yes);
    return st;
}

static status small_reserve(store *s)
{
    int64_t mtime;
    status st = path_stat(s->part, &s->reserved, &mtime);
    return st == OK ? store_reserve(s, small_bytes(&s->put)) : st;
}

static status small_write(store *s)
{
    status st = OK;
    hid_t file = -1;
    uint64_t digest = nodes_digest(&s->put); /* sorts them: parents come before children */
    TRY(h5_open_serial(s->part, true, &file));
    for (size_t i = 0; i < s->put.n; i++) TRY(h5_write_node(file, &s->put.item[i]));
    TRY(root_attrs(file, digest));
done:
    if (st != OK)
        s->broken = true; /* HDF5 would try the failed write again when closing */
    else if (H5Fclose(file) < 0)
        st = h5_fail(E_IO, "cannot be closed"), s->broken = true;
    return st == OK ? OK : fail_within(st, "%s", s->final_name);
}

/* ---- reading back ---- */

/* Flush this host's share of the file to the disk, where late errors show; then other hosts can read it. */
static status sync_part(const store *s)
{
    int fd = open(s->part, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return fail(E_IO, "%s: %s", s->part, strerror(errno));
    int bad = fsync(fd) != 0 && errno != EINVAL, why = errno;
    close(fd);
    return bad ? fail(E_IO, "%s: fsync: %s", s->final_name, strerror(why)) : OK;
}

static status content_open(const store *s, nodes *seen)
{
    hid_t file = -1;
    int size;
    MPI_Comm_size(s->comm, &size);
    status st = h5_open_serial(s->part, false, &file);
    if (st == OK) st = content_read(file, s->rank, size, seen);
    if (file >= 0) H5Fclose(file);
    return fail_within(st, "%s: read back", s->final_name);
}

static status same_content(store *s, nodes *seen)
{
    if (seen->n != s->put.n) return fail(E_IO, "%s: read back %zu objects where %zu were written", s->final_name, seen->n, s->put.n);
    for (size_t i = 0; i < seen->n; i++)
        if (strcmp(seen->item[i].path, s->put.item[i].path) != 0 || node_digest(&seen->item[i]) != node_digest(&s->put.item[i]))
            return fail(E_IO, "%s: '%s' reads back otherwise than it was written (is the disk full, or failing?)", s->final_name,
                        s->put.item[i].path);
    return OK;
}

static status read_back_all(store *s)
{
    status st = OK;
    nodes seen = {0};
    uint64_t *sum = NULL;
    TRY_ALL(s->comm, sync_part(s));
    TRY_ALL(s->comm, content_open(s, &seen));
    TRY(agree_same_all(s->comm, seen.n, s->final_name));
    sum = xcalloc(seen.n, sizeof *sum);
    for (size_t i = 0; i < seen.n; i++) sum[i] = seen.item[i].rows;
    MPI_Allreduce(MPI_IN_PLACE, sum, (int)seen.n, MPI_UINT64_T, MPI_SUM, s->comm);
    for (size_t i = 0; i < seen.n; i++) seen.item[i].rows = sum[i];
    TRY_ALL(s->comm, s->rank == 0 ? same_content(s, &seen) : OK);
    TRY_ALL(s->comm, fault("after reading back"));
done:
    free(sum);
    nodes_free(&seen);
    return st;
}

static void digests_sum_all(store *s)
{
    for (size_t i = 0; i < s->n_arrays; i++) {
        MPI_Allreduce(MPI_IN_PLACE, &s->arrays[i].rows, 1, MPI_UINT64_T, MPI_SUM, s->comm);
        node *o = nodes_find(&s->put, s->arrays[i].path);
        if (o) o->rows = s->arrays[i].rows;
    }
}

static status put_status(const store *s)
{
    return s->put_st == OK ? OK : fail(s->put_st, "%s", s->put_msg);
}

status store_commit_all(store **sp)
{
    status st = OK;
    store *s = *sp;
    TRY_ALL(s->comm, put_status(s));
    for (size_t i = 0; i < s->n_arrays; i++) TRY(cover_check_all(s, &s->arrays[i]));
    digests_sum_all(s);
    TRY_ALL(s->comm, fault("before closing"));
    close_all(s);
    TRY_ALL(s->comm, fault("after closing"));
    TRY_ALL(s->comm, s->rank == 0 ? small_reserve(s) : OK);
    TRY_ALL(s->comm, s->rank == 0 ? small_write(s) : OK);
    TRY_ALL(s->comm, fault("after the small things"));
    TRY_ALL(s->comm, sync_part(s));
    TRY(blocks_append_all(s));
    TRY(read_back_all(s));
    TRY_ALL(s->comm, s->rank == 0 ? path_publish(s->part, s->final_name) : OK);
    s->made = false;
done:
    store_abandon_all(sp);
    return st;
}
