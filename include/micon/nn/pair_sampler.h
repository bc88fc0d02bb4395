/* pair_sampler.h -- which tiles a training step sees (docs/method.md 5, "Items"). Local; pure functions of (seed, step, position), so that
 * ranks and threads change nothing. Tiles are numbered 0..n-1; their well, plate, batch and source are numbers too (equal names, equal
 * numbers). */
#ifndef MICON_NN_PAIR_SAMPLER_H
#define MICON_NN_PAIR_SAMPLER_H
#include "micon/base/status.h"
#include "micon/config/config.h" /* POSITIVES_* */

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    int32_t compound;                   /* class: 0 control, 1..C treated; -1: never trained on */
    int32_t well, plate, batch, source; /* a number belongs to one well, plate, ... of the whole screen */
} sampler_tile;

/* What an item is made of and an epoch runs through: pairs of tiles of a compound, each with a control; single tiles; compounds, with two
 * tiles each. */
typedef enum { ITEMS_NONE, ITEMS_PAIRS, ITEMS_TILES, ITEMS_COMPOUNDS } item_source;

typedef struct pair_sampler pair_sampler;

/* tile [n]: the training tiles (split train, unflagged, with a vector), others have compound -1; copied. E_FAILED: fewer than two compounds
 * with two tiles, or no control though `controls` are needed (pair_sampler_item). left_out: number of tiles of compounds with one tile only
 * (may be NULL). */
status pair_sampler_create(pair_sampler **out, const sampler_tile *tile, int64_t n, bool controls, uint32_t seed,
                           int64_t *left_out) MUST_USE;
void pair_sampler_destroy(pair_sampler **s);                          /* NULL-safe, sets NULL */
int64_t pair_sampler_epoch(const pair_sampler *s, item_source items); /* items of an epoch: treated tiles; all tiles; compounds */

/* Item `number` (counted over all steps from 0) of paclr and micon. */
typedef struct {
    int64_t treated[2], control[2];
    int32_t compound;
    bool fell_back; /* view 2 did not satisfy `views` */
} sampler_item;
sampler_item pair_sampler_item(pair_sampler *s, int64_t number, sampler_positives views);

/* simclr: tile `number` of an endless sequence of permutations of all training tiles. */
int64_t pair_sampler_simclr(pair_sampler *s, int64_t number);

/* clip: compound `number` of an endless sequence of permutations of the compounds, and a tile of it for each of the two views. */
sampler_item pair_sampler_clip(pair_sampler *s, int64_t number);

#endif
