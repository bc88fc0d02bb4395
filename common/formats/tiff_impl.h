/* tiff_impl.h -- libtiff over memory, for image.c and image_write.c only: a TIFF handle whose bytes are ours, and libtiff's complaints kept
 * for our own messages instead of stderr. */
#ifndef MICON_FORMATS_TIFF_IMPL_H
#define MICON_FORMATS_TIFF_IMPL_H
#include "micon/base/status.h"

#include <stddef.h>
#include <stdint.h>
#include <tiffio.h>

typedef struct {
    uint8_t *bytes;
    size_t size, cap; /* cap only while writing */
    size_t at;
} tiff_memory;

/* Open for reading (bytes borrowed, mapped: nothing is copied) or for writing (m starts empty, bytes grow; caller frees).
 * NULL on failure; tiff_why() says why. */
TIFF *tiff_open_read(tiff_memory *m);
TIFF *tiff_open_write(tiff_memory *m, int big_endian);

void tiff_why_clear(void);
const char *tiff_why(void); /* libtiff's first complaint since then on this thread, or "" */

#endif
