/* tile_show.c -- what a tile file says, as text: the ends of the stretch, quality and a CRC-32 of every tile, the rejects.
 * tests/ref/tile_ref.py prints the same from METHOD alone.   tile_show FILE.h5 */
#include "micon/config/file_formats.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

static void die(void)
{
    fprintf(stderr, "tile_show: %s\n", msg_get());
    exit(1);
}

static int need(const frame *f, const char *name)
{
    int col = frame_col(f, name);
    if (col >= 0) return col;
    fprintf(stderr, "tile_show: no column %s\n", name);
    exit(1);
}

static void show_ends(const store_file *f, const char *name, int64_t n)
{
    int64_t *v = calloc((size_t)n, sizeof *v);
    char path[40];
    snprintf(path, sizeof path, "uns/%s", name);
    if (!v || store_read_rows(f, path, STORE_I64, 0, n, v) != OK) die();
    printf("%s", name);
    for (int64_t c = 0; c < n; c++) printf(" %lld", (long long)v[c]);
    printf("\n");
    free(v);
}

static void show_channel(const frame *obs, int64_t row, const char *channel, const uint8_t *tile, size_t size)
{
    static const char *const measures[][2] = {
        {"mean", "Mean"}, {"sd", "SD"}, {"zeros", "Zeros"}, {"focus", "Focus"}, {"saturated", "Saturated"}};
    printf("  %s %08lx", channel, crc32(0, tile, (uInt)size));
    for (size_t k = 0; k < sizeof measures / sizeof *measures; k++) {
        char col[300];
        snprintf(col, sizeof col, "QC_%s_%s", measures[k][1], channel);
        printf(" %s %.10g", measures[k][0], frame_real(obs, row, need(obs, col)));
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    store_file *f = NULL;
    frame obs = {0}, rejects = {0};
    names channels = {0};
    int n_dims;
    int64_t dims[4];
    if (argc != 2) return fprintf(stderr, "usage: tile_show FILE.h5\n"), 2;
    if (store_open(&f, argv[1], "tiles", 1) != OK || store_read_frame(f, "obs", &obs) != OK ||
        store_read_frame(f, "uns/rejects", &rejects) != OK || store_read_texts(f, "uns/channels", &channels) != OK ||
        store_dims(f, "tiles", &n_dims, dims) != OK)
        die();
    show_ends(f, "low", dims[1]);
    show_ends(f, "high", dims[1]);
    size_t size = (size_t)(dims[2] * dims[3]);
    uint8_t *tiles = malloc(size * (size_t)dims[1]);
    int well = need(&obs, "Metadata_Well"), site = need(&obs, "Metadata_Site"), tile = need(&obs, "Tile"), flag = need(&obs, "QC_Flag");
    for (int64_t i = 0; i < obs.n_rows; i++) {
        if (!tiles || store_read_rows(f, "tiles", STORE_U8, i, 1, tiles) != OK) die();
        printf("%s %s %lld %lld", frame_text(&obs, i, well), frame_text(&obs, i, site), (long long)obs.col[tile].v.i64[i],
               (long long)obs.col[flag].v.i64[i]);
        if (frame_col(&obs, TILES_CELL_X) >= 0) /* a tile of a cell */
            printf(" at %lld %lld", (long long)obs.col[need(&obs, TILES_CELL_X)].v.i64[i],
                   (long long)obs.col[need(&obs, TILES_CELL_Y)].v.i64[i]);
        printf("\n");
        for (size_t c = 0; c < channels.n; c++) show_channel(&obs, i, channels.item[c], tiles + c * size, size);
    }
    for (int64_t i = 0; i < rejects.n_rows; i++)
        printf("reject %s %s %s\n", frame_text(&rejects, i, need(&rejects, "Metadata_Well")),
               frame_text(&rejects, i, need(&rejects, "Metadata_Site")), frame_text(&rejects, i, need(&rejects, "Channel")));
    free(tiles);
    frame_free(&obs);
    frame_free(&rejects);
    names_free(&channels);
    store_close(&f);
    return fflush(stdout) == 0 ? 0 : 1;
}
