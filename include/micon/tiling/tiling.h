/* tiling.h -- what docs/method.md 2 computes, without files or ranks: resampling, illumination, stretch, quality. Local, serial, exact:
 * integers wherever METHOD says so, doubles in a written order elsewhere, so that any machine and any number of ranks gives the same
 * values.
 *
 * Names: L side of the centred square of a source image; T = mosaic_px, side of the mosaic; R its values [T, T]; size_px side of a tile;
 * g = T / size_px tiles a row. */
#ifndef MICON_TILING_TILING_H
#define MICON_TILING_TILING_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TILING_VALUES = 65536 }; /* of a pixel */

/* ---- 2.1 resampling: a plan for one image size and mosaic, with its working memory. {0} is valid and empty. ---- */
typedef struct {
    int width_px, height_px, mosaic_px;
    int side_px, left_px, top_px; /* the centred square */
    int unit, span;               /* shrinking: length of a source and of a target pixel in common units, T/q and L/q */
    int *first;                   /* [T] first source pixel of a target pixel (growing: the left neighbour) */
    int *last;                    /* [T] last one (growing: the right neighbour) */
    uint32_t *first_weight;       /* [T] units of the first, */
    uint32_t *last_weight;        /* [T] and of the last (0 where there is only one) */
    double *fraction;             /* [T] growing: weight of the right neighbour */
    uint32_t *row;                /* [L] one target row before its columns are summed */
    uint64_t *prefix;             /* [L + 1] its running sums */
    double *lines;                /* growing: two rows after x, [2, T]; */
} tiling_plan;

/* Nothing happens where the plan is for these sizes already. */
status tiling_plan_for(tiling_plan *p, int width_px, int height_px, int mosaic_px) MUST_USE;
void tiling_plan_free(tiling_plan *p);

/* px [height_px, width_px] -> out [T, T]. */
void tiling_resample(tiling_plan *p, const uint16_t *px, uint16_t *out);
/* The same for an illumination function, in double, unrounded. */
void tiling_resample_real(tiling_plan *p, const double *px, double *out);

/* ---- 2.2 illumination ---- */
void tiling_add(int64_t *sum, const uint16_t *r, size_t n); /* sum += r */

/* From the sum of n mosaics: mean, smoothed, divided by its value number ceil(0.02 T^2), raised to 1. n = 0, or a plate of zeros: all 1. */
status tiling_illumination(const int64_t *sum, int64_t n, int mosaic_px, double *out /* [T, T] */) MUST_USE;

/* v = floor(R / illumination + 0.5), clipped, in place. */
void tiling_correct(uint16_t *v, const double *illumination, size_t n);

/* ---- 2.3 stretch ---- */
void tiling_count(int64_t histogram[TILING_VALUES], const uint16_t *v, size_t n);

/* Ascending value number max(1, ceil(percent * total / 100)); 0 where nothing was counted. */
int tiling_percentile(const int64_t histogram[TILING_VALUES], double percent);

/* What each value is stored as. hi = lo: zeros. */
void tiling_stretch_table(int lo, int hi, uint8_t table[TILING_VALUES]);

/* Tile number `tile` of the mosaic v [T, T], through the table: out [size_px, size_px]. */
void tiling_cut(const uint16_t *v, int mosaic_px, int size_px, int tile, const uint8_t table[TILING_VALUES], uint8_t *out);

/* ---- 2.5 quality ---- */
typedef struct {
    double mean, sd, zeros, focus;
} tiling_quality;

/* Of tile number `tile` of the mosaic R. */
void tiling_measure(const uint16_t *r, int mosaic_px, int size_px, int tile, tiling_quality *out);

enum { TILING_FLAG_ZERO = 1, TILING_FLAG_SATURATED = 2, TILING_FLAG_FOCUS = 4, TILING_FLAG_SD = 8 };

typedef struct {
    double saturated, focus, sd; /* above the first; below the others times the plate-channel median */
} tiling_limits;

int tiling_flags(const tiling_quality *q, bool all_zero, double saturated, double median_focus, double median_sd,
                 const tiling_limits *limits);

/* ---- 2.7 tiles of cells: a window is a square of a source image, which becomes a tile ---- */
typedef struct {
    int left_px, top_px, side_px;
} tiling_window;

/* Resampling of a window of the image px [.., stride_px]; the plan is for side_px x side_px and the tile's size. */
void tiling_resample_window(tiling_plan *p, const uint16_t *px, int stride_px, const tiling_window *win, uint16_t *out);

/* The window's pixels that are `label` in a label image [.., stride_px]: 1 in out [size_px, size_px], else 0. */
void tiling_mask_window(const int32_t *labels, int32_t label, int stride_px, const tiling_window *win, int size_px, uint16_t *out);

enum { TILING_FIELD = 128 };
/* Means of an image's blocks, TILING_FIELD a row and column whatever its size: out [TILING_FIELD, TILING_FIELD]. */
void tiling_field(const uint16_t *px, int width_px, int height_px, uint16_t *out);

/* A function [rows, columns] that spans an image of width_px x height_px, at the pixels of a window's tile: out [size_px, size_px]. */
enum { TILING_TILE_MAX = 4096 };
void tiling_field_at(const double *field, int columns, int rows, int width_px, int height_px, const tiling_window *win, int size_px,
                     double *out);

/* The middle value, or the mean of the middle two; sorts v. 0 where n = 0. */
double tiling_median(double *v, size_t n);

#endif
