/* parquet_rate.c -- FILE [rows | write OUT]: processor seconds to read all columns of numbers of a Parquet file as floats, one column after
 * another, or into rows as the evaluation wants them, or to write them with its columns of text as `micon export` does. Prints the best of
 * three, and a sum so that nothing can be left out. */
#include "micon/base/mem.h"
#include "micon/formats/parquet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double cpu_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void need(status st)
{
    if (st == OK) return;
    fprintf(stderr, "%s\n", msg_get());
    exit(1);
}

typedef struct {
    parquet *p;
    int *number, *word, n_numbers, n_words;
    int64_t n;
    float *x; /* [n, n_numbers], or [n_numbers, n] */
} content;

static void open_file(content *c, const char *path)
{
    need(parquet_open(&c->p, path));
    int d = parquet_n_cols(c->p);
    c->n = parquet_n_rows(c->p);
    c->number = xcalloc((size_t)d, sizeof *c->number);
    c->word = xcalloc((size_t)d, sizeof *c->word);
    c->n_numbers = c->n_words = 0;
    for (int i = 0; i < d; i++) {
        if (parquet_col_is_number(c->p, i))
            c->number[c->n_numbers++] = i;
        else
            c->word[c->n_words++] = i;
    }
    c->x = xmalloc((size_t)c->n * (size_t)c->n_numbers * sizeof *c->x + 1);
}

static void close_file(content *c)
{
    parquet_close(&c->p);
    free(c->number);
    free(c->word);
    free(c->x);
}

static double read_once(const char *path, bool rows)
{
    content c = {0};
    double t = cpu_s();
    parquet_cursor *cursor = NULL;
    open_file(&c, path);
    if (rows) need(parquet_read_rows_f32(c.p, c.number, c.n_numbers, c.x, (size_t)c.n_numbers));
    for (int i = 0; i < c.n_numbers && !rows; i++) {
        need(parquet_cursor_open(&cursor, c.p, c.number[i]));
        need(parquet_read_f32(cursor, c.n, c.x + (size_t)i * (size_t)c.n, 1));
    }
    parquet_cursor_close(&cursor);
    t = cpu_s() - t;
    fprintf(stderr, "sum %g\n", (double)c.x[(size_t)c.n * (size_t)c.n_numbers / 2]);
    close_file(&c);
    return t;
}

/* ---- writing ---- */

static names *words; /* [n_words] of all rows */
static int64_t first_row;

static const char *word_at(void *user, int64_t row, int col)
{
    (void)user;
    return words[col].item[first_row + row];
}

static double write_once(const content *c, const char *out)
{
    parquet_writer *w = NULL;
    const char **text_name = xcalloc((size_t)c->n_words, sizeof *text_name),
               **float_name = xcalloc((size_t)c->n_numbers, sizeof *float_name);
    for (int k = 0; k < c->n_words; k++) text_name[k] = parquet_col_name(c->p, c->word[k]);
    for (int k = 0; k < c->n_numbers; k++) float_name[k] = parquet_col_name(c->p, c->number[k]);
    unlink(out);
    double t = cpu_s();
    need(parquet_create(&w, out, text_name, c->n_words, float_name, c->n_numbers));
    for (first_row = 0; first_row < c->n; first_row += PARQUET_GROUP_ROWS) {
        int64_t n = c->n - first_row < PARQUET_GROUP_ROWS ? c->n - first_row : PARQUET_GROUP_ROWS;
        need(parquet_write_group(w, n, word_at, NULL, c->x + (size_t)first_row * (size_t)c->n_numbers, (size_t)c->n_numbers));
    }
    need(parquet_finish(&w));
    t = cpu_s() - t;
    free(text_name);
    free(float_name);
    return t;
}

static void read_words(const content *c)
{
    parquet_cursor *cursor = NULL;
    text t = {0};
    words = xcalloc((size_t)c->n_words, sizeof *words);
    for (int k = 0; k < c->n_words; k++) {
        need(parquet_cursor_open(&cursor, c->p, c->word[k]));
        for (int64_t r = 0; r < c->n; r++) {
            text_clear(&t);
            need(parquet_read_text(cursor, &t));
            names_add(&words[k], text_str(&t));
        }
    }
    parquet_cursor_close(&cursor);
    text_free(&t);
}

int main(int argc, char **argv)
{
    double best = 1e9;
    if (argc < 2) return 2;
    content c = {0};
    bool writes = argc > 3 && strcmp(argv[2], "write") == 0;
    if (writes) {
        open_file(&c, argv[1]);
        need(parquet_read_rows_f32(c.p, c.number, c.n_numbers, c.x, (size_t)c.n_numbers));
        read_words(&c);
    }
    for (int k = 0; k < 3; k++) {
        double t = writes ? write_once(&c, argv[3]) : read_once(argv[1], argc > 2);
        if (t < best) best = t;
    }
    if (writes) {
        for (int k = 0; k < c.n_words; k++) names_free(&words[k]);
        free(words);
        close_file(&c);
    }
    printf("cpu %.4f\n", best);
    return 0;
}
