/* evaluation_set.h -- what the files of metrics share: the wells of E (docs/method.md 8), how results are started and gathered. */
#ifndef EVALUATION_SET_H
#define EVALUATION_SET_H
#include "evaluate.h"

enum { N_GRAPH = 15, N_LISI = 89 };

/* The wells of E, close together: candidates and queries of all searches. */
typedef struct {
    MPI_Comm comm;
    int rank, size;
    const wells *w;
    const evaluate_options *o;
    results *r;
    names *notes;
    int which;
    const char *profiles;  /* "uncorrected", "corrected" */
    const char *setting;   /* of results whose metric has no other; NULL: that of the metric's row */
    bool by_position;      /* other positions too; not with recipe 0.1, nor of untreated positions themselves */
    const crossfit *cross; /* as metric_input has it */
    int64_t n, d;
    float *x; /* [n,d] unit rows */
    int32_t *row, *source, *batch, *plate, *label, *compound, *position;
    uint8_t *set;
    retrieval_hit *near; /* [n][N_LISI] nearest others, whoever they are; from retrieval_metrics_all */
} evaluation_set;

/* From w, n, d of e: the other arrays. x: as metrics_all's. */
status evaluation_set_init(evaluation_set *e, const float *x) MUST_USE;
void evaluation_set_free(evaluation_set *e);

/* A result without figures yet; k is that of the metric's row, the setting e's, else that of the metric's row, the first where it has
 * several. */
result evaluation_result(const evaluation_set *e, metric_id metric);
/* The same of another setting. */
result evaluation_result_in(const evaluation_set *e, metric_id metric, metric_setting setting);

/* Every rank's rows of an array, in rank order, on all ranks. */
status evaluation_gather_all(const evaluation_set *e, const void *mine, int64_t n_mine, size_t row_bytes, int64_t n, void *out) MUST_USE;

/* How many of the codes [n] below n_code occur among the wells of E. */
status evaluation_count_present(const evaluation_set *e, const int32_t *code, int32_t n_code, int32_t *present) MUST_USE;

/* ---- the metrics, by kind. x: as metrics_all's; unit: its rows divided by their lengths ---- */
status retrieval_metrics_all(evaluation_set *e) MUST_USE;                         /* metrics_retrieval.c; sets e->near */
status prediction_metrics_all(const evaluation_set *e, const float *cf) MUST_USE; /* predicted profiles; cf: as metrics_all's */
status activity_metrics_all(const evaluation_set *e, const float *unit) MUST_USE; /* metrics_average_precision.c; before consistency */
/* Mean AP of w's labels (w: e's wells, perhaps with other controls), NaN where there is none; map [w->n_label], allocated here. */
status activity_by_label_all(const evaluation_set *e, const wells *w, const float *unit, double **map) MUST_USE;
status consistency_metrics_all(const evaluation_set *e, const float *x) MUST_USE;
status batch_metrics_all(const evaluation_set *e) MUST_USE;                     /* metrics_batch.c; needs e->near */
status replicate_metrics_all(const evaluation_set *e, const float *x) MUST_USE; /* metrics_replicates.c */
status matched_replicate_metrics_all(const evaluation_set *e,
                                     const float *x) MUST_USE; /* metrics_matched.c: other positions, matched nulls */
status position_control_all(const evaluation_set *e, const float *x, const float *unit) MUST_USE; /* metrics_position.c */

#endif
