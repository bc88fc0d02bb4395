/* resnet_plan.c -- compiling a ResNet: shapes, primitives, and one arena for all buffers of a pass. The arena is laid out twice by
 * the same code: first from address zero to learn its size, then for good. */
#include "resnet_impl.h"
#include "resnet_names_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- shapes ---- */
static size_t tensor(const resnet *net, const char *name, const char *part)
{
    char *full = xasprintf("%s%s.%s", net->prefix, name, part);
    long i = params_find(net->p, full);
    free(full);
    return i < 0 ? SIZE_MAX : (size_t)i;
}

static status unit_plan(resnet *net, unit *u, const char *conv, const char *norm, nn_shape x, int k, int stride, bool frozen)
{
    u->weight = tensor(net, conv, "weight");
    u->gamma = tensor(net, norm, "weight");
    u->beta = tensor(net, norm, "bias");
    u->mean_at = tensor(net, norm, "running_mean");
    u->var_at = tensor(net, norm, "running_var");
    if (u->weight == SIZE_MAX || u->gamma == SIZE_MAX || u->beta == SIZE_MAX || u->mean_at == SIZE_MAX || u->var_at == SIZE_MAX)
        return fail(E_INTERNAL, "the encoder's tensors %s%s, %s are not registered", net->prefix, conv, norm);
    const nn_param *w = &net->p->item[u->weight];
    u->name = w->name;
    u->spec = (conv_spec){.type = x.type, .layout = x.layout, .n = x.n, .ci = (int)w->dim[1], .co = (int)w->dim[0], .h = x.h, .w = x.w};
    u->spec.k = k, u->spec.stride = stride, u->spec.pad = k / 2, u->spec.bias = frozen;
    u->y_shape = x;
    u->y_shape.c = u->spec.co;
    u->y_shape.h = conv_out(x.h, k, stride, k / 2);
    u->y_shape.w = conv_out(x.w, k, stride, k / 2);
    return OK;
}

static status block_plan(resnet *net, block *b, const char *at, nn_shape x, bool bottleneck, int stride, bool ds)
{
    status st = OK;
    char conv[64], norm[64];
    b->n_units = bottleneck ? 3 : 2;
    b->has_ds = ds;
    b->x_shape = x;
    nn_shape in = x;
    for (int i = 0; i < b->n_units; i++) {
        int k = bottleneck && i != 1 ? 1 : 3, s = i == (bottleneck ? 1 : 0) ? stride : 1;
        snprintf(conv, sizeof conv, "%s.conv%d", at, i + 1);
        snprintf(norm, sizeof norm, "%s.bn%d", at, i + 1);
        TRY(unit_plan(net, &b->u[i], conv, norm, in, k, s, b->frozen));
        b->u[i].spec.relu = b->frozen;
        b->u[i].spec.sum = b->frozen && i + 1 == b->n_units;
        in = b->u[i].y_shape;
    }
    b->y_shape = in;
    if (ds) {
        snprintf(conv, sizeof conv, "%s.downsample.0", at);
        snprintf(norm, sizeof norm, "%s.downsample.1", at);
        TRY(unit_plan(net, &b->u[b->n_units], conv, norm, x, 1, stride, b->frozen));
    }
    b->first = net->p->item[b->u[0].weight].at;
    const nn_param *last = &net->p->item[b->u[b->n_units - 1 + (ds ? 1 : 0)].beta];
    b->count = last->at + last->count - b->first;
done:
    return st;
}

/* The block after `x`, where it belongs to this part of the net; x becomes its result's shape. */
static status next_block(resnet *net, const resnet_plan *plan, int stage, int i, nn_shape *x)
{
    status st = OK;
    const resnet_config *c = &net->c;
    char at[32];
    int co = (64 << stage) * (plan->bottleneck ? 4 : 1);
    bool first = c->freeze >= FREEZE_LAYER1 + stage, here = c->part == RESNET_WHOLE || first == (c->part == RESNET_FRONT);
    block passed = {0}, *b = here ? &net->b[net->n_blocks++] : &passed;
    b->frozen = !c->training || first;
    if (here && b->frozen) net->first_trained = net->n_blocks;
    snprintf(at, sizeof at, "layer%d.%d", stage + 1, i);
    TRY(block_plan(net, b, at, *x, plan->bottleneck, i == 0 && stage > 0 ? 2 : 1, i == 0 && (stage > 0 || co != x->c)));
    if (c->part == RESNET_FRONT && !here) goto done;
    *x = b->y_shape;
    if (c->part != RESNET_WHOLE && first) net->between = nn_shape_bytes(x) / (size_t)c->n;
done:
    return st;
}

static status net_plan(resnet *net)
{
    status st = OK;
    resnet_plan plan;
    const resnet_config *c = &net->c;
    if (!resnet_layout(c->depth, &plan)) return fail(E_USAGE, "encoder: there is no resnet%d; use resnet18, 34, 50 or 101", c->depth);
    nn_shape x = {c->type, dnn_layout(c->type), c->n, 1, c->size, c->size};
    net->width = plan.width;
    net->has_stem = c->part != RESNET_BACK;
    net->stem_frozen = !c->training || c->freeze >= FREEZE_STEM;
    TRY(unit_plan(net, &net->stem, "conv1", "bn1", x, 7, 2, false)); /* its batch norm is done by the pooling, frozen or not */
    x = net->stem.y_shape;
    x.h = x.w = (x.h - 1) / 2 + 1;
    net->pool_shape = x;
    if (c->part != RESNET_WHOLE) net->between = nn_shape_bytes(&x) / (size_t)c->n;
    for (int stage = 0; stage < 4; stage++)
        for (int i = 0; i < plan.blocks[stage]; i++) TRY(next_block(net, &plan, stage, i, &x));
    if (c->part != RESNET_WHOLE && c->freeze == FREEZE_ALL) net->between = (size_t)net->width * sizeof(float); /* pooled */
    if (c->out > 0 && c->part != RESNET_FRONT) {
        net->fc_w = tensor(net, "fc", "weight");
        net->fc_b = tensor(net, "fc", "bias");
        if (net->fc_w == SIZE_MAX || net->fc_b == SIZE_MAX) st = fail(E_INTERNAL, "the encoder's last layer is not registered");
    }
done:
    return st;
}

/* ---- primitives ---- */
static status unit_choose(resnet *net, unit *u, bool frozen, bool back_data, conv_choices *choices)
{
    status st = OK;
    conv_spec s = u->spec;
    s.n_most = net->c.n_most;
    s.direction = CONV_FORWARD;
    TRY(conv_choose(&u->op[TIME_FORWARD], net->d, &s, choices));
    if (frozen) goto done;
    s.direction = CONV_BACK_WEIGHTS;
    TRY(conv_choose(&u->op[TIME_WEIGHTS], net->d, &s, choices));
    s.direction = CONV_BACK_DATA;
    if (back_data) TRY(conv_choose(&u->op[TIME_DATA], net->d, &s, choices));
done:
    return st;
}

static status net_choose(resnet *net, conv_choices *choices)
{
    status st = OK;
    if (net->has_stem) TRY(unit_choose(net, &net->stem, net->stem_frozen, false, choices));
    for (int i = 0; i < net->n_blocks; i++) {
        block *b = &net->b[i];
        bool to_input = !net->stem_frozen || i > net->first_trained; /* is a gradient wanted at the block's input? */
        for (int k = 0; k < b->n_units + b->has_ds; k++)
            TRY(unit_choose(net, &b->u[k], b->frozen, to_input || (k > 0 && k < b->n_units), choices));
    }
done:
    return st;
}

/* ---- the arena ---- */
typedef struct {
    char *base; /* NULL while only the size is wanted */
    size_t at;
} arena;

static void *carve(arena *a, size_t bytes)
{
    void *p = a->base ? a->base + a->at : NULL;
    a->at += (bytes + 63) / 64 * 64;
    return p;
}

static void unit_carve(arena *a, unit *u)
{
    size_t c = (size_t)u->spec.co * sizeof(float);
    u->packed[0] = carve(a, conv_packed_bytes(u->op[TIME_FORWARD]));
    if (u->op[TIME_DATA]) u->packed[1] = carve(a, conv_packed_bytes(u->op[TIME_DATA]));
    u->scale = carve(a, c);
    u->shift = carve(a, c);
    if (u->spec.bias) return; /* folded */
    u->mean = carve(a, c);
    u->inv = carve(a, c);
    for (int i = 0; i < 3; i++) u->k[i] = carve(a, c);
}

/* What a block keeps besides its result: the convolutions' results, and the activations between them. */
static void inside_carve(arena *a, block *b)
{
    for (int i = 0; i < b->n_units + b->has_ds; i++) {
        b->u[i].c = carve(a, nn_shape_bytes(&b->u[i].y_shape));
        if (i + 1 < b->n_units) b->u[i].y = carve(a, nn_shape_bytes(&b->u[i].y_shape));
    }
}

static size_t max_size(size_t a, size_t b)
{
    return a > b ? a : b;
}

/* The inside of the stem and of the first `again` - 1 trained blocks shares one place. */
static void activations_carve(resnet *net, arena *a, int again)
{
    arena shared = *a;
    size_t end = a->at;
    bool stem_again = again > 0;
    if (!net->stem_frozen) {
        net->stem_again = stem_again;
        arena *to = stem_again ? &shared : a;
        size_t at = to->at;
        net->stem.c = carve(to, nn_shape_bytes(&net->stem.y_shape));
        if (stem_again) end = max_size(end, to->at), to->at = at;
    }
    for (int i = net->first_trained; i < net->n_blocks; i++) {
        block *b = &net->b[i];
        b->again = i - net->first_trained < again - 1;
        if (!b->again) continue;
        arena to = shared;
        inside_carve(&to, b);
        end = max_size(end, to.at);
    }
    a->at = max_size(a->at, end);
    for (int i = net->first_trained; i < net->n_blocks; i++)
        if (!net->b[i].again) inside_carve(a, &net->b[i]);
}

static size_t unit_scratch(const unit *u)
{
    size_t n = 0;
    for (int i = 0; i < TIME_KINDS; i++)
        if (u->op[i]) n = max_size(n, conv_scratch_bytes(u->op[i]));
    return n;
}

static void common_carve(resnet *net, arena *a)
{
    size_t scratch = unit_scratch(&net->stem), ring = nn_shape_bytes(&net->pool_shape), grad = 0, fold = 0;
    for (int i = 0; i < net->n_blocks; i++) {
        block *b = &net->b[i];
        for (int k = 0; k < b->n_units + b->has_ds; k++) {
            scratch = max_size(scratch, unit_scratch(&b->u[k]));
            fold = max_size(fold, net->p->item[b->u[k].weight].count * sizeof(float));
            if (b->frozen)
                ring = max_size(ring, nn_shape_bytes(&b->u[k].y_shape));
            else
                grad = max_size(grad, max_size(nn_shape_bytes(&b->x_shape), nn_shape_bytes(&b->u[k].y_shape)));
        }
    }
    bool some_frozen = net->has_stem && net->stem_frozen;
    size_t pixels = (size_t)net->c.size * (size_t)net->c.size * nn_type_size(net->c.type);
    net->scratch = carve(a, scratch);
    net->fold = carve(a, some_frozen ? fold : 0);
    net->work = carve(a, kernels_work_bytes(net->width));
    net->sums = carve(a, (size_t)(3 * net->width + 1) * sizeof(double));
    net->pooled = carve(a, (size_t)net->c.n * (size_t)net->width * sizeof(float));
    net->d_pooled = carve(a, net->c.training ? (size_t)net->c.n * (size_t)net->width * sizeof(float) : 0);
    net->input = carve(a, (size_t)net->c.n * (net->has_stem ? pixels : net->between));
    for (int i = 0; i < IN_PLACE_BUFFERS && some_frozen; i++) net->ring[i] = carve(a, ring);
    for (int i = 0; i < 3 && grad; i++) net->g[i] = carve(a, grad);
}

static size_t net_carve(resnet *net, char *base, int again)
{
    arena a = {base, 0};
    common_carve(net, &a);
    if (net->has_stem) unit_carve(&a, &net->stem);
    if (net->has_stem && net->stem_frozen) net->stem.c = carve(&a, nn_shape_bytes(&net->stem.y_shape));
    if (!net->stem_frozen) {
        net->pool_y = carve(&a, nn_shape_bytes(&net->pool_shape));
        net->which = carve(&a, nn_shape_count(&net->pool_shape));
    }
    for (int i = 0; i < net->n_blocks; i++) {
        block *b = &net->b[i];
        for (int k = 0; k < b->n_units + b->has_ds; k++) unit_carve(&a, &b->u[k]);
        if (!b->frozen) b->y = carve(&a, nn_shape_bytes(&b->y_shape));
    }
    activations_carve(net, &a, again);
    return a.at;
}

/* As few blocks as the budget allows are computed twice, the first ones (the largest). */
static status arena_create(resnet *net)
{
    int most = net->c.training ? net->n_blocks - net->first_trained + 1 : 0, again = 0;
    size_t budget = net->c.memory > 0 ? (size_t)net->c.memory : SIZE_MAX, bytes;
    while ((bytes = net_carve(net, NULL, again)) > budget && again < most) again++;
    if (bytes > budget) {
        char need[32], have[32];
        return fail(E_USAGE,
                    "memory: %d pictures of %d px need %s even with all activations recomputed, and %s are allowed; give more memory, a "
                    "smaller batch or tile size, or more ranks",
                    net->c.n, net->c.size, num_show_bytes(need, sizeof need, (double)bytes),
                    num_show_bytes(have, sizeof have, (double)budget));
    }
    status st = mem_alloc(&net->arena, bytes, 1, "activations");
    if (st != OK) return st;
    net->arena_bytes = (int64_t)bytes;
    net_carve(net, net->arena, again);
    return OK;
}

static status config_check(const resnet_config *c)
{
    if (c->size < 32) return fail(E_USAGE, "size: pictures of %d px are too small; the encoder needs 32 or more", c->size);
    if (c->part != RESNET_WHOLE && c->freeze < FREEZE_STEM) return fail(E_INTERNAL, "a network can be split only after frozen layers");
    if (c->part == RESNET_FRONT && c->training) return fail(E_INTERNAL, "the front part of a network does not train");
    if (c->n < 1) return fail(E_USAGE, "an encoder for %d pictures cannot be built", c->n);
    return OK;
}

status resnet_create(resnet **out, dnn *d, const resnet_config *c, nn_params *p, const char *prefix, conv_choices *choices)
{
    status st = OK;
    resnet *net = xcalloc(1, sizeof *net);
    *net = (resnet){.c = *c, .d = d, .p = p, .prefix = xstrdup(prefix), .dirty = true};
    TRY(config_check(c));
    TRY(net_plan(net));
    TRY(net_choose(net, choices));
    TRY(arena_create(net));
done:
    if (st != OK) resnet_destroy(&net);
    *out = net;
    return st;
}

static void unit_free(unit *u)
{
    for (int i = 0; i < TIME_KINDS; i++) conv_destroy(&u->op[i]);
}

void resnet_destroy(resnet **net)
{
    if (!*net) return;
    unit_free(&(*net)->stem);
    for (int i = 0; i < (*net)->n_blocks; i++)
        for (int k = 0; k < MAX_UNITS; k++) unit_free(&(*net)->b[i].u[k]);
    free((*net)->prefix);
    free((*net)->arena);
    FREE(*net);
}

size_t resnet_split(const resnet *net)
{
    return net->between;
}

int64_t resnet_bytes(const resnet *net)
{
    return net->arena_bytes;
}

int resnet_recomputed(const resnet *net)
{
    int n = net->stem_again;
    for (int i = 0; i < net->n_blocks; i++) n += net->b[i].again;
    return n;
}
