/* augment.h -- from a stored tile to the pictures a network sees (docs/method.md 2 step 6, docs/method.md 5 "Augmentation"). Local, no
 * state: the same (seed, step, row) gives the same picture on any rank. */
#ifndef MICON_NN_AUGMENT_H
#define MICON_NN_AUGMENT_H
#include "micon/base/status.h"
#include "micon/config/config.h" /* AUGMENT_* */

#include <stdint.h>

/* What is the same for all tiles of a run. */
typedef struct {
    int channels, size;
    const double *mean, *sd; /* [channels], of values 0..1 */
    augment_kind kind;       /* not AUGMENT_AUTO (nn/method.h decides that) */
    uint32_t seed;
} augmenter;

/* tile [channels, size, size] uint8 -> out [channels, size, size] = (v / 255 - mean[c]) / sd[c], then augmented. Flips and quarter turns
 * (one of eight, all channels alike); `full` adds a square crop of 0.6-1 of the area, resized back bilinearly, and per channel contrast
 * 0.8-1.25 about the picture's mean, brightness +-0.2, noise with an sd of 0-0.05. work: size * size floats. */
void augment_tile(const augmenter *a, const uint8_t *tile, uint32_t step, uint64_t row, float *out, float *work);

#endif
