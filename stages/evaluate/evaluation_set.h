/* evaluation_set.h -- shared by the metrics_*.c: the wells of E (docs/method.md 8), a result to fill in, gathering of rows. */
#ifndef EVALUATION_SET_H
#define EVALUATION_SET_H
#include "evaluate.h"

enum { N_GRAPH = 15, N_LISI = 89 };

/* The wells of E as contiguous rows: candidates and queries of all searches. */
typedef struct {
    MPI_Comm comm;
    int rank, size;
    const wells *w;
    const evaluate_options *o;
    results *r;
    names *notes;
    int which;
    const char *profiles;  /* "uncorrected", "corrected" */
    const char *setting;   /* of its results; NULL: each metric's own */
    bool by_position;      /* also compute figures with other positions; not with recipe 0.1, nor for untreated positions */
    const crossfit *cross; /* as metric_input has it */
    int64_t n, d;
    float *x; /* [n,d] unit rows */
    int32_t *row, *source, *batch, *plate, *label, *compound, *position;
    uint8_t *set;
    retrieval_hit *near; /* [n][N_LISI] nearest of all other wells; set by retrieval_metrics_all */
} evaluation_set;

/* Fill the arrays from e->w and e->d. x: as in metrics_all. */
status evaluation_set_init(evaluation_set *e, const float *x) MUST_USE;
void evaluation_set_free(evaluation_set *e);

/* A result without figures. k is from the metric's row; so is the setting where e has none: ALL_WELLS where the row has several. */
result evaluation_result(const evaluation_set *e, metric_id metric);
/* The same with another setting. */
result evaluation_result_in(const evaluation_set *e, metric_id metric, metric_setting setting);

/* Every rank's rows of an array, in rank order, on all ranks. */
status evaluation_gather_all(const evaluation_set *e, const void *mine, int64_t n_mine, size_t row_bytes, int64_t n, void *out) MUST_USE;

/* The number of distinct codes among the wells of E; code [n], below n_code. */
status evaluation_count_present(const evaluation_set *e, const int32_t *code, int32_t n_code, int32_t *present) MUST_USE;

/* ---- metrics_average_precision.c: what mean average precisions share ---- */

/* The inputs of a mean average precision, and where its results go. */
typedef struct {
    metric_id metric, normalized, share; /* the mean; its normalized form; the share with q < 0.05 */
    ap_scores queries;                   /* of all ranks */
    const int32_t *group;                /* [n] of the queries: their label or compound */
    int64_t n;
    int32_t n_group;
    const int32_t *compound;          /* [n_group] */
    double **map, **p, **q, **normal; /* [n_group], allocated here; normal: NaN also where no query has a negative */
    double **null;                    /* [n_group, AP_NULL_QUANTILES] likewise; NULL: not asked for */
    metric_setting setting;
} mean_precision;
/* The mean over groups, normalized too, and the share of significant groups, to the results. */
status mean_precision_add_all(const evaluation_set *e, const mean_precision *a) MUST_USE;
status mean_precision_scores(ap_scores *s, int64_t n) MUST_USE; /* room for n queries */
/* The scores of every rank's queries, in rank order, on all ranks. */
status mean_precision_gather_all(const evaluation_set *e, const ap_scores *mine, int64_t n_mine, int64_t n, const ap_scores *all) MUST_USE;

/* As e->cross, fitted on these controls [n] alone; fit [CROSS_FOLDS], zeroed, the caller's. n_fold 0: there is none, or they are too
 * few. */
status cross_without_all(const evaluation_set *e, const uint8_t *control, sphering_params *fit, crossfit *out) MUST_USE;

/* ---- the metrics, by kind. x: as in metrics_all ---- */
status retrieval_metrics_all(evaluation_set *e) MUST_USE;                         /* metrics_retrieval.c; sets e->near */
status prediction_metrics_all(const evaluation_set *e, const float *cf) MUST_USE; /* metrics_predictions.c; cf: as in metrics_all */
status activity_metrics_all(const evaluation_set *e, const float *x) MUST_USE;    /* metrics_average_precision.c; before consistency */
/* Scores of w's wells (e's, perhaps with other labels and controls) against its controls; other: the same without those at the query's
 * position, NULL: not wanted. Allocated here. */
status activity_scores_all(const evaluation_set *e, const wells *w, const float *x, ap_scores *all, ap_scores *other) MUST_USE;
/* Mean AP of w's labels (w: e's wells, perhaps with other controls), NaN where there is none; map [w->n_label], allocated here. */
status activity_by_label_all(const evaluation_set *e, const wells *w, const float *x, double **map) MUST_USE;
status consistency_metrics_all(const evaluation_set *e, const float *x) MUST_USE;
status pair_metrics_all(const evaluation_set *e, const float *x) MUST_USE;      /* metrics_pairs.c */
status relation_metrics_all(const evaluation_set *e, const float *x) MUST_USE;  /* metrics_relations.c */
status overall_metrics(const evaluation_set *e) MUST_USE;                       /* metrics_batch.c; after the others */
status batch_metrics_all(const evaluation_set *e) MUST_USE;                     /* metrics_batch.c; needs e->near */
status replicate_metrics_all(const evaluation_set *e, const float *x) MUST_USE; /* metrics_replicates.c */
status matched_replicate_metrics_all(const evaluation_set *e,
                                     const float *x) MUST_USE;                 /* metrics_matched.c: other positions, matched nulls */
status control_metrics_all(const evaluation_set *e, const float *x) MUST_USE;  /* metrics_controls.c */
status position_control_all(const evaluation_set *e, const float *x) MUST_USE; /* metrics_position.c */

#endif
