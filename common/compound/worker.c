/* worker.c -- compound_read on the other side of a pipe. */
#include "micon/compound/worker.h"

#include "micon/base/mem.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

enum { DRAW = -1 };

typedef struct {
    int32_t kind, bits; /* kind DRAW: a drawing */
} wish;

_Static_assert(sizeof(compound) <= WORKER_MAX_BYTES, "a compound must fit into one answer");

/* In the worker. */
static size_t serve(void *arg, const void *request, size_t size, void *answer)
{
    compound *c = arg;
    wish w;
#ifdef __GLIBC__
    /* Molecules come and go: memory given back to the system after each of them costs a few per cent of the time. */
    static bool tuned;
    if (!tuned) tuned = mallopt(M_TRIM_THRESHOLD, 64 << 20) && mallopt(M_TOP_PAD, 4 << 20);
#endif
    memcpy(&w, request, sizeof w);
    if (w.kind == DRAW) return compound_draw((const char *)request + sizeof w, size - sizeof w, answer, WORKER_MAX_BYTES);
    compound_read(c, (const char *)request + sizeof w, size - sizeof w, (compound_kind)w.kind, w.bits);
    size_t n = compound_size(c);
    memcpy(answer, c, n);
    return n;
}

status compound_worker_start(worker **out)
{
    static compound room; /* the worker's own, once forked */
    *out = NULL;
    if (compound_init(COMPOUND_ECFP4) != OK) msg_clear();
    return worker_start(out, serve, &room);
}

typedef struct {
    const compound_job *job;
    compound c;
    char request[sizeof(wish) + 2 * COMPOUND_MAX_CHARS];
} passage;

static const void *put(void *ctx, int64_t i, size_t *size)
{
    passage *p = ctx;
    const char *s = p->job->smiles(p->job->ctx, i);
    size_t n = strlen(s);
    if (compound_refuse(&p->c, s, n)) { /* no need to send it */
        p->job->take(p->job->ctx, i, &p->c);
        return NULL;
    }
    /* A long text behind a SMILES is not sent; that there is one is. */
    if (n > sizeof p->request - sizeof(wish)) n = sizeof p->request - sizeof(wish);
    wish w = {.kind = (int32_t)p->job->kind, .bits = p->job->bits};
    memcpy(p->request, &w, sizeof w);
    memcpy(p->request + sizeof w, s, n);
    *size = sizeof w + n;
    return p->request;
}

static void reject(compound *c, compound_state why, const char *reason)
{
    *c = (compound){.state = why};
    snprintf(c->reason, sizeof c->reason, "%s", reason);
}

/* A worker whose memory was overwritten may answer anything: only what can be a compound is one. */
static bool is_sound(const compound *c, size_t size)
{
    return size > offsetof(compound, smiles) && memchr(c->smiles, '\0', size - offsetof(compound, smiles)) && compound_size(c) == size &&
           memchr(c->reason, '\0', sizeof c->reason) && memchr(c->key, '\0', sizeof c->key) &&
           memchr(c->formula, '\0', sizeof c->formula) && (unsigned)c->state < COMPOUND_N_STATES &&
           compound_is_kept(c->state) == (c->smiles[0] != '\0');
}

static void got(void *ctx, int64_t i, worker_end how, const void *data, size_t size)
{
    passage *p = ctx;
    if (how == WORKER_DONE && size <= sizeof p->c) memcpy(&p->c, data, size);
    if (how == WORKER_TIMEOUT)
        reject(&p->c, COMPOUND_TIMEOUT, "Open Babel took longer than featurize.time_limit");
    else if (how != WORKER_DONE || size > sizeof p->c || !is_sound(&p->c, size))
        reject(&p->c, COMPOUND_CRASHED, "Open Babel crashed on it");
    p->job->take(p->job->ctx, i, &p->c);
}

status compound_worker_run(worker *w, const compound_job *job)
{
    passage *p = xcalloc(1, sizeof *p);
    p->job = job;
    status st = compound_init(job->kind);
    if (st == OK) st = worker_run(w, &(worker_job){.n = job->n, .request = put, .answer = got, .ctx = p, .limit_s = job->limit_s});
    free(p);
    return st;
}

/* ---- drawings ---- */

typedef struct {
    const compound_drawings *job;
    char request[sizeof(wish) + COMPOUND_MAX_SMILES];
} drawing_passage;

static const void *put_drawing(void *ctx, int64_t i, size_t *size)
{
    drawing_passage *p = ctx;
    const wish w = {.kind = DRAW};
    const char *s = p->job->smiles(p->job->ctx, i);
    size_t n = strlen(s);
    if (n == 0 || n > COMPOUND_MAX_SMILES) {
        p->job->take(p->job->ctx, i, "", 0);
        return NULL;
    }
    memcpy(p->request, &w, sizeof w);
    memcpy(p->request + sizeof w, s, n);
    *size = sizeof w + n;
    return p->request;
}

static void got_drawing(void *ctx, int64_t i, worker_end how, const void *data, size_t size)
{
    drawing_passage *p = ctx;
    p->job->take(p->job->ctx, i, how == WORKER_DONE ? data : "", how == WORKER_DONE ? size : 0);
}

status compound_worker_draw(worker *w, const compound_drawings *job)
{
    drawing_passage *p = xcalloc(1, sizeof *p);
    p->job = job;
    status st = worker_run(w, &(worker_job){.n = job->n, .request = put_drawing, .answer = got_drawing, .ctx = p, .limit_s = job->limit_s});
    free(p);
    return st;
}
