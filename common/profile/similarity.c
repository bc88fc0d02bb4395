/* similarity.c -- blocks of approximate products. */
#include "similarity.h"

#include "micon/dnn.h"
#include "micon/kernels.h"
#include "micon/mem.h"

#include <cblas.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = SIMILARITY_QUERIES, CANDIDATES = SIMILARITY_CANDIDATES };

struct similarity {
    const float *c;
    int64_t n, d;
    bool coarse;
    dnn *engine;
    dnn_op *op;         /* [QUERIES,d] x [d,CANDIDATES] */
    char *packed;       /* every block of candidates in the operation's own order */
    size_t packed_size; /* of one */
    void *scratch;
    uint16_t *query; /* [QUERIES,d] bf16 */
    float *out;      /* a whole block, where fewer queries are asked for than it holds */
};

static bool short_rows(const float *x, int64_t n, int64_t d)
{
    for (int64_t i = 0; i < n; i++) {
        float part[8] = {0}, sum = 0;
        for (int64_t j = 0; j < d; j++) part[j % 8] += x[i * d + j] * x[i * d + j];
        for (int t = 0; t < 8; t++) sum += part[t];
        if (!(sum <= 1.0001f)) return false;
    }
    return true;
}

/* Every block of candidates turned on its side, padded with zeros, and packed. */
static status pack(similarity *s)
{
    status st = OK;
    float *side = NULL;
    size_t blocks = (size_t)((s->n + CANDIDATES - 1) / CANDIDATES);
    s->packed_size = (dnn_op_packed_bytes(s->op) + 63) / 64 * 64;
    TRY(mem_alloc(&s->packed, blocks, s->packed_size, "packed candidates"));
    TRY(mem_alloc(&side, (size_t)s->d, CANDIDATES * sizeof *side, "packed candidates"));
    for (size_t b = 0; b < blocks; b++) {
        int64_t at = (int64_t)b * CANDIDATES, m = s->n - at < CANDIDATES ? s->n - at : CANDIDATES;
        if (m < CANDIDATES) memset(side, 0, (size_t)s->d * CANDIDATES * sizeof *side);
        for (int64_t i = 0; i < m; i += 16) /* 16 candidates are a cache line of the turned block */
            for (int64_t j = 0; j < s->d; j++)
                for (int64_t t = i; t < i + 16 && t < m; t++) side[j * CANDIDATES + t] = s->c[(at + t) * s->d + j];
        TRY(dnn_op_pack(s->op, side, s->packed + b * s->packed_size, s->scratch));
    }
done:
    free(side);
    return st;
}

static status make_coarse(similarity *s)
{
    status st = OK;
    matmul_spec spec = {.type = NN_BF16, .out_type = NN_F32, .m = QUERIES, .k = s->d, .n = CANDIDATES};
    TRY(dnn_create(&s->engine));
    TRY(dnn_matmul_create(&s->op, s->engine, &spec));
    TRY(mem_alloc(&s->scratch, dnn_op_scratch_bytes(s->op), 1, "scratch memory of a product"));
    TRY(mem_alloc(&s->query, QUERIES, (size_t)s->d * sizeof *s->query, "queries in bf16"));
    TRY(mem_alloc(&s->out, QUERIES, CANDIDATES * sizeof *s->out, "a block of similarities"));
    TRY(pack(s));
    s->coarse = true;
done:
    return st;
}

status similarity_create(similarity **out, retrieval_way way, const float *q, int64_t n, const float *c, int64_t n_candidate, int64_t d)
{
    status st = OK;
    similarity *s = xcalloc(1, sizeof *s);
    s->c = c, s->n = n_candidate, s->d = d;
    bool pays = n >= 4 * QUERIES && n_candidate >= CANDIDATES && d >= 64 && dnn_amx();
    if (way == RETRIEVAL_BF16 || (way == RETRIEVAL_AUTO && pays && (q == c || short_rows(q, n, d)) && short_rows(c, n_candidate, d)))
        TRY(make_coarse(s));
done:
    if (st != OK) similarity_destroy(&s);
    *out = s;
    return st;
}

void similarity_destroy(similarity **out)
{
    similarity *s = *out;
    if (!s) return;
    dnn_op_destroy(&s->op);
    dnn_destroy(&s->engine);
    free(s->packed);
    free(s->scratch);
    free(s->query);
    free(s->out);
    FREE(*out);
}

/* bf16 rounds each factor by 2^-9 of itself at most, so a product of unit rows is off by 2^-8 and a little; sums are in float. */
float similarity_margin(const similarity *s)
{
    return s->coarse ? 2 * (1.01f / 256 + 2e-7f * (float)s->d) : 1e-5f;
}

bool similarity_is_coarse(const similarity *s)
{
    return s->coarse;
}

void similarity_refine(similarity *s)
{
    s->coarse = false;
}

status similarity_block(similarity *s, const float *q, int64_t nq, bool fresh, int64_t at, float *out)
{
    status st = OK;
    int64_t nc = s->n - at < CANDIDATES ? s->n - at : CANDIDATES;
    if (s->coarse) {
        float *to = nq < QUERIES ? s->out : out;
        if (fresh) kernels_to_bf16(q, s->query, (size_t)(nq * s->d));
        TRY(dnn_op_run(s->op, s->query, s->packed + (size_t)(at / CANDIDATES) * s->packed_size, NULL, to, s->scratch));
        if (to != out) memcpy(out, to, (size_t)nq * CANDIDATES * sizeof *out);
    } else {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, (int)nq, (int)nc, (int)s->d, 1, q, (int)s->d, s->c + at * s->d, (int)s->d, 0,
                    out, CANDIDATES);
    }
    for (int64_t i = 0; i < nq && nc < CANDIDATES; i++)
        for (int64_t j = nc; j < CANDIDATES; j++) out[i * CANDIDATES + j] = -INFINITY;
done:
    return st;
}
