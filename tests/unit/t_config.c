/* t_config.c -- the YAML configuration: what is read, and the message for each way to get it wrong. */
#include "../tap.h"
#include "micon/config/config.h"

#include <stdlib.h>

static status parse(config *c, const char *yaml, const char *set)
{
    names sets = {0};
    if (set) names_add(&sets, set);
    *c = (config){0};
    status st = config_parse(c, "dir/screen.yaml", yaml, strlen(yaml), &sets);
    names_free(&sets);
    return st;
}

static void good(void)
{
    config c;
    const char *yaml = "screen:\n  name: demo\n  index: images/*/load_data.csv\n  control: [A, B]\n  treatment: []\n"
                       "tile: {size: 96, memory: 512MiB, illumination: none}\n"
                       "split:\nslurm:\n  partition: \"\"\n  time: auto\n  train: {nodes: 2}\n";
    ok(parse(&c, yaml, "train.lr=1e-3") == OK, "a configuration");
    ok(c.tile.size == 96 && c.tile.memory == 512 << 20 && c.tile.illumination == ILLUMINATION_NONE, "its values");
    ok(c.screen.control.n == 2 && c.screen.index.n == 1 && c.screen.treatment.n == 0 && c.screen.channels.n == 5, "its lists");
    ok(c.slurm.train.nodes == 2 && c.slurm.all.time_min == -1 && c.slurm.tile.nodes == -1 && c.train.lr == 1e-3 && c.train.memory == -1,
       "nested section, auto, --set");
    char *p = config_plate_file(&c, "tiles", "S1", "a/b", "P_1");
    same(p, "dir/work/tiles/S1__a%2Fb__P_1.h5", "a plate's file name");
    free(p);
    text t = {0};
    config_show(&c, AFFECTS_SPLIT, &t);
    same(text_str(&t),
         "screen.control: [A, B]\nscreen.treatment: []\nsplit.seed: 1\nsplit.test_batches: 1\nsplit.valid_batches: 0\n"
         "split.unseen_sources: []\nsplit.unseen_compounds: 0\n",
         "the effective configuration of a stage");
    text_free(&t);
    config_free(&c);
    ok(parse(&c, "screen: {control: x}", "screen.channels=[A, B]") == OK && c.screen.channels.n == 2 && c.screen.control.n == 1,
       "a given list replaces the default");
    config_free(&c);
}

static void bad(void)
{
    static const struct {
        const char *yaml, *set, *message;
    } wrong[] = {
        {"", NULL, "dir/screen.yaml: the file is empty; README.md shows a screen.yaml"},
        {"tiles:\n  size: 3\n", NULL, "dir/screen.yaml:1: unknown section 'tiles'; did you mean 'tile'?"},
        {"tile:\n  sise: 3\n", NULL, "dir/screen.yaml:2: unknown key 'sise' in section 'tile'; did you mean 'size'?"},
        {"tile:\n  encoder: resnet18\n", NULL, "dir/screen.yaml:2: unknown key 'encoder' in section 'tile'; it belongs to section 'train'"},
        {"tile:\n  size: 3\n", NULL, "dir/screen.yaml:2: size: '3' is not a whole number from 32 to 4096"},
        {"tile:\n  size: 96\n  size: 96\n", NULL, "dir/screen.yaml:3: key 'size' is given twice in section 'tile', first in line 2"},
        {"tile:\n  low: 1\n  low: 1\n", NULL, "dir/screen.yaml:3: key 'low' is given twice in section 'tile', first in line 2"},
        {"tile:\n  low: 1\n  percentile_low: 1\n", NULL,
         "dir/screen.yaml:3: 'percentile_low' and 'low' in line 2 are names of one key of section 'tile': keep 'percentile_low'"},
        {"train:\n  views: any\n  positives: any\n", NULL,
         "dir/screen.yaml:3: 'positives' and 'views' in line 2 are names of one key of section 'train': keep 'positives'"},
        {"train:\n  wire: bf16\n", NULL,
         "dir/screen.yaml:2: train.wire was removed: it is always fp32, and cannot be 'bf16'; remove this key"},
        {"train:\n  aux_weight: [1]\n", NULL, "dir/screen.yaml:2: aux_weight must be plain text"},
        {"tile: {}\n", "train.aux_weight=2",
         "--set train.aux_weight=2: train.aux_weight was removed: it is always 1, and cannot be '2'; remove this key"},
        {"train:\n  generator: change\n", NULL,
         "dir/screen.yaml:2: train.generator was removed: it is always direct, and cannot be 'change'; remove this key"},
        {"tile:\n  low: 51\n", NULL, "dir/screen.yaml:2: percentile_low: '51' is not a number from 0 to 50"},
        {"tile:\n  size: 96\ntile:\n", NULL, "dir/screen.yaml:3: section 'tile' is given twice"},
        {"slurm:\n  train: {}\n  train: {}\n", NULL, "dir/screen.yaml:3: section 'slurm.train' is given twice"},
        {"tile:\n  size: [96]\n", NULL, "dir/screen.yaml:2: size: takes one value, not a list"},
        {"tile:\n  size: {a: 1}\n", NULL, "dir/screen.yaml:2: size must be plain text"},
        {"tile: 5\n", NULL, "dir/screen.yaml:1: section 'tile' must hold 'key: value' lines"},
        {"- a\n", NULL, "dir/screen.yaml:1: expected sections such as 'screen:'"},
        {"tile:\n  illumination: plates\n", NULL, "dir/screen.yaml:2: illumination: 'plates' is not one of none, plate, file"},
        {"tile:\n  size:\n", NULL, "dir/screen.yaml:2: size: '' is not a whole number from 32 to 4096"},
        {"tile:\n  anchor: &x 1\n  b: *x\n", NULL, "dir/screen.yaml:2: unknown key 'anchor' in section 'tile'"},
        {"screen:\n  index: *x\n", NULL, "dir/screen.yaml:2: aliases (*name) are not supported here"},
        {"tile: {size: 96\n", NULL, "dir/screen.yaml:2: not YAML: did not find expected ',' or '}'"},
        {"a\xff: 1\n", NULL, "dir/screen.yaml:1: not YAML: invalid leading UTF-8 octet"},
        {"tile: {}\n---\ntile: {}\n", NULL, "dir/screen.yaml:2: a second YAML document (---) is not allowed"},
        {"tile: {tiles_per_site: 3}\n", NULL, "dir/screen.yaml: tile.tiles_per_site: 3 is not a square number (1, 4, 9, ...)"},
        {"tile: {tiles_per_site: 81}\n", NULL, "dir/screen.yaml: tile.tiles_per_site: 81 is not a square number up to 64 (1, 4, 9, ...)"},
        {"tile: {scale: 2}\n", NULL, "dir/screen.yaml: tile.scale applies to tile.crop: cells only"},
        {"featurize: {bits: 1000}\n", NULL, "dir/screen.yaml: featurize.bits: 1000 is not a power of two"},
        {"screen: {channels: [A, A]}\n", NULL, "dir/screen.yaml: screen.channels: 'A' is given twice"},
        {"tile: {}\n", "size=3", "--set size=3: expected section.key=value"},
        {"tile: {}\n", "tile.sizes=3", "--set tile.sizes=3: unknown key 'sizes' in section 'tile'; did you mean 'size'?"},
        {"tile: {}\n", "tile.size=9999", "--set tile.size=9999: size: '9999' is not a whole number from 32 to 4096"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        config c;
        ok(parse(&c, wrong[i].yaml, wrong[i].set) == E_USAGE, "refused:");
        same(msg_get(), wrong[i].message, wrong[i].message);
        msg_clear();
        config_free(&c);
    }
    config c = {0};
    char want[700];
    ok(config_read(&c, tap_absent("screen.yaml"), NULL) == E_USAGE, "no such file");
    snprintf(want, sizeof want, "%s: No such file or directory", tap_absent("screen.yaml"));
    same(msg_get(), want, "its message");
    msg_clear();
    config_free(&c);
}

/* Renamed keys: read under both names, shown under the new one, compared under the older. */
static void renamed(void)
{
    config c;
    text shown = {0}, same_as = {0};
    for (const config_rename *r = config_renamed; r->section; r++) {
        ok(opt_find(config_options, r->section, r->name) != NULL, r->name);
        ok(opt_find(config_options, r->section, r->older) == NULL, r->older);
    }
    ok(parse(&c, "tile: {low: 1}\ntrain:\n  views: any\n", "evaluate.correct=harmony") == OK, "older names");
    ok(c.tile.percentile_low == 1 && c.train.positives == POSITIVES_ANY && c.evaluate.batch_correction == CORRECTION_HARMONY,
       "give the same values");
    ok(c.older_keys.n == 3, "and a note each");
    same(c.older_keys.item[1], "dir/screen.yaml:3: train.views is now called train.positives; the older name still works", "with its line");
    same(c.older_keys.item[2],
         "--set evaluate.correct=harmony: evaluate.correct is now called evaluate.batch_correction; the older name still works",
         "or the argument");
    config_show(&c, ~0u, &shown);
    ok(strstr(text_str(&shown), "tile.percentile_low: 1\n") && !strstr(text_str(&shown), "tile.low"), "shown under the new name");
    config_free(&c);
    config_comparable("tile.low: 1\ntrain.positives: any\ntrain.positives_too: 2\nplate left out: train.positives: x", &same_as);
    same(text_str(&same_as), "tile.low: 1\ntrain.views: any\ntrain.positives_too: 2\nplate left out: train.positives: x",
         "compared under the older name, whole keys at the start of a line only");
    text_clear(&same_as);
    text_clear(&same_as);
    config_comparable("train.seed: 1\ntrain.deterministic: no\ntrain.dim: 2\ntrain.deterministic: yes\ntrain.deterministic: nothing",
                      &same_as);
    same(text_str(&same_as), "train.seed: 1\ntrain.dim: 2\ntrain.deterministic: yes\ntrain.deterministic: nothing",
         "an added key that does as before");
    text_clear(&same_as);
    config_comparable("", &same_as);
    same(text_str(&same_as), "", "nothing");
    text_free(&shown);
    text_free(&same_as);
    ok(parse(&c, "tile: {low: 1}", "tile.percentile_low=2") == OK && c.tile.percentile_low == 2, "--set overrides the file by either name");
    config_free(&c);
}

/* Removed keys: ignored at the value that always holds, compared as if they were there. */
static void removed(void)
{
    config c;
    text shown = {0}, now = {0}, then = {0};
    for (const config_removal *r = config_removed; r->section; r++) {
        ok(opt_find(config_options, r->section, r->name) == NULL, r->name);
        ok(opt_find(config_options, r->section, r->after) != NULL, r->after);
    }
    ok(parse(&c, "train: {aux_weight: 1.0}", "train.wire=fp32") == OK && c.older_keys.n == 2, "removed keys at their values");
    same(c.older_keys.item[0], "dir/screen.yaml:1: train.aux_weight was removed: it is always 1; this key is ignored", "are named");
    config_show(&c, AFFECTS_MODEL, &shown);
    config_free(&c);
    ok(!strstr(text_str(&shown), "aux_weight") && !strstr(text_str(&shown), "wire"), "and not shown");
    config_comparable(text_str(&shown), &now);
    ok(strstr(text_str(&now), "train.aux: no\ntrain.aux_weight: 1\ntrain.augment: auto\n") != NULL, "compared with them in their place");
    ok(strstr(text_str(&now), "train.lambda: 1\ntrain.generator: direct\ntrain.detach: yes\n") != NULL, "also the generator's kind");
    config_comparable(text_str(&now), &then);
    same(text_str(&now), text_str(&then), "which older outputs recorded");
    text_clear(&now);
    config_comparable("train.early_stop: 0\ntrain.gradient_dtype: bf16\nx: 1\n", &now);
    same(text_str(&now), "train.early_stop: 0\ntrain.wire: bf16\nx: 1\n", "another value is another configuration");
    text_free(&shown);
    text_free(&now);
    text_free(&then);
}

int main(void)
{
    good();
    renamed();
    removed();
    bad();
    return tap_done();
}
