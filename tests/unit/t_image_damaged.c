/* t_image_damaged.c -- TIFF files with hostile entries, and cut anywhere: refused, or read right; never a crash. */
#include "../image_files.h"
#include "micon/base/mem.h"

#include <stdlib.h>

/* Set the value of an IFD entry in a classic little-endian file. */
static bool patch(char *bytes, size_t size, uint16_t tag, uint16_t type, uint32_t count, uint32_t value)
{
    uint32_t at;
    uint16_t n, found;
    memcpy(&at, bytes + 4, 4);
    if (at + 2 > size) return false;
    memcpy(&n, bytes + at, 2);
    for (char *e = bytes + at + 2; n-- > 0 && e + 12 <= bytes + size; e += 12) {
        memcpy(&found, e, 2);
        if (found != tag) continue;
        memcpy(e + 2, &type, 2);
        memcpy(e + 4, &count, 4);
        memcpy(e + 8, &value, 4);
        return true;
    }
    return false;
}

static void hostile(image_compression c, uint16_t tag, uint32_t count, uint32_t value, const char *says, const char *what)
{
    char *bytes;
    size_t size;
    image_format f = {16, c, false};
    if (image_write_tiff(in_dir("h.tif"), want, W, H, &f) != OK || path_read(in_dir("h.tif"), &bytes, &size, 1 << 20) != OK) {
        ok(false, what);
        return;
    }
    bool good = patch(bytes, size, tag, TIFF_LONG, count, value) && path_write(in_dir("h.tif"), bytes, size) == OK;
    free(bytes);
    if (!ok(good, what)) return;
    if (c == IMAGE_NONE && tag == TIFFTAG_STRIPBYTECOUNTS)
        ok(is_want(in_dir("h.tif"), 1), "the size of one uncompressed strip follows from the image's");
    else
        refused(in_dir("h.tif"), IMAGE_ONLY_PAGE, says, what);
}

static void test_hostile(void)
{
    for (int c = IMAGE_NONE; c <= IMAGE_DEFLATE; c++) {
        hostile((image_compression)c, TIFFTAG_IMAGEWIDTH, 1, 1u << 31, "limits", "2^31 pixels wide");
        hostile((image_compression)c, TIFFTAG_IMAGELENGTH, 1, 1u << 31, "", "2^31 pixels high");
        hostile((image_compression)c, TIFFTAG_IMAGELENGTH, 1, 60000, "", "60,000 rows that are not there");
        hostile((image_compression)c, TIFFTAG_ROWSPERSTRIP, 1, 0, "", "no rows in a strip");
        hostile((image_compression)c, TIFFTAG_ROWSPERSTRIP, 1, 1, "", "more strips than there are offsets");
        hostile((image_compression)c, TIFFTAG_STRIPOFFSETS, 1, 1u << 30, "truncated or damaged", "a strip beyond the end of the file");
        hostile((image_compression)c, TIFFTAG_STRIPOFFSETS, 1u << 30, 8, "", "2^30 strips");
        hostile((image_compression)c, TIFFTAG_STRIPBYTECOUNTS, 1, 20, "truncated or damaged", "a strip with too few bytes");
        hostile((image_compression)c, TIFFTAG_IMAGEWIDTH, 1, 0, "", "no columns");
        hostile((image_compression)c, TIFFTAG_COMPRESSION, 1, COMPRESSION_JPEG, "", "JPEG");
    }
}

/* Cut anywhere, a file must be refused or, where only what follows the pixels went, read right; never a crash. */
static void test_cut(void)
{
    int wrong = 0;
    for (int c = IMAGE_NONE; c <= IMAGE_DEFLATE; c++) {
        char *bytes;
        size_t size;
        image_format f = {16, (image_compression)c, false};
        if (image_write_tiff(in_dir("c.tif"), want, W, H, &f) != OK || path_read(in_dir("c.tif"), &bytes, &size, 1 << 20) != OK)
            wrong++;
        else {
            image_file cut = {.path = xstrdup("cut"), .bytes = (uint8_t *)bytes};
            for (cut.size = 1; cut.size < size; cut.size += 7) {
                if (image_decode(&im, &cut, IMAGE_ONLY_PAGE, 1) == OK && memcmp(im.px, want, sizeof want) != 0) wrong++;
                msg_clear();
            }
            image_file_free(&cut);
        }
    }
    ok(wrong == 0, "a file cut anywhere is refused, or right");
}

int main(void)
{
    image_tests_begin();
    test_hostile();
    test_cut();
    return image_tests_done();
}
