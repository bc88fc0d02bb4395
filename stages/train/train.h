/* train.h -- the parts of micon-train. Collective where the name ends in _all. */
#ifndef TRAIN_H
#define TRAIN_H
#include "micon/config/file_formats.h"
#include "micon/index/index.h"
#include "micon/index/split.h"
#include "micon/nn/augment.h"
#include "micon/nn/conv_autotune.h"
#include "micon/nn/method.h"
#include "micon/nn/model.h"
#include "micon/nn/optimizer.h"
#include "micon/nn/pair_sampler.h"
#include "micon/nn/resnet.h"
#include "micon/provenance/input_digests.h"
#include "micon/stage/compound_vectors.h"
#include "micon/stage/shared_nets.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"

#include <stdio.h>

/* What every network of the run is built with. */
typedef struct {
    dnn *dn;
    conv_choices choices;
    nn_type type;
} net_kit;

/* ---- dataset.c: the tiles that are trained on and validated with ---- */
typedef struct {
    int32_t file; /* number of the plate */
    int64_t row;  /* in its file */
    int64_t slot; /* among the tiles kept in memory; -1: read from its file when needed */
} tile_place;

typedef struct {
    int64_t n;                                  /* tiles of the screen */
    tile_place *place;                          /* [n] */
    sampler_tile *train;                        /* [n]: of training tiles; compound -1 for the others */
    sampler_tile *valid;                        /* [n]: of validation tiles */
    int64_t n_train, n_valid, n_wanted, n_kept; /* wanted: for training or validation; kept: in this node's memory */
    names paths;                                /* of the plates' files */
    char *missing;                              /* [n_plates]: has no file */
    int64_t n_plates, n_missing;
    input_digests in; /* model file's inputs: tiles, compounds, weights */
    int channels, size_px;
    int n_classes;       /* with the control */
    int64_t *vector_row; /* [n_classes]: row of the compounds; -1: none */
    double *dose;        /* [n_classes]: log10, with train.dose; else NULL */
    double *mean, *sd;   /* [channels] of 0..1, over the pixels of all training tiles */
    MPI_Comm node;       /* ranks that share the window */
    MPI_Win window;
    uint8_t *tiles;  /* [n_kept, channels, size, size], shared by the ranks of a node */
    int64_t *digest; /* [n]: of the tiles' bytes; NULL: no tile is read again */
} dataset;
/* Lists the tiles. v NULL: compounds without a vector are used too. A plate without a tile file is left out with a warning; no plate
 * at all is E_FAILED. d->window and d->node are MPI's null handles before. */
status dataset_list_all(dataset *d, stage *g, const screen_index *ix, const screen_split *split, const vectors *v) MUST_USE;
bool dataset_wanted(const dataset *d, int64_t tile);
void dataset_free_all(dataset *d);

/* ---- tile_cache.c: their pixels ---- */
/* Reads as many tiles into memory as train.tiles_memory allows; mean and sd of all. ahead: tiles that a rank reads ahead if they do not
 * all fit. E_USAGE with what to change if not even those fit. */
status tile_cache_load_all(dataset *d, stage *g, int64_t ahead) MUST_USE;
double tile_cache_memory_left(const dataset *d); /* bytes of the node that this rank may still use; local, after tile_cache_load_all */
size_t dataset_tile_bytes(const dataset *d);
bool tile_cache_is_partial(const dataset *d);                   /* not all are in this node's memory */
const uint8_t *tile_cache_find(const dataset *d, int64_t tile); /* borrowed; NULL: not in memory */
/* Tiles from their files, which stay open. One thread of a process reads at a time (store.h). */
typedef struct tile_files tile_files;
tile_files *tile_files_create(const dataset *d);
void tile_files_destroy(tile_files **f);
/* Tiles [tile, tile + n), of one file. E_FORMAT where they are not those that were there when the training began. */
status tile_files_read(tile_files *f, int64_t tile, int64_t n, uint8_t *out) MUST_USE;

/* ---- tile_loader.c: the tiles of pass after pass, read ahead where they are not in memory ---- */
enum {
    TILE_LOADER_PASSES = 3, /* passes: the present one and two ahead */
    PASS_TILES = 16         /* of a pass over tiles that a net looks at once */
};
typedef struct tile_loader tile_loader;
/* The tiles of pass k, `most` or fewer, to `tile`; their number. note: room of note_bytes that goes with the pass, filled here, on the
 * thread that reads where there is one. */
typedef int64_t (*tile_loader_list)(void *ctx, int64_t k, void *note, int64_t *tile);
status tile_loader_start(tile_loader **out, const dataset *d, int64_t most, size_t note_bytes, int64_t first, int64_t n,
                         tile_loader_list list, void *ctx) MUST_USE;
/* Each of these n tiles once, in this order, in passes of PASS_TILES and what is left; no note. `tile` is borrowed until
 * tile_loader_stop. */
status tile_loader_start_tiles(tile_loader **out, const dataset *d, const int64_t *tile, int64_t n) MUST_USE;
/* The next pass, borrowed until the next call; wait_s: seconds that tiles were waited for, added to. */
status tile_loader_next(tile_loader *f, void **note, const int64_t **tile, const uint8_t *const **at, int64_t *n, double *wait_s) MUST_USE;
void tile_loader_stop(tile_loader **f); /* NULL-safe, sets NULL */

/* ---- shared_params.c: weights and moments once a node ---- */
typedef struct {
    MPI_Comm node;  /* ranks of this node */
    MPI_Win window; /* null: nothing is shared (one rank, or /dev/shm is too small), and each rank updates everything */
    bool whole;     /* the node has all ranks */
    nn_range mine;  /* what this rank updates */
    float **grad;   /* [ranks of the node]: their gradients */
} shared_params;
/* Moves what p has to shared memory: weights and moments of the first rank, each rank's own gradient. */
void shared_params_create_all(shared_params *s, MPI_Comm comm, nn_params *p);
void shared_params_free_all(shared_params *s, nn_params *p); /* what was moved is gone from p, too */
bool shared_params_sum(const shared_params *s);              /* can all gradients be read here? */
void shared_params_wait_all(const shared_params *s);         /* until each rank of the node has come: what it wrote can be read */

/* ---- allreduce.c: over ranks ---- */
/* The gradient in buckets: each is summed over the ranks by a non-blocking reduction that starts as soon as the backward pass has
 * finished it. Ranks of a single node have no messages: each reads its share of the gradients of all. */
typedef struct allreduce allreduce;
enum { ALLREDUCE_MESSAGE = 1 << 20 }; /* values of a bucket: a message of 4 MB */
/* shared is borrowed. */
allreduce *allreduce_create_all(MPI_Comm comm, nn_params *p, const shared_params *shared);
void allreduce_destroy(allreduce **s);
void allreduce_begin(allreduce *s);                      /* before a backward pass */
void allreduce_ready(void *ctx, size_t first, size_t n); /* ctx: the allreduce; see resnet_config */
void allreduce_finish_all(allreduce *s);                 /* the gradient of this rank's share is the global one */
void allreduce_norm(void *ctx, double *v, size_t n);     /* batch norm's sums; ctx: the allreduce */
double allreduce_seconds(const allreduce *s);            /* spent waiting since allreduce_begin */
double allreduce_finish_seconds(const allreduce *s);     /* of it in allreduce_finish_all */
double allreduce_flight_seconds(const allreduce *s);     /* between the start of the first reduction and the end of the last */
int64_t allreduce_bytes(const allreduce *s);             /* sent by a rank, or read from others, since allreduce_begin */

/* ---- network.c ---- */
/* Measures sums between ranks of a node and between nodes, and writes work/status/network.json. */
status network_measure_all(stage *g) MUST_USE;

/* ---- frozen_cache.c: the frozen first layers, where nothing random comes before them ---- */
typedef struct frozen_cache frozen_cache;
/* Fills the cache. wanted [tiles of the screen]: those that steps will need. */
status frozen_cache_create_all(frozen_cache **out, stage *g, const model *m, const dataset *d, net_kit *kit, const char *wanted) MUST_USE;
void frozen_cache_free_all(frozen_cache **f);
size_t frozen_cache_bytes(const frozen_cache *f);                   /* of a tile's outputs */
const void *frozen_cache_find(const frozen_cache *f, int64_t tile); /* borrowed; NULL: not kept */
/* n tiles -> out [n, frozen_cache_bytes]. */
status frozen_cache_compute(frozen_cache *f, const uint8_t *const *at, int64_t n, char *out) MUST_USE;

/* ---- batch.c: the input of a step's network ---- */
typedef struct {
    stage *g;
    const model *m;
    const dataset *d;
    pair_sampler *it;
    const method_info *method;
    int positives, slots;
    augmenter augment;
    bool two_parts;             /* the frozen front is a network of its own */
    int64_t n_global, first, n; /* items: of the step, this rank's */
    int64_t rows, all_rows;     /* slots x items */
    tile_loader *loader;
    frozen_cache *frozen;
    const sampler_item *pair;   /* [n_global]: the step's, borrowed */
    int32_t *label, *two_label; /* [all_rows], [2 n_global] */
    float *pictures, *work;     /* [rows, channels, size, size] */
    char *between, *fresh;      /* [rows, frozen_cache_bytes]: for the back; of tiles that are not kept */
} step_batch;
int64_t batch_tiles(const stage *g); /* the largest number of tiles of a rank in a step */
/* first: the step it begins with; it uses up `it`. */
status batch_create_all(step_batch *in, stage *g, const model *m, const dataset *d, pair_sampler *it, net_kit *kit, int64_t first) MUST_USE;
void batch_free(step_batch *in); /* all ranks */
/* The items of step k of a sequence; the tiles of a rank's rows; the labels for the losses. */
void batch_items(const step_batch *in, pair_sampler *it, int64_t k, sampler_item *pair);
void batch_rows(const step_batch *in, const sampler_item *pair, int rank, int64_t *tile);
void batch_label(step_batch *in, const sampler_item *pair);
status batch_next(step_batch *in, int64_t step, double *wait_s) MUST_USE; /* local */
status batch_forward(step_batch *in, resnet *net, float *features) MUST_USE;
/* Between the two, others may read tiles; batch_resume must come before the next step. */
void batch_pause(step_batch *in);
status batch_resume(step_batch *in, int64_t step) MUST_USE;

/* ---- method_losses.c: the training objectives ---- */
typedef struct {
    double loss, contrast, generated, aux; /* total and parts, over all ranks */
    double compute_s, wait_s, comm_s, hidden_s;
    int64_t bytes;
    int64_t fell_back; /* items whose second view did not satisfy train.positives */
} step_result;

typedef struct losses losses;
/* Local. in, v (may be NULL where the method needs no compounds) and sums are borrowed. */
status losses_create(losses **out, stage *g, const model *m, const step_batch *in, const vectors *v, allreduce *sums) MUST_USE;
void losses_destroy(losses **l); /* NULL-safe, sets NULL */
/* h [rows of this rank, dim], of length 1: the representations of the batch -> the loss over the rows of all ranks and its parts (r, to
 * which the time and the bytes of gathering are added), dh its gradient at h, overwritten; gradients of the heads are added to what is
 * there. eval_only: no running statistics change. */
status losses_all(losses *l, const float *h, float *dh, bool eval_only, step_result *r) MUST_USE;

/* ---- trainer.c: one step ---- */
typedef struct trainer trainer;
status trainer_create_all(trainer **out, stage *g, model *m, dataset *d, pair_sampler *it, const vectors *v, net_kit *kit,
                          int64_t first) MUST_USE;
void trainer_destroy(trainer **t);
step_batch *trainer_batch(trainer *t);
/* Forward and backward of step `step`, the one after the last: the gradient is summed over ranks afterwards. */
status trainer_gradients_all(trainer *t, int64_t step, step_result *r) MUST_USE;
/* The loss of other items, h [rows of this rank, dim] their representations; weights and statistics do not change. pair [n_global] is kept
 * until the next step. */
status trainer_loss_all(trainer *t, const sampler_item *pair, const float *h, double *loss) MUST_USE;
double trainer_norm_all(trainer *t); /* the gradient's length, the same on all ranks */
/* AdamW: after it every rank has the new weights. scale: of the gradient. */
void trainer_update_all(trainer *t, int64_t step, double lr, double scale);
/* norm: local lets running statistics differ between ranks: they become their mean. */
void trainer_share_statistics_all(trainer *t);
const resnet *trainer_net(const trainer *t);

/* ---- checkpoint.c ---- */
typedef struct {
    int64_t step; /* steps done */
    lr_plateau plateau;
    double last_loss; /* of that step, for the plateau */
    double best;      /* validation score, for early stop */
    int64_t since_best;
} progress_state;
/* FOLDER/step-0000000200.safetensors; two are kept. Rank 0. */
/* Checkpoints of another configuration are moved to FOLDER/other-DIGEST/ and back when that configuration returns, so that a mistaken
 * setting costs nothing. */
/* Remove this run's (m->made_from): a forced run starts over. */
status checkpoint_clear(const char *folder, const char *made_from) MUST_USE;
char *checkpoint_newest(const char *folder);                    /* its name, to be freed; NULL: there is none */
bool checkpoint_is_of(const char *path, const char *made_from); /* a checkpoint or a model; one that cannot be read: false */
status weights_finite(const nn_params *p) MUST_USE;             /* a step may overflow fp32 after its loss was checked */
status checkpoint_write(const char *folder, const model *m, const progress_state *s, const conv_choices *c) MUST_USE;
/* The newest valid one that was made from the same (m->made_from), broadcast to all ranks; a damaged one is reported and removed, and the
 * one before it used. None: nothing changes, s->step is 0. */
status checkpoint_read_all(stage *g, const char *folder, model *m, progress_state *s, conv_choices *c) MUST_USE;

/* ---- validate.c ---- */
typedef struct {
    double top1, chance; /* NSB on raw h well means of the validation batches; NaN: there is no query */
    int64_t queries;
    double loss; /* the run's own, of items of the validation batches; NaN: there are too few for a batch */
} validation;
/* Are there two wells of a compound in different validation batches? If not, validate_all finds no query and no top-1. */
bool validation_has_query(const dataset *d);
/* it: items of the validation tiles, or NULL. The batch of `t` is paused (batch_pause). */
status validate_all(trainer *t, pair_sampler *it, net_kit *kit, validation *out) MUST_USE;

/* ---- step_log.c: log.jsonl, a line per step ---- */
/* Of this process: wall-clock seconds; CPU seconds over all threads (steadier on a busy machine); allocations. */
typedef struct {
    double seconds, processor;
    int64_t allocations;
} step_cost;
step_cost step_cost_now(void);
step_cost step_cost_since(const step_cost *from);
/* Opened to resume after `step`: lines of later steps are removed. The caller closes it. */
status step_log_open(FILE **out, const char *path, int64_t step) MUST_USE;
/* f NULL: nothing. v NULL: there was no validation after it. E_IO: the next call retries what was not written. */
status step_log_write(FILE *f, int64_t step, int64_t batch, const step_result *s, const step_cost *c, double lr, double norm,
                      const validation *v) MUST_USE;

/* ---- setup.c: a run ---- */
typedef struct {
    stage *g;
    screen_index *ix;
    screen_split split;
    vectors v;
    bool has_vectors;
    dataset d;
    pair_sampler *it, *valid; /* of training; of validation, NULL: none */
    model m;
    net_kit kit;
    double step_s; /* mean time of a step, measured as convolutions are (conv_clock) */
    trainer *t;
    progress_state at;
    char *folder, *model_path, *checkpoints, *log_path;
    FILE *log;
    bool log_failed;
    bool start_over; /* --force: existing checkpoints are not used */
} run;
/* fresh: the model is up to date; nothing else is set up then. */
status run_setup_all(run *r, bool *fresh) MUST_USE;
status run_record(const run *r) MUST_USE; /* rank 0, when the model is complete: the record that the driver and later stages read */
void run_free(run *r);

#endif
