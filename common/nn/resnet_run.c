/* resnet_run.c -- the passes of a compiled ResNet.
 * Forward, per unit: convolution, sums of its result over the batch (over all ranks), then batch norm + ReLU (+ the skip) in one go.
 * Backward, per unit: the sums, then the gradient of the convolution's result in its own place, then the two products. The gradient at
 * a block's input is the sum of two buffers, the block's output and its shortcut; they are added where they are read. */
#include "resnet_impl.h"

#include "micon/base/mem.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

static const double eps = 1e-5, momentum = 0.1;

static status run_conv(resnet *net, unit *u, int kind, const void *a, const void *b, const float *bias, void *out)
{
    double t0 = conv_clock();
    status st = conv_run(u->op[kind], a, b, bias, out, net->scratch);
    double took = conv_clock() - t0;
    u->seconds[kind] += took;
    u->passes[kind]++;
    net->conv_s += took;
    net->mark = t0 + took;
    return st;
}

/* Adds the time since the last mark, and sets a new one. */
static void rest(resnet *net, double *into)
{
    double now = conv_clock();
    *into += now - net->mark;
    net->mark = now;
}

/* ---- weights ---- */
static void running_affine(resnet *net, unit *u)
{
    const float *g = params_value(net->p, u->gamma), *b = params_value(net->p, u->beta);
    const float *m = params_value(net->p, u->mean_at), *v = params_value(net->p, u->var_at);
    for (int c = 0; c < u->spec.co; c++) {
        double inv = 1 / sqrt((double)v[c] + eps);
        u->scale[c] = (float)(g[c] * inv);
        u->shift[c] = u->spec.bias ? (float)(b[c] - g[c] * inv * m[c]) : b[c]; /* the bias of a folded one */
        if (u->mean) u->mean[c] = m[c], u->inv[c] = (float)inv;
    }
}

static status unit_pack(resnet *net, unit *u, bool frozen)
{
    status st = OK;
    const float *w = params_value(net->p, u->weight);
    if (frozen) {
        running_affine(net, u);
        if (u->spec.bias) {
            size_t per = net->p->item[u->weight].count / (size_t)u->spec.co;
            for (size_t o = 0; o < (size_t)u->spec.co; o++)
                for (size_t i = 0; i < per; i++) net->fold[o * per + i] = w[o * per + i] * u->scale[o];
            w = net->fold;
        }
    }
    TRY(conv_pack(u->op[TIME_FORWARD], w, u->packed[0], net->scratch));
    if (u->op[TIME_DATA]) TRY(conv_pack(u->op[TIME_DATA], w, u->packed[1], net->scratch));
done:
    return st;
}

static status net_pack(resnet *net)
{
    status st = OK;
    if (net->has_stem) TRY(unit_pack(net, &net->stem, net->stem_frozen));
    for (int i = 0; i < net->n_blocks; i++)
        for (int k = 0; k < net->b[i].n_units + net->b[i].has_ds; k++) TRY(unit_pack(net, &net->b[i].u[k], net->b[i].frozen));
    net->dirty = false;
done:
    return st;
}

void resnet_weights_changed(resnet *net)
{
    net->dirty = true;
}

/* ---- batch norm ---- */
/* Mean and deviation of u->c over the whole batch; the running statistics move. */
static void norm_statistics(resnet *net, unit *u)
{
    int n = u->spec.co;
    double *sum = net->sums, *square = sum + n, *count = square + n;
    if (net->c.norm_frozen) {
        running_affine(net, u);
        return;
    }
    const double *made = conv_sums(u->op[TIME_FORWARD]);
    if (made)
        memcpy(sum, made, 2 * (size_t)n * sizeof *sum);
    else
        kernels_stats(&u->y_shape, u->c, sum, square, net->work);
    *count = (double)u->y_shape.n * u->y_shape.h * u->y_shape.w;
    if (net->c.sum) net->c.sum(net->c.ctx, sum, 2 * (size_t)n + 1);
    const float *g = params_value(net->p, u->gamma), *b = params_value(net->p, u->beta);
    float *m = params_value(net->p, u->mean_at), *v = params_value(net->p, u->var_at);
    double unbias = *count > 1 ? *count / (*count - 1) : 1;
    for (int c = 0; c < n; c++) {
        double mean = sum[c] / *count, var = square[c] / *count - mean * mean;
        if (var < 0) var = 0;
        double inv = 1 / sqrt(var + eps);
        u->mean[c] = (float)mean;
        u->inv[c] = (float)inv;
        u->scale[c] = (float)(g[c] * inv);
        u->shift[c] = b[c];
        m[c] = (float)((1 - momentum) * m[c] + momentum * mean);
        v[c] = (float)((1 - momentum) * v[c] + momentum * var * unbias);
    }
}

/* From the local sums: gradients of gamma and beta, and the factors of the gradient at the convolution's result. sum and dot lie in
 * net->sums and become global. */
static void norm_factors(resnet *net, unit *u, double *sum, double *dot)
{
    int n = u->spec.co;
    double count = (double)u->y_shape.n * u->y_shape.h * u->y_shape.w;
    float *dg = params_grad(net->p, u->gamma), *db = params_grad(net->p, u->beta);
    const float *g = params_value(net->p, u->gamma);
    for (int c = 0; c < n; c++) {
        dg[c] = (float)(dot[c] * u->inv[c]);
        db[c] = (float)sum[c];
    }
    if (net->c.sum && !net->c.norm_frozen) {
        double *all = net->sums; /* sum and dot are moved together, with the count behind them */
        memmove(all, sum, (size_t)n * sizeof *all);
        memmove(all + n, dot, (size_t)n * sizeof *all);
        all[2 * n] = count;
        net->c.sum(net->c.ctx, all, 2 * (size_t)n + 1);
        sum = all, dot = all + n, count = all[2 * n];
    }
    for (int c = 0; c < n; c++) {
        double a = (double)g[c] * u->inv[c];
        u->k[0][c] = (float)a;
        u->k[1][c] = net->c.norm_frozen ? 0 : (float)(-a * u->inv[c] * u->inv[c] * dot[c] / count);
        u->k[2][c] = net->c.norm_frozen ? 0 : (float)(-a * sum[c] / count);
    }
}

static nn_norm norm_of(const unit *u)
{
    return (nn_norm){u->mean, u->scale, u->shift};
}

static const float *const *factors(unit *u)
{
    return (const float *const *)u->k;
}

/* ---- forward ---- */
static void *ring_other(resnet *net, const void *a, const void *b, const void *c)
{
    for (int i = 0; i < IN_PLACE_BUFFERS; i++)
        if (net->ring[i] != a && net->ring[i] != b && net->ring[i] != c) return net->ring[i];
    return NULL;
}

/* Folded batch norm; the last convolution adds its result to the shortcut. */
static status block_forward_frozen(resnet *net, block *b)
{
    status st = OK;
    unit *ds = block_ds(b);
    void *x = b->x, *target = x, *in = x;
    if (ds) {
        target = ring_other(net, x, NULL, NULL);
        TRY(run_conv(net, ds, TIME_FORWARD, x, ds->packed[0], ds->shift, target));
    }
    for (int i = 0; i < b->n_units; i++) {
        unit *u = &b->u[i];
        void *out = i + 1 == b->n_units ? target : ring_other(net, x, target, in);
        TRY(run_conv(net, u, TIME_FORWARD, in, u->packed[0], u->shift, out));
        in = out;
    }
    b->y = target;
done:
    return st;
}

/* again: in the backward pass, for the insides only, with the statistics of the forward pass. */
static status block_forward(resnet *net, block *b, bool again)
{
    status st = OK;
    unit *ds = block_ds(b), *last = &b->u[b->n_units - 1];
    const void *in = b->x;
    for (int i = 0; i < b->n_units; i++) {
        unit *u = &b->u[i];
        TRY(run_conv(net, u, TIME_FORWARD, in, u->packed[0], NULL, u->c));
        if (!again) norm_statistics(net, u);
        rest(net, &u->rest_s);
        if (u == last) break;
        nn_norm norm = norm_of(u);
        kernels_norm(&u->y_shape, u->c, &norm, NULL, NULL, true, u->y);
        rest(net, &u->rest_s);
        in = u->y;
    }
    if (ds) {
        TRY(run_conv(net, ds, TIME_FORWARD, b->x, ds->packed[0], NULL, ds->c));
        if (!again) norm_statistics(net, ds);
        rest(net, &ds->rest_s);
    }
    nn_norm norm = norm_of(last), around = norm_of(ds ? ds : last);
    if (!again) kernels_norm(&b->y_shape, last->c, &norm, ds ? ds->c : b->x, ds ? &around : NULL, true, b->y);
    rest(net, &last->rest_s);
done:
    return st;
}

static status stem_forward(resnet *net)
{
    status st = OK;
    unit *u = &net->stem;
    TRY(run_conv(net, u, TIME_FORWARD, net->input, u->packed[0], NULL, u->c));
    if (!net->stem_frozen) norm_statistics(net, u);
    nn_norm norm = norm_of(u);
    kernels_stem_pool(&u->y_shape, u->c, &norm, net->stem_frozen ? net->ring[0] : net->pool_y, net->which);
    rest(net, &u->rest_s);
done:
    return st;
}

/* y [n, out] = x [n, in] w^T + b. */
static void last_layer(const resnet *net, float *y)
{
    int n = net->c.n, in = net->width, out = net->c.out;
    const float *b = params_value(net->p, net->fc_b);
    for (int i = 0; i < n; i++) memcpy(y + (size_t)i * (size_t)out, b, (size_t)out * sizeof *y);
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, n, out, in, 1, net->pooled, in, params_value(net->p, net->fc_w), in, 1, y, out);
}

/* Pictures through the stem; *x: the input of the first block. */
static status pictures_in(resnet *net, const float *pictures, void **x)
{
    status st = OK;
    size_t n = (size_t)net->c.n * (size_t)net->c.size * (size_t)net->c.size;
    if (net->c.type == NN_BF16)
        kernels_to_bf16(pictures, net->input, n);
    else
        memcpy(net->input, pictures, n * sizeof *pictures);
    TRY(stem_forward(net));
    *x = net->stem_frozen ? net->ring[0] : net->pool_y;
done:
    return st;
}

static status blocks_forward(resnet *net, void **x)
{
    status st = OK;
    for (int i = 0; i < net->n_blocks; i++) {
        block *b = &net->b[i];
        b->x = *x;
        if (b->frozen)
            TRY(block_forward_frozen(net, b));
        else
            TRY(block_forward(net, b, false));
        *x = b->y;
    }
done:
    return st;
}

static void average(resnet *net, const void *x)
{
    kernels_average(&net->b[net->n_blocks - 1].y_shape, x, net->pooled);
}

/* in: pictures, or outputs of the front; out: features, or inputs of the back. */
static status forward(resnet *net, const void *in, void *out)
{
    status st = OK;
    double t0 = conv_clock(), conv0 = net->conv_s;
    bool front = net->c.part == RESNET_FRONT, back = net->c.part == RESNET_BACK, whole_frozen = net->c.freeze == FREEZE_ALL;
    size_t n = (size_t)net->c.n;
    void *x = net->input;
    net->mark = t0;
    net->passes++;
    if (net->dirty) TRY(net_pack(net));
    rest(net, &net->pack_s);
    if (!back)
        TRY(pictures_in(net, in, &x));
    else
        memcpy(whole_frozen ? (void *)net->pooled : x, in, n * net->between);
    TRY(blocks_forward(net, &x));
    if (front && !whole_frozen) {
        memcpy(out, x, n * net->between);
    } else {
        if (!(back && whole_frozen)) average(net, x);
        if (!front && net->c.out > 0)
            last_layer(net, out);
        else
            memcpy(out, net->pooled, n * (size_t)net->width * sizeof(float));
    }
    net->other_s += conv_clock() - t0 - (net->conv_s - conv0);
done:
    return st;
}

status resnet_forward(resnet *net, const float *pictures, float *features)
{
    if (net->c.part != RESNET_WHOLE) return fail(E_INTERNAL, "resnet_forward on a part of a split network");
    return forward(net, pictures, features);
}

status resnet_forward_front(resnet *net, const float *pictures, void *between)
{
    if (net->c.part != RESNET_FRONT) return fail(E_INTERNAL, "resnet_forward_front on a network that is not a front part");
    return forward(net, pictures, between);
}

status resnet_forward_back(resnet *net, const void *between, float *features)
{
    if (net->c.part != RESNET_BACK) return fail(E_INTERNAL, "resnet_forward_back on a network that is not a back part");
    return forward(net, between, features);
}

/* ---- backward ---- */
static void ready(const resnet *net, size_t first, size_t count)
{
    if (net->c.ready) net->c.ready(net->c.ctx, first, count);
}

static status unit_weights(resnet *net, unit *u, const void *x)
{
    return run_conv(net, u, TIME_WEIGHTS, x, u->c, NULL, params_grad(net->p, u->weight));
}

/* g[0] (+ g[1] where `two`) is the gradient at b->y; afterwards g[0] + g[1] is the one at b->x. */
static status block_backward(resnet *net, block *b, bool two, bool to_input)
{
    status st = OK;
    unit *ds = block_ds(b), *last = &b->u[b->n_units - 1];
    int n = last->spec.co;
    double *sum = net->sums, *dot = sum + n, *dot2 = dot + n;
    nn_norm norm;
    if (b->again) TRY(block_forward(net, b, true));
    kernels_end_reduce(&b->y_shape, net->g[0], two ? net->g[1] : NULL, b->y, last->c, last->mean, ds ? ds->c : NULL, ds ? ds->mean : NULL,
                       sum, dot, dot2, net->work);
    if (ds) {
        double *keep = net->work; /* the sums of the shortcut, while those of the main path are reduced over ranks */
        memcpy(keep, sum, (size_t)n * sizeof *keep);
        memcpy(keep + n, dot2, (size_t)n * sizeof *keep);
        norm_factors(net, last, sum, dot);
        norm_factors(net, ds, keep, keep + n);
        norm = norm_of(ds);
        kernels_norm_backward(&b->y_shape, net->g[0], ds->c, &norm, false, factors(ds));
    } else
        norm_factors(net, last, sum, dot);
    norm = norm_of(last);
    kernels_norm_backward(&b->y_shape, net->g[0], last->c, &norm, false, factors(last));
    rest(net, &last->rest_s);
    for (int i = b->n_units - 1; i > 0; i--) {
        unit *u = &b->u[i], *before = &b->u[i - 1];
        TRY(unit_weights(net, u, before->y));
        TRY(run_conv(net, u, TIME_DATA, u->c, u->packed[1], NULL, net->g[2]));
        n = before->spec.co;
        norm = norm_of(before);
        kernels_inner_reduce(&before->y_shape, net->g[2], before->c, &norm, net->sums, net->sums + n, net->work);
        norm_factors(net, before, net->sums, net->sums + n);
        kernels_norm_backward(&before->y_shape, net->g[2], before->c, &norm, true, factors(before));
        rest(net, &before->rest_s);
    }
    TRY(unit_weights(net, &b->u[0], b->x));
    if (ds) TRY(unit_weights(net, ds, b->x));
    if (to_input) {
        TRY(run_conv(net, &b->u[0], TIME_DATA, b->u[0].c, b->u[0].packed[1], NULL, net->g[2]));
        if (ds) TRY(run_conv(net, ds, TIME_DATA, ds->c, ds->packed[1], NULL, net->g[0]));
        void *t = net->g[1]; /* through: g[2]; around: g[0] */
        net->g[1] = net->g[0];
        net->g[0] = net->g[2];
        net->g[2] = t;
    }
    ready(net, b->first, b->count);
done:
    return st;
}

static status stem_backward(resnet *net)
{
    status st = OK;
    unit *u = &net->stem;
    int n = u->spec.co;
    if (net->stem_again) TRY(run_conv(net, u, TIME_FORWARD, net->input, u->packed[0], NULL, u->c));
    kernels_stem_reduce(&u->y_shape, net->g[0], net->g[1], net->which, u->c, u->mean, net->sums, net->sums + n, net->work);
    norm_factors(net, u, net->sums, net->sums + n);
    kernels_stem_backward(&u->y_shape, net->g[0], net->g[1], net->which, u->c, u->mean, factors(u));
    rest(net, &u->rest_s);
    TRY(unit_weights(net, u, net->input));
    const nn_param *last = &net->p->item[u->beta];
    size_t first = net->p->item[u->weight].at;
    ready(net, first, last->at + last->count - first);
done:
    return st;
}

static const float *last_layer_backward(resnet *net, const float *dy)
{
    int n = net->c.n, in = net->width, out = net->c.out;
    if (out == 0) return dy;
    float *dw = params_grad(net->p, net->fc_w), *db = params_grad(net->p, net->fc_b);
    cblas_sgemm(CblasRowMajor, CblasTrans, CblasNoTrans, out, in, n, 1, dy, out, net->pooled, in, 0, dw, in);
    for (int k = 0; k < out; k++) {
        double s = 0;
        for (int i = 0; i < n; i++) s += dy[(size_t)i * (size_t)out + (size_t)k];
        db[k] = (float)s;
    }
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, in, out, 1, dy, out, params_value(net->p, net->fc_w), in, 0, net->d_pooled,
                in);
    const nn_param *w = &net->p->item[net->fc_w], *b = &net->p->item[net->fc_b];
    ready(net, w->at, b->at + b->count - w->at);
    return net->d_pooled;
}

status resnet_backward(resnet *net, const float *d_features)
{
    status st = OK;
    double t0 = conv_clock(), conv0 = net->conv_s;
    if (!net->c.training) return fail(E_INTERNAL, "backward pass through a network that does not train");
    const float *d = last_layer_backward(net, d_features);
    bool two = false;
    net->mark = t0;
    if (net->first_trained < net->n_blocks) kernels_average_backward(&net->b[net->n_blocks - 1].y_shape, d, net->g[0]);
    for (int i = net->n_blocks - 1; i >= net->first_trained; i--) {
        TRY(block_backward(net, &net->b[i], two, i > net->first_trained || !net->stem_frozen));
        two = true;
    }
    if (!net->stem_frozen) TRY(stem_backward(net));
    net->other_s += conv_clock() - t0 - (net->conv_s - conv0);
done:
    return st;
}
