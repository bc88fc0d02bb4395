/* operetta.c -- the index of an Operetta's or Opera Phenix's export (Harmony 4 to 6), and the layout of its assay. */
#include "export_impl.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/xml.h"

#include <stdlib.h>
#include <string.h>

enum { MOST_LAYERS = 32 };

typedef struct {
    export_reading r;
    text plate, plate_id, url, channel_name;
    bool in_images, in_image, in_entry, signal;
    int64_t entry_channel;
    export_image image;
} index_reading;

static int64_t number(const char *s)
{
    return strtoll(s, NULL, 10);
}

static void set(text *t, const char *s)
{
    text_clear(t);
    text_add(t, s);
}

static status index_start(void *self, const char *name, const xml_attributes *a)
{
    index_reading *x = self;
    if (strcmp(name, "Images") == 0) x->in_images = true;
    if (strcmp(name, "Entry") == 0) {
        x->in_entry = true;
        x->entry_channel = number(xml_attribute(a, "ChannelID"));
    }
    if (strcmp(name, "Image") == 0 && x->in_images) {
        x->in_image = true;
        x->signal = true;
        x->image = (export_image){.site = 1, .channel = 1, .plane = 1};
        set(&x->url, "");
        set(&x->channel_name, "");
    }
    return OK;
}

static void image_property(index_reading *x, const char *name, const char *value)
{
    const struct {
        const char *name;
        int64_t *to;
    } property[] = {{"Row", &x->image.row},           {"Col", &x->image.column},    {"FieldID", &x->image.site},
                    {"ChannelID", &x->image.channel}, {"PlaneID", &x->image.plane}, {"TimepointID", &x->image.time}};
    for (size_t i = 0; i < sizeof property / sizeof *property; i++)
        if (strcmp(name, property[i].name) == 0) *property[i].to = number(value);
    if (strcmp(name, "URL") == 0) set(&x->url, value);
    if (strcmp(name, "ChannelName") == 0) set(&x->channel_name, value);
    if (strcmp(name, "ImageType") == 0) x->signal = strcmp(value, "Signal") == 0;
}

static status image_end(index_reading *x)
{
    char *of_folder = NULL;
    x->in_image = false;
    if (!x->signal) { /* a flat field, a reference */
        x->r.n_other++;
        return OK;
    }
    const char *plate = *text_str(&x->plate) ? text_str(&x->plate) : text_str(&x->plate_id);
    if (!*plate) {
        char *beside = path_join(x->r.d->path, "image");
        plate = of_folder = plate_name_of_folder(beside);
        free(beside);
    }
    x->image.name = text_str(&x->url);
    x->image.plate = plate;
    export_name_channel(&x->r, x->image.channel, text_str(&x->channel_name));
    status st = export_add(&x->r, &x->image);
    free(of_folder);
    return st;
}

static status index_end(void *self, const char *name, const char *value)
{
    index_reading *x = self;
    if (x->in_image && strcmp(name, "Image") == 0) return image_end(x);
    if (x->in_image) image_property(x, name, value);
    if (strcmp(name, "Images") == 0) x->in_images = false;
    if (strcmp(name, "Entry") == 0) x->in_entry = false;
    if (x->in_entry && strcmp(name, "ChannelName") == 0) export_name_channel(&x->r, x->entry_channel, value);
    if (!x->in_images && strcmp(name, "Name") == 0 && !x->plate.n) set(&x->plate, value);
    if (!x->in_images && strcmp(name, "PlateID") == 0 && !x->plate_id.n) set(&x->plate_id, value);
    return OK;
}

/* ---- the assay's layout: layers of wells with values ---- */

typedef struct {
    plate_files *f;
    const char *plate;
    text layer, value, row, column;
    bool in_well;
} layout_reading;

static status layout_start(void *self, const char *name, const xml_attributes *a)
{
    layout_reading *x = self;
    (void)a;
    if (strcmp(name, "Layer") == 0) set(&x->layer, "");
    if (strcmp(name, "Well") == 0) {
        x->in_well = true;
        set(&x->value, ""), set(&x->row, ""), set(&x->column, "");
    }
    return OK;
}

static status well_end(layout_reading *x)
{
    status st = OK;
    layout_cell c = {0};
    plate_files *f = x->f;
    x->in_well = false;
    if (!*text_str(&x->value) || !*text_str(&x->layer)) goto done;
    if (!plate_well_name(number(text_str(&x->row)), number(text_str(&x->column)), c.well)) goto done;
    long layer = names_find(&f->layer, x->layer.s);
    if (layer < 0 && f->layer.n >= MOST_LAYERS) goto done;
    if (layer < 0) names_add(&f->layer, x->layer.s);
    c.layer = layer < 0 ? f->layer.n - 1 : (size_t)layer;
    TRY(mem_grow(&f->cell, &f->cells_cap, f->n_cells + 1, sizeof *f->cell, "wells of layouts"));
    c.plate = xstrdup(x->plate);
    c.value = xstrdup(x->value.s);
    f->cell[f->n_cells++] = c;
done:
    return st;
}

static status layout_end(void *self, const char *name, const char *value)
{
    layout_reading *x = self;
    if (strcmp(name, "Well") == 0) return well_end(x);
    if (x->in_well && strcmp(name, "Row") == 0) set(&x->row, value);
    if (x->in_well && strcmp(name, "Col") == 0) set(&x->column, value);
    if (x->in_well && strcmp(name, "Value") == 0) set(&x->value, value);
    if (!x->in_well && strcmp(name, "Name") == 0) set(&x->layer, value);
    return OK;
}

static status read_layout(plate_files *f, const char *path, const char *plate)
{
    layout_reading x = {.f = f, .plate = plate};
    size_t before = f->n_cells;
    status st = xml_parse_file(path, &(xml_handler){&x, layout_start, layout_end});
    while (st != OK && f->n_cells > before) {
        f->n_cells--;
        free(f->cell[f->n_cells].plate), free(f->cell[f->n_cells].value);
    }
    text_free(&x.layer), text_free(&x.value), text_free(&x.row), text_free(&x.column);
    return export_damaged(f, st);
}

/* The layouts in Assaylayout/ beside the folder of the index. */
static status read_layouts(plate_files *f, const export_folder *d, const char *plate)
{
    status st = OK;
    names layout = {0};
    char *up = path_dir(d->path), *dir = path_join(up, "Assaylayout");
    if (path_is_dir(dir)) TRY(path_glob(&layout, dir, "*.xml"));
    for (size_t i = 0; i < layout.n; i++) TRY(read_layout(f, layout.item[i], plate));
done:
    names_free(&layout);
    free(up);
    free(dir);
    return st;
}

status operetta_read(plate_files *f, const export_folder *d, bool *found)
{
    status st = OK;
    const char *name = folder_has(d, "Index.idx.xml") ? "Index.idx.xml" : "Index.xml";
    char *path = path_join(d->path, name);
    index_reading x = {.r = {.f = f, .d = d, .first = f->n}};
    *found = false;
    if (!folder_has(d, name)) goto done;
    st = xml_parse_file(path, &(xml_handler){&x, index_start, index_end});
    if (st == OK) {
        *found = f->n > x.r.first;
        if (*found) TRY(read_layouts(f, d, f->item[x.r.first].plate));
        export_finish(&x.r, path);
    } else {
        export_forget(&x.r);
        TRY(export_damaged(f, st));
    }
done:
    free(path);
    text_free(&x.plate), text_free(&x.plate_id), text_free(&x.url), text_free(&x.channel_name);
    return st;
}
