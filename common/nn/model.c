/* model.c -- a model as a file. */
#include "micon/nn/model.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/nn/resnet.h"
#include "micon/nn/weights.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FORMAT = 1, MAX_DIM = 1 << 20, MAX_SIZE = 4096 };

int model_out(const model *m)
{
    return m->pretrained ? 0 : m->dim / (int)m->channels.n;
}

float model_dose(const model *m, double log10_dose)
{
    return (float)((log10_dose - m->dose_mean) / m->dose_sd);
}

status model_build(model *m, bool training)
{
    status st = OK;
    TRY(resnet_register(&m->params, MODEL_PREFIX, m->depth, model_out(m), m->freeze));
    if (m->projection) m->projector = mlp_register(&m->params, "projector", m->dim, m->dim, m->projection);
    if (m->bits) m->compound = mlp_register(&m->params, "compound", m->bits + m->has_dose, m->bits, m->dim);
    if (m->has_generator) m->generator = mlp_register(&m->params, "generator", 2 * m->dim, 2 * m->dim, m->dim);
    if (m->aux_classes) m->aux = aux_register(&m->params, "aux", m->dim, m->aux_classes);
    TRY(params_allocate(&m->params, training));
done:
    return st;
}

void model_init(model *m, uint32_t seed)
{
    resnet_init(&m->params, MODEL_PREFIX, seed);
    if (m->projection) mlp_init(&m->params, &m->projector, seed);
    if (m->bits) mlp_init(&m->params, &m->compound, seed);
    if (m->has_generator) mlp_init(&m->params, &m->generator, seed);
    if (m->aux_classes) aux_init(&m->params, &m->aux, seed);
}

void model_free(model *m)
{
    params_free(&m->params);
    names_free(&m->channels);
    names_free(&m->compounds);
    text_free(&m->made_from);
    free(m->mean);
    free(m->sd);
    *m = (model){0};
}

void model_levels(const model *m, float (*value)[256])
{
    for (size_t c = 0; c < m->channels.n; c++)
        for (int b = 0; b < 256; b++) value[c][b] = (float)((b / 255.0 - m->mean[c]) / m->sd[c]);
}

augmenter model_augmenter(const model *m, augment_kind kind, uint32_t seed)
{
    return (augmenter){.channels = (int)m->channels.n, .size = m->size_px, .mean = m->mean, .sd = m->sd, .kind = kind, .seed = seed};
}

/* ---- metadata: every value is text; lists are JSON arrays ---- */

static void add(names *key, names *value, const char *k, const char *v)
{
    names_add(key, k);
    names_add(value, v);
}

static void add_int(names *key, names *value, const char *k, int64_t v)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)v);
    add(key, value, k, digits);
}

static void add_names(names *key, names *value, const char *k, const names *list)
{
    text t = {0};
    text_add(&t, "[");
    for (size_t i = 0; i < list->n; i++) {
        if (i) text_add(&t, ", ");
        text_add_json(&t, list->item[i]);
    }
    text_add(&t, "]");
    add(key, value, k, text_str(&t));
    text_free(&t);
}

static void add_reals(names *key, names *value, const char *k, const double *v, size_t n)
{
    text t = {0};
    for (size_t i = 0; i < n; i++) text_addf(&t, "%s%.17g", i ? ", " : "[", v[i]);
    text_add(&t, "]");
    add(key, value, k, text_str(&t));
    text_free(&t);
}

void model_meta(const model *m, names *key, names *value)
{
    add_int(key, value, "micon.format", FORMAT);
    add(key, value, "micon.version", MICON_VERSION);
    add_int(key, value, "micon.encoder", m->depth);
    add_int(key, value, "micon.size", m->size_px);
    add_int(key, value, "micon.dim", m->dim);
    add_int(key, value, "micon.projection", m->projection);
    add_int(key, value, "micon.bits", m->bits);
    add_int(key, value, "micon.generator", m->has_generator);
    add_int(key, value, "micon.pretrained", m->pretrained);
    add_int(key, value, "micon.aux_classes", m->aux_classes);
    add_names(key, value, "micon.channels", &m->channels);
    add_reals(key, value, "micon.mean", m->mean, m->channels.n);
    add_reals(key, value, "micon.sd", m->sd, m->channels.n);
    if (m->has_dose) add_reals(key, value, "micon.dose", (const double[]){m->dose_mean, m->dose_sd}, 2);
    add(key, value, "micon.made_from", text_str(&m->made_from));
    add_names(key, value, "micon.compounds", &m->compounds);
}

static status get_int(const safetensors *s, const char *k, int64_t least, int64_t most, int *out)
{
    const char *v = safetensors_meta(s, k);
    int64_t i;
    if (!v) return fail(E_FORMAT, "%s: no '%s' in its metadata: not a model of micon-train", s->where, k);
    if (!num_i64(v, &i) || i < least || i > most) return fail(E_FORMAT, "%s: '%s' is '%.40s'", s->where, k, v);
    *out = (int)i;
    return OK;
}

/* A JSON array from the metadata; the caller json_decrefs it. */
static status get_array(const safetensors *s, const char *k, json_t **out)
{
    const char *v = safetensors_meta(s, k);
    *out = v ? json_loads(v, JSON_REJECT_DUPLICATES, NULL) : NULL;
    if (!json_is_array(*out)) return fail(E_FORMAT, "%s: '%s' in its metadata is not a list", s->where, k);
    return OK;
}

static status get_names(const safetensors *s, const char *k, names *out)
{
    status st = OK;
    json_t *array = NULL;
    TRY(get_array(s, k, &array));
    for (size_t i = 0; i < json_array_size(array); i++) {
        const char *v = json_string_value(json_array_get(array, i));
        if (!v) TRY(fail(E_FORMAT, "%s: '%s' in its metadata contains a value that is not text", s->where, k));
        names_add(out, v);
    }
done:
    json_decref(array);
    return st;
}

static status get_reals(const safetensors *s, const char *k, size_t n, double **out)
{
    status st = OK;
    json_t *array = NULL;
    TRY(get_array(s, k, &array));
    if (json_array_size(array) != n) TRY(fail(E_FORMAT, "%s: '%s' has %zu values, not %zu", s->where, k, json_array_size(array), n));
    *out = xcalloc(n, sizeof **out);
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_array_get(array, i);
        (*out)[i] = json_number_value(v);
        if (!json_is_number(v) || !isfinite((*out)[i])) TRY(fail(E_FORMAT, "%s: '%s' contains a value that is not a number", s->where, k));
    }
done:
    json_decref(array);
    return st;
}

/* The constants of its doses, where it takes doses. */
static status describe_dose(model *m, const safetensors *s)
{
    status st = OK;
    double *v = NULL;
    m->has_dose = safetensors_meta(s, "micon.dose") != NULL;
    if (!m->has_dose) return OK;
    TRY(get_reals(s, "micon.dose", 2, &v));
    m->dose_mean = v[0], m->dose_sd = v[1];
    if (m->dose_sd <= 0 || !m->bits) TRY(fail(E_FORMAT, "%s: 'micon.dose' does not describe doses of compounds", s->where));
done:
    free(v);
    return st;
}

status model_describe(model *m, const safetensors *s)
{
    status st = OK;
    int format, generator, pretrained;
    TRY(get_int(s, "micon.format", 1, INT32_MAX, &format));
    if (format > FORMAT) TRY(fail(E_FORMAT, "%s: written by a newer version (format %d, this one knows %d)", s->where, format, FORMAT));
    TRY(get_int(s, "micon.encoder", 18, 101, &m->depth));
    TRY(get_int(s, "micon.size", 32, MAX_SIZE, &m->size_px));
    TRY(get_int(s, "micon.dim", 1, MAX_DIM, &m->dim));
    TRY(get_int(s, "micon.projection", 0, MAX_DIM, &m->projection));
    TRY(get_int(s, "micon.bits", 0, MAX_DIM, &m->bits));
    TRY(get_int(s, "micon.generator", 0, 2, &generator));
    if (generator == 2)
        TRY(fail(E_FAILED, "%s was trained with train.generator: change, which was removed: train it again without that key", s->where));
    TRY(get_int(s, "micon.pretrained", 0, 1, &pretrained));
    TRY(get_int(s, "micon.aux_classes", 0, MAX_DIM, &m->aux_classes));
    m->has_generator = generator;
    m->pretrained = pretrained;
    TRY(get_names(s, "micon.channels", &m->channels));
    if (m->channels.n < 1 || m->channels.n > 64 || m->dim % (int)m->channels.n != 0 || (m->has_generator && !m->bits))
        TRY(fail(E_FORMAT, "%s: %zu channels and length %d do not make a valid model", s->where, m->channels.n, m->dim));
    TRY(get_reals(s, "micon.mean", m->channels.n, &m->mean));
    TRY(get_reals(s, "micon.sd", m->channels.n, &m->sd));
    for (size_t c = 0; c < m->channels.n; c++)
        if (m->sd[c] <= 0) TRY(fail(E_FORMAT, "%s: the sd of channel %s is not positive", s->where, m->channels.item[c]));
    TRY(describe_dose(m, s));
    TRY(get_names(s, "micon.compounds", &m->compounds));
    const char *made_from = safetensors_meta(s, "micon.made_from");
    text_add(&m->made_from, made_from ? made_from : "");
done:
    return st;
}

/* ---- the file ---- */

status model_write(const model *m, int64_t steps, const char *path)
{
    names key = {0}, value = {0};
    model_meta(m, &key, &value);
    status st = weights_save(path, &m->params, steps, false, &key, &value);
    names_free(&key);
    names_free(&value);
    return st;
}

/* Do the heads, counted before anything is allocated, fit into the file? A hostile description (a length of a million) is caught here. */
static status check_counts(const model *m, const safetensors *s)
{
    double file = 0, want = 0;
    for (size_t i = 0; i < s->n; i++) file += (double)s->item[i].count;
    double d = m->dim, b = m->bits;
    want = (m->projection ? d * d + d * m->projection : 0) + (m->bits ? b * b + b * d : 0) + (m->has_generator ? 6 * d * d : 0);
    if (want > file) return fail(E_FORMAT, "%s: its description implies %.0f values, but it holds %.0f", s->where, want, file);
    return OK;
}

status model_read(model *m, const char *path, uint64_t *digest)
{
    status st = OK;
    safetensors s = {0};
    TRY(safetensors_read(&s, path));
    TRY(model_describe(m, &s));
    TRY(check_counts(m, &s));
    TRY(model_build(m, false));
    TRY(weights_load(&m->params, &s, false));
    TRY(digest_file(path, digest));
done:
    safetensors_free(&s);
    return st;
}
