/* bootstrap.c -- intervals over compounds, and over the runs of a method. */
#include "micon/profile/bootstrap.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

/* The statistic of the compounds pick[0..n) (NULL: each once). */
static double statistic(bootstrap_kind kind, const double *num, const double *den, const int64_t *pick, int64_t n)
{
    double top = 0, bottom = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t c = pick ? pick[i] : i;
        if (!(den[c] > 0)) continue;
        top += kind == BOOTSTRAP_RATIO ? num[c] : num[c] / den[c];
        bottom += kind == BOOTSTRAP_RATIO ? den[c] : 1;
    }
    return bottom > 0 ? top / bottom : NAN;
}

/* The mean over runs[which[0..k)] (NULL: each once); NaN where a run has no part. */
static double mean_of(bootstrap_kind kind, const bootstrap_run *runs, const int64_t *which, int64_t k, const int64_t *pick, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < k; i++) {
        const bootstrap_run *r = &runs[which ? which[i] : i];
        sum += statistic(kind, r->num, r->den, pick, n);
    }
    return sum / (double)k;
}

static void draw(rng *r, int64_t *pick, int64_t n)
{
    for (int64_t i = 0; i < n; i++) pick[i] = (int64_t)rng_below(r, (uint64_t)n);
}

/* Compounds that have a part in a run at least, and in one of b if there is any. */
static int64_t count_compounds(const bootstrap_run *a, int64_t n_a, const bootstrap_run *b, int64_t n_b, int64_t n)
{
    int64_t count = 0;
    for (int64_t c = 0; c < n; c++) {
        bool in_a = false, in_b = n_b == 0;
        for (int64_t k = 0; k < n_a; k++) in_a |= a[k].den[c] > 0;
        for (int64_t k = 0; k < n_b; k++) in_b |= b[k].den[c] > 0;
        count += in_a && in_b;
    }
    return count;
}

status bootstrap_runs(bootstrap_kind kind, const bootstrap_run *a, int64_t n_a, const bootstrap_run *b, int64_t n_b, int64_t n,
                      int64_t draws, uint32_t seed, interval *out)
{
    status st = OK;
    int64_t *pick = NULL, *which = NULL, good = 0;
    double *drawn = NULL;
    TRY(mem_alloc(&pick, (size_t)n, sizeof *pick, "a bootstrap draw"));
    TRY(mem_alloc(&which, (size_t)(n_a > n_b ? n_a : n_b), sizeof *which, "a bootstrap draw"));
    TRY(mem_alloc(&drawn, (size_t)draws, sizeof *drawn, "bootstrap draws"));
    *out = (interval){mean_of(kind, a, NULL, n_a, NULL, n) - (n_b ? mean_of(kind, b, NULL, n_b, NULL, n) : 0), NAN, NAN};
    if (count_compounds(a, n_a, b, n_b, n) < 2) goto done;
    for (int64_t k = 0; k < draws; k++) {
        rng r = rng_at(seed, STREAM_BOOTSTRAP, (uint32_t)k, (uint64_t)n);
        draw(&r, pick, n);
        draw(&r, which, n_a);
        double s = mean_of(kind, a, which, n_a, pick, n);
        draw(&r, which, n_b);
        if (n_b) s -= mean_of(kind, b, which, n_b, pick, n);
        if (!isnan(s)) drawn[good++] = s;
    }
    out->low = linear_quantile(drawn, good, 0.025);
    out->high = linear_quantile(drawn, good, 0.975);
done:
    free(pick);
    free(which);
    free(drawn);
    return st;
}

status bootstrap_interval(bootstrap_kind kind, const double *num, const double *den, int64_t n, int64_t draws, uint32_t seed, interval *out)
{
    return bootstrap_runs(kind, &(bootstrap_run){num, den}, 1, NULL, 0, n, draws, seed, out);
}

status bootstrap_difference(bootstrap_kind kind, const double *num_a, const double *den_a, const double *num_b, const double *den_b,
                            int64_t n, int64_t draws, uint32_t seed, interval *out)
{
    return bootstrap_runs(kind, &(bootstrap_run){num_a, den_a}, 1, &(bootstrap_run){num_b, den_b}, 1, n, draws, seed, out);
}
