/* m_store_big.c -- more than 4 GiB and 2^32 elements in one call, by one rank, in bounded memory. run: long n=2 limit=600 nosan */
#include "../tap_mpi.h"
#include "micon/base/log.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/store/store.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static const int64_t row_bytes = 1 << 20, period = 61, n_rows = 4400; /* rows repeat after `period` */

static uint8_t value_at(int64_t row, int64_t col)
{
    return (uint8_t)((row % period) * 7 + (col >> 8) + col % 251);
}

/* 4.3 GiB of address space over 61 MiB of memory: the same pages again and again. */
static uint8_t *rows_map(const char *dir)
{
    char *path = path_join(dir, "pattern");
    FILE *f = fopen(path, "w+b");
    uint8_t *row = malloc((size_t)row_bytes), *all = NULL;
    for (int64_t r = 0; f && row && r < period; r++) {
        for (int64_t c = 0; c < row_bytes; c++) row[c] = value_at(r, c);
        if (fwrite(row, 1, (size_t)row_bytes, f) != (size_t)row_bytes) return NULL;
    }
    if (f && row && fflush(f) == 0)
        all = mmap(NULL, (size_t)(n_rows * row_bytes), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    for (int64_t r = 0; all && r < n_rows; r += period) {
        int64_t n = n_rows - r < period ? n_rows - r : period;
        if (mmap(all + r * row_bytes, (size_t)(n * row_bytes), PROT_READ, MAP_SHARED | MAP_FIXED, fileno(f), 0) == MAP_FAILED) return NULL;
    }
    if (f) fclose(f);
    remove(path);
    free(row);
    free(path);
    return all;
}

/* From here on no more than `more` MiB of further writable memory (the rows are mapped read-only). */
static bool limit_data(long more)
{
    long used = -1;
    char line[200];
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, "VmData:", 7) == 0) used = strtol(line + 7, NULL, 10) / 1024;
    if (f) fclose(f);
    struct rlimit r = {(rlim_t)(used + more) << 20, (rlim_t)(used + more) << 20};
    return used > 0 && setrlimit(RLIMIT_DATA, &r) == 0;
}

static status write_all(const char *path, const uint8_t *rows)
{
    status st = OK;
    store *s = NULL;
    store_info info = {.kind = "tiles", .format = 1, .bytes = n_rows * row_bytes};
    int64_t dims[2] = {n_rows, row_bytes};
    TRY(store_create_all(&s, MPI_COMM_WORLD, path, &info));
    TRY(store_array_all(s, "tiles", STORE_U8, 2, dims, 1));
    TRY(store_write_rows_all(s, "tiles", 0, rows ? n_rows : 0, rows));
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    return st;
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    int rank = comm_rank(MPI_COMM_WORLD), size = comm_size(MPI_COMM_WORLD);
    log_init("m_store_big", rank == 0, false);
    const char *dir = tap_dir_all();
    char *path = path_join(dir, "big.h5");
    uint8_t *rows = rank == size - 1 ? rows_map(dir) : NULL, *row = malloc((size_t)row_bytes);
    ok_all(rank != size - 1 || rows, "4.3 GiB of rows");
    ok_all(limit_data(160), "160 MiB more is all the memory there shall be");
    status st = write_all(path, rows);
    if (st != OK) printf("# %s\n", msg_get());
    ok_all(st == OK, "are written in one call of one rank");
    store_file *f = NULL;
    int64_t at[] = {0, 2047, 2048, 4095, 4096, n_rows - 1};
    int wrong = 0;
    st = store_open(&f, path, "tiles", 1);
    for (size_t i = 0; st == OK && i < sizeof at / sizeof *at; i++) {
        st = store_read_rows(f, "tiles", STORE_U8, at[i], 1, row);
        for (int64_t c = 0; c < row_bytes; c++) wrong += row[c] != value_at(at[i], c);
    }
    ok_all(st == OK && wrong == 0, "and are what was written, beyond 2^31 and 2^32 too");
    store_close(&f);
    int rc = tap_done_all();
    free(row);
    free(path);
    MPI_Finalize();
    return rc;
}
