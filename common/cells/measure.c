/* measure.c -- all families of all parts of a site's cells, in the order of their names. */
#include "micon/cells/measure.h"

#include "measure_impl.h"
#include "micon/base/clock.h"
#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { N_SCALES = 3 };
static const int texture_scale[N_SCALES] = {3, 5, 10}; /* rising */

struct measure {
    int n_channels;
    unsigned parts;
    names features;
    size_t part_first[N_PARTS], part_channels[N_PARTS]; /* a part's first feature; its first of granularity */
    object_view view;
    zernike_sums zernike;
    value_order order;
    rings ring;
    texture_work texture;
    granularity *grain;
    double seconds[N_FAMILIES];
};

const char *measure_part_name(int part)
{
    static const char *const name[N_PARTS] = {"Nuclei", "Cells", "Cytoplasm"};
    return name[part];
}

const char *measure_family_name(int family)
{
    static const char *const name[N_FAMILIES] = {"objects", "shape",       "intensity",   "radial distribution",
                                                 "texture", "granularity", "correlation", "neighbors"};
    return name[family];
}

double measure_family_seconds(const measure *m, int family)
{
    return m->seconds[family];
}

/* A cell's cytoplasm lies around its nucleus: its neighbours are the cell's. */
static bool has_neighbors(int part)
{
    return part != PART_CYTOPLASM;
}

static void part_names(measure *m, int part, const names *channels)
{
    const char *p = measure_part_name(part);
    m->part_first[part] = m->features.n;
    shape_names(p, &m->features);
    for (size_t c = 0; c < channels->n; c++) intensity_names(p, channels->item[c], &m->features);
    for (size_t c = 0; c < channels->n; c++) radial_names(p, channels->item[c], &m->features);
    for (size_t c = 0; c < channels->n; c++) texture_names(p, channels->item[c], texture_scale, N_SCALES, &m->features);
    for (size_t a = 0; a < channels->n; a++)
        for (size_t b = a + 1; b < channels->n; b++) correlation_names(p, channels->item[a], channels->item[b], &m->features);
    m->part_channels[part] = m->features.n;
    for (size_t c = 0; c < channels->n; c++) granularity_names(p, channels->item[c], &m->features);
    if (has_neighbors(part)) neighbor_names(p, &m->features);
}

status measure_create(measure **out, const names *channels, unsigned parts)
{
    status st = OK;
    measure *m = xcalloc(1, sizeof *m);
    int n = (int)channels->n;
    *out = m;
    m->n_channels = n;
    m->parts = parts;
    for (int p = 0; p < N_PARTS; p++)
        if (parts & 1u << p) part_names(m, p, channels);
    TRY(view_create(&m->view, n));
    TRY(zernike_create(&m->zernike, n));
    TRY(order_create(&m->order, n));
    TRY(texture_create(&m->texture));
    TRY(granularity_create(&m->grain));
done:
    if (st != OK) measure_free(out);
    return st;
}

void measure_free(measure **m)
{
    if (!*m) return;
    names_free(&(*m)->features);
    view_free(&(*m)->view);
    zernike_free(&(*m)->zernike);
    order_free(&(*m)->order);
    rings_free(&(*m)->ring);
    texture_free(&(*m)->texture);
    granularity_free(&(*m)->grain);
    FREE(*m);
}

const names *measure_features(const measure *m)
{
    return &m->features;
}

/* Adds the time since *since to a family, and starts anew. */
static void lap(measure *m, int family, double *since)
{
    double now = clock_s();
    m->seconds[family] += now - *since;
    *since = now;
}

static status measure_object(measure *m, const objects *o, int32_t i, const uint16_t *const *px, const double *unit, float *out)
{
    status st = OK;
    double t = clock_s();
    object_view *v = &m->view;
    int n = m->n_channels;
    TRY(view_fill(v, o, i, px));
    if (v->n == 0) return OK;
    TRY(order_reserve(&m->order, (size_t)v->n));
    lap(m, FAMILY_VIEW, &t);
    zernike_of(&m->zernike, v);
    lap(m, FAMILY_RADIAL, &t); /* the shape's Zernikes are the least part of it */
    out = shape_values(v, &m->zernike, out);
    lap(m, FAMILY_SHAPE, &t);
    for (int c = 0; c < n; c++) {
        order_channel(&m->order, v, c);
        out = intensity_values(v, &m->order, c, unit[c], out);
    }
    lap(m, FAMILY_INTENSITY, &t);
    TRY(rings_of(&m->ring, v));
    for (int c = 0; c < n; c++) out = radial_values(v, &m->ring, &m->zernike, c, unit[c], out);
    lap(m, FAMILY_RADIAL, &t);
    TRY(texture_object(&m->texture, v, texture_scale[N_SCALES - 1]));
    for (int c = 0; c < n; c++) texture_values(&m->texture, v, c, unit[c], texture_scale, N_SCALES, &out);
    lap(m, FAMILY_TEXTURE, &t);
    for (int a = 0; a < n; a++)
        for (int b = a + 1; b < n; b++) out = correlation_values(v, &m->order, a, b, unit[a], unit[b], out);
    lap(m, FAMILY_CORRELATION, &t);
done:
    return st;
}

status measure_site(measure *m, const objects *const *part, const uint16_t *const *px, const double *unit, float *out)
{
    status st = OK;
    size_t stride = m->features.n;
    double t = clock_s();
    const objects *any = NULL;
    for (int p = 0; p < N_PARTS; p++) {
        if (!(m->parts & 1u << p)) continue;
        any = part[p];
        for (int32_t i = 0; i < any->n; i++) {
            float *row = out + (size_t)i * stride;
            size_t end = m->part_channels[p];
            for (size_t f = m->part_first[p]; f < end; f++) row[f] = NAN;
            TRY(measure_object(m, any, i, px, unit, row + m->part_first[p]));
        }
        t = clock_s();
        size_t after = m->part_channels[p] + (size_t)m->n_channels * N_GRANULARITY;
        if (has_neighbors(p)) TRY(neighbor_values(any, out + after, stride));
        lap(m, FAMILY_NEIGHBORS, &t);
    }
    for (int c = 0; any && c < m->n_channels; c++) {
        TRY(granularity_image(m->grain, px[c], any->width_px, any->height_px, unit[c]));
        for (int32_t i = 0; i < any->n; i++) /* a cell's parts one after the other: they lie in the same pixels */
            for (int p = 0; p < N_PARTS; p++) {
                if (!(m->parts & 1u << p)) continue;
                size_t at = (size_t)i * stride + m->part_channels[p] + (size_t)c * N_GRANULARITY;
                TRY(granularity_values(m->grain, part[p], i, px[c], unit[c], out + at));
            }
    }
    lap(m, FAMILY_GRANULARITY, &t);
done:
    return st;
}
