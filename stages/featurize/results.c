/* results.c -- the rows are divided among the ranks, each with its own worker process; the results are gathered on every rank as one block
 * of records. */
#include "featurize.h"

#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>
#include <string.h>

/* Followed by the fingerprint, then by reason, key, formula and SMILES, each with its NUL. Results arrive in any order, so a record names
 * its row. */
typedef struct {
    int64_t row;
    double weight;
    int32_t state, n_heavy, charge;
    uint32_t changes;
    uint32_t size; /* bytes that follow the record */
    uint32_t unused;
} record;

typedef struct {
    const compound_row *row; /* this rank's rows */
    int64_t first, n, n_done;
    size_t fingerprint_size;
    progress *p;
    char *block;
    size_t size, cap;
    status st;
} share;

static const char *smiles_of(void *ctx, int64_t i)
{
    const share *h = ctx;
    return h->row[i].smiles;
}

static char *put_bytes(char *to, const void *from, size_t n)
{
    memcpy(to, from, n);
    return to + n;
}

static void take(void *ctx, int64_t i, const compound *c)
{
    share *h = ctx;
    size_t sizes[4] = {strlen(c->reason) + 1, strlen(c->key) + 1, strlen(c->formula) + 1, strlen(c->smiles) + 1};
    size_t body = h->fingerprint_size + sizes[0] + sizes[1] + sizes[2] + sizes[3];
    if (h->st == OK) h->st = mem_grow(&h->block, &h->cap, h->size + sizeof(record) + body, 1, "results");
    if (h->st != OK) return;
    record r = {.row = h->first + i,
                .weight = c->weight,
                .state = (int32_t)c->state,
                .n_heavy = c->n_heavy,
                .charge = c->charge,
                .changes = c->changes,
                .size = (uint32_t)body};
    char *p = put_bytes(h->block + h->size, &r, sizeof r);
    p = put_bytes(p, c->fingerprint, h->fingerprint_size);
    p = put_bytes(p, c->reason, sizes[0]);
    p = put_bytes(p, c->key, sizes[1]);
    p = put_bytes(p, c->formula, sizes[2]);
    p = put_bytes(p, c->smiles, sizes[3]);
    h->size += sizeof r + body;
    h->n_done++;
    progress_add(h->p, 1);
}

static status compute(share *h, worker *w, const featurize_options *o)
{
    status st = fault("standardize");
    if (st == OK)
        st = compound_worker_run(w, &(compound_job){.n = h->n,
                                                    .smiles = smiles_of,
                                                    .take = take,
                                                    .ctx = h,
                                                    .kind = (compound_kind)o->fingerprint,
                                                    .bits = (int)o->bits,
                                                    .limit_s = o->time_limit});
    if (st == OK) st = h->st;
    if (st == OK && h->n_done != h->n) st = fail(E_INTERNAL, "%lld rows of %lld have a result", (long long)h->n_done, (long long)h->n);
    return st;
}

/* Fill out->of from the records of all ranks. */
static status read_block(results *out, size_t size, int64_t n_rows, size_t fingerprint_size)
{
    int64_t n = 0;
    for (size_t at = 0; at + sizeof(record) <= size; n++) {
        record r;
        memcpy(&r, out->block + at, sizeof r);
        const char *p = out->block + at + sizeof r;
        at += sizeof r + r.size;
        if (at > size || r.row < 0 || r.row >= n_rows) return fail(E_INTERNAL, "a result for row %lld", (long long)r.row);
        result *o = &out->of[r.row];
        *o = (result){.state = (compound_state)r.state,
                      .changes = r.changes,
                      .n_heavy = r.n_heavy,
                      .charge = r.charge,
                      .weight = r.weight,
                      .fingerprint = (const uint8_t *)p};
        o->reason = p + fingerprint_size;
        o->key = o->reason + strlen(o->reason) + 1;
        o->formula = o->key + strlen(o->key) + 1;
        o->smiles = o->formula + strlen(o->formula) + 1;
    }
    return n == n_rows ? OK : fail(E_INTERNAL, "%lld results for %lld rows", (long long)n, (long long)n_rows);
}

status results_make_all(results *out, stage *s, worker *w, progress *p, const compound_tables *t)
{
    status st = OK;
    size_t size = 0;
    share h = {.p = p, .fingerprint_size = (size_t)s->cfg.featurize.bits / 8};
    partition(t->n_rows, s->size, s->rank, &h.first, &h.n);
    h.row = t->row + h.first;
    TRY_ALL(s->comm, compute(&h, w, &s->cfg.featurize));
    TRY(comm_gather_all(s->comm, -1, h.block, h.size, &out->block, &size));
    FREE(h.block);
    TRY_ALL(s->comm, mem_alloc(&out->of, (size_t)t->n_rows, sizeof *out->of, "results"));
    TRY_ALL(s->comm, read_block(out, size, t->n_rows, h.fingerprint_size));
done:
    free(h.block);
    return st;
}

void results_free(results *r)
{
    free(r->block);
    free(r->of);
    *r = (results){0};
}
