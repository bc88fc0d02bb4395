/* metrics_batch.c -- how batches mix and compounds stay apart (docs/method.md 8): silhouettes, graph connectivity, LISI, clusters. Ranks
 * share ranges of wells and starts of k-means. */
#include "evaluation_set.h"

#include "micon/base/mem.h"
#include "micon/mpi/comm.h"
#include "micon/profile/kmeans.h"
#include "micon/profile/scib.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The wells that silhouettes and clusters are computed on: all, or a seeded sample. */
typedef struct {
    int64_t n;
    float *x;
    int32_t *label, *batch;
} sample;

static status take_sample(const evaluation_set *e, sample *s)
{
    status st = OK;
    int32_t *row = NULL;
    TRY(mem_alloc(&row, (size_t)e->n, sizeof *row, "sample"));
    s->n = scib_sample(e->n, SCIB_SAMPLE, (uint32_t)e->o->seed, row);
    TRY(mem_alloc(&s->x, (size_t)(s->n * e->d), sizeof *s->x, "sample"));
    TRY(mem_alloc(&s->label, (size_t)s->n, sizeof *s->label, "sample"));
    TRY(mem_alloc(&s->batch, (size_t)s->n, sizeof *s->batch, "sample"));
    for (int64_t i = 0; i < s->n; i++) {
        s->label[i] = e->label[row[i]], s->batch[i] = e->batch[row[i]];
        memcpy(s->x + i * e->d, e->x + row[i] * e->d, (size_t)e->d * sizeof *s->x);
    }
done:
    free(row);
    return st;
}

static status silhouettes_all(const evaluation_set *e, const sample *s)
{
    status st = OK;
    int64_t first, n;
    double *mine = NULL, *all = NULL, *num = NULL, *den = NULL, value = NAN;
    result one = evaluation_result(e, METRIC_SILHOUETTE_LABEL);
    partition(s->n, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&mine, (size_t)n, sizeof *mine, "silhouettes"));
    TRY_ALL(e->comm, mem_alloc(&all, (size_t)s->n, sizeof *all, "silhouettes"));
    TRY_ALL(e->comm, mem_alloc(&num, (size_t)e->w->n_compound, sizeof *num, "silhouettes"));
    TRY_ALL(e->comm, mem_alloc(&den, (size_t)e->w->n_compound, sizeof *den, "silhouettes"));
    TRY_ALL(e->comm, n > 0 ? scib_silhouette(s->x, s->n, e->d, s->label, e->w->n_label, first, n, mine) : OK);
    TRY(evaluation_gather_all(e, mine, n, sizeof *mine, s->n, all));
    one.n = one.left_out = 0;
    for (int64_t i = 0; i < s->n; i++) {
        if (isnan(all[i])) {
            one.left_out++;
            continue;
        }
        int32_t compound = e->w->label_compound[s->label[i]];
        num[compound] += (all[i] + 1) / 2;
        den[compound] += 1;
        one.n++;
    }
    TRY_ALL(e->comm, results_ratio(e->r, one, num, den, e->w->n_compound));
    TRY_ALL(e->comm, scib_silhouette_batch(s->x, s->n, e->d, s->label, e->w->n_label, s->batch, e->w->n_batch, &value));
    one = evaluation_result(e, METRIC_SILHOUETTE_BATCH), one.n = s->n;
    TRY_ALL(e->comm, results_value(e->r, one, value));
done:
    free(mine);
    free(all);
    free(num);
    free(den);
    return st;
}

static status graph_metrics_all(const evaluation_set *e)
{
    status st = OK;
    int64_t first, n;
    int32_t batches, labels;
    int32_t *row = NULL, *near = NULL;
    double *dist = NULL, *lisi = NULL, *all_lisi = NULL, value = NAN;
    result one = evaluation_result(e, METRIC_CONNECTIVITY);
    partition(e->n, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, evaluation_count_present(e, e->batch, e->w->n_batch, &batches));
    TRY_ALL(e->comm, evaluation_count_present(e, e->label, e->w->n_label, &labels));
    TRY_ALL(e->comm, mem_alloc(&row, (size_t)n * N_LISI, sizeof *row, "neighbours"));
    TRY_ALL(e->comm, mem_alloc(&dist, (size_t)n * N_LISI, sizeof *dist, "neighbours"));
    TRY_ALL(e->comm, mem_alloc(&near, (size_t)e->n * N_GRAPH, sizeof *near, "neighbours"));
    TRY_ALL(e->comm, mem_alloc(&lisi, (size_t)n, sizeof *lisi, "LISI"));
    TRY_ALL(e->comm, mem_alloc(&all_lisi, (size_t)e->n, sizeof *all_lisi, "LISI"));
    for (int64_t i = 0; i < e->n * N_GRAPH; i++) near[i] = (int32_t)e->near[i / N_GRAPH * N_LISI + i % N_GRAPH].row;
    for (int64_t i = 0; i < n * N_LISI; i++) { /* unit rows: their distance follows from the cosine */
        const retrieval_hit *hit = &e->near[first * N_LISI + i];
        row[i] = (int32_t)hit->row, dist[i] = hit->row < 0 ? INFINITY : sqrt(fmax(0, 2 - 2 * hit->sim));
    }
    TRY_ALL(e->comm, scib_connectivity(near, e->n, N_GRAPH, e->label, e->w->n_label, &value));
    one.n = e->n;
    TRY_ALL(e->comm, results_value(e->r, one, value));
    scib_lisi(row, dist, n, N_LISI, e->batch, e->w->n_batch, 30, lisi);
    TRY(evaluation_gather_all(e, lisi, n, sizeof *lisi, e->n, all_lisi));
    one.metric = METRIC_LISI_BATCH;
    TRY_ALL(e->comm, results_value(e->r, one, scib_lisi_batch(all_lisi, e->n, batches)));
    scib_lisi(row, dist, n, N_LISI, e->label, e->w->n_label, 30, lisi);
    TRY(evaluation_gather_all(e, lisi, n, sizeof *lisi, e->n, all_lisi));
    one.metric = METRIC_LISI_LABEL;
    TRY_ALL(e->comm, results_value(e->r, one, scib_lisi_label(all_lisi, e->n, labels)));
done:
    free(row);
    free(dist);
    free(near);
    free(lisi);
    free(all_lisi);
    return st;
}

/* The best of some starts of k-means against the labels; each rank takes a part of the starts. */
static status clusters_all(const evaluation_set *e, const sample *s)
{
    enum { STARTS = 3, STARTS_0_1 = 10, ROUNDS = 100 };
    status st = OK;
    bool old = e->o->recipe == RECIPE_0_1;
    int64_t first, n;
    int32_t *cluster = NULL, n_label = e->w->n_label, present = 0;
    uint8_t *seen = NULL;
    struct {
        double inertia;
        int rank;
    } mine = {INFINITY, e->rank}, best;
    double nmi, ari;
    result one = evaluation_result(e, METRIC_NMI);
    partition(old ? STARTS_0_1 : STARTS, e->size, e->rank, &first, &n);
    TRY_ALL(e->comm, mem_alloc(&seen, (size_t)n_label, 1, "labels"));
    TRY_ALL(e->comm, mem_alloc(&cluster, (size_t)s->n, sizeof *cluster, "clusters"));
    for (int64_t i = 0; i < s->n; i++) present += !seen[s->label[i]], seen[s->label[i]] = 1;
    TRY_ALL(e->comm, n > 0 ? kmeans_fit(&(profile_rows){.x = s->x, .n = s->n, .d = e->d},
                                        &(kmeans_options){.k = present,
                                                          .seed = (uint32_t)e->o->seed,
                                                          .first = (int)first,
                                                          .starts = (int)n,
                                                          .max_rounds = ROUNDS,
                                                          .greedy = !old},
                                        NULL, cluster, &mine.inertia)
                           : OK);
    MPI_Allreduce(&mine, &best, 1, MPI_DOUBLE_INT, MPI_MINLOC, e->comm); /* of equal ones the lower rank's, that is the earlier start */
    MPI_Bcast(cluster, (int)s->n, MPI_INT32_T, best.rank, e->comm);
    TRY_ALL(e->comm, scib_agreement(s->label, n_label, cluster, present, s->n, &nmi, &ari));
    one.n = s->n;
    TRY_ALL(e->comm, results_value(e->r, one, nmi));
    one.metric = METRIC_ARI;
    TRY_ALL(e->comm, results_value(e->r, one, ari));
done:
    free(cluster);
    free(seen);
    return st;
}

/* A figure of all wells of these profiles; NaN where there is none. */
static double figure_of(const evaluation_set *e, metric_id metric)
{
    const result *m = results_find(e->r, e->profiles, metric, ALL_WELLS, 0);
    return m ? m->v.value : NAN;
}

/* The score of Arevalo et al. 2024 from the parts that there are here; only where all of them have a value. */
status overall_metrics(const evaluation_set *e)
{
    static const metric_id batch[] = {METRIC_CONNECTIVITY, METRIC_LISI_BATCH, METRIC_SILHOUETTE_BATCH},
                           biology[] = {METRIC_NMI, METRIC_ARI, METRIC_LISI_LABEL, METRIC_SILHOUETTE_LABEL, METRIC_MAP_ACTIVITY};
    enum { N_BATCH = sizeof batch / sizeof *batch, N_BIOLOGY = sizeof biology / sizeof *biology };
    status st = OK;
    double b = 0, y = 0;
    for (int i = 0; i < N_BATCH; i++) b += figure_of(e, batch[i]) / N_BATCH;
    for (int i = 0; i < N_BIOLOGY; i++) y += figure_of(e, biology[i]) / N_BIOLOGY;
    if (isnan(b) || isnan(y)) return OK;
    TRY(results_value(e->r, evaluation_result(e, METRIC_BATCH_MEAN), b));
    TRY(results_value(e->r, evaluation_result(e, METRIC_BIOLOGY_MEAN), y));
    TRY(results_value(e->r, evaluation_result(e, METRIC_OVERALL), 0.4 * b + 0.6 * y));
done:
    return st;
}

status batch_metrics_all(const evaluation_set *e)
{
    status st = OK;
    sample s = {0};
    TRY_ALL(e->comm, take_sample(e, &s));
    TRY(silhouettes_all(e, &s));
    TRY(graph_metrics_all(e));
    TRY(clusters_all(e, &s));
done:
    free(s.x);
    free(s.label);
    free(s.batch);
    return st;
}
