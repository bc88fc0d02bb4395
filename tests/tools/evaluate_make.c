/* evaluate_make.c -- a screen without pictures for tests of micon-evaluate: evaluate_make DIR GENERATOR [MODEL], where the generator is
 * "perfect" or "random". 2 sources of 2 batches of 1 plate, 300 compounds in one well each a plate, 60 of them unseen, 84 controls a plate.
 * A profile is the plate's shift, the compound's latent effect and noise; a prediction is the shift and the compound's own effect (perfect)
 * or somebody's (random). */
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/base/rng.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { D = 32, COMPOUNDS = 300, WELLS = 384, PLATES = 4 };

static double draw(uint32_t what, int64_t i)
{
    rng r = rng_at(5, 2000, what, (uint64_t)i);
    return rng_normal(&r);
}

static void place(int plate, int well, const char **cell, char out[5][40])
{
    int c = (well + 77 * plate) % WELLS;
    snprintf(out[0], 40, "S%d", 1 + plate / 2);
    snprintf(out[1], 40, "B%d", 1 + plate % 2);
    snprintf(out[2], 40, "P%d", 1 + plate);
    snprintf(out[3], 40, "%c%02d", 'A' + well / 24, 1 + well % 24);
    snprintf(out[4], 40, c < COMPOUNDS ? "C%03d" : "DMSO", c);
    for (int k = 0; k < 5; k++) cell[k] = out[k];
}

static status write_tables(const char *dir)
{
    text t = {0};
    char cell_text[5][40], *path = path_join(dir, "screen.yaml"), *images = path_join(dir, "load_data.csv");
    const char *cell[5];
    text_add(&t, "screen: {name: latent, index: load_data.csv, channels: [DNA], control: DMSO, work: work}\n"
                 "split: {test_batches: 1, unseen_compounds: 60}\n");
    status st = path_make_dirs(dir);
    if (st == OK) st = path_write(path, text_str(&t), t.n);
    text_clear(&t);
    text_add(
        &t,
        "Metadata_Source,Metadata_Batch,Metadata_Plate,Metadata_Well,Metadata_Site,Metadata_Compound,PathName_OrigDNA,FileName_OrigDNA\n");
    for (int i = 0; i < PLATES * WELLS; i++) {
        place(i / WELLS, i % WELLS, cell, cell_text);
        text_addf(&t, "%s,%s,%s,%s,1,%s,images,%d.tif\n", cell[0], cell[1], cell[2], cell[3], cell[4], i);
    }
    if (st == OK) st = path_write(images, text_str(&t), t.n);
    free(path);
    free(images);
    text_free(&t);
    return st;
}

static status write_plate(const char *dir, int plate, bool perfect, const char *model)
{
    static const char *const name[] = {"Metadata_Source", "Metadata_Batch", "Metadata_Plate", "Metadata_Well", "Metadata_Compound"};
    status st = OK;
    store *s = NULL;
    frame obs = {0};
    names compounds = {0};
    int col[6];
    char cell_text[5][40], label[40], made_from[200];
    const char *cell[5];
    float *x = xcalloc((WELLS + COMPOUNDS) * D, sizeof *x), *cf = x + WELLS * D;
    char *path = xasprintf("%s/work/embeddings/micon/S%d__B%d__P%d.h5", dir, 1 + plate / 2, 1 + plate % 2, 1 + plate);
    const store_info info = {.kind = "embeddings", .format = 1, .bytes = 1 << 20, .anndata = true};
    for (int k = 0; k < 5; k++) TRY(frame_add_col(&obs, name[k], FRAME_CATEGORY, &col[k]));
    TRY(frame_add_col(&obs, "QC_Tiles", FRAME_I64, &col[5]));
    TRY(frame_add_rows(&obs, WELLS));
    for (int i = 0; i < WELLS; i++) {
        int c = (i + 77 * plate) % WELLS;
        place(plate, i, cell, cell_text);
        for (int k = 0; k < 5; k++) TRY(frame_set_text(&obs, i, col[k], cell[k]));
        obs.col[col[5]].v.i64[i] = 1;
        for (int j = 0; j < D; j++)
            x[i * D + j] = (float)(3 * draw(0, plate * D + j) + (c < COMPOUNDS ? draw(1, c * D + j) : 0) +
                                   0.7 * draw(2, ((int64_t)plate * WELLS + i) * D + j));
    }
    for (int c = 0; c < COMPOUNDS; c++) {
        snprintf(label, sizeof label, "C%03d", c);
        names_add(&compounds, label);
        for (int j = 0; j < D; j++) cf[c * D + j] = (float)(3 * draw(0, plate * D + j) + draw(perfect ? 1 : 3, c * D + j));
    }
    TRY(store_create_all(&s, MPI_COMM_WORLD, path, &info));
    TRY(store_array_all(s, "X", STORE_F32, 2, (int64_t[]){WELLS, D}, 64));
    TRY(store_write_rows_all(s, "X", 0, WELLS, x));
    store_put_frame(s, "obs", &obs);
    store_put_values(s, "uns/counterfactual/X", STORE_F32, 2, (int64_t[]){COMPOUNDS, D}, cf);
    store_put_texts(s, "uns/counterfactual/compound", &compounds);
    snprintf(made_from, sizeof made_from, "model: %s\n", model ? model : "");
    if (model) store_put_text(s, "uns/micon/made_from", made_from);
    TRY(store_commit_all(&s));
done:
    store_abandon_all(&s);
    frame_free(&obs);
    names_free(&compounds);
    free(x);
    free(path);
    return st;
}

int main(int argc, char **argv)
{
    if (argc != 3 && argc != 4) return 2;
    MPI_Init(&argc, &argv);
    status st = write_tables(argv[1]);
    for (int p = 0; p < PLATES && st == OK; p++) st = write_plate(argv[1], p, strcmp(argv[2], "perfect") == 0, argc > 3 ? argv[3] : NULL);
    if (st != OK) fprintf(stderr, "%s\n", msg_get());
    MPI_Finalize();
    return status_exit(st);
}
