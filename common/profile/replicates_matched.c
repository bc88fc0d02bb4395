/* replicates_matched.c -- null sets of wells at as many positions as a compound's: what position alone makes of wells without a common
 * compound. */
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/replicates.h"
#include "replicates_impl.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEAST_PLACES = 8, TRIES = 20 };

static int i32_cmp(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* room [number of labels of the place's wells] */
static int64_t count_labels(const replicate_pool *pool, const int32_t *row, int64_t n, int32_t *room)
{
    int64_t distinct = 0;
    for (int64_t i = 0; i < n; i++) room[i] = pool->rows.label[row[i]];
    qsort(room, (size_t)n, sizeof *room, i32_cmp);
    for (int64_t i = 0; i < n; i++) distinct += i == 0 || room[i] != room[i - 1];
    return distinct;
}

/* eligible [n_place]: positions with wells of at least `least` labels; returns how many. */
static int32_t list_eligible(const replicate_pool *pool, const rows_by_code *b, int64_t least, int32_t *room, int32_t *eligible)
{
    int32_t n = 0;
    for (int32_t p = 0; p < pool->n_place; p++)
        if (count_labels(pool, b->row + b->start[p], b->start[p + 1] - b->start[p], room) >= least) eligible[n++] = p;
    return n;
}

static int fullest(replicate_shape s)
{
    return (s.wells + s.places - 1) / s.places;
}

status replicate_fit(const replicate_pool *pool, replicate_shape shape, replicate_shape *fit)
{
    status st = OK;
    rows_by_code b = {0};
    int32_t *room = NULL, *eligible = NULL;
    int most = shape.places > LEAST_PLACES ? shape.places : LEAST_PLACES;
    *fit = (replicate_shape){0, shape.places};
    TRY(rows_by_code_init(&b, pool->place, pool->rows.n, pool->n_place));
    TRY(mem_alloc(&room, (size_t)pool->rows.n, sizeof *room, "null sets"));
    TRY(mem_alloc(&eligible, (size_t)pool->n_place, sizeof *eligible, "null sets"));
    for (; shape.wells >= 2 && shape.wells >= shape.places; shape.wells = (fullest(shape) - 1) * shape.places) {
        if (list_eligible(pool, &b, fullest(shape), room, eligible) < most) continue;
        *fit = shape;
        break;
    }
done:
    rows_by_code_free(&b);
    free(room);
    free(eligible);
    return st;
}

typedef struct {
    const replicate_pool *pool;
    const rows_by_code *b;
    replicate_shape shape;
    int32_t *eligible, *place, *well; /* place, well: copies that are shuffled */
    int32_t n_eligible;
} drawing;

/* `many` wells of a position whose labels are not among those that the set has; false: there are not so many. */
static bool draw_place(const drawing *w, rng *r, int32_t place, int many, int32_t *row, int n)
{
    const int32_t *label = w->pool->rows.label;
    int64_t left = w->b->start[place + 1] - w->b->start[place];
    for (int64_t i = 0; i < left; i++) w->well[i] = w->b->row[w->b->start[place] + i];
    for (int got = 0; got < many; left--) {
        if (left == 0) return false;
        int64_t at = (int64_t)rng_below(r, (uint64_t)left);
        int32_t one = w->well[at];
        bool known = false;
        w->well[at] = w->well[left - 1];
        for (int i = 0; i < n + got; i++) known |= label[row[i]] == label[one];
        if (!known) row[n + got++] = one;
    }
    return true;
}

static bool draw_set(const drawing *w, rng *r, int32_t *row)
{
    int n = 0, even = w->shape.wells / w->shape.places, more = w->shape.wells % w->shape.places;
    for (int32_t i = 0; i < w->n_eligible; i++) w->place[i] = w->eligible[i];
    for (int p = 0; p < w->shape.places; p++) {
        int32_t at = p + (int32_t)rng_below(r, (uint64_t)(w->n_eligible - p)), place = w->place[at];
        int many = even + (p < more);
        w->place[at] = w->place[p];
        if (!draw_place(w, r, place, many, row, n)) return false;
        n += many;
    }
    return true;
}

status replicate_matched_null(const replicate_pool *pool, replicate_shape shape, uint32_t seed, row_range draws, double *all,
                              double *across)
{
    status st = OK;
    rows_by_code b = {0};
    drawing w = {.pool = pool, .b = &b, .shape = shape};
    int32_t row[REPLICATE_MAX_SET];
    double pair[REPLICATE_MAX_SET * (REPLICATE_MAX_SET - 1) / 2] = {0}, apart[REPLICATE_MAX_SET * (REPLICATE_MAX_SET - 1) / 2];
    double *room = NULL;
    const profile_rows *x = &pool->rows;
    if (shape.wells < 2 || shape.wells > REPLICATE_MAX_SET || shape.places < 1 || shape.places > shape.wells)
        return fail(E_INTERNAL, "percent replicating: null sets of %d wells at %d positions", shape.wells, shape.places);
    TRY(rows_by_code_init(&b, pool->place, x->n, pool->n_place));
    TRY(mem_alloc(&w.eligible, (size_t)pool->n_place, sizeof *w.eligible, "null sets"));
    TRY(mem_alloc(&w.place, (size_t)pool->n_place, sizeof *w.place, "null sets"));
    TRY(mem_alloc(&w.well, (size_t)x->n, sizeof *w.well, "null sets"));
    TRY(mem_alloc(&room, (size_t)shape.wells, (size_t)x->d * sizeof *room, "null sets"));
    w.n_eligible = list_eligible(pool, &b, fullest(shape), w.well, w.eligible);
    if (w.n_eligible < shape.places) TRY(fail(E_INTERNAL, "percent replicating: %d positions for null sets", w.n_eligible));
    for (int64_t i = 0; i < draws.n; i++) {
        rng r = rng_at(seed, STREAM_MATCHED, (uint32_t)(shape.wells << 8 | shape.places), (uint64_t)(draws.first + i));
        bool found = false;
        for (int t = 0; t < TRIES && !found; t++) found = draw_set(&w, &r, row);
        if (found) replicate_set_pairs(x->x, x->d, pool->known, room, row, shape.wells, pair);
        memcpy(apart, pair, sizeof pair);
        all[i] = found ? replicate_median(pair, row, shape.wells, NULL) : NAN;
        across[i] = found && shape.places > 1 ? replicate_median(apart, row, shape.wells, pool->place) : NAN;
    }
done:
    rows_by_code_free(&b);
    free(w.eligible);
    free(w.place);
    free(w.well);
    free(room);
    return st;
}
