/* csv_table.c -- a whole CSV file in memory: the text of all rows in one block, the cells of a row as offsets from its start. */
#include "micon/formats/csv.h"

#include "micon/base/mem.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    size_t start; /* of the row's text */
    int64_t line;
} row_place;

struct table {
    char *path;
    uint64_t digest;
    int n_cols;
    names col;
    char *block;
    size_t size, cap;
    row_place *row;
    size_t n_rows, rows_cap;
    uint32_t *cell; /* [n_rows, n_cols]; a row is at most CSV_MAX_ROW bytes */
    size_t cells_cap;
};

static status add_row(table *t, char **field, int64_t line)
{
    status st = OK;
    size_t n = (size_t)t->n_cols, need = 0;
    TRY(mem_grow(&t->row, &t->rows_cap, t->n_rows + 1, sizeof *t->row, t->path));
    TRY(mem_grow(&t->cell, &t->cells_cap, (t->n_rows + 1) * n, sizeof *t->cell, t->path));
    uint32_t *cell = t->cell + t->n_rows * n;
    for (size_t i = 0; i < n; i++) {
        cell[i] = (uint32_t)need;
        need += strlen(field[i]) + 1;
    }
    TRY(mem_grow(&t->block, &t->cap, t->size + need, 1, t->path));
    for (size_t i = 0; i < n; i++) memcpy(t->block + t->size + cell[i], field[i], (i + 1 < n ? cell[i + 1] : need) - cell[i]);
    t->row[t->n_rows++] = (row_place){t->size, line};
    t->size += need;
done:
    return st;
}

status table_read(table **out, const char *path)
{
    status st = OK;
    csv *c = NULL;
    table *t = xcalloc(1, sizeof *t);
    t->path = xstrdup(path);
    TRY(csv_open(&c, path));
    t->n_cols = csv_n_cols(c);
    for (int i = 0; i < t->n_cols; i++) names_add(&t->col, csv_col_name(c, i));
    for (;;) {
        char **field;
        bool more;
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        TRY(add_row(t, field, csv_line(c)));
    }
    t->digest = csv_digest(c);
    *out = t;
    t = NULL;
done:
    csv_close(&c);
    table_free(&t);
    return st;
}

void table_free(table **p)
{
    table *t = *p;
    if (!t) return;
    names_free(&t->col);
    free(t->path);
    free(t->block);
    free(t->row);
    free(t->cell);
    free(t);
    *p = NULL;
}

const char *table_path(const table *t)
{
    return t->path;
}

uint64_t table_digest(const table *t)
{
    return t->digest;
}

int64_t table_n_rows(const table *t)
{
    return (int64_t)t->n_rows;
}

int table_n_cols(const table *t)
{
    return t->n_cols;
}

const char *table_col_name(const table *t, int col)
{
    return t->col.item[col];
}

int table_col(const table *t, const char *name)
{
    return *name ? (int)names_find(&t->col, name) : -1;
}

int table_col_any(const table *t, const char *name, ...)
{
    int col = -1;
    va_list ap;
    va_start(ap, name);
    for (; name && col < 0; name = va_arg(ap, const char *)) col = table_col(t, name);
    va_end(ap);
    return col;
}

status table_need(const table *t, const char *name, int *col)
{
    if ((*col = table_col(t, name)) >= 0) return OK;
    char path[400], shown[100], wanted[100];
    const char *near = names_nearest(name, (const char *const *)t->col.item, t->col.n);
    text_show(path, sizeof path, t->path);
    text_show(wanted, sizeof wanted, name);
    if (near && *near)
        return fail(E_FORMAT, "%s:1: no column '%s'; the nearest is '%s'", path, wanted, text_show(shown, sizeof shown, near));
    text list = {0};
    for (size_t i = 0; i < t->col.n && list.n < 300; i++) text_addf(&list, "%s%s", i ? ", " : "", t->col.item[i]);
    char columns[360];
    status st = fail(E_FORMAT, "%s:1: no column '%s'; it has %s", path, wanted, text_show(columns, sizeof columns, text_str(&list)));
    text_free(&list);
    return st;
}

const char *table_cell(const table *t, int64_t row, int col)
{
    return t->block + t->row[row].start + t->cell[(size_t)row * (size_t)t->n_cols + (size_t)col];
}

int64_t table_line(const table *t, int64_t row)
{
    return t->row[row].line;
}
