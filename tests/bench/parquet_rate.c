/* parquet_rate.c -- FILE [rows]: seconds to read all columns of numbers of a Parquet file as floats, one column after another, or into rows
 * as the evaluation wants them. Prints the best of three, and a sum so that nothing can be left out. */
#include "micon/base/clock.h"
#include "micon/formats/parquet.h"

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    double best = 1e9, sum = 0;
    if (argc < 2) return 2;
    for (int k = 0; k < 3; k++) {
        parquet *p = NULL;
        double t = clock_s();
        if (parquet_open(&p, argv[1]) != OK) return 1;
        int d = parquet_n_cols(p);
        int64_t n = parquet_n_rows(p);
        float *x = malloc((size_t)n * (size_t)d * sizeof *x + 1);
        if (!x) return 1;
        int *number = malloc((size_t)d * sizeof *number), n_numbers = 0;
        if (!number) return 1;
        for (int i = 0; i < d; i++)
            if (parquet_col_is_number(p, i)) number[n_numbers++] = i;
        if (argc > 2 && parquet_read_rows_f32(p, number, n_numbers, x, (size_t)n_numbers) != OK) return 1;
        parquet_cursor *c = NULL;
        for (int i = 0; i < n_numbers && argc == 2; i++) {
            if (parquet_cursor_open(&c, p, number[i]) != OK || parquet_read_f32(c, n, x + (size_t)i * (size_t)n, 1) != OK) return 1;
        }
        parquet_cursor_close(&c);
        free(number);
        t = clock_s() - t;
        if (t < best) best = t;
        sum = (double)x[(size_t)n * (size_t)d / 2];
        parquet_close(&p);
        free(x);
    }
    printf("seconds %.4f sum %g\n", best, sum);
    return 0;
}
