/* lzw.c -- the LZW decoder (lzw_impl.h). The string of a code was written before, so that the table need only say where in the output it
 * is; how long it is follows from where the next one is. Most strings of an image are short, and loading bytes that were stored a moment
 * ago in smaller pieces would stall: strings of up to six bytes are therefore in the table itself, with their length, as one 64-bit number.
 * The inner loop takes four codes from a 64-bit register without a test of where input and output end; whatever is special (clear, the last
 * bytes, errors) is left to a careful step of one code. */
#include "lzw_impl.h"

#include "micon/base/simd_clones.h"

#include <string.h>

enum { CLEAR = 256, END = 257, FIRST = 258, MOST = 4096, ROOM = 64 };

/* An entry: the length in the highest byte, the bytes of the string below it, the first one lowest. From LONG on only the first byte
 * counts: the string is in the output. An entry made from AFTER_LONG is itself long and keeps its lowest byte. */
#define ONE ((uint64_t)1 << 56)
#define LONG (7 * ONE)
#define AFTER_LONG (12 * ONE)
#define UNDEFINED (255 * ONE)

typedef struct {
    const uint8_t *src, *src_end;
    uint8_t *output; /* n_out bytes, `out` of them written */
    uint32_t out, n_out;
    uint64_t bits; /* unread bits of the stream, the next one highest */
    unsigned n_bits, width;
    uint32_t next;         /* the code that will be defined next */
    uint64_t previous;     /* the entry of the string written last */
    uint64_t table[MOST];  /* UNDEFINED from `next` on */
    uint32_t at[MOST + 1]; /* at[k]: where the string of code k begins in the output; it ends one byte behind at[k + 1] */
} decoder;

static inline uint64_t load_big_endian(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? __builtin_bswap64(v) : v;
}

static inline void store_short(uint8_t *p, uint64_t e)
{
    if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__) e = __builtin_bswap64(e);
    memcpy(p, &e, sizeof e);
}

/* `e` with one more byte at its end. e >> 53 is eight times a short entry's length: its seventh byte is zero. */
static inline uint64_t longer(uint64_t e, uint64_t first)
{
    return e + (first << (e >> 53 & 63)) + ONE;
}

/* The code gets a bit longer one code early, so that the table is not filled to its last place. */
static inline unsigned limit_of(unsigned width)
{
    return (1u << width) - 1;
}

/* The string of `code` to output + to, from where it was written before, in pieces of eight where it does not overlap its own start too
 * closely: up to seven bytes behind its end are written too. Its length, or 0 where there is not that much room. */
static __attribute__((noinline)) uint32_t copy_long(const decoder *d, uint32_t code, uint32_t to)
{
    uint32_t from = d->at[code], n = d->at[code + 1] - from + 1, i = 0;
    if (d->n_out - to < n + ROOM) return 0;
    if (to - from < 8) {
        for (; i < n; i++) d->output[to + i] = d->output[from + i];
        return n;
    }
    for (; i < n; i += 8) memcpy(d->output + to + i, d->output + from + i, 8);
    return n;
}

/* Codes of one width while none is special and both ends are far. */
static HOT void decode_fast(decoder *d)
{
    if (d->src_end - d->src < 8 || d->n_out < ROOM) return;
    const uint8_t *src = d->src, *const last = d->src_end - 8;
    uint8_t *const output = d->output;
    uint64_t bits = d->bits, previous = d->previous;
    uint32_t next = d->next, out = d->out, n_bits = d->n_bits;
    const uint32_t width = d->width, limit = limit_of(width), full = d->n_out - ROOM;
    while (next + 4 < limit && src <= last && out <= full) {
        bits |= load_big_endian(src) >> n_bits;
        src += (63 - n_bits) >> 3;
        n_bits |= 56;
        for (int k = 0; k < 4; k++) {
            uint32_t code = (uint32_t)(bits >> (64 - width)), n = 0;
            uint64_t e = d->table[code];
            d->at[next + 1] = out;
            if (__builtin_expect(e >= LONG, 0)) {
                if (code < FIRST || code > next) goto special;
                if (code == next) e = longer(previous, previous & 255);
                if (e >= LONG && (n = copy_long(d, code, out)) == 0) goto special;
            }
            d->table[next++] = longer(previous, e & 255);
            bits <<= width;
            n_bits -= width;
            if (__builtin_expect(n > 0, 0)) {
                previous = AFTER_LONG | (e & 255);
                out += n;
                if (out > full) goto special;
            } else {
                store_short(output + out, e);
                previous = e;
                out += (uint32_t)(e >> 56);
            }
        }
    }
special:
    d->src = src, d->out = out, d->bits = bits, d->n_bits = n_bits, d->next = next, d->previous = previous;
}

static bool take(decoder *d, uint32_t *code)
{
    while (d->n_bits < d->width) {
        if (d->src == d->src_end) return false;
        d->bits |= (uint64_t)*d->src++ << (56 - d->n_bits);
        d->n_bits += 8;
    }
    *code = (uint32_t)(d->bits >> (64 - d->width));
    d->bits <<= d->width;
    d->n_bits -= d->width;
    return true;
}

/* The string of a code byte by byte, no further than the end of the output. */
static void put(decoder *d, uint32_t code)
{
    uint64_t e = d->table[code];
    uint32_t room = d->n_out - d->out, n = e < LONG ? (uint32_t)(e >> 56) : d->at[code + 1] - d->at[code] + 1;
    if (n > room) n = room;
    uint8_t *to = d->output + d->out;
    for (uint32_t i = 0; i < n; i++)
        if (e < LONG)
            to[i] = (uint8_t)(e >> (8 * i));
        else
            to[i] = d->output[d->at[code] + i];
    d->previous = e < LONG ? e : AFTER_LONG | (e & 255);
    d->out += n;
}

/* After a clear code: a byte as it is. */
static bool start_again(decoder *d)
{
    uint32_t code;
    d->width = 9;
    do
        if (!take(d, &code)) return false;
    while (code == CLEAR);
    if (code > CLEAR) return false;
    for (uint32_t k = FIRST; k < d->next; k++) d->table[k] = UNDEFINED;
    d->next = FIRST;
    d->at[FIRST] = d->out;
    put(d, code);
    return true;
}

static bool step(decoder *d)
{
    uint32_t code;
    if (!take(d, &code)) return false;
    if (code == CLEAR) return start_again(d);
    if (code == END || code > d->next || d->next >= MOST) return false;
    uint64_t first = (code == d->next ? d->previous : d->table[code]) & 255;
    d->at[d->next + 1] = d->out;
    d->table[d->next++] = longer(d->previous, first);
    put(d, code);
    if (d->next == limit_of(d->width) && d->width < 12) d->width++;
    return true;
}

bool lzw_decode(const uint8_t *src, size_t n_src, uint8_t *out, size_t n_out)
{
    decoder d;
    uint32_t code;
    if (n_out == 0 || n_out > UINT32_MAX - ROOM) return false;
    d.src = src, d.src_end = src + n_src;
    d.output = out, d.out = 0, d.n_out = (uint32_t)n_out;
    d.bits = 0, d.n_bits = 0, d.width = 9;
    for (uint32_t k = 0; k < MOST; k++) d.table[k] = k < CLEAR ? ONE | k : UNDEFINED;
    d.next = FIRST;
    if (!take(&d, &code) || code != CLEAR || !start_again(&d)) return false;
    while (d.out < d.n_out) {
        decode_fast(&d);
        if (d.out < d.n_out && !step(&d)) return false;
    }
    return true;
}

void lzw_undo_predictor8(uint8_t *px, size_t n_rows, size_t width)
{
    for (size_t y = 0; y < n_rows; y++, px += width)
        for (size_t x = 1; x < width; x++) px[x] = (uint8_t)(px[x] + px[x - 1]);
}

void lzw_undo_predictor16(uint16_t *px, size_t n_rows, size_t width)
{
    for (size_t y = 0; y < n_rows; y++, px += width)
        for (size_t x = 1; x < width; x++) px[x] = (uint16_t)(px[x] + px[x - 1]);
}
