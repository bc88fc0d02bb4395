/* output_tables.c -- the tables of compounds.h5: compounds, identifiers, rejected rows, changed rows, differing InChIKeys. */
#include "featurize.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- rows of frames ---- */
typedef struct {
    const char *name;
    frame_type type;
} column;

static status add_columns(frame *f, const column *c, int n)
{
    status st = OK;
    for (int i = 0; i < n && st == OK; i++) st = frame_add_col(f, c[i].name, c[i].type, &(int){0});
    return st;
}

/* One cell of a row, in the order of the columns: text, or a whole number. */
typedef struct {
    const char *text;
    int64_t number;
} cell;

static status add_row(frame *f, const cell *c, int n)
{
    int64_t row = f->n_rows;
    status st = frame_add_rows(f, 1);
    for (int i = 0; i < n && st == OK; i++) {
        if (f->col[i].type == FRAME_I64)
            f->col[i].v.i64[row] = c[i].number;
        else
            st = frame_set_text(f, row, i, c[i].text);
    }
    return st;
}
#define COUNT(a) ((int)(sizeof(a) / sizeof *(a)))

status output_add_reject(frame *f, const char *file, int64_t line, const char *id, const char *smiles, const char *code, const char *reason)
{
    static const column cols[] = {{"Table", FRAME_CATEGORY},       {"Line", FRAME_I64},      {"Metadata_Compound", FRAME_TEXT},
                                  {"Metadata_SMILES", FRAME_TEXT}, {"Code", FRAME_CATEGORY}, {"Reason", FRAME_TEXT}};
    char shown_id[200], shown_smiles[200];
    status st = f->n_cols ? OK : add_columns(f, cols, COUNT(cols));
    if (!file) return st; /* an empty table has its columns too */
    cell row[] = {{.text = file},
                  {.number = line},
                  {.text = text_show(shown_id, sizeof shown_id, id)},
                  {.text = text_show(shown_smiles, sizeof shown_smiles, smiles)},
                  {.text = code},
                  {.text = reason}};
    return st == OK ? add_row(f, row, COUNT(row)) : st;
}

status output_add_missing(frame *f, const char *id, const char *why)
{
    static const column cols[] = {{"Metadata_Compound", FRAME_TEXT}, {"Why", FRAME_TEXT}};
    status st = f->n_cols ? OK : add_columns(f, cols, COUNT(cols));
    cell row[] = {{.text = id}, {.text = why}};
    return st == OK && id ? add_row(f, row, COUNT(row)) : st;
}

status output_add_identifier(frame *f, const char *id, const char *key, int64_t at)
{
    static const column cols[] = {{"Metadata_Compound", FRAME_TEXT}, {"Key", FRAME_TEXT}, {"Row", FRAME_I64}};
    status st = f->n_cols ? OK : add_columns(f, cols, COUNT(cols));
    cell row[] = {{.text = id}, {.text = key}, {.number = at}};
    return st == OK ? add_row(f, row, COUNT(row)) : st;
}

void features_set_count(features *f, const char *name, int64_t value)
{
    if (f->count_name.n >= sizeof f->count / sizeof *f->count) return;
    f->count[f->count_name.n] = value;
    names_add(&f->count_name, name);
}

int64_t features_count(const features *f, const char *name)
{
    long at = names_find(&f->count_name, name);
    return at < 0 ? 0 : f->count[at];
}

void features_free(features *f)
{
    names_free(&f->columns);
    names_free(&f->text_name);
    names_free(&f->text_value);
    names_free(&f->count_name);
    frame *const all[] = {&f->obs, &f->identifiers, &f->rejects, &f->changed, &f->differences, &f->missing};
    for (int i = 0; i < COUNT(all); i++) frame_free(all[i]);
    *f = (features){0};
}

/* ---- the tables ---- */
typedef struct {
    features *f;
    const compound_tables *t;
    const results *r;
    const merged *m;
} source;

static const char *base_of(const source *s, int64_t i)
{
    return path_base(compound_row_path(s->t, &s->t->row[i]));
}

static status list_rejects(const source *s)
{
    status st = output_add_reject(&s->f->rejects, NULL, 0, "", "", "", "");
    char why[400];
    for (int64_t i = 0; i < s->t->n_rows && st == OK; i++) {
        const compound_row *row = &s->t->row[i];
        const result *r = &s->r->of[i];
        const char *code = compound_state_name(r->state), *reason = r->reason;
        if (s->m->compound[i] >= 0) continue;
        if (!row->id[0]) {
            code = "no_identifier";
            reason = "the row has no identifier";
        } else if (s->m->compound[i] == MERGE_CONFLICT) {
            const compound_row *first = &s->t->row[s->m->first[i]];
            snprintf(why, sizeof why, "the identifier has another structure in %s:%lld", path_base(compound_row_path(s->t, first)),
                     (long long)first->line);
            code = "conflict";
            reason = why;
        } else if (r->state == COMPOUND_EMPTY) {
            reason = "there is no SMILES (a genetic perturbation? vectors for those come from featurize.vectors)";
        }
        st = output_add_reject(&s->f->rejects, base_of(s, i), row->line, row->id, row->smiles, code, reason);
    }
    return st;
}

static status list_changed(const source *s)
{
    static const column cols[] = {
        {"Metadata_Compound", FRAME_TEXT}, {"Table", FRAME_CATEGORY}, {"Line", FRAME_I64},    {"Changes", FRAME_CATEGORY},
        {"Metadata_SMILES", FRAME_TEXT},   {"SMILES", FRAME_TEXT},    {"Warning", FRAME_TEXT}};
    status st = add_columns(&s->f->changed, cols, COUNT(cols));
    char changes[64];
    for (int64_t i = 0; i < s->t->n_rows && st == OK; i++) {
        const compound_row *row = &s->t->row[i];
        const result *r = &s->r->of[i];
        if (s->m->compound[i] < 0 || r->changes == 0) continue;
        cell c[] = {{.text = row->id},     {.text = base_of(s, i)},
                    {.number = row->line}, {.text = compound_show_changes(r->changes, changes, sizeof changes)},
                    {.text = row->smiles}, {.text = r->smiles},
                    {.text = r->reason}};
        st = add_row(&s->f->changed, c, COUNT(c));
    }
    return st;
}

/* Which part of two InChIKeys differs: the skeleton (14 letters), stereochemistry and isotopes (8, with 2 of the version) or protonation
 * (1). NULL: they are equal. */
static const char *key_difference(const char *given, const char *computed)
{
    if (strcmp(given, computed) == 0) return NULL;
    if (strlen(given) != COMPOUND_KEY - 1 || given[14] != '-' || given[25] != '-') return "no InChIKey given";
    if (!computed[0]) return "none computed";
    if (strncmp(given, computed, 14) != 0) return "skeleton";
    return strncmp(given, computed, 25) != 0 ? "stereo or isotopes" : "protonation";
}

static status list_differences(const source *s)
{
    static const column cols[] = {{"Metadata_Compound", FRAME_TEXT}, {"Table", FRAME_CATEGORY}, {"Line", FRAME_I64},
                                  {"Metadata_InChIKey", FRAME_TEXT}, {"InChIKey", FRAME_TEXT},  {"What", FRAME_CATEGORY},
                                  {"Changes", FRAME_CATEGORY}};
    status st = add_columns(&s->f->differences, cols, COUNT(cols));
    int64_t compared = 0;
    char changes[64], given[200];
    for (int64_t i = 0; i < s->t->n_rows && st == OK; i++) {
        const compound_row *row = &s->t->row[i];
        const result *r = &s->r->of[i];
        if (s->m->compound[i] < 0 || !row->key[0]) continue;
        compared++;
        const char *what = key_difference(row->key, r->key);
        if (!what) continue;
        cell c[] = {{.text = row->id},
                    {.text = base_of(s, i)},
                    {.number = row->line},
                    {.text = text_show(given, sizeof given, row->key)},
                    {.text = r->key},
                    {.text = what},
                    {.text = compound_show_changes(r->changes, changes, sizeof changes)}};
        st = add_row(&s->f->differences, c, COUNT(c));
    }
    features_set_count(s->f, "keys_compared", compared);
    features_set_count(s->f, "keys_different", s->f->differences.n_rows);
    return st;
}

/* An identifier and its compound. */
typedef struct {
    const char *id;
    int64_t compound;
} named;

static int by_id(const void *a, const void *b)
{
    return strcmp(((const named *)a)->id, ((const named *)b)->id);
}

static status list_identifiers(const source *s, const named *n)
{
    status st = OK;
    for (int64_t k = 0; k < s->m->n_ids && st == OK; k++)
        st = output_add_identifier(&s->f->identifiers, n[k].id, s->t->row[s->m->row[n[k].compound]].id, n[k].compound);
    return st;
}

static status add_compounds(const source *s)
{
    static const column cols[] = {
        {"Metadata_Compound", FRAME_TEXT}, {"Metadata_SMILES", FRAME_TEXT}, {"SMILES", FRAME_TEXT}, {"InChIKey", FRAME_TEXT},
        {"Formula", FRAME_TEXT},           {"HeavyAtoms", FRAME_I64},       {"Charge", FRAME_I64},  {"Status", FRAME_CATEGORY},
        {"Changes", FRAME_CATEGORY},       {"Warning", FRAME_TEXT},         {"Weight", FRAME_F64}};
    frame *f = &s->f->obs;
    status st = add_columns(f, cols, COUNT(cols));
    char changes[64];
    for (int64_t k = 0; k < s->m->n_compounds && st == OK; k++) {
        const compound_row *row = &s->t->row[s->m->row[k]];
        const result *r = &s->r->of[s->m->row[k]];
        cell c[] = {{.text = row->id},
                    {.text = row->smiles},
                    {.text = r->smiles},
                    {.text = r->key},
                    {.text = r->formula},
                    {.number = r->n_heavy},
                    {.number = r->charge},
                    {.text = compound_state_name(r->state)},
                    {.text = compound_show_changes(r->changes, changes, sizeof changes)},
                    {.text = r->reason}};
        st = add_row(f, c, COUNT(c));
        if (st == OK) frame_set_real(f, k, COUNT(c), r->weight);
    }
    return st;
}

/* A column for people: the other identifiers of each compound, "JCP2022_000007|JCP2022_104321". Programs read the table `identifiers`. */
static status add_others(const source *s, const named *n)
{
    frame *f = &s->f->obs;
    int col;
    status st = frame_add_col(f, "Merged", FRAME_TEXT, &col);
    text t = {0};
    for (int64_t k = 0; k < s->m->n_ids && st == OK; k++) {
        int64_t at = n[k].compound;
        if (strcmp(n[k].id, frame_text(f, at, 0)) == 0) continue;
        text_clear(&t);
        text_add(&t, frame_text(f, at, col));
        text_addf(&t, "%s%s", t.n ? "|" : "", n[k].id);
        st = frame_set_text(f, at, col, text_str(&t));
    }
    text_free(&t);
    return st;
}

static void count_rows(const source *s)
{
    int64_t read = 0, no_key = 0;
    for (int64_t i = 0; i < s->t->n_rows; i++) {
        read += s->m->compound[i] != MERGE_REJECTED;
        no_key += s->m->compound[i] >= 0 && s->r->of[i].state == COMPOUND_NO_INCHIKEY;
    }
    features_set_count(s->f, "rows", s->t->n_rows);
    features_set_count(s->f, "read", read);
    features_set_count(s->f, "no_inchikey", no_key);
    features_set_count(s->f, "rejected", s->f->rejects.n_rows);
    features_set_count(s->f, "conflicts", s->m->n_conflicts);
    features_set_count(s->f, "repeats", s->m->n_repeats);
    features_set_count(s->f, "identifiers", s->m->n_ids);
    features_set_count(s->f, "compounds", s->m->n_compounds);
    features_set_count(s->f, "merged", s->m->n_ids - s->m->n_compounds);
    features_set_count(s->f, "changed", s->f->changed.n_rows);
}

status output_tables_make(features *f, const compound_tables *t, const results *r, const merged *m)
{
    status st = OK;
    named *n = NULL;
    int64_t n_ids = 0;
    source s = {f, t, r, m};
    TRY(mem_alloc(&n, (size_t)m->n_ids, sizeof *n, "identifiers"));
    for (int64_t i = 0; i < t->n_rows; i++)
        if (m->compound[i] >= 0 && m->first[i] == i) n[n_ids++] = (named){t->row[i].id, m->compound[i]};
    qsort(n, (size_t)n_ids, sizeof *n, by_id);
    TRY(add_compounds(&s));
    TRY(add_others(&s, n));
    TRY(list_identifiers(&s, n));
    TRY(list_rejects(&s));
    TRY(list_changed(&s));
    TRY(list_differences(&s));
    count_rows(&s);
done:
    free(n);
    return st;
}
