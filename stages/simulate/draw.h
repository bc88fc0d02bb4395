/* draw.h -- the picture part of micon-simulate: from a dozen morphological factors to five channels of float pixels, and from
 * those to what a given microscope's camera delivers. Local; nothing here knows of compounds, plates or files.
 * Lengths are micrometres (um) where a name says so, pixels otherwise. Everything random comes from the given rng or key. */
#ifndef SIMULATE_DRAW_H
#define SIMULATE_DRAW_H
#include "micon/base/rng.h"
#include "micon/base/status.h"

#include <stdint.h>

enum { DNA, ER, RNA, AGP, MITO, CHANNELS };
enum { MASK_NUCLEI, MASK_CELLS, N_MASKS };

/* What a compound can change, in units of a typical effect: 0 is an untreated cell, 2 is strong. */
enum {
    F_COUNT,        /* cells per area                                        */
    F_SIZE,         /* size of the cell                                      */
    F_STRETCH,      /* elongation and protrusions                            */
    F_NUCLEUS,      /* size of the nucleus                                   */
    F_LOBES,        /* irregular outline of the nucleus, micronuclei         */
    F_CHROMATIN,    /* contrast and grain of the chromatin                   */
    F_NUCLEOLI,     /* few large bright ones (+), many small ones (-)        */
    F_RETICULUM,    /* endoplasmic reticulum drawn together at the nucleus   */
    F_FIBRES,       /* actin stress fibres                                   */
    F_GOLGI,        /* Golgi scattered (+) or one compact body (-)           */
    F_MITOCHONDRIA, /* coarse, broken, near the nucleus (+); fine, wide (-)  */
    F_VACUOLES,     /* dark round holes in the cytoplasm                     */
    FACTORS
};
extern const char *const factor_names[FACTORS];

/* Plain loops over pixels: as base/simd_clones.h's HOT, but comparisons need not trap, else a choice between two values stays scalar. That
 * is a matter of the whole file (a function is not inlined into one of other settings): hence the pragma, and DRAW_HOT adds the levels
 * alone. All levels must give the same bits: no contraction; and no SLP vectorizer, because gcc 12's drops the rounding of (double)(float)x
 * for pairs of values, on some levels and not on others (seen: cosine and sine of one angle). */
#pragma GCC optimize("O3", "no-trapping-math", "fp-contract=off", "no-tree-slp-vectorize")
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__)
#define DRAW_HOT __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define DRAW_HOT
#endif

/* Square root to 1e-7, in plain arithmetic: sqrtf may set errno, and no pragma talks gcc out of that, so loops with it stay scalar. */
static inline float root(float v)
{
    union {
        float f;
        uint32_t u;
    } guess = {.f = v};
    guess.u = 0x5F375A86u - (guess.u >> 1);
    float y = guess.f, half = 0.5f * v;
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    y *= 1.5f - half * y * y;
    return v * y;
}

/* ---- texture.c: random fields ---- */

/* 32-bit words number 0..n-1 of (seed, stream, step, position): exactly the words that rng_u32 gives one by one. */
void noise_words(uint32_t *out, int64_t n, uint32_t seed, uint32_t stream, uint32_t step, uint64_t position);
/* Near-normal numbers, mean 0, sd 1, |x| < 5.7: one word each. */
void noise_normal(float *out, int64_t n, uint32_t seed, uint32_t stream, uint32_t step, uint64_t position);

/* A square of smooth noise that repeats: mean 0, sd 1, correlation length TEXTURE_GRAIN texels. The same in every run. */
enum { TEXTURE_SIDE = 512, TEXTURE_GRAIN = 4 };
const float *texture_square(void);

/* Smooth noise of the given grain (pixels) over a picture: mean 0, sd about 1; made on a coarse grid, so cheap. */
void texture_field(float *out, int width, int height, double grain, rng *r);

/* ---- cells.c ---- */
typedef struct {
    int width, height;
    double um;                /* of a pixel */
    float *channel[CHANNELS]; /* height x width; 1 is about the mean brightness of a cell; background 0 */
    float *work;              /* scratch of 4 pictures */
    uint16_t *mask[N_MASKS];  /* height x width: which cell a pixel's nucleus or body belongs to, 1.., 0 none; NULL: not wanted */
} picture;

status picture_init(picture *p, int width, int height, double um) MUST_USE;
void picture_free(picture *p);

/* Draw one field of view. factor: the well's values; crowding: 1 is usual. Returns the number of cells with their centre in it. */
int cells_draw(picture *p, const double factor[FACTORS], double crowding, rng *r);

/* ---- optics.c ---- */
typedef struct {
    double um;                      /* of a pixel */
    double blur_um, blur_px;        /* sd of the point spread, its two parts are added in squares */
    double glow;                    /* share of the light that comes from out of focus */
    double gain[CHANNELS];          /* counts per unit brightness */
    double offset[CHANNELS];        /* counts without light */
    double haze[CHANNELS];          /* brightness of the empty ground */
    double electrons;               /* per count: shot noise */
    double read_noise;              /* counts */
    double shade_x, shade_y, shade; /* illumination: centre (share of the picture, from its middle), loss at a corner */
    double tilt[CHANNELS];          /* illumination's slope from left to right */
    double bleed[CHANNELS];         /* share of the neighbouring channel of shorter wavelength that shows here */
    int bits;                       /* 8, 12 or 16: counts end at 2^bits - 1 */
} optics;

/* The camera's picture of p: CHANNELS pictures of uint16, counts. p is spoiled. focus: factor on the blur of this site;
 * gain: factor per channel (staining, plate, well). Noise follows from (seed, stream, step 0.., position). */
void optics_expose(picture *p, const optics *o, double focus, const double gain[CHANNELS], uint32_t seed, uint32_t stream,
                   uint64_t position, uint16_t *const out[CHANNELS]);

#endif
