/* view.c -- one object cut out of its image: mask, pixels, values, distances, hull, enclosing circle. */
#include "measure_impl.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

status view_create(object_view *v, int n_channels)
{
    *v = (object_view){.n_channels = n_channels};
    v->value = xcalloc((size_t)n_channels, sizeof *v->value);
    return OK;
}

void view_free(object_view *v)
{
    for (int c = 0; v->value && c < v->n_channels; c++) free(v->value[c]);
    free(v->value);
    free(v->mask);
    free(v->at);
    free(v->y);
    free(v->x);
    free(v->edge);
    free(v->d2);
    free(v->d2_memory);
    free(v->plane);
    free(v->line);
    free(v->hull);
    *v = (object_view){0};
}

static status reserve_pixels(object_view *v, size_t n)
{
    status st = OK;
    if (n <= v->n_cap) return OK;
    size_t cap = n > 2 * v->n_cap ? n : 2 * v->n_cap;
    v->n_cap = 0;
    FREE(v->at);
    FREE(v->y);
    FREE(v->x);
    FREE(v->edge);
    FREE(v->d2);
    FREE(v->d2_memory);
    TRY(mem_alloc(&v->at, cap, sizeof *v->at, "an object's pixels"));
    TRY(mem_alloc(&v->y, cap, sizeof *v->y, "an object's pixels"));
    TRY(mem_alloc(&v->x, cap, sizeof *v->x, "an object's pixels"));
    TRY(mem_alloc(&v->edge, cap, 1, "an object's pixels"));
    TRY(mem_alloc(&v->d2, cap, sizeof *v->d2, "an object's pixels"));
    TRY(mem_alloc(&v->d2_memory, cap, sizeof *v->d2_memory, "an object's pixels"));
    for (int c = 0; c < v->n_channels; c++) {
        FREE(v->value[c]);
        TRY(mem_alloc(&v->value[c], cap, sizeof **v->value, "an object's values"));
    }
    v->n_cap = cap;
done:
    return st;
}

static status reserve_box(object_view *v)
{
    status st = OK;
    size_t box = (size_t)v->stride * ((size_t)v->height + 2), side = (size_t)(v->width > v->height ? v->width : v->height) + 4;
    if (box > v->box_cap) {
        size_t cap = box > 2 * v->box_cap ? box : 2 * v->box_cap;
        v->box_cap = 0;
        FREE(v->mask);
        FREE(v->plane);
        TRY(mem_alloc(&v->mask, cap, 1, "an object's box"));
        TRY(mem_alloc(&v->plane, cap, sizeof *v->plane, "an object's box"));
        v->box_cap = cap;
    }
    if (side > v->line_cap) {
        size_t cap = side > 2 * v->line_cap ? side : 2 * v->line_cap;
        v->line_cap = 0;
        FREE(v->line);
        FREE(v->hull);
        TRY(mem_alloc(&v->line, 8 * cap, sizeof *v->line, "an object's box"));
        TRY(mem_alloc(&v->hull, 4 * cap, sizeof *v->hull, "an object's hull"));
        v->line_cap = cap;
    }
done:
    return st;
}

/* ---- convex hull: from the leftmost column's topmost pixel over the top to the right and back below ---- */

static void hull_add(object_view *v, int from, int y, int x)
{
    int32_t *p = v->hull;
    int m = v->n_hull;
    if (m > from && p[2 * (m - 1)] == y && p[2 * (m - 1) + 1] == x) return;
    while (m - from >= 2) {
        int32_t *a = p + 2 * (size_t)(m - 2), *b = a + 2;
        int64_t turn = (int64_t)(b[1] - a[1]) * (y - a[0]) - (int64_t)(b[0] - a[0]) * (x - a[1]);
        if (turn > 0) break;
        m--;
    }
    p[2 * (size_t)m] = y;
    p[2 * (size_t)m + 1] = x;
    v->n_hull = m + 1;
}

static void hull_of(object_view *v)
{
    int32_t *top = v->line, *bottom = v->line + v->line_cap;
    for (int x = 0; x < v->width; x++) top[x] = -1;
    for (int i = 0; i < v->n; i++) { /* pixels come row by row */
        int x = v->x[i];
        if (top[x] < 0) top[x] = v->y[i];
        bottom[x] = v->y[i];
    }
    v->n_hull = 0;
    for (int x = 0; x < v->width; x++)
        if (top[x] >= 0) hull_add(v, 0, top[x] + v->top, x + v->left);
    int right = v->n_hull - 1; /* both chains share the rightmost column, and the leftmost */
    if (bottom[v->width - 1] != top[v->width - 1]) right = v->n_hull;
    for (int x = v->width - 1; x >= 0; x--)
        if ((x < v->width - 1 || bottom[x] != top[x]) && top[x] >= 0) hull_add(v, right, bottom[x] + v->top, x + v->left);
    if (v->n_hull > 1 && v->hull[2 * (v->n_hull - 1)] == v->hull[0] && v->hull[2 * (v->n_hull - 1) + 1] == v->hull[1]) v->n_hull--;
}

/* ---- smallest enclosing circle: Chrystal's way, with centrosome's order of arithmetic, since it decides which pixels lie on the rim
 * ---- */

typedef struct {
    double y, x;
} point;

static double angle_at(point corner, point a, point b)
{
    double ay = a.y - corner.y, ax = a.x - corner.x, by = b.y - corner.y, bx = b.x - corner.x;
    double dot = (ay * by + ax * bx) / sqrt((ay * ay + ax * ax) * (by * by + bx * bx));
    return fabs(acos(dot));
}

static circle circle_of_three(point a, point b, point c)
{
    double d = 2 * (a.x * (b.y - c.y) + b.x * (c.y - a.y) + c.x * (a.y - b.y));
    double aa = a.y * a.y + a.x * a.x, bb = b.y * b.y + b.x * b.x, cc = c.y * c.y + c.x * c.x;
    circle r = {.x = (aa * (b.y - c.y) + bb * (c.y - a.y) + cc * (a.y - b.y)) / d,
                .y = (aa * (c.x - b.x) + bb * (a.x - c.x) + cc * (b.x - a.x)) / d};
    double y = a.y - r.y, x = a.x - r.x;
    r.radius = sqrt(y * y + x * x);
    return r;
}

static circle circle_of_two(point a, point b)
{
    double y = a.y - b.y, x = a.x - b.x;
    return (circle){.y = (a.y + b.y) / 2, .x = (a.x + b.x) / 2, .radius = sqrt(y * y + x * x) / 2};
}

static point hull_point(const object_view *v, int i)
{
    return (point){v->hull[2 * i], v->hull[2 * i + 1]};
}

static circle enclosing_circle(const object_view *v)
{
    int s0 = 0, s1 = 1;
    if (v->n_hull == 1) return (circle){hull_point(v, 0).y, hull_point(v, 0).x, 0};
    if (v->n_hull == 2) return circle_of_two(hull_point(v, 0), hull_point(v, 1));
    for (int step = 0; step < 100 * v->n_hull; step++) {
        point a = hull_point(v, s0), b = hull_point(v, s1);
        double least = 4, least_at0 = 0, least_at1 = 0;
        int third = -1;
        for (int i = 0; i < v->n_hull; i++) {
            if (i == s0 || i == s1) continue;
            point c = hull_point(v, i);
            double at1 = angle_at(b, a, c), at0 = angle_at(a, b, c), at_c = M_PI - at1 - at0;
            if (at_c < least) {
                least = at_c;
                least_at0 = at0;
                least_at1 = at1;
                third = i;
            }
        }
        if (least >= M_PI / 2 || third < 0) return circle_of_two(a, b);
        if (least_at0 <= M_PI / 2 && least_at1 <= M_PI / 2) return circle_of_three(a, b, hull_point(v, third));
        if (least_at0 > M_PI / 2)
            s0 = third;
        else
            s1 = third;
    }
    return circle_of_two(hull_point(v, s0), hull_point(v, s1));
}

/* ---- the view ---- */

void view_fill_mask(object_view *v)
{
    int rows = v->height + 2;
    memset(v->mask, 0, (size_t)rows * (size_t)v->stride);
    v->at_edge = v->top == 0 || v->left == 0 || v->top + v->height == v->of->height_px || v->left + v->width == v->of->width_px;
    if (v->top == 0) memset(v->mask, 2, (size_t)v->stride);
    if (v->top + v->height == v->of->height_px) memset(v->mask + (int64_t)(rows - 1) * v->stride, 2, (size_t)v->stride);
    for (int y = 0; y < rows; y++) {
        if (v->left == 0) v->mask[(int64_t)y * v->stride] = 2;
        if (v->left + v->width == v->of->width_px) v->mask[(int64_t)y * v->stride + v->stride - 1] = 2;
    }
    for (int i = 0; i < v->n; i++) v->mask[v->at[i]] = 1;
}

static void fill_distances(object_view *v)
{
    int rows = v->height + 2;
    int64_t box = (int64_t)rows * v->stride;
    edt_squared(v->mask, v->stride, rows, v->stride, v->plane, v->line);
    for (int i = 0; i < v->n; i++) v->d2[i] = v->plane[v->at[i]];
    v->d2_box = v->d2;
    if (!v->at_edge) return;
    for (int64_t i = 0; i < box; i++) v->mask[i] = v->mask[i] == 1;
    edt_squared(v->mask, v->stride, rows, v->stride, v->plane, v->line);
    v->d2_box = v->d2_memory;
    for (int i = 0; i < v->n; i++) v->d2_box[i] = v->plane[v->at[i]];
    view_fill_mask(v);
}

status view_fill(object_view *v, const objects *of, int32_t object, const uint16_t *const *px)
{
    status st = OK;
    const int32_t *pixel = of->pixel + of->first[object], *box = of->box + 4 * (size_t)object;
    v->of = of;
    v->object = object;
    v->n = (int)objects_area(of, object);
    if (v->n == 0) return OK;
    v->top = box[0];
    v->left = box[1];
    v->height = box[2] - box[0];
    v->width = box[3] - box[1];
    v->stride = v->width + 2;
    TRY(reserve_pixels(v, (size_t)v->n));
    TRY(reserve_box(v));
    for (int i = 0; i < v->n; i++) {
        v->y[i] = pixel[i] / of->width_px - v->top;
        v->x[i] = pixel[i] % of->width_px - v->left;
        v->at[i] = (v->y[i] + PAD) * v->stride + v->x[i] + PAD;
    }
    for (int c = 0; c < v->n_channels; c++)
        for (int i = 0; i < v->n; i++) v->value[c][i] = px[c][pixel[i]];
    view_fill_mask(v);
    for (int i = 0; i < v->n; i++) {
        const uint8_t *m = v->mask + v->at[i];
        v->edge[i] = m[1] == 0 || m[-1] == 0 || m[v->stride] == 0 || m[-v->stride] == 0;
    }
    fill_distances(v);
    hull_of(v);
    v->round = enclosing_circle(v);
done:
    return st;
}
