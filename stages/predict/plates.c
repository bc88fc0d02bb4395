/* plates.c -- finished embeddings of a plate: its controls for the generator, and its wells' projected profiles on the scale of these
 * controls; over all plates the profiles of the screen's treatments. */
#include "predict.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/normalize.h"
#include "micon/provenance/output_record.h"
#include "micon/stage/plates.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_CONTROLS = 2 };

void plate_profiles_free(plate_profiles *p)
{
    free(p->controls);
    free(p->wells);
    free(p->class);
    free(p->center);
    free(p->scale);
    *p = (plate_profiles){0};
}

void plate_profiles_normalize(const plate_profiles *p, int64_t d, float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            float *v = &x[i * d + j];
            *v = p->scale[j] > 0 ? (float)(((double)*v - p->center[j]) / p->scale[j]) : 0;
        }
}

/* The sites of a file, and what the index says of their wells. */
typedef struct {
    store_file *f;
    char *path;
    frame obs;
    int well, tiles;
    float *x, *u;
    int64_t n;
} sites;

static void sites_close(sites *s)
{
    store_close(&s->f);
    free(s->path);
    frame_free(&s->obs);
    free(s->x);
    free(s->u);
}

static status read_rows(const sites *s, const char *which, int64_t d, float **out)
{
    status st = OK;
    int n_dims;
    int64_t dims[4];
    if (!store_has(s->f, which)) TRY(fail(E_FORMAT, "%s has no %s: embed the screen with this model", s->path, which));
    TRY(store_dims(s->f, which, &n_dims, dims));
    if (n_dims != 2 || dims[0] != s->n || dims[1] != d)
        TRY(fail(E_FAILED, "%s: %s was not made with this model (lengths %lld and %lld): run micon-embed", s->path, which,
                 (long long)(n_dims == 2 ? dims[1] : 0), (long long)d));
    TRY(mem_alloc(out, (size_t)(s->n * d), sizeof **out, "sites of a plate"));
    TRY(store_read_rows(s->f, which, STORE_F32, 0, s->n, *out));
done:
    return st;
}

/* Was the plate embedded with this model? */
static status check_model(const sites *s, const source *from)
{
    status st = OK;
    char *lines = NULL, *made_with = NULL, d[DIGEST_TEXT];
    if (store_has(s->f, MADE_FROM)) TRY(store_read_text(s->f, MADE_FROM, &lines));
    made_with = lines ? output_record_value(lines, "model") : NULL;
    if (made_with && strcmp(made_with, digest_show(from->model_digest, d)) != 0)
        TRY(fail(E_FAILED, "%s was embedded with another model: run micon-embed", s->path));
done:
    free(lines);
    free(made_with);
    return st;
}

static status sites_open(sites *s, const source *from)
{
    status st = OK;
    TRY(store_open(&s->f, s->path, EMBEDDINGS_KIND, EMBEDDINGS_FORMAT));
    TRY(check_model(s, from));
    TRY(store_read_frame(s->f, "obs", &s->obs));
    s->n = s->obs.n_rows;
    s->well = frame_col(&s->obs, "Metadata_Well");
    s->tiles = frame_col(&s->obs, "QC_Tiles");
    if (s->well < 0 || s->tiles < 0 || s->obs.col[s->tiles].type != FRAME_I64)
        TRY(fail(E_FORMAT, "%s: obs has no Metadata_Well or QC_Tiles", s->path));
    TRY(read_rows(s, "X", from->m.dim, &s->x));
    TRY(read_rows(s, EMBEDDINGS_PROJECTED, from->m.projection, &s->u));
done:
    return st;
}

/* out [d] = mean over the sites [from, to) with an unflagged tile; false where there is none. */
static bool average(const sites *s, int64_t from, int64_t to, int64_t d, float *out, double *sum)
{
    const int64_t *tiles = s->obs.col[s->tiles].v.i64;
    int64_t n = 0;
    memset(sum, 0, (size_t)d * sizeof *sum);
    for (int64_t i = from; i < to; i++) {
        if (tiles[i] <= 0) continue;
        for (int64_t j = 0; j < d; j++) sum[j] += s->u[i * d + j];
        n++;
    }
    for (int64_t j = 0; j < d; j++) out[j] = (float)(n > 0 ? sum[j] / (double)n : 0);
    return n > 0;
}

/* class [words of Metadata_Well]: 0 control, 1.. treated, -1 neither. */
static void wells_of(const sites *s, const screen_index *ix, int64_t plate, int32_t *class)
{
    const intern_table *word = &s->obs.col[s->well].word;
    index_plate at = index_plate_at(ix, plate);
    for (size_t i = 0; i < word->n; i++) class[i] = -1;
    for (int64_t i = at.first; i < at.first + at.n; i = index_well_end(ix, i)) {
        int64_t code = intern_find(word, index_cell(ix, i, INDEX_WELL));
        if (code >= 0) class[code] = index_class(ix, i);
    }
}

/* Controls' sites to p->controls; well by well the mean of u to p->wells, its class to p->class. */
static status collect(plate_profiles *p, const sites *s, const int32_t *class_of, const model *m)
{
    status st = OK;
    int64_t d = m->dim, q = m->projection;
    const int32_t *code = s->obs.col[s->well].v.code;
    const int64_t *tiles = s->obs.col[s->tiles].v.i64;
    double *sum = xcalloc((size_t)q, sizeof *sum);
    TRY(mem_alloc(&p->controls, (size_t)(s->n * d), sizeof *p->controls, "controls"));
    TRY(mem_alloc(&p->wells, (size_t)(s->n * q), sizeof *p->wells, "wells"));
    TRY(mem_alloc(&p->class, (size_t)s->n, sizeof *p->class, "wells"));
    for (int64_t i = 0, end; i < s->n; i = end) {
        for (end = i + 1; end < s->n && code[end] == code[i]; end++) {
        }
        int32_t class = code[i] < 0 ? -1 : class_of[code[i]];
        if (class < 0 || !average(s, i, end, q, p->wells + p->n_wells * q, sum)) continue;
        p->class[p->n_wells++] = class;
        for (int64_t k = i; k < end && class == 0; k++)
            if (tiles[k] > 0) memcpy(p->controls + p->n_controls++ * d, s->x + k * d, (size_t)d * sizeof *s->x);
    }
done:
    free(sum);
    return st;
}

/* Centre and scale from the wells of controls; then only the treated wells stay. */
static status normalize(plate_profiles *p, int64_t d)
{
    status st = OK;
    normalize_params n = {0};
    int32_t *group = NULL;
    uint8_t *control = NULL;
    int64_t n_control = 0, kept = 0;
    TRY(mem_alloc(&group, (size_t)p->n_wells, sizeof *group, "wells"));
    TRY(mem_alloc(&control, (size_t)p->n_wells, 1, "wells"));
    for (int64_t i = 0; i < p->n_wells; i++) n_control += control[i] = p->class[i] == 0;
    if (n_control < LEAST_CONTROLS) {
        p->n_controls = p->n_wells = 0;
        goto done;
    }
    const normalize_rows rows = {.group = group, .control = control, .n_group = 1, .min_controls = LEAST_CONTROLS};
    TRY(normalize_fit(&n, NORMALIZE_MAD, &(normalize_table){p->wells, NULL, p->n_wells, d}, &rows));
    p->center = n.center, p->scale = n.scale;
    n.center = n.scale = NULL;
    for (int64_t i = 0; i < p->n_wells; i++) {
        if (p->class[i] == 0) continue;
        p->class[kept] = p->class[i];
        memmove(p->wells + kept++ * d, p->wells + i * d, (size_t)d * sizeof *p->wells);
    }
    p->n_wells = kept;
    plate_profiles_normalize(p, d, p->wells, kept);
done:
    normalize_free(&n);
    free(group);
    free(control);
    return st;
}

status plate_profiles_read(plate_profiles *p, const source *from, int64_t plate)
{
    status st = OK;
    const model *m = &from->m;
    int32_t *class = NULL;
    char *run = text_encode_name(from->g->cfg.train.run), *folder = xasprintf(WORK_EMBEDDINGS "/%s", run);
    sites s = {.path = plates_file(from->g, from->ix, folder, plate)};
    if (!path_exists(s.path)) goto done;
    TRY(sites_open(&s, from));
    TRY(mem_alloc(&class, s.obs.col[s.well].word.n + 1, sizeof *class, "wells"));
    wells_of(&s, from->ix, plate, class);
    TRY(collect(p, &s, class, m));
    TRY(normalize(p, m->projection));
done:
    sites_close(&s);
    free(class);
    free(run);
    free(folder);
    return st;
}

/* ---- the screen's treatments ---- */

void known_treatments_free(known_treatments *k)
{
    free(k->class);
    free(k->compound);
    free(k->x);
    free(k->plate_used);
}

/* sum [classes, d], count [classes] over all plates. */
static status add_plates(known_treatments *k, const source *from, float *sum, int64_t *count)
{
    status st = OK;
    plate_profiles p = {0};
    const screen_index *ix = from->ix;
    int64_t d = from->m.projection, left_out = 0;
    for (int64_t at = 0; at < index_n_plates(ix); at++) {
        plate_profiles_free(&p);
        TRY(plate_profiles_read(&p, from, at));
        k->plate_used[at] = p.n_controls > 0;
        if (!k->plate_used[at]) {
            char *label = plates_label(ix, at);
            if (left_out++ < SHOWN) log_warn("%s: no embeddings, or fewer than %d untreated wells: left out", label, LEAST_CONTROLS);
            free(label);
            continue;
        }
        k->n_plates++;
        for (int64_t i = 0; i < p.n_wells; i++) {
            float *to = sum + p.class[i] * d;
            count[p.class[i]]++;
            for (int64_t j = 0; j < d; j++) to[j] += p.wells[i * d + j];
        }
    }
    if (left_out > SHOWN) log_warn("... and %lld more plates left out", (long long)left_out - SHOWN);
done:
    plate_profiles_free(&p);
    return st;
}

status known_treatments_read(known_treatments *k, const source *from)
{
    status st = OK;
    const screen_index *ix = from->ix;
    const config *cfg = &from->g->cfg;
    int64_t n = index_n_classes(ix), d = from->m.projection, *count = NULL;
    const char **held = NULL;
    float *sum = NULL;
    TRY(mem_alloc(&k->class, (size_t)n, sizeof *k->class, "treatments"));
    TRY(mem_alloc(&k->compound, (size_t)n, sizeof *k->compound, "treatments"));
    TRY(mem_alloc(&k->x, (size_t)(n * d), sizeof *k->x, "treatments"));
    TRY(mem_alloc(&k->plate_used, (size_t)index_n_plates(ix), 1, "plates"));
    TRY(mem_alloc(&held, (size_t)n, sizeof *held, "treatments"));
    TRY(mem_alloc(&count, (size_t)n, sizeof *count, "treatments"));
    TRY(mem_alloc(&sum, (size_t)(n * d), sizeof *sum, "treatments"));
    TRY(add_plates(k, from, sum, count));
    for (int64_t i = 0; i < index_n_rows(ix); i++)
        if (index_class(ix, i) > 0) held[index_class(ix, i)] = index_cell(ix, i, INDEX_COMPOUND);
    for (int64_t c = 1; c < n; c++) {
        if (count[c] == 0) continue;
        k->class[k->n] = (int32_t)c, k->compound[k->n] = held[c];
        memcpy(k->x + k->n++ * d, sum + c * d, (size_t)d * sizeof *sum);
    }
    linear_unit_rows(k->x, k->n, d, k->x);
    if (k->n_plates == 0)
        TRY(fail(E_FAILED, "no plate of %s has embeddings of run '%s' and untreated wells: run micon-embed first", cfg->screen.name,
                 cfg->train.run));
done:
    free(held);
    free(count);
    free(sum);
    return st;
}
