/* vector_file.c -- vectors from a file, one row per perturbation: CSV or TSV (plain or gzip) with a column of identifiers, or h5ad. A first
 * pass finds the rows; each slab that is written then reads its own rows again, so memory is bounded. */
#include "featurize.h"

#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/table/intern.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct {
    uint32_t id; /* in ids */
    int64_t line;
    char *identity; /* NULL: rejected */
    char *reason;
    const char *code;
} vector_row;

struct vector_file {
    char *path;
    foreign_file *h5; /* NULL: a CSV */
    names columns;
    int *col; /* CSV: the columns of the features */
    int id_col;
    int64_t d;
    uint64_t digest; /* of the CSV */
    intern_table ids;
    vector_row *row;
    int64_t n_rows;
    size_t cap;
    merged m;
    int64_t *place; /* [n_rows] the row of X, or -1 */
    float *x;       /* what is being looked at: a row of a CSV, a batch of rows of an h5ad */
    int64_t n_zero;
};

static status add_row(vector_file *v, const char *id, const float *x, int64_t line, const char *code, const char *reason)
{
    char mark[DIGEST_TEXT];
    status st = mem_grow(&v->row, &v->cap, (size_t)v->n_rows + 1, sizeof *v->row, "rows of vectors");
    if (st != OK) return st;
    vector_row *r = &v->row[v->n_rows];
    *r = (vector_row){.line = line};
    if ((st = intern_add(&v->ids, id, &r->id)) != OK) return st;
    v->n_rows++;
    if (!id[0] && !code) code = "no_identifier", reason = "the row has no identifier";
    if (code) {
        r->code = code;
        r->reason = xstrdup(reason);
        return OK;
    }
    /* Rows with the same identifier are one compound, and must have the same values. */
    r->identity = xasprintf("%s\x01%s", id, digest_show(digest_bytes(x, (size_t)v->d * sizeof *x), mark));
    bool zero = true;
    for (int64_t i = 0; i < v->d && zero; i++) zero = x[i] == 0.0f;
    v->n_zero += zero;
    return OK;
}

/* ---- CSV ---- */
static status choose_columns(vector_file *v, const csv *c)
{
    int n = csv_n_cols(c);
    const char **name = xcalloc((size_t)n, sizeof *name);
    for (int i = 0; i < n; i++) name[i] = csv_col_name(c, i);
    v->id_col = identifier_column(name, n);
    v->col = xcalloc((size_t)n, sizeof *v->col);
    for (int i = 0; i < n; i++) {
        if (i == v->id_col || !*name[i] || strncmp(name[i], "Metadata_", 9) == 0)
            continue; /* pandas writes an unnamed column of row numbers */
        v->col[v->d++] = i;
        names_add(&v->columns, name[i]);
    }
    free(name);
    if (v->id_col < 0) return fail(E_FORMAT, "%s:1: no column with identifiers (%s)", v->path, identifier_columns);
    if (v->d == 0) return fail(E_FORMAT, "%s:1: no column of values, only identifiers and Metadata_ columns", v->path);
    return mem_alloc(&v->x, (size_t)v->d, sizeof *v->x, "a vector");
}

/* Returns the first feature that is not a finite float, or -1. */
static int64_t parse_row(vector_file *v, char **field, float *out)
{
    for (int64_t i = 0; i < v->d; i++) {
        double value;
        if (!num_f64(field[v->col[i]], &value)) return i;
        out[i] = (float)value;
        if (!isfinite(out[i])) return i;
    }
    return -1;
}

static status scan_csv(vector_file *v)
{
    status st = OK;
    csv *c = NULL;
    char **field, why[200], shown[60];
    bool more;
    TRY(csv_open(&c, v->path));
    TRY(choose_columns(v, c));
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        int64_t bad = parse_row(v, field, v->x);
        if (bad >= 0)
            snprintf(why, sizeof why, "column %.60s: '%s' is not a finite number", v->columns.item[bad],
                     text_show(shown, sizeof shown, field[v->col[bad]]));
        TRY(add_row(v, csv_text(field[v->id_col]), v->x, csv_line(c), bad >= 0 ? "not_a_number" : NULL, why));
    }
    v->digest = csv_digest(c);
done:
    csv_close(&c);
    return st;
}

static status fill_csv(vector_file *v, int64_t first, int64_t n, float *out)
{
    status st = OK;
    csv *c = NULL;
    char **field;
    bool more = true;
    int64_t found = 0, r = 0;
    TRY(csv_open(&c, v->path));
    for (;; r++) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        if (r >= v->n_rows || v->place[r] < first || v->place[r] >= first + n || csv_n_cols(c) <= v->col[v->d - 1]) continue;
        found += parse_row(v, field, out + (v->place[r] - first) * v->d) < 0;
    }
    if (found != n || csv_digest(c) != v->digest) st = fail(E_IO, "%s: the file was changed while it was read", v->path);
done:
    csv_close(&c);
    return st;
}

/* ---- h5ad ---- */
static status ids_of_h5(const vector_file *v, const frame *obs, int *col)
{
    const char **name = xcalloc((size_t)obs->n_cols, sizeof *name);
    for (int i = 0; i < obs->n_cols; i++) name[i] = obs->col[i].name;
    *col = identifier_column(name, obs->n_cols);
    free(name);
    if (*col < 0) *col = frame_col(obs, "_index");
    if (*col < 0 || (obs->col[*col].type != FRAME_TEXT && obs->col[*col].type != FRAME_CATEGORY))
        return fail(E_FORMAT, "%s: obs has no text column of identifiers (%s), and its index holds no text", v->path, identifier_columns);
    return OK;
}

/* Rows that are read at once. */
static int64_t batch_rows(const vector_file *v)
{
    enum { BATCH_BYTES = 4 << 20 };
    int64_t n = BATCH_BYTES / (v->d * (int64_t)sizeof *v->x);
    return n < 1 ? 1 : n;
}

static status scan_rows(vector_file *v, const frame *obs, int col)
{
    status st = OK;
    char why[200];
    int64_t most = batch_rows(v), *row = NULL;
    TRY(mem_alloc(&row, (size_t)most, sizeof *row, "a batch of rows"));
    TRY(mem_alloc(&v->x, (size_t)(most * v->d), sizeof *v->x, "a batch of vectors"));
    float *batch = v->x;
    for (int64_t first = 0; first < foreign_n(v->h5); first += most) {
        int64_t n = foreign_n(v->h5) - first < most ? foreign_n(v->h5) - first : most;
        for (int64_t i = 0; i < n; i++) row[i] = first + i;
        TRY(foreign_rows(v->h5, row, n, batch));
        for (int64_t i = 0; i < n; i++) {
            int64_t bad = 0;
            const float *x = batch + i * v->d;
            while (bad < v->d && isfinite(x[bad])) bad++;
            if (bad < v->d) snprintf(why, sizeof why, "column %.60s is not a finite number", v->columns.item[bad]);
            TRY(add_row(v, frame_text(obs, first + i, col), x, first + i, bad < v->d ? "not_a_number" : NULL, why));
        }
    }
done:
    free(row);
    return st;
}

static status scan_h5(vector_file *v, foreign_reader *r)
{
    status st = OK;
    int col;
    TRY(foreign_open(&v->h5, r, v->path));
    v->d = foreign_d(v->h5);
    for (int64_t i = 0; i < v->d; i++) names_add(&v->columns, foreign_name(v->h5, i));
    TRY(ids_of_h5(v, foreign_obs(v->h5), &col));
    TRY(scan_rows(v, foreign_obs(v->h5), col));
done:
    return st;
}

/* ---- both ---- */
static status fill(void *ctx, int64_t first, int64_t n, void *out)
{
    vector_file *v = ctx;
    if (n == 0) return OK;
    return v->h5 ? foreign_rows(v->h5, v->m.row + first, n, out) : fill_csv(v, first, n, out);
}

static status order_rows(vector_file *v)
{
    status st = OK;
    merge_row *rows = NULL;
    TRY(mem_alloc(&rows, (size_t)v->n_rows, sizeof *rows, "rows of vectors"));
    TRY(mem_alloc(&v->place, (size_t)v->n_rows, sizeof *v->place, "places of vectors"));
    for (int64_t i = 0; i < v->n_rows; i++) rows[i] = (merge_row){intern_at(&v->ids, v->row[i].id), v->row[i].identity};
    TRY(compound_merge(&v->m, rows, v->n_rows));
    for (int64_t i = 0; i < v->n_rows; i++) v->place[i] = -1;
    for (int64_t k = 0; k < v->m.n_compounds; k++) v->place[v->m.row[k]] = k;
    if (v->m.n_compounds == 0) {
        if (v->n_rows)
            st = fail(E_FAILED, "%s:%lld: %s; no row is usable", v->path, (long long)v->row[0].line, v->row[0].reason);
        else
            st = fail(E_FORMAT, "%s: the file has no rows", v->path);
    }
done:
    free(rows);
    return st;
}

/* Told by the first bytes, not by the name. */
static bool is_h5(const char *path)
{
    static const char magic[8] = {'\x89', 'H', 'D', 'F', '\r', '\n', '\x1a', '\n'};
    char head[8] = {0};
    int fd;
    if (path_open_regular(path, &fd) != OK) { /* reported when it is read */
        msg_clear();
        return false;
    }
    bool yes = read(fd, head, sizeof head) == (ssize_t)sizeof head && memcmp(head, magic, sizeof head) == 0;
    close(fd);
    return yes;
}

status vector_file_open(vector_file **out, foreign_reader *r, input *in)
{
    status st = OK;
    vector_file *v = xcalloc(1, sizeof *v);
    v->path = xstrdup(in->path);
    v->id_col = -1;
    TRY(fault("read vectors"));
    if (is_h5(v->path)) {
        TRY(scan_h5(v, r));
        TRY(digest_file(v->path, &in->digest)); /* of the bytes, also for a store of our own: the plan compares this one */
    } else {
        TRY(scan_csv(v));
        in->digest = v->digest;
    }
    TRY(order_rows(v));
done:
    if (st != OK) vector_file_close(&v);
    *out = v;
    return st;
}

static status make_tables(vector_file *v, features *f)
{
    status st = OK;
    int id, state;
    char why[200];
    const char *base = path_base(v->path);
    for (size_t i = 0; i < v->columns.n; i++) names_add(&f->columns, v->columns.item[i]);
    TRY(frame_add_col(&f->obs, "Metadata_Compound", FRAME_TEXT, &id));
    TRY(frame_add_col(&f->obs, "Status", FRAME_CATEGORY, &state));
    TRY(frame_add_rows(&f->obs, v->m.n_compounds));
    for (int64_t k = 0; k < v->m.n_compounds; k++) {
        const char *name = intern_at(&v->ids, v->row[v->m.row[k]].id);
        TRY(frame_set_text(&f->obs, k, id, name));
        TRY(frame_set_text(&f->obs, k, state, "ok"));
        TRY(output_add_identifier(&f->identifiers, name, name, k));
    }
    TRY(output_add_reject(&f->rejects, NULL, 0, "", "", "", ""));
    for (int64_t i = 0; i < v->n_rows; i++) {
        const vector_row *r = &v->row[i];
        if (v->m.compound[i] >= 0) continue;
        snprintf(why, sizeof why, "the identifier has other values in line %lld", (long long)v->row[v->m.first[i]].line);
        bool conflict = v->m.compound[i] == MERGE_CONFLICT;
        TRY(output_add_reject(&f->rejects, base, r->line, intern_at(&v->ids, r->id), "", conflict ? "conflict" : r->code,
                              conflict ? why : r->reason));
    }
    features_set_count(f, "rows", v->n_rows);
    features_set_count(f, "read", v->m.n_ids + v->m.n_repeats + v->m.n_conflicts);
    features_set_count(f, "rejected", f->rejects.n_rows);
    features_set_count(f, "conflicts", v->m.n_conflicts);
    features_set_count(f, "repeats", v->m.n_repeats);
    features_set_count(f, "identifiers", v->m.n_ids);
    features_set_count(f, "compounds", v->m.n_compounds);
    features_set_count(f, "all_zero", v->n_zero);
done:
    return st;
}

status vector_file_features(vector_file *v, features *f, bool tables)
{
    *f = (features){.n = v->m.n_compounds, .d = v->d, .type = STORE_F32, .fill = fill, .ctx = v};
    return tables ? make_tables(v, f) : OK;
}

void vector_file_close(vector_file **pv)
{
    vector_file *v = *pv;
    if (!v) return;
    for (int64_t i = 0; i < v->n_rows; i++) {
        free(v->row[i].identity);
        free(v->row[i].reason);
    }
    foreign_close(&v->h5);
    names_free(&v->columns);
    intern_free(&v->ids);
    merged_free(&v->m);
    free(v->path);
    free(v->col);
    free(v->row);
    free(v->place);
    free(v->x);
    FREE(*pv);
}
