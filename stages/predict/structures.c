/* structures.c -- the structures to predict: a list of SMILES, a line each with a name behind it, or a table with a column of SMILES. They
 * are standardized as those of the compound table; what cannot be read, and a compound that was there before, is left out and named. */
#include "predict.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/stage/doses.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_FILE ((size_t)1 << 30)

typedef struct {
    int64_t line;
    const char *smiles, *name, *dose; /* borrowed */
} asked;

typedef struct {
    char *bytes; /* of a list, cut at the ends of lines and behind the SMILES */
    table *t;
    asked *row;
    int64_t n;
    size_t cap;
    int bits;
    const config *cfg;
    bool with_dose;
    structures *out;
    intern_table known; /* identities */
    int64_t *first;     /* lines of these */
    size_t first_cap;
    int64_t n_unreadable, n_repeats;
    const char *path;
} reading;

void structures_free(structures *s)
{
    frame_free(&s->rows);
    frame_free(&s->rejects);
    free(s->fingerprint);
    free(s->dose);
    *s = (structures){0};
}

static status add_asked(reading *r, int64_t line, const char *smiles, const char *name, const char *dose)
{
    status st = mem_grow(&r->row, &r->cap, (size_t)r->n + 1, sizeof *r->row, "structures");
    if (st == OK) r->row[r->n++] = (asked){line, smiles, name, dose};
    return st;
}

/* "SMILES NAME" a line; empty lines, and those that begin with #, hold none. */
static status read_list(reading *r)
{
    status st = OK;
    int64_t line = 0;
    for (char *p = r->bytes; p && *p;) {
        char *end = strchr(p, '\n'), *next = end ? end + 1 : NULL;
        if (end) *end = '\0';
        line++;
        p[strcspn(p, "\r")] = '\0';
        p += strspn(p, " \t");
        if (*p && *p != '#') {
            char *gap = p + strcspn(p, " \t"), *name = gap + strspn(gap, " \t");
            *gap = '\0';
            TRY(add_asked(r, line, p, name, ""));
        }
        p = next;
    }
done:
    return st;
}

/* Does the first line name a column of SMILES? gzip and Parquet are tables in any case. */
static bool is_table(const char *bytes, size_t size)
{
    if ((size >= 2 && (uint8_t)bytes[0] == 0x1f && (uint8_t)bytes[1] == 0x8b) || (size >= 4 && memcmp(bytes, "PAR1", 4) == 0)) return true;
    char *head = xstrndup(bytes, strcspn(bytes, "\r\n"));
    bool found = false;
    names cell = {0};
    names_split(&cell, head, strchr(head, ',') ? ',' : '\t');
    for (size_t i = 0; i < cell.n && !found; i++)
        for (const char *const *c = index_smiles_columns; *c && !found; c++) {
            char *s = cell.item[i];
            size_t n = strlen(s);
            bool quoted = n >= 2 && s[0] == '"' && s[n - 1] == '"';
            found = strlen(*c) == n - 2 * (size_t)quoted && strncmp(s + quoted, *c, strlen(*c)) == 0;
        }
    names_free(&cell);
    free(head);
    return found;
}

static status read_table(reading *r)
{
    status st = OK;
    int smiles = -1, dose = -1;
    TRY(table_read(&r->t, r->path));
    for (const char *const *c = index_smiles_columns; *c && smiles < 0; c++) smiles = table_col(r->t, *c);
    if (smiles < 0) TRY(fail(E_FORMAT, "%s: no column of SMILES (Metadata_SMILES, SMILES)", r->path));
    if (r->with_dose) TRY(doses_column(r->cfg, r->t, r->path, &dose));
    int name = table_col_any(r->t, "Name", "name", "Metadata_JCP2022", "JCP2022", "Metadata_Compound", "Compound", "Metadata_broad_sample",
                             "broad_sample", "CompoundID", NULL);
    for (int64_t i = 0; i < table_n_rows(r->t); i++)
        TRY(add_asked(r, table_line(r->t, i), csv_text(table_cell(r->t, i, smiles)), name < 0 ? "" : table_cell(r->t, i, name),
                      dose < 0 ? "" : table_cell(r->t, i, dose)));
done:
    return st;
}

/* ---- standardization ---- */

static status add_text_columns(frame *f, const char *const *name, int n)
{
    status st = OK;
    int col;
    for (int i = 0; i < n; i++) TRY(frame_add_col(f, name[i], i == 0 ? FRAME_I64 : FRAME_TEXT, &col));
done:
    return st;
}

static status add_row(frame *f, int64_t line, const char *const *cell, int n)
{
    status st = OK;
    TRY(frame_add_rows(f, 1));
    f->col[0].v.i64[f->n_rows - 1] = line;
    for (int i = 0; i < n; i++) TRY(frame_set_text(f, f->n_rows - 1, i + 1, cell[i]));
done:
    return st;
}

static status reject(reading *r, int64_t line, const char *smiles, const char *reason)
{
    return add_row(&r->out->rejects, line, (const char *const[]){smiles, reason}, 2);
}

/* Is the compound there already (at this dose), from an earlier line? */
static status is_repeat(reading *r, const asked *a, const char *identity, bool *repeat)
{
    status st = OK;
    uint32_t id;
    size_t before = r->known.n;
    char reason[80], *at_dose = r->with_dose ? xasprintf("%s at %.17g", identity, dose_log10(a->dose)) : NULL;
    TRY(intern_add(&r->known, at_dose ? at_dose : identity, &id));
    *repeat = r->known.n == before;
    if (*repeat) {
        if (r->n_repeats++ < SHOWN)
            log_warn("%s:%lld: the compound of line %lld again: left out", r->path, (long long)a->line, (long long)r->first[id]);
        snprintf(reason, sizeof reason, "the compound of line %lld again", (long long)r->first[id]);
        TRY(reject(r, a->line, a->smiles, reason));
        goto done;
    }
    TRY(mem_grow(&r->first, &r->first_cap, r->known.n, sizeof *r->first, "structures"));
    r->first[id] = a->line;
done:
    free(at_dose);
    return st;
}

static status keep(reading *r, const asked *a, const compound *c)
{
    status st = OK;
    bool repeat = false;
    size_t bytes = (size_t)r->bits / 8;
    if (!compound_is_kept(c->state)) {
        if (r->n_unreadable++ < SHOWN) log_warn("%s:%lld: rejected: %s", r->path, (long long)a->line, c->reason);
        return reject(r, a->line, a->smiles, c->reason);
    }
    if (r->with_dose && isnan(dose_log10(a->dose))) {
        if (r->n_unreadable++ < SHOWN) log_warn("%s:%lld: rejected: its dose is not a number above 0", r->path, (long long)a->line);
        return reject(r, a->line, a->smiles, "its dose is not a number above 0");
    }
    TRY(is_repeat(r, a, c->key[0] ? c->key : c->smiles, &repeat));
    if (repeat) goto done;
    TRY(add_row(&r->out->rows, a->line, (const char *const[]){a->name, a->smiles, c->smiles, c->key, a->dose}, r->with_dose ? 5 : 4));
    if (r->with_dose) {
        TRY(mem_grow(&r->out->dose, &r->out->dose_cap, (size_t)r->out->rows.n_rows, sizeof *r->out->dose, "doses"));
        r->out->dose[r->out->rows.n_rows - 1] = dose_log10(a->dose);
    }
    TRY(mem_grow(&r->out->fingerprint, &r->out->cap, (size_t)r->out->rows.n_rows * bytes, 1, "fingerprints"));
    memcpy(r->out->fingerprint + (size_t)(r->out->rows.n_rows - 1) * bytes, c->fingerprint, bytes);
done:
    return st;
}

/* Answers come in any order, the file's order decides: they wait here, as what is kept of them. */
typedef struct {
    reading *r;
    compound **of;
} answers;

static const char *smiles_of(void *ctx, int64_t i)
{
    return ((const answers *)ctx)->r->row[i].smiles;
}

static void take(void *ctx, int64_t i, const compound *c)
{
    answers *a = ctx;
    size_t size = compound_size(c);
    a->of[i] = xmalloc(size);
    memcpy(a->of[i], c, size);
}

static status standardize(reading *r, worker *w, const featurize_options *o)
{
    status st = OK;
    answers a = {.r = r};
    TRY(mem_alloc(&a.of, (size_t)r->n, sizeof *a.of, "structures"));
    TRY(compound_init((compound_kind)o->fingerprint));
    TRY(compound_worker_run(w, &(compound_job){.n = r->n,
                                               .smiles = smiles_of,
                                               .take = take,
                                               .ctx = &a,
                                               .kind = (compound_kind)o->fingerprint,
                                               .bits = r->bits,
                                               .limit_s = o->time_limit}));
    for (int64_t i = 0; i < r->n; i++) TRY(keep(r, &r->row[i], a.of[i]));
done:
    for (int64_t i = 0; a.of && i < r->n; i++) free(a.of[i]);
    free(a.of);
    return st;
}

status structures_read(structures *out, worker *w, const config *c, bool with_dose, const char *path)
{
    static const char *const rows[] = {"Line", "Name", "SMILES", "Canonical_SMILES", "InChIKey", "Dose"}, *const rejects[] = {
                                                                                                              "Line", "SMILES", "Reason"};
    status st = OK;
    size_t size = 0;
    reading r = {.path = path, .cfg = c, .with_dose = with_dose, .out = out, .bits = (int)c->featurize.bits};
    TRY(add_text_columns(&out->rows, rows, with_dose ? 6 : 5));
    TRY(add_text_columns(&out->rejects, rejects, 3));
    TRY(path_read(path, &r.bytes, &size, MAX_FILE));
    out->digest = digest_bytes(r.bytes, size);
    if (size >= 3 && memcmp(r.bytes, "\xEF\xBB\xBF", 3) == 0) memmove(r.bytes, r.bytes + 3, (size -= 3) + 1); /* a byte order mark */
    if (is_table(r.bytes, size))
        TRY(read_table(&r));
    else if (with_dose)
        TRY(fail(E_FORMAT, "%s: the model takes a dose beside a compound: give a table with columns SMILES and %s", path,
                 c->screen.treatment.item[0]));
    else if (strlen(r.bytes) < size)
        TRY(fail(E_FORMAT, "%s: holds zero bytes, so it is no list of structures: save it as text in UTF-8", path));
    else
        TRY(read_list(&r));
    if (r.n == 0) TRY(fail(E_FORMAT, "%s: no structure in it: write a SMILES a line, or a table with a column SMILES", path));
    TRY(standardize(&r, w, &c->featurize));
    if (r.n_unreadable > SHOWN) log_warn("... and %lld more rejected lines (uns/rejects)", (long long)r.n_unreadable - SHOWN);
    if (r.n_repeats > SHOWN) log_warn("... and %lld more repeats (uns/rejects)", (long long)r.n_repeats - SHOWN);
    if (out->rows.n_rows == 0)
        TRY(fail(E_FAILED, "%s:%lld: %s; no line of the file is usable", path, (long long)out->rejects.col[0].v.i64[0],
                 frame_text(&out->rejects, 0, 2)));
done:
    free(r.bytes);
    table_free(&r.t);
    free(r.row);
    free(r.first);
    intern_free(&r.known);
    return st;
}
