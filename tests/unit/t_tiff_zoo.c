/* t_tiff_zoo.c -- run: limit=120. TIFF files of other programs: each is read to the values that inventory.csv has from another reader, or
 * refused with a reason; those in LZW are compared with libtiff byte by byte as well. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/formats/csv.h"
#include "micon/formats/image.h"

#include <stdlib.h>
#include <tiffio.h>

static image_file file;
static image im;
static table *zoo;

static const char *cell(int64_t row, const char *name)
{
    return table_cell(zoo, row, table_col(zoo, name));
}

/* Width, height and the sum of the values; the inventory has sums over all pages, in the samples' own type. */
static bool is_as_listed(int64_t row)
{
    uint64_t sum = 0;
    if (im.width_px != atoi(cell(row, "width")) || im.height_px != atoi(cell(row, "height"))) return false;
    if (strcmp(cell(row, "pages"), "1") != 0 || im.kind > IMAGE_I16 || strtod(cell(row, "min"), NULL) < 0) return true;
    for (size_t i = 0; i < (size_t)im.width_px * (size_t)im.height_px; i++) sum += im.px[i];
    return (double)sum == strtod(cell(row, "sum"), NULL);
}

/* The strips or tiles through libtiff alone, against ours, for 16-bit images in strips. 1: compared and equal; 0: not of that kind; -1: not
 * equal. */
static int same_as_libtiff(const char *path)
{
    TIFF *t = TIFFOpen(path, "r");
    if (!t || TIFFIsTiled(t) || im.kind != IMAGE_U16) {
        if (t) TIFFClose(t);
        return 0;
    }
    size_t n = (size_t)im.width_px * (size_t)im.height_px, at = 0;
    uint16_t *px = xmalloc(n * sizeof *px);
    for (uint32_t s = 0; s < TIFFNumberOfStrips(t); s++) {
        tmsize_t got = TIFFReadEncodedStrip(t, s, px + at, (tmsize_t)((n - at) * sizeof *px));
        at += got > 0 ? (size_t)got / sizeof *px : 0;
    }
    bool good = at == n && memcmp(px, im.px, n * sizeof *px) == 0;
    TIFFClose(t);
    free(px);
    return good ? 1 : -1;
}

/* BBBC013: 8-bit palettes that are ramps of grey, all 96; the sum of the first is another reader's. */
static void test_grey_palettes(const char *data)
{
    names files = {0};
    char pattern[1200];
    int n_read = 0;
    uint64_t sum = 0;
    snprintf(pattern, sizeof pattern, "%s/bbbc013", data);
    if (path_glob(&files, pattern, "Channel*.tif") != OK || files.n == 0) {
        tap_skip("palettes that are ramps of grey", "no ../shared/data/bbbc013");
        return;
    }
    for (size_t k = 0; k < files.n; k++) {
        if (image_file_read(&file, files.item[k]) != OK || image_decode(&im, &file, IMAGE_ONLY_PAGE, 1) != OK) continue;
        for (size_t i = 0; k == 0 && i < (size_t)im.width_px * (size_t)im.height_px; i++) sum += im.px[i];
        n_read++;
    }
    ok(n_read == 96 && sum == 8587250, "palettes that are ramps of grey");
    names_free(&files);
}

int main(void)
{
    const char *data = getenv("SHARED_DATA") ? getenv("SHARED_DATA") : "../shared/data";
    char path[2000], list[1200];
    int n_read = 0, n_refused = 0, n_wrong = 0, n_silent = 0, n_lzw = 0;
    snprintf(list, sizeof list, "%s/tiff_zoo/inventory.csv", data);
    if (!path_exists(list)) {
        tap_skip("TIFF files of other programs", "no ../shared/data/tiff_zoo");
        return tap_done();
    }
    TIFFSetWarningHandler(NULL);
    test_grey_palettes(data);
    if (!ok(table_read(&zoo, list) == OK, "the inventory is read")) return tap_done();
    for (int64_t r = 0; r < table_n_rows(zoo); r++) {
        snprintf(path, sizeof path, "%s/tiff_zoo/%s", data, cell(r, "path"));
        status st = image_file_read(&file, path);
        if (st == OK) st = image_decode(&im, &file, 0, 1);
        n_read += st == OK;
        n_refused += st != OK;
        n_silent += st != OK && !strstr(msg_get(), path);
        msg_clear();
        int lzw = st == OK && strcmp(cell(r, "compression"), "5") == 0 ? same_as_libtiff(path) : 0;
        n_lzw += lzw > 0;
        if (st == OK && *cell(r, "sum") && (!is_as_listed(r) || lzw < 0)) {
            printf("#   %s: other values\n", cell(r, "path"));
            n_wrong++;
        }
    }
    printf("# %d read, %d refused, %d in LZW compared with libtiff\n", n_read, n_refused, n_lzw);
    ok(n_wrong == 0 && n_read >= 56, "what is read has the listed values");
    ok(n_silent == 0, "what is refused is named, with the reason");
    table_free(&zoo);
    image_file_free(&file);
    image_free(&im);
    return tap_done();
}
