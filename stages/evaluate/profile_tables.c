/* profile_tables.c -- files of profiles behind each other (profile_tables.h). CSV is read row by row, Parquet column by column: its features
 * never become text. */
#include "profile_tables.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/formats/parquet.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void profile_table_free(profile_table *t)
{
    frame_free(&t->obs);
    names_free(&t->var);
    free(t->x);
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool of_cellprofiler(const char *s)
{
    return begins(s, "Cells_") || begins(s, "Nuclei_") || begins(s, "Cytoplasm_");
}

/* "", nan, NA, inf in any spelling: no number, NaN. */
static bool read_cell(const char *s, float *out)
{
    static const char *const none[] = {"", "nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity"};
    double v;
    if (num_f64(s, &v)) {
        *out = (float)v;
        return true;
    }
    *out = NAN;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strcasecmp(s, none[i]) == 0) return true;
    return false;
}

/* Which columns are features (what[i] = their number), which metadata (-1), which neither (-2). */
static status sort_columns(const char *path, const names *column, profile_table *t, int *what)
{
    status st = OK;
    bool cellprofiler = false, first = t->var.n == 0;
    int metadata = 0, col;
    size_t found = 0;
    for (size_t i = 0; i < column->n; i++) cellprofiler = cellprofiler || of_cellprofiler(column->item[i]);
    for (size_t i = 0; i < column->n; i++) {
        const char *name = column->item[i];
        what[i] = begins(name, "Metadata_") ? -1 : !*name || (cellprofiler && !of_cellprofiler(name)) ? -2 : 0;
        if (what[i] == -1) {
            metadata++;
            if (first) TRY(frame_add_col(&t->obs, name, FRAME_CATEGORY, &col));
        } else if (what[i] == 0) {
            if (first) names_add(&t->var, name);
            what[i] = first                                                       ? (int)t->var.n - 1
                      : found < t->var.n && strcmp(t->var.item[found], name) == 0 ? (int)found
                                                                                  : (int)names_find(&t->var, name);
            if (what[i] < 0) TRY(fail(E_FORMAT, "%s: feature '%s' is not in the first table", path, name));
            found++;
        }
    }
    if (!metadata) TRY(fail(E_FORMAT, "%s: no column begins with Metadata_: which rows are which wells?", path));
    if (!found) TRY(fail(E_FORMAT, "%s: no feature columns beside the Metadata_ ones", path));
    if (found != t->var.n) TRY(fail(E_FORMAT, "%s: %zu features, the first table has %zu", path, found, t->var.n));
done:
    return st;
}

static status read_csv(profile_table *t, const char *path)
{
    status st = OK;
    csv *c = NULL;
    char **field, shown[60];
    bool more;
    frame part = {0};
    names name = {0};
    int *what = NULL, *to = NULL, n, col;
    TRY(csv_open(&c, path));
    n = csv_n_cols(c);
    for (int i = 0; i < n; i++) names_add(&name, csv_text(csv_col_name(c, i)));
    what = xcalloc((size_t)n + 1, sizeof *what);
    to = xcalloc((size_t)n + 1, sizeof *to);
    TRY(sort_columns(path, &name, t, what));
    for (int i = 0; i < n; i++)
        if (what[i] == -1) {
            TRY(frame_add_col(&part, csv_col_name(c, i), FRAME_CATEGORY, &col));
            to[i] = col;
        }
    for (size_t d = t->var.n;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        TRY(mem_grow(&t->x, &t->cap, (t->n + 1) * d, sizeof *t->x, "profiles"));
        TRY(frame_add_rows(&part, 1));
        for (int i = 0; i < n; i++) {
            if (what[i] == -1) TRY(frame_set_text(&part, part.n_rows - 1, to[i], csv_text(field[i])));
            if (what[i] >= 0 && !read_cell(field[i], &t->x[t->n * d + (size_t)what[i]]))
                TRY(fail(E_FORMAT, "%s:%lld: feature '%s': '%s' is not a number", path, (long long)csv_line(c), csv_col_name(c, i),
                         text_show(shown, sizeof shown, field[i])));
        }
        t->n++;
    }
    TRY(frame_append(&t->obs, &part));
done:
    csv_close(&c);
    frame_free(&part);
    names_free(&name);
    free(what);
    free(to);
    return st;
}

/* A column of text in the place of features: one that is all missing or written as numbers. */
static status read_feature_text(parquet_cursor *c, const char *path, const char *name, int64_t n, float *out, size_t stride)
{
    status st = OK;
    text cell = {0};
    char shown[60];
    for (int64_t i = 0; i < n; i++) {
        text_clear(&cell);
        TRY(parquet_read_text(c, &cell));
        if (!read_cell(text_str(&cell), &out[(size_t)i * stride]))
            TRY(fail(E_FORMAT, "%s:%lld: feature '%s': '%s' is not a number", path, (long long)i + 1, name,
                     text_show(shown, sizeof shown, text_str(&cell))));
    }
done:
    text_free(&cell);
    return st;
}

/* The features of a file, to t's rows from t->n on: those of one type after another, in the order of the first table. */
static status read_features(profile_table *t, const parquet *p, const char *path, const int *what)
{
    status st = OK;
    size_t d = t->var.n;
    int64_t n = parquet_n_rows(p);
    parquet_cursor *c = NULL;
    float *x = t->x + t->n * d;
    int *col = xcalloc(d, sizeof *col);
    bool numbers = true;
    for (int i = 0; i < parquet_n_cols(p); i++)
        if (what[i] >= 0) {
            col[what[i]] = i;
            numbers = numbers && parquet_col_is_number(p, i);
        }
    if (numbers) TRY(parquet_read_rows_f32(p, col, (int)d, x, d));
    for (size_t j = 0; j < d && !numbers; j++) {
        TRY(parquet_cursor_open(&c, p, col[j]));
        TRY(parquet_col_is_number(p, col[j]) ? parquet_read_f32(c, n, x + j, d) : read_feature_text(c, path, t->var.item[j], n, x + j, d));
    }
    for (size_t k = 0; k < (size_t)n * d; k++)
        if (!isfinite(x[k])) x[k] = NAN;
done:
    parquet_cursor_close(&c);
    free(col);
    return st;
}

static status read_parquet(profile_table *t, const char *path)
{
    status st = OK;
    parquet *p = NULL;
    parquet_cursor *c = NULL;
    names name = {0};
    frame part = {0};
    text cell = {0};
    int *what = NULL, col;
    TRY(parquet_open(&p, path));
    int64_t n = parquet_n_rows(p);
    for (int i = 0; i < parquet_n_cols(p); i++) names_add(&name, parquet_col_name(p, i));
    what = xcalloc(name.n + 1, sizeof *what);
    TRY(sort_columns(path, &name, t, what));
    TRY(frame_add_rows(&part, n));
    for (int i = 0; i < parquet_n_cols(p); i++) {
        if (what[i] != -1) continue;
        TRY(frame_add_col(&part, parquet_col_name(p, i), FRAME_CATEGORY, &col));
        TRY(parquet_cursor_open(&c, p, i));
        for (int64_t r = 0; r < n; r++) {
            text_clear(&cell);
            TRY(parquet_read_text(c, &cell));
            if (memchr(text_str(&cell), '\0', cell.n))
                TRY(fail(E_FORMAT, "%s:%lld: a zero byte in '%s'", path, (long long)r + 1, name.item[i]));
            TRY(frame_set_text(&part, r, col, text_str(&cell)));
        }
    }
    size_t rows, values;
    if (__builtin_add_overflow(t->n, (size_t)n, &rows) || !mul_size(rows, t->var.n, &values)) TRY(fail(E_NOMEM, "%s: too many rows", path));
    TRY(mem_grow(&t->x, &t->cap, values, sizeof *t->x, "profiles"));
    TRY(read_features(t, p, path, what));
    t->n += (size_t)n;
    TRY(frame_append(&t->obs, &part));
done:
    parquet_cursor_close(&c);
    parquet_close(&p);
    frame_free(&part);
    names_free(&name);
    text_free(&cell);
    free(what);
    return st;
}

/* obs as text columns, Metadata_ put before names that lack it. */
static status copy_obs(frame *to, const frame *from)
{
    status st = OK;
    text t = {0};
    int col;
    TRY(frame_add_rows(to, from->n_rows));
    for (int c = 0; c < from->n_cols; c++) {
        const char *name = from->col[c].name;
        if (strcmp(name, "_index") == 0) continue;
        char *full = begins(name, "Metadata_") ? xstrdup(name) : xasprintf("Metadata_%s", name);
        st = frame_add_col(to, full, FRAME_CATEGORY, &col);
        free(full);
        for (int64_t i = 0; i < from->n_rows && st == OK; i++) {
            text_clear(&t);
            frame_show(from, i, c, &t);
            st = frame_set_text(to, i, col, text_str(&t));
        }
        if (st != OK) goto done;
    }
done:
    text_free(&t);
    return st;
}

static status read_h5ad(profile_table *t, foreign_reader *r, const char *path)
{
    status st = OK;
    foreign_file *f = NULL;
    frame part = {0};
    int64_t *row = NULL;
    bool first = t->var.n == 0;
    TRY(foreign_open(&f, r, path));
    int64_t n = foreign_n(f), d = foreign_d(f);
    for (int64_t j = 0; j < d; j++) {
        const char *name = foreign_name(f, j);
        if (first) names_add(&t->var, name);
        if (j >= (int64_t)t->var.n || strcmp(t->var.item[j], name) != 0)
            TRY(fail(E_FORMAT, "%s: feature '%s' is not at its place in the first table", path, name));
    }
    if ((int64_t)t->var.n != d) TRY(fail(E_FORMAT, "%s: %lld features, the first table has %zu", path, (long long)d, t->var.n));
    TRY(mem_grow(&t->x, &t->cap, (t->n + (size_t)n) * (size_t)d, sizeof *t->x, "profiles"));
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "rows"));
    for (int64_t i = 0; i < n; i++) row[i] = i;
    TRY(foreign_rows(f, row, n, t->x + t->n * (size_t)d));
    t->n += (size_t)n;
    TRY(copy_obs(&part, foreign_obs(f)));
    TRY(frame_append(&t->obs, &part));
done:
    foreign_close(&f);
    frame_free(&part);
    free(row);
    return st;
}

status profile_table_read(profile_table *t, foreign_reader *r, const char *path)
{
    status st = OK;
    const char *end = strrchr(path_base(path), '.');
    bool columns = false;
    if (end && (strcmp(end, ".h5ad") == 0 || strcmp(end, ".h5") == 0)) return read_h5ad(t, r, path);
    TRY(parquet_is_file(path, &columns));
    TRY(columns ? read_parquet(t, path) : read_csv(t, path));
done:
    return st;
}
