/* conv_autotune.c -- chooses the implementation of a convolution by measurement, and runs it. */
#include "micon/nn/conv_autotune.h"

#include "amx_conv_impl.h"
#include "im2col_impl.h"
#include "micon/base/clock.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

struct conv_op {
    char *how;
    double gflops;
    dnn_op *dnn;
    im2col_op *gather;
    amx_conv *amx; /* one of these three */
};

static const char stream_part[] = "/stream";
static const char *const direction_name[] = {"forward", "back_data", "back_weights"};

enum { TRIAL_PICTURES = 64 };

/* Beyond the pictures of a trial their number does not matter: nets for 80 and for 640 make the same choices. */
static int trial_pictures(const conv_spec *s)
{
    int n = s->n_most > 0 ? s->n_most : s->n;
    return n < TRIAL_PICTURES ? n : TRIAL_PICTURES;
}

static char *choice_key(const conv_spec *s)
{
    int n = trial_pictures(s);
    return xasprintf("%s %s %s n%d %d->%d %dx%d k%d s%d p%d%s%s%s", direction_name[s->direction], s->type == NN_F32 ? "fp32" : "bf16",
                     s->layout == NN_NHWC ? "nhwc" : "c16", n, s->ci, s->co, s->h, s->w, s->k, s->stride, s->pad, s->bias ? " bias" : "",
                     s->relu ? " relu" : "", s->sum ? " sum" : "");
}

void conv_choices_free(conv_choices *c)
{
    names_free(&c->key);
    names_free(&c->how);
    FREE(c->gflops);
    *c = (conv_choices){0};
}

static status choices_add(conv_choices *c, const char *key, const char *how, double gflops)
{
    status st = OK;
    TRY(mem_grow(&c->gflops, &c->cap, c->key.n + 1, sizeof *c->gflops, "choices of primitives"));
    c->gflops[c->key.n] = gflops;
    names_add(&c->key, key);
    names_add(&c->how, how);
done:
    return st;
}

void conv_choices_write(const conv_choices *c, text *out)
{
    for (size_t i = 0; i < c->key.n; i++) text_addf(out, "%s\t%s\t%.1f\n", c->key.item[i], c->how.item[i], c->gflops[i]);
}

status conv_choices_read(conv_choices *c, const char *lines, const char *where)
{
    status st = OK;
    names line = {0}, part = {0};
    names_split(&line, lines, '\n');
    for (size_t i = 0; i < line.n; i++) {
        double gflops;
        if (line.item[i][0] == '\0') continue;
        names_free(&part);
        names_split(&part, line.item[i], '\t');
        if (part.n != 3 || !num_f64(part.item[2], &gflops)) {
            st = fail(E_FORMAT, "%s: line %zu of the autotuning results is not 'shape<TAB>implementation<TAB>GFLOP/s'", where, i + 1);
            goto done;
        }
        if (names_find(&c->key, part.item[0]) < 0) TRY(choices_add(c, part.item[0], part.item[1], gflops));
    }
done:
    names_free(&line);
    names_free(&part);
    return st;
}

status conv_list(dnn *d, const conv_spec *s, names *out)
{
    status st = OK;
    /* oneDNN 2.6 leaves parts of a bf16 weight gradient unset where the picture is a single pixel (tests/unit/t_nn_conv_autotune.c). */
    bool unsafe = s->direction == CONV_BACK_WEIGHTS && s->type == NN_BF16 && s->h == 1 && s->w == 1 && s->k > 1;
    if (!unsafe || !im2col_can(s)) TRY(dnn_conv_list(d, s, out));
    if (im2col_can(s)) names_add(out, "gather");
    if (amx_conv_can(s)) {
        names_add(out, amx_conv_unit());
        char *streaming = xasprintf("%s%s", amx_conv_unit(), stream_part);
        if (amx_conv_streams(s)) names_add(out, streaming);
        free(streaming);
    }
done:
    return st;
}

status conv_create(conv_op **out, dnn *d, const conv_spec *s, const char *how)
{
    status st = OK;
    conv_op *op = xcalloc(1, sizeof *op);
    op->how = xstrdup(how);
    size_t own = amx_conv_can(s) ? strlen(amx_conv_unit()) : 0;
    if (own > 0 && strncmp(how, amx_conv_unit(), own) == 0 && (how[own] == '\0' || strcmp(how + own, stream_part) == 0))
        TRY(amx_conv_create(&op->amx, s, how[own] != '\0'));
    else if (strcmp(how, "gather") != 0)
        TRY(dnn_conv_create(&op->dnn, d, s, how));
    else if (im2col_can(s))
        TRY(im2col_create(&op->gather, d, s));
    else
        st = fail(E_FAILED, "convolution %d -> %d: im2col does not support this layout", s->ci, s->co);
done:
    if (st != OK) conv_destroy(&op);
    *out = op;
    return st;
}

void conv_destroy(conv_op **op)
{
    if (!*op) return;
    free((*op)->how);
    dnn_op_destroy(&(*op)->dnn);
    im2col_destroy(&(*op)->gather);
    amx_conv_destroy(&(*op)->amx);
    FREE(*op);
}

const char *conv_how(const conv_op *op)
{
    return op->how;
}

double conv_gflops(const conv_op *op)
{
    return op->gflops;
}

double conv_flop(const conv_spec *s)
{
    return 2.0 * s->n * conv_out(s->h, s->k, s->stride, s->pad) * conv_out(s->w, s->k, s->stride, s->pad) * s->co * s->ci * s->k * s->k;
}

size_t conv_packed_bytes(const conv_op *op)
{
    if (op->amx) return amx_conv_packed_bytes(op->amx);
    return op->dnn ? dnn_op_packed_bytes(op->dnn) : im2col_packed_bytes(op->gather);
}

size_t conv_scratch_bytes(const conv_op *op)
{
    if (op->amx) return amx_conv_scratch_bytes(op->amx);
    return op->dnn ? dnn_op_scratch_bytes(op->dnn) : im2col_scratch_bytes(op->gather);
}

status conv_pack(conv_op *op, const float *oihw, void *packed, void *scratch)
{
    if (op->amx) {
        amx_conv_pack(op->amx, oihw, packed);
        return OK;
    }
    return op->dnn ? dnn_op_pack(op->dnn, oihw, packed, scratch) : im2col_pack(op->gather, oihw, packed, scratch);
}

status conv_run(conv_op *op, const void *a, const void *b, const float *bias, void *out, void *scratch)
{
    if (op->amx) {
        amx_conv_run(op->amx, a, b, bias, out, scratch);
        return OK;
    }
    return op->dnn ? dnn_op_run(op->dnn, a, b, bias, out, scratch) : im2col_run(op->gather, a, b, bias, out, scratch);
}

const double *conv_sums(const conv_op *op)
{
    return op->amx ? amx_conv_sums(op->amx) : NULL;
}

/* ---- measuring ---- */
typedef struct {
    void *x, *y;
    float *w, *bias;
} trial;

double conv_clock(void)
{
    struct timespec t;
    if (kernels_threads() != 1) return clock_s();
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Random numbers of ordinary size: zeros or denormals would be timed instead of work. */
static status trial_fill(void *out, nn_type type, size_t n)
{
    status st = OK;
    float *f = NULL;
    TRY(mem_alloc(&f, n, sizeof *f, "numbers for measuring"));
    uint32_t v = 12345;
    for (size_t i = 0; i < n; i++) {
        v = v * 1664525u + 1013904223u;
        f[i] = (float)(v >> 8) * 0x1p-23f - 1.0f;
    }
    if (type == NN_BF16) {
        uint16_t *h;
        TRY(mem_alloc(&h, n, sizeof *h, "numbers for measuring"));
        kernels_to_bf16(f, h, n);
        memcpy(out, &h, sizeof h);
        FREE(f);
    } else
        memcpy(out, &f, sizeof f);
done:
    if (st != OK) free(f);
    return st;
}

static status trial_create(trial *t, const conv_spec *s)
{
    status st = OK;
    size_t ho = (size_t)conv_out(s->h, s->k, s->stride, s->pad), wo = (size_t)conv_out(s->w, s->k, s->stride, s->pad);
    TRY(trial_fill(&t->x, s->type, (size_t)s->n * (size_t)s->ci * (size_t)s->h * (size_t)s->w));
    TRY(trial_fill(&t->y, s->type, (size_t)s->n * (size_t)s->co * ho * wo));
    TRY(trial_fill(&t->w, NN_F32, (size_t)s->co * (size_t)s->ci * (size_t)s->k * (size_t)s->k));
    TRY(trial_fill(&t->bias, NN_F32, (size_t)s->co));
done:
    return st;
}

static void trial_free(trial *t)
{
    free(t->x);
    free(t->y);
    free(t->w);
    free(t->bias);
}

/* Seconds of the best of three runs; an implementation far slower than `best` is not run again. */
static status trial_time(dnn *d, const conv_spec *s, const char *how, const trial *t, double best, double *seconds)
{
    status st = OK;
    conv_op *op = NULL;
    void *packed = NULL, *scratch = NULL;
    *seconds = 1e30;
    TRY(conv_create(&op, d, s, how));
    TRY(mem_alloc(&packed, conv_packed_bytes(op), 1, "packed weights"));
    TRY(mem_alloc(&scratch, conv_scratch_bytes(op), 1, "scratch memory of a convolution"));
    if (s->direction != CONV_BACK_WEIGHTS) TRY(conv_pack(op, t->w, packed, scratch));
    for (int i = 0; i < 4; i++) {
        double t0 = conv_clock();
        if (s->direction == CONV_FORWARD)
            TRY(conv_run(op, t->x, packed, t->bias, t->y, scratch));
        else if (s->direction == CONV_BACK_DATA)
            TRY(conv_run(op, t->y, packed, NULL, t->x, scratch));
        else
            TRY(conv_run(op, t->x, t->y, NULL, t->w, scratch));
        double took = conv_clock() - t0;
        if (i > 0 && took < *seconds) *seconds = took; /* the first warms up */
        if (i == 0 && took > 4 * best) break;
    }
done:
    conv_destroy(&op);
    free(packed);
    free(scratch);
    return st;
}

static status no_way(const conv_spec *s)
{
    return fail(E_FAILED, "convolution %d -> %d, %d x %d: oneDNN %s has no implementation for it here", s->ci, s->co, s->h, s->w,
                dnn_version());
}

/* The first that oneDNN offers: its own preference for this kind of CPU. */
static status choose_by_rule(dnn *d, const conv_spec *s, char **how)
{
    names list = {0};
    status st = conv_list(d, s, &list);
    if (st == OK && list.n == 0) st = no_way(s);
    if (st == OK) *how = xstrdup(list.item[0]);
    names_free(&list);
    return st;
}

static status measure(dnn *d, const conv_spec *full, char **how, double *gflops)
{
    status st = OK;
    names list = {0};
    trial t = {0};
    conv_spec s = *full;
    s.n = trial_pictures(full);
    double best = 1e30;
    *how = NULL;
    TRY(conv_list(d, &s, &list));
    if (list.n > 0) TRY(trial_create(&t, &s));
    for (size_t i = 0; i < list.n; i++) {
        double seconds;
        TRY(trial_time(d, &s, list.item[i], &t, best, &seconds));
        if (seconds >= best && *how) continue;
        best = seconds;
        free(*how);
        *how = xstrdup(list.item[i]);
    }
    if (!*how) st = no_way(&s);
    *gflops = best < 1e30 ? conv_flop(&s) / best * 1e-9 : 0;
done:
    if (st != OK) FREE(*how);
    names_free(&list);
    trial_free(&t);
    return st;
}

status conv_choose(conv_op **out, dnn *d, const conv_spec *s, conv_choices *c)
{
    status st = OK;
    char *key = choice_key(s), *how = NULL;
    double gflops = 0;
    *out = NULL;
    long at = names_find(&c->key, key);
    if (at < 0) {
        TRY(c->by_rule ? choose_by_rule(d, s, &how) : measure(d, s, &how, &gflops));
        TRY(choices_add(c, key, how, gflops));
        c->measured += !c->by_rule;
        at = (long)c->key.n - 1;
    }
    st = conv_create(out, d, s, c->how.item[at]);
    if (st != OK && !how) { /* a choice made on another kind of CPU, or for more pictures */
        conv_spec mine = *s;
        mine.n_most = 0;
        msg_clear();
        TRY(measure(d, &mine, &how, &gflops));
        free(c->how.item[at]);
        c->how.item[at] = xstrdup(how);
        c->gflops[at] = gflops;
        c->measured++;
        st = conv_create(out, d, s, how);
    }
    if (st == OK) (*out)->gflops = c->gflops[at];
done:
    free(key);
    free(how);
    return st;
}
