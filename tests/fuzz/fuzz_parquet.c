/* fuzz_parquet.c -- any bytes as a Parquet file: every column as text, and those of numbers as floats, up to a limit of rows. */
#include "micon/formats/parquet.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_ROWS = 20000, MOST_COLS = 50 };

static void read_column(const parquet *p, int col)
{
    parquet_cursor *c = NULL;
    text t = {0};
    int64_t rows = parquet_n_rows(p) < MOST_ROWS ? parquet_n_rows(p) : MOST_ROWS;
    status st = parquet_cursor_open(&c, p, col);
    for (int64_t r = 0; r < rows && st == OK; r++) {
        if (t.n > 1 << 24) text_clear(&t);
        st = parquet_read_text(c, &t);
    }
    parquet_cursor_close(&c);
    msg_clear();
    st = parquet_col_is_number(p, col) ? parquet_cursor_open(&c, p, col) : E_FORMAT;
    for (int64_t r = 0; r + 100 <= rows && st == OK; r += 100) {
        float v[200];
        st = parquet_read_f32(c, 100, v, 2);
    }
    parquet_cursor_close(&c);
    msg_clear();
    text_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    parquet *p = NULL;
    if (size == 0 || size > 1u << 22) return 0;
    uint8_t *copy = malloc(size); /* exactly as large: a read past the end is seen */
    if (!copy) return 0;
    memcpy(copy, data, size);
    if (parquet_open_memory(&p, "fuzz.parquet", copy, size) == OK)
        for (int i = 0; i < parquet_n_cols(p) && i < MOST_COLS; i++) read_column(p, i);
    parquet_close(&p);
    msg_clear();
    free(copy);
    return 0;
}
