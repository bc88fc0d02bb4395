/* site.c -- one site: its files read, its cells found or taken from label images, its features. */
#include "measure_stage.h"

#include "micon/base/mem.h"
#include "micon/formats/npy.h"
#include "micon/tiling/tiling.h"

#include <stdlib.h>
#include <string.h>

status site_open(site_reader *s, const config *cfg, const screen_index *ix, bool fresh)
{
    status st = OK;
    size_t n = cfg->screen.channels.n;
    *s = (site_reader){.cfg = cfg, .ix = ix, .n_channels = (int)n};
    s->source.net = s->net = remote_open_for(cfg, fresh);
    TRY(site_cells_open(&s->found, cfg, true));
    s->n_files = s->found.n_files;
    s->file = xcalloc((size_t)s->n_files, sizeof *s->file);
    s->im = xcalloc(n, sizeof *s->im);
    s->seen = xcalloc((size_t)s->n_files, sizeof *s->seen);
    s->corrected = xcalloc(n, sizeof *s->corrected);
    s->corrected_cap = xcalloc(n, sizeof *s->corrected_cap);
    s->px = xcalloc(n, sizeof *s->px);
    s->unit = xcalloc(n, sizeof *s->unit);
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
    free(s->features);
    site_cells_close(&s->found);
    measure_free(&s->measure);
    objects_free(&s->cytoplasm);
    site_image_free(&s->source);
    free(s->seen);
    free(s->plane_seen);
    text_free(&s->path);
    remote_close(&s->net);
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
        TRY(remote_read(s->net, &f, path));
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
    int64_t before, first, n_planes = index_planes(s->ix, row, c, &first);
    index_planes_of_rows(s->ix, row, 1, &before);
    st = site_image_read(&s->source, s->ix, s->cfg, row, c, site_image_file(s->ix, row, c, s->file), &s->im[c], &s->seen[c]);
    if (n_planes > 0 && st != E_NOMEM) memcpy(s->plane_seen + (first - before), s->source.plane, (size_t)n_planes * sizeof *s->plane_seen);
    TRY(st);
    const char *path = index_path(s->ix, row, c, &s->path);
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
    s->unit[c] = site_cells_unit(im->kind);
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

status site_ask(site_reader *s, int64_t row)
{
    status st = OK;
    for (int f = 0; f < s->n_files; f++) TRY(site_image_ask(&s->source, s->ix, row, f));
done:
    return st;
}

status site_read(site_reader *s, int64_t row, int *bad_file)
{
    status st = OK;
    int64_t first, n = index_planes_of_rows(s->ix, row, 1, &first);
    TRY(mem_grow(&s->plane_seen, &s->planes_cap, (size_t)n, sizeof *s->plane_seen, "planes"));
    for (int64_t k = 0; k < n; k++) s->plane_seen[k].size = -2;
    for (int f = 0; f < s->n_files; f++) s->seen[f].size = -2;
    for (int c = 0; c < s->n_channels; c++) {
        *bad_file = c;
        TRY(read_channel(s, row, c));
    }
    for (int f = s->n_channels; f < s->n_files; f++) {
        *bad_file = f;
        TRY(site_image_bytes(&s->source, s->ix, row, f, &s->file[f], &s->seen[f]));
    }
done:
    return st;
}

/* ---- cells ---- */

status site_find(site_reader *s, int *bad_file)
{
    status st = OK;
    TRY(site_cells_find(&s->found, s->px, s->unit, s->width_px, s->height_px, s->file, bad_file));
    TRY(objects_subtract(&s->cytoplasm, &s->found.cells, &s->found.nuclei));
done:
    return st;
}

status site_measure(site_reader *s)
{
    status st = OK;
    size_t d = measure_features(s->measure)->n;
    const objects *part[N_PARTS] = {&s->found.nuclei, &s->found.cells, &s->cytoplasm};
    TRY(mem_grow(&s->features, &s->features_cap, (size_t)s->found.cells.n * d, sizeof *s->features, "features of a site's cells"));
    TRY(measure_site(s->measure, part, s->px, s->unit, s->features));
done:
    return st;
}

double site_labels_fit(const site_reader *s)
{
    enum { VALUES = 65536 };
    const objects *o = &s->found.nuclei;
    long channel = names_find(&s->cfg->screen.channels, s->cfg->cells.nuclei_channel);
    int64_t n[2] = {0, 0}, pixels = (int64_t)s->width_px * s->height_px;
    double below = 0, brighter = 0;
    if (s->found.nuclei_file < 0 || channel < 0) return 1;
    int64_t *count = xcalloc(2 * VALUES, sizeof *count);
    for (int64_t i = 0; i < pixels; i++) {
        int labelled = o->label[i] != 0;
        count[labelled * VALUES + s->px[channel][i]]++;
        n[labelled]++;
    }
    for (int v = 0; v < VALUES; v++) { /* equal ones count half */
        double outside = (double)count[v];
        brighter += (double)count[VALUES + v] * (below + outside / 2);
        below += outside;
    }
    free(count);
    return n[0] > 0 && n[1] > 0 ? brighter / ((double)n[0] * (double)n[1]) : 1;
}

bool site_counts(const site_reader *s, int32_t cell)
{
    const objects *o = objects_area(&s->found.nuclei, cell) > 0 ? &s->found.nuclei : &s->found.cells;
    return s->cfg->measure.border || !o->border[cell];
}
