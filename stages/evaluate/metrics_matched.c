/* metrics_matched.c -- percent replicating against null sets with as many wells and positions as the treatment, and over pairs of wells at
 * different positions (docs/method.md 8). */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/replicates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = REPLICATE_MAX_SET + 1 };

/* The 95th percentiles of one shape's null sets, over all pairs and over those at different positions. */
typedef struct {
    bool known;
    double all, across;
} bars;

/* The wells of E and the untreated wells of their plates; each untreated well is a label of its own. */
typedef struct {
    float *x; /* [n,d] from linear_pearson_rows; those of E first, in their order */
    int32_t *label, *place;
    replicate_pool pool;
    bars bar[MOST][MOST]; /* [number of wells][number of positions] */
} matched;

static void matched_free(matched *m)
{
    free(m->x);
    free(m->pool.known);
    free(m->label);
    free(m->place);
}

static status matched_init(const evaluation_set *e, const float *raw_x, matched *m)
{
    status st = OK;
    const wells *w = e->w;
    uint8_t *with = NULL;
    int64_t n = e->n;
    TRY(mem_alloc(&with, (size_t)w->n_plate, 1, "plates"));
    for (int64_t i = 0; i < e->n; i++) with[e->plate[i]] = 1;
    for (int64_t i = 0; i < w->n; i++) n += w->control[i] && with[w->plate[i]];
    TRY(mem_alloc(&m->x, (size_t)(n * e->d), sizeof *m->x, "profiles"));
    TRY(mem_alloc(&m->label, (size_t)n, sizeof *m->label, "profiles"));
    TRY(mem_alloc(&m->place, (size_t)n, sizeof *m->place, "profiles"));
    for (int64_t i = 0; i < e->n; i++) {
        linear_pearson_rows(raw_x + e->row[i] * e->d, 1, e->d, m->x + i * e->d);
        m->label[i] = e->compound[i], m->place[i] = e->position[i];
    }
    n = e->n;
    for (int64_t i = 0; i < w->n; i++) {
        if (!w->control[i] || !with[w->plate[i]]) continue;
        linear_pearson_rows(raw_x + i * e->d, 1, e->d, m->x + n * e->d);
        m->label[n] = w->n_compound + (int32_t)(n - e->n), m->place[n] = w->position[i];
        n++;
    }
    m->pool = (replicate_pool){{.x = m->x, .n = n, .d = e->d, .label = m->label}, m->place, w->n_position, NULL};
    TRY(replicate_known(n, &m->pool.known));
done:
    free(with);
    return st;
}

/* The shape of each label's wells in E. */
static status label_shapes(const evaluation_set *e, replicate_shape *shape)
{
    status st = OK;
    int32_t n_place = e->w->n_position, n_label = e->w->n_label;
    uint8_t *seen = NULL;
    TRY(mem_alloc(&seen, (size_t)n_label * (size_t)n_place, 1, "positions of treatments"));
    memset(shape, 0, (size_t)n_label * sizeof *shape);
    for (int64_t i = 0; i < e->n; i++) {
        replicate_shape *s = &shape[e->label[i]];
        uint8_t *at = &seen[(int64_t)e->label[i] * n_place + e->position[i]];
        if (s->wells < REPLICATE_MAX_SET) s->wells++;
        if (!*at && s->places < REPLICATE_MAX_SET) s->places++;
        *at = 1;
    }
done:
    free(seen);
    return st;
}

/* The 95th percentile of those that are not NaN; reorders v. */
static double bar_of(double *v, int64_t n)
{
    int64_t m = 0;
    for (int64_t i = 0; i < n; i++)
        if (!isnan(v[i])) v[m++] = v[i];
    return linear_quantile(v, m, 0.95);
}

static status find_bars_all(const evaluation_set *e, matched *m, replicate_shape shape)
{
    status st = OK;
    int64_t first, n, size = e->o->null_size;
    double *mine = NULL, *all = NULL;
    replicate_shape fit;
    bars *b = &m->bar[shape.wells][shape.places];
    if (b->known) return OK;
    *b = (bars){true, NAN, NAN};
    TRY_ALL(e->comm, replicate_fit(&m->pool, shape, &fit));
    if (fit.wells == 0) goto done;
    partition(size, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&mine, (size_t)n, 2 * sizeof *mine, "null sets"));
    TRY_ALL(e->comm, mem_alloc(&all, (size_t)size, sizeof *all, "null sets"));
    TRY_ALL(e->comm, n > 0 ? replicate_matched_null(&m->pool, fit, (uint32_t)e->o->seed, (row_range){first, n}, mine, mine + n) : OK);
    TRY(evaluation_gather_all(e, mine, n, sizeof *mine, size, all));
    b->all = bar_of(all, size);
    TRY(evaluation_gather_all(e, mine + n, n, sizeof *mine, size, all));
    b->across = bar_of(all, size);
done:
    free(mine);
    free(all);
    return st;
}

/* Labels whose score is above their bar; across: pairs at different positions. */
static status add_share_all(const evaluation_set *e, const matched *m, const replicate_shape *shape, bool across)
{
    status st = OK;
    int32_t n_label = e->w->n_label, n_compound = e->w->n_compound;
    int64_t first, n;
    double *mine = NULL, *score = NULL, *num = NULL, *den = NULL;
    result one = evaluation_result_in(e, METRIC_PERCENT_REPLICATING, across ? OTHER_POSITIONS : POSITION_MATCHED);
    const profile_rows rows = {.x = m->x, .n = e->n, .d = e->d, .label = e->label};
    partition(n_label, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&mine, (size_t)n, sizeof *mine, "treatments"));
    TRY_ALL(e->comm, mem_alloc(&score, (size_t)n_label, sizeof *score, "treatments"));
    TRY_ALL(e->comm, mem_alloc(&num, (size_t)n_compound, sizeof *num, "compounds"));
    TRY_ALL(e->comm, mem_alloc(&den, (size_t)n_compound, sizeof *den, "compounds"));
    TRY_ALL(e->comm, n > 0 ? replicate_scores(&rows, across ? e->position : NULL, n_label, (row_range){first, n}, mine) : OK);
    TRY(evaluation_gather_all(e, mine, n, sizeof *mine, n_label, score));
    one.n = one.left_out = 0, one.chance = 0.05;
    for (int32_t l = 0; l < n_label; l++) {
        const bars *b = &m->bar[shape[l].wells][shape[l].places];
        double bar = across ? b->across : b->all;
        if (isnan(score[l]) || !b->known || isnan(bar)) {
            one.left_out++;
            continue;
        }
        num[e->w->label_compound[l]] += score[l] > bar;
        den[e->w->label_compound[l]] += 1;
        one.n++;
    }
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den, n_compound));
done:
    free(mine);
    free(score);
    free(num);
    free(den);
    return st;
}

status matched_replicate_metrics_all(const evaluation_set *e, const float *raw_x)
{
    status st = OK;
    matched m = {0};
    replicate_shape *shape = NULL;
    TRY_ALL(e->comm, mem_alloc(&shape, (size_t)e->w->n_label, sizeof *shape, "treatments"));
    TRY_ALL(e->comm, matched_init(e, raw_x, &m));
    TRY_ALL(e->comm, label_shapes(e, shape));
    for (int32_t l = 0; l < e->w->n_label; l++)
        if (shape[l].wells >= 2) TRY(find_bars_all(e, &m, shape[l]));
    TRY(add_share_all(e, &m, shape, true));
    TRY(add_share_all(e, &m, shape, false));
done:
    matched_free(&m);
    free(shape);
    return st;
}
