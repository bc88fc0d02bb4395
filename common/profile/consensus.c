/* consensus.c -- medians and means of rows by label. */
#include "micon/profile/consensus.h"

#include "micon/base/mem.h"
#include "micon/profile/linear_algebra.h"

#include <stdlib.h>

/* start [n_label+1] into row: the used rows by label, in order. */
static status rows_by_label(const profile_rows *r, int32_t n_label, int64_t **start, int32_t **row)
{
    status st = OK;
    TRY(mem_alloc(start, (size_t)n_label + 2, sizeof **start, "wells by treatment"));
    TRY(mem_alloc(row, (size_t)r->n, sizeof **row, "wells by treatment"));
    int64_t *s = *start;
    for (int64_t i = 0; i < r->n; i++)
        if (r->label[i] >= 0 && (!r->use || r->use[i])) s[r->label[i] + 2]++;
    for (int32_t c = 0; c < n_label; c++) s[c + 2] += s[c + 1];
    for (int64_t i = 0; i < r->n; i++)
        if (r->label[i] >= 0 && (!r->use || r->use[i])) (*row)[s[r->label[i] + 1]++] = (int32_t)i;
done:
    return st;
}

status consensus_median(const profile_rows *r, int32_t n_label, float *y, int64_t *count)
{
    enum { STRIP = 16 };
    status st = OK;
    int64_t d = r->d, *start = NULL, most = 0;
    int32_t *row = NULL;
    double *v = NULL;
    TRY(rows_by_label(r, n_label, &start, &row));
    for (int32_t c = 0; c < n_label; c++) {
        count[c] = start[c + 1] - start[c];
        most = count[c] > most ? count[c] : most;
    }
    TRY(mem_alloc(&v, (size_t)most, STRIP * sizeof *v, "a treatment's wells"));
    for (int32_t c = 0; c < n_label; c++)
        for (int64_t at = 0; at < d; at += STRIP) {
            int64_t width = d - at < STRIP ? d - at : STRIP, m = count[c];
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < width; j++) v[j * m + i] = r->x[row[start[c] + i] * d + at + j];
            for (int64_t j = 0; j < width; j++) y[c * d + at + j] = m ? (float)linear_median(v + j * m, m) : 0;
        }
done:
    free(start);
    free(row);
    free(v);
    return st;
}

status consensus_mean(const profile_rows *r, int32_t n_label, float *y, int64_t *count)
{
    status st = OK;
    int64_t d = r->d, *start = NULL;
    int32_t *row = NULL;
    double *sum = NULL;
    TRY(rows_by_label(r, n_label, &start, &row));
    TRY(mem_alloc(&sum, (size_t)d, sizeof *sum, "a mean profile"));
    for (int32_t c = 0; c < n_label; c++) {
        count[c] = start[c + 1] - start[c];
        for (int64_t j = 0; j < d; j++) sum[j] = 0;
        for (int64_t i = start[c]; i < start[c + 1]; i++)
            for (int64_t j = 0; j < d; j++) sum[j] += r->x[row[i] * d + j];
        for (int64_t j = 0; j < d; j++) y[c * d + j] = count[c] ? (float)(sum[j] / (double)count[c]) : 0;
    }
done:
    free(start);
    free(row);
    free(sum);
    return st;
}
