/* t_parquet_big.c -- a Parquet table of 5 GB, written and read back in bounded memory.
 * run: long nosan limit=300 */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/formats/parquet.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { COLUMNS = 50, GROUPS = 400 };
static const int64_t rows = (int64_t)GROUPS * PARQUET_GROUP_ROWS;
static int64_t first_row;

/* Values that do not compress: the bits of a hash, as any finite float. */
static float value(int64_t row, int col)
{
    float v;
    uint64_t h = ((uint64_t)row * COLUMNS + (uint64_t)col) * 0x9e3779b97f4a7c15u;
    uint32_t bits = (uint32_t)(h >> 32);
    if ((bits >> 23 & 255) == 255) bits ^= 1u << 30;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static const char *plate_of(int64_t row)
{
    static char name[32];
    snprintf(name, sizeof name, "P%lld", (long long)(row / 3456));
    return name;
}

static const char *cell(void *user, int64_t row, int col)
{
    (void)user;
    (void)col;
    return plate_of(first_row + row);
}

static status write_all(const char *path)
{
    status st = OK;
    parquet_writer *w = NULL;
    float *x = NULL;
    char word[COLUMNS][16];
    const char *text_name = "Metadata_Plate", *name[COLUMNS];
    for (int k = 0; k < COLUMNS; k++) {
        snprintf(word[k], sizeof word[k], "Cells_%d", k);
        name[k] = word[k];
    }
    TRY(mem_alloc(&x, (size_t)PARQUET_GROUP_ROWS * COLUMNS, sizeof *x, "a row group"));
    TRY(parquet_create(&w, path, &text_name, 1, name, COLUMNS));
    for (first_row = 0; first_row < rows; first_row += PARQUET_GROUP_ROWS) {
        for (int64_t r = 0; r < PARQUET_GROUP_ROWS; r++)
            for (int k = 0; k < COLUMNS; k++) x[r * COLUMNS + k] = value(first_row + r, k);
        TRY(parquet_write_group(w, PARQUET_GROUP_ROWS, cell, NULL, x, COLUMNS));
    }
    TRY(parquet_finish(&w));
done:
    parquet_abandon(&w);
    free(x);
    return st;
}

static status read_all(const char *path, int64_t *wrong)
{
    enum { PIECE = 8192 };
    status st = OK;
    parquet *p = NULL;
    parquet_cursor *c = NULL;
    text t = {0};
    static float x[PIECE];
    TRY(parquet_open(&p, path));
    *wrong = parquet_n_rows(p) != rows || parquet_n_cols(p) != COLUMNS + 1;
    TRY(parquet_cursor_open(&c, p, 0));
    for (int64_t r = 0; r < rows; r++) {
        text_clear(&t);
        TRY(parquet_read_text(c, &t));
        *wrong += strcmp(text_str(&t), plate_of(r)) != 0;
    }
    for (int k = 0; k < COLUMNS; k++) {
        TRY(parquet_cursor_open(&c, p, k + 1));
        for (int64_t r = 0; r < rows; r += PIECE) {
            TRY(parquet_read_f32(c, PIECE, x, 1));
            for (int64_t i = 0; i < PIECE; i++) *wrong += x[i] != value(r + i, k);
        }
    }
done:
    parquet_cursor_close(&c);
    parquet_close(&p);
    text_free(&t);
    return st;
}

int main(void)
{
    char path[600];
    struct rusage u;
    struct stat s = {0};
    struct statvfs disk;
    int64_t wrong = -1;
    if (statvfs(tap_dir(), &disk) == 0 && (double)disk.f_bavail * (double)disk.f_frsize < 7e9) {
        tap_skip("a Parquet table of 5 GB", "less than 7 GB are free in TMPDIR");
        return tap_done();
    }
    snprintf(path, sizeof path, "%s/big.parquet", tap_dir());
    status st = write_all(path);
    if (!ok(st == OK && stat(path, &s) == 0 && s.st_size > 4900000000, "written: 26,214,400 rows, 50 columns of numbers"))
        printf("# %s\n", msg_get());
    st = read_all(path, &wrong);
    getrusage(RUSAGE_SELF, &u);
    printf("# %.2f GB, peak %.0f MB %s\n", (double)s.st_size / 1e9, (double)u.ru_maxrss / 1e3, msg_get());
    ok(st == OK && wrong == 0, "each value is right");
    ok(u.ru_maxrss < 60000, "in less than 60 MB");
    unlink(path);
    return tap_done();
}
