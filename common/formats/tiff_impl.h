/* tiff_impl.h -- libtiff over memory, for the files of images only: a TIFF handle whose bytes are ours, and libtiff's complaints kept
 * for our own messages instead of stderr. */
#ifndef MICON_FORMATS_TIFF_IMPL_H
#define MICON_FORMATS_TIFF_IMPL_H
#include "micon/base/status.h"

#include <stdbool.h>
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

/* Is the page a thumbnail or a mask? */
bool tiff_is_reduced(TIFF *tif);
/* ImageJ writes large stacks as one page whose planes follow each other: how many its description says there are, and *held: for how many
 * there are bytes. 1 where it is no such stack, as when a program left the description on a single plane. */
int64_t tiff_n_behind(TIFF *tif, size_t file_size, int64_t *held);
/* The number behind a key of an ImageJ description ("\nslices="), or 0. */
int64_t tiff_imagej_number(const char *description, const char *key);

void tiff_why_clear(void);
const char *tiff_why(void); /* libtiff's first complaint since then on this thread, or "" */

#endif
