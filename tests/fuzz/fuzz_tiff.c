/* fuzz_tiff.c -- any bytes as an image (TIFF, PNG, JPEG, JPEG 2000): the only page, then the first three, at a scale; the pages
 * of channels, the planes of a stack. Nothing of 32 MiB or more is tried. */
#include "micon/formats/image.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char name[] = "fuzz.tif";
    static image im; /* kept, as a stage does: what one file leaves behind must not hurt the next */
    if (size == 0 || size > (1u << 25)) return 0;
    uint8_t *copy = malloc(size); /* exactly as large: a read past the end is seen */
    if (!copy) return 0;
    memcpy(copy, data, size);
    image_file f = {.path = name, .bytes = copy, .size = size};
    for (int page = IMAGE_ONLY_PAGE; page < 3; page++) {
        if (image_decode(&im, &f, page, 0.5) == OK) {
            volatile uint32_t sum = 0;
            for (size_t i = 0, n = (size_t)im.width_px * (size_t)im.height_px; i < n; i += 1 + n / 1000) sum = sum + im.px[i];
        }
        msg_clear();
    }
    for (int k = 0; k < 6; k++) { /* of channels, and of a channel's planes */
        static char dna[] = "DNA", er[] = "ER", mito[] = "Mito", *const channels[] = {dna, er, mito};
        const int64_t z[] = {IMAGE_Z_NONE, IMAGE_Z_MAX, IMAGE_Z_MEAN, IMAGE_Z_MIDDLE, 2};
        image_part part = {
            .page = IMAGE_ONLY_PAGE, .channel = k % 2 ? -1 : k / 2, .channels = channels, .n_channels = 3, .z = z[(size + (size_t)k) % 5]};
        if (image_decode_part(&im, &f, &part, 0.5) != OK) msg_clear();
    }
    free(copy);
    return 0;
}
