/* setup.c -- everything before the first step: inputs, whether an up-to-date model exists, items, weights, the checkpoint to resume
 * from. */
#include "train.h"

#include "micon/base/digest.h"
#include "micon/base/log.h"
#include "micon/base/mem.h"
#include "micon/base/num.h"
#include "micon/base/path.h"
#include "micon/mpi/comm.h"
#include "micon/nn/kernels.h"
#include "micon/nn/weights.h"
#include "micon/provenance/output_record.h"
#include "micon/stage/plates.h"
#include "micon/stage/provenance.h"
#include "micon/stage/shared_nets.h"
#include "micon/stage/shared_split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const method_info *method_of(const run *r)
{
    return &method_table[r->g->cfg.train.method];
}

/* With --force: SLURM restarts a requeued job with the same arguments, but its checkpoints are then its own and must be kept. */
static void resolve_force_all(run *r)
{
    const char *count = getenv("SLURM_RESTART_COUNT");
    int64_t restarts = 0;
    if (count && !num_i64(count, &restarts)) restarts = 0;
    int start_over = r->g->force && restarts == 0;
    MPI_Bcast(&start_over, 1, MPI_INT, 0, r->g->comm);
    r->start_over = start_over;
    if (r->g->force && !start_over) log_info("requeued by SLURM: resuming; --force already applied");
}

/* ---- inputs ---- */

static status read_split_all(run *r)
{
    text notes = {0};
    status st = shared_split_all(r->g, r->ix, &r->split, &notes);
    if (st == OK && notes.n) log_warn("the split:\n%s", text_str(&notes));
    text_free(&notes);
    return st;
}

/* compounds.h5: required by some methods; the others read it to leave out the same compounds, so that methods can be compared. */
static status read_vectors_all(run *r)
{
    status st = OK;
    char *path = config_work(&r->g->cfg, WORK_COMPOUNDS);
    TRY(compound_vectors_read_all(r->g->comm, &r->v, path, &r->has_vectors));
    if (!r->has_vectors) {
        if (method_of(r)->compounds) TRY(fail(E_FAILED, "%s is not there: run micon-featurize first", path));
        log_info("no compounds.h5: tiles of all compounds are used");
        goto done;
    }
    TRY_ALL(r->g->comm, input_digests_add(&r->d.in, path));
    r->d.in.item[r->d.in.n - 1].digest = r->v.digest;
    r->d.in.item[r->d.in.n - 1].known = true;
done:
    free(path);
    return st;
}

/* --verify: check the files of all plates and compounds.h5. */
static status verify_inputs_all(const run *r)
{
    stage *g = r->g;
    int64_t *all = NULL, n = 0;
    char *compounds = config_work(&g->cfg, WORK_COMPOUNDS);
    status st = plates_chosen_all(g, r->ix, &all, &n);
    if (st == OK) st = agree_all(g->comm, plates_verify(g, r->ix, all, n, compounds));
    free(all);
    free(compounds);
    return st;
}

/* ---- the model ---- */

static status describe_model(run *r)
{
    status st = OK;
    const config *c = &r->g->cfg;
    const train_options *o = &c->train;
    static const int depth[] = {18, 34, 50, 101};
    model *m = &r->m;
    int channels = (int)c->screen.channels.n;
    const method_info *method = method_of(r);
    bool pretrained = !method->trains;
    m->depth = depth[o->encoder];
    m->size_px = (int)c->tile.size;
    m->pretrained = pretrained;
    m->dim = pretrained ? channels * resnet_width(m->depth) : (int)o->dim;
    m->projection = method->projector ? (int)o->projection : 0;
    m->bits = method->compounds ? (int)r->v.d : 0;
    m->has_dose = o->dose && m->bits > 0;
    m->has_generator = method->generator;
    m->aux_classes = o->aux && !pretrained ? r->d.n_classes : 0;
    m->freeze = pretrained ? FREEZE_ALL : o->freeze;
    if (m->dim % channels != 0) TRY(fail(E_USAGE, "%s: train.dim: %d is not a multiple of the %d channels", c->path, m->dim, channels));
    if (pretrained && strcmp(o->weights, "none") == 0)
        TRY(fail(E_USAGE, "%s: train.method: pretrained needs train.weights: a FILE.safetensors of torchvision or timm", c->path));
    if (o->freeze != FREEZE_NONE && strcmp(o->weights, "none") == 0)
        TRY(fail(E_USAGE, "%s: train.freeze without train.weights would freeze random layers", c->path));
    if (o->aux && method->trains && !method->classes)
        TRY(fail(E_USAGE, "%s: train.aux: %s has no classes to learn", c->path, method_name(o->method)));
    for (int i = 0; i < channels; i++) names_add(&m->channels, c->screen.channels.item[i]);
done:
    return st;
}

static status load_weights(run *r)
{
    status st = OK;
    const char *name = r->g->cfg.train.weights;
    safetensors f = {0};
    char *path = config_path(&r->g->cfg, name);
    if (strcmp(name, "none") == 0) goto done;
    TRY(safetensors_read(&f, path));
    TRY(weights_load_encoder(&r->m.params, MODEL_PREFIX, &f));
done:
    safetensors_free(&f);
    free(path);
    return st;
}

/* The weights file is an input too; it is checked before anything is built. */
static status list_weights(run *r)
{
    status st = OK;
    const char *name = r->g->cfg.train.weights;
    char *path = config_path(&r->g->cfg, name);
    if (strcmp(name, "none") == 0) goto done;
    if (!path_exists(path)) TRY(fail(E_USAGE, "%s: train.weights: %s is not there", r->g->cfg.path, path));
    TRY(input_digests_add(&r->d.in, path));
    input *i = &r->d.in.item[r->d.in.n - 1];
    TRY(digest_file(path, &i->digest));
    i->known = true;
done:
    free(path);
    return st;
}

static void made_from(const run *r, nn_type type, text *t)
{
    char d[DIGEST_TEXT];
    provenance_config(r->g, t);
    text_addf(t, "precision: %s\n", type == NN_BF16 ? "bf16" : "fp32");
    text_addf(t, "split: %s\n", digest_show(split_digest(&r->split, r->ix), d));
    uint64_t rows = 0;
    for (int64_t p = 0; p < index_n_plates(r->ix); p++) rows = digest_mix(rows, index_plate_digest(r->ix, p, INDEX_OF_ALL));
    text_addf(t, "index rows: %s\n", digest_show(rows, d));
    for (int64_t p = 0; p < r->d.n_plates; p++) {
        if (!r->d.missing[p]) continue;
        char *label = plates_label(r->ix, p);
        text_addf(t, "plate left out: %s\n", label);
        free(label);
    }
    text_addf(t, "inputs: %s\n", digest_show(input_digests_digest(&r->d.in), d));
}

/* Mean and sd of log10 of the doses that some training step may see, each treatment once. */
static status measure_doses(run *r)
{
    status st = OK;
    model *m = &r->m;
    double n = 0, sum = 0, squares = 0;
    char *seen = xcalloc((size_t)r->d.n_classes, 1);
    for (int64_t i = 0; i < r->d.n; i++) {
        int32_t class = r->d.train[i].compound;
        if (class <= 0 || seen[class]) continue;
        seen[class] = 1;
        n++, sum += r->d.dose[class];
    }
    m->dose_mean = sum / n;
    for (int class = 1; class < r->d.n_classes; class ++)
        if (seen[class]) squares += (r->d.dose[class] - m->dose_mean) * (r->d.dose[class] - m->dose_mean);
    m->dose_sd = sqrt(squares / n);
    if (!(m->dose_sd > 1e-6))
        TRY(fail(E_USAGE,
                 "%s: train.dose: all treatments that are trained on have one dose, so nothing of doses can be learned: leave it out",
                 r->g->cfg.path));
done:
    free(seen);
    return st;
}

/* Compounds that some training step may see. */
static void list_compounds(run *r)
{
    char *seen = xcalloc((size_t)r->d.n_classes, 1);
    for (int64_t i = 0; i < r->d.n; i++)
        if (r->d.train[i].compound > 0) seen[r->d.train[i].compound] = 1;
    names all = {0};
    for (int64_t row = 0; row < index_n_rows(r->ix); row++) {
        int class = index_class(r->ix, row);
        if (class <= 0 || !seen[class]) continue;
        seen[class] = 0;
        const char *id = index_cell(r->ix, row, INDEX_COMPOUND);
        int64_t at = r->has_vectors ? compound_vectors_find(&r->v, id) : -1;
        names_add(&all, at >= 0 ? compound_vectors_key(&r->v, at) : id);
    }
    for (size_t i = 0; i < all.n; i++)
        if (names_find(&r->m.compounds, all.item[i]) < 0) names_add(&r->m.compounds, all.item[i]);
    names_free(&all);
    free(seen);
}

/* Rank 0: the model was made from this, and no checkpoint is newer (a newer one is of a forced run that was stopped). */
static bool is_finished(const run *r, const char *made_from)
{
    char *newest = checkpoint_newest(r->checkpoints);
    int64_t size, model_ns = 0, newest_ns = 0;
    bool is = checkpoint_is_of(r->model_path, made_from);
    if (is && newest && checkpoint_is_of(newest, made_from) && path_stat(newest, &size, &newest_ns) == OK &&
        path_stat(r->model_path, &size, &model_ns) == OK)
        is = newest_ns <= model_ns;
    msg_clear();
    free(newest);
    return is;
}

/* Rank 0, with train.precision auto: a run begun on another kind of CPU keeps its precision if this CPU has it; every CPU has fp32. */
static status keep_precision(const run *r, nn_type *type, bool *done)
{
    status st = OK;
    nn_type rest = *type == NN_BF16 ? NN_F32 : NN_BF16;
    text other = {0};
    char *newest = checkpoint_newest(r->checkpoints);
    made_from(r, rest, &other);
    if (!r->g->force && is_finished(r, text_str(&other))) {
        *type = rest;
        *done = true;
    } else if (!r->start_over && newest && checkpoint_is_of(newest, text_str(&other))) {
        if (rest == NN_BF16)
            TRY(fail(E_FAILED,
                     "%s was written in bf16, which a CPU of this job lacks: restrict the job to nodes with bf16, or set "
                     "train.precision (fp32 starts over); the checkpoint is kept",
                     newest));
        *type = rest;
        log_info("%s was written in fp32: training continues in fp32", newest);
    }
done:
    free(newest);
    text_free(&other);
    return st;
}

/* Rank 0: a forced run begins. Its record is removed until it ends, so that micon run does not take the old model for finished. */
static status clear_previous(const run *r)
{
    char *name = text_encode_name(r->g->cfg.train.run), *record = output_record_path(&r->g->cfg, "train", name);
    unlink(record);
    free(name);
    free(record);
    return checkpoint_clear(r->checkpoints, text_str(&r->m.made_from));
}

/* The precision, what the model is made from, and whether there is a finished model of exactly that. */
static status choose_precision_all(run *r, bool *done)
{
    status st = OK;
    stage *g = r->g;
    text ours = {0};
    r->kit.type = shared_nets_type_all(g->comm, g->cfg.train.precision);
    *done = false;
    if (g->rank == 0) {
        made_from(r, r->kit.type, &ours);
        *done = !g->force && is_finished(r, text_str(&ours));
        if (!*done && g->cfg.train.precision == PRECISION_AUTO) st = keep_precision(r, &r->kit.type, done);
    }
    TRY_ALL(g->comm, st);
    int settled[] = {r->kit.type, *done};
    MPI_Bcast(settled, 2, MPI_INT, 0, g->comm);
    r->kit.type = (nn_type)settled[0];
    *done = settled[1];
    made_from(r, r->kit.type, &r->m.made_from);
done:
    text_free(&ours);
    return st;
}

/* The items of the validation loss, if there are enough: its batches are as large as those of training, because the loss depends on the
 * number of rows. */
static status make_valid_items(run *r)
{
    const train_options *o = &r->g->cfg.train;
    const method_info *method = method_of(r);
    bool by_compound = method->items == ITEMS_COMPOUNDS;
    status st = pair_sampler_create(&r->valid, r->d.valid, r->d.n, method->controls, (uint32_t)o->seed, NULL);
    if (st == E_NOMEM) return st;
    if (st != OK) {
        log_warn("no validation loss: %s", msg_get());
        msg_clear();
        return OK;
    }
    int64_t epoch = pair_sampler_epoch(r->it, method->items), want = by_compound && epoch < o->batch ? epoch : o->batch;
    int64_t have = pair_sampler_epoch(r->valid, method->items);
    if (have >= want) return OK;
    log_warn("no validation loss: %lld validation %s are fewer than a batch of %lld", (long long)have, by_compound ? "compounds" : "tiles",
             (long long)want);
    pair_sampler_destroy(&r->valid);
    return OK;
}

/* The items of training and validation; fails if there are too few. */
static status make_items(run *r)
{
    status st = OK;
    const train_options *o = &r->g->cfg.train;
    const method_info *method = method_of(r);
    int64_t left_out = 0;
    if (!method->trains) goto done;
    TRY(pair_sampler_create(&r->it, r->d.train, r->d.n, method->controls, (uint32_t)o->seed, &left_out));
    if (left_out > 0) log_warn("%lld tiles left out: their compounds have only one tile", (long long)left_out);
    int64_t have = pair_sampler_epoch(r->it, method->items);
    bool by_compound = method->items == ITEMS_COMPOUNDS; /* a batch is at most as large as the number of compounds */
    if (by_compound && have < r->g->size)
        TRY(fail(E_USAGE, "%s: a step has one item per compound, and %d compounds cannot be divided among %d ranks: use fewer ranks",
                 method_name(o->method), (int)have, r->g->size));
    if (!by_compound && have < o->batch)
        TRY(fail(E_FAILED, "%lld %s tiles are fewer than train.batch %lld: lower it", (long long)have,
                 method->items == ITEMS_TILES ? "training" : "treated training", (long long)o->batch));
    if (o->valid_every > 0 && r->d.n_valid == 0) log_warn("train.valid_every: there are no validation batches; set split.valid_batches");
    if (o->early_stop > 0 && (o->valid_every == 0 || r->d.n_valid == 0))
        TRY(fail(E_USAGE, "%s: train.early_stop needs train.valid_every and split.valid_batches", r->g->cfg.path));
    if (o->valid_every > 0 && r->d.n_valid > 0 && !validation_has_query(&r->d)) {
        if (o->early_stop > 0)
            TRY(fail(
                E_USAGE,
                "%s: train.early_stop: no validation well has its compound in another validation batch: raise split.valid_batches or set "
                "train.early_stop 0",
                r->g->cfg.path));
        log_warn("no validation well has its compound in another validation batch: nothing can be retrieved; raise split.valid_batches");
    }
    if (o->valid_every > 0 && r->d.n_valid > 0) TRY(make_valid_items(r));
done:
    return st;
}

status run_setup_all(run *r, bool *fresh)
{
    status st = OK;
    stage *g = r->g;
    const train_options *o = &g->cfg.train;
    if (method_of(r)->trains && o->batch < g->size)
        TRY(fail(E_USAGE, "train.batch: %lld items cannot be divided among %d ranks: use fewer ranks or a larger train.batch",
                 (long long)o->batch, g->size));
    kernels_set_threads(comm_threads_all(g->comm));
    resolve_force_all(r);
    TRY(plates_index_all(g, &r->ix));
    TRY(read_split_all(r));
    if (g->verify) TRY(verify_inputs_all(r));
    TRY(read_vectors_all(r));
    TRY_ALL(g->comm, list_weights(r));
    TRY(dataset_list_all(&r->d, g, r->ix, &r->split, r->has_vectors ? &r->v : NULL));
    TRY(choose_precision_all(r, fresh));
    if (*fresh) goto done;
    TRY_ALL(g->comm, describe_model(r));
    TRY_ALL(g->comm, make_items(r));
    TRY(tile_cache_load_all(&r->d, g, TILE_LOADER_PASSES * batch_tiles(g)));
    r->m.mean = xcalloc((size_t)r->d.channels, sizeof *r->m.mean);
    r->m.sd = xcalloc((size_t)r->d.channels, sizeof *r->m.sd);
    memcpy(r->m.mean, r->d.mean, (size_t)r->d.channels * sizeof *r->m.mean);
    memcpy(r->m.sd, r->d.sd, (size_t)r->d.channels * sizeof *r->m.sd);
    list_compounds(r);
    if (r->m.has_dose) TRY_ALL(g->comm, measure_doses(r));
    TRY_ALL(g->comm, model_build(&r->m, true));
    model_init(&r->m, (uint32_t)g->cfg.train.seed);
    TRY_ALL(g->comm, load_weights(r));
    if (!method_of(r)->trains) goto done;
    TRY_ALL(g->comm, dnn_create(&r->kit.dn));
    if (r->start_over) TRY_ALL(g->comm, g->rank == 0 ? clear_previous(r) : OK);
    if (!r->start_over) TRY(checkpoint_read_all(g, r->checkpoints, &r->m, &r->at, &r->kit.choices));
    TRY(trainer_create_all(&r->t, g, &r->m, &r->d, r->it, &r->v, &r->kit, r->at.step));
done:
    return st;
}

/* ---- the end ---- */

status run_record(const run *r)
{
    status st = OK;
    uint64_t content;
    char *name = text_encode_name(r->g->cfg.train.run), *memory = provenance_inputs_file(r->g, name);
    TRY(digest_file(r->model_path, &content));
    TRY(input_digests_remember(&r->d.in, memory));
    TRY(provenance_record(r->g, name, r->model_path, text_str(&r->m.made_from), input_digests_digest(&r->d.in), content));
done:
    free(name);
    free(memory);
    return st;
}

void run_free(run *r)
{
    trainer_destroy(&r->t);
    pair_sampler_destroy(&r->it);
    pair_sampler_destroy(&r->valid);
    conv_choices_free(&r->kit.choices);
    dnn_destroy(&r->kit.dn);
    model_free(&r->m);
    dataset_free_all(&r->d);
    compound_vectors_free(&r->v);
    screen_split_free(&r->split);
    index_free(&r->ix);
    free(r->folder);
    free(r->model_path);
    free(r->checkpoints);
    free(r->log_path);
}
