/* parquet_impl.h -- shared by the parts of the Parquet reader: thrift's compact protocol (parquet_thrift.c), the footer
 * (parquet_footer.c), codecs (parquet_codec.c), encodings (parquet_decode.c), the file (parquet_file.c), pages and cursors
 * (parquet_read.c), values as text (parquet_text.c). */
#ifndef MICON_FORMATS_PARQUET_IMPL_H
#define MICON_FORMATS_PARQUET_IMPL_H
#include "micon/formats/parquet.h"

typedef enum { TYPE_BOOL, TYPE_I32, TYPE_I64, TYPE_I96, TYPE_F32, TYPE_F64, TYPE_BYTES, TYPE_FIXED } parquet_type;
typedef enum {
    AS_PLAIN,
    AS_TEXT,
    AS_DECIMAL,
    AS_DATE,
    AS_TIME,
    AS_TIMESTAMP,
    AS_UNSIGNED,
    AS_HALF
} parquet_meaning; /* what the annotation makes of the type */
enum { CODEC_NONE, CODEC_SNAPPY, CODEC_GZIP, CODEC_LZO, CODEC_BROTLI, CODEC_LZ4, CODEC_ZSTD, CODEC_LZ4_RAW };
enum {
    ENC_PLAIN = 0,
    ENC_PLAIN_DICTIONARY = 2,
    ENC_RLE = 3,
    ENC_DELTA_BINARY = 5,
    ENC_DELTA_LENGTH = 6,
    ENC_DELTA_BYTES = 7,
    ENC_RLE_DICTIONARY = 8,
    ENC_SPLIT = 9
};

/* Limits. A page holds a file's bytes once unpacked, at most this many times as many as are in the file. */
enum { PARQUET_MAX_PAGE = 1 << 30, PARQUET_MAX_COLS = 1 << 20, PARQUET_MAX_FIXED = 1 << 16 };

/* ---- thrift, compact protocol, from memory ---- */
typedef struct {
    const uint8_t *p, *end;
    bool bad; /* once set, every reading gives 0 and ends every loop */
} thrift;
enum {
    THRIFT_TRUE = 1,
    THRIFT_FALSE,
    THRIFT_I8,
    THRIFT_I16,
    THRIFT_I32,
    THRIFT_I64,
    THRIFT_DOUBLE,
    THRIFT_BINARY,
    THRIFT_LIST,
    THRIFT_STRUCT = 12
};
/* The next field of a struct: false at its end. *id starts at 0 and is kept between calls. */
bool thrift_field(thrift *t, int *id, int *type);
int64_t thrift_int(thrift *t, int type);                      /* of a field of type I8..I64; another type is bad */
const uint8_t *thrift_binary(thrift *t, int type, size_t *n); /* borrowed */
size_t thrift_list(thrift *t, int type, int *element);        /* how many; never more than bytes are left */
void thrift_skip(thrift *t, int type);
bool thrift_struct(thrift *t, int type); /* is the field a struct? otherwise bad */
uint64_t thrift_varint(thrift *t);

/* ---- the footer ---- */
typedef struct {
    char *name;
    parquet_type type;
    parquet_meaning as;
    int width; /* bytes of a value; of TYPE_BYTES sizeof(parquet_span) */
    int scale; /* decimals; for times and timestamps: digits of a second */
    bool optional, utc, nested;
} parquet_col;

typedef struct {
    int64_t at, size; /* of its bytes in the file */
    int codec;
} parquet_chunk;

struct parquet {
    char *path;
    char shown[400];
    int fd; /* -1: `mem` */
    const uint8_t *mem;
    int64_t size;
    int n_cols, n_groups;
    int64_t n_rows;
    parquet_col *col;
    size_t col_cap, group_cap, chunk_cap;
    int64_t *group_rows;
    parquet_chunk *chunk; /* [n_groups, n_cols] */
};

/* n bytes of the file from `at` on; E_FORMAT where it is shorter. */
status parquet_bytes_at(const parquet *p, int64_t at, void *to, size_t n) MUST_USE;
status parquet_parse_footer(parquet *p, const uint8_t *bytes, size_t n) MUST_USE;

/* ---- codecs ---- */
/* Exactly n_out bytes from n_in; the name of what is wrong, or NULL. */
const char *parquet_unpack(int codec, const uint8_t *in, size_t n_in, uint8_t *out, size_t n_out);
const char *parquet_codec_name(int codec);
/* The most bytes that n_in can become, for a check before memory is taken. */
uint64_t parquet_unpacked_most(int codec, uint64_t n_in);

/* ---- encodings ---- */
typedef struct {
    const uint8_t *bytes;
    uint32_t n;
} parquet_span;

/* Runs of equal values and bit-packed groups, of `width` bits. */
typedef struct {
    const uint8_t *p, *end;
    unsigned width;
    uint32_t left, value;  /* of the run */
    const uint8_t *packed; /* NULL: a run of equal ones */
    uint64_t bit;
} parquet_hybrid;
bool parquet_hybrid_next(parquet_hybrid *h, uint32_t *out, size_t n);

typedef struct {
    const uint8_t *p, *end; /* of what follows the values, once all are read */
    uint64_t total, block, minis, given;
    uint64_t last, min_delta;
    const uint8_t *widths, *packed;
    uint64_t mini, in_mini;
} parquet_delta;
bool parquet_delta_init(parquet_delta *d, const uint8_t *p, const uint8_t *end);
bool parquet_delta_next(parquet_delta *d, uint64_t *out, size_t n);

/* The values of one page. */
typedef struct {
    int encoding;
    parquet_type type;
    int width;
    const uint8_t *p, *end;
    uint64_t bit;             /* PLAIN booleans */
    size_t n_split, split_at; /* BYTE_STREAM_SPLIT: values, next one */
    parquet_hybrid hybrid;    /* indices, RLE booleans */
    parquet_delta delta;
    const void *dictionary; /* n_dictionary values */
    uint32_t n_dictionary;
    parquet_span *span; /* DELTA_LENGTH and DELTA_BYTE_ARRAY: all of the page */
    size_t n_span, span_at, span_cap;
    uint8_t *built; /* their bytes, where they are not in the page */
    size_t built_cap;
} parquet_decoder;

/* Get ready for the n bytes at p, which hold at most n_values; what is wrong, or NULL. */
const char *parquet_decode_begin(parquet_decoder *d, const uint8_t *p, size_t n, uint64_t n_values);
/* The next n values (spans for TYPE_BYTES, one byte for TYPE_BOOL, else `width` bytes each). */
const char *parquet_decode(parquet_decoder *d, void *out, size_t n);
void parquet_decoder_free(parquet_decoder *d);

/* ---- rows, for csv.c ---- */
typedef struct parquet_rows parquet_rows;
/* All columns but the nested ones, whose names are empty; data NULL: the file at path. */
status parquet_rows_open(parquet_rows **out, const char *path, const void *data, size_t size) MUST_USE;
int parquet_rows_n_cols(const parquet_rows *r);
const char *parquet_rows_name(const parquet_rows *r, int col);
status parquet_rows_next(parquet_rows *r, char **field, bool *more) MUST_USE; /* field[i]: borrowed until the next call */
void parquet_rows_close(parquet_rows **r);

/* ---- text ---- */
void parquet_value_text(const parquet_col *c, const void *value, text *out);
double parquet_decimal(const parquet_col *c, const void *value);

#endif
