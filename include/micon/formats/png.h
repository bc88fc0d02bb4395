/* png.h -- small pictures: a canvas with filled boxes and text in a bitmap font, written as PNG. Local. */
#ifndef MICON_FORMATS_PNG_H
#define MICON_FORMATS_PNG_H
#include "micon/base/status.h"
#include "micon/base/text.h"

#include <stdint.h>

typedef struct {
    int width_px, height_px;
    uint8_t *rgb; /* [height_px, width_px, 3]; owned */
} picture;

enum { PNG_GLYPH_WIDTH = 6, PNG_GLYPH_HEIGHT = 8 }; /* of a character with its space, at scale 1 */

status picture_create(picture *p, int width_px, int height_px) MUST_USE; /* black; picture_free it */
void picture_free(picture *p);

/* Colours are 0xRRGGBB. What falls outside the picture is cut off. */
void picture_box(picture *p, int x, int y, int width_px, int height_px, uint32_t colour);

/* Upper left corner at x, y. Letters are drawn as capitals; what the font lacks as a box. A line of n characters is
 * n * PNG_GLYPH_WIDTH * scale wide. */
void picture_text(picture *p, int x, int y, int scale, uint32_t colour, const char *s);

/* Colour of channel k of n in a composite, which is the sum over channels; up to three: blue, green, red. */
uint32_t picture_channel_colour(int k, int n);

/* A grey picture [height_px, width_px] as the bytes of a PNG file, appended. */
status png_grey(text *out, int width_px, int height_px, const uint8_t *grey) MUST_USE;

/* Every byte of a PNG file of ours against the checksums of its chunks; E_FORMAT. */
status png_check(const char *path, uint32_t *checksum) MUST_USE;

/* The file is the old one or complete. The same picture gives the same bytes. */
status png_write(const char *path, const picture *p) MUST_USE;

#endif
