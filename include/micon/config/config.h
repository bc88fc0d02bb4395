/* config.h -- one YAML file a screen: every section's options as a struct, filled and checked by the tables in
 * common/config/options.c. Local. Errors are E_USAGE and begin with "file:line: ". */
#ifndef MICON_CONFIG_CONFIG_H
#define MICON_CONFIG_CONFIG_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/config/opt.h"

#include <stdbool.h>
#include <stdint.h>

/* Which outputs a key changes. Keys that only change how a program runs (memory, retries) affect none. */
enum {
    AFFECTS_INDEX = 1,
    AFFECTS_TILES = 2,
    AFFECTS_COMPOUNDS = 4,
    AFFECTS_SPLIT = 8,
    AFFECTS_MODEL = 16,
    AFFECTS_EMBEDDINGS = 32,
    AFFECTS_PROFILES = 64,
    AFFECTS_FEATURES = 128,
    AFFECTS_CELL_TILES = 256 /* tiles, where tile.crop is cells: config_show adds it */
};

/* The values of a choice are listed once: the list defines the enum and, as CHOICES(LIST), the text "a|b|c" for opt.words. */
#define CHOICE_ID(id, word) id,
#define CHOICE_WORD(id, word) "|" word
#define CHOICES(list) (&(list(CHOICE_WORD))[1])

typedef struct {
    char *name;
    names index, plate, well, compound; /* tables; globs allowed; relative to the configuration file */
    names channels, control, treatment;
    char *batch; /* where no table gives one; "": the name of the image table's folder */
    struct {
        char *from, *to; /* image paths that begin with `from` begin with `to` instead; "": as written */
    } paths;
    char *work, *group;
} screen_options;

#define CROPS(X) X(CROP_SQUARE, "square") X(CROP_CELLS, "cells")
enum { CROPS(CHOICE_ID) };
#define MASKS(X) X(MASK_NONE, "none") X(MASK_CELL, "cell")
enum { MASKS(CHOICE_ID) };
#define PAGES(X) X(PAGES_SINGLE, "single") X(PAGES_CHANNELS, "channels")
enum { PAGES(CHOICE_ID) };
#define ILLUMINATIONS(X) X(ILLUMINATION_NONE, "none") X(ILLUMINATION_PLATE, "plate") X(ILLUMINATION_FILE, "file")
enum { ILLUMINATIONS(CHOICE_ID) };
/* tile.z: the words before a number of a plane, as opt.h numbers them; image_z of formats/image.h. */
enum { Z_NONE = -1, Z_MAX = -2, Z_MEAN = -3, Z_MIDDLE = -4 };
typedef struct {
    int64_t size, tiles_per_site, z;
    int crop, mask, pages, illumination;
    double scale, percentile_low, percentile_high, input_scale, max_bad;
    double qc_saturated, qc_focus, qc_sd;
    int64_t memory; /* bytes over all ranks for resampled squares; beyond: spooled */
    char *scratch;  /* folder for the spool; "" : beside the output */
    struct {
        int64_t parallel, retries, timeout; /* transfers at once; tries after the first; seconds */
        char *s3;                           /* the endpoint, as url_address wants it */
        char *cache;                        /* folder; "": none */
        int64_t cache_size;                 /* bytes */
    } fetch;                                /* images behind URLs */
} tile_options;

/* find_threshold, find_split and find_grow of cells/find.h, in their order */
#define CELL_THRESHOLDS(X) X(CELL_OTSU, "otsu") X(CELL_OTSU3, "otsu3") X(CELL_CROSS_ENTROPY, "cross_entropy")
enum { CELL_THRESHOLDS(CHOICE_ID) };
#define CELL_SPLITS(X) X(CELL_SPLIT_DISTANCE, "distance") X(CELL_SPLIT_INTENSITY, "intensity") X(CELL_SPLIT_NONE, "none")
enum { CELL_SPLITS(CHOICE_ID) };
#define CELL_GROWS(X) X(CELL_GROW_PROPAGATION, "propagation") X(CELL_GROW_DISTANCE, "distance")
enum { CELL_GROWS(CHOICE_ID) };
typedef struct {
    char *nuclei_channel, *cell_channel, *nuclei_masks, *cell_masks;
    double smooth, correction, least, most, split_distance, cell_smooth, cell_correction, regularization;
    int64_t background, local, cell_background, cell_local, grow_distance;
    int threshold, cell_threshold, split, grow;
    bool log, cell_log;
} cells_options;

#define BRIGHTNESSES(X) X(BRIGHTNESS_NONE, "none") X(BRIGHTNESS_FILE, "file")
enum { BRIGHTNESSES(CHOICE_ID) };
typedef struct {
    int illumination;
    bool cells, border;
} measure_options;

#define FINGERPRINTS(X)                                                                                                                    \
    X(FINGERPRINT_ECFP2, "ECFP2") X(FINGERPRINT_ECFP4, "ECFP4") X(FINGERPRINT_ECFP6, "ECFP6") X(FINGERPRINT_ECFP8, "ECFP8")
enum { FINGERPRINTS(CHOICE_ID) };
#define ON_MISSING(X) X(ON_MISSING_FAIL, "fail") X(ON_MISSING_DROP, "drop")
enum { ON_MISSING(CHOICE_ID) };
typedef struct {
    int fingerprint, on_missing;
    int64_t bits;
    char *vectors;
    double time_limit; /* seconds a row */
} featurize_options;

typedef struct {
    int64_t seed, test_batches, valid_batches;
    names unseen_sources;
    char *unseen_compounds; /* a share 0..1 ("0.2"), a count ("60"), or a file of identifiers */
} split_options;

/* The values of train.method; what each is and needs is the table of nn/method.h. */
#define METHODS(X)                                                                                                                         \
    X(METHOD_MICON, "micon")                                                                                                               \
    X(METHOD_PACLR, "paclr")                                                                                                               \
    X(METHOD_SIMCLR, "simclr") X(METHOD_CLIP, "clip") X(METHOD_PRETRAINED, "pretrained") X(METHOD_CLASSICAL, "classical")
enum { METHODS(CHOICE_ID) N_METHODS };
#define ENCODERS(X)                                                                                                                        \
    X(ENCODER_RESNET18, "resnet18") X(ENCODER_RESNET34, "resnet34") X(ENCODER_RESNET50, "resnet50") X(ENCODER_RESNET101, "resnet101")
enum { ENCODERS(CHOICE_ID) };
#define FREEZES(X)                                                                                                                         \
    X(FREEZE_NONE, "none")                                                                                                                 \
    X(FREEZE_STEM, "stem") X(FREEZE_LAYER1, "layer1") X(FREEZE_LAYER2, "layer2") X(FREEZE_LAYER3, "layer3") X(FREEZE_ALL, "all")
enum { FREEZES(CHOICE_ID) };
#define PRECISIONS(X) X(PRECISION_AUTO, "auto") X(PRECISION_FP32, "fp32") X(PRECISION_BF16, "bf16")
enum { PRECISIONS(CHOICE_ID) };
/* What the second view of a compound must differ in from the first: each includes those before it. */
#define POSITIVES(X)                                                                                                                       \
    X(POSITIVES_ANY, "any")                                                                                                                \
    X(POSITIVES_OTHER_WELL, "other_well") X(POSITIVES_OTHER_BATCH, "other_batch") X(POSITIVES_OTHER_SOURCE, "other_source")
typedef enum { POSITIVES(CHOICE_ID) } sampler_positives;
#define NORMS(X) X(NORM_SYNC, "sync") X(NORM_LOCAL, "local") X(NORM_FROZEN, "frozen")
enum { NORMS(CHOICE_ID) };
#define AUGMENTS(X) X(AUGMENT_AUTO, "auto") X(AUGMENT_NONE, "none") X(AUGMENT_FLIPS, "flips") X(AUGMENT_FULL, "full")
typedef enum { AUGMENTS(CHOICE_ID) } augment_kind;
#define SCHEDULES(X) X(SCHEDULE_COSINE, "cosine") X(SCHEDULE_PLATEAU, "plateau") X(SCHEDULE_CONSTANT, "constant")
enum { SCHEDULES(CHOICE_ID) };
typedef struct {
    char *run, *weights;
    int method, encoder, freeze, precision, positives, norm, augment, schedule;
    int64_t seed, batch, steps, memory, tiles_memory, cache_memory, checkpoint_steps, dim, projection, valid_every, early_stop;
    double lr, temperature, lambda, weight_decay, warmup, grad_clip;
    bool detach, dose, aux, deterministic;
} train_options;

#define REPRESENTATIONS(X) X(REPRESENTATION_RAW, "raw") X(REPRESENTATION_PROJECTED, "projected")
enum { REPRESENTATIONS(CHOICE_ID) };
typedef struct {
    int representation;
    bool counterfactual;
    char *counterfactual_compounds; /* screen | unseen | a file of identifiers */
    char *model;
    int precision;
} embed_options;

#define SCALES(X) X(SCALE_MAD, "mad") X(SCALE_STANDARDIZE, "standardize") X(SCALE_NONE, "none")
enum { SCALES(CHOICE_ID) }; /* the first two: normalize_kind of profile/normalize.h */
#define ON_WELLS(X) X(ON_CONTROL, "control") X(ON_ALL, "all")
enum { ON_WELLS(CHOICE_ID) };
#define SPHERINGS(X)                                                                                                                       \
    X(SPHERING_NONE, "none")                                                                                                               \
    X(SPHERING_ZCA, "ZCA") X(SPHERING_PCA, "PCA") X(SPHERING_ZCA_COR, "ZCA-cor") X(SPHERING_PCA_COR, "PCA-cor") X(SPHERING_AUTO, "auto")
enum { SPHERINGS(CHOICE_ID) }; /* sphering_kind of profile/sphering.h; auto: config_parse replaces it, by the recipe */
#define RESHAPES(X)                                                                                                                        \
    X(RESHAPE_NONE, "none")                                                                                                                \
    X(RESHAPE_RANK_PLATE, "rank_plate") X(RESHAPE_RANK_BATCH, "rank_batch") X(RESHAPE_AUTO, "auto")
enum { RESHAPES(CHOICE_ID) }; /* auto: config_parse replaces it for recipe 0.1, else evaluate, by how many wells plates hold */
/* Of evaluate.ridge, in the order of its row; auto: by the recipe. */
#define RIDGE_AUTO (-1.0)
#define RIDGE_LEDOIT_WOLF (-2.0)
/* The definitions of another version: configurations of 0.1 with "0.1" give the numbers of 0.1. */
#define RECIPES(X) X(RECIPE_0_2, "0.2") X(RECIPE_0_1, "0.1")
enum { RECIPES(CHOICE_ID) };
#define FEATURE_SETS(X) X(FEATURES_SAME, "same") X(FEATURES_INTERSECTION, "intersection")
enum { FEATURE_SETS(CHOICE_ID) };
#define DUPLICATE_WELLS(X) X(DUPLICATES_FAIL, "fail") X(DUPLICATES_MEAN, "mean")
enum { DUPLICATE_WELLS(CHOICE_ID) };
#define EVALUATED_WELLS(X) X(WELLS_AUTO, "auto") X(WELLS_HELD_OUT, "held_out") X(WELLS_ALL, "all")
enum { EVALUATED_WELLS(CHOICE_ID) };
#define NEGATIVES(X) X(NEGATIVES_PLATE, "plate") X(NEGATIVES_BATCH, "batch") X(NEGATIVES_SOURCE, "source") X(NEGATIVES_ALL, "all")
enum { NEGATIVES(CHOICE_ID) };
/* Columns of outside tables, with or without Metadata_; empty: recognized by name. negative: values of `control`. */
typedef struct {
    char *source, *batch, *plate, *well, *treatment, *control, *mechanism;
    names negative;
} table_columns;
/* Columns that make two wells a positive or a negative pair, for a mAP called `name`; without pos_sameby there is none. */
typedef struct {
    char *name;
    names pos_sameby, pos_diffby, neg_sameby, neg_diffby;
} pair_options;
#define CORRECTIONS(X) X(CORRECTION_NONE, "none") X(CORRECTION_HARMONY, "harmony") X(CORRECTION_AUTO, "auto")
enum { CORRECTIONS(CHOICE_ID) };
#define SELECTS(X) X(SELECT_NONE, "none") X(SELECT_PYCYTOMINER, "pycytominer")
enum { SELECTS(CHOICE_ID) };
#define HARMONY_BY(X) X(HARMONY_SOURCE, "source") X(HARMONY_BATCH, "batch") X(HARMONY_PLATE, "plate")
enum { HARMONY_BY(CHOICE_ID) };
#define REPORT_IMAGES(X) X(IMAGES_FOLDER, "folder") X(IMAGES_EMBED, "embed") X(IMAGES_NO, "no")
enum { REPORT_IMAGES(CHOICE_ID) };
typedef struct {
    int images, normalize, normalize_on, reshape, sphere, batch_correction, select, harmony_by;
    int recipe, features, duplicate_wells, wells, negatives;
    table_columns columns;
    pair_options pairs;
    bool image_features;
    char *normalize_by, *transform_with, *relations;
    names profiles;
    int64_t min_controls, seed, null_size, bootstrap;
    double ridge;
} evaluate_options;

#define LAUNCHERS(X) X(LAUNCHER_AUTO, "auto") X(LAUNCHER_SRUN, "srun") X(LAUNCHER_MPIRUN, "mpirun")
enum { LAUNCHERS(CHOICE_ID) };
/* What a job asks for. In the general section -1 is auto; in a stage's -1 is "as the general section", -2 auto, and so are empty words. */
typedef struct {
    char *partition, *account, *qos, *constraint, *extra;
    int64_t time_min, mem, nodes, ntasks_per_node, cpus_per_task;
} slurm_resources;
typedef struct {
    slurm_resources all, featurize, tile, train, embed, measure, evaluate;
    int launcher;
    int64_t plates_per_task, throttle;
    double max_bad_plates;
} slurm_options;

typedef struct {
    char *path;       /* of the file */
    char *dir;        /* its folder: what relative names are relative to */
    names older_keys; /* a sentence for each key that was renamed or removed and is given; config_log_older_keys */
    screen_options screen;
    tile_options tile;
    cells_options cells;
    measure_options measure;
    featurize_options featurize;
    split_options split;
    train_options train;
    embed_options embed;
    evaluate_options evaluate;
    slurm_options slurm;
    bool no_structures; /* no key: the driver found that screen.compound has none (index_has_structures), and no vectors are given */
} config;

/* Read a file, or its text; then `sets` ("section.key=value", n of them) on top, as the command line gave them.
 * Cross-checks that need no data are made here too. *out is {0} before; config_free it in any case. */
status config_read(config *out, const char *path, const names *sets) MUST_USE;
status config_parse(config *out, const char *path, const char *yaml, size_t size, const names *sets) MUST_USE;
void config_free(config *c);

/* The table of all sections, for help and for the driver. */
extern const opt config_options[];

/* Keys that were renamed. The older name is read as the new one (file and --set), is never shown, and together with the new one in a
 * file is an error. The table ends with a NULL section. */
typedef struct {
    const char *section, *older, *name;
} config_rename;
extern const config_rename config_renamed[];

/* Keys that version 0.1 did not have, with the value that does as it did: such a line makes no output of it out of date
 * (config_comparable). The table ends with a NULL section. */
typedef struct {
    const char *section, *name, *as_before;
} config_addition;
extern const config_addition config_added[];

/* Keys that were removed, with the value that always holds now: with it they are accepted and ignored, with another they are an error.
 * Outputs recorded such a line behind that of the key `after`; config_comparable puts it there where a record lacks it. */
typedef struct {
    const char *section, *name, *older, *always, *after; /* older: its name in 0.1, or NULL where that is `name` */
} config_removal;
extern const config_removal config_removed[]; /* ends with a NULL section */

/* Say on the log which keys should be given under their new names, or no longer. */
void config_log_older_keys(const config *c);

/* "section.key: value" lines of the keys that affect any of `affects` (all: ~0u), in the table's order, appended: what is recorded
 * in an output and compared later. With tile.crop: cells tiles depend on more keys than without. */
void config_show(const config *c, unsigned affects, text *out);

/* Such lines, of any version, in the form in which they are compared and digested, which is that of 0.1: every renamed key has its older
 * name, keys removed since are there, keys added since are not where they do as before. So none of these changes makes an output out of
 * date. Other lines are copied. Appended. */
void config_comparable(const char *lines, text *out);

/* A folder or file of the configuration, as the program can open it (relative names are relative to the configuration file). Caller frees.
 * */
char *config_path(const config *c, const char *name);
char *config_work(const config *c, const char *below); /* work/below; below may be "" */

/* work/status/<stage>/<name>.<end>: what a step says of itself (.json), what its output was made from (.made, .inputs), its log (.log) and
 * why it failed (.failed). `name` is encoded already. Caller frees. */
char *config_status_file(const config *c, const char *stage, const char *name, const char *end);

/* work/<folder>/<source>__<batch>__<plate>.h5 with encoded names. Caller frees. */
char *config_plate_file(const config *c, const char *folder, const char *source, const char *batch, const char *plate);

#endif
