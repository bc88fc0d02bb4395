/* fuzz_xml.c -- any bytes as XML. By their first byte: through the bounded reader; as the OME-XML (or ImageJ's words) of a TIFF of up to
 * eight pages, whose channels and planes are then read; as what an Operetta or a Yokogawa leaves beside its images, below a folder that
 * `micon index` looks into. */
#include "micon/acquisition/plate_files.h"
#include "micon/base/path.h"
#include "micon/base/text.h"
#include "micon/formats/image.h"
#include "micon/formats/xml.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SIDE = 4, MOST = 1 << 20 };

/* ---- the reader ---- */

static status on_start(void *self, const char *name, const xml_attributes *a)
{
    *(size_t *)self += strlen(name) + strlen(xml_attribute(a, "ID"));
    return OK;
}

static status on_end(void *self, const char *name, const char *content)
{
    *(size_t *)self += strlen(name) + strlen(content);
    return OK;
}

/* ---- a TIFF that says this of itself ---- */

typedef struct {
    uint8_t *at;
} writer;

static void put(writer *w, uint32_t v, int bytes)
{
    for (int k = 0; k < bytes; k++) *w->at++ = (uint8_t)(v >> 8 * k);
}

static void tag(writer *w, uint32_t number, uint32_t count, uint32_t v)
{
    put(w, number, 2);
    put(w, number == 270 ? 2 : 4, 2);
    put(w, count, 4);
    put(w, v, 4);
}

/* n pages of 4 x 4 pixels of 16 bits; behind: the samples of eight planes follow each other. */
static size_t make_tiff(uint8_t *out, const uint8_t *says, size_t n_says, uint32_t n)
{
    enum { TAGS = 9, PAGE = 2 + TAGS * 12 + 4, SAMPLES = SIDE * SIDE * 2 };
    writer w = {out};
    uint32_t text_at = 8 + n * PAGE, samples_at = text_at + (uint32_t)n_says + 1;
    memcpy(w.at, "II*", 4);
    w.at += 4;
    put(&w, 8, 4);
    for (uint32_t k = 0; k < n; k++) {
        put(&w, TAGS, 2);
        tag(&w, 256, 1, SIDE), tag(&w, 257, 1, SIDE), tag(&w, 258, 1, 16), tag(&w, 259, 1, 1), tag(&w, 262, 1, 1);
        tag(&w, 270, (uint32_t)n_says + 1, text_at);
        tag(&w, 273, 1, samples_at + k * SAMPLES), tag(&w, 278, 1, SIDE), tag(&w, 279, 1, SAMPLES);
        put(&w, k + 1 < n ? 8 + (k + 1) * PAGE : 0, 4);
    }
    memcpy(w.at, says, n_says);
    w.at += n_says;
    put(&w, 0, 1);
    for (int i = 0; i < 8 * SAMPLES; i++) put(&w, (uint32_t)(i * 7), 1);
    return (size_t)(w.at - out);
}

static void as_tiff(const uint8_t *data, size_t size, uint32_t n_pages)
{
    static char name[] = "fuzz.tif";
    static image im;
    static char dna[] = "DNA", er[] = "ER", mito[] = "Mito", *const channels[] = {dna, er, mito};
    uint8_t *bytes = malloc(size + 8 + 8 * 200 + 8 * SIDE * SIDE * 2);
    if (!bytes) return;
    size_t n = make_tiff(bytes, data, size, n_pages);
    uint8_t *exact = realloc(bytes, n);
    image_file f = {.path = name, .bytes = exact ? exact : bytes, .size = n};
    for (int64_t z = IMAGE_Z_MIDDLE; z <= 2; z += z == IMAGE_Z_NONE ? 2 : 1)
        for (int channel = -1; channel < 3; channel++) {
            image_part part = {.page = IMAGE_ONLY_PAGE, .channel = channel, .channels = channels, .n_channels = 3, .z = z};
            if (image_decode_part(&im, &f, &part, 1) == OK && (im.width_px != SIDE || im.height_px != SIDE || !im.px)) abort();
            msg_clear();
        }
    free(f.bytes);
}

/* ---- a microscope's folder ---- */

static void as_export(const uint8_t *data, size_t size, int kind)
{
    static const char *const name[] = {"Images/Index.idx.xml",         "Assaylayout/a.xml", "Images/MeasurementData.mlf",
                                       "Images/MeasurementDetail.mrf", "Images/s.mes",      "P.HTD"};
    static const char index[] = "<E><Plates><Plate><Name>P</Name></Plate></Plates><Images><Image><URL>a.tiff</URL><Row>1</Row><Col>1</Col>"
                                "<ImageType>Signal</ImageType></Image></Images></E>",
                      mlf[] = "<D><MeasurementRecord Type=\"IMG\" Row=\"1\" Column=\"1\" Ch=\"1\">a.tiff</MeasurementRecord></D>",
                      mrf[] = "<MeasurementDetail Title=\"P\" MeasurementSettingFileName=\"s.mes\"/>";
    static char dir[64], path[128];
    plate_files f = {0};
    names notes = {0};
    text csv = {0};
    if (!*dir) {
        static const char *const folder[] = {"", "/Images", "/Assaylayout"};
        snprintf(dir, sizeof dir, "%s/micon-fuzz-xml-%ld", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp", (long)getpid());
        for (int i = 0; i < 3; i++) {
            snprintf(path, sizeof path, "%s%s", dir, folder[i]);
            if (path_make_dirs(path) != OK) exit(1);
        }
        snprintf(path, sizeof path, "%s/Images/a.tiff", dir);
        if (path_write(path, "x", 1) != OK) exit(1);
    }
    const struct {
        const void *bytes;
        size_t n;
    } beside[] = {{index, sizeof index - 1}, {NULL, 0}, {mlf, sizeof mlf - 1}, {mrf, sizeof mrf - 1}};
    for (int i = 0; i < 6; i++) { /* what the file in question is read with */
        bool needed = i == kind || (kind == 1 && i == 0) || (kind > 2 && kind < 5 && i == 2) || (kind == 4 && i == 3);
        snprintf(path, sizeof path, "%s/%s", dir, name[i]);
        if (!needed)
            unlink(path);
        else if (path_write(path, i == kind ? (const void *)data : beside[i].bytes, i == kind ? size : beside[i].n) != OK)
            exit(1);
    }
    if (plate_files_find(&f, dir, NULL) == OK && plate_files_choose(&f, size & 1, &notes) == OK) {
        plate_files_csv(&f, &csv);
        plate_files_wells_csv(&f, &csv);
    }
    msg_clear();
    plate_files_free(&f);
    names_free(&notes);
    text_free(&csv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t sum = 0;
    const xml_handler h = {&sum, on_start, on_end};
    if (size == 0 || size > MOST) return 0;
    int kind = *data++ % 16;
    size--;
    if (kind < 6)
        as_export(data, size, kind);
    else if (kind < 14)
        as_tiff(data, size, (uint32_t)kind - 5);
    else if (xml_parse("fuzz.xml", (const char *)data, size, &h) != OK)
        msg_clear();
    return 0;
}
