/* site.c -- one site: its files read, its cells found or taken from label images, its features. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/formats/npy.h"
#include "micon/tiling/tiling.h"

#include <stdlib.h>
#include <string.h>

_Static_assert((int)CELL_OTSU == FIND_OTSU && (int)CELL_OTSU3 == FIND_OTSU3 && (int)CELL_CROSS_ENTROPY == FIND_CROSS_ENTROPY, "one order");
_Static_assert((int)CELL_SPLIT_DISTANCE == FIND_SPLIT_DISTANCE && (int)CELL_SPLIT_INTENSITY == FIND_SPLIT_INTENSITY &&
                   (int)CELL_SPLIT_NONE == FIND_SPLIT_NONE,
               "one order");
_Static_assert((int)CELL_GROW_PROPAGATION == FIND_GROW_PROPAGATION && (int)CELL_GROW_DISTANCE == FIND_GROW_DISTANCE, "one order");

static find_options options_of(const cells_options *o)
{
    return (find_options){
        .nuclei = {o->smooth, (int)o->background, (find_threshold)o->threshold, o->log, (int)o->local, o->correction},
        .cells = {o->cell_smooth, (int)o->cell_background, (find_threshold)o->cell_threshold, o->cell_log, (int)o->cell_local,
                  o->cell_correction},
        .least_px = o->least,
        .most_px = o->most,
        .split = (find_split)o->split,
        .split_px = o->split_distance,
        .grow = (find_grow)o->grow,
        .grow_px = (int)o->grow_distance,
        .regularization = o->regularization,
    };
}

/* The place of a channel that an option names. */
static status find_channel(const config *cfg, const char *key, const char *name, int *channel)
{
    text all = {0};
    long at = names_find(&cfg->screen.channels, name);
    *channel = (int)at;
    if (at >= 0) return OK;
    for (size_t i = 0; i < cfg->screen.channels.n; i++) text_addf(&all, "%s%s", i ? ", " : "", cfg->screen.channels.item[i]);
    status st = fail(E_USAGE, "cells.%s: the screen has no channel '%s'; it has %s", key, name, text_str(&all));
    text_free(&all);
    return st;
}

static status choose_files(site_reader *s)
{
    status st = OK;
    const cells_options *o = &s->cfg->cells;
    s->n_files = s->n_channels;
    s->nuclei_file = s->cells_file = s->nuclei_channel = s->cell_channel = -1;
    if (*o->nuclei_masks)
        s->nuclei_file = s->n_files++;
    else
        TRY(find_channel(s->cfg, "nuclei_channel", o->nuclei_channel, &s->nuclei_channel));
    if (*o->cell_masks)
        s->cells_file = s->n_files++;
    else if (o->grow == FIND_GROW_PROPAGATION)
        TRY(find_channel(s->cfg, "cell_channel", o->cell_channel, &s->cell_channel));
    else
        s->cell_channel = 0; /* its values are not looked at */
done:
    return st;
}

status site_open(site_reader *s, const config *cfg, const screen_index *ix)
{
    status st = OK;
    size_t n = cfg->screen.channels.n;
    *s = (site_reader){.cfg = cfg, .ix = ix, .n_channels = (int)n, .find = options_of(&cfg->cells)};
    if (cfg->cells.least > cfg->cells.most)
        TRY(fail(E_USAGE, "cells.least (%g) is above cells.most (%g)", cfg->cells.least, cfg->cells.most));
    TRY(choose_files(s));
    s->file = xcalloc((size_t)s->n_files, sizeof *s->file);
    s->im = xcalloc(n, sizeof *s->im);
    s->corrected = xcalloc(n, sizeof *s->corrected);
    s->corrected_cap = xcalloc(n, sizeof *s->corrected_cap);
    s->px = xcalloc(n, sizeof *s->px);
    s->unit = xcalloc(n, sizeof *s->unit);
    TRY(finder_create(&s->finder));
    TRY(measure_create(&s->measure, &cfg->screen.channels, 1u << PART_NUCLEI | 1u << PART_CELLS | 1u << PART_CYTOPLASM));
done:
    return st;
}

static void free_illumination(site_reader *s)
{
    for (int c = 0; s->illumination && c < s->n_channels; c++) free(s->illumination[c]);
    FREE(s->illumination);
}

void site_close(site_reader *s)
{
    for (int f = 0; s->file && f < s->n_files; f++) image_file_free(&s->file[f]);
    for (int c = 0; s->im && c < s->n_channels; c++) {
        image_free(&s->im[c]);
        free(s->corrected[c]);
    }
    free_illumination(s);
    free(s->file);
    free(s->im);
    free(s->corrected);
    free(s->corrected_cap);
    free(s->px);
    free(s->unit);
    free(s->number);
    free(s->scratch);
    free(s->features);
    image_labels_free(&s->labels);
    finder_free(&s->finder);
    measure_free(&s->measure);
    objects_free(&s->nuclei);
    objects_free(&s->cells);
    objects_free(&s->cytoplasm);
    text_free(&s->path);
    *s = (site_reader){0};
}

status site_illumination(site_reader *s, int64_t row)
{
    status st = OK;
    image_file f = {0};
    free_illumination(s);
    if (s->cfg->measure.illumination != BRIGHTNESS_FILE) return OK;
    s->illumination = xcalloc((size_t)s->n_channels, sizeof *s->illumination);
    for (int c = 0; c < s->n_channels; c++) {
        int w, h;
        const char *path = index_illumination(s->ix, row, c, &s->path);
        if (!*path)
            TRY(fail(E_FAILED, "measure.illumination: file, but the tables name none for channel %s", s->cfg->screen.channels.item[c]));
        TRY(image_file_read(&f, path));
        TRY(npy_decode(&f, &s->illumination[c], &w, &h));
        if (c > 0 && (w != s->illumination_width || h != s->illumination_height))
            TRY(fail(E_FORMAT, "%s: is %d x %d; the other channels' are %d x %d", path, w, h, s->illumination_width,
                     s->illumination_height));
        s->illumination_width = w;
        s->illumination_height = h;
    }
done:
    image_file_free(&f);
    return st;
}

/* ---- files ---- */

static status read_channel(site_reader *s, int64_t row, int c)
{
    status st = OK;
    const char *path = index_path(s->ix, row, c, &s->path);
    int page = index_page(s->ix, row, c);
    if (!*path) TRY(fail(E_FORMAT, "no file is named for this channel"));
    TRY(image_file_read(&s->file[c], path));
    TRY(image_decode(&s->im[c], &s->file[c], page >= 0 ? page : IMAGE_ONLY_PAGE, s->cfg->tile.input_scale));
    const image *im = &s->im[c];
    if (c == 0) {
        s->width_px = im->width_px;
        s->height_px = im->height_px;
    } else if (im->width_px != s->width_px || im->height_px != s->height_px) {
        TRY(fail(E_FORMAT, "%s: is %d x %d pixels; the site's first channel is %d x %d", path, im->width_px, im->height_px, s->width_px,
                 s->height_px));
    }
    if (im->width_px > FIND_MAX_SIDE || im->height_px > FIND_MAX_SIDE)
        TRY(fail(E_FORMAT, "%s: is %d x %d pixels; cells are measured on at most %d along a side", path, im->width_px, im->height_px,
                 FIND_MAX_SIDE));
    s->px[c] = im->px;
    s->unit[c] = im->kind == IMAGE_U8 || im->kind == IMAGE_I8 ? 255 : 65535;
    if (!s->illumination) goto done;
    if (im->width_px != s->illumination_width || im->height_px != s->illumination_height)
        TRY(fail(E_FORMAT, "%s: is %d x %d pixels; its illumination function is %d x %d", path, im->width_px, im->height_px,
                 s->illumination_width, s->illumination_height));
    size_t n = (size_t)s->width_px * (size_t)s->height_px;
    TRY(mem_grow(&s->corrected[c], &s->corrected_cap[c], n, sizeof **s->corrected, "a corrected image"));
    memcpy(s->corrected[c], im->px, n * sizeof **s->corrected);
    tiling_correct(s->corrected[c], s->illumination[c], n);
    s->px[c] = s->corrected[c];
done:
    return st;
}

status site_read(site_reader *s, int64_t row, int *bad_file)
{
    status st = OK;
    for (int c = 0; c < s->n_channels; c++) {
        *bad_file = c;
        TRY(read_channel(s, row, c));
    }
    for (int f = s->n_channels; f < s->n_files; f++) {
        *bad_file = f;
        const char *path = index_path(s->ix, row, f, &s->path);
        if (!*path) TRY(fail(E_FORMAT, "no label image is named for this site"));
        TRY(image_file_read(&s->file[f], path));
    }
done:
    return st;
}

/* ---- cells ---- */

static status take_labels(site_reader *s, int f, objects *to)
{
    status st = OK;
    TRY(image_decode_labels(&s->labels, &s->file[f], IMAGE_ONLY_PAGE));
    if (s->labels.width_px != s->width_px || s->labels.height_px != s->height_px)
        TRY(fail(E_FORMAT, "%s: is %d x %d pixels; the site's images are %d x %d", s->file[f].path, s->labels.width_px, s->labels.height_px,
                 s->width_px, s->height_px));
    TRY(objects_from_labels(to, s->labels.label, s->width_px, s->height_px, &s->number, &s->number_cap));
done:
    return st;
}

status site_find(site_reader *s, int *bad_file)
{
    status st = OK;
    *bad_file = s->nuclei_file >= 0 ? s->nuclei_file : s->nuclei_channel;
    s->nuclei_report = s->cells_report = (find_report){0};
    if (s->nuclei_file >= 0)
        TRY(take_labels(s, s->nuclei_file, &s->nuclei));
    else
        TRY(find_nuclei(s->finder, &s->find, s->px[s->nuclei_channel], s->width_px, s->height_px, s->unit[s->nuclei_channel], &s->nuclei,
                        &s->nuclei_report));
    *bad_file = s->cells_file >= 0 ? s->cells_file : s->cell_channel;
    if (s->cells_file >= 0) {
        TRY(take_labels(s, s->cells_file, &s->cells));
        TRY(mem_grow(&s->scratch, &s->scratch_cap, (size_t)s->nuclei.n + 1, sizeof *s->scratch, "nuclei"));
        TRY(objects_pair(&s->nuclei, &s->cells, s->scratch));
    } else {
        TRY(find_cells(s->finder, &s->find, s->px[s->cell_channel], s->unit[s->cell_channel], &s->nuclei, &s->cells, &s->cells_report));
    }
    TRY(objects_subtract(&s->cytoplasm, &s->cells, &s->nuclei));
done:
    return st;
}

status site_measure(site_reader *s)
{
    status st = OK;
    size_t d = measure_features(s->measure)->n;
    const objects *part[N_PARTS] = {&s->nuclei, &s->cells, &s->cytoplasm};
    TRY(mem_grow(&s->features, &s->features_cap, (size_t)s->cells.n * d, sizeof *s->features, "features of a site's cells"));
    TRY(measure_site(s->measure, part, s->px, s->unit, s->features));
done:
    return st;
}

bool site_counts(const site_reader *s, int32_t cell)
{
    const objects *o = objects_area(&s->nuclei, cell) > 0 ? &s->nuclei : &s->cells;
    return s->cfg->measure.border || !o->border[cell];
}
