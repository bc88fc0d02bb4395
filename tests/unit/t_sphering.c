/* t_sphering.c -- the four spherings and principal components against numpy; the fit set's covariance; few rows; a repeated column; columns
 * of very different size. */
#include "micon/profile/sphering.h"

#include "../profile_data.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/normal_scores.h"

static const char *const NAME[] = {"", "zca", "pca", "zca_cor", "pca_cor"};

/* The largest difference of the used rows' covariance from the identity (PCA), or of its eigenvalue-like trace (ZCA: rank). */
static void covariance(const float *y, int k, const uint8_t *use, double *off_identity, double *trace)
{
    double mean[D] = {0}, c[D * D] = {0};
    int m = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < k && use[i]; j++) mean[j] += y[i * k + j], m += j == 0;
    for (int j = 0; j < k; j++) mean[j] /= m;
    for (int i = 0; i < N; i++)
        for (int a = 0; a < k && use[i]; a++)
            for (int b = 0; b < k; b++) c[a * k + b] += (y[i * k + a] - mean[a]) * (y[i * k + b] - mean[b]) / (m - 1);
    *off_identity = *trace = 0;
    for (int a = 0; a < k; a++)
        for (int b = 0; b < k; b++) *off_identity = fmax(*off_identity, fabs(c[a * k + b] - (a == b)));
    for (int a = 0; a < k; a++) *trace += c[a * k + a];
}

/* For ZCA: W cov W is the projection on the span, so its square equals itself. */
static double off_projection(const float *y, int k, const uint8_t *use)
{
    double mean[D] = {0}, c[D * D] = {0}, worst = 0;
    int m = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < k && use[i]; j++) mean[j] += y[i * k + j], m += j == 0;
    for (int j = 0; j < k; j++) mean[j] /= m;
    for (int i = 0; i < N; i++)
        for (int a = 0; a < k && use[i]; a++)
            for (int b = 0; b < k; b++) c[a * k + b] += (y[i * k + a] - mean[a]) * (y[i * k + b] - mean[b]) / (m - 1);
    for (int a = 0; a < k; a++)
        for (int b = 0; b < k; b++) {
            double sq = 0;
            for (int j = 0; j < k; j++) sq += c[a * k + j] * c[j * k + b];
            worst = fmax(worst, fabs(sq - c[a * k + b]));
        }
    return worst;
}

static void one(const float *x, const uint8_t *use, const char *prefix, sphering_kind kind, int64_t rank)
{
    char name[64], what[128];
    sphering_params p;
    float *y = malloc(N * D * sizeof *y);
    double mark[N], off, trace;
    snprintf(what, sizeof what, "%s%s: rank %d", prefix, NAME[kind], (int)rank);
    int zca = kind == SPHERE_ZCA || kind == SPHERE_ZCA_COR;
    ok(sphering_fit(&p, kind, 0, x, N, D, use) == OK && p.rank == rank && p.k == (zca ? D : rank), what);
    ok(sphering_apply(&p, x, 0, N, y) == OK, "applied");
    row_marks(y, N, (int)p.k, mark);
    snprintf(name, sizeof name, "sphere_%s%s", prefix, NAME[kind]);
    snprintf(what, sizeof what, "%s%s: the values are numpy's", prefix, NAME[kind]);
    ref_check(mark, N, name, 1e-5, 1e-3, what);
    covariance(y, (int)p.k, use, &off, &trace);
    if (kind == SPHERE_ZCA || kind == SPHERE_PCA) {
        snprintf(what, sizeof what, "%s%s: the fit set's covariance is the identity on its span", prefix, NAME[kind]);
        ok((zca ? off_projection(y, (int)p.k, use) : off) < 1e-4 && fabs(trace - (double)rank) < 1e-3, what);
    }
    float *cut = malloc(N * D * sizeof *cut);
    int st = (int)sphering_apply(&p, x, 0, 111, cut) | (int)sphering_apply(&p, x + 111 * D, 111, N - 111, cut + 111 * p.k);
    ok(st == OK && memcmp(cut, y, (size_t)(N * p.k) * sizeof *y) == 0, "in two ranges: the same bytes");
    free(cut);
    free(y);
    sphering_free(&p);
}

/* Fewer rows than features have their components by another way: those of the same rows, each many times over, are the same. */
static void few_rows(const screen *s)
{
    enum { FEW = D / 2, TIMES = 4, K = 5 };
    sphering_params by_rows, by_features;
    float *many = malloc((size_t)FEW * TIMES * D * sizeof *many);
    double worst = 0;
    for (int i = 0; i < FEW * TIMES; i++) memcpy(many + (size_t)i * D, s->x + (size_t)(i % FEW) * D, D * sizeof *many);
    ok(sphering_fit_components(&by_rows, s->x, FEW, D, NULL, K) == OK &&
           sphering_fit_components(&by_features, many, FEW * TIMES, D, NULL, K) == OK,
       "components of few rows, and of many");
    for (int i = 0; i < D * K; i++) worst = fmax(worst, fabs(by_rows.w[i] - by_features.w[i]));
    printf("# largest difference %.1e\n", worst);
    ok(worst < 1e-9, "are the same");
    near(by_features.largest, 2 * by_rows.largest, 1e-9 * by_features.largest, "and their lengths");
    sphering_free(&by_rows);
    memcpy(many + (size_t)D, many, D * sizeof *many);
    memcpy(many + 2 * (size_t)D, many, D * sizeof *many);
    ok(sphering_fit_components(&by_rows, many, 4, D, NULL, 3) == OK && by_rows.k == 3 && by_rows.smallest < 1e-6 * by_rows.largest,
       "rows that are the same: a component without length");
    sphering_free(&by_rows);
    sphering_free(&by_features);
    free(many);
}

static void components(const screen *s)
{
    sphering_params p;
    float *y = malloc(N * 10 * sizeof *y);
    double mark[N];
    ok(sphering_fit_components(&p, s->x, N, D, NULL, 10) == OK && p.k == 10, "ten principal components");
    ok(sphering_apply(&p, s->x, 0, N, y) == OK, "applied");
    row_marks(y, N, 10, mark);
    ref_check(mark, N, "components", 1e-5, 1e-4, "they are scikit-learn's, signs by the largest entry");
    sphering_free(&p);
    ok(sphering_fit_components(&p, s->x, 4, D, NULL, 50) == OK && p.k == 4, "50 of four rows: four");
    sphering_free(&p);
    free(y);
    few_rows(s);
}

/* From well conditioned to hardly so: the way through the covariance and the way around it meet the same mark (numbers so large that the
 * 1e-6 added to singular values does not show). The columns are mixed by a reflection: on columns of different size alone, eigenvalues are
 * as exact as singular values. */
static void conditioned(void)
{
    float *x = malloc(N * D * sizeof *x), *y = malloc(N * D * sizeof *y);
    uint8_t all[N];
    memset(all, 1, sizeof all);
    for (int power = 0; power <= 8; power += 2) {
        sphering_params p;
        double off = NAN, trace = 0;
        char what[100];
        for (int i = 0; i < N; i++) {
            double row[D], sum = 0;
            for (int j = 0; j < D; j++) sum += row[j] = noise(77, (uint64_t)(i * D + j)) * pow(10, 9 - power * (double)j / (D - 1));
            for (int j = 0; j < D; j++) x[i * D + j] = (float)(row[j] - 2 * sum / D);
        }
        int st = (int)sphering_fit(&p, SPHERE_PCA, 0, x, N, D, NULL);
        if (st == OK) st = (int)sphering_apply(&p, x, 0, N, y);
        if (st == OK) covariance(y, D, all, &off, &trace);
        snprintf(what, sizeof what, "singular values over %d orders: the covariance is the identity", power);
        printf("# %s: off by %.1e\n", what, off);
        ok(st == OK && p.rank == D && off < 2e-5, what);
        sphering_free(&p);
    }
    free(x);
    free(y);
}

/* With a ridge, whichever way it was decomposed: W W' (C + ridge m I) = I, with C the covariance of the rows and m its mean eigenvalue. */
static void ridged(const screen *s, int64_t n, double ridge)
{
    sphering_params p;
    uint8_t use[N] = {0};
    double mean[D] = {0}, worst = 0, trace = 0, *c = calloc(D * D, sizeof *c), *ww = calloc(D * D, sizeof *ww);
    char what[100];
    for (int64_t i = 0; i < n; i++) use[i] = 1;
    for (int64_t i = 0; i < n; i++)
        for (int j = 0; j < D; j++) mean[j] += s->x[i * D + j] / (double)n;
    for (int64_t i = 0; i < n; i++)
        for (int a = 0; a < D; a++)
            for (int b = 0; b < D; b++) c[a * D + b] += (s->x[i * D + a] - mean[a]) * (s->x[i * D + b] - mean[b]) / (double)(n - 1);
    for (int a = 0; a < D; a++) trace += c[a * D + a];
    for (int a = 0; a < D; a++) c[a * D + a] += ridge * trace / D;
    snprintf(what, sizeof what, "%d rows, ridge %g", (int)n, ridge);
    ok(sphering_fit(&p, SPHERE_ZCA, ridge, s->x, N, D, use) == OK && p.k == D, what);
    for (int a = 0; a < D; a++)
        for (int b = 0; b < D; b++)
            for (int j = 0; j < D; j++) ww[a * D + b] += p.w[a * D + j] * p.w[b * D + j];
    for (int a = 0; a < D; a++)
        for (int b = 0; b < D; b++) {
            double sum = 0;
            for (int j = 0; j < D; j++) sum += ww[a * D + j] * c[j * D + b];
            worst = fmax(worst, fabs(sum - (a == b)));
        }
    snprintf(what, sizeof what, "%d rows, ridge %g: W W' is the inverse of the covariance with the ridge", (int)n, ridge);
    printf("# off by %.1e\n", worst);
    ok(worst < 1e-6, what);
    free(c);
    free(ww);
    sphering_free(&p);
}

/* Ledoit and Wolf: two columns by hand, scikit-learn's on many and on few rows, and the gains that follow from it. */
static void shrunk(const screen *s)
{
    const float cross[8] = {3, 0, -3, 0, 0, 1, 0, -1};
    uint8_t few[N] = {0};
    sphering_params p;
    double got[2];
    ok(sphering_fit(&p, SPHERE_ZCA, SPHERE_LEDOIT_WOLF, cross, 4, 2, NULL) == OK && fabs(p.shrinkage - 82.0 / 128) < 1e-12,
       "Ledoit and Wolf by hand: (3^4 + 1) / (2 (3^2 - 1)^2)");
    double l[2] = {18.0 / 3, 2.0 / 3}, t = 82.0 / 128, m = (l[0] + l[1]) / 2;
    ok(fabs(p.w[0] - 1 / sqrt((1 - t) * l[0] + t * m)) < 1e-9 && fabs(p.w[3] - 1 / sqrt((1 - t) * l[1] + t * m)) < 1e-9 &&
           fabs(p.w[1]) < 1e-9,
       "the gains are those of the shrunk eigenvalues");
    sphering_free(&p);
    for (int i = 0, k = 0; i < N && k < 20; i++) k += few[i] = s->control[i];
    for (int k = 0; k < 2; k++) {
        ok(sphering_fit(&p, SPHERE_PCA, SPHERE_LEDOIT_WOLF, s->x, N, D, k ? few : s->control) == OK, k ? "few rows" : "many rows");
        got[k] = p.shrinkage;
        sphering_free(&p);
    }
    ref_check(got, 2, "ledoit_wolf", 1e-9, 0, "the shrinkages are scikit-learn's");
    ok(sphering_fit(&p, SPHERE_PCA, 1, s->x, N, D, NULL) == OK && isnan(p.shrinkage), "a ridge is no shrinkage");
    sphering_free(&p);
}

/* Normal scores: Blom's formula, ties at their mean rank, groups apart, others placed between. */
static void scores(void)
{
    const float x[7] = {5, -1, 5, 100, 7, -0.0f, 0};
    const int32_t group[7] = {0, 0, 0, 0, 1, 1, -1}, at[4] = {0, 0, 0, -1};
    const float other[4] = {52.5f, -7, 5, 3};
    float y[7], placed[4];
    const scored_others others = {.x = other, .group = at, .n = 4, .y = placed};
    ok(fabs(normal_quantile(0.975) - 1.959963984540054) < 1e-12 && fabs(normal_quantile(0.5)) < 1e-12, "the normal quantile");
    memset(y, 0, sizeof y);
    ok(normal_scores(x, 7, 1, group, 2, &others, y) == OK, "scores of ranks");
    double low = normal_quantile(0.625 / 4.25), high = normal_quantile(3.625 / 4.25), tie = normal_quantile(2.125 / 4.25);
    ok(fabs(y[1] - low) < 1e-6 && fabs(y[3] - high) < 1e-6 && fabs(y[0] - tie) < 1e-6 && y[0] == y[2], "equal values at their mean rank");
    ok(y[4] == -y[5] && y[4] > 0, "another group for itself");
    ok(fabs(placed[0] - (tie + high) / 2) < 1e-6 && placed[1] == y[1] && placed[2] == y[0] && placed[3] == 0, "others among them");
}

static void odd(const screen *s)
{
    sphering_params p;
    float same_rows[12 * 3];
    for (int i = 0; i < 36; i++) same_rows[i] = (float)(i % 3);
    ok(sphering_fit(&p, SPHERE_ZCA, 0, same_rows, 12, 3, NULL) == E_FAILED && strstr(msg_get(), "all alike") && !p.w,
       "equal rows: it fails and says so");
    msg_clear();
    ok(sphering_fit(&p, SPHERE_ZCA, 0, s->x, 1, D, NULL) == E_FAILED && strstr(msg_get(), "it takes two"), "one row");
    msg_clear();
    same_rows[4] = NAN;
    ok(sphering_fit(&p, SPHERE_PCA, 0, same_rows, 12, 3, NULL) == E_FAILED && strstr(msg_get(), "row 1, column 1"), "a NaN is named");
    msg_clear();
    ok(sphering_fit(&p, SPHERE_ZCA_COR, 0, s->x, N, D, s->control) == OK, "the plain screen");
    sphering_free(&p);
}

int main(void)
{
    screen *s = screen_make();
    uint8_t few[N] = {0};
    components(s);
    conditioned();
    ridged(s, N, 1);
    ridged(s, D / 2, 1);
    ridged(s, D + 3, 0.01);
    shrunk(s);
    scores();
    odd(s);
    for (int i = 0; i < N; i++) s->x[i * D + 28] = s->x[i * D + 27];
    for (int i = 0, m = 0; i < N && m < 20; i++) m += few[i] = s->control[i];
    for (int kind = SPHERE_ZCA; kind <= SPHERE_PCA_COR; kind++) {
        one(s->x, s->control, "", (sphering_kind)kind, D - 1);
        one(s->x, few, "few_", (sphering_kind)kind, 19);
    }
    free(s);
    return tap_done();
}
