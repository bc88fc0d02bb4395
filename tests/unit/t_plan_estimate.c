/* t_plan_estimate.c -- the memory that micon plan foretells of training: tiles, and outputs of frozen layers, as the stage takes them. */
#include "../../pipeline/driver.h"
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/memory_budget.h"
#include "micon/base/path.h"

#include <stdlib.h>

enum { SIZE = 224, CHANNELS = 3, TILES = 4 * (500 + 250) }; /* four a site */
static const double ALL = TILES * (double)CHANNELS * SIZE * SIZE, GB = 1e9;

/* Of a training with these lines below "train:" on a machine with so much memory. */
static double memory_of(const char *train, double memory, double shared)
{
    double got = NAN;
    config c = {0};
    screen_plate plates[] = {{.sites = 500, .images = 1500}, {.sites = 250, .images = 750}};
    step s = {.stage = stage_find("train"), .plate = -1, .chosen = true};
    plan p = {.screen = {.plate = plates, .n = 2}, .step = &s, .n = 1, .ranks = 2, .memory = memory, .shared = shared};
    for (int i = 0; i < n_stages; i++) p.rates.factor[i] = 1;
    char *yaml =
        xasprintf("screen: {name: x, index: x.csv, channels: [A, B, C]}\ntile: {size: %d, tiles_per_site: 4}\ntrain: {memory: 1GiB, %s}\n",
                  SIZE, train);
    if (config_parse(&c, "x.yaml", yaml, strlen(yaml), NULL) == OK) {
        plan_estimate(&p, &c);
        got = (double)s.mem;
    } else
        printf("# %s\n", msg_get());
    msg_clear();
    config_free(&c);
    free(yaml);
    return got;
}

/* What of it is not shared. */
static double base(void)
{
    return memory_of("tiles_memory: 64KiB", 100 * GB, INFINITY) - 65536;
}

static void is(const char *train, double memory, double shared, double want, const char *what)
{
    tap_near(memory_of(train, memory, shared) - base(), want, 0, 2, what, __FILE__, __LINE__);
}

static void test_tiles(void)
{
    ok(base() > 0, "there is more to it than tiles");
    is("", 100 * GB, 50 * GB, ALL, "all tiles where there is room");
    is("", 0.5 * GB, 50 * GB, 0.3 * GB, "else 60 per cent of what is free");
    is("", 100 * GB, 0.2 * GB, 0.2 * GB, "no more than ranks can share");
    is("", 100 * GB, INFINITY, ALL, "one rank shares with nobody");
    is("tiles_memory: 100MB", 100 * GB, 50 * GB, 100e6, "as much as is given");
    is("tiles_memory: 10GB", 1 * GB, 50 * GB, ALL, "and no more than there are");
}

static void test_frozen(void)
{
    const double layer2 = CHANNELS * 128.0 * 28 * 28 * 4;
    is("freeze: layer2", 1000 * GB, 500 * GB, ALL, "frozen layers behind flips are not kept");
    is("freeze: layer2, augment: flips", 1000 * GB, 500 * GB, ALL, "whether asked for or not");
    is("augment: none", 1000 * GB, 500 * GB, ALL, "nor is anything where nothing is frozen");
    is("freeze: layer2, augment: none", 1000 * GB, 500 * GB, ALL + TILES * layer2, "outputs of all tiles where there is room");
    is("freeze: layer2, augment: none, precision: bf16", 1000 * GB, 500 * GB, ALL + TILES * layer2 / 2, "in bf16 half as much");
    is("freeze: all, augment: none, encoder: resnet50", 1000 * GB, 500 * GB, ALL + TILES * CHANNELS * 2048.0 * 4, "pooled ones");
    is("freeze: stem, augment: none, encoder: resnet50", 1000 * GB, 500 * GB, ALL + TILES * CHANNELS * 64.0 * 56 * 56 * 4, "of the stem");
    is("freeze: layer2, augment: none, steps: 3, batch: 8", 1000 * GB, 500 * GB, ALL + 3 * 8 * 4 * layer2, "of those that steps ask for");
    is("freeze: layer2, augment: none, steps: 3, batch: 8, method: simclr", 1000 * GB, 500 * GB, ALL + 3 * 8 * 2 * layer2,
       "which are fewer without controls");
    is("freeze: layer2, augment: none, cache_memory: 50MB", 1000 * GB, 500 * GB, ALL + 50e6, "as much as is given");
    is("freeze: layer2, augment: none, cache_memory: 0", 1000 * GB, 500 * GB, ALL, "which may be nothing");
    is("freeze: layer2, augment: none", 2 * GB, 50 * GB, ALL + (2 * GB - ALL) / 2, "else half of what the tiles leave");
    is("freeze: layer2, augment: none", 1000 * GB, 1 * GB, ALL + (1 * GB - ALL), "of what ranks can share too");
}

static void test_shared(void)
{
    int64_t there = 0;
    if (path_free_bytes("/dev/shm", &there) != OK) msg_clear();
    ok(isinf(memory_budget_shared(1)), "one rank needs no /dev/shm");
    ok(there == 0 || (memory_budget_shared(2) > 0 && memory_budget_shared(2) < (double)there * 1.05), "two have less than it has");
}

/* With -n 2: on SLURM the ranks of a node are others. */
static double memory_on(int64_t train_ranks)
{
    double got = NAN;
    const char *yaml = "screen: {name: x, index: x.csv, channels: [A]}\ntrain: {memory: 1GiB}\n";
    config c = {0};
    step s = {.stage = stage_find("train"), .plate = -1, .chosen = true};
    plan p = {.step = &s, .n = 1, .ranks = 2, .memory = GB, .shared = GB};
    if (train_ranks) p.shape[s.stage].nodes = 3, p.shape[s.stage].ranks = train_ranks, p.shape[s.stage].threads = 1;
    if (config_parse(&c, "x.yaml", yaml, strlen(yaml), NULL) == OK) {
        plan_estimate(&p, &c);
        got = (double)s.mem;
    }
    config_free(&c);
    return got;
}

static double seconds_on(int64_t nodes, int64_t ranks, int64_t threads)
{
    double got = NAN;
    const char *yaml = "screen: {name: x, index: x.csv, channels: [A]}\n";
    config c = {0};
    step s = {.stage = stage_find("train"), .plate = -1, .chosen = true};
    plan p = {.step = &s, .n = 1, .ranks = 2, .memory = GB, .shared = GB};
    p.rates.factor[s.stage] = 1;
    p.shape[s.stage].nodes = nodes, p.shape[s.stage].ranks = ranks, p.shape[s.stage].threads = threads;
    if (config_parse(&c, "x.yaml", yaml, strlen(yaml), NULL) == OK) {
        plan_estimate(&p, &c);
        got = s.seconds;
    }
    config_free(&c);
    return got;
}

static void test_train_ranks(void)
{
    double of_a_rank = 1073741824.0 + 200e6;
    tap_near(memory_on(0), 2 * of_a_rank, 0, 2, "train.memory is of each rank", __FILE__, __LINE__);
    tap_near(memory_on(8), 8 * of_a_rank, 0, 2, "of those that a node has", __FILE__, __LINE__);
    tap_near(seconds_on(0, 0, 0) / seconds_on(3, 4, 2), 12, 1e-9, 2, "all nodes, their ranks and threads share the work", __FILE__,
             __LINE__);
}

/* 62,162 wells of 1,000 features took 2.2 GiB and 105 s on two ranks. */
static void test_tables(void)
{
    const char *yaml = "screen: {name: x, channels: [A]}\nevaluate: {profiles: table.csv}\n";
    config c = {0};
    step s = {.stage = stage_find("evaluate"), .plate = -1, .chosen = true};
    plan p = {.step = &s, .n = 1, .ranks = 2, .tables = 62162.0 * 1000 * 8};
    for (int i = 0; i < n_stages; i++) p.rates.factor[i] = 1;
    ok(config_parse(&c, "x.yaml", yaml, strlen(yaml), NULL) == OK, "an outside table");
    plan_estimate(&p, &c);
    ok((double)s.mem > 2.2 * 1073741824 && (double)s.mem < 3.3 * 1073741824, "takes the memory that was measured, or somewhat more");
    ok(s.seconds > 100 && s.seconds < 200, "and the time");
    p.tables *= 3.6;
    plan_estimate(&p, &c);
    ok((double)s.mem > 3.6 * 2 * GB && s.bytes >= 62162LL * 3600 * 4 - 1, "more features take more");
    config_free(&c);
    msg_clear();
}

int main(void)
{
    test_train_ranks();
    test_tables();
    test_tiles();
    test_frozen();
    test_shared();
    return tap_done();
}
