/* preview.c -- a contact sheet of a finished plate: the first unflagged tile of every well, with the well's name, laid out as on the plate.
 * Rows and columns of the plate without wells are left out. A channel has one stretch over the plate: wells can be compared. */
#include "preview.h"

#include "micon/base/mem.h"
#include "micon/formats/png.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { GAP = 4, LABEL = PNG_GLYPH_HEIGHT + 2, LINE = PNG_GLYPH_HEIGHT + GAP, LEGEND_MOST = 16, WHITE = 0xffffff };

enum { ROWS_MAX = 64, COLUMNS_MAX = 64 }; /* beyond 1,536 wells */

typedef struct {
    int row[ROWS_MAX], column[COLUMNS_MAX]; /* position on the sheet of each row and column of the plate; -1: without wells */
    int rows, columns, thumb_px, top, text; /* of the sheet; side of a well's picture; where the first begins; scale of texts */
} sheet;

static bool place_of(const char *well, int *row, int *column)
{
    return text_well_place(well, row, column) && *row < ROWS_MAX && *column < COLUMNS_MAX;
}

static sheet sheet_for(const frame *obs, int well, bool large)
{
    sheet s = {.rows = 0};
    int row, column;
    for (int i = 0; i < ROWS_MAX; i++) s.row[i] = -1;
    for (int i = 0; i < COLUMNS_MAX; i++) s.column[i] = -1;
    for (int64_t i = 0; i < obs->n_rows; i++)
        if (place_of(frame_text(obs, i, well), &row, &column)) s.row[row] = s.column[column] = 0;
    for (int i = 0; i < ROWS_MAX; i++)
        if (s.row[i] == 0) s.row[i] = s.rows++;
    for (int i = 0; i < COLUMNS_MAX; i++)
        if (s.column[i] == 0) s.column[i] = s.columns++;
    s.text = large ? 2 : 1;
    s.thumb_px = (s.columns <= 6 ? 192 : s.columns <= 12 ? 128 : s.columns <= 24 ? 96 : 48) * s.text;
    return s;
}

/* The tile to show for the well whose rows of obs are [row, end): the first without a flag, else the first. */
static int64_t tile_for_well(const frame *obs, int64_t row, int64_t end, int flag)
{
    for (int64_t i = row; i < end; i++)
        if (obs->col[flag].v.i64[i] == 0) return i;
    return row;
}

/* ---- channels and their colours ---- */

typedef struct {
    int n, channel[LEGEND_MOST];
    uint32_t colour[LEGEND_MOST];
} palette;

static bool colour_of(const char *word, uint32_t *out)
{
    static const struct {
        const char *name;
        uint32_t colour;
    } known[] = {{"blue", 0x0000ff},    {"green", 0x00ff00},  {"red", 0xff0000},    {"cyan", 0x00ffff},
                 {"magenta", 0xff00ff}, {"yellow", 0xffff00}, {"orange", 0xff8000}, {"white", WHITE}};
    char *end;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].name, word) == 0) return *out = known[i].colour, true;
    if (strlen(word) != 6 || strspn(word, "0123456789abcdefABCDEF") != 6) return false;
    *out = (uint32_t)strtoul(word, &end, 16);
    return true;
}

static status add_channel(palette *p, const names *channels, const char *wish, int of)
{
    status st = OK;
    char shown[200], *name = xstrdup(wish), *sign = strrchr(name, '=');
    bool whole = names_find(channels, wish) >= 0; /* a name may have the sign itself */
    text all = {0};
    if (whole) sign = NULL;
    if (sign) *sign = '\0';
    long at = names_find(channels, name);
    for (size_t i = 0; at < 0 && i < channels->n; i++) text_addf(&all, "%s%s", i ? ", " : "", channels->item[i]);
    if (at < 0)
        TRY(fail(E_USAGE, "--channel: the plate has no channel '%s'; it has %s", text_show(shown, sizeof shown, name), text_str(&all)));
    if (p->n == LEGEND_MOST) TRY(fail(E_USAGE, "--channel: at most %d can be drawn over each other", LEGEND_MOST));
    p->channel[p->n] = (int)at;
    p->colour[p->n] = of == 1 ? WHITE : picture_channel_colour(p->n, of);
    if (sign && !colour_of(sign + 1, &p->colour[p->n]))
        TRY(fail(E_USAGE, "--channel %s: a colour is RRGGBB, or blue, green, red, cyan, magenta, yellow, orange, white",
                 text_show(shown, sizeof shown, wish)));
    p->n++;
done:
    text_free(&all);
    free(name);
    return st;
}

static status choose_channels(palette *p, const names *channels, const names *wishes)
{
    enum { USUAL = 3 };
    status st = OK;
    const names *from = wishes->n ? wishes : channels;
    size_t n = !wishes->n && channels->n > USUAL ? USUAL : from->n;
    *p = (palette){0};
    for (size_t i = 0; i < n; i++) TRY(add_channel(p, channels, from->item[i], wishes->n ? (int)n : USUAL));
done:
    return st;
}

/* ---- one tile, and what it takes to shrink it to a thumbnail ---- */
typedef struct {
    int channels, size, thumb_px;
    tiling_plan plan;
    uint8_t *tile;   /* [channels, size, size], as stored */
    uint16_t *wide;  /* [size, size]: one channel */
    uint16_t *small; /* [thumb_px, thumb_px] */
    uint8_t *lines;  /* [thumb_px, thumb_px] PREVIEW_CELL, PREVIEW_NUCLEUS, or 0 */
} thumbnail;

static void thumbnail_free(thumbnail *t)
{
    tiling_plan_free(&t->plan);
    free(t->tile);
    free(t->wide);
    free(t->small);
    free(t->lines);
}

static status thumbnail_init(thumbnail *t, int channels, int size, int thumb_px)
{
    status st = OK;
    size_t n = (size_t)size * (size_t)size, small = (size_t)thumb_px * (size_t)thumb_px;
    *t = (thumbnail){.channels = channels, .size = size, .thumb_px = thumb_px};
    TRY(mem_alloc(&t->tile, (size_t)channels * n, 1, "a tile"));
    TRY(mem_alloc(&t->wide, n, sizeof *t->wide, "a tile"));
    TRY(mem_alloc(&t->small, small, sizeof *t->small, "a tile"));
    TRY(mem_alloc(&t->lines, small, 1, "a tile"));
    TRY(tiling_plan_for(&t->plan, size, size, thumb_px));
done:
    return st;
}

/* The sum of the channels in their colours. Square roots brighten up to three of them: most of a cell is dark. A sum of more square roots
 * would be white everywhere. */
static void draw_thumbnail(picture *p, thumbnail *t, const palette *colours, int x, int y)
{
    size_t n = (size_t)t->size * (size_t)t->size;
    for (int c = 0; c < colours->n; c++) {
        const uint8_t *from = t->tile + (size_t)colours->channel[c] * n;
        for (size_t i = 0; i < n; i++) t->wide[i] = colours->n > 3 ? from[i] : (uint16_t)(sqrt(from[i] / 255.0) * 255 + 0.5);
        tiling_resample(&t->plan, t->wide, t->small);
        for (int j = 0; j < t->thumb_px; j++)
            for (int i = 0; i < t->thumb_px; i++) {
                uint8_t *px = p->rgb + 3 * ((size_t)(y + j) * (size_t)p->width_px + (size_t)(x + i));
                for (int k = 0; k < 3; k++) {
                    int v = px[k] + t->small[j * t->thumb_px + i] * (int)(colours->colour[c] >> (16 - 8 * k) & 255) / 255;
                    px[k] = (uint8_t)(v > 255 ? 255 : v);
                }
            }
    }
}

static void draw_lines(picture *p, const thumbnail *t, int x, int y)
{
    for (int j = 0; j < t->thumb_px; j++)
        for (int i = 0; i < t->thumb_px; i++) {
            uint8_t line = t->lines[j * t->thumb_px + i];
            if (line) picture_box(p, x + i, y + j, 1, 1, preview_line_colour[line]);
        }
}

/* ---- the sheet ---- */

typedef struct {
    sheet s;
    palette colours;
    preview_cells *cells; /* NULL: no outlines */
    preview_scale scale;
} drawing;

static status draw_wells(picture *p, drawing *d, const store_file *f, const frame *obs, const int64_t dims[4])
{
    status st = OK;
    thumbnail t = {0};
    const sheet *s = &d->s;
    int well = frame_col(obs, "Metadata_Well"), flag = frame_col(obs, "QC_Flag");
    TRY(thumbnail_init(&t, (int)dims[1], (int)dims[2], s->thumb_px));
    for (int64_t i = 0, end; i < obs->n_rows; i = end) {
        const char *name = frame_text(obs, i, well);
        int row, column;
        for (end = i; end < obs->n_rows && strcmp(frame_text(obs, end, well), name) == 0;) end++;
        if (!place_of(name, &row, &column)) continue;
        int x = GAP + s->column[column] * (s->thumb_px + GAP), y = s->top + s->row[row] * (s->thumb_px + LABEL * s->text + GAP);
        int64_t shown = tile_for_well(obs, i, end, flag);
        TRY(store_read_rows(f, TILES_DATA, STORE_U8, shown, 1, t.tile));
        draw_thumbnail(p, &t, &d->colours, x, y + LABEL * s->text);
        if (d->cells) {
            TRY(preview_cells_lines(d->cells, obs, shown, s->thumb_px, t.lines));
            draw_lines(p, &t, x, y + LABEL * s->text);
        }
        picture_text(p, x, y, s->text, obs->col[flag].v.i64[shown] ? 0xff6060 : WHITE, name);
    }
done:
    thumbnail_free(&t);
    return st;
}

/* A box of a colour with its name, from x, y on, on the next line where this one is full. */
static void legend_item(picture *p, int scale, int *x, int *y, uint32_t colour, const char *name)
{
    int width = scale * (14 + (int)(strlen(name) + 1) * PNG_GLYPH_WIDTH);
    if (*x > GAP && *x + width > p->width_px) *x = GAP, *y += LINE * scale;
    picture_box(p, *x, *y - scale, 9 * scale, 9 * scale, 0x808080);
    picture_box(p, *x + scale, *y, 7 * scale, 7 * scale, colour);
    picture_text(p, *x + 12 * scale, *y, scale, WHITE, name);
    *x += width;
}

/* The longest of 1, 2, 5, 10, .. that is at most half a picture. */
static void draw_scale(picture *p, const drawing *d, int y)
{
    double px = d->s.thumb_px / d->scale.units, length = 1;
    char words[80];
    while (length * 10 * px <= d->s.thumb_px / 2.0) length *= 10;
    length *= 5 * length * px <= d->s.thumb_px / 2.0 ? 5 : 2 * length * px <= d->s.thumb_px / 2.0 ? 2 : 1;
    int bar = (int)(length * px + 0.5), scale = d->s.text;
    snprintf(words, sizeof words, "%g %s", length, d->scale.unit);
    picture_box(p, GAP, y + 2 * scale, bar > 1 ? bar : 1, 3 * scale, WHITE);
    picture_text(p, GAP + bar + 6, y, scale, WHITE, words);
}

/* Returns the height of the head: what falls outside of p is not drawn. */
static int draw_head(picture *p, const drawing *d, const names *channels, const char *label, bool flags)
{
    int big = 2 * d->s.text, scale = d->s.text, x = GAP, y = GAP + LINE * big;
    if ((int)strlen(label) * PNG_GLYPH_WIDTH * big + 2 * GAP > p->width_px) big = scale;
    picture_text(p, GAP, GAP, big, WHITE, label);
    for (int c = 0; c < d->colours.n; c++) legend_item(p, scale, &x, &y, d->colours.colour[c], channels->item[d->colours.channel[c]]);
    if (d->cells) {
        legend_item(p, scale, &x, &y, preview_line_colour[PREVIEW_CELL], "outlines of cells");
        legend_item(p, scale, &x, &y, preview_line_colour[PREVIEW_NUCLEUS], "of nuclei");
    }
    if (flags) legend_item(p, scale, &x, &y, 0xff6060, "name: quality is flagged");
    draw_scale(p, d, y + LINE * scale + GAP);
    return y + 2 * LINE * scale + 3 * GAP;
}

/* Is a tile that is shown flagged? */
static bool any_flag(const frame *obs)
{
    int well = frame_col(obs, "Metadata_Well"), flag = frame_col(obs, "QC_Flag");
    for (int64_t i = 0, end; i < obs->n_rows; i = end) {
        for (end = i; end < obs->n_rows && strcmp(frame_text(obs, end, well), frame_text(obs, i, well)) == 0;) end++;
        if (obs->col[flag].v.i64[tile_for_well(obs, i, end, flag)]) return true;
    }
    return false;
}

status preview_write(const preview_plate *plate, const preview_options *o)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    names channels = {0};
    picture p = {0};
    preview_cells cells = {0};
    drawing d = {.cells = o->outlines ? &cells : NULL};
    int n_dims;
    int64_t dims[4];
    TRY(store_open(&f, plate->tile_file, TILES_KIND, TILES_FORMAT));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(store_read_texts(f, TILES_CHANNELS, &channels));
    TRY(store_dims(f, TILES_DATA, &n_dims, dims));
    if (n_dims != 4 || frame_col(&obs, "Metadata_Well") < 0 || frame_col(&obs, "QC_Flag") < 0)
        TRY(fail(E_FORMAT, "%s: is not a tile file of micon-tile", plate->tile_file));
    TRY(choose_channels(&d.colours, &channels, &o->channels));
    TRY(preview_cells_open(&cells, plate, o, &d.scale));
    d.s = sheet_for(&obs, frame_col(&obs, "Metadata_Well"), o->outlines);
    int width = GAP + d.s.columns * (d.s.thumb_px + GAP), least = (int)strlen(plate->label) * PNG_GLYPH_WIDTH * d.s.text + 2 * GAP;
    bool flags = any_flag(&obs);
    if (width < least) width = least;
    d.s.top = draw_head(&(picture){.width_px = width}, &d, &channels, plate->label, flags);
    TRY(picture_create(&p, width, d.s.top + d.s.rows * (d.s.thumb_px + LABEL * d.s.text + GAP)));
    draw_head(&p, &d, &channels, plate->label, flags);
    TRY(draw_wells(&p, &d, f, &obs, dims));
    TRY(png_write(o->file, &p));
done:
    preview_cells_close(&cells);
    store_close(&f);
    frame_free(&obs);
    names_free(&channels);
    picture_free(&p);
    return st;
}
