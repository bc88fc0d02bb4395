/* cell.h -- a cell of the simulation: made by cell.c, placed and painted by cells.c. */
#ifndef SIMULATE_CELL_H
#define SIMULATE_CELL_H
#include "draw.h"

enum { MAX_SPOTS = 24, PROTRUSIONS = 3, TEXTURES = 6 };

typedef struct {
    float x, y, radius; /* spots of one kind, in pixels from the cell's centre */
    float weight;
} spot;

typedef struct {
    float c, s, scale, x, y; /* texture place = turn(c, s) * scale * pixel + shift */
    float squeeze;           /* second axis times this: > 1 gives streaks along the first */
} lookup;

typedef struct {
    float x, y, radius;         /* pixels */
    float c, s, stretch;        /* long axis; u / stretch, v * stretch */
    float wave_c[3], wave_s[3]; /* outline harmonics 1..3 */
    float arm_c[PROTRUSIONS], arm_s[PROTRUSIONS], arm[PROTRUSIONS];
    float nx, ny, na, nb, nc, ns; /* nucleus: centre from the cell's, half axes, long axis */
    float nwave_c[3], nwave_s[3]; /* its harmonics 2..4 */
    float reach;                  /* no pixel further away belongs to it */
    float total[CHANNELS];        /* light of each stain: mean brightness over a typical cell's area */
    lookup tex[TEXTURES];
    float chromatin, reticulum, er_far, rna_far, mito_far, mito_near, mito_gap, fibres, rim, golgi_c, golgi_s, golgi_wide, golgi_far,
        golgi_spots;
    float nucleolus_gain;
    spot nucleoli[MAX_SPOTS], holes[MAX_SPOTS], grains[MAX_SPOTS], micro[2];
    int n_nucleoli, n_holes, n_grains, n_micro, mitotic;
} cell;

/* A cell centred at x, y (pixels of um micrometres) with these factors, each spread a little. */
cell cell_make(float x, float y, const double factor[FACTORS], double um, rng *r);
/* A Poisson number of this mean, at most `most`. */
int count_around(double mean, int most, rng *r);

static inline double between(double v, double lo, double hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

#endif
