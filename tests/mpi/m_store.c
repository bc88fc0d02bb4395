#define _GNU_SOURCE /* memmem */
/* m_store.c -- the HDF5 store on several ranks: round trips, refusals, damage. run: limit=120 n=1,2,3,4 */
#include "../tap_mpi.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/store/store.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ROWS = 11, WIDE = 5, CHUNK = 2 };

static int rank, size;
static char *dir;

static char *in_dir(const char *name)
{
    return path_join(dir, name);
}

static float cell(int64_t row, int64_t col)
{
    return (float)row * 100.0F + (float)col;
}

/* This rank's rows of n, on chunk borders. */
static void share(int64_t n, int64_t chunk, int64_t *first, int64_t *mine)
{
    int64_t f, m;
    partition((n + chunk - 1) / chunk, size, rank, &f, &m);
    *first = f * chunk;
    *mine = (f + m) * chunk < n ? m * chunk : n - *first;
    if (m == 0) *first = *mine = 0;
}

/* A table with every type of column; `turned` builds the same one in another order of its words. */
static status make_frame(frame *f, bool turned)
{
    static const char *const well[] = {"B02", "A01", "", "M\303\274ller"};
    status st = OK;
    int text_col, category, i64, f32, f64, yes;
    TRY(frame_add_col(f, "Metadata_Compound", FRAME_TEXT, &text_col));
    TRY(frame_add_col(f, "Metadata_Well", FRAME_CATEGORY, &category));
    TRY(frame_add_rows(f, ROWS));
    TRY(frame_add_col(f, "Site", FRAME_I64, &i64));
    TRY(frame_add_col(f, "QC_a/b", FRAME_F32, &f32));
    TRY(frame_add_col(f, "mean", FRAME_F64, &f64));
    TRY(frame_add_col(f, "QC_Flag", FRAME_BOOL, &yes));
    for (int64_t k = 0; k < ROWS; k++) {
        int64_t i = turned ? ROWS - 1 - k : k;
        char name[32];
        snprintf(name, sizeof name, i == 3 ? "" : "compound \316\261 %d", (int)i);
        TRY(frame_set_text(f, i, text_col, name));
        TRY(frame_set_text(f, i, category, well[i % 4]));
        f->col[i64].v.i64[i] = -i * INT64_C(5000000000);
        if (i != 5) frame_set_real(f, i, f32, 0.1 * (double)i);
        frame_set_real(f, i, f64, 0.1 * (double)i);
        f->col[yes].v.yes[i] = i % 3 == 0;
    }
done:
    return st;
}

static void frames(void)
{
    char *path = in_dir("a/b/round.h5");
    store_file *f = NULL;
    frame back = {0}, want = {0};
    names list = {0};
    status st = store_open(&f, path, "profiles", 2);
    if (st == OK) st = make_frame(&want, false);
    ok_all(st == OK && store_read_frame(f, "obs", &back) == OK, "a frame is read");
    if (*msg_get()) printf("# %s\n", msg_get());
    ok_all(back.n_rows == ROWS && back.n_cols == 6, "all of it");
    ok_all(frame_digest(&back) == frame_digest(&want), "names, types and values are what was written");
    frame_free(&back);
    ok_all(store_read_frame(f, "var", &back) == OK && back.n_cols == 1 && frame_col(&back, "_index") == 0 &&
               !strcmp(frame_text(&back, 4, 0), "micon_4"),
           "an index with names comes as a column");
    frame_free(&back);
    ok_all(store_read_frame(f, "uns/rejects", &back) == OK && back.n_rows == 0 && back.n_cols == 2, "a frame without rows");
    ok_all(store_read_texts(f, "obs/Metadata_Well", &list) == OK && list.n == ROWS && !strcmp(list.item[4], "B02") && !*list.item[2],
           "a categorical as texts");
    frame_free(&back);
    frame_free(&want);
    names_free(&list);
    store_close(&f);
    free(path);
}

static status make_rest(frame *var, frame *rejects)
{
    status st = OK;
    int col;
    char name[32];
    TRY(frame_add_col(var, "_index", FRAME_TEXT, &col));
    TRY(frame_add_rows(var, WIDE));
    for (int i = 0; i < WIDE; i++) {
        snprintf(name, sizeof name, "micon_%d", i);
        TRY(frame_set_text(var, i, col, name));
    }
    TRY(frame_add_col(rejects, "item", FRAME_TEXT, &col));
    TRY(frame_add_col(rejects, "kind", FRAME_CATEGORY, &col));
done:
    return st;
}

static status write_all(const char *path)
{
    status st = OK;
    frame obs = {0}, var = {0}, rejects = {0};
    store *s = NULL;
    names list = {0};
    store_info info = {.kind = "profiles", .format = 2, .bytes = 10000, .anndata = true};
    int64_t dims[2] = {ROWS, WIDE}, first, n, grid[2] = {2, 3};
    int32_t numbers[6] = {1, -2, 3, -4, 5, -6};
    float *rows = xmalloc(ROWS * WIDE * sizeof *rows);
    TRY(store_create_all(&s, MPI_COMM_WORLD, path, &info));
    TRY(store_array_all(s, "X", STORE_F32, 2, dims, CHUNK));
    TRY(store_array_all(s, "uns/deep/er/list", STORE_I64, 1, dims, 3));
    int64_t none[2] = {0, 4};
    TRY(store_array_all(s, "uns/none", STORE_U8, 2, none, 3));
    share(ROWS, CHUNK, &first, &n);
    for (int64_t i = 0; i < n * WIDE; i++) rows[i] = cell(first + i / WIDE, i % WIDE);
    TRY(store_write_rows_all(s, "X", first, n, rows));
    /* the other one in two calls, the later rows first, by rank 0 alone */
    int64_t high[5] = {600, 700, 800, 900, 1000}, low[6] = {0, 100, 200, 300, 400, 500};
    TRY(store_write_rows_all(s, "uns/deep/er/list", rank == 0 ? 6 : 0, rank == 0 ? 5 : 0, rank == 0 ? high : NULL));
    TRY(store_write_rows_all(s, "uns/deep/er/list", 0, rank == 0 ? 6 : 0, rank == 0 ? low : NULL));
    names_add(&list, "DNA");
    names_add(&list, "");
    names_add(&list, "M\303\274ller \316\264");
    store_put_texts(s, "uns/channels", &list);
    store_put_text(s, "uns/micon/config", "a: 1\nb: \"\303\251\"\n");
    store_put_text(s, "uns/empty", "");
    store_put_int(s, "uns/seed", INT64_MIN);
    store_put_real(s, "uns/low", 0.05);
    store_put_values(s, "uns/grid", STORE_I32, 2, grid, numbers);
    TRY_ALL(MPI_COMM_WORLD, make_frame(&obs, rank % 2));
    TRY_ALL(MPI_COMM_WORLD, make_rest(&var, &rejects));
    store_put_frame(s, "obs", &obs);
    store_put_frame(s, "var", &var);
    store_put_frame(s, "uns/rejects", &rejects);
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    frame_free(&obs);
    frame_free(&var);
    frame_free(&rejects);
    names_free(&list);
    free(rows);
    return st;
}

static void round_trip(void)
{
    char *path = in_dir("a/b/round.h5"), *line = NULL;
    store_file *f = NULL;
    names list = {0};
    int n_dims;
    int64_t dims[4], i;
    double d;
    float x[ROWS * WIDE], one[WIDE];
    int64_t longs[ROWS], grid[6];
    int wrong = 0;
    ok_all(write_all(path) == OK, "a file is written");
    if (!ok_all(store_open(&f, path, "profiles", 2) == OK, "and opened")) {
        printf("# %s\n", msg_get());
        goto done;
    }
    ok_all(store_read_rows(f, "X", STORE_F32, 0, ROWS, x) == OK, "X is read");
    for (i = 0; i < ROWS * WIDE; i++) wrong += x[i] != cell(i / WIDE, i % WIDE);
    ok_all(wrong == 0, "every value is what was written");
    ok_all(store_read_rows(f, "X", STORE_F32, 7, 1, one) == OK && one[3] == cell(7, 3), "a single row");
    ok_all(store_read_rows(f, "uns/deep/er/list", STORE_I64, 0, ROWS, longs) == OK && longs[10] == 1000 && longs[5] == 500,
           "64-bit integers");
    ok_all(store_dims(f, "uns/none", &n_dims, dims) == OK && n_dims == 2 && dims[0] == 0 && dims[1] == 4, "an array without rows");
    ok_all(store_read_rows(f, "uns/none", STORE_U8, 0, 0, x) == OK, "reading none of them");
    ok_all(store_read_texts(f, "uns/channels", &list) == OK && list.n == 3 && !*list.item[1] &&
               !strcmp(list.item[2], "M\303\274ller \316\264"),
           "texts");
    ok_all(store_read_text(f, "uns/micon/config", &line) == OK && !strcmp(line, "a: 1\nb: \"\303\251\"\n"), "a text");
    FREE(line);
    ok_all(store_read_text(f, "uns/empty", &line) == OK && !*line, "an empty text");
    ok_all(store_read_int(f, "uns/seed", &i) == OK && i == INT64_MIN, "a whole number");
    ok_all(store_read_real(f, "uns/low", &d) == OK && d == 0.05, "a real number");
    ok_all(store_read_real(f, "uns/seed", &d) == OK && d == -9223372036854775808.0, "a whole number as a real one");
    ok_all(store_read_rows(f, "uns/grid", STORE_I64, 0, 2, grid) == OK && grid[5] == -6, "32-bit integers as 64-bit ones");
    names_free(&list);
    ok_all(store_list(f, "uns", &list) == OK && list.n == 9 && !strcmp(list.item[0], "channels") && !strcmp(list.item[8], "seed"),
           "a group's members");
    names_free(&list);
    ok_all(store_has(f, "uns/seed") && !store_has(f, "uns/nothing/at/all") && !*msg_get(), "what is there and what is not");
    ok_all(store_digest(f) != 0 && !strcmp(store_kind(f), "profiles"), "digest and kind");
done:
    store_close(&f);
    uint64_t digest = 0;
    ok_all(store_verify(path, &digest) == OK && digest != 0, "its content is verified");
    free(line);
    free(path);
}

/* A failure whose message holds both texts. */
static int says(status st, status want, const char *one, const char *two)
{
    int good = st == want && strstr(msg_get(), one) && strstr(msg_get(), two);
    if (!good) printf("# status %s: %s\n", status_name(st), msg_get());
    msg_clear();
    return good;
}

enum { REFUSED, RIGHT, OTHER };

/* What becomes of X and obs of a file that is read, not verified. */
static int read_plainly(const char *path, const frame *obs)
{
    store_file *f = NULL;
    frame back = {0};
    float x[ROWS * WIDE];
    bool same = true;
    status st = store_open(&f, path, "profiles", 2);
    if (st == OK) st = store_read_rows(f, "X", STORE_F32, 0, ROWS, x);
    for (int i = 0; i < ROWS * WIDE && st == OK; i++) same = same && x[i] == cell(i / WIDE, i % WIDE);
    if (st == OK) st = store_read_frame(f, "obs", &back);
    if (st == OK) same = same && frame_digest(&back) == frame_digest(obs);
    frame_free(&back);
    store_close(&f);
    msg_clear();
    return st != OK ? REFUSED : same ? RIGHT : OTHER;
}

/* A bit that changed since the file was written is an error of whoever reads it, and never a value. */
static void flips(void)
{
    enum { PLACES = 64 };
    char *path = in_dir("a/b/round.h5"), *bad = in_dir("flip.h5"), *data = NULL;
    size_t n = 0;
    int came[3] = {0};
    float row[WIDE];
    frame obs = {0};
    for (int j = 0; j < WIDE; j++) row[j] = cell(3, j);
    status st = rank == 0 ? path_read(path, &data, &n, 1 << 24) : OK;
    if (st == OK) st = make_frame(&obs, false);
    char *of_x = data ? memmem(data, n, row, sizeof row) : NULL;
    ok_all(st == OK && (rank != 0 || (of_x && read_plainly(path, &obs) == RIGHT)), "a row of X in the file");
    for (size_t k = 0; k < PLACES && of_x; k++) {
        char *at = k == 0 ? of_x : data + n * k / PLACES;
        *at ^= 16;
        if (path_write(bad, data, n) == OK) came[read_plainly(bad, &obs)]++;
        *at ^= 16;
    }
    if (rank == 0)
        printf("# %d changed bits: %d refused, %d without effect, %d as other values\n", (int)PLACES, came[REFUSED], came[RIGHT],
               came[OTHER]);
    ok_all(rank != 0 || (came[OTHER] == 0 && came[REFUSED] > PLACES / 2 && came[REFUSED] + came[RIGHT] == PLACES),
           "a changed bit is never read as a value");
    frame_free(&obs);
    free(data);
    free(path);
    free(bad);
}

static bool last_row_is(const char *path, int64_t row, const float *want)
{
    store_file *f = NULL;
    float got[64] = {0};
    status st = store_open(&f, path, "profiles", 1);
    if (st == OK) st = store_read_rows(f, "X", STORE_F32, row, 1, got);
    store_close(&f);
    return st == OK && memcmp(got, want, sizeof got) == 0;
}

/* The last chunk of an array is longer than its rows: the blocks in between are read by nobody but store_verify. */
static void unread_blocks(void)
{
    enum { LONG = 8192, BROAD = 64, ROW = BROAD * 4, BEYOND = 1 << 20 }; /* a chunk of 2 MB */
    char *path = in_dir("unread.h5"), *data = NULL;
    size_t n = 0;
    int64_t dims[2] = {LONG + 1, BROAD};
    uint64_t digest = 0;
    store *s = NULL;
    store_info info = {.kind = "profiles", .format = 1, .anndata = true};
    float *rows = xcalloc((LONG + 1) * BROAD, sizeof *rows);
    for (int j = 0; j < BROAD; j++) rows[(size_t)LONG * BROAD + (size_t)j] = cell(7, j);
    status st = store_create_all(&s, MPI_COMM_WORLD, path, &info);
    if (st == OK) st = store_array_all(s, "X", STORE_F32, 2, dims, LONG);
    if (st == OK) st = store_write_rows_all(s, "X", 0, rank == 0 ? LONG + 1 : 0, rank == 0 ? rows : NULL);
    if (st == OK) st = store_commit_all(&s);
    if (st == OK && rank == 0) st = path_read(path, &data, &n, 1 << 24);
    char *last = data ? memmem(data, n, rows + (size_t)LONG * BROAD, ROW) : NULL;
    bool room = last && n - (size_t)(last - data) > BEYOND;
    ok_all(st == OK && (rank != 0 || room), "a file with room behind its last row");
    if (room) last[BEYOND] ^= 16;
    if (room) st = path_write(path, data, n);
    MPI_Barrier(MPI_COMM_WORLD);
    ok_all(st == OK && last_row_is(path, LONG, rows + (size_t)LONG * BROAD), "a bit that changes there is not read");
    ok_all(says(store_verify(path, &digest), E_FORMAT, "unread.h5", "not those that were written"), "store_verify sees it");
    store_abandon_all(&s);
    free(rows);
    free(data);
    free(path);
}

static void refusals(void)
{
    char *path = in_dir("a/b/round.h5"), *text_file = in_dir("text.h5"), *cut = in_dir("cut.h5"), *empty = in_dir("empty.h5"), *line;
    store_file *f = NULL;
    uint8_t small[ROWS * WIDE];
    int64_t i;
    ok_all(says(store_open(&f, path, "tiles", 2), E_FORMAT, "round.h5", "holds profiles, not tiles"), "another kind");
    ok_all(says(store_open(&f, path, "profiles", 1), E_FORMAT, "round.h5", "newer version"), "a newer format");
    ok_all(says(store_open(&f, dir, NULL, 0), E_FORMAT, dir, "is a folder, not a file"), "a folder");
    ok_all(says(store_open(&f, "/nowhere/x.h5", NULL, 0), E_IO, "/nowhere/x.h5", "No such file"), "a missing file");
    if (rank == 0) {
        char *data;
        size_t n;
        status st = path_read(path, &data, &n, 1 << 24);
        if (st == OK) st = path_write(cut, data, n / 2);
        if (st == OK) st = path_write(text_file, "a,b\n1,2\n", 8);
        if (st == OK) st = path_write(empty, "", 0);
        ok(st == OK, "files are damaged");
        free(data);
    } else {
        tap_n++;
    }
    MPI_Barrier(MPI_COMM_WORLD);
    ok_all(says(store_open(&f, cut, "profiles", 2), E_FORMAT, "cut.h5", "truncated"), "a truncated file");
    ok_all(says(store_open(&f, text_file, "profiles", 2), E_FORMAT, "text.h5", "not an HDF5 file"), "a text file");
    ok_all(says(store_open(&f, empty, "profiles", 2), E_FORMAT, "empty.h5", "empty"), "an empty file");
    if (!ok_all(store_open(&f, path, NULL, 0) == OK, "opened as anyone's")) return;
    ok_all(says(store_read_rows(f, "X", STORE_U8, 0, ROWS, small), E_FORMAT, "round.h5", "real numbers"), "reals as bytes");
    ok_all(says(store_read_rows(f, "uns/deep/er/list", STORE_U8, 0, ROWS, small), E_FORMAT, "round.h5", "uns/deep/er/list"),
           "values that do not fit");
    ok_all(says(store_read_rows(f, "X", STORE_F32, 10, 2, small), E_FORMAT, "round.h5", "11 rows"), "rows past the end");
    ok_all(says(store_read_rows(f, "X", STORE_F32, INT64_MAX, 2, small), E_FORMAT, "round.h5", "11 rows"), "rows far past the end");
    ok_all(says(store_read_rows(f, "uns", STORE_F32, 0, 2, small), E_FORMAT, "round.h5", "a group"), "a group as an array");
    ok_all(says(store_read_rows(f, "uns/channels", STORE_F32, 0, 2, small), E_FORMAT, "round.h5", "numbers"), "texts as numbers");
    ok_all(says(store_read_rows(f, "uns/no", STORE_F32, 0, 2, small), E_FORMAT, "round.h5", "no 'uns/no'"), "an array that is not there");
    ok_all(says(store_read_text(f, "uns/seed", &line), E_FORMAT, "round.h5", "not one text"), "a number as a text");
    ok_all(says(store_read_int(f, "uns/low", &i), E_FORMAT, "round.h5", "whole"), "a real as a whole number");
    ok_all(says(store_read_int(f, "X", &i), E_FORMAT, "round.h5", "not one number"), "an array as a number");
    store_close(&f);
    free(path);
    free(text_file);
    free(cut);
    free(empty);
}

static int nothing_left(const char *name)
{
    names list = {0};
    char *pattern = xasprintf("%s/%s*", dir, name);
    status st = path_glob(&list, "", pattern);
    int n = (int)list.n;
    names_free(&list);
    free(pattern);
    return st == OK && n == 0;
}

/* What a writer may do wrong: each is one agreed failure, and leaves nothing. */
static status write_wrongly(const char *path, const char *how)
{
    status st = OK;
    store *s = NULL;
    store_info info = {.kind = "profiles", .format = 1, .anndata = true};
    int64_t dims[2] = {4 * size, 3}, first = 4 * rank;
    float rows[12] = {0};
    if (!strcmp(how, "space")) info.bytes = INT64_C(1) << 60;
    TRY(store_create_all(&s, MPI_COMM_WORLD, path, &info));
    if (!strcmp(how, "args")) dims[1] += rank;
    if (!strcmp(how, "huge")) dims[0] = INT64_MAX / 16;
    TRY(store_array_all(s, !strcmp(how, "root") ? "tiles" : "X", STORE_F32, 2, dims, 2));
    if (!strcmp(how, "dup")) TRY(store_array_all(s, "X", STORE_F32, 2, dims, 2));
    bool border = !strcmp(how, "border") && rank == size - 1;
    if (border) first++;
    if (!strcmp(how, "past") && rank == 0) first = 4 * size;
    TRY(store_write_rows_all(s, "X", first, border ? 3 : !strcmp(how, "few") && rank == 0 ? 2 : 4, rows));
    if (!strcmp(how, "twice")) TRY(store_write_rows_all(s, "X", 0, rank == 0 ? 4 : 0, rows));
    if (!strcmp(how, "dots")) store_put_int(s, "uns/../obs", 1);
    if (!strcmp(how, "put dup")) store_put_int(s, "uns/a", 1), store_put_int(s, "uns/a", 2);
    if (!strcmp(how, "below")) store_put_int(s, "X/a", 1);
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    return st;
}

static void wrong_writers(void)
{
    static const char *const how[][2] = {{"space", "left"},
                                         {"huge", "wrong.h5"},
                                         {"root", "no such member"},
                                         {"dup", "already"},
                                         {"border", "chunk borders"},
                                         {"past", "rows"},
                                         {"few", "never written"},
                                         {"twice", "written twice"},
                                         {"dots", "cannot be stored"},
                                         {"put dup", "already"},
                                         {"below", "nothing can stand below"},
                                         {"args", "not the same"}};
    char *path = in_dir("wrong.h5"), what[100];
    for (size_t i = 0; i < sizeof how / sizeof *how - (size == 1); i++) {
        snprintf(what, sizeof what, "a wrong writer: %s", how[i][0]);
        status st = write_wrongly(path, how[i][0]);
        int good = st != OK && strstr(msg_get(), how[i][1]) != NULL;
        if (!good) printf("# status %s: %s\n", status_name(st), msg_get());
        msg_clear();
        ok_all(good, what);
        MPI_Barrier(MPI_COMM_WORLD);
        ok_all(nothing_left("wrong"), "  leaves nothing");
        MPI_Barrier(MPI_COMM_WORLD);
    }
    ok_all(write_wrongly(path, "") == OK && !nothing_left("wrong"), "a right one leaves its file");
    ok_all(says(write_wrongly(dir, ""), E_IO, dir, "folder"), "a folder where the file should be");
    free(path);
}

static void permissions(void)
{
    char *path = in_dir("perm.h5");
    struct stat sb;
    mode_t old = umask(027);
    ok_all(write_wrongly(path, "") == OK && stat(path, &sb) == 0 && (sb.st_mode & 0777) == 0640, "a file follows the umask");
    umask(0);
    ok_all(write_wrongly(path, "") == OK && stat(path, &sb) == 0 && (sb.st_mode & 0777) == 0666, "whatever it is");
    umask(old);
    free(path);
}

int main(int argc, char **argv)
{
    MPI_Init(&argc, &argv);
    rank = comm_rank(MPI_COMM_WORLD);
    size = comm_size(MPI_COMM_WORLD);
    log_init("m_store", rank == 0, false);
    dir = xasprintf("%s/store", tap_dir_all());
    round_trip();
    frames();
    flips();
    unread_blocks();
    refusals();
    wrong_writers();
    permissions();
    int rc = tap_done_all();
    free(dir);
    MPI_Finalize();
    return rc;
}
