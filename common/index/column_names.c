/* column_names.c -- the names under which tables give the keys, and the columns that are kept as metadata. */
#include "build_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

const char *const source_names[] = {"Metadata_Source", "Source", "source", NULL};
const char *const batch_names[] = {"Metadata_Batch", "Batch", "batch", NULL};
const char *const plate_names[] = {"Metadata_Plate", "Plate", "plate", NULL};
const char *const well_names[] = {"Metadata_Well", "Well", "well", "Metadata_well_position", "well_position", NULL};
const char *const barcode_names[] = {"Assay_Plate_Barcode", "Metadata_Assay_Plate_Barcode", NULL};
const char *const map_names[] = {"Plate_Map_Name", "Metadata_Plate_Map_Name", NULL};
const char *const site_names[] = {"Metadata_Site", "Site", "site", "Metadata_FOV", "Metadata_Fov", "FOV", NULL};
const char *const z_names[] = {"Metadata_Z", "Z", "z", NULL};
const char *const compound_names[] = {"Metadata_JCP2022", "JCP2022", "Metadata_Compound", "Compound", "Metadata_broad_sample",
                                      "broad_sample",     NULL};

const char *const index_smiles_columns[] = {"Metadata_SMILES", "SMILES", "Metadata_smiles", "smiles", NULL};

int csv_col_any(const csv *c, const char *const *list)
{
    int col = -1;
    for (; *list && col < 0; list++) col = csv_col(c, *list);
    return col;
}

bool is_barcode_table(const csv *c)
{
    return csv_col_any(c, barcode_names) >= 0 && csv_col_any(c, map_names) >= 0;
}

bool is_plate_grid(const csv *c)
{
    int64_t number;
    if (csv_n_cols(c) < 2 || csv_n_cols(c) > 49) return false;
    for (int i = 1; i < csv_n_cols(c); i++)
        if (!num_i64(csv_col_name(c, i), &number) || number != i) return false;
    return true;
}

bool is_plate_map(const csv *c)
{
    return is_plate_grid(c) || (csv_col_any(c, well_names) >= 0 && csv_col_any(c, plate_names) < 0 && !is_barcode_table(c));
}

bool is_missing(const char *cell)
{
    return !*cell || strcmp(cell, "NA") == 0 || strcasecmp(cell, "nan") == 0;
}

const char *index_compound_id(const char *identifier, const char *name)
{
    return is_missing(identifier) && !is_missing(name) ? name : identifier;
}

bool is_key_name(const char *name)
{
    static const char *const *const keys[] = {source_names, batch_names, plate_names, well_names};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (const char *const *s = keys[k]; *s; s++)
            if (strcmp(name, *s) == 0) return true;
    return strcmp(name, "Metadata_Site") == 0 || strcmp(name, "Metadata_Compound") == 0;
}

/* The name under which a column is kept, or NULL. Caller frees. */
static char *kept_name(const char *column, keep_which which)
{
    static const char *const known[][2] = {{"SMILES", "Metadata_SMILES"},   {"InChIKey", "Metadata_InChIKey"},
                                           {"InChI", "Metadata_InChI"},     {"moa", "Metadata_moa"},
                                           {"target", "Metadata_target"},   {"pert_type", "Metadata_pert_type"},
                                           {"pert_iname", "Metadata_Name"}, {"control_type", "Metadata_control_type"}};
    if (strncmp(column, "Metadata_", 9) == 0 && (column[9] || which == KEEP_ALL)) return xstrdup(column);
    if (which == KEEP_ALL && *column) return xasprintf("Metadata_%s", column);
    for (size_t i = 0; which == KEEP_METADATA_COMPOUNDS && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(column, known[i][0]) == 0) return xstrdup(known[i][1]);
    return NULL;
}

static status keep_column(kept_columns *k, grid *g, int from, const char *name)
{
    long at = grid_find(g, name);
    size_t to = (size_t)at;
    status st = at < 0 ? grid_add_col(g, name, &to) : OK;
    k->from[k->n] = from;
    k->to[k->n++] = to;
    return st;
}

status kept_columns_map(kept_columns *k, grid *g, const csv *c, keep_which which, int skip)
{
    status st = OK;
    k->from = xcalloc((size_t)csv_n_cols(c), sizeof *k->from);
    k->to = xcalloc((size_t)csv_n_cols(c), sizeof *k->to);
    for (int i = 0; i < csv_n_cols(c) && st == OK; i++) {
        char *name = i == skip || is_key_name(csv_col_name(c, i)) ? NULL : kept_name(csv_col_name(c, i), which);
        if (name && !is_key_name(name)) st = keep_column(k, g, i, name);
        free(name);
    }
    return st;
}

void kept_columns_free(kept_columns *k)
{
    free(k->from);
    free(k->to);
}
