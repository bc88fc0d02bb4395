/* profile_data.h -- for the tests of common/profile: a made screen, the same numbers as tests/ref/profile_ref.py makes, and the stored
 * reference numbers. All arithmetic up to the rounding to float is exact or a single IEEE operation, so both languages agree to the bit. */
#ifndef PROFILE_DATA_H
#define PROFILE_DATA_H
#include "micon/base/rng.h"
#include "tap.h"

#include <stdint.h>
#include <stdlib.h>

enum { N = 480, D = 31, PLATES = 12, BATCHES = 6, SOURCES = 2, COMPOUNDS = 25 };

typedef struct {
    float x[N * D];
    int32_t plate[N], batch[N], source[N], label[N]; /* label -1: control */
    uint8_t control[N], treated[N];
} screen;

/* The sum of four uniform numbers less 2: mean 0, variance 1/3. */
static inline double noise(uint32_t step, uint64_t position)
{
    rng r = rng_at(7, 900, step, position);
    double sum = 0;
    for (int i = 0; i < 4; i++) sum += rng_u32(&r);
    return sum / 4294967296.0 - 2;
}

static inline screen *screen_make(void)
{
    screen *s = calloc(1, sizeof *s);
    if (!s) abort();
    for (int i = 0; i < N; i++) {
        int plate = i / 40, well = i % 40, label = well < 10 ? -1 : (well - 10 + 7 * plate) % 24;
        s->plate[i] = plate, s->batch[i] = plate / 2, s->source[i] = plate / 6;
        if (label == 23 && s->source[i] == 1) label = 24; /* 23 only in source 0, 24 only in source 1 */
        s->label[i] = label, s->control[i] = label < 0, s->treated[i] = label >= 0;
        for (int j = 0; j < D; j++) {
            double v = noise(0, (uint64_t)(i * D + j)) + noise(2, (uint64_t)(s->batch[i] * D + j));
            if (label >= 0) v = v + noise(1, (uint64_t)(label * D + j));
            s->x[i * D + j] = (float)v;
        }
    }
    return s;
}

/* ---- stored numbers: blocks of "name count" and then the numbers ---- */
static inline double *ref_load(const char *name, int *n)
{
    FILE *f = fopen("tests/ref/profile.txt", "r");
    char word[64];
    int count;
    if (!f) return NULL;
    while (fscanf(f, "%63s %d", word, &count) == 2) {
        double *v = malloc((size_t)count * sizeof *v + 8);
        for (int i = 0; v && i < count; i++)
            if (fscanf(f, "%lf", &v[i]) != 1) count = -1;
        if (strcmp(word, name) == 0) {
            fclose(f);
            *n = count;
            return v;
        }
        free(v);
    }
    fclose(f);
    return NULL;
}

/* got[i] against the stored ones, NaN equal to NaN; one line. */
static inline void ref_check(const double *got, int n, const char *name, double rtol, double atol, const char *what)
{
    int m = 0, bad = -1;
    double worst = 0, *want = ref_load(name, &m);
    for (int i = 0; want && i < n && i < m; i++) {
        if (isnan(want[i]) && isnan(got[i])) continue;
        double off = fabs(got[i] - want[i]) / (atol + rtol * fabs(want[i]));
        if (!(off <= worst)) worst = off, bad = i;
    }
    if (!want || n != m || !(worst <= 1))
        printf("#   %s: %d numbers, %d stored; [%d] got %.9g want %.9g\n", name, n, m, bad, bad < 0 ? 0 : got[bad],
               bad < 0 || !want ? 0 : want[bad]);
    ok(want && n == m && worst <= 1, what);
    free(want);
}

/* A number a row that every entry of it moves: the row's sum with fixed weights. */
static inline void row_marks(const float *x, int n, int d, double *mark)
{
    for (int i = 0; i < n; i++) {
        mark[i] = 0;
        for (int j = 0; j < d; j++) mark[i] += x[i * d + j] * (1 + j % 7 - 0.3 * (j % 5));
    }
}
#endif
