/* recognize_wells.c -- what the columns of outside tables mean: places, treatments, controls; and the screen's split. */
#include "recognize_wells.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"

#include <stdlib.h>
#include <string.h>

static status copy_column(frame *f, int from, int to)
{
    status st = OK;
    for (int64_t i = 0; i < f->n_rows && from != to; i++) TRY(frame_set_text(f, i, to, frame_text(f, i, from)));
done:
    return st;
}

/* A column that the analysis needs: the one that the configuration names, or one of the usual names. */
typedef struct {
    const char *name, *given, *key;
    const char *otherwise; /* for all rows, where there is no such column; NULL: an error */
    const char *usual[5];
} needed_column;

static status fill_column(frame *f, const needed_column *c, names *notes)
{
    status st = OK;
    int col = frame_col(f, c->name), from = -1;
    if (*c->given)
        TRY(wells_find_column(f, c->given, c->key, &from));
    else if (col >= 0)
        return OK;
    for (int i = 0; i < 5 && c->usual[i] && from < 0; i++) from = frame_col(f, c->usual[i]);
    if (from < 0 && !c->otherwise)
        TRY(fail(E_FORMAT, "evaluate.profiles: the tables have no column %s; name it: %s: COLUMN", c->name, c->key));
    if (col < 0) TRY(frame_add_col(f, c->name, FRAME_CATEGORY, &col));
    if (from >= 0) {
        TRY(copy_column(f, from, col));
        goto done;
    }
    for (int64_t i = 0; i < f->n_rows; i++) TRY(frame_set_text(f, i, col, c->otherwise));
    char *note = xasprintf("the tables have no column %s: '%s' is used for all wells", c->name, c->otherwise);
    names_add(notes, note);
    log_warn("%s", note);
    free(note);
done:
    return st;
}

/* ---- controls, treated and empty wells ---- */

typedef enum { KIND_NEGATIVE, KIND_TREATED, KIND_EMPTY, N_KINDS } row_kind;

/* Columns that tell them apart; -1: there is none. */
typedef struct {
    int compound, type, control;
    const config *cfg;
} kind_columns;

/* As releases up to 0.1: pert_type and control_type count alike; `control` means a negative control. */
static row_kind kind_of_0_1(const char *compound, const char *type, const char *control, const char **how)
{
    *how = "by the rules of recipe 0.1";
    if (strcmp(type, "negcon") == 0 || strcmp(type, "control") == 0 || strcmp(control, "negcon") == 0) return KIND_NEGATIVE;
    return !*compound || strcmp(compound, INDEX_NO_COMPOUND) == 0 || strcmp(type, "empty") == 0 ? KIND_EMPTY : KIND_TREATED;
}

/* how: which column decided; value: what it says, "" where nothing is to be shown. */
static row_kind kind_of_row(const frame *f, int64_t i, const kind_columns *c, const char **how, const char **value)
{
    const char *compound = frame_text(f, i, c->compound), *type = c->type >= 0 ? frame_text(f, i, c->type) : "",
               *control = c->control >= 0 ? frame_text(f, i, c->control) : "";
    *value = "";
    if (names_find(&c->cfg->screen.control, compound) >= 0) return *how = "screen.control", *value = compound, KIND_NEGATIVE;
    if (c->cfg->evaluate.recipe == RECIPE_0_1) return kind_of_0_1(compound, type, control, how);
    if (*control) { /* names the kind of control; positive ones count as treated */
        *how = f->col[c->control].name, *value = control;
        if (names_find(&c->cfg->evaluate.columns.negative, control) >= 0) return KIND_NEGATIVE;
        if (strcmp(control, "empty") == 0) return KIND_EMPTY;
    } else if (*type) {
        *how = f->col[c->type].name, *value = type;
        if (strcmp(type, "negcon") == 0 || strcmp(type, "control") == 0) return KIND_NEGATIVE;
        if (strcmp(type, "empty") == 0) return KIND_EMPTY;
    } else {
        *how = "no control type";
    }
    if (*compound && strcmp(compound, INDEX_NO_COMPOUND) != 0) return KIND_TREATED;
    *how = "no treatment", *value = "";
    return KIND_EMPTY;
}

/* "1280 treated wells (Metadata_control_type = poscon_cp: 104; ...)" for each kind. */
static void note_kinds(const intern_table *reason, const int64_t *count, names *notes)
{
    static const char *const name[N_KINDS] = {"negative controls", "treated wells", "empty wells"};
    text line = {0};
    text_add(&line, "recognized: ");
    for (int k = 0; k < N_KINDS; k++) {
        int64_t total = 0, shown = 0;
        text why = {0};
        for (size_t r = 0; r < reason->n; r++) {
            const char *s = intern_at(reason, r);
            if (s[0] != '0' + k) continue;
            if (++shown <= 8) text_addf(&why, "%s%s: %lld", shown > 1 ? "; " : "", s + 1, (long long)count[r]);
            total += count[r];
        }
        if (shown > 8) text_addf(&why, "; %lld more values", (long long)(shown - 8));
        text_addf(&line, "%s%lld %s", k ? ", " : "", (long long)total, name[k]);
        if (shown) text_addf(&line, " (%s)", text_str(&why));
        text_free(&why);
    }
    names_add(notes, text_str(&line));
    log_info("%s", text_str(&line));
    text_free(&line);
}

static status derive_kinds(frame *f, const config *cfg, names *notes)
{
    static const char *const word[N_KINDS] = {"negcon", "trt", "empty"};
    status st = OK;
    intern_table reason = {0};
    int64_t *count = NULL;
    size_t cap = 0;
    text key = {0};
    int col;
    kind_columns c = {.compound = frame_col(f, "Metadata_Compound"),
                      .type = frame_col(f, "Metadata_pert_type"),
                      .control = frame_col(f, "Metadata_control_type"),
                      .cfg = cfg};
    if (*cfg->evaluate.columns.control) TRY(wells_find_column(f, cfg->evaluate.columns.control, "evaluate.columns.control", &c.control));
    TRY(frame_add_col(f, "Metadata_kind", FRAME_CATEGORY, &col));
    for (int64_t i = 0; i < f->n_rows; i++) {
        const char *how, *value;
        uint32_t id;
        row_kind kind = kind_of_row(f, i, &c, &how, &value);
        text_clear(&key);
        text_addf(&key, *value ? "%d%s = %s" : "%d%s", (int)kind, how, value);
        TRY(intern_add(&reason, text_str(&key), &id));
        size_t before = cap;
        TRY(mem_grow(&count, &cap, reason.n, sizeof *count, "kinds of wells"));
        if (cap > before) memset(count + before, 0, (cap - before) * sizeof *count);
        count[id]++;
        TRY(frame_set_text(f, i, col, word[kind]));
    }
    note_kinds(&reason, count, notes);
    frame_drop_col(f, "Metadata_pert_type");
    col = frame_col(f, "Metadata_kind");
    free(f->col[col].name);
    f->col[col].name = xstrdup("Metadata_pert_type");
done:
    intern_free(&reason);
    free(count);
    text_free(&key);
    return st;
}

status recognize_wells(frame *f, const config *cfg, names *notes)
{
    const table_columns *c = &cfg->evaluate.columns;
    const needed_column need[] = {{"Metadata_Source", c->source, "evaluate.columns.source", "S1", {"Metadata_source"}},
                                  {"Metadata_Batch", c->batch, "evaluate.columns.batch", "B1", {"Metadata_batch"}},
                                  {"Metadata_Plate",
                                   c->plate,
                                   "evaluate.columns.plate",
                                   NULL,
                                   {"Metadata_Assay_Plate_Barcode", "Metadata_plate", "Metadata_barcode"}},
                                  {"Metadata_Well", c->well, "evaluate.columns.well", NULL, {"Metadata_well", "Metadata_well_position"}},
                                  {"Metadata_Compound",
                                   c->treatment,
                                   "evaluate.columns.treatment",
                                   NULL,
                                   {"Metadata_JCP2022", "Metadata_broad_sample", "Metadata_compound", "Metadata_pert_iname"}}};
    status st = OK;
    for (int k = 0; k < 5; k++) TRY(fill_column(f, &need[k], notes));
    for (int k = 0; k < 4; k++) { /* one of several tables may lack a column */
        int col = frame_col(f, need[k].name);
        for (int64_t i = 0; i < f->n_rows; i++)
            if (!*frame_text(f, i, col))
                TRY(fail(E_FORMAT, "evaluate.profiles: row %lld of the tables together has no %s", (long long)i + 1, need[k].name));
    }
    TRY(derive_kinds(f, cfg, notes));
done:
    return st;
}

/* ---- the split ---- */

void recognize_place(const frame *f, int64_t i, const int col[4], text *t)
{
    char well[8];
    text_clear(t);
    for (int k = 0; k < 4; k++) {
        const char *s = frame_text(f, i, col[k]);
        text_addf(t, "%s|", k == 3 && text_well(s, well) ? well : s);
    }
}

/* The screen's split, where there is one that lists all of the wells. */
status recognize_split(frame *f, const config *cfg, names *notes)
{
    static const char *const key[] = {"Source", "Batch", "Plate", "Well"};
    status st = OK;
    table *t = NULL;
    intern_table known = {0};
    text place = {0};
    int64_t *at = NULL, missing = 0;
    int from[5], col[4], set;
    char *path = config_work(cfg, WORK_SPLIT), well[8];
    if (frame_col(f, "Metadata_Set") >= 0 || !path_exists(path)) goto done;
    TRY(table_read(&t, path));
    for (int k = 0; k < 4; k++) {
        char *name = xasprintf("Metadata_%s", key[k]);
        col[k] = frame_col(f, name);
        free(name);
        TRY(table_need(t, key[k], &from[k]));
    }
    TRY(table_need(t, "set", &from[4]));
    for (int64_t i = 0; i < table_n_rows(t); i++) {
        uint32_t id;
        text_clear(&place);
        for (int k = 0; k < 4; k++) {
            const char *s = table_cell(t, i, from[k]);
            text_addf(&place, "%s|", k == 3 && text_well(s, well) ? well : s);
        }
        TRY(intern_add(&known, text_str(&place), &id));
    }
    TRY(mem_alloc(&at, (size_t)f->n_rows, sizeof *at, "wells"));
    for (int64_t i = 0; i < f->n_rows; i++) {
        recognize_place(f, i, col, &place);
        at[i] = intern_find(&known, text_str(&place));
        missing += at[i] < 0;
    }
    if (missing) {
        char *note =
            xasprintf("%s lacks %lld of the wells: the split is ignored and all treated wells are evaluated", path, (long long)missing);
        names_add(notes, note);
        log_warn("%s", note);
        free(note);
        goto done;
    }
    TRY(frame_add_col(f, "Metadata_Set", FRAME_CATEGORY, &set));
    for (int64_t i = 0; i < f->n_rows; i++) TRY(frame_set_text(f, i, set, table_cell(t, at[i], from[4])));
done:
    table_free(&t);
    intern_free(&known);
    text_free(&place);
    free(at);
    free(path);
    return st;
}
