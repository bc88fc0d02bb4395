/* embed.h -- the parts of micon-embed. Collective where the name ends in _all. */
#ifndef EMBED_H
#define EMBED_H
#include "micon/config/file_formats.h"
#include "micon/nn/model.h"
#include "micon/nn/onednn.h"
#include "micon/nn/resnet.h"
#include "micon/stage/compound_vectors.h"
#include "micon/stage/stage.h"
#include "micon/store/store.h"

/* ---- inference.c: tiles to representations ---- */
typedef struct {
    const model *m;
    dnn *d;
    resnet *net;
    nn_type type;
    int sites;            /* of a chunk of the output, and of a pass where all have the same number of tiles */
    int n_tiles;          /* per pass; short passes are padded, so that a row does not depend on the number of rows */
    float (*levels)[256]; /* [channels]: byte -> network value */
    float *pictures;      /* [n_tiles, channels, size, size] */
    float *norm, *inside; /* buffers of the head */
} inference;

/* Compiles the network with the convolutions chosen for this screen (stage/shared_nets.h). */
status inference_create_all(inference *e, stage *g, const model *m, nn_type type, int tiles_per_site) MUST_USE;
void inference_free(inference *e);
/* n <= n_tiles tiles [n, channels, size, size] -> h [n, dim], u [n, projection] (NULL: not wanted). */
status inference_run(inference *e, const uint8_t *tiles, int n, float *h, float *u) MUST_USE;

/* ---- plate.c: one plate's file ---- */
typedef struct {
    stage *g;
    model m;
    uint64_t model_digest;
    char *model_path, *compounds_path;
    const vectors *compounds; /* NULL: neither counterfactuals nor, of a clip model, compounds' own representations */
    const int64_t *wanted;    /* rows of compounds to predict */
    int64_t n_wanted;
    names wanted_names;     /* n_wanted: names in the screen or the list */
    double *wanted_dose;    /* [n_wanted] log10, of a model with doses; else NULL */
    names wanted_treatment; /* likewise: COMPOUND|DOSE, as the screen names its treatments */
    inference net;
    text made_from; /* for all plates; a plate adds its own */
} embedder;
/* *made: a file was written (false: it was up to date). */
status plate_embed_all(embedder *b, const char *tiles_path, const char *out_path, const char *label, bool *made) MUST_USE;

/* ---- tile_reader.c: tiles from a file, ahead of the computation, by one thread ---- */
typedef struct tile_reader tile_reader;
/* Passes [first, first + n) of `pass` tiles each (the last may be short); opens its own handle of the file. */
status tile_reader_start(tile_reader **out, const char *path, int64_t n_tiles, size_t tile_bytes, int pass, int64_t first,
                         int64_t n) MUST_USE;
/* The next pass, borrowed until the next call; wait_s: seconds that the caller waited, added to. */
status tile_reader_next(tile_reader *r, const uint8_t **tiles, int *n, double *wait_s) MUST_USE;
void tile_reader_stop(tile_reader **r); /* NULL-safe; joins the thread */

#endif
