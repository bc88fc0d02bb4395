/* find_impl.h -- steps of finding nuclei and cells, and the memory they share. */
#ifndef CELLS_FIND_IMPL_H
#define CELLS_FIND_IMPL_H
#include "micon/cells/find.h"

struct finder {
    int width, height;
    size_t cap; /* pixels */
    float *image, *smooth, *work;
    uint8_t *mask;
    int32_t *scratch, *plane; /* [cap + 1] each; what needs whole numbers per pixel */
    int32_t *next;            /* [cap] queues: the pixel after this one */
    int32_t *head, *tail;     /* [FIND_LEVELS] of queues */
    objects parts;            /* connected components */
    int32_t *line;            /* of the distance transform */
    size_t line_cap;
    float *block; /* thresholds and backgrounds of blocks */
    size_t block_cap;
    uint8_t *keep; /* [objects] */
    size_t keep_cap;
    float *step[4]; /* propagation: differences of values to the right, below right, below, below left */
    double *cost;
    size_t step_cap;
};

enum { FIND_LEVELS = 65536 };

status finder_reserve(finder *f, int width_px, int height_px) MUST_USE;

/* smooth.c */
void smooth_gaussian(const float *in, float *out, float *work, int w, int h, double sigma); /* edges are mirrored; out may be in */
status smooth_subtract_background(finder *f, float *image, int block_px) MUST_USE;

/* threshold.c: mask from image; the report's numbers */
status threshold_mask(finder *f, const find_foreground *o, bool middle_is_foreground, const float *image, uint8_t *mask,
                      find_report *r) MUST_USE;
/* Between the middles of blocks [rows, columns] of side block_px: the value at pixel (y, x). */
float block_value(const float *block, int rows, int columns, int block_px, int y, int x);

/* split.c: parts of the mask become nuclei; height is what their middles are the maxima of */
status split_objects(finder *f, const float *height, double apart_px, objects *out) MUST_USE;

/* grow.c */
status fill_holes(finder *f, uint8_t *mask) MUST_USE;

#endif
