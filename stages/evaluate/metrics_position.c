/* metrics_position.c -- how much the position of a well alone contributes: half of the positions of untreated wells are posed as
 * treatments, and every figure of reproducibility is computed for them (docs/method.md 8). */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The wells, with posed untreated ones instead of the treated: labels are positions, the other untreated wells are the controls. Everything
 * but what is listed here is borrowed. */
typedef struct {
    wells w;
    int32_t *label, *self;
    uint8_t *control, *evaluated;
    int64_t n_posed;
} posed;

static void posed_free(posed *p)
{
    free(p->label);
    free(p->self);
    free(p->control);
    free(p->evaluated);
}

/* code [n_position]: a number for each posed position, -1 for others. Posed is a seeded half of the positions of untreated wells on plates
 * with evaluated wells. */
static status choose_positions(const wells *w, uint32_t seed, const uint8_t *with, int32_t *code, int32_t *n_code)
{
    status st = OK;
    int64_t *order = NULL, n = 0;
    rng r = rng_at(seed, STREAM_POSED, 0, 0);
    TRY(mem_alloc(&order, (size_t)w->n_position, sizeof *order, "positions"));
    for (int32_t p = 0; p < w->n_position; p++) code[p] = -1;
    for (int64_t i = 0; i < w->n; i++) {
        int32_t p = w->position[i];
        if (w->control[i] && with[w->plate[i]] && code[p] < 0) code[p] = 0, order[n++] = p;
    }
    rng_shuffle(&r, order, n);
    for (int64_t k = 0; k < n; k++) code[order[k]] = k < n / 2 ? (int32_t)k : -1;
    *n_code = (int32_t)(n / 2);
done:
    free(order);
    return st;
}

static status posed_init(const wells *w, uint32_t seed, posed *p)
{
    status st = OK;
    uint8_t *with = NULL;
    int32_t *code = NULL, n_code;
    p->w = *w;
    TRY(mem_alloc(&with, (size_t)w->n_plate, 1, "plates"));
    TRY(mem_alloc(&code, (size_t)w->n_position, sizeof *code, "positions"));
    TRY(mem_alloc(&p->label, (size_t)w->n, sizeof *p->label, "untreated wells"));
    TRY(mem_alloc(&p->control, (size_t)w->n, 1, "untreated wells"));
    TRY(mem_alloc(&p->evaluated, (size_t)w->n, 1, "untreated wells"));
    for (int64_t i = 0; i < w->n; i++)
        if (w->evaluated[i]) with[w->plate[i]] = 1;
    TRY(choose_positions(w, seed, with, code, &n_code));
    TRY(mem_alloc(&p->self, (size_t)n_code, sizeof *p->self, "positions"));
    for (int32_t k = 0; k < n_code; k++) p->self[k] = k;
    for (int64_t i = 0; i < w->n; i++) {
        int32_t at = w->control[i] ? code[w->position[i]] : -1;
        p->evaluated[i] = at >= 0 && with[w->plate[i]];
        p->label[i] = p->evaluated[i] ? at : -1;
        p->control[i] = w->control[i] && at < 0;
        p->n_posed += p->evaluated[i];
    }
    p->w.label = p->w.compound = p->label, p->w.label_compound = p->self;
    p->w.n_label = p->w.n_compound = n_code;
    p->w.control = p->control, p->w.evaluated = p->evaluated;
    p->w.target_start = NULL, p->w.n_target = 0, p->w.n_cf = 0;
done:
    free(with);
    free(code);
    return st;
}

/* Treatments whose mAP, against the untreated wells that are not posed, is above the 95th percentile of that of the posed positions. */
static status add_matched_activity_all(const evaluation_set *e, const posed *p, const float *x)
{
    status st = OK;
    wells treated = *e->w;
    int32_t n_compound = treated.n_compound, n_label = treated.n_label;
    double *map = NULL, *of_posed = NULL, *num = NULL, *den = NULL;
    int64_t m = 0;
    result one = evaluation_result_in(e, METRIC_ACTIVE_SHARE, POSITION_MATCHED);
    treated.control = p->control;
    TRY(activity_by_label_all(e, &treated, x, &map));
    TRY(activity_by_label_all(e, &p->w, x, &of_posed));
    TRY_ALL(e->comm, mem_alloc(&num, (size_t)n_compound, sizeof *num, "compounds"));
    TRY_ALL(e->comm, mem_alloc(&den, (size_t)n_compound, sizeof *den, "compounds"));
    for (int32_t k = 0; k < p->w.n_label; k++)
        if (!isnan(of_posed[k])) of_posed[m++] = of_posed[k];
    double bar = linear_quantile(of_posed, m, 0.95);
    one.n = one.left_out = 0, one.chance = 0.05;
    for (int32_t l = 0; l < n_label; l++) {
        if (isnan(map[l]) || isnan(bar)) {
            one.left_out++;
            continue;
        }
        num[treated.label_compound[l]] += map[l] > bar;
        den[treated.label_compound[l]] += 1;
        one.n++;
    }
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den, n_compound));
done:
    free(map);
    free(of_posed);
    free(num);
    free(den);
    return st;
}

status position_control_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    posed p = {0};
    evaluation_set s = {0}, matched = *e;
    sphering_params fit[CROSS_FOLDS] = {0};
    crossfit cross;
    int64_t controls = 0;
    TRY_ALL(e->comm, posed_init(e->w, (uint32_t)e->o->seed, &p));
    for (int64_t i = 0; i < e->w->n; i++) controls += p.control[i];
    if (p.w.n_label < 2 || controls == 0) goto done;
    TRY(cross_without_all(e, p.control, fit, &cross));
    matched.cross = cross.n_fold > 0 ? &cross : NULL;
    s = (evaluation_set){.comm = e->comm,
                         .rank = e->rank,
                         .size = e->size,
                         .w = &p.w,
                         .o = e->o,
                         .r = e->r,
                         .notes = e->notes,
                         .which = e->which,
                         .profiles = e->profiles,
                         .setting = metric_setting_name(POSITION_CONTROL),
                         .cross = matched.cross,
                         .d = e->d};
    TRY_ALL(e->comm, evaluation_set_init(&s, x));
    TRY(retrieval_metrics_all(&s));
    TRY(activity_metrics_all(&s, x));
    TRY(replicate_metrics_all(&s, x));
    TRY(add_matched_activity_all(&matched, &p, x));
done:
    evaluation_set_free(&s);
    for (int f = 0; f < CROSS_FOLDS; f++) sphering_free(&fit[f]);
    posed_free(&p);
    return st;
}
