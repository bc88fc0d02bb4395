/* fuzz_npy.c -- any bytes as a .npy illumination function. */
#include "micon/formats/npy.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "fuzz.npy";
    double *values = NULL;
    int width_px, height_px;
    uint8_t *copy = malloc(size ? size : 1); /* exactly as large: a read past the end is seen */
    if (!copy) return 0;
    if (size) memcpy(copy, data, size);
    image_file f = {.path = name, .bytes = copy, .size = size};
    if (npy_decode(&f, &values, &width_px, &height_px) != OK) msg_clear();
    free(values);
    free(copy);
    return 0;
}
