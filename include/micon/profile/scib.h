/* scib.h -- batch mixing and biological conservation, in the manner of scIB (Luecken et al. 2022; docs/method.md 8). Local.
 * x are unit rows (cosine) where said. Labels and batches are codes from 0; a negative label leaves the row out. */
#ifndef MICON_PROFILE_SCIB_H
#define MICON_PROFILE_SCIB_H
#include "micon/base/status.h"

#include <stdint.h>

enum { SCIB_SAMPLE = 10000 }; /* rows above which silhouettes are taken on a sample */

/* m of n row numbers without repetition, ascending; all of them where m >= n. out: min(m, n). Returns how many. */
int64_t scib_sample(int64_t n, int64_t m, uint32_t seed, int32_t *out);

/* The silhouette of each row of [first, first+n_range) by cosine distance; 0 for a label of one row, NaN for a row that is left out, or
 * with fewer than two labels. */
status scib_silhouette(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, int64_t first, int64_t n_range,
                       double *s) MUST_USE;

/* (mean silhouette + 1) / 2. */
status scib_silhouette_label(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, double *out) MUST_USE;

/* Batch: within each label, 1 - |silhouette by batch| averaged; then over labels. Labels with one batch, or as many batches as rows, are
 * left out. */
status scib_silhouette_batch(const float *x, int64_t n, int64_t d, const int32_t *label, int32_t n_label, const int32_t *batch,
                             int32_t n_batch, double *out) MUST_USE;

/* Mean over labels of the share of the label's rows in its largest connected part of the neighbour graph (edges both ways); neighbour
 * [n,k], -1: none. */
status scib_connectivity(const int32_t *neighbour, int64_t n, int k, const int32_t *label, int32_t n_label, double *out) MUST_USE;

/* Local inverse Simpson index of `code` for each of n_range rows, from their neighbours and distances [n_range,k], with k = 3 perplexity -
 * 1 (the row itself is left out); codes of all rows; a neighbour with a negative code has no part. NaN where a row has no neighbours. */
void scib_lisi(const int32_t *neighbour, const double *dist, int64_t n_range, int k, const int32_t *code, int32_t n_code, double perplexity,
               double *lisi);
/* From the median of lisi over rows: (m - 1) / (n_code - 1) for batches, (n_code - m) / (n_code - 1) for labels; 1 is best for both.
 * Reorders lisi. */
double scib_lisi_batch(double *lisi, int64_t n, int32_t n_code);
double scib_lisi_label(double *lisi, int64_t n, int32_t n_code);

/* Two labellings of the same rows: normalized mutual information (arithmetic mean of the entropies) and adjusted Rand index. */
status scib_agreement(const int32_t *a, int32_t n_a, const int32_t *b, int32_t n_b, int64_t n, double *nmi, double *ari) MUST_USE;

#endif
