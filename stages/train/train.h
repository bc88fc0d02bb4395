/* train.h -- the parts of micon-train. Collective where the name ends in _all. */
#ifndef TRAIN_H
#define TRAIN_H
#include "micon/config/file_formats.h"
#include "micon/index/index.h"
#include "micon/index/split.h"
#include "micon/nn/augment.h"
#include "micon/nn/conv_autotune.h"
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

/* ---- dataset.c: the tiles that are trained on and validated with ---- */
typedef struct {
    int32_t file; /* number of the plate */
    int64_t row;  /* in its file */
    int64_t slot; /* among the tiles kept in memory; -1: read when it is wanted, if ever */
} tile_place;

typedef struct {
    int64_t n;                                  /* tiles of the screen */
    tile_place *place;                          /* [n] */
    item_tile *train;                           /* [n]: of training tiles; compound -1 for the others */
    item_tile *valid;                           /* [n]: of validation tiles */
    int64_t n_train, n_valid, n_wanted, n_kept; /* wanted: to train or to validate; kept: in this node's memory */
    names paths;                                /* of the plates' files */
    char *missing;                              /* [n_plates]: has no file */
    int64_t n_plates, n_missing;
    input_digests in; /* model file's inputs: tiles, compounds, weights */
    int channels, size_px;
    int n_classes;       /* with the control */
    int64_t *vector_row; /* [n_classes]: row of the compounds; -1: none */
    double *mean, *sd;   /* [channels] of 0..1, over the pixels of all training tiles */
    MPI_Comm node;       /* ranks that share the window */
    MPI_Win window;
    uint8_t *tiles;  /* [n_kept, channels, size, size], shared by the ranks of a node */
    int64_t *digest; /* [n]: of the tiles' bytes; NULL: none is read again */
} dataset;
/* What the tiles are. v NULL: compounds without a vector are used too. A plate without a tile file is a warning and left out; none
 * at all is E_FAILED. d->window and d->node are MPI's null handles before. */
status data_list_all(dataset *d, stage *g, const screen_index *ix, const screen_split *split, const vectors *v) MUST_USE;
bool data_wanted(const dataset *d, int64_t tile);
void data_free_all(dataset *d);

/* ---- tile_cache.c: their pixels ---- */
/* Into memory, as many as train.tiles_memory allows; mean and sd of all. ahead: tiles that a rank reads ahead where that is not all.
 * E_USAGE with what to change where not even those fit. */
status data_load_all(dataset *d, stage *g, int64_t ahead) MUST_USE;
double data_memory_left(const dataset *d); /* bytes of the node that this rank may still use; local, after data_load_all */
size_t data_tile_bytes(const dataset *d);
bool data_reads(const dataset *d);                        /* not all are in this node's memory */
const uint8_t *data_tile(const dataset *d, int64_t tile); /* borrowed; NULL: not in memory */
/* Tiles from their files, which stay open. One thread of a process reads at a time (store.h). */
typedef struct tile_files tile_files;
tile_files *tile_files_create(const dataset *d);
void tile_files_destroy(tile_files **f);
/* Tiles [tile, tile + n), of one file. E_FORMAT where they are not those that were there when the training began. */
status tile_files_read(tile_files *f, int64_t tile, int64_t n, uint8_t *out) MUST_USE;

/* ---- tile_loader.c: the tiles of pass after pass, read ahead where they are not in memory ---- */
enum {
    FEED_BLOCKS = 3, /* passes: the present one and two ahead */
    PASS_TILES = 16  /* of a pass over tiles that a net looks at once */
};
typedef struct feed feed;
/* The tiles of pass k, `most` or fewer, to `tile`; their number. note: room of note_bytes that goes with the pass, filled here, on the
 * thread that reads where there is one. */
typedef int64_t (*feed_list)(void *ctx, int64_t k, void *note, int64_t *tile);
status feed_start(feed **out, const dataset *d, int64_t most, size_t note_bytes, int64_t first, int64_t n, feed_list list,
                  void *ctx) MUST_USE;
/* Each of these n tiles once, in this order, in passes of PASS_TILES and what is left; no note. `tile` is borrowed until feed_stop. */
status feed_start_tiles(feed **out, const dataset *d, const int64_t *tile, int64_t n) MUST_USE;
/* The next pass, borrowed until the next call; wait_s: seconds that tiles were waited for, added to. */
status feed_next(feed *f, void **note, const int64_t **tile, const uint8_t *const **at, int64_t *n, double *wait_s) MUST_USE;
void feed_stop(feed **f); /* NULL-safe, sets NULL */

/* ---- allreduce.c: over ranks ---- */
/* The gradient in buckets: each is summed over the ranks by a non-blocking reduction that starts as soon as the backward pass has
 * finished it. */
typedef struct sums sums;
status allreduce_create_all(sums **out, MPI_Comm comm, nn_params *p, int wire) MUST_USE;
void allreduce_destroy(sums **s);
void allreduce_begin(sums *s);                           /* before a backward pass */
void allreduce_ready(void *ctx, size_t first, size_t n); /* ctx: the sums; see resnet_config */
void allreduce_finish_all(sums *s);                      /* every gradient is the global one */
void allreduce_norm(void *ctx, double *v, size_t n);     /* batch norm's sums; ctx: the sums */
double allreduce_seconds(const sums *s);                 /* spent waiting since allreduce_begin */
double allreduce_finish_seconds(const sums *s);          /* of it in allreduce_finish_all */
double allreduce_flight_seconds(const sums *s);          /* between the start of the first reduction and the end of the last */
int64_t allreduce_bytes(const sums *s);                  /* sent a rank since allreduce_begin */

/* ---- frozen_cache.c: the frozen first layers, where nothing random comes before them ---- */
typedef struct front front;
/* Computes what is kept. wanted [tiles of the screen]: those that steps will ask for. */
status front_create_all(front **out, stage *g, const model *m, const dataset *d, dnn *dn, conv_choices *choices, nn_type type,
                        const char *wanted) MUST_USE;
void front_free_all(front **f);
size_t front_bytes(const front *f);                   /* of a tile's outputs */
const void *front_kept(const front *f, int64_t tile); /* borrowed; NULL: not kept */
/* n tiles -> out [n, front_bytes]. */
status front_compute(front *f, const uint8_t *const *at, int64_t n, char *out) MUST_USE;

/* ---- batch.c: what a step's network is given ---- */
typedef struct {
    stage *g;
    const model *m;
    const dataset *d;
    pair_sampler *it;
    int method, views, slots;
    augment_kind augment;
    bool two_parts;             /* the net is a front and a back */
    int64_t n_global, first, n; /* items: of the step, this rank's */
    int64_t rows, all_rows;     /* slots x items */
    feed *feed;
    front *front;
    const item_pair *pair;      /* [n_global]: the step's, borrowed */
    int32_t *label, *two_label; /* [all_rows], [2 n_global] */
    float *pictures, *work;     /* [rows, channels, size, size] */
    char *between, *fresh;      /* [rows, front_bytes]: for the back; of tiles that are not kept */
} step_input;
int64_t input_tiles(const stage *g); /* the most tiles that a rank's part of a step has */
/* first: the step it begins with; it uses up `it`. */
status input_create_all(step_input *in, stage *g, const model *m, const dataset *d, pair_sampler *it, dnn *dn, conv_choices *choices,
                        nn_type type, int64_t first) MUST_USE;
void input_free(step_input *in); /* all ranks */
/* The items of step k of a sequence, and the tiles of a rank's rows of them; then what the losses must know of them. */
void input_items(const step_input *in, pair_sampler *it, int64_t k, item_pair *pair);
void input_rows(const step_input *in, const item_pair *pair, int rank, int64_t *tile);
void input_label(step_input *in, const item_pair *pair);
status input_next(step_input *in, int64_t step, double *wait_s) MUST_USE; /* local */
status input_forward(step_input *in, resnet *net, float *features) MUST_USE;
/* Somebody else reads tiles meanwhile; input_resume before the next step. */
void input_pause(step_input *in);
status input_resume(step_input *in, int64_t step) MUST_USE;

/* ---- step.c: one step ---- */
typedef struct {
    double loss, contrast, generated, aux; /* total and parts, over all ranks */
    double compute_s, wait_s, comm_s, hidden_s;
    int64_t bytes;
    int64_t fell_back; /* items whose second view did not satisfy `views` */
} step_result;

typedef struct trainer trainer;
status trainer_create_all(trainer **out, stage *g, model *m, dataset *d, pair_sampler *it, const vectors *v, dnn *dn, conv_choices *choices,
                          nn_type type, int64_t first) MUST_USE;
void trainer_destroy(trainer **t);
step_input *trainer_input(trainer *t);
/* Forward and backward of step `step`, the one after the last: gradients are the global ones afterwards. */
status trainer_gradients_all(trainer *t, int64_t step, step_result *r) MUST_USE;
/* The loss of other items, h [rows of this rank, dim] their representations: nothing moves. pair [n_global] is kept until the next step. */
status trainer_loss_all(trainer *t, const item_pair *pair, const float *h, double *loss) MUST_USE;
void trainer_changed(trainer *t); /* the weights were changed */
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
/* Those made from something else than this run are moved to FOLDER/other-DIGEST/, by what they were made from, and back when such a run
 * comes again: a mistaken setting costs nothing. */
/* Remove this run's (m->made_from): a run that is forced begins anew. */
status checkpoint_clear(const char *folder, const char *made_from) MUST_USE;
char *checkpoint_newest(const char *folder);                    /* its name, to be freed; NULL: there is none */
bool checkpoint_is_of(const char *path, const char *made_from); /* a checkpoint or a model; one that cannot be read: false */
status weights_finite(const nn_params *p) MUST_USE;             /* a step may go beyond what fp32 holds after its loss was looked at */
status checkpoint_write(const char *folder, const model *m, const progress_state *s, const conv_choices *c) MUST_USE;
/* The newest valid one that was made from the same (m->made_from), to all ranks: a damaged one is named and removed, and the one before it
 * used. None: nothing changes, s->step is 0. */
status checkpoint_read_all(stage *g, const char *folder, model *m, progress_state *s, conv_choices *c) MUST_USE;

/* ---- validate.c ---- */
typedef struct {
    double top1, chance; /* NSB on raw h well means of the validation batches; NaN: there is no query */
    int64_t queries;
    double loss; /* the run's own, of items of the validation batches; NaN: there are too few for a batch */
} validation;
/* Is there a query: two wells of a compound in different validation batches? Where none is, `out` has no query and no top-1. */
bool validation_asks(const dataset *d);
/* it: items of the validation tiles, or NULL. The input of `t` is paused. */
status validate_all(trainer *t, pair_sampler *it, dnn *dn, conv_choices *choices, nn_type type, validation *out) MUST_USE;

/* ---- step_log.c: log.jsonl, a line a step ---- */
/* Of this process: seconds by the clock, by its processors over all threads (on a busy machine the steadier figure); blocks of memory. */
typedef struct {
    double seconds, processor;
    int64_t allocations;
} step_cost;
step_cost cost_now(void);
step_cost cost_since(const step_cost *from);
/* Opened to go on after `step`: lines of later steps are dropped. The caller closes it. */
status journal_open(FILE **out, const char *path, int64_t step) MUST_USE;
/* f NULL: nothing. v NULL: there was no validation after it. E_IO: the next call tries again what was not written. */
status journal_step(FILE *f, int64_t step, int64_t batch, const step_result *s, const step_cost *c, double lr, double norm,
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
    dnn *dn;
    conv_choices choices;
    double step_s; /* mean of the steps, by the clock that times convolutions (conv_clock) */
    nn_type type;
    trainer *t;
    progress_state at;
    char *folder, *model_path, *checkpoints, *log_path;
    FILE *log;
    bool log_failed;
    bool anew; /* checkpoints there are not this run's: --force */
} run;
/* fresh: there is a finished model of exactly this; nothing else is set up then. */
status run_set_up_all(run *r, bool *fresh) MUST_USE;
status run_record(const run *r) MUST_USE; /* rank 0, when the model stands: what the driver and later stages look at first */
void run_free(run *r);

#endif
