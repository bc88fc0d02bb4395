/* corrections_wells.c -- the wells that corrections are tried on: never one that is evaluated (corrections.h). */
#include "corrections.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/rng.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_TREATMENTS = 8, MOST_TREATED = 3000, LENT_OF = 3 };

/* Treatments with two wells or more among those in use. */
static status count_replicated(const wells *w, const uint8_t *use, int64_t *n)
{
    int64_t *count = NULL;
    status st = mem_alloc(&count, (size_t)w->n_label, sizeof *count, "treatments");
    *n = 0;
    for (int64_t i = 0; st == OK && i < w->n; i++)
        if (use[i]) *n += ++count[w->label[i]] == 2;
    free(count);
    return st;
}

typedef struct {
    uint64_t digest;
    int32_t compound;
} drawn;

static int by_digest(const void *a, const void *b)
{
    uint64_t x = ((const drawn *)a)->digest, y = ((const drawn *)b)->digest;
    return x < y ? -1 : x > y;
}

/* A third of the compounds, drawn by their names. */
static status lend_compounds(wells *w, uint32_t seed, uint8_t *use)
{
    status st = OK;
    drawn *all = NULL;
    uint8_t *lent = NULL;
    TRY(mem_alloc(&all, (size_t)w->n_compound, sizeof *all, "compounds"));
    TRY(mem_alloc(&lent, (size_t)w->n_compound, 1, "compounds"));
    for (int32_t c = 0; c < w->n_compound; c++) all[c] = (drawn){digest_mix(digest_text(intern_at(&w->compound_name, (size_t)c)), seed), c};
    qsort(all, (size_t)w->n_compound, sizeof *all, by_digest);
    for (int32_t k = 0; k < (w->n_compound + LENT_OF - 1) / LENT_OF; k++) lent[all[k].compound] = 1;
    for (int64_t i = 0; i < w->n; i++) {
        use[i] = w->compound[i] >= 0 && lent[w->compound[i]];
        if (use[i]) w->evaluated[i] = 0;
    }
done:
    free(all);
    free(lent);
    return st;
}

/* Of many treated wells those of some treatments: drawn, but for those that have no room with the ones before them. */
static status thin_out(const wells *w, uint32_t seed, uint8_t *use)
{
    status st = OK;
    int64_t *order = NULL, *count = NULL, n = 0;
    rng r = rng_at(seed, STREAM_SAMPLE, 1, 0);
    TRY(mem_alloc(&order, (size_t)w->n_label, sizeof *order, "treatments"));
    TRY(mem_alloc(&count, (size_t)w->n_label, sizeof *count, "treatments"));
    for (int64_t i = 0; i < w->n; i++)
        if (use[i]) count[w->label[i]]++;
    for (int32_t l = 0; l < w->n_label; l++) order[l] = l;
    rng_shuffle(&r, order, w->n_label);
    for (int32_t k = 0; k < w->n_label; k++) {
        if (n + count[order[k]] > MOST_TREATED) count[order[k]] = 0;
        n += count[order[k]];
    }
    for (int64_t i = 0; i < w->n; i++) use[i] = use[i] && count[w->label[i]] > 0;
done:
    free(order);
    free(count);
    return st;
}

/* Controls of the training set, or where wells are lent all, of the plates on which treated wells are in use. */
static status add_controls(const wells *w, bool lent, uint8_t *use)
{
    uint8_t *plate = NULL;
    status st = mem_alloc(&plate, (size_t)w->n_plate, 1, "plates");
    if (st != OK) return st;
    for (int64_t i = 0; i < w->n; i++)
        if (use[i]) plate[w->plate[i]] = 1;
    for (int64_t i = 0; i < w->n; i++)
        if (w->control[i]) use[i] = plate[w->plate[i]] && (lent || w->set[i] == SET_TRAIN);
    free(plate);
    return st;
}

status trial_rows(wells *w, const evaluate_options *o, uint8_t *use, bool *lent)
{
    status st = OK;
    int64_t n;
    for (int64_t i = 0; i < w->n; i++) use[i] = w->label[i] >= 0 && !w->evaluated[i] && w->set[i] == SET_TRAIN;
    TRY(count_replicated(w, use, &n));
    *lent = n < LEAST_TREATMENTS;
    if (*lent) {
        TRY(lend_compounds(w, (uint32_t)o->seed, use));
        TRY(count_replicated(w, use, &n));
    }
    if (n < LEAST_TREATMENTS)
        TRY(fail(E_FAILED,
                 "evaluate.batch_correction: auto: a third of the compounds holds %lld treatments with replicates, at least %d are needed: "
                 "choose a correction yourself",
                 (long long)n, LEAST_TREATMENTS));
    TRY(thin_out(w, (uint32_t)o->seed, use));
    TRY(add_controls(w, *lent, use));
done:
    return st;
}

/* Codes of the rows taken, in order of arrival; -1 stays. */
static status take_codes(const int32_t *code, int32_t n_code, const int64_t *row, int64_t n, int32_t **out, int32_t *n_out)
{
    status st = OK;
    int32_t *as = NULL;
    *n_out = 0;
    TRY(mem_alloc(&as, (size_t)n_code, sizeof *as, "codes"));
    TRY(mem_alloc(out, (size_t)n, sizeof **out, "codes"));
    for (int64_t i = 0; i < n; i++) {
        int32_t c = code[row[i]];
        (*out)[i] = c;
        if (c < 0) continue;
        if (as[c] == 0) as[c] = ++*n_out;
        (*out)[i] = as[c] - 1;
    }
done:
    free(as);
    return st;
}

status trial_wells(const wells *w, const uint8_t *use, wells *out)
{
    status st = OK;
    int64_t *row = NULL, n = 0, d = w->d;
    uint32_t id;
    TRY(mem_alloc(&row, (size_t)w->n, sizeof *row, "wells"));
    for (int64_t i = 0; i < w->n; i++)
        if (use[i]) row[n++] = i;
    *out = (wells){.n = n, .d = d};
    TRY(frame_take(&out->obs, &w->obs, row, n));
    TRY(take_codes(w->source, w->n_source, row, n, &out->source, &out->n_source));
    TRY(take_codes(w->batch, w->n_batch, row, n, &out->batch, &out->n_batch));
    TRY(take_codes(w->plate, w->n_plate, row, n, &out->plate, &out->n_plate));
    TRY(take_codes(w->group, w->n_group, row, n, &out->group, &out->n_group));
    TRY(take_codes(w->position, w->n_position, row, n, &out->position, &out->n_position));
    TRY(take_codes(w->label, w->n_label, row, n, &out->label, &out->n_label));
    TRY(take_codes(w->compound, w->n_compound, row, n, &out->compound, &out->n_compound));
    TRY(mem_alloc(&out->target_start, (size_t)out->n_label + 1, sizeof *out->target_start, "mechanisms"));
    TRY(mem_alloc(&out->control, (size_t)n, 1, "wells"));
    TRY(mem_alloc(&out->set, (size_t)n, 1, "wells"));
    TRY(mem_alloc(&out->evaluated, (size_t)n, 1, "wells"));
    TRY(mem_alloc(&out->x, (size_t)n, (size_t)d * sizeof *out->x, "wells"));
    if (w->exact) TRY(mem_alloc(&out->exact, (size_t)n, (size_t)d * sizeof *out->exact, "wells"));
    for (int64_t i = 0; i < n; i++) {
        TRY(intern_add(&out->group_name, intern_at(&w->group_name, (size_t)w->group[row[i]]), &id));
        out->control[i] = w->control[row[i]], out->set[i] = w->set[row[i]];
        out->evaluated[i] = out->label[i] >= 0;
        memcpy(out->x + i * d, w->x + row[i] * d, (size_t)d * sizeof *w->x);
        if (w->exact) memcpy(out->exact + i * d, w->exact + row[i] * d, (size_t)d * sizeof *w->exact);
    }
done:
    free(row);
    return st;
}
