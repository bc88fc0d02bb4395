/* evaluate.h -- the parts of micon-evaluate. Collective where the name ends in _all. Rank 0 holds the table of wells, transforms it and
 * writes. All ranks search, each for a range of the queries; no result depends on the number of ranks. */
#ifndef EVALUATE_H
#define EVALUATE_H
#include "metric_table.h"
#include "micon/base/text.h"
#include "micon/config/file_formats.h"
#include "micon/index/split.h"
#include "micon/profile/average_precision.h"
#include "micon/profile/bootstrap.h"
#include "micon/profile/crossfit.h"
#include "micon/profile/normalize.h"
#include "micon/profile/retrieval.h"
#include "micon/profile/sphering.h"
#include "micon/provenance/input_digests.h"
#include "micon/stage/stage.h"
#include "micon/stage/transform_params.h"
#include "micon/store/store.h"
#include "micon/table/frame.h"

enum { N_COMPONENTS = 50, NO_SET = 255, CROSS_FOLDS = 4 };

/* ---- wells: rank 0's table, and what the others know of it ---- */
typedef struct {
    frame obs;     /* a row per well: Metadata_ and QC_ columns; rank 0 only */
    names var;     /* names of the d features; rank 0 only */
    frame cleaned; /* features that were dropped on reading: feature, reason; rank 0 only */
    int64_t n, d;
    float *x;      /* [n,d] raw; rank 0 only */
    double *exact; /* [n,d] x before rounding to float, of outside tables; else NULL; rank 0 only */
    /* Codes [n] from 0, on every rank. */
    int32_t *source, *batch, *plate; /* batch is (source, batch), plate (source, batch, plate) */
    int32_t *label;                  /* compound and treatment columns; -1: control or empty */
    int32_t *compound;               /* the compound alone; -1 likewise */
    int32_t *label_compound;         /* [n_label] */
    int32_t *position;               /* row and column on the plate, whichever plate it is */
    int32_t *group;                  /* evaluate.normalize_by */
    uint8_t *control;                /* [n] */
    uint8_t *set;                    /* [n] split_set, NO_SET without a split */
    bool own_set;                    /* an outside table has a column Metadata_Set; rank 0 */
    uint8_t *evaluated;              /* [n] 1: in E of docs/method.md 8 */
    int32_t n_source, n_batch, n_plate, n_label, n_compound, n_group, n_position;
    intern_table label_name, compound_name, group_name; /* rank 0 */
    /* Mechanisms of labels: of label i the codes target[target_start[i] .. target_start[i+1]); on every rank. */
    int64_t *target_start;
    int32_t *target;
    int32_t n_target;
    /* evaluate.pairs: a row of codes [n] for pos_sameby, one for neg_sameby, then one for each column of pos_diffby and neg_diffby; -1 in
     * all of them: no part in pairs. NULL without pairs. */
    int32_t *pair_code;
    int32_t n_pair_code;                    /* rows of it */
    int32_t n_pair_group;                   /* of pos_sameby */
    intern_table pair_name;                 /* of these groups; rank 0 */
    int32_t (*relation)[2];                 /* [n_relation] compounds of the known relations, each once; rank 0 */
    int64_t n_relation, n_relation_unknown; /* unknown: of a compound without evaluated wells */
    char *target_column;                    /* "Metadata_target", or NULL; rank 0 */
    /* Predicted profiles: on rank 0 all of this, cf_x raw; on the others n_cf and the codes. */
    int64_t n_cf;
    float *cf_x; /* [n_cf,d] */
    frame cf;    /* Source, Batch, Plate, Compound, Treatment ("": of the compound at any dose); rank 0 */
    int32_t *cf_batch, *cf_compound, *cf_group, *cf_plate;
    int32_t *cf_label;    /* of a model with doses: the treatment that is predicted; -1: it has no wells */
    bool cf_by_label;     /* predictions are of treatments, not of compounds */
    names unseen;         /* compounds never trained on; rank 0 */
    char *model;          /* digest of the model that embedded them, "": not known; borrowed, rank 0 */
    char *representation; /* "raw", "projected", "table"; borrowed */
} wells;
void wells_free(wells *w);
/* Codes from obs, on rank 0: Metadata_Source, _Batch, _Plate, _Compound, _pert_type must be there. */
status wells_label(wells *w, const config *cfg, names *notes) MUST_USE;
/* The column that a user means: as written, or with Metadata_ before it. key: the option, for the message. */
status wells_find_column(const frame *f, const char *name, const char *key, int *col) MUST_USE;
/* code[i]: number of the row's texts in the columns, joined by '|', in order of arrival; where use is given, -1 for rows without. */
status wells_code_rows(const frame *f, const int *col, int n_cols, const uint8_t *use, intern_table *known, int32_t **code,
                       int32_t *n_codes) MUST_USE;
/* Broadcast `size` bytes of a rank. block: the address of the pointer to them, which is allocated on the others. */
status share_block_all(MPI_Comm comm, int root, void *block, size_t size) MUST_USE;
/* Broadcast the codes. */
status wells_share_all(wells *w, MPI_Comm comm) MUST_USE;
/* Broadcast a matrix [n,d] of rank 0, and d; allocated on the others. */
status wells_share_matrix_all(MPI_Comm comm, float **x, int64_t n, int64_t *d) MUST_USE;

/* ---- read_embeddings.c: embeddings to wells ---- */
typedef struct {
    input_digests in;
    text made_from;
    names notes; /* what the report says about the data; rank 0 */
    char *model; /* as wells has it */
} origin;
/* List the inputs of the store, and the text that records what it is made from. */
status embeddings_inputs(const stage *g, const screen_index *ix, const screen_split *split, origin *o) MUST_USE;
status embeddings_read_all(stage *g, const screen_index *ix, const screen_split *split, wells *w, names *notes) MUST_USE;

/* ---- read_profiles.c: the tables of evaluate.profiles; rank 0, local ---- */
status profiles_inputs(const stage *g, const char *run, origin *o) MUST_USE;
status profiles_read(const stage *g, wells *w, names *notes) MUST_USE;
/* Drop the features of w that cannot be used; features: their names, [w->d]. With evaluate.transform_with all stay: that store names the
 * ones that are needed. */
status profiles_clean(const stage *g, wells *w, const names *features, names *notes) MUST_USE;

/* ---- transform_reuse.c: another store's transformation for these wells; rank 0, local ---- */
/* Replace the options of the transformation by those of the store. */
void transform_adopt(const transform_params *p, evaluate_options *o);
/* Reduce the wells' features to those of the store, or fail. table: outside tables, which may have more features. */
status transform_fit_features(const transform_params *p, wells *w, bool table, const char *path) MUST_USE;
void transform_keep(const transform_params *p, const wells *w, uint8_t *keep, int64_t *n_kept); /* keep [w->d] */
status transform_normal(const transform_params *p, const wells *w, normalize_params *out) MUST_USE;

/* ---- control_folds.c: folds of controls, and the sphering fitted without each, for cross-fitted activity; see profile/crossfit.h ---- */
typedef struct {
    float *base; /* [n,d] before sphering; freed by transformed_free */
    int64_t d;
    int32_t *fold;  /* [n] of the controls */
    int32_t n_fold; /* 0: no cross-fitting */
    sphering_kind kind;
    double ridge;
    sphering_params fit[CROSS_FOLDS];
} control_folds;
/* Rank 0: the folds, to be fitted like `all` on x. Where too few controls would remain without a fold: n_fold 0, no base, a note. */
status control_folds_find(const wells *w, const sphering_params *all, double ridge, float *x, control_folds *out, names *notes) MUST_USE;
/* fit [CROSS_FOLDS], zeroed: without each fold of these controls [n], on all ranks; each fits a part of the folds. */
status control_folds_fit_all(MPI_Comm comm, const crossfit *c, const uint8_t *control, sphering_params *fit) MUST_USE;
/* Broadcast, and fit on the controls of w; *as borrows from c. */
status control_folds_share_all(MPI_Comm comm, const wells *w, control_folds *c, crossfit *as) MUST_USE;
void control_folds_free(control_folds *c);

/* ---- transform.c: raw to normalized to corrected; rank 0, local ---- */
typedef struct {
    int64_t d_norm, d_final, d_pca;
    float *norm;               /* [n,d_norm] after MAD, the kept features */
    float *final;              /* [n,d_final] as configured */
    float *pca;                /* [n,d_pca] of the sphered profiles; after Harmony where that is asked for */
    float *umap;               /* [n,2] */
    float *cf_norm, *cf_final; /* [n_cf, d_norm], [n_cf, d_sphere]: without Harmony, which cannot correct single profiles */
    int64_t d_sphere;
    float *sphered; /* [n,d_sphere] the profiles before Harmony; NULL without it */
    int32_t *kept;  /* [d_norm] features of wells.x */
    int32_t *why;   /* [d] select_reason; NULL: nothing was selected */
    normalize_params normal;
    sphering_params sphere, components;
    bool has_normal, has_sphere, corrected; /* corrected: final differs from norm */
    bool carried;                           /* transformed with the parameters of another store */
    control_folds cross;                    /* of the sphering; its base is norm, or freed with this */
} transformed;
/* Replace `reshape: auto` by what it means for these wells. */
void transform_settle(evaluate_options *o, const wells *w, names *notes);
/* like: apply that store's parameters, which are moved out of it; NULL: fit them on these wells. notes NULL: no notes. */
status transform_correct(transformed *c, const wells *w, const evaluate_options *o, transform_params *like, names *notes) MUST_USE;
void transformed_free(transformed *c);
/* transform_reuse.c: everything but the two lists of names is borrowed. */
void transform_params_from(transform_params *p, const wells *w, const transformed *c, const evaluate_options *o);

/* ---- map.c ---- */
/* c->umap of the n wells, whose pca rank 0 holds, on rank 0. */
status map_wells_all(MPI_Comm comm, transformed *c, int64_t n, uint32_t seed) MUST_USE;

/* ---- results.c: what was measured ---- */
typedef struct {
    const char *profiles, *setting; /* borrowed literals */
    metric_id metric;
    int k; /* 0: none */
    interval v;
    double chance;
    int64_t n, left_out; /* queries or compounds or wells; -1: does not apply */
    double *num, *den;   /* [wells.n_compound]; NULL: not in by_compound.csv */
} result;
typedef struct {
    result *item;
    size_t n, cap;
    int64_t draws;
    uint32_t seed;
    bool active; /* rank 0: elsewhere results are dropped */
    bool as_0_1; /* recipe 0.1: figures with n 0 are kept, newer figures are not computed */
    bool fitted; /* like metric_input of the corrected profiles */
    text told;   /* further members of metrics.json: what advice.c says */
    /* mAPs per label: [2 forms of the profiles][n_label]. Consistency is the compound's, the same for all of its labels. */
    double *activity[2], *activity_p[2], *activity_q[2], *consistency[2], *consistency_p[2], *consistency_q[2];
    double *activity_normal[2], *consistency_normal[2]; /* normalized, likewise */
    double *activity_null[2];                           /* [n_label, AP_NULL_QUANTILES] of each mAP's null */
    ap_scores by_well[2];                               /* [wells.n] of the activity; ap NULL: not measured */
    /* Of chosen pairs, [wells.n_pair_group] and [wells.n]. */
    double *pairs[2], *pairs_p[2], *pairs_q[2], *pairs_normal[2];
    ap_scores pairs_by_well[2];
} results;
void results_free(results *r);
extern const char *const profiles_form[2]; /* "uncorrected", "corrected" */
/* The figure of one form of the profiles; NULL: there is none. k: 0 where the metric has none. */
const result *results_find(const results *r, const char *profiles, metric_id metric, metric_setting setting, int k);
/* Add a ratio of sums over compounds, whatever their doses. num, den [n_compound] are copied for metrics in by_compound.csv. */
status results_ratio(results *r, result like, const double *num, const double *den, int64_t n_compound) MUST_USE;
status results_value(results *r, result like, double value) MUST_USE;
/* The labels by mAP of activity, the largest first, those without one last; [n_label], the caller frees it. */
status results_most_active(const results *r, int32_t n_label, int32_t **label) MUST_USE;
/* Appended; missing: where n is negative. */
void results_add_count(text *out, int64_t n, const char *missing);
void results_show_csv(const results *r, text *out);
void results_show_compounds(const results *r, const wells *w, text *out);   /* compounds.csv: mAP and significance */
void results_show_by_compound(const results *r, const wells *w, text *out); /* by_compound.csv: numerators and denominators */
/* A column of compounds.csv for one form of the profiles. v: [n_label], NULL: not measured. */
typedef struct {
    const char *name;
    const double *v;
} treatment_figure;
enum { N_TREATMENT_FIGURES = 8 };
int results_treatment_figures(const results *r, int which, treatment_figure out[N_TREATMENT_FIGURES]); /* returns how many */

/* ---- results_json.c ---- */
void results_show_json(const results *r, const stage *g, const wells *w, const names *notes, text *out); /* metrics.json, appended */

/* ---- metrics.c ---- */
/* One form of the profiles, on all ranks. */
typedef struct {
    float *x;  /* [w->n,d] */
    float *cf; /* [w->n_cf,d] predicted profiles, or NULL */
    int64_t d;
    bool corrected;
    const crossfit *cross; /* for activity; NULL: x as it is */
    bool fitted;           /* controls fitted x, and there is no cross-fitting */
} metric_input;
/* All metrics of one form. */
status metrics_all(MPI_Comm comm, const wells *w, const metric_input *in, const evaluate_options *o, results *r, names *notes) MUST_USE;
/* Those that choose a correction: retrieval, activity, held-out controls. r: started here; only the interval of the last says anything. */
status metrics_of_trial_all(MPI_Comm comm, const wells *w, const metric_input *in, const evaluate_options *o, results *r) MUST_USE;

/* ---- metrics_pairs.c: evaluate.pairs ---- */
/* The codes of w, which is labelled; rank 0, local. */
status pairs_label(wells *w, const pair_options *o, names *notes) MUST_USE;
void pairs_show_csv(const results *r, const wells *w, text *out); /* pairs.csv: mAP and significance of each group */

/* ---- metrics_relations.c: the table of evaluate.relations for w, which is labelled; rank 0, local ---- */
status relations_read(wells *w, const config *cfg, names *notes) MUST_USE;

/* ---- write.c ---- */
status write_profiles_all(stage *g, const char *path, const wells *w, const transformed *c, const char *made_from, uint64_t sum) MUST_USE;
status write_consensus_all(stage *g, const char *path, const wells *w, const transformed *c, const char *made_from, uint64_t sum) MUST_USE;

/* ---- report.c ---- */
/* report.html in `folder`, one file that loads nothing from elsewhere; pictures of wells in report/ beside it. json: metrics.json;
 * log_jsonl: the training's log, where there is one. Local. */
status report_write(const char *folder, const config *cfg, const wells *w, const transformed *c, const results *r, const char *json,
                    const char *log_jsonl) MUST_USE;

/* ---- report_page.c ---- */
/* Files of this folder, embedded: report.html is the frame, page.js the script that all pages begin with. */
extern const char report_html[], report_css[], page_js[], compare_js[];
/* The page with its data (JSON) and its scripts in their order, NULL at the end; appended. */
void report_page(text *page, const char *data, const char *const *scripts);

/* ---- outputs.c: the files of a run; rank 0, local ---- */
typedef struct {
    char *run, *profiles, *consensus, *folder; /* folder: reports/RUN */
} outputs;
void outputs_name(outputs *o, const config *c);
void outputs_free(outputs *o);
/* Are all there, undamaged, and made from these inputs? */
bool outputs_current(const outputs *o, const stage *g, const char *made_from, uint64_t sum);
void outputs_sweep(const outputs *o); /* half-written files of dead runs */
/* The report, its tables, and their record. */
status outputs_write_report(const outputs *o, const stage *g, const wells *w, const transformed *c, const results *r,
                            const names *notes) MUST_USE;
/* The record beside the outputs, written last. */
status outputs_record(const stage *g, const outputs *o, const origin *from) MUST_USE;

/* ---- gallery.c: a picture of a compound's wells ("": none) and of named ones, beside controls; local ---- */
status gallery_write(const stage *g, const screen_index *ix, const char *file, const char *compound, const names *wells_named) MUST_USE;

/* ---- compare.c: runs side by side; local ---- */
status compare_runs(const stage *g, const names *runs) MUST_USE;

#endif
