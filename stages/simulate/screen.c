/* screen.c -- the layout of the wells, and the differences between centres, batches, plates and wells that no compound causes. */
#include "micon/base/mem.h"
#include "simulate.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WELL_SPREAD 0.22  /* sd of a well's own deviation, per factor */
#define PLATE_SPREAD 0.15 /* of a plate's */

static double around(rng *r, double sd) /* a factor near 1 */
{
    return exp(sd * rng_normal(r));
}

int64_t screen_plates(const sim_options *o)
{
    return o->sources * o->batches * o->plates;
}

void screen_format(int64_t wells, int *rows, int *columns)
{
    static const int formats[][2] = {{2, 3}, {3, 4}, {4, 6}, {6, 8}, {8, 12}, {16, 24}, {32, 48}};
    *rows = *columns = 0;
    for (size_t i = 0; i < sizeof formats / sizeof *formats && *rows == 0; i++)
        if (formats[i][0] * formats[i][1] >= wells) *rows = formats[i][0], *columns = formats[i][1];
}

int screen_controls(int64_t wells)
{
    return wells < 24 ? 4 : (int)(wells + 3) / 6;
}

void screen_well_name(const sim_options *o, int well, char out[8])
{
    int rows, columns;
    screen_format(o->wells, &rows, &columns);
    int row = well / columns, column = well % columns;
    if (row < 26)
        snprintf(out, 8, "%c%02d", 'A' + row, (column + 1) % 100);
    else
        snprintf(out, 8, "A%c%02d", 'A' + (row - 26) % 26, (column + 1) % 100);
}

/* ---- who holds what ---- */

/* Controls, some empty wells, and compounds in the rest: each as often as they all fit, or, where they do not, the next ones in the
 * round that goes on from plate to plate. Places are drawn anew for every plate; in the fixed layout all batches repeat those of the
 * first. */
static void fill_wells(sim_plate *p, const sim_options *o, int64_t at)
{
    int wells = (int)o->wells, controls = screen_controls(wells), empty = wells / 24, room = wells - controls - empty;
    int64_t n = o->compounds * o->doses, copies = room / n, *place = xmalloc(sizeof *place * (size_t)wells),
            *order = xmalloc(sizeof *order * (size_t)n);
    bool fixed = o->layout == LAYOUT_FIXED;
    int source = fixed ? 0 : p->source_at, batch = fixed ? 0 : p->batch_at;
    rng r = rng_at(sim_seed(o), SIM_LAYOUT, 0, (uint64_t)(fixed ? p->plate_at : at));
    for (int i = 0; i < wells; i++) place[i] = i, p->content[i] = WELL_EMPTY;
    rng_shuffle(&r, place, wells);
    int next = 0;
    for (; next < controls; next++) p->content[place[next]] = WELL_CONTROL;
    /* The order of the round is the source's: plates of a batch share it out between them, batches go on. */
    rng turn = rng_at(sim_seed(o), SIM_LAYOUT, 1, (uint64_t)source);
    for (int64_t i = 0; i < n; i++) order[i] = i;
    rng_shuffle(&turn, order, n);
    int64_t filled = copies ? copies * n : room, from = copies ? 0 : (batch * o->plates + p->plate_at) * (int64_t)room;
    for (int64_t i = 0; i < filled; i++) p->content[place[next++]] = (int)order[(from + i) % n];
    free(place);
    free(order);
}

/* ---- what differs ---- */

/* A source's microscope: pixel and picture size, point spread, camera. A picture of `size` has 0.6 um pixels at 1080, larger ones when
 * small, so that a small picture still shows a dozen cells. */
static void source_camera(sim_plate *p, const sim_options *o)
{
    static const double wide[] = {1, 1.10, 1.25, 0.95, 1.15}, high[] = {1, 1.10, 0.95, 0.95, 0.85};
    rng r = rng_at(sim_seed(o), SIM_SOURCE, 0, (uint64_t)p->source_at);
    int kind = p->source_at % 5;
    optics *c = &p->camera;
    p->width = p->source_at == 0 ? (int)o->size : 2 * (int)(wide[kind] * (double)o->size / 2 + 0.5);
    p->height = p->source_at == 0 ? (int)o->size : 2 * (int)(high[kind] * (double)o->size / 2 + 0.5);
    double base = 0.6 * pow(1080.0 / (double)o->size, 0.35), per_um = (double)o->size / fmin(p->width, p->height);
    c->um = base * per_um * (p->source_at == 0 ? 1 : exp(0.20 * (rng_uniform(&r) - 0.5)));
    c->bits = p->source_at % 5 == 2 ? 8 : p->source_at % 5 == 1 ? 12 : 16;
    double full = c->bits == 8 ? 85 : c->bits == 12 ? 1500 : 7000, photons = 500 + 2000 * rng_uniform(&r);
    double sharp = p->source_at % 3 == 0 ? 0.8 : p->source_at % 3 == 1 ? 1.25 : 1.0;
    c->blur_um = 0.45 * sharp * around(&r, 0.10);
    c->blur_px = 0.42;
    c->glow = 0.06 + 0.12 * rng_uniform(&r);
    c->electrons = photons / full;
    c->read_noise = full * (0.004 + 0.010 * rng_uniform(&r));
    c->shade = 0.08 + 0.22 * rng_uniform(&r);
    c->shade_x = 0.12 * rng_normal(&r);
    c->shade_y = 0.12 * rng_normal(&r);
    double offset = full * (0.02 + 0.16 * rng_uniform(&r));
    static const double relative[CHANNELS] = {0.9, 1.5, 1.5, 1.5, 1.8}, ground[CHANNELS] = {0.012, 0.012, 0.02, 0.025, 0.05};
    for (int k = 0; k < CHANNELS; k++) {
        c->gain[k] = full * relative[k] * around(&r, 0.45);
        c->offset[k] = offset * around(&r, 0.35);
        c->haze[k] = ground[k] * around(&r, 0.4);
        c->tilt[k] = 0.12 * rng_normal(&r);
    }
    static const double bleed[CHANNELS] = {0, 0.01, 0.16, 0.09, 0.03};
    for (int k = 0; k < CHANNELS; k++) c->bleed[k] = bleed[k] * around(&r, 0.45);
}

/* A batch's staining, a plate's gain and cells. */
static void batch_and_plate(sim_plate *p, const sim_options *o, int64_t at)
{
    rng b = rng_at(sim_seed(o), SIM_BATCH, (uint32_t)p->source_at, (uint64_t)p->batch_at),
        r = rng_at(sim_seed(o), SIM_PLATE, 0, (uint64_t)at);
    optics *c = &p->camera;
    double brightness = around(&b, 0.12);
    for (int k = 0; k < CHANNELS; k++) {
        c->gain[k] *= brightness * around(&b, 0.22) * around(&r, 0.10);
        c->haze[k] *= around(&b, 0.35) * around(&r, 0.15);
        c->tilt[k] += 0.03 * rng_normal(&b);
        p->slope_x[k] = 0.10 * rng_normal(&r);
        p->slope_y[k] = 0.08 * rng_normal(&r);
    }
    c->blur_um *= around(&b, 0.08) * around(&r, 0.05);
    c->shade_x += 0.04 * rng_normal(&b);
    c->glow *= around(&b, 0.15);
    for (int k = 0; k < FACTORS; k++) p->drift[k] = PLATE_SPREAD * rng_normal(&r);
    p->crowding = around(&b, 0.12) * around(&r, 0.08);
    p->edge = 0.05 + 0.20 * rng_uniform(&r);
}

status screen_plate(sim_plate *out, const sim_options *o, int64_t at)
{
    status st = OK;
    *out = (sim_plate){.plate_at = (int)(at % o->plates), .batch_at = (int)(at / o->plates % o->batches)};
    out->source_at = (int)(at / (o->plates * o->batches));
    snprintf(out->source, sizeof out->source, "source_%d", out->source_at + 1);
    snprintf(out->batch, sizeof out->batch, "Batch%d", out->batch_at + 1);
    /* One centre names its plates by digits alone, with zeros in front: they must still be read as names. */
    if (out->source_at == 1)
        snprintf(out->plate, sizeof out->plate, "00%02d%02d%03d", out->source_at + 1, out->batch_at + 1, out->plate_at + 1);
    else
        snprintf(out->plate, sizeof out->plate, "S%dB%02dP%03d", out->source_at + 1, out->batch_at + 1, out->plate_at + 1);
    TRY(mem_alloc(&out->content, (size_t)o->wells, sizeof *out->content, "wells"));
    fill_wells(out, o, at);
    source_camera(out, o);
    batch_and_plate(out, o, at);
done:
    return st;
}

void screen_plate_free(sim_plate *p)
{
    FREE(p->content);
}

void screen_well(sim_well *out, const sim_plate *p, const sim_compound *list, const sim_options *o, int well)
{
    int rows, columns, content = p->content[well];
    screen_format(o->wells, &rows, &columns);
    uint64_t plate_at = (uint64_t)((p->source_at * o->batches + p->batch_at) * o->plates + p->plate_at);
    rng r = rng_at(sim_seed(o), SIM_WELL, 0, plate_at * 4096 + (uint64_t)well);
    int row = well / columns, column = well % columns;
    double x = columns > 1 ? 2.0 * column / (columns - 1) - 1 : 0, y = rows > 1 ? 2.0 * row / (rows - 1) - 1 : 0;
    bool outer = row == 0 || column == 0 || row == rows - 1 || column == columns - 1;
    const sim_compound *held = content >= 0 ? &list[content % o->compounds] : NULL;
    double share = held && o->doses > 1 ? morphology_share(held, (int)(content / o->compounds)) : 1;
    for (int k = 0; k < FACTORS; k++) out->factor[k] = (held ? share * held->factor[k] : 0) + p->drift[k] + WELL_SPREAD * rng_normal(&r);
    rng here = rng_at(sim_seed(o), SIM_POSITION, 0, (uint64_t)well);
    for (int k = 0; k < FACTORS && o->position > 0; k++) out->factor[k] += o->position * rng_normal(&here);
    /* A well that was left empty holds cells that got no compound: nobody adds any, the plate is seeded as a whole. */
    out->crowding = p->crowding * around(&r, 0.10) * (outer ? 1 - p->edge : 1);
    double brightness = around(&r, 0.06) * (outer ? 1 + 0.4 * p->edge : 1);
    for (int k = 0; k < CHANNELS; k++) out->gain[k] = brightness * around(&r, 0.07) * exp(p->slope_x[k] * x + p->slope_y[k] * y);
}
