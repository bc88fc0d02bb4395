/* image.c -- reading grayscale TIFFs (image.h). Relies on libtiff for directories and decompression; uncompressed native 16-bit images
 * are used where they lie in the file's bytes. Sizes in a file are not trusted: they are compared with the limits, and with what the
 * file's bytes can hold, before memory is allocated. */
#include "micon/formats/image.h"

#include "lzw_impl.h"
#include "micon/base/digest.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/simd_clones.h"
#include "tiff_impl.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct {
    uint32_t width, height;
    uint32_t cell_width, cell_height; /* of a strip or a tile */
    uint32_t n_cells;
    uint16_t compression, fill_order, predictor;
    bool tiled;
    image_kind kind;
    size_t sample_bytes;
    bool mapped; /* 8-bit samples are numbers in a palette of greys that is not the identity */
    uint8_t grey[256];
} layout;

static const struct {
    const char *name;
    uint16_t format, bits;
} kinds[] = {
    [IMAGE_U8] = {"uint8", SAMPLEFORMAT_UINT, 8},       [IMAGE_I8] = {"int8", SAMPLEFORMAT_INT, 8},
    [IMAGE_U16] = {"uint16", SAMPLEFORMAT_UINT, 16},    [IMAGE_I16] = {"int16", SAMPLEFORMAT_INT, 16},
    [IMAGE_U32] = {"uint32", SAMPLEFORMAT_UINT, 32},    [IMAGE_I32] = {"int32", SAMPLEFORMAT_INT, 32},
    [IMAGE_F32] = {"float32", SAMPLEFORMAT_IEEEFP, 32}, [IMAGE_F64] = {"float64", SAMPLEFORMAT_IEEEFP, 64},
};

const char *image_kind_name(image_kind k)
{
    return kinds[k].name;
}

/* ---- the file's bytes ---- */

/* Make room for n aligned bytes; the old contents are lost. */
static status reserve(void *block, size_t *cap, size_t n, const char *what)
{
    void *old, *p = NULL;
    if (n <= *cap) return OK;
    memcpy(&old, block, sizeof old);
    free(old);
    memcpy(block, &p, sizeof p);
    *cap = 0;
    status st = mem_alloc(block, n, 1, what);
    if (st == OK) *cap = n;
    return st;
}

static status read_all(int fd, image_file *f)
{
    for (size_t at = 0; at < f->size;) {
        ssize_t n = read(fd, f->bytes + at, f->size - at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(E_IO, "%s: reading failed: %s", f->path, strerror(errno));
        if (n == 0) return fail(E_FORMAT, "%s: became shorter while it was read", f->path);
        at += (size_t)n;
    }
    return OK;
}

status image_file_read(image_file *f, const char *path)
{
    status st = OK;
    struct stat sb;
    int fd;
    free(f->path);
    f->path = xstrdup(path);
    f->size = 0;
    TRY(path_open_regular(path, &fd));
    if (fstat(fd, &sb) != 0) TRY(fail(E_IO, "%s: %s", path, strerror(errno)));
    if (sb.st_size == 0) TRY(fail(E_FORMAT, "%s: is empty", path));
    if (sb.st_size > IMAGE_MAX_FILE)
        TRY(fail(E_FORMAT, "%s: has %lld bytes, the limit is %lld", path, (long long)sb.st_size, (long long)IMAGE_MAX_FILE));
    TRY(reserve(&f->bytes, &f->cap, (size_t)sb.st_size, path));
    f->size = (size_t)sb.st_size;
    f->mtime_ns = (int64_t)sb.st_mtim.tv_sec * 1000000000 + sb.st_mtim.tv_nsec;
    TRY(read_all(fd, f));
    f->digest = digest_bytes(f->bytes, f->size);
done:
    if (st != OK) f->size = 0;
    if (fd >= 0) close(fd);
    return st;
}

void image_file_free(image_file *f)
{
    free(f->path);
    free(f->bytes);
    *f = (image_file){0};
}

void image_free(image *im)
{
    free(im->block);
    free(im->raw);
    *im = (image){0};
}

/* ---- samples to values ---- */

/* Copies the samples (dst != src) or only examines them (dst == src). */
HOT static void scan_u16(const uint16_t *src, uint16_t *dst, size_t n, int64_t *saturated, uint32_t *any)
{
    uint32_t bits = 0, count = 0; /* n <= IMAGE_MAX_PX: the count fits */
    if (dst != src) memcpy(dst, src, n * sizeof *dst);
    for (size_t i = 0; i < n; i++) {
        bits |= src[i];
        count += src[i] == UINT16_MAX;
    }
    *saturated += count;
    *any |= bits;
}

static uint16_t value_of(double v, double scale)
{
    double x = floor(v * scale + 0.5);
    return x <= 0 ? 0 : x >= UINT16_MAX ? UINT16_MAX : (uint16_t)x;
}

#define EACH(type, value, is_full)                                                                                                         \
    do {                                                                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                                                                   \
            type s;                                                                                                                        \
            memcpy(&s, src + i * sizeof s, sizeof s);                                                                                      \
            uint16_t v = (uint16_t)(value);                                                                                                \
            dst[i] = v;                                                                                                                    \
            bits |= v;                                                                                                                     \
            count += (is_full);                                                                                                            \
        }                                                                                                                                  \
    } while (0)

/* False: a sample is NaN or infinite. */
static bool convert(image_kind kind, const uint8_t *src, size_t n, double scale, uint16_t *dst, int64_t *saturated, uint32_t *any)
{
    uint32_t bits = 0;
    int64_t count = 0;
    bool finite = true;
    switch (kind) {
    case IMAGE_U8: EACH(uint8_t, s, s == UINT8_MAX); break;
    case IMAGE_I8: EACH(int8_t, s < 0 ? 0 : s, s == INT8_MAX); break;
    case IMAGE_U16: EACH(uint16_t, s, s == UINT16_MAX); break;
    case IMAGE_I16: EACH(int16_t, s < 0 ? 0 : s, s == INT16_MAX); break;
    case IMAGE_U32: EACH(uint32_t, value_of(s, scale), s == UINT32_MAX); break;
    case IMAGE_I32: EACH(int32_t, value_of(s, scale), s == INT32_MAX); break;
    case IMAGE_F32: EACH(float, (finite &= isfinite(s) != 0) ? value_of((double)s, scale) : 0, v == UINT16_MAX); break;
    case IMAGE_F64: EACH(double, (finite &= isfinite(s) != 0) ? value_of(s, scale) : 0, v == UINT16_MAX); break;
    }
    *saturated += count;
    *any |= bits;
    return finite;
}

/* ---- what the directory says ---- */

static const char *photometric_name(uint16_t p)
{
    switch (p) {
    case PHOTOMETRIC_MINISWHITE: return "inverted (MinIsWhite)";
    case PHOTOMETRIC_RGB: return "RGB";
    case PHOTOMETRIC_PALETTE: return "palette colour";
    case PHOTOMETRIC_MASK: return "a mask";
    default: return "colour";
    }
}

/* A palette that is a ramp of greys, dark to light, stands for grey values: the map's, as 8 bits. False: colours, or no ramp. */
static bool grey_ramp(TIFF *tif, layout *l)
{
    enum { N = 256 };
    uint16_t *c[3] = {NULL}, most = 0;
    if (!TIFFGetField(tif, TIFFTAG_COLORMAP, &c[0], &c[1], &c[2]) || !c[0] || !c[1] || !c[2]) return false;
    for (int i = 0; i < N; i++) {
        if (c[1][i] != c[0][i] || c[2][i] != c[0][i] || (i && c[0][i] < c[0][i - 1])) return false;
        most = c[0][i];
    }
    int shift = most < N ? 0 : 8; /* some writers put 8 bits into the map's 16 */
    for (int i = 0; i < N; i++) {
        l->grey[i] = (uint8_t)(c[0][i] >> shift);
        l->mapped = l->mapped || l->grey[i] != i;
    }
    return c[0][0] < most;
}

static status read_kind(TIFF *tif, const char *path, layout *l)
{
    uint16_t bits = 1, samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &bits);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &photometric);
    bool ramp = photometric == PHOTOMETRIC_PALETTE && bits == 8 && samples == 1 && format == SAMPLEFORMAT_UINT && grey_ramp(tif, l);
    if (photometric != PHOTOMETRIC_MINISBLACK && !ramp)
        return fail(E_FORMAT, "%s: is %s; grayscale with 0 as black is expected", path, photometric_name(photometric));
    if (samples != 1) return fail(E_FORMAT, "%s: has %d samples a pixel; one is expected", path, samples);
    if (format == SAMPLEFORMAT_VOID) format = SAMPLEFORMAT_UINT;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (kinds[k].format == format && kinds[k].bits == bits) {
            l->kind = (image_kind)k;
            l->sample_bytes = bits / 8u;
            return OK;
        }
    return fail(E_FORMAT, "%s: has %d-bit samples of format %d; 8, 16 or 32 bits, or float, are read", path, bits, format);
}

/* The largest expansion of each compression, in bytes per byte. */
static uint64_t expansion(uint16_t compression)
{
    switch (compression) {
    case COMPRESSION_NONE: return 1;
    case COMPRESSION_PACKBITS: return 64;
    case COMPRESSION_LZW: return 4096;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE: return 1100;
    default: return 0;
    }
}

static status read_cells(TIFF *tif, const char *path, size_t file_size, layout *l)
{
    uint64_t most = file_size * expansion(l->compression), px = (uint64_t)l->width * l->height;
    l->tiled = TIFFIsTiled(tif) != 0;
    if (l->tiled) {
        TIFFGetField(tif, TIFFTAG_TILEWIDTH, &l->cell_width);
        TIFFGetField(tif, TIFFTAG_TILELENGTH, &l->cell_height);
        l->n_cells = TIFFNumberOfTiles(tif);
    } else {
        l->cell_width = l->width;
        TIFFGetFieldDefaulted(tif, TIFFTAG_ROWSPERSTRIP, &l->cell_height);
        if (l->cell_height > l->height) l->cell_height = l->height;
        l->n_cells = TIFFNumberOfStrips(tif);
    }
    if (l->cell_width == 0 || l->cell_height == 0 || l->n_cells == 0) return fail(E_FORMAT, "%s: has strips or tiles without pixels", path);
    uint64_t cell = (uint64_t)l->cell_width * l->cell_height;
    uint64_t across = (l->width + (uint64_t)l->cell_width - 1) / l->cell_width,
             down = (l->height + (uint64_t)l->cell_height - 1) / l->cell_height;
    if (across * down != l->n_cells)
        return fail(E_FORMAT, "%s: has %u strips or tiles where its size asks for %llu", path, l->n_cells,
                    (unsigned long long)(across * down));
    if (l->cell_width > IMAGE_MAX_SIDE * 2u || l->cell_height > IMAGE_MAX_SIDE * 2u || cell > IMAGE_MAX_PX)
        return fail(E_FORMAT, "%s: has tiles of %u x %u pixels, more than is read", path, l->cell_width, l->cell_height);
    if (px * l->sample_bytes > most || cell * l->sample_bytes > most)
        return fail(E_FORMAT, "%s: is truncated or damaged: claims %u x %u pixels, its %zu bytes cannot hold them", path, l->width,
                    l->height, file_size);
    return OK;
}

/* libtiff pads a table of offsets that is too short with zeros, and would then decode the header as pixels. */
static status check_offsets(TIFF *tif, const image_file *f, const layout *l)
{
    for (uint32_t c = 0; c < l->n_cells; c++) {
        uint64_t at = TIFFGetStrileOffset(tif, c), bytes = TIFFGetStrileByteCount(tif, c);
        if (at < 8 || bytes == 0 || at > f->size || bytes > f->size - at)
            return fail(E_FORMAT, "%s: is truncated or damaged: %s %u of %u is not inside its %zu bytes", f->path,
                        l->tiled ? "tile" : "strip", c + 1, l->n_cells, f->size);
    }
    return OK;
}

static status read_layout(TIFF *tif, const image_file *f, layout *l)
{
    *l = (layout){0};
    TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &l->width);
    TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &l->height);
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &l->compression);
    TIFFGetFieldDefaulted(tif, TIFFTAG_FILLORDER, &l->fill_order);
    l->predictor = PREDICTOR_NONE;
    TIFFGetField(tif, TIFFTAG_PREDICTOR, &l->predictor);
    if (l->width == 0 || l->height == 0) return fail(E_FORMAT, "%s: has no pixels", f->path);
    if (l->width > IMAGE_MAX_SIDE || l->height > IMAGE_MAX_SIDE || (uint64_t)l->width * l->height > IMAGE_MAX_PX)
        return fail(E_FORMAT, "%s: claims %u x %u pixels; the limits are %d a side and %d in all", f->path, l->width, l->height,
                    IMAGE_MAX_SIDE, IMAGE_MAX_PX);
    status st = read_kind(tif, f->path, l);
    if (st != OK) return st;
    if (expansion(l->compression) == 0)
        return fail(E_FORMAT, "%s: compression %d is not read; none, LZW, deflate and PackBits are", f->path, l->compression);
    st = read_cells(tif, f->path, f->size, l);
    return st != OK ? st : check_offsets(tif, f, l);
}

/* ---- pixels ---- */

static status damaged(const char *path, uint32_t cell, const layout *l)
{
    const char *why = tiff_why();
    return fail(E_FORMAT, "%s: is truncated or damaged at %s %u of %u%s%s", path, l->tiled ? "tile" : "strip", cell + 1, l->n_cells,
                *why ? ": " : "", why);
}

/* Uncompressed 16-bit strips in our byte order, one after another: used in place. False: not so, decode. */
static bool in_place(TIFF *tif, const image_file *f, const layout *l, const uint16_t **px)
{
    if (l->compression != COMPRESSION_NONE || l->kind != IMAGE_U16 || l->tiled || l->fill_order != FILLORDER_MSB2LSB ||
        TIFFIsByteSwapped(tif))
        return false;
    uint64_t first = TIFFGetStrileOffset(tif, 0), at = first;
    for (uint32_t s = 0; s < l->n_cells; s++) {
        uint32_t rows = l->height - s * l->cell_height < l->cell_height ? l->height - s * l->cell_height : l->cell_height;
        uint64_t bytes = (uint64_t)rows * l->width * sizeof **px;
        if (TIFFGetStrileOffset(tif, s) != at || TIFFGetStrileByteCount(tif, s) != bytes) return false;
        at += bytes;
    }
    if (at > f->size || first % sizeof **px != 0) return false;
    *px = (const uint16_t *)(const void *)(f->bytes + first);
    return true;
}

/* Decode LZW with our decoder if it supports the layout and the stream; false: libtiff must decode it. */
static bool decode_lzw(TIFF *tif, const image_file *f, const layout *l, uint32_t cell, uint32_t rows, void *out, size_t bytes)
{
    bool differences = l->predictor == PREDICTOR_HORIZONTAL, swapped = TIFFIsByteSwapped(tif) && l->sample_bytes > 1;
    if (l->compression != COMPRESSION_LZW || l->fill_order != FILLORDER_MSB2LSB || l->sample_bytes > 2) return false;
    if (l->predictor != PREDICTOR_NONE && !differences) return false;
    if (!lzw_decode(f->bytes + TIFFGetStrileOffset(tif, cell), TIFFGetStrileByteCount(tif, cell), out, bytes)) return false;
    if (swapped) TIFFSwabArrayOfShort(out, (tmsize_t)(bytes / sizeof(uint16_t)));
    if (differences && l->sample_bytes == 1)
        lzw_undo_predictor8(out, rows, l->cell_width);
    else if (differences)
        lzw_undo_predictor16(out, rows, l->cell_width);
    return true;
}

static status decode_cell(TIFF *tif, const image_file *f, const layout *l, uint32_t cell, uint32_t rows, void *out)
{
    tmsize_t bytes = (tmsize_t)((size_t)rows * l->cell_width * l->sample_bytes);
    if (!decode_lzw(tif, f, l, cell, rows, out, (size_t)bytes)) {
        tmsize_t got = l->tiled ? TIFFReadEncodedTile(tif, cell, out, bytes) : TIFFReadEncodedStrip(tif, cell, out, bytes);
        if (got != bytes) return damaged(f->path, cell, l);
    }
    uint8_t *sample = out;
    for (tmsize_t i = 0; i < bytes && l->mapped; i++) sample[i] = l->grey[sample[i]];
    return OK;
}

static status decode_strips(image *im, TIFF *tif, const image_file *f, const layout *l, double scale, uint32_t *any)
{
    for (uint32_t s = 0; s < l->n_cells; s++) {
        uint32_t y = s * l->cell_height, rows = l->height - y < l->cell_height ? l->height - y : l->cell_height;
        size_t n = (size_t)rows * l->width;
        uint16_t *dst = im->block + (size_t)y * l->width;
        bool direct = l->kind == IMAGE_U16;
        status st = decode_cell(tif, f, l, s, rows, direct ? (void *)dst : im->raw);
        if (st != OK) return st;
        if (direct)
            scan_u16(dst, dst, n, &im->n_saturated, any);
        else if (!convert(l->kind, im->raw, n, scale, dst, &im->n_saturated, any))
            return fail(E_FORMAT, "%s: holds NaN or infinity", f->path);
    }
    return OK;
}

static status decode_tiles(image *im, TIFF *tif, const image_file *f, const layout *l, double scale, uint32_t *any)
{
    uint32_t across = (l->width + l->cell_width - 1) / l->cell_width;
    for (uint32_t t = 0; t < l->n_cells; t++) {
        uint32_t x = t % across * l->cell_width, y = t / across * l->cell_height;
        uint32_t columns = l->width - x < l->cell_width ? l->width - x : l->cell_width;
        uint32_t rows = l->height - y < l->cell_height ? l->height - y : l->cell_height;
        status st = decode_cell(tif, f, l, t, l->cell_height, im->raw);
        if (st != OK) return st;
        for (uint32_t r = 0; r < rows; r++) {
            const uint8_t *src = im->raw + (size_t)r * l->cell_width * l->sample_bytes;
            uint16_t *dst = im->block + (size_t)(y + r) * l->width + x;
            if (!convert(l->kind, src, columns, scale, dst, &im->n_saturated, any))
                return fail(E_FORMAT, "%s: holds NaN or infinity", f->path);
        }
    }
    return OK;
}

static status decode_pixels(image *im, TIFF *tif, const image_file *f, const layout *l, double scale)
{
    status st = OK;
    uint32_t any = 0;
    size_t n = (size_t)l->width * l->height;
    im->n_saturated = 0;
    if (in_place(tif, f, l, &im->px)) {
        uint16_t *same = (uint16_t *)(uintptr_t)im->px; /* looked at only */
        scan_u16(im->px, same, n, &im->n_saturated, &any);
    } else {
        TRY(reserve(&im->block, &im->block_cap, n * sizeof *im->block, f->path));
        if (l->tiled || l->kind != IMAGE_U16)
            TRY(reserve(&im->raw, &im->raw_cap, (size_t)l->cell_width * l->cell_height * l->sample_bytes, f->path));
        TRY(l->tiled ? decode_tiles(im, tif, f, l, scale, &any) : decode_strips(im, tif, f, l, scale, &any));
        im->px = im->block;
    }
    im->all_zero = any == 0;
    im->width_px = (int)l->width;
    im->height_px = (int)l->height;
    im->kind = l->kind;
done:
    return st;
}

/* Further pages are an error, unless they are thumbnails or masks. */
static status check_alone(TIFF *tif, const char *path)
{
    enum { REDUCED_OR_MASK = FILETYPE_REDUCEDIMAGE | FILETYPE_MASK };
    while (!TIFFLastDirectory(tif)) {
        uint32_t type = 0;
        if (!TIFFReadDirectory(tif)) return fail(E_FORMAT, "%s: its second page is damaged: %s", path, tiff_why());
        TIFFGetFieldDefaulted(tif, TIFFTAG_SUBFILETYPE, &type);
        if (!(type & REDUCED_OR_MASK))
            return fail(E_FORMAT, "%s: has more than one page; with tile.pages: channels, page k is channel k", path);
    }
    return OK;
}

static bool is_tiff(const image_file *f)
{
    static const char magic[4][4] = {{'I', 'I', 42, 0}, {'M', 'M', 0, 42}, {'I', 'I', 43, 0}, {'M', 'M', 0, 43}};
    for (int i = 0; i < 4 && f->size >= 8; i++)
        if (memcmp(f->bytes, magic[i], 4) == 0) return true;
    return false;
}

/* ---- label images ---- */

#define SAMPLE(name, type)                                                                                                                 \
    static type sample_##name(const uint8_t *s)                                                                                            \
    {                                                                                                                                      \
        type v;                                                                                                                            \
        memcpy(&v, s, sizeof v);                                                                                                           \
        return v;                                                                                                                          \
    }
SAMPLE(u16, uint16_t)
SAMPLE(u32, uint32_t)
SAMPLE(f32, float)
SAMPLE(f64, double)

/* Samples to labels; fails on the first sample that is not a label. */
static status convert_labels(const layout *l, const char *path, const uint8_t *src, size_t n, int32_t *dst)
{
    bool is_float = l->kind == IMAGE_F32 || l->kind == IMAGE_F64;
    for (size_t i = 0; i < n; i++) {
        double v = 0;
        const uint8_t *s = src + i * l->sample_bytes;
        switch (l->kind) {
        case IMAGE_U8: v = *s; break;
        case IMAGE_I8: v = (int8_t)*s; break;
        case IMAGE_U16: v = sample_u16(s); break;
        case IMAGE_I16: v = (int16_t)sample_u16(s); break;
        case IMAGE_U32: v = sample_u32(s); break;
        case IMAGE_I32: v = (int32_t)sample_u32(s); break;
        case IMAGE_F32: v = (double)sample_f32(s); break;
        case IMAGE_F64: v = sample_f64(s); break;
        }
        if (is_float && !(v == floor(v))) return fail(E_FORMAT, "%s: holds the label %g; labels are whole numbers", path, v);
        if (v < 0) return fail(E_FORMAT, "%s: holds the label %.0f; labels are 0 (background) or positive", path, v);
        if (v > INT32_MAX) return fail(E_FORMAT, "%s: holds the label %.0f; the largest that is read is %d", path, v, INT32_MAX);
        dst[i] = (int32_t)v;
    }
    return OK;
}

static status decode_label_cells(image_labels *out, TIFF *tif, const image_file *f, const layout *l)
{
    uint32_t across = (l->width + l->cell_width - 1) / l->cell_width;
    for (uint32_t c = 0; c < l->n_cells; c++) {
        uint32_t x = c % across * l->cell_width, y = c / across * l->cell_height;
        uint32_t columns = l->width - x < l->cell_width ? l->width - x : l->cell_width;
        uint32_t rows = l->height - y < l->cell_height ? l->height - y : l->cell_height;
        status st = decode_cell(tif, f, l, c, l->tiled ? l->cell_height : rows, out->raw);
        for (uint32_t r = 0; st == OK && r < rows; r++)
            st = convert_labels(l, f->path, out->raw + (size_t)r * l->cell_width * l->sample_bytes, columns,
                                out->label + (size_t)(y + r) * l->width + x);
        if (st != OK) return st;
    }
    return OK;
}

static status decode_labels(image_labels *out, TIFF *tif, const image_file *f, const layout *l)
{
    status st = OK;
    TRY(reserve(&out->label, &out->label_cap, (size_t)l->width * l->height * sizeof *out->label, f->path));
    TRY(reserve(&out->raw, &out->raw_cap, (size_t)l->cell_width * l->cell_height * l->sample_bytes, f->path));
    TRY(decode_label_cells(out, tif, f, l));
    out->width_px = (int)l->width;
    out->height_px = (int)l->height;
done:
    return st;
}

void image_labels_free(image_labels *l)
{
    free(l->label);
    free(l->raw);
    *l = (image_labels){0};
}

/* ---- one page of a file, to values or to labels (the other is NULL) ---- */
static status decode_page(image *im, image_labels *labels, const image_file *f, int page, double scale)
{
    status st = OK;
    layout l;
    TIFF *tif = NULL;
    tiff_memory m = {.bytes = f->bytes, .size = f->size};
    if (!is_tiff(f)) TRY(fail(E_FORMAT, "%s: is not a TIFF file", f->path));
    if (!(tif = tiff_open_read(&m))) TRY(fail(E_FORMAT, "%s: is truncated or damaged: %s", f->path, tiff_why()));
    if (page > 0 && (page > UINT16_MAX || !TIFFSetDirectory(tif, (tdir_t)page)))
        TRY(fail(E_FORMAT, "%s: has no page %d", f->path, page + 1));
    TRY(read_layout(tif, f, &l));
    TRY(im ? decode_pixels(im, tif, f, &l, scale) : decode_labels(labels, tif, f, &l));
    if (page == IMAGE_ONLY_PAGE) TRY(check_alone(tif, f->path));
done:
    if (tif) TIFFClose(tif);
    return st;
}

status image_decode(image *im, const image_file *f, int page, double scale)
{
    im->px = NULL;
    status st = decode_page(im, NULL, f, page, scale);
    if (st != OK) im->px = NULL;
    return st;
}

status image_decode_labels(image_labels *out, const image_file *f, int page)
{
    return decode_page(NULL, out, f, page, 1);
}
