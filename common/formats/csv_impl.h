/* csv_impl.h -- a table being read: shared by csv.c (rows) and csv_bytes.c. */
#ifndef MICON_FORMATS_CSV_IMPL_H
#define MICON_FORMATS_CSV_IMPL_H
#include "micon/formats/csv.h"
#include "parquet_impl.h"

#include <xxhash.h>
#include <zlib.h>

enum { CSV_RAW_BLOCK = 1 << 18 };

struct csv {
    char *path;
    char shown[400]; /* the path, for messages */

    int fd; /* -1: `mem` is read */
    const unsigned char *mem;
    size_t mem_left;
    unsigned char *raw; /* a block of the file */
    size_t raw_pos, raw_n;
    bool gzip, in_member, raw_end, ended; /* raw_end: end of the file reached; ended: nothing left to decode */
    z_stream z;
    XXH3_state_t *digest;

    char *buf; /* decoded bytes; [pos, end) are not yet handed out */
    size_t pos, end, cap;
    char sep;
    int64_t line, next_line;
    bool failed;

    int n_cols;
    char **name, **field;

    parquet_rows *rows; /* a Parquet file: its rows, and nothing of the above but the digest */
};

/* ---- csv_bytes.c ---- */
/* E_FORMAT "file:line: what"; nothing more is read. */
status csv_bad(csv *c, int64_t line, const char *what) MUST_USE;
/* The next block of the file to c->raw. */
status csv_read_raw(csv *c) MUST_USE;
/* Append decoded bytes at c->end. The unread rest is first moved to the front of the buffer; *shift says by how much positions changed. */
status csv_fill(csv *c, size_t *shift) MUST_USE;

#endif
