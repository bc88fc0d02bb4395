/* frame_sort.c -- rows and texts of a frame in order. */
#include "micon/table/frame.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    const char *s;
    double number; /* 0 for all where they are not compared as numbers */
    uint32_t id;
} entry;

static int by_entry(const void *a, const void *b)
{
    const entry *x = a, *y = b;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return strcmp(x->s, y->s);
}

/* rank[id] of each word: by bytes, or as numbers where that is asked for and all words are numbers. */
static status rank_words(const intern_table *w, bool numbers, uint32_t *rank)
{
    status st = OK;
    entry *e = NULL;
    TRY(mem_alloc(&e, w->n, sizeof *e, "texts to sort"));
    for (size_t i = 0; i < w->n; i++) {
        e[i] = (entry){intern_at(w, i), 0, (uint32_t)i};
        numbers = numbers && num_f64(e[i].s, &e[i].number);
    }
    for (size_t i = 0; !numbers && i < w->n; i++) e[i].number = 0;
    qsort(e, w->n, sizeof *e, by_entry);
    for (size_t i = 0; i < w->n; i++) rank[e[i].id] = (uint32_t)i;
done:
    free(e);
    return st;
}

/* A double as an integer of the same order; NaN is last, -0 equals 0. */
static uint64_t real_key(double v)
{
    uint64_t u;
    if (isnan(v)) return UINT64_MAX;
    v += 0.0; /* -0 */
    memcpy(&u, &v, sizeof u);
    return u >> 63 ? ~u : u | (uint64_t)1 << 63;
}

typedef struct {
    uint64_t key;
    int64_t at; /* position in the order so far: equal keys keep it */
    int64_t row;
} place;

static int by_place(const void *a, const void *b)
{
    const place *x = a, *y = b;
    if (x->key != y->key) return x->key < y->key ? -1 : 1;
    return x->at < y->at ? -1 : x->at > y->at;
}

static uint64_t key_of(const frame_column *c, const uint32_t *rank, int64_t row)
{
    switch (c->type) {
    case FRAME_TEXT:
    case FRAME_CATEGORY: return c->v.code[row] < 0 ? 0 : (uint64_t)rank[c->v.code[row]] + 1;
    case FRAME_I64: return (uint64_t)c->v.i64[row] ^ (uint64_t)1 << 63;
    case FRAME_F32: return real_key((double)c->v.f32[row]);
    case FRAME_F64: return real_key(c->v.f64[row]);
    case FRAME_BOOL: return c->v.yes[row];
    }
    return 0;
}

/* Sort p, in the order so far, by one more key that counts more than those before. */
static status sort_by(const frame_column *c, bool numbers, place *p, int64_t n)
{
    status st = OK;
    uint32_t *rank = NULL;
    if (c->type == FRAME_TEXT || c->type == FRAME_CATEGORY) {
        TRY(mem_alloc(&rank, c->word.n, sizeof *rank, c->name));
        TRY(rank_words(&c->word, numbers, rank));
    }
    for (int64_t i = 0; i < n; i++) {
        p[i].at = i;
        p[i].key = key_of(c, rank, p[i].row);
    }
    qsort(p, (size_t)n, sizeof *p, by_place);
done:
    free(rank);
    return st;
}

status frame_order(const frame *f, const frame_key *key, int n_keys, int64_t **order)
{
    status st = OK;
    place *p = NULL;
    int64_t *out = NULL;
    TRY(mem_alloc(&p, (size_t)f->n_rows, sizeof *p, "rows to sort"));
    for (int64_t i = 0; i < f->n_rows; i++) p[i].row = i;
    for (int k = n_keys - 1; k >= 0; k--) {
        int col = frame_col(f, key[k].col);
        if (col < 0) TRY(fail(E_FORMAT, "no column '%s' to sort by", key[k].col));
        TRY(sort_by(&f->col[col], key[k].numbers, p, f->n_rows));
    }
    TRY(mem_alloc(&out, (size_t)f->n_rows, sizeof *out, "rows to sort"));
    for (int64_t i = 0; i < f->n_rows; i++) out[i] = p[i].row;
    *order = out;
done:
    free(p);
    return st;
}

status frame_sort(frame *f, const frame_key *key, int n_keys)
{
    status st = OK;
    int64_t *order = NULL;
    frame sorted = {0};
    TRY(frame_order(f, key, n_keys, &order));
    TRY(frame_take(&sorted, f, order, f->n_rows));
    frame_free(f);
    *f = sorted;
done:
    free(order);
    return st;
}

static status settle(frame_column *c, int64_t n)
{
    status st = OK;
    intern_table used = {0}, sorted = {0};
    uint32_t *rank = NULL, *inverse = NULL, id;
    for (int64_t i = 0; i < n; i++)
        if (c->v.code[i] >= 0) {
            TRY(intern_add(&used, intern_at(&c->word, (size_t)c->v.code[i]), &id));
            c->v.code[i] = (int32_t)id;
        }
    /* The codes now mean `used`: give it to the column before anything else can fail. */
    intern_free(&c->word);
    c->word = used;
    used = (intern_table){0};
    TRY(mem_alloc(&rank, c->word.n, sizeof *rank, c->name));
    TRY(mem_alloc(&inverse, c->word.n, sizeof *inverse, c->name));
    TRY(rank_words(&c->word, false, rank));
    for (size_t i = 0; i < c->word.n; i++) inverse[rank[i]] = (uint32_t)i;
    for (size_t i = 0; i < c->word.n; i++) TRY(intern_add(&sorted, intern_at(&c->word, inverse[i]), &id));
    for (int64_t i = 0; i < n; i++)
        if (c->v.code[i] >= 0) c->v.code[i] = (int32_t)rank[c->v.code[i]];
    intern_free(&c->word);
    c->word = sorted;
    sorted = (intern_table){0};
done:
    intern_free(&used);
    intern_free(&sorted);
    free(rank);
    free(inverse);
    return st;
}

status frame_canonicalize(frame *f)
{
    status st = OK;
    for (int i = 0; i < f->n_cols; i++)
        if (f->col[i].type == FRAME_TEXT || f->col[i].type == FRAME_CATEGORY) TRY(settle(&f->col[i], f->n_rows));
done:
    return st;
}
