/* im2col.c -- convolution as a matrix product. Forward: every output pixel's k x k x ci inputs become a row; rows x weights = output.
 * Weight gradient: the same rows, turned, x output gradient, added up piece by piece. Data gradient: the input pixels fall into
 * stride x stride classes; those of a class are reached by the same taps, so a class is one product without zeros in it.
 * Pictures are taken in pieces so that the gathered rows stay in the cache. */
#include "im2col_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE_BYTES = 4 << 20, MAX_CLASSES = 4, MAX_TAPS = 49 };

/* The pixels (oy, ox) of a product's rows, and the pixels that each gathers: source pixel = pixel * step + offset of the tap. */
typedef struct {
    int rows_h, rows_w; /* pixels per picture */
    int n_taps, dy[MAX_TAPS], dx[MAX_TAPS], ky[MAX_TAPS], kx[MAX_TAPS];
    int first_y, first_x;         /* where the class begins in the result (CONV_BACK_DATA) */
    int64_t k, k_used;            /* columns of a row: taps x channels, padded for a one-channel picture */
    dnn_op *whole, *tail, *first; /* a full piece; the last, smaller one; the first of an accumulated sum */
    size_t packed_at;
} product;

struct im2col_op {
    conv_spec s;
    int ho, wo, channels; /* channels gathered per tap */
    int piece, n_classes; /* pictures a piece */
    product cls[MAX_CLASSES];
    size_t packed_bytes, rows_bytes, out_bytes, scratch_bytes, op_scratch, plain_bytes;
};

bool im2col_can(const conv_spec *s)
{
    if (s->layout != NN_NHWC || s->k * s->k > MAX_TAPS || s->stride > 2) return false;
    return s->direction != CONV_BACK_DATA || s->ci > 1;
}

static void taps_forward(im2col_op *g)
{
    const conv_spec *s = &g->s;
    product *p = &g->cls[0];
    g->n_classes = 1;
    p->rows_h = g->ho, p->rows_w = g->wo;
    for (int ky = 0; ky < s->k; ky++)
        for (int kx = 0; kx < s->k; kx++) {
            int t = p->n_taps++;
            p->ky[t] = ky, p->kx[t] = kx;
            p->dy[t] = ky - s->pad, p->dx[t] = kx - s->pad;
        }
}

/* Input pixel iy = stride * q + c gets from output pixel (iy + pad - ky) / stride, where that is whole: q + (c + pad - ky) / stride. */
static void taps_back(im2col_op *g)
{
    const conv_spec *s = &g->s;
    for (int cy = 0; cy < s->stride; cy++)
        for (int cx = 0; cx < s->stride; cx++) {
            product *p = &g->cls[g->n_classes++];
            p->first_y = cy, p->first_x = cx;
            p->rows_h = (s->h - cy + s->stride - 1) / s->stride;
            p->rows_w = (s->w - cx + s->stride - 1) / s->stride;
            for (int ky = 0; ky < s->k; ky++)
                for (int kx = 0; kx < s->k; kx++) {
                    int ny = cy + s->pad - ky, nx = cx + s->pad - kx;
                    if (ny % s->stride != 0 || nx % s->stride != 0) continue;
                    int t = p->n_taps++;
                    p->ky[t] = ky, p->kx[t] = kx;
                    p->dy[t] = ny / s->stride, p->dx[t] = nx / s->stride;
                }
        }
}

static size_t round64(size_t n)
{
    return (n + 63) / 64 * 64;
}

static status add_op(im2col_op *g, dnn *d, dnn_op **op, const product *p, int pictures, bool accumulate)
{
    const conv_spec *s = &g->s;
    int64_t rows = (int64_t)pictures * p->rows_h * p->rows_w;
    matmul_spec m = {.type = s->type, .out_type = s->type, .m = rows, .k = p->k, .n = s->direction == CONV_BACK_DATA ? s->ci : s->co};
    if (s->direction == CONV_BACK_WEIGHTS) {
        m.m = p->k, m.k = rows, m.n = s->co;
        m.out_type = NN_F32, m.a_turned = m.b_plain = true;
    }
    m.bias = s->bias, m.relu = s->relu;
    m.accumulate = s->sum || accumulate;
    status st = dnn_matmul_create(op, d, &m);
    if (st == OK && dnn_op_scratch_bytes(*op) > g->op_scratch) g->op_scratch = dnn_op_scratch_bytes(*op);
    return st;
}

static status product_create(im2col_op *g, dnn *d, product *p)
{
    status st = OK;
    int tail = g->s.n % g->piece, whole = g->s.n / g->piece;
    p->k_used = (int64_t)p->n_taps * g->channels;
    p->k = g->channels == 1 ? (p->k_used + 31) / 32 * 32 : p->k_used;
    if (p->n_taps == 0 || p->rows_h <= 0 || p->rows_w <= 0) return OK;
    bool sums = g->s.direction == CONV_BACK_WEIGHTS;
    if (sums) TRY(add_op(g, d, &p->first, p, g->piece, false));
    if (!sums || whole > 1) TRY(add_op(g, d, &p->whole, p, g->piece, sums));
    if (tail) TRY(add_op(g, d, &p->tail, p, tail, sums));
    size_t rows = (size_t)g->piece * (size_t)p->rows_h * (size_t)p->rows_w, es = nn_type_size(g->s.type);
    size_t bytes = round64(rows * (size_t)p->k * es), out = round64(rows * (size_t)g->s.ci * es);
    if (bytes > g->rows_bytes) g->rows_bytes = bytes;
    if (g->s.direction == CONV_BACK_DATA && g->s.stride > 1 && out > g->out_bytes) g->out_bytes = out;
    if (!sums) {
        p->packed_at = g->packed_bytes;
        g->packed_bytes += round64(dnn_op_packed_bytes(p->whole));
        if (p->tail && !dnn_op_packs_as(p->tail, p->whole)) st = fail(E_INTERNAL, "two matrix products pack the same weights differently");
    }
done:
    return st;
}

status im2col_create(im2col_op **out, dnn *d, const conv_spec *s)
{
    status st = OK;
    im2col_op *g = xcalloc(1, sizeof *g);
    g->s = *s;
    g->ho = conv_out(s->h, s->k, s->stride, s->pad);
    g->wo = conv_out(s->w, s->k, s->stride, s->pad);
    g->channels = s->direction == CONV_BACK_DATA ? s->co : s->ci;
    if (s->direction == CONV_BACK_DATA)
        taps_back(g);
    else
        taps_forward(g);
    size_t per_picture = 1;
    for (int i = 0; i < g->n_classes; i++) {
        size_t one =
            (size_t)g->cls[i].rows_h * (size_t)g->cls[i].rows_w * (size_t)g->cls[i].n_taps * (size_t)g->channels * nn_type_size(s->type);
        if (one > per_picture) per_picture = one;
    }
    size_t fit = PIECE_BYTES / per_picture;
    g->piece = fit < 1 ? 1 : fit > (size_t)s->n ? s->n : (int)fit;
    int pieces = (s->n + g->piece - 1) / g->piece;
    g->piece = (s->n + pieces - 1) / pieces; /* of about the same size, so that the last is not a crumb */
    for (int i = 0; i < g->n_classes; i++) TRY(product_create(g, d, &g->cls[i]));
    g->plain_bytes = round64((size_t)s->k * (size_t)s->k * (size_t)s->ci * (size_t)s->co * 4) + 64 * (size_t)s->co * 4;
    size_t run = g->rows_bytes + g->out_bytes + g->op_scratch + (s->direction == CONV_BACK_WEIGHTS ? g->plain_bytes : 0);
    size_t pack = g->plain_bytes + g->op_scratch;
    g->scratch_bytes = run > pack ? run : pack;
done:
    if (st != OK) im2col_destroy(&g);
    *out = g;
    return st;
}

void im2col_destroy(im2col_op **op)
{
    if (!*op) return;
    for (int i = 0; i < (*op)->n_classes; i++) {
        product *p = &(*op)->cls[i];
        dnn_op_destroy(&p->whole);
        dnn_op_destroy(&p->tail);
        dnn_op_destroy(&p->first);
    }
    FREE(*op);
}

size_t im2col_packed_bytes(const im2col_op *op)
{
    return op->packed_bytes;
}

size_t im2col_scratch_bytes(const im2col_op *op)
{
    return op->scratch_bytes;
}

/* Row (tap, channel) of the weight matrix, from [co, ci, k, k]. */
status im2col_pack(im2col_op *op, const float *oihw, void *packed, void *scratch)
{
    status st = OK;
    const conv_spec *s = &op->s;
    bool back = s->direction == CONV_BACK_DATA;
    size_t area = (size_t)s->k * (size_t)s->k, width = (size_t)(back ? s->ci : s->co);
    for (int i = 0; i < op->n_classes; i++) {
        product *p = &op->cls[i];
        float *plain = scratch;
        if (!p->whole) continue;
        memset(plain + (size_t)p->k_used * width, 0, (size_t)(p->k - p->k_used) * width * sizeof(float));
#pragma omp parallel for schedule(static)
        for (int o = 0; o < s->co; o++)
            for (int t = 0; t < p->n_taps; t++) {
                const float *from = oihw + (size_t)o * (size_t)s->ci * area + (size_t)(p->ky[t] * s->k + p->kx[t]);
                size_t row = (size_t)t * (size_t)op->channels;
                if (back)
                    for (size_t c = 0; c < (size_t)s->ci; c++) plain[(row + (size_t)o) * width + c] = from[c * area];
                else
                    for (size_t c = 0; c < (size_t)s->ci; c++) plain[(row + c) * width + (size_t)o] = from[c * area];
            }
        TRY(dnn_op_pack(p->whole, plain, (char *)packed + p->packed_at, (char *)scratch + op->plain_bytes));
    }
done:
    return st;
}

/* The rows of pictures [n0, n0 + n) of a source of h x w pixels; step: source pixels a row pixel. */
static void im2col_rows(const im2col_op *g, const product *p, const char *src, int h, int w, int step, int n0, int n, char *rows)
{
    size_t es = nn_type_size(g->s.type), cell = (size_t)g->channels * es, width = (size_t)p->k * es;
#pragma omp parallel for schedule(static)
    for (int line = 0; line < n * p->rows_h; line++) {
        int picture = n0 + line / p->rows_h, y = line % p->rows_h;
        const char *plane = src + (size_t)picture * (size_t)h * (size_t)w * cell;
        char *row = rows + (size_t)line * (size_t)p->rows_w * width;
        for (int x = 0; x < p->rows_w; x++, row += width) {
            char *to = row;
            for (int t = 0; t < p->n_taps; t++, to += cell) {
                int sy = y * step + p->dy[t], sx = x * step + p->dx[t];
                if (sy < 0 || sy >= h || sx < 0 || sx >= w)
                    memset(to, 0, cell);
                else
                    memcpy(to, plane + ((size_t)sy * (size_t)w + (size_t)sx) * cell, cell);
            }
            if (p->k > p->k_used) memset(to, 0, (size_t)(p->k - p->k_used) * es);
        }
    }
}

/* The same for a picture of one channel: a kernel row is a run of consecutive pixels. */
static void gather_rows_single(const im2col_op *g, const product *p, const char *src, int n0, int n, char *rows)
{
    const conv_spec *s = &g->s;
    size_t es = nn_type_size(s->type), width = (size_t)p->k * es;
#pragma omp parallel for schedule(static)
    for (int line = 0; line < n * p->rows_h; line++) {
        int picture = n0 + line / p->rows_h, y = line % p->rows_h;
        const char *plane = src + (size_t)picture * (size_t)s->h * (size_t)s->w * es;
        char *row = rows + (size_t)line * (size_t)p->rows_w * width;
        memset(row, 0, (size_t)p->rows_w * width);
        for (int x = 0; x < p->rows_w; x++, row += width) {
            int left = x * s->stride - s->pad, from = left < 0 ? 0 : left, to = left + s->k > s->w ? s->w : left + s->k;
            for (int ky = 0; ky < s->k && to > from; ky++) {
                int sy = y * s->stride + ky - s->pad;
                if (sy < 0 || sy >= s->h) continue;
                memcpy(row + (size_t)(ky * s->k + from - left) * es, plane + ((size_t)sy * (size_t)s->w + (size_t)from) * es,
                       (size_t)(to - from) * es);
            }
        }
    }
}

/* Put a class's pixels into their places of the strided result. */
static void scatter(const im2col_op *g, const product *p, const char *from, int n0, int n, char *dx)
{
    const conv_spec *s = &g->s;
    size_t cell = (size_t)s->ci * nn_type_size(s->type);
#pragma omp parallel for schedule(static)
    for (int line = 0; line < n * p->rows_h; line++) {
        int picture = n0 + line / p->rows_h, y = p->first_y + s->stride * (line % p->rows_h);
        char *to = dx + (((size_t)picture * (size_t)s->h + (size_t)y) * (size_t)s->w + (size_t)p->first_x) * cell;
        for (int x = 0; x < p->rows_w; x++, to += cell * (size_t)s->stride) {
            if (from)
                memcpy(to, from + ((size_t)line * (size_t)p->rows_w + (size_t)x) * cell, cell);
            else
                memset(to, 0, cell);
        }
    }
}

static status run_back_data(im2col_op *g, product *p, const char *dy, const char *packed, char *dx, char *scratch, int n0, int n)
{
    status st = OK;
    const conv_spec *s = &g->s;
    char *rows = scratch, *result = scratch + g->rows_bytes, *op_scratch = result + g->out_bytes;
    if (p->rows_h <= 0 || p->rows_w <= 0) return OK;
    if (!p->whole) {
        scatter(g, p, NULL, n0, n, dx);
        return OK;
    }
    bool direct = s->stride == 1;
    if (direct) result = dx + (size_t)n0 * (size_t)s->h * (size_t)s->w * (size_t)s->ci * nn_type_size(s->type);
    if (s->k == 1)
        rows = NULL; /* each row is a pixel as it lies */
    else
        im2col_rows(g, p, dy, g->ho, g->wo, 1, n0, n, rows);
    const char *a = rows ? rows : dy + (size_t)n0 * (size_t)g->ho * (size_t)g->wo * (size_t)s->co * nn_type_size(s->type);
    TRY(dnn_op_run(n == g->piece ? p->whole : p->tail, a, packed + p->packed_at, NULL, result, op_scratch));
    if (!direct) scatter(g, p, result, n0, n, dx);
done:
    return st;
}

/* Gradient rows (tap, channel) x co -> [co, ci, k, k]. */
static void unpack_weights(const im2col_op *g, const float *rows, float *oihw)
{
    const conv_spec *s = &g->s;
    size_t area = (size_t)s->k * (size_t)s->k;
#pragma omp parallel for schedule(static)
    for (int o = 0; o < s->co; o++)
        for (size_t c = 0; c < (size_t)s->ci; c++)
            for (size_t t = 0; t < area; t++)
                oihw[((size_t)o * (size_t)s->ci + c) * area + t] = rows[(t * (size_t)s->ci + c) * (size_t)s->co + (size_t)o];
}

status im2col_run(im2col_op *g, const void *a, const void *b, const float *bias, void *out, void *scratch)
{
    status st = OK;
    const conv_spec *s = &g->s;
    size_t es = nn_type_size(s->type), out_picture = (size_t)g->ho * (size_t)g->wo * (size_t)s->co * es;
    char *rows = scratch, *op_scratch = rows + g->rows_bytes + g->out_bytes;
    float *sums = (float *)(void *)(op_scratch + g->op_scratch);
    for (int n0 = 0; n0 < s->n; n0 += g->piece) {
        int n = s->n - n0 < g->piece ? s->n - n0 : g->piece;
        if (s->direction == CONV_BACK_DATA) {
            for (int i = 0; i < g->n_classes; i++) TRY(run_back_data(g, &g->cls[i], a, b, out, scratch, n0, n));
            continue;
        }
        product *p = &g->cls[0];
        const char *x = a;
        if (s->k == 1 && s->stride == 1)
            x += (size_t)n0 * (size_t)s->h * (size_t)s->w * (size_t)s->ci * es;
        else if (s->ci == 1)
            gather_rows_single(g, p, x, n0, n, rows), x = rows;
        else
            im2col_rows(g, p, x, s->h, s->w, s->stride, n0, n, rows), x = rows;
        if (s->direction == CONV_FORWARD)
            TRY(dnn_op_run(n == g->piece ? p->whole : p->tail, x, b, bias, (char *)out + (size_t)n0 * out_picture, op_scratch));
        else
            TRY(dnn_op_run(n0 == 0         ? p->first
                           : n == g->piece ? p->whole
                                           : p->tail,
                           x, (const char *)b + (size_t)n0 * out_picture, NULL, sums, op_scratch));
    }
    if (s->direction == CONV_BACK_WEIGHTS) unpack_weights(g, sums, out);
done:
    return st;
}
