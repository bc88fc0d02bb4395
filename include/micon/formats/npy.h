/* npy.h -- CellProfiler's illumination functions: one two-dimensional array of reals in a numpy .npy file. Local. */
#ifndef MICON_FORMATS_NPY_H
#define MICON_FORMATS_NPY_H
#include "micon/base/status.h"
#include "micon/formats/image.h"

/* The array of a file that image_file_read has read: [height_px, width_px], float32 or float64, either byte order, C order, format 1 to
 * 3. Every value must be a positive finite number, since images are divided by it; E_FORMAT with "path: what" otherwise.
 * *values is the caller's to free; NULL on failure. */
status npy_decode(const image_file *f, double **values, int *width_px, int *height_px) MUST_USE;

#endif
