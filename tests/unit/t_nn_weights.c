/* t_nn_weights.c -- model files: round trip, torchvision's three-channel encoders, and files that do not fit. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/nn/heads.h"
#include "micon/nn/resnet.h"
#include "micon/nn/weights.h"

#include <stdlib.h>

static char *in_tmp(const char *name)
{
    return path_join(tap_dir(), name);
}

static status model(nn_params *p, int out)
{
    status st = OK;
    TRY(resnet_register(p, "encoder.", 18, out, FREEZE_NONE));
    mlp m = mlp_register(p, "projector", 7, 5, 3);
    TRY(params_allocate(p, true));
    resnet_init(p, "encoder.", 1);
    mlp_init(p, &m, 1);
done:
    return st;
}

static bool same_values(const nn_params *a, const nn_params *b)
{
    for (size_t i = 0; i < a->n; i++) /* the array between tensors is nobody's */
        if (memcmp(params_value(a, i), params_value(b, i), a->item[i].count * 4) != 0) return false;
    return true;
}

static status test_round_trip(void)
{
    status st = OK;
    nn_params a = {0}, b = {0}, c = {0};
    safetensors f = {0};
    names key = {0}, value = {0};
    char *path = in_tmp("model.safetensors");
    int64_t steps[1];
    TRY(model(&a, 200));
    TRY(model(&b, 200));
    for (size_t i = 0; i < a.n_trained; i++) a.moment1[i] = (float)i, a.moment2[i] = -(float)i, a.value[i] += 1;
    for (size_t i = 0; i < a.n_state; i++) a.state[i] += 2;
    names_add(&key, "config");
    names_add(&value, "x: 1");
    TRY(weights_save(path, &a, 12, true, &key, &value));
    TRY(safetensors_read(&f, path));
    TRY(weights_load(&b, &f, true));
    bool good = same_values(&a, &b);
    for (size_t i = 0; i < a.n && good; i++)
        if (a.item[i].trained) good = memcmp(a.moment2 + a.item[i].at, b.moment2 + b.item[i].at, a.item[i].count * 4) == 0;
    ok(good, "a checkpoint comes back, bit for bit");
    const safe_tensor *t = safetensors_find(&f, "encoder.layer4.1.bn2.num_batches_tracked");
    ok(t && t->n_dims == 0 && safetensors_get_i64(&f, t, steps) == OK && steps[0] == 12, "torchvision's count of batches is there");
    ok(safetensors_find(&f, "projector.2.bias") && safetensors_find(&f, "encoder.layer2.0.downsample.1.running_var"),
       "torchvision's names");
    TRY(resnet_register(&c, "net.", 18, 200, FREEZE_ALL));
    TRY(params_allocate(&c, false));
    TRY(weights_load_encoder(&c, "net.", &f));
    long w = params_find(&c, "net.layer3.0.conv1.weight"), v = params_find(&a, "encoder.layer3.0.conv1.weight");
    ok(memcmp(params_value(&c, (size_t)w), params_value(&a, (size_t)v), c.item[w].count * 4) == 0,
       "an encoder out of a model of ours, frozen");
    params_free(&c);
    TRY(resnet_register(&c, "encoder.", 34, 200, FREEZE_NONE));
    TRY(params_allocate(&c, false));
    ok(weights_load_encoder(&c, "encoder.", &f) == E_FORMAT && strstr(msg_get(), "missing"), "another depth is refused");
    msg_clear();
    params_free(&b);
    TRY(model(&b, 100));
    ok(weights_load(&b, &f, false) == E_FORMAT && strstr(msg_get(), "encoder.fc.weight") && strstr(msg_get(), "[200, 512]"),
       "another width is refused");
    msg_clear();
done:
    params_free(&a), params_free(&b), params_free(&c);
    safetensors_free(&f);
    names_free(&key), names_free(&value);
    free(path);
    return st;
}

/* Write what torchvision would: three channels, a last layer of 1000 classes, no prefix. change: what is spoiled. */
static status write_foreign(const nn_params *p, const char *path, const char *change)
{
    safe_tensor *t = xcalloc(p->n + 2, sizeof *t);
    size_t n = 0;
    static float three[64 * 3 * 49], fc[1000 * 512];
    for (int o = 0; o < 64; o++)
        for (int c = 0; c < 3; c++)
            for (int k = 0; k < 49; k++) three[(o * 3 + c) * 49 + k] = (float)(o + 10 * c + k);
    for (size_t i = 0; i < p->n; i++) {
        const nn_param *q = &p->item[i];
        if (strncmp(q->name, "encoder.", 8) != 0) continue;
        if (strcmp(change, "missing") == 0 && strcmp(q->name, "encoder.layer1.1.bn2.bias") == 0) continue;
        safe_tensor *e = &t[n++];
        *e = (safe_tensor){.name = q->name + 8, .type = SAFE_F32, .n_dims = q->n_dims, .data = params_value(p, i)};
        memcpy(e->dim, q->dim, sizeof q->dim);
        if (strcmp(e->name, "conv1.weight") == 0) e->dim[1] = 3, e->data = three;
        if (strncmp(e->name, "fc.", 3) == 0) e->dim[0] = 1000, e->data = fc;
        if (strcmp(change, "shape") == 0 && strcmp(e->name, "layer1.0.conv1.weight") == 0) e->dim[2] = 1, e->dim[3] = 9;
        if (strcmp(change, "type") == 0 && strcmp(e->name, "layer1.0.conv1.weight") == 0) e->type = SAFE_I32;
    }
    float nan_value[64] = {[5] = NAN};
    if (strcmp(change, "surplus") == 0)
        t[n++] = (safe_tensor){.name = "conv1.0.weight", .type = SAFE_F32, .n_dims = 1, .dim = {3}, .data = fc};
    for (size_t i = 0; i < n && strcmp(change, "nan") == 0; i++)
        if (strcmp(t[i].name, "bn1.weight") == 0) t[i].data = nan_value;
    status st = safetensors_write(path, t, n, NULL, NULL);
    free(t);
    return st;
}

static status test_foreign(void)
{
    static const char *const change[] = {"missing", "shape", "type", "surplus", "nan"};
    static const char *const says[] = {"layer1.1.bn2.bias' is missing", "has the shape", "it holds integers", "conv1.0.weight",
                                       "not finite"};
    status st = OK;
    nn_params a = {0}, b = {0};
    safetensors f = {0};
    char *path = in_tmp("foreign.safetensors");
    TRY(model(&a, 200));
    TRY(model(&b, 200));
    for (size_t i = 0; i < b.n_trained; i++) b.value[i] = 7;
    TRY(write_foreign(&a, path, ""));
    TRY(safetensors_read(&f, path));
    TRY(weights_load_encoder(&b, "encoder.", &f));
    long conv = params_find(&b, "encoder.conv1.weight"), fc = params_find(&b, "encoder.fc.weight"),
         deep = params_find(&b, "encoder.layer4.1.conv2.weight");
    const float *w = params_value(&b, (size_t)conv);
    ok(w[0] == 30 && w[49 * 2 + 3] == 3 * 2 + 30 + 3 * 3, "the first kernel is summed over three channels");
    ok(params_value(&b, (size_t)fc)[0] == 7, "the last layer of a thousand classes is left aside");
    ok(memcmp(params_value(&b, (size_t)deep), params_value(&a, (size_t)deep), b.item[deep].count * 4) == 0, "the rest is taken");
    for (int i = 0; i < 5; i++) {
        TRY(write_foreign(&a, path, change[i]));
        TRY(safetensors_read(&f, path));
        bool good = weights_load_encoder(&b, "encoder.", &f) == E_FORMAT && strstr(msg_get(), says[i]);
        if (!good) printf("# %s\n", msg_get());
        ok(good, change[i]);
        msg_clear();
    }
done:
    params_free(&a), params_free(&b);
    safetensors_free(&f);
    free(path);
    return st;
}

int main(void)
{
    status st = OK;
    TRY(test_round_trip());
    TRY(test_foreign());
done:
    if (st != OK) printf("# %s\n", msg_get());
    ok(st == OK, "the test ran to its end");
    return tap_done();
}
