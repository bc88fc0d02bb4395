/* join_wells.c -- the compound of each well that has images, and the metadata of that compound. The tables are read row by row: of JUMP's
 * 742,825 wells only those on this screen's plates are kept. */
#include "build_impl.h"

#include "micon/base/mem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the wells of the images ---- */

static const char *table_name(const index_builder *b, uint32_t tab)
{
    return b->table.item[tab].opened;
}

static status list_wells(index_builder *b)
{
    status st = OK;
    const grid_col *c = b->rows.col;
    TRY(mem_alloc(&b->well_of, b->n_order, sizeof *b->well_of, "wells"));
    for (size_t p = 0; p < b->n_spans; p++)
        for (int64_t i = b->span[p].first; i < b->span[p].first + b->span[p].n; i++) {
            uint32_t row = b->order[i];
            if (i == b->span[p].first || c[R_WELL].v[row] != c[R_WELL].v[b->order[i - 1]]) TRY(grid_add_row(&b->wells));
            size_t w = b->wells.n - 1;
            b->well_of[i] = (uint32_t)w;
            well_take_compound(b, w, c[R_COMPOUND].v[row], c[R_TABLE].v[row], c[R_LINE].v[row], builder_text(b, c[R_WELL].v[row]));
        }
done:
    return st;
}

static status need(const csv *c, const char *const *list, int *col)
{
    if ((*col = csv_col_any(c, list)) >= 0) return OK;
    return fail(E_FORMAT, "%s:1: no column '%s'", csv_path(c), list[0]);
}

/* ---- a well table ---- */

typedef struct {
    index_builder *b;
    csv *c;
    uint32_t table;
    int source, batch, plate, well, compound;
    kept_columns meta;
    well_keys *keys;
    bool *seen; /* [wells] */
} well_reader;

static status well_row(well_reader *r, char **field)
{
    status st = OK;
    index_builder *b = r->b;
    char well[8];
    uint32_t compound;
    const char *path = csv_path(r->c);
    long long line = (long long)csv_line(r->c);
    int64_t source = r->source < 0 ? 0 : intern_find(&b->pool, field[r->source]),
            batch = r->batch < 0 ? 0 : intern_find(&b->pool, field[r->batch]), plate = intern_find(&b->pool, field[r->plate]);
    if (source < 0 || batch < 0 || plate < 0) return OK; /* of a plate without images */
    if (!well_keys_have_plate(r->keys, (uint32_t)source, (uint32_t)batch, (uint32_t)plate)) return OK;
    if (!text_well(field[r->well], well)) {
        findings_add(b->found, FINDING_ERROR, "invalid well names", "%s:%lld: bad well '%s'; wells run from A01 to AF48", path, line,
                     field[r->well]);
        return OK;
    }
    int64_t id = intern_find(&b->pool, well);
    uint32_t first = id < 0 ? 0 : well_keys_find(r->keys, (uint32_t)source, (uint32_t)batch, (uint32_t)plate, (uint32_t)id);
    if (!first) {
        findings_add(b->found, FINDING_WARNING, "wells of the well table without images", "%s:%lld: %s of plate '%s'", path, line, well,
                     field[r->plate]);
        return OK;
    }
    TRY(builder_intern(b, field[r->compound], &compound));
    for (uint32_t w = first; w; w = r->keys->next[w - 1]) {
        r->seen[w - 1] = true;
        well_take_compound(b, w - 1, compound, r->table, (uint32_t)line, well);
        for (size_t i = 0; i < r->meta.n; i++) {
            uint32_t *cell = &b->wells.col[r->meta.to[i]].v[w - 1];
            if (!*cell) TRY(builder_intern(b, field[r->meta.from[i]], cell));
        }
    }
done:
    return st;
}

static status read_well_table(index_builder *b, size_t tab, well_keys sets[4], bool *seen)
{
    status st = OK;
    char **field;
    bool more;
    well_reader r = {.b = b, .table = (uint32_t)tab, .seen = seen};
    TRY(csv_open(&r.c, b->table.item[tab].opened));
    if (is_plate_map(r.c) || is_barcode_table(r.c)) {
        bool barcodes = is_barcode_table(r.c);
        csv_close(&r.c);
        return builder_report(b, barcodes ? join_barcodes(b, tab, sets, seen) : join_plate_map(b, tab, sets, seen));
    }
    r.source = csv_col_any(r.c, source_names);
    r.batch = csv_col_any(r.c, batch_names);
    TRY(need(r.c, plate_names, &r.plate));
    TRY(need(r.c, well_names, &r.well));
    TRY(need(r.c, compound_names, &r.compound));
    TRY(kept_columns_map(&r.meta, &b->wells, r.c, KEEP_METADATA, -1));
    TRY(well_keys_of(b, sets, r.source >= 0, r.batch >= 0, &r.keys));
    for (;;) {
        TRY(csv_next(r.c, &field, &more));
        if (!more) break;
        TRY(well_row(&r, field));
    }
    b->table.item[tab].digest = csv_digest(r.c);
done:
    csv_close(&r.c);
    kept_columns_free(&r.meta);
    return builder_report(b, st);
}

/* Wells with images that no well table names. If that is all of them, the tables do not belong together. */
static void report_unknown(index_builder *b, const bool *seen)
{
    const grid_col *c = b->rows.col;
    bool any = false;
    for (size_t w = 0; w < b->wells.n; w++) any = any || seen[w];
    for (size_t i = 0; i < b->n_order; i++) {
        uint32_t row = b->order[i];
        const char *at = table_name(b, c[R_TABLE].v[row]), *plate = builder_text(b, c[R_PLATE].v[row]);
        if (!any) {
            findings_add(
                b->found, FINDING_ERROR, "well tables without any well of the image tables",
                "%s:%u: plate '%s' of source '%s' and batch '%s' stands in no well table; a plate table may have to say its source", at,
                c[R_LINE].v[row], plate, builder_text(b, c[R_SOURCE].v[row]), builder_text(b, c[R_BATCH].v[row]));
            return;
        }
        if (seen[b->well_of[i]] || (i && b->well_of[i] == b->well_of[i - 1])) continue;
        findings_add(b->found, FINDING_WARNING, "wells with images that are in no well table", "%s:%u: %s of plate '%s'", at,
                     c[R_LINE].v[row], builder_text(b, c[R_WELL].v[row]), plate);
    }
}

status join_wells(index_builder *b)
{
    status st = OK;
    well_keys sets[4] = {0};
    bool *seen = NULL, read = false;
    TRY(list_wells(b));
    TRY(mem_alloc(&seen, b->wells.n, sizeof *seen, "wells"));
    for (size_t i = 0; i < b->table.n; i++)
        if (b->table.item[i].role == TABLE_WELL) TRY(read_well_table(b, i, sets, seen));
    for (int i = 0; i < 4; i++) read = read || sets[i].made;
    if (read) report_unknown(b, seen);
done:
    for (int i = 0; i < 4; i++) well_keys_free(&sets[i]);
    free(seen);
    return st;
}

/* ---- the compounds ---- */

static status read_compound_table(index_builder *b, size_t tab, const uint32_t *row_of, size_t n_words)
{
    status st = OK;
    csv *c = NULL;
    char **field;
    bool more;
    int id_col, name_col;
    kept_columns m = {0};
    const char *path = b->table.item[tab].opened;
    TRY(csv_open(&c, path));
    TRY(need(c, compound_names, &id_col));
    name_col = csv_col(c, INDEX_COMPOUND_NAME);
    TRY(kept_columns_map(&m, &b->compounds, c, KEEP_METADATA_COMPOUNDS, id_col));
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        const char *compound = index_compound_id(field[id_col], name_col < 0 ? "" : field[name_col]);
        int64_t id = intern_find(&b->pool, compound);
        if (id < 0 || (size_t)id >= n_words || !row_of[id]) continue;
        size_t row = row_of[id] - 1;
        grid_col *col = b->compounds.col;
        for (size_t i = 0; i < m.n; i++) {
            uint32_t v, *cell = &col[m.to[i]].v[row];
            TRY(builder_intern(b, field[m.from[i]], &v));
            if (*cell && v && *cell != v)
                findings_add(b->found, FINDING_WARNING, "compounds with conflicting rows",
                             "%s:%lld: %s of '%s' differs from %s:%u; the first is used", path, (long long)csv_line(c),
                             csv_col_name(c, m.from[i]), compound, table_name(b, col[C_TABLE].v[row]), col[C_LINE].v[row]);
            if (!*cell) *cell = v;
        }
        if (!col[C_LINE].v[row]) {
            col[C_TABLE].v[row] = (uint32_t)tab;
            col[C_LINE].v[row] = (uint32_t)csv_line(c);
        }
    }
    b->table.item[tab].digest = csv_digest(c);
done:
    csv_close(&c);
    kept_columns_free(&m);
    return builder_report(b, st);
}

/* row_of[word]: row of b->compounds + 1, for the compounds of the wells. */
static status list_compounds(index_builder *b, uint32_t *row_of)
{
    status st = OK;
    TRY(mem_alloc(&b->compound_of, b->wells.n, sizeof *b->compound_of, "compounds"));
    for (size_t w = 0; w < b->wells.n; w++) {
        uint32_t id = b->wells.col[W_COMPOUND].v[w];
        if (!id) continue;
        if (!row_of[id]) {
            TRY(grid_add_row(&b->compounds));
            b->compounds.col[C_ID].v[b->compounds.n - 1] = id;
            row_of[id] = (uint32_t)b->compounds.n;
        }
        b->compound_of[w] = row_of[id];
    }
done:
    return st;
}

status join_compounds(index_builder *b)
{
    status st = OK;
    uint32_t *row_of = NULL;
    size_t n = b->pool.n;
    TRY(mem_alloc(&row_of, n, sizeof *row_of, "compounds"));
    TRY(list_compounds(b, row_of));
    for (size_t i = 0; i < b->table.n; i++)
        if (b->table.item[i].role == TABLE_COMPOUND) TRY(read_compound_table(b, i, row_of, n));
done:
    free(row_of);
    return st;
}
