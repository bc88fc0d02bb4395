/* cells_tool.c -- what the tests and the benchmark ask of common/cells/ directly.
 *   cells_tool measure IN OUT     features of the cells of IN (one row a cell, float32, names in OUT.names), seconds by family on stdout
 *   cells_tool find IN OUT KEY=VALUE...   nuclei in channel 0 and cells in channel 1 of IN, as int32 to OUT
 *   cells_tool score DNA TRUTH KEY=VALUE...   nuclei of an image against a true label image: "TRUE FOUND MATCHED" on stdout
 *   cells_tool count DNA KEY=VALUE...     how many nuclei of an image, on stdout
 *   cells_tool pack OUT NUCLEI CELLS CHANNEL=FILE...   such an IN from TIFFs (label images, then 16-bit channels)
 *   cells_tool relabel LABELS OUT tiff32|png16   the same label image as another kind of file
 *   cells_tool outlines PNG X Y NUCLEI CELLS   do the outlines of a preview's picture at (X, Y) lie where the label images' do?
 *   cells_tool window IMAGE X Y SIZE LOW HIGH [LABELS NUMBER]   CRC-32 of the pixels around (X, Y), stretched, those without the label 0
 * IN: a line "WIDTH HEIGHT UNIT CHANNEL...", then nuclei and cells as int32 and each channel as uint16, all [HEIGHT, WIDTH],
 * little-endian. */
#include "micon/base/clock.h"
#include "micon/base/mem.h"
#include "micon/cells/find.h"
#include "micon/cells/measure.h"
#include "micon/formats/image.h"

#include <math.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tiffio.h>
#include <zlib.h>

enum { MAX_CHANNELS = 16 };

static void need(bool good, const char *what)
{
    if (good) return;
    fprintf(stderr, "cells_tool: %s %s\n", what, msg_get());
    exit(1);
}

typedef struct {
    int width, height;
    double unit[MAX_CHANNELS];
    names channels;
    objects nuclei, cells, cytoplasm;
    uint16_t *px[MAX_CHANNELS];
} input;

static void read_labels(objects *o, int w, int h, FILE *f)
{
    size_t n = (size_t)w * (size_t)h;
    need(objects_reserve(o, w, h) == OK, "memory");
    need(fread(o->label, sizeof *o->label, n, f) == n, "labels");
    for (size_t i = 0; i < n; i++)
        if (o->label[i] > o->n) o->n = o->label[i];
    need(objects_index(o) == OK, "objects");
}

static void read_input(const char *path, input *in)
{
    char line[1000];
    double unit;
    FILE *f = fopen(path, "rb");
    need(f && fgets(line, sizeof line, f), path);
    in->width = atoi(strtok(line, " \n")); /* NOLINT: a test's own file */
    in->height = atoi(strtok(NULL, " \n"));
    unit = atof(strtok(NULL, " \n"));
    for (char *name; (name = strtok(NULL, " \n"));) names_add(&in->channels, name);
    need(in->channels.n <= MAX_CHANNELS, "channels");
    size_t n = (size_t)in->width * (size_t)in->height;
    read_labels(&in->nuclei, in->width, in->height, f);
    read_labels(&in->cells, in->width, in->height, f);
    for (size_t c = 0; c < in->channels.n; c++) {
        in->unit[c] = unit;
        in->px[c] = xmalloc(n * sizeof **in->px);
        need(fread(in->px[c], sizeof **in->px, n, f) == n, "pixels");
    }
    fclose(f);
    in->nuclei.n = in->cells.n = in->nuclei.n > in->cells.n ? in->nuclei.n : in->cells.n; /* a cell may lack its nucleus */
    need(objects_index(&in->nuclei) == OK && objects_index(&in->cells) == OK, "objects");
    need(objects_subtract(&in->cytoplasm, &in->cells, &in->nuclei) == OK, "cytoplasm");
}

static void write_output(const char *path, const names *features, const float *values, size_t rows)
{
    char *name = xasprintf("%s.names", path);
    FILE *f = fopen(path, "wb"), *g = fopen(name, "w");
    need(f && g, path);
    need(fwrite(values, sizeof *values, rows * features->n, f) == rows * features->n, path);
    for (size_t i = 0; i < features->n; i++) fprintf(g, "%s\n", features->item[i]);
    need(fclose(f) == 0 && fclose(g) == 0, path);
    free(name);
}

static void run_measure(const char *from, const char *to)
{
    input in = {0};
    measure *m = NULL;
    read_input(from, &in);
    need(measure_create(&m, &in.channels, 7) == OK, "measure");
    const names *features = measure_features(m);
    size_t rows = (size_t)in.cells.n;
    float *out = xcalloc(rows * features->n + 1, sizeof *out);
    const objects *parts[N_PARTS] = {&in.nuclei, &in.cells, &in.cytoplasm};
    const uint16_t *const *px = (const uint16_t *const *)in.px;
    double start = clock_s();
    need(measure_site(m, parts, px, in.unit, out) == OK, "measure");
    printf("seconds %.6f cells %zu features %zu\n", clock_s() - start, rows, features->n);
    for (int f = 0; f < N_FAMILIES; f++) printf("%-20s %.6f\n", measure_family_name(f), measure_family_seconds(m, f));
    write_output(to, features, out, rows);
    free(out);
    measure_free(&m);
    for (size_t c = 0; c < in.channels.n; c++) free(in.px[c]);
    objects_free(&in.nuclei);
    objects_free(&in.cells);
    objects_free(&in.cytoplasm);
    names_free(&in.channels);
}

static void set_option(find_options *o, const char *word)
{
    static const struct {
        const char *name;
        size_t at;
    } reals[] = {{"n.smooth", offsetof(find_options, nuclei.smooth_px)},
                 {"n.correction", offsetof(find_options, nuclei.correction)},
                 {"c.smooth", offsetof(find_options, cells.smooth_px)},
                 {"c.correction", offsetof(find_options, cells.correction)},
                 {"least", offsetof(find_options, least_px)},
                 {"most", offsetof(find_options, most_px)},
                 {"split_px", offsetof(find_options, split_px)},
                 {"reg", offsetof(find_options, regularization)}},
      ints[] = {{"n.method", offsetof(find_options, nuclei.method)},
                {"n.local", offsetof(find_options, nuclei.local_px)},
                {"n.background", offsetof(find_options, nuclei.background_px)},
                {"c.method", offsetof(find_options, cells.method)},
                {"split", offsetof(find_options, split)},
                {"grow", offsetof(find_options, grow)},
                {"grow_px", offsetof(find_options, grow_px)}};
    const char *eq = strchr(word, '=');
    need(eq != NULL, word);
    for (size_t i = 0; i < sizeof reals / sizeof *reals; i++)
        if (strlen(reals[i].name) == (size_t)(eq - word) && strncmp(word, reals[i].name, (size_t)(eq - word)) == 0)
            *(double *)(void *)((char *)o + reals[i].at) = atof(eq + 1);
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++)
        if (strlen(ints[i].name) == (size_t)(eq - word) && strncmp(word, ints[i].name, (size_t)(eq - word)) == 0)
            *(int *)(void *)((char *)o + ints[i].at) = atoi(eq + 1);
    if (strncmp(word, "n.log", 5) == 0) o->nuclei.log = atoi(eq + 1) != 0;
    if (strncmp(word, "c.log", 5) == 0) o->cells.log = atoi(eq + 1) != 0;
}

static const find_options usual = {.nuclei = {.smooth_px = 1, .correction = 0.9},
                                   .cells = {.smooth_px = 1.5, .log = true, .correction = 1},
                                   .least_px = 8,
                                   .most_px = 200,
                                   .split_px = 10,
                                   .regularization = 0.05,
                                   .grow_px = 10};

static void run_find(const char *from, const char *to, char **words)
{
    input in = {0};
    finder *f = NULL;
    find_report r, s;
    find_options o = usual;
    read_input(from, &in);
    for (; *words; words++) set_option(&o, *words);
    size_t last = in.channels.n > 1 ? 1 : 0, n = (size_t)in.width * (size_t)in.height;
    need(finder_create(&f) == OK, "finder");
    double t0 = clock_s();
    need(find_nuclei(f, &o, in.px[0], in.width, in.height, in.unit[0], &in.nuclei, &r) == OK, "nuclei");
    double t1 = clock_s();
    need(find_cells(f, &o, in.px[last], in.unit[last], &in.nuclei, &in.cells, &s) == OK, "cells");
    printf("nuclei %d threshold %.6f foreground %.4f seconds %.4f; cells threshold %.6f foreground %.4f seconds %.4f\n", in.nuclei.n,
           r.threshold, r.foreground, t1 - t0, s.threshold, s.foreground, clock_s() - t1);
    FILE *g = fopen(to, "wb");
    need(g && fwrite(in.nuclei.label, 4, n, g) == n && fwrite(in.cells.label, 4, n, g) == n && fclose(g) == 0, to);
    finder_free(&f);
}

/* Those at the image's edge are not judged: what is cut off there may be any sliver. */
static void drop_border(objects *o)
{
    uint8_t *keep = xcalloc((size_t)o->n + 1, 1);
    for (int32_t i = 0; i < o->n; i++) keep[i] = !o->border[i];
    need(objects_filter(o, keep) == OK, "objects");
    free(keep);
}

/* Found objects that overlap a true one with an intersection over union of at least 0.7. */
static int count_matches(const objects *truth, const objects *found)
{
    int matched = 0;
    int64_t *shared = xcalloc((size_t)truth->n + 1, sizeof *shared);
    for (int32_t k = 0; k < found->n; k++) {
        for (int64_t i = found->first[k]; i < found->first[k + 1]; i++) shared[truth->label[found->pixel[i]]]++;
        for (int32_t t = 0; t < truth->n; t++) {
            double both = (double)shared[t + 1], all = (double)(objects_area(truth, t) + objects_area(found, k)) - both;
            if (both / all >= 0.7) matched++;
            shared[t + 1] = 0;
        }
        shared[0] = 0;
    }
    free(shared);
    return matched;
}

static void run_score(const char *dna, const char *mask, char **words)
{
    image_file f = {0};
    image im = {0};
    image_labels labels = {0};
    objects truth = {0}, found = {0};
    int32_t *number = NULL;
    size_t cap = 0;
    finder *fd = NULL;
    find_report r;
    find_options o = usual;
    for (; *words; words++) set_option(&o, *words);
    need(image_file_read(&f, mask) == OK && image_decode_labels(&labels, &f, IMAGE_ONLY_PAGE) == OK, mask);
    need(objects_from_labels(&truth, labels.label, labels.width_px, labels.height_px, &number, &cap) == OK, mask);
    need(image_file_read(&f, dna) == OK && image_decode(&im, &f, IMAGE_ONLY_PAGE, 1) == OK, dna);
    need(im.width_px == truth.width_px && im.height_px == truth.height_px, "sizes differ");
    need(finder_create(&fd) == OK, "finder");
    need(find_nuclei(fd, &o, im.px, im.width_px, im.height_px, im.kind == IMAGE_U8 ? 255 : 65535, &found, &r) == OK, "nuclei");
    drop_border(&truth);
    drop_border(&found);
    printf("%d %d %d\n", truth.n, found.n, count_matches(&truth, &found));
    image_file_free(&f);
    image_free(&im);
    image_labels_free(&labels);
    objects_free(&truth);
    objects_free(&found);
    free(number);
    finder_free(&fd);
}

static void run_count(const char *dna, char **words)
{
    image_file f = {0};
    image im = {0};
    objects found = {0};
    finder *fd = NULL;
    find_report r;
    find_options o = usual;
    for (; *words; words++) set_option(&o, *words);
    need(image_file_read(&f, dna) == OK && image_decode(&im, &f, IMAGE_ONLY_PAGE, 1) == OK, dna);
    need(finder_create(&fd) == OK, "finder");
    need(find_nuclei(fd, &o, im.px, im.width_px, im.height_px, 65535, &found, &r) == OK, "nuclei");
    printf("%d\n", found.n);
    image_file_free(&f);
    image_free(&im);
    objects_free(&found);
    finder_free(&fd);
}

static void read_label_image(image_labels *l, const char *path)
{
    image_file f = {0};
    need(image_file_read(&f, path) == OK && image_decode_labels(l, &f, IMAGE_ONLY_PAGE) == OK, path);
    image_file_free(&f);
}

static void write_tiff32(const image_labels *l, const char *to)
{
    TIFF *t = TIFFOpen(to, "w");
    need(t != NULL, to);
    TIFFSetField(t, TIFFTAG_IMAGEWIDTH, (uint32_t)l->width_px);
    TIFFSetField(t, TIFFTAG_IMAGELENGTH, (uint32_t)l->height_px);
    TIFFSetField(t, TIFFTAG_BITSPERSAMPLE, 32);
    TIFFSetField(t, TIFFTAG_SAMPLESPERPIXEL, 1);
    TIFFSetField(t, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
    for (int y = 0; y < l->height_px; y++) need(TIFFWriteScanline(t, l->label + (size_t)y * (size_t)l->width_px, (uint32_t)y, 0) == 1, to);
    TIFFClose(t);
}

static void run_relabel(const char *from, const char *to, const char *kind)
{
    image_labels l = {0};
    read_label_image(&l, from);
    size_t n = (size_t)l.width_px * (size_t)l.height_px;
    uint16_t *px = xcalloc(n, sizeof *px);
    for (size_t i = 0; i < n; i++) px[i] = (uint16_t)l.label[i];
    png_image im = {
        .version = PNG_IMAGE_VERSION, .width = (uint32_t)l.width_px, .height = (uint32_t)l.height_px, .format = PNG_FORMAT_LINEAR_Y};
    if (strcmp(kind, "tiff32") == 0)
        write_tiff32(&l, to);
    else
        need(png_image_write_to_file(&im, to, 0, px, 0, NULL) != 0, to);
    free(px);
    image_labels_free(&l);
}

/* A pixel of an object whose neighbour above, below, left or right is not of it. */
static bool at_outline(const image_labels *l, int y, int x)
{
    static const int step[4][2] = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};
    int32_t own = l->label[y * l->width_px + x];
    for (int k = 0; k < 4 && own; k++) {
        int v = y + step[k][0], u = x + step[k][1];
        if (v >= 0 && u >= 0 && v < l->height_px && u < l->width_px && l->label[v * l->width_px + u] != own) return true;
    }
    return false;
}

static void run_outlines(const char *png, int left, int top, const char *nuclei, const char *cells)
{
    image_labels inner = {0}, outer = {0};
    png_image im = {.version = PNG_IMAGE_VERSION};
    int n_inner = 0, n_outer = 0, n_wrong = 0;
    read_label_image(&inner, nuclei);
    read_label_image(&outer, cells);
    need(png_image_begin_read_from_file(&im, png) != 0, png);
    im.format = PNG_FORMAT_RGB;
    uint8_t *px = xcalloc(PNG_IMAGE_SIZE(im), 1);
    need(png_image_finish_read(&im, NULL, px, 0, NULL) != 0, png);
    need((int)im.width >= left + inner.width_px && (int)im.height >= top + inner.height_px, "a picture beyond the preview");
    for (int y = 0; y < inner.height_px; y++)
        for (int x = 0; x < inner.width_px; x++) {
            const uint8_t *p = px + 3 * ((size_t)(top + y) * im.width + (size_t)(left + x));
            bool magenta = p[0] == 255 && p[1] == 0 && p[2] == 102, yellow = p[0] == 255 && p[1] == 255 && p[2] == 0;
            bool is_inner = at_outline(&inner, y, x), is_outer = !is_inner && at_outline(&outer, y, x);
            n_inner += is_inner;
            n_outer += is_outer;
            n_wrong += magenta != is_inner || yellow != is_outer;
        }
    printf("%d pixels of outlines of nuclei, %d of cells, %d wrong\n", n_inner, n_outer, n_wrong);
    need(n_wrong == 0 && n_inner > 0 && n_outer > 0, "outlines");
    free(px);
    image_labels_free(&inner);
    image_labels_free(&outer);
}

static void run_pack(const char *to, const char *nuclei, const char *cells, char **words)
{
    image_labels inner = {0}, outer = {0};
    image_file f = {0};
    image im = {0};
    FILE *out = fopen(to, "wb");
    need(out != NULL, to);
    read_label_image(&inner, nuclei);
    read_label_image(&outer, cells);
    size_t n = (size_t)inner.width_px * (size_t)inner.height_px;
    need((size_t)outer.width_px * (size_t)outer.height_px == n, cells);
    fprintf(out, "%d %d 65535", inner.width_px, inner.height_px);
    for (char **word = words; *word; word++) fprintf(out, " %.*s", (int)strcspn(*word, "="), *word);
    fprintf(out, "\n");
    need(fwrite(inner.label, sizeof *inner.label, n, out) == n && fwrite(outer.label, sizeof *outer.label, n, out) == n, to);
    image_labels_free(&inner);
    image_labels_free(&outer);
    for (; *words; words++) {
        const char *path = *words + strcspn(*words, "=") + 1;
        need(image_file_read(&f, path) == OK && image_decode(&im, &f, IMAGE_ONLY_PAGE, 1) == OK, path);
        need((size_t)im.width_px * (size_t)im.height_px == n && fwrite(im.px, sizeof *im.px, n, out) == n, path);
    }
    need(fclose(out) == 0, to);
    image_file_free(&f);
    image_free(&im);
}

static void run_window(char **a, const char *labels, int number)
{
    image_file f = {0};
    image im = {0};
    image_labels l = {0};
    int left = atoi(a[1]) - atoi(a[3]) / 2, top = atoi(a[2]) - atoi(a[3]) / 2, size = atoi(a[3]);
    double low = atof(a[4]), high = atof(a[5]);
    uint8_t *out = xcalloc((size_t)size * (size_t)size, 1);
    need(image_file_read(&f, a[0]) == OK && image_decode(&im, &f, IMAGE_ONLY_PAGE, 1) == OK, a[0]);
    if (labels) read_label_image(&l, labels);
    need(left >= 0 && top >= 0 && left + size <= im.width_px && top + size <= im.height_px, "a window beyond the image");
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++) {
            size_t at = (size_t)(top + y) * (size_t)im.width_px + (size_t)(left + x);
            double v = im.px[at] < low ? low : im.px[at] > high ? high : im.px[at];
            out[y * size + x] = labels && l.label[at] != number ? 0 : (uint8_t)floor(255 * (v - low) / (high - low) + 0.5);
        }
    printf("%08lx\n", crc32(0, out, (uInt)(size * size)));
    free(out);
    image_file_free(&f);
    image_free(&im);
    image_labels_free(&l);
}

int main(int argc, char **argv)
{
    if (argc == 4 && strcmp(argv[1], "measure") == 0)
        run_measure(argv[2], argv[3]);
    else if (argc >= 4 && strcmp(argv[1], "find") == 0)
        run_find(argv[2], argv[3], argv + 4);
    else if (argc >= 3 && strcmp(argv[1], "count") == 0)
        run_count(argv[2], argv + 3);
    else if (argc >= 6 && strcmp(argv[1], "pack") == 0)
        run_pack(argv[2], argv[3], argv[4], argv + 5);
    else if (argc == 5 && strcmp(argv[1], "relabel") == 0)
        run_relabel(argv[2], argv[3], argv[4]);
    else if (argc == 7 && strcmp(argv[1], "outlines") == 0)
        run_outlines(argv[2], atoi(argv[3]), atoi(argv[4]), argv[5], argv[6]);
    else if (argc >= 4 && strcmp(argv[1], "score") == 0)
        run_score(argv[2], argv[3], argv + 4);
    else if ((argc == 8 || argc == 10) && strcmp(argv[1], "window") == 0)
        run_window(argv + 2, argc == 10 ? argv[8] : NULL, argc == 10 ? atoi(argv[9]) : 0);
    else
        return fprintf(stderr, "usage: cells_tool measure|find|score|count|pack|relabel|outlines|window ...\n"), 2;
    return 0;
}
