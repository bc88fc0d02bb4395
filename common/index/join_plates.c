/* join_plates.c -- which source and batch a row's plate belongs to: from its own columns, the plate tables, or by default. */
#include "build_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the plate tables ---- */

typedef struct {
    int source, batch, plate;
    kept_columns meta; /* to b->plates */
} plate_cols;

static status map_plate_table(index_builder *b, const csv *c, plate_cols *m)
{
    status st = OK;
    m->source = csv_col_any(c, source_names);
    m->batch = csv_col_any(c, batch_names);
    m->plate = csv_col_any(c, plate_names);
    if (m->plate < 0) TRY(fail(E_FORMAT, "%s:1: no column 'Metadata_Plate'", csv_path(c)));
    TRY(kept_columns_map(&m->meta, &b->plates, c, KEEP_METADATA, -1));
done:
    return st;
}

/* Removes the row just added where its plate has an earlier row; two that differ are a finding. */
static bool plate_known(index_builder *b, const char *path)
{
    grid *g = &b->plates;
    size_t last = g->n - 1;
    for (size_t i = 0; i < last; i++) {
        bool same_key = true, same = true;
        for (int k = P_SOURCE; k <= P_PLATE; k++) same_key = same_key && g->col[k].v[i] == g->col[k].v[last];
        if (!same_key) continue;
        for (size_t k = P_FIXED; k < g->n_cols; k++) same = same && (!g->col[k].v[last] || g->col[k].v[i] == g->col[k].v[last]);
        if (!same)
            findings_add(b->found, FINDING_ERROR, "plates with conflicting rows", "%s:%u: plate '%s' differs from %s:%u", path,
                         g->col[P_LINE].v[last], builder_text(b, g->col[P_PLATE].v[last]), b->table.item[g->col[P_TABLE].v[i]].opened,
                         g->col[P_LINE].v[i]);
        g->n--;
        return true;
    }
    return false;
}

static status read_plate_table(index_builder *b, size_t tab, const uint8_t *imaged, size_t n_imaged)
{
    status st = OK;
    csv *c = NULL;
    char **field;
    bool more;
    plate_cols m = {0};
    const char *path = b->table.item[tab].opened;
    TRY(csv_open(&c, path));
    TRY(map_plate_table(b, c, &m));
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        int64_t plate = intern_find(&b->pool, field[m.plate]);
        if (plate < 0 || (size_t)plate >= n_imaged || !imaged[plate]) continue;
        TRY(grid_add_row(&b->plates));
        grid_col *col = b->plates.col;
        size_t row = b->plates.n - 1;
        if (m.source >= 0) TRY(builder_intern(b, field[m.source], &col[P_SOURCE].v[row]));
        if (m.batch >= 0) TRY(builder_intern(b, field[m.batch], &col[P_BATCH].v[row]));
        col[P_PLATE].v[row] = (uint32_t)plate;
        col[P_TABLE].v[row] = (uint32_t)tab;
        col[P_LINE].v[row] = (uint32_t)csv_line(c);
        for (size_t i = 0; i < m.meta.n; i++) TRY(builder_intern(b, field[m.meta.from[i]], &col[m.meta.to[i]].v[row]));
        plate_known(b, path);
    }
    b->table.item[tab].digest = csv_digest(c);
done:
    csv_close(&c);
    kept_columns_free(&m.meta);
    return builder_report(b, st);
}

status read_plate_tables(index_builder *b)
{
    status st = OK;
    uint8_t *imaged = NULL;
    size_t n = b->pool.n;
    TRY(mem_alloc(&imaged, n, 1, "plates"));
    for (size_t i = 0; i < b->rows.n; i++) imaged[b->rows.col[R_PLATE].v[i]] = 1;
    for (size_t i = 0; i < b->table.n; i++)
        if (b->table.item[i].role == TABLE_PLATE) TRY(read_plate_table(b, i, imaged, n));
done:
    free(imaged);
    return st;
}

/* ---- every row's plate ---- */

typedef struct {
    uint32_t source, batch, plate_row; /* plate_row: row of b->plates + 1, 0: none */
} resolved;

/* The name of the folder a table lies in. */
static status folder_name(index_builder *b, size_t tab, uint32_t *id)
{
    char *dir = path_dir(b->table.item[tab].path), *real = NULL;
    if (table_folder_is_nameless(dir)) real = table_folder_name(b->table.item[tab].opened);
    status st = builder_intern(b, real ? real : path_base(dir), id);
    free(dir);
    free(real);
    return st;
}

static bool fits(uint32_t a, uint32_t b)
{
    return !a || !b || a == b;
}

/* Look in the plate tables; `row` is an image row of the plate, for messages. */
static void look_up(index_builder *b, size_t row, resolved *r)
{
    const grid_col *p = b->plates.col;
    uint32_t plate = b->rows.col[R_PLATE].v[row], first = 0;
    const char *at = b->table.item[b->rows.col[R_TABLE].v[row]].opened, *name = builder_text(b, plate);
    unsigned line = b->rows.col[R_LINE].v[row];
    bool any = false, several = false;
    text list = {0};
    for (size_t i = 0; i < b->plates.n; i++) {
        if (p[P_PLATE].v[i] != plate) continue;
        any = true;
        if (list.n < 300)
            text_addf(&list, "%s%s/%s", list.n ? ", " : "", builder_text(b, p[P_SOURCE].v[i]), builder_text(b, p[P_BATCH].v[i]));
        if (!fits(p[P_SOURCE].v[i], r->source) || !fits(p[P_BATCH].v[i], r->batch)) continue;
        several = several || first;
        if (!first) first = (uint32_t)i + 1;
    }
    if (!any)
        findings_add(b->found, r->batch ? FINDING_WARNING : FINDING_ERROR, "plates missing from the plate tables", "%s:%u: plate '%s'", at,
                     line, name);
    else if (!first)
        findings_add(b->found, FINDING_ERROR, "plates whose source or batch differs between tables",
                     "%s:%u: plate '%s' of %s/%s; the plate table has %s", at, line, name, builder_text(b, r->source),
                     builder_text(b, r->batch), text_str(&list));
    else if (several)
        findings_add(b->found, FINDING_ERROR, "ambiguous plates",
                     "%s:%u: plate '%s' matches %s; give its source and batch in the image table", at, line, name, text_str(&list));
    text_free(&list);
    if (!first) return;
    if (!r->source) r->source = p[P_SOURCE].v[first - 1];
    if (!r->batch) r->batch = p[P_BATCH].v[first - 1];
    r->plate_row = first;
}

static bool has_role(const index_builder *b, int role)
{
    for (size_t i = 0; i < b->table.n; i++)
        if (b->table.item[i].role == role) return true;
    return false;
}

status join_plates(index_builder *b)
{
    status st = OK;
    intern_table key = {0};
    resolved *known = NULL;
    size_t cap = 0;
    uint32_t id, s1, batch = 0;
    char text_key[64];
    bool tables = has_role(b, TABLE_PLATE);
    grid_col *c = b->rows.col;
    TRY(builder_intern(b, "S1", &s1));
    if (b->o->batch) TRY(builder_intern(b, b->o->batch, &batch));
    for (size_t i = 0; i < b->rows.n; i++) {
        resolved r = {c[R_SOURCE].v[i], c[R_BATCH].v[i], 0};
        snprintf(text_key, sizeof text_key, "%x %x %x %x", r.source, r.batch, c[R_PLATE].v[i], c[R_TABLE].v[i]);
        size_t n = key.n;
        TRY(intern_add(&key, text_key, &id));
        if (id == n) {
            TRY(mem_grow(&known, &cap, key.n, sizeof *known, "plates"));
            if (tables) look_up(b, i, &r);
            if (!r.source) r.source = s1;
            if (!r.batch) r.batch = batch;
            if (!r.batch) TRY(folder_name(b, c[R_TABLE].v[i], &r.batch));
            known[id] = r;
        }
        c[R_SOURCE].v[i] = known[id].source;
        c[R_BATCH].v[i] = known[id].batch;
        c[R_PLATE_ROW].v[i] = known[id].plate_row;
    }
done:
    intern_free(&key);
    free(known);
    return st;
}
