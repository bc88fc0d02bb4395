/* grid.c -- growing columns of interned texts, all of the same length. */
#include "build_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

status grid_add_col(grid *g, const char *name, size_t *col)
{
    status st = OK;
    uint32_t *v = NULL;
    TRY(mem_grow(&g->col, &g->cols_cap, g->n_cols + 1, sizeof *g->col, "columns"));
    TRY(mem_alloc(&v, g->cap, sizeof *v, name));
    g->col[g->n_cols] = (grid_col){xstrdup(name), v};
    *col = g->n_cols++;
done:
    return st;
}

long grid_find(const grid *g, const char *name)
{
    for (size_t i = 0; i < g->n_cols; i++)
        if (strcmp(g->col[i].name, name) == 0) return (long)i;
    return -1;
}

status grid_add_row(grid *g)
{
    status st = OK;
    if (g->n == g->cap) {
        size_t cap = g->cap;
        for (size_t i = 0; i < g->n_cols; i++) {
            cap = g->cap;
            TRY(mem_grow(&g->col[i].v, &cap, g->n + 1, sizeof *g->col[i].v, g->col[i].name));
        }
        g->cap = cap;
    }
    if (g->n >= UINT32_MAX - 1) TRY(fail(E_FAILED, "more than 4294967294 rows"));
    for (size_t i = 0; i < g->n_cols; i++) g->col[i].v[g->n] = 0;
    g->n++;
done:
    return st;
}

void grid_free(grid *g)
{
    for (size_t i = 0; i < g->n_cols; i++) {
        free(g->col[i].name);
        free(g->col[i].v);
    }
    free(g->col);
    *g = (grid){0};
}
