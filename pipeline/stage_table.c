/* stage_table.c -- the table of stages: what each makes, and from what. */
#include "driver.h"

#include "micon/base/mem.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define BIT(stage) (1u << (stage))

const stage_info stage_table[N_STAGES] = {
    [STAGE_FEATURIZE] = {"featurize", "micon-featurize", false, 0, SIGTERM, "the compound table"},
    [STAGE_TILE] = {"tile", "micon-tile", true, 0, SIGTERM, "tiles of a plate"},
    [STAGE_TRAIN] = {"train", "micon-train", false, BIT(STAGE_FEATURIZE) | BIT(STAGE_TILE), SIGUSR1, "the model"},
    [STAGE_EMBED] = {"embed", "micon-embed", true, BIT(STAGE_FEATURIZE) | BIT(STAGE_TILE) | BIT(STAGE_TRAIN), SIGTERM,
                     "embeddings of a plate"},
    [STAGE_EVALUATE] = {"evaluate", "micon-evaluate", false, BIT(STAGE_EMBED), SIGTERM, "profiles and report"},
};

int stage_find(const char *name)
{
    for (int i = 0; i < N_STAGES; i++)
        if (strcmp(stage_table[i].name, name) == 0) return i;
    return -1;
}

bool stage_wanted(const config *c, int stage)
{
    if (c->evaluate.profiles.n) return stage == STAGE_EVALUATE; /* an outside table: nothing is made before it */
    if (stage == STAGE_TRAIN) return !*c->embed.model && c->train.method != METHOD_PRETRAINED;
    return true;
}

unsigned stage_needs(const config *c, int stage)
{
    unsigned needs = stage_table[stage].needs;
    for (int i = 0; i < N_STAGES; i++)
        if (!stage_wanted(c, i)) needs &= ~BIT(i);
    return needs;
}

char *stage_output(const config *c, int stage, const char *plate_name)
{
    char *run = text_encode_name(c->train.run), *below = NULL;
    switch (stage) {
    case STAGE_FEATURIZE: below = xstrdup("compounds.h5"); break;
    case STAGE_TILE: below = xasprintf("tiles/%s.h5", plate_name); break;
    case STAGE_TRAIN: below = xasprintf("models/%s/model.safetensors", run); break;
    case STAGE_EMBED: below = xasprintf("embeddings/%s/%s.h5", run, plate_name); break;
    default: below = xasprintf("profiles/%s.h5ad", run); break;
    }
    char *path = config_work(c, below);
    free(below);
    free(run);
    return path;
}

char *stage_record(const config *c, int stage, const char *plate_name)
{
    char *run = text_encode_name(c->train.run), *name = NULL;
    switch (stage) {
    case STAGE_FEATURIZE: name = xstrdup("compounds"); break;
    case STAGE_TILE: name = xstrdup(plate_name); break;
    case STAGE_EMBED: name = xasprintf("%s/%s", run, plate_name); break;
    default: name = xstrdup(run); break;
    }
    free(run);
    return name;
}

status stages_chosen(const names *given, unsigned *bits)
{
    status st = OK;
    names parts = {0};
    const char *known[N_STAGES];
    char shown[100];
    for (int i = 0; i < N_STAGES; i++) known[i] = stage_table[i].name;
    for (size_t i = 0; i < given->n; i++) names_split(&parts, given->item[i], ',');
    *bits = parts.n ? 0 : ~0u;
    for (size_t i = 0; i < parts.n; i++) {
        int stage = stage_find(parts.item[i]);
        const char *near = stage < 0 ? names_nearest(parts.item[i], known, N_STAGES) : NULL;
        text_show(shown, sizeof shown, parts.item[i]);
        if (near) TRY(fail(E_USAGE, "--stage: '%s' is no stage; did you mean %s?", shown, near));
        if (stage < 0) TRY(fail(E_USAGE, "--stage: '%s' is no stage: featurize, tile, train, embed, evaluate", shown));
        *bits |= BIT(stage);
    }
done:
    names_free(&parts);
    return st;
}
