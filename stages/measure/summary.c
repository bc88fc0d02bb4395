/* summary.c -- a site's cells to one row: how many, and of every feature the median and the median absolute deviation (not scaled). */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/base/select.h"

#include <math.h>
#include <stdlib.h>

void summary_names(const names *features, names *out)
{
    names_add(out, "Cells_Count");
    for (size_t i = 0; i < features->n; i++) names_add(out, features->item[i]);
    for (size_t i = 0; i < features->n; i++) {
        char *name = xasprintf("%s_MAD", features->item[i]);
        names_add(out, name);
        free(name);
    }
}

void summary_of(const float *values, int64_t n, size_t d, float *work, float *out)
{
    out[0] = (float)n;
    for (size_t f = 0; f < d; f++) {
        int64_t m = 0;
        for (int64_t i = 0; i < n; i++) {
            float v = values[(size_t)i * d + f];
            if (isfinite(v)) work[m++] = v;
        }
        float middle = select_median(work, m);
        for (int64_t i = 0; i < m; i++) work[i] = fabsf(work[i] - middle);
        out[1 + f] = middle;
        out[1 + d + f] = select_median(work, m);
    }
}
