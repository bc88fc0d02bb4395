/* file_formats.h -- the files below work/, for those who write and those who read them: where they are, the number of each layout, and the
 * datasets that more than one program names. X, obs, var and obsm are AnnData's own names. docs/file-formats.md describes every dataset.
 *
 * A format number rises when a reader of the older layout would read the newer one wrongly; readers refuse what is newer than they know. */
#ifndef MICON_CONFIG_FILE_FORMATS_H
#define MICON_CONFIG_FILE_FORMATS_H

/* ---- places below work ---- */
#define WORK_COMPOUNDS "compounds.h5"
#define WORK_STRUCTURES "structures.jsonl"
#define WORK_SPLIT "split.csv"
#define WORK_TILES "tiles"
#define WORK_MODELS "models"
#define WORK_EMBEDDINGS "embeddings"
#define WORK_FEATURES "features"
#define WORK_PROFILES "profiles"
#define WORK_REPORTS "reports"
#define WORK_PREDICTIONS "predictions"
#define WORK_CHOICES "choices"
#define MODEL_FILE "model.safetensors"
#define MODEL_LOG "log.jsonl"
#define MODEL_CHECKPOINTS "checkpoints"
#define REPORT_PAGE "report.html"
#define REPORT_PICTURES "report"
#define REPORT_BY_COMPOUND "by_compound.csv"

/* ---- status files of stages, and what the driver keeps ---- */
#define WORK_STATUS "status"
#define STATUS_LOCK WORK_STATUS "/lock"
#define STATUS_RATES WORK_STATUS "/rates.json"
#define STATUS_NETWORK WORK_STATUS "/network.json"
#define STATUS_CALIBRATE WORK_STATUS "/calibrate"
#define STATUS_SUBMISSIONS WORK_STATUS "/slurm.json"
#define STATUS_JOBS WORK_STATUS "/slurm" /* logs and arguments of jobs */

/* ---- kinds of HDF5 files (store_info.kind) and their layouts ---- */
#define TILES_KIND "tiles"
#define COMPOUNDS_KIND "compounds"
#define EMBEDDINGS_KIND "embeddings"
#define FEATURES_KIND "features" /* of CellProfiler's kind: a row per site */
#define CELLS_KIND "cells"       /* the same, a row per cell */
#define PROFILES_KIND "profiles"
#define PREDICTIONS_KIND "predictions"
enum { TILES_FORMAT = 1, COMPOUNDS_FORMAT = 1, EMBEDDINGS_FORMAT = 1, PROFILES_FORMAT = 1, FEATURES_FORMAT = 1, CELLS_FORMAT = 1 };
enum { PREDICTIONS_FORMAT = 1 };

/* ---- layouts of other files: the cached index, status/<stage>/<name>.made, slurm.json, rates.json, network.json, metrics.json ---- */
enum { INDEX_FORMAT = 4, OUTPUT_RECORD_FORMAT = 1, SUBMISSIONS_FORMAT = 1, RATES_FORMAT = 1, METRICS_FORMAT = 1 };
enum { NETWORK_FORMAT = 1 };

/* ---- datasets ---- */
#define TILES_DATA "tiles"    /* uint8 [tiles, channels, size, size] */
#define TILES_CELL_X "Cell_X" /* columns of obs of tiles of cells */
#define TILES_CELL_Y "Cell_Y"
#define TILES_CHANNELS "uns/channels" /* also of embeddings */
#define COMPOUNDS_IDENTIFIERS "uns/identifiers"
#define EMBEDDINGS_PROJECTED "obsm/projected"
#define COUNTERFACTUAL_X "uns/counterfactual/X"
#define COUNTERFACTUAL_PROJECTED "uns/counterfactual/projected"
#define COUNTERFACTUAL_COMPOUND "uns/counterfactual/compound"
#define COUNTERFACTUAL_TREATMENT "uns/counterfactual/treatment" /* of a model with doses: COMPOUND|DOSE */
#define MADE_BY_PROGRAM "uns/micon/program"                     /* of every HDF5 file */
#define MADE_BY_VERSION "uns/micon/version"
#define MADE_FROM "uns/micon/made_from"
#define MADE_FROM_INPUTS "uns/micon/inputs"

/* Named in the environment of a stage program by whoever starts mpirun: a file that rank 0 makes once MPI runs. */
#define STARTED_VARIABLE "MICON_STARTED"

#endif
