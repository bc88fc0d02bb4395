/* frame.h -- a table in memory with named, typed columns: what becomes AnnData's `obs`, and what ranks send each other. Local.
 * {0} is valid and empty; frame_free gives the memory back. Memory that cannot be had is E_NOMEM everywhere.
 *
 * Text is interned by column: a column of 500,000 wells keeps each name once, and 4 bytes a row. FRAME_TEXT and FRAME_CATEGORY differ
 * only in how a file shows them (string array, categorical). An empty text is a missing category (code -1). */
#ifndef MICON_TABLE_FRAME_H
#define MICON_TABLE_FRAME_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/table/intern.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum { FRAME_TEXT, FRAME_CATEGORY, FRAME_I64, FRAME_F32, FRAME_F64, FRAME_BOOL } frame_type;
size_t frame_type_size(frame_type t); /* bytes of a value */

typedef struct {
    char *name;
    frame_type type;
    size_t cap; /* rows there is room for */
    union {     /* n_rows values; free to be read and written in place */
        int32_t *code;
        int64_t *i64;
        float *f32;
        double *f64;
        uint8_t *yes; /* 0 or 1 */
        void *any;
    } v;
    intern_table word; /* text: what the codes say; -1 is "" */
} frame_column;

typedef struct {
    int64_t n_rows;
    int n_cols;
    frame_column *col;
    size_t cols_cap;
} frame;

void frame_free(frame *f);

/* A further column, for the rows there are: "", 0, NaN, no. A name that is there already, or an empty one: E_FORMAT. */
status frame_add_col(frame *f, const char *name, frame_type type, int *col) MUST_USE;
/* Take a column out; nothing happens where there is none of that name. */
void frame_drop_col(frame *f, const char *name);
/* n further rows of "", 0, NaN, no. */
status frame_add_rows(frame *f, int64_t n) MUST_USE;
int frame_col(const frame *f, const char *name); /* position, or -1 */

/* Cells. The column must be of that type: text for both kinds of text, real for F32 and F64. */
const char *frame_text(const frame *f, int64_t row, int col); /* borrowed until text is set in this column; never NULL */
double frame_real(const frame *f, int64_t row, int col);
status frame_set_text(frame *f, int64_t row, int col, const char *s) MUST_USE;
void frame_set_real(frame *f, int64_t row, int col, double v);

/* Append a cell of any type as a file would show it: numbers in the shortest form that reads back the same, yes as True, NaN as "". */
void frame_show(const frame *f, int64_t row, int col, text *out);
/* The whole as CSV, with a header; appended. Texts are written so that no spreadsheet runs them (csv_quote_text). */
void frame_show_csv(const frame *f, text *out);

/* Rows of `more` behind those of f. Columns meet by name; one that either lacks is filled as by add_col; types that differ: E_FORMAT. */
status frame_append(frame *f, const frame *more) MUST_USE;
/* *out ({0} before) = rows row[0..n) of f, in that order. */
status frame_take(frame *out, const frame *f, const int64_t *row, int64_t n) MUST_USE;

/* The order in which rows are sorted by keys, the first key first; equal rows stay as they were. Text compares by bytes; where
 * `numbers` is set and all of the column's texts are numbers, as those. NaN is last. *order: n_rows positions, caller frees. */
typedef struct {
    const char *col;
    bool numbers;
} frame_key;
status frame_order(const frame *f, const frame_key *key, int n_keys, int64_t **order) MUST_USE;
status frame_sort(frame *f, const frame_key *key, int n_keys) MUST_USE;

/* Drop texts that no row uses and put the rest in the order of their bytes, so that codes do not depend on how the frame was built. */
status frame_canonicalize(frame *f) MUST_USE;

/* As bytes and back (MPI, caches). *data: caller frees. Bytes that are no frame: E_FORMAT; out is {0} before, and after a failure. */
status frame_pack(const frame *f, uint8_t **data, size_t *size) MUST_USE;
status frame_unpack(frame *out, const void *data, size_t size) MUST_USE;

/* Of names, types and values, not of codes. */
uint64_t frame_digest(const frame *f);

#endif
