/* t_nn_pair_sampler.c -- items of training steps and augmentation: what docs/method.md 5 says of them, counted. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/nn/augment.h"
#include "micon/nn/pair_sampler.h"

#include <stdlib.h>

enum { SOURCES = 2, BATCHES = 2, PLATES = 2, WELLS = 12, TILES = 2, N = SOURCES * BATCHES * PLATES * WELLS * TILES };

/* Well w of a plate holds compound w % 6 (0: control, two wells); batch 3 has no control at all; compound 5 only in source 0, batch 0. */
static void screen(sampler_tile *t)
{
    int64_t i = 0;
    for (int32_t s = 0; s < SOURCES; s++)
        for (int32_t b = 0; b < BATCHES; b++)
            for (int32_t p = 0; p < PLATES; p++)
                for (int32_t w = 0; w < WELLS; w++)
                    for (int k = 0; k < TILES; k++, i++) {
                        int32_t batch = s * BATCHES + b, plate = batch * PLATES + p, c = w % 6;
                        if (c == 0 && batch == 3) c = -1;
                        if (c == 5 && batch != 0) c = -1;
                        t[i] = (sampler_tile){c, plate * WELLS + w, plate, batch, s};
                    }
    t[N - 1].compound = 9; /* one tile: left out */
}

static void test_pairs(void)
{
    sampler_tile t[N];
    pair_sampler *s = NULL;
    int64_t left, seen[N] = {0}, bad = 0, wrong_plate = 0, fell = 0, fell_wrong = 0, from_source = 0;
    screen(t);
    if (pair_sampler_create(&s, t, N, true, 7, &left) != OK) {
        ok(0, msg_get());
        return;
    }
    int64_t epoch = pair_sampler_epoch(s, ITEMS_PAIRS);
    ok(left == 1 && pair_sampler_epoch(s, ITEMS_COMPOUNDS) == 5, "a compound with one tile is left out");
    for (int64_t k = 0; k < 3 * epoch; k++) {
        sampler_item p = pair_sampler_item(s, k, POSITIVES_OTHER_BATCH);
        const sampler_tile *a = &t[p.treated[0]], *b = &t[p.treated[1]];
        seen[p.treated[0]]++;
        bad += a->compound <= 0 || a->compound != p.compound || b->compound != p.compound || p.treated[0] == p.treated[1];
        fell += p.fell_back;
        fell_wrong += p.fell_back != (p.compound == 5);
        bad += !p.fell_back && a->batch == b->batch;
        bad += p.fell_back && a->well == b->well; /* one step only: another well there is */
        for (int v = 0; v < 2; v++) {
            const sampler_tile *view = &t[p.treated[v]], *c = &t[p.control[v]];
            bad += c->compound != 0;
            if (view->batch == 3) from_source += c->source == view->source;
            wrong_plate += view->batch == 3 ? c->source != view->source : c->plate != view->plate;
        }
    }
    int even = 1;
    for (int i = 0; i < N; i++) even = even && seen[i] == (t[i].compound > 0 && t[i].compound != 9 ? 3 : 0);
    ok(even, "every treated tile is view 1 once an epoch");
    ok(bad == 0, "views are two tiles of the compound, of two batches; controls are controls");
    ok(fell > 0 && fell_wrong == 0, "a compound of one batch falls back to another well, and says so");
    ok(wrong_plate == 0 && from_source > 0, "controls come from the view's plate, or its source where the batch has none");
    /* The draw is a function of the number alone. */
    sampler_item late = pair_sampler_item(s, 5 * epoch + 3, POSITIVES_ANY), again;
    pair_sampler_item(s, 1, POSITIVES_ANY);
    again = pair_sampler_item(s, 5 * epoch + 3, POSITIVES_ANY);
    ok(memcmp(late.treated, again.treated, sizeof late.treated) == 0 && memcmp(late.control, again.control, sizeof late.control) == 0,
       "an item does not depend on what was asked before");
    int same_order = 1;
    for (int64_t k = 0; k < epoch; k++)
        same_order =
            same_order && pair_sampler_item(s, k, POSITIVES_ANY).treated[0] == pair_sampler_item(s, k + epoch, POSITIVES_ANY).treated[0];
    ok(!same_order, "epochs are permuted differently");
    /* View 2 uniform: compound 5 has 2 plates x 2 wells... its tiles other than view 1 within another well. */
    int64_t count[N] = {0}, total = 0;
    for (int64_t k = 0; k < 400 * epoch; k++) {
        sampler_item p = pair_sampler_item(s, k, POSITIVES_ANY);
        if (p.compound == 5) count[p.treated[1]]++, total++;
    }
    double worst = 0;
    int tiles = 0;
    for (int i = 0; i < N; i++)
        if (t[i].compound == 5) worst = fmax(worst, fabs((double)count[i] / (double)total * 8 - 1)), tiles++;
    ok(tiles == 8 && worst < 0.15, "view 2 is uniform over the compound's tiles");
    pair_sampler_destroy(&s);
}

static void test_other_methods(void)
{
    sampler_tile t[N];
    pair_sampler *s = NULL;
    screen(t);
    if (pair_sampler_create(&s, t, N, false, 7, NULL) != OK) {
        ok(0, msg_get());
        return;
    }
    int64_t n = pair_sampler_epoch(s, ITEMS_TILES), seen[N] = {0};
    int good = 1;
    for (int64_t k = 0; k < n; k++) seen[pair_sampler_simclr(s, n + k)]++;
    for (int i = 0; i < N; i++) good = good && seen[i] == (t[i].compound >= 0 && t[i].compound != 9);
    ok(good, "simclr: every training tile once an epoch, controls too");
    int64_t c = pair_sampler_epoch(s, ITEMS_COMPOUNDS), times[10] = {0};
    for (int64_t k = 0; k < c; k++) {
        sampler_item p = pair_sampler_clip(s, 4 * c + k);
        times[p.compound]++;
        good = good && t[p.treated[0]].compound == p.compound && t[p.treated[1]].compound == p.compound;
    }
    for (int k = 1; k <= 5; k++) good = good && times[k] == 1;
    ok(good, "clip: every compound once an epoch, with tiles of its own");
    pair_sampler_destroy(&s);
}

static void test_errors(void)
{
    sampler_tile t[4] = {{1, 0, 0, 0, 0}, {1, 1, 0, 0, 0}, {2, 2, 0, 0, 0}, {0, 3, 0, 0, 0}};
    pair_sampler *s = NULL;
    ok(pair_sampler_create(&s, t, 4, true, 1, NULL) == E_FAILED && strstr(msg_get(), "two compounds") && !s,
       "one compound with two tiles is too few");
    msg_clear();
    ok(pair_sampler_create(&s, t, 0, true, 1, NULL) == E_FAILED, "no tiles");
    msg_clear();
    t[3].compound = 2;
    ok(pair_sampler_create(&s, t, 4, true, 1, NULL) == E_FAILED && strstr(msg_get(), "control"), "no control anywhere");
    msg_clear();
    ok(pair_sampler_create(&s, t, 4, false, 1, NULL) == OK, "which simclr does not mind");
    pair_sampler_destroy(&s);
}

static void test_augment(void)
{
    enum { C = 2, S = 33, A = S * S };
    uint8_t tile[C * A];
    float out[C * A], again[C * A], work[A], plain[C * A];
    double mean[C] = {0.2, 0.5}, sd[C] = {0.1, 0.3};
    for (int i = 0; i < C * A; i++) tile[i] = (uint8_t)((i * 37 + i / 7) % 251);
    augment_tile(&(augmenter){C, S, mean, sd, AUGMENT_NONE, 1}, tile, 0, 0, plain, work);
    double worst = 0;
    for (int i = 0; i < C * A; i++) worst = fmax(worst, fabs((tile[i] / 255.0 - mean[i / A]) / sd[i / A] - plain[i]));
    ok(worst < 1e-5, "normalization");
    int kinds[8] = {0}, bad = 0;
    for (int row = 0; row < 400; row++) {
        augment_tile(&(augmenter){C, S, mean, sd, AUGMENT_FLIPS, 1}, tile, 3, (uint64_t)row, out, work);
        int found = -1;
        for (int k = 0; k < 8; k++) { /* which of the eight, by every pixel of both channels */
            int same = 1;
            for (int c = 0; c < C && same; c++)
                for (int y = 0; y < S && same; y++)
                    for (int x = 0; x < S && same; x++) {
                        int sy = k & 2 ? S - 1 - y : y, sx = k & 1 ? S - 1 - x : x, from = k & 4 ? sx * S + sy : sy * S + sx;
                        same = memcmp(&out[c * A + y * S + x], &plain[c * A + from], sizeof(float)) == 0;
                    }
            if (same) found = k;
        }
        if (found < 0)
            bad++;
        else
            kinds[found]++;
    }
    int all = 1;
    for (int k = 0; k < 8; k++) all = all && kinds[k] > 25;
    ok(bad == 0 && all, "flips and turns: each of the eight, the same for all channels");
    augment_tile(&(augmenter){C, S, mean, sd, AUGMENT_FULL, 1}, tile, 3, 5, out, work);
    augment_tile(&(augmenter){C, S, mean, sd, AUGMENT_FULL, 1}, tile, 3, 5, again, work);
    ok(memcmp(out, again, sizeof out) == 0, "the same (seed, step, row), the same picture");
    augment_tile(&(augmenter){C, S, mean, sd, AUGMENT_FULL, 1}, tile, 4, 5, again, work);
    ok(memcmp(out, again, sizeof out) != 0, "another step, another picture");
    memset(tile, 100, sizeof tile); /* a constant picture: crop and contrast leave it, brightness moves it, noise is small */
    double lo = 9, hi = -9, spread = 0;
    for (int row = 0; row < 300; row++) {
        augment_tile(&(augmenter){C, S, mean, sd, AUGMENT_FULL, 1}, tile, 0, (uint64_t)row, out, work);
        double m = 0, v = 0, base = (100 / 255.0 - mean[0]) / sd[0];
        for (int i = 0; i < A; i++) m += out[i] / A;
        for (int i = 0; i < A; i++) v += (out[i] - m) * (out[i] - m) / A;
        lo = fmin(lo, m - base), hi = fmax(hi, m - base), spread = fmax(spread, sqrt(v));
    }
    ok(lo > -0.21 && lo < -0.17 && hi < 0.21 && hi > 0.17, "brightness goes from -0.2 to 0.2");
    ok(spread > 0.04 && spread < 0.06, "noise goes up to 0.05");
}

int main(void)
{
    test_pairs();
    test_other_methods();
    test_errors();
    test_augment();
    return tap_done();
}
