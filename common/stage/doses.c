/* doses.c -- doses as a model with doses takes them. */
#include "micon/stage/doses.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double dose_log10(const char *cell)
{
    double v;
    return num_f64(cell, &v) && v > 0 ? log10(v) : NAN;
}

status doses_of_classes(const screen_index *ix, double **out)
{
    status st = OK;
    int n = index_n_classes(ix);
    TRY(mem_alloc(out, (size_t)n, sizeof **out, "doses"));
    for (int c = 0; c < n; c++) (*out)[c] = NAN;
    for (int64_t r = 0; r < index_n_rows(ix); r++) {
        int class = index_class(ix, r);
        if (class <= 0 || !isnan((*out)[class])) continue;
        const char *rest = index_class_name(ix, class) + strlen(index_cell(ix, r, INDEX_COMPOUND));
        if (*rest == '|') (*out)[class] = dose_log10(rest + 1);
    }
done:
    return st;
}

status doses_check(const config *c, const char *model)
{
    if (c->screen.treatment.n == 1) return OK;
    return fail(E_USAGE, "%s: %s was trained with train.dose: screen.treatment must be the one column that holds the dose", c->path, model);
}

status doses_column(const config *c, const table *t, const char *path, int *col)
{
    const char *name = c->screen.treatment.item[0], *bare = strncmp(name, "Metadata_", 9) == 0 ? name + 9 : name;
    char *full = xasprintf("Metadata_%s", bare);
    *col = table_col_any(t, full, bare, NULL);
    free(full);
    if (*col >= 0) return OK;
    return fail(E_FORMAT, "%s: no column %s: the model takes a dose beside a compound, so each row must name one", path, name);
}
