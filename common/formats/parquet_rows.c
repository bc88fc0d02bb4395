/* parquet_rows.c -- a Parquet file row by row as text, for csv.c: a cursor a column, so that a page of each is in memory. */
#include "parquet_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

struct parquet_rows {
    parquet *file;
    parquet_cursor **cursor; /* NULL: a nested column */
    size_t *at;              /* where each field begins in `row` */
    text row;
    int64_t n_given;
};

status parquet_rows_open(parquet_rows **out, const char *path, const void *data, size_t size)
{
    status st = OK;
    parquet_rows *r = xcalloc(1, sizeof *r);
    TRY(data ? parquet_open_memory(&r->file, path, data, size) : parquet_open(&r->file, path));
    TRY(mem_alloc(&r->cursor, (size_t)r->file->n_cols, sizeof *r->cursor, path));
    TRY(mem_alloc(&r->at, (size_t)r->file->n_cols, sizeof *r->at, path));
    for (int i = 0; i < r->file->n_cols; i++)
        if (!r->file->col[i].nested) TRY(parquet_cursor_open(&r->cursor[i], r->file, i));
    *out = r;
    r = NULL;
done:
    parquet_rows_close(&r);
    return st;
}

int parquet_rows_n_cols(const parquet_rows *r)
{
    return r->file->n_cols;
}

const char *parquet_rows_name(const parquet_rows *r, int col)
{
    return r->cursor[col] ? r->file->col[col].name : "";
}

static status zero_byte(const parquet_rows *r, int col)
{
    char name[100];
    return fail(E_FORMAT, "%s:%lld: a zero byte in column '%s'", r->file->shown, (long long)r->n_given + 1,
                text_show(name, sizeof name, r->file->col[col].name));
}

status parquet_rows_next(parquet_rows *r, char **field, bool *more)
{
    status st = OK;
    *more = r->n_given < r->file->n_rows;
    if (!*more) return OK;
    text_clear(&r->row);
    for (int i = 0; i < r->file->n_cols; i++) {
        r->at[i] = r->row.n;
        if (r->cursor[i]) TRY(parquet_read_text(r->cursor[i], &r->row));
        if (memchr(text_str(&r->row) + r->at[i], '\0', r->row.n - r->at[i])) TRY(zero_byte(r, i));
        text_addn(&r->row, "", 1);
    }
    for (int i = 0; i < r->file->n_cols; i++) field[i] = r->row.s + r->at[i];
    r->n_given++;
done:
    return st;
}

void parquet_rows_close(parquet_rows **q)
{
    parquet_rows *r = *q;
    if (!r) return;
    for (int i = 0; r->cursor && i < r->file->n_cols; i++) parquet_cursor_close(&r->cursor[i]);
    parquet_close(&r->file);
    free(r->cursor);
    free(r->at);
    text_free(&r->row);
    free(r);
    *q = NULL;
}
