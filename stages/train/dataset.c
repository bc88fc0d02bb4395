/* dataset.c -- which tiles of the screen are trained on and validated with. Where they are kept is tile_cache.c. */
#include "train.h"

#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/stage/doses.h"
#include "micon/stage/plates.h"
#include "micon/table/intern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Numbers of the wells, batches and sources of the whole screen, for sampler_tile. */
typedef struct {
    const screen_index *ix;
    const screen_split *split;
    const vectors *v;
    int32_t *well_of_row, *batch_of_plate, *source_of_plate;
    int32_t *label; /* [classes]: label of the tiles of a class; -1: not used */
} numbering;

static status number_places(numbering *k)
{
    status st = OK;
    int64_t n_rows = index_n_rows(k->ix), n_plates = index_n_plates(k->ix);
    int32_t well = -1, batch = -1, source = -1;
    TRY(mem_alloc(&k->well_of_row, (size_t)n_rows, sizeof *k->well_of_row, "wells"));
    TRY(mem_alloc(&k->batch_of_plate, (size_t)n_plates, sizeof *k->batch_of_plate, "batches"));
    TRY(mem_alloc(&k->source_of_plate, (size_t)n_plates, sizeof *k->source_of_plate, "sources"));
    for (int64_t p = 0; p < n_plates; p++) { /* plates are sorted by source, batch, plate */
        index_plate at = index_plate_at(k->ix, p), before = p > 0 ? index_plate_at(k->ix, p - 1) : at;
        bool new_source = p == 0 || strcmp(at.source, before.source) != 0;
        source += new_source;
        batch += new_source || strcmp(at.batch, before.batch) != 0;
        k->source_of_plate[p] = source;
        k->batch_of_plate[p] = batch;
        for (int64_t r = at.first; r < at.first + at.n;) {
            int64_t end = index_well_end(k->ix, r);
            for (well++; r < end; r++) k->well_of_row[r] = well;
        }
    }
done:
    return st;
}

/* The index row of a well of plate p, or -1. Wells of a plate are sorted by bytes. */
static int64_t find_well(const screen_index *ix, int64_t p, const char *well)
{
    index_plate at = index_plate_at(ix, p);
    int64_t low = at.first, high = at.first + at.n;
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        int c = strcmp(index_cell(ix, mid, INDEX_WELL), well);
        if (c == 0) return mid;
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return -1;
}

static status check_tiles(const stage *g, const dataset *d, const char *path, const store_file *f, int n_dims, const int64_t *dims)
{
    status st = OK;
    names have = {0};
    const names *want = &g->cfg.screen.channels;
    TRY(store_read_texts(f, TILES_CHANNELS, &have));
    bool same = have.n == want->n;
    for (size_t c = 0; same && c < have.n; c++) same = strcmp(have.item[c], want->item[c]) == 0;
    if (!same) TRY(fail(E_FAILED, "%s: its channels are not those of screen.channels: run micon-tile again", path));
    if (n_dims != 4 || dims[1] != d->channels || dims[2] != d->size_px || dims[3] != d->size_px)
        TRY(fail(E_FAILED, "%s: its tiles are not of tile.size %d: run micon-tile again", path, d->size_px));
done:
    names_free(&have);
    return st;
}

static status room_for(dataset *d, size_t *cap, int64_t n)
{
    status st = OK;
    size_t c[3] = {*cap, *cap, *cap};
    TRY(mem_grow(&d->place, &c[0], (size_t)n, sizeof *d->place, "tiles"));
    TRY(mem_grow(&d->train, &c[1], (size_t)n, sizeof *d->train, "tiles"));
    TRY(mem_grow(&d->valid, &c[2], (size_t)n, sizeof *d->valid, "tiles"));
    *cap = c[0];
done:
    return st;
}

bool dataset_wanted(const dataset *d, int64_t tile)
{
    return d->train[tile].compound >= 0 || d->valid[tile].compound >= 0;
}

/* One tile of a plate: its role in training and in validation. */
static void place_tile(dataset *d, const numbering *k, int64_t p, int64_t row, int64_t at, bool flagged)
{
    int64_t i = d->n++;
    int class = index_class(k->ix, at), label = class >= 0 ? k->label[class] : -1;
    split_set set = (split_set)k->split->of_row[at];
    bool usable = !flagged && label >= 0;
    sampler_tile t = {
        .compound = label, .well = k->well_of_row[at], .plate = (int32_t)p, .batch = k->batch_of_plate[p], .source = k->source_of_plate[p]};
    d->train[i] = d->valid[i] = t;
    if (!usable || set != SET_TRAIN) d->train[i].compound = -1;
    if (!usable || set != SET_VALID) d->valid[i].compound = -1;
    d->n_train += d->train[i].compound >= 0;
    d->n_valid += d->valid[i].compound >= 0;
    d->n_wanted += dataset_wanted(d, i);
    d->place[i] = (tile_place){.file = (int32_t)p, .row = row, .slot = -1};
}

static status list_plate(dataset *d, const stage *g, const numbering *k, int64_t p, size_t *cap)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    int n_dims;
    int64_t dims[4];
    char *path = plates_file(g, k->ix, WORK_TILES, p);
    names_add(&d->paths, path);
    if (d->missing[p]) goto done;
    TRY(store_open(&f, path, TILES_KIND, TILES_FORMAT));
    TRY(store_dims(f, TILES_DATA, &n_dims, dims));
    TRY(check_tiles(g, d, path, f, n_dims, dims));
    TRY(store_read_frame(f, "obs", &obs));
    int well = frame_col(&obs, "Metadata_Well"), flag = frame_col(&obs, "QC_Flag");
    if (well < 0 || flag < 0 || obs.n_rows != dims[0]) TRY(fail(E_FORMAT, "%s: obs does not match its tiles", path));
    TRY(room_for(d, cap, d->n + obs.n_rows));
    for (int64_t i = 0; i < obs.n_rows; i++) {
        int64_t at = find_well(k->ix, p, frame_text(&obs, i, well));
        if (at < 0) TRY(fail(E_FAILED, "%s: well %s is not in the screen's tables: run micon-tile again", path, frame_text(&obs, i, well)));
        place_tile(d, k, p, i, at, obs.col[flag].v.i64[i] != 0);
    }
    TRY(input_digests_add(&d->in, path));
    d->in.item[d->in.n - 1].digest = store_digest(f);
    d->in.item[d->in.n - 1].known = true;
done:
    store_close(&f);
    frame_free(&obs);
    free(path);
    return st;
}

/* Plates without a tile file (they failed, within slurm.max_bad_plates) are left out: rank 0 checks, so that all ranks leave out the same
 * ones. */
static status find_missing_all(dataset *d, const stage *g, const screen_index *ix)
{
    status st = OK;
    int64_t n = index_n_plates(ix);
    text list = {0};
    d->n_plates = n;
    TRY_ALL(g->comm, mem_alloc(&d->missing, (size_t)n, 1, "plates"));
    for (int64_t p = 0; g->rank == 0 && p < n; p++) {
        char *path = plates_file(g, ix, WORK_TILES, p);
        d->missing[p] = !path_exists(path);
        free(path);
    }
    MPI_Bcast(d->missing, (int)n, MPI_CHAR, 0, g->comm);
    for (int64_t p = 0; p < n; p++) {
        if (!d->missing[p]) continue;
        char *label = plates_label(ix, p);
        if (d->n_missing++ < 10) text_addf(&list, "\n  %s", label);
        free(label);
    }
    if (d->n_missing == n) {
        char *folder = config_work(&g->cfg, WORK_TILES);
        st = fail(E_FAILED, "no plate has a file in %s: run micon-tile first", folder);
        free(folder);
        TRY(st);
    }
    if (d->n_missing > 10) text_addf(&list, "\n  and %lld more", (long long)(d->n_missing - 10));
    if (d->n_missing > 0)
        log_warn("%lld of %lld plates have no tiles and are left out (run micon-tile to make them):%s", (long long)d->n_missing,
                 (long long)n, text_str(&list));
done:
    text_free(&list);
    return st;
}

/* Held-out compounds by their rows of compounds.h5: a training compound of the same structure would leak them. */
static status held_out_rows(const numbering *k, char **held)
{
    status st = OK;
    const names *u = &k->split->unseen_compounds;
    TRY(mem_alloc(held, (size_t)k->v->n, 1, "compounds"));
    for (size_t i = 0; i < u->n; i++) {
        int64_t row = compound_vectors_find(k->v, u->item[i]);
        if (row >= 0) (*held)[row] = 1;
    }
done:
    return st;
}

/* One class of the screen, met in row r of the index: its vector, and its label, which is that of an earlier class of the same structure
 * and treatment, where there is one. */
static status label_class(dataset *d, const numbering *k, int64_t r, const char *held, intern_table *known, int32_t *first, text *key,
                          int *twins)
{
    status st = OK;
    int class = index_class(k->ix, r);
    const char *id = index_cell(k->ix, r, INDEX_COMPOUND), *treatment = index_class_name(k->ix, class) + strlen(id);
    int64_t row = d->vector_row[class] = compound_vectors_find(k->v, id);
    uint32_t number;
    k->label[class] = -1;
    if (d->dose && isnan(d->dose[class])) goto done;
    if (row < 0 || (held[row] && k->split->of_row[r] != SET_UNSEEN_COMPOUND)) goto done;
    size_t n = known->n;
    text_clear(key);
    text_addf(key, "%lld%s", (long long)row, treatment);
    TRY(intern_add(known, key->s, &number));
    if (known->n > n) first[number] = class;
    k->label[class] = first[number];
    *twins += known->n == n;
done:
    return st;
}

/* Compounds of the screen and of compounds.h5: none in common is an error; those without a vector are left out with a warning. Two
 * identifiers of one structure are one compound (docs/method.md 3). */
static status match_compounds(dataset *d, const numbering *k)
{
    status st = OK;
    int n = 0, lacking = 0, given_away = 0, twins = 0, no_dose = 0;
    char *seen = xcalloc((size_t)d->n_classes, 1), *held = NULL;
    int32_t *first = xcalloc((size_t)d->n_classes, sizeof *first);
    intern_table known = {0};
    text key = {0};
    TRY(held_out_rows(k, &held));
    for (int64_t r = 0; r < index_n_rows(k->ix); r++) {
        int class = index_class(k->ix, r);
        if (class <= 0 || seen[class]) continue;
        seen[class] = 1;
        TRY(label_class(d, k, r, held, &known, first, &key, &twins));
        n++;
        lacking += d->vector_row[class] < 0;
        no_dose += d->dose && isnan(d->dose[class]);
        given_away += d->vector_row[class] >= 0 && k->label[class] < 0 && !(d->dose && isnan(d->dose[class]));
    }
    if (n > 0 && lacking == n)
        TRY(fail(
            E_FAILED,
            "compounds.h5 has a vector for none of the screen's %d compounds: does it belong to another screen? run micon-featurize again",
            n));
    if (lacking > 0) log_warn("%d of %d compounds have no vector in compounds.h5: their tiles are left out", lacking, n);
    if (no_dose > 0)
        log_warn("%d of %d treatments have no dose above 0 in the column of screen.treatment: their tiles are left out", no_dose, n);
    if (given_away > 0)
        log_warn("%d of %d compounds have the structure of a held-out one under another name: their tiles are left out", given_away, n);
    if (twins > 0) log_info("%d of %d compounds share the structure of another and are merged with it", twins, n);
done:
    free(seen);
    free(held);
    free(first);
    intern_free(&known);
    text_free(&key);
    return st;
}

/* Every rank reads the small parts of all plates' files. */
static status list_tiles(dataset *d, const stage *g, numbering *k)
{
    status st = OK;
    size_t cap = 0;
    d->n_classes = index_n_classes(k->ix);
    d->vector_row = xcalloc((size_t)d->n_classes, sizeof *d->vector_row);
    TRY(mem_alloc(&k->label, (size_t)d->n_classes, sizeof *k->label, "compounds"));
    for (int c = 0; c < d->n_classes; c++) d->vector_row[c] = -1, k->label[c] = c;
    if (g->cfg.train.dose) TRY(doses_of_classes(k->ix, &d->dose));
    if (k->v) TRY(match_compounds(d, k));
    TRY(number_places(k));
    for (int64_t p = 0; p < index_n_plates(k->ix); p++) TRY(list_plate(d, g, k, p, &cap));
    if (d->n_train == 0) TRY(fail(E_FAILED, "no tile is left to train on: check work/split.csv and the tiles' QC_Flag"));
done:
    return st;
}

status dataset_list_all(dataset *d, stage *g, const screen_index *ix, const screen_split *split, const vectors *v)
{
    status st = OK;
    numbering k = {.ix = ix, .split = split, .v = v};
    d->channels = (int)g->cfg.screen.channels.n;
    d->size_px = (int)g->cfg.tile.size;
    TRY(find_missing_all(d, g, ix));
    TRY_ALL(g->comm, list_tiles(d, g, &k));
done:
    free(k.well_of_row);
    free(k.batch_of_plate);
    free(k.source_of_plate);
    free(k.label);
    return st;
}

void dataset_free_all(dataset *d)
{
    if (d->window != MPI_WIN_NULL) MPI_Win_free(&d->window);
    if (d->node != MPI_COMM_NULL) MPI_Comm_free(&d->node);
    free(d->missing);
    free(d->place);
    free(d->digest);
    free(d->train);
    free(d->valid);
    free(d->vector_row);
    free(d->dose);
    free(d->mean);
    free(d->sd);
    names_free(&d->paths);
    input_digests_free(&d->in);
}
