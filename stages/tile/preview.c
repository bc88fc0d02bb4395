/* preview.c -- a contact sheet of a finished plate: every well where it stands on the plate (rows and
 * columns without wells left out), its first unflagged tile, named. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/formats/png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 4, LABEL = PNG_GLYPH_HEIGHT + 2, TITLE = 2 * PNG_GLYPH_HEIGHT + 2 * GAP, N_COLOURS = 3 };

enum { ROWS_MAX = 64, COLUMNS_MAX = 64 }; /* beyond 1,536 wells */

typedef struct {
    int row[ROWS_MAX], column[COLUMNS_MAX]; /* where a row or column of the plate stands; -1: it has no wells and is left out */
    int rows, columns, thumb_px;            /* on the sheet; side of a well's picture */
} sheet;

static bool place_of(const char *well, int *row, int *column)
{
    return text_well_place(well, row, column) && *row < ROWS_MAX && *column < COLUMNS_MAX;
}

static sheet sheet_for(const frame *obs, int well)
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
    s.thumb_px = s.columns <= 6 ? 192 : s.columns <= 12 ? 128 : s.columns <= 24 ? 96 : 48;
    return s;
}

/* The tile that stands for the well of obs row `row`: of its rows, the first without a flag, else the first. */
static int64_t tile_for_well(const frame *obs, int64_t row, int64_t end, int flag)
{
    for (int64_t i = row; i < end; i++)
        if (obs->col[flag].v.i64[i] == 0) return i;
    return row;
}

/* tile [channels, size, size] of uint8; the first three channels become blue, green, red, their square roots: most of a cell is dark. */
static void draw_tile(picture *p, tiling_plan *plan, const uint8_t *tile, int channels, int size, int x, int y, int thumb_px,
                      uint16_t *wide, uint16_t *small)
{
    size_t n = (size_t)size * (size_t)size;
    for (int c = 0; c < channels && c < N_COLOURS; c++) {
        for (size_t i = 0; i < n; i++) wide[i] = (uint16_t)(sqrt(tile[(size_t)c * n + i] / 255.0) * 255 + 0.5);
        tiling_resample(plan, wide, small);
        for (int j = 0; j < thumb_px; j++)
            for (int i = 0; i < thumb_px; i++)
                p->rgb[3 * ((size_t)(y + j) * (size_t)p->width_px + (size_t)(x + i)) + (size_t)(N_COLOURS - 1 - c)] =
                    (uint8_t)small[j * thumb_px + i];
    }
}

static status draw_wells(picture *p, const sheet *s, const store_file *f, const frame *obs, const int64_t dims[4])
{
    status st = OK;
    tiling_plan plan = {0};
    uint8_t *tile = NULL;
    uint16_t *wide = NULL, *small = NULL;
    int well = frame_col(obs, "Metadata_Well"), flag = frame_col(obs, "QC_Flag"), size = (int)dims[2];
    size_t n = (size_t)size * (size_t)size;
    TRY(mem_alloc(&tile, (size_t)dims[1] * n, 1, "a tile"));
    TRY(mem_alloc(&wide, n, sizeof *wide, "a tile"));
    TRY(mem_alloc(&small, (size_t)s->thumb_px * (size_t)s->thumb_px, sizeof *small, "a tile"));
    TRY(tiling_plan_for(&plan, size, size, s->thumb_px));
    for (int64_t i = 0, end; i < obs->n_rows; i = end) {
        const char *name = frame_text(obs, i, well);
        int row, column;
        for (end = i; end < obs->n_rows && strcmp(frame_text(obs, end, well), name) == 0;) end++;
        if (!place_of(name, &row, &column)) continue;
        int x = GAP + s->column[column] * (s->thumb_px + GAP), y = TITLE + s->row[row] * (s->thumb_px + LABEL + GAP);
        int64_t shown = tile_for_well(obs, i, end, flag);
        TRY(store_read_rows(f, TILES_DATA, STORE_U8, shown, 1, tile));
        draw_tile(p, &plan, tile, (int)dims[1], size, x, y + LABEL, s->thumb_px, wide, small);
        picture_text(p, x, y, 1, obs->col[flag].v.i64[shown] ? 0xff6060 : 0xffffff, name);
    }
done:
    tiling_plan_free(&plan);
    free(tile);
    free(wide);
    free(small);
    return st;
}

static void draw_title(picture *p, const names *channels, const char *label)
{
    static const char *const colours[N_COLOURS] = {"blue", "green", "red"};
    text t = {0};
    text_addf(&t, "%s:", label);
    for (size_t c = 0; c < channels->n && c < N_COLOURS; c++) text_addf(&t, " %s %s", channels->item[c], colours[c]);
    int scale = (int)t.n * PNG_GLYPH_WIDTH * 2 + 2 * GAP <= p->width_px ? 2 : 1;
    picture_text(p, GAP, GAP, scale, 0xffffff, t.s);
    text_free(&t);
}

status preview_write(const char *tile_file, const char *label, const char *png)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    names channels = {0};
    picture p = {0};
    int n_dims;
    int64_t dims[4];
    TRY(store_open(&f, tile_file, TILES_KIND, TILES_FORMAT));
    TRY(store_read_frame(f, "obs", &obs));
    TRY(store_read_texts(f, TILES_CHANNELS, &channels));
    TRY(store_dims(f, TILES_DATA, &n_dims, dims));
    if (n_dims != 4 || frame_col(&obs, "Metadata_Well") < 0 || frame_col(&obs, "QC_Flag") < 0)
        TRY(fail(E_FORMAT, "%s: is not a tile file of micon-tile", tile_file));
    sheet s = sheet_for(&obs, frame_col(&obs, "Metadata_Well"));
    TRY(picture_create(&p, GAP + s.columns * (s.thumb_px + GAP), TITLE + s.rows * (s.thumb_px + LABEL + GAP)));
    draw_title(&p, &channels, label);
    TRY(draw_wells(&p, &s, f, &obs, dims));
    TRY(png_write(png, &p));
done:
    store_close(&f);
    frame_free(&obs);
    names_free(&channels);
    picture_free(&p);
    return st;
}
