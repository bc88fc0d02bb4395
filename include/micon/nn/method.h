/* method.h -- the training objectives (train.method) as a table: its items, heads, requirements and defaults
 * (docs/method.md 5). Local. A new objective is a name in METHODS (config/config.h), a row here, and its loss in
 * stages/train/method_losses.c. */
#ifndef MICON_NN_METHOD_H
#define MICON_NN_METHOD_H
#include "micon/config/config.h"
#include "micon/nn/pair_sampler.h"

typedef struct {
    bool trains;       /* no: the encoder's weights are used as they are */
    bool measured;     /* no network at all: profiles are micon-measure's features of cells */
    item_source items; /* what a step is made of */
    bool controls;     /* each view of an item has a control tile too */
    bool compounds;    /* there is a compound head: compounds.h5 is required */
    bool projector;    /* heads */
    bool generator;
    bool classes;         /* rows know their compound, so that train.aux can be added */
    augment_kind augment; /* for `auto` */
    double temperature;   /* for `auto` */
} method_info;
extern const method_info method_table[]; /* [N_METHODS] */

const char *method_name(int method);
int method_slots(const method_info *m);              /* tiles of an item: a treated one a view, and with `controls` a control too */
augment_kind method_augment(const train_options *o); /* train.augment, auto resolved */
double method_temperature(const train_options *o);   /* train.temperature, auto resolved */

#endif
