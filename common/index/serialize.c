/* serialize.c -- from growing columns to the one block. */
#include "block_impl.h"
#include "build_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

static void place_sections(block_head *h, const index_builder *b, size_t findings_size)
{
    size_t at = sizeof *h;
    for (int s = 0; s < N_SECTIONS; s++) {
        bool lacks = (s == S_ILLUM && !b->illumination) || (s == S_PAGES && !b->o->pages) || (s == S_PLANE_OF && !b->plane_of);
        size_t size = s == S_POOL       ? b->pool.size
                      : s == S_FINDINGS ? findings_size
                      : s == S_PLANES   ? b->n_planes * sizeof *b->plane
                      : lacks           ? 0
                                        : block_section_size(h, s);
        h->part[s].at = at;
        h->part[s].size = size;
        at += (size + 7) / 8 * 8;
    }
    h->size = at;
}

static void put_paths(const index_builder *b, int first, uint32_t *out)
{
    size_t n = b->n_order;
    for (int k = 0; k < b->n_ch; k++)
        for (int what = first; what < first + 2; what++, out += n)
            for (size_t i = 0; i < n; i++) out[i] = b->rows.col[channel_col(k, what)].v[b->order[i]];
}

static void put_rows(const index_builder *b, uint8_t *block, const block_head *h)
{
    size_t n = b->n_order;
    put_paths(b, CH_FOLDER, (uint32_t *)(block + h->part[S_IMAGES].at));
    if (h->part[S_ILLUM].size) put_paths(b, CH_ILLUM_FOLDER, (uint32_t *)(block + h->part[S_ILLUM].at));
    uint32_t *page = (uint32_t *)(block + h->part[S_PAGES].at);
    for (int k = 0; h->part[S_PAGES].size && k < b->n_ch; k++)
        for (size_t i = 0; i < n; i++) *page++ = b->rows.col[channel_col(k, CH_PAGE)].v[b->order[i]];
    uint32_t *tab = (uint32_t *)(block + h->part[S_TABLE].at), *line = (uint32_t *)(block + h->part[S_LINE].at);
    for (size_t i = 0; i < n; i++) {
        tab[i] = b->rows.col[R_TABLE].v[b->order[i]];
        line[i] = b->rows.col[R_LINE].v[b->order[i]];
    }
}

static status put_tables(index_builder *b, block_table *t)
{
    status st = OK;
    for (size_t i = 0; i < b->table.n; i++) {
        const table_file *f = &b->table.item[i];
        t[i] = (block_table){0, (uint32_t)f->role, f->size, f->mtime_ns, f->digest};
        TRY(builder_intern(b, f->path, &t[i].path));
    }
done:
    return st;
}

static void put(uint8_t *block, const block_head *h, int s, const void *data)
{
    if (h->part[s].size) memcpy(block + h->part[s].at, data, h->part[s].size);
}

status index_serialize(index_builder *b, joined_rows *j, screen_index **out)
{
    status st = OK;
    uint8_t *block = NULL;
    block_table *tables = NULL;
    uint32_t channel[INDEX_MAX_CHANNELS];
    text packed = {0};
    TRY(mem_alloc(&tables, b->table.n, sizeof *tables, "tables"));
    TRY(put_tables(b, tables));
    for (int k = 0; k < b->n_ch; k++) TRY(builder_intern(b, b->o->channels->item[k], &channel[k]));
    findings_pack(b->found, &packed);
    block_head h = {.mark = INDEX_MARK,
                    .format = INDEX_FORMAT,
                    .options = index_options_digest(b->o),
                    .n_ch = (uint32_t)b->n_ch,
                    .n_cols = (uint32_t)j->n_cols,
                    .n_classes = (uint32_t)j->n_classes,
                    .n_words = b->pool.n,
                    .n_rows = b->n_order,
                    .n_plates = b->n_spans,
                    .n_tables = b->table.n};
    place_sections(&h, b, packed.n);
    TRY(mem_alloc(&block, h.size, 1, "the index"));
    uint64_t *start = (uint64_t *)(block + h.part[S_START].at);
    for (size_t i = 0; i < b->pool.n; i++) start[i] = b->pool.start[i];
    start[b->pool.n] = b->pool.size;
    put(block, &h, S_POOL, b->pool.block);
    put(block, &h, S_COL_NAME, j->col_name);
    put(block, &h, S_CELLS, j->cell);
    put(block, &h, S_CHANNEL, channel);
    put(block, &h, S_PLANE_OF, b->plane_of);
    put(block, &h, S_PLANES, b->plane);
    put(block, &h, S_KIND, j->kind);
    put(block, &h, S_CLASS, j->class_of);
    put(block, &h, S_CLASS_NAME, j->class_name);
    put(block, &h, S_TABLES, tables);
    put(block, &h, S_FINDINGS, packed.s);
    put_rows(b, block, &h);
    block_plate *plate = (block_plate *)(block + h.part[S_PLATES].at);
    for (size_t i = 0; i < b->n_spans; i++)
        plate[i] = (block_plate){b->span[i].source, b->span[i].batch, b->span[i].plate, 0, b->span[i].first, b->span[i].n};
    h.content = block_content(&h, block);
    memcpy(block, &h, sizeof h);
    uint8_t *given = block;
    block = NULL;
    TRY(block_open(out, given, h.size, false, b->o->dir));
done:
    free(block);
    free(tables);
    text_free(&packed);
    return st;
}
