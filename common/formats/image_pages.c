/* image_pages.c -- what a TIFF says of its pages, in OME-XML or ImageJ's words, and so which of them are the planes of a channel. Nothing
 * of it is believed: what it says must be as many planes as the file has pages. */
#include "image_impl.h"
#include "tiff_impl.h"

#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/text.h"
#include "micon/formats/xml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { MOST_PAGES = 65536 }; /* also: planes of a channel, so that sums of their values fit in 32 bits */
enum { C, Z, T, AXES };

/* One <TiffData>: planes from first[] on are pages from ifd on. */
typedef struct {
    int64_t first[AXES], ifd, count;
    bool has_ifd, elsewhere;
} tiff_data;

typedef struct {
    const char *path;
    int *page; /* [n_pages] the file's pages without thumbnails, by number in the file, or planes behind the first page's bytes */
    int n_pages, n_ifds;
    size_t cap;
    bool behind;
    bool told;          /* the description gives the sizes */
    int64_t size[AXES]; /* else 1 */
    int order[AXES];    /* which of these changes fastest from page to page, next, slowest */
    names called;       /* OME-XML: of the channels, "" without a name */
    int *place;         /* [planes] in that order: the page that a <TiffData> gives it, -1 none; NULL: as they come */
    bool *used;         /* [n_ifds] a page that has a place */
    int64_t n_series;
    tiff_data data;
    char uuid[64];
} description;

static void description_free(description *d)
{
    free(d->page);
    free(d->place);
    free(d->used);
    names_free(&d->called);
}

/* ---- OME-XML ---- */

static int64_t n_planes(const description *d)
{
    return d->size[C] * d->size[Z] * d->size[T];
}

/* A number of an element, in [0, MOST_PAGES]; *has: it is there. */
static status number_of(const description *d, const xml_attributes *a, const char *name, int64_t *out, bool *has)
{
    const char *s = xml_attribute(a, name);
    *has = *s != '\0';
    if (!*has) return OK;
    return num_i64(s, out) && *out >= 0 && *out <= MOST_PAGES ? OK : fail(E_FORMAT, "%s: its OME-XML has %s=\"%.40s\"", d->path, name, s);
}

static status on_pixels(description *d, const xml_attributes *a)
{
    static const char *const name[AXES] = {"SizeC", "SizeZ", "SizeT"};
    status st = OK;
    const char *order = xml_attribute(a, "DimensionOrder");
    bool has;
    if (d->n_series++ > 0) return OK; /* told apart later */
    for (int k = 0; k < AXES; k++) {
        TRY(number_of(d, a, name[k], &d->size[k], &has));
        if (d->size[k] < 1) TRY(fail(E_FORMAT, "%s: its OME-XML has %s=\"0\"", d->path, name[k]));
    }
    if (n_planes(d) > MOST_PAGES) TRY(fail(E_FORMAT, "%s: its OME-XML has more than %d planes", d->path, MOST_PAGES));
    for (int k = 0; strlen(order) == 5 && k < AXES; k++) {
        const char *at = strchr("CZT", order[2 + k]);
        if (!at) TRY(fail(E_FORMAT, "%s: its OME-XML has DimensionOrder=\"%s\"", d->path, order));
        d->order[k] = (int)(at - "CZT");
    }
    if (d->order[0] == d->order[1] || d->order[1] == d->order[2] || d->order[0] == d->order[2])
        TRY(fail(E_FORMAT, "%s: its OME-XML has DimensionOrder=\"%s\"", d->path, order));
    d->told = true;
done:
    return st;
}

static status on_start(void *self, const char *name, const xml_attributes *a)
{
    status st = OK;
    description *d = self;
    bool has;
    if (strcmp(name, "OME") == 0) snprintf(d->uuid, sizeof d->uuid, "%s", xml_attribute(a, "UUID"));
    if (strcmp(name, "Pixels") == 0) TRY(on_pixels(d, a));
    if (d->n_series != 1) goto done;
    if (strcmp(name, "Channel") == 0 && d->called.n < MOST_PAGES) names_add(&d->called, xml_attribute(a, "Name"));
    if (strcmp(name, "TiffData") == 0) {
        d->data = (tiff_data){.count = -1};
        TRY(number_of(d, a, "IFD", &d->data.ifd, &d->data.has_ifd));
        TRY(number_of(d, a, "FirstC", &d->data.first[C], &has));
        TRY(number_of(d, a, "FirstZ", &d->data.first[Z], &has));
        TRY(number_of(d, a, "FirstT", &d->data.first[T], &has));
        TRY(number_of(d, a, "PlaneCount", &d->data.count, &has));
        if (d->data.count < 0) d->data.count = d->data.has_ifd ? 1 : -1;
    }
done:
    return st;
}

/* The place of a plane in DimensionOrder. */
static int64_t place_of(const description *d, const int64_t at[AXES])
{
    int64_t p = 0;
    for (int k = AXES - 1; k >= 0; k--) p = p * d->size[d->order[k]] + at[d->order[k]];
    return p;
}

static status on_tiff_data(description *d)
{
    status st = OK;
    const tiff_data *t = &d->data;
    bool plain = !t->has_ifd && !t->elsewhere && t->count < 0 && !t->first[C] && !t->first[Z] && !t->first[T];
    if (d->n_series != 1 || (plain && !d->place)) return OK; /* all pages as they come */
    for (int k = 0; k < AXES; k++)
        if (t->first[k] >= d->size[k]) TRY(fail(E_FORMAT, "%s: its OME-XML names a plane beyond its sizes", d->path));
    if (!d->place) {
        TRY(mem_alloc(&d->used, (size_t)d->n_ifds, sizeof *d->used, "pages of a TIFF"));
        TRY(mem_alloc(&d->place, (size_t)n_planes(d), sizeof *d->place, "pages of a TIFF"));
        for (int64_t i = 0; i < n_planes(d); i++) d->place[i] = -1;
    }
    int64_t first = place_of(d, t->first), n = t->count >= 0 ? t->count : d->n_ifds - t->ifd;
    for (int64_t i = 0; i < n && first + i < n_planes(d) && !t->elsewhere; i++) {
        if (t->ifd + i >= d->n_ifds)
            TRY(fail(E_FORMAT, "%s: its OME-XML names page %lld, and it has %d", d->path, (long long)(t->ifd + i + 1), d->n_ifds));
        if (d->used[t->ifd + i]) TRY(fail(E_FORMAT, "%s: its OME-XML gives page %lld to two planes", d->path, (long long)(t->ifd + i + 1)));
        d->used[t->ifd + i] = true;
        d->place[first + i] = (int)(t->ifd + i);
    }
done:
    return st;
}

static status on_end(void *self, const char *name, const char *content)
{
    description *d = self;
    if (strcmp(name, "UUID") == 0) d->data.elsewhere = *d->uuid && strcmp(content, d->uuid) != 0;
    return strcmp(name, "TiffData") == 0 ? on_tiff_data(d) : OK;
}

/* ---- the file ---- */

/* Its pages, but for thumbnails; a chain of pages that breaks off is an error, not a shorter stack. */
static status list_pages(TIFF *tif, const image_file *f, description *d)
{
    status st = OK;
    int64_t held, n = tiff_n_behind(tif, f->size, &held);
    if (held < n) TRY(fail(E_FORMAT, "%s: is truncated: %lld of its %lld planes are there", f->path, (long long)held, (long long)n));
    for (d->behind = n > 1; d->behind && d->n_pages < n; d->n_pages++) {
        if (n > MOST_PAGES) TRY(fail(E_FORMAT, "%s: has more than %d planes", f->path, MOST_PAGES));
        TRY(mem_grow(&d->page, &d->cap, (size_t)d->n_pages + 1, sizeof *d->page, f->path));
        d->page[d->n_pages] = d->n_pages;
    }
    for (d->n_ifds = 1; !d->behind; d->n_ifds++) {
        if (!tiff_is_reduced(tif)) {
            TRY(mem_grow(&d->page, &d->cap, (size_t)d->n_pages + 1, sizeof *d->page, f->path));
            d->page[d->n_pages++] = d->n_ifds - 1;
        }
        if (TIFFLastDirectory(tif)) break;
        if (d->n_ifds == MOST_PAGES - 1) TRY(fail(E_FORMAT, "%s: has %d pages or more", f->path, MOST_PAGES - 1));
        if (!TIFFReadDirectory(tif)) TRY(fail(E_FORMAT, "%s: its page %d is damaged: %s", f->path, d->n_ifds + 1, tiff_why()));
    }
    if (d->n_pages == 0) TRY(fail(E_FORMAT, "%s: has thumbnails and masks only", f->path));
done:
    return st;
}

static void read_imagej(const char *says, description *d)
{
    static const char *const key[AXES] = {"\nchannels=", "\nslices=", "\nframes="};
    for (int k = 0; k < AXES; k++) {
        int64_t v = tiff_imagej_number(says, key[k]);
        d->told = d->told || v > 0;
        d->size[k] = v < 1 ? 1 : v <= MOST_PAGES ? v : MOST_PAGES;
    }
}

/* Unless a stack is projected, OME-XML that cannot be read says nothing: so it was before there was a reader. */
static status read_ome(const char *says, int64_t z, description *d)
{
    const xml_handler h = {.self = d, .start = on_start, .end = on_end};
    status st = xml_parse("OME-XML", says, strlen(says), &h);
    if (st != E_FORMAT) return st;
    if (z != IMAGE_Z_NONE) return strstr(msg_get(), d->path) ? st : fail_within(st, "%s", d->path);
    msg_clear();
    FREE(d->place);
    names_free(&d->called);
    d->told = false;
    d->n_series = 0;
    for (int k = 0; k < AXES; k++) d->size[k] = 1;
    return OK;
}

static status read_description(const image_file *f, int64_t z, description *d)
{
    status st = OK;
    char *says = NULL;
    tiff_memory m = {.bytes = f->bytes, .size = f->size};
    TIFF *tif = tiff_open_read(&m);
    *d = (description){.path = f->path, .size = {1, 1, 1}, .order = {C, Z, T}};
    if (!tif) TRY(fail(E_FORMAT, "%s: is truncated or damaged: %s", f->path, tiff_why()));
    TRY(list_pages(tif, f, d));
    if (!TIFFSetDirectory(tif, 0) || !TIFFGetField(tif, TIFFTAG_IMAGEDESCRIPTION, &says) || !says) goto done;
    if (strncmp(says, "ImageJ=", 7) == 0)
        read_imagej(says, d);
    else if (strstr(says, "<OME"))
        TRY(read_ome(says, z, d));
done:
    if (tif) TIFFClose(tif);
    return st;
}

/* ---- which of them ---- */

/* Where the asked channel is among the file's, by name where the file has names for all of its channels. */
static status channel_place(const description *d, const image_part *part, int64_t *place, char called[24])
{
    int64_t n_found = 0, n_same = 0, n_named = 0;
    *place = part->channel;
    for (size_t i = 0; i < d->called.n; i++) {
        bool ours_too = false;
        for (int k = 0; k < part->n_channels && !ours_too; k++) ours_too = strcasecmp(d->called.item[i], part->channels[k]) == 0;
        n_found += ours_too;
        n_named += *d->called.item[i] != '\0';
        if (strcasecmp(d->called.item[i], part->channels[part->channel]) != 0) continue;
        *place = (int64_t)i;
        n_same++;
    }
    if (n_named < d->size[C] || (int64_t)d->called.n != d->size[C]) {
        *place = part->channel;
        return OK;
    }
    if (n_same == 1) return OK;
    *place = part->channel;
    if (n_found == 0) {
        text_show(called, 24, d->called.item[*place]);
        return OK;
    }
    text list = {0};
    char shown[300];
    for (size_t i = 0; i < d->called.n && i < 20; i++) text_addf(&list, "%s%s", i ? ", " : "", d->called.item[i]);
    status st =
        fail(E_FORMAT, "%s: calls its channels %s: %s them is %s; columns Frame_<channel> name the pages to read, from 0", d->path,
             text_show(shown, sizeof shown, text_str(&list)), n_same ? "more than one of" : "none of", part->channels[part->channel]);
    text_free(&list);
    return st;
}

static status take(image_stack *out, size_t *cap, int page, const char *path)
{
    status st = mem_grow(&out->page, cap, (size_t)out->n + 1, sizeof *out->page, path);
    if (st == OK) out->page[out->n++] = page;
    return st;
}

/* The pages of one channel, or (channel -1) of whichever one the file holds, in the order of z. */
static status take_told(const description *d, int64_t channel, image_stack *out)
{
    status st = OK;
    size_t cap = 0;
    int64_t absent = 0, at[AXES] = {0};
    for (at[C] = channel < 0 ? 0 : channel; at[C] < (channel < 0 ? d->size[C] : channel + 1); at[C]++) {
        int had = out->n;
        absent = 0;
        for (at[Z] = 0; at[Z] < d->size[Z]; at[Z]++) {
            int64_t p = place_of(d, at);
            int page = d->place ? d->place[p] : d->page[p];
            absent += page < 0;
            if (page >= 0) TRY(take(out, &cap, page, d->path));
        }
        if (out->n > had && had > 0)
            TRY(fail(E_FORMAT, "%s: holds the planes of several channels; tile.pages: channels reads them", d->path));
        if (out->n > had && absent)
            TRY(fail(E_FORMAT, "%s: says that it has %lld z planes; %lld of them are in other files", d->path, (long long)d->size[Z],
                     (long long)absent));
    }
    if (out->n == 0) TRY(fail(E_FORMAT, "%s: says that its planes are in other files", d->path));
done:
    return st;
}

static status check_sizes(const description *d, const image_part *part, bool told)
{
    int n = part->channel >= 0 ? part->n_channels : 0;
    const char *frames = "columns Frame_<channel> name the pages to read, from 0";
    if (d->n_series > 1 && (part->channel < 0 || d->n_pages != n))
        return fail(E_FORMAT, "%s: holds %lld images (OME-XML); one is expected", d->path, (long long)d->n_series);
    if (d->size[T] > 1)
        return fail(E_FORMAT, "%s: says that it has %lld times (and %lld z planes a channel); one is read%s%s", d->path,
                    (long long)d->size[T], (long long)d->size[Z], n ? "; " : "", n ? frames : "");
    if (d->size[Z] > 1 && part->z == IMAGE_Z_NONE)
        return fail(E_FORMAT, "%s: says that it has %lld z planes a channel; tile.z says how they become one image, or %s", d->path,
                    (long long)d->size[Z], frames);
    if (told && n && d->size[C] != n)
        return fail(E_FORMAT, "%s: says that it has %lld channels, not %d; %s", d->path, (long long)d->size[C], n, frames);
    if (!told && d->told && (d->size[Z] > 1 || part->channel < 0))
        return fail(E_FORMAT, "%s: says that it has %lld planes, and has %d pages", d->path, (long long)n_planes(d), d->n_pages);
    if (!told && n && d->n_pages != n)
        return fail(E_FORMAT, "%s: has %d pages for %d channels%s; %s", d->path, d->n_pages, n,
                    part->z != IMAGE_Z_NONE ? ", and neither OME-XML nor ImageJ says which of them are z planes" : "", frames);
    return OK;
}

status image_tiff_stack(const image_file *f, const image_part *part, image_stack *out)
{
    status st = OK;
    description d;
    size_t cap = 0;
    int64_t place = part->channel;
    TRY(read_description(f, part->z, &d));
    /* A description that another program left behind may be of other pages: without z planes the pages decide. */
    bool told = d.told && d.n_series <= 1 && (d.place || n_planes(&d) == d.n_pages);
    TRY(check_sizes(&d, part, told));
    if (told && part->channel >= 0) TRY(channel_place(&d, part, &place, out->called));
    out->behind = d.behind;
    if (told)
        TRY(take_told(&d, place, out));
    else
        for (int i = 0; i < d.n_pages; i++)
            if (part->channel < 0 || i == part->channel) TRY(take(out, &cap, d.page[i], f->path));
done:
    description_free(&d);
    return st;
}
