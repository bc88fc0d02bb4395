/* fuzz_csv.c -- any bytes as a CSV or gzip file; what was read is written again, and must read back the same. */
#include "micon/formats/csv.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Rows from `data`, written as CSV with commas. False where it is no CSV. */
static int rewrite(const void *data, size_t size, text *out)
{
    csv *c = NULL;
    char **field;
    bool more = true;
    status st = csv_open_memory(&c, "fuzz.csv", data, size);
    if (st == OK) {
        for (int i = 0; i < csv_n_cols(c); i++) text_add(out, i ? "," : ""), csv_quote(out, csv_col_name(c, i));
        text_add(out, "\n");
    }
    while (st == OK && out->n < 1 << 22 && (st = csv_next(c, &field, &more)) == OK && more) {
        if (csv_n_cols(c) == 1 && !*field[0]) continue; /* written out it would be a blank line */
        for (int i = 0; i < csv_n_cols(c); i++) text_add(out, i ? "," : ""), csv_quote(out, field[i]);
        text_add(out, "\n");
    }
    if (c && csv_line(c) < 1) abort();
    csv_close(&c);
    msg_clear();
    return st == OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    text once = {0}, twice = {0};
    /* A first name that begins with a byte order mark would lose it the second time, one that begins like gzip would be unpacked. */
    if (rewrite(data, size, &once) && once.n < 1 << 22 && strncmp(once.s, "\xEF\xBB\xBF", 3) != 0 && strncmp(once.s, "\x1f\x8b", 2) != 0)
        if (!rewrite(once.s, once.n, &twice) || once.n != twice.n || memcmp(once.s, twice.s, once.n) != 0) abort();
    text_free(&once);
    text_free(&twice);
    return 0;
}
