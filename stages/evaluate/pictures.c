/* pictures.c -- pictures of wells from the tiles, and the choice of wells that stand for a treatment. */
#include "pictures.h"

#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/config/file_formats.h"
#include "micon/profile/consensus.h"
#include "micon/profile/linear_algebra.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void plate_tiles_close(plate_tiles *p)
{
    store_close(&p->file);
    frame_free(&p->obs);
    names_free(&p->channels);
    free(p->tile);
    *p = (plate_tiles){0};
}

status plate_tiles_open(plate_tiles *p, const config *cfg, const char *source, const char *batch, const char *plate)
{
    status st = OK;
    int n_dims;
    int64_t dims[4];
    char *path = config_plate_file(cfg, WORK_TILES, source, batch, plate);
    plate_tiles_close(p);
    if (!path_exists(path)) TRY(fail(E_FAILED, "%s does not exist: micon-tile makes it", path));
    TRY(store_open(&p->file, path, TILES_KIND, TILES_FORMAT));
    TRY(store_read_frame(p->file, "obs", &p->obs));
    TRY(store_read_texts(p->file, TILES_CHANNELS, &p->channels));
    TRY(store_dims(p->file, TILES_DATA, &n_dims, dims));
    if (n_dims != 4 || dims[2] != dims[3] || frame_col(&p->obs, "Metadata_Well") < 0 || frame_col(&p->obs, "QC_Flag") < 0 ||
        (int64_t)p->channels.n != dims[1])
        TRY(fail(E_FORMAT, "%s: is not a tile file of micon-tile", path));
    p->n_channels = (int)dims[1], p->side_px = (int)dims[2];
    TRY(mem_alloc(&p->tile, (size_t)(dims[1] * dims[2] * dims[3]), 1, "a tile"));
done:
    if (st != OK) plate_tiles_close(p);
    free(path);
    return st;
}

status plate_tiles_well(plate_tiles *p, const char *well, bool *found)
{
    status st = OK;
    int name = frame_col(&p->obs, "Metadata_Well"), flag = frame_col(&p->obs, "QC_Flag");
    int64_t shown = -1;
    size_t n = (size_t)p->n_channels * (size_t)p->side_px * (size_t)p->side_px;
    for (int64_t i = 0; i < p->obs.n_rows; i++) {
        if (strcmp(frame_text(&p->obs, i, name), well) != 0) continue;
        if (shown < 0) shown = i;
        if (p->obs.col[flag].v.i64[i] != 0) continue;
        shown = i;
        break;
    }
    *found = shown >= 0;
    if (!*found) return OK;
    TRY(store_read_rows(p->file, TILES_DATA, STORE_U8, shown, 1, p->tile));
    for (size_t i = 0; i < n; i++) p->tile[i] = (uint8_t)lround(sqrt(p->tile[i] / 255.0) * 255);
done:
    return st;
}

void picture_tile(picture *out, const plate_tiles *p, int channel, int x, int y)
{
    size_t side = (size_t)p->side_px, n = side * side;
    for (size_t i = 0; i < n; i++) {
        int sum[3] = {0};
        for (int k = 0; k < p->n_channels; k++) {
            uint32_t colour = channel < 0 ? picture_channel_colour(k, p->n_channels) : k == channel ? 0xffffff : 0;
            int v = p->tile[(size_t)k * n + i];
            if (channel < 0 && p->n_channels > 3) v = v * v / 255;
            for (int c = 0; c < 3; c++) sum[c] += v * (int)(colour >> (16 - 8 * c) & 255) / 255;
        }
        uint8_t *px = out->rgb + 3 * ((size_t)(y + (int)(i / side)) * (size_t)out->width_px + (size_t)(x + (int)(i % side)));
        for (int c = 0; c < 3; c++) px[c] = (uint8_t)(sum[c] > 255 ? 255 : sum[c]);
    }
}

typedef struct {
    double sim;
    int64_t row;
} ranked_well;

static int by_similarity(const void *a, const void *b)
{
    const ranked_well *x = a, *y = b;
    if (x->sim != y->sim) return x->sim > y->sim ? -1 : 1;
    return (x->row > y->row) - (x->row < y->row);
}

status pictures_choose(const float *x, int64_t d, const int64_t *row, int64_t n, int nearest, int64_t *out, int *n_out)
{
    status st = OK;
    float *own = NULL, *middle = NULL;
    int32_t *label = NULL;
    int64_t count;
    ranked_well *by = NULL;
    TRY(mem_alloc(&own, (size_t)(n * d), sizeof *own, "profiles"));
    TRY(mem_alloc(&middle, (size_t)d, sizeof *middle, "a profile"));
    TRY(mem_alloc(&label, (size_t)n, sizeof *label, "wells"));
    TRY(mem_alloc(&by, (size_t)n, sizeof *by, "wells"));
    for (int64_t i = 0; i < n; i++) memcpy(own + i * d, x + row[i] * d, (size_t)d * sizeof *x);
    TRY(consensus_median(&(profile_rows){.x = own, .n = n, .d = d, .label = label}, 1, middle, &count));
    linear_unit_rows(own, n, d, own);
    linear_unit_rows(middle, 1, d, middle);
    for (int64_t i = 0; i < n; i++) by[i] = (ranked_well){linear_dot(own + i * d, middle, d), row[i]};
    qsort(by, (size_t)n, sizeof *by, by_similarity);
    *n_out = 0;
    for (int64_t i = 0; i < n && i < nearest; i++) out[(*n_out)++] = by[i].row;
    if (n > nearest) out[(*n_out)++] = by[n - 1].row;
done:
    free(own);
    free(middle);
    free(label);
    free(by);
    return st;
}
