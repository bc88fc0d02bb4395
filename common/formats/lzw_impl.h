/* lzw_impl.h -- TIFF's LZW, for image.c and its bench: one whole strip or tile from memory to memory, faster than libtiff. Local.
 *
 * It decodes what encoders write: codes with their high bit first, a clear code first, a clear code before the table is full. Anything else
 * (the old bit order, a table that runs over, a stream that is cut off or names a code it has not defined) is answered with false, and
 * the caller lets libtiff decide. What it accepts, libtiff decodes to the same bytes. */
#ifndef MICON_FORMATS_LZW_IMPL_H
#define MICON_FORMATS_LZW_IMPL_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exactly n_out bytes, or false; what is in `out` is undefined then. Nothing outside of the two blocks is read or written. Codes after
 * the last byte of the strip are not looked at. */
bool lzw_decode(const uint8_t *src, size_t n_src, uint8_t *out, size_t n_out);

/* Undo predictor 2 (each sample is the difference from its left neighbour) in n_rows rows of `width` samples in host byte order. */
void lzw_undo_predictor8(uint8_t *px, size_t n_rows, size_t width);
void lzw_undo_predictor16(uint16_t *px, size_t n_rows, size_t width);

#endif
