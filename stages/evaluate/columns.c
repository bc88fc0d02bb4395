/* columns.c -- the column of obs that a user means, and codes for the texts of columns. */
#include "evaluate.h"

#include "micon/base/mem.h"

#include <stdlib.h>

status wells_code_rows(const frame *f, const int *col, int n_cols, const uint8_t *use, intern_table *known, int32_t **code,
                       int32_t *n_codes)
{
    status st = OK;
    text t = {0};
    TRY(mem_alloc(code, (size_t)f->n_rows, sizeof **code, "codes"));
    for (int64_t i = 0; i < f->n_rows; i++) {
        uint32_t id;
        (*code)[i] = -1;
        if (use && !use[i]) continue;
        text_clear(&t);
        for (int k = 0; k < n_cols; k++) {
            if (k) text_add(&t, "|");
            frame_show(f, i, col[k], &t);
        }
        TRY(intern_add(known, text_str(&t), &id));
        (*code)[i] = (int32_t)id;
    }
    *n_codes = (int32_t)known->n;
done:
    text_free(&t);
    return st;
}

status wells_find_column(const frame *f, const char *name, const char *key, int *col)
{
    char *full = xasprintf("Metadata_%s", name), shown[100];
    const char **known = xcalloc((size_t)f->n_cols + 1, sizeof *known);
    *col = frame_col(f, name);
    if (*col < 0) *col = frame_col(f, full);
    status st = OK;
    if (*col < 0) {
        for (int c = 0; c < f->n_cols; c++) known[c] = f->col[c].name;
        const char *near = names_nearest(name, known, (size_t)f->n_cols);
        if (!near) near = names_nearest(full, known, (size_t)f->n_cols);
        text_show(shown, sizeof shown, name);
        st = fail(E_USAGE, "%s: the profiles have no column '%s'%s%s%s", key, shown, near ? "; did you mean '" : "", near ? near : "",
                  near ? "'?" : "");
    }
    free(full);
    free(known);
    return st;
}
