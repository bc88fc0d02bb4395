/* pair_sampler.c -- which tiles a training step sees. Every draw is at a counter of its own: (epoch, purpose) for permutations, the item's
 * number for the choices within an item. */
#include "micon/nn/pair_sampler.h"

#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { PURPOSE_TREATED = 0, PURPOSE_ALL, PURPOSE_COMPOUNDS, PURPOSE_ITEM = 16, PURPOSE_CLIP, PURPOSES = 3 };

/* Tiles sorted by a key, found by it: group k is order[begin[k]] .. order[begin[k + 1] - 1]. */
typedef struct {
    int64_t *order, *begin;
    int32_t n_groups;
} groups;

struct pair_sampler {
    sampler_tile *tile;
    int64_t n;
    uint32_t seed;
    groups compound;                           /* treated tiles by compound */
    groups plate, batch, source;               /* control tiles */
    int64_t *list[PURPOSES], n_list[PURPOSES]; /* treated tiles, all tiles, compounds */
    int64_t *mixed[PURPOSES], epoch[PURPOSES]; /* the permutation of an epoch, made at its first use */
};

static int32_t key_of(const sampler_tile *t, int level)
{
    return level == 0 ? t->compound : level == 1 ? t->plate : level == 2 ? t->batch : t->source;
}

/* Group the tiles that are wanted (control or treated) by a key; counting sort, tiles stay in order. */
static status groups_create(groups *g, const pair_sampler *s, bool control, int level)
{
    status st = OK;
    int32_t most = -1;
    for (int64_t i = 0; i < s->n; i++)
        if (s->tile[i].compound >= 0 && key_of(&s->tile[i], level) > most) most = key_of(&s->tile[i], level);
    g->n_groups = most + 1;
    TRY(mem_alloc(&g->begin, (size_t)g->n_groups + 1, sizeof *g->begin, "groups of tiles"));
    TRY(mem_alloc(&g->order, (size_t)s->n, sizeof *g->order, "groups of tiles"));
    for (int pass = 0; pass < 2; pass++) {
        for (int64_t i = 0; i < s->n; i++) {
            const sampler_tile *t = &s->tile[i];
            if (t->compound < 0 || (t->compound == 0) != control) continue;
            int32_t k = key_of(t, level);
            if (pass == 0)
                g->begin[k + 1]++;
            else
                g->order[g->begin[k]++] = i;
        }
        if (pass == 0)
            for (int32_t k = 0; k < g->n_groups; k++) g->begin[k + 1] += g->begin[k];
    }
    for (int32_t k = g->n_groups; k > 0; k--) g->begin[k] = g->begin[k - 1]; /* filling moved the beginnings to the ends */
    g->begin[0] = 0;
done:
    return st;
}

static int64_t group_size(const groups *g, int32_t k)
{
    return k >= 0 && k < g->n_groups ? g->begin[k + 1] - g->begin[k] : 0;
}

static void groups_free(groups *g)
{
    free(g->order);
    free(g->begin);
}

static status lists_create(pair_sampler *s)
{
    status st = OK;
    for (int k = 0; k < PURPOSES; k++) {
        TRY(mem_alloc(&s->list[k], (size_t)s->n, sizeof *s->list[k], "training tiles"));
        TRY(mem_alloc(&s->mixed[k], (size_t)s->n, sizeof *s->mixed[k], "training tiles"));
        s->epoch[k] = -1;
    }
    for (int64_t i = 0; i < s->n; i++) {
        if (s->tile[i].compound > 0) s->list[PURPOSE_TREATED][s->n_list[PURPOSE_TREATED]++] = i;
        if (s->tile[i].compound >= 0) s->list[PURPOSE_ALL][s->n_list[PURPOSE_ALL]++] = i;
    }
    for (int32_t c = 1; c < s->compound.n_groups; c++)
        if (group_size(&s->compound, c) > 0) s->list[PURPOSE_COMPOUNDS][s->n_list[PURPOSE_COMPOUNDS]++] = c;
done:
    return st;
}

status pair_sampler_create(pair_sampler **out, const sampler_tile *tile, int64_t n, bool controls, uint32_t seed, int64_t *left_out)
{
    status st = OK;
    pair_sampler *s = xcalloc(1, sizeof *s);
    int64_t single = 0;
    s->n = n;
    s->seed = seed;
    TRY(mem_alloc(&s->tile, (size_t)n, sizeof *s->tile, "training tiles"));
    if (n > 0) memcpy(s->tile, tile, (size_t)n * sizeof *tile);
    TRY(groups_create(&s->compound, s, false, 0));
    for (int64_t i = 0; i < n; i++) /* a compound with one tile has no second view */
        if (s->tile[i].compound > 0 && group_size(&s->compound, s->tile[i].compound) < 2) {
            s->tile[i].compound = -1;
            single++;
        }
    if (left_out) *left_out = single;
    groups_free(&s->compound);
    s->compound = (groups){0};
    TRY(groups_create(&s->compound, s, false, 0));
    TRY(groups_create(&s->plate, s, true, 1));
    TRY(groups_create(&s->batch, s, true, 2));
    TRY(groups_create(&s->source, s, true, 3));
    TRY(lists_create(s));
    if (s->n_list[PURPOSE_COMPOUNDS] < 2)
        st = fail(E_FAILED,
                  "training needs two compounds with two tiles each; %lld such compounds are left among %lld tiles: the keys of split hold "
                  "batches, sources and compounds out",
                  (long long)s->n_list[PURPOSE_COMPOUNDS], (long long)n);
    else if (controls && s->n_list[PURPOSE_ALL] == s->n_list[PURPOSE_TREATED])
        st = fail(E_FAILED, "training needs control tiles; none of the %lld tiles is one", (long long)n);
done:
    if (st != OK) pair_sampler_destroy(&s);
    *out = s;
    return st;
}

void pair_sampler_destroy(pair_sampler **s)
{
    if (!*s) return;
    free((*s)->tile);
    groups_free(&(*s)->compound);
    groups_free(&(*s)->plate);
    groups_free(&(*s)->batch);
    groups_free(&(*s)->source);
    for (int k = 0; k < PURPOSES; k++) {
        free((*s)->list[k]);
        free((*s)->mixed[k]);
    }
    FREE(*s);
}

int64_t pair_sampler_epoch(const pair_sampler *s, item_source items)
{
    static const int purpose[] = {[ITEMS_PAIRS] = PURPOSE_TREATED, [ITEMS_TILES] = PURPOSE_ALL, [ITEMS_COMPOUNDS] = PURPOSE_COMPOUNDS};
    return items == ITEMS_NONE ? 0 : s->n_list[purpose[items]];
}

/* Element `number` of the endless sequence of permutations of a list. */
static int64_t sequence(pair_sampler *s, int purpose, int64_t number)
{
    int64_t n = s->n_list[purpose], epoch = number / n;
    if (s->epoch[purpose] != epoch) {
        rng r = rng_at(s->seed, STREAM_ITEMS, (uint32_t)epoch, UINT64_MAX - (uint64_t)purpose); /* no item's number */
        memcpy(s->mixed[purpose], s->list[purpose], (size_t)n * sizeof *s->mixed[purpose]);
        rng_shuffle(&r, s->mixed[purpose], n);
        s->epoch[purpose] = epoch;
    }
    return s->mixed[purpose][number % n];
}

static rng item_rng(const pair_sampler *s, int64_t number, int purpose)
{
    return rng_at(s->seed, STREAM_ITEMS, (uint32_t)purpose, (uint64_t)number);
}

static bool views_fit(const sampler_tile *a, const sampler_tile *b, sampler_positives views)
{
    switch (views) {
    case POSITIVES_OTHER_SOURCE: return a->source != b->source;
    case POSITIVES_OTHER_BATCH: return a->batch != b->batch;
    case POSITIVES_OTHER_WELL: return a->well != b->well;
    default: return true;
    }
}

/* Uniform over the compound's other tiles that fit; where none fits, the condition is relaxed by one step. */
static int64_t second_view(const pair_sampler *s, int64_t first, sampler_positives views, rng *r, bool *fell_back)
{
    const sampler_tile *t = &s->tile[first];
    const int64_t *tile = s->compound.order + s->compound.begin[t->compound];
    int64_t n = group_size(&s->compound, t->compound);
    *fell_back = false;
    for (int want = (int)views; want >= 0; want--) {
        int64_t fit = 0;
        for (int64_t i = 0; i < n; i++) fit += tile[i] != first && views_fit(t, &s->tile[tile[i]], (sampler_positives)want);
        if (fit == 0) {
            *fell_back = true;
            continue;
        }
        int64_t pick = (int64_t)rng_below(r, (uint64_t)fit);
        for (int64_t i = 0; i < n; i++)
            if (tile[i] != first && views_fit(t, &s->tile[tile[i]], (sampler_positives)want) && pick-- == 0) return tile[i];
    }
    return first; /* not reached: a compound has two tiles */
}

/* Uniform over the control tiles of the view's plate, else batch, source, any. */
static int64_t control_of(const pair_sampler *s, int64_t view, rng *r)
{
    const sampler_tile *t = &s->tile[view];
    const groups *g[] = {&s->plate, &s->batch, &s->source};
    const int32_t key[] = {t->plate, t->batch, t->source};
    for (int k = 0; k < 3; k++) {
        int64_t n = group_size(g[k], key[k]);
        if (n > 0) return g[k]->order[g[k]->begin[key[k]] + (int64_t)rng_below(r, (uint64_t)n)];
    }
    return s->source.order[rng_below(r, (uint64_t)s->source.begin[s->source.n_groups])];
}

sampler_item pair_sampler_item(pair_sampler *s, int64_t number, sampler_positives views)
{
    sampler_item p = {0};
    rng r = item_rng(s, number, PURPOSE_ITEM);
    p.treated[0] = sequence(s, PURPOSE_TREATED, number);
    p.compound = s->tile[p.treated[0]].compound;
    p.treated[1] = second_view(s, p.treated[0], views, &r, &p.fell_back);
    for (int v = 0; v < 2; v++) p.control[v] = control_of(s, p.treated[v], &r);
    return p;
}

int64_t pair_sampler_simclr(pair_sampler *s, int64_t number)
{
    return sequence(s, PURPOSE_ALL, number);
}

sampler_item pair_sampler_clip(pair_sampler *s, int64_t number)
{
    sampler_item p = {.control = {-1, -1}};
    rng r = item_rng(s, number, PURPOSE_CLIP);
    p.compound = (int32_t)sequence(s, PURPOSE_COMPOUNDS, number);
    const int64_t *tile = s->compound.order + s->compound.begin[p.compound];
    for (int v = 0; v < 2; v++) p.treated[v] = tile[rng_below(&r, (uint64_t)group_size(&s->compound, p.compound))];
    return p;
}
