/* image_tiff.c -- grayscale TIFFs (image.h). Relies on libtiff for directories and decompression; uncompressed native 16-bit images are
 * used where they lie in the file's bytes. Sizes in a file are not trusted: they are compared with the limits, and with what the file's
 * bytes can hold, before memory is allocated. */
#include "image_impl.h"
#include "lzw_impl.h"
#include "tiff_impl.h"

#include <string.h>

typedef struct {
    uint32_t width, height;
    uint32_t cell_width, cell_height; /* of a strip or a tile */
    uint32_t n_cells;
    uint16_t compression, fill_order, predictor, bits;
    bool tiled;
    image_kind kind;
    size_t row_bytes;      /* of a strip or a tile, as libtiff hands it out: samples below 8, or of 9 to 15 bits are packed */
    bool inverted, mapped; /* MinIsWhite; samples are numbers in a palette of greys that is not the identity */
    uint8_t grey[256];
} layout;

/* Sizes that are used as they are. Unsigned ones of other sizes up to 16 bits are unpacked. */
static const struct {
    uint16_t format, bits;
} samples_of[] = {
    [IMAGE_U8] = {SAMPLEFORMAT_UINT, 8},     [IMAGE_I8] = {SAMPLEFORMAT_INT, 8},      [IMAGE_U16] = {SAMPLEFORMAT_UINT, 16},
    [IMAGE_I16] = {SAMPLEFORMAT_INT, 16},    [IMAGE_U32] = {SAMPLEFORMAT_UINT, 32},   [IMAGE_I32] = {SAMPLEFORMAT_INT, 32},
    [IMAGE_F16] = {SAMPLEFORMAT_IEEEFP, 16}, [IMAGE_F32] = {SAMPLEFORMAT_IEEEFP, 32}, [IMAGE_F64] = {SAMPLEFORMAT_IEEEFP, 64},
};

/* ---- what the directory says ---- */

static const char *photometric_name(uint16_t p)
{
    switch (p) {
    case PHOTOMETRIC_RGB: return "RGB";
    case PHOTOMETRIC_PALETTE: return "palette colour";
    case PHOTOMETRIC_MASK: return "a mask";
    default: return "colour";
    }
}

/* A palette that is a ramp of greys, dark to light, stands for grey values: the map's, as 8 bits. False: colours, or no ramp. */
static bool grey_ramp(TIFF *tif, layout *l)
{
    int n = 1 << l->bits;
    uint16_t *c[3] = {NULL}, most = 0;
    if (!TIFFGetField(tif, TIFFTAG_COLORMAP, &c[0], &c[1], &c[2]) || !c[0] || !c[1] || !c[2]) return false;
    for (int i = 0; i < n; i++) {
        if (c[1][i] != c[0][i] || c[2][i] != c[0][i] || (i && c[0][i] < c[0][i - 1])) return false;
        most = c[0][i];
    }
    int shift = most < 256 ? 0 : 8; /* some writers put 8 bits into the map's 16 */
    for (int i = 0; i < n; i++) {
        l->grey[i] = (uint8_t)(c[0][i] >> shift);
        l->mapped = l->mapped || l->grey[i] != i;
    }
    return c[0][0] < most;
}

static const char *format_name(uint16_t format)
{
    static const char *const name[] = {"", "unsigned integer", "signed integer", "float", "untyped", "complex integer", "complex"};
    return format < sizeof name / sizeof *name ? name[format] : "unknown";
}

static status read_kind(TIFF *tif, const char *path, bool labels, layout *l)
{
    uint16_t samples = 1, format = SAMPLEFORMAT_UINT, photometric = PHOTOMETRIC_MINISBLACK;
    l->bits = 1;
    TIFFGetFieldDefaulted(tif, TIFFTAG_BITSPERSAMPLE, &l->bits);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLESPERPIXEL, &samples);
    TIFFGetFieldDefaulted(tif, TIFFTAG_SAMPLEFORMAT, &format);
    TIFFGetField(tif, TIFFTAG_PHOTOMETRIC, &photometric);
    if (format == SAMPLEFORMAT_VOID) format = SAMPLEFORMAT_UINT;
    bool integer = format == SAMPLEFORMAT_UINT && samples == 1;
    bool ramp = photometric == PHOTOMETRIC_PALETTE && integer && l->bits > 1 && l->bits <= 8 && (grey_ramp(tif, l) || labels);
    l->inverted = photometric == PHOTOMETRIC_MINISWHITE;
    if (photometric != PHOTOMETRIC_MINISBLACK && !l->inverted && !ramp)
        return fail(E_FORMAT, "%s: is %s; grayscale with 0 as black is expected", path, photometric_name(photometric));
    if (samples != 1) return fail(E_FORMAT, "%s: has %d samples a pixel; one is expected", path, samples);
    if (l->bits == 1) return fail(E_FORMAT, "%s: is black and white (1 bit a pixel); grayscale is expected", path);
    if (l->inverted && (!integer || l->bits > 16))
        return fail(E_FORMAT, "%s: is inverted (MinIsWhite) with %d-bit %s samples; it is read with unsigned ones of up to 16 bits", path,
                    l->bits, format_name(format));
    if (integer && l->bits < 16) {
        l->kind = l->bits <= 8 ? IMAGE_U8 : IMAGE_U16;
        return OK;
    }
    for (size_t k = 0; k < sizeof samples_of / sizeof *samples_of; k++)
        if (samples_of[k].format == format && samples_of[k].bits == l->bits) {
            l->kind = (image_kind)k;
            return OK;
        }
    return fail(E_FORMAT,
                "%s: has %d-bit %s samples; unsigned integers of up to 16 bits, signed ones of 8 and 16, integers of 32, and floats of "
                "16, 32 and 64 are read",
                path, l->bits, format_name(format));
}

/* Bytes that a file of `size` bytes may hold in this compression; 0: one that is not read. */
static uint64_t most_bytes(uint16_t compression, uint64_t size)
{
    enum { SMALL = 1 << 26 };
    switch (compression) {
    case COMPRESSION_NONE: return size;
    case COMPRESSION_PACKBITS: return size * 64;
    case COMPRESSION_LZW: return size * 4096;
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE: return size * 1100;
    case COMPRESSION_ZSTD: /* no bound of its own: what deflate could do, or an image of a usual size */
        return size * 1100 > SMALL ? size * 1100 : SMALL;
    default: return 0;
    }
}

static status read_compression(TIFF *tif, const char *path, layout *l)
{
    static const struct {
        uint16_t number;
        const char *name;
    } other[] = {
        {2, "CCITT RLE"}, {3, "CCITT fax 3"},     {4, "CCITT fax 4"},   {6, "old JPEG"},
        {7, "JPEG"},      {32809, "ThunderScan"}, {33003, "JPEG 2000"}, {33005, "JPEG 2000"},
        {34661, "JBIG"},  {34676, "SGILog"},      {34677, "SGILog24"},  {34712, "JPEG 2000"},
        {34887, "LERC"},  {34925, "LZMA"},        {34934, "JPEG XR"},   {COMPRESSION_ZSTD, "zstd, of which this libtiff has no decoder,"},
        {50001, "WebP"},  {50002, "JPEG XL"},     {52546, "JPEG XL"}};
    const char *name = NULL;
    TIFFGetFieldDefaulted(tif, TIFFTAG_COMPRESSION, &l->compression);
    if (most_bytes(l->compression, 1) > 0 && TIFFIsCODECConfigured(l->compression)) return OK;
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        if (other[i].number == l->compression) name = other[i].name;
    return fail(E_FORMAT, "%s: compression %d%s%s%s is not read; none, LZW, deflate, PackBits and zstd are", path, l->compression,
                name ? " (" : "", name ? name : "", name ? ")" : "");
}

static status read_cells(TIFF *tif, const char *path, size_t file_size, layout *l)
{
    uint64_t most = most_bytes(l->compression, file_size);
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
    l->row_bytes = (size_t)(((uint64_t)l->cell_width * l->bits + 7) / 8);
    if (((uint64_t)l->width * l->bits + 7) / 8 * l->height > most || (uint64_t)l->row_bytes * l->cell_height > most)
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

static status read_layout(TIFF *tif, const image_file *f, bool labels, layout *l)
{
    *l = (layout){.predictor = PREDICTOR_NONE};
    TIFFGetField(tif, TIFFTAG_IMAGEWIDTH, &l->width);
    TIFFGetField(tif, TIFFTAG_IMAGELENGTH, &l->height);
    TIFFGetFieldDefaulted(tif, TIFFTAG_FILLORDER, &l->fill_order);
    TIFFGetField(tif, TIFFTAG_PREDICTOR, &l->predictor);
    status st = image_size_check(f->path, l->width, l->height);
    if (st == OK) st = read_kind(tif, f->path, labels, l);
    if (st == OK) st = read_compression(tif, f->path, l);
    if (st == OK) st = read_cells(tif, f->path, f->size, l);
    return st != OK ? st : check_offsets(tif, f, l);
}

/* ---- pixels ---- */

static status damaged(const char *path, uint32_t cell, const layout *l)
{
    const char *why = tiff_why();
    return fail(E_FORMAT, "%s: is truncated or damaged at %s %u of %u%s%s", path, l->tiled ? "tile" : "strip", cell + 1, l->n_cells,
                *why ? ": " : "", why);
}

static bool is_native(const layout *l)
{
    return l->kind == IMAGE_U16 && l->bits == 16 && !l->inverted;
}

/* Uncompressed 16-bit strips in our byte order, one after another: used in place. False: not so, decode. */
static bool in_place(TIFF *tif, const image_file *f, const layout *l, const uint16_t **px)
{
    if (l->compression != COMPRESSION_NONE || !is_native(l) || l->tiled || l->fill_order != FILLORDER_MSB2LSB || TIFFIsByteSwapped(tif))
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
    bool differences = l->predictor == PREDICTOR_HORIZONTAL, swapped = TIFFIsByteSwapped(tif) && l->bits == 16;
    if (l->compression != COMPRESSION_LZW || l->fill_order != FILLORDER_MSB2LSB || (l->bits != 8 && l->bits != 16)) return false;
    if (l->predictor != PREDICTOR_NONE && !differences) return false;
    if (!lzw_decode(f->bytes + TIFFGetStrileOffset(tif, cell), TIFFGetStrileByteCount(tif, cell), out, bytes)) return false;
    if (swapped) TIFFSwabArrayOfShort(out, (tmsize_t)(bytes / sizeof(uint16_t)));
    if (differences && l->bits == 8)
        lzw_undo_predictor8(out, rows, l->cell_width);
    else if (differences)
        lzw_undo_predictor16(out, rows, l->cell_width);
    return true;
}

static status decode_cell(TIFF *tif, const image_file *f, const layout *l, uint32_t cell, uint32_t rows, void *out)
{
    tmsize_t bytes = (tmsize_t)(rows * l->row_bytes);
    if (decode_lzw(tif, f, l, cell, rows, out, (size_t)bytes)) return OK;
    tmsize_t got = l->tiled ? TIFFReadEncodedTile(tif, cell, out, bytes) : TIFFReadEncodedStrip(tif, cell, out, bytes);
    return got == bytes ? OK : damaged(f->path, cell, l);
}

/* Samples of other sizes than 8 and 16 bits, from the highest bit on, to 8 or 16. */
static void unpack(const uint8_t *src, size_t n, int bits, uint8_t *dst)
{
    uint32_t held = 0;
    int n_held = 0;
    for (size_t i = 0; i < n; i++) {
        for (; n_held < bits; n_held += 8) held = held << 8 | *src++;
        n_held -= bits;
        uint16_t v = (uint16_t)(held >> n_held & ((1u << bits) - 1));
        if (bits <= 8)
            dst[i] = (uint8_t)v;
        else
            memcpy(dst + 2 * i, &v, sizeof v);
    }
}

/* A row of samples as image_sink_put takes them; `room` holds it where it is not as in the file. Labels are numbers, not greys. */
static const uint8_t *prepare_row(const layout *l, bool labels, const uint8_t *src, size_t n, uint8_t *room)
{
    bool packed = l->bits < 16 && l->bits != 8, grey = !labels && (l->mapped || l->inverted);
    uint16_t top = (uint16_t)((1u << (l->bits & 31)) - 1), v;
    if (!packed && !grey) return src;
    if (packed)
        unpack(src, n, l->bits, room);
    else
        memcpy(room, src, n * image_kind_bytes(l->kind));
    for (size_t i = 0; i < n && grey && l->kind == IMAGE_U8; i++) room[i] = l->mapped ? l->grey[room[i]] : (uint8_t)(top - room[i]);
    for (size_t i = 0; i < n && grey && l->kind == IMAGE_U16; i++) {
        memcpy(&v, room + 2 * i, sizeof v);
        v = (uint16_t)(top - v);
        memcpy(room + 2 * i, &v, sizeof v);
    }
    return room;
}

/* 16-bit strips are decoded where their values belong. */
static status decode_native(image_sink *k, TIFF *tif, const layout *l)
{
    for (uint32_t s = 0; s < l->n_cells; s++) {
        uint32_t y = s * l->cell_height, rows = l->height - y < l->cell_height ? l->height - y : l->cell_height;
        uint16_t *dst = k->im->block + (size_t)y * l->width;
        status st = decode_cell(tif, k->f, l, s, rows, dst);
        if (st != OK) return st;
        image_sink_scan(k, dst, (size_t)rows * l->width);
    }
    return OK;
}

static status decode_cells(image_sink *k, TIFF *tif, const layout *l)
{
    uint8_t *raw, *room;
    size_t cell_bytes = l->row_bytes * l->cell_height;
    status st = image_sink_raw(k, cell_bytes + (size_t)l->cell_width * image_kind_bytes(l->kind), &raw);
    room = raw + cell_bytes;
    uint32_t across = (l->width + l->cell_width - 1) / l->cell_width;
    for (uint32_t c = 0; st == OK && c < l->n_cells; c++) {
        uint32_t x = c % across * l->cell_width, y = c / across * l->cell_height;
        uint32_t columns = l->width - x < l->cell_width ? l->width - x : l->cell_width;
        uint32_t rows = l->height - y < l->cell_height ? l->height - y : l->cell_height;
        st = decode_cell(tif, k->f, l, c, l->tiled ? l->cell_height : rows, raw);
        for (uint32_t r = 0; st == OK && r < rows; r++)
            st = image_sink_put(k, x, y + r, prepare_row(l, k->im == NULL, raw + r * l->row_bytes, columns, room), columns);
    }
    return st;
}

static status decode_pixels(image_sink *k, TIFF *tif, const layout *l)
{
    status st = OK;
    image_sink_open(k, l->width, l->height, l->kind, l->bits < 16 && !l->mapped && l->kind != IMAGE_I8 ? (1 << l->bits) - 1 : 0);
    bool native = k->im && is_native(l);
    if (native && in_place(tif, k->f, l, &k->im->px)) {
        image_sink_scan(k, k->im->px, (size_t)l->width * l->height);
        goto done;
    }
    TRY(image_sink_memory(k));
    TRY(native && !l->tiled ? decode_native(k, tif, l) : decode_cells(k, tif, l));
done:
    return st;
}

/* A plane behind the first one's bytes: uncompressed, samples of whole bytes (tiff_n_behind). */
static status decode_behind(image_sink *k, TIFF *tif, const layout *l)
{
    status st = OK;
    uint8_t *raw;
    size_t sample = l->bits / 8, row = l->width * sample;
    image_sink_open(k, l->width, l->height, l->kind, 0);
    TRY(image_sink_raw(k, row + (size_t)l->width * image_kind_bytes(l->kind), &raw));
    TRY(image_sink_memory(k));
    const uint8_t *src = k->f->bytes + TIFFGetStrileOffset(tif, 0) + (size_t)k->plane * row * l->height;
    for (uint32_t y = 0; y < l->height; y++, src += row) {
        memcpy(raw, src, row);
        if (TIFFIsByteSwapped(tif) && sample == 2) TIFFSwabArrayOfShort((uint16_t *)(void *)raw, l->width);
        if (TIFFIsByteSwapped(tif) && sample == 4) TIFFSwabArrayOfLong((uint32_t *)(void *)raw, l->width);
        TRY(image_sink_put(k, 0, y, prepare_row(l, k->im == NULL, raw, l->width, raw + row), l->width));
    }
done:
    return st;
}

/* Further pages are an error, unless they are thumbnails or masks; so are further planes. */
static status check_alone(TIFF *tif, const image_file *f)
{
    int64_t held, n = tiff_n_behind(tif, f->size, &held);
    if (n > 1)
        return fail(E_FORMAT, "%s: is a stack of %lld planes (ImageJ); tile.z says how they become one image", f->path, (long long)n);
    while (!TIFFLastDirectory(tif)) {
        if (!TIFFReadDirectory(tif)) return fail(E_FORMAT, "%s: its second page is damaged: %s", f->path, tiff_why());
        if (!tiff_is_reduced(tif))
            return fail(E_FORMAT,
                        "%s: has more than one page; of the planes of a stack tile.z makes one image, with tile.pages: channels page k is "
                        "channel k",
                        f->path);
    }
    return OK;
}

static void read_orientation(TIFF *tif, image *im)
{
    uint16_t orientation = ORIENTATION_TOPLEFT;
    TIFFGetFieldDefaulted(tif, TIFFTAG_ORIENTATION, &orientation);
    im->orientation = orientation >= ORIENTATION_TOPLEFT && orientation <= ORIENTATION_LEFTBOT ? orientation : ORIENTATION_TOPLEFT;
}

status image_tiff_decode(image_sink *k, int page)
{
    status st = OK;
    layout l;
    const image_file *f = k->f;
    TIFF *tif = NULL;
    tiff_memory m = {.bytes = f->bytes, .size = f->size};
    if (!(tif = tiff_open_read(&m))) TRY(fail(E_FORMAT, "%s: is truncated or damaged: %s", f->path, tiff_why()));
    if (page > 0 && (page > UINT16_MAX || !TIFFSetDirectory(tif, (tdir_t)page)))
        TRY(fail(E_FORMAT, "%s: has no page %d", f->path, page + 1));
    TRY(read_layout(tif, f, k->im == NULL, &l));
    TRY(k->plane > 0 ? decode_behind(k, tif, &l) : decode_pixels(k, tif, &l));
    if (k->im) {
        k->im->inverted = l.inverted;
        read_orientation(tif, k->im);
    }
    if (page == IMAGE_ONLY_PAGE) TRY(check_alone(tif, f));
done:
    if (tif) TIFFClose(tif);
    return st;
}
