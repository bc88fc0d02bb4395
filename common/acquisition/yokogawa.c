/* yokogawa.c -- the measurement of a Yokogawa CV7000 or CV8000: its images (.mlf), its plate (.mrf), settings of its channels (.mes). */
#include "export_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/xml.h"

#include <stdlib.h>
#include <string.h>

static const char images_name[] = "MeasurementData.mlf", detail_name[] = "MeasurementDetail.mrf";

typedef struct {
    export_reading r;
    text plate, title, settings; /* settings: name of the .mes */
    text channels;               /* what they are, for people */
    export_image image;
    bool in_image;
    int64_t n_failed; /* records of images that were not taken */
} measurement;

static int64_t number(const xml_attributes *a, const char *name, int64_t otherwise)
{
    const char *s = xml_attribute(a, name);
    return *s ? strtoll(s, NULL, 10) : otherwise;
}

static void keep(text *t, const char *s)
{
    if (!t->n) text_add(t, s);
}

static status detail_start(void *self, const char *name, const xml_attributes *a)
{
    measurement *m = self;
    if (strcmp(name, "MeasurementDetail") == 0) {
        keep(&m->title, xml_attribute(a, "Title"));
        keep(&m->settings, xml_attribute(a, "MeasurementSettingFileName"));
    }
    if (strcmp(name, "MeasurementSamplePlate") == 0) keep(&m->plate, xml_attribute(a, "Name"));
    return OK;
}

static status settings_start(void *self, const char *name, const xml_attributes *a)
{
    measurement *m = self;
    if (strcmp(name, "Channel") != 0) return OK;
    const char *target = xml_attribute(a, "Target"), *filter = xml_attribute(a, "Acquisition");
    export_name_channel(&m->r, number(a, "Ch", 0), xml_attribute(a, "Fluorophore"));
    if (m->channels.n < 2000)
        text_addf(&m->channels, "%sCh%lld is %s%s%s", m->channels.n ? "; " : "", (long long)number(a, "Ch", 0), target,
                  *target && *filter ? ", " : "", filter);
    return OK;
}

static status images_start(void *self, const char *name, const xml_attributes *a)
{
    measurement *m = self;
    if (strcmp(name, "MeasurementRecord") != 0) return OK;
    m->in_image = strcmp(xml_attribute(a, "Type"), "IMG") == 0;
    m->n_failed += !m->in_image;
    m->image = (export_image){.plate = text_str(&m->plate),
                              .row = number(a, "Row", 0),
                              .column = number(a, "Column", 0),
                              .site = number(a, "FieldIndex", 1),
                              .channel = number(a, "Ch", 1),
                              .plane = number(a, "ZIndex", 1),
                              .time = number(a, "TimePoint", 1)};
    return OK;
}

static status images_end(void *self, const char *name, const char *value)
{
    measurement *m = self;
    if (!m->in_image || strcmp(name, "MeasurementRecord") != 0) return OK;
    m->in_image = false;
    m->image.name = value;
    return export_add(&m->r, &m->image);
}

/* A further file of the measurement, where it is there. */
static status read_beside(measurement *m, const char *name, status (*start)(void *, const char *, const xml_attributes *))
{
    if (!*name || strchr(name, '/') || !folder_has(m->r.d, name)) return OK;
    char *path = path_join(m->r.d->path, name);
    status st = export_damaged(m->r.f, xml_parse_file(path, &(xml_handler){m, start, NULL}));
    free(path);
    return st;
}

static void name_plate(measurement *m, const char *path)
{
    keep(&m->plate, text_str(&m->title));
    if (m->plate.n) return;
    char *name = plate_name_of_folder(path);
    text_add(&m->plate, name);
    free(name);
}

/* What cannot be seen from the images themselves. */
static void tell(const measurement *m, const char *path)
{
    char shown[300], *line;
    text_show(shown, sizeof shown, path);
    if (m->n_failed) {
        line = xasprintf("%s: %lld records are of no image, but of errors", shown, (long long)m->n_failed);
        names_add(&m->r.f->told, line);
        free(line);
    }
    if (m->channels.n) {
        text_show(shown, sizeof shown, m->channels.s);
        if (names_find(&m->r.f->told, shown) < 0) names_add(&m->r.f->told, shown);
    }
}

status yokogawa_read(plate_files *f, const export_folder *d, bool *found)
{
    status st = OK;
    char *path = path_join(d->path, images_name);
    measurement m = {.r = {.f = f, .d = d, .first = f->n}};
    *found = false;
    if (!folder_has(d, images_name)) goto done;
    TRY(read_beside(&m, detail_name, detail_start));
    TRY(read_beside(&m, text_str(&m.settings), settings_start));
    name_plate(&m, path);
    st = xml_parse_file(path, &(xml_handler){&m, images_start, images_end});
    if (st == OK) {
        *found = f->n > m.r.first;
        export_finish(&m.r, path);
        tell(&m, path);
    } else {
        export_forget(&m.r);
        TRY(export_damaged(f, st));
    }
done:
    free(path);
    text_free(&m.plate), text_free(&m.title), text_free(&m.settings), text_free(&m.channels);
    return st;
}
