/* counts.c -- how many cells there are and how large they are, a row per well; and warnings where a plate's numbers are odd, with what to
 * change. */
#include "measure_stage.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"

#include <stdlib.h>
#include <string.h>

/* Labels of their own image fit with 0.9 and more; those of another one with about 0.5 (on real images at most 0.63). */
static const double LABELS_FIT = 0.7;

status counts_wells(const plate_work *w, frame *out)
{
    static const char *const whole[] = {"Sites", "Cells", "Border"}, *const real[] = {"Cells_a_site", "Nucleus_px", "Cell_px"};
    status st = OK;
    int well, col[3], px[3];
    TRY(frame_add_col(out, "Metadata_Well", FRAME_TEXT, &well));
    for (int k = 0; k < 3; k++) TRY(frame_add_col(out, whole[k], FRAME_I64, &col[k]));
    for (int k = 0; k < 3; k++) TRY(frame_add_col(out, real[k], FRAME_F64, &px[k]));
    int64_t last = w->plate.first + w->plate.n;
    for (int64_t row = w->plate.first, end; row < last; row = end) {
        int64_t sites = 0, cells = 0, border = 0, sized = 0;
        double nucleus = 0, cell = 0;
        end = index_well_end(w->ix, row);
        for (int64_t i = row - w->plate.first; i < end - w->plate.first; i++) {
            const site_note *n = &w->note[i];
            if (n->bad) continue;
            sites++;
            cells += n->n_cells;
            border += n->n_border;
            if (n->n_cells == 0) continue;
            sized++;
            nucleus += (double)n->nucleus_px;
            cell += (double)n->cell_px;
        }
        int64_t at = out->n_rows;
        TRY(frame_add_rows(out, 1));
        TRY(frame_set_text(out, at, well, index_cell(w->ix, row, INDEX_WELL)));
        out->col[col[0]].v.i64[at] = sites;
        out->col[col[1]].v.i64[at] = cells;
        out->col[col[2]].v.i64[at] = border;
        if (sites > 0) frame_set_real(out, at, px[0], (double)cells / (double)sites);
        if (sized > 0) frame_set_real(out, at, px[1], nucleus / (double)sized);
        if (sized > 0) frame_set_real(out, at, px[2], cell / (double)sized);
    }
done:
    return st;
}

static int by_number(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* The middle of one figure over the good sites. */
typedef double (*figure)(const site_note *n);
static double n_cells(const site_note *n)
{
    return n->n_cells;
}
static double nucleus_px(const site_note *n)
{
    return (double)n->nucleus_px;
}
static double cell_px(const site_note *n)
{
    return (double)n->cell_px;
}

static double middle(const plate_work *w, figure f)
{
    size_t n = 0;
    double *v = xcalloc((size_t)w->plate.n + 1, sizeof *v), m;
    for (int64_t i = 0; i < w->plate.n; i++)
        if (!w->note[i].bad) v[n++] = f(&w->note[i]);
    if (n) qsort(v, n, sizeof *v, by_number);
    m = n ? v[n / 2] : 0;
    free(v);
    return m;
}

/* "12 of 40 sites <what>, the first: A01 site 1; <advice>", where it is more than the share. */
static void warn_sites(plate_work *w, int64_t n, int64_t first, double share, const char *what, const char *advice)
{
    char name[200];
    if (n == 0 || (double)n <= share * (double)w->n_good) return;
    index_site_name(w->ix, w->plate.first + first, name, sizeof name);
    char *line = xasprintf("%lld of %lld sites %s, the first: %s; %s", (long long)n, (long long)w->n_good, what, name, advice);
    names_add(&w->warnings, line);
    free(line);
}

static const image_remark *remark_at(const void *ctx, int64_t site, int channel)
{
    const plate_work *w = ctx;
    return w->note[site].bad ? NULL : &w->remark[site * w->site->n_channels + channel];
}

void counts_warn(plate_work *w)
{
    int64_t empty = 0, full = 0, strange = 0, first_empty = 0, first_full = 0, first_strange = 0;
    double usual = middle(w, n_cells), nucleus = middle(w, nucleus_px);
    bool found = w->site->found.nuclei_file < 0;
    for (int64_t i = 0; i < w->plate.n; i++) {
        const site_note *n = &w->note[i];
        if (n->bad) continue;
        if (n->n_cells == 0 && empty++ == 0) first_empty = i;
        if (found && n->nuclei_foreground > 0.5 && full++ == 0) first_full = i;
        if (n->labels_fit < LABELS_FIT && strange++ == 0) first_strange = i;
    }
    warn_sites(w, empty, first_empty, usual > 0 ? 0.2 : 0, "have no cells",
               found ? "look at --preview: cells.correction below 1 finds more, cells.least and cells.most bound a nucleus's size"
                     : "their label images hold no labels that count (measure.border: yes counts those at the edge too)");
    warn_sites(w, full, first_full, 0.1, "are more than half nuclei",
               "look at --preview: cells.correction above 1 finds less, cells.background and cells.local follow an uneven background");
    warn_sites(w, strange, first_strange, 0, "have label images whose nuclei are hardly brighter than the rest",
               "are they of other sites, or is cells.nuclei_channel another channel?");
    if (found && usual > 0 && nucleus < 1.25 * w->cfg->cells.least)
        names_add(
            &w->warnings,
            "nuclei are hardly larger than cells.least: noise may be counted; cells.smooth above what it is, or cells.correction above 1");
    image_remarks_say(remark_at, w, w->ix, w->plate.first, w->plate.n, &w->cfg->screen.channels, &w->warnings);
    for (size_t i = 0; i < w->warnings.n; i++) log_warn("%s: %s", w->label, w->warnings.item[i]);
    log_info("%s: usually %.0f cells a site, nuclei of %.1f and cells of %.1f pixels", w->label, usual, nucleus, middle(w, cell_px));
}
