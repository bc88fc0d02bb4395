/* foreign.c -- the rank's side of a foreign file: asks the worker, checks what it answers. */
#include "micon/store/foreign.h"

#include "foreign_impl.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/base/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct foreign_reader {
    worker *w;
    foreign_window *window;
    foreign_state *state; /* of the worker; made before the fork */
    foreign_request q;
    foreign_answer a;
    worker_end how;
    bool whole; /* the answer has its size */
};

struct foreign_file {
    foreign_reader *r;
    char *path, number[24];
    int64_t n, d;
    double limit_s;
    int index; /* of var; < 0: none */
    frame obs, var;
};

status foreign_start(foreign_reader **out)
{
    status st = OK;
    foreign_reader *r = xcalloc(1, sizeof *r);
    *out = NULL;
    void *window = mmap(NULL, sizeof *r->window, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (window == MAP_FAILED) TRY(fail(E_IO, "no shared memory for a worker: %s", strerror(errno)));
    r->window = window;
    r->state = foreign_state_new(r->window);
    TRY(worker_start(&r->w, foreign_serve, r->state));
    *out = r;
    r = NULL;
done:
    foreign_stop(&r);
    return st;
}

void foreign_stop(foreign_reader **pr)
{
    foreign_reader *r = *pr;
    if (!r) return;
    worker_stop(&r->w);
    if (r->window) (void)munmap(r->window, sizeof *r->window);
    free(r->state);
    FREE(*pr);
}

int64_t foreign_deaths(const foreign_reader *r)
{
    return worker_deaths(r->w);
}

/* ---- one request ---- */

static const void *put(void *ctx, int64_t i, size_t *size)
{
    foreign_reader *r = ctx;
    (void)i;
    *size = offsetof(foreign_request, row) + (size_t)r->q.n * sizeof r->q.row[0];
    return &r->q;
}

static void got(void *ctx, int64_t i, worker_end how, const void *data, size_t size)
{
    foreign_reader *r = ctx;
    (void)i;
    r->how = how;
    r->whole = how == WORKER_DONE && size == sizeof r->a;
    if (r->whole) memcpy(&r->a, data, sizeof r->a);
}

static status died(foreign_reader *r, double limit_s)
{
    char object[sizeof r->window->object], shown[600], at[700] = "";
    memcpy(object, r->window->object, sizeof object);
    object[sizeof object - 1] = '\0';
    if (*object) snprintf(at, sizeof at, " '%s'", text_show(shown, sizeof shown, object));
    if (r->how == WORKER_TIMEOUT)
        return fail(E_FORMAT, "%s: reading%s took more than %.0f s of CPU time: the file is damaged; write it again", r->q.path, at,
                    limit_s);
    return fail(E_FORMAT, "%s: reading%s crashed the HDF5 library, or took too much time or memory: the file is damaged; write it again",
                r->q.path, at);
}

/* r->q.what, n, offset and row are set. The answer's text is that of a failure there. */
static status ask(foreign_reader *r, const char *path, double limit_s)
{
    status st = OK;
    if (strlen(path) >= sizeof r->q.path) return fail(E_FAILED, "%.60s...: its name is too long", path);
    snprintf(r->q.path, sizeof r->q.path, "%s", path);
    memset(r->window->object, 0, sizeof r->window->object);
    TRY(worker_run(r->w, &(worker_job){.n = 1, .request = put, .answer = got, .ctx = r, .limit_s = limit_s}));
    if (!r->whole) TRY(died(r, limit_s));
    r->a.message[sizeof r->a.message - 1] = '\0';
    if (r->a.code < OK || r->a.code > E_USAGE) TRY(died(r, limit_s));
    if (r->a.code != OK) TRY(fail((status)r->a.code, "%s", r->a.message));
done:
    return st;
}

static double limit_of(const char *path)
{
    int64_t size = 0, mtime;
    if (path_stat(path, &size, &mtime) != OK) msg_clear(); /* opening it reports the error */
    return 10 + (double)size / 10e6;
}

/* ---- a file ---- */

static status take_frame(foreign_file *f, foreign_ask what, uint64_t size, frame *out)
{
    status st = OK;
    uint8_t *data = NULL;
    foreign_reader *r = f->r;
    if (size > (uint64_t)WORKER_MAX_MEMORY) return died(r, f->limit_s);
    TRY(mem_alloc(&data, (size_t)size, 1, f->path));
    for (uint64_t at = 0; at < size; at += r->a.bytes) {
        r->q.what = what;
        r->q.n = 0;
        r->q.offset = at;
        TRY(ask(r, f->path, f->limit_s));
        if (r->a.bytes < 1 || r->a.bytes > sizeof r->window->bytes || r->a.bytes > size - at) TRY(died(r, f->limit_s));
        memcpy(data + at, r->window->bytes, (size_t)r->a.bytes);
    }
    TRY(fail_within(frame_unpack(out, data, (size_t)size), "%s: its tables", f->path));
done:
    free(data);
    return st;
}

status foreign_open(foreign_file **out, foreign_reader *r, const char *path)
{
    status st = OK;
    foreign_file *f = xcalloc(1, sizeof *f);
    *f = (foreign_file){.r = r, .path = xstrdup(path), .limit_s = limit_of(path), .index = -1};
    *out = NULL;
    r->q.what = ASK_OPEN;
    r->q.n = 0;
    TRY(ask(r, path, f->limit_s));
    foreign_answer a = r->a;
    if (a.n < 0 || a.d < 1 || a.d > FOREIGN_MAX_COLUMNS || a.n > INT64_MAX / (int64_t)sizeof(float) / a.d) TRY(died(r, f->limit_s));
    f->n = a.n;
    f->d = a.d;
    TRY(take_frame(f, ASK_OBS, a.obs, &f->obs));
    if (a.has_var) TRY(take_frame(f, ASK_VAR, a.var, &f->var));
    if (f->obs.n_rows != f->n || (a.has_var && f->var.n_rows != f->d)) TRY(died(r, f->limit_s));
    f->index = frame_col(&f->var, "_index");
    if (f->index >= 0 && f->var.col[f->index].type != FRAME_TEXT) TRY(died(r, f->limit_s));
    *out = f;
    f = NULL;
done:
    foreign_close(&f);
    return st;
}

int64_t foreign_n(const foreign_file *f)
{
    return f->n;
}

int64_t foreign_d(const foreign_file *f)
{
    return f->d;
}

const frame *foreign_obs(const foreign_file *f)
{
    return &f->obs;
}

const char *foreign_name(foreign_file *f, int64_t j)
{
    if (f->index >= 0) return frame_text(&f->var, j, f->index);
    snprintf(f->number, sizeof f->number, "%lld", (long long)j);
    return f->number;
}

status foreign_rows(foreign_file *f, const int64_t *row, int64_t n, float *out)
{
    status st = OK;
    foreign_reader *r = f->r;
    size_t bytes = (size_t)f->d * sizeof(float);
    int64_t most = (int64_t)(sizeof r->window->bytes / bytes);
    if (most > FOREIGN_ROWS) most = FOREIGN_ROWS;
    for (int64_t i = 0, m; i < n; i += m) {
        m = n - i < most ? n - i : most;
        r->q.what = ASK_ROWS;
        r->q.n = (int32_t)m;
        memcpy(r->q.row, row + i, (size_t)m * sizeof *row);
        TRY(ask(r, f->path, f->limit_s));
        if (r->a.bytes != (size_t)m * bytes || r->a.d != f->d) TRY(died(r, f->limit_s));
        memcpy(out + i * f->d, r->window->bytes, (size_t)m * bytes);
    }
done:
    return st;
}

void foreign_close(foreign_file **pf)
{
    foreign_file *f = *pf;
    if (!f) return;
    char kept[1024];
    msg_take(kept, sizeof kept);
    f->r->q.what = ASK_CLOSE;
    f->r->q.n = 0;
    if (ask(f->r, f->path, f->limit_s) != OK) msg_clear(); /* harmless: the next open starts over */
    if (*kept) msg_set(kept);
    frame_free(&f->obs);
    frame_free(&f->var);
    free(f->path);
    FREE(*pf);
}

status foreign_verify(foreign_reader *r, const char *path, uint64_t *digest)
{
    status st = OK;
    r->q.what = ASK_VERIFY;
    r->q.n = 0;
    TRY(ask(r, path, 10 * limit_of(path))); /* every byte twice, and digests of all */
    *digest = r->a.digest;
done:
    return st;
}
