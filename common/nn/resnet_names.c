/* resnet_names.c -- the tensors of a ResNet: names, shapes, first values. */
#include "resnet_names_impl.h"

#include "micon/base/mem.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    int depth, blocks[4];
    bool bottleneck;
} known[] = {{18, {2, 2, 2, 2}, false}, {34, {3, 4, 6, 3}, false}, {50, {3, 4, 6, 3}, true}, {101, {3, 4, 23, 3}, true}};

bool resnet_layout(int depth, resnet_plan *out)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].depth == depth) {
            *out = (resnet_plan){.bottleneck = known[i].bottleneck, .width = known[i].bottleneck ? 2048 : 512};
            memcpy(out->blocks, known[i].blocks, sizeof out->blocks);
            return true;
        }
    return false;
}

int resnet_width(int depth)
{
    resnet_plan plan;
    return resnet_layout(depth, &plan) ? plan.width : 0;
}

size_t resnet_split_bytes(int depth, int size, int freeze, nn_type type)
{
    resnet_plan plan;
    if (!resnet_layout(depth, &plan)) return 0;
    if (freeze == FREEZE_ALL) return (size_t)plan.width * sizeof(float); /* pooled */
    int planes = 64, side = conv_out(conv_out(size, 7, 2, 3), 3, 2, 1);
    for (int stage = 0; freeze >= FREEZE_LAYER1 + stage; stage++) {
        planes = (64 << stage) * (plan.bottleneck ? 4 : 1);
        if (stage > 0) side = conv_out(side, 3, 2, 1);
    }
    return (size_t)planes * (size_t)side * (size_t)side * nn_type_size(type);
}

static void add_conv(nn_params *p, const char *prefix, const char *name, int co, int ci, int k, bool trained)
{
    char *full = xasprintf("%s%s.weight", prefix, name);
    params_add(p, full, 4, (int64_t[]){co, ci, k, k}, trained);
    free(full);
}

static void add_norm(nn_params *p, const char *prefix, const char *name, int c, bool trained)
{
    static const char *const part[] = {"weight", "bias", "running_mean", "running_var"};
    for (int i = 0; i < 4; i++) {
        char *full = xasprintf("%s%s.%s", prefix, name, part[i]);
        params_add(p, full, 1, (int64_t[]){c}, trained && i < 2);
        free(full);
    }
}

static void add_block(nn_params *p, const char *prefix, const char *at, int ci, int width, bool bottleneck, bool ds, bool trained)
{
    char name[64];
    int co = bottleneck ? 4 * width : width, n = bottleneck ? 3 : 2;
    for (int i = 1; i <= n; i++) {
        int k = bottleneck && i != 2 ? 1 : 3;
        snprintf(name, sizeof name, "%s.conv%d", at, i);
        add_conv(p, prefix, name, i == n ? co : width, i == 1 ? ci : width, k, trained);
        snprintf(name, sizeof name, "%s.bn%d", at, i);
        add_norm(p, prefix, name, i == n ? co : width, trained);
    }
    if (!ds) return;
    snprintf(name, sizeof name, "%s.downsample.0", at);
    add_conv(p, prefix, name, co, ci, 1, trained);
    snprintf(name, sizeof name, "%s.downsample.1", at);
    add_norm(p, prefix, name, co, trained);
}

status resnet_register(nn_params *p, const char *prefix, int depth, int out, int freeze)
{
    resnet_plan plan;
    if (!resnet_layout(depth, &plan)) return fail(E_USAGE, "encoder: there is no resnet%d; use resnet18, 34, 50 or 101", depth);
    add_conv(p, prefix, "conv1", 64, 1, 7, freeze < FREEZE_STEM);
    add_norm(p, prefix, "bn1", 64, freeze < FREEZE_STEM);
    int ci = 64;
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < plan.blocks[stage]; i++) {
            char at[32];
            int width = 64 << stage, co = plan.bottleneck ? 4 * width : width;
            snprintf(at, sizeof at, "layer%d.%d", stage + 1, i);
            add_block(p, prefix, at, ci, width, plan.bottleneck, i == 0 && (stage > 0 || co != ci), freeze < FREEZE_LAYER1 + stage);
            ci = co;
        }
    if (out == 0) return OK;
    char *w = xasprintf("%sfc.weight", prefix), *b = xasprintf("%sfc.bias", prefix);
    params_add(p, w, 2, (int64_t[]){out, ci}, true);
    params_add(p, b, 1, (int64_t[]){out}, true);
    free(w);
    free(b);
    return OK;
}

void resnet_init(nn_params *p, const char *prefix, uint32_t seed)
{
    for (size_t i = 0; i < p->n; i++) {
        const nn_param *t = &p->item[i];
        if (strncmp(t->name, prefix, strlen(prefix)) != 0) continue;
        const char *name = t->name + strlen(prefix), *dot = strrchr(name, '.');
        if (strncmp(name, "fc.", 3) == 0) {
            double in = (double)resnet_fc_inputs(p, prefix);
            params_fill_uniform(p, i, seed, 1 / sqrt(in));
        } else if (t->n_dims == 4)
            params_fill_normal(p, i, seed, sqrt(2.0 / (double)(t->dim[0] * t->dim[2] * t->dim[3])));
        else
            params_fill(p, i, strcmp(dot, ".weight") == 0 || strcmp(dot, ".running_var") == 0 ? 1.0f : 0.0f);
    }
}

int64_t resnet_fc_inputs(const nn_params *p, const char *prefix)
{
    char *w = xasprintf("%sfc.weight", prefix);
    long i = params_find(p, w);
    free(w);
    return i < 0 ? 0 : p->item[i].dim[1];
}
