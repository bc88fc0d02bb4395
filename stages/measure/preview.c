/* preview.c -- outlines of nuclei (magenta) and cells (yellow) on the images of some sites of a plate, spread over its rows, side by
 * side: nuclei's channel blue, cells' grey. */
#include "measure_stage.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/formats/png.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { COLUMNS = 3, ROWS = 2, GAP = 6, TITLE = 16, VALUES = 65536 };

/* The ends of the stretch: values that 1 % and 99.7 % of the pixels are not above. */
static void ends_of(const uint16_t *px, int64_t n, int *low, int *high)
{
    int64_t *count = xcalloc(VALUES, sizeof *count), seen = 0;
    *low = *high = -1;
    for (int64_t i = 0; i < n; i++) count[px[i]]++;
    for (int v = 0; v < VALUES; v++) {
        seen += count[v];
        if (*low < 0 && (double)seen >= 0.01 * (double)n) *low = v;
        if (*high < 0 && (double)seen >= 0.997 * (double)n) *high = v;
    }
    if (*high <= *low) *high = *low + 1;
    free(count);
}

static int shade(int v, int low, int high)
{
    double share = (double)(v - low) / (high - low);
    return (int)(255 * pow(share < 0 ? 0 : share > 1 ? 1 : share, 0.6));
}

static bool outlined(const objects *o, int y, int x)
{
    const int32_t *l = o->label + (int64_t)y * o->width_px + x;
    if (*l == 0) return false;
    return (x > 0 && l[-1] != *l) || (x + 1 < o->width_px && l[1] != *l) || (y > 0 && l[-o->width_px] != *l) ||
           (y + 1 < o->height_px && l[o->width_px] != *l);
}

static void draw_site(picture *p, const site_reader *s, int left, int top)
{
    const uint16_t *dna = s->px[s->found.nuclei_channel >= 0 ? s->found.nuclei_channel : 0],
                   *body = s->px[s->found.cell_channel >= 0 ? s->found.cell_channel : s->n_channels - 1];
    int64_t n = (int64_t)s->width_px * s->height_px;
    int low[2], high[2];
    ends_of(dna, n, &low[0], &high[0]);
    ends_of(body, n, &low[1], &high[1]);
    for (int y = 0; y < s->height_px; y++)
        for (int x = 0; x < s->width_px; x++) {
            int64_t i = (int64_t)y * s->width_px + x;
            int blue = shade(dna[i], low[0], high[0]), grey = shade(body[i], low[1], high[1]) * 6 / 10;
            uint32_t colour = (uint32_t)(grey << 16 | grey << 8 | (blue > grey ? blue : grey));
            if (outlined(&s->found.cells, y, x)) colour = 0xffff00;
            if (outlined(&s->found.nuclei, y, x)) colour = 0xff0066;
            picture_box(p, left + x, top + y, 1, 1, colour);
        }
}

static status draw_sites(const plate_work *w, picture *p)
{
    status st = OK;
    site_reader *s = w->site;
    int shown = w->plate.n < COLUMNS * ROWS ? (int)w->plate.n : COLUMNS * ROWS, bad = 0, width = 0, height = 0;
    char title[300], name[200];
    for (int k = 0; k < shown; k++) {
        int64_t site = w->plate.n * k / shown;
        TRY(site_read(s, w->plate.first + site, &bad));
        TRY(site_find(s, &bad));
        if (k == 0) {
            width = s->width_px;
            height = s->height_px;
            int columns = shown < COLUMNS ? shown : COLUMNS, rows = (shown + COLUMNS - 1) / COLUMNS;
            TRY(picture_create(p, columns * (width + GAP) + GAP, rows * (height + TITLE + GAP) + GAP));
        }
        int left = GAP + k % COLUMNS * (width + GAP), top = GAP + k / COLUMNS * (height + TITLE + GAP);
        index_site_name(w->ix, w->plate.first + site, name, sizeof name);
        snprintf(title, sizeof title, "%s: %d cells", name, s->found.cells.n);
        picture_text(p, left, top, (int)strlen(title) * PNG_GLYPH_WIDTH * 2 <= width ? 2 : 1, 0xffffff, title);
        if (s->width_px == width && s->height_px == height) draw_site(p, s, left, top + TITLE);
        log_info("%s; nuclei above %.4g (%.1f %% of the image), cells above %.4g (%.1f %%)", title, s->found.nuclei_report.threshold,
                 100 * s->found.nuclei_report.foreground, s->found.cells_report.threshold, 100 * s->found.cells_report.foreground);
    }
done:
    return st;
}

status preview_write(const plate_work *w, const char *png)
{
    status st = OK;
    picture p = {0};
    TRY(site_illumination(w->site, w->plate.first));
    TRY(draw_sites(w, &p));
    TRY(png_write(png, &p));
done:
    picture_free(&p);
    return st;
}
