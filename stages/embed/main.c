/* main.c -- micon-embed: a profile per site from every plate's tiles, and the profiles that the generator predicts for compounds
 * (docs/method.md 6); one HDF5 file per plate that anndata can open. */
#include "embed.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/path.h"
#include "micon/formats/csv.h"
#include "micon/mpi/comm.h"
#include "micon/nn/method.h"
#include "micon/stage/doses.h"
#include "micon/stage/plates.h"
#include "micon/stage/provenance.h"
#include "micon/stage/shared_nets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
    embedder b;
    screen_index *ix;
    char *folder; /* "embeddings/RUN" */
    int made;
} run;

static char *model_path(const stage *g)
{
    if (*g->cfg.embed.model) return config_path(&g->cfg, g->cfg.embed.model);
    char *name = text_encode_name(g->cfg.train.run), *below = xasprintf(WORK_MODELS "/%s/" MODEL_FILE, name),
         *path = config_work(&g->cfg, below);
    free(name);
    free(below);
    return path;
}

static status read_model(embedder *b)
{
    b->model_path = model_path(b->g);
    if (!path_exists(b->model_path))
        return fail(E_FAILED, "%s is not there: run micon-train first, or name a model with embed.model", b->model_path);
    return model_read(&b->m, b->model_path, &b->model_digest);
}

typedef struct {
    int64_t row;
    const char *name, *dose; /* dose: "" of a model without */
} wanted_compound;

static int by_row(const void *a, const void *b)
{
    const wanted_compound *x = a, *y = b;
    if (x->row != y->row) return x->row < y->row ? -1 : 1;
    int c = strcmp(x->name, y->name);
    return c ? c : strcmp(x->dose, y->dose);
}

/* Where compounds to predict are found: in the screen's wells, or in a list of the user's. */
typedef struct {
    const screen_index *ix;
    table *t;
    char *path;
    int id, dose; /* columns of the list; dose -1: none */
    bool unseen;
} compound_list;

static status open_list(const embedder *b, compound_list *l)
{
    status st = OK;
    const char *which = b->g->cfg.embed.counterfactual_compounds;
    l->dose = -1;
    l->unseen = strcmp(which, "unseen") == 0;
    if (l->unseen || strcmp(which, "screen") == 0) goto done;
    l->path = config_path(&b->g->cfg, which);
    TRY(table_read(&l->t, l->path));
    l->id = table_col_any(l->t, "Metadata_JCP2022", "Metadata_Compound", "Metadata_broad_sample", "JCP2022", "Compound", NULL);
    if (l->id < 0) TRY(fail(E_FORMAT, "%s: no column with identifiers (Metadata_JCP2022, Metadata_Compound)", l->path));
    if (b->m.has_dose) TRY(doses_column(&b->g->cfg, l->t, l->path, &l->dose));
done:
    return st;
}

/* Entry i; row -1: it names none to be predicted. */
static status list_entry(const embedder *b, const compound_list *l, const vectors *v, int64_t i, wanted_compound *out)
{
    *out = (wanted_compound){.row = -1, .dose = ""};
    if (!l->t && (index_kind(l->ix, i) != WELL_TREATED || (i > 0 && index_well_end(l->ix, i - 1) > i))) return OK; /* one row per well */
    out->name = l->t ? table_cell(l->t, i, l->id) : index_cell(l->ix, i, INDEX_COMPOUND);
    out->row = compound_vectors_find(v, out->name);
    if (out->row < 0 && l->t)
        return fail(E_FAILED, "%s:%lld: compound '%s' has no vector", l->path, (long long)table_line(l->t, i), out->name);
    if (out->row < 0) return OK; /* left out by featurize.on_missing: drop */
    if (b->m.has_dose) {
        const char *class = l->t ? NULL : index_class_name(l->ix, index_class(l->ix, i)) + strlen(out->name);
        out->dose = l->t ? table_cell(l->t, i, l->dose) : *class == '|' ? class + 1 : "";
        if (isnan(dose_log10(out->dose)) && l->t)
            return fail(E_FAILED, "%s:%lld: the dose of '%s' is not a number above 0", l->path, (long long)table_line(l->t, i), out->name);
        if (isnan(dose_log10(out->dose))) out->row = -1; /* training leaves such wells out too */
    }
    if (out->row >= 0 && l->unseen && names_find(&b->m.compounds, compound_vectors_key(v, out->row)) >= 0) out->row = -1;
    return OK;
}

/* Rows and names of the compounds that are to be predicted (at which doses), sorted, each once. A compound is listed under every name that
 * the screen has for it, because wells are matched by that name. */
static status choose_compounds(embedder *b, const screen_index *ix, const vectors *v, int64_t **out)
{
    status st = OK;
    compound_list l = {.ix = ix};
    wanted_compound *list = NULL;
    TRY(open_list(b, &l));
    int64_t n = 0, most = l.t ? table_n_rows(l.t) : index_n_rows(ix);
    TRY(mem_alloc(&list, (size_t)most, sizeof *list, "compounds to predict"));
    TRY(mem_alloc(out, (size_t)most, sizeof **out, "compounds to predict"));
    if (b->m.has_dose) TRY(mem_alloc(&b->wanted_dose, (size_t)most, sizeof *b->wanted_dose, "doses"));
    for (int64_t i = 0; i < most; i++) {
        TRY(list_entry(b, &l, v, i, &list[n]));
        n += list[n].row >= 0;
    }
    qsort(list, (size_t)n, sizeof *list, by_row);
    for (int64_t i = 0; i < n; i++) {
        if (i > 0 && by_row(&list[i], &list[i - 1]) == 0) continue;
        if (b->m.has_dose) {
            char *treatment = xasprintf("%s|%s", list[i].name, list[i].dose);
            names_add(&b->wanted_treatment, treatment);
            b->wanted_dose[b->n_wanted] = dose_log10(list[i].dose);
            free(treatment);
        }
        (*out)[b->n_wanted++] = list[i].row;
        names_add(&b->wanted_names, list[i].name);
    }
done:
    table_free(&l.t);
    free(list);
    free(l.path);
    return st;
}

/* The digest covers the list's content: its file may change under the same name. */
static uint64_t wanted_digest(const embedder *b)
{
    uint64_t d = digest_bytes(b->wanted, (size_t)b->n_wanted * sizeof *b->wanted);
    for (int64_t i = 0; i < b->n_wanted; i++) {
        const char *name = b->wanted_names.item[i];
        if (strcmp(name, compound_vectors_key(b->compounds, b->wanted[i])) != 0) d = digest_mix(d, digest_text(name));
        if (b->m.has_dose) d = digest_mix(d, digest_text(b->wanted_treatment.item[i]));
    }
    return d;
}

/* Compounds, if the model has a generator or a compound head (clip's). */
static status read_compounds_all(embedder *b, const screen_index *ix, vectors *v, int64_t **wanted)
{
    status st = OK;
    if (!b->g->cfg.embed.counterfactual) return OK;
    if (!b->m.has_generator) log_info("the model has no generator: no predicted profiles (train.method micon has one)");
    if (b->m.bits == 0) return OK;
    if (!index_has_structures(&b->g->cfg)) {
        log_info("the screen has no structures (screen.compound, featurize.vectors): no predicted profiles");
        return OK;
    }
    if (!b->m.has_generator) log_info("the model has a compound head: representations of compounds are written to uns/compound");
    b->compounds_path = config_work(&b->g->cfg, WORK_COMPOUNDS);
    bool there;
    TRY(compound_vectors_read_all(b->g->comm, v, b->compounds_path, &there));
    if (!there) TRY(fail(E_FAILED, "%s is not there: run micon-featurize first, or set embed.counterfactual to no", b->compounds_path));
    if (v->d != b->m.bits)
        TRY(fail(E_FAILED, "%s has vectors of length %lld, but the model was trained on %d: set featurize.bits and featurize again",
                 b->compounds_path, (long long)v->d, b->m.bits));
    if (b->m.has_dose) TRY_ALL(b->g->comm, doses_check(&b->g->cfg, b->model_path));
    TRY_ALL(b->g->comm, choose_compounds(b, ix, v, wanted));
    b->compounds = v;
    b->wanted = *wanted;
done:
    return st;
}

static status count_site_tiles(const char *path, int *n)
{
    status st = OK;
    store_file *f = NULL;
    frame obs = {0};
    TRY(store_open(&f, path, TILES_KIND, TILES_FORMAT));
    TRY(store_read_frame(f, "obs", &obs));
    int tile = frame_col(&obs, "Tile");
    if (tile < 0 || obs.col[tile].type != FRAME_I64) TRY(fail(E_FORMAT, "%s: obs has no Tile", path));
    if (obs.n_rows > 0) *n = 1;
    bool cells = obs.n_rows > 0 && obs.col[tile].v.i64[0] != 0; /* numbers of cells: sites have any number of tiles */
    while (*n > 0 && !cells && *n < obs.n_rows && obs.col[tile].v.i64[*n] != 0) ++*n;
done:
    frame_free(&obs);
    store_close(&f);
    return st;
}

/* Tiles per site, from the first plate that has any: a pass has whole sites; with tiles of cells 1. A plate whose file is missing or
 * damaged fails later, with its own message. */
static int tiles_per_site(const run *r, const int64_t *chosen, int64_t n_chosen)
{
    int n = 0;
    for (int64_t i = 0; i < n_chosen && n == 0; i++) {
        char *path = plates_file(r->b.g, r->ix, WORK_TILES, chosen[i]);
        if (!path_exists(path) || count_site_tiles(path, &n) != OK) n = 0;
        msg_clear();
        free(path);
    }
    return n > 0 ? n : 1;
}

static status one_plate_all(void *ctx, int64_t p)
{
    run *r = ctx;
    bool made;
    char *tiles = plates_file(r->b.g, r->ix, WORK_TILES, p), *out = plates_file(r->b.g, r->ix, r->folder, p),
         *label = plates_label(r->ix, p);
    status st = plate_embed_all(&r->b, tiles, out, label, &made);
    if (st == OK) r->made += made;
    free(tiles);
    free(out);
    free(label);
    return st;
}

static status setup_inference_all(run *r, const int64_t *chosen, int64_t n)
{
    status st = OK;
    stage *g = r->b.g;
    int per_site = 1;
    nn_type type = shared_nets_type_all(g->comm, g->cfg.embed.precision);
    char d[DIGEST_TEXT];
    if (g->rank == 0) per_site = tiles_per_site(r, chosen, n);
    MPI_Bcast(&per_site, 1, MPI_INT, 0, g->comm);
    TRY(inference_create_all(&r->b.net, g, &r->b.m, type, per_site));
    provenance_config(g, &r->b.made_from);
    text_addf(&r->b.made_from, "precision: %s\nmodel: %s\n", type == NN_BF16 ? "bf16" : "fp32", digest_show(r->b.model_digest, d));
    if (r->b.compounds)
        text_addf(&r->b.made_from, "compounds predicted: %lld, %s\n", (long long)r->b.n_wanted, digest_show(wanted_digest(&r->b), d));
done:
    return st;
}

static status run_all(stage *g)
{
    status st = OK;
    run r = {.b = {.g = g}};
    vectors v = {0};
    int64_t *chosen = NULL, n = 0, *wanted = NULL;
    char *name = text_encode_name(g->cfg.train.run);
    r.folder = xasprintf(WORK_EMBEDDINGS "/%s", name);
    char *folder = config_work(&g->cfg, r.folder);
    if (!*g->cfg.embed.model && method_table[g->cfg.train.method].measured)
        TRY(fail(E_USAGE, "train.method: %s has no network to embed with: micon-measure makes its profiles",
                 method_name(g->cfg.train.method)));
    TRY(plates_index_all(g, &r.ix));
    TRY(plates_chosen_all(g, r.ix, &chosen, &n));
    TRY_ALL(g->comm, read_model(&r.b));
    TRY(read_compounds_all(&r.b, r.ix, &v, &wanted));
    TRY_ALL(g->comm, g->verify ? plates_verify(g, r.ix, chosen, n, r.b.compounds ? r.b.compounds_path : NULL) : OK);
    kernels_set_threads(comm_threads_all(g->comm));
    TRY(setup_inference_all(&r, chosen, n));
    if (g->rank == 0) path_sweep_parts(folder, NULL);
    TRY(plates_each_all(g, chosen, n, one_plate_all, &r));
done:
    inference_free(&r.b.net);
    model_free(&r.b.m);
    text_free(&r.b.made_from);
    free(r.b.model_path);
    free(r.b.compounds_path);
    names_free(&r.b.wanted_names);
    names_free(&r.b.wanted_treatment);
    free(r.b.wanted_dose);
    compound_vectors_free(&v);
    index_free(&r.ix);
    free(chosen);
    free(wanted);
    free(r.folder);
    free(folder);
    free(name);
    return st;
}

int main(int argc, char **argv)
{
    static const stage_def def = {
        .name = "embed",
        .summary =
            "pass a screen's tiles through a trained network: a profile a site, and predicted profiles of compounds; one file a plate",
        .sections = "screen embed train.run train.method",
        .affects = AFFECTS_EMBEDDINGS,
        .run_all = run_all,
    };
    return stage_main(argc, argv, &def);
}
