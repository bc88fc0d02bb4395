/* parquet_dump.c -- FILE [f32]: a Parquet file as CSV, for tests/ref/parquet_ref.py; with f32, all columns of numbers as the bits of their
 * floats. */
#include "micon/formats/csv.h"
#include "micon/formats/parquet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static status print_text(const parquet *p)
{
    status st = OK;
    int n = parquet_n_cols(p);
    parquet_cursor **c = calloc((size_t)n, sizeof *c);
    text row = {0}, cell = {0};
    for (int i = 0; i < n; i++) text_add(&row, i ? "," : ""), csv_quote(&row, parquet_col_name(p, i));
    printf("%s\n", row.s);
    for (int i = 0; i < n; i++) TRY(parquet_cursor_open(&c[i], p, i));
    for (int64_t r = 0; r < parquet_n_rows(p); r++) {
        text_clear(&row);
        for (int i = 0; i < n; i++) {
            text_clear(&cell);
            TRY(parquet_read_text(c[i], &cell));
            text_add(&row, i ? "," : "");
            csv_quote(&row, text_str(&cell));
        }
        printf("%s\n", row.s);
    }
done:
    for (int i = 0; i < n; i++) parquet_cursor_close(&c[i]);
    free(c);
    text_free(&row);
    text_free(&cell);
    return st;
}

static status print_bits(const parquet *p)
{
    status st = OK;
    parquet_cursor *c = NULL;
    for (int i = 0; i < parquet_n_cols(p); i++) {
        if (!parquet_col_is_number(p, i)) continue;
        TRY(parquet_cursor_open(&c, p, i));
        for (int64_t left = parquet_n_rows(p); left > 0;) {
            uint32_t v[777];
            int64_t n = left < 777 ? left : 777;
            TRY(parquet_read_f32(c, n, (float *)v, 1));
            for (int64_t k = 0; k < n; k++) printf("%08x\n", v[k]);
            left -= n;
        }
        parquet_cursor_close(&c);
    }
done:
    parquet_cursor_close(&c);
    return st;
}

int main(int argc, char **argv)
{
    parquet *p = NULL;
    if (argc < 2) return 2;
    status st = parquet_open(&p, argv[1]);
    if (st == OK) st = argc > 2 ? print_bits(p) : print_text(p);
    if (st != OK) fprintf(stderr, "%s\n", msg_get());
    parquet_close(&p);
    return st != OK;
}
