/* train.h -- the parts of micon-train. Collective where the name ends in _all. */
#ifndef TRAIN_H
#define TRAIN_H
#include "micon/augment.h"
#include "micon/conv.h"
#include "micon/index.h"
#include "micon/inputs.h"
#include "micon/items.h"
#include "micon/model.h"
#include "micon/nets.h"
#include "micon/optim.h"
#include "micon/resnet.h"
#include "micon/split.h"
#include "micon/stage.h"
#include "micon/store.h"
#include "micon/vectors.h"

/* ---- data.c: the tiles that are trained on and validated with ---- */
typedef struct {
    int32_t file; /* number of the plate */
    int64_t row;  /* in its file */
    int64_t slot; /* among the tiles kept in memory; -1: not needed */
} tile_place;

typedef struct {
    int64_t n;         /* tiles of the screen */
    tile_place *place; /* [n] */
    item_tile *train;  /* [n]: of training tiles; compound -1 for the others */
    item_tile *valid;  /* [n]: of validation tiles */
    int64_t n_train, n_valid, n_kept;
    names paths;   /* of the plates' files */
    char *missing; /* [n_plates]: has no file */
    int64_t n_plates, n_missing;
    inputs in; /* model file's inputs: tiles, compounds, weights */
    int channels, size_px;
    int n_classes;       /* with the control */
    int64_t *vector_row; /* [n_classes]: row of the compounds; -1: none */
    double *mean, *sd;   /* [channels] of 0..1, over the pixels of all training tiles */
    MPI_Comm node;       /* ranks that share the window */
    MPI_Win window;
    uint8_t *tiles; /* [n_kept, channels, size, size], shared by the ranks of a node */
} dataset;
/* What the tiles are. v NULL: compounds without a vector are used too. A plate without a tile file is a warning and left out; none
 * at all is E_FAILED. d->window and d->node are MPI's null handles before. */
status data_list_all(dataset *d, stage *g, const screen_index *ix, const screen_split *split, const vectors *v) MUST_USE;
/* Their pixels, mean and sd. E_USAGE with what to change where they do not fit the node. */
status data_load_all(dataset *d, stage *g) MUST_USE;
double data_memory_left(const dataset *d); /* bytes of the node that this rank may still use; local, after data_load_all */
void data_free_all(dataset *d);
const uint8_t *data_tile(const dataset *d, int64_t tile);

/* ---- sums.c: over ranks ---- */
/* The gradient in buckets: each is summed over the ranks by a non-blocking reduction that starts as soon as the backward pass has
 * finished it. */
typedef struct sums sums;
status sums_create_all(sums **out, MPI_Comm comm, nn_params *p, int wire) MUST_USE;
void sums_destroy(sums **s);
void sums_begin(sums *s);                           /* before a backward pass */
void sums_ready(void *ctx, size_t first, size_t n); /* ctx: the sums; see resnet_config */
void sums_finish_all(sums *s);                      /* every gradient is the global one */
void sums_norm(void *ctx, double *v, size_t n);     /* batch norm's sums; ctx: the sums */
double sums_seconds(const sums *s);                 /* spent waiting since sums_begin */
double sums_finish_seconds(const sums *s);          /* of it in sums_finish_all */
double sums_flight_seconds(const sums *s);          /* between the start of the first reduction and the end of the last */
int64_t sums_bytes(const sums *s);                  /* sent a rank since sums_begin */

/* ---- step.c: one step ---- */
typedef struct {
    double loss, contrast, generated, aux; /* total and parts, over all ranks */
    double compute_s, wait_s, comm_s, hidden_s;
    int64_t bytes;
    int64_t allocations; /* of blocks by the networks in this step: 0 */
    int64_t fell_back;   /* items whose second view did not satisfy `views` */
} step_result;

typedef struct trainer trainer;
status trainer_create_all(trainer **out, stage *g, model *m, dataset *d, items *it, const vectors *v, dnn *dn, conv_choices *choices,
                          nn_type type) MUST_USE;
void trainer_destroy(trainer **t);
/* Forward and backward of step `step`: gradients are the global ones afterwards. */
status trainer_gradients_all(trainer *t, int64_t step, step_result *r) MUST_USE;
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
/* Remove all: a run that is forced begins anew. Rank 0. */
void checkpoint_clear(const char *folder);
status checkpoint_write(const char *folder, const model *m, const progress_state *s, const conv_choices *c) MUST_USE;
/* The newest valid one that was made from the same (m->made_from), to all ranks: a damaged one is named and removed, and the one before it
 * used. None: nothing changes, s->step is 0. */
status checkpoint_read_all(stage *g, const char *folder, model *m, progress_state *s, conv_choices *c) MUST_USE;

/* ---- validate.c ---- */
typedef struct {
    double top1, chance; /* NSB on raw h well means of the validation batches */
    int64_t queries;
} validation;
status validate_all(stage *g, const model *m, const dataset *d, dnn *dn, conv_choices *choices, nn_type type, validation *out) MUST_USE;

#endif
