/* neighbors.c -- Neighbors: how many objects touch or lie within 5 pixels, how much of the outline they take, and where the two nearest
 * centres are. An outline pixel has an 8-neighbour of another label, or lies at the image's edge. */
#include "measure_impl.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { N_DISTANCES = 2, N_VALUES = 5, MAX_REACH = 5 };
static const int reach_px[N_DISTANCES] = {1, 5};
static const char *const reach_name[N_DISTANCES] = {"Adjacent", "5"};

int neighbor_count(void)
{
    return N_DISTANCES * N_VALUES;
}

void neighbor_names(const char *compartment, names *out)
{
    static const char *const feature[N_VALUES] = {"NumberOfNeighbors", "PercentTouching", "FirstClosestDistance", "SecondClosestDistance",
                                                  "AngleBetweenNeighbors"};
    char s[200];
    for (int r = 0; r < N_DISTANCES; r++)
        for (int f = 0; f < N_VALUES; f++) {
            snprintf(s, sizeof s, "%s_Neighbors_%s_%s", compartment, feature[f], reach_name[r]);
            names_add(out, s);
        }
}

typedef struct {
    double y, x;
} centre;

/* The two nearest centres by a search over a grid of cells: rings around the own cell until nothing nearer can come. */
typedef struct {
    int columns, rows, size_px;
    int32_t *start, *member; /* [cells + 1], [n] */
    centre *at;              /* [n] */
} grid;

static int cell_of(const grid *g, centre c)
{
    return (int)(c.y / g->size_px) * g->columns + (int)(c.x / g->size_px);
}

static void grid_fill(grid *g, const objects *o)
{
    int cells = g->columns * g->rows;
    for (int c = 0; c <= cells; c++) g->start[c] = 0;
    for (int32_t i = 0; i < o->n; i++) {
        int64_t y = 0, x = 0, n = objects_area(o, i);
        for (int64_t k = o->first[i]; k < o->first[i + 1]; k++) {
            y += o->pixel[k] / o->width_px;
            x += o->pixel[k] % o->width_px;
        }
        g->at[i] = n > 0 ? (centre){(double)y / (double)n, (double)x / (double)n} : (centre){NAN, NAN};
        if (n > 0) g->start[cell_of(g, g->at[i]) + 1]++;
    }
    for (int c = 0; c < cells; c++) g->start[c + 1] += g->start[c];
    for (int32_t i = o->n - 1; i >= 0; i--)
        if (objects_area(o, i) > 0) g->member[--g->start[cell_of(g, g->at[i]) + 1]] = i;
    /* start[c + 1] is now where cell c begins */
}

static void nearest_two(const grid *g, int32_t own, int32_t n_members, int32_t found[2], double distance2[2])
{
    int row = (int)(g->at[own].y / g->size_px), column = (int)(g->at[own].x / g->size_px);
    int most = g->rows > g->columns ? g->rows : g->columns, cells = g->columns * g->rows;
    found[0] = found[1] = -1;
    distance2[0] = distance2[1] = INFINITY;
    for (int ring = 0; ring < most; ring++) {
        double safe = (double)(ring - 1) * g->size_px;
        if (ring > 1 && distance2[1] <= safe * safe) break;
        for (int r = row - ring; r <= row + ring; r++)
            for (int c = column - ring; c <= column + ring; c++) {
                if (r < 0 || c < 0 || r >= g->rows || c >= g->columns || (abs(r - row) != ring && abs(c - column) != ring)) continue;
                int cell = r * g->columns + c;
                int32_t end = cell + 2 <= cells ? g->start[cell + 2] : n_members;
                for (int32_t k = g->start[cell + 1]; k < end; k++) {
                    int32_t i = g->member[k];
                    double dy = g->at[i].y - g->at[own].y, dx = g->at[i].x - g->at[own].x, d = dy * dy + dx * dx;
                    if (i == own || d >= distance2[1]) continue;
                    int slot = d < distance2[0] ? 0 : 1;
                    if (slot == 0) {
                        distance2[1] = distance2[0];
                        found[1] = found[0];
                    }
                    distance2[slot] = d;
                    found[slot] = i;
                }
            }
    }
}

static void put_nearest(const grid *g, int32_t own, int32_t n_members, float *out)
{
    int32_t found[2];
    double d2[2];
    nearest_two(g, own, n_members, found, d2);
    out[0] = found[0] >= 0 ? (float)sqrt(d2[0]) : 0;
    out[1] = found[1] >= 0 ? (float)sqrt(d2[1]) : 0;
    out[2] = 0;
    if (found[1] < 0) return;
    double ay = g->at[found[0]].y - g->at[own].y, ax = g->at[found[0]].x - g->at[own].x;
    double by = g->at[found[1]].y - g->at[own].y, bx = g->at[found[1]].x - g->at[own].x;
    out[2] = (float)(acos((ay * by + ax * bx) / sqrt((ay * ay + ax * ax) * (by * by + bx * bx))) * 180 / M_PI);
}

static bool is_outline(const objects *o, int y, int x)
{
    const int32_t *l = o->label + (int64_t)y * o->width_px + x;
    int w = o->width_px;
    if (y == 0 || x == 0 || y == o->height_px - 1 || x == w - 1) return true;
    return l[-1] != *l || l[1] != *l || l[-w] != *l || l[w] != *l || l[-w - 1] != *l || l[-w + 1] != *l || l[w - 1] != *l || l[w + 1] != *l;
}

/* Neighbours met so far, marked with the object that met them. */
typedef struct {
    int32_t *met;
    int64_t outline, touching, neighbors;
} contact;

/* What is within `reach` of one outline pixel; half a pixel more counts as touching (CellProfiler's two disks). */
static void look_around(const objects *o, int32_t own, int y, int x, int reach, contact *c)
{
    bool touches = false;
    double far = (reach + 0.5) * (reach + 0.5);
    for (int dy = -reach; dy <= reach; dy++)
        for (int dx = -reach; dx <= reach; dx++) {
            int yy = y + dy, xx = x + dx, d2 = dy * dy + dx * dx;
            if (d2 > far || yy < 0 || xx < 0 || yy >= o->height_px || xx >= o->width_px) continue;
            int32_t l = o->label[(int64_t)yy * o->width_px + xx];
            if (l == 0 || l == own + 1) continue;
            touches = true;
            if (d2 > reach * reach || c->met[l - 1] == own + 1) continue;
            c->met[l - 1] = own + 1;
            c->neighbors++;
        }
    c->touching += touches;
}

static contact contacts_of(const objects *o, int32_t own, int reach, int32_t *met)
{
    contact c = {.met = met};
    for (int64_t k = o->first[own]; k < o->first[own + 1]; k++) {
        int y = o->pixel[k] / o->width_px, x = o->pixel[k] % o->width_px;
        if (!is_outline(o, y, x)) continue;
        c.outline++;
        look_around(o, own, y, x, reach, &c);
    }
    return c;
}

static status grid_create(grid *g, const objects *o)
{
    status st = OK;
    int64_t px = (int64_t)o->width_px * o->height_px, each = o->n > 0 ? px / o->n : px;
    g->size_px = (int)sqrt((double)each) + 1;
    g->columns = o->width_px / g->size_px + 1;
    g->rows = o->height_px / g->size_px + 1;
    TRY(mem_alloc(&g->start, (size_t)g->columns * (size_t)g->rows + 2, sizeof *g->start, "a grid of objects"));
    TRY(mem_alloc(&g->member, (size_t)o->n, sizeof *g->member, "a grid of objects"));
    TRY(mem_alloc(&g->at, (size_t)o->n, sizeof *g->at, "a grid of objects"));
    grid_fill(g, o);
done:
    return st;
}

status neighbor_values(const objects *o, float *out, size_t stride)
{
    status st = OK;
    grid g = {0};
    int32_t *met = NULL, members = 0;
    TRY(grid_create(&g, o));
    TRY(mem_alloc(&met, (size_t)o->n, sizeof *met, "neighbours"));
    for (int32_t i = 0; i < o->n; i++) members += objects_area(o, i) > 0;
    for (int r = 0; r < N_DISTANCES; r++) {
        for (int32_t i = 0; i < o->n; i++) met[i] = 0;
        for (int32_t i = 0; i < o->n; i++) {
            float *value = out + (size_t)i * stride + (size_t)r * N_VALUES;
            for (int f = 0; f < N_VALUES; f++) value[f] = NAN;
            if (objects_area(o, i) == 0) continue;
            contact c = contacts_of(o, i, reach_px[r], met);
            value[0] = (float)c.neighbors;
            value[1] = (float)((double)c.touching * 100 / (double)c.outline);
            put_nearest(&g, i, members, value + 2);
        }
    }
done:
    free(g.start);
    free(g.member);
    free(g.at);
    free(met);
    return st;
}
