/* params.c -- the tensors of a model. */
#include "micon/nn/params.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <stdlib.h>
#include <string.h>

/* Tensors begin on cache lines. */
static size_t round16(size_t n)
{
    return (n + 15) / 16 * 16;
}

size_t params_add(nn_params *p, const char *name, int n_dims, const int64_t *dim, bool trained)
{
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->item = xrealloc(p->item, p->cap * sizeof *p->item);
    }
    nn_param *t = &p->item[p->n];
    *t = (nn_param){.name = xstrdup(name), .n_dims = n_dims, .count = 1, .trained = trained};
    for (int i = 0; i < n_dims; i++) {
        t->dim[i] = dim[i];
        t->count *= (size_t)dim[i];
    }
    size_t *end = trained ? &p->n_trained : &p->n_state;
    t->at = *end;
    *end += round16(t->count);
    return p->n++;
}

status params_allocate(nn_params *p, bool training)
{
    status st = OK;
    TRY(mem_alloc(&p->value, p->n_trained, sizeof(float), "weights"));
    TRY(mem_alloc(&p->state, p->n_state, sizeof(float), "running statistics"));
    if (training) {
        TRY(mem_alloc(&p->grad, p->n_trained, sizeof(float), "gradients"));
        TRY(mem_alloc(&p->moment1, p->n_trained, sizeof(float), "moments"));
        TRY(mem_alloc(&p->moment2, p->n_trained, sizeof(float), "moments"));
    }
done:
    return st;
}

void params_free(nn_params *p)
{
    for (size_t i = 0; i < p->n; i++) free(p->item[i].name);
    free(p->item);
    free(p->value);
    free(p->grad);
    free(p->moment1);
    free(p->moment2);
    free(p->state);
    *p = (nn_params){0};
}

nn_range params_all(const nn_params *p)
{
    return (nn_range){0, p->n_trained};
}

float *params_value(const nn_params *p, size_t i)
{
    return (p->item[i].trained ? p->value : p->state) + p->item[i].at;
}

float *params_grad(const nn_params *p, size_t i)
{
    return p->item[i].trained && p->grad ? p->grad + p->item[i].at : NULL;
}

long params_find(const nn_params *p, const char *name)
{
    for (size_t i = 0; i < p->n; i++)
        if (strcmp(p->item[i].name, name) == 0) return (long)i;
    return -1;
}

void params_fill_uniform(nn_params *p, size_t i, uint32_t seed, double bound)
{
    rng r = rng_at(seed, STREAM_INIT, (uint32_t)i, 0);
    float *v = params_value(p, i);
    for (size_t k = 0; k < p->item[i].count; k++) v[k] = (float)((2 * rng_uniform(&r) - 1) * bound);
}

void params_fill_normal(nn_params *p, size_t i, uint32_t seed, double sd)
{
    rng r = rng_at(seed, STREAM_INIT, (uint32_t)i, 0);
    float *v = params_value(p, i);
    for (size_t k = 0; k < p->item[i].count; k++) v[k] = (float)(sd * rng_normal(&r));
}

void params_fill(nn_params *p, size_t i, float value)
{
    float *v = params_value(p, i);
    for (size_t k = 0; k < p->item[i].count; k++) v[k] = value;
}
