/* nearest.c -- prints the compounds of the table with the largest Tanimoto similarity to a SMILES. */
#include "featurize.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    double like;
    int64_t row;
} hit;

/* Larger similarity first; ties in the order of the table. */
static bool is_better(const hit *a, const hit *b)
{
    return a->like > b->like || (a->like == b->like && a->row < b->row);
}

static void keep_best(hit *best, int64_t *n, int64_t k, hit h)
{
    if (*n == k && !is_better(&h, &best[k - 1])) return;
    int64_t at = *n < k ? (*n)++ : k - 1;
    for (; at > 0 && is_better(&h, &best[at - 1]); at--) best[at] = best[at - 1];
    best[at] = h;
}

static status find_best(const store_file *f, const compound *wanted, int bits, hit *best, int64_t *n, int64_t k)
{
    enum { BLOCK = 1024 };
    status st = OK;
    int n_dims;
    int64_t dims[4];
    uint8_t *x = NULL, packed[COMPOUND_MAX_BITS / 8];
    TRY(store_dims(f, "X", &n_dims, dims));
    if (n_dims != 2 || dims[1] != bits) {
        st = fail(E_FORMAT, "compounds.h5: X has no %d columns", bits);
        goto done;
    }
    TRY(mem_alloc(&x, (size_t)BLOCK, (size_t)bits, "fingerprints"));
    for (int64_t at = 0; at < dims[0]; at += BLOCK) {
        int64_t m = dims[0] - at < BLOCK ? dims[0] - at : BLOCK;
        TRY(store_read_rows(f, "X", STORE_U8, at, m, x));
        for (int64_t i = 0; i < m; i++) {
            memset(packed, 0, sizeof packed);
            for (int b = 0; b < bits; b++) packed[b / 8] = (uint8_t)(packed[b / 8] | (x[i * bits + b] & 1u) << b % 8);
            keep_best(best, n, k, (hit){compound_tanimoto(wanted->fingerprint, packed, bits), at + i});
        }
    }
done:
    free(x);
    return st;
}

typedef struct {
    const char *smiles;
    compound c;
} query;

static const char *smiles_of(void *ctx, int64_t i)
{
    (void)i;
    return ((query *)ctx)->smiles;
}

static void take_answer(void *ctx, int64_t i, const compound *c)
{
    (void)i;
    ((query *)ctx)->c = *c;
}

static status standardize_query(worker *w, const featurize_options *o, query *q)
{
    char shown[120];
    compound_job job = {.n = 1,
                        .smiles = smiles_of,
                        .take = take_answer,
                        .ctx = q,
                        .kind = (compound_kind)o->fingerprint,
                        .bits = (int)o->bits,
                        .limit_s = o->time_limit};
    status st = compound_worker_run(w, &job);
    if (st == OK && !compound_is_kept(q->c.state))
        st = fail(E_USAGE, "--nearest '%s': %s: %s", text_show(shown, sizeof shown, q->smiles), compound_state_name(q->c.state),
                  q->c.reason);
    return st;
}

static void print_hits(const frame *obs, const hit *best, int64_t n)
{
    static const char *const cols[] = {"Metadata_Compound", "InChIKey", "SMILES"};
    printf("Rank\tTanimoto\tMetadata_Compound\tInChIKey\tSMILES\n");
    for (int64_t i = 0; i < n; i++) {
        printf("%lld\t%.4f", (long long)i + 1, best[i].like);
        for (int c = 0; c < 3; c++) {
            int at = frame_col(obs, cols[c]);
            printf("\t%s", at < 0 ? "" : frame_text(obs, best[i].row, at));
        }
        printf("\n");
    }
}

static status nearest(stage *s, worker *w, const char *path)
{
    const featurize_args *a = s->options;
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    query *q = xcalloc(1, sizeof *q);
    hit *best = xcalloc((size_t)a->k, sizeof *best);
    int64_t n = 0;
    q->smiles = a->nearest;
    TRY(standardize_query(w, &s->cfg.featurize, q));
    TRY(store_open(&f, path, COMPOUNDS_KIND, COMPOUNDS_FORMAT));
    TRY(find_best(f, &q->c, (int)s->cfg.featurize.bits, best, &n, a->k));
    TRY(store_read_frame(f, "obs", &obs));
    print_hits(&obs, best, n);
done:
    store_close(&f);
    frame_free(&obs);
    free(best);
    free(q);
    return st;
}

status nearest_all(stage *s, worker *w, const char *path)
{
    status st = OK;
    TRY_ALL(s->comm, s->rank == 0 ? nearest(s, w, path) : OK);
done:
    return st;
}
