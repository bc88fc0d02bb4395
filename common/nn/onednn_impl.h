/* onednn_impl.h -- what differs between oneDNN 2 and 3, for onednn.c alone. 2 describes an operation by a structure and walks over its
 * implementations with an iterator; 3 makes the primitive descriptor at once, moves it on in place, and has descriptors of memory that
 * are objects. Here they are objects for both: md_create, md_destroy. */
#ifndef ONEDNN_IMPL_H
#define ONEDNN_IMPL_H
#include "micon/base/mem.h"
#include "micon/nn/onednn.h"

#include <dnnl.h>
#include <stdbool.h>
#include <stdlib.h>

typedef struct {
    dnnl_dims_t stride, pad;
    const conv_spec *spec;
    dnnl_alg_kind_t alg;
} conv_how;

#if DNNL_VERSION_MAJOR >= 3

typedef dnnl_memory_desc_t md;
typedef const_dnnl_memory_desc_t const_md;

static dnnl_status_t md_create(md *out, int n, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    return dnnl_memory_desc_create_with_tag(out, n, dims, type, tag);
}

static void md_destroy(md *d)
{
    if (*d) dnnl_memory_desc_destroy(*d);
    *d = NULL;
}

static dnnl_status_t append_sum(dnnl_post_ops_t after)
{
    return dnnl_post_ops_append_sum(after, 1.0f, 0, dnnl_data_type_undef);
}

static dnnl_status_t append_relu(dnnl_post_ops_t after)
{
    return dnnl_post_ops_append_eltwise(after, dnnl_eltwise_relu, 0.0f, 0.0f);
}

static dnnl_status_t matmul_describe(dnnl_primitive_desc_t *out, dnnl_engine_t e, md a, md b, md bias, md y, dnnl_primitive_attr_t attr)
{
    return dnnl_matmul_primitive_desc_create(out, e, a, b, bias, y, attr);
}

/* A walk over the implementations of a convolution: pd is the current one. */
typedef struct {
    dnnl_primitive_desc_t pd;
} impl_walk;

static dnnl_status_t walk_start(impl_walk *w, dnnl_engine_t e, conv_direction direction, const conv_how *h, md x, md wt, md bias, md y,
                                dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr)
{
    dnnl_dims_t dilate = {0, 0};
    *w = (impl_walk){NULL};
    if (direction == CONV_BACK_DATA)
        return dnnl_convolution_backward_data_primitive_desc_create(&w->pd, e, h->alg, x, wt, y, h->stride, dilate, h->pad, h->pad, hint,
                                                                    attr);
    if (direction == CONV_BACK_WEIGHTS)
        return dnnl_convolution_backward_weights_primitive_desc_create(&w->pd, e, h->alg, x, wt, NULL, y, h->stride, dilate, h->pad, h->pad,
                                                                       hint, attr);
    return dnnl_convolution_forward_primitive_desc_create(&w->pd, e, h->spec->bias ? dnnl_forward_inference : dnnl_forward_training, h->alg,
                                                          x, wt, h->spec->bias ? bias : NULL, y, h->stride, dilate, h->pad, h->pad, attr);
}

static bool walk_next(impl_walk *w)
{
    return dnnl_primitive_desc_next_impl(w->pd) == dnnl_success;
}

static void walk_end(impl_walk *w)
{
    if (w->pd) dnnl_primitive_desc_destroy(w->pd);
    w->pd = NULL;
}

#else

typedef dnnl_memory_desc_t *md;
typedef const dnnl_memory_desc_t *const_md;

static dnnl_status_t md_create(md *out, int n, const dnnl_dims_t dims, dnnl_data_type_t type, dnnl_format_tag_t tag)
{
    *out = xcalloc(1, sizeof **out);
    return dnnl_memory_desc_init_by_tag(*out, n, dims, type, tag);
}

static void md_destroy(md *d)
{
    FREE(*d);
}

static dnnl_status_t append_sum(dnnl_post_ops_t after)
{
    return dnnl_post_ops_append_sum(after, 1.0f);
}

static dnnl_status_t append_relu(dnnl_post_ops_t after)
{
    return dnnl_post_ops_append_eltwise(after, 1.0f, dnnl_eltwise_relu, 0.0f, 0.0f);
}

static dnnl_status_t matmul_describe(dnnl_primitive_desc_t *out, dnnl_engine_t e, md a, md b, md bias, md y, dnnl_primitive_attr_t attr)
{
    dnnl_matmul_desc_t desc;
    dnnl_status_t s = dnnl_matmul_desc_init(&desc, a, b, bias, y);
    return s == dnnl_success ? dnnl_primitive_desc_create(out, &desc, attr, e, NULL) : s;
}

/* A walk over the implementations of a convolution: pd is the current one. */
typedef struct {
    dnnl_convolution_desc_t desc; /* the iterator keeps its address */
    dnnl_primitive_desc_iterator_t it;
    dnnl_primitive_desc_t pd;
} impl_walk;

static dnnl_status_t walk_start(impl_walk *w, dnnl_engine_t e, conv_direction direction, const conv_how *h, md x, md wt, md bias, md y,
                                dnnl_primitive_desc_t hint, dnnl_primitive_attr_t attr)
{
    dnnl_status_t s;
    w->it = NULL;
    w->pd = NULL;
    if (direction == CONV_BACK_DATA)
        s = dnnl_convolution_backward_data_desc_init(&w->desc, h->alg, x, wt, y, h->stride, h->pad, h->pad);
    else if (direction == CONV_BACK_WEIGHTS)
        s = dnnl_convolution_backward_weights_desc_init(&w->desc, h->alg, x, wt, NULL, y, h->stride, h->pad, h->pad);
    else
        s = dnnl_convolution_forward_desc_init(&w->desc, h->spec->bias ? dnnl_forward_inference : dnnl_forward_training, h->alg, x, wt,
                                               h->spec->bias ? bias : NULL, y, h->stride, h->pad, h->pad);
    if (s == dnnl_success) s = dnnl_primitive_desc_iterator_create(&w->it, &w->desc, attr, e, hint);
    if (s == dnnl_success) w->pd = dnnl_primitive_desc_iterator_fetch(w->it);
    return s;
}

static bool walk_next(impl_walk *w)
{
    if (w->pd) dnnl_primitive_desc_destroy(w->pd);
    w->pd = NULL;
    if (dnnl_primitive_desc_iterator_next(w->it) != dnnl_success) return false;
    w->pd = dnnl_primitive_desc_iterator_fetch(w->it);
    return true;
}

static void walk_end(impl_walk *w)
{
    if (w->pd) dnnl_primitive_desc_destroy(w->pd);
    if (w->it) dnnl_primitive_desc_iterator_destroy(w->it);
    w->it = NULL;
    w->pd = NULL;
}

#endif

/* The current one, which the walk then no longer owns. */
static dnnl_primitive_desc_t walk_take(impl_walk *w)
{
    dnnl_primitive_desc_t pd = w->pd;
    w->pd = NULL;
    return pd;
}

#endif
