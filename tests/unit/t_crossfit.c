/* t_crossfit.c -- activity by cross-fitted sphering: controls held out of everything are not active, while by the plain way they are; the
 * ranks are those of a plain loop over folds. Without ridge the folds' similarities have little to do with each other, their counts
 * average out, and the mean of 1 / rank falls below chance. */
#include "../profile_data.h"
#include "micon/profile/average_precision.h"
#include "micon/profile/linear_algebra.h"

enum { FITTED = 48, HELD = 240, ROWS = FITTED + HELD, WIDTH = 64, FOLDS = 4, PER = 4 };

static float x[ROWS * WIDTH], y[ROWS * WIDTH];
static int32_t plate[ROWS], label[ROWS], fold[ROWS];
static uint8_t control[ROWS], held[ROWS];

/* Rows of one distribution, with directions of very different size: the first fit the sphering, the others pose as treatments. */
static void draw(uint32_t seed)
{
    for (int i = 0; i < ROWS; i++) {
        control[i] = i < FITTED, held[i] = i >= FITTED;
        label[i] = i < FITTED ? -1 : (i - FITTED) / PER;
        fold[i] = i % FOLDS;
        plate[i] = 0;
        double sum = 0;
        for (int j = 0; j < WIDTH; j++) {
            double v = 0;
            for (int k = 0; k < 4; k++) v += noise(seed + (uint32_t)k, (uint64_t)(i * WIDTH + j));
            v *= pow(0.9, j);
            x[i * WIDTH + j] = (float)v, sum += v;
        }
        for (int j = 0; j < WIDTH; j++) x[i * WIDTH + j] -= (float)(2 * sum / WIDTH); /* a reflection mixes the columns */
    }
}

static double mean_ap(const float *rows, const crossfit *cross, ap_scores *s)
{
    ap_controls c = {0};
    double sum = 0, n = 0;
    const profile_rows r = {.x = rows, .n = ROWS, .d = WIDTH, .label = label, .use = held};
    if (ap_controls_init(&c, control, plate, NULL, NULL, ROWS, 1) != OK) return NAN;
    c.cross = cross;
    if (ap_activity(&r, &c, &(ap_activity_scores){.out = s}, 0, 1) != OK) sum = NAN;
    for (int i = FITTED; i < ROWS; i++) sum += s->ap[i], n++;
    ap_controls_free(&c);
    return sum / n;
}

/* One query's AP by the definition: of each positive the controls above it, each counted in the rows of its own fold's fit. */
static double by_loop(const crossfit *c, int query)
{
    int32_t above[PER] = {0}, k = 0;
    int32_t all[ROWS];
    float *z = malloc(ROWS * WIDTH * sizeof *z);
    for (int i = 0; i < ROWS; i++) all[i] = i;
    double sum = 0;
    for (int f = 0; f < FOLDS; f++) {
        if (crossfit_rows(c, f, all, 0, ROWS, z) != OK) return NAN;
        k = 0;
        for (int p = FITTED; p < ROWS; p++) {
            if (p == query || label[p] != label[query]) continue;
            double near = linear_dot(z + query * WIDTH, z + p * WIDTH, WIDTH);
            for (int j = 0; j < FITTED; j++) above[k] += fold[j] == f && linear_dot(z + query * WIDTH, z + j * WIDTH, WIDTH) > near;
            k++;
        }
    }
    for (int a = 0; a < k; a++) {
        int rank = 1;
        for (int b = 0; b < k; b++) rank += above[b] < above[a] || (above[b] == above[a] && b < a);
        sum += (double)rank / (double)(rank + above[a]);
    }
    free(z);
    return sum / k;
}

static void bias(double ridge)
{
    enum { DRAWS = 4 };
    double none = 0, plain = 0, crossed = 0, off = 0;
    ap_scores s = {calloc(ROWS, sizeof(double)), calloc(ROWS, sizeof(int32_t)), calloc(ROWS, sizeof(int32_t))},
              half = {calloc(ROWS, sizeof(double)), s.n_positive, s.n_total};
    char what[120];
    bool good = true, cut = true;
    for (uint32_t t = 0; t < DRAWS; t++) {
        sphering_params all = {0}, fit[FOLDS] = {0};
        const crossfit c = {
            .base = x, .n = ROWS, .d = WIDTH, .fold = fold, .n_fold = FOLDS, .kind = SPHERE_ZCA, .ridge = ridge, .fit = fit};
        draw(1000 + 10 * t);
        linear_unit_rows(x, ROWS, WIDTH, y);
        none += mean_ap(y, NULL, &s) / DRAWS;
        good = good && sphering_fit(&all, SPHERE_ZCA, ridge, x, ROWS, WIDTH, control) == OK && sphering_apply(&all, x, 0, ROWS, y) == OK;
        linear_unit_rows(y, ROWS, WIDTH, y);
        plain += mean_ap(y, NULL, &s) / DRAWS;
        good = good && crossfit_enough(control, fold, ROWS, FOLDS);
        for (int f = 0; f < FOLDS; f++) good = good && crossfit_fold(&c, control, f, &fit[f]) == OK;
        crossed += mean_ap(y, &c, &s) / DRAWS;
        for (int i = FITTED; i < FITTED + 3; i++) off = fmax(off, fabs(s.ap[i] - by_loop(&c, i)));
        good = good && s.n_positive[FITTED] == PER - 1 && s.n_total[FITTED] == PER - 1 + FITTED && isnan(s.ap[0]);
        ap_controls near = {0};
        const profile_rows r = {.x = y, .n = ROWS, .d = WIDTH, .label = label, .use = held};
        double ap[ROWS] = {0};
        cut = cut && ap_controls_init(&near, control, plate, NULL, NULL, ROWS, 1) == OK;
        near.cross = &c;
        for (int part = 0; part < 3; part++) {
            cut = cut && ap_activity(&r, &near, &(ap_activity_scores){.out = &half}, part, 3) == OK;
            for (int i = 0; i < ROWS; i++) ap[i] += half.ap[i];
        }
        cut = cut && memcmp(ap + FITTED, s.ap + FITTED, HELD * sizeof *ap) == 0 && isnan(ap[0]);
        ap_controls_free(&near);
        sphering_free(&all);
        for (int f = 0; f < FOLDS; f++) sphering_free(&fit[f]);
    }
    printf("# ridge %g: mAP of held-out controls %.4f without correction; sphered %+.4f, cross-fitted %+.4f\n", ridge, none, plain - none,
           crossed - none);
    snprintf(what, sizeof what, "ridge %g: fits, numbers of positives and negatives", ridge);
    ok(good, what);
    snprintf(what, sizeof what, "ridge %g: controls that fitted the sphering make held-out ones active", ridge);
    ok(plain - none > 0.02, what);
    snprintf(what, sizeof what, "ridge %g: cross-fitted, the bias is at most 0.02; without ridge it may be negative", ridge);
    ok(crossed - none <= 0.02 && crossed - none >= (ridge == 0 ? -0.05 : -0.02), what);
    snprintf(what, sizeof what, "ridge %g: as by a plain loop", ridge);
    ok(off < 1e-12, what);
    snprintf(what, sizeof what, "ridge %g: three parts add up to the same bytes", ridge);
    ok(cut, what);
    free(s.ap);
    free(half.ap);
    free(s.n_positive);
    free(s.n_total);
}

int main(void)
{
    bias(0);
    bias(0.1);
    bias(SPHERE_LEDOIT_WOLF);
    return tap_done();
}
