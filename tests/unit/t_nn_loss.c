/* t_nn_loss.c -- run: limit=120 : losses, heads and AdamW against PyTorch float64 (tests/ref/nn_ref.py) and central differences in double;
 * rows of a batch divided over ranks give the whole batch's gradient. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/formats/safetensors.h"
#include "micon/nn/heads.h"
#include "micon/nn/loss.h"
#include "micon/nn/optimizer.h"

#include <math.h>
#include <stdlib.h>

static safetensors ref;

static float *draw(size_t n, uint32_t tag, double scale)
{
    float *v = xmalloc((n + 1) * sizeof *v);
    rng r = rng_at(5, STREAM_SAMPLE, tag, 0);
    for (size_t i = 0; i < n; i++) v[i] = (float)(scale * rng_normal(&r));
    return v;
}

static double *want(const char *name, size_t n)
{
    double *v = xcalloc(n + 1, sizeof *v);
    const safe_tensor *t = safetensors_find(&ref, name);
    if (!t || t->count != n || safetensors_get_f64(&ref, t, true, v) != OK) {
        printf("# no reference '%s' of %zu values\n", name, n);
        v[0] = NAN;
    }
    return v;
}

/* |got - want| / |want| */
static double error_of(const float *got, const double *right, size_t n)
{
    double d = 0, b = 0;
    for (size_t i = 0; i < n; i++) d += (got[i] - right[i]) * (got[i] - right[i]), b += right[i] * right[i];
    return b > 0 ? sqrt(d / b) : sqrt(d);
}

static double error_named(const float *got, const char *name, size_t n)
{
    double *w = want(name, n), e = error_of(got, w, n);
    free(w);
    return e;
}

/* ---- contrastive losses ---- */
static float *unit_rows(int n, int d, uint32_t tag)
{
    float *v = draw((size_t)n * (size_t)d, tag, 1);
    for (int i = 0; i < n; i++) {
        double s = 0;
        for (int k = 0; k < d; k++) s += (double)v[i * d + k] * v[i * d + k];
        for (int k = 0; k < d; k++) v[i * d + k] = (float)(v[i * d + k] / sqrt(s));
    }
    return v;
}

/* All rows, as `ranks` ranks would do it. */
static status supcon_over(int ranks, const float *u, const int32_t *y, int n, int d, double t, double *loss, float *du)
{
    status st = OK;
    float *dots = xmalloc((size_t)n * (size_t)n * 4 + 4);
    double *logs = xmalloc((size_t)n * 8 + 8), part;
    int64_t *positives = xmalloc((size_t)n * 8 + 8);
    *loss = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int r = 0; r < ranks; r++) {
            int64_t a = (int64_t)n * r / ranks, m = (int64_t)n * (r + 1) / ranks - a;
            const loss_rows rows = {.u = u, .label = y, .n = n, .d = d, .t = t, .first = a, .n_mine = m};
            if (pass == 0) {
                TRY(supcon_rows(&rows, dots + a * n, positives, logs + a, &part));
                *loss += part;
            } else
                TRY(supcon_grad(&rows, dots + a * n, positives, logs, 1, du + a * d));
        }
done:
    free(dots), free(logs), free(positives);
    return st;
}

static status test_supcon(int n, int d, double t)
{
    status st = OK;
    char name[96];
    float *u = unit_rows(n, d, (uint32_t)n), *du = xcalloc((size_t)(n * d), 4), *whole = xcalloc((size_t)(n * d), 4);
    int32_t *y = xcalloc((size_t)n, 4);
    double loss, again;
    rng r = rng_at(5, STREAM_SAMPLE, (uint32_t)n, 1);
    for (int i = 0; i < n; i++) y[i] = (int32_t)floor(rng_uniform(&r) * (n / 3.0 + 1));
    TRY(supcon_over(1, u, y, n, d, t, &loss, whole));
    snprintf(name, sizeof name, "supcon:%dx%d:%.1f:loss", n, d, t);
    double *right = want(name, 1);
    ok(fabs(loss - right[0]) <= 2e-6 * (1 + fabs(right[0])), name);
    free(right);
    snprintf(name, sizeof name, "supcon:%dx%d:%.1f:grad", n, d, t);
    ok(error_named(whole, name, (size_t)(n * d)) < 1e-4, name);
    for (int ranks = 2; ranks <= 4; ranks++) {
        TRY(supcon_over(ranks, u, y, n, d, t, &again, du));
        double worst = 0;
        for (int i = 0; i < n * d; i++) worst = fmax(worst, fabs((double)du[i] - whole[i]));
        ok(fabs(again - loss) < 1e-6 * (1 + fabs(loss)) && worst < 1e-5, "rows divided over ranks: the same loss and gradient");
    }
done:
    free(u), free(du), free(whole), free(y);
    return st;
}

static status test_clip(int n, int d)
{
    status st = OK;
    char name[96];
    float *a = unit_rows(n, d, 100 + (uint32_t)n), *b = unit_rows(n, d, 200 + (uint32_t)n), *da = xcalloc((size_t)(n * d), 4),
          *db = xcalloc((size_t)(n * d), 4), *dots = xmalloc(2 * (size_t)n * (size_t)n * 4);
    double *log_a = xmalloc((size_t)n * 8), *log_b = xmalloc((size_t)n * 8), *log_mine = xmalloc(2 * (size_t)n * 8), loss = 0, part;
    for (int pass = 0; pass < 2; pass++)
        for (int r = 0; r < 2; r++) {
            int64_t first = n * r / 2, m = n * (r + 1) / 2 - first;
            const loss_rows rows = {.u = a, .v = b, .n = n, .d = d, .t = 0.07, .first = first, .n_mine = m};
            TRY(clip_rows(&rows, dots, log_mine, &part));
            if (pass == 0) {
                memcpy(log_a + first, log_mine, (size_t)m * 8);
                memcpy(log_b + first, log_mine + m, (size_t)m * 8);
                loss += part;
            } else
                TRY(clip_grad(&rows, dots, log_a, log_b, 1, da + first * d, db + first * d));
        }
    snprintf(name, sizeof name, "clip:%dx%d:loss", n, d);
    double *right = want(name, 1);
    ok(fabs(loss - right[0]) <= 1e-5 * (1 + fabs(right[0])), name);
    free(right);
    snprintf(name, sizeof name, "clip:%dx%d:a", n, d);
    ok(error_named(da, name, (size_t)(n * d)) < 1e-4, name);
    snprintf(name, sizeof name, "clip:%dx%d:b", n, d);
    ok(error_named(db, name, (size_t)(n * d)) < 1e-4, name);
done:
    free(a), free(b), free(da), free(db), free(dots), free(log_a), free(log_b), free(log_mine);
    return st;
}

/* The definition in docs/method.md 5, in double, for central differences. */
static double plain_supcon(const double *u, const int32_t *y, int n, int d, double t)
{
    double total = 0;
    int anchors = 0;
    for (int i = 0; i < n; i++) {
        double sum = 0, positive = 0, most = -INFINITY, s[64];
        int p = 0;
        for (int j = 0; j < n; j++) {
            s[j] = 0;
            for (int k = 0; k < d; k++) s[j] += u[i * d + k] * u[j * d + k] / t;
            if (j != i && s[j] > most) most = s[j];
        }
        for (int j = 0; j < n; j++) {
            if (j == i) continue;
            sum += exp(s[j] - most);
            if (y[j] == y[i]) positive += s[j], p++;
        }
        if (p == 0) continue;
        total += log(sum) + most - positive / p;
        anchors++;
    }
    return anchors ? total / anchors : 0;
}

static status test_differences(void)
{
    enum { N = 7, DIM = 5 };
    status st = OK;
    static const int32_t y[N] = {0, 0, 1, 2, 1, 1, 3};
    float u[N * DIM], du[N * DIM];
    double v[N * DIM], loss, worst = 0;
    rng r = rng_at(6, STREAM_SAMPLE, 0, 0);
    for (int i = 0; i < N * DIM; i++) v[i] = u[i] = (float)rng_normal(&r);
    TRY(supcon_over(1, u, y, N, DIM, 0.5, &loss, du));
    near(loss, plain_supcon(v, y, N, DIM, 0.5), 1e-6, "the loss is METHOD's");
    for (int i = 0; i < N * DIM; i++) {
        double keep = v[i], f[2];
        for (int s = 0; s < 2; s++) {
            v[i] = keep + (s ? 1e-6 : -1e-6);
            f[s] = plain_supcon(v, y, N, DIM, 0.5);
        }
        v[i] = keep;
        worst = fmax(worst, fabs((f[1] - f[0]) / 2e-6 - du[i]));
    }
    ok(worst < 1e-5, "its gradient agrees with central differences");
    static const int32_t all[N] = {0, 1, 2, 3, 4, 5, 6};
    TRY(supcon_over(1, u, all, N, DIM, 0.5, &loss, du));
    for (int i = 0; i < N * DIM; i++) worst = fmax(worst * (i > 0), fabs(du[i]));
    ok(loss == 0 && worst == 0, "without positives there is no loss and no gradient");
    u[3] = NAN;
    TRY(supcon_over(1, u, y, N, DIM, 0.5, &loss, du));
    ok(isnan(loss), "NaN is not hidden");
done:
    return st;
}

/* ---- heads ---- */
static void load(nn_params *p, size_t i, float *from)
{
    memcpy(params_value(p, i), from, p->item[i].count * sizeof *from);
    free(from);
}

static status test_aux(void)
{
    enum { N = 63, DIM = 7, C = 5 };
    status st = OK;
    nn_params p = {0};
    aux_head a = aux_register(&p, "aux", DIM, C);
    float *x = draw(N * DIM, 301, 1), dx[N * DIM];
    void *work = xmalloc(aux_work_bytes(&a, N));
    int32_t y[N];
    double loss;
    TRY(params_allocate(&p, true));
    aux_init(&p, &a, 1);
    load(&p, a.gamma, draw(DIM, 302, 1));
    load(&p, a.beta, draw(DIM, 303, 1));
    load(&p, a.w, draw(C * DIM, 304, 1));
    load(&p, a.b, draw(C, 305, 1));
    for (int i = 0; i < N; i++) y[i] = i % C;
    params_clear_grad(&p, 0);
    aux_loss(&p, &a, &(aux_rows){N, x, y}, &(rank_sum){0}, &loss, dx, work);
    double *right = want("aux:loss", 1);
    near(loss, right[0], 1e-6, "auxiliary head: loss");
    free(right);
    ok(error_named(dx, "aux:x", N * DIM) < 1e-4, "auxiliary head: gradient at its input");
    ok(error_named(params_grad(&p, a.gamma), "aux:0.weight", DIM) < 1e-4 &&
           error_named(params_grad(&p, a.beta), "aux:0.bias", DIM) < 1e-4 &&
           error_named(params_grad(&p, a.w), "aux:2.weight", C * DIM) < 1e-4 && error_named(params_grad(&p, a.b), "aux:2.bias", C) < 1e-4,
       "auxiliary head: gradients of its weights");
    ok(error_named(params_value(&p, a.mean), "aux:mean", DIM) < 1e-5 && error_named(params_value(&p, a.var), "aux:var", DIM) < 1e-5,
       "auxiliary head: running statistics");
done:
    params_free(&p);
    free(x), free(work);
    return st;
}

static status test_mlp(void)
{
    enum { N = 7, I = 65, H = 63, O = 1 };
    status st = OK;
    nn_params p = {0};
    mlp m = mlp_register(&p, "mlp", I, H, O);
    float *x = draw(N * I, 401, 1), *dy = draw(N * O, 406, 1), z[N * I], norm[N], inside[N * H], y[N * O], d_inside[N * H], dz[N * I];
    TRY(params_allocate(&p, true));
    load(&p, m.w0, draw(H * I, 402, 0.1));
    load(&p, m.b0, draw(H, 403, 1));
    load(&p, m.w2, draw(O * H, 404, 1));
    load(&p, m.b2, draw(O, 405, 1));
    for (int round = 1; round <= 2; round++) {
        l2_forward(N, I, x, z, norm);
        mlp_forward(&p, &m, N, z, inside, y);
        mlp_backward(&p, &m, N, z, inside, dy, d_inside, dz);
        l2_backward(N, I, z, norm, dz, dz);
    }
    for (size_t i = 0; i < p.n_trained; i++) p.grad[i] /= 2;
    ok(error_named(y, "mlp:y", N * O) < 1e-5, "perceptron: result");
    ok(error_named(dz, "mlp:x", N * I) < 1e-4, "perceptron and L2 normalization: gradient at the input");
    ok(error_named(params_grad(&p, m.w0), "mlp:0.weight", H * I) < 1e-4 && error_named(params_grad(&p, m.b0), "mlp:0.bias", H) < 1e-4 &&
           error_named(params_grad(&p, m.w2), "mlp:2.weight", O * H) < 1e-4 && error_named(params_grad(&p, m.b2), "mlp:2.bias", O) < 1e-4,
       "perceptron: gradients of its weights, added up over two calls");
done:
    params_free(&p);
    free(x), free(dy);
    return st;
}

static status test_adamw(void)
{
    status st = OK;
    nn_params p = {0};
    int64_t dim[2] = {7, 9}, n = 63;
    size_t a = params_add(&p, "a", 2, dim, true), b = params_add(&p, "b", 1, &n, true);
    TRY(params_allocate(&p, true));
    load(&p, a, draw(63, 501, 1));
    load(&p, b, draw(63, 502, 1));
    for (uint32_t k = 0; k < 3; k++) {
        float *g = draw(63, 510 + k, 1), *h = draw(63, 520 + k, 1);
        memcpy(params_grad(&p, a), g, 63 * 4);
        memcpy(params_grad(&p, b), h, 63 * 4);
        free(g), free(h);
        adamw_step(&p, params_all(&p), k + 1, 5e-3, 0.01, clip_scale(sqrt(grad_squares(&p, params_all(&p))), 1.0));
    }
    ok(error_named(params_value(&p, a), "adamw:a", 63) < 1e-6 && error_named(params_value(&p, b), "adamw:b", 63) < 1e-6,
       "AdamW with clipping");
    ok(clip_scale(0.5, 1) == 1 && clip_scale(7, 0) == 1 && fabs(clip_scale(2, 1) - 0.5) < 1e-6, "clipping");
done:
    params_free(&p);
    return st;
}

/* Ranks sum and update shares: the bits of one that does everything. */
static status test_shares(void)
{
    status st = OK;
    nn_params whole = {0}, shared = {0};
    int64_t dim[2] = {300, 200}, n = 50;
    const nn_range part[2] = {{0, 20016}, {20016, 60000 + 64 - 20016}};
    float *grad[3] = {0};
    TRY(mem_alloc(&grad[0], 60064, sizeof(float), "test"));
    for (int r = 1; r < 3; r++) grad[r] = draw(60064, 530 + (uint32_t)r, 1);
    for (int k = 0; k < 2; k++) {
        nn_params *p = k ? &shared : &whole;
        params_add(p, "a", 2, dim, true);
        params_add(p, "b", 1, &n, true);
        TRY(params_allocate(p, true));
        for (size_t i = 0; i < p->n_trained; i++) p->value[i] = (float)(i % 97) * 0.01f;
    }
    for (int64_t step = 1; step <= 2; step++) {
        for (size_t i = 0; i < whole.n_trained; i++) grad[0][i] = shared.grad[i] = (float)(i % 31) * 0.1f;
        for (size_t i = 0; i < whole.n_trained; i++) whole.grad[i] = grad[0][i] + grad[1][i] + grad[2][i];
        for (int k = 0; k < 2; k++) {
            grad_sum(&shared, part[k], (float *const[]){shared.grad, grad[1], grad[2]}, 3);
            adamw_step(&shared, part[k], step, 1e-3, 0.01, 0.5);
        }
        adamw_step(&whole, params_all(&whole), step, 1e-3, 0.01, 0.5);
        double all = grad_squares(&whole, params_all(&whole)), halves = grad_squares(&shared, part[0]) + grad_squares(&shared, part[1]);
        ok(all > 1 && fabs(all - halves) < 1e-9 * all, "the squares of the shares are those of the sum");
    }
    ok(memcmp(whole.value, shared.value, whole.n_trained * 4) == 0 && memcmp(whole.moment2, shared.moment2, whole.n_trained * 4) == 0,
       "three gradients summed and updated in two shares: the same bits");
done:
    for (int r = 0; r < 3; r++) free(grad[r]);
    params_free(&whole), params_free(&shared);
    return st;
}

static void test_schedules(void)
{
    near(lr_cosine(1, 0, 100, 5), 0.2, 1e-12, "warm-up begins at 1/warmup");
    near(lr_cosine(1, 4, 100, 5), 1, 1e-12, "and reaches the rate");
    near(lr_cosine(1, 5, 105, 5), 1, 1e-12, "cosine begins at the rate");
    near(lr_cosine(2, 55, 105, 5), 1, 1e-12, "and is at half in the middle");
    ok(lr_cosine(1, 105, 105, 5) == 0 && lr_cosine(1, 99, 100, 0) > 0, "and at 0 at the end");
    lr_plateau s = {0};
    double lr = 0;
    for (int i = 0; i < 501; i++) lr = lr_plateau_next(&s, 1, 2.0, 500);
    near(lr, 0.9, 1e-12, "a plateau lowers the rate after its patience");
    for (int i = 0; i < 500 * 200; i++) lr = lr_plateau_next(&s, 1, 2.0, 500);
    near(lr, 1e-6, 1e-9, "not below the floor");
    s = (lr_plateau){0};
    for (int i = 0; i < 2000; i++) lr = lr_plateau_next(&s, 1, 1.0 / (i + 1), 500);
    ok(lr == 1, "a falling loss keeps it");
}

int main(void)
{
    status st = OK;
    char path[1024];
    const char *dir = getenv("MICON_REF");
    snprintf(path, sizeof path, "%s/nn_loss.safetensors", dir ? dir : "tests/ref");
    TRY(safetensors_read(&ref, path));
    static const int size[][2] = {{2, 7}, {7, 1}, {63, 65}, {65, 63}};
    for (int i = 0; i < 4; i++) {
        TRY(test_supcon(size[i][0], size[i][1], 0.1));
        TRY(test_supcon(size[i][0], size[i][1], 1.0));
        TRY(test_clip(size[i][0], size[i][1]));
    }
    TRY(test_differences());
    TRY(test_aux());
    TRY(test_mlp());
    TRY(test_adamw());
    TRY(test_shares());
    test_schedules();
done:
    safetensors_free(&ref);
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}
