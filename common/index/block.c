/* block.c -- the block of bytes that an index is: the size of its sections, and the checks before one is used: nothing in it is trusted. */
#include "block_impl.h"

#include "micon/base/digest.h"
#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

size_t block_section_size(const block_head *h, int s)
{
    const size_t rows = h->n_rows, pairs = (size_t)h->n_ch * rows;
    switch (s) {
    case S_START: return (h->n_words + 1) * sizeof(uint64_t);
    case S_COL_NAME: return h->n_cols * sizeof(uint32_t);
    case S_CELLS: return h->n_cols * rows * sizeof(uint32_t);
    case S_CHANNEL: return h->n_ch * sizeof(uint32_t);
    case S_IMAGES:
    case S_ILLUM: return pairs * 2 * sizeof(uint32_t);
    case S_PLANE_OF: return (pairs + 1) * sizeof(uint32_t);
    case S_PAGES: return pairs * sizeof(uint32_t);
    case S_KIND: return rows;
    case S_CLASS: return rows * sizeof(int32_t);
    case S_CLASS_NAME: return h->n_classes * sizeof(uint32_t);
    case S_TABLE:
    case S_LINE: return rows * sizeof(uint32_t);
    case S_PLATES: return h->n_plates * sizeof(block_plate);
    case S_TABLES: return h->n_tables * sizeof(block_table);
    default: return SIZE_MAX;
    }
}

static status wrong(const char *what)
{
    return fail(E_FORMAT, "not an index file, or damaged: %s", what);
}

uint64_t block_content(const block_head *h, const uint8_t *block)
{
    block_head blank = *h;
    blank.content = 0;
    return digest_mix(digest_bytes(&blank, sizeof blank), digest_bytes(block + sizeof *h, h->size - sizeof *h));
}

static status check_head(const block_head *h, size_t size)
{
    if (size < sizeof *h) return wrong("too short");
    if (h->mark != INDEX_MARK || h->format != INDEX_FORMAT) return wrong("another format");
    if (h->size != size) return wrong("cut off");
    /* No product of these can overflow, and none can be larger than what is there. */
    if (h->n_rows > size || h->n_words > size || h->n_plates > size || h->n_tables > size || h->n_cols > size || h->n_classes > size ||
        h->n_ch > INDEX_MAX_CHANNELS || h->n_words == 0 || h->n_words > UINT32_MAX || h->n_classes == 0 || h->n_cols < INDEX_FIXED_COLS)
        return wrong("counts");
    size_t cells;
    if (!mul_size(h->n_cols, h->n_rows, &cells) || cells > size || (size_t)h->n_ch * h->n_rows > size) return wrong("counts");
    for (int s = 0; s < N_SECTIONS; s++) {
        size_t want = block_section_size(h, s), at = h->part[s].at, n = h->part[s].size;
        bool may_lack = s == S_ILLUM || s == S_PLANE_OF || s == S_PAGES;
        if (want != SIZE_MAX && n != want && !(may_lack && n == 0)) return wrong("sizes");
        if (at % 8 || at < sizeof *h || at > size || n > size - at) return wrong("places");
    }
    return OK;
}

static status check_texts(const screen_index *ix)
{
    const uint64_t *start = block_part(ix, S_START), n = ix->head->n_words, size = ix->head->part[S_POOL].size;
    const char *pool = block_part(ix, S_POOL);
    if (start[0] != 0 || start[n] != size) return wrong("texts");
    for (uint64_t i = 0; i < n; i++)
        if (start[i + 1] <= start[i] || start[i + 1] > size || pool[start[i + 1] - 1]) return wrong("texts");
    return OK;
}

static status check_ids(const screen_index *ix, int s)
{
    const uint32_t *id = block_part(ix, s);
    const uint64_t n_words = ix->head->n_words;
    for (size_t i = 0; i < ix->head->part[s].size / sizeof *id; i++)
        if (id[i] >= n_words) return wrong("texts");
    return OK;
}

static bool is_page(uint32_t page)
{
    return (page & ~(uint32_t)PAGE_NAMED) <= 65536;
}

static status check_planes(const screen_index *ix)
{
    const block_head *h = ix->head;
    const uint32_t *of = block_part(ix, S_PLANE_OF), *plane = block_part(ix, S_PLANES);
    const size_t n = h->part[S_PLANE_OF].size / sizeof *of, n_planes = h->part[S_PLANES].size / (3 * sizeof *plane);
    if (n == 0) return h->part[S_PLANES].size ? wrong("planes") : OK;
    if (of[0] != 0 || of[n - 1] != n_planes || h->part[S_PLANES].size % (3 * sizeof *plane)) return wrong("planes");
    for (size_t i = 1; i < n; i++)
        if (of[i] < of[i - 1]) return wrong("planes");
    for (size_t i = 0; i < n_planes; i++)
        if (plane[3 * i] >= h->n_words || plane[3 * i + 1] >= h->n_words || !is_page(plane[3 * i + 2])) return wrong("planes");
    return OK;
}

static status check_sections(const screen_index *ix)
{
    const block_head *h = ix->head;
    const uint8_t *kind = block_part(ix, S_KIND);
    const int32_t *class_of = block_part(ix, S_CLASS);
    const uint32_t *table = block_part(ix, S_TABLE);
    for (uint64_t i = 0; i < h->n_rows; i++)
        if (kind[i] > WELL_EMPTY || class_of[i] < -1 || class_of[i] >= (int64_t)h->n_classes || table[i] >= h->n_tables)
            return wrong("rows");
    const block_plate *p = block_part(ix, S_PLATES);
    int64_t next = 0;
    for (uint64_t i = 0; i < h->n_plates; i++) {
        if (p[i].first != next || p[i].n < 1 || p[i].n > (int64_t)h->n_rows - next) return wrong("plates");
        if (p[i].source >= h->n_words || p[i].batch >= h->n_words || p[i].plate >= h->n_words) return wrong("plates");
        next += p[i].n;
    }
    if (next != (int64_t)h->n_rows) return wrong("plates");
    const block_table *t = block_part(ix, S_TABLES);
    for (uint64_t i = 0; i < h->n_tables; i++)
        if (t[i].path >= h->n_words) return wrong("tables");
    const uint32_t *page = block_part(ix, S_PAGES);
    for (size_t i = 0; i < h->part[S_PAGES].size / sizeof *page; i++)
        if (!is_page(page[i])) return wrong("pages");
    return check_planes(ix);
}

status block_open(screen_index **out, const uint8_t *block, size_t size, bool mapped, const char *dir)
{
    static const int of_ids[] = {S_COL_NAME, S_CELLS, S_CHANNEL, S_IMAGES, S_ILLUM, S_CLASS_NAME};
    status st = OK;
    screen_index *ix = xcalloc(1, sizeof *ix);
    *ix = (screen_index){
        .block = block, .mapped = mapped, .head = (const block_head *)block, .dir = xstrdup(strcmp(dir, ".") == 0 ? "" : dir)};
    block_head short_head = {.size = size}; /* for index_free, before the head is known to be there */
    if (size < sizeof short_head) ix->head = &short_head;
    TRY(check_head(ix->head, size));
    if (block_content(ix->head, block) != ix->head->content) TRY(wrong("its digest differs"));
    TRY(check_texts(ix));
    for (size_t i = 0; i < sizeof of_ids / sizeof *of_ids; i++) TRY(check_ids(ix, of_ids[i]));
    TRY(check_sections(ix));
    TRY(findings_unpack(&ix->found, block_part(ix, S_FINDINGS), ix->head->part[S_FINDINGS].size));
    *out = ix;
    ix = NULL;
done:
    if (ix) {
        if (mapped)
            munmap((void *)(uintptr_t)block, size);
        else
            free((void *)(uintptr_t)block);
        findings_free(&ix->found);
        free(ix->dir);
        free(ix);
    }
    return st;
}

void index_free(screen_index **p)
{
    screen_index *ix = *p;
    if (!ix) return;
    findings_free(&ix->found);
    free(ix->dir);
    if (ix->mapped)
        munmap((void *)(uintptr_t)ix->block, ix->head->size);
    else
        free((void *)(uintptr_t)ix->block);
    free(ix);
    *p = NULL;
}
