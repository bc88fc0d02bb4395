/* harmony.h -- batch correction by Harmony (Korsunsky et al. 2019): soft clusters in which batches are mixed, then a linear correction in
 * each. Local. Works on principal components; one covariate. A function of the data and the seed alone. */
#ifndef MICON_PROFILE_HARMONY_H
#define MICON_PROFILE_HARMONY_H
#include "micon/base/status.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    double theta, sigma, lambda; /* 2, 0.1, 1 */
    double block;                /* share of the rows updated at once: 0.05 */
    int max_rounds;              /* 10 */
    int max_cluster_rounds;      /* 20 */
    double epsilon_cluster;      /* 1e-5 */
    double epsilon;              /* 1e-4 */
    int clusters;                /* 0: min(100, n / 30, rounded), at least 1 */
    uint32_t seed;
    const double *start; /* [clusters,d] first centres, borrowed; NULL: k-means on the unit rows, at most 25 rounds of each of: */
    int starts;          /* 1 */
    bool greedy;         /* yes (profile/kmeans.h) */
} harmony_options;

harmony_options harmony_defaults(void);

typedef struct {
    int clusters, rounds;
    bool converged; /* before max_rounds were used up */
} harmony_result;

/* y [n,d] = x [n,d] corrected for batch [n] (codes below n_batch, each with a row). With one batch y is x and rounds 0. */
status harmony_correct(const float *x, int64_t n, int64_t d, const int32_t *batch, int32_t n_batch, const harmony_options *o, float *y,
                       harmony_result *result) MUST_USE;

#endif
