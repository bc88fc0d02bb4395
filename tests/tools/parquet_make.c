/* parquet_make.c -- TABLE OUT [ROWS]: a CSV as a Parquet file, for tests; columns that begin with Metadata_, FileName_ or PathName_, or
 * that hold something else than numbers in their first row, as text, the others as float32; ROWS a row group. */
#include "micon/base/num.h"
#include "micon/formats/csv.h"
#include "micon/formats/parquet.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static table *t;
static int *col_of; /* text columns first */
static int64_t first_row;

static bool is_text(int col)
{
    double v;
    const char *name = table_col_name(t, col);
    return strncmp(name, "Metadata_", 9) == 0 || strncmp(name, "FileName_", 9) == 0 || strncmp(name, "PathName_", 9) == 0 ||
           table_n_rows(t) == 0 || !num_f64(table_cell(t, 0, col), &v);
}

static const char *cell(void *user, int64_t row, int col)
{
    (void)user;
    const char *s = table_cell(t, first_row + row, col_of[col]);
    return *s ? s : NULL;
}

int main(int argc, char **argv)
{
    if (argc < 3 || table_read(&t, argv[1]) != OK) {
        fprintf(stderr, "parquet_make: %s\n", msg_get());
        return 1;
    }
    int n = table_n_cols(t), n_text = 0, at = 0;
    const char **name = calloc((size_t)n, sizeof *name);
    col_of = calloc((size_t)n, sizeof *col_of);
    for (int want = 1; want >= 0; want--)
        for (int i = 0; i < n; i++)
            if (is_text(i) == (want == 1)) {
                n_text += want;
                name[at] = table_col_name(t, i);
                col_of[at++] = i;
            }
    int64_t rows = argc > 3 ? atoll(argv[3]) : 1000;
    float *x = calloc((size_t)rows * (size_t)(n - n_text) + 1, sizeof *x);
    parquet_writer *w = NULL;
    remove(argv[2]);
    status st = parquet_create(&w, argv[2], name, n_text, name + n_text, n - n_text);
    for (first_row = 0; first_row < table_n_rows(t) && st == OK; first_row += rows) {
        int64_t k = table_n_rows(t) - first_row < rows ? table_n_rows(t) - first_row : rows;
        for (int64_t r = 0; r < k; r++)
            for (int c = n_text; c < n; c++) {
                double v;
                x[r * (n - n_text) + c - n_text] = num_f64(table_cell(t, first_row + r, col_of[c]), &v) ? (float)v : NAN;
            }
        st = parquet_write_group(w, k, cell, NULL, x, (size_t)(n - n_text));
    }
    if (st == OK) st = parquet_finish(&w);
    if (st != OK) fprintf(stderr, "parquet_make: %s\n", msg_get());
    parquet_abandon(&w);
    return st != OK;
}
