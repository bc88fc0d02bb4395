/* csv.c -- delimited text, row by row: one buffer of decoded bytes in which the fields of a row are cut in place. memchr finds the end of
 * a row; only rows with a quote are scanned byte by byte. */
#include "micon/formats/csv.h"

#include "csv_impl.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* State of the scan of a row with quotes. */
typedef enum { AT_START, IN_PLAIN, IN_QUOTES, AFTER_QUOTE, AFTER_QUOTE_CR } place;

typedef struct {
    size_t scan;   /* looked at up to here */
    bool quotes;   /* the row contains a quote */
    place at;      /* state of the scan */
    int64_t lines; /* line ends inside quotes */
} search;

static bool is_sep(const csv *c, char b)
{
    return c->sep ? b == c->sep : b == ',' || b == '\t'; /* the header is cut before its separator is known */
}

/* Walk from s->scan; *found is set and s->scan is the '\n', or s->scan is the end of what is there. */
static status walk(csv *c, search *s, bool *found)
{
    const char *b = c->buf;
    for (; s->scan < c->end; s->scan++) {
        char ch = b[s->scan];
        if (s->at == IN_QUOTES) {
            if (ch == '"')
                s->at = AFTER_QUOTE;
            else
                s->lines += ch == '\n';
        } else if (ch == '\n') {
            return *found = true, OK;
        } else if (is_sep(c, ch)) {
            s->at = AT_START;
        } else if (ch == '"' && (s->at == AT_START || s->at == AFTER_QUOTE)) {
            s->at = IN_QUOTES;
        } else if (s->at == AFTER_QUOTE && ch == '\r') {
            s->at = AFTER_QUOTE_CR;
        } else if (s->at == AFTER_QUOTE || s->at == AFTER_QUOTE_CR) {
            return csv_bad(c, c->line + s->lines, "text follows a closing quote");
        } else {
            s->at = IN_PLAIN;
        }
    }
    return OK;
}

static status look(csv *c, search *s, bool *found)
{
    *found = false;
    if (!s->quotes) {
        const char *from = c->buf + s->scan, *nl = memchr(from, '\n', c->end - s->scan);
        size_t n = nl ? (size_t)(nl - from) : c->end - s->scan;
        if (!memchr(from, '"', n)) {
            s->scan += n;
            *found = nl != NULL;
            return OK;
        }
        s->quotes = true;
        s->scan = c->pos;
    }
    return walk(c, s, found);
}

/* The next row as [c->pos, s->scan), all of it in the buffer. */
static status find_row(csv *c, search *s, bool *more)
{
    status st = OK;
    *s = (search){.scan = c->pos};
    c->line = c->next_line;
    for (;;) {
        size_t shift;
        bool found;
        TRY(look(c, s, &found));
        if (s->scan - c->pos > CSV_MAX_ROW)
            TRY(csv_bad(c, c->line,
                        s->at == IN_QUOTES ? "a quote that opens in this row is not closed within 256 MiB"
                                           : "the row is longer than 256 MiB"));
        if (found) break;
        if (c->ended) {
            if (s->at == IN_QUOTES) TRY(csv_bad(c, c->line, "a quote that opens in this row is never closed"));
            break;
        }
        TRY(csv_fill(c, &shift));
        s->scan -= shift;
    }
    *more = s->scan < c->end || c->pos < c->end;
    c->next_line = c->line + s->lines + 1;
done:
    return st;
}

/* Cut [p, end) into fields, in place; *end may be written. With quotes they are taken off. */
static int cut(const csv *c, char *p, char *end, bool quotes, char **field, int max)
{
    int n = 0;
    for (;;) {
        char *start = p, *stop;
        if (quotes && p < end && *p == '"') {
            char *to = start;
            for (p++; p < end && (*p != '"' || (p + 1 < end && p[1] == '"')); p++) {
                p += *p == '"';
                *to++ = *p;
            }
            p += p < end; /* the closing quote */
            stop = to;
        } else {
            stop = memchr(p, c->sep, (size_t)(end - p));
            if (!stop) stop = end;
            p = stop;
        }
        bool last = p >= end;
        *stop = '\0';
        if (n < max) field[n] = start;
        n++;
        if (last) return n;
        p++;
    }
}

static status next_line(csv *c, char **start, char **end, bool *quotes, bool *more)
{
    status st = OK;
    search s = {0};
    if (c->failed) return fail(E_FORMAT, "%s: reading it failed before", c->shown);
    do {
        TRY(find_row(c, &s, more));
        if (!*more) goto done;
        *start = c->buf + c->pos;
        *end = c->buf + s.scan;
        c->pos = s.scan < c->end ? s.scan + 1 : s.scan;
        if (*end > *start && (*end)[-1] == '\r') --*end;
    } while (*end == *start);
    char *zero = memchr(*start, '\0', (size_t)(*end - *start));
    if (zero) {
        for (char *p = *start; p < zero; p++) c->line += *p == '\n';
        TRY(csv_bad(c, c->line, "a zero byte; if this is a UTF-16 file, save it as UTF-8"));
    }
    *quotes = s.quotes;
done:
    return st;
}

status csv_next(csv *c, char ***field, bool *more)
{
    status st = OK;
    char *start, *end;
    bool quotes;
    if (c->rows) {
        c->line++;
        *field = c->field;
        return parquet_rows_next(c->rows, c->field, more);
    }
    TRY(next_line(c, &start, &end, &quotes, more));
    if (!*more) goto done;
    int n = cut(c, start, end, quotes, c->field, c->n_cols);
    if (n != c->n_cols) {
        char what[120];
        snprintf(what, sizeof what, "%d field%s, but the header has %d", n, n == 1 ? "" : "s", c->n_cols);
        TRY(csv_bad(c, c->line, what));
    }
    *field = c->field;
done:
    return st;
}

/* ---- the header ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static status check_names(csv *c)
{
    status st = OK;
    char **sorted = NULL, what[200], shown[100];
    bool any = false;
    TRY(mem_alloc(&sorted, (size_t)c->n_cols, sizeof *sorted, c->shown));
    for (int i = 0; i < c->n_cols; i++) {
        sorted[i] = c->name[i];
        any = any || *c->name[i];
        if (strchr(c->name[i], '\r')) TRY(csv_bad(c, c->line, "the lines end in CR alone; save the file with LF or CRLF"));
    }
    if (!any) TRY(csv_bad(c, c->line, "the header names no column"));
    qsort(sorted, (size_t)c->n_cols, sizeof *sorted, by_text);
    for (int i = 1; i < c->n_cols; i++)
        if (*sorted[i] && strcmp(sorted[i], sorted[i - 1]) == 0) {
            snprintf(what, sizeof what, "duplicate column '%s'", text_show(shown, sizeof shown, sorted[i]));
            TRY(csv_bad(c, c->line, what));
        }
done:
    free(sorted);
    return st;
}

/* A comma outside quotes decides for commas, else a tab for tabs. */
static char separator(const char *p, const char *end)
{
    bool tab = false, quoted = false;
    for (; p < end; p++) {
        if (*p == '"') quoted = !quoted;
        if (quoted) continue;
        if (*p == ',') return ',';
        tab = tab || *p == '\t';
    }
    return tab ? '\t' : ',';
}

static status read_header(csv *c)
{
    status st = OK;
    char *start, *end, *copy = NULL;
    bool quotes, more;
    size_t shift;
    do TRY(csv_fill(c, &shift));
    while (c->end < 4 && !c->ended);
    if (c->end >= 3 && memcmp(c->buf, "\xEF\xBB\xBF", 3) == 0) c->pos = 3;
    if (parquet_is(c->buf, c->end)) TRY(csv_bad(c, 1, "a Parquet file inside of gzip; unpack it with gunzip"));
    TRY(next_line(c, &start, &end, &quotes, &more));
    if (!more) TRY(csv_bad(c, 1, "the file is empty"));
    c->sep = separator(start, end);
    size_t n_sep = 1;
    for (const char *p = start; p < end; p++) n_sep += *p == c->sep;
    if (n_sep > CSV_MAX_COLS) TRY(csv_bad(c, c->line, "more than 1048576 columns"));
    TRY(mem_alloc(&c->name, n_sep, sizeof *c->name, c->shown));
    TRY(mem_alloc(&c->field, n_sep, sizeof *c->field, c->shown));
    size_t size = (size_t)(end - start);
    TRY(mem_alloc(&copy, size + 1, 1, c->shown));
    memcpy(copy, start, size);
    c->n_cols = cut(c, copy, copy + size, quotes, c->name, (int)n_sep);
    /* The names are in one block that begins at the first name; removing its quotes does not move that start. */
    copy = NULL;
    if (c->n_cols > (int)n_sep) {
        c->n_cols = (int)n_sep;
        TRY(csv_bad(c, c->line, "text follows a closing quote"));
    }
    TRY(check_names(c));
done:
    free(copy);
    return st;
}

/* ---- open, close ---- */

/* The names of a Parquet file's columns, in one block as those of a header are. */
static status take_names(csv *c)
{
    status st = OK;
    text all = {0};
    c->n_cols = parquet_rows_n_cols(c->rows);
    TRY(mem_alloc(&c->name, (size_t)c->n_cols, sizeof *c->name, c->shown));
    TRY(mem_alloc(&c->field, (size_t)c->n_cols, sizeof *c->field, c->shown));
    for (int i = 0; i < c->n_cols; i++) text_addn(&all, parquet_rows_name(c->rows, i), strlen(parquet_rows_name(c->rows, i)) + 1);
    for (int i = 0; i < c->n_cols; i++) c->name[i] = i ? c->name[i - 1] + strlen(c->name[i - 1]) + 1 : all.s;
    TRY(check_names(c));
done:
    return st;
}

static status open_parquet(csv *c)
{
    status st = OK;
    const void *mem = c->fd < 0 ? c->mem - c->raw_n : NULL;
    size_t size = c->raw_n + c->mem_left;
    while (!c->raw_end) TRY(csv_read_raw(c)); /* for the digest */
    TRY(parquet_rows_open(&c->rows, c->path, mem, size));
    TRY(take_names(c));
    c->line = 0;
done:
    return st;
}

static status open_bytes(csv *c)
{
    status st = OK;
    c->line = c->next_line = 1;
    text_show(c->shown, sizeof c->shown, c->path);
    c->raw = xmalloc(c->fd < 0 && c->mem_left < CSV_RAW_BLOCK ? c->mem_left : CSV_RAW_BLOCK); /* not zeroed: most tables are small */
    if (!(c->digest = XXH3_createState())) TRY(fail(E_NOMEM, "%s: no memory for a digest", c->shown));
    XXH3_64bits_reset(c->digest);
    TRY(csv_read_raw(c));
    if (parquet_is(c->raw, c->raw_n)) return open_parquet(c);
    if (c->raw_n >= 2 && c->raw[0] == 0x1f && c->raw[1] == 0x8b) {
        if (inflateInit2(&c->z, 15 + 16) != Z_OK) TRY(fail(E_NOMEM, "%s: no memory for zlib", c->shown));
        c->gzip = c->in_member = true;
    }
    TRY(read_header(c));
done:
    return st;
}

status csv_open(csv **out, const char *path)
{
    status st = OK;
    csv *c = xcalloc(1, sizeof *c);
    c->path = xstrdup(path);
    c->fd = -1;
    TRY(path_open_regular(path, &c->fd));
    TRY(open_bytes(c));
    *out = c;
    c = NULL;
done:
    csv_close(&c);
    return st;
}

status csv_open_memory(csv **out, const char *name, const void *data, size_t size)
{
    status st = OK;
    csv *c = xcalloc(1, sizeof *c);
    c->path = xstrdup(name);
    c->fd = -1;
    c->mem = data;
    c->mem_left = size;
    TRY(open_bytes(c));
    *out = c;
    c = NULL;
done:
    csv_close(&c);
    return st;
}

void csv_close(csv **p)
{
    csv *c = *p;
    if (!c) return;
    if (c->fd >= 0) close(c->fd);
    if (c->gzip) inflateEnd(&c->z);
    parquet_rows_close(&c->rows);
    XXH3_freeState(c->digest);
    if (c->name) free(c->name[0]);
    free(c->name);
    free(c->field);
    free(c->buf);
    free(c->raw);
    free(c->path);
    free(c);
    *p = NULL;
}

int csv_n_cols(const csv *c)
{
    return c->n_cols;
}

const char *csv_col_name(const csv *c, int col)
{
    return c->name[col];
}

int csv_col(const csv *c, const char *name)
{
    for (int i = 0; *name && i < c->n_cols; i++)
        if (strcmp(c->name[i], name) == 0) return i;
    return -1;
}

int64_t csv_line(const csv *c)
{
    return c->line;
}

const char *csv_path(const csv *c)
{
    return c->path;
}

uint64_t csv_digest(const csv *c)
{
    return XXH3_64bits_digest(c->digest);
}
