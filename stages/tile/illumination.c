/* illumination.c -- the second and third pass: illumination from the plate's mean, or from CellProfiler's functions; then R becomes v and
 * is counted, and each channel gets the ends of its stretch. An all-zero image stays out of both. */
#include "tile.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/formats/npy.h"

#include <stdlib.h>
#include <string.h>

static size_t square_values(const plate_work *w)
{
    return (size_t)w->mosaic_px * (size_t)w->mosaic_px;
}

/* Of a function. */
static size_t field_values(const plate_work *w)
{
    return (size_t)w->columns * (size_t)w->rows;
}

static bool all_zero(const plate_work *w, int64_t site, int channel)
{
    return w->note[site * w->n_files + channel].all_zero;
}

/* ---- illumination: plate ---- */

static status sum_squares(plate_work *w, int64_t *sum)
{
    status st = OK;
    size_t n = field_values(w);
    for (int64_t i = 0; i < w->n; i++) {
        uint16_t *squares;
        if (w->site_bad[w->first + i]) continue;
        TRY(spool_get(&w->squares, i, &squares));
        for (int c = 0; c < w->n_channels; c++)
            if (!all_zero(w, w->first + i, c))
                tiling_add(sum + (size_t)c * n, w->cells ? cell_tiles_field(w, squares, c) : squares + (size_t)c * n, n);
    }
done:
    return st;
}

static int64_t count_images(const plate_work *w, int channel)
{
    int64_t n = 0;
    for (int64_t s = 0; s < w->plate.n; s++) n += !w->site_bad[s] && !all_zero(w, s, channel);
    return n;
}

/* The function's mean in the middle quarter of the field, as a multiple of that in a rim of an eighth of it. */
static double middle_to_rim(const plate_work *w, const double *f)
{
    double in = 0, out = 0;
    int64_t n_in = 0, n_out = 0;
    for (int y = 0; y < w->rows; y++)
        for (int x = 0; x < w->columns; x++) {
            double v = f[(size_t)y * (size_t)w->columns + (size_t)x];
            int to_side = x < w->columns - 1 - x ? x : w->columns - 1 - x, to_end = y < w->rows - 1 - y ? y : w->rows - 1 - y;
            if (4 * to_side >= w->columns && 4 * to_end >= w->rows) in += v, n_in++;
            if (8 * to_side < w->columns || 8 * to_end < w->rows) out += v, n_out++;
        }
    return n_in && n_out ? in / (double)n_in / (out / (double)n_out) : 1;
}

/* Rank 0: warns where the plate's mean is more than illumination. */
static void say_illumination(const plate_work *w)
{
    enum { FEW_SITES = 5 };
    const double MOST = 2.5; /* microscopes darken towards the corners by a factor of 2 or less */
    static const char advice[] = "set tile.illumination: none, or file with functions made from more images";
    if (w->n_good < FEW_SITES) {
        log_warn("%s: its illumination is learned from %lld site%s: the objects of one leave ghosts in the tiles of all; %s", w->label,
                 (long long)w->n_good, w->n_good == 1 ? "" : "s", advice);
        return;
    }
    for (int c = 0; c < w->n_channels; c++) {
        double ratio = middle_to_rim(w, w->illumination[c]);
        if (ratio > MOST)
            log_warn(
                "%s: channel %s: the mean image is %.1f times as bright in the middle as at its edges, more than illumination makes it. "
                "Where the objects all lie in the middle, %s",
                w->label, w->cfg->screen.channels.item[c], ratio, advice);
    }
}

/* Each rank computes the functions of some channels and sends them to all: exp() may differ between machines. */
static status plate_illumination_all(plate_work *w)
{
    status st = OK;
    int64_t *sum = NULL;
    size_t n = field_values(w), bytes = n * sizeof(double);
    TRY_ALL(w->comm, mem_alloc(&sum, n * (size_t)w->n_channels, sizeof *sum, "sums of squares"));
    TRY_ALL(w->comm, sum_squares(w, sum));
    comm_sum_i64_all(w->comm, sum, n * (size_t)w->n_channels);
    for (int c = 0; c < w->n_channels && st == OK; c++)
        if (c % w->size == w->rank) {
            st = mem_alloc(&w->illumination[c], n, sizeof(double), "illumination");
            if (st == OK) st = tiling_illumination(sum + (size_t)c * n, count_images(w, c), w->columns, w->illumination[c]);
        }
    TRY_ALL(w->comm, st);
    for (int c = 0; c < w->n_channels; c++) {
        char *block = (char *)w->illumination[c];
        st = comm_bcast_all(w->comm, c % w->size, &block, &bytes);
        w->illumination[c] = (double *)(void *)block;
        if (st != OK) goto done;
    }
    if (w->rank == 0) say_illumination(w);
done:
    free(sum);
    return st;
}

/* ---- illumination: file ---- */

/* The one function that the plate's rows name for a channel. */
static status find_function(const plate_work *w, int channel, text *path)
{
    status st = OK;
    text other = {0};
    const char *name = w->cfg->screen.channels.item[channel];
    if (!*index_illumination(w->ix, w->plate.first, channel, path))
        TRY(fail(E_FAILED, "%s: tile.illumination is 'file', but the tables name no function for channel %s (FileName_Illum%s)", w->label,
                 name, name));
    for (int64_t s = 1; s < w->plate.n; s++)
        if (strcmp(index_illumination(w->ix, w->plate.first + s, channel, &other), path->s) != 0)
            TRY(fail(E_FAILED, "%s: two illumination functions for channel %s: %s and %s", w->label, name, path->s, text_str(&other)));
done:
    text_free(&other);
    return st;
}

static status read_function(plate_work *w, int channel)
{
    status st = OK;
    image_file file = {0};
    tiling_plan plan = {0};
    double *values = NULL;
    int width_px, height_px;
    text path = {0};
    int64_t item = channel;
    while (w->note[item].bad) item += w->n_files; /* there is a good site, and its images have the plate's size */
    TRY(find_function(w, channel, &path));
    st = remote_read(w->net, &file, path.s);
    TRY(st == E_IO ? E_FAILED : st); /* fails this plate only */
    w->function_note[channel] = (image_note){.digest = file.digest, .size = (int64_t)file.size, .mtime_ns = file.mtime_ns};
    TRY(npy_decode(&file, &values, &width_px, &height_px));
    if (width_px != w->note[item].width_px || height_px != w->note[item].height_px)
        TRY(fail(E_FORMAT, "%s: is %d x %d; the plate's images are %d x %d", file.path, width_px, height_px, w->note[item].width_px,
                 w->note[item].height_px));
    if (w->cells) {
        w->illumination[channel] = values;
        values = NULL;
        goto done;
    }
    TRY(tiling_plan_for(&plan, width_px, height_px, w->mosaic_px));
    TRY(mem_alloc(&w->illumination[channel], field_values(w), sizeof(double), "illumination"));
    tiling_resample_real(&plan, values, w->illumination[channel]);
done:
    image_file_free(&file);
    tiling_plan_free(&plan);
    free(values);
    text_free(&path);
    return st;
}

/* ---- correction and stretch ---- */

/* The tiles of a site of cells: each channel is corrected by its function at the tile's place. work: [size_px, size_px]. */
static void correct_cells(const plate_work *w, int64_t site, uint16_t *record, double *work, int64_t *histogram)
{
    size_t n = (size_t)w->size_px * (size_t)w->size_px;
    for (int t = 0; t < w->site[site].n_tiles; t++) {
        tiling_window win = cell_tiles_window(w, &w->place[(site - w->first) * w->tiles_per_site + t]);
        for (int c = 0; c < w->n_channels; c++) {
            uint16_t *v = cell_tiles_plane(w, record, t, c);
            if (w->illumination) {
                tiling_field_at(w->illumination[c], w->columns, w->rows, w->width_px, w->height_px, &win, w->size_px, work);
                tiling_correct(v, work, n);
            }
            if (!all_zero(w, site, c)) tiling_count(histogram + (size_t)c * TILING_VALUES, v, n);
        }
    }
}

static void correct_square(const plate_work *w, int64_t site, uint16_t *squares, int64_t *histogram)
{
    size_t n = square_values(w);
    for (int c = 0; c < w->n_channels; c++) {
        uint16_t *v = squares + (size_t)c * n;
        if (w->illumination) tiling_correct(v, w->illumination[c], n);
        if (!all_zero(w, site, c)) tiling_count(histogram + (size_t)c * TILING_VALUES, v, n);
    }
}

static status correct_and_count(plate_work *w, int64_t *histogram)
{
    status st = OK;
    double *work = NULL;
    if (w->cells) TRY(mem_alloc(&work, (size_t)w->size_px * (size_t)w->size_px, sizeof *work, "illumination"));
    for (int64_t i = 0; i < w->n; i++) {
        uint16_t *squares;
        if (w->site_bad[w->first + i]) continue;
        TRY(spool_get(&w->squares, i, &squares));
        if (w->cells)
            correct_cells(w, w->first + i, squares, work, histogram);
        else
            correct_square(w, w->first + i, squares, histogram);
        if (w->illumination) TRY(spool_keep(&w->squares, i));
    }
done:
    free(work);
    return st;
}

static status stretch_all(plate_work *w)
{
    status st = OK;
    int64_t *histogram = NULL;
    size_t n = (size_t)w->n_channels * TILING_VALUES;
    TRY_ALL(w->comm, mem_alloc(&histogram, n, sizeof *histogram, "histograms"));
    TRY_ALL(w->comm, correct_and_count(w, histogram));
    comm_sum_i64_all(w->comm, histogram, n);
    for (int c = 0; c < w->n_channels; c++) {
        w->low[c] = tiling_percentile(histogram + (size_t)c * TILING_VALUES, w->cfg->tile.percentile_low);
        w->high[c] = tiling_percentile(histogram + (size_t)c * TILING_VALUES, w->cfg->tile.percentile_high);
        if (w->low[c] == w->high[c] && w->rank == 0) {
            text t = {0};
            text_addf(&t, "channel %s has no contrast: both ends of its stretch are %d; its tiles are zero",
                      w->cfg->screen.channels.item[c], w->low[c]);
            names_add(&w->warnings, t.s);
            text_free(&t);
        }
    }
done:
    free(histogram);
    return st;
}

status illumination_all(plate_work *w)
{
    status st = OK;
    bool given = w->cfg->tile.illumination == ILLUMINATION_FILE;
    w->columns = !w->cells ? w->mosaic_px : given ? w->width_px : TILING_FIELD;
    w->rows = !w->cells ? w->mosaic_px : given ? w->height_px : TILING_FIELD;
    if (w->cfg->tile.illumination != ILLUMINATION_NONE) w->illumination = xcalloc((size_t)w->n_channels, sizeof *w->illumination);
    if (w->cfg->tile.illumination == ILLUMINATION_PLATE) TRY(plate_illumination_all(w));
    if (given)
        for (int c = 0; c < w->n_channels; c++) TRY_ALL(w->comm, read_function(w, c));
    TRY(stretch_all(w));
done:
    return st;
}
