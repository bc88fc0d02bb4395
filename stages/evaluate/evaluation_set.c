/* evaluation_set.c -- the wells that metrics are computed on, and helpers of the metrics_*.c. */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void evaluation_set_free(evaluation_set *e)
{
    free(e->x);
    free(e->row);
    free(e->source);
    free(e->batch);
    free(e->plate);
    free(e->label);
    free(e->compound);
    free(e->position);
    free(e->set);
    free(e->near);
}

status evaluation_set_init(evaluation_set *e, const float *x)
{
    status st = OK;
    const wells *w = e->w;
    for (int64_t i = 0; i < w->n; i++) e->n += w->evaluated[i];
    int32_t **code[] = {&e->row, &e->source, &e->batch, &e->plate, &e->label, &e->compound, &e->position};
    for (size_t k = 0; k < 7; k++) TRY(mem_alloc(code[k], (size_t)e->n, sizeof **code[k], "wells"));
    TRY(mem_alloc(&e->set, (size_t)e->n, 1, "wells"));
    TRY(mem_alloc(&e->x, (size_t)(e->n * e->d), sizeof *e->x, "profiles"));
    int64_t m = 0;
    for (int64_t i = 0; i < w->n; i++) {
        if (!w->evaluated[i]) continue;
        e->row[m] = (int32_t)i, e->source[m] = w->source[i], e->batch[m] = w->batch[i], e->plate[m] = w->plate[i];
        e->label[m] = w->label[i], e->compound[m] = w->compound[i], e->set[m] = w->set[i], e->position[m] = w->position[i];
        memcpy(e->x + m * e->d, x + i * e->d, (size_t)e->d * sizeof *x);
        m++;
    }
    linear_unit_rows(e->x, e->n, e->d, e->x);
done:
    return st;
}

result evaluation_result(const evaluation_set *e, metric_id metric)
{
    const metric_info *m = &metric_table[metric];
    return (result){.profiles = e->profiles,
                    .metric = metric,
                    .setting = e->setting ? e->setting : metric_setting_name(m->setting == EACH_SETTING ? ALL_WELLS : m->setting),
                    .k = m->properties & VOTE_OF_5 ? 5 : 0,
                    .chance = NAN,
                    .n = -1,
                    .left_out = -1};
}

result evaluation_result_in(const evaluation_set *e, metric_id metric, metric_setting setting)
{
    result one = evaluation_result(e, metric);
    if (setting != ALL_WELLS) one.setting = metric_setting_name(setting);
    return one;
}

status evaluation_gather_all(const evaluation_set *e, const void *mine, int64_t n_mine, size_t row_bytes, int64_t n, void *out)
{
    status st = OK;
    char *all = NULL;
    size_t size = 0;
    TRY(comm_gather_all(e->comm, -1, mine, (size_t)n_mine * row_bytes, &all, &size));
    if (size != (size_t)n * row_bytes) comm_abort("rows are missing after a search");
    memcpy(out, all, size);
done:
    free(all);
    return st;
}

status cross_without_all(const evaluation_set *e, const uint8_t *control, sphering_params *fit, crossfit *out)
{
    const crossfit *c = e->cross;
    *out = (crossfit){0};
    if (!c || !crossfit_enough(control, c->fold, c->n, c->n_fold)) return OK;
    *out = *c;
    out->fit = fit;
    return control_folds_fit_all(e->comm, c, control, fit);
}

/* The number of distinct codes among the wells of E: scIB scales by the batches and labels in the data, not by those of training wells or
 * controls. */
status evaluation_count_present(const evaluation_set *e, const int32_t *code, int32_t n_code, int32_t *present)
{
    status st = OK;
    uint8_t *seen = NULL;
    *present = 0;
    TRY(mem_alloc(&seen, (size_t)n_code, 1, "codes"));
    for (int64_t i = 0; i < e->n; i++) *present += !seen[code[i]], seen[code[i]] = 1;
done:
    free(seen);
    return st;
}
