/* shape.c -- AreaShape: area, box, perimeters, Euler number, convex hull, radii, moments, axes, Feret, Zernikes of the shape; and
 * Location_Center. Definitions are scikit-image's, as CellProfiler 4 uses them. */
#include "measure_impl.h"

#include "micon/base/select.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const plain_names[] = {
    "Area",          "BoundingBoxArea",  "BoundingBoxMaximum_X", "BoundingBoxMaximum_Y", "BoundingBoxMinimum_X", "BoundingBoxMinimum_Y",
    "Center_X",      "Center_Y",         "ConvexArea",           "EquivalentDiameter",   "EulerNumber",          "Extent",
    "FilledArea",    "Perimeter",        "PerimeterCrofton",     "FormFactor",           "Compactness",          "Solidity",
    "MaximumRadius", "MeanRadius",       "MedianRadius",         "MajorAxisLength",      "MinorAxisLength",      "Eccentricity",
    "Orientation",   "MinFeretDiameter", "MaxFeretDiameter"};

void shape_names(const char *compartment, names *out)
{
    char s[200];
    for (size_t i = 0; i < sizeof plain_names / sizeof *plain_names; i++) {
        snprintf(s, sizeof s, "%s_AreaShape_%s", compartment, plain_names[i]);
        names_add(out, s);
    }
    for (int kind = 0; kind < 3; kind++)
        for (int p = 0; p < (kind == 2 ? 4 : 3); p++)
            for (int q = 0; q < 4; q++) {
                if (kind == 2 && p + q < 2) continue; /* not defined */
                const char *name = kind == 0 ? "SpatialMoment" : kind == 1 ? "CentralMoment" : "NormalizedMoment";
                snprintf(s, sizeof s, "%s_AreaShape_%s_%d_%d", compartment, name, p, q);
                names_add(out, s);
            }
    for (int i = 0; i < 7; i++) {
        snprintf(s, sizeof s, "%s_AreaShape_HuMoment_%d", compartment, i);
        names_add(out, s);
    }
    static const char *const inertia[] = {"InertiaTensor_0_0", "InertiaTensor_0_1",          "InertiaTensor_1_0",
                                          "InertiaTensor_1_1", "InertiaTensorEigenvalues_0", "InertiaTensorEigenvalues_1"};
    for (int i = 0; i < 6; i++) {
        snprintf(s, sizeof s, "%s_AreaShape_%s", compartment, inertia[i]);
        names_add(out, s);
    }
    for (int k = 0; k < N_ZERNIKE; k++) {
        int n, m;
        zernike_index(k, &n, &m);
        snprintf(s, sizeof s, "%s_AreaShape_Zernike_%d_%d", compartment, n, m);
        names_add(out, s);
    }
    snprintf(s, sizeof s, "%s_Location_Center_X", compartment);
    names_add(out, s);
    snprintf(s, sizeof s, "%s_Location_Center_Y", compartment);
    names_add(out, s);
}

/* ---- perimeters and Euler number: counts of small neighbourhoods ---- */

/* Weighted border pixels (Benkrid and Crookes): a border pixel has a 4-neighbour outside; its code counts border pixels beside (2) and
 * diagonally (10). mask becomes 3 at border pixels. */
static double perimeter_of(object_view *v)
{
    double total = 0, root = sqrt(2.0);
    int s = v->stride;
    for (int i = 0; i < v->n; i++) {
        uint8_t *m = v->mask + v->at[i];
        bool inside = (m[1] & 1) && (m[-1] & 1) && (m[s] & 1) && (m[-s] & 1);
        if (!inside) *m = 3;
    }
    for (int i = 0; i < v->n; i++) {
        const uint8_t *m = v->mask + v->at[i];
        if (*m != 3) continue;
        int beside = (m[1] == 3) + (m[-1] == 3) + (m[s] == 3) + (m[-s] == 3);
        int across = (m[s + 1] == 3) + (m[s - 1] == 3) + (m[-s + 1] == 3) + (m[-s - 1] == 3);
        int code = 1 + 2 * beside + 10 * across;
        if (code == 5 || code == 7 || code == 15 || code == 17 || code == 25 || code == 27)
            total += 1;
        else if (code == 21 || code == 33)
            total += root;
        else if (code == 13 || code == 23)
            total += (1 + root) / 2;
    }
    for (int i = 0; i < v->n; i++) v->mask[v->at[i]] = 1;
    return total;
}

/* How often each pattern of 2 x 2 pixels occurs: here 1, above 2, left 4, above left 8. */
static void count_quads(const object_view *v, int64_t count[16])
{
    memset(count, 0, 16 * sizeof *count);
    for (int y = 1; y < v->height + 2; y++) {
        const uint8_t *m = v->mask + (int64_t)y * v->stride, *above = m - v->stride;
        for (int x = 1; x < v->stride; x++) count[(m[x] & 1) + 2 * (above[x] & 1) + 4 * (m[x - 1] & 1) + 8 * (above[x - 1] & 1)]++;
    }
}

static double crofton_of(const int64_t count[16])
{
    double root = sqrt(2.0), a = M_PI / 4 * (1 + 1 / root), b = M_PI / (4 * root), c = M_PI / (2 * root), q = M_PI / 4, h = M_PI / 2;
    const double weight[16] = {0, a, b, c, 0, a, 0, b, q, h, b, b, q, h, 0, 0};
    double total = 0;
    for (int i = 0; i < 16; i++) total += weight[i] * (double)count[i];
    return total;
}

/* ---- areas: of the convex hull (of the middles of pixels' edges), and with holes filled ---- */

static int64_t floor_div(int64_t a, int64_t b) /* b > 0 */
{
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}

/* One side of the hull as a chain over doubled rows; x is mirrored for the right side, so that both are leftmost chains. */
static int hull_side(const object_view *v, const int32_t *leftmost, int32_t *chain)
{
    int m = 0;
    for (int y = 0; y < v->height; y++) {
        if (leftmost[y] == INT32_MAX) continue;
        for (int k = -1; k <= 1; k++) {
            int32_t py = 2 * y + k, px = 2 * leftmost[y] - (k == 0);
            if (m > 0 && chain[2 * (m - 1)] == py) { /* the row below begins where the one above ended */
                if (chain[2 * (m - 1) + 1] <= px) continue;
                m--;
            }
            while (m >= 2) {
                int32_t *a = chain + 2 * (size_t)(m - 2), *b = a + 2;
                int64_t turn = (int64_t)(b[1] - a[1]) * (py - a[0]) - (int64_t)(px - a[1]) * (b[0] - a[0]);
                if (turn < 0) break;
                m--;
            }
            chain[2 * (size_t)m] = py;
            chain[2 * (size_t)m + 1] = px;
            m++;
        }
    }
    return m;
}

/* For each row the first pixel at or right of the chain. */
static void chain_columns(const int32_t *chain, int m, int height, int32_t *column)
{
    int e = 0;
    for (int y = 0; y < height; y++) {
        while (e + 2 < m && chain[2 * (e + 1)] < 2 * y) e++;
        const int32_t *a = chain + 2 * (size_t)e, *b = a + 2;
        int64_t dy = b[0] - a[0], x = (int64_t)a[1] * dy + (int64_t)(b[1] - a[1]) * (2 * y - a[0]);
        column[y] = (int32_t)-floor_div(-x, 2 * dy);
    }
}

static int64_t convex_area(object_view *v)
{
    int32_t *extreme = v->line, *left = v->line + v->line_cap, *right = v->line + 2 * v->line_cap, *chain = v->line + 3 * v->line_cap;
    int64_t area = 0;
    for (int side = 0; side < 2; side++) {
        for (int y = 0; y < v->height; y++) extreme[y] = INT32_MAX;
        for (int i = 0; i < v->n; i++) {
            int32_t x = side ? -v->x[i] : v->x[i];
            if (x < extreme[v->y[i]]) extreme[v->y[i]] = x;
        }
        int m = hull_side(v, extreme, chain);
        chain_columns(chain, m, v->height, side ? right : left);
    }
    for (int y = 0; y < v->height; y++) area += -right[y] - left[y] + 1;
    return area;
}

/* Pixels that cannot be reached from outside over background (8-connected), and the object's own. */
static int64_t filled_area(object_view *v)
{
    int32_t *todo = v->plane;
    int rows = v->height + 2, s = v->stride;
    int64_t n = 0, outside = 0;
    for (int64_t i = 0; i < (int64_t)rows * s; i++) v->mask[i] &= 1;
    v->mask[0] = 4;
    todo[n++] = 0;
    while (n > 0) {
        int32_t at = todo[--n], y = at / s, x = at % s;
        outside++;
        for (int dy = -1; dy <= 1; dy++)
            for (int dx = -1; dx <= 1; dx++) {
                int yy = y + dy, xx = x + dx;
                if (yy < 0 || xx < 0 || yy >= rows || xx >= s || v->mask[yy * s + xx]) continue;
                v->mask[yy * s + xx] = 4;
                todo[n++] = yy * s + xx;
            }
    }
    for (int64_t i = 0; i < (int64_t)rows * s; i++) v->mask[i] &= 1;
    return (int64_t)rows * s - outside;
}

/* ---- radii: distances to the object's edge, where beyond the image is outside ---- */

static void radii_of(object_view *v, double radius[3])
{
    float *d = (float *)(void *)v->plane;
    double sum = 0, most = 0;
    for (int i = 0; i < v->n; i++) {
        double r = sqrt((double)v->d2_box[i]);
        d[i] = (float)r;
        if (r > most) most = r;
        sum += r;
    }
    radius[0] = most;
    radius[1] = sum / v->n;
    radius[2] = (double)select_median(d, v->n);
}

/* ---- Feret diameters from the hull: greatest distance of two corners, least width of a strip along an edge ---- */

static void feret_of(const object_view *v, double *least, double *most)
{
    const int32_t *p = v->hull;
    int m = v->n_hull;
    int64_t far = 0;
    double narrow = INFINITY;
    for (int a = 0; a < m; a++) {
        const int32_t *p0 = p + 2 * (size_t)a, *p1 = p + 2 * (size_t)((a + 1) % m);
        int64_t ey = p1[0] - p0[0], ex = p1[1] - p0[1], height = 0;
        for (int b = 0; b < m; b++) {
            int64_t y = p[2 * b] - p0[0], x = p[2 * b + 1] - p0[1], d = y * y + x * x, h = llabs(ey * x - ex * y);
            if (d > far) far = d;
            if (h > height) height = h;
        }
        double width = (double)height * (double)height / (double)(ey * ey + ex * ex);
        if (m > 2 && width < narrow) narrow = width;
    }
    *most = sqrt((double)far);
    *least = m > 2 ? sqrt(narrow) : 0;
}

/* ---- moments ---- */

typedef struct {
    double raw[4][4], central[4][4], normalized[4][4];
} moments;

static void add_powers(double sum[4][4], double y, double x)
{
    double py[4] = {1, y, y * y, y * y * y}, px[4] = {1, x, x * x, x * x * x};
    for (int p = 0; p < 4; p++)
        for (int q = 0; q < 4; q++) sum[p][q] += py[p] * px[q];
}

static void moments_of(const object_view *v, moments *m)
{
    memset(m, 0, sizeof *m);
    for (int i = 0; i < v->n; i++) add_powers(m->raw, v->y[i], v->x[i]);
    double cy = m->raw[1][0] / m->raw[0][0], cx = m->raw[0][1] / m->raw[0][0];
    for (int i = 0; i < v->n; i++) add_powers(m->central, v->y[i] - cy, v->x[i] - cx);
    for (int p = 0; p < 4; p++)
        for (int q = 0; q < 4; q++) m->normalized[p][q] = m->central[p][q] / pow(m->central[0][0], (p + q) / 2.0 + 1);
}

static float *put_hu(const moments *m, float *out)
{
    double n20 = m->normalized[2][0], n02 = m->normalized[0][2], n11 = m->normalized[1][1];
    double n30 = m->normalized[3][0], n03 = m->normalized[0][3], n21 = m->normalized[2][1], n12 = m->normalized[1][2];
    double a = n30 + n12, b = n21 + n03, c = n30 - 3 * n12, d = 3 * n21 - n03;
    *out++ = (float)(n20 + n02);
    *out++ = (float)((n20 - n02) * (n20 - n02) + 4 * n11 * n11);
    *out++ = (float)(c * c + d * d);
    *out++ = (float)(a * a + b * b);
    *out++ = (float)(c * a * (a * a - 3 * b * b) + d * b * (3 * a * a - b * b));
    *out++ = (float)((n20 - n02) * (a * a - b * b) + 4 * n11 * a * b);
    *out++ = (float)(d * a * (a * a - 3 * b * b) - c * b * (3 * a * a - b * b));
    return out;
}

typedef struct {
    double t00, t01, t11, major, minor; /* the inertia tensor and its eigenvalues */
} inertia;

static inertia inertia_of(const moments *m)
{
    double n = m->central[0][0], a = m->central[2][0] / n, b = m->central[1][1] / n, c = m->central[0][2] / n;
    double half = (a + c) / 2, root = sqrt((c - a) / 2 * ((c - a) / 2) + b * b);
    return (inertia){c, -b, a, fmax(half + root, 0), fmax(half - root, 0)};
}

static double orientation_of(const inertia *t)
{
    if (t->t00 - t->t11 == 0) return t->t01 < 0 ? 45 : -45;
    return 0.5 * atan2(-2 * t->t01, t->t11 - t->t00) * (180 / M_PI);
}

/* ---- all ---- */

static float *put_plain(object_view *v, const moments *m, const inertia *t, float *out)
{
    double area = v->n, box = (double)v->height * v->width, perimeter = perimeter_of(v), radius[3], narrow, wide;
    int64_t quads[16];
    count_quads(v, quads);
    double hull = (double)convex_area(v), filled = (double)filled_area(v);
    view_fill_mask(v);
    radii_of(v, radius);
    feret_of(v, &narrow, &wide);
    double cy = m->raw[1][0] / area + v->top, cx = m->raw[0][1] / area + v->left;
    const double values[] = {area,
                             box,
                             v->left + v->width,
                             v->top + v->height,
                             v->left,
                             v->top,
                             cx,
                             cy,
                             hull,
                             sqrt(4 * area / M_PI),
                             (double)(quads[8] - quads[6] - quads[14]),
                             area / box,
                             filled,
                             perimeter,
                             crofton_of(quads),
                             4.0 * M_PI * area / (perimeter * perimeter),
                             perimeter * perimeter / fmax(4.0 * M_PI * area, 1),
                             area / hull,
                             radius[0],
                             radius[1],
                             radius[2],
                             4 * sqrt(t->major),
                             4 * sqrt(t->minor),
                             t->major == 0 ? 0 : sqrt(1 - t->minor / t->major),
                             orientation_of(t),
                             narrow,
                             wide};
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) *out++ = (float)values[i];
    return out;
}

float *shape_values(object_view *v, const zernike_sums *z, float *out)
{
    moments m;
    moments_of(v, &m);
    inertia t = inertia_of(&m);
    out = put_plain(v, &m, &t, out);
    for (int kind = 0; kind < 3; kind++)
        for (int p = 0; p < (kind == 2 ? 4 : 3); p++)
            for (int q = 0; q < 4; q++)
                if (kind < 2 || p + q >= 2) *out++ = (float)(kind == 0 ? m.raw[p][q] : kind == 1 ? m.central[p][q] : m.normalized[p][q]);
    out = put_hu(&m, out);
    const double tensor[] = {t.t00, t.t01, t.t01, t.t11, t.major, t.minor};
    for (int i = 0; i < 6; i++) *out++ = (float)tensor[i];
    double disc = M_PI * v->round.radius * v->round.radius;
    for (int k = 0; k < N_ZERNIKE; k++) *out++ = (float)(sqrt(z->re[k] * z->re[k] + z->im[k] * z->im[k]) / disc);
    *out++ = (float)(m.raw[0][1] / m.raw[0][0] + v->left);
    *out++ = (float)(m.raw[1][0] / m.raw[0][0] + v->top);
    return out;
}
