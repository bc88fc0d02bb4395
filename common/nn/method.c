/* method.c -- the table of training objectives. */
#include "micon/nn/method.h"

const method_info method_table[] = {
    [METHOD_MICON] = {.trains = true,
                      .items = ITEMS_PAIRS,
                      .controls = true,
                      .compounds = true,
                      .projector = true,
                      .generator = true,
                      .classes = true,
                      .augment = AUGMENT_FLIPS,
                      .temperature = 1},
    [METHOD_PACLR] = {.trains = true,
                      .items = ITEMS_PAIRS,
                      .controls = true,
                      .projector = true,
                      .classes = true,
                      .augment = AUGMENT_FLIPS,
                      .temperature = 1},
    [METHOD_SIMCLR] = {.trains = true, .items = ITEMS_TILES, .projector = true, .augment = AUGMENT_FULL, .temperature = 1},
    [METHOD_CLIP] =
        {.trains = true, .items = ITEMS_COMPOUNDS, .compounds = true, .classes = true, .augment = AUGMENT_FLIPS, .temperature = 0.07},
    [METHOD_PRETRAINED] = {.augment = AUGMENT_FLIPS, .temperature = 1},
    [METHOD_CLASSICAL] = {.measured = true, .augment = AUGMENT_FLIPS, .temperature = 1},
};
_Static_assert(sizeof method_table / sizeof *method_table == N_METHODS, "a row for each name of METHODS");

const char *method_name(int method)
{
#define METHOD_NAME(id, name) [id] = name,
    static const char *const name[] = {METHODS(METHOD_NAME)};
    return name[method];
}

int method_slots(const method_info *m)
{
    return m->controls ? 4 : 2;
}

augment_kind method_augment(const train_options *o)
{
    return o->augment == AUGMENT_AUTO ? method_table[o->method].augment : (augment_kind)o->augment;
}

double method_temperature(const train_options *o)
{
    return o->temperature > 0 ? o->temperature : method_table[o->method].temperature;
}
