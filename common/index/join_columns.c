/* join_columns.c -- the columns of the joined rows: the fixed ones, then every other Metadata_ column of any table; what a well holds;
 * and the classes. */
#include "build_impl.h"

#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* A column's sources, the first value that is not empty counts: columns of b->rows, wells, plates, compounds. -1: none. */
typedef struct {
    const char *name;
    long rows, wells, plates, compounds;
} origin;

typedef struct {
    origin *item;
    size_t n, cap;
} origins;

static origin origin_of(const index_builder *b, const char *name)
{
    return (origin){name, grid_find(&b->rows, name), grid_find(&b->wells, name), grid_find(&b->plates, name),
                    grid_find(&b->compounds, name)};
}

static status add_origins(origins *l, const index_builder *b, const grid *g, size_t first)
{
    status st = OK;
    for (size_t i = first; i < g->n_cols; i++) {
        const char *name = g->col[i].name;
        bool known = false;
        for (size_t k = 0; k < l->n && !known; k++) known = strcmp(l->item[k].name, name) == 0;
        if (known) continue;
        TRY(mem_grow(&l->item, &l->cap, l->n + 1, sizeof *l->item, "columns"));
        l->item[l->n++] = origin_of(b, name);
    }
done:
    return st;
}

static uint32_t value(const index_builder *b, const origin *o, size_t i)
{
    uint32_t row = b->order[i], w = b->well_of[i], plate = b->rows.col[R_PLATE_ROW].v[row], compound = b->compound_of[w], v = 0;
    if (o->rows >= 0) v = b->rows.col[o->rows].v[row];
    if (!v && o->wells >= 0) v = b->wells.col[o->wells].v[w];
    if (!v && o->plates >= 0 && plate) v = b->plates.col[o->plates].v[plate - 1];
    if (!v && o->compounds >= 0 && compound) v = b->compounds.col[o->compounds].v[compound - 1];
    return v;
}

/* Metadata_control_type decides where it is given: JUMP's positive controls have pert_type control, or even negcon. */
well_kind index_kind_of(const names *control, const char *compound, const char *pert_type, const char *control_type, kind_reason *by)
{
    const bool typed = !is_missing(control_type);
    *by = KIND_BY_CONTROL_LIST;
    if (*compound && control && names_find(control, compound) >= 0) return WELL_CONTROL;
    *by = typed ? KIND_BY_CONTROL_TYPE : KIND_BY_PERT_TYPE;
    if (strcmp(typed ? control_type : pert_type, "negcon") == 0) return WELL_CONTROL;
    *by = KIND_BY_COMPOUND;
    if (!*compound || strcmp(compound, INDEX_NO_COMPOUND) == 0 || strcmp(compound, "empty") == 0) return WELL_EMPTY;
    if (strcmp(pert_type, "empty") != 0) return WELL_TREATED;
    *by = KIND_BY_PERT_TYPE;
    return WELL_EMPTY;
}

static status fill_fixed(index_builder *b, joined_rows *j)
{
    static const int from[] = {R_SOURCE, R_BATCH, R_PLATE, R_WELL, R_SITE};
    static const char *const type_name[] = {"trt", "negcon", "empty"};
    status st = OK;
    size_t n = b->n_order;
    uint32_t type[3];
    kind_reason by;
    origin pert = origin_of(b, "Metadata_pert_type"), control = origin_of(b, "Metadata_control_type");
    for (int k = 0; k < 3; k++) TRY(builder_intern(b, type_name[k], &type[k]));
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; k < sizeof from / sizeof *from; k++) j->cell[k * n + i] = b->rows.col[from[k]].v[b->order[i]];
        uint32_t compound = b->wells.col[W_COMPOUND].v[b->well_of[i]], given = value(b, &pert, i);
        well_kind kind =
            index_kind_of(b->o->control, builder_text(b, compound), builder_text(b, given), builder_text(b, value(b, &control, i)), &by);
        j->kind[i] = (uint8_t)kind;
        j->cell[INDEX_COMPOUND * n + i] = compound;
        j->cell[INDEX_PERT_TYPE * n + i] = given ? given : type[kind];
    }
done:
    return st;
}

status join_columns(index_builder *b, joined_rows *j)
{
    static const char *const fixed[] = {"Metadata_Source", "Metadata_Batch",    "Metadata_Plate",    "Metadata_Well",
                                        "Metadata_Site",   "Metadata_Compound", "Metadata_pert_type"};
    status st = OK;
    origins l = {0};
    size_t n = b->n_order, cells;
    TRY(mem_grow(&l.item, &l.cap, INDEX_FIXED_COLS, sizeof *l.item, "columns"));
    for (; l.n < INDEX_FIXED_COLS; l.n++) l.item[l.n] = (origin){fixed[l.n], -1, -1, -1, -1};
    TRY(add_origins(&l, b, &b->rows, rows_fixed(b)));
    TRY(add_origins(&l, b, &b->wells, W_FIXED));
    TRY(add_origins(&l, b, &b->plates, P_FIXED));
    TRY(add_origins(&l, b, &b->compounds, C_FIXED));
    if (!mul_size(l.n, n, &cells)) TRY(fail(E_NOMEM, "the index: too many cells"));
    TRY(mem_alloc(&j->cell, cells, sizeof *j->cell, "the index"));
    TRY(mem_alloc(&j->kind, n, 1, "the index"));
    TRY(mem_alloc(&j->col_name, l.n, sizeof *j->col_name, "the index"));
    j->n_cols = l.n;
    for (size_t k = 0; k < l.n; k++) TRY(builder_intern(b, l.item[k].name, &j->col_name[k]));
    TRY(fill_fixed(b, j));
    for (size_t k = INDEX_FIXED_COLS; k < l.n; k++)
        for (size_t i = 0; i < n; i++) j->cell[k * n + i] = value(b, &l.item[k], i);
done:
    free(l.item);
    return st;
}

/* ---- classes ---- */

/* The column of each treatment, by its name with or without Metadata_. */
static status find_treatments(index_builder *b, const joined_rows *j, size_t *col, size_t *n)
{
    const names *want = b->o->treatment;
    const char **known = xmalloc(j->n_cols * sizeof *known);
    for (size_t k = 0; k < j->n_cols; k++) known[k] = builder_text(b, j->col_name[k]);
    *n = 0;
    for (size_t i = 0; want && i < want->n; i++) {
        const char *name = want->item[i];
        size_t k = 0;
        while (k < j->n_cols && strcmp(known[k], name) != 0 && (strncmp(known[k], "Metadata_", 9) != 0 || strcmp(known[k] + 9, name) != 0))
            k++;
        if (k < j->n_cols) {
            col[(*n)++] = k;
            continue;
        }
        const char *near = names_nearest(name, known, j->n_cols);
        findings_add(b->found, FINDING_ERROR, "missing columns", "screen.treatment: no table has a column '%s'%s%s%s", name,
                     near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    }
    free(known);
    return OK;
}

typedef struct {
    const char *s;
    uint32_t id;
} class_entry;

static int by_name(const void *a, const void *b)
{
    return strcmp(((const class_entry *)a)->s, ((const class_entry *)b)->s);
}

/* Numbers 1.. in the order of the keys; names with '|' between the parts. */
static status name_classes(index_builder *b, joined_rows *j, const intern_table *key, int32_t *number)
{
    status st = OK;
    class_entry *e = NULL;
    TRY(mem_alloc(&e, key->n, sizeof *e, "classes"));
    TRY(mem_alloc(&j->class_name, key->n + 1, sizeof *j->class_name, "classes"));
    for (size_t i = 0; i < key->n; i++) e[i] = (class_entry){intern_at(key, i), (uint32_t)i};
    qsort(e, key->n, sizeof *e, by_name);
    TRY(builder_intern(b, b->o->control && b->o->control->n ? b->o->control->item[0] : "negcon", &j->class_name[0]));
    for (size_t i = 0; i < key->n && st == OK; i++) {
        char *name = xstrdup(e[i].s);
        for (char *p = name; *p; p++)
            if (*p == '\x1f') *p = '|';
        number[e[i].id] = (int32_t)i + 1;
        st = builder_intern(b, name, &j->class_name[i + 1]);
        free(name);
    }
    j->n_classes = key->n + 1;
done:
    free(e);
    return st;
}

status number_classes(index_builder *b, joined_rows *j)
{
    status st = OK;
    size_t n = b->n_order, n_treat = 0, *treat = xcalloc(b->o->treatment ? b->o->treatment->n : 0, sizeof *treat);
    intern_table key = {0};
    text t = {0};
    int32_t *number = NULL;
    uint32_t id = 0;
    TRY(find_treatments(b, j, treat, &n_treat));
    TRY(mem_alloc(&j->class_of, n, sizeof *j->class_of, "classes"));
    for (size_t i = 0; i < n; i++) {
        j->class_of[i] = j->kind[i] == WELL_CONTROL ? 0 : -1;
        if (j->kind[i] != WELL_TREATED) continue;
        text_clear(&t);
        text_add(&t, builder_text(b, j->cell[INDEX_COMPOUND * n + i]));
        for (size_t k = 0; k < n_treat; k++) text_addf(&t, "\x1f%s", builder_text(b, j->cell[treat[k] * n + i]));
        TRY(intern_add(&key, t.s, &id));
        if (id >= INT32_MAX - 1) TRY(fail(E_FAILED, "more than 2147483646 classes"));
        j->class_of[i] = (int32_t)id + 1;
    }
    TRY(mem_alloc(&number, key.n, sizeof *number, "classes"));
    TRY(name_classes(b, j, &key, number));
    for (size_t i = 0; i < n; i++)
        if (j->class_of[i] > 0) j->class_of[i] = number[j->class_of[i] - 1];
done:
    free(treat);
    free(number);
    intern_free(&key);
    text_free(&t);
    return st;
}
