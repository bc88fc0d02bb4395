/* report_images.c -- pictures of wells for the cards: of each of the most active treatments three wells nearest its consensus and the
 * farthest one, and a control of each of their plates. A picture is grey, a well's channels side by side; the page colours them. */
#include "pictures.h"
#include "report_data.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TREATMENTS_MOST = 100, NEAREST = 3, SHOWN = NEAREST + 1 };

typedef struct {
    int32_t label;
    int n;
    int64_t well[SHOWN];
} pictured;

typedef struct {
    const config *cfg;
    const wells *w;
    const transformed *c;
    const char *folder;
    pictured *of; /* [n] */
    int n;
    int64_t *control; /* [n_plate] the control that represents the plate's, or -1 */
    uint8_t *wanted;  /* [wells] */
    char **name;      /* [wells] of the picture: a file's name, or a data: URL */
    names channels;
    int side_px;
} images;

static void images_free(images *m)
{
    for (int64_t i = 0; m->name && i < m->w->n; i++) free(m->name[i]);
    free(m->name);
    free(m->of);
    free(m->control);
    free(m->wanted);
    names_free(&m->channels);
}

/* Rows of the wells that `code` gives the number `k`, among those of `use`; returns how many. */
static int64_t rows_of(const wells *w, const int32_t *code, int32_t k, const uint8_t *use, int64_t *row)
{
    int64_t n = 0;
    for (int64_t i = 0; i < w->n; i++)
        if (use[i] && code[i] == k) row[n++] = i;
    return n;
}

/* The most active treatments, their wells, and a control of each plate of these: the one nearest the median of the plate's. */
static status choose(images *m, const results *r)
{
    status st = OK;
    const wells *w = m->w;
    int32_t *label = NULL;
    int64_t *row = NULL, d = m->c->d_final;
    int n = 0;
    TRY(results_most_active(r, w->n_label, &label));
    TRY(mem_alloc(&row, (size_t)w->n, sizeof *row, "wells"));
    for (int32_t k = 0; k < w->n_label && m->n < TREATMENTS_MOST; k++) {
        pictured *p = &m->of[m->n];
        int64_t rows = rows_of(w, w->label, label[k], w->evaluated, row);
        if (rows == 0) continue;
        p->label = label[k];
        TRY(pictures_choose(m->c->final, d, row, rows, NEAREST, p->well, &p->n));
        for (int i = 0; i < p->n; i++) m->wanted[p->well[i]] = 1;
        m->n++;
    }
    for (int32_t p = 0; p < w->n_plate; p++) m->control[p] = -1;
    for (int k = 0; k < m->n; k++)
        for (int i = 0; i < m->of[k].n; i++) {
            int32_t plate = w->plate[m->of[k].well[i]];
            int64_t found[2], rows = m->control[plate] >= 0 ? 0 : rows_of(w, w->plate, plate, w->control, row);
            if (rows == 0) continue;
            TRY(pictures_choose(m->c->final, d, row, rows, 1, found, &n));
            m->control[plate] = found[0];
            m->wanted[found[0]] = 1;
        }
done:
    free(label);
    free(row);
    return st;
}

/* The picture of well i, whose tile p holds: written to its file, or kept as a data: URL. */
static status keep(images *m, const plate_tiles *p, int64_t i, const char *const place[4])
{
    status st = OK;
    size_t side = (size_t)p->side_px, row = side * (size_t)p->n_channels;
    uint8_t *strip = NULL;
    text png = {0}, name = {0};
    char *path = NULL;
    TRY(mem_alloc(&strip, row * side, 1, "a picture"));
    for (size_t k = 0; k < (size_t)p->n_channels; k++)
        for (size_t y = 0; y < side; y++) memcpy(strip + y * row + k * side, p->tile + (k * side + y) * side, side);
    TRY(png_grey(&png, (int)row, p->side_px, strip));
    if (m->cfg->evaluate.images == IMAGES_EMBED) {
        text_add(&name, "data:image/png;base64,");
        pack_bytes(&name, png.s, png.n);
    } else {
        for (int k = 0; k < 4; k++) {
            char *part = text_encode_name(place[k]);
            text_addf(&name, k ? "__%s" : "%s", part);
            free(part);
        }
        text_add(&name, ".png");
        path = path_join(m->folder, text_str(&name));
        TRY(path_make_dirs(m->folder));
        TRY(path_write(path, png.s, png.n));
    }
    m->name[i] = xstrdup(text_str(&name));
done:
    free(strip);
    free(path);
    text_free(&png);
    text_free(&name);
    return st;
}

/* The wanted wells among rows [first, end), which are of one plate. A plate without tiles, or with damaged ones, has no pictures. */
static status draw_plate(images *m, int64_t first, int64_t end)
{
    static const char *const column[] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"};
    status st = OK;
    plate_tiles p = {0};
    const char *place[4];
    bool found, any = false;
    for (int64_t i = first; i < end; i++) any |= m->wanted[i];
    if (!any) return OK;
    for (int k = 0; k < 3; k++) place[k] = frame_text(&m->w->obs, first, frame_col(&m->w->obs, column[k]));
    TRY(plate_tiles_open(&p, m->cfg, place[0], place[1], place[2]));
    if (m->side_px == 0) {
        m->side_px = p.side_px;
        for (size_t k = 0; k < p.channels.n; k++) names_add(&m->channels, p.channels.item[k]);
    }
    if (p.side_px != m->side_px || p.channels.n != m->channels.n)
        TRY(fail(E_FORMAT, "plate %s: its tiles have other channels, or another size, than those of other plates", place[2]));
    for (int64_t i = first; i < end; i++) {
        if (!m->wanted[i]) continue;
        place[3] = frame_text(&m->w->obs, i, frame_col(&m->w->obs, column[3]));
        TRY(plate_tiles_well(&p, place[3], &found));
        if (found) TRY(keep(m, &p, i, place));
    }
done:
    plate_tiles_close(&p);
    if (st == E_NOMEM || st == E_IO) return st;
    if (st == E_FORMAT) log_warn("the report has no pictures of a plate: %s", msg_get());
    msg_clear();
    return OK;
}

/* Remove pictures of an earlier report that this one does not show. */
static status sweep(const images *m)
{
    status st = OK;
    names there = {0}, made = {0};
    for (int64_t i = 0; i < m->w->n; i++)
        if (m->name[i] && m->cfg->evaluate.images == IMAGES_FOLDER) names_add(&made, m->name[i]);
    if (path_is_dir(m->folder)) TRY(path_glob(&there, m->folder, "*__*__*__*.png"));
    for (size_t i = 0; i < there.n; i++)
        if (names_find(&made, path_base(there.item[i])) < 0) unlink(there.item[i]);
    if (made.n == 0) rmdir(m->folder);
done:
    names_free(&there);
    names_free(&made);
    return st;
}

static void show(const images *m, text *t)
{
    bool first = true;
    text_addf(t, ",\n\"images\":{\"folder\":\"%s\",\"side\":%d,\"channels\":[", m->cfg->evaluate.images == IMAGES_FOLDER ? "report/" : "",
              m->side_px);
    for (size_t k = 0; k < m->channels.n; k++) {
        text_add(t, k ? ",[" : "[");
        text_add_json(t, m->channels.item[k]);
        text_addf(t, ",\"#%06x\"]", (unsigned)picture_channel_colour((int)k, (int)m->channels.n));
    }
    text_add(t, "],\"wells\":{");
    for (int64_t i = 0; i < m->w->n; i++) {
        if (!m->name[i]) continue;
        text_addf(t, first ? "\"%lld\":" : ",\n\"%lld\":", (long long)i);
        text_add_json(t, m->name[i]);
        first = false;
    }
    text_add(t, "},\"of\":{");
    for (int k = 0; k < m->n; k++) {
        text_addf(t, k ? ",\"%d\":[" : "\"%d\":[", m->of[k].label);
        for (int i = 0; i < m->of[k].n; i++) {
            int64_t well = m->of[k].well[i];
            text_addf(t, i ? ",[%lld,%lld]" : "[%lld,%lld]", (long long)well, (long long)m->control[m->w->plate[well]]);
        }
        text_add(t, "]");
    }
    text_add(t, "}}");
}

status report_images(text *t, const config *cfg, const char *folder, const wells *w, const transformed *c, const results *r)
{
    status st = OK;
    images m = {.cfg = cfg, .w = w, .c = c, .folder = folder};
    TRY(mem_alloc(&m.of, TREATMENTS_MOST, sizeof *m.of, "pictures"));
    TRY(mem_alloc(&m.control, (size_t)w->n_plate, sizeof *m.control, "plates"));
    TRY(mem_alloc(&m.wanted, (size_t)w->n, 1, "wells"));
    TRY(mem_alloc(&m.name, (size_t)w->n, sizeof *m.name, "wells"));
    if (cfg->evaluate.images != IMAGES_NO) {
        TRY(choose(&m, r));
        for (int64_t i = 0, end; i < w->n; i = end) {
            for (end = i; end < w->n && w->plate[end] == w->plate[i];) end++;
            TRY(draw_plate(&m, i, end));
        }
        if (m.side_px > 0) show(&m, t);
    }
    TRY(sweep(&m));
done:
    images_free(&m);
    return st;
}
