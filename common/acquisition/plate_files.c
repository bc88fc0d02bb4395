/* plate_files.c -- walking a folder, and what the names of its images say (plate_files.h). */
#include "micon/acquisition/plate_files.h"

#include "export_impl.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "name_pattern_impl.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_DEPTH = 12 };

/* The more telling names first; an ImageXpress numbers sites and channels only where there are several. */
static const char *const known[] = {
    "r{row}c{col}f{site}p{z}-ch{channel}sk{time}fk{*}fl{*}.tiff",
    "r{row}c{col}f{site}p{z}-ch{channel}sk{time}fk{*}fl{*}.tif",
    "{plate}_{well}_T{time}F{site}L{*}A{*}Z{z}C{channel}.tif",
    "{plate}_{well}_s{site}_w{channel}{guid}.tif",
    "{plate}_{well}_w{channel}{guid}.tif",
    "{plate}_{well}_s{site}{guid}.tif",
    "{plate}_{well}_s{site}_w{channel}.tif",
    "{plate}_{well}_w{channel}.tif",
    "{well}--W{*}--P{site}--Z{z}--T{time}--{channel}.tif",
};

void plate_files_free(plate_files *f)
{
    for (size_t i = 0; i < f->n; i++) plate_file_free(&f->item[i]);
    for (size_t i = 0; i < f->n_cells; i++) free(f->cell[i].plate), free(f->cell[i].value);
    free(f->item);
    free(f->cell);
    names_free(&f->unknown);
    names_free(&f->told);
    names_free(&f->layer);
    *f = (plate_files){0};
}

/* ---- what a path says ---- */

static int64_t number_of(const name_fields *f, field_kind k, int64_t otherwise)
{
    return f->at[k] ? strtoll(f->at[k], NULL, 10) : otherwise;
}

/* N of the last folder PREFIXN of a path, or `otherwise`. */
static int64_t folder_number(const char *path, const char *prefix, int64_t otherwise)
{
    for (const char *p = path; (p = strchr(p, '/')) != NULL;)
        if (strncmp(++p, prefix, strlen(prefix)) == 0 && strchr(p, '/')) otherwise = strtoll(p + strlen(prefix), NULL, 10);
    return otherwise;
}

static char *channel_of(const name_fields *f)
{
    char *name = f->at[FIELD_CHANNEL] ? xstrndup(f->at[FIELD_CHANNEL], f->n[FIELD_CHANNEL]) : xstrdup("1");
    if (name[strspn(name, "0123456789")]) return name;
    char *numbered = xasprintf("Ch%lld", strtoll(name, NULL, 10));
    free(name);
    return numbered;
}

/* False: row or column are of no plate. */
static bool well_of(const name_fields *f, char out[8])
{
    char place[16];
    if (f->at[FIELD_WELL]) {
        snprintf(place, sizeof place, "%.*s", (int)f->n[FIELD_WELL], f->at[FIELD_WELL]);
    } else if (isalpha((unsigned char)*f->at[FIELD_ROW])) {
        snprintf(place, sizeof place, "%.*s%d", (int)f->n[FIELD_ROW], f->at[FIELD_ROW], (int)number_of(f, FIELD_COL, 0));
    } else {
        return plate_well_name(number_of(f, FIELD_ROW, 0), number_of(f, FIELD_COL, 0), out);
    }
    return text_well(place, out);
}

static status add_file(plate_files *f, const char *path, const char *pattern)
{
    name_fields found;
    bool is = false;
    plate_file p = {0};
    if (pattern && *pattern) is = name_pattern_match(pattern, path, &found);
    for (size_t k = 0; !is && !(pattern && *pattern) && k < sizeof known / sizeof *known; k++)
        is = name_pattern_match(known[k], path, &found);
    if (!is || !well_of(&found, p.well)) {
        names_add(&f->unknown, path);
        return OK;
    }
    p.path = xstrdup(path);
    p.plate = found.at[FIELD_PLATE] ? xstrndup(found.at[FIELD_PLATE], found.n[FIELD_PLATE]) : plate_name_of_folder(path);
    p.channel = channel_of(&found);
    p.site = number_of(&found, FIELD_SITE, 1);
    p.z = number_of(&found, FIELD_Z, folder_number(path, "ZStep_", 1));
    p.time = number_of(&found, FIELD_TIME, folder_number(path, "TimePoint_", 1));
    return plate_files_add(f, p);
}

/* ---- the walk ---- */

static int by_bytes(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

static int by_name(const void *p, const void *q)
{
    return strcmp(path_base((*(plate_file *const *)p)->path), path_base((*(plate_file *const *)q)->path));
}

/* The images of a folder that a microscope's file names, from `first` on, sorted by name; NULL: there is no such file. */
static status read_export(plate_files *f, const export_folder *d, size_t *n, char ***listed)
{
    status st = OK;
    bool found = false;
    const plate_file **by = NULL;
    size_t first = f->n;
    TRY(operetta_read(f, d, &found));
    if (!found) TRY(yokogawa_read(f, d, &found));
    if (!found) goto done;
    *n = f->n - first;
    TRY(mem_alloc(&by, *n, sizeof *by, "names of images"));
    TRY(mem_alloc(listed, *n, sizeof **listed, "names of images"));
    for (size_t i = 0; i < *n; i++) by[i] = &f->item[first + i];
    qsort(by, *n, sizeof *by, by_name);
    for (size_t i = 0; i < *n; i++) (*listed)[i] = (char *)(uintptr_t)path_base(by[i]->path); /* the paths stay where they are */
done:
    free(by);
    return st;
}

static int same_name(const void *key, const void *entry)
{
    return strcmp(key, *(char *const *)entry);
}

/* What microscopes write is TIFF; a pattern may name any kind of image that is read. */
static bool is_image(const char *name, bool by_pattern)
{
    static const char *const endings[] = {".tif", ".tiff", ".png", ".jpg", ".jpeg", ".jp2"};
    const char *end = strrchr(name, '.');
    for (size_t i = 0; end && i < (by_pattern ? sizeof endings / sizeof *endings : 2); i++)
        if (strcasecmp(end, endings[i]) == 0) return true;
    return false;
}

static status walk(plate_files *f, const char *dir, const char *pattern, int depth);

static status look_at(plate_files *f, const char *path, const char *pattern, int depth, char **listed, size_t n_listed)
{
    const char *name = path_base(path);
    if (path_is_dir(path)) return depth < MOST_DEPTH ? walk(f, path, pattern, depth + 1) : OK;
    if (!is_image(name, pattern && *pattern)) return OK;
    if (listed && bsearch(name, listed, n_listed, sizeof *listed, same_name)) return OK;
    if (strstr(name, "_thumb"))
        f->n_thumbnails++;
    else if (listed)
        names_add(&f->unknown, path);
    else
        return add_file(f, path, pattern);
    return OK;
}

static status walk(plate_files *f, const char *dir, const char *pattern, int depth)
{
    status st = OK;
    struct dirent **entry = NULL;
    char shown[300], **listed = NULL;
    size_t n_listed = 0, first = f->n;
    bool by_names = pattern && *pattern;
    int n = scandir(dir, &entry, is_shown, by_bytes);
    if (n < 0) return fail(E_IO, "%s: %s", text_show(shown, sizeof shown, dir), strerror(errno));
    export_folder d = {dir, entry, (size_t)n};
    if (!by_names) TRY(read_export(f, &d, &n_listed, &listed));
    for (int i = 0; i < n; i++) {
        char *path = path_join(dir, entry[i]->d_name);
        st = look_at(f, path, pattern, depth, listed, n_listed);
        free(path);
        TRY(st);
    }
    if (!by_names) TRY(imagexpress_name_channels(f, &d, first));
done:
    for (int i = 0; i < n; i++) free(entry[i]);
    free(entry);
    free(listed);
    return st;
}

status plate_files_find(plate_files *f, const char *folder, const char *pattern)
{
    status st = OK;
    char full[PATH_MAX], shown[300];
    if (pattern && *pattern) TRY(name_pattern_check(pattern));
    if (!realpath(folder, full)) TRY(fail(E_IO, "%s: %s", text_show(shown, sizeof shown, folder), strerror(errno)));
    if (!path_is_dir(full)) TRY(fail(E_FAILED, "%s is not a folder", text_show(shown, sizeof shown, folder)));
    TRY(walk(f, full, pattern, 0));
done:
    return st;
}

/* ---- one image for each place ---- */

static int by_place(const plate_file *a, const plate_file *b)
{
    int c = text_natural_cmp(a->plate, b->plate);
    if (c == 0) c = strcmp(a->well, b->well);
    if (c == 0) c = (a->site > b->site) - (a->site < b->site);
    return c;
}

static int by_image(const plate_file *a, const plate_file *b)
{
    int c = by_place(a, b);
    return c ? c : text_natural_cmp(a->channel, b->channel);
}

/* A row of the table: a site, or a plane of it. */
static int by_row(const plate_files *f, const plate_file *a, const plate_file *b)
{
    int c = by_place(a, b);
    return c || !f->planes ? c : (a->z > b->z) - (a->z < b->z);
}

static int by_plane(const void *p, const void *q)
{
    const plate_file *a = p, *b = q;
    int c = by_place(a, b);
    if (c == 0) c = (a->z > b->z) - (a->z < b->z);
    return c ? c : text_natural_cmp(a->channel, b->channel);
}

static int by_all(const void *p, const void *q)
{
    const plate_file *a = p, *b = q;
    int c = by_image(a, b);
    if (c == 0) c = (a->time > b->time) - (a->time < b->time);
    if (c == 0) c = (a->z > b->z) - (a->z < b->z);
    return c ? c : strcmp(a->path, b->path);
}

/* The images of one place and channel, all times and planes: the middle plane of the first time. */
static status choose(const plate_file *p, size_t n, size_t *chosen, size_t *n_z, size_t *n_times)
{
    char a[300], b[300];
    *n_z = *n_times = 1;
    for (size_t i = 1; i < n; i++) {
        if (p[i].time == p[i - 1].time && p[i].z == p[i - 1].z)
            return fail(E_FORMAT, "two files for channel %s of plate %s, well %s, site %lld: %s and %s", p->channel, p->plate, p->well,
                        (long long)p->site, text_show(a, sizeof a, p[i - 1].path), text_show(b, sizeof b, p[i].path));
        *n_times += p[i].time != p[i - 1].time;
        *n_z += p[i].time == p[0].time;
    }
    *chosen = (*n_z - 1) / 2;
    return OK;
}

status plate_files_choose(plate_files *f, bool planes, names *notes)
{
    status st = OK;
    size_t kept = 0, most_z = 1, most_times = 1;
    if (f->n) qsort(f->item, f->n, sizeof *f->item, by_all);
    for (size_t i = 0, n; i < f->n; i += n) {
        size_t chosen = 0, n_z = 1, n_times = 1;
        for (n = 1; i + n < f->n && by_image(&f->item[i], &f->item[i + n]) == 0; n++) continue;
        TRY(choose(&f->item[i], n, &chosen, &n_z, &n_times));
        most_z = n_z > most_z ? n_z : most_z;
        most_times = n_times > most_times ? n_times : most_times;
        for (size_t k = planes ? 0 : chosen; k < (planes ? n_z : chosen + 1); k++) {
            plate_file one = f->item[i + k];
            f->item[i + k] = f->item[kept]; /* an image that was looked at before, or itself */
            f->item[kept++] = one;
        }
    }
    for (size_t i = kept; i < f->n; i++) plate_file_free(&f->item[i]);
    f->n = kept;
    f->planes = planes && most_z > 1;
    if (f->planes) qsort(f->item, f->n, sizeof *f->item, by_plane);
    char line[160];
    snprintf(line, sizeof line,
             f->planes ? "up to %zu planes an image, a row each: tile.z makes one image of them"
                       : "up to %zu planes an image: the middle one is taken (of an even number the one before the middle)",
             most_z);
    if (most_z > 1) names_add(notes, line);
    snprintf(line, sizeof line, "up to %zu time points: the first one is taken", most_times);
    if (most_times > 1) names_add(notes, line);
done:
    return st;
}

/* ---- the table ---- */

static int by_number(const void *a, const void *b)
{
    return text_natural_cmp(*(char *const *)a, *(char *const *)b);
}

void plate_files_channels(const plate_files *f, names *out)
{
    for (size_t i = 0; i < f->n; i++)
        if (names_find(out, f->item[i].channel) < 0) names_add(out, f->item[i].channel);
    if (out->n) qsort(out->item, out->n, sizeof *out->item, by_number);
}

static void put_row(const plate_file *p, size_t n, bool planes, const names *channel, text *out)
{
    csv_quote(out, p->plate);
    text_addf(out, ",%s,%lld", p->well, (long long)p->site);
    if (planes) text_addf(out, ",%lld", (long long)p->z);
    for (size_t c = 0; c < channel->n; c++) {
        const plate_file *one = NULL;
        for (size_t i = 0; i < n && !one; i++)
            if (strcmp(p[i].channel, channel->item[c]) == 0) one = &p[i];
        char *dir = one ? path_dir(one->path) : xstrdup("");
        text_add(out, ",");
        csv_quote(out, one ? path_base(one->path) : "");
        text_add(out, ",");
        csv_quote(out, dir);
        free(dir);
    }
    text_add(out, "\n");
}

void plate_files_csv(const plate_files *f, text *out)
{
    names channel = {0};
    plate_files_channels(f, &channel);
    text_add(out, f->planes ? "Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Z" : "Metadata_Plate,Metadata_Well,Metadata_Site");
    for (size_t c = 0; c < channel.n; c++)
        for (int k = 0; k < 2; k++) {
            char *name = xasprintf("%s_Orig%s", k ? "PathName" : "FileName", channel.item[c]);
            text_add(out, ",");
            csv_quote(out, name);
            free(name);
        }
    text_add(out, "\n");
    for (size_t i = 0, n; i < f->n; i += n) {
        for (n = 1; i + n < f->n && by_row(f, &f->item[i], &f->item[i + n]) == 0; n++) continue;
        put_row(&f->item[i], n, f->planes, &channel, out);
    }
    names_free(&channel);
}

/* ---- what layouts say of the wells ---- */

static int by_well(const void *p, const void *q)
{
    const layout_cell *a = p, *b = q;
    int c = strcmp(a->plate, b->plate);
    if (c == 0) c = strcmp(a->well, b->well);
    return c ? c : (a->layer > b->layer) - (a->layer < b->layer);
}

/* Metadata_Compound, Metadata_Cell_Type. */
static void put_layer(const char *layer, text *out)
{
    bool compound = strcasecmp(layer, "Compound") == 0;
    text_add(out, ",Metadata_");
    for (const char *p = compound ? "Compound" : layer; *p; p++) text_addn(out, isalnum((unsigned char)*p) ? p : "_", 1);
}

/* The value of a layer among n cells of a well, or "". */
static const char *value_of(const layout_cell *c, size_t n, size_t layer)
{
    for (size_t i = 0; i < n; i++)
        if (c[i].layer == layer) return c[i].value;
    return "";
}

static bool has_image(const plate_files *f, const layout_cell *c)
{
    size_t low = 0, high = f->n;
    while (low < high) { /* in the order of plates and wells */
        size_t mid = (low + high) / 2;
        int order = text_natural_cmp(f->item[mid].plate, c->plate);
        if (order == 0) order = strcmp(f->item[mid].well, c->well);
        if (order == 0) return true;
        if (order < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return false;
}

size_t plate_files_wells_csv(plate_files *f, text *out)
{
    long compound = -1;
    size_t rows = 0;
    for (size_t i = 0; i < f->layer.n; i++)
        if (strcasecmp(f->layer.item[i], "Compound") == 0) compound = (long)i;
    if (compound < 0) return 0;
    qsort(f->cell, f->n_cells, sizeof *f->cell, by_well);
    text_add(out, "Metadata_Plate,Metadata_Well");
    for (size_t k = 0; k < f->layer.n; k++) put_layer(f->layer.item[k], out);
    text_add(out, "\n");
    for (size_t i = 0, n; i < f->n_cells; i += n) {
        const layout_cell *c = &f->cell[i];
        for (n = 1; i + n < f->n_cells && strcmp(c[n].plate, c->plate) == 0 && strcmp(c[n].well, c->well) == 0; n++) continue;
        if (!has_image(f, c)) continue;
        rows++;
        csv_quote(out, c->plate);
        text_addf(out, ",%s", c->well);
        for (size_t k = 0; k < f->layer.n; k++) {
            text_add(out, ",");
            csv_quote(out, value_of(c, n, k));
        }
        text_add(out, "\n");
    }
    return rows;
}
