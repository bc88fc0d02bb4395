/* csv_bytes.c -- the bytes of a table: from a file or memory, hashed, and unpacked where they are gzip. */
#include "csv_impl.h"

#include "micon/base/mem.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_BUFFER = 1 << 16 };

status csv_bad(csv *c, int64_t line, const char *what)
{
    c->failed = true;
    return fail(E_FORMAT, "%s:%lld: %s", c->shown, (long long)line, what);
}

status csv_read_raw(csv *c)
{
    c->raw_pos = c->raw_n = 0;
    if (c->raw_end) return OK;
    if (c->fd < 0) {
        size_t n = c->mem_left < CSV_RAW_BLOCK ? c->mem_left : CSV_RAW_BLOCK;
        if (n) memcpy(c->raw, c->mem, n);
        c->mem += n, c->mem_left -= n, c->raw_n = n;
    } else {
        ssize_t n;
        while ((n = read(c->fd, c->raw, CSV_RAW_BLOCK)) < 0 && errno == EINTR) continue;
        if (n < 0) {
            c->failed = true;
            return fail(E_IO, "%s:%lld: reading failed: %s", c->shown, (long long)c->next_line, strerror(errno));
        }
        c->raw_n = (size_t)n;
    }
    if (c->raw_n == 0) c->raw_end = true;
    XXH3_64bits_update(c->digest, c->raw, c->raw_n);
    return OK;
}

/* After a gzip member: another member, the end of the file, or zero padding (tapes). */
static status member_next(csv *c)
{
    status st = OK;
    bool padding = false;
    for (;;) {
        if (c->raw_pos == c->raw_n) TRY(csv_read_raw(c));
        if (c->raw_end) return c->ended = true, OK;
        if (c->raw[c->raw_pos] != 0) break;
        c->raw_pos++;
        padding = true;
    }
    if (c->raw[c->raw_pos] != 0x1f || padding) return csv_bad(c, c->next_line, "something else follows the gzip data");
    if (inflateReset(&c->z) != Z_OK) return csv_bad(c, c->next_line, "zlib cannot go on");
    c->in_member = true;
done:
    return st;
}

/* Put up to n decoded bytes at `to`; *got = 0 only at the end. */
static status inflate_some(csv *c, char *to, size_t n, size_t *got)
{
    status st = OK;
    *got = 0;
    while (*got == 0 && !c->ended) {
        if (!c->in_member) {
            TRY(member_next(c));
            continue;
        }
        if (c->raw_pos == c->raw_n) TRY(csv_read_raw(c));
        if (c->raw_end) TRY(csv_bad(c, c->next_line, "the gzip data end early: the file is cut off"));
        c->z.next_in = c->raw + c->raw_pos;
        c->z.avail_in = (uInt)(c->raw_n - c->raw_pos);
        c->z.next_out = (unsigned char *)to;
        c->z.avail_out = (uInt)(n < CSV_RAW_BLOCK * 4 ? n : CSV_RAW_BLOCK * 4);
        uInt room = c->z.avail_out;
        int rc = inflate(&c->z, Z_NO_FLUSH);
        c->raw_pos = c->raw_n - c->z.avail_in;
        *got = room - c->z.avail_out;
        if (rc == Z_STREAM_END)
            c->in_member = false;
        else if (rc != Z_OK && rc != Z_BUF_ERROR)
            TRY(csv_bad(c, c->next_line, "the gzip data are damaged"));
    }
done:
    return st;
}

status csv_fill(csv *c, size_t *shift)
{
    status st = OK;
    size_t got = 0;
    *shift = c->pos;
    if (c->pos) memmove(c->buf, c->buf + c->pos, c->end - c->pos);
    c->end -= c->pos;
    c->pos = 0;
    TRY(mem_grow(&c->buf, &c->cap, c->end + c->end / 2 + FIRST_BUFFER, 1, c->shown));
    size_t room = c->cap - c->end - 1; /* one byte stays for the last row's end */
    if (c->gzip) {
        TRY(inflate_some(c, c->buf + c->end, room, &got));
    } else {
        if (c->raw_pos == c->raw_n) TRY(csv_read_raw(c));
        got = c->raw_n - c->raw_pos < room ? c->raw_n - c->raw_pos : room;
        memcpy(c->buf + c->end, c->raw + c->raw_pos, got);
        c->raw_pos += got;
        c->ended = c->raw_end;
    }
    c->end += got;
done:
    return st;
}
