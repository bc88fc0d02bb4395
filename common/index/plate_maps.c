/* plate_maps.c -- layouts that are the same on many plates, joined to the wells of each: pycytominer's barcode_platemap CSV with its folder
 * of maps, a map for one plate or for all, as a list of wells or as a grid of rows and columns. */
#include "build_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A layout in memory: what a well holds, and its further columns. */
typedef struct {
    uint32_t well, compound, line;
} map_well;

typedef struct {
    size_t table;
    map_well *well;
    size_t n, cap;
    size_t *to, n_meta; /* columns of b->wells */
    uint32_t *cell;     /* [n, n_meta] */
    size_t cells_cap;
} plate_map;

static void map_free(plate_map *m)
{
    free(m->well);
    free(m->to);
    free(m->cell);
    *m = (plate_map){0};
}

/* ---- reading a map ---- */

static status add_well(index_builder *b, plate_map *m, const char *well, const char *compound, int64_t line)
{
    status st = OK;
    TRY(mem_grow(&m->well, &m->cap, m->n + 1, sizeof *m->well, "a plate map"));
    map_well *w = &m->well[m->n];
    *w = (map_well){.line = (uint32_t)line};
    TRY(builder_intern(b, well, &w->well));
    TRY(builder_intern(b, is_missing(compound) ? "" : compound, &w->compound));
    m->n++;
done:
    return st;
}

static void bad_well(const index_builder *b, const csv *c, const char *well)
{
    findings_add(b->found, FINDING_ERROR, "invalid well names", "%s:%lld: bad well '%s'; wells run from A01 to AF48", csv_path(c),
                 (long long)csv_line(c), well);
}

static status read_grid(index_builder *b, csv *c, plate_map *m)
{
    status st = OK;
    char **field, name[32], well[8];
    bool more;
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        for (int i = 1; i < csv_n_cols(c); i++) {
            snprintf(name, sizeof name, "%.8s%d", field[0], i);
            if (text_well(name, well))
                TRY(add_well(b, m, well, field[i], csv_line(c)));
            else if (i == 1)
                bad_well(b, c, name);
        }
    }
done:
    return st;
}

/* The compound of a list's row. A well of pycytominer's maps that holds its solvent only has an empty broad_sample. */
static status read_list(index_builder *b, csv *c, plate_map *m)
{
    static const char *const more_names[] = {"Metadata_compound", "compound", NULL}, *const solvent_names[] = {"solvent",
                                                                                                               "Metadata_solvent", NULL};
    status st = OK;
    char **field, well[8];
    bool more;
    kept_columns f = {0};
    int at = csv_col_any(c, well_names), compound = csv_col_any(c, compound_names), solvent = csv_col_any(c, solvent_names);
    if (compound < 0) compound = csv_col_any(c, more_names);
    if (compound < 0)
        TRY(fail(E_FORMAT, "%s:1: no column 'broad_sample', 'Metadata_JCP2022' or 'compound': a plate map says what each well holds",
                 csv_path(c)));
    TRY(kept_columns_map(&f, &b->wells, c, KEEP_ALL, compound));
    m->to = f.to, m->n_meta = f.n;
    f.to = NULL;
    for (;;) {
        TRY(csv_next(c, &field, &more));
        if (!more) break;
        if (!text_well(field[at], well)) {
            bad_well(b, c, field[at]);
            continue;
        }
        TRY(mem_grow(&m->cell, &m->cells_cap, (m->n + 1) * m->n_meta, sizeof *m->cell, "a plate map"));
        for (size_t k = 0; k < m->n_meta; k++) TRY(builder_intern(b, field[f.from[k]], &m->cell[m->n * m->n_meta + k]));
        TRY(add_well(b, m, well, solvent >= 0 && is_missing(field[compound]) ? field[solvent] : field[compound], csv_line(c)));
    }
done:
    kept_columns_free(&f);
    return st;
}

static status read_map(index_builder *b, size_t tab, plate_map *m)
{
    status st = OK;
    csv *c = NULL;
    m->table = tab;
    TRY(csv_open(&c, b->table.item[tab].opened));
    if (!is_plate_map(c))
        TRY(fail(E_FORMAT, "%s:1: no plate map: it has no column 'well_position', and is no grid with columns 1, 2, 3 ..", csv_path(c)));
    TRY(is_plate_grid(c) ? read_grid(b, c, m) : read_list(b, c, m));
    b->table.item[tab].digest = csv_digest(c);
done:
    csv_close(&c);
    return st;
}

/* ---- a map and a plate ---- */

typedef struct {
    uint32_t source, batch, plate;
} plate_key;

static void put_cell(index_builder *b, size_t column, uint32_t w, uint32_t id)
{
    uint32_t *cell = &b->wells.col[column].v[w];
    if (!*cell) *cell = id;
}

/* The plate's own metadata also go to each of its wells. */
static void join_one(index_builder *b, const plate_map *m, const well_keys *k, plate_key p, const size_t *to, const uint32_t *id, size_t n,
                     bool *seen)
{
    for (size_t i = 0; i < m->n; i++) {
        const map_well *h = &m->well[i];
        const char *well = builder_text(b, h->well);
        uint32_t first = well_keys_find(k, p.source, p.batch, p.plate, h->well);
        if (!first && h->compound)
            findings_add(b->found, FINDING_WARNING, "wells of the well table without images", "%s:%u: %s of plate '%s'",
                         b->table.item[m->table].opened, h->line, well, builder_text(b, p.plate));
        for (uint32_t w = first; w; w = k->next[w - 1]) {
            seen[w - 1] = true;
            well_take_compound(b, w - 1, h->compound, (uint32_t)m->table, h->line, well);
            for (size_t j = 0; j < m->n_meta; j++) put_cell(b, m->to[j], w - 1, m->cell[i * m->n_meta + j]);
            for (size_t j = 0; j < n; j++) put_cell(b, to[j], w - 1, id[j]);
        }
    }
}

/* ---- pycytominer's barcode_platemap ---- */

/* The map of this name, read when a plate first needs it. NULL: not found, which is a finding. */
static status need_map(index_builder *b, plate_map **maps, const csv *barcodes, const char *name, plate_map **out)
{
    status st = OK;
    size_t i = 0;
    char *path = table_of_plate_map(csv_path(barcodes), name);
    *out = NULL;
    while (path && i < b->table.n && (b->table.item[i].role != TABLE_MAP || strcmp(b->table.item[i].opened, path) != 0)) i++;
    if (!path || i == b->table.n) {
        findings_add(b->found, FINDING_ERROR, "missing plate maps",
                     "%s:%lld: no file %s.txt, .tsv, .csv or .parquet in the folder platemap beside this table, or beside it itself",
                     csv_path(barcodes), (long long)csv_line(barcodes), name);
        goto done;
    }
    if (!maps[i]) {
        maps[i] = xcalloc(1, sizeof **maps);
        TRY(builder_report(b, read_map(b, i, maps[i])));
    }
    *out = maps[i];
done:
    free(path);
    return st;
}

typedef struct {
    csv *c;
    int source, batch, plate, map;
    kept_columns further;
    uint32_t *id; /* [further.n] */
    well_keys *keys;
    plate_map **maps; /* [tables] */
} barcode_reader;

static status barcode_row(index_builder *b, barcode_reader *r, char **field, bool *seen)
{
    status st = OK;
    plate_map *m;
    int64_t source = r->source < 0 ? 0 : intern_find(&b->pool, field[r->source]),
            batch = r->batch < 0 ? 0 : intern_find(&b->pool, field[r->batch]), plate = intern_find(&b->pool, field[r->plate]);
    if (source < 0 || batch < 0 || plate < 0) return OK; /* of a plate without images */
    plate_key p = {(uint32_t)source, (uint32_t)batch, (uint32_t)plate};
    if (!well_keys_have_plate(r->keys, p.source, p.batch, p.plate)) return OK;
    TRY(need_map(b, r->maps, r->c, field[r->map], &m));
    for (size_t i = 0; i < r->further.n; i++) TRY(builder_intern(b, field[r->further.from[i]], &r->id[i]));
    if (m) join_one(b, m, r->keys, p, r->further.to, r->id, r->further.n, seen);
done:
    return st;
}

status join_barcodes(index_builder *b, size_t tab, well_keys sets[4], bool *seen)
{
    status st = OK;
    barcode_reader r = {0};
    char **field;
    bool more;
    TRY(mem_alloc(&r.maps, b->table.n, sizeof(plate_map *), "plate maps"));
    TRY(csv_open(&r.c, b->table.item[tab].opened));
    r.source = csv_col_any(r.c, source_names);
    r.batch = csv_col_any(r.c, batch_names);
    r.plate = csv_col_any(r.c, barcode_names);
    r.map = csv_col_any(r.c, map_names);
    TRY(kept_columns_map(&r.further, &b->wells, r.c, KEEP_ALL, r.plate));
    r.id = xcalloc(r.further.n, sizeof *r.id);
    TRY(well_keys_of(b, sets, r.source >= 0, r.batch >= 0, &r.keys));
    for (;;) {
        TRY(csv_next(r.c, &field, &more));
        if (!more) break;
        TRY(barcode_row(b, &r, field, seen));
    }
    b->table.item[tab].digest = csv_digest(r.c);
done:
    csv_close(&r.c);
    for (size_t i = 0; r.maps && i < b->table.n; i++)
        if (r.maps[i]) map_free(r.maps[i]), free(r.maps[i]);
    free(r.maps);
    free(r.id);
    kept_columns_free(&r.further);
    return st;
}

/* ---- a map that no barcode table names ---- */

/* "x/P1.csv.gz" -> "P1". Caller frees. */
static char *stem(const char *path)
{
    static const char *const end[] = {".gz", ".csv", ".tsv", ".txt", ".parquet"};
    char *name = xstrdup(path_base(path));
    for (size_t i = 0; i < sizeof end / sizeof *end; i++)
        if (text_ends(name, end[i])) name[strlen(name) - strlen(end[i])] = '\0';
    return name;
}

status join_plate_map(index_builder *b, size_t tab, well_keys sets[4], bool *seen)
{
    status st = OK;
    plate_map m = {0};
    well_keys *k;
    size_t well_tables = 0, joined = 0;
    char *name = stem(b->table.item[tab].opened);
    TRY(well_keys_of(b, sets, true, true, &k));
    TRY(read_map(b, tab, &m));
    int64_t named = intern_find(&b->pool, name);
    for (size_t i = 0; i < b->table.n; i++) well_tables += b->table.item[i].role == TABLE_WELL;
    for (size_t i = 0; i < b->n_spans; i++) joined += b->span[i].plate == named;
    bool all = !joined && well_tables == 1;
    for (size_t i = 0; i < b->n_spans; i++)
        if (all || b->span[i].plate == named)
            join_one(b, &m, k, (plate_key){b->span[i].source, b->span[i].batch, b->span[i].plate}, NULL, NULL, 0, seen);
    if (!joined && !all)
        findings_add(
            b->found, FINDING_ERROR, "plate maps of no plate",
            "%s: no plate is called '%s'; a map that is not the only table of screen.well is called as its plate, or is named by a "
            "table with the columns Assay_Plate_Barcode and Plate_Map_Name",
            b->table.item[tab].opened, name);
done:
    map_free(&m);
    free(name);
    return st;
}
