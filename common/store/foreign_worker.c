/* foreign_worker.c -- the process that may crash: it opens a foreign file with HDF5 and hands over tables and rows. Each request names the
 * file, so that the next worker can continue where the last one died. */
#include "foreign_impl.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/store/foreign.h"
#include "store_impl.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

typedef struct {
    uint8_t *data;
    size_t size;
} packed;

struct foreign_state {
    foreign_window *window;
    char *path; /* of the open file; NULL: none */
    store_file *f;
    bool has_var;
    int64_t n, d;
    packed obs, var;
};

foreign_state *foreign_state_new(foreign_window *w)
{
    foreign_state *s = xcalloc(1, sizeof *s);
    s->window = w;
    return s;
}

static void forget(foreign_state *s)
{
    foreign_window *w = s->window;
    store_close(&s->f);
    free(s->path);
    free(s->obs.data);
    free(s->var.data);
    *s = (foreign_state){.window = w};
}

static void limit_memory(const char *path)
{
#if !defined(__SANITIZE_ADDRESS__)
    struct rlimit r;
    int64_t size = 0, mtime;
    if (path_stat(path, &size, &mtime) != OK) msg_clear();
    rlim_t want = (rlim_t)WORKER_MAX_MEMORY, small = ((rlim_t)1 << 30) + 4 * (rlim_t)size;
    if (small < want) want = small;
    if (getrlimit(RLIMIT_DATA, &r) != 0) return;
    r.rlim_cur = r.rlim_max != RLIM_INFINITY && r.rlim_max < want ? r.rlim_max : want;
    (void)setrlimit(RLIMIT_DATA, &r);
#else
    (void)path;
#endif
}

static status pack(const store_file *f, const char *group, packed *out, int64_t *rows)
{
    frame t = {0};
    status st = store_read_frame(f, group, &t);
    if (st == OK) st = frame_pack(&t, &out->data, &out->size);
    *rows = t.n_rows;
    frame_free(&t);
    return st;
}

static status check_x(const store_file *f)
{
    hid_t dset;
    status st = h5_open(f->file, "X", H5I_DATASET, &dset);
    if (st != OK) return fail_within(st, "%s", f->path);
    st = h5_check_stored(dset);
    H5Dclose(dset);
    return fail_within(st, "%s: 'X'", f->path);
}

static status open_file(foreign_state *s, const char *path)
{
    status st = OK;
    int n_dims;
    int64_t dims[4], rows;
    if (s->path && strcmp(s->path, path) == 0) return OK;
    forget(s);
    limit_memory(path);
    TRY(store_open(&s->f, path, NULL, 0));
    TRY(store_dims(s->f, "X", &n_dims, dims));
    if (n_dims != 2) TRY(fail(E_FORMAT, "%s: X is no plain table of numbers (a sparse one cannot be read)", path));
    if (dims[1] < 1 || dims[1] > FOREIGN_MAX_COLUMNS)
        TRY(fail(E_FORMAT, "%s: X has %lld columns; 1 to %d can be read", path, (long long)dims[1], FOREIGN_MAX_COLUMNS));
    TRY(check_x(s->f));
    TRY(pack(s->f, "obs", &s->obs, &rows));
    if (rows != dims[0]) TRY(fail(E_FORMAT, "%s: obs has %lld rows, X has %lld", path, (long long)rows, (long long)dims[0]));
    s->has_var = store_has(s->f, "var");
    if (s->has_var) {
        TRY(pack(s->f, "var", &s->var, &rows));
        if (rows != dims[1]) TRY(fail(E_FORMAT, "%s: var has %lld rows, X has %lld columns", path, (long long)rows, (long long)dims[1]));
    }
    s->n = dims[0];
    s->d = dims[1];
    s->path = xstrdup(path);
done:
    if (st != OK) forget(s);
    return st;
}

static status hand_over(foreign_state *s, const packed *p, uint64_t offset, uint64_t *bytes)
{
    if (offset > p->size) return fail(E_INTERNAL, "%s: asked beyond its tables", s->path);
    size_t n = p->size - (size_t)offset;
    if (n > sizeof s->window->bytes) n = sizeof s->window->bytes;
    memcpy(s->window->bytes, p->data + offset, n);
    *bytes = n;
    return OK;
}

/* Rows that follow each other are read in one call. */
static status read_rows(foreign_state *s, const foreign_request *q, uint64_t *bytes)
{
    status st = OK;
    size_t row = (size_t)s->d * sizeof(float);
    if (q->n < 1 || q->n > FOREIGN_ROWS || (size_t)q->n > sizeof s->window->bytes / row)
        TRY(fail(E_INTERNAL, "%s: %d rows at once", s->path, (int)q->n));
    for (int32_t i = 0, k; i < q->n; i = k) {
        for (k = i + 1; k < q->n && q->row[k] == q->row[k - 1] + 1; k++) {
        }
        TRY(store_read_rows(s->f, "X", STORE_F32, q->row[i], k - i, s->window->bytes + (size_t)i * row));
    }
    *bytes = (size_t)q->n * row;
done:
    return st;
}

static status serve(foreign_state *s, const foreign_request *q, foreign_answer *a)
{
    status st = OK;
    if (q->what == ASK_OPEN || q->what == ASK_VERIFY || q->what == ASK_CLOSE) forget(s);
    if (q->what == ASK_CLOSE) goto done;
    if (q->what == ASK_VERIFY) {
        limit_memory(q->path);
        TRY(store_verify(q->path, &a->digest));
        goto done;
    }
    TRY(open_file(s, q->path));
    a->has_var = s->has_var;
    a->n = s->n;
    a->d = s->d;
    a->obs = s->obs.size;
    a->var = s->var.size;
    if (q->what == ASK_OBS) TRY(hand_over(s, &s->obs, q->offset, &a->bytes));
    if (q->what == ASK_VAR) TRY(hand_over(s, &s->var, q->offset, &a->bytes));
    if (q->what == ASK_ROWS) TRY(read_rows(s, q, &a->bytes));
done:
    return st;
}

size_t foreign_serve(void *state, const void *request, size_t size, void *answer)
{
    foreign_state *s = state;
    foreign_answer a = {0};
    foreign_request q = {0};
    memcpy(&q, request, size < sizeof q ? size : sizeof q);
    q.path[sizeof q.path - 1] = '\0';
    h5_note_to(s->window->object, sizeof s->window->object);
    msg_clear();
    a.code = serve(s, &q, &a);
    if (a.code != OK) msg_take(a.message, sizeof a.message);
    memcpy(answer, &a, sizeof a);
    return sizeof a;
}
