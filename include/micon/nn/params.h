/* params.h -- the tensors of a model: trained ones, and others (running statistics, frozen layers). Local.
 * Trained values lie in one array in the order they were added, gradients and moments in arrays of the same order, so that a range of
 * the array is a range of layers. */
#ifndef MICON_NN_PARAMS_H
#define MICON_NN_PARAMS_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    char *name; /* "encoder.layer1.0.conv1.weight" */
    int n_dims;
    int64_t dim[4];
    size_t count, at; /* values, and where they begin: in `value` if trained, else in `state` */
    bool trained;
} nn_param;

/* {0} is valid and empty. */
typedef struct {
    nn_param *item;
    size_t n, cap;
    size_t n_trained, n_state;
    float *value, *grad, *moment1, *moment2, *state;
} nn_params;

/* Trained values [first, first + n). */
typedef struct {
    size_t first, n;
} nn_range;

/* Before params_allocate. Returns the tensor's number. */
size_t params_add(nn_params *p, const char *name, int n_dims, const int64_t *dim, bool trained);
status params_allocate(nn_params *p, bool training) MUST_USE; /* zeros; grad and moments only for training */
void params_free(nn_params *p);

nn_range params_all(const nn_params *p);
float *params_value(const nn_params *p, size_t i);
float *params_grad(const nn_params *p, size_t i);       /* of a trained one */
long params_find(const nn_params *p, const char *name); /* -1: none */

/* Fill tensor i: uniform in +-bound, normal with sd, or a constant. Drawn from Philox (seed, STREAM_INIT), counter (i, 0, draw): the same
 * everywhere. */
void params_fill_uniform(nn_params *p, size_t i, uint32_t seed, double bound);
void params_fill_normal(nn_params *p, size_t i, uint32_t seed, double sd);
void params_fill(nn_params *p, size_t i, float v);

#endif
