/* t_varchamp.c -- a real plate with published values after robust MAD, on the whole plate and on its controls: every finite value, and
 * every NaN and infinity, where the files are. */
#include "../profile_data.h"
#include "micon/base/num.h"
#include "micon/base/text.h"
#include "micon/formats/csv.h"
#include "micon/profile/normalize.h"

#include <strings.h>

#define STEM "varchamp_mad/2022_08_08_PPL8_100-800"

typedef struct {
    table *t;
    int well, control, n_features;
    int *col; /* features */
} plate;

static int read_plate(plate *p, const char *path)
{
    if (table_read(&p->t, path) != OK) return 0;
    p->well = p->control = -1;
    p->col = calloc((size_t)table_n_cols(p->t), sizeof *p->col);
    for (int c = 0; c < table_n_cols(p->t); c++) {
        const char *name = table_col_name(p->t, c);
        if (strcmp(name, "Metadata_Well") == 0) p->well = c;
        if (strcmp(name, "Metadata_control_type") == 0) p->control = c;
        if (strncmp(name, "Metadata_", 9) != 0) p->col[p->n_features++] = c;
    }
    return p->well >= 0;
}

static double value(const plate *p, int64_t row, int col)
{
    const char *s = table_cell(p->t, row, col);
    double v = NAN;
    if (num_f64(s, &v)) return v;
    return strcasecmp(s, "inf") == 0 ? INFINITY : strcasecmp(s, "-inf") == 0 ? -INFINITY : NAN;
}

/* Raw values in the order of the published table's wells and features. */
static double *arrange(const plate *raw, const plate *done)
{
    int64_t n = table_n_rows(done->t), d = done->n_features;
    double *x = calloc((size_t)(n * d), sizeof *x);
    int *from = calloc((size_t)d, sizeof *from), good = table_n_rows(raw->t) == n && raw->n_features == d;
    for (int64_t j = 0; j < d; j++) {
        from[j] = -1;
        for (int c = 0; c < table_n_cols(raw->t); c++)
            if (strcmp(table_col_name(raw->t, c), table_col_name(done->t, done->col[j])) == 0) from[j] = c;
        good &= from[j] >= 0;
    }
    for (int64_t i = 0; good && i < n; i++) {
        int64_t at = 0;
        while (at < n && strcmp(table_cell(raw->t, at, raw->well), table_cell(done->t, i, done->well)) != 0) at++;
        good &= at < n;
        for (int64_t j = 0; good && j < d; j++) x[i * d + j] = value(raw, at, from[j]);
    }
    free(from);
    ok(good, "every published well and feature is in the raw table");
    return x;
}

/* ok(), with the name of the table before it. */
static int check(int good, const char *table_name, const char *what)
{
    char line[200];
    snprintf(line, sizeof line, "%s: %s", table_name, what);
    return ok(good, line);
}

static void compare(const char *what, const char *path, const plate *raw, bool on_controls)
{
    plate done = {0};
    normalize_params p;
    if (!check(read_plate(&done, path), what, "read")) return;
    int64_t n = table_n_rows(done.t), d = done.n_features, n_nan = 0, n_inf = 0, want_nan = 0, want_inf = 0, k = 0, beyond = 0;
    double *x = arrange(raw, &done), worst = 0;
    int32_t *group = calloc((size_t)n, sizeof *group);
    uint8_t *control = calloc((size_t)n, 1);
    float *y = calloc((size_t)(n * d), sizeof *y);
    for (int64_t i = 0; i < n; i++) control[i] = strcmp(table_cell(done.t, i, done.control), "negcon") == 0;
    const normalize_rows rows = {.group = group, .control = on_controls ? control : NULL, .n_group = 1, .min_controls = 4};
    const normalize_table t = {.exact = x, .n = n, .d = d};
    check(normalize_fit(&p, NORMALIZE_MAD, &t, &rows) == OK, what, "fitted");
    normalize_apply(&p, &t, group, y, NULL);
    normalize_count_undefined(&p, &t, group, &n_nan, &n_inf);
    for (int64_t j = 0; j < d; j++) {
        for (int64_t i = 0; i < n; i++) {
            double want = value(&done, i, done.col[j]);
            want_nan += isnan(want), want_inf += isinf(want) != 0;
            if (!isfinite(want)) continue;
            beyond += !p.keep[j];
            if (p.keep[j]) worst = fmax(worst, fabs(y[i * p.d_kept + k] - want) / fmax(fabs(want), 1e-300));
        }
        k += p.keep[j];
    }
    printf("# %s: worst relative difference %.3g of %lld features; %lld NaN, %lld infinite (published: %lld, %lld)\n", what, worst,
           (long long)p.d_kept, (long long)n_nan, (long long)n_inf, (long long)want_nan, (long long)want_inf);
    check(worst <= 5e-5 && beyond == 0, what, "every finite published value within 5e-5");
    check(n_nan == want_nan && n_inf == want_inf && want_nan == 8261 && want_inf == 68, what, "as many NaN and infinities as published");
    normalize_free(&p);
    table_free(&done.t);
    free(done.col);
    free(x);
    free(group);
    free(control);
    free(y);
}

int main(void)
{
    plate raw = {0};
    FILE *f = fopen(tap_shared(STEM ".csv.gz"), "r");
    if (!f) {
        tap_skip("a plate of alleles", tap_shared(STEM ".csv.gz"));
        return tap_done();
    }
    fclose(f);
    if (ok(read_plate(&raw, tap_shared(STEM ".csv.gz")), "the raw table")) {
        compare("whole plate", tap_shared(STEM "_normalized.csv.gz"), &raw, false);
        compare("controls", tap_shared(STEM "_normalized_negcon.csv.gz"), &raw, true);
    }
    table_free(&raw.t);
    free(raw.col);
    return tap_done();
}
