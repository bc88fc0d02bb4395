/* index.c -- the functions of an index, which read its block; block.c has checked it. */
#include "micon/index/index.h"

#include "block_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const void *index_bytes(const screen_index *ix, size_t *size)
{
    *size = ix->head->size;
    return ix->block;
}

uint64_t index_content(const screen_index *ix)
{
    return ix->head->content;
}

status index_from_bytes(screen_index **out, const void *data, size_t size, const char *dir)
{
    status st = OK;
    uint8_t *copy = NULL;
    TRY(mem_alloc(&copy, size, 1, "the index"));
    memcpy(copy, data, size);
    TRY(block_open(out, copy, size, false, dir));
done:
    return st;
}

const findings *index_findings(const screen_index *ix)
{
    return &ix->found;
}

int64_t index_n_rows(const screen_index *ix)
{
    return (int64_t)ix->head->n_rows;
}

int index_n_cols(const screen_index *ix)
{
    return (int)ix->head->n_cols;
}

const char *index_col_name(const screen_index *ix, int col)
{
    return block_word(ix, ((const uint32_t *)block_part(ix, S_COL_NAME))[col]);
}

int index_col(const screen_index *ix, const char *name)
{
    for (int i = 0; i < index_n_cols(ix); i++)
        if (strcmp(index_col_name(ix, i), name) == 0) return i;
    return -1;
}

static uint32_t cell_id(const screen_index *ix, int64_t row, int col)
{
    return ((const uint32_t *)block_part(ix, S_CELLS))[(size_t)col * ix->head->n_rows + (size_t)row];
}

const char *index_cell(const screen_index *ix, int64_t row, int col)
{
    return block_word(ix, cell_id(ix, row, col));
}

void index_site_name(const screen_index *ix, int64_t row, char *out, size_t size)
{
    snprintf(out, size, "%s site %s", index_cell(ix, row, INDEX_WELL), index_cell(ix, row, INDEX_SITE));
}

status index_frame(const screen_index *ix, int64_t first, int64_t n, frame *out)
{
    status st = OK;
    TRY(frame_add_rows(out, n));
    for (int k = 0; k < index_n_cols(ix); k++) {
        int col;
        TRY(frame_add_col(out, index_col_name(ix, k), FRAME_CATEGORY, &col));
        for (int64_t i = 0; i < n; i++) {
            if (i && cell_id(ix, first + i, k) == cell_id(ix, first + i - 1, k))
                out->col[col].v.code[i] = out->col[col].v.code[i - 1];
            else
                TRY(frame_set_text(out, i, col, index_cell(ix, first + i, k)));
        }
    }
done:
    if (st != OK) frame_free(out);
    return st;
}

well_kind index_kind(const screen_index *ix, int64_t row)
{
    return (well_kind)((const uint8_t *)block_part(ix, S_KIND))[row];
}

int index_n_classes(const screen_index *ix)
{
    return (int)ix->head->n_classes;
}

int index_class(const screen_index *ix, int64_t row)
{
    return ((const int32_t *)block_part(ix, S_CLASS))[row];
}

const char *index_class_name(const screen_index *ix, int k)
{
    return block_word(ix, ((const uint32_t *)block_part(ix, S_CLASS_NAME))[k]);
}

int index_n_channels(const screen_index *ix)
{
    return (int)ix->head->n_ch;
}

const char *index_channel(const screen_index *ix, int channel)
{
    return block_word(ix, ((const uint32_t *)block_part(ix, S_CHANNEL))[channel]);
}

/* dir/folder/file; an absolute folder stands alone. */
static const char *show_file(const screen_index *ix, uint32_t folder_id, uint32_t file_id, text *out)
{
    const char *folder = block_word(ix, folder_id), *file = block_word(ix, file_id);
    text_clear(out);
    if (!*file) return text_str(out);
    bool remote = url_is_remote(folder);
    if (*folder != '/' && !remote && *ix->dir) {
        text_add(out, ix->dir);
        if (out->s[out->n - 1] != '/') text_add(out, "/");
    }
    text_add(out, folder);
    if (remote || (*folder && folder[strlen(folder) - 1] != '/')) text_add(out, "/");
    text_add(out, file);
    return text_str(out);
}

static const char *show_path(const screen_index *ix, int s, int64_t row, int channel, text *out)
{
    const size_t n = ix->head->n_rows;
    const uint32_t *part = (const uint32_t *)block_part(ix, s) + (size_t)channel * 2 * n + (size_t)row;
    return show_file(ix, part[0], part[n], out);
}

const char *index_path(const screen_index *ix, int64_t row, int channel, text *out)
{
    return show_path(ix, S_IMAGES, row, channel, out);
}

int64_t index_n_remote(const screen_index *ix, int64_t first, int64_t n, bool illumination)
{
    const size_t rows = ix->head->n_rows;
    int64_t found = 0;
    for (int s = S_IMAGES; s <= (illumination && index_has_illumination(ix) ? S_ILLUM : S_IMAGES); s++)
        for (size_t k = 0; k < ix->head->n_ch; k++) {
            const uint32_t *folder = (const uint32_t *)block_part(ix, s) + k * 2 * rows, *file = folder + rows;
            for (size_t row = (size_t)first; row < (size_t)(first + n); row++)
                found += *block_word(ix, file[row]) && url_is_remote(block_word(ix, folder[row]));
        }
    int64_t plane;
    for (int64_t left = index_planes_of_rows(ix, first, n, &plane); left > 0; left--, plane++)
        found += url_is_remote(block_word(ix, ((const uint32_t *)block_part(ix, S_PLANES))[3 * plane]));
    return found;
}

bool index_has_illumination(const screen_index *ix)
{
    return ix->head->part[S_ILLUM].size > 0;
}

const char *index_illumination(const screen_index *ix, int64_t row, int channel, text *out)
{
    text_clear(out);
    return index_has_illumination(ix) ? show_path(ix, S_ILLUM, row, channel, out) : text_str(out);
}

int index_page(const screen_index *ix, int64_t row, int channel)
{
    if (!ix->head->part[S_PAGES].size) return -1;
    uint32_t page = ((const uint32_t *)block_part(ix, S_PAGES))[(size_t)channel * ix->head->n_rows + (size_t)row];
    return (int)(page & ~(uint32_t)PAGE_NAMED) - 1;
}

/* ---- further planes ---- */

bool index_planes_are_files(const screen_index *ix)
{
    return ix->head->part[S_PLANE_OF].size > 0;
}

int64_t index_planes(const screen_index *ix, int64_t row, int channel, int64_t *first)
{
    const uint32_t *of = (const uint32_t *)block_part(ix, S_PLANE_OF) + (size_t)row * ix->head->n_ch + (size_t)channel;
    *first = index_planes_are_files(ix) ? of[0] : 0;
    return index_planes_are_files(ix) ? of[1] - of[0] : 0;
}

int64_t index_planes_of_rows(const screen_index *ix, int64_t row, int64_t n, int64_t *first)
{
    const uint32_t *of = (const uint32_t *)block_part(ix, S_PLANE_OF) + (size_t)row * ix->head->n_ch;
    *first = index_planes_are_files(ix) ? of[0] : 0;
    return index_planes_are_files(ix) ? of[(size_t)n * ix->head->n_ch] - of[0] : 0;
}

const char *index_plane_path(const screen_index *ix, int64_t plane, text *out)
{
    const uint32_t *p = (const uint32_t *)block_part(ix, S_PLANES) + 3 * plane;
    return show_file(ix, p[0], p[1], out);
}

int index_plane_page(const screen_index *ix, int64_t plane)
{
    uint32_t page = ((const uint32_t *)block_part(ix, S_PLANES))[3 * plane + 2];
    return page & PAGE_NAMED ? (int)(page & ~(uint32_t)PAGE_NAMED) - 1 : -1;
}

bool index_page_named(const screen_index *ix, int64_t row, int channel)
{
    if (!ix->head->part[S_PAGES].size) return false;
    return ((const uint32_t *)block_part(ix, S_PAGES))[(size_t)channel * ix->head->n_rows + (size_t)row] & PAGE_NAMED;
}

const char *index_where(const screen_index *ix, int64_t row, text *out)
{
    const block_table *t = (const block_table *)block_part(ix, S_TABLES) + ((const uint32_t *)block_part(ix, S_TABLE))[row];
    const char *path = block_word(ix, t->path);
    text_clear(out);
    if (*path != '/' && *ix->dir) text_addf(out, "%s%s", ix->dir, ix->dir[strlen(ix->dir) - 1] == '/' ? "" : "/");
    text_addf(out, "%s:%u", path, ((const uint32_t *)block_part(ix, S_LINE))[row]);
    return text_str(out);
}

/* ---- plates ---- */

int64_t index_n_plates(const screen_index *ix)
{
    return (int64_t)ix->head->n_plates;
}

index_plate index_plate_at(const screen_index *ix, int64_t p)
{
    const block_plate *b = (const block_plate *)block_part(ix, S_PLATES) + p;
    return (index_plate){block_word(ix, b->source), block_word(ix, b->batch), block_word(ix, b->plate), b->first, b->n};
}

status index_find_plate(const screen_index *ix, const char *name, int64_t *out)
{
    status st = OK;
    text full = {0}, list = {0};
    names known = {0};
    char shown[200], listed[600];
    int found = 0;
    text_show(shown, sizeof shown, name);
    for (int64_t p = 0; p < index_n_plates(ix); p++) {
        index_plate at = index_plate_at(ix, p);
        text_clear(&full);
        text_addf(&full, "%s/%s/%s", at.source, at.batch, at.plate);
        names_add(&known, at.plate);
        if (strcmp(name, at.plate) != 0 && strcmp(name, full.s) != 0) continue;
        *out = p;
        text_addf(&list, "%s%s", found++ ? ", " : "", full.s);
    }
    if (found > 1) TRY(fail(E_USAGE, "plate '%s' could be any of %s", shown, text_show(listed, sizeof listed, text_str(&list))));
    if (!found) {
        const char *near = names_nearest(name, (const char *const *)known.item, known.n);
        if (near) TRY(fail(E_USAGE, "no plate '%s'; did you mean '%s'?", shown, near));
        TRY(fail(E_USAGE, "no plate '%s' in this screen", shown));
    }
done:
    text_free(&full);
    text_free(&list);
    names_free(&known);
    return st;
}

int64_t index_well_end(const screen_index *ix, int64_t row)
{
    int64_t i = row + 1;
    while (i < index_n_rows(ix) && cell_id(ix, i, INDEX_WELL) == cell_id(ix, row, INDEX_WELL) &&
           cell_id(ix, i, INDEX_PLATE) == cell_id(ix, row, INDEX_PLATE) && cell_id(ix, i, INDEX_BATCH) == cell_id(ix, row, INDEX_BATCH) &&
           cell_id(ix, i, INDEX_SOURCE) == cell_id(ix, row, INDEX_SOURCE))
        i++;
    return i;
}

static uint64_t mix_ids(const screen_index *ix, uint64_t d, const uint32_t *id, int64_t n)
{
    for (int64_t i = 0; i < n; i++) d = digest_mix(d, digest_text(block_word(ix, id[i])));
    return d;
}

static uint64_t mix_planes(const screen_index *ix, uint64_t d, int64_t row, int channel)
{
    int64_t first, n = index_planes(ix, row, channel, &first);
    const uint32_t *p = (const uint32_t *)block_part(ix, S_PLANES) + 3 * first;
    d = digest_mix(d, (uint64_t)n);
    for (int64_t i = 0; i < n; i++, p += 3) d = digest_mix(mix_ids(ix, d, p, 2), p[2]);
    return d;
}

uint64_t index_plate_digest(const screen_index *ix, int64_t p, int of)
{
    const index_plate at = index_plate_at(ix, p);
    const size_t n = ix->head->n_rows;
    const uint32_t *cells = (const uint32_t *)block_part(ix, S_CELLS) + at.first;
    uint64_t d = digest_mix(0, (uint64_t)at.n);
    for (int k = 0; k < (of == INDEX_OF_ALL ? index_n_cols(ix) : INDEX_SITE + 1); k++) {
        d = digest_mix(d, digest_text(index_col_name(ix, k)));
        d = mix_ids(ix, d, cells + (size_t)k * n, at.n);
    }
    for (int s = S_IMAGES; s <= S_ILLUM; s++)
        for (int k = 0; ix->head->part[s].size && k < index_n_channels(ix); k++) {
            const uint32_t *id = (const uint32_t *)block_part(ix, s) + (size_t)k * 2 * n + at.first;
            d = digest_mix(d, digest_text(index_channel(ix, k)));
            d = mix_ids(ix, mix_ids(ix, d, id, at.n), id + n, at.n);
        }
    for (int k = 0; ix->head->part[S_PAGES].size && k < index_n_channels(ix); k++)
        for (int64_t i = 0; i < at.n; i++) d = digest_mix(d, (uint64_t)index_page(ix, at.first + i, k));
    for (int64_t i = 0; index_planes_are_files(ix) && i < at.n; i++)
        for (int k = 0; k < index_n_channels(ix); k++) d = mix_planes(ix, d, at.first + i, k);
    return d;
}
