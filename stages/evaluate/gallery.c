/* gallery.c -- micon gallery: one picture of a compound's wells, or of named wells, beside controls of their plates. A row per well: its
 * composite and every channel. Rank 0, from finished tiles; the run's profile store decides which wells represent a compound. */
#include "evaluate.h"
#include "pictures.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/stage/plates.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NEAREST = 3, GAP = 6, LINE = PNG_GLYPH_HEIGHT + 4, ROWS_MOST = 200 };

/* A row of the picture. */
typedef struct {
    char *source, *batch, *plate, *well, *what;
} gallery_row;

typedef struct {
    gallery_row *row;
    size_t n, cap;
} gallery;

static void gallery_free(gallery *a)
{
    for (size_t i = 0; i < a->n; i++) {
        char *part[] = {a->row[i].source, a->row[i].batch, a->row[i].plate, a->row[i].well, a->row[i].what};
        for (size_t k = 0; k < sizeof part / sizeof *part; k++) free(part[k]);
    }
    free(a->row);
}

static status add_row(gallery *a, const char *const place[4], const char *what)
{
    status st = OK;
    for (size_t i = 0; i < a->n; i++)
        if (strcmp(a->row[i].source, place[0]) == 0 && strcmp(a->row[i].batch, place[1]) == 0 && strcmp(a->row[i].plate, place[2]) == 0 &&
            strcmp(a->row[i].well, place[3]) == 0)
            return OK;
    if (a->n == ROWS_MOST) TRY(fail(E_USAGE, "a gallery has at most %d wells: name fewer", ROWS_MOST));
    TRY(mem_grow(&a->row, &a->cap, a->n + 1, sizeof *a->row, "wells"));
    a->row[a->n++] = (gallery_row){xstrdup(place[0]), xstrdup(place[1]), xstrdup(place[2]), xstrdup(place[3]), xstrdup(what)};
done:
    return st;
}

/* ---- named wells: PLATE/WELL or SOURCE/BATCH/PLATE/WELL ---- */

static status add_named(gallery *a, const screen_index *ix, const char *name)
{
    status st = OK;
    char well[8], shown[200], *plate = xstrdup(name), *slash = strrchr(plate, '/');
    int64_t p, found = -1, control = -1;
    text_show(shown, sizeof shown, name);
    if (!slash || !text_well(slash + 1, well)) TRY(fail(E_USAGE, "--well %s: write PLATE/WELL, such as P1/B03", shown));
    *slash = '\0';
    TRY(index_find_plate(ix, plate, &p));
    index_plate at = index_plate_at(ix, p);
    for (int64_t i = at.first; i < at.first + at.n; i++) {
        if (found < 0 && strcmp(index_cell(ix, i, INDEX_WELL), well) == 0) found = i;
        if (control < 0 && index_kind(ix, i) == WELL_CONTROL) control = i;
    }
    if (found < 0) TRY(fail(E_USAGE, "--well %s: the plate has no such well", shown));
    const char *what = index_kind(ix, found) == WELL_TREATED ? index_cell(ix, found, INDEX_COMPOUND) : "control";
    TRY(add_row(a, (const char *const[]){at.source, at.batch, at.plate, well}, what));
    if (control >= 0 && strcmp(what, "control") != 0)
        TRY(add_row(a, (const char *const[]){at.source, at.batch, at.plate, index_cell(ix, control, INDEX_WELL)}, "control"));
done:
    free(plate);
    return st;
}

/* ---- a compound: its typical wells, by the run's profiles ---- */

typedef struct {
    frame obs;
    float *x; /* [n,d] corrected, where they are */
    int64_t d;
    int place[4], type;
} profiles;

static void profiles_free(profiles *p)
{
    frame_free(&p->obs);
    free(p->x);
}

static status profiles_open(profiles *p, const config *cfg)
{
    static const char *const column[] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well"};
    status st = OK;
    store_file *f = NULL;
    int n_dims;
    int64_t dims[4];
    char *path = profiles_path(cfg, false);
    TRY(store_open(&f, path, PROFILES_KIND, PROFILES_FORMAT));
    TRY(store_read_frame(f, "obs", &p->obs));
    const char *x = store_has(f, "obsm/X_corrected") ? "obsm/X_corrected" : "X";
    TRY(store_dims(f, x, &n_dims, dims));
    p->d = n_dims == 2 ? dims[1] : 0;
    p->type = frame_col(&p->obs, "Metadata_pert_type");
    bool whole = n_dims == 2 && dims[0] == p->obs.n_rows && p->type >= 0;
    for (int k = 0; k < 4; k++) whole &= (p->place[k] = frame_col(&p->obs, column[k])) >= 0;
    if (!whole) TRY(fail(E_FORMAT, "%s: not a profile store of micon-evaluate", path));
    TRY(mem_alloc(&p->x, (size_t)(dims[0] * dims[1]), sizeof *p->x, "profiles"));
    TRY(store_read_rows(f, x, STORE_F32, 0, dims[0], p->x));
done:
    store_close(&f);
    free(path);
    return st;
}

/* Does a column of the tables hold names? */
static bool is_name(const profiles *p, int c)
{
    return strncmp(p->obs.col[c].name, "Metadata_", 9) == 0 && p->obs.col[c].type <= FRAME_CATEGORY;
}

/* Rows whose compound, or whose name in any column of the tables, is `name`; only those held out of training where there are any. */
static int64_t rows_named(const profiles *p, const char *name, int64_t *row)
{
    int64_t n = 0, held_out = 0;
    int set = frame_col(&p->obs, "Metadata_Set");
    for (int64_t i = 0; i < p->obs.n_rows; i++) {
        bool is = false;
        for (int c = 0; c < p->obs.n_cols && !is; c++) is = is_name(p, c) && strcmp(frame_text(&p->obs, i, c), name) == 0;
        if (is) row[n++] = i;
    }
    for (int64_t i = 0; i < n; i++) held_out += set >= 0 && strcmp(frame_text(&p->obs, row[i], set), split_set_name(SET_TRAIN)) != 0;
    if (held_out == 0) return n;
    held_out = 0;
    for (int64_t i = 0; i < n; i++)
        if (strcmp(frame_text(&p->obs, row[i], set), split_set_name(SET_TRAIN)) != 0) row[held_out++] = row[i];
    return held_out;
}

/* The error for a name that no row has; proposes the nearest. */
static status no_such_compound(const profiles *p, const char *name)
{
    names known = {0};
    char shown[200], near[200];
    for (int c = 0; c < p->obs.n_cols; c++)
        for (int64_t i = 0; i < p->obs.n_rows && is_name(p, c); i++) {
            const char *value = frame_text(&p->obs, i, c);
            if (*value && (known.n == 0 || strcmp(known.item[known.n - 1], value) != 0)) names_add(&known, value);
        }
    const char *meant = names_nearest(name, (const char *const *)known.item, known.n);
    text_show(shown, sizeof shown, name);
    status st = meant ? fail(E_USAGE, "--compound %s: no well of the run's profiles has it; did you mean %s?", shown,
                             text_show(near, sizeof near, meant))
                      : fail(E_USAGE, "--compound %s: no well of the run's profiles has it", shown);
    names_free(&known);
    return st;
}

static bool same_plate(const profiles *p, int64_t a, int64_t b)
{
    for (int k = 0; k < 3; k++)
        if (strcmp(frame_text(&p->obs, a, p->place[k]), frame_text(&p->obs, b, p->place[k])) != 0) return false;
    return true;
}

static status add_profile(gallery *a, const profiles *p, int64_t i, const char *what)
{
    const char *place[4];
    for (int k = 0; k < 4; k++) place[k] = frame_text(&p->obs, i, p->place[k]);
    return add_row(a, place, what);
}

static status add_compound(gallery *a, const config *cfg, const char *name)
{
    status st = OK;
    profiles p = {0};
    int64_t *row = NULL, well[NEAREST + 1], control[2];
    int n, n_control;
    TRY(profiles_open(&p, cfg));
    TRY(mem_alloc(&row, (size_t)p.obs.n_rows, sizeof *row, "wells"));
    int64_t n_rows = rows_named(&p, name, row);
    if (n_rows == 0) TRY(no_such_compound(&p, name));
    TRY(pictures_choose(p.x, p.d, row, n_rows, NEAREST, well, &n));
    for (int k = 0; k < n; k++) {
        TRY(add_profile(a, &p, well[k], k == NEAREST ? "farthest" : name));
        n_rows = 0;
        for (int64_t i = 0; i < p.obs.n_rows; i++)
            if (strcmp(frame_text(&p.obs, i, p.type), "negcon") == 0 && same_plate(&p, i, well[k])) row[n_rows++] = i;
        if (n_rows == 0) continue;
        TRY(pictures_choose(p.x, p.d, row, n_rows, 1, control, &n_control));
        TRY(add_profile(a, &p, control[0], "control"));
    }
done:
    profiles_free(&p);
    free(row);
    return st;
}

/* ---- the picture ---- */

static void draw_head(picture *out, const plate_tiles *p)
{
    int side = p->side_px, bar = side >= 200 ? 50 : side >= 80 ? 20 : 10;
    char scale[40];
    picture_text(out, GAP, GAP, 1, 0xffffff, "all:");
    for (int k = 0, at = GAP + 5 * PNG_GLYPH_WIDTH; k < p->n_channels; k++) {
        uint32_t colour = picture_channel_colour(k, p->n_channels);
        picture_box(out, at, GAP, 7, 7, colour);
        picture_text(out, at + 10, GAP, 1, 0xffffff, p->channels.item[k]);
        at += 10 + (int)(strlen(p->channels.item[k]) + 2) * PNG_GLYPH_WIDTH;
    }
    snprintf(scale, sizeof scale, "%d pixels of a tile", bar);
    picture_box(out, GAP, GAP + LINE, bar, 3, 0xffffff);
    picture_text(out, GAP + bar + 6, GAP + LINE - 2, 1, 0xffffff, scale);
    for (int k = -1; k < p->n_channels; k++)
        picture_text(out, GAP + (k + 1) * (side + GAP), GAP + 2 * LINE, 1, 0xffffff, k < 0 ? "all" : p->channels.item[k]);
}

static int text_width(const char *s)
{
    return (int)strlen(s) * PNG_GLYPH_WIDTH + 2 * GAP;
}

/* Rows are drawn as their plates are read; the first plate decides the picture's size. */
static status draw(const gallery *a, const config *cfg, picture *out)
{
    status st = OK;
    plate_tiles p = {0};
    char label[400];
    int top = GAP + 3 * LINE, side = 0, channels = 0;
    bool found;
    for (size_t i = 0; i < a->n; i++) {
        const gallery_row *r = &a->row[i];
        bool same =
            i > 0 && strcmp(r->source, r[-1].source) == 0 && strcmp(r->batch, r[-1].batch) == 0 && strcmp(r->plate, r[-1].plate) == 0;
        if (!same) TRY(plate_tiles_open(&p, cfg, r->source, r->batch, r->plate));
        snprintf(label, sizeof label, "%.120s  %.120s/%.60s", r->what, r->plate, r->well);
        if (i == 0) {
            side = p.side_px, channels = p.n_channels;
            int width = (channels + 1) * (side + GAP) + GAP, least = text_width(label) > 400 ? text_width(label) : 400;
            TRY(picture_create(out, width > least ? width : least, top + (int)a->n * (side + LINE + GAP)));
            draw_head(out, &p);
        }
        if (p.side_px != side || p.n_channels != channels)
            TRY(fail(E_FAILED, "plate %s: its tiles have another size or other channels", r->plate));
        TRY(plate_tiles_well(&p, r->well, &found));
        int y = top + (int)i * (side + LINE + GAP);
        picture_text(out, GAP, y, 1, strcmp(r->what, "control") == 0 ? 0x9ab8d8 : 0xffffff, label);
        for (int k = -1; found && k < channels; k++) picture_tile(out, &p, k, GAP + (k + 1) * (side + GAP), y + LINE);
        if (!found) picture_text(out, GAP, y + LINE, 1, 0xff6060, "no tile");
    }
done:
    plate_tiles_close(&p);
    return st;
}

status gallery_write(const stage *g, const screen_index *ix, const char *file, const char *compound, const names *wells_named)
{
    status st = OK;
    gallery a = {0};
    picture out = {0};
    for (size_t i = 0; i < wells_named->n; i++) TRY(add_named(&a, ix, wells_named->item[i]));
    if (*compound) TRY(add_compound(&a, &g->cfg, compound));
    TRY(draw(&a, &g->cfg, &out));
    TRY(png_write(file, &out));
    log_info("%s: %zu wells", file, a.n);
done:
    gallery_free(&a);
    picture_free(&out);
    return st;
}
