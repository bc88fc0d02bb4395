/* image.h -- grayscale images: TIFF, PNG, JPEG, JPEG 2000, known by their first bytes. TIFF is written too. Local.
 *
 * Reading has two steps, so that the bytes that are digested are the bytes that are decoded, and a file of several pages is read once:
 *     image_file f = {0};                            the bytes and their digest
 *     image im = {0};                                the values
 *     TRY(image_file_read(&f, "a.tif"));
 *     TRY(image_decode(&im, &f, IMAGE_ONLY_PAGE, 1.0));
 * Both are made to be used again for the next file: their memory grows to the largest image met and stays. image_file_free and
 * image_free give it back; {0} is valid and empty.
 *
 * Values are integers 0..65535 (docs/method.md 2.1): 2- to 16-bit samples as they are, 32-bit and float ones floor(v * scale + 0.5),
 * clipped; negative samples become 0; MinIsWhite is inverted. Strips or tiles, either byte order, BigTIFF, no compression, LZW, deflate,
 * PackBits or zstd in TIFF; of the others what docs/file-formats.md lists. Refused with E_FORMAT and "path: what", of page k > 0 "path:
 * page k+1 what": colour, palettes (but those that are a ramp of greys, whose values are the map's, 8 bits), black and white, other
 * sample sizes, other compressions, NaN or infinity, more than IMAGE_MAX_PX pixels or IMAGE_MAX_SIDE of them in a row, sizes that the
 * bytes of the file cannot hold, whatever libtiff cannot decode. Sizes are checked before memory is taken. Ordinary LZW goes through a
 * decoder of our own, for speed. libtiff writes nothing to stderr; its text becomes part of our message. */
#ifndef MICON_FORMATS_IMAGE_H
#define MICON_FORMATS_IMAGE_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { IMAGE_MAX_SIDE = 65535, IMAGE_MAX_PX = 1 << 28, IMAGE_ONLY_PAGE = -1 };
#define IMAGE_MAX_FILE ((int64_t)1 << 31) /* bytes */

typedef enum { IMAGE_U8, IMAGE_I8, IMAGE_U16, IMAGE_I16, IMAGE_U32, IMAGE_I32, IMAGE_F16, IMAGE_F32, IMAGE_F64 } image_kind;
const char *image_kind_name(image_kind k); /* "uint16" */
bool image_kind_scaled(image_kind k);      /* 32-bit and float samples: values are multiplied by `scale` */

typedef struct {
    char *path;
    uint8_t *bytes; /* size of them; owned */
    size_t size, cap;
    int64_t mtime_ns;
    uint64_t digest; /* XXH3-64 of the bytes */
} image_file;

/* How the planes of a z stack become one image; other values: the plane of that number, from 1. */
enum { IMAGE_Z_NONE = -1, IMAGE_Z_MAX = -2, IMAGE_Z_MEAN = -3, IMAGE_Z_MIDDLE = -4 };

/* What the planes so far came to. */
typedef struct {
    uint32_t *value; /* [pixels] maxima or sums */
    size_t cap;
    int n, width_px, height_px, orientation;
    image_kind kind;
    bool inverted;
    double high;
    int64_t n_saturated, n_clipped;
} image_planes;

typedef struct {
    int width_px, height_px;
    image_kind kind;     /* of the samples in the file */
    const uint16_t *px;  /* [height_px, width_px]; borrowed: valid until the next decode or image_file_read */
    int64_t n_saturated; /* pixels at the sample type's maximum; for floats, at 65535 after scaling */
    bool all_zero;       /* every value is 0 */
    bool inverted;       /* was MinIsWhite: the values are the largest one of its bits less the samples */
    int orientation;     /* what the file says, 1 (rows from the top, columns from the left) to 8; the values are as stored */
    double high;         /* samples that are scaled: the largest, before scaling */
    int64_t n_clipped;   /* and how many are at 65535 after it */
    uint16_t *block;     /* memory of the values, where they could not stay in the file's bytes */
    size_t block_cap;
    uint8_t *raw; /* memory for a strip or tile before conversion */
    size_t raw_cap;
    char called[24];     /* image_decode_part: what the file calls the channel, where that is another name than ours; else "" */
    image_planes planes; /* those that are projected */
} image;

/* The whole file. Fails with E_IO where it cannot be read, E_FORMAT where it is empty, too large or no file. */
status image_file_read(image_file *f, const char *path) MUST_USE;
void image_file_free(image_file *f);

/* The values of one page (from 0). IMAGE_ONLY_PAGE: the first, and it is an error if there are more than one. */
status image_decode(image *im, const image_file *f, int page, double scale) MUST_USE;
void image_free(image *im);

/* One channel of a file, its planes projected. */
typedef struct {
    int page;              /* the page that a table names, from 0; IMAGE_ONLY_PAGE: none is named, and */
    int channel;           /* the file holds the pages of all channels, of which this one is meant, or (-1) the planes of one */
    char *const *channels; /* [n_channels] with channel >= 0: what the channels are called */
    int n_channels;
    int64_t z; /* IMAGE_Z_MAX, ... */
} image_part;

/* OME-XML or ImageJ's description say which pages are planes of the channel; without either, pages are channels in their order, or the
 * planes of one. OME-XML that has a name for each channel decides by names: pages in another order are found, a name that is not there
 * is an error if others are; where none is there the order decides, and im->called is told. E_FORMAT: other numbers of pages, channels or
 * planes than are asked for, times, planes in other files, planes that differ in size or samples, and with IMAGE_Z_NONE more than one
 * plane. ImageJ's stacks with all planes behind the first page's are stacks too. Memory: a plane, and 4 bytes a pixel. */
status image_decode_part(image *im, const image_file *f, const image_part *part, double scale) MUST_USE;

/* The same for planes that are files: begin, an add after each decode, the end (E_INTERNAL without an add). Maximum of the values, or
 * floor(mean + 0.5); n_saturated, n_clipped and high are those of the plane with most. */
void image_planes_begin(image *im);
status image_planes_add(image *im, int64_t z, const char *path) MUST_USE;
status image_planes_end(image *im, int64_t z) MUST_USE;
/* Which of n planes z asks for, from 0 (z IMAGE_Z_MIDDLE or a number; of an even number the middle is the one before it). E_FORMAT: there
 * is none. */
status image_plane_chosen(int64_t z, int64_t n, const char *path, int64_t *plane) MUST_USE;

/* Label images: whole numbers kept as they are, where image_decode would scale, clip, invert or map them. Integers of up to 32 bits,
 * also numbers of a palette; float ones where they are whole. Negative labels, labels above 2,147,483,647 and fractions are E_FORMAT.
 * {0} is valid and empty. */
typedef struct {
    int width_px, height_px;
    int32_t *label; /* [height_px, width_px] */
    uint8_t *raw;   /* memory for a strip or tile */
    size_t label_cap, raw_cap;
} image_labels;
status image_decode_labels(image_labels *out, const image_file *f, int page) MUST_USE;
void image_labels_free(image_labels *l);

/* ---- writing: what the simulator and the tests need ---- */
typedef enum { IMAGE_NONE, IMAGE_LZW, IMAGE_DEFLATE } image_compression;

typedef struct {
    int bits; /* 8 or 16 */
    image_compression compression;
    bool big_endian;
} image_format;

/* One grayscale page; px [height, width]; with 8 bits a value above 255 is E_INTERNAL. Not written aside: the file is for new
 * folders. On failure (E_IO) no file is left. The same pixels give the same bytes. */
status image_write_tiff(const char *path, const uint16_t *px, int width_px, int height_px, const image_format *format) MUST_USE;

#endif
