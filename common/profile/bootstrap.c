/* bootstrap.c -- intervals over compounds. */
#include "micon/profile/bootstrap.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
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

static double value_of(bootstrap_kind kind, const double *const v[4], const int64_t *pick, int64_t n)
{
    double a = statistic(kind, v[0], v[1], pick, n);
    return v[2] ? a - statistic(kind, v[2], v[3], pick, n) : a;
}

static status draw_all(bootstrap_kind kind, const double *const v[4], int64_t n, int64_t draws, uint32_t seed, interval *out)
{
    status st = OK;
    int64_t *pick = NULL, good = 0;
    double *drawn = NULL;
    TRY(mem_alloc(&pick, (size_t)n, sizeof *pick, "a bootstrap draw"));
    TRY(mem_alloc(&drawn, (size_t)draws, sizeof *drawn, "bootstrap draws"));
    *out = (interval){value_of(kind, v, NULL, n), NAN, NAN};
    for (int64_t b = 0; b < draws && n > 0; b++) {
        rng r = rng_at(seed, STREAM_BOOTSTRAP, (uint32_t)b, (uint64_t)n);
        for (int64_t i = 0; i < n; i++) pick[i] = (int64_t)rng_below(&r, (uint64_t)n);
        double s = value_of(kind, v, pick, n);
        if (!isnan(s)) drawn[good++] = s;
    }
    out->low = linear_quantile(drawn, good, 0.025);
    out->high = linear_quantile(drawn, good, 0.975);
done:
    free(pick);
    free(drawn);
    return st;
}

status bootstrap_interval(bootstrap_kind kind, const double *num, const double *den, int64_t n, int64_t draws, uint32_t seed, interval *out)
{
    const double *const v[4] = {num, den, NULL, NULL};
    return draw_all(kind, v, n, draws, seed, out);
}

status bootstrap_difference(bootstrap_kind kind, const double *num_a, const double *den_a, const double *num_b, const double *den_b,
                            int64_t n, int64_t draws, uint32_t seed, interval *out)
{
    const double *const v[4] = {num_a, den_a, num_b, den_b};
    return draw_all(kind, v, n, draws, seed, out);
}
