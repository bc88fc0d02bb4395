/* model_make.c -- a model with first weights, without training: model_make OUT size_px dim projection bits generator channel...
 * In the environment: MODEL_DEPTH of the ResNet, else 18; MODEL_SEEN, compounds that it was trained on, with spaces between;
 * MODEL_DOSED: it takes doses, of mean 0 and sd 1. */
#include "micon/base/mem.h"
#include "micon/nn/model.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    if (argc < 8) return 2;
    const char *depth = getenv("MODEL_DEPTH");
    model m = {.depth = depth ? atoi(depth) : 18,
               .size_px = atoi(argv[2]),
               .dim = atoi(argv[3]),
               .projection = atoi(argv[4]),
               .bits = atoi(argv[5]),
               .has_generator = atoi(argv[6]) != 0,
               .has_dose = getenv("MODEL_DOSED") != NULL,
               .dose_sd = 1,
               .pretrained = atoi(argv[4]) == 0};
    for (int i = 7; i < argc; i++) names_add(&m.channels, argv[i]);
    if (getenv("MODEL_SEEN")) names_split(&m.compounds, getenv("MODEL_SEEN"), ' ');
    m.mean = xcalloc(m.channels.n, sizeof *m.mean);
    m.sd = xcalloc(m.channels.n, sizeof *m.sd);
    for (size_t c = 0; c < m.channels.n; c++) m.mean[c] = 0.2, m.sd[c] = 0.2;
    text_add(&m.made_from, "made for a test\n");
    status st = model_build(&m, false);
    if (st == OK) model_init(&m, 1);
    if (st == OK) st = model_write(&m, 0, argv[1]);
    if (st != OK) fprintf(stderr, "%s\n", msg_get());
    model_free(&m);
    return status_exit(st);
}
