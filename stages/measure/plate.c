/* plate.c -- one plate from its rows in the index to its feature files. */
#include "measure_stage.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/stage/plates.h"
#include "micon/stage/rejects.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static status prepare(plate_work *w)
{
    status st = OK;
    size_t d = measure_features(w->site->measure)->n;
    char *output = plate_output(w, false), *folder = path_dir(output);
    w->n_values = 1 + 2 * d;
    TRY(mem_alloc(&w->note, (size_t)w->plate.n, sizeof *w->note, "notes of sites"));
    TRY(mem_alloc(&w->remark, (size_t)(w->plate.n * w->site->n_channels), sizeof *w->remark, "notes of images"));
    TRY(inputs_open(w));
    TRY(row_spool_open(&w->sites, w->n_values * sizeof(float), folder));
    if (w->cfg->measure.cells) TRY(row_spool_open(&w->cells, (d + 2) * sizeof(float), folder));
    TRY(site_illumination(w->site, w->plate.first));
done:
    free(output);
    free(folder);
    return st;
}

/* ---- one site ---- */

static int by_value(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

/* The median diameter of the cells that count. */
static float median_diameter(const site_reader *s, const objects *o, float *work)
{
    size_t n = 0;
    for (int32_t i = 0; i < s->found.cells.n; i++)
        if (site_counts(s, i) && objects_area(o, i) > 0) work[n++] = (float)sqrt(4 * (double)objects_area(o, i) / M_PI);
    if (n == 0) return 0;
    qsort(work, n, sizeof *work, by_value);
    return work[n / 2];
}

/* The row of the site, and the cells' where those are asked for: their number, whether they count, and their features. */
static status keep_site(plate_work *w, site_note *note)
{
    status st = OK;
    site_reader *s = w->site;
    size_t d = measure_features(s->measure)->n, n = 0;
    float *row = NULL, *work = NULL;
    TRY(mem_alloc(&row, w->n_values > d + 2 ? w->n_values : d + 2, sizeof *row, "a row of features"));
    TRY(mem_alloc(&work, (size_t)s->found.cells.n + 1, sizeof *work, "cells"));
    note->nucleus_px = median_diameter(s, &s->found.nuclei, work);
    note->cell_px = median_diameter(s, &s->found.cells, work);
    for (int32_t i = 0; i < s->found.cells.n && w->cfg->measure.cells; i++) {
        int32_t number = site_cells_number(&s->found, i);
        memcpy(row, &number, sizeof number);
        row[1] = site_counts(s, i);
        memcpy(row + 2, s->features + (size_t)i * d, d * sizeof *row);
        TRY(row_spool_add(&w->cells, row, 1));
    }
    for (int32_t i = 0; i < s->found.cells.n; i++) { /* those that count move together */
        if (!site_counts(s, i)) continue;
        if (n != (size_t)i) memmove(s->features + n * d, s->features + (size_t)i * d, d * sizeof *row);
        n++;
    }
    note->n_cells = (int32_t)n;
    note->n_border = s->found.cells.n - (int32_t)n;
    summary_of(s->features, (int64_t)n, d, work, row);
    TRY(row_spool_add(&w->sites, row, 1));
done:
    free(row);
    free(work);
    return st;
}

/* Fails only for what ends the stage; a site that cannot be used is noted, with an empty row. */
static status one_site(plate_work *w, int64_t site)
{
    status st = OK;
    site_reader *s = w->site;
    site_note *note = &w->note[site];
    char message[1000];
    int64_t item = site * s->n_files;
    int bad = 0;
    note->by = 1 + w->g->rank;
    status found = site_read(s, w->plate.first + site, &bad);
    for (int c = 0; found == OK && c < s->n_channels; c++) image_remark_of(&w->remark[site * s->n_channels + c], &s->im[c]);
    if (found == OK) found = site_find(s, &bad);
    inputs_saw(w, site);
    if (found == E_NOMEM || found == E_INTERNAL || found == E_USAGE) return found;
    note->nuclei_threshold = s->found.nuclei_report.threshold;
    note->nuclei_foreground = s->found.nuclei_report.foreground;
    note->cells_threshold = s->found.cells_report.threshold;
    note->cells_foreground = s->found.cells_report.foreground;
    if (found == OK) {
        note->labels_fit = site_labels_fit(s);
        TRY(site_measure(s));
        return keep_site(w, note);
    }
    msg_take(message, sizeof message);
    note->bad = (int32_t)found;
    TRY(rejects_add(&w->bad, item + bad, status_name(found),
                    rejects_without_path(message, index_path(w->ix, w->plate.first + site, bad, &s->path))));
done:
    return st;
}

/* Where a plate's images are behind URLs, one site more is taken than is being measured: its images come meanwhile. */
static status my_sites(plate_work *w)
{
    status st = OK;
    int64_t site, next;
    bool ahead = index_n_remote(w->ix, w->plate.first, w->plate.n, false) > 0, have = false;
    while (have || work_queue_next(w->queue, &next)) {
        site = next;
        if (ahead && !have) TRY(site_ask(w->site, w->plate.first + site));
        have = ahead && work_queue_next(w->queue, &next);
        if (have) TRY(site_ask(w->site, w->plate.first + next));
        TRY(fault("a site"));
        TRY(one_site(w, site));
        progress_add(w->shown, 1);
    }
done:
    if (st != OK) work_queue_stop(w->queue);
    return st;
}

/* ---- the plate ---- */

/* All ranks know all sites; too many bad ones are a failure. */
static status decide_all(plate_work *w)
{
    status st = OK;
    const rejects_of of = {w->ix, w->plate.first, w->site->n_files, w->label, w->cfg->dir};
    _Static_assert(sizeof *w->note % sizeof(int64_t) == 0, "notes are added up as integers: those of other ranks are 0");
    comm_sum_i64_all(w->comm, (int64_t *)(void *)w->note, (size_t)w->plate.n * (sizeof *w->note / sizeof(int64_t)));
    comm_sum_i64_all(w->comm, (int64_t *)(void *)w->remark,
                     (size_t)(w->plate.n * w->site->n_channels) * (sizeof *w->remark / sizeof(int64_t)));
    TRY(inputs_gather_all(w));
    TRY(rejects_gather_all(w->comm, &w->bad));
    TRY_ALL(w->comm, w->g->rank == 0 ? rejects_say(&w->bad, &of, "files") : OK);
    w->n_good = 0;
    w->n_cells = 0;
    for (int64_t i = 0; i < w->plate.n; i++) {
        w->n_good += w->note[i].bad == 0;
        if (w->note[i].bad == 0) w->n_cells += w->note[i].n_cells + w->note[i].n_border;
    }
    int64_t bad = w->plate.n - w->n_good;
    if ((double)bad > w->cfg->tile.max_bad * (double)w->plate.n)
        TRY(fail(E_FAILED, "%s: %lld of %lld sites cannot be used; tile.max_bad allows a share of %g", w->label, (long long)bad,
                 (long long)w->plate.n, w->cfg->tile.max_bad));
done:
    return st;
}

static status make_all(plate_work *w)
{
    status st = OK;
    TRY_ALL(w->comm, w->g->rank == 0 ? plates_look_for_files(w->ix, w->number, w->cfg->measure.illumination == BRIGHTNESS_FILE,
                                                             w->cfg->tile.max_bad, w->label)
                                     : OK);
    TRY_ALL(w->comm, prepare(w));
    TRY(work_queue_open_all(&w->queue, w->comm, w->plate.n));
    progress_say(w->shown, "measuring");
    TRY_ALL(w->comm, my_sites(w));
    TRY(decide_all(w));
    if (w->g->rank == 0) counts_warn(w);
    progress_say(w->shown, "writing");
    TRY(output_all(w));
    if (w->g->rank == 0 && inputs_remember(w) != OK) { /* the next run reads the inputs again: slower, not wrong */
        log_warn("%s", msg_get());
        msg_clear();
    }
done:
    return st;
}

static status make_shown_all(plate_work *w)
{
    char *output = plate_output(w, false), *run = text_encode_name(w->cfg->train.run);
    const char *base = path_base(output);
    char *name = xasprintf("%s/%.*s", run, (int)(strlen(base) - strlen(".h5")), base),
         *file = config_status_file(w->cfg, "measure", name, "json");
    const progress_info info = {.file = file, .stage = "measure", .name = name, .unit = "sites", .total = w->plate.n};
    w->shown = progress_start_all(w->comm, &info);
    status st = make_all(w);
    progress_end_all(&w->shown, st);
    free(file);
    free(output);
    free(run);
    free(name);
    return st;
}

static void plate_free_all(plate_work *w)
{
    work_queue_close_all(&w->queue);
    free(w->note);
    free(w->remark);
    free(w->seen);
    frame_free(&w->bad);
    row_spool_close(&w->sites);
    row_spool_close(&w->cells);
    names_free(&w->warnings);
}

status plate_run_all(stage *g, site_reader *site, const screen_index *ix, const screen_index *own, int64_t number)
{
    status st = OK;
    plate_work w = {.g = g,
                    .comm = g->comm,
                    .cfg = &g->cfg,
                    .ix = ix,
                    .own = own,
                    .number = number,
                    .site = site,
                    .sites = {.fd = -1},
                    .cells = {.fd = -1}};
    bool current = false;
    w.plate = index_plate_at(ix, number);
    snprintf(w.label, sizeof w.label, "%s/%s/%s", w.plate.source, w.plate.batch, w.plate.plate);
    TRY(agree_same_all(g->comm, index_plate_digest(ix, number, INDEX_OF_ALL), "rows of the index"));
    if (!g->force) TRY(inputs_current_all(&w, g->verify, &current));
    if (current) {
        log_info("%s: up to date", w.label);
    } else {
        int64_t cells = 0;
        TRY(make_shown_all(&w));
        for (int64_t i = 0; i < w.plate.n; i++) cells += w.note[i].bad == 0 ? w.note[i].n_cells : 0;
        log_info("%s: %lld of %lld sites, %lld cells", w.label, (long long)w.n_good, (long long)w.plate.n, (long long)cells);
    }
done:
    plate_free_all(&w);
    return st;
}
