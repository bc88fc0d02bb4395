/* stage_table.c -- the table of stages: what each makes, from what, and what it costs. The rest of the driver knows no stage by name: a new
 * stage is a row here, its cost function, and its program in stages/NAME. */
#include "driver.h"

#include "micon/base/memory_budget.h"
#include "micon/config/file_formats.h"
#include "micon/nn/method.h"
#include "micon/nn/resnet.h"

#include <math.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* ---- costs: rates of one core times the work of a step ---- */

/* Of one core, measured on a 2-core x86-64 machine. */
static const double IMAGE_TILE_S = 0.030;     /* reading and cutting one image of about a megapixel */
static const double COMPOUND_S = 0.002;       /* standardizing and hashing one compound */
static const double PIXEL_FLOPS_18 = 36500.0; /* resnet18: multiply-adds forward, a pixel of a channel */
static const double CORE_FLOPS = 80e9;        /* convolutions, fp32 */
static const double SITE_NUCLEI_S = 0.08;     /* finding the nuclei of a site */
static const double IMAGE_MEASURE_S = 0.25;   /* finding and measuring the cells of one image of about a megapixel */
static const double WELL_EVALUATE_S = 0.004;
/* An outside table: by its bytes of text (plan_make), about 8 of which are a value. Evaluating takes 9 times the matrix of 4 bytes a value
 * (62,162 wells of 1,000 features: 2.2 GiB, 210 s of a core), that is 4 bytes, rounded down, and half a microsecond a byte of text. */
static const double TABLE_MEMORY = 4, TABLE_S = 0.5e-6;
static const double RANK_MEMORY = 200e6;
static const double IMAGE_BYTES = 2e6; /* of about a megapixel */

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

static double tile_bytes(const config *c)
{
    return (double)c->tile.size * (double)c->tile.size * (double)c->screen.channels.n;
}

static double all_sites(const plan *p)
{
    double sites = 0;
    for (size_t i = 0; i < p->screen.n; i++) sites += (double)p->screen.plate[i].sites;
    return sites;
}

double estimate_train_s(const config *c)
{
    if (!method_table[c->train.method].trains) return 1; /* the weights are written as they are */
    return forward_seconds(c, 3.0 * (double)c->train.steps * (double)c->train.batch * 2);
}

/* What the ranks of a node share: tiles and, with frozen layers, their outputs. An upper bound: tiles that are held out or flagged are not
 * kept, and auto chooses bf16 where it is available. */
static double train_shared(const plan *p, const config *c, double tiles)
{
    static const int depth[] = {[ENCODER_RESNET18] = 18, [ENCODER_RESNET34] = 34, [ENCODER_RESNET50] = 50, [ENCODER_RESNET101] = 101};
    const train_options *o = &c->train;
    double channels = (double)c->screen.channels.n;
    double kept = fmin(tiles * tile_bytes(c), memory_budget_tiles(o->tiles_memory, p->memory, p->shared));
    if (o->freeze == FREEZE_NONE || method_augment(o) != AUGMENT_NONE) return kept;
    double asked = (double)o->steps * (double)o->batch * method_slots(&method_table[o->method]);
    nn_type type = o->precision == PRECISION_BF16 ? NN_BF16 : NN_F32;
    double outputs = channels * (double)resnet_split_bytes(depth[o->encoder], (int)c->tile.size, o->freeze, type);
    return kept + fmin(fmin(tiles, asked) * outputs, memory_budget_cache(o->cache_memory, p->memory - kept, p->shared - kept));
}

static void featurize_cost(const plan *p, const config *c, const screen_plate *plate, stage_cost *cost)
{
    (void)plate;
    double compounds = (double)p->screen.compounds;
    *cost = (stage_cost){compounds * COMPOUND_S, RANK_MEMORY * (double)p->node_ranks, compounds * ((double)c->featurize.bits + 400), 0};
}

static void tile_cost(const plan *p, const config *c, const screen_plate *plate, stage_cost *cost)
{
    double bytes = (double)plate->sites * (double)c->tile.tiles_per_site * (tile_bytes(c) + 600);
    double cells = c->tile.crop == CROP_CELLS ? (double)plate->sites * SITE_NUCLEI_S : 0;
    *cost = (stage_cost){(double)plate->images * IMAGE_TILE_S + cells,
                         RANK_MEMORY * (double)p->node_ranks + fmin((double)c->tile.memory, bytes * 2), bytes,
                         (double)plate->images * IMAGE_BYTES};
}

static void train_cost(const plan *p, const config *c, const screen_plate *plate, stage_cost *cost)
{
    (void)plate;
    double ranks = (double)p->node_ranks, memory = (double)c->train.memory;
    double mem = RANK_MEMORY * ranks + (memory > 0 ? memory * ranks : (double)c->train.batch * tile_bytes(c) * 400) +
                 train_shared(p, c, all_sites(p) * (double)c->tile.tiles_per_site);
    *cost = (stage_cost){estimate_train_s(c), mem, 50e6 * encoder_factor(c->train.encoder) * (double)c->screen.channels.n, 0};
}

static void embed_cost(const plan *p, const config *c, const screen_plate *plate, stage_cost *cost)
{
    double sites = (double)plate->sites;
    *cost = (stage_cost){forward_seconds(c, sites * (double)c->tile.tiles_per_site),
                         RANK_MEMORY * (double)p->node_ranks + 64 * tile_bytes(c) * 100,
                         sites * (double)(c->train.dim + c->train.projection) * 4, sites * (double)c->tile.tiles_per_site * tile_bytes(c)};
}

static void measure_cost(const plan *p, const config *c, const screen_plate *plate, stage_cost *cost)
{
    double images = (double)plate->images, channels = (double)c->screen.channels.n, values = 2000 * channels; /* of a site, nearly */
    *cost = (stage_cost){images * IMAGE_MEASURE_S, RANK_MEMORY * 2 * (double)p->node_ranks, (double)plate->sites * values * 4,
                         images * IMAGE_BYTES};
}

static void evaluate_cost(const plan *p, const config *c, const screen_plate *plate, stage_cost *cost)
{
    (void)plate;
    double sites = all_sites(p), matrix = sites * (double)c->train.dim * 4;
    *cost = (stage_cost){sites * WELL_EVALUATE_S + p->tables * TABLE_S,
                         RANK_MEMORY * (double)p->node_ranks + matrix * 3 + p->tables * TABLE_MEMORY, matrix + p->tables / 2, 0};
}

/* ---- the table ---- */
static bool measures(const config *c)
{
    return method_table[c->train.method].measured;
}

static bool has_network(const config *c)
{
    return !measures(c);
}

/* Without structures it is left out if no stage needs any: with a given model, micon-embed then predicts no profiles. */
static bool has_compounds(const config *c)
{
    return has_network(c) && (!c->no_structures || (!*c->embed.model && method_table[c->train.method].compounds));
}

static bool trains(const config *c)
{
    return has_network(c) && !*c->embed.model; /* also for `pretrained`: micon-train writes its model.safetensors */
}

const stage_info stage_table[] = {
    {
        .name = "featurize",
        .needs = "",
        .output = WORK_COMPOUNDS,
        .record = "compounds",
        .clean = WORK_COMPOUNDS " " WORK_STRUCTURES,
        .ends = ".h5 .jsonl .yaml",
        .folders = ".",
        .job = "stage.sh featurize",
        .stop_signal = SIGTERM,
        .wanted = has_compounds,
        .resources = offsetof(config, slurm.featurize),
        .estimate = featurize_cost,
    },
    {
        .name = "tile",
        .needs = "",
        .output = WORK_TILES "/{plate}.h5",
        .record = "{plate}",
        .clean = WORK_TILES,
        .ends = ".h5 .yaml",
        .folders = WORK_TILES,
        .job = "stage.sh tile",
        .stop_signal = SIGTERM,
        .per_plate = true,
        .reads_images = true,
        .wanted = has_network,
        .resources = offsetof(config, slurm.tile),
        .estimate = tile_cost,
    },
    {
        .name = "train",
        .needs = "featurize tile",
        .output = WORK_MODELS "/{run}/" MODEL_FILE,
        .record = "{run}",
        .clean = WORK_MODELS "/{run}",
        .ends = ".safetensors .jsonl .yaml",
        .folders = WORK_MODELS "/{run} " WORK_MODELS "/{run}/" MODEL_CHECKPOINTS,
        .job = "train.sh",
        .threads = true,
        .stop_signal = SIGUSR1,
        .trains = true,
        .wanted = trains,
        .resources = offsetof(config, slurm.train),
        .estimate = train_cost,
    },
    {
        .name = "embed",
        .needs = "featurize tile train",
        .output = WORK_EMBEDDINGS "/{run}/{plate}.h5",
        .record = "{run}/{plate}",
        .clean = WORK_EMBEDDINGS "/{run}",
        .ends = ".h5 .yaml",
        .folders = WORK_EMBEDDINGS "/{run}",
        .job = "stage.sh embed",
        .threads = true,
        .stop_signal = SIGTERM,
        .per_plate = true,
        .wanted = has_network,
        .resources = offsetof(config, slurm.embed),
        .estimate = embed_cost,
    },
    {
        .name = "measure",
        .needs = "",
        .output = WORK_FEATURES "/{run}/{plate}.h5",
        .record = "{run}/{plate}",
        .clean = WORK_FEATURES "/{run}",
        .ends = ".h5 .yaml",
        .folders = WORK_FEATURES "/{run}",
        .job = "stage.sh measure",
        .stop_signal = SIGTERM,
        .per_plate = true,
        .reads_images = true,
        .wanted = measures,
        .resources = offsetof(config, slurm.measure),
        .estimate = measure_cost,
    },
    {
        .name = "evaluate",
        .needs = "embed measure",
        .output = WORK_PROFILES "/{run}.h5ad",
        .record = "{run}",
        .clean = WORK_PROFILES "/{run}.h5ad " WORK_PROFILES "/{run}.consensus.h5ad " WORK_REPORTS "/{run}",
        .ends = ".h5ad .html .json .csv .png .svg .yaml",
        .folders = WORK_PROFILES " " WORK_REPORTS "/{run}",
        .job = "stage.sh evaluate",
        .stop_signal = SIGTERM,
        .reads_profiles = true,
        .resources = offsetof(config, slurm.evaluate),
        .estimate = evaluate_cost,
    },
};
const int n_stages = sizeof stage_table / sizeof *stage_table;
_Static_assert(sizeof stage_table / sizeof *stage_table <= MAX_STAGES, "more stages than MAX_STAGES");

/* ---- questions about it ---- */
int stage_find(const char *name)
{
    for (int i = 0; i < n_stages; i++)
        if (strcmp(stage_table[i].name, name) == 0) return i;
    return -1;
}

bool stage_wanted(const config *c, int stage)
{
    const stage_info *s = &stage_table[stage];
    if (c->evaluate.profiles.n) return s->reads_profiles; /* an outside table: nothing is made before it */
    return !s->wanted || s->wanted(c);
}

unsigned stage_needs(const config *c, int stage)
{
    unsigned bits = 0;
    names list = {0};
    names_split(&list, stage_table[stage].needs, ' ');
    for (int i = 0; i < stage; i++)
        if (names_find(&list, stage_table[i].name) >= 0 && stage_wanted(c, i)) bits |= 1u << i;
    names_free(&list);
    return bits;
}

char *stage_path(const char *pattern, const char *run, const char *plate)
{
    static const char run_word[] = "{run}", plate_word[] = "{plate}";
    text t = {0};
    text_add(&t, "");
    for (const char *p = pattern; *p;) {
        if (strncmp(p, run_word, sizeof run_word - 1) == 0) {
            text_add(&t, run);
            p += sizeof run_word - 1;
        } else if (strncmp(p, plate_word, sizeof plate_word - 1) == 0) {
            text_add(&t, plate);
            p += sizeof plate_word - 1;
        } else {
            text_addn(&t, p++, 1);
        }
    }
    return t.s;
}

char *stage_output(const config *c, int stage, const char *plate_name)
{
    char *run = text_encode_name(c->train.run), *below = stage_path(stage_table[stage].output, run, plate_name);
    char *path = config_work(c, below);
    free(below);
    free(run);
    return path;
}

char *stage_record(const config *c, int stage, const char *plate_name)
{
    char *run = text_encode_name(c->train.run), *name = stage_path(stage_table[stage].record, run, plate_name);
    free(run);
    return name;
}

void stage_names(text *out)
{
    for (int i = 0; i < n_stages; i++) text_addf(out, "%s%s", i ? ", " : "", stage_table[i].name);
}

status stages_chosen(const names *given, unsigned *bits)
{
    status st = OK;
    names parts = {0};
    text all = {0};
    const char *known[MAX_STAGES];
    char shown[100];
    for (int i = 0; i < n_stages; i++) known[i] = stage_table[i].name;
    stage_names(&all);
    for (size_t i = 0; i < given->n; i++) names_split(&parts, given->item[i], ',');
    *bits = parts.n ? 0 : ~0u;
    for (size_t i = 0; i < parts.n; i++) {
        int stage = stage_find(parts.item[i]);
        const char *near = stage < 0 ? names_nearest(parts.item[i], known, (size_t)n_stages) : NULL;
        text_show(shown, sizeof shown, parts.item[i]);
        if (near) TRY(fail(E_USAGE, "--stage: unknown stage '%s'; did you mean %s?", shown, near));
        if (stage < 0) TRY(fail(E_USAGE, "--stage: unknown stage '%s'; the stages are %s", shown, text_str(&all)));
        *bits |= 1u << stage;
    }
done:
    names_free(&parts);
    text_free(&all);
    return st;
}
