/* t_tiff_zoo.c -- run: limit=120. TIFF files of other programs: each is read to the values that inventory.csv has from another reader, or
 * refused with a reason, and grey images of the kinds that we read are not refused; those in LZW are compared with libtiff as well. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/formats/csv.h"
#include "micon/formats/image.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>

static image_file file;
static image im;
static table *zoo;

static const char *cell(int64_t row, const char *name)
{
    return table_cell(zoo, row, table_col(zoo, name));
}

static int64_t number(int64_t row, const char *name)
{
    return strtoll(cell(row, name), NULL, 10);
}

/* Whether a file with these tags is one that must be read. Of the others it is enough that they are refused. */
static bool is_readable(int64_t row)
{
    int64_t bits = number(row, "bits"), format = number(row, "sampleformat"), compression = number(row, "compression");
    bool integers = (format == 1 && ((bits > 1 && bits <= 16) || bits == 32)) || (format == 2 && (bits == 8 || bits == 16 || bits == 32));
    bool reals = format == 3 && (bits == 16 || bits == 32 || bits == 64),
         white = number(row, "photometric") == 0 && format == 1 && bits <= 16;
    bool grey = number(row, "spp") == 1 && (number(row, "photometric") == 1 || white);
    bool packed = compression == 1 || compression == 5 || compression == 8 || compression == 32946 || compression == 32773;
    return grey && packed && (integers || reals) && *cell(row, "md5") && strtod(cell(row, "max"), NULL) < 1e30;
}

/* The samples as another reader has them, whose MD5 is in the inventory; false: our values do not tell. */
static bool put_samples(int64_t row, const char *path)
{
    size_t n = (size_t)im.width_px * (size_t)im.height_px;
    text t = {0};
    if (im.kind > IMAGE_I16 || strtod(cell(row, "min"), NULL) < 0 || number(row, "photometric") == 3) return false;
    bool bytes = im.kind == IMAGE_U8 || im.kind == IMAGE_I8;
    uint16_t top = (uint16_t)((1 << number(row, "bits")) - 1);
    if (im.inverted != (number(row, "photometric") == 0)) return false;
    for (size_t i = 0; i < n; i++) { /* little-endian and not inverted, as the inventory */
        uint16_t v = im.inverted ? (uint16_t)(top - im.px[i]) : im.px[i];
        text_addn(&t, (const char *)&v, bytes ? 1 : 2);
    }
    if (path_write(path, t.s, t.n) != OK) exit(1);
    text_free(&t);
    return true;
}

/* 32-bit and real samples, mapped to 0..65535: the sum, as far as rounding allows. */
static bool sum_is_near(int64_t row)
{
    double low = strtod(cell(row, "min"), NULL), high = strtod(cell(row, "max"), NULL), scale = 65535 / high, sum = 0;
    size_t n = (size_t)im.width_px * (size_t)im.height_px;
    if (im.kind <= IMAGE_I16 || low < 0 || high <= 0) return true;
    if (image_decode(&im, &file, 0, scale) != OK) return false;
    for (size_t i = 0; i < n; i++) sum += im.px[i];
    return fabs(sum - strtod(cell(row, "sum"), NULL) * scale) <= 0.5 * (double)n + 1e-5 * sum;
}

static bool is_as_listed(int64_t row)
{
    return im.width_px == number(row, "width") && im.height_px == number(row, "height") && sum_is_near(row);
}

/* Compares MD5s of what put_samples wrote, all in one call. Returns the number of files that differ. */
static int compare_md5(const char *dir, const int64_t *row, int n)
{
    char command[700], line[200];
    int n_wrong = 0, k = 0;
    snprintf(command, sizeof command, "cd '%s' && md5sum *.samples", dir);
    FILE *out = popen(command, "r"); /* the files are named so that they are in the order of `row` */
    for (; out && k < n && fgets(line, sizeof line, out); k++)
        if (strncmp(line, cell(row[k], "md5"), 32) != 0) {
            printf("#   %s: other samples\n", cell(row[k], "path"));
            n_wrong++;
        }
    if (out) pclose(out);
    return n_wrong + (n - k);
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
static void test_grey_palettes(void)
{
    names files = {0};
    int n_read = 0;
    uint64_t sum = 0;
    if (path_glob(&files, tap_shared("bbbc013"), "Channel*.tif") != OK || files.n == 0) {
        tap_skip("palettes that are ramps of grey", tap_shared("bbbc013"));
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
    char path[7000], list[5000];
    const char *folder = tap_shared("tiff_zoo");
    int n_read = 0, n_refused = 0, n_wrong = 0, n_silent = 0, n_lzw = 0, n_missed = 0;
    snprintf(list, sizeof list, "%s/inventory.csv", folder);
    if (!path_exists(list)) {
        tap_skip("TIFF files of other programs", list);
        return tap_done();
    }
    TIFFSetWarningHandler(NULL);
    test_grey_palettes();
    if (!ok(table_read(&zoo, list) == OK, "the inventory is read")) return tap_done();
    int64_t *row = xcalloc((size_t)table_n_rows(zoo), sizeof *row);
    int n_samples = 0;
    for (int64_t r = 0; r < table_n_rows(zoo); r++) {
        snprintf(path, sizeof path, "%s/%s", folder, cell(r, "path"));
        status st = image_file_read(&file, path);
        if (st == OK) st = image_decode(&im, &file, 0, 1);
        n_read += st == OK;
        n_refused += st != OK;
        n_silent += st != OK && !strstr(msg_get(), path);
        if (st != OK && is_readable(r)) printf("#   refused: %s\n", msg_get()), n_missed++;
        msg_clear();
        int lzw = st == OK && strcmp(cell(r, "compression"), "5") == 0 ? same_as_libtiff(path) : 0;
        n_lzw += lzw > 0;
        if (st != OK || !*cell(r, "md5")) continue;
        snprintf(path, sizeof path, "%s/%05d.samples", tap_dir(), n_samples);
        if (put_samples(r, path)) row[n_samples++] = r;
        if (lzw >= 0 && is_as_listed(r)) continue;
        printf("#   %s: other values\n", cell(r, "path"));
        n_wrong++;
    }
    printf("# %d read (%d compared by their MD5), %d refused, %d in LZW compared with libtiff\n", n_read, n_samples, n_refused, n_lzw);
    ok(n_wrong + compare_md5(tap_dir(), row, n_samples) == 0 && n_read >= 90, "what is read has the listed values");
    ok(n_silent == 0, "what is refused is named, with the reason");
    ok(n_missed == 0, "grey images of the kinds that are read are not refused");
    free(row);
    table_free(&zoo);
    image_file_free(&file);
    image_free(&im);
    return tap_done();
}
