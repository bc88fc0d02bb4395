/* t_image_stack.c -- pages that are channels or planes of a stack: what OME-XML and ImageJ say of them, projections, files of tifffile
 * whose values numpy has projected (tests/ref/image_stacks.py), and what is refused. */
#include "../tap.h"
#include "micon/base/mem.h"
#include "micon/formats/csv.h"
#include "micon/formats/image.h"

#include <stdlib.h>
#include <tiffio.h>

enum { W = 12, H = 9, N = W * H };
static char path[700];
static image_file file;
static image im;

/* Pixel i of page k. */
static uint16_t value(int k, int i)
{
    return (uint16_t)((i * 37 + k * k * 1001) % 5000 + (i % (k + 2) == 0 ? 3 : 0));
}

static void one_page(TIFF *t, int k, int bits, int width, const char *says)
{
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)width);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)H);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, bits);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    TIFFSetField(t, TIFFTAG_COMPRESSION, k % 2 ? COMPRESSION_LZW : COMPRESSION_NONE);
    TIFFSetField(t, TIFFTAG_ROWSPERSTRIP, 4);
    if (says) TIFFSetField(t, TIFFTAG_IMAGEDESCRIPTION, says);
    for (int y = 0; y < H; y++) {
        uint16_t row[2 * W] = {0};
        for (int x = 0; x < width; x++) row[x] = value(k, y * W + x);
        TIFFWriteScanline(t, row, (uint32_t)y, 0);
    }
}

/* n pages; the first has the description. */
static void write_pages(int n, const char *says)
{
    TIFF *t = TIFFOpen(path, "w");
    for (int k = 0; k < n; k++) {
        one_page(t, k, 16, W, k ? NULL : says);
        TIFFWriteDirectory(t);
    }
    TIFFClose(t);
}

static char *const three[] = {(char[]){"DNA"}, (char[]){"ER"}, (char[]){"Mito"}};

static status read_part(int channel, int64_t z)
{
    const image_part part = {.page = IMAGE_ONLY_PAGE, .channel = channel, .channels = three, .n_channels = 3, .z = z};
    status st = image_file_read(&file, path);
    return st == OK ? image_decode_part(&im, &file, &part, 1) : st;
}

static bool is_page(int k)
{
    for (int i = 0; im.px && i < N; i++)
        if (im.px[i] != value(k, i)) return false;
    return im.px != NULL;
}

static void refused(int channel, int64_t z, const char *says, const char *what)
{
    status st = read_part(channel, z);
    bool good = st == E_FORMAT && strstr(msg_get(), says) && strncmp(msg_get(), path, strlen(path)) == 0 && im.px == NULL;
    if (!good) printf("#   status %d, '%s'; wanted '%s'\n", (int)st, st == OK ? "" : msg_get(), says);
    ok(good, what);
    msg_clear();
}

/* The pages first, first + step, ... of one channel, all five ways. */
static void projected(int channel, int first, int step, int n, const char *what)
{
    bool good = read_part(channel, IMAGE_Z_MAX) == OK && im.width_px == W && im.height_px == H && im.kind == IMAGE_U16;
    for (int i = 0; good && i < N; i++) {
        uint16_t most = 0;
        for (int k = 0; k < n; k++) most = value(first + k * step, i) > most ? value(first + k * step, i) : most;
        good = im.px[i] == most;
    }
    ok(good, what);
    good = read_part(channel, IMAGE_Z_MEAN) == OK;
    for (int i = 0; good && i < N; i++) {
        double sum = 0;
        for (int k = 0; k < n; k++) sum += value(first + k * step, i);
        good = im.px[i] == (uint16_t)(sum / n + 0.5);
    }
    ok(good, "its mean");
    ok(read_part(channel, IMAGE_Z_MIDDLE) == OK && is_page(first + (n - 1) / 2 * step), "its middle plane");
    ok(read_part(channel, n) == OK && is_page(first + (n - 1) * step), "a plane by number");
    refused(channel, n + 1, "tile.z asks for plane", "a number that is not there");
}

static void plain_pages(void)
{
    write_pages(5, NULL);
    projected(-1, 0, 1, 5, "pages without a description are planes: their maximum");
    refused(-1, IMAGE_Z_NONE, "has more than one page; of the planes of a stack tile.z makes one image",
            "which are refused without tile.z");
    refused(0, IMAGE_Z_NONE, "has 5 pages for 3 channels; columns Frame_<channel>", "another number of pages than channels");
    refused(0, IMAGE_Z_MAX, "neither OME-XML nor ImageJ says which of them are z planes", "pages that nothing describes");
    write_pages(3, NULL);
    for (int c = 0; c < 3; c++) ok(read_part(c, IMAGE_Z_NONE) == OK && is_page(c), "page k is channel k");
    ok(read_part(2, IMAGE_Z_MAX) == OK && is_page(2), "also where stacks would be projected");
    write_pages(1, NULL);
    ok(read_part(-1, IMAGE_Z_MEAN) == OK && is_page(0), "one page is a stack of one");
    refused(-1, 2, "tile.z asks for plane 2 of 1", "which has no second plane");
    TIFF *t = TIFFOpen(path, "w");
    for (int k = 0; k < 3; k++) {
        if (k == 1) TIFFSetField(t, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
        one_page(t, k, 16, k == 1 ? 4 : W, NULL);
        TIFFWriteDirectory(t);
    }
    TIFFClose(t);
    projected(-1, 0, 2, 2, "thumbnails are no planes");
    for (int k = 0; k < 2; k++) {
        t = TIFFOpen(path, "w");
        one_page(t, 0, 16, W, NULL);
        TIFFWriteDirectory(t);
        one_page(t, 1, k ? 8 : 16, k ? W : W - 1, NULL);
        TIFFClose(t);
        refused(-1, IMAGE_Z_MAX, k ? "plane 2 is 12 x 9 pixels of uint8, the first 12 x 9 of uint16" : "plane 2 is 11 x 9 pixels",
                k ? "planes of other samples" : "planes of another size");
    }
    ok(read_part(-1, 1) == OK && is_page(0), "of which one can be read");
}

static void imagej(void)
{
    write_pages(6, "ImageJ=1.53t\nimages=6\nchannels=3\nslices=2\nhyperstack=true\n");
    for (int c = 0; c < 3; c++) projected(c, c, 3, 2, "ImageJ: channels change fastest");
    refused(0, IMAGE_Z_NONE, "says that it has 2 z planes a channel; tile.z", "ImageJ: a stack without tile.z");
    refused(-1, IMAGE_Z_MAX, "holds the planes of several channels; tile.pages: channels", "ImageJ: channels where one is expected");
    write_pages(4, "ImageJ=1.53t\nimages=4\nslices=4\nunit=um\n");
    projected(-1, 0, 1, 4, "ImageJ: one channel");
    write_pages(4, "ImageJ=1.53t\nimages=4\n");
    projected(-1, 0, 1, 4, "ImageJ: a stack without axes");
    write_pages(3, "ImageJ=1.53t\nimages=3\nchannels=3\n");
    ok(read_part(1, IMAGE_Z_NONE) == OK && is_page(1), "ImageJ: channels without planes");
    write_pages(4, "ImageJ=1.53t\nimages=4\nframes=4\n");
    refused(-1, IMAGE_Z_MAX, "says that it has 4 times", "ImageJ: times");
    write_pages(4, "ImageJ=1.53t\nimages=4\nchannels=4\n");
    refused(0, IMAGE_Z_NONE, "says that it has 4 channels, not 3", "ImageJ: other channels");
    write_pages(2, "ImageJ=1.53t\nimages=9\nslices=9\n");
    refused(-1, IMAGE_Z_MAX, "says that it has 9 planes, and has 2 pages", "ImageJ: a description of another file");
}

static FILE *out;
static bool big;

static void put(uint32_t v, int bytes)
{
    for (int k = 0; k < bytes; k++) fputc((int)(v >> 8 * (big ? bytes - 1 - k : k) & 255), out);
}

static void tag(uint32_t number, uint32_t type, uint32_t count, uint32_t v)
{
    put(number, 2), put(type, 2), put(count, 4);
    put(v, type == TIFF_SHORT ? 2 : 4);
    if (type == TIFF_SHORT) put(0, 2);
}

/* A page of one strip, and the samples of n planes, the page's own the first. */
static void write_behind(int n, const char *says)
{
    enum { TAGS = 9, SAYS = 8 + 2 + TAGS * 12 + 4 };
    uint32_t n_says = (uint32_t)strlen(says) + 1, at = (SAYS + n_says + 1) & ~1u;
    out = fopen(path, "wb");
    fputs(big ? "MM" : "II", out);
    put(42, 2), put(8, 4), put(TAGS, 2);
    tag(TIFFTAG_IMAGEWIDTH, TIFF_LONG, 1, W);
    tag(TIFFTAG_IMAGELENGTH, TIFF_LONG, 1, H);
    tag(TIFFTAG_BITSPERSAMPLE, TIFF_SHORT, 1, 16);
    tag(TIFFTAG_COMPRESSION, TIFF_SHORT, 1, COMPRESSION_NONE);
    tag(TIFFTAG_PHOTOMETRIC, TIFF_SHORT, 1, PHOTOMETRIC_MINISBLACK);
    tag(TIFFTAG_IMAGEDESCRIPTION, TIFF_ASCII, n_says, SAYS);
    tag(TIFFTAG_STRIPOFFSETS, TIFF_LONG, 1, at);
    tag(TIFFTAG_ROWSPERSTRIP, TIFF_LONG, 1, H);
    tag(TIFFTAG_STRIPBYTECOUNTS, TIFF_LONG, 1, N * 2);
    put(0, 4);
    fwrite(says, 1, n_says, out);
    while ((uint32_t)ftell(out) < at) fputc(0, out);
    for (int k = 0; k < n; k++)
        for (int i = 0; i < N; i++) put(value(k, i), 2);
    fclose(out);
}

static void imagej_one_page(void)
{
    for (int k = 0; k < 2; k++) {
        big = k;
        write_behind(4, "ImageJ=1.53t\nimages=4\nslices=4\n");
        projected(-1, 0, 1, 4, "ImageJ: planes behind the only page");
        refused(-1, IMAGE_Z_NONE, "is a stack of 4 planes (ImageJ); tile.z says", "which are refused without tile.z");
        write_behind(3, "ImageJ=1.53t\nimages=3\nchannels=3\n");
        ok(read_part(2, IMAGE_Z_NONE) == OK && is_page(2), "ImageJ: channels behind the only page");
        write_behind(3, "ImageJ=1.53t\nimages=4\nslices=4\n");
        refused(-1, IMAGE_Z_MAX, "is truncated: 3 of its 4 planes are there", "ImageJ: cut off");
        refused(-1, IMAGE_Z_NONE, "is a stack of 4 planes", "which is no single image either");
        write_behind(1, "ImageJ=1.53t\nimages=4\nslices=4\n");
        ok(read_part(-1, IMAGE_Z_NONE) == OK && is_page(0), "ImageJ: a description of another file is no stack");
    }
}

static void ome(void)
{
#define PIXELS(c, z, t, order, rest)                                                                                                       \
    "<?xml version=\"1.0\"?><OME xmlns=\"http://www.openmicroscopy.org/Schemas/OME/2016-06\" UUID=\"urn:uuid:a\"><Image ID=\"Image:0\">"   \
    "<Pixels DimensionOrder=\"" order "\" SizeX=\"12\" SizeY=\"9\" SizeC=\"" c "\" SizeZ=\"" z "\" SizeT=\"" t "\">" rest                  \
    "</Pixels></Image></OME>"
    write_pages(6, PIXELS("3", "2", "1", "XYZCT", "<TiffData/>"));
    for (int c = 0; c < 3; c++) projected(c, 2 * c, 1, 2, "OME-XML: z changes fastest");
    write_pages(6, PIXELS("3", "2", "1", "XYCZT", ""));
    for (int c = 0; c < 3; c++) projected(c, c, 3, 2, "OME-XML: channels change fastest");
    write_pages(3, PIXELS("3", "1", "1", "XYCZT", "<Channel Name=\"mito\"/><Channel Name=\"DNA\"/><Channel Name=\"ER\"/>"));
    ok(read_part(0, IMAGE_Z_NONE) == OK && is_page(1) && read_part(2, IMAGE_Z_NONE) == OK && is_page(0) && !*im.called,
       "OME-XML: channels by their names");
    write_pages(3, PIXELS("3", "1", "1", "XYCZT", "<Channel Name=\"DAPI\"/><Channel Name=\"488\"/><Channel Name=\"640\"/>"));
    ok(read_part(1, IMAGE_Z_NONE) == OK && is_page(1) && strcmp(im.called, "488") == 0, "OME-XML: other names, by order, and told");
    write_pages(3, PIXELS("3", "1", "1", "XYCZT", "<Channel Name=\"DAPI\"/><Channel Name=\"DNA\"/><Channel Name=\"ER\"/>"));
    refused(2, IMAGE_Z_NONE, "calls its channels DAPI, DNA, ER: none of them is Mito", "OME-XML: a name that is not there");
    ok(read_part(0, IMAGE_Z_NONE) == OK && is_page(1), "OME-XML: one that is");
    write_pages(3, PIXELS("3", "1", "1", "XYCZT", "<Channel Name=\"DNA\"/><Channel/><Channel/>"));
    ok(read_part(1, IMAGE_Z_NONE) == OK && is_page(1), "OME-XML: names of some channels only say nothing");
    write_pages(4, PIXELS("4", "1", "1", "XYCZT", ""));
    refused(0, IMAGE_Z_NONE, "says that it has 4 channels, not 3", "OME-XML: other channels");
    write_pages(6, PIXELS("3", "2", "1", "XYCZT", ""));
    refused(0, IMAGE_Z_NONE, "says that it has 2 z planes a channel; tile.z", "OME-XML: a stack without tile.z");
    write_pages(6, PIXELS("3", "1", "2", "XYCZT", ""));
    refused(0, IMAGE_Z_MAX, "says that it has 2 times", "OME-XML: times");
    write_pages(3, PIXELS("1", "3", "1", "XYCZT", "<TiffData IFD=\"2\" FirstZ=\"0\"/><TiffData IFD=\"0\" FirstZ=\"1\" PlaneCount=\"2\"/>"));
    ok(read_part(-1, 1) == OK && is_page(2) && read_part(-1, 3) == OK && is_page(1), "OME-XML: pages by TiffData");
    write_pages(2, PIXELS("2", "2", "1", "XYZCT",
                          "<TiffData IFD=\"0\" PlaneCount=\"2\"><UUID FileName=\"a.tif\">urn:uuid:a</UUID></TiffData>"
                          "<TiffData FirstC=\"1\" PlaneCount=\"2\"><UUID FileName=\"b.tif\">urn:uuid:b</UUID></TiffData>"));
    projected(-1, 0, 1, 2, "OME-XML: the channel of this file of several");
    write_pages(1, PIXELS("1", "2", "1", "XYZCT",
                          "<TiffData IFD=\"0\"><UUID FileName=\"a.tif\">urn:uuid:a</UUID></TiffData>"
                          "<TiffData FirstZ=\"1\"><UUID FileName=\"b.tif\">urn:uuid:b</UUID></TiffData>"));
    refused(-1, IMAGE_Z_MAX, "says that it has 2 z planes; 1 of them are in other files", "OME-XML: planes in several files");
    ok(read_part(-1, IMAGE_Z_NONE) == OK && is_page(0), "OME-XML: each of which can be read by itself");
    static const struct {
        const char *says, *why;
    } bad[] = {{PIXELS("1", "2", "1", "XYZCT", "<TiffData IFD=\"0\"/><TiffData IFD=\"0\" FirstZ=\"1\"/>"), "gives page 1 to two planes"},
               {PIXELS("1", "2", "1", "XYZCT", "<TiffData IFD=\"1\" PlaneCount=\"2\"/>"), "names page 3, and it has 2"},
               {PIXELS("1", "2", "1", "XYZCT", "<TiffData FirstZ=\"2\" IFD=\"0\"/>"), "names a plane beyond its sizes"},
               {PIXELS("1", "0", "1", "XYZCT", ""), "has SizeZ=\"0\""},
               {PIXELS("1", "-2", "1", "XYZCT", ""), "has SizeZ=\"-2\""},
               {PIXELS("60000", "60000", "1", "XYZCT", ""), "more than 65536 planes"},
               {PIXELS("1", "2", "1", "XYZZT", ""), "has DimensionOrder=\"XYZZT\""},
               {"<OME><Image><Pixels SizeC=\"1\" SizeZ=\"9", "OME-XML:1:"},
               {"<!DOCTYPE a [<!ENTITY b \"c\">]><OME><Image/></OME>", "a document type (DOCTYPE) is not read"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        write_pages(2, bad[k].says);
        refused(-1, IMAGE_Z_MAX, bad[k].why, bad[k].why);
    }
    write_pages(3, "<OME><Image><Pixels SizeC=\"4\" SizeZ=\"9");
    ok(read_part(1, IMAGE_Z_NONE) == OK && is_page(1), "OME-XML that cannot be read says nothing of channels");
}

/* Files of tifffile: of each the projections that numpy computed. */
static void of_tifffile(void)
{
    table *t = NULL;
    int n_wrong = 0;
    if (!ok(table_read(&t, "tests/ref/image_stacks.csv") == OK, "the list of references")) return;
    for (int64_t r = 0; r < table_n_rows(t); r++) {
        static const char *const way[] = {"max", "mean", "middle"};
        int channel = atoi(table_cell(t, r, table_col(t, "channel")));
        uint64_t sum = 0, mixed = 0;
        snprintf(path, sizeof path, "tests/ref/image_stacks/%s", table_cell(t, r, table_col(t, "file")));
        int64_t z = IMAGE_Z_MAX;
        while (z > IMAGE_Z_MIDDLE && strcmp(way[IMAGE_Z_MAX - z], table_cell(t, r, table_col(t, "z"))) != 0) z--;
        status st = read_part(channel, z);
        for (int64_t i = 0; st == OK && i < (int64_t)im.width_px * im.height_px; i++) {
            sum += im.px[i];
            mixed = (mixed * 31 + im.px[i]) % 1000003;
        }
        bool good = st == OK && sum == strtoull(table_cell(t, r, table_col(t, "sum")), NULL, 10) &&
                    mixed == strtoull(table_cell(t, r, table_col(t, "mixed")), NULL, 10);
        if (!good) printf("#   %s: %s\n", path, st == OK ? "other values" : msg_get());
        n_wrong += !good;
        msg_clear();
    }
    ok(n_wrong == 0 && table_n_rows(t) >= 20, "stacks of tifffile have numpy's projections");
    table_free(&t);
}

int main(void)
{
    TIFFSetWarningHandler(NULL);
    snprintf(path, sizeof path, "%s/stack.tif", tap_dir());
    plain_pages();
    imagej();
    imagej_one_page();
    ome();
    of_tifffile();
    image_file_free(&file);
    image_free(&im);
    return tap_done();
}
