/* table_files.c -- the tables that the options name, and the digest of the options. */
#include "build_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <stdlib.h>
#include <string.h>

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
    if (n && strncmp(opened, dir, n) == 0 && (opened[n] == '/' || dir[n - 1] == '/')) /* make it relative to dir again */
        for (path += n; *path == '/';) path++;
    if (text_ends(opened, ".zarr") && path_is_dir(opened)) {
        findings_add(
            found, FINDING_ERROR, "unreadable tables",
            "%s: OME-Zarr is not read: write its images as TIFF, with raw2ometiff or from Python, then micon index makes the table",
            opened);
        return OK;
    }
    if (role == TABLE_IMAGES && path_is_dir(opened)) {
        findings_add(found, FINDING_ERROR, "unreadable tables",
                     "%s: is a folder, not a table; micon index writes the table of the images in a folder", opened);
        return OK;
    }
    if (path_stat(opened, &size, &mtime_ns) != OK) {
        findings_add(found, FINDING_ERROR, "unreadable tables", "%s", msg_get());
        msg_clear();
        return OK;
    }
    for (size_t i = 0; i < out->n; i++)
        if (out->item[i].role == role && strcmp(out->item[i].path, path) == 0) return OK; /* two patterns name it */
    TRY(mem_grow(&out->item, &out->cap, out->n + 1, sizeof *out->item, "tables"));
    out->item[out->n++] = (table_file){.path = xstrdup(path), .opened = xstrdup(opened), .role = role, .size = size, .mtime_ns = mtime_ns};
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

char *table_of_plate_map(const char *barcodes, const char *name)
{
    static const char *const folder[] = {"platemap", ""}, *const end[] = {"",         ".txt",    ".tsv",    ".csv",
                                                                          ".parquet", ".txt.gz", ".tsv.gz", ".csv.gz"};
    char *dir = path_dir(barcodes), *found = NULL;
    for (size_t i = 0; i < 2 && *name && !found; i++)
        for (size_t k = 0; k < sizeof end / sizeof *end && !found; k++) {
            char *inner = path_join(dir, folder[i]), *file = xasprintf("%s%s", name, end[k]),
                 *path = path_join(*folder[i] ? inner : dir, file);
            if (path_exists(path) && !path_is_dir(path)) found = xstrdup(path);
            free(inner);
            free(file);
            free(path);
        }
    free(dir);
    return found;
}

/* The plate maps that a well table names, where it is a barcode table. What is wrong with it is found when it is read. */
static status list_plate_maps(table_files *out, const char *dir, const char *opened, findings *found)
{
    status st = OK;
    csv *c = NULL;
    char **field, *last = NULL;
    bool more = true;
    if (csv_open(&c, opened) != OK || !is_barcode_table(c)) goto done;
    int map = csv_col_any(c, map_names);
    while (csv_next(c, &field, &more) == OK && more) {
        if (last && strcmp(last, field[map]) == 0) continue;
        free(last);
        last = xstrdup(field[map]);
        char *path = table_of_plate_map(opened, last);
        if (path) st = add_table(out, dir, path, TABLE_MAP, found);
        free(path);
        TRY(st);
    }
done:
    if (st == OK) msg_clear();
    csv_close(&c);
    free(last);
    return st;
}

status table_files_list(table_files *out, const index_options *o, findings *found)
{
    status st = OK;
    const names *lists[] = {o->images, o->plate, o->well, o->compound};
    const char *dir = strcmp(o->dir, ".") == 0 ? "" : o->dir;
    for (int role = TABLE_IMAGES; role <= TABLE_COMPOUND; role++)
        for (size_t i = 0; lists[role] && i < lists[role]->n; i++) TRY(list_one(out, dir, lists[role]->item[i], role, found));
    for (size_t i = 0, n = out->n; i < n; i++) {
        if (out->item[i].role != TABLE_WELL) continue;
        char *opened = xstrdup(out->item[i].opened); /* the list grows */
        st = list_plate_maps(out, dir, opened, found);
        free(opened);
        TRY(st);
    }
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

/* Tables in the screen's own folder take their batch from its name, which their pattern does not contain. */
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
    const char *texts[] = {o->batch, o->paths_from, o->paths_to};
    uint64_t d = digest_mix(digest_mix(0, o->pages), (uint64_t)o->z);
    for (size_t k = 0; k < sizeof texts / sizeof *texts; k++) d = digest_mix(d, digest_text(texts[k] ? texts[k] : ""));
    for (size_t k = 0; k < sizeof lists / sizeof *lists; k++) {
        d = digest_mix(d, lists[k] ? lists[k]->n : 0);
        for (size_t i = 0; lists[k] && i < lists[k]->n; i++) d = digest_mix(d, digest_text(lists[k]->item[i]));
    }
    for (size_t i = 0; o->images && i < o->images->n; i++) d = mix_folder(d, o, o->images->item[i]);
    return d;
}
