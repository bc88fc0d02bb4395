/* t_linear_algebra.c -- exact products, projections whose bytes do not depend on the range, order statistics. */
#include "micon/profile/linear_algebra.h"

#include "../profile_data.h"

static void products(const screen *s)
{
    float *u = malloc(sizeof s->x);
    double out[64 + LINEAR_PANEL], rows[64];
    int32_t row[64];
    linear_unit_rows(s->x, N, D, u);
    for (int i = 0; i < 64; i++) row[i] = (i * 37) % N;
    linear_panels p = {0};
    int same_bits = 1, st = (int)linear_panels_init(&p, u, D, row, 45);
    ok(st == OK, "panels are laid out");
    linear_panels_dot(&p, u + 5 * D, out);
    linear_dot_rows(u + 5 * D, u, D, row, 45, rows);
    for (int i = 0; i < 45; i++) {
        double sum = 0;
        for (int j = 0; j < D; j++) sum += (double)u[5 * D + j] * u[row[i] * D + j];
        same_bits &= sum == out[i] && sum == rows[i] && sum == linear_dot(u + 5 * D, u + row[i] * D, D);
    }
    ok(same_bits, "all ways to an exact product give the same bits as the plain loop");
    linear_panels_free(&p);
    float zero[3] = {0, 0, 0}, flat[3] = {0.1f, 0.1f, 0.1f};
    linear_unit_rows(zero, 1, 3, zero);
    linear_pearson_rows(flat, 1, 3, flat);
    ok(zero[0] == 0 && flat[0] == 0 && flat[2] == 0, "rows of zeros, and constant rows for Pearson, become zeros");
    free(u);
}

static void projections(const screen *s)
{
    double w[D * 5], mean[D];
    float *whole = malloc(N * 5 * sizeof *whole), *part = malloc(N * 5 * sizeof *part);
    for (int i = 0; i < D * 5; i++) w[i] = noise(20, (uint64_t)i);
    for (int j = 0; j < D; j++) mean[j] = noise(21, (uint64_t)j);
    int st = (int)linear_project(s->x, 0, N, D, mean, w, 5, whole);
    static const int cut[] = {0, 1, 7, 255, 256, 300, N};
    for (int i = 0; i + 1 < 7; i++)
        st |= (int)linear_project(s->x + cut[i] * D, cut[i], cut[i + 1] - cut[i], D, mean, w, 5, part + cut[i] * 5);
    ok(st == OK && memcmp(whole, part, N * 5 * sizeof *whole) == 0, "a projection's bytes do not depend on how the rows are cut");
    double worst = 0;
    for (int i = 0; i < N; i++)
        for (int c = 0; c < 5; c++) {
            double sum = 0;
            for (int j = 0; j < D; j++) sum += (s->x[i * D + j] - mean[j]) * w[j * 5 + c];
            worst = fmax(worst, fabs(sum - whole[i * 5 + c]));
        }
    ok(worst < 2e-5, "and it is the product");
    free(whole);
    free(part);
}

static void statistics(void)
{
    double v[] = {3, 1, 2, 2, 5, 4}, w[] = {7}, q[] = {1, 2, 3, 4, 10}, equal[100];
    near(linear_median(v, 6), 2.5, 0, "median of an even count: the mean of the middle two");
    near(linear_median(w, 1), 7, 0, "median of one");
    ok(isnan(linear_median(w, 0)) && isnan(linear_mean(w, 0)), "of none: NaN");
    near(linear_quantile(q, 5, 0.95), 8.8, 1e-15, "a quantile is linear between neighbours");
    near(linear_quantile(q, 5, 1), 10, 0, "the last quantile");
    int good = 1;
    for (int n = 1; n < 60; n++) { /* against a plain sort by counting */
        double a[60], b[60];
        for (int i = 0; i < n; i++) a[i] = b[i] = floor(4 * noise(22, (uint64_t)(n * 64 + i)));
        double got = linear_nth(a, n, n / 3);
        int below = 0, same_as = 0;
        for (int i = 0; i < n; i++) below += b[i] < got, same_as += b[i] == got;
        good &= below <= n / 3 && n / 3 < below + same_as;
    }
    ok(good, "the n-th value, with ties");
    for (int i = 0; i < 100; i++) equal[i] = 1;
    near(linear_median(equal, 100), 1, 0, "all equal");
}

int main(void)
{
    screen *s = screen_make();
    products(s);
    projections(s);
    statistics();
    free(s);
    return tap_done();
}
