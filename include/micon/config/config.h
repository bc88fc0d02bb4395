/* config.h -- one YAML file a screen: every section's options as a struct, filled and checked by the tables in
 * common/config/options.c. Local. Errors are E_USAGE and begin with "file:line: ". */
#ifndef MICON_CONFIG_CONFIG_H
#define MICON_CONFIG_CONFIG_H
#include "micon/base/status.h"
#include "micon/base/text.h"
#include "micon/config/opt.h"

#include <stdbool.h>
#include <stdint.h>

/* Whose output a key changes; what only changes how a program runs (memory, retries) affects none. */
enum {
    AFFECTS_INDEX = 1,
    AFFECTS_TILES = 2,
    AFFECTS_COMPOUNDS = 4,
    AFFECTS_SPLIT = 8,
    AFFECTS_MODEL = 16,
    AFFECTS_EMBEDDINGS = 32,
    AFFECTS_PROFILES = 64
};

typedef struct {
    char *name;
    names index, plate, well, compound; /* tables; globs allowed; relative to the configuration file */
    names channels, control, treatment;
    char *work, *group;
} screen_options;

enum { CROP_SQUARE };
enum { PAGES_SINGLE, PAGES_CHANNELS };
enum { ILLUMINATION_NONE, ILLUMINATION_PLATE, ILLUMINATION_FILE };
typedef struct {
    int64_t size, tiles_per_site;
    int crop, pages, illumination;
    double percentile_low, percentile_high, input_scale, max_bad;
    double qc_saturated, qc_focus, qc_sd;
    int64_t memory; /* bytes over all ranks for resampled squares; beyond: spooled */
    char *scratch;  /* folder for the spool; "" : beside the output */
} tile_options;

enum { FINGERPRINT_ECFP2, FINGERPRINT_ECFP4, FINGERPRINT_ECFP6, FINGERPRINT_ECFP8 };
enum { ON_MISSING_FAIL, ON_MISSING_DROP };
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
#define METHODS(X) X(MICON, "micon") X(PACLR, "paclr") X(SIMCLR, "simclr") X(CLIP, "clip") X(PRETRAINED, "pretrained")
#define METHOD_ID(id, name) METHOD_##id,
#define METHOD_WORD(id, name) "|" name
#define METHOD_WORDS (&(METHODS(METHOD_WORD))[1]) /* "micon|paclr|...", as opt.words wants it */
enum { METHODS(METHOD_ID) N_METHODS };
enum { ENCODER_RESNET18, ENCODER_RESNET34, ENCODER_RESNET50, ENCODER_RESNET101 };
enum { FREEZE_NONE, FREEZE_STEM, FREEZE_LAYER1, FREEZE_LAYER2, FREEZE_LAYER3, FREEZE_ALL };
enum { PRECISION_AUTO, PRECISION_FP32, PRECISION_BF16 };
/* What the second view of a compound must differ in from the first: each includes those before it. */
typedef enum { POSITIVES_ANY, POSITIVES_OTHER_WELL, POSITIVES_OTHER_BATCH, POSITIVES_OTHER_SOURCE } sampler_positives;
enum { NORM_SYNC, NORM_LOCAL, NORM_FROZEN };
typedef enum { AUGMENT_AUTO, AUGMENT_NONE, AUGMENT_FLIPS, AUGMENT_FULL } augment_kind;
enum { SCHEDULE_COSINE, SCHEDULE_PLATEAU, SCHEDULE_CONSTANT };
enum { GRADIENT_FP32, GRADIENT_BF16 };
typedef struct {
    char *run, *weights;
    int method, encoder, freeze, precision, positives, norm, augment, schedule, gradient_dtype;
    int64_t seed, batch, steps, memory, tiles_memory, cache_memory, checkpoint_steps, dim, projection, valid_every, early_stop;
    double lr, temperature, lambda, aux_weight, weight_decay, warmup, grad_clip;
    bool detach, aux;
} train_options;

enum { REPRESENTATION_RAW, REPRESENTATION_PROJECTED };
typedef struct {
    int representation;
    bool counterfactual;
    char *counterfactual_compounds; /* screen | unseen | a file of identifiers */
    char *model;
    int precision;
} embed_options;

enum { SCALE_MAD, SCALE_STANDARDIZE, SCALE_NONE }; /* the first two: normalize_kind of normalize.h, in its order */
enum { ON_CONTROL, ON_ALL };
/* sphere: sphering_kind of profile/sphering.h, in its order */
enum { CORRECTION_NONE, CORRECTION_HARMONY };
enum { SELECT_NONE, SELECT_PYCYTOMINER };
enum { HARMONY_SOURCE, HARMONY_BATCH, HARMONY_PLATE };
typedef struct {
    int normalize, normalize_on, sphere, batch_correction, select, harmony_by;
    char *normalize_by, *transform_with;
    names profiles;
    int64_t min_controls, seed, null_size, bootstrap;
} evaluate_options;

typedef struct {
    char *partition, *account, *extra;
    int64_t time_min, mem, plates_per_task, throttle;
    double max_bad_plates;
    int64_t train_nodes, train_ntasks_per_node;
} slurm_options;

typedef struct {
    char *path;       /* of the file */
    char *dir;        /* its folder: what relative names are relative to */
    names older_keys; /* a sentence for each key that was given under its older name; config_log_older_keys */
    screen_options screen;
    tile_options tile;
    featurize_options featurize;
    split_options split;
    train_options train;
    embed_options embed;
    evaluate_options evaluate;
    slurm_options slurm;
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

/* Say on the log which keys should be given under their new names. */
void config_log_older_keys(const config *c);

/* "section.key: value" lines of the keys that affect any of `affects` (all: ~0u), in the table's order, appended: what is recorded
 * in an output and compared later. */
void config_show(const config *c, unsigned affects, text *out);

/* Such lines, whatever version wrote them, in the one form in which they are compared and digested: every renamed key under its older
 * name, so that a rename makes no output out of date. Other lines are copied. Appended. */
void config_comparable(const char *lines, text *out);

/* A folder or file of the configuration, made absolute-or-relative as the program sees it. Caller frees. */
char *config_path(const config *c, const char *name);
char *config_work(const config *c, const char *below); /* work/below; below may be "" */

/* work/<folder>/<source>__<batch>__<plate>.h5 with encoded names. Caller frees. */
char *config_plate_file(const config *c, const char *folder, const char *source, const char *batch, const char *plate);

#endif
