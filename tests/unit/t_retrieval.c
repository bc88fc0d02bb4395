/* t_retrieval.c -- neighbours, hits and chance: a hand-made case with ties, impossible queries and a query/retrieval split; against brute
 * force in numpy; masks; ranges; all among each other; permutation; floods of equal rows; votes. */
#include "micon/profile/retrieval.h"

#include "../profile_data.h"
#include "micon/profile/linear_algebra.h"

/* Wells on a circle, by angle in degrees. Sources 0 and 1, batches 0 1 | 2 3. */
static const struct {
    int label, batch, source, query;
    double angle;
} HAND[] = {
    {0, 0, 0, 1, 0},   /* 0: row 4 (same compound, other batch of the source) and row 6 tie at 10 degrees */
    {1, 0, 0, 1, 90},  /* 1: nearest elsewhere is row 5 (other compound), then row 3 */
    {2, 0, 0, 1, 200}, /* 2: nearest is its sister in the other source, row 7 */
    {1, 1, 0, 0, 60},  /* 3 */
    {0, 1, 0, 0, 10},  /* 4 */
    {2, 1, 0, 0, 100}, /* 5 */
    {3, 2, 1, 1, -10}, /* 6: no sister at all: impossible */
    {2, 3, 1, 0, 230}, /* 7 */
    {0, 3, 1, 1, 45},  /* 8: row 3 (other compound), then row 4 */
};
enum { HN = sizeof HAND / sizeof *HAND };

static void hand_made(void)
{
    float x[HN * 2];
    int32_t label[HN], batch[HN], source[HN], row[2 * HN * 3], rank[HN];
    uint8_t query[HN];
    int64_t possible[HN], match[HN];
    double sim[2 * HN * 3];
    for (int i = 0; i < HN; i++) {
        x[2 * i] = (float)cos(HAND[i].angle / 180 * 3.14159265358979), x[2 * i + 1] = (float)sin(HAND[i].angle / 180 * 3.14159265358979);
        label[i] = HAND[i].label, batch[i] = HAND[i].batch, source[i] = HAND[i].source, query[i] = (uint8_t)HAND[i].query;
    }
    retrieval_setting set[2] = {{query, NULL, batch, batch, NULL, NULL}, {query, NULL, source, source, NULL, NULL}};
    ok(retrieval_topk(&(profile_rows){.x = x, .d = 2}, (row_range){0, HN}, &(profile_rows){.x = x, .n = HN, .d = 2},
                      &(retrieval_search){.set = set, .n_set = 2, .k = 3}, row, sim) == OK,
       "both settings in one pass");
    const int32_t *nss = row + HN * 3;
    ok(row[0] == 4 && row[1] == 6 && row[2] == 8, "equal similarity: the lower row first");
    ok(row[3] == 5 && row[4] == 3 && row[5] == 8, "the query's own batch is left out");
    ok(nss[0] == 6 && nss[1] == 8 && nss[2] == 7, "and its own source");
    ok(row[9] == -1 && sim[9] != sim[9], "a row that does not ask gets no answer");
    near(sim[0], cos(10 / 180.0 * 3.14159265358979), 1e-7, "the similarity is the cosine");
    retrieval_first_match(row, HN, 3, label, label, rank);
    ok(rank[0] == 1 && rank[1] == 2 && rank[2] == 1 && rank[8] == 2 && rank[6] == 0, "places of the first match");
    ok(retrieval_counts(&set[0], label, 0, HN, label, HN, possible, match) == OK, "counts");
    ok(possible[0] == 6 && match[0] == 2 && match[1] == 1 && match[2] == 2 && match[6] == 0 && match[3] == -1,
       "candidates and matches of each");
    retrieval_score score;
    retrieval_summarize(rank, possible, match, label, HN, 4, 3, &score);
    ok(score.n_queries == 4 && score.n_impossible == 1 && score.n_classes == 3, "four queries, one impossible");
    near(score.hits[0], 0.5, 1e-15, "top 1: rows 0 and 2 of four");
    near(score.hits[1], 1, 1e-15, "top 2: all");
    near(score.by_class[0], 0.5, 1e-15, "by compound: a half, none, all");
    double c8 = retrieval_chance(possible[8], match[8], 1);
    near(score.chance[0], (2 / 6.0 + 1 / 6.0 + 2 / 6.0 + c8) / 4, 1e-15, "chance at 1 is the mean share of matches");
    uint8_t matches[HN * 3];
    retrieval_matches(row, HN, 3, label, label, matches);
    ok(matches[0] == 1 && matches[1] == 1 && matches[2] == 2, "matches among the first 1, 2 and 3: rows 4 and 8 of 4, 6, 8");
    ok(matches[3] == 0 && matches[4] == 1 && matches[5] == 1 && matches[9] == 0, "none among the first; none where nobody asks");
    near(retrieval_precision_chance(possible, match, HN, 1), score.chance[0], 1e-15, "precision at 1 by chance is that of a hit");
    near(retrieval_precision_chance(possible, match, HN, 12), (double)(2 + 1 + 2 + match[8]) / (4 * 12), 1e-15,
         "twelve places take all candidates: their matches by twelve");
    ok(retrieval_counts(&set[1], label, 0, HN, label, HN, possible, match) == OK && match[1] == 0 && match[2] == 1,
       "not same source: row 1 becomes impossible");
    for (int i = 0; i < HN; i++) rank[i] = 0, match[i] = match[i] < 0 ? -1 : 0;
    retrieval_summarize(rank, possible, match, label, HN, 4, 3, &score);
    ok(score.n_queries == 0 && score.n_impossible == 5 && score.n_classes == 0, "nobody has a match");
    ok(isnan(score.hits[0]) && isnan(score.by_class[2]) && isnan(score.chance[0]), "and that is no score of 0");
}

static void chance(void)
{
    static const int32_t hit[] = {4, 0, 1, 3, 2, -1, 0}, of[] = {7, 7, 5, 6, 2};
    static const uint8_t sought[] = {0, 0, 1, 0, 0, 0, 1, 1};
    ok(retrieval_others(hit, 1, sought, 2, of) == 0 && retrieval_others(hit, 1, sought, 7, of) == 1 &&
           retrieval_others(hit, 3, sought, 2, of) == 1 && retrieval_others(hit, 7, sought, 2, of) == 2,
       "other sought labels among the first: each once, not one's own");
    near(retrieval_chance(10, 3, 2), 1 - (7 * 6.0) / (10 * 9), 1e-15, "chance: 1 - C(7,2) / C(10,2)");
    near(retrieval_chance(10, 0, 5), 0, 0, "nothing to hit");
    near(retrieval_chance(3, 1, 10), 1, 0, "more places than candidates");
}

static void against_numpy(const screen *s, const float *u)
{
    retrieval_setting set[2] = {{s->treated, s->treated, s->batch, s->batch, NULL, NULL},
                                {s->treated, s->treated, s->source, s->source, NULL, NULL}};
    static const char *const NAME[] = {"nsb", "nss"};
    int32_t *row = malloc(2 * N * 10 * sizeof *row), rank[N];
    int64_t possible[N], match[N], full[N];
    double top3[N * 3], at[N];
    char name[64];
    ok(retrieval_topk(&(profile_rows){.x = u, .d = D}, (row_range){0, N}, &(profile_rows){.x = u, .n = N, .d = D},
                      &(retrieval_search){.set = set, .n_set = 2, .k = 10}, row, NULL) == OK,
       "the made screen");
    for (int k = 0; k < 2; k++) {
        int m = 0, q = 0;
        retrieval_score score;
        for (int i = 0; i < N; i++)
            for (int j = 0; j < 3 && s->treated[i]; j++) top3[m++] = row[(k * N + i) * 10 + j];
        snprintf(name, sizeof name, "%s_top3", NAME[k]);
        ref_check(top3, m, name, 0, 1e-9, "the nearest three of every query");
        retrieval_first_match(row + k * N * 10, N, 10, s->label, s->label, rank);
        int st = (int)retrieval_counts(&set[k], s->label, 0, N, s->label, N, possible, match);
        retrieval_summarize(rank, possible, match, s->label, N, COMPOUNDS, 10, &score);
        snprintf(name, sizeof name, "%s_hits", NAME[k]);
        ref_check(score.hits, 10, name, 1e-12, 0, "hits at 1..10");
        snprintf(name, sizeof name, "%s_by_class", NAME[k]);
        ref_check(score.by_class, 10, name, 1e-12, 0, "the mean over compounds");
        snprintf(name, sizeof name, "%s_chance", NAME[k]);
        ref_check(score.chance, 10, name, 1e-12, 0, "chance");
        double impossible = (double)score.n_impossible;
        snprintf(name, sizeof name, "%s_impossible", NAME[k]);
        ref_check(&impossible, 1, name, 0, 1e-9, "impossible queries");
        st |= (int)retrieval_match_rank(&(profile_rows){.x = u, .d = D, .label = s->label}, (row_range){0, N},
                                        &(profile_rows){.x = u, .n = N, .d = D, .label = s->label}, &set[k], full);
        for (int i = 0; i < N; i++)
            if (s->treated[i]) at[q++] = (double)full[i];
        snprintf(name, sizeof name, "%s_match_rank", NAME[k]);
        ok(st == OK, "counted");
        ref_check(at, q, name, 0, 1e-9, "the place of the first match among all");
    }
    free(row);
}

static void ranges(const screen *s, const float *u)
{
    retrieval_setting set[2] = {{s->treated, s->treated, s->batch, s->batch, NULL, NULL}, {NULL, s->treated, NULL, NULL, NULL, NULL}};
    int32_t *whole = malloc(2 * N * 10 * sizeof *whole), *part = malloc(2 * N * 10 * sizeof *part);
    int64_t a[N], b[N];
    double *sw = malloc(2 * N * 10 * sizeof *sw), *sp = malloc(2 * N * 10 * sizeof *sp);
    static const int cut[] = {0, 1, 63, 64, 200, N};
    int st = (int)retrieval_topk(&(profile_rows){.x = u, .d = D}, (row_range){0, N}, &(profile_rows){.x = u, .n = N, .d = D},
                                 &(retrieval_search){.set = set, .n_set = 2, .k = 10}, whole, sw),
        good = 1;
    st |= (int)retrieval_match_rank(&(profile_rows){.x = u, .d = D, .label = s->label}, (row_range){0, N},
                                    &(profile_rows){.x = u, .n = N, .d = D, .label = s->label}, set, a);
    for (int c = 0; c + 1 < 6; c++) {
        int first = cut[c], n = cut[c + 1] - cut[c];
        st |= (int)retrieval_topk(&(profile_rows){.x = u, .d = D}, (row_range){first, n}, &(profile_rows){.x = u, .n = N, .d = D},
                                  &(retrieval_search){.set = set, .n_set = 2, .k = 10}, part, sp);
        for (int k = 0; k < 2; k++)
            good &= memcmp(part + k * n * 10, whole + (k * N + first) * 10, (size_t)n * 10 * sizeof *part) == 0 &&
                    memcmp(sp + k * n * 10, sw + (k * N + first) * 10, (size_t)n * 10 * sizeof *sp) == 0;
        st |= (int)retrieval_match_rank(&(profile_rows){.x = u, .d = D, .label = s->label}, (row_range){first, n},
                                        &(profile_rows){.x = u, .n = N, .d = D, .label = s->label}, set, b + first);
    }
    ok(st == OK && good, "any cut of the queries: the same rows and the same bits of similarity");
    ok(memcmp(a, b, sizeof a) == 0, "and the same places of matches");
    good = 1;
    for (int i = 0; i < N; i++) good &= sw[(N + i) * 10] > 1 - 1e-6 || !s->treated[i];
    ok(good, "with nobody left out a query finds itself");
    free(whole);
    free(part);
    free(sw);
    free(sp);
}

/* Rows in another order: the same hits, by well. */
static void permuted(const screen *s, const float *u)
{
    float *v = malloc(N * D * sizeof *v);
    int64_t order[N];
    int32_t batch[N], a[N * 5], b[N * 5];
    int good = 1;
    rng r = rng_at(4, 901, 0, 0);
    for (int i = 0; i < N; i++) order[i] = i;
    rng_shuffle(&r, order, N);
    for (int i = 0; i < N; i++) memcpy(v + i * D, u + order[i] * D, D * sizeof *v), batch[i] = s->batch[order[i]];
    retrieval_setting sa = {NULL, NULL, s->batch, s->batch, NULL, NULL}, sb = {NULL, NULL, batch, batch, NULL, NULL};
    int st = (int)retrieval_topk(&(profile_rows){.x = u, .d = D}, (row_range){0, N}, &(profile_rows){.x = u, .n = N, .d = D},
                                 &(retrieval_search){.set = &sa, .n_set = 1, .k = 5}, a, NULL) |
             (int)retrieval_topk(&(profile_rows){.x = v, .d = D}, (row_range){0, N}, &(profile_rows){.x = v, .n = N, .d = D},
                                 &(retrieval_search){.set = &sb, .n_set = 1, .k = 5}, b, NULL);
    for (int i = 0; i < N; i++)
        for (int j = 0; j < 5; j++) good &= order[b[i * 5 + j]] == a[order[i] * 5 + j];
    ok(st == OK && good, "the order of the wells does not change who is found");
    free(v);
}

/* Thousands of equal rows: more than a short list holds. */
static void flood(void)
{
    enum { M = 5000, W = 8 };
    float *x = malloc(M * W * sizeof *x);
    int32_t own[M], row[3 * 10];
    int good = 1;
    for (int i = 0; i < M; i++) {
        own[i] = i;
        for (int j = 0; j < W; j++) x[i * W + j] = j == 0 ? 1 : (i % 1000 == 999 && j == 1) ? 0.001f : 0;
    }
    retrieval_setting set = {NULL, NULL, own, own, NULL, NULL};
    ok(retrieval_topk(&(profile_rows){.x = x, .d = W}, (row_range){0, 3}, &(profile_rows){.x = x, .n = M, .d = W},
                      &(retrieval_search){.set = &set, .n_set = 1, .k = 10}, row, NULL) == OK,
       "5,000 rows, nearly all equal");
    for (int q = 0; q < 3; q++)
        for (int j = 0, want = 0; j < 10; j++, want++) {
            if (want == q) want++;
            good &= row[q * 10 + j] == want;
        }
    ok(good, "ties go to the lowest rows");
    for (int i = 0; i < M * W; i++) x[i] = 0;
    ok(retrieval_topk(&(profile_rows){.x = x, .d = W}, (row_range){4999, 1}, &(profile_rows){.x = x, .n = M, .d = W},
                      &(retrieval_search){.set = &set, .n_set = 1, .k = 2}, row, NULL) == OK &&
           row[0] == 0 && row[1] == 1,
       "rows of zeros too");
    free(x);
}

/* However the approximate products are made, the outcome is the same to the bit: on a screen, and where all rows are so alike that bf16
 * cannot tell. */
static void ways(void)
{
    enum { M = 2500, W = 70 };
    float *x = malloc(M * W * sizeof *x), *u = malloc(M * W * sizeof *u);
    int32_t *group = malloc(M * sizeof *group), *a = malloc(2 * M * 10 * sizeof *a), *b = malloc(2 * M * 10 * sizeof *b);
    double *sa = malloc(2 * M * 10 * sizeof *sa), *sb = malloc(2 * M * 10 * sizeof *sb);
    for (int alike = 0; alike < 2; alike++) {
        int n = alike ? 1030 : M; /* just enough for bf16 to be chosen where it can be */
        for (int i = 0; i < M; i++) {
            group[i] = i / 100;
            for (int j = 0; j < W; j++) x[i * W + j] = (float)(noise(40, (uint64_t)(i * W + j)) * (alike ? 0.01 : 1) + (alike ? 1 : 0));
        }
        linear_unit_rows(x, M, W, u);
        retrieval_setting set[2] = {{NULL, NULL, group, group, NULL, NULL}, {NULL, NULL, NULL, NULL, NULL, NULL}};
        int st = (int)retrieval_topk(&(profile_rows){.x = u, .d = W}, (row_range){0, n}, &(profile_rows){.x = u, .n = M, .d = W},
                                     &(retrieval_search){.way = RETRIEVAL_FLOAT, .set = set, .n_set = 2, .k = 10}, a, sa);
        st |= (int)retrieval_topk(&(profile_rows){.x = u, .d = W}, (row_range){0, n}, &(profile_rows){.x = u, .n = M, .d = W},
                                  &(retrieval_search){.way = RETRIEVAL_BF16, .set = set, .n_set = 2, .k = 10}, b, sb);
        ok(st == OK && memcmp(a, b, (size_t)(2 * n * 10) * sizeof *a) == 0 && memcmp(sa, sb, (size_t)(2 * n * 10) * sizeof *sa) == 0,
           alike ? "bf16 and float: the same, all rows alike" : "bf16 and float: the same rows and similarities");
        st = (int)retrieval_topk(&(profile_rows){.x = u, .d = W}, (row_range){0, n}, &(profile_rows){.x = u, .n = M, .d = W},
                                 &(retrieval_search){.set = set, .n_set = 2, .k = 10}, b, sb);
        ok(st == OK && memcmp(a, b, (size_t)(2 * n * 10) * sizeof *a) == 0, "and so is what is chosen here");
    }
    free(x);
    free(u);
    free(group);
    free(a);
    free(b);
    free(sa);
    free(sb);
}

/* The worst that bf16's rounding can do: the best candidate is rounded down in every product, forty that are a little worse are rounded up,
 * and stand before it. */
static void worst_rounding(void)
{
    enum { HALF = 128, W = 2 * HALF + 1, M = 41 };
    const float down = 1 + 0x1p-8f - 0x1p-14f, up = 1 + 0x1p-8f + 0x1p-14f; /* half way between two numbers of bf16 */
    float q[W] = {0}, c[M * W] = {0};
    int32_t row[10];
    for (int j = 0; j < HALF; j++) {
        float size = j < 42 ? 0x1p-3f : 0x1p-4f; /* makes the candidates' length 1 */
        q[j] = 0x1p-4f * down, q[HALF + j] = 0x1p-4f * up;
        c[(M - 1) * W + j] = size * down;
        for (int i = 0; i < M - 1; i++) c[i * W + HALF + j] = size * up;
    }
    q[W - 1] = 0x1p-7f, c[M * W - 1] = 0x1p-4f;
    retrieval_setting all = {NULL, NULL, NULL, NULL, NULL, NULL};
    int st = (int)retrieval_topk(&(profile_rows){.x = q, .d = W}, (row_range){0, 1}, &(profile_rows){.x = c, .n = M, .d = W},
                                 &(retrieval_search){.way = RETRIEVAL_BF16, .set = &all, .n_set = 1, .k = 10}, row, NULL);
    ok(st == OK && row[0] == M - 1 && row[1] == 0 && row[9] == 8, "bf16 misses nobody, however it rounds");
}

/* Parts one after the other as if they ran side by side: in a first round the bars of all are noted, in a second each gets the highest. */
enum { BARRED = 3, BARS = 1300 };
typedef struct {
    float most[BARRED][BARS];
    int question;
} bars;

static status agree(void *with, status mine)
{
    ((bars *)with)->question = 0;
    return mine;
}

static void raise_bars(void *with, float *bar, int64_t n)
{
    bars *b = with;
    float *most = b->most[b->question++];
    for (int64_t i = 0; i < n; i++) bar[i] = most[i] = fmaxf(most[i], bar[i]);
}

/* All among each other, in any number of parts: what the searches by ranges find, to the bit, for several rules and k at once. */
static void among(void)
{
    enum { M = 1300, W = 40 };
    static const int ks[3] = {10, 3, 60};
    static const retrieval_way way[] = {RETRIEVAL_FLOAT, RETRIEVAL_BF16, RETRIEVAL_AUTO};
    float *u = malloc(M * W * sizeof *u);
    int32_t *group = malloc(M * sizeof *group), *own = malloc(M * sizeof *own), *row = malloc(M * 60 * sizeof *row);
    uint8_t *use = malloc(M);
    double *sim = malloc(M * 60 * sizeof *sim);
    retrieval_hit *hit[3], *part = malloc(M * 60 * sizeof *part);
    for (int i = 0; i < M; i++) {
        group[i] = i / 100, own[i] = i, use[i] = i % 7 != 0;
        int like = i > 700 ? (i - i % 5) % 600 : i; /* many twins, in other blocks too: they do not come in the order of their rows */
        for (int j = 0; j < W; j++) u[i * W + j] = (float)noise(41, (uint64_t)(like * W + j));
    }
    linear_unit_rows(u, M, W, u);
    retrieval_setting rule[3] = {
        {NULL, NULL, group, group, NULL, NULL}, {use, use, NULL, NULL, NULL, NULL}, {NULL, NULL, own, own, NULL, NULL}};
    for (int q = 0; q < 3; q++) hit[q] = malloc(M * 60 * sizeof *hit[q]);
    for (int n = 300; n <= M; n += 500) /* one block, two (an even circle), three */
        for (int parts = 1; parts <= 3; parts++) {
            int st = 0, good = 1;
            static bars told;
            const retrieval_peers peers = {agree, raise_bars, &told};
            for (int i = 0; i < BARRED * BARS; i++) told.most[i / BARS][i % BARS] = -INFINITY;
            for (int round = 0, p = 0; round < 2 * parts; round++, p = round % parts) {
                retrieval_question ask[3];
                for (int q = 0; q < 3; q++) ask[q] = (retrieval_question){rule[q], ks[q], p == 0 ? hit[q] : malloc(M * 60 * sizeof *part)};
                st |= (int)retrieval_among(way[p], &(profile_rows){.x = u, .n = n, .d = W}, ask, 3, p, parts, &peers);
                for (int q = 0; q < 3 && p > 0; q++) {
                    for (int i = 0; i < n; i++) retrieval_merge(hit[q] + i * ks[q], ask[q].hit + i * ks[q], ks[q]);
                    free(ask[q].hit);
                }
            }
            for (int q = 0; q < 3; q++) {
                st |= (int)retrieval_topk(&(profile_rows){.x = u, .d = W}, (row_range){0, n}, &(profile_rows){.x = u, .n = n, .d = W},
                                          &(retrieval_search){.set = &rule[q], .n_set = 1, .k = ks[q]}, row, sim);
                for (int i = 0; i < n * ks[q]; i++) good &= hit[q][i].row == row[i] && (row[i] < 0 || hit[q][i].sim == sim[i]);
            }
            char what[80];
            snprintf(what, sizeof what, "%d rows among each other in %d parts", n, parts);
            ok(st == OK && good, what);
        }
    for (int q = 0; q < 3; q++) free(hit[q]);
    free(u), free(group), free(own), free(row), free(use), free(sim), free(part);
}

/* Rows so alike that bf16 cannot tell: lists of up to a block's rows overflow and are multiplied in bulk; of more rows, bf16 gives up half
 * way and float begins again. Numbers of rows at and past the border of a block. */
static void among_alike(void)
{
    enum { M = 1300, W = 15 };
    static const int ks[3] = {1, 3, 128}, ns[3] = {512, 513, M};
    float *u = malloc(M * W * sizeof *u);
    int32_t *group = malloc(M * sizeof *group), *row = malloc(M * 128 * sizeof *row);
    double *sim = malloc(M * 128 * sizeof *sim);
    retrieval_question ask[2][3];
    for (int i = 0; i < M; i++) {
        group[i] = i / 10;
        for (int j = 0; j < W; j++) u[i * W + j] = (float)(1 + 0.01 * noise(42, (uint64_t)(i * W + j)));
    }
    linear_unit_rows(u, M, W, u);
    retrieval_setting rule = {NULL, NULL, group, group, NULL, NULL};
    for (int q = 0; q < 6; q++) ask[q / 3][q % 3] = (retrieval_question){rule, ks[q % 3], malloc(M * 128 * sizeof *ask[0][0].hit)};
    for (int a = 0; a < 3; a++) {
        int n = ns[a], good[2] = {1, 1},
            st = (int)retrieval_among(RETRIEVAL_FLOAT, &(profile_rows){.x = u, .n = n, .d = W}, ask[0], 3, 0, 1, NULL);
        st |= (int)retrieval_among(RETRIEVAL_BF16, &(profile_rows){.x = u, .n = n, .d = W}, ask[1], 3, 0, 1, NULL);
        for (int q = 0; q < 3; q++) {
            st |= (int)retrieval_topk(&(profile_rows){.x = u, .d = W}, (row_range){0, n}, &(profile_rows){.x = u, .n = n, .d = W},
                                      &(retrieval_search){.way = RETRIEVAL_FLOAT, .set = &rule, .n_set = 1, .k = ks[q]}, row, sim);
            for (int way = 0; way < 2; way++)
                for (int i = 0; i < n * ks[q]; i++) good[way] &= ask[way][q].hit[i].row == row[i] && ask[way][q].hit[i].sim == sim[i];
        }
        for (int way = 0; way < 2; way++) {
            char what[80];
            snprintf(what, sizeof what, "%d rows that are alike, among each other, by %s", n, way == 0 ? "float" : "bf16");
            ok(st == OK && good[way], what);
        }
    }
    for (int q = 0; q < 6; q++) free(ask[q / 3][q % 3].hit);
    free(u), free(group), free(row), free(sim);
}

/* Two codes at once: neither of the query's batch nor at its place. Answers and counts against a loop over all pairs. */
static void places(const screen *s, const float *u)
{
    enum { K = 4, PLACES = 9 };
    int32_t *place = malloc(N * sizeof *place), *row = malloc(N * K * sizeof *row);
    int64_t possible[N], match[N];
    int good = 1, counted = 1;
    for (int i = 0; i < N; i++) place[i] = (i * 7 + i / 40) % PLACES;
    retrieval_setting rule = {.query_group = s->batch, .candidate_group = s->batch, .query_place = place, .candidate_place = place};
    retrieval_question ask = {rule, K, malloc(N * K * sizeof *ask.hit)};
    const profile_rows all = {.x = u, .n = N, .d = D};
    int st = (int)retrieval_topk(&all, (row_range){0, N}, &all, &(retrieval_search){.set = &rule, .n_set = 1, .k = K}, row, NULL);
    st |= (int)retrieval_among(RETRIEVAL_AUTO, &(profile_rows){.x = u, .n = N, .d = D}, &ask, 1, 0, 1, NULL);
    st |= (int)retrieval_counts(&rule, s->label, 0, N, s->label, N, possible, match);
    for (int i = 0; i < N; i++) {
        int64_t n = 0, same = 0;
        int32_t best = -1;
        double top = -2;
        for (int j = 0; j < N; j++) {
            if (s->batch[j] == s->batch[i] || place[j] == place[i]) continue;
            double sim = linear_dot(u + i * D, u + j * D, D);
            n++, same += s->label[i] >= 0 && s->label[j] == s->label[i];
            if (sim > top) top = sim, best = j;
        }
        counted &= possible[i] == n && match[i] == same;
        good &= row[i * K] == best;
        for (int k = 0; k < K; k++) good &= row[i * K + k] == ask.hit[i * K + k].row && place[row[i * K + k]] != place[i];
    }
    ok(st == OK && good, "other batches, other places: the nearest of those, by ranges and among each other");
    ok(counted, "and as many candidates and matches as there are");
    free(place), free(row), free(ask.hit);
}

static void votes(void)
{
    int32_t row[] = {0, 1, 2, 3, 4, /**/ 1, 0, 3, 2, 4, /**/ 4, 0, 1, -1, -1, /**/ -1, -1, -1, -1, -1};
    int32_t of[] = {7, 8, 8, 7, -1}, vote[4], truth[] = {7, 7, 8, 1};
    int64_t used;
    retrieval_vote(row, 4, 5, of, vote);
    ok(vote[0] == 7 && vote[1] == 8, "two votes each: the nearest's label wins");
    ok(vote[2] == 7 && vote[3] == -1, "no label, no vote; no neighbours, no verdict");
    near(retrieval_accuracy(vote, truth, 4, &used), 1 / 3.0, 1e-15, "accuracy among those with a verdict");
    ok(used == 3, "of three");
}

int main(void)
{
    screen *s = screen_make();
    float *u = malloc(sizeof s->x);
    linear_unit_rows(s->x, N, D, u);
    hand_made();
    chance();
    against_numpy(s, u);
    ranges(s, u);
    permuted(s, u);
    flood();
    ways();
    worst_rounding();
    among();
    among_alike();
    places(s, u);
    votes();
    int32_t row[1];
    ok(retrieval_topk(&(profile_rows){.x = u, .d = D}, (row_range){0, 1}, &(profile_rows){.x = u, .n = N, .d = D},
                      &(retrieval_search){.set = &(retrieval_setting){0}, .n_set = 1, .k = 1000}, row, NULL) == E_INTERNAL,
       "k of 1,000 is refused");
    free(u);
    free(s);
    return tap_done();
}
