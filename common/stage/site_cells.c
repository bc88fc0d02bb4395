/* site_cells.c -- the cells of a site: found in its images, or taken from label images. */
#include "micon/stage/site_cells.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"

#include <stdlib.h>

_Static_assert((int)CELL_OTSU == FIND_OTSU && (int)CELL_OTSU3 == FIND_OTSU3 && (int)CELL_CROSS_ENTROPY == FIND_CROSS_ENTROPY, "one order");
_Static_assert((int)CELL_SPLIT_DISTANCE == FIND_SPLIT_DISTANCE && (int)CELL_SPLIT_INTENSITY == FIND_SPLIT_INTENSITY &&
                   (int)CELL_SPLIT_NONE == FIND_SPLIT_NONE,
               "one order");
_Static_assert((int)CELL_GROW_PROPAGATION == FIND_GROW_PROPAGATION && (int)CELL_GROW_DISTANCE == FIND_GROW_DISTANCE, "one order");

/* ---- the index with label images; it is not the screen's cached one ---- */

static status index_with_labels(const config *c, screen_index **ix)
{
    names files = {0};
    index_options o = index_options_of(c);
    char *work = config_work(c, ""), *cache = config_work(c, ".masks.index");
    if (path_make_dirs(work) != OK) msg_clear(); /* then it is not cached, with a warning */
    for (size_t i = 0; i < c->screen.channels.n; i++) names_add(&files, c->screen.channels.item[i]);
    if (*c->cells.nuclei_masks) names_add(&files, c->cells.nuclei_masks);
    if (*c->cells.cell_masks) names_add(&files, c->cells.cell_masks);
    o.channels = &files;
    status st = index_open(ix, &o, cache);
    names_free(&files);
    free(cache);
    free(work);
    return st;
}

status site_cells_index_all(stage *g, const screen_index *own, screen_index **all)
{
    status st = OK;
    if (!*g->cfg.cells.nuclei_masks && !*g->cfg.cells.cell_masks) return OK;
    for (int turn = 0; turn < 2; turn++) TRY_ALL(g->comm, (g->rank == 0) == (turn == 0) ? index_with_labels(&g->cfg, all) : OK);
    TRY_ALL(g->comm, findings_verdict(index_findings(*all)));
    if (index_n_rows(*all) != index_n_rows(own))
        TRY(fail(E_FAILED, "the tables name label images for other sites than images: %lld and %lld of them", (long long)index_n_rows(*all),
                 (long long)index_n_rows(own)));
done:
    return st;
}

/* ---- options ---- */

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

static status choose_files(site_cells *s, const config *cfg)
{
    status st = OK;
    const cells_options *o = &cfg->cells;
    s->n_files = s->n_channels;
    s->nuclei_file = s->cells_file = s->nuclei_channel = s->cell_channel = -1;
    if (*o->nuclei_masks)
        s->nuclei_file = s->n_files++;
    else
        TRY(find_channel(cfg, "nuclei_channel", o->nuclei_channel, &s->nuclei_channel));
    if (*o->cell_masks)
        s->cells_file = s->n_files++;
    else if (o->grow == FIND_GROW_PROPAGATION && s->grow)
        TRY(find_channel(cfg, "cell_channel", o->cell_channel, &s->cell_channel));
    else
        s->cell_channel = 0; /* its values are not looked at */
done:
    return st;
}

status site_cells_open(site_cells *s, const config *cfg, bool grow)
{
    status st = OK;
    *s = (site_cells){.grow = grow, .n_channels = (int)cfg->screen.channels.n, .find = options_of(&cfg->cells)};
    if (cfg->cells.least > cfg->cells.most)
        TRY(fail(E_USAGE, "cells.least (%g) is above cells.most (%g)", cfg->cells.least, cfg->cells.most));
    TRY(choose_files(s, cfg));
    TRY(finder_create(&s->finder));
done:
    return st;
}

void site_cells_close(site_cells *s)
{
    image_labels_free(&s->labels);
    finder_free(&s->finder);
    objects_free(&s->nuclei);
    objects_free(&s->cells);
    free(s->number);
    free(s->scratch);
    *s = (site_cells){0};
}

/* ---- a site ---- */

static status take_labels(site_cells *s, const image_file *f, int width_px, int height_px, objects *to)
{
    status st = OK;
    TRY(image_decode_labels(&s->labels, f, IMAGE_ONLY_PAGE));
    if (s->labels.width_px != width_px || s->labels.height_px != height_px)
        TRY(fail(E_FORMAT, "%s: is %d x %d pixels; the site's images are %d x %d", f->path, s->labels.width_px, s->labels.height_px,
                 width_px, height_px));
    TRY(objects_from_labels(to, s->labels.label, width_px, height_px, &s->number, &s->number_cap));
done:
    return st;
}

status site_cells_find(site_cells *s, const uint16_t *const *px, const double *unit, int width_px, int height_px, const image_file *file,
                       int *bad_file)
{
    status st = OK;
    *bad_file = s->nuclei_file >= 0 ? s->nuclei_file : s->nuclei_channel;
    s->nuclei_report = s->cells_report = (find_report){0};
    if (s->nuclei_file >= 0)
        TRY(take_labels(s, &file[s->nuclei_file], width_px, height_px, &s->nuclei));
    else
        TRY(find_nuclei(s->finder, &s->find, px[s->nuclei_channel], width_px, height_px, unit[s->nuclei_channel], &s->nuclei,
                        &s->nuclei_report));
    *bad_file = s->cells_file >= 0 ? s->cells_file : s->cell_channel;
    if (s->cells_file >= 0) {
        TRY(take_labels(s, &file[s->cells_file], width_px, height_px, &s->cells));
        TRY(mem_grow(&s->scratch, &s->scratch_cap, (size_t)s->nuclei.n + 1, sizeof *s->scratch, "nuclei"));
        TRY(objects_pair(&s->nuclei, &s->cells, s->scratch));
    } else if (s->grow) {
        TRY(find_cells(s->finder, &s->find, px[s->cell_channel], unit[s->cell_channel], &s->nuclei, &s->cells, &s->cells_report));
    }
done:
    return st;
}

double site_cells_unit(image_kind kind)
{
    return kind == IMAGE_U8 || kind == IMAGE_I8 ? 255 : 65535;
}

int32_t site_cells_count(const site_cells *s)
{
    return s->nuclei.n;
}

int32_t site_cells_number(const site_cells *s, int32_t cell)
{
    return s->cells_file >= 0 || s->nuclei_file >= 0 ? s->number[cell] : cell + 1;
}
