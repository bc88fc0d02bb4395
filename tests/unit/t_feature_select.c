/* t_feature_select.c -- cleaning and pycytominer's rules, against pandas. */
#include "micon/profile/feature_select.h"

#include "../profile_data.h"

static float *spoiled(const screen *s)
{
    float *f = malloc(sizeof s->x);
    if (!f) abort();
    memcpy(f, s->x, sizeof s->x);
    for (int i = 0; i < N; i++) {
        float *r = f + i * D;
        r[1] = NAN;
        r[2] = 4;
        if (i % 3 > 0) r[3] = 1;
        if (i == 10) r[4] = 1e20f;
        if (i % 15 == 0) r[6] = NAN;
        if (i % 30 == 0) r[7] = NAN;
        r[8] = i == 0 ? 2.0f : (float)(i % 2 == 0);
        r[10] = (float)((double)r[11] * 2 + 0.1 * r[12]);
        r[13] = -r[14];
        if (i == 5) r[15] = 700;
        r[16] = rintf(r[16]);
        r[17] = i < 460 ? 0 : (float)i;
    }
    return f;
}

/* The columns with this verdict, against the stored list. */
static void verdicts(const int32_t *why, int32_t reason, const char *name, const char *what)
{
    double v[D];
    int n = 0;
    for (int j = 0; j < D; j++)
        if (why[j] == reason) v[n++] = j;
    ref_check(v, n, name, 0, 1e-9, what);
}

int main(void)
{
    screen *s = screen_make();
    float *f = spoiled(s), *y = malloc(sizeof s->x);
    int32_t clean[D], why[D];
    double v[D];
    ok(select_clean(f, N, D, clean) == OK, "cleaning");
    for (int j = 0; j < D; j++) v[j] = clean[j];
    ref_check(v, D, "select_clean", 0, 1e-9, "all NaN, constant, MAD 0, absurd");
    memcpy(why, clean, sizeof why);
    select_nan_share(f, N, D, 0.05, why);
    verdicts(why, SELECT_NAN_SHARE, "select_nan", "share of cells without a number");
    for (int j = 0; j < D; j++) why[j] = clean[j] == SELECT_CONSTANT || clean[j] == SELECT_MAD_ZERO ? SELECT_KEEP : clean[j];
    ok(select_variance(f, N, D, 0.05, 0.01, why) == OK, "variance rule");
    verdicts(why, SELECT_VARIANCE, "select_variance", "commonest values, and distinct ones");
    memcpy(why, clean, sizeof why);
    why[6] = why[7] = SELECT_NAN_SHARE;
    ok(select_correlation(f, N, D, 0.9, why) == OK, "correlation rule");
    verdicts(why, SELECT_CORRELATION, "select_correlation", "one of each pair above 0.9; opposite ones stay, as with pycytominer");
    memcpy(why, clean, sizeof why);
    why[6] = why[7] = SELECT_NAN_SHARE;
    select_outliers(f, N, D, 500, why);
    verdicts(why, SELECT_OUTLIER, "select_outlier", "values beyond 500");
    int64_t kept = 0;
    for (int j = 0; j < D; j++) kept += why[j] == SELECT_KEEP;
    ok(select_apply(f, N, D, why, y) == kept && y[0] == f[0] && y[kept] == f[D], "the kept columns");
    ok(select_apply(f, N, D, why, f) == kept && memcmp(f, y, (size_t)(N * kept) * sizeof *y) == 0, "in place too");
    same(select_reason_name(SELECT_MAD_ZERO), "mad_zero", "a reason's name");
    same(select_reason_name(99), "unknown", "no reason");
    float inf[4] = {INFINITY, 1, 2, -INFINITY};
    ok(select_clean(inf, 4, 1, why) == OK && why[0] == SELECT_KEEP, "infinite cells count as missing");
    free(f);
    free(y);
    free(s);
    return tap_done();
}
