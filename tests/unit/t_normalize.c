/* t_normalize.c -- MAD and standardize against numpy, fallbacks, dropping, odd input. */
#include "micon/profile/normalize.h"

#include "../profile_data.h"

static const int FEW = 3; /* this plate keeps two controls */

static void against_numpy(screen *s)
{
    float *y = malloc(sizeof s->x);
    double mark[N];
    normalize_params p;
    int64_t bad;
    for (int i = 0; i < N; i++) {
        s->x[i * D + 9] = 3;
        if (s->plate[i] == 4) s->x[i * D + 5] = 1.5f;
        if (s->plate[i] == FEW && i % 40 >= 2) s->control[i] = 0;
    }
    normalize_rows rows = {s->plate, s->batch, s->source, s->control, PLATES, 4};
    ok(normalize_fit(&p, NORMALIZE_MAD, &(normalize_table){.x = s->x, .n = N, .d = D}, &rows) == OK, "MAD by plate on controls");
    ok(p.d_kept == D - 1 && !p.keep[9] && p.n_zero[9] == PLATES, "a feature that never varies is dropped");
    ok(p.keep[5] && p.n_zero[5] == 1 && p.scale[4 * D + 5] == 0, "one that does not vary on one plate of twelve is kept");
    ok(p.level[FEW] == NORMALIZE_ON_BATCH && p.n_learn[FEW] == 12, "two controls on a plate: learned on its batch's");
    ok(p.level[0] == NORMALIZE_ON_CONTROLS && p.n_learn[0] == 10, "ten: on its own");
    normalize_apply(&p, &(normalize_table){.x = s->x, .n = N}, s->plate, y, &bad);
    row_marks(y, N, D - 1, mark);
    ref_check(mark, N, "normalize_mad", 2e-6, 2e-4, "the values are numpy's (float rounding)");
    ok(bad == 0, "no cell was without a number");
    float *cut = malloc(sizeof s->x);
    normalize_apply(&p, &(normalize_table){.x = s->x, .n = 100}, s->plate, cut, NULL);
    normalize_apply(&p, &(normalize_table){.x = s->x + 100 * D, .n = N - 100}, s->plate + 100, cut + 100 * (D - 1), NULL);
    ok(memcmp(cut, y, (size_t)N * (D - 1) * sizeof *y) == 0, "applied in two ranges: the same bytes");
    free(cut);
    normalize_free(&p);
    ok(normalize_fit(&p, NORMALIZE_STANDARDIZE, &(normalize_table){.x = s->x, .n = N, .d = D}, &rows) == OK, "mean and sd");
    normalize_apply(&p, &(normalize_table){.x = s->x, .n = N}, s->plate, y, NULL);
    row_marks(y, N, D - 1, mark);
    ref_check(mark, N, "normalize_standardize", 2e-6, 1e-4, "the values are numpy's");
    int32_t kept[D];
    normalize_kept(&p, kept);
    ok(kept[8] == 8 && kept[9] == 10 && kept[D - 2] == D - 1, "which columns were kept");
    normalize_free(&p);
    free(y);
}

/* Order of rows must not matter. */
static void permuted(const screen *s)
{
    normalize_params a, b;
    screen *t = malloc(sizeof *t);
    int64_t order[N];
    rng r = rng_at(3, 901, 0, 0);
    for (int i = 0; i < N; i++) order[i] = i;
    rng_shuffle(&r, order, N);
    for (int i = 0; i < N; i++) {
        int64_t f = order[i];
        memcpy(t->x + i * D, s->x + f * D, D * sizeof(float));
        t->plate[i] = s->plate[f], t->batch[i] = s->batch[f], t->source[i] = s->source[f], t->control[i] = s->control[f];
    }
    normalize_rows ra = {s->plate, s->batch, s->source, s->control, PLATES, 4}, rb = {t->plate, t->batch, t->source, t->control, PLATES, 4};
    int st = (int)normalize_fit(&a, NORMALIZE_MAD, &(normalize_table){.x = s->x, .n = N, .d = D}, &ra) |
             (int)normalize_fit(&b, NORMALIZE_MAD, &(normalize_table){.x = t->x, .n = N, .d = D}, &rb);
    ok(st == OK && memcmp(a.center, b.center, PLATES * D * sizeof(double)) == 0 &&
           memcmp(a.scale, b.scale, PLATES * D * sizeof(double)) == 0,
       "the order of the wells does not change the parameters");
    normalize_free(&a);
    normalize_free(&b);
    free(t);
}

static void fallbacks(void)
{
    /* one feature; plates 0,1 in batch 0, 2 in batch 1 of the same source, 3 in another source without controls */
    float x[16], y[16];
    int32_t plate[16], batch[16], source[16];
    uint8_t control[16] = {0};
    for (int i = 0; i < 16; i++) {
        plate[i] = i / 4, batch[i] = i < 8 ? 0 : i < 12 ? 1 : 2, source[i] = i >= 12;
        x[i] = (float)(i * i);
    }
    memset(control, 1, 4);
    normalize_params p;
    normalize_rows rows = {plate, batch, source, control, 4, 4};
    ok(normalize_fit(&p, NORMALIZE_MAD, &(normalize_table){.x = x, .n = 16, .d = 1}, &rows) == OK,
       "a screen where most plates have no controls");
    ok(p.level[0] == NORMALIZE_ON_CONTROLS && p.level[1] == NORMALIZE_ON_BATCH && p.level[2] == NORMALIZE_ON_SOURCE &&
           p.level[3] == NORMALIZE_ON_ALL,
       "plate, then batch, then source, then all wells of the group");
    near(p.center[2], 2.5, 0, "the source's controls: 0 1 4 9");
    near(p.center[3], (169 + 196) / 2.0, 0, "all wells of the last plate");
    x[5] = NAN, x[6] = INFINITY;
    int64_t bad = 0;
    normalize_apply(&p, &(normalize_table){.x = x, .n = 16}, plate, y, &bad);
    ok(bad == 2 && y[5] == 0 && y[6] == 0, "cells without a number become 0 and are counted");
    normalize_free(&p);
    rows.control = NULL;
    x[0] = NAN;
    ok(normalize_fit(&p, NORMALIZE_MAD, &(normalize_table){.x = x, .n = 16, .d = 1}, &rows) == OK && p.level[1] == NORMALIZE_ON_ALL,
       "normalize_on: all");
    near(p.center[0], 4, 0, "a NaN takes no part in the median");
    normalize_free(&p);
    for (int i = 0; i < 16; i++) x[i] = 7;
    ok(normalize_fit(&p, NORMALIZE_MAD, &(normalize_table){.x = x, .n = 16, .d = 1}, &rows) == OK && p.d_kept == 0 &&
           normalize_flat(&p, 0) == 1,
       "nothing varies: nothing is kept");
    normalize_free(&p);
}

int main(void)
{
    screen *s = screen_make();
    permuted(s);
    against_numpy(s);
    fallbacks();
    free(s);
    return tap_done();
}
