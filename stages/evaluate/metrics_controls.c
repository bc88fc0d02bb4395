/* metrics_controls.c -- is activity honest? Untreated wells that had no part in the correction, in sets of shuffled labels, are posed as
 * treatments: all beyond chance that they score is bias (docs/method.md 8). */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/mpi/comm.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { SET_SIZE = 4, LEAST_CONTROLS = 4, WANTED_QUERIES = 2000, MOST_DRAWS = 8 };

/* The wells with half of each plate's untreated ones held out. Everything but what is listed here is borrowed. */
typedef struct {
    wells w;
    int32_t *label, *self;
    uint8_t *control, *evaluated;
    int64_t *row, *start; /* the held-out wells of plate p: row[start[p] .. start[p+1]) */
    int64_t n;
} held_out;

static void held_out_free(held_out *h)
{
    free(h->label);
    free(h->self);
    free(h->control);
    free(h->evaluated);
    free(h->row);
    free(h->start);
}

/* Sets of a plate's m held-out wells: none has fewer than two. */
static int64_t sets_of(int64_t m)
{
    return m < 2 ? 0 : m < SET_SIZE ? 1 : m / SET_SIZE;
}

static status held_out_init(const wells *w, uint32_t seed, held_out *h)
{
    status st = OK;
    int64_t *mine = NULL, sets = 0;
    h->w = *w;
    TRY(mem_alloc(&mine, (size_t)w->n, sizeof *mine, "controls"));
    TRY(mem_alloc(&h->row, (size_t)w->n, sizeof *h->row, "controls"));
    TRY(mem_alloc(&h->start, (size_t)w->n_plate + 1, sizeof *h->start, "controls"));
    TRY(mem_alloc(&h->label, (size_t)w->n, sizeof *h->label, "controls"));
    TRY(mem_alloc(&h->control, (size_t)w->n, 1, "controls"));
    TRY(mem_alloc(&h->evaluated, (size_t)w->n, 1, "controls"));
    memcpy(h->control, w->control, (size_t)w->n);
    for (int64_t i = 0; i < w->n; i++) h->start[w->plate[i] + 1] += w->control[i];
    for (int32_t p = 0; p < w->n_plate; p++) h->start[p + 1] += h->start[p];
    for (int64_t i = 0; i < w->n; i++)
        if (w->control[i]) mine[h->start[w->plate[i]]++] = i;
    for (int32_t p = w->n_plate; p > 0; p--) h->start[p] = h->start[p - 1];
    h->start[0] = 0;
    for (int32_t p = 0; p < w->n_plate; p++) {
        int64_t *of = mine + h->start[p], n = h->start[p + 1] - h->start[p];
        rng r = rng_at(seed, STREAM_HELD_OUT, 0, (uint64_t)p);
        rng_shuffle(&r, of, n);
        h->start[p] = h->n;
        for (int64_t k = 0; k < n / 2 && n >= LEAST_CONTROLS; k++) {
            h->row[h->n++] = of[k];
            h->control[of[k]] = 0, h->evaluated[of[k]] = 1;
        }
        sets += sets_of(h->n - h->start[p]);
    }
    h->start[w->n_plate] = h->n;
    TRY(mem_alloc(&h->self, (size_t)sets, sizeof *h->self, "controls"));
    for (int64_t k = 0; k < sets; k++) h->self[k] = (int32_t)k;
    h->w.n_label = h->w.n_compound = (int32_t)sets;
    h->w.label = h->w.compound = h->label, h->w.label_compound = h->self;
    h->w.control = h->control, h->w.evaluated = h->evaluated;
    h->w.target_start = NULL, h->w.n_target = 0, h->w.n_cf = 0;
done:
    free(mine);
    return st;
}

/* Labels of a draw: the wells of a set are of one plate, as the controls that they are compared with, so that any order is as likely. */
static void shuffle_labels(held_out *h, uint32_t seed, uint32_t draw)
{
    int64_t first = 0;
    for (int64_t i = 0; i < h->w.n; i++) h->label[i] = -1;
    for (int32_t p = 0; p < h->w.n_plate; p++) {
        int64_t m = h->start[p + 1] - h->start[p], sets = sets_of(m);
        rng r = rng_at(seed, STREAM_HELD_OUT, 1 + draw, (uint64_t)p);
        rng_shuffle(&r, h->row + h->start[p], m);
        for (int64_t k = 0; k < m; k++) h->label[h->row[h->start[p] + k]] = (int32_t)(first + k % sets);
        first += sets;
    }
}

/* Sums over the sets of a draw's average precisions, and over all of their chances. */
static status add_draw_all(const evaluation_set *e, const held_out *h, const float *x, double *num, double *den, double *chance)
{
    status st = OK;
    ap_scores s = {0};
    double *of = NULL;
    TRY(activity_scores_all(e, &h->w, x, &s, NULL));
    TRY_ALL(e->comm, mem_alloc(&of, (size_t)h->w.n, sizeof *of, "average precisions"));
    TRY_ALL(e->comm, ap_chances(&s, h->w.n, of));
    for (int64_t i = 0; i < h->w.n; i++) {
        if (h->label[i] < 0 || isnan(s.ap[i])) continue;
        num[h->label[i]] += s.ap[i];
        den[h->label[i]] += 1;
        *chance += of[i];
    }
done:
    ap_scores_free(&s);
    free(of);
    return st;
}

status control_metrics_all(const evaluation_set *e, const float *x)
{
    status st = OK;
    held_out h = {0};
    evaluation_set s = *e;
    evaluate_options own_plate = *e->o;
    sphering_params fit[CROSS_FOLDS] = {0};
    crossfit cross;
    double *num = NULL, *den = NULL, chance = 0, asked = 0;
    result one = evaluation_result(e, METRIC_MAP_CONTROLS);
    TRY_ALL(e->comm, held_out_init(e->w, (uint32_t)e->o->seed, &h));
    if (h.w.n_label == 0) goto done;
    TRY(cross_without_all(e, h.control, fit, &cross));
    if (e->cross && cross.n_fold == 0) goto done;
    own_plate.negatives = NEGATIVES_PLATE, own_plate.min_controls = 1;
    s.o = &own_plate, s.cross = e->cross ? &cross : NULL;
    TRY_ALL(e->comm, mem_alloc(&num, (size_t)h.w.n_label, sizeof *num, "controls"));
    TRY_ALL(e->comm, mem_alloc(&den, (size_t)h.w.n_label, sizeof *den, "controls"));
    int64_t draws = WANTED_QUERIES / h.n;
    for (int64_t t = 0; t == 0 || (t < draws && t < MOST_DRAWS); t++) {
        shuffle_labels(&h, (uint32_t)e->o->seed, (uint32_t)t);
        TRY(add_draw_all(&s, &h, x, num, den, &chance));
    }
    for (int32_t l = 0; l < h.w.n_label; l++) asked += den[l];
    one.n = h.n, one.left_out = 0, one.chance = chance / asked;
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den, h.w.n_label));
done:
    for (int f = 0; f < CROSS_FOLDS; f++) sphering_free(&fit[f]);
    held_out_free(&h);
    free(num);
    free(den);
    return st;
}
