/* rejects.c -- files of a plate's sites that could not be used. */
#include "micon/stage/rejects.h"

#include "micon/base/log.h"
#include "micon/mpi/comm.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

status rejects_add(frame *bad, int64_t item, const char *code, const char *says)
{
    status st = OK;
    int col;
    if (bad->n_cols == 0) {
        TRY(frame_add_col(bad, "Item", FRAME_I64, &col));
        TRY(frame_add_col(bad, "Code", FRAME_TEXT, &col));
        TRY(frame_add_col(bad, "Text", FRAME_TEXT, &col));
    }
    int64_t row = bad->n_rows;
    TRY(frame_add_rows(bad, 1));
    bad->col[REJECT_ITEM].v.i64[row] = item;
    TRY(frame_set_text(bad, row, REJECT_CODE, code));
    TRY(frame_set_text(bad, row, REJECT_TEXT, says));
done:
    return st;
}

const char *rejects_without_path(const char *message, const char *path)
{
    size_t n = strlen(path);
    return strncmp(message, path, n) == 0 && strncmp(message + n, ": ", 2) == 0 ? message + n + 2 : message;
}

status rejects_gather_all(MPI_Comm comm, frame *bad)
{
    status st = OK;
    uint8_t *mine = NULL;
    char *all = NULL, *packed_sizes = NULL;
    size_t n = 0, n_all = 0, at = 0;
    frame one = {0};
    int rank = comm_rank(comm), size = comm_size(comm);
    TRY_ALL(comm, rank == 0 ? OK : frame_pack(bad, &mine, &n));
    int64_t my_size = (int64_t)n;
    TRY(comm_gather_all(comm, 0, &my_size, sizeof my_size, &packed_sizes, &n_all));
    const int64_t *sizes = (const int64_t *)(const void *)packed_sizes;
    TRY(comm_gather_all(comm, 0, mine, n, &all, &n_all));
    for (int r = 1; rank == 0 && st == OK && r < size; r++) {
        st = frame_unpack(&one, all + at, (size_t)sizes[r]);
        if (st == OK && one.n_rows > 0) st = frame_append(bad, &one);
        frame_free(&one);
        at += (size_t)sizes[r];
    }
    TRY_ALL(comm, st);
done:
    free(mine);
    free(all);
    free(packed_sizes);
    return st;
}

status rejects_say(frame *bad, const rejects_of *of, const char *what)
{
    enum { FIRST = 5 };
    text path = {0};
    status st = bad->n_rows > 0 ? frame_sort(bad, &(frame_key){"Item", true}, 1) : OK;
    for (int64_t i = 0; st == OK && i < bad->n_rows; i++) {
        int64_t item = bad->col[REJECT_ITEM].v.i64[i], row = of->first_row + item / of->files;
        int file_of = (int)(item % of->files);
        if (i == FIRST) {
            log_warn("%s: and %lld more bad %s", of->label, (long long)(bad->n_rows - FIRST), what);
            break;
        }
        const char *file = index_path(of->ix, row, file_of, &path);
        log_warn("%s: %s site %s: %s %s", of->label, index_cell(of->ix, row, INDEX_WELL), index_cell(of->ix, row, INDEX_SITE),
                 *file ? file : index_channel(of->ix, file_of), frame_text(bad, i, REJECT_TEXT));
    }
    text_free(&path);
    return st;
}

static const char *below(const char *dir, const char *path)
{
    size_t n = strlen(dir);
    return n > 0 && strncmp(path, dir, n) == 0 && path[n] == '/' ? path + n + 1 : path;
}

status rejects_put(store *out, const frame *bad, const rejects_of *of)
{
    static const int keys[] = {INDEX_SOURCE, INDEX_BATCH, INDEX_PLATE, INDEX_WELL, INDEX_SITE};
    enum { N_KEYS = sizeof keys / sizeof *keys };
    static const char *const more[] = {"Channel", "File", "Code", "Text"};
    status st = OK;
    frame f = {0};
    text path = {0};
    int col[N_KEYS + 4];
    for (int k = 0; k < N_KEYS; k++) TRY(frame_add_col(&f, index_col_name(of->ix, keys[k]), FRAME_TEXT, &col[k]));
    for (int k = 0; k < 4; k++) TRY(frame_add_col(&f, more[k], FRAME_TEXT, &col[N_KEYS + k]));
    TRY(frame_add_rows(&f, bad->n_rows));
    for (int64_t i = 0; i < bad->n_rows; i++) {
        int64_t item = bad->col[REJECT_ITEM].v.i64[i], row = of->first_row + item / of->files;
        int channel = (int)(item % of->files);
        const char *cell[] = {index_channel(of->ix, channel), below(of->dir, index_path(of->ix, row, channel, &path)),
                              frame_text(bad, i, REJECT_CODE), frame_text(bad, i, REJECT_TEXT)};
        for (int k = 0; k < N_KEYS; k++) TRY(frame_set_text(&f, i, col[k], index_cell(of->ix, row, keys[k])));
        for (int k = 0; k < 4; k++) TRY(frame_set_text(&f, i, col[N_KEYS + k], cell[k]));
    }
    store_put_frame(out, "uns/rejects", &f);
done:
    frame_free(&f);
    text_free(&path);
    return st;
}
