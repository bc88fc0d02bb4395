/* measure_impl.h -- what the feature families share: one object cut out of its image with everything that several families need.
 * A view is filled again for every object; its memory grows to the largest object met. */
#ifndef CELLS_MEASURE_IMPL_H
#define CELLS_MEASURE_IMPL_H
#include "micon/base/text.h"
#include "micon/cells/measure.h"

enum { PAD = 1 };

typedef struct {
    double y, x, radius; /* smallest circle around the pixels' centres, in the image */
} circle;

typedef struct object_view {
    const objects *of;
    int32_t object; /* from 0 */
    int n;          /* pixels */
    int top, left, height, width, stride;
    bool at_edge;
    uint8_t *mask;    /* [height + 2, stride = width + 2]: 1 the object, 0 not, 2 beyond the image */
    int32_t *at;      /* [n] a pixel's place in mask */
    int32_t *y, *x;   /* [n] within the box */
    uint16_t **value; /* [channels][n] */
    uint8_t *edge;    /* [n] a neighbour above, below, left or right in the image is not of the object */
    int32_t *d2;      /* [n] squared distance to the nearest pixel of the image outside the object */
    int32_t *d2_box;  /* [n] the same where all beyond the image is outside too; may be d2 itself */
    int32_t *hull;    /* [n_hull, 2] y, x of the convex hull's corners, in the image: centrosome's order */
    int n_hull;
    circle round;
    /* memory */
    int32_t *d2_memory, *plane, *line; /* plane: [box], line: [8 * line_cap], line_cap at least the longer side + 4 */
    size_t n_cap, box_cap, line_cap;
    int n_channels;
} object_view;

status view_create(object_view *v, int n_channels) MUST_USE;
void view_free(object_view *v);
/* px [channels][height, width]. An object without pixels: n = 0, and nothing else is set. */
void view_fill_mask(object_view *v); /* mask as it was, after a family wrote into it */
status view_fill(object_view *v, const objects *of, int32_t object, const uint16_t *const *px) MUST_USE;

/* Squared distances to the nearest 0 of fg [h, stride]; out like fg. line: [4 * (max(w, h) + 2)]. What has none is given (w + h)^2. */
void edt_squared(const uint8_t *fg, int w, int h, int stride, int32_t *out, int32_t *line);

/* The same without stride, and the pixel of the nearest 0, -1 where there is none. */
void edt_nearest(const uint8_t *fg, int w, int h, int32_t *out, int32_t *from, int32_t *line);

/* ---- families: names in the order of the values; each value function returns the place after its last value ---- */
void shape_names(const char *compartment, names *out);
void intensity_names(const char *compartment, const char *channel, names *out);
void radial_names(const char *compartment, const char *channel, names *out);
void texture_names(const char *compartment, const char *channel, const int *scale, int n_scales, names *out);
void granularity_names(const char *compartment, const char *channel, names *out);
void correlation_names(const char *compartment, const char *a, const char *b, names *out);
void neighbor_names(const char *compartment, names *out);

enum { ZERNIKE_ORDER = 9, N_ZERNIKE = 30, N_GRANULARITY = 16, N_RINGS = 4 };

/* Zernike sums of an object: for weight w (0: all ones, then the channels) re[w * N_ZERNIKE + k], im alike; k in centrosome's order. */
typedef struct {
    double *re, *im;               /* [1 + channels, N_ZERNIKE] */
    double *moment_re, *moment_im; /* the same before the radial polynomials are put together */
    double *weight;                /* [1 + channels, a block of pixels] */
    int n_weights;
} zernike_sums;
status zernike_create(zernike_sums *z, int n_channels) MUST_USE;
void zernike_free(zernike_sums *z);
void zernike_of(zernike_sums *z, const object_view *v);
void zernike_index(int k, int *n, int *m);

float *shape_values(object_view *v, const zernike_sums *z, float *out); /* after zernike_of */

/* Values of one channel in rising order with their ranks: intensity and correlation use them. */
typedef struct {
    uint16_t *sorted;  /* [n] */
    uint16_t *scratch; /* [n] */
    uint16_t **rank;   /* [channels][n] dense rank of a pixel's value */
    int *n_ranks;      /* [channels] */
    uint16_t *rank_of; /* [65536] */
    size_t cap;
    int n_channels;
} value_order;
status order_create(value_order *o, int n_channels) MUST_USE;
void order_free(value_order *o);
status order_reserve(value_order *o, size_t n) MUST_USE;
void order_channel(value_order *o, const object_view *v, int channel); /* sorted, and the channel's ranks */

float *intensity_values(const object_view *v, value_order *o, int channel, double unit, float *out); /* after order_channel */

/* Rings around the object's innermost pixel: made once an object, used for each channel. */
typedef struct {
    uint8_t *ring, *wedge; /* [n]; ring 255: not reached from the centre */
    double *distance;      /* [box] */
    size_t n_cap, box_cap;
} rings;
status rings_of(rings *r, const object_view *v) MUST_USE;
void rings_free(rings *r);
float *radial_values(const object_view *v, const rings *r, const zernike_sums *z, int channel, double unit, float *out);

typedef struct {
    uint8_t *level; /* the object's levels with a margin as wide as the largest scale */
    int32_t *at;    /* [n] a pixel's place in level */
    int stride;     /* of level */
    size_t level_cap, at_cap;
    int32_t *count;  /* [4 directions, as many cells as a matrix may have] */
    double *c_log_c; /* [N_LOG] of whole numbers */
} texture_work;
status texture_create(texture_work *t) MUST_USE;
void texture_free(texture_work *t);
status texture_object(texture_work *t, const object_view *v, int margin) MUST_USE; /* once an object; margin: the largest scale */
void texture_values(texture_work *t, const object_view *v, int channel, double unit, const int *scale, int n_scales, float **out);

float *correlation_values(const object_view *v, const value_order *o, int a, int b, double unit_a, double unit_b, float *out);

/* Neighbours of all objects of an image: out [n, stride]. */
status neighbor_values(const objects *o, float *out, size_t stride) MUST_USE;
int neighbor_count(void);

/* The connected parts of an image above each value, for reconstructions under it. Images have a rim of one pixel on all sides, which is
 * not looked at; values are not negative. Nodes are pixels, numbered by falling value. */
typedef struct {
    int32_t n;
    int32_t *order;       /* [n] the pixel */
    int32_t *parent;      /* [n] node of the part around it; the last is its own */
    int32_t *rank, *root; /* [image] node of a pixel; [n] while it is built */
    double *value, *most; /* [n] values; the largest markers */
    uint64_t *key, *key2; /* [n] while it is built */
} component_tree;
void component_tree_free(component_tree *t);                            /* {0} is valid and empty */
status component_tree_reserve(component_tree *t, size_t n_px) MUST_USE; /* rim included; what it held goes */
void component_tree_build(component_tree *t, const double *image, int width, int height);
/* marker at most the image everywhere; both with the rim. */
void component_tree_reconstruct(component_tree *t, const double *marker, double *out);

/* Granularity of one channel: spectrum of the image once, then the means over objects of several label images. */
typedef struct granularity granularity;
status granularity_create(granularity **g) MUST_USE;
void granularity_free(granularity **g);
status granularity_image(granularity *g, const uint16_t *px, int width_px, int height_px, double unit) MUST_USE;
/* out [N_GRANULARITY], of object i of a label image of that size. */
status granularity_values(granularity *g, const objects *o, int32_t i, const uint16_t *px, double unit, float *out) MUST_USE;

#endif
