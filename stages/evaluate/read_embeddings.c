/* read_embeddings.c -- embeddings of all plates, sites averaged to wells (docs/method.md 6), with the metadata of the screen's tables. Each
 * rank reads some of the plates; rank 0 gathers the wells. */
#include "evaluate.h"

#include "micon/base/digest.h"
#include "micon/base/fault.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/nn/method.h"
#include "micon/provenance/output_record.h"
#include "micon/stage/plates.h"
#include "micon/stage/provenance.h"
#include "micon/store/store.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The wells of the plates that this rank reads. */
typedef struct {
    frame obs, cf;
    float *x, *cf_x;
    size_t n, x_cap, n_cf, cf_cap;
    int64_t d;
    int64_t n_lost; /* wells of the index without a site in the embeddings */
} part;

static void part_free(part *p)
{
    frame_free(&p->obs);
    frame_free(&p->cf);
    free(p->x);
    free(p->cf_x);
}

/* Are the profiles micon-measure's features of cells? Else they are the network's embeddings. */
static bool measured(const stage *g)
{
    return method_table[g->cfg.train.method].measured;
}

static char *plate_path(const stage *g, const screen_index *ix, int64_t p)
{
    char *run = text_encode_name(g->cfg.train.run), *folder = xasprintf("%s/%s", measured(g) ? WORK_FEATURES : WORK_EMBEDDINGS, run);
    char *path = plates_file(g, ix, folder, p);
    free(run);
    free(folder);
    return path;
}

/* A plate that failed, within slurm.max_bad_plates, has none: it is left out with a note. */
static bool has_embeddings(const stage *g, const screen_index *ix, int64_t p)
{
    char *path = plate_path(g, ix, p);
    bool has = path_exists(path);
    free(path);
    return has;
}

static status open_plate(const stage *g, const screen_index *ix, int64_t p, store_file **f, char **path)
{
    *path = plate_path(g, ix, p);
    if (!path_exists(*path)) return fail(E_FAILED, "%s does not exist: run %s first", *path, measured(g) ? "micon-measure" : "micon-embed");
    if (measured(g)) return store_open(f, *path, FEATURES_KIND, FEATURES_FORMAT);
    return store_open(f, *path, EMBEDDINGS_KIND, EMBEDDINGS_FORMAT);
}

/* Keep the digest of the model that embedded the plates; two models are an error. A file that does not record its model is accepted. */
static status same_model(const store_file *f, const char *path, origin *o)
{
    status st = OK;
    char *lines = NULL, *model = NULL;
    if (!store_has(f, MADE_FROM)) goto done;
    TRY(store_read_text(f, MADE_FROM, &lines));
    model = output_record_value(lines, "model");
    if (!model) goto done;
    if (!o->model)
        o->model = model, model = NULL;
    else if (strcmp(o->model, model) != 0)
        st = fail(E_FAILED, "%s was embedded with another model (%s) than plates before it (%s): run micon-embed", path, model, o->model);
done:
    free(lines);
    free(model);
    return st;
}

/* Plates without embeddings: each a line of made_from, and together a note in the report. */
static void list_left_out(const stage *g, const screen_index *ix, origin *o)
{
    int64_t n = index_n_plates(ix), n_out = 0;
    text some = {0};
    for (int64_t p = 0; p < n; p++) {
        if (has_embeddings(g, ix, p)) continue;
        char *label = plates_label(ix, p);
        text_addf(&o->made_from, "plate left out: %s\n", label);
        if (n_out++ < 10) text_addf(&some, "%s%s", n_out > 1 ? ", " : "", label);
        free(label);
    }
    if (n_out > 0 && n_out < n) {
        char *line = xasprintf("%lld of %lld plates have no %s and are left out (%s makes them): %s%s", (long long)n_out, (long long)n,
                               measured(g) ? "features" : "embeddings", measured(g) ? "micon-measure" : "micon-embed", text_str(&some),
                               n_out > 10 ? " and others" : "");
        names_add(&o->notes, line);
        log_warn("%s", line);
        free(line);
    }
    text_free(&some);
}

status embeddings_inputs(const stage *g, const screen_index *ix, const screen_split *split, origin *o)
{
    status st = OK;
    store_file *f = NULL;
    char *path = NULL, d[DIGEST_TEXT];
    uint64_t rows = 0;
    int64_t n_there = 0;
    for (int64_t p = 0; p < index_n_plates(ix); p++) n_there += has_embeddings(g, ix, p);
    for (int64_t p = 0; p < index_n_plates(ix); p++) {
        rows = digest_mix(rows, index_plate_digest(ix, p, INDEX_OF_ALL));
        if (n_there && !has_embeddings(g, ix, p)) continue; /* where no plate has any, opening the first one fails with the message */
        TRY(open_plate(g, ix, p, &f, &path));
        TRY(same_model(f, path, o));
        TRY(input_digests_add(&o->in, path));
        o->in.item[o->in.n - 1].digest = store_digest(f);
        o->in.item[o->in.n - 1].known = true;
        store_close(&f);
        FREE(path);
    }
    provenance_config(g, &o->made_from);
    text_addf(&o->made_from, "index rows: %s\n", digest_show(rows, d));
    text_addf(&o->made_from, "split: %s\n", digest_show(split_digest(split, ix), d));
    list_left_out(g, ix, o);
done:
    store_close(&f);
    free(path);
    return st;
}

/* ---- one plate ---- */

typedef struct {
    store_file *f;
    char *path;
    frame obs;
    float *x; /* [sites,d] */
    int64_t d;
    bool measured;   /* features of cells: a site counts by its cells, an embedding's by its tiles */
    int well, tiles; /* columns of obs */
} plate;

static void plate_close(plate *p)
{
    store_close(&p->f);
    free(p->path);
    frame_free(&p->obs);
    free(p->x);
}

static status plate_open(plate *p, const stage *g, const screen_index *ix, int64_t at)
{
    status st = OK;
    const char *which = !measured(g) && g->cfg.embed.representation == REPRESENTATION_PROJECTED ? EMBEDDINGS_PROJECTED : "X";
    const char *counted = measured(g) ? "QC_Cells" : "QC_Tiles";
    p->measured = measured(g);
    int n_dims;
    int64_t dims[4];
    TRY(open_plate(g, ix, at, &p->f, &p->path));
    if (!store_has(p->f, which)) TRY(fail(E_FAILED, "%s has no projected representation: set embed.representation to raw", p->path));
    TRY(store_dims(p->f, which, &n_dims, dims));
    TRY(store_read_frame(p->f, "obs", &p->obs));
    if (n_dims != 2 || dims[0] != p->obs.n_rows) TRY(fail(E_FORMAT, "%s: obs and %s differ in their number of rows", p->path, which));
    p->d = dims[1];
    p->well = frame_col(&p->obs, "Metadata_Well");
    p->tiles = frame_col(&p->obs, counted);
    if (p->well < 0 || p->tiles < 0 || p->obs.col[p->tiles].type != FRAME_I64)
        TRY(fail(E_FORMAT, "%s: obs has no Metadata_Well or %s", p->path, counted));
    TRY(mem_alloc(&p->x, (size_t)(dims[0] * dims[1]), sizeof *p->x, "sites of a plate"));
    TRY(store_read_rows(p->f, which, STORE_F32, 0, dims[0], p->x));
done:
    return st;
}

/* Sites [from, to) with an unflagged tile, or with cells. */
static int64_t count_good(const plate *p, int64_t from, int64_t to)
{
    int64_t good = 0;
    for (int64_t i = from; i < to; i++) good += p->obs.col[p->tiles].v.i64[i] > 0;
    return good;
}

/* The sites [from, to) of a well: out [d] is the mean over the good ones, or over all where none is good; obs gets the well's quality. A
 * site whose cells lack a feature (NaN) does not count for it. */
static void average_well(const plate *p, int64_t from, int64_t to, float *out, frame *obs, int64_t row)
{
    const int64_t *tiles = p->obs.col[p->tiles].v.i64;
    double *sum = xcalloc((size_t)p->d + 1, sizeof *sum);
    int64_t n = 0, good = count_good(p, from, to), *missing = xcalloc((size_t)p->d + 1, sizeof *missing);
    for (int64_t i = from; i < to; i++) {
        if (good > 0 && tiles[i] <= 0) continue;
        const float *x = p->x + (size_t)(i * p->d);
        for (int64_t j = 0; j < p->d; j++) {
            if (p->measured && isnan(x[j]))
                missing[j]++;
            else
                sum[j] += x[j];
        }
        n++;
    }
    for (int64_t j = 0; j < p->d; j++) out[j] = (float)(sum[j] / (double)(n - missing[j]));
    free(sum);
    free(missing);
    obs->col[frame_col(obs, "QC_Sites")].v.i64[row] = n;
    obs->col[frame_col(obs, "QC_Flagged")].v.i64[row] = good == 0;
    for (int c = 0; c < p->obs.n_cols; c++) {
        const frame_column *q = &p->obs.col[c];
        if (strncmp(q->name, "QC_", 3) != 0) continue;
        int to_col = frame_col(obs, q->name);
        double mean = 0;
        int64_t total = 0;
        for (int64_t i = from; i < to; i++) {
            if (q->type == FRAME_F64) mean += q->v.f64[i] / (double)(to - from);
            if (q->type == FRAME_I64) total = p->measured || c == p->tiles ? total + q->v.i64[i] : (total | q->v.i64[i]);
        }
        if (q->type == FRAME_F64) obs->col[to_col].v.f64[row] = mean;
        if (q->type == FRAME_I64) obs->col[to_col].v.i64[row] = total;
    }
}

/* The wells' rows of the index as a frame, with empty columns for their quality and set. */
static status wells_frame(const plate *p, const screen_index *ix, const int64_t *row, int64_t n, const screen_split *split, frame *out)
{
    status st = OK;
    frame all = {0};
    int64_t *at = NULL, first = row[0];
    int col;
    static const char *const kind[] = {[WELL_TREATED] = "trt", [WELL_CONTROL] = "negcon", [WELL_EMPTY] = "empty"};
    TRY(mem_alloc(&at, (size_t)n, sizeof *at, "wells"));
    for (int64_t i = 0; i < n; i++) at[i] = row[i] - first;
    TRY(index_frame(ix, first, row[n - 1] - first + 1, &all));
    TRY(frame_take(out, &all, at, n));
    frame_drop_col(out, "Metadata_Site");
    int type = frame_col(out, "Metadata_pert_type");
    TRY(frame_add_col(out, "Metadata_Set", FRAME_CATEGORY, &col));
    for (int64_t i = 0; i < n; i++) {
        TRY(frame_set_text(out, i, type, kind[index_kind(ix, row[i])]));
        TRY(frame_set_text(out, i, col, split_set_name(split->of_row[row[i]])));
    }
    for (int c = 0; c < p->obs.n_cols; c++)
        if (strncmp(p->obs.col[c].name, "QC_", 3) == 0) TRY(frame_add_col(out, p->obs.col[c].name, p->obs.col[c].type, &col));
    TRY(frame_add_col(out, "QC_Sites", FRAME_I64, &col));
    TRY(frame_add_col(out, "QC_Flagged", FRAME_I64, &col));
done:
    free(at);
    frame_free(&all);
    return st;
}

/* Average the sites of a plate to wells; append these. */
static status add_wells(part *to, const plate *p, const screen_index *ix, int64_t at, const screen_split *split)
{
    status st = OK;
    index_plate is = index_plate_at(ix, at);
    int64_t *row = NULL, *from = NULL, *end = NULL, n = 0, lost = 0;
    frame obs = {0};
    size_t words_n = p->obs.col[p->well].word.n;
    TRY(mem_alloc(&row, (size_t)is.n, sizeof *row, "wells"));
    TRY(mem_alloc(&from, words_n + 1, sizeof *from, "wells"));
    TRY(mem_alloc(&end, words_n + 1, sizeof *end, "wells"));
    for (int64_t i = 0; i < p->obs.n_rows; i++) { /* the sites of a well are consecutive rows */
        int32_t code = p->obs.col[p->well].v.code[i];
        if (code < 0 || (end[code] > 0 && end[code] != i))
            TRY(fail(E_FORMAT, "%s: row %lld of obs: the sites of a well are not consecutive rows", p->path, (long long)i));
        if (end[code] == 0) from[code] = i;
        end[code] = i + 1;
    }
    for (int64_t i = is.first; i < is.first + is.n; i = index_well_end(ix, i)) {
        int64_t code = intern_find(&p->obs.col[p->well].word, index_cell(ix, i, INDEX_WELL));
        if (code >= 0 && end[code] > 0 && (!p->measured || count_good(p, from[code], end[code]) > 0))
            row[n++] = i;
        else
            lost++;
    }
    to->n_lost += lost;
    if (n == 0) goto done;
    if (to->d == 0) to->d = p->d;
    if (to->d != p->d)
        TRY(fail(E_FAILED, "%s has profiles of length %lld, other plates %lld: embed the screen with one model", p->path, (long long)p->d,
                 (long long)to->d));
    TRY(wells_frame(p, ix, row, n, split, &obs));
    TRY(mem_grow(&to->x, &to->x_cap, (to->n + (size_t)n) * (size_t)p->d, sizeof *to->x, "profiles"));
    for (int64_t i = 0; i < n; i++) {
        int64_t code = intern_find(&p->obs.col[p->well].word, index_cell(ix, row[i], INDEX_WELL));
        average_well(p, from[code], end[code], to->x + (to->n + (size_t)i) * (size_t)p->d, &obs, i);
    }
    to->n += (size_t)n;
    TRY(frame_append(&to->obs, &obs));
done:
    free(row);
    free(from);
    free(end);
    frame_free(&obs);
    return st;
}

/* Predictions of the plate for compounds never trained on. */
static status add_predictions(part *to, const plate *p, const stage *g, const screen_index *ix, int64_t at, const names *unseen)
{
    status st = OK;
    const char *which = g->cfg.embed.representation == REPRESENTATION_PROJECTED ? COUNTERFACTUAL_PROJECTED : COUNTERFACTUAL_X;
    index_plate is = index_plate_at(ix, at);
    names compound = {0}, treatment = {0};
    frame row = {0};
    int n_dims, col[5];
    int64_t dims[4];
    static const char *const name[5] = {"Source", "Batch", "Plate", "Compound", "Treatment"};
    if (unseen->n == 0 || !store_has(p->f, which) || !store_has(p->f, COUNTERFACTUAL_COMPOUND)) goto done;
    TRY(store_dims(p->f, which, &n_dims, dims));
    TRY(store_read_texts(p->f, COUNTERFACTUAL_COMPOUND, &compound));
    if (store_has(p->f, COUNTERFACTUAL_TREATMENT)) TRY(store_read_texts(p->f, COUNTERFACTUAL_TREATMENT, &treatment));
    if (n_dims != 2 || dims[0] != (int64_t)compound.n || dims[1] != p->d || (treatment.n != 0 && treatment.n != compound.n))
        TRY(fail(E_FORMAT, "%s: %s and its compounds differ in length", p->path, which));
    for (int k = 0; k < 5; k++) TRY(frame_add_col(&row, name[k], FRAME_TEXT, &col[k]));
    for (size_t i = 0; i < compound.n; i++) {
        if (names_find(unseen, compound.item[i]) < 0) continue;
        const char *cell[5] = {is.source, is.batch, is.plate, compound.item[i], treatment.n ? treatment.item[i] : ""};
        TRY(mem_grow(&to->cf_x, &to->cf_cap, (to->n_cf + 1) * (size_t)p->d, sizeof *to->cf_x, "predicted profiles"));
        TRY(store_read_rows(p->f, which, STORE_F32, (int64_t)i, 1, to->cf_x + to->n_cf * (size_t)p->d));
        TRY(frame_add_rows(&row, 1));
        for (int k = 0; k < 5; k++) TRY(frame_set_text(&row, row.n_rows - 1, col[k], cell[k]));
        to->n_cf++;
    }
    TRY(frame_append(&to->cf, &row));
done:
    names_free(&compound);
    names_free(&treatment);
    frame_free(&row);
    return st;
}

static status read_mine(const stage *g, const screen_index *ix, const screen_split *split, part *to)
{
    status st = OK;
    int64_t first, n;
    plate p = {0};
    partition(index_n_plates(ix), g->size, g->rank, &first, &n);
    for (int64_t at = first; at < first + n; at++) {
        if (!has_embeddings(g, ix, at)) continue;
        TRY(fault("gather a plate"));
        TRY(plate_open(&p, g, ix, at));
        TRY(add_wells(to, &p, ix, at, split));
        TRY(add_predictions(to, &p, g, ix, at, &split->unseen_compounds));
        plate_close(&p);
        p = (plate){0};
    }
done:
    plate_close(&p);
    return st;
}

/* ---- to rank 0 ---- */

/* The rows of all ranks' frames on rank 0, in rank order. */
static status gather_frame_all(MPI_Comm comm, const frame *mine, frame *out)
{
    status st = OK;
    uint8_t *data = NULL;
    char *all = NULL, *block = NULL;
    size_t size = 0, n_all = 0;
    frame one = {0};
    TRY_ALL(comm, frame_pack(mine, &data, &size));
    TRY_ALL(comm, mem_alloc(&block, size + sizeof size, 1, "table"));
    memcpy(block, &size, sizeof size);
    memcpy(block + sizeof size, data, size);
    TRY(comm_gather_all(comm, 0, block, size + sizeof size, &all, &n_all));
    for (size_t at = 0; st == OK && at + sizeof size <= n_all; at += sizeof size + size) {
        memcpy(&size, all + at, sizeof size);
        st = frame_unpack(&one, all + at + sizeof size, size);
        if (st == OK && one.n_rows > 0) st = frame_append(out, &one);
        frame_free(&one);
        one = (frame){0};
    }
    st = agree_all(comm, st);
done:
    free(data);
    free(all);
    free(block);
    return st;
}

static status same_length_all(MPI_Comm comm, int64_t *d)
{
    int64_t most = comm_max_i64_all(comm, *d);
    status st = *d == 0 || *d == most ? OK
                                      : fail(E_FAILED, "plates have profiles of lengths %lld and %lld: embed the screen with one model",
                                             (long long)*d, (long long)most);
    *d = most;
    return agree_all(comm, st);
}

/* Name the measured features; drop those that no metric can use. */
static status name_features(const stage *g, const screen_index *ix, wells *w, names *notes)
{
    status st = OK;
    store_file *f = NULL;
    frame var = {0};
    names all = {0};
    char *path = NULL;
    int64_t p = 0;
    while (p < index_n_plates(ix) - 1 && !has_embeddings(g, ix, p)) p++;
    TRY(open_plate(g, ix, p, &f, &path));
    TRY(store_read_frame(f, "var", &var));
    int col = frame_col(&var, "_index");
    if (col < 0 || var.n_rows != w->d) TRY(fail(E_FORMAT, "%s: var and X do not fit together", path));
    for (int64_t i = 0; i < var.n_rows; i++) names_add(&all, frame_text(&var, i, col));
    TRY(profiles_clean(g, w, &all, notes));
done:
    store_close(&f);
    frame_free(&var);
    names_free(&all);
    free(path);
    return st;
}

status embeddings_read_all(stage *g, const screen_index *ix, const screen_split *split, wells *w, names *notes)
{
    status st = OK;
    part mine = {0};
    char *x = NULL, *cf = NULL;
    size_t x_size = 0, cf_size = 0;
    TRY_ALL(g->comm, read_mine(g, ix, split, &mine));
    TRY(same_length_all(g->comm, &mine.d));
    w->d = mine.d;
    TRY(gather_frame_all(g->comm, &mine.obs, &w->obs));
    TRY(gather_frame_all(g->comm, &mine.cf, &w->cf));
    TRY(comm_gather_all(g->comm, 0, mine.x, mine.n * (size_t)mine.d * sizeof *mine.x, &x, &x_size));
    TRY(comm_gather_all(g->comm, 0, mine.cf_x, mine.n_cf * (size_t)mine.d * sizeof *mine.cf_x, &cf, &cf_size));
    w->x = (float *)(void *)x;
    w->cf_x = (float *)(void *)cf;
    comm_sum_i64_all(g->comm, &mine.n_lost, 1);
    if (g->rank == 0) {
        w->n = w->obs.n_rows;
        w->n_cf = w->cf.n_rows;
        for (int64_t i = 0; i < w->d && !measured(g); i++) {
            char *name = xasprintf("micon_%lld", (long long)i);
            names_add(&w->var, name);
            free(name);
        }
        for (size_t i = 0; i < split->unseen_compounds.n; i++) names_add(&w->unseen, split->unseen_compounds.item[i]);
        if (mine.n_lost) {
            char *note = xasprintf("%lld wells of the index have no profile: none of their sites %s", (long long)mine.n_lost,
                                   measured(g) ? "has cells that could be measured" : "could be read");
            names_add(notes, note);
            free(note);
        }
    }
    TRY_ALL(g->comm,
            g->rank == 0 && w->n == 0 ? fail(E_FAILED, "the %s hold no well of this screen", measured(g) ? "features" : "embeddings") : OK);
    if (measured(g)) TRY_ALL(g->comm, g->rank == 0 ? name_features(g, ix, w, notes) : OK);
done:
    part_free(&mine);
    return st;
}
