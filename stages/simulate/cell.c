/* cell.c -- one cell's numbers: outline, nucleus, organelles and textures, from the morphological factors and chance. */
#include "cell.h"

#include <math.h>

const char *const factor_names[FACTORS] = {"count",    "size",      "stretch", "nucleus", "lobes",        "chromatin",
                                           "nucleoli", "reticulum", "fibres",  "golgi",   "mitochondria", "vacuoles"};

static void turn_of(rng *r, float *c, float *s)
{
    double a = 6.283185307179586 * rng_uniform(r);
    *c = (float)cos(a);
    *s = (float)sin(a);
}

/* grain_um: size of the texture's features. */
static lookup lookup_make(double grain_um, double um, double squeeze, rng *r)
{
    lookup t = {.scale = (float)(TEXTURE_GRAIN * um / grain_um), .squeeze = (float)squeeze};
    turn_of(r, &t.c, &t.s);
    t.x = (float)(TEXTURE_SIDE * rng_uniform(r));
    t.y = (float)(TEXTURE_SIDE * rng_uniform(r));
    return t;
}

int count_around(double mean, int most, rng *r)
{
    /* Poisson by its definition: the means here are small. */
    double limit = exp(-between(mean, 0, 30)), product = rng_uniform(r);
    int n = 0;
    while (product > limit && n < most) {
        product *= rng_uniform(r);
        n++;
    }
    return n;
}

static void nucleus_make(cell *k, const double f[FACTORS], double um, rng *r)
{
    double size = 11.0 * exp(0.13 * f[F_NUCLEUS] + 0.09 * rng_normal(r)), aspect = exp(0.13 + 0.09 * fabs(rng_normal(r)));
    double lobes = 0.030 * exp(0.62 * f[F_LOBES]);
    k->na = (float)(size * aspect / um);
    k->nb = (float)(size / aspect / um);
    double turn = 0.5 * rng_normal(r); /* mostly along the cell */
    k->nc = (float)(k->c * cos(turn) - k->s * sin(turn));
    k->ns = (float)(k->s * cos(turn) + k->c * sin(turn));
    k->nx = (float)(0.12 * rng_normal(r) * k->radius);
    k->ny = (float)(0.12 * rng_normal(r) * k->radius);
    for (int i = 0; i < 3; i++) {
        k->nwave_c[i] = (float)between(lobes * rng_normal(r), -0.25, 0.25);
        k->nwave_s[i] = (float)between(lobes * rng_normal(r), -0.25, 0.25);
    }
    k->n_micro = f[F_LOBES] > 0.6 ? count_around(0.5 * (f[F_LOBES] - 0.6), 2, r) : 0;
    for (int i = 0; i < k->n_micro; i++) {
        float c, s;
        turn_of(r, &c, &s);
        double away = 1.15 * size / um;
        k->micro[i] =
            (spot){k->nx + (float)(away * 1.1) * c, k->ny + (float)(away * 1.1) * s, (float)((1.3 + 0.5 * rng_uniform(r)) / um), 1};
    }
    k->chromatin = (float)(0.16 * exp(0.55 * f[F_CHROMATIN]));

    double mean = 4.5 * exp(-0.38 * f[F_NUCLEOLI]), radius = 1.45 * exp(0.24 * f[F_NUCLEOLI]);
    k->n_nucleoli = 1 + count_around(mean - 1, MAX_SPOTS - 1, r);
    k->nucleolus_gain = (float)(1.5 * exp(0.22 * f[F_NUCLEOLI]));
    for (int i = 0; i < k->n_nucleoli; i++) {
        float c, s;
        turn_of(r, &c, &s);
        double away = 0.72 * sqrt(rng_uniform(r)), u = away * c * k->na, v = away * s * k->nb;
        k->nucleoli[i] = (spot){(float)(k->nx + u * k->nc - v * k->ns), (float)(k->ny + u * k->ns + v * k->nc),
                                (float)(radius * exp(0.25 * rng_normal(r)) / um), (float)(0.7 + 0.6 * rng_uniform(r))};
    }
}

static void outline_make(cell *k, const double f[FACTORS], double um, rng *r)
{
    double size = 26.5 * exp(0.10 * f[F_SIZE] + 0.15 * rng_normal(r));
    double stretch = between(0.16 + 0.15 * f[F_STRETCH] + 0.10 * rng_normal(r), 0.0, 0.75);
    double arms = 0.50 * exp(0.38 * f[F_STRETCH]);
    if (k->mitotic) size *= 0.62, stretch = 0.03, arms = 0;
    k->radius = (float)(size / um);
    k->stretch = (float)exp(stretch);
    turn_of(r, &k->c, &k->s);
    double most = 1;
    for (int i = 0; i < 3; i++) {
        double bend = (k->mitotic ? 0.02 : 0.085) / (1 + 0.4 * i);
        k->wave_c[i] = (float)(bend * between(rng_normal(r), -2.5, 2.5));
        k->wave_s[i] = (float)(bend * between(rng_normal(r), -2.5, 2.5));
        most += fabs((double)k->wave_c[i]) + fabs((double)k->wave_s[i]);
    }
    double longest = 0;
    for (int i = 0; i < PROTRUSIONS; i++) {
        float side = i % 2 ? -1 : 1; /* in the cell's own frame; the first two at its ends */
        double a = i < 2 ? 0.45 * rng_normal(r) : 6.283185307179586 * rng_uniform(r);
        k->arm_c[i] = side * (float)cos(a);
        k->arm_s[i] = (float)sin(a);
        k->arm[i] = (float)(arms * rng_uniform(r) * 1.5);
        longest = fmax(longest, (double)k->arm[i]);
    }
    k->reach = (float)(size / um * (most + longest) * exp(stretch) * 1.02 + 3);
}

static void organelles_make(cell *k, const double f[FACTORS], double um, rng *r)
{
    k->er_far = (float)(9.0 * exp(-0.48 * f[F_RETICULUM]) / um);
    k->rna_far = (float)(12.0 / um);
    k->reticulum = (float)(0.22 * exp(0.18 * f[F_RETICULUM]));
    k->mito_far = (float)(12 * exp(-0.42 * f[F_MITOCHONDRIA]) / um);
    k->mito_near = (float)(1.0 / um);
    k->mito_gap = (float)between(0.30 * f[F_MITOCHONDRIA] - 0.4, -1.2, 0.4);
    k->fibres = (float)(0.26 * exp(0.75 * f[F_FIBRES]));
    k->rim = (float)(0.5 * exp(-0.25 * f[F_FIBRES]));
    turn_of(r, &k->golgi_c, &k->golgi_s);
    k->golgi_wide = (float)between(0.30 + 0.35 * f[F_GOLGI], -0.12, 1.3);
    k->golgi_far = (float)(3.2 * exp(0.34 * f[F_GOLGI]) / um);
    k->golgi_spots = (float)(2.8 * exp(-0.25 * f[F_GOLGI]));

    k->n_grains = count_around(3.0 * exp(0.75 * f[F_GOLGI]), MAX_SPOTS, r);
    k->n_holes = count_around(1.3 * exp(0.95 * f[F_VACUOLES]), MAX_SPOTS, r);
    double nucleus = sqrt((double)(k->na * k->nb));
    for (int i = 0; i < k->n_grains + k->n_holes; i++) {
        float c, s;
        turn_of(r, &c, &s);
        double share = i < k->n_grains ? rng_uniform(r) : 0.75 * rng_uniform(r);
        double away = nucleus * 1.2 + share * fmax(0.85 * k->radius - nucleus * 1.2, 0.1 * nucleus);
        spot one = {k->nx + (float)away * c, k->ny + (float)away * s, 0, (float)(0.6 + 0.8 * rng_uniform(r))};
        if (i < k->n_grains) {
            one.radius = (float)((0.55 + 0.35 * rng_uniform(r)) / um);
            k->grains[i] = one;
        } else {
            one.radius = (float)((1.25 + 0.7 * rng_uniform(r)) * exp(0.16 * f[F_VACUOLES]) / um);
            k->holes[i - k->n_grains] = one;
        }
    }
    /* 0 chromatin, 1 reticulum, 2 mitochondria, 3 fibres, 4 golgi, 5 patches */
    k->tex[0] = lookup_make(1.7 * exp(0.16 * f[F_CHROMATIN]), um, 1, r);
    k->tex[1] = lookup_make(1.5, um, 1, r);
    k->tex[2] = lookup_make(2.8 * exp(0.30 * f[F_MITOCHONDRIA]), um, 1, r);
    k->tex[3] = lookup_make(15, um, 9, r);
    k->tex[3].c = k->c;
    k->tex[3].s = k->s;
    k->tex[4] = lookup_make(1.8, um, 1, r);
    k->tex[5] = lookup_make(7, um, 1, r);
}

cell cell_make(float x, float y, const double factor[FACTORS], double um, rng *r)
{
    cell k = {.x = x, .y = y};
    double f[FACTORS];
    for (int i = 0; i < FACTORS; i++) f[i] = between(factor[i], -3, 3) + 0.30 * rng_normal(r);
    k.mitotic = rng_uniform(r) < 0.03;
    outline_make(&k, f, um, r);
    nucleus_make(&k, f, um, r);
    organelles_make(&k, f, um, r);
    /* DNA content runs from one to two in the cell cycle. */
    double cycle = 1 + 0.5 * rng_uniform(r) * rng_uniform(r), common = 0.16 * rng_normal(r);
    for (int c = 0; c < CHANNELS; c++) k.total[c] = (float)(exp(common + 0.15 * rng_normal(r)));
    k.total[DNA] = (float)(cycle * exp(0.08 * rng_normal(r)));
    if (k.mitotic) {
        k.na = (float)(8.5 / um);
        k.nb = (float)(2.6 / um);
        k.nx = k.ny = 0;
        k.n_nucleoli = k.n_holes = k.n_micro = 0;
        k.chromatin = 0.1f;
        k.total[DNA] = 1.8f;
    }
    return k;
}
