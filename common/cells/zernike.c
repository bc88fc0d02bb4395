/* zernike.c -- Zernike sums of an object in its smallest enclosing circle, for the shape (weight 1) and each channel's values at once.
 * With z = y + i x in units of the radius, every polynomial is a combination of the moments sum of w z^m r^2j; those are summed over blocks
 * of pixels, and the polynomials are put together once an object. Pixels beyond the circle by rounding count nothing, as in centrosome. */
#include "measure_impl.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { BLOCK = 64, LANES = 8 };

void zernike_index(int k, int *n, int *m)
{
    int at = 0;
    for (*n = 0; *n <= ZERNIKE_ORDER; ++*n)
        for (*m = *n & 1; *m <= *n; *m += 2)
            if (at++ == k) return;
}

static int index_of(int n, int m)
{
    int k = 0;
    for (int i = 0; i < n; i++) k += i / 2 + 1;
    return k + m / 2;
}

status zernike_create(zernike_sums *z, int n_channels)
{
    status st = OK;
    size_t n = (size_t)(1 + n_channels) * N_ZERNIKE;
    *z = (zernike_sums){.n_weights = 1 + n_channels};
    TRY(mem_alloc(&z->re, n, sizeof *z->re, "Zernike sums"));
    TRY(mem_alloc(&z->im, n, sizeof *z->im, "Zernike sums"));
    TRY(mem_alloc(&z->moment_re, n, sizeof *z->moment_re, "Zernike sums"));
    TRY(mem_alloc(&z->moment_im, n, sizeof *z->moment_im, "Zernike sums"));
    TRY(mem_alloc(&z->weight, (size_t)(1 + n_channels) * BLOCK, sizeof *z->weight, "Zernike sums"));
done:
    return st;
}

void zernike_free(zernike_sums *z)
{
    free(z->re);
    free(z->im);
    free(z->moment_re);
    free(z->moment_im);
    free(z->weight);
    *z = (zernike_sums){0};
}

/* sum[w] += the sum of f * weight[w], in lanes, so that the order is the same on every machine. */
HOT static void add_products(double *sum, int step, const double *f, const double *weight, int n_weights)
{
    for (int w = 0; w < n_weights; w++) {
        const double *by = weight + (size_t)w * BLOCK;
        double lane[LANES] = {0};
        for (int i = 0; i < BLOCK; i += LANES)
            for (int l = 0; l < LANES; l++) lane[l] += f[i + l] * by[i + l];
        sum[(size_t)w * (size_t)step] += ((lane[0] + lane[4]) + (lane[2] + lane[6])) + ((lane[1] + lane[5]) + (lane[3] + lane[7]));
    }
}

HOT static void next_power(double *re, double *im, const double *y, const double *x)
{
    for (int i = 0; i < BLOCK; i++) {
        double a = re[i], b = im[i];
        re[i] = a * y[i] - b * x[i];
        im[i] = a * x[i] + b * y[i];
    }
}

HOT static void times(double *a, const double *b)
{
    for (int i = 0; i < BLOCK; i++) a[i] *= b[i];
}

/* A block of pixels from `first` on: coordinates in the circle, and weights; what is missing in the last block weighs nothing. */
HOT static void load_block(const zernike_sums *z, const object_view *v, int first, double *y, double *x, double *r2)
{
    int n = v->n - first < BLOCK ? v->n - first : BLOCK;
    for (int i = 0; i < n; i++) {
        y[i] = (v->y[first + i] + v->top - v->round.y) / v->round.radius;
        x[i] = (v->x[first + i] + v->left - v->round.x) / v->round.radius;
    }
    for (int i = n; i < BLOCK; i++) y[i] = x[i] = 0;
    for (int i = 0; i < BLOCK; i++) r2[i] = x[i] * x[i] + y[i] * y[i];
    for (int i = 0; i < BLOCK; i++) z->weight[i] = i < n && !(r2[i] > 1) ? 1 : 0;
    for (int w = 1; w < z->n_weights; w++) {
        const uint16_t *value = v->value[w - 1] + first;
        double *by = z->weight + (size_t)w * BLOCK;
        for (int i = 0; i < n; i++) by[i] = value[i] * z->weight[i];
        for (int i = n; i < BLOCK; i++) by[i] = 0;
    }
}

static void add_moments(zernike_sums *z, const double *y, const double *x, const double *r2)
{
    double power_re[BLOCK], power_im[BLOCK], re[BLOCK], im[BLOCK];
    for (int i = 0; i < BLOCK; i++) {
        power_re[i] = 1;
        power_im[i] = 0;
    }
    for (int m = 0; m <= ZERNIKE_ORDER; m++) {
        if (m > 0) next_power(power_re, power_im, y, x);
        memcpy(re, power_re, sizeof re);
        memcpy(im, power_im, sizeof im);
        for (int n = m; n <= ZERNIKE_ORDER; n += 2) {
            int k = index_of(n, m);
            if (n > m) {
                times(re, r2);
                times(im, r2);
            }
            add_products(z->moment_re + k, N_ZERNIKE, re, z->weight, z->n_weights);
            if (m > 0) add_products(z->moment_im + k, N_ZERNIKE, im, z->weight, z->n_weights);
        }
    }
}

static double factorial(int n)
{
    double f = 1;
    for (int i = 2; i <= n; i++) f *= i;
    return f;
}

void zernike_of(zernike_sums *z, const object_view *v)
{
    double y[BLOCK], x[BLOCK], r2[BLOCK];
    size_t size = (size_t)z->n_weights * N_ZERNIKE;
    memset(z->moment_re, 0, size * sizeof *z->moment_re);
    memset(z->moment_im, 0, size * sizeof *z->moment_im);
    for (int first = 0; first < v->n; first += BLOCK) {
        load_block(z, v, first, y, x, r2);
        add_moments(z, y, x, r2);
    }
    for (int w = 0; w < z->n_weights && !(v->round.radius > 0); w++) z->moment_re[w * N_ZERNIKE] = NAN; /* a pixel lies in no circle */
    for (int k = 0; k < N_ZERNIKE; k++) {
        int n, m;
        zernike_index(k, &n, &m);
        int half = (n - m) / 2;
        for (int w = 0; w < z->n_weights; w++) {
            double re = 0, im = 0;
            for (int j = 0; j <= half; j++) {
                double c = (j % 2 ? -1 : 1) * factorial(n - j) / (factorial(j) * factorial((n + m) / 2 - j) * factorial(half - j));
                int from = w * N_ZERNIKE + index_of(n - 2 * j, m);
                re += c * z->moment_re[from];
                im += c * z->moment_im[from];
            }
            z->re[w * N_ZERNIKE + k] = re;
            z->im[w * N_ZERNIKE + k] = im;
        }
    }
}
