/* evaluate_big.c -- a big screen without pictures, for bench_evaluate.sh: evaluate_big DIR WELLS FEATURES SITES writes screen.yaml, its
 * index, and the per-plate embeddings that micon-evaluate reads. Plates of 384 wells with 64 controls and 302 compounds in turn, 5 plates a
 * batch, 3 batches a source (JUMP's target-2 plates in shape); a site is noise, the compound's effect, the batch's, and a little of its
 * own. */
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/rng.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WELLS = 384, CONTROLS = 64, COMPOUNDS = 302, TARGETS = 60, PLATES_A_BATCH = 5, BATCHES_A_SOURCE = 3, CHANNELS = 5, KEYS = 5 };
static const char *const CHANNEL[CHANNELS] = {"DNA", "ER", "RNA", "AGP", "Mito"};
static const char *const KEY[KEYS] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well", "Metadata_Compound"};

typedef struct {
    const char *dir;
    int64_t wells, d, sites;
} screen;

static float uniform(uint32_t stream, uint64_t at)
{
    uint32_t c[4] = {0, (uint32_t)(at / 4), (uint32_t)(at / 4 >> 32), 0}, key[2] = {1, stream}, out[4];
    philox4x32(c, key, out);
    return (float)((double)out[at % 4] / 4294967296.0 - 0.5);
}

static void place(int64_t well, char cell[KEYS][40])
{
    int64_t plate = well / WELLS, at = well % WELLS, batch = plate / PLATES_A_BATCH;
    snprintf(cell[0], 40, "source_%lld", 1 + (long long)(batch / BATCHES_A_SOURCE));
    snprintf(cell[1], 40, "B%03lld", 1 + (long long)batch);
    snprintf(cell[2], 40, "P%04lld", 1 + (long long)plate);
    snprintf(cell[3], 40, "%c%02d", 'A' + (int)(at / 24), 1 + (int)(at % 24));
    if (at < CONTROLS)
        snprintf(cell[4], 40, "DMSO");
    else
        snprintf(cell[4], 40, "C%03d", (int)((at - CONTROLS) % COMPOUNDS));
}

static status write_tables(const screen *s)
{
    text t = {0};
    char cell[KEYS][40], *path = path_join(s->dir, "screen.yaml"), *index = path_join(s->dir, "load_data.csv");
    text_add(&t, "screen: {name: big, index: load_data.csv, channels: [DNA, ER, RNA, AGP, Mito], control: DMSO, work: work}\nsplit: "
                 "{test_batches: 0}\n");
    status st = path_make_dirs(s->dir);
    if (st == OK) st = path_write(path, text_str(&t), t.n);
    text_clear(&t);
    for (int k = 0; k < KEYS; k++) text_addf(&t, "%s,", KEY[k]);
    text_add(&t, "Metadata_target,Metadata_Site");
    for (int c = 0; c < CHANNELS; c++) text_addf(&t, ",PathName_Orig%s,FileName_Orig%s", CHANNEL[c], CHANNEL[c]);
    for (int64_t i = 0; i < s->wells; i++) {
        place(i, cell);
        for (int64_t site = 1; site <= s->sites; site++) {
            text_add(&t, "\n");
            for (int k = 0; k < KEYS; k++) text_addf(&t, "%s,", cell[k]);
            if (cell[4][0] == 'C') text_addf(&t, "target_%d", atoi(cell[4] + 1) % TARGETS);
            text_addf(&t, ",%lld", (long long)site);
            for (int c = 0; c < CHANNELS; c++) text_addf(&t, ",images/%s,%s_s%lld_w%d.tif", cell[2], cell[3], (long long)site, 1 + c);
        }
    }
    text_add(&t, "\n");
    if (st == OK) st = path_write(index, text_str(&t), t.n);
    free(path);
    free(index);
    text_free(&t);
    return st;
}

/* A well's sites [sites,d]. */
static void fill(const screen *s, int64_t well, float *x)
{
    int64_t at = well % WELLS, batch = well / WELLS / PLATES_A_BATCH, d = s->d;
    for (int64_t j = 0; j < d; j += 4) {
        uint32_t c[4] = {0, (uint32_t)(well * d + j), (uint32_t)((well * d + j) >> 32), 0}, key[2] = {1, 2100}, out[4];
        philox4x32(c, key, out);
        for (int64_t t = 0; t < 4 && j + t < d; t++) {
            float v = (float)((double)out[t] / 4294967296.0 - 0.5) + 0.3f * uniform(2102, (uint64_t)(batch * d + j + t));
            if (at >= CONTROLS) v += 0.15f * uniform(2101, (uint64_t)((at - CONTROLS) % COMPOUNDS * d + j + t));
            for (int64_t i = 0; i < s->sites; i++) x[i * d + j + t] = v + 0.01f * (float)((well + i + j + t) % 7 - 3);
        }
    }
}

static status plate_frame(const screen *s, int64_t plate, int64_t n, frame *obs)
{
    status st = OK;
    int key[KEYS], site, flag, tiles, quality[3 * CHANNELS];
    char cell[KEYS][40], name[40];
    static const char *const measure[3] = {"Focus", "Mean", "SD"};
    for (int k = 0; k < KEYS; k++) TRY(frame_add_col(obs, KEY[k], FRAME_CATEGORY, &key[k]));
    TRY(frame_add_col(obs, "Metadata_Site", FRAME_CATEGORY, &site));
    for (int q = 0; q < 3 * CHANNELS; q++) {
        snprintf(name, sizeof name, "QC_%s_%s", measure[q / CHANNELS], CHANNEL[q % CHANNELS]);
        TRY(frame_add_col(obs, name, FRAME_F64, &quality[q]));
    }
    TRY(frame_add_col(obs, "QC_Flag", FRAME_I64, &flag));
    TRY(frame_add_col(obs, "QC_Tiles", FRAME_I64, &tiles));
    TRY(frame_add_rows(obs, n * s->sites));
    for (int64_t i = 0; i < n * s->sites; i++) {
        place(plate * WELLS + i / s->sites, cell);
        for (int k = 0; k < KEYS; k++) TRY(frame_set_text(obs, i, key[k], cell[k]));
        snprintf(name, sizeof name, "%d", 1 + (int)(i % s->sites));
        TRY(frame_set_text(obs, i, site, name));
        for (int q = 0; q < 3 * CHANNELS; q++) obs->col[quality[q]].v.f64[i] = 1 + uniform(2103, (uint64_t)(plate * 1000000 + i * 15 + q));
        obs->col[flag].v.i64[i] = 0, obs->col[tiles].v.i64[i] = 1;
    }
done:
    return st;
}

static status write_plate(const screen *s, int64_t plate)
{
    status st = OK;
    store *f = NULL;
    frame obs = {0};
    char cell[KEYS][40];
    int64_t n = s->wells - plate * WELLS < WELLS ? s->wells - plate * WELLS : WELLS, rows = n * s->sites;
    float *x = xcalloc((size_t)(rows * s->d), sizeof *x);
    place(plate * WELLS, cell);
    char *path = xasprintf("%s/work/embeddings/micon/%s__%s__%s.h5", s->dir, cell[0], cell[1], cell[2]);
    const store_info info = {.kind = "embeddings", .format = 1, .bytes = rows * s->d * 4 + (1 << 20), .anndata = true};
    TRY(plate_frame(s, plate, n, &obs));
    for (int64_t i = 0; i < n; i++) fill(s, plate * WELLS + i, x + i * s->sites * s->d);
    TRY(store_create_all(&f, MPI_COMM_WORLD, path, &info));
    TRY(store_array_all(f, "X", STORE_F32, 2, (int64_t[]){rows, s->d}, 64));
    TRY(store_write_rows_all(f, "X", 0, rows, x));
    store_put_frame(f, "obs", &obs);
    TRY(store_commit_all(&f));
done:
    store_abandon_all(&f);
    frame_free(&obs);
    free(x);
    free(path);
    return st;
}

int main(int argc, char **argv)
{
    if (argc != 5) return fprintf(stderr, "usage: evaluate_big DIR WELLS FEATURES SITES\n"), 2;
    screen s = {argv[1], atoll(argv[2]), atoll(argv[3]), atoll(argv[4])};
    MPI_Init(&argc, &argv);
    status st = write_tables(&s);
    for (int64_t p = 0; p * WELLS < s.wells && st == OK; p++) st = write_plate(&s, p);
    if (st != OK) fprintf(stderr, "evaluate_big: %s\n", msg_get());
    MPI_Finalize();
    return status_exit(st);
}
