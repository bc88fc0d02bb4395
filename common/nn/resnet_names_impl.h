/* resnet_names_impl.h -- the layout of each depth; used by the resnet files only. */
#ifndef MICON_NN_RESNET_NAMES_IMPL_H
#define MICON_NN_RESNET_NAMES_IMPL_H
#include "micon/nn/resnet.h"

typedef struct {
    int blocks[4], width;
    bool bottleneck;
} resnet_plan;

bool resnet_layout(int depth, resnet_plan *out);
int64_t resnet_fc_inputs(const nn_params *p, const char *prefix); /* 0: no last layer */

#endif
