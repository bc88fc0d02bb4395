/* scale_model.c -- what micon plan --nodes computes, as numbers.
 *   scale_model step SCREEN.YAML SECONDS NODES RANKS [KEY=VALUE...]   seconds of a training step on NODES nodes of RANKS ranks of one core,
 *                                                                     where it takes SECONDS on one core; work/status/network.json is used
 *   scale_model curves                                                CSV: efficiency of training on nodes of 32 cores, by the constants
 *                                                                     that are assumed: with two ranks on each, with two and nothing of
 *                                                                     the sums hidden, with 32 */
#include "../../pipeline/driver.h"
#include "micon/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int step_seconds(int argc, char **argv)
{
    config c = {0};
    names sets = {0};
    scale_step s;
    scale_cluster k = {.nodes = atoll(argv[3]), .ranks = atoll(argv[4]), .train_ranks = atoll(argv[4]), .link_gbit = -1, .storage = 1e9};
    for (int i = 5; i < argc; i++) names_add(&sets, argv[i]);
    if (config_read(&c, argv[1], &sets) != OK) return fprintf(stderr, "%s\n", msg_get()), 1;
    network_read(&k.network, &c);
    scale_step_of(&s, &c, atof(argv[2]), &k);
    printf("%.4f\n", scale_step_s(&s));
    config_free(&c);
    names_free(&sets);
    return 0;
}

static void curve(const char *encoder, int size, int64_t batch, int64_t ranks, double exposed)
{
    enum { CORES = 32 };
    char *yaml =
        xasprintf("screen: {name: x, index: x.csv, channels: [A, B, C, D, E]}\ntile: {size: %d}\ntrain: {encoder: %s, batch: %lld}\n", size,
                  encoder, (long long)batch);
    config c = {0};
    if (config_parse(&c, "x.yaml", yaml, strlen(yaml), NULL) != OK) fprintf(stderr, "%s\n", msg_get()), exit(1);
    double core_s = estimate_train_s(&c) / (double)c.train.steps;
    for (int64_t nodes = 1; nodes * ranks <= 1024 && nodes * ranks <= batch; nodes *= 2) {
        const scale_cluster k = {
            .nodes = nodes, .ranks = CORES, .train_ranks = ranks, .link_gbit = -1, .storage = 1e9, .network = {.net_exposed = exposed}};
        scale_step s;
        scale_step_of(&s, &c, core_s, &k);
        printf("%s,%d,%lld,%lld,%lld,%.0f,%lld,%.3f\n", encoder, size, (long long)batch, (long long)nodes, (long long)ranks, exposed,
               (long long)(nodes * CORES), core_s / (double)(nodes * CORES) / scale_step_s(&s));
    }
    config_free(&c);
    free(yaml);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *encoder;
        int size;
    } nets[] = {{"resnet18", 96}, {"resnet50", 224}, {"resnet101", 224}};
    static const struct {
        int64_t ranks;
        double exposed;
    } ways[] = {{2, 0}, {2, 1}, {32, 0}};
    static const int64_t batches[] = {256, 4096};
    if (argc >= 6 && strcmp(argv[1], "step") == 0) return step_seconds(argc - 1, argv + 1);
    if (argc != 2 || strcmp(argv[1], "curves") != 0) return fprintf(stderr, "scale_model step ... | curves: see its head\n"), 2;
    printf("encoder,size,batch,nodes,ranks,exposed,cores,efficiency\n");
    for (size_t w = 0; w < 3; w++)
        for (size_t k = 0; k < 6; k++) curve(nets[k / 2].encoder, nets[k / 2].size, batches[k % 2], ways[w].ranks, ways[w].exposed);
    return 0;
}
