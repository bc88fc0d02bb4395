/* preview.c -- a contact sheet of a finished plate: the first unflagged tile of every well, with the well's name, laid out as on the plate.
 * Rows and columns of the plate without wells are left out. */
#include "tile.h"

#include "micon/base/mem.h"
#include "micon/formats/png.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 4, LABEL = PNG_GLYPH_HEIGHT + 2, TITLE = 2 * PNG_GLYPH_HEIGHT + 2 * GAP, N_COLOURS = 3 };

enum { ROWS_MAX = 64, COLUMNS_MAX = 64 }; /* beyond 1,536 wells */

typedef struct {
    int row[ROWS_MAX], column[COLUMNS_MAX]; /* position on the sheet of each row and column of the plate; -1: without wells */
    int rows, columns, thumb_px;            /* of the sheet; side of a well's picture */
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

/* The tile to show for the well whose rows of obs are [row, end): the first without a flag, else the first. */
static int64_t tile_for_well(const frame *obs, int64_t row, int64_t end, int flag)
{
    for (int64_t i = row; i < end; i++)
        if (obs->col[flag].v.i64[i] == 0) return i;
    return row;
}

/* One tile and what it takes to shrink it to a thumbnail. */
typedef struct {
    int channels, size, thumb_px;
    tiling_plan plan;
    uint8_t *tile;   /* [channels, size, size], as stored */
    uint16_t *wide;  /* [size, size]: one channel */
    uint16_t *small; /* [thumb_px, thumb_px] */
} thumbnail;

static void thumbnail_free(thumbnail *t)
{
    tiling_plan_free(&t->plan);
    free(t->tile);
    free(t->wide);
    free(t->small);
}

static status thumbnail_init(thumbnail *t, int channels, int size, int thumb_px)
{
    status st = OK;
    size_t n = (size_t)size * (size_t)size;
    *t = (thumbnail){.channels = channels, .size = size, .thumb_px = thumb_px};
    TRY(mem_alloc(&t->tile, (size_t)channels * n, 1, "a tile"));
    TRY(mem_alloc(&t->wide, n, sizeof *t->wide, "a tile"));
    TRY(mem_alloc(&t->small, (size_t)thumb_px * (size_t)thumb_px, sizeof *t->small, "a tile"));
    TRY(tiling_plan_for(&t->plan, size, size, thumb_px));
done:
    return st;
}

/* The first three channels become blue, green and red. Square roots brighten them: most of a cell is dark. */
static void draw_thumbnail(picture *p, thumbnail *t, int x, int y)
{
    size_t n = (size_t)t->size * (size_t)t->size;
    for (int c = 0; c < t->channels && c < N_COLOURS; c++) {
        for (size_t i = 0; i < n; i++) t->wide[i] = (uint16_t)(sqrt(t->tile[(size_t)c * n + i] / 255.0) * 255 + 0.5);
        tiling_resample(&t->plan, t->wide, t->small);
        for (int j = 0; j < t->thumb_px; j++)
            for (int i = 0; i < t->thumb_px; i++)
                p->rgb[3 * ((size_t)(y + j) * (size_t)p->width_px + (size_t)(x + i)) + (size_t)(N_COLOURS - 1 - c)] =
                    (uint8_t)t->small[j * t->thumb_px + i];
    }
}

static status draw_wells(picture *p, const sheet *s, const store_file *f, const frame *obs, const int64_t dims[4])
{
    status st = OK;
    thumbnail t = {0};
    int well = frame_col(obs, "Metadata_Well"), flag = frame_col(obs, "QC_Flag");
    TRY(thumbnail_init(&t, (int)dims[1], (int)dims[2], s->thumb_px));
    for (int64_t i = 0, end; i < obs->n_rows; i = end) {
        const char *name = frame_text(obs, i, well);
        int row, column;
        for (end = i; end < obs->n_rows && strcmp(frame_text(obs, end, well), name) == 0;) end++;
        if (!place_of(name, &row, &column)) continue;
        int x = GAP + s->column[column] * (s->thumb_px + GAP), y = TITLE + s->row[row] * (s->thumb_px + LABEL + GAP);
        int64_t shown = tile_for_well(obs, i, end, flag);
        TRY(store_read_rows(f, TILES_DATA, STORE_U8, shown, 1, t.tile));
        draw_thumbnail(p, &t, x, y + LABEL);
        picture_text(p, x, y, 1, obs->col[flag].v.i64[shown] ? 0xff6060 : 0xffffff, name);
    }
done:
    thumbnail_free(&t);
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
