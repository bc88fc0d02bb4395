/* block_impl.h -- the one block of bytes that an index is: a head, and sections that it places. Private to common/index/.
 * Everything is in the machine's byte order, which the mark tells; all offsets are from the block's start, all sections 8-aligned. */
#ifndef INDEX_BLOCK_H
#define INDEX_BLOCK_H
#include "micon/config/file_formats.h"
#include "micon/index/index.h"

#include <stddef.h>

#define INDEX_MARK 0x3158444e494d00abu
enum { INDEX_MAX_CHANNELS = 64, PAGE_NAMED = 1 << 17 };

enum {
    S_START,      /* uint64 [n_words + 1]: of each text in the pool, and the pool's size */
    S_POOL,       /* the texts, each with its end */
    S_COL_NAME,   /* uint32 [n_cols]: texts */
    S_CELLS,      /* uint32 [n_cols, n_rows]: texts */
    S_CHANNEL,    /* uint32 [n_ch]: texts */
    S_IMAGES,     /* uint32 [n_ch, 2, n_rows]: folder, file: texts */
    S_ILLUM,      /* as S_IMAGES, or empty */
    S_PLANE_OF,   /* uint32 [n_rows * n_ch + 1]: where a channel's further planes begin in S_PLANES; empty where no planes are files */
    S_PLANES,     /* uint32 [planes, 3]: folder, file: texts; as in S_PAGES */
    S_PAGES,      /* uint32 [n_ch, n_rows]: page + 1, and PAGE_NAMED where a table names it; or empty */
    S_KIND,       /* uint8 [n_rows]: well_kind */
    S_CLASS,      /* int32 [n_rows] */
    S_CLASS_NAME, /* uint32 [n_classes]: texts */
    S_TABLE,      /* uint32 [n_rows]: table that names the site */
    S_LINE,       /* uint32 [n_rows]: and its line there */
    S_PLATES,     /* block_plate [n_plates] */
    S_TABLES,     /* block_table [n_tables] */
    S_FINDINGS,   /* as findings_pack writes them */
    N_SECTIONS
};

typedef struct {
    uint32_t source, batch, plate, unused;
    int64_t first, n;
} block_plate;

typedef struct {
    uint32_t path, role;
    int64_t size, mtime_ns;
    uint64_t digest;
} block_table;

typedef struct {
    uint64_t mark, size, content; /* content: block_content */
    uint64_t options;             /* digest of the options it was made with */
    uint32_t format, n_ch, n_cols, n_classes;
    uint64_t n_words, n_rows, n_plates, n_tables;
    struct {
        uint64_t at, size;
    } part[N_SECTIONS];
} block_head;

struct screen_index {
    const uint8_t *block;
    bool mapped; /* else malloc'd */
    const block_head *head;
    char *dir; /* "" where names are relative to the current folder */
    findings found;
};

/* The bytes that section `s` must have for the head's counts; SIZE_MAX: any number, 0 is always allowed for S_ILLUM, S_PLANE_OF and
 * S_PAGES. */
size_t block_section_size(const block_head *h, int s);
/* Digest of the block, with 0 for `content` in its head, which gives the size. */
uint64_t block_content(const block_head *h, const uint8_t *block);
/* Takes over block (size bytes), also when it fails: checks all of it, E_FORMAT where it is no index. */
status block_open(screen_index **out, const uint8_t *block, size_t size, bool mapped, const char *dir) MUST_USE;

static inline const void *block_part(const screen_index *ix, int s)
{
    return ix->block + ix->head->part[s].at;
}
static inline const char *block_word(const screen_index *ix, uint32_t id)
{
    return (const char *)block_part(ix, S_POOL) + ((const uint64_t *)block_part(ix, S_START))[id];
}

#endif
