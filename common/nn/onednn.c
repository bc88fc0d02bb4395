/* onednn.c -- the only file that calls oneDNN, 2 or 3 (onednn_impl.h has what differs). Weights and weight gradients are in whatever order
 * the chosen primitive likes and are turned from and to plain fp32 by a reorder; activations are in the caller's layout. */
#include "micon/nn/onednn.h"

#include "micon/base/mem.h"
#include "onednn_impl.h"

#include <dnnl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct dnn {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
};

enum { ROLE_A, ROLE_B, ROLE_BIAS, ROLE_OUT, ROLE_SCRATCH, ROLES };

struct dnn_op {
    dnn *d;
    dnnl_primitive_t main, turn; /* turn: plain fp32 -> packed weights, or the primitive's weight gradient -> plain fp32 */
    dnnl_memory_t mem[ROLES], plain, packed, turn_scratch;
    dnnl_exec_arg_t arg[ROLES];
    int n_args;
    size_t packed_bytes, scratch_bytes, result_bytes; /* result: a weight gradient that still has to be turned */
};

static const char *status_text(dnnl_status_t s)
{
    switch (s) {
    case dnnl_out_of_memory: return "out of memory";
    case dnnl_invalid_arguments: return "invalid arguments";
    case dnnl_unimplemented: return "not implemented here";
    case dnnl_runtime_error: return "runtime error";
    default: return "failed";
    }
}
#define CALL(expr)                                                                                                                         \
    do {                                                                                                                                   \
        dnnl_status_t call_st = (expr);                                                                                                    \
        if (call_st != dnnl_success) {                                                                                                     \
            st = fail(E_INTERNAL, "oneDNN: %s: %s", #expr, status_text(call_st));                                                          \
            goto done;                                                                                                                     \
        }                                                                                                                                  \
    } while (0)

status dnn_create(dnn **out)
{
    status st = OK;
    dnn *d = xcalloc(1, sizeof *d);
    CALL(dnnl_engine_create(&d->engine, dnnl_cpu, 0));
    CALL(dnnl_stream_create(&d->stream, d->engine, dnnl_stream_default_flags));
done:
    if (st != OK) dnn_destroy(&d);
    *out = d;
    return st;
}

void dnn_destroy(dnn **d)
{
    if (!*d) return;
    if ((*d)->stream) dnnl_stream_destroy((*d)->stream);
    if ((*d)->engine) dnnl_engine_destroy((*d)->engine);
    FREE(*d);
}

bool dnn_bf16(void)
{
    return (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core_bf16) == dnnl_cpu_isa_avx512_core_bf16;
}

nn_layout dnn_layout(nn_type type)
{
    bool wide = (dnnl_get_effective_cpu_isa() & dnnl_cpu_isa_avx512_core) == dnnl_cpu_isa_avx512_core;
    return type == NN_F32 && wide ? NN_C16 : NN_NHWC;
}

const char *dnn_version(void)
{
    static char shown[32];
    const dnnl_version_t *v = dnnl_version();
    snprintf(shown, sizeof shown, "%d.%d.%d", v->major, v->minor, v->patch);
    return shown;
}

static dnnl_data_type_t data_type(nn_type t)
{
    return t == NN_F32 ? dnnl_f32 : dnnl_bf16;
}

/* ---- convolution ---- */
typedef struct {
    md x, w, y, bias;
    conv_how how;
} conv_shapes;

static void conv_shapes_free(conv_shapes *c)
{
    md_destroy(&c->x);
    md_destroy(&c->w);
    md_destroy(&c->y);
    md_destroy(&c->bias);
}

/* hint: a forward pass for the backward ones to look at, its layouts free. conv_shapes_free in any case. */
static status conv_shapes_of(const conv_spec *s, bool winograd, bool hint, conv_shapes *c)
{
    status st = OK;
    dnnl_data_type_t t = data_type(s->type);
    dnnl_format_tag_t any = dnnl_format_tag_any, tag = hint ? any : s->layout == NN_C16 ? dnnl_nChw16c : dnnl_nhwc;
    dnnl_format_tag_t tag_x = !hint && s->ci == 1 && s->layout == NN_C16 ? dnnl_nchw : tag;
    dnnl_dims_t x = {s->n, s->ci, s->h, s->w}, w = {s->co, s->ci, s->k, s->k}, bias = {s->co};
    dnnl_dims_t y = {s->n, s->co, conv_out(s->h, s->k, s->stride, s->pad), conv_out(s->w, s->k, s->stride, s->pad)};
    for (int i = 0; i < 2; i++) c->how.stride[i] = s->stride, c->how.pad[i] = s->pad;
    c->how.spec = s;
    c->how.alg = winograd ? dnnl_convolution_winograd : dnnl_convolution_direct;
    CALL(md_create(&c->x, 4, x, t, tag_x));
    CALL(md_create(&c->y, 4, y, t, tag));
    CALL(md_create(&c->w, 4, w, !hint && s->direction == CONV_BACK_WEIGHTS ? dnnl_f32 : t, any));
    CALL(md_create(&c->bias, 1, bias, dnnl_f32, dnnl_a));
done:
    return st;
}

static status attributes(dnnl_primitive_attr_t *out, bool sum, bool relu)
{
    status st = OK;
    dnnl_post_ops_t after = NULL;
    CALL(dnnl_primitive_attr_create(out));
    CALL(dnnl_primitive_attr_set_scratchpad_mode(*out, dnnl_scratchpad_mode_user));
    if (sum || relu) {
        CALL(dnnl_post_ops_create(&after));
        if (sum) CALL(append_sum(after));
        if (relu) CALL(append_relu(after));
        CALL(dnnl_primitive_attr_set_post_ops(*out, after));
    }
done:
    if (after) dnnl_post_ops_destroy(after);
    return st;
}

/* Walk over the implementations of a convolution. want NULL: add their names to `list`. Otherwise *found is the wanted one, or NULL.
 * The backward passes need a forward description as a hint; its layouts are free. */
static status conv_walk(dnn *d, const conv_spec *s, bool winograd, const char *want, names *list, dnnl_primitive_desc_t *found)
{
    status st = OK;
    conv_shapes c = {0}, free_c = {0};
    impl_walk walk, hint;
    dnnl_primitive_attr_t attr = NULL;
    memset(&walk, 0, sizeof walk);
    memset(&hint, 0, sizeof hint);
    TRY(conv_shapes_of(s, winograd, false, &c));
    TRY(attributes(&attr, s->sum, s->relu));
    if (s->direction != CONV_FORWARD) {
        TRY(conv_shapes_of(s, false, true, &free_c));
        if (walk_start(&hint, d->engine, CONV_FORWARD, &free_c.how, free_c.x, free_c.w, free_c.bias, free_c.y, NULL, NULL) != dnnl_success)
            goto done;
    }
    if (walk_start(&walk, d->engine, s->direction, &c.how, c.x, c.w, c.bias, c.y, hint.pd, attr) != dnnl_success)
        goto done; /* an empty list */
    bool any = false;
    do {
        const char *name;
        CALL(dnnl_primitive_desc_query(walk.pd, dnnl_query_impl_info_str, 0, (void *)&name));
        char full[160];
        snprintf(full, sizeof full, "%s/%s", winograd ? "winograd" : "direct", name);
        if (want && strcmp(full, want) == 0) {
            *found = walk_take(&walk);
            break;
        }
        if (!want && (!strstr(name, "ref") || (!any && !winograd)) && names_find(list, full) < 0) names_add(list, full);
        any = any || !strstr(name, "ref");
    } while (walk_next(&walk));
done:
    walk_end(&walk);
    walk_end(&hint);
    if (attr) dnnl_primitive_attr_destroy(attr);
    conv_shapes_free(&c);
    conv_shapes_free(&free_c);
    return st;
}

status dnn_conv_list(dnn *d, const conv_spec *s, names *out)
{
    status st = OK;
    /* Winograd's rounding is some ten times that of a direct sum. In the forward pass that would turn the sign of ten times as many
     * values near zero before a ReLU, and the gradient errs by the root of their number; on the way back, and where nothing is trained,
     * it does no harm. */
    bool rounding_matters = s->direction == CONV_FORWARD && !s->bias;
    if (!rounding_matters && s->type == NN_F32 && s->k == 3 && s->stride == 1 && s->ci > 1) TRY(conv_walk(d, s, true, NULL, out, NULL));
    TRY(conv_walk(d, s, false, NULL, out, NULL));
done:
    return st;
}

/* ---- an operation from a primitive descriptor ---- */
typedef struct {
    dnnl_query_t query[4]; /* of a, b, bias, out */
    int arg[4];
    bool turn_b, turn_out; /* b is packed from plain; out is turned to plain */
    const_md plain;
} op_parts;

static status turn_create(dnn_op *op, const_md from, const_md to)
{
    status st = OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    TRY(attributes(&attr, false, false));
    CALL(dnnl_reorder_primitive_desc_create(&pd, from, op->d->engine, to, op->d->engine, attr));
    const_md scratch = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
    size_t need = (dnnl_memory_desc_get_size(scratch) + 63) / 64 * 64;
    CALL(dnnl_memory_create(&op->turn_scratch, scratch, op->d->engine, DNNL_MEMORY_NONE));
    if (need > op->scratch_bytes) op->scratch_bytes = need;
    CALL(dnnl_primitive_create(&op->turn, pd));
done:
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (pd) dnnl_primitive_desc_destroy(pd);
    return st;
}

static status op_create(dnn_op **out, dnn *d, dnnl_primitive_desc_t pd, const op_parts *p)
{
    status st = OK;
    dnn_op *op = xcalloc(1, sizeof *op);
    op->d = d;
    CALL(dnnl_primitive_create(&op->main, pd));
    for (int i = 0; i < ROLES; i++) {
        const_md of;
        if (i == ROLE_SCRATCH)
            of = dnnl_primitive_desc_query_md(pd, dnnl_query_scratchpad_md, 0);
        else if (p->arg[i] == 0)
            continue;
        else
            of = i == ROLE_BIAS ? dnnl_primitive_desc_query_md(pd, dnnl_query_weights_md, 1)
                                : dnnl_primitive_desc_query_md(pd, p->query[i], 0);
        CALL(dnnl_memory_create(&op->mem[i], of, d->engine, DNNL_MEMORY_NONE));
        op->arg[op->n_args++] = (dnnl_exec_arg_t){i == ROLE_SCRATCH ? DNNL_ARG_SCRATCHPAD : p->arg[i], op->mem[i]};
        size_t bytes = (dnnl_memory_desc_get_size(of) + 63) / 64 * 64;
        if (i == ROLE_SCRATCH && bytes > op->scratch_bytes) op->scratch_bytes = bytes; /* shared with the turning before or after */
        if (i == ROLE_B && p->turn_b) {
            op->packed_bytes = dnnl_memory_desc_get_size(of);
            TRY(turn_create(op, p->plain, of));
            CALL(dnnl_memory_create(&op->packed, of, d->engine, DNNL_MEMORY_NONE));
        }
        if (i == ROLE_OUT && p->turn_out) {
            op->result_bytes = bytes;
            TRY(turn_create(op, of, p->plain));
        }
    }
    if (p->plain) CALL(dnnl_memory_create(&op->plain, p->plain, d->engine, DNNL_MEMORY_NONE));
done:
    if (st != OK) dnn_op_destroy(&op);
    *out = op;
    return st;
}

status dnn_conv_create(dnn_op **out, dnn *d, const conv_spec *s, const char *how)
{
    status st = OK;
    dnnl_primitive_desc_t pd = NULL;
    md plain = NULL;
    dnnl_dims_t w = {s->co, s->ci, s->k, s->k};
    op_parts p = {.turn_b = true};
    *out = NULL;
    TRY(conv_walk(d, s, strncmp(how, "winograd/", 9) == 0, how, NULL, &pd));
    if (!pd) {
        st = fail(E_FAILED, "convolution %d -> %d, %d x %d: this machine or oneDNN %s has no '%s'; autotune again", s->ci, s->co, s->h,
                  s->w, dnn_version(), how);
        goto done;
    }
    CALL(md_create(&plain, 4, w, dnnl_f32, dnnl_oihw));
    p.plain = plain;
    switch (s->direction) {
    case CONV_FORWARD:
        p.query[0] = dnnl_query_src_md, p.query[1] = dnnl_query_weights_md, p.query[3] = dnnl_query_dst_md;
        p.arg[0] = DNNL_ARG_SRC, p.arg[1] = DNNL_ARG_WEIGHTS, p.arg[2] = s->bias ? DNNL_ARG_BIAS : 0, p.arg[3] = DNNL_ARG_DST;
        break;
    case CONV_BACK_DATA:
        p.query[0] = dnnl_query_diff_dst_md, p.query[1] = dnnl_query_weights_md, p.query[3] = dnnl_query_diff_src_md;
        p.arg[0] = DNNL_ARG_DIFF_DST, p.arg[1] = DNNL_ARG_WEIGHTS, p.arg[3] = DNNL_ARG_DIFF_SRC;
        break;
    case CONV_BACK_WEIGHTS:
        p.query[0] = dnnl_query_src_md, p.query[1] = dnnl_query_diff_dst_md, p.query[3] = dnnl_query_diff_weights_md;
        p.arg[0] = DNNL_ARG_SRC, p.arg[1] = DNNL_ARG_DIFF_DST, p.arg[3] = DNNL_ARG_DIFF_WEIGHTS;
        p.turn_b = false, p.turn_out = true;
        break;
    }
    TRY(op_create(out, d, pd, &p));
done:
    if (pd) dnnl_primitive_desc_destroy(pd);
    md_destroy(&plain);
    return st;
}

status dnn_matmul_create(dnn_op **out, dnn *d, const matmul_spec *s)
{
    status st = OK;
    dnnl_primitive_desc_t pd = NULL;
    dnnl_primitive_attr_t attr = NULL;
    md a = NULL, b = NULL, bias = NULL, y = NULL, plain = NULL;
    dnnl_dims_t ad = {s->m, s->k}, bd = {s->k, s->n}, biasd = {1, s->n}, yd = {s->m, s->n};
    op_parts p = {.query = {dnnl_query_src_md, dnnl_query_weights_md, 0, dnnl_query_dst_md},
                  .arg = {DNNL_ARG_SRC, DNNL_ARG_WEIGHTS, s->bias ? DNNL_ARG_BIAS : 0, DNNL_ARG_DST},
                  .turn_b = !s->b_plain};
    *out = NULL;
    CALL(md_create(&a, 2, ad, data_type(s->type), s->a_turned ? dnnl_ba : dnnl_ab));
    CALL(md_create(&b, 2, bd, data_type(s->type), s->b_plain ? dnnl_ab : dnnl_format_tag_any));
    CALL(md_create(&bias, 2, biasd, dnnl_f32, dnnl_ab));
    CALL(md_create(&y, 2, yd, data_type(s->out_type), dnnl_ab));
    CALL(md_create(&plain, 2, bd, dnnl_f32, dnnl_ab));
    if (!s->b_plain) p.plain = plain;
    TRY(attributes(&attr, s->accumulate, s->relu));
    CALL(matmul_describe(&pd, d->engine, a, b, s->bias ? bias : NULL, y, attr));
    TRY(op_create(out, d, pd, &p));
done:
    if (attr) dnnl_primitive_attr_destroy(attr);
    if (pd) dnnl_primitive_desc_destroy(pd);
    md_destroy(&a);
    md_destroy(&b);
    md_destroy(&bias);
    md_destroy(&y);
    md_destroy(&plain);
    return st;
}

void dnn_op_destroy(dnn_op **op)
{
    if (!*op) return;
    if ((*op)->main) dnnl_primitive_destroy((*op)->main);
    if ((*op)->turn) dnnl_primitive_destroy((*op)->turn);
    for (int i = 0; i < ROLES; i++)
        if ((*op)->mem[i]) dnnl_memory_destroy((*op)->mem[i]);
    if ((*op)->plain) dnnl_memory_destroy((*op)->plain);
    if ((*op)->packed) dnnl_memory_destroy((*op)->packed);
    if ((*op)->turn_scratch) dnnl_memory_destroy((*op)->turn_scratch);
    FREE(*op);
}

size_t dnn_op_packed_bytes(const dnn_op *op)
{
    return op->packed_bytes;
}

bool dnn_op_packs_as(const dnn_op *a, const dnn_op *b)
{
    const_md x = NULL, y = NULL;
    if (!a->packed || !b->packed) return a->packed == b->packed;
    if (dnnl_memory_get_memory_desc(a->packed, &x) != dnnl_success || dnnl_memory_get_memory_desc(b->packed, &y) != dnnl_success)
        return false;
    return dnnl_memory_desc_equal(x, y) == 1;
}

size_t dnn_op_scratch_bytes(const dnn_op *op)
{
    return op->scratch_bytes + op->result_bytes;
}

/* oneDNN takes inputs through pointers that are not const; it does not write to them. */
static void *unconst(const void *p)
{
    union {
        const void *c;
        void *v;
    } u = {.c = p};
    return u.v;
}

static status turn_run(dnn_op *op, dnnl_memory_t from, dnnl_memory_t to, void *scratch)
{
    status st = OK;
    dnnl_exec_arg_t arg[3] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}, {DNNL_ARG_SCRATCHPAD, op->turn_scratch}};
    CALL(dnnl_memory_set_data_handle(op->turn_scratch, scratch));
    CALL(dnnl_primitive_execute(op->turn, op->d->stream, 3, arg));
    CALL(dnnl_stream_wait(op->d->stream));
done:
    return st;
}

status dnn_op_pack(dnn_op *op, const float *plain, void *packed, void *scratch)
{
    status st = OK;
    CALL(dnnl_memory_set_data_handle(op->plain, unconst(plain)));
    CALL(dnnl_memory_set_data_handle(op->packed, packed));
    TRY(turn_run(op, op->plain, op->packed, scratch));
done:
    return st;
}

status dnn_op_run(dnn_op *op, const void *a, const void *b, const float *bias, void *out, void *scratch)
{
    status st = OK;
    void *result = op->result_bytes ? (char *)scratch + op->scratch_bytes : out;
    CALL(dnnl_memory_set_data_handle(op->mem[ROLE_A], unconst(a)));
    CALL(dnnl_memory_set_data_handle(op->mem[ROLE_B], unconst(b)));
    if (op->mem[ROLE_BIAS]) CALL(dnnl_memory_set_data_handle(op->mem[ROLE_BIAS], unconst(bias)));
    CALL(dnnl_memory_set_data_handle(op->mem[ROLE_OUT], result));
    CALL(dnnl_memory_set_data_handle(op->mem[ROLE_SCRATCH], scratch));
    CALL(dnnl_primitive_execute(op->main, op->d->stream, op->n_args, op->arg));
    CALL(dnnl_stream_wait(op->d->stream));
    if (op->result_bytes) {
        CALL(dnnl_memory_set_data_handle(op->plain, out));
        TRY(turn_run(op, op->mem[ROLE_OUT], op->plain, scratch));
    }
done:
    return st;
}
