/* options.c -- every key of the configuration: type, default, range, help, and whose output it changes. */
#include "micon/config/config.h"

#define AT(sec, field) offsetof(config, sec) + offsetof(sec##_options, field)
#define TEXT(sec, key, def, affects, help)                                                                                                 \
    {                                                                                                                                      \
#sec, #key, OPT_TEXT, AT(sec, key), def, 0, 0, NULL, affects, help                                                                 \
    }
#define LIST(sec, key, def, affects, help)                                                                                                 \
    {                                                                                                                                      \
#sec, #key, OPT_LIST, AT(sec, key), def, 0, 0, NULL, affects, help                                                                 \
    }
#define YES(sec, key, def, affects, help)                                                                                                  \
    {                                                                                                                                      \
#sec, #key, OPT_YES, AT(sec, key), def, 0, 0, NULL, affects, help                                                                  \
    }
#define INT(sec, key, def, lo, hi, words, affects, help)                                                                                   \
    {                                                                                                                                      \
#sec, #key, OPT_INT, AT(sec, key), def, lo, hi, words, affects, help                                                               \
    }
#define REAL(sec, key, def, lo, hi, words, affects, help)                                                                                  \
    {                                                                                                                                      \
#sec, #key, OPT_REAL, AT(sec, key), def, lo, hi, words, affects, help                                                              \
    }
#define BYTES(sec, key, def, lo, hi, words, affects, help)                                                                                 \
    {                                                                                                                                      \
#sec, #key, OPT_BYTES, AT(sec, key), def, lo, hi, words, affects, help                                                             \
    }
#define WORD(sec, key, def, words, affects, help)                                                                                          \
    {                                                                                                                                      \
#sec, #key, OPT_CHOICE, AT(sec, key), def, 0, 0, words, affects, help                                                              \
    }

enum {
    IN_INDEX = AFFECTS_INDEX,
    IN_TILES = AFFECTS_TILES,
    IN_SPLIT = AFFECTS_SPLIT,
    IN_COMPOUNDS = AFFECTS_COMPOUNDS,
    IN_MODEL = AFFECTS_MODEL,
    IN_EMBED = AFFECTS_EMBEDDINGS,
    IN_PROFILES = AFFECTS_PROFILES,
    IN_FEATURES = AFFECTS_FEATURES,
    IN_CELL_TILES = AFFECTS_CELL_TILES,
    IN_CELLS = AFFECTS_FEATURES | AFFECTS_CELL_TILES,
    IN_LABELS = AFFECTS_INDEX | AFFECTS_SPLIT | AFFECTS_MODEL | AFFECTS_EMBEDDINGS | AFFECTS_PROFILES
};

/* clang-format off: a row per key */
const opt config_options[] = {
    TEXT(screen, name, "screen", 0, "name of the screen in messages and reports"),
    LIST(screen, index, "", IN_INDEX, "image tables (LoadData CSV, jump_download, DeepProfiler ...; CSV, TSV or Parquet), globs"),
    LIST(screen, plate, "", IN_INDEX, "plate table(s): Metadata_Source, _Batch, _Plate, _PlateType"),
    LIST(screen, well, "", IN_INDEX, "well table(s): Metadata_Source, _Plate, _Well, _JCP2022; or barcode_platemap CSV(s), plate maps"),
    LIST(screen, compound, "", IN_INDEX | IN_COMPOUNDS, "compound table(s): Metadata_JCP2022, _InChIKey, _SMILES"),
    LIST(screen, channels, "DNA,ER,RNA,AGP,Mito", IN_INDEX | IN_TILES | IN_FEATURES, "channel names, in the order of storage"),
    LIST(screen, control, "JCP2022_033924", IN_LABELS | IN_COMPOUNDS, "identifier(s) of the negative control"),
    LIST(screen, treatment, "", IN_LABELS, "further columns that, with the compound, define a treatment, such as dose or time"),
    TEXT(screen, batch, "", IN_INDEX, "batch where no table gives one; empty: the name of the image table's folder"),
    TEXT(screen, work, "work", 0, "output folder"),
    TEXT(screen, group, "", 0, "Unix group of the outputs; empty: your default group"),
    {"screen.paths", "from", OPT_TEXT, AT(screen, paths.from), "", 0, 0, NULL, IN_INDEX,
     "image tables of another machine: how their paths begin there, a folder or a URL such as s3://bucket"},
    {"screen.paths", "to", OPT_TEXT, AT(screen, paths.to), "", 0, 0, NULL, IN_INDEX, "the folder here, or URL, that stands in for it"},

    INT(tile, size, "224", 32, 4096, NULL, IN_TILES, "tile width and height in pixels"),
    INT(tile, tiles_per_site, "1", 1, 256, NULL, IN_TILES, "tiles per site: 1, 4, 9, ... 64 (a square number); cells: at most this many"),
    WORD(tile, crop, "square", CHOICES(CROPS), IN_TILES, "square: of the field, centred; cells: windows around cells (section cells)"),
    REAL(tile, scale, "1", 0.05, 20, NULL, IN_CELL_TILES, "cells: pixels of a tile per pixel of the image"),
    WORD(tile, mask, "none", CHOICES(MASKS), IN_CELL_TILES, "with crop cells: none, or cell: pixels outside the tile's own cell become 0"),
    WORD(tile, pages, "single", CHOICES(PAGES), IN_TILES | IN_FEATURES,
         "single: a file per channel; channels: one file with a page per channel"),
    INT(tile, z, "none", 1, 4096, "none|max|mean|middle", IN_INDEX | IN_TILES | IN_FEATURES,
        "planes of a z stack as one image: their maximum, their mean, the middle one or the N-th; none: stacks are refused"),
    WORD(tile, illumination, "plate", CHOICES(ILLUMINATIONS), IN_TILES,
         "correction; plate: from the plate's mean image; file: by the .npy files of the index"),
    REAL(tile, percentile_low, "0.05", 0, 50, NULL, IN_TILES, "lower percentile; values below it become 0"),
    REAL(tile, percentile_high, "99.95", 50, 100, NULL, IN_TILES, "upper percentile; values above it saturate at 255"),
    REAL(tile, input_scale, "1", 1e-9, 1e9, NULL, IN_TILES | IN_FEATURES,
         "factor that maps float and 32-bit values to 0..65535; also for micon-measure"),
    REAL(tile, max_bad, "0.05", 0, 1, NULL, 0, "fraction of a plate's sites that may be unreadable before the plate fails"),
    REAL(tile, qc_saturated, "0.01", 0, 1, NULL, IN_TILES,
         "flag a tile when more than this fraction of the image is at its type's maximum"),
    REAL(tile, qc_focus, "0.2", 0, 1, NULL, IN_TILES,
         "flag a tile when its focus is below this fraction of the plate's median in the channel"),
    REAL(tile, qc_sd, "0.2", 0, 1, NULL, IN_TILES,
         "flag a tile when its standard deviation is below this fraction of the plate's median in the channel"),
    BYTES(tile, memory, "4GiB", 1 << 20, 1e15, NULL, 0, "memory for a plate's resampled images, all ranks; beyond it they go to disk"),
    TEXT(tile, scratch, "", 0,
         "folder for temporary files, or a variable of the job that names it, such as $TMPDIR; empty: next to the output"),
    {"tile.fetch", "parallel", OPT_INT, AT(tile, fetch.parallel), "16", 1, 256, NULL, 0,
     "images behind URLs: transfers at once, of each rank"},
    {"tile.fetch", "retries", OPT_INT, AT(tile, fetch.retries), "5", 0, 100, NULL, 0, "how often a transfer that broke is tried again"},
    {"tile.fetch", "timeout", OPT_INT, AT(tile, fetch.timeout), "30", 1, 3600, NULL, 0,
     "seconds without an answer, or with less than 1 KiB a second, after which a transfer counts as broken"},
    {"tile.fetch", "s3", OPT_TEXT, AT(tile, fetch.s3), "https://{bucket}.s3.amazonaws.com", 0, 0, NULL, 0,
     "endpoint of s3:// paths; without {bucket} the bucket is the first folder; with a region https://{bucket}.s3.eu-west-1.amazonaws.com"},
    {"tile.fetch", "cache", OPT_TEXT, AT(tile, fetch.cache), "", 0, 0, NULL, 0, "folder in which fetched files are kept; empty: none"},
    {"tile.fetch", "cache_size", OPT_BYTES, AT(tile, fetch.cache_size), "20GiB", 1 << 20, 1e15, NULL, 0,
     "size of that folder; beyond it, what was not used for longest is removed"},

    TEXT(cells, nuclei_channel, "DNA", IN_CELLS, "the channel that nuclei are found in"),
    TEXT(cells, cell_channel, "RNA", IN_CELLS, "the channel that cells are grown in"),
    REAL(cells, smooth, "1", 0, 50, NULL, IN_CELLS, "nuclei: sigma in pixels of a Gaussian before the threshold"),
    INT(cells, background, "0", 0, 16384, NULL, IN_CELLS,
        "subtract the lower quartile of blocks of this side in pixels; 0: no subtraction"),
    WORD(cells, threshold, "otsu", CHOICES(CELL_THRESHOLDS), IN_CELLS, "threshold for nuclei; otsu3: keep the brightest of three classes"),
    YES(cells, log, "no", IN_CELLS, "threshold the logarithms, for nuclei of very different brightness"),
    INT(cells, local, "0", 0, 16384, NULL, IN_CELLS, "side in pixels of blocks with a threshold each; 0: one for the image"),
    REAL(cells, correction, "0.9", 0.01, 100, NULL, IN_CELLS, "multiplies the threshold; below 1 finds more"),
    REAL(cells, least, "8", 0, 16384, NULL, IN_CELLS, "smallest diameter of a nucleus in pixels"),
    REAL(cells, most, "200", 1, 16384, NULL, IN_CELLS, "largest diameter of a nucleus in pixels"),
    WORD(cells, split, "distance", CHOICES(CELL_SPLITS), IN_CELLS,
         "separate touching nuclei by distance (shape) or by intensity; none: not"),
    REAL(cells, split_distance, "10", 1, 1000, NULL, IN_CELLS, "minimum distance of two nuclei's centres in pixels"),
    WORD(cells, grow, "propagation", CHOICES(CELL_GROWS), IN_CELLS,
         "propagation: share out the foreground; distance: a rim around each nucleus"),
    INT(cells, grow_distance, "10", 1, 10000, NULL, IN_CELLS, "width of that rim in pixels"),
    REAL(cells, regularization, "0.05", 0.001, 100, NULL, IN_CELLS, "propagation: high favours distance, low favours brightness"),
    REAL(cells, cell_smooth, "1.5", 0, 50, NULL, IN_CELLS, "for cells what smooth is for nuclei"),
    INT(cells, cell_background, "0", 0, 16384, NULL, IN_CELLS, "for cells what background is for nuclei"),
    WORD(cells, cell_threshold, "otsu", CHOICES(CELL_THRESHOLDS), IN_CELLS,
         "for cells what threshold is for nuclei; otsu3: the brighter two of three classes"),
    YES(cells, cell_log, "yes", IN_CELLS, "for cells what log is for nuclei"),
    INT(cells, cell_local, "0", 0, 16384, NULL, IN_CELLS, "for cells what local is for nuclei"),
    REAL(cells, cell_correction, "1", 0.01, 100, NULL, IN_CELLS, "for cells what correction is for nuclei"),
    TEXT(cells, nuclei_masks, "", IN_CELLS, "use label images named FileName_NAME, PathName_NAME in the tables instead of finding nuclei"),
    TEXT(cells, cell_masks, "", IN_CELLS, "the same for cells"),

    YES(measure, cells, "no", IN_FEATURES, "also write PLATE.cells.h5, a row per cell (large)"),
    YES(measure, border, "no", IN_FEATURES, "also count cells whose nucleus touches the image's edge"),
    WORD(measure, illumination, "none", CHOICES(BRIGHTNESSES), IN_FEATURES, "file: divide images by the .npy files of the index first"),

    WORD(featurize, fingerprint, "ECFP4", CHOICES(FINGERPRINTS), IN_COMPOUNDS, "Open Babel's circular fingerprint"),
    INT(featurize, bits, "1024", 64, 4096, NULL, IN_COMPOUNDS, "fingerprint length in bits, a power of two"),
    TEXT(featurize, vectors, "", IN_COMPOUNDS,
         "read vectors from this file instead: CSV(.gz) or Parquet with an identifier column, or h5ad"),
    WORD(featurize, on_missing, "fail", CHOICES(ON_MISSING), IN_COMPOUNDS,
         "when a compound of the screen has no vector; fail: stop; drop: leave it out"),
    REAL(featurize, time_limit, "10", 0.1, 3600, NULL, IN_COMPOUNDS, "CPU seconds that Open Babel may spend on one row"),

    INT(split, seed, "1", 0, 4294967295.0, NULL, IN_SPLIT, "selects the held-out batches and compounds"),
    INT(split, test_batches, "1", 0, 1000, NULL, IN_SPLIT, "batches per source held out for testing"),
    INT(split, valid_batches, "0", 0, 1000, NULL, IN_SPLIT, "batches per source held out for validation"),
    LIST(split, unseen_sources, "", IN_SPLIT, "sources never used in training"),
    TEXT(split, unseen_compounds, "0", IN_SPLIT, "a fraction below 1, a count, or a file of identifiers: compounds never used in training"),

    TEXT(train, run, "micon", 0, "name of the model; several runs can share the tiles"),
    WORD(train, method, "micon", CHOICES(METHODS), IN_MODEL, "training objective"),
    WORD(train, encoder, "resnet18", CHOICES(ENCODERS), IN_MODEL, "image network"),
    TEXT(train, weights, "none", IN_MODEL, "start from FILE.safetensors (torchvision or timm names), or none"),
    WORD(train, freeze, "none", CHOICES(FREEZES), IN_MODEL, "freeze the encoder up to and including this part of it"),
    INT(train, seed, "1", 0, 4294967295.0, NULL, IN_MODEL, "seed of weights, items and augmentations"),
    INT(train, batch, "64", 2, 65536, NULL, IN_MODEL, "items per step, over all ranks"),
    INT(train, steps, "1000", 1, 1e9, NULL, IN_MODEL, "training steps"),
    REAL(train, lr, "0.005", 1e-12, 100, NULL, IN_MODEL, "learning rate; 0.005 is for pretrained weights, from scratch try 0.001"),
    WORD(train, precision, "auto", CHOICES(PRECISIONS), IN_MODEL, "arithmetic; auto: bf16 where the CPU has it, else fp32"),
    YES(train, deterministic, "no", IN_MODEL,
        "choose convolutions by rule, not by measurement: a fresh work folder on the same kind of CPU gives the same bytes; slower"),
    WORD(train, positives, "other_batch", CHOICES(POSITIVES), IN_MODEL, "what the second view of a compound must differ in from the first"),
    WORD(train, norm, "sync", CHOICES(NORMS), IN_MODEL,
         "batch norm statistics; sync: over all ranks; local: per rank; frozen: the stored ones"),
    BYTES(train, memory, "auto", 1 << 20, 1e15, "auto", 0, "activation memory per rank; beyond it, activations are recomputed"),
    BYTES(train, tiles_memory, "auto", 1 << 16, 1e15, "auto", 0,
          "memory per node for training tiles; beyond it, tiles are read ahead; auto: all if they fit 60 % of free memory"),
    BYTES(train, cache_memory, "auto", 0, 1e15, "auto", 0,
          "memory per node to cache outputs of frozen layers (train.augment none); auto: half of free memory"),
    INT(train, checkpoint_steps, "200", 1, 1e9, NULL, 0, "steps between checkpoints"),
    INT(train, dim, "1000", 1, 1e6, NULL, IN_MODEL, "length of the representation; a multiple of the number of channels"),
    INT(train, projection, "512", 1, 1e6, NULL, IN_MODEL, "length of the projected representation"),
    REAL(train, temperature, "auto", 1e-4, 100, "auto", IN_MODEL,
         "temperature of the contrastive loss; auto: 1, clip 0.07; from scratch try 0.1"),
    REAL(train, lambda, "1", 0, 1e6, NULL, IN_MODEL, "weight of micon's generator terms"),
    YES(train, detach, "yes", IN_MODEL, "micon: the generator's terms do not train the encoder"),
    YES(train, dose, "no", IN_MODEL,
        "micon, clip: the column of screen.treatment is a dose, which the compound encoder takes beside the compound's vector"),
    YES(train, aux, "no", IN_MODEL, "add a classifier on the representation"),
    WORD(train, augment, "auto", CHOICES(AUGMENTS), IN_MODEL, "augmentation; auto: flips (simclr: full)"),
    REAL(train, weight_decay, "0.01", 0, 10, NULL, IN_MODEL, "AdamW's weight decay, on tensors of two or more dimensions"),
    REAL(train, warmup, "0.05", 0, 1, NULL, IN_MODEL, "fraction of the steps in which the learning rate rises"),
    WORD(train, schedule, "cosine", CHOICES(SCHEDULES), IN_MODEL, "schedule of the learning rate"),
    REAL(train, grad_clip, "1", 1e-6, 1e9, NULL, IN_MODEL, "clip the gradient to this norm"),
    INT(train, valid_every, "0", 0, 1e9, NULL, IN_MODEL, "steps between validations; 0: none"),
    INT(train, early_stop, "0", 0, 1e9, NULL, IN_MODEL, "stop after this many validations without improvement; 0: never"),

    WORD(embed, representation, "raw", CHOICES(REPRESENTATIONS), IN_PROFILES, "which representation becomes the profile"),
    YES(embed, counterfactual, "yes", IN_EMBED, "predict the profiles of compounds from each plate's controls"),
    TEXT(embed, counterfactual_compounds, "screen", IN_EMBED, "which compounds to predict: screen, unseen, or a file of identifiers"),
    TEXT(embed, model, "", IN_EMBED, "embed with this model.safetensors instead of training one"),
    WORD(embed, precision, "auto", CHOICES(PRECISIONS), IN_EMBED, "arithmetic; auto: bf16 where the CPU has it, else fp32"),

    WORD(evaluate, normalize, "mad", CHOICES(SCALES), IN_PROFILES,
         "scale features within each group; mad: by median and MAD; standardize: by mean and sd"),
    TEXT(evaluate, normalize_by, "Metadata_Plate", IN_PROFILES, "column that defines the groups; none: one group"),
    WORD(evaluate, normalize_on, "control", CHOICES(ON_WELLS), IN_PROFILES, "wells that the scaling is fitted on"),
    WORD(evaluate, recipe, "0.2", CHOICES(RECIPES), IN_PROFILES, "definitions and defaults of this version; 0.1 repeats older numbers"),
    WORD(evaluate, reshape, "auto", CHOICES(RESHAPES), IN_PROFILES,
         "after scaling, normal scores of ranks within plate or batch; auto: rank_plate if the median plate holds 24 wells or more (recipe "
         "0.1: none)"),
    WORD(evaluate, sphere, "auto", CHOICES(SPHERINGS), IN_PROFILES,
         "sphering (whitening), fitted on all controls; auto: none (recipe 0.1: ZCA)"),
    REAL(evaluate, ridge, "auto", 0, 1e9, "auto|ledoit_wolf", IN_PROFILES,
         "multiple of the mean eigenvalue that sphering adds to each; ledoit_wolf: computed; auto: 1 (recipe 0.1: 0)"),
    WORD(evaluate, batch_correction, "none", CHOICES(CORRECTIONS), IN_PROFILES,
         "batch correction after sphering; auto: try ranks, sphering, Harmony on training wells and controls, use what helps, or nothing"),
    WORD(evaluate, harmony_by, "source", CHOICES(HARMONY_BY), IN_PROFILES, "what Harmony treats as a batch"),
    WORD(evaluate, select, "none", CHOICES(SELECTS), IN_PROFILES, "feature selection"),
    INT(evaluate, min_controls, "4", 1, 1e6, NULL, IN_PROFILES,
        "with fewer controls in a group, use those of its batch, then its source, then all wells"),
    INT(evaluate, seed, "1", 0, 4294967295.0, NULL, IN_PROFILES, "seed of null distributions, intervals, clusters and the UMAP"),
    INT(evaluate, null_size, "10000", 10, 1e7, NULL, IN_PROFILES, "draws of a null distribution"),
    INT(evaluate, bootstrap, "1000", 10, 1e7, NULL, IN_PROFILES, "draws for an interval"),
    WORD(evaluate, negatives, "plate", CHOICES(NEGATIVES), IN_PROFILES, "activity: controls of the same plate, batch or source, or all"),
    WORD(evaluate, wells, "auto", CHOICES(EVALUATED_WELLS), IN_PROFILES,
         "treated wells that are evaluated; auto: those held out of training, all where the model was not trained on this screen"),
    WORD(evaluate, features, "same", CHOICES(FEATURE_SETS), IN_PROFILES,
         "outside tables must have the same features, or those they share are used"),
    YES(evaluate, image_features, "no", IN_PROFILES, "use CellProfiler's Image_ features too"),
    WORD(evaluate, duplicate_wells, "fail", CHOICES(DUPLICATE_WELLS), IN_PROFILES, "a well in two tables: refuse, or average"),
    LIST(evaluate, profiles, "", IN_PROFILES,
         "profiles of others instead of embeddings: CSV(.gz) or Parquet with Metadata_ columns, or h5ad; globs"),
    WORD(evaluate, images, "folder", CHOICES(REPORT_IMAGES), 0,
         "pictures of wells in the report, where there are tiles: in the folder report/ beside report.html, or in report.html itself; a "
         "report that exists stays as it is"),
    TEXT(evaluate, relations, "", IN_PROFILES,
         "table of known relations: two treatments in the first two columns of each row; how many are among the extreme similarities"),
    TEXT(evaluate, transform_with, "", IN_PROFILES,
         "apply a finished store's features, normalization, sphering and components instead of fitting them"),

#define COLUMN(key, help)                                                                                                                  \
    {                                                                                                                                      \
        "evaluate.columns", #key, OPT_TEXT, AT(evaluate, columns.key), "", 0, 0, NULL, IN_PROFILES, help                                   \
    }
    COLUMN(source, "outside tables: name of the source column, with or without Metadata_; empty: recognized by name"),
    COLUMN(batch, "outside tables: name of the batch column"),
    COLUMN(plate, "outside tables: name of the plate column"),
    COLUMN(well, "outside tables: name of the well column"),
    COLUMN(treatment, "outside tables: name of the column that identifies treatments"),
    COLUMN(control, "column that tells controls from treatments; empty: Metadata_control_type, then Metadata_pert_type"),
    {"evaluate.columns", "negative", OPT_LIST, AT(evaluate, columns.negative), "negcon", 0, 0, NULL, IN_PROFILES,
     "values of the control column that mean negative control"},
    COLUMN(mechanism, "column of mechanisms, separated by |; empty: recognized by name"),
#undef COLUMN

    {"evaluate.pairs", "name", OPT_TEXT, AT(evaluate, pairs.name), "pairs", 0, 0, NULL, IN_PROFILES,
     "a further mAP of pairs of wells chosen by columns, as copairs has them: its name among the settings of metrics.csv"},
#define PAIRS(key, help)                                                                                                                   \
    {                                                                                                                                      \
        "evaluate.pairs", #key, OPT_LIST, AT(evaluate, pairs.key), "", 0, 0, NULL, IN_PROFILES, help                                       \
    }
    PAIRS(pos_sameby, "columns, with or without Metadata_: a positive pair has the same values in all of them; empty: no such mAP"),
    PAIRS(pos_diffby, "columns: a positive pair has different values in each of them"),
    PAIRS(neg_sameby, "columns: a negative pair has the same values in all of them"),
    PAIRS(neg_diffby, "columns: a negative pair has different values in each of them"),
#undef PAIRS

#define SLURM_TEXT(section, at, key, help)                                                                                                 \
    {                                                                                                                                      \
        section, #key, OPT_TEXT, AT(slurm, at.key), "", 0, 0, NULL, 0, help                                                                \
    }
#define SLURM_NUMBER(section, at, key, field, type, def, lo, hi, words, help)                                                              \
    {                                                                                                                                      \
        section, key, type, AT(slurm, at.field), def, lo, hi, words, 0, help                                                               \
    }
    SLURM_TEXT("slurm", all, partition, "partition; empty: the site's default"),
    SLURM_TEXT("slurm", all, account, "account; empty: the site's default"),
    SLURM_TEXT("slurm", all, qos, "quality of service; empty: the site's default"),
    SLURM_TEXT("slurm", all, constraint, "features that the nodes must have, such as avx512; empty: any node"),
    SLURM_TEXT("slurm", all, extra, "further sbatch options, separated by spaces, passed as they are"),
    SLURM_NUMBER("slurm", all, "time", time_min, OPT_INT, "auto", 1, 1e6, "auto", "minutes per task; auto: from the plan, with a margin"),
    SLURM_NUMBER("slurm", all, "mem", mem, OPT_BYTES, "auto", 1 << 20, 1e15, "auto", "memory per node; auto: from the plan"),
    SLURM_NUMBER("slurm", all, "nodes", nodes, OPT_INT, "1", 1, 1e5, NULL, "nodes of a task"),
    SLURM_NUMBER("slurm", all, "ntasks_per_node", ntasks_per_node, OPT_INT, "auto", 1, 1e4, "auto", "ranks on a node; auto: 4, training 2"),
    SLURM_NUMBER("slurm", all, "cpus_per_task", cpus_per_task, OPT_INT, "1", 1, 1e4, NULL,
                 "CPUs, and threads of train and embed, of a rank"),
    WORD(slurm, launcher, "auto", CHOICES(LAUNCHERS), 0,
         "what starts the ranks of a job; auto: mpirun where the job finds it, else srun (--mpi=pmix where SLURM has it)"),
    INT(slurm, plates_per_task, "auto", 1, 1e6, "auto", 0,
        "plates per array task, or more where SLURM allows fewer jobs; auto: by their time"),
    INT(slurm, throttle, "0", 0, 1e6, NULL, 0, "array tasks that run at a time; 0: no limit"),
    REAL(slurm, max_bad_plates, "0.1", 0, 1, NULL, 0, "fraction of plates that may fail before dependent jobs are cancelled"),

#define SLURM_STAGE(stage)                                                                                                                 \
    SLURM_TEXT("slurm." #stage, stage, partition, "as above, for this stage; empty: as the general section says"),                         \
        SLURM_TEXT("slurm." #stage, stage, account, "as above"), SLURM_TEXT("slurm." #stage, stage, qos, "as above"),                      \
        SLURM_TEXT("slurm." #stage, stage, constraint, "as above"), SLURM_TEXT("slurm." #stage, stage, extra, "as above"),                 \
        SLURM_NUMBER("slurm." #stage, stage, "time", time_min, OPT_INT, "same", 1, 1e6, "same|auto",                                       \
                     "minutes; same: as the general section"),                                                                             \
        SLURM_NUMBER("slurm." #stage, stage, "mem", mem, OPT_BYTES, "same", 1 << 20, 1e15, "same|auto", "memory per node"),                \
        SLURM_NUMBER("slurm." #stage, stage, "nodes", nodes, OPT_INT, "same", 1, 1e5, "same", "nodes of a task"),                          \
        SLURM_NUMBER("slurm." #stage, stage, "ntasks_per_node", ntasks_per_node, OPT_INT, "same", 1, 1e4, "same|auto", "ranks on a node"), \
        SLURM_NUMBER("slurm." #stage, stage, "cpus_per_task", cpus_per_task, OPT_INT, "same", 1, 1e4, "same", "CPUs of a rank")
    SLURM_STAGE(featurize),
    SLURM_STAGE(tile),
    SLURM_STAGE(train),
    SLURM_STAGE(embed),
    SLURM_STAGE(measure),
    SLURM_STAGE(evaluate),
#undef SLURM_STAGE
#undef SLURM_NUMBER
#undef SLURM_TEXT
    {NULL, NULL, OPT_TEXT, 0, NULL, 0, 0, NULL, 0, NULL},
};
/* clang-format on */

const config_addition config_added[] = {
    {"tile", "z", "none"},
    {"train", "deterministic", "no"},
    {"train", "dose", "no"},
    {NULL, NULL, NULL},
};

const config_rename config_renamed[] = {
    {"tile", "low", "percentile_low"}, {"tile", "high", "percentile_high"},         {"featurize", "missing", "on_missing"},
    {"train", "views", "positives"},   {"evaluate", "correct", "batch_correction"}, {NULL, NULL, NULL},
};

const config_removal config_removed[] = {
    {"train", "aux_weight", NULL, "1", "aux"},
    {"train", "gradient_dtype", "wire", "fp32", "early_stop"},
    {"train", "generator", NULL, "direct", "lambda"},
    {NULL, NULL, NULL, NULL, NULL},
};
