/* profile_tables.c -- tables of profiles, one after another (profile_tables.h). CSV is read row by row, Parquet column by column: its
 * features never become text. */
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
    names_free(&t->dropped);
    free(t->x);
    free(t->file);
}

static bool begins(const char *s, const char *with)
{
    return strncmp(s, with, strlen(with)) == 0;
}

static bool of_cellprofiler(const char *s)
{
    return begins(s, "Cells_") || begins(s, "Nuclei_") || begins(s, "Cytoplasm_");
}

/* "", nan, NA, inf in any spelling: missing, which is NaN. False: other text. */
static bool read_cell(const char *s, double *out)
{
    static const char *const none[] = {"", "nan", "na", "n/a", "null", "none", "inf", "-inf", "+inf", "infinity", "-infinity"};
    if (num_f64(s, out)) return true;
    *out = NAN;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        if (strcasecmp(s, none[i]) == 0) return true;
    return false;
}

/* Does the configuration name this column, as it is? */
static bool is_named(const config *cfg, const char *name)
{
    const table_columns *c = &cfg->evaluate.columns;
    const char *const own[] = {c->source, c->batch, c->plate, c->well, c->treatment, c->control, c->mechanism, cfg->evaluate.normalize_by};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (*own[i] && strcmp(own[i], name) == 0) return true;
    return names_find(&cfg->screen.treatment, name) >= 0;
}

enum { COLUMN_FEATURE = 0, COLUMN_METADATA = -1, COLUMN_DROPPED = -2 };

/* first: cells of the first row; "" for columns of numbers. */
static void sort_columns(const names *column, const names *first, const config *cfg, int *what)
{
    bool cellprofiler = false;
    double v;
    for (size_t i = 0; i < column->n; i++) cellprofiler = cellprofiler || of_cellprofiler(column->item[i]);
    for (size_t i = 0; i < column->n; i++) {
        const char *name = column->item[i];
        bool feature = of_cellprofiler(name) || (cfg->evaluate.image_features && begins(name, "Image_"));
        if (begins(name, "Metadata_") || is_named(cfg, name))
            what[i] = COLUMN_METADATA;
        else if (!*name || (cellprofiler && !feature))
            what[i] = COLUMN_DROPPED;
        else
            what[i] = cellprofiler || i >= first->n || read_cell(first->item[i], &v) ? COLUMN_FEATURE : COLUMN_METADATA;
    }
}

/* what[i] of a feature becomes its number in t->var, which the first table fills. */
static status number_features(profile_table *t, const char *path, const names *column, const config *cfg, int *what)
{
    status st = OK;
    bool first = t->var.n == 0, shared = cfg->evaluate.features == FEATURES_INTERSECTION;
    size_t found = 0, metadata = 0;
    for (size_t i = 0; i < column->n; i++) {
        const char *name = column->item[i];
        metadata += what[i] == COLUMN_METADATA;
        if (what[i] == COLUMN_DROPPED && *name && t->n == 0) names_add(&t->dropped, name);
        if (what[i] < 0) continue;
        if (first) names_add(&t->var, name);
        what[i] = first                                                       ? (int)t->var.n - 1
                  : found < t->var.n && strcmp(t->var.item[found], name) == 0 ? (int)found
                                                                              : (int)names_find(&t->var, name);
        if (what[i] < 0 && shared)
            what[i] = COLUMN_DROPPED;
        else if (what[i] < 0)
            TRY(fail(E_FORMAT, "%s: feature '%s' is not in the first table (evaluate.features: intersection uses what tables share)", path,
                     name));
        else
            found++;
    }
    if (!metadata) TRY(fail(E_FORMAT, "%s: no column begins with Metadata_, and evaluate.columns names none of them", path));
    if (!found) TRY(fail(E_FORMAT, "%s: no feature columns beside the metadata", path));
    if (found != t->var.n)
        TRY(fail(E_FORMAT, "%s: %zu features, the first table has %zu (evaluate.features: intersection uses what tables share)", path,
                 found, t->var.n));
done:
    return st;
}

static status add_metadata(frame *to, const char *name, int *col)
{
    char *full = begins(name, "Metadata_") ? xstrdup(name) : xasprintf("Metadata_%s", name);
    status st = frame_add_col(to, full, FRAME_CATEGORY, col);
    free(full);
    return st;
}

/* The columns of an open CSV file, and the cells of its first row. */
static status csv_columns(csv *c, names *column, names *first, char ***field, bool *more)
{
    int n = csv_n_cols(c);
    status st = csv_next(c, field, more);
    for (int i = 0; i < n && st == OK; i++) {
        names_add(column, csv_text(csv_col_name(c, i)));
        names_add(first, *more ? (*field)[i] : "");
    }
    return st;
}

static status read_csv(profile_table *t, const char *path, const config *cfg)
{
    status st = OK;
    csv *c = NULL;
    char **field, shown[60];
    bool more;
    frame part = {0};
    names name = {0}, first = {0};
    int *what = NULL, *to = NULL, n;
    TRY(csv_open(&c, path));
    n = csv_n_cols(c);
    TRY(csv_columns(c, &name, &first, &field, &more));
    what = xcalloc((size_t)n + 1, sizeof *what);
    to = xcalloc((size_t)n + 1, sizeof *to);
    sort_columns(&name, &first, cfg, what);
    TRY(number_features(t, path, &name, cfg, what));
    for (int i = 0; i < n; i++)
        if (what[i] == COLUMN_METADATA) TRY(add_metadata(&part, name.item[i], &to[i]));
    for (size_t d = t->var.n; more;) {
        TRY(mem_grow(&t->x, &t->cap, (t->n + 1) * d, sizeof *t->x, "profiles"));
        TRY(frame_add_rows(&part, 1));
        for (int i = 0; i < n; i++) {
            if (what[i] == COLUMN_METADATA) TRY(frame_set_text(&part, part.n_rows - 1, to[i], csv_text(field[i])));
            if (what[i] >= 0 && !read_cell(field[i], &t->x[t->n * d + (size_t)what[i]]))
                TRY(fail(E_FORMAT, "%s:%lld: feature '%s': '%s' is not a number", path, (long long)csv_line(c), csv_col_name(c, i),
                         text_show(shown, sizeof shown, field[i])));
        }
        t->n++;
        TRY(csv_next(c, &field, &more));
    }
    TRY(frame_append(&t->obs, &part));
done:
    csv_close(&c);
    frame_free(&part);
    names_free(&name);
    names_free(&first);
    free(what);
    free(to);
    return st;
}

/* A text column among the features: its cells must be missing or numbers. */
static status read_feature_text(parquet_cursor *c, const char *path, const char *name, int64_t n, float *out, size_t stride)
{
    status st = OK;
    text cell = {0};
    char shown[60];
    double v;
    for (int64_t i = 0; i < n; i++) {
        text_clear(&cell);
        TRY(parquet_read_text(c, &cell));
        if (!read_cell(text_str(&cell), &v))
            TRY(fail(E_FORMAT, "%s:%lld: feature '%s': '%s' is not a number", path, (long long)i + 1, name,
                     text_show(shown, sizeof shown, text_str(&cell))));
        out[(size_t)i * stride] = (float)v;
    }
done:
    text_free(&cell);
    return st;
}

/* The features of a file, to t's rows from t->n on, in the order of the first table. Columns of one type are read together. */
static status read_features(profile_table *t, const parquet *p, const char *path, const int *what)
{
    status st = OK;
    size_t d = t->var.n;
    int64_t n = parquet_n_rows(p);
    parquet_cursor *c = NULL;
    double *to = t->x + t->n * d;
    float *x = NULL;
    int *col = xcalloc(d, sizeof *col);
    bool numbers = true;
    for (int i = 0; i < parquet_n_cols(p); i++)
        if (what[i] >= 0) {
            col[what[i]] = i;
            numbers = numbers && parquet_col_is_number(p, i);
        }
    TRY(mem_alloc(&x, (size_t)n, d * sizeof *x, "profiles"));
    if (numbers) TRY(parquet_read_rows_f32(p, col, (int)d, x, d));
    for (size_t j = 0; j < d && !numbers; j++) {
        TRY(parquet_cursor_open(&c, p, col[j]));
        TRY(parquet_col_is_number(p, col[j]) ? parquet_read_f32(c, n, x + j, d) : read_feature_text(c, path, t->var.item[j], n, x + j, d));
    }
    for (size_t k = 0; k < (size_t)n * d; k++) to[k] = isfinite(x[k]) ? x[k] : NAN;
done:
    parquet_cursor_close(&c);
    free(x);
    free(col);
    return st;
}

/* The columns, and the first cells of those that do not hold numbers. */
static status parquet_columns(const parquet *p, names *column, names *first)
{
    status st = OK;
    parquet_cursor *c = NULL;
    text cell = {0};
    for (int i = 0; i < parquet_n_cols(p); i++) {
        names_add(column, parquet_col_name(p, i));
        text_clear(&cell);
        if (!parquet_col_is_number(p, i) && parquet_n_rows(p) > 0) {
            TRY(parquet_cursor_open(&c, p, i));
            TRY(parquet_read_text(c, &cell));
            parquet_cursor_close(&c);
        }
        names_add(first, text_str(&cell));
    }
done:
    parquet_cursor_close(&c);
    text_free(&cell);
    return st;
}

static status read_parquet(profile_table *t, const char *path, const config *cfg)
{
    status st = OK;
    parquet *p = NULL;
    parquet_cursor *c = NULL;
    names name = {0}, first = {0};
    frame part = {0};
    text cell = {0};
    int *what = NULL, col;
    TRY(parquet_open(&p, path));
    int64_t n = parquet_n_rows(p);
    TRY(parquet_columns(p, &name, &first));
    what = xcalloc(name.n + 1, sizeof *what);
    sort_columns(&name, &first, cfg, what);
    TRY(number_features(t, path, &name, cfg, what));
    TRY(frame_add_rows(&part, n));
    for (int i = 0; i < parquet_n_cols(p); i++) {
        if (what[i] != COLUMN_METADATA) continue;
        TRY(add_metadata(&part, parquet_col_name(p, i), &col));
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
    names_free(&first);
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
        st = add_metadata(to, name, &col);
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

/* at[j]: the number in t->var of the file's feature j, -1: not used. */
static status match_features(profile_table *t, foreign_file *f, const char *path, bool shared, int64_t *at)
{
    status st = OK;
    intern_table known = {0};
    bool first = t->var.n == 0;
    size_t found = 0;
    uint32_t id;
    for (int64_t j = 0; first && j < foreign_d(f); j++) names_add(&t->var, foreign_name(f, j));
    for (size_t j = 0; j < t->var.n; j++) TRY(intern_add(&known, t->var.item[j], &id));
    for (int64_t j = 0; j < foreign_d(f); j++) {
        const char *name = foreign_name(f, j);
        at[j] = intern_find(&known, name);
        found += at[j] >= 0;
        if (at[j] < 0 && !shared) TRY(fail(E_FORMAT, "%s: feature '%s' is not in the first table", path, name));
    }
    if (found != t->var.n)
        TRY(fail(E_FORMAT, "%s: %zu of the first table's %zu features (evaluate.features: intersection uses what tables share)", path,
                 found, t->var.n));
done:
    intern_free(&known);
    return st;
}

static status read_h5ad(profile_table *t, foreign_reader *r, const char *path, const config *cfg)
{
    status st = OK;
    foreign_file *f = NULL;
    frame part = {0};
    int64_t *row = NULL, *at = NULL;
    float *x = NULL;
    TRY(foreign_open(&f, r, path));
    int64_t n = foreign_n(f), d = foreign_d(f);
    TRY(mem_alloc(&at, (size_t)d, sizeof *at, "features"));
    TRY(match_features(t, f, path, cfg->evaluate.features == FEATURES_INTERSECTION, at));
    TRY(mem_grow(&t->x, &t->cap, (t->n + (size_t)n) * t->var.n, sizeof *t->x, "profiles"));
    TRY(mem_alloc(&row, (size_t)n, sizeof *row, "rows"));
    TRY(mem_alloc(&x, (size_t)n, (size_t)d * sizeof *x, "profiles"));
    for (int64_t i = 0; i < n; i++) row[i] = i;
    TRY(foreign_rows(f, row, n, x));
    for (int64_t i = 0; i < n; i++, t->n++)
        for (int64_t j = 0; j < d; j++)
            if (at[j] >= 0) t->x[t->n * t->var.n + (size_t)at[j]] = isfinite(x[i * d + j]) ? x[i * d + j] : NAN;
    TRY(copy_obs(&part, foreign_obs(f)));
    TRY(frame_append(&t->obs, &part));
done:
    foreign_close(&f);
    frame_free(&part);
    free(row);
    free(at);
    free(x);
    return st;
}

/* ---- files ---- */

typedef enum { FILE_CSV, FILE_PARQUET, FILE_H5AD } file_kind;

static status kind_of(const char *path, file_kind *kind)
{
    const char *end = strrchr(path_base(path), '.');
    bool columns = false;
    *kind = FILE_H5AD;
    if (end && (strcmp(end, ".h5ad") == 0 || strcmp(end, ".h5") == 0)) return OK;
    status st = parquet_is_file(path, &columns);
    *kind = columns ? FILE_PARQUET : FILE_CSV;
    return st;
}

/* The features of one file. */
static status list_features(foreign_reader *r, const char *path, const config *cfg, names *out)
{
    status st = OK;
    csv *c = NULL;
    parquet *p = NULL;
    foreign_file *f = NULL;
    names column = {0}, first = {0};
    char **field;
    int *what = NULL;
    bool more;
    file_kind kind;
    TRY(kind_of(path, &kind));
    if (kind == FILE_H5AD) {
        TRY(foreign_open(&f, r, path));
        for (int64_t j = 0; j < foreign_d(f); j++) names_add(out, foreign_name(f, j));
        goto done;
    }
    if (kind == FILE_PARQUET) {
        TRY(parquet_open(&p, path));
        TRY(parquet_columns(p, &column, &first));
    } else {
        TRY(csv_open(&c, path));
        TRY(csv_columns(c, &column, &first, &field, &more));
    }
    what = xcalloc(column.n + 1, sizeof *what);
    sort_columns(&column, &first, cfg, what);
    for (size_t i = 0; i < column.n; i++)
        if (what[i] == COLUMN_FEATURE) names_add(out, column.item[i]);
done:
    csv_close(&c);
    parquet_close(&p);
    foreign_close(&f);
    names_free(&column);
    names_free(&first);
    free(what);
    return st;
}

/* Features that every file has, in the order of the first. */
static status share_features(foreign_reader *r, const names *file, const config *cfg, names *out)
{
    status st = OK;
    intern_table known = {0};
    size_t *in = NULL;
    names first = {0}, own = {0};
    uint32_t id;
    TRY(list_features(r, file->item[0], cfg, &first));
    TRY(mem_alloc(&in, first.n, sizeof *in, "features"));
    for (size_t j = 0; j < first.n; j++) TRY(intern_add(&known, first.item[j], &id));
    for (size_t i = 0; i < file->n; i++) {
        TRY(list_features(r, file->item[i], cfg, &own));
        for (size_t j = 0; j < own.n; j++) {
            int64_t at = intern_find(&known, own.item[j]);
            if (at >= 0) in[at]++;
        }
        names_free(&own);
        own = (names){0};
    }
    for (size_t j = 0; j < first.n; j++)
        if (in[j] == file->n) names_add(out, first.item[j]);
    if (out->n == 0) TRY(fail(E_FORMAT, "evaluate.features: intersection: the %zu tables share no feature", file->n));
done:
    intern_free(&known);
    names_free(&first);
    names_free(&own);
    free(in);
    return st;
}

status profile_tables_read(profile_table *t, foreign_reader *r, const names *file, const config *cfg)
{
    status st = OK;
    if (cfg->evaluate.features == FEATURES_INTERSECTION) TRY(share_features(r, file, cfg, &t->var));
    for (size_t i = 0; i < file->n; i++) {
        size_t before = t->n;
        const char *path = file->item[i];
        file_kind kind;
        TRY(kind_of(path, &kind));
        TRY(kind == FILE_H5AD ? read_h5ad(t, r, path, cfg) : kind == FILE_PARQUET ? read_parquet(t, path, cfg) : read_csv(t, path, cfg));
        TRY(mem_grow(&t->file, &t->file_cap, t->n + 1, sizeof *t->file, "rows"));
        for (size_t k = before; k < t->n; k++) t->file[k] = (int32_t)i;
    }
    if (t->n == 0) TRY(fail(E_FAILED, "evaluate.profiles: the tables have no rows"));
done:
    return st;
}
