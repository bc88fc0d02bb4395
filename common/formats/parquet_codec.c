/* parquet_codec.c -- unpacking pages, through the libraries of their compressions. */
#include "parquet_impl.h"

#include <lz4.h>
#include <snappy-c.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

const char *parquet_codec_name(int codec)
{
    static const char *const name[] = {"uncompressed", "snappy", "gzip", "LZO", "brotli", "LZ4", "zstd", "LZ4_RAW"};
    return codec >= 0 && codec < (int)(sizeof name / sizeof *name) ? name[codec] : "unknown";
}

uint64_t parquet_unpacked_most(int codec, uint64_t n_in)
{
    switch (codec) {
    case CODEC_NONE: return n_in;
    case CODEC_SNAPPY: return n_in * 32 + 64;  /* three bytes copy at most 64 */
    case CODEC_GZIP: return n_in * 1100 + 64;  /* deflate: 1032 */
    case CODEC_ZSTD: return n_in * 65536 + 64; /* a block of 128 KiB in four bytes */
    default: return n_in * 256 + 64;           /* LZ4: 255 */
    }
}

static const char *unpack_gzip(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    z_stream z = {0};
    z.next_in = (uint8_t *)(uintptr_t)in;
    z.avail_in = (uInt)n_in;
    z.next_out = out;
    z.avail_out = (uInt)n_out;
    if (inflateInit2(&z, 15 + 32) != Z_OK) return "no memory for zlib";
    int rc = inflate(&z, Z_FINISH);
    bool good = rc == Z_STREAM_END && z.avail_out == 0;
    inflateEnd(&z);
    return good ? NULL : "its gzip data are damaged";
}

static size_t big_endian(const uint8_t *p)
{
    return (size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3];
}

/* Codec LZ4 is Hadoop's framing (pairs of sizes, then a block), or, of some writers, one block without it. */
static const char *unpack_lz4(const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    size_t from = 0, to = 0;
    while (n_in - from >= 8) {
        size_t size = big_endian(in + from), packed = big_endian(in + from + 4);
        from += 8;
        if (packed > n_in - from || size > n_out - to) break;
        if (LZ4_decompress_safe((const char *)in + from, (char *)out + to, (int)packed, (int)size) != (int)size) break;
        from += packed;
        to += size;
        if (to == n_out && from == n_in) return NULL;
    }
    return parquet_unpack(CODEC_LZ4_RAW, in, n_in, out, n_out);
}

const char *parquet_unpack(int codec, const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out)
{
    size_t n = n_out;
    if (n_in > PARQUET_MAX_PAGE || n_out > PARQUET_MAX_PAGE) return "it is larger than 1 GiB";
    switch (codec) {
    case CODEC_SNAPPY:
        if (snappy_uncompressed_length((const char *)in, n_in, &n) != SNAPPY_OK || n != n_out ||
            snappy_uncompress((const char *)in, n_in, (char *)out, &n) != SNAPPY_OK || n != n_out)
            return "its snappy data are damaged";
        return NULL;
    case CODEC_GZIP: return unpack_gzip(in, n_in, out, n_out);
    case CODEC_ZSTD: return ZSTD_decompress(out, n_out, in, n_in) == n_out ? NULL : "its zstd data are damaged";
    case CODEC_LZ4: return unpack_lz4(in, n_in, out, n_out);
    case CODEC_LZ4_RAW:
        return LZ4_decompress_safe((const char *)in, (char *)out, (int)n_in, (int)n_out) == (int)n_out ? NULL : "its LZ4 data are damaged";
    default: return "its compression is not read";
    }
}
