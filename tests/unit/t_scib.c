/* t_scib.c -- batch mixing against scikit-learn, scipy and harmonypy; k-means; neighbours; sampling. */
#include "micon/profile/scib.h"

#include "../profile_data.h"
#include "micon/profile/kmeans.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/neighbours.h"
#include "micon/profile/retrieval.h"

typedef struct {
    float u[N * D], x[N * D];
    int32_t label[N], batch[N], a[N], b[N];
    int n;
} treated;

static treated *treated_rows(const screen *s)
{
    treated *t = calloc(1, sizeof *t);
    if (!t) abort();
    for (int i = 0; i < N; i++) {
        if (!s->treated[i]) continue;
        memcpy(t->x + t->n * D, s->x + i * D, D * sizeof(float));
        t->label[t->n] = s->label[i], t->batch[t->n] = s->batch[i];
        t->a[t->n] = s->label[i] % 7, t->b[t->n] = (s->label[i] + s->batch[i]) % 5;
        t->n++;
    }
    linear_unit_rows(t->x, t->n, D, t->u);
    return t;
}

static void silhouettes(const treated *t)
{
    double s[N], part[N], v;
    int n = t->n;
    ok(scib_silhouette(t->u, n, D, t->label, COMPOUNDS, 0, n, s) == OK, "silhouettes");
    ref_check(s, n, "silhouette", 0, 1e-6, "are scikit-learn's");
    int st = (int)scib_silhouette(t->u, n, D, t->label, COMPOUNDS, 0, 77, part) |
             (int)scib_silhouette(t->u, n, D, t->label, COMPOUNDS, 77, n - 77, part + 77);
    ok(st == OK && memcmp(s, part, (size_t)n * sizeof *s) == 0, "in two ranges: the same bits");
    st = (int)scib_silhouette_label(t->u, n, D, t->label, COMPOUNDS, &v);
    ok(st == OK, "of labels");
    ref_check(&v, 1, "silhouette_label", 0, 1e-6, "(mean + 1) / 2");
    st = (int)scib_silhouette_batch(t->u, n, D, t->label, COMPOUNDS, t->batch, BATCHES, &v);
    ok(st == OK, "of batches");
    ref_check(&v, 1, "silhouette_batch", 0, 1e-6, "within labels, 1 - |s|");
    int32_t one[N] = {0};
    ok(scib_silhouette_label(t->u, n, D, one, 1, &v) == OK && isnan(v), "one label: NaN");
    ok(scib_silhouette_batch(t->u, n, D, t->label, COMPOUNDS, one, 1, &v) == OK && isnan(v), "one batch: NaN");
}

/* The k nearest by cosine and their distances, the row itself left out. */
static status nearest(const treated *t, int k, int32_t *row, double *dist)
{
    int32_t own[N];
    retrieval_hit *hit = malloc((size_t)(t->n * k) * sizeof *hit);
    for (int i = 0; i < t->n; i++) own[i] = i;
    retrieval_question ask = {.rule = {.query_group = own, .candidate_group = own}, .k = k, .hit = hit};
    status st = retrieval_among(RETRIEVAL_AUTO, &(profile_rows){.x = t->u, .n = t->n, .d = D}, &ask, 1, 0, 1, NULL);
    for (int i = 0; i < t->n * k; i++) row[i] = (int32_t)hit[i].row, dist[i] = sqrt(fmax(0, 2 - 2 * hit[i].sim));
    free(hit);
    return st;
}

static void graph(const treated *t)
{
    int n = t->n, st;
    int32_t *row = malloc((size_t)n * 89 * sizeof *row);
    double *dist = malloc((size_t)n * 89 * sizeof *dist), sum[N], first[N], lisi[N], v;
    ok(nearest(t, 15, row, dist) == OK, "15 neighbours by cosine");
    for (int i = 0; i < n; i++) sum[i] = linear_mean(dist + i * 15, 15) * 15;
    ref_check(sum, n, "neighbour_dist", 1e-5, 0, "their distances are scikit-learn's");
    st = (int)scib_connectivity(row, n, 15, t->label, COMPOUNDS, &v);
    ok(st == OK, "connectivity");
    ref_check(&v, 1, "connectivity", 1e-12, 0, "is scipy's");
    ok(nearest(t, 89, row, dist) == OK, "89 neighbours");
    scib_lisi(row, dist, n, 89, t->batch, BATCHES, 30, lisi);
    ref_check(lisi, n, "lisi_batch", 1e-4, 0, "LISI of batches is harmonypy's");
    v = scib_lisi_batch(lisi, n, BATCHES);
    ref_check(&v, 1, "lisi_batch_scaled", 1e-4, 0, "scaled");
    scib_lisi(row, dist, n, 89, t->label, COMPOUNDS, 30, lisi);
    ref_check(lisi, n, "lisi_label", 1e-4, 0, "LISI of labels is harmonypy's");
    v = scib_lisi_label(lisi, n, COMPOUNDS);
    ref_check(&v, 1, "lisi_label_scaled", 1e-4, 0, "scaled");
    ok(neighbours_euclid(t->x, n, D, 0, n, 15, row, dist) == OK, "15 neighbours by distance");
    for (int i = 0; i < n; i++) sum[i] = linear_mean(dist + i * 15, 15) * 15, first[i] = row[i * 15];
    ref_check(sum, n, "neighbour_euclid_sum", 1e-9, 0, "their distances are scikit-learn's");
    ref_check(first, n, "neighbour_euclid_first", 0, 1e-9, "the nearest too");
    int32_t part[N * 15];
    double pd[N * 15];
    st = (int)neighbours_euclid(t->x, n, D, 0, 50, 15, part, pd) | (int)neighbours_euclid(t->x, n, D, 50, n - 50, 15, part + 750, pd + 750);
    ok(st == OK && memcmp(part, row, (size_t)n * 15 * sizeof *part) == 0, "in two ranges: the same");
    ok(neighbours_euclid(t->x, 3, D, 0, 3, 4, part, pd) == OK && part[2] == -1 && isinf(pd[3]), "three rows have two neighbours");
    free(row);
    free(dist);
}

static void clusters(const treated *t)
{
    int n = t->n;
    int32_t label[N], again[N];
    double nmi, ari, inertia, stored, *want;
    int one;
    int st = (int)scib_agreement(t->a, 7, t->b, 5, n, &nmi, &ari);
    ok(st == OK, "agreement of two labellings");
    ref_check(&nmi, 1, "nmi", 1e-9, 0, "normalized mutual information");
    ref_check(&ari, 1, "ari", 1e-9, 0, "adjusted Rand index");
    st = (int)scib_agreement(t->a, 7, t->a, 7, n, &nmi, &ari);
    ok(st == OK && fabs(nmi - 1) < 1e-12 && ari == 1, "with itself: 1");
    ok(kmeans_fit(&(profile_rows){.x = t->u, .n = n, .d = D},
                  &(kmeans_options){.k = 25, .seed = 1, .first = 0, .starts = 10, .max_rounds = 300}, NULL, label, &inertia) == OK,
       "k-means, 25 clusters, 10 starts");
    want = ref_load("kmeans_inertia", &one);
    stored = want ? *want : NAN;
    ok(inertia <= 1.02 * stored, "as tight as scikit-learn's, within 2 %");
    free(want);
    ok(kmeans_fit(&(profile_rows){.x = t->u, .n = n, .d = D},
                  &(kmeans_options){.k = 25, .seed = 1, .first = 0, .starts = 10, .max_rounds = 300}, NULL, again, NULL) == OK &&
           memcmp(label, again, (size_t)n * sizeof *label) == 0,
       "repeatable");
    double of_start[10], least = INFINITY;
    int best = 0, same = 1;
    for (int i = 0; i < 10; i++) {
        same &=
            kmeans_fit(&(profile_rows){.x = t->u, .n = n, .d = D},
                       &(kmeans_options){.k = 25, .seed = 1, .first = i, .starts = 1, .max_rounds = 300}, NULL, again, &of_start[i]) == OK;
        if (of_start[i] < least) least = of_start[i], best = i;
    }
    same &= kmeans_fit(&(profile_rows){.x = t->u, .n = n, .d = D},
                       &(kmeans_options){.k = 25, .seed = 1, .first = best, .starts = 1, .max_rounds = 300}, NULL, again, NULL) == OK;
    ok(same && least == inertia && memcmp(label, again, (size_t)n * sizeof *label) == 0,
       "starts one by one: the best is the same to the bit");
    double plain = 0, greedy = 0, all;
    for (int i = 0; i < 20; i++) { /* after one round: what the first centres are worth */
        kmeans_options o = {.k = 25, .seed = 1, .first = i / 2, .starts = 1, .max_rounds = 1, .greedy = i % 2};
        same &= kmeans_fit(&(profile_rows){.x = t->u, .n = n, .d = D}, &o, NULL, again, &of_start[i / 2]) == OK;
        *(i % 2 ? &greedy : &plain) += of_start[i / 2];
    }
    for (int i = 0; i < 10; i++) least = i == 0 || of_start[i] < least ? of_start[i] : least;
    same &= kmeans_fit(&(profile_rows){.x = t->u, .n = n, .d = D},
                       &(kmeans_options){.k = 25, .seed = 1, .starts = 10, .max_rounds = 1, .greedy = true}, NULL, again, &all) == OK;
    printf("# mean of ten starts after a round: plain %.2f, greedy %.2f\n", plain / 10, greedy / 10);
    ok(same && all == least && greedy < 0.99 * plain, "greedy starts are better, and the same one by one");
    float two[8] = {0, 0, 0, 1, 9, 9, 9, 8};
    double center[4];
    ok(kmeans_fit(&(profile_rows){.x = two, .n = 4, .d = 2},
                  &(kmeans_options){.k = 2, .seed = 3, .first = 0, .starts = 3, .max_rounds = 50}, center, label, &inertia) == OK &&
           label[0] == label[1] && label[2] == label[3] && label[0] != label[2] && fabs(inertia - 1) < 1e-12,
       "two pairs");
    float alike[10] = {0};
    ok(kmeans_fit(&(profile_rows){.x = alike, .n = 5, .d = 2},
                  &(kmeans_options){.k = 3, .seed = 1, .first = 0, .starts = 2, .max_rounds = 50}, NULL, label, &inertia) == OK &&
           inertia == 0,
       "fewer different rows than clusters");
    ok(kmeans_fit(&(profile_rows){.x = two, .n = 4, .d = 2},
                  &(kmeans_options){.k = 5, .seed = 1, .first = 0, .starts = 1, .max_rounds = 10}, NULL, label, NULL) == E_FAILED &&
           strstr(msg_get(), "5 clusters of 4 rows"),
       "more clusters than rows");
    msg_clear();
}

static void sampling(void)
{
    int32_t row[100], count[20] = {0};
    ok(scib_sample(20, 100, 1, row) == 20 && row[0] == 0 && row[19] == 19, "a sample of more than all is all");
    int good = 1;
    for (uint32_t seed = 0; seed < 2000; seed++) {
        good &= scib_sample(20, 5, seed, row) == 5;
        for (int i = 0; i < 5; i++) {
            good &= i == 0 || row[i] > row[i - 1];
            count[row[i]]++;
        }
    }
    for (int i = 0; i < 20; i++) good &= abs(count[i] - 500) < 120; /* sd is 19 */
    ok(good, "samples ascend, and every row is drawn as often as the others");
}

int main(void)
{
    screen *s = screen_make();
    treated *t = treated_rows(s);
    silhouettes(t);
    graph(t);
    clusters(t);
    sampling();
    free(t);
    free(s);
    return tap_done();
}
