/* compound_tables.c -- reading the compound tables: the columns that are used, and all rows. */
#include "featurize.h"

#include "micon/base/fault.h"
#include "micon/base/mem.h"
#include "micon/index/index.h"

#include <stdlib.h>
#include <string.h>

/* The same names as in the index (index.h), so that wells and compounds can be joined. */
static const char *const id_names[] = {"Metadata_JCP2022",      "JCP2022",      "Metadata_Compound", "Compound",
                                       "Metadata_broad_sample", "broad_sample", "CompoundID",        NULL};
static const char *const key_names[] = {"Metadata_InChIKey", "InChIKey", "Metadata_inchikey", "inchikey", NULL};
const char identifier_columns[] = "Metadata_JCP2022, Metadata_Compound, Metadata_broad_sample (with or without Metadata_)";

int identifier_column(const char *const *name, int n)
{
    for (const char *const *want = id_names; *want; want++)
        for (int i = 0; i < n; i++)
            if (strcmp(name[i], *want) == 0) return i;
    return -1;
}

static int find_column(const table *t, const char *const *want)
{
    int col = -1;
    for (; col < 0 && *want; want++) col = table_col(t, *want);
    return col;
}

static status no_column(const table *t, const char *what, const char *wanted)
{
    text have = {0};
    char shown[160];
    for (int c = 0; c < table_n_cols(t); c++) text_addf(&have, "%s%s", c ? ", " : "", table_col_name(t, c));
    status st = fail(E_FORMAT, "%s:1: no column with %s (%s); it has %s", table_path(t), what, wanted,
                     text_show(shown, sizeof shown, text_str(&have)));
    text_free(&have);
    return st;
}

static status add_rows(compound_tables *t, int k, size_t *cap)
{
    const table *tab = t->item[k];
    int id = find_column(tab, id_names), smiles = find_column(tab, index_smiles_columns), key = find_column(tab, key_names),
        name = table_col(tab, INDEX_COMPOUND_NAME);
    if (id < 0) return no_column(tab, "the compounds' identifiers", identifier_columns);
    if (smiles < 0) return no_column(tab, "SMILES", "Metadata_SMILES, SMILES, smiles");
    int64_t n = table_n_rows(tab);
    status st = mem_grow(&t->row, cap, (size_t)(t->n_rows + n), sizeof *t->row, "rows of the compound tables");
    if (st != OK) return st;
    for (int64_t i = 0; i < n; i++)
        t->row[t->n_rows++] = (compound_row){.id = index_compound_id(table_cell(tab, i, id), name < 0 ? "" : table_cell(tab, i, name)),
                                             .smiles = table_cell(tab, i, smiles),
                                             .key = key < 0 ? "" : table_cell(tab, i, key),
                                             .table = k,
                                             .line = table_line(tab, i)};
    return OK;
}

status compound_tables_read(compound_tables *out, input_digests *in)
{
    status st = OK;
    size_t cap = 0;
    out->item = xcalloc(in->n, sizeof(table *));
    for (size_t i = 0; i < in->n; i++) {
        TRY(fault("read compounds"));
        TRY(table_read(&out->item[out->n], in->item[i].path));
        out->n++;
        in->item[i].digest = table_digest(out->item[i]);
        TRY(add_rows(out, (int)i, &cap));
    }
    if (out->n_rows == 0) st = fail(E_FORMAT, "%s: the compound table has no rows", in->n ? in->item[0].path : "screen.compound");
done:
    return st;
}

void compound_tables_free(compound_tables *t)
{
    for (int i = 0; i < t->n; i++) table_free(&t->item[i]);
    free(t->item);
    free(t->row);
    *t = (compound_tables){0};
}

const char *compound_row_path(const compound_tables *t, const compound_row *r)
{
    return table_path(t->item[r->table]);
}
