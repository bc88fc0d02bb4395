/* replicates.h -- percent replicating: how many compounds' wells correlate with each other more than wells of different compounds do.
 * Local. A compound's score is the median Pearson correlation over the pairs of its wells. Its threshold is the 95th percentile (linear
 * between values) of the same median over null sets: as many wells as the compound has, each of another compound. Sets are of 32 wells at
 * most (and of as many as there are compounds): a smaller set's median varies more, so the threshold of a compound with more wells is, if
 * anything, too strict. */
#ifndef MICON_PROFILE_REPLICATES_H
#define MICON_PROFILE_REPLICATES_H
#include "micon/base/status.h"
#include "micon/profile/profile_rows.h"

#include <stdint.h>

enum { REPLICATE_MAX_SET = 32 };

/* score [labels.n]: of the labels of the range; NaN for a label with fewer than two wells. Rows from linear_pearson_rows; those with
 * label < 0 are left out. */
status replicate_scores(const profile_rows *r, int32_t n_label, row_range labels, double *score) MUST_USE;

/* null [draws.n]: medians of the null sets of the range, of `set` wells each (2..REPLICATE_MAX_SET). E_FAILED with fewer labels than
 * that. */
status replicate_null(const profile_rows *r, int32_t n_label, int set, uint32_t seed, row_range draws, double *null) MUST_USE;

/* Wells in the null sets of a compound with `count` wells where `filled` compounds have any; 0: it is not scored. */
int replicate_set(int64_t count, int64_t filled);

#endif
