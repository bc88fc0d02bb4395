/* bench_profile.c -- how long the mathematics of evaluate takes, on Philox's numbers. bench_profile.sh compares with numpy and
 * scikit-learn.
 *   bench_profile screen WELLS FEATURES PROCESSES   9 sites a well averaged, MAD, ZCA, NSB and NSS top 10, mAP activity with p-values
 *   bench_profile topk WELLS FEATURES PROCESSES     MAD, ZCA, cosine top 10
 *   bench_profile map WELLS FEATURES PROCESSES      average precision of all treated wells and p-values
 * Work is shared by forked processes over ranges, as ranks share it. Lines are "name seconds"; then "peak_bytes" (the sum over processes,
 * pages that they share counted in each), "cpu" (processor seconds of all: what a busy machine changes least) and "total". */
#include "micon/base/mem.h"
#include "micon/base/rng.h"
#include "micon/profile/average_precision.h"
#include "micon/profile/linear_algebra.h"
#include "micon/profile/normalize.h"
#include "micon/profile/retrieval.h"
#include "micon/profile/sphering.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PLATE = 384, CONTROLS = 64, SITES = 9, COMPOUNDS = 302, PLATES_A_BATCH = 5, BATCHES_A_SOURCE = 3, K = 10 };

typedef struct {
    int64_t n, d;
    int processes;
    float *x, *y; /* [n,d] profiles; the next step's */
    float *e;     /* [ne,d] treated wells, unit rows */
    int64_t ne;
    int32_t *plate, *batch, *source, *label; /* of all wells */
    int32_t *e_batch, *e_source, *e_label;
    uint8_t *control, *treated;
    int32_t n_plate;
    normalize_params norm;
    sphering_params sphere;
    ap_controls controls;
    retrieval_hit *hit;       /* [processes][2][n][K] */
    int32_t *row, *m, *total; /* [2][n][K]; [n] */
    double *ap, *map, *p;
    int n_set;
    double spent;
} bench;

static double cpu(void)
{
    struct rusage u[2];
    double sum = 0;
    getrusage(RUSAGE_SELF, &u[0]);
    getrusage(RUSAGE_CHILDREN, &u[1]);
    for (int i = 0; i < 2; i++)
        sum += (double)(u[i].ru_utime.tv_sec + u[i].ru_stime.tv_sec) + 1e-6 * (double)(u[i].ru_utime.tv_usec + u[i].ru_stime.tv_usec);
    return sum;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(status st)
{
    if (st == OK) return;
    fprintf(stderr, "bench_profile: %s\n", msg_get());
    exit(1);
}

/* Memory that forked processes write to as well. */
static void *shared(int64_t n, size_t size)
{
    void *p = mmap(NULL, (size_t)n * size + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) {
        perror("bench_profile: mmap");
        exit(1);
    }
    return p;
}

static void share_work(bench *b, int64_t n, void (*work)(bench *, int64_t first, int64_t n), const char *name)
{
    double t = now();
    fflush(stdout);
    if (b->processes == 1) work(b, 0, n); /* nobody to share with: no fork, whose pages would be counted */
    for (int r = 0; r < b->processes && b->processes > 1; r++) {
        int64_t first = n * r / b->processes, end = n * (r + 1) / b->processes;
        if (fork() == 0) {
            work(b, first, end - first);
            _exit(0);
        }
    }
    for (int r = 0; r < b->processes && b->processes > 1; r++) {
        int how = 0;
        if (wait(&how) < 0 || how != 0) {
            fprintf(stderr, "bench_profile: %s failed\n", name);
            exit(1);
        }
    }
    t = now() - t;
    b->spent += t;
    printf("%s %.3f\n", name, t);
}

/* ---- the screen ---- */

static float word(uint32_t stream, uint64_t at)
{
    uint32_t c[4] = {0, (uint32_t)(at / 4), (uint32_t)(at / 4 >> 32), 0}, key[2] = {1, stream}, out[4];
    philox4x32(c, key, out);
    return (float)((double)out[at % 4] / 4294967296.0 - 0.5);
}

static void name_wells(bench *b)
{
    for (int64_t i = 0; i < b->n; i++) {
        int64_t well = i % PLATE;
        b->plate[i] = (int32_t)(i / PLATE), b->batch[i] = b->plate[i] / PLATES_A_BATCH, b->source[i] = b->batch[i] / BATCHES_A_SOURCE;
        b->control[i] = well < CONTROLS, b->treated[i] = !b->control[i];
        b->label[i] = b->control[i] ? -1 : (int32_t)((well - CONTROLS) % COMPOUNDS);
    }
    b->n_plate = b->plate[b->n - 1] + 1;
}

/* Wells as they are: noise, the compound's effect, the batch's. */
static void make_wells(bench *b, int64_t first, int64_t n)
{
    for (int64_t i = first; i < first + n; i++)
        for (int64_t j = 0; j < b->d; j += 4) {
            uint32_t c[4] = {0, (uint32_t)(i * b->d + j), (uint32_t)((i * b->d + j) >> 32), 0}, key[2] = {1, 900}, out[4];
            philox4x32(c, key, out);
            for (int64_t t = 0; t < 4 && j + t < b->d; t++) {
                float v = (float)((double)out[t] / 4294967296.0 - 0.5) + 0.3f * word(902, (uint64_t)(b->batch[i] * b->d + j + t));
                if (b->label[i] >= 0) v += 0.15f * word(901, (uint64_t)(b->label[i] * b->d + j + t));
                b->x[i * b->d + j + t] = v;
            }
        }
}

/* One plate's sites at a time, as they come from its file: in double, site by site. The time to make them up is not counted. */
static void average_sites(bench *b, int64_t first, int64_t n)
{
    float *site = xmalloc((size_t)(SITES * b->d) * sizeof *site);
    double *sum = xmalloc((size_t)b->d * sizeof *sum), t = 0;
    for (int64_t i = first; i < first + n; i++) {
        for (int64_t j = 0; j < SITES * b->d; j++) site[j] = b->x[i * b->d + j % b->d] + 0.01f * (float)((i + j) % 7 - 3);
        double start = now();
        for (int64_t j = 0; j < b->d; j++) sum[j] = 0;
        for (int s = 0; s < SITES; s++)
            for (int64_t j = 0; j < b->d; j++) sum[j] += site[s * b->d + j];
        for (int64_t j = 0; j < b->d; j++) b->x[i * b->d + j] = (float)(sum[j] / SITES);
        t += now() - start;
    }
    printf("averaging_alone %.3f\n", t);
    fflush(stdout);
    free(site);
    free(sum);
}

static void apply_mad(bench *b, int64_t first, int64_t n)
{
    normalize_apply(&b->norm, &(normalize_table){.x = b->x + first * b->d, .n = n}, b->plate + first, b->y + first * b->d, NULL);
}

static void apply_sphere(bench *b, int64_t first, int64_t n)
{
    must(sphering_apply(&b->sphere, b->y + first * b->d, first, n, b->x + first * b->d));
    linear_unit_rows(b->x + first * b->d, n, b->d, b->x + first * b->d);
}

/* Part number `part`: b->hit has room for the lists of all parts. */
static void find(bench *b, int64_t part, int64_t n)
{
    retrieval_question ask[2] = {{{.query_group = b->e_batch, .candidate_group = b->e_batch}, K, NULL},
                                 {{.query_group = b->e_source, .candidate_group = b->e_source}, K, NULL}};
    if (n != 1) must(fail(E_INTERNAL, "one part a process"));
    for (int s = 0; s < b->n_set; s++) ask[s].hit = b->hit + (part * b->n_set + s) * b->ne * K;
    must(retrieval_among(RETRIEVAL_AUTO, &(profile_rows){.x = b->e, .n = b->ne, .d = b->d}, ask, b->n_set, (int)part, b->processes, NULL));
}

static void merge(bench *b)
{
    for (int64_t i = 0; i < b->n_set * b->ne; i++) {
        for (int p = 1; p < b->processes; p++) retrieval_merge(b->hit + i * K, b->hit + (p * b->n_set * b->ne + i) * K, K);
        for (int j = 0; j < K; j++) b->row[i * K + j] = (int32_t)b->hit[i * K + j].row;
    }
}

static void precision(bench *b, int64_t part, int64_t n)
{
    (void)n;
    ap_scores s = {xmalloc((size_t)b->n * sizeof *s.ap), xmalloc((size_t)b->n * sizeof(int32_t)), xmalloc((size_t)b->n * sizeof(int32_t))};
    must(ap_activity(&(profile_rows){.x = b->x, .n = b->n, .d = b->d, .label = b->label, .use = b->treated}, &b->controls,
                     &(ap_activity_scores){.out = &s}, (int)part, b->processes));
    for (int64_t i = 0; i < b->n; i++)
        if (s.n_total[i] > 0 || b->control[i]) b->ap[i] = s.ap[i], b->m[i] = s.n_positive[i], b->total[i] = s.n_total[i];
    ap_scores_free(&s);
}

static void pvalues(bench *b, int64_t first, int64_t n)
{
    must(ap_pvalues(&(ap_scores){b->ap, b->m, b->total}, b->label, b->n, (row_range){first, n},
                    &(ap_null_options){.size = 10000, .seed = 1}, &(ap_groups){b->map + first, b->p + first, NULL, NULL}));
}

static void timed(bench *b, const char *name, double start)
{
    printf("%s %.3f\n", name, now() - start);
    b->spent += now() - start;
}

static void normalize_and_sphere(bench *b)
{
    double t = now();
    normalize_rows rows = {b->plate, b->batch, b->source, b->control, b->n_plate, 4};
    must(normalize_fit(&b->norm, NORMALIZE_MAD, &(normalize_table){.x = b->x, .n = b->n, .d = b->d}, &rows));
    timed(b, "mad_fit", t);
    share_work(b, b->n, apply_mad, "mad_apply");
    t = now();
    must(sphering_fit(&b->sphere, SPHERE_ZCA, 0, b->y, b->n, b->d, b->control));
    timed(b, "zca_fit", t);
    share_work(b, b->n, apply_sphere, "zca_apply");
}

static void retrieve(bench *b)
{
    double t = now();
    for (int64_t i = 0; i < b->n; i++) {
        if (b->control[i]) continue;
        b->e_batch[b->ne] = b->batch[i], b->e_source[b->ne] = b->source[i], b->e_label[b->ne] = b->label[i];
        memcpy(b->e + b->ne++ * b->d, b->x + i * b->d, (size_t)b->d * sizeof *b->e);
    }
    timed(b, "gather", t);
    share_work(b, b->processes, find, "top_10");
    t = now();
    merge(b);
    timed(b, "merge", t);
    retrieval_setting set = {NULL, NULL, b->e_batch, b->e_batch, NULL, NULL};
    int32_t *rank = xmalloc((size_t)b->ne * sizeof *rank);
    int64_t *possible = xmalloc((size_t)b->ne * sizeof *possible), *match = xmalloc((size_t)b->ne * sizeof *match);
    retrieval_score score;
    t = now();
    retrieval_first_match(b->row, b->ne, K, b->e_label, b->e_label, rank);
    must(retrieval_counts(&set, b->e_label, 0, b->ne, b->e_label, b->ne, possible, match));
    retrieval_summarize(rank, possible, match, b->e_label, b->ne, COMPOUNDS, K, &score);
    timed(b, "scores", t);
    printf("nsb_top1 %.4f\nnsb_chance1 %.4f\n", score.hits[0], score.chance[0]);
    free(rank);
    free(possible);
    free(match);
}

static void average_precision(bench *b)
{
    must(ap_controls_init(&b->controls, b->control, b->plate, b->batch, b->source, b->n, 4));
    share_work(b, b->processes, precision, "map");
    share_work(b, COMPOUNDS, pvalues, "map_p");
    printf("map_of_first %.4f\n", b->map[0]);
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: bench_profile screen|topk|map WELLS FEATURES PROCESSES\n");
        return 2;
    }
    bench b = {.n = atoll(argv[2]), .d = atoll(argv[3]), .processes = atoi(argv[4]), .n_set = strcmp(argv[1], "screen") == 0 ? 2 : 1};
    b.x = shared(b.n * b.d, sizeof(float)), b.y = shared(b.n * b.d, sizeof(float)), b.e = b.y; /* y is free once x is sphered */
    int32_t **codes[] = {&b.plate, &b.batch, &b.source, &b.label, &b.e_batch, &b.e_source, &b.e_label, &b.m, &b.total};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) *codes[i] = shared(b.n, sizeof(int32_t));
    b.control = shared(b.n, 1), b.treated = shared(b.n, 1), b.row = shared(b.n_set * b.n * K, sizeof(int32_t));
    b.hit = shared(b.processes * b.n_set * b.n * K, sizeof(retrieval_hit));
    b.ap = shared(b.n, sizeof(double)), b.map = shared(COMPOUNDS, sizeof(double)), b.p = shared(COMPOUNDS, sizeof(double));
    name_wells(&b);
    share_work(&b, b.n, make_wells, "make (not counted)");
    b.spent = 0;
    double cpu_start = cpu();
    if (strcmp(argv[1], "screen") == 0) share_work(&b, b.n, average_sites, "averaging_with_making");
    if (strcmp(argv[1], "map") == 0) {
        linear_unit_rows(b.x, b.n, b.d, b.x);
    } else {
        normalize_and_sphere(&b);
        retrieve(&b);
    }
    if (strcmp(argv[1], "topk") != 0) average_precision(&b);
    struct rusage self, child;
    getrusage(RUSAGE_SELF, &self);
    getrusage(RUSAGE_CHILDREN, &child);
    printf("peak_bytes %lld\n", 1024LL * ((long long)self.ru_maxrss + (long long)b.processes * child.ru_maxrss));
    printf("cpu %.3f\n", cpu() - cpu_start);
    printf("total %.3f\n", b.spent);
    return 0;
}
