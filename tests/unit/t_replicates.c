/* t_replicates.c -- percent replicating, and bootstrap intervals, against numpy's own draws. */
#include "micon/profile/replicates.h"

#include "../profile_data.h"
#include "micon/profile/bootstrap.h"
#include "micon/profile/linear_algebra.h"

static void replicating(const screen *s)
{
    enum { NULLS = 4000 };
    float *u = malloc(sizeof s->x);
    double score[COMPOUNDS], part[COMPOUNDS], *null = malloc(NULLS * sizeof *null), *again = malloc(NULLS * sizeof *again);
    const profile_rows rows = {.x = u, .n = N, .d = D, .label = s->label};
    linear_pearson_rows(s->x, N, D, u);
    ok(replicate_scores(&rows, NULL, COMPOUNDS, (row_range){0, COMPOUNDS}, score) == OK, "scores");
    ref_check(score, COMPOUNDS, "replicate_score", 0, 1e-6, "are the medians of numpy's correlations");
    int st = (int)replicate_scores(&rows, NULL, COMPOUNDS, (row_range){0, 3}, part) |
             (int)replicate_scores(&rows, NULL, COMPOUNDS, (row_range){3, 22}, part + 3);
    ok(st == OK && memcmp(part, score, sizeof part) == 0, "in two ranges: the same bits");
    st = (int)replicate_null(&rows, NULL, COMPOUNDS, 15, 1, (row_range){0, NULLS}, null);
    st |= (int)replicate_null(&rows, NULL, COMPOUNDS, 15, 1, (row_range){0, 10}, again) |
          (int)replicate_null(&rows, NULL, COMPOUNDS, 15, 1, (row_range){10, NULLS - 10}, again + 10);
    ok(st == OK && memcmp(null, again, NULLS * sizeof *null) == 0, "null sets in two ranges: the same bits");
    double *known;
    st = (int)replicate_known(N, &known);
    st |= (int)replicate_null(&rows, known, COMPOUNDS, 15, 1, (row_range){0, NULLS}, again);
    double off = 0;
    for (int i = 0; i < NULLS; i++) off = fmax(off, fabs(null[i] - again[i]));
    ok(st == OK && off < 1e-12, "correlations kept: the same to rounding");
    free(known);
    double q = linear_quantile(null, NULLS, 0.95);
    ref_check(&q, 1, "replicate_q95_15", 0, 0.006, "their 95th percentile is numpy's, to sampling error");
    ok(replicate_set(15, 25) == 15 && replicate_set(1000, 500) == REPLICATE_MAX_SET && replicate_set(15, 7) == 7,
       "null sets: as many wells, 32 at most");
    ok(replicate_set(1, 25) == 0 && replicate_set(15, 1) == 0, "one well, or one compound: no verdict");
    int above = 0;
    for (int c = 0; c < COMPOUNDS; c++) above += score[c] > q;
    ok(above == COMPOUNDS, "all replicate here");
    int32_t shuffled[N];
    int64_t order[N];
    rng g = rng_at(5, 901, 0, 0);
    for (int i = 0; i < N; i++) order[i] = i;
    rng_shuffle(&g, order, N);
    for (int i = 0; i < N; i++) shuffled[i] = s->label[order[i]];
    ok(replicate_scores(&(profile_rows){.x = u, .n = N, .d = D, .label = shuffled}, NULL, COMPOUNDS, (row_range){0, COMPOUNDS}, score) ==
           OK,
       "shuffled labels");
    above = 0;
    for (int c = 0; c < COMPOUNDS; c++) above += score[c] > q;
    ok(above < 0.3 * COMPOUNDS, "do not replicate");
    ok(replicate_null(&rows, NULL, COMPOUNDS, 30, 1, (row_range){0, 1}, null) == E_FAILED && strstr(msg_get(), "there are 25"),
       "too few compounds");
    msg_clear();
    free(null);
    free(again);
    free(u);
}

/* 12 positions x 8 plates whose wells share nothing but the position. */
static void matched(void)
{
    enum { P = 12, M = P * 8, W = 20, NULLS = 500 };
    float x[M * W], u[M * W];
    int32_t label[M], place[M], one[M];
    double all[NULLS], across[NULLS], again[NULLS], again_across[NULLS], score, score_across;
    for (int i = 0; i < M; i++) {
        place[i] = i % P, label[i] = i, one[i] = i % P == 0 ? 0 : -1;
        for (int j = 0; j < W; j++) x[i * W + j] = (float)(2 * noise(51, (uint64_t)(place[i] * W + j)) + noise(52, (uint64_t)(i * W + j)));
    }
    linear_pearson_rows(x, M, W, u);
    const replicate_pool pool = {{.x = u, .n = M, .d = W, .label = label}, place, P, NULL};
    replicate_shape fit;
    ok(replicate_fit(&pool, (replicate_shape){6, 1}, &fit) == OK && fit.wells == 6 && fit.places == 1, "6 wells at one position");
    ok(replicate_fit(&pool, (replicate_shape){30, 3}, &fit) == OK && fit.wells == 24, "of 30 at three there are 8 a position");
    ok(replicate_fit(&pool, (replicate_shape){20, 13}, &fit) == OK && fit.wells == 0, "13 of 12 positions: none");
    int st = (int)replicate_matched_null(&pool, (replicate_shape){6, 1}, 1, (row_range){0, NULLS}, all, across);
    double at_one = linear_quantile(all, NULLS, 0.5);
    ok(st == OK && at_one > 0.5 && isnan(across[0]), "wells at one position correlate, and have no pair across");
    st = (int)replicate_matched_null(&pool, (replicate_shape){6, 6}, 1, (row_range){0, NULLS}, all, across);
    ok(st == OK && memcmp(all, across, sizeof all) == 0 && fabs(linear_quantile(all, NULLS, 0.5)) < 0.15, "at six they do not");
    st = (int)replicate_matched_null(&pool, (replicate_shape){7, 2}, 1, (row_range){0, 100}, again, again_across);
    st |= (int)replicate_matched_null(&pool, (replicate_shape){7, 2}, 1, (row_range){0, NULLS}, all, across);
    st |= (int)replicate_matched_null(&pool, (replicate_shape){7, 2}, 1, (row_range){100, NULLS - 100}, again + 100, again_across + 100);
    ok(st == OK && memcmp(all, again, sizeof all) == 0 && memcmp(across, again_across, sizeof all) == 0, "two ranges: the same bits");
    replicate_pool kept = pool;
    st = (int)replicate_known(M, &kept.known);
    st |= (int)replicate_matched_null(&kept, (replicate_shape){7, 2}, 1, (row_range){0, NULLS}, again, again_across);
    ok(st == OK && memcmp(all, again, sizeof all) == 0 && memcmp(across, again_across, sizeof all) == 0,
       "matched sets, correlations kept: the same bits");
    free(kept.known);
    ok(replicate_known(5000, &kept.known) == OK && !kept.known, "of 5,000 wells they are not kept");
    st = (int)replicate_scores(&(profile_rows){.x = u, .n = M, .d = W, .label = one}, NULL, 1, (row_range){0, 1}, &score);
    st |= (int)replicate_scores(&(profile_rows){.x = u, .n = M, .d = W, .label = one}, place, 1, (row_range){0, 1}, &score_across);
    ok(st == OK && score > 0.5 && isnan(score_across), "a compound without effect at one position: replicates, but nothing across");
    for (int i = 0; i < M; i++) label[i] = place[i]; /* one compound a position: there is no null at one position */
    ok(replicate_fit(&pool, (replicate_shape){6, 1}, &fit) == OK && fit.wells == 0, "one compound a position: no null");
    ok(replicate_matched_null(&pool, (replicate_shape){2, 3}, 1, (row_range){0, 1}, all, across) == E_INTERNAL,
       "a set of more places than wells");
    msg_clear();
}

static void check3(interval v, const char *name, const char *what)
{
    double got[3] = {v.value, v.low, v.high};
    ref_check(got, 3, name, 0, 0.012, what);
}

static void bootstraps(void)
{
    double num[COMPOUNDS], den[COMPOUNDS], other[COMPOUNDS], flat[COMPOUNDS];
    interval v, w;
    for (int c = 0; c < COMPOUNDS; c++) {
        uint64_t at = (uint64_t)c;
        num[c] = (noise(4, at) > 0) + 2 * (noise(5, at) > 0.2), den[c] = 3 + c % 4, other[c] = 2 * (noise(6, at) > 0), flat[c] = den[c] / 2;
    }
    ok(bootstrap_interval(BOOTSTRAP_RATIO, num, den, COMPOUNDS, 20000, 1, &v) == OK, "ratio of sums");
    check3(v, "bootstrap_ratio", "value and interval as numpy's draws");
    ok(bootstrap_interval(BOOTSTRAP_MEAN, num, den, COMPOUNDS, 20000, 1, &w) == OK, "mean of quotients");
    check3(w, "bootstrap_mean", "value and interval as numpy's draws");
    ok(bootstrap_difference(BOOTSTRAP_RATIO, num, den, other, den, COMPOUNDS, 20000, 1, &w) == OK, "paired difference");
    check3(w, "bootstrap_difference", "value and interval as numpy's draws");
    ok(bootstrap_difference(BOOTSTRAP_RATIO, num, den, num, den, COMPOUNDS, 100, 1, &w) == OK && w.low == 0 && w.high == 0,
       "a method against itself: exactly nothing");
    ok(bootstrap_interval(BOOTSTRAP_MEAN, flat, den, COMPOUNDS, 100, 1, &w) == OK && w.low == 0.5 && w.high == 0.5, "all alike: no width");
    ok(bootstrap_interval(BOOTSTRAP_RATIO, num, den, COMPOUNDS, 500, 2, &v) == OK &&
           bootstrap_interval(BOOTSTRAP_RATIO, num, den, COMPOUNDS, 500, 2, &w) == OK && v.low == w.low && v.high == w.high,
       "repeatable");
    double alone[COMPOUNDS] = {[3] = 4}, pair[COMPOUNDS] = {[3] = 4, [5] = 4}, sum[COMPOUNDS] = {[3] = 2, [5] = 4};
    ok(bootstrap_interval(BOOTSTRAP_RATIO, sum, alone, COMPOUNDS, 100, 1, &v) == OK && v.value == 0.5 && isnan(v.low) && isnan(v.high),
       "one compound: no interval");
    ok(bootstrap_interval(BOOTSTRAP_MEAN, sum, pair, COMPOUNDS, 1000, 1, &v) == OK && v.value == 0.75 && v.low == 0.5 && v.high == 1,
       "two compounds: from the one to the other");
    ok(bootstrap_difference(BOOTSTRAP_MEAN, sum, pair, num, alone, COMPOUNDS, 100, 1, &v) == OK && !isnan(v.value) && isnan(v.low),
       "a difference over one compound: no interval");
    for (int c = 0; c < COMPOUNDS; c++) den[c] = 0;
    ok(bootstrap_interval(BOOTSTRAP_MEAN, num, den, COMPOUNDS, 100, 1, &v) == OK && isnan(v.value) && isnan(v.low), "nobody asked: NaN");
}

int main(void)
{
    screen *s = screen_make();
    replicating(s);
    matched();
    bootstraps();
    free(s);
    return tap_done();
}
