/* pair_sampler.h -- which tiles a training step sees (METHOD 5, "Items"). Local; pure functions of (seed, step, position), so that ranks and
 * threads change nothing. Tiles are numbered 0..n-1; their well, plate, batch and source are numbers too (equal names, equal numbers). */
#ifndef MICON_NN_PAIR_SAMPLER_H
#define MICON_NN_PAIR_SAMPLER_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int32_t compound;                   /* class: 0 control, 1..C treated; -1: never trained on */
    int32_t well, plate, batch, source; /* a number belongs to one well, plate, ... of the whole screen */
} item_tile;

typedef enum { VIEWS_ANY, VIEWS_OTHER_WELL, VIEWS_OTHER_BATCH, VIEWS_OTHER_SOURCE } item_views;

typedef struct items items;

/* tile [n]: the training tiles (split train, unflagged, with a vector), others have compound -1; copied. E_FAILED: fewer than two compounds with
 * two tiles, or no control though `controls` are needed (items_pair). left_out: tiles of compounds that have one tile only (may be NULL). */
status items_create(items **out, const item_tile *tile, int64_t n, bool controls, uint32_t seed, int64_t *left_out) MUST_USE;
void items_destroy(items **s);           /* NULL-safe, sets NULL */
int64_t items_treated(const items *s);   /* treated training tiles: an epoch */
int64_t items_all(const items *s);       /* treated and control training tiles: an epoch of simclr */
int32_t items_compounds(const items *s); /* compounds that take part */

/* Item `number` (counted over all steps from 0) of paclr and micon. */
typedef struct {
    int64_t treated[2], control[2];
    int32_t compound;
    bool fell_back; /* view 2 did not satisfy `views` */
} item_pair;
item_pair items_pair(items *s, int64_t number, item_views views);

/* simclr: tile `number` of an endless sequence of permutations of all training tiles. */
int64_t items_single(items *s, int64_t number);

/* clip: compound `number` of an endless sequence of permutations of the compounds, and a tile of it for each of the two views. */
item_pair items_clip(items *s, int64_t number);

#endif
