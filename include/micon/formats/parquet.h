/* parquet.h -- flat Parquet tables, read and written. Local. Every message begins with "path: ".
 *
 * Read: columns of one level (required or optional) of BOOLEAN, INT32, INT64, INT96, FLOAT, DOUBLE, BYTE_ARRAY, FIXED_LEN_BYTE_ARRAY with
 * the annotations of strings, enums, JSON, integers, decimals, dates, times, timestamps and half floats; encodings PLAIN, RLE,
 * PLAIN_DICTIONARY, RLE_DICTIONARY, DELTA_BINARY_PACKED, DELTA_LENGTH_BYTE_ARRAY, DELTA_BYTE_ARRAY, BYTE_STREAM_SPLIT; data pages of
 * version 1 and 2; uncompressed, snappy, gzip, zstd, LZ4, LZ4_RAW. Refused: nested columns, encryption, brotli, LZO, chunks in other files.
 * Nothing in a file is trusted: sizes, offsets and counts are checked before memory is taken or bytes are used.
 *
 * A column is read through a cursor, row group by row group, with a page of it in memory; only the columns asked for are read. */
#ifndef MICON_FORMATS_PARQUET_H
#define MICON_FORMATS_PARQUET_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- reading ---- */
typedef struct parquet parquet;
bool parquet_is(const void *bytes, size_t n); /* do a file's first bytes (4 or more) say that it is one? */
status parquet_is_file(const char *path, bool *yes) MUST_USE;
status parquet_open(parquet **out, const char *path) MUST_USE;
status parquet_open_memory(parquet **out, const char *name, const void *data, size_t size) MUST_USE; /* data borrowed */
void parquet_close(parquet **p);                                                                     /* NULL-safe, sets NULL */
int parquet_n_cols(const parquet *p);
const char *parquet_col_name(const parquet *p, int col);
int64_t parquet_n_rows(const parquet *p);
bool parquet_col_is_number(const parquet *p, int col); /* integers, floats, half floats and decimals; no dates, no booleans */

typedef struct parquet_cursor parquet_cursor;
/* At the first row of a column. *c must be NULL, or a cursor (of this file or another) whose memory is used again. p must outlive
 * it. */
status parquet_cursor_open(parquet_cursor **c, const parquet *p, int col) MUST_USE;
void parquet_cursor_close(parquet_cursor **c);
/* The next n rows (fewer are left: E_INTERNAL) of a column of numbers, to out[0], out[stride], ...; a missing value is NaN. */
status parquet_read_f32(parquet_cursor *c, int64_t n, float *out, size_t stride) MUST_USE;
/* All rows of several columns of numbers, each row's beside one another: out[row * stride + k] is of cols[k]. */
status parquet_read_rows_f32(const parquet *p, const int *cols, int n_cols, float *out, size_t stride) MUST_USE;
/* The next row of any column as text, appended to `out`; nothing for a missing value. Whole numbers and decimals in full, reals as the
 * shortest text that reads back the same ("nan", "inf"), "true" and "false", 2026-01-31, 13:05:00.25, 2026-01-31 13:05:00 (with +00:00
 * where the file says UTC), bytes as they are. */
status parquet_read_text(parquet_cursor *c, text *out) MUST_USE;

/* ---- writing ---- */
/* Tables as JUMP's profiles are: columns of text (dictionary-encoded strings), then columns of float32, all optional; zstd, a checksum a
 * page. */
typedef struct parquet_writer parquet_writer;
enum { PARQUET_GROUP_ROWS = 1 << 16 };
/* Names of the text and of the float columns; no name twice. path is of a part file, which must not exist. */
status parquet_create(parquet_writer **out, const char *path, const char *const *text_name, int n_text, const char *const *float_name,
                      int n_floats) MUST_USE;
/* One row group of n_rows (1 to PARQUET_GROUP_ROWS). cell(user, row, col) is the text of a cell, borrowed until the next call, NULL where
 * it is missing; x[row * stride + k] is of float column k, missing where it is not finite. */
status parquet_write_group(parquet_writer *w, int64_t n_rows, const char *(*cell)(void *user, int64_t row, int col), void *user,
                           const float *x, size_t stride) MUST_USE;
status parquet_finish(parquet_writer **w) MUST_USE; /* the footer; closed and NULL, whatever comes of it */
void parquet_abandon(parquet_writer **w);           /* closed, the file left as it is; NULL-safe */

#endif
