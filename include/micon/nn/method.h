/* method.h -- the training objectives (train.method) as a table: what an item is, which heads there are, what is needed, the defaults
 * (docs/method.md 5). Local. A new objective is a name in METHODS (config/config.h), a row here, and its loss in stages/train/losses.c. */
#ifndef MICON_NN_METHOD_H
#define MICON_NN_METHOD_H
#include "micon/config/config.h"
#include "micon/nn/pair_sampler.h"

typedef struct {
    bool trains;       /* no: the encoder's weights are used as they are */
    item_source items; /* what a step draws */
    bool controls;     /* each view of an item has a control tile too */
    bool compounds;    /* compounds.h5 is required: there is a compound head */
    bool projector;    /* heads */
    bool generator;
    bool classes;         /* rows know their compound, so that train.aux can be added */
    augment_kind augment; /* what `auto` is */
    double temperature;   /* what `auto` is */
} method_info;
extern const method_info method_table[]; /* [N_METHODS] */

const char *method_name(int method);
int method_slots(const method_info *m);              /* tiles of an item: a treated one a view, and with `controls` a control too */
augment_kind method_augment(const train_options *o); /* train.augment, auto resolved */
double method_temperature(const train_options *o);   /* train.temperature, auto resolved */

#endif
