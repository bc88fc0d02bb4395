/* similarity.c -- blocks of approximate products. */
#include "similarity_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"
#include "micon/nn/kernels.h"
#include "micon/nn/onednn.h"
#include "shortlist_impl.h"

#include <cblas.h>
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { QUERIES = SIMILARITY_QUERIES, CANDIDATES = SIMILARITY_CANDIDATES };
static const float MARGIN = 1e-5f; /* of float products of unit rows */

struct similarity {
    const float *c;
    int64_t n, d;
    bool coarse;
    float margin;
    dnn *engine;
    dnn_op *op;         /* [QUERIES,d] x [d,CANDIDATES] */
    char *packed;       /* every block of candidates in the operation's own order */
    size_t packed_size; /* of one */
    void *scratch;
    uint16_t *query; /* [QUERIES,d] bf16 */
    float *out;      /* a whole block, where fewer queries are asked for than it holds */
};

/* What bf16 does to rows: the length of the longest, and of the longest difference between a row and its bf16. Infinite where a row is not
 * finite. */
typedef struct {
    float longest, rounding;
} extent;

/* Squares of the lengths of a row and of its difference from its bf16. */
HOT static void row_extent(const float *x, const uint16_t *coarse, int64_t d, float *length, float *off)
{
    enum { SUMS = 16 };
    float part[SUMS] = {0}, part_off[SUMS] = {0};
    for (int64_t j = 0; j < d; j += SUMS) {
        int64_t n = d - j < SUMS ? d - j : SUMS;
        float back[SUMS] = {0}, own[SUMS] = {0};
        uint32_t bits[SUMS] = {0};
        for (int i = 0; i < n; i++) bits[i] = (uint32_t)coarse[j + i] << 16, own[i] = x[j + i];
        memcpy(back, bits, sizeof back);
        for (int i = 0; i < SUMS; i++) part[i] += own[i] * own[i], part_off[i] += (own[i] - back[i]) * (own[i] - back[i]);
    }
    *length = *off = 0;
    for (int i = 0; i < SUMS; i++) *length += part[i], *off += part_off[i];
}

static status rows_extent(const float *x, int64_t n, int64_t d, extent *out)
{
    uint16_t *coarse = NULL;
    float most = 0, most_off = 0, length, off;
    status st = mem_alloc(&coarse, (size_t)d, sizeof *coarse, "a row in bf16");
    if (st != OK) return st;
    for (int64_t i = 0; i < n; i++) {
        kernels_to_bf16(x + i * d, coarse, (size_t)d);
        row_extent(x + i * d, coarse, d, &length, &off);
        if (!(length <= FLT_MAX) || !(off <= FLT_MAX)) length = off = INFINITY;
        most = length > most ? length : most, most_off = off > most_off ? off : most_off;
    }
    free(coarse);
    *out = (extent){sqrtf(most) * 1.0001f, sqrtf(most_off) * 1.0001f};
    return OK;
}

/* Twice what a product can be off by: |ab - a'b'| <= |a - a'| |b| + |a'| |b - b'|, and the sum of d products in float. */
static float coarse_margin(extent q, extent c, int64_t d)
{
    return 2 * (q.rounding * c.longest + (q.longest + q.rounding) * c.rounding + 2e-7f * (float)d * q.longest * c.longest);
}

static float nth_best(const float *s, int64_t n, int k)
{
    float best[SHORTLIST_MOST_K];
    for (int i = 0; i < k; i++) best[i] = -INFINITY;
    for (int64_t j = 0; j < n; j++) {
        if (!(s[j] > best[k - 1])) continue;
        int at = k - 1;
        for (; at > 0 && s[j] > best[at - 1]; at--) best[at] = best[at - 1];
        best[at] = s[j];
    }
    return best[k - 1];
}

/* How many candidates the margin lets through for one query beyond its k best, on the average of a few queries. */
static status crowd(const similarity *s, const float *q, int64_t n, int k, double *out)
{
    enum { SAMPLE = 16 };
    status st = OK;
    float *asks = NULL, *sim = NULL;
    int64_t many = 0, best = k < SHORTLIST_MOST_K ? k + 1 : SHORTLIST_MOST_K; /* a query may be a candidate itself */
    TRY(mem_alloc(&asks, SAMPLE, (size_t)s->d * sizeof *asks, "queries"));
    TRY(mem_alloc(&sim, SAMPLE, (size_t)s->n * sizeof *sim, "similarities"));
    for (int64_t i = 0; i < SAMPLE; i++) memcpy(asks + i * s->d, q + i * n / SAMPLE * s->d, (size_t)s->d * sizeof *asks);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, SAMPLE, (int)s->n, (int)s->d, 1, asks, (int)s->d, s->c, (int)s->d, 0, sim,
                (int)s->n);
    for (int64_t i = 0; i < SAMPLE; i++) {
        float need = nth_best(sim + i * s->n, s->n, (int)best) - s->margin;
        for (int64_t j = 0; j < s->n; j++) many += sim[i * s->n + j] >= need;
    }
    *out = (double)many / SAMPLE - (double)best;
done:
    free(asks);
    free(sim);
    return st;
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

/* Where bf16 lets too many through, float is faster: one that is multiplied again costs as much as PAYS float products save; and lists
 * beyond CROWD are multiplied again and again. */
status similarity_create(similarity **out, retrieval_way way, const float *q, int64_t n, const float *c, int64_t n_candidate, int64_t d,
                         int k)
{
    status st = OK;
    similarity *s = xcalloc(1, sizeof *s);
    enum { PAYS = 256, CROWD = 80 };
    extent of_c, of_q;
    double many = 0;
    *s = (similarity){.c = c, .n = n_candidate, .d = d, .margin = MARGIN};
    bool worth = n >= 4 * QUERIES && n_candidate >= CANDIDATES && d >= 64 && dnn_bf16();
    if (way == RETRIEVAL_FLOAT || (way == RETRIEVAL_AUTO && !worth)) goto done;
    TRY(rows_extent(c, n_candidate, d, &of_c));
    of_q = of_c;
    if (q != c) TRY(rows_extent(q, n, d, &of_q));
    s->margin = coarse_margin(of_q, of_c, d);
    if (way == RETRIEVAL_AUTO) TRY(crowd(s, q, n, k, &many));
    if (many <= fmin(CROWD, (double)n_candidate / PAYS))
        TRY(make_coarse(s));
    else
        s->margin = MARGIN;
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

float similarity_margin(const similarity *s)
{
    return s->margin;
}

bool similarity_is_coarse(const similarity *s)
{
    return s->coarse;
}

void similarity_refine(similarity *s)
{
    s->coarse = false;
    s->margin = MARGIN;
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
