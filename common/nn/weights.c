/* weights.c -- model files. */
#include "micon/nn/weights.h"

#include "micon/base/mem.h"
#include "micon/base/text.h"

#include <stdlib.h>
#include <string.h>

static safe_tensor entry(const nn_param *t, const char *before, const float *data)
{
    safe_tensor e = {.name = xasprintf("%s%s", before, t->name), .type = SAFE_F32, .n_dims = t->n_dims, .data = data};
    memcpy(e.dim, t->dim, sizeof t->dim);
    return e;
}

status weights_save(const char *path, const nn_params *p, int64_t steps, bool moments, const names *meta_key, const names *meta_value)
{
    status st = OK;
    safe_tensor *item = xcalloc(4 * p->n + 1, sizeof *item);
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++) {
        const nn_param *t = &p->item[i];
        item[n++] = entry(t, "", params_value(p, i));
        if (text_ends(t->name, ".running_var")) {
            size_t stem = strlen(t->name) - strlen("running_var");
            item[n++] = (safe_tensor){.name = xasprintf("%.*snum_batches_tracked", (int)stem, t->name), .type = SAFE_I64, .data = &steps};
        }
        if (moments && t->trained) {
            item[n++] = entry(t, "moment1.", p->moment1 + t->at);
            item[n++] = entry(t, "moment2.", p->moment2 + t->at);
        }
    }
    TRY(safetensors_write(path, item, n, meta_key, meta_value));
done:
    for (size_t i = 0; i < n; i++) free(item[i].name);
    free(item);
    return st;
}

static status wrong_shape(const safetensors *file, const safe_tensor *t, const nn_param *want)
{
    char have[256], need[256];
    safe_tensor w = {.n_dims = want->n_dims};
    memcpy(w.dim, want->dim, sizeof want->dim);
    return fail(E_FORMAT, "%s: tensor '%s' has the shape %s; this model needs %s", file->where, t->name,
                safe_show_shape(t, have, sizeof have), safe_show_shape(&w, need, sizeof need));
}

static bool same_shape(const safe_tensor *t, const nn_param *want)
{
    if (t->n_dims != want->n_dims) return false;
    for (int i = 0; i < t->n_dims; i++)
        if (t->dim[i] != want->dim[i]) return false;
    return true;
}

/* Tensor `name` of the file into out; E_FORMAT if it is missing or of another shape. */
static status take(const safetensors *file, const char *name, const nn_param *want, float *out)
{
    const safe_tensor *t = safetensors_find(file, name);
    if (!t) return fail(E_FORMAT, "%s: tensor '%s' is missing", file->where, name);
    if (!same_shape(t, want)) return wrong_shape(file, t, want);
    return safetensors_get_f32(file, t, true, out);
}

static status take_moments(nn_params *p, size_t i, const safetensors *file)
{
    status st = OK;
    const nn_param *t = &p->item[i];
    char *one = xasprintf("moment1.%s", t->name), *two = xasprintf("moment2.%s", t->name);
    TRY(take(file, one, t, p->moment1 + t->at));
    TRY(take(file, two, t, p->moment2 + t->at));
done:
    free(one);
    free(two);
    return st;
}

/* A tensor that may be ignored: the count of batches, and moments if they are not requested. */
static bool may_stay(const char *name)
{
    return text_ends(name, ".num_batches_tracked") || strncmp(name, "moment1.", 8) == 0 || strncmp(name, "moment2.", 8) == 0;
}

status weights_load(nn_params *p, const safetensors *file, bool moments)
{
    status st = OK;
    for (size_t i = 0; i < p->n; i++) {
        TRY(take(file, p->item[i].name, &p->item[i], params_value(p, i)));
        if (moments && p->item[i].trained) TRY(take_moments(p, i, file));
    }
    for (size_t i = 0; i < file->n; i++)
        if (!may_stay(file->item[i].name) && params_find(p, file->item[i].name) < 0) {
            char shown[128];
            st = fail(E_FORMAT, "%s: tensor '%s' belongs to no layer of this model", file->where,
                      text_show(shown, sizeof shown, file->item[i].name));
            goto done;
        }
done:
    return st;
}

/* [64, 3, 7, 7] -> [64, 1, 7, 7]. */
static status take_first_kernel(const safetensors *file, const char *name, const nn_param *want, float *out)
{
    status st = OK;
    float *three = NULL;
    const safe_tensor *t = safetensors_find(file, name);
    if (!t || t->n_dims != 4 || t->dim[1] != 3) return take(file, name, want, out);
    if (t->dim[0] != want->dim[0] || t->dim[2] != want->dim[2] || t->dim[3] != want->dim[3]) return wrong_shape(file, t, want);
    size_t area = (size_t)(t->dim[2] * t->dim[3]);
    TRY(mem_alloc(&three, t->count, sizeof *three, "the first kernel"));
    TRY(safetensors_get_f32(file, t, true, three));
    for (size_t o = 0; o < (size_t)t->dim[0]; o++)
        for (size_t k = 0; k < area; k++)
            out[o * area + k] = (float)((double)three[o * 3 * area + k] + three[(o * 3 + 1) * area + k] + three[(o * 3 + 2) * area + k]);
done:
    free(three);
    return st;
}

status weights_load_encoder(nn_params *p, const char *prefix, const safetensors *file)
{
    status st = OK;
    bool ours = safetensors_find(file, "encoder.conv1.weight") != NULL;
    const char *theirs = ours ? "encoder." : "";
    for (size_t i = 0; i < p->n; i++) {
        const nn_param *t = &p->item[i];
        if (strncmp(t->name, prefix, strlen(prefix)) != 0) continue;
        const char *bare = t->name + strlen(prefix);
        if (!ours && strncmp(bare, "fc.", 3) == 0) continue;
        char *name = xasprintf("%s%s", theirs, bare);
        st = strcmp(bare, "conv1.weight") == 0 ? take_first_kernel(file, name, t, params_value(p, i))
                                               : take(file, name, t, params_value(p, i));
        free(name);
        if (st != OK) goto done;
    }
    for (size_t i = 0; i < file->n; i++) {
        const char *name = file->item[i].name;
        if (strncmp(name, theirs, strlen(theirs)) != 0 || may_stay(name)) continue;
        const char *bare = name + strlen(theirs);
        char *full = xasprintf("%s%s", prefix, bare), shown[128];
        bool known = params_find(p, full) >= 0 || strncmp(bare, "fc.", 3) == 0;
        free(full);
        if (!known) {
            st =
                fail(E_FORMAT, "%s: tensor '%s' belongs to no layer of this encoder: does the file hold another depth, or a modified stem?",
                     file->where, text_show(shown, sizeof shown, name));
            goto done;
        }
    }
done:
    return st;
}
