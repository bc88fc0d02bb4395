/* t_average_precision.c -- average precision, its null, p-values and their correction, against numpy and by enumeration. */
#include "micon/profile/average_precision.h"

#include "../profile_data.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

static void definition(void)
{
    double p[] = {0.5, 0.9, 0.1}, n[] = {0.7, 0.5, 0.2}, none[1];
    near(ap_of_similarities(p, 3, n, 3), (1 / 1.0 + 2 / 3.0 + 3 / 6.0) / 3, 1e-15, "positives first among equals");
    near(ap_of_similarities(p, 3, none, 0), 1, 0, "no negatives: 1");
    ok(isnan(ap_of_similarities(none, 0, n, 3)), "no positives: NaN");
    int32_t rank[] = {1, 3, 6};
    near(ap_of_ranks(rank, 3), (1 / 1.0 + 2 / 3.0 + 3 / 6.0) / 3, 1e-15, "the same from ranks");
}

typedef struct {
    double ap[N], map[COMPOUNDS], p[COMPOUNDS];
    int32_t m[N], total[N];
} outcome;

static void activity(const screen *s, const float *u, outcome *o)
{
    uint8_t learn[N];
    ap_controls c;
    double ap[N], total[N];
    int n = 0;
    for (int i = 0; i < N; i++) learn[i] = s->control[i] && !(s->plate[i] == 3 && i % 40 >= 2);
    ok(ap_controls_init(&c, learn, s->plate, s->batch, s->source, N, 4) == OK, "controls of each plate");
    ok(c.level[c.set_of[0]] == 0 && c.level[c.set_of[3 * 40]] == 1 && c.start[c.set_of[120] + 1] - c.start[c.set_of[120]] == 12,
       "two controls on a plate: its batch's twelve");
    ok(ap_activity(&(profile_rows){.x = u, .n = N, .d = D, .label = s->label, .use = s->treated}, &c,
                   &(ap_activity_scores){.out = &(ap_scores){o->ap, o->m, o->total}}, 0, 1) == OK,
       "activity");
    for (int i = 0; i < N; i++)
        if (s->treated[i]) ap[n] = o->ap[i], total[n++] = o->total[i];
    ref_check(ap, n, "activity_ap", 1e-12, 0, "every average precision is numpy's");
    ref_check(total, n, "activity_total", 0, 1e-9, "and the number of wells ranked");
    ok(isnan(o->ap[0]) && o->m[0] == 0, "a control does not ask");
    for (int parts = 2; parts <= 40; parts += 19) {
        double sum[N] = {0};
        int32_t pm[N] = {0}, pt[N] = {0}, busy = 0;
        int st = 0;
        for (int k = 0; k < parts; k++) {
            outcome one;
            st |= (int)ap_activity(&(profile_rows){.x = u, .n = N, .d = D, .label = s->label, .use = s->treated}, &c,
                                   &(ap_activity_scores){.out = &(ap_scores){one.ap, one.m, one.total}}, k, parts);
            int asked = 0;
            for (int i = 0; i < N; i++) sum[i] += one.ap[i], pm[i] += one.m[i], pt[i] += one.total[i], asked += one.total[i] > 0;
            busy += asked > 0;
        }
        bool same = memcmp(pm, o->m, sizeof pm) == 0 && memcmp(pt, o->total, sizeof pt) == 0;
        for (int i = 0; i < N; i++) same &= isnan(o->ap[i]) ? isnan(sum[i]) : sum[i] == o->ap[i];
        ok(st == OK && same && busy == (parts < COMPOUNDS ? parts : COMPOUNDS), "parts add up to the same bits, none is idle without need");
    }
    ap_controls_free(&c);
    uint8_t nobody[N] = {0};
    ok(ap_controls_init(&c, nobody, s->plate, NULL, NULL, N, 4) == E_FAILED && strstr(msg_get(), "no controls"),
       "a screen without controls");
    msg_clear();
    ok(ap_controls_init(&c, learn, s->plate, NULL, NULL, N, 4) == OK && c.level[c.set_of[3 * 40]] == 3, "no batch known: all controls");
    ap_controls_free(&c);
}

/* Rows repeated among compounds and controls, so that many similarities are equal or nearly so: against the definition on exact
 * products. */
static void ties(void)
{
    enum { M = 60, W = 5 };
    float x[M * W], u[M * W];
    int32_t label[M], plate[M] = {0}, m[M], t[M];
    uint8_t control[M], use[M];
    double ap[M];
    int good = 1;
    for (int i = 0; i < M; i++) {
        control[i] = i % 3 == 0, use[i] = !control[i], label[i] = control[i] ? -1 : i % 4;
        for (int j = 0; j < W; j++)
            x[i * W + j] = (float)(noise(30, (uint64_t)((i % 7) * W + j)) + (i % 2 ? 3e-6 * noise(31, (uint64_t)(i * W + j)) : 0));
    }
    linear_unit_rows(x, M, W, u);
    ap_controls c;
    int st = (int)ap_controls_init(&c, control, plate, NULL, NULL, M, 4);
    st |= (int)ap_activity(&(profile_rows){.x = u, .n = M, .d = W, .label = label, .use = use}, &c,
                           &(ap_activity_scores){.out = &(ap_scores){ap, m, t}}, 0, 1);
    for (int i = 0; i < M && st == OK; i++) {
        double pos[M], neg[M];
        int np = 0, nn = 0;
        if (!use[i]) continue;
        for (int j = 0; j < M; j++) {
            double s = linear_dot(u + i * W, u + j * W, W);
            if (control[j]) neg[nn++] = s;
            if (use[j] && j != i && label[j] == label[i]) pos[np++] = s;
        }
        good &= m[i] == np && t[i] == np + nn && ap[i] == ap_of_similarities(pos, np, neg, nn);
    }
    ok(st == OK && good, "equal and nearly equal similarities: the bits of the definition on exact products");
    ap_controls_free(&c);
}

/* With places: positives and negatives at the query's are as if they were not there. */
static void places(const screen *s, const float *u)
{
    int32_t place[N], m[N], t[N], all_m[N], all_t[N];
    double ap[N], everywhere[N], again[N], pos[N], neg[N];
    ap_controls c;
    int good = 1;
    for (int i = 0; i < N; i++) place[i] = (i * 5 + i / 40) % 11;
    int st = (int)ap_controls_init(&c, s->control, NULL, s->batch, NULL, N, 4);
    st |= (int)ap_activity(&(profile_rows){.x = u, .n = N, .d = D, .label = s->label, .use = s->treated}, &c,
                           &(ap_activity_scores){&(ap_scores){everywhere, all_m, all_t}, place, &(ap_scores){ap, m, t}}, 0, 1);
    for (int i = 0; i < N && st == OK; i++) {
        int np = 0, nn = 0;
        for (int j = 0; j < N && s->treated[i]; j++) {
            if (place[j] == place[i]) continue;
            double sim = linear_dot(u + i * D, u + j * D, D);
            if (s->control[j] && s->batch[j] == s->batch[i]) neg[nn++] = sim;
            if (s->label[j] == s->label[i]) pos[np++] = sim;
        }
        good &= !s->treated[i] || (m[i] == np && t[i] == np + nn && ap[i] == ap_of_similarities(pos, np, neg, nn));
    }
    ok(st == OK && good, "activity with candidates at other places: the definition on those");
    st = (int)ap_activity(&(profile_rows){.x = u, .n = N, .d = D, .label = s->label, .use = s->treated}, &c,
                          &(ap_activity_scores){.out = &(ap_scores){again, m, t}}, 0, 1);
    good = memcmp(m, all_m, sizeof m) == 0 && memcmp(t, all_t, sizeof t) == 0;
    for (int i = 0; i < N; i++) good &= isnan(again[i]) ? isnan(everywhere[i]) : again[i] == everywhere[i];
    ok(st == OK && good, "in the same pass those at all places");
    ap_controls_free(&c);
    float x[4 * 2] = {1, 0, 0.9f, 0.436f, 0.8f, 0.6f, 0, 1};
    int64_t start[5] = {0, 1, 2, 3, 4};
    int32_t target[4] = {0, 0, 1, 1}, at[4] = {5, 5, -1, -1};
    st = (int)ap_consistency(&(profile_rows){.x = x, .n = 4, .d = 2}, &(ap_targets){start, target}, at, (row_range){0, 4},
                             &(ap_scores){ap, m, t});
    ok(st == OK && m[0] == 0 && t[0] == 2 && isnan(ap[0]) && m[2] == 1 && t[2] == 3,
       "consistency: a compound at the same place is left out, those at several places are not");
}

/* The mean of all rankings, listed. */
static void chances(void)
{
    int good = 1;
    for (int total = 1; total <= 11; total++)
        for (int m = 1; m <= total; m++) {
            double sum = 0, n = 0;
            for (int set = 0; set < 1 << total; set++) {
                int32_t rank[11];
                int k = 0;
                for (int i = 0; i < total; i++)
                    if (set >> i & 1) rank[k++] = i + 1;
                if (k == m) sum += ap_of_ranks(rank, m), n++;
            }
            good &= fabs(ap_chance(m, total) - sum / n) < 1e-14;
        }
    ok(good, "chance is the mean AP of all rankings, for all m of 1 to 11");
    double chance[3];
    ok(ap_chances(&(ap_scores){NULL, (int32_t[]){2, 0, 5}, (int32_t[]){9, 4, 300}}, 3, chance) == OK && chance[0] == ap_chance(2, 9) &&
           isnan(chance[1]) && chance[2] == ap_chance(5, 300),
       "of several queries; none without positives");
    near(ap_normalized(0.75, 0.5), 0.5, 0, "half way from chance to 1");
    ok(ap_normalized(0.25, 0.25) == 0 && ap_normalized(0, 0.5) == -1 && isnan(ap_normalized(1, 1)), "chance is 0; NaN without negatives");
}

static void nulls(void)
{
    enum { SIZE = 20000 };
    double *v = malloc(SIZE * sizeof *v), *w = malloc(SIZE * sizeof *w), value[10] = {0};
    int count[10] = {0}, kinds = 0, total;
    ap_null(2, 5, 1, SIZE, v);
    for (int i = 0; i < SIZE; i++) {
        int k = 0;
        while (k < kinds && fabs(v[i] - value[k]) > 1e-9) k++;
        if (k == kinds && kinds < 10) value[kinds++] = v[i];
        if (k < 10) count[k]++;
    }
    double *want = ref_load("null_exact_2_5", &total);
    ok(want && kinds == total, "2 of 5: all values that there are occur, and no other");
    int good = 1;
    for (int k = 0; k < kinds; k++) { /* each set of ranks has chance 1/10; several sets may share a value */
        double expected = 0;
        for (int a = 1; a <= 5; a++)
            for (int b = a + 1; b <= 5; b++) expected += fabs((1.0 / a + 2.0 / b) / 2 - value[k]) < 1e-9 ? SIZE / 10.0 : 0;
        good &= fabs(count[k] - expected) < 5 * sqrt(expected);
    }
    ok(good, "as often as they should");
    free(want);
    ap_null(10, 30, 1, SIZE, v);
    double mean = linear_mean(v, SIZE), q;
    ref_check(&mean, 1, "null_mean_10_30", 0, 0.003, "mean of the null of 10 among 30");
    q = linear_quantile(v, SIZE, 0.95);
    ref_check(&q, 1, "null_q95_10_30", 0, 0.008, "its 95th percentile");
    ap_null(20, 30, 1, SIZE, v); /* more positives than not: the other branch */
    ap_null(20, 30, 1, SIZE, w);
    ok(memcmp(v, w, SIZE * sizeof *v) == 0 && linear_mean(v, SIZE) > 2 / 3.0 && linear_mean(v, SIZE) < 0.75,
       "20 of 30: repeatable, above the share");
    ap_null(7, 7, 1, 10, v);
    near(v[9], 1, 0, "positives only: 1");
    free(v);
    free(w);
}

static void pvalues(const screen *s, outcome *o)
{
    double map[COMPOUNDS], p[COMPOUNDS], part_map[COMPOUNDS], part_p[COMPOUNDS];
    double quantile[COMPOUNDS * AP_NULL_QUANTILES];
    int64_t asked[COMPOUNDS];
    ok(ap_pvalues(&(ap_scores){o->ap, o->m, o->total}, s->label, N, (row_range){0, COMPOUNDS}, &(ap_null_options){.size = 10000, .seed = 1},
                  &(ap_groups){map, p, asked, quantile}) == OK,
       "p-values");
    ref_check(map, COMPOUNDS, "activity_map", 1e-12, 0, "mean average precision of each compound");
    int apart = 0;
    for (int c = 0; c < COMPOUNDS; c++) {
        const double *q = quantile + AP_NULL_QUANTILES * c; /* the p-value counts the null at or above the mean AP */
        apart += !(q[0] <= q[1] && q[1] <= q[2]) || (p[c] < 0.0499 && map[c] < q[2]) || (p[c] > 0.0503 && map[c] > q[2]) ||
                 (p[c] < 0.499 && map[c] < q[1]) || (p[c] > 0.9503 && map[c] > q[0]);
    }
    ok(apart == 0, "quantiles of the null agree with the p-values");
    double as_0_1[COMPOUNDS];
    int below = 0;
    int st_0_1 = (int)ap_pvalues(&(ap_scores){o->ap, o->m, o->total}, s->label, N, (row_range){0, COMPOUNDS},
                                 &(ap_null_options){.size = 10000, .seed = 1, .as_0_1 = true}, &(ap_groups){map, as_0_1, NULL, NULL});
    ref_check(as_0_1, COMPOUNDS, "activity_p", 0, 0.025, "p-values as in 0.1 are those of numpy's own draws, to sampling error");
    for (int c = 0; c < COMPOUNDS; c++) below += as_0_1[c] < 0.2 && p[c] < as_0_1[c] - 0.025;
    ok(st_0_1 == OK && below == 0, "small p-values are not smaller where replicates vary together");
    ok(asked[0] == 15 && asked[23] + asked[24] == 15, "queries of each");
    int st = (int)ap_pvalues(&(ap_scores){o->ap, o->m, o->total}, s->label, N, (row_range){0, 9},
                             &(ap_null_options){.size = 10000, .seed = 1}, &(ap_groups){part_map, part_p, NULL, NULL});
    st |= (int)ap_pvalues(&(ap_scores){o->ap, o->m, o->total}, s->label, N, (row_range){9, COMPOUNDS - 9},
                          &(ap_null_options){.size = 10000, .seed = 1}, &(ap_groups){part_map + 9, part_p + 9, NULL, NULL});
    ok(st == OK && memcmp(p, part_p, sizeof p) == 0 && memcmp(map, part_map, sizeof map) == 0, "compounds in two ranges: the same bits");
    double perfect[3] = {1, 1, 1}, all[1], one_p[1];
    int32_t m[3] = {2, 2, 2}, t[3] = {12, 12, 12}, g[3] = {0, 0, 0}, same[3] = {2, 2, 2};
    st = (int)ap_pvalues(&(ap_scores){perfect, m, t}, g, 3, (row_range){0, 1}, &(ap_null_options){.size = 10000, .seed = 1},
                         &(ap_groups){all, one_p, NULL, NULL});
    ok(st == OK && all[0] == 1 && fabs(one_p[0] - 1 / 66.0) < 2e-4, "2 of 12 in perfect order: one of the 66 rankings");
    st = (int)ap_pvalues(&(ap_scores){perfect, m, same}, g, 3, (row_range){0, 1}, &(ap_null_options){.size = 1000, .seed = 1},
                         &(ap_groups){all, one_p, NULL, NULL});
    ok(st == OK && one_p[0] == 1, "no negatives: what is equal counts, p is 1");
    st = (int)ap_pvalues(&(ap_scores){perfect, m, same}, g, 3, (row_range){0, 1},
                         &(ap_null_options){.size = 1000, .seed = 1, .as_0_1 = true}, &(ap_groups){all, one_p, NULL, NULL});
    ok(st == OK && one_p[0] == 1 / 1001.0, "as release 0.1: p counts what is above, not what is equal");
}

/* Noise alone, 60 treatments of `replicates` wells on as many plates of 60 to 67 controls: is any active at q < 0.05? */
static bool false_discoveries(int replicates, uint32_t seed, bool as_0_1)
{
    enum { TREATMENTS = 60, CONTROLS = 60, WIDTH = 10, MOST = 8 * (TREATMENTS + CONTROLS + 8) };
    float *x = calloc((size_t)MOST * WIDTH, sizeof *x);
    int32_t label[MOST], plate[MOST], m[MOST], t[MOST];
    uint8_t control[MOST], use[MOST];
    double ap[MOST], map[TREATMENTS], p[TREATMENTS], q[TREATMENTS];
    int64_t n = 0, active = 0;
    ap_controls c;
    for (int r = 0; r < replicates; r++)
        for (int i = 0; i < TREATMENTS + CONTROLS + r % 8; i++, n++) {
            label[n] = i < TREATMENTS ? i : -1, plate[n] = r, control[n] = i >= TREATMENTS, use[n] = !control[n];
            for (int j = 0; j < WIDTH; j++) x[n * WIDTH + j] = (float)noise(100 + seed, (uint64_t)(n * WIDTH + j));
        }
    linear_unit_rows(x, n, WIDTH, x);
    const profile_rows rows = {.x = x, .n = n, .d = WIDTH, .label = label, .use = use};
    int st = (int)ap_controls_init(&c, control, plate, NULL, NULL, n, 4);
    st |= (int)ap_activity(&rows, &c, &(ap_activity_scores){.out = &(ap_scores){ap, m, t}}, 0, 1);
    st |= (int)ap_pvalues(&(ap_scores){ap, m, t}, label, n, (row_range){0, TREATMENTS},
                          &(ap_null_options){.size = 2000, .seed = 1, .as_0_1 = as_0_1}, &(ap_groups){map, p, NULL, NULL});
    ap_adjust(p, TREATMENTS, q);
    for (int i = 0; i < TREATMENTS; i++) active += q[i] < 0.05;
    ap_controls_free(&c);
    free(x);
    return st != OK || active > 0;
}

static void simulation(void)
{
    enum { SCREENS = 40 };
    double worst = 0, older = 0;
    for (int replicates = 2; replicates <= 8; replicates++) {
        double share = 0, share_0_1 = 0;
        for (uint32_t s = 0; s < SCREENS; s++) {
            share += false_discoveries(replicates, s, false) / (double)SCREENS;
            if (replicates < 4) share_0_1 += false_discoveries(replicates, s, true) / (double)SCREENS;
        }
        printf("# %d replicates of noise: %.2f of the screens with a discovery at q < 0.05 (recipe 0.1: %.2f)\n", replicates, share,
               share_0_1);
        worst = share > worst ? share : worst;
        older = share_0_1 > older ? share_0_1 : older;
    }
    ok(worst <= 0.05, "noise of 2 to 8 replicates: a treatment is active at q < 0.05 in at most 5 % of the screens");
    ok(older > 0.05, "the test sees the fault of recipe 0.1");
}

static void adjust(void)
{
    double p[41], q[41];
    for (int i = 0; i < 40; i++) p[i] = pow(noise(3, (uint64_t)i) / 4 + 0.5, 3);
    p[7] = p[8];
    p[40] = NAN;
    ap_adjust(p, 41, q);
    ref_check(q, 40, "bh", 1e-12, 0, "Benjamini and Hochberg's correction");
    ok(isnan(q[40]), "NaN stays out of it");
}

static void consistency(const screen *s)
{
    float med[COMPOUNDS * D];
    int64_t count[COMPOUNDS], start[COMPOUNDS + 1] = {0};
    int32_t target[2 * COMPOUNDS], m[COMPOUNDS], t[COMPOUNDS];
    double mark[COMPOUNDS], ap[COMPOUNDS], part[COMPOUNDS], c64[COMPOUNDS];
    ok(consensus_median(&(profile_rows){.x = s->x, .n = N, .d = D, .label = s->label, .use = s->treated}, COMPOUNDS, med, count) == OK,
       "consensus profiles");
    row_marks(med, COMPOUNDS, D, mark);
    ref_check(mark, COMPOUNDS, "consensus", 1e-12, 1e-12, "they are numpy's medians");
    for (int c = 0; c < COMPOUNDS; c++) {
        c64[c] = (double)count[c];
        int64_t at = start[c];
        if (c != 7) target[at++] = c % 5;
        if (c != 7 && c % 4 == 0) target[at++] = 5 + c % 3;
        start[c + 1] = at;
    }
    ref_check(c64, COMPOUNDS, "consensus_count", 0, 1e-9, "of as many wells");
    linear_unit_rows(med, COMPOUNDS, D, med);
    ok(ap_consistency(&(profile_rows){.x = med, .n = COMPOUNDS, .d = D}, &(ap_targets){start, target}, NULL, (row_range){0, COMPOUNDS},
                      &(ap_scores){ap, m, t}) == OK,
       "consistency");
    ref_check(ap, COMPOUNDS, "consistency_ap", 1e-12, 0, "every average precision is numpy's; a compound without targets has none");
    int st = (int)ap_consistency(&(profile_rows){.x = med, .n = COMPOUNDS, .d = D}, &(ap_targets){start, target}, NULL, (row_range){0, 11},
                                 &(ap_scores){part, m, t});
    st |= (int)ap_consistency(&(profile_rows){.x = med, .n = COMPOUNDS, .d = D}, &(ap_targets){start, target}, NULL,
                              (row_range){11, COMPOUNDS - 11}, &(ap_scores){part + 11, m, t});
    ok(st == OK && memcmp(part, ap, sizeof ap) == 0, "in two ranges: the same bits");
    float mean[COMPOUNDS * D];
    ok(consensus_mean(&(profile_rows){.x = s->x, .n = N, .d = D, .label = s->label}, COMPOUNDS, mean, count) == OK, "means by label");
    double sum = 0;
    for (int i = 0; i < N; i++) sum += s->label[i] == 4 ? s->x[i * D + 3] : 0;
    near(mean[4 * D + 3], sum / (double)count[4], 1e-6, "are means");
}

/* Among all rows, controls too, which are a treatment of their own: a pair of a treatment is of two plates; its negatives are of the same
 * source, and of another treatment and batch. Against copairs (stored), its p-values are those of release 0.1; and against a plain loop. */
static void pairs(const screen *s, const float *u)
{
    enum { GROUPS = COMPOUNDS + 1, DRAWS = 40000 };
    static int32_t code[2][N], total[N], m[N], part_m[N], part_total[N];
    static double ap[N], part[N], count[N], p[GROUPS], map[GROUPS], normal[GROUPS], chance[N], n[GROUPS];
    static uint8_t all[N], some[N];
    for (int i = 0; i < N; i++) code[0][i] = s->label[i] + 1, code[1][i] = s->batch[i], all[i] = 1, some[i] = i % 7 > 0;
    const profile_rows rows = {.x = u, .n = N, .d = D};
    ap_pair_rule rule = {
        .pos_same = code[0], .neg_same = s->source, .pos_diff = s->plate, .neg_diff = code[0], .n_pos_diff = 1, .n_neg_diff = 2};
    ok(ap_pairs(&rows, &rule, all, (row_range){0, N}, &(ap_scores){ap, m, total}) == OK, "chosen pairs");
    for (int i = 0; i < N; i++) count[i] = total[i];
    ref_check(ap, N, "pairs_ap", 1e-9, 0, "chosen pairs: every average precision is copairs'");
    ref_check(count, N, "pairs_total", 0, 1e-9, "chosen pairs: and the number of pairs");
    const ap_scores scores = {ap, m, total};
    ok(ap_pvalues(&scores, code[0], N, (row_range){0, GROUPS}, &(ap_null_options){.size = DRAWS, .seed = 3, .as_0_1 = true},
                  &(ap_groups){.mean_ap = map, .p = p}) == OK &&
           ap_chances(&scores, N, chance) == OK,
       "chosen pairs: p-values");
    ref_check(map, GROUPS, "pairs_map", 1e-9, 0, "chosen pairs: mAP of each group");
    for (int i = 0; i < N; i++) normal[code[0][i]] += ap_normalized(ap[i], chance[i]), n[code[0][i]]++;
    for (int g = 0; g < GROUPS; g++) normal[g] /= n[g];
    ref_check(normal, GROUPS, "pairs_normalized", 1e-9, 1e-9, "chosen pairs: normalized");
    int known = 0, far = 0;
    double *want = ref_load("pairs_p", &known);
    for (int g = 0; want && g < GROUPS && g < known; g++) {
        double v = (p[g] + want[g]) / 2, se = sqrt(2 * v * (1 - v) / DRAWS);
        far += fabs(p[g] - want[g]) > 3 * se;
    }
    ok(want && known == GROUPS && far == 0, "chosen pairs: every p-value within three standard errors of copairs'");
    free(want);

    const profile_rows few = {.x = u, .n = N, .d = D, .use = some};
    int bad = 0, st = 0;
    for (int cut = 0; cut < N; cut += 160)
        st |= (int)ap_pairs(&few, &rule, some, (row_range){cut, 160}, &(ap_scores){part + cut, part_m + cut, part_total + cut});
    for (int i = 0; i < N; i++) {
        double pos[N], neg[N];
        int np = 0, nn = 0;
        for (int j = 0; j < N && some[i]; j++) {
            if (j == i || !some[j]) continue;
            double sim = linear_dot(u + i * D, u + j * D, D);
            if (s->label[i] == s->label[j] && s->plate[i] != s->plate[j]) pos[np++] = sim;
            if (s->source[i] == s->source[j] && s->label[i] != s->label[j] && s->batch[i] != s->batch[j]) neg[nn++] = sim;
        }
        double plain = ap_of_similarities(pos, np, neg, nn);
        bad += part_m[i] != np || part_total[i] != np + nn || !(plain == part[i] || (isnan(plain) && isnan(part[i])));
    }
    ok(st == OK && bad == 0, "chosen pairs of some of the rows, in ranges: a plain loop's, to the bit");
}

int main(void)
{
    screen *s = screen_make();
    outcome *o = malloc(sizeof *o);
    float *u = malloc(sizeof s->x);
    linear_unit_rows(s->x, N, D, u);
    definition();
    activity(s, u, o);
    ties();
    places(s, u);
    chances();
    nulls();
    pvalues(s, o);
    simulation();
    adjust();
    consistency(s);
    pairs(s, u);
    free(u);
    free(o);
    free(s);
    return tap_done();
}
