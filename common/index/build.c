/* build.c -- making an index: the tables in turn, each step in a file of its own. */
#include "build_impl.h"
#include "serialize_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <ctype.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- columns ---- */

status grid_add_col(grid *g, const char *name, size_t *col)
{
    status st = OK;
    uint32_t *v = NULL;
    TRY(mem_grow(&g->col, &g->cols_cap, g->n_cols + 1, sizeof *g->col, "columns"));
    TRY(mem_alloc(&v, g->cap, sizeof *v, name));
    g->col[g->n_cols] = (grid_col){xstrdup(name), v};
    *col = g->n_cols++;
done:
    return st;
}

long grid_find(const grid *g, const char *name)
{
    for (size_t i = 0; i < g->n_cols; i++)
        if (strcmp(g->col[i].name, name) == 0) return (long)i;
    return -1;
}

status grid_add_row(grid *g)
{
    status st = OK;
    if (g->n == g->cap) {
        size_t cap = g->cap;
        for (size_t i = 0; i < g->n_cols; i++) {
            cap = g->cap;
            TRY(mem_grow(&g->col[i].v, &cap, g->n + 1, sizeof *g->col[i].v, g->col[i].name));
        }
        g->cap = cap;
    }
    if (g->n >= UINT32_MAX - 1) TRY(fail(E_FAILED, "more than 4294967294 rows"));
    for (size_t i = 0; i < g->n_cols; i++) g->col[i].v[g->n] = 0;
    g->n++;
done:
    return st;
}

void grid_free(grid *g)
{
    for (size_t i = 0; i < g->n_cols; i++) {
        free(g->col[i].name);
        free(g->col[i].v);
    }
    free(g->col);
    *g = (grid){0};
}

const char *word_of(const builder *b, uint32_t id)
{
    return intern_at(&b->pool, id);
}

status intern(builder *b, const char *s, uint32_t *id)
{
    return intern_add(&b->pool, s, id);
}

/* ---- names of columns ---- */

const char *const source_names[] = {"Metadata_Source", "Source", "source", NULL};
const char *const batch_names[] = {"Metadata_Batch", "Batch", "batch", NULL};
const char *const plate_names[] = {"Metadata_Plate", "Plate", "plate", NULL};
const char *const well_names[] = {"Metadata_Well", "Well", "well", NULL};
const char *const site_names[] = {"Metadata_Site", "Site", "site", "Metadata_FOV", "Metadata_Fov", "FOV", NULL};
const char *const compound_names[] = {"Metadata_JCP2022", "JCP2022", "Metadata_Compound", "Compound", "Metadata_broad_sample",
                                      "broad_sample",     NULL};

int csv_col_any(const csv *c, const char *const *list)
{
    int col = -1;
    for (; *list && col < 0; list++) col = csv_col(c, *list);
    return col;
}

bool is_key_name(const char *name)
{
    static const char *const *const keys[] = {source_names, batch_names, plate_names, well_names};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (const char *const *s = keys[k]; *s; s++)
            if (strcmp(name, *s) == 0) return true;
    return strcmp(name, "Metadata_Site") == 0 || strcmp(name, "Metadata_Compound") == 0;
}

const char *metadata_name(const char *column, bool compound_table)
{
    static const char *const known[][2] = {{"SMILES", "Metadata_SMILES"},   {"InChIKey", "Metadata_InChIKey"},
                                           {"InChI", "Metadata_InChI"},     {"moa", "Metadata_moa"},
                                           {"target", "Metadata_target"},   {"pert_type", "Metadata_pert_type"},
                                           {"pert_iname", "Metadata_Name"}, {"control_type", "Metadata_control_type"}};
    if (strncmp(column, "Metadata_", 9) == 0 && column[9]) return column;
    for (size_t i = 0; compound_table && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(column, known[i][0]) == 0) return known[i][1];
    return NULL;
}

/* ---- the list of tables ---- */

void table_files_free(table_files *t)
{
    for (size_t i = 0; i < t->n; i++) {
        free(t->item[i].path);
        free(t->item[i].opened);
    }
    free(t->item);
    *t = (table_files){0};
}

static status add_table(table_files *out, const char *dir, const char *opened, int role, findings *found)
{
    status st = OK;
    size_t n = strlen(dir);
    int64_t size, mtime_ns;
    const char *path = opened;
    if (n && strncmp(opened, dir, n) == 0 && (opened[n] == '/' || dir[n - 1] == '/')) /* back to what it is relative to dir */
        for (path += n; *path == '/';) path++;
    if (path_stat(opened, &size, &mtime_ns) != OK) {
        findings_add(found, FINDING_ERROR, "unreadable tables", "%s", msg_get());
        msg_clear();
        return OK;
    }
    for (size_t i = 0; i < out->n; i++)
        if (out->item[i].role == role && strcmp(out->item[i].path, path) == 0) return OK; /* two patterns name it */
    TRY(mem_grow(&out->item, &out->cap, out->n + 1, sizeof *out->item, "tables"));
    out->item[out->n++] = (table_file){xstrdup(path), xstrdup(opened), role, size, mtime_ns, 0};
done:
    return st;
}

static status list_one(table_files *out, const char *dir, const char *pattern, int role, findings *found)
{
    status st = OK;
    static const char *const roles[] = {"screen.index", "screen.plate", "screen.well", "screen.compound"};
    names match = {0};
    char *plain = path_join(dir, pattern);
    if (path_glob(&match, dir, pattern) != OK) {
        findings_add(found, FINDING_ERROR, "unreadable tables", "%s: %s", roles[role], msg_get());
        msg_clear();
    } else if (!match.n) {
        findings_add(found, FINDING_ERROR, "missing tables", "%s: no such file, and nothing matches it: %s", roles[role], plain);
    }
    for (size_t i = 0; i < match.n; i++) TRY(add_table(out, dir, match.item[i], role, found));
done:
    names_free(&match);
    free(plain);
    return st;
}

status table_files_list(table_files *out, const index_options *o, findings *found)
{
    status st = OK;
    const names *lists[] = {o->images, o->plate, o->well, o->compound};
    const char *dir = strcmp(o->dir, ".") == 0 ? "" : o->dir;
    for (int role = TABLE_IMAGES; role <= TABLE_COMPOUND; role++)
        for (size_t i = 0; lists[role] && i < lists[role]->n; i++) TRY(list_one(out, dir, lists[role]->item[i], role, found));
    if (!o->images || !o->images->n) findings_add(found, FINDING_ERROR, "missing tables", "screen.index: names no image table");
done:
    return st;
}

bool table_folder_is_nameless(const char *dir)
{
    const char *name = path_base(dir);
    return !*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

char *table_folder_name(const char *table_name)
{
    char *dir = path_dir(table_name), *full = realpath(dir, NULL), *name = xstrdup(full && full[1] ? path_base(full) : "B1");
    free(dir);
    free(full);
    return name;
}

/* Tables that lie in the screen's own folder take their batch from its name, which no pattern tells. */
static uint64_t mix_folder(uint64_t d, const index_options *o, const char *pattern)
{
    char *dir = path_dir(pattern);
    if (table_folder_is_nameless(dir)) {
        char *full = path_join(o->dir, pattern), *name = table_folder_name(full);
        d = digest_mix(d, digest_text(name));
        free(full);
        free(name);
    }
    free(dir);
    return d;
}

uint64_t index_options_digest(const index_options *o)
{
    const names *lists[] = {o->images, o->plate, o->well, o->compound, o->channels, o->control, o->treatment};
    uint64_t d = digest_mix(0, o->pages);
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        d = digest_mix(d, lists[k] ? lists[k]->n : 0);
        for (size_t i = 0; lists[k] && i < lists[k]->n; i++) d = digest_mix(d, digest_text(lists[k]->item[i]));
    }
    for (size_t i = 0; o->images && i < o->images->n; i++) d = mix_folder(d, o, o->images->item[i]);
    return d;
}

status table_trouble(builder *b, status st)
{
    if (st == OK || st == E_NOMEM) return st;
    findings_add(b->found, FINDING_ERROR, "unreadable tables", "%s", msg_get());
    msg_clear();
    return OK;
}

/* ---- all of it ---- */

static status fixed_columns(builder *b)
{
    status st = OK;
    size_t at;
    uint32_t id;
    TRY(intern(b, "", &id));
    for (size_t i = 0; i < rows_fixed(b); i++) TRY(grid_add_col(&b->rows, "", &at));
    for (size_t i = 0; i < P_FIXED; i++) TRY(grid_add_col(&b->plates, "", &at));
    for (size_t i = 0; i < W_FIXED; i++) TRY(grid_add_col(&b->wells, "", &at));
    for (size_t i = 0; i < C_FIXED; i++) TRY(grid_add_col(&b->compounds, "", &at));
done:
    return st;
}

static void builder_free(builder *b)
{
    intern_free(&b->pool);
    table_files_free(&b->table);
    grid_free(&b->rows);
    grid_free(&b->plates);
    grid_free(&b->wells);
    grid_free(&b->compounds);
    free(b->order);
    free(b->well_of);
    free(b->compound_of);
    free(b->span);
}

status index_build(screen_index **out, const index_options *o)
{
    status st = OK;
    findings found = {0};
    joined j = {0};
    builder b = {.o = o, .found = &found, .n_ch = (int)o->channels->n};
    if (o->channels->n > INDEX_MAX_CHANNELS) TRY(fail(E_USAGE, "screen.channels: more than %d channels", INDEX_MAX_CHANNELS));
    TRY(fixed_columns(&b));
    TRY(table_files_list(&b.table, o, &found));
    for (size_t i = 0; i < b.table.n; i++)
        if (b.table.item[i].role == TABLE_IMAGES) TRY(read_images(&b, i));
    TRY(read_plate_tables(&b));
    TRY(resolve_plates(&b));
    TRY(sort_rows(&b));
    TRY(join_wells(&b));
    TRY(join_compounds(&b));
    TRY(join_columns(&b, &j));
    TRY(number_classes(&b, &j));
    report_rows(&b, &j);
    TRY(freeze(&b, &j, out));
done:
    joined_free(&j);
    builder_free(&b);
    findings_free(&found);
    return st;
}
