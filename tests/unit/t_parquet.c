/* t_parquet.c -- small Parquet files that pyarrow wrote (tests/corpus/parquet: one table in every codec, page version and encoding) against
 * the same table as text (tests/ref/parquet.csv), and damaged ones. More variants and writers: tests/e2e/parquet_ref.sh. */
#include "../tap.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/formats/parquet.h"

#include <stdlib.h>
#include <unistd.h>

static table *want;

static bool same_cell(const char *got, const char *expected, char kind)
{
    if ((kind != 'f' && kind != 'd') || !*expected) return strcmp(got, expected) == 0;
    return kind == 'f' ? strtof(got, NULL) == strtof(expected, NULL) : strtod(got, NULL) == strtod(expected, NULL);
}

static bool column_is_same(const parquet *p, int col)
{
    parquet_cursor *c = NULL;
    text cell = {0};
    int ref = table_col(want, parquet_col_name(p, col));
    bool good = ref >= 0 && parquet_n_rows(p) == table_n_rows(want) && parquet_cursor_open(&c, p, col) == OK;
    for (int64_t r = 0; good && r < table_n_rows(want); r++) {
        text_clear(&cell);
        good = parquet_read_text(c, &cell) == OK && same_cell(text_str(&cell), table_cell(want, r, ref), *parquet_col_name(p, col));
        if (!good)
            printf("#   %s, row %lld: '%s', want '%s' %s\n", parquet_col_name(p, col), (long long)r, text_str(&cell),
                   table_cell(want, r, ref), msg_get());
    }
    parquet_cursor_close(&c);
    text_free(&cell);
    return good;
}

static void test_file(const char *name)
{
    char path[200], what[260];
    parquet *p = NULL;
    snprintf(path, sizeof path, "tests/corpus/parquet/%s", name);
    bool good = parquet_open(&p, path) == OK && parquet_n_cols(p) > 1;
    for (int i = 0; good && i < parquet_n_cols(p); i++) good = column_is_same(p, i);
    snprintf(what, sizeof what, "%s: every cell", name);
    ok(good, what);
    parquet_close(&p);
    msg_clear();
}

/* Floats of several columns beside one another: missing values are NaN, the rest as strtod reads the text. */
static void test_rows(void)
{
    enum { D = 3 };
    parquet *p = NULL;
    int cols[D], ref[D], bad = 0;
    const char *const names3[D] = {"f", "l", "c"};
    if (!ok(parquet_open(&p, "tests/corpus/parquet/zstd_2") == OK, "opened")) return;
    for (int i = 0; i < D; i++) {
        ref[i] = table_col(want, names3[i]);
        for (int k = 0; k < parquet_n_cols(p); k++)
            if (strcmp(parquet_col_name(p, k), names3[i]) == 0) cols[i] = k;
    }
    float *x = xcalloc((size_t)table_n_rows(want) * (D + 1), sizeof *x);
    ok(parquet_read_rows_f32(p, cols, D, x, D + 1) == OK, "three columns of numbers into rows of four");
    for (int64_t r = 0; r < table_n_rows(want); r++) {
        for (int i = 0; i < D; i++) {
            const char *s = table_cell(want, r, ref[i]);
            float v = x[r * (D + 1) + i];
            bad += *s ? v != (float)strtod(s, NULL) : !isnan(v);
        }
        bad += x[r * (D + 1) + D] != 0;
    }
    ok(bad == 0, "the values, NaN where there is none, and nothing else written");
    parquet_cursor *c = NULL;
    for (int k = 0; k < parquet_n_cols(p); k++) {
        const char *name = parquet_col_name(p, k);
        bool number = strchr("ilfdc", *name) != NULL;
        ok(parquet_col_is_number(p, k) == number, "which columns are numbers");
        if (number) continue;
        ok(parquet_cursor_open(&c, p, k) == OK && parquet_read_f32(c, 1, x, 1) == E_FORMAT && strstr(msg_get(), name),
           "others are refused as floats");
        msg_clear();
    }
    parquet_cursor_close(&c);
    parquet_close(&p);
    free(x);
}

static void refused(const char *name, const void *bytes, size_t n, const char *says)
{
    parquet *p = NULL;
    parquet_cursor *c = NULL;
    status st = parquet_open_memory(&p, name, bytes, n);
    if (st == OK) st = parquet_cursor_open(&c, p, 0);
    bool good = st == E_FORMAT && strstr(msg_get(), says) && strstr(msg_get(), name);
    if (!good) printf("#   %d '%s', wanted '%s'\n", (int)st, msg_get(), says);
    ok(good, name);
    msg_clear();
    parquet_cursor_close(&c);
    parquet_close(&p);
}

static void test_damaged(void)
{
    char *bytes;
    size_t n;
    int opened = 0;
    refused("no bytes", "", 0, "too short");
    refused("no Parquet file", "Metadata_Plate,Metadata_Well\nP1,A01\n", 36, "is not a Parquet file");
    refused("an encrypted one", "PARE....PARE....PARE", 20, "encrypted");
    refused("a footer that is longer than the file", "PAR1....\377\377\0\0PAR1", 16, "footer");
    if (!ok(path_read("tests/corpus/parquet/snappy_1", &bytes, &n, 1 << 20) == OK, "read")) return;
    refused("one that is cut off", bytes, n / 2, "it is cut off");
    for (size_t k = 0; k < n; k++) {
        parquet *p = NULL;
        opened += parquet_open_memory(&p, "cut", bytes, k) == OK;
        parquet_close(&p);
        msg_clear();
    }
    ok(opened == 0, "cut off anywhere: refused");
    free(bytes);
    if (!ok(path_read("tests/corpus/parquet/nested", &bytes, &n, 1 << 20) == OK, "read")) return;
    refused("a list", bytes, n, "is nested or a list");
    free(bytes);
}

/* ---- as a table, and written ---- */

static bool same_tables(const table *a, const table *b)
{
    if (table_n_rows(a) != table_n_rows(b) || table_n_cols(a) != table_n_cols(b)) return false;
    for (int i = 0; i < table_n_cols(a); i++) {
        int j = table_col(b, table_col_name(a, i));
        if (j < 0) return false;
        for (int64_t r = 0; r < table_n_rows(a); r++)
            if (!same_cell(table_cell(a, r, i), table_cell(b, r, j), *table_col_name(a, i))) return false;
    }
    return true;
}

static void test_table(void)
{
    table *t = NULL;
    uint64_t digest;
    char *bytes;
    size_t n;
    ok(table_read(&t, "tests/corpus/parquet/zstd_1") == OK && same_tables(t, want), "table_read: as the CSV file");
    ok(t && digest_file("tests/corpus/parquet/zstd_1", &digest) == OK && table_digest(t) == digest, "its digest is of the file's bytes");
    ok(t && table_line(t, 0) == 1 && table_line(t, 59) == 60, "lines are rows, from 1");
    table_free(&t);
    ok(table_read(&t, "tests/corpus/parquet/nested") == OK && table_col(t, "i") >= 0 && table_col(t, "l") < 0 && table_n_rows(t) == 2,
       "a nested column has no name, the others are read");
    table_free(&t);
    if (!ok(path_read("tests/corpus/parquet/cut", &bytes, &n, 1 << 20) == OK, "read")) return;
    csv *c = NULL;
    ok(csv_open_memory(&c, "in memory", bytes, n) == E_FORMAT && strstr(msg_get(), "in memory: begins as a Parquet file"), "a damaged one");
    msg_clear();
    free(bytes);
}

static const char *cell_of(void *user, int64_t row, int col)
{
    const char *s = table_cell(want, *(int64_t *)user + row, col == 0 ? table_col(want, "s") : table_col(want, "t"));
    return *s ? s : NULL;
}

/* A table written in groups of 7 and of 60 rows reads back the same: text, floats, missing ones. */
static void test_writer(const char *dir, int64_t group)
{
    static const char *const text_name[] = {"Metadata_s", "Metadata_t"}, *const float_name[] = {"f", "none"};
    char path[600];
    float x[120];
    parquet_writer *w = NULL;
    table *t = NULL;
    int64_t first = 0, bad = 0;
    snprintf(path, sizeof path, "%s/w%d.parquet", dir, (int)group);
    unlink(path);
    status st = parquet_create(&w, path, text_name, 2, float_name, 2);
    for (int64_t i = 0; i < 60; i++) {
        const char *s = table_cell(want, i, table_col(want, "f"));
        x[i * 2] = *s ? strtof(s, NULL) : NAN;
        x[i * 2 + 1] = i % 2 ? NAN : INFINITY;
    }
    for (; first < 60 && st == OK; first += group)
        st = parquet_write_group(w, 60 - first < group ? 60 - first : group, cell_of, &first, x + first * 2, 2);
    ok(st == OK && parquet_write_group(w, 0, cell_of, &first, x, 2) == E_INTERNAL, "row groups are written, an empty one is refused");
    msg_clear();
    ok(parquet_finish(&w) == OK && !w && table_read(&t, path) == OK && table_n_rows(t) == 60 && table_n_cols(t) == 4, "and read again");
    for (int64_t i = 0; t && i < 60; i++) {
        bad += strcmp(table_cell(t, i, 0), table_cell(want, i, table_col(want, "s"))) != 0;
        bad += strcmp(table_cell(t, i, 1), table_cell(want, i, table_col(want, "t"))) != 0;
        bad += !same_cell(table_cell(t, i, 2), table_cell(want, i, table_col(want, "f")), 'f') || *table_cell(t, i, 3);
    }
    ok(t && bad == 0, "every cell; what is not finite is missing");
    table_free(&t);
    char *bytes;
    size_t n;
    if (!ok(path_read(path, &bytes, &n, 1 << 20) == OK, "read as bytes")) return;
    int silent = 0;
    for (size_t k = 40; k < 90;
         k++) { /* in the first pages; their heads hold counts that may be changed without harm to a reader, their bytes do not */
        bytes[k] ^= 1;
        if (path_write(path, bytes, n) == OK && table_read(&t, path) == OK) silent += strcmp(table_cell(t, 0, 0), "well_0") != 0;
        table_free(&t);
        msg_clear();
        bytes[k] ^= 1;
    }
    ok(silent == 0, "a changed bit never gives another text");
    free(bytes);
}

int main(void)
{
    static const char *const files[] = {"none_1", "none_2", "snappy_1", "snappy_2", "gzip_1", "gzip_2",      "zstd_1",
                                        "zstd_2", "lz4_1",  "lz4_2",    "plain",    "delta",  "delta_length"};
    if (!ok(table_read(&want, "tests/ref/parquet.csv") == OK, "the table as text")) return tap_done();
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) test_file(files[i]);
    test_rows();
    test_damaged();
    test_table();
    test_writer(getenv("T") ? getenv("T") : "/tmp", 7);
    test_writer(getenv("T") ? getenv("T") : "/tmp", 60);
    table_free(&want);
    return tap_done();
}
