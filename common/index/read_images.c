/* read_images.c -- the rows of one image table of any known kind. Where a channel's path is, is decided channel by channel, so that a table
 * may mix the kinds. */
#include "block_impl.h"
#include "build_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/base/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* A column whose texts are interned unchanged. Most repeat the row above: that one is remembered. */
typedef struct {
    int from;  /* in the table */
    size_t to; /* in b->rows */
    uint32_t last;
} plain_col;

/* The columns of an image's path. -1: none. */
typedef struct {
    int file, folder, url, page;
} path_cols;

/* The folder of the last path, as written and as kept. */
typedef struct {
    text written;
    uint32_t id;
    bool known, moved; /* moved: changed by screen.paths */
} folder_memory;

typedef struct {
    index_builder *b;
    csv *c;
    uint32_t table;
    const char *path;                                  /* of the table, for messages */
    char *dir;                                         /* its folder, relative to the screen's; "" where that is the same */
    int source, batch, plate, well, site, z, compound; /* z: -1 also where planes are not projected */
    plain_col *plain;
    size_t n_plain;
    path_cols *image, *illum;    /* [n_ch] */
    folder_memory *memory;       /* [2 * n_ch] */
    int tall_channel, tall_path; /* tables with a row per image */
    intern_table tall_site;      /* keys of the sites seen, and their rows */
    uint32_t *tall_row;
    size_t tall_cap;
    bool *tall_seen; /* [n_ch] */
    names tall_others;
    text full, key;
} reader;

/* ---- what the header says ---- */

static int find_nocase(const csv *c, const char *name)
{
    int found = csv_col(c, name);
    for (int i = 0; found < 0 && i < csv_n_cols(c); i++)
        if (strcasecmp(csv_col_name(c, i), name) == 0) found = i;
    return found;
}

/* "FileName_" + "Orig" + channel, or without the Orig. */
static int find_loaddata(const csv *c, const char *prefix, const char *kind, const char *channel)
{
    char name[300];
    snprintf(name, sizeof name, "%s%s%s", prefix, kind, channel);
    int col = find_nocase(c, name);
    if (col >= 0 || strcmp(kind, "Orig") != 0) return col;
    snprintf(name, sizeof name, "%s%s", prefix, channel);
    return find_nocase(c, name);
}

static path_cols find_paths(const csv *c, const char *kind, const char *channel)
{
    path_cols p = {-1, -1, -1, -1};
    char name[300];
    p.file = find_loaddata(c, "FileName_", kind, channel);
    p.folder = find_loaddata(c, "PathName_", kind, channel);
    p.url = find_loaddata(c, "URL_", kind, channel);
    p.page = find_loaddata(c, "Frame_", kind, channel);
    if (p.file >= 0 || p.url >= 0 || strcmp(kind, "Orig") != 0) return p;
    snprintf(name, sizeof name, "%s_path", channel); /* jump_download */
    p.file = find_nocase(c, name);
    if (p.file < 0) p.file = find_nocase(c, channel); /* DeepProfiler */
    return p;
}

/* The channel that a column is of, "" for none: candidates for a channel's name that was not found. */
static const char *channel_of(const char *column, char *buf, size_t size)
{
    const char *s = NULL, *end = column + strlen(column);
    if (strncmp(column, "FileName_", 9) == 0) s = column + 9;
    if (strncmp(column, "URL_", 4) == 0) s = column + 4;
    if (s && strncmp(s, "Illum", 5) == 0) s = NULL;
    if (s && strncmp(s, "Orig", 4) == 0) s += 4;
    if (!s && end - column > 5 && strcmp(end - 5, "_path") == 0) s = column, end -= 5;
    snprintf(buf, size, "%.*s", s ? (int)(end - s) : 0, s ? s : "");
    return buf;
}

static void no_channel(reader *r, const char *channel, const names *there)
{
    const char *near = names_nearest(channel, (const char *const *)there->item, there->n);
    text list = {0};
    for (size_t i = 0; i < there->n && i < 20; i++) text_addf(&list, "%s%s", i ? ", " : "", there->item[i]);
    if (near)
        findings_add(r->b->found, FINDING_ERROR, "missing channels", "%s:1: no channel '%s'; did you mean '%s'?", r->path, channel, near);
    else if (there->n)
        findings_add(r->b->found, FINDING_ERROR, "missing channels", "%s:1: no channel '%s'; the table has %s", r->path, channel,
                     text_str(&list));
    else
        findings_add(r->b->found, FINDING_ERROR, "missing channels",
                     "%s:1: no channel '%s': no column FileName_Orig%s, URL_Orig%s, %s_path or %s", r->path, channel, channel, channel,
                     channel, channel);
    text_free(&list);
}

/* With pages: the one column that names the file of all channels, where there is just one. */
static path_cols find_shared(const csv *c)
{
    path_cols p = {-1, -1, -1, -1};
    int n = 0;
    char name[300];
    for (int i = 0; i < csv_n_cols(c); i++) {
        const char *col = csv_col_name(c, i);
        bool url = strncmp(col, "URL_", 4) == 0;
        if (strncmp(col, "FileName_Illum", 14) == 0 || (strncmp(col, "FileName_", 9) != 0 && !url && strcmp(col, "path") != 0)) continue;
        n++;
        p = (path_cols){-1, -1, -1, -1};
        *(url ? &p.url : &p.file) = i;
        snprintf(name, sizeof name, "PathName_%s", strchr(col, '_') ? strchr(col, '_') + 1 : "");
        if (!url) p.folder = csv_col(c, name);
    }
    return n == 1 ? p : (path_cols){-1, -1, -1, -1};
}

static bool find_channels(reader *r)
{
    const names *want = r->b->o->channels;
    bool all = true;
    path_cols shared = r->b->o->pages ? find_shared(r->c) : (path_cols){-1, -1, -1, -1};
    names there = {0};
    char buf[200];
    for (int i = 0; i < csv_n_cols(r->c); i++)
        if (*channel_of(csv_col_name(r->c, i), buf, sizeof buf) && names_find(&there, buf) < 0) names_add(&there, buf);
    for (int k = 0; k < r->b->n_ch; k++) {
        r->image[k] = find_paths(r->c, "Orig", want->item[k]);
        r->illum[k] = find_paths(r->c, "Illum", want->item[k]);
        if (r->image[k].file < 0 && r->image[k].url < 0)
            r->image[k] = (path_cols){shared.file, shared.folder, shared.url, r->image[k].page};
        if (r->image[k].file >= 0 || r->image[k].url >= 0) continue;
        no_channel(r, want->item[k], &there);
        all = false;
    }
    names_free(&there);
    return all;
}

static int need_col(reader *r, const char *const *list)
{
    int col = csv_col_any(r->c, list);
    if (col >= 0) return col;
    const char **known = xmalloc((size_t)csv_n_cols(r->c) * sizeof *known);
    for (int i = 0; i < csv_n_cols(r->c); i++) known[i] = csv_col_name(r->c, i);
    const char *near = names_nearest(list[0], known, (size_t)csv_n_cols(r->c));
    findings_add(r->b->found, FINDING_ERROR, "missing columns", "%s:1: no column '%s'%s%s%s", r->path, list[0],
                 near && *near ? "; did you mean '" : "", near && *near ? near : "", near && *near ? "'?" : "");
    free(known);
    return -1;
}

static status add_plain(reader *r, int from, size_t to)
{
    status st = OK;
    if (from < 0) goto done;
    size_t cap = r->n_plain; /* grows by one: headers are short */
    TRY(mem_grow(&r->plain, &cap, r->n_plain + 1, sizeof *r->plain, r->path));
    r->plain[r->n_plain++] = (plain_col){from, to, 0};
done:
    return st;
}

/* *usable: every key and channel has its column. */
static status map_header(reader *r, bool *usable)
{
    status st = OK;
    csv *c = r->c;
    kept_columns meta = {0};
    r->plate = need_col(r, plate_names);
    r->well = need_col(r, well_names);
    r->site = csv_col_any(r->c, site_names);
    r->z = csv_col_any(c, z_names);
    r->b->table.item[r->table].has_z = r->z >= 0;
    if (!r->b->o->z) r->z = -1;
    r->source = csv_col_any(c, source_names);
    r->batch = csv_col_any(c, batch_names);
    r->compound = csv_col_any(c, compound_names);
    r->tall_channel = csv_col(c, "channel");
    r->tall_path = csv_col(c, "path");
    if (r->tall_path < 0) r->tall_channel = -1;
    r->b->table.item[r->table].no_site = r->site < 0;
    bool channels = r->tall_channel >= 0 || find_channels(r);
    *usable = channels && r->plate >= 0 && r->well >= 0;
    TRY(add_plain(r, r->source, R_SOURCE));
    TRY(add_plain(r, r->batch, R_BATCH));
    TRY(add_plain(r, r->plate, R_PLATE));
    TRY(add_plain(r, r->site, R_SITE));
    TRY(add_plain(r, r->z, R_Z));
    TRY(add_plain(r, r->compound, R_COMPOUND));
    /* With planes their column is not kept; a site column that is no key name (Metadata_FOV) is kept then. */
    if (*usable) TRY(kept_columns_map(&meta, &r->b->rows, c, KEEP_METADATA, r->z >= 0 ? r->z : r->site));
    for (size_t i = 0; i < meta.n; i++) TRY(add_plain(r, meta.from[i], meta.to[i]));
done:
    kept_columns_free(&meta);
    return st;
}

/* ---- paths ---- */

/* Split r->full, a path as the table has it, into folder and file of the row's columns at `to`. */
static status keep_path(reader *r, folder_memory *m, bool moved, size_t to, size_t row)
{
    status st = OK;
    grid *g = &r->b->rows;
    const char *full = text_str(&r->full), *slash = strrchr(full, '/'), *file = slash ? slash + 1 : full;
    size_t n = (size_t)(file - full);
    char *folder = NULL, *whole = NULL;
    if (!m->known || m->moved != moved || m->written.n != n || memcmp(text_str(&m->written), full, n) != 0) {
        text_clear(&m->written);
        text_addn(&m->written, full, n);
        if (url_is_remote(full)) n--; /* further ones belong to an object's name */
        while (n > 1 && full[n - 1] == '/' && !url_is_remote(full)) n--;
        folder = xstrndup(full, n);
        whole = *folder ? path_join(moved ? "" : r->dir, folder) : xstrdup(moved ? "" : r->dir);
        TRY(builder_intern(r->b, whole, &m->id));
        m->known = true;
        m->moved = moved;
    }
    g->col[to + CH_FOLDER].v[row] = m->id;
    TRY(builder_intern(r->b, file, &g->col[to + CH_FILE].v[row]));
done:
    free(folder);
    free(whole);
    return st;
}

static void bad_url(reader *r, const char *url, const char *flaw)
{
    char *shown = url_shown(url);
    findings_add(r->b->found, FINDING_ERROR, "URLs that cannot be fetched", "%s:%lld: '%s' %s", r->path, (long long)csv_line(r->c), shown,
                 flaw);
    free(shown);
}

static void not_a_file(reader *r, const char *url)
{
    const char *host = strstr(url, "://"), *end = host ? strchr(host + 3, '/') : NULL;
    findings_add(r->b->found, FINDING_ERROR, "URLs that are not local files",
                 "%s:%lld: '%s': only http:, https:, s3: and file: URLs are read; for a copy of these files here set screen.paths: {from: "
                 "'%.*s', to: FOLDER}",
                 r->path, (long long)csv_line(r->c), url, end ? (int)(end - url) : (int)strlen(url), url);
}

/* OME-Zarr: an array is a folder of compressed blocks. */
static bool in_zarr(reader *r)
{
    const char *at = strstr(text_str(&r->full), ".zarr");
    if (!at || (at[5] && at[5] != '/')) return false;
    findings_add(r->b->found, FINDING_ERROR, "images in OME-Zarr, which is not read",
                 "%s:%lld: %s: write it as TIFF first, with 'raw2ometiff NAME.zarr NAME.ome.tiff', or in Python, for each channel c: "
                 "tifffile.imwrite('NAME.tif', zarr.open('NAME.zarr')['0'][0, c, 0])",
                 r->path, (long long)csv_line(r->c), text_str(&r->full));
    return true;
}

static status read_path(reader *r, char **field, const path_cols *p, folder_memory *m, size_t to, size_t row)
{
    status st = OK;
    text_clear(&r->full);
    text_add(&r->full, "");
    if (p->file >= 0 && *field[p->file]) {
        if (p->folder >= 0 && *field[p->folder] && *field[p->file] != '/' && !url_is_remote(field[p->file])) {
            text_add(&r->full, field[p->folder]);
            if (r->full.s[r->full.n - 1] != '/') text_add(&r->full, "/");
        }
        text_add(&r->full, field[p->file]);
    } else if (p->url >= 0 && *field[p->url]) {
        text_add(&r->full, field[p->url]);
    }
    if (!r->full.n) return OK;
    bool moved = image_path_move(&r->full, r->b->o->paths_from, r->b->o->paths_to);
    bool remote = url_is_remote(text_str(&r->full));
    const char *flaw = remote ? url_flaw(text_str(&r->full)) : NULL;
    if (flaw) {
        bad_url(r, text_str(&r->full), flaw);
        return OK;
    }
    if (!remote && !image_path_local(&r->full)) {
        not_a_file(r, p->file < 0 || !*field[p->file] ? field[p->url] : text_str(&r->full));
        return OK;
    }
    if (in_zarr(r)) return OK;
    TRY(keep_path(r, m, moved, to, row));
done:
    return st;
}

static void read_page(reader *r, char **field, int channel, const path_cols *p, size_t row)
{
    int64_t page = channel;
    if (!r->b->o->pages) return;
    if (p->page >= 0 && *field[p->page] && (!num_i64(field[p->page], &page) || page < 0 || page > 65535)) {
        findings_add(r->b->found, FINDING_ERROR, "invalid page numbers", "%s:%lld: %s: '%s' is not a whole number from 0 to 65535", r->path,
                     (long long)csv_line(r->c), csv_col_name(r->c, p->page), field[p->page]);
        page = channel;
    }
    uint32_t named = p->page >= 0 && *field[p->page] ? PAGE_NAMED : 0;
    r->b->rows.col[channel_col(channel, CH_PAGE)].v[row] = ((uint32_t)page + 1) | named;
}

/* ---- rows ---- */

/* Keys that cannot be used are findings, and the row is left out. */
static bool good_keys(reader *r, char **field, char well[8])
{
    long long line = (long long)csv_line(r->c);
    const int key[] = {r->plate, r->well, r->site};
    for (int i = 0; i < 3; i++)
        if (key[i] >= 0 && !*field[key[i]]) {
            findings_add(r->b->found, FINDING_ERROR, "empty cells in required columns", "%s:%lld: %s is empty", r->path, line,
                         csv_col_name(r->c, key[i]));
            return false;
        }
    double z;
    if (r->z >= 0 && !num_f64(field[r->z], &z)) {
        findings_add(r->b->found, FINDING_ERROR, "invalid planes", "%s:%lld: %s: '%s' is not a number", r->path, line,
                     csv_col_name(r->c, r->z), field[r->z]);
        return false;
    }
    if (text_well(field[r->well], well)) return true;
    findings_add(r->b->found, FINDING_ERROR, "invalid well names", "%s:%lld: bad well '%s'; wells run from A01 to AF48", r->path, line,
                 field[r->well]);
    return false;
}

static status new_row(reader *r, char **field, const char *well, size_t *at)
{
    status st = OK;
    index_builder *b = r->b;
    TRY(grid_add_row(&b->rows));
    *at = b->rows.n - 1;
    b->rows.col[R_TABLE].v[*at] = r->table;
    b->rows.col[R_LINE].v[*at] = csv_line(r->c) < UINT32_MAX ? (uint32_t)csv_line(r->c) : UINT32_MAX;
    TRY(builder_intern(b, well, &b->rows.col[R_WELL].v[*at]));
    for (size_t i = 0; i < r->n_plain; i++) {
        plain_col *p = &r->plain[i];
        if (strcmp(builder_text(b, p->last), field[p->from]) != 0) TRY(builder_intern(b, field[p->from], &p->last));
        b->rows.col[p->to].v[*at] = p->last;
    }
    if (r->site < 0) TRY(builder_intern(b, "1", &b->rows.col[R_SITE].v[*at]));
done:
    return st;
}

static status wide_row(reader *r, char **field, const char *well)
{
    status st = OK;
    size_t row;
    TRY(new_row(r, field, well, &row));
    for (int k = 0; k < r->b->n_ch; k++) {
        TRY(read_path(r, field, &r->image[k], &r->memory[k], channel_col(k, 0), row));
        if (r->illum[k].file >= 0 || r->illum[k].url >= 0) {
            TRY(read_path(r, field, &r->illum[k], &r->memory[r->b->n_ch + k], channel_col(k, CH_ILLUM_FOLDER), row));
            r->b->illumination = true;
        }
        read_page(r, field, k, &r->image[k], row);
    }
done:
    return st;
}

static int channel_named(const names *channels, const char *name)
{
    long at = names_find(channels, name);
    for (size_t i = 0; at < 0 && i < channels->n; i++)
        if (strcasecmp(channels->item[i], name) == 0) at = (long)i;
    return (int)at;
}

static status tall_row(reader *r, char **field, const char *well)
{
    status st = OK;
    index_builder *b = r->b;
    uint32_t id;
    size_t row;
    const char *channel = field[r->tall_channel];
    int k = channel_named(b->o->channels, channel);
    if (k < 0) {
        if (names_find(&r->tall_others, channel) < 0 && r->tall_others.n < 100) names_add(&r->tall_others, channel);
        return OK;
    }
    r->tall_seen[k] = true;
    text_clear(&r->key);
    const int part[] = {r->source, r->batch, r->plate, r->site, r->z};
    for (int i = 0; i < 5; i++) /* lengths keep "a","bc" and "ab","c" apart */
        if (part[i] >= 0) text_addf(&r->key, "%zu:%s", strlen(field[part[i]]), field[part[i]]);
    text_add(&r->key, well);
    size_t known = r->tall_site.n;
    TRY(intern_add(&r->tall_site, text_str(&r->key), &id));
    TRY(mem_grow(&r->tall_row, &r->tall_cap, r->tall_site.n, sizeof *r->tall_row, r->path));
    if (id == known) {
        TRY(new_row(r, field, well, &row));
        r->tall_row[id] = (uint32_t)row;
    }
    row = r->tall_row[id];
    if (b->rows.col[channel_col(k, CH_FILE)].v[row]) {
        findings_add(b->found, FINDING_ERROR, "duplicate images", "%s:%lld: channel %s of %s site %s is already given%s", r->path,
                     (long long)csv_line(r->c), channel, well, r->site < 0 ? "1" : field[r->site],
                     r->z < 0 && r->b->table.item[r->table].has_z ? "; tile.z makes one image of the planes of Z" : "");
        return OK;
    }
    const path_cols p = {r->tall_path, -1, -1, -1};
    TRY(read_path(r, field, &p, &r->memory[k], channel_col(k, 0), row));
    read_page(r, field, k, &p, row);
done:
    return st;
}

static status read_rows(reader *r)
{
    status st = OK;
    char **field, well[8];
    bool more;
    for (;;) {
        TRY(csv_next(r->c, &field, &more));
        if (!more) break;
        if (!good_keys(r, field, well)) continue;
        if (r->tall_channel >= 0)
            TRY(tall_row(r, field, well));
        else
            TRY(wide_row(r, field, well));
    }
    r->b->table.item[r->table].digest = csv_digest(r->c);
    for (int k = 0; r->tall_channel >= 0 && k < r->b->n_ch; k++)
        if (!r->tall_seen[k]) no_channel(r, r->b->o->channels->item[k], &r->tall_others);
done:
    return st;
}

static void reader_free(reader *r)
{
    csv_close(&r->c);
    for (int i = 0; r->memory && i < 2 * r->b->n_ch; i++) text_free(&r->memory[i].written);
    free(r->memory);
    free(r->dir);
    free(r->plain);
    free(r->image);
    free(r->illum);
    free(r->tall_row);
    free(r->tall_seen);
    intern_free(&r->tall_site);
    names_free(&r->tall_others);
    text_free(&r->full);
    text_free(&r->key);
}

status read_images(index_builder *b, size_t tab)
{
    status st = OK;
    bool usable;
    reader r = {.b = b, .table = (uint32_t)tab, .path = b->table.item[tab].opened};
    size_t n = (size_t)b->n_ch;
    r.image = xcalloc(n, sizeof *r.image);
    r.illum = xcalloc(n, sizeof *r.illum);
    r.memory = xcalloc(2 * n, sizeof *r.memory);
    r.tall_seen = xcalloc(n, sizeof *r.tall_seen);
    r.dir = strchr(b->table.item[tab].path, '/') ? path_dir(b->table.item[tab].path) : xstrdup("");
    TRY(csv_open(&r.c, r.path));
    TRY(map_header(&r, &usable));
    if (usable) TRY(read_rows(&r));
done:
    reader_free(&r);
    return builder_report(b, st);
}
