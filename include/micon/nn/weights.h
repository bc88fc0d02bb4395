/* weights.h -- model files: nn_params to and from safetensors, and other people's encoders. Local. What a file lacks, has too much of, or
 * has in another shape, and NaN or infinity, is E_FORMAT with the tensor's name. */
#ifndef MICON_NN_WEIGHTS_H
#define MICON_NN_WEIGHTS_H
#include "micon/formats/safetensors.h"
#include "micon/nn/params.h"

/* All tensors, batch norms with torchvision's num_batches_tracked = steps. With `moments` also the optimizer's, as "moment1.NAME" and
 * "moment2.NAME": a checkpoint. */
status weights_save(const char *path, const nn_params *p, int64_t steps, bool moments, const names *meta_key,
                    const names *meta_value) MUST_USE;

/* Reads into registered and allocated params: every tensor must be there in its shape, and no other. moments: those too
 * (without it they may be there). */
status weights_load(nn_params *p, const safetensors *file, bool moments) MUST_USE;

/* An encoder from torchvision or timm ("conv1.weight"), or from a model of ours ("encoder.conv1.weight", its heads are ignored). A first
 * kernel of three channels is summed over them: as if the picture had been fed three times. The last layer is taken from a model of
 * ours only. prefix: of the tensors in p. */
status weights_load_encoder(nn_params *p, const char *prefix, const safetensors *file) MUST_USE;

#endif
