/* plan_estimate.c -- how long, how much memory, how many bytes: rates of one core times the work of a step. `micon plan --calibrate` measures by
 * what factor this machine and these images differ (plan_calibrate.c). */
#include "driver.h"

#include "micon/base/memory_budget.h"
#include "micon/nn/augment.h"
#include "micon/nn/resnet.h"

#include <math.h>

/* Of one core, measured on a 2-core x86-64 machine. */
static const double IMAGE_TILE_S = 0.030;     /* reading and cutting one image of about a megapixel */
static const double COMPOUND_S = 0.002;       /* standardizing and hashing one compound */
static const double PIXEL_FLOPS_18 = 36500.0; /* resnet18: multiply-adds forward, a pixel of a channel */
static const double CORE_FLOPS = 80e9;        /* convolutions, fp32 */
static const double WELL_EVALUATE_S = 0.004;
/* An outside table: by its bytes of text (plan_make), about 8 of which are a value. Evaluating takes 9 times the matrix of 4 bytes a value (62,162
 * wells of 1,000 features: 2.2 GiB, 210 s of a core), that is 4 bytes, rounded down, and half a microsecond a byte of text. */
static const double TABLE_MEMORY = 4, TABLE_S = 0.5e-6;

static double encoder_factor(int encoder)
{
    static const double times[] = {[ENCODER_RESNET18] = 1, [ENCODER_RESNET34] = 2, [ENCODER_RESNET50] = 2.3, [ENCODER_RESNET101] = 4.3};
    return times[encoder];
}

static double forward_seconds(const config *c, double tiles)
{
    double pixels = (double)c->tile.size * (double)c->tile.size * (double)c->screen.channels.n;
    return tiles * pixels * PIXEL_FLOPS_18 * encoder_factor(c->train.encoder) / CORE_FLOPS;
}

double estimate_train_s(const config *c)
{
    return forward_seconds(c, 3.0 * (double)c->train.steps * (double)c->train.batch * 2);
}

/* What the ranks of a node share: tiles, and of frozen layers their outputs. At most: tiles that are held out or flagged are not kept, and
 * auto asks for bf16 where it can be had. */
static double train_shared(const plan *p, const config *c, double tiles)
{
    static const int depth[] = {[ENCODER_RESNET18] = 18, [ENCODER_RESNET34] = 34, [ENCODER_RESNET50] = 50, [ENCODER_RESNET101] = 101};
    const train_options *o = &c->train;
    double channels = (double)c->screen.channels.n, per_tile = (double)c->tile.size * (double)c->tile.size * channels;
    double kept = fmin(tiles * per_tile, memory_budget_tiles(o->tiles_memory, p->memory, p->shared));
    if (o->freeze == FREEZE_NONE || o->augment != 1 + AUGMENT_NONE) return kept;
    double slots = o->method == METHOD_MICON || o->method == METHOD_PACLR ? 4 : 2, asked = (double)o->steps * (double)o->batch * slots;
    nn_type type = o->precision == PRECISION_BF16 ? NN_BF16 : NN_F32;
    double outputs = channels * (double)resnet_split_bytes(depth[o->encoder], (int)c->tile.size, o->freeze, type);
    return kept + fmin(fmin(tiles, asked) * outputs, memory_budget_cache(o->cache_memory, p->memory - kept, p->shared - kept));
}

static double work_of(step *s, const plan *p, const config *c)
{
    const screen_plate *pl = s->plate >= 0 ? &p->screen.plate[s->plate] : NULL;
    double channels = (double)c->screen.channels.n, per_tile = (double)c->tile.size * (double)c->tile.size * channels, sites = 0;
    double ranks = (double)(s->stage == STAGE_TRAIN && p->train_ranks > 0 ? p->train_ranks : p->ranks);
    double core_s = 0, mem = 200e6 * ranks, bytes = 0, per_site = (double)c->tile.tiles_per_site;
    for (size_t i = 0; i < p->screen.n; i++) sites += (double)p->screen.plate[i].sites;
    switch (s->stage) {
    case STAGE_FEATURIZE:
        core_s = (double)p->screen.compounds * COMPOUND_S;
        bytes = (double)p->screen.compounds * ((double)c->featurize.bits + 400);
        break;
    case STAGE_TILE:
        core_s = (double)pl->images * IMAGE_TILE_S;
        bytes = (double)pl->sites * per_site * (per_tile + 600);
        mem += fmin((double)c->tile.memory, bytes * 2);
        break;
    case STAGE_TRAIN:
        core_s = estimate_train_s(c);
        bytes = 50e6 * encoder_factor(c->train.encoder) * channels;
        mem += c->train.memory > 0 ? (double)c->train.memory * ranks : (double)c->train.batch * per_tile * 400;
        mem += train_shared(p, c, sites * per_site);
        break;
    case STAGE_EMBED:
        core_s = forward_seconds(c, (double)pl->sites * per_site);
        bytes = (double)pl->sites * (double)(c->train.dim + c->train.projection) * 4;
        mem += 64 * per_tile * 100;
        break;
    default:
        core_s = sites * WELL_EVALUATE_S + p->tables * TABLE_S;
        bytes = sites * (double)c->train.dim * 4 + p->tables / 2;
        mem += sites * (double)c->train.dim * 4 * 3 + p->tables * TABLE_MEMORY;
        break;
    }
    s->mem = (int64_t)mem;
    s->bytes = (int64_t)bytes;
    return core_s;
}

void plan_estimate(plan *p, const config *c)
{
    double wanted[N_STAGES] = {0};
    for (size_t i = 0; i < p->n; i++) wanted[p->step[i].stage] += step_wants_run(&p->step[i]);
    for (size_t i = 0; i < p->n; i++) {
        step *s = &p->step[i];
        double lanes = fmax(1, fmin(wanted[s->stage], (double)p->ranks)); /* starts side by side */
        double core_s = work_of(s, p, c) * p->rates.factor[s->stage];
        s->seconds = p->rates.start_s[s->stage] + core_s / (double)p->ranks;
        s->here_s = p->rates.start_s[s->stage] / lanes + core_s / (double)p->ranks;
    }
}
