/* model.h -- a model as a file: model.safetensors holds the tensors under the names of docs/file-formats.md, and in its metadata all that
 * is needed to use them: channels, tile size, intensity normalization, lengths, what it was trained from. Local. */
#ifndef MICON_NN_MODEL_H
#define MICON_NN_MODEL_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/formats/safetensors.h"
#include "micon/nn/augment.h"
#include "micon/nn/heads.h"
#include "micon/nn/params.h"

#include <stdbool.h>
#include <stdint.h>

#define MODEL_PREFIX "encoder."

typedef struct {
    /* what it is; set these, then model_build */
    int depth;          /* 18, 34, 50, 101 */
    int size_px;        /* of its tiles */
    int dim;            /* D, a multiple of the number of channels; pretrained: channels x the trunk's width, no last layer */
    int projection;     /* P; 0: no projection head */
    int bits;           /* B, of the compounds' vectors; 0: no compound head */
    bool has_dose;      /* the compound head's input is the vector and a dose (model_dose) */
    bool has_generator; /* micon */
    bool pretrained;    /* the trunk alone: no last layer */
    int aux_classes;    /* classes of the auxiliary head; 0: none */
    int freeze;         /* while training */
    names channels;
    double *mean, *sd;         /* [channels], of values 0..1 */
    double dose_mean, dose_sd; /* of log10 of the doses, over the treatments that were trained on; with has_dose */
    text made_from;            /* configuration and inputs, as provenance records them */
    names compounds;           /* identifiers seen in training */
    /* filled by model_build or model_read */
    nn_params params;
    mlp projector, compound, generator;
    aux_head aux;
} model;

/* Register all tensors and allocate them (zeros); moments and gradients too if `training`. */
status model_build(model *m, bool training) MUST_USE;
void model_init(model *m, uint32_t seed); /* first weights, docs/method.md 4 */
void model_free(model *m);
float model_dose(const model *m, double log10_dose); /* as the compound head takes it */
int model_out(const model *m);                       /* the encoder's outputs per picture: D / channels, or 0 for a pretrained trunk */

status model_write(const model *m, int64_t steps, const char *path) MUST_USE; /* steps: of training, for torch's num_batches_tracked */
/* *out is {0} before; model_free it in any case. Nothing in the file is believed: every tensor that this kind of model has must be
 * there, finite, of the right shape, and no others. *digest: of the file's bytes. */
status model_read(model *out, const char *path, uint64_t *digest) MUST_USE;

/* Metadata shared with checkpoints: key and value in pairs, appended. */
void model_meta(const model *m, names *key, names *value);
/* The description (not the tensors) from a file's metadata. */
status model_describe(model *out, const safetensors *s) MUST_USE;

/* Pixels to network values: value[channel][byte] = (byte / 255 - mean) / sd; [channels][256]. */
void model_levels(const model *m, float (*value)[256]);
/* The same with an augmentation: arrays of `m` are borrowed. */
augmenter model_augmenter(const model *m, augment_kind kind, uint32_t seed);

#endif
