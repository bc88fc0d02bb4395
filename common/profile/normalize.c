/* normalize.c -- medians and MADs per group, the fallbacks where a group has too few controls, and which features are dropped. */
#include "micon/profile/normalize.h"

#include "micon/base/mem.h"
#include "micon/base/simd_clones.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static const double MAD_TO_SD = 1.4826, TINY = 1e-18, NO_SPREAD = 1e-9, DROP_SHARE = 0.1;

typedef struct {
    int32_t *row;
    int64_t n;
} row_list;

/* Mark in `hit` the codes that the group's rows have, then list the controls with a marked code. */
static void list_controls_of(row_list *l, const normalize_rows *r, const int32_t *code, int64_t n, int32_t group, uint8_t *hit,
                             int64_t n_code)
{
    memset(hit, 0, (size_t)n_code);
    for (int64_t i = 0; i < n; i++)
        if (r->group[i] == group) hit[code[i]] = 1;
    l->n = 0;
    for (int64_t i = 0; i < n; i++)
        if (r->control[i] && hit[code[i]]) l->row[l->n++] = (int32_t)i;
}

static int64_t code_count(const int32_t *code, int64_t n)
{
    int32_t top = -1;
    for (int64_t i = 0; code && i < n; i++) top = code[i] > top ? code[i] : top;
    return top + 1;
}

/* The rows that this group learns on, and how far it had to look. */
static normalize_level choose_rows(row_list *l, const normalize_rows *r, int64_t n, int32_t group, const row_list *own, uint8_t *hit,
                                   int64_t n_batch, int64_t n_source)
{
    l->n = 0;
    for (int64_t i = 0; i < own->n; i++)
        if (!r->control || r->control[own->row[i]]) l->row[l->n++] = own->row[i];
    if (!r->control) return NORMALIZE_ON_ALL;
    if (l->n >= r->min_controls) return NORMALIZE_ON_CONTROLS;
    if (r->batch) {
        list_controls_of(l, r, r->batch, n, group, hit, n_batch);
        if (l->n >= r->min_controls) return NORMALIZE_ON_BATCH;
    }
    if (r->source) {
        list_controls_of(l, r, r->source, n, group, hit, n_source);
        if (l->n >= r->min_controls) return NORMALIZE_ON_SOURCE;
    }
    memcpy(l->row, own->row, (size_t)own->n * sizeof *l->row);
    l->n = own->n;
    return NORMALIZE_ON_ALL;
}

/* Centre and scale of the m numbers in v, which are reordered; *scale is 0 where they do not vary. */
static void learn_one(normalize_kind kind, double *v, int64_t m, double *center, double *scale)
{
    *center = 0, *scale = 0;
    if (m == 0) return;
    if (kind == NORMALIZE_MAD) {
        double median = linear_median(v, m);
        for (int64_t i = 0; i < m; i++) v[i] = fabs(v[i] - median);
        double mad = linear_median(v, m);
        *center = median;
        if (mad > NO_SPREAD * fmax(1, fabs(median))) *scale = MAD_TO_SD * mad + TINY;
    } else {
        double mean = linear_mean(v, m), sum = 0;
        for (int64_t i = 0; i < m; i++) sum += (v[i] - mean) * (v[i] - mean);
        double sd = sqrt(sum / (double)m);
        *center = mean;
        if (sd > NO_SPREAD * fmax(1, fabs(mean))) *scale = sd;
    }
}

static double cell(const normalize_table *t, int64_t at)
{
    return t->exact ? t->exact[at] : (double)t->x[at];
}

/* All features of one group. The rows are copied column by column in strips, so that x is read along its rows. */
static void learn_group(normalize_params *p, int64_t group, const normalize_table *t, const row_list *l, double *strip, int strip_width)
{
    int64_t d = p->d, m = l->n;
    for (int64_t at = 0; at < d; at += strip_width) {
        int64_t width = d - at < strip_width ? d - at : strip_width;
        for (int64_t i = 0; i < m; i++) {
            int64_t from = l->row[i] * d + at;
            for (int64_t j = 0; j < width; j++) strip[j * m + i] = cell(t, from + j);
        }
        for (int64_t j = 0; j < width; j++) {
            double *v = strip + j * m;
            int64_t good = 0;
            for (int64_t i = 0; i < m; i++)
                if (isfinite(v[i])) v[good++] = v[i];
            learn_one(p->kind, v, good, &p->center[group * d + at + j], &p->scale[group * d + at + j]);
        }
    }
}

static status alloc_params(normalize_params *p)
{
    status st = OK;
    size_t d = (size_t)p->d, g = (size_t)p->n_group;
    TRY(mem_alloc(&p->center, g, d * sizeof *p->center, "normalization parameters"));
    TRY(mem_alloc(&p->scale, g, d * sizeof *p->scale, "normalization parameters"));
    TRY(mem_alloc(&p->keep, d, sizeof *p->keep, "normalization parameters"));
    TRY(mem_alloc(&p->n_zero, d, sizeof *p->n_zero, "normalization parameters"));
    TRY(mem_alloc(&p->level, g, sizeof *p->level, "normalization parameters"));
    TRY(mem_alloc(&p->n_learn, g, sizeof *p->n_learn, "normalization parameters"));
done:
    return st;
}

/* Which features vary in too few groups. */
static void drop_features(normalize_params *p)
{
    p->d_kept = 0;
    for (int64_t j = 0; j < p->d; j++) {
        for (int64_t g = 0; g < p->n_group; g++) p->n_zero[j] += p->scale[g * p->d + j] == 0;
        p->keep[j] = !((double)p->n_zero[j] > DROP_SHARE * (double)p->n_group);
        p->d_kept += p->keep[j];
    }
}

int64_t normalize_flat(const normalize_params *p, int64_t group)
{
    int64_t n = 0;
    for (int64_t j = 0; j < p->d; j++) n += p->scale[group * p->d + j] == 0;
    return n;
}

/* Rows sorted by group: start [n_group+1] into order [n]. */
static status sort_by_group(const normalize_rows *r, int64_t n, int64_t *start, int32_t *order)
{
    for (int64_t i = 0; i < n; i++) start[r->group[i] + 1]++;
    for (int64_t g = 0; g < r->n_group; g++) {
        if (start[g + 1] == 0) return fail(E_FAILED, "normalization: group %lld has no wells", (long long)g);
        start[g + 1] += start[g];
    }
    for (int64_t i = 0; i < n; i++) order[start[r->group[i]]++] = (int32_t)i;
    memmove(start + 1, start, (size_t)r->n_group * sizeof *start);
    start[0] = 0;
    return OK;
}

status normalize_fit(normalize_params *p, normalize_kind kind, const normalize_table *t, const normalize_rows *r)
{
    enum { STRIP = 16 };
    status st = OK;
    int64_t n = t->n;
    int64_t n_batch = code_count(r->batch, n), n_source = code_count(r->source, n), *start = NULL;
    int32_t *order = NULL;
    uint8_t *hit = NULL;
    double *strip = NULL;
    row_list list = {0};
    *p = (normalize_params){.kind = kind, .n_group = r->n_group, .d = t->d};
    TRY(alloc_params(p));
    TRY(mem_alloc(&start, (size_t)r->n_group + 1, sizeof *start, "groups"));
    TRY(mem_alloc(&order, (size_t)n, sizeof *order, "groups"));
    TRY(mem_alloc(&hit, (size_t)(n_batch + n_source), 1, "groups"));
    TRY(mem_alloc(&list.row, (size_t)n, sizeof *list.row, "groups"));
    TRY(mem_alloc(&strip, (size_t)n * STRIP, sizeof *strip, "columns of profiles"));
    TRY(sort_by_group(r, n, start, order));
    for (int32_t g = 0; g < r->n_group; g++) {
        row_list own = {order + start[g], start[g + 1] - start[g]};
        p->level[g] = (int32_t)choose_rows(&list, r, n, g, &own, hit, n_batch, n_source);
        p->n_learn[g] = list.n;
        learn_group(p, g, t, &list, strip, STRIP);
    }
    drop_features(p);
done:
    free(start);
    free(order);
    free(hit);
    free(strip);
    free(list.row);
    if (st != OK) normalize_free(p);
    return st;
}

/* One row; scale is 0 where the feature does not vary. Returns how many of its kept cells are NaN or infinite. */
HOT static int64_t apply_row(const double *x, const double *center, const double *scale, const int32_t *kept, int64_t n, float *y)
{
    int64_t bad = 0;
    for (int64_t k = 0; k < n; k++) {
        int32_t j = kept[k];
        int good = x[j] - x[j] == 0; /* neither infinite nor NaN */
        double z = (x[j] - center[j]) / (scale[j] > 0 ? scale[j] : 1);
        bad += !good;
        y[k] = good && scale[j] > 0 ? (float)z : 0;
    }
    return bad;
}

void normalize_apply(const normalize_params *p, const normalize_table *t, const int32_t *group, float *y, int64_t *n_not_finite)
{
    int64_t bad = 0;
    int32_t *kept = xmalloc((size_t)p->d_kept * sizeof *kept);
    double *row = xmalloc((size_t)p->d * sizeof *row);
    normalize_kept(p, kept);
    for (int64_t i = 0; i < t->n; i++) {
        for (int64_t j = 0; j < p->d; j++) row[j] = cell(t, i * p->d + j);
        bad += apply_row(row, p->center + group[i] * p->d, p->scale + group[i] * p->d, kept, p->d_kept, y + i * p->d_kept);
    }
    if (n_not_finite) *n_not_finite = bad;
    free(kept);
    free(row);
}

void normalize_count_undefined(const normalize_params *p, const normalize_table *t, const int32_t *group, int64_t *n_nan, int64_t *n_inf)
{
    *n_nan = *n_inf = 0;
    for (int64_t i = 0; i < t->n; i++)
        for (int64_t j = 0; j < p->d; j++) {
            double v = cell(t, i * p->d + j), z = v - p->center[group[i] * p->d + j];
            bool flat = p->scale[group[i] * p->d + j] == 0;
            *n_nan += isnan(v) || (flat && z == 0);
            *n_inf += isinf(v) || (flat && z != 0 && !isnan(v));
        }
}

void normalize_kept(const normalize_params *p, int32_t *kept)
{
    for (int64_t j = 0; j < p->d; j++)
        if (p->keep[j]) *kept++ = (int32_t)j;
}

void normalize_free(normalize_params *p)
{
    FREE(p->center);
    FREE(p->scale);
    FREE(p->keep);
    FREE(p->n_zero);
    FREE(p->level);
    FREE(p->n_learn);
    *p = (normalize_params){0};
}
