/* csv.h -- tables: delimited text or Parquet. Delimited text is CSV and TSV, plain or gzip, quoted fields (with separators and line ends
 * in them), CRLF, a byte order mark, lines of any length. Local. Every message begins with "file:line".
 *
 * Two levels: a reader that hands out one row at a time in bounded memory (for files of any size), and a table that holds a
 * whole file for look-ups by column name.
 *
 * A quote opens a quoted field only where a field begins; elsewhere it is an ordinary character (5" plate). What follows a closing
 * quote must be a separator or a line end. gzip is known by its first bytes, whatever the file is called; several members one after
 * the other are one file; data that end early, or something else behind them, are E_FORMAT.
 *
 * A Parquet file (parquet.h) is known by its first bytes too, and is read as the same rows of text; its nested columns have no name here, a
 * zero byte in a value is E_FORMAT, and the number after the file's name is the row's, from 1. */
#ifndef MICON_FORMATS_CSV_H
#define MICON_FORMATS_CSV_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CSV_MAX_ROW = 1 << 28, CSV_MAX_COLS = 1 << 20 }; /* bytes of one row (E_FORMAT beyond), columns */

/* ---- row by row ---- */
typedef struct csv csv;

/* Open and read the header row. The separator is a comma, or a tab where the header has tabs and no comma. An empty file, a name
 * that is given twice, a header without any name: E_FORMAT. Columns without a name are there, but cannot be asked for by name. */
status csv_open(csv **out, const char *path) MUST_USE;
status csv_open_memory(csv **out, const char *name, const void *data, size_t size) MUST_USE; /* data borrowed */
int csv_n_cols(const csv *c);
const char *csv_col_name(const csv *c, int col);
int csv_col(const csv *c, const char *name); /* position, or -1 */

/* The next row; *more is false at the end. field[i] is terminated text, borrowed until the next call. A row with another
 * number of fields than the header, an unterminated quote, a NUL byte: E_FORMAT. Blank lines are passed over. */
status csv_next(csv *c, char ***field, bool *more) MUST_USE;
int64_t csv_line(const csv *c); /* first line of the row last given, from 1; of Parquet, the row */
const char *csv_path(const csv *c);
uint64_t csv_digest(const csv *c); /* XXH3-64 of the bytes on disk: of all of them once *more was false */
void csv_close(csv **c);           /* NULL-safe, sets NULL */

/* ---- a whole file ---- */
typedef struct table table;
status table_read(table **out, const char *path) MUST_USE;
void table_free(table **t);
const char *table_path(const table *t);
uint64_t table_digest(const table *t); /* of the file's bytes as they are on disk */
int64_t table_n_rows(const table *t);
int table_n_cols(const table *t);
const char *table_col_name(const table *t, int col);
int table_col(const table *t, const char *name); /* position, or -1 */
/* The first of several names that the table has, or -1: table_col_any(t, "Metadata_Site", "Metadata_FOV", "FOV", NULL). */
int table_col_any(const table *t, const char *name, ...) __attribute__((sentinel));
/* As table_col, but a missing column is E_FORMAT and names the nearest one there is. */
status table_need(const table *t, const char *name, int *col) MUST_USE;
const char *table_cell(const table *t, int64_t row, int col); /* borrowed, never NULL; "" for an empty cell */
int64_t table_line(const table *t, int64_t row);              /* its line in the file, for "file:line" */

/* ---- writing ---- */
/* Append one field, quoted where it must be. */
void csv_quote(text *out, const char *field);
/* The same for a text that came from anyone, in a table that people open as a spreadsheet: one that begins as a formula does (= + - @, tab
 * or carriage return) and is no number gets a ' in front, and so does one that begins with such a ' already. csv_text takes it off. */
void csv_quote_text(text *out, const char *field);
const char *csv_text(const char *field); /* borrowed: field, or what follows its first character */

#endif
