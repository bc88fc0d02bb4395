/* profiles.c -- the generator's profiles of compounds on every plate, and what they have in common: means, and how far plates and batches
 * agree. */
#include "predict.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Sums of rows of length 1, by which the mean cosine of two of n rows is (|sum|^2 - n) / (n (n - 1)). */
typedef struct {
    float *sum; /* [n, d] */
    int64_t count;
} unit_sum;

typedef struct {
    int64_t n, d, q;
    float *x, *u; /* of one plate */
    float *batch; /* [n, q]: sum over the plates of a batch of normalized profiles */
    int64_t in_batch;
    unit_sum plates, batches;
} work;

void predicted_free(predicted *p)
{
    free(p->x);
    free(p->projected);
    free(p->normalized);
    free(p->by_plate);
    free(p->by_batch);
    *p = (predicted){0};
}

static void work_free(work *w)
{
    free(w->x);
    free(w->u);
    free(w->batch);
    free(w->plates.sum);
    free(w->batches.sum);
}

static status alloc_all(predicted *p, work *w)
{
    status st = OK;
    size_t n = (size_t)w->n, d = (size_t)w->d, q = (size_t)w->q;
    p->n = w->n;
    TRY(mem_alloc(&p->x, n * d, sizeof *p->x, "predictions"));
    TRY(mem_alloc(&p->projected, n * q, sizeof *p->projected, "predictions"));
    TRY(mem_alloc(&p->normalized, n * q, sizeof *p->normalized, "predictions"));
    TRY(mem_alloc(&p->by_plate, n, sizeof *p->by_plate, "predictions"));
    TRY(mem_alloc(&p->by_batch, n, sizeof *p->by_batch, "predictions"));
    TRY(mem_alloc(&w->x, n * d, sizeof *w->x, "predictions"));
    TRY(mem_alloc(&w->u, n * q, sizeof *w->u, "predictions"));
    TRY(mem_alloc(&w->batch, n * q, sizeof *w->batch, "predictions"));
    TRY(mem_alloc(&w->plates.sum, n * q, sizeof *w->plates.sum, "predictions"));
    TRY(mem_alloc(&w->batches.sum, n * q, sizeof *w->batches.sum, "predictions"));
done:
    return st;
}

static void add(float *sum, const float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++) sum[i] += x[i];
}

static void divide(float *x, int64_t n, int64_t by)
{
    for (int64_t i = 0; i < n; i++) x[i] = (float)(x[i] / (double)by);
}

/* rows become of length 1 */
static void add_unit(unit_sum *s, float *rows, int64_t n, int64_t d)
{
    linear_unit_rows(rows, n, d, rows);
    add(s->sum, rows, n * d);
    s->count++;
}

static void end_batch(work *w)
{
    if (w->in_batch > 0) add_unit(&w->batches, w->batch, w->n, w->q);
    memset(w->batch, 0, (size_t)(w->n * w->q) * sizeof *w->batch);
    w->in_batch = 0;
}

static void agreement(const unit_sum *s, int64_t n, int64_t d, double *out)
{
    double k = (double)s->count;
    for (int64_t i = 0; i < n; i++) out[i] = s->count < 2 ? NAN : (linear_dot(s->sum + i * d, s->sum + i * d, d) - k) / (k * (k - 1));
}

static status add_plate(predicted *p, work *w, const source *from, int64_t plate, const compound_rows *c)
{
    status st = OK;
    plate_profiles at = {0};
    TRY(plate_profiles_read(&at, from, plate));
    TRY(counterfactual_predict(&from->m, at.controls, at.n_controls, c, w->n, w->x, w->u));
    add(p->x, w->x, w->n * w->d);
    add(p->projected, w->u, w->n * w->q);
    plate_profiles_normalize(&at, w->q, w->u, w->n);
    add(p->normalized, w->u, w->n * w->q);
    add(w->batch, w->u, w->n * w->q);
    w->in_batch++;
    add_unit(&w->plates, w->u, w->n, w->q);
done:
    plate_profiles_free(&at);
    return st;
}

status predicted_make(predicted *p, const source *from, const known_treatments *k, const compound_rows *c, int64_t n)
{
    status st = OK;
    const screen_index *ix = from->ix;
    work w = {.n = n, .d = from->m.dim, .q = from->m.projection};
    TRY(alloc_all(p, &w));
    for (int64_t at = 0; n > 0 && at < index_n_plates(ix); at++) {
        index_plate is = index_plate_at(ix, at), before = index_plate_at(ix, at > 0 ? at - 1 : 0);
        if (strcmp(is.source, before.source) != 0 || strcmp(is.batch, before.batch) != 0) end_batch(&w);
        if (k->plate_used[at]) TRY(add_plate(p, &w, from, at, c));
    }
    end_batch(&w);
    divide(p->x, n * w.d, k->n_plates);
    divide(p->projected, n * w.q, k->n_plates);
    linear_unit_rows(p->normalized, n, w.q, p->normalized);
    agreement(&w.plates, n, w.q, p->by_plate);
    agreement(&w.batches, n, w.q, p->by_batch);
done:
    work_free(&w);
    return st;
}
