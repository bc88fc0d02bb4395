/* run: limit=240
 * t_umap.c -- neighbourhoods kept as well as umap-learn keeps them, on 1,000 of scikit-learn's digits and on the made screen; the same
 * bytes for a seed; odd input. */
#include "micon/profile/umap.h"

#include "../profile_data.h"
#include "micon/profile/neighbours.h"

static double stored(const char *name)
{
    int n;
    double *v = ref_load(name, &n), out = v && n == 1 ? *v : NAN;
    free(v);
    return out;
}

/* Three processes, one after the other in every epoch: y is what one alone finds. */
static void in_parts(const float *x, int n, int d, const umap_options *o, const float *y)
{
    enum { PARTS = 3 };
    umap_state u[PARTS];
    umap_neighbours g = {.n = n, .k = o->neighbours - 1};
    float *start = malloc((size_t)n * 2 * sizeof *start);
    g.row = malloc((size_t)(n * g.k) * sizeof *g.row), g.dist = malloc((size_t)(n * g.k) * sizeof *g.dist);
    int st = (int)neighbours_euclid(x, n, d, 0, n, g.k, g.row, g.dist) | (int)umap_first_places(x, n, d, start);
    for (int p = 0; p < PARTS; p++) {
        int first = n * p / PARTS, end = n * (p + 1) / PARTS;
        st |= (int)umap_begin(&u[p], &g, start, o, (row_range){first, end - first});
    }
    for (int epoch = 1; st == OK && epoch <= u[0].epochs; epoch++) {
        for (int p = 0; p < PARTS; p++) umap_move(&u[p], epoch);
        for (int p = 0; p < PARTS; p++)
            for (int q = 0; q < PARTS; q++)
                memcpy(u[q].y + 2 * u[p].own.first, u[p].y + 2 * u[p].own.first, 2 * (size_t)u[p].own.n * sizeof *start);
    }
    ok(st == OK && memcmp(y, u[1].y, (size_t)n * 2 * sizeof *y) == 0, "in three parts: the same bytes");
    for (int p = 0; p < PARTS; p++) umap_free(&u[p]);
    free(start);
    free(g.row);
    free(g.dist);
}

static void kept(const float *x, int n, int d, const char *name)
{
    float *y = malloc((size_t)n * 2 * sizeof *y), *z = malloc((size_t)n * 2 * sizeof *z);
    umap_options o = umap_defaults();
    double trust = 0;
    ok(umap_fit(x, n, d, &o, y) == OK, name);
    ok(neighbours_trustworthiness(x, d, y, 2, n, 15, &trust) == OK, "trustworthiness(15)");
    printf("# %s: %.4f, umap-learn %.4f\n", name, trust, stored(name));
    ok(trust >= 0.95 * stored(name), "at least 0.95 of umap-learn's");
    o.epochs = 20;
    int st = (int)umap_fit(x, n, d, &o, y) | (int)umap_fit(x, n, d, &o, z);
    ok(st == OK && memcmp(y, z, (size_t)n * 2 * sizeof *y) == 0, "the same bytes for a seed");
    in_parts(x, n, d, &o, y);
    o.seed = 2;
    ok(umap_fit(x, n, d, &o, z) == OK && memcmp(y, z, (size_t)n * 2 * sizeof *y) != 0, "others for another");
    free(y);
    free(z);
}

static void odd(void)
{
    float x[40 * 3] = {0}, y[80];
    umap_options o = umap_defaults();
    ok(umap_fit(x, 40, 3, &o, y) == OK, "40 equal rows");
    int good = 1;
    for (int i = 0; i < 80; i++) good &= isfinite(y[i]) != 0;
    ok(good, "get finite places");
    x[0] = 1;
    ok(umap_fit(x, 3, 3, &o, y) == OK && isfinite(y[0]), "three rows");
    ok(umap_fit(x, 1, 3, &o, y) == OK && y[0] == 0 && y[1] == 0, "one row");
    ok(umap_fit(x, 40, 1, &o, y) == OK && isfinite(y[79]), "one column");
}

int main(void)
{
    screen *s = screen_make();
    static unsigned char raw[1000 * 64];
    float *digits = malloc(sizeof raw * sizeof *digits), *part = malloc(1000 * 4 * sizeof *part);
    FILE *f = fopen("tests/ref/digits.u8", "rb");
    if (ok(f && fread(raw, sizeof raw, 1, f) == 1, "the digits")) {
        double trust = 0;
        for (size_t i = 0; i < sizeof raw; i++) digits[i] = raw[i];
        for (int i = 0; i < 1000; i++) memcpy(part + i * 4, digits + i * 64 + 18, 4 * sizeof *part);
        int st = (int)neighbours_trustworthiness(digits, 64, part, 4, 1000, 15, &trust);
        ok(st == OK, "trustworthiness of four pixels");
        ref_check(&trust, 1, "trust_columns", 0, 0.01, "is scikit-learn's (to the order of ties)");
        kept(digits, 1000, 64, "umap_digits");
    }
    if (f) fclose(f);
    kept(s->x, N, D, "umap_screen");
    odd();
    free(digits);
    free(part);
    free(s);
    return tap_done();
}
