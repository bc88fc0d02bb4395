/* bootstrap_stages.c -- how often a 95 % interval holds the truth (docs/method.md 8): compounds drawn, as common/profile/bootstrap.c does,
 * against compounds and then wells within each. Drawn tables of compounds with wells each, of which the truth is known: a compound's mean
 * is normal with sd `between`, a well's value normal about it with sd 1; or a compound's hits are of a chance that is uniform. It prints
 * the table of docs/method.md. Run: build/release/tests/bench/bootstrap_stages [TABLES] */
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/bootstrap.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DRAWS = 1000, MOST_COMPOUNDS = 300, MOST_WELLS = 16, SEED = 5, STREAM = 901 };

typedef struct {
    int compounds, wells;
    double between; /* 0: hits and misses */
} design;

/* One table; its truth is 0, of hits 0.5. */
static void make(const design *d, uint64_t at, double value[MOST_COMPOUNDS][MOST_WELLS])
{
    rng r = rng_at(SEED, STREAM, (uint32_t)(d->compounds * 32 + d->wells), at);
    for (int c = 0; c < d->compounds; c++) {
        double mean = d->between > 0 ? d->between * rng_normal(&r) : rng_uniform(&r);
        for (int w = 0; w < d->wells; w++) value[c][w] = d->between > 0 ? mean + rng_normal(&r) : rng_uniform(&r) < mean;
    }
}

/* Compounds are drawn, then as many wells of each as it has. */
static interval two_stages(const design *d, double value[MOST_COMPOUNDS][MOST_WELLS], uint64_t at)
{
    double drawn[DRAWS];
    for (int k = 0; k < DRAWS; k++) {
        rng r = rng_at(SEED, STREAM + 1, (uint32_t)k, at);
        double sum = 0;
        for (int i = 0; i < d->compounds; i++) {
            uint64_t c = rng_below(&r, (uint64_t)d->compounds);
            for (int w = 0; w < d->wells; w++) sum += value[c][rng_below(&r, (uint64_t)d->wells)];
        }
        drawn[k] = sum / (d->compounds * d->wells);
    }
    return (interval){0, linear_quantile(drawn, DRAWS, 0.025), linear_quantile(drawn, DRAWS, 0.975)};
}

int main(int argc, char **argv)
{
    static const design designs[] = {{30, 2, 0.25}, {30, 2, 1},  {30, 4, 0.25}, {30, 4, 1}, {30, 16, 1},
                                     {10, 4, 1},    {300, 4, 1}, {30, 4, 0},    {300, 2, 0}};
    static double value[MOST_COMPOUNDS][MOST_WELLS];
    int tables = argc > 1 ? atoi(argv[1]) : 400;
    if (tables < 1) return 2;
    printf("compounds  wells  between  compounds alone: holds  width   compounds, then wells: holds  width\n");
    for (size_t k = 0; k < sizeof designs / sizeof *designs; k++) {
        const design *d = &designs[k];
        double num[MOST_COMPOUNDS], den[MOST_COMPOUNDS], truth = d->between > 0 ? 0 : 0.5, width[2] = {0}, holds[2] = {0};
        for (int t = 0; t < tables; t++) {
            interval v[2];
            make(d, (uint64_t)t, value);
            for (int c = 0; c < d->compounds; c++) num[c] = linear_mean(value[c], d->wells) * d->wells, den[c] = d->wells;
            if (bootstrap_interval(BOOTSTRAP_RATIO, num, den, d->compounds, DRAWS, (uint32_t)t, &v[0]) != OK) return 1;
            v[1] = two_stages(d, value, (uint64_t)t);
            for (int i = 0; i < 2; i++) holds[i] += v[i].low <= truth && truth <= v[i].high, width[i] += v[i].high - v[i].low;
        }
        printf("%9d  %5d  %7s  %22.3f  %5.3f  %28.3f  %5.3f\n", d->compounds, d->wells,
               d->between == 0   ? "hits"
               : d->between == 1 ? "1"
                                 : "0.25",
               holds[0] / tables, width[0] / tables, holds[1] / tables, width[1] / tables);
    }
    return 0;
}
