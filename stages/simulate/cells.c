/* cells.c -- places cells in a field of view and draws their five stains.
 *
 * Three steps. (1) place: cells are placed at random in the field, apart from each other, denser in some parts. (2) claim: every
 * pixel goes to the cell it lies deepest in; a cell's outline is a circle stretched, bent by a few harmonics and pulled out into
 * protrusions, its nucleus always belongs to it. Neighbours thus meet in a common border, as cells on a plate do, and an outer
 * border is the cell's own. (3) paint: for each cell the stains are functions of the place in the cell (distance from the nucleus,
 * from the edge) times textures looked up in a repeating square of noise at the cell's own shift, turn and grain.
 *
 * Each stain of a cell is scaled to a total that depends on the cell alone: what a compound does to texture or distribution
 * leaves the total light as it is, so that brightness, which staining and cameras change anyway, gives no compound away. */
#include "cell.h"
#include "micon/base/mem.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

status picture_init(picture *p, int width, int height, double um)
{
    status st = OK;
    size_t n = (size_t)width * (size_t)height;
    *p = (picture){.width = width, .height = height, .um = um};
    for (int c = 0; c < CHANNELS; c++) TRY(mem_alloc(&p->channel[c], n, sizeof(float), "a drawn channel"));
    TRY(mem_alloc(&p->work, 4 * n, sizeof(float), "scratch of a drawing"));
done:
    if (st != OK) picture_free(p);
    return st;
}

void picture_free(picture *p)
{
    for (int c = 0; c < CHANNELS; c++) FREE(p->channel[c]);
    FREE(p->work);
}

/* ---- place ---- */

static int cells_place(cell **out, const picture *p, const double factor[FACTORS], double crowding, rng *r)
{
    double um = p->um, margin = 30 / um, w = p->width + 2 * margin, h = p->height + 2 * margin;
    double want = w * h * um * um / 2700 * crowding * exp(0.16 * between(factor[F_COUNT], -3, 3));
    int n = 0, most = (int)(want * 1.3) + 4;
    cell *list = xmalloc(sizeof(cell) * (size_t)most);
    /* Local density: a few smooth peaks that attract cells. */
    enum { BUMPS = 5 };
    double bump_x[BUMPS], bump_y[BUMPS], spread = 85 / um;
    for (int i = 0; i < BUMPS; i++) bump_x[i] = rng_uniform(r) * w, bump_y[i] = rng_uniform(r) * h;
    int tries = (int)(want * 14) + 40;
    for (int t = 0; t < tries && n < most && n < (int)(want + 0.5); t++) {
        double x = rng_uniform(r) * w, y = rng_uniform(r) * h, pull = 0.25;
        for (int i = 0; i < BUMPS; i++) {
            double dx = (x - bump_x[i]) / spread, dy = (y - bump_y[i]) / spread;
            pull += 0.75 * exp(-0.5 * (dx * dx + dy * dy));
        }
        double apart = (23 + 17 * rng_uniform(r)) / um * exp(0.10 * between(factor[F_SIZE], -3, 3));
        bool clear = rng_uniform(r) < pull;
        for (int i = 0; i < n && clear; i++) {
            double dx = x - margin - list[i].x, dy = y - margin - list[i].y;
            clear = dx * dx + dy * dy > apart * apart;
        }
        if (clear) list[n++] = cell_make((float)(x - margin), (float)(y - margin), factor, um, r);
    }
    *out = list;
    return n;
}

/* ---- claim ---- */

/* A protrusion: how far the outline is drawn out at the angle whose cosine to it is given. */
static inline float arm_at(float cosine, float length)
{
    float a = cosine > 0 ? cosine : 0;
    a *= a, a *= a, a *= a, a *= a;
    return length * a;
}

/* Depth of a row's pixels in a cell: 0 at the centre, 1 on the outline. x0: first pixel minus the cell's centre. */
DRAW_HOT static void depth_row(float *restrict depth, int n, float x0, float y, const float *restrict bend_x, const float *restrict bend_y,
                               const cell *k)
{
    const float c = k->c, s = k->s, in = 1 / k->stretch, out = k->stretch, per = 1 / k->radius;
    const float c1 = k->wave_c[0], s1 = k->wave_s[0], c2 = k->wave_c[1], s2 = k->wave_s[1], c3 = k->wave_c[2], s3 = k->wave_s[2];
    const float ac0 = k->arm_c[0], as0 = k->arm_s[0], arm0 = k->arm[0], ac1 = k->arm_c[1], as1 = k->arm_s[1], arm1 = k->arm[1];
    const float ac2 = k->arm_c[2], as2 = k->arm_s[2], arm2 = k->arm[2];
    const float nx = k->nx, ny = k->ny, nc = k->nc, ns = k->ns, pa = 1 / k->na, pb = 1 / k->nb;
    for (int i = 0; i < n; i++) {
        float dx = x0 + (float)i, dy = y, bx = dx + bend_x[i], by = dy + bend_y[i];
        float u = (c * bx + s * by) * in, v = (c * by - s * bx) * out;
        float far = root(u * u + v * v) + 1e-6f, ac = u / far, as = v / far;
        float cc = ac * ac - as * as, ss = 2 * ac * as, ccc = ac * cc - as * ss, sss = as * cc + ac * ss;
        float edge = 1 + c1 * ac + s1 * as + c2 * cc + s2 * ss + c3 * ccc + s3 * sss;
        edge += arm_at(ac * ac0 + as * as0, arm0) + arm_at(ac * ac1 + as * as1, arm1) + arm_at(ac * ac2 + as * as2, arm2);
        float own = far * per / edge;
        float mx = dx - nx, my = dy - ny, p = (nc * mx + ns * my) * pa, q = (nc * my - ns * mx) * pb;
        float core = 0.62f * root(p * p + q * q);
        core = core < 0.75f ? core : own;
        depth[i] = core < own ? core : own;
    }
}

DRAW_HOT static void claim_row(float *restrict first, float *restrict second, float *restrict owner, const float *restrict depth, int n,
                               float id)
{
    for (int i = 0; i < n; i++) {
        float d = depth[i], f = first[i], s = second[i];
        second[i] = d < f ? f : d < s ? d : s;
        first[i] = d < f ? d : f;
        owner[i] = d < f ? id : owner[i];
    }
}

typedef struct {
    int x0, x1, y0, y1;
} box;

static box box_of(const cell *k, const picture *p)
{
    box b = {(int)(k->x - k->reach), (int)(k->x + k->reach) + 1, (int)(k->y - k->reach), (int)(k->y + k->reach) + 1};
    if (b.x0 < 0) b.x0 = 0;
    if (b.y0 < 0) b.y0 = 0;
    if (b.x1 > p->width) b.x1 = p->width;
    if (b.y1 > p->height) b.y1 = p->height;
    return b;
}

/* first, second, owner: pictures. bend: two rows of outline jitter per picture row, smooth noise of a few pixels. */
static void cells_claim(const picture *p, const cell *list, int n, float *first, float *second, float *owner, const float *bend)
{
    size_t w = (size_t)p->width, total = w * (size_t)p->height;
    for (size_t i = 0; i < total; i++) first[i] = second[i] = 9, owner[i] = -1;
    float *depth = xmalloc(sizeof(float) * (w + 1)), *bend_y = xmalloc(sizeof(float) * (w + 1));
    for (int id = 0; id < n; id++) {
        box b = box_of(&list[id], p);
        for (int y = b.y0; y < b.y1 && b.x1 > b.x0; y++) {
            size_t at = (size_t)y * w + (size_t)b.x0;
            int m = b.x1 - b.x0;
            /* The second jitter is the same field read from elsewhere. */
            const float *other = bend + ((at + total / 2 + 37) % (total - w > 0 ? total - w + 1 : 1));
            memcpy(bend_y, other, sizeof(float) * (size_t)(other + m <= bend + total ? m : 0));
            depth_row(depth, m, (float)b.x0 - list[id].x, (float)y - list[id].y, bend + at, bend_y, &list[id]);
            claim_row(first + at, second + at, owner + at, depth, m, (float)id);
        }
    }
    free(depth);
    free(bend_y);
}

/* ---- paint ---- */

static inline float look(const float *square, const lookup *t, float x, float y)
{
    float u = (t->c * x + t->s * y) * t->scale + t->x, v = (t->c * y - t->s * x) * t->scale * t->squeeze + t->y;
    int bu = (int)u - (u < 0), bv = (int)v - (v < 0), mask = TEXTURE_SIDE - 1; /* floor, but for whole negative numbers: du is 1 there */
    float du = u - (float)bu, dv = v - (float)bv;
    int iu = bu & mask, iv = bv & mask, ju = (bu + 1) & mask, jv = (bv + 1) & mask;
    const float *a = square + iv * TEXTURE_SIDE, *b = square + jv * TEXTURE_SIDE;
    return (a[iu] * (1 - du) + a[ju] * du) * (1 - dv) + (b[iu] * (1 - du) + b[ju] * du) * dv;
}

static inline float ramp(float v) /* 0 below 0, 1 above 1, smooth between */
{
    v = v < 0 ? 0 : v > 1 ? 1 : v;
    return v * v * (3 - 2 * v);
}

static inline float spots_at(const spot *list, int n, float x, float y, float soft)
{
    float sum = 0;
    for (int i = 0; i < n; i++) {
        float dx = x - list[i].x, dy = y - list[i].y, far = dx * dx + dy * dy, reach = list[i].radius + soft;
        if (far < reach * reach) sum += list[i].weight * ramp((list[i].radius + soft - root(far)) / (2 * soft));
    }
    return sum;
}

/* Place of a pixel in its cell. */
typedef struct {
    float x, y;    /* pixels from the cell's centre */
    float nucleus; /* 1 inside, 0 outside, soft edge */
    float away;    /* pixels outside the nucleus' edge, negative inside */
    float side;    /* cosine of the angle at the nucleus between here and the Golgi's side */
    float body;    /* thickness of the cell: 0 outside, 1 in its middle */
    float rim;     /* 1 at the outer edge or a border, 0 elsewhere */
} place;

static inline place place_of(const cell *k, float x, float y, float first, float second, float um)
{
    place at = {.x = x, .y = y};
    float mx = x - k->nx, my = y - k->ny, u = (k->nc * mx + k->ns * my), v = (k->nc * my - k->ns * mx);
    float far = root(u * u + v * v) + 1e-6f, c = u / far, s = v / far;
    float cc = c * c - s * s, ss = 2 * c * s, c3 = c * cc - s * ss, s3 = s * cc + c * ss, c4 = cc * cc - ss * ss, s4 = 2 * cc * ss;
    float wave =
        1 + k->nwave_c[0] * cc + k->nwave_s[0] * ss + k->nwave_c[1] * c3 + k->nwave_s[1] * s3 + k->nwave_c[2] * c4 + k->nwave_s[2] * s4;
    float p = u / k->na, q = v / k->nb, level = root(p * p + q * q) / wave;
    /* level - 1 over its slope: the distance from the edge, near the edge. */
    at.away = (level - 1) * far / (level + 1e-6f);
    float soft = 0.45f / um + 0.5f;
    at.nucleus = ramp(0.5f - at.away / (2 * soft));
    at.side = (mx * k->golgi_c + my * k->golgi_s) / far;
    float edge = ramp((1 - first) / 0.16f), wide = 12 / um;
    float out = at.away > 0 ? at.away : 0;
    at.body = edge * (0.30f + 0.70f / (1 + out * out / (wide * wide)));
    float gap = (second - first) * k->radius * um; /* um to where the neighbour begins, nearly */
    float border = gap < 2.5f ? ramp(1 - gap / 2.5f) : 0;
    at.body *= 1 - 0.35f * border;
    at.rim = ramp((1 - first) / 0.06f) * ramp((first - 0.86f) / 0.10f);
    at.rim = (at.rim > 0.8f * border ? at.rim : 0.8f * border) * edge;
    if (k->mitotic) at.body = edge * 1.6f, at.rim *= 0.3f;
    return at;
}

/* What the five stains are at a place, not yet scaled. */
static inline void paint_at(const cell *k, const place *at, const float *square, float um, float v[CHANNELS])
{
    float out = at->away > 0 ? at->away : 0, nuc = k->mitotic ? 0 : at->nucleus, soft = 0.35f / um + 0.5f;
    float patches = look(square, &k->tex[5], at->x, at->y), fine = look(square, &k->tex[1], at->x, at->y);
    float hole = 1;
    if (k->n_holes > 0 && nuc < 1) hole -= 0.92f * fminf(1, spots_at(k->holes, k->n_holes, at->x, at->y, soft)) * (1 - nuc);

    float grain = at->nucleus > 0 ? look(square, &k->tex[0], at->x, at->y) : 0;
    float dense = 1 + k->chromatin * (grain + 0.35f * fabsf(grain) * grain);
    v[DNA] = at->nucleus * (dense > 0.08f ? dense : 0.08f) + 0.012f * at->body;
    if (k->n_micro) v[DNA] += 0.9f * spots_at(k->micro, k->n_micro, at->x, at->y, soft);

    float er = 1 / (1 + out * out / (k->er_far * k->er_far)), envelope = 1 - fabsf(at->away) * um / 0.9f;
    float net = 1 + k->reticulum * fine + 0.13f * patches;
    net = net > 0.1f ? net : 0.1f;
    float lean = 1 + 0.40f * at->side * (out > 0);
    v[ER] = at->body * (0.16f + 0.84f * er * lean) * net * hole * (1 - 0.52f * nuc) + (envelope > 0 && !k->mitotic ? 0.22f * envelope : 0);

    float rna = 1 / (1 + out * out / (k->rna_far * k->rna_far)), nucleoli = 0;
    if (nuc > 0) nucleoli = nuc * k->nucleolus_gain * spots_at(k->nucleoli, k->n_nucleoli, at->x, at->y, soft);
    v[RNA] = at->body * (0.24f + 0.76f * rna * lean) * (1 + 0.16f * fine + 0.12f * patches) * hole * (1 - 0.42f * nuc) + 0.62f * nucleoli;

    float streak = look(square, &k->tex[3], at->x, at->y), line = streak > 0.2f ? (streak - 0.2f) : 0;
    float golgi = 0, speck = look(square, &k->tex[4], at->x, at->y);
    if (out < 4 * k->golgi_far && !k->mitotic) {
        float near = (at->away * um - 0.8f) * (1 / (k->golgi_far * um)), toward = ramp((at->side + k->golgi_wide - 0.45f) / 0.5f);
        float lump = speck + 0.5f > 0 ? speck + 0.5f : 0;
        golgi = at->away > -1.0f / um ? k->golgi_spots * toward / (1 + near * near * near * near) * lump * 0.8f : 0;
    }
    float puncta = k->n_grains ? spots_at(k->grains, k->n_grains, at->x, at->y, soft) * (1 - nuc) * 1.3f : 0;
    float flat = at->body < 0.45f ? at->body : 0.45f + 0.3f * (at->body - 0.45f);
    v[AGP] = flat * (0.85f + 0.12f * patches) * (0.5f + 0.5f * hole) * (1 + 0.35f * nuc) +
             flat * k->fibres * 1.5f * line * (1 - 0.6f * nuc) + 0.55f * k->rim * at->rim + 0.75f * golgi * at->body + puncta * at->body;

    float ridge = look(square, &k->tex[2], at->x, at->y), width = 0.34f;
    float thread = 1 - fabsf(ridge) / width;
    thread = thread > 0 ? thread : 0;
    float broken = ramp((look(square, &k->tex[4], at->x + 77, at->y - 31) - k->mito_gap) / 0.7f);
    float mito = 1 / (1 + out * out / (k->mito_far * k->mito_far));
    float shell = ramp((at->away + k->mito_near) / (1.6f / um));
    v[MITO] = at->body * (0.10f + 0.05f * nuc) + at->body * mito * shell * (1 - nuc) * (0.22f + 1.9f * thread * broken) * hole;
    if (k->mitotic)
        v[MITO] = at->body * (0.5f + 0.25f * ridge) * (1 - 0.6f * at->nucleus), v[ER] *= 1 - 0.6f * at->nucleus,
        v[RNA] *= 1 - 0.5f * at->nucleus;
}

/* Usual sums of a stain over a cell in um^2 of unit brightness: measured on untreated cells, they only set the scale. */
static const float usual_total[CHANNELS] = {390, 730, 710, 710, 420};

DRAW_HOT static void cell_paint(picture *p, const cell *k, float id, const float *first, const float *second, const float *owner,
                                const float *square, float *store)
{
    box b = box_of(k, p);
    size_t w = (size_t)p->width, at = 0;
    float um = (float)p->um, sum[CHANNELS] = {0};
    double whole = 0, inside = 0;
    for (int y = b.y0; y < b.y1; y++) {
        for (int x = b.x0; x < b.x1; x++) {
            size_t i = (size_t)y * w + (size_t)x;
            if (owner[i] != id || first[i] >= 1) continue;
            place here = place_of(k, (float)x - k->x, (float)y - k->y, first[i], second[i], um);
            paint_at(k, &here, square, um, store + at);
            if (p->mask[MASK_CELLS]) p->mask[MASK_CELLS][i] = (uint16_t)(id + 1);
            if (p->mask[MASK_NUCLEI] && here.nucleus > 0.5f) p->mask[MASK_NUCLEI][i] = (uint16_t)(id + 1);
            for (int c = 0; c < CHANNELS; c++) sum[c] += store[at + (size_t)c];
            at += CHANNELS;
            inside += 1;
        }
    }
    /* A cell cut by the picture's edge shows only its part of the light. */
    whole = 3.14159265 * (double)(k->radius * k->radius);
    float part = (float)fmin(1, inside / (0.80 * whole)), size = (float)sqrt(whole) * um / 47.0f;
    float scale[CHANNELS];
    for (int c = 0; c < CHANNELS; c++) {
        float grow = c == DNA ? 1 : size;
        scale[c] = sum[c] > 0 ? k->total[c] * usual_total[c] * grow * part / (um * um) / sum[c] : 0;
        float plain = k->total[c]; /* keeps a sliver at the edge from becoming too bright */
        if (scale[c] > 2.2f * plain) scale[c] = 2.2f * plain;
    }
    at = 0;
    for (int y = b.y0; y < b.y1; y++) {
        for (int x = b.x0; x < b.x1; x++) {
            size_t i = (size_t)y * w + (size_t)x;
            if (owner[i] != id || first[i] >= 1) continue;
            for (int c = 0; c < CHANNELS; c++) p->channel[c][i] += scale[c] * store[at + (size_t)c];
            at += CHANNELS;
        }
    }
}

/* Bits of dead cells and dirt: small, bright, in several channels at once. */
static void debris_paint(picture *p, rng *r)
{
    double area = (double)p->width * p->height * p->um * p->um;
    int n = count_around(area / 9000, 400, r);
    for (int j = 0; j < n; j++) {
        double x = rng_uniform(r) * p->width, y = rng_uniform(r) * p->height, radius = (0.7 + 0.9 * rng_uniform(r)) / p->um;
        float v[CHANNELS];
        for (int c = 0; c < CHANNELS; c++) v[c] = (float)((c == AGP ? 1.6 : 0.5) * rng_uniform(r));
        for (int dy = (int)(-3 * radius); dy <= (int)(3 * radius); dy++) {
            for (int dx = (int)(-3 * radius); dx <= (int)(3 * radius); dx++) {
                int px = (int)x + dx, py = (int)y + dy;
                if (px < 0 || py < 0 || px >= p->width || py >= p->height) continue;
                float fall = (float)exp(-(dx * dx + dy * dy) / (2 * radius * radius));
                for (int c = 0; c < CHANNELS; c++) p->channel[c][(size_t)py * (size_t)p->width + (size_t)px] += v[c] * fall;
            }
        }
    }
}

int cells_draw(picture *p, const double factor[FACTORS], double crowding, rng *r)
{
    size_t n = (size_t)p->width * (size_t)p->height;
    float *first = p->work, *second = first + n, *owner = second + n, *bend = owner + n;
    const float *square = texture_square();
    cell *list;
    for (int c = 0; c < CHANNELS; c++) memset(p->channel[c], 0, n * sizeof(float));
    for (int m = 0; m < N_MASKS; m++)
        if (p->mask[m]) memset(p->mask[m], 0, n * sizeof *p->mask[m]);
    int n_cells = cells_place(&list, p, factor, crowding, r), inside = 0;
    texture_field(bend, p->width, p->height, fmax(5 / p->um, 2), r);
    for (size_t i = 0; i < n; i++) bend[i] *= (float)(1.0 / p->um);
    cells_claim(p, list, n_cells, first, second, owner, bend);
    float *store = NULL;
    size_t room = 0;
    for (int id = 0; id < n_cells; id++) {
        box b = box_of(&list[id], p);
        if (b.x1 <= b.x0 || b.y1 <= b.y0) continue;
        size_t want = (size_t)(b.x1 - b.x0) * (size_t)(b.y1 - b.y0) * CHANNELS;
        if (want > room) store = xrealloc(store, (room = want * 2) * sizeof(float));
        cell_paint(p, &list[id], (float)id, first, second, owner, square, store);
        inside += list[id].x >= 0 && list[id].y >= 0 && list[id].x < (float)p->width && list[id].y < (float)p->height;
    }
    debris_paint(p, r);
    free(store);
    free(list);
    return inside;
}
